/* The agent's end of exeat-pac. With the real program: answers, loops, growth, names, new scripts. With a program of the test's own that breaks the
   rules: nothing that it does may harm more than the question that it was asked. The test runs from a copy of itself in a folder of its own,
   so that the agent's code finds there as exeat-pac what the test puts there. Names are answered by this program: it stands before the C library's getaddrinfo. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <netdb.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "helpers/pac_client.h"
#include "helpers/pac_helper.h"
#include "wire/pac_msg.h"
#include "with_loop.h"

#define PLACE "EXEAT_TEST_PLACE"
#define REAL  "EXEAT_TEST_REAL" /* path of the real program */
#define TALK  3

/* --- names --- */

static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool held; /* look-ups of slow... wait */
    unsigned asked;
    unsigned begun, over; /* of all tests; over: the loop has been told */
} names = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

int getaddrinfo(const char *host, const char *service, const struct addrinfo *hints, struct addrinfo **result)
{
    (void)service;
    (void)hints;
    pthread_mutex_lock(&names.lock);
    names.asked++;
    names.begun++;
    while (names.held && strncmp(host, "slow", 4) == 0)
        pthread_cond_wait(&names.changed, &names.lock);
    bool none = strcmp(host, "none.example") == 0;
    names.begun -= none; /* nothing comes back to be freed */
    pthread_mutex_unlock(&names.lock);
    *result = NULL;
    if (none)
        return EAI_NONAME;
    struct {
        struct addrinfo info;
        struct sockaddr_in address;
    } *f = calloc(1, sizeof *f);
    f->address = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(0xc0000204)};
    f->info = (struct addrinfo){.ai_family = AF_INET,
                                .ai_socktype = SOCK_STREAM,
                                .ai_addr = (struct sockaddr *)&f->address,
                                .ai_addrlen = sizeof f->address};
    *result = &f->info;
    return 0;
}

void freeaddrinfo(struct addrinfo *list)
{
    names.over += list != NULL;
    free(list);
}

static void hold_names(bool held)
{
    pthread_mutex_lock(&names.lock);
    names.held = held;
    pthread_cond_broadcast(&names.changed);
    pthread_mutex_unlock(&names.lock);
}

/* Look-ups whose askers have gone are told to the loop all the same. */
static bool names_are_over(void)
{
    pthread_mutex_lock(&names.lock);
    bool over = names.over == names.begun;
    pthread_mutex_unlock(&names.lock);
    return over;
}

static unsigned names_asked(void)
{
    pthread_mutex_lock(&names.lock);
    unsigned asked = names.asked;
    pthread_mutex_unlock(&names.lock);
    return asked;
}

/* --- the program of the test's own: the first word of the script says what it does --- */

static void fake_write(const void *p, size_t n)
{
    for (const char *at = p; n;) {
        ssize_t done = write(TALK, at, n);
        if (done <= 0)
            _exit(0);
        at += done;
        n -= (size_t)done;
    }
}

static void fake_say(const struct pac_msg *m)
{
    struct buf frame = {0};
    if (!pac_msg_write(&frame, m))
        _exit(70);
    fake_write(frame.p, frame.n);
    buf_free(&frame);
}

/* As who does not get the processor: it is time that it does not use. */
static void fake_wait(time_t seconds)
{
    struct timespec t = {.tv_sec = seconds};
    nanosleep(&t, NULL);
}

static char how[64];

