/*
 * exeat log: shows what the agent has written, wherever that is: the journal, or the file for requests. The showing is journalctl's and tail's. One thread.
 */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "cli/ask_agent.h"
#include "cli/say.h"
#include "cli/verb.h"
#include "config/config.h"

#define UNIT      "exeat"
#define LINES     "200"
#define ARGUMENTS 10

struct place {
    bool running, journal;
    char *requests; /* file; NULL: none */
};

static bool journal_is_here(void)
{
    return access("/run/systemd/system", F_OK) == 0;
}

/* Of the running agent; without one, what the configuration says. false: *e. */
static bool find_place(struct place *p, struct err *e)
{
    json_t *answer = ask_agent("log", e);
    *p = (struct place){.running = answer != NULL};
    if (answer) {
        p->journal = json_is_true(json_object_get(answer, "journal"));
        p->requests = mem_strdup(json_string_value(json_object_get(answer, "requests")));
        json_decref(answer);
        return true;
    }
    if (e->code != ERR_GONE)
        return false;
    struct config *c = config_load(NULL, NULL);
    p->requests = mem_strdup(c && c->log_requests ? c->log_file : NULL);
    p->journal = journal_is_here();
    config_unref(c);
    return true;
}

static int become(char *const argv[])
{
    fflush(NULL);
    execvp(argv[0], argv);
    return say_error(EXIT_FAILED, "%s cannot be run: %s", argv[0], strerror(errno));
}

static int show_journal(char *lines, bool follow)
{
    char *argv[ARGUMENTS] = {"journalctl"};
    size_t n = 1;
    if (getuid() != 0)
        argv[n++] = "--user";
    argv[n++] = "--unit=" UNIT;
    argv[n++] = "--lines";
    argv[n++] = lines;
    if (follow)
        argv[n++] = "--follow";
    return become(argv);
}

static int show_file(char *path, char *lines, bool follow)
{
    char *argv[ARGUMENTS] = {"tail", "-n", lines};
    size_t n = 3;
    if (!follow && access(path, F_OK) != 0 && errno == ENOENT)
        return say_error(
            EXIT_FAILED,
            "there is no %s yet: nothing has been written there; \"exeat log --follow\" waits for it", path);
    if (follow)
        argv[n++] = "-F";
    argv[n++] = "--";
    argv[n++] = path;
    return become(argv);
}

static int show(const struct place *p, const struct err *e, bool requests, char *lines, bool follow)
{
    if (requests && !p->requests)
        return say_error(
            EXIT_FAILED,
            "the lines about requests have no file of their own; \"exeat log\" shows all there is, and "
            "file = in [log] gives them one");
    if (p->requests && (requests || !p->journal))
        return show_file(p->requests, lines, follow);
    if (p->journal) {
        if (p->requests)
            fprintf(stderr,
                    "exeat: the lines about requests are in %s; \"exeat log --requests\" shows them\n",
                    p->requests);
        return show_journal(lines, follow);
    }
    if (!p->running)
        return say_failure(e);
    return say_error(EXIT_FAILED, "the agent writes its log to the terminal or the program that started "
                                  "it\nRun it as a service (systemctl "
                                  "--user enable --now exeat.service) and it goes to the journal; [log] file "
                                  "= PATH keeps the lines about "
                                  "requests in a file. \"exeat watch\" shows requests as they come.");
}

static int run(const struct verb_call *call)
{
    struct err e = {0};
    struct place p;
    const char *given = verb_value(call, "lines");
    uint64_t n;
    if (given && !span_u64(span_str(given), &n))
        return say_error(EXIT_USAGE, "--lines needs a number");
    if (!find_place(&p, &e))
        return say_failure(&e);
    char *lines = mem_strdup(given ? given : LINES);
    int code = show(&p, &e, verb_given(call, "requests"), lines, verb_given(call, "follow"));
    free(lines);
    free(p.requests);
    return code;
}

static const struct verb_option options[] = {
    {"follow", 'f', NULL, "go on with what comes"},
    {"lines", 'n', "N", "how many of the last lines; 200 if not given"},
    {"requests", 'r', NULL, "the file of lines about requests, if there is one"},
    {0},
};

const struct verb log_verb = {
    .name = "log",
    .arguments = "",
    .summary = "Show the agent's log",
    .help = "Shows the last lines of the log: from the journal, where the agent runs as a service "
            "(journalctl shows them), else from the file "
            "that [log] names for the lines about requests. Where neither is the case it says where the log "
            "goes.",
    .options = options,
    .run = run,
};
