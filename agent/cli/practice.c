/*
 * exeat practice: a proxy that demands a password, exeat in front of it, an open ear between the two, and a guided tour of what they say to each other. The proxy
 * is exeat too, as a gateway. Four processes: both agents, the ear, and this one, which plays the program and waits.
 */
#include <signal.h>
#include <stdlib.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/base64.h"
#include "base/secret.h"
#include "cli/ask_agent.h"
#include "cli/doctor_line.h"
#include "cli/practice_ear.h"
#include "cli/practice_page.h"
#include "cli/say.h"
#include "cli/verb.h"
#include "config/config.h"

#define USER      "practice"
#define REALM     "practice proxy"
#define PORT      3128
#define ANSWER_MS 20000u
#define PAGE_MOST ((size_t)64 * 1024)
#define SCHEMES   "negotiate ntlm digest basic"

struct practice {
    const struct verb_context *context;
    struct place place;
    struct place_door agent, proxy, tap, page;
    const char *schemes;
    unsigned wrong; /* steps that did not show what they should */
};

/* --- the place --- */

static bool write_secret(const struct practice *p, struct err *e)
{
    unsigned char random[18];
    struct buf text = {0};
    if (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random)
        return err_set(e, ERR_SYSTEM, "there are no random bytes for a password");
    base64_encode(&text, span_make((const char *)random, sizeof random));
    buf_add_str(&text, "\n");
    bool good = place_write(&p->place, "secret", buf_span(&text), e);
    secret_wipe(text.p, text.n);
    secret_wipe((char *)random, sizeof random);
    buf_free(&text);
    return good;
}

static bool write_configurations(const struct practice *p, struct err *e)
{
    struct buf proxy = {0}, agent = {0};
    buf_addf(&proxy,
             "[listen]\nhttp = unix:%s/local\n\n[gateway]\nlisten = 127.0.0.1:%u\nauth = %s\nusers = "
             "%s/users\nrealm = " REALM "\n\n"
             "[upstream nowhere]\nproxy = http://127.0.0.1:1\n\n[route]\nrule = * direct\n",
             p->place.folder, p->proxy.port, p->schemes, p->place.folder);
    buf_addf(
        &agent,
        "[listen]\nhttp = 127.0.0.1:%u\n\n[upstream practice]\nproxy = http://127.0.0.1:%u\nauth = " SCHEMES
        "\nuser = " USER "\nsecret = file:%s/secret\nspares = 0\n",
        p->agent.port, p->tap.port, p->place.folder);
    bool good = place_write(&p->place, "proxy.conf", buf_span(&proxy), e) &&
                place_write(&p->place, "exeat.conf", buf_span(&agent), e);
    buf_free(&proxy);
    buf_free(&agent);
    return good;
}

/* "exeat users add", as an administrator would. */
static bool add_user(struct practice *p, struct err *e)
{
    char *users = place_path(&p->place, "users"), *secret = place_path(&p->place, "secret");
    char *words[] = {"users", "--file", users, "--realm", REALM, "--stdin", "add", USER, NULL};
    pid_t child = place_fork(&p->place, "user", true, e);
    if (child == 0) {
        struct verb_call call;
        const struct verb *verb = verb_named("users");
        bool good =
            freopen(secret, "r", stdin) && verb_parse(verb, 8, words, verb->first_word_ends, &call, e);
        _exit(good ? say_finish(verb->run(&call)) : EXIT_FAILED);
    }
    bool added = child > 0 && place_wait(&p->place, child) == EXIT_DONE;
    if (child > 0 && !added) {
        struct buf log = {0};
        place_read_log(&p->place, "user", &log);
        err_set(e, ERR_SYSTEM, "the practice proxy's user cannot be made: %s", buf_cstr(&log));
        buf_free(&log);
    }
    free(users);
    free(secret);
    return added;
}

/* So that what is wrong is said before anything runs; it can only be what was asked for. */
static bool check(const struct practice *p, const char *configuration, struct err *e)
{
    char *path = place_path(&p->place, configuration);
    struct config *c = config_load(path, e);
    free(path);
    config_unref(c);
    return c != NULL;
}

static bool start_agent(struct practice *p, const char *name, const char *configuration,
                        const struct place_door *door, struct err *e)
{
    char *path = place_path(&p->place, configuration);
    pid_t child = place_fork(&p->place, name, true, e);
    if (child == 0) {
        place_hand_over(door);
        _exit(p->context->agent_run(path));
    }
    free(path);
    return child > 0;
}

