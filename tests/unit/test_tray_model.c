/*
 * What the tray makes of the agent's answers (tray/model.c), and which of it is worth a notification (tray/notice.c).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tray/model.h"
#include "tray/notice.h"

static void take(struct model *m, const char *text)
{
    json_error_t at;
    json_t *status = json_loads(text, 0, &at);
    assert_non_null(status);
    model_take(m, status);
    json_decref(status);
}

#define UPSTREAM(more)                                                                                       \
    "{'ok': true, 'state': 7, 'on': true, 'when_off': 'refuse', 'in_flight': 1, 'tunnels_open': 2, "         \
    "'upstreams': [{'name': 'corp', 'proxies': [{'proxy': 'proxy1:8080'}], 'identity': 'alice@CORP', "       \
    "'scheme': 'Negotiate (Kerberos)'" more "}]}"

/* JSON with single quotes, so that it can be read here. */
static void take_quoted(struct model *m, const char *text)
{
    char *copy = mem_strdup(text);
    for (char *c = copy; *c; c++)
        if (*c == '\'')
            *c = '"';
    take(m, copy);
    free(copy);
}

static const struct model_row *row_of(const struct model_rows *rows, enum model_action action)
{
    for (size_t i = 0; i < rows->n; i++)
        if (rows->rows[i].action == action)
            return &rows->rows[i];
    return NULL;
}

static bool has_line(const struct model_rows *rows, const char *words)
{
    for (size_t i = 0; i < rows->n; i++)
        if (rows->rows[i].label.n &&
            memmem(rows->rows[i].label.p, rows->rows[i].label.n, words, strlen(words)))
            return true;
    return false;
}

static void icons(void **state)
{
    static const struct {
        const char *status;
        enum model_icon icon;
    } cases[] = {
        {UPSTREAM(", 'mode': 'proxy'"), ICON_BUSY},
        {UPSTREAM(", 'mode': 'direct'"), ICON_DIRECT},
        {UPSTREAM(", 'mode': 'asleep'"), ICON_PROBLEM},
        {UPSTREAM(", 'problem': true"), ICON_PROBLEM},
        {"{'on': false, 'in_flight': 1, 'upstreams': [{'problem': true}]}", ICON_OFF},
        {"{'on': true, 'upstreams': [{'mode': 'direct'}, {'mode': 'proxy'}]}", ICON_ON},
        {"{}", ICON_ON},
        {"{'upstreams': [3, null, {'name': 4, 'proxies': 5}], 'in_flight': -1}", ICON_ON},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct model m;
        model_init(&m);
        assert_int_equal(model_icon(&m), ICON_OFF);
        take_quoted(&m, cases[i].status);
        assert_int_equal(model_icon(&m), cases[i].icon);
        model_gone(&m, AGENT_MISSING, "why");
        assert_int_equal(model_icon(&m), ICON_PROBLEM);
        model_gone(&m, AGENT_STOPPED, NULL);
        assert_int_equal(model_icon(&m), ICON_OFF);
        model_done(&m);
    }
}

static void menu(void **state)
{
    struct model m;
    struct model_rows rows;
    (void)state;
    model_init(&m);
    model_rows(&m, &rows);
    assert_non_null(row_of(&rows, ACTION_START));
    assert_null(row_of(&rows, ACTION_SWITCH));
    model_rows_free(&rows);
    take_quoted(&m, UPSTREAM(", 'mode': 'proxy', 'alarm': true, 'problem': true, 'state': 'rings'"));
    model_rows(&m, &rows);
    assert_true(row_of(&rows, ACTION_SWITCH)->checked);
    assert_string_equal(row_of(&rows, ACTION_ACCEPT)->upstream, "corp");
    assert_string_equal(row_of(&rows, ACTION_PASSWORD)->upstream, "corp");
    assert_true(has_line(&rows, "corp (proxy1:8080): by proxy"));
    assert_true(has_line(&rows, "alice@CORP, Negotiate (Kerberos)"));
    assert_true(has_line(&rows, "1 request in flight, 2 tunnels open"));
    assert_true(has_line(&rows, "rings"));
    assert_null(row_of(&rows, ACTION_START));
    assert_null(row_of(&rows, ACTION_DESKTOP));
    model_rows_free(&rows);
    model_done(&m);
}

