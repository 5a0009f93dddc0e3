/*
 * Words for the person at the terminal: results on standard output, "exeat: sentence" on standard error.
 */
#ifndef EXEAT_CLI_SAY_H
#define EXEAT_CLI_SAY_H

#include <stdio.h>

#include "base/buf.h"
#include "base/err.h"
#include "cli/exit.h"

/* "exeat: text" on standard error; returns the exit code, so that "return say_failure(&e)" reads well. */
int say_failure(const struct err *e);
int say_error(enum exit_code code, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* "exeat: warning: text" on standard error. */
void say_warning(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Without what would drive the terminal, or turn its text around: names and sentences come from files and from proxies. Newlines stay; control characters,
 * those of bidirectional text and bytes that are not UTF-8 become '?'. */
void say_tidy(struct buf *out, struct span text);
void say_clean(FILE *to, struct span text);

/* Paragraphs (separated by an empty line) in lines of at most 80 columns; a line that begins with a space
 * stays as it is. */
void say_paragraphs(FILE *to, const char *text);

/* Writes out standard output; EXIT_FAILED with a sentence when that went wrong (a full disk), else `code`. */
int say_finish(int code);

/* The path of one of our sockets ("control", "keys"). NULL with *e; the caller frees. */
char *say_socket_path(const char *name, struct err *e);

#endif
