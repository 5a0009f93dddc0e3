/*
 * Blocking connections with limits, for exeat doctor. The name look-up is glibc's own thread, which we stop waiting for (getaddrinfo_a); all else is
 * poll(2) against a deadline. TLS is net/tls.c, which knows no sockets.
 */
#include "cli/doctor_line.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define RECORDS_READ  ((size_t)16 * 1024)
#define CONTENT_MOST  ((size_t)64 * 1024) /* what one reading of records can hold */
#define HEAD_MOST     ((size_t)1 << 20)
#define INTERIM_HEADS 16

uint64_t line_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

void line_address(const struct addrinfo *a, char text[64])
{
    char host[48] = "?";
    if (a->ai_family == AF_INET6)
        inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)(const void *)a->ai_addr)->sin6_addr, host,
                  sizeof host);
    else if (a->ai_family == AF_INET)
        inet_ntop(AF_INET, &((const struct sockaddr_in *)(const void *)a->ai_addr)->sin_addr, host,
                  sizeof host);
    snprintf(text, 64, "%s", host);
}

/* --- names --- */

/* As long as the look-up, which may outlast us. */
struct lookup {
    struct gaicb ask;
    struct addrinfo hints;
    char port[8];
    char host[];
};

static int wait_lookup(struct lookup *l, unsigned ms)
{
    const struct gaicb *list[] = {&l->ask};
    uint64_t until = line_now() + ms;
    for (uint64_t now = line_now(); now < until; now = line_now()) {
        struct timespec left = {(time_t)((until - now) / 1000), (long)((until - now) % 1000) * 1000000};
        gai_suspend(list, 1, &left);
        if (gai_error(&l->ask) != EAI_INPROGRESS)
            break;
    }
    return gai_error(&l->ask);
}

bool line_resolve(const char *host, uint16_t port, unsigned ms, struct addrinfo **out, struct err *e)
{
    size_t n = strlen(host) + 1;
    struct lookup *l = mem_zero(sizeof *l + n);
    memcpy(l->host, host, n);
    snprintf(l->port, sizeof l->port, "%u", port);
    l->hints = (struct addrinfo){.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
    l->ask = (struct gaicb){.ar_name = l->host, .ar_service = l->port, .ar_request = &l->hints};
    struct gaicb *list[] = {&l->ask};
    int code = getaddrinfo_a(GAI_NOWAIT, list, 1, NULL);
    code = code ? code : wait_lookup(l, ms);
    if (code == EAI_INPROGRESS)
        return err_set(e, ERR_TIMEOUT, "no name server said within %u seconds where %s is", ms / 1000, host);
    *out = l->ask.ar_result;
    free(l);
    return code == 0 || err_set(e, ERR_UNREACHABLE, "the name %s cannot be found: %s", host,
                                code == EAI_AGAIN                          ? "no name server answers"
                                : code == EAI_NONAME || code == EAI_NODATA ? "the name servers do not know it"
                                                                           : gai_strerror(code));
}

/* --- connections --- */

/* Until the socket is ready for it. */
static bool wait_for(int fd, short events, uint64_t until)
{
    for (;;) {
        uint64_t now = line_now();
        struct pollfd p = {.fd = fd, .events = events};
        int ready = poll(&p, 1, now < until ? (int)(until - now) : 0);
        if (ready > 0)
            return true;
        if (ready == 0 && now >= until)
            return false;
        if (ready < 0 && errno != EINTR)
            return false;
    }
}

/* 0, or an errno. */
static int connect_one(int fd, const struct sockaddr *address, socklen_t n, uint64_t until)
{
    if (connect(fd, address, n) == 0)
        return 0;
    if (errno != EINPROGRESS)
        return errno;
    if (!wait_for(fd, POLLOUT, until))
        return ETIMEDOUT;
    int number = 0;
    socklen_t size = sizeof number;
    return getsockopt(fd, SOL_SOCKET, SO_ERROR, &number, &size) == 0 ? number : errno;
}

static bool connect_failed(const struct addrinfo *a, int number, unsigned ms, struct err *e)
{
    char text[64];
    line_address(a, text);
    if (number == ETIMEDOUT)
        return err_set(e, ERR_TIMEOUT, "%s does not answer at all (waited %u second%s)", text, ms / 1000,
                       ms / 1000 == 1 ? "" : "s");
    if (number == ECONNREFUSED)
        return err_set(e, ERR_UNREACHABLE, "%s refuses the connection: nobody listens on that port", text);
    if (number == ENETUNREACH)
        return err_set(e, ERR_UNREACHABLE, "this computer is on no network that leads to %s", text);
    return err_errno(e, ERR_UNREACHABLE, number, "%s cannot be reached", text);
}

bool line_connect(struct line *l, const struct addrinfo *all, unsigned ms, const struct addrinfo **chosen,
                  struct err *e)
{
    unsigned left = 0;
    uint64_t until = line_now() + ms;
    *l = LINE_NOBODY;
    for (const struct addrinfo *a = all; a; a = a->ai_next)
        left++;
    err_set(e, ERR_UNREACHABLE, "there is no address");
    for (const struct addrinfo *a = all; a; a = a->ai_next, left--) {
        uint64_t now = line_now();
        unsigned share = now < until ? (unsigned)(until - now) / left : 0;
        int fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        int number = fd < 0 ? errno : connect_one(fd, a->ai_addr, a->ai_addrlen, now + share);
        if (number == 0) {
            l->fd = fd;
            *chosen = a;
            return true;
        }
        connect_failed(a, number, share, e);
        if (fd >= 0)
            close(fd);
    }
    return false;
}

static bool dial_unix(struct line *l, const char *path, unsigned ms, struct err *e)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof address.sun_path)
        return err_set(e, ERR_USAGE, "the path %s is too long for a socket", path);
    strcpy(address.sun_path, path);
    l->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int number = connect_one(l->fd, (const struct sockaddr *)&address, sizeof address, line_now() + ms);
    if (number == 0)
        return true;
    line_close(l);
    return err_errno(e, ERR_UNREACHABLE, number, "nobody answers on unix:%s", path);
}

