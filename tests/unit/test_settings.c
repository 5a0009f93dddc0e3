/* What desktops and the environment say of proxies, as they print it, and with content that somebody wrote who means harm. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>

#include "source/desktop.h"
#include "source/environ.h"
#include "source/gnome.h"
#include "source/kde.h"

/* "PAC URL", "MANUAL http=h:p ... no=a,b" */
static void put_proxy(struct buf *out, const char *name, const struct settings_proxy *p)
{
    if (p->host)
        buf_addf(out, " %s=%s%s:%u", name, p->tls ? "tls " : "", p->host, p->port);
}

static const char *words_of(const struct settings *s)
{
    static const char *const says[] = {"NONE", "PAC", "WPAD", "MANUAL"};
    static struct buf out;
    buf_clear(&out);
    buf_addf(&out, "%s", says[s->say]);
    if (s->say == SETTINGS_PAC)
        buf_addf(&out, " %s", s->pac);
    if (s->say == SETTINGS_MANUAL) {
        put_proxy(&out, "http", &s->http);
        put_proxy(&out, "https", &s->https);
        put_proxy(&out, "socks", &s->socks);
        for (size_t i = 0; i < s->n_ignore; i++)
            buf_addf(&out, "%s%s", i ? "|" : s->ignore_all_else ? " only=" : " no=", s->ignore[i]);
    }
    return buf_cstr(&out);
}

struct row {
    const char *text, *words; /* NULL: cannot be read */
};

#define P      "org.gnome.system.proxy"
#define MANUAL P " mode 'manual'\n"
#define AUTO   P " mode 'auto'\n" P " autoconfig-url "

static void reads_gnome(void **state)
{
    static const struct row rows[] = {
        {P " autoconfig-url 'http://a/p'\n" P " ignore-hosts ['localhost']\n" P " mode 'none'\n", "NONE"},
        {AUTO "'http://a.example/p.pac'\n", "PAC http://a.example/p.pac"},
        {AUTO "''\n", "WPAD"},
        {P " mode 'auto'\n", "WPAD"},
        {AUTO "\"it's\"\n", "PAC it's"},
        {AUTO "'a\\'b\\\\c\\\"d'\n", "PAC a'b\\c\"d"},
        {AUTO "'\\u00e4\\U0001f600'\n", "PAC \xc3\xa4\xf0\x9f\x98\x80"},
        {AUTO "'a\\nb'\n", "WPAD"}, /* would be a line of its own: as if it were not there */
        {AUTO "'a\\u000ab'\n", "WPAD"},
        {AUTO "'a\\u0000b'\n", "WPAD"},
        {AUTO "'a\\u00zz'\n", "WPAD"},
        {AUTO "'unclosed\n", "WPAD"},
        {AUTO "'unclosed\\\n", "WPAD"},
        {AUTO "@ms nothing\n", "WPAD"},
        {MANUAL P ".http host 'p.example'\n" P ".http port 8080\n" P ".https host ''\n" P ".https port 0\n" P
                  ".socks host 's.example'\n" P ".socks port 1080\n" P
                  " ignore-hosts ['localhost', '*.a.example', '::1/128']\n",
         "MANUAL http=p.example:8080 socks=s.example:1080 no=localhost|*.a.example|::1/128"},
        {MANUAL P " ignore-hosts @as []\n" P ".https port 81\n" P ".https host '2001:db8::1'\n",
         "MANUAL https=2001:db8::1:81"},
        {MANUAL P ".http host 'http://p.example:8081/'\n" P ".http port 8080\n",
         "MANUAL http=p.example:8081"},
        {MANUAL P ".http host 'http://u:secret@p.example'\n" P ".http port 8080\n", "MANUAL"},
        {MANUAL P ".http host 'p example'\n" P ".http port 8080\n", "MANUAL"},
        {MANUAL P ".http host 'p.example'\n" P ".http port 99999999999999999999\n", "MANUAL"},
        {MANUAL P ".http host 'p.example'\n" P ".http port 65536\n", "MANUAL"},
        {MANUAL P ".http host 'p.example'\n" P ".http port -1\n", "MANUAL"},
        {MANUAL P " ignore-hosts ['a', 'b\\nc', 'd', unquoted, 'e']\n", "MANUAL no=a|d"},
        {MANUAL P " ignore-hosts ['a\n", "MANUAL"},
        {P " mode 'something-new'\n", NULL},
        {P " mode none\n", NULL},
        {"No such schema \xe2\x80\x9corg.gnome.system.proxy\xe2\x80\x9d\n", NULL},
        {"", NULL},
        {"org.other.proxy mode 'auto'\n", NULL},
        {P "x mode 'auto'\n", NULL},
        {"\n\n \n" P "\n" P " mode\n", NULL},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct settings s;
        bool good = gnome_read(span_str(rows[i].text), &s);
        assert_int_equal(good, rows[i].words != NULL);
        if (good && strcmp(words_of(&s), rows[i].words) != 0)
            fail_msg("%s: %s", rows[i].text, words_of(&s));
        settings_free(&s);
    }
}

