/* The pool of one hop against a plain listening socket: the last used first, the limit and those who wait, fresh ones, leases cancelled in
   each phase, idle connections that end or speak, flushes, and the last reference to a hop. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "upstream/pool.h"
#include "with_loop.h"

static struct outbound out;
static struct hop *hop;
static int listener;
static int far[32]; /* the proxy's ends, in the order of their coming */
static size_t n_far;

/* --- whoever wants a connection --- */

struct want {
    struct lease lease;
    struct upstream *u;
    unsigned granted, failed, order;
    enum page_cause cause;
    bool inside;
    char tag[24]; /* of the connection it got */
};

static unsigned order; /* of the grants */

static void leased(void *owner, struct upstream *u)
{
    struct want *w = owner;
    assert_false(w->inside);
    assert_false(w->lease.active);
    w->granted++;
    w->order = ++order;
    w->u = u;
    snprintf(w->tag, sizeof w->tag, "%s", u->tag);
    upstream_move(u, UPSTREAM_BUSY);
    stream_pause(u->stream); /* as a leg that has its answer */
}

static void not_leased(void *owner, const struct unreached *why)
{
    struct want *w = owner;
    assert_false(w->inside);
    assert_true(why->why.n > 0);
    w->failed++;
    w->cause = why->cause;
}

static const struct lease_events events = {leased, not_leased};

static void want(struct want *w, bool fresh)
{
    *w = (struct want){.inside = true};
    lease_start(&w->lease, &out, hop, (struct behalf){0}, fresh, &events, w);
    w->inside = false;
}

static void get(struct want *w)
{
    want(w, false);
    until(w->granted + w->failed);
    assert_int_equal(w->granted, 1);
}

static void give(struct want *w)
{
    pool_give(w->u);
    w->u = NULL;
}

static void give_up(struct want *w)
{
    pool_close(w->u);
    w->u = NULL;
}

static void figures(size_t idle, size_t busy, size_t waiting)
{
    struct pool_figures f = pool_figures(hop);
    if (f.idle != idle || f.busy != busy || f.waiting != waiting)
        fail_msg("idle %zu, busy %zu, waiting %zu", f.idle, f.busy, f.waiting);
}

