/* What is news to netwatch and what is chatter, over hand-made rtnetlink messages and every damage to them; bursts that become one event; the
   listings it asks for; sleep, with clocks of the test's own; and, where the test may have a network of its own, the kernel's messages,
   also too many of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>

#include "net/netnews.h"
#include "net/netwatch.h"
#include "net/uv_loop.h"
#include "with_loop.h"

#define UP     (IFF_UP | IFF_RUNNING | 0x10000u) /* and IFF_LOWER_UP */
#define PORT   4711u
#define ETH    2
#define BRIDGE 3

/* --- messages --- */

static struct buf bytes;

static void begin(unsigned type, uint32_t port, const void *fixed, size_t n)
{
    struct nlmsghdr head = {.nlmsg_type = (__u16)type, .nlmsg_pid = port};
    buf_add(&bytes, (char *)&head, sizeof head);
    buf_add(&bytes, fixed, n);
}

static void attribute(unsigned type, const void *value, size_t n)
{
    struct rtattr head = {.rta_len = (unsigned short)(sizeof head + n), .rta_type = (unsigned short)type};
    buf_add(&bytes, (char *)&head, sizeof head);
    buf_add(&bytes, value, n);
    while (bytes.n % 4)
        buf_add(&bytes, "", 1);
}

static void number(unsigned type, uint32_t value)
{
    attribute(type, &value, sizeof value);
}

static void address(unsigned type, const char *ip)
{
    unsigned char in[16];
    bool v6 = strchr(ip, ':');
    assert_int_equal(inet_pton(v6 ? AF_INET6 : AF_INET, ip, in), 1);
    attribute(type, in, v6 ? 16 : 4);
}

/* The length of the last message, which begins at `at`. */
static void finish(size_t at)
{
    uint32_t n = (uint32_t)(bytes.n - at);
    memcpy(bytes.p + at, &n, sizeof n);
}

static struct netnews news;

static unsigned taken(void)
{
    unsigned told = netnews_take(&news, buf_span(&bytes));
    buf_clear(&bytes);
    return told;
}

struct link_says {
    unsigned type, flags;
    uint32_t master, mtu;
    int family, index;
};

static void put_link(const struct link_says *l, uint32_t port)
{
    size_t at = bytes.n;
    struct ifinfomsg fixed = {.ifi_family = (unsigned char)l->family,
                              .ifi_index = l->index ? l->index : ETH,
                              .ifi_flags = l->flags};
    begin(l->type ? l->type : RTM_NEWLINK, port, &fixed, sizeof fixed);
    attribute(IFLA_IFNAME, "eth0", 5);
    number(IFLA_MTU, l->mtu);
    if (l->master)
        number(IFLA_MASTER, l->master);
    finish(at);
}

struct address_says {
    unsigned type;
    const char *ip;
    unsigned char flags, scope;
    uint32_t valid;
};

static void put_address(const struct address_says *a, uint32_t port)
{
    size_t at = bytes.n;
    struct ifaddrmsg fixed = {.ifa_family = strchr(a->ip, ':') ? AF_INET6 : AF_INET,
                              .ifa_prefixlen = 24,
                              .ifa_index = ETH,
                              .ifa_flags = a->flags,
                              .ifa_scope = a->scope};
    struct ifa_cacheinfo life = {.ifa_prefered = a->valid, .ifa_valid = a->valid};
    begin(a->type ? a->type : RTM_NEWADDR, port, &fixed, sizeof fixed);
    address(IFA_ADDRESS, a->ip);
    attribute(IFA_CACHEINFO, &life, sizeof life);
    finish(at);
}

struct route_says {
    unsigned type;
    const char *to, *via; /* NULL: the default route; none */
    unsigned char kind, table, prefix;
    unsigned flags;
    uint32_t metric, out;
};

static void put_route(const struct route_says *r, uint32_t port)
{
    size_t at = bytes.n;
    const char *any = r->to ? r->to : r->via;
    struct rtmsg fixed = {.rtm_family = any && strchr(any, ':') ? AF_INET6 : AF_INET,
                          .rtm_dst_len = r->prefix,
                          .rtm_table = r->table ? r->table : RT_TABLE_MAIN,
                          .rtm_type = r->kind ? r->kind : RTN_UNICAST,
                          .rtm_flags = r->flags};
    begin(r->type ? r->type : RTM_NEWROUTE, port, &fixed, sizeof fixed);
    if (r->to)
        address(RTA_DST, r->to);
    if (r->via)
        address(RTA_GATEWAY, r->via);
    number(RTA_OIF, r->out ? r->out : ETH);
    if (r->metric)
        number(RTA_PRIORITY, r->metric);
    finish(at);
}

