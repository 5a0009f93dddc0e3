/*
 * One handshake: the bytes in, the next message out; what goes wrong becomes a sentence. The stream's events come here from the grant to the end.
 */
#include "upstream/socks_way.h"

#include <stdlib.h>

#include "base/log.h"
#include "upstream/ask_keys.h"

#define RESTARTS_MOST 4
#define IN_MOST       ((size_t)1 << 20) /* what one read brings, at most, with the other end's first bytes */

static void start_lease(struct socks_way *w, bool fresh);

/* --- ends --- */

static void stop(struct socks_way *w)
{
    lease_cancel(&w->lease);
    keys_call_cancel(&w->call);
    deadline_stop(&w->deadline);
    if (w->upstream)
        pool_close(w->upstream);
    w->upstream = NULL;
    buf_free(&w->in);
}

void socks_way_cancel(struct socks_way *w)
{
    if (!w->server)
        return;
    stop(w);
    free(w->host);
    hop_unref(w->server);
    w->host = NULL;
    w->server = NULL;
}

static void fail(struct socks_way *w, const struct unreached *why)
{
    struct hop *server = hop_ref(w->server);
    socks_way_cancel(w);
    w->events->failed(w->owner, why);
    hop_unref(server);
}

/* "the SOCKS server s.example:1080 ..." */
static void say(struct buf *out, const struct socks_way *w, const char *words)
{
    buf_addf(out, "the SOCKS server %s %s", w->server->name, words);
}

/* The server does not do what such a server does. */
static void fault(struct socks_way *w, enum page_cause cause, const char *words)
{
    struct buf why = {0};
    say(&why, w, words);
    hop_failed(w->server, loop_now(w->out->loop), (unsigned)random(), buf_cstr(&why));
    fail(w, &(struct unreached){
                .cause = cause,
                .why = buf_span(&why),
                .remedy = SPAN("check proxy in exeat.conf, and that the company network or VPN is up"),
                .sleeps = true});
    buf_free(&why);
}

/* It does, and says no. */
static void refused(struct socks_way *w, enum page_cause cause, const char *words, struct span remedy)
{
    struct buf why = {0};
    say(&why, w, words);
    if (w->state == SOCKS_WAY_REPLY)
        buf_addf(&why, " (%.300s:%u)", w->host, w->port);
    fail(w, &(struct unreached){.cause = cause, .why = buf_span(&why), .remedy = remedy, .final = true});
    buf_free(&why);
}

/* It has nothing to say to a CONNECT: by a fault of its own, or because of the destination. Others are tried, and it may sleep as little as before. */
static void silent(struct socks_way *w)
{
    struct buf why = {0};
    say(&why, w, "closed the connection instead of saying whether it can connect");
    fail(w,
         &(struct unreached){.cause = PAGE_UNREACHABLE, .why = buf_span(&why), .remedy = SPAN("try again")});
    buf_free(&why);
}

static void begin_again(struct socks_way *w)
{
    if (++w->restarts > RESTARTS_MOST) {
        fault(w, PAGE_UNREACHABLE, "keeps closing the connection in the middle of the handshake");
        return;
    }
    stop(w);
    w->left = w->server->dial_ms;
    start_lease(w, true);
}

/* --- time --- */

static void time_is_up(void *owner)
{
    struct socks_way *w = owner;
    if (w->state == SOCKS_WAY_REPLY) /* it speaks: who does not answer is the one behind it */
        refused(w, PAGE_CONNECT_TIMEOUT, "took too long to connect",
                SPAN("check the address, and that the server there is up"));
    else
        fault(w, PAGE_CONNECT_TIMEOUT, "did not answer in time");
}

static void clock_on(struct socks_way *w)
{
    deadline_start(w->out->loop, &w->deadline, w->left, time_is_up, w);
    w->left += loop_now(w->out->loop); /* the moment at which it ends */
}

static void clock_off(struct socks_way *w)
{
    uint64_t now = loop_now(w->out->loop);
    deadline_stop(&w->deadline);
    w->left = w->left > now ? w->left - now : 1;
}

/* --- what goes out --- */

static void send(struct socks_way *w, struct buf *message)
{
    stream_write(w->upstream->stream, buf_span(message));
    buf_free(message);
}

