/*
 * Listening sockets by hand over uv_poll, because accepting must be able to stop: when descriptors run out libuv's own listener would accept
 * and close, and the client would see a reset. Here the connection stays in the kernel's queue until a stream has closed.
 */
#include "net/listen.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/log.h"
#include "net/given.h"
#include "net/listen_resume.h"
#include "net/uv_loop.h"
#include "net/uv_stream.h"

#define BACKLOG          1024
#define ACCEPTS_PER_WAKE 64
#define PAUSE_TOLD_MS    60000
#define RETRY_MS         1000 /* descriptors ran out though no stream of ours is open: somebody else holds them */

struct listener {
    uv_poll_t poll;
    struct loop *loop;
    struct list paused; /* in loop->paused while waiting for descriptors */
    struct deadline retry;
    accepted_fn accepted;
    void *owner;
    int fd;
    bool exempt;
    char *name;
    char *path; /* Unix sockets: removed at the end */
};

static void ready(uv_poll_t *handle, int status, int events);

static void wait_for_clients(struct listener *l)
{
    uv_poll_start(&l->poll, UV_READABLE, ready);
}

static bool over_budget(const struct listener *l)
{
    return !l->exempt && l->loop->accepted_open >= l->loop->accepted_budget;
}

void listener_resume(struct list *paused_link)
{
    struct listener *l = list_entry(paused_link, struct listener, paused);
    if (over_budget(l))
        return;
    deadline_stop(&l->retry);
    list_remove(&l->paused);
    wait_for_clients(l);
}

static void retry_passed(void *owner)
{
    struct listener *l = owner;
    listener_resume(&l->paused);
}

/* No word of it, where somebody makes room. */
static void pause_for(struct listener *l, const char *why)
{
    bool makes_room = loop_ends_lingering(l->loop);
    if (!makes_room && (!l->loop->pause_told || loop_now(l->loop) - l->loop->pause_told > PAUSE_TOLD_MS)) {
        log_warning(NULL, "%s: %s; new clients wait until a connection ends", l->name, why);
        l->loop->pause_told = loop_now(l->loop);
    }
    uv_poll_stop(&l->poll);
    list_push_back(&l->loop->paused, &l->paused);
    deadline_start(l->loop, &l->retry, RETRY_MS, retry_passed, l);
}

/* -1: with errno. */
static int accept_one(struct listener *l)
{
    int fd = accept4(l->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0)
        return -1;
    struct stream *s = stream_from_fd(l->loop, fd);
    if (!l->exempt) {
        s->accepted = true;
        l->loop->accepted_open++;
    }
    l->accepted(l->owner, s);
    return fd;
}

static void ready(uv_poll_t *handle, int status, int events)
{
    struct listener *l = handle->data;
    (void)events;
    if (status < 0)
        return;
    for (unsigned i = 0; i < ACCEPTS_PER_WAKE && !uv_is_closing((uv_handle_t *)handle);
         i++) { /* `accepted` may close us */
        if (over_budget(l)) {
            if (i == 0) /* else nobody knows whether one more waits: the poll tells */
                pause_for(l, "as many clients as descriptors allow");
            return;
        }
        if (accept_one(l) < 0) {
            if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
                pause_for(l, "out of descriptors");
            return; /* EAGAIN, ECONNABORTED: the poll tells of the next */
        }
    }
}

static struct listener *begin(struct loop *loop, int fd, accepted_fn accepted, void *owner)
{
    struct listener *l = mem_zero(sizeof *l);
    *l = (struct listener){.loop = loop, .fd = fd, .accepted = accepted, .owner = owner};
    list_init(&l->paused);
    uv_poll_init(&loop->uv, &l->poll, fd);
    l->poll.data = l;
    wait_for_clients(l);
    return l;
}

static char *tcp_name(int fd)
{
    struct sockaddr_storage address;
    socklen_t size = sizeof address;
    char host[NI_MAXHOST] = "?", port[NI_MAXSERV] = "?";
    char *name = mem_alloc(sizeof host + sizeof port + 4);
    if (getsockname(fd, (struct sockaddr *)&address, &size) == 0)
        getnameinfo((struct sockaddr *)&address, size, host, sizeof host, port, sizeof port,
                    NI_NUMERICHOST | NI_NUMERICSERV);
    snprintf(name, sizeof host + sizeof port + 4, strchr(host, ':') ? "[%s]:%s" : "%s:%s", host, port);
    return name;
}

