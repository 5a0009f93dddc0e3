/*
 * Digest for clients of ours. The answer is computed before anything else is looked at: whoever does not know the password learns nothing of nonces, and
 * takes no place in the table of counts.
 */
#include "keys/accept_digest.h"

#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <stdlib.h>

#include "base/buf.h"
#include "keys/challenge.h"
#include "keys/digest_hash.h"
#include "keys/digest_nonce.h"

#define SAYS_MAX 1024 /* of a client nonce, which goes back to the client */

/*
 * None of the -sess algorithms: what they are for (RFC 7616 section 3.4.2) is a server that does without the users' hashes and gets a session's key from who
 * has them, and we have them. They are no stronger, and clients do not agree on which client nonce the key is made of once a nonce is used again. No
 * client knows them alone, so that they would let in nobody more; and what is not offered is not taken.
 */
static const struct way {
    const char *algorithm;
    enum users_kind kind;
    size_t digits;
} ways[DIGEST_HASHES] = {[HASH_SHA256] = {"SHA-256", USERS_SHA256, 64},
                         [HASH_MD5] = {"MD5", USERS_MD5, 32},
                         [HASH_SHA512_256] = {"SHA-512-256", USERS_SHA512_256, 64}};

struct digest_gate {
    char *realm;
    enum digest_hash hashes[DIGEST_HASHES]; /* that are offered, in this order */
    size_t n;
    struct nonce_mint *mint;
    char nobody[DIGEST_HEX_SIZE]; /* stands for the hash of those who are not there */
};

/* A client's answer; the strings are the parsed header's. */
struct claim {
    const struct way *way;
    const char *realm, *nonce, *uri, *response, *cnonce, *nc;
    struct span user; /* empty: whoever hides behind `hidden` is none of the users */
    char
        hidden[DIGEST_HEX_SIZE]; /* the hash that the client names instead of a user; "": it names the user */
    char *decoded;               /* from username*; NULL: there was none */
    uint32_t count;
};

struct digest_gate *digest_gate_new(const char *realm, const enum digest_hash *hashes, size_t n)
{
    unsigned char random[32];
    struct nonce_mint *mint = nonce_mint_new();
    if (!mint || RAND_bytes(random, sizeof random) != 1) {
        nonce_mint_free(mint);
        return NULL;
    }
    struct digest_gate *g = mem_zero(sizeof *g);
    g->mint = mint;
    g->realm = mem_strdup(realm);
    memcpy(g->hashes, hashes, n * sizeof *hashes);
    g->n = n;
    for (size_t i = 0; i < sizeof random; i++) {
        g->nobody[2 * i] = "0123456789abcdef"[random[i] >> 4];
        g->nobody[2 * i + 1] = "0123456789abcdef"[random[i] & 15];
    }
    return g;
}

void digest_gate_free(struct digest_gate *g)
{
    if (!g)
        return;
    nonce_mint_free(g->mint);
    free(g->realm);
    free(g);
}

static void add_quoted(struct buf *b, const char *name, const char *value)
{
    buf_addf(b, "%s=\"", name);
    for (; *value; value++)
        buf_addf(b, "%s%c", *value == '"' || *value == '\\' ? "\\" : "", *value);
    buf_add_str(b, "\"");
}

bool digest_gate_can(const struct digest_gate *g, const struct users *u)
{
    for (size_t i = 0; i < g->n; i++)
        if (users_have(u, ways[g->hashes[i]].kind, span_str(g->realm)))
            return true;
    return false;
}

void digest_gate_offer(struct digest_gate *g, const struct users *u, bool stale, int64_t now,
                       struct buf *lines)
{
    for (size_t i = 0; i < g->n; i++) {
        const struct way *way = &ways[g->hashes[i]];
        char nonce[NONCE_DIGITS + 1];
        if (!users_have(u, way->kind, span_str(g->realm)))
            continue;
        nonce_make(g->mint, now, nonce);
        buf_add_str(lines, "Digest ");
        add_quoted(lines, "realm", g->realm);
        buf_addf(lines, ", qop=\"auth\", algorithm=%s, nonce=\"%s\", charset=UTF-8, userhash=true%s\n",
                 way->algorithm, nonce, stale ? ", stale=true" : "");
    }
}

static bool broken(const char **why, const char *text)
{
    *why = text;
    return false;
}

static bool is_hex(const char *s, size_t digits)
{
    return strlen(s) == digits && strspn(s, "0123456789abcdefABCDEF") == digits;
}

static int hex_of(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1;
}

