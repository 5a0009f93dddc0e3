/*
 * exeat logout: has the keyholder forget a password, in its memory and in the keyring.
 */
#include "base/secret.h"
#include "cli/choose_upstream.h"
#include "cli/keyholder.h"
#include "cli/say.h"
#include "cli/verb.h"

static int run(const struct verb_call *call)
{
    const char *config_path = verb_value(call, "config"), *guest = verb_value(call, "for");
    struct chosen_upstream upstream;
    struct err e = {0};
    secret_start();
    if (guest && !*guest) {
        err_set(&e, ERR_USAGE, "--for wants the name of a user");
        return say_failure(&e);
    }
    if (!choose_upstream(call->n_words ? call->words[0] : NULL, config_path, &upstream, &e))
        return say_failure(&e);
    struct keys_msg logout = {.type = KEYS_LOGOUT,
                              .call = 1,
                              .upstream = span_str(upstream.name),
                              .flags = guest ? KEYS_GUEST : 0,
                              .user = span_str(guest)};
    int code = keyholder_deliver(&logout, config_path);
    chosen_upstream_free(&upstream);
    return code;
}

static const struct verb_option options[] = {
    {"for", 0, "NAME", "that of this user of a gateway alone"},
    {"config", 'c', "FILE", "read FILE instead of the usual place"},
    {0},
};

const struct verb logout_verb = {
    .name = "logout",
    .arguments = "[UPSTREAM]",
    .max_words = 1,
    .summary = "Forget the password for a proxy",
    .help = "Removes the password from the keyring and from the running agent. Idle connections to the "
            "proxy that were opened with it end; what is under way goes to its end.\n"
            "\n"
            "UPSTREAM is the name of an [upstream NAME] section; without it the first one is meant.",
    .options = options,
    .run = run,
};