static const char *const *variables; /* name, value, ..., NULL */

static const char *variable(const char *name)
{
    for (const char *const *v = variables; *v; v += 2)
        if (strcmp(*v, name) == 0)
            return v[1];
    return NULL;
}

#define K "[Proxy Settings]\n"

static void reads_kde(void **state)
{
    static const char *const some[] = {"HTTP_PROXY", "http://e.example:81", "NO", "a,b c", NULL};
    static const struct row rows[] = {
        {"", "NONE"},
        {"[Other]\nProxyType=2\n", "NONE"},
        {K "ProxyType=0\nhttpProxy=http://p.example 8080\n", "NONE"},
        {"PersistentProxyConnection=false\n[$Version]\nupdate_info=x\n\n" K
         "NoProxyFor=localhost, .a.example\nProxyType=1\nhttpProxy=http://p.example "
         "8080\nhttpsProxy=http://p.example:8081\n"
         "socksProxy=socks://s.example 1080\nftpProxy=x\n",
         "MANUAL http=p.example:8080 https=p.example:8081 socks=s.example:1080 no=localhost|.a.example"},
        {K "ProxyType=1\nhttpProxy=p.example\nReversedException=true\nNoProxyFor=a\n",
         "MANUAL http=p.example:80 only=a"},
        {K "ProxyType=1\nhttpProxy=https://p.example 443\n", "MANUAL http=tls p.example:443"},
        {K "ProxyType=1\nhttpProxy=http://u:secret@p.example 8080\n", "MANUAL"},
        {K "ProxyType=1\nhttpProxy=\nsocksProxy=\n", "MANUAL"},
        {K "ProxyType=2\nProxy Config Script=http://a.example/p.pac\n", "PAC http://a.example/p.pac"},
        {K "ProxyType=2\r\nProxy Config Script[$e]=http://a.example/p.pac\r\n", "PAC http://a.example/p.pac"},
        {K "ProxyType=2\nProxy Config Script=/home/a\\sb/p\\nq\n", "PAC /home/a b/pq"},
        {K "ProxyType=2\n", "PAC "},
        {K "ProxyType=3\n", "WPAD"},
        {K "ProxyType=4\nhttpProxy=HTTP_PROXY\nhttpsProxy=UNSET\nNoProxyFor=NO\n",
         "MANUAL http=e.example:81 no=a|b|c"},
        {K "ProxyType=5\n", "NONE"},
        {K "ProxyType=18446744073709551617\n", "NONE"},
        {K "ProxyType=x\n", "NONE"},
        {K "ProxyType=1\n[Other]\nProxyType=2\nProxy Config Script=x\n", "MANUAL"},
        {K "# ProxyType=2\nProxyType\n=\n[\n", "NONE"},
    };
    (void)state;
    variables = some;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct settings s;
        kde_read(span_str(rows[i].text), variable, &s);
        if (strcmp(words_of(&s), rows[i].words) != 0)
            fail_msg("%s: %s", rows[i].text, words_of(&s));
        settings_free(&s);
    }
}

