/*
 * The spawner's socket and its lines are of type SEQPACKET: a message is a whole request with two descriptors (the line, and the one for the
 * program), or a whole word. Its process has one thread and one ppoll(2); SIGCHLD is let in only there. It ignores what a terminal or a
 * service manager sends to all of us: when we end is for the asker to say, by going.
 */
#include "base/spawner.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define JOBS_MOST 64
#define OWN_FD    3 /* of the spawner's end, beyond standard error */

extern char **environ;

/* A process group has its number for as long as the first process is not buried: with `group` that waits for the asker's last word. */
struct job {
    pid_t pid; /* 0: a free place */
    int line;  /* -1: hung up */
    bool ended;
};

struct process {
    const struct spawner_rules *rules;
    sigset_t open; /* the mask in which signals come in */
    struct job jobs[JOBS_MOST];
};

/* --- the spawner's process --- */

static void nothing(int number)
{
    (void)number;
}

static void set_up_signals(struct process *p)
{
    static const int ignored[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE};
    sigset_t child;
    for (int number = 1; number < NSIG; number++)
        signal(number, SIG_DFL);
    for (size_t i = 0; i < sizeof ignored / sizeof *ignored; i++)
        signal(ignored[i], SIG_IGN);
    struct sigaction wake = {.sa_handler = nothing};
    sigaction(SIGCHLD, &wake, NULL);
    sigemptyset(&p->open);
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    sigprocmask(SIG_SETMASK, &child, NULL); /* until now all were held back */
}

static void say(int line, struct spawner_word word)
{
    if (line >= 0)
        send(line, &word, sizeof word, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void hang_up(struct job *j)
{
    if (j->line >= 0)
        close(j->line);
    j->line = -1;
}

static int start(const struct spawner_rules *rules, const struct spawner_program *program, int fd, pid_t *pid)
{
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attr;
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&files, fd, rules->place);
    posix_spawnattr_init(&attr);
    posix_spawnattr_setsigmask(&attr, &none);
    posix_spawnattr_setsigdefault(&attr, &all);
    posix_spawnattr_setpgroup(&attr, 0);
    short group = rules->group ? POSIX_SPAWN_SETPGROUP : 0;
    posix_spawnattr_setflags(&attr, (short)(group | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF));
    int number = posix_spawn(pid, program->path, &files, &attr, program->argv, environ);
    posix_spawnattr_destroy(&attr);
    posix_spawn_file_actions_destroy(&files);
    return number;
}

/* Takes the line over. */
static void take(struct process *p, struct span request, int line, int fd)
{
    struct spawner_program program;
    struct job *j = p->jobs;
    while (j < p->jobs + JOBS_MOST && j->pid)
        j++;
    struct spawner_word word = {.error = EAGAIN};
    if (j < p->jobs + JOBS_MOST) {
        bool chosen = p->rules->choose(p->rules->owner, request, &program);
        pid_t pid = 0;
        word.error = chosen ? start(p->rules, &program, fd, &pid) : EPERM;
        word.pid = word.error ? 0 : pid;
    }
    say(line, word);
    if (word.error)
        close(line);
    else
        *j = (struct job){.pid = word.pid, .line = line};
}

/* The descriptors that came along; 0 when they are not the two. */
static size_t take_descriptors(struct msghdr *m, int fds[2])
{
    struct cmsghdr *c = CMSG_FIRSTHDR(m);
    size_t n = 0;
    if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS)
        n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    if (n)
        memcpy(fds, CMSG_DATA(c), (n < 2 ? n : 2) * sizeof(int));
    if (n == 2)
        return 2;
    while (n-- > 0) /* there is room for two, so never more */
        close(fds[n]);
    return 0;
}

/* false: the asker has gone. */
static bool read_request(struct process *p)
{
    static char bytes[SPAWNER_REQUEST_MAX];
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(2 * sizeof(int))];
    } control;
    struct iovec part = {bytes, sizeof bytes};
    struct msghdr m = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    int fds[2];
    ssize_t n = recvmsg(OWN_FD, &m, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
    if (n < 0)
        return errno == EAGAIN || errno == EINTR;
    size_t came = take_descriptors(&m, fds);
    if (came && n > 0) {
        take(p, span_make(bytes, (size_t)n), fds[0], fds[1]);
        close(fds[1]);
    }
    return n > 0;
}

static void look_after(const struct spawner_rules *rules, struct job *j)
{
    siginfo_t how = {0};
    if (!j->ended && waitid(P_PID, (id_t)j->pid, &how, WEXITED | WNOHANG | WNOWAIT) == 0 &&
        how.si_pid == j->pid) {
        bool exited = how.si_code == CLD_EXITED;
        j->ended = true;
        say(j->line, (struct spawner_word){.pid = j->pid,
                                           .ended = 1,
                                           .exit_status = exited ? how.si_status : 0,
                                           .signal = exited ? 0 : how.si_status});
    }
    if (j->ended && (!rules->group || j->line < 0)) {
        waitpid(j->pid, NULL, 0);
        hang_up(j);
        j->pid = 0;
    }
}

static bool any_left(struct process *p)
{
    bool left = false;
    for (struct job *j = p->jobs; j < p->jobs + JOBS_MOST; j++) {
        if (j->pid)
            look_after(p->rules, j);
        left |= j->pid != 0;
    }
    return left;
}

static bool is_job(const struct process *p, pid_t pid)
{
    for (const struct job *j = p->jobs; j < p->jobs + JOBS_MOST; j++)
        if (j->pid == pid)
            return true;
    return false;
}

