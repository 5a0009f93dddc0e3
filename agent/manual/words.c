/*
 * A row of `meanings` for each word in capitals that stands for something that a shell can offer. The table for bash
 * and zsh has a line for each verb, option and place:
 *
 *     verb|NAME|SUMMARY      option|VERB|LETTER|NAME|takes or nothing|WORDS|HELP      place|VERB|NUMBER or NUMBER+|WORDS
 *
 * VERB is empty for the program's own options.
 */
#include "manual/words.h"

#include <string.h>

#include "apps/apps.h"
#include "manual/manual.h"

static void add_verbs(struct buf *out)
{
    for (const struct verb *const *v = cli_verbs; *v; v++)
        buf_addf(out, "%s%s", v == cli_verbs ? "" : " ", (*v)->name);
}

static void add_programs(struct buf *out)
{
    for (const struct app *a = app_rows; a->name; a++)
        buf_addf(out, "%s%s", a == app_rows ? "" : " ", a->name);
}

static const struct meaning {
    const char *verb; /* NULL: all */
    const char *word;
    const char *kind;
    void (*list)(struct buf *out); /* instead of kind */
} meanings[] = {
    {NULL, "UPSTREAM", "<upstream>", NULL}, {NULL, "FILE", "<file>", NULL},
    {NULL, "DIR", "<dir>", NULL},           {NULL, "COMMAND", "<command>", NULL},
    {NULL, "HOST", "<host>", NULL},         {NULL, "VERB", NULL, add_verbs},
    {"apps", "NAME", NULL, add_programs},   {"env", "NAME", "sh bash zsh fish pwsh", NULL},
};

static bool in_capitals(struct span word)
{
    for (size_t i = 0; i < word.n; i++)
        if (word.p[i] < 'A' || word.p[i] > 'Z')
            return false;
    return true;
}

static void add_word(const struct verb *verb, struct span word, struct buf *out)
{
    const char *before = out->n ? " " : "";
    if (!in_capitals(word)) {
        buf_addf(out, "%s%.*s", before, SPAN_ARG(word));
        return;
    }
    for (size_t i = 0; i < sizeof meanings / sizeof *meanings; i++) {
        const struct meaning *m = &meanings[i];
        if (!span_eq(word, span_str(m->word)) || (m->verb && strcmp(m->verb, verb->name) != 0))
            continue;
        buf_addf(out, "%s%s", before, m->kind ? m->kind : "");
        if (m->list)
            m->list(out);
    }
}

/* Without brackets and dots; *many: it had dots. */
static struct span bare(struct span word, bool *many)
{
    while (word.n && strchr("[]", word.p[0]))
        word = span_from(word, 1);
    while (word.n && strchr("[].", word.p[word.n - 1])) {
        *many |= word.p[word.n - 1] == '.';
        word = span_head(word, word.n - 1);
    }
    return word;
}

bool words_at(const struct verb *verb, size_t at, struct buf *out, bool *last)
{
    struct span rest = span_str(verb->arguments), place;
    size_t n = 0;
    while ((place = span_word(&rest)).n) {
        bool many = false;
        if (span_eq(place, SPAN("[--]")))
            continue;
        if (n++ != at)
            continue;
        while (place.n) {
            struct span word = span_cut(&place, '|');
            add_word(verb, bare(word, &many), out);
        }
        *last = many;
        return true;
    }
    return false;
}

void words_of_option(const struct verb *verb, const struct verb_option *o, struct buf *out)
{
    if (o->argument)
        add_word(verb, span_str(o->argument), out);
}

/* --- the table --- */

static void put_option(struct buf *out, const struct verb *verb, const struct verb_option *o)
{
    struct buf words = {0};
    words_of_option(verb, o, &words);
    buf_addf(out, "option|%s|", verb == &cli_program ? "" : verb->name);
    if (o->letter)
        buf_add(out, &o->letter, 1);
    buf_addf(out, "|%s|%s|%s|%s\n", o->name, o->argument ? "takes" : "", buf_cstr(&words), o->help);
    buf_free(&words);
}

static void put_verb(struct buf *out, const struct verb *verb)
{
    for (const struct verb_option *o = verb->options; o && o->name; o++)
        put_option(out, verb, o);
    put_option(out, verb, &cli_help_option);
    bool last = false;
    struct buf words = {0};
    for (size_t i = 0; !last && words_at(verb, i, &words, &last); i++) {
        buf_addf(out, "place|%s|%zu%s|%s\n", verb->name, i, last ? "+" : "", buf_cstr(&words));
        buf_clear(&words);
    }
    buf_free(&words);
}

void manual_words(struct buf *out, const char *date)
{
    (void)date;
    put_verb(out, &cli_program);
    for (const struct verb *const *v = cli_verbs; *v; v++) {
        buf_addf(out, "verb|%s|%s\n", (*v)->name, (*v)->summary);
        put_verb(out, *v);
    }
}
