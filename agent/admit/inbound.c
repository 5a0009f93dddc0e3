/*
 * Inbound authentication (inbound.h). A question is one ACCEPT_STEP, behind an ACCEPT_OPEN where there is no context that holds.
 */
#include "admit/inbound.h"

#include <stdlib.h>

#include "base/buf.h"

#define RESTARTS_MOST 2 /* of the keyholder, during one question */

void inbound_init(struct inbound *in, struct keys_client *keys, const char *gateway, const unsigned *edition)
{
    *in = (struct inbound){.keys = keys, .gateway = mem_strdup(gateway), .edition = edition};
}

static void forget_user(struct inbound *in)
{
    free(in->identity);
    free(in->scheme);
    in->identity = in->scheme = NULL;
    in->bound = false;
}

static void close_context(struct inbound *in)
{
    if (in->context)
        keys_client_tell(in->keys, in->instance,
                         &(struct keys_msg){.type = KEYS_ACCEPT_CLOSE, .context = in->context});
    in->context = 0;
    in->shaking = false;
    forget_user(in);
}

void inbound_cancel(struct inbound *in)
{
    if (in->keys)
        keys_call_cancel(&in->call);
    secret_free(&in->header);
}

void inbound_done(struct inbound *in)
{
    inbound_cancel(in);
    if (in->keys)
        close_context(in);
    free(in->gateway);
    free(in->network);
    *in = (struct inbound){0};
}

static bool context_holds(const struct inbound *in)
{
    return in->context && in->instance == keys_client_instance(in->keys) && in->known_edition == *in->edition;
}

bool inbound_is_in(const struct inbound *in, time_t now)
{
    return in->bound && context_holds(in) && (in->until == 0 || now < in->until);
}

static void end(struct inbound *in, const struct inbound_says *says)
{
    secret_free(&in->header);
    in->answered(in->owner, says);
}

static void fail(struct inbound *in, const struct keys_msg *m)
{
    end(in, &(struct inbound_says){.verdict = INBOUND_FAILED, .why = m->why, .remedy = m->remedy});
}

/* A 407 without a challenge is none (RFC 9110 section 15.5.8). */
static void challenge(struct inbound *in, const struct keys_msg *m, enum inbound_verdict verdict)
{
    if (!m->lines.n)
        end(in, &(struct inbound_says){.verdict = INBOUND_FAILED,
                                       .why = SPAN("the keyholder has no challenge for this client")});
    else
        end(in, &(struct inbound_says){.verdict = verdict,
                                       .lines = m->lines,
                                       .identity = m->identity,
                                       .why = m->why,
                                       .delay = m->delay});
}

static void open_context(struct inbound *in);

/* The keyholder died: what the client sent was meant for the one that is gone. */
static void begin_again(struct inbound *in, const struct keys_msg *m)
{
    in->context = 0;
    in->afresh = true;
    if (++in->restarts > RESTARTS_MOST)
        fail(in, m);
    else
        open_context(in);
}

static void let_in(struct inbound *in, const struct keys_msg *m)
{
    in->identity = span_dup(m->identity);
    in->scheme = span_dup(m->scheme);
    in->bound = m->flags & KEYS_BINDS;
    in->until = (time_t)m->until;
    end(in, &(struct inbound_says){.verdict = INBOUND_IN, .lines = m->lines, .info = m->info});
}

static void stepped(void *owner, const struct keys_msg *m)
{
    struct inbound *in = owner;
    in->shaking = m->verdict == KEYS_SEND;
    forget_user(in);
    switch (m->verdict) {
    case KEYS_OK:
        let_in(in, m);
        break;
    case KEYS_SEND:
        challenge(in, m, INBOUND_ASKED);
        break;
    case KEYS_REFUSED: /* without a reason it is no failure: a nonce was stale, or nothing came */
        challenge(in, m, m->why.n ? INBOUND_REFUSED : INBOUND_ASKED);
        break;
    case KEYS_BROKEN:
        end(in, &(struct inbound_says){.verdict = INBOUND_MALFORMED, .why = m->why});
        break;
    case KEYS_RESTART:
        begin_again(in, m);
        break;
    default:
        fail(in, m);
    }
}

static void step(struct inbound *in)
{
    struct keys_msg m = {.type = KEYS_ACCEPT_STEP,
                         .context = in->context,
                         .method = in->method,
                         .target = in->target,
                         .header = secret_reveal(&in->header)};
    keys_call_start(in->keys, &in->call, &m, stepped, in);
}

static void opened(void *owner, const struct keys_msg *m)
{
    struct inbound *in = owner;
    if (m->verdict == KEYS_RESTART) {
        begin_again(in, m);
        return;
    }
    if (m->verdict != KEYS_OK) {
        fail(in, m);
        return;
    }
    in->context = m->context;
    in->instance = keys_client_instance(in->keys);
    if (secret_present(&in->header) && !in->afresh)
        step(in);
    else
        challenge(in, m, INBOUND_ASKED);
}

static void open_context(struct inbound *in)
{
    struct keys_msg m = {.type = KEYS_ACCEPT_OPEN,
                         .gateway = span_str(in->gateway),
                         .host = span_str(in->network),
                         .binding = in->binding};
    in->known_edition = *in->edition;
    keys_call_start(in->keys, &in->call, &m, opened, in);
}

void inbound_ask(struct inbound *in, struct span method, struct span target, struct span binding,
                 struct span header, inbound_fn answered, void *owner)
{
    in->binding = binding;
    in->method = method;
    in->target = target;
    in->answered = answered;
    in->owner = owner;
    in->restarts = 0;
    in->afresh = in->shaking && !context_holds(in);
    if (header.p)
        secret_set(&in->header, header);
    if (context_holds(in)) {
        step(in);
        return;
    }
    close_context(in);
    open_context(in);
}
