/* Dialling: names that are not found, addresses that refuse, that are silent, that are tried in turn; the deadline in each phase;
   cancelling in each phase. The names are answered by this program: it stands before the C library's getaddrinfo, can hold an answer back
   and can give several addresses. A silent address is a listening socket of loopback whose queue is full. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <netdb.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "net/dial.h"
#include "with_loop.h"

#define HOURS (3600u * 1000u)

/* --- names --- */

static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool held;      /* look-ups wait */
    unsigned asked; /* look-ups that have begun */
    int error;      /* the answer; 0: the addresses */
    uint16_t ports[4];
    size_t n; /* 127.0.0.1 on each of these ports */
} names = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

struct found {
    struct addrinfo info;
    struct sockaddr_in address;
};

int getaddrinfo(const char *host, const char *service, const struct addrinfo *hints, struct addrinfo **result)
{
    (void)host;
    (void)service;
    assert_int_equal(hints->ai_socktype, SOCK_STREAM);
    pthread_mutex_lock(&names.lock);
    names.asked++;
    while (names.held)
        pthread_cond_wait(&names.changed, &names.lock);
    *result = NULL;
    for (size_t i = names.n; i-- > 0 && !names.error;) {
        struct found *f = calloc(1, sizeof *f);
        f->address = (struct sockaddr_in){.sin_family = AF_INET,
                                          .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                                          .sin_port = htons(names.ports[i])};
        f->info = (struct addrinfo){.ai_family = AF_INET,
                                    .ai_socktype = SOCK_STREAM,
                                    .ai_addr = (struct sockaddr *)&f->address,
                                    .ai_addrlen = sizeof f->address,
                                    .ai_next = *result};
        *result = &f->info;
    }
    int error = names.error;
    pthread_mutex_unlock(&names.lock);
    return error;
}

void freeaddrinfo(struct addrinfo *list)
{
    while (list) {
        struct found *f = (struct found *)list;
        list = list->ai_next;
        free(f);
    }
}

static void answer_names(int error, const uint16_t *ports, size_t n)
{
    names.error = error;
    names.n = n;
    names.asked = 0;
    for (size_t i = 0; i < n; i++)
        names.ports[i] = ports[i];
}

static void hold_names(bool held)
{
    pthread_mutex_lock(&names.lock);
    names.held = held;
    pthread_cond_broadcast(&names.changed);
    pthread_mutex_unlock(&names.lock);
}

static unsigned names_asked(void)
{
    pthread_mutex_lock(&names.lock);
    unsigned asked = names.asked;
    pthread_mutex_unlock(&names.lock);
    return asked;
}

/* --- a listening socket that answers nobody --- */

struct silent {
    int listener, filling[4];
    uint16_t port;
};

