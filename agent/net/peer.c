/*
 * One question to the kernel per accepted connection, and one answer. The kernel is asked for the peer's socket, so "source" is the peer's
 * address and "destination" is ours. Loop thread.
 *
 * What an answer must show before its uid counts:
 * - An inode. Without a process behind it (closed, in TIME_WAIT, its owner ended) a socket is still found, with inode 0 and uid 0: that is
 *   nobody, and not root.
 * - Both ports, and that it is connected. The peer's half can be forgotten while ours still holds what it sent; then the kernel answers with
 *   a socket that listens on the peer's port, or that is trying to connect from there: another process's, perhaps another user's.
 * - Not its family: the kernel finds an IPv6 socket that talks to ::ffff:127.0.0.1 as an IPv4 connection, and (since Linux 4.5) the IPv4
 *   client of a listener for both by its mapped addresses.
 */
#include "net/peer.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/uv_stream.h"

#define WAIT_MS       100
#define DATAGRAMS_MAX 8 /* that are not the answer: late ones of questions given up before */
#define LOOPBACK      1 /* the interface "lo" has this number in every network namespace */

struct question {
    struct nlmsghdr head;
    struct inet_diag_req_v2 about;
};

union answer {
    struct nlmsghdr head;
    char bytes[4096]; /* the kernel's; what we look at stands at its front */
};

void peer_init(struct peer_query *q)
{
    *q = (struct peer_query){.fd = -1};
}

void peer_done(struct peer_query *q)
{
    if (q->fd >= 0)
        close(q->fd);
    q->fd = -1;
}

static void put_address(const struct sockaddr_storage *from, int *family, __be16 *port, __be32 address[4])
{
    if (from->ss_family == AF_INET) {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)from;
        *family = AF_INET;
        *port = v4->sin_port;
        address[0] = v4->sin_addr.s_addr;
        return;
    }
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)from;
    *family = AF_INET6;
    *port = v6->sin6_port;
    memcpy(address, &v6->sin6_addr, sizeof v6->sin6_addr);
}

static bool write_question(struct question *out, uint32_t sequence, int fd, struct err *e)
{
    struct sockaddr_storage peer = {0}, own = {0};
    socklen_t peer_size = sizeof peer, own_size = sizeof own;
    int family = AF_UNSPEC;
    if (getpeername(fd, (struct sockaddr *)&peer, &peer_size) != 0 ||
        getsockname(fd, (struct sockaddr *)&own, &own_size) != 0)
        return err_errno(e, ERR_GONE, errno, "the connection has no addresses any more");
    if (peer.ss_family != own.ss_family || (peer.ss_family != AF_INET && peer.ss_family != AF_INET6))
        return err_set(e, ERR_SYSTEM, "it is not a TCP connection");
    *out = (struct question){.head = {.nlmsg_len = sizeof *out,
                                      .nlmsg_type = SOCK_DIAG_BY_FAMILY,
                                      .nlmsg_flags = NLM_F_REQUEST,
                                      .nlmsg_seq = sequence},
                             .about = {.sdiag_protocol = IPPROTO_TCP}};
    struct inet_diag_sockid *id = &out->about.id;
    id->idiag_if = LOOPBACK; /* finds sockets that are bound to it too */
    id->idiag_cookie[0] = id->idiag_cookie[1] = INET_DIAG_NOCOOKIE;
    put_address(&own, &family, &id->idiag_dport, id->idiag_dst);
    put_address(&peer, &family, &id->idiag_sport, id->idiag_src);
    out->about.sdiag_family = (__u8)family;
    return true;
}

static bool ask(struct peer_query *q, const struct question *question, struct err *e)
{
    if (q->fd < 0)
        q->fd = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_SOCK_DIAG);
    if (q->fd < 0)
        return err_errno(e, ERR_SYSTEM, errno, "no netlink socket to ask the kernel with");
    struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
    if (sendto(q->fd, question, sizeof *question, 0, (const struct sockaddr *)&kernel, sizeof kernel) ==
        sizeof *question)
        return true;
    err_errno(e, ERR_SYSTEM, errno, "the kernel takes no question");
    peer_done(q); /* the next one gets a fresh socket */
    return false;
}

