/*
 * The key is the session's base key (MS-NLMP section 3.3.2): of the account's hash, its name, and the proof that stands in the message. A session key of the
 * client's own (KEY_EXCH) is not looked into: programs that want one sign or seal, which no HTTP client does.
 */
#include "keys/accept_mic.h"

#include <locale.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <string.h>
#include <wctype.h>

#include "base/secret.h"
#include "keys/accept_check.h"
#include "keys/nthash.h"
#include "keys/token_inside.h"

enum {
    AT_NT = 20,
    AT_FLAGS = 60,
    AT_MIC = 72,
    AFTER_MIC = 88,
    DIGEST = 16,
    AT_CHALLENGE = 24, /* in the CHALLENGE_MESSAGE: eight bytes */
    CHALLENGE = 8,
    AT_PAIRS = 44, /* in the NTLMv2 answer */
    PAIR_END = 0,
    PAIR_FLAGS = 6,
};

#define FLAG_KEY_EXCHANGE 0x40000000u
#define PAIR_HAS_MIC      0x2u

static bool hmac(const unsigned char key[DIGEST], struct span text, unsigned char out[DIGEST])
{
    return HMAC(EVP_md5(), key, DIGEST, (const unsigned char *)text.p, text.n, out, NULL) != NULL;
}

static bool says_mic(struct span pairs)
{
    while (pairs.n >= 4 && token_u16(pairs, 0) != PAIR_END) {
        size_t n = token_u16(pairs, 2);
        if (n + 4 > pairs.n)
            return false;
        if (token_u16(pairs, 0) == PAIR_FLAGS && n == 4)
            return token_u32(pairs, 4) & PAIR_HAS_MIC;
        pairs = span_from(pairs, n + 4);
    }
    return false;
}

static void add_name(struct buf *to, struct span name, bool oem, bool upper)
{
    locale_t letters = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
    for (size_t i = 0; i < name.n; i += oem ? 1 : 2) {
        wint_t c = oem ? (unsigned char)name.p[i] : token_u16(name, i);
        if (upper)
            c = letters ? towupper_l(c, letters) : towupper(c);
        buf_add(to, (char[]){(char)(c & 0xff), (char)(c >> 8)}, 2);
    }
    if (letters)
        freelocale(letters);
}

static unsigned digit(char c)
{
    return (unsigned)(c <= '9' ? c - '0' : (c | 32) - 'a' + 10);
}

/* false: the proof is not of this account. */
static bool session_key(const struct accept_mic *m, struct span message, struct span nt,
                        unsigned char key[DIGEST])
{
    struct accept_claim claim;
    struct buf text = {0};
    unsigned char hash[DIGEST], account[DIGEST], proof[DIGEST];
    for (size_t i = 0; i < DIGEST; i++)
        hash[i] = (unsigned char)(digit(m->hash.p[2 * i]) << 4 | digit(m->hash.p[2 * i + 1]));
    accept_claim_read(message, &claim);
    add_name(&text, claim.user, m->oem, true);
    add_name(&text, claim.domain, m->oem, false);
    bool good = hmac(hash, buf_span(&text), account);
    buf_clear(&text);
    buf_add_span(&text, span_head(span_from(m->challenge, AT_CHALLENGE), CHALLENGE));
    buf_add_span(&text, span_from(nt, DIGEST));
    good = good && hmac(account, buf_span(&text), proof) && CRYPTO_memcmp(proof, nt.p, DIGEST) == 0 &&
           hmac(account, span_head(nt, DIGEST), key);
    OPENSSL_cleanse(hash, sizeof hash);
    OPENSSL_cleanse(account, sizeof account);
    buf_free(&text);
    return good;
}

/* Over the three messages, the last of them with its own place for it empty. */
static bool code(const struct accept_mic *m, struct span first, struct span message,
                 const unsigned char key[DIGEST], unsigned char out[DIGEST])
{
    static const char empty[DIGEST];
    struct buf all = {0};
    buf_add_span(&all, first);
    buf_add_span(&all, m->challenge);
    buf_add_span(&all, span_head(message, AT_MIC));
    buf_add(&all, empty, DIGEST);
    buf_add_span(&all, span_from(message, AFTER_MIC));
    bool good = hmac(key, buf_span(&all), out);
    buf_free(&all);
    return good;
}

bool accept_mic_is_there(struct span message, struct span *nt)
{
    return message.n >= AFTER_MIC && !(token_u32(message, AT_FLAGS) & FLAG_KEY_EXCHANGE) &&
           token_buffer(message, AT_NT, AFTER_MIC, nt) && nt->n > AT_PAIRS &&
           says_mic(span_from(*nt, AT_PAIRS));
}

void accept_mic_move(char *message, size_t n, const struct accept_mic *m)
{
    struct span whole = span_make(message, n), nt;
    unsigned char key[DIGEST], found[DIGEST], wanted[DIGEST];
    if (!(m->key || nt_hash_is(m->hash)) || m->challenge.n < AT_CHALLENGE + CHALLENGE ||
        !accept_mic_is_there(whole, &nt))
        return;
    if (m->key)
        memcpy(key, m->key, sizeof key);
    if ((m->key || session_key(m, whole, nt, key)) && code(m, m->asked, whole, key, found) &&
        CRYPTO_memcmp(found, whole.p + AT_MIC, DIGEST) == 0 && code(m, m->mended, whole, key, wanted))
        memcpy(message + AT_MIC, wanted, DIGEST);
    OPENSSL_cleanse(key, sizeof key);
}

struct span accept_mic_challenge(struct span message)
{
    return span_head(span_from(message, message.n < AT_CHALLENGE ? message.n : AT_CHALLENGE), CHALLENGE);
}
