/*
 * exeat connect: standard input and output through the running agent, as ssh's ProxyCommand wants it. A client of the agent like any other: it finds
 * the agent's HTTP listener and writes a CONNECT there. One thread, blocking.
 */
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/buf.h"
#include "cli/ask_agent.h"
#include "cli/both_ways.h"
#include "cli/progress.h"
#include "cli/say.h"
#include "cli/verb.h"
#include "config/config.h"
#include "http/target.h"
#include "net/listen.h"

#define ANSWER_MOST ((size_t)2 << 20) /* bytes: more than any head that the agent passes on */
#define PAGE_MOST   ((size_t)64 << 10)
#define FOR_OTHERS  (-2)

/* --- to the agent --- */

static int dial_unix(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof address.sun_path)
        return -1;
    strcpy(address.sun_path, path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (const struct sockaddr *)&address, sizeof address) == 0)
        return fd;
    if (fd >= 0)
        close(fd);
    return -1;
}

/* Where clients from beyond this machine come in, a token would be asked of us too. */
static bool is_for_us(int fd)
{
    struct sockaddr_storage there = {0};
    socklen_t size = sizeof there;
    return getpeername(fd, (struct sockaddr *)&there, &size) == 0 &&
           listen_is_loopback((const struct sockaddr *)&there);
}

static int dial_tcp(struct span place)
{
    size_t colon = span_rfind(place, ':');
    bool brackets = colon > 1 && place.p[0] == '[';
    char *host = span_dup(brackets ? span_make(place.p + 1, colon - 2) : span_head(place, colon));
    char *port = span_dup(span_from(place, colon + 1));
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV}, *found = NULL;
    int fd = -1;
    if (strcmp(port, "0") != 0 && getaddrinfo(host, port, &hints, &found) == 0)
        fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, found->ai_addr, found->ai_addrlen) != 0) {
        close(fd);
        fd = -1;
    }
    if (fd >= 0 && !is_for_us(fd)) {
        close(fd);
        fd = FOR_OTHERS;
    }
    if (found)
        freeaddrinfo(found);
    free(host);
    free(port);
    return fd;
}

/* "127.0.0.1:3128", "[::1]:3128" or "unix:PATH". -1: nobody answers there; FOR_OTHERS. */
static int dial(const char *place)
{
    struct span text = span_str(place);
    return span_starts(text, SPAN("unix:")) ? dial_unix(place + 5) : dial_tcp(text);
}

static int no_agent(const char *place, int fd, struct err *e)
{
    if (fd == FOR_OTHERS) {
        err_set(
            e, ERR_CONFIG,
            "%s, where the agent listens, is for clients that have a token; write an address for programs of "
            "this machine, too: 127.0.0.1:3128 in http of [listen]",
            place);
        return -1;
    }
    err_set(e, ERR_GONE, "no agent is running (nobody answers on %s): start it with \"exeat run\"", place);
    return -1;
}

/* An agent that another user runs for us has no control socket that we could ask; where it listens is in the configuration. */
static int dial_configured(const char *path, struct err *e)
{
    struct err why = {0};
    struct config *c = config_load(path, path ? e : &why);
    int fd = -1;
    for (size_t i = 0; c && i < c->n_listen && fd < 0; i++)
        fd = dial(c->listen[i].text);
    if (c && fd < 0)
        no_agent(c->listen[0].text, fd, e);
    config_unref(c);
    return fd < 0 ? -1 : fd;
}

static int dial_agent(const char *config_path, struct err *e)
{
    if (config_path)
        return dial_configured(config_path, e);
    json_t *answer = ask_agent("listening", e), *name;
    if (!answer)
        return e->code == ERR_GONE ? dial_configured(NULL, e) : -1;
    size_t i;
    int fd = -1;
    const char *place = "any address";
    json_array_foreach(json_object_get(answer, "listening"), i, name)
    {
        place = json_string_value(name);
        if (place && fd < 0)
            fd = dial(place);
    }
    if (fd < 0)
        no_agent(place ? place : "?", fd, e);
    json_decref(answer);
    return fd < 0 ? -1 : fd;
}

/* --- the question and its answer --- */

