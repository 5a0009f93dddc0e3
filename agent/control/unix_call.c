/*
 * Unix sockets for programs that may wait: poll before each step, against one deadline on the monotonic
 * clock. The caller owns the struct; nothing is allocated. connect(2) itself can wait too, when many callers
 * are queued: SO_SNDTIMEO bounds it.
 */
#include "control/unix_call.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

static uint64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

void unix_call_extend(struct unix_call *c, unsigned timeout_ms)
{
    c->until = timeout_ms == UNIX_CALL_FOREVER ? UINT64_MAX : now_ms() + timeout_ms;
}

static bool no_answer(struct err *e)
{
    return err_set(e, ERR_TIMEOUT, "there was no answer in time");
}

static bool connect_failed(const char *path, int number, struct err *e)
{
    switch (number) {
    case ENOENT:
    case ENOTDIR:
    case ECONNREFUSED:
        return err_set(e, ERR_GONE, "nobody answers on %s", path);
    case EAGAIN:
        return no_answer(e);
    default:
        return err_errno(e, ERR_SYSTEM, number, "cannot connect to %s", path);
    }
}

bool unix_call_open(struct unix_call *c, const char *path, unsigned timeout_ms, struct err *e)
{
    c->fd = -1;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof address.sun_path)
        return err_set(e, ERR_SYSTEM, "the path %s is too long for a socket: at most %zu letters", path,
                       sizeof address.sun_path - 1);
    strcpy(address.sun_path, path);
    c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (c->fd < 0)
        return err_errno(e, ERR_SYSTEM, errno, "cannot make a socket");
    unix_call_extend(c, timeout_ms);
    struct timeval limit = {timeout_ms / 1000, (suseconds_t)(timeout_ms % 1000) * 1000};
    setsockopt(c->fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    int done;
    do
        done = connect(c->fd, (struct sockaddr *)&address, sizeof address);
    while (done < 0 && errno == EINTR);
    if (done == 0)
        return true;
    connect_failed(path, errno, e);
    unix_call_close(c);
    return false;
}

void unix_call_close(struct unix_call *c)
{
    if (c->fd >= 0)
        close(c->fd);
    c->fd = -1;
}

bool unix_call_peer(const struct unix_call *c, struct ucred *peer, struct err *e)
{
    socklen_t n = sizeof *peer;
    if (getsockopt(c->fd, SOL_SOCKET, SO_PEERCRED, peer, &n) == 0 && n == sizeof *peer)
        return true;
    return err_errno(e, ERR_SYSTEM, errno, "cannot tell who answers");
}

/* Until the socket is ready, or the time is over. */
static bool wait_for(struct unix_call *c, short events, struct err *e)
{
    for (;;) {
        uint64_t now = now_ms();
        if (now >= c->until)
            return no_answer(e);
        struct pollfd p = {.fd = c->fd, .events = events};
        int ready = poll(&p, 1, c->until == UINT64_MAX ? -1 : (int)(c->until - now));
        if (ready > 0)
            return true;
        if (ready < 0 && errno != EINTR)
            return err_errno(e, ERR_SYSTEM, errno, "cannot wait for an answer");
    }
}

static bool try_again(int number)
{
    return number == EINTR || number == EAGAIN;
}

bool unix_call_send(struct unix_call *c, struct span bytes, struct err *e)
{
    while (bytes.n) {
        if (!wait_for(c, POLLOUT, e))
            return false;
        ssize_t n = send(c->fd, bytes.p, bytes.n, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n >= 0)
            bytes = span_from(bytes, (size_t)n);
        else if (errno == EPIPE || errno == ECONNRESET)
            return err_set(e, ERR_GONE, "the other side has closed the connection");
        else if (!try_again(errno))
            return err_errno(e, ERR_SYSTEM, errno, "cannot send");
    }
    return true;
}

bool unix_call_receive(struct unix_call *c, char *p, size_t size, size_t *got, struct err *e)
{
    for (;;) {
        if (!wait_for(c, POLLIN, e))
            return false;
        ssize_t n = recv(c->fd, p, size, MSG_DONTWAIT);
        /* A reset only says that our last words were not read. */
        if (n >= 0 || errno == ECONNRESET) {
            *got = n > 0 ? (size_t)n : 0;
            return true;
        }
        if (!try_again(errno))
            return err_errno(e, ERR_SYSTEM, errno, "cannot receive");
    }
}