bool line_dial(struct line *l, const char *place, unsigned ms, struct err *e)
{
    struct span text = span_str(place);
    const struct addrinfo *chosen;
    struct addrinfo *all = NULL;
    uint64_t port = 0;
    *l = LINE_NOBODY;
    if (span_starts(text, SPAN("unix:")))
        return dial_unix(l, place + 5, ms, e);
    size_t colon = span_rfind(text, ':');
    bool brackets = colon > 1 && place[0] == '[';
    if (!span_u64(span_from(text, colon + 1), &port) || port > 65535)
        return err_set(e, ERR_USAGE, "%s is no address", place);
    char *host = span_dup(brackets ? span_make(place + 1, colon - 2) : span_head(text, colon));
    bool good = line_resolve(host, (uint16_t)port, ms, &all, e) && line_connect(l, all, ms, &chosen, e);
    free(host);
    if (all)
        freeaddrinfo(all);
    return good;
}

void line_close(struct line *l)
{
    tls_free(l->tls);
    if (l->fd >= 0)
        close(l->fd);
    buf_free(&l->in);
    *l = LINE_NOBODY;
}

bool line_is_local(const struct line *l)
{
    struct sockaddr_storage ours = {0}, theirs = {0};
    socklen_t n = sizeof ours, m = sizeof theirs;
    if (getsockname(l->fd, (struct sockaddr *)&ours, &n) < 0 ||
        getpeername(l->fd, (struct sockaddr *)&theirs, &m) < 0 || ours.ss_family != theirs.ss_family)
        return false;
    if (ours.ss_family == AF_INET)
        return ((struct sockaddr_in *)&ours)->sin_addr.s_addr ==
               ((struct sockaddr_in *)&theirs)->sin_addr.s_addr;
    return memcmp(&((struct sockaddr_in6 *)&ours)->sin6_addr, &((struct sockaddr_in6 *)&theirs)->sin6_addr,
                  sizeof(struct in6_addr)) == 0;
}

/* --- bytes --- */

static bool hung_up(struct err *e)
{
    return err_set(e, ERR_GONE, "it closed the connection");
}

static bool too_late(struct err *e)
{
    return err_set(e, ERR_TIMEOUT, "it says nothing");
}

static bool send_raw(int fd, struct span bytes, uint64_t until, struct err *e)
{
    while (bytes.n) {
        ssize_t n = send(fd, bytes.p, bytes.n, MSG_NOSIGNAL);
        if (n >= 0)
            bytes = span_from(bytes, (size_t)n);
        else if (errno == EAGAIN && !wait_for(fd, POLLOUT, until))
            return err_set(e, ERR_TIMEOUT, "it does not take what it is sent");
        else if (errno != EAGAIN && errno != EINTR)
            return hung_up(e);
    }
    return true;
}

/* *n 0: the end. */
static bool receive_raw(int fd, char *p, size_t size, uint64_t until, size_t *n, struct err *e)
{
    for (;;) {
        ssize_t got = recv(fd, p, size, 0);
        if (got >= 0) {
            *n = (size_t)got;
            return true;
        }
        if (errno == EAGAIN && !wait_for(fd, POLLIN, until))
            return too_late(e);
        if (errno != EAGAIN && errno != EINTR)
            return hung_up(e);
    }
}

