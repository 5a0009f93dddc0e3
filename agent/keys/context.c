/*
 * The table of contexts, and the frame around each question: at most one at a time for each context, a deadline, one answer. What to
 * answer is decided in converse.c. Main thread.
 */
#include "keys/context.h"

#include <stdlib.h>

#include "base/log.h"
#include "keys/accept.h"
#include "keys/aside.h"
#include "keys/converse.h"
#include "keys/login.h"
#include "keys/pair.h"
#include "keys/resident.h"
#include "keys/slots.h"
#include "keys/visitor.h"

#define QUESTION_MS 15000 /* the agent gives up a little later */

struct contexts {
    struct slots table; /* struct context */
};

void contexts_start(struct keyholder *k)
{
    k->contexts = mem_zero(sizeof *k->contexts);
}

void contexts_free(struct keyholder *k)
{
    struct slots *all = &k->contexts->table;
    for (size_t i = 0; i < all->n; i++)
        if (all->items[i])
            context_free(all->items[i]);
    slots_free(all);
    free(k->contexts);
    k->contexts = NULL;
}

static struct context *find(struct keyholder *k, uint32_t id)
{
    struct context *c = slots_at(&k->contexts->table, id);
    return c && c->id == id && !c->closed ? c : NULL;
}

static void question_done(struct context *c)
{
    deadline_unset(&c->deadline);
    list_remove(&c->node);
    c->stage = STAGE_IDLE;
    secret_free(&c->header);
    secret_wipe(c->q.body.p, c->q.body.n);
    buf_free(&c->q.method);
    buf_free(&c->q.target);
    buf_free(&c->q.body);
    buf_free(&c->q.whys);
    challenge_list_free(&c->challenges);
    c->challenges = (struct challenge_list){0};
    c->q = (struct question){0};
}

void context_reset(struct context *c)
{
    gss_handshake_free(c->handshake);
    c->handshake = NULL;
    bundle_unref(c->bundle);
    c->bundle = NULL;
    c->raw = c->ntlm_only = c->unasked = c->proved = false;
}

void context_free(struct context *c)
{
    struct identity *who = c->who;
    const struct guard *g = c->attempt.guard;
    slots_drop(&who->k->contexts->table, c->id, c);
    if (g) {
        if (c->aside)
            aside_lost(c);
        identities_wake_guard(c->who->k, g);
        guard_dropped(&c->attempt, now_ms());
    }
    question_done(c);
    context_reset(c);
    edition_unref(c->e);
    buf_free(&c->binding);
    free(c);
    who->contexts--;
    if (who->guest && who->contexts == 0)
        guest_rest(who);
}

static void refuse_call(uint32_t call, struct keyholder *k, enum keys_verdict verdict, const char *why)
{
    if (call)
        serve_send(
            k, PEER_AGENT,
            &(struct keys_msg){.type = KEYS_ANSWER, .call = call, .verdict = verdict, .why = span_str(why)});
}

void context_answer(struct context *c, const struct answer *a)
{
    struct keys_msg m = {.type = KEYS_ANSWER,
                         .call = c->q.call,
                         .verdict = a->verdict,
                         .flags = a->flags,
                         .generation = c->e->generation,
                         .header = a->header,
                         .why = span_str(a->why),
                         .remedy = span_str(a->remedy),
                         .scheme = span_str(a->scheme)};
    log_debug(NULL, "context %u, %s: %s%s%s", c->id, keys_type_name(c->q.type), keys_verdict_name(a->verdict),
              a->why ? ": " : "", a->why ? a->why : "");
    if (c->q.call) /* an ACCEPTED may want no answer */
        serve_send(c->who->k, PEER_AGENT, &m);
    question_done(c);
}

void context_answer_plain(struct context *c, enum keys_verdict verdict, const char *why, const char *remedy)
{
    context_answer(c, &(struct answer){.verdict = verdict, .why = why, .remedy = remedy});
}

void context_park(struct context *c, const char *waits_for)
{
    c->q.waits_for = waits_for;
    list_push_back(&c->who->waiting, &c->node);
}

void context_run_again(struct list *node)
{
    converse_run(list_entry(node, struct context, node));
}

static void too_late(struct deadline *d)
{
    struct context *c = list_entry(d, struct context, deadline);
    struct buf why = {0};
    buf_addf(&why, "%s did not answer within %d seconds",
             c->q.waits_for ? c->q.waits_for : "the Kerberos server", QUESTION_MS / 1000);
    if (c->stage != STAGE_CHOOSE)
        c->phase = PHASE_DEAD; /* a handshake that stopped half-way; a token that comes later is dropped */
    context_answer_plain(c, KEYS_TIMEOUT, buf_cstr(&why), NULL);
    buf_free(&why);
}

