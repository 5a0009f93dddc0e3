/* How a proxy's idle timeout is learned: scripts of what it closed when, and the limit after each step. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "upstream/idle.h"

#define MINUTE 60000
#define DAY    ((uint64_t)24 * 60 * MINUTE)

struct step {
    uint64_t later; /* milliseconds since the last step */
    int64_t closed; /* a connection idle for so long; -1: none */
    uint64_t limit; /* after it */
};

static const struct script {
    const char *name;
    struct step steps[12];
} scripts[] = {
    {"nothing is known", {{0, -1, IDLE_MOST_MS}, {DAY, -1, IDLE_MOST_MS}}},
    {"a fifth below, and never below the least",
     {{MINUTE, 5000, 4000}, {5000, 2500, 2000}, {5000, 3, IDLE_LEAST_MS}, {5000, 0, IDLE_LEAST_MS}}},
    {"no news: longer than our own limit, or than what was learned",
     {{MINUTE, 90000, IDLE_MOST_MS}, {MINUTE, 5000, 4000}, {MINUTE, 6000, 4000}}},
    {"one close is forgotten after ten minutes",
     {{MINUTE, 5000, 4000}, {10 * MINUTE - 1, -1, 4000}, {1, -1, IDLE_MOST_MS}}},
    {"a limit that proves true each time holds for longer",
     {{MINUTE, 5000, 4000},
      {10 * MINUTE, -1, IDLE_MOST_MS},
      {MINUTE, 5000, 4000},
      {20 * MINUTE - 1, -1, 4000},
      {1, 5000, 4000},
      {40 * MINUTE - 1, -1, 4000},
      {1, -1, IDLE_MOST_MS}}},
    {"a second restart weeks later is a first one again",
     {{MINUTE, 5000, 4000}, {20 * DAY, 5000, 4000}, {10 * MINUTE, -1, IDLE_MOST_MS}}},
    {"a lower one on the way does not hold for longer",
     {{MINUTE, 5000, 4000}, {MINUTE, 4000, 3200}, {10 * MINUTE, -1, IDLE_MOST_MS}}},
    {"all at once, each of another age: a restart, and the oldest says most",
     {{MINUTE, 1500, 1200}, {0, 20000, 16000}, {1, 40000, 32000}, {1, 3000, 32000}, {MINUTE, -1, 32000}}},
    {"a restart of a proxy whose limit was found is no other limit",
     {{MINUTE, 10000, 8000}, {MINUTE, 2500, 2000}, {0, 7500, 6000}, {0, 5000, 6000}}},
};

static void scripts_run(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof scripts / sizeof *scripts; i++) {
        struct idle_limit l = {0};
        uint64_t now = DAY;
        for (size_t k = 0; k < 12 && scripts[i].steps[k].limit; k++) {
            const struct step *s = &scripts[i].steps[k];
            now += s->later;
            uint64_t before = idle_limit_ms(&l, now);
            bool changed = s->closed >= 0 && idle_limit_closed(&l, (uint64_t)s->closed, now);
            if (idle_limit_ms(&l, now) != s->limit)
                fail_msg("%s: step %zu: %u", scripts[i].name, k + 1, (unsigned)idle_limit_ms(&l, now));
            assert_int_equal(changed, before != s->limit);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(scripts_run)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
