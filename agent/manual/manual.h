/*
 * What is made from the tables of verbs, settings and client programs when exeat is built: the manual pages and
 * what the shells' completions know. A program of its own, which is not installed. One thread.
 */
#ifndef EXEAT_MANUAL_MANUAL_H
#define EXEAT_MANUAL_MANUAL_H

#include "base/buf.h"

/* exeat(1) and exeat.conf(5). `date`: of the release, as YYYY-MM-DD. */
void manual_program(struct buf *out, const char *date);
void manual_configuration(struct buf *out, const char *date);

/* The lines for bash and zsh (words.c says how they look), and the statements for fish. */
void manual_words(struct buf *out, const char *date);
void manual_fish(struct buf *out, const char *date);

/* exeat-tray(1), and all that bash, zsh and fish know of exeat-tray. */
void manual_tray(struct buf *out, const char *date);
void manual_tray_bash(struct buf *out, const char *date);
void manual_tray_zsh(struct buf *out, const char *date);
void manual_tray_fish(struct buf *out, const char *date);

#endif
