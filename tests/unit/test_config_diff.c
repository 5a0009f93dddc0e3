/* What a reload says has changed: every setting by its name, sections that came and went, and nothing that must not be seen. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "base/buf.h"
#include "config/config.h"

#define UP "[upstream corp]\nproxy = http://p:1\n"

static struct config *load(const char *text)
{
    struct err e = {0};
    struct config *c = config_load_text("t.conf", span_str(text), &e);
    if (!c)
        fail_msg("refused: %s\n%s", e.text, text);
    return c;
}

static const struct {
    const char *before, *after, *said;
} rows[] = {
    {UP, UP, ""},
    {UP, "# a comment\n[upstream corp]\nproxy = p:1\n[log]\nlevel = info\n", ""},
    {UP "[route]\nno-proxy = a\n", UP "[route]\nno-proxy = a b\n", "[route] no-proxy: a -> a b\n"},
    {UP, UP "[route]\nno-proxy = a\n", "[route] no-proxy: (empty) -> a\n"},
    {UP "user = alice\n", UP, "[upstream corp] user: alice -> not set\n"},
    {UP, UP "[upstream lab]\nproxy = q:1\n[forward f]\nlisten = 127.0.0.1:1\ntarget = a:1\n",
     "[upstream lab] added\n[forward f] added\n"},
    {UP "[upstream lab]\nproxy = q:1\n", UP, "[upstream lab] removed\n"},
    {UP "[upstream lab]\nproxy = q:1\n", "[upstream lab]\nproxy = q:1\n" UP,
     "what no rule names: [upstream corp] -> [upstream lab]\n"},
    {UP "[upstream lab]\nproxy = q:1\n", UP "[upstream lab]\nproxy = q:2\nauth = none\n",
     "[upstream lab] proxy: http://q:1 -> http://q:2\n[upstream lab] auth: negotiate ntlm digest -> none\n"},
    {UP "[route]\nrule = x corp\nrule = y direct\n", UP "[route]\nrule = y direct\n",
     "[route] rule: x corp; y direct -> y direct\n"},
    {UP "secret = command:echo one\n", UP "secret = command:echo two\n",
     "[upstream corp] secret: changed (it is not shown)\n"},
    {UP "secret = command:echo one\n", UP "secret = keyring\n",
     "[upstream corp] secret: command:(hidden) -> keyring\n"},
    {UP "secret = command:echo one\n", UP "secret = command:echo one\n", ""},
    {UP, UP "[listen]\ndrain = 1m\n[log]\nformat = json\nfile = /x/y\n",
     "[listen] drain: 5s -> 1m\n[log] file: not set -> /x/y\n[log] format: plain -> json\n"},
    {UP "[gateway]\nlisten = 127.0.0.1:1\nauth = negotiate\n[gateway a]\nlisten = 127.0.0.1:2\n",
     UP "[gateway]\nauth = negotiate\nrealm = r\n[gateway b]\nlisten = 127.0.0.1:4\n[gateway a]\nlisten = "
        "127.0.0.1:2\n",
     "[gateway b] added\n[gateway] listen: 127.0.0.1:1 -> none\n[gateway] realm: exeat -> r\n"
     "[gateway a] realm: exeat -> r\n"},
};

static size_t count_lines(const char *text)
{
    size_t n = 0;
    for (; *text; text++)
        n += *text == '\n';
    return n;
}

static void test_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct config *before = load(rows[i].before), *after = load(rows[i].after);
        struct buf out = {0};
        size_t n = config_diff(before, after, &out);
        if (strcmp(buf_cstr(&out), rows[i].said) != 0)
            fail_msg("row %zu: %s", i, buf_cstr(&out));
        assert_int_equal(n, count_lines(rows[i].said));
        buf_free(&out);
        config_unref(before);
        config_unref(after);
    }
}

/* A list without end is cut, and the end of the line is still there. */
static void test_long(void **state)
{
    (void)state;
    struct buf text = {0}, out = {0};
    buf_add_str(&text, UP "[route]\nno-proxy =");
    for (unsigned i = 0; i < 10000; i++)
        buf_addf(&text, " host%u.example", i);
    struct config *before = load(UP), *after = load(buf_cstr(&text));
    assert_int_equal(config_diff(before, after, &out), 1);
    assert_true(out.n < 500);
    assert_non_null(strstr(buf_cstr(&out), "[route] no-proxy: (empty) -> host0.example"));
    assert_true(span_ends(buf_span(&out), SPAN(" ...\n")));
    buf_free(&text);
    buf_free(&out);
    config_unref(before);
    config_unref(after);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_rows), cmocka_unit_test(test_long)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
