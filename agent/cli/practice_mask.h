/*
 * Heads of messages as people may see them: each line as it stands on the wire, but for secrets and tokens, of which only the kind and the length are shown.
 * Pure; any thread.
 */
#ifndef EXEAT_CLI_PRACTICE_MASK_H
#define EXEAT_CLI_PRACTICE_MASK_H

#include "http/head.h"

/* Appends the start line and the fields of `h`, each with `indent` before it and LF behind it. */
void practice_mask(struct buf *out, const struct head *h, const char *indent);

#endif
