/*
 * Bridges: a pair of sockets, one of which is given away; behind the other one the bytes go to the far stream and come from it, with backpressure. A bridge owns
 * the far stream and its own end of the pair; it goes when the end that was given away is closed and all that was written there has left, or when the far stream
 * has broken, or takes nothing any more. Loop thread only.
 */
#include "net/bridge.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/uv_loop.h"
#include "net/uv_stream.h"

#define LINGER_SECONDS 300

struct bridge {
    struct stream *far, *near; /* near: our end of the pair */
    struct stream *given;      /* the other end of it; NULL: closed */
    bool far_ended, near_ended;
};

static void release(struct bridge *b, void (*end_far)(struct stream *))
{
    if (b->given)
        b->given->bridge = NULL;
    b->near->bridge = NULL;
    end_far(b->far);
    stream_close(b->near);
    free(b);
}

static void pass(struct stream *from, struct stream *to, struct span bytes)
{
    stream_write(to, bytes);
    if (stream_backlog(to))
        stream_pause(from);
}

static void near_data(void *owner, struct span bytes)
{
    struct bridge *b = owner;
    pass(b->near, b->far, bytes);
}

static void far_data(void *owner, struct span bytes)
{
    struct bridge *b = owner;
    pass(b->far, b->near, bytes);
}

static void linger(struct stream *far)
{
    stream_linger(far, LINGER_SECONDS);
}

static void near_eof(void *owner)
{
    struct bridge *b = owner;
    b->near_ended = true;
    stream_shutdown(b->far);
    if (!b->given)
        release(b, linger);
}

static void far_eof(void *owner)
{
    struct bridge *b = owner;
    b->far_ended = true;
    stream_shutdown(b->near);
}

static void near_drained(void *owner)
{
    struct bridge *b = owner;
    if (!b->far_ended)
        stream_read(b->far);
}

static void far_drained(void *owner)
{
    struct bridge *b = owner;
    if (!b->near_ended)
        stream_read(b->near);
}

static void failed(void *owner, const struct err *why)
{
    (void)why;
    release(owner, stream_abort);
}

static void look(void *owner)
{
    struct bridge *b = owner;
    if (stream_is_stuck(b->far))
        release(b, stream_abort);
    else
        deadline_start(b->near->loop, &b->near->patience, LINGER_SECONDS * 1000, look, b);
}

void bridge_released(struct bridge *b, const struct stream *end)
{
    if (end == b->near) { /* the loop is taken down */
        stream_close(b->far);
        free(b);
        return;
    }
    b->given = NULL;
    if (b->near_ended) {
        release(b, linger);
        return;
    }
    /* until its last bytes have been read */
    list_push_back(&b->near->loop->lingering, &b->near->lingering);
    b->far->untaken = stream_untaken(b->far);
    deadline_start(b->near->loop, &b->near->patience, LINGER_SECONDS * 1000, look, b);
}

struct stream *bridge_over(struct stream *far)
{
    static const struct stream_events near_events = {near_data, near_eof, near_drained, failed};
    static const struct stream_events far_events = {far_data, far_eof, far_drained, failed};
    int pair[2];
    if (!far->secure)
        return far;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0) {
        stream_close(far);
        return NULL;
    }
    struct bridge *b = mem_zero(sizeof *b);
    b->far = far;
    b->near = stream_from_fd(far->loop, pair[0]);
    b->given = stream_from_fd(far->loop, pair[1]);
    b->near->bridge = b->given->bridge = b;
    memcpy(b->given->peer, far->peer, sizeof far->peer);
    stream_own(far, &far_events, b);
    stream_own(b->near, &near_events, b);
    stream_read(far);
    stream_read(b->near);
    return b->given;
}
