/* The configuration: each setting's values, defaults and error sentences; includes; the environment; what is printed; and that the
   committed sample is the one that the table of settings makes. "test_config --sample" prints that one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include <arpa/inet.h>
#include <netinet/in.h>

#include "config/config.h"
#include "config/keys.h"

#define UP "[upstream corp]\nproxy = http://p:1\n"

static char directory[] = "/tmp/exeat-test-XXXXXX";
#define HASH   "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
#define CLIENT "[client a]\ntoken = sha256:" HASH "\n"
#define NO_HASH                                                                                              \
    "this is not the hash of a token (sha256: and 64 digits); \"exeat token NAME\" makes a token and "       \
    "prints "                                                                                                \
    "this line. The token itself never stands here"

static const char *const variables[] = {"EXEAT_UPSTREAM", "https_proxy",     "HTTPS_PROXY",
                                        "http_proxy",     "HTTP_PROXY",      "no_proxy",
                                        "NO_PROXY",       "XDG_CONFIG_HOME", NULL};

static int set_up(void **state)
{
    (void)state;
    for (size_t i = 0; variables[i]; i++)
        unsetenv(variables[i]);
    setenv("HOME", "/home/alice", 1);
    return 0;
}

static int group_set_up(void **state)
{
    (void)state;
    return mkdtemp(directory) ? 0 : -1;
}

static int group_tear_down(void **state)
{
    (void)state;
    struct buf command;
    buf_init(&command, 0);
    buf_addf(&command, "rm -rf '%s'", directory);
    int rc = system(buf_cstr(&command));
    buf_free(&command);
    return rc;
}

static struct config *good(const char *text)
{
    struct err e = {0};
    struct config *c = config_load_text("t.conf", span_str(text), &e);
    if (!c)
        fail_msg("refused: %s\n%s", e.text, text);
    return c;
}

static void expect_error(struct span text, const char *sentence)
{
    struct err e = {0};
    struct config *c = config_load_text("t.conf", text, &e);
    if (c)
        fail_msg("not refused (%s):\n%.*s", sentence, SPAN_ARG(text));
    assert_int_equal(e.code, ERR_CONFIG);
    assert_string_equal(e.text, sentence);
    assert_null(config_load_text("t.conf", text, NULL)); /* nobody has to listen */
}

static void test_defaults(void **state)
{
    (void)state;
    struct config *c = good(UP);
    assert_string_equal(c->file, "t.conf");
    assert_int_equal(c->n_listen, 2);
    assert_string_equal(c->listen[0].host, "127.0.0.1");
    assert_string_equal(c->listen[1].host, "::1");
    assert_string_equal(c->listen[1].text, "[::1]:3128");
    assert_int_equal(c->listen[1].port, 3128);
    assert_int_equal(c->n_socks, 0);
    assert_int_equal(c->n_forwards, 0);
    assert_false(c->allow_any);
    assert_int_equal(c->n_allow_uids, 2);
    assert_int_equal(c->allow_uids[0].uid, geteuid());
    assert_int_equal(c->allow_uids[1].uid, 0);
    assert_int_equal(c->max_head, 256 * 1024);
    assert_int_equal(c->n_no_proxy, 0);
    assert_int_equal(c->log_level, LOG_LEVEL_INFO);
    assert_true(c->log_requests);
    assert_null(c->log_file);
    assert_int_equal(c->log_format, LOG_FORMAT_PLAIN);
    assert_int_equal(c->n_metrics, 0);
    assert_int_equal(c->drain, 5);
    assert_int_equal(c->tunnel_idle, 24 * 3600);
    assert_int_equal(c->n_upstreams, 1);
    const struct config_upstream *u = &c->upstreams[0];
    assert_string_equal(u->name, "corp");
    assert_int_equal(u->line, 1);
    assert_int_equal(u->n_auth, 3);
    assert_int_equal(u->auth[0], AUTH_NEGOTIATE);
    assert_int_equal(u->auth[1], AUTH_NTLM);
    assert_int_equal(u->auth[2], AUTH_DIGEST);
    assert_null(u->user);
    assert_int_equal(u->secret, SECRET_KEYRING);
    assert_null(u->secret_argument);
    assert_int_equal(u->kerberos, KERBEROS_FIND);
    assert_null(u->spn);
    assert_int_equal(u->canonicalize, CANONICALIZE_SYSTEM);
    assert_false(u->delegate);
    assert_int_equal(u->mutual, MUTUAL_TRY);
    assert_int_equal(u->wait_for_password, 0);
    assert_null(u->ca);
    assert_int_equal(u->n_pins, 0);
    assert_null(u->certificate);
    assert_null(u->key);
    assert_int_equal(u->client_credentials, CLIENT_CREDENTIALS_DROP);
    assert_int_equal(u->connections, 64);
    assert_int_equal(u->spares, 2);
    assert_int_equal(u->dial_timeout, 10);
    assert_int_equal(u->answer_timeout, 300);
    assert_ptr_equal(config_ref(c), c);
    config_unref(c);
    assert_string_equal(config_upstream_named(c, SPAN("corp"))->name, "corp");
    assert_null(config_upstream_named(c, SPAN("cor")));
    config_unref(c);
    config_unref(NULL);
}

static void test_everything_set(void **state)
{
    (void)state;
    struct config *c = good(
        "[log]\nlevel = debug\nrequests = no\n"
        "[listen]\nhttp = unix:/run/x 127.0.0.2:0 [0::1]:65535 localhost:1 \"unix:~/a b\"\nallow-uids = 42 "
        "daemon root \"self\" 4294967294\nmax-head = 1M\n"
        "[upstream b.C-2_]\nproxy = p.example:8080 HTTPS://[2001:DB8::0]:443/ http://10.0.0.1:3128\n"
        "auth = basic digest ntlm negotiate\nuser = CORP\\alice\nsecret = command: pass show \"my # proxy\"\n"
        "spn = HTTP/x@CORP.EXAMPLE\nkerberos = acquire\ncanonicalize = no\ndelegate = yes\n"
        "mutual = off\nwait-for-password = 2m\nclient-credentials = pass\nconnections = 7\nspares = 0\n"
        "domain = CORP\nworkstation = DESK42\nno-auth = .free.example 192.0.2.0/24\n"
        "dial-timeout = 1h\n"
        "answer-timeout = 0\n"
        "[upstream none]\nproxy = p:1\nauth = none\npass-authorization = yes\nsecret = "
        "file:~/pw\ndial-timeout = \"2\"\nanswer-timeout "
        "= 3m\n"
        "[route]\nno-proxy = localhost 127.0.0.0/8 \"a-b\" .internal.example\n");
    assert_int_equal(c->log_level, LOG_LEVEL_DEBUG);
    assert_false(c->log_requests);
    assert_string_equal(c->upstreams[0].domain, "CORP");
    assert_string_equal(c->upstreams[0].workstation, "DESK42");
    assert_int_equal(c->upstreams[0].n_no_auth, 2);
    assert_string_equal(c->upstreams[0].no_auth[1], "192.0.2.0/24");
    assert_false(c->upstreams[0].pass_authorization);
    assert_true(c->upstreams[1].pass_authorization);
    assert_int_equal(c->n_listen, 5);
    assert_string_equal(c->listen[0].path, "/run/x");
    assert_null(c->listen[0].host);
    assert_int_equal(c->listen[1].port, 0);
    assert_string_equal(c->listen[2].host, "::1");
    assert_int_equal(c->listen[2].port, 65535);
    assert_string_equal(c->listen[2].text, "[0::1]:65535");
    assert_string_equal(c->listen[4].path, "/home/alice/a b");
    assert_int_equal(c->n_allow_uids, 5);
    static const uid_t users[] = {42, 1, 0, 0, 4294967294};
    for (size_t i = 0; i < c->n_allow_uids; i++)
        assert_int_equal(c->allow_uids[i].uid, i == 3 ? geteuid() : users[i]);
    assert_string_equal(c->allow_uids[1].text, "daemon");
    assert_int_equal(c->max_head, 1 << 20);
    assert_int_equal(c->n_upstreams, 2);
    const struct config_upstream *u = &c->upstreams[0];
    assert_string_equal(u->name, "b.C-2_");
    assert_int_equal(u->n_proxies, 3);
    assert_string_equal(u->proxies[0].text, "http://p.example:8080");
    assert_false(u->proxies[0].tls);
    assert_string_equal(u->proxies[1].host, "2001:db8::");
    assert_string_equal(u->proxies[1].text, "https://[2001:db8::]:443");
    assert_true(u->proxies[1].tls);
    assert_int_equal(u->proxies[2].port, 3128);
    assert_int_equal(u->n_auth, 4);
    assert_int_equal(u->auth[0], AUTH_BASIC);
    assert_int_equal(u->auth[3], AUTH_NEGOTIATE);
    assert_string_equal(u->user, "CORP\\alice");
    assert_int_equal(u->secret, SECRET_COMMAND);
    assert_string_equal(u->secret_argument, "pass show \"my # proxy\"");
    assert_string_equal(u->spn, "HTTP/x@CORP.EXAMPLE");
    assert_int_equal(u->kerberos, KERBEROS_ACQUIRE);
    assert_int_equal(u->canonicalize, CANONICALIZE_NO);
    assert_true(u->delegate);
    assert_int_equal(u->mutual, MUTUAL_OFF);
    assert_int_equal(u->wait_for_password, 120);
    assert_int_equal(u->client_credentials, CLIENT_CREDENTIALS_PASS);
    assert_int_equal(u->connections, 7);
    assert_int_equal(u->spares, 0);
    assert_int_equal(u->dial_timeout, 3600);
    assert_int_equal(u->answer_timeout, 0);
    u = &c->upstreams[1];
    assert_int_equal(u->n_auth, 0);
    assert_int_equal(u->secret, SECRET_FILE);
    assert_string_equal(u->secret_argument, "/home/alice/pw");
    assert_int_equal(u->dial_timeout, 2);
    assert_int_equal(u->answer_timeout, 180);
    assert_int_equal(c->n_no_proxy, 4);
    assert_string_equal(c->no_proxy[2], "a-b");
    assert_string_equal(c->no_proxy[3], ".internal.example");
    config_unref(c);
}

static void test_choices(void **state)
{
    (void)state;
    static const enum log_level levels[] = {LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO,
                                            LOG_LEVEL_DEBUG};
    static const struct {
        const char *text;
        enum secret_source source;
        const char *argument;
    } secrets[] = {
        {"keyring", SECRET_KEYRING, NULL},
        {"prompt", SECRET_PROMPT, NULL},
        {"none", SECRET_NONE, NULL},
        {"nt-hash", SECRET_NT_HASH, NULL},
        {"file:/x", SECRET_FILE, "/x"},
        {"credential:pw", SECRET_CREDENTIAL, "pw"},
        {"keytab:/etc/krb5.keytab", SECRET_KEYTAB, "/etc/krb5.keytab"},
        {"command:a:b", SECRET_COMMAND, "a:b"},
    };
    char text[200];
    for (size_t i = 0; i < 4; i++) {
        snprintf(text, sizeof text, UP "[log]\nlevel = %s\n", log_level_name(levels[i]));
        struct config *c = good(text);
        assert_int_equal(c->log_level, levels[i]);
        config_unref(c);
    }
    for (size_t i = 0; i < sizeof secrets / sizeof *secrets; i++) {
        snprintf(text, sizeof text, UP "secret = %s\n", secrets[i].text);
        struct config *c = good(text);
        assert_int_equal(c->upstreams[0].secret, secrets[i].source);
        if (secrets[i].argument)
            assert_string_equal(c->upstreams[0].secret_argument, secrets[i].argument);
        else
            assert_null(c->upstreams[0].secret_argument);
        assert_memory_equal(secret_source_name(secrets[i].source), secrets[i].text,
                            strlen(secret_source_name(secrets[i].source)));
        config_unref(c);
    }
    assert_string_equal(auth_scheme_name(AUTH_NEGOTIATE), "negotiate");
    assert_string_equal(auth_scheme_name(AUTH_BASIC), "basic");
    assert_string_equal(auth_scheme_name(AUTH_SCHEMES), "unknown");
}

#define CREDENTIALS_SENTENCE                                                                                 \
    "t.conf:2: proxy: a user name or password must not stand in a proxy's address: name the user with "      \
    "\"user = NAME\" in exeat.conf, "                                                                        \
    "and store the password with \"exeat login\""
#define SECRET_SENTENCE                                                                                      \
    "t.conf:3: secret: the value is not keyring, command:COMMAND, file:PATH, credential:NAME, keytab:PATH, " \
    "prompt, nt-hash or none (the password "                                                                 \
    "itself must not stand here)"