/* Connections that have come to the proxy by now. */
static size_t arrived(void)
{
    int fd;
    while (n_far < 32 && (fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0)
        far[n_far++] = fd;
    return n_far;
}

static bool hung_up(size_t i)
{
    char byte;
    return recv(far[i], &byte, 1, MSG_DONTWAIT) == 0;
}

static void begin(unsigned connections)
{
    uint16_t port;
    listener = listening_socket(&port, 32);
    fcntl(listener, F_SETFL, O_NONBLOCK);
    out = (struct outbound){.loop = loop};
    hop = hop_new_direct(SPAN("127.0.0.1"), port);
    hop->connections = connections;
    n_far = 0;
    order = 0;
}

static void end(void)
{
    turns(3);
    pool_flush(hop);
    figures(0, 0, 0);
    assert_int_equal(hop->refs, 1); /* each connection had one */
    hop_unref(hop);
    arrived();
    while (n_far)
        close(far[--n_far]);
    close(listener);
}

/* --- using again --- */

static void test_used_again(void **state)
{
    (void)state;
    struct want a, b;
    begin(4);
    figures(0, 0, 0);
    want(&a, false);
    figures(0, 1, 0); /* dialling counts */
    until(a.granted);
    assert_int_equal(out.counters.connections, 1);
    give(&a);
    figures(1, 0, 0);
    get(&b);
    assert_string_equal(b.tag, a.tag);
    assert_true(b.u->used);
    assert_int_equal(out.counters.connections, 1);
    assert_int_equal(arrived(), 1);
    give(&b);
    end();
}

static void test_the_last_used_first(void **state)
{
    (void)state;
    struct want w[3], again[3];
    begin(4);
    for (size_t i = 0; i < 3; i++)
        get(&w[i]);
    give(&w[1]);
    give(&w[0]);
    give(&w[2]);
    for (size_t i = 0; i < 3; i++)
        get(&again[i]);
    assert_string_equal(again[0].tag, w[2].tag);
    assert_string_equal(again[1].tag, w[0].tag);
    assert_string_equal(again[2].tag, w[1].tag);
    for (size_t i = 0; i < 3; i++)
        give(&again[i]);
    end();
}

static void test_closed_ones_are_not_used_again(void **state)
{
    (void)state;
    struct want a, b;
    begin(4);
    get(&a);
    give_up(&a);
    figures(0, 0, 0);
    get(&b);
    assert_int_equal(arrived(), 2);
    until(hung_up(0));
    give(&b);
    end();
}

/* --- the limit --- */

static void test_the_limit_and_the_order_of_waiting(void **state)
{
    (void)state;
    struct want w[6];
    begin(2);
    for (size_t i = 0; i < 6; i++)
        want(&w[i], false);
    figures(0, 2, 4);
    until(w[0].granted && w[1].granted);
    turns(5);
    assert_int_equal(arrived(), 2);
    assert_int_equal(w[2].granted, 0);
    give(&w[0]); /* an idle one */
    until(w[2].granted);
    assert_string_equal(w[2].tag, w[0].tag);
    give_up(&w[1]); /* room for a new one */
    until(w[3].granted);
    stream_close(pool_take_stream(w[2].u)); /* a tunnel does not count */
    until(w[4].granted);
    figures(0, 2, 1);
    give(&w[3]);
    until(w[5].granted);
    assert_string_equal(w[5].tag, w[3].tag);
    for (size_t i = 2; i < 6; i++)
        assert_true(w[i].order > w[i - 1].order || i == 2);
    give(&w[4]);
    give(&w[5]);
    figures(2, 0, 0);
    end();
}

/* Somebody who comes while others wait does not overtake them. */
static void test_nobody_overtakes(void **state)
{
    (void)state;
    struct want a, b, c;
    begin(1);
    get(&a);
    want(&b, false);
    give(&a); /* promised to b */
    want(&c, false);
    until(b.granted);
    assert_int_equal(c.granted, 0);
    give(&b);
    until(c.granted);
    give(&c);
    end();
}

static void test_a_tunnel_frees_its_place(void **state)
{
    (void)state;
    struct want a, b;
    begin(1);
    get(&a);
    want(&b, false);
    struct stream *s = pool_take_stream(a.u);
    figures(0, 1, 0);
    until(b.granted);
    arrived();
    far_send(far[0], SPAN("still there"));
    struct ear ear;
    ear_begin(&ear, s);
    stream_read(s);
    until(ear.in.n == 11);
    ear_end(&ear);
    give(&b);
    end();
}

/* --- fresh ones --- */

static void test_fresh_is_a_new_connection(void **state)
{
    (void)state;
    struct want a, b;
    begin(4);
    get(&a);
    give(&a);
    want(&b, true);
    until(b.granted);
    assert_string_not_equal(b.tag, a.tag);
    figures(1, 1, 0); /* the idle one stays */
    give(&b);
    end();
}

static void test_fresh_takes_the_place_of_the_oldest_idle_one(void **state)
{
    (void)state;
    struct want a, b, c, d;
    begin(2);
    get(&a);
    arrived();
    get(&b);
    arrived();
    give(&a);
    give(&b);
    want(&c, true);
    until(c.granted);
    assert_string_not_equal(c.tag, a.tag);
    assert_string_not_equal(c.tag, b.tag);
    until(hung_up(0));
    assert_false(hung_up(1));
    get(&d);
    assert_string_equal(d.tag, b.tag);
    give(&c);
    give(&d);
    end();
}

/* It had to wait: what is given back is still not a new connection. */
static void test_fresh_waits_for_a_new_connection(void **state)
{
    (void)state;
    struct want a, b, c;
    begin(1);
    get(&a);
    want(&b, true);
    want(&c, false);
    figures(0, 1, 2);
    give(&a);
    until(b.granted);
    assert_string_not_equal(b.tag, a.tag);
    assert_false(b.u->used);
    assert_int_equal(c.granted, 0);
    give(&b);
    until(c.granted);
    assert_string_equal(c.tag, b.tag); /* who did not ask for a new one gets the old */
    give(&c);
    end();
}

/* --- cancelling --- */

static void test_cancel_while_dialling(void **state)
{
    (void)state;
    struct want a, b;
    begin(1);
    want(&a, false);
    want(&b, false);
    lease_cancel(&a.lease);
    lease_cancel(&a.lease);
    figures(0, 1, 0); /* the next in line dials at once */
    until(b.granted);
    assert_int_equal(a.granted + a.failed, 0);
    give(&b);
    end();
}

static void test_cancel_while_waiting(void **state)
{
    (void)state;
    struct want a, b, c;
    begin(1);
    get(&a);
    want(&b, false);
    want(&c, false);
    lease_cancel(&b.lease);
    figures(0, 1, 1);
    give(&a);
    until(c.granted);
    assert_int_equal(b.granted, 0);
    give(&c);
    end();
}

/* Promised, not told yet: it goes back, to the next in line or to the idle ones. */
static void test_cancel_what_was_promised(void **state)
{
    (void)state;
    struct want a, b, c;
    begin(1);
    get(&a);
    give(&a);
    want(&b, false);
    figures(0, 1, 0);
    want(&c, false);
    lease_cancel(&b.lease);
    until(c.granted);
    assert_string_equal(c.tag, a.tag);
    give(&c);
    want(&b, false);
    lease_cancel(&b.lease);
    figures(1, 0, 0);
    turns(3);
    assert_int_equal(b.granted, 0);
    assert_int_equal(arrived(), 1);
    end();
}

static void test_cancel_after_the_end(void **state)
{
    (void)state;
    struct want a;
    begin(1);
    get(&a);
    lease_cancel(&a.lease);
    figures(0, 1, 0);
    give(&a);
    lease_cancel(&a.lease);
    figures(1, 0, 0);
    end();
}

/* --- idle connections --- */

static void test_an_idle_connection_that_ends(void **state)
{
    (void)state;
    struct want a, b;
    begin(2);
    get(&a);
    arrived();
    give(&a);
    close(far[0]);
    far[0] = -1;
    until(pool_figures(hop).idle == 0);
    figures(0, 0, 0);
    get(&b);
    assert_int_equal(out.counters.connections, 2);
    give(&b);
    end();
}

/* The proxy closes one as soon as it lies idle: the others are closed before it does so, and not after 50 s. */
static void test_the_idle_limit_is_learned(void **state)
{
    (void)state;
    struct want a, b;
    begin(2);
    assert_int_equal(pool_figures(hop).idle_limit_ms, 0); /* no pool yet */
    get(&a);
    arrived();
    get(&b);
    arrived();
    assert_int_equal(pool_figures(hop).idle_limit_ms, 50000);
    give(&b);
    give(&a);
    shutdown(far[0], SHUT_RDWR);
    until(pool_figures(hop).idle == 1);
    assert_int_equal(pool_figures(hop).idle_limit_ms, 1000);
    until(hung_up(1)); /* which was idle before that was known */
    figures(0, 0, 0);
    get(&b);
    arrived();
    give(&b);
    until(hung_up(2));
    end();
}

static void test_an_idle_connection_that_speaks(void **state)
{
    (void)state;
    struct want a, b;
    begin(2);
    get(&a);
    arrived();
    give(&a);
    far_send(far[0], SPAN("HTTP/1.1 408 Request Timeout\r\n\r\n"));
    until(pool_figures(hop).idle == 0);
    figures(0, 0, 0);
    get(&b);
    assert_int_equal(out.counters.connections, 2);
    give(&b);
    end();
}

/* A byte comes first that makes us ask for the connection, and in the same round the connection ends: the promise is void, and whoever
   had it is served by another. */
static struct want promised;

static void trigger_data(void *owner, struct span bytes)
{
    (void)bytes;
    (void)owner;
    want(&promised, false);
}

static void nothing(void *owner)
{
    (void)owner;
}

static void nothing_failed(void *owner, const struct err *why)
{
    (void)owner;
    (void)why;
}

static void promise_broken(struct span speaks, bool cancel)
{
    static const struct stream_events trigger = {trigger_data, nothing, nothing, nothing_failed};
    struct want a;
    int fds[2];
    begin(1);
    get(&a);
    arrived();
    give(&a);
    turns(3);
    joined(OVER_PAIR, fds);
    struct stream *s = stream_from_fd(loop, fds[0]);
    stream_own(s, &trigger, NULL);
    stream_read(s);
    turns(3);
    promised = (struct want){0};
    far_send(fds[1], SPAN("x"));
    if (speaks.n)
        far_send(far[0], speaks);
    else
        shutdown(far[0], SHUT_RDWR);
    until(promised.lease.pool);
    if (cancel) {
        lease_cancel(&promised.lease);
        turns(5);
        assert_int_equal(promised.granted + promised.failed, 0);
    } else {
        until(promised.granted + promised.failed);
        assert_int_equal(promised.granted, 1);
        assert_string_not_equal(promised.tag, a.tag);
        give(&promised);
    }
    stream_close(s);
    close(fds[1]);
    end();
}

static void test_a_promised_connection_that_ends(void **state)
{
    (void)state;
    promise_broken(SPAN(""), false);
    promise_broken(SPAN(""), true);
}

static void test_a_promised_connection_that_speaks(void **state)
{
    (void)state;
    promise_broken(SPAN("x"), false);
}

/* --- flushes --- */

static void test_flush(void **state)
{
    (void)state;
    struct want idle, busy, waiting, next;
    begin(2);
    pool_flush(hop); /* before there is a pool */
    get(&idle);
    arrived();
    get(&busy);
    arrived();
    give(&idle);
    pool_flush(hop);
    until(hung_up(0));
    figures(0, 1, 0);
    assert_false(hung_up(1)); /* its answer is still to come */
    get(&next);
    assert_int_equal(out.counters.connections, 3);
    want(&waiting, false);
    give(&busy);
    until(hung_up(1));
    until(waiting.granted);
    assert_string_not_equal(waiting.tag, busy.tag);
    give(&next);
    figures(1, 1, 0); /* made after the flush: kept */
    give(&waiting);
    end();
}

/* Another network: the idle ones go, those at work may show that they still do. */
static void test_drop_idle(void **state)
{
    (void)state;
    struct want idle, busy, taker, next;
    begin(4);
    pool_drop_idle(hop); /* before there is a pool */
    get(&idle);
    arrived();
    get(&busy);
    arrived();
    give(&idle);
    pool_drop_idle(hop);
    until(hung_up(0));
    figures(0, 1, 0);
    give(&busy);
    figures(1, 0, 0);
    want(&taker, false); /* idle still, though it has a taker */
    pool_drop_idle(hop);
    until(taker.granted);
    until(hung_up(1));
    assert_string_not_equal(taker.tag, busy.tag);
    want(&next, false); /* a dial goes on */
    pool_drop_idle(hop);
    until(next.granted);
    assert_int_equal(out.counters.connections, 4);
    give(&taker);
    give(&next);
    figures(2, 0, 0);
    end();
}

/* A request that began before a reload may dial its hop only after it: that connection must not stay behind and keep the hop alive. */
static void test_retired(void **state)
{
    (void)state;
    struct want early, late;
    begin(4);
    get(&early);
    arrived();
    pool_retire(hop);
    get(&late);
    arrived();
    give(&late);
    until(hung_up(1));
    give(&early);
    until(hung_up(0));
    figures(0, 0, 0);
    assert_int_equal(hop->refs, 1);
    end();
}

/* What was promised before the flush has the old identity too. */
static void test_flush_of_what_was_promised(void **state)
{
    (void)state;
    struct want a, b;
    begin(1);
    get(&a);
    give(&a);
    want(&b, false);
    pool_flush(hop);
    until(b.granted);
    assert_string_not_equal(b.tag, a.tag);
    assert_int_equal(out.counters.connections, 2);
    give(&b);
    want(&b, false);
    pool_flush(hop);
    lease_cancel(&b.lease); /* and if nobody wants it any more it goes as well */
    turns(3);
    figures(0, 0, 0);
    end();
}

static void test_flush_with_a_dial_under_way(void **state)
{
    (void)state;
    struct want a;
    begin(1);
    want(&a, false);
    pool_flush(hop);
    until(a.granted);
    give(&a);
    figures(1, 0, 0); /* nobody has been let in on it: it serves */
    end();
}

/* --- failures --- */

static void test_a_dial_that_fails(void **state)
{
    (void)state;
    struct want w[3];
    int holder;
    begin(1);
    hop->port = closed_port(&holder);
    for (size_t i = 0; i < 3; i++)
        want(&w[i], false);
    until(w[2].failed); /* each has its own try */
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(w[i].failed, 1);
        assert_int_equal(w[i].granted, 0);
        assert_int_equal(w[i].cause, PAGE_REFUSED);
        assert_false(w[i].lease.active);
    }
    figures(0, 0, 0);
    assert_int_equal(out.counters.connections, 0);
    close(holder);
    end();
}

