/*
 * H for Digest, over OpenSSL's EVP. A hash that was fetched fails only when memory is gone: that ends the
 * process, as everywhere. Any thread.
 */
#include "keys/digest_hash.h"

#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/secret.h"

static const struct digest_algorithm algorithms[] = {
    {"MD5", "MD5", false},
    {"MD5-sess", "MD5", true},
    {"SHA-256", "SHA2-256", false},
    {"SHA-256-sess", "SHA2-256", true},
    {"SHA-512-256", "SHA2-512/256", false},
    {"SHA-512-256-sess", "SHA2-512/256", true},
};

const struct digest_algorithm *digest_algorithm_find(const char *name)
{
    if (!name)
        return &algorithms[0];
    for (size_t i = 0; i < sizeof algorithms / sizeof *algorithms; i++)
        if (span_ieq(span_str(name), span_str(algorithms[i].name)))
            return &algorithms[i];
    return NULL;
}

EVP_MD *digest_algorithm_fetch(const struct digest_algorithm *algorithm)
{
    return EVP_MD_fetch(NULL, algorithm->hash, NULL);
}

static void need(int ok)
{
    if (ok == 1)
        return;
    fputs("exeat: the cryptographic library failed\n", stderr);
    abort();
}

static void hex_write(char *hex, const unsigned char *bytes, size_t n)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < n; i++) {
        *hex++ = digits[bytes[i] >> 4];
        *hex++ = digits[bytes[i] & 15];
    }
    *hex = '\0';
}

void digest_hash(const EVP_MD *md, char hex[DIGEST_HEX_SIZE], const struct span *parts, size_t n)
{
    unsigned char value[EVP_MAX_MD_SIZE];
    unsigned length = 0;
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    need(ctx && EVP_DigestInit_ex2(ctx, md, NULL));
    for (size_t i = 0; i < n; i++) {
        if (i)
            need(EVP_DigestUpdate(ctx, ":", 1));
        if (parts[i].n)
            need(EVP_DigestUpdate(ctx, parts[i].p, parts[i].n));
    }
    need(EVP_DigestFinal_ex(ctx, value, &length) && length <= (DIGEST_HEX_SIZE - 1) / 2);
    EVP_MD_CTX_free(ctx); /* wipes its state */
    hex_write(hex, value, length);
    secret_wipe(value, sizeof value);
}

char *digest_random_hex(size_t n)
{
    unsigned char *bytes = mem_alloc(n);
    char *hex = mem_alloc(2 * n + 1);
    need(RAND_bytes(bytes, (int)n));
    hex_write(hex, bytes, n);
    free(bytes);
    return hex;
}
