/*
 * Heads in both directions. What happens to single fields stands in http/header.c; here is decided what an exchange asks of it.
 */
#include "relay/forward.h"

#include "relay/home.h"
#include "relay/reply.h"
#include "upstream/ask_keys.h"

static struct span via(const struct exchange *e)
{
    return span_str(e->relay->out->pseudonym);
}

void forward_target(struct exchange *e, const struct hop *hop)
{
    buf_clear(&e->target_text);
    buf_clear(&e->host_text);
    if (e->connect) {
        target_add_authority(&e->target_text, e->target.host, e->target.port);
        target_add_authority(&e->host_text, e->target.host, e->target.port);
        return;
    }
    buf_add_span(&e->host_text, e->target.authority);
    buf_add_span(&e->target_text, hop_is_direct(hop) ? e->target.path : e->head.target);
}

bool forward_wants_upgrade(const struct exchange *e)
{
    return !e->connect && head_field(&e->head, "Upgrade") &&
           head_has_token(&e->head, "Connection", "upgrade");
}

struct ask_request forward_request(struct exchange *e, const struct hop *hop)
{
    forward_target(e, hop);
    return (struct ask_request){
        .head = &e->head,
        .how = {.target = buf_span(&e->target_text),
                .host = buf_span(&e->host_text),
                .body = e->upload.body.rule,
                .keep_client_authorization = hop->pass_credentials || hop->leaves_credentials,
                .via = via(e),
                .upgrade = forward_wants_upgrade(e),
                .to_proxy = !hop_is_direct(hop),
                .changes = rewrite_for(&e->rewrite, &e->target, hop)},
        .body = upload_class(&e->upload),
        .max_head = e->config->max_head,
        .behalf = gate_behalf(e),
    };
}

static bool answer_max_forwards(struct exchange *e)
{
    uint64_t left;
    if (!header_max_forwards(&e->head, &left) || left > 0)
        return false;
    if (span_eq(e->head.method, SPAN("OPTIONS")))
        reply_document(e, SPAN("text/plain"), SPAN("exeat, a proxy on this machine\n"));
    else
        reply_page(e, PAGE_BAD_REQUEST, 405, SPAN("TRACE is not answered here"), SPAN(""));
    return true;
}

bool forward_answer_here(struct exchange *e)
{
    if (e->client->entrance->figures) {
        home_answer(e);
        return true;
    }
    /* Our own pages by way of ourselves are no loop: http_proxy is set, and no-proxy has this machine. */
    if (header_via_loop(&e->head, via(e)) && !home_has(e)) {
        reply_page(e, PAGE_LOOP, 0, SPAN("this request came back to exeat, which had sent it before"),
                   SPAN("the upstream proxy, or a variable like http_proxy in its environment, points at "
                        "exeat: see exeat run --print-config"));
        return true;
    }
    if (e->target.form == TARGET_ORIGIN || e->target.form == TARGET_ASTERISK) {
        home_answer(e);
        return true;
    }
    return answer_max_forwards(e);
}

/* Where it is not we who answer the proxy's challenges, the client sees them. */
static bool shows_challenge(const struct hop *hop)
{
    return hop->pass_credentials || hop->leaves_credentials || hop->bare;
}

void forward_proof(struct exchange *e)
{
    const struct head *h = &e->ask.leg.head;
    if (!gate_hands_on(e) || !shows_challenge(e->hops[e->at]))
        return;
    ask_keys_gather(&e->gate.lines, h, "Proxy-Authenticate");
    ask_keys_gather(&e->gate.info, h, "Proxy-Authentication-Info");
}

static void write_answer(struct exchange *e, const struct head *h, const struct header_response *how)
{
    struct buf out = {.max = e->config->max_head * 2};
    header_write_response(&out, h, how);
    stream_write(e->client->stream, buf_span(&out));
    buf_free(&out);
}

void forward_informational(struct exchange *e, const struct head *h)
{
    if (e->head.minor == 0 ||
        !e->client->entrance->http) /* RFC 9110 section 15.2: not for HTTP/1.0 clients */
        return;
    struct header_response how = {.body = {.kind = BODY_NONE}, .no_framing = true, .via = via(e)};
    write_answer(e, h, &how);
}

/* Does this field name a scheme that authenticates the connection and not the request? */
static bool connection_bound(const struct head *h, const char *name)
{
    for (const struct field *f = head_field(h, name); f; f = head_field_next(h, f)) {
        struct span rest = f->value, scheme = span_word(&rest);
        if (span_ieq(scheme, SPAN("NTLM")) || span_ieq(scheme, SPAN("Negotiate")))
            return true;
    }
    return false;
}

/* The client's own handshake with an origin server, or with the proxy where its credentials pass: one client, one connection (RFC 4559 section 6). */
static bool must_pin(const struct exchange *e, const struct head *answer)
{
    const struct hop *hop = e->hops[e->at];
    return (hop->pass_credentials &&
            (head_field(&e->head, "Proxy-Authorization") || answer->status == 407)) ||
           (hop->leaves_credentials && connection_bound(&e->head, "Proxy-Authorization")) ||
           (answer->status == 401 && connection_bound(answer, "WWW-Authenticate")) ||
           connection_bound(&e->head, "Authorization");
}

struct body_rule forward_answer_head(struct exchange *e, const struct head *h, struct body_rule rule)
{
    const struct hop *hop = e->hops[e->at];
    struct body_rule towards_client = download_framing(rule, e->head.minor);
    e->keep_upstream = header_keeps_alive(h) && rule.kind != BODY_CLOSE;
    e->pin |= must_pin(e, h);
    e->closing_said = !e->keep_client || client_is_leaving(e->client) || towards_client.kind == BODY_CLOSE ||
                      !e->upload.ended || (e->pin && !e->keep_upstream);
    struct header_response how = {
        .body = towards_client,
        .no_framing = rule.kind == BODY_NONE,
        .via = via(e),
        .close = e->closing_said,
        .keep_alive = e->head.minor == 0 && !e->closing_said,
        .session_based = e->pin && (hop_is_direct(hop) || head_field(h, "Proxy-Support")),
        .keep_challenge = shows_challenge(hop) && !e->client->gated.gate,
        .authenticate = buf_span(&e->gate.lines),
        .authentication_info = buf_span(&e->gate.info),
    };
    write_answer(e, h, &how);
    return towards_client;
}

void forward_established(struct exchange *e)
{
    e->client->entrance->established(e->client);
}

void forward_tunnel_head(struct exchange *e, const struct head *h)
{
    if (e->connect) {
        forward_established(e);
        return;
    }
    struct header_response how = {.body = {.kind = BODY_TUNNEL},
                                  .no_framing = true,
                                  .via = via(e),
                                  .upgrade = true,
                                  .authenticate = buf_span(&e->gate.lines),
                                  .authentication_info = buf_span(&e->gate.info)};
    write_answer(e, h, &how);
}
