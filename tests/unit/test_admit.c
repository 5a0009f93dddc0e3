/* Who is let in: the policy as a table, and the door itself: what a refused client reads, and how much others can make us write. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "admit/admit.h"

#define OTHER   4242u /* neither ours nor root's */
#define CLIENTS 60
#define PAGES   50 /* at most, in one second */

/* The words of a case name users by these. */
enum who { SELF, ROOT, STRANGER };

static uid_t uid_of(enum who who)
{
    return who == SELF ? geteuid() : who == ROOT ? 0 : OTHER;
}

static struct config *config_with(const char *allow)
{
    char text[200];
    struct err e = {0};
    snprintf(text, sizeof text, "[upstream corp]\nproxy = http://p:1\n%s%s",
             allow ? "[listen]\nallow-uids = " : "", allow ? allow : "");
    struct config *c = config_load_text("t.conf", span_str(text), &e);
    if (!c)
        fail_msg("%s", e.text);
    return c;
}

static const struct {
    const char *allow; /* NULL: the default */
    enum peer_owner owner;
    enum who who;
    bool admitted;
    const char *why, *remedy; /* parts of the sentences */
} cases[] = {
    {NULL, PEER_USER, SELF, true, "", ""},
    {NULL, PEER_USER, ROOT, true, "", ""},
    {NULL, PEER_USER, STRANGER, false, "belongs to uid 4242,", "\"allow-uids = self root 4242\""},
    {NULL, PEER_GONE, ROOT, false, "closed it or ended", "until it has the answer"},
    {NULL, PEER_UNKNOWN, SELF, false, "nobody can tell whose program opened the connection: because",
     "allow-uids = any"},
    {"4242", PEER_USER, STRANGER, true, "", ""},
    {"4242", PEER_USER, SELF, false, "with allow-uids = 4242)", "\"allow-uids = 4242 "},
    {"4242", PEER_USER, ROOT, false, "uid 0 (root)", "\"allow-uids = 4242 root\""},
    {"4242", PEER_GONE, STRANGER, false, "closed it or ended", ""},
    {"4242", PEER_UNKNOWN, STRANGER, false, "nobody can tell", ""},
    {"root", PEER_USER, ROOT, true, "", ""},
    {"root", PEER_USER, STRANGER, false, "uid 4242", "\"allow-uids = root 4242\""},
    {"self", PEER_USER, SELF, true, "", ""},
    {"daemon 7 self", PEER_USER, SELF, true, "", ""},
    {"daemon 7", PEER_USER, STRANGER, false, "allow-uids = daemon 7)", "\"allow-uids = daemon 7 4242\""},
    {"any", PEER_USER, STRANGER, true, "", ""},
    {"any", PEER_GONE, STRANGER, true, "", ""},
    {"any", PEER_UNKNOWN, STRANGER, true, "", ""},
};

static void test_policy(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct config *c = config_with(cases[i].allow);
        struct buf why = {0}, remedy = {0};
        bool admitted = admit_owner(c, cases[i].owner, uid_of(cases[i].who), "because", &why, &remedy);
        if (admitted != cases[i].admitted)
            fail_msg("case %zu: %s", i, admitted ? "let in" : "refused");
        if (!strstr(buf_cstr(&why), cases[i].why) || !strstr(buf_cstr(&remedy), cases[i].remedy))
            fail_msg("case %zu: %s; %s", i, buf_cstr(&why), buf_cstr(&remedy));
        if (admitted && (why.n || remedy.n))
            fail_msg("case %zu: let in with words", i);
        buf_free(&why);
        buf_free(&remedy);
        config_unref(c);
    }
}

/* A connection by Unix socket: ours by SO_PEERCRED. The client's end is returned. */
static int at_the_door(struct loop *loop, struct admit *a, const struct config *c, bool expected)
{
    int fds[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
    struct stream *s = stream_from_fd(loop, fds[0]);
    assert_int_equal(admit_stream(a, c, s, "c7", NULL), expected);
    if (expected)
        stream_close(s);
    return fds[1];
}

static void test_door(void **state)
{
    (void)state;
    static const struct {
        const char *allow;
        bool admitted;
    } lists[] = {{NULL, true}, {"self", true}, {"any", true}, {"4242", false}};
    struct loop *loop = loop_new();
    struct admit admit;
    admit_init(&admit);
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        char page[4096];
        struct config *c = config_with(lists[i].allow);
        int fd = at_the_door(loop, &admit, c, lists[i].admitted);
        ssize_t n = read(fd, page, sizeof page - 1);
        page[n > 0 ? n : 0] = 0;
        if (lists[i].admitted) {
            assert_true(n <= 0);
        } else {
            char whose[40];
            snprintf(whose, sizeof whose, "belongs to uid %u", geteuid());
            assert_non_null(strstr(page, whose));
            assert_memory_equal(page, "HTTP/1.1 403 Forbidden\r\n", 24);
            assert_non_null(strstr(page, "\r\nConnection: close\r\n"));
            assert_non_null(strstr(page, "error=http_request_denied"));
            assert_non_null(
                strstr(page, "What to do: to let that user's programs in, write \"allow-uids = 4242 "));
            assert_non_null(strstr(page, "In the log of exeat: c7"));
        }
        close(fd);
        config_unref(c);
    }
    loop_run(loop);
    admit_done(&admit);
    loop_free(loop);
}

