/* Frames: whole, in pieces, several at once; lengths that are not allowed; and that nothing of a frame stays
 * behind. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>

#include "wire/frame.h"

static void add_frame(struct buf *out, struct span body)
{
    size_t begin = frame_begin(out);
    buf_add_span(out, body);
    assert_true(frame_end(out, begin));
}

static void expect(struct frame_reader *r, struct span body)
{
    struct span got;
    assert_int_equal(frame_reader_next(r, &got), 1);
    assert_int_equal(got.n, body.n);
    assert_memory_equal(got.p, body.p, body.n);
    frame_reader_drop(r);
}

static void test_bytes_on_the_wire(void **state)
{
    (void)state;
    struct buf out;
    buf_init(&out, 0);
    add_frame(&out, SPAN("hello"));
    assert_int_equal(out.n, 9);
    assert_memory_equal(out.p, "\0\0\0\5hello", 9);
    buf_free(&out);
}

/* Three frames, cut at each place into two parts, and into single bytes. */
static void test_any_pieces(void **state)
{
    (void)state;
    static const struct span bodies[] = {{"first", 5}, {"2", 1}, {"the third\0one", 13}};
    struct buf out;
    buf_init(&out, 0);
    for (size_t i = 0; i < 3; i++)
        add_frame(&out, bodies[i]);
    for (size_t cut = 0; cut <= out.n; cut++) {
        struct frame_reader r;
        struct span got;
        size_t seen = 0;
        frame_reader_init(&r);
        for (int part = 0; part < 2; part++) {
            struct span piece = part ? span_from(buf_span(&out), cut) : span_head(buf_span(&out), cut);
            assert_true(frame_reader_feed(&r, piece));
            while (frame_reader_next(&r, &got) == 1)
                expect(&r, bodies[seen++]);
        }
        assert_int_equal(seen, 3);
        frame_reader_free(&r);
    }
    struct frame_reader r;
    frame_reader_init(&r);
    for (size_t i = 0; i < out.n; i++)
        assert_true(frame_reader_feed(&r, span_make(out.p + i, 1)));
    for (size_t i = 0; i < 3; i++)
        expect(&r, bodies[i]);
    frame_reader_free(&r);
    buf_free(&out);
}

static void test_next_lends_the_same_until_drop(void **state)
{
    (void)state;
    struct frame_reader r;
    struct span a, b;
    frame_reader_init(&r);
    frame_reader_drop(&r); /* nothing to drop: nothing happens */
    assert_true(frame_reader_feed(&r, span_make("\0\0\0\1x\0\0\0\2y", 10)));
    assert_int_equal(frame_reader_next(&r, &a), 1);
    assert_int_equal(frame_reader_next(&r, &b), 1);
    assert_ptr_equal(a.p, b.p);
    frame_reader_drop(&r);
    assert_int_equal(frame_reader_next(&r, &a), 0);
    frame_reader_drop(&r); /* half a frame stays */
    assert_true(frame_reader_feed(&r, SPAN("z")));
    expect(&r, SPAN("yz"));
    frame_reader_free(&r);
}

static void test_lengths(void **state)
{
    (void)state;
    static const struct {
        struct span head;
        bool ok;
    } cases[] = {
        {{"\0\0\0\0", 4}, false},    {{"\0\0\0\1", 4}, true},          {{"\0\x10\0\0", 4}, true},
        {{"\0\x10\0\1", 4}, false},  {{"\xFF\xFF\xFF\xFF", 4}, false}, {{"\x80\0\0\1", 4}, false},
        {{"\xFF\xFF\xFF", 3}, true}, /* not a length yet */
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct frame_reader r;
        struct span body;
        frame_reader_init(&r);
        assert_int_equal(frame_reader_feed(&r, cases[i].head), cases[i].ok);
        assert_int_equal(frame_reader_next(&r, &body), cases[i].ok ? 0 : -1);
        frame_reader_free(&r);
    }
}

/* A bad frame behind a good one: the good one is still there. */
static void test_bad_second(void **state)
{
    (void)state;
    struct frame_reader r;
    struct span body;
    frame_reader_init(&r);
    assert_true(frame_reader_feed(&r, span_make("\0\0\0\1x\0\0\0\0", 9)));
    expect(&r, SPAN("x"));
    assert_int_equal(frame_reader_next(&r, &body), -1);
    frame_reader_free(&r);
}

