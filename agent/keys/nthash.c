/*
 * MD4 lives in OpenSSL's legacy provider, which is loaded into a library context of our own, so that nothing else in the process
 * gets old algorithms. Loaded once, by whichever worker comes first.
 */
#include "keys/nthash.h"

#include <ctype.h>
#include <openssl/evp.h>
#include <openssl/provider.h>
#include <pthread.h>

static pthread_once_t once = PTHREAD_ONCE_INIT;
static EVP_MD *md4;
static OSSL_LIB_CTX *library;

static void load(void)
{
    library = OSSL_LIB_CTX_new();
    if (library && OSSL_PROVIDER_load(library, "legacy"))
        md4 = EVP_MD_fetch(library, "MD4", NULL);
}

/* One code point off the front of *s (RFC 3629: shortest form, no surrogates, up to U+10FFFF). false: not UTF-8. */
static bool take_code_point(struct span *s, uint32_t *out)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    unsigned char first = (unsigned char)s->p[0];
    size_t n = first < 0x80                    ? 1
               : first >= 0xc2 && first < 0xe0 ? 2
               : (first & 0xf0) == 0xe0        ? 3
               : (first & 0xf8) == 0xf0        ? 4
                                               : 0;
    if (n == 0 || n > s->n)
        return false;
    uint32_t c = n == 1 ? first : first & (0xffu >> (n + 1));
    for (size_t i = 1; i < n; i++) {
        if (((unsigned char)s->p[i] & 0xc0) != 0x80)
            return false;
        c = c << 6 | ((unsigned char)s->p[i] & 0x3f);
    }
    if (c < least[n] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
        return false;
    *s = span_from(*s, n);
    *out = c;
    return true;
}

static void add_unit(struct secret *to, uint32_t unit)
{
    char bytes[2] = {(char)(unit & 0xff), (char)(unit >> 8)};
    secret_add(to, span_make(bytes, 2));
    secret_wipe(bytes, sizeof bytes);
}

static bool to_utf16(struct secret *to, struct span text)
{
    uint32_t c;
    secret_set(to, SPAN(""));
    while (text.n) {
        if (!take_code_point(&text, &c))
            return false;
        if (c >= 0x10000) {
            add_unit(to, 0xd800 + ((c - 0x10000) >> 10));
            add_unit(to, 0xdc00 + ((c - 0x10000) & 0x3ff));
        } else {
            add_unit(to, c);
        }
    }
    return true;
}

bool nt_hash(struct secret *hex, struct span password, struct err *e)
{
    static const char digits[] = "0123456789abcdef";
    struct secret wide = {0};
    unsigned char hash[EVP_MAX_MD_SIZE];
    char text[32];

    pthread_once(&once, load);
    if (!md4)
        return err_set(e, ERR_SYSTEM,
                       "NTLM needs MD4, which this OpenSSL lacks (its legacy provider is not installed)");
    if (!to_utf16(&wide, password)) {
        secret_free(&wide);
        return err_set(e, ERR_SYSTEM, "NTLM needs a password in UTF-8, and this one is not");
    }
    struct span w = secret_reveal(&wide);
    bool good = EVP_Digest(w.p, w.n, hash, NULL, md4, NULL) == 1;
    secret_free(&wide);
    if (!good)
        return err_set(e, ERR_SYSTEM, "MD4 failed");
    for (size_t i = 0; i < 16; i++) {
        text[2 * i] = digits[hash[i] >> 4];
        text[2 * i + 1] = digits[hash[i] & 15];
    }
    secret_set(hex, span_make(text, sizeof text));
    secret_wipe(hash, sizeof hash);
    secret_wipe(text, sizeof text);
    return true;
}

bool nt_hash_is(struct span hex)
{
    for (size_t i = 0; i < hex.n; i++)
        if (!isxdigit((unsigned char)hex.p[i]))
            return false;
    return hex.n == NT_HASH_DIGITS;
}

bool nt_hash_take(struct secret *hex, struct span given, struct err *e)
{
    char text[NT_HASH_DIGITS];
    if (!nt_hash_is(given))
        return err_set(e, ERR_CONFIG,
                       "what the keyring has for secret = nt-hash is no NT hash (32 hexadecimal digits)");
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = (char)tolower((unsigned char)given.p[i]);
    secret_set(hex, span_make(text, sizeof text));
    secret_wipe(text, sizeof text);
    return true;
}