static void fake_find(uint32_t call)
{
    if (strcmp(how, "garbage") == 0)
        fake_write("\0\0\0\5abcde", 9);
    else if (strcmp(how, "zero") == 0)
        fake_write("\0\0\0\0", 4);
    else if (strcmp(how, "huge") == 0)
        fake_write("\xff\xff\xff\xff", 4);
    else if (strcmp(how, "other-call") == 0)
        fake_say(&(struct pac_msg){.type = PAC_DONE, .call = call + 1, .result = SPAN("DIRECT")});
    else if (strcmp(how, "load-again") == 0)
        fake_say(&(struct pac_msg){.type = PAC_LOAD, .call = call, .name = SPAN("n"), .script = SPAN("s")});
    else if (strcmp(how, "ready-again") == 0)
        fake_say(&(struct pac_msg){.type = PAC_READY});
    else if (strcmp(how, "hang-up") == 0)
        _exit(0);
    else if (strcmp(how, "crash") == 0)
        kill(getpid(), SIGKILL);
    else if (strcmp(how, "waits") == 0)
        fake_wait(3);
    else if (strcmp(how, "waits-for-ever") == 0)
        fake_wait(3600);
    if (strcmp(how, "two-names") == 0) {
        fake_say(&(struct pac_msg){.type = PAC_RESOLVE, .call = call, .host = SPAN("slow.example")});
        fake_say(&(struct pac_msg){.type = PAC_RESOLVE, .call = call, .host = SPAN("b.example")});
    }
    if (strcmp(how, "answer-while-waiting") == 0)
        fake_say(&(struct pac_msg){.type = PAC_RESOLVE, .call = call, .host = SPAN("slow.example")});
    if (strcmp(how, "control") == 0) {
        fake_say(&(struct pac_msg){.type = PAC_FAILED, .call = call, .why = SPAN("a\nb\x1b[1m")});
        return;
    }
    for (int i = 0; strcmp(how, "alerts") == 0 && i < 1000; i++)
        fake_say(&(struct pac_msg){.type = PAC_ALERT, .alert = SPAN("hello")});
    fake_say(&(struct pac_msg){.type = PAC_DONE, .call = call, .result = SPAN("DIRECT")});
    if (strcmp(how, "answer-twice") == 0)
        fake_say(&(struct pac_msg){.type = PAC_DONE, .call = call, .result = SPAN("DIRECT")});
    if (strcmp(how, "ask-while-idle") == 0)
        fake_say(&(struct pac_msg){.type = PAC_RESOLVE, .call = call, .host = SPAN("a.example")});
}

static void fake_message(const struct pac_msg *m)
{
    if (m->type == PAC_FIND)
        fake_find(m->call);
    if (m->type != PAC_LOAD)
        return;
    snprintf(how, sizeof how, "%.*s", SPAN_ARG(span_head(m->script, sizeof how - 1)));
    if (strcmp(how, "die-at-load") == 0)
        _exit(3);
    if (strcmp(how, "result-at-load") == 0)
        fake_say(&(struct pac_msg){.type = PAC_DONE, .call = m->call, .result = SPAN("DIRECT")});
    fake_say(&(struct pac_msg){.type = PAC_DONE, .call = m->call});
}

static void path_of(char *path, size_t size, const char *name)
{
    snprintf(path, size, "%s/%s", getenv(PLACE), name);
}

static void fake_run(void)
{
    static char piece[64 * 1024];
    char path[512];
    struct frame_reader in;
    struct span body;
    ssize_t n;
    path_of(path, sizeof path, "lives");
    int lives = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (lives < 0 || write(lives, ".", 1) != 1)
        _exit(71);
    close(lives);
    path_of(path, sizeof path, "die-at-once");
    if (access(path, F_OK) == 0)
        _exit(4);
    frame_reader_init(&in);
    fake_say(&(struct pac_msg){.type = PAC_READY});
    while ((n = read(TALK, piece, sizeof piece)) > 0) {
        if (!frame_reader_feed(&in, span_make(piece, (size_t)n)))
            _exit(72);
        while (frame_reader_next(&in, &body) > 0) {
            struct pac_msg m;
            const char *why;
            if (!pac_msg_read(&m, body, &why))
                _exit(73);
            fake_message(&m);
            frame_reader_drop(&in);
        }
    }
    _exit(0);
}

static size_t lives(void)
{
    char path[512];
    struct stat st;
    path_of(path, sizeof path, "lives");
    return stat(path, &st) == 0 ? (size_t)st.st_size : 0;
}

/* What the agent's code finds as exeat-pac. NULL: nothing. */
static void put_program(const char *target)
{
    char path[512];
    path_of(path, sizeof path, "exeat-pac");
    unlink(path);
    if (target)
        assert_int_equal(symlink(target, path), 0);
}

/* --- a client and its calls --- */

static bool by_starter; /* as the agent does */
static struct resolver *resolver;
static struct pac_client *client;
static unsigned good_news, bad_news;
static char bad_why[512];

static void loaded(void *owner, bool good, struct span why)
{
    (void)owner;
    good_news += good;
    bad_news += !good;
    snprintf(bad_why, sizeof bad_why, "%.*s", SPAN_ARG(why));
}

