/* The rules against lock-outs, as scripts: who asks, what the guard says, how the attempt ends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "keys/guard.h"

#define MINUTE (60 * 1000)
#define SLOTS  8

enum what { BEGIN, LOOK, REFUSE, DENY, ACCEPT, DROP, PASS, THAW, LATER };

struct step {
    enum what what;
    int slot;             /* of the attempt; for LATER: minutes */
    const char *upstream; /* BEGIN, LOOK */
    const char *site;
    enum guard_kind kind;
    int want; /* enum guard_say, or enum guard_fall after REFUSE */
};

#define TOKEN(slot, site, want)                                                                              \
    {                                                                                                        \
        BEGIN, slot, "a", site, GUARD_TOKEN, want                                                            \
    }
#define TOKEN_B(slot, site, want)                                                                            \
    {                                                                                                        \
        BEGIN, slot, "b", site, GUARD_TOKEN, want                                                            \
    }
#define HEADER(slot, site, want)                                                                             \
    {                                                                                                        \
        BEGIN, slot, "a", site, GUARD_HEADER, want                                                           \
    }
#define TICKET(slot, site, want)                                                                             \
    {                                                                                                        \
        BEGIN, slot, "a", site, GUARD_TICKET, want                                                           \
    }
#define TICKET_B(slot, site, want)                                                                           \
    {                                                                                                        \
        BEGIN, slot, "b", site, GUARD_TICKET, want                                                           \
    }
#define LOOKS(site, want)                                                                                    \
    {                                                                                                        \
        LOOK, 0, "a", site, GUARD_TOKEN, want                                                                \
    }
#define REFUSED_IS(slot, want)                                                                               \
    {                                                                                                        \
        REFUSE, slot, NULL, NULL, GUARD_TOKEN, want                                                          \
    }
#define END(what, slot)                                                                                      \
    {                                                                                                        \
        what, slot, NULL, NULL, GUARD_TOKEN, 0                                                               \
    }
#define PROVEN TOKEN(0, "first", GUARD_GO), END(ACCEPT, 0)
#define ASIDE(slot, want)                                                                                    \
    {                                                                                                        \
        BEGIN, slot, "a", "exeat.invalid", GUARD_ASIDE, want                                                 \
    }
#define PAIR(slot, want)                                                                                     \
    {                                                                                                        \
        BEGIN, slot, "a", "exeat.invalid", GUARD_PAIR, want                                                  \
    }
#define SCRIPT_END                                                                                           \
    {                                                                                                        \
        LATER, -1, NULL, NULL, GUARD_TOKEN, 0                                                                \
    }

