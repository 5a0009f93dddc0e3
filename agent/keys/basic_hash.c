/*
 * The forms of hashes, a row each. The old DES form of crypt(3) cuts passwords at eight characters, and text that is no hash is a password in clear: both
 * are refused when the file is read.
 */
#include "keys/basic_hash.h"

#include <crypt.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdlib.h>

#include "base/base64.h"
#include "base/buf.h"

#define MD5_BYTES  16
#define SHA1_BYTES 20

/* Bytes: crypt(3) takes no more, and the time that the others take grows with it. */
#define PASSWORD_MOST 512

typedef bool compare(struct span hash, const struct secret *password);

static bool equal(struct span a, const void *b, size_t n)
{
    return a.n == n && CRYPTO_memcmp(a.p, b, n) == 0;
}

static bool is_crypt(struct span hash, const struct secret *password)
{
    struct crypt_data *data = mem_zero(sizeof *data);
    char *setting = span_dup(hash);
    const char *made = crypt_r(secret_reveal(password).p, setting, data);
    bool same = made && made[0] != '*' && equal(hash, made, strlen(made));
    secret_wipe(data, sizeof *data);
    secret_wipe(setting, hash.n);
    free(data);
    free(setting);
    return same;
}

/* base64 of SHA-1, without salt: quick to guess, but what some programs still write. */
static bool is_sha1(struct span hash, const struct secret *password)
{
    unsigned char made[EVP_MAX_MD_SIZE];
    struct buf text = {0};
    struct span p = secret_reveal(password);
    bool same = EVP_Digest(p.p, p.n, made, NULL, EVP_sha1(), NULL) == 1 &&
                base64_encode(&text, span_make((char *)made, SHA1_BYTES)) &&
                equal(span_from(hash, strlen("{SHA}")), text.p, text.n);
    secret_wipe(made, sizeof made);
    secret_wipe(text.p, text.n);
    buf_free(&text);
    return same;
}

static bool md5(unsigned char out[MD5_BYTES], const struct span *parts, size_t n)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool good = ctx && EVP_DigestInit_ex(ctx, EVP_md5(), NULL) == 1;
    for (size_t i = 0; good && i < n; i++)
        good = parts[i].n == 0 || EVP_DigestUpdate(ctx, parts[i].p, parts[i].n) == 1;
    good = good && EVP_DigestFinal_ex(ctx, out, NULL) == 1;
    EVP_MD_CTX_free(ctx);
    return good;
}

/* The digits of crypt(3), least significant first. */
static char *add_digits(char *to, unsigned value, unsigned n)
{
    static const char digits[] = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    for (; n; n--, value >>= 6)
        *to++ = digits[value & 63];
    return to;
}

/* The first of apr1's thousand and one: the password, the salt, and for each byte of the password something of the two. */
static bool apr1_first(unsigned char out[MD5_BYTES], struct span p, struct span salt)
{
    struct span twice[] = {p, salt, p};
    struct secret tail = {0};
    bool good = md5(out, twice, 3);
    secret_set(&tail, SPAN(""));
    for (size_t left = p.n; left; left -= left < MD5_BYTES ? left : MD5_BYTES)
        secret_add(&tail, span_make((char *)out, left < MD5_BYTES ? left : MD5_BYTES));
    for (size_t left = p.n; left; left >>= 1)
        secret_add(&tail, left & 1 ? SPAN("\0") : span_head(p, 1));
    struct span whole[] = {p, SPAN("$apr1$"), salt, secret_reveal(&tail)};
    good = good && md5(out, whole, 4);
    secret_free(&tail);
    return good;
}

/* Apache's variant of the MD5 form of crypt(3): another prefix, which is hashed with the rest. */
static bool is_apr1(struct span hash, const struct secret *password)
{
    struct span salt = span_from(hash, strlen("$apr1$")), p = secret_reveal(password);
    unsigned char sum[MD5_BYTES] = {0};
    char text[24], *to = text;
    salt = span_head(salt, span_find(salt, '$'));
    bool good = apr1_first(sum, p, salt);
    for (unsigned i = 0; good && i < 1000; i++) {
        struct span before = span_make((char *)sum, MD5_BYTES), none = SPAN("");
        struct span parts[] = {i & 1 ? p : before, i % 3 ? salt : none, i % 7 ? p : none, i & 1 ? before : p};
        good = md5(sum, parts, 4);
    }
    for (unsigned i = 0; i < 5; i++)
        to = add_digits(to, (unsigned)sum[i] << 16 | (unsigned)sum[i + 6] << 8 | sum[i == 4 ? 5 : i + 12], 4);
    to = add_digits(to, sum[11], 2);
    good = good && equal(span_from(hash, strlen("$apr1$") + salt.n + 1), text, (size_t)(to - text));
    secret_wipe(sum, sizeof sum);
    secret_wipe(text, sizeof text);
    return good;
}

static const struct form {
    const char *prefix;
    compare *is;
    bool slow;
    size_t shortest; /* of the whole, in bytes */
} forms[] = {
    {"$y$", is_crypt, true, 50},    {"$gy$", is_crypt, true, 50},  {"$7$", is_crypt, true, 50},
    {"$2y$", is_crypt, true, 60},   {"$2b$", is_crypt, true, 60},  {"$2a$", is_crypt, true, 60},
    {"$6$", is_crypt, true, 90},    {"$5$", is_crypt, true, 48},   {"$1$", is_crypt, false, 26},
    {"$apr1$", is_apr1, false, 29}, {"{SHA}", is_sha1, false, 33},
};

static const struct form *form_of(struct span hash)
{
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++)
        if (span_starts(hash, span_str(forms[i].prefix)))
            return &forms[i];
    return NULL;
}

static bool has_digits_of_a_hash(struct span hash)
{
    for (size_t i = 0; i < hash.n; i++)
        if (hash.p[i] <= ' ' || (unsigned char)hash.p[i] >= 0x7f || strchr("*!\\", hash.p[i]))
            return false;
    return true;
}

const char *basic_hash_fault(struct span hash)
{
    const struct form *f = form_of(hash);
    if (!f)
        return "holds no hash of a form that is safe (yescrypt, bcrypt, SHA-512, SHA-256, apr1): write it "
               "with exeat users "
               "or htpasswd -B";
    return hash.n < f->shortest || !has_digits_of_a_hash(hash) ? "has a hash that is cut short or locked"
                                                               : NULL;
}

bool basic_hash_is_slow(struct span hash)
{
    const struct form *f = form_of(hash);
    return f && f->slow;
}

bool basic_hash_is(struct span hash, const struct secret *password)
{
    const struct form *f = form_of(hash);
    struct span p = secret_reveal(password);
    return f && p.n <= PASSWORD_MOST && memchr(p.p, '\0', p.n) == NULL && f->is(hash, password);
}
