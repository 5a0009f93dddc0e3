/* The agent's end of the conversation with the keyholder, against a keyholder of the test's own (fake_keyholder.h): answers in any order, a
   program that dies in the middle, that keeps dying, that breaks the rules; late answers, cancelling, and calls from inside of answers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <signal.h>

#include "fake_keyholder.h"
#include "helpers/keys_client.h"
#include "with_loop.h"

#define BIG ((size_t)300 * 1024)

/* --- the keyholder: an OPEN says in `upstream` what to do with it --- */

static uint32_t held[64], n_held, closed;

static void do_answer(uint32_t call)
{
    fake_say(&(struct keys_msg){.type = KEYS_ANSWER,
                                .call = call,
                                .verdict = KEYS_OK,
                                .context = 7,
                                .identity = SPAN("CORP\\alice")});
}

static void do_hold(uint32_t call)
{
    held[n_held++] = call;
}

static void do_release(uint32_t call) /* the last first, its own at the end */
{
    while (n_held)
        do_answer(held[--n_held]);
    do_answer(call);
}

static void do_die(uint32_t call)
{
    (void)call;
    _exit(3);
}

static void do_abort(uint32_t call)
{
    (void)call;
    kill(getpid(), SIGKILL);
}

static void do_hang_up(uint32_t call) /* closes its end, and stays a while */
{
    char byte;
    (void)call;
    shutdown(FAKE_TALK, SHUT_WR);
    while (read(FAKE_TALK, &byte, 1) > 0)
        ;
    _exit(0);
}

static void do_garbage(uint32_t call)
{
    (void)call;
    fake_write("\0\0\0\5abcde", 9);
}

static void do_zero(uint32_t call)
{
    (void)call;
    fake_write("\0\0\0\0", 4);
}

static void do_huge(uint32_t call)
{
    (void)call;
    fake_write("\xff\xff\xff\xff", 4);
}

static void do_foreign(uint32_t call)
{
    (void)call;
    fake_say(&(struct keys_msg){.type = KEYS_CLOSE, .context = 1});
}

static void do_pieces(uint32_t call)
{
    struct buf frame = {0};
    keys_msg_write(&frame,
                   &(struct keys_msg){.type = KEYS_ANSWER, .call = call, .verdict = KEYS_OK, .context = 9});
    for (size_t i = 0; i < frame.n; i++)
        fake_write(frame.p + i, 1);
    buf_free(&frame);
}

static void do_big(uint32_t call)
{
    char *bytes = pattern(BIG);
    fake_say(&(struct keys_msg){
        .type = KEYS_ANSWER, .call = call, .verdict = KEYS_SEND, .header = span_make(bytes, BIG)});
    free(bytes);
}

static void do_events(uint32_t call)
{
    fake_say(&(struct keys_msg){.type = KEYS_EVENT_GENERATION, .upstream = SPAN("corp"), .generation = 5});
    fake_say(&(struct keys_msg){.type = KEYS_EVENT_TRIAL, .upstream = SPAN("lab"), .trial = 6});
    do_answer(call);
}

static void do_stranger(uint32_t call) /* answers a call that nobody made */
{
    do_answer(call + 1000);
    do_answer(call);
}

static void do_twice(uint32_t call)
{
    do_answer(call);
    do_answer(call);
}

static void do_closed(uint32_t call)
{
    fake_say(&(struct keys_msg){.type = KEYS_ANSWER, .call = call, .verdict = KEYS_OK, .generation = closed});
}

static struct buf arguments;

static void do_arguments(uint32_t call)
{
    fake_say(&(struct keys_msg){
        .type = KEYS_ANSWER, .call = call, .verdict = KEYS_OK, .why = buf_span(&arguments)});
}

static const struct {
    const char *word;
    void (*run)(uint32_t call);
} behaviours[] = {
    {"answer", do_answer},       {"hold", do_hold},         {"release", do_release}, {"die", do_die},
    {"abort", do_abort},         {"hang-up", do_hang_up},   {"garbage", do_garbage}, {"zero", do_zero},
    {"huge", do_huge},           {"foreign", do_foreign},   {"pieces", do_pieces},   {"big", do_big},
    {"events", do_events},       {"stranger", do_stranger}, {"twice", do_twice},     {"closed", do_closed},
    {"arguments", do_arguments},
};

