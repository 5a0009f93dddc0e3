/*
 * Digest (RFC 7616, RFC 2069): what we answer, character by character. The hashes here were computed by another implementation (Python's
 * hashlib). The ones of RFC 7616 section 3.9.1 and of RFC 2617 section 3.5 agree with their documents; RFC 2069's example is the corrected one of its
 * errata. The digits in RFC 7616 section 3.9.2 are not of SHA-512/256 (its user hash is SHA-512 cut short), so ours differ from them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "keys/digest.h"

#define NONCE  "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v"
#define CNONCE "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"
#define OPAQUE "FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"
#define REALM  "http-auth@example.org"
#define MUFASA "Digest realm=\"" REALM "\", nonce=\"" NONCE "\", opaque=\"" OPAQUE "\""
#define ANSWER                                                                                               \
    "Digest username=\"Mufasa\", realm=\"" REALM "\", nonce=\"" NONCE "\", uri=\"/dir/index.html\", "
#define JASON      "J\xc3\xa4s\xc3\xb8n Doe"
#define API_NONCE  "5TsQWLVdgBdmrQ0XsxbDODV+57QdFR34I9HAbC/RVvkK"
#define API_CNONCE "NTg6RKcb9boFIAS3KrFK9BGeh+niz/sm"
#define API        "Digest realm=\"api@example.org\", nonce=\"" API_NONCE "\", qop=\"auth\", charset=UTF-8"

/* One challenge line into a session. */
static bool take(struct digest *d, const char *line, bool *stale, const char **why)
{
    struct challenge_list list;
    challenge_list_read(&list, span_str(line));
    assert_int_equal(list.n, 1);
    bool answerable = digest_answerable(&list.items[0]);
    bool taken = digest_take_challenge(d, &list.items[0], stale, why);
    assert_int_equal(answerable, taken);
    challenge_list_free(&list); /* the session must not live on it */
    return taken;
}

static struct digest *session(const char *line, const char *cnonce)
{
    struct digest *d = digest_new();
    bool stale;
    const char *why = "";
    if (!take(d, line, &stale, &why))
        fail_msg("%s: %s", line, why);
    digest_fix_cnonce(d, cnonce);
    return d;
}

static struct digest_request get(const char *user, const char *password)
{
    return (struct digest_request){
        .user = span_str(user),
        .password = span_str(password),
        .method = SPAN("GET"),
        .uri = SPAN("/dir/index.html"),
        .body_known = true,
    };
}

/* The header, which the caller frees; NULL with another outcome. */
static char *answer(struct digest *d, const struct digest_request *r)
{
    struct secret header = {0};
    if (digest_authorize(d, r, &header) != DIGEST_HEADER) {
        assert_false(secret_present(&header));
        return NULL;
    }
    char *copy = span_dup(secret_reveal(&header));
    secret_free(&header);
    return copy;
}

static void expect(struct digest *d, const struct digest_request *r, const char *wanted)
{
    char *header = answer(d, r);
    assert_non_null(header);
    assert_string_equal(header, wanted);
    free(header);
}

/* Does the answer hold this piece? */
static void expect_piece(struct digest *d, const struct digest_request *r, const char *piece, bool there)
{
    char *header = answer(d, r);
    assert_non_null(header);
    if ((strstr(header, piece) != NULL) != there)
        fail_msg("\"%s\" is %s in %s", piece, there ? "not" : "wrongly", header);
    free(header);
}