static const struct pac_client_events client_events = {loaded};

static void begin(unsigned lifetime_ms)
{
    good_news = bad_news = 0;
    names.asked = 0;
    resolver = resolver_new(loop);
    struct err e;
    struct starter *starter = by_starter ? pac_helper_starter(loop, &e) : NULL;
    if (by_starter && !starter)
        fail_msg("%s", e.text);
    client = pac_client_new(loop, starter, resolver, lifetime_ms, &client_events, NULL);
}

static void finish(void)
{
    pac_client_free(client);
    resolver_free(resolver);
}

static void load(const char *script)
{
    struct err e;
    if (!pac_client_load(client, SPAN("test.pac"), span_str(script), &e))
        fail_msg("%s", e.text);
}

static void begin_real(const char *script)
{
    if (!getenv(REAL))
        skip();
    put_program(getenv(REAL));
    begin(60000);
    load(script);
}

static void begin_fake(const char *script)
{
    char path[512];
    path_of(path, sizeof path, "lives");
    unlink(path);
    put_program("program");
    begin(0);
    load(script);
}

struct asked {
    struct pac_call call;
    unsigned answers;
    enum pac_failure failure;
    char result[256], why[512], last_good[256];
    bool has_last_good, remembered;
    struct asked *then; /* asked from inside the answer */
};

static void ask(struct asked *a, const char *scheme, const char *host, uint16_t port, const char *url);

static void answered(void *owner, const struct pac_answer *answer)
{
    struct asked *a = owner;
    a->answers++;
    a->failure = answer->failure;
    snprintf(a->result, sizeof a->result, "%.*s", SPAN_ARG(answer->result));
    snprintf(a->why, sizeof a->why, "%.*s", SPAN_ARG(answer->why));
    snprintf(a->last_good, sizeof a->last_good, "%.*s", SPAN_ARG(answer->last_good));
    a->has_last_good = answer->last_good.p != NULL;
    a->remembered = answer->remembered;
    if (a->then)
        ask(a->then, "http", "inside.example", 80, "");
}

static void ask(struct asked *a, const char *scheme, const char *host, uint16_t port, const char *url)
{
    struct asked *then = a->then;
    *a = (struct asked){.then = then};
    pac_call_start(
        client, &a->call,
        &(struct pac_request){
            .scheme = span_str(scheme), .host = span_str(host), .port = port, .url = span_str(url)},
        answered, a);
    assert_int_equal(a->answers, 0); /* never inside the start */
}

static void ask_host(struct asked *a, const char *host)
{
    ask(a, "https", host, 443, "");
}

static struct pac_state state_now(void)
{
    struct pac_state s;
    pac_client_state(client, &s);
    return s;
}

#define ECHO_SCRIPT "function FindProxyForURL(url, host) { return url + '|' + host; }"

/* --- with the real program --- */

static void test_answers(void **state)
{
    (void)state;
    struct asked a = {0}, b = {0};
    begin_real(ECHO_SCRIPT);
    ask(&a, "https", "Www.Example", 443, "https://www.example/secret?token=1");
    until(a.answers);
    assert_string_equal(a.result, "https://www.example/|www.example");
    assert_int_equal(a.failure, PAC_FINE);
    assert_false(a.remembered);
    ask(&b, "http", "www.example", 80, "http://alice:Sesame@www.example/path?q#f");
    until(b.answers);
    assert_string_equal(b.result, "http://www.example/path?q|www.example");
    ask(&b, "https", "[2001:db8::1]", 22, "");
    until(b.answers);
    assert_string_equal(b.result, "https://[2001:db8::1]:22/|2001:db8::1");
    ask(&a, "https", "www.example", 443, "https://www.example/other");
    until(a.answers);
    assert_string_equal(a.result, "https://www.example/|www.example");
    assert_true(a.remembered);
    assert_int_equal(state_now().asked, 3);
    assert_int_equal(state_now().remembered, 1);
    assert_int_equal(good_news, 1);
    pac_client_forget(client);
    ask_host(&a, "www.example");
    until(a.answers);
    assert_false(a.remembered);
    assert_int_equal(state_now().processes, 1);
    assert_int_equal(state_now().kills, 0);
    finish();
}

