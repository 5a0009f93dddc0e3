/* Where the script comes from, whole: with a web server, files, desktops' settings and WPAD of the test's own. When it is looked for (only when a request
   comes, and not too often), what is told, what is kept on disk, and what must never be taken. Time passes when the test says so. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <sys/stat.h>
#include <uv.h>

#include "net/uv_loop.h"
#include "source/ground.h"
#include "source/kept.h"
#include "source/pac_source.h"
#include "web_server.h"

/* --- time: this stands before libuv's; its own timers do not ask it. Without the test it stands still: a busy machine's seconds are none --- */

static uint64_t skew;

uint64_t uv_now(const uv_loop_t *uv)
{
    (void)uv;
    return 1000000000 + skew;
}

/* --- what is told --- */

static struct {
    unsigned scripts, nones, manuals, faileds, settleds;
    struct buf script, name, why, manual;
    char charset[32];
} told;

static void set(struct buf *b, struct span s)
{
    buf_clear(b);
    buf_add_span(b, s);
}

static void script(void *owner, struct span name, struct span bytes, const char *charset)
{
    assert_ptr_equal(owner, &told);
    told.scripts++;
    set(&told.name, name);
    set(&told.script, bytes);
    snprintf(told.charset, sizeof told.charset, "%s", charset ? charset : "");
}

static void none(void *owner, struct span why)
{
    (void)owner;
    told.nones++;
    set(&told.why, why);
}

static void put_proxy(const char *name, const struct pac_manual_proxy *p)
{
    if (p->host)
        buf_addf(&told.manual, "%s=%s:%u ", name, p->host, p->port);
}

static void manual(void *owner, const struct pac_manual *m)
{
    (void)owner;
    told.manuals++;
    buf_clear(&told.manual);
    put_proxy("http", &m->http);
    put_proxy("https", &m->https);
    put_proxy("socks", &m->socks);
    for (size_t i = 0; i < m->n_ignore; i++)
        buf_addf(&told.manual, "no=%s ", m->ignore[i]);
    buf_addf(&told.manual, "(%s)", m->from);
}

static void failed(void *owner, struct span why)
{
    (void)owner;
    told.faileds++;
    set(&told.why, why);
}

static void settled(void *owner)
{
    (void)owner;
    told.settleds++;
}

static const struct pac_source_events events = {script, none, manual, failed, settled};

/* --- one source --- */

static char home[] = "/tmp/exeat-source-XXXXXX";
static struct pac_ground *ground;
static struct pac_source *source;

static struct config *config_of(const char *route)
{
    struct buf text = {0};
    struct err e;
    buf_addf(&text,
             "[listen]\nhttp = 127.0.0.1:3128\nsocks = 127.0.0.1:1080\n[upstream x]\nproxy = "
             "http://p.example:1\n[route]\n%s\n",
             route);
    struct config *c = config_load_text("test", buf_span(&text), &e);
    if (!c)
        fail_msg("%s", e.text);
    buf_free(&text);
    return c;
}

static void open_source(const char *route)
{
    struct config *c = config_of(route);
    ground = pac_ground_new(loop, c);
    assert_non_null(ground->folder);
    source = pac_source_new(ground, c, &events, &told);
    config_unref(c);
}

static void close_source(void)
{
    pac_source_free(source);
    turns(5);
    pac_ground_free(ground);
    source = NULL;
    ground = NULL;
}

/* As one request does. */
static void want(void)
{
    unsigned before = told.settleds;
    if (pac_source_want(source))
        return;
    assert_int_equal(told.settleds, before);
    until(told.settleds > before);
    assert_int_equal(told.settleds, before + 1);
}

static struct pac_source_state state_now(void)
{
    struct pac_source_state s;
    pac_source_state(source, &s);
    return s;
}

static void until_quiet(void)
{
    until(!state_now().busy);
}

static void url_route(char *route, size_t size, const char *path)
{
    snprintf(route, size, "pac = http://127.0.0.1:%u%s", web.port, path);
}

#define A                  "function FindProxyForURL(u, h) { return 'PROXY a.example:1'; }"
#define B                  "function FindProxyForURL(u, h) { return 'PROXY b.example:1'; }"
#define OK(fields, script) SPAN("HTTP/1.1 200 OK\r\n" fields "\r\n" script)

