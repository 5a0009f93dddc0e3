/* A process that starts programs for us: what they get and what they do not, what is told of their ends, groups that are killed and
   groups that are let go, requests that make no sense, and the spawner's own end, which leaves nobody behind. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/spawner.h"

#define PATIENCE_MS 20000 /* until a wait counts as failed; no figure that is tested */

static struct spawner spawner = {.fd = -1};

/* --- what it may start: shell commands by name --- */

static const char *scripts[][2] = {
    {"speak", "echo spoken"},
    {"fail", "exit 7"},
    {"die", "kill -9 $$"},
    {"files", "ls /proc/self/fd | tr '\\n' ' '"},
    {"input", "cat; echo end"},
    {"signals", "kill -USR1 $$; echo ignored"},
    {"blocked", "kill -USR2 $$; echo blocked"},
    {"hang", "echo here $$; exec sleep 60"},
    {"family", "sleep 60 & echo here $!; wait"},
    {"leave", "sleep 60 & echo here $!"},
};

static bool choose(void *owner, struct span request, struct spawner_program *out)
{
    static const char *argv[] = {"sh", "-c", NULL, NULL};
    *out = (struct spawner_program){"/bin/sh", (char *const *)(uintptr_t)argv};
    if (span_eq(request, SPAN("nothing")))
        out->path = "/nonexistent/program";
    for (size_t i = 0; i < sizeof scripts / sizeof *scripts; i++)
        if (span_eq(request, span_str(scripts[i][0])))
            argv[2] = scripts[i][1];
    assert_ptr_equal(owner, &spawner);
    return argv[2] || span_eq(request, SPAN("nothing"));
}

static void begin(bool group, unsigned patience_ms)
{
    struct err e;
    struct spawner_rules rules = {.name = "a-spawner",
                                  .choose = choose,
                                  .owner = &spawner,
                                  .place = STDOUT_FILENO,
                                  .group = group,
                                  .patience_ms = patience_ms};
    assert_true(spawner_start(&spawner, &rules, &e));
}

static bool gone(pid_t pid)
{
    return kill(pid, 0) != 0 && errno == ESRCH;
}

/* Dead, though perhaps not buried by somebody else. */
static bool dead(pid_t pid)
{
    char path[64], text[512] = "";
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return true;
    ssize_t n = read(fd, text, sizeof text - 1);
    close(fd);
    const char *state = n > 0 ? strrchr(text, ')') : NULL;
    return !state || state[2] == 'Z' || state[2] == 'X';
}