static void test_lifetime(void **state)
{
    (void)state;
    struct asked a = {0};
    if (!getenv(REAL))
        skip();
    put_program(getenv(REAL));
    begin(0);
    load("var n = 0; function FindProxyForURL() { return 'PROXY p:' + ++n; }");
    for (int i = 1; i < 4; i++) {
        char expected[32];
        snprintf(expected, sizeof expected, "PROXY p:%d", i);
        ask_host(&a, "www.example");
        until(a.answers);
        assert_string_equal(a.result, expected);
    }
    finish();
}

/* Many who want to know the same: the script is asked once. */
static void test_equal_questions(void **state)
{
    (void)state;
    struct asked many[50] = {0}, other = {0};
    begin_real("var n = 0; function FindProxyForURL() { return 'PROXY p:' + ++n; }");
    for (size_t i = 0; i < 50; i++)
        ask_host(&many[i], "www.example");
    ask_host(&other, "other.example");
    pac_call_cancel(&many[7].call);
    until(other.answers);
    for (size_t i = 0; i < 50; i++) {
        assert_int_equal(many[i].answers, i == 7 ? 0 : 1);
        if (i != 7)
            assert_string_equal(many[i].result, "PROXY p:1");
    }
    assert_string_equal(other.result, "PROXY p:2");
    assert_int_equal(state_now().asked, 2);
    finish();
}

/* Processor time of programs that are ours and buried. */
static unsigned long used_ms(void)
{
    struct rusage all;
    getrusage(RUSAGE_CHILDREN, &all);
    return (unsigned long)(all.ru_utime.tv_sec + all.ru_stime.tv_sec) * 1000 +
           (unsigned long)(all.ru_utime.tv_usec + all.ru_stime.tv_usec) / 1000;
}

/* One that was ended for its ten seconds: a busy machine has not given it the two of the processor until then. A starter's programs are not ours. */
static bool was_kept_waiting(const struct asked *bad, unsigned long used_before)
{
    if (!strstr(bad->why, "no answer after 10 seconds"))
        return false;
    if (by_starter)
        return true;
    until(used_ms() > used_before);
    return used_ms() - used_before < PAC_SCRIPT_MS * 3 / 2; /* its start is not counted by the agent */
}

static void contained(const char *body, enum pac_failure failure, const char *words)
{
    unsigned long used_before = used_ms();
    struct asked bad = {0}, good = {0}, behind = {0};
    struct buf script = {0};
    buf_addf(
        &script,
        "function FindProxyForURL(url, host) { if (host == 'bad.example') { %s } return 'PROXY good:1'; }",
        body);
    begin_real(buf_cstr(&script));
    ask_host(&bad, "bad.example");
    ask_host(&behind, "behind.example");
    until(bad.answers);
    assert_int_equal(bad.failure, failure);
    if (!strstr(bad.why, words) && !(failure == PAC_LOOPED && was_kept_waiting(&bad, used_before)))
        fail_msg("%s", bad.why);
    assert_false(bad.has_last_good);
    until(behind.answers); /* by a new process */
    assert_int_equal(behind.failure, PAC_FINE);
    ask_host(&good, "good.example");
    until(good.answers);
    assert_string_equal(good.result, "PROXY good:1");
    assert_int_equal(state_now().kills, 1);
    assert_int_equal(good_news, 1); /* told once */
    finish();
    buf_free(&script);
}

static void test_loop(void **state)
{
    (void)state;
    contained("for (;;);", PAC_LOOPED, "more than 2 seconds");
}

static void test_loop_by_a_starter(void **state)
{
    (void)state;
    by_starter = true;
    contained("for (;;);", PAC_LOOPED, "more than 2 seconds");
    by_starter = false;
}

static void test_growth(void **state)
{
    (void)state;
    contained(
        "var all = []; for (var i = 0; i < 40; i++) all.push(new Uint8Array(1 << 23).fill(1)); for (;;);",
        PAC_GREW, "256 MB"); /* at once, and no further: a busy machine must not make a loop of it */
}

/* Never 100 ms of its own at a stretch: the clock must run all the same. */
static void test_loop_with_names(void **state)
{
    (void)state;
    contained("for (;;) dnsResolve('a.example');", PAC_LOOPED, "more than 2 seconds");
    assert_true(names.asked <= 1);
}