static void fake_starts(int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        buf_addf(&arguments, "%s ", argv[i]);
    if (argc > 2 && strcmp(argv[2], "/dies") == 0)
        _exit(4);
}

static void fake_message(const struct keys_msg *m)
{
    closed += m->type == KEYS_CLOSE;
    if (m->type == KEYS_CHALLENGED) { /* says how much came */
        fake_say(&(struct keys_msg){
            .type = KEYS_ANSWER, .call = m->call, .verdict = KEYS_OK, .generation = (uint32_t)m->lines.n});
        return;
    }
    for (size_t i = 0; i < sizeof behaviours / sizeof *behaviours; i++)
        if (span_eq(m->upstream, span_str(behaviours[i].word)))
            behaviours[i].run(m->call);
}

/* --- the agent's side --- */

static struct keys_client *keys;
static enum keys_life life;

static struct asker {
    struct keys_call call;
    unsigned answered, order;
    uint32_t verdict, context, generation;
    struct buf why, header, remedy;
    bool inside;
    const char *asks; /* this next, from inside of its answer */
    struct asker *cancels;
} askers[64];

static unsigned answers;
static struct buf events_seen;

static void on_generation(void *owner, const struct keys_msg *m)
{
    assert_ptr_equal(owner, &keys);
    buf_addf(&events_seen, "generation %.*s %u;", SPAN_ARG(m->upstream), m->generation);
}

static void on_trial(void *owner, const struct keys_msg *m)
{
    assert_ptr_equal(owner, &keys);
    buf_addf(&events_seen, "trial %.*s %u;", SPAN_ARG(m->upstream), m->trial);
}

static unsigned ends_seen;
static unsigned answers_before; /* the last of them */

static void on_ended(void *owner)
{
    assert_ptr_equal(owner, &keys);
    ends_seen++;
    answers_before = answers;
}

static const struct keys_client_events events = {on_generation, on_trial, on_ended};

static void ask(struct asker *a, const char *what);

static void on_answer(void *owner, const struct keys_msg *m)
{
    struct asker *a = owner;
    assert_false(a->inside);
    assert_int_equal(m->type, KEYS_ANSWER);
    assert_int_equal(a->call.number, 0); /* it is over already */
    a->answered++;
    a->order = ++answers;
    a->verdict = m->verdict;
    a->context = m->context;
    a->generation = m->generation;
    buf_clear(&a->why);
    buf_add_span(&a->why, m->why);
    buf_clear(&a->header);
    buf_add_span(&a->header, m->header);
    buf_clear(&a->remedy);
    buf_add_span(&a->remedy, m->remedy);
    if (a->cancels)
        keys_call_cancel(&a->cancels->call);
    if (a->asks)
        ask(a, a->asks);
}

static void ask(struct asker *a, const char *what)
{
    struct keys_msg m = {
        .type = KEYS_OPEN, .upstream = span_str(what), .host = SPAN("proxy.example"), .port = 8080};
    a->inside = true;
    a->asks = NULL;
    keys_call_start(keys, &a->call, &m, on_answer, a);
    a->inside = false;
}

/* Asks and waits for the answer. */
static uint32_t asked(const char *what)
{
    struct asker *a = &askers[60];
    unsigned before = a->answered;
    ask(a, what);
    until(a->answered > before);
    assert_int_equal(a->answered, before + 1);
    return a->verdict;
}

static void begin(const char *config)
{
    memset(askers, 0, sizeof askers);
    answers = 0;
    keys = keys_client_new(loop, config, life, &events, &keys);
}

static void end(void)
{
    keys_client_free(keys);
    turns(5);
    for (size_t i = 0; i < 64; i++) {
        buf_free(&askers[i].why);
        buf_free(&askers[i].header);
        buf_free(&askers[i].remedy);
    }
    buf_free(&events_seen);
}

/* --- answers --- */

static void test_an_answer(void **state)
{
    (void)state;
    begin(NULL);
    assert_int_equal(asked("answer"), KEYS_OK);
    assert_int_equal(askers[60].context, 7);
    assert_int_equal(asked("pieces"), KEYS_OK);
    assert_int_equal(askers[60].context, 9);
    end();
}

