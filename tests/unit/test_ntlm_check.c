/*
 * What we refuse of NTLM and SPNEGO bytes before a library sees them: a good challenge, and one thing changed in each case. Messages are copied to
 * memory of exactly their size, so that the sanitizer sees each byte read behind them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>

#include "base/buf.h"
#include "keys/ntlm_check.h"
#include "keys/ntlm_target.h"

#define UNICODE     0x00000001u
#define OEM         0x00000002u
#define IS_DOMAIN   0x00010000u
#define IS_SERVER   0x00020000u
#define TARGET_INFO 0x00800000u
#define VERSION     0x02000000u
#define USUAL       (0xa0080204u | UNICODE | IS_DOMAIN | TARGET_INFO | VERSION)

#define NAME SPAN("E\0X\0A\0M\0P\0L\0E\0")
#define EOL  "\0\0\0\0"
#define INFO                                                                                                 \
    "\x02\0\x0e\0E\0X\0A\0M\0P\0L\0E\0"                                                                      \
    "\x01\0\x02\0P\0"                                                                                        \
    "\x07\0\x08\0"                                                                                           \
    "12345678" EOL

static void put16(struct buf *b, size_t at, unsigned value)
{
    b->p[at] = (char)value;
    b->p[at + 1] = (char)(value >> 8);
}

static void put32(struct buf *b, size_t at, uint32_t value)
{
    put16(b, at, value & 0xffff);
    put16(b, at + 2, value >> 16);
}

/* MS-NLMP section 2.2.1.2 */
static struct buf challenge(uint32_t flags, struct span name, struct span info)
{
    struct buf b = {0};
    size_t fixed = flags & VERSION ? 56 : 48;
    char zero[56] = {0};
    buf_add(&b, zero, fixed);
    memcpy(b.p, "NTLMSSP\0\2", 9);
    put16(&b, 12, (unsigned)name.n);
    put16(&b, 14, (unsigned)name.n);
    put32(&b, 16, (uint32_t)fixed);
    put32(&b, 20, flags);
    memcpy(b.p + 24, "chalenge", 8);
    put16(&b, 40, (unsigned)info.n);
    put16(&b, 42, (unsigned)info.n);
    put32(&b, 44, (uint32_t)(fixed + name.n));
    buf_add_span(&b, name);
    buf_add_span(&b, info);
    return b;
}

/* wanted NULL: good; else words of the reason. */
static void check(bool (*looks)(struct span, const char **), struct span bytes, const char *wanted,
                  const char *what)
{
    char *copy = mem_alloc(bytes.n);
    if (bytes.n)
        memcpy(copy, bytes.p, bytes.n);
    const char *why = "";
    bool good = looks(span_make(copy, bytes.n), &why);
    struct ntlm_target target;
    if (good && looks == ntlm_check_challenge) {
        ntlm_target_read(&target, span_make(copy, bytes.n)); /* what is let through can be read */
        ntlm_target_free(&target);
    }
    free(copy);
    if (!good && !*why)
        fail_msg("%s: refused without a reason", what);
    if (good != !wanted || (wanted && !strstr(why, wanted)))
        fail_msg("%s: %s, not \"%s\"", what, good ? "good" : why, wanted ? wanted : "good");
}

static void check_challenge(struct buf b, const char *wanted, const char *what)
{
    check(ntlm_check_challenge, buf_span(&b), wanted, what);
    check(spnego_check_response, buf_span(&b), wanted, what); /* raw NTLM under the name Negotiate */
    buf_free(&b);
}