static void test_exception(void **state)
{
    (void)state;
    struct asked a = {0};
    begin_real("var n = 0;\nfunction FindProxyForURL(url, host) {\n if (n++) throw new Error('second');\n "
               "return 'PROXY first:1'; }");
    ask_host(&a, "www.example");
    until(a.answers);
    pac_client_forget(client);
    ask_host(&a, "www.example");
    until(a.answers);
    assert_int_equal(a.failure, PAC_SCRIPT_FAILED);
    assert_string_equal(a.why, "test.pac:3: Error: second");
    assert_true(a.has_last_good);
    assert_string_equal(a.last_good, "PROXY first:1");
    assert_string_equal(state_now().why, "test.pac:3: Error: second");
    assert_int_equal(state_now().kills, 0);
    finish();
}

static void test_bad_script(void **state)
{
    (void)state;
    struct asked a = {0}, b = {0};
    struct err e;
    begin_real("function FindProxyForURL( { }");
    ask_host(&a, "www.example");
    until(a.answers);
    assert_int_equal(a.failure, PAC_BAD_SCRIPT);
    assert_non_null(strstr(a.why, "test.pac:1: SyntaxError"));
    assert_int_equal(bad_news, 1);
    assert_string_equal(bad_why, a.why);
    assert_false(state_now().usable);
    ask_host(&b, "www.example"); /* at once, without another process */
    until(b.answers);
    assert_int_equal(b.failure, PAC_BAD_SCRIPT);
    assert_int_equal(state_now().processes, 0);
    load(ECHO_SCRIPT);
    ask_host(&a, "www.example");
    until(a.answers);
    assert_int_equal(a.failure, PAC_FINE);
    assert_false(pac_client_load(client, SPAN("empty.pac"), SPAN(""), &e)); /* and the one before stays */
    assert_false(pac_client_load(client, SPAN("big.pac"), span_make(NULL, PAC_SCRIPT_MAX + 1), &e));
    ask_host(&a, "two.example");
    until(a.answers);
    assert_int_equal(a.failure, PAC_FINE);
    finish();
}

static void test_loop_while_loading(void **state)
{
    (void)state;
    struct asked a = {0};
    begin_real("for (;;); function FindProxyForURL() { return 'DIRECT'; }");
    ask_host(&a, "www.example");
    until(a.answers);
    assert_int_equal(a.failure, PAC_LOOPED);
    assert_int_equal(bad_news, 1);
    finish();
}

/* A script that waits for a name keeps nobody else waiting. */
static void test_slow_name(void **state)
{
    (void)state;
    struct asked slow = {0}, quick = {0};
    hold_names(true);
    begin_real("function FindProxyForURL(url, host) { return host + '=' + dnsResolve(host); }");
    ask_host(&slow, "slow.example");
    until(names_asked() == 1);
    ask_host(&quick, "quick.example");
    until(quick.answers);
    assert_string_equal(quick.result, "quick.example=192.0.2.4");
    assert_int_equal(slow.answers, 0);
    assert_int_equal(state_now().processes, 2);
    hold_names(false);
    until(slow.answers);
    assert_string_equal(slow.result, "slow.example=192.0.2.4");
    ask_host(&quick, "none.example");
    until(quick.answers);
    assert_string_equal(quick.result, "none.example=null");
    finish();
}

/* A name that never comes is not found, in the end; the script's own time does not run meanwhile. */
static void test_late_name(void **state)
{
    (void)state;
    struct asked a = {0};
    hold_names(true);
    begin_real("function FindProxyForURL(url, host) { return host + '=' + dnsResolve(host); }");
    ask_host(&a, "slow.example");
    until(a.answers);
    assert_int_equal(a.failure, PAC_FINE);
    assert_string_equal(a.result, "slow.example=null");
    assert_int_equal(state_now().kills, 0);
    hold_names(false);
    finish();
    until(names_are_over());
}

/* Names have a time together, too: a list of dead ones does not keep a question for ever. */
static void test_late_names(void **state)
{
    (void)state;
    struct asked a = {0};
    hold_names(true);
    begin_real("function FindProxyForURL(url, host) { var n = 0; for (var i = 0; i < 50; i++) n += "
               "isResolvable('slow' + i + '.example');"
               "return 'PROXY p:' + n; }");
    ask_host(&a, "www.example");
    until(a.answers);
    assert_int_equal(a.failure, PAC_FINE);
    assert_string_equal(a.result, "PROXY p:0");
    assert_true(names.asked <= 3);
    hold_names(false);
    finish();
    until(names_are_over());
}