static void test_how_it_is_started(void **state)
{
    (void)state;
    begin("/etc/some.conf");
    asked("arguments");
    assert_true(span_eq(buf_span(&askers[60].why), life == KEYS_LASTING
                                                       ? SPAN("--config /etc/some.conf ")
                                                       : SPAN("--config /etc/some.conf --no-socket ")));
    end();
    keys = keys_client_new(loop, NULL, KEYS_LASTING, &events, &keys);
    asked("arguments");
    assert_int_equal(askers[60].why.n, 0);
    end();
}

static void test_answers_in_another_order(void **state)
{
    (void)state;
    begin(NULL);
    for (size_t i = 0; i < 20; i++)
        ask(&askers[i], "hold");
    ask(&askers[20], "release");
    until(answers == 21);
    for (size_t i = 0; i < 20; i++) {
        assert_int_equal(askers[i].answered, 1);
        assert_int_equal(askers[i].order, 20 - i);
    }
    assert_int_equal(askers[20].order, 21);
    end();
}

static void test_big_messages(void **state)
{
    (void)state;
    char *bytes = pattern(BIG);
    begin(NULL);
    assert_int_equal(asked("big"), KEYS_SEND);
    assert_true(span_eq(buf_span(&askers[60].header), span_make(bytes, BIG)));
    struct keys_msg m = {.type = KEYS_CHALLENGED,
                         .context = 1,
                         .method = SPAN("GET"),
                         .target = SPAN("/"),
                         .lines = span_make(bytes, BIG)};
    for (size_t i = 0; i < 10; i++)
        keys_call_start(keys, &askers[i].call, &m, on_answer, &askers[i]);
    until(askers[9].answered);
    for (size_t i = 0; i < 10; i++)
        assert_int_equal(askers[i].generation, BIG);
    end();
    free(bytes);
}

/* What no frame can carry ends at once, and not by a deadline; the conversation goes on. */
static void test_a_question_that_is_too_big(void **state)
{
    (void)state;
    char *bytes = pattern(FRAME_MAX);
    begin(NULL);
    struct keys_msg m = {.type = KEYS_CHALLENGED,
                         .context = 1,
                         .method = SPAN("GET"),
                         .target = SPAN("/"),
                         .lines = span_make(bytes, FRAME_MAX)};
    askers[0].inside = true;
    keys_call_start(keys, &askers[0].call, &m, on_answer, &askers[0]);
    askers[0].inside = false;
    until(askers[0].answered);
    assert_int_equal(askers[0].verdict, KEYS_BROKEN);
    assert_true(askers[0].why.n > 0);
    assert_int_equal(asked("answer"), KEYS_OK);
    end();
    free(bytes);
}

static void test_events(void **state)
{
    (void)state;
    begin(NULL);
    assert_int_equal(asked("events"), KEYS_OK);
    assert_string_equal(buf_cstr(&events_seen), "generation corp 5;trial lab 6;");
    end();
}

static void test_answers_to_nobody_are_dropped(void **state)
{
    (void)state;
    begin(NULL);
    assert_int_equal(asked("stranger"), KEYS_OK);
    assert_int_equal(asked("twice"), KEYS_OK);
    assert_int_equal(asked("answer"), KEYS_OK);
    assert_int_equal(keys_client_instance(keys), 1);
    end();
}

/* --- cancelling --- */

static void test_a_late_answer_is_dropped(void **state)
{
    (void)state;
    begin(NULL);
    ask(&askers[0], "hold");
    ask(&askers[1], "hold");
    keys_call_cancel(&askers[0].call);
    keys_call_cancel(&askers[0].call);
    assert_int_equal(asked("release"), KEYS_OK);
    assert_int_equal(askers[0].answered, 0);
    assert_int_equal(askers[1].answered, 1);
    ask(&askers[0], "hold"); /* the same memory, another question */
    keys_call_cancel(&askers[0].call);
    ask(&askers[0], "hold");
    assert_int_equal(asked("release"), KEYS_OK);
    assert_int_equal(askers[0].answered, 1);
    keys_call_cancel(&askers[0].call); /* harmless after the end */
    end();
}

