/*
 * How verbs speak: plain sentences, wrapped where they are long, harmless for the terminal. One thread.
 */
#include "cli/say.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>

#include "base/escape.h"
#include "config/config.h"

#define COLUMNS 80

/* C1 (ECMA-48), line and paragraph separators, and what changes the direction of text (Unicode UAX #9). */
static bool is_harmful(struct span c)
{
    static const struct {
        const char *from, *to;
    } ranges[] = {{"\x01", "\x1F"},
                  {"\x7F", "\x7F"},
                  {"\xC2\x80", "\xC2\x9F"},
                  {"\xD8\x9C", "\xD8\x9C"},
                  {"\xE2\x80\x8E", "\xE2\x80\x8F"},
                  {"\xE2\x80\xA8", "\xE2\x80\xAE"},
                  {"\xE2\x81\xA6", "\xE2\x81\xA9"}};
    if (c.p[0] == '\n')
        return false;
    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++)
        if (c.n == strlen(ranges[i].from) && memcmp(c.p, ranges[i].from, c.n) >= 0 &&
            memcmp(c.p, ranges[i].to, c.n) <= 0)
            return true;
    return c.p[0] == '\0';
}

void say_tidy(struct buf *out, struct span text)
{
    while (text.n) {
        size_t n = escape_utf8(text);
        struct span c = span_head(text, n ? n : 1);
        buf_add_span(out, n == 0 || is_harmful(c) ? SPAN("?") : c);
        text = span_from(text, c.n);
    }
}

void say_clean(FILE *to, struct span text)
{
    struct buf clean = {0};
    say_tidy(&clean, text);
    if (clean.n) /* nothing has no address */
        fwrite(clean.p, 1, clean.n, to);
    buf_free(&clean);
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