/* Whose connection it is. NULL: *no. */
static struct identity *find_identity(struct identity *host, const struct keys_msg *m, struct guest_no *no)
{
    if (m->acting) {
        *no = (struct guest_no){.verdict = KEYS_UNAVAILABLE};
        const struct inbound *in = accept_inbound(host->k, m->acting, &no->why);
        return in ? resident_find(host, in, no) : NULL;
    }
    if (m->flags & KEYS_CANDIDATE)
        return login_who(host, m->trial);
    return m->user.n || m->secret.n ? visitor_find(host, m->user, m->secret, no) : host;
}

void context_open(struct keyholder *k, const struct keys_msg *m)
{
    struct guest_no no = {0};
    struct identity *host = identity_named(k, m->upstream);
    struct identity *who = host ? find_identity(host, m, &no) : NULL;
    if (no.verdict && !who) {
        refuse_call(m->call, k, no.verdict, no.why);
        return;
    }
    struct hop *hop = who ? identity_hop(who, m->host, m->port) : NULL;
    bool candidate = m->flags & KEYS_CANDIDATE;
    bool over = host && candidate && !(who && who->candidate);
    if (!hop || over) {
        refuse_call(m->call, k, KEYS_UNAVAILABLE,
                    over   ? "no login is being tried"
                    : !who ? "the keyholder's configuration has no such upstream"
                           : "the keyholder's configuration has no such proxy in this upstream");
        return;
    }
    struct context *c = mem_zero(sizeof *c);
    list_init(&c->node);
    deadline_init(&c->deadline, too_late);
    c->who = who;
    if (!slots_place(&k->contexts->table, c, &c->id)) {
        free(c);
        refuse_call(m->call, k, KEYS_UNAVAILABLE, "too many connections are open");
        return;
    }
    who->contexts++;
    c->hop = hop;
    c->candidate = candidate;
    c->e = edition_ref(candidate ? who->candidate : who->current);
    buf_add_span(&c->binding, m->binding);
    serve_send(k, PEER_AGENT,
               &(struct keys_msg){.type = KEYS_ANSWER,
                                  .call = m->call,
                                  .verdict = KEYS_OK,
                                  .context = c->id,
                                  .generation = c->e->generation,
                                  .identity = span_str(identity_known_as(c->e))});
}

/* The question's frame. NULL: it was answered already. */
static struct context *begin(struct keyholder *k, const struct keys_msg *m)
{
    struct context *c = find(k, m->context);
    const char *why = !c ? "the keyholder does not know this connection (it was restarted?)"
                      : c->stage != STAGE_IDLE   ? "a question about this connection is under way already"
                      : c->phase == PHASE_DEAD   ? "this connection's handshake is over"
                      : m->type == KEYS_ACCEPTED ? NULL /* that something was accepted is true all the same */
                      : c->who->u == NULL        ? "the upstream is gone from the configuration"
                      : !identity_names(c->who, c->hop) ? "the proxy is gone from the configuration"
                                                        : NULL;
    if (why) {
        refuse_call(m->call, k, KEYS_BROKEN, why);
        return NULL;
    }
    c->q = (struct question){.call = m->call, .type = m->type, .flags = m->flags, .since = ++k->tick};
    buf_add_span(&c->q.method, m->method);
    buf_add_span(&c->q.target, m->target);
    buf_add_span(&c->q.body, m->body);
    deadline_set(&k->deadlines, &c->deadline, QUESTION_MS);
    return c;
}

void context_authorize(struct keyholder *k, const struct keys_msg *m)
{
    struct context *c = begin(k, m);
    if (c)
        converse_begin(c);
}

void context_challenged(struct keyholder *k, const struct keys_msg *m)
{
    struct context *c = begin(k, m);
    if (!c)
        return;
    bool socks = m->flags & KEYS_SOCKS;
    if (socks != pair_is_for(c->who->u, span_str(c->hop->host), c->hop->port)) {
        converse_broken(c, socks ? "no SOCKS server has this address in the configuration"
                                 : "a SOCKS server has this address in the configuration, and no proxy");
        return;
    }
    challenge_list_read(&c->challenges,
                        socks ? SPAN("Basic realm=\"SOCKS\"") : m->lines); /* the same rules */
    converse_challenged(c);
}

void context_accepted(struct keyholder *k, const struct keys_msg *m)
{
    struct context *c = begin(k, m);
    if (c)
        converse_accepted(c, m->lines, m->info);
}

void context_close(struct keyholder *k, const struct keys_msg *m)
{
    struct context *c = find(k, m->context);
    if (!c)
        return;
    if (c->at_work) {
        question_done(c);
        c->closed = true;
    } else {
        context_free(c);
    }
}