static void put_plain(unsigned type, uint32_t port)
{
    size_t at = bytes.n;
    char nothing[16] = {0};
    begin(type, port, nothing, sizeof nothing);
    finish(at);
}

static unsigned link_told(struct link_says l)
{
    put_link(&l, 0);
    return taken();
}

static unsigned address_told(struct address_says a)
{
    put_address(&a, 0);
    return taken();
}

static unsigned route_told(struct route_says r)
{
    put_route(&r, 0);
    return taken();
}

#define LINK(...)    link_told((struct link_says){__VA_ARGS__})
#define ADDRESS(...) address_told((struct address_says){__VA_ARGS__})
#define ROUTE(...)   route_told((struct route_says){__VA_ARGS__})

static int news_set_up(void **state)
{
    (void)state;
    netnews_init(&news, PORT);
    return 0;
}

static int news_tear_down(void **state)
{
    (void)state;
    netnews_clear(&news);
    buf_free(&bytes);
    return 0;
}

#define with_news(test) cmocka_unit_test_setup_teardown(test, news_set_up, news_tear_down)

/* --- what is news --- */

static void test_links(void **state)
{
    (void)state;
    assert_int_equal(LINK(.flags = 0), 0); /* there, but down */
    assert_int_equal(LINK(.flags = IFF_UP), 0);
    assert_int_equal(LINK(.flags = UP), NETNEWS_CHANGED);
    assert_int_equal(LINK(.flags = UP, .mtu = 9000), 0); /* statistics and the like come as this */
    assert_int_equal(LINK(.flags = UP | IFF_PROMISC), 0);
    assert_int_equal(LINK(.flags = UP, .index = BRIDGE), NETNEWS_CHANGED);
    assert_int_equal(LINK(.flags = IFF_UP), NETNEWS_CHANGED); /* the cable */
    assert_int_equal(LINK(.flags = IFF_UP), 0);
    assert_int_equal(LINK(.flags = UP), NETNEWS_CHANGED);
    assert_int_equal(LINK(.flags = UP, .type = RTM_DELLINK, .family = AF_BRIDGE), 0); /* left a bridge */
    assert_int_equal(LINK(.flags = 0, .type = RTM_DELLINK), NETNEWS_CHANGED);
    assert_int_equal(LINK(.flags = 0, .type = RTM_DELLINK), 0);
}

static void test_a_containers_link_is_none(void **state)
{
    (void)state;
    assert_int_equal(LINK(.flags = 0), 0);
    assert_int_equal(LINK(.flags = 0, .master = BRIDGE), 0);
    assert_int_equal(LINK(.flags = UP, .master = BRIDGE), 0);
    assert_int_equal(LINK(.flags = UP, .family = AF_BRIDGE), 0);
    assert_int_equal(LINK(.flags = UP, .type = RTM_DELLINK), 0);
}

static void test_addresses(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        const char *ip = i ? "2001:db8::7" : "192.0.2.7", *other = i ? "2001:db8::8" : "192.0.2.8";
        assert_int_equal(ADDRESS(.ip = ip, .flags = IFA_F_TENTATIVE), 0);
        assert_int_equal(ADDRESS(.ip = ip, .flags = IFA_F_DADFAILED), 0);
        assert_int_equal(ADDRESS(.ip = ip), NETNEWS_CHANGED);
        assert_int_equal(ADDRESS(.ip = ip, .valid = 1800), 0); /* renewed */
        assert_int_equal(ADDRESS(.ip = ip, .flags = IFA_F_DEPRECATED), 0);
        assert_int_equal(ADDRESS(.ip = other), NETNEWS_CHANGED);
        assert_int_equal(ADDRESS(.ip = ip, .type = RTM_DELADDR), NETNEWS_CHANGED);
        assert_int_equal(ADDRESS(.ip = ip, .type = RTM_DELADDR), 0);
        assert_int_equal(ADDRESS(.ip = other, .type = RTM_DELADDR), NETNEWS_CHANGED);
    }
    assert_int_equal(ADDRESS(.ip = "fe80::7", .scope = RT_SCOPE_LINK), 0);
    assert_int_equal(ADDRESS(.ip = "127.0.0.1", .scope = RT_SCOPE_HOST), 0);
}

