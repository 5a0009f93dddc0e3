/*
 * exeat accept: a person says that a proxy which offers less than before is the right one all the same. The
 * keyholder judges which offer that is; it has kept the one that rang, with or without an agent.
 */
#include "cli/ask_agent.h"
#include "cli/choose_upstream.h"
#include "cli/keyholder.h"
#include "cli/pinentry.h"
#include "cli/say.h"
#include "cli/verb.h"

static void add_text(struct buf *to, json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    if (text && *text)
        buf_addf(to, "%s\n\n", text);
}

/* What rang, in the agent's words. */
static void describe(struct buf *question, const char *upstream)
{
    struct err e = {0};
    json_t *status = ask_agent("status", &e), *one;
    size_t i;
    json_array_foreach(json_object_get(status, "upstreams"), i, one)
    {
        const char *name = json_string_value(json_object_get(one, "name"));
        if (name && strcmp(name, upstream) == 0) {
            add_text(question, one, "state");
            add_text(question, one, "remedy");
        }
    }
    json_decref(status);
}

static bool person_agrees(const char *upstream, struct err *e)
{
    struct buf question = {0};
    describe(&question, upstream);
    buf_addf(&question, "Accept what the proxies of %s offer now?", upstream);
    bool agrees = pinentry_confirm(buf_span(&question), "Accept", e);
    buf_free(&question);
    return agrees;
}

static int run(const struct verb_call *call)
{
    const char *config_path = verb_value(call, "config");
    struct chosen_upstream upstream;
    struct err e = {0};
    if (!choose_upstream(call->n_words ? call->words[0] : NULL, config_path, &upstream, &e))
        return say_failure(&e);
    struct keys_msg accept = {.type = KEYS_ACCEPT_OFFER, .call = 1, .upstream = span_str(upstream.name)};
    bool sure = !verb_given(call, "pinentry") || person_agrees(upstream.name, &e);
    int code = sure ? keyholder_deliver(&accept, config_path) : say_failure(&e);
    chosen_upstream_free(&upstream);
    return code;
}

static const struct verb_option options[] = {
    {"pinentry", 0, NULL, "show why, and ask, in a window of the desktop"},
    {"config", 'c', "FILE", "read FILE instead of the usual place"},
    {0},
};

const struct verb accept_verb = {
    .name = "accept",
    .arguments = "[UPSTREAM]",
    .max_words = 1,
    .summary = "Accept a proxy that offers less than before",
    .help = "exeat remembers the strongest scheme that the proxies of an upstream ever accepted. When one of "
            "them later offers only weaker "
            "ones, somebody else may be answering in its place: it gets nothing, and \"exeat status\" says "
            "so. When your administrator says "
            "that this is right, this verb accepts that one offer; anything weaker still raises the alarm, "
            "and so does the same offer once the proxy has accepted something stronger again.\n"
            "\n"
            "UPSTREAM is the name of an [upstream NAME] section; without it the first one is meant.",
    .options = options,
    .run = run,
};
