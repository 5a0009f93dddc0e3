/* The syntax of configuration files: lines, comments, quotes, and each sentence that a broken one gets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>

#include "config/ini.h"

#define S(text)                                                                                              \
    {                                                                                                        \
        text, sizeof(text) - 1                                                                               \
    }

/* "line:[section name]" or "line:key=value", each followed by |, or "line:!sentence". */
static void read_all(struct span text, struct buf *out)
{
    struct ini ini;
    struct ini_line line;
    struct err e;
    buf_clear(out);
    ini_start(&ini, text);
    for (;;) {
        enum ini_kind kind = ini_next(&ini, &line, &e);
        if (kind == INI_END)
            return;
        if (kind == INI_SECTION)
            buf_addf(out, "%u:[%.*s %.*s]|", ini.line, SPAN_ARG(line.section), SPAN_ARG(line.name));
        else if (kind == INI_PAIR)
            buf_addf(out, "%u:%.*s=%.*s|", ini.line, SPAN_ARG(line.key), SPAN_ARG(line.value));
        else
            buf_addf(out, "%u:!%s", ini.line, e.text);
        if (kind == INI_BROKEN)
            return;
    }
}

static void test_lines(void **state)
{
    (void)state;
    static const struct {
        struct span text;
        const char *seen;
    } cases[] = {
        {S(""), ""},
        {S("\n\n  \n\t\n# only\n  # comments"), ""},
        {S("[a]\nk = v\n"), "1:[a ]|2:k=v|"},
        {S("k=v"), "1:k=v|"},
        {S("\xEF\xBB\xBF[a]\r\nk = v\r\n"), "1:[a ]|2:k=v|"},
        {S("\xEF\xBB\xBF"), ""},
        {S(" [ upstream   corp ] # c\n"), "1:[upstream corp]|"},
        {S("[upstream corp x]"), "1:[upstream corp x]|"},
        {S("\tkey-2_X\t=\tv w\t\n"), "1:key-2_X=v w|"},
        {S("k ="), "1:k=|"},
        {S("k = # c"), "1:k=|"},
        {S("k =# c"), "1:k=# c|"},
        {S("k = a#b #c"), "1:k=a#b|"},
        {S("k = a\t# c # d"), "1:k=a|"},
        {S("k = #a"), "1:k=|"},
        {S("k = \"a # b\" # c"), "1:k=\"a # b\"|"},
        {S("k = \"a \\\" # b\" # c"), "1:k=\"a \\\" # b\"|"},
        {S("k = \"a\\\\\" # c"), "1:k=\"a\\\\\"|"},
        {S("k = command:x \"a # b\" # c"), "1:k=command:x \"a # b\"|"},
        {S("k = a \\# b"), "1:k=a \\# b|"},
        {S("k = C:\\dir\\ # c"), "1:k=C:\\dir\\|"},
        {S("k = a = b"), "1:k=a = b|"},
        {S("k = [x]"), "1:k=[x]|"},
        {S("k = \xC3\xA4 \xE2\x82\xAC \xF0\x9F\x94\x91"), "1:k=\xC3\xA4 \xE2\x82\xAC \xF0\x9F\x94\x91|"},
        {S("# \xFF in a comment may be anything\x01\nk = v # \xFF"), "2:k=v|"},
    };
    struct buf out;
    buf_init(&out, 0);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *exact = mem_alloc(cases[i].text.n);
        memcpy(exact, cases[i].text.p, cases[i].text.n);
        read_all(span_make(exact, cases[i].text.n), &out);
        assert_string_equal(buf_cstr(&out), cases[i].seen);
        free(exact);
    }
    buf_free(&out);
}