#define until(condition)                                                                                     \
    do {                                                                                                     \
        for (unsigned tries_ = 0; !(condition); tries_++) {                                                  \
            if (tries_ > PATIENCE_MS)                                                                        \
                fail_msg("in vain: " #condition);                                                            \
            usleep(1000);                                                                                    \
        }                                                                                                    \
    } while (0)

static void end(void)
{
    pid_t pid = spawner.pid;
    int status;
    spawner_stop(&spawner);
    until(waitpid(pid, &status, WNOHANG) == pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

/* --- one program --- */

struct run {
    int line, output;
};

static struct run ask(const char *what)
{
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    struct run r = {.line = spawner_ask(&spawner, span_str(what), ends[1]), .output = ends[0]};
    assert_true(r.line >= 0);
    close(ends[1]);
    return r;
}

static int hear(const struct run *r, struct spawner_word *word)
{
    struct pollfd p = {.fd = r->line, .events = POLLIN};
    assert_int_equal(poll(&p, 1, PATIENCE_MS), 1);
    return spawner_hear(r->line, word);
}

static pid_t started(const struct run *r)
{
    struct spawner_word word;
    assert_int_equal(hear(r, &word), 1);
    assert_int_equal(word.error, 0);
    assert_int_equal(word.ended, 0);
    assert_true(word.pid > 0);
    return word.pid;
}

static const char *all_of(const struct run *r)
{
    static char text[512];
    size_t n = 0;
    for (ssize_t got; n < sizeof text - 1 && (got = read(r->output, text + n, sizeof text - 1 - n)) > 0;)
        n += (size_t)got;
    text[n] = '\0';
    return text;
}

/* The number in "here NUMBER". */
static pid_t named(const struct run *r)
{
    char text[64] = "";
    size_t n = 0;
    while (!strchr(text, '\n')) {
        ssize_t got = read(r->output, text + n, sizeof text - 1 - n);
        assert_true(got > 0);
        n += (size_t)got;
    }
    return atoi(text + strlen("here "));
}

static void over(struct run *r)
{
    if (r->line >= 0)
        close(r->line);
    close(r->output);
}

static struct spawner_word end_of(const struct run *r)
{
    struct spawner_word word;
    assert_int_equal(hear(r, &word), 1);
    assert_int_equal(word.ended, 1);
    return word;
}

/* --- tests --- */

static void test_a_program(void **state)
{
    (void)state;
    begin(false, 0);
    struct run r = ask("speak");
    pid_t pid = started(&r);
    assert_string_equal(all_of(&r), "spoken\n");
    struct spawner_word word = end_of(&r);
    assert_int_equal(word.pid, pid);
    assert_int_equal(word.exit_status + word.signal, 0);
    assert_int_equal(hear(&r, &word), -1); /* that was all */
    until(gone(pid));
    over(&r);
    end();
}

static void test_how_it_ended(void **state)
{
    (void)state;
    begin(false, 0);
    struct run r = ask("fail");
    started(&r);
    struct spawner_word word = end_of(&r);
    assert_int_equal(word.exit_status, 7);
    assert_int_equal(word.signal, 0);
    over(&r);
    r = ask("die");
    started(&r);
    word = end_of(&r);
    assert_int_equal(word.exit_status, 0);
    assert_int_equal(word.signal, SIGKILL);
    over(&r);
    end();
}

static void test_what_cannot_be_started(void **state)
{
    (void)state;
    static const struct {
        const char *request;
        int error;
    } cases[] = {{"nothing", ENOENT}, {"rm", EPERM}, {"speak ", EPERM}};
    struct spawner_word word;
    begin(false, 0);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct run r = ask(cases[i].request);
        assert_int_equal(hear(&r, &word), 1);
        assert_int_equal(word.error, cases[i].error);
        assert_int_equal(hear(&r, &word), -1);
        assert_string_equal(all_of(&r), "");
        over(&r);
    }
    end();
}

/* Standard input is empty; 0, 1, 2 and the folder that ls reads; no signal is blocked or ignored. */
static void test_what_it_gets(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"files", "0 1 2 3 "}, {"input", "end\n"}, {"signals", ""}, {"blocked", ""}};
    int held = open("/dev/null", O_RDONLY), more = open("/dev/null", O_RDONLY); /* that others may inherit */
    sigset_t one;
    sigemptyset(&one);
    sigaddset(&one, SIGUSR2);
    sigprocmask(SIG_BLOCK, &one, NULL);
    signal(SIGUSR1, SIG_IGN);
    begin(false, 0);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct run r = ask(cases[i][0]);
        started(&r);
        assert_string_equal(all_of(&r), cases[i][1]);
        over(&r);
    }
    end();
    signal(SIGUSR1, SIG_DFL);
    sigprocmask(SIG_UNBLOCK, &one, NULL);
    close(held);
    close(more);
}

static void test_it_holds_nothing_of_ours(void **state)
{
    (void)state;
    int ends[2];
    char byte;
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    begin(false, 0);
    close(ends[1]);
    struct pollfd p = {.fd = ends[0], .events = POLLIN};
    assert_int_equal(poll(&p, 1, PATIENCE_MS), 1);
    assert_int_equal(read(ends[0], &byte, 1), 0);
    struct run r = ask("hang");
    started(&r);
    pid_t pid = named(&r);
    kill(pid, SIGKILL); /* nor anything of its programs' */
    assert_string_equal(all_of(&r), "");
    close(ends[0]);
    over(&r);
    end();
}

static void test_many_at_once(void **state)
{
    (void)state;
    struct run runs[40];
    pid_t pids[40];
    begin(false, 0);
    for (size_t i = 0; i < 40; i++)
        runs[i] = ask("hang");
    for (size_t i = 0; i < 40; i++)
        pids[i] = started(&runs[i]);
    for (size_t i = 40; i-- > 0;) {
        kill(pids[i], SIGTERM);
        assert_int_equal(end_of(&runs[i]).pid, pids[i]);
        until(gone(pids[i]));
        over(&runs[i]);
    }
    end();
}

