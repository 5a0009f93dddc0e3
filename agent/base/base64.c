/*
 * Strict base64 over OpenSSL's EVP functions. Any thread.
 */
#include "base/base64.h"

#include <limits.h>
#include <openssl/evp.h>
#include <stdlib.h>

static bool in_alphabet(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' || c == '/';
}

bool base64_decode(struct buf *out, struct span text)
{
    if (text.n % 4 != 0 || text.n > INT_MAX)
        return false;
    if (text.n == 0)
        return true;
    size_t padding = 0;
    while (padding < 2 && text.p[text.n - 1 - padding] == '=')
        padding++;
    for (size_t i = 0; i < text.n - padding; i++)
        if (!in_alphabet(text.p[i]))
            return false;
    if (!buf_reserve(out, text.n / 4 * 3))
        return false;
    int n = EVP_DecodeBlock((unsigned char *)out->p + out->n, (const unsigned char *)text.p, (int)text.n);
    if (n < 0)
        return false;
    out->n += (size_t)n - padding;
    return true;
}

bool base64_encode(struct buf *out, struct span bytes)
{
    if (bytes.n > INT_MAX / 2)
        return false;
    size_t length = (bytes.n + 2) / 3 * 4;
    if (length == 0)
        return true;
    if (!buf_reserve(out, length + 1)) /* OpenSSL writes a NUL behind */
        return false;
    EVP_EncodeBlock((unsigned char *)out->p + out->n, (const unsigned char *)bytes.p, (int)bytes.n);
    out->n += length;
    return true;
}

void base64_encode_secret(struct secret *out, struct span bytes)
{
    struct buf text = {.max = bytes.n * 2 + 16};
    base64_encode(&text, bytes);
    secret_add(out, buf_span(&text));
    secret_wipe(text.p, text.cap);
    free(text.p);
}