static bool ask(int fd, struct span authority, struct err *e)
{
    struct buf text = {0};
    buf_addf(&text, "CONNECT %.*s HTTP/1.1\r\nHost: %.*s\r\nConnection: close\r\n\r\n", SPAN_ARG(authority),
             SPAN_ARG(authority));
    ssize_t sent;
    do
        sent = send(fd, text.p, text.n, MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    bool ok = sent == (ssize_t)text.n; /* some hundred bytes into an empty socket */
    buf_free(&text);
    return ok || err_set(e, ERR_GONE, "the agent closed the connection");
}

/* At least one byte more. false: the end, or an error. */
static bool hear(int fd, struct buf *in, size_t most)
{
    char part[16384];
    ssize_t n;
    do
        n = recv(fd, part, sizeof part, 0);
    while (n < 0 && errno == EINTR);
    return n > 0 && in->n + (size_t)n <= most && buf_add(in, part, (size_t)n);
}

/* The head of the final answer; what follows it stays in *in. */
static bool hear_head(int fd, struct buf *in, struct head *h, struct err *e)
{
    static const struct head_limits limits = {ANSWER_MOST, ANSWER_MOST, 10000};
    struct fault fault;
    for (;;) {
        size_t scanned = 0, n;
        while (!(n = head_end(buf_span(in), &scanned)))
            if (!hear(fd, in, ANSWER_MOST))
                return err_set(e, ERR_GONE, "the agent closed the connection before it answered");
        if (!head_read_response(h, span_head(buf_span(in), n), &limits, false, &fault))
            return err_set(e, ERR_PROTOCOL, "what answered is no HTTP proxy: %s", fault.why);
        buf_drop(in, n);
        if (h->status >= 200)
            return true;
        head_free(h);
    }
}

/* --- failures --- */

/* The line of the agent's page that begins with `label`, without it. */
static struct span line_of(struct span page, struct span label)
{
    while (page.n) {
        struct span line = span_cut(&page, '\n');
        if (span_starts(line, label))
            return span_from(line, label.n);
    }
    return (struct span){0};
}

/* How the agent's own answers end this program; by what Proxy-Status calls them. */
static enum exit_code code_of(const struct head *h, struct span status)
{
    static const char *const unreachable[] = {
        "error=dns_error",          "error=destination_unavailable", "error=connection_refused",
        "error=connection_timeout", "error=http_response_timeout",   "error=tls_protocol_error"};
    for (size_t i = 0; i < sizeof unreachable / sizeof *unreachable; i++)
        if (memmem(status.p, status.n, unreachable[i], strlen(unreachable[i])))
            return EXIT_UNREACHABLE;
    bool denied = memmem(status.p, status.n, "error=http_request_denied", 25) != NULL;
    return denied && h->status == 502 ? EXIT_REFUSED : EXIT_FAILED;
}

static int say_no_tunnel(int fd, struct buf *in, const struct head *h, struct span authority)
{
    const struct field *status = head_field(h, "Proxy-Status");
    if (!status || !span_starts(status->value, SPAN("exeat;")))
        return say_error(h->status == 407 ? EXIT_REFUSED : EXIT_FAILED,
                         "no tunnel to %.*s: the proxy answered %u%s%.*s", SPAN_ARG(authority), h->status,
                         h->reason.n ? " " : "", SPAN_ARG(span_head(h->reason, 200)));
    while (hear(fd, in, PAGE_MOST))
        ;
    struct span why = line_of(buf_span(in), SPAN("What happened: "));
    struct span remedy = line_of(buf_span(in), SPAN("What to do: "));
    return say_error(code_of(h, status->value), "no tunnel to %.*s: %.*s%s%.*s", SPAN_ARG(authority),
                     SPAN_ARG(why), remedy.n ? "\n" : "", SPAN_ARG(remedy));
}

static int join(int fd, struct span first)
{
    struct err e = {0};
    if (both_ways(fd, first, &e))
        return EXIT_DONE;
    if (e.code != ERR_NONE)
        say_failure(&e);
    return EXIT_FAILED;
}

static int through(int fd, struct span authority)
{
    struct buf in = {.max = ANSWER_MOST * 2};
    struct head h = {0};
    struct err e = {0};
    progress_begin("waiting for the tunnel");
    bool heard = ask(fd, authority, &e) && hear_head(fd, &in, &h, &e);
    progress_end();
    if (!heard) {
        buf_free(&in);
        close(fd);
        return say_failure(&e);
    }
    bool open = h.status / 100 == 2;
    int code = open ? join(fd, buf_span(&in)) : say_no_tunnel(fd, &in, &h, authority);
    if (!open)
        close(fd);
    head_free(&h);
    buf_free(&in);
    return code;
}

/* --- the verb --- */

/* The words as "HOST:PORT"; ssh writes IPv6 addresses without brackets. */
static bool read_words(const struct verb_call *call, struct buf *authority, struct err *e)
{
    if (call->n_words != 2)
        return err_set(e, ERR_USAGE, "\"exeat connect\" needs a host and a port: exeat connect HOST PORT");
    struct span host = span_str(call->words[0]), port = span_str(call->words[1]), same;
    bool ipv6, bare = span_find(host, ':') < host.n && host.p[0] != '[';
    uint16_t number;
    buf_addf(authority, bare ? "[%.*s]:%.*s" : "%.*s:%.*s", SPAN_ARG(host), SPAN_ARG(port));
    return target_authority(buf_span(authority), 0, &same, &ipv6, &number) ||
           err_set(e, ERR_USAGE, "\"%s\" and \"%s\" are not a host and a port from 1 to 65535",
                   call->words[0], call->words[1]);
}

static int run(const struct verb_call *call)
{
    struct err e = {0};
    struct buf authority = {0};
    int fd = -1;
    signal(SIGPIPE, SIG_IGN);
    if (fcntl(STDIN_FILENO, F_GETFD) < 0 ||
        fcntl(STDOUT_FILENO, F_GETFD) < 0) /* our socket would take their place */
        return say_error(EXIT_FAILED, "standard input or standard output is closed");
    if (read_words(call, &authority, &e))
        fd = dial_agent(verb_value(call, "config"), &e);
    int code = fd < 0 ? say_failure(&e) : through(fd, buf_span(&authority));
    buf_free(&authority);
    return code;
}

static const struct verb_option options[] = {
    {"config", 'c', "FILE", "use the agent that listens where FILE says"},
    {0},
};

const struct verb connect_verb = {
    .name = "connect",
    .arguments = "HOST PORT",
    .max_words = 2,
    .summary = "Connect standard input and output to a host, through the agent",
    .help =
        "Opens a tunnel to HOST and PORT through the running agent and the proxy, and copies both ways until "
        "both "
        "sides have ended. For programs that can run another one in place of a connection; ssh, with this in "
        "~/.ssh/config:\n"
        "\n"
        "    Host *.example.com\n"
        "        ProxyCommand exeat connect %h %p",
    .options = options,
    .run = run,
};