static void open_way(struct socks_way *w)
{
    struct span early = buf_span(&w->in);
    struct hop *server = hop_ref(w->server);
    hop_wake(server);
    deadline_stop(&w->deadline);
    stream_pause(w->upstream->stream);
    w->events->open(w->owner, early);
    hop_unref(server);
}

static void let_in(struct socks_way *w)
{
    struct buf message = {0};
    if (!w->host) {
        open_way(w);
        return;
    }
    w->state = SOCKS_WAY_REPLY;
    if (!socks_write_connect(&message, span_str(w->host), w->port)) {
        buf_free(&message);
        refused(w, PAGE_BAD_REQUEST, "cannot be told a name of more than 255 bytes",
                SPAN("check the address"));
        return;
    }
    send(w, &message);
}

/* --- user and password --- */

static void no_credentials(struct socks_way *w, const struct keys_msg *answer)
{
    struct unreached why = {.cause = ask_keys_cause(answer->verdict),
                            .why = answer->why,
                            .remedy = answer->remedy,
                            .final = true,
                            .upstream = w->server->upstream,
                            .login_helps = answer->flags & KEYS_LOGIN_HELPS,
                            .generation = answer->generation};
    if (answer->verdict == KEYS_REFUSED)
        w->out->counters.refusals++;
    news_tell(w->out);
    fail(w, &why);
}

static void pair_made(void *owner, const struct keys_msg *answer)
{
    struct socks_way *w = owner;
    if (answer->verdict == KEYS_RESTART) {
        begin_again(w);
    } else if (answer->verdict != KEYS_SEND || !answer->header.n) {
        no_credentials(w, answer);
    } else {
        w->state = SOCKS_WAY_STATUS;
        w->credited = true;
        stream_write_secret(w->upstream->stream, answer->header);
        clock_on(w);
    }
}

static void ask_keyholder(struct socks_way *w, uint32_t flags)
{
    struct keys_msg m = {.type = KEYS_CHALLENGED,
                         .context = w->upstream->context,
                         .method = SPAN("CONNECT"),
                         .target = SPAN(KEYS_ASIDE_TARGET),
                         .flags = KEYS_SOCKS | KEYS_BODY_NONE | flags};
    keys_call_start(w->out->keys, &w->call, &m, pair_made, w);
}

static void opened(void *owner, const struct keys_msg *answer)
{
    struct socks_way *w = owner;
    if (answer->verdict == KEYS_RESTART) {
        begin_again(w);
    } else if (answer->verdict != KEYS_OK) {
        no_credentials(w, answer);
    } else {
        ask_keys_opened(w->upstream, answer);
        ask_keyholder(w, 0);
    }
}

static void authenticate(struct socks_way *w)
{
    struct unreached nobody = ask_keys_nobody();
    clock_off(w);
    w->state = SOCKS_WAY_KEYS;
    hop_asked(w->server);
    if (!ask_keys_open_for(w->upstream, w->behalf, w->trial, &w->call, opened, w))
        fail(w, &nobody);
}

static void pair_judged(struct socks_way *w, unsigned status)
{
    struct keys_msg taken = {.type = KEYS_ACCEPTED, .context = w->upstream->context};
    if (!upstream_has_context(w->upstream)) { /* the keyholder was restarted: nobody holds this verdict */
        begin_again(w);
    } else if (status) {
        clock_off(w);
        stream_pause(w->upstream->stream); /* whether it hangs up now says nothing more */
        w->state = SOCKS_WAY_KEYS;
        ask_keyholder(w, KEYS_CLOSED);
    } else {
        w->out->counters.handshakes++;
        keys_client_tell(w->out->keys, w->upstream->instance, &taken);
        let_in(w);
    }
}

/* --- what comes in --- */

static void method_chosen(struct socks_way *w, unsigned method)
{
    bool offered = w->server->socks_password;
    hop_answered(w->server);
    if (method == SOCKS_NO_AUTHENTICATION)
        let_in(w);
    else if (method == SOCKS_USER_AND_PASSWORD && offered)
        authenticate(w);
    else if (method == SOCKS_NO_METHOD)
        refused(w, PAGE_NO_CREDENTIALS,
                offered ? "takes neither no authentication nor user and password, and exeat has nothing else"
                        : "wants us to authenticate",
                offered ? SPAN("ask its administrator what it wants")
                        : SPAN("if it takes a user and password: name the user, and basic in auth = of its "
                               "upstream; they go in clear text, which basic-in-clear = yes allows"));
    else
        fault(w, PAGE_UNREACHABLE, "chose a way to authenticate that it was not offered");
}

