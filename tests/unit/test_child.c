/* Programs that are started by a starter, and how they end: killed with all that they have started where that is what it is for. Their end of the
   conversation is held by each of them, so that its end is the end of the last. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "net/child.h"
#include "with_loop.h"

#define DEAF "trap '' HUP TERM PIPE; sleep 1000 & echo >&3; wait; sleep 1000"

static struct ear ear;
static unsigned ends;

static void ended(void *owner, int exit_status, int signal)
{
    (void)owner;
    (void)exit_status;
    (void)signal;
    ends++;
}

static struct child *start(struct starter *s)
{
    struct err e;
    struct stream *talk;
    struct child *c = starter_start(s, &talk, ended, NULL, &e);
    if (!c)
        fail_msg("%s", e.text);
    ends = 0;
    ear_begin(&ear, talk);
    stream_read(talk);
    until(ear.in.n == 1);
    return c;
}

static struct starter *starter(enum starter_way way)
{
    struct err e;
    char shell[] = "/bin/sh", option[] = "-c", script[] = DEAF;
    struct starter *s = starter_new(loop, (char *[]){shell, option, script, NULL}, way, &e);
    if (!s)
        fail_msg("%s", e.text);
    return s;
}

static void test_kill(void **state)
{
    (void)state;
    struct starter *s = starter(STARTER_KILLS);
    struct child *c = start(s), *other;
    child_kill(c);
    until(ear.eofs || ear.faileds);
    assert_int_equal(ends, 0); /* it is forgotten */
    ear_end(&ear);
    other = start(s); /* the starter goes on */
    assert_non_null(other);
    child_kill(other);
    until(ear.eofs || ear.faileds);
    ear_end(&ear);
    starter_free(s);
}

static void test_kill_before_it_is_known(void **state)
{
    (void)state;
    struct err e;
    struct stream *talk;
    struct starter *s = starter(STARTER_KILLS);
    struct child *c = starter_start(s, &talk, ended, NULL, &e);
    assert_non_null(c);
    assert_int_equal(child_pid(c), 0);
    child_kill(c);
    ear_begin(&ear, talk);
    stream_read(talk);
    until(ear.eofs || ear.faileds);
    ear_end(&ear);
    starter_free(s);
}

static void test_our_end(void **state)
{
    (void)state;
    struct starter *s = starter(STARTER_KILLS);
    struct child *c = start(s);
    child_abandon(c);
    starter_free(s);
    until(ear.eofs || ear.faileds);
    ear_end(&ear);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_loop(test_kill),
        with_loop(test_kill_before_it_is_known),
        with_loop(test_our_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