static void test_routes(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        const char *gateway = i ? "2001:db8::1" : "192.0.2.1", *other = i ? "fe80::2" : "192.0.2.2";
        const char *net = i ? "2001:db8:1::" : "198.51.100.0";
        assert_int_equal(ROUTE(.via = gateway), NETNEWS_CHANGED);
        assert_int_equal(ROUTE(.via = gateway), 0);
        assert_int_equal(ROUTE(.via = gateway, .metric = 100), NETNEWS_CHANGED);
        assert_int_equal(ROUTE(.via = other), NETNEWS_CHANGED);   /* replaced, and */
        assert_int_equal(ROUTE(.via = gateway), NETNEWS_CHANGED); /* put back */
        assert_int_equal(ROUTE(.via = gateway, .out = BRIDGE), NETNEWS_CHANGED);
        assert_int_equal(ROUTE(.to = net, .prefix = 24, .via = gateway), NETNEWS_CHANGED);
        assert_int_equal(ROUTE(.to = net, .prefix = 25, .via = gateway), NETNEWS_CHANGED);
        assert_int_equal(ROUTE(.to = net, .prefix = 24, .via = gateway, .table = 200), NETNEWS_CHANGED);
        assert_int_equal(ROUTE(.to = net, .prefix = 24, .via = gateway, .kind = RTN_UNREACHABLE),
                         NETNEWS_CHANGED);
        assert_int_equal(ROUTE(.to = net, .prefix = 24, .type = RTM_DELROUTE), NETNEWS_CHANGED);
        assert_int_equal(ROUTE(.to = net, .prefix = 24, .type = RTM_DELROUTE), 0);
        assert_int_equal(ROUTE(.to = net, .prefix = 28, .via = gateway, .flags = RTM_F_CLONED), 0);
        assert_int_equal(ROUTE(.to = net, .prefix = 28, .kind = RTN_LOCAL), 0);
        assert_int_equal(ROUTE(.to = net, .prefix = 28, .kind = RTN_MULTICAST), 0);
        assert_int_equal(ROUTE(.to = net, .prefix = 28, .table = RT_TABLE_LOCAL), 0);
    }
    assert_int_equal(ROUTE(.to = "fe80::", .prefix = 64), 0);
    assert_int_equal(ROUTE(.to = "ff00::", .prefix = 8), 0);
}

static void test_other_messages_are_not(void **state)
{
    (void)state;
    static const unsigned types[] = {RTM_NEWNEIGH, RTM_DELNEIGH,  RTM_NEWSTATS, RTM_NEWRULE,
                                     NLMSG_NOOP,   NLMSG_OVERRUN, NLMSG_DONE,   NLMSG_ERROR};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        put_plain(types[i], 0);
        assert_int_equal(taken(), 0);
    }
}

/* What we asked for ourselves is how things are. */
static void test_listings(void **state)
{
    (void)state;
    put_link(&(struct link_says){.flags = UP}, PORT);
    put_address(&(struct address_says){.ip = "192.0.2.7"}, PORT);
    put_route(&(struct route_says){.via = "192.0.2.1"}, PORT);
    assert_int_equal(taken(), 0);
    put_plain(NLMSG_DONE, PORT);
    assert_int_equal(taken(), NETNEWS_LISTED);
    put_plain(NLMSG_ERROR, PORT);
    assert_int_equal(taken(), NETNEWS_LISTED);
    assert_int_equal(LINK(.flags = UP), 0);
    assert_int_equal(ADDRESS(.ip = "192.0.2.7"), 0);
    assert_int_equal(ROUTE(.via = "192.0.2.1"), 0);
    put_link(&(struct link_says){.flags = 0}, PORT + 1); /* what others asked for is a change all the same */
    assert_int_equal(taken(), NETNEWS_CHANGED);
    netnews_clear(&news);
    assert_int_equal(ADDRESS(.ip = "192.0.2.7"), NETNEWS_CHANGED);
}

static void test_several_in_one_datagram(void **state)
{
    (void)state;
    put_plain(RTM_NEWNEIGH, 0);
    put_link(&(struct link_says){.flags = 0}, 0);
    put_address(&(struct address_says){.ip = "192.0.2.7"}, 0);
    put_plain(NLMSG_DONE, PORT);
    assert_int_equal(taken(), NETNEWS_CHANGED | NETNEWS_LISTED);
}

/* --- damage --- */

