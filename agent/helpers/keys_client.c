/*
 * Starting, asking and restarting the keyholder. A keyholder that dies is started again at once; one that dies again within a second of its
 * start waits longer each time, up to five seconds, and is not started before somebody asks.
 */
#include "helpers/keys_client.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/secret.h"
#include "helpers/program.h"
#include "net/child.h"
#include "wire/frame.h"

#define ACCEPTING                                                                                            \
    0x80000000u /* in the number of an ACCEPT_OPEN: contexts of both kinds are numbered by themselves */
#define CALL_DEADLINE_MS 25000 /* beyond the keyholder's own deadlines, so that its words come first */
#define LOGIN_DEADLINE_MS                                                                                    \
    180000 /* a trial may meet a KDC that swallows packets, and a keyring that asks its owner */
#define SHORT_LIFE_MS    1000
#define BACKOFF_FIRST_MS 100
#define BACKOFF_MOST_MS  5000

struct keys_client {
    struct loop *loop;
    const struct keys_client_events *events;
    void *owner;
    char *config_path;
    char program[PATH_MAX];
    char *arguments[5];      /* with which it is started; ends with NULL */
    struct starter *starter; /* NULL: we start it ourselves */
    struct child *child;     /* NULL: not running */
    struct stream *talk;
    struct frame_reader in;
    struct list calls;
    uint32_t next_number;
    uint32_t instance;
    uint64_t started_at;
    uint64_t not_before; /* the next start, after short lives */
    unsigned backoff_ms;
    bool short_before; /* the last life was a short one too */
    char *said;        /* why it could not be started, as the log has it; NULL: it could */
};

/* --- life of the program --- */

static void end_call(struct keys_call *call, const struct keys_msg *answer)
{
    list_remove(&call->link);
    deadline_stop(&call->deadline);
    call->number = 0;
    call->answered(call->owner, answer);
}

static void end_all(struct keys_client *k, enum keys_verdict verdict, const char *why, const char *remedy)
{
    struct list batch;
    list_init(&batch);
    while (!list_empty(&k->calls)) { /* an answer may start new calls: these are not part of the batch */
        struct list *first = k->calls.next;
        list_remove(first);
        list_push_back(&batch, first);
    }
    while (!list_empty(&batch)) {
        struct keys_call *call = list_entry(batch.next, struct keys_call, link);
        struct keys_msg answer = {.type = KEYS_ANSWER,
                                  .call = call->number,
                                  .verdict = verdict,
                                  .why = span_str(why),
                                  .remedy = span_str(remedy)};
        end_call(call, &answer);
    }
}

/* Its connection broke first; this is why. */
static void log_end(void *unused, int exit_status, int signal)
{
    (void)unused;
    if (signal)
        log_warning(NULL, "the keyholder was ended by signal %d", signal);
    else if (exit_status)
        log_warning(NULL, "the keyholder ended with status %d", exit_status);
}

/* The stream broke or the program ended, whichever is noticed first. */
static void lost(struct keys_client *k, const char *how)
{
    if (!k->talk)
        return;
    log_warning(NULL, "the keyholder %s; it is started again when it is needed", how);
    stream_close(k->talk);
    k->talk = NULL;
    if (k->child)
        child_forget(k->child, log_end);
    k->child = NULL;
    frame_reader_free(&k->in);
    k->instance++;
    bool short_life = loop_now(k->loop) - k->started_at < SHORT_LIFE_MS;
    /* The first short life costs nothing: one crash is no reason to keep anybody waiting. */
    k->backoff_ms = !short_life || !k->short_before ? 0
                    : k->backoff_ms                 ? k->backoff_ms * 2
                                                    : BACKOFF_FIRST_MS;
    k->short_before = short_life;
    if (k->backoff_ms > BACKOFF_MOST_MS)
        k->backoff_ms = BACKOFF_MOST_MS;
    k->not_before = loop_now(k->loop) + k->backoff_ms;
    end_all(k, KEYS_RESTART, "the keyholder ended in the middle of the handshake", "");
    if (k->events->ended)
        k->events->ended(k->owner);
}

static void program_ended(void *owner, int exit_status, int signal)
{
    struct keys_client *k = owner;
    char how[64];
    if (signal)
        snprintf(how, sizeof how, "was ended by signal %d", signal);
    else
        snprintf(how, sizeof how, "ended with status %d", exit_status);
    k->child = NULL;
    lost(k, how);
}

