/*
 * A password from a person or a pipe, straight into locked memory. Blocking; one thread.
 */
#ifndef EXEAT_CLI_ASK_SECRET_H
#define EXEAT_CLI_ASK_SECRET_H

#include "base/err.h"
#include "base/secret.h"

#define SECRET_LONGEST ((size_t)16 << 10) /* bytes */

bool there_is_a_terminal(void);
/* Asks on the terminal (/dev/tty), without echo; the terminal is as before afterwards, also when a signal
   ends or suspends us. false: there is no terminal, or nothing was typed. */
bool secret_from_terminal(struct span prompt, struct secret *out, struct err *e);
/* The first line of standard input, without its newline; when that is a terminal, without echo. Not empty,
 * without NUL bytes. */
bool secret_from_stdin(struct secret *out, struct err *e);

#endif
