/* The sandbox from inside: a child process enters it and tries what must fail and what must go on working, the agent's way and the
   keyholder's. What the kernel does not have is not tried. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <netdb.h>
#include <pthread.h>
#include <pwd.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/sandbox.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define TRACED 1
#else
#define TRACED 0
#endif

extern char **environ;

static char inside[64], outside[64], copies[64]; /* folders */
static int listener;                             /* outside of the sandbox, on loopback */
static in_port_t port;

/* --- what is tried: 0, or an errno --- */

static int result(long returned)
{
    return returned < 0 ? errno : 0;
}

static int try_exec(void)
{
    char *argv[] = {(char *)(uintptr_t) "false", NULL};
    return result(execve("/bin/false", argv, environ));
}

static int try_exec_in_a_child(void)
{
    pid_t pid;
    char *argv[] = {(char *)(uintptr_t) "false", NULL};
    return posix_spawn(&pid, "/bin/false", NULL, NULL, argv, environ);
}

static int try_exec_by_descriptor(void)
{
    char *argv[] = {(char *)(uintptr_t) "false", NULL};
    int fd = open("/bin/false", O_PATH | O_CLOEXEC);
    return result(syscall(SYS_execveat, fd, "", argv, environ, AT_EMPTY_PATH));
}

static int try_trace(void)
{
    return TRACED ? EPERM : result(ptrace(PTRACE_TRACEME, 0, 0, 0));
}

static int try_foreign_memory(void)
{
    char byte;
    struct iovec own = {&byte, 1}, theirs = {&listener, 1};
    return result(process_vm_readv(getppid(), &own, 1, &theirs, 1, 0));
}

static int try_bpf(void)
{
    return result(syscall(SYS_bpf, 0, NULL, 0)) == EPERM ? EPERM : 0;
}

static int try_ring(void)
{
    return result(syscall(SYS_io_uring_setup, 1, NULL)) == EPERM ? EPERM : 0; /* else EFAULT */
}

static int try_faults(void)
{
    return result(syscall(SYS_userfaultfd, 0x800 /* nothing that there is */)) == EPERM ? EPERM : 0;
}

static int try_namespace(void)
{
    return result(unshare(CLONE_NEWUSER));
}

static int try_namespace_by_clone(void)
{
    long pid = syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0);
    if (pid == 0)
        _exit(0);
    return result(pid);
}

static int try_clone3(void)
{
    return result(syscall(SYS_clone3, NULL, 0)) == ENOSYS ? ENOSYS : 0; /* else EINVAL */
}

static int try_mount(void)
{
    return result(syscall(SYS_mount, NULL, NULL, NULL, 0, NULL)) == EPERM ? EPERM : 0; /* else EFAULT */
}

static int try_root(void)
{
    return result(syscall(SYS_setuid, getuid()));
}

static int try_groups(void)
{
    return result(syscall(SYS_setresgid, -1, -1, -1));
}

static int try_keyring(void)
{
    int error = result(syscall(SYS_keyctl, 0 /* the serial number of */, -3 /* the session's */, 0));
    return error == EPERM ? EPERM : 0; /* else none, or a kernel without any */
}

static int try_typing(void)
{
    char byte = 'x';
    return result(ioctl(listener, TIOCSTI, &byte)) == EPERM ? EPERM : 0; /* else ENOTTY */
}

static int try_packets(void)
{
    return result(socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0)) == EPERM ? EPERM : 0;
}

static int try_listen(void)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    return result(listen(fd, 1));
}

static int at_path(const char *folder, const char *name, int flags)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return result(open(path, flags | O_CLOEXEC, 0600));
}

static int try_make_outside(void)
{
    return at_path(outside, "new", O_CREAT | O_WRONLY);
}

static int try_make_inside(void) /* nor there, where only sockets are made */
{
    return at_path(inside, "new", O_CREAT | O_WRONLY);
}

