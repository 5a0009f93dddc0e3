/*
 * What a message between exeat and a proxy is for, in a few words for a newcomer. Pure; any thread.
 */
#ifndef EXEAT_CLI_PRACTICE_WORDS_H
#define EXEAT_CLI_PRACTICE_WORDS_H

#include "http/head.h"

const char *practice_words(const struct head *h);

#endif
