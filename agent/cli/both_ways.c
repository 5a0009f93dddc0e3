/*
 * Two one-way copies and one poll(2). Standard input and output may be anything, and belong to others too, so they are not made non-blocking: what poll
 * says is ready is read once, and written in pieces that a pipe takes whole.
 */
#include "cli/both_ways.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define COPY_BYTES ((size_t)64 * 1024)

struct copy {
    int from, to;
    char bytes[COPY_BYTES];
    size_t at, n; /* what is still to be written: n bytes from `at` on */
    bool eof;     /* `from` has ended */
    bool done;    /* and `to` has been told, or takes no more */
};

static bool again(int number)
{
    return number == EINTR || number == EAGAIN || number == EWOULDBLOCK;
}

/* One read, from what poll says is ready. */
static bool fill(struct copy *c, const char *what, struct err *e)
{
    ssize_t n = read(c->from, c->bytes, sizeof c->bytes);
    if (n < 0 && !again(errno))
        return err_errno(e, ERR_SYSTEM, errno, "%s", what);
    c->eof = n == 0;
    c->at = 0;
    c->n = n > 0 ? (size_t)n : 0;
    return true;
}

/* One write; -1 with errno. A pipe that is ready takes PIPE_BUF bytes without blocking; a socket is asked not to. */
static ssize_t put(int fd, const char *p, size_t n)
{
    ssize_t sent = send(fd, p, n, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent >= 0 || errno != ENOTSOCK)
        return sent;
    return write(fd, p, n < PIPE_BUF ? n : PIPE_BUF);
}

/* false: `to` takes no more. */
static bool drain(struct copy *c)
{
    ssize_t n = put(c->to, c->bytes + c->at, c->n);
    if (n < 0)
        return again(errno);
    c->at += (size_t)n;
    c->n -= (size_t)n;
    return true;
}

/* An end goes on when all before it has. */
static void pass_end(struct copy *c, bool close_too)
{
    if (!c->eof || c->n || c->done)
        return;
    shutdown(c->to, SHUT_WR);
    if (close_too)
        close(c->to);
    c->done = true;
}

static bool step(struct copy *up, struct copy *down, struct err *e)
{
    enum { IN, OUT, SOCKET, COUNT };
    bool read_in = !up->eof && up->n == 0, read_socket = !down->eof && down->n == 0;
    struct pollfd p[COUNT] = {
        [IN] = {.fd = read_in ? up->from : -1, .events = POLLIN},
        [OUT] = {.fd = down->done ? -1 : down->to, .events = down->n ? POLLOUT : 0},
        [SOCKET] = {.fd = read_socket || up->n ? up->to : -1,
                    .events = (short)((read_socket ? POLLIN : 0) | (up->n ? POLLOUT : 0))},
    };
    if (poll(p, COUNT, -1) < 0)
        return again(errno) || err_errno(e, ERR_SYSTEM, errno, "cannot wait");
    if (p[IN].revents && !fill(up, "cannot read standard input", e))
        return false;
    if (p[SOCKET].revents && read_socket && !fill(down, "the tunnel broke", e))
        return false;
    if (up->n && p[SOCKET].revents && !drain(up)) { /* what it still has to say, reading tells */
        up->eof = up->done = true;
        up->n = 0;
    }
    if (p[OUT].revents && down->n ? !drain(down) : (p[OUT].revents & (POLLERR | POLLHUP | POLLNVAL)) != 0)
        return err_set(e, ERR_NONE, "%s", "");
    pass_end(up, false);
    pass_end(down, true);
    return true;
}

bool both_ways(int sock, struct span first, struct err *e)
{
    static struct copy up, down;
    up = (struct copy){.from = STDIN_FILENO, .to = sock};
    down = (struct copy){.from = sock, .to = STDOUT_FILENO};
    fcntl(sock, F_SETFL, fcntl(sock, F_GETFL) | O_NONBLOCK);
    bool ok = true;
    while (ok && !(up.done && down.done && first.n == 0)) {
        if (first.n && down.n == 0) {
            struct span part = span_head(first, sizeof down.bytes);
            memcpy(down.bytes, part.p, part.n);
            down.at = 0;
            down.n = part.n;
            first = span_from(first, part.n);
        }
        ok = step(&up, &down, e);
    }
    close(sock);
    return ok;
}
