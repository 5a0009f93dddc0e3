/*
 * What clients of a gateway send, and what its users' file may hold: tokens, Digest and Basic credentials, lines. Whatever it is, nobody is let in without the
 * password, each refusal says why, and no span points outside of the bytes it was read from.
 */
#include <stdlib.h>

#include "keys/accept_basic.h"
#include "keys/accept_check.h"
#include "keys/accept_digest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool inside(struct span part, struct span whole)
{
    return part.n == 0 || (part.p >= whole.p && part.p + part.n <= whole.p + whole.n);
}

static void token(struct span bytes)
{
    struct accept_token t;
    struct accept_claim claim;
    const char *why = NULL;
    if (!accept_check(bytes, bytes.n % 2, &t, &why)) {
        if (!why)
            abort();
        return;
    }
    if (!inside(t.ntlm, bytes))
        abort();
    if (t.last) {
        accept_claim_read(t.ntlm, &claim);
        if (!inside(claim.user, bytes) || !inside(claim.domain, bytes))
            abort();
    }
}

static bool may_try(void *owner, struct span user)
{
    (void)owner, (void)user;
    return true;
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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    struct span bytes = span_make((const char *)data + 1, size - 1);
    if (data[0] % 3 == 0) {
        token(bytes);
    } else if (data[0] % 3 == 1) {
        credentials(bytes);
    } else {
        struct users *u = users_parse(bytes, "users");
        struct span name;
        users_find(u, USERS_PASSWORD, bytes, bytes);
        users_find_nt(u, SPAN("CORP"), SPAN("alice"), "CORP", &name);
        users_unref(u);
    }
    return 0;
}
