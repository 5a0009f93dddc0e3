/*
 * A connected stream over libuv. One write is in flight at most; bytes that arrive meanwhile gather in a second buffer, so that a
 * slow peer costs one copy and two buffers, and an idle stream none. Reads go into the one buffer of the loop.
 */
#include "net/stream.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "base/secret.h"
#include "net/secure.h"
#include "net/uv_loop.h"
#include "net/uv_stream.h"

static void released(struct buf *b, bool wipe)
{
    if (wipe)
        secret_wipe(b->p, b->cap);
    buf_free(b);
}

static struct stream *stream_new(struct loop *loop)
{
    struct stream *s = mem_zero(sizeof *s);
    s->loop = loop;
    list_init(&s->lingering);
    return s;
}

struct stream *stream_new_tcp(struct loop *loop)
{
    struct stream *s = stream_new(loop);
    uv_tcp_init(&loop->uv, &s->handle.tcp);
    s->handle.any.data = s;
    return s;
}

struct stream *stream_new_pipe(struct loop *loop)
{
    struct stream *s = stream_new(loop);
    uv_pipe_init(&loop->uv, &s->handle.pipe, 0);
    s->handle.any.data = s;
    snprintf(s->peer, sizeof s->peer, "unix");
    return s;
}

void stream_name_peer(struct stream *s)
{
    struct sockaddr_storage address;
    int size = sizeof address;
    char ip[INET6_ADDRSTRLEN] = "?";
    if (s->handle.any.type != UV_TCP ||
        uv_tcp_getpeername(&s->handle.tcp, (struct sockaddr *)&address, &size) != 0)
        return;
    if (address.ss_family == AF_INET6) {
        const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)&address;
        uv_ip6_name(v6, ip, sizeof ip);
        snprintf(s->peer, sizeof s->peer, "[%s]:%u", ip, ntohs(v6->sin6_port));
    } else {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)&address;
        uv_ip4_name(v4, ip, sizeof ip);
        snprintf(s->peer, sizeof s->peer, "%s:%u", ip, ntohs(v4->sin_port));
    }
}

struct stream *stream_from_fd(struct loop *loop, int fd)
{
    struct sockaddr_storage address = {0};
    socklen_t size = sizeof address;
    if (getsockname(fd, (struct sockaddr *)&address, &size) == 0 && address.ss_family != AF_UNIX) {
        struct stream *s = stream_new_tcp(loop);
        uv_tcp_open(&s->handle.tcp, fd);
        uv_tcp_nodelay(&s->handle.tcp, 1);
        stream_name_peer(s);
        return s;
    }
    struct stream *s = stream_new_pipe(loop);
    uv_pipe_open(&s->handle.pipe, fd);
    return s;
}

void stream_own(struct stream *s, const struct stream_events *events, void *owner)
{
    s->events = events;
    s->owner = owner;
}

/* --- errors --- */

static void tell_failure(void *owner)
{
    struct stream *s = owner;
    struct err why;
    err_set(&why, s->words ? ERR_PROTOCOL : ERR_GONE, "%s", s->words ? s->words : uv_strerror(s->error));
    if (s->events)
        s->events->failed(s->owner, &why);
}

static void broke(struct stream *s, int error)
{
    if (s->broken)
        return;
    s->broken = true;
    s->error = error;
    stream_pause(s);
    later_start(s->loop, &s->fail, tell_failure, s);
}

void stream_broke(struct stream *s, const char *words)
{
    if (!s->broken)
        s->words = mem_strdup(words);
    broke(s, 0);
}

/* --- reading --- */

static void lend_buffer(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    const struct stream *s = handle->data;
    (void)suggested;
    *buf = uv_buf_init(s->loop->shared_read, s->secure ? SECURE_READ_BYTES : SHARED_READ_BYTES);
}

void stream_ended(struct stream *s)
{
    s->eof = true;
    stream_pause(s);
    s->events->eof(s->owner);
}

static void was_read(uv_stream_t *handle, ssize_t n, const uv_buf_t *buf)
{
    struct stream *s = handle->data;
    if (n > 0 && s->secure) {
        secure_came(s, span_make(buf->base, (size_t)n));
    } else if (n > 0) {
        s->bytes_in += (uint64_t)n;
        s->events->data(s->owner, span_make(buf->base, (size_t)n));
    } else if (n == UV_EOF && s->secure) {
        secure_gone(s);
    } else if (n == UV_EOF) {
        stream_ended(s);
    } else if (n < 0) {
        broke(s, (int)n);
    }
}

void stream_raw_read(struct stream *s)
{
    int error = uv_read_start(&s->handle.stream, lend_buffer, was_read);
    if (error && error != UV_EALREADY)
        broke(s, error);
}

static void read_on(struct stream *s)
{
    if (!s->secure || !secure_resumes(s))
        stream_raw_read(s);
}

