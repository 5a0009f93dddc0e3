/*
 * One thread, one poll(2): the agent's socket, the login socket and those who came through it, the workers' event, SIGTERM. Nothing here
 * waits for anything else, and nothing wakes without a reason: the time limit is the earliest deadline, or none. All bytes read or sent are
 * wiped, since frames carry passwords and headers.
 */
#include "keys/serve.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"
#include "keys/examine.h"
#include "keys/identity.h"
#include "keys/status.h"
#include "keys/work.h"
#include "wire/frame.h"

#define LOGINS_MAX 16
#define READ_BYTES ((size_t)64 << 10)

struct peer {
    struct list node;
    uint32_t id;
    int fd;
    struct frame_reader in;
    struct buf out;
    bool gone;
};

struct serve {
    struct list peers; /* the agent first */
    unsigned n_logins;
    uint32_t last_id;
    int listener, workers, signals;
    char *path;
    ino_t inode; /* of our own socket file: another keyholder may have put its own there since */
};

static struct peer *peer_new(struct serve *s, uint32_t id, int fd)
{
    struct peer *p = mem_zero(sizeof *p);
    p->id = id;
    p->fd = fd;
    frame_reader_init(&p->in);
    list_push_back(&s->peers, &p->node);
    return p;
}

static void wiped_free(struct buf *b)
{
    secret_wipe(b->p, b->n);
    buf_free(b);
}

static void peer_free(struct peer *p)
{
    list_remove(&p->node);
    frame_reader_free(&p->in);
    wiped_free(&p->out);
    close(p->fd);
    free(p);
}

/* It gets its name when it listens, so that nobody who finds it is turned away; one that a dead keyholder left behind goes with that. */
static bool listen_at(struct serve *s, const char *path, struct err *e)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct stat st;
    const char *nascent = address.sun_path;
    if (strlen(path) + sizeof ".new" > sizeof address.sun_path)
        return err_set(e, ERR_LIMIT, "the path of the login socket is too long: %s", path);
    snprintf(address.sun_path, sizeof address.sun_path, "%s.new", path);
    s->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (s->listener < 0)
        return err_errno(e, ERR_SYSTEM, errno, "cannot make the login socket");
    if (unlink(nascent) < 0 && errno != ENOENT)
        return err_errno(e, ERR_SYSTEM, errno, "cannot replace %s", nascent);
    mode_t before = umask(0177);
    bool good = bind(s->listener, (struct sockaddr *)&address, sizeof address) == 0;
    umask(before);
    if (!good || listen(s->listener, LOGINS_MAX) < 0 || lstat(nascent, &st) < 0 || rename(nascent, path) < 0)
        return err_errno(e, ERR_SYSTEM, errno, "cannot listen at %s", path);
    s->path = mem_strdup(path);
    s->inode = st.st_ino;
    return true;
}

/* SIGTERM comes through a descriptor; a peer that left is an error of write(2), not a signal; Ctrl-C on a terminal is the agent's to judge. */
static int take_signals(void)
{
    sigset_t set;
    signal(SIGPIPE, SIG_IGN);
    signal(SIGINT, SIG_IGN);
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigprocmask(SIG_BLOCK, &set, NULL);
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

bool serve_start(struct keyholder *k, int agent, const char *path, struct err *e)
{
    struct serve *s = mem_zero(sizeof *s);
    k->serve = s;
    s->listener = -1;
    list_init(&s->peers);
    peer_new(s, PEER_AGENT, agent);
    s->signals = take_signals();
    s->workers = work_start();
    if (s->signals < 0 || s->workers < 0)
        return err_errno(e, ERR_SYSTEM, errno, "cannot make a descriptor");
    return !path || listen_at(s, path, e);
}

void serve_stop(struct keyholder *k)
{
    struct serve *s = k->serve;
    struct stat st;
    while (!list_empty(&s->peers))
        peer_free(list_entry(s->peers.next, struct peer, node));
    if (s->path && lstat(s->path, &st) == 0 && st.st_ino == s->inode)
        unlink(s->path);
    if (s->listener >= 0)
        close(s->listener);
    close(s->signals);
    free(s->path);
    free(s);
    k->serve = NULL;
}

static struct peer *find(struct serve *s, uint32_t id)
{
    struct list *it, *safe;
    list_each(it, safe, &s->peers)
    {
        struct peer *p = list_entry(it, struct peer, node);
        if (p->id == id)
            return p->gone ? NULL : p;
    }
    return NULL;
}

void serve_send(struct keyholder *k, uint32_t peer, const struct keys_msg *m)
{
    struct peer *p = k->serve ? find(k->serve, peer) : NULL;
    if (!p || keys_msg_write(&p->out, m))
        return;
    log_error(NULL, "a message is too large to be sent: %s", keys_type_name(m->type));
    struct keys_msg instead = {.type = KEYS_ANSWER,
                               .call = m->call,
                               .verdict = KEYS_BROKEN,
                               .why = SPAN("The answer is too large to be sent.")};
    if (m->type != KEYS_ANSWER || !keys_msg_write(&p->out, &instead))
        p->gone = true;
}

/* Only the same user and root may log in here. */
static void accept_login(struct serve *s)
{
    int fd = accept4(s->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    struct ucred who;
    socklen_t n = sizeof who;
    if (fd < 0)
        return;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &n) < 0 || (who.uid != getuid() && who.uid != 0)) {
        log_warning(NULL, "another user tried to reach the login socket");
        close(fd);
        return;
    }
    peer_new(s, ++s->last_id ? s->last_id : ++s->last_id, fd);
    s->n_logins++;
}