static void test_asking_from_inside_of_an_answer(void **state)
{
    (void)state;
    begin(NULL);
    askers[0].asks = NULL;
    ask(&askers[0], "answer");
    askers[0].asks = "answer";
    until(askers[0].answered == 2);
    ask(&askers[1], "hold");
    ask(&askers[2], "hold");
    askers[2].cancels = &askers[1]; /* whose answer is in the same read */
    assert_int_equal(asked("release"), KEYS_OK);
    assert_int_equal(askers[1].answered, 0);
    assert_int_equal(askers[2].answered, 1);
    end();
}

/* --- ends of the program --- */

/* All calls end with RESTART, once, and the next life answers. */
static void all_restart(const char *how)
{
    size_t lives = fake_lives();
    unsigned ends = ends_seen;
    begin(NULL);
    until(asked("answer") == KEYS_OK);
    uint32_t instance = keys_client_instance(keys);
    for (size_t i = 0; i < 5; i++)
        ask(&askers[i], "hold");
    ask(&askers[5], how);
    until(askers[5].answered);
    assert_int_equal(answers_before, answers);
    for (size_t i = 0; i <= 5; i++) {
        if (askers[i].answered != 1 || askers[i].verdict != KEYS_RESTART)
            fail_msg("%s: call %zu: %u answers, %s", how, i, askers[i].answered,
                     keys_verdict_name(askers[i].verdict));
        assert_true(askers[i].why.n > 0);
    }
    assert_int_equal(keys_client_instance(keys), instance + 1);
    turns(10);
    assert_int_equal(fake_lives(), lives + 1); /* not before somebody asks */
    until(asked("answer") == KEYS_OK);
    assert_int_equal(keys_client_instance(keys), instance + 1);
    assert_int_equal(fake_lives(), lives + 2);
    for (size_t i = 0; i <= 5; i++)
        assert_int_equal(askers[i].answered, 1);
    end();
    assert_int_equal(ends_seen, ends + 1); /* our own end is none of its */
}

static void test_it_dies_in_the_middle(void **state)
{
    (void)state;
    all_restart("die");
    all_restart("abort");
    all_restart("hang-up");
}

static void test_it_breaks_the_rules(void **state)
{
    (void)state;
    all_restart("garbage");
    all_restart("zero");
    all_restart("huge");
    all_restart("foreign");
}

/* Answers to the death of the keyholder cancel each other and ask again. */
static void test_restart_from_inside(void **state)
{
    (void)state;
    begin(NULL);
    until(asked("answer") == KEYS_OK);
    for (size_t i = 0; i < 4; i++)
        ask(&askers[i], "hold");
    askers[0].cancels = &askers[2];
    askers[1].asks = "answer";      /* of the next life, or of none yet: but once, and later */
    askers[3].cancels = &askers[0]; /* over already */
    ask(&askers[5], "die");
    until(askers[5].answered);
    until(askers[1].answered == 2);
    assert_int_equal(askers[0].answered, 1);
    assert_int_equal(askers[2].answered, 0);
    assert_int_equal(askers[3].answered, 1);
    assert_true(askers[1].verdict == KEYS_OK || askers[1].verdict == KEYS_UNAVAILABLE);
    end();
}

/* One that never lives is not started for every question; the others end at once with the reason. */
static void test_it_keeps_dying(void **state)
{
    (void)state;
    size_t lives = fake_lives(), questions = 0, unavailable = 0;
    begin("/dies");
    while (unavailable < 20) {
        uint32_t verdict = asked("answer");
        assert_true(verdict == KEYS_RESTART || verdict == KEYS_UNAVAILABLE);
        unavailable += verdict == KEYS_UNAVAILABLE;
        assert_true(++questions < 500);
    }
    assert_true(askers[60].why.n > 0 && askers[60].remedy.n > 0);
    assert_true(fake_lives() - lives <= questions - unavailable + 1);
    end();
}

static void test_there_is_none(void **state)
{
    (void)state;
    char here[512], away[512];
    if (access(EXEAT_LIBEXEC "/exeat-keys", X_OK) == 0)
        skip(); /* the installed one would be found */
    snprintf(here, sizeof here, "%s/exeat-keys", getenv(FAKE_PLACE));
    snprintf(away, sizeof away, "%s/away", getenv(FAKE_PLACE));
    assert_int_equal(rename(here, away), 0);
    begin(NULL);
    uint32_t verdict = asked("answer");
    ask(&askers[0], "answer");
    keys_call_cancel(&askers[0].call);
    turns(5);
    assert_int_equal(rename(away, here), 0);
    assert_int_equal(verdict, KEYS_UNAVAILABLE);
    assert_int_equal(askers[0].answered, 0);
    if (life == KEYS_LASTING) { /* where it is was settled */
        end();
        begin(NULL);
    }
    assert_int_equal(asked("answer"), KEYS_OK); /* there is one now */
    end();
}

