/*
 * The search, and the process around it. Nothing is allocated: there are so many questions in a search and no more.
 */
#include "base/namer.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/sandbox.h"

#define TOGETHER_MOST 64
#define SEARCH_NS     (50 * 1000000LL)
#define REST_FACTOR   9
#define KNOWN         16 /* processes that are looked at first */
#define PIDS_MOST     8192
#define OWN_FD        3
#define LOOK_AT_CLOCK 64 /* descriptors between two looks */

static pid_t known[KNOWN]; /* the latest in front; 0: none */

struct search {
    struct namer_wanted *wanted;
    size_t n, found;
    uid_t uid; /* whose process is looked at */
    long long until;
};

/* Of our own processor time: that is what has a bound. */
static long long spent_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static bool is_over(const struct search *s)
{
    return s->found == s->n || spent_ns() > s->until;
}

/* --- one process --- */

static void learn(pid_t pid)
{
    size_t i = 0;
    while (i < KNOWN - 1 && known[i] != pid)
        i++;
    memmove(known + 1, known, i * sizeof *known);
    known[0] = pid;
}

static bool read_name(int process, char *name, size_t size)
{
    int fd = openat(process, "comm", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read(fd, name, size - 1) : -1;
    if (fd >= 0)
        close(fd);
    if (n <= 0)
        return false;
    name[name[n - 1] == '\n' ? n - 1 : n] = '\0';
    return true;
}

/* Is this link of a descriptor one of those that are looked for? */
static void compare(struct search *s, const char *link, int process, pid_t pid)
{
    unsigned long inode;
    if (sscanf(link, "socket:[%lu]", &inode) != 1)
        return;
    for (size_t i = 0; i < s->n; i++) {
        struct namer_wanted *w = &s->wanted[i];
        if (w->question.uid != s->uid || w->question.inode != inode || w->answer.program[0])
            continue;
        s->found += read_name(process, w->answer.program, sizeof w->answer.program);
        learn(pid);
    }
}

static bool belongs(const struct search *s)
{
    for (size_t i = 0; i < s->n; i++)
        if (s->wanted[i].question.uid == s->uid && !s->wanted[i].answer.program[0])
            return true;
    return false;
}

static void search_links(struct search *s, DIR *links, int process, pid_t pid)
{
    struct dirent *entry;
    for (unsigned k = 1; s->found < s->n && (entry = readdir(links)); k++) {
        char link[40];
        ssize_t n = readlinkat(dirfd(links), entry->d_name, link, sizeof link - 1);
        link[n > 0 ? n : 0] = '\0';
        if (n > 0)
            compare(s, link, process, pid);
        if (k % LOOK_AT_CLOCK == 0 && is_over(s))
            return;
    }
}

static void search_process(struct search *s, pid_t pid)
{
    char path[32];
    struct stat st;
    snprintf(path, sizeof path, "/proc/%d", (int)pid);
    int process = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (process < 0)
        return;
    bool told = fstat(process, &st) == 0;
    s->uid = told ? st.st_uid : (uid_t)-1;
    int fd = told && belongs(s) ? openat(process, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    DIR *links = fd >= 0 ? fdopendir(fd) : NULL;
    if (links) {
        search_links(s, links, process, pid);
        closedir(links);
    }
    close(process);
}

/* --- all of them --- */

static void search_known(struct search *s)
{
    pid_t pids[KNOWN];
    memcpy(pids, known, sizeof pids); /* finding one changes the order */
    for (size_t i = 0; i < KNOWN && pids[i] && !is_over(s); i++)
        search_process(s, pids[i]);
}

/* The youngest first: the programs that come for one request and go. */
static void search_all(struct search *s)
{
    static pid_t pids[PIDS_MOST];
    struct dirent *entry;
    size_t n = 0;
    DIR *processes = opendir("/proc");
    while (processes && !is_over(s) && (entry = readdir(processes))) {
        long pid = strtol(entry->d_name, NULL, 10);
        if (pid > 0)
            pids[n++ % PIDS_MOST] = (pid_t)pid;
    }
    if (processes)
        closedir(processes);
    for (size_t i = 0; i < n && i < PIDS_MOST && !is_over(s); i++)
        search_process(s, pids[(n - 1 - i) % PIDS_MOST]);
}

void namer_search(struct namer_wanted *wanted, size_t n)
{
    struct search s = {.wanted = wanted, .n = n, .until = spent_ns() + SEARCH_NS};
    for (size_t i = 0; i < n; i++)
        wanted[i].answer = (struct namer_answer){.number = wanted[i].question.number};
    search_known(&s);
    search_all(&s);
}

/* --- the process --- */

/* Whole ones; 0: the agent has gone. Waits for the first alone. */
static size_t hear(int fd, struct namer_wanted *wanted)
{
    struct namer_question questions[TOGETHER_MOST];
    size_t bytes = 0;
    do {
        ssize_t n = recv(fd, (char *)questions + bytes, sizeof questions - bytes, 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return 0;
        bytes += (size_t)n;
    } while (bytes % sizeof *questions);
    size_t n = bytes / sizeof *questions;
    for (size_t i = 0; i < n; i++)
        wanted[i].question = questions[i];
    return n;
}

static bool say(int fd, const struct namer_answer *answer)
{
    return send(fd, answer, sizeof *answer, MSG_NOSIGNAL) == (ssize_t)sizeof *answer;
}

static void rest(long long nanoseconds)
{
    struct timespec t = {.tv_sec = nanoseconds / 1000000000, .tv_nsec = nanoseconds % 1000000000};
    while (nanosleep(&t, &t) != 0 && errno == EINTR)
        ;
}

static _Noreturn void serve(int fd)
{
    static struct namer_wanted wanted[TOGETHER_MOST];
    size_t n;
    bool heard = true;
    while (heard && (n = hear(fd, wanted)) > 0) {
        long long begin = spent_ns();
        namer_search(wanted, n);
        long long took = spent_ns() - begin;
        for (size_t i = 0; i < n && heard; i++)
            heard = say(fd, &wanted[i].answer);
        rest(took * REST_FACTOR);
    }
    _exit(0);
}

/* What a terminal or a service manager sends to all of us does not end it: it ends with the agent. */
static _Noreturn void become(int fd)
{
    static const int ignored[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE};
    sigset_t none;
    for (int number = 1; number < NSIG; number++)
        signal(number, SIG_DFL);
    for (size_t i = 0; i < sizeof ignored / sizeof *ignored; i++)
        signal(ignored[i], SIG_IGN);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    prctl(PR_SET_NAME, "exeat-namer");
    prctl(PR_SET_PDEATHSIG, SIGKILL); /* should it be resting when the agent ends */
    if (fd != OWN_FD && dup3(fd, OWN_FD, O_CLOEXEC) != OWN_FD)
        _exit(1);
    close_range(OWN_FD + 1, ~0u, 0);
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    for (int i = 0; null >= 0 && i < 3; i++) /* it says nothing, and must not keep the agent's log open */
        dup2(null, i);
    close(null);
    /* With Landlock it could not look into other processes. */
    sandbox_enter(&(struct sandbox_wish){.files = true});
    serve(OWN_FD);
}

int namer_start(struct err *e)
{
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
        err_errno(e, ERR_SYSTEM, errno, "no process to look up programs' names");
        return -1;
    }
    pid_t pid = fork();
    if (pid == 0) {
        close(ends[0]);
        become(ends[1]);
    }
    close(ends[1]);
    if (pid > 0)
        return ends[0];
    err_errno(e, ERR_SYSTEM, errno, "no process to look up programs' names");
    close(ends[0]);
    return -1;
}