static void talk_eof(void *owner)
{
    lost(owner, "closed its connection to us");
}

static void talk_failed(void *owner, const struct err *why)
{
    (void)why;
    lost(owner, "broke its connection to us");
}

static void talk_drained(void *owner)
{
    (void)owner;
}

static void talk_data(void *owner, struct span bytes);

static const struct stream_events talk_events = {talk_data, talk_eof, talk_drained, talk_failed};

bool keys_client_is_installed(const struct keys_client *k, struct err *e)
{
    return access(k->program, X_OK) == 0 ||
           err_set(e, ERR_SYSTEM,
                   "cannot find the program exeat-keys beside exeat or in %s; install both together",
                   EXEAT_LIBEXEC);
}

static bool try_program(struct keys_client *k, struct err *e)
{
    if (loop_now(k->loop) < k->not_before)
        return err_set(e, ERR_GONE, "the keyholder keeps ending; the next start is tried in a moment");
    if (!k->starter)
        program_find("exeat-keys", k->program, sizeof k->program);
    if (!keys_client_is_installed(k, e))
        return false;
    k->child = k->starter ? starter_start(k->starter, &k->talk, program_ended, k, e)
                          : child_start(k->loop, k->arguments, &k->talk, program_ended, k, e);
    if (!k->child)
        return false;
    frame_reader_init(&k->in);
    k->started_at = loop_now(k->loop);
    stream_own(k->talk, &talk_events, k);
    stream_read(k->talk);
    return true;
}

/* Each request asks for it; the log has the reason once, until it changes. */
static bool start_program(struct keys_client *k, struct err *e)
{
    bool started = try_program(k, e);
    bool told = !started && k->said && strcmp(k->said, e->text) == 0;
    if (!started && !told)
        log_error(NULL, "%s", e->text);
    if (told)
        return false;
    free(k->said);
    k->said = started ? NULL : mem_strdup(e->text);
    return started;
}

/* --- messages --- */

static void take_answer(struct keys_client *k, const struct keys_msg *m)
{
    struct list *it, *safe;
    list_each(it, safe, &k->calls)
    {
        struct keys_call *call = list_entry(it, struct keys_call, link);
        if (call->number == m->call) {
            end_call(call, m);
            return;
        }
    }
    /* A late answer to a call that has ended is dropped, and with it what an OPEN or ACCEPT_OPEN has opened. */
    enum keys_type close = m->call & ACCEPTING ? KEYS_ACCEPT_CLOSE : KEYS_CLOSE;
    if (m->context)
        keys_client_tell(k, k->instance, &(struct keys_msg){.type = close, .context = m->context});
}

static void take_message(struct keys_client *k, const struct keys_msg *m)
{
    switch (m->type) {
    case KEYS_ANSWER:
        take_answer(k, m);
        break;
    case KEYS_EVENT_GENERATION:
        k->events->generation(k->owner, m);
        break;
    case KEYS_EVENT_TRIAL:
        k->events->trial(k->owner, m);
        break;
    default:
        lost(k, "sent a message that is not its to send");
    }
}

static void talk_data(void *owner, struct span bytes)
{
    struct keys_client *k = owner;
    struct span body;
    int more = frame_reader_feed(&k->in, bytes) ? 1 : -1;
    secret_wipe((char *)(uintptr_t)bytes.p,
                bytes.n); /* header values pass through here: the shared read buffer must not keep them */
    while (more > 0 && (more = frame_reader_next(&k->in, &body)) > 0) {
        struct keys_msg m;
        const char *why;
        if (!keys_msg_read(&m, body, &why)) {
            log_error(NULL, "a message from the keyholder is malformed: %s", why);
            more = -1;
            break;
        }
        uint32_t instance = k->instance;
        take_message(k, &m);
        if (instance != k->instance)
            return;
        frame_reader_drop(&k->in);
    }
    if (more < 0)
        lost(k, "broke the rules of our conversation");
}

static bool write_message(struct keys_client *k, const struct keys_msg *m)
{
    struct buf frame = {.max = FRAME_MAX + 16};
    bool written = keys_msg_write(&frame, m);
    if (written)
        stream_write_secret(k->talk, buf_span(&frame));
    else
        log_error(NULL, "a %s message is too large for the keyholder", keys_type_name(m->type));
    secret_wipe(frame.p, frame.n);
    buf_free(&frame);
    return written;
}

/* --- calls --- */

