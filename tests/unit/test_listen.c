/* Listening sockets: names and ports, many clients, the end inside of a callback; Unix sockets and what may stand in their way; and in a
   process with few descriptors: accepting stops, connections wait in the kernel, and it goes on when a stream has closed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "net/listen.h"
#include "with_loop.h"

#define MANY            200 /* more than one wake-up accepts */
#define FEW_DESCRIPTORS 40
#define CLIENTS_THEN    4 /* as many at once with so few descriptors */

static char directory[] = "/tmp/exeat-listen-XXXXXX";
static char path[128];

static struct door {
    struct stream *in[MANY];
    size_t n;
    struct listener *closes; /* at the first client */
} door;

static void accepted(void *owner, struct stream *s)
{
    struct door *d = owner;
    assert_true(d->n < MANY);
    d->in[d->n++] = s;
    if (d->closes)
        listener_close(d->closes);
    d->closes = NULL;
}

static void leave(size_t i)
{
    stream_close(door.in[i]);
    door.in[i] = door.in[--door.n];
}

static void all_leave(void)
{
    while (door.n)
        leave(0);
}

static int set_up(void **state)
{
    door = (struct door){0};
    snprintf(path, sizeof path, "%s/socket", directory);
    return loop_set_up(state);
}

static uint16_t port_of(const struct listener *l)
{
    return (uint16_t)atoi(strrchr(listener_name(l), ':') + 1);
}

static struct listener *open_tcp(void)
{
    struct err e = {0};
    struct listener *l = listen_tcp(loop, "127.0.0.1", 0, accepted, &door, &e);
    if (!l)
        fail_msg("%s", e.text);
    return l;
}

/* --- TCP --- */

static void test_port_0_is_a_free_one(void **state)
{
    (void)state;
    struct listener *a = open_tcp(), *b = open_tcp();
    assert_memory_equal(listener_name(a), "127.0.0.1:", 10);
    assert_true(port_of(a) > 0 && port_of(b) > 0 && port_of(a) != port_of(b));
    int fd = connect_to(port_of(a));
    until(door.n == 1);
    assert_memory_equal(stream_peer(door.in[0]), "127.0.0.1:", 10);
    stream_write(door.in[0], SPAN("hello"));
    char bytes[5];
    assert_int_equal(recv(fd, bytes, 5, MSG_WAITALL), 5);
    all_leave();
    close(fd);
    listener_close(a);
    listener_close(b);
}

static void test_a_taken_port(void **state)
{
    (void)state;
    struct err e = {0};
    struct listener *a = open_tcp();
    assert_null(listen_tcp(loop, "127.0.0.1", port_of(a), accepted, &door, &e));
    assert_int_equal(e.code, ERR_SYSTEM);
    assert_non_null(strstr(e.text, "another program has that port"));
    listener_close(a);
}

/* Whatever the configuration let pass: a name, too, is judged by the address that it leads to. */
static void test_not_beyond_this_machine(void **state)
{
    (void)state;
    static const char *const beyond[] = {"192.0.2.77", "0.0.0.0", "::", "::ffff:0.0.0.0"};
    for (size_t i = 0; i < sizeof beyond / sizeof *beyond; i++) {
        struct err e = {0};
        assert_null(listen_tcp(loop, beyond[i], 0, accepted, &door, &e));
        assert_int_equal(e.code, ERR_CONFIG);
        assert_non_null(strstr(e.text, "not this machine's loopback"));
    }
}

/* Where others may come: any address, also one that nobody has yet; and still no other program's port. */
static void test_beyond_where_it_may_be(void **state)
{
    (void)state;
    static const char *const beyond[] = {"192.0.2.77", "0.0.0.0", "127.0.0.1"};
    for (size_t i = 0; i < sizeof beyond / sizeof *beyond; i++) {
        struct err e = {0};
        struct listener *l = listen_tcp_open(loop, beyond[i], 0, accepted, &door, &e);
        if (!l)
            fail_msg("%s", e.text);
        assert_memory_equal(listener_name(l), beyond[i], strlen(beyond[i]));
        assert_null(listen_tcp_open(loop, beyond[i], port_of(l), accepted, &door, &e));
        assert_non_null(strstr(e.text, "another program has that port"));
        listener_close(l);
    }
}

static void test_many_at_once(void **state)
{
    (void)state;
    int fds[MANY];
    struct listener *l = open_tcp();
    for (size_t i = 0; i < MANY; i++)
        fds[i] = connect_to(port_of(l));
    until(door.n == MANY);
    all_leave();
    for (size_t i = 0; i < MANY; i++)
        close(fds[i]);
    listener_close(l);
}

/* Three wait; the first makes its owner stop listening: no more of them come in. */
static void test_closed_inside_of_accepted(void **state)
{
    (void)state;
    int fds[3];
    struct listener *l = open_tcp();
    for (size_t i = 0; i < 3; i++)
        fds[i] = connect_to(port_of(l));
    door.closes = l;
    until(door.n);
    turns(10);
    assert_int_equal(door.n, 1);
    all_leave();
    for (size_t i = 0; i < 3; i++)
        close(fds[i]);
}

