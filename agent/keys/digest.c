/*
 * Digest access authentication, client side (RFC 7616; the form of RFC 2069 where a challenge names no qop).
 *
 * One session per (upstream, account), owned by the identity, which serialises the calls. It keeps what the
 * last challenge said and counts the requests of its nonce (nc). Of the password it keeps H(A1) of the -sess
 * forms alone, in locked memory; the other forms hash anew for every request. What each request expects as
 * the proxy's own proof (rspauth) is kept for the last few, since answers come in any order.
 *
 * Values of the challenge are hashed unquoted and quoted again on their way out, so an escaped quote in a
 * realm means the same on both sides.
 */
#include "keys/digest.h"

#include <stdio.h>
#include <stdlib.h>

#include "keys/digest_hash.h"

#define CNONCE_BYTES 16
#define PROOFS       64 /* requests under way whose rspauth can still be checked */

/* What a challenge says. The strings are the challenge's. */
struct offer {
    const struct digest_algorithm *algorithm;
    bool algorithm_named; /* an answer names it only where the challenge does (RFC 2069 knows none) */
    bool auth, auth_int;  /* neither: no qop, RFC 2069 */
    bool userhash, utf8, stale;
    const char *realm, *nonce, *opaque;
};

struct proof {
    uint32_t count;
    char *cnonce; /* NULL: this slot is free */
    char rspauth[DIGEST_HEX_SIZE];
};

struct digest {
    struct offer offer; /* its strings are the three below */
    char *realm, *nonce, *opaque;
    EVP_MD *md;
    uint32_t count;        /* requests made with this nonce */
    char *session_cnonce;  /* -sess: the client nonce of the session */
    struct secret account; /* -sess: H(user:realm:password) that session_key was made of */
    struct secret session_key;
    char *fixed_cnonce;
    struct proof proofs[PROOFS];
    size_t next_proof;
};

/* One answer in the making; wiped at its end. */
struct answer {
    const char *qop; /* NULL: RFC 2069 */
    char nc[9];
    char *cnonce;
    char ha1[DIGEST_HEX_SIZE], ha2[DIGEST_HEX_SIZE], response[DIGEST_HEX_SIZE];
};

static bool refuse(const char **why, const char *text)
{
    *why = text;
    return false;
}

static bool says(const char *value, const char *wanted)
{
    return value && span_ieq(span_str(value), span_str(wanted));
}

/* A list of tokens. false: there are some, and none that we know. */
static bool read_qop(const char *value, struct offer *o)
{
    struct span rest = span_str(value);
    bool any = false;
    while (rest.n) {
        struct span token = span_trim(span_cut(&rest, ','));
        any |= token.n > 0;
        o->auth |= span_ieq(token, SPAN("auth"));
        o->auth_int |= span_ieq(token, SPAN("auth-int"));
    }
    return !any || o->auth || o->auth_int;
}

/* RFC 7616 section 3.3 */
static bool read_offer(const struct challenge *c, struct offer *o, const char **why)
{
    const char *algorithm = challenge_param(c, "algorithm");
    *o = (struct offer){
        .algorithm = digest_algorithm_find(algorithm),
        .algorithm_named = algorithm != NULL,
        .userhash = says(challenge_param(c, "userhash"), "true"),
        .utf8 = says(challenge_param(c, "charset"), "UTF-8"),
        .stale = says(challenge_param(c, "stale"), "true"),
        .realm = challenge_param(c, "realm"),
        .nonce = challenge_param(c, "nonce"),
        .opaque = challenge_param(c, "opaque"),
    };
    if (!challenge_is(c, "Digest"))
        return refuse(why, "is not a Digest challenge");
    if (!o->realm || !o->nonce)
        return refuse(why, "lacks a realm or a nonce");
    if (!o->algorithm)
        return refuse(why, "names an algorithm that we do not know");
    if (!read_qop(challenge_param(c, "qop"), o))
        return refuse(why, "names no quality of protection that we know");
    if (o->algorithm->session && !o->auth && !o->auth_int)
        return refuse(why, "asks for a session without a quality of protection");
    return true;
}

bool digest_answerable(const struct challenge *c)
{
    struct offer o;
    const char *why;
    if (!read_offer(c, &o, &why))
        return false;
    EVP_MD *md = digest_algorithm_fetch(o.algorithm);
    EVP_MD_free(md);
    return md != NULL;
}

struct digest *digest_new(void)
{
    return mem_zero(sizeof(struct digest));
}

static void forget_session(struct digest *d)
{
    free(d->session_cnonce);
    d->session_cnonce = NULL;
    secret_free(&d->account);
    secret_free(&d->session_key);
}

/* A nonce that we know already goes on counting: for the proxy nc is per nonce (RFC 7616 section 3.4). */
static void set_nonce(struct digest *d, const char *nonce)
{
    if (d->nonce && nonce && strcmp(d->nonce, nonce) == 0)
        return;
    char *fresh = mem_strdup(nonce);
    free(d->nonce);
    d->nonce = fresh;
    d->count = 0;
}