static void test_largest(void **state)
{
    (void)state;
    char *bytes = mem_zero(FRAME_MAX + 1);
    struct buf out;
    struct frame_reader r;
    buf_init(&out, 0);
    frame_reader_init(&r);
    add_frame(&out, span_make(bytes, FRAME_MAX));
    /* all but one byte is waiting, then a piece of usual size comes, which holds the beginning of the next
     * frame */
    assert_true(frame_reader_feed(&r, span_head(buf_span(&out), out.n - 1)));
    assert_true(frame_reader_feed(&r, span_make(bytes, 1)));
    assert_true(frame_reader_feed(&r, span_head(buf_span(&out), 65536)));
    expect(&r, span_make(bytes, FRAME_MAX));
    frame_reader_free(&r);

    size_t begin = frame_begin(&out), before = out.n;
    buf_add(&out, bytes, FRAME_MAX + 1);
    assert_false(frame_end(&out, begin));
    assert_int_equal(out.n, before - FRAME_LENGTH_BYTES);
    begin = frame_begin(&out);
    assert_false(frame_end(&out, begin)); /* empty */
    assert_int_equal(out.n, before - FRAME_LENGTH_BYTES);
    buf_free(&out);
    free(bytes);
}

/* Whoever never takes frames off is stopped. */
static void test_flood(void **state)
{
    (void)state;
    struct frame_reader r;
    frame_reader_init(&r);
    size_t fed = 0;
    static const char piece[65536] = {0, 0, 0, 1};
    while (fed < 64 * FRAME_MAX && frame_reader_feed(&r, span_make(piece, sizeof piece)))
        fed += sizeof piece;
    assert_true(fed <= 2 * (FRAME_MAX + FRAME_LENGTH_BYTES));
    frame_reader_free(&r);
}

static void test_ceiling_of_out(void **state)
{
    (void)state;
    struct buf out;
    buf_init(&out, 3);
    size_t begin = frame_begin(&out);
    assert_false(frame_end(&out, begin));
    assert_int_equal(out.n, 0);
    assert_false(frame_reserve(&out, 4));
    assert_false(frame_reserve(&out, SIZE_MAX));
    buf_free(&out);
}

static bool holds(const struct buf *b, const char *text)
{
    return b->p && memmem(b->p, b->cap, text, strlen(text));
}

static void test_wiped(void **state)
{
    (void)state;
    struct frame_reader r;
    struct buf frames;
    buf_init(&frames, 0);
    add_frame(&frames, SPAN("hunter2"));
    add_frame(&frames, SPAN("swordfish"));
    frame_reader_init(&r);
    assert_true(frame_reader_feed(&r, buf_span(&frames)));
    assert_true(holds(&r.bytes, "hunter2"));
    expect(&r, SPAN("hunter2"));
    assert_false(holds(&r.bytes, "hunter2"));
    /* what moves to the front leaves no copy where it was */
    assert_true(frame_reader_feed(&r, SPAN("\0")));
    expect(&r, SPAN("swordfish"));
    assert_false(holds(&r.bytes, "swordfish"));
    assert_false(holds(&r.bytes, "fish"));
    frame_reader_free(&r);

    buf_clear(&frames);
    size_t begin = frame_begin(&frames);
    buf_add_str(&frames, "hunter2");
    char *big = mem_zero(FRAME_MAX);
    buf_add(&frames, big, FRAME_MAX);
    assert_false(frame_end(&frames, begin));
    assert_false(holds(&frames, "hunter2"));
    free(big);
    buf_free(&frames);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bytes_on_the_wire),
        cmocka_unit_test(test_any_pieces),
        cmocka_unit_test(test_next_lends_the_same_until_drop),
        cmocka_unit_test(test_lengths),
        cmocka_unit_test(test_bad_second),
        cmocka_unit_test(test_largest),
        cmocka_unit_test(test_flood),
        cmocka_unit_test(test_ceiling_of_out),
        cmocka_unit_test(test_wiped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
