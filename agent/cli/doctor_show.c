/*
 * Marks, lines and JSON. Where the locale is not UTF-8 everything is ASCII but what others have said.
 */
#include "cli/doctor_show.h"

#include <stdio.h>
#include <stdlib.h>

#include "cli/say.h"

#define NAME_COLUMN 12

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

void show_begin(struct show *s, bool json)
{
    *s = (struct show){.steps = json ? json_array() : NULL, .utf8 = locale_is_utf8()};
}

static json_t *text(const struct buf *b)
{
    json_t *value = json_stringn(b->p ? b->p : "", b->n);
    return value ? value : json_string("(not UTF-8)");
}

/* Further lines stand below the first. */
static void print_lines(struct span all, const char *before)
{
    struct span first = span_cut(&all, '\n');
    say_clean(stdout, first);
    putchar('\n');
    while (all.n) {
        struct span line = span_cut(&all, '\n');
        printf("%*s%s", NAME_COLUMN + 7, "", before);
        say_clean(stdout, line);
        putchar('\n');
    }
}

void show_finding(const struct show *s, const char *name, const struct finding *f)
{
    if (s->steps) {
        json_array_append_new(s->steps, json_pack("{s:s, s:s, s:o, s:o, s:I}", "step", name, "result",
                                                  marks[f->mark].json, "evidence", text(&f->evidence),
                                                  "remedy", text(&f->remedy), "ms", (json_int_t)f->ms));
        return;
    }
    printf(s->utf8 ? "   %s   %-*s" : " %s  %-*s", s->utf8 ? marks[f->mark].utf8 : marks[f->mark].ascii,
           NAME_COLUMN, name);
    print_lines(buf_span(&f->evidence), "  ");
    if (f->remedy.n) {
        printf("%*s%s ", NAME_COLUMN + 7, "", s->utf8 ? "\xe2\x86\x92" : "->");
        print_lines(buf_span(&f->remedy), "  ");
    }
    fflush(stdout);
}

void show_end(struct show *s, const char *url, enum exit_code code, unsigned faults, bool whole)
{
    if (s->steps) {
        json_t *all = json_pack("{s:b, s:s, s:i, s:o}", "ok", faults == 0, "url", url, "exit_code", (int)code,
                                "steps", s->steps);
        json_dumpf(all, stdout, JSON_INDENT(2));
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