static void answered(struct socks_way *w, unsigned code)
{
    const struct socks_no *no = socks_no(code);
    if (no)
        refused(w, no->cause, no->words, span_str(no->remedy));
    else
        open_way(w);
}

static void take(struct socks_way *w)
{
    static enum socks_said (*const readers[])(struct span *, unsigned *,
                                              const char **) = {[SOCKS_WAY_METHOD] = socks_read_method,
                                                                [SOCKS_WAY_STATUS] = socks_read_status,
                                                                [SOCKS_WAY_REPLY] = socks_read_reply};
    static void (*const takers[])(struct socks_way *, unsigned) = {
        [SOCKS_WAY_METHOD] = method_chosen, [SOCKS_WAY_STATUS] = pair_judged, [SOCKS_WAY_REPLY] = answered};
    unsigned value;
    const char *why;
    struct span in = buf_span(&w->in);
    switch (readers[w->state](&in, &value, &why)) {
    case SOCKS_SAID_MORE:
        break;
    case SOCKS_SAID_BAD:
        fault(w, PAGE_UNREACHABLE, why);
        break;
    case SOCKS_SAID:
        if (in.n && (w->state != SOCKS_WAY_REPLY || value != 0)) {
            fault(w, PAGE_UNREACHABLE, "says more than it was asked");
            break;
        }
        buf_drop(&w->in, w->in.n - in.n);
        takers[w->state](w, value);
        break;
    }
}

static void on_data(void *owner, struct span bytes)
{
    struct socks_way *w = owner;
    w->heard = true;
    if (w->state == SOCKS_WAY_KEYS)
        fault(w, PAGE_UNREACHABLE, "says more than it was asked");
    else if (!buf_add_span(&w->in, bytes))
        fault(w, PAGE_UNREACHABLE, "says too much");
    else
        take(w);
}

static void on_eof(void *owner)
{
    struct socks_way *w = owner;
    if (w->state == SOCKS_WAY_KEYS || (w->upstream->used && !w->heard)) {
        begin_again(w); /* it did not wait for the keyholder; or it had closed a connection that was kept */
        return;
    }
    if (w->state == SOCKS_WAY_REPLY)
        silent(w);
    else
        fault(w, PAGE_UNREACHABLE,
              w->state == SOCKS_WAY_METHOD ? "closed the connection without a word"
                                           : "closed the connection instead of judging user and password");
}

static void on_failed(void *owner, const struct err *why)
{
    (void)why;
    on_eof(owner);
}

static void on_drained(void *owner)
{
    (void)owner;
}

/* --- the beginning --- */

static void granted(void *owner, struct upstream *u)
{
    static const struct stream_events events = {on_data, on_eof, on_drained, on_failed};
    struct socks_way *w = owner;
    struct buf message = {0};
    w->upstream = u;
    w->state = SOCKS_WAY_METHOD;
    w->heard = false;
    w->in.max = IN_MOST;
    upstream_move(u, UPSTREAM_BUSY);
    clock_on(w);
    socks_write_greeting(&message, w->server->socks_password);
    send(w, &message);
    stream_own(u->stream, &events, w);
    stream_read(u->stream);
}

static void not_granted(void *owner, const struct unreached *why)
{
    fail(owner, why);
}

static void start_lease(struct socks_way *w, bool fresh)
{
    static const struct lease_events events = {granted, not_granted};
    w->state = SOCKS_WAY_LEASE;
    lease_start(&w->lease, w->out, w->server, w->behalf, fresh, &events, w);
}

void socks_way_start(struct socks_way *w, struct outbound *out, struct hop *server, struct behalf behalf,
                     struct span host, uint16_t port, uint32_t trial, const struct socks_way_events *events,
                     void *owner)
{
    *w = (struct socks_way){.out = out,
                            .server = hop_ref(server),
                            .behalf = behalf,
                            .events = events,
                            .owner = owner,
                            .host = host.n ? span_dup(host) : NULL,
                            .port = port,
                            .trial = trial,
                            .left = server->dial_ms};
    start_lease(w, trial != 0);
}

struct upstream *socks_way_take(struct socks_way *w)
{
    struct upstream *u = w->upstream;
    w->upstream = NULL;
    return u;
}
