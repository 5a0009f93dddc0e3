/*
 * What clients of a gateway send, and what its users' file may hold: tokens, Digest and Basic credentials, lines. Whatever it is, nobody is let in without the
 * password, each refusal says why, no span points outside of the bytes it was read from, and what is mended for the library is still what it was.
 */
#include <stdlib.h>

#include "keys/accept_basic.h"
#include "keys/accept_check.h"
#include "keys/accept_evidence.h"
#include "keys/accept_digest.h"
#include "keys/accept_mend.h"
#include "keys/accept_mic.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool inside(struct span part, struct span whole)
{
    return part.n == 0 || (part.p >= whole.p && part.p + part.n <= whole.p + whole.n);
}

/* As the library gets it: it passes the same check, and says the same. */
static void mended(struct span bytes, bool oem, struct accept_token before)
{
    struct buf copy = {0};
    struct accept_token after = before, again;
    const char *why = NULL;
    buf_add_span(&copy, bytes);
    bool longer = accept_mend(&copy, &after);
    if (longer != (copy.n > bytes.n) || (longer && (before.last || before.form != TOKEN_NTLM)))
        abort();
    if (before.form == TOKEN_NTLM && !inside(after.ntlm, buf_span(&copy)))
        abort();
    if (!accept_check(buf_span(&copy), oem, &again, &why) || again.form != before.form ||
        again.last != before.last || again.oem != before.oem)
        abort();
    buf_free(&copy);
}

static void token(struct span bytes)
{
    struct accept_token t;
    struct accept_claim claim;
    const char *why = NULL;
    bool oem = bytes.n % 2;
    if (!accept_check(bytes, oem, &t, &why)) {
        if (!why)
            abort();
        return;
    }
    if (!inside(t.ntlm, bytes) || !inside(accept_evidence(bytes), bytes))
        abort();
    if (t.last) {
        accept_claim_read(t.ntlm, &claim);
        if (!inside(claim.user, bytes) || !inside(claim.domain, bytes))
            abort();
    }
    mended(bytes, oem, t);
}

/* The code in a last message of alice's, whose hash and challenge it may well know: a length and the first message, then the last. A code becomes another one, or
   nothing changes. */
static void integrity(struct span bytes)
{
    enum { AT_CODE = 72, AFTER_CODE = 88 };
    static const char zeroes[64];
    struct accept_token t;
    const char *why = NULL;
    struct buf first = {0}, last = {0};
    size_t n = (unsigned char)bytes.p[0] % sizeof zeroes;
    struct span asked = span_head(span_from(bytes, 1), n);
    buf_add_span(&first, asked);
    buf_add(&first, zeroes, sizeof zeroes - asked.n);
    buf_add_span(&last, span_from(bytes, 1 + asked.n));
    struct span before = span_from(bytes, 1 + asked.n);
    if (accept_check(buf_span(&last), false, &t, &why) && t.form == TOKEN_NTLM && t.last) {
        bool told = bytes.p[0] & 0x40;
        const struct accept_mic m = {.asked = asked,
                                     .mended = buf_span(&first),
                                     .challenge = SPAN("NTLMSSP\0\2\0\0\0\0\0\0\0\x28\0\0\0\1\2\0\0"
                                                       "01234567"),
                                     .hash = told ? SPAN("") : SPAN("8846f7eaee8fb117ad06bdd830b7586c"),
                                     .key = told ? (const unsigned char *)"the domain's key" : NULL,
                                     .oem = t.oem};
        accept_mic_move(last.p, last.n, &m);
        for (size_t i = 0; i < last.n; i++)
            if (last.p[i] != before.p[i] && (i < AT_CODE || i >= AFTER_CODE))
                abort();
    }
    buf_free(&first);
    buf_free(&last);
}

static bool may_try(void *owner, struct span user)
{
    (void)owner;
    return user.n % 4 != 3;
}

static void credentials(struct span bytes)
{
    static const char file[] =
        "alice:$apr1$FSCYONUX$mlTHKZWVeHTjAX9N6JyLG1\nalice:exeat:939e7578ed9e3c518a452acee763bce9\n";
    struct users *u = users_parse(span_make(file, sizeof file - 1), "users");
    static const enum digest_hash hashes[] = {HASH_SHA256, HASH_MD5};
    struct digest_gate *g = digest_gate_new("exeat", hashes, 2);
    const struct digest_asked asked = {bytes, span_str("GET"), span_str("http://site.example/"),
                                       0,     may_try,         NULL};
    struct digest_result result;
    struct accept_basic b;
    const char *why = NULL;
    enum digest_judgement judgement = digest_gate_check(g, u, &asked, &result);
    if (judgement == DIGEST_RIGHT || (judgement == DIGEST_BROKEN && !result.why))
        abort();
    free(result.user);
    buf_free(&result.info);
    if (accept_basic_read(&b, bytes, &why) ? !inside(b.password, secret_reveal(&b.text)) : !why)
        abort();
    accept_basic_free(&b);
    digest_gate_free(g);
    users_unref(u);
}

static void lines(struct span bytes)
{
    struct users *u = users_parse(bytes, "users");
    struct span name;
    users_find(u, USERS_PASSWORD, bytes, bytes);
    users_find_nt(u, SPAN("CORP"), SPAN("alice"), "CORP", &name);
    users_unref(u);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    struct span bytes = span_make((const char *)data + 1, size - 1);
    switch (data[0] % 4) {
    case 0:
        token(bytes);
        break;
    case 1:
        credentials(bytes);
        break;
    case 2:
        lines(bytes);
        break;
    case 3:
        if (bytes.n)
            integrity(bytes);
        break;
    }
    return 0;
}
