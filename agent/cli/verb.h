/*
 * The verbs: one row each, from which parsing, help, and later the man page and the shell completions are
 * made. A verb's row stands in its own file.
 */
#ifndef EXEAT_CLI_VERB_H
#define EXEAT_CLI_VERB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "base/err.h"
#include "base/span.h"

struct verb_option {
    const char *name;     /* without the dashes; NULL ends the table */
    char letter;          /* short form; 0: none */
    const char *argument; /* "FILE"; NULL: it takes none */
    const char *help;     /* one line, without a full stop */
};
#define VERB_OPTIONS_MAX 16

/* What the floor above lends to the verbs. */
struct verb_context {
    int (*agent_run)(const char *config_path); /* path NULL: the default places; returns an exit code */
};

struct verb_call {
    const struct verb *verb;
    const struct verb_context *context;
    const char *values[VERB_OPTIONS_MAX]; /* by row of the verb's options: NULL not given, "" given where it
                                             takes no argument */
    bool help;                            /* --help */
    char **words;                         /* what is left of the command line */
    size_t n_words;
};

struct verb {
    const char *name;
    const char *arguments; /* "[UPSTREAM]"; "" when it takes none */
    size_t max_words;
    bool first_word_ends; /* options stand before the first word only: what follows is another program's */
    const char *summary;  /* one line, without a full stop */
    const char *help;     /* paragraphs: see say_paragraphs */
    const struct verb_option *options; /* --help, which every verb has, is not in it */
    int (*run)(const struct verb_call *call);
};

extern const struct verb run_verb, check_verb, login_verb, logout_verb, accept_verb, status_verb, route_verb,
    reload_verb, on_verb, off_verb, stop_verb, connect_verb, doctor_verb, token_verb, env_verb, exec_verb,
    apps_verb, import_verb, setup_verb, watch_verb, log_verb, users_verb, practice_verb, help_verb;
extern const struct verb *const cli_verbs[]; /* in the order in which help shows them; NULL at the end */
extern const struct verb cli_program;        /* "exeat" itself: its options, before any verb */
extern const struct verb_option cli_help_option;

/* NULL: there is none of that name. */
const struct verb *verb_named(const char *name);

/* The value of an option of this call's verb, NULL when it was not given. */
const char *verb_value(const struct verb_call *call, const char *option);
bool verb_given(const struct verb_call *call, const char *option);

/* Reads argv[1...] by the verb's rows into *call; argv is put into another order. `first_word_ends`: options
   stand before the first word only, all behind it is left. false: *e has ERR_USAGE with a sentence. */
bool verb_parse(const struct verb *verb, int argc, char **argv, bool first_word_ends, struct verb_call *call,
                struct err *e);

void verb_usage(FILE *to, const struct verb *verb); /* one line: "Usage: exeat login [UPSTREAM] ..." */
void verb_help(FILE *to, const struct verb *verb);
void program_help(FILE *to);

/* The whole program: returns the exit code. */
int cli_main(int argc, char **argv, const struct verb_context *context);

#endif
