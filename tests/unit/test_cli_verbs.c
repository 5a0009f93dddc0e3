/*
 * The verbs as a table: every row whole, its help fit to read; the way from a command line to a call; and
 * what status says in words.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/exit.h"
#include "cli/say.h"
#include "cli/status.h"
#include "cli/verb.h"

static size_t count_options(const struct verb *verb)
{
    size_t n = 0;
    while (verb->options && verb->options[n].name)
        n++;
    return n;
}

static void check_option(const struct verb *verb, const struct verb_option *o)
{
    assert_true(strlen(o->name) >= 2);
    assert_string_not_equal(o->name, cli_help_option.name);
    assert_int_not_equal(o->letter, cli_help_option.letter);
    for (const char *c = o->name; *c; c++)
        assert_true(islower((unsigned char)*c) || *c == '-');
    assert_true(o->letter == 0 || isalnum((unsigned char)o->letter));
    assert_true(o->help && *o->help && o->help[strlen(o->help) - 1] != '.');
    for (const char *c = o->argument; c && *c; c++)
        assert_true(isupper((unsigned char)*c));
    for (const struct verb_option *other = verb->options; other != o; other++) {
        assert_string_not_equal(other->name, o->name);
        assert_true(o->letter == 0 || other->letter != o->letter);
    }
}

static void test_rows(void **state)
{
    (void)state;
    size_t n = 0;
    for (const struct verb *const *v = cli_verbs; *v; v++, n++) {
        assert_ptr_equal(verb_named((*v)->name), *v); /* no name twice */
        assert_true((*v)->summary && *(*v)->summary && isupper((unsigned char)(*v)->summary[0]));
        assert_true((*v)->help && strlen((*v)->help) > 40);
        assert_non_null((*v)->run);
        assert_int_equal(*(*v)->arguments != '\0', (*v)->max_words != 0);
        assert_true(count_options(*v) <= VERB_OPTIONS_MAX);
        for (size_t i = 0; i < count_options(*v); i++)
            check_option(*v, &(*v)->options[i]);
    }
    assert_int_equal(n, 24);
    assert_null(verb_named("exeat"));
    assert_null(verb_named(""));
}

static char *shown(void (*show)(FILE *, const struct verb *), const struct verb *verb)
{
    char *text = NULL;
    size_t n;
    FILE *memory = open_memstream(&text, &n);
    show(memory, verb);
    fclose(memory);
    return text;
}

static void show_program(FILE *to, const struct verb *verb)
{
    (void)verb;
    program_help(to);
}

static void check_width(const char *text)
{
    struct span rest = span_str(text);
    while (rest.n) {
        struct span line = span_cut(&rest, '\n');
        if (line.n > 80)
            fail_msg("a line of %zu columns: %.*s", line.n, SPAN_ARG(line));
        assert_true(line.n == 0 || line.p[line.n - 1] != ' ');
    }
}

static void test_help(void **state)
{
    (void)state;
    char *all = shown(show_program, NULL);
    check_width(all);
    assert_non_null(strstr(all, "--version"));
    for (const struct verb *const *v = cli_verbs; *v; v++) {
        assert_non_null(strstr(all, (*v)->summary));
        char *text = shown(verb_help, *v);
        check_width(text);
        assert_non_null(strstr(text, "--help"));
        for (size_t i = 0; i < count_options(*v); i++) {
            assert_non_null(strstr(text, (*v)->options[i].name));
            assert_non_null(strstr(text, (*v)->options[i].help));
        }
        free(text);
    }
    free(all);
}

/* --- from words to a call */

struct parse_case {
    const char *line; /* words between blanks, the verb first */
    const char *config, *json;
    size_t n_words;
    bool help;
    const char *error; /* NULL: it is right */
};

static size_t split(char *line, char **words)
{
    size_t n = 0;
    for (char *word = strtok(line, " "); word; word = strtok(NULL, " "))
        words[n++] = word;
    words[n] = NULL;
    return n;
}

