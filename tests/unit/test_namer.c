/* Which program has a socket: found, not found, not another's; all of one round together; the process in which that is done, and its end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/namer.h"

#define SOCKETS 20
#define TRIES   50

static uint32_t inode_of(int fd)
{
    struct stat st;
    assert_int_equal(fstat(fd, &st), 0);
    return (uint32_t)st.st_ino;
}

static int make_socket(void)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    return fd;
}

static void test_search(void **state)
{
    (void)state;
    struct namer_wanted wanted[SOCKETS + 2] = {0};
    int fds[SOCKETS];
    assert_int_equal(prctl(PR_SET_NAME, "a program"), 0);
    for (uint32_t i = 0; i < SOCKETS; i++) {
        fds[i] = make_socket();
        wanted[i].question = (struct namer_question){i, inode_of(fds[i]), getuid()};
    }
    wanted[SOCKETS].question =
        (struct namer_question){100, inode_of(fds[0]), getuid() + 1}; /* it is not that user's */
    wanted[SOCKETS + 1].question = (struct namer_question){101, 0xFFFFFFFF, getuid()}; /* there is none */
    for (unsigned tries = 0; tries < TRIES && !wanted[SOCKETS - 1].answer.program[0]; tries++)
        namer_search(wanted, SOCKETS); /* each for a bounded time, which may be too short on a busy machine */
    for (size_t i = 0; i < SOCKETS; i++) {
        assert_int_equal(wanted[i].answer.number, i);
        assert_string_equal(wanted[i].answer.program, "a program");
    }
    namer_search(&wanted[SOCKETS], 2);
    for (size_t i = 0; i < SOCKETS; i++)
        close(fds[i]);
    assert_string_equal(wanted[SOCKETS].answer.program, "");
    assert_string_equal(wanted[SOCKETS + 1].answer.program, "");
    assert_int_equal(wanted[SOCKETS].answer.number, 100);
}

/* A process of its own, asked about ours. */
static void test_process(void **state)
{
    (void)state;
    struct err e;
    struct namer_answer answer;
    int fd = make_socket(), talk = namer_start(&e);
    assert_true(talk >= 0);
    prctl(PR_SET_NAME, "asked about");
    for (uint32_t i = 0; i < 3; i++) {
        struct namer_question question = {i, inode_of(fd), getuid()};
        assert_int_equal(write(talk, &question, 5), 5); /* a question in two pieces */
        assert_int_equal(write(talk, (char *)&question + 5, sizeof question - 5), sizeof question - 5);
        assert_int_equal(recv(talk, &answer, sizeof answer, MSG_WAITALL), sizeof answer);
        assert_int_equal(answer.number, i);
        assert_string_equal(answer.program, "asked about");
    }
    close(fd);
    close(talk);
    int status;
    assert_true(wait(&status) > 0); /* it ends with its asker's end of the line */
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_search), cmocka_unit_test(test_process)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