static const struct script {
    const char *name;
    struct step steps[40];
} scripts[] = {
    {"unproven: one at a time, and the first refusal freezes",
     {TOKEN(0, "x", GUARD_GO), TOKEN(1, "x", GUARD_WAIT), HEADER(1, "y", GUARD_WAIT),
      REFUSED_IS(0, GUARD_FELL_FROZEN), TOKEN(1, "x", GUARD_FROZEN), HEADER(1, "z", GUARD_FROZEN),
      TICKET(1, "z", GUARD_FROZEN), LOOKS("x", GUARD_FROZEN), TOKEN_B(1, "x", GUARD_FROZEN), SCRIPT_END}},
    {"a pair, unproven: one at a time, and the first refusal freezes",
     {PAIR(0, GUARD_GO), PAIR(1, GUARD_WAIT), TOKEN(1, "x", GUARD_WAIT), REFUSED_IS(0, GUARD_FELL_FROZEN),
      PAIR(1, GUARD_FROZEN), TOKEN_B(1, "x", GUARD_FROZEN), SCRIPT_END}},
    {"a pair, proven: three at once, and a refusal is about no site",
     {PAIR(0, GUARD_GO), END(ACCEPT, 0), PAIR(0, GUARD_GO), PAIR(1, GUARD_GO), PAIR(2, GUARD_GO),
      PAIR(3, GUARD_WAIT), END(ACCEPT, 0), PAIR(3, GUARD_GO), REFUSED_IS(1, GUARD_FELL_FROZEN),
      PAIR(4, GUARD_FROZEN), TOKEN(4, "x", GUARD_FROZEN), SCRIPT_END}},
    {"a pair, proven elsewhere alone: the refusal is this upstream's",
     {TOKEN_B(0, "x", GUARD_GO), END(ACCEPT, 0), PAIR(0, GUARD_GO), REFUSED_IS(0, GUARD_FELL_FROZEN),
      PAIR(0, GUARD_FROZEN), TOKEN_B(0, "x", GUARD_GO), SCRIPT_END}},
    {"unproven: dropped says nothing, the next is the trial",
     {TOKEN(0, "x", GUARD_GO), END(DROP, 0), TOKEN(1, "x", GUARD_GO), TOKEN(2, "x", GUARD_WAIT),
      END(ACCEPT, 1), TOKEN(2, "x", GUARD_GO), SCRIPT_END}},
    {"unproven: lost three times, then a pause",
     {TOKEN(0, "x", GUARD_GO),
      END(DROP, 0),
      TOKEN(0, "x", GUARD_GO),
      END(DROP, 0),
      TOKEN(0, "x", GUARD_GO),
      END(DROP, 0),
      TOKEN(0, "x", GUARD_PAUSED),
      TICKET(0, "x", GUARD_GO),
      END(ACCEPT, 0),
      {LATER, 1, NULL, NULL, GUARD_TOKEN, 0},
      TOKEN(0, "x", GUARD_GO),
      SCRIPT_END}},
    {"unproven: lost again after each pause, one attempt between longer and longer ones",
     {TOKEN(0, "x", GUARD_GO),
      END(DROP, 0),
      TOKEN(0, "x", GUARD_GO),
      END(DROP, 0),
      TOKEN(0, "x", GUARD_GO),
      END(DROP, 0),
      {LATER, 1, NULL, NULL, GUARD_TOKEN, 0},
      TOKEN(0, "x", GUARD_GO),
      END(DROP, 0),
      {LATER, 1, NULL, NULL, GUARD_TOKEN, 0},
      TOKEN(0, "x", GUARD_PAUSED),
      {LATER, 1, NULL, NULL, GUARD_TOKEN, 0},
      TOKEN(0, "x", GUARD_GO),
      END(DROP, 0),
      {LATER, 7, NULL, NULL, GUARD_TOKEN, 0},
      TOKEN(0, "x", GUARD_PAUSED),
      {LATER, 1, NULL, NULL, GUARD_TOKEN, 0},
      TOKEN(0, "x", GUARD_GO),
      END(ACCEPT, 0),
      TOKEN(0, "x", GUARD_GO),
      SCRIPT_END}},
    {"passed is not lost",
     {TOKEN(0, "x", GUARD_GO), END(PASS, 0), TOKEN(0, "x", GUARD_GO), END(PASS, 0), TOKEN(0, "x", GUARD_GO),
      END(PASS, 0), TOKEN(0, "x", GUARD_GO), END(PASS, 0), TOKEN(0, "x", GUARD_GO), SCRIPT_END}},
    {"proven: two in flight on requests, the third on an aside",
     {PROVEN, TOKEN(0, "x", GUARD_GO), TOKEN(1, "x", GUARD_GO), TOKEN(2, "x", GUARD_LAST),
      TOKEN(2, "y", GUARD_LAST), ASIDE(2, GUARD_GO), TOKEN(3, "z", GUARD_WAIT), ASIDE(3, GUARD_WAIT),
      END(ACCEPT, 2), TOKEN(3, "z", GUARD_LAST), END(ACCEPT, 0), TOKEN(3, "z", GUARD_GO), SCRIPT_END}},
    {"proven: asides before requests leave them their places",
     {PROVEN, ASIDE(0, GUARD_GO), TOKEN(1, "x", GUARD_GO), TOKEN(2, "y", GUARD_LAST), SCRIPT_END}},
    {"proven: no third one for the site of asides either",
     {PROVEN, TOKEN(0, "exeat.invalid", GUARD_GO), TOKEN(1, "exeat.invalid", GUARD_GO), ASIDE(2, GUARD_WAIT),
      SCRIPT_END}},
    {"proven: two slow ones hold nobody up for ever, and no attempt grows old",
     {PROVEN,
      TOKEN(0, "slow", GUARD_GO),
      TOKEN(1, "slow", GUARD_GO),
      {LATER, 60, NULL, NULL, GUARD_TOKEN, 0},
      ASIDE(2, GUARD_GO),
      TOKEN(3, "x", GUARD_WAIT),
      {LATER, 60, NULL, NULL, GUARD_TOKEN, 0},
      TOKEN(3, "x", GUARD_WAIT),
      END(ACCEPT, 2),
      ASIDE(2, GUARD_GO),
      END(ACCEPT, 2),
      ASIDE(2, GUARD_GO),
      SCRIPT_END}},
    {"proven: Basic and Digest are free, tickets too",
     {PROVEN, HEADER(0, "x", GUARD_GO), HEADER(1, "x", GUARD_GO), HEADER(2, "x", GUARD_GO),
      HEADER(3, "x", GUARD_GO), TICKET(4, "x", GUARD_GO), TOKEN(5, "x", GUARD_GO), SCRIPT_END}},
    {"proven: one refused site is that site's affair",
     {PROVEN, TOKEN(0, "x", GUARD_GO), REFUSED_IS(0, GUARD_FELL_SITE), LOOKS("x", GUARD_SITE),
      LOOKS("y", GUARD_GO), TOKEN(0, "x", GUARD_SITE), HEADER(0, "x", GUARD_SITE), TOKEN(0, "y", GUARD_GO),
      END(ACCEPT, 0), LOOKS("x", GUARD_SITE), TOKEN(0, "z", GUARD_GO), REFUSED_IS(0, GUARD_FELL_SITE),
      SCRIPT_END}},
    {"proven: a second refused site freezes",
     {PROVEN, TOKEN(0, "x", GUARD_GO), REFUSED_IS(0, GUARD_FELL_SITE), TOKEN(0, "y", GUARD_GO),
      TOKEN(1, "z", GUARD_LAST), HEADER(1, "z", GUARD_WAIT), REFUSED_IS(0, GUARD_FELL_FROZEN),
      TOKEN(1, "z", GUARD_FROZEN), TOKEN_B(1, "z", GUARD_FROZEN), SCRIPT_END}},
    {"proven: a change of the password costs three, whichever the sites",
     {PROVEN, TOKEN(0, "x", GUARD_GO), TOKEN(1, "x", GUARD_GO), ASIDE(2, GUARD_GO),
      REFUSED_IS(0, GUARD_FELL_SITE), TOKEN(3, "z", GUARD_WAIT), REFUSED_IS(1, GUARD_FELL_SITE),
      TOKEN(3, "z", GUARD_WAIT), REFUSED_IS(2, GUARD_FELL_FROZEN), TOKEN(3, "z", GUARD_FROZEN), SCRIPT_END}},
    {"proven: a refusal that is not explained and attempts in flight are three together",
     {PROVEN, TOKEN(0, "slow", GUARD_GO), TOKEN(1, "x", GUARD_GO), REFUSED_IS(1, GUARD_FELL_SITE),
      TOKEN(1, "y", GUARD_LAST), HEADER(1, "y", GUARD_WAIT), ASIDE(1, GUARD_GO), ASIDE(2, GUARD_WAIT),
      END(ACCEPT, 1), TOKEN(1, "y", GUARD_GO), SCRIPT_END}},
    {"proven: a refused aside is no refused site, and the next is a second refusal",
     {PROVEN, TOKEN(0, "slow", GUARD_GO), TOKEN(1, "slow", GUARD_GO), ASIDE(2, GUARD_GO),
      REFUSED_IS(2, GUARD_FELL_SITE), LOOKS("x", GUARD_GO), ASIDE(2, GUARD_SITE), TOKEN(2, "x", GUARD_WAIT),
      END(ACCEPT, 0), TOKEN(2, "x", GUARD_LAST), END(ACCEPT, 1), TOKEN(2, "x", GUARD_GO),
      REFUSED_IS(2, GUARD_FELL_FROZEN), SCRIPT_END}},
    {"proven: an answer that was asked for before the refusal explains nothing",
     {PROVEN, TOKEN(0, "slow", GUARD_GO), TOKEN(1, "x", GUARD_GO), REFUSED_IS(1, GUARD_FELL_SITE),
      END(ACCEPT, 0), TOKEN(0, "y", GUARD_GO), TOKEN(1, "z", GUARD_LAST), REFUSED_IS(0, GUARD_FELL_FROZEN),
      SCRIPT_END}},
    {"proven: a site is forgotten after five minutes, then thirty",
     {PROVEN,
      TOKEN(0, "x", GUARD_GO),
      REFUSED_IS(0, GUARD_FELL_SITE),
      {LATER, 4, NULL, NULL, GUARD_TOKEN, 0},
      LOOKS("x", GUARD_SITE),
      {LATER, 2, NULL, NULL, GUARD_TOKEN, 0},
      TOKEN(0, "x", GUARD_GO),
      REFUSED_IS(0, GUARD_FELL_SITE),
      {LATER, 29, NULL, NULL, GUARD_TOKEN, 0},
      LOOKS("x", GUARD_SITE),
      {LATER, 2, NULL, NULL, GUARD_TOKEN, 0},
      TOKEN(0, "x", GUARD_GO),
      END(ACCEPT, 0),
      TOKEN(0, "x", GUARD_GO),
      REFUSED_IS(0, GUARD_FELL_SITE),
      {LATER, 6, NULL, NULL, GUARD_TOKEN, 0},
      LOOKS("x", GUARD_GO),
      SCRIPT_END}},
    {"another upstream must prove for itself, and freezes for itself",
     {PROVEN, TOKEN_B(0, "x", GUARD_GO), TOKEN_B(1, "x", GUARD_WAIT), TOKEN(2, "x", GUARD_GO),
      REFUSED_IS(0, GUARD_FELL_FROZEN), TOKEN_B(1, "x", GUARD_FROZEN), END(ACCEPT, 2),
      TOKEN(2, "x", GUARD_GO), SCRIPT_END}},
    {"another upstream need not wait for one slow answer; for two, it does",
     {PROVEN, TOKEN(0, "x", GUARD_GO), TOKEN(1, "x", GUARD_GO), TOKEN_B(2, "x", GUARD_WAIT), END(ACCEPT, 1),
      TOKEN_B(1, "x", GUARD_GO), TOKEN_B(2, "x", GUARD_WAIT), TOKEN(2, "x", GUARD_LAST), SCRIPT_END}},
    {"another upstream waits where a refusal is not explained",
     {PROVEN, TOKEN(0, "x", GUARD_GO), TOKEN(1, "y", GUARD_GO), REFUSED_IS(1, GUARD_FELL_SITE),
      TOKEN_B(1, "x", GUARD_WAIT), END(ACCEPT, 0), TOKEN_B(1, "x", GUARD_GO), SCRIPT_END}},
    {"a refused ticket is this upstream's affair",
     {TICKET(0, "x", GUARD_GO), TICKET(1, "x", GUARD_GO), REFUSED_IS(0, GUARD_FELL_FROZEN),
      REFUSED_IS(1, GUARD_FELL_FROZEN), TICKET(2, "x", GUARD_FROZEN), TICKET_B(2, "x", GUARD_GO),
      SCRIPT_END}},
    {"a KDC's no is for all, proven or not",
     {PROVEN, TOKEN(0, "", GUARD_GO), END(DENY, 0), TOKEN(0, "x", GUARD_FROZEN),
      TOKEN_B(0, "x", GUARD_FROZEN), SCRIPT_END}},
    {"unproven: one, however long its verdict takes; lost ones are counted",
     {TOKEN(0, "x", GUARD_GO), ASIDE(1, GUARD_WAIT), TOKEN(1, "x", GUARD_WAIT), END(DROP, 0),
      TOKEN(1, "x", GUARD_GO), END(DROP, 1), TOKEN(2, "x", GUARD_GO), END(DROP, 2),
      TOKEN(3, "x", GUARD_PAUSED), SCRIPT_END}},
    {"thawed is unproven again",
     {PROVEN, TOKEN(0, "", GUARD_GO), END(DENY, 0), END(THAW, 0), TOKEN(0, "x", GUARD_GO),
      TOKEN(1, "x", GUARD_WAIT), REFUSED_IS(0, GUARD_FELL_FROZEN), SCRIPT_END}},
};

