/*
 * Tables, and the help that is made of them. The numbers of the exit codes are those of exeat's verbs.
 */
#include "options.h"

#include <stdio.h>

static const char *const kinds[] = {"symbolic", "light", "dark", NULL};

const struct tray_option tray_options[] = {
    {"icons", 0, "KIND", kinds,
     "symbolic (the default), for panels that colour them; light on dark panels, dark on light ones"},
    {"version", 0, NULL, NULL, "show the version"},
    {"help", 'h', NULL, NULL, "show this help"},
    {NULL, 0, NULL, NULL, NULL},
};

const struct tray_exit tray_exits[] = {
    {TRAY_DONE, "It was told to quit, or one is running already."},
    {TRAY_FAILED, "There is no desktop session; a sentence on standard error says what is missing."},
    {TRAY_USAGE, "The command line was not understood."},
    {0, NULL},
};

const char tray_about[] = "Shows in the desktop's panel how exeat stands: on, off, direct, busy, a problem.\n"
                          "Its menu switches the proxy on and off, asks for passwords, and has the desktop\n"
                          "use exeat or not. It notifies you of what needs you. Starts the agent where none\n"
                          "is running. A second one ends at once.\n";

void tray_help(FILE *to)
{
    fprintf(to, "Usage: exeat-tray [OPTION]...\n\n%s\nOptions:\n", tray_about);
    for (const struct tray_option *o = tray_options; o->name; o++) {
        char form[64];
        snprintf(form, sizeof form, "--%s%s%s", o->name, o->argument ? " " : "",
                 o->argument ? o->argument : "");
        fprintf(to, o->letter ? "  -%c, " : "      ", o->letter);
        fprintf(to, "%-18s  %s\n", form, o->help);
    }
}
