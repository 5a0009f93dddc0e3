/*
 * What "exeat status" says in words.
 */
#ifndef EXEAT_CLI_STATUS_H
#define EXEAT_CLI_STATUS_H

#include <jansson.h>

#include "base/buf.h"

/* Appends the agent's answer to {"verb": "status"} for a person. What is missing from the answer is left out.
 */
void status_text(struct buf *out, json_t *answer);

#endif
