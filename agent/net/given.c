/*
 * The variables: LISTEN_PID says whom they are for, LISTEN_FDS how many descriptors there are from 3 on, LISTEN_FDNAMES their names between colons. Read by
 * ourselves: thirty lines against a library that would bring a compression library or three into the program that faces the network.
 */
#include "net/given.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/buf.h"
#include "net/listen.h"

#define FIRST     3
#define MOST      1000
#define WHAT      "the socket that came with the start"
#define UNIT_HINT "the .socket unit"

/* As listener_name has it. */
static char *address_text(const struct sockaddr_storage *address, socklen_t size)
{
    struct buf text = {0};
    if (address->ss_family == AF_UNIX) {
        const struct sockaddr_un *un = (const struct sockaddr_un *)address;
        struct span path = span_make(un->sun_path, size - offsetof(struct sockaddr_un, sun_path));
        bool abstract = path.n && path.p[0] == '\0';
        path = abstract ? span_from(path, 1) : span_head(path, span_find(path, '\0'));
        buf_addf(&text, "unix:%s%.*s", abstract ? "@" : "", SPAN_ARG(path));
    } else {
        char host[NI_MAXHOST] = "?", port[NI_MAXSERV] = "?";
        getnameinfo((const struct sockaddr *)address, size, host, sizeof host, port, sizeof port,
                    NI_NUMERICHOST | NI_NUMERICSERV);
        buf_addf(&text, strchr(host, ':') ? "[%s]:%s" : "%s:%s", host, port);
    }
    char *result = mem_strdup(buf_cstr(&text));
    buf_free(&text);
    return result;
}

static bool is_listening_stream(int fd)
{
    int type = 0, listens = 0;
    socklen_t size = sizeof type;
    return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == SOCK_STREAM &&
           getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) == 0 && listens;
}

static bool take_one(struct given *g, struct err *e)
{
    struct sockaddr_storage address = {0};
    socklen_t size = sizeof address;
    if (fcntl(g->fd, F_SETFD, FD_CLOEXEC) != 0)
        return err_errno(e, ERR_CONFIG, errno, "descriptor %d, which LISTEN_FDS promises, is not there",
                         g->fd);
    if (!is_listening_stream(g->fd) || getsockname(g->fd, (struct sockaddr *)&address, &size) != 0)
        return err_set(e, ERR_CONFIG,
                       WHAT " as descriptor %d is not a stream that listens: write ListenStream= (and not "
                            "Accept=yes) into " UNIT_HINT,
                       g->fd);
    if (address.ss_family != AF_UNIX && address.ss_family != AF_INET && address.ss_family != AF_INET6)
        return err_set(e, ERR_CONFIG, WHAT " as descriptor %d is neither TCP nor Unix", g->fd);
    g->address = address_text(&address, size);
    if (address.ss_family != AF_UNIX && !listen_is_loopback((const struct sockaddr *)&address))
        return err_set(e, ERR_CONFIG,
                       WHAT
                       " listens on %s, which is not an address of this machine alone: write ListenStream="
                       "127.0.0.1:PORT or [::1]:PORT into " UNIT_HINT,
                       g->address);
    fcntl(g->fd, F_SETFL, fcntl(g->fd, F_GETFL) | O_NONBLOCK);
    return true;
}

/* How many descriptors are for us. */
static bool count_given(uint64_t *n, struct err *e)
{
    struct span pid = span_str(getenv("LISTEN_PID")), fds = span_str(getenv("LISTEN_FDS"));
    uint64_t whose;
    *n = 0;
    if (!span_u64(pid, &whose) || whose != (uint64_t)getpid())
        return true;
    return (span_u64(fds, n) && *n <= MOST) ||
           err_set(e, ERR_CONFIG, "LISTEN_FDS is not a number up to %d", MOST);
}

bool given_take(struct given_list *out, struct err *e)
{
    uint64_t n;
    bool ok = count_given(&n, e);
    char *names = mem_strdup(getenv("LISTEN_FDNAMES"));
    struct span rest = span_str(names);
    *out = (struct given_list){0};
    for (uint64_t i = 0; ok && i < n; i++) {
        out->list = mem_grow(out->list, (out->n + 1) * sizeof *out->list);
        struct given *g = &out->list[out->n++];
        *g = (struct given){.fd = FIRST + (int)i, .name = span_dup(span_cut(&rest, ':'))};
        ok = take_one(g, e);
    }
    free(names);
    unsetenv("LISTEN_PID");
    unsetenv("LISTEN_FDS");
    unsetenv("LISTEN_FDNAMES");
    return ok;
}

void given_free(struct given_list *l)
{
    for (size_t i = 0; i < l->n; i++) {
        close(l->list[i].fd);
        free(l->list[i].name);
        free(l->list[i].address);
    }
    free(l->list);
    *l = (struct given_list){0};
}
