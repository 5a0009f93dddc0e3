/*
 * Moving in from other relays: the table against config/coming-from.md, which tells people the same; what becomes of each setting; and that no secret and
 * nothing hostile gets into the text.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/move.h"

/* --- the table and the words for people --- */

static void read_words(struct buf *out)
{
    char path[600];
    const char *slash = strrchr(__FILE__, '/');
    snprintf(path, sizeof path, "%.*s../../config/coming-from.md", slash ? (int)(slash - __FILE__ + 1) : 0,
             __FILE__);
    FILE *f = fopen(path, "r");
    if (!f)
        fail_msg("cannot open %s", path);
    for (int c; (c = getc(f)) != EOF;)
        buf_add(out, &(char){(char)c}, 1);
    fclose(f);
}

/* Without `, and with one blank for any white space. */
static void plain(struct buf *out, struct span text)
{
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i] == '\n' ? ' ' : text.p[i];
        bool again = c == ' ' && out->n && out->p[out->n - 1] == ' ';
        if (c != '`' && !again)
            buf_add(out, &c, 1);
    }
}

static struct span section_of(struct span all, const char *name)
{
    char heading[64];
    snprintf(heading, sizeof heading, "\n## %s\n", name);
    const char *begin = memmem(all.p, all.n, heading, strlen(heading));
    if (!begin)
        fail_msg("coming-from.md has no section %s", name);
    struct span rest = span_from(all, (size_t)(begin - all.p) + strlen(heading));
    const char *end = memmem(rest.p, rest.n, "\n## ", 4);
    return end ? span_head(rest, (size_t)(end - rest.p)) : rest;
}

static bool has(struct span text, const char *part)
{
    return memmem(text.p ? text.p : "", text.n, part, strlen(part)) != NULL;
}

/* The row of the section whose left side names the key: *right is its other side. */
static bool find_row(struct span section, struct span key, struct span *right)
{
    char quoted[64];
    snprintf(quoted, sizeof quoted, "`%.*s`", SPAN_ARG(key));
    while (section.n) {
        struct span line = span_cut(&section, '\n');
        const char *bar = memmem(line.p, line.n, " | ", 3);
        if (!bar || !has(span_head(line, (size_t)(bar - line.p)), quoted))
            continue;
        *right = span_from(line, (size_t)(bar - line.p) + 3);
        return true;
    }
    return false;
}

/* "[upstream NAME] proxy" for "upstream.proxy" */
static void told(char text[80], struct span to)
{
    size_t dot = span_find(to, '.');
    struct span section = span_head(to, dot);
    const struct section *s = section_find(section);
    assert_non_null(s);
    assert_non_null(setting_find(s, span_from(to, dot + 1)));
    snprintf(text, 80, "[%.*s%s] %.*s", SPAN_ARG(section), s->named ? " NAME" : "",
             SPAN_ARG(span_from(to, dot + 1)));
}

static void check_key(struct span all, struct span words, const struct move_row *row, struct span key)
{
    struct span right, to = span_str(row->to), one;
    struct buf cell = {0};
    char text[80];
    if (!find_row(section_of(all, move_name(row->from)), key, &right))
        fail_msg("coming-from.md does not tell of %.*s of %s", SPAN_ARG(key), move_name(row->from));
    plain(&cell, right);
    while ((one = span_word(&to)).n) {
        told(text, one);
        if (!has(buf_span(&cell), text))
            fail_msg("%.*s: coming-from.md does not say %s, but \"%.*s\"", SPAN_ARG(key), text,
                     SPAN_ARG(buf_span(&cell)));
    }
    if (!row->to && !has(buf_span(&cell), row->why) &&
        !(has(buf_span(&cell), "see above") && has(words, row->why)))
        fail_msg("%.*s: the table says \"%s\", coming-from.md \"%.*s\"", SPAN_ARG(key), row->why,
                 SPAN_ARG(buf_span(&cell)));
    buf_free(&cell);
}