/* And a number: a script cannot make us ask for names without end. */
static void test_many_names(void **state)
{
    (void)state;
    struct asked a = {0};
    begin_real("function FindProxyForURL(url, host) { var n = 0; for (var i = 0; i < 400; i++) n += "
               "isResolvable('n' + i + '.example');"
               "return 'PROXY p:' + n; }");
    ask_host(&a, "www.example");
    until(a.answers);
    assert_string_equal(a.result, "PROXY p:256");
    assert_int_equal(names.asked, 256);
    finish();
}

/* A new script while a question is with the old one: the new one answers it. */
static void test_new_script(void **state)
{
    (void)state;
    struct asked a = {0}, b = {0};
    hold_names(true);
    begin_real("function FindProxyForURL(url, host) { return 'PROXY old:' + dnsResolve('slow.example'); }");
    ask_host(&a, "www.example");
    ask_host(&b, "two.example");
    until(names_asked() == 1);
    load("function FindProxyForURL(url, host) { return 'PROXY new:1'; }");
    until(a.answers && b.answers);
    assert_string_equal(a.result, "PROXY new:1");
    assert_string_equal(b.result, "PROXY new:1");
    hold_names(false);
    finish();
    until(names_are_over());
}

static void test_free_under_way(void **state)
{
    (void)state;
    struct asked a = {0}, b = {0}, c = {0};
    begin_real(ECHO_SCRIPT);
    ask_host(&a, "a.example");
    until(a.answers);
    ask_host(&a, "a.example"); /* remembered, not yet told */
    ask_host(&b, "b.example");
    ask_host(&c, "c.example");
    turn();
    finish();
    turns(3);
    assert_int_equal(b.answers + c.answers, 0);
    assert_true(a.answers <= 1);
}

static void test_asked_from_inside(void **state)
{
    (void)state;
    struct asked b = {0}, a = {.then = &b};
    begin_real(ECHO_SCRIPT);
    ask_host(&a, "a.example");
    until(b.answers);
    assert_string_equal(b.result, "http://inside.example/|inside.example");
    finish();
}

static void test_questions_that_are_none(void **state)
{
    (void)state;
    struct asked a = {0};
    char *longest = mem_zero(2 << 20);
    memset(longest, 'a', (2 << 20) - 1);
    begin_real(ECHO_SCRIPT);
    ask_host(&a, "");
    until(a.answers);
    assert_int_equal(a.failure, PAC_NOT_ASKED);
    longest[5000] = '\0';
    ask_host(&a, longest);
    until(a.answers);
    assert_int_equal(a.failure, PAC_NOT_ASKED);
    longest[5000] = 'a';
    memcpy(longest, "http://a/", 9);
    ask(&a, "http", "a", 80, longest);
    until(a.answers);
    assert_int_equal(a.failure, PAC_NOT_ASKED);
    assert_non_null(strstr(a.why, "too long"));
    finish();
    free(longest);
}

/* --- without a program, and with one that breaks the rules --- */

static void test_script_taken_away(void **state)
{
    (void)state;
    struct asked a = {0}, b = {0};
    begin_real(
        "function FindProxyForURL(url, host) { if (host == 'b.example') for (;;); return 'PROXY a:1'; }");
    ask_host(&a, "a.example");
    until(a.answers);
    ask_host(&b, "b.example");
    until(state_now().asked == 2);
    pac_client_unload(client);
    until(b.answers);
    assert_int_equal(b.failure, PAC_NO_SCRIPT);
    assert_int_equal(state_now().processes, 0);
    assert_false(state_now().given);
    ask_host(&a, "a.example");
    until(a.answers);
    assert_int_equal(a.failure, PAC_NO_SCRIPT);
    assert_false(a.has_last_good);
    load("function FindProxyForURL() { return 'PROXY again:1'; }");
    ask_host(&a, "a.example");
    until(a.answers);
    assert_string_equal(a.result, "PROXY again:1");
    finish();
}