static void run(const struct script *s)
{
    struct guard *g = guard_new("alice@corp", "mark");
    struct guard_attempt attempts[SLOTS] = {0};
    int64_t now = 1000;
    for (size_t i = 0; !(s->steps[i].what == LATER && s->steps[i].slot < 0); i++) {
        const struct step *step = &s->steps[i];
        struct guard_attempt *a = &attempts[step->slot % SLOTS];
        int got = step->want;
        switch (step->what) {
        case BEGIN:
            got = guard_begin(g, step->upstream, span_str(step->site), step->kind, now, a);
            break;
        case LOOK:
            got = guard_look(g, step->upstream, span_str(step->site), now);
            break;
        case REFUSE:
            got = guard_refused(a, now);
            break;
        case DENY:
            guard_denied(a);
            break;
        case ACCEPT:
            guard_accepted(a);
            break;
        case DROP:
            guard_dropped(a, now);
            break;
        case PASS:
            guard_passed(a);
            break;
        case THAW:
            guard_thaw(g);
            break;
        case LATER:
            now += (int64_t)step->slot * MINUTE;
            break;
        }
        if (got != step->want)
            fail_msg("%s: step %zu: %d, not %d", s->name, i + 1, got, step->want);
    }
    for (size_t i = 0; i < SLOTS; i++)
        guard_passed(&attempts[i]);
    assert_int_equal(g->in_flight, 0);
    assert_int_equal(g->refs, 1);
    guard_unref(g);
}

