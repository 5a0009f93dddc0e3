/* Editors of other programs' files, differences, undoing, addresses: agent/apps without any file. And the table of programs, with README's copy of it:
   "test_apps --markdown" prints that one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "apps/apps.h"
#include "apps/diff.h"
#include "apps/file.h"
#include "apps/journal.h"
#include "apps/text.h"
#include "apps/undo.h"

#define URL "http://127.0.0.1:3128"

/* --- editors: before, key, value, after; after NULL: refused */

struct edit_case {
    const struct editor *editor;
    const char *before, *key, *value, *after;
};

static const struct edit_case edits[] = {
    /* git */
    {&edit_git, "", "http/proxy", URL, "[http]\n\tproxy = " URL "\n"},
    {&edit_git, "[user]\n\tname = Alice\n", "http/proxy", URL,
     "[user]\n\tname = Alice\n\n[http]\n\tproxy = " URL "\n"},
    {&edit_git, "[user]\n\tname = Alice", "http/proxy", URL,
     "[user]\n\tname = Alice\n\n[http]\n\tproxy = " URL "\n"},
    {&edit_git, "[HTTP]\n  sslVerify = true\n[core]\n", "http/proxy", URL,
     "[HTTP]\n  proxy = " URL "\n  sslVerify = true\n[core]\n"},
    {&edit_git, "[http]\n\tProxy=http://old:1 ; was\n", "http/proxy", URL, "[http]\n\tProxy=" URL "\n"},
    {&edit_git, "[http]\nproxy = a\nproxy = b\n", "http/proxy", URL, "[http]\nproxy = a\nproxy = " URL "\n"},
    {&edit_git, "[http]\nproxy = a\n[core]\n[http]\nx = 1\n", "http/proxy", URL,
     "[http]\nproxy = " URL "\n[core]\n[http]\nx = 1\n"},
    {&edit_git, "[http \"https://x\"]\n\tproxy = a\n", "http/proxy", URL,
     "[http \"https://x\"]\n\tproxy = a\n\n[http]\n\tproxy = " URL "\n"},
    {&edit_git, "[http] proxy = a\n", "http/proxy", URL, "[http] proxy = " URL "\n"},
    {&edit_git, "[http] sslVerify = no\n[core]\n", "http/proxy", URL,
     "[http] sslVerify = no\n\tproxy = " URL "\n[core]\n"},
    {&edit_git, "[http] # mine\n[core]\n", "http/proxy", URL, "[http] # mine\n\tproxy = " URL "\n[core]\n"},
    {&edit_git, "[http]\n\tproxy = a\\\n\tb\n\tx = 1\n", "http/proxy", URL,
     "[http]\n\tproxy = " URL "\n\tx = 1\n"},
    {&edit_git, "[http]\n\tproxy\n", "http/proxy", URL, "[http]\n\tproxy = " URL "\n"},
    {&edit_git, "# [http]\n;proxy = a\n", "http/proxy", URL,
     "# [http]\n;proxy = a\n\n[http]\n\tproxy = " URL "\n"},
    {&edit_git, "[user]\r\n\tname = A\r\n", "http/proxy", URL,
     "[user]\r\n\tname = A\r\n\r\n[http]\r\n\tproxy = " URL "\r\n"},
    {&edit_git, "\xef\xbb\xbf[http]\n\tproxy = a\n", "http/proxy", URL,
     "\xef\xbb\xbf[http]\n\tproxy = " URL "\n"},
    {&edit_git, "\xef\xbb\xbf", "http/proxy", URL, "\xef\xbb\xbf[http]\n\tproxy = " URL "\n"},
    {&edit_git, "[unclosed\nproxy\n\xff\xfe garbage [http\n", "http/proxy", URL,
     "[unclosed\nproxy\n\xff\xfe garbage [http\n\n[http]\n\tproxy = " URL "\n"},
    /* npm: its keys stand before any section */
    {&edit_npm, "//registry/:_authToken=secret\n", "proxy", URL,
     "//registry/:_authToken=secret\nproxy=" URL "\n"},
    {&edit_npm, "a=1\n[b]\nproxy=x\n", "proxy", URL, "a=1\nproxy=" URL "\n[b]\nproxy=x\n"},
    {&edit_npm, "proxy = x\n;proxy=y\nproxy[]=z\n", "proxy", URL, "proxy = " URL "\n;proxy=y\nproxy[]=z\n"},
    {&edit_npm, "proxy\n", "proxy", URL, "proxy=" URL "\n"},
    {&edit_npm, "https-proxy=x", "proxy", URL, "https-proxy=x\nproxy=" URL "\n"},
    /* yarn 1, curl, wget, properties */
    {&edit_yarn1, "registry \"r\"\nproxy \"x\"\n", "proxy", "\"" URL "\"",
     "registry \"r\"\nproxy \"" URL "\"\n"},
    {&edit_curl, "-s\n--proxy http://old\n", "proxy", "\"" URL "\"", "-s\n--proxy \"" URL "\"\n"},
    {&edit_curl, "proxy=x\nproxy-header = y\n", "proxy", "\"" URL "\"",
     "proxy=\"" URL "\"\nproxy-header = y\n"},
    {&edit_curl, "proxy: x", "proxy", "\"" URL "\"", "proxy: \"" URL "\""},
    {&edit_wget, "HTTP-Proxy = x\n", "http_proxy", URL, "HTTP-Proxy = " URL "\n"},
    {&edit_wget, "\n\n# nothing\n", "http_proxy", URL, "\n\n# nothing\nhttp_proxy = " URL "\n"},
    {&edit_properties, "# c\n! d\na\\=b=c\nhttp.proxyHost : x\n", "http.proxyHost", "h",
     "# c\n! d\na\\=b=c\nhttp.proxyHost : h\n"},
    {&edit_properties, "org.gradle.jvmargs=-Xmx1g \\\n  http.proxyHost=x\n", "http.proxyHost", "h",
     "org.gradle.jvmargs=-Xmx1g \\\n  http.proxyHost=x\nhttp.proxyHost=h\n"},
    {&edit_properties, "http.proxyHost\n", "http.proxyHost", "h", "http.proxyHost=h\n"},
    /* pip, dnf: a value goes on in indented lines */
    {&edit_pip, "[global]\nproxy =\n    http://old\nindex-url = x\n", "global/proxy", URL,
     "[global]\nproxy =" URL "\nindex-url = x\n"},
    {&edit_pip, "[install]\nuser = yes\n", "global/proxy", URL,
     "[install]\nuser = yes\n\n[global]\nproxy = " URL "\n"},
    {&edit_dnf, "[main]\ngpgcheck=1\n\n[repo]\nproxy=x\n", "main/proxy", URL,
     "[main]\nproxy=" URL "\ngpgcheck=1\n\n[repo]\nproxy=x\n"},
    {&edit_kde, "[$Version]\nupdate_info=x\n[Proxy Settings]\nProxyType=0\n", "Proxy Settings/ProxyType", "1",
     "[$Version]\nupdate_info=x\n[Proxy Settings]\nProxyType=1\n"},
    /* TOML */
    {&edit_toml, "[build]\njobs = 2\n", "http/proxy", "\"" URL "\"",
     "[build]\njobs = 2\n\n[http]\nproxy = \"" URL "\"\n"},
    {&edit_toml, "[ http ]\n\"proxy\" = 'x' # c\n", "http/proxy", "\"" URL "\"",
     "[ http ]\n\"proxy\" = \"" URL "\"\n"},
    {&edit_toml, "[http.x]\nproxy = 1\n", "http/proxy", "\"u\"",
     "[http.x]\nproxy = 1\n\n[http]\nproxy = \"u\"\n"},
    {&edit_toml, "a = [\n  \"b\",\n  [1],\n]\n[http]\n", "http/proxy", "\"u\"",
     "a = [\n  \"b\",\n  [1],\n]\n[http]\nproxy = \"u\"\n"},
    {&edit_toml, "http.proxy = \"x\"\n", "http/proxy", "\"u\"", NULL},
    {&edit_toml, "http = { proxy = \"x\" }\n", "http/proxy", "\"u\"", NULL},
    {&edit_toml, "a = \"\"\"\n[http]\n\"\"\"\n", "http/proxy", "\"u\"", NULL},
    /* YAML */
    {&edit_yaml, "channels:\n  - defaults\n", "proxy_servers/http", URL,
     "channels:\n  - defaults\nproxy_servers:\n  http: " URL "\n"},
    {&edit_yaml, "proxy_servers:\n    http: x\nssl_verify: true\n", "proxy_servers/https", URL,
     "proxy_servers:\n    https: " URL "\n    http: x\nssl_verify: true\n"},
    {&edit_yaml, "proxy_servers:\n  http: x # c\n", "proxy_servers/http", URL,
     "proxy_servers:\n  http: " URL "\n"},
    {&edit_yaml, "\"proxy_servers\":\n  'http': x\n", "proxy_servers/http", URL,
     "\"proxy_servers\":\n  'http': " URL "\n"},
    {&edit_yaml, "\"proxy_servers\": {}\n", "proxy_servers/http", URL, NULL},
    {&edit_yaml, "proxy_servers: {http: x}\n", "proxy_servers/http", URL, NULL},
    {&edit_yaml, "{a: b}\n", ":http_proxy", URL, NULL},
    {&edit_yaml, "---\n:sources:\n- https://rubygems.org/\n", ":http_proxy", URL,
     "---\n:sources:\n- https://rubygems.org/\n:http_proxy: " URL "\n"},
    {&edit_yaml, "a:\n  httpProxy: x\n", "httpProxy", "y", "a:\n  httpProxy: x\nhttpProxy: y\n"},
    /* lines */
    {&edit_lines, "Host a\n  Port 1", "block", "Host *\n  X\n", "Host a\n  Port 1\nHost *\n  X\n"},
    {&edit_lines, "Host *\n  X\nmore\n", "block", "Host *\n  X\n", "Host *\n  X\nmore\n"},
    /* JSON */
    {&edit_json, "", "a", "1", "{\n    \"a\": 1\n}\n"},
    {&edit_json, "{}", "a/b", "1", "{\n    \"a\": {\n        \"b\": 1\n    }\n}"},
    {&edit_json, "{\n\t\"auths\": {}\n}\n", "a", "1", "{\n\t\"a\": 1,\n\t\"auths\": {}\n}\n"},
    {&edit_json, "{\"x\":[1,{\"a\":2}],\"a\":3}", "a", "1", "{\"x\":[1,{\"a\":2}],\"a\":1}"},
    {&edit_json, "{\"a\":{\"c\":1}}", "a/b", "1", "{\"a\":{\n    \"b\": 1,\n    \"c\":1}}"},
    {&edit_json, "{\"\\u0061\": 2}", "a", "1", "{\"\\u0061\": 1}"},
    {&edit_json, "{\"a\": 1, \"a\": 2}", "a", "3", "{\"a\": 1, \"a\": 3}"},
    {&edit_json, "[1]", "a", "1", NULL},
    {&edit_json, "{\"a\": 1} x", "a", "1", NULL},
    {&edit_json, "{\"a\": ", "a", "1", NULL},
    {&edit_json, "{\"a\": 1", "b", "1", NULL},
    {&edit_json, "{\"a\": \"x}", "b", "1", NULL},
    {&edit_json, "{ // c\n \"a\": 1}", "a", "1", NULL},
    {&edit_json, "{\"a\": 5}", "a/b", "1", NULL},
    {&edit_jsonc, "{ // mine\n  \"a\": 1, /* } */\n}\n", "b", "2",
     "{\n  \"b\": 2, // mine\n  \"a\": 1, /* } */\n}\n"},
    {&edit_jsonc, "// top\n{\n    \"http.proxy\": \"x\", // why\n    \"b\": 1,\n}\n", "http.proxy", "\"y\"",
     "// top\n{\n    \"http.proxy\": \"y\", // why\n    \"b\": 1,\n}\n"},
    {&edit_jsonc, "{\r\n  \"a\": 1\r\n}\r\n", "b", "2", "{\r\n  \"b\": 2,\r\n  \"a\": 1\r\n}\r\n"},
    {&edit_jsonc, "\xef\xbb\xbf{}\n", "b", "2", "\xef\xbb\xbf{\n    \"b\": 2\n}\n"},
    {&edit_jsonc, "{ /* never closed", "b", "2", NULL},
    /* XML */
    {&edit_xml, "", "c/d/add[key=k]", "<add key=\"k\" value=\"v\" />",
     "<c>\n  <d>\n    <add key=\"k\" value=\"v\" />\n  </d>\n</c>\n"},
    {&edit_xml, "<?xml version=\"1.0\"?>\n<!-- <d> -->\n<c xmlns=\"x\">\n  <e/>\n</c>\n", "c/d/p[id=x]",
     "<p><id>x</id></p>",
     "<?xml version=\"1.0\"?>\n<!-- <d> -->\n<c xmlns=\"x\">\n  <d>\n    <p><id>x</id></p>\n  </d>\n  "
     "<e/>\n</c>\n"},
    {&edit_xml, "<c><d>\n<p><id>a</id></p><p><id> x </id><z/></p></d></c>", "c/d/p[id=x]",
     "<p><id>x</id></p>", "<c><d>\n<p><id>a</id></p><p><id>x</id></p></d></c>"},
    {&edit_xml, "<c><d /></c>", "c/d/p[id=x]", "<p/>",
     NULL}, /* the value does not fit its key: nothing would find it again */
    {&edit_xml, "<c>\n  <d />\n</c>\n", "c/d/p[id=x]", "<p id=\"x\"/>",
     "<c>\n  <d>\n    <p id=\"x\"/>\n  </d>\n</c>\n"},
    {&edit_xml, "<c><![CDATA[<d>]]></c>", "c/p[id=x]", "<p id=\"x\"/>",
     "<c>\n  <p id=\"x\"/>\n<![CDATA[<d>]]></c>"},
    {&edit_xml, "<c><p id='y'/><p id='x' z='1'/></c>", "c/p[id=x]", "<p id=\"x\"/>",
     "<c><p id='y'/><p id=\"x\"/></c>"},
    {&edit_xml, "<other/>", "c/p[id=x]", "<p id=\"x\"/>", NULL},
    {&edit_xml, "<c><p>", "c/p[id=x]", "<p id=\"x\"/>", NULL},
    {&edit_xml, "<c a='>", "c/p[id=x]", "<p id=\"x\"/>", NULL},
    {&edit_xml, "<!DOCTYPE c [<!ENTITY x \"y\">]><c/>", "c/p[id=x]", "<p id=\"x\"/>", NULL},
    {&edit_xml, "not xml", "c/p[id=x]", "<p id=\"x\"/>", NULL},
};

