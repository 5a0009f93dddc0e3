/*
 * The control socket, both ends: the server on a loop in a thread of its own, with verbs made for the test;
 * peers that break the rules, do not read, or go; and the blocking client against an agent that answers
 * nonsense.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/secret.h"
#include "control/client.h"
#include "control/server.h"

#define PATIENCE_MS 20000u /* until a wait counts as failed; no figure that is tested */
#define BIG_ANSWER  ((size_t)2 << 20)

static char directory[] = "/tmp/exeat-control-XXXXXX";
static char path[128];

/* --- the server under test, and its verbs */

struct world {
    pthread_t thread;
    struct loop *loop;
    struct control_server *server;
    struct control_call *held[80];
    size_t n_held;
    int big_runs;
    int trigger; /* a byte here answers all held questions, when no peer can ask for it */
    struct stream *triggered;
};

static void verb_echo(void *owner, struct control_call *call, json_t *question)
{
    (void)owner;
    control_answer(call, json_pack("{s:O?}", "text", json_object_get(question, "text")));
}

static void verb_no(void *owner, struct control_call *call, json_t *question)
{
    (void)owner;
    (void)question;
    control_refuse(call, "that cannot be", "ask for something else");
}

static void verb_foreign(void *owner, struct control_call *call, json_t *question)
{
    (void)owner;
    (void)question;
    control_refuse(call, "no file /tmp/\xe9t\xe9", NULL);
}

static void verb_unsayable(void *owner, struct control_call *call, json_t *question)
{
    (void)owner;
    (void)question;
    control_answer(call, json_pack("{s:s}", "text", "\xff"));
}

static void verb_big(void *owner, struct control_call *call, json_t *question)
{
    struct world *w = owner;
    w->big_runs++;
    char *text = malloc(BIG_ANSWER + 1);
    memset(text, 'x', BIG_ANSWER);
    text[BIG_ANSWER] = '\0';
    control_answer(call,
                   json_pack("{s:s, s:O?}", "text", text, "number", json_object_get(question, "number")));
    free(text);
}

static void verb_big_runs(void *owner, struct control_call *call, json_t *question)
{
    (void)question;
    control_answer(call, json_pack("{s:i}", "runs", ((struct world *)owner)->big_runs));
}

static void verb_hold(void *owner, struct control_call *call, json_t *question)
{
    struct world *w = owner;
    (void)question;
    w->held[w->n_held++] = call;
    stream_write(w->triggered, SPAN("h"));
}

static void release_all(struct world *w)
{
    size_t n = w->n_held;
    w->n_held = 0;
    for (size_t i = 0; i < n; i++)
        control_answer(w->held[i], json_pack("{s:b}", "held", 1));
}

static void verb_release(void *owner, struct control_call *call, json_t *question)
{
    struct world *w = owner;
    (void)question;
    size_t n = w->n_held;
    release_all(w);
    control_answer(call, json_pack("{s:i}", "released", (int)n));
}

/* The server stops inside one of its own verbs, with questions open, this one among them. */
static void verb_quit(void *owner, struct control_call *call, json_t *question)
{
    struct world *w = owner;
    if (json_is_true(json_object_get(question, "answer")))
        control_answer(call, json_object());
    else
        w->held[w->n_held++] = call;
    control_server_stop(w->server);
    stream_close(w->triggered);
    release_all(w);
}

static const struct control_verb verbs[] = {
    {"echo", verb_echo},       {"no", verb_no},
    {"foreign", verb_foreign}, {"unsayable", verb_unsayable},
    {"big", verb_big},         {"big-runs", verb_big_runs},
    {"hold", verb_hold},       {"release", verb_release},
    {"quit", verb_quit},       {NULL, NULL},
};

static void trigger_data(void *owner, struct span bytes)
{
    (void)bytes;
    release_all(owner);
}

static void trigger_end(void *owner)
{
    (void)owner;
}

static void trigger_failed(void *owner, const struct err *why)
{
    (void)owner;
    (void)why;
}

static void *serve(void *argument)
{
    struct world *w = argument;
    loop_run(w->loop);
    loop_free(w->loop);
    return NULL;
}