static void test_whole_headers(void **state)
{
    (void)state;
    static const struct {
        const char *line, *user, *password, *cnonce, *wanted;
    } cases[] = {
        /* RFC 7616 section 3.9.1 */
        {MUFASA ", qop=\"auth, auth-int\", algorithm=MD5", "Mufasa", "Circle of Life", CNONCE,
         ANSWER "response=\"8ca523f5e9506fed4657c9700eebdbec\", algorithm=MD5, opaque=\"" OPAQUE
                "\", cnonce=\"" CNONCE "\", qop=auth, nc=00000001"},
        {MUFASA ", qop=\"auth, auth-int\", algorithm=SHA-256", "Mufasa", "Circle of Life", CNONCE,
         ANSWER "response=\"753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1\", "
                "algorithm=SHA-256, opaque=\"" OPAQUE "\", cnonce=\"" CNONCE "\", qop=auth, nc=00000001"},
        /* RFC 2617 section 3.5: no algorithm offered, none in the answer */
        {"Digest realm=\"testrealm@host.com\", qop=\"auth,auth-int\", "
         "nonce=\"dcd98b7102dd2f0e8b11d0f600bfb0c093\", opaque=\"5ccc069c403ebaf9f0171e9517f40e41\"",
         "Mufasa", "Circle Of Life", "0a4f113b",
         "Digest username=\"Mufasa\", realm=\"testrealm@host.com\", "
         "nonce=\"dcd98b7102dd2f0e8b11d0f600bfb0c093\", uri=\"/dir/index.html\", "
         "response=\"6629fae49393a05397450978507c4ef1\", opaque=\"5ccc069c403ebaf9f0171e9517f40e41\", "
         "cnonce=\"0a4f113b\", qop=auth, nc=00000001"},
        /* RFC 2069 section 2.4: neither qop nor nc nor cnonce */
        {"Digest realm=\"testrealm@host.com\", nonce=\"dcd98b7102dd2f0e8b11d0f600bfb0c093\", "
         "opaque=\"5ccc069c403ebaf9f0171e9517f40e41\"",
         "Mufasa", "CircleOfLife", "unused",
         "Digest username=\"Mufasa\", realm=\"testrealm@host.com\", "
         "nonce=\"dcd98b7102dd2f0e8b11d0f600bfb0c093\", uri=\"/dir/index.html\", "
         "response=\"1949323746fe6a43ef61f9606e7febea\", opaque=\"5ccc069c403ebaf9f0171e9517f40e41\""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct digest *d = session(cases[i].line, cases[i].cnonce);
        struct digest_request r = get(cases[i].user, cases[i].password);
        expect(d, &r, cases[i].wanted);
        digest_free(d);
    }
}

static void test_algorithms(void **state)
{
    (void)state;
    static const struct {
        const char *algorithm, *qop, *body, *response;
    } cases[] = {
        {"MD5", "auth", NULL, "8ca523f5e9506fed4657c9700eebdbec"},
        {"MD5", "auth-int", "", "8804a53d3640a40a4f73cea12c5ba451"},
        {"MD5", "auth-int", "hello", "1707eaf5c6ed1a8f6ff2e49286b06bc2"},
        {"MD5-sess", "auth", NULL, "e783283f46242139c486a698fec7211d"},
        {"MD5-sess", "auth-int", "hello", "6a1a4afa9798b44b19c2a93b62d15219"},
        {"SHA-256", "auth", NULL, "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"},
        {"SHA-256", "auth-int", "", "8bdf6f15638e260831e905028de5450562816d093c9bfc5c13d3a46adcdde940"},
        {"SHA-256", "auth-int", "hello", "887bb8d7a6c4cc95528278df0ec68f641244105a1d6a3aa8769488086b20e097"},
        {"SHA-256-sess", "auth", NULL, "2fd51b3a77ad75bad6afad6003e818d767133c46d9e2749e7f5232ae1ea3efd7"},
        {"SHA-256-sess", "auth-int", "hello",
         "84a87498d03b113c7971267b821f7ff9dec19d9a133971ebb6c8f5e22d763a57"},
        {"SHA-512-256", "auth", NULL, "430d05014cecc49cab6fbe03176d41a1da86cbfe24a16580e22aaad928d960d0"},
        {"SHA-512-256", "auth-int", "hello",
         "22967e9d752a22df88ed3b06b4100071cf40f061328f9415ca94ef1adad6e072"},
        {"SHA-512-256-sess", "auth", NULL,
         "3f2a34f923c38b0fb26dce2fdfc2ce326c23cecf86fbb1444f3e51fbbc2cb92e"},
        {"SHA-512-256-sess", "auth-int", "hello",
         "624a95ce6eb0c4d02a07dac0bb173ab759426c02a61f702aa580f06705bd6bfd"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char line[400], piece[100];
        snprintf(line, sizeof line, MUFASA ", qop=\"%s\", algorithm=%s", cases[i].qop, cases[i].algorithm);
        struct digest *d = session(line, CNONCE);
        struct digest_request r = get("Mufasa", "Circle of Life");
        r.body = span_str(cases[i].body);
        r.body_known = cases[i].body != NULL;
        char *header = answer(d, &r);
        assert_non_null(header);
        snprintf(piece, sizeof piece, "response=\"%s\"", cases[i].response);
        if (!strstr(header, piece))
            fail_msg("%s %s: %s", cases[i].algorithm, cases[i].qop, header);
        snprintf(piece, sizeof piece, "algorithm=%s,", cases[i].algorithm);
        assert_non_null(strstr(header, piece));
        snprintf(piece, sizeof piece, "qop=%s,", cases[i].qop);
        assert_non_null(strstr(header, piece));
        free(header);
        digest_free(d);
    }
}

static void test_unanswerable(void **state)
{
    (void)state;
    static const struct {
        const char *line, *word;
    } cases[] = {
        {"Basic realm=\"x\", nonce=\"n\"", "not a Digest"},
        {"Digest", "realm"},
        {"Digest nonce=\"n\"", "realm"},
        {"Digest realm=\"x\"", "nonce"},
        {"Digest abc=", "realm"},
        {"Digest realm=\"x\", nonce=\"n\", algorithm=SHA-1", "algorithm"},
        {"Digest realm=\"x\", nonce=\"n\", algorithm=SHA-512", "algorithm"},
        {"Digest realm=\"x\", nonce=\"n\", algorithm=MD5sess", "algorithm"},
        {"Digest realm=\"x\", nonce=\"n\", algorithm=\"\"", "algorithm"},
        {"Digest realm=\"x\", nonce=\"n\", qop=\"auth-conf\"", "quality"},
        {"Digest realm=\"x\", nonce=\"n\", qop=\"authint, token\"", "quality"},
        {"Digest realm=\"x\", nonce=\"n\", algorithm=MD5-sess", "session"},
        {"Digest realm=\"x\", nonce=\"n\", algorithm=SHA-256-sess, qop=\"\"", "session"},
    };
    struct digest *d = session(MUFASA ", qop=\"auth\"", CNONCE);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        bool stale = true;
        const char *why = "";
        if (take(d, cases[i].line, &stale, &why))
            fail_msg("%s was taken", cases[i].line);
        if (!strstr(why, cases[i].word))
            fail_msg("%s: \"%s\"", cases[i].line, why);
    }
    struct digest_request r = get("Mufasa", "Circle of Life");
    expect_piece(d, &r, "response=\"8ca523f5e9506fed4657c9700eebdbec\"", true); /* the session is as before */
    digest_free(d);
}

static void test_answerable(void **state)
{
    (void)state;
    static const char *const lines[] = {
        "digest REALM=x, NONCE=n, QOP=AUTH, ALGORITHM=md5",
        "Digest realm=\"\", nonce=\"\"",
        "Digest realm=\"x\", nonce=\"n\", algorithm=\"sha-512-256-SESS\", qop=\"Auth-Int\"",
        "Digest realm=\"x\", nonce=\"n\", qop=\"auth-conf,auth\", domain=\"/\", unknown=1",
        "Digest realm=\"x\", nonce=\"n\", qop=\" , \"",
    };
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        digest_free(session(lines[i], NULL));
}

static void test_stale(void **state)
{
    (void)state;
    static const struct {
        const char *value;
        bool stale;
    } cases[] = {
        {"stale=true", true},  {"stale=\"TRUE\"", true}, {"stale=false", false},
        {"stale=\"\"", false}, {"x=1", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct digest *d = digest_new();
        char line[400];
        snprintf(line, sizeof line, MUFASA ", qop=\"auth\", %s", cases[i].value);
        bool stale = !cases[i].stale;
        const char *why;
        assert_true(take(d, line, &stale, &why));
        assert_int_equal(stale, cases[i].stale);
        digest_free(d);
    }
}

static void test_counting(void **state)
{
    (void)state;
    struct digest *d = digest_new();
    struct digest_request r = get("Mufasa", "Circle of Life");
    struct secret none = {0};
    assert_false(digest_has_nonce(d));
    assert_int_equal(digest_authorize(d, &r, &none), DIGEST_NO_NONCE);
    bool stale;
    const char *why;
    assert_true(take(d, MUFASA ", qop=\"auth\"", &stale, &why));
    assert_true(digest_has_nonce(d));
    digest_fix_cnonce(d, CNONCE);
    expect_piece(d, &r, "nc=00000001", true);
    expect_piece(d, &r, "response=\"4b5d595ecf2db9df612ea5b45cd97101\"", true);
    expect_piece(d, &r, "nc=00000003", true);
    /* the same nonce once more: the proxy goes on counting, so do we */
    assert_true(take(d, MUFASA ", qop=\"auth\"", &stale, &why));
    expect_piece(d, &r, "nc=00000004", true);
    /* a new one begins at 1 */
    assert_true(take(d, API, &stale, &why));
    expect_piece(d, &r, "nc=00000001", true);
    for (unsigned i = 2; i <= 300; i++) {
        char nc[20];
        snprintf(nc, sizeof nc, "nc=%08x", i);
        expect_piece(d, &r, nc, true);
    }
    digest_free(d);
}

static void test_cnonce(void **state)
{
    (void)state;
    struct digest *d = session(MUFASA ", qop=\"auth\"", NULL);
    struct digest_request r = get("Mufasa", "Circle of Life");
    char *seen[20];
    for (size_t i = 0; i < 20; i++) {
        char *header = answer(d, &r), *at = strstr(header, "cnonce=\"");
        assert_non_null(at);
        seen[i] = span_dup(span_cut(&(struct span){at + 8, strlen(at + 8)}, '"'));
        assert_int_equal(strlen(seen[i]), 32);
        for (size_t k = 0; k < i; k++)
            assert_string_not_equal(seen[i], seen[k]);
        free(header);
    }
    for (size_t i = 0; i < 20; i++)
        free(seen[i]);
    digest_free(d);
}

static void test_body(void **state)
{
    (void)state;
    struct digest_request r = get("Mufasa", "Circle of Life");
    r.body_known = false;
    struct secret none = {0};
    struct digest *d = session(MUFASA ", qop=\"auth-int\"", CNONCE);
    assert_int_equal(digest_authorize(d, &r, &none), DIGEST_NEED_BODY);
    assert_false(secret_present(&none));
    r.body_known = true;
    expect_piece(d, &r, "nc=00000001", true); /* the question used up no count */
    digest_free(d);
    r.body_known = false;
    d = session(MUFASA ", qop=\"auth-int,auth\"", CNONCE);
    expect_piece(d, &r, "qop=auth,", true);
    digest_free(d);
}

static void test_users(void **state)
{
    (void)state;
    static const struct {
        const char *line, *user, *piece;
    } cases[] = {
        /* the user hash of RFC 7616 section 3.9.2, as SHA-512/256 */
        {API ", algorithm=SHA-512-256, userhash=true", JASON,
         "username=\"793263caabb707a56211940d90411ea4a575adeccb7e360aeb624ed06ece9b0b\", realm="},
        {API ", algorithm=SHA-512-256, userhash=true", JASON, "userhash=true"},
        {API ", algorithm=SHA-512-256, userhash=true", JASON,
         "response=\"7a4e1192babbba02e91182d2895bfdbf7adafc6e48d4e517ca301974843d840c\""},
        {API ", algorithm=SHA-256, userhash=false", JASON, "Digest username*=UTF-8''J%C3%A4s%C3%B8n%20Doe, "},
        {API ", algorithm=SHA-256", JASON,
         "response=\"06d0c14162099f487a92ebceaf71097534ee5f90d858386449c337ab69f7f6b8\""},
        {API, "a'b*c%d\"\xc3\xa9(~)", "username*=UTF-8''a%27b%2Ac%25d%22%C3%A9%28~%29, "},
        {API, "alice \\ \"x\"", "Digest username=\"alice \\\\ \\\"x\\\"\", "},
        {API, "CORP\\alice", "Digest username=\"CORP\\\\alice\", "},
        /* a proxy that names no charset may not know username* */
        {MUFASA ", qop=\"auth\"", JASON, "Digest username=\"" JASON "\", "},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct digest *d = session(cases[i].line, API_CNONCE);
        struct digest_request r = get(cases[i].user, "Secret, or not?");
        r.uri = SPAN("/doe.json");
        expect_piece(d, &r, cases[i].piece, true);
        if (!strstr(cases[i].line, "userhash=true"))
            expect_piece(d, &r, "userhash", false);
        digest_free(d);
    }
    static const struct span bad[] = {{"a\nb", 3}, {"a\0b", 3}, {"a\rb", 3}, {"\x7f", 1}};
    struct digest *d = session(API, API_CNONCE);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct digest_request r = get("", "x");
        struct secret none = {0};
        r.user = bad[i];
        assert_int_equal(digest_authorize(d, &r, &none), DIGEST_BAD_USER);
        assert_false(secret_present(&none));
    }
    digest_free(d);
}

static void test_quoting(void **state)
{
    (void)state;
    struct digest *d = session("Digest realm=\"r\\\"\\\\\\x\", nonce=\"n\\\"n\", opaque=\"\\\\o, \\\"\", "
                               "qop=auth, algorithm=\"md5\"",
                               "c");
    struct digest_request r = get("a\"b\\c", "p");
    r.method = SPAN("CONNECT");
    r.uri = SPAN("h.example:443");
    expect(d, &r,
           "Digest username=\"a\\\"b\\\\c\", realm=\"r\\\"\\\\x\", nonce=\"n\\\"n\", uri=\"h.example:443\", "
           "response=\"724b114dbccfa4e1066177d8302654ba\", algorithm=MD5, opaque=\"\\\\o, \\\"\", "
           "cnonce=\"c\", qop=auth, "
           "nc=00000001");
    digest_free(d);
}

static void test_appends(void **state)
{
    (void)state;
    struct digest *d = session(API, "c");
    struct digest_request r = get("alice", "p");
    struct secret header = {0};
    secret_set(&header, SPAN("before "));
    assert_int_equal(digest_authorize(d, &r, &header), DIGEST_HEADER);
    assert_true(span_starts(secret_reveal(&header), SPAN("before Digest username=\"alice\"")));
    secret_free(&header);
    digest_free(d);
}

static void test_nextnonce(void **state)
{
    (void)state;
    struct digest *d = session(MUFASA ", qop=\"auth\"", CNONCE);
    struct digest_request r = get("Mufasa", "Circle of Life");
    expect_piece(d, &r, "nc=00000001", true);
    assert_true(
        digest_take_info(d, SPAN("nextnonce=\"" NONCE "\""))); /* the one that we have: no new count */
    expect_piece(d, &r, "nc=00000002", true);
    assert_true(digest_take_info(d, SPAN("nextnonce=\"fresh\\\"\", qop=auth")));
    char *header = answer(d, &r);
    assert_non_null(strstr(header, "nonce=\"fresh\\\"\""));
    assert_non_null(strstr(header, "nc=00000001"));
    assert_non_null(strstr(header, "realm=\"" REALM "\""));
    assert_non_null(strstr(header, "opaque=\"" OPAQUE "\""));
    free(header);
    /* malformed: nothing is taken from it */
    assert_true(digest_take_info(d, SPAN("nextnonce=\"x\" y")));
    expect_piece(d, &r, "nonce=\"fresh\\\"\"", true);
    digest_free(d);
}

/* -sess: A1 stays that of the first nonce and client nonce, until the next challenge or another password (RFC 7616 section 3.4.2). */
static void test_session_key(void **state)
{
    (void)state;
    struct digest *d = session(MUFASA ", qop=\"auth\", algorithm=SHA-256-sess", CNONCE);
    struct digest_request r = get("Mufasa", "Circle of Life");
    expect_piece(d, &r, "response=\"2fd51b3a77ad75bad6afad6003e818d767133c46d9e2749e7f5232ae1ea3efd7\"",
                 true);
    assert_true(digest_take_info(d, SPAN("nextnonce=fresh")));
    digest_fix_cnonce(d, "another");
    char *header = answer(d, &r);
    assert_non_null(
        strstr(header, "response=\"1de5a63bfd21ea5d75fae7bf51cd267d7a9198cd4357b3e4d9db54a537cbe6ff\""));
    assert_non_null(strstr(header, "cnonce=\"" CNONCE "\""));
    free(header);
    bool stale;
    const char *why;
    assert_true(take(d, MUFASA ", qop=\"auth\", algorithm=SHA-256-sess", &stale, &why));
    expect_piece(d, &r, "cnonce=\"another\"", true);
    digest_free(d);

    d = session(MUFASA ", qop=\"auth\", algorithm=MD5-sess", CNONCE);
    expect_piece(d, &r, "response=\"e783283f46242139c486a698fec7211d\"", true);
    r.password = SPAN("other");
    expect_piece(d, &r, "response=\"0a0602b651c9724cf54a822b83ff01b8\"", true);
    digest_free(d);
}

#define PROOF "9b712497bc9f91499fbcca1dfc5f09a5" /* MD5, auth, nc 1 */
#define WRONG "9b712497bc9f91499fbcca1dfc5f09a6"

static void test_rspauth(void **state)
{
    (void)state;
    static const struct {
        const char *qop, *info;
        bool right;
    } cases[] = {
        {"auth", "qop=auth, rspauth=\"" PROOF "\", cnonce=\"" CNONCE "\", nc=00000001", true},
        {"auth", "qop=auth, rspauth=\"" WRONG "\", cnonce=\"" CNONCE "\", nc=00000001", false},
        {"auth", "rspauth=\"" PROOF "\"", true},
        {"auth", "rspauth=\"" WRONG "\"", false},
        {"auth", "rspauth=\"\"", false},
        {"auth", "rspauth=\"" WRONG "\", nextnonce=\"new\"", false},
        {"auth", "rspauth=\"a3c5a69b70601bad90997cc31d0e52bb\", nc=00000002", true},
        {"auth", "rspauth=\"a3c5a69b70601bad90997cc31d0e52bb\", nc=00000001", false},
        /* requests that we do not remember, and bodies that we did not hash: nothing can be said */
        {"auth", "rspauth=\"" WRONG "\", nc=00000009", true},
        {"auth", "rspauth=\"" WRONG "\", cnonce=\"other\"", true},
        {"auth", "rspauth=\"" WRONG "\", qop=auth-int", true},
        {"auth-int", "rspauth=\"" WRONG "\"", true},
        {"auth-int", "rspauth=\"" WRONG "\", qop=auth", false},
        {"auth-int", "rspauth=\"" PROOF "\", qop=auth", true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char line[400];
        snprintf(line, sizeof line, MUFASA ", qop=\"%s\"", cases[i].qop);
        struct digest *d = session(line, CNONCE);
        struct digest_request r = get("Mufasa", "Circle of Life");
        free(answer(d, &r));
        free(answer(d, &r));
        if (digest_take_info(d, span_str(cases[i].info)) != cases[i].right)
            fail_msg("%s is said to be %s", cases[i].info, cases[i].right ? "wrong" : "right");
        assert_int_equal(digest_has_nonce(d), cases[i].right); /* a wrong proof drops the nonce */
        digest_free(d);
    }
    struct digest *d =
        session("Digest realm=\"testrealm@host.com\", nonce=\"dcd98b7102dd2f0e8b11d0f600bfb0c093\"", NULL);
    struct digest_request r = get("Mufasa", "CircleOfLife");
    free(answer(d, &r));
    assert_true(digest_take_info(d, SPAN("rspauth=\"123cde1ca5cf91bf86e872d42002bea9\"")));
    assert_false(digest_take_info(d, SPAN("rspauth=\"" WRONG "\"")));
    digest_free(d);
}

/* More requests under way than proofs are kept for: the oldest can no longer be checked, the newest can. */
static void test_many_under_way(void **state)
{
    (void)state;
    struct digest *d = session(MUFASA ", qop=\"auth\"", CNONCE);
    struct digest_request r = get("Mufasa", "Circle of Life");
    for (size_t i = 0; i < 1000; i++)
        free(answer(d, &r));
    assert_true(digest_take_info(d, SPAN("rspauth=\"" WRONG "\", nc=00000001")));
    assert_false(digest_take_info(d, SPAN("rspauth=\"" WRONG "\", nc=000003e8")));
    assert_false(digest_has_nonce(d));
    digest_free(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole_headers),  cmocka_unit_test(test_algorithms),
        cmocka_unit_test(test_unanswerable),   cmocka_unit_test(test_answerable),
        cmocka_unit_test(test_stale),          cmocka_unit_test(test_counting),
        cmocka_unit_test(test_cnonce),         cmocka_unit_test(test_body),
        cmocka_unit_test(test_users),          cmocka_unit_test(test_quoting),
        cmocka_unit_test(test_appends),        cmocka_unit_test(test_nextnonce),
        cmocka_unit_test(test_session_key),    cmocka_unit_test(test_rspauth),
        cmocka_unit_test(test_many_under_way),
    };
    return cmocka_run_group_tests_name("digest", tests, NULL, NULL);
}
