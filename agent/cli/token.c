/*
 * exeat token: makes a token for a client from beyond this machine. It is shown once and kept nowhere; the configuration gets its hash.
 */
#include <ctype.h>

#include "admit/token.h"
#include "base/buf.h"
#include "base/secret.h"
#include "cli/say.h"
#include "cli/verb.h"

static bool is_name(struct span name)
{
    for (size_t i = 0; i < name.n; i++)
        if (!isalnum((unsigned char)name.p[i]) && !strchr(".-_", name.p[i]))
            return false;
    return name.n > 0;
}

/* Where clients from beyond this machine reach the agent. false: the configuration does not say yet, or is not right yet without a client; *out is an
   example then. */
static bool find_address(struct buf *out, const char *config_path)
{
    struct err ignored = {0};
    struct config *c = config_load(config_path, &ignored);
    for (size_t i = 0; c && i < c->n_listen && !out->n; i++)
        if (config_address_is_beyond(&c->listen[i]))
            buf_add_str(out, c->listen[i].text);
    config_unref(c);
    bool found = out->n > 0;
    buf_add_str(out, found ? "" : "172.17.0.1:3128");
    return found;
}

static void say(const char *name, const char *token, const unsigned char hash[TOKEN_HASH],
                struct span address, bool found)
{
    printf("[client %s]\ntoken = sha256:", name);
    for (size_t i = 0; i < TOKEN_HASH; i++)
        printf("%02x", hash[i]);
    printf("\n\nThese lines belong into exeat.conf (then: exeat check, exeat reload). The client uses this "
           "proxy:\n\n"
           "    http://%s:%s@%.*s\n\n",
           name, token, SPAN_ARG(address));
    if (!found)
        printf("%.*s stands for the address in http = of [listen] that the client reaches.\n",
               SPAN_ARG(address));
    puts("The token is shown this once.");
}

static int run(const struct verb_call *call)
{
    struct err e = {0};
    char token[TOKEN_LENGTH + 1];
    unsigned char hash[TOKEN_HASH];
    struct buf address = {0};
    if (call->n_words == 0)
        return say_error(EXIT_USAGE, "for whom? Write \"exeat token NAME\"; the name is yours to choose");
    if (!is_name(span_str(call->words[0])))
        return say_error(EXIT_USAGE,
                         "the name of a client is made of letters, digits, dots, hyphens and underscores");
    if (!token_new(token, &e))
        return say_failure(&e);
    if (!token_hash(span_str(token), hash)) {
        secret_wipe(token, sizeof token);
        return say_error(EXIT_FAILED, "the token cannot be hashed");
    }
    bool found = find_address(&address, verb_value(call, "config"));
    say(call->words[0], token, hash, buf_span(&address), found);
    buf_free(&address);
    secret_wipe(token, sizeof token);
    return EXIT_DONE;
}

static const struct verb_option options[] = {
    {"config", 'c', "FILE", "read FILE instead of the usual place"},
    {0},
};

const struct verb token_verb = {
    .name = "token",
    .arguments = "NAME",
    .max_words = 1,
    .summary = "Make a token for a client in a container or virtual machine",
    .help =
        "Clients on this machine need no token: the kernel says whose they are. For one in a container or "
        "virtual "
        "machine, which reaches the agent at an address like 172.17.0.1:3128, this verb prints a section "
        "[client NAME] for exeat.conf and the proxy's URL for the client, with a new random token in it. The "
        "configuration holds a hash of the token only, so keep the URL as you keep a password; for another "
        "one, "
        "take the section out and make a new one.\n"
        "\n"
        "[listen] also has to name the address (http =) and the clients' network (allow =).",
    .options = options,
    .run = run,
};