/* More upstreams than a menu can show, with texts longer than it can. */
static void ceilings(void **state)
{
    struct model m;
    struct model_rows rows;
    json_t *status = json_object(), *list = json_array();
    char text[1001];
    (void)state;
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    for (int i = 0; i < 100; i++)
        json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:s, s:b, s:b, s:b}", "name", text, "identity",
                                              text, "renew", "kinit", "state", "two\nlines", "alarm", 1,
                                              "problem", 1, "login_helps", 1));
    json_object_set_new(status, "upstreams", list);
    json_object_set_new(status, "last_problem", json_string(text));
    json_object_set_new(status, "last_problem_at", json_integer(1));
    model_init(&m);
    m.desktop = mem_strdup("GNOME");
    model_unsaid(&m, text);
    model_take(&m, status);
    json_decref(status);
    model_rows(&m, &rows);
    assert_true(rows.n <= MODEL_ROWS_MOST);
    assert_true(has_line(&rows, "two lines"));
    assert_true(has_line(&rows, "and 92 more: exeat status"));
    for (size_t i = 0; i < rows.n; i++)
        assert_true(rows.rows[i].label.n < 1000);
    model_rows_free(&rows);
    model_done(&m);
}

static void characters_stay_whole(void **state)
{
    struct model m;
    char text[500] = "{\"upstreams\": [{\"name\": \"";
    (void)state;
    for (int i = 0; i < 199; i++)
        strcat(text, "x");
    strcat(text, "\xc3\xa9\"}]}"); /* the limit falls into this one */
    model_init(&m);
    take(&m, text);
    assert_int_equal(strlen(m.upstreams[0].name), 199);
    model_done(&m);
}

/* --- notifications --- */

#define NOW ((time_t)1000000)

struct world {
    struct model m;
    struct notices *n;
};

static int begin(void **state)
{
    struct world *w = mem_zero(sizeof *w);
    model_init(&w->m);
    w->n = notices_new();
    *state = w;
    return 0;
}

static int end(void **state)
{
    struct world *w = *state;
    model_done(&w->m);
    notices_free(w->n);
    free(w);
    return 0;
}

/* How many are told at that second, of which the last is this. */
static size_t told(struct world *w, const char *status, uint64_t now, enum notice_kind kind)
{
    struct notice notice;
    size_t count = 0;
    if (status)
        take_quoted(&w->m, status);
    notices_look(w->n, &w->m, NOW);
    while (notices_take(w->n, now, &notice)) {
        assert_int_equal(notice.kind, kind);
        buf_free(&notice.title);
        buf_free(&notice.text);
        count++;
    }
    return count;
}

#define REFUSED(when) UPSTREAM(", 'problem': true, 'login_helps': true, 'state': 'refused " when "'")
#define FINE          UPSTREAM("")

static void never_the_same_cause_twice(void **state)
{
    struct world *w = *state;
    assert_int_equal(told(w, FINE, 1, NOTICE_PASSWORD), 0);
    assert_int_equal(told(w, REFUSED("10:00"), 2, NOTICE_PASSWORD), 1);
    assert_int_equal(told(w, REFUSED("10:00"), 1000, NOTICE_PASSWORD), 0);
    assert_int_equal(told(w, FINE, 2000, NOTICE_PASSWORD), 0);
    assert_int_equal(told(w, REFUSED("10:00"), 3000, NOTICE_PASSWORD), 0);
    assert_int_equal(told(w, REFUSED("11:00"), 4000, NOTICE_PASSWORD), 1);
}

static void not_too_often(void **state)
{
    struct world *w = *state;
    assert_int_equal(told(w, REFUSED("10:00"), 10, NOTICE_PASSWORD), 1);
    assert_int_equal(told(w, REFUSED("10:01"), 11, NOTICE_PASSWORD), 0);
    assert_int_equal(notices_wait(w->n, &w->m, NOW, 11), NOTICE_PAUSE_S - 1);
    assert_int_equal(told(w, REFUSED("10:02"), 10 + NOTICE_PAUSE_S - 1, NOTICE_PASSWORD), 0);
    assert_int_equal(told(w, NULL, 10 + NOTICE_PAUSE_S, NOTICE_PASSWORD), 1);
    assert_int_equal(notices_wait(w->n, &w->m, NOW, 1000), NOTICE_NEVER);
}

static void direct_and_back(void **state)
{
    struct world *w = *state;
    assert_int_equal(told(w, UPSTREAM(", 'mode': 'proxy'"), 1, NOTICE_BACK), 0); /* as it should be */
    assert_int_equal(told(w, UPSTREAM(", 'mode': 'direct'"), 2, NOTICE_DIRECT), 1);
    assert_int_equal(told(w, UPSTREAM(", 'mode': 'proxy'"), 100, NOTICE_BACK), 1);
    assert_int_equal(told(w, UPSTREAM(", 'mode': 'direct'"), 200, NOTICE_DIRECT), 1);
    /* There and back within the pause: nothing has happened. */
    assert_int_equal(told(w, UPSTREAM(", 'mode': 'proxy'"), 201, NOTICE_BACK), 0);
    assert_int_equal(told(w, UPSTREAM(", 'mode': 'direct'"), 202, NOTICE_DIRECT), 0);
    assert_int_equal(told(w, NULL, 1000, NOTICE_DIRECT), 0);
}