/* Orphans of our programs. One of our own that has ended since we looked has its signal waiting. */
static void bury_orphans(const struct process *p)
{
    siginfo_t how = {0};
    while (waitid(P_ALL, 0, &how, WEXITED | WNOHANG | WNOWAIT) == 0 && how.si_pid && !is_job(p, how.si_pid)) {
        waitpid(how.si_pid, NULL, 0);
        how.si_pid = 0;
    }
}

static void read_line(const struct spawner_rules *rules, struct job *j)
{
    char word;
    bool let_go = recv(j->line, &word, 1, MSG_DONTWAIT) == 1;
    hang_up(j);
    if (rules->group && !let_go)
        kill(-j->pid, SIGKILL);
}

static void serve(struct process *p)
{
    struct pollfd polls[1 + JOBS_MOST];
    do {
        any_left(p);
        if (!p->rules->group)
            bury_orphans(p);
        polls[0] = (struct pollfd){.fd = OWN_FD, .events = POLLIN};
        for (size_t i = 0; i < JOBS_MOST; i++)
            polls[1 + i] = (struct pollfd){.fd = p->jobs[i].pid ? p->jobs[i].line : -1, .events = POLLIN};
        if (ppoll(polls, 1 + JOBS_MOST, NULL, &p->open) < 0)
            continue;
        for (size_t i = 0; i < JOBS_MOST; i++)
            if (polls[1 + i].revents)
                read_line(p->rules, &p->jobs[i]);
    } while (!polls[0].revents || read_request(p));
}

static int64_t milliseconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* The asker has gone: the programs learn of it themselves, or by a signal. None is left behind, alive or dead. */
static void end_all(struct process *p)
{
    int64_t until = milliseconds() + p->rules->patience_ms, left;
    for (struct job *j = p->jobs; p->rules->group && j < p->jobs + JOBS_MOST; j++)
        if (j->pid && j->line >= 0)
            read_line(p->rules, j);
    while (any_left(p) && (left = until - milliseconds()) > 0) {
        struct timespec wait = {.tv_sec = left / 1000, .tv_nsec = left % 1000 * 1000000};
        ppoll(NULL, 0, &wait, &p->open);
    }
    for (struct job *j = p->jobs; j < p->jobs + JOBS_MOST; j++) {
        if (!j->pid)
            continue;
        kill(p->rules->group ? -j->pid : j->pid, SIGKILL);
        waitpid(j->pid, NULL, 0);
    }
}

static _Noreturn void be_the_spawner(int fd, const struct spawner_rules *rules)
{
    struct process p = {.rules = rules};
    if (fd != OWN_FD)
        dup3(fd, OWN_FD, O_CLOEXEC);
    close_range(OWN_FD + 1, ~0u, 0);
    prctl(PR_SET_NAME, rules->name);
    prctl(PR_SET_CHILD_SUBREAPER, !rules->group);
    set_up_signals(&p);
    serve(&p);
    end_all(&p);
    _exit(0);
}

/* --- the asker's side --- */

bool spawner_start(struct spawner *s, const struct spawner_rules *rules, struct err *e)
{
    int ends[2];
    *s = (struct spawner){.fd = -1};
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
        return err_errno(e, ERR_SYSTEM, errno, "cannot make a pair of sockets");
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before); /* our handlers are not the child's */
    pid_t pid = fork();
    if (pid == 0) {
        close(ends[0]);
        be_the_spawner(ends[1], rules);
    }
    int error = errno;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    close(ends[1]);
    if (pid < 0) {
        close(ends[0]);
        return err_errno(e, ERR_SYSTEM, error, "cannot make a process");
    }
    *s = (struct spawner){.pid = pid, .fd = ends[0]};
    return true;
}

void spawner_stop(struct spawner *s)
{
    if (s->pid)
        close(s->fd);
    *s = (struct spawner){.fd = -1};
}

void spawner_end(struct spawner *s)
{
    pid_t pid = s->pid;
    spawner_stop(s);
    while (pid && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        ;
}

void spawner_bury(struct spawner *s)
{
    if (s->pid && waitpid(s->pid, NULL, WNOHANG) == s->pid)
        spawner_stop(s);
}

static bool send_request(int to, struct span request, const int fds[2])
{
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(2 * sizeof(int))];
    } control = {0};
    struct iovec part = {(char *)(uintptr_t)request.p, request.n};
    struct msghdr m = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(2 * sizeof(int));
    memcpy(CMSG_DATA(c), fds, 2 * sizeof(int));
    return sendmsg(to, &m, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0;
}

int spawner_ask(const struct spawner *s, struct span request, int fd)
{
    int line[2];
    if (!s->pid || request.n == 0 || request.n > SPAWNER_REQUEST_MAX) {
        errno = s->pid ? EMSGSIZE : EPIPE;
        return -1;
    }
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, line) < 0)
        return -1;
    bool sent = send_request(s->fd, request, (int[2]){line[1], fd});
    int error = errno;
    close(line[1]);
    if (sent)
        return line[0];
    close(line[0]);
    errno = error;
    return -1;
}

int spawner_hear(int line, struct spawner_word *word)
{
    ssize_t n = recv(line, word, sizeof *word, MSG_DONTWAIT);
    if (n == (ssize_t)sizeof *word)
        return 1;
    return n < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : -1;
}

void spawner_let_go(int line)
{
    send(line, "", 1, MSG_NOSIGNAL | MSG_DONTWAIT);
    close(line);
}
