/*
 * A proxy and origin in one, quick enough to measure other programs with: upstream open|basic|ntlm. One thread, epoll.
 *
 * It asks for a scheme as a real proxy does (NTLM: two legs, then the connection is let in), but looks at no password: any final
 * token will do, so that its own arithmetic stays out of the figures. Answers:
 *   GET /bytes/N      N bytes          POST /sum        {"length": N, "sha256": "..."} of the body, which may be chunked
 *   CONNECT           an echo          GET /counts      {"connections":, "requests":, "asked":}, asked for nothing, not counted
 * Prints its port on standard output.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/evp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define ROOM  65536
#define BLOCK (1 << 20)

enum state { HEAD, BODY, CHUNK_SIZE, CHUNK_DATA, CHUNK_END, TRAILER, TUNNEL };

struct conn {
    int fd;
    enum state state;
    bool let_in, close_after, writing, counted_request;
    char *in;
    size_t n_in;
    uint64_t left;     /* of the body or chunk */
    uint64_t received; /* of the whole body */
    EVP_MD_CTX *sum;
    char head[1024]; /* our answer's head */
    size_t head_n, head_at;
    uint64_t body_left; /* our answer's body: bytes of `block` */
    char *echo;         /* tunnel: what could not be sent at once */
    size_t n_echo;
};

static char block[BLOCK];
static const char *scheme;
static uint64_t connections, requests, asked;
static int epoll;

static void watch(struct conn *c, int operation, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = c};
    epoll_ctl(epoll, operation, c->fd, &event);
}

static void conn_free(struct conn *c)
{
    close(c->fd);
    if (c->sum)
        EVP_MD_CTX_free(c->sum);
    free(c->in);
    free(c->echo);
    free(c);
}

/* Header fields: the value of `name` in the head, or NULL; *n is its length. */
static const char *field(const char *head, const char *end, const char *name, size_t *n)
{
    size_t length = strlen(name);
    for (const char *line = memchr(head, '\n', (size_t)(end - head)); line && line + 1 < end;
         line = memchr(line + 1, '\n', (size_t)(end - line - 1))) {
        const char *p = line + 1;
        if ((size_t)(end - p) <= length || strncasecmp(p, name, length) != 0 || p[length] != ':')
            continue;
        p += length + 1;
        while (*p == ' ')
            p++;
        *n = (size_t)((const char *)memchr(p, '\r', (size_t)(end - p)) - p);
        return p;
    }
    return NULL;
}

static void answer(struct conn *c, const char *status, const char *fields, const char *text, uint64_t length)
{
    c->head_n = (size_t)snprintf(
        c->head, sizeof c->head, "HTTP/1.1 %s\r\n%sContent-Length: %llu\r\n%s\r\n%s", status, fields,
        (unsigned long long)(text ? strlen(text) : length),
        c->close_after ? "Connection: close\r\n" : "Proxy-Connection: keep-alive\r\n", text ? text : "");
    c->head_at = 0;
    c->body_left = text ? 0 : length;
}

/* Sends what there is. false: the connection is over. */
static bool flush(struct conn *c)
{
    while (c->head_at < c->head_n || c->body_left || c->n_echo) {
        const char *from;
        size_t n;
        if (c->head_at < c->head_n) {
            from = c->head + c->head_at;
            n = c->head_n - c->head_at;
        } else if (c->n_echo) {
            from = c->echo;
            n = c->n_echo;
        } else {
            from = block;
            n = c->body_left < BLOCK ? (size_t)c->body_left : BLOCK;
            from += (BLOCK - c->body_left % BLOCK) % BLOCK; /* the pattern goes on where it stopped */
            if (n > (size_t)(block + BLOCK - from))
                n = (size_t)(block + BLOCK - from);
        }
        ssize_t sent = send(c->fd, from, n, MSG_NOSIGNAL);
        if (sent < 0 && errno == EAGAIN) {
            if (!c->writing)
                watch(c, EPOLL_CTL_MOD, EPOLLOUT);
            c->writing = true;
            return true;
        }
        if (sent <= 0)
            return false;
        if (from == c->head + c->head_at) {
            c->head_at += (size_t)sent;
        } else if (c->n_echo) {
            memmove(c->echo, c->echo + sent, c->n_echo - (size_t)sent);
            c->n_echo -= (size_t)sent;
        } else {
            c->body_left -= (uint64_t)sent;
        }
    }
    if (c->writing)
        watch(c, EPOLL_CTL_MOD, EPOLLIN);
    c->writing = false;
    return !(c->close_after && c->state == HEAD);
}

