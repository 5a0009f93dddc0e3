/*
 * exeat apps: the client programs that are here, how each stands, and pointing them at exeat or back.
 */
#include <jansson.h>
#include <stdlib.h>
#include <unistd.h>

#include "apps/apps.h"
#include "base/nearest.h"
#include "cli/find_aim.h"
#include "cli/say.h"
#include "cli/verb.h"

/* --- the list --- */

static const char *const stand_names[] = {
    [STAND_NONE] = "none",   [STAND_EXEAT] = "exeat",     [STAND_PARTLY] = "partly",
    [STAND_OTHER] = "other", [STAND_UNKNOWN] = "unknown",
};

static void describe(const struct app_state *s, struct buf *out)
{
    static const char *const words[] = {[STAND_NONE] = "no proxy",
                                        [STAND_EXEAT] = "exeat",
                                        [STAND_PARTLY] = "exeat, but not for all",
                                        [STAND_OTHER] = "another proxy",
                                        [STAND_UNKNOWN] = "not known"};
    buf_add_str(out, words[s->stand]);
    if (s->stand == STAND_OTHER && s->proxy.n)
        buf_addf(out, ": %.*s", SPAN_ARG(buf_span(&s->proxy)));
    if (s->stand == STAND_UNKNOWN)
        buf_addf(out, ": %.*s", SPAN_ARG(buf_span(&s->why)));
    if (s->by_environment && s->stand != STAND_NONE)
        buf_add_str(out, ", by the environment");
    if (s->set_by_us)
        buf_add_str(out, " (set by exeat apps)");
}

static json_t *text_json(struct span s)
{
    json_t *text = json_stringn(s.p ? s.p : "", s.n);
    return text ? text : json_string("(not UTF-8)");
}

static json_t *to_json(const struct app *app, const struct app_state *s)
{
    json_t *files = json_array();
    for (struct span rest = buf_span(&s->files); rest.n;)
        json_array_append_new(files, text_json(span_cut(&rest, '\n')));
    json_t *one =
        json_pack("{s:s, s:s, s:s, s:s, s:b, s:b, s:o}", "name", app->name, "title", app->title, "scope",
                  app->scope == SCOPE_SYSTEM ? "system"
                  : app->scope == SCOPE_USER ? "user"
                                             : "environment",
                  "state", stand_names[s->stand], "by_environment", (int)s->by_environment, "set_by_exeat",
                  (int)s->set_by_us, "files", files);
    if (s->proxy.n)
        json_object_set_new(one, "proxy", text_json(buf_span(&s->proxy)));
    if (s->why.n)
        json_object_set_new(one, "problem", text_json(buf_span(&s->why)));
    return one;
}

static int list(const struct apps *a, bool json)
{
    json_t *all = json_array();
    struct buf text = {0};
    for (const struct app *app = app_rows; app->name; app++) {
        struct app_state s;
        app_look(a, app, &s);
        if (app_found(a, app) || s.set_by_us) {
            buf_addf(&text, "%-12s ", app->name);
            describe(&s, &text);
            buf_add_str(&text, "\n");
            json_array_append_new(all, to_json(app, &s));
        }
        app_state_free(&s);
    }
    if (json) {
        json_t *whole = json_pack("{s:s, s:O}", "exeat", a->aim.url, "apps", all);
        json_dumpf(whole, stdout, JSON_INDENT(2));
        putchar('\n');
        json_decref(whole);
    } else {
        if (text.n)
            printf("exeat is at %s\n\n", a->aim.url);
        else
            puts("None of the programs that exeat knows was found.");
        say_clean(stdout, buf_span(&text));
    }
    json_decref(all);
    buf_free(&text);
    return EXIT_DONE;
}

/* --- set and unset --- */

struct job {
    struct apps apps;
    const struct found_aim *found;
    bool set;
    bool all; /* whatever is here, so what cannot be is only told */
    int code;
};

/* On a terminal without what would drive it; into a file as it is, for it is an exact diff. */
static void print(struct buf *out)
{
    if (isatty(STDOUT_FILENO))
        say_clean(stdout, buf_span(out));
    else if (out->n)
        fwrite(out->p, 1, out->n, stdout);
    buf_clear(out);
}

/* Who asks for its downloads must be let in. */
static void offer_uid(const struct job *job, const struct app *app)
{
    json_t *word;
    size_t i;
    if (!app->runs_as || !found_aim_shuts_out(job->found, app->runs_as))
        return;
    struct buf line = {0};
    buf_add_str(&line, "allow-uids =");
    json_array_foreach(job->found->allow_uids, i, word) if (json_is_string(word))
        buf_addf(&line, " %s", json_string_value(word));
    fprintf(stderr,
            "%s: it downloads as the user %s, whom exeat does not let in yet. In the configuration's "
            "[listen], write\n"
            "    %s %s\n"
            "and then type \"exeat reload\".\n",
            app->name, app->runs_as, buf_cstr(&line), app->runs_as);
    buf_free(&line);
}

