/*
 * Trials: an ask with a request of our own.
 */
#include "upstream/trial.h"

#include <stdlib.h>

#define TRIAL_HEAD_BYTES ((size_t)256 * 1024)

struct trial {
    struct ask ask;
    struct head head;
    struct outbound *out;
    trial_done_fn done;
    void *owner;
    struct later end;
    enum trial_outcome outcome;
    char *why;
};

void trial_cancel(struct trial *t)
{
    ask_cancel(&t->ask);
    later_cancel(&t->end);
    head_free(&t->head);
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

static void failed(void *owner, const struct ask_failure *failure)
{
    static const unsigned verdicts = 1u << PAGE_SECRET_REFUSED | 1u << PAGE_SITE_REFUSED |
                                     1u << PAGE_NO_CREDENTIALS | 1u << PAGE_DOWNGRADED |
                                     1u << PAGE_NOT_PROVED;
    end(owner, verdicts & 1u << failure->cause ? TRIAL_TOLD : TRIAL_UNREACHABLE, failure->why);
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

struct trial *trial_start(struct outbound *out, struct hop *hop, trial_done_fn done, void *owner)
{
    static const struct ask_events events = {informational, no_body, nothing_to_rewind, no_body, no_body,
                                             answered,      failed};
    struct trial *t = mem_zero(sizeof *t);
    struct fault fault;
    t->out = out;
    t->done = done;
    t->owner = owner;
    head_read_request(&t->head,
                      SPAN("GET " KEYS_ASIDE_TARGET " HTTP/1.1\r\nHost: " KEYS_ASIDE_HOST "\r\n\r\n"),
                      &head_limits_default, &fault);
    struct ask_request request = {
        .head = &t->head,
        .how = {.target = t->head.target,
                .host = SPAN(KEYS_ASIDE_HOST),
                .via = span_str(out->pseudonym),
                .to_proxy = true},
        .body = ASK_BODY_NONE,
        .max_head = TRIAL_HEAD_BYTES,
        .open_flags = KEYS_CANDIDATE,
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
        trial_start(out, hops[i], errand_done, errand);
        return;
    }
    report(out, instance, event->trial, KEYS_UNREACHABLE,
           SPAN("the agent knows no upstream of that name; exeat reload?"));
}
