/*
 * How verbs speak: plain sentences, wrapped where they are long, harmless for the terminal. One thread.
 */
#include "cli/say.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>

#include "config/config.h"

#define COLUMNS 80

void say_clean(FILE *to, struct span text)
{
    for (size_t i = 0; i < text.n; i++) {
        unsigned char c = (unsigned char)text.p[i];
        /* 0xC2 0x80..0x9F are the control characters of Latin 1 in UTF-8: some terminals obey them too. */
        bool c1 = c == 0xC2 && i + 1 < text.n && (unsigned char)text.p[i + 1] < 0xA0;
        if (c1)
            i++;
        fputc(c1 || c == 0x7F || (c < 0x20 && c != '\n') ? '?' : c, to);
    }
}

int say_failure(const struct err *e)
{
    fputs("exeat: ", stderr);
    say_clean(stderr, span_str(e->text));
    fputc('\n', stderr);
    return exit_from_err(e->code);
}

static void say_formatted(const char *before, const char *format, va_list args)
{
    char *text;
    int n = vasprintf(&text, format, args);
    fputs(before, stderr);
    if (n >= 0) {
        say_clean(stderr, span_make(text, (size_t)n));
        free(text);
    }
    fputc('\n', stderr);
}

int say_error(enum exit_code code, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    say_formatted("exeat: ", format, args);
    va_end(args);
    return code;
}

void say_warning(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    say_formatted("exeat: warning: ", format, args);
    va_end(args);
}

/* One paragraph of words, or one line that is laid out already. */
static void say_wrapped(FILE *to, struct span line)
{
    if (line.n && line.p[0] == ' ') {
        fprintf(to, "%.*s\n", SPAN_ARG(line));
        return;
    }
    size_t column = 0;
    for (struct span word = span_word(&line); word.n; word = span_word(&line)) {
        if (column && column + 1 + word.n > COLUMNS) {
            fputc('\n', to);
            column = 0;
        }
        fprintf(to, "%s%.*s", column ? " " : "", SPAN_ARG(word));
        column += word.n + (column != 0);
    }
    fputc('\n', to);
}

void say_paragraphs(FILE *to, const char *text)
{
    struct span rest = span_str(text);
    while (rest.n)
        say_wrapped(to, span_cut(&rest, '\n'));
}

int say_finish(int code)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return code;
    struct err e;
    err_errno(&e, ERR_SYSTEM, errno, "cannot write to standard output");
    return say_failure(&e);
}

char *say_socket_path(const char *name, struct err *e)
{
    char *directory = config_runtime_dir(e);
    if (!directory)
        return NULL;
    struct buf path;
    buf_init(&path, 0);
    buf_addf(&path, "%s/%s", directory, name);
    free(directory);
    char *text = span_dup(buf_span(&path));
    buf_free(&path);
    return text;
}
