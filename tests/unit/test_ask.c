/* The 407 conversation: an ask between a keyholder of the test's own (fake_keyholder.h) and a proxy that answers from a list. What goes out,
   on which connection, how it ends; and that no state is left by a way that the tables do not know (that would be an error in the log). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/log.h"
#include "fake_keyholder.h"
#include "upstream/ask.h"
#include "with_loop.h"

/* --- the keyholder: the upstream's name says how it behaves --- */

static struct {
    char name[32];
    unsigned challenged;
} contexts[256];
static uint32_t n_contexts, opened, closed, accepted, authorized, restarted;

static void fake_starts(int argc, char **argv)
{
    (void)argc;
    (void)argv;
}

static void send_header(const struct keys_msg *m, struct span header, uint32_t flags)
{
    fake_say(&(struct keys_msg){
        .type = KEYS_ANSWER, .call = m->call, .verdict = KEYS_SEND, .flags = flags, .header = header});
}

static void fake_challenged(const struct keys_msg *m, const char *name, unsigned number)
{
    if (!strcmp(name, "two-legs"))
        number == 1 ? send_header(m, SPAN("T1"), KEYS_KNOCK) : send_header(m, SPAN("T2"), KEYS_BINDS);
    else if (!strcmp(name, "refused"))
        fake_say(&(struct keys_msg){.type = KEYS_ANSWER,
                                    .call = m->call,
                                    .verdict = KEYS_REFUSED,
                                    .why = SPAN("wrong password"),
                                    .remedy = SPAN("type it")});
    else if (!strcmp(name, "restart") && restarted++ == 0)
        fake_answer(m->call, KEYS_RESTART);
    else if (!strcmp(name, "aside"))
        send_header(m, SPAN("T"), KEYS_KNOCK | KEYS_ASIDE | KEYS_BINDS);
    else if (!strcmp(name, "dies"))
        _exit(5);
    else if (!strcmp(name, "covers-body") && !(m->flags & KEYS_BODY_HELD))
        fake_answer(m->call, KEYS_NEED_BODY);
    else if (!strcmp(name, "covers-body"))
        send_header(m, m->body.n == 5 ? SPAN("over-5") : SPAN("over-something"), 0);
    else
        send_header(m, SPAN("T"), KEYS_BINDS);
}

static void fake_message(const struct keys_msg *m)
{
    const char *name = contexts[m->context % 256].name;
    switch (m->type) {
    case KEYS_OPEN:
        opened++;
        snprintf(contexts[++n_contexts % 256].name, 32, "%.*s", SPAN_ARG(m->upstream));
        contexts[n_contexts % 256].challenged = 0;
        fake_say(&(struct keys_msg){
            .type = KEYS_ANSWER, .call = m->call, .verdict = KEYS_OK, .context = n_contexts});
        break;
    case KEYS_AUTHORIZE:
        authorized++;
        if (!strcmp(name, "each-request"))
            send_header(m, SPAN("B"), KEYS_REUSABLE);
        else if (!strcmp(name, "mutual") || !strcmp(name, "false-proxy") || !strcmp(name, "dies-checking"))
            send_header(m, SPAN("F"), KEYS_FINAL | KEYS_BINDS);
        else if (!strncmp(name, "first-", 6)) /* and a body only behind the proof */
            send_header(m, SPAN("F"), KEYS_FINAL | KEYS_KNOCK | KEYS_BINDS);
        else
            send_header(m, SPAN(""), 0);
        break;
    case KEYS_CHALLENGED:
        fake_challenged(m, name, ++contexts[m->context % 256].challenged);
        break;
    case KEYS_ACCEPTED:
        accepted++;
        if (m->call && strstr(name, "dies"))
            _exit(5);
        if (m->call)
            fake_answer(m->call, strstr(name, "false-proxy") ? KEYS_MUTUAL_FAILED : KEYS_OK);
        break;
    case KEYS_CLOSE:
        closed++;
        break;
    default: /* STATUS: what has come so far */
        fake_say(&(struct keys_msg){.type = KEYS_ANSWER,
                                    .call = m->call,
                                    .verdict = KEYS_OK,
                                    .context = opened - closed,
                                    .generation = accepted * 100 + authorized});
    }
}

/* --- the proxy --- */