/* --- references --- */

/* The table of routes has gone; an idle connection keeps its hop until it ends. */
static void test_the_hop_lives_as_long_as_its_connections(void **state)
{
    (void)state;
    struct want a;
    begin(2);
    get(&a);
    arrived();
    give(&a);
    hop_unref(hop);
    assert_int_equal(hop->refs, 1);
    close(far[0]);
    turns(10); /* the leak checker sees whether all of it went */
    close(listener);
}

static void test_the_last_connection_ends_in_use(void **state)
{
    (void)state;
    struct want a, b;
    begin(2);
    get(&a);
    get(&b);
    hop_unref(hop);
    stream_close(pool_take_stream(a.u));
    pool_close(b.u);
    arrived();
    while (n_far)
        close(far[--n_far]);
    close(listener);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_loop(test_used_again),
        with_loop(test_the_last_used_first),
        with_loop(test_closed_ones_are_not_used_again),
        with_loop(test_the_limit_and_the_order_of_waiting),
        with_loop(test_nobody_overtakes),
        with_loop(test_a_tunnel_frees_its_place),
        with_loop(test_fresh_is_a_new_connection),
        with_loop(test_fresh_takes_the_place_of_the_oldest_idle_one),
        with_loop(test_fresh_waits_for_a_new_connection),
        with_loop(test_cancel_while_dialling),
        with_loop(test_cancel_while_waiting),
        with_loop(test_cancel_what_was_promised),
        with_loop(test_cancel_after_the_end),
        with_loop(test_an_idle_connection_that_ends),
        with_loop(test_the_idle_limit_is_learned),
        with_loop(test_an_idle_connection_that_speaks),
        with_loop(test_a_promised_connection_that_ends),
        with_loop(test_a_promised_connection_that_speaks),
        with_loop(test_flush),
        with_loop(test_drop_idle),
        with_loop(test_retired),
        with_loop(test_flush_of_what_was_promised),
        with_loop(test_flush_with_a_dial_under_way),
        with_loop(test_a_dial_that_fails),
        with_loop(test_the_hop_lives_as_long_as_its_connections),
        with_loop(test_the_last_connection_ends_in_use),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
