/*
 * From an ask's state to the keyholder's messages. A 407's challenge lines are kept until the next answer, for the case that the question must be repeated with the body.
 */
#include "upstream/ask_keys.h"

#include <stdlib.h>

#include "base/log.h"

static uint32_t body_flags(const struct ask *a)
{
    if (a->body_held)
        return KEYS_BODY_HELD;
    switch (a->request.body) {
    case ASK_BODY_NONE:
        return KEYS_BODY_NONE;
    case ASK_BODY_BIG:
        return KEYS_BODY_BIG;
    case ASK_BODY_SMALL:
        break;
    }
    return 0;
}

static struct keys_msg question(const struct ask *a, enum keys_type type)
{
    return (struct keys_msg){.type = type,
                             .context = a->upstream->context,
                             .method = a->request.head->method,
                             .target = a->request.how.target,
                             .flags = body_flags(a),
                             .body = a->gathered};
}

bool ask_keys_gather(struct buf *out, const struct head *h, const char *name)
{
    bool whole = true;
    for (const struct field *f = head_field(h, name); f; f = head_field_next(h, f))
        whole = buf_add_span(out, f->value) && buf_add(out, "\n", 1) && whole;
    return whole;
}

struct unreached ask_keys_nobody(void)
{
    return (struct unreached){.cause = PAGE_AUTHENTICATE,
                              .why = SPAN("the keyholder has ended, and what it knew of the client with it"),
                              .final = true};
}

/* An own identity must never take the place of somebody's who is not there; nor a number of an earlier life mean somebody else's. */
bool ask_keys_open_for(struct upstream *u, struct behalf behalf, uint32_t trial, struct keys_call *call,
                       keys_answer_fn answered, void *owner)
{
    bool acts = u->hop->acts_for != NULL;
    if (acts && (!behalf.context || behalf.instance != keys_client_instance(u->out->keys)))
        return false;
    struct keys_msg m = {.type = KEYS_OPEN,
                         .acting = acts ? behalf.context : 0,
                         .upstream = span_str(u->hop->upstream),
                         .host = span_str(u->hop->host),
                         .port = u->hop->port,
                         .binding = stream_binding(u->stream),
                         .flags = trial ? KEYS_CANDIDATE : 0,
                         .trial = trial,
                         .user = span_str(u->hop->user),
                         .secret = secret_reveal(&u->hop->password)};
    keys_call_start(u->out->keys, call, &m, answered, owner);
    return true;
}

void ask_keys_opened(struct upstream *u, const struct keys_msg *answer)
{
    u->context = answer->context;
    u->instance = keys_client_instance(u->out->keys);
    if (u->hop->acts_for) {
        free(u->hop->known_as);
        u->hop->known_as = span_dup(answer->identity);
    }
}

bool ask_keys_open(struct ask *a, keys_answer_fn answered)
{
    return ask_keys_open_for(a->upstream, a->request.behalf, a->request.trial, &a->call, answered, a);
}

void ask_keys_authorize(struct ask *a, keys_answer_fn answered)
{
    struct keys_msg m = question(a, KEYS_AUTHORIZE);
    keys_call_start(a->out->keys, &a->call, &m, answered, a);
}

void ask_keys_challenged(struct ask *a, bool closed, keys_answer_fn answered)
{
    struct buf lines = {.max = a->request.max_head * 2};
    struct keys_msg m = question(a, KEYS_CHALLENGED);
    ask_keys_gather(&lines, &a->leg.head, "Proxy-Authenticate");
    m.lines = buf_span(&lines);
    m.flags |= closed ? KEYS_CLOSED : 0;
    keys_call_start(a->out->keys, &a->call, &m, answered, a);
    buf_free(&lines);
}

void ask_keys_kept(struct ask *a, keys_answer_fn answered)
{
    struct keys_msg m = question(a, KEYS_CHALLENGED);
    m.lines = buf_span(&a->upstream->challenge);
    keys_call_start(a->out->keys, &a->call, &m, answered, a);
    buf_free(&a->upstream->challenge);
}

void ask_keys_repeat(struct ask *a, keys_answer_fn answered)
{
    if (a->call.type == KEYS_CHALLENGED)
        ask_keys_challenged(a, false, answered);
    else
        ask_keys_authorize(a, answered);
}

static void tell_accepted(struct ask *a, keys_answer_fn answered)
{
    struct buf lines = {.max = a->request.max_head * 2}, info = {.max = a->request.max_head * 2};
    struct keys_msg m = {.type = KEYS_ACCEPTED, .context = a->upstream->context};
    ask_keys_gather(&lines, &a->leg.head, "Proxy-Authenticate");
    ask_keys_gather(&info, &a->leg.head, "Proxy-Authentication-Info");
    m.lines = buf_span(&lines);
    m.info = buf_span(&info);
    if (answered)
        keys_call_start(a->out->keys, &a->call, &m, answered, a);
    else
        keys_client_tell(a->out->keys, a->upstream->instance, &m);
    buf_free(&lines);
    buf_free(&info);
}

void ask_keys_accepted(struct ask *a)
{
    tell_accepted(a, NULL);
}

static void tell_aside(struct ask *a, bool closed)
{
    struct keys_msg m = {
        .type = KEYS_ACCEPTED, .context = a->upstream->context, .flags = closed ? KEYS_CLOSED : 0};
    keys_client_tell(a->out->keys, a->upstream->instance, &m);
}

void ask_keys_aside(struct ask *a)
{
    a->upstream->aside = a->upstream->used = true;
    tell_aside(a, a->broken);
}

void ask_keys_cut(struct ask *a)
{
    if (a->upstream->aside)
        tell_aside(a, true);
}

void ask_keys_check_final(struct ask *a, keys_answer_fn answered)
{
    tell_accepted(a, answered);
}

void ask_keys_log_offer(const struct ask *a)
{
    if (log_get_level() < LOG_LEVEL_DEBUG)
        return;
    struct buf names = {.max = 512};
    for (const struct field *f = head_field(&a->leg.head, "Proxy-Authenticate"); f;
         f = head_field_next(&a->leg.head, f)) {
        struct span rest = f->value;
        struct span name = span_head(span_word(&rest), 32);
        buf_addf(&names, " %.*s", SPAN_ARG(name));
    }
    log_debug(a->tag, "407 from %s, which offers:%.*s", a->hop->name, SPAN_ARG(buf_span(&names)));
    buf_free(&names);
}

enum page_cause ask_keys_cause(uint32_t verdict)
{
    switch (verdict) {
    case KEYS_REFUSED:
        return PAGE_SECRET_REFUSED;
    case KEYS_SITE_REFUSED:
        return PAGE_SITE_REFUSED;
    case KEYS_UNAVAILABLE:
        return PAGE_NO_CREDENTIALS;
    case KEYS_DOWNGRADED:
        return PAGE_DOWNGRADED;
    case KEYS_TIMEOUT:
        return PAGE_KDC_TIMEOUT;
    case KEYS_BROKEN:
        return PAGE_BAD_ANSWER;
    case KEYS_MUTUAL_FAILED:
        return PAGE_NOT_PROVED;
    default:
        return PAGE_INTERNAL;
    }
}