/* RFC 8187 section 3.2.1: UTF-8''alice%20b. NULL: it is not that. */
static char *decode_extended(const char *value)
{
    struct span text = span_str(value);
    if (!span_istarts(text, SPAN("UTF-8'")))
        return NULL;
    text = span_from(text, strlen("UTF-8'"));
    text = span_from(text, span_find(text, '\'') + 1); /* the language does not matter */
    char *out = mem_alloc(text.n + 1), *to = out;
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        if (c == '%') {
            int high = i + 2 < text.n ? hex_of(text.p[i + 1]) : -1;
            int low = high >= 0 ? hex_of(text.p[i + 2]) : -1;
            c = low < 0 ? '\0' : (char)(high << 4 | low);
            i += 2;
        }
        if (c == '\0') {
            free(out);
            return NULL;
        }
        *to++ = c;
    }
    *to = '\0';
    return out;
}

static void to_lower(char *to, const char *from)
{
    for (; *from; from++)
        *to++ = *from >= 'A' && *from <= 'F' ? (char)(*from | 32) : *from;
    *to = '\0';
}

static bool read_user(const struct challenge *c, struct claim *claim, const char **why)
{
    const char *plain = challenge_param(c, "username"), *extended = challenge_param(c, "username*");
    const char *hashed = challenge_param(c, "userhash");
    if (!plain == !extended)
        return broken(why, plain ? "names the user twice" : "names no user");
    if (hashed && span_ieq(span_str(hashed), SPAN("true"))) {
        if (extended || !*plain || strlen(plain) >= sizeof claim->hidden || !is_hex(plain, strlen(plain)))
            return broken(why, "hides the user's name behind something that is no hash (userhash)");
        to_lower(claim->hidden, plain);
        return true;
    }
    if (extended)
        claim->decoded = decode_extended(extended);
    const char *user = extended ? claim->decoded : plain;
    if (user)
        claim->user = span_str(user);
    return user || broken(why, "spells the user's name in an unknown way");
}

static bool read_count(struct claim *claim, const char **why)
{
    if (!is_hex(claim->nc, 8))
        return broken(why, "has a count (nc) that is not eight hexadecimal digits");
    claim->count = (uint32_t)strtoul(claim->nc, NULL, 16);
    return claim->count > 0 || broken(why, "counts (nc) from 0");
}

/* RFC 7616 section 3.4. A claim without a way is sound, but for an algorithm that is not offered. */
static bool read_claim(const struct digest_gate *g, const struct challenge *c, struct claim *claim,
                       const char **why)
{
    const char *algorithm = challenge_param(c, "algorithm"), *qop = challenge_param(c, "qop");
    *claim = (struct claim){.realm = challenge_param(c, "realm"),
                            .nonce = challenge_param(c, "nonce"),
                            .uri = challenge_param(c, "uri"),
                            .response = challenge_param(c, "response"),
                            .cnonce = challenge_param(c, "cnonce"),
                            .nc = challenge_param(c, "nc")};
    if (!read_user(c, claim, why))
        return false;
    if (!claim->realm || !claim->nonce || !claim->uri || !claim->response || !claim->cnonce || !claim->nc ||
        !qop)
        return broken(why, "lacks one of realm, nonce, uri, response, qop, nc and cnonce");
    if (!span_ieq(span_str(qop), SPAN("auth")))
        return broken(why, "has a quality of protection that was not offered");
    if (strlen(claim->cnonce) > SAYS_MAX || !*claim->cnonce)
        return broken(why, "has a client nonce that is empty or too long");
    for (size_t i = 0; i < g->n; i++)
        if (span_ieq(span_str(algorithm ? algorithm : "MD5"), span_str(ways[g->hashes[i]].algorithm)))
            claim->way = &ways[g->hashes[i]];
    if (claim->way && !is_hex(claim->response, claim->way->digits))
        return broken(why, "has a response of another length than its algorithm's");
    return read_count(claim, why);
}

/* The target without scheme and host, as some clients write it: "/" where there is no path. */
static struct span path_of(struct span target)
{
    size_t scheme = span_find(target, ':');
    struct span rest = span_from(target, scheme);
    if (!span_starts(rest, SPAN("://")))
        return SPAN("");
    rest = span_from(rest, 3);
    size_t at = 0;
    while (at < rest.n && rest.p[at] != '/' && rest.p[at] != '?')
        at++;
    return at < rest.n ? span_from(rest, at) : SPAN("/");
}

/* RFC 7616 section 3.4.6: the same resource as the request line's, or it is somebody else's answer. */
static bool names_target(const char *uri, struct span target)
{
    struct span u = span_str(uri), path = path_of(target);
    if (span_eq(u, target) || (path.n && span_eq(u, path)))
        return true;
    return span_eq(path, SPAN("/")) && u.n && u.p[u.n - 1] == '/' && span_eq(span_head(u, u.n - 1), target);
}