static bool start_ear(struct practice *p, struct err *e)
{
    pid_t child = place_fork(&p->place, "ear", false, e);
    if (child == 0) {
        close(p->agent.fd);
        close(p->proxy.fd);
        _exit(ear_run(&p->tap, &p->proxy, &p->page));
    }
    return child > 0;
}

/* From now on only those who listen keep their sockets open: where one of them has died, nobody waits for it. */
static void let_go_of_doors(struct practice *p)
{
    const int all[] = {p->agent.fd, p->proxy.fd, p->tap.fd, p->page.fd};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        close(all[i]);
}

static bool set_up(struct practice *p, struct err *e)
{
    bool good = place_begin(&p->place, e) && place_listen(&p->agent, PORT, e) &&
                place_listen(&p->proxy, 0, e) && place_listen(&p->tap, 0, e) &&
                place_listen(&p->page, 0, e) && write_secret(p, e) && write_configurations(p, e) &&
                check(p, "proxy.conf", e) && add_user(p, e) &&
                start_agent(p, "proxy", "proxy.conf", &p->proxy, e) &&
                start_agent(p, "exeat", "exeat.conf", &p->agent, e) && start_ear(p, e);
    if (good) {
        char *runtime = place_path(&p->place, "exeat");
        let_go_of_doors(p);
        setenv("XDG_RUNTIME_DIR", runtime, 1); /* where our own questions go */
        free(runtime);
    }
    return good;
}

/* --- one request, as a program sends it --- */

struct request {
    const char *method, *target;
    const struct place_door *to;
    const char *name; /* of whom it is sent to */
};

static void show_ours(const struct request *r, struct span text)
{
    struct head h;
    struct fault fault;
    struct buf words = {0};
    buf_addf(&words, "the program -> %s", r->name);
    if (head_read_request(&h, text, &head_limits_default, &fault)) {
        ear_show(buf_cstr(&words), 0, &h);
        head_free(&h);
    }
    buf_free(&words);
}

static bool talk(const struct request *r, struct line *l, struct head *h, struct err *e)
{
    char place[32];
    struct buf text = {0};
    buf_addf(&text, "%s %s HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: practice/1\r\n\r\n", r->method,
             r->target);
    snprintf(place, sizeof place, "127.0.0.1:%u", r->to->port);
    show_ours(r, buf_span(&text));
    bool good = line_dial(l, place, ANSWER_MS, e) && line_send(l, buf_span(&text), ANSWER_MS, e) &&
                line_head(l, ANSWER_MS, h, e);
    buf_free(&text);
    return good;
}

/* 0: there was no answer; it has been said why. */
static unsigned ask(const struct request *r)
{
    struct err e = {0};
    struct line l = LINE_NOBODY;
    struct head h = {0};
    struct buf words = {0};
    unsigned status = 0;
    if (talk(r, &l, &h, &e)) {
        buf_addf(&words, "%s -> the program", r->name);
        ear_show(buf_cstr(&words), 0, &h);
        status = h.status;
        head_free(&h);
    } else {
        say_failure(&e);
    }
    line_close(&l);
    buf_free(&words);
    return status;
}

static int count_challenges(void)
{
    struct err e = {0};
    json_t *answer = ask_agent("status", &e);
    json_t *n = json_object_get(json_object_get(answer, "counters"), "challenges");
    int count = answer ? (int)json_integer_value(n) : -1;
    json_decref(answer);
    return count;
}

/* --- the tour --- */

static void headline(const char *text)
{
    bool bold = isatty(STDOUT_FILENO) && !getenv("NO_COLOR");
    printf("\n%s%s%s\n", bold ? "\033[1m" : "", text, bold ? "\033[0m" : "");
}

static void expect(struct practice *p, bool truth, const char *sentence)
{
    if (truth)
        return;
    p->wrong++;
    printf("    NOT AS IT SHOULD BE: %s\n", sentence);
}

static void tour(struct practice *p)
{
    char page[48], authority[48];
    snprintf(page, sizeof page, "http://127.0.0.1:%u/", p->page.port);
    snprintf(authority, sizeof authority, "127.0.0.1:%u", p->page.port);

    headline("1. Straight to the proxy, as a program that knows no password");
    expect(p, ask(&(struct request){"GET", page, &p->proxy, "the proxy"}) == 407,
           "the proxy should refuse this with 407");

    headline("2. The same through exeat");
    expect(p, ask(&(struct request){"GET", page, &p->agent, "exeat"}) == 200, "the page should have come");

    headline("3. Once more: the proxy knows us, there is no 407 any more");
    int before = count_challenges();
    expect(p, ask(&(struct request){"GET", page, &p->agent, "exeat"}) == 200, "the page should have come");
    expect(p, before >= 0 && count_challenges() == before, "there should have been no 407");

    headline("4. A tunnel, as https uses it");
    expect(p, ask(&(struct request){"CONNECT", authority, &p->agent, "exeat"}) == 200,
           "the tunnel should have opened");

    headline("5. What exeat says about itself (exeat status)");
    struct verb_call call = {.verb = &status_verb, .context = p->context};
    fflush(stdout);
    expect(p, status_verb.run(&call) == EXIT_DONE, "exeat status should end well");
}