/* The kernel's answer to this very question: its bytes. 0: there is none. */
static size_t hear(const struct peer_query *q, union answer *answer, struct err *e)
{
    for (unsigned i = 0; i < DATAGRAMS_MAX; i++) {
        struct sockaddr_nl from = {0};
        socklen_t size = sizeof from;
        ssize_t got = recvfrom(q->fd, answer, sizeof *answer, MSG_DONTWAIT, (struct sockaddr *)&from, &size);
        if (got < 0 && errno == EAGAIN) {
            struct pollfd wait = {.fd = q->fd, .events = POLLIN};
            if (poll(&wait, 1, WAIT_MS) == 0)
                break;
            continue;
        }
        if (got < 0 && errno != EINTR && errno != ENOBUFS) {
            err_errno(e, ERR_SYSTEM, errno, "the kernel's answer cannot be read");
            return 0;
        }
        if (got < (ssize_t)sizeof answer->head || from.nl_pid != 0 || answer->head.nlmsg_seq != q->sequence)
            continue;
        return answer->head.nlmsg_len < (size_t)got ? answer->head.nlmsg_len : (size_t)got;
    }
    err_set(e, ERR_TIMEOUT, "the kernel does not answer");
    return 0;
}

static enum peer_owner judge(const struct question *question, const union answer *answer, size_t n,
                             uid_t *uid, struct err *e)
{
    const struct inet_diag_msg *found = NLMSG_DATA(&answer->head);
    const struct nlmsgerr *refusal = NLMSG_DATA(&answer->head);
    if (answer->head.nlmsg_type == NLMSG_ERROR && n >= NLMSG_LENGTH(sizeof *refusal) &&
        refusal->error != -ENOENT) {
        err_errno(e, ERR_SYSTEM, -refusal->error, "the kernel does not say");
        return PEER_UNKNOWN;
    }
    if (answer->head.nlmsg_type != SOCK_DIAG_BY_FAMILY || n < NLMSG_LENGTH(sizeof *found) ||
        found->id.idiag_sport != question->about.id.idiag_sport ||
        found->id.idiag_dport != question->about.id.idiag_dport || found->idiag_state == TCP_SYN_SENT) {
        err_set(e, ERR_GONE, "the kernel does not know its other end");
        return PEER_UNKNOWN;
    }
    if (found->idiag_inode == 0)
        return PEER_GONE;
    *uid = found->idiag_uid;
    return PEER_USER;
}

enum peer_owner peer_find(struct peer_query *q, const struct stream *s, uid_t *uid, struct err *e)
{
    struct question question;
    union answer answer;
    uv_os_fd_t fd;
    q->inode = 0;
    if (stream_peer_uid(s, uid))
        return PEER_USER;
    int error = uv_fileno(&s->handle.any, &fd);
    if (error) {
        err_set(e, ERR_SYSTEM, "%s", uv_strerror(error));
        return PEER_UNKNOWN;
    }
    if (!write_question(&question, ++q->sequence, fd, e) || !ask(q, &question, e))
        return PEER_UNKNOWN;
    size_t n = hear(q, &answer, e);
    enum peer_owner owner = n == 0 ? PEER_UNKNOWN : judge(&question, &answer, n, uid, e);
    if (owner == PEER_USER)
        q->inode = ((const struct inet_diag_msg *)NLMSG_DATA(&answer.head))->idiag_inode;
    return owner;
}

bool peer_program(pid_t pid, char name[PEER_PROGRAM_MOST])
{
    char path[32];
    snprintf(path, sizeof path, "/proc/%d/comm", (int)pid);
    int fd = pid > 0 ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    ssize_t n = fd >= 0 ? read(fd, name, PEER_PROGRAM_MOST - 1) : -1;
    if (fd >= 0)
        close(fd);
    if (n <= 0)
        return false;
    name[name[n - 1] == '\n' ? n - 1 : n] = '\0';
    return true;
}
