/*
 * Which message may come from whom, and who handles it. Main thread.
 */
#include "base/log.h"
#include "keys/accept.h"
#include "keys/alarm.h"
#include "keys/context.h"
#include "keys/examine.h"
#include "keys/login.h"
#include "keys/status.h"

static void reload(struct keyholder *k, uint32_t peer, const struct keys_msg *m)
{
    struct err e = {0};
    struct config *fresh = config_load(k->config_path, &e);
    if (fresh) {
        struct config *old = k->config;
        k->config = fresh;
        log_set_level(fresh->log_level);
        identities_sync(k);
        accepts_sync(k);
        config_unref(old);
    }
    if (m->call)
        serve_send(k, peer,
                   &(struct keys_msg){.type = KEYS_ANSWER,
                                      .call = m->call,
                                      .verdict = fresh ? KEYS_OK : KEYS_UNAVAILABLE,
                                      .why = fresh ? SPAN("") : span_str(e.text)});
}

static void network(struct keyholder *k, const struct keys_msg *m)
{
    (void)m;
    log_debug(NULL, "another network: what failed in the old one is tried again");
    k->network++;
    identities_retry(k);
}

static const struct {
    void (*of_context)(struct keyholder *k, const struct keys_msg *m); /* the agent only */
    void (*of_peer)(struct keyholder *k, uint32_t peer, const struct keys_msg *m);
    bool from_people; /* the command line may send it too */
} calls[KEYS_TYPE_END] = {
    [KEYS_OPEN] = {context_open, NULL, false},
    [KEYS_AUTHORIZE] = {context_authorize, NULL, false},
    [KEYS_CHALLENGED] = {context_challenged, NULL, false},
    [KEYS_ACCEPTED] = {context_accepted, NULL, false},
    [KEYS_CLOSE] = {context_close, NULL, false},
    [KEYS_ACCEPT_OPEN] = {accept_open, NULL, false},
    [KEYS_ACCEPT_STEP] = {accept_step, NULL, false},
    [KEYS_ACCEPT_CLOSE] = {accept_close, NULL, false},
    [KEYS_TRIAL_END] = {login_end_trial, NULL, false},
    [KEYS_NETWORK] = {network, NULL, false},
    [KEYS_RELOAD] = {NULL, reload, false},
    [KEYS_STATUS] = {NULL, status_begin, true},
    [KEYS_LOGIN] = {NULL, login_begin, true},
    [KEYS_LOGOUT] = {NULL, logout_begin, true},
    [KEYS_ACCEPT_OFFER] = {NULL, alarm_accept, true},
    [KEYS_EXAMINE] = {NULL, examine_begin, true},
};

void calls_take(struct keyholder *k, uint32_t peer, const struct keys_msg *m)
{
    if (calls[m->type].of_context && peer == PEER_AGENT)
        calls[m->type].of_context(k, m);
    else if (calls[m->type].of_peer && (peer == PEER_AGENT || calls[m->type].from_people))
        calls[m->type].of_peer(k, peer, m);
    else
        log_warning(NULL, "a message that does not belong here was ignored: %s", keys_type_name(m->type));
}
