/*
 * Guests (guest.h). A request without credentials is how many programs begin: it is told what to show, at once. One with wrong ones waits for its refusal,
 * longer each time; a right one never waits, wherever it comes from. What a stranger can hold is bounded: connections, refusals under way, time until
 * the first token.
 */
#include "relay/guest.h"

#include <stdlib.h>

#include "admit/admit.h"
#include "admit/token.h"
#include "base/base64.h"
#include "base/log.h"
#include "relay/exchange.h"
#include "relay/refusal.h"
#include "relay/reply.h"

#define STRANGERS_MOST 256
#define PATIENCE_MS    30000
#define FIELD          "Proxy-Authorization"
#define FIELD_MOST     1024 /* a name and a token are less */

/* --- tallies --- */

void guests_init(struct guests *g)
{
    *g = (struct guests){0};
    list_init(&g->tallies);
    list_init(&g->strangers);
}

static void tally_unref(struct tally *t)
{
    if (!t || --t->refs > 0)
        return;
    free(t->name);
    free(t);
}

void guests_done(struct guests *g)
{
    while (!list_empty(&g->tallies)) {
        struct tally *t = list_entry(g->tallies.next, struct tally, link);
        list_remove(&t->link);
        tally_unref(t);
    }
}

const struct tally *guests_tally(const struct guests *g, const char *name)
{
    for (const struct list *it = g->tallies.next; it != &g->tallies; it = it->next) {
        const struct tally *t = list_entry(it, struct tally, link);
        if (strcmp(t->name, name) == 0)
            return t;
    }
    return NULL;
}

static struct tally *tally_join(struct guests *g, const char *name)
{
    struct tally *t = (struct tally *)(uintptr_t)guests_tally(g, name);
    if (!t) {
        t = mem_zero(sizeof *t);
        t->refs = 1;
        t->name = mem_strdup(name);
        list_push_back(&g->tallies, &t->link);
    }
    t->refs++;
    t->connected++;
    return t;
}

void tally_leave(struct tally *t)
{
    if (t)
        t->connected--;
    tally_unref(t);
}

/* --- connections --- */

static void is_known(struct client *c)
{
    deadline_stop(&c->guest.patience);
    if (c->guest.stranger) {
        c->relay->guests.n_strangers--;
        list_remove(&c->guest.link);
    }
    c->guest.stranger = false;
}

static void patience_over(void *owner)
{
    struct client *c = owner;
    log_debug(c->tag, "client %s: no token came in time", stream_peer(c->stream));
    client_close(c);
}

/* A right one shows its token at once: whoever holds connections open without a word keeps none of these out. */
void guest_arrived(struct client *c)
{
    struct guests *g = &c->relay->guests;
    if (g->n_strangers >= STRANGERS_MOST)
        client_close(list_entry(g->strangers.next, struct client, guest.link));
    c->guest = (struct guest){.beyond = true, .stranger = true};
    list_push_back(&g->strangers, &c->guest.link);
    g->n_strangers++;
    deadline_start(c->relay->out->loop, &c->guest.patience, PATIENCE_MS, patience_over, c);
}

void guest_left(struct client *c)
{
    is_known(c);
    tally_leave(c->guest.tally);
    c->guest.tally = NULL;
}

struct tally *guest_hand_over(struct client *c)
{
    struct tally *t = c->guest.tally;
    c->guest.tally = NULL;
    return t;
}

const char *guest_name(const struct client *c)
{
    return c->guest.tally ? c->guest.tally->name : NULL;
}

/* --- requests --- */

/* NULL: these are nobody's. */
static const struct config_client *read_credentials(const struct config *c, struct span value)
{
    struct buf text = {.max = FIELD_MOST};
    const struct config_client *owner = NULL;
    struct span scheme = span_word(&value);
    if (value.n <= FIELD_MOST && span_ieq(scheme, SPAN("Basic")) && base64_decode(&text, span_trim(value))) {
        struct span token = buf_span(&text), name = span_cut(&token, ':');
        owner = token_owner(c, name, token);
    }
    secret_wipe(text.p, text.n);
    buf_free(&text);
    return owner;
}

static void tell(struct exchange *e, const char *why)
{
    e->relay->guests.refused++;
    refusal_tell(e, span_str(why), SPAN(""));
}

static void ask_for_token(struct exchange *e, const char *why)
{
    reply_page_untold(
        e, PAGE_NO_TOKEN, span_str(why),
        SPAN("use http://NAME:TOKEN@ and this address as the proxy: \"exeat token NAME\" on the "
             "machine where exeat runs makes a token"));
}

static void refuse_slowly(struct exchange *e)
{
    ask_for_token(e, "there is no client of that name with that token");
}

static void wrong_token(struct exchange *e, const struct sockaddr_storage *peer)
{
    tell(e, "it showed a name and token that belong to no [client NAME]");
    refusal_wait(e, (const struct sockaddr *)peer, 0, refuse_slowly);
}

static void not_from_there(struct exchange *e, const char *why)
{
    tell(e, why);
    e->keep_client = false;
    reply_page_untold(
        e, PAGE_NOT_ALLOWED, span_str(why),
        SPAN("the machine where exeat runs says who may come from where: allow in [listen], from "
             "in [client NAME] of exeat.conf"));
}

/* The first time on this connection, or under another name than before. */
static void let_in(struct client *c, const struct config_client *who)
{
    is_known(c);
    if (!c->guest.tally || strcmp(c->guest.tally->name, who->name) != 0) {
        tally_leave(c->guest.tally);
        c->guest.tally = tally_join(&c->relay->guests, who->name);
    }
    c->guest.tally->requests++;
}

bool guest_may(struct exchange *e)
{
    struct client *c = e->client;
    struct sockaddr_storage peer;
    if (!c->guest.beyond)
        return true;
    const struct field *shown = head_field(&e->head, FIELD);
    bool one = shown && !head_field_next(&e->head, shown);
    const struct config_client *who = one ? read_credentials(e->config, shown->value) : NULL;
    head_wipe_field(&e->head, FIELD);
    if (!admit_guest_address(e->config, c->stream, &peer))
        not_from_there(e, "exeat does not serve this address (any more)");
    else if (!shown)
        ask_for_token(e, "exeat serves clients from beyond its machine that show who they are");
    else if (!who)
        wrong_token(e, &peer);
    else if (who->n_from && !config_networks_hold(who->from, who->n_from, (struct sockaddr *)&peer))
        not_from_there(e, "this client may not come from this address");
    else {
        let_in(c, who);
        return true;
    }
    return false;
}