/* As set.c does it: refused too when the item cannot be found again as it was written. */
static bool put(const struct edit_case *c, struct buf *text, struct err *e)
{
    struct span value = span_str(c->value), now;
    buf_add_str(text, c->before);
    return c->editor->put(c->editor, text, c->key, value, e) &&
           c->editor->get(c->editor, buf_span(text), c->key, value, &now) && span_eq(now, value);
}

static void editors(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof edits / sizeof *edits; i++) {
        const struct edit_case *c = &edits[i];
        struct buf text = {0};
        struct err e = {0};
        bool ok = put(c, &text, &e);
        if (ok != !!c->after)
            fail_msg("case %zu (%s) was %s: %s", i, c->before, ok ? "taken" : "refused", e.text);
        if (c->after && !span_eq(buf_span(&text), span_str(c->after)))
            fail_msg("case %zu:\n%s\nis not\n%s", i, buf_cstr(&text), c->after);
        buf_free(&text);
    }
}

/* The same again changes nothing; what was dropped is not there; the old value comes back. */
static void editors_undo(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof edits / sizeof *edits; i++) {
        const struct edit_case *c = &edits[i];
        struct buf text = {0}, first = {0};
        struct span was = {0}, now, value = span_str(c->value);
        if (!c->after || c->editor == &edit_lines)
            continue;
        bool had = c->editor->get(c->editor, span_str(c->before), c->key, value, &was);
        bool prune = !c->editor->holds(c->editor, span_str(c->before), c->key);
        assert_true(put(c, &text, NULL));
        buf_add_span(&first, buf_span(&text));
        assert_true(c->editor->put(c->editor, &text, c->key, value, NULL));
        assert_true(span_eq(buf_span(&text), buf_span(&first)));
        if (had)
            assert_true(c->editor->put(c->editor, &text, c->key, was, NULL));
        else
            c->editor->drop(c->editor, &text, c->key, value, prune);
        bool has = c->editor->get(c->editor, buf_span(&text), c->key, value, &now);
        if (has != had || (had && !span_eq(now, was)))
            fail_msg("case %zu: %s", i, buf_cstr(&text));
        if (!had && !edit_empty(c->editor, buf_span(&text))) {
            struct buf again = {0}; /* and no rest of ours that would be in the way */
            struct edit_case second = *c;
            second.before = buf_cstr(&text);
            assert_true(put(&second, &again, NULL));
            buf_free(&again);
        }
        buf_free(&text);
        buf_free(&first);
    }
}

