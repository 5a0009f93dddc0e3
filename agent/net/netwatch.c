/*
 * At the start, and again after the kernel had to drop messages, the table of netnews.c is filled from three listings; after that only what
 * differs is news. News comes in bursts (a cable plugged in is a link, addresses and routes, over some hundred milliseconds): the
 * event comes when there has been none for QUIET_MS, or, where they never end, after BURST_MOST_MS. The deadline runs only then.
 *
 * CLOCK_MONOTONIC stands still while the computer sleeps and CLOCK_BOOTTIME does not, so their difference grows by the time slept; a clock
 * that was merely set leaves it as it is.
 */
#include "net/netwatch.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/log.h"
#include "net/netnews.h"
#include "net/uv_loop.h"

#define QUIET_MS       200
#define BURST_MOST_MS  2000
#define READS_PER_WAKE 64
#define SLEPT_LEAST_NS 1000000000 /* less is the time between two looks at two clocks */
#define NEVER          ((time_t)1 << 40)

/* One descriptor that is polled; freed when libuv has let go of it. */
struct source {
    uv_poll_t poll;
    int fd;
};

struct netwatch {
    struct loop *loop;
    netwatch_fn changed;
    void *owner;
    struct source *netlink, *clock; /* NULL: none */
    struct netnews news;
    unsigned listed; /* how many of the listings have been asked for */
    bool listing;    /* one is coming, and */
    bool list_again; /* all are needed once more after it: the kernel takes no other question before */
    struct deadline quiet;
    uint64_t burst_began;
    int (*now)(clockid_t clock, struct timespec *out);
    int64_t asleep; /* nanoseconds since boot, as of the last look */
};

static void source_closed(uv_handle_t *handle)
{
    struct source *s = list_entry((uv_poll_t *)handle, struct source, poll);
    close(s->fd);
    free(s);
}

static void source_close(struct source **s)
{
    if (*s)
        uv_close((uv_handle_t *)&(*s)->poll, source_closed);
    *s = NULL;
}

static struct source *source_open(struct netwatch *w, int fd, uv_poll_cb readable)
{
    if (fd < 0)
        return NULL;
    struct source *s = mem_zero(sizeof *s);
    s->fd = fd;
    uv_poll_init(&w->loop->uv, &s->poll, fd);
    s->poll.data = w;
    uv_unref((uv_handle_t *)&s->poll);
    uv_poll_start(&s->poll, UV_READABLE, readable);
    return s;
}

/* --- the network --- */

static void has_been_quiet(void *owner)
{
    struct netwatch *w = owner;
    w->changed(w->owner, false);
}

static void note_change(struct netwatch *w)
{
    uint64_t now = loop_now(w->loop);
    if (!w->quiet.timer)
        w->burst_began = now;
    uint64_t left = w->burst_began + BURST_MOST_MS > now ? w->burst_began + BURST_MOST_MS - now : 0;
    deadline_start(w->loop, &w->quiet, left < QUIET_MS ? left : QUIET_MS, has_been_quiet, w);
}

/* One at a time, as the kernel wants it. */
static void ask_for_next_listing(struct netwatch *w)
{
    static const unsigned short types[] = {RTM_GETLINK, RTM_GETADDR, RTM_GETROUTE};
    w->listing = w->listed < sizeof types / sizeof *types;
    if (!w->listing)
        return;
    struct {
        struct nlmsghdr head;
        struct rtgenmsg of; /* every family */
    } question = {.head = {.nlmsg_len = sizeof question,
                           .nlmsg_type = types[w->listed++],
                           .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP}};
    w->listing = send(w->netlink->fd, &question, sizeof question, MSG_DONTWAIT | MSG_NOSIGNAL) > 0;
    if (!w->listing)
        log_debug(NULL, "the kernel does not list its links, addresses and routes: %s", strerror(errno));
}

static void list_all(struct netwatch *w)
{
    w->list_again = w->listing;
    if (w->listing)
        return;
    netnews_clear(&w->news);
    w->listed = 0;
    ask_for_next_listing(w);
}

static void listing_ended(struct netwatch *w)
{
    w->listing = false;
    if (w->list_again)
        list_all(w);
    else
        ask_for_next_listing(w);
}

static void take_datagram(struct netwatch *w, ssize_t n)
{
    bool whole = (size_t)n <= SHARED_READ_BYTES;
    unsigned told =
        whole ? netnews_take(&w->news, span_make(w->loop->shared_read, (size_t)n)) : NETNEWS_CHANGED;
    if (told & NETNEWS_LISTED)
        listing_ended(w);
    if (told & NETNEWS_CHANGED)
        note_change(w);
}