static void silence(struct silent *s)
{
    s->listener = listening_socket(&s->port, 0);
    for (size_t i = 0; i < 4; i++) {
        struct sockaddr_in address = {
            .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons(s->port)};
        s->filling[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        connect(s->filling[i], (struct sockaddr *)&address, sizeof address);
        /* The first has the only place before the others come: those that the kernel meets at once are let in together. */
        struct pollfd first = {.fd = s->listener, .events = POLLIN};
        assert_int_equal(poll(&first, 1, PATIENCE_SECONDS * 1000), 1);
    }
    /* The last of these is not let in: else what follows would test nothing. */
    struct pollfd last = {.fd = s->filling[3], .events = POLLOUT};
    assert_int_equal(poll(&last, 1, 0), 0);
}

static void end_silence(struct silent *s)
{
    for (size_t i = 0; i < 4; i++)
        close(s->filling[i]);
    close(s->listener);
}

static unsigned sockets_open(void)
{
    unsigned n = 0;
    struct stat st;
    for (int fd = 0; fd < 1000; fd++)
        n += fstat(fd, &st) == 0 && S_ISSOCK(st.st_mode);
    return n;
}

/* --- whoever dials --- */

static struct caller {
    unsigned connected, failed;
    struct stream *s;
    enum dial_failure kind;
    struct err why;
    bool inside;
} caller;

static void on_connected(void *owner, struct stream *s)
{
    struct caller *c = owner;
    assert_false(c->inside);
    c->connected++;
    c->s = s;
}

static void on_failed(void *owner, enum dial_failure kind, const struct err *why)
{
    struct caller *c = owner;
    assert_false(c->inside);
    c->failed++;
    c->kind = kind;
    c->why = *why;
}

static const struct dial_events events = {on_connected, on_failed};

static struct dial *dial(const char *host, uint16_t port, unsigned milliseconds)
{
    caller = (struct caller){.inside = true};
    struct dial *d = dial_start(loop, span_str(host), port, milliseconds, &events, &caller);
    caller.inside = false;
    return d;
}

static void ended(unsigned connected, unsigned failed)
{
    until(caller.connected + caller.failed);
    turns(5);
    if (caller.failed && !failed)
        fail_msg("failed: %s", caller.why.text);
    assert_int_equal(caller.connected, connected);
    assert_int_equal(caller.failed, failed);
}

static void hang_up(void)
{
    if (caller.s)
        stream_close(caller.s);
    caller.s = NULL;
}

/* --- connecting --- */

static void test_an_address_is_dialled_without_a_look_up(void **state)
{
    (void)state;
    uint16_t port;
    char name[32];
    int listener = listening_socket(&port, 5);
    answer_names(EAI_NONAME, NULL, 0);
    dial("127.0.0.1", port, HOURS);
    ended(1, 0);
    assert_int_equal(names_asked(), 0);
    snprintf(name, sizeof name, "127.0.0.1:%u", port);
    assert_string_equal(stream_peer(caller.s), name);
    stream_write(caller.s, SPAN("hello"));
    int fd = accept(listener, NULL, NULL);
    char bytes[5];
    assert_int_equal(recv(fd, bytes, 5, MSG_WAITALL), 5);
    hang_up();
    close(fd);
    close(listener);
}

static void test_a_name_is_looked_up(void **state)
{
    (void)state;
    uint16_t port;
    int listener = listening_socket(&port, 5);
    answer_names(0, &port, 1);
    dial("proxy.example", 1, HOURS);
    ended(1, 0);
    assert_int_equal(names_asked(), 1);
    hang_up();
    close(listener);
}

/* --- failures --- */

static void test_refused(void **state)
{
    (void)state;
    int holder;
    char part[64];
    uint16_t port = closed_port(&holder);
    dial("127.0.0.1", port, HOURS);
    ended(0, 1);
    assert_int_equal(caller.kind, DIAL_REFUSED);
    assert_int_equal(caller.why.code, ERR_UNREACHABLE);
    snprintf(part, sizeof part, "cannot connect to 127.0.0.1:%u: ", port);
    assert_memory_equal(caller.why.text, part, strlen(part));
    assert_non_null(strstr(caller.why.text, "refused"));
    close(holder);
}

static void test_unknown_name(void **state)
{
    (void)state;
    static const int errors[] = {EAI_NONAME, EAI_AGAIN, EAI_FAIL, 0};
    for (size_t i = 0; i < 4; i++) { /* 0: an answer with no address in it */
        answer_names(errors[i], NULL, 0);
        dial("nowhere.example", 8080, HOURS);
        ended(0, 1);
        assert_int_equal(caller.kind, DIAL_DNS);
        assert_non_null(strstr(caller.why.text, "cannot find nowhere.example:8080: "));
    }
}

static void test_names_that_no_look_up_takes(void **state)
{
    (void)state;
    static char host[5000];
    memset(host, 'a', sizeof host - 1);
    answer_names(EAI_NONAME, NULL, 0);
    dial(host, 80, HOURS);
    ended(0, 1);
    assert_int_equal(caller.kind, DIAL_DNS);
    dial("", 80, HOURS);
    ended(0, 1);
    assert_int_equal(caller.kind, DIAL_DNS);
}

/* --- addresses in turn --- */

static void test_the_second_address_wins_when_the_first_refuses(void **state)
{
    (void)state;
    int holder;
    uint16_t ports[2] = {closed_port(&holder)};
    int listener = listening_socket(&ports[1], 5);
    char name[32];
    answer_names(0, ports, 2);
    dial("two.example", 1, HOURS);
    ended(1, 0);
    snprintf(name, sizeof name, "127.0.0.1:%u", ports[1]);
    assert_string_equal(stream_peer(caller.s), name);
    hang_up();
    close(listener);
    close(holder);
}

static void test_the_second_address_wins_when_the_first_is_silent(void **state)
{
    (void)state;
    struct silent s;
    silence(&s);
    uint16_t ports[3] = {s.port, 0, s.port};
    int listener = listening_socket(&ports[1], 5);
    char name[32];
    answer_names(0, ports, 3);
    dial("two.example", 1, HOURS);
    ended(1, 0);
    snprintf(name, sizeof name, "127.0.0.1:%u", ports[1]);
    assert_string_equal(stream_peer(caller.s), name);
    hang_up();
    close(listener);
    end_silence(&s);
}

/* The last error counts, and only when the last of them has failed. */
static void test_all_addresses_refuse(void **state)
{
    (void)state;
    int holders[3];
    uint16_t ports[3];
    for (size_t i = 0; i < 3; i++)
        ports[i] = closed_port(&holders[i]);
    answer_names(0, ports, 3);
    dial("three.example", 1, HOURS);
    ended(0, 1);
    assert_int_equal(caller.kind, DIAL_REFUSED);
    for (size_t i = 0; i < 3; i++)
        close(holders[i]);
}

/* --- the deadline --- */

static void test_the_deadline_of_a_silent_address(void **state)
{
    (void)state;
    struct silent s;
    char part[64];
    silence(&s);
    dial("127.0.0.1", s.port, 20);
    ended(0, 1);
    assert_int_equal(caller.kind, DIAL_TIMEOUT);
    assert_int_equal(caller.why.code, ERR_TIMEOUT);
    snprintf(part, sizeof part, "connecting to 127.0.0.1:%u took too long", s.port);
    assert_string_equal(caller.why.text, part);
    end_silence(&s);
}

/* The other way round: the refusal of the second is not the end while the first may still answer. */
static void test_a_refusal_while_another_is_under_way(void **state)
{
    (void)state;
    struct silent s;
    int holder;
    silence(&s);
    uint16_t ports[2] = {s.port, closed_port(&holder)};
    answer_names(0, ports, 2);
    dial("two.example", 1, 600);
    ended(0, 1);
    assert_int_equal(caller.kind, DIAL_TIMEOUT);
    close(holder);
    end_silence(&s);
}

/* One refuses, the other is silent: it is the silence that ends it. */
static void test_the_deadline_after_a_refusal(void **state)
{
    (void)state;
    struct silent s;
    int holder;
    silence(&s);
    uint16_t ports[2] = {closed_port(&holder), s.port};
    answer_names(0, ports, 2);
    dial("two.example", 1, 20);
    ended(0, 1);
    assert_int_equal(caller.kind, DIAL_TIMEOUT);
    close(holder);
    end_silence(&s);
}

static void test_the_deadline_of_a_look_up(void **state)
{
    (void)state;
    uint16_t port;
    int listener = listening_socket(&port, 5);
    answer_names(0, &port, 1);
    hold_names(true);
    dial("slow.example", 8080, 20);
    ended(0, 1);
    assert_int_equal(caller.kind, DIAL_TIMEOUT);
    assert_string_equal(caller.why.text, "looking up slow.example:8080 took too long");
    hold_names(false); /* the late answer finds nobody */
    turns(20);
    assert_int_equal(caller.connected, 0);
    close(listener);
}

/* --- cancelling --- */

static void test_cancel_before_it_has_begun(void **state)
{
    (void)state;
    uint16_t port;
    int listener = listening_socket(&port, 5);
    dial_cancel(dial("127.0.0.1", port, HOURS));
    turns(10);
    assert_int_equal(caller.connected + caller.failed, 0);
    close(listener);
}

static void test_cancel_while_looking_up(void **state)
{
    (void)state;
    uint16_t port;
    int listener = listening_socket(&port, 5);
    answer_names(0, &port, 1);
    hold_names(true);
    struct dial *d = dial("slow.example", 1, HOURS);
    until(names_asked() == 1);
    dial_cancel(d);
    turns(5);
    hold_names(false);
    turns(20);
    assert_int_equal(caller.connected + caller.failed, 0);
    close(listener);
}

static void test_cancel_while_connecting(void **state)
{
    (void)state;
    struct silent s;
    silence(&s);
    struct dial *d = dial("127.0.0.1", s.port, HOURS);
    turns(5);
    dial_cancel(d);
    turns(10);
    assert_int_equal(caller.connected + caller.failed, 0);
    end_silence(&s);
}

/* Two attempts are under way: both go. */
static void test_cancel_with_two_attempts(void **state)
{
    (void)state;
    struct silent s;
    silence(&s);
    uint16_t ports[2] = {s.port, s.port};
    answer_names(0, ports, 2);
    unsigned before = sockets_open();
    struct dial *d = dial("two.example", 1, HOURS);
    until(sockets_open() == before + 2);
    dial_cancel(d);
    turns(10);
    assert_int_equal(caller.connected + caller.failed, 0);
    assert_int_equal(sockets_open(), before);
    end_silence(&s);
}

/* Connected in the kernel, not told yet. */
static void test_cancel_before_it_is_told(void **state)
{
    (void)state;
    uint16_t port;
    int listener = listening_socket(&port, 5);
    struct dial *d = dial("127.0.0.1", port, HOURS);
    turn(); /* begins */
    if (!caller.connected) {
        close(accept(listener, NULL, NULL)); /* so it is connected */
        dial_cancel(d);
        turns(10);
        assert_int_equal(caller.connected + caller.failed, 0);
    }
    hang_up();
    close(listener);
}

/* The end of the loop does not wait for a look-up; what that still needs stays. */
static void test_free_with_a_look_up_under_way(void **state)
{
    (void)state;
    static struct loop *abandoned;
    answer_names(EAI_NONAME, NULL, 0);
    hold_names(true);
    struct dial *d = dial("slow.example", 1, HOURS);
    until(names_asked() == 1);
    dial_cancel(d);
    abandoned = loop;
    assert_false(loop_free(abandoned));
    hold_names(false); /* the answer comes to a loop that has stopped */
    loop = loop_new();
}

/* Look-ups that were cancelled still come back: here they are waited for. */
static int tear_down(void **state)
{
    hang_up();
    loop_run(loop);
    return loop_tear_down(state);
}

#define each(test) cmocka_unit_test_setup_teardown(test, loop_set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        each(test_an_address_is_dialled_without_a_look_up),
        each(test_a_name_is_looked_up),
        each(test_refused),
        each(test_unknown_name),
        each(test_names_that_no_look_up_takes),
        each(test_the_second_address_wins_when_the_first_refuses),
        each(test_the_second_address_wins_when_the_first_is_silent),
        each(test_all_addresses_refuse),
        each(test_the_deadline_of_a_silent_address),
        each(test_the_deadline_after_a_refusal),
        each(test_a_refusal_while_another_is_under_way),
        each(test_the_deadline_of_a_look_up),
        each(test_cancel_before_it_has_begun),
        each(test_cancel_while_looking_up),
        each(test_cancel_while_connecting),
        each(test_cancel_with_two_attempts),
        each(test_cancel_before_it_is_told),
        each(test_free_with_a_look_up_under_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
