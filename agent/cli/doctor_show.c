/*
 * Marks, lines and JSON. Where the locale is not UTF-8 everything is ASCII but what others have said.
 */
#include "cli/doctor_show.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "cli/say.h"

#define NAME_COLUMN   12
#define MARGIN        ((size_t)NAME_COLUMN + 7) /* behind mark and name, */
#define MARGIN_NARROW ((size_t)4)               /* and where a terminal has not */
#define COLUMNS_MANY  60
#define COLUMNS_LEAST 30

static const struct {
    const char *utf8, *ascii, *json;
} marks[] = {
    [MARK_OK] = {"\xe2\x9c\x93", "ok  ", "ok"},
    [MARK_BAD] = {"\xe2\x9c\x97", "FAIL", "failed"},
    [MARK_NOTE] = {"\xe2\x80\xa2", "note", "note"},
    [MARK_SKIP] = {"\xe2\x80\x93", "--  ", "skipped"},
};

/* The first of these that is set decides, as setlocale(3) has it. */
static bool locale_is_utf8(void)
{
    static const char *const names[] = {"LC_ALL", "LC_CTYPE", "LANG"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *value = getenv(names[i]);
        if (value && *value)
            return strcasestr(value, "utf-8") || strcasestr(value, "utf8");
    }
    return false;
}

/* A terminal's width; 0: it is none, or too narrow to be worth a thought, and lines stay whole. */
static size_t columns(void)
{
    struct winsize w;
    bool known = isatty(STDOUT_FILENO) && ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) == 0;
    return known && w.ws_col >= COLUMNS_LEAST ? w.ws_col : 0;
}

void show_begin(struct show *s, bool json)
{
    *s = (struct show){.steps = json ? json_array() : NULL, .utf8 = locale_is_utf8(), .columns = columns()};
}

static json_t *text(const struct buf *b)
{
    struct buf clean = {0};
    say_tidy(&clean, buf_span(b));
    json_t *value = json_stringn(clean.p ? clean.p : "", clean.n);
    buf_free(&clean);
    return value;
}

static size_t width_of(struct span word)
{
    size_t n = 0;
    for (size_t i = 0; i < word.n; i++)
        n += (word.p[i] & 0xC0) != 0x80;
    return n;
}

/* One line, whose first word is to stand at `at`; further ones begin at `margin`. */
static void print_wrapped(const struct show *s, struct span line, size_t at, size_t margin)
{
    if (!s->columns) {
        printf("%.*s\n", SPAN_ARG(line));
        return;
    }
    bool first = true;
    for (; line.n && line.p[0] == ' '; line = span_from(line, 1), at++)
        putchar(' ');
    for (struct span word = span_word(&line); word.n; word = span_word(&line), first = false) {
        size_t n = width_of(word);
        bool fits = first || at + 1 + n <= s->columns;
        if (!first)
            printf(fits ? " " : "\n%*s", fits ? 0 : (int)margin, "");
        at = (fits ? at + !first : margin) + n;
        printf("%.*s", SPAN_ARG(word));
    }
    putchar('\n');
}

/* Further lines stand below the first. */
static void print_lines(const struct show *s, const struct buf *b, size_t at)
{
    struct buf clean = {0};
    size_t margin = s->columns && s->columns < COLUMNS_MANY ? MARGIN_NARROW : MARGIN;
    say_tidy(&clean, buf_span(b));
    struct span all = buf_span(&clean);
    struct span first = span_cut(&all, '\n');
    print_wrapped(s, first, at, margin + 2);
    while (all.n) {
        struct span line = span_cut(&all, '\n');
        printf("%*s", (int)margin + 2, "");
        print_wrapped(s, line, margin + 2, margin + 4);
    }
    buf_free(&clean);
}

static void add_step(const struct show *s, const char *name, const struct finding *f, const char *proxy)
{
    json_t *step =
        json_pack("{s:s, s:s, s:o, s:o, s:I}", "step", name, "result", marks[f->mark].json, "evidence",
                  text(&f->evidence), "remedy", text(&f->remedy), "ms", (json_int_t)f->ms);
    if (proxy)
        json_object_set_new(step, "proxy", json_string(proxy));
    json_array_append_new(s->steps, step);
}

void show_finding(const struct show *s, const char *name, const struct finding *f, const char *proxy)
{
    if (s->steps) {
        add_step(s, name, f, proxy);
        return;
    }
    printf(s->utf8 ? "   %s   %-*s" : " %s  %-*s", s->utf8 ? marks[f->mark].utf8 : marks[f->mark].ascii,
           NAME_COLUMN, name);
    print_lines(s, &f->evidence, MARGIN);
    if (f->remedy.n) {
        size_t margin = s->columns && s->columns < COLUMNS_MANY ? MARGIN_NARROW : MARGIN;
        printf("%*s%s ", (int)margin, "", s->utf8 ? "\xe2\x86\x92" : "->");
        print_lines(s, &f->remedy, margin + (s->utf8 ? 2 : 3));
    }
    fflush(stdout);
}

void show_end(struct show *s, const char *url, enum exit_code code, unsigned faults, bool whole)
{
    if (s->steps) {
        json_t *all = json_pack("{s:b, s:s, s:i, s:o}", "ok", faults == 0, "url", url, "exit_code", (int)code,
                                "steps", s->steps);
        json_dumpf(all, stdout, JSON_INDENT(2) | JSON_ENSURE_ASCII);
        putchar('\n');
        json_decref(all);
        s->steps = NULL;
    } else if (faults == 0) {
        puts(whole ? "\nNothing is wrong."
                   : "\nNothing is wrong as far as it was looked at: no request was sent.");
    } else {
        printf("\n%u %s wrong. What stands first is mostly the cause of what follows.\n", faults,
               faults == 1 ? "thing is" : "things are");
    }
}