static void test_no_script(void **state)
{
    (void)state;
    struct asked a = {0};
    begin(0);
    ask_host(&a, "www.example");
    until(a.answers);
    assert_int_equal(a.failure, PAC_NO_SCRIPT);
    assert_true(a.why[0] != '\0');
    finish();
}

static void test_no_program(void **state)
{
    (void)state;
    struct asked a = {0};
    put_program(NULL);
    begin(0);
    load(ECHO_SCRIPT);
    ask_host(&a, "www.example");
    until(a.answers);
    assert_int_equal(a.failure, PAC_DIED);
    assert_non_null(strstr(a.why, "exeat-pac"));
    finish();
}

static void test_broken_rules(void **state)
{
    (void)state;
    static const char *const ways[] = {
        "garbage",     "zero",    "huge",  "other-call", "load-again",
        "ready-again", "hang-up", "crash", "two-names",  "answer-while-waiting"};
    hold_names(true);
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        struct asked a = {0};
        begin_fake(ways[i]);
        ask_host(&a, "www.example");
        until(a.answers);
        if (a.failure != PAC_DIED)
            fail_msg("%s: %d %s", ways[i], a.failure, a.result);
        assert_true(a.why[0] != '\0');
        assert_int_equal(state_now().kills, 1);
        if (strcmp(ways[i], "two-names") == 0 || strcmp(ways[i], "answer-while-waiting") == 0)
            until(names_asked()); /* the look-up had begun, but a busy machine may not have run it yet */
        finish();
    }
    hold_names(false);
    until(names_are_over());
}

/* On a busy machine a script may take long though it does little. */
static void test_little_processor_time(void **state)
{
    (void)state;
    struct asked a = {0};
    begin_fake("waits");
    ask_host(&a, "www.example");
    until(a.answers);
    assert_int_equal(a.failure, PAC_FINE);
    finish();
    begin_fake("waits-for-ever");
    ask_host(&a, "www.example");
    until(a.answers);
    assert_int_equal(a.failure, PAC_LOOPED);
    assert_non_null(strstr(a.why, "no answer after 10 seconds"));
    finish();
}

/* What is wrong behind an answer costs the process, not the answer. */
static void test_broken_rules_afterwards(void **state)
{
    (void)state;
    static const char *const ways[] = {"answer-twice", "ask-while-idle"};
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        struct asked a = {0};
        begin_fake(ways[i]);
        ask_host(&a, "www.example");
        until(a.answers);
        assert_int_equal(a.failure, PAC_FINE);
        until(state_now().kills == 1);
        finish();
    }
}

static void test_result_while_loading(void **state)
{
    (void)state;
    struct asked a = {0};
    begin_fake("result-at-load");
    ask_host(&a, "www.example");
    until(a.answers);
    assert_int_equal(a.failure, PAC_DIED);
    finish();
}

static void test_control_characters(void **state)
{
    (void)state;
    struct asked a = {0};
    begin_fake("control");
    ask_host(&a, "www.example");
    until(a.answers);
    assert_int_equal(a.failure, PAC_SCRIPT_FAILED);
    assert_string_equal(a.why, "a b [1m");
    finish();
}

static void test_many_alerts(void **state)
{
    (void)state;
    struct asked a = {0};
    begin_fake("alerts");
    ask_host(&a, "www.example");
    until(a.answers);
    assert_int_equal(a.failure, PAC_FINE);
    finish();
}

/* One that keeps dying is not started for each question: within a pause they fail with the reason. */
static void keeps_dying(const char *script)
{
    struct asked a = {0};
    unsigned rounds = 0;
    begin_fake(script);
    do {
        ask_host(&a, "www.example");
        until(a.answers);
        assert_int_equal(a.failure, PAC_DIED);
        assert_true(a.why[0] != '\0');
    } while (++rounds < 200);
    if (lives() > 20)
        fail_msg("%zu lives for 200 questions", lives());
    assert_true(lives() >= 2); /* the first death costs nothing */
    pac_client_forget(client); /* a new network: tried at once */
    size_t before = lives();
    ask_host(&a, "www.example");
    until(a.answers);
    until(lives() == before + 1);
    finish();
}

static void test_back_off(void **state)
{
    (void)state;
    keeps_dying("die-at-load");
    keeps_dying("hang-up");
}