static void test_target_name(void **state)
{
    (void)state;
    static const struct {
        uint32_t flags;
        struct span name;
        const char *wanted, *what;
    } cases[] = {
        {USUAL, {"E\0X\0", 4}, NULL, "domain"},
        {USUAL ^ IS_DOMAIN ^ IS_SERVER, {"E\0X\0", 4}, NULL, "server"},
        {USUAL & ~VERSION, {"E\0X\0", 4}, NULL, "without a version"},
        {USUAL & ~IS_DOMAIN, {"", 0}, NULL, "no name promised, none there"},
        {USUAL & ~IS_DOMAIN, {"E", 1}, NULL, "no name promised: not looked at"},
        {(USUAL & ~UNICODE) | OEM, {"EXA", 3}, NULL, "OEM"},
        {(USUAL & ~UNICODE) | OEM, {"", 0}, NULL, "OEM and empty"},
        {USUAL, {"", 0}, "empty", "domain and empty"},
        {USUAL ^ IS_DOMAIN ^ IS_SERVER, {"", 0}, "empty", "server and empty"},
        {USUAL | IS_SERVER, {"", 0}, "empty", "both and empty"},
        {USUAL | OEM, {"", 0}, "empty", "Unicode and OEM and empty"},
        {IS_DOMAIN | UNICODE, {"", 0}, "empty", "nothing else and empty"},
        {USUAL, {"E\0X", 3}, "UTF-16", "odd"},
        {USUAL, {"E", 1}, "UTF-16", "half a character"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        check_challenge(challenge(cases[i].flags, cases[i].name, SPAN(INFO)), cases[i].wanted, cases[i].what);
}

static void test_buffers(void **state)
{
    (void)state;
    enum { NAME_LENGTH = 12, NAME_AT = 16, INFO_LENGTH = 40, INFO_AT = 44 };
    static const struct {
        size_t at; /* which field of the good challenge (56 + 14 + 40 bytes) */
        uint32_t value;
        const char *wanted;
    } cases[] = {
        {NAME_LENGTH, 54, NULL},
        {NAME_LENGTH, 56, "target name"},
        {NAME_LENGTH, 0xfffe, "target name"},
        {NAME_AT, 0, "target name"},
        {NAME_AT, 54, "target name"},
        {NAME_AT, 60, NULL},
        {NAME_AT, 96, NULL},
        {NAME_AT, 97, "target name"},
        {NAME_AT, 110, "target name"},
        {NAME_AT, 111, "target name"},
        {NAME_AT, 0xfffffff2, "target name"},
        {NAME_AT, 0xffffffff, "target name"},
        {NAME_AT, 0x7fffffff, "target name"},
        {INFO_LENGTH, 41, "target info"},
        {INFO_LENGTH, 0xffff, "target info"},
        {INFO_LENGTH, 0, NULL},
        {INFO_LENGTH, 39, "without an end"},
        {INFO_LENGTH, 36, "without an end"},
        {INFO_LENGTH, 35, "longer"},
        {INFO_LENGTH, 3, "without an end"},
        {INFO_AT, 0, "target info"},
        {INFO_AT, 55, "target info"},
        {INFO_AT, 71, "target info"},
        {INFO_AT, 0xffffffff, "target info"},
        {INFO_AT, 0xffffffd8, "target info"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct buf b = challenge(USUAL, NAME, SPAN(INFO));
        assert_int_equal(b.n, 56 + 14 + 40);
        put16(&b, cases[i].at, cases[i].value & 0xffff);
        if (cases[i].at == NAME_AT || cases[i].at == INFO_AT)
            put32(&b, cases[i].at, cases[i].value);
        check_challenge(b, cases[i].wanted, "buffer");
    }
}

static void test_target_info(void **state)
{
    (void)state;
    static const struct {
        struct span info;
        const char *wanted, *what;
    } cases[] = {
        {SPAN(EOL), NULL, "only an end"},
        {SPAN(EOL "trailing"), NULL, "bytes behind the end"},
        {SPAN(EOL "\0\0\xff\xff"), NULL, "a bad entry behind the end"},
        {SPAN("\x03\0\x02\0a\0\x04\0\x02\0b\0\x05\0\0\0" EOL), NULL, "DNS names, one empty"},
        {SPAN("\x06\0\x04\0\2\0\0\0\x09\0\x02\0a\0" EOL), NULL, "flags and target name"},
        {SPAN("\x0a\0\x10\0sixteen bytes in" EOL), NULL, "channel bindings"},
        {SPAN("\x08\0\x03\0xyz" EOL), NULL, "single host"},
        {SPAN("\x0b\0\x03\0xyz\xff\xff\x01\0z\x0b\0\0\0" EOL), NULL, "unknown entries, also twice"},
        {SPAN("\x01\0"), "without an end", "half a head"},
        {SPAN("\x01\0\x02\0a\0"), "without an end", "no end"},
        {SPAN("\x01\0\x04\0a\0"), "longer", "longer than there is"},
        {SPAN("\x01\0\xff\xff"
              "a\0" EOL),
         "longer", "much longer than there is"},
        {SPAN("\x0b\0\x08\0a\0" EOL), "longer", "unknown and longer than there is"},
        {SPAN("\0\0\x01\0x"), "wrong length", "an end with content"},
        {SPAN("\x01\0\x01\0a" EOL), "wrong length", "half a character"},
        {SPAN("\x09\0\x03\0a\0b" EOL), "wrong length", "one and a half characters"},
        {SPAN("\x0b\0\x03\0xyz\x01\0\x01\0a" EOL), "wrong length",
         "half a character behind an unknown entry"},
        {SPAN("\x06\0\x03\0\2\0\0" EOL), "wrong length", "short flags"},
        {SPAN("\x06\0\x05\0\2\0\0\0\0" EOL), "wrong length", "long flags"},
        {SPAN("\x07\0\x04\0tick" EOL), "wrong length", "short timestamp"},
        {SPAN("\x07\0\0\0" EOL), "wrong length", "empty timestamp"},
        {SPAN("\x0a\0\x0f\0fifteen bytes.." EOL), "wrong length", "short bindings"},
        {SPAN("\x01\0\x02\0a\0\x02\0\x02\0a\0\x01\0\x02\0a\0" EOL), "twice", "a name twice"},
        {SPAN("\x07\0\x08\0"
              "12345678\x07\0\x08\0"
              "12345678" EOL),
         "twice", "a timestamp twice"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        check_challenge(challenge(USUAL, NAME, cases[i].info), cases[i].wanted, cases[i].what);
    /* without the flag the library does not look either */
    check_challenge(challenge(USUAL & ~TARGET_INFO, NAME, SPAN("\x01\0\xff\xff")), NULL, "not promised");
    check_challenge(challenge(USUAL, NAME, SPAN("")), NULL, "promised and empty");
}

static void test_lengths(void **state)
{
    (void)state;
    struct buf whole = challenge(USUAL, NAME, SPAN(INFO));
    for (size_t n = 0; n < whole.n; n++)
        check(ntlm_check_challenge, span_head(buf_span(&whole), n), "", "cut short");
    check(ntlm_check_challenge, buf_span(&whole), NULL, "whole");

    static const struct {
        uint32_t flags;
        size_t n;
        const char *wanted;
    } cases[] = {
        {UNICODE, 31, "short"},
        {UNICODE, 32, NULL},
        {UNICODE, 33, "short"},
        {UNICODE, 40, "short"},
        {UNICODE, 47, "short"},
        {UNICODE, 48, NULL},
        {UNICODE | VERSION, 32, NULL},
        {UNICODE | VERSION, 48, "short"},
        {UNICODE | VERSION, 55, "short"},
        {UNICODE | VERSION, 56, NULL},
        {UNICODE | TARGET_INFO, 32, "too short"},
        {OEM | IS_DOMAIN, 32, NULL},
        {UNICODE | IS_DOMAIN, 32, "empty"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct buf b = challenge(cases[i].flags | VERSION, SPAN(""), SPAN(""));
        put32(&b, 20, cases[i].flags);
        b.n = cases[i].n;
        check_challenge(b, cases[i].wanted, "length");
    }
    /* the oldest form has no room for a name either */
    put32(&whole, 20, UNICODE | IS_DOMAIN);
    put32(&whole, 16, 24);
    put16(&whole, 12, 2);
    check(ntlm_check_challenge, span_head(buf_span(&whole), 32), "target name", "name inside the head");
    buf_free(&whole);
}

static void test_header(void **state)
{
    (void)state;
    static const struct {
        size_t at;
        char byte;
        const char *raw, *negotiate;
    } cases[] = {
        {0, 'n', "not an NTLM", "neither"},
        {6, 'Q', "not an NTLM", "neither"},
        {7, ' ', "not an NTLM", "neither"},
        {8, 1, "type", "type"},
        {8, 3, "type", "type"},
        {8, 0, "type", "type"},
        {9, 1, "type", "type"},
        {11, (char)0x80, "type", "type"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct buf b = challenge(USUAL, NAME, SPAN(INFO));
        b.p[cases[i].at] = cases[i].byte;
        check(ntlm_check_challenge, buf_span(&b), cases[i].raw, "raw");
        check(spnego_check_response, buf_span(&b), cases[i].negotiate, "negotiate");
        buf_free(&b);
    }
    assert_true(ntlm_is_message(SPAN("NTLMSSP\0")));
    assert_false(ntlm_is_message(SPAN("NTLMSSP")));
    assert_false(ntlm_is_message(SPAN("")));
}

/* --- SPNEGO --- */

#define STATE(n)     "\xa0\x03\x0a\x01" n
#define MECH_NTLM    "\xa1\x0c\x06\x0a\x2b\x06\x01\x04\x01\x82\x37\x02\x02\x0a"
#define MECH_KRB5    "\xa1\x0b\x06\x09\x2a\x86\x48\x86\xf7\x12\x01\x02\x02"
#define MECH_MSKRB5  "\xa1\x0b\x06\x09\x2a\x86\x48\x82\xf7\x12\x01\x02\x02"
#define MECH_OLDKRB5 "\xa1\x07\x06\x05\x2b\x05\x01\x05\x02"
#define MECH_NEGOEX  "\xa1\x0c\x06\x0a\x2b\x06\x01\x04\x01\x82\x37\x02\x02\x1e"

static void add_element(struct buf *b, unsigned char tag, struct span content)
{
    unsigned char head[] = {tag, 0x82, (unsigned char)(content.n >> 8), (unsigned char)content.n};
    buf_add(b, head, sizeof head);
    buf_add_span(b, content);
}

static struct buf response(struct span fields)
{
    struct buf inner = {0}, b = {0};
    add_element(&inner, 0x30, fields);
    add_element(&b, 0xa1, buf_span(&inner));
    buf_free(&inner);
    return b;
}

/* [tag] OCTET STRING */
static void add_octets(struct buf *b, unsigned char tag, struct span content)
{
    struct buf inner = {0};
    add_element(&inner, 0x04, content);
    add_element(b, tag, buf_span(&inner));
    buf_free(&inner);
}

static void check_fields(struct span fields, const char *wanted, const char *what)
{
    struct buf b = response(fields);
    check(spnego_check_response, buf_span(&b), wanted, what);
    buf_free(&b);
}

static void test_spnego_fields(void **state)
{
    (void)state;
    static const struct {
        struct span fields;
        const char *wanted, *what;
    } cases[] = {
        {SPAN(STATE("\0")), NULL, "accept-completed"},
        {SPAN(STATE("\3")), NULL, "request-mic"},
        {SPAN(""), NULL, "all absent"},
        {SPAN(STATE("\1") MECH_NTLM), NULL, "NTLM"},
        {SPAN(STATE("\1") MECH_KRB5), NULL, "Kerberos"},
        {SPAN(STATE("\0") MECH_MSKRB5), NULL, "Kerberos of Windows 2000"},
        {SPAN(STATE("\0") MECH_OLDKRB5), NULL, "Kerberos of the drafts"},
        {SPAN(MECH_KRB5 "\xa2\x05\x04\x03tok\xa3\x05\x04\x03mic"), NULL, "token and MIC"},
        {SPAN("\xa2\x02\x04\x00"), NULL, "empty token"},
        {SPAN("\xa3\x02\x04\x00"), NULL, "empty MIC"},
        {SPAN("\xa2\x84\0\0\0\x05\x04\x83\0\0\x00"), NULL, "lengths longer than needed"},
        {SPAN(STATE("\4")), "state", "state 4"},
        {SPAN(STATE("\xff")), "state", "state -1"},
        {SPAN("\xa0\x02\x0a\x00"), "state", "empty state"},
        {SPAN("\xa0\x04\x0a\x02\x00\x00"), "state", "two bytes of state"},
        {SPAN(STATE("\1") MECH_NEGOEX), "mechanism", "NegoEx"},
        {SPAN("\xa1\x02\x06\x00"), "mechanism", "no mechanism"},
        {SPAN("\xa1\x0a\x06\x08\x2a\x86\x48\x86\xf7\x12\x01\x02"), "mechanism", "part of Kerberos"},
        {SPAN("\xa1\x08\x06\x06\x2b\x06\x01\x05\x05\x02"), "mechanism", "SPNEGO in SPNEGO"},
        {SPAN(STATE("\0") STATE("\0")), "belong", "state twice"},
        {SPAN("\xa2\x02\x04\x00\xa2\x02\x04\x00"), "belong", "token twice"},
        {SPAN(MECH_NTLM STATE("\0")), "belong", "out of order"},
        {SPAN("\xa4\x02\x04\x00"), "belong", "a fifth field"},
        {SPAN("\x04\x00"), "belong", "a bare string"},
        {SPAN("\xa2\x02\x0a\x00"), "fit", "an enumeration as token"},
        {SPAN("\xa2\x03\x04\x00\x00"), "fit", "a byte behind the token"},
        {SPAN("\xa2\x02\x04\x01"), "fit", "token longer than its field"},
        {SPAN("\xa2\x03\x04\x01"), "fit", "field longer than the answer"},
        {SPAN("\xa2\x01\x04"), "fit", "half an element"},
        {SPAN("\xa2"), "fit", "a tag alone"},
        {SPAN("\xa2\x80\x04\x00\x00\x00"), "fit", "indefinite length"},
        {SPAN("\xa2\x04\x04\x80\x00\x00"), "fit", "indefinite length inside"},
        {SPAN("\xa2\x02\x04\x80"), "fit", "indefinite length and nothing behind it"},
        {SPAN("\xa2\x85\0\0\0\0\x02\x04\x00"), "fit", "five bytes of length"},
        {SPAN("\xa2\x84\xff\xff\xff\xff\x04\x00"), "fit", "four gigabytes"},
        {SPAN("\xa2\x84\0\0"), "fit", "length cut short"},
        {SPAN("\xa2\xff"), "fit", "length of 127 bytes"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        check_fields(cases[i].fields, cases[i].wanted, cases[i].what);
}

static void test_spnego_frame(void **state)
{
    (void)state;
    static const struct {
        struct span token;
        const char *wanted, *what;
    } cases[] = {
        {SPAN(""), "empty", "empty"},
        {SPAN("\xa1"), "neither", "a tag"},
        {SPAN("\xa1\x00"), "neither", "nothing inside"},
        {SPAN("\xa1\x02\x30\x00"), NULL, "nothing said"},
        {SPAN("\xa1\x03\x30\x00\x00"), "neither", "a byte behind the sequence"},
        {SPAN("\xa1\x02\x30\x00\x00"), "neither", "a byte behind the answer"},
        {SPAN("\xa1\x02\x31\x00"), "neither", "a set"},
        {SPAN("\xa0\x02\x30\x00"), "neither", "NegTokenInit"},
        {SPAN("garbage"), "neither", "garbage"},
        {SPAN("\x60\x0c\x06\x06\x2b\x06\x01\x05\x05\x02\xa1\x02\x30\x00"), NULL, "framed"},
        {SPAN("\x60\x0d\x06\x06\x2b\x06\x01\x05\x05\x02\xa1\x03\x30\x00\x00"), "neither",
         "framed and too long"},
        {SPAN("\x60\x08\x06\x06\x2b\x06\x01\x05\x05\x02"), "neither", "framed and empty"},
        {SPAN("\x60\x0d\x06\x06\x2b\x06\x01\x05\x05\x02\xa1\x02\x30\x00"), "frame",
         "frame longer than the token"},
        {SPAN("\x60\x0b\x06\x06\x2b\x06\x01\x05\x05\x02\xa1\x02\x30\x00"), "frame",
         "frame shorter than the token"},
        {SPAN("\x60\x02\x04\x00"), "frame", "frame without a mechanism"},
        {SPAN("\x60\x00"), "frame", "empty frame"},
        {SPAN("\x60"), "frame", "a frame's tag"},
        {SPAN("\x60\x0d\x06\x09\x2a\x86\x48\x86\xf7\x12\x01\x02\x02\x02\x00"), NULL, "a bare Kerberos token"},
        {SPAN("\x60\x0c\x06\x0a\x2b\x06\x01\x04\x01\x82\x37\x02\x02\x1e"), "mechanism",
         "a bare NegoEx token"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        check(spnego_check_response, cases[i].token, cases[i].wanted, cases[i].what);
}

/* The same challenges, wrapped: what is refused raw is refused there too, in the token and behind a frame. */
static void test_spnego_ntlm(void **state)
{
    (void)state;
    static const struct {
        uint32_t flags;
        struct span name, info;
        const char *wanted;
    } cases[] = {
        {USUAL, {"E\0", 2}, {EOL, 4}, NULL},
        {USUAL, {"", 0}, {EOL, 4}, "empty"},
        {USUAL, {"E\0", 2}, {"\x01\0\0\0\x01\0\0\0" EOL, 12}, "twice"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct buf message = challenge(cases[i].flags, cases[i].name, cases[i].info);
        struct buf fields = {0}, framed = {0};
        buf_add_span(&fields, SPAN(STATE("\1") MECH_NTLM));
        add_octets(&fields, 0xa2, buf_span(&message));
        add_octets(&fields, 0xa3, SPAN("\1\0\0\0"));
        check_fields(buf_span(&fields), cases[i].wanted, "wrapped");
        struct buf answer = response(buf_span(&fields));
        buf_add_span(&framed, SPAN("\x06\x06\x2b\x06\x01\x05\x05\x02"));
        buf_add_span(&framed, buf_span(&answer));
        buf_clear(&fields);
        add_element(&fields, 0x60, buf_span(&framed));
        check(spnego_check_response, buf_span(&fields), cases[i].wanted, "wrapped and framed");
        for (size_t n = 0; n < answer.n; n++)
            check(spnego_check_response, span_head(buf_span(&answer), n), "", "wrapped and cut short");
        buf_free(&message);
        buf_free(&fields);
        buf_free(&framed);
        buf_free(&answer);
    }
}

/* What people are shown of it. */
static void test_target(void **state)
{
    (void)state;
    static const struct {
        struct span info;
        const char *domain, *server;
        int64_t time; /* -1: none */
    } cases[] = {
        {SPAN(INFO), "EXAMPLE", "P", 393432125597},
        {SPAN("\x02\0\x02\0N\0\x04\0\x04\0d\0e\0" EOL), "de", "", -1},
        {SPAN("\x04\0\x04\0d\0e\0\x02\0\x02\0N\0" EOL), "de", "", -1},
        {SPAN("\x03\0\x04\0p\0q\0\x01\0\x02\0N\0" EOL), "EX", "pq", -1},
        {SPAN(EOL "\x04\0\x02\0z\0"), "EX", "", -1},
        {SPAN("\x04\0\x0e\0\x0a\0\x1b\0\x9b\0\xe4\0\xac\x20\x3d\xd8\x00\xde" EOL),
         "???\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", "", -1},
        {SPAN("\x04\0\x04\0\x3d\xd8\x41\0" EOL), "?A", "", -1},
        {SPAN("\x07\0\x08\0\x80\x5f\x19\x33\xb9\xdf\xda\x01" EOL), "EX", "", 1722038948},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct buf b = challenge(USUAL, SPAN("E\0X\0"), cases[i].info);
        const char *why;
        struct ntlm_target t;
        assert_true(ntlm_check_challenge(buf_span(&b), &why));
        ntlm_target_read(&t, buf_span(&b));
        assert_string_equal(buf_cstr(&t.domain), cases[i].domain);
        assert_string_equal(buf_cstr(&t.server), cases[i].server);
        assert_int_equal(t.timed, cases[i].time != -1);
        assert_true(!t.timed || t.time == cases[i].time);
        ntlm_target_free(&t);
        buf_free(&b);
    }
}

static void test_question(void **state)
{
    (void)state;
    struct span q = ntlm_target_question();
    assert_int_equal(q.n, 32);
    assert_true(ntlm_is_message(q));
    assert_int_equal(q.p[8], 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_target_name),  cmocka_unit_test(test_target),
        cmocka_unit_test(test_question),     cmocka_unit_test(test_buffers),
        cmocka_unit_test(test_target_info),  cmocka_unit_test(test_lengths),
        cmocka_unit_test(test_header),       cmocka_unit_test(test_spnego_fields),
        cmocka_unit_test(test_spnego_frame), cmocka_unit_test(test_spnego_ntlm),
    };
    return cmocka_run_group_tests_name("ntlm_check", tests, NULL, NULL);
}