static int try_write_outside(void)
{
    return at_path(outside, "file", O_WRONLY);
}

static int try_append_outside(void)
{
    return at_path(outside, "file", O_RDWR | O_APPEND);
}

static int try_unlink_outside(void)
{
    char path[128];
    snprintf(path, sizeof path, "%s/file", outside);
    return result(unlink(path));
}

static int try_rename_outside(void)
{
    char from[128], to[128];
    snprintf(from, sizeof from, "%s/file", outside);
    snprintf(to, sizeof to, "%s/other", outside);
    return result(rename(from, to));
}

static int try_folder_outside(void)
{
    char path[128];
    snprintf(path, sizeof path, "%s/folder", outside);
    return result(mkdir(path, 0700));
}

static int bind_at(const char *folder)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s/socket", folder);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int error = result(bind(fd, (struct sockaddr *)&address, sizeof address));
    close(fd);
    return error ? error : result(unlink(address.sun_path));
}

static int try_socket_outside(void)
{
    return bind_at(outside);
}

static int try_socket_inside(void)
{
    return bind_at(inside);
}

static int try_copies(void)
{
    char from[128], to[128];
    snprintf(from, sizeof from, "%s/new", copies);
    snprintf(to, sizeof to, "%s/copy", copies);
    int error = at_path(copies, "new", O_CREAT | O_WRONLY | O_EXCL);
    error = error ? error : result(rename(from, to));
    return error ? error : result(unlink(to));
}

static int try_folder_among_copies(void)
{
    char path[128];
    snprintf(path, sizeof path, "%s/folder", copies);
    return result(mkdir(path, 0700));
}

static int try_signal_others(void)
{
    return result(kill(getppid(), 0));
}

static int try_signal_ourselves(void)
{
    return result(kill(getpid(), 0));
}

static int try_read(void)
{
    int error = at_path(outside, "file", O_RDONLY);
    return error ? error : result(open("/etc/passwd", O_RDONLY | O_CLOEXEC));
}

static int try_null(void)
{
    return result(open("/dev/null", O_RDWR | O_CLOEXEC));
}

static int try_connect(void)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = port, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    return result(connect(fd, (struct sockaddr *)&address, sizeof address));
}

