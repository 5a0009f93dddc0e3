/* Names to addresses, with memory: who is asked how often, what is late, what is forgotten. The names are answered by this program, which stands
   before the C library's getaddrinfo and can hold answers back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <netdb.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "net/resolve.h"
#include "with_loop.h"

#define HOURS (3600u * 1000u)

static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool held;
    unsigned asked, inside;
    unsigned char last; /* of the address that is given */
} names = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

struct found {
    struct addrinfo info;
    union {
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } address;
};

static void put_found(struct addrinfo **result, bool v6, unsigned char last)
{
    struct found *f = calloc(1, sizeof *f);
    if (v6) {
        f->address.v6.sin6_family = AF_INET6;
        f->address.v6.sin6_addr.s6_addr[0] = 0x20;
        f->address.v6.sin6_addr.s6_addr[15] = last;
    } else {
        f->address.v4.sin_family = AF_INET;
        f->address.v4.sin_addr.s_addr = htonl(0xc0000200u | last);
    }
    f->info = (struct addrinfo){.ai_family = v6 ? AF_INET6 : AF_INET,
                                .ai_addr = (struct sockaddr *)&f->address,
                                .ai_addrlen = v6 ? sizeof f->address.v6 : sizeof f->address.v4,
                                .ai_next = *result};
    *result = &f->info;
}

int getaddrinfo(const char *host, const char *service, const struct addrinfo *hints, struct addrinfo **result)
{
    (void)service;
    assert_int_equal(hints->ai_socktype, SOCK_STREAM);
    pthread_mutex_lock(&names.lock);
    names.asked++;
    names.inside++;
    pthread_cond_broadcast(&names.changed);
    while (names.held)
        pthread_cond_wait(&names.changed, &names.lock);
    names.inside--;
    unsigned char last = names.last;
    pthread_mutex_unlock(&names.lock);
    *result = NULL;
    if (strncmp(host, "none", 4) == 0)
        return EAI_NONAME;
    put_found(result, false, last);
    if (strcmp(host, "both.example") == 0) {
        put_found(result, false, last); /* twice the same */
        put_found(result, true, last);
    }
    return 0;
}

void freeaddrinfo(struct addrinfo *list)
{
    while (list) {
        struct found *f = (struct found *)list;
        list = list->ai_next;
        free(f);
    }
}

static unsigned asked_names(void)
{
    pthread_mutex_lock(&names.lock);
    unsigned n = names.asked;
    pthread_mutex_unlock(&names.lock);
    return n;
}

static void hold(bool held)
{
    pthread_mutex_lock(&names.lock);
    names.held = held;
    pthread_cond_broadcast(&names.changed);
    pthread_mutex_unlock(&names.lock);
}

struct asker {
    struct resolve q;
    unsigned answers;
    char addresses[256];
};

static void done(void *owner, struct span addresses)
{
    struct asker *a = owner;
    a->answers++;
    snprintf(a->addresses, sizeof a->addresses, "%.*s", SPAN_ARG(addresses));
}

static struct resolver *resolver;

static void ask(struct asker *a, const char *host, unsigned timeout_ms)
{
    *a = (struct asker){0};
    resolve_start(resolver, &a->q, span_str(host), timeout_ms, done, a);
    assert_int_equal(a->answers, 0); /* never inside the start */
}

static void begin(void)
{
    resolver = resolver_new(loop);
    names.asked = 0;
    names.last = 1;
}

static void finish(void)
{
    hold(false);
    until(names.inside == 0);
    resolver_free(resolver);
    turn_slowly();
}

static void test_remembered(void **state)
{
    (void)state;
    struct asker a, b;
    begin();
    ask(&a, "both.example", HOURS);
    until(a.answers);
    assert_string_equal(a.addresses, "2000::1;192.0.2.1");
    ask(&b, "both.example", HOURS);
    until(b.answers);
    assert_string_equal(b.addresses, "2000::1;192.0.2.1");
    assert_int_equal(asked_names(), 1);
    ask(&a, "none.example", HOURS);
    until(a.answers);
    assert_string_equal(a.addresses, "");
    ask(&a, "none.example", HOURS); /* that there is none, too */
    until(a.answers);
    assert_int_equal(asked_names(), 2);
    names.last = 2;
    resolver_forget(resolver);
    ask(&a, "both.example", HOURS);
    until(a.answers);
    assert_string_equal(a.addresses, "2000::2;192.0.2.2");
    finish();
}

