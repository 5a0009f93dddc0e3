/*
 * Shell expressions as PAC files use them. Pure.
 */
#ifndef EXEAT_PAC_SHEXP_H
#define EXEAT_PAC_SHEXP_H

#include "base/span.h"

/* Does the pattern match the whole of `text`? '*' any characters, '?' one; and, since browsers turn the pattern into a regular expression and
   PAC files count on it: '(a|b)' and 'a|b' either, '[a-z]' and '[^a-z]' one of a set. An unpaired '(', ')' or '[' stands for itself, and so
   does everything else. Case matters. Time is bounded by the product of the two lengths, whatever the pattern. */
bool shexp_match(struct span text, struct span pattern);

#endif