static void test_broken_lines(void **state)
{
    (void)state;
    static const struct {
        struct span text;
        const char *seen;
    } cases[] = {
        {S("\n[a"), "2:!a section header without its closing bracket"},
        {S("[]"), "1:!a section header without a name"},
        {S("[  ]"), "1:!a section header without a name"},
        {S("[a] b"), "1:!text behind a section header; a comment there needs a blank before its #"},
        {S("[a]# c"), "1:!text behind a section header; a comment there needs a blank before its #"},
        {S("[a\x01]"), "1:!a control character (0x01)"},
        {S("; old style"), "1:!a comment begins with #, not with ;"},
        {S("; k = v"), "1:!a comment begins with #, not with ;"},
        {S("just words"), "1:!expected [section], key = value or # comment"},
        {S("= v"), "1:!expected [section], key = value or # comment"},
        {S("http://alice:hunter2@proxy/?a=b"), "1:!expected [section], key = value or # comment"},
        {S("k k = v"), "1:!expected [section], key = value or # comment"},
        {S("k\xC3\xA4 = v"), "1:!expected [section], key = value or # comment"},
        {S("k = a\0b"), "1:!a NUL byte; save the file as plain text in UTF-8"},
        {S("# a\0b"), "1:!a NUL byte; save the file as plain text in UTF-8"},
        {S("\xFF\xFE[\0a\0]\0"), "1:!a NUL byte; save the file as plain text in UTF-8"},
        {S("k = a\rb"), "1:!a control character (0x0d)"},
        {S("k = v\r\r\n"), "1:!a control character (0x0d)"},
        {S("k = \x1B[31m"), "1:!a control character (0x1b)"},
        {S("k = \x7F"), "1:!a control character (0x7f)"},
        {S("k = \xE4"), "1:!not UTF-8"},
        {S("k = \xC0\x80"), "1:!not UTF-8"},
        {S("k = \xC3"), "1:!not UTF-8"},
        {S("k = \xC3("), "1:!not UTF-8"},
        {S("k = \xE0\x80\x80"), "1:!not UTF-8"},
        {S("k = \xED\xA0\x80"), "1:!not UTF-8"},
        {S("k = \xE2\x82("), "1:!not UTF-8"},
        {S("k = \xF0\x80\x80\x80"), "1:!not UTF-8"},
        {S("k = \xF4\x90\x80\x80"), "1:!not UTF-8"},
        {S("k = \xF5\x80\x80\x80"), "1:!not UTF-8"},
        {S("k = \x80"), "1:!not UTF-8"},
        {S("a = b\nc = d\n?"), "1:a=b|2:c=d|3:!expected [section], key = value or # comment"},
    };
    struct buf out;
    buf_init(&out, 0);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *exact = mem_alloc(cases[i].text.n);
        memcpy(exact, cases[i].text.p, cases[i].text.n);
        read_all(span_make(exact, cases[i].text.n), &out);
        assert_string_equal(buf_cstr(&out), cases[i].seen);
        free(exact);
    }
    buf_free(&out);
}

static void test_values(void **state)
{
    (void)state;
    static const struct {
        const char *value, *text, *error;
    } cases[] = {
        {"", "", NULL},
        {"a b", "a b", NULL},
        {"CORP\\alice", "CORP\\alice", NULL},
        {"C:\\\\x", "C:\\\\x", NULL},
        {"\"\"", "", NULL},
        {"\" a \"", " a ", NULL},
        {"\"CORP\\alice\"", "CORP\\alice", NULL},
        {"\"a\\\\b\\\"c\\d\"", "a\\b\"c\\d", NULL},
        {"command:show \"my entry\"", "command:show \"my entry\"", NULL},
        {"command:show \"my \\\" entry\" x", "command:show \"my \\\" entry\" x", NULL},
        {"it's", "it's", NULL},
        {"\"a", NULL, "a double quote is not closed"},
        {"\"a\\\"", NULL, "a double quote is not closed"},
        {"\"a\\", NULL, "a double quote is not closed"},
        {"\"", NULL, "a double quote is not closed"},
        {"a \"b", NULL, "a double quote is not closed"},
        {"\"a\" b", NULL, "text behind the closing double quote"},
        {"\"a\"\"b\"", NULL, "text behind the closing double quote"},
    };
    struct buf out;
    buf_init(&out, 0);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct err e = {0};
        size_t n = strlen(cases[i].value);
        char *exact = mem_alloc(n); /* so that ASan sees a byte read too far */
        memcpy(exact, cases[i].value, n);
        bool ok = ini_value(span_make(exact, n), &out, &e);
        free(exact);
        assert_string_equal(ok ? buf_cstr(&out) : e.text, ok ? cases[i].text : cases[i].error);
    }
    buf_free(&out);
}

