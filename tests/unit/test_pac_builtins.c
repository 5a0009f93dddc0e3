/* The functions that PAC scripts find, row by row: documented examples, what browsers do beyond them, and what makes no sense. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#include "pac/builtins.h"
#include "pac/calendar.h"
#include "pac/shexp.h"
#include "pac/text.h"

/* --- a world --- */

static unsigned asked;
static struct buf alerted;

static void resolve(void *owner, struct span host, struct buf *addresses)
{
    (void)owner;
    static const struct {
        const char *host, *addresses;
    } names[] = {{"four.example", "192.0.2.10"},
                 {"both.example", "2001:db8::7;192.0.2.11;192.0.2.12"},
                 {"six.example", "2001:db8::8"},
                 {"odd.example", "nonsense;;192.0.2.13"}};
    asked++;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (span_ieq(host, span_str(names[i].host)))
            buf_add_str(addresses, names[i].addresses);
}

static const char *mine;

static void my_own(void *owner, struct buf *addresses)
{
    (void)owner;
    buf_add_str(addresses, mine);
}

static void hear(void *owner, struct span text)
{
    (void)owner;
    buf_add_span(&alerted, text);
}

static time_t now(void *owner)
{
    (void)owner;
    return 1718452800; /* 2024-06-15 12:00:00 GMT, a Saturday */
}

static const struct pac_world world = {resolve, my_own, hear, now, NULL};

/* Calls by name; the answer as text. Arguments end with NULL. */
static const char *call(const char *name, const char *const *args)
{
    static char text[256];
    struct span spans[8];
    size_t n = 0;
    for (; args[n]; n++)
        spans[n] = strcmp(args[n], "<null>") == 0 ? (struct span){0} : span_str(args[n]);
    for (size_t i = 0; i < pac_n_builtins; i++) {
        struct pac_value v = {.kind = PAC_UNDEFINED};
        if (strcmp(pac_builtins[i].name, name) != 0)
            continue;
        pac_builtins[i].run(&world, spans, n, &v);
        switch (v.kind) {
        case PAC_NULL:
            snprintf(text, sizeof text, "null");
            break;
        case PAC_TRUTH:
            snprintf(text, sizeof text, "%s", v.truth ? "true" : "false");
            break;
        case PAC_NUMBER:
            snprintf(text, sizeof text, "%.0f", v.number);
            break;
        case PAC_TEXT:
            snprintf(text, sizeof text, "'%.*s'", SPAN_ARG(buf_span(&v.text)));
            break;
        default:
            snprintf(text, sizeof text, "undefined");
        }
        buf_free(&v.text);
        return text;
    }
    return "no such function";
}