#define OK_200   "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
#define ASKS_407 "HTTP/1.1 407 No\r\nProxy-Authenticate: Test\r\nContent-Length: 4\r\n\r\nbody"
#define CLOSES_407                                                                                           \
    "HTTP/1.1 407 No\r\nProxy-Authenticate: Test\r\nConnection: close\r\nContent-Length: 4\r\n\r\nbody"
#define HANGS_UP "" /* closes without a word */

static struct {
    int listener;
    struct {
        int fd;
        struct buf in;
    } lines[64];
    size_t n_lines, n_requests;
    const char *const *answers; /* in this order, whatever connection asks; the last one for ever */
    size_t at;
    char requests[64][600];
    size_t request_line[64]; /* on which connection each came */
} proxy;

static void proxy_answers(size_t line, size_t length)
{
    struct buf *in = &proxy.lines[line].in;
    const char *answer = proxy.answers[proxy.at];
    assert_true(proxy.n_requests < 64);
    snprintf(proxy.requests[proxy.n_requests], 600, "%.*s", (int)length, in->p);
    proxy.request_line[proxy.n_requests++] = line;
    buf_drop(in, length);
    if (proxy.answers[proxy.at + 1])
        proxy.at++;
    if (!answer[0]) {
        close(proxy.lines[line].fd);
        proxy.lines[line].fd = -1;
    } else {
        far_send(proxy.lines[line].fd, span_str(answer));
    }
}

