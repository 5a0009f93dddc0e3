/*
 * The tour (practice_tour.h). It plays the program, and blocks wherever it likes: who wants it to end ends its process.
 */
#include "cli/practice_tour.h"

#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "cli/ask_agent.h"
#include "cli/doctor_line.h"
#include "cli/practice_ear.h"
#include "cli/say.h"
#include "cli/verb.h"

#define ANSWER_MS 20000u
#define CALM_MS   5000

static void headline(const char *text)
{
    const char *terminal = getenv("TERM");
    bool bold = isatty(STDOUT_FILENO) && !getenv("NO_COLOR") && terminal && strcmp(terminal, "dumb") != 0;
    printf("\n%s%s%s\n", bold ? "\033[1m" : "", text, bold ? "\033[0m" : "");
}

static bool expect(bool truth, const char *sentence)
{
    if (!truth)
        printf("    NOT AS IT SHOULD BE: %s\n", sentence);
    return truth;
}

/* --- one request, as a program sends it --- */

struct request {
    const char *method, *target, *host;
    uint16_t port;    /* to whom it is sent */
    const char *name; /* and what they are called */
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
    buf_addf(&text, "%s %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: practice/1\r\n\r\n", r->method, r->target,
             r->host);
    snprintf(place, sizeof place, "127.0.0.1:%u", r->port);
    show_ours(r, buf_span(&text));
    bool good = line_dial(l, place, ANSWER_MS, e) && line_send(l, buf_span(&text), ANSWER_MS, e) &&
                line_head(l, ANSWER_MS, h, e);
    buf_free(&text);
    return good;
}

/* The answer's head, which the caller frees; its status is 0 where there was none, and it has been said why. */
static struct head ask(const struct request *r)
{
    struct err e = {0};
    struct line l = LINE_NOBODY;
    struct head h = {0};
    struct buf words = {0};
    if (talk(r, &l, &h, &e)) {
        buf_addf(&words, "%s -> the program", r->name);
        ear_show(buf_cstr(&words), 0, &h);
    } else {
        h = (struct head){0};
        say_failure(&e);
    }
    line_close(&l);
    buf_free(&words);
    return h;
}

static unsigned ask_status(const struct request *r)
{
    struct head h = ask(r);
    unsigned status = h.status;
    head_free(&h);
    return status;
}

static json_int_t busy_connections(json_t *status)
{
    json_t *upstream, *proxy;
    json_int_t n = 0;
    size_t i, k;
    json_array_foreach(json_object_get(status, "upstreams"), i, upstream)
    {
        json_array_foreach(json_object_get(upstream, "proxies"), k, proxy) n +=
            json_integer_value(json_object_get(proxy, "busy"));
    }
    return n;
}

/* exeat looks at the proxy's last token when the program has its answer already, and only then is the connection for others. Waits for that (or the next leg would be
   one of another kind), though not for ever. Returns how many 407 there have been; -1: exeat does not answer. */
static json_int_t let_it_finish(void)
{
    const struct timespec moment = {0, 10000000};
    json_int_t challenges = -1;
    for (int i = 0; i < CALM_MS / 10; i++) {
        struct err e = {0};
        json_t *status = ask_agent("status", &e), *counters = json_object_get(status, "counters");
        bool busy = status && busy_connections(status) > 0;
        challenges = status ? json_integer_value(json_object_get(counters, "challenges")) : -1;
        json_decref(status);
        if (!busy)
            break;
        nanosleep(&moment, NULL);
    }
    return challenges;
}

/* --- the legs --- */

static void introduce(const struct tour *t)
{
    printf("Practice: everything is in %s, on 127.0.0.1 only, and goes away at the end.\n"
           "\n"
           "    a program  ->  exeat  ->  (we listen in)  ->  a proxy  ->  outside\n"
           "        port:      %-5u       %-5u               %-5u\n"
           "\n",
           t->folder, t->agent, t->tap, t->proxy);
    if (t->port_was_taken)
        printf("(Port 3128 is taken, perhaps by an exeat of your own, which has no part in this.)\n");
    printf("The proxy lets nobody but the user \"practice\" through, who is to prove that by\n"
           "%s. The program knows no password; exeat does, from a\n"
           "file that nobody but you can read. Passwords and tokens are not shown here, only\n"
           "how long they are.\n",
           t->schemes);
}

static bool offers(const struct head *h, struct span scheme)
{
    for (const struct field *f = head_field(h, "Proxy-Authenticate"); f; f = head_field_next(h, f))
        if (span_istarts(f->value, scheme))
            return true;
    return false;
}