static int world_start(void **state)
{
    struct world *w = mem_zero(sizeof *w);
    struct err e = {0};
    w->loop = loop_new();
    w->server = control_server_start(w->loop, path, verbs, w, &e);
    if (!w->server) {
        print_error("%s\n", e.text);
        return -1;
    }
    static const struct stream_events trigger_events = {trigger_data, trigger_end, trigger_end,
                                                        trigger_failed};
    int ends[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    w->trigger = ends[0];
    w->triggered = stream_from_fd(w->loop, ends[1]);
    stream_own(w->triggered, &trigger_events, w);
    stream_read(w->triggered);
    *state = w;
    return pthread_create(&w->thread, NULL, serve, w);
}

static json_t *ask(const char *question_text, struct err *e)
{
    json_t *question = json_loads(question_text, 0, NULL);
    assert_non_null(question);
    json_t *answer = control_ask(path, question, PATIENCE_MS, e);
    json_decref(question);
    return answer;
}

static json_t *ask_well(const char *question)
{
    struct err e = {0};
    json_t *answer = ask(question, &e);
    if (!answer)
        fail_msg("%s: %s", question, e.text);
    assert_true(json_is_true(json_object_get(answer, "ok")));
    return answer;
}

static int world_end(void **state)
{
    struct world *w = *state;
    if (access(path, F_OK) == 0)
        json_decref(ask_well("{\"verb\": \"quit\", \"answer\": true}"));
    pthread_join(w->thread, NULL);
    close(w->trigger);
    free(w);
    return access(path, F_OK) == 0 ? -1 : 0; /* the socket's file has gone with it */
}

/* --- raw peers */

static int raw_connect(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct timeval limit = {PATIENCE_MS / 1000, 0};
    strcpy(address.sun_path, path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0)
        fail_msg("connect: %s", strerror(errno));
    return fd;
}

static void raw_send(int fd, const char *bytes, size_t n)
{
    while (n) {
        ssize_t sent = send(fd, bytes, n, MSG_NOSIGNAL);
        if (sent < 0 && (errno == EPIPE || errno == ECONNRESET))
            return; /* the server has heard enough */
        assert_true(sent > 0);
        bytes += sent;
        n -= (size_t)sent;
    }
}

static void raw_say(int fd, const char *text)
{
    raw_send(fd, text, strlen(text));
}

/* The next answer line; NULL at the end of the connection. */
static json_t *raw_answer(int fd)
{
    static char chunk[65536];
    struct buf line;
    buf_init(&line, 0);
    bool whole = false;
    ssize_t n = 0;
    while (!whole && (n = recv(fd, chunk, sizeof chunk, MSG_PEEK)) > 0) {
        size_t end = span_find(span_make(chunk, (size_t)n), '\n');
        whole = end < (size_t)n;
        n = recv(fd, chunk, whole ? end + 1 : end, 0);
        buf_add(&line, chunk, (size_t)n);
    }
    if (n < 0 && errno != ECONNRESET)
        fail_msg("waited in vain for an answer: %s", strerror(errno));
    json_t *answer = whole ? json_loadb(line.p, line.n, 0, NULL) : NULL;
    if (whole)
        assert_non_null(answer);
    buf_free(&line);
    return answer;
}

static void expect_refusal(int fd, const char *part)
{
    json_t *answer = raw_answer(fd);
    assert_non_null(answer);
    assert_true(json_is_false(json_object_get(answer, "ok")));
    const char *error = json_string_value(json_object_get(answer, "error"));
    assert_non_null(error);
    if (!strstr(error, part))
        fail_msg("\"%s\" says nothing of \"%s\"", error, part);
    assert_non_null(json_string_value(json_object_get(answer, "remedy")));
    json_decref(answer);
}

static void expect_text(int fd, const char *text)
{
    json_t *answer = raw_answer(fd);
    assert_non_null(answer);
    assert_string_equal(json_string_value(json_object_get(answer, "text")), text);
    json_decref(answer);
}

static void wait_held(const struct world *w, int n)
{
    struct timeval limit = {PATIENCE_MS / 1000, 0};
    setsockopt(w->trigger, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    char c;
    for (int i = 0; i < n; i++)
        assert_int_equal(recv(w->trigger, &c, 1, 0), 1);
}

static void expect_end(int fd)
{
    assert_null(raw_answer(fd));
    close(fd);
}

/* --- the server */

static void test_question_and_answer(void **state)
{
    (void)state;
    json_t *answer = ask_well("{\"verb\": \"echo\", \"text\": \"gr\xc3\xbc\xc3\x9f dich\"}");
    assert_string_equal(json_string_value(json_object_get(answer, "text")), "gr\xc3\xbc\xc3\x9f dich");
    json_decref(answer);
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
}

static void test_refusals(void **state)
{
    (void)state;
    static const struct {
        const char *question, *text;
    } cases[] = {
        {"{\"verb\": \"no\"}", "that cannot be\nask for something else"},
        {"{\"verb\": \"foreign\"}", "no file /tmp/?t?"},
        {"{\"verb\": \"unsayable\"}", "the answer cannot be written"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct err e = {0};
        assert_null(ask(cases[i].question, &e));
        assert_int_equal(e.code, ERR_REFUSED);
        assert_string_equal(e.text, cases[i].text);
    }
}

static void test_malformed(void **state)
{
    (void)state;
#define LINE(literal) literal, sizeof(literal) - 1
    static const struct {
        const char *line;
        size_t n;
        const char *part;
    } cases[] = {
        {LINE("{"), "is not JSON"},
        {LINE("hello"), "is not JSON"},
        {LINE("\"status\""), "is not JSON"},
        {LINE("{\"verb\": \"echo\"} x"), "is not JSON"},
        {LINE("{\"verb\": \"echo\", \"verb\": \"no\"}"), "is not JSON"},
        {LINE("{\"verb\": \"echo\0\"}"), "is not JSON"},
        {LINE("\0"), "is not JSON"},
        {LINE("{\"verb\": \"\xff\"}"), "is not JSON"},
        {LINE("{\"verb\": \"\\ud800\"}"), "is not JSON"},
        {LINE("[]"), "no JSON object with a \"verb\""},
        {LINE("[\"verb\", \"echo\"]"), "no JSON object with a \"verb\""},
        {LINE("{}"), "no JSON object with a \"verb\""},
        {LINE("{\"verb\": 1}"), "no JSON object with a \"verb\""},
        {LINE("{\"verb\": null}"), "no JSON object with a \"verb\""},
        {LINE("{\"verb\": \"\"}"), "no verb \"\""},
        {LINE("{\"verb\": \"ecoh\"}"), "no verb \"ecoh\" (did you mean \"echo\"?)"},
        {LINE("{\"verb\": \"echo2\"}"), "did you mean \"echo\""},
        {LINE("{\"verb\": \"reload all\"}"), "no verb \"reload all\""},
    };
    int fd = raw_connect(); /* one connection bears them all */
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        raw_send(fd, cases[i].line, cases[i].n);
        raw_say(fd, "\n");
        expect_refusal(fd, cases[i].part);
    }
    raw_say(fd, "{\"verb\": \"echo\", \"text\": \"still here\"}\n");
    expect_text(fd, "still here");
    close(fd);
}

static void test_deep_nesting(void **state)
{
    (void)state;
    char line[60001];
    memset(line, '[', sizeof line);
    line[sizeof line - 1] = '\n';
    int fd = raw_connect();
    raw_send(fd, line, sizeof line);
    expect_refusal(fd, "is not JSON");
    close(fd);
}

static void test_several_questions(void **state)
{
    (void)state;
    int fd = raw_connect();
    raw_say(fd, "{\"verb\":\"echo\",\"text\":\"1\"}\n\n "
                "\t\r\n{\"verb\":\"echo\",\"text\":\"2\"}\r\n{\"verb\":\"no\"}\n{\"ver");
    expect_text(fd, "1");
    expect_text(fd, "2");
    expect_refusal(fd, "that cannot be");
    raw_say(fd,
            "b\":\"echo\",\"text\":\"4\"}\n{\"verb\":\"echo\",\"text\":\"last, without an end of line\"}");
    expect_text(fd, "4");
    shutdown(fd, SHUT_WR);
    expect_text(fd, "last, without an end of line");
    expect_end(fd);
}

static void test_line_limit(void **state)
{
    (void)state;
    static const char question[] = "{\"verb\":\"echo\",\"text\":\"x\"}";
    char line[65538];
    memset(line, ' ', sizeof line);
    memcpy(line, question, sizeof question - 1);
    line[65536] = '\n';
    int fd = raw_connect();
    raw_send(fd, line, 65537);
    expect_text(fd, "x");
    line[65536] = ' ';
    line[65537] = '\n';
    raw_send(fd, line, 65538);
    expect_refusal(fd, "longer than 64 KiB");
    expect_end(fd);
    /* Without any end of line, and never stopping. */
    fd = raw_connect();
    for (int i = 0; i < 40; i++)
        raw_send(fd, line, 65536);
    expect_refusal(fd, "longer than 64 KiB");
    expect_end(fd);
}

static void test_peer_that_never_reads(void **state)
{
    (void)state;
    int deaf = raw_connect();
    for (int i = 0; i < 8; i++) {
        char question[64];
        snprintf(question, sizeof question, "{\"verb\":\"big\",\"number\":%d}\n", i);
        raw_say(deaf, question);
    }
    json_t *answer = ask_well("{\"verb\": \"big-runs\"}");
    assert_int_equal(json_integer_value(json_object_get(answer, "runs")),
                     1); /* the others wait until it has been read */
    json_decref(answer);
    for (int i = 0; i < 8; i++) {
        answer = raw_answer(deaf);
        assert_int_equal(json_integer_value(json_object_get(answer, "number")), i);
        json_decref(answer);
    }
    close(deaf);
    deaf = raw_connect(); /* and one that goes without having read */
    raw_say(deaf, "{\"verb\":\"big\"}\n");
    json_decref(ask_well("{\"verb\": \"big-runs\"}"));
    close(deaf);
    json_decref(ask_well("{\"verb\": \"echo\"}"));
}

static void test_late_answers(void **state)
{
    int stays = raw_connect(), half = raw_connect(), gone = raw_connect();
    raw_say(stays, "{\"verb\":\"hold\"}\n{\"verb\":\"echo\",\"text\":\"afterwards\"}\n");
    raw_say(half, "{\"verb\":\"hold\"}\n");
    raw_say(gone, "{\"verb\":\"hold\"}\n");
    shutdown(half, SHUT_WR);
    wait_held(*state, 3);
    close(gone);
    json_t *answer = ask_well("{\"verb\": \"release\"}");
    assert_int_equal(json_integer_value(json_object_get(answer, "released")), 3);
    json_decref(answer);
    answer = raw_answer(stays);
    assert_true(json_is_true(json_object_get(answer, "held")));
    json_decref(answer);
    expect_text(stays, "afterwards");
    answer = raw_answer(half);
    assert_true(json_is_true(json_object_get(answer, "held")));
    json_decref(answer);
    expect_end(half);
    close(stays);
}

static void test_stop_with_open_questions(void **state)
{
    int waiting = raw_connect(), idle = raw_connect(), last = raw_connect();
    raw_say(waiting, "{\"verb\":\"hold\"}\n");
    wait_held(*state, 1);
    raw_say(last, "{\"verb\":\"quit\"}\n{\"verb\":\"echo\"}\n");
    expect_end(waiting);
    expect_end(idle);
    expect_end(last);
}

static void test_too_many_peers(void **state)
{
    const struct world *w = *state;
    enum { PEERS = 64 };
    int fds[PEERS];
    for (int i = 0; i < PEERS; i++) {
        fds[i] = raw_connect();
        raw_say(fds[i], "{\"verb\":\"echo\",\"text\":\"here\"}\n");
        expect_text(fds[i], "here");
    }
    /* The first speaks again: the second has then been silent the longest. */
    raw_say(fds[0], "{\"verb\":\"echo\",\"text\":\"me\"}\n");
    expect_text(fds[0], "me");
    int late = raw_connect();
    raw_say(late, "{\"verb\":\"hold\"}\n");
    expect_end(fds[1]);
    fds[1] = late;
    /* Questions in hand are not given up. */
    for (int i = 0; i < PEERS; i++)
        if (i != 1)
            raw_say(fds[i], "{\"verb\":\"hold\"}\n");
    wait_held(w, PEERS);
    late = raw_connect();
    expect_refusal(late, "too many others");
    expect_end(late);
    assert_int_equal(write(w->trigger, "x", 1), 1);
    for (int i = 0; i < PEERS; i++) {
        json_t *answer = raw_answer(fds[i]);
        assert_true(json_is_true(json_object_get(answer, "held")));
        json_decref(answer);
        close(fds[i]);
    }
}

static void test_other_user(void **state)
{
    (void)state;
    if (getuid() != 0) {
        print_message("this test changes its user, which needs root\n");
        skip();
    }
    assert_int_equal(chmod(path, 0666), 0);
    assert_int_equal(chmod(directory, 0711), 0);
    pid_t child = fork();
    if (child == 0) {
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        strcpy(address.sun_path, path);
        char answer[512] = "";
        struct timeval limit = {PATIENCE_MS / 1000, 0};
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
        bool asked = setgid(65534) == 0 && setuid(65534) == 0 &&
                     connect(fd, (struct sockaddr *)&address, sizeof address) == 0 &&
                     recv(fd, answer, sizeof answer - 1, 0) > 0;
        _exit(!asked ? 2 : strstr(answer, "\"ok\":false") && strstr(answer, "only the user") ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(chmod(directory, 0700), 0);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void test_second_server(void **state)
{
    (void)state;
    struct loop *loop = loop_new();
    struct err e = {0};
    assert_null(control_server_start(loop, path, verbs, NULL, &e));
    assert_true(e.code != ERR_NONE);
    loop_free(loop);
    json_decref(ask_well("{\"verb\": \"echo\"}"));
}

/* --- the client, against an agent that says what the case says */

static int fake_listen(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    strcpy(address.sun_path, path);
    unlink(path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(fd, 4), 0);
    return fd;
}

struct fake {
    int listener;
    const char *answer;
    size_t repeat;
    bool mute; /* keeps the connection open and says no more */
};

static void *fake_agent(void *argument)
{
    const struct fake *f = argument;
    char question[256];
    int fd = accept(f->listener, NULL, NULL);
    ssize_t n = recv(fd, question, sizeof question, 0);
    for (size_t i = 0; n > 0 && i < f->repeat; i++)
        if (send(fd, f->answer, strlen(f->answer), MSG_NOSIGNAL) < 0)
            break;
    while (f->mute && recv(fd, question, sizeof question, 0) > 0)
        ;
    close(fd);
    return NULL;
}

static void test_client_against_nonsense(void **state)
{
    (void)state;
    static const struct {
        const char *answer;
        size_t repeat;
        bool mute;
        enum err_code code;
        const char *part;
    } cases[] = {
        {"", 0, false, ERR_GONE, "went away before it answered"},
        {"{\"ok\": true}", 1, false, ERR_GONE, "went away before it answered"}, /* no end of line */
        {"hello\n", 1, false, ERR_PROTOCOL, "not an agent of this kind"},
        {"\n", 1, false, ERR_PROTOCOL, "not an agent of this kind"},
        {"[true]\n", 1, false, ERR_PROTOCOL, "not an agent of this kind"},
        {"{\"ok\": 1}\n", 1, false, ERR_PROTOCOL, "not an agent of this kind"},
        {"{\"ok\": false}\n", 1, false, ERR_REFUSED, "without a reason"},
        {"{\"ok\": false, \"error\": \"no\", \"remedy\": \"\"}\n", 1, false, ERR_REFUSED, "no"},
        {"{\"ok\": false, \"error\": 7}\n", 1, false, ERR_REFUSED, "without a reason"},
        {"................................................................", 70000, false, ERR_LIMIT,
         "longer than"},
        {"{\"ok\"", 1, true, ERR_TIMEOUT, "no answer in time"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct fake f = {fake_listen(), cases[i].answer, cases[i].repeat, cases[i].mute};
        pthread_t thread;
        pthread_create(&thread, NULL, fake_agent, &f);
        struct err e = {0};
        json_t *question = json_pack("{s:s}", "verb", "status");
        assert_null(control_ask(path, question, cases[i].mute ? 50 : PATIENCE_MS, &e));
        json_decref(question);
        pthread_join(thread, NULL);
        close(f.listener);
        if (e.code != cases[i].code || !strstr(e.text, cases[i].part))
            fail_msg("case %zu: %d \"%s\"", i, e.code, e.text);
    }
    unlink(path);
}

static void test_client_without_agent(void **state)
{
    (void)state;
    struct err e = {0};
    unlink(path);
    for (int stale = 0; stale < 2; stale++) {
        if (stale)
            close(fake_listen()); /* the file is there, nobody listens */
        e.code = ERR_NONE;
        assert_null(ask("{\"verb\": \"status\"}", &e));
        assert_int_equal(e.code, ERR_GONE);
        assert_non_null(strstr(e.text, "no agent is running (nobody answers on /tmp/"));
        assert_non_null(strstr(e.text, "start it with \"exeat run\""));
    }
    unlink(path);
    char long_path[200];
    memset(long_path, 'x', sizeof long_path);
    long_path[sizeof long_path - 1] = '\0';
    assert_null(control_open(long_path, PATIENCE_MS, &e));
    assert_int_equal(e.code, ERR_SYSTEM);
    assert_non_null(strstr(e.text, "too long for a socket"));
}

static void test_client_waits_for_the_end(void **state)
{
    (void)state;
    int go[2];
    assert_int_equal(pipe(go), 0);
    int ready[2];
    assert_int_equal(pipe(ready), 0);
    pid_t child = fork();
    if (child == 0) {
        char c = 'r';
        int listener = fake_listen(); /* whoever listens is the peer */
        close(go[1]);
        if (write(ready[1], &c, 1) != 1)
            _exit(1);
        int fd = accept(listener, NULL, NULL);
        if (recv(fd, &c, 1, 0) != 1 || send(fd, "{\"ok\":true}\n", 12, MSG_NOSIGNAL) != 12)
            _exit(1);
        close(fd);
        _exit(read(go[0], &c, 1) == 0 ? 0 : 1);
    }
    char c;
    struct err e = {0};
    assert_int_equal(read(ready[0], &c, 1), 1);
    struct control_link *l = control_open(path, PATIENCE_MS, &e);
    assert_non_null(l);
    json_t *question = json_pack("{s:s}", "verb", "stop");
    json_t *answer = control_question(l, question, PATIENCE_MS, &e);
    assert_non_null(answer);
    json_decref(answer);
    json_decref(question);
    assert_false(control_wait_end(l, 1, &e)); /* it has closed the connection, but lives */
    assert_int_equal(e.code, ERR_TIMEOUT);
    close(go[1]);
    assert_true(control_wait_end(l, PATIENCE_MS, &e));
    control_close(l);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    close(go[0]);
    close(ready[0]);
    close(ready[1]);
    unlink(path);
}

static int make_directory(void **state)
{
    (void)state;
    if (!mkdtemp(directory))
        return -1;
    snprintf(path, sizeof path, "%s/control", directory);
    return 0;
}

static int remove_directory(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(directory);
}

#define WITH_SERVER(test) cmocka_unit_test_setup_teardown(test, world_start, world_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_SERVER(test_question_and_answer),
        WITH_SERVER(test_refusals),
        WITH_SERVER(test_malformed),
        WITH_SERVER(test_deep_nesting),
        WITH_SERVER(test_several_questions),
        WITH_SERVER(test_line_limit),
        WITH_SERVER(test_peer_that_never_reads),
        WITH_SERVER(test_late_answers),
        WITH_SERVER(test_stop_with_open_questions),
        WITH_SERVER(test_too_many_peers),
        WITH_SERVER(test_other_user),
        WITH_SERVER(test_second_server),
        cmocka_unit_test(test_client_against_nonsense),
        cmocka_unit_test(test_client_without_agent),
        cmocka_unit_test(test_client_waits_for_the_end),
    };
    return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