struct drop_case {
    const struct editor *editor;
    const char *before, *key, *value, *after;
};

static void drops(void **state)
{
    (void)state;
    static const struct drop_case cases[] = {
        {&edit_git, "[user]\n\tname = A\n\n[http]\n\tproxy = u\n", "http/proxy", "u", "[user]\n\tname = A\n"},
        {&edit_git, "[http]\n\tproxy = u\n\tsslVerify = no\n", "http/proxy", "u",
         "[http]\n\tsslVerify = no\n"},
        {&edit_git, "[http] proxy = u\n[core]\n", "http/proxy", "u", "[core]\n"},
        {&edit_git, "[a]\r\nb=1\r\n\r\n[http]\r\nproxy = u\r\n", "http/proxy", "u", "[a]\r\nb=1\r\n"},
        {&edit_yaml, "proxy_servers:\n  http: u\nb: 1\n", "proxy_servers/http", "u", "b: 1\n"},
        {&edit_json, "{\n  \"b\": 2,\n  \"a\": 1\n}\n", "a", "1", "{\n  \"b\": 2\n}\n"},
        {&edit_json, "{\n  \"a\": 1,\n  \"b\": 2\n}\n", "a", "1", "{\n  \"b\": 2\n}\n"},
        {&edit_json, "{\"b\": 2, \"a\": 1}", "a", "1", "{\"b\": 2 }"},
        {&edit_json, "{\"a\": 1, \"b\": 2}", "a", "1", "{\"b\": 2}"},
        {&edit_json, "{\"x\": {\"y\": {\"a\": 1}}, \"b\": 2}", "x/y/a", "1", "{\"b\": 2}"},
        {&edit_jsonc, "{\n  \"a\": 1, // ours\n  \"b\": 2,\n}\n", "a", "1", "{\n  // ours\n  \"b\": 2,\n}\n"},
        {&edit_xml, "<c>\n  <d>\n    <p id=\"x\"/>\n  </d>\n  <e/>\n</c>\n", "c/d/p[id=x]", "",
         "<c>\n  <e/>\n</c>\n"},
        {&edit_xml, "<c>\n  <d>\n    <p id=\"x\"/>\n    <p id=\"y\"/>\n  </d>\n</c>\n", "c/d/p[id=x]", "",
         "<c>\n  <d>\n    <p id=\"y\"/>\n  </d>\n</c>\n"},
        {&edit_lines, "a\nb\nc\n", "x", "b\n", "a\nc\n"},
        {&edit_lines, "ab\nb", "x", "b\n", "ab\nb"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct drop_case *c = &cases[i];
        struct buf text = {0};
        buf_add_str(&text, c->before);
        c->editor->drop(c->editor, &text, c->key, span_str(c->value), true);
        if (!span_eq(buf_span(&text), span_str(c->after)))
            fail_msg("case %zu:\n%s\nis not\n%s", i, buf_cstr(&text), c->after);
        buf_free(&text);
    }
}

/* Every editor on every text, cut off at every byte: nothing is read beyond its end (the sanitizer looks), and what it takes it finds again. */
static void editors_on_anything(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof edits / sizeof *edits; i++) {
        for (size_t j = 0; j < sizeof edits / sizeof *edits; j += 7) {
            const struct edit_case *c = &edits[j];
            for (size_t n = 0; n <= strlen(edits[i].before); n++) {
                struct buf text = {0};
                struct span now, value = span_str(c->value);
                char *exact = mem_alloc(n + 1);
                memcpy(exact, edits[i].before, n);
                c->editor->get(c->editor, span_make(exact, n), c->key, value, &now);
                c->editor->holds(c->editor, span_make(exact, n), c->key);
                edit_empty(c->editor, span_make(exact, n));
                buf_add(&text, exact, n);
                c->editor->put(c->editor, &text, c->key, value, NULL);
                c->editor->drop(c->editor, &text, c->key, value, true);
                free(exact);
                buf_free(&text);
            }
        }
    }
}

