/* Spares: how many are wanted and where they fit; which requests get one; how they end, in each phase of their making, with a keyholder of the
   test's own (fake_keyholder.h) and a proxy that answers each request with the same bytes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/log.h"
#include "fake_keyholder.h"
#include "upstream/pool_inside.h"
#include "with_loop.h"

#define ASKS_407                                                                                             \
    "HTTP/1.1 407 No\r\nProxy-Authenticate: Test 2\r\nproxy-authenticate: Other\r\nContent-Length: "         \
    "4\r\n\r\nbody"

/* --- the keyholder --- */

static uint32_t n_contexts, n_closed, n_asked;

static void fake_starts(int argc, char **argv)
{
    (void)argc;
    (void)argv;
}

static void fake_message(const struct keys_msg *m)
{
    static bool bare;
    switch (m->type) {
    case KEYS_OPEN:
        bare = span_eq(m->upstream, SPAN("bare"));
        fake_say(&(struct keys_msg){
            .type = KEYS_ANSWER, .call = m->call, .verdict = KEYS_OK, .context = ++n_contexts});
        break;
    case KEYS_AUTHORIZE:
        n_asked += m->flags == (KEYS_AHEAD | KEYS_BODY_NONE) && span_eq(m->target, SPAN(KEYS_ASIDE_TARGET));
        fake_say(&(struct keys_msg){.type = KEYS_ANSWER,
                                    .call = m->call,
                                    .verdict = KEYS_SEND,
                                    .flags = bare ? 0 : KEYS_KNOCK,
                                    .header = bare ? SPAN("") : SPAN("T1")});
        break;
    case KEYS_CLOSE:
        n_closed++;
        break;
    default: /* STATUS: what has come so far */
        fake_say(&(struct keys_msg){.type = KEYS_ANSWER,
                                    .call = m->call,
                                    .verdict = KEYS_OK,
                                    .generation = (n_contexts - n_closed) * 100 + n_asked});
    }
}

/* --- the proxy --- */

static struct outbound out;
static struct hop *hop;
static int listener, far[64];
static size_t n_far, n_requests;
static struct buf request;
static const char *answer;