static void deadline_passed(void *owner)
{
    struct keys_call *call = owner;
    struct keys_msg answer = {
        .type = KEYS_ANSWER,
        .verdict = KEYS_TIMEOUT,
        .why =
            SPAN("authentication did not finish in time (a Kerberos server or the keyring does not answer)"),
        .remedy = SPAN("check the network and VPN; exeat status shows what is waited for")};
    end_call(call, &answer);
}

/* The keyholder could not be started: told from the loop, never inside keys_call_start. */
static void start_failed(void *owner)
{
    struct keys_call *call = owner;
    struct keys_msg answer = {.type = KEYS_ANSWER,
                              .verdict = KEYS_UNAVAILABLE,
                              .why = SPAN("the keyholder (exeat-keys) is not running"),
                              .remedy = SPAN("look into the log for the reason")};
    end_call(call, &answer);
}

/* No frame can carry the question (max-head allows longer heads than that); told as above. */
static void was_too_large(void *owner)
{
    struct keys_call *call = owner;
    struct keys_msg answer = {
        .type = KEYS_ANSWER,
        .verdict = KEYS_BROKEN,
        .why = SPAN("the request and the proxy's challenge are too large for the keyholder"),
        .remedy = SPAN("")};
    end_call(call, &answer);
}

void keys_call_start(struct keys_client *k, struct keys_call *call, struct keys_msg *question,
                     keys_answer_fn answered, void *owner)
{
    struct err e;
    k->next_number = k->next_number % (ACCEPTING - 1) + 1;
    uint32_t kind = question->type == KEYS_ACCEPT_OPEN ? ACCEPTING : 0;
    *call = (struct keys_call){.number = k->next_number | kind,
                               .answered = answered,
                               .owner = owner,
                               .client = k,
                               .type = question->type};
    list_push_back(&k->calls, &call->link);
    if (!k->talk && !start_program(k, &e)) {
        deadline_start(k->loop, &call->deadline, 0, start_failed, call);
        return;
    }
    question->call = call->number;
    if (write_message(k, question))
        deadline_start(k->loop, &call->deadline,
                       question->type == KEYS_LOGIN ? LOGIN_DEADLINE_MS : CALL_DEADLINE_MS, deadline_passed,
                       call);
    else
        deadline_start(k->loop, &call->deadline, 0, was_too_large, call);
}

void keys_call_cancel(struct keys_call *call)
{
    if (!call->number)
        return;
    list_remove(&call->link);
    deadline_stop(&call->deadline);
    call->number = 0;
}

void keys_client_tell(struct keys_client *k, uint32_t instance, struct keys_msg *message)
{
    message->call = 0;
    if (k->talk && instance == k->instance)
        write_message(k, message);
}

uint32_t keys_client_instance(const struct keys_client *k)
{
    return k->instance;
}

/* A starter learns all of it before it is forked. */
static void settle_program(struct keys_client *k, const char *config_path, bool socket)
{
    size_t n = 0;
    program_find("exeat-keys", k->program, sizeof k->program);
    k->arguments[n++] = k->program;
    if (config_path) {
        k->config_path = mem_strdup(config_path);
        k->arguments[n++] = (char *)(uintptr_t) "--config";
        k->arguments[n++] = k->config_path;
    }
    if (!socket)
        k->arguments[n++] = (char *)(uintptr_t) "--no-socket";
}

struct keys_client *keys_client_new(struct loop *loop, const char *config_path, enum keys_life life,
                                    const struct keys_client_events *events, void *owner)
{
    struct keys_client *k = mem_zero(sizeof *k);
    struct err e;
    k->loop = loop;
    k->events = events;
    k->owner = owner;
    k->instance = KEYS_FIRST_INSTANCE;
    list_init(&k->calls);
    settle_program(k, config_path, life == KEYS_LASTING);
    if (life == KEYS_LASTING && !(k->starter = starter_new(loop, k->arguments, STARTER_WAITS, &e)))
        log_error(NULL, "%s", e.text);
    start_program(k, &e);
    return k;
}

void keys_client_free(struct keys_client *k)
{
    while (!list_empty(&k->calls))
        keys_call_cancel(list_entry(k->calls.next, struct keys_call, link));
    if (k->talk)
        stream_close(k->talk);
    if (k->child)
        child_abandon(k->child);
    starter_free(k->starter);
    frame_reader_free(&k->in);
    free(k->config_path);
    free(k->said);
    free(k);
}
