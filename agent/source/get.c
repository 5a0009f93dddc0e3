/*
 * One connection for each step, closed after its answer. The owner's clock runs over all steps together, so that a server that drips or redirects
 * without end holds nothing for long.
 */
#include "source/get.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/url.h"
#include "http/body.h"
#include "http/target.h"
#include "net/dial.h"
#include "source/trust.h"

#define HEAD_BYTES ((size_t)64 << 10)

struct get {
    struct loop *loop;
    get_done_fn done;
    void *owner;
    const char *(*refuse)(void *owner, struct span host, uint16_t port);
    char *have_from, *etag, *modified;
    struct buf at, next; /* URLs: this step's, and what a redirect led to */
    struct url url;      /* of `at` */
    unsigned steps, interim;
    struct trust *trust; /* being read */
    struct tls_client *tls;
    struct dial *dial;
    struct stream *stream;
    struct buf in;
    size_t scanned;
    struct head head;
    bool head_read;
    struct body body;
    struct buf content;
    struct deadline deadline;
    struct later begin;
};

/* --- the end --- */

static void hang_up(struct get *g)
{
    trust_cancel(g->trust);
    if (g->dial)
        dial_cancel(g->dial);
    if (g->stream)
        stream_close(g->stream);
    g->trust = NULL;
    g->dial = NULL;
    g->stream = NULL;
    tls_client_unref(g->tls);
    g->tls = NULL;
    head_free(&g->head);
    body_free(&g->body);
    buf_free(&g->in);
    g->scanned = 0;
    g->head_read = false;
}

static void get_free(struct get *g)
{
    hang_up(g);
    deadline_stop(&g->deadline);
    later_cancel(&g->begin);
    free(g->have_from);
    free(g->etag);
    free(g->modified);
    buf_free(&g->at);
    buf_free(&g->next);
    buf_free(&g->content);
    free(g);
}

void get_cancel(struct get *g)
{
    get_free(g);
}

/* The answer lends from `g`, which goes afterwards. */
static void end(struct get *g, struct get_answer answer)
{
    deadline_stop(&g->deadline);
    later_cancel(&g->begin);
    answer.head = g->head_read ? &g->head : NULL;
    answer.from = buf_span(&g->at);
    g->done(g->owner, &answer);
    get_free(g);
}