/* false: there is no more for now. */
static bool read_datagram(struct netwatch *w)
{
    struct sockaddr_nl from = {0};
    socklen_t size = sizeof from;
    ssize_t n = recvfrom(w->netlink->fd, w->loop->shared_read, SHARED_READ_BYTES, MSG_DONTWAIT | MSG_TRUNC,
                         (struct sockaddr *)&from, &size);
    if (n > 0 && from.nl_pid == 0) { /* the kernel's, not another process's */
        take_datagram(w, n);
    } else if (n < 0 && errno == ENOBUFS) {
        note_change(w);
        list_all(w);
    } else if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
        log_warning(NULL, "changes of the network are not seen any more: %s", strerror(errno));
        source_close(&w->netlink);
        return false;
    }
    return n >= 0 || errno != EAGAIN;
}

static void netlink_readable(uv_poll_t *handle, int status, int events)
{
    struct netwatch *w = handle->data;
    (void)events;
    for (unsigned i = 0; i < READS_PER_WAKE; i++)
        if (!read_datagram(w))
            break;
    /* An error that waits at the socket (messages were dropped) ends libuv's poll; it has been read by now. */
    if (status < 0 && w->netlink)
        uv_poll_start(&w->netlink->poll, UV_READABLE, netlink_readable);
}

int netwatch_open(void)
{
    struct sockaddr_nl own = {.nl_family = AF_NETLINK,
                              .nl_groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR |
                                           RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE};
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
    if (fd < 0)
        return -1;
    if (bind(fd, (struct sockaddr *)&own, sizeof own) == 0)
        return fd;
    int error = errno;
    close(fd);
    errno = error;
    return -1;
}

static uint32_t port_of(int fd)
{
    struct sockaddr_nl own = {0};
    socklen_t size = sizeof own;
    bool known = getsockname(fd, (struct sockaddr *)&own, &size) == 0 && own.nl_family == AF_NETLINK;
    return known ? own.nl_pid : 0;
}

/* --- sleep --- */

static int64_t nanoseconds(const struct netwatch *w, clockid_t clock)
{
    struct timespec t = {0};
    w->now(clock, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static int64_t time_asleep(const struct netwatch *w)
{
    int64_t awake = nanoseconds(w, CLOCK_MONOTONIC);
    return nanoseconds(w, CLOCK_BOOTTIME) - awake;
}

static int arm_clock(int fd)
{
    struct itimerspec never = {.it_value = {.tv_sec = NEVER}};
    return timerfd_settime(fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &never, NULL);
}

static int open_clock(void)
{
    int fd = timerfd_create(CLOCK_REALTIME, TFD_CLOEXEC | TFD_NONBLOCK);
    if (fd >= 0 && arm_clock(fd) == 0)
        return fd;
    int error = errno;
    if (fd >= 0)
        close(fd);
    errno = error;
    return -1;
}

static void clock_readable(uv_poll_t *handle, int status, int events)
{
    struct netwatch *w = handle->data;
    uint64_t times;
    (void)status;
    (void)events;
    if (read(w->clock->fd, &times, sizeof times) == 0) /* else ECANCELED, which is the news */
        return;
    arm_clock(w->clock->fd);
    int64_t before = w->asleep;
    w->asleep = time_asleep(w);
    if (w->asleep - before >= SLEPT_LEAST_NS)
        w->changed(w->owner, true);
}

/* --- up and down --- */

struct netwatch *netwatch_start_on(struct loop *loop, const struct netwatch_sources *sources,
                                   netwatch_fn changed, void *owner)
{
    struct netwatch *w = mem_zero(sizeof *w);
    *w = (struct netwatch){.loop = loop, .changed = changed, .owner = owner, .now = sources->now};
    w->netlink = source_open(w, sources->netlink, netlink_readable);
    w->clock = source_open(w, sources->clock, clock_readable);
    w->asleep = time_asleep(w);
    if (w->netlink) {
        netnews_init(&w->news, port_of(w->netlink->fd));
        list_all(w);
    }
    return w;
}

struct netwatch *netwatch_start(struct loop *loop, netwatch_fn changed, void *owner)
{
    struct netwatch_sources sources = {.netlink = netwatch_open(), .now = clock_gettime};
    if (sources.netlink < 0)
        log_warning(NULL,
                    "changes of the network are not seen (no netlink socket: %s): old connections are given "
                    "up only when they fail",
                    strerror(errno));
    sources.clock = open_clock();
    if (sources.clock < 0)
        log_warning(NULL, "it is not seen when this computer slept: %s", strerror(errno));
    return netwatch_start_on(loop, &sources, changed, owner);
}

void netwatch_stop(struct netwatch *w)
{
    if (!w)
        return;
    deadline_stop(&w->quiet);
    source_close(&w->netlink);
    source_close(&w->clock);
    netnews_clear(&w->news);
    free(w);
}
