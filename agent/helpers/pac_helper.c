/*
 * The process behind a script. It runs other people's programs: what it says is decoded strictly, allowed only where it belongs, and limited in
 * number. Its clock is a deadline that comes again every 100 ms, only while it is at work: each time either the script's time or the names'
 * time gets a tick, and its size is looked up. Ticks instead of times, so that a busy agent does not blame the script for its own delays.
 */
#include "helpers/pac_helper.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "helpers/program.h"
#include "wire/pac_msg.h"

#define TICK_MS     100u
#define START_MS    15000u /* until READY: a busy machine may need long for the first start */
#define ALERTS_MOST 16     /* shown in the log, per question */

enum state { STARTING, LOADING, IDLE, RUNNING, ENDED };

struct pac_helper {
    struct loop *loop;
    struct resolver *resolver;
    pac_news_fn tell;
    void *owner;
    struct span name, script; /* lent */
    struct child *child;
    struct stream *talk;
    struct frame_reader in;
    enum state state;
    uint32_t call;
    struct deadline clock;
    uint64_t cpu_before; /* milliseconds that it had used when it was asked */
    unsigned script_ticks, name_ticks, names, alerts;
    bool waits; /* for the addresses of a name */
    struct resolve name_question;
    unsigned inside; /* calls of ours on the stack that use this */
    bool freed;
};

/* --- the end --- */

static void release(struct pac_helper *h)
{
    if (h->inside || !h->freed)
        return;
    frame_reader_free(&h->in);
    free(h);
}

static void log_end(void *unused, int exit_status, int signal)
{
    (void)unused;
    if (signal)
        log_warning(NULL, "exeat-pac was ended by signal %d", signal);
    else if (exit_status)
        log_warning(NULL, "exeat-pac ended with status %d", exit_status);
}

static void stop(struct pac_helper *h, bool kill)
{
    h->state = ENDED;
    deadline_stop(&h->clock);
    resolve_cancel(&h->name_question);
    h->waits = false;
    if (h->child && kill)
        child_kill(h->child);
    else if (h->child)
        child_forget(h->child, log_end);
    h->child = NULL;
    if (h->talk)
        stream_close(h->talk);
    h->talk = NULL;
}

void pac_helper_free(struct pac_helper *h)
{
    stop(h, h->state != IDLE && h->state != ENDED);
    h->freed = true;
    release(h);
}

static void say(struct pac_helper *h, enum pac_news news, struct span text)
{
    h->inside++;
    h->tell(h->owner, h, news, text);
    h->inside--;
    release(h);
}

static void end(struct pac_helper *h, bool kill, enum pac_news news, const char *text)
{
    if (h->state == ENDED)
        return;
    stop(h, kill);
    say(h, news, span_str(text));
}

static void program_ended(void *owner, int exit_status, int signal)
{
    struct pac_helper *h = owner;
    char text[80];
    h->child = NULL;
    if (signal)
        snprintf(text, sizeof text, "exeat-pac, which runs the PAC script, was ended by signal %d", signal);
    else
        snprintf(text, sizeof text, "exeat-pac, which runs the PAC script, ended with status %d",
                 exit_status);
    end(h, false, PAC_NEWS_DIED, text);
}

static void broke_rules(struct pac_helper *h, const char *how)
{
    log_error(NULL, "exeat-pac sent %s", how);
    end(h, true, PAC_NEWS_DIED, "exeat-pac, which runs the PAC script, broke the rules of our conversation");
}

/* --- the clock --- */

