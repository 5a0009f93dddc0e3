/* Streams over TCP and over a socket pair, with a plain socket at the other end: backpressure, writes in parts, half-closes, failures
   told once and from outside, closing inside of callbacks, lingering and aborting. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "with_loop.h"

#define MUCH ((size_t)3 << 20) /* more than any socket buffer of these takes */

static struct ear ear;
static struct buf got; /* what the far side has read */
static int far;

static void begin(enum way way)
{
    int fds[2];
    joined(way, fds);
    far = fds[1];
    ear_begin(&ear, stream_from_fd(loop, fds[0]));
}

static void end(void)
{
    ear_end(&ear);
    if (far >= 0)
        close(far);
    buf_free(&got);
}

static void for_both(void (*test)(enum way way))
{
    test(OVER_TCP);
    test(OVER_PAIR);
}

/* The far side reads until it has so many bytes. */
static void far_reads(size_t bytes)
{
    until(!far_take(far, &got) || got.n >= bytes);
}

static bool far_ended(int *error)
{
    bool ended = !far_take(far, &got);
    *error = errno;
    return ended;
}

/* --- reading --- */

static void reading(enum way way)
{
    begin(way);
    far_send(far, SPAN("one"));
    turns(5);
    assert_int_equal(ear.datas, 0); /* off at first */
    assert_false(stream_reading(ear.s));
    stream_read(ear.s);
    assert_true(stream_reading(ear.s));
    assert_int_equal(ear.datas, 0);
    until(ear.in.n == 3);
    stream_pause(ear.s);
    assert_false(stream_reading(ear.s));
    far_send(far, SPAN("two"));
    turns(5);
    assert_int_equal(ear.in.n, 3);
    stream_read(ear.s);
    until(ear.in.n == 6);
    assert_memory_equal(ear.in.p, "onetwo", 6);
    assert_int_equal(stream_bytes_in(ear.s), 6);
    end();
}

static void test_reading(void **state)
{
    (void)state;
    for_both(reading);
}

/* Bytes that were read too far come again, before all others, and only while somebody reads. */
static void unread(enum way way)
{
    begin(way);
    stream_unread(ear.s, SPAN("one"));
    stream_unread(ear.s, SPAN("two"));
    far_send(far, SPAN("three"));
    turns(5);
    assert_int_equal(ear.datas, 0);
    ear.inside = true;
    stream_read(ear.s);
    ear.inside = false;
    stream_pause(ear.s);
    turns(5);
    assert_int_equal(ear.datas, 0);
    stream_read(ear.s);
    until(ear.in.n == 11);
    assert_memory_equal(ear.in.p, "onetwothree", 11);
    far_send(far, SPAN("four"));
    until(ear.in.n == 15);
    close(far);
    far = -1;
    until(ear.eofs);
    assert_int_equal(stream_bytes_in(ear.s), 9); /* the others had been counted */
    end();
}

static void test_unread(void **state)
{
    (void)state;
    for_both(unread);
}

/* It is closed before they were told. */
static void test_unread_and_closed(void **state)
{
    (void)state;
    begin(OVER_TCP);
    stream_unread(ear.s, SPAN("never heard"));
    stream_read(ear.s);
    end();
    turns(5);
}

/* A far side that sends much meets a stream that does not read: the kernel's buffers are all that fills. */
static void held_back(enum way way)
{
    size_t sent = 0;
    static char block[4096];
    begin(way);
    for (ssize_t n; (n = send(far, block, sizeof block, MSG_DONTWAIT | MSG_NOSIGNAL)) > 0 && sent < MUCH;)
        sent += (size_t)n;
    assert_true(sent < MUCH);
    turns(5);
    assert_int_equal(stream_bytes_in(ear.s), 0);
    stream_read(ear.s);
    until(ear.in.n == sent);
    end();
}

static void test_not_reading_holds_the_far_side_back(void **state)
{
    (void)state;
    for_both(held_back);
}

/* --- writing --- */

