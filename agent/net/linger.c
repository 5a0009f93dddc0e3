/*
 * The slow end of a connection whose last bytes matter: see stream_linger. The stream owns itself from then on.
 */
#include "base/secret.h"
#include "net/secure.h"
#include "net/uv_loop.h"
#include "net/uv_stream.h"

#define LINGER_MS 5000

bool loop_delivers(const struct loop *loop)
{
    for (const struct list *it = loop->lingering.next; it != &loop->lingering; it = it->next)
        if (stream_backlog(list_entry(it, struct stream, lingering)))
            return true;
    return false;
}

bool loop_ends_lingering(struct loop *loop)
{
    for (struct list *it = loop->lingering.next; it != &loop->lingering; it = it->next) {
        struct stream *s = list_entry(it, struct stream, lingering);
        if (s->spent) {
            stream_close(s);
            return true;
        }
    }
    return false;
}

static void linger_over(void *owner)
{
    stream_close(owner);
}

bool stream_is_stuck(struct stream *s)
{
    uint64_t before = s->untaken;
    s->untaken = stream_untaken(s);
    return s->untaken && s->untaken >= before;
}

/* Whoever never reads would keep the stream, and a descriptor, for ever. */
static void linger_look(void *owner)
{
    struct stream *s = owner;
    if (stream_is_stuck(s))
        stream_abort(s);
    else
        deadline_start(s->loop, &s->patience, s->linger_ms, linger_look, s);
}

static void linger_data(void *owner, struct span bytes)
{
    (void)owner;
    secret_wipe((char *)(uintptr_t)bytes.p, bytes.n); /* there may be a request with credentials in it */
}

/* The other side will send no more, but what it has not taken yet is still its own. */
static void linger_eof(void *owner)
{
    struct stream *s = owner;
    if (stream_backlog(s) == 0)
        stream_close(s);
}

/* The FIN follows by itself, and we wait for the other side's: the time for that begins now, however slowly it has read. */
static void linger_drained(void *owner)
{
    struct stream *s = owner;
    if (s->eof) {
        stream_close(s);
        return;
    }
    if (s->accepted && !s->spent) {
        s->spent = true;
        s->loop->spent++;
    }
    deadline_start(s->loop, &s->patience, LINGER_MS, linger_over, s);
}

static void linger_failed(void *owner, const struct err *why)
{
    (void)why;
    stream_close(owner);
}

void stream_linger(struct stream *s, unsigned seconds)
{
    static const struct stream_events dropping = {linger_data, linger_eof, linger_drained, linger_failed};
    /* In a handshake nothing has been said yet, and `secured` is for somebody else. */
    bool shakes = s->secure && secure_shakes(s->secure);
    if (s->broken || shakes || (s->eof && stream_backlog(s) == 0)) {
        stream_close(s);
        return;
    }
    stream_own(s, &dropping, s);
    list_push_back(&s->loop->lingering, &s->lingering);
    stream_shutdown(s);
    stream_read(s);
    if (stream_backlog(s) == 0) {
        linger_drained(s);
        return;
    }
    s->linger_ms = seconds * 1000;
    s->untaken = stream_untaken(s);
    deadline_start(s->loop, &s->patience, s->linger_ms, linger_look, s);
}
