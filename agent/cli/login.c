/*
 * exeat login: takes a password from the person (or from standard input) to the keyholder, which tries and
 * stores it. Here it lives in a struct secret alone, for as long as that takes; it never is an argument, a
 * variable of the environment, or a log line.
 */
#include "base/secret.h"
#include "cli/ask_secret.h"
#include "cli/choose_upstream.h"
#include "cli/keyholder.h"
#include "cli/pinentry.h"
#include "cli/say.h"
#include "cli/verb.h"

static void write_prompt(struct buf *prompt, const struct chosen_upstream *u, const char *user)
{
    buf_add_str(prompt, "Password");
    if (*user)
        buf_addf(prompt, " of %s", user);
    buf_addf(prompt, " for the proxy %s (upstream %s): ", u->proxy, u->name);
}

static bool take_secret(const struct verb_call *call, const struct chosen_upstream *u, struct secret *secret,
                        struct err *e)
{
    if (verb_given(call, "stdin"))
        return secret_from_stdin(secret, e);
    const char *user = verb_value(call, "for") ? verb_value(call, "for") : verb_value(call, "user");
    struct buf prompt;
    buf_init(&prompt, 0);
    write_prompt(&prompt, u, user ? user : u->user);
    bool window = verb_given(call, "pinentry") || (!there_is_a_terminal() && pinentry_can_ask());
    bool taken = window ? pinentry_secret(buf_span(&prompt), secret, e)
                        : secret_from_terminal(buf_span(&prompt), secret, e);
    buf_free(&prompt);
    return taken;
}

static int run(const struct verb_call *call)
{
    const char *config_path = verb_value(call, "config");
    const char *guest = verb_value(call, "for");
    struct chosen_upstream upstream;
    struct secret secret = {0};
    struct err e = {0};
    secret_start();
    if (guest && verb_given(call, "user")) {
        err_set(&e, ERR_USAGE,
                "--for names one of a gateway's users, and --user the upstream's own: say one of them");
        return say_failure(&e);
    }
    if (guest && !*guest) {
        err_set(&e, ERR_USAGE, "--for wants the name of a user");
        return say_failure(&e);
    }
    if (!choose_upstream(call->n_words ? call->words[0] : NULL, config_path, &upstream, &e))
        return say_failure(&e);
    int code;
    if (take_secret(call, &upstream, &secret, &e)) {
        struct keys_msg login = {
            .type = KEYS_LOGIN,
            .call = 1,
            .upstream = span_str(upstream.name),
            .flags = guest ? KEYS_GUEST : 0,
            .user = span_str(guest ? guest : verb_value(call, "user")),
            .secret = secret_reveal(&secret),
        };
        code = keyholder_deliver(&login, config_path);
    } else {
        code = say_failure(&e);
    }
    secret_free(&secret);
    chosen_upstream_free(&upstream);
    return code;
}

static const struct verb_option options[] = {
    {"stdin", 0, NULL, "take the first line of standard input"},
    {"pinentry", 0, NULL, "ask in a window of the desktop"},
    {"user", 'u', "NAME", "whose password it is, if not as configured"},
    {"for", 0, "NAME", "for this user of a gateway with identity = per-user"},
    {"config", 'c', "FILE", "read FILE instead of the usual place"},
    {0},
};

const struct verb login_verb = {
    .name = "login",
    .arguments = "[UPSTREAM]",
    .max_words = 1,
    .summary = "Give the password for a proxy",
    .help = "Asks for the password without showing it, tries it once against the proxy when that can be "
            "reached, and keeps it in the keyring when it "
            "is right. A running agent uses it at once. Where there is no terminal, but a desktop, pinentry "
            "asks in a window; EXEAT_PINENTRY names another program of that kind.\n"
            "\n"
            "UPSTREAM is the name of an [upstream NAME] section; without it the first one is meant. In "
            "scripts, pass the password on "
            "standard input:\n"
            "\n"
            "    exeat login --stdin < file-with-the-password\n"
            "\n"
            "--for stores the password of one of a gateway's users, with which that user's requests go on "
            "where the gateway says identity = per-user.",
    .options = options,
    .run = run,
};