static void small_writes(enum way way)
{
    begin(way);
    ear.inside = true;
    stream_write(ear.s, SPAN("hello"));
    stream_write(ear.s, SPAN(""));
    stream_write(ear.s, SPAN(" world"));
    ear.inside = false;
    assert_int_equal(stream_backlog(ear.s), 0); /* sent at once */
    turns(5);
    assert_int_equal(ear.draineds, 0); /* there was no backlog to drain */
    assert_true(far_take(far, &got));
    assert_memory_equal(got.p, "hello world", 11);
    assert_int_equal(stream_bytes_out(ear.s), 11);
    end();
}

static void test_small_writes(void **state)
{
    (void)state;
    for_both(small_writes);
}

static void backlog(enum way way)
{
    char *bytes = pattern(MUCH);
    begin(way);
    ear.inside = true;
    stream_write(ear.s, span_make(bytes, MUCH));
    size_t left = stream_backlog(ear.s);
    assert_true(left > 0 && left < MUCH);
    stream_write(ear.s, SPAN("tail"));
    assert_int_equal(stream_backlog(ear.s), left + 4);
    ear.inside = false;
    turns(5);
    assert_int_equal(ear.draineds, 0);
    far_reads(MUCH + 4);
    until(ear.draineds);
    assert_int_equal(got.n, MUCH + 4);
    assert_memory_equal(got.p, bytes, MUCH);
    assert_memory_equal(got.p + MUCH, "tail", 4);
    assert_int_equal(ear.draineds, 1); /* once for both */
    assert_int_equal(stream_backlog(ear.s), 0);
    assert_int_equal(stream_bytes_out(ear.s), MUCH + 4);
    assert_int_equal(ear.faileds, 0);
    end();
    free(bytes);
}

static void test_backlog_and_drained(void **state)
{
    (void)state;
    for_both(backlog);
}

/* Parts that end anywhere in what the socket takes at once: as if joined. */
static void vectors(enum way way)
{
    static const size_t sizes[] = {1, 0, 70000, 3, 900000, 17, 0, 200000};
    char *bytes = pattern(MUCH);
    struct span parts[8];
    size_t at = 0;
    begin(way);
    for (unsigned round = 0; round < 2; round++) {
        for (size_t i = 0; i < 8; i++) {
            parts[i] = span_make(bytes + at, sizes[i]);
            at += sizes[i];
        }
        stream_writev(ear.s, parts, 8);
    }
    assert_true(stream_backlog(ear.s) > 0);
    far_reads(at);
    assert_int_equal(got.n, at);
    assert_memory_equal(got.p, bytes, at);
    until(ear.draineds);
    end();
    free(bytes);
}

static void test_writev(void **state)
{
    (void)state;
    for_both(vectors);
}

/* From `drained` on the writer may go on: a producer that keeps to the rules sends all of it, in order. */
static void producer(enum way way)
{
    char *bytes = pattern(MUCH);
    size_t at = 0;
    unsigned waits = 0;
    begin(way);
    while (got.n < MUCH) {
        while (at < MUCH && !stream_backlog(ear.s)) {
            stream_write_secret(ear.s, span_make(bytes + at, 10007 < MUCH - at ? 10007 : MUCH - at));
            at += 10007 < MUCH - at ? 10007 : MUCH - at;
            assert_true(stream_backlog(ear.s) <= 10007);
        }
        waits++;
        until(!stream_backlog(ear.s) || (far_take(far, &got) && false));
        far_take(far, &got);
    }
    assert_int_equal(got.n, MUCH);
    assert_memory_equal(got.p, bytes, MUCH);
    assert_true(waits > 3);
    end();
    free(bytes);
}

static void test_a_producer_with_backpressure(void **state)
{
    (void)state;
    for_both(producer);
}

/* --- half-closes --- */