/* Memory that ends where the message ends, for the sanitizer. */
static unsigned taken_exactly(const char *p, size_t n)
{
    char *copy = mem_alloc(n ? n : 1);
    memcpy(copy, p, n);
    unsigned told = netnews_take(&news, span_make(copy, n));
    free(copy);
    return told;
}

static void each_kind(void (*check)(void))
{
    put_link(&(struct link_says){.flags = UP}, 0);
    check();
    put_address(&(struct address_says){.ip = "2001:db8::7"}, 0);
    check();
    put_route(&(struct route_says){.to = "192.0.2.0", .via = "192.0.2.1", .prefix = 24}, 0);
    check();
}

static void check_cuts(void)
{
    taken_exactly(bytes.p, bytes.n); /* so that it is no news when it is whole */
    assert_int_equal(taken_exactly(bytes.p, bytes.n), 0);
    assert_int_equal(taken_exactly(bytes.p, 0), 0);
    for (size_t n = 1; n < bytes.n; n++)
        assert_int_equal(taken_exactly(bytes.p, n), NETNEWS_CHANGED); /* shorter than it says */
    buf_clear(&bytes);
}

static void test_cut_short(void **state)
{
    (void)state;
    each_kind(check_cuts);
}

/* The length says so too, in the middle of the fixed part or of an attribute. */
static void check_short_lengths(void)
{
    for (uint32_t n = 0; n < bytes.n; n++) {
        char *copy = mem_alloc(bytes.n);
        memcpy(copy, bytes.p, bytes.n);
        memcpy(copy, &n, sizeof n);
        taken_exactly(copy, n > 4 ? n : 4); /* whatever it says, it does not read beyond */
        if (n < sizeof(struct nlmsghdr) + 8)
            assert_int_equal(taken_exactly(copy, bytes.n), NETNEWS_CHANGED);
        free(copy);
    }
    uint32_t big = UINT32_MAX;
    memcpy(bytes.p, &big, sizeof big);
    assert_int_equal(taken_exactly(bytes.p, bytes.n), NETNEWS_CHANGED);
    buf_clear(&bytes);
}

static void test_lengths_that_lie(void **state)
{
    (void)state;
    each_kind(check_short_lengths);
}

static void test_attributes_that_lie(void **state)
{
    (void)state;
    static const unsigned short lengths[] = {0, 1, 3, 9, 0x7fff, 0xffff};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        struct ifaddrmsg fixed = {.ifa_family = AF_INET, .ifa_scope = RT_SCOPE_HOST};
        begin(RTM_NEWADDR, 0, &fixed, sizeof fixed);
        size_t at = bytes.n;
        number(IFA_LOCAL, 1);
        memcpy(bytes.p + at, &lengths[i], sizeof lengths[i]);
        finish(0);
        assert_int_equal(taken_exactly(bytes.p, bytes.n), NETNEWS_CHANGED);
        buf_clear(&bytes);
    }
}

/* Any byte can be any other: nothing to see but that it ends and reads nothing foreign. */
static void check_flips(void)
{
    for (size_t i = 0; i < bytes.n; i++) {
        for (unsigned bit = 0; bit < 8; bit++) {
            bytes.p[i] ^= (char)(1u << bit);
            taken_exactly(bytes.p, bytes.n);
            bytes.p[i] ^= (char)(1u << bit);
        }
    }
    buf_clear(&bytes);
}

static void test_flipped_bits(void **state)
{
    (void)state;
    each_kind(check_flips);
}

/* More than can be kept: those known stay known, and the others are no news. */
static void test_a_router(void **state)
{
    (void)state;
    char ip[32];
    unsigned changes = 0;
    assert_int_equal(ROUTE(.via = "192.0.2.1"), NETNEWS_CHANGED);
    for (unsigned i = 0; i < 10000; i++) {
        snprintf(ip, sizeof ip, "10.%u.%u.0", i >> 8, i & 255);
        changes += ROUTE(.to = ip, .prefix = 24);
    }
    assert_in_range(changes, 4096, 9999);
    assert_int_equal(ROUTE(.to = ip, .prefix = 24), 0);
    assert_int_equal(ROUTE(.to = ip, .prefix = 24, .type = RTM_DELROUTE), 0);
    assert_int_equal(ROUTE(.via = "192.0.2.1"), 0);
    assert_int_equal(ROUTE(.via = "192.0.2.2"), NETNEWS_CHANGED);
}

/* --- events, with sockets and clocks of the test's own --- */

