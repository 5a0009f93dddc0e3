/* The sandbox of exeat-pac by itself: in a process that has closed it, each thing that it must not do is tried, as a script that has
   taken over the engine would. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "pac/sandbox.h"

static long page; /* memory of the test's own, writable */

/* Each returns what the system call did. */
static long do_open(void)
{
    return syscall(SYS_openat, AT_FDCWD, "/dev/null", O_RDONLY);
}

static long do_stat(void)
{
    return syscall(SYS_newfstatat, AT_FDCWD, "/", page, 0);
}

static long do_unlink(void)
{
    return syscall(SYS_unlinkat, AT_FDCWD, "/tmp/exeat-there-is-no-such-file", 0);
}

static long do_socket(void)
{
    return syscall(SYS_socket, AF_INET, SOCK_STREAM, 0);
}

static long do_unix_socket(void)
{
    return syscall(SYS_socket, AF_UNIX, SOCK_STREAM, 0);
}

static long do_connect(void)
{
    return syscall(SYS_connect, 3, page, 16);
}

static long do_execve(void)
{
    char *arguments[] = {(char *)(uintptr_t) "true", NULL};
    return syscall(SYS_execve, "/bin/true", arguments, NULL);
}

static long do_fork(void)
{
    pid_t child = fork();
    if (child == 0)
        _exit(0);
    return child;
}

static long do_clone_process(void)
{
    return syscall(SYS_clone, SIGCHLD | CLONE_VM | CLONE_VFORK, 0, 0, 0, 0);
}

static long do_kill(void)
{
    return syscall(SYS_kill, getppid(), 0);
}

static long do_signal_other(void)
{
    return syscall(SYS_tgkill, 1, 1, 0);
}

static long do_ptrace(void)
{
    return syscall(SYS_ptrace, PTRACE_TRACEME, 0, 0, 0);
}

static long do_read_other(void)
{
    return syscall(SYS_process_vm_readv, 1, 0, 0, 0, 0, 0);
}

static long do_map_code(void)
{
    return syscall(SYS_mmap, 0, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static long do_make_code(void)
{
    return syscall(SYS_mprotect, page, 4096, PROT_READ | PROT_EXEC);
}

static long do_dumpable(void)
{
    return syscall(SYS_prctl, PR_SET_DUMPABLE, 1, 0, 0, 0);
}

static long do_limit_other(void)
{
    return syscall(SYS_prlimit64, 1, RLIMIT_CPU, 0, page);
}

static long do_limit_files(void)
{
    return syscall(SYS_prlimit64, 0, RLIMIT_NOFILE, 0, page);
}

static long do_ioctl(void)
{
    return syscall(SYS_ioctl, 0, 0x5412, page); /* TIOCSTI: typing on somebody's terminal */
}

static long do_dup(void)
{
    return syscall(SYS_dup, 0);
}

static long do_memfd(void)
{
    return syscall(SYS_memfd_create, "x", 0);
}

static const struct {
    const char *name;
    long (*run)(void);
} forbidden[] = {
    {"open", do_open},
    {"stat", do_stat},
    {"unlink", do_unlink},
    {"socket", do_socket},
    {"unix socket", do_unix_socket},
    {"connect", do_connect},
    {"execve", do_execve},
    {"fork", do_fork},
    {"clone a process", do_clone_process},
    {"kill", do_kill},
    {"signal another process", do_signal_other},
    {"ptrace", do_ptrace},
    {"read another's memory", do_read_other},
    {"map memory that can be run", do_map_code},
    {"make memory that can be run", do_make_code},
    {"prctl", do_dumpable},
    {"another's limits", do_limit_other},
    {"other limits", do_limit_files},
    {"ioctl", do_ioctl},
    {"dup", do_dup},
    {"memfd_create", do_memfd},
};

#define N_FORBIDDEN (sizeof forbidden / sizeof *forbidden)

static void *run_thread(void *unused)
{
    void *p = malloc(1 << 20);
    memset(p, 1, 1 << 20);
    free(p);
    return unused;
}

/* -1: all as it should be; else the row that was not forbidden, or 100 and more. */
static int inside(void)
{
    struct err e;
    pthread_t thread;
    struct tm tm;
    time_t now = 0;
    page = (long)mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (!sandbox_prepare(3, &e))
        return 100;
    tzset();
    if (!sandbox_close(&e))
        return 101;
    for (size_t i = 0; i < N_FORBIDDEN; i++) {
        errno = 0;
        if (forbidden[i].run() != -1 || errno != EPERM)
            return (int)i;
    }
    if (syscall(SYS_clone3, page, 88) != -1 || errno != ENOSYS)
        return 102;
    /* and what the engine needs */
    if (pthread_create(&thread, NULL, run_thread, NULL) != 0 || pthread_join(thread, NULL) != 0)
        return 103;
    if (!localtime_r(&now, &tm) || write(3, "x", 1) != 1 || kill(0, 0) == 0)
        return 104;
    sandbox_allow_time(1);
    for (;;) /* the kernel ends it */
        now++;
}

static void test_closed(void **state)
{
    (void)state;
    int pair[2], status;
    char byte = 0;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        if (pair[1] != 3)
            dup2(pair[1], 3);
        _exit(inside());
    }
    close(pair[1]);
    assert_int_equal(waitpid(child, &status, 0), child);
    if (WIFEXITED(status) && WEXITSTATUS(status) < (int)N_FORBIDDEN)
        fail_msg("not forbidden: %s", forbidden[WEXITSTATUS(status)].name);
    if (WIFEXITED(status))
        fail_msg("ended with %d", WEXITSTATUS(status));
    assert_int_equal(WTERMSIG(status), SIGXCPU);
    assert_int_equal(read(pair[0], &byte, 1), 1);
    close(pair[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_closed)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
