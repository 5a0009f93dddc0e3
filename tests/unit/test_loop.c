/* The loop itself: deadlines (once, restarted, stopped, from inside each other), calls for later (order, cancelling, rounds), signals,
   and an end that gives back what is still pending. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "with_loop.h"

static char told[256]; /* what ran, in order */

static void note(void *owner)
{
    strncat(told, owner, sizeof told - strlen(told) - 1);
}

static int set_up(void **state)
{
    told[0] = '\0';
    return loop_set_up(state);
}

/* --- deadlines --- */

static void test_a_deadline_passes_once(void **state)
{
    (void)state;
    struct deadline d = {0};
    deadline_start(loop, &d, 0, note, "d");
    assert_non_null(d.timer);
    assert_string_equal(told, ""); /* not inside the start */
    until(told[0]);
    assert_null(d.timer);
    turns(5);
    assert_string_equal(told, "d");
    deadline_stop(&d); /* harmless */
}

static void test_a_stopped_deadline_does_not_pass(void **state)
{
    (void)state;
    struct deadline d = {0}, other = {0};
    deadline_start(loop, &d, 0, note, "d");
    deadline_stop(&d);
    deadline_stop(&d);
    deadline_start(loop, &other, 0, note, "o");
    until(told[0]);
    turns(5);
    assert_string_equal(told, "o");
}

/* Started again, it has one end, with what was said last. */
static void test_a_deadline_restarted(void **state)
{
    (void)state;
    struct deadline d = {0}, far = {0};
    deadline_start(loop, &d, 0, note, "old");
    deadline_start(loop, &d, 3600 * 1000, note, "late");
    deadline_start(loop, &far, 1, note, "far;");
    until(told[0]);
    assert_string_equal(told, "far;"); /* neither of d's */
    deadline_start(loop, &d, 0, note, "new");
    until(strlen(told) > 4);
    turns(5);
    assert_string_equal(told, "far;new");
}

static void test_deadlines_in_the_order_of_their_times(void **state)
{
    (void)state;
    struct deadline a = {0}, b = {0}, c = {0};
    deadline_start(loop, &a, 3, note, "a");
    deadline_start(loop, &b, 1, note, "b");
    deadline_start(loop, &c, 2, note, "c");
    until(strlen(told) == 3);
    assert_string_equal(told, "bca");
}

static struct deadline first, second;
static unsigned again;

static void restart_itself(void *owner)
{
    note(owner);
    if (again-- > 0)
        deadline_start(loop, &first, 0, restart_itself, owner);
}

static void stop_the_other(void *owner)
{
    note(owner);
    deadline_stop(&first);
    deadline_stop(&second);
}

static void test_a_deadline_starts_itself_again(void **state)
{
    (void)state;
    again = 2;
    deadline_start(loop, &first, 0, restart_itself, "r");
    until(strlen(told) == 3);
    turns(5);
    assert_string_equal(told, "rrr");
    assert_null(first.timer);
}

/* Both are due in the same round: who comes first stops the other. */
static void test_a_deadline_stops_another_that_is_due(void **state)
{
    (void)state;
    deadline_start(loop, &first, 0, stop_the_other, "1");
    deadline_start(loop, &second, 0, stop_the_other, "2");
    until(told[0]);
    turns(5);
    assert_string_equal(told, "1");
}

static void free_owner(void *owner)
{
    struct deadline *d = owner;
    note("f");
    free(d); /* the memory of a deadline may go as soon as it has passed */
}

static void test_the_memory_may_go_inside(void **state)
{
    (void)state;
    struct deadline *d = mem_zero(sizeof *d);
    deadline_start(loop, d, 0, free_owner, d);
    until(told[0]);
    d = mem_zero(sizeof *d);
    deadline_start(loop, d, 3600 * 1000, free_owner, d);
    deadline_stop(d);
    free(d);
    turns(3);
    assert_string_equal(told, "f");
}

/* --- calls for later --- */

static void test_later_in_order(void **state)
{
    (void)state;
    struct later l[4] = {{0}};
    static char *const names[] = {"a", "b", "c", "d"};
    for (size_t i = 0; i < 4; i++)
        later_start(loop, &l[i], note, names[i]);
    assert_string_equal(told, "");
    turn();
    assert_string_equal(told, "abcd");
    turns(3);
    assert_string_equal(told, "abcd");
    for (size_t i = 0; i < 4; i++)
        assert_null(l[i].link);
}

static void test_later_cancelled(void **state)
{
    (void)state;
    struct later a = {0}, b = {0}, c = {0};
    later_start(loop, &a, note, "a");
    later_start(loop, &b, note, "b");
    later_start(loop, &c, note, "c");
    later_cancel(&b);
    later_cancel(&b);
    turn();
    assert_string_equal(told, "ac");
    later_cancel(&a); /* harmless after its run */
}

