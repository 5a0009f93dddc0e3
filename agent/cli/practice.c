/*
 * exeat practice: a proxy that demands a password, exeat in front of it, an open ear between the two, and a guided tour of what they say to each other. The proxy
 * is exeat too, as a gateway. Five processes: both agents, the ear, the one that makes the tour and ends with it (practice_tour.c), and this one, which waits for
 * the others and for Ctrl-C, and does nothing that could keep it from hearing that.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/base64.h"
#include "base/secret.h"
#include "cli/practice_ear.h"
#include "cli/practice_tour.h"
#include "cli/say.h"
#include "cli/verb.h"
#include "config/config.h"

#define USER    "practice"
#define REALM   "practice proxy"
#define PORT    3128
#define TOUR    "tour"
#define SCHEMES "negotiate ntlm digest basic"

struct practice {
    const struct verb_context *context;
    struct place place;
    struct place_door agent, proxy, tap, page;
    struct buf schemes;
    struct tour tour;
    bool stopped;
};

/* --- what was asked for --- */

static const char *const all_schemes[] = {"negotiate", "ntlm", "digest", "basic"};

static const char *scheme_named(struct span word)
{
    for (size_t i = 0; i < sizeof all_schemes / sizeof *all_schemes; i++)
        if (span_ieq(word, span_str(all_schemes[i])))
            return all_schemes[i];
    return NULL;
}

static bool add_scheme(struct buf *out, struct span word, struct err *e)
{
    const char *scheme = scheme_named(word);
    if (span_ieq(word, SPAN("none")))
        return err_set(
            e, ERR_USAGE,
            "--auth none: a proxy that asks for nothing has nothing to show; say what it is to ask "
            "for: one or more of " SCHEMES);
    if (!scheme)
        return err_set(e, ERR_USAGE, "--auth: \"%.*s\" is no scheme; there are " SCHEMES, SPAN_ARG(word));
    if (strstr(buf_cstr(out), scheme))
        return err_set(e, ERR_USAGE, "--auth: %s stands there twice", scheme);
    buf_addf(out, "%s%s", out->n ? " " : "", scheme);
    return true;
}

/* In the order that was asked for, between blanks or commas. */
static bool choose_schemes(struct buf *out, const char *wanted, struct err *e)
{
    struct span rest = span_str(wanted ? wanted : SCHEMES);
    while (rest.n) {
        struct span piece = span_cut(&rest, ','), word;
        while ((word = span_word(&piece)).n)
            if (!add_scheme(out, word, e))
                return false;
    }
    return out->n || err_set(e, ERR_USAGE, "--auth: say at least one of " SCHEMES);
}

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
             p->place.folder, p->proxy.port, p->tour.schemes, p->place.folder);
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
        int code = ear_run(&p->tap, &p->proxy, &p->page);
        place_end_orphan(&p->place);
        _exit(code);
    }
    return child > 0;
}

static bool start_tour(struct practice *p, struct err *e)
{
    pid_t child = place_fork(&p->place, TOUR, false, e);
    if (child == 0) {
        signal(SIGPIPE, SIG_DFL); /* when nobody reads, it is over */
        _exit(say_finish(tour_run(&p->tour)));
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

static void plan_tour(struct practice *p)
{
    p->tour.context = p->context;
    p->tour.folder = p->place.folder;
    p->tour.agent = p->agent.port;
    p->tour.port_was_taken = p->agent.port != PORT;
    p->tour.tap = p->tap.port;
    p->tour.proxy = p->proxy.port;
    p->tour.page = p->page.port;
}

static bool set_up(struct practice *p, struct err *e)
{
    p->tour.schemes = buf_cstr(&p->schemes);
    bool good = place_begin(&p->place, e) && place_listen(&p->agent, PORT, e) &&
                place_listen(&p->proxy, 0, e) && place_listen(&p->tap, 0, e) &&
                place_listen(&p->page, 0, e) && write_secret(p, e) && write_configurations(p, e) &&
                check(p, "proxy.conf", e) && add_user(p, e) &&
                start_agent(p, "proxy", "proxy.conf", &p->proxy, e) &&
                start_agent(p, "exeat", "exeat.conf", &p->agent, e) && start_ear(p, e);
    if (good) {
        let_go_of_doors(p);
        plan_tour(p);
    }
    return good && start_tour(p, e);
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

/* Those of them that wait are dropped first: the one that ended us has been heard. */
static void unblock_signals(const sigset_t *set)
{
    static const struct timespec at_once = {0, 0};
    while (sigtimedwait(set, NULL, &at_once) > 0 || errno == EINTR)
        errno = 0;
    sigprocmask(SIG_UNBLOCK, set, NULL);
}

static int say_lost(struct practice *p, const char *name)
{
    struct buf log = {0};
    place_read_log(&p->place, name, &log);
    say_error(EXIT_FAILED, "the process \"%s\" has ended by itself%s", name,
              log.n ? "; its last words:" : "");
    say_clean(stderr, buf_span(&log));
    buf_free(&log);
    return EXIT_FAILED;
}

/* Nobody reads what is printed any more: there is nobody to tell of that either. */
static bool has_no_reader(int status)
{
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGPIPE;
}

/* Until somebody wants us to end, one of those that should stay has ended, or the tour has and was all. */
static int stay(struct practice *p, const sigset_t *signals)
{
    for (int number = SIGCHLD;; number = sigwaitinfo(signals, NULL)) {
        int status;
        if (number > 0 && number != SIGCHLD) { /* -1: it was stopped and goes on */
            p->stopped = true;
            return p->tour.once ? EXIT_FAILED : EXIT_DONE; /* a tour cut short; else it is how it ends */
        }
        for (const char *lost; (lost = place_lost(&p->place, &status)) != NULL;) {
            if (strcmp(lost, TOUR) != 0)
                return say_lost(p, lost);
            if (!WIFEXITED(status))
                return has_no_reader(status) ? EXIT_FAILED : say_lost(p, lost);
            if (p->tour.once)
                return WEXITSTATUS(status);
        }
    }
}

static int run(const struct verb_call *call)
{
    struct practice p = {.context = call->context};
    struct err e = {0};
    sigset_t signals;
    p.tour.once = verb_given(call, "once") || !isatty(STDIN_FILENO);
    signal(SIGPIPE, SIG_IGN); /* what we have made is to be removed however this ends */
    block_signals(&signals);
    int code = choose_schemes(&p.schemes, verb_value(call, "auth"), &e) && set_up(&p, &e) ? stay(&p, &signals)
                                                                                          : say_failure(&e);
    place_end(&p.place, &signals);
    unblock_signals(&signals);
    if (p.stopped)
        printf("\nStopped.\n");
    fflush(stdout);
    buf_free(&p.schemes);
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