/* Negotiate and NTLM are done by a library that need not be there; the gateway leaves out what it cannot do. */
static void say_what_is_missing(const struct tour *t, const struct head *answer)
{
    struct span rest = span_str(t->schemes), word;
    while ((word = span_word(&rest)).n)
        if (!offers(answer, word))
            printf("    (%.*s was to be offered too, but cannot be done here: install the package\n"
                   "    gss-ntlmssp.)\n",
                   SPAN_ARG(word));
}

static bool straight(const struct tour *t, const char *page, const char *host)
{
    headline("1. Straight to the proxy, by a program that knows no password");
    say_paragraphs(stdout, "The proxy says no (407), and names the ways to sign in that it takes. A program "
                           "that cannot do one of them ends here, or asks you for a password.");
    struct head answer = ask(&(struct request){"GET", page, host, t->proxy, "the proxy"});
    say_what_is_missing(t, &answer);
    bool good = expect(answer.status == 407, "the proxy should refuse this with 407");
    head_free(&answer);
    return good;
}

static bool through_exeat(const struct tour *t, const char *page, const char *host)
{
    headline("2. The same through exeat");
    say_paragraphs(stdout, "The program says the same as before. exeat hears the proxy's no, signs in, and "
                           "asks again; the program sees nothing of that, only the page.");
    return expect(ask_status(&(struct request){"GET", page, host, t->agent, "exeat"}) == 200,
                  "the page should have come");
}

static bool once_more(const struct tour *t, const char *page, const char *host)
{
    headline("3. Once more: no 407, no handshake");
    say_paragraphs(stdout, "exeat has kept the connection, which is signed in (Negotiate, NTLM), or knows by "
                           "now what to send along (Digest, Basic). One request, one answer.");
    json_int_t before = let_it_finish();
    bool good = expect(ask_status(&(struct request){"GET", page, host, t->agent, "exeat"}) == 200,
                       "the page should have come");
    return expect(before >= 0 && let_it_finish() == before, "there should have been no 407") && good;
}

static bool memory(const struct tour *t)
{
    struct verb_call call = {.verb = &status_verb, .context = t->context};
    headline("4. What exeat says about itself (exeat status)");
    say_paragraphs(stdout, "In the pool (\"proxy\", below) an idle connection waits for whoever comes next; "
                           "two requests cost one handshake.\n");
    fflush(stdout);
    return expect(status_verb.run(&call) == EXIT_DONE, "exeat status should end well");
}

static bool tunnel(const struct tour *t, const char *host)
{
    headline("5. A tunnel, as https uses it");
    say_paragraphs(stdout, "The program asks for CONNECT. The proxy lets it through as it did the request "
                           "before, and from then on nobody between the two ends reads along.");
    return expect(ask_status(&(struct request){"CONNECT", host, host, t->agent, "exeat"}) == 200,
                  "the tunnel should have opened");
}

static void your_turn(const struct tour *t)
{
    headline("Your turn");
    printf("In another shell, with no password anywhere:\n"
           "    curl --proxy http://127.0.0.1:%u http://127.0.0.1:%u/\n"
           "    export http_proxy=http://127.0.0.1:%u https_proxy=http://127.0.0.1:%u\n"
           "The practice proxy goes out to the Internet too, where there is one.\n\n"
           "exeat's own answers, and the logs of exeat and the proxy:\n"
           "    XDG_RUNTIME_DIR=%s/exeat exeat status\n"
           "    %s/exeat.log\n"
           "    %s/proxy.log\n"
           "\nCtrl-C ends it all. What passes goes on here:\n",
           t->agent, t->page, t->agent, t->agent, t->folder, t->folder, t->folder);
}

int tour_run(const struct tour *t)
{
    char page[48], host[48], runtime[256];
    snprintf(page, sizeof page, "http://127.0.0.1:%u/", t->page);
    snprintf(host, sizeof host, "127.0.0.1:%u", t->page);
    snprintf(runtime, sizeof runtime, "%s/exeat", t->folder);
    setenv("XDG_RUNTIME_DIR", runtime, 1); /* where our own questions go */
    introduce(t);
    bool good = straight(t, page, host);
    if (good) {
        good = through_exeat(t, page, host);
        good &= once_more(t, page, host);
        good &= memory(t);
        good &= tunnel(t, host);
    }
    if (!t->once)
        your_turn(t);
    return good ? EXIT_DONE : EXIT_FAILED;
}
