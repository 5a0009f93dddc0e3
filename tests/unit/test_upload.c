/* A request's body on its way up: out of every framing into ours, cut anywhere; the replay window and what a rewind says; gathering without
   sending; backpressure; what stands behind the body. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "relay/upload.h"
#include "with_loop.h"

#define MUCH ((size_t)3 << 20)

static struct upload up;
static struct stream *to;
static struct ear ear;
static int far;
static struct buf got;

static void begin(struct body_rule rule)
{
    int fds[2];
    joined(OVER_TCP, fds);
    far = fds[1];
    to = stream_from_fd(loop, fds[0]);
    ear_begin(&ear, to);
    upload_start(&up, rule);
}

static void end(void)
{
    upload_free(&up);
    ear_end(&ear);
    close(far);
    buf_free(&got);
}

static struct body_rule of_length(uint64_t n)
{
    return (struct body_rule){BODY_LENGTH, n};
}

static const struct body_rule in_chunks = {BODY_CHUNKED, 0};

/* Offers bytes; what is not taken comes back. */
static size_t offer(struct span bytes)
{
    upload_take(&up, &bytes);
    return bytes.n;
}

/* What has arrived is this, and nothing else. */
static void arrived(struct span expected)
{
    until(!far_take(far, &got) || got.n >= expected.n);
    turns(3);
    far_take(far, &got);
    if (!span_eq(buf_span(&got), expected))
        fail_msg("%zu bytes arrived: %.*s", got.n, got.n < 400 ? (int)got.n : 400, got.p);
    buf_clear(&got);
}

/* The content that the chunks of `got` hold; the whole must be one chunked body. */
static void arrived_in_chunks(struct span content, struct span trailers)
{
    struct chunked c;
    struct buf all = {0};
    struct span in, data;
    enum chunked_result result = CHUNKED_MORE;
    chunked_init(&c);
    until(far_take(far, &got) && got.n >= 5 && memcmp(got.p + got.n - 4, "\r\n\r\n", 4) == 0);
    in = buf_span(&got);
    while ((result = chunked_read(&c, &in, &data)) == CHUNKED_DATA)
        buf_add_span(&all, data);
    assert_int_equal(result, CHUNKED_END);
    assert_int_equal(in.n, 0);
    assert_true(span_eq(buf_span(&all), content));
    const struct field *f = head_field(&c.trailers, "digest");
    assert_true(trailers.n ? f && span_eq(f->value, trailers) : !f);
    buf_free(&all);
    chunked_free(&c);
    buf_clear(&got);
}

/* --- classes --- */