static int try_netlink(void)
{
    return result(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
}

static int try_names(void)
{
    struct addrinfo *found, hints = {.ai_socktype = SOCK_STREAM};
    struct passwd *user = getpwuid(0);
    return getaddrinfo("localhost", "80", &hints, &found) != 0 || !user || strcmp(user->pw_name, "root") != 0;
}

static void *idle(void *unused)
{
    return unused;
}

static int try_thread(void)
{
    pthread_t thread;
    int error = pthread_create(&thread, NULL, idle, NULL);
    return error ? error : pthread_join(thread, NULL);
}

static int try_fork(void)
{
    int status = 1;
    pid_t pid = fork();
    if (pid == 0)
        _exit(0);
    return waitpid(pid, &status, 0) == pid ? status : errno;
}

/* --- who may what --- */

enum gate { CALLS, FILES, SIGNALS }; /* what keeps them from it */

static const struct {
    const char *name;
    int (*run)(void);
    enum gate gate;
    int agent, keyholder;
} tries[] = {
    {"exec", try_exec, CALLS, EPERM, EPERM},
    {"exec in a child", try_exec_in_a_child, CALLS, EPERM, EPERM},
    {"exec by descriptor", try_exec_by_descriptor, CALLS, EPERM, EPERM},
    {"ptrace", try_trace, CALLS, EPERM, EPERM},
    {"process_vm_readv", try_foreign_memory, CALLS, EPERM, EPERM},
    {"bpf", try_bpf, CALLS, EPERM, EPERM},
    {"io_uring", try_ring, CALLS, EPERM, EPERM},
    {"userfaultfd", try_faults, CALLS, EPERM, EPERM},
    {"a namespace", try_namespace, CALLS, EPERM, EPERM},
    {"a namespace by clone", try_namespace_by_clone, CALLS, EPERM, EPERM},
    {"clone3", try_clone3, CALLS, ENOSYS, ENOSYS},
    {"mount", try_mount, CALLS, EPERM, EPERM},
    {"setuid", try_root, CALLS, EPERM, EPERM},
    {"setresgid", try_groups, CALLS, EPERM, EPERM},
    {"keyrings", try_keyring, CALLS, EPERM, 0},
    {"typing into the terminal", try_typing, CALLS, EPERM, EPERM},
    {"packets", try_packets, CALLS, EPERM, EPERM},
    {"listen", try_listen, CALLS, 0, EPERM},
    {"a new file elsewhere", try_make_outside, FILES, EACCES, 0},
    {"a new file among the sockets", try_make_inside, FILES, EACCES, 0},
    {"writing to a file", try_write_outside, FILES, EACCES, 0},
    {"appending to a file", try_append_outside, FILES, EACCES, 0},
    {"renaming a file", try_rename_outside, FILES, EACCES, 0},
    {"removing a file", try_unlink_outside, FILES, EACCES, -1 /* it has been renamed */},
    {"making a folder", try_folder_outside, FILES, EACCES, 0},
    {"a socket elsewhere", try_socket_outside, FILES, EACCES, 0},
    {"a socket where they are", try_socket_inside, FILES, 0, 0},
    {"a file that is written and renamed where copies are", try_copies, FILES, 0, 0},
    {"a folder there", try_folder_among_copies, FILES, EACCES, 0},
    {"a signal to others", try_signal_others, SIGNALS, EPERM, 0},
    {"a signal to ourselves", try_signal_ourselves, SIGNALS, 0, 0},
    {"reading files", try_read, FILES, 0, -1 /* see above */},
    {"/dev/null", try_null, FILES, 0, 0},
    {"connections", try_connect, CALLS, 0, 0},
    {"netlink", try_netlink, CALLS, 0, 0},
    {"names", try_names, CALLS, 0, 0},
    {"threads", try_thread, CALLS, 0, 0},
    {"fork", try_fork, CALLS, 0, 0},
};

static bool gate_holds(const struct sandbox_state *s, enum gate gate)
{
    return gate == CALLS ? s->calls : gate == FILES ? s->landlock > 0 : s->landlock >= 6;
}

static int number_after(const char *label)
{
    char text[4096];
    int fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
    ssize_t n = read(fd, text, sizeof text - 1);
    close(fd);
    text[n > 0 ? n : 0] = '\0';
    const char *at = strstr(text, label);
    return at ? atoi(at + strlen(label)) : -1;
}

/* In the child. */
static int try_all(const struct sandbox_wish *w, bool agent)
{
    int wrong = 0;
    bool seccomp = prctl(PR_GET_SECCOMP, 0, 0, 0, 0) >= 0;
    bool landlock = syscall(SYS_landlock_create_ruleset, NULL, 0, 1 /* which version? */) > 0;
    struct sandbox_state s = sandbox_enter(w);
    for (size_t i = 0; i < sizeof tries / sizeof *tries; i++) {
        int wanted = agent ? tries[i].agent : tries[i].keyholder;
        if (wanted < 0 || (wanted && !gate_holds(&s, tries[i].gate)))
            continue;
        errno = 0;
        int got = tries[i].run();
        if (got != wanted) {
            fprintf(stderr, "%s: %s, not %s\n", tries[i].name, strerror(got), strerror(wanted));
            wrong++;
        }
    }
    if (!s.no_new_privileges || number_after("NoNewPrivs:") != 1 || s.calls != seccomp ||
        (seccomp && number_after("Seccomp:") != 2) || (s.landlock > 0) != (landlock && !w->files)) {
        fprintf(stderr, "what holds is not what should\n");
        wrong++;
    }
    if (agent && !landlock)
        fprintf(stderr, "no Landlock here: files were not tried\n");
    return wrong;
}

static void in_a_child(const struct sandbox_wish *w, bool agent)
{
    int status;
    pid_t pid = fork();
    if (pid == 0)
        _exit(try_all(w, agent));
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void test_the_agents(void **state)
{
    (void)state;
    const char *const directories[] = {inside, "/nonexistent/folder"};
    in_a_child(&(struct sandbox_wish){.serves = true, .directories = directories, .n = 2, .writable = copies},
               true);
}

/* Of the agent with a log of requests: in that directory files are made and written, and nothing else is done. */
static int try_log(const char *logs)
{
    char file[300], other[300];
    snprintf(file, sizeof file, "%s/log", logs);
    snprintf(other, sizeof other, "%s/log.1", logs);
    struct sandbox_state s = sandbox_enter(&(struct sandbox_wish){.serves = true, .log = logs});
    int fd = open(file, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    bool good = fd >= 0 && write(fd, "x", 1) == 1 && s.logs;
    if (!s.landlock)
        return !good;
    good = good && rename(file, other) != 0 && unlink(file) != 0 && mkdir(other, 0700) != 0 &&
           symlink(file, other) != 0 && mkfifo(other, 0600) != 0;
    snprintf(other, sizeof other, "%s/file", inside);
    good = good && open(other, O_WRONLY | O_CREAT | O_CLOEXEC, 0600) < 0;
    return !good;
}

static void test_the_log(void **state)
{
    (void)state;
    char logs[] = "/tmp/exeat-test-XXXXXX", file[300];
    int status;
    assert_non_null(mkdtemp(logs));
    pid_t pid = fork();
    if (pid == 0)
        _exit(try_log(logs));
    assert_int_equal(waitpid(pid, &status, 0), pid);
    snprintf(file, sizeof file, "%s/log", logs);
    unlink(file);
    rmdir(logs);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void test_the_keyholders(void **state)
{
    (void)state;
    in_a_child(&(struct sandbox_wish){.keyrings = true, .files = true}, false);
}

/* The kernels of this and of other computers. */
static void test_words(void **state)
{
    (void)state;
    static const struct {
        struct sandbox_state s;
        const char *text;
    } cases[] = {
        {{true, true, 2, false},
         "starts no programs, gains no privileges, writes no files (Landlock version 2)"},
        {{true, true, 2, true},
         "starts no programs, gains no privileges, writes no files but its log of requests (Landlock version "
         "2)"},
        {{true, true, 0, false}, "starts no programs, gains no privileges"},
        {{false, false, 0, false},
         "not kept from starting programs (no seccomp), not kept from gaining privileges"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct buf out = {0};
        sandbox_describe(&cases[i].s, &out);
        assert_string_equal(buf_cstr(&out), cases[i].text);
        buf_free(&out);
    }
}

static int set_up(void **state)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    char path[128];
    (void)state;
    strcpy(inside, "/tmp/exeat-inside-XXXXXX");
    strcpy(outside, "/tmp/exeat-outside-XXXXXX");
    strcpy(copies, "/tmp/exeat-copies-XXXXXX");
    if (!mkdtemp(inside) || !mkdtemp(outside) || !mkdtemp(copies))
        return -1;
    snprintf(path, sizeof path, "%s/file", outside);
    close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(listener, (struct sockaddr *)&address, size) != 0 || listen(listener, 8) != 0 ||
        getsockname(listener, (struct sockaddr *)&address, &size) != 0)
        return -1;
    port = address.sin_port;
    return 0;
}

static int tear_down(void **state)
{
    char command[256];
    (void)state;
    close(listener);
    snprintf(command, sizeof command, "rm -rf '%s' '%s' '%s'", inside, outside, copies);
    return system(command);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_the_agents, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_the_log, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_the_keyholders, set_up, tear_down),
        cmocka_unit_test(test_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