#define TICKET(until) UPSTREAM(", 'renew': 'kinit', 'ticket_until': " until)

static void ticket_ends(void **state)
{
    struct world *w = *state;
    assert_int_equal(told(w, TICKET("1003600"), 1, NOTICE_TICKET), 0);
    assert_int_equal(notices_wait(w->n, &w->m, NOW, 1), 3000);
    assert_int_equal(told(w, TICKET("1000600"), 2, NOTICE_TICKET), 1);
    assert_int_equal(told(w, TICKET("1000600"), 1000, NOTICE_TICKET), 0);
    assert_int_equal(told(w, TICKET("1000500"), 2000, NOTICE_TICKET), 1);
}

/* One that has ended ends no more; one that is renewed by itself is nobody's business. */
static void ticket_that_nobody_need_renew(void **state)
{
    struct world *w = *state;
    assert_int_equal(told(w, TICKET("1000000"), 1, NOTICE_TICKET), 0);
    assert_int_equal(told(w, TICKET("999000"), 2, NOTICE_TICKET), 0);
    assert_int_equal(told(w, UPSTREAM(", 'ticket_until': 1000500"), 3, NOTICE_TICKET), 0);
    assert_int_equal(told(w, UPSTREAM(", 'ticket_until': 1003600"), 4, NOTICE_TICKET), 0);
    assert_int_equal(notices_wait(w->n, &w->m, NOW, 4), NOTICE_NEVER);
}

/* Somebody gets one of minutes every few minutes. */
static void short_tickets(void **state)
{
    struct world *w = *state;
    assert_int_equal(told(w, TICKET("1000200"), 10, NOTICE_TICKET), 1);
    assert_int_equal(told(w, TICKET("1000300"), 10 + NOTICE_PAUSE_S, NOTICE_TICKET), 0);
    assert_int_equal(told(w, TICKET("1000400"), 10 + NOTICE_TICKET_S - 1, NOTICE_TICKET), 0);
    assert_int_equal(told(w, TICKET("1000400"), 10 + NOTICE_TICKET_S, NOTICE_TICKET), 1);
}

static void what_was_not_shown_is_news(void **state)
{
    struct world *w = *state;
    assert_int_equal(told(w, REFUSED("10:00"), 1, NOTICE_PASSWORD), 1);
    notices_untold(w->n, NOTICE_PASSWORD, "corp", false);
    assert_int_equal(told(w, NULL, 2, NOTICE_PASSWORD), 0);
    assert_int_equal(told(w, NULL, 1 + NOTICE_PAUSE_S, NOTICE_PASSWORD), 1);
    notices_untold(w->n, NOTICE_PASSWORD, "corp", true);
    assert_int_equal(told(w, NULL, 2 + NOTICE_PAUSE_S, NOTICE_PASSWORD), 1);
    notices_untold(w->n, NOTICE_PASSWORD, "corp", true);
    assert_int_equal(told(w, FINE, 3 + NOTICE_PAUSE_S, NOTICE_PASSWORD), 0);
}

static void weaker_scheme(void **state)
{
    struct world *w = *state;
    assert_int_equal(told(w,
                          UPSTREAM(", 'problem': true, 'alarm': true, 'login_helps': true, 'state': 'less'"),
                          1, NOTICE_ALARM),
                     1);
}

static void an_agent_that_does_not_start(void **state)
{
    struct world *w = *state;
    model_gone(&w->m, AGENT_STARTING, NULL);
    assert_int_equal(told(w, NULL, 1, NOTICE_AGENT), 0);
    model_gone(&w->m, AGENT_MISSING, "no");
    assert_int_equal(told(w, NULL, 2, NOTICE_AGENT), 1);
    assert_int_equal(told(w, NULL, 1000, NOTICE_AGENT), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(icons),
        cmocka_unit_test(menu),
        cmocka_unit_test(ceilings),
        cmocka_unit_test(characters_stay_whole),
        cmocka_unit_test_setup_teardown(never_the_same_cause_twice, begin, end),
        cmocka_unit_test_setup_teardown(not_too_often, begin, end),
        cmocka_unit_test_setup_teardown(direct_and_back, begin, end),
        cmocka_unit_test_setup_teardown(ticket_ends, begin, end),
        cmocka_unit_test_setup_teardown(ticket_that_nobody_need_renew, begin, end),
        cmocka_unit_test_setup_teardown(short_tickets, begin, end),
        cmocka_unit_test_setup_teardown(what_was_not_shown_is_news, begin, end),
        cmocka_unit_test_setup_teardown(weaker_scheme, begin, end),
        cmocka_unit_test_setup_teardown(an_agent_that_does_not_start, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
