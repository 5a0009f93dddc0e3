/* Whose process is at the other end: every pair of address families that one loopback connection can have, as another user's where the test
   may make one; owners that closed, finished sending, or are gone without a trace; what else the kernel answers with. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/netlink.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/peer.h"

#define NOBODY      ((uid_t)65534)
#define TRIES       1200 /* of 50 ms: until a wait counts as failed; no figure that is tested */
#define MAPPED(ip4) "::ffff:" ip4

static struct loop *loop;
static struct peer_query query;

struct pair {
    int listener, client, accepted_fd;
    struct stream *accepted;
};

static const struct {
    const char *name, *listen, *connect, *source; /* source NULL: the kernel's choice */
    bool on_device;                               /* the client's socket is bound to "lo" */
} ways[] = {
    {"IPv4", "127.0.0.1", "127.0.0.1", NULL, false},
    {"IPv4, other addresses of the network", "127.0.0.2", "127.0.0.2", "127.9.9.9", false},
    {"IPv6", "::1", "::1", NULL, false},
    {"IPv4 to a listener for both", "::", "127.0.0.1", NULL, false},
    {"IPv6 to a listener for both", "::", "::1", NULL, false},
    {"mapped to an IPv4 listener", "127.0.0.1", MAPPED("127.0.0.1"), NULL, false},
    {"mapped to a listener for both", "::", MAPPED("127.0.0.1"), NULL, false},
    {"IPv4, bound to the interface", "127.0.0.1", "127.0.0.1", NULL, true},
    {"IPv6, bound to the interface", "::1", "::1", NULL, true},
};
#define WAYS (sizeof ways / sizeof *ways)

static socklen_t address(struct sockaddr_storage *out, const char *ip, in_port_t port)
{
    struct sockaddr_in *v4 = (struct sockaddr_in *)out;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)out;
    memset(out, 0, sizeof *out);
    if (inet_pton(AF_INET, ip, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = port;
        return sizeof *v4;
    }
    assert_int_equal(inet_pton(AF_INET6, ip, &v6->sin6_addr), 1);
    v6->sin6_family = AF_INET6;
    v6->sin6_port = port;
    return sizeof *v6;
}

/* It stands in the same place for both families. */
static in_port_t port_of(int fd)
{
    struct sockaddr_in6 own = {0};
    socklen_t size = sizeof own;
    assert_int_equal(getsockname(fd, (struct sockaddr *)&own, &size), 0);
    return own.sin6_port;
}

