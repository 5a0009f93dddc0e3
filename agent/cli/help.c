/*
 * help: everything it says is made from the rows of the verbs, of their options and of the exit codes.
 */
#include <string.h>

#include "base/nearest.h"
#include "cli/exit.h"
#include "cli/say.h"
#include "cli/verb.h"
#include "config/config.h"

#define COLUMNS 80

/* One line; where the options would make it longer than that, it only says that there are some. */
void verb_usage(FILE *to, const struct verb *verb)
{
    struct buf options = {0};
    for (const struct verb_option *o = verb->options; o && o->name; o++)
        buf_addf(&options, " [--%s%s%s]", o->name, o->argument ? " " : "", o->argument ? o->argument : "");
    bool fits =
        strlen("Usage: exeat  ") + strlen(verb->name) + options.n + strlen(verb->arguments) <= COLUMNS;
    fprintf(to, "Usage: exeat %s%s%s%s\n", verb->name, fits ? buf_cstr(&options) : " [OPTION]...",
            *verb->arguments ? " " : "", verb->arguments);
    buf_free(&options);
}

static void option_line(FILE *to, const struct verb_option *o)
{
    char form[64];
    snprintf(form, sizeof form, "--%s%s%s", o->name, o->argument ? " " : "", o->argument ? o->argument : "");
    if (o->letter)
        fprintf(to, "  -%c, %-18s  %s\n", o->letter, form, o->help);
    else
        fprintf(to, "      %-18s  %s\n", form, o->help);
}

static void option_lines(FILE *to, const struct verb *verb)
{
    fputs("\nOptions:\n", to);
    for (const struct verb_option *o = verb->options; o && o->name; o++)
        option_line(to, o);
    option_line(to, &cli_help_option);
}

void verb_help(FILE *to, const struct verb *verb)
{
    verb_usage(to, verb);
    fputc('\n', to);
    say_paragraphs(to, verb->help);
    option_lines(to, verb);
}

void program_help(FILE *to)
{
    fputs("Usage: exeat VERB [OPTION]... [ARGUMENT]\n\n", to);
    say_paragraphs(to, cli_program.help);
    fputs("\nVerbs:\n", to);
    for (const struct verb *const *v = cli_verbs; *v; v++)
        fprintf(to, "  %-8s  %s\n", (*v)->name, (*v)->summary);
    option_lines(to, &cli_program);
    fputc('\n', to);
    say_paragraphs(to, "\"exeat help VERB\" says more about one of them, \"exeat help configuration\" shows "
                       "all settings, and \"exeat help "
                       "exit-codes\" how the verbs end.");
}

static void exit_codes_help(void)
{
    fputs("Every verb ends with one of these exit codes:\n\n", stdout);
    for (const struct exit_row *row = exit_rows; row->meaning; row++)
        fprintf(stdout, "  %d  %s\n", row->code, row->meaning);
}

static void configuration_help(void)
{
    struct buf sample;
    buf_init(&sample, 0);
    config_print_sample(&sample);
    fwrite(sample.p, 1, sample.n, stdout);
    buf_free(&sample);
}

static const struct topic {
    const char *name;
    void (*show)(void);
} topics[] = {
    {"configuration", configuration_help},
    {"exit-codes", exit_codes_help},
};

static int unknown_topic(const char *name)
{
    struct nearest near;
    nearest_begin(&near, span_str(name));
    for (const struct verb *const *v = cli_verbs; *v; v++)
        nearest_offer(&near, (*v)->name);
    for (size_t i = 0; i < sizeof topics / sizeof *topics; i++)
        nearest_offer(&near, topics[i].name);
    if (near.name)
        return say_error(EXIT_USAGE, "there is no help about \"%s\": did you mean \"exeat help %s\"?", name,
                         near.name);
    return say_error(EXIT_USAGE, "there is no help about \"%s\": \"exeat help\" lists the verbs", name);
}

static int run(const struct verb_call *call)
{
    const char *name = call->n_words ? call->words[0] : NULL;
    if (!name) {
        program_help(stdout);
        return EXIT_DONE;
    }
    const struct verb *verb = verb_named(name);
    if (verb) {
        verb_help(stdout, verb);
        return EXIT_DONE;
    }
    for (size_t i = 0; i < sizeof topics / sizeof *topics; i++) {
        if (strcmp(topics[i].name, name) == 0) {
            topics[i].show();
            return EXIT_DONE;
        }
    }
    return unknown_topic(name);
}

const struct verb help_verb = {
    .name = "help",
    .arguments = "[VERB|configuration|exit-codes]",
    .max_words = 1,
    .summary = "Explain a verb, or list them all",
    .help = "Lists the verbs, or explains one of them with all of its options.\n"
            "\n"
            "\"exeat help configuration\" shows a sample of the configuration file with every setting and "
            "its default; \"exeat help "
            "exit-codes\" says how the verbs end.",
    .run = run,
};