static void make_response(EVP_MD *md, const char *ha1, const struct claim *claim, struct span method,
                          char *response)
{
    char ha2[DIGEST_HEX_SIZE];
    DIGEST_HASH(md, ha2, method, span_str(claim->uri));
    DIGEST_HASH(md, response, span_str(ha1), span_str(claim->nonce), span_str(claim->nc),
                span_str(claim->cnonce), SPAN("auth"), span_str(ha2));
}

/* RFC 7616 section 3.5 */
static void write_info(struct digest_gate *g, EVP_MD *md, const char *ha1, const struct claim *claim,
                       int64_t age, int64_t now, struct buf *info)
{
    char rspauth[DIGEST_HEX_SIZE], nonce[NONCE_DIGITS + 1];
    make_response(md, ha1, claim, SPAN(""), rspauth);
    buf_addf(info, "rspauth=\"%s\", qop=auth, ", rspauth);
    add_quoted(info, "cnonce", claim->cnonce);
    buf_addf(info, ", nc=%s", claim->nc);
    if (age > DIGEST_NONCE_MS / 2) {
        nonce_make(g->mint, now, nonce);
        buf_addf(info, ", nextnonce=\"%s\"", nonce);
    }
}

static enum digest_judgement judge(struct digest_gate *g, const struct users *u, const struct claim *claim,
                                   const struct digest_asked *request, struct digest_result *result)
{
    char ha1[DIGEST_HEX_SIZE] = "", response[DIGEST_HEX_SIZE], said[DIGEST_HEX_SIZE];
    struct span realm = span_str(g->realm);
    struct span hash = users_find(u, claim->way->kind, claim->user, realm);
    EVP_MD *md = digest_algorithm_fetch(digest_algorithm_find(claim->way->algorithm));
    if (!md)
        return DIGEST_FOREIGN;
    memcpy(ha1, hash.n ? hash.p : g->nobody, claim->way->digits);
    to_lower(ha1, ha1);
    make_response(md, ha1, claim, request->method, response);
    to_lower(said, claim->response);
    bool right = CRYPTO_memcmp(said, response, claim->way->digits) == 0 && hash.n;
    int64_t age = right ? nonce_age(g->mint, span_str(claim->nonce), request->now) : -1;
    bool fresh =
        age >= 0 && age <= DIGEST_NONCE_MS && nonce_count(g->mint, span_str(claim->nonce), claim->count);
    if (fresh)
        write_info(g, md, ha1, claim, age, request->now, &result->info);
    EVP_MD_free(md);
    secret_wipe(ha1, sizeof ha1);
    secret_wipe(response, sizeof response);
    return fresh ? DIGEST_RIGHT : right ? DIGEST_STALE : DIGEST_WRONG;
}

/* The bytes must be in *text before the claim is read: the parser takes lines. */
static bool parse(struct span header, struct challenge_list *list, const char **why)
{
    struct buf line = {0};
    if (memchr(header.p, '\n', header.n) || memchr(header.p, '\0', header.n))
        return broken(why, "holds a control character");
    buf_add_span(&line, header);
    buf_add_str(&line, "\n");
    challenge_list_read(list, buf_span(&line));
    secret_wipe(line.p, line.n);
    buf_free(&line);
    return (list->n == 1 && list->bad == 0 && challenge_is(&list->items[0], "Digest") &&
            list->items[0].n_params > 0) ||
           broken(why, "is not a list of parameters, or names one of them twice");
}

enum digest_judgement digest_gate_check(struct digest_gate *g, const struct users *u,
                                        const struct digest_asked *request, struct digest_result *result)
{
    struct challenge_list list = {0};
    struct claim claim = {0};
    enum digest_judgement outcome = DIGEST_BROKEN;
    *result = (struct digest_result){0};
    if (parse(request->header, &list, &result->why) && read_claim(g, &list.items[0], &claim, &result->why)) {
        if (claim.way && *claim.hidden)
            claim.user = users_hidden(u, claim.way->kind, span_str(claim.hidden));
        struct span user = claim.user.n || !*claim.hidden ? claim.user : span_str(claim.hidden);
        if (!names_target(claim.uri, request->target))
            result->why = "is for another target than the request's (uri)";
        else if (!claim.way || strcmp(claim.realm, g->realm) != 0)
            outcome = DIGEST_FOREIGN;
        else if (!request->may_try(request->owner, user))
            outcome = DIGEST_UNTRIED;
        else
            outcome = judge(g, u, &claim, request, result);
        result->user = span_dup(user);
    }
    free(claim.decoded);
    challenge_list_free(&list);
    return outcome;
}