/* --- Unix sockets --- */

static int connect_unix(const char *to)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    strcpy(address.sun_path, to);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0)
        return fd;
    int error = errno;
    close(fd);
    errno = error;
    return -1;
}

static int bind_unix(int type)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
    strcpy(address.sun_path, path);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

static struct listener *open_unix(void)
{
    struct err e = {0};
    struct listener *l = listen_unix(loop, path, accepted, &door, &e);
    if (!l)
        fail_msg("%s", e.text);
    return l;
}

static void expect_refusal(const char *at, const char *sentence)
{
    struct err e = {0};
    assert_null(listen_unix(loop, at, accepted, &door, &e));
    assert_int_equal(e.code, ERR_SYSTEM);
    if (!strstr(e.text, sentence))
        fail_msg("%s", e.text);
}

static void test_a_unix_socket(void **state)
{
    (void)state;
    struct stat st;
    char name[160];
    mode_t mask = umask(0);
    struct listener *l = open_unix();
    umask(mask);
    snprintf(name, sizeof name, "unix:%s", path);
    assert_string_equal(listener_name(l), name);
    assert_int_equal(lstat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    int fd = connect_unix(path);
    until(door.n == 1);
    assert_string_equal(stream_peer(door.in[0]), "unix");
    all_leave();
    close(fd);
    listener_close(l);
    assert_int_equal(lstat(path, &st), -1);
}

static void test_a_stale_socket_is_replaced(void **state)
{
    (void)state;
    close(bind_unix(SOCK_STREAM)); /* as a killed agent leaves it */
    struct listener *l = open_unix();
    int fd = connect_unix(path);
    until(door.n == 1);
    all_leave();
    close(fd);
    listener_close(l);
}

static void test_a_living_socket_is_refused(void **state)
{
    (void)state;
    struct listener *l = open_unix();
    expect_refusal(path, "another program is listening on");
    int fd = connect_unix(path); /* and it lives on */
    until(door.n == 2);          /* the question itself was a client too */
    all_leave();
    close(fd);
    listener_close(l);
}

/* It lives, but is too busy to take one more: neither waited for nor taken away. */
static void test_a_busy_socket_is_refused(void **state)
{
    (void)state;
    int busy = bind_unix(SOCK_STREAM), fds[8];
    size_t n = 0;
    struct stat st;
    assert_int_equal(listen(busy, 1), 0);
    while (n < 8 && (fds[n] = connect_unix(path)) >= 0)
        n++;
    assert_true(n < 8);
    alarm(20); /* without a signal the old way would wait for ever */
    expect_refusal(path, "another program is listening on");
    alarm(0);
    assert_int_equal(lstat(path, &st), 0);
    while (n)
        close(fds[--n]);
    close(busy);
    unlink(path);
}

/* A socket of another kind is somebody's too. */
static void test_a_datagram_socket_is_not_taken_away(void **state)
{
    (void)state;
    struct stat st;
    int other = bind_unix(SOCK_DGRAM);
    expect_refusal(path, "");
    assert_int_equal(lstat(path, &st), 0);
    close(other);
    unlink(path);
}

static void test_a_file_is_not_taken_away(void **state)
{
    (void)state;
    struct stat st;
    FILE *f = fopen(path, "w");
    fputs("precious", f);
    fclose(f);
    expect_refusal(path, "is in the way");
    assert_int_equal(lstat(path, &st), 0);
    assert_int_equal(st.st_size, 8);
    unlink(path);
    assert_int_equal(symlink("/nowhere", path), 0);
    expect_refusal(path, "is in the way");
    unlink(path);
}

static void test_paths_that_cannot_be(void **state)
{
    (void)state;
    char too_long[200];
    memset(too_long, 'x', sizeof too_long - 1);
    too_long[0] = '/';
    too_long[sizeof too_long - 1] = '\0';
    expect_refusal(too_long, "is too long: at most 107 bytes");
    expect_refusal("/nowhere/at/all", "cannot listen on /nowhere/at/all: ");
}

/* --- few descriptors (in a process of its own) --- */

static void one_more(void *owner)
{
    ++*(size_t *)owner;
}

static void test_accepting_stops_and_goes_on(void **state)
{
    (void)state;
    int fds[CLIENTS_THEN + 3];
    size_t n = CLIENTS_THEN + 3;
    struct listener *l = open_tcp();
    for (size_t i = 0; i < n; i++) {
        fds[i] = connect_to(port_of(l)); /* the kernel takes them all */
        far_send(fds[i], SPAN("x"));
    }
    until(door.n == CLIENTS_THEN);
    turns(20);
    assert_int_equal(door.n, CLIENTS_THEN);
    for (size_t left = 3; left; left--) {
        leave(0);
        until(door.n == CLIENTS_THEN); /* one out, one in */
        turns(10);
        assert_int_equal(door.n, CLIENTS_THEN);
    }
    struct pollfd last = {.fd = fds[n - 1], .events = POLLIN};
    assert_int_equal(poll(&last, 1, 0), 0); /* neither reset nor closed in all the time it waited */
    all_leave();
    for (size_t i = 0; i < n; i++)
        close(fds[i]);
    listener_close(l);
}

/* Whoever has had his answer, and does not go, makes room for the next; who still has to take some of it does not. */
static void test_those_who_linger_make_room(void **state)
{
    (void)state;
    static char much[32 << 20]; /* more than the kernel takes for who does not read */
    int fds[3 * CLIENTS_THEN];
    size_t n = 0, gone = 0;
    struct listener *l = open_tcp();
    fds[n++] = connect_to(port_of(l));
    until(door.n == 1);
    stream_write(door.in[0], span_make(much, sizeof much));
    assert_true(stream_backlog(door.in[0]) > 0);
    stream_linger(door.in[0], 3600);
    door.n = 0;
    while (n < sizeof fds / sizeof *fds) {
        fds[n++] = connect_to(port_of(l));
        until(door.n == 1);
        stream_write(door.in[0], SPAN("an answer"));
        stream_when_gone(door.in[0], one_more, &gone);
        stream_linger(door.in[0], 3600);
        door.n = 0;
        assert_false(loop_is_crowded(loop));
    }
    assert_int_equal(gone, n - CLIENTS_THEN);
    assert_true(loop_delivers(loop));
    for (size_t i = 0; i < n; i++)
        close(fds[i]);
    until(gone == n - 1 && !loop_delivers(loop));
    listener_close(l);
}

/* Two listeners share the descriptors. */
static void test_all_listeners_go_on(void **state)
{
    (void)state;
    int fds[CLIENTS_THEN + 2];
    struct listener *a = open_tcp(), *b = open_tcp();
    for (size_t i = 0; i < CLIENTS_THEN; i++)
        fds[i] = connect_to(port_of(a));
    until(door.n == CLIENTS_THEN);
    fds[CLIENTS_THEN] = connect_to(port_of(a));
    fds[CLIENTS_THEN + 1] = connect_to(port_of(b));
    turns(20);
    assert_int_equal(door.n, CLIENTS_THEN);
    leave(0);
    leave(0);
    until(door.n == CLIENTS_THEN);
    listener_close(b);
    listener_close(a);
    all_leave();
    for (size_t i = 0; i < CLIENTS_THEN + 2; i++)
        close(fds[i]);
}

static void test_closed_while_it_waits(void **state)
{
    (void)state;
    int fds[CLIENTS_THEN + 1];
    struct listener *l = open_tcp();
    for (size_t i = 0; i <= CLIENTS_THEN; i++)
        fds[i] = connect_to(port_of(l));
    until(door.n == CLIENTS_THEN);
    turns(5);
    listener_close(l);
    all_leave();
    turns(10);
    assert_int_equal(door.n, 0);
    for (size_t i = 0; i <= CLIENTS_THEN; i++)
        close(fds[i]);
}

/* Somebody else in the process has taken all descriptors, and gives one back: no stream of ours closes, so it looks again by itself. */
static void test_out_of_descriptors(void **state)
{
    (void)state;
    int taken[FEW_DESCRIPTORS];
    size_t n = 0;
    struct listener *l = open_tcp();
    int fd = connect_to(port_of(l));
    turn();
    all_leave();
    close(fd);
    turns(5);
    fd = connect_to(port_of(l));
    while ((taken[n] = dup(1)) >= 0)
        n++;
    turns(20);
    assert_int_equal(door.n, 0);
    close(taken[--n]);
    until(door.n == 1);
    while (n)
        close(taken[--n]);
    all_leave();
    close(fd);
    listener_close(l);
}

#define each(test) cmocka_unit_test_setup_teardown(test, set_up, loop_tear_down)

static int with_few_descriptors(void)
{
    const struct CMUnitTest tests[] = {
        each(test_accepting_stops_and_goes_on), each(test_those_who_linger_make_room),
        each(test_all_listeners_go_on),         each(test_closed_while_it_waits),
        each(test_out_of_descriptors),
    };
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        struct rlimit few = {FEW_DESCRIPTORS, FEW_DESCRIPTORS};
        int rc = setrlimit(RLIMIT_NOFILE, &few) == 0 ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
        exit(rc);
    }
    int status = -1;
    waitpid(child, &status, 0);
    return status;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        each(test_port_0_is_a_free_one),
        each(test_a_taken_port),
        each(test_not_beyond_this_machine),
        each(test_beyond_where_it_may_be),
        each(test_many_at_once),
        each(test_closed_inside_of_accepted),
        each(test_a_unix_socket),
        each(test_a_stale_socket_is_replaced),
        each(test_a_living_socket_is_refused),
        each(test_a_busy_socket_is_refused),
        each(test_a_datagram_socket_is_not_taken_away),
        each(test_a_file_is_not_taken_away),
        each(test_paths_that_cannot_be),
    };
    if (!mkdtemp(directory))
        return 1;
    int few = with_few_descriptors(); /* before libuv has threads: they would not live in the child */
    int rc = cmocka_run_group_tests(tests, NULL, NULL);
    rmdir(directory);
    return rc ? rc : few != 0;
}