#define told_script(text) span_eq(buf_span(&told.script), SPAN(text))

/* --- URLs --- */

static void loads_when_a_request_comes(void **state)
{
    char route[128];
    (void)state;
    web_put("/p?secret",
            OK("Cache-Control: max-age=1000\r\nETag: \"1\"\r\nContent-Type: a/b; charset=latin1\r\n", A),
            WEB_CLOSE);
    url_route(route, sizeof route, "/p?secret");
    open_source(route);
    turns(50);
    assert_int_equal(web_requests(), 0);
    assert_int_equal(state_now().has, PAC_SOURCE_NOTHING);
    want();
    assert_int_equal(told.scripts, 1);
    assert_true(told_script(A));
    assert_string_equal(told.charset, "latin1");
    assert_null(strstr(buf_cstr(&told.name), "secret"));
    assert_null(strstr(state_now().asked, "secret"));
    assert_null(strstr(state_now().place, "secret"));
    assert_string_equal(state_now().etag, "\"1\"");
    assert_int_equal(state_now().size, strlen(A));
    assert_false(state_now().from_disk);
    for (int i = 0; i < 5; i++)
        assert_true(pac_source_want(source));
    turns(50);
    assert_int_equal(web_requests(), 1);
    close_source();
}

static void looks_anew_when_it_is_old(void **state)
{
    char route[128];
    (void)state;
    web_put("/p", OK("Cache-Control: max-age=1000\r\nETag: \"1\"\r\n", A), WEB_CLOSE);
    url_route(route, sizeof route, "/p");
    open_source(route);
    want();
    skew += 999000;
    assert_true(pac_source_want(source));
    turns(50);
    assert_int_equal(web_requests(), 1);
    skew += 2000;
    web_put("/p", SPAN("HTTP/1.1 304 Same\r\nCache-Control: max-age=1000\r\n\r\n"), WEB_CLOSE);
    turns(50);
    assert_int_equal(web_requests(), 1);  /* nobody asks */
    assert_true(pac_source_want(source)); /* the old one serves meanwhile */
    until_quiet();
    assert_int_equal(web_requests(), 2);
    assert_true(web_was_asked("If-None-Match: \"1\""));
    assert_int_equal(told.scripts, 1);
    assert_true(pac_source_want(source));
    turns(50);
    assert_int_equal(web_requests(), 2);
    skew += 1001000;
    web_put("/p", OK("ETag: \"2\"\r\n", B), WEB_CLOSE);
    assert_true(pac_source_want(source));
    until_quiet();
    assert_int_equal(told.scripts, 2);
    assert_true(told_script(B));
    close_source();
}

static void leaves_a_dead_server_alone(void **state)
{
    char route[128];
    (void)state;
    web_put("/p", SPAN("HTTP/1.1 503 Busy\r\n\r\n"), WEB_CLOSE);
    url_route(route, sizeof route, "/p");
    open_source(route);
    want();
    assert_int_equal(told.faileds, 1);
    assert_non_null(strstr(buf_cstr(&told.why), "answers 503"));
    unsigned asked = web_requests();
    static const unsigned pauses[] = {8, 32, 128, 512, 900, 900};
    for (size_t i = 0; i < sizeof pauses / sizeof *pauses; i++) {
        skew += pauses[i] * 1000 - 900;
        assert_true(pac_source_want(source)); /* and nobody waits any more */
        turns(20);
        assert_int_equal(web_requests(), asked);
        assert_true(state_now().retry_in > 0);
        skew += 1000;
        assert_true(pac_source_want(source));
        until_quiet();
        assert_int_equal(web_requests(), ++asked);
    }
    assert_int_equal(told.faileds, 1); /* said once */
    web_put("/p", OK("", A), WEB_CLOSE);
    pac_source_network_changed(source);
    turns(20);
    assert_int_equal(web_requests(), asked);
    want(); /* waits: it may be there now */
    assert_int_equal(told.scripts, 1);
    assert_string_equal(state_now().error, "");
    close_source();
}