static struct netwatch *watch;
static int kernel, clock_set; /* our ends */
static unsigned changes_seen, sleeps_seen;
static struct timespec monotonic, since_boot;

static int fake_clock(clockid_t clock, struct timespec *out)
{
    *out = clock == CLOCK_BOOTTIME ? since_boot : monotonic;
    return 0;
}

static void seen(void *owner, bool slept)
{
    assert_ptr_equal(owner, &watch);
    *(slept ? &sleeps_seen : &changes_seen) += 1;
}

static int watch_set_up(void **state)
{
    int ends[2];
    loop_set_up(state);
    netnews_init(&news, 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends), 0);
    kernel = ends[1];
    clock_set = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    changes_seen = sleeps_seen = 0;
    monotonic = since_boot = (struct timespec){.tv_sec = 1000};
    struct netwatch_sources sources = {.netlink = ends[0], .clock = dup(clock_set), .now = fake_clock};
    watch = netwatch_start_on(loop, &sources, seen, &watch);
    return 0;
}

static int watch_tear_down(void **state)
{
    netwatch_stop(watch);
    close(kernel);
    close(clock_set);
    buf_free(&bytes);
    return loop_tear_down(state);
}

#define with_watch(test) cmocka_unit_test_setup_teardown(test, watch_set_up, watch_tear_down)

static void count_timer(uv_handle_t *handle, void *n)
{
    *(unsigned *)n += handle->type == UV_TIMER && uv_is_active(handle);
}

static bool loop_is_timing(void)
{
    unsigned n = 0;
    uv_walk(&loop->uv, count_timer, &n);
    return n > 0;
}

/* false: the queue is full. */
static bool say(void)
{
    bool sent = send(kernel, bytes.p, bytes.n, MSG_DONTWAIT) == (ssize_t)bytes.n;
    buf_clear(&bytes);
    return sent;
}

static void say_link(bool up)
{
    put_link(&(struct link_says){.flags = up ? UP : 0}, 0);
    assert_true(say());
}

static void test_a_burst_is_one_event(void **state)
{
    (void)state;
    for (size_t i = 0; i < 5; i++) { /* all there before the first look; more in each than one message */
        for (size_t k = 0; k < 9; k++)
            put_link(&(struct link_says){.flags = (i + k) % 2 ? 0 : UP}, 0);
        assert_true(say());
    }
    turns(3);
    assert_int_equal(changes_seen, 0);
    until(changes_seen);
    turns(5);
    turn_slowly();
    assert_int_equal(changes_seen, 1);
    say_link(false);
    until(changes_seen == 2);
    assert_int_equal(sleeps_seen, 0);
}

static void test_a_burst_without_end(void **state)
{
    (void)state;
    bool up = true;
    until((up = !up, say_link(up), changes_seen));
}

static void test_chatter_starts_nothing(void **state)
{
    (void)state;
    put_plain(RTM_NEWNEIGH, 0);
    assert_true(say());
    say_link(false);
    turns(5);
    assert_false(loop_is_timing());
    say_link(true);
    until(loop_is_timing());
    until(changes_seen);
    assert_false(loop_is_timing());
}

static void test_stopped_in_a_burst(void **state)
{
    (void)state;
    say_link(true);
    until(loop_is_timing());
    netwatch_stop(watch);
    watch = NULL;
    turn_slowly();
    assert_false(loop_is_timing());
}

static void test_garbage_is_a_change(void **state)
{
    (void)state;
    buf_add_str(&bytes, "garbage");
    assert_true(say());
    until(changes_seen);
}

static void ring(void)
{
    uint64_t one = 1;
    assert_int_equal(write(clock_set, &one, sizeof one), sizeof one);
    turns(5);
}

static void test_sleep(void **state)
{
    (void)state;
    ring(); /* set by the same amount for both: somebody set the clock */
    assert_int_equal(sleeps_seen, 0);
    monotonic.tv_sec += 5;
    since_boot.tv_sec += 5;
    ring();
    assert_int_equal(sleeps_seen, 0);
    monotonic.tv_sec += 5;
    since_boot.tv_sec += 3605;
    ring();
    assert_int_equal(sleeps_seen, 1);
    ring(); /* and that night has been told */
    assert_int_equal(sleeps_seen, 1);
    since_boot.tv_nsec += 999; /* two looks at two clocks are never at the same time */
    ring();
    assert_int_equal(sleeps_seen, 1);
    since_boot.tv_sec += 2;
    ring();
    assert_int_equal(sleeps_seen, 2);
    assert_int_equal(changes_seen, 0);
}