/* Takes what has come; answers whole requests (their length in Content-Length, if any). */
static void proxy_serves(void)
{
    int fd;
    while ((fd = accept4(proxy.listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        assert_true(proxy.n_lines < 64);
        proxy.lines[proxy.n_lines++].fd = fd;
    }
    for (size_t i = 0; i < proxy.n_lines; i++) {
        struct buf *in = &proxy.lines[i].in;
        if (proxy.lines[i].fd < 0)
            continue;
        far_take(proxy.lines[i].fd, in);
        const char *text = buf_cstr(in), *end = strstr(text, "\r\n\r\n"),
                   *field = strstr(text, "Content-Length: ");
        size_t head = end ? (size_t)(end - text) + 4 : 0,
               body = field && field < end ? strtoul(field + 16, NULL, 10) : 0;
        if (head && in->n >= head + body)
            proxy_answers(i, head + body);
    }
}

static bool request_has(size_t i, const char *text)
{
    return i < proxy.n_requests && strstr(proxy.requests[i], text);
}

/* --- whoever asks --- */

static struct outbound out;
static struct hop *hop;

static struct owner {
    struct ask ask;
    struct head head;
    struct span body;
    unsigned answered, failed, informed, goes, rewinds, gathers;
    enum page_cause cause;
    char why[300];
    unsigned status;
    struct upstream *u;
    bool inside, over, nothing_sent;
} owner;

static void on_informational(void *o, const struct head *h)
{
    (void)h;
    assert_false(((struct owner *)o)->over);
    owner.informed++;
}

static void on_body_go(void *o)
{
    (void)o;
    assert_false(owner.over);
    owner.goes++;
    stream_write(owner.ask.upstream->stream, owner.body);
    ask_body_out(&owner.ask);
}

static enum ask_rewind on_body_rewind(void *o)
{
    (void)o;
    assert_false(owner.over);
    owner.rewinds++;
    return ASK_REWIND_WHOLE;
}

static void on_body_gather(void *o)
{
    (void)o;
    owner.gathers++;
    ask_body_gathered(&owner.ask, true, owner.body);
}

static void on_writable(void *o)
{
    (void)o;
}

static void on_answered(void *o)
{
    (void)o;
    assert_false(owner.inside || owner.over);
    owner.answered++;
    owner.over = true;
    owner.status = owner.ask.leg.head.status;
    owner.u = ask_take(&owner.ask);
}

static void on_failed(void *o, const struct ask_failure *failure)
{
    (void)o;
    assert_false(owner.inside || owner.over);
    owner.failed++;
    owner.over = true;
    owner.cause = failure->cause;
    owner.nothing_sent = failure->nothing_sent;
    snprintf(owner.why, sizeof owner.why, "%.*s", SPAN_ARG(failure->why));
}

static const struct ask_events events = {on_informational, on_body_go,  on_body_rewind, on_body_gather,
                                         on_writable,      on_answered, on_failed};

static void start(const char *method, const char *body)
{
    struct fault fault;
    char text[300];
    owner = (struct owner){.body = span_str(body), .inside = true};
    int n =
        snprintf(text, sizeof text, "%s http://site.example/ HTTP/1.1\r\nHost: site.example\r\n\r\n", method);
    assert_true(head_read_request(&owner.head, span_make(text, (size_t)n), &head_limits_default, &fault));
    struct ask_request request = {.head = &owner.head,
                                  .how = {.target = SPAN("http://site.example/"),
                                          .host = SPAN("site.example"),
                                          .via = SPAN("test"),
                                          .body = {*body ? BODY_LENGTH : BODY_NONE, owner.body.n},
                                          .to_proxy = true},
                                  .body = *body ? ASK_BODY_SMALL : ASK_BODY_NONE,
                                  .max_head = 65536};
    ask_start(&owner.ask, &out, hop, &request, "t", &events, &owner);
    owner.inside = false;
}

static void finish(void)
{
    until((proxy_serves(), owner.over));
}

/* The connection goes back to the pool (the answers' bodies stay unread here, so only where there is none). */
static void done_with(bool keep)
{
    if (owner.u && keep)
        pool_give(owner.u);
    else if (owner.u)
        pool_close(owner.u);
    owner.u = NULL;
    head_free(&owner.head);
}

static void ask_whole(const char *method, const char *body, bool keep)
{
    start(method, body);
    finish();
    done_with(keep);
}

static void nothing(void *o, const struct keys_msg *m)
{
    (void)o;
    (void)m;
}

static uint32_t contexts_open, acceptances, authorizations; /* as the keyholder has counted */
static bool figures_came;

static void on_figures(void *o, const struct keys_msg *m)
{
    (void)o;
    contexts_open = m->context;
    acceptances = m->generation / 100;
    authorizations = m->generation % 100;
    figures_came = true;
}

static void ask_figures(void)
{
    struct keys_call call;
    struct keys_msg m = {.type = KEYS_STATUS, .upstream = SPAN("x")};
    figures_came = false;
    keys_call_start(out.keys, &call, &m, on_figures, NULL);
    until(figures_came);
}

static void begin(const char *upstream, const char *const *answers)
{
    static const struct keys_client_events keys_events = {nothing, nothing, NULL};
    uint16_t port;
    char text[200];
    struct err e = {0};
    int n = snprintf(text, sizeof text, "[upstream %s]\nproxy = http://127.0.0.1:%u\n", upstream,
                     (proxy.listener = listening_socket(&port, 64), port));
    fcntl(proxy.listener, F_SETFL, O_NONBLOCK);
    struct config *c = config_load_text("t", span_make(text, (size_t)n), &e);
    assert_non_null(c);
    hop = hop_new_proxy(&c->upstreams[0], &c->upstreams[0].proxies[0], &e);
    config_unref(c);
    proxy.n_lines = proxy.n_requests = proxy.at = 0;
    proxy.answers = answers;
    out = (struct outbound){.loop = loop};
    out.keys = keys_client_new(loop, NULL, KEYS_ONE_ERRAND, &keys_events, NULL);
}

static void end(void)
{
    pool_flush(hop);
    assert_int_equal(hop->refs, 1);
    hop_unref(hop);
    keys_client_free(out.keys);
    turns(3);
    for (size_t i = 0; i < 64; i++) {
        if (i < proxy.n_lines && proxy.lines[i].fd >= 0)
            close(proxy.lines[i].fd);
        buf_free(&proxy.lines[i].in);
    }
    close(proxy.listener);
    if (fake_log_has("cannot go from"))
        fail_msg("a state was left by a way that the tables do not know");
}

#define ANSWERS(...) ((const char *const[]){__VA_ARGS__, NULL})
#define EMPTY_200    "HTTP/1.1 204 No Content\r\n\r\n"

/* --- the conversation --- */

static void test_let_through_at_once(void **state)
{
    (void)state;
    begin("plain", ANSWERS(OK_200));
    ask_whole("GET", "", false);
    assert_int_equal(owner.answered, 1);
    assert_int_equal(owner.status, 200);
    assert_int_equal(proxy.n_requests, 1);
    assert_false(request_has(0, "Proxy-Authorization"));
    end();
}

static void test_one_407(void **state)
{
    (void)state;
    begin("plain", ANSWERS(ASKS_407, EMPTY_200));
    ask_whole("GET", "", true);
    assert_int_equal(owner.status, 204);
    assert_int_equal(proxy.n_requests, 2);
    assert_true(request_has(1, "Proxy-Authorization: T\r\n"));
    assert_int_equal(proxy.n_lines, 1);
    assert_int_equal(out.counters.challenges, 1);
    assert_int_equal(out.counters.handshakes, 1);
    ask_whole("GET", "", true); /* the connection has been let in */
    assert_false(request_has(2, "Proxy-Authorization"));
    assert_int_equal(proxy.n_lines, 1);
    ask_figures();
    assert_int_equal(acceptances, 1);
    assert_int_equal(authorizations, 1); /* and nobody asked for the second request */
    assert_int_equal(contexts_open, 1);
    end();
}

/* A hop that has no answers of ours: its 407 is the client's. */
static void test_a_407_that_is_not_ours(void **state)
{
    (void)state;
    begin("plain", ANSWERS(ASKS_407));
    hop->authenticates = false;
    ask_whole("GET", "", false);
    assert_int_equal(owner.status, 407);
    assert_int_equal(proxy.n_requests, 1);
    end();
}

static void test_two_legs_with_a_body(void **state)
{
    (void)state;
    begin("two-legs", ANSWERS(ASKS_407, ASKS_407, EMPTY_200));
    ask_whole("POST", "hello", true);
    assert_int_equal(owner.status, 204);
    assert_int_equal(proxy.n_requests, 3);
    assert_memory_equal(proxy.requests[0], "POST ", 5);
    assert_memory_equal(proxy.requests[1], "GET http://site.example/ ", 25); /* the knock */
    assert_true(request_has(1, "Proxy-Authorization: T1\r\n"));
    assert_false(request_has(1, "hello") || request_has(1, "Content-Length"));
    assert_memory_equal(proxy.requests[2], "POST ", 5);
    assert_true(request_has(2, "Proxy-Authorization: T2\r\n") && request_has(2, "\r\n\r\nhello"));
    assert_int_equal(proxy.n_lines, 1);
    assert_int_equal(owner.goes, 2);
    assert_int_equal(owner.rewinds, 1);
    end();
}

/* The knock is let through: its answer is dropped, then the request goes. */
static void test_a_knock_that_is_let_through(void **state)
{
    (void)state;
    begin("two-legs", ANSWERS(ASKS_407, OK_200, EMPTY_200));
    ask_whole("POST", "hello", true);
    assert_int_equal(owner.status, 204);
    assert_int_equal(proxy.n_requests, 3);
    assert_memory_equal(proxy.requests[1], "GET ", 4);
    assert_true(request_has(2, "hello"));
    end();
}

/* The token goes out on a knock of our own; whatever is answered, the request follows on the connection that has been let in. */
static void test_an_aside(void **state)
{
    (void)state;
    static const char *const methods[] = {"GET", "POST"};
    for (size_t i = 0; i < 2; i++) {
        begin("aside", ANSWERS(ASKS_407, "HTTP/1.1 503 None\r\nContent-Length: 4\r\n\r\nbody", EMPTY_200));
        ask_whole(methods[i], i ? "hello" : "", true);
        assert_int_equal(owner.status, 204);
        assert_int_equal(proxy.n_requests, 3);
        assert_memory_equal(proxy.requests[1],
                            "GET http://exeat.invalid/ HTTP/1.1\r\nHost: exeat.invalid\r\n", 56);
        assert_true(request_has(1, "Proxy-Authorization: T\r\n"));
        assert_false(request_has(1, "site.example") || request_has(1, "hello"));
        assert_memory_equal(proxy.requests[2], methods[i], strlen(methods[i]));
        assert_false(request_has(2, "Proxy-Authorization"));
        assert_int_equal(proxy.n_lines, 1);
        ask_figures();
        assert_int_equal(acceptances, 1);
        end();
    }
}

/* The connection ends with the aside's answer, or without one: once more on another, and never without end. */
static void test_an_aside_that_ends_the_connection(void **state)
{
    (void)state;
    static const char *const ends[] = {"HTTP/1.1 503 None\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
                                       HANGS_UP};
    for (size_t i = 0; i < 2; i++) {
        begin("aside", ANSWERS(ASKS_407, ends[i], ASKS_407,
                               i ? EMPTY_200 : "HTTP/1.1 503 None\r\nContent-Length: 4\r\n\r\n", EMPTY_200));
        ask_whole("GET", "", true);
        assert_int_equal(owner.status, 204);
        assert_int_equal(proxy.n_lines, 2);
        assert_int_equal(proxy.n_requests, 5);
        if (i == 0) /* an answer without a body does not end it, perhaps */
            assert_memory_equal(proxy.requests[3], "HEAD http://exeat.invalid/ ", 27);
        end();
        begin("aside", ANSWERS(ASKS_407, ends[i], ASKS_407, ends[i], ASKS_407, ends[i], ASKS_407, ends[i],
                               ASKS_407, ends[i]));
        ask_whole("GET", "", false);
        assert_int_equal(owner.failed, 1);
        assert_true(proxy.n_requests <= 10);
        end();
    }
}

static void test_one_header_for_each_request(void **state)
{
    (void)state;
    begin("each-request", ANSWERS(EMPTY_200));
    for (size_t i = 0; i < 3; i++) {
        ask_whole("GET", "", true);
        assert_true(request_has(i, "Proxy-Authorization: B\r\n"));
    }
    assert_int_equal(proxy.n_lines, 1);
    ask_figures();
    assert_int_equal(acceptances, 1); /* once is enough for the connection */
    end();
}

static void test_a_body_that_the_header_covers(void **state)
{
    (void)state;
    begin("covers-body", ANSWERS(ASKS_407, EMPTY_200));
    ask_whole("POST", "hello", true);
    assert_int_equal(owner.status, 204);
    assert_int_equal(owner.gathers, 1);
    assert_true(request_has(1, "Proxy-Authorization: over-5\r\n"));
    end();
}

static void test_refused(void **state)
{
    (void)state;
    begin("refused", ANSWERS(ASKS_407));
    ask_whole("GET", "", false);
    assert_int_equal(owner.failed, 1);
    assert_int_equal(owner.cause, PAGE_SECRET_REFUSED);
    assert_string_equal(owner.why, "wrong password");
    assert_int_equal(proxy.n_requests, 1);
    assert_int_equal(out.counters.refusals, 1);
    ask_figures();
    assert_int_equal(contexts_open, 0); /* its context is closed */
    end();
}

static void test_mutual_authentication(void **state)
{
    (void)state;
    begin("mutual", ANSWERS(EMPTY_200));
    ask_whole("GET", "", true);
    assert_int_equal(owner.status, 204);
    end();
    begin("false-proxy", ANSWERS(EMPTY_200));
    ask_whole("GET", "", false);
    assert_int_equal(owner.answered, 0); /* nothing of that answer passes */
    assert_int_equal(owner.cause, PAGE_NOT_PROVED);
    end();
}

/* --- once more on another connection --- */

static void test_the_keyholder_wants_another_connection(void **state)
{
    (void)state;
    begin("restart", ANSWERS(ASKS_407, ASKS_407, EMPTY_200));
    ask_whole("GET", "", true);
    assert_int_equal(owner.status, 204);
    assert_int_equal(proxy.n_lines, 2);
    assert_int_equal(proxy.request_line[1], 1);
    assert_int_equal(proxy.request_line[2], 1);
    end();
}

/* The knock has the token; what comes back is judged before the body goes. */
static void test_no_body_before_the_proof(void **state)
{
    (void)state;
    begin("first-mutual", ANSWERS(OK_200, EMPTY_200));
    ask_whole("POST", "hello", true);
    assert_int_equal(owner.status, 204);
    assert_int_equal(proxy.n_requests, 2);
    assert_memory_equal(proxy.requests[0], "GET http://site.example/ ", 25);
    assert_true(request_has(0, "Proxy-Authorization: F\r\n") && !request_has(0, "hello"));
    assert_memory_equal(proxy.requests[1], "POST ", 5);
    assert_true(request_has(1, "\r\n\r\nhello") && !request_has(1, "Proxy-Authorization"));
    assert_int_equal(proxy.n_lines, 1);
    assert_int_equal(owner.goes, 1);
    ask_whole("POST", "again", true); /* proved once is proved for this connection */
    assert_int_equal(proxy.n_requests, 3);
    assert_int_equal(proxy.n_lines, 1);
    end();

    begin("first-false-proxy", ANSWERS(OK_200, EMPTY_200));
    ask_whole("POST", "hello", true);
    assert_int_equal(owner.failed, 1);
    assert_int_equal(owner.cause, PAGE_NOT_PROVED);
    assert_int_equal(owner.goes, 0);
    assert_int_equal(proxy.n_requests, 1);
    until(!far_take(proxy.lines[0].fd, &proxy.lines[0].in)); /* closed, not kept */
    end();
}

static void test_a_knock_whose_answer_costs_the_connection(void **state)
{
    (void)state;
    begin("first-mutual",
          ANSWERS("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok", EMPTY_200));
    ask_whole("POST", "hello", true);
    assert_int_equal(owner.status, 204);
    assert_memory_equal(proxy.requests[0], "GET ", 4);
    assert_memory_equal(proxy.requests[1], "HEAD ", 5);
    assert_true(request_has(1, "Proxy-Authorization: F\r\n") && !request_has(1, "hello"));
    assert_memory_equal(proxy.requests[2], "POST ", 5);
    assert_int_equal(proxy.request_line[1], 1);
    assert_int_equal(proxy.request_line[2], 1);
    end();

    begin("first-mutual",
          ANSWERS("HTTP/1.1 204 No\r\nConnection: close\r\n\r\n")); /* for ever: it has an end */
    ask_whole("POST", "hello", true);
    assert_int_equal(owner.failed, 1);
    assert_int_equal(owner.goes, 0);
    end();
}

static void test_no_interim_answer_before_the_proof(void **state)
{
    (void)state;
    static const char interim[] = "HTTP/1.1 103 Early\r\nLink: <x>\r\n\r\nHTTP/1.1 204 No\r\n\r\n";
    begin("mutual", ANSWERS(interim));
    ask_whole("GET", "", true);
    assert_int_equal(owner.informed, 0);
    ask_whole("GET", "", true); /* let in by now */
    assert_int_equal(owner.informed, 1);
    end();

    begin("mutual", ANSWERS(interim));
    ask_whole("POST", "hello", true); /* its sender may wait for a 100 */
    assert_int_equal(owner.informed, 1);
    end();
}

/* One handshake is lost, not the request, where that can be sent again. */
static void test_the_keyholder_dies_over_the_proof(void **state)
{
    (void)state;
    size_t lives = fake_lives();
    begin("dies-checking", ANSWERS(EMPTY_200));
    ask_whole("GET", "", true);
    assert_int_equal(owner.failed, 1);
    assert_int_equal(owner.answered, 0);
    assert_true(fake_lives() - lives > 1);
    end();

    begin("dies-checking", ANSWERS(EMPTY_200));
    ask_whole("POST", "hello", true);
    assert_int_equal(owner.cause, PAGE_INTERNAL);
    assert_int_equal(proxy.n_requests, 1);
    end();
}

/* A 407 that ends its connection each time, or asks without end: both have an end here. */
static void test_without_end(void **state)
{
    (void)state;
    begin("plain", ANSWERS(ASKS_407));
    ask_whole("GET", "", false);
    assert_int_equal(owner.failed, 1);
    assert_int_equal(owner.cause, PAGE_BAD_ANSWER);
    assert_true(proxy.n_requests <= 10);
    end();
    begin("plain", ANSWERS(CLOSES_407));
    ask_whole("GET", "", false);
    assert_int_equal(owner.failed, 1);
    assert_int_equal(owner.cause, PAGE_BAD_ANSWER);
    assert_true(proxy.n_requests <= 10);
    end();
    begin("plain", ANSWERS("HTTP/1.1 100 Continue\r\n\r\n"));
    start("GET", "");
    until((proxy_serves(), proxy.n_requests));
    for (unsigned i = 0; i < 60 && !owner.over; i++) {
        send(proxy.lines[0].fd, "HTTP/1.1 102 Processing\r\n\r\n", 27, MSG_NOSIGNAL);
        turn();
    }
    finish();
    assert_int_equal(owner.cause, PAGE_BAD_ANSWER);
    assert_true(owner.informed > 0 && owner.informed <= 32);
    done_with(false);
    end();
}

static void test_a_stale_connection(void **state)
{
    (void)state;
    static const struct {
        const char *method, *body;
        bool again;
    } cases[] = {{"GET", "", true}, {"PUT", "hello", true}, {"POST", "hello", false}};
    for (size_t i = 0; i < 3; i++) {
        begin("plain", ANSWERS(EMPTY_200, HANGS_UP, EMPTY_200));
        ask_whole("GET", "", true);
        ask_whole(cases[i].method, cases[i].body, cases[i].again);
        assert_int_equal(owner.answered, cases[i].again);
        assert_int_equal(proxy.n_lines, cases[i].again ? 2 : 1);
        if (!cases[i].again)
            assert_int_equal(owner.cause, PAGE_CUT_SHORT);
        end();
    }
    begin("plain", ANSWERS(HANGS_UP)); /* a new one is not stale */
    ask_whole("GET", "", false);
    assert_int_equal(owner.cause, PAGE_CUT_SHORT);
    assert_int_equal(proxy.n_requests, 1);
    end();
}

/* --- bad ends --- */

static void test_what_is_no_answer(void **state)
{
    (void)state;
    static const char *const bad[] = {"SSH-2.0-x\r\n\r\n",
                                      "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
                                      "HTTP/1.1 99 X\r\n\r\n"};
    for (size_t i = 0; i < 3; i++) {
        begin("plain", (const char *const[]){bad[i], NULL});
        ask_whole("GET", "", false);
        if (owner.failed != 1 || owner.cause != PAGE_BAD_ANSWER)
            fail_msg("taken: %s", bad[i]);
        end();
    }
}

static void test_nobody_listens(void **state)
{
    (void)state;
    int holder;
    begin("plain", ANSWERS(OK_200));
    hop->port = closed_port(&holder);
    ask_whole("GET", "", false);
    assert_int_equal(owner.cause, PAGE_REFUSED);
    assert_true(owner.nothing_sent);
    close(holder);
    end();
}

/* It dies of this very challenge each time: an end, with a sentence. */
static void test_the_keyholder_dies(void **state)
{
    (void)state;
    begin("dies", ANSWERS(ASKS_407));
    ask_whole("GET", "", false);
    assert_int_equal(owner.failed, 1);
    assert_true(strlen(owner.why) > 0);
    assert_true(proxy.n_requests <= 5);
    end();
}

/* Cancelled after so many rounds, whatever is under way then: nothing is told any more, and nothing is left. */
static void test_cancel_at_any_time(void **state)
{
    (void)state;
    for (unsigned rounds = 0; rounds < 40; rounds++) {
        begin("two-legs", ANSWERS(ASKS_407, ASKS_407, EMPTY_200));
        if (rounds % 2)
            ask_figures(); /* so that the keyholder is up, and the phases come in other rounds */
        start("POST", "hello");
        for (unsigned i = 0; i < rounds && !owner.over; i++) {
            proxy_serves();
            turn_slowly();
        }
        bool was_over = owner.over;
        owner.over = true; /* no event from here on */
        if (!was_over)
            ask_cancel(&owner.ask);
        ask_cancel(&owner.ask); /* harmless */
        proxy_serves();
        ask_figures(); /* every answer of before has come by then */
        done_with(true);
        end();
    }
}

static int tests(void)
{
    const struct CMUnitTest list[] = {
        with_loop(test_let_through_at_once),
        with_loop(test_one_407),
        with_loop(test_a_407_that_is_not_ours),
        with_loop(test_two_legs_with_a_body),
        with_loop(test_a_knock_that_is_let_through),
        with_loop(test_one_header_for_each_request),
        with_loop(test_a_body_that_the_header_covers),
        with_loop(test_an_aside),
        with_loop(test_an_aside_that_ends_the_connection),
        with_loop(test_refused),
        with_loop(test_mutual_authentication),
        with_loop(test_no_body_before_the_proof),
        with_loop(test_a_knock_whose_answer_costs_the_connection),
        with_loop(test_no_interim_answer_before_the_proof),
        with_loop(test_the_keyholder_dies_over_the_proof),
        with_loop(test_the_keyholder_wants_another_connection),
        with_loop(test_without_end),
        with_loop(test_a_stale_connection),
        with_loop(test_what_is_no_answer),
        with_loop(test_nobody_listens),
        with_loop(test_the_keyholder_dies),
        with_loop(test_cancel_at_any_time),
    };
    fake_log_start();
    log_set_level(LOG_LEVEL_DEBUG);
    return cmocka_run_group_tests(list, NULL, NULL);
}

int main(int argc, char **argv)
{
    return with_fake_keyholder(argc, argv, tests);
}