static void tell_again(void *owner)
{
    struct stream *s = owner;
    struct buf unread = s->unread;
    const struct stream_events *told = s->events;
    s->unread = (struct buf){0};
    told->data(s->owner, buf_span(&unread));
    buf_free(&unread);
    if (s->events && s->reading) /* it may have been closed */
        read_on(s);
}

void stream_read(struct stream *s)
{
    if (s->reading || s->broken || s->eof)
        return;
    s->reading = true;
    if (s->unread.n)
        later_start(s->loop, &s->again, tell_again, s);
    else
        read_on(s);
}

void stream_unread(struct stream *s, struct span bytes)
{
    buf_add_span(&s->unread, bytes);
}

void stream_pause(struct stream *s)
{
    if (!s->reading)
        return;
    s->reading = false;
    later_cancel(&s->again);
    if (s->secure)
        secure_pause(s);
    uv_read_stop(&s->handle.stream);
}

bool stream_reading(const struct stream *s)
{
    return s->reading;
}

/* --- writing --- */

static void was_shut(uv_shutdown_t *request, int status)
{
    struct stream *s = request->data;
    if (status && status != UV_ECANCELED && status != UV_ENOTCONN)
        broke(s, status);
}

static void shut_when_sent(struct stream *s)
{
    if (!s->shut_wanted || s->shut_sent || s->broken || stream_backlog(s) > 0)
        return;
    s->shut_sent = true;
    s->shut.data = s;
    int error = uv_shutdown(&s->shut, &s->handle.stream, was_shut);
    if (error && error != UV_ENOTCONN)
        broke(s, error);
}

static void was_written(uv_write_t *request, int status);

static void send_gathered(struct stream *s)
{
    struct buf spare = s->sending;
    s->sending = s->gathering;
    s->gathering = spare;
    buf_clear(&s->gathering);
    uv_buf_t bytes = uv_buf_init(s->sending.p, (unsigned)s->sending.n);
    s->write.data = s;
    int error = uv_write(&s->write, &s->handle.stream, &bytes, 1, was_written);
    if (error) {
        buf_clear(&s->sending);
        broke(s, error);
    }
}

static void was_written(uv_write_t *request, int status)
{
    struct stream *s = request->data;
    if (status == UV_ECANCELED) /* closing */
        return;
    if (status) {
        broke(s, status);
        return;
    }
    if (!s->secure) /* which counts the content */
        s->bytes_out += s->sending.n;
    buf_clear(&s->sending);
    if (s->gathering.n) {
        send_gathered(s);
        return;
    }
    released(&s->sending, s->wipe);
    released(&s->gathering, s->wipe);
    s->wipe = false;
    if (s->secure)
        secure_drained(s);
    shut_when_sent(s);
    if (s->events)
        s->events->drained(s->owner);
}

/* What the socket takes at once; the rest is the backlog's. */
static size_t send_now(struct stream *s, const struct span *parts, size_t n)
{
    uv_buf_t bufs[8];
    unsigned count = 0;
    for (size_t i = 0; i < n && count < 8; i++)
        if (parts[i].n)
            bufs[count++] = uv_buf_init((char *)(uintptr_t)parts[i].p, (unsigned)parts[i].n);
    if (count == 0)
        return 0;
    int sent = uv_try_write(&s->handle.stream, bufs, count);
    if (sent >= 0)
        return (size_t)sent;
    if (sent != UV_EAGAIN)
        broke(s, sent);
    return 0;
}

/* Grows without leaving a copy in released memory: what has been gathered may hold a secret. */
static void grow_wiped(struct buf *b, size_t more)
{
    size_t wanted = b->n + more > 2 * b->cap ? b->n + more : 2 * b->cap;
    struct buf bigger = {.max = b->max};
    if (b->n + more <= b->cap || !buf_reserve(&bigger, wanted))
        return;
    buf_add_span(&bigger, buf_span(b));
    released(b, true);
    *b = bigger;
}

static void gather(struct stream *s, struct span bytes)
{
    s->gathering.max = GATHERED_MOST;
    if (s->wipe)
        grow_wiped(&s->gathering, bytes.n);
    buf_add_span(&s->gathering, bytes);
}

void stream_send_gathered(struct stream *s, bool idle)
{
    if (!idle || s->gathering.n == 0 || s->broken)
        return;
    struct span all = buf_span(&s->gathering);
    buf_drop(&s->gathering, send_now(s, &all, 1));
    if (s->gathering.n == 0)
        buf_free(&s->gathering);
    else if (!s->broken)
        send_gathered(s);
}

void stream_writev(struct stream *s, const struct span *parts, size_t n)
{
    if (s->broken || s->shut_wanted)
        return;
    if (s->secure) {
        secure_write(s, parts, n);
        return;
    }
    bool idle = stream_backlog(s) == 0;
    size_t sent = idle ? send_now(s, parts, n) : 0;
    if (s->broken)
        return;
    s->bytes_out += sent;
    for (size_t i = 0; i < n; i++) {
        size_t skip = sent < parts[i].n ? sent : parts[i].n;
        sent -= skip;
        gather(s, span_from(parts[i], skip));
    }
    if (idle && s->gathering.n)
        send_gathered(s);
}