static void far_half_close(enum way way)
{
    begin(way);
    stream_read(ear.s);
    far_send(far, SPAN("last words"));
    shutdown(far, SHUT_WR);
    until(ear.eofs);
    assert_int_equal(ear.in.n, 10);
    assert_false(stream_reading(ear.s));
    stream_write(ear.s, SPAN("answer")); /* writing still works */
    far_reads(6);
    assert_memory_equal(got.p, "answer", 6);
    stream_read(ear.s); /* harmless, and the end is not told again */
    turns(5);
    assert_int_equal(ear.eofs, 1);
    assert_int_equal(ear.faileds, 0);
    end();
}

static void test_far_half_close(void **state)
{
    (void)state;
    for_both(far_half_close);
}

/* FIN comes behind the backlog, and reading goes on. */
static void near_half_close(enum way way)
{
    int error;
    char *bytes = pattern(MUCH);
    begin(way);
    stream_read(ear.s);
    stream_write(ear.s, span_make(bytes, MUCH / 2));
    stream_write(ear.s,
                 span_make(bytes + MUCH / 2, MUCH / 2)); /* gathers behind the one that is being sent */
    assert_true(stream_backlog(ear.s) > MUCH / 2);
    stream_shutdown(ear.s);
    stream_shutdown(ear.s);
    stream_write(ear.s, SPAN("too late")); /* dropped */
    until(far_ended(&error));
    assert_int_equal(error, 0);
    assert_int_equal(got.n, MUCH);
    assert_memory_equal(got.p, bytes, MUCH);
    far_send(far, SPAN("still heard"));
    until(ear.in.n == 11);
    assert_int_equal(ear.faileds, 0);
    end();
    free(bytes);
}

static void test_near_half_close(void **state)
{
    (void)state;
    for_both(near_half_close);
}

static void half_close_without_backlog(enum way way)
{
    int error;
    begin(way);
    stream_write(ear.s, SPAN("bye"));
    stream_shutdown(ear.s);
    until(far_ended(&error));
    assert_int_equal(error, 0);
    assert_int_equal(got.n, 3);
    end();
}

static void test_half_close_without_backlog(void **state)
{
    (void)state;
    for_both(half_close_without_backlog);
}

/* --- failures --- */

