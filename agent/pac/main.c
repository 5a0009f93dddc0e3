/*
 * exeat-pac: runs one PAC script for the agent, which starts it with a socket as descriptor 3; ends when that is closed. First the engine starts,
 * then the sandbox closes, then READY is said, and only then is the script read: no line of it ever runs outside. One thread of
 * ours; while the script waits for a name, so do we. The conversation is in wire/pac_msg.h.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/write_all.h"
#include "pac/engine.h"
#include "pac/sandbox.h"
#include "wire/pac_msg.h"

#define AGENT_FD   3
#define READ_BYTES ((size_t)64 << 10)
#define SECONDS                                                                                              \
    10 /* of processor time for one question: far beyond what the agent allows, who ends us before */
#define ALERTS_MOST 16 /* of one question */

enum { EXIT_USAGE = 2 };

struct talk {
    struct frame_reader in;
    struct buf taken; /* the message that was taken last */
    uint32_t call;    /* of the question that is being answered */
    unsigned alerts;
};

/* --- frames over descriptor 3 --- */

static void say(const struct pac_msg *m)
{
    struct buf frame = {.max = FRAME_LENGTH_BYTES + FRAME_MAX};
    if (!pac_msg_write(&frame, m)) {
        log_error(NULL, "a %s message cannot be written", pac_type_name(m->type));
        _exit(EXIT_FAILURE);
    }
    if (!write_all(AGENT_FD, buf_span(&frame)))
        _exit(EXIT_SUCCESS); /* the agent has gone */
    buf_free(&frame);
}

static void read_more(struct talk *t)
{
    static char bytes[READ_BYTES];
    ssize_t n;
    do
        n = read(AGENT_FD, bytes, sizeof bytes);
    while (n < 0 && errno == EINTR);
    if (n <= 0)
        _exit(EXIT_SUCCESS);
    if (!frame_reader_feed(&t->in, span_make(bytes, (size_t)n)))
        _exit(EXIT_FAILURE);
}

/* The next message, one of two types. It points into `keep`: another may be read while this one is still in use. */
static void take(struct talk *t, struct pac_msg *m, struct buf *keep, enum pac_type one, enum pac_type other)
{
    struct span body;
    const char *why = "a frame that is too large or empty";
    int next;
    while ((next = frame_reader_next(&t->in, &body)) == 0)
        read_more(t);
    buf_clear(keep);
    if (next > 0 && buf_add_span(keep, body) && pac_msg_read(m, buf_span(keep), &why)) {
        frame_reader_drop(&t->in);
        if (m->type == one || m->type == other)
            return;
        why = "a message that does not belong here";
    }
    log_error(NULL, "the agent sent a bad message: %s", why);
    _exit(EXIT_FAILURE);
}

/* --- what the script asks for while it runs --- */

static void ask_addresses(struct talk *t, enum pac_type type, struct span host, struct buf *addresses)
{
    struct pac_msg answer;
    struct buf keep = {0};
    say(&(struct pac_msg){.type = type, .call = t->call, .host = host});
    take(t, &answer, &keep, PAC_ADDRESSES, PAC_ADDRESSES);
    buf_add_span(addresses, answer.addresses);
    buf_free(&keep);
}

static void resolve(void *owner, struct span host, struct buf *addresses)
{
    ask_addresses(owner, PAC_RESOLVE, host, addresses);
}

static void my_addresses(void *owner, struct buf *addresses)
{
    ask_addresses(owner, PAC_MY_ADDRESS, (struct span){0}, addresses);
}

static void alert(void *owner, struct span text)
{
    struct talk *t = owner;
    if (t->alerts++ < ALERTS_MOST)
        say(&(struct pac_msg){.type = PAC_ALERT, .alert = span_head(text, PAC_ALERT_MAX)});
}

static time_t now(void *owner)
{
    (void)owner;
    return time(NULL);
}

/* --- questions --- */

static bool answer_question(struct engine *engine, const struct pac_msg *m, struct buf *result,
                            struct buf *why)
{
    return m->type == PAC_LOAD ? engine_load(engine, m->name, m->script, why)
                               : engine_find(engine, m->url, m->host, result, why);
}

static void serve(struct talk *t, struct engine *engine)
{
    enum pac_type expected = PAC_LOAD;
    say(&(struct pac_msg){.type = PAC_READY});
    for (;;) {
        struct pac_msg question;
        struct buf result = {0}, why = {0};
        take(t, &question, &t->taken, expected, expected);
        expected = PAC_FIND;
        t->call = question.call;
        t->alerts = 0;
        sandbox_allow_time(SECONDS);
        if (answer_question(engine, &question, &result, &why))
            say(&(struct pac_msg){.type = PAC_DONE, .call = question.call, .result = buf_span(&result)});
        else
            say(&(struct pac_msg){
                .type = PAC_FAILED, .call = question.call, .why = span_head(buf_span(&why), PAC_WHY_MAX)});
        buf_free(&result);
        buf_free(&why);
    }
}

/* -1: go on; else the exit status. */
static int read_arguments(int argc, char **argv)
{
    static const struct option options[] = {
        {"version", no_argument, NULL, 'V'}, {"help", no_argument, NULL, 'h'}, {0}};
    switch (getopt_long(argc, argv, "", options, NULL)) {
    case -1:
        return optind == argc ? -1 : EXIT_USAGE;
    case 'V':
        puts("exeat-pac " EXEAT_VERSION);
        return EXIT_SUCCESS;
    case 'h':
        puts("exeat-pac\n"
             "Runs a PAC script in a sandbox for exeat, which starts it with a socket as descriptor 3.");
        return EXIT_SUCCESS;
    default:
        return EXIT_USAGE;
    }
}

static bool take_agent_socket(void)
{
    struct stat st;
    int flags = fcntl(AGENT_FD, F_GETFL);
    return flags >= 0 && fstat(AGENT_FD, &st) == 0 && S_ISSOCK(st.st_mode) &&
           fcntl(AGENT_FD, F_SETFL, flags & ~O_NONBLOCK) == 0;
}

int main(int argc, char **argv)
{
    static struct talk talk;
    const struct pac_world world = {resolve, my_addresses, alert, now, &talk};
    struct engine *engine;
    const char *why;
    struct err e;

    log_start("exeat-pac");
    int status = read_arguments(argc, argv);
    if (status >= 0)
        return status;
    if (!take_agent_socket()) {
        log_error(NULL, "exeat-pac is started by exeat, with a socket as descriptor 3");
        return EXIT_USAGE;
    }
    frame_reader_init(&talk.in);
    if (!sandbox_prepare(AGENT_FD, &e)) {
        log_error(NULL, "%s", e.text);
        return EXIT_FAILURE;
    }
    engine = engine_new(&world, &why);
    if (!engine) {
        log_error(NULL, "%s", why);
        return EXIT_FAILURE;
    }
    if (!sandbox_close(&e)) {
        log_error(NULL, "%s", e.text);
        return EXIT_FAILURE;
    }
    serve(&talk, engine);
}
