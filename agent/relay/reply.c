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
    if (e->at < e->n_hops)
        page.next_hop = span_str(hop_first_name(e->hops[e->at]));
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