static const struct {
    const char *name, *args[6], *answer;
} functions[] = {
    {"isPlainHostName", {"www"}, "true"},
    {"isPlainHostName", {"www.example"}, "false"},
    {"isPlainHostName", {"2001:db8::1"}, "false"},
    {"isPlainHostName", {""}, "true"},
    {"isPlainHostName", {NULL}, "false"},
    {"dnsDomainIs", {"www.netscape.com", ".netscape.com"}, "true"},
    {"dnsDomainIs", {"www", ".netscape.com"}, "false"},
    {"dnsDomainIs", {"www.mcom.com", ".netscape.com"}, "false"},
    {"dnsDomainIs", {"notexample.com", "example.com"}, "true"},
    {"dnsDomainIs", {"www.example.com", ".EXAMPLE.com"}, "true"},
    {"dnsDomainIs", {"example.com", "www.example.com"}, "false"},
    {"dnsDomainIs", {"example.com", "<null>"}, "false"},
    {"localHostOrDomainIs", {"www.mozilla.org", "www.mozilla.org"}, "true"},
    {"localHostOrDomainIs", {"www", "www.mozilla.org"}, "true"},
    {"localHostOrDomainIs", {"www.google.com", "www.mozilla.org"}, "false"},
    {"localHostOrDomainIs", {"home.mozilla.org", "www.mozilla.org"}, "false"},
    {"localHostOrDomainIs", {"ww", "www.mozilla.org"}, "false"},
    {"localHostOrDomainIs", {"www"}, "false"},
    {"dnsDomainLevels", {"www"}, "0"},
    {"dnsDomainLevels", {"mozilla.org"}, "1"},
    {"dnsDomainLevels", {"www.mozilla.org"}, "2"},
    {"dnsDomainLevels", {NULL}, "0"},
    {"isResolvable", {"four.example"}, "true"},
    {"isResolvable", {"six.example"}, "false"},
    {"isResolvable", {"none.example"}, "false"},
    {"isResolvable", {"192.0.2.1"}, "true"},
    {"isResolvable", {NULL}, "false"},
    {"isResolvableEx", {"six.example"}, "true"},
    {"isResolvableEx", {"none.example"}, "false"},
    {"isResolvableEx", {"::1"}, "true"},
    {"dnsResolve", {"four.example"}, "'192.0.2.10'"},
    {"dnsResolve", {"both.example"}, "'192.0.2.11'"},
    {"dnsResolve", {"odd.example"}, "'192.0.2.13'"},
    {"dnsResolve", {"six.example"}, "null"},
    {"dnsResolve", {"none.example"}, "null"},
    {"dnsResolve", {"198.51.100.1"}, "'198.51.100.1'"},
    {"dnsResolve", {"::1"}, "null"},
    {"dnsResolve", {""}, "null"},
    {"dnsResolve", {"<null>"}, "null"},
    {"dnsResolveEx", {"both.example"}, "'2001:db8::7;192.0.2.11;192.0.2.12'"},
    {"dnsResolveEx", {"none.example"}, "''"},
    {"dnsResolveEx", {"::1"}, "'::1'"},
    {"isInNet", {"198.95.249.79", "198.95.249.79", "255.255.255.255"}, "true"},
    {"isInNet", {"198.95.6.8", "198.95.0.0", "255.255.0.0"}, "true"},
    {"isInNet", {"198.96.6.8", "198.95.0.0", "255.255.0.0"}, "false"},
    {"isInNet", {"four.example", "192.0.2.0", "255.255.255.0"}, "true"},
    {"isInNet", {"none.example", "0.0.0.0", "0.0.0.0"}, "false"},
    {"isInNet", {"six.example", "0.0.0.0", "0.0.0.0"}, "false"},
    {"isInNet", {"::1", "0.0.0.0", "0.0.0.0"}, "false"},
    {"isInNet", {"10.20.30.40", "10", "255"}, "true"},
    {"isInNet", {"11.20.30.40", "10", "255"}, "false"},
    {"isInNet", {"10.20.30.40", "10.0.0.0"}, "false"},
    {"isInNet", {"10.20.30.400", "10.0.0.0", "255.0.0.0"}, "false"},
    {"isInNet", {"010.20.30.40", "10.0.0.0", "255.0.0.0"}, "true"},
    {"isInNet", {"<null>", "10.0.0.0", "255.0.0.0"}, "false"},
    {"isInNetEx", {"10.20.30.40", "10.0.0.0/8"}, "true"},
    {"isInNetEx", {"11.20.30.40", "10.0.0.0/8"}, "false"},
    {"isInNetEx", {"10.20.30.40", "10.20.30.32/27"}, "true"},
    {"isInNetEx", {"10.20.30.64", "10.20.30.32/27"}, "false"},
    {"isInNetEx", {"10.20.30.40", "10.20.30.40/32"}, "true"},
    {"isInNetEx", {"10.20.30.40", "0.0.0.0/0"}, "true"},
    {"isInNetEx", {"10.20.30.40", "10.0.0.0/33"}, "false"},
    {"isInNetEx", {"10.20.30.40", "10.0.0.0"}, "false"},
    {"isInNetEx", {"10.20.30.40", "10.0.0.0/"}, "false"},
    {"isInNetEx", {"10.20.30.40", "10.0.0.0/-1"}, "false"},
    {"isInNetEx", {"3ffe:8311:ffff:abcd:1234:dead:beef:101", "3ffe:8311:ffff::/48"}, "true"},
    {"isInNetEx", {"3ffe:8312:ffff::1", "3ffe:8311:ffff::/48"}, "false"},
    {"isInNetEx", {"[2001:db8::1]", "2001:db8::/128"}, "false"},
    {"isInNetEx", {"fe80::1%eth0", "fe80::/10"}, "true"},
    {"isInNetEx", {"10.0.0.1", "::/0"}, "false"},
    {"isInNetEx", {"four.example", "0.0.0.0/0"}, "false"},
    {"isInNetEx", {"2001:db8::7;192.0.2.11", "192.0.2.0/24"}, "true"},
    {"isInNetEx", {NULL}, "false"},
    {"sortIpAddressList",
     {"10.2.3.9;2001:4898:28:3:201:2ff:feea:fc14;::1;127.0.0.1;::9"},
     "'::1;::9;2001:4898:28:3:201:2ff:feea:fc14;10.2.3.9;127.0.0.1'"},
    {"sortIpAddressList", {" 10.0.0.2 ; 10.0.0.10;9.0.0.1"}, "'9.0.0.1;10.0.0.2;10.0.0.10'"},
    {"sortIpAddressList", {"10.0.0.2;nonsense"}, "''"},
    {"sortIpAddressList", {"10.0.0.2;"}, "'10.0.0.2'"},
    {"sortIpAddressList", {""}, "''"},
    {"sortIpAddressList", {NULL}, "''"},
    {"convert_addr", {"104.16.41.2"}, "1745889538"},
    {"convert_addr", {"255.255.255.255"}, "-1"},
    {"convert_addr", {"1.x"}, "16777216"},
    {"convert_addr", {NULL}, "0"},
    {"getClientVersion", {NULL}, "'1.0'"},
    {"weekdayRange", {"SAT", "GMT"}, "true"},
    {"weekdayRange", {"SUN", "GMT"}, "false"},
    {"dateRange", {"15", "JUN", "2024", "GMT"}, "true"},
    {"timeRange", {"12", "GMT"}, "true"},
    {"timeRange", {"13", "GMT"}, "false"},
    {"shExpMatch", {"http://home.netscape.com/people/ari/index.html", "*/ari/*"}, "true"},
    {"shExpMatch", {"http://home.netscape.com/people/montulli/index.html", "*/ari/*"}, "false"},
    {"shExpMatch", {"x"}, "false"},
};

