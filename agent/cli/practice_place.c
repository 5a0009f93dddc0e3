/*
 * The place (practice_place.h). Programs in it are forks of this one, made while it has one thread and no loop: they need no path of ours, and nothing of the
 * user's reaches them but what is said here.
 */
#include "cli/practice_place.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define GIVEN_FD  3 /* SD_LISTEN_FDS_START */
#define END_MS    10000
#define TICK_NS   10000000l
#define LOG_SHOWN ((off_t)4096)
/* No realm, and nobody asked for one. */
#define KRB5_CONF                                                                                            \
    "[libdefaults]\ndns_lookup_kdc = false\ndns_lookup_realm = false\ndns_canonicalize_hostname = "          \
    "false\nrdns = false\n"
#define BACKLOG  64
#define BASE_MAX 40

char *place_path(const struct place *p, const char *name)
{
    struct buf text = {0};
    buf_addf(&text, "%s/%s", p->folder, name);
    char *path = mem_strdup(buf_cstr(&text));
    buf_free(&text);
    return path;
}

bool place_write(const struct place *p, const char *name, struct span text, struct err *e)
{
    char *path = place_path(p, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    bool good = fd >= 0 && write(fd, text.p, text.n) == (ssize_t)text.n;
    if (!good)
        err_errno(e, ERR_SYSTEM, errno, "cannot write %s", path);
    if (fd >= 0)
        close(fd);
    free(path);
    return good;
}

/* Its name stands in configurations and in the names of Unix sockets (107 bytes at most): no blanks, nothing that means something there, and not long. */
static bool is_fit(const char *base)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-+";
    return *base == '/' && strlen(base) <= BASE_MAX && base[strspn(base, plain)] == '\0';
}

static char *make_folder(const char *base)
{
    struct buf text = {0};
    buf_addf(&text, "%s/exeat-practice-XXXXXX", base);
    char *folder = mem_strdup(buf_cstr(&text));
    buf_free(&text);
    if (mkdtemp(folder))
        return folder;
    free(folder);
    return NULL;
}

bool place_begin(struct place *p, struct err *e)
{
    const char *wanted = getenv("TMPDIR"), *bases[] = {wanted ? wanted : "", "/tmp", "/var/tmp"};
    *p = (struct place){.owner = getpid()};
    for (size_t i = 0; i < sizeof bases / sizeof *bases && !p->folder; i++)
        if (is_fit(bases[i]))
            p->folder = make_folder(bases[i]);
    if (!p->folder)
        return err_errno(
            e, ERR_SYSTEM, errno,
            "set TMPDIR to a folder that you may write to, without blanks in its name: no folder "
            "can be made there, in /tmp or in /var/tmp");
    prctl(PR_SET_CHILD_SUBREAPER, 1); /* so that place_end can wait for our children's children too */
    return place_write(p, "krb5.conf", SPAN(KRB5_CONF), e);
}

/* --- sockets --- */

static int listen_at(uint16_t port)
{
    int on = 1;
    struct sockaddr_in at = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, (struct sockaddr *)&at, sizeof at) == 0 && listen(fd, BACKLOG) == 0)
        return fd;
    int error = errno;
    close(fd);
    errno = error;
    return -1;
}

