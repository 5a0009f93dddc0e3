/*
 * Whose password is typed, and whether there is a place for it: a configuration that takes it from elsewhere says from where.
 */
#include "keys/typed.h"

#include <stdlib.h>

#include "base/buf.h"
#include "keys/nthash.h"
#include "keys/resident.h"
#include "keys/words.h"

void typed_answer(struct keyholder *k, uint32_t peer, uint32_t call, enum keys_verdict verdict,
                  const char *why, const char *remedy)
{
    struct buf text = {0};
    words_sentence(&text, why);
    serve_send(k, peer,
               &(struct keys_msg){.type = KEYS_ANSWER,
                                  .call = call,
                                  .verdict = verdict,
                                  .why = buf_span(&text),
                                  .remedy = span_str(remedy)});
    buf_free(&text);
}

bool typed_is_taken(struct keyholder *k, struct identity *who, uint32_t peer, const struct keys_msg *m)
{
    static const char *const from[] = {[SECRET_COMMAND] = "a command",
                                       [SECRET_FILE] = "a file",
                                       [SECRET_CREDENTIAL] = "a systemd credential"};
    /* For whom secret = prompt is nothing, with or without an agent: typed_resident. */
    bool guest = m->flags & KEYS_GUEST;
    struct buf why = {0};
    if (!who || !who->u) {
        typed_answer(k, peer, m->call, KEYS_UNAVAILABLE, "the configuration has no such upstream", NULL);
        return false;
    }
    enum secret_source source = who->u->secret;
    if (source == SECRET_PROMPT && k->one_errand && !guest) {
        buf_addf(&why,
                 "no agent is running, and secret = prompt of upstream %s keeps a password nowhere but in it",
                 who->name);
        typed_answer(k, peer, m->call, KEYS_UNAVAILABLE, buf_cstr(&why),
                     "Start it with exeat run, and try again.");
        buf_free(&why);
        return false;
    }
    if (secret_source_is_keyring(source) || source == SECRET_PROMPT)
        return true;
    if (source == SECRET_NONE)
        buf_addf(&why, "the configuration says secret = none for upstream %s: it takes Kerberos tickets only",
                 who->name);
    else if (source == SECRET_KEYTAB)
        buf_addf(&why, "upstream %s takes its Kerberos tickets from the keytab %s: there is nothing to type",
                 who->name, who->u->secret_argument);
    else
        buf_addf(&why, "the password for upstream %s comes from %s%s%s, not from a login", who->name,
                 from[source],
                 source == SECRET_COMMAND ? "" : " ", /* a command line may hold a secret by mistake */
                 source == SECRET_COMMAND ? "" : who->u->secret_argument);
    typed_answer(k, peer, m->call, KEYS_UNAVAILABLE, buf_cstr(&why),
                 !guest ? "Change it there, or set secret = keyring or secret = prompt."
                 : secret_tells_users(source, who->u->secret_argument)
                     ? "Change it there, or set secret = keyring."
                     : "For a password of each user, set secret = keyring, file:PATH with " SECRET_USER
                       " in it, or command:COMMAND with $" SECRET_USER_VARIABLE ".");
    buf_free(&why);
    return false;
}

bool typed_is_of_its_form(struct keyholder *k, struct identity *who, uint32_t peer, const struct keys_msg *m)
{
    if (who->u->secret != SECRET_NT_HASH || nt_hash_is(m->secret))
        return true;
    typed_answer(k, peer, m->call, KEYS_UNAVAILABLE,
                 "secret = nt-hash takes an NT hash (32 hexadecimal digits), and this is none",
                 "Give the hash; or set secret = keyring, and log in with the password.");
    return false;
}

/* `choices` is used up. */
static void say_choices(struct keyholder *k, uint32_t peer, const struct keys_msg *m, struct buf *choices)
{
    struct buf why = {0}, remedy = {0};
    buf_addf(&why, "the gateways have different domains, and %.*s may be a user in each", SPAN_ARG(m->user));
    buf_addf(&remedy, "Name the user in full: %s.", buf_cstr(choices));
    typed_answer(k, peer, m->call, KEYS_UNAVAILABLE, buf_cstr(&why), buf_cstr(&remedy));
    buf_free(&why);
    buf_free(&remedy);
}

struct identity *typed_resident(struct identity *host, uint32_t peer, const struct keys_msg *m)
{
    struct guest_no no;
    struct keyholder *k = host->k;
    if (host->u->secret == SECRET_PROMPT) {
        typed_answer(k, peer, m->call, KEYS_UNAVAILABLE,
                     "secret = prompt keeps one password, and no other user's",
                     "Set secret = keyring for this upstream.");
        return NULL;
    }
    struct buf choices = {0};
    struct identity *who = NULL;
    char *name = residents_account(k->config, m->user, &choices);
    if (choices.n)
        say_choices(k, peer, m, &choices);
    else if (!(who = resident_named(host, span_str(name), &no)))
        typed_answer(k, peer, m->call, no.verdict, no.why, no.remedy);
    buf_free(&choices);
    free(name);
    return who;
}