static void test_classes(void **state)
{
    (void)state;
    static const struct {
        struct body_rule rule;
        enum ask_body class;
        bool wants_nothing;
    } cases[] = {
        {{BODY_NONE, 0}, ASK_BODY_NONE, true},
        {{BODY_LENGTH, 0}, ASK_BODY_NONE, true},
        {{BODY_LENGTH, 1}, ASK_BODY_SMALL, false},
        {{BODY_LENGTH, REPLAY_WINDOW}, ASK_BODY_SMALL, false},
        {{BODY_LENGTH, REPLAY_WINDOW + 1}, ASK_BODY_BIG, false},
        {{BODY_LENGTH, UINT64_MAX}, ASK_BODY_BIG, false},
        {{BODY_CHUNKED, 0}, ASK_BODY_BIG, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        begin(cases[i].rule);
        assert_int_equal(upload_class(&up), cases[i].class);
        assert_int_equal(up.ended, cases[i].wants_nothing);
        assert_int_equal(up.sent_end, cases[i].wants_nothing);
        assert_false(upload_wants(&up)); /* not before it flows */
        upload_go(&up, to);
        assert_int_equal(upload_wants(&up), !cases[i].wants_nothing);
        end();
    }
}

/* --- flowing --- */

static void test_nothing_flows_before_go(void **state)
{
    (void)state;
    begin(of_length(5));
    assert_int_equal(offer(SPAN("hello")), 5);
    assert_int_equal(up.content, 0);
    upload_go(&up, to);
    assert_int_equal(offer(SPAN("hello")), 0);
    arrived(SPAN("hello"));
    end();
}

static void test_length_cut_anywhere(void **state)
{
    (void)state;
    for (size_t cut = 0; cut <= 14; cut++) {
        struct span all = SPAN("helloGET / HTTP");
        begin(of_length(5));
        upload_go(&up, to);
        size_t left = offer(span_head(all, cut));
        assert_int_equal(left, cut > 5 ? cut - 5 : 0);
        left = offer(span_from(all, cut - left));
        assert_int_equal(left, 10); /* what is not the body's stays */
        assert_true(up.ended && up.sent_end && !up.bad);
        assert_int_equal(up.content, 5);
        assert_false(upload_wants(&up));
        arrived(SPAN("hello"));
        end();
    }
}

static void test_chunks_are_written_anew(void **state)
{
    (void)state;
    const struct span all = SPAN("003;ext=\"x\"\r\nhel\r\n2\r\nlo\r\n0;y\r\nDigest: d\r\n\r\nGET");
    for (size_t cut = 0; cut <= all.n; cut++) {
        begin(in_chunks);
        upload_go(&up, to);
        size_t left = offer(span_head(all, cut));
        left = offer(span_from(all, cut - left));
        assert_int_equal(left, 3);
        assert_true(up.ended && up.sent_end && !up.bad);
        assert_int_equal(up.content, 5);
        arrived_in_chunks(SPAN("hello"), SPAN("d"));
        end();
    }
    begin(in_chunks); /* nothing of the client's own framing passes */
    upload_go(&up, to);
    offer(all);
    arrived(SPAN("3\r\nhel\r\n2\r\nlo\r\n0\r\nDigest: d\r\n\r\n"));
    end();
}

static void test_trailers_that_must_not_pass(void **state)
{
    (void)state;
    begin(in_chunks);
    upload_go(&up, to);
    assert_int_equal(
        offer(SPAN("0\r\nContent-Length: 5\r\nProxy-Authorization: Basic x\r\nDigest: d\r\n\r\n")), 0);
    arrived(SPAN("0\r\nDigest: d\r\n\r\n"));
    end();
}

static void test_bad_chunks(void **state)
{
    (void)state;
    static const char *const bad[] = {"x\r\n", "5\r\nhelloX", "-1\r\n", "0\r\nA B: c\r\n\r\n"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        begin(in_chunks);
        upload_go(&up, to);
        offer(span_str(bad[i]));
        if (!up.bad || up.ended || up.sent_end || upload_wants(&up))
            fail_msg("taken: %s", bad[i]);
        uint64_t content = up.content;
        offer(SPAN("0\r\n\r\n")); /* and nothing heals it */
        assert_true(up.bad && !up.sent_end && up.content == content);
        end();
    }
}

static void test_backpressure(void **state)
{
    (void)state;
    char *bytes = pattern(MUCH);
    size_t at = 0;
    begin(of_length(MUCH));
    upload_go(&up, to);
    while (at < MUCH) {
        while (upload_wants(&up)) {
            size_t n = 50000 < MUCH - at ? 50000 : MUCH - at;
            assert_int_equal(offer(span_make(bytes + at, n)), 0);
            at += n;
        }
        assert_true(stream_backlog(to) <= 50000);
        if (at < MUCH)
            until(far_take(far, &got) && upload_wants(&up));
    }
    arrived(span_make(bytes, MUCH));
    assert_int_equal(up.content, MUCH);
    assert_int_equal(up.kept.cap, 0); /* far beyond the window: nothing is kept */
    end();
    free(bytes);
}

/* --- once more --- */

static void test_rewind_whole(void **state)
{
    (void)state;
    begin(of_length(5));
    upload_go(&up, to);
    offer(SPAN("he"));
    offer(SPAN("llo"));
    arrived(SPAN("hello"));
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(upload_rewind(&up), ASK_REWIND_WHOLE);
        assert_false(up.sent_end);
        assert_false(upload_wants(&up));
        upload_go(&up, to);
        assert_true(up.sent_end);
        arrived(SPAN("hello"));
    }
    assert_int_equal(up.content, 5);
    end();
}

static void test_rewind_part(void **state)
{
    (void)state;
    begin(of_length(10));
    upload_go(&up, to);
    offer(SPAN("hello"));
    arrived(SPAN("hello"));
    assert_int_equal(upload_rewind(&up), ASK_REWIND_PART);
    assert_int_equal(offer(SPAN("more")), 4); /* flows nowhere now */
    upload_go(&up, to);
    assert_false(up.sent_end);
    assert_true(upload_wants(&up));
    offer(SPAN("world"));
    assert_true(up.sent_end);
    arrived(SPAN("helloworld"));
    end();
}

static void test_rewind_before_the_first_byte(void **state)
{
    (void)state;
    begin(of_length(5));
    upload_go(&up, to);
    assert_int_equal(upload_rewind(&up), ASK_REWIND_PART);
    upload_go(&up, to);
    offer(SPAN("hello"));
    arrived(SPAN("hello"));
    end();
}

static void test_rewind_without_a_body(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        begin(i ? of_length(0) : (struct body_rule){BODY_NONE, 0});
        upload_go(&up, to);
        assert_int_equal(upload_rewind(&up), ASK_REWIND_WHOLE);
        upload_go(&up, to);
        assert_true(up.sent_end);
        turns(3);
        arrived(SPAN(""));
        end();
    }
}

/* The window to its last byte, and one more. */
static void test_the_window(void **state)
{
    (void)state;
    char *bytes = pattern(REPLAY_WINDOW + 1);
    for (size_t more = 0; more <= 1; more++) {
        begin(of_length(REPLAY_WINDOW + 100));
        upload_go(&up, to);
        offer(span_make(bytes, REPLAY_WINDOW));
        offer(span_make(bytes + REPLAY_WINDOW, more));
        arrived(span_make(bytes, REPLAY_WINDOW + more));
        assert_int_equal(upload_rewind(&up), more ? ASK_REWIND_LOST : ASK_REWIND_PART);
        if (!more) {
            upload_go(&up, to);
            arrived(span_make(bytes, REPLAY_WINDOW));
        }
        end();
    }
    free(bytes);
}