/* It is there, and executable by its mode, but no program. The last test: what is logged goes into a file from here on. */
static void test_it_is_no_program(void **state)
{
    (void)state;
    char here[512], away[512], log[512];
    snprintf(here, sizeof here, "%s/exeat-keys", getenv(FAKE_PLACE));
    snprintf(away, sizeof away, "%s/away", getenv(FAKE_PLACE));
    snprintf(log, sizeof log, "%s/log", getenv(FAKE_PLACE));
    unlink(log);
    assert_int_equal(rename(here, away), 0);
    int fd = open(here, O_WRONLY | O_CREAT | O_CLOEXEC, 0700);
    static const char text[] = "#!/nonexistent/interpreter\n";
    assert_int_equal(write(fd, text, sizeof text - 1), sizeof text - 1);
    close(fd);
    fake_log_start();
    begin(NULL);
    unsigned asked_for = 0;
    while (asked("answer") != KEYS_UNAVAILABLE)
        assert_true(++asked_for < 500);
    end();
    assert_int_equal(rename(away, here), 0);
    assert_true(fake_log_has("cannot start"));
    assert_true(fake_log_has("o such file or directory"));
}

/* --- messages without an answer --- */

static void test_tell(void **state)
{
    (void)state;
    begin(NULL);
    struct keys_msg m = {.type = KEYS_CLOSE, .context = 1, .call = 99};
    uint32_t first = keys_client_instance(keys);
    keys_client_tell(keys, first, &m);
    keys_client_tell(keys, first, &m);
    keys_client_tell(keys, first + 1, &m); /* of no life that there is */
    asked("closed");
    assert_int_equal(askers[60].generation, 2);
    asked("die");
    keys_client_tell(keys, first, &m); /* nobody there */
    until(asked("answer") == KEYS_OK);
    keys_client_tell(keys, first, &m); /* its contexts have died */
    keys_client_tell(keys, keys_client_instance(keys), &m);
    asked("closed");
    assert_int_equal(askers[60].generation, 1);
    end();
}

/* --- the end --- */

static void test_free_with_calls_under_way(void **state)
{
    (void)state;
    begin(NULL);
    ask(&askers[0], "hold");
    ask(&askers[1], "answer");
    end();
    assert_int_equal(askers[0].answered + askers[1].answered, 0);
    begin("/dies"); /* and with one that waits to be told that there is no keyholder */
    while (asked("answer") != KEYS_UNAVAILABLE)
        ;
    for (size_t i = 0; i < 5; i++)
        ask(&askers[i], "answer");
    end();
    turns(5);
    for (size_t i = 0; i < 5; i++)
        assert_int_equal(askers[i].answered, 0);
}

static int tests(void)
{
    const struct CMUnitTest list[] = {
        with_loop(test_an_answer),
        with_loop(test_how_it_is_started),
        with_loop(test_answers_in_another_order),
        with_loop(test_big_messages),
        with_loop(test_a_question_that_is_too_big),
        with_loop(test_events),
        with_loop(test_answers_to_nobody_are_dropped),
        with_loop(test_a_late_answer_is_dropped),
        with_loop(test_asking_from_inside_of_an_answer),
        with_loop(test_it_dies_in_the_middle),
        with_loop(test_it_breaks_the_rules),
        with_loop(test_restart_from_inside),
        with_loop(test_it_keeps_dying),
        with_loop(test_there_is_none),
        with_loop(test_tell),
        with_loop(test_free_with_calls_under_way),
        with_loop(test_it_is_no_program),
    };
    int failed = cmocka_run_group_tests_name("started by ourselves", list, NULL, NULL);
    if (failed)
        return failed;
    life = KEYS_LASTING;
    return cmocka_run_group_tests_name("started by a starter", list, NULL, NULL);
}

int main(int argc, char **argv)
{
    return with_fake_keyholder(argc, argv, tests);
}