/* More than there are places: refused, and later there is one again. */
static void test_too_many(void **state)
{
    (void)state;
    static struct run runs[100];
    struct spawner_word word;
    size_t n = 0;
    begin(true, 0);
    do {
        assert_true(n < 100);
        runs[n] = ask("hang");
        assert_int_equal(hear(&runs[n++], &word), 1);
    } while (!word.error);
    assert_int_equal(word.error, EAGAIN);
    for (size_t i = 0; i < n; i++)
        over(&runs[i]);
    struct run r;
    do {
        r = ask("speak");
        assert_int_equal(hear(&r, &word), 1);
        if (word.error)
            over(&r);
    } while (word.error == EAGAIN);
    assert_string_equal(all_of(&r), "spoken\n");
    over(&r);
    end();
}

/* --- groups --- */

static void test_hanging_up_ends_the_group(void **state)
{
    (void)state;
    begin(true, 0);
    struct run r = ask("family"); /* the first process still lives */
    pid_t first = started(&r), second = named(&r);
    over(&r);
    until(dead(first) && dead(second));
    r = ask("leave"); /* it has ended, its child has not */
    first = started(&r);
    second = named(&r);
    assert_int_equal(end_of(&r).exit_status, 0);
    assert_false(dead(second));
    over(&r);
    until(dead(second));
    until(gone(first));
    end();
}

static void test_letting_go_does_not(void **state)
{
    (void)state;
    begin(true, 0);
    struct run r = ask("leave");
    pid_t first = started(&r), second = named(&r);
    assert_int_equal(end_of(&r).exit_status, 0);
    spawner_let_go(r.line);
    r.line = -1;
    until(gone(first));
    assert_false(dead(second));
    end();
    assert_false(dead(second));
    kill(second, SIGKILL);
    over(&r);
}

static void test_without_groups_nobody_is_killed(void **state)
{
    (void)state;
    begin(false, 0);
    struct run r = ask("hang");
    pid_t pid = started(&r);
    assert_int_equal(named(&r), pid);
    over(&r);
    struct run other = ask("speak"); /* the spawner has seen it by then */
    started(&other);
    end_of(&other);
    assert_false(dead(pid));
    over(&other);
    end(); /* with no patience */
    until(dead(pid));
}

static pid_t parent_of(pid_t pid)
{
    char path[64], text[512] = "";
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = read(fd, text, sizeof text - 1);
    close(fd);
    return n > 0 ? atoi(strrchr(text, ')') + 4) : 0;
}

/* In a container nobody else may do it. */
static void test_orphans_are_buried(void **state)
{
    (void)state;
    begin(false, 0);
    struct run r = ask("leave");
    pid_t first = started(&r), second = named(&r);
    assert_int_equal(end_of(&r).pid, first);
    until(parent_of(second) == spawner.pid);
    assert_false(dead(second));
    kill(second, SIGKILL);
    until(gone(second));
    over(&r);
    end();
}

/* --- ends --- */

static void test_nobody_stays(void **state)
{
    (void)state;
    for (int group = 0; group < 2; group++) {
        begin(group, 0);
        struct run r = ask("hang");
        pid_t pid = started(&r);
        end(); /* the spawner has buried it when it has gone itself */
        assert_true(gone(pid));
        over(&r);
    }
}

static void test_patience(void **state)
{
    (void)state;
    prctl(PR_SET_CHILD_SUBREAPER,
          1); /* what the spawner does not bury comes to us, and is not buried at all */
    begin(false, 10 * PATIENCE_MS);
    struct run r = ask("hang");
    pid_t pid = started(&r), own = spawner.pid;
    spawner_stop(&spawner);
    assert_int_equal(named(&r), pid);
    assert_int_equal(waitpid(own, NULL, WNOHANG), 0);
    kill(pid, SIGTERM);
    until(waitpid(own, NULL, WNOHANG) == own);
    assert_true(gone(pid));
    prctl(PR_SET_CHILD_SUBREAPER, 0);
    over(&r);
}