#define PIN_A    "dGhlIGtleSB3aXRoIHRoaXMgaGFzaCBpcyBoaWRkZW4="
#define PIN_B    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAP8="
#define TLS_UP   "[upstream corp]\nproxy = https://p:1\n"
#define NO_PROOF ": only Kerberos lets a proxy prove itself, and this upstream "
#define NO_TLS_SENTENCE                                                                                      \
    ": it is for proxies that are reached by TLS, and none of this upstream's is: write proxy = "            \
    "https://HOST:PORT"
#define LONG60 "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffff"

/* Names and structure. */
static void test_pac(void **state)
{
    static const struct {
        const char *value;
        enum config_pac from;
        const char *place, *printed;
    } cases[] = {
        {"http://a.example/p?q=1", PAC_FROM_URL, "http://a.example/p?q=1", "http://a.example/p?q=1"},
        {"HTTPS://[::1]:1/p", PAC_FROM_URL, "HTTPS://[::1]:1/p", "HTTPS://[::1]:1/p"},
        {"/etc/proxy.pac", PAC_FROM_FILE, "/etc/proxy.pac", "/etc/proxy.pac"},
        {"~/my proxy.pac", PAC_FROM_FILE, "/home/alice/my proxy.pac", "/home/alice/my proxy.pac"},
        {"file:///a%20b/%C3%a4", PAC_FROM_FILE, "/a b/\xc3\xa4", "/a b/\xc3\xa4"},
        {"file://localhost/p", PAC_FROM_FILE, "/p", "/p"},
        {"file:/p", PAC_FROM_FILE, "/p", "/p"},
        {"system", PAC_FROM_SYSTEM, NULL, "system"},
    };
    const struct setting *s = setting_find(section_find(SPAN("route")), SPAN("pac"));
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct buf text = {0}, out = {0};
        buf_addf(&text, UP "[route]\npac = %s\nwpad = dns\n", cases[i].value);
        struct config *c = good(buf_cstr(&text));
        assert_int_equal(c->pac, cases[i].from);
        assert_int_equal(c->wpad, WPAD_DNS);
        if (cases[i].place)
            assert_string_equal(c->pac_place, cases[i].place);
        else
            assert_null(c->pac_place);
        assert_true(s->kind->print(s, c, &out));
        assert_string_equal(buf_cstr(&out), cases[i].printed);
        config_unref(c);
        buf_free(&text);
        buf_free(&out);
    }
    struct config *c = good(UP);
    assert_int_equal(c->pac, PAC_FROM_NOWHERE);
    assert_int_equal(c->wpad, WPAD_NO);
    config_unref(c);
}