/* Resident bytes; 0: not known. */
static size_t size_of(pid_t pid)
{
    char path[40], text[128];
    unsigned long total, resident;
    snprintf(path, sizeof path, "/proc/%ld/statm", (long)pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read(fd, text, sizeof text - 1) : -1;
    if (fd >= 0)
        close(fd);
    text[n > 0 ? n : 0] = '\0';
    return sscanf(text, "%lu %lu", &total, &resident) == 2 ? resident * (size_t)sysconf(_SC_PAGESIZE) : 0;
}

/* Milliseconds of processor time so far; 0: not known, since it has ended. */
static uint64_t cpu_of(pid_t pid)
{
    clockid_t clock;
    struct timespec t;
    if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &t) != 0)
        return 0;
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static void tick(void *owner)
{
    struct pac_helper *h = owner;
    if (size_of(child_pid(h->child)) > PAC_MEMORY) {
        end(h, true, PAC_NEWS_GREW, "the PAC script used more than 256 MB of memory and was ended");
        return;
    }
    if (cpu_of(child_pid(h->child)) >= h->cpu_before + PAC_SCRIPT_MS) {
        end(h, true, PAC_NEWS_LOOPED, "the PAC script ran for more than 2 seconds and was ended");
        return;
    }
    if (h->waits)
        h->name_ticks++;
    else if (++h->script_ticks >= PAC_WAIT_MS / TICK_MS) {
        end(h, true, PAC_NEWS_LOOPED, "the PAC script had no answer after 10 seconds and was ended");
        return;
    }
    deadline_start(h->loop, &h->clock, TICK_MS, tick, h);
}

static void start_late(void *owner)
{
    end(owner, true, PAC_NEWS_DIED, "exeat-pac, which runs PAC scripts, did not start in time");
}

/* --- questions to it --- */

static bool send(struct pac_helper *h, const struct pac_msg *m)
{
    struct buf frame = {.max = FRAME_LENGTH_BYTES + FRAME_MAX};
    bool written = pac_msg_write(&frame, m);
    if (written)
        stream_write(h->talk, buf_span(&frame));
    buf_free(&frame);
    return written;
}

static bool ask(struct pac_helper *h, struct pac_msg *question, enum state state)
{
    if (++h->call == 0)
        h->call = 1;
    question->call = h->call;
    if (!send(h, question))
        return false;
    h->state = state;
    h->cpu_before = cpu_of(child_pid(h->child));
    h->script_ticks = h->name_ticks = h->names = h->alerts = 0;
    deadline_start(h->loop, &h->clock, TICK_MS, tick, h);
    return true;
}

bool pac_helper_find(struct pac_helper *h, struct span url, struct span host)
{
    return ask(h, &(struct pac_msg){.type = PAC_FIND, .url = url, .host = host}, RUNNING);
}

bool pac_helper_waits(const struct pac_helper *h)
{
    return h->waits;
}

/* --- questions of its own --- */

static void answer_addresses(struct pac_helper *h, struct span addresses)
{
    send(h, &(struct pac_msg){.type = PAC_ADDRESSES,
                              .call = h->call,
                              .addresses = addresses.n <= PAC_ADDRESSES_MAX ? addresses : (struct span){0}});
}

static void was_resolved(void *owner, struct span addresses)
{
    struct pac_helper *h = owner;
    h->waits = false;
    answer_addresses(h, addresses);
}

static void take_resolve(struct pac_helper *h, const struct pac_msg *m)
{
    if (++h->names > PAC_NAMES || h->name_ticks >= PAC_NAMES_MS / TICK_MS) {
        answer_addresses(h, (struct span){0});
        return;
    }
    h->waits = true;
    resolve_start(h->resolver, &h->name_question, m->host, PAC_NAME_MS, was_resolved, h);
    say(h, PAC_NEWS_WAITS, (struct span){0});
}

static void take_my_address(struct pac_helper *h)
{
    struct buf addresses = {0};
    my_addresses(&addresses);
    answer_addresses(h, buf_span(&addresses));
    buf_free(&addresses);
}

static void take_end(struct pac_helper *h, const struct pac_msg *m)
{
    bool good = m->type == PAC_DONE, loading = h->state == LOADING;
    struct buf text = {0};
    deadline_stop(&h->clock);
    h->state = IDLE;
    buf_add_span(&text, good ? m->result : m->why);
    for (size_t i = 0; i < text.n; i++) /* it goes into logs and pages */
        if ((unsigned char)text.p[i] < ' ' || text.p[i] == 0x7f)
            text.p[i] = ' ';
    if (loading)
        say(h, good ? PAC_NEWS_LOADED : PAC_NEWS_BAD_SCRIPT, buf_span(&text));
    else
        say(h, good ? PAC_NEWS_RESULT : PAC_NEWS_ERROR, buf_span(&text));
    buf_free(&text);
}

static void take_ready(struct pac_helper *h)
{
    deadline_stop(&h->clock);
    if (!ask(h, &(struct pac_msg){.type = PAC_LOAD, .name = h->name, .script = h->script}, LOADING))
        end(h, true, PAC_NEWS_DIED, "the PAC script is too large");
}