static void a_good_one_stays_while_the_server_fails(void **state)
{
    static const char *const answers[] = {
        "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<html>Log in to the hotel</html>",
        "HTTP/1.1 200 OK\r\n\r\n",
        "HTTP/1.1 404 Not Found\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n" A,
    };
    char route[128];
    (void)state;
    web_put("/p", OK("", A), WEB_CLOSE);
    url_route(route, sizeof route, "/p");
    open_source(route);
    want();
    pac_source_judge(source, true, SPAN(""));
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
        web_put("/p", span_str(answers[i]), WEB_CLOSE);
        pac_source_network_changed(source);
        assert_true(pac_source_want(source));
        until_quiet();
        assert_int_equal(told.scripts, 1);
        assert_int_equal(state_now().has, PAC_SOURCE_SCRIPT);
        assert_true(strlen(state_now().error) > 0);
    }
    assert_int_equal(told.faileds, 1);
    web_put("/p", OK("", A), WEB_CLOSE);
    skew += 1000000;
    want();
    until_quiet();
    assert_string_equal(state_now().error, "");
    web_put("/p", SPAN("HTTP/1.1 500 No\r\n\r\n"), WEB_CLOSE);
    skew += 4000000;
    want();
    until_quiet();
    assert_int_equal(told.faileds, 2); /* a new row of failures */
    close_source();
}

static void takes_other_encodings(void **state)
{
    static const char utf16[] = "\xff\xfe"
                                "F\0i\0n\0d\0P\0r\0o\0x\0y\0F\0o\0r\0U\0R\0L\0";
    char route[128];
    struct buf page = {0};
    (void)state;
    buf_add_str(&page, "HTTP/1.1 200 OK\r\n\r\n");
    buf_add(&page, utf16, sizeof utf16 - 1);
    web_put("/p", buf_span(&page), WEB_CLOSE);
    url_route(route, sizeof route, "/p");
    open_source(route);
    want();
    assert_int_equal(told.scripts, 1);
    page.n = strlen("HTTP/1.1 200 OK\r\n\r\n"); /* without its mark, and the other way round */
    buf_add(&page, "", 1);
    buf_add(&page, utf16 + 2, sizeof utf16 - 4);
    web_put("/p", buf_span(&page), WEB_CLOSE);
    pac_source_network_changed(source);
    want();
    until_quiet();
    assert_true(span_starts(buf_span(&told.script), SPAN("\xfe\xff\0F\0i")));
    web_put("/p", OK("", "\xef\xbb\xbf/* \xe4 */" A), WEB_CLOSE);
    pac_source_network_changed(source);
    want();
    until_quiet();
    assert_true(told_script("\xef\xbb\xbf/* \xe4 */" A));
    buf_free(&page);
    close_source();
}

static void nobody_waits_for_ever(void **state)
{
    char route[128];
    (void)state;
    web_put("/p", SPAN(""), WEB_HOLD);
    url_route(route, sizeof route, "/p");
    open_source(route);
    pac_source_want(source);
    until(web_requests() == 1);
    pac_source_network_changed(
        source); /* what was under way is begun anew: it may wait in a network that is gone */
    until(web_requests() == 2);
    assert_int_equal(told.settleds, 0);
    until(told.settleds == 1);
    assert_true(state_now().busy);
    close_source();
}

/* --- copies --- */