static void test_functions(void **state)
{
    (void)state;
    mine = "";
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) {
        const char *answer = call(functions[i].name, functions[i].args);
        if (strcmp(answer, functions[i].answer) != 0)
            fail_msg("row %zu: %s(%s, %s): %s", i, functions[i].name, functions[i].args[0],
                     functions[i].args[1], answer);
    }
}

static void test_who_is_asked(void **state)
{
    (void)state;
    char longest[300];
    memset(longest, 'a', sizeof longest);
    longest[256] = '\0';
    asked = 0;
    call("dnsResolve", (const char *const[]){"192.0.2.1", NULL}); /* an address is not looked up */
    call("isInNet", (const char *const[]){"192.0.2.1", "0", "0", NULL});
    call("isInNetEx", (const char *const[]){"four.example", "0.0.0.0/0", NULL});
    call("dnsResolve", (const char *const[]){longest, NULL});
    assert_int_equal(asked, 0);
    longest[255] = '\0';
    call("dnsResolve", (const char *const[]){longest, NULL});
    assert_int_equal(asked, 1);
}

static void test_my_addresses(void **state)
{
    (void)state;
    static const char *const none[] = {NULL};
    mine = "2001:db8::5;192.0.2.5;10.0.0.5";
    assert_string_equal(call("myIpAddress", none), "'192.0.2.5'");
    assert_string_equal(call("myIpAddressEx", none), "'2001:db8::5;192.0.2.5;10.0.0.5'");
    mine = "2001:db8::5";
    assert_string_equal(call("myIpAddress", none), "'2001:db8::5'");
    mine = "";
    assert_string_equal(call("myIpAddress", none), "'127.0.0.1'");
    assert_string_equal(call("myIpAddressEx", none), "''");
    assert_string_equal(call("alert", (const char *const[]){"hello", NULL}), "undefined");
    assert_string_equal(call("alert", none), "undefined");
    assert_string_equal(buf_cstr(&alerted), "hello");
    buf_free(&alerted);
}

/* --- shell expressions --- */

