/*
 * The command line of exeat-tray as tables, of which --help, exeat-tray(1) and the shells' completions are made. No toolkit in it.
 */
#ifndef EXEAT_TRAY_OPTIONS_H
#define EXEAT_TRAY_OPTIONS_H

#include <stdio.h>

struct tray_option {
    const char *name;          /* without the dashes; NULL ends the table */
    char letter;               /* short form; 0: none */
    const char *argument;      /* "KIND"; NULL: it takes none */
    const char *const *values; /* what the argument may be; NULL at the end */
    const char *help; /* without a full stop, and without quotes, brackets and colons: shells read it */
};

struct tray_exit {
    int code;
    const char *meaning; /* NULL ends the table */
};

enum { TRAY_DONE = 0, TRAY_FAILED = 1, TRAY_USAGE = 2 };

extern const struct tray_option tray_options[];
extern const struct tray_exit tray_exits[];
extern const char tray_about[]; /* paragraphs, in lines of at most 80 columns */

/* --help, to `to`. */
void tray_help(FILE *to);

#endif