bool listen_is_loopback(const struct sockaddr *address)
{
    if (address->sa_family == AF_INET)
        return ntohl(((const struct sockaddr_in *)address)->sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
    const struct in6_addr *v6 = &((const struct sockaddr_in6 *)address)->sin6_addr;
    return IN6_IS_ADDR_LOOPBACK(v6) || (IN6_IS_ADDR_V4MAPPED(v6) && v6->s6_addr[12] == IN_LOOPBACKNET);
}

/* `free_bind`: whether or not an interface has that address. */
static int bound_tcp(const struct addrinfo *at, bool free_bind)
{
    int on = 1;
    int fd = socket(at->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (at->ai_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
    if (free_bind)
        setsockopt(fd, IPPROTO_IP, IP_FREEBIND, &on, sizeof on); /* of IPv6 sockets too */
    if (bind(fd, at->ai_addr, at->ai_addrlen) == 0 && listen(fd, BACKLOG) == 0)
        return fd;
    int error = errno;
    close(fd);
    errno = error;
    return -1;
}

/* NULL with *e: there is no such address. */
static struct addrinfo *find_address(const char *host, uint16_t port, struct err *e)
{
    char service[8];
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *found = NULL;
    snprintf(service, sizeof service, "%u", port);
    int code = getaddrinfo(host, service, &hints, &found); /* at start-up only, and for loopback names */
    if (code)
        err_set(e, ERR_SYSTEM, "cannot listen on %s:%u: %s", host, port, gai_strerror(code));
    return code ? NULL : found;
}

static void explain_bind(const char *host, uint16_t port, int error, struct err *e)
{
    if (error == EADDRINUSE)
        err_set(e, ERR_SYSTEM,
                "cannot listen on %s:%u: another program has that port (is exeat running already, or "
                "cntlm, px?)",
                host, port);
    else
        err_errno(e, error == EADDRNOTAVAIL || error == EAFNOSUPPORT ? ERR_UNREACHABLE : ERR_SYSTEM, error,
                  "cannot listen on %s:%u", host, port);
}

struct listener *listen_tcp(struct loop *loop, const char *host, uint16_t port, accepted_fn accepted,
                            void *owner, struct err *e)
{
    struct addrinfo *found = find_address(host, port, e);
    if (!found)
        return NULL;
    if (!listen_is_loopback(found->ai_addr)) { /* localhost is what /etc/hosts says */
        freeaddrinfo(found);
        err_set(
            e, ERR_CONFIG,
            "cannot listen on %s:%u: that is not this machine's loopback, and others could use exeat as you; "
            "write 127.0.0.1:%u",
            host, port, port);
        return NULL;
    }
    int fd = bound_tcp(found, false);
    int error = errno;
    freeaddrinfo(found);
    if (fd < 0) {
        explain_bind(host, port, error, e);
        return NULL;
    }
    struct listener *l = begin(loop, fd, accepted, owner);
    l->name = tcp_name(fd);
    return l;
}

struct listener *listen_tcp_open(struct loop *loop, const char *host, uint16_t port, accepted_fn accepted,
                                 void *owner, struct err *e)
{
    struct addrinfo *found = find_address(host, port, e);
    if (!found)
        return NULL;
    int fd = bound_tcp(found, false);
    if (fd < 0 && errno == EADDRNOTAVAIL && (fd = bound_tcp(found, true)) >= 0)
        log_warning(NULL,
                    "no interface of this machine has the address %s at present; clients will be heard when "
                    "one has it",
                    host);
    int error = errno;
    freeaddrinfo(found);
    if (fd < 0) {
        explain_bind(host, port, error, e);
        return NULL;
    }
    struct listener *l = begin(loop, fd, accepted, owner);
    l->name = tcp_name(fd);
    return l;
}

/* A socket file that nobody answers on is what a killed agent left behind. Only a refusal says that: somebody too busy to take one more, or who does
   not want us, lives. */
static bool clear_stale(const char *path, const struct sockaddr_un *address, struct err *e)
{
    struct stat st;
    if (lstat(path, &st) != 0)
        return true;
    if (!S_ISSOCK(st.st_mode))
        return err_set(e, ERR_SYSTEM, "%s is in the way: it is no socket", path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    bool stale = fd >= 0 && connect(fd, (const struct sockaddr *)address, sizeof *address) != 0 &&
                 errno == ECONNREFUSED;
    if (fd >= 0)
        close(fd);
    if (!stale)
        return err_set(e, ERR_SYSTEM, "another program is listening on %s already (is exeat running?)", path);
    return unlink(path) == 0 || err_errno(e, ERR_SYSTEM, errno, "cannot remove the old socket %s", path);
}

static int bound_unix(const char *path, struct err *e)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof address.sun_path) {
        err_set(e, ERR_SYSTEM, "the socket path %s is too long: at most %zu bytes", path,
                sizeof address.sun_path - 1);
        return -1;
    }
    strcpy(address.sun_path, path);
    if (!clear_stale(path, &address, e))
        return -1;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    mode_t mask = umask(0177);
    bool bound = fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof address) == 0;
    int error = errno;
    umask(mask);
    if (bound && listen(fd, BACKLOG) == 0)
        return fd;
    err_errno(e, ERR_SYSTEM, bound ? errno : error, "cannot listen on %s", path);
    if (fd >= 0)
        close(fd);
    return -1;
}

struct listener *listen_unix(struct loop *loop, const char *path, accepted_fn accepted, void *owner,
                             struct err *e)
{
    int fd = bound_unix(path, e);
    if (fd < 0)
        return NULL;
    struct listener *l = begin(loop, fd, accepted, owner);
    l->path = mem_strdup(path);
    l->name = mem_alloc(strlen(path) + sizeof "unix:");
    sprintf(l->name, "unix:%s", path);
    return l;
}

struct listener *listen_given(struct loop *loop, const struct given *g, accepted_fn accepted, void *owner,
                              struct err *e)
{
    int fd = fcntl(g->fd, F_DUPFD_CLOEXEC, 0);
    if (fd < 0) {
        err_errno(e, ERR_SYSTEM, errno, "cannot listen on %s", g->address);
        return NULL;
    }
    struct listener *l = begin(loop, fd, accepted, owner);
    l->name = mem_strdup(g->address);
    return l;
}

void listener_take_waiting(struct listener *l)
{
    for (unsigned i = 0; i < BACKLOG && !over_budget(l) && accept_one(l) >= 0; i++)
        ;
}

void listener_exempt(struct listener *l)
{
    l->exempt = true;
}

const char *listener_name(const struct listener *l)
{
    return l->name;
}

static void was_closed(uv_handle_t *handle)
{
    struct listener *l = handle->data;
    free(l->name);
    free(l->path);
    free(l);
}

void listener_close(struct listener *l)
{
    deadline_stop(&l->retry);
    list_remove(&l->paused);
    if (l->path)
        unlink(l->path);
    uv_close((uv_handle_t *)&l->poll, was_closed);
    close(l->fd); /* now, for who is told that it is closed may try (uv_poll allows it after uv_close) */
}