static void test_without_sources(void **state)
{
    (void)state;
    struct netwatch_sources none = {.netlink = -1, .clock = -1, .now = fake_clock};
    struct netwatch *w = netwatch_start_on(loop, &none, seen, &watch);
    turns(3);
    netwatch_stop(w);
}

/* --- the kernel's own words, in a network of the test's own --- */

static int home = -1, speaker;

static int network_set_up(void **state)
{
    loop_set_up(state);
    changes_seen = sleeps_seen = 0;
    home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    if (unshare(CLONE_NEWNET) != 0) {
        close(home);
        home = -1;
        return 0;
    }
    speaker = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    return 0;
}

static int network_tear_down(void **state)
{
    netwatch_stop(watch);
    watch = NULL;
    buf_free(&bytes);
    if (home >= 0) {
        close(speaker);
        assert_int_equal(setns(home, CLONE_NEWNET), 0);
        close(home);
    }
    return loop_tear_down(state);
}

#define with_network(test) cmocka_unit_test_setup_teardown(test, network_set_up, network_tear_down)

/* Adds or removes 10.0.N.1/32 at lo. */
static void change_address(bool add, unsigned n)
{
    struct ifaddrmsg fixed = {.ifa_family = AF_INET, .ifa_prefixlen = 32, .ifa_index = 1};
    unsigned char ip[4] = {10, (unsigned char)(n >> 8), (unsigned char)n, 1};
    struct nlmsghdr head;
    begin(add ? RTM_NEWADDR : RTM_DELADDR, 0, &fixed, sizeof fixed);
    attribute(IFA_LOCAL, ip, sizeof ip);
    finish(0);
    memcpy(&head, bytes.p, sizeof head);
    head.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | (add ? NLM_F_CREATE | NLM_F_EXCL : 0);
    memcpy(bytes.p, &head, sizeof head);
    assert_int_equal(send(speaker, bytes.p, bytes.n, 0), bytes.n);
    buf_clear(&bytes);
    struct {
        struct nlmsghdr head;
        struct nlmsgerr error;
        char more[512];
    } answer;
    assert_true(recv(speaker, &answer, sizeof answer, 0) >=
                (ssize_t)(sizeof answer.head + sizeof answer.error));
    assert_int_equal(answer.error.error, 0);
}

static void test_the_kernel_speaks(void **state)
{
    (void)state;
    if (home < 0)
        skip();
    change_address(true, 1);
    watch = netwatch_start(loop, seen, &watch);
    turns(20); /* the listings */
    assert_false(loop_is_timing());
    change_address(true, 2);
    until(changes_seen == 1);
    change_address(false, 1); /* known from the listing */
    until(changes_seen == 2);
}

static void test_more_than_the_kernel_keeps_for_us(void **state)
{
    (void)state;
    if (home < 0)
        skip();
    int fd = netwatch_open(), small = 1;
    assert_true(fd >= 0);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small), 0);
    struct netwatch_sources sources = {.netlink = fd, .clock = -1, .now = clock_gettime};
    watch = netwatch_start_on(loop, &sources, seen, &watch);
    turns(20);
    for (unsigned i = 0; i < 200; i++)
        change_address(true, i);
    for (unsigned i = 0; i < 199; i++)
        change_address(false, i);
    until(changes_seen == 1);
    turns(20);
    change_address(true, 0); /* that it came was heard, and that it went was not */
    until(changes_seen == 2);
    change_address(false, 199); /* nor that this one came */
    until(changes_seen == 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_news(test_links),
        with_news(test_a_containers_link_is_none),
        with_news(test_addresses),
        with_news(test_routes),
        with_news(test_other_messages_are_not),
        with_news(test_listings),
        with_news(test_several_in_one_datagram),
        with_news(test_cut_short),
        with_news(test_lengths_that_lie),
        with_news(test_attributes_that_lie),
        with_news(test_flipped_bits),
        with_news(test_a_router),
        with_watch(test_a_burst_is_one_event),
        with_watch(test_a_burst_without_end),
        with_watch(test_chatter_starts_nothing),
        with_watch(test_stopped_in_a_burst),
        with_watch(test_garbage_is_a_change),
        with_watch(test_sleep),
        with_watch(test_without_sources),
        with_network(test_the_kernel_speaks),
        with_network(test_more_than_the_kernel_keeps_for_us),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