static const struct verb_option some_options[] = {
    {"config", 'c', "FILE", "a file"},
    {"json", 'j', NULL, "for programs"},
    {0},
};

static const struct verb some_verb = {
    .name = "some", .arguments = "[WORD]", .max_words = 1, .options = some_options};

static void test_parse(void **state)
{
    (void)state;
    static const struct parse_case cases[] = {
        {"some", NULL, NULL, 0, false, NULL},
        {"some --config a --json", "a", "", 0, false, NULL},
        {"some --config=a", "a", NULL, 0, false, NULL},
        {"some --config= x", "", NULL, 1, false, NULL},
        {"some -c a -j", "a", "", 0, false, NULL},
        {"some -jca x", "a", "", 1, false, NULL},
        {"some x --js", NULL, "", 1, false, NULL},
        {"some -- --json", NULL, NULL, 1, false, NULL},
        {"some - -j", NULL, "", 1, false, NULL},
        {"some --help a b c", NULL, NULL, 3, true, NULL},
        {"some -h", NULL, NULL, 0, true, NULL},
        {"some a b", NULL, NULL, 0, false, "\"b\" is one word too many: see \"exeat help some\""},
        {"some --config", NULL, NULL, 0, false,
         "the option \"--config\" needs a value: see \"exeat help some\""},
        {"some -c", NULL, NULL, 0, false, "the option \"-c\" needs a value: see \"exeat help some\""},
        {"some -jc", NULL, NULL, 0, false, "the option \"-jc\" needs a value: see \"exeat help some\""},
        {"some --json=1", NULL, NULL, 0, false, "the option \"--json\" takes no value"},
        {"some --help=1", NULL, NULL, 0, false, "the option \"--help\" takes no value"},
        {"some --jsno", NULL, NULL, 0, false,
         "\"exeat some\" has no option \"--jsno\": did you mean \"--json\"?"},
        {"some --conifg=a", NULL, NULL, 0, false,
         "\"exeat some\" has no option \"--conifg\": did you mean \"--config\"?"},
        {"some --zebra x", NULL, NULL, 0, false,
         "\"exeat some\" has no option \"--zebra\": see \"exeat help some\""},
        {"some -z", NULL, NULL, 0, false, "\"exeat some\" has no option \"-z\": see \"exeat help some\""},
        {"some -j --json", NULL, NULL, 0, false, "the option \"--json\" is given twice"},
        {"some -c a --config b", NULL, NULL, 0, false, "the option \"--config\" is given twice"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct parse_case *c = &cases[i];
        char line[128], *words[16];
        snprintf(line, sizeof line, "%s", c->line);
        struct verb_call call;
        struct err e = {0};
        bool good = verb_parse(&some_verb, (int)split(line, words), words, false, &call, &e);
        if (good != !c->error)
            fail_msg("%s: %s", c->line, good ? "was taken" : e.text);
        if (c->error) {
            assert_string_equal(e.text, c->error);
            assert_int_equal(e.code, ERR_USAGE);
            continue;
        }
        assert_int_equal(call.n_words, c->n_words);
        assert_int_equal(call.help, c->help);
        assert_int_equal(verb_given(&call, "config"), c->config != NULL);
        assert_int_equal(verb_given(&call, "json"), c->json != NULL);
        if (c->config)
            assert_string_equal(verb_value(&call, "config"), c->config);
    }
}

/* Options before the verb are the program's, all behind it is the verb's. */
static void test_parse_program(void **state)
{
    (void)state;
    char line[] = "exeat --version status --json a b", *words[16];
    struct verb_call call;
    struct err e = {0};
    assert_true(verb_parse(&cli_program, (int)split(line, words), words, true, &call, &e));
    assert_true(verb_given(&call, "version"));
    assert_int_equal(call.n_words, 4);
    assert_string_equal(call.words[0], "status");
    char wrong[] = "exeat --json status";
    assert_false(verb_parse(&cli_program, (int)split(wrong, words), words, true, &call, &e));
    assert_string_equal(e.text, "\"exeat\" has no option \"--json\": see \"exeat help\"");
}

/* --- exit codes */

static bool has_row(enum exit_code code)
{
    for (const struct exit_row *row = exit_rows; row->meaning; row++)
        if (row->code == code)
            return true;
    return false;
}

static void test_exit_codes(void **state)
{
    (void)state;
    int expected = 0;
    for (const struct exit_row *row = exit_rows; row->meaning; row++)
        assert_int_equal(row->code, expected++);
    for (int code = ERR_NONE; code <= ERR_LIMIT; code++)
        assert_true(has_row(exit_from_err((enum err_code)code)));
    for (int code = ERR_USAGE; code <= ERR_LIMIT; code++)
        assert_int_not_equal(exit_from_err((enum err_code)code), EXIT_DONE);
    for (uint32_t verdict = 0; verdict <= KEYS_VERDICT_END; verdict++)
        assert_true(has_row(exit_from_verdict(verdict)));
    static const struct {
        uint32_t verdict;
        enum exit_code code;
    } verdicts[] = {
        {0, EXIT_FAILED},
        {KEYS_OK, EXIT_DONE},
        {KEYS_NOT_ASKED, EXIT_DONE},
        {KEYS_SEND, EXIT_FAILED},
        {KEYS_REFUSED, EXIT_REFUSED},
        {KEYS_SITE_REFUSED, EXIT_REFUSED},
        {KEYS_UNAVAILABLE, EXIT_FAILED},
        {KEYS_MUTUAL_FAILED, EXIT_FAILED},
        {KEYS_TIMEOUT, EXIT_UNREACHABLE},
        {KEYS_UNREACHABLE, EXIT_UNREACHABLE},
        {KEYS_DOWNGRADED, EXIT_FAILED},
        {KEYS_VERDICT_END, EXIT_FAILED},
        {UINT32_MAX, EXIT_FAILED},
    };
    for (size_t i = 0; i < sizeof verdicts / sizeof *verdicts; i++)
        assert_int_equal(exit_from_verdict(verdicts[i].verdict), verdicts[i].code);
}

/* --- words */

static void test_clean(void **state)
{
    (void)state;
    static const struct {
        const char *text, *shown;
    } cases[] = {
        {"plain\ntext", "plain\ntext"},
        {"\x1b[31mred\x1b[0m", "?[31mred?[0m"},
        {"a\tb\rc\x7f"
         "d",
         "a?b?c?d"},
        {"gr\xc3\xbc\xc3\x9f dich \xe2\x82\xac", "gr\xc3\xbc\xc3\x9f dich \xe2\x82\xac"},
        {"\xc2\x9b"
         "31m \xc2\xa0",
         "?31m \xc2\xa0"},
        {"\xc2", "?"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *text = NULL;
        size_t n;
        FILE *memory = open_memstream(&text, &n);
        say_clean(memory, span_str(cases[i].text));
        fclose(memory);
        assert_string_equal(text, cases[i].shown);
        free(text);
    }
}

static void expect_status(const char *json, const char *expected)
{
    json_t *answer = json_loads(json, 0, NULL);
    assert_non_null(answer);
    struct buf text;
    buf_init(&text, 0);
    status_text(&text, answer);
    assert_string_equal(buf_cstr(&text), expected);
    buf_free(&text);
    json_decref(answer);
}

static void test_status_text(void **state)
{
    (void)state;
    expect_status(
        "{\"ok\":true,\"version\":\"0.1.0\",\"pid\":123,\"uptime\":7384,\"config\":\"/etc/exeat/exeat.conf\","
        "\"listening\":[\"127.0.0.1:3128\",\"[::1]:3128\"],\"upstreams\":[{\"name\":\"corp\",\"proxies\":["
        "{\"proxy\":\"http://p:8080\",\"idle\":1,\"busy\":2,\"state\":\"ready\"},{\"proxy\":\"http://"
        "q:8080\",\"idle\":0,"
        "\"busy\":1,\"waiting\":4,\"state\":\"asleep\"}],\"identity\":\"CORP\\\\alice\",\"scheme\":\"NTLM\","
        "\"state\":"
        "\"refused\",\"held\":2,"
        "\"remedy\":\"type \\\"exeat login "
        "corp\\\"\"}],\"clients\":3,\"tunnels_open\":1,\"counters\":{\"requests\":10,"
        "\"tunnels\":4,\"challenges\":2,\"handshakes\":1,\"refusals\":0,\"connections\":2,\"bytes_up\":1023,"
        "\"bytes_down\":5767168}}",
        "exeat 0.1.0 is running (process 123, for 2 hours and 3 minutes),\n"
        "configured by /etc/exeat/exeat.conf.\n"
        "Listening on 127.0.0.1:3128, [::1]:3128.\n"
        "\n"
        "Upstream corp\n"
        "  state         refused\n"
        "  what to do    type \"exeat login corp\"\n"
        "  waiting       2 CONNECTs, for the password\n"
        "  you are       CORP\\alice\n"
        "  signs in by   NTLM\n"
        "  proxy         http://p:8080: ready, 2 busy connections and 1 idle\n"
        "  proxy         http://q:8080: asleep, 1 busy connection and 0 idle, 4 waiting for one\n"
        "\n"
        "Now\n"
        "  programs connected                    3\n"
        "  tunnels open                          1\n"
        "\n"
        "Since it was started\n"
        "  requests                              10\n"
        "  tunnels opened                        4\n"
        "  connections to proxies                2\n"
        "  times a proxy asked who we are (407)  2\n"
        "  handshakes                            1\n"
        "  refusals                              0\n"
        "  sent                                  1023 bytes\n"
        "  received                              5.5 MiB\n");
}

/* An agent of another version may leave things out, or say them otherwise: nothing of that may end us. */
static void test_status_text_of_others(void **state)
{
    (void)state;
    static const char *const answers[] = {
        "{}",
        "[]",
        "{\"listening\":[1,null],\"upstreams\":[7,{},{\"proxies\":[1,{}]}],\"counters\":[],\"pid\":-1,"
        "\"uptime\":\"x\"}",
        "{\"listening\":{},\"upstreams\":{},\"config\":null,\"uptime\":99999999999999}",
    };
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
        json_t *answer = json_loads(answers[i], 0, NULL);
        assert_non_null(answer);
        struct buf text;
        buf_init(&text, 0);
        status_text(&text, answer);
        assert_non_null(strstr(buf_cstr(&text), "configured by the environment"));
        buf_free(&text);
        json_decref(answer);
    }
}

static void test_durations(void **state)
{
    (void)state;
    static const struct {
        int seconds;
        const char *text;
    } cases[] = {
        {0, "for 0 seconds)"},
        {1, "for 1 second)"},
        {59, "for 59 seconds)"},
        {60, "for 1 minute)"},
        {3599, "for 59 minutes)"},
        {3600, "for 1 hour)"},
        {3660, "for 1 hour and 1 minute)"},
        {86400, "for 1 day)"},
        {180000, "for 2 days and 2 hours)"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        json_t *answer = json_pack("{s:i}", "uptime", cases[i].seconds);
        struct buf text;
        buf_init(&text, 0);
        status_text(&text, answer);
        if (!strstr(buf_cstr(&text), cases[i].text))
            fail_msg("%d: %s", cases[i].seconds, buf_cstr(&text));
        buf_free(&text);
        json_decref(answer);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),        cmocka_unit_test(test_help),
        cmocka_unit_test(test_parse),       cmocka_unit_test(test_parse_program),
        cmocka_unit_test(test_exit_codes),  cmocka_unit_test(test_clean),
        cmocka_unit_test(test_status_text), cmocka_unit_test(test_status_text_of_others),
        cmocka_unit_test(test_durations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
