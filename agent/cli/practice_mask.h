/*
 * Heads of messages as people may see them: each line as it stands on the wire, but for secrets and tokens, and for fields that nobody knows here: of those there is only the length.
 * Pure; any thread.
 */
#ifndef EXEAT_CLI_PRACTICE_MASK_H
#define EXEAT_CLI_PRACTICE_MASK_H

#include "http/head.h"

/* Appends the start line and the fields of `h`, each with `indent` before it and LF behind it. `brief`: of several challenges the
   schemes alone, in one line. */
void practice_mask(struct buf *out, const struct head *h, const char *indent, bool brief);

#endif