static bool take_frames(struct keyholder *k, struct peer *p)
{
    struct span body;
    struct keys_msg m;
    const char *why = "a frame that is too large or empty";
    int next;
    while ((next = frame_reader_next(&p->in, &body)) > 0) {
        if (!keys_msg_read(&m, body, &why))
            break;
        calls_take(k, p->id, &m);
        frame_reader_drop(&p->in);
    }
    if (next != 0)
        log_warning(NULL, "%s sent a bad message: %s", p->id == PEER_AGENT ? "the agent" : "a login", why);
    return next == 0;
}

static void read_peer(struct keyholder *k, struct peer *p)
{
    char bytes[READ_BYTES];
    ssize_t n = read(p->fd, bytes, sizeof bytes);
    if (n > 0) {
        p->gone = !frame_reader_feed(&p->in, span_make(bytes, (size_t)n)) || !take_frames(k, p);
        secret_wipe(bytes, (size_t)n);
    } else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
        p->gone = true;
    }
}

static void write_peer(struct peer *p)
{
    while (p->out.n && !p->gone) {
        ssize_t n = send(p->fd, p->out.p, p->out.n, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            return;
        if (n < 0) {
            p->gone = true;
            return;
        }
        size_t left = p->out.n - (size_t)n;
        secret_wipe(p->out.p, (size_t)n);
        buf_drop(&p->out, (size_t)n);
        secret_wipe(p->out.p + left, (size_t)n); /* the copies left behind by the move */
    }
    if (p->out.n == 0)
        buf_free(&p->out);
}

/* Writes what is waiting and buries the dead. false: the agent is gone. */
static bool tend_peers(struct serve *s)
{
    struct list *it, *safe;
    bool agent = true;
    list_each(it, safe, &s->peers)
    {
        struct peer *p = list_entry(it, struct peer, node);
        write_peer(p);
        if (p->gone && p->id == PEER_AGENT) {
            agent = false;
        } else if (p->gone) {
            peer_free(p);
            s->n_logins--;
        }
    }
    return agent;
}

static nfds_t fill_polls(struct serve *s, struct pollfd *polls)
{
    nfds_t n = 0;
    struct list *it, *safe;
    polls[n++] = (struct pollfd){.fd = s->signals, .events = POLLIN};
    polls[n++] = (struct pollfd){.fd = s->workers, .events = POLLIN};
    polls[n++] = (struct pollfd){.fd = s->n_logins < LOGINS_MAX ? s->listener : -1, .events = POLLIN};
    list_each(it, safe, &s->peers)
    {
        struct peer *p = list_entry(it, struct peer, node);
        polls[n++] = (struct pollfd){.fd = p->fd, .events = (short)(POLLIN | (p->out.n ? POLLOUT : 0))};
    }
    return n;
}

static void read_ready(struct keyholder *k, const struct pollfd *polls)
{
    const struct pollfd *poll_of = polls + 3;
    struct list *it, *safe;
    list_each(it, safe, &k->serve->peers)
    {
        if (poll_of++->revents & (POLLIN | POLLHUP | POLLERR))
            read_peer(k, list_entry(it, struct peer, node));
    }
    if (polls[2].revents & POLLIN)
        accept_login(k->serve);
}

int serve_run(struct keyholder *k)
{
    struct pollfd polls[4 + LOGINS_MAX];
    for (;;) {
        deadlines_run(&k->deadlines);
        identities_run(k);
        status_run(k);
        examine_run(k);
        if (!tend_peers(k->serve))
            return 0;
        secret_wipe_stack();
        nfds_t n = fill_polls(k->serve, polls);
        if (poll(polls, n, deadlines_wait(&k->deadlines)) < 0 && errno != EINTR) {
            log_error(NULL, "poll: %s", strerror(errno));
            return 1;
        }
        if (polls[0].revents)
            return 0;
        if (polls[1].revents)
            work_collect();
        read_ready(k, polls);
    }
}
