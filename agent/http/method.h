/*
 * What a method promises (RFC 9110 section 9.2). Pure; any thread.
 */
#ifndef EXEAT_HTTP_METHOD_H
#define EXEAT_HTTP_METHOD_H

#include <stdbool.h>

#include "base/span.h"

/* May it be sent again when it is not known whether it was carried out (section 9.2.2)? CONNECT too: a tunnel that never opened did nothing. */
bool method_is_idempotent(struct span method);

#endif
