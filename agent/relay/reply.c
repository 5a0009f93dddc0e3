/*
 * Own answers and the request log.
 */
#include "relay/reply.h"

#include "base/log.h"

/* Is anything of this request still to be read? Then the connection ends with the answer: what follows could be taken for a request. */
static bool unread(const struct exchange *e)
{
    return e->head.method.n == 0 || !e->upload.ended;
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
                        .html = page_wants_html(known ? &e->head : NULL),
                        .head_only = known && span_eq(e->head.method, SPAN("HEAD")),
                        .close = unread(e) || !e->keep_client};
    if (e->at < e->n_hops && !hop_is_direct(e->hops[e->at]))
        page.next_hop = span_str(e->hops[e->at]->name);
    if (!e->client->entrance->http) {
        finish_wordless(e, cause, status, why);
        return;
    }
    page_write(&text, &page);
    finish(e, &text, status ? status : page_status(cause), page.close ? CLIENT_CLOSE : CLIENT_KEEP);
}

void reply_page(struct exchange *e, enum page_cause cause, unsigned status, struct span why,
                struct span remedy)
{
    const char *joint = !remedy.n ? "" : span_ends(why, SPAN(".")) ? " " : "; ";
    log_warning(e->tag, "%.*s%s%.*s", SPAN_ARG(why), joint, SPAN_ARG(remedy));
    answer_page(e, cause, status, why, remedy);
}

void reply_page_untold(struct exchange *e, enum page_cause cause, struct span why, struct span remedy)
{
    answer_page(e, cause, 0, why, remedy);
}

/* What a proxy means by its no. The first row that fits: some say more in a field than in the status. */
static enum page_cause cause_of_no(const struct head *h)
{
    static const struct {
        unsigned status;           /* 0: any */
        const char *field, *words; /* NULL: any */
        enum page_cause cause;
    } rows[] = {
        {0, "X-Squid-Error", "ERR_CONNECT_FAIL 111", PAGE_REFUSED},
        {0, "X-Squid-Error", "ERR_DNS_FAIL", PAGE_DNS},
        {0, "X-Squid-Error", "ERR_CANNOT_FORWARD", PAGE_UNREACHABLE},
        {0, "Proxy-Status", "error=connection_refused", PAGE_REFUSED},
        {0, "Proxy-Status", "error=dns_error", PAGE_DNS},
        {403, NULL, NULL, PAGE_SITE_REFUSED},
        {451, NULL, NULL, PAGE_SITE_REFUSED},
        {404, NULL, NULL, PAGE_UNREACHABLE},
        {502, NULL, NULL, PAGE_UNREACHABLE},
        {503, NULL, NULL, PAGE_UNREACHABLE},
        {504, NULL, NULL, PAGE_CONNECT_TIMEOUT},
        {407, NULL, NULL, PAGE_NO_CREDENTIALS},
        {0, NULL, NULL, PAGE_BAD_ANSWER},
    };
    size_t i = 0;
    for (;; i++) {
        const struct field *f = rows[i].field ? head_field(h, rows[i].field) : NULL;
        bool said = f && f->value.n && memmem(f->value.p, f->value.n, rows[i].words, strlen(rows[i].words));
        if ((rows[i].status == 0 || rows[i].status == h->status) && (said || !rows[i].field))
            return rows[i].cause;
    }
}

void reply_no_tunnel(struct exchange *e, const struct head *answer)
{
    struct buf why = {0};
    buf_addf(&why, "the proxy answered %u%s%.*s to CONNECT %.*s", answer->status, answer->reason.n ? " " : "",
             SPAN_ARG(span_head(answer->reason, 200)), SPAN_ARG(span_head(e->head.target, 300)));
    const struct field *more = head_field(answer, "X-Squid-Error");
    if (more)
        buf_addf(&why, " (%.*s)", SPAN_ARG(span_head(more->value, 100)));
    struct span remedy = answer->status == 407
                             ? SPAN("client-credentials = pass leaves it to the program to authenticate, and "
                                    "this one cannot")
                             : SPAN("");
    reply_page(e, cause_of_no(answer), answer->status, buf_span(&why), remedy);
    buf_free(&why);
}

void reply_document(struct exchange *e, struct span content_type, struct span content)
{
    struct buf text = {0};
    bool close = unread(e) || !e->keep_client;
    page_write_document(&text, content_type, content, span_eq(e->head.method, SPAN("HEAD")), close);
    finish(e, &text, 200, close ? CLIENT_CLOSE : CLIENT_KEEP);
}

void reply_log(const struct exchange *e, uint64_t bytes, const char *note)
{
    if (!e->config->log_requests || e->head.method.n == 0)
        return;
    struct span target = e->head.target;
    target.n = span_find(target, '?'); /* queries hold tokens and names */
    if (target.n > 512)
        target.n = 512;
    const char *guest = guest_name(e->client);
    log_info(e->tag, "%s%s%.*s %.*s: %u, %llu bytes, %llu ms (%s%s%s)", guest ? guest : "", guest ? ": " : "",
             SPAN_ARG(span_head(e->head.method, 32)), SPAN_ARG(target), e->status, (unsigned long long)bytes,
             (unsigned long long)(loop_now(e->relay->out->loop) - e->began), e->why ? e->why : "",
             e->why && *note ? ", " : "", note);
}