/* The second time the kept bytes are one chunk, then it goes on as it came. */
static void test_rewind_of_chunks(void **state)
{
    (void)state;
    begin(in_chunks);
    upload_go(&up, to);
    offer(SPAN("3\r\nhel\r\n2\r\nlo\r"));
    arrived(SPAN("3\r\nhel\r\n2\r\nlo\r\n"));
    assert_int_equal(upload_rewind(&up), ASK_REWIND_PART);
    upload_go(&up, to);
    assert_int_equal(offer(SPAN("\n1\r\n!\r\n0\r\nDigest: d\r\n\r\n")), 0);
    arrived(SPAN("5\r\nhello\r\n1\r\n!\r\n0\r\nDigest: d\r\n\r\n"));
    assert_int_equal(upload_rewind(&up), ASK_REWIND_WHOLE);
    upload_go(&up, to);
    arrived(SPAN("6\r\nhello!\r\n0\r\nDigest: d\r\n\r\n"));
    end();
}

static void test_an_empty_chunked_body_twice(void **state)
{
    (void)state;
    begin(in_chunks);
    upload_go(&up, to);
    offer(SPAN("0\r\n\r\n"));
    arrived(SPAN("0\r\n\r\n"));
    assert_int_equal(upload_rewind(&up), ASK_REWIND_WHOLE);
    upload_go(&up, to);
    arrived(SPAN("0\r\n\r\n"));
    end();
}

/* After the answer nothing is kept. */
static void test_settled(void **state)
{
    (void)state;
    begin(of_length(10));
    upload_go(&up, to);
    offer(SPAN("hello"));
    upload_settle(&up);
    assert_int_equal(up.kept.cap, 0);
    offer(SPAN("world")); /* the rest still flows */
    assert_int_equal(up.kept.cap, 0);
    assert_true(up.sent_end);
    arrived(SPAN("helloworld"));
    assert_int_equal(upload_rewind(&up), ASK_REWIND_LOST);
    end();
}

/* --- gathering --- */

static void test_gathered_whole(void **state)
{
    (void)state;
    begin(in_chunks);
    upload_gather(&up);
    assert_true(upload_wants(&up));
    offer(SPAN("3\r\nhel\r\n"));
    assert_true(upload_wants(&up));
    assert_int_equal(offer(SPAN("2\r\nlo\r\n0\r\n\r\nGET")), 3);
    assert_true(up.ended && up.keeping && !up.sent_end);
    assert_false(upload_wants(&up));
    assert_true(span_eq(buf_span(&up.kept), SPAN("hello")));
    turns(3);
    far_take(far, &got);
    assert_int_equal(got.n, 0); /* nothing has left */
    upload_go(&up, to);
    assert_true(up.sent_end);
    arrived(SPAN("5\r\nhello\r\n0\r\n\r\n"));
    end();
}

/* After a rewind in the middle: the kept bytes and the rest make the whole. */
static void test_gathered_after_a_rewind(void **state)
{
    (void)state;
    begin(of_length(10));
    upload_go(&up, to);
    offer(SPAN("hello"));
    arrived(SPAN("hello"));
    upload_rewind(&up);
    upload_gather(&up);
    assert_int_equal(offer(SPAN("world")), 0);
    assert_true(up.ended);
    assert_true(span_eq(buf_span(&up.kept), SPAN("helloworld")));
    upload_go(&up, to);
    arrived(SPAN("helloworld"));
    end();
}

static void test_too_much_to_gather(void **state)
{
    (void)state;
    char *bytes = pattern(REPLAY_WINDOW + 1);
    begin(of_length(2 * REPLAY_WINDOW));
    upload_gather(&up);
    offer(span_make(bytes, REPLAY_WINDOW));
    assert_true(up.keeping && upload_wants(&up));
    offer(span_make(bytes, 1));
    assert_false(up.keeping);
    assert_false(upload_wants(&up));
    size_t rest = offer(span_make(bytes, 100));
    assert_int_equal(rest, 100); /* what nobody can keep is left where it is */
    turns(3);
    arrived(SPAN(""));
    end();
    free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_loop(test_classes),
        with_loop(test_nothing_flows_before_go),
        with_loop(test_length_cut_anywhere),
        with_loop(test_chunks_are_written_anew),
        with_loop(test_trailers_that_must_not_pass),
        with_loop(test_bad_chunks),
        with_loop(test_backpressure),
        with_loop(test_rewind_whole),
        with_loop(test_rewind_part),
        with_loop(test_rewind_before_the_first_byte),
        with_loop(test_rewind_without_a_body),
        with_loop(test_the_window),
        with_loop(test_rewind_of_chunks),
        with_loop(test_an_empty_chunked_body_twice),
        with_loop(test_settled),
        with_loop(test_gathered_whole),
        with_loop(test_gathered_after_a_rewind),
        with_loop(test_too_much_to_gather),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