/* --- differences */

/* A journal's entry for old -> new, as set.c writes it. */
static json_t *entry_of(const struct editor *editor, struct span old, struct span new, const char *key,
                        const char *ours, const char *was)
{
    struct diff d;
    char was_digest[65], digest[65];
    json_t *hunks = json_array();
    diff_make(&d, old, new);
    for (size_t i = 0; i < d.n; i++)
        json_array_append_new(
            hunks, json_pack("[I, I, o]", (json_int_t)d.hunks[i].new_at, (json_int_t)d.hunks[i].new_n,
                             journal_bytes(span_make(old.p + d.hunks[i].old_at, d.hunks[i].old_n))));
    diff_free(&d);
    file_digest(old, was_digest);
    file_digest(new, digest);
    return json_pack("{s:s, s:s, s:s, s:o, s:[{s:s, s:s, s:s?, s:b}]}", "editor", editor->name, "old",
                     was_digest, "new", digest, "hunks", hunks, "keys", "key", key, "ours", ours, "was", was,
                     "prune", 1);
}

static void undo_is_exact(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof edits / sizeof *edits; i++) {
        const struct edit_case *c = &edits[i];
        struct undone u;
        if (!c->after)
            continue;
        json_t *entry = entry_of(c->editor, span_str(c->before), span_str(c->after), c->key, c->value, NULL);
        assert_true(undo_make(&u, entry, span_str(c->after), NULL));
        assert_true(u.exact);
        if (!span_eq(buf_span(&u.text), span_str(c->before)))
            fail_msg("case %zu: %s", i, buf_cstr(&u.text));
        undo_free(&u);
        json_decref(entry);
    }
}