static int bound(const char *ip, in_port_t port)
{
    struct sockaddr_storage at;
    socklen_t size = address(&at, ip, port);
    int on = 1, fd = socket(at.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    unsigned tries = 0;
    while (bind(fd, (struct sockaddr *)&at, size) !=
           0) { /* a port that was just forgotten takes a moment until it is free */
        if (errno != EADDRINUSE || ++tries == TRIES)
            fail_msg("bind %s: %s", ip, strerror(errno));
        usleep(50000);
    }
    return fd;
}

/* The user that client sockets belong to. */
static uid_t client_uid(void)
{
    return geteuid() == 0 ? NOBODY : geteuid();
}

/* A socket belongs to whoever its maker was at that moment. */
static int client_socket(int family)
{
    uid_t me = geteuid();
    if (me == 0)
        assert_int_equal(seteuid(NOBODY), 0);
    int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (me == 0)
        assert_int_equal(seteuid(me), 0);
    assert_true(fd >= 0);
    return fd;
}

static struct pair joined(size_t way)
{
    struct sockaddr_storage at, source;
    struct pair p = {.listener = bound(ways[way].listen, 0)};
    assert_int_equal(listen(p.listener, 1), 0);
    socklen_t size = address(&at, ways[way].connect, port_of(p.listener));
    p.client = client_socket(at.ss_family);
    if (ways[way].on_device)
        assert_int_equal(setsockopt(p.client, SOL_SOCKET, SO_BINDTODEVICE, "lo", 3), 0);
    if (ways[way].source) {
        socklen_t length = address(&source, ways[way].source, 0);
        assert_int_equal(bind(p.client, (struct sockaddr *)&source, length), 0);
    }
    if (connect(p.client, (struct sockaddr *)&at, size) != 0)
        fail_msg("%s: %s", ways[way].name, strerror(errno));
    int fd = accept4(p.listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    assert_true(fd >= 0);
    p.accepted_fd = fd;
    p.accepted = stream_from_fd(loop, fd);
    return p;
}

static void part(struct pair *p)
{
    if (p->client >= 0)
        close(p->client);
    close(p->listener);
    stream_close(p->accepted);
    loop_run(loop);
}

static void expect(const struct pair *p, enum peer_owner owner, const char *what)
{
    struct err e = {0};
    uid_t uid = 4242;
    enum peer_owner found = peer_find(&query, p->accepted, &uid, &e);
    if (found != owner)
        fail_msg("%s: %d, not %d (uid %u, %s)", what, found, owner, uid, e.text);
    if (uid != (owner == PEER_USER ? client_uid() : 4242))
        fail_msg("%s: uid %u", what, uid);
    if ((owner == PEER_UNKNOWN) != (e.text[0] != 0))
        fail_msg("%s: \"%s\"", what, e.text);
}

static void test_owner(void **state)
{
    (void)state;
    for (size_t i = 0; i < WAYS; i++) {
        struct pair p = joined(i);
        expect(&p, PEER_USER, ways[i].name);
        shutdown(p.client, SHUT_WR); /* has said all, and waits for the answer */
        expect(&p, PEER_USER, ways[i].name);
        part(&p);
    }
}

/* The kernel still finds the socket, and says uid 0. */
static void test_owner_gone(void **state)
{
    (void)state;
    for (size_t i = 0; i < WAYS; i++) {
        struct pair p = joined(i);
        assert_int_equal(send(p.client, "GET", 3, 0), 3);
        close(p.client);
        p.client = -1;
        expect(&p, PEER_GONE, ways[i].name);
        part(&p);
    }
}

static void test_reset(void **state)
{
    (void)state;
    for (size_t i = 0; i < WAYS; i++) {
        struct linger at_once = {.l_onoff = 1, .l_linger = 0};
        struct pair p = joined(i);
        setsockopt(p.client, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
        close(p.client);
        p.client = -1;
        expect(&p, PEER_UNKNOWN, ways[i].name);
        part(&p);
    }
}

/* The client's half is forgotten, ours still holds what it sent; then somebody else uses the client's port. */
static void test_another_in_its_place(void **state)
{
    (void)state;
    const int forget_after = 1;
    struct sock_filter nothing = {.code = BPF_RET | BPF_K, .k = 0};
    const struct sock_fprog deaf = {.len = 1, .filter = &nothing};
    struct sockaddr_storage at;
    const size_t way = 1; /* from an address that nobody else uses */
    struct pair p = joined(way);
    in_port_t port = port_of(p.client);
    assert_int_equal(setsockopt(p.client, IPPROTO_TCP, TCP_LINGER2, &forget_after, sizeof forget_after), 0);
    assert_int_equal(send(p.client, "GET", 3, 0), 3);
    close(p.client);
    struct err e;
    uid_t uid;
    unsigned tries = 0;
    while (peer_find(&query, p.accepted, &uid, &e) == PEER_GONE && ++tries < TRIES)
        usleep(50000);
    expect(&p, PEER_UNKNOWN, "forgotten");

    p.client = bound(ways[way].source, port);
    assert_int_equal(listen(p.client, 1), 0);
    expect(&p, PEER_UNKNOWN, "a listener in its place");
    close(p.client);

    /* one that connects would end the old connection; so ours hears nothing of it */
    if (setsockopt(p.accepted_fd, SOL_SOCKET, SO_ATTACH_FILTER, &deaf, sizeof deaf) != 0) {
        assert_int_not_equal(geteuid(), 0); /* a kernel may keep filters to root */
        p.client = -1;
        part(&p);
        return;
    }
    p.client = bound(ways[way].source, port);
    fcntl(p.client, F_SETFL, O_NONBLOCK);
    socklen_t size = address(&at, ways[way].connect, port_of(p.listener));
    assert_int_equal(connect(p.client, (struct sockaddr *)&at, size), -1);
    assert_int_equal(errno, EINPROGRESS);
    expect(&p, PEER_UNKNOWN, "a connection on its way");
    part(&p);
}

static void test_many_and_stale_answers(void **state)
{
    (void)state;
    struct pair all[WAYS];
    for (size_t i = 0; i < WAYS; i++)
        all[i] = joined(i);
    for (unsigned round = 0; round < 50; round++) {
        const struct nlmsghdr nonsense = {
            .nlmsg_len = sizeof nonsense, .nlmsg_type = 0x7000, .nlmsg_flags = NLM_F_REQUEST};
        for (unsigned i = 0; i < round % 4; i++) /* each gets an answer that nobody waits for */
            assert_int_equal(send(query.fd, &nonsense, sizeof nonsense, 0), sizeof nonsense);
        expect(&all[round % WAYS], PEER_USER, ways[round % WAYS].name);
    }
    for (size_t i = 0; i < WAYS; i++)
        part(&all[i]);
}

static void test_kernel_cannot_be_asked(void **state)
{
    (void)state;
    struct pair p = joined(0);
    int usable = query.fd;
    query.fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    expect(&p, PEER_UNKNOWN, "no netlink");
    assert_int_equal(query.fd, -1);
    query.fd = usable;
    expect(&p, PEER_USER, "netlink again");
    peer_done(&query);
    peer_done(&query);
    expect(&p, PEER_USER, "a fresh socket");
    part(&p);
}

static void test_unix_socket(void **state)
{
    (void)state;
    int fds[2];
    struct err e = {0};
    uid_t uid = 4242;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
    struct stream *s = stream_from_fd(loop, fds[0]);
    close(fds[1]); /* who it was when it connected is known for good */
    assert_int_equal(peer_find(&query, s, &uid, &e), PEER_USER);
    assert_int_equal(uid, geteuid());
    stream_close(s);
    loop_run(loop);
}

static int set_up(void **state)
{
    (void)state;
    loop = loop_new();
    peer_init(&query);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    peer_done(&query);
    loop_free(loop);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_owner),
        cmocka_unit_test(test_owner_gone),
        cmocka_unit_test(test_reset),
        cmocka_unit_test(test_another_in_its_place),
        cmocka_unit_test(test_many_and_stale_answers),
        cmocka_unit_test(test_kernel_cannot_be_asked),
        cmocka_unit_test(test_unix_socket),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