static size_t proxy_serves(void)
{
    int fd;
    while (n_far < 64 && (fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0)
        far[n_far++] = fd;
    for (size_t i = 0; i < n_far; i++) {
        struct buf in = {0};
        far_take(far[i], &in);
        if (in.n) {
            n_requests++;
            buf_clear(&request);
            buf_add_span(&request, buf_span(&in));
            far_send(far[i], span_str(answer));
        }
        buf_free(&in);
    }
    return n_far;
}

static bool hung_up(size_t i)
{
    char byte;
    return recv(far[i], &byte, 1, MSG_DONTWAIT | MSG_PEEK) == 0;
}

/* --- whoever wants a connection --- */

struct want {
    struct lease lease;
    struct upstream *u;
    unsigned granted, failed;
};

static void granted(void *owner, struct upstream *u)
{
    struct want *w = owner;
    w->granted++;
    w->u = u;
    upstream_move(u, UPSTREAM_BUSY);
    stream_pause(u->stream);
}

static void not_granted(void *owner, const struct unreached *why)
{
    (void)why;
    ((struct want *)owner)->failed++;
}

static void want(struct want *w, bool fresh)
{
    static const struct lease_events events = {granted, not_granted};
    *w = (struct want){0};
    lease_start(&w->lease, &out, hop, (struct behalf){0}, fresh, &events, w);
}

static void get(struct want *w)
{
    want(w, false);
    until((proxy_serves(), w->granted));
}

/* It becomes a tunnel, which ends at once. */
static void tunnel(struct want *w)
{
    stream_close(pool_take_stream(w->u));
    w->u = NULL;
}

static void a_tunnel(void)
{
    struct want w;
    get(&w);
    tunnel(&w);
}

static size_t spares(void)
{
    return pool_figures(hop).spare;
}

/* As many are ready, and none is in the making. */
static void settle(size_t n)
{
    const struct pool *p = hop->pool;
    until((proxy_serves(), list_empty(&p->spares.making)));
    assert_int_equal(spares(), n);
}

static void begin(unsigned connections, unsigned most)
{
    uint16_t port;
    listener = listening_socket(&port, 32);
    fcntl(listener, F_SETFL, O_NONBLOCK);
    out = (struct outbound){.loop = loop};
    hop = hop_new_direct(SPAN("127.0.0.1"), port);
    hop->connections = connections;
    hop->spares = most;
    n_far = n_requests = 0;
    answer = ASKS_407;
}

static void end(void)
{
    pool_flush(hop);
    turns(3);
    assert_int_equal(spares(), 0);
    assert_int_equal(pool_figures(hop).busy, 0);
    assert_int_equal(hop->refs, 1);
    hop_unref(hop);
    proxy_serves();
    while (n_far)
        close(far[--n_far]);
    close(listener);
    buf_free(&request);
    if (fake_log_has("cannot go from"))
        fail_msg("a state was left by a way that the tables do not know");
}

/* --- policy --- */

static void test_demand(void **state)
{
    (void)state;
    static const struct {
        uint64_t tunnels[4], now;
        size_t most, want;
    } rows[] = {
        {{0}, 100000, 2, 0},
        {{0}, 1, 2, 0}, /* never is not just now */
        {{100000}, 100000, 2, 1},
        {{100000, 99000, 98000}, 100001, 2, 2},
        {{100000, 99000, 98000}, 100001, 16, 3},
        {{100000, 99000, 98000}, 100001, 0, 0},
        {{100000, 99000, 98000}, 98000 + SPARE_MS, 16, 2},
        {{100000, 99000, 98000}, 100000 + SPARE_MS, 16, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_int_equal(spares_demand(rows[i].tunnels, 4, rows[i].now, rows[i].most), rows[i].want);
}

static void test_fit(void **state)
{
    (void)state;
    static const struct {
        size_t connections, limit;
        bool fits;
    } rows[] = {{0, 1, false}, {0, 2, true},  {1, 2, false},  {1, 3, true},    {2, 4, true},   {3, 4, false},
                {5, 8, true},  {6, 8, false}, {47, 64, true}, {48, 64, false}, {64, 64, false}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_int_equal(spares_fit(rows[i].connections, rows[i].limit), rows[i].fits);
}

/* --- in the pool --- */

static void test_made_for_tunnels_alone(void **state)
{
    (void)state;
    struct want w;
    begin(8, 2);
    get(&w);
    pool_give(w.u);
    get(&w);
    pool_close(w.u);
    turns(5);
    assert_int_equal(spares(), 0);
    a_tunnel();
    assert_int_equal(spares(), 1); /* one tunnel, one spare */
    settle(1);
    a_tunnel();
    settle(2);
    a_tunnel();
    settle(2);
    end();
}

static void test_turned_off(void **state)
{
    (void)state;
    begin(8, 0);
    a_tunnel();
    assert_int_equal(spares(), 0);
    end();
}

/* Another configuration is in force: requests still end on this hop, but nobody will ask for more. */
static void test_of_a_retired_hop(void **state)
{
    (void)state;
    begin(8, 2);
    a_tunnel();
    settle(1);
    pool_retire(hop);
    assert_int_equal(spares(), 0);
    a_tunnel();
    assert_int_equal(spares(), 0);
    end();
}

/* Those that were let in are better, and whoever wants a new connection gets one. */
static void test_who_gets_one(void **state)
{
    (void)state;
    struct want idle, first, second, fresh;
    begin(8, 2);
    get(&idle);
    a_tunnel();
    settle(1);
    pool_give(idle.u);
    size_t connections = out.counters.connections;
    get(&first);
    assert_ptr_equal(first.u, idle.u);
    get(&second);
    assert_int_equal(out.counters.connections, connections);
    assert_true(second.u->used);
    assert_false(second.u->spare);
    assert_int_equal(spares(), 0);
    tunnel(&second);
    settle(2);
    want(&fresh, true);
    until((proxy_serves(), fresh.granted));
    assert_false(fresh.u->used);
    assert_int_equal(spares(), 2);
    pool_close(first.u);
    pool_close(fresh.u);
    end();
}

static void test_who_waits_is_served_first(void **state)
{
    (void)state;
    struct want a, b, c, d;
    begin(3, 2);
    get(&a);
    get(&b);
    get(&c);
    want(&d, false);
    tunnel(&a); /* its place is for d */
    assert_int_equal(spares(), 0);
    until((proxy_serves(), d.granted));
    pool_close(b.u);
    tunnel(&c);
    assert_int_equal(spares(), 1); /* d has one place, one stays free */
    pool_close(d.u);
    end();
}

static void test_a_full_pool_takes_its_places_back(void **state)
{
    (void)state;
    for (unsigned rounds = 0; rounds < 12; rounds++) { /* in the making and ready */
        struct want w[3];
        begin(3, 2);
        a_tunnel();
        a_tunnel();
        for (unsigned i = 0; i < rounds; i++) {
            proxy_serves();
            turn();
        }
        for (size_t i = 0; i < 3; i++)
            want(&w[i], true);
        assert_int_equal(spares(), 0);
        assert_int_equal(pool_figures(hop).waiting, 0);
        until((proxy_serves(), w[0].granted && w[1].granted && w[2].granted));
        for (size_t i = 0; i < 3; i++)
            pool_close(w[i].u);
        end();
    }
}

static void test_cancelled_when_promised(void **state)
{
    (void)state;
    struct want w;
    begin(8, 1);
    a_tunnel();
    settle(1);
    want(&w, false);
    lease_cancel(&w.lease);
    {
        struct pool_figures f = pool_figures(hop);
        assert_int_equal(f.idle + f.busy, 0); /* nobody has been let in on it: it is no idle one */
    }
    end();
}

static void test_ended_when_idle(void **state)
{
    (void)state;
    begin(8, 1);
    a_tunnel();
    settle(1);
    far_send(far[n_far - 1], SPAN("x"));
    until(spares() == 0);
    assert_int_equal(pool_figures(hop).idle_limit_ms, 50000);
    end();
}

static unsigned said(const char *words)
{
    struct buf log = {0};
    unsigned times = 0;
    fake_log_read(&log);
    for (const char *at = buf_cstr(&log); (at = strstr(at, words)); at++)
        times++;
    buf_free(&log);
    return times;
}

/* And one line in the log, until one has been made again. */
static void test_a_pause_after_a_failure(void **state)
{
    (void)state;
    static const char words[] = "no connections are made ready ahead for a while";
    struct want w[4];
    int holders[2];
    begin(8, 2);
    unsigned before = said(words);
    uint16_t port = hop->port;
    for (size_t i = 0; i < 4; i++)
        get(&w[i]);
    struct pool *p = hop->pool;
    hop->port = closed_port(&holders[0]);
    tunnel(&w[0]);
    until(spares() == 0);
    tunnel(&w[1]);
    assert_int_equal(spares(), 0);
    p->spares.not_before = 0; /* later */
    tunnel(&w[2]);
    assert_int_equal(spares(), 2);
    until(spares() == 0);
    assert_int_equal(said(words), before + 1);
    p->spares.not_before = 0;
    hop->port = port;
    tunnel(&w[3]);
    settle(2);
    hop->port = closed_port(&holders[1]);
    p->spares.not_before = 0;
    pool_flush(hop);
    spares_tunnel(p);
    until(spares() == 0);
    assert_int_equal(said(words), before + 2);
    close(holders[0]);
    close(holders[1]);
    end();
}

/* --- with a keyholder --- */

static void nothing(void *o, const struct keys_msg *m)
{
    (void)o;
    (void)m;
}

static uint32_t figures_generation;
static bool figures_came;

static void on_figures(void *o, const struct keys_msg *m)
{
    (void)o;
    figures_generation = m->generation;
    figures_came = true;
}

static void ask_keyholder(void)
{
    struct keys_call call;
    struct keys_msg m = {.type = KEYS_STATUS, .upstream = SPAN("x")};
    figures_came = false;
    keys_call_start(out.keys, &call, &m, on_figures, NULL);
    until(figures_came);
}

static void begin_asking(const char *upstream)
{
    static const struct keys_client_events events = {nothing, nothing, NULL};
    begin(8, 2);
    hop->upstream = mem_strdup(upstream);
    hop->authenticates = hop->asks = true;
    out.keys = keys_client_new(loop, NULL, false, &events, NULL);
}

static void end_asking(void)
{
    pool_flush(hop);
    ask_keyholder();
    ask_keyholder();
    assert_int_equal(figures_generation / 100, 0); /* every context is closed again */
    keys_client_free(out.keys);
    out.keys = NULL;
    end();
}

static void test_the_challenge_is_kept(void **state)
{
    (void)state;
    struct want w;
    begin_asking("asks");
    a_tunnel();
    settle(1);
    assert_int_equal(n_requests, 1);
    assert_non_null(strstr(buf_cstr(&request), "GET " KEYS_ASIDE_TARGET " HTTP/1.1\r\n"));
    assert_non_null(strstr(buf_cstr(&request), "\r\nProxy-Authorization: T1\r\n"));
    get(&w);
    assert_true(span_eq(buf_span(&w.u->challenge), SPAN("Test 2\nOther\n")));
    assert_true(upstream_has_context(w.u));
    ask_keyholder();
    assert_int_equal(figures_generation, 101);
    pool_close(w.u);
    end_asking();
}

static void test_without_a_first_token(void **state)
{
    (void)state;
    struct want w;
    begin_asking("bare");
    a_tunnel();
    settle(1);
    assert_int_equal(n_requests, 0);
    get(&w);
    assert_int_equal(w.u->challenge.n, 0);
    assert_true(upstream_has_context(w.u));
    pool_close(w.u);
    end_asking();
}

static void test_what_is_no_challenge(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 503 No\r\nContent-Length: 2\r\n\r\nno",
        "HTTP/1.1 503 No\r\nProxy-Authenticate: Test 2\r\nContent-Length: 2\r\n\r\nno",
        "HTTP/1.1 407 No\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 407 No\r\nProxy-Authenticate: Test 2\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 407 No\r\nProxy-Authenticate: Test 2\r\n\r\n", /* ends with the connection */
        "HTTP/1.1 407 No\r\nProxy-Authenticate: Test 2\r\nContent-Length: 0\r\n\r\nmore",
        "SSH-2.0-x\r\n\r\n",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        begin_asking("asks");
        answer = bad[i];
        a_tunnel();
        until((proxy_serves(), n_requests));
        if (i == 5)
            shutdown(far[n_far - 1], SHUT_WR);
        settle(0);
        until(hung_up(n_far - 1));
        a_tunnel();
        assert_int_equal(spares(), 0); /* not at once again */
        end_asking();
    }
}

/* Flushed after so many rounds, whatever is under way then: nothing is left of it. */
static void test_flush_at_any_time(void **state)
{
    (void)state;
    for (unsigned rounds = 0; rounds < 40; rounds++) {
        begin_asking("asks");
        if (rounds % 2)
            ask_keyholder(); /* so that it is up, and the phases come in other rounds */
        a_tunnel();
        for (unsigned i = 0; i < rounds; i++) {
            proxy_serves();
            if (rounds % 4 < 2)
                turn();
            else
                turn_slowly();
        }
        pool_flush(hop);
        assert_int_equal(spares(), 0);
        end_asking();
    }
}

static int tests(void)
{
    const struct CMUnitTest list[] = {
        cmocka_unit_test(test_demand),
        cmocka_unit_test(test_fit),
        with_loop(test_made_for_tunnels_alone),
        with_loop(test_turned_off),
        with_loop(test_of_a_retired_hop),
        with_loop(test_who_gets_one),
        with_loop(test_who_waits_is_served_first),
        with_loop(test_a_full_pool_takes_its_places_back),
        with_loop(test_cancelled_when_promised),
        with_loop(test_ended_when_idle),
        with_loop(test_a_pause_after_a_failure),
        with_loop(test_the_challenge_is_kept),
        with_loop(test_without_a_first_token),
        with_loop(test_what_is_no_challenge),
        with_loop(test_flush_at_any_time),
    };
    log_set_level(LOG_LEVEL_DEBUG);
    fake_log_start();
    return cmocka_run_group_tests(list, NULL, NULL);
}

int main(int argc, char **argv)
{
    return with_fake_keyholder(argc, argv, tests);
}