/* What it may say in which state. */
static bool allowed(const struct pac_helper *h, const struct pac_msg *m)
{
    bool busy = (h->state == LOADING || h->state == RUNNING) && !h->waits;
    switch (m->type) {
    case PAC_READY:
        return h->state == STARTING;
    case PAC_DONE:
        return busy && m->call == h->call && (h->state == RUNNING || m->result.n == 0);
    case PAC_FAILED:
    case PAC_RESOLVE:
    case PAC_MY_ADDRESS:
        return busy && m->call == h->call;
    case PAC_ALERT:
        return busy;
    default:
        return false;
    }
}

static void take_message(struct pac_helper *h, const struct pac_msg *m)
{
    if (!allowed(h, m)) {
        broke_rules(h, "a message that does not belong where it came");
        return;
    }
    switch (m->type) {
    case PAC_READY:
        take_ready(h);
        break;
    case PAC_RESOLVE:
        take_resolve(h, m);
        break;
    case PAC_MY_ADDRESS:
        take_my_address(h);
        break;
    case PAC_ALERT: /* what the script says may have been taken from a URL: not for the everyday log */
        if (h->alerts++ < ALERTS_MOST)
            log_debug(NULL, "the PAC script says: %.*s", SPAN_ARG(m->alert));
        break;
    default:
        take_end(h, m);
    }
}

static void talk_data(void *owner, struct span bytes)
{
    struct pac_helper *h = owner;
    struct span body;
    const char *why = "a frame that is too large or empty";
    int more = frame_reader_feed(&h->in, bytes) ? 1 : -1;
    h->inside++;
    while (more > 0 && h->state != ENDED && (more = frame_reader_next(&h->in, &body)) > 0) {
        struct pac_msg m;
        if (!pac_msg_read(&m, body, &why))
            more = -1;
        else
            take_message(h, &m);
        frame_reader_drop(&h->in);
    }
    if (more < 0 && h->state != ENDED)
        broke_rules(h, why);
    h->inside--;
    release(h);
}

static void talk_eof(void *owner)
{
    end(owner, false, PAC_NEWS_DIED, "exeat-pac, which runs the PAC script, ended unexpectedly");
}

static void talk_failed(void *owner, const struct err *why)
{
    (void)why;
    talk_eof(owner);
}

static void talk_drained(void *owner)
{
    (void)owner;
}

/* --- the start --- */

static bool find_program(char *path, size_t size, struct err *e)
{
    return program_find("exeat-pac", path, size) ||
           err_set(
               e, ERR_SYSTEM,
               "the program exeat-pac, which runs PAC scripts, is neither beside exeat nor in %s; install "
               "the package exeat-pac and start exeat again",
               EXEAT_LIBEXEC);
}

struct starter *pac_helper_starter(struct loop *loop, struct err *e)
{
    char program[PATH_MAX];
    if (!find_program(program, sizeof program, e))
        return NULL;
    return starter_new(loop, (char *[]){program, NULL}, STARTER_KILLS, e);
}

static bool start_program(struct pac_helper *h, struct starter *starter, struct err *e)
{
    char program[PATH_MAX];
    if (!find_program(program, sizeof program, e))
        return false;
    h->child = starter ? starter_start(starter, &h->talk, program_ended, h, e)
                       : child_start(h->loop, (char *[]){program, NULL}, &h->talk, program_ended, h, e);
    return h->child != NULL;
}

struct pac_helper *pac_helper_start(struct loop *loop, struct starter *starter, struct resolver *resolver,
                                    struct span name, struct span script, pac_news_fn tell, void *owner,
                                    struct err *e)
{
    static const struct stream_events events = {talk_data, talk_eof, talk_drained, talk_failed};
    struct pac_helper *h = mem_zero(sizeof *h);
    *h = (struct pac_helper){
        .loop = loop, .resolver = resolver, .tell = tell, .owner = owner, .name = name, .script = script};
    if (!start_program(h, starter, e)) {
        free(h);
        return NULL;
    }
    frame_reader_init(&h->in);
    stream_own(h->talk, &events, h);
    stream_read(h->talk);
    deadline_start(loop, &h->clock, START_MS, start_late, h);
    return h;
}