static void test_shexp(void **state)
{
    (void)state;
    static const struct {
        const char *text, *pattern;
        bool match;
    } rows[] = {
        {"", "", true},
        {"a", "", false},
        {"", "*", true},
        {"", "?", false},
        {"abc", "abc", true},
        {"abc", "ABC", false},
        {"abc", "a?c", true},
        {"ac", "a?c", false},
        {"abc", "*", true},
        {"abc", "a*", true},
        {"abc", "*c", true},
        {"abc", "*b", false},
        {"abc", "*b*", true},
        {"abc", "**c**", true},
        {"www.example.com", "*.example.com", true},
        {"wwwXexample.com", "www.example.com", false}, /* '.' is itself */
        {"example.com", "*.example.com", false},
        {"a+b", "a+b", true},
        {"aab", "a+b", false},
        {"a{2}", "a{2}", true},
        {"a\\b", "a\\b", true},
        {"a^b$c", "a^b$c", true},
        {"www.abcdomain.com", "(*.abcdomain.com|abcdomain.com)", true},
        {"abcdomain.com", "(*.abcdomain.com|abcdomain.com)", true},
        {"abcdomain.org", "(*.abcdomain.com|abcdomain.com)", false},
        {"a.com", "*.com|*.org", true},
        {"a.org", "*.com|*.org", true},
        {"a.net", "*.com|*.org", false},
        {"xby", "x(a|b|)y", true},
        {"xy", "x(a|b|)y", true},
        {"xaby", "x(a|b|)y", false},
        {"acd", "(a(b|c)d|e)", true},
        {"e", "(a(b|c)d|e)", true},
        {"ad", "(a(b|c)d|e)", false},
        {"(a", "(a", true}, /* what has no partner is itself */
        {"a)", "a)", true},
        {"[a", "[a", true},
        {"a]", "a]", true},
        {"b", "[abc]", true},
        {"d", "[abc]", false},
        {"7", "[0-9]", true},
        {"host7", "host[0-9]", true},
        {"hostx", "host[0-9]", false},
        {"x", "[^0-9]", true},
        {"7", "[^0-9]", false},
        {"7", "[!0-9]", false},
        {"-", "[a-]", true},
        {"]", "[]]", true},
        {"\xc3\xa4", "?", true}, /* a character, not a byte */
        {"\xc3\xa4\xc3\xb6", "?", false},
        {"\xc3\xa4", "[\xc3\xa0-\xc3\xbf]", true},
        {"\xff", "\xff", true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (shexp_match(span_str(rows[i].text), span_str(rows[i].pattern)) != rows[i].match)
            fail_msg("row %zu: '%s' and '%s'", i, rows[i].text, rows[i].pattern);
}

/* Patterns that keep matchers that go back busy until the end of the world. */
static void test_shexp_hostile(void **state)
{
    (void)state;
    struct buf text = {0}, pattern = {0};
    for (size_t i = 0; i < 2000; i++)
        buf_add_str(&text, "a");
    for (size_t i = 0; i < 300; i++)
        buf_add_str(&pattern, "*a");
    buf_add_str(&pattern, "b");
    assert_false(shexp_match(buf_span(&text), buf_span(&pattern)));
    buf_clear(&pattern);
    for (size_t i = 0; i < 20; i++)
        buf_add_str(&pattern, "(a|a)");
    assert_false(shexp_match(buf_span(&text), buf_span(&pattern)));
    buf_clear(&pattern);
    for (size_t i = 0; i < 100000; i++) /* deep, with and without partners */
        buf_add_str(&pattern, "(");
    assert_false(shexp_match(buf_span(&text), buf_span(&pattern)));
    for (size_t i = 0; i < 100000; i++)
        buf_add_str(&pattern, ")");
    assert_false(shexp_match(buf_span(&text), buf_span(&pattern)));
    buf_clear(&pattern);
    for (size_t i = 0; i < 200000; i++)
        buf_add_str(&pattern, "*");
    assert_true(shexp_match(SPAN("a"), buf_span(&pattern)));
    buf_free(&text);
    buf_free(&pattern);
}

/* --- the clock --- */

typedef bool (*range_fn)(const struct clock *, const struct span *, size_t);

static struct tm moment(int year, int month, int day, int weekday, int hour, int minute, int second)
{
    return (struct tm){.tm_year = year - 1900,
                       .tm_mon = month - 1,
                       .tm_mday = day,
                       .tm_wday = weekday,
                       .tm_hour = hour,
                       .tm_min = minute,
                       .tm_sec = second};
}

struct row {
    const char *args[8];
    bool inside;
};

static void check_rows(range_fn range, const struct clock *clock, const struct row *rows, size_t n_rows)
{
    for (size_t i = 0; i < n_rows; i++) {
        struct span spans[8];
        size_t n = 0;
        for (; n < 8 && rows[i].args[n]; n++)
            spans[n] = span_str(rows[i].args[n]);
        if (range(clock, spans, n) != rows[i].inside)
            fail_msg("row %zu: %s, %s, ...", i, rows[i].args[0], rows[i].args[1]);
    }
}

#define CHECK(range, clock, rows) check_rows(range, clock, rows, sizeof(rows) / sizeof *(rows))

static void test_weekdays(void **state)
{
    (void)state;
    /* here it is Tuesday, in Greenwich still Monday */
    const struct clock clock = {moment(2024, 6, 18, 2, 1, 0, 0), moment(2024, 6, 17, 1, 23, 0, 0)};
    static const struct row rows[] = {
        {{"TUE"}, true},         {{"tue"}, true},
        {{"MON"}, false},        {{"MON", "GMT"}, true},
        {{"TUE", "GMT"}, false}, {{"MON", "FRI"}, true},
        {{"WED", "FRI"}, false}, {{"TUE", "TUE"}, true},
        {{"FRI", "TUE"}, true}, /* over the end of the week */
        {{"FRI", "MON"}, false}, {{"WED", "MON", "GMT"}, true},
        {{"SAT", "FRI"}, true},  {{"MON", "WED", "FRI"}, false},
        {{"TUESDAY"}, false},    {{"2"}, false},
        {{"GMT"}, false},        {{NULL}, false},
    };
    CHECK(weekday_range, &clock, rows);
}

static void test_dates(void **state)
{
    (void)state;
    /* here it is the last day of the year, in Greenwich the first of the next */
    const struct clock clock = {moment(2024, 12, 31, 2, 20, 0, 0), moment(2025, 1, 1, 3, 1, 0, 0)};
    static const struct row rows[] = {
        {{"31"}, true},
        {{"1"}, false},
        {{"1", "GMT"}, true},
        {{"1", "15"}, false},
        {{"15", "31"}, true},
        {{"20", "5"}, true}, /* over the end of the month */
        {{"5", "20"}, false},
        {{"DEC"}, true},
        {{"dec"}, true},
        {{"JAN", "GMT"}, true},
        {{"JAN", "MAR"}, false},
        {{"OCT", "DEC"}, true},
        {{"NOV", "FEB"}, true}, /* over the end of the year */
        {{"FEB", "NOV"}, false},
        {{"2024"}, true},
        {{"2025"}, false},
        {{"2025", "GMT"}, true},
        {{"2020", "2024"}, true},
        {{"2025", "2020"}, false}, /* years do not run over */
        {{"31", "DEC"}, true},
        {{"30", "DEC"}, false},
        {{"DEC", "2024"}, true},
        {{"DEC", "2023"}, false},
        {{"31", "DEC", "2024"}, true},
        {{"1", "JAN", "2025", "GMT"}, true},
        {{"1", "JUN", "15", "AUG"}, false},
        {{"1", "DEC", "31", "DEC"}, true},
        {{"24", "DEC", "6", "JAN"}, true},
        {{"6", "JAN", "24", "DEC"}, false},
        {{"JUN", "1995", "AUG", "1995"}, false},
        {{"OCT", "2023", "JAN", "2025"}, true},
        {{"JAN", "2025", "DEC", "2025", "GMT"}, true},
        {{"1", "JUN", "1995", "15", "AUG", "1995"}, false},
        {{"1", "JUN", "2024", "31", "DEC", "2024"}, true},
        {{"1", "JUN", "2024", "30", "DEC", "2024"}, false},
        {{"2", "JAN", "2025", "1", "JAN", "2024"}, false},
        {{"0"}, false},
        {{"JULY"}, false},
        {{"DEC", "31"}, false}, /* no documented order */
        {{"1", "DEC", "2024", "JAN"}, false},
        {{"31", "2024"}, false},
        {{"-31"}, false},
        {{"99999"}, false},
        {{"1", "2", "3", "4", "5", "6", "7"}, false},
        {{"GMT"}, false},
        {{NULL}, false},
    };
    CHECK(date_range, &clock, rows);
}

static void test_times(void **state)
{
    (void)state;
    const struct clock clock = {moment(2024, 6, 15, 6, 17, 30, 15), moment(2024, 6, 15, 6, 15, 30, 15)};
    static const struct row rows[] = {
        {{"17"}, true},
        {{"15"}, false},
        {{"15", "GMT"}, true},
        {{"9", "17"}, true}, /* the last hour to its end */
        {{"9", "16"}, false},
        {{"18", "9"}, false},
        {{"17", "9"}, true}, /* over midnight */
        {{"22", "18"}, true},
        {{"8", "30", "17", "30"}, true},
        {{"8", "30", "17", "29"}, false},
        {{"17", "31", "8", "0"}, false},
        {{"17", "30", "8", "0"}, true},
        {{"17", "30", "15", "17", "30", "15"}, true},
        {{"17", "30", "16", "17", "30", "59"}, false},
        {{"0", "0", "0", "17", "30", "14"}, false},
        {{"15", "30", "0", "15", "31", "0", "GMT"}, true},
        {{"24"}, false},
        {{"8", "60", "17", "30"}, false},
        {{"8", "30", "17"}, false},
        {{"x"}, false},
        {{"-1"}, false},
        {{"GMT"}, false},
        {{NULL}, false},
    };
    CHECK(time_range, &clock, rows);
}

/* --- encodings --- */

static void test_encodings(void **state)
{
    (void)state;
    static const struct {
        struct span bytes;
        uint16_t units[8];
        size_t n;
    } rows[] = {
        {{"", 0}, {0}, 0},
        {{"ab", 2}, {'a', 'b'}, 2},
        {{"a\0b", 3}, {'a', 0, 'b'}, 3},
        {{"\xef\xbb\xbf"
          "a",
          4},
         {'a'},
         1},
        {{"\xc3\xa4", 2}, {0xe4}, 1},
        {{"\xe2\x82\xac", 3}, {0x20ac}, 1},
        {{"\xf0\x9f\x98\x80", 4}, {0xd83d, 0xde00}, 2},
        {{"\xff\xfe"
          "a\0\xe4\0",
          6},
         {'a', 0xe4},
         2},
        {{"\xfe\xff\0a\0\xe4", 6}, {'a', 0xe4}, 2},
        {{"\xff\xfe"
          "a\0b",
          5},
         {'a'},
         1},                                          /* an odd byte */
        {{"a\xe4", 2}, {'a', 0xe4}, 2},               /* Latin-1 */
        {{"\xc3\xa4\xe4", 3}, {0xc3, 0xa4, 0xe4}, 3}, /* not UTF-8 throughout: none of it */
        {{"\xc0\xaf", 2}, {0xc0, 0xaf}, 2},           /* a longer form than needed */
        {{"\xed\xa0\x80", 3}, {0xed, 0xa0, 0x80}, 3}, /* half of a pair */
        {{"\xf4\x90\x80\x80", 4}, {0xf4, 0x90, 0x80, 0x80}, 4},
        {{"\xe2\x82", 2}, {0xe2, 0x82}, 2}, /* cut short */
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct buf out = {0};
        assert_true(text_to_utf16(rows[i].bytes, &out));
        if (out.n != 2 * rows[i].n || (out.n && memcmp(out.p, rows[i].units, out.n) != 0))
            fail_msg("row %zu", i);
        buf_free(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_functions),     cmocka_unit_test(test_who_is_asked),
        cmocka_unit_test(test_my_addresses),  cmocka_unit_test(test_shexp),
        cmocka_unit_test(test_shexp_hostile), cmocka_unit_test(test_weekdays),
        cmocka_unit_test(test_dates),         cmocka_unit_test(test_times),
        cmocka_unit_test(test_encodings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
