/*
 * A verb's options, from its rows through getopt_long to a verb_call; and what to say when a command line
 * makes no sense. getopt keeps its state in globals: one thread, one parse at a time.
 */
#include <assert.h>
#include <getopt.h>
#include <string.h>

#include "base/nearest.h"
#include "cli/verb.h"

#define FIRST_LONG 256 /* getopt's values of our rows: above all letters */
#define HELP_VALUE (FIRST_LONG + VERB_OPTIONS_MAX)

const struct verb_option cli_help_option = {"help", 'h', NULL, "show this help"};

struct getopt_tables {
    struct option longs[VERB_OPTIONS_MAX + 2];
    char shorts[2 * VERB_OPTIONS_MAX + 8];
};

static void add_letter(char *shorts, const struct verb_option *o)
{
    if (!o->letter)
        return;
    char *end = shorts + strlen(shorts);
    *end++ = o->letter;
    if (o->argument)
        *end++ = ':';
    *end = '\0';
}

static void fill_tables(struct getopt_tables *t, const struct verb *verb, bool first_word_ends)
{
    size_t n = 0;
    strcpy(t->shorts, first_word_ends ? "+:" : ":");
    for (const struct verb_option *o = verb->options; o && o->name; o++, n++) {
        assert(n < VERB_OPTIONS_MAX);
        t->longs[n] = (struct option){o->name, o->argument ? required_argument : no_argument, NULL,
                                      FIRST_LONG + (int)n};
        add_letter(t->shorts, o);
    }
    t->longs[n++] = (struct option){cli_help_option.name, no_argument, NULL, HELP_VALUE};
    t->longs[n] = (struct option){0};
    add_letter(t->shorts, &cli_help_option);
}

/* What a person calls the verb in a sentence: "exeat status", or "exeat". */
static const char *gap(const struct verb *verb)
{
    return verb == &cli_program ? "" : " ";
}

static const char *called(const struct verb *verb)
{
    return verb == &cli_program ? "" : verb->name;
}

static bool unknown_long(const struct verb *verb, const char *given, struct err *e)
{
    struct span name = span_str(given + 2);
    name = span_head(name, span_find(name, '='));
    struct nearest near;
    nearest_begin(&near, name);
    for (const struct verb_option *o = verb->options; o && o->name; o++)
        nearest_offer(&near, o->name);
    nearest_offer(&near, cli_help_option.name);
    if (near.name)
        return err_set(e, ERR_USAGE, "\"exeat%s%s\" has no option \"--%.*s\": did you mean \"--%s\"?",
                       gap(verb), called(verb), SPAN_ARG(name), near.name);
    return err_set(e, ERR_USAGE, "\"exeat%s%s\" has no option \"--%.*s\": see \"exeat help%s%s\"", gap(verb),
                   called(verb), SPAN_ARG(name), gap(verb), called(verb));
}

/* getopt_long has said '?' or ':' about `given`. */
static bool complain(const struct verb *verb, int said, const char *given, struct err *e)
{
    if (said == ':')
        return err_set(e, ERR_USAGE, "the option \"%s\" needs a value: see \"exeat help%s%s\"", given,
                       gap(verb), called(verb));
    if (optopt == 0)
        return unknown_long(verb, given, e);
    if (optopt >= FIRST_LONG)
        return err_set(e, ERR_USAGE, "the option \"%.*s\" takes no value", (int)strcspn(given, "="), given);
    return err_set(e, ERR_USAGE, "\"exeat%s%s\" has no option \"-%c\": see \"exeat help%s%s\"", gap(verb),
                   called(verb), optopt, gap(verb), called(verb));
}

/* The row that getopt_long's value stands for; -1: --help. */
static int row_of(const struct verb *verb, int value)
{
    if (value == HELP_VALUE || value == cli_help_option.letter)
        return -1;
    if (value >= FIRST_LONG)
        return value - FIRST_LONG;
    int row = 0;
    while (verb->options[row].letter != value)
        row++;
    return row;
}

bool verb_parse(const struct verb *verb, int argc, char **argv, bool first_word_ends, struct verb_call *call,
                struct err *e)
{
    struct getopt_tables t;
    fill_tables(&t, verb, first_word_ends);
    *call = (struct verb_call){.verb = verb};
    opterr = 0;
    optind = 0; /* glibc: begin anew */
    int value;
    while ((value = getopt_long(argc, argv, t.shorts, t.longs, NULL)) != -1) {
        if (value == '?' || value == ':')
            return complain(verb, value, argv[optind - 1], e);
        int row = row_of(verb, value);
        if (row < 0) {
            call->help = true;
            continue;
        }
        if (call->values[row])
            return err_set(e, ERR_USAGE, "the option \"--%s\" is given twice", verb->options[row].name);
        call->values[row] = optarg ? optarg : "";
    }
    call->words = argv + optind;
    call->n_words = (size_t)(argc - optind);
    if (!call->help && !first_word_ends && call->n_words > verb->max_words)
        return err_set(e, ERR_USAGE, "\"%s\" is one word too many: see \"exeat help %s\"",
                       call->words[verb->max_words], verb->name);
    return true;
}

const char *verb_value(const struct verb_call *call, const char *option)
{
    size_t row = 0;
    while (strcmp(call->verb->options[row].name, option) != 0)
        row++;
    return call->values[row];
}

bool verb_given(const struct verb_call *call, const char *option)
{
    return verb_value(call, option) != NULL;
}
