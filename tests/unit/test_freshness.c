/* How long a script from a web server is good: what servers say, what they mean, and what they are not allowed to make us do. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "source/freshness.h"

#define NOW 784111777 /* Sun, 06 Nov 1994 08:49:37 GMT */

static void reads_dates(void **state)
{
    static const struct {
        const char *text;
        int64_t seconds; /* -1: none */
    } cases[] = {
        {"Sun, 06 Nov 1994 08:49:37 GMT", NOW},
        {"Sunday, 06-Nov-94 08:49:37 GMT", NOW},
        {"Sun Nov  6 08:49:37 1994", NOW},
        {"Thu, 01 Jan 1970 00:00:00 GMT", 0},
        {"Tue, 29 Feb 2028 12:00:00 GMT", 1835438400},
        {"Wed, 01 Mar 2028 00:00:00 GMT", 1835481600},
        {"Fri, 31 Dec 9999 23:59:59 GMT", 253402300799},
        {"Sunday, 06-Nov-44 08:49:37 GMT", 2362034977}, /* at most 50 years ahead */
        {"Sunday, 06-Nov-45 08:49:37 GMT", -1},         /* 1945 */
        {"", -1},
        {"0", -1},
        {"-1", -1},
        {"Sun, 06 Nov 1994 08:49:37", -1},
        {"Sun, 06 Nov 1994 08:49:37 PST", -1},
        {"Sun, 32 Nov 1994 08:49:37 GMT", -1},
        {"Sun, 00 Nov 1994 08:49:37 GMT", -1},
        {"Sun, 06 Nox 1994 08:49:37 GMT", -1},
        {"Sun, 06 Nov 1994 24:49:37 GMT", -1},
        {"Sun, 06 Nov 1994 08:60:37 GMT", -1},
        {"Sun, 06 Nov 1994 08.49.37 GMT", -1},
        {"Sun, 06 Nov 1969 08:49:37 GMT", -1},
        {"Sun, 06 Nov 99999999999999999999 08:49:37 GMT", -1},
        {"Sun, 06 Nov 1994 08:49:37 GMT more and more and more", -1},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int64_t seconds = -1;
        bool good = http_date(span_str(cases[i].text), NOW, &seconds);
        if (good != (cases[i].seconds >= 0) || seconds != cases[i].seconds)
            fail_msg("\"%s\": %d, %lld", cases[i].text, good, (long long)seconds);
    }
}

static void bounds_lifetimes(void **state)
{
    static const struct {
        const char *fields;
        unsigned seconds;
    } cases[] = {
        {"", FRESH_DEFAULT},
        {"Cache-Control: max-age=1000\r\n", 1000},
        {"Cache-Control: public, Max-Age=\"1000\"\r\n", 1000},
        {"Cache-Control: max-age=1000\r\nAge: 100\r\n", 900},
        {"Cache-Control: max-age=1000\r\nAge: 100000\r\n", FRESH_LEAST},
        {"Cache-Control: max-age=1000\r\nAge: x\r\n", 1000},
        {"Cache-Control: max-age=0\r\n", FRESH_LEAST},
        {"Cache-Control: no-cache\r\n", FRESH_LEAST},
        {"Cache-Control: max-age=9000, no-store\r\n", FRESH_LEAST},
        {"Cache-Control: max-age=99999999999999999999999999\r\n", FRESH_MOST},
        {"Cache-Control: max-age=-1\r\n", FRESH_DEFAULT},
        {"Cache-Control: max-age=\r\n", FRESH_DEFAULT},
        {"Cache-Control: max-age=5000\r\nCache-Control: max-age=2000\r\n", 2000},
        {"Cache-Control: s-maxage=7000\r\n", FRESH_DEFAULT},
        {"Cache-Control: x=\"a, max-age=7000\"\r\n", FRESH_DEFAULT},
        {"Cache-Control: max-age=2000\r\nExpires: 0\r\n", 2000},
        {"Expires: 0\r\n", FRESH_LEAST},
        {"Expires: Sun, 06 Nov 1994 09:49:37 GMT\r\n", 3600},
        {"Expires: Sun, 06 Nov 1994 09:49:37 GMT\r\nDate: Sun, 06 Nov 1994 09:29:37 GMT\r\n", 1200},
        {"Expires: Sun, 06 Nov 1994 09:49:37 GMT\r\nDate: nonsense\r\n", 3600},
        {"Expires: Sun, 06 Nov 1994 08:00:00 GMT\r\n", FRESH_LEAST},
        {"Expires: Fri, 31 Dec 9999 23:59:59 GMT\r\n", FRESH_MOST},
        {"Expires: Sun, 06 Nov 1994 10:49:37 GMT\r\nAge: 3600\r\n", 3600},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct buf text = {0};
        struct head head;
        struct fault fault;
        buf_addf(&text, "HTTP/1.1 200 OK\r\n%s\r\n", cases[i].fields);
        assert_true(head_read_response(&head, buf_span(&text), &head_limits_default, true, &fault));
        if (freshness(&head, NOW) != cases[i].seconds)
            fail_msg("%s: %u", cases[i].fields, freshness(&head, NOW));
        head_free(&head);
        buf_free(&text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_dates),
        cmocka_unit_test(bounds_lifetimes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