static void forget_offer(struct digest *d)
{
    free(d->realm);
    free(d->opaque);
    EVP_MD_free(d->md);
    forget_session(d);
}

void digest_free(struct digest *d)
{
    if (!d)
        return;
    forget_offer(d);
    set_nonce(d, NULL);
    for (size_t i = 0; i < PROOFS; i++)
        free(d->proofs[i].cnonce);
    free(d->fixed_cnonce);
    secret_wipe(d, sizeof *d);
    free(d);
}

bool digest_take_challenge(struct digest *d, const struct challenge *c, bool *stale, const char **why)
{
    struct offer o;
    if (!read_offer(c, &o, why))
        return false;
    EVP_MD *md = digest_algorithm_fetch(o.algorithm);
    if (!md)
        return refuse(why, "names an algorithm that this machine does not allow");
    forget_offer(d);
    d->md = md;
    d->realm = mem_strdup(o.realm);
    d->opaque = mem_strdup(o.opaque);
    set_nonce(d, o.nonce);
    d->offer = o;
    d->offer.realm = d->offer.nonce = d->offer.opaque = NULL; /* the challenge's own: d has copies */
    *stale = o.stale;
    return true;
}

bool digest_has_nonce(const struct digest *d)
{
    return d->nonce && d->count < UINT32_MAX;
}

void digest_fix_cnonce(struct digest *d, const char *cnonce)
{
    free(d->fixed_cnonce);
    d->fixed_cnonce = mem_strdup(cnonce);
}

static bool user_is_sendable(struct span user)
{
    for (size_t i = 0; i < user.n; i++)
        if ((unsigned char)user.p[i] < 0x20 || user.p[i] == 0x7f)
            return false;
    return true;
}

static bool is_ascii(struct span s)
{
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] >= 0x80)
            return false;
    return true;
}

static char *make_cnonce(const struct digest *d)
{
    return d->fixed_cnonce ? mem_strdup(d->fixed_cnonce) : digest_random_hex(CNONCE_BYTES);
}

/*
 * H(A1) (RFC 7616 section 3.4.2). The -sess forms make it once, of the first nonce and client nonce. We keep
 * that client nonce for the whole session, because some servers compute A1 of each request's own: so both
 * kinds are served. Another password (or user) begins anew.
 */
static void make_ha1(struct digest *d, const struct digest_request *r, struct answer *a)
{
    DIGEST_HASH(d->md, a->ha1, r->user, span_str(d->realm), r->password);
    if (!d->offer.algorithm->session) {
        a->cnonce = make_cnonce(d);
        return;
    }
    if (!span_eq(secret_reveal(&d->account), span_str(a->ha1))) {
        forget_session(d);
        d->session_cnonce = make_cnonce(d);
        secret_set(&d->account, span_str(a->ha1));
        DIGEST_HASH(d->md, a->ha1, secret_reveal(&d->account), span_str(d->nonce),
                    span_str(d->session_cnonce));
        secret_set(&d->session_key, span_str(a->ha1));
    }
    memcpy(a->ha1, secret_reveal(&d->session_key).p, secret_reveal(&d->session_key).n + 1);
    a->cnonce = mem_strdup(d->session_cnonce);
}

/* RFC 7616 section 3.4.1, or RFC 2069 section 2.1.2 */
static void make_response(const struct digest *d, const struct answer *a, const char *qop, char *response)
{
    struct span ha1 = span_str(a->ha1), ha2 = span_str(a->ha2), nonce = span_str(d->nonce);
    if (qop)
        DIGEST_HASH(d->md, response, ha1, nonce, span_str(a->nc), span_str(a->cnonce), span_str(qop), ha2);
    else
        DIGEST_HASH(d->md, response, ha1, nonce, ha2);
}

static void make_ha2(const struct digest *d, const struct digest_request *r, struct answer *a)
{
    if (a->qop && strcmp(a->qop, "auth-int") == 0) {
        char body[DIGEST_HEX_SIZE];
        DIGEST_HASH(d->md, body, r->body);
        DIGEST_HASH(d->md, a->ha2, r->method, r->uri, span_str(body));
    } else {
        DIGEST_HASH(d->md, a->ha2, r->method, r->uri);
    }
}

/* What the proxy will send to show that it knows the password too: A2 without the method (RFC 7616
   section 3.5). Of the form for "auth" alone: for "auth-int" one would have to hash the body of the answer.
 */
static void expect_proof(struct digest *d, const struct digest_request *r, struct answer *a)
{
    struct proof *proof = &d->proofs[d->next_proof++ % PROOFS];
    free(proof->cnonce);
    proof->count = d->count;
    proof->cnonce = mem_strdup(a->cnonce);
    DIGEST_HASH(d->md, a->ha2, SPAN(""), r->uri);
    make_response(d, a, a->qop ? "auth" : NULL, proof->rspauth);
}

