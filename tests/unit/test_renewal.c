/* When a ticket is renewed, and until when one will do. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "keys/renewal.h"

static void between_80_and_90_percent(void **state)
{
    (void)state;
    static const struct {
        time_t start, until;
    } lives[] = {{1000, 37000}, {1000, 1010}, {0, 7 * 86400}, {4000000000, 4000036000}};
    for (size_t i = 0; i < sizeof lives / sizeof *lives; i++) {
        time_t life = lives[i].until - lives[i].start, least = life, most = 0;
        for (uint32_t dice = 0; dice < 100000; dice += 7) {
            time_t after = renewal_time(lives[i].start, lives[i].until, dice) - lives[i].start;
            least = after < least ? after : least;
            most = after > most ? after : most;
        }
        assert_int_equal(least, life * 8 / 10);
        assert_int_equal(most, life * 9 / 10);
    }
    assert_int_equal(renewal_time(1000, 500, 99), 1000);
    assert_true(renewal_time(0, 36000, UINT32_MAX) <= 32400);
}

static void lasts(void **state)
{
    (void)state;
    static const struct {
        time_t start, until, now;
        bool good;
    } rows[] = {
        {0, 36000, 35939, true}, {0, 36000, 35940, false}, {0, 36000, 40000, false}, {0, 36000, -100, true},
        {0, 100, 94, true},      {0, 100, 95, false},      {0, 10, 9, true},         {0, 10, 10, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct ticket t = {.start = rows[i].start, .until = rows[i].until};
        assert_int_equal(ticket_lasts(&t, rows[i].now), rows[i].good);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(between_80_and_90_percent), cmocka_unit_test(lasts)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
