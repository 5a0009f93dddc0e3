/*
 * Makes load through a proxy: load requests PORT COUNT CONNECTIONS PATH, or load tunnels PORT COUNT CONNECTIONS. One thread, epoll.
 *
 * requests: GETs of http://site.example/PATH over so many keep-alive connections, each of which is opened again when the proxy closes it.
 * tunnels: CONNECT, wait for the 200, one byte there and back, close; so many at once. Prints one JSON object.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
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
#include <time.h>
#include <unistd.h>

#define HEAD_ROOM 65536

enum state { SLEEPS, ANSWER, BODY, UNTIL_CLOSE, ECHO };

struct conn {
    int fd;
    enum state state;
    bool close;
    size_t n_in;
    uint64_t left;
    char in[HEAD_ROOM];
};

static int port, epoll;
static bool tunnels;
static char request[1024];
static long wanted, started, done, failed, opened, running;

static void begin(struct conn *c);

static void shut(struct conn *c)
{
    if (c->fd >= 0)
        close(c->fd);
    c->fd = -1;
}

static void dial(struct conn *c)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    if (connect(c->fd, (struct sockaddr *)&address, sizeof address) < 0) {
        perror("connect");
        exit(1);
    }
    opened++;
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
    epoll_ctl(epoll, EPOLL_CTL_ADD, c->fd, &event);
}

/* One request is over, well or not. */
static void finish(struct conn *c, bool good)
{
    good ? done++ : failed++;
    if (!good || c->close || tunnels)
        shut(c);
    c->state = SLEEPS;
    begin(c);
}

static void begin(struct conn *c)
{
    if (started == wanted) {
        shut(c);
        running--;
        return;
    }
    started++;
    if (c->fd < 0)
        dial(c);
    c->n_in = 0;
    c->state = ANSWER;
    c->close = false;
    if (send(c->fd, request, strlen(request), MSG_NOSIGNAL) < 0) { /* closed while it was idle */
        shut(c);
        dial(c);
        send(c->fd, request, strlen(request), MSG_NOSIGNAL);
    }
}

static const char *field(const char *head, const char *name)
{
    for (const char *line = strstr(head, "\r\n"); line; line = strstr(line + 2, "\r\n"))
        if (strncasecmp(line + 2, name, strlen(name)) == 0 && line[2 + strlen(name)] == ':') {
            const char *value = line + 3 + strlen(name);
            return value + strspn(value, " ");
        }
    return NULL;
}

static bool take_head(struct conn *c, char *end)
{
    *end = '\0';
    if (strncmp(c->in, "HTTP/1.", 7) != 0 || strncmp(c->in + 9, "200", 3) != 0)
        return false;
    size_t rest = c->n_in - (size_t)(end + 4 - c->in);
    if (tunnels) {
        c->state = ECHO;
        return send(c->fd, "x", 1, MSG_NOSIGNAL) == 1;
    }
    const char *length = field(c->in, "Content-Length"), *connection = field(c->in, "Connection");
    c->close = c->in[7] == '0' || (connection && strncasecmp(connection, "close", 5) == 0);
    c->state = length ? BODY : UNTIL_CLOSE;
    c->left = length ? strtoull(length, NULL, 10) - rest : 0;
    if (c->state == BODY && c->left == 0)
        finish(c, true);
    return true;
}

static void readable(struct conn *c)
{
    if (c->state == ANSWER) {
        ssize_t got = recv(c->fd, c->in + c->n_in, HEAD_ROOM - 1 - c->n_in, 0);
        if (got <= 0) { /* a keep-alive connection that was closed under us: once more, not counted */
            shut(c);
            dial(c);
            c->n_in = 0;
            send(c->fd, request, strlen(request), MSG_NOSIGNAL);
            return;
        }
        c->n_in += (size_t)got;
        c->in[c->n_in] = '\0';
        char *end = strstr(c->in, "\r\n\r\n");
        if (end && !take_head(c, end)) {
            if (failed == 0)
                fprintf(stderr, "load: %.200s\n", c->in);
            finish(c, false);
        }
        return;
    }
    char room[65536];
    ssize_t got = recv(c->fd, room, sizeof room, 0);
    if (c->state == BODY && got > 0) {
        c->left -= (uint64_t)got;
        if (c->left == 0)
            finish(c, true);
    } else if (c->state == ECHO) {
        finish(c, got == 1 && room[0] == 'x');
    } else if (got <= 0) {
        c->close = true;
        finish(c, c->state == UNTIL_CLOSE);
    }
}

int main(int argc, char **argv)
{
    if (argc < 5)
        return 2;
    tunnels = strcmp(argv[1], "tunnels") == 0;
    port = atoi(argv[2]);
    wanted = atol(argv[3]);
    running = atol(argv[4]);
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    if (tunnels)
        snprintf(request, sizeof request,
                 "CONNECT site.example:443 HTTP/1.1\r\nHost: site.example:443\r\n\r\n");
    else
        snprintf(
            request, sizeof request,
            "GET http://site.example/%s HTTP/1.1\r\nHost: site.example\r\nUser-Agent: load\r\nAccept: */*\r\n"
            "Proxy-Connection: keep-alive\r\n\r\n",
            argc > 5 ? argv[5] : "bytes/1000");
    epoll = epoll_create1(EPOLL_CLOEXEC);
    struct timespec from, to;
    clock_gettime(CLOCK_MONOTONIC, &from);
    for (long i = running; i > 0; i--) {
        struct conn *c = calloc(1, sizeof *c);
        c->fd = -1;
        begin(c);
    }
    struct epoll_event events[64];
    while (running > 0) {
        int n = epoll_wait(epoll, events, 64, 30000);
        if (n == 0) {
            fprintf(stderr, "load: nothing comes any more, %ld of %ld done\n", done, wanted);
            return 1;
        }
        for (int i = 0; i < n; i++)
            readable(events[i].data.ptr);
    }
    clock_gettime(CLOCK_MONOTONIC, &to);
    printf("{\"done\": %ld, \"failed\": %ld, \"opened\": %ld, \"seconds\": %.3f}\n", done, failed, opened,
           (double)(to.tv_sec - from.tv_sec) + (double)(to.tv_nsec - from.tv_nsec) / 1e9);
    return failed ? 1 : 0;
}