static void scripts_run(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof scripts / sizeof *scripts; i++)
        run(&scripts[i]);
}

static enum guard_say token_or_aside(struct guard *g, const char *site, struct guard_attempt *a)
{
    enum guard_say say = guard_begin(g, "a", span_str(site), GUARD_TOKEN, 1, a);
    return say == GUARD_LAST ? guard_begin(g, "a", SPAN("exeat.invalid"), GUARD_ASIDE, 1, a) : say;
}

/* Whatever happens, a password that has become wrong is shown at most three times, whoever asks for what in which order, and also where answers
   to attempts of before the change come late. */
static void never_more_than_three(void **state)
{
    (void)state;
    unsigned seed = 1;
    for (int round = 0; round < 4000; round++) {
        struct guard *g = guard_new("alice@corp", "mark");
        struct guard_attempt flying[GUARD_IN_FLIGHT + 1] = {0}, first = {0}, slow[2] = {{0}};
        size_t n = 0, shown = 0, n_slow = (size_t)round % 3;
        assert_int_equal(guard_begin(g, "a", SPAN("s"), GUARD_TOKEN, 0, &first), GUARD_GO);
        guard_accepted(&first);
        for (size_t i = 0; i < n_slow; i++)
            assert_int_equal(guard_begin(g, "a", SPAN("slow"), GUARD_TOKEN, 0, &slow[i]), GUARD_GO);
        for (int i = 0; i < 60; i++) {
            char site[8];
            seed = seed * 1103515245u + 12345u;
            snprintf(site, sizeof site, "s%u", (seed >> 16) % 4);
            if ((seed >> 24) % 16 == 0 && n_slow)
                guard_accepted(&slow[--n_slow]);
            if ((seed >> 20) % 2 && n) {
                seed = seed * 1103515245u + 12345u;
                size_t which = (seed >> 16) % n;
                guard_refused(&flying[which], 1);
                flying[which] = flying[--n];
                flying[n] = (struct guard_attempt){0};
            } else if (token_or_aside(g, site, &flying[n]) == GUARD_GO) {
                n++;
                shown++;
            }
        }
        assert_in_range(shown, 1, 3);
        while (n)
            guard_refused(&flying[--n], 1);
        while (n_slow)
            guard_accepted(&slow[--n_slow]);
        guard_unref(g);
    }
}