static void your_turn(const struct practice *p)
{
    headline("Your turn");
    printf("    In another shell:\n"
           "        curl --proxy http://127.0.0.1:%u http://127.0.0.1:%u/\n"
           "        export http_proxy=http://127.0.0.1:%u https_proxy=http://127.0.0.1:%u\n"
           "    The practice proxy goes out to the Internet too, where there is one. exeat's own answers:\n"
           "        XDG_RUNTIME_DIR=%s/exeat exeat status\n"
           "    The logs of both are beside it: exeat.log and proxy.log.\n"
           "\nCtrl-C ends it all. What passes goes on here:\n",
           p->agent.port, p->page.port, p->agent.port, p->agent.port, p->place.folder);
    fflush(stdout);
}

/* --- the end --- */

static void block_signals(sigset_t *set)
{
    static const int all[] = {SIGINT, SIGTERM, SIGHUP, SIGCHLD};
    sigemptyset(set);
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        sigaddset(set, all[i]);
    sigprocmask(SIG_BLOCK, set, NULL);
}

static int say_lost(struct practice *p, const char *name)
{
    struct buf log = {0};
    place_read_log(&p->place, name, &log);
    say_error(EXIT_FAILED, "the process \"%s\" has ended by itself; its last words:", name);
    say_clean(stderr, buf_span(&log));
    buf_free(&log);
    return EXIT_FAILED;
}

/* Until somebody wants us to end, or one of ours has. */
static int stay(struct practice *p, const sigset_t *signals)
{
    const char *lost = place_lost(&p->place);
    while (!lost) {
        if (sigwaitinfo(signals, NULL) != SIGCHLD) {
            printf("\nStopped.\n");
            return EXIT_DONE;
        }
        lost = place_lost(&p->place);
    }
    return say_lost(p, lost);
}

static int practise(struct practice *p, bool once, const sigset_t *signals)
{
    printf("Practice: everything is in %s, on 127.0.0.1 only, and goes away at the end.\n"
           "A proxy on port %u demands user " USER " and a password; it offers %s.\n"
           "exeat on http://127.0.0.1:%u has the password from a file that only this user can read.\n",
           p->place.folder, p->proxy.port, p->schemes, p->agent.port);
    tour(p);
    const char *lost = place_lost(&p->place);
    if (lost)
        return say_lost(p, lost);
    if (!once) {
        your_turn(p);
        return stay(p, signals);
    }
    return p->wrong ? EXIT_FAILED : EXIT_DONE;
}

static int run(const struct verb_call *call)
{
    struct practice p = {.context = call->context, .schemes = verb_value(call, "auth")};
    struct err e = {0};
    sigset_t signals;
    bool once = verb_given(call, "once") || !isatty(STDIN_FILENO);
    if (!p.schemes)
        p.schemes = SCHEMES;
    block_signals(&signals);
    int code = set_up(&p, &e) ? practise(&p, once, &signals) : say_failure(&e);
    fflush(stdout);
    place_end(&p.place);
    return code;
}

static const struct verb_option options[] = {
    {"auth", 0, "SCHEMES", "what the proxy offers, if not all four: \"digest basic\""},
    {"once", 0, NULL, "end after the tour (as without a terminal)"},
    {0},
};

const struct verb practice_verb = {
    .name = "practice",
    .arguments = "",
    .summary = "See exeat at work with a practice proxy that demands a password",
    .help = "Starts a proxy that demands a password, and exeat in front of it, both on 127.0.0.1 and in a "
            "private folder, and shows what they say to each "
            "other: the request as the program sent it, the proxy's 407, exeat's answer, and the next "
            "request, which needs none. Tokens and "
            "passwords are not shown, only how long they are. Then it stays up for requests of your own, "
            "until Ctrl-C.\n"
            "\n"
            "Nothing outside that folder is read or changed, and all of it goes away at the end.",
    .options = options,
    .run = run,
};