/* Started twice it runs once, at its new place. */
static void test_later_started_twice(void **state)
{
    (void)state;
    struct later a = {0}, b = {0};
    later_start(loop, &a, note, "old");
    later_start(loop, &b, note, "b");
    later_start(loop, &a, note, "new");
    turn();
    assert_string_equal(told, "bnew");
}

static struct later one, two, three;

static void cancel_two_start_three(void *owner)
{
    note(owner);
    later_cancel(&two);
    later_start(loop, &three, note, "3");
    later_start(loop, &one, note, "1");
}

static void test_later_from_inside_later(void **state)
{
    (void)state;
    later_start(loop, &one, cancel_two_start_three, "x");
    later_start(loop, &two, note, "2");
    until(strlen(told) >= 3);
    turns(3);
    assert_string_equal(told, "x31");
}

/* A call that queues itself again and again must not keep the sockets and timers from their turn. */
static void queue_again(void *owner)
{
    if (again++ < 1000000)
        later_start(loop, &one, queue_again, owner);
}

static void test_later_does_not_starve_the_others(void **state)
{
    (void)state;
    struct deadline d = {0};
    again = 0;
    later_start(loop, &one, queue_again, NULL);
    deadline_start(loop, &d, 0, note, "d");
    until(told[0]);
    assert_true(again < 1000000);
    later_cancel(&one);
    turn();
}

static void test_later_runs_before_the_loop_waits(void **state)
{
    (void)state;
    struct deadline hours = {0};
    deadline_start(loop, &hours, 3600 * 1000, note, "hours");
    later_start(loop, &one, note, "a");
    later_start(loop, &two, loop_rest, NULL);
    loop_run(loop); /* would not come back if it waited first */
    assert_string_equal(told, "a");
    deadline_stop(&hours);
}

static void test_nothing_left_ends_the_run(void **state)
{
    (void)state;
    struct deadline d = {0};
    deadline_start(loop, &d, 0, note, "d");
    later_start(loop, &one, note, "l");
    loop_run(loop);
    assert_int_equal(strlen(told), 2);
}

/* --- signals --- */

static int signal_number;

static void signalled(void *owner, int number)
{
    note(owner);
    signal_number = number;
}

static void test_signals_are_events(void **state)
{
    (void)state;
    assert_true(loop_watch_signal(loop, SIGHUP, signalled, "hup"));
    assert_true(loop_watch_signal(loop, SIGTERM, signalled, "term"));
    raise(SIGHUP);
    assert_string_equal(told, "");
    until(told[0]);
    assert_string_equal(told, "hup");
    assert_int_equal(signal_number, SIGHUP);
    told[0] = '\0';
    loop_run(loop); /* a watcher alone does not keep the loop running */
    assert_string_equal(told, "");
    assert_true(loop_watch_signal(loop, SIGINT, signalled, ""));
    assert_true(loop_watch_signal(loop, SIGUSR1, signalled, ""));
    assert_false(loop_watch_signal(loop, SIGUSR2, signalled, ""));
}

static void test_a_broken_pipe_is_no_signal(void **state)
{
    (void)state;
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    close(fds[0]);
    assert_int_equal(write(fds[1], "x", 1), -1);
    assert_int_equal(errno, EPIPE);
    close(fds[1]);
}

/* --- the end --- */

/* What still runs when the loop is freed is given back (the leak checker looks), and not told. */
static void test_free_with_everything_pending(void **state)
{
    (void)state;
    static struct deadline d;
    static struct later l;
    static struct ear ear;
    int fds[2], lingering[2];
    joined(OVER_TCP, fds);
    joined(OVER_TCP, lingering);
    deadline_start(loop, &d, 3600 * 1000, note, "d");
    later_start(loop, &l, note, "l");
    ear_begin(&ear, stream_from_fd(loop, fds[0]));
    stream_read(ear.s);
    stream_close(ear.s);
    stream_linger(stream_from_fd(loop, lingering[0]), 60);
    loop_free(loop);
    assert_string_equal(told, "");
    d = (struct deadline){0}; /* so that nothing points to what may have been left */
    l = (struct later){0};
    close(fds[1]);
    close(lingering[1]);
    loop = loop_new();
}

#define fresh(test) cmocka_unit_test_setup_teardown(test, set_up, loop_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        fresh(test_a_deadline_passes_once),
        fresh(test_a_stopped_deadline_does_not_pass),
        fresh(test_a_deadline_restarted),
        fresh(test_deadlines_in_the_order_of_their_times),
        fresh(test_a_deadline_starts_itself_again),
        fresh(test_a_deadline_stops_another_that_is_due),
        fresh(test_the_memory_may_go_inside),
        fresh(test_later_in_order),
        fresh(test_later_cancelled),
        fresh(test_later_started_twice),
        fresh(test_later_from_inside_later),
        fresh(test_later_does_not_starve_the_others),
        fresh(test_later_runs_before_the_loop_waits),
        fresh(test_nothing_left_ends_the_run),
        fresh(test_signals_are_events),
        fresh(test_a_broken_pipe_is_no_signal),
        fresh(test_free_with_everything_pending),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