static void is_there_at_the_next_start(void **state)
{
    char route[128];
    (void)state;
    web_put("/p", OK("ETag: \"1\"\r\nContent-Type: a/b; charset=utf-8\r\n", A), WEB_CLOSE);
    url_route(route, sizeof route, "/p");
    open_source(route);
    want();
    for (unsigned i = 0; i < 50; i++) /* time for what must not be written */
        turn_slowly();
    close_source();
    open_source(route);
    want();
    assert_false(web_was_asked("If-None-Match")); /* nobody has said that it is good */
    pac_source_judge(source, true, SPAN(""));
    char path[256];
    struct buf copy = {0};
    struct stat st;
    kept_path(ground->folder, strchr(route, 'h'), &copy);
    snprintf(path, sizeof path, "%s", buf_cstr(&copy));
    buf_free(&copy);
    until(stat(path, &st) == 0 && st.st_size > 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    close_source();

    web_put("/p", SPAN("HTTP/1.1 503 Busy\r\n\r\n"), WEB_CLOSE);
    told.scripts = told.faileds = 0;
    unsigned asked = web_requests();
    open_source(route);
    want();
    assert_int_equal(told.scripts, 1);
    assert_true(told_script(A));
    assert_string_equal(told.charset, "utf-8");
    assert_true(state_now().from_disk);
    assert_true(state_now().age >= 0);
    until(web_requests() == asked + 1);
    until(told.faileds == 1);
    assert_true(state_now().from_disk);
    web_put("/p", SPAN("HTTP/1.1 304 Same\r\n\r\n"), WEB_CLOSE);
    pac_source_network_changed(source);
    want();
    until_quiet();
    assert_true(web_was_asked("If-None-Match: \"1\""));
    assert_false(state_now().from_disk);
    assert_int_equal(told.scripts, 1);
    close_source();

    assert_int_equal(truncate(path, st.st_size - 1), 0); /* damaged: as if it were not there */
    web_put("/p", OK("", B), WEB_CLOSE);
    told.scripts = 0;
    open_source(route);
    want();
    assert_int_equal(told.scripts, 1);
    assert_true(told_script(B));
    close_source();
}

static void a_bad_one_is_put_back(void **state)
{
    char route[128];
    (void)state;
    web_put("/p", OK("", A), WEB_CLOSE);
    url_route(route, sizeof route, "/p");
    open_source(route);
    want();
    pac_source_judge(source, true, SPAN(""));
    web_put("/p", OK("ETag: \"b\"\r\n", "FindProxyForURL("), WEB_CLOSE);
    pac_source_network_changed(source);
    want();
    until_quiet();
    assert_int_equal(told.scripts, 2);
    pac_source_judge(source, false, SPAN("a syntax error"));
    assert_int_equal(told.scripts, 2);
    until(told.scripts == 3);
    assert_true(told_script(A));
    assert_string_equal(state_now().error, "a syntax error");
    for (int i = 0; i < 3; i++) { /* the same one again, each time */
        pac_source_network_changed(source);
        want();
        until_quiet();
    }
    assert_int_equal(told.scripts, 3);
    web_put("/p", OK("", B), WEB_CLOSE);
    pac_source_network_changed(source);
    want();
    until_quiet();
    assert_true(told_script(B));
    assert_string_equal(state_now().error, "");
    close_source();
}

static void a_bad_first_one_leaves_nothing(void **state)
{
    char route[128];
    (void)state;
    web_put("/p", OK("", "FindProxyForURL("), WEB_CLOSE);
    url_route(route, sizeof route, "/p");
    open_source(route);
    want();
    pac_source_judge(source, false, SPAN("a syntax error"));
    turns(5);
    assert_int_equal(told.scripts, 1);
    assert_int_equal(state_now().size, 0);
    assert_int_equal(state_now().age, -1);
    web_put("/p", OK("", A), WEB_CLOSE);
    skew += 9000;
    want();
    until_quiet();
    assert_true(told_script(A));
    close_source();
}

/* --- files --- */

static void put_file(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static void reads_a_file_and_sees_it_change(void **state)
{
    char route[128], path[64];
    (void)state;
    snprintf(path, sizeof path, "%s/my pac", home);
    snprintf(route, sizeof route, "pac = \"%s\"", path);
    open_source(route);
    want();
    assert_int_equal(told.faileds, 1);
    assert_non_null(strstr(buf_cstr(&told.why), path));
    put_file(path, A);
    assert_true(pac_source_want(source)); /* it has just been looked at */
    skew += 2100;
    want();
    assert_int_equal(told.scripts, 1);
    assert_string_equal(state_now().place, path);
    put_file(path, B);
    assert_true(pac_source_want(source));
    skew += 2100;
    want();
    assert_int_equal(told.scripts, 2);
    assert_true(told_script(B));
    skew += 2100;
    want();
    assert_int_equal(told.scripts, 2);
    unlink(path);
    assert_int_equal(mkfifo(path, 0600), 0); /* what cannot be read must not hold us up */
    skew += 2100;
    want();
    assert_int_equal(told.faileds, 2);
    assert_int_equal(state_now().has, PAC_SOURCE_SCRIPT);
    unlink(path);
    put_file(path, "");
    pac_source_network_changed(source);
    want();
    assert_string_equal(state_now().error, "the PAC file is empty");
    unlink(path);
    close_source();
}

/* --- WPAD --- */

static char resolv_conf[64];

static void finds_by_wpad(void **state)
{
    (void)state;
    put_file(resolv_conf, "search a.corp.example corp.example\n");
    web_put("/wpad.dat", OK("", A), WEB_CLOSE);
    snprintf(web_names, sizeof web_names, "wpad.corp.example. ");
    open_source("wpad = dns");
    ground->resolv_conf = resolv_conf;
    pac_source_free(source);
    struct config *c = config_of("wpad = dns");
    source = pac_source_new(ground, c, &events, &told);
    config_unref(c);
    want();
    assert_int_equal(told.scripts, 1);
    assert_true(web_was_asked("Host: wpad.corp.example\r\n"));
    assert_string_equal(state_now().found, "WPAD");
    web_names[0] = '\0'; /* another network */
    pac_source_network_changed(source);
    want();
    assert_int_equal(told.nones, 1);
    assert_int_equal(state_now().has, PAC_SOURCE_NONE);
    assert_int_equal(state_now().size, 0);
    pac_source_network_changed(source);
    want();
    assert_int_equal(told.nones, 1);
    snprintf(web_names, sizeof web_names, "wpad.a.corp.example. wpad.corp.example. ");
    web_put("/wpad.dat", SPAN("HTTP/1.1 500 No\r\n\r\n"), WEB_CLOSE); /* it is there, but cannot be had */
    pac_source_network_changed(source);
    want();
    assert_int_equal(told.faileds, 1);
    assert_int_equal(told.nones, 1);
    web_put("/wpad.dat", SPAN("HTTP/1.1 404 No\r\n\r\n"), WEB_CLOSE);
    pac_source_network_changed(source);
    want();
    assert_int_equal(told.nones, 1);
    snprintf(web_names, sizeof web_names, "wpad.example. wpad. wpad.com. "); /* never above */
    web_put("/wpad.dat", OK("", B), WEB_CLOSE);
    pac_source_network_changed(source);
    want();
    assert_int_equal(told.scripts, 1);
    close_source();
    web_names[0] = '\0';
}

static void is_off_by_itself(void **state)
{
    struct config *c = config_of("");
    (void)state;
    ground = pac_ground_new(loop, c);
    assert_null(pac_source_new(ground, c, &events, &told));
    config_unref(c);
    close_source();
}

/* --- settings --- */

static void clear_environment(void)
{
    static const char *const names[] = {"http_proxy", "https_proxy",        "all_proxy",   "auto_proxy",
                                        "no_proxy",   "HTTP_PROXY",         "HTTPS_PROXY", "ALL_PROXY",
                                        "NO_PROXY",   "XDG_CURRENT_DESKTOP"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        unsetenv(names[i]);
}

static void follows_the_environment(void **state)
{
    static const struct {
        const char *http, *script, *words;
    } rows[] = {
        {"http://q.example:8080", NULL, "http=q.example:8080 no=a (the environment)"},
        {"http://127.0.0.1:3128", NULL, NULL},
        {"http://localhost:3128", NULL, NULL},
        {"socks5://127.0.0.1:1080", NULL, NULL},
        {NULL, "http://127.0.0.1:3128/exeat.pac", NULL},
        {NULL, "http://LOCALHOST:3128/exeat.pac", NULL},
        {NULL, NULL, NULL},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        clear_environment();
        setenv("XDG_CURRENT_DESKTOP", "XFCE", 1);
        setenv("PATH", "/nonexistent", 1);
        setenv("no_proxy", "a", 1);
        if (rows[i].http)
            setenv("http_proxy", rows[i].http, 1);
        if (rows[i].script)
            setenv("auto_proxy", rows[i].script, 1);
        told.manuals = told.nones = 0;
        open_source("pac = system");
        want();
        assert_int_equal(told.manuals, rows[i].words != NULL);
        assert_int_equal(told.nones, rows[i].words == NULL);
        if (rows[i].words)
            assert_string_equal(buf_cstr(&told.manual), rows[i].words);
        else
            assert_int_equal(strstr(buf_cstr(&told.why), "agent itself") != NULL,
                             rows[i].http || rows[i].script);
        close_source();
    }
    assert_int_equal(web_requests(), 0);
    char url[64];
    snprintf(url, sizeof url, "http://127.0.0.1:%u/p", web.port);
    clear_environment();
    setenv("auto_proxy", url, 1);
    web_put("/p", OK("", A), WEB_CLOSE);
    open_source("pac = system");
    want();
    assert_int_equal(told.scripts, 1);
    assert_string_equal(state_now().found, "the environment");
    close_source();
    setenv("auto_proxy", "http://u:secret@a.example/", 1);
    open_source("pac = system");
    want();
    assert_int_equal(told.faileds, 1);
    assert_non_null(strstr(buf_cstr(&told.why), "user name or password"));
    assert_null(strstr(buf_cstr(&told.why), "secret"));
    close_source();
    clear_environment();
}

static void follows_kde(void **state)
{
    char path[64], text[256];
    (void)state;
    clear_environment();
    setenv("XDG_CURRENT_DESKTOP", "KDE", 1);
    snprintf(path, sizeof path, "%s/kioslaverc", home);
    open_source("pac = system");
    want();
    assert_int_equal(told.nones, 1);
    web_put("/p", OK("", A), WEB_CLOSE);
    snprintf(text, sizeof text, "[Proxy Settings]\nProxyType=2\nProxy Config Script=http://127.0.0.1:%u/p\n",
             web.port);
    put_file(path, text);
    skew += 2100;
    want();
    assert_int_equal(told.scripts, 1);
    skew += 2100;
    want();
    assert_int_equal(web_requests(), 1);
    put_file(path, "[Proxy Settings]\nProxyType=1\nhttpProxy=http://q.example 8080\n");
    skew += 2100;
    want();
    assert_int_equal(told.manuals, 1);
    assert_string_equal(buf_cstr(&told.manual), "http=q.example:8080 (KDE's settings)");
    assert_int_equal(state_now().has, PAC_SOURCE_MANUAL);
    put_file(path, "[Proxy Settings]\nProxyType=3\n");
    skew += 2100;
    want();
    assert_int_equal(told.nones, 2);
    assert_non_null(strstr(buf_cstr(&told.why), "wpad = dns"));
    snprintf(text, sizeof text, "%s/script", home);
    put_file(text, B);
    snprintf(text, sizeof text, "[Proxy Settings]\nProxyType=2\nProxy Config Script=file://%s/script\n",
             home);
    put_file(path, text);
    skew += 2100;
    want();
    assert_true(told_script(B));
    snprintf(text, sizeof text, "%s/script", home);
    unlink(text);
    unlink(path);
    close_source();
    clear_environment();
}

/* The password that GNOME may have for a proxy never comes to the agent at all. */
static void hear_no_password(void)
{
    struct ear ear = {0};
    struct err e;
    struct child *c = starter_start(ground->starter, &ear.s, NULL, NULL, &e);
    assert_non_null(c);
    stream_own(ear.s, &ear_events, &ear);
    stream_read(ear.s);
    until(memmem(ear.in.p ? ear.in.p : "", ear.in.n, "\n.\n", 3));
    assert_non_null(strstr(buf_cstr(&ear.in), "q.example"));
    assert_null(strstr(buf_cstr(&ear.in), "secret"));
    stream_close(ear.s);
    child_kill(c);
    buf_free(&ear.in);
}

/* A gsettings of the test's own: lists what the file says, and says that something has changed when a byte comes through the pipe. */
static void follows_gnome(void **state)
{
    static const char program[] =
        "#!/bin/sh\n"
        "case $1 in\n"
        "list-recursively) /bin/cat \"$XDG_CONFIG_HOME/listing\" ;;\n"
        "monitor) [ $2 = org.gnome.system.proxy ] && exec /bin/cat \"$XDG_CONFIG_HOME/pipe\"\n"
        "    exec /bin/sleep 600 ;;\n"
        "esac\n";
    char path[96], listing[64], pipe_path[64], bin[128];
    (void)state;
    clear_environment();
    setenv("XDG_CURRENT_DESKTOP", "GNOME", 1);
    snprintf(path, sizeof path, "%s/gsettings", home);
    snprintf(bin, sizeof bin, "%s:/usr/bin:/bin", home);
    setenv("PATH", bin, 1);
    put_file(path, program);
    chmod(path, 0700);
    snprintf(pipe_path, sizeof pipe_path, "%s/pipe", home);
    assert_int_equal(mkfifo(pipe_path, 0600), 0);
    snprintf(listing, sizeof listing, "%s/listing", home);
    put_file(listing, "org.gnome.system.proxy mode 'manual'\norg.gnome.system.proxy.http host 'q.example'\n"
                      "org.gnome.system.proxy.http port 8080\n"
                      "org.gnome.system.proxy.http authentication-password 'secret'\n");
    open_source("pac = system");
    assert_non_null(ground->starter);
    hear_no_password();
    want();
    assert_int_equal(told.manuals, 1);
    assert_string_equal(buf_cstr(&told.manual), "http=q.example:8080 (GNOME's settings)");
    put_file(listing, "org.gnome.system.proxy mode 'none'\n");
    int fd = open(pipe_path, O_WRONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "mode: 'none'\n", 13), 13);
    until(told.nones == 1);
    put_file(listing,
             "org.gnome.system.proxy mode 'auto'\norg.gnome.system.proxy autoconfig-url 'http://[::1'\n");
    assert_int_equal(write(fd, "mode: 'auto'\n", 13), 13);
    until(told.faileds == 1);
    close(fd);
    close_source();
    unlink(path);
    unlink(pipe_path);
    unlink(listing);
    clear_environment();
}

static void run(const char *command)
{
    assert_int_equal(system(command), 0);
}

/* The real one, on a session bus of its own, which ends when its pipe does. */
static void follows_real_gnome(void **state)
{
    char command[512], address[256] = "";
    (void)state;
    if (system("gsettings list-keys org.gnome.system.proxy >/dev/null 2>&1 && command -v dbus-daemon "
               ">/dev/null") != 0)
        skip();
    clear_environment();
    setenv("XDG_CURRENT_DESKTOP", "GNOME", 1);
    snprintf(command, sizeof command, "%s/run", home); /* dconf has a file of the same name in both places */
    mkdir(command, 0700);
    setenv("XDG_RUNTIME_DIR", command, 1);
    snprintf(command, sizeof command,
             "exec dbus-daemon --session --nofork --print-address --address=unix:path=%s/bus 2>/dev/null & "
             "echo $! >%s/bus.pid",
             home, home);
    FILE *bus = popen(command, "r");
    assert_non_null(bus);
    assert_non_null(fgets(address, sizeof address, bus));
    address[strcspn(address, "\n")] = '\0';
    setenv("DBUS_SESSION_BUS_ADDRESS", address, 1);
    run("gsettings set org.gnome.system.proxy.http authentication-password secret");
    run("gsettings set org.gnome.system.proxy.http host q.example");
    run("gsettings set org.gnome.system.proxy.http port 8080");
    run("gsettings set org.gnome.system.proxy ignore-hosts \"['a', '*.b']\"");
    run("gsettings set org.gnome.system.proxy mode manual");
    open_source("pac = system");
    want();
    assert_string_equal(buf_cstr(&told.manual), "http=q.example:8080 no=a no=*.b (GNOME's settings)");
    web_put("/p", OK("", A), WEB_CLOSE);
    snprintf(command, sizeof command,
             "gsettings set org.gnome.system.proxy autoconfig-url http://127.0.0.1:%u/p", web.port);
    run(command);
    run("gsettings set org.gnome.system.proxy mode auto");
    until((want(), told.scripts == 1));
    run("gsettings set org.gnome.system.proxy mode manual");
    until(told.manuals == 2);
    run("gsettings set org.gnome.system.proxy.http host other.example");
    until(told.manuals == 3);
    assert_string_equal(buf_cstr(&told.manual), "http=other.example:8080 no=a no=*.b (GNOME's settings)");
    run("gsettings set org.gnome.system.proxy mode none");
    until(told.nones == 1);
    close_source();
    snprintf(command, sizeof command, "kill $(cat %s/bus.pid)", home);
    run(command);
    pclose(bus);
    unsetenv("DBUS_SESSION_BUS_ADDRESS");
    clear_environment();
}

static void does_without_gsettings(void **state)
{
    char path[96];
    (void)state;
    clear_environment();
    setenv("XDG_CURRENT_DESKTOP", "GNOME", 1);
    setenv("PATH", home, 1);
    snprintf(path, sizeof path, "%s/gsettings", home);
    put_file(path, "#!/bin/sh\nexit 1\n");
    chmod(path, 0700);
    open_source("pac = system");
    want();
    assert_int_equal(told.faileds, 1);
    assert_non_null(strstr(buf_cstr(&told.why), "gsettings"));
    assert_true(pac_source_want(source));
    close_source();
    unlink(path);
    struct config *c = config_of("pac = /nonexistent/pac"); /* started with this, then reloaded */
    ground = pac_ground_new(loop, c);
    assert_null(ground->starter);
    config_unref(c);
    c = config_of("pac = system");
    source = pac_source_new(ground, c, &events, &told);
    config_unref(c);
    want();
    assert_non_null(strstr(buf_cstr(&told.why), "stop it and start it again"));
    close_source();
    clear_environment();
}

/* --- reload --- */

static void goes_on_after_a_reload(void **state)
{
    char route[128];
    (void)state;
    web_put("/p", OK("", A), WEB_CLOSE);
    url_route(route, sizeof route, "/p");
    open_source(route);
    want();
    struct config *same = config_of(route), *other = config_of("pac = /p"), *wpad = config_of("wpad = dns");
    assert_false(pac_source_adopt(source, other));
    assert_false(pac_source_adopt(source, wpad));
    assert_true(pac_source_adopt(source, same));
    config_unref(same);
    config_unref(other);
    config_unref(wpad);
    assert_true(pac_source_want(source));
    until_quiet();
    assert_int_equal(web_requests(), 2); /* who reloads wants to see what is there now */
    assert_int_equal(told.scripts, 1);
    close_source();
}

static void can_be_freed_at_any_time(void **state)
{
    char route[128];
    (void)state;
    web_put("/p", OK("", A), WEB_CLOSE);
    url_route(route, sizeof route, "/p");
    for (unsigned rounds = 0; rounds < 12; rounds++) {
        open_source(route);
        turns(rounds / 4);
        pac_source_want(source);
        turns(rounds);
        pac_source_judge(source, true, SPAN(""));
        turns(rounds % 3);
        pac_source_free(source);
        source = NULL;
        unsigned before = told.scripts + told.settleds;
        turns(5);
        assert_int_equal(told.scripts + told.settleds, before);
        close_source();
    }
}

/* --- up and down --- */

static char *path_before;

static int up(void **state)
{
    memset(&told, 0, sizeof told);
    skew = 0;
    setenv("PATH", path_before, 1);
    web_start(NULL);
    return loop_set_up(state);
}

static int down(void **state)
{
    web_stop();
    /* A copy that was being written when the source went: the pool has it yet. */
    until(loop->uv.active_reqs.count == 0);
    buf_free(&told.script);
    buf_free(&told.name);
    buf_free(&told.why);
    buf_free(&told.manual);
    return loop_tear_down(state);
}

static int all_up(void **state)
{
    (void)state;
    path_before = mem_strdup(getenv("PATH"));
    if (!mkdtemp(home))
        return -1;
    setenv("XDG_STATE_HOME", home, 1);
    setenv("XDG_CONFIG_HOME", home, 1);
    setenv("HOME", home, 1);
    log_set_level(LOG_LEVEL_ERROR);
    snprintf(resolv_conf, sizeof resolv_conf, "%s/resolv.conf", home);
    return 0;
}

static int all_down(void **state)
{
    char command[64];
    (void)state;
    setenv("PATH", path_before, 1);
    free(path_before);
    snprintf(command, sizeof command, "rm -rf '%s'", home);
    return system(command);
}

#define with_web(test) cmocka_unit_test_setup_teardown(test, up, down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_web(loads_when_a_request_comes),
        with_web(looks_anew_when_it_is_old),
        with_web(leaves_a_dead_server_alone),
        with_web(a_good_one_stays_while_the_server_fails),
        with_web(takes_other_encodings),
        with_web(nobody_waits_for_ever),
        with_web(is_there_at_the_next_start),
        with_web(a_bad_one_is_put_back),
        with_web(a_bad_first_one_leaves_nothing),
        with_web(reads_a_file_and_sees_it_change),
        with_web(finds_by_wpad),
        with_web(is_off_by_itself),
        with_web(follows_the_environment),
        with_web(follows_kde),
        with_web(follows_gnome),
        with_web(follows_real_gnome),
        with_web(does_without_gsettings),
        with_web(goes_on_after_a_reload),
        with_web(can_be_freed_at_any_time),
    };
    return cmocka_run_group_tests(tests, all_up, all_down);
}