static void body_done(struct conn *c)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned n = 0;
    char text[256], hex[2 * EVP_MAX_MD_SIZE + 1];
    EVP_DigestFinal_ex(c->sum, digest, &n);
    for (unsigned i = 0; i < n; i++)
        snprintf(hex + 2 * i, 3, "%02x", digest[i]);
    snprintf(text, sizeof text, "{\"length\": %llu, \"sha256\": \"%s\"}\n", (unsigned long long)c->received,
             hex);
    EVP_MD_CTX_free(c->sum);
    c->sum = NULL;
    c->state = HEAD;
    answer(c, "200 OK", "", text, 0);
}

/* Is this request let in? Otherwise the 407 is under way. */
static bool admit(struct conn *c, const char *head, const char *end)
{
    size_t n = 0;
    const char *given = field(head, end, "Proxy-Authorization", &n);
    if (!scheme || c->let_in)
        return true;
    if (given && strcasecmp(scheme, "basic") == 0 && strncasecmp(given, "Basic ", 6) == 0)
        return true;
    asked++;
    if (given && strcasecmp(scheme, "ntlm") == 0 && n > 20 && strncmp(given, "NTLM TlRMTVNTUAA", 16) == 0) {
        if (given[16] == 'D') { /* Type 3 */
            asked--;
            c->let_in = true;
            return true;
        }
        answer(c, "407 Go on",
               "Proxy-Authenticate: NTLM "
               "TlRMTVNTUAACAAAACAAIADgAAAA1goniASNFZ4mrze8AAAAAAAAAAB4AHgBAAAAABgGxHQAAAA9DAE8AUgBQAAIACABDA"
               "E8AUgBQAAEACgBQAFIATwBYAFkAAAAAAA==\r\nProxy-Connection: keep-alive\r\n",
               "", 0);
        return false;
    }
    answer(c, "407 Ask",
           strcasecmp(scheme, "ntlm") == 0
               ? "Proxy-Authenticate: NTLM\r\nProxy-Connection: keep-alive\r\n"
               : "Proxy-Authenticate: Basic realm=\"bench\"\r\nProxy-Connection: keep-alive\r\n",
           "", 0);
    return false;
}

static void begin_body(struct conn *c, const char *head, const char *end)
{
    size_t n = 0;
    const char *length = field(head, end, "Content-Length", &n);
    const char *coding = field(head, end, "Transfer-Encoding", &n);
    c->received = 0;
    c->left = length ? strtoull(length, NULL, 10) : 0;
    c->state = coding ? CHUNK_SIZE : BODY;
    c->sum = EVP_MD_CTX_new();
    EVP_DigestInit_ex(c->sum, EVP_sha256(), NULL);
    if (c->state == BODY && c->left == 0)
        body_done(c);
}

static void take_head(struct conn *c, const char *head, const char *end)
{
    size_t n = 0;
    const char *connection = field(head, end, "Connection", &n);
    c->close_after = connection && n == 5 && strncasecmp(connection, "close", 5) == 0;
    if (strstr(head, "/counts ")) {
        char text[200];
        snprintf(text, sizeof text, "{\"connections\": %llu, \"requests\": %llu, \"asked\": %llu}\n",
                 (unsigned long long)connections, (unsigned long long)requests, (unsigned long long)asked);
        answer(c, "200 OK", "", text, 0);
        return;
    }
    if (!c->counted_request) {
        c->counted_request = true;
        connections++;
    }
    requests++;
    if (!admit(c, head, end))
        return;
    const char *bytes = strstr(head, "/bytes/");
    if (strncmp(head, "CONNECT ", 8) == 0) {
        c->head_n = (size_t)snprintf(c->head, sizeof c->head, "HTTP/1.1 200 Connection established\r\n\r\n");
        c->head_at = 0;
        c->state = TUNNEL;
        c->close_after = false;
    } else if (strncmp(head, "POST ", 5) == 0) {
        begin_body(c, head, end);
    } else {
        answer(c, "200 OK", "", NULL, bytes ? strtoull(bytes + 7, NULL, 10) : 0);
    }
}

