/*
 * Trials: an ask with a request of our own.
 */
#include "upstream/trial.h"

#include <stdlib.h>

#include "upstream/socks_way.h"

#define TRIAL_HEAD_BYTES ((size_t)256 * 1024)
#define TRIAL_GET        "GET " KEYS_ASIDE_TARGET " HTTP/1.1\r\nHost: " KEYS_ASIDE_HOST "\r\n\r\n"
#define TRIAL_AUTHORITY  KEYS_ASIDE_HOST ":443"
#define TRIAL_TUNNEL     "CONNECT " TRIAL_AUTHORITY " HTTP/1.1\r\nHost: " TRIAL_AUTHORITY "\r\n\r\n"

struct trial {
    struct ask ask;
    struct socks_way socks; /* instead of it */
    struct head head;
    struct outbound *out;
    struct hop *hop; /* a reference */
    trial_done_fn done;
    void *owner;
    struct later end;
    enum trial_outcome outcome;
    char *why;
};

void trial_cancel(struct trial *t)
{
    ask_cancel(&t->ask);
    socks_way_cancel(&t->socks);
    later_cancel(&t->end);
    head_free(&t->head);
    hop_unref(t->hop);
    free(t->why);
    free(t);
}

static void tell(void *owner)
{
    struct trial *t = owner;
    t->done(t->owner, t->outcome, span_str(t->why));
    trial_cancel(t);
}

/* Not inside the ask's own event: it is part of this memory. */
static void end(struct trial *t, enum trial_outcome outcome, struct span why)
{
    t->outcome = outcome;
    t->why = span_dup(why);
    later_start(t->out->loop, &t->end, tell, t);
}

static void answered(void *owner)
{
    struct trial *t = owner;
    bool credited = t->ask.credited;
    pool_close(ask_take(&t->ask));
    end(t, credited ? TRIAL_TOLD : TRIAL_NOT_ASKED, SPAN(""));
}

/* What the proxy itself has said, or the keyholder of it; what is wrong with those through which it is reached says nothing. */
static void failed(void *owner, const struct ask_failure *failure)
{
    static const unsigned verdicts = 1u << PAGE_SECRET_REFUSED | 1u << PAGE_SITE_REFUSED |
                                     1u << PAGE_NO_CREDENTIALS | 1u << PAGE_DOWNGRADED |
                                     1u << PAGE_NOT_PROVED;
    struct trial *t = owner;
    bool ours = failure->upstream && span_eq(span_str(failure->upstream), span_str(t->hop->upstream));
    end(t, ours && verdicts & 1u << failure->cause ? TRIAL_TOLD : TRIAL_UNREACHABLE, failure->why);
}

static void socks_open(void *owner, struct span early)
{
    struct trial *t = owner;
    (void)early;
    bool credited = t->socks.credited;
    socks_way_cancel(&t->socks);
    end(t, credited ? TRIAL_TOLD : TRIAL_NOT_ASKED, SPAN(""));
}

static void socks_failed(void *owner, const struct unreached *why)
{
    struct ask_failure failure;
    ask_failure_from(&failure, why);
    failed(owner, &failure);
}

static void informational(void *owner, const struct head *h)
{
    (void)owner;
    (void)h;
}

static void no_body(void *owner)
{
    (void)owner;
}

static enum ask_rewind nothing_to_rewind(void *owner)
{
    (void)owner;
    return ASK_REWIND_WHOLE;
}

struct trial *trial_start(struct outbound *out, struct hop *hop, uint32_t number, trial_done_fn done,
                          void *owner)
{
    static const struct ask_events events = {informational, no_body, nothing_to_rewind, no_body, no_body,
                                             answered,      failed};
    static const struct socks_way_events socks_events = {socks_open, socks_failed};
    struct trial *t = mem_zero(sizeof *t);
    struct fault fault;
    t->out = out;
    t->hop = hop_ref(hop);
    t->done = done;
    t->owner = owner;
    if (hop->socks) {
        socks_way_start(&t->socks, out, hop, (struct behalf){0}, SPAN(""), 0, number, &socks_events, t);
        return t;
    }
    head_read_request(&t->head, hop->connect_always ? SPAN(TRIAL_TUNNEL) : SPAN(TRIAL_GET),
                      &head_limits_default, &fault);
    struct ask_request request = {
        .head = &t->head,
        .how = {.target = t->head.target,
                .host = hop->connect_always ? SPAN(TRIAL_AUTHORITY) : SPAN(KEYS_ASIDE_HOST),
                .via = span_str(out->pseudonym),
                .to_proxy = true},
        .body = ASK_BODY_NONE,
        .max_head = TRIAL_HEAD_BYTES,
        .trial = number,
        .fresh = true,
    };
    ask_start(&t->ask, out, hop, &request, "login", &events, t);
    return t;
}

/* --- on behalf of the keyholder --- */

struct errand {
    struct outbound *out;
    uint32_t number, instance;
};

static void report(struct outbound *out, uint32_t instance, uint32_t number, uint32_t verdict,
                   struct span why)
{
    struct keys_msg m = {.type = KEYS_TRIAL_END, .trial = number, .verdict = verdict, .why = why};
    keys_client_tell(out->keys, instance, &m);
}

static void errand_done(void *owner, enum trial_outcome outcome, struct span why)
{
    static const uint32_t verdicts[] = {
        [TRIAL_TOLD] = KEYS_OK, [TRIAL_NOT_ASKED] = KEYS_NOT_ASKED, [TRIAL_UNREACHABLE] = KEYS_UNREACHABLE};
    struct errand *errand = owner;
    report(errand->out, errand->instance, errand->number, verdicts[outcome],
           outcome == TRIAL_UNREACHABLE ? why : SPAN(""));
    free(errand);
}

void trial_for_keyholder(struct outbound *out, struct hop **hops, size_t n_hops, const struct keys_msg *event)
{
    uint32_t instance = keys_client_instance(out->keys);
    for (size_t i = 0; i < n_hops; i++) {
        if (!span_eq(span_str(hops[i]->upstream), event->upstream))
            continue;
        struct errand *errand = mem_zero(sizeof *errand);
        *errand = (struct errand){.out = out, .number = event->trial, .instance = instance};
        trial_start(out, hops[i], event->trial, errand_done, errand);
        return;
    }
    report(out, instance, event->trial, KEYS_UNREACHABLE,
           SPAN("the agent knows no upstream of that name; exeat reload?"));
}