/* As when we are killed: the kernel closes our end. */
static void test_our_own_end(void **state)
{
    (void)state;
    int says[2];
    pid_t pids[2];
    assert_int_equal(pipe2(says, O_CLOEXEC), 0);
    pid_t us = fork();
    if (us == 0) {
        begin(true, 0);
        struct run r = ask("hang");
        pids[0] = spawner.pid;
        pids[1] = started(&r);
        if (write(says[1], pids, sizeof pids) != sizeof pids)
            _exit(1);
        pause();
    }
    close(says[1]);
    assert_int_equal(read(says[0], pids, sizeof pids), sizeof pids);
    kill(us, SIGKILL);
    assert_int_equal(waitpid(us, NULL, 0), us);
    until(dead(pids[0]) && dead(pids[1]));
    close(says[0]);
}

static void test_signals_do_not_end_it(void **state)
{
    (void)state;
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE};
    begin(false, 0);
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
        kill(spawner.pid, signals[i]);
    struct run r = ask("speak");
    started(&r);
    assert_string_equal(all_of(&r), "spoken\n");
    over(&r);
    end();
}

static void test_it_is_killed(void **state)
{
    (void)state;
    begin(false, 0);
    pid_t pid = spawner.pid;
    struct run r = ask("hang");
    pid_t program = started(&r);
    spawner_bury(&spawner); /* it lives */
    assert_int_equal(spawner.pid, pid);
    kill(pid, SIGKILL);
    struct spawner_word word;
    assert_int_equal(hear(&r, &word), -1);
    int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    until((spawner_bury(&spawner), spawner.pid == 0));
    assert_true(gone(pid));
    assert_int_equal(spawner_ask(&spawner, SPAN("speak"), null), -1);
    assert_false(dead(program));
    kill(program, SIGKILL);
    close(null);
    over(&r);
    spawner_stop(&spawner); /* harmless */
}

/* --- requests that make no sense --- */

static void send_raw(struct span bytes, const int *fds, size_t n)
{
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(3 * sizeof(int))];
    } control = {0};
    struct iovec part = {(char *)(uintptr_t)bytes.p, bytes.n};
    struct msghdr m = {.msg_iov = &part, .msg_iovlen = 1};
    if (n) {
        m.msg_control = &control;
        m.msg_controllen = CMSG_SPACE(n * sizeof(int));
        CMSG_FIRSTHDR(&m)->cmsg_level = SOL_SOCKET;
        CMSG_FIRSTHDR(&m)->cmsg_type = SCM_RIGHTS;
        CMSG_FIRSTHDR(&m)->cmsg_len = CMSG_LEN(n * sizeof(int));
        memcpy(CMSG_DATA(CMSG_FIRSTHDR(&m)), fds, n * sizeof(int));
    }
    assert_int_equal(sendmsg(spawner.fd, &m, MSG_NOSIGNAL), bytes.n);
}

static void test_nonsense(void **state)
{
    (void)state;
    static char big[SPAWNER_REQUEST_MAX + 1];
    int ends[2];
    char byte;
    begin(false, 0);
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    for (size_t n = 0; n < 2; n++)
        send_raw(SPAN("speak"), (int[]){ends[1], ends[1]}, n);
    close(ends[1]);
    assert_int_equal(read(ends[0], &byte, 1), 0); /* it has kept none */
    close(ends[0]);
    assert_int_equal(spawner_ask(&spawner, span_make(big, sizeof big), 0), -1);
    assert_int_equal(errno, EMSGSIZE);
    assert_int_equal(spawner_ask(&spawner, SPAN(""), 0), -1);
    struct run r = ask("speak");
    started(&r);
    assert_string_equal(all_of(&r), "spoken\n");
    over(&r);
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_program),
        cmocka_unit_test(test_how_it_ended),
        cmocka_unit_test(test_what_cannot_be_started),
        cmocka_unit_test(test_what_it_gets),
        cmocka_unit_test(test_it_holds_nothing_of_ours),
        cmocka_unit_test(test_many_at_once),
        cmocka_unit_test(test_too_many),
        cmocka_unit_test(test_hanging_up_ends_the_group),
        cmocka_unit_test(test_letting_go_does_not),
        cmocka_unit_test(test_without_groups_nobody_is_killed),
        cmocka_unit_test(test_orphans_are_buried),
        cmocka_unit_test(test_nobody_stays),
        cmocka_unit_test(test_patience),
        cmocka_unit_test(test_our_own_end),
        cmocka_unit_test(test_signals_do_not_end_it),
        cmocka_unit_test(test_it_is_killed),
        cmocka_unit_test(test_nonsense),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