static void far_resets(void)
{
    struct linger reset = {.l_onoff = 1};
    setsockopt(far, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    close(far);
    far = -1;
}

static void test_a_reset_while_reading(void **state)
{
    (void)state;
    begin(OVER_TCP);
    stream_read(ear.s);
    far_resets();
    until(ear.faileds);
    turns(5);
    assert_int_equal(ear.eofs, 0);
    assert_int_equal(ear.faileds, 1);
    assert_int_equal(ear.why.code, ERR_GONE);
    assert_true(strlen(ear.why.text) > 0);
    /* only stream_close is left to do, but nothing else does harm */
    stream_write(ear.s, SPAN("x"));
    assert_int_equal(stream_backlog(ear.s), 0);
    stream_read(ear.s);
    stream_shutdown(ear.s);
    turns(5);
    assert_int_equal(ear.faileds, 1);
    end();
}

/* The write itself meets the error: told later, once, though many writes meet it. */
static void test_a_failure_is_not_told_inside_a_write(void **state)
{
    (void)state;
    for (enum way way = OVER_TCP; way <= OVER_PAIR; way++) {
        begin(way);
        way == OVER_TCP ? far_resets() : (void)(close(far), far = -1);
        ear.inside = true;
        for (unsigned i = 0; i < 5; i++)
            stream_write(ear.s, SPAN("x"));
        ear.inside = false;
        until(ear.faileds);
        turns(5);
        assert_int_equal(ear.faileds, 1);
        assert_int_equal(ear.draineds, 0);
        end();
    }
}

static void broken_backlog(enum way way)
{
    char *bytes = pattern(MUCH);
    begin(way);
    stream_read(ear.s); /* both directions meet the error */
    stream_write(ear.s, span_make(bytes, MUCH));
    assert_true(stream_backlog(ear.s) > 0);
    way == OVER_TCP ? far_resets() : (void)(close(far), far = -1);
    until(ear.faileds);
    turns(5);
    assert_int_equal(ear.draineds, 0);
    assert_int_equal(stream_backlog(ear.s), 0); /* nobody waits for it any more */
    end();
    free(bytes);
}

static void test_a_failure_with_a_backlog(void **state)
{
    (void)state;
    for_both(broken_backlog);
}

/* Between an error and its telling the owner may change or go. */
static void test_a_failure_and_a_new_owner(void **state)
{
    (void)state;
    struct ear heir;
    begin(OVER_PAIR);
    close(far);
    far = -1;
    stream_write(ear.s, SPAN("x"));
    ear_begin(&heir, ear.s);
    ear.s = NULL;
    until(heir.faileds);
    assert_int_equal(ear.faileds, 0);
    ear_end(&heir);
    begin(OVER_PAIR);
    close(far);
    far = -1;
    stream_write(ear.s, SPAN("x"));
    stream_close(ear.s);
    ear.s = NULL;
    turns(5);
    assert_int_equal(ear.faileds, 0);
    end();
}

/* --- closing --- */

static void test_close_inside_callbacks(void **state)
{
    (void)state;
    char *bytes = pattern(MUCH);
    for (unsigned i = 0; i < 8; i++) {
        begin(i & 1 ? OVER_TCP : OVER_PAIR);
        ear.close_on_data = i / 2 == 0;
        ear.close_on_eof = i / 2 == 1;
        ear.close_on_drained = i / 2 == 2;
        ear.close_on_failed = i / 2 == 3;
        if (i / 2 < 2)
            stream_read(ear.s);
        if (i / 2 == 0)
            far_send(far, SPAN("x"));
        else if (i / 2 == 1)
            shutdown(far, SHUT_WR);
        else
            stream_write(ear.s, span_make(bytes, MUCH));
        if (i / 2 == 2)
            far_reads(MUCH);
        if (i == 7)
            far_resets();
        if (i == 6) {
            close(far);
            far = -1;
        }
        until(!ear.s);
        turns(5);
        end();
    }
    free(bytes);
}

/* Whatever is under way: reading, a backlog, a shutdown that waits. Nothing is told. */
static void close_in_the_middle(enum way way)
{
    char *bytes = pattern(MUCH);
    begin(way);
    stream_read(ear.s);
    far_send(far, SPAN("unread"));
    stream_write(ear.s, span_make(bytes, MUCH));
    stream_shutdown(ear.s);
    stream_close(ear.s);
    ear.s = NULL;
    turns(5);
    assert_int_equal(ear.datas + ear.draineds + ear.faileds + ear.eofs, 0);
    end();
    free(bytes);
}

static void test_close_in_the_middle(void **state)
{
    (void)state;
    for_both(close_in_the_middle);
}

static void abort_with(bool backlogged)
{
    int error;
    char *bytes = pattern(MUCH);
    begin(OVER_TCP);
    stream_write(ear.s, span_make(bytes, backlogged ? MUCH : 10));
    if (!backlogged)
        far_reads(10);
    stream_abort(ear.s);
    ear.s = NULL;
    until(far_ended(&error));
    assert_int_equal(error, ECONNRESET);
    end();
    free(bytes);
}

static void test_abort_is_a_reset(void **state)
{
    (void)state;
    abort_with(false);
    abort_with(true);
    begin(OVER_PAIR); /* there is no reset here: an end at least */
    int error;
    stream_abort(ear.s);
    ear.s = NULL;
    until(far_ended(&error));
    end();
}

/* A plain close, for comparison: an end, no reset. */
static void test_close_is_no_reset(void **state)
{
    (void)state;
    int error;
    begin(OVER_TCP);
    stream_write(ear.s, SPAN("x"));
    stream_close(ear.s);
    ear.s = NULL;
    until(far_ended(&error));
    assert_int_equal(error, 0);
    end();
}

/* --- lingering --- */

/* The far side is still sending when the last answer is written; a close would answer its bytes with a reset that overtakes the answer. */
static void linger_delivers(size_t answer, bool far_sends, bool far_ends_first)
{
    int error = -1;
    char *bytes = pattern(answer);
    static char more[4096];
    begin(OVER_TCP);
    if (far_sends)
        far_send(far, SPAN("the beginning of a long body"));
    stream_write(ear.s, span_make(bytes, answer));
    stream_linger(ear.s, 60);
    ear.s = NULL;
    if (far_ends_first)
        shutdown(far, SHUT_WR);
    for (unsigned i = 0; i < 30; i++) {
        if (far_sends && !far_ends_first)
            assert_int_equal(send(far, more, 100, MSG_NOSIGNAL), 100);
        turn();
    }
    until(far_ended(&error));
    assert_int_equal(error, 0);
    assert_int_equal(got.n, answer);
    assert_memory_equal(got.p, bytes, answer);
    end();
    turns(5);
    free(bytes);
}

static void test_linger_delivers_a_small_answer(void **state)
{
    (void)state;
    linger_delivers(1000, true, false);
    linger_delivers(1000, false, false);
    linger_delivers(1000, false, true);
}

static void test_linger_delivers_a_backlog(void **state)
{
    (void)state;
    linger_delivers(MUCH, true, false);
    linger_delivers(MUCH, false, false);
}

/* The far side half-closes while most of the answer is still to be sent: that is no reason to cut it. */
static void test_linger_delivers_a_backlog_to_a_half_closed_client(void **state)
{
    (void)state;
    linger_delivers(MUCH, false, true);
    linger_delivers(MUCH, true, true);
}

/* The same, with the end of its requests heard before. */
static void test_linger_after_eof(void **state)
{
    (void)state;
    int error;
    char *bytes = pattern(MUCH);
    for (size_t answer = 10; answer <= MUCH; answer += MUCH - 10) {
        begin(OVER_TCP);
        stream_read(ear.s);
        shutdown(far, SHUT_WR);
        until(ear.eofs);
        stream_write(ear.s, span_make(bytes, answer));
        stream_linger(ear.s, 60);
        ear.s = NULL;
        turns(20);
        until(far_ended(&error));
        assert_int_equal(error, 0);
        assert_int_equal(got.n, answer);
        end();
    }
    free(bytes);
}

static void test_linger_when_broken(void **state)
{
    (void)state;
    begin(OVER_PAIR);
    close(far);
    far = -1;
    stream_write(ear.s, SPAN("x"));
    stream_linger(ear.s, 60);
    ear.s = NULL;
    turns(5);
    begin(OVER_TCP); /* and one that breaks in the middle */
    char *bytes = pattern(MUCH);
    stream_write(ear.s, span_make(bytes, MUCH));
    stream_linger(ear.s, 60);
    ear.s = NULL;
    far_resets();
    turns(20);
    free(bytes);
    end();
}

/* Whoever never takes it is cut off, and told so by a reset: what it has is not the whole. */
static void linger_on_who_never_reads(enum way way)
{
    int error = -1;
    char *bytes = pattern(MUCH);
    begin(way);
    stream_write(ear.s, span_make(bytes, MUCH));
    stream_linger(ear.s, 1);
    ear.s = NULL;
    assert_true(loop_delivers(loop));
    until(!loop_delivers(loop));
    until(far_ended(&error));
    assert_int_equal(error, way == OVER_TCP ? ECONNRESET : 0);
    assert_true(got.n < MUCH);
    end();
    free(bytes);
}

static void test_linger_on_who_never_reads(void **state)
{
    (void)state;
    for_both(linger_on_who_never_reads);
}

static uint64_t milliseconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* Slow is not never: so little at a time that for long nothing of it shows in the backlog. */
static void test_linger_on_who_reads_slowly(void **state)
{
    (void)state;
    static char piece[16 * 1024];
    char *bytes = pattern(MUCH);
    int error = -1;
    begin(OVER_TCP);
    stream_write(ear.s, span_make(bytes, MUCH));
    stream_linger(ear.s, 1);
    ear.s = NULL;
    const uint64_t began = milliseconds();
    for (uint64_t passed, pieces = 0; (passed = milliseconds() - began) < 4000; turn_slowly()) {
        for (; pieces <= passed / 15; pieces++) { /* by the clock: rounds of a busy machine are longer */
            ssize_t n = recv(far, piece, sizeof piece / 4, MSG_DONTWAIT);
            if (n > 0)
                buf_add(&got, piece, (size_t)n);
        }
    }
    assert_true(loop_delivers(loop)); /* else it was too quick to show anything */
    until(far_ended(&error));
    assert_int_equal(error, 0);
    assert_int_equal(got.n, MUCH);
    assert_memory_equal(got.p, bytes, MUCH);
    end();
    free(bytes);
}

/* --- small answers --- */

/* What the kernel has not been relieved of counts. */
static void untaken(enum way way)
{
    char *bytes = pattern(MUCH);
    begin(way);
    assert_int_equal(stream_untaken(ear.s), 0);
    stream_write(ear.s, span_make(bytes, MUCH));
    size_t backlog = stream_backlog(ear.s);
    uint64_t all = stream_untaken(ear.s);
    assert_true(all >= backlog && (way == OVER_PAIR || all <= MUCH));
    for (unsigned i = 0; i < 4; i++) {
        static char piece[16 * 1024];
        uint64_t before = stream_untaken(ear.s);
        until(recv(far, piece, sizeof piece, MSG_DONTWAIT) != 0 && stream_untaken(ear.s) < before);
        assert_int_equal(stream_backlog(ear.s), backlog); /* which knows nothing of it */
    }
    until(far_take(far, &got) && stream_untaken(ear.s) == 0);
    end();
    free(bytes);
}

static void test_untaken(void **state)
{
    (void)state;
    for_both(untaken);
}

static void test_names_and_peers(void **state)
{
    (void)state;
    uid_t uid = (uid_t)-1;
    struct sockaddr_in address;
    socklen_t size = sizeof address;
    char name[64];
    begin(OVER_TCP);
    getsockname(far, (struct sockaddr *)&address, &size);
    snprintf(name, sizeof name, "127.0.0.1:%u", ntohs(address.sin_port));
    assert_string_equal(stream_peer(ear.s), name);
    assert_false(stream_peer_uid(ear.s, &uid));
    assert_ptr_equal(stream_loop(ear.s), loop);
    stream_keepalive(ear.s, 60);
    end();
    begin(OVER_PAIR);
    assert_string_equal(stream_peer(ear.s), "unix");
    assert_true(stream_peer_uid(ear.s, &uid));
    assert_int_equal(uid, geteuid());
    stream_keepalive(ear.s, 60);
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_loop(test_reading),
        with_loop(test_unread),
        with_loop(test_unread_and_closed),
        with_loop(test_not_reading_holds_the_far_side_back),
        with_loop(test_small_writes),
        with_loop(test_backlog_and_drained),
        with_loop(test_writev),
        with_loop(test_a_producer_with_backpressure),
        with_loop(test_far_half_close),
        with_loop(test_near_half_close),
        with_loop(test_half_close_without_backlog),
        with_loop(test_a_reset_while_reading),
        with_loop(test_a_failure_is_not_told_inside_a_write),
        with_loop(test_a_failure_with_a_backlog),
        with_loop(test_a_failure_and_a_new_owner),
        with_loop(test_close_inside_callbacks),
        with_loop(test_close_in_the_middle),
        with_loop(test_abort_is_a_reset),
        with_loop(test_close_is_no_reset),
        with_loop(test_linger_delivers_a_small_answer),
        with_loop(test_linger_delivers_a_backlog),
        with_loop(test_linger_delivers_a_backlog_to_a_half_closed_client),
        with_loop(test_linger_after_eof),
        with_loop(test_linger_when_broken),
        with_loop(test_linger_on_who_never_reads),
        with_loop(test_linger_on_who_reads_slowly),
        with_loop(test_untaken),
        with_loop(test_names_and_peers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
