/*
 * Own answers and the request log.
 */
#include "relay/reply.h"

#include "base/log.h"
#include "upstream/unreachable.h"

/* Is anything of this request still to be read? Then the connection ends with the answer: what follows could be taken for a request. */
static bool unread(const struct exchange *e)
{
    return e->head.method.n == 0 || !e->upload.ended;
}

static bool must_close(const struct exchange *e)
{
    return unread(e) || !e->keep_client || client_is_leaving(e->client);
}

static void finish(struct exchange *e, struct buf *page, unsigned status, enum client_next next)
{
    e->status = status;
    stream_write(e->client->stream, buf_span(page));
    reply_log(e, page->n, "own answer");
    buf_free(page);
    e->state = EXCHANGE_DONE;
    client_exchange_over(e->client, next);
}

/* The same for clients without pages. */
static void finish_wordless(struct exchange *e, enum page_cause cause, unsigned status, struct span why)
{
    struct buf nothing = {0};
    const struct entrance *entrance = e->client->entrance;
    entrance->failed(e->client, cause, why);
    finish(e, &nothing, status ? status : page_status(cause), entrance->reset ? CLIENT_ABORT : CLIENT_CLOSE);
}

static void answer_page(struct exchange *e, enum page_cause cause, unsigned status, struct span why,
                        struct span remedy)
{
    struct buf text = {0};
    bool known = e->head.method.n > 0;
    struct page page = {.cause = cause,
                        .status = status,
                        .why = why,
                        .remedy = remedy,
                        .tag = span_str(e->tag),
                        .authenticate = buf_span(&e->gate.lines),
                        .authentication_info = buf_span(&e->gate.info),
                        .html = page_wants_html(known ? &e->head : NULL),
                        .head_only = known && span_eq(e->head.method, SPAN("HEAD")),
                        .close = must_close(e),
                        .keep_alive = e->head.minor == 0};
    if (e->at < e->n_hops)
        page.next_hop = span_str(hop_first_name(e->hops[e->at]));
    if (cause == PAGE_CLIENT_CREDENTIALS)
        page.realm = span_str(e->hops[e->at]->upstream);
    if (!e->client->entrance->http) {
        finish_wordless(e, cause, status, why);
        return;
    }
    page_write(&text, &page);
    finish(e, &text, status ? status : page_status(cause), page.close ? CLIENT_CLOSE : CLIENT_KEEP);
}

/* A user of a gateway whose own credentials are not taken: everybody else's are as good as before. */
static bool concerns_one_user(const struct exchange *e, enum page_cause cause)
{
    return gate_acts(e) && (cause == PAGE_NO_CREDENTIALS || cause == PAGE_SECRET_REFUSED);
}

/* --- for clients of gateways --- */

/* Our secrets' places, upstreams, commands and the keyholder's remedies are for who looks after this exeat. */
static const struct {
    enum page_cause cause;
    const char *why;
} general[] = {
    {PAGE_NO_CREDENTIALS, "this gateway has nothing to log in with at the next proxy"},
    {PAGE_SECRET_REFUSED, "the next proxy refused what this gateway logs in with"},
    {PAGE_SITE_REFUSED,
     "the next proxy refused this site, or no longer takes what this gateway logs in with"},
    {PAGE_DOWNGRADED, "the next proxy asks for weaker credentials than before, and got none"},
    {PAGE_NOT_PROVED, "the next proxy did not prove who it is"},
    {PAGE_KDC_TIMEOUT, "authentication at the next proxy took too long"},
    {PAGE_NO_WAY, "what decides by which way this request goes has failed"},
};

static void general_words(const struct exchange *e, enum page_cause cause, struct buf *why,
                          struct buf *remedy)
{
    const char *words = "authentication at the next proxy failed";
    const struct config_gateway *g = config_gateway_named(e->config, span_str(e->client->gated.gate->name));
    bool kerberos = false, about_user = cause == PAGE_NO_CREDENTIALS || cause == PAGE_SECRET_REFUSED;
    for (size_t i = 0; i < sizeof general / sizeof *general; i++)
        if (general[i].cause == cause)
            words = general[i].why;
    for (size_t i = 0; g && i < g->n_auth; i++)
        kerberos |= g->auth[i] == AUTH_NEGOTIATE;
    buf_add_str(why, words);
    if (about_user && gate_acts(e) && gate_user(e))
        buf_addf(why, " for %s", gate_user(e));
    buf_addf(remedy, "%sthe gateway's administrator finds the reason in the log of exeat, at %s",
             about_user && gate_acts(e) && kerberos
                 ? "connect with a new Kerberos ticket that may be handed on (kinit -f), or ask: "
                 : "",
             e->tag);
}

