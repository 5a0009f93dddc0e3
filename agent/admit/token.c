/*
 * Tokens (token.h). The comparison is of hashes, and in constant time all the same.
 */
#include "admit/token.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <sys/random.h>

#include "base/secret.h"

bool token_new(char token[TOKEN_LENGTH + 1], struct err *e)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    unsigned char noise[33] = {
        0}; /* and one byte that is nothing, so that the last letter has all of its bits */
    if (getrandom(noise, sizeof noise - 1, 0) != sizeof noise - 1)
        return err_errno(e, ERR_SYSTEM, errno, "there are no random bytes");
    for (size_t i = 0; i < TOKEN_LENGTH; i++) {
        size_t bit = i * 6;
        unsigned pair = (unsigned)noise[bit / 8] << 8 | noise[bit / 8 + 1];
        token[i] = letters[pair >> (10 - bit % 8) & 63];
    }
    token[TOKEN_LENGTH] = '\0';
    secret_wipe(noise, sizeof noise);
    return true;
}

bool token_hash(struct span token, unsigned char hash[TOKEN_HASH])
{
    return EVP_Digest(token.p ? token.p : "", token.n, hash, NULL, EVP_sha256(), NULL) == 1;
}

const struct config_client *token_owner(const struct config *c, struct span name, struct span token)
{
    unsigned char hash[TOKEN_HASH];
    if (!token_hash(token, hash))
        return NULL;
    for (size_t i = 0; i < c->n_clients; i++)
        if (span_eq(name, span_str(c->clients[i].name)))
            return CRYPTO_memcmp(hash, c->clients[i].token_sha256, sizeof hash) == 0 ? &c->clients[i] : NULL;
    return NULL;
}
