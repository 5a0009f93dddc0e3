/*
 * For tests that drive net/'s loop on their own thread: rounds of it until something has happened, sockets of the test's own at the
 * other end, and streams that write down what they are told. Nothing here measures time: PATIENCE only ends a test that hangs.
 */
#ifndef EXEAT_TESTS_WITH_LOOP_H
#define EXEAT_TESTS_WITH_LOOP_H

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "net/stream.h"

#define PATIENCE_SECONDS 60

/* --- rounds --- */

static struct loop *loop;

static inline void loop_rest(void *owner)
{
    (void)owner;
    loop_stop(loop);
}

/* One round that waits for nothing. */
static inline void turn(void)
{
    struct later end = {0};
    later_start(loop, &end, loop_rest, NULL);
    loop_run(loop);
    later_cancel(&end);
}

/* One round that may wait a moment for another process or thread. */
static inline void turn_slowly(void)
{
    struct deadline end = {0};
    deadline_start(loop, &end, 1, loop_rest, NULL);
    loop_run(loop);
    deadline_stop(&end);
}

static inline void turns(unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        turn();
}

#define until(condition)                                                                                     \
    do {                                                                                                     \
        time_t give_up_ = time(NULL) + PATIENCE_SECONDS;                                                     \
        for (unsigned turns_ = 0; !(condition); turns_++) {                                                  \
            if (time(NULL) > give_up_)                                                                       \
                fail_msg("in vain: " #condition);                                                            \
            if (turns_ < 50)                                                                                 \
                turn();                                                                                      \
            else                                                                                             \
                turn_slowly();                                                                               \
        }                                                                                                    \
    } while (0)

/* For cmocka_unit_test_setup_teardown. */
static inline int loop_set_up(void **state)
{
    (void)state;
    loop = loop_new();
    return 0;
}

static inline int loop_tear_down(void **state)
{
    (void)state;
    return loop_free(loop) ? 0 : -1;
}

#define with_loop(test) cmocka_unit_test_setup_teardown(test, loop_set_up, loop_tear_down)

/* --- sockets of the test's own --- */

static inline int listening_socket(uint16_t *port, int backlog)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(fd, backlog), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    *port = ntohs(address.sin_port);
    return fd;
}

static inline int connect_to(uint16_t port)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons(port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

/* A port of loopback on which nobody listens: `*holder` keeps it bound. */
static inline uint16_t closed_port(int *holder)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    *holder = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(*holder, (struct sockaddr *)&address, size), 0);
    assert_int_equal(getsockname(*holder, (struct sockaddr *)&address, &size), 0);
    return ntohs(address.sin_port);
}

enum way { OVER_TCP, OVER_PAIR };

/* Two joined sockets with small buffers. */
static inline void joined(enum way way, int fds[2])
{
    int size = 16 * 1024;
    if (way == OVER_PAIR) {
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    } else {
        uint16_t port;
        int listener = listening_socket(&port, 1);
        fds[0] = connect_to(port);
        fds[1] = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        assert_true(fds[1] >= 0);
        close(listener);
    }
    for (int i = 0; i < 2; i++) {
        setsockopt(fds[i], SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
        setsockopt(fds[i], SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
        fcntl(fds[i], F_SETFL, fcntl(fds[i], F_GETFL) | (i == 0 ? O_NONBLOCK : 0));
    }
}

/* What is there at once; appended. false: the end, or an error in errno (0: the end). */
static inline bool far_take(int fd, struct buf *into)
{
    static char piece[64 * 1024];
    for (;;) {
        ssize_t n = recv(fd, piece, sizeof piece, MSG_DONTWAIT);
        if (n < 0 && errno == EAGAIN)
            return true;
        if (n <= 0) {
            errno = n < 0 ? errno : 0;
            return false;
        }
        buf_add(into, piece, (size_t)n);
    }
}

static inline void far_send(int fd, struct span bytes)
{
    assert_int_equal(send(fd, bytes.p, bytes.n, MSG_NOSIGNAL), bytes.n);
}

/* --- a stream that writes down what it is told --- */

struct ear {
    struct stream *s;
    struct buf in;
    unsigned datas, eofs, draineds, faileds;
    struct err why;
    bool inside; /* one of our own calls is running: no callback may come */
    bool close_on_data, close_on_eof, close_on_drained, close_on_failed;
};

static inline void ear_maybe_close(struct ear *e, bool now)
{
    if (!now)
        return;
    stream_close(e->s);
    e->s = NULL;
}

static inline void ear_check(const struct ear *e)
{
    assert_false(e->inside);
    assert_non_null(e->s);           /* nothing comes after stream_close */
    assert_int_equal(e->faileds, 0); /* and nothing after `failed` */
}

static inline void ear_data(void *owner, struct span bytes)
{
    struct ear *e = owner;
    ear_check(e);
    assert_true(bytes.n > 0);
    e->datas++;
    buf_add_span(&e->in, bytes);
    ear_maybe_close(e, e->close_on_data);
}

static inline void ear_eof(void *owner)
{
    struct ear *e = owner;
    ear_check(e);
    e->eofs++;
    ear_maybe_close(e, e->close_on_eof);
}

static inline void ear_drained(void *owner)
{
    struct ear *e = owner;
    ear_check(e);
    assert_int_equal(stream_backlog(e->s), 0);
    e->draineds++;
    ear_maybe_close(e, e->close_on_drained);
}

static inline void ear_failed(void *owner, const struct err *why)
{
    struct ear *e = owner;
    ear_check(e);
    e->faileds++;
    e->why = *why;
    ear_maybe_close(e, e->close_on_failed);
}

static const struct stream_events ear_events = {ear_data, ear_eof, ear_drained, ear_failed};

static inline void ear_begin(struct ear *e, struct stream *s)
{
    *e = (struct ear){.s = s};
    stream_own(s, &ear_events, e);
}

static inline void ear_end(struct ear *e)
{
    if (e->s)
        stream_close(e->s);
    buf_free(&e->in);
    *e = (struct ear){0};
}

/* Bytes that are different everywhere, so that a lost or doubled piece shows. */
static inline char *pattern(size_t n)
{
    char *p = mem_alloc(n);
    uint32_t x = 1;
    for (size_t i = 0; i < n; i++) {
        x = x * 1664525u + 1013904223u;
        p[i] = (char)(x >> 24);
    }
    return p;
}

#endif
