/*
 * Questions to the namer and its answers, by number. What waits has its bounds: so many programs, so many lines of each.
 */
#include "relay/caller.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/namer.h"

#define PENDING_MOST 256
#define HELD_MOST    8
#define BACKLOG_MOST (PENDING_MOST * sizeof(struct namer_question))

struct caller {
    int refs;
    struct list link; /* in callers->pending */
    uint32_t number;
    bool pending;
    char name[PEER_PROGRAM_MOST]; /* "": not known */
    struct access *held[HELD_MOST];
    size_t n_held;
};

struct caller *caller_ref(struct caller *caller)
{
    if (caller)
        caller->refs++;
    return caller;
}

void caller_unref(struct caller *caller)
{
    if (caller && --caller->refs == 0)
        free(caller);
}

static struct caller *caller_new(void)
{
    struct caller *caller = mem_zero(sizeof *caller);
    caller->refs = 1;
    list_init(&caller->link);
    return caller;
}

/* --- lines --- */

static void write_line(const struct caller *caller, const struct access_log *log, struct access *a)
{
    if (caller)
        a->program = span_str(caller->name);
    access_log_write(log, a);
}

void caller_log(struct caller *caller, const struct access_log *log, struct access *a)
{
    if (!access_log_wanted(log))
        return;
    clock_gettime(CLOCK_REALTIME, &a->at);
    if (caller && caller->pending && caller->n_held < HELD_MOST)
        caller->held[caller->n_held++] = access_keep(a);
    else
        write_line(caller, log, a);
}

/* Its name is known by now, or will not be. */
static void settle(struct callers *p, struct caller *caller)
{
    caller->pending = false;
    list_remove(&caller->link);
    p->n--;
    for (size_t i = 0; i < caller->n_held; i++) {
        write_line(caller, p->log, caller->held[i]);
        free(caller->held[i]);
    }
    caller->n_held = 0;
    caller_unref(caller);
}

/* --- the namer --- */

static void answered(struct callers *p, const struct namer_answer *answer)
{
    struct list *it, *safe;
    list_each(it, safe, &p->pending)
    {
        struct caller *caller = list_entry(it, struct caller, link);
        if (caller->number != answer->number)
            continue;
        snprintf(caller->name, sizeof caller->name, "%.*s", (int)sizeof answer->program, answer->program);
        settle(p, caller);
        return;
    }
}

static void talk_data(void *owner, struct span bytes)
{
    struct callers *p = owner;
    struct namer_answer answer;
    buf_add_span(&p->in, bytes);
    while (p->in.n >= sizeof answer) {
        memcpy(&answer, p->in.p, sizeof answer);
        buf_drop(&p->in, sizeof answer);
        answered(p, &answer);
    }
    if (p->in.n == 0)
        buf_free(&p->in);
}

static void lost(struct callers *p)
{
    if (p->talk)
        stream_close(p->talk);
    p->talk = NULL;
    while (!list_empty(&p->pending))
        settle(p, list_entry(p->pending.next, struct caller, link));
}

static void talk_eof(void *owner)
{
    log_info(NULL,
             "the process that looks up programs' names has ended; the log of requests goes on without");
    lost(owner);
}

static void talk_drained(void *owner)
{
    (void)owner;
}

static void talk_failed(void *owner, const struct err *why)
{
    (void)why;
    talk_eof(owner);
}

static void ask(struct callers *p, struct caller *caller, const struct peer_id *who)
{
    const struct namer_question question = {
        .number = ++p->asked, .inode = who->inode, .uid = (uint32_t)who->uid};
    caller->number = question.number;
    caller->pending = true;
    caller_ref(caller);
    list_push_back(&p->pending, &caller->link);
    p->n++;
    stream_write(p->talk, span_make((const char *)&question, sizeof question));
}

struct caller *caller_find(struct callers *p, const struct peer_id *who)
{
    if (!p->log->on)
        return NULL;
    struct caller *caller = caller_new();
    if (who->pid)
        peer_program(who->pid, caller->name);
    else if (p->talk && who->inode && p->n < PENDING_MOST && stream_backlog(p->talk) < BACKLOG_MOST)
        ask(p, caller, who);
    return caller;
}

void callers_init(struct callers *p, const struct access_log *log)
{
    *p = (struct callers){.log = log};
    list_init(&p->pending);
}

void callers_start(struct callers *p, struct loop *loop, int fd)
{
    static const struct stream_events events = {talk_data, talk_eof, talk_drained, talk_failed};
    if (fd < 0)
        return;
    p->talk = stream_from_fd(loop, fd);
    stream_own(p->talk, &events, p);
    stream_read(p->talk);
}

void callers_stop(struct callers *p)
{
    lost(p);
    buf_free(&p->in);
}
