/*
 * exeat-manual WHAT DATE: one of the generated files, on standard output. make runs it.
 */
#include <stdio.h>
#include <string.h>

#include "manual/manual.h"

static const struct {
    const char *name;
    void (*make)(struct buf *out, const char *date);
} products[] = {
    {"exeat.1", manual_program},      {"exeat.conf.5", manual_configuration},
    {"words", manual_words},          {"fish", manual_fish},
    {"exeat-tray.1", manual_tray},    {"exeat-tray.bash", manual_tray_bash},
    {"_exeat-tray", manual_tray_zsh}, {"exeat-tray.fish", manual_tray_fish},
};

int main(int argc, char **argv)
{
    for (size_t i = 0; argc == 3 && i < sizeof products / sizeof *products; i++) {
        if (strcmp(products[i].name, argv[1]) != 0)
            continue;
        struct buf text = {0};
        products[i].make(&text, argv[2]);
        bool written = fwrite(text.p, 1, text.n, stdout) == text.n && fflush(stdout) == 0;
        buf_free(&text);
        return written ? 0 : 1;
    }
    fputs("usage: exeat-manual NAME DATE, with one of these names:", stderr);
    for (size_t i = 0; i < sizeof products / sizeof *products; i++)
        fprintf(stderr, " %s", products[i].name);
    fputs("\n", stderr);
    return 2;
}