static void test_no_names(void **state)
{
    (void)state;
    char longest[300];
    struct asker a;
    memset(longest, 'a', sizeof longest);
    longest[256] = '\0';
    begin();
    const struct span bad[] = {span_str(""), span_str(longest), SPAN("a\0b"), SPAN("\xc3\xa4\xff\xfe")};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        a = (struct asker){0};
        resolve_start(resolver, &a.q, bad[i], HOURS, done, &a);
        assert_int_equal(a.answers, 0);
        until(a.answers);
        assert_string_equal(a.addresses, "");
    }
    assert_int_equal(asked_names(), 0);
    finish();
}

/* Equal questions are one look-up; a late one is answered without it, and its result is good for the next. */
static void test_late(void **state)
{
    (void)state;
    struct asker late, patient, next;
    begin();
    hold(true);
    ask(&late, "a.example", 20);
    ask(&patient, "a.example", HOURS);
    until(late.answers);
    assert_string_equal(late.addresses, "");
    assert_int_equal(patient.answers, 0);
    hold(false);
    until(patient.answers);
    assert_string_equal(patient.addresses, "192.0.2.1");
    ask(&next, "a.example", HOURS);
    until(next.answers);
    assert_int_equal(asked_names(), 1);
    assert_int_equal(late.answers, 1);
    finish();
}

/* Most threads of the pool are for connections. */
static void test_few_at_a_time(void **state)
{
    (void)state;
    struct asker many[10];
    char host[32];
    begin();
    hold(true);
    for (int i = 0; i < 10; i++) {
        snprintf(host, sizeof host, "host-%d.example", i);
        ask(&many[i], host, HOURS);
    }
    until(asked_names() == 4);
    for (int i = 0; i < 20; i++)
        turn_slowly();
    assert_int_equal(asked_names(), 4);
    resolve_cancel(&many[9].q); /* not begun: never asked */
    resolve_cancel(&many[0].q);
    hold(false);
    for (int i = 1; i < 9; i++)
        until(many[i].answers);
    for (int i = 0; i < 10; i++)
        assert_int_equal(many[i].answers, i != 0 && i != 9 ? 1 : 0);
    assert_int_equal(asked_names(), 9);
    finish();
}

/* What was asked before the network changed says nothing about afterwards. */
static void test_forget_under_way(void **state)
{
    (void)state;
    struct asker before, after;
    begin();
    hold(true);
    ask(&before, "a.example", HOURS);
    until(asked_names() == 1);
    resolver_forget(resolver);
    ask(&after, "a.example", HOURS);
    until(asked_names() == 2);
    hold(false);
    until(before.answers && after.answers);
    finish();
}

static void test_free_under_way(void **state)
{
    (void)state;
    struct asker a;
    begin();
    hold(true);
    ask(&a, "a.example", HOURS);
    until(asked_names() == 1);
    resolve_cancel(&a.q);
    resolver_free(resolver);
    hold(false);
    until(names.inside == 0);
    turn_slowly();
    assert_int_equal(a.answers, 0);
}

static void test_my_addresses(void **state)
{
    (void)state;
    struct buf list = {0};
    my_addresses(&list);
    struct span rest = buf_span(&list);
    while (rest.n) {
        char text[64];
        unsigned char bytes[16];
        struct span one = span_cut(&rest, ';');
        assert_true(one.n > 0 && one.n < sizeof text);
        memcpy(text, one.p, one.n);
        text[one.n] = '\0';
        assert_true(inet_pton(AF_INET, text, bytes) == 1 || inet_pton(AF_INET6, text, bytes) == 1);
        assert_string_not_equal(text, "127.0.0.1");
    }
    buf_free(&list);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_loop(test_remembered),    with_loop(test_no_names),         with_loop(test_late),
        with_loop(test_few_at_a_time), with_loop(test_forget_under_way), with_loop(test_free_under_way),
        with_loop(test_my_addresses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
