/*
 * Whole requests through head, framing, target and chunks: what is refused and with which status; the same
 * verdict however the bytes are cut; a second opinion on everything accepted; and what we write of it reads
 * again as the same message.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "http_cases.h"
#include "http_message.h"
#include "http_oracle.h"

static void test_verdicts(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_HTTP_CASES; i++) {
        const struct http_case *c = &http_cases[i];
        struct message m;
        unsigned verdict = message_read(&m, c->bytes, c->bytes.n, NULL);
        if (verdict != c->expected)
            fail_msg("%s: %u (%s), not %u", c->name, verdict, m.fault.why ? m.fault.why : "", c->expected);
        if (verdict > INCOMPLETE && (!m.fault.why || m.fault.why[strlen(m.fault.why) - 1] == '.'))
            fail_msg("%s: refused without a proper reason", c->name);
        message_free(&m);
    }
}

static void test_cut_anywhere(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_HTTP_CASES; i++) {
        const struct http_case *c = &http_cases[i];
        struct message whole;
        message_read(&whole, c->bytes, c->bytes.n, NULL);
        for (size_t step = 1; step < 8; step++) {
            struct message m;
            unsigned verdict = message_read(&m, c->bytes, step, NULL);
            if (verdict != c->expected ||
                (!verdict && (m.used != whole.used || !span_eq(buf_span(&m.body), buf_span(&whole.body)))))
                fail_msg("%s: %u in steps of %zu, not %u", c->name, verdict, step, c->expected);
            message_free(&m);
        }
        message_free(&whole);
    }
}

/* The front part of a message waits for more or is refused already; it is never taken for the whole. */
static void test_cut_short(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_HTTP_CASES; i++) {
        const struct http_case *c = &http_cases[i];
        struct message whole;
        unsigned verdict = message_read(&whole, c->bytes, c->bytes.n, NULL);
        size_t end = verdict ? c->bytes.n : whole.used;
        for (size_t n = 0; n < end; n++) {
            struct message m;
            unsigned part = message_read(&m, span_head(c->bytes, n), n + 1, NULL);
            if (part != INCOMPLETE && part != verdict)
                fail_msg("%s: %u after %zu bytes", c->name, part, n);
            message_free(&m);
        }
        message_free(&whole);
    }
}

static void test_oracle(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_HTTP_CASES; i++) {
        struct message m;
        if (message_read(&m, http_cases[i].bytes, http_cases[i].bytes.n, NULL) == ACCEPTED) {
            const char *why = oracle_disagrees(&m, http_cases[i].bytes);
            if (why)
                fail_msg("%s: the oracle says %s", http_cases[i].name, why);
        }
        message_free(&m);
    }
}

static uint32_t next_random(uint32_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 17;
    *seed ^= *seed << 5;
    return *seed;
}

/* A byte changed, taken out, put in, or a piece of another message put in. */
static void mutate(struct buf *b, uint32_t *seed)
{
    static const char bytes[] = "\r\n\t \0\v:,;\"0159afFx-+_\177\200\377/?#@[]%*HTcC";
    size_t at = b->n ? next_random(seed) % b->n : 0;
    struct span tail;
    switch (next_random(seed) % 4) {
    case 0:
        if (b->n)
            b->p[at] = bytes[next_random(seed) % (sizeof bytes - 1)];
        return;
    case 1:
        if (b->n) {
            memmove(b->p + at, b->p + at + 1, b->n - at - 1);
            b->n--;
        }
        return;
    case 2:
        tail = span_make(bytes + next_random(seed) % (sizeof bytes - 1), 1);
        break;
    default:
        tail = http_cases[next_random(seed) % N_HTTP_CASES].bytes;
        tail = span_from(tail, next_random(seed) % tail.n);
        tail = span_head(tail, 1 + next_random(seed) % 40);
    }
    buf_add_span(b, tail);
    memmove(b->p + at + tail.n, b->p + at, b->n - tail.n - at);
    memcpy(b->p + at, tail.p, tail.n);
}

static void test_oracle_mutations(void **state)
{
    (void)state;
    uint32_t seed = 20110;
    size_t accepted = 0;
    for (size_t round = 0; round < 200000; round++) {
        struct buf b = {0};
        buf_add_span(&b, http_cases[next_random(&seed) % N_HTTP_CASES].bytes);
        for (size_t n = 1 + next_random(&seed) % 3; n; n--)
            mutate(&b, &seed);
        struct message m;
        if (message_read(&m, buf_span(&b), b.n + 1, NULL) == ACCEPTED) {
            accepted++;
            const char *why = oracle_disagrees(&m, buf_span(&b));
            if (why)
                fail_msg("the oracle says %s of \"%.*s\"", why, SPAN_ARG(buf_span(&b)));
        }
        message_free(&m);
        buf_free(&b);
    }
    assert_true(accepted > 5000);
}

static void test_written_again(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_HTTP_CASES; i++) {
        struct message m;
        struct message again;
        if (message_read(&m, http_cases[i].bytes, http_cases[i].bytes.n, NULL) == ACCEPTED) {
            struct header_request how = {
                .target = m.head.target,
                .host = m.target.authority,
                .body = m.rule,
                .via = SPAN("exeat-1"),
            };
            struct buf out = {0};
            assert_true(header_write_request(&out, &m.head, &how));
            if (m.rule.kind == BODY_CHUNKED) {
                buf_addf(&out, "%zx\r\n", m.body.n);
                buf_add_span(&out, buf_span(&m.body));
                buf_add_str(&out, m.body.n ? "\r\n" : "");
            }
            if (m.rule.kind == BODY_CHUNKED && m.body.n)
                chunk_end(&out, &m.chunked.trailers);
            else if (m.rule.kind == BODY_CHUNKED)
                buf_add_str(&out, "\r\n");
            else
                buf_add_span(&out, buf_span(&m.body));
            unsigned verdict = message_read(&again, buf_span(&out), out.n, NULL);
            if (verdict)
                fail_msg("%s: %u (%s) for what we wrote", http_cases[i].name, verdict, again.fault.why);
            assert_int_equal(again.used, out.n);
            assert_true(span_eq(again.head.method, m.head.method));
            assert_true(span_eq(again.head.target, m.head.target));
            assert_int_equal(again.rule.kind, m.rule.kind);
            assert_true(span_eq(buf_span(&again.body), buf_span(&m.body)));
            assert_true(message_same_fields(&m.head, &again.head));
            assert_true(header_via_loop(&again.head, SPAN("exeat-1")));
            assert_null(oracle_disagrees(&again, buf_span(&out)));
            message_free(&again);
            buf_free(&out);
        }
        message_free(&m);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_verdicts),         cmocka_unit_test(test_cut_anywhere),
        cmocka_unit_test(test_cut_short),        cmocka_unit_test(test_oracle),
        cmocka_unit_test(test_oracle_mutations), cmocka_unit_test(test_written_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