static void sites_are_bounded(void **state)
{
    (void)state;
    struct guard *g = guard_new("alice@corp", "mark");
    struct guard_attempt a = {0};
    char site[16];
    for (int i = 0; i < 1000; i++) {
        snprintf(site, sizeof site, "s%d", i);
        assert_int_equal(guard_begin(g, "a", SPAN("good"), GUARD_TOKEN, 0, &a), GUARD_GO);
        guard_accepted(&a);
        assert_int_equal(guard_begin(g, "a", span_str(site), GUARD_TOKEN, 0, &a), GUARD_GO);
        assert_int_equal(guard_refused(&a, 0), GUARD_FELL_SITE);
    }
    assert_int_equal(guard_look(g, "a", SPAN("s999"), 0), GUARD_SITE);
    assert_int_equal(guard_look(g, "a", SPAN("s936"), 0), GUARD_SITE);
    assert_int_equal(guard_look(g, "a", SPAN("s935"), 0), GUARD_GO);
    guard_unref(g);
}

static void marks_freeze(void **state)
{
    (void)state;
    struct guard *g = guard_new("alice@corp", "mark");
    guard_freeze(g, "a");
    assert_int_equal(guard_look(g, "a", SPAN("x"), 0), GUARD_FROZEN);
    assert_int_equal(guard_look(g, "b", SPAN("x"), 0), GUARD_GO);
    guard_freeze(g, NULL);
    assert_int_equal(guard_look(g, "b", SPAN("x"), 0), GUARD_FROZEN);
    guard_unref(g);
}

static const struct {
    const char *target, *site;
} sites[] = {
    {"http://site.example/a/b?c=http://other/", "site.example"},
    {"http://site.example:8080", "site.example"},
    {"http://site.example?x", "site.example"},
    {"http://[2001:db8::1]:80/", "[2001:db8::1]"},
    {"ftp://site.example/", "site.example"},
    {"site.example:443", "site.example"},
    {"[2001:db8::1]:443", "[2001:db8::1]"},
    {"[2001:db8::1]", "[2001:db8::1]"},
    {"/path?u=http://x/", ""},
    {"*", "*"},
    {"", ""},
};

static void sites_of_targets(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof sites / sizeof *sites; i++) {
        struct span s = guard_site(span_str(sites[i].target));
        assert_true(span_eq(s, span_str(sites[i].site)));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(scripts_run), cmocka_unit_test(never_more_than_three),
                                       cmocka_unit_test(sites_are_bounded), cmocka_unit_test(marks_freeze),
                                       cmocka_unit_test(sites_of_targets)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