/* Somebody else has been there since. */
static void undo_of_changed(void **state)
{
    (void)state;
    static const struct {
        const char *was, *now, *after, *left;
    } cases[] = {
        {NULL, "[http]\n\tproxy = ours\n\tx = 1\n", "[http]\n\tx = 1\n", ""},
        {NULL, "# hi\n[http]\n\tproxy = ours\n", "# hi\n", ""},
        {"old ; c", "[http]\n\tproxy = ours\n\tx = 1\n", "[http]\n\tproxy = old ; c\n\tx = 1\n", ""},
        {"old", "[http]\n\tproxy = theirs\n", "[http]\n\tproxy = theirs\n", "http/proxy"},
        {NULL, "[http]\n\tproxy = theirs\n", "[http]\n\tproxy = theirs\n", "http/proxy"},
        {"old", "[http]\n[x]\n", "[http]\n[x]\n", ""},
        {NULL, "", "", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct undone u;
        json_t *entry = entry_of(&edit_git, SPAN("[http]\n"), SPAN("[http]\n\tproxy = ours\n"), "http/proxy",
                                 "ours", cases[i].was);
        assert_true(undo_make(&u, entry, span_str(cases[i].now), NULL));
        assert_false(u.exact);
        assert_string_equal(buf_cstr(&u.text), cases[i].after);
        assert_string_equal(buf_cstr(&u.left), cases[i].left);
        undo_free(&u);
        json_decref(entry);
    }
}

/* A journal that somebody has edited: no crash, and never taken for exact. */
static void undo_of_nonsense(void **state)
{
    (void)state;
    static const char *const hunks[] = {"[]",
                                        "[[0, 99, \"x\"]]",
                                        "[[-1, 1, \"x\"]]",
                                        "[[1, -1, \"x\"]]",
                                        "[[5, 1, \"x\"], [0, 1, \"y\"]]",
                                        "[[0, 1, 7]]",
                                        "[7]",
                                        "{}",
                                        "[[9223372036854775807, 1, \"\"]]",
                                        "[[0, 9223372036854775807, \"\"]]"};
    for (size_t i = 0; i < sizeof hunks / sizeof *hunks; i++) {
        struct undone u;
        json_t *entry =
            entry_of(&edit_git, SPAN("old text\n"), SPAN("new text\n"), "http/proxy", "ours", NULL);
        json_object_set_new(entry, "hunks", json_loads(hunks[i], 0, NULL));
        assert_true(undo_make(&u, entry, SPAN("new text\n"), NULL));
        assert_false(u.exact);
        assert_string_equal(buf_cstr(&u.text), "new text\n");
        undo_free(&u);
        json_decref(entry);
    }
    struct undone u;
    json_t *entry = json_pack("{s:s}", "editor", "no such");
    struct err e = {0};
    assert_false(undo_make(&u, entry, SPAN("x"), &e));
    undo_free(&u);
    json_decref(entry);
}

static void diff_text(void **state)
{
    (void)state;
    static const struct {
        const char *old, *new, *diff;
    } cases[] = {
        {"a\n", "a\n", ""},
        {"", "a\n", "--- o\n+++ n\n@@ -0,0 +1 @@\n+a\n"},
        {"a", "a\nb\n", "--- o\n+++ n\n@@ -1 +1,2 @@\n-a\n\\ No newline at end of file\n+a\n+b\n"},
        {"1\n2\n3\n4\n5\n6\n7\n8\n9\n", "1\n2\n3\n4\nx\n5\n6\n7\n8\n9\n",
         "--- o\n+++ n\n@@ -2,6 +2,7 @@\n 2\n 3\n 4\n+x\n 5\n 6\n 7\n"},
        {"1\n2\n3\n4\n5\n6\n7\n8\n9\n", "x\n2\n3\n4\n5\n6\n7\n8\ny\n",
         "--- o\n+++ n\n@@ -1,4 +1,4 @@\n-1\n+x\n 2\n 3\n 4\n@@ -6,4 +6,4 @@\n 6\n 7\n 8\n-9\n+y\n"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct buf out = {0};
        diff_print(&out, "o", span_str(cases[i].old), "n", span_str(cases[i].new));
        assert_string_equal(buf_cstr(&out), cases[i].diff);
        buf_free(&out);
    }
}

/* A file of ten megabytes with a change at each end, and one that is another altogether. */
static void diff_of_large(void **state)
{
    (void)state;
    struct buf old = {0}, new = {0};
    for (unsigned i = 0; i < 200000; i++)
        buf_addf(&old, "this is line number %u of very many of them\n", i);
    buf_add_str(&new, "first\n");
    buf_add_span(&new, buf_span(&old));
    buf_add_str(&new, "last\n");
    struct diff d;
    diff_make(&d, buf_span(&old), buf_span(&new));
    assert_int_equal(d.n, 2);
    assert_int_equal(d.hunks[0].new_n, 6);
    assert_int_equal(d.hunks[1].new_n, 5);
    diff_free(&d);
    for (size_t i = 0; i < new.n; i++)
        new.p[i] = new.p[i] == '\n' ? '\n' : 'x';
    diff_make(&d, buf_span(&old), buf_span(&new));
    assert_int_equal(d.n, 1);
    diff_free(&d);
    buf_free(&old);
    buf_free(&new);
}

/* --- addresses */

static void addresses(void **state)
{
    (void)state;
    static const struct {
        const char *typed, *url;
    } cases[] = {
        {"127.0.0.1:3128", "http://127.0.0.1:3128"},
        {"http://[::1]:80/", "http://[::1]:80"},
        {"0.0.0.0:3128", "http://127.0.0.1:3128"},
        {"[::]:3128", "http://[::1]:3128"},
        {"HTTP://relay.example:8080", "http://relay.example:8080"},
        {"unix:/run/x", NULL},
        {"127.0.0.1", NULL},
        {"127.0.0.1:0", NULL},
        {"127.0.0.1:99999", NULL},
        {"a b:1", NULL},
        {"user:pw@host:1", NULL},
        {"$(x):1", NULL},
        {":1", NULL},
        {"[]:1", NULL},
        {"", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct aim a;
        struct err e = {0};
        if (aim_read(&a, cases[i].typed, &e) != !!cases[i].url)
            fail_msg("%s", cases[i].typed);
        if (cases[i].url)
            assert_string_equal(a.url, cases[i].url);
        aim_free(&a);
    }
}

static void expect_expanded(const struct aim *a, const char *template, const char *expected)
{
    struct buf out = {0};
    aim_expand(a, template, &out);
    assert_string_equal(buf_cstr(&out), expected);
    buf_free(&out);
}

static void exceptions(void **state)
{
    (void)state;
    static const char *const given[] = {
        "localhost",   ".corp.example", "*.lab.example", "10.0.0.0/8", "172.16.0.0/12",
        "fd00::/8",    "[fe80::1]",     "host:8080",     "[::2]:80",   "<local>",
        "a*b.example", "wiki",          "it's",          "x\"y",       ""};
    struct aim a;
    assert_true(aim_init(&a, "127.0.0.1:3128"));
    for (size_t i = 0; i < sizeof given / sizeof *given; i++)
        aim_add_direct(&a, given[i]);
    expect_expanded(&a, "{no_proxy}",
                    "localhost,127.0.0.1,127.0.0.0/8,::1,.corp.example,.lab.example,10.0.0.0/8,172.16.0.0/"
                    "12,fd00::/8,fe80::1,wiki");
    expect_expanded(&a, "{java}", "localhost|127.0.0.1|127.*|[::1]|*.corp.example|*.lab.example|10.*|wiki");
    expect_expanded(
        &a, "Host *{ssh}",
        "Host * !localhost !127.0.0.1 !127.* !::1 !*.corp.example !*.lab.example !10.* !fe80::1 !wiki");
    expect_expanded(&a, "{gvariant}",
                    "['localhost', '127.0.0.1', '127.0.0.0/8', '::1', '.corp.example', '.lab.example', "
                    "'10.0.0.0/8', '172.16.0.0/12', "
                    "'fd00::/8', 'fe80::1', 'wiki']");
    expect_expanded(&a, "{apt}",
                    "Acquire::http::Proxy::localhost \"DIRECT\";\nAcquire::http::Proxy::127.0.0.1 "
                    "\"DIRECT\";\nAcquire::http::Proxy::wiki "
                    "\"DIRECT\";\n");
    expect_expanded(&a, "{{url}} {x} {", "{http://127.0.0.1:3128} {x} {");
    assert_int_equal(a.n_left_out, 7);
    aim_free(&a);
}

/* --- the table */

static void rows(void **state)
{
    (void)state;
    const char *before = "";
    for (const struct app *app = app_rows; app->name; app++) {
        assert_true(strcmp(before, app->name) < 0);
        before = app->name;
        assert_ptr_equal(app_named(app->name), app);
        assert_true(app->title && app->find && *app->find);
        assert_int_equal(app->scope == SCOPE_ENVIRONMENT, !app->files[0].paths && !app->settings);
        assert_true(app->scope != SCOPE_ENVIRONMENT || app->environment);
        for (const struct app_file *f = app->files; f < app->files + APP_FILES_MOST && f->paths; f++) {
            assert_ptr_equal(editor_named(f->editor->name), f->editor);
            assert_true(f->keys[0].key && !f->keys[APP_KEYS_MOST - 1].key);
        }
    }
    assert_null(app_named("all"));
    assert_null(editor_named("no such"));
}

/* Each row writes into nothing at all, and its editors find what it wrote. */
static void rows_write(void **state)
{
    (void)state;
    struct aim a;
    assert_true(aim_init(&a, "[::1]:3128"));
    for (const struct app *app = app_rows; app->name; app++) {
        for (const struct app_file *f = app->files; f < app->files + APP_FILES_MOST && f->paths; f++) {
            struct buf text = {0};
            for (const struct app_key *k = f->keys; k->key; k++) {
                struct buf value = {0};
                struct span now;
                aim_expand(&a, k->value, &value);
                assert_true(f->editor->put(f->editor, &text, k->key, buf_span(&value), NULL));
                if (!f->editor->get(f->editor, buf_span(&text), k->key, buf_span(&value), &now) ||
                    !span_eq(now, buf_span(&value)))
                    fail_msg("%s %s: %s", app->name, k->key, buf_cstr(&text));
                buf_free(&value);
            }
            buf_free(&text);
        }
    }
    aim_free(&a);
}

/* What another program has written between our reading and our writing is not lost. */
static void changed_meanwhile(void **state)
{
    (void)state;
    char path[] = "/tmp/test-apps-XXXXXX";
    int fd = mkstemp(path);
    struct file f, now;
    struct err e = {0};
    assert_int_equal(write(fd, "old\n", 4), 4);
    assert_true(file_read(&f, path, NULL, &e));
    assert_int_equal(write(fd, "new\n", 4), 4);
    assert_false(file_write(&f, SPAN("ours\n"), 0600, &e));
    assert_non_null(strstr(e.text, "try again"));
    file_free(&f);
    assert_true(file_read(&now, path, NULL, &e));
    assert_string_equal(buf_cstr(&now.text), "old\nnew\n");
    assert_true(file_write(&now, SPAN("ours\n"), 0600, &e));
    file_free(&now);
    close(fd);
    unlink(path);
}

static void readme(void **state)
{
    (void)state;
    struct buf table = {0};
    struct file f;
    struct err e = {0};
    char path[600];
    const char *slash = strrchr(__FILE__, '/');
    snprintf(path, sizeof path, "%.*s../../README.md", slash ? (int)(slash - __FILE__ + 1) : 0, __FILE__);
    apps_markdown(&table);
    if (!file_peek(&f, path, &e))
        fail_msg("%s", e.text);
    if (!memmem(f.text.p, f.text.n, table.p, table.n))
        fail_msg("README.md's table of client programs is out of date: test_apps --markdown prints it");
    file_free(&f);
    buf_free(&table);
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "--markdown") == 0) {
        struct buf table = {0};
        apps_markdown(&table);
        fputs(buf_cstr(&table), stdout);
        buf_free(&table);
        return 0;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(editors),
        cmocka_unit_test(editors_undo),
        cmocka_unit_test(drops),
        cmocka_unit_test(editors_on_anything),
        cmocka_unit_test(undo_is_exact),
        cmocka_unit_test(undo_of_changed),
        cmocka_unit_test(undo_of_nonsense),
        cmocka_unit_test(diff_text),
        cmocka_unit_test(diff_of_large),
        cmocka_unit_test(addresses),
        cmocka_unit_test(exceptions),
        cmocka_unit_test(rows),
        cmocka_unit_test(rows_write),
        cmocka_unit_test(changed_meanwhile),
        cmocka_unit_test(readme),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
