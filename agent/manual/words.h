/*
 * What may stand where on the command line, read out of the verbs' own descriptions of their arguments
 * ("[set|unset NAME...|all]"). Words that are known when exeat is built (verbs, client programs, shells) are
 * written out; the others are left to the shell as a kind in angle brackets: <upstream>, <file>, <dir>,
 * <command>, <host>.
 */
#ifndef EXEAT_MANUAL_WORDS_H
#define EXEAT_MANUAL_WORDS_H

#include "base/buf.h"
#include "cli/verb.h"

/* Appends what may stand at the `at`th place (from 0), with blanks between; nothing: nothing is known of it.
 * `last`: the same is true for all further ones. false: there is no such place. */
bool words_at(const struct verb *verb, size_t at, struct buf *out, bool *last);

/* What an option's argument may be, likewise. */
void words_of_option(const struct verb *verb, const struct verb_option *o, struct buf *out);

#endif
