/*
 * The same for fish, as its own statements: "complete" for each verb, option and place. The functions that they use are in
 * config/completions/exeat.fish.
 */
#include <string.h>

#include "manual/manual.h"
#include "manual/words.h"

/* In fish's single quotes only these two are special. */
static void add_quoted(struct buf *out, const char *text)
{
    buf_add_str(out, "'");
    for (const char *c = text; *c; c++) {
        if (*c == '\'' || *c == '\\')
            buf_add_str(out, "\\");
        buf_add(out, c, 1);
    }
    buf_add_str(out, "'");
}

/* " -a WORDS", or what has fish offer them. */
static void add_words(struct buf *out, const char *words)
{
    buf_add_str(out, " -a ");
    struct buf call = {0};
    buf_add_str(&call, "(__exeat_words");
    for (struct span rest = span_str(words), word; (word = span_word(&rest)).n;)
        buf_addf(&call, " \"%.*s\"", SPAN_ARG(word));
    buf_add_str(&call, ")");
    add_quoted(out, strchr(words, '<') ? buf_cstr(&call) : words);
    buf_free(&call);
}

static void put_option(struct buf *out, const char *condition, const struct verb *verb,
                       const struct verb_option *o)
{
    struct buf words = {0};
    words_of_option(verb, o, &words);
    buf_addf(out, "complete -c exeat -n '%s' -l %s", condition, o->name);
    if (o->letter)
        buf_addf(out, " -s %c", o->letter);
    if (o->argument)
        buf_add_str(out, span_eq(buf_span(&words), SPAN("<file>")) ? " -r -F" : " -x");
    if (words.n && !span_eq(buf_span(&words), SPAN("<file>")))
        add_words(out, buf_cstr(&words));
    buf_add_str(out, " -d ");
    add_quoted(out, o->help);
    buf_add_str(out, "\n");
    buf_free(&words);
}

static void put_options(struct buf *out, const char *condition, const struct verb *verb)
{
    for (const struct verb_option *o = verb->options; o && o->name; o++)
        put_option(out, condition, verb, o);
    put_option(out, condition, verb, &cli_help_option);
}

static void put_places(struct buf *out, const struct verb *verb)
{
    bool last = false;
    struct buf words = {0};
    for (size_t i = 0; !last && words_at(verb, i, &words, &last); i++) {
        if (words.n) {
            buf_addf(out, "complete -c exeat -n '__exeat_at %s %zu%s'", verb->name, i, last ? " more" : "");
            add_words(out, buf_cstr(&words));
            buf_add_str(out, "\n");
        }
        buf_clear(&words);
    }
    buf_free(&words);
}

/* What the functions have to know of a line that is being written: which options have a value behind them. */
static void put_takers(struct buf *out, const struct verb *verb)
{
    buf_addf(out, "set -g __exeat_takes_%s", verb == &cli_program ? "" : verb->name);
    for (const struct verb_option *o = verb->options; o && o->name; o++) {
        if (!o->argument)
            continue;
        buf_addf(out, " --%s", o->name);
        if (o->letter)
            buf_addf(out, " -%c", o->letter);
    }
    buf_add_str(out, "\n");
}

void manual_fish(struct buf *out, const char *date)
{
    (void)date;
    put_takers(out, &cli_program);
    put_options(out, "__exeat_no_verb", &cli_program);
    for (const struct verb *const *v = cli_verbs; *v; v++) {
        buf_addf(out, "complete -c exeat -n __exeat_no_verb -a %s -d ", (*v)->name);
        add_quoted(out, (*v)->summary);
        buf_add_str(out, "\n");
        put_takers(out, *v);
        struct buf condition = {0};
        buf_addf(&condition, "__exeat_verb %s", (*v)->name);
        put_options(out, buf_cstr(&condition), *v);
        buf_free(&condition);
        put_places(out, *v);
    }
}