static void add_quoted(struct buf *b, const char *name, struct span value)
{
    buf_addf(b, "%s%s=\"", b->n ? ", " : "Digest ", name);
    for (size_t i = 0; i < value.n; i++) {
        if (value.p[i] == '"' || value.p[i] == '\\')
            buf_add_str(b, "\\");
        buf_add(b, &value.p[i], 1);
    }
    buf_add_str(b, "\"");
}

/* RFC 8187 section 3.2 */
static void add_extended(struct buf *b, const char *name, struct span value)
{
    buf_addf(b, "%s%s*=UTF-8''", b->n ? ", " : "Digest ", name);
    for (size_t i = 0; i < value.n; i++) {
        char c = value.p[i];
        bool plain = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
        if (plain || (c && strchr("!#$&+-.^_`|~", c)))
            buf_add(b, &c, 1);
        else
            buf_addf(b, "%%%02X", (unsigned char)c);
    }
}

/* username* is of RFC 7616: only a proxy that names a charset is sure to know it. Older ones take the bytes
 * as they are. */
static void add_user(struct buf *b, const struct digest *d, struct span user)
{
    if (d->offer.userhash) {
        char hashed[DIGEST_HEX_SIZE];
        DIGEST_HASH(d->md, hashed, user, span_str(d->realm));
        add_quoted(b, "username", span_str(hashed));
    } else if (d->offer.utf8 && !is_ascii(user)) {
        add_extended(b, "username", user);
    } else {
        add_quoted(b, "username", user);
    }
}

/* RFC 7616 sections 3.4 and 3.5 say what is quoted. */
static void write_header(const struct digest *d, const struct digest_request *r, const struct answer *a,
                         struct secret *header)
{
    struct buf b;
    buf_init(&b, 0);
    add_user(&b, d, r->user);
    add_quoted(&b, "realm", span_str(d->realm));
    add_quoted(&b, "nonce", span_str(d->nonce));
    add_quoted(&b, "uri", r->uri);
    add_quoted(&b, "response", span_str(a->response));
    if (d->offer.algorithm_named)
        buf_addf(&b, ", algorithm=%s", d->offer.algorithm->name);
    if (d->opaque)
        add_quoted(&b, "opaque", span_str(d->opaque));
    if (a->qop) {
        add_quoted(&b, "cnonce", span_str(a->cnonce));
        buf_addf(&b, ", qop=%s, nc=%s", a->qop, a->nc);
    }
    if (d->offer.userhash)
        buf_add_str(&b, ", userhash=true");
    secret_add(header, buf_span(&b));
    secret_wipe(b.p, b.n);
    buf_free(&b);
}

enum digest_outcome digest_authorize(struct digest *d, const struct digest_request *r, struct secret *header)
{
    if (!digest_has_nonce(d))
        return DIGEST_NO_NONCE;
    if (!user_is_sendable(r->user))
        return DIGEST_BAD_USER;
    struct answer a = {.qop = d->offer.auth ? "auth" : d->offer.auth_int ? "auth-int" : NULL};
    if (!d->offer.auth && d->offer.auth_int && !r->body_known)
        return DIGEST_NEED_BODY;
    snprintf(a.nc, sizeof a.nc, "%08x", (unsigned)++d->count);
    make_ha1(d, r, &a);
    make_ha2(d, r, &a);
    make_response(d, &a, a.qop, a.response);
    write_header(d, r, &a, header);
    expect_proof(d, r, &a);
    free(a.cnonce);
    secret_wipe(&a, sizeof a);
    return DIGEST_HEADER;
}

/* Is this the proof of a request that it names by its count and client nonce? Unknown requests prove and
 * disprove nothing. */
static bool proof_is_right(const struct digest *d, const struct challenge *info)
{
    const char *rspauth = challenge_param(info, "rspauth"), *nc = challenge_param(info, "nc");
    const char *cnonce = challenge_param(info, "cnonce"), *qop = challenge_param(info, "qop");
    bool candidates = false;
    if (!rspauth || says(qop, "auth-int") || (!qop && !d->offer.auth && d->offer.auth_int))
        return true;
    for (size_t i = 0; i < PROOFS; i++) {
        const struct proof *proof = &d->proofs[i];
        if (!proof->cnonce || (nc && strtoul(nc, NULL, 16) != proof->count) ||
            (cnonce && strcmp(cnonce, proof->cnonce) != 0))
            continue;
        candidates = true;
        if (says(proof->rspauth, rspauth))
            return true;
    }
    return !candidates;
}

bool digest_take_info(struct digest *d, struct span info_line)
{
    struct challenge info;
    if (!challenge_read_info(&info, info_line))
        return true; /* not an answer to build on, but not a wrong proof either */
    bool right = proof_is_right(d, &info);
    if (!right)
        set_nonce(d, NULL);
    else if (challenge_param(&info, "nextnonce"))
        set_nonce(d, challenge_param(&info, "nextnonce"));
    challenge_free(&info);
    return right;
}
