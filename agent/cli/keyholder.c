/*
 * A verb's conversation with the keyholder: one frame there, one back. Frames with secrets are wiped after
 * sending; the peer's user is checked before anything is sent. One thread; the caller owns the question and
 * its secret.
 */
#include "cli/keyholder.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/secret.h"
#include "cli/ask_agent.h"
#include "cli/login_alone.h"
#include "cli/progress.h"
#include "cli/say.h"
#include "control/unix_call.h"
#include "wire/frame.h"

/* The keyholder tries a new secret against the proxy and the directory behind it before it answers; that has
 * deadlines of its own. */
#define TRIAL_PATIENCE_MS 180000u

static bool check_peer(const struct unix_call *call, const char *path, struct err *e)
{
    struct ucred peer;
    if (!unix_call_peer(call, &peer, e))
        return false;
    return peer.uid == getuid() ||
           err_set(e, ERR_SYSTEM, "%s belongs to another user: nothing was sent there", path);
}

static bool send_message(struct unix_call *call, const struct keys_msg *m, struct err *e)
{
    struct buf frame;
    buf_init(&frame, 0);
    bool written = keys_msg_write(&frame, m);
    bool sent = written && unix_call_send(call, buf_span(&frame), e);
    secret_wipe(frame.p, frame.cap);
    buf_free(&frame);
    return sent || (!written && err_set(e, ERR_LIMIT, "that is too long for a password or a name"));
}

static bool receive_frame(struct unix_call *call, struct frame_reader *frames, struct span *body,
                          struct err *e)
{
    char chunk[4096];
    int found;
    while ((found = frame_reader_next(frames, body)) == 0) {
        size_t got;
        if (!unix_call_receive(call, chunk, sizeof chunk, &got, e))
            return false;
        if (got == 0)
            return err_set(e, ERR_PROTOCOL, "the keyholder went away before it answered: try again");
        if (!frame_reader_feed(frames, span_make(chunk, got)))
            found = -1;
        if (found < 0)
            break;
    }
    return found > 0 ||
           err_set(e, ERR_PROTOCOL, "what answered is not our keyholder: its answer makes no sense");
}

static bool read_answer(struct keys_msg *m, struct span body, uint32_t call, struct err *e)
{
    const char *why;
    if (keys_msg_read(m, body, &why) && m->type == KEYS_ANSWER && m->call == call)
        return true;
    return err_set(e, ERR_PROTOCOL, "what answered is not our keyholder: its answer makes no sense");
}

/* Sends the question, if a process of our own user listens there, and waits for the answer, which points into `frames`. */
static bool converse(struct unix_call *call, const char *path, const struct keys_msg *question,
                     struct frame_reader *frames, struct keys_msg *answer, struct err *e)
{
    struct span body;
    return check_peer(call, path, e) && send_message(call, question, e) &&
           receive_frame(call, frames, &body, e) && read_answer(answer, body, question->call, e);
}

/* What to say of a verdict that comes without words. */
static const char *plain_words(const struct keys_msg *question, uint32_t verdict)
{
    static const char *const words[KEYS_VERDICT_END] = {
        [KEYS_REFUSED] = "the proxy refuses this user or password",
        [KEYS_SITE_REFUSED] = "the proxy refuses this user or password",
        [KEYS_UNAVAILABLE] = "there is no place to keep the password, or no way to use it",
        [KEYS_TIMEOUT] = "there was no answer in time",
        [KEYS_BROKEN] = "the proxy's answer makes no sense",
        [KEYS_MUTUAL_FAILED] = "the proxy could not prove that it is the right one",
        [KEYS_UNREACHABLE] = "the proxy cannot be reached",
        [KEYS_DOWNGRADED] = "the proxy offers less than it accepted before",
    };
    if (exit_from_verdict(verdict) == EXIT_DONE)
        return question->type == KEYS_LOGOUT         ? "The password is forgotten."
               : question->type == KEYS_ACCEPT_OFFER ? "It is accepted."
                                                     : "The password was accepted and is stored.";
    return verdict < KEYS_VERDICT_END && words[verdict] ? words[verdict]
                                                        : "the keyholder did not say how it went";
}

int keyholder_say(const struct keys_msg *question, const struct keys_msg *answer)
{
    enum exit_code code = exit_from_verdict(answer->verdict);
    FILE *to = code == EXIT_DONE ? stdout : stderr;
    if (code != EXIT_DONE)
        fputs("exeat: ", to);
    say_clean(to, answer->why.n ? answer->why : span_str(plain_words(question, answer->verdict)));
    fputc('\n', to);
    if (answer->remedy.n) {
        say_clean(to, answer->remedy);
        fputc('\n', to);
    }
    return code;
}

static int alone(const char *config_path, const struct keys_msg *question)
{
    progress_begin(question->type == KEYS_LOGIN ? "trying the password" : "waiting for the keyholder");
    int code = login_alone(config_path, question);
    progress_end();
    return code;
}

static int without_keyholder(const struct keys_msg *question, const char *config_path)
{
    struct err e = {0};
    struct control_link *agent = open_agent(&e);
    if (!agent)
        return alone(config_path, question);
    control_close(agent);
    return say_error(EXIT_FAILED, "the agent is running, but the program that keeps its passwords does not "
                                  "answer: try again in a moment, and if "
                                  "that does not help, \"exeat stop\" and \"exeat run\"");
}

static int ask_and_say(struct unix_call *call, const char *path, const struct keys_msg *question)
{
    struct err e = {0};
    struct frame_reader frames;
    struct keys_msg answer;
    frame_reader_init(&frames);
    progress_begin(question->type == KEYS_LOGIN ? "trying the password" : "waiting for the keyholder");
    bool answered = converse(call, path, question, &frames, &answer, &e);
    progress_end();
    int code = answered ? keyholder_say(question, &answer) : say_failure(&e);
    frame_reader_free(&frames);
    return code;
}

bool keyholder_ask(const struct keys_msg *question, unsigned patience_ms, struct frame_reader *frames,
                   struct keys_msg *answer, struct err *e)
{
    struct unix_call call;
    char *path = say_socket_path("keys", e);
    bool open = path && unix_call_open(&call, path, patience_ms, e);
    bool good = open && converse(&call, path, question, frames, answer, e);
    if (open)
        unix_call_close(&call);
    free(path);
    return good;
}

int keyholder_deliver(const struct keys_msg *question, const char *config_path)
{
    struct err e = {0};
    struct unix_call call;
    char *path = say_socket_path("keys", &e);
    if (!path)
        return say_failure(&e);
    int code;
    if (unix_call_open(&call, path, TRIAL_PATIENCE_MS, &e)) {
        code = ask_and_say(&call, path, question);
        unix_call_close(&call);
    } else {
        code = e.code == ERR_GONE ? without_keyholder(question, config_path) : say_failure(&e);
    }
    free(path);
    return code;
}
