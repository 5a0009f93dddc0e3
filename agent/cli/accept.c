/*
 * exeat accept: a person says that a proxy which offers less than before is the right one all the same. The
 * keyholder judges which offer that is; it has kept the one that rang, with or without an agent.
 */
#include "cli/choose_upstream.h"
#include "cli/keyholder.h"
#include "cli/say.h"
#include "cli/verb.h"

static int run(const struct verb_call *call)
{
    const char *config_path = verb_value(call, "config");
    struct chosen_upstream upstream;
    struct err e = {0};
    if (!choose_upstream(call->n_words ? call->words[0] : NULL, config_path, &upstream, &e))
        return say_failure(&e);
    struct keys_msg accept = {.type = KEYS_ACCEPT_OFFER, .call = 1, .upstream = span_str(upstream.name)};
    int code = keyholder_deliver(&accept, config_path);
    chosen_upstream_free(&upstream);
    return code;
}

static const struct verb_option options[] = {
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