static void fail(struct get *g, enum get_result result, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static void fail(struct get *g, enum get_result result, const char *format, ...)
{
    struct err why;
    char text[sizeof why.text];
    struct buf shown = {0};
    va_list list;
    va_start(list, format);
    vsnprintf(text, sizeof text, format, list);
    va_end(list);
    url_shown(span_head(buf_span(&g->at), 200), &shown);
    err_set(&why, ERR_PROTOCOL, "%s: %s", buf_cstr(&shown), text);
    buf_free(&shown);
    end(g, (struct get_answer){.result = result, .why = span_str(why.text)});
}

static void timed_out(void *owner)
{
    struct get *g = owner;
    fail(g, GET_FAILED, "it took too long (%u bytes of the script had come)", (unsigned)g->content.n);
}

/* --- the answer --- */

static struct span charset_of(const struct head *h)
{
    const struct field *f = head_field(h, "Content-Type");
    struct span rest = f ? f->value : SPAN("");
    span_cut(&rest, ';');
    while (rest.n) {
        struct span value = span_cut(&rest, ';'), name = span_trim(span_cut(&value, '='));
        value = span_trim(value);
        if (value.n >= 2 && value.p[0] == '"' && value.p[value.n - 1] == '"')
            value = span_make(value.p + 1, value.n - 2);
        if (span_ieq(name, SPAN("charset")) && http_token(value))
            return value;
    }
    return (struct span){0};
}

static void whole(struct get *g)
{
    end(g, (struct get_answer){
               .result = GET_NEW, .content = buf_span(&g->content), .charset = charset_of(&g->head)});
}

static void begin_step(void *owner);

static void follow(struct get *g)
{
    const struct field *to = head_field(&g->head, "Location");
    struct url url;
    if (!to) {
        fail(g, GET_FAILED, "it answers %u without saying where to go", g->head.status);
        return;
    }
    url_resolve(buf_span(&g->at), to->value, &g->next);
    const char *wrong = url_read(&url, buf_span(&g->next));
    if (!wrong && g->url.tls && !url.tls)
        wrong = "is an http:// URL, where everybody on the way could change the script";
    if (!wrong && ++g->steps > GET_REDIRECTS)
        wrong = "is one redirect too many";
    if (wrong) {
        fail(g, GET_FAILED, "where it redirects to %s", wrong);
        return;
    }
    hang_up(g);
    buf_clear(&g->content);
    buf_clear(&g->at);
    buf_add_span(&g->at, buf_span(&g->next));
    later_start(g->loop, &g->begin, begin_step, g);
}

/* false: `g` is gone, or will begin anew. */
static bool judge_head(struct get *g)
{
    static const unsigned redirects[] = {301, 302, 303, 307, 308};
    unsigned status = g->head.status;
    const struct field *coding = head_field(&g->head, "Content-Encoding");
    struct body_rule rule;
    struct fault fault;
    for (size_t i = 0; i < sizeof redirects / sizeof *redirects; i++)
        if (status == redirects[i]) {
            follow(g);
            return false;
        }
    if (status == 304 && (g->etag || g->modified)) {
        end(g, (struct get_answer){.result = GET_SAME});
        return false;
    }
    if (status != 200) {
        fail(
            g, status == 404 || status == 410 ? GET_NOT_THERE : GET_FAILED, "the server answers %u%s", status,
            status == 401 ? " (a script is fetched without credentials: the server must give it to everybody)"
                          : "");
        return false;
    }
    if (coding && !span_ieq(coding->value, SPAN("identity"))) {
        fail(g, GET_FAILED, "it is sent compressed, which was not asked for");
        return false;
    }
    if (!framing_response(&g->head, SPAN("GET"), &rule, &fault)) {
        fail(g, GET_FAILED, "%s", fault.why);
        return false;
    }
    if (rule.kind == BODY_LENGTH && rule.length > GET_BYTES) {
        fail(g, GET_FAILED, "it is larger than %zu KiB", GET_BYTES >> 10);
        return false;
    }
    body_start(&g->body, rule);
    return true;
}

/* false: more bytes are needed, or `g` is gone. An interim answer is passed over. */
static bool read_head(struct get *g)
{
    struct fault fault;
    size_t n;
    while ((n = head_end(buf_span(&g->in), &g->scanned)) != 0) {
        head_free(&g->head);
        if (!head_read_response(&g->head, span_head(buf_span(&g->in), n), &head_limits_default, true,
                                &fault)) {
            fail(g, GET_FAILED, "%s", fault.why);
            return false;
        }
        buf_drop(&g->in, n);
        g->scanned = 0;
        if (g->head.status >= 200) {
            g->head_read = true;
            return judge_head(g);
        }
        if (g->head.status == 101 || ++g->interim > GET_INTERIM_MOST) {
            fail(g, GET_FAILED, "it answers %u, which was not asked for", g->head.status);
            return false;
        }
    }
    return false;
}

static void read_body(struct get *g)
{
    struct span in = buf_span(&g->in), piece;
    enum chunked_result result;
    while ((result = body_read(&g->body, &in, &piece)) == CHUNKED_DATA)
        if (!buf_add_span(&g->content, piece)) {
            fail(g, GET_FAILED, "it is larger than %zu KiB", GET_BYTES >> 10);
            return;
        }
    buf_clear(&g->in);
    if (result == CHUNKED_BAD)
        fail(g, GET_FAILED, "its chunks cannot be read: %s",
             g->body.chunked.why ? g->body.chunked.why : "they are not chunks");
    else if (result == CHUNKED_END)
        whole(g);
}

static void data_came(void *owner, struct span bytes)
{
    struct get *g = owner;
    if (!buf_add_span(&g->in, bytes)) { /* its ceiling is above all that is kept between two readings */
        fail(g, GET_FAILED, "it sends too much at once");
        return;
    }
    if (g->head_read) {
        read_body(g);
        return;
    }
    size_t head = head_end(buf_span(&g->in), &g->scanned);
    if (head > HEAD_BYTES || (head == 0 && g->in.n > HEAD_BYTES))
        fail(g, GET_FAILED, "the head of its answer is too large");
    else if (head && read_head(g))
        read_body(g);
}

static void ended(void *owner)
{
    struct get *g = owner;
    if (!g->head_read)
        fail(g, GET_FAILED, "the server hung up without an answer");
    else if (!body_eof(&g->body) || stream_cut_short(g->stream))
        fail(g, GET_FAILED, "the server hung up in the middle (%u bytes of the script had come)",
             (unsigned)g->content.n);
    else
        whole(g);
}

static void broke(void *owner, const struct err *why)
{
    fail(owner, GET_FAILED, "%s", why->text);
}

static void nothing(void *owner)
{
    (void)owner;
}

/* --- the question --- */

/* A dot at its end keeps the resolver from adding domains; servers and certificates do not have it. */
static struct span host_name(const struct get *g)
{
    struct span host = g->url.host;
    return span_ends(host, SPAN(".")) ? span_head(host, host.n - 1) : host;
}

static void write_request(struct get *g)
{
    struct buf out = {0};
    struct span path = g->url.path;
    buf_addf(&out, "GET %s%.*s HTTP/1.1\r\nHost: ", path.n && path.p[0] == '/' ? "" : "/", SPAN_ARG(path));
    if (g->url.port == (g->url.tls ? 443 : 80))
        buf_addf(&out, g->url.ipv6 ? "[%.*s]" : "%.*s", SPAN_ARG(host_name(g)));
    else
        target_add_authority(&out, host_name(g), g->url.port);
    buf_add_str(&out, "\r\nUser-Agent: exeat/" EXEAT_VERSION
                      "\r\nAccept: application/x-ns-proxy-autoconfig, */*;q=0.8"
                      "\r\nAccept-Encoding: identity\r\nConnection: close\r\n");
    bool have = g->have_from && span_eq(buf_span(&g->at), span_str(g->have_from));
    if (!have) { /* these stand for what another URL gave: here they mean nothing */
        free(g->etag);
        free(g->modified);
        g->etag = g->modified = NULL;
    }
    if (g->etag)
        buf_addf(&out, "If-None-Match: %s\r\n", g->etag);
    if (g->modified)
        buf_addf(&out, "If-Modified-Since: %s\r\n", g->modified);
    buf_add_str(&out, "\r\n");
    stream_write(g->stream, buf_span(&out));
    buf_free(&out);
}

/* Where a name has led to. */
static const char *refuses_peer(struct get *g)
{
    struct span host;
    bool ipv6;
    uint16_t port;
    if (!g->refuse || !target_authority(span_str(stream_peer(g->stream)), 0, &host, &ipv6, &port))
        return NULL;
    return g->refuse(g->owner, host, port);
}

static void connected(void *owner, struct stream *s)
{
    static const struct stream_events events = {data_came, ended, nothing, broke};
    struct get *g = owner;
    g->dial = NULL;
    g->stream = s;
    stream_own(s, &events, g);
    const char *wrong = refuses_peer(g);
    if (wrong) {
        fail(g, GET_FAILED, "the URL %s", wrong);
        return;
    }
    write_request(g);
    stream_read(s);
}

static void not_connected(void *owner, enum dial_failure kind, const struct err *why)
{
    struct get *g = owner;
    g->dial = NULL;
    fail(g, kind == DIAL_DNS ? GET_NO_SERVER : GET_FAILED, "%s", why->text);
}

static void dial(struct get *g)
{
    static const struct dial_events events = {connected, not_connected};
    g->dial = dial_start(g->loop, g->url.host, g->url.port, GET_DIAL_MS, &events, g);
    if (g->tls)
        dial_over_tls(g->dial, g->tls);
}

static void trusted(void *owner, struct tls_client *client, const struct err *why)
{
    struct get *g = owner;
    g->trust = NULL;
    g->tls = client;
    if (client)
        dial(g);
    else
        fail(g, GET_FAILED, "%s", why->text);
}

/* --- steps --- */

static void begin_step(void *owner)
{
    struct get *g = owner;
    const char *wrong = url_read(&g->url, buf_span(&g->at));
    if (!wrong && g->refuse)
        wrong = g->refuse(g->owner, g->url.host, g->url.port);
    if (wrong) {
        fail(g, GET_FAILED, "the URL %s", wrong);
        return;
    }
    buf_init(&g->in, HEAD_BYTES + GET_BYTES);
    if (!g->url.tls) {
        dial(g);
        return;
    }
    g->trust = trust_start(g->loop, host_name(g), trusted, g);
}

static char *copy(struct span s)
{
    return s.n ? span_dup(s) : NULL;
}

struct get *get_start(struct loop *loop, const struct get_wish *wish, get_done_fn done, void *owner)
{
    struct get *g = mem_zero(sizeof *g);
    *g = (struct get){.loop = loop,
                      .done = done,
                      .owner = owner,
                      .refuse = wish->refuse,
                      .have_from = copy(wish->have_from),
                      .etag = copy(wish->etag),
                      .modified = copy(wish->modified)};
    buf_init(&g->content, GET_BYTES);
    buf_add_span(&g->at, wish->url);
    deadline_start(loop, &g->deadline, wish->timeout_ms ? wish->timeout_ms : GET_TIMEOUT_MS, timed_out, g);
    later_start(loop, &g->begin, begin_step, g);
    return g;
}