static void test_dies_at_start(void **state)
{
    (void)state;
    char path[512];
    path_of(path, sizeof path, "die-at-once");
    close(open(path, O_WRONLY | O_CREAT, 0600));
    keeps_dying("anything");
    unlink(path);
}

static void dies(struct asked *a)
{
    ask_host(a, "www.example");
    until(a->answers);
    assert_int_equal(a->failure, PAC_DIED);
    pac_client_forget(client); /* no pause before the next life */
}

/* Who ends before it could be asked may have been ended by somebody else: the script is to blame when that happens again and again, and never
   when it had been loaded before. */
static void test_early_ends(void **state)
{
    (void)state;
    struct asked a = {0};
    char path[512];
    begin_fake("die-at-load");
    dies(&a);
    assert_int_equal(bad_news, 0);
    for (int i = 0; i < 20; i++)
        dies(&a);
    assert_int_equal(bad_news, 1);
    finish();

    begin_fake("crash");
    dies(&a);
    assert_int_equal(good_news, 1);
    path_of(path, sizeof path, "die-at-once");
    close(open(path, O_WRONLY | O_CREAT, 0600));
    size_t before = lives();
    for (int i = 0; i < 20; i++)
        dies(&a);
    assert_int_equal(lives(), before + 20);
    assert_int_equal(bad_news, 0);
    finish();
    unlink(path);
}

/* --- the test's own place --- */

static int run_all(void)
{
    const struct CMUnitTest tests[] = {
        with_loop(test_answers),
        with_loop(test_lifetime),
        with_loop(test_equal_questions),
        with_loop(test_loop),
        with_loop(test_loop_by_a_starter),
        with_loop(test_growth),
        with_loop(test_loop_with_names),
        with_loop(test_exception),
        with_loop(test_bad_script),
        with_loop(test_loop_while_loading),
        with_loop(test_slow_name),
        with_loop(test_late_name),
        with_loop(test_late_names),
        with_loop(test_many_names),
        with_loop(test_new_script),
        with_loop(test_free_under_way),
        with_loop(test_asked_from_inside),
        with_loop(test_questions_that_are_none),
        with_loop(test_script_taken_away),
        with_loop(test_no_script),
        with_loop(test_no_program),
        with_loop(test_broken_rules),
        with_loop(test_little_processor_time),
        with_loop(test_broken_rules_afterwards),
        with_loop(test_result_while_loading),
        with_loop(test_control_characters),
        with_loop(test_many_alerts),
        with_loop(test_back_off),
        with_loop(test_dies_at_start),
        with_loop(test_early_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

static bool copy_self(const char *to)
{
    static char piece[64 * 1024];
    ssize_t n;
    int from = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    int fd = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0700);
    bool good = from >= 0 && fd >= 0;
    while (good && (n = read(from, piece, sizeof piece)) > 0)
        good = write(fd, piece, (size_t)n) == n;
    close(from);
    return close(fd) == 0 && good;
}

/* The real one stands in the folder above the unit tests'. */
static void find_real(void)
{
    char path[4096], *slash;
    ssize_t n = readlink("/proc/self/exe", path, sizeof path - 32);
    path[n > 0 ? n : 0] = '\0';
    for (int i = 0; i < 2 && (slash = strrchr(path, '/')) != NULL; i++)
        *slash = '\0';
    strcat(path, "/exeat-pac");
    if (access(path, X_OK) == 0)
        setenv(REAL, path, 1);
}

int main(int argc, char **argv)
{
    char place[] = "/tmp/exeat-pac-XXXXXX", path[512];
    const char *name = strrchr(argv[0], '/');
    int status = -1;
    (void)argc;
    if (name && strcmp(name, "/exeat-pac") == 0)
        fake_run();
    if (getenv(PLACE))
        return run_all();
    if (!mkdtemp(place))
        return 1;
    setenv(PLACE, place, 1);
    find_real();
    path_of(path, sizeof path, "program");
    fflush(NULL);
    pid_t child = copy_self(path) ? fork() : -1;
    if (child == 0) {
        execl(path, path, (char *)NULL);
        _exit(127);
    }
    waitpid(child, &status, 0);
    static const char *const files[] = {"program", "exeat-pac", "lives", "die-at-once"};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        path_of(path, sizeof path, files[i]);
        unlink(path);
    }
    rmdir(place);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
