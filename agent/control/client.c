/*
 * One JSON object per line to the running agent, and one back. The agent is ours but not trusted blindly: an
 * answer has a ceiling, must be an object, and must say whether it is "ok". A link belongs to its one caller
 * and thread.
 */
#include "control/client.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/buf.h"
#include "control/unix_call.h"

#define ANSWER_MAX ((size_t)4 << 20)

struct control_link {
    struct unix_call call;
    struct buf bytes; /* received, not used yet */
    size_t told;      /* of these, what control_next has returned */
    int process;      /* pidfd of the agent; -1: cannot be had */
};

static int open_process(const struct unix_call *call)
{
    struct ucred peer;
    if (!unix_call_peer(call, &peer, NULL) || peer.pid <= 0)
        return -1;
    return (int)syscall(SYS_pidfd_open, peer.pid, 0);
}

struct control_link *control_open(const char *path, unsigned timeout_ms, struct err *e)
{
    struct unix_call call;
    struct err why = {0};
    if (!unix_call_open(&call, path, timeout_ms, &why)) {
        if (why.code == ERR_GONE)
            err_set(e, ERR_GONE, "no agent is running (%s): start it with \"exeat run\"", why.text);
        else
            err_set(e, why.code, "%s", why.text);
        return NULL;
    }
    struct control_link *l = mem_zero(sizeof *l);
    l->call = call;
    l->process = open_process(&call);
    buf_init(&l->bytes, ANSWER_MAX);
    return l;
}

void control_close(struct control_link *l)
{
    if (!l)
        return;
    unix_call_close(&l->call);
    if (l->process >= 0)
        close(l->process);
    buf_free(&l->bytes);
    free(l);
}

static bool send_question(struct control_link *l, json_t *question, struct err *e)
{
    char *text = json_dumps(question, JSON_COMPACT);
    if (!text)
        return err_set(e, ERR_PROTOCOL, "the question cannot be written as JSON");
    struct buf line;
    buf_init(&line, 0);
    buf_add_str(&line, text);
    buf_add_str(&line, "\n");
    free(text);
    struct err why = {0};
    bool sent = unix_call_send(&l->call, buf_span(&line), &why);
    buf_free(&line);
    /* An agent that closes at once has said why: the answer tells. */
    return sent || why.code == ERR_GONE || err_set(e, why.code, "the agent does not listen: %s", why.text);
}

/* One whole line at the front of l->bytes; *length without its newline. */
static bool receive_line(struct control_link *l, size_t *length, struct err *e)
{
    char chunk[16384];
    size_t looked_at = 0;
    for (;;) {
        struct span fresh = span_from(buf_span(&l->bytes), looked_at);
        size_t end = span_find(fresh, '\n');
        if (end < fresh.n) {
            *length = looked_at + end;
            return true;
        }
        looked_at = l->bytes.n;
        size_t got;
        struct err why = {0};
        if (!unix_call_receive(&l->call, chunk, sizeof chunk, &got, &why))
            return err_set(e, why.code, "the agent is there, but %s", why.text);
        if (got == 0)
            return err_set(e, ERR_GONE, "the agent went away before it answered");
        if (!buf_add(&l->bytes, chunk, got))
            return err_set(e, ERR_LIMIT, "the agent's answer is longer than %zu bytes", ANSWER_MAX);
    }
}

/* The answer when it is one and says "ok", else NULL. */
static json_t *judge_answer(json_t *answer, struct err *e)
{
    json_t *ok = json_object_get(answer, "ok");
    if (!json_is_boolean(ok)) {
        err_set(e, ERR_PROTOCOL,
                "what answered is not an agent of this kind: its answer is no JSON object with \"ok\"");
        return NULL;
    }
    if (json_is_true(ok))
        return answer;
    const char *error = json_string_value(json_object_get(answer, "error"));
    const char *remedy = json_string_value(json_object_get(answer, "remedy"));
    err_set(e, ERR_REFUSED, "%s%s%s", error ? error : "the agent said no, without a reason",
            remedy && *remedy ? "\n" : "", remedy ? remedy : "");
    return NULL;
}

json_t *control_question(struct control_link *l, json_t *question, unsigned timeout_ms, struct err *e)
{
    size_t length = 0;
    unix_call_extend(&l->call, timeout_ms);
    if (!send_question(l, question, e) || !receive_line(l, &length, e))
        return NULL;
    json_t *answer = json_loadb(l->bytes.p, length, JSON_REJECT_DUPLICATES, NULL);
    buf_drop(&l->bytes, length + 1);
    json_t *good = judge_answer(answer, e);
    if (!good)
        json_decref(answer);
    return good;
}

json_t *control_next(struct control_link *l, struct span *raw, struct err *e)
{
    size_t length = 0;
    buf_drop(&l->bytes, l->told);
    l->told = 0;
    unix_call_extend(&l->call, UNIX_CALL_FOREVER);
    if (!receive_line(l, &length, e)) {
        if (e->code == ERR_GONE)
            err_set(e, ERR_GONE, "the agent has ended");
        return NULL;
    }
    *raw = span_head(buf_span(&l->bytes), length);
    l->told = length + 1;
    json_t *object = json_loadb(raw->p, raw->n, JSON_REJECT_DUPLICATES, NULL);
    if (!json_is_object(object)) {
        json_decref(object);
        err_set(e, ERR_PROTOCOL, "what the agent tells makes no sense: it is no JSON object");
        return NULL;
    }
    return object;
}

json_t *control_ask(const char *path, json_t *question, unsigned timeout_ms, struct err *e)
{
    struct control_link *l = control_open(path, timeout_ms, e);
    json_t *answer = l ? control_question(l, question, timeout_ms, e) : NULL;
    control_close(l);
    return answer;
}

/* Its process tells exactly; where that cannot be seen, the end of the connection has to do. */
bool control_wait_end(struct control_link *l, unsigned timeout_ms, struct err *e)
{
    if (l->process >= 0) {
        struct pollfd p = {.fd = l->process, .events = POLLIN};
        int ready;
        do
            ready = poll(&p, 1, (int)timeout_ms);
        while (ready < 0 && errno == EINTR);
        return ready > 0 || err_set(e, ERR_TIMEOUT, "the agent has not ended yet");
    }
    unix_call_extend(&l->call, timeout_ms);
    char rest[4096];
    size_t got;
    do
        if (!unix_call_receive(&l->call, rest, sizeof rest, &got, e))
            return false;
    while (got);
    return true;
}