static void test_table_and_words(void **state)
{
    (void)state;
    struct buf all = {0}, words = {0};
    read_words(&all);
    plain(&words, buf_span(&all));
    for (const struct move_row *row = move_rows; row->keys; row++) {
        struct span keys = span_str(row->keys), key;
        assert_true(row->take || row->why);
        while ((key = span_word(&keys)).n)
            check_key(buf_span(&all), buf_span(&words), row, key);
    }
    buf_free(&all);
    buf_free(&words);
}

static bool in_table(enum move_from from, struct span key)
{
    for (const struct move_row *row = move_rows; row->keys; row++) {
        struct span keys = span_str(row->keys), word;
        while (row->from == from && (word = span_word(&keys)).n)
            if (span_eq(word, key))
                return true;
    }
    return false;
}

/* Every setting of a file that people are told of is one that is read. Flags are so for alpaca alone, which has no file. */
static void test_words_and_table(void **state)
{
    (void)state;
    struct buf all = {0};
    read_words(&all);
    for (enum move_from from = MOVE_CNTLM; from <= MOVE_ENVIRONMENT; from++) {
        struct span section = section_of(buf_span(&all), move_name(from));
        while (section.n) {
            struct span line = span_cut(&section, '\n');
            const char *bar = memmem(line.p, line.n, " | ", 3);
            struct span left = bar ? span_head(line, (size_t)(bar - line.p)) : span_make(NULL, 0);
            while (left.n && span_find(left, '`') < left.n) {
                span_cut(&left, '`');
                struct span key = span_cut(&left, '`');
                bool flag = key.n && key.p[0] == '-' && from != MOVE_ALPACA;
                bool word = span_find(key, ' ') == key.n && !has(key, "...") &&
                            !span_eq(key, span_str(move_name(from)));
                if (!flag && word && !in_table(from, key))
                    fail_msg("the table has no %.*s of %s", SPAN_ARG(key), move_name(from));
            }
        }
    }
    buf_free(&all);
}

/* --- what becomes of it --- */

static void made_of(struct buf *out, struct draft *d, const char *text)
{
    enum move_from from;
    *d = (struct draft){0};
    struct err e;
    move_read_file(d, span_str(text), &from);
    draft_finish(d, SPAN("a test"), out, &e);
}