void stream_write(struct stream *s, struct span bytes)
{
    stream_writev(s, &bytes, 1);
}

void stream_write_secret(struct stream *s, struct span bytes)
{
    s->wipe = s->wipe || !s->secure; /* what TLS keeps back is no secret any more */
    stream_writev(s, &bytes, 1);
}

size_t stream_backlog(const struct stream *s)
{
    return s->broken ? 0 : s->sending.n + s->gathering.n;
}

uint64_t stream_untaken(const struct stream *s)
{
    uv_os_fd_t fd;
    int queued = 0;
    if (s->broken || uv_fileno(&s->handle.any, &fd) != 0)
        return 0;
    ioctl(fd, TIOCOUTQ, &queued); /* tcp(7), unix(7): SIOCOUTQ */
    return uv_stream_get_write_queue_size(&s->handle.stream) + s->gathering.n + (uint64_t)queued;
}

void stream_shutdown(struct stream *s)
{
    if (s->secure && !s->shut_wanted && !s->broken)
        secure_end(s);
    s->shut_wanted = true;
    shut_when_sent(s);
}

/* --- ends --- */

static void was_closed(uv_handle_t *handle)
{
    struct stream *s = handle->data;
    loop_descriptor_freed(s->loop, s->accepted);
    released(&s->sending, s->wipe);
    released(&s->gathering, s->wipe);
    buf_free(&s->unread);
    secure_free(s->secure);
    free(s->words);
    free(s);
}

static void let_go(struct stream *s)
{
    void (*gone)(void *owner) = s->gone;
    s->events = NULL;
    s->gone = NULL;
    list_remove(&s->lingering);
    if (s->spent)
        s->loop->spent--;
    s->spent = false;
    later_cancel(&s->fail);
    later_cancel(&s->again);
    if (s->secure)
        secure_pause(s);
    if (s->bridge)
        bridge_released(s->bridge, s);
    deadline_stop(&s->patience);
    if (gone)
        gone(s->gone_owner);
}

void stream_when_gone(struct stream *s, void (*gone)(void *owner), void *owner)
{
    s->gone = gone;
    s->gone_owner = owner;
}

void stream_close(struct stream *s)
{
    if (s->secure && !s->broken && !s->shut_wanted && stream_backlog(s) == 0)
        secure_end(s); /* if the socket takes it at once */
    let_go(s);
    uv_close(&s->handle.any, was_closed);
}

void stream_abort(struct stream *s)
{
    let_go(s);
    if (s->handle.any.type != UV_TCP || s->shut_sent || uv_tcp_close_reset(&s->handle.tcp, was_closed) != 0)
        uv_close(&s->handle.any, was_closed);
}

/* --- small answers --- */

struct loop *stream_loop(const struct stream *s)
{
    return s->loop;
}

const char *stream_peer(const struct stream *s)
{
    return s->peer;
}

uint64_t stream_bytes_in(const struct stream *s)
{
    return s->bytes_in;
}

uint64_t stream_bytes_out(const struct stream *s)
{
    return s->bytes_out;
}

bool stream_addresses(const struct stream *s, struct sockaddr_storage *own, struct sockaddr_storage *peer)
{
    int own_size = sizeof *own, peer_size = sizeof *peer;
    return s->handle.any.type == UV_TCP &&
           uv_tcp_getsockname(&s->handle.tcp, (struct sockaddr *)own, &own_size) == 0 &&
           uv_tcp_getpeername(&s->handle.tcp, (struct sockaddr *)peer, &peer_size) == 0;
}

static bool peer_credentials(const struct stream *s, struct ucred *peer)
{
    socklen_t size = sizeof *peer;
    uv_os_fd_t fd;
    return s->handle.any.type == UV_NAMED_PIPE && uv_fileno(&s->handle.any, &fd) == 0 &&
           getsockopt(fd, SOL_SOCKET, SO_PEERCRED, peer, &size) == 0;
}

bool stream_peer_uid(const struct stream *s, uid_t *uid)
{
    struct ucred peer;
    if (!peer_credentials(s, &peer))
        return false;
    *uid = peer.uid;
    return true;
}

pid_t stream_peer_pid(const struct stream *s)
{
    struct ucred peer;
    return peer_credentials(s, &peer) ? peer.pid : 0;
}

bool stream_has_input(const struct stream *s)
{
    char byte;
    uv_os_fd_t fd;
    return uv_fileno(&s->handle.any, &fd) == 0 && recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
}

void stream_keepalive(struct stream *s, unsigned seconds)
{
    if (s->handle.any.type == UV_TCP)
        uv_tcp_keepalive(&s->handle.tcp, 1, seconds);
}