/* Takes as much as it can of the n bytes at p; returns how many. */
static size_t take(struct conn *c, char *p, size_t n)
{
    char *line;
    size_t part;
    switch (c->state) {
    case HEAD:
        line = memmem(p, n, "\r\n\r\n", 4);
        if (!line)
            return 0;
        line[3] = '\0'; /* so that strstr finds an end */
        take_head(c, p, line + 3);
        return (size_t)(line + 4 - p);
    case BODY:
    case CHUNK_DATA:
        part = n < c->left ? n : (size_t)c->left;
        EVP_DigestUpdate(c->sum, p, part);
        c->left -= part;
        c->received += part;
        if (c->left == 0 && c->state == BODY)
            body_done(c);
        else if (c->left == 0)
            c->state = CHUNK_END;
        return part;
    case CHUNK_SIZE:
    case CHUNK_END:
    case TRAILER:
        line = memmem(p, n, "\r\n", 2);
        if (!line)
            return 0;
        if (c->state == CHUNK_SIZE) {
            c->left = strtoull(p, NULL, 16);
            c->state = c->left ? CHUNK_DATA : TRAILER;
        } else if (c->state == CHUNK_END) {
            c->state = CHUNK_SIZE;
        } else if (line == p) {
            body_done(c);
        }
        return (size_t)(line + 2 - p);
    case TUNNEL:
        c->echo = realloc(c->echo, c->n_echo + n);
        memcpy(c->echo + c->n_echo, p, n);
        c->n_echo += n;
        return n;
    }
    return 0;
}

/* Something came in. false: the connection is over. */
static bool readable(struct conn *c)
{
    if (!c->in)
        c->in = malloc(ROOM);
    ssize_t got = recv(c->fd, c->in + c->n_in, ROOM - c->n_in, 0);
    if (got < 0 && errno == EAGAIN)
        return true;
    if (got <= 0)
        return false;
    c->n_in += (size_t)got;
    size_t at = 0;
    while (at < c->n_in && !c->writing) {
        size_t took = take(c, c->in + at, c->n_in - at);
        if (took == 0)
            break;
        at += took;
        if (!flush(c))
            return false;
    }
    c->n_in -= at;
    memmove(c->in, c->in + at, c->n_in);
    if (c->n_in == 0 &&
        (c->state == TUNNEL || c->state == HEAD)) { /* thousands of idle ones shall cost little here too */
        free(c->in);
        c->in = NULL;
    }
    return c->n_in < ROOM;
}

static void serve(int listener)
{
    struct epoll_event events[256];
    struct conn listening = {.fd = listener};
    watch(&listening, EPOLL_CTL_ADD, EPOLLIN);
    for (;;) {
        int n = epoll_wait(epoll, events, 256, -1);
        for (int i = 0; i < n; i++) {
            struct conn *c = events[i].data.ptr;
            if (c == &listening) {
                int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
                if (fd < 0)
                    continue;
                setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
                c = calloc(1, sizeof *c);
                c->fd = fd;
                watch(c, EPOLL_CTL_ADD, EPOLLIN);
                continue;
            }
            bool alive = events[i].events & EPOLLOUT ? flush(c) : true;
            if (alive && events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR))
                alive = readable(c);
            if (!alive)
                conn_free(c);
        }
    }
}

int main(int argc, char **argv)
{
    scheme = argc > 1 && strcmp(argv[1], "open") != 0 ? argv[1] : NULL;
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    signal(SIGPIPE, SIG_IGN);
    for (size_t i = 0; i < BLOCK; i++)
        block[i] = (char)(i * 2654435761u >> 13);
    epoll = epoll_create1(EPOLL_CLOEXEC);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    if (listener < 0 || bind(listener, (struct sockaddr *)&address, sizeof address) < 0 ||
        listen(listener, 4096) < 0 || getsockname(listener, (struct sockaddr *)&address, &length) < 0) {
        perror("upstream");
        return 1;
    }
    printf("%d\n", ntohs(address.sin_port));
    fflush(stdout);
    serve(listener);
    return 0;
}
