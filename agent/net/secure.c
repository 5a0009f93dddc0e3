/*
 * TLS between a connection and its stream: records come in and are told as content, content is written as records; the stream's backlog is the records that
 * the socket has not taken. All that one read brings is told in one piece, so that nothing is left over when the owner pauses, with one exception: what
 * came together with the end of the handshake, before anybody could read, is kept until somebody does.
 */
#include "net/secure.h"

#include <stdlib.h>

#include "base/log.h"
#include "net/uv_loop.h"
#include "net/uv_stream.h"

/* Records that we must answer with records of our own (key updates) may come faster than the other side takes the answers. */
#define ANSWERS_MOST ((size_t)64 * 1024)

struct secure {
    struct tls *tls;
    void (*secured)(void *owner); /* NULL: the handshake is over */
    struct buf kept;              /* records from the end of the handshake */
    bool end_kept;                /* and the end came with them */
    struct later resume;
    size_t answers; /* bytes of records that nobody here has asked for, and that have not left yet */
};

/* What TLS itself wants to say. */
static void answer(struct stream *s, size_t before, bool idle)
{
    struct secure *x = s->secure;
    x->answers += s->gathering.n - before;
    stream_send_gathered(s, idle);
    if (stream_backlog(s) == 0)
        x->answers = 0;
    if (x->answers > ANSWERS_MOST)
        stream_broke(s, "it wants TLS to answer and does not take the answers");
}

/* --- the handshake --- */

static void over(struct stream *s)
{
    struct secure *x = s->secure;
    void (*secured)(void *owner) = x->secured;
    char text[128];
    x->secured = NULL;
    stream_pause(s);
    tls_describe(x->tls, text, sizeof text);
    log_debug(NULL, "%s: %s", s->peer, text);
    secured(s->owner);
}

static void shake(struct stream *s, struct span records)
{
    struct secure *x = s->secure;
    struct err why;
    bool done;
    bool idle = stream_backlog(s) == 0;
    size_t before = s->gathering.n;
    enum tls_state state = tls_handshake(x->tls, &records, &s->gathering, &done, &why);
    answer(s, before, idle);
    if (state == TLS_BROKEN) {
        stream_broke(s, why.text);
    } else if (done && !s->broken) {
        buf_add_span(&x->kept, records);
        over(s);
    }
}

static void put_between(struct stream *s, struct tls *tls, void (*secured)(void *owner))
{
    s->secure = mem_zero(sizeof *s->secure);
    s->secure->tls = tls;
    s->secure->secured = secured;
    s->gathering.max = GATHERED_MOST;
}

void stream_secure(struct stream *s, struct tls_client *client, void (*secured)(void *owner))
{
    put_between(s, tls_new(client), secured);
    shake(s, SPAN(""));
    stream_read(s);
}

void stream_secure_accepted(struct stream *s, struct tls_server *server, void (*secured)(void *owner))
{
    put_between(s, tls_new_accepted(server), secured);
    stream_read(s);
}

/* --- reading --- */

static void came(struct stream *s, struct span records)
{
    char *content = s->loop->shared_read + SECURE_READ_BYTES;
    struct err why;
    size_t n;
    bool idle = stream_backlog(s) == 0;
    size_t before = s->gathering.n;
    enum tls_state state = tls_read(s->secure->tls, records, &s->gathering, content,
                                    SHARED_READ_BYTES - SECURE_READ_BYTES, &n, &why);
    answer(s, before, idle);
    if (n) {
        s->bytes_in += n;
        s->events->data(s->owner, span_make(content, n));
    }
    if (!s->events) /* closed inside */
        return;
    if (state == TLS_BROKEN)
        stream_broke(s, why.text);
    else if (state == TLS_ENDED && s->reading)
        stream_ended(s);
    else
        s->secure->end_kept = state == TLS_ENDED;
}

bool secure_shakes(const struct secure *x)
{
    return x->secured != NULL;
}

void secure_came(struct stream *s, struct span records)
{
    if (s->secure->secured)
        shake(s, records);
    else
        came(s, records);
}

void secure_gone(struct stream *s)
{
    if (s->secure->secured) {
        stream_broke(s, "it closed the connection in the middle of the TLS handshake");
        return;
    }
    s->cut_short = true;
    stream_ended(s);
}

static void resume(void *owner)
{
    struct stream *s = owner;
    struct secure *x = s->secure;
    if (x->end_kept) {
        stream_ended(s);
        return;
    }
    struct buf kept = x->kept;
    x->kept = (struct buf){0};
    came(s, buf_span(&kept));
    buf_free(&kept);
    if (s->events && s->reading)
        stream_raw_read(s);
}

bool secure_resumes(struct stream *s)
{
    if (s->secure->kept.n == 0 && !s->secure->end_kept)
        return false;
    later_start(s->loop, &s->secure->resume, resume, s);
    return true;
}

void secure_pause(struct stream *s)
{
    later_cancel(&s->secure->resume);
}

/* --- writing --- */

void secure_write(struct stream *s, const struct span *parts, size_t n)
{
    bool idle = stream_backlog(s) == 0;
    s->gathering.max = GATHERED_MOST;
    for (size_t i = 0; i < n; i++) {
        if (!tls_write(s->secure->tls, parts[i], &s->gathering)) {
            stream_broke(s, "TLS cannot write any more");
            return;
        }
        s->bytes_out += parts[i].n;
    }
    stream_send_gathered(s, idle);
}

void secure_end(struct stream *s)
{
    bool idle = stream_backlog(s) == 0;
    s->gathering.max = GATHERED_MOST;
    tls_end(s->secure->tls, &s->gathering);
    stream_send_gathered(s, idle);
}

void secure_drained(struct stream *s)
{
    s->secure->answers = 0;
}

/* --- what the stream says of it --- */

bool stream_cut_short(const struct stream *s)
{
    return s->cut_short;
}

struct span stream_binding(const struct stream *s)
{
    return s->secure ? tls_binding(s->secure->tls) : SPAN("");
}

/* --- the end --- */

void secure_free(struct secure *x)
{
    if (!x)
        return;
    tls_free(x->tls);
    buf_free(&x->kept);
    free(x);
}