static void answer_in_general(struct exchange *e, enum page_cause cause, unsigned status)
{
    struct buf why = {0}, remedy = {0};
    general_words(e, cause, &why, &remedy);
    answer_page(e, cause, status, buf_span(&why), buf_span(&remedy));
    buf_free(&why);
    buf_free(&remedy);
}

void reply_page(struct exchange *e, enum page_cause cause, unsigned status, struct span why,
                struct span remedy)
{
    const char *joint = !remedy.n ? "" : span_ends(why, SPAN(".")) ? " " : "; ";
    log_warning(e->tag, "%.*s%s%.*s", SPAN_ARG(why), joint, SPAN_ARG(remedy));
    if (!concerns_one_user(e, cause))
        standing_problem(e->relay, cause, why);
    if (e->internal && e->client->gated.gate)
        answer_in_general(e, cause, status);
    else
        answer_page(e, cause, status, why, remedy);
}

void reply_page_untold(struct exchange *e, enum page_cause cause, struct span why, struct span remedy)
{
    answer_page(e, cause, 0, why, remedy);
}

void reply_no_tunnel(struct exchange *e, const struct head *answer)
{
    struct buf why = {0};
    unreachable_tunnel_words(&why, NULL, answer, e->head.target);
    struct span remedy = answer->status == 407
                             ? SPAN("client-credentials = pass leaves it to the program to authenticate, and "
                                    "this one cannot")
                             : SPAN("");
    reply_page(e, unreachable_tunnel_cause(answer), answer->status, buf_span(&why), remedy);
    buf_free(&why);
}

void reply_document(struct exchange *e, struct span content_type, struct span content)
{
    struct buf text = {0};
    bool close = must_close(e);
    page_write_document(&text, &(struct page_document){.type = content_type,
                                                       .content = content,
                                                       .authenticate = buf_span(&e->gate.lines),
                                                       .authentication_info = buf_span(&e->gate.info),
                                                       .head_only = span_eq(e->head.method, SPAN("HEAD")),
                                                       .close = close,
                                                       .keep_alive = e->head.minor == 0});
    finish(e, &text, 200, close ? CLIENT_CLOSE : CLIENT_KEEP);
}

/* --- the log of requests --- */

static struct span route_of(const struct exchange *e)
{
    if (!e->hops)
        return e->status == 200 ? SPAN("exeat") : SPAN("");
    if (e->at >= e->n_hops)
        return SPAN("blocked");
    const struct hop *proxy = hop_proxy(e->hops[e->at]);
    return proxy ? span_str(proxy->upstream ? proxy->upstream : proxy->name) : SPAN("direct");
}

static void describe(const struct exchange *e, struct access *out)
{
    const struct client *c = e->client;
    bool known = e->head.method.n > 0;
    *out = (struct access){.begins = out->begins,
                           .legs = e->ask.legs,
                           .tag = e->tag,
                           .peer = c->stream ? span_str(stream_peer(c->stream)) : SPAN(""),
                           .uid_known = c->who.uid_known,
                           .uid = c->who.uid,
                           .guest = span_str(guest_name(c)),
                           .user = span_str(gate_user(e)),
                           .method = e->head.method,
                           .protocol = !known               ? SPAN("")
                                       : c->fixed           ? SPAN("FIXED")
                                       : !c->entrance->http ? SPAN("SOCKS")
                                       : e->head.minor      ? SPAN("HTTP/1.1")
                                                            : SPAN("HTTP/1.0"),
                           .target = e->head.target,
                           .route = route_of(e),
                           .why = span_str(e->why),
                           .scheme = span_str(e->scheme),
                           .status = e->status,
                           .up = e->upload.content,
                           .milliseconds = loop_now(e->relay->out->loop) - e->began};
    const struct hop *proxy = e->hops && e->at < e->n_hops ? hop_proxy(e->hops[e->at]) : NULL;
    if (proxy)
        out->proxy = span_str(proxy->name);
}

static void log_it(struct exchange *e, struct access *a, uint64_t bytes, const char *note)
{
    e->logged = true;
    sums_add(&e->relay->sums, route_of(e), span_str(e->scheme), e->status);
    describe(e, a);
    a->down = bytes;
    a->note = span_str(note);
    caller_log(e->client->caller, &e->relay->log, a);
}

void reply_log(struct exchange *e, uint64_t bytes, const char *note)
{
    struct access a = {0};
    log_it(e, &a, bytes, note);
}

void reply_handover(struct exchange *e, struct access *out)
{
    out->begins = true;
    log_it(e, out, 0, e->client->entrance->tunnel);
    out->begins = false;
}