/* false: it could not be done. */
static bool one(struct job *job, const struct app *app)
{
    struct err e = {0};
    enum app_result result = job->set ? app_set(&job->apps, app, &e) : app_unset(&job->apps, app, &e);
    print(&job->apps.out);
    fflush(stdout);
    if (result == APP_NOT || result == APP_NOT_YET) {
        say_failure(&e);
        if (result == APP_NOT || !job->all)
            job->code = EXIT_FAILED;
        return false;
    }
    if (result == APP_ALREADY && !job->all && !job->apps.dry_run)
        printf(job->set ? "%s: uses exeat already\n"
                        : "%s: exeat apps has not set it, so there is nothing to undo\n",
               app->name);
    if (job->set && !job->apps.dry_run)
        offer_uid(job, app);
    if (result == APP_DONE && app->after && !job->apps.dry_run)
        printf("%s: for this to take effect: %s\n", app->name, app->after);
    return true;
}

static void everything(struct job *job)
{
    bool root = geteuid() == 0 || (job->apps.root && *job->apps.root) || job->apps.dry_run;
    job->all = true;
    for (const struct app *app = app_rows; app->name; app++) {
        if (app->scope == SCOPE_ENVIRONMENT || (job->set && !app_found(&job->apps, app)))
            continue;
        bool needs_root = app->scope == SCOPE_SYSTEM && !root;
        if (!needs_root && !(job->set && app->by_name))
            one(job, app);
        else if (job->set && app->by_name)
            fprintf(stderr, "%s: left out; name it if you want it: %s\n", app->name, app->by_name);
        else if (job->set)
            fprintf(stderr, "%s: left out, it needs root: sudo exeat apps set %s\n", app->name, app->name);
    }
}

static int unknown(const char *name)
{
    struct nearest near;
    nearest_begin(&near, span_str(name));
    nearest_offer(&near, "all");
    for (const struct app *app = app_rows; app->name; app++)
        nearest_offer(&near, app->name);
    if (near.name)
        return say_error(EXIT_USAGE, "exeat knows no program \"%s\": did you mean \"%s\"?", name, near.name);
    return say_error(EXIT_USAGE, "exeat knows no program \"%s\": \"exeat help apps\" lists the names", name);
}

static int change(struct job *job, const struct verb_call *call)
{
    if (call->n_words < 2)
        return say_error(EXIT_USAGE, "which programs? For example: exeat apps %s git npm, or all",
                         call->words[0]);
    for (size_t i = 1; i < call->n_words; i++)
        if (strcmp(call->words[i], "all") != 0 && !app_named(call->words[i]))
            return unknown(call->words[i]);
    for (size_t i = 1; i < call->n_words; i++) {
        const struct app *app = app_named(call->words[i]);
        job->all = false;
        if (!app) {
            everything(job);
            continue;
        }
        if (one(job, app) && app->by_name && job->set && !job->apps.dry_run)
            fprintf(stderr, "%s: note that %s\n", app->name, app->by_name);
    }
    return job->code;
}

static int with_aim(const struct verb_call *call, struct found_aim *found)
{
    const char *verb = call->n_words ? call->words[0] : "list";
    struct job job = {
        .apps = {.root = verb_value(call, "root"), .aim = found->aim, .dry_run = verb_given(call, "dry-run")},
        .found = found,
        .set = strcmp(verb, "set") == 0};
    int code;
    if (strcmp(verb, "list") == 0)
        code = list(&job.apps, verb_given(call, "json"));
    else if (job.set || strcmp(verb, "unset") == 0)
        code = change(&job, call);
    else
        code =
            say_error(EXIT_USAGE, "\"%s\" is neither list nor set nor unset: see \"exeat help apps\"", verb);
    buf_free(&job.apps.out);
    return code;
}

static int run(const struct verb_call *call)
{
    struct found_aim found;
    struct err e = {0};
    bool undo = call->n_words && strcmp(call->words[0], "unset") == 0;
    /* To undo something nobody needs to know where exeat listens. */
    bool ok = find_aim(&found, verb_value(call, "proxy"), verb_value(call, "config"), &e) || undo;
    int code = ok ? with_aim(call, &found) : say_failure(&e);
    found_aim_free(&found);
    return code;
}

static const struct verb_option options[] = {
    {"dry-run", 'n', NULL, "change nothing, show the difference"},
    {"json", 'j', NULL, "the list as JSON, for programs"},
    {"proxy", 'p', "URL", "this address, instead of the agent's own"},
    {"config", 'c', "FILE", "the address that FILE has, not the agent's own"},
    {"root", 'r', "DIR", "system-wide files below DIR, for an image"},
    {0},
};

const struct verb apps_verb = {
    .name = "apps",
    .arguments = "[set|unset NAME...|all]",
    .max_words = (size_t)-1,
    .summary = "Point client programs at exeat, or back",
    .help = "Without more words, lists the client programs that are here and which proxy each of them uses. "
            "\"set\" "
            "writes exeat's address into the files in which they keep their proxy, \"unset\" puts back what "
            "was there: "
            "a file that nobody has changed since becomes what it was, byte for byte; of one that was "
            "changed only "
            "what exeat wrote is taken out. \"all\" means what is found here.\n"
            "\n"
            "What is written for the whole machine needs root: sudo exeat apps set apt. A program that has "
            "no file for this is "
            "named by \"set\", with what to do instead. The names:\n"
            "\n"
            "    apt cargo composer conda curl dnf docker dockerd environment firefox gem\n"
            "    git gnome go gradle java jetbrains kde maven npm nuget pip pnpm\n"
            "    podman podman-root snap ssh uv vscode wget yarn",
    .options = options,
    .run = run,
};