static void reads_the_environment(void **state)
{
    static const struct {
        const char *variables[9], *words;
    } rows[] = {
        {{NULL}, "NONE"},
        {{"http_proxy", "", "no_proxy", "a", NULL}, "NONE"},
        {{"http_proxy", "http://p.example:8080/", "no_proxy", "a,.b c", NULL},
         "MANUAL http=p.example:8080 no=a|.b|c"},
        {{"HTTPS_PROXY", "https://p.example", "https_proxy", "", NULL}, "MANUAL https=tls p.example:443"},
        {{"http_proxy", "p.example:1", "HTTP_PROXY", "q.example:2", NULL}, "MANUAL http=p.example:1"},
        {{"http_proxy", "p.example:1", "all_proxy", "http://q.example:2", NULL},
         "MANUAL http=p.example:1 https=q.example:2"},
        {{"ALL_PROXY", "socks5h://s.example", NULL}, "MANUAL socks=s.example:1080"},
        {{"http_proxy", "socks5://[::1]:9", NULL}, "MANUAL socks=::1:9"},
        {{"http_proxy", "p.example", NULL}, "NONE"},
        {{"http_proxy", "http://u:secret@p.example:1", NULL}, "NONE"},
        {{"http_proxy", "http://p.example:1\nx", NULL}, "NONE"},
        {{"auto_proxy", "http://a.example/p", "http_proxy", "p.example:1", NULL}, "PAC http://a.example/p"},
        {{"auto_proxy", "http://a\nb", "http_proxy", "p.example:1", NULL}, "MANUAL http=p.example:1"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct settings s;
        variables = rows[i].variables;
        environ_read(variable, &s);
        if (strcmp(words_of(&s), rows[i].words) != 0)
            fail_msg("row %zu: %s", i, words_of(&s));
        settings_free(&s);
    }
}

static void tells_what_has_changed(void **state)
{
    struct settings a, b;
    (void)state;
    gnome_read(SPAN(MANUAL P " ignore-hosts ['a', 'b']\n"), &a);
    gnome_read(SPAN(MANUAL P " ignore-hosts ['a', 'c']\n"), &b);
    assert_true(settings_equal(&a, &a));
    assert_false(settings_equal(&a, &b));
    settings_free(&a);
    settings_free(&b);
}

static void knows_desktops(void **state)
{
    static const struct {
        const char *current;
        bool environment, gsettings;
        enum desktop_kind kind;
    } rows[] = {
        {"GNOME", true, true, DESKTOP_GNOME},
        {"ubuntu:GNOME", false, false, DESKTOP_GNOME},
        {"KDE", true, true, DESKTOP_KDE},
        {"Budgie:GNOME", false, true, DESKTOP_GNOME},
        {"XFCE", true, true, DESKTOP_ENVIRONMENT},
        {"XFCE", false, true, DESKTOP_GNOME},
        {NULL, true, true, DESKTOP_ENVIRONMENT},
        {NULL, false, true, DESKTOP_GNOME},
        {NULL, false, false, DESKTOP_ENVIRONMENT},
        {"", false, false, DESKTOP_ENVIRONMENT},
        {"NOTKDE", true, true, DESKTOP_ENVIRONMENT},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_int_equal(desktop_kind_of(rows[i].current, rows[i].environment, rows[i].gsettings),
                         rows[i].kind);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_gnome),           cmocka_unit_test(reads_kde),
        cmocka_unit_test(reads_the_environment), cmocka_unit_test(tells_what_has_changed),
        cmocka_unit_test(knows_desktops),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