/* Records to content. */
static bool take_records(struct line *l, struct span records, uint64_t until, struct err *e)
{
    struct buf out = {0};
    char *content = mem_alloc(CONTENT_MOST);
    size_t size = 0;
    enum tls_state state = tls_read(l->tls, records, &out, content, CONTENT_MOST, &size, e);
    l->ended = state == TLS_ENDED;
    bool good =
        state != TLS_BROKEN && buf_add(&l->in, content, size) && send_raw(l->fd, buf_span(&out), until, e);
    buf_free(&out);
    free(content);
    return good;
}

/* Content, one reading's worth. */
static bool receive(struct line *l, uint64_t until, struct err *e)
{
    char raw[RECORDS_READ];
    size_t n = 0;
    if (!receive_raw(l->fd, raw, sizeof raw, until, &n, e))
        return false;
    l->ended = n == 0;
    if (l->tls && n)
        return take_records(l, span_make(raw, n), until, e);
    return buf_add(&l->in, raw, n) || err_set(e, ERR_LIMIT, "its answer is larger than any that exeat reads");
}

bool line_more(struct line *l, uint64_t until, struct err *e)
{
    l->in.max = HEAD_MOST;
    return l->ended ? hung_up(e) : receive(l, until, e);
}

bool line_secure(struct line *l, struct tls_client *client, unsigned ms, struct err *e)
{
    uint64_t until = line_now() + ms;
    struct buf out = {0}, records = {0};
    bool done = false;
    l->tls = tls_new(client);
    for (;;) {
        struct span in = buf_span(&records);
        enum tls_state state = tls_handshake(l->tls, &in, &out, &done, e);
        struct err ignored;
        bool sent = send_raw(l->fd, buf_span(&out), until, state == TLS_OPEN ? e : &ignored);
        buf_clear(&out);
        buf_drop(&records, records.n - in.n);
        char raw[RECORDS_READ];
        size_t n;
        if (state != TLS_OPEN || !sent || done || !receive_raw(l->fd, raw, sizeof raw, until, &n, e))
            break;
        if (n == 0) {
            err_set(e, ERR_GONE, "it closed the connection in the middle of the TLS handshake");
            break;
        }
        buf_add(&records, raw, n);
    }
    if (done && records.n) /* what came together with the last word */
        done = take_records(l, buf_span(&records), until, e);
    buf_free(&out);
    buf_free(&records);
    return done;
}

bool line_send(struct line *l, struct span bytes, unsigned ms, struct err *e)
{
    if (!l->tls)
        return send_raw(l->fd, bytes, line_now() + ms, e);
    struct buf out = {0};
    bool good =
        tls_write(l->tls, bytes, &out) ? send_raw(l->fd, buf_span(&out), line_now() + ms, e) : hung_up(e);
    buf_free(&out);
    return good;
}

/* What came first cannot be the beginning of an answer. */
static bool check_beginning(const struct line *l, struct err *e)
{
    struct span begin = span_head(buf_span(&l->in), 5);
    if (begin.n && (begin.p[0] == 0x15 || begin.p[0] == 0x16))
        return err_set(e, ERR_PROTOCOL, "it speaks TLS");
    if (!span_istarts(SPAN("HTTP/"), begin))
        return err_set(e, ERR_PROTOCOL, "what it says is not HTTP");
    return true;
}

/* The sentence of *e, where something has come. */
static bool cut_short(const struct line *l, struct err *e)
{
    if (l->in.n && e->code == ERR_GONE)
        err_set(e, ERR_GONE, "it closed the connection in the middle of its answer");
    if (l->in.n && e->code == ERR_TIMEOUT)
        err_set(e, ERR_TIMEOUT, "it began its answer and did not end it");
    return false;
}

bool line_head(struct line *l, unsigned ms, struct head *h, struct err *e)
{
    uint64_t until = line_now() + ms;
    size_t scanned = 0, n;
    struct fault fault;
    l->in.max = HEAD_MOST;
    for (unsigned interim = 0; interim < INTERIM_HEADS;) {
        if (!check_beginning(l, e))
            return false;
        n = head_end(buf_span(&l->in), &scanned);
        if (n == 0) {
            if (!line_more(l, until, e))
                return cut_short(l, e);
            continue;
        }
        if (!head_read_response(h, span_head(buf_span(&l->in), n), &head_limits_default, true, &fault))
            return err_set(e, ERR_PROTOCOL, "its answer is no HTTP (%s)", fault.why);
        buf_drop(&l->in, n);
        if (h->status >= 200 || h->status == 101)
            return true;
        head_free(h);
        scanned = 0;
        interim++;
    }
    return err_set(e, ERR_PROTOCOL, "it never comes to its answer");
}

bool line_rest(struct line *l, size_t most, unsigned ms, struct err *e)
{
    uint64_t until = line_now() + ms;
    l->in.max = most + CONTENT_MOST;
    while (!l->ended && l->in.n < most)
        if (!receive(l, until, e))
            return false;
    return true;
}