static void test_items(void **state)
{
    (void)state;
    static const struct {
        const char *value, *items; /* each item in <>, or ! and the sentence */
    } cases[] = {
        {"", ""},
        {" \t ", ""},
        {"a", "<a>"},
        {"a  b\tc", "<a><b><c>"},
        {"\"a b\" c", "<a b><c>"},
        {"\"\" c", "<><c>"},
        {"\"a\\\"b\\\\\"", "<a\"b\\>"},
        {"a\\b", "<a\\b>"},
        {"a \"b", "<a>!a double quote is not closed"},
        {"\"a\"b", "!text behind the closing double quote"},
        {"a b\"c\"", "<a>!a double quote inside a word; put the whole word in double quotes"},
    };
    struct buf out, item;
    buf_init(&out, 0);
    buf_init(&item, 0);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct span rest = span_str(cases[i].value);
        struct err e = {0};
        int more;
        buf_clear(&out);
        while ((more = ini_item(&rest, &item, &e)) > 0)
            buf_addf(&out, "<%s>", buf_cstr(&item));
        if (more < 0)
            buf_addf(&out, "!%s", e.text);
        assert_string_equal(buf_cstr(&out), cases[i].items);
    }
    buf_free(&out);
    buf_free(&item);
}

/* What is put is read back, as a value and as an item of a list, through a whole line with a comment behind
 * it. */
static void test_put_and_read(void **state)
{
    (void)state;
    static const char *const texts[] = {"a",    "a b",    "",      " a",        "a ",      "#",    "a #b",
                                        "a#b",  "\"",     "\"a\"", "\\",        "a\\",     "\\\"", "a\"b",
                                        "\\\\", "a\\\"b", "a\tb",  "C:\\a b\\", "\xC3\xA4"};
    struct buf line, out;
    buf_init(&line, 0);
    buf_init(&out, 0);
    for (size_t i = 0; i < 2 * sizeof texts / sizeof *texts; i++) {
        struct span text = span_str(texts[i / 2]);
        struct ini ini;
        struct ini_line read;
        struct err e;
        buf_clear(&line);
        buf_add_str(&line, "k = ");
        if (i % 2)
            ini_put_item(&line, text);
        else
            ini_put_value(&line, text);
        buf_add_str(&line, "  # comment");
        ini_start(&ini, buf_span(&line));
        assert_int_equal(ini_next(&ini, &read, &e), INI_PAIR);
        if (i % 2) {
            assert_int_equal(ini_item(&read.value, &out, &e), 1);
            assert_int_equal(span_trim(read.value).n, 0);
        } else {
            assert_true(ini_value(read.value, &out, &e));
        }
        assert_string_equal(buf_cstr(&out), texts[i / 2]);
    }
    buf_clear(&line);
    ini_put_value(&line, SPAN("CORP\\alice smith")); /* no quotes where none are needed */
    ini_put_item(&line, SPAN("|CORP\\alice"));
    assert_string_equal(buf_cstr(&line), "CORP\\alice smith|CORP\\alice");
    buf_free(&line);
    buf_free(&out);
}

static void test_long_line(void **state)
{
    (void)state;
    size_t n = 3 << 20;
    struct buf text, out;
    buf_init(&text, 0);
    buf_init(&out, 0);
    buf_add_str(&text, "k = ");
    buf_reserve(&text, n);
    memset(text.p + text.n, 'x', n);
    text.n += n;
    buf_add_str(&text, "\nl = m");
    struct ini ini;
    struct ini_line line;
    struct err e;
    ini_start(&ini, buf_span(&text));
    assert_int_equal(ini_next(&ini, &line, &e), INI_PAIR);
    assert_int_equal(line.value.n, n);
    assert_int_equal(ini_next(&ini, &line, &e), INI_PAIR);
    assert_int_equal(ini.line, 2);
    buf_free(&text);
    buf_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines), cmocka_unit_test(test_broken_lines), cmocka_unit_test(test_values),
        cmocka_unit_test(test_items), cmocka_unit_test(test_put_and_read), cmocka_unit_test(test_long_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