static void test_files(void **state)
{
    (void)state;
    static const struct {
        const char *text, *has, *lacks; /* parts of the configuration */
    } rows[] = {
        {"Proxy 10.0.0.1:8080\nProxy\t10.0.0.2:8080", "\nproxy = http://10.0.0.1:8080 http://10.0.0.2:8080\n",
         "not taken"},
        {"Proxy p:1\nUsername alice\nDomain CORP\nWorkstation DESK",
         "user = alice\n# Domain\ndomain = CORP\n# Workstation\nworkstation = DESK\n", NULL},
        {"  proxy   p:1  \r\nUSERNAME\talice\r\n", "user = alice\n", NULL},
        {"Proxy p:1\nPassword hunter2", NULL, "hunter2"},
        {"Proxy p:1\nPassword \"hunter2 # x\"", NULL, "hunter2"},
        {"Proxy p:1\nPassNT 77B9081511704EE852F94227CF48A793", "secret = nt-hash\n", "77B90"},
        {"Proxy p:1\nPassNT 77B9081511704EE852F94227CF48A793", "auth = negotiate ntlm\n", "77b90"},
        {"Proxy p:1\nPassNT hunter2", "PassNT: it is no NT hash", "hunter2"},
        {"Proxy p:1\nPassNTLMv2 D5826E9C665C37C80B53397D5C07BBCB", "PassNTLMv2: cannot be used", "D5826"},
        {"Proxy p:1\nPassLM 1AD35398BE6565DDB5C4EF70C0593492", "PassLM: cannot be used", "1AD35"},
        {"Proxy p:1\nAuth LM", "auth = ntlm\n", NULL},
        {"Proxy p:1\nAuth LM", "Auth: NTLM is NTLMv2 always", NULL},
        {"Proxy p:1\nAuth GSS", "auth = negotiate\n", NULL},
        {"Proxy p:1\nListen 3129", "http = 127.0.0.1:3129\n", NULL},
        {"Proxy p:1\nListen 192.0.2.1:3129\nGateway yes", "http = 127.0.0.1:3129\n", "http = 192"},
        {"Proxy p:1\nListen 192.0.2.1:3129\nGateway yes", "Gateway: others than this machine need a token",
         NULL},
        {"Proxy p:1\nNoProxy localhost, 127.0.0.*, 10.*", "no-proxy = localhost 127.0.0.* 10.*\n", NULL},
        {"Proxy p:1\nNoProxy a?b", "NoProxy: ", "no-proxy ="},
        {"Proxy p:1\nHeader User-Agent: x y", "set = * User-Agent: x y\n", NULL},
        {"Proxy p:1\nHeader Authorization: Basic aHVudGVy", "Header: Authorization cannot be changed",
         "aHVudGVy"},
        {"Proxy p:1\nTunnel 2222:git.example:22",
         "[forward tunnel-1]\nlisten = 127.0.0.1:2222\ntarget = git.example:22\n", NULL},
        {"Proxy p:1\nTunnel 192.0.2.1:2222:git.example:22", "Tunnel: it is not", "[forward t"},
        {"Proxy p:1\nTunnel 2222:git.example:22\nTunnel 2222:h:1\nTunnel 2223:h:2",
         "[forward tunnel-3]\nlisten = 127.0.0.1:2223\ntarget = h:2\n", "tunnel-2"},
        {"Proxy p:1\nTunnel 3129:git.example:22\nListen 3129",
         "a tunnel: 127.0.0.1:3129 has another use already", "[forward"},
        {"Proxy p:1\nTunnel x", "Tunnel: it is not", NULL},
        {"Proxy p:1\nSOCKS5Proxy 8010\nSOCKS5User dave:hunter2", "socks = 127.0.0.1:8010\n", "hunter2"},
        {"Proxy p:1\nNTLMToBasic yes", "client-credentials = use\n", NULL},
        {"Proxy socks5://p:1080\nNTLMToBasic yes", "NTLMToBasic: client-credentials: use is for HTTP proxies",
         "\nclient-credentials"},
        {"Proxy p:1\nNTLMToBasic no", NULL, "client-credentials"},
        {"Proxy p:1\nPac http://wpad.example/p.pac", "pac = http://wpad.example/p.pac\n", NULL},
        {"Proxy p:1\nPac http://bob:hunter2@wpad.example/p.pac", "Pac: ", "hunter2"},
        {"Proxy p:1\nNonsense hunter2", "Nonsense: unknown\n", "hunter2"},
        {"Proxy bob:hunter2@p:1", "proxy = http://p:1\n# Proxy\nuser = bob\n", "hunter2"},
        {"Proxy p:hunter2", "Proxy: ", "hunter2"},
        {"Proxy p:1\nUsername a\x01"
         "b",
         "Username: a control character", NULL},
        {"Proxy p:1\nUsername alice # \"b\"", "user = alice\n", NULL},
        {"Proxy p:1\nUsername \"a # b\" c", "user = \"a # b\"\n", NULL},
        {"Proxy p:1\nUsername \"alice", NULL, "user ="},
        {"Proxy p:1\nUsername alice\n[more]\nusername bob\n", "user = alice\n", "bob"},
        {"Proxy p:1\nUsername alice\nUsername bob\n", "Username: it stands there again", "bob"},
        {"Proxy p:1\nUsername\nUsername bob\n", "user = bob\n", "again"},
        {"Proxy p:1\nPassword # hunter2", NULL, "hunter2"},
        {"Proxy p:1\nPassNTLMv2 D5826E9C665C37C80B53397D5C07BBCB    # Only for user 'alice', domain 'CORP'",
         "PassNTLMv2: cannot", "Only"},
        {"Proxy p:1\nPassNT 77B9081511704EE852F94227CF48A793 # of alice", "secret = nt-hash\n", "77B9"},
        {"Proxy p:1\nListen 3128\nListen 127.0.0.1:3129", "http = 127.0.0.1:3128 127.0.0.1:3129\n",
         "not taken"},
        {"Proxy p:1\nListen 3128\nListen 127.0.0.1:3128\nListen 192.0.2.1:3128", "http = 127.0.0.1:3128\n",
         NULL},
        {"Proxy p:1\nDomain [upstream x]", "Domain: ", "[upstream x]"},
        {"Proxy p:1\nISAScannerSize 1024", "ISAScannerSize: not offered: ", NULL},

        {"[proxy]\nserver = p:8080,q:8080\nport = 3128\nlisten = 127.0.0.1\nusername = CORP\\alice\n",
         "proxy = http://p:8080 http://q:8080\n", NULL},
        {"[proxy]\nserver = p:1\nport = 3130\n", "http = 127.0.0.1:3130\n", NULL},
        {"[proxy]\nserver = p:1\ngateway = 1\n", "gateway: others", NULL},
        {"[proxy]\nserver = p:1\ngateway = 0\nworkers =\n", NULL, "gateway"},
        {"[proxy]\nserver = p:1\nnoproxy = 127.0.0.*,10.0.0.0-10.0.0.255,<local>\n",
         "no-proxy = 127.0.0.* 10.0.0.0/24 <local>\n", NULL},
        {"[proxy]\nserver = p:1\nnoproxy = 10.0.0.1-10.0.0.6,192.0.2.7-192.0.2.7\n",
         "no-proxy = 10.0.0.1 10.0.0.2/31 10.0.0.4/31 10.0.0.6 192.0.2.7\n", NULL},
        {"[proxy]\nserver = p:1\nnoproxy = 0.0.0.0-255.255.255.255\n", "no-proxy = 0.0.0.0/0\n", NULL},
        {"[proxy]\nserver = p:1\nnoproxy = 192.168.0.1/24,example.com,*.example.org\n",
         "no-proxy = 192.168.0.1/24 example.com *.example.org\n", NULL},
        {"[proxy]\nserver = p:1\nnoproxy = 10.0.0.9-10.0.0.1\n", "noproxy: ", "no-proxy ="},
        {"[proxy]\nserver = p:1\nnoproxy =\n    10.0.0.1,\n    # a comment\n\t10.0.0.2\nport = 3129\n",
         "no-proxy = 10.0.0.1 10.0.0.2\n", "comment"},
        {"\xEF\xBB\xBF[proxy]\r\nserver = p:1\r\nport = 3129\r\n", "http = 127.0.0.1:3129\n", "unknown"},
        {"[proxy]\nserver = p:1\nuseragent = x/1\n", "set = * User-Agent: x/1\n", NULL},
        {"[proxy]\nserver = p:1\nauth = NONE\n", "client-credentials = pass\n", "auth = none"},
        {"[proxy]\nserver = p:1\nauth = ONLYNTLM\n", "auth = ntlm\n", NULL},
        {"[proxy]\nserver = p:1\nauth = onlybasic\n", "auth = basic\n", NULL},
        {"[proxy]\nserver = p:1\nauth = NONTLM\n", "auth = negotiate digest\n", NULL},
        {"[proxy]\nserver = p:1\nauth = SAFENONEGOTIATE\n", "auth = ntlm digest\n", NULL},
        {"[proxy]\nserver = p:1\nauth = NOZEBRA\n", "auth: it names no scheme", "\nauth ="},
        {"[proxy]\nserver = p:1\nauth = AWS_SIGV4\n", "auth: it names no scheme", NULL},
        {"[proxy]\nserver = p:1\n[settings]\nworkers = 2\nlog = 1\n", "workers: one loop", NULL},
        {"[proxy]\nserver = p:1\n[settings]\nlog = 1\n", "level = debug\n", NULL},
        {"[proxy]\nserver = p:1\nkerberos = 1\n", "kerberos = acquire\n", NULL},
        {"[proxy]\nserver = p:1\nclient_auth = NTLM\n", "client_auth: NTLM, Negotiate", NULL},
        {"\xEF\xBB\xBFProxy p:1", "proxy = http://p:1\n", NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct draft d;
        struct buf out = {0};
        struct err e = {0};
        made_of(&out, &d, rows[i].text);
        if (rows[i].has && !has(buf_span(&out), rows[i].has))
            fail_msg("%s\n-> no \"%s\" in\n%s", rows[i].text, rows[i].has, buf_cstr(&out));
        if (rows[i].lacks && has(buf_span(&out), rows[i].lacks))
            fail_msg("%s\n-> \"%s\" in\n%s", rows[i].text, rows[i].lacks, buf_cstr(&out));
        if (draft_has(&d, "upstream", "proxy") && !draft_check(buf_span(&out), &e))
            fail_msg("%s\n-> %s\n%s", rows[i].text, e.text, buf_cstr(&out));
        draft_free(&d);
        buf_free(&out);
    }
}

static void test_secrets(void **state)
{
    (void)state;
    static const struct {
        const char *text, *password, *hash;
    } rows[] = {
        {"Proxy p:1\nPassword hunter2", "hunter2", NULL},
        {"Proxy p:1\nPassNT 77B9081511704EE852F94227CF48A793", NULL, "77B9081511704EE852F94227CF48A793"},
        {"Proxy p:1\nPassNT 77B9081511704EE852F94227CF48A793\nPassword x", "x", NULL},
        {"Proxy http://a%40b:c%3ad@p:1", "c:d", NULL},
        {"[proxy]\nserver = p:1\nusername = x", NULL, NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct draft d;
        struct buf out = {0};
        made_of(&out, &d, rows[i].text);
        assert_int_equal(secret_present(&d.password), rows[i].password != NULL);
        assert_int_equal(secret_present(&d.nt_hash), rows[i].hash != NULL);
        if (rows[i].password)
            assert_true(span_eq(secret_reveal(&d.password), span_str(rows[i].password)));
        if (rows[i].hash)
            assert_true(span_eq(secret_reveal(&d.nt_hash), span_str(rows[i].hash)));
        draft_free(&d);
        buf_free(&out);
    }
}

static void test_flags(void **state)
{
    (void)state;
    static const struct {
        const char *line, *has;
        bool good;
    } rows[] = {
        {"alpaca -C http://w.example/p.pac -u alice -d CORP", "user = alice\n", true},
        {"/usr/bin/alpaca --C='/a b.pac' -p 3130", "pac = /a b.pac\n", true},
        {"alpaca -p 3130 -l 127.0.0.2", "http = 127.0.0.2:3130\n", true},
        {"alpaca -no-kerberos", "auth = ntlm digest\n", true},
        {"alpaca -q", "level = warning\n", true},
        {"alpaca -enable-socks", "socks = 127.0.0.1:1080\n", true},
        {"alpaca -H x", "-H: ", true},
        {"alpaca -zebra x", "-zebra: unknown\n", true},
        {"alpaca -C 'x", NULL, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct draft d = {0};
        struct buf out = {0};
        assert_true(move_is_flags(span_str(rows[i].line)));
        bool good = move_read_flags(&d, span_str(rows[i].line));
        draft_write(&d, SPAN("a test"), &out);
        if (good != rows[i].good || (rows[i].has && !has(buf_span(&out), rows[i].has)))
            fail_msg("%s\n->\n%s", rows[i].line, buf_cstr(&out));
        draft_free(&d);
        buf_free(&out);
    }
    assert_false(move_is_flags(SPAN("/etc/cntlm.conf")));
}

/* However much there is of it, the notes and values have a ceiling, and the parser takes the rest. */
static void test_many(void **state)
{
    (void)state;
    struct buf text = {0}, out = {0};
    struct err e = {0};
    struct draft d;
    buf_add_str(&text, "Proxy p:1\n");
    for (int i = 0; i < 20000; i++)
        buf_addf(&text, "Key%d x\nNoProxy h%d\nTunnel %d:h:1\n", i, i, 2000 + i);
    made_of(&out, &d, buf_cstr(&text));
    assert_true(out.n < (size_t)1 << 20);
    assert_true(draft_check(buf_span(&out), &e));
    draft_free(&d);
    buf_free(&out);
    buf_free(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table_and_words), cmocka_unit_test(test_words_and_table),
        cmocka_unit_test(test_files),           cmocka_unit_test(test_secrets),
        cmocka_unit_test(test_flags),           cmocka_unit_test(test_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