/* A socket can be bound to 127.0.0.1 where no packet gets there. */
static bool loopback_is_up(struct err *e)
{
    struct sockaddr_in at = {
        .sin_family = AF_INET, .sin_port = htons(9), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    bool up = fd >= 0 && connect(fd, (struct sockaddr *)&at, sizeof at) == 0;
    if (!up)
        err_errno(e, ERR_UNREACHABLE, errno,
                  "127.0.0.1 cannot be reached, and all of practice is there; as root: ip link set lo up");
    if (fd >= 0)
        close(fd);
    return up;
}

bool place_listen(struct place_door *d, uint16_t wanted, struct err *e)
{
    struct sockaddr_in at = {0};
    socklen_t size = sizeof at;
    d->fd = listen_at(wanted);
    if (d->fd < 0 && wanted)
        d->fd = listen_at(0);
    if (d->fd < 0 || getsockname(d->fd, (struct sockaddr *)&at, &size) != 0)
        return err_errno(e, ERR_SYSTEM, errno, "cannot listen on 127.0.0.1");
    d->port = ntohs(at.sin_port);
    return loopback_is_up(e);
}

/* --- processes --- */

/* All of the user's surroundings that comes along, by the beginnings of the names: how to find programs and libraries, and how to speak. Whatever else there is could
   lead a program here to the user's own secrets (keyring, tickets, keytabs, pinentry), to a proxy or to the desktop, or write where the user wants something else. */
static const char *const comes_along[] = {"PATH=", "LD_",       "GSS_",  "LANG=", "LC_",
                                          "TERM=", "NO_COLOR=", "TZ=",   "USER=", "LOGNAME=",
                                          "ASAN_", "UBSAN_",    "LSAN_", "TSAN_", "GCOV_"};

static bool may_come(const char *variable)
{
    for (size_t i = 0; i < sizeof comes_along / sizeof *comes_along; i++)
        if (strncmp(variable, comes_along[i], strlen(comes_along[i])) == 0)
            return true;
    return false;
}

static void leave_surroundings(void)
{
    char **kept = environ;
    for (char **from = environ; from && *from; from++)
        if (may_come(*from))
            *kept++ = *from;
    if (kept)
        *kept = NULL;
}

static void move_in(const struct place *p, const char *name)
{
    static const char *const homes[] = {"HOME", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME", "XDG_STATE_HOME",
                                        "XDG_CACHE_HOME"};
    char *home = place_path(p, name), *krb5 = place_path(p, "krb5.conf"),
         *keytab = place_path(p, "no-keytab");
    leave_surroundings();
    mkdir(home, 0700);
    for (size_t i = 0; i < sizeof homes / sizeof *homes; i++)
        setenv(homes[i], home, 1);
    setenv("KRB5_CONFIG", krb5, 1);
    setenv("KRB5CCNAME", "FILE:/dev/null", 1);
    setenv("KRB5_KTNAME", keytab, 1);
    setenv("KRB5_CLIENT_KTNAME", keytab, 1);
    free(home);
    free(krb5);
    free(keytab);
}

static void redirect(int fd, int to)
{
    if (fd >= 0 && fd != to)
        dup2(fd, to);
}

static void log_to(const struct place *p, const char *name)
{
    struct buf text = {0};
    buf_addf(&text, "%s/%s.log", p->folder, name);
    int fd = open(buf_cstr(&text), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    redirect(fd, STDOUT_FILENO);
    redirect(fd, STDERR_FILENO);
    buf_free(&text);
}

static struct place_child *free_place(struct place *p)
{
    for (size_t i = 0; i < PLACE_CHILDREN_MOST; i++)
        if (!p->children[i].name)
            return &p->children[i];
    return NULL;
}

pid_t place_fork(struct place *p, const char *name, bool logged, struct err *e)
{
    struct place_child *c = free_place(p);
    pid_t parent = getpid();
    fflush(stdout);
    fflush(stderr);
    pid_t pid = c ? fork() : -1;
    if (pid < 0) {
        err_errno(e, ERR_SYSTEM, errno, "cannot start another process");
    } else if (pid > 0) {
        *c = (struct place_child){name, pid};
    } else {
        sigset_t none;
        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, NULL);
        setpgid(0, 0);            /* Ctrl-C is for the one at the terminal, who ends us in order */
        signal(SIGTTOU, SIG_IGN); /* "stty tostop" is not for us, who are in the background */
        prctl(PR_SET_PDEATHSIG, SIGTERM);
        if (getppid() != parent)
            _exit(1);
        redirect(open("/dev/null", O_RDONLY | O_CLOEXEC), STDIN_FILENO);
        move_in(p, name);
        if (logged)
            log_to(p, name);
    }
    return pid;
}

void place_hand_over(const struct place_door *d)
{
    char number[24];
    redirect(d->fd, GIVEN_FD);
    close_range(GIVEN_FD + 1, ~0u, 0);
    snprintf(number, sizeof number, "%ld", (long)getpid());
    setenv("LISTEN_PID", number, 1);
    setenv("LISTEN_FDS", "1", 1);
    unsetenv("LISTEN_FDNAMES");
}

static void forget(struct place *p, pid_t child)
{
    for (size_t i = 0; i < PLACE_CHILDREN_MOST; i++)
        if (p->children[i].pid == child)
            p->children[i] = (struct place_child){0};
}

int place_wait(struct place *p, pid_t child)
{
    int status;
    while (waitpid(child, &status, 0) < 0)
        if (errno != EINTR)
            return 1;
    forget(p, child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

const char *place_lost(struct place *p, int *status)
{
    for (size_t i = 0; i < PLACE_CHILDREN_MOST; i++) {
        struct place_child c = p->children[i];
        if (c.name && waitpid(c.pid, status, WNOHANG) == c.pid) {
            forget(p, c.pid);
            return c.name;
        }
    }
    return NULL;
}

void place_read_log(const struct place *p, const char *name, struct buf *out)
{
    struct buf text = {0};
    struct stat st;
    buf_addf(&text, "%s/%s.log", p->folder, name);
    int fd = open(buf_cstr(&text), O_RDONLY | O_CLOEXEC);
    buf_free(&text);
    if (fd < 0)
        return;
    if (fstat(fd, &st) == 0 && st.st_size > LOG_SHOWN)
        lseek(fd, st.st_size - LOG_SHOWN, SEEK_SET);
    char piece[1024];
    for (ssize_t n; (n = read(fd, piece, sizeof piece)) > 0;)
        buf_add(out, piece, (size_t)n);
    close(fd);
}

/* --- the end --- */

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *where)
{
    (void)st;
    (void)kind;
    (void)where;
    remove(path);
    return 0;
}

static bool remove_folder(const struct place *p)
{
    nftw(p->folder, remove_one, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
    return access(p->folder, F_OK) != 0;
}

/* SIGTERM has been sent; SIGKILL for whoever does not go in time, or when the user asks once more. */
static void end_child(const struct place_child *c, const sigset_t *signals, bool *hurry)
{
    const struct timespec moment = {0, TICK_NS};
    for (int i = 0; i < END_MS * 1000000LL / TICK_NS && !*hurry; i++) {
        if (waitpid(c->pid, NULL, WNOHANG) != 0)
            return;
        int number = sigtimedwait(signals, NULL, &moment);
        *hurry = number > 0 && number != SIGCHLD;
    }
    kill(c->pid, SIGKILL);
    waitpid(c->pid, NULL, 0);
}

/* Keyholders end with the agents that started them, a moment later, and may write to the folder until they have. */
static void outlive_grandchildren(void)
{
    const struct timespec moment = {0, TICK_NS};
    for (int i = 0; i < END_MS * 1000000LL / TICK_NS && waitpid(-1, NULL, WNOHANG) >= 0; i++)
        nanosleep(&moment, NULL);
}

void place_end(struct place *p, const sigset_t *signals)
{
    bool hurry = false;
    for (size_t i = 0; i < PLACE_CHILDREN_MOST; i++)
        if (p->children[i].name)
            kill(p->children[i].pid, SIGTERM);
    for (size_t i = 0; i < PLACE_CHILDREN_MOST; i++)
        if (p->children[i].name)
            end_child(&p->children[i], signals, &hurry);
    outlive_grandchildren();
    if (p->folder)
        remove_folder(p);
    free(p->folder);
    *p = (struct place){0};
}

void place_end_orphan(const struct place *p)
{
    const struct timespec moment = {0, TICK_NS};
    if (getppid() == p->owner)
        return;
    for (int i = 0; i < END_MS * 1000000LL / TICK_NS && !remove_folder(p); i++)
        nanosleep(&moment, NULL); /* the others are ending too, and may write there until they have */
}