static void test_structure_errors(void **state)
{
    (void)state;
    static const struct {
        const char *text, *sentence;
    } cases[] = {
        {"", "t.conf: there is no [upstream NAME] section; write one like this:\n\n    [upstream corp]\n    "
             "proxy = "
             "http://proxy.corp.example:8080\n    user = CORP\\alice"},
        {"[upstream corp]\nproxi = x",
         "t.conf:2: unknown key \"proxi\" in [upstream corp]; did you mean \"proxy\"?"},
        {UP "User = x", "t.conf:3: unknown key \"User\" in [upstream corp]; did you mean \"user\"?"},
        {UP "dial_timeout = 3",
         "t.conf:3: unknown key \"dial_timeout\" in [upstream corp]; did you mean \"dial-timeout\"?"},
        {"[listen]\nlevel = debug", "t.conf:2: unknown key \"level\" in [listen]; it belongs in [log]"},
        {"[listen]\nzzz = 1", "t.conf:2: unknown key \"zzz\" in [listen]; there are http, socks, allow-uids, "
                              "allow, max-head, metrics, "
                              "drain, tunnel-idle"},
        {UP "password = hunter2",
         "t.conf:3: unknown key \"password\" in [upstream corp]; there are proxy, hosts, auth, "
         "basic-in-clear, "
         "user, domain, workstation, secret, kerberos, spn, canonicalize, delegate, "
         "mutual, wait-for-password, ca, pin, certificate, key, client-credentials, pass-authorization, "
         "no-auth, "
         "connections, spares, dial-timeout, answer-timeout, via, connect-always"},
        {"[upstream " LONG60 "x]\n" LONG60 "gggggggggghhhhhhhhhhiiii = 1",
         "t.conf:2: unknown key \"" LONG60 "gggggggggghhhh...\" in [upstream " LONG60
         "]; there are proxy, hosts, auth, basic-in-clear, user, domain, workstation, secret, kerberos, spn, "
         "canonicalize, "
         "delegate, mutual, wait-for-password, ca, pin, certificate, key, client-credentials, "
         "pass-authorization, no-auth, connections, spares, dial-timeout, answer-timeout, via, "
         "connect-always"},
        {"[upstrem corp]", "t.conf:1: unknown section \"upstrem\"; did you mean \"upstream\"?"},
        {"[Listen]", "t.conf:1: unknown section \"Listen\"; did you mean \"listen\"?"},
        {"[tunnel]", "t.conf:1: unknown section \"tunnel\"; there are [listen], [upstream NAME], [route], "
                     "[forward NAME], [headers], [client NAME], [gateway], [gateway NAME], [log]"},
        {"[upstream]\n", "t.conf:1: [upstream] needs a name: [upstream NAME]"},
        {"[listen x]\n", "t.conf:1: [listen] has no name"},
        {"[upstream a b]",
         "t.conf:1: the name of a section is made of letters, digits, dots, hyphens and underscores"},
        {"[upstream a/b]",
         "t.conf:1: the name of a section is made of letters, digits, dots, hyphens and underscores"},
        {"[upstream corp]\nuser = x",
         "t.conf:1: [upstream corp] has no \"proxy\"; write proxy = http://proxy.corp.example:8080"},
        {UP "user = a\n\nuser = a", "t.conf:5: key \"user\" stands here again; it was set in line 3"},
        {UP "[log]\n" UP, "t.conf:4: section [upstream corp] stands here again; it began at t.conf:1"},
        {"[log]\n[log]\n", "t.conf:2: section [log] stands here again; it began at t.conf:1"},
        {"http = x", "t.conf:1: key \"http\" stands above the first section; it belongs in [listen]"},
        {"foo = x", "t.conf:1: unknown key \"foo\"; above the first section only \"include\" may stand"},
        {"include = x", "t.conf:1: include is not possible here"},
        {"[log]\ninclude = x", "t.conf:2: include may stand only above the first section"},
        {"include = \"x", "t.conf:1: a double quote is not closed"},
        {"[log]\n\nlevel debug", "t.conf:3: expected [section], key = value or # comment"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        expect_error(span_str(cases[i].text), cases[i].sentence);
    expect_error(SPAN("[log]\n# \0\n"), "t.conf:2: a NUL byte; save the file as plain text in UTF-8");
}

/* Values of [listen], [route] and [log], in line 2 of their own. */
static void test_value_errors(void **state)
{
    (void)state;
    static const struct {
        const char *line, *sentence;
    } cases[] = {
        {"[listen]\nhttp = 127.0.0.1", "t.conf:2: http: \"127.0.0.1\" has no port; write HOST:PORT"},
        {"[listen]\nhttp = [::1]", "t.conf:2: http: \"[::1]\" has no port; write HOST:PORT"},
        {"[listen]\nhttp = ::1:3128",
         "t.conf:2: http: an IPv6 address stands in brackets, and a port follows: [::1]:3128"},
        {"[listen]\nhttp = [::1:3128",
         "t.conf:2: http: an IPv6 address stands in brackets, and a port follows: [::1]:3128"},
        {"[listen]\nhttp = [::g]:3128", "t.conf:2: http: \"[::g]\" is not a host name or address"},
        {"[listen]\nhttp = [127.0.0.1]:3128",
         "t.conf:2: http: \"[127.0.0.1]\" is not a host name or address"},
        {"[listen]\nhttp = :3128", "t.conf:2: http: \":3128\" names no address; all of this machine's are "
                                   "0.0.0.0:PORT and, for IPv6, [::]:PORT"},
        {"[listen]\nsocks = :3128", "t.conf:2: socks: \"\" is not a host name or address"},
        {"[listen]\nhttp = -x:3128", "t.conf:2: http: \"-x\" is not a host name or address"},
        {"[listen]\nhttp = a*b:3128", "t.conf:2: http: \"a*b\" is not a host name or address"},
        {"[listen]\nhttp = \"\"", "t.conf:2: http: \"\" has no port; write HOST:PORT"},
        {"[listen]\nhttp = 127.0.0.1:65536",
         "t.conf:2: http: what follows \"127.0.0.1:\" is not a port from 0 to 65535"},
        {"[listen]\nhttp = 127.0.0.1:",
         "t.conf:2: http: what follows \"127.0.0.1:\" is not a port from 0 to 65535"},
        {"[listen]\nhttp = 127.0.0.1:+1",
         "t.conf:2: http: what follows \"127.0.0.1:\" is not a port from 0 to 65535"},
        {"[listen]\nhttp = 0.0.0.0:3128\n" UP,
         "t.conf:2: http: 0.0.0.0:3128 is not an address of this machine alone (127.0.0.1, [::1]), and "
         "others could use "
         "your identity; say who may: write their network into [listen] (allow = 172.17.0.0/16), and a "
         "[client NAME] section, which \"exeat token NAME\" makes"},
        {"[listen]\nhttp = [::]:3128\n" UP,
         "t.conf:2: http: [::]:3128 is not an address of this machine alone (127.0.0.1, [::1]), and others "
         "could use "
         "your identity; say who may: write their network into [listen] (allow = 172.17.0.0/16), and a "
         "[client NAME] section, which \"exeat token NAME\" makes"},
        {"[listen]\nhttp = 128.0.0.1:1\n" UP,
         "t.conf:2: http: 128.0.0.1:1 is not an address of this machine alone (127.0.0.1, [::1]), and others "
         "could use "
         "your identity; say who may: write their network into [listen] (allow = 172.17.0.0/16), and a "
         "[client NAME] section, which \"exeat token NAME\" makes"},
        {"[listen]\nhttp = 126.0.0.1:1\n" UP,
         "t.conf:2: http: 126.0.0.1:1 is not an address of this machine alone (127.0.0.1, [::1]), and others "
         "could use "
         "your identity; say who may: write their network into [listen] (allow = 172.17.0.0/16), and a "
         "[client NAME] section, which \"exeat token NAME\" makes"},
        {"[listen]\nhttp = host.example:1",
         "t.conf:2: http: \"host.example:1\" is a name; write the address that it stands for"},
        {"[listen]\nhttp = 10.0.0.1:1\nallow = 10.0.0.0/8\n" UP,
         "t.conf:2: http: 10.0.0.1:1 is not an address of this machine alone (127.0.0.1, [::1]), and others "
         "could "
         "use your identity; say who may: write a [client NAME] section, which \"exeat token NAME\" makes"},
        {"[listen]\nhttp = 127.0.0.1:1 10.0.0.1:1\n" CLIENT UP,
         "t.conf:2: http: 10.0.0.1:1 is not an address of this machine alone (127.0.0.1, [::1]), and others "
         "could "
         "use your identity; say who may: write their network into [listen] (allow = 172.17.0.0/16)"},
        {"[listen]\nallow = 10.0.0.0/33",
         "t.conf:2: allow: \"10.0.0.0/33\" is not an address or a network like 172.17.0.0/16 or fd00:1::/64"},
        {"[listen]\nallow = 10.0.0.1 host.example", "t.conf:2: allow: \"host.example\" is not an address or "
                                                    "a network like 172.17.0.0/16 or fd00:1::/64"},
        {"[listen]\nhttp = 127.0.0.1:1 0.0.0.0:1\nallow = 10.0.0.0/8\n" CLIENT UP,
         "t.conf:2: 0.0.0.0:1 is also 127.0.0.1:1, which stands here too; leave that out, or choose another "
         "port for it"},
        {"[client a]\nfrom = 10.0.0.0/", "t.conf:2: from: \"10.0.0.0/\" is not an address or a network like "
                                         "172.17.0.0/16 or fd00:1::/64"},
        {"[client a]\nfrom = 10.0.0.1\n" UP,
         "t.conf:1: [client a] has no \"token\"; \"exeat token a\" prints the line"},
        {"[client a]\ntoken = hunter2", "t.conf:2: token: " NO_HASH},
        {"[client a]\ntoken = sha256:12", "t.conf:2: token: " NO_HASH},
        {"[client a]\ntoken = SHA256:" HASH, "t.conf:2: token: " NO_HASH},
        {"[client a]\ntoken = sha256:" HASH "0", "t.conf:2: token: " NO_HASH},
        {"[client a]\ntoken = sha256:g" HASH, "t.conf:2: token: " NO_HASH},
        {"[listen]\nhttp = 127.0.0.1:1 127.0.0.1:1", "t.conf:2: http: \"127.0.0.1:1\" stands here twice"},
        {"[listen]\nhttp = unix:/a unix:/a", "t.conf:2: http: \"unix:/a\" stands here twice"},
        {"[listen]\nhttp = unix:/d/a unix:/d/a.b unix:/d/.a unix://.//d/././a\n" UP,
         "t.conf:2: unix:/d/a is also unix://.//d/././a, which stands here too; leave that out, or choose "
         "another path for it"},
        {"[listen]\nhttp = unix:/d/a\nsocks = unix:/d//a\n" UP,
         "t.conf:3: unix:/d//a is also unix:/d/a, which has another use already, in t.conf:2"},
        {"[listen]\nhttp = unix:a", "t.conf:2: http: a path begins with / or ~/"},
        {"[listen]\nhttp = unix:", "t.conf:2: http: a path begins with / or ~/"},
        {"[listen]\nhttp = unix:/" LONG60 LONG60,
         "t.conf:2: http: the path of a Unix socket has 107 bytes at most"},
        {"[listen]\nhttp =", "t.conf:2: http: at least one address is needed, like 127.0.0.1:3128"},
        {"[listen]\nsocks =",
         "t.conf:2: socks: at least one address is needed, like 127.0.0.1:1080, or the word none"},
        {"[listen]\nsocks = 10.0.0.1:1080",
         "t.conf:2: socks: \"10.0.0.1:1080\" is not an address of this machine alone (127.0.0.1, [::1]), "
         "and only http in [listen] can ask others who they are"},
        {"[listen]\nsocks = none 127.0.0.1:1", "t.conf:2: socks: \"none\" has no port; write HOST:PORT"},
        {"[listen]\nhttp = none", "t.conf:2: http: \"none\" has no port; write HOST:PORT"},
        {"[listen]\nhttp = 127.0.0.1:7\nsocks = 127.0.0.1:7\n" UP,
         "t.conf:3: 127.0.0.1:7 has another use already, in t.conf:2"},
        {"[listen]\nsocks = unix:/a\nhttp = unix:/a\n" UP,
         "t.conf:2: unix:/a has another use already, in t.conf:3"},
        {"[listen]\nsocks = 127.0.0.1:3128\n" UP,
         "t.conf:2: 127.0.0.1:3128 is where programs of this machine reach exeat by default; choose another "
         "port "
         "here, or other addresses there (http = 127.0.0.1:PORT in [listen])"},
        {"[forward a]\nlisten = 127.0.0.1:1\ntarget = b",
         "t.conf:3: target: \"b\" has no port; write HOST:PORT"},
        {"[forward a]\nlisten = 127.0.0.1:1\ntarget = b:0",
         "t.conf:3: target: what follows \"b:\" is not a port from 1 to 65535"},
        {"[forward a]\nlisten = 0.0.0.0:1\ntarget = b:1",
         "t.conf:2: listen: \"0.0.0.0:1\" is not an address of this machine alone (127.0.0.1, [::1]), "
         "and only http in [listen] can ask others who they are"},
        {"[forward a]\nlisten =", "t.conf:2: listen: at least one address is needed, like 127.0.0.1:2222"},
        {"[forward a]\nlisten = 127.0.0.1:1",
         "t.conf:1: [forward a] has no \"target\"; write target = git.example.com:22"},
        {"[forward a]\ntarget = b:1",
         "t.conf:1: [forward a] has no \"listen\"; write listen = 127.0.0.1:2222"},
        {"[forward a]\nlisten = 127.0.0.1:1\ntarget = b:1\n[forward a]",
         "t.conf:4: section [forward a] stands here again; it began at t.conf:1"},
        {"[forward a]\nlisten = 127.0.0.1:1\ntarget = b:1\n[forward b]\ntarget = localhost:1\nlisten = "
         "127.0.0.1:2\n" UP,
         "t.conf:5: target localhost:1 is where a [forward] of this agent itself listens"},
        {"[forward a]\nlisten = 127.0.0.1:5\ntarget = b:1\n[forward b]\ntarget = b:1\nlisten = "
         "127.0.0.1:4 127.0.0.1:5\n" UP,
         "t.conf:6: 127.0.0.1:5 has another use already, in t.conf:2"},
        {"[upstream c]\nproxy = 127.0.0.1:9\n[listen]\nsocks = 127.0.0.1:9",
         "t.conf:2: proxy http://127.0.0.1:9 is where this agent itself listens"},
        {"[upstream c]\nproxy = localhost:9\n[forward a]\nlisten = 127.0.0.1:9\ntarget = b:1",
         "t.conf:2: proxy http://localhost:9 is where this agent itself listens"},
        {"[listen]\nhttp = \"127.0.0.1:1", "t.conf:2: http: a double quote is not closed"},
        {"[listen]\nallow-uids = no-such-user",
         "t.conf:2: allow-uids: there is no user \"no-such-user\" on this machine"},
        {"[listen]\nallow-uids = Self", "t.conf:2: allow-uids: there is no user \"Self\" on this machine"},
        {"[listen]\nallow-uids = -1", "t.conf:2: allow-uids: there is no user \"-1\" on this machine"},
        {"[listen]\nallow-uids = \"\"", "t.conf:2: allow-uids: there is no user \"\" on this machine"},
        {"[listen]\nallow-uids = 4294967295",
         "t.conf:2: allow-uids: \"4294967295\" is too large for the number of a user"},
        {"[listen]\nallow-uids = 4294967296",
         "t.conf:2: allow-uids: \"4294967296\" is too large for the number of a user"},
        {"[listen]\nallow-uids = self root self", "t.conf:2: allow-uids: \"self\" stands here twice"},
        {"[listen]\nallow-uids = any root", "t.conf:2: allow-uids: any stands alone"},
        {"[listen]\nallow-uids = root any", "t.conf:2: allow-uids: any stands alone"},
        {"[listen]\nallow-uids = any any", "t.conf:2: allow-uids: any stands alone"},
        {"[listen]\nallow-uids =",
         "t.conf:2: allow-uids: at least one user is needed, or any; the default is self root"},
        {"[listen]\nmax-head = 4095", "t.conf:2: max-head: \"4095\" is not between 4K and 1M"},
        {"[listen]\nmax-head = 2M", "t.conf:2: max-head: \"2M\" is not between 4K and 1M"},
        {"[listen]\nmax-head = 18446744073709551615K",
         "t.conf:2: max-head: \"18446744073709551615K\" is not a size (4096, 256K, 1M)"},
        {"[listen]\nmax-head = 9999999999999999999M",
         "t.conf:2: max-head: \"9999999999999999999M\" is not between 4K and 1M"},
        {"[listen]\nmax-head = 1 M", "t.conf:2: max-head: \"1 M\" is not a size (4096, 256K, 1M)"},
        {"[listen]\nmax-head = M", "t.conf:2: max-head: \"M\" is not a size (4096, 256K, 1M)"},
        {"[listen]\nmax-head = -1", "t.conf:2: max-head: \"-1\" is not a size (4096, 256K, 1M)"},
        {"[listen]\nmax-head =", "t.conf:2: max-head: \"\" is not a size (4096, 256K, 1M)"},
        {"[route]\nrule = a",
         "t.conf:2: rule: a rule is a pattern and where it leads, like: *.lab.example lab (the name of an "
         "[upstream], direct, or block)"},
        {"[route]\nrule = a b c",
         "t.conf:2: rule: a rule is a pattern and where it leads, like: *.lab.example lab (the name of "
         "an [upstream], direct, or block)"},
        {"[upstream corp]\nproxy = http://a:1\n[route]\nrule = a direct\nrule = b cor",
         "t.conf: rule = b cor: there is no [upstream cor]; did you mean \"corp\"?"},
        {"[route]\npac = http://alice:hunter2@a.example/p",
         "t.conf:2: pac: the URL has a user name or password in it: a script is fetched without either"},
        {"[route]\npac = https://", "t.conf:2: pac: the URL has no host name or address that can be read"},
        {"[route]\npac = \"http://a.example/a b\"",
         "t.conf:2: pac: the URL has a blank or another character in it that a URL cannot have (write it as "
         "%20 and such)"},
        {"[route]\npac = proxy.pac", "t.conf:2: pac: this is no http:// or https:// URL, no path (/PATH, "
                                     "~/PATH) and not the word system"},
        {"[route]\npac = ftp://a.example/p", "t.conf:2: pac: this is no http:// or https:// URL, no path "
                                             "(/PATH, ~/PATH) and not the word system"},
        {"[route]\npac = ~alice/p", "t.conf:2: pac: a path begins with / or ~/"},
        {"[route]\npac = file://server/p",
         "t.conf:2: pac: \"file://server/p\" names no file of this machine; write file:///PATH or /PATH"},
        {"[route]\npac = file:///a%00b",
         "t.conf:2: pac: \"file:///a%00b\" names no file of this machine; write file:///PATH or /PATH"},
        {"[route]\npac = file:///a%4",
         "t.conf:2: pac: \"file:///a%4\" names no file of this machine; write file:///PATH or /PATH"},
        {"[route]\npac = \"\"", "t.conf:2: pac: the value is empty; leave the line out for no PAC script"},
        {"[upstream corp]\nproxy = p:1\n[route]\npac = http://localhost:3128/exeat.pac",
         "t.conf:4: pac http://localhost:3128/exeat.pac is where this agent itself listens"},
        {"[route]\npac-failure = proxy",
         "t.conf:2: pac-failure: \"proxy\" is not last-good, block or direct"},
        {UP "hosts = *",
         "t.conf:3: hosts: \"*\" would let any proxy that a PAC script names ask for your credentials; write "
         "the suffix of your organisation's proxies, like .proxy.corp.example"},
        {UP "hosts = *:8080",
         "t.conf:3: hosts: \"*:8080\" would let any proxy that a PAC script names ask for your "
         "credentials; write the suffix of your organisation's proxies, like .proxy.corp.example"},
        {UP "hosts = a/b", "t.conf:3: hosts: cannot read \"a/b\"; write a name, .suffix, *pattern*, address, "
                           "network/bits or <local>, "
                           "with :port if wanted"},
        {"[route]\nwpad = yes", "t.conf:2: wpad: \"yes\" is not no or dns"},
        {"[route]\nno-proxy = a \"\"", "t.conf:2: no-proxy: an item of the list is empty"},
        {"[route]\nno-proxy = a b\"c\"",
         "t.conf:2: no-proxy: a double quote inside a word; put the whole word in double quotes"},
        {"[log]\nlevel = inof",
         "t.conf:2: level: \"inof\" is not error, warning, info or debug; did you mean \"info\"?"},
        {"[log]\nlevel = 7", "t.conf:2: level: \"7\" is not error, warning, info or debug"},
        {"[log]\nlevel = \"info", "t.conf:2: level: a double quote is not closed"},
        {"[log]\nfile = requests.log", "t.conf:2: file: a path begins with / or ~/"},
        {"[listen]\ndrain = 301", "t.conf:2: drain: \"301\" is not between 0 and 5m"},
        {UP "[listen]\nsocks = 127.0.0.1:7\nmetrics = 127.0.0.1:7",
         "t.conf:5: 127.0.0.1:7 has another use already, in t.conf:4"},
        {UP "[listen]\nmetrics = 127.0.0.1:3128",
         "t.conf:4: 127.0.0.1:3128 is where programs of this machine reach exeat by default; choose another "
         "port "
         "here, or other addresses there (http = 127.0.0.1:PORT in [listen])"},
        {"[listen]\nmetrics = 192.0.2.1:7",
         "t.conf:2: metrics: \"192.0.2.1:7\" is not an address of this machine alone (127.0.0.1, [::1]), and "
         "only http in [listen] can ask others who they are"},
        {"[upstream corp]\nproxy = 127.0.0.1:7\n[listen]\nmetrics = 127.0.0.1:7",
         "t.conf:2: proxy http://127.0.0.1:7 is where this agent itself listens"},
        {"[log]\nformat = jsn",
         "t.conf:2: format: \"jsn\" is not plain, common or json; did you mean \"json\"?"},
        {"[log]\nrequests = true", "t.conf:2: requests: \"true\" is not no or yes"},
        {"[log]\nrequests = yess", "t.conf:2: requests: \"yess\" is not no or yes; did you mean \"yes\"?"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        expect_error(span_str(cases[i].line), cases[i].sentence);
}

static void test_upstream_errors(void **state)
{
    (void)state;
    static const struct {
        const char *text, *sentence;
    } cases[] = {
        {"[upstream c]\nproxy = p", "t.conf:2: proxy: \"p\" has no port; write HOST:PORT"},
        {"[upstream c]\nproxy = http://p/", "t.conf:2: proxy: \"p\" has no port; write HOST:PORT"},
        {"[upstream c]\nproxy = http://p:0",
         "t.conf:2: proxy: what follows \"p:\" is not a port from 1 to 65535"},
        {"[upstream c]\nproxy = http://alice:hunter2",
         "t.conf:2: proxy: what follows \"alice:\" is not a port from 1 to 65535"},
        {"[upstream c]\nproxy = http://alice:hunter2@p:1", CREDENTIALS_SENTENCE},
        {"[upstream c]\nproxy = alice@p:1", CREDENTIALS_SENTENCE},
        {"[upstream c]\nproxy = http://alice:hun/ter2@p:1", CREDENTIALS_SENTENCE},
        {"[upstream c]\nproxy = socks4://p:1",
         "t.conf:2: proxy: proxies of the kind \"socks4://\" are not supported; write http://HOST:PORT, "
         "https://HOST:PORT or socks5://HOST:PORT"},
        {"[upstream c]\nproxy = socks5://alice:hunter2@p:1", CREDENTIALS_SENTENCE},
        {"[upstream c]\nproxy = socks5h://p:1 socks5://p:1",
         "t.conf:2: proxy: socks5://p:1 stands here twice"},
        {"[upstream c]\nproxy = socks5://127.0.0.1:3128",
         "t.conf:2: proxy socks5://127.0.0.1:3128 is where this agent itself listens"},
        {"[upstream c]\nproxy = p:1\nvia = d", "t.conf:3: via = d: there is no [upstream d]"},
        {"[upstream corp]\nproxy = p:1\nvia = gat\n[upstream gate]\nproxy = p:2",
         "t.conf:3: via = gat: there is no [upstream gat]; did you mean \"gate\"?"},
        {"[upstream c]\nproxy = p:1\nvia = c", "t.conf:3: via = c leads back to [upstream c] itself"},
        {"[upstream c]\nproxy = p:1\nvia = d\n[upstream d]\nproxy = p:2\nvia = c",
         "t.conf:3: via = d leads back to [upstream c] itself"},
        {"[upstream a]\nproxy = p:1\nvia = c\n[upstream c]\nproxy = p:2\nvia = d\n[upstream d]\nproxy = "
         "p:3\nvia = c",
         "t.conf:3: via = c: the way leads through more than 4 upstreams, or in a circle"},
        {"[upstream a]\nproxy = p:1\nvia = b\n[upstream b]\nproxy = p:2\nvia = c\n[upstream c]\nproxy = "
         "p:3\nvia = d\n[upstream d]\nproxy = p:4\nvia = e\n[upstream e]\nproxy = p:5\nvia = f\n[upstream "
         "f]\nproxy = p:6",
         "t.conf:3: via = b: the way leads through more than 4 upstreams, or in a circle"},
        {"[upstream c]\nproxy = p:1\nvia = d\n[upstream d]\nproxy = p:2\nclient-credentials = pass",
         "t.conf:3: via = d: we must authenticate to it ourselves, and its section leaves that to the "
         "programs; write client-credentials = drop there"},
        {"[upstream c]\nproxy = p:1\nconnect-always = yes\nclient-credentials = pass",
         "t.conf:3: connect-always = yes: the tunnels are ours, so that we must authenticate ourselves; "
         "write client-credentials = drop"},
        {"[upstream c]\nproxy = http://p:1/x",
         "t.conf:2: proxy: a proxy's address has no path; write http://HOST:PORT"},
        {"[upstream c]\nproxy = http://p:1//",
         "t.conf:2: proxy: a proxy's address has no path; write http://HOST:PORT"},
        {"[upstream c]\nproxy = http:p:1",
         "t.conf:2: proxy: an IPv6 address stands in brackets, and a port follows: [::1]:3128"},
        {"[upstream c]\nproxy = p:1 http://p:1/", "t.conf:2: proxy: http://p:1 stands here twice"},
        {"[upstream c]\nproxy =",
         "t.conf:2: proxy: at least one proxy is needed, like http://proxy.corp.example:8080"},
        {"[upstream c]\nproxy = \"\"", "t.conf:2: proxy: \"\" has no port; write HOST:PORT"},
        {"[upstream c]\nproxy = \"p:1", "t.conf:2: proxy: a double quote is not closed"},
        {"[upstream c]\nproxy = 127.0.0.1:3128",
         "t.conf:2: proxy http://127.0.0.1:3128 is where this agent itself listens"},
        {"[upstream c]\nproxy = LOCALHOST:3128",
         "t.conf:2: proxy http://LOCALHOST:3128 is where this agent itself listens"},
        {"[upstream c]\nproxy = [0:0::1]:3128",
         "t.conf:2: proxy http://[::1]:3128 is where this agent itself listens"},
        {"[upstream c]\nproxy = 127.0.0.1:9\n[listen]\nhttp = localhost:9",
         "t.conf:2: proxy http://127.0.0.1:9 is where this agent itself listens"},
        {UP "auth = negotiat", "t.conf:3: auth: \"negotiat\" is not negotiate, ntlm, digest, basic or none; "
                               "did you mean \"negotiate\"?"},
        {UP "auth = kerberos", "t.conf:3: auth: \"kerberos\" is not negotiate, ntlm, digest, basic or none"},
        {UP "auth = ntlm basic ntlm", "t.conf:3: auth: ntlm stands here twice"},
        {UP "auth = none ntlm", "t.conf:3: auth: none stands alone"},
        {UP "auth = ntlm none", "t.conf:3: auth: none stands alone"},
        {UP "auth = none none", "t.conf:3: auth: none stands alone"},
        {UP "auth =",
         "t.conf:3: auth: at least one scheme is needed, or none; the default is negotiate ntlm digest"},
        {UP "user =",
         "t.conf:3: user: the value is empty; leave the line out for the Kerberos ticket's own principal"},
        {UP "spn = \"\"",
         "t.conf:3: spn: the value is empty; leave the line out for HTTP/ and the proxy's host name"},
        {UP "mutual = yes", "t.conf:3: mutual: \"yes\" is not try, require or off"},
        {UP "auth = ntlm\nmutual = require",
         "t.conf:4: mutual = require" NO_PROOF "does not answer it: name negotiate in auth ="},
        {UP "auth = none\nmutual = require",
         "t.conf:4: mutual = require" NO_PROOF "does not answer it: name negotiate in auth ="},
        {UP "client-credentials = pass\nmutual = require",
         "t.conf:4: mutual = require" NO_PROOF
         "passes the programs' own credentials on: write client-credentials = drop"},
        {UP "wait-for-password = 61m", "t.conf:3: wait-for-password: \"61m\" is not between 0 and 1h"},
        {UP "secret = hunter2", SECRET_SENTENCE},
        {UP "secret =", SECRET_SENTENCE},
        {UP "secret = command", SECRET_SENTENCE},
        {UP "secret = keyring:x", SECRET_SENTENCE},
        {UP "secret = keyrng", SECRET_SENTENCE "; did you mean \"keyring\"?"},
        {UP "secret = comand:echo hunter2", SECRET_SENTENCE "; did you mean \"command\"?"},
        {UP "secret = command: ",
         "t.conf:3: secret: command: needs a command, whose first line of output is the password"},
        {UP "secret = file:pw", "t.conf:3: secret: a path begins with / or ~/"},
        {UP "secret = keytab:krb5.keytab", "t.conf:3: secret: a path begins with / or ~/"},
        {UP "auth = ntlm digest\nsecret = keytab:/k",
         "t.conf:4: secret: a keytab is for Kerberos, and auth does not name negotiate"},
        {UP "kerberos = yes", "t.conf:3: kerberos: \"yes\" is not find or acquire"},
        {UP "kerberos = acquire\nsecret = none", "t.conf:3: kerberos: acquire gets a ticket with a password, "
                                                 "and secret = none says that there is none"},
        {UP "kerberos = acquire\nsecret = nt-hash",
         "t.conf:3: kerberos: acquire gets a ticket with a password, and secret = nt-hash is none"},
        {UP "auth = negotiate\nsecret = nt-hash",
         "t.conf:4: secret: an NT hash is for NTLM, and auth does not name ntlm"},
        {UP "canonicalize = maybe", "t.conf:3: canonicalize: \"maybe\" is not system, yes or no"},
        {UP "delegate = 1", "t.conf:3: delegate: \"1\" is not no or yes"},
        {UP "secret = file:~bob/pw", "t.conf:3: secret: a path begins with / or ~/"},
        {UP "secret = credential:",
         "t.conf:3: secret: credential:NAME needs the name of a systemd credential, without slashes"},
        {UP "secret = credential:../x",
         "t.conf:3: secret: credential:NAME needs the name of a systemd credential, without slashes"},
        {UP "secret = credential:..",
         "t.conf:3: secret: credential:NAME needs the name of a systemd credential, without slashes"},
        {UP "secret = credential:.",
         "t.conf:3: secret: credential:NAME needs the name of a systemd credential, without slashes"},
        {UP "auth = none\nclient-credentials = use", "t.conf:4: client-credentials: use answers the proxy "
                                                     "with a program's user and password, and auth = none "
                                                     "says that nothing is answered"},
        {UP "client-credentials = use\nauth = negotiate",
         "t.conf:3: client-credentials: use has nothing but a program's user and password, and Negotiate "
         "alone "
         "needs a Kerberos ticket: write kerberos = acquire, or name ntlm in auth ="},
        {UP "pass-authorization = yes", "t.conf:3: pass-authorization: a request has room for one "
                                        "Proxy-Authorization field, and here it would be "
                                        "ours: write auth = none, if this proxy takes the program's"},
        {"[upstream corp]\nproxy = socks5://s:1\nclient-credentials = use",
         "t.conf:3: client-credentials: use is for HTTP proxies: the tunnels of socks5:// are ours, so that "
         "we must "
         "authenticate ourselves"},
        {UP "connect-always = yes\nno-auth = a", "t.conf:4: no-auth: it is for requests that an HTTP proxy "
                                                 "reads one by one, and those of socks5:// and "
                                                 "connect-always go through tunnels of ours"},
        {UP "connect-always = yes\nauth = none\npass-authorization = yes",
         "t.conf:5: pass-authorization: requests through the tunnels of socks5:// and connect-always have no "
         "such "
         "field"},
        {UP "pass-authorization = yes\nclient-credentials = use",
         "t.conf:3: pass-authorization: client-credentials = use takes the field as who we are, and it goes "
         "no "
         "further: write only one of the two"},
        {UP "auth = none\npass-authorization = yes\nclient-credentials = pass",
         "t.conf:4: pass-authorization: client-credentials = pass leaves the field on already, and keeps the "
         "connection for that program: write only one of the two"},
        {UP "domain = CORP\\\\alice",
         "t.conf:3: domain: it is a name alone, like CORP, without backslash, @ or blanks"},
        {UP "workstation = \"DESK 42\"",
         "t.conf:3: workstation: it is a name alone, like DESK42, without blanks"},
        {UP "client-credentials = allow", "t.conf:3: client-credentials: \"allow\" is not drop, use or pass"},
        {UP "connections = 0", "t.conf:3: connections: \"0\" is not between 1 and 10000"},
        {UP "connections = 10001", "t.conf:3: connections: \"10001\" is not between 1 and 10000"},
        {UP "spares = 17", "t.conf:3: spares: \"17\" is not between 0 and 16"},
        {UP "connections = 8s", "t.conf:3: connections: \"8s\" is not a number"},
        {UP "dial-timeout = 0", "t.conf:3: dial-timeout: \"0\" is not between 1s and 1h"},
        {UP "dial-timeout = 61m", "t.conf:3: dial-timeout: \"61m\" is not between 1s and 1h"},
        {UP "dial-timeout = 10x", "t.conf:3: dial-timeout: \"10x\" is not a duration (10, 10s, 5m, 1h)"},
        {UP "dial-timeout = 1.5s", "t.conf:3: dial-timeout: \"1.5s\" is not a duration (10, 10s, 5m, 1h)"},
        {TLS_UP "pin = hunter2",
         "t.conf:3: pin: \"hunter2\" is not the SHA-256 of a key in base64 (44 characters, the "
         "last one \"=\")"},
        {TLS_UP "pin = " PIN_A " " PIN_A "A",
         "t.conf:3: pin: \"" PIN_A
         "A\" is not the SHA-256 of a key in base64 (44 characters, the last one \"=\")"},
        {TLS_UP "pin = sha1//" PIN_A,
         "t.conf:3: pin: \"sha1//" PIN_A
         "\" is not the SHA-256 of a key in base64 (44 characters, the last one \"=\")"},
        {TLS_UP "pin = ",
         "t.conf:3: pin: the value is empty; leave the line out for any key that a good certificate names"},
        {TLS_UP "ca = corp.pem", "t.conf:3: ca: a path begins with / or ~/"},
        {TLS_UP "key = /k",
         "t.conf:3: key: it belongs to a certificate, and there is none: write certificate = FILE"},
        {UP "ca = /c", "t.conf:3: ca" NO_TLS_SENTENCE},
        {UP "pin = " PIN_A, "t.conf:3: pin" NO_TLS_SENTENCE},
        {UP "certificate = /c", "t.conf:3: certificate" NO_TLS_SENTENCE},
        {UP "certificate = /c\nkey = /k", "t.conf:4: key" NO_TLS_SENTENCE},
        {TLS_UP "ca = /c\n[upstream b]\nproxy = p:1\nca = /d", "t.conf:6: ca" NO_TLS_SENTENCE},
        {UP "answer-timeout = 25h", "t.conf:3: answer-timeout: \"25h\" is not between 0 and 24h"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        expect_error(span_str(cases[i].text), cases[i].sentence);
}

/* These look alike but are not our own listener. */
static void test_not_a_circle(void **state)
{
    (void)state;
    config_unref(good("[upstream c]\nproxy = 127.0.0.1:3129"));
    config_unref(good("[upstream c]\nproxy = 127.0.0.2:3128"));
    config_unref(good("[upstream c]\nproxy = p:1\n[listen]\nhttp = 127.0.0.1:0 127.0.0.1:0"));
    config_unref(good("[upstream c]\nproxy = 127.0.0.1:3128\n[listen]\nhttp = unix:/x"));
    config_unref(good("[upstream c]\nproxy = p.example:9\n[listen]\nhttp = localhost:9"));
    config_unref(
        good("[upstream c]\nproxy = p:1\n[listen]\nsocks = 127.0.0.1:0 127.0.0.1:0\nhttp = 127.0.0.1:0"));
    config_unref(good(UP "[listen]\nsocks = none\n"));
    config_unref(
        good(UP "[forward a]\nlisten = 127.0.0.1:1\ntarget = 127.0.0.1:3128")); /* us, but no circle */
}

static void put_file(const char *name, const char *text)
{
    char path[200];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

/* Loads a file of the test's directory; the name of that directory is taken out of what is said. */
static void expect_file(const char *name, const char *sentence)
{
    char path[200];
    struct err e = {0};
    snprintf(path, sizeof path, "%s/%s", directory, name);
    struct config *c = config_load(path, &e);
    if (!c && !sentence)
        fail_msg("%s: %s", name, e.text);
    config_unref(c);
    if (!sentence)
        return;
    if (c)
        fail_msg("%s was not refused", name);
    struct buf said;
    buf_init(&said, 0);
    for (const char *p = e.text; *p; p++) {
        if (span_starts(span_str(p), span_str(directory)))
            p += strlen(directory);
        buf_add(&said, p, 1);
    }
    /* "DIR/a" has become "/a" */
    assert_string_equal(buf_cstr(&said), sentence);
    buf_free(&said);
}

static void test_includes(void **state)
{
    (void)state;
    char path[200];
    snprintf(path, sizeof path, "%s/sub", directory);
    assert_int_equal(mkdir(path, 0700), 0);
    put_file("main", "# top\ninclude = sub/a\ninclude = \"sub/b c\"\n[log]\nlevel = debug");
    put_file("sub/a", "include = ../up\n" UP "user = alice");
    put_file("sub/b c", "[listen]\nhttp = 127.0.0.1:1");
    put_file("up", "[route]\nno-proxy = x");
    snprintf(path, sizeof path, "%s/main", directory);
    struct err e = {0};
    struct config *c = config_load(path, &e);
    assert_non_null(c);
    assert_string_equal(c->file, path);
    assert_string_equal(c->upstreams[0].user, "alice");
    assert_int_equal(c->listen[0].port, 1);
    assert_string_equal(c->no_proxy[0], "x");
    assert_int_equal(c->log_level, LOG_LEVEL_DEBUG);
    config_unref(c);

    put_file("self", "include = self");
    expect_file("self", "/self:1: /self includes itself, by this line");
    put_file("x", "include = sub/../y");
    put_file("y", "\ninclude = x");
    expect_file("x", "/sub/../y:2: /sub/../x includes itself, by this line");
    put_file("gone", "include = nowhere");
    expect_file("gone", "/gone:1: cannot read /nowhere: No such file or directory");
    put_file("folder", "include = sub");
    expect_file("folder", "/folder:1: cannot read /sub: Is a directory");
    put_file("empty", "include =");
    expect_file("empty", "/empty:1: include needs a path");
    put_file("tilde", "include = ~/nowhere");
    expect_file("tilde", "/tilde:1: cannot read /home/alice/nowhere: No such file or directory");
    put_file("inner", UP "proxi = x");
    put_file("outer", "include = inner");
    expect_file("outer", "/inner:3: unknown key \"proxi\" in [upstream corp]; did you mean \"proxy\"?");
    put_file("inner", UP);
    put_file("outer", "include = inner\n" UP);
    expect_file("outer", "/inner:1: section [upstream corp] stands here again; it began at /outer:2");
    put_file("outer", "include = inner\ninclude = inner");
    expect_file("outer", "/inner:1: section [upstream corp] stands here again; it began at /inner:1");
    expect_file("nowhere", "cannot read /nowhere: No such file or directory");
    put_file("none", "[log]");
    expect_file("none", "/none: there is no [upstream NAME] section; write one like this:\n\n    [upstream "
                        "corp]\n    proxy = "
                        "http://proxy.corp.example:8080\n    user = CORP\\alice");
}

static void test_include_bounds(void **state)
{
    (void)state;
    char name[20], text[40];
    for (int i = 0; i < 10; i++) {
        snprintf(name, sizeof name, "deep%d", i);
        snprintf(text, sizeof text, "include = deep%d\n", i + 1);
        put_file(name, text);
    }
    put_file("deep8", UP);
    expect_file("deep0", NULL); /* eight deep */
    put_file("deep8", "include = deep9");
    put_file("deep9", UP);
    expect_file("deep0", "/deep8:1: files include each other more than 8 deep");
    put_file("nil", "# nothing");
    struct buf many;
    buf_init(&many, 0);
    for (int i = 0; i < 64; i++)
        buf_add_str(&many, "include = nil\n");
    put_file("many", buf_cstr(&many));
    expect_file("many", "/many:64: more than 64 files are included");
    buf_free(&many);
}

static struct config *from_environment(struct err *e)
{
    setenv("XDG_CONFIG_HOME", directory, 1); /* no exeat/exeat.conf there */
    return config_load(NULL, e);
}

static void test_search(void **state)
{
    (void)state;
    char path[200];
    snprintf(path, sizeof path, "%s/home", directory);
    setenv("HOME", path, 1);
    assert_int_equal(mkdir(path, 0700), 0);
    snprintf(path, sizeof path, "%s/home/.config", directory);
    assert_int_equal(mkdir(path, 0700), 0);
    snprintf(path, sizeof path, "%s/home/.config/exeat", directory);
    assert_int_equal(mkdir(path, 0700), 0);
    put_file("home/.config/exeat/exeat.conf", UP "user = home");
    struct err e = {0};
    struct config *c = config_load(NULL, &e);
    assert_non_null(c);
    assert_string_equal(c->upstreams[0].user, "home");
    config_unref(c);
    setenv("XDG_CONFIG_HOME", "relative", 1); /* to be ignored */
    c = config_load(NULL, &e);
    assert_non_null(c);
    config_unref(c);
    snprintf(path, sizeof path, "%s/xdg", directory);
    setenv("XDG_CONFIG_HOME", path, 1);
    assert_int_equal(mkdir(path, 0700), 0);
    snprintf(path, sizeof path, "%s/xdg/exeat", directory);
    assert_int_equal(mkdir(path, 0700), 0);
    put_file("xdg/exeat/exeat.conf", UP "user = xdg");
    c = config_load(NULL, &e);
    assert_non_null(c);
    assert_string_equal(c->upstreams[0].user, "xdg");
    config_unref(c);
    /* a file that is there but cannot be used is an error; nothing else is tried */
    put_file("xdg/exeat/exeat.conf", "nonsense");
    setenv("EXEAT_UPSTREAM", "http://p:1", 1);
    assert_null(config_load(NULL, &e));
    assert_non_null(strstr(e.text, "/xdg/exeat/exeat.conf:1: expected [section]"));
}

static void test_environment(void **state)
{
    (void)state;
    if (access("/etc/exeat/exeat.conf", F_OK) == 0)
        skip(); /* this machine has a configuration of its own, which comes before the environment */
    static const struct {
        const char *exeat, *https, *HTTPS, *http, *HTTP;
        const char *proxy, *origin; /* or NULL and the error */
    } cases[] = {
        {"http://e:1", "http://a:1", NULL, NULL, NULL, "http://e:1", "EXEAT_UPSTREAM"},
        {"e:1", NULL, NULL, NULL, NULL, "http://e:1", "EXEAT_UPSTREAM"},
        {"", " http://a:1/ ", "http://b:1", "http://c:1", "http://d:1", "http://a:1", "https_proxy"},
        {NULL, NULL, "http://b:1", "http://c:1", "http://d:1", "http://b:1", "HTTPS_PROXY"},
        {NULL, NULL, NULL, "http://c:1", "http://d:1", "http://c:1", "http_proxy"},
        {NULL, NULL, NULL, NULL, "https://d:1", "https://d:1", "HTTP_PROXY"},
        {NULL, "http://127.0.0.1:3128", "localhost:3128", "http://[::1]:3128/", "http://d:1", "http://d:1",
         "HTTP_PROXY"},
        {NULL, "http://127.0.0.1:3129", NULL, NULL, NULL, "http://127.0.0.1:3129", "https_proxy"},
        {"http://127.0.0.1:3128", NULL, NULL, NULL, NULL, NULL,
         "environment EXEAT_UPSTREAM: proxy http://127.0.0.1:3128 is where this agent itself listens"},
        {NULL, "http://alice:hunter2@p:1", NULL, "http://c:1", NULL, NULL,
         "environment https_proxy: a user name or password must not stand in a proxy's address: name the "
         "user with \"user = NAME\" in "
         "exeat.conf, and store the password with \"exeat login\""},
        {"p", NULL, NULL, NULL, NULL, NULL, "environment EXEAT_UPSTREAM: \"p\" has no port; write HOST:PORT"},
        {"a\nb:1", NULL, NULL, NULL, NULL, NULL,
         "environment EXEAT_UPSTREAM: \"a?b\" is not a host name or address"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *const values[] = {cases[i].exeat, cases[i].https, cases[i].HTTPS, cases[i].http,
                                      cases[i].HTTP};
        for (size_t k = 0; k < 5; k++)
            values[k] ? setenv(variables[k], values[k], 1) : unsetenv(variables[k]);
        struct err e = {0};
        struct config *c = from_environment(&e);
        if (!cases[i].proxy) {
            assert_null(c);
            assert_string_equal(e.text, cases[i].origin);
            continue;
        }
        if (!c)
            fail_msg("case %zu: %s", i, e.text);
        assert_null(c->file);
        assert_int_equal(c->n_upstreams, 1);
        assert_int_equal(c->upstreams[0].line, 0);
        assert_string_equal(c->upstreams[0].name, "default");
        assert_string_equal(c->upstreams[0].proxies[0].text, cases[i].proxy);
        assert_int_equal(c->n_listen, 2);
        struct buf out;
        char line[200];
        buf_init(&out, 0);
        config_print(c, &out);
        snprintf(line, sizeof line, "\n[upstream default]\nproxy = %s  # environment %s\n", cases[i].proxy,
                 cases[i].origin);
        assert_non_null(strstr(buf_cstr(&out), line));
        buf_free(&out);
        config_unref(c);
    }
}

static void test_no_proxy(void **state)
{
    (void)state;
    if (access("/etc/exeat/exeat.conf", F_OK) == 0)
        skip();
    struct err e = {0};
    setenv("http_proxy", "p:1", 1);
    setenv("NO_PROXY", "upper", 1);
    struct config *c = from_environment(&e);
    assert_non_null(c);
    assert_int_equal(c->n_no_proxy, 1);
    assert_string_equal(c->no_proxy[0], "upper");
    config_unref(c);
    setenv("no_proxy", ",a, .b.example ,,10.0.0.0/8 *", 1);
    c = from_environment(&e);
    assert_non_null(c);
    assert_int_equal(c->n_no_proxy, 4);
    assert_string_equal(c->no_proxy[1], ".b.example");
    assert_string_equal(c->no_proxy[3], "*");
    config_unref(c);
    setenv("no_proxy", "a\nb", 1);
    assert_null(from_environment(&e));
    assert_string_equal(e.text, "environment no_proxy: a control character (0x0a)");
}

static void test_nothing(void **state)
{
    (void)state;
    if (access("/etc/exeat/exeat.conf", F_OK) == 0)
        skip();
    struct err e = {0};
    char expected[600];
    static const char *const skipped[] = {"", " (https_proxy points at this agent itself)"};
    for (int i = 0; i < 2; i++) {
        if (i)
            setenv("https_proxy", "http://localhost:3128", 1);
        assert_null(from_environment(&e));
        snprintf(expected, sizeof expected,
                 "no proxy is configured: there is neither a configuration file nor EXEAT_UPSTREAM, "
                 "https_proxy or http_proxy%s. Write "
                 "into %s/exeat/exeat.conf:\n\n    [upstream corp]\n    proxy = "
                 "http://proxy.corp.example:8080\n    user = CORP\\alice",
                 skipped[i], directory);
        assert_string_equal(e.text, expected);
    }
}

static void test_print(void **state)
{
    (void)state;
    struct config *c = good(
        "[upstream corp]\nproxy = p:1 [::1]:2\nhosts = .p.example \"[fd00::/8]:80\"\nauth = "
        "none\nbasic-in-clear = yes\nuser = \"CORP\\alice #1\"\n"
        "secret = command:echo hunter2\n[upstream b]\nproxy = https://q:1\nsecret = \"file:/a # b\"\nspn = "
        "x\n"
        "ca = /c.pem\npin = " PIN_A " sha256//" PIN_B "\ncertificate = \"/d e\"\nkey = ~/k\n"
        "[listen]\nhttp = \"unix:/a b\"\nallow-uids = any\nmax-head = 5000\nsocks = 127.0.0.1:1080 "
        "unix:/s\n[route]\nno-proxy = a \"b-c\"\nrule = x b\nrule = \"y-z\" direct\n"
        "[forward db.1]\ntarget = [::1]:5432\nlisten = 127.0.0.1:0 unix:/db\n");
    static const char *const printed = "[listen]\n"
                                       "http = \"unix:/a b\"  # t.conf:17\n"
                                       "socks = 127.0.0.1:1080 unix:/s  # t.conf:20\n"
                                       "allow-uids = any  # t.conf:18\n"
                                       "allow =  # default\n"
                                       "max-head = 5000  # t.conf:19\n"
                                       "metrics = none  # default\n"
                                       "drain = 5s  # default\n"
                                       "tunnel-idle = 24h  # default\n"
                                       "\n"
                                       "[upstream corp]\n"
                                       "proxy = http://p:1 http://[::1]:2  # t.conf:2\n"
                                       "hosts = .p.example [fd00::/8]:80  # t.conf:3\n"
                                       "auth = none  # t.conf:4\n"
                                       "basic-in-clear = yes  # t.conf:5\n"
                                       "user = \"CORP\\\\alice #1\"  # t.conf:6\n"
                                       "# domain is not set: none is added\n"
                                       "# workstation is not set: this computer's host name\n"
                                       "secret = command:(hidden)  # t.conf:7\n"
                                       "kerberos = find  # default\n"
                                       "# spn is not set: HTTP/ and the proxy's host name\n"
                                       "canonicalize = system  # default\n"
                                       "delegate = no  # default\n"
                                       "mutual = try  # default\n"
                                       "wait-for-password = 0  # default\n"
                                       "# ca is not set: those that this machine trusts\n"
                                       "# pin is not set: any key that a good certificate names\n"
                                       "# certificate is not set: none is shown\n"
                                       "# key is not set: it stands in the certificate's file\n"
                                       "client-credentials = drop  # default\n"
                                       "pass-authorization = no  # default\n"
                                       "no-auth =  # default\n"
                                       "connections = 64  # default\n"
                                       "spares = 2  # default\n"
                                       "dial-timeout = 10s  # default\n"
                                       "answer-timeout = 5m  # default\n"
                                       "# via is not set: they are reached straight\n"
                                       "connect-always = no  # default\n"
                                       "\n"
                                       "[upstream b]\n"
                                       "proxy = https://q:1  # t.conf:9\n"
                                       "# hosts is not set: none but those of proxy\n"
                                       "auth = negotiate ntlm digest  # default\n"
                                       "basic-in-clear = no  # default\n"
                                       "# user is not set: the Kerberos ticket's own principal\n"
                                       "# domain is not set: none is added\n"
                                       "# workstation is not set: this computer's host name\n"
                                       "secret = \"file:/a # b\"  # t.conf:10\n"
                                       "kerberos = find  # default\n"
                                       "spn = x  # t.conf:11\n"
                                       "canonicalize = system  # default\n"
                                       "delegate = no  # default\n"
                                       "mutual = try  # default\n"
                                       "wait-for-password = 0  # default\n"
                                       "ca = /c.pem  # t.conf:12\n"
                                       "pin = " PIN_A " " PIN_B "  # t.conf:13\n"
                                       "certificate = /d e  # t.conf:14\n"
                                       "key = /home/alice/k  # t.conf:15\n"
                                       "client-credentials = drop  # default\n"
                                       "pass-authorization = no  # default\n"
                                       "no-auth =  # default\n"
                                       "connections = 64  # default\n"
                                       "spares = 2  # default\n"
                                       "dial-timeout = 10s  # default\n"
                                       "answer-timeout = 5m  # default\n"
                                       "# via is not set: they are reached straight\n"
                                       "connect-always = no  # default\n"
                                       "\n"
                                       "[route]\n"
                                       "no-proxy = a b-c  # t.conf:22\n"
                                       "rule = x b\n"
                                       "rule = y-z direct  # t.conf:23\n"
                                       "# pac is not set: no PAC script is used\n"
                                       "wpad = no  # default\n"
                                       "pac-failure = last-good  # default\n"
                                       "when-unreachable = fail  # default\n"
                                       "when-off = direct  # default\n"
                                       "\n"
                                       "[forward db.1]\n"
                                       "listen = 127.0.0.1:0 unix:/db  # t.conf:27\n"
                                       "target = [::1]:5432  # t.conf:26\n"
                                       "\n"
                                       "[headers]\n"
                                       "# set is not set: every field goes as it came\n"
                                       "# add is not set: none\n"
                                       "# remove is not set: none\n"
                                       "\n"
                                       "[log]\n"
                                       "level = info  # default\n"
                                       "requests = yes  # default\n"
                                       "# file is not set: they stand with the rest of the log\n"
                                       "format = plain  # default\n";
    struct buf out;
    buf_init(&out, 0);
    config_print(c, &out);
    assert_string_equal(buf_cstr(&out), printed);
    /* and it loads again, to the same values */
    struct config *again = good(buf_cstr(&out));
    assert_string_equal(again->upstreams[0].user, "CORP\\alice #1");
    assert_string_equal(again->upstreams[1].secret_argument, "/a # b");
    assert_int_equal(again->upstreams[0].n_hosts, 2);
    assert_true(config_upstream_meets(&again->upstreams[0], SPAN("a.p.example"), 9));
    assert_true(config_upstream_meets(&again->upstreams[0], SPAN("fd00::1"), 80));
    assert_false(config_upstream_meets(&again->upstreams[0], SPAN("fd00::1"), 81));
    assert_true(config_upstream_meets(&again->upstreams[0], SPAN("P"), 1));
    assert_false(config_upstream_meets(&again->upstreams[1], SPAN("a.p.example"), 9));
    assert_string_equal(again->listen[0].path, "/a b");
    assert_string_equal(again->socks[1].path, "/s");
    assert_string_equal(again->forwards[0].name, "db.1");
    assert_int_equal(again->forwards[0].n_listen, 2);
    assert_string_equal(again->forwards[0].target.host, "::1");
    assert_int_equal(again->forwards[0].target.port, 5432);
    assert_int_equal(again->n_no_proxy, 2);
    const struct config_upstream *b = &again->upstreams[1];
    assert_string_equal(b->ca, "/c.pem");
    assert_int_equal(b->n_pins, 2);
    assert_memory_equal(b->pins[0].sha256, "the key with this hash is hidden", 32);
    assert_int_equal(b->pins[1].sha256[31], 0xff);
    assert_string_equal(b->certificate, "/d e");
    assert_string_equal(b->key, "/home/alice/k");
    config_unref(again);
    config_unref(c);
    buf_free(&out);
}

/* A file's name cannot break out of its comment. */
static void test_print_hostile_name(void **state)
{
    (void)state;
    struct err e;
    struct config *c = config_load_text("a\n[log]\nb", SPAN(UP), &e);
    struct buf out;
    buf_init(&out, 0);
    config_print(c, &out);
    assert_non_null(strstr(buf_cstr(&out), "proxy = http://p:1  # a?[log]?b:2\n"));
    buf_free(&out);
    config_unref(c);
}

/* Who may come from beyond this machine. */
#define GATE "[gateway]\nauth = basic\nusers = /u\n"

/* What [gateway] says holds for the others, wherever it stands; its addresses are its own. */
static void test_gateways(void **state)
{
    (void)state;
    struct config *c =
        good(UP "[gateway near]\nlisten = 127.0.0.1:1 http://[::1]:1 unix:/s\nrealm = r\nauth = ntlm\n"
                "[gateway]\nlisten = HTTP://192.0.2.1:3\nallow = 192.0.2.0/24\nauth = negotiate basic\n"
                "users = \"/a b\"\nrequests-per-second = 7\nhead-timeout = 2m\nmutual = no\n"
                "identity = per-user\n"
                "[gateway far]\nlisten = 192.0.2.2:3\nallow = fd00::/8\nmutual = yes\ndigest = md5\n"
                "identity = shared\n");
    const struct config_gateway *near = config_gateway_named(c, SPAN("near"));
    const struct config_gateway *general = config_gateway_named(c, SPAN("gateway"));
    const struct config_gateway *far = config_gateway_named(c, SPAN("far"));
    assert_null(config_gateway_named(c, SPAN("")));
    assert_int_equal(c->n_gateways, 3);
    assert_int_equal(near->n_listen, 3);
    assert_string_equal(near->listen[1].text, "[::1]:1");
    assert_false(near->listen[1].tls);
    assert_string_equal(near->realm, "r");
    assert_int_equal(near->n_auth, 1);
    assert_int_equal(near->auth[0], AUTH_NTLM);
    assert_string_equal(near->users, "/a b");
    assert_int_equal(near->requests_per_second, 7);
    assert_int_equal(near->head_timeout, 120);
    assert_int_equal(near->idle_timeout, 300);
    assert_int_equal(near->tunnel_idle, 4 * 3600);
    assert_int_equal(near->n_allow, 1);
    assert_null(near->keytab);
    assert_int_equal(general->n_listen, 1);
    assert_string_equal(general->realm, "exeat");
    assert_int_equal(general->n_auth, 2);
    assert_int_equal(general->mutual, GATEWAY_MUTUAL_NO);
    assert_int_equal(general->n_digest, 2);
    assert_int_equal(general->digest[0], HASH_SHA256);
    assert_int_equal(general->digest[1], HASH_MD5);
    assert_int_equal(far->n_digest, 1);
    assert_int_equal(far->digest[0], HASH_MD5);
    assert_int_equal(general->identity, GATEWAY_IDENTITY_PER_USER);
    assert_int_equal(near->identity, GATEWAY_IDENTITY_PER_USER);
    assert_int_equal(far->identity, GATEWAY_IDENTITY_SHARED);
    assert_int_equal(far->n_listen, 1);
    assert_string_equal(far->allow[0].text, "fd00::/8");
    assert_int_equal(far->mutual, GATEWAY_MUTUAL_YES);
    assert_int_equal(far->auth[1], AUTH_BASIC);
    config_unref(c);
    c = good(UP "[gateway a]\nlisten = 127.0.0.1:1\nauth = negotiate\n");
    assert_int_equal(c->gateways[0].connections, 1000);
    assert_int_equal(c->gateways[0].identity, GATEWAY_IDENTITY_SHARED);
    assert_int_equal(c->gateways[0].n_allow, 0);
    config_unref(c);
}

/* Where each user has a secret of his own, or may hand on a ticket, or none is needed. */
static void test_gateway_users_with_secrets(void **state)
{
    (void)state;
    static const char *const goods[] = {
        UP GATE "listen = 127.0.0.1:1\nidentity = per-user",
        UP "secret = file:/s\n" GATE "listen = 127.0.0.1:1",
        UP "secret = file:/s\n" GATE "identity = per-user",
        UP "secret = file:/s/%u\n" GATE "listen = 127.0.0.1:1\nidentity = per-user",
        UP "secret = file:/a/../s/%u../..%u\n" GATE "listen = 127.0.0.1:1\nidentity = per-user",
        UP "secret = credential:s-%u\n" GATE "listen = 127.0.0.1:1\nidentity = per-user",
        UP "secret = command:x \"$EXEAT_USER\"\n" GATE "listen = 127.0.0.1:1\nidentity = per-user",
        UP "secret = nt-hash\n" GATE "listen = 127.0.0.1:1\nidentity = per-user",
        UP "secret = keytab:/k\n" GATE "listen = 127.0.0.1:1\nidentity = per-user",
        UP "secret = none\nauth = none\n" GATE "listen = 127.0.0.1:1\nidentity = per-user",
        UP "secret = none\nclient-credentials = pass\n" GATE "listen = 127.0.0.1:1\nidentity = per-user",
        UP "secret = file:/s\n[gateway]\nlisten = 127.0.0.1:1\nidentity = per-user\nauth = negotiate",
    };
    for (size_t i = 0; i < sizeof goods / sizeof *goods; i++)
        config_unref(good(goods[i]));
}

static void test_gateway_errors(void **state)
{
    (void)state;
    static const struct {
        const char *text, *error;
    } rows[] = {
        {UP "[gateway]\nlisten = 192.0.2.1:1\nauth = negotiate",
         "t.conf:4: listen: 192.0.2.1:1 is not an address of this machine alone (127.0.0.1, [::1]), and "
         "others "
         "could use your identity; say from where they may come (allow = 192.0.2.0/24)"},
        {UP "[gateway]\nallow = 192.0.2.0/24\n[gateway a]\nlisten = [::]:1",
         "t.conf:6: listen: [::]:1 is not an address of this machine alone (127.0.0.1, [::1]), and others "
         "could use your identity; say how they show who they are (auth = negotiate)"},
        {UP "[gateway]\nlisten = 0.0.0.0:1\nauth = none",
         "t.conf:4: listen: 0.0.0.0:1 is not an address of this machine alone (127.0.0.1, [::1]), and others "
         "could use your identity; say from where they may come (allow = 192.0.2.0/24), and how they show "
         "who "
         "they are (auth = negotiate)"},
        {UP "[gateway a]\nlisten = 127.0.0.1:1", "t.conf:3: auth: a gateway asks its clients who they are; "
                                                 "say how, by one or several of these: auth = "
                                                 "negotiate ntlm digest basic"},
        {UP "[gateway]\nlisten = 127.0.0.1:1\nauth = negotiate basic",
         "t.conf:5: auth: basic needs names and hashes of passwords to compare with: write users = FILE"},
        {UP "secret = file:/s\n" GATE "listen = 127.0.0.1:1\nidentity = per-user",
         "t.conf:3: secret: file is the same for everybody, and [gateway] says identity = per-user: write "
         "secret = "
         "keyring, file:PATH with %u in it for the user, or command:COMMAND with $EXEAT_USER"},
        {UP "secret = command:x\n" GATE "listen = 127.0.0.1:1\nidentity = per-user",
         "t.conf:3: secret: command is the same for everybody, and [gateway] says identity = per-user: write "
         "secret "
         "= keyring, file:PATH with %u in it for the user, or command:COMMAND with $EXEAT_USER"},
        {UP "secret = command:x $EXEAT_USERNAME $MY_EXEAT_USER\n" GATE
            "listen = 127.0.0.1:1\nidentity = per-user",
         "t.conf:3: secret: command is the same for everybody, and [gateway] says identity = per-user: write "
         "secret "
         "= keyring, file:PATH with %u in it for the user, or command:COMMAND with $EXEAT_USER"},
        {UP "secret = prompt\nauth = ntlm\n[gateway a]\nlisten = 127.0.0.1:1\nidentity = per-user\nauth = "
            "negotiate",
         "t.conf:3: secret: prompt is the same for everybody, and [gateway a] says identity = per-user: "
         "write "
         "secret = keyring, file:PATH with %u in it for the user, or command:COMMAND with $EXEAT_USER"},
        {UP "[gateway]\nlisten = 127.0.0.1:1\nauth = ntlm",
         "t.conf:5: auth: ntlm needs names and hashes of passwords to compare with: write users = FILE, or "
         "winbind = yes where this machine has joined a domain"},
        {UP GATE "listen = https://127.0.0.1:1",
         "t.conf:6: listen: https://127.0.0.1:1 needs a certificate: write certificate = FILE"},
        {UP GATE "listen = 127.0.0.1:1\nkey = /k",
         "t.conf:7: key: it belongs to a certificate, and there is none: write certificate = FILE"},
        {UP GATE "listen = ftp://127.0.0.1:1",
         "t.conf:6: listen: \"ftp://127.0.0.1:1\": a gateway listens on http:// or https://"},
        {UP GATE "listen = https://unix:/s",
         "t.conf:6: listen: \"https://unix:/s\": a Unix socket is this machine's, and needs no TLS"},
        {UP GATE "listen = http://127.0.0.1:1 https://127.0.0.1:1",
         "t.conf:6: listen: \"https://127.0.0.1:1\" stands here twice"},
        {UP GATE "listen = 127.0.0.1:3128",
         "t.conf:6: 127.0.0.1:3128 is where programs of this machine reach exeat by default; choose another "
         "port "
         "here, or other addresses there (http = 127.0.0.1:PORT in [listen])"},
        {UP "[gateway]\nlisten = 127.0.0.1:1\nauth = negotiate\nmutual = pass",
         "t.conf:6: mutual: the next proxy can prove itself to a client only if it gets the client's "
         "credentials: "
         "write pass-authorization = yes, here and in the [upstream]"},
        {UP "[gateway]\nlisten = 0.0.0.0:3128\nauth = negotiate",
         "t.conf:4: listen: 0.0.0.0:3128 is not an address of this machine alone (127.0.0.1, [::1]), and "
         "others could use your identity; say from where they may come (allow = 192.0.2.0/24)"},
        /* All addresses of this machine have that of the default, and that of somebody else. */
        {UP GATE "listen = 0.0.0.0:3128\nallow = 192.0.2.0/24",
         "t.conf:6: 0.0.0.0:3128 is also 127.0.0.1:3128, which is where programs of this machine reach exeat "
         "by default; choose another port here, or other addresses there (http = 127.0.0.1:PORT in "
         "[listen])"},
        {UP GATE "listen = [::1]:2\n[gateway a]\nlisten = [::]:2\nallow = 192.0.2.0/24",
         "t.conf:8: [::]:2 is also [::1]:2, which has another use already, in t.conf:6"},
        {UP GATE "listen = 127.0.0.1:2 0.0.0.0:1 0.0.0.0:2\nallow = 192.0.2.0/24",
         "t.conf:6: 0.0.0.0:2 is also 127.0.0.1:2, which stands here too; leave that out, or choose another "
         "port for it"},
        {UP GATE "listen = http://[::]:2 [::1]:2 127.0.0.1:2\nallow = 192.0.2.0/24",
         "t.conf:6: [::]:2 is also [::1]:2, which stands here too; leave that out, or choose another port "
         "for "
         "it"},
        {UP GATE "listen = 127.0.0.1:2\n[gateway a]\nlisten = 127.0.0.1:2",
         "t.conf:8: 127.0.0.1:2 has another use already, in t.conf:6"},
        {UP GATE "listen = :1",
         "t.conf:6: listen: \":1\" names no address; all of this machine's are 0.0.0.0:PORT and, for IPv6, "
         "[::]:PORT"},
        {UP GATE "listen = https://*:1",
         "t.conf:6: listen: \"*:1\" names no address; all of this machine's are 0.0.0.0:PORT and, for IPv6, "
         "[::]:PORT"},
        {UP "secret = file:/x/%u/../own", "t.conf:3: secret: file: a path that goes back (..) behind %u may "
                                          "be the same for all users; write it "
                                          "without that"},
        {UP "secret = file:/x/a-%u/s/..", "t.conf:3: secret: file: a path that goes back (..) behind %u may "
                                          "be the same for all users; write it "
                                          "without that"},
        {UP "[gateway]\nlisten = 127.0.0.1:1\nauth =",
         "t.conf:5: auth: at least one scheme is needed, like negotiate ntlm digest basic"},
        {UP "[gateway]\nauth = ntlm, basic",
         "t.conf:4: auth: \"ntlm,\" is not negotiate, ntlm, digest, basic or none; words are separated by "
         "blanks, without commas"},
        {UP "[gateway]\nwinbind = on", "t.conf:4: winbind: \"on\" is not no or yes"},
        {UP "[gateway]\ndigest = md5 sha-256 md5", "t.conf:4: digest: md5 stands here twice"},
        {UP "[gateway]\ndigest = sha",
         "t.conf:4: digest: \"sha\" is not sha-256, md5 or sha-512-256; did you mean \"sha-256\"?"},
        {UP "[gateway a]\nauth = negotiate",
         "t.conf:3: [gateway a] listens nowhere; write listen = HOST:PORT"},
        {UP "[gateway gateway]\nlisten = 127.0.0.1:1",
         "t.conf:3: [gateway gateway] would be taken for [gateway]; choose another name"},
        {UP "[gateway]\n[gateway]", "t.conf:4: section [gateway] stands here again; it began at t.conf:3"},
        {UP "[gateway]\nidentity = user", "t.conf:4: identity: \"user\" is not shared or per-user"},
        {UP "[gateway]\nrealm = \"\"", "t.conf:4: realm: the value is empty; leave the line out for exeat"},
        {"[upstream corp]\nproxy = 127.0.0.1:1\n" GATE "listen = 127.0.0.1:1",
         "t.conf:2: proxy http://127.0.0.1:1 is where this agent itself listens"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        expect_error(span_str(rows[i].text), rows[i].error);
    config_unref(good(UP "[gateway]\nlisten = 127.0.0.1:1\nauth = ntlm\nwinbind = yes\n"));
    config_unref(good(UP GATE "listen = 127.0.0.1:2 [::]:2 192.0.2.1:2 0.0.0.0:3\nallow = 192.0.2.0/24\n"));
    config_unref(good(UP GATE "listen = 127.0.0.1:2 0.0.0.0:0\nallow = 192.0.2.0/24\n"
                              "[gateway a]\nlisten = [::]:2 0.0.0.0:0\n"));
    /* A target may be where a gateway listens: it is somebody else who connects there. */
    config_unref(
        good(UP GATE "listen = 127.0.0.1:1\n[forward f]\nlisten = 127.0.0.1:2\ntarget = 127.0.0.1:1\n"));
}

static void test_clients(void **state)
{
    (void)state;
    struct config *c = good(
        "[listen]\nhttp = 127.0.0.1:1 172.17.0.1:2 [fd00::1]:3\nallow = 172.17.5.6/16 fd00::/63 10.1.2.3\n"
        "[client a]\ntoken = sha256:" HASH "\nfrom = 172.17.0.0/30\n[client b]\ntoken = sha256:"
        "00112233445566778899AABBCCDDEEFF00112233445566778899aabbccddeeff\n" UP);
    static const struct {
        const char *address;
        bool listen, a;
    } rows[] = {
        {"172.17.0.3", true, true},      {"172.17.0.4", true, false},       {"172.17.255.255", true, false},
        {"172.16.0.3", false, false},    {"172.18.0.0", false, false},      {"10.1.2.3", true, false},
        {"10.1.2.2", false, false},      {"fd00::1", true, false},          {"fd00:0:0:1::1", true, false},
        {"fd00:0:0:2::1", false, false}, {"::ffff:172.17.0.1", true, true}, {"::ffff:9.9.9.9", false, false},
        {"ac11::", false, false},
    };
    assert_false(config_address_is_beyond(&c->listen[0]));
    assert_true(config_address_is_beyond(&c->listen[1]));
    assert_true(config_address_is_beyond(&c->listen[2]));
    assert_int_equal(c->n_clients, 2);
    assert_string_equal(c->clients[0].name, "a");
    assert_int_equal(c->clients[0].token_sha256[0], 0x2c);
    assert_int_equal(c->clients[1].token_sha256[10], 0xaa);
    assert_int_equal(c->clients[1].n_from, 0);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct sockaddr_in6 six = {.sin6_family = AF_INET6};
        struct sockaddr_in four = {.sin_family = AF_INET};
        bool is_four = inet_pton(AF_INET, rows[i].address, &four.sin_addr) == 1;
        assert_true(is_four || inet_pton(AF_INET6, rows[i].address, &six.sin6_addr) == 1);
        const struct sockaddr *at = is_four ? (struct sockaddr *)&four : (struct sockaddr *)&six;
        if (config_networks_hold(c->allow, c->n_allow, at) != rows[i].listen ||
            config_networks_hold(c->clients[0].from, c->clients[0].n_from, at) != rows[i].a)
            fail_msg("%s", rows[i].address);
    }
    struct sockaddr unknown = {.sa_family = AF_UNIX};
    assert_false(config_networks_hold(c->allow, c->n_allow, &unknown));
    config_unref(c);
    c = good("[listen]\nallow = 0.0.0.0/0\n" UP);
    struct sockaddr_in anyone = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x01020304)};
    assert_true(config_networks_hold(c->allow, c->n_allow, (struct sockaddr *)&anyone));
    config_unref(c);
}

/* Lines of [headers] that are right: what was read, and how it is printed (NULL: as it was written). */
static void test_headers(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        const char *pattern, *upstream, *name, *value, *printed;
    } rows[] = {
        {"set = * User-Agent: Mozilla/5.0 (X11; Linux)", "*", NULL, "User-Agent", "Mozilla/5.0 (X11; Linux)",
         NULL},
        {"set = upstream:corp X-Site:north", NULL, "corp", "X-Site", "north",
         "set = upstream:corp X-Site: north"},
        {"set = .example.com:443   X-A:  b  c", ".example.com:443", NULL, "X-A", "b  c",
         "set = .example.com:443 X-A: b  c"},
        {"add = <local> Accept-Language: de, en;q=0.5", "<local>", NULL, "Accept-Language", "de, en;q=0.5",
         NULL},
        {"add = * \"X-A: b # \\\"c\\\"\"", "*", NULL, "X-A", "b # \"c\"", NULL},
        {"add = * X-A: b:c # a comment", "*", NULL, "X-A", "b:c", "add = * X-A: b:c"},
        {"set = * X-A: \ttab\tinside", "*", NULL, "X-A", "tab\tinside", "set = * X-A: tab\tinside"},
        {"remove = 10.0.0.0/8 Referer", "10.0.0.0/8", NULL, "Referer", NULL, NULL},
        {"remove = upstream:corp X-Forwarded-For", NULL, "corp", "X-Forwarded-For", NULL, NULL},
        {"set = * Hosts: 1", "*", NULL, "Hosts", "1", NULL},
        {"set = * Proxy: 1", "*", NULL, "Proxy", "1", NULL},
        {"set = * X-Content-Length: 1", "*", NULL, "X-Content-Length", "1", NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct buf text = {0}, printed = {0}, expected = {0};
        buf_addf(&text, UP "[headers]\n%s\n", rows[i].line);
        struct config *c = good(buf_cstr(&text));
        assert_int_equal(c->n_headers, 1);
        const struct config_header *h = &c->headers[0];
        if (rows[i].pattern)
            assert_string_equal(h->pattern, rows[i].pattern);
        else
            assert_string_equal(h->upstream, rows[i].upstream);
        assert_string_equal(h->name, rows[i].name);
        if (rows[i].value)
            assert_string_equal(h->value, rows[i].value);
        else
            assert_null(h->value);
        config_print(c, &printed);
        buf_addf(&expected, "\n%s  # t.conf:", rows[i].printed ? rows[i].printed : rows[i].line);
        if (!strstr(buf_cstr(&printed), buf_cstr(&expected)))
            fail_msg("%s is printed as:\n%s", rows[i].line, buf_cstr(&printed));
        config_unref(c);
        buf_free(&text);
        buf_free(&printed);
        buf_free(&expected);
    }
}

/* What nobody may change: each of these, in each of the three keys, in any letter case. */
static void test_headers_out_of_reach(void **state)
{
    (void)state;
    static const char *const names[] = {"Content-Length",
                                        "Transfer-Encoding",
                                        "Content-Encoding",
                                        "Content-Range",
                                        "Trailer",
                                        "Expect",
                                        "Connection",
                                        "Keep-Alive",
                                        "TE",
                                        "te",
                                        "Upgrade",
                                        "HTTP2-Settings",
                                        "Sec-WebSocket-Key",
                                        "Proxy-Connection",
                                        "Proxy-Authorization",
                                        "PROXY-AUTHENTICATE",
                                        "Proxy-Anything",
                                        "Host",
                                        "hOST",
                                        "Via",
                                        "Max-Forwards",
                                        "Authorization",
                                        "Authentication-Info",
                                        "WWW-Authenticate",
                                        "Cookie"};
    static const char *const lines[] = {"set = * %s: 1", "add = upstream:corp %s: 1", "remove = * %s"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        for (size_t k = 0; k < sizeof lines / sizeof *lines; k++) {
            struct buf text = {0};
            struct err e = {0};
            buf_add_str(&text, UP "[headers]\n");
            buf_addf(&text, lines[k], names[i]);
            assert_null(config_load_text("t.conf", buf_span(&text), &e));
            struct buf start = {0};
            buf_addf(&start, "t.conf:4: %.*s: %s cannot be changed: ", (int)strcspn(lines[k], " "), lines[k],
                     names[i]);
            if (strncmp(e.text, buf_cstr(&start), start.n) != 0 || strlen(e.text) < start.n + 20)
                fail_msg("%s: %s", buf_cstr(&text), e.text);
            buf_free(&start);
            buf_free(&text);
        }
}

static void test_header_errors(void **state)
{
    (void)state;
    static const struct {
        const char *line, *sentence;
    } rows[] = {
        {"set = *", "t.conf:4: set: write a pattern (or upstream:NAME) and a field: * User-Agent: curl/8.0"},
        {"set =", "t.conf:4: set: write a pattern (or upstream:NAME) and a field: * User-Agent: curl/8.0"},
        {"set = User-Agent: x",
         "t.conf:4: set: write a pattern (or upstream:NAME) and a field: * User-Agent: curl/8.0"},
        {"set = * X y: 1", "t.conf:4: set: \"X y\" is not the name of a field"},
        {"set = * X : 1", "t.conf:4: set: \"X \" is not the name of a field"},
        {"set = * : 1", "t.conf:4: set: \"\" is not the name of a field"},
        {"set = * X\xC3\xA4: 1", "t.conf:4: set: \"X\xC3\xA4\" is not the name of a field"},
        {"set = * X:", "t.conf:4: set: the field has no value; to take a field away write remove ="},
        {"set = * X: gr\xC3\xBCn",
         "t.conf:4: set: the value has a character beyond ASCII, of which no two receivers "
         "think the same (RFC 9110 section 5.5)"},
        {"set = * X: a\001b", "t.conf:4: a control character (0x01)"},
        {"set = * X: a\rb", "t.conf:4: a control character (0x0d)"},
        {"set = * X: a\x7f", "t.conf:4: a control character (0x7f)"},
        {"set = * \"X: a", "t.conf:4: set: a double quote is not closed"},
        {"remove = * X: 1", "t.conf:4: remove: remove = takes a pattern and the name of a field: * Referer"},
        {"add = * user-agent: 1",
         "t.conf:4: add: a request has one User-Agent at most; write set = in place of add ="},
        {"add = upstream:crop X: 1",
         "t.conf: add = upstream:crop X: there is no [upstream crop]; did you mean \"corp\"?"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct buf text = {0};
        buf_addf(&text, UP "[headers]\n%s\n", rows[i].line);
        expect_error(buf_span(&text), rows[i].sentence);
        buf_free(&text);
    }
}

/* The table itself: what each default is written as is what is printed for it. */
static void test_table(void **state)
{
    (void)state;
    struct config *c = good(UP "[gateway]\n");
    for (size_t i = 0; i < n_settings; i++) {
        const struct setting *s = &settings[i];
        const struct section *section = section_find(span_str(s->section));
        assert_non_null(section);
        assert_ptr_equal(setting_find(section, span_str(s->name)), s); /* no name twice */
        assert_true(i == 0 || settings[i - 1].section == s->section ||
                    section > section_find(span_str(settings[i - 1].section)));
        assert_int_equal((s->fallback != NULL) + (s->absent != NULL) + s->required, 1);
        if (!s->fallback)
            continue;
        struct buf out;
        buf_init(&out, 0);
        const void *object = section->general ? (void *)&c->gateways[0]
                             : section->named ? (void *)&c->upstreams[0]
                                              : (void *)c;
        assert_true(s->kind->print(s, object, &out));
        assert_string_equal(buf_cstr(&out), s->fallback);
        buf_free(&out);
    }
    config_unref(c);
}

static void test_ways(void **state)
{
    (void)state;
    struct config *c = good(
        "[upstream a]\nproxy = socks5://[::1]:1 SOCKS5H://s.example:2 p:3\nvia = b\nconnect-always = yes\n"
        "[upstream b]\nproxy = p:1\nvia = c\n[upstream c]\nproxy = p:2\nvia = d\n[upstream d]\nproxy = "
        "p:3\nvia = e\n[upstream e]\nproxy = p:4\n");
    const struct config_upstream *a = &c->upstreams[0];
    assert_string_equal(a->proxies[0].text, "socks5://[::1]:1");
    assert_string_equal(a->proxies[1].text, "socks5://s.example:2");
    assert_string_equal(a->proxies[2].text, "http://p:3");
    assert_true(a->proxies[0].socks && a->proxies[1].socks && !a->proxies[2].socks);
    assert_true(config_proxy_is_private(&a->proxies[0]) && !config_proxy_is_private(&a->proxies[1]));
    assert_string_equal(a->via, "b");
    assert_true(a->connect_always && !c->upstreams[1].connect_always);
    assert_null(c->upstreams[4].via);
    config_unref(c);
}

static void test_sample(void **state)
{
    (void)state;
    char path[600];
    const char *slash = strrchr(__FILE__, '/');
    snprintf(path, sizeof path, "%.*s../../config/exeat.conf", slash ? (int)(slash - __FILE__ + 1) : 0,
             __FILE__);
    struct buf made, line;
    buf_init(&made, 0);
    buf_init(&line, 0);
    config_print_sample(&made);
    FILE *f = fopen(path, "r");
    if (!f)
        fail_msg("cannot open %s", path);
    for (int c; (c = getc(f)) != EOF;)
        buf_add(&line, &(char){(char)c}, 1);
    fclose(f);
    if (!span_eq(buf_span(&made), buf_span(&line)))
        fail_msg("config/exeat.conf is out of date: test_config --sample > config/exeat.conf");
    struct err e = {0};
    struct config *c = config_load(path, &e);
    if (!c)
        fail_msg("%s", e.text);
    assert_string_equal(c->upstreams[0].name, "corp");
    config_unref(c);
    /* with each line that shows a setting switched on, it loads too; some are for TLS alone */
    buf_clear(&line);
    struct span rest = buf_span(&made);
    while (rest.n) {
        struct span one = span_cut(&rest, '\n');
        if (span_starts(one, SPAN("proxy = http:")))
            buf_add_str(&line, "proxy = https://p.example:1");
        else
            buf_add_span(&line, one.n > 1 && one.p[0] == '#' && one.p[1] != ' ' ? span_from(one, 1) : one);
        buf_add_str(&line, "\n");
    }
    buf_add_str(&line, "[upstream gate]\nproxy = gate.example:1\n"); /* the name in the example of via */
    c = good(buf_cstr(&line));
    assert_string_equal(c->upstreams[0].user, "CORP\\alice");
    assert_int_equal(c->n_no_proxy, 3);
    assert_int_equal(c->n_socks, 1);
    assert_string_equal(c->forwards[0].target.text, "git.example.com:22");
    config_unref(c);
    buf_free(&made);
    buf_free(&line);
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "--sample") == 0) {
        struct buf sample;
        buf_init(&sample, 0);
        config_print_sample(&sample);
        fputs(buf_cstr(&sample), stdout);
        buf_free(&sample);
        return 0;
    }
#define TEST(name) cmocka_unit_test_setup(name, set_up)
    const struct CMUnitTest tests[] = {
        TEST(test_defaults),
        TEST(test_everything_set),
        TEST(test_choices),
        TEST(test_structure_errors),
        TEST(test_value_errors),
        TEST(test_upstream_errors),
        TEST(test_not_a_circle),
        TEST(test_includes),
        TEST(test_include_bounds),
        TEST(test_search),
        TEST(test_environment),
        TEST(test_no_proxy),
        TEST(test_nothing),
        TEST(test_print),
        TEST(test_print_hostile_name),
        TEST(test_clients),
        TEST(test_gateways),
        TEST(test_gateway_users_with_secrets),
        TEST(test_gateway_errors),
        TEST(test_headers),
        TEST(test_headers_out_of_reach),
        TEST(test_header_errors),
        TEST(test_pac),
        TEST(test_table),
        TEST(test_ways),
        TEST(test_sample),
    };
    return cmocka_run_group_tests(tests, group_set_up, group_tear_down);
}