/* Two ends of a TCP connection; the client's is returned. */
static int tcp_pair(struct loop *loop, struct stream **s)
{
    struct sockaddr_in here = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof here;
    int door = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0),
        client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(door, (struct sockaddr *)&here, size), 0);
    assert_int_equal(listen(door, 1), 0);
    assert_int_equal(getsockname(door, (struct sockaddr *)&here, &size), 0);
    assert_int_equal(connect(client, (struct sockaddr *)&here, size), 0);
    *s = stream_from_fd(loop, accept4(door, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK));
    close(door);
    return client;
}

/* The half that is asked at the door: who is not in `allow` reads why, a program that reads no HTTP is cut off. */
static void test_networks_at_the_door(void **state)
{
    (void)state;
    static const struct {
        const char *allow;
        bool words, admitted;
    } rows[] = {{"", true, false},     {"10.0.0.0/8", true, false},  {"127.0.0.2", true, false},
                {"::/0", true, false}, {"127.0.0.0/30", true, true}, {"0.0.0.0/0", false, false}};
    struct loop *loop = loop_new();
    struct admit admit;
    admit_init(&admit);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char text[200], page[4096];
        struct err e = {0};
        struct stream *s;
        snprintf(text, sizeof text, "[upstream corp]\nproxy = http://p:1\n[listen]\nallow = %s\n",
                 rows[i].allow);
        struct config *c = config_load_text("t.conf", span_str(text), &e);
        assert_non_null(c);
        int client = tcp_pair(loop, &s);
        assert_false(admit_is_beyond(s)); /* it came to loopback */
        if (admit_guest(&admit, c, s, "c9", rows[i].words) != rows[i].admitted)
            fail_msg("row %zu", i);
        if (rows[i].admitted)
            stream_close(s);
        ssize_t n = rows[i].admitted ? 0 : read(client, page, sizeof page - 1);
        page[n > 0 ? n : 0] = 0;
        if (!rows[i].admitted && rows[i].words) {
            assert_memory_equal(page, "HTTP/1.1 403 Forbidden\r\n", 24);
            assert_non_null(strstr(page, "exeat does not serve the address 127.0.0.1:"));
            assert_non_null(strstr(page, "allow = NETWORK"));
        } else {
            assert_true(n <= 0);
        }
        close(client);
        config_unref(c);
    }
    loop_run(loop);
    admit_done(&admit);
    loop_free(loop);
}

static size_t lines_in(int fd)
{
    size_t lines = 0;
    lseek(fd, 0, SEEK_SET);
    for (char c; read(fd, &c, 1) == 1;)
        lines += c == '\n';
    return lines;
}

/* The loop does not run meanwhile, so that all of this is one moment. */
static void test_a_crowd_of_strangers(void **state)
{
    (void)state;
    struct loop *loop = loop_new();
    struct admit admit;
    struct config *c = config_with("4242");
    char byte, name[] = "/tmp/exeat-test-XXXXXX";
    int clients[CLIENTS], log = mkstemp(name), errors = dup(2);
    size_t pages = 0;
    unlink(name);
    admit_init(&admit);
    dup2(log, 2);
    for (size_t i = 0; i < CLIENTS; i++)
        clients[i] = at_the_door(loop, &admit, c, false);
    dup2(errors, 2);
    for (size_t i = 0; i < CLIENTS; i++) {
        pages += read(clients[i], &byte, 1) == 1;
        close(clients[i]);
    }
    assert_int_equal(pages, PAGES);
    assert_int_equal(lines_in(log), 1);
    close(log);
    close(errors);
    loop_run(loop);
    config_unref(c);
    admit_done(&admit);
    loop_free(loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_policy),
        cmocka_unit_test(test_door),
        cmocka_unit_test(test_networks_at_the_door),
        cmocka_unit_test(test_a_crowd_of_strangers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
