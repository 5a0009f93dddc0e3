/*
 * A nonce is "time serial hash" in hex: 8, 8 and 16 bytes; the serial is random. The table has a place for each nonce of which a count was used with the
 * right password: so only who knows one can fill it. When it is full the oldest nonce goes, and no nonce that is not younger is taken from then on:
 * a count whose nonce has gone cannot be told from one that is new.
 */
#include "keys/digest_nonce.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/secret.h"

#define TIME_BYTES  8
#define HASHED      16 /* time and serial */
#define NONCE_BYTES 32
#define KEY_BYTES   32

struct nonce_place {
    unsigned char id[HASHED];
    uint32_t highest; /* 0: the place is free */
    uint64_t seen;    /* bit n: highest - n was used */
};

struct nonce_mint {
    pthread_mutex_t lock;
    struct secret key;
    unsigned char
        floor[TIME_BYTES]; /* nonces that are not younger than this and have no place are not taken */
    struct nonce_place places[NONCE_PLACES];
};

struct nonce_mint *nonce_mint_new(void)
{
    unsigned char key[KEY_BYTES];
    if (RAND_priv_bytes(key, sizeof key) != 1)
        return NULL;
    struct nonce_mint *m = mem_zero(sizeof *m);
    pthread_mutex_init(&m->lock, NULL);
    secret_set(&m->key, span_make((char *)key, sizeof key));
    secret_wipe(key, sizeof key);
    return m;
}

void nonce_mint_free(struct nonce_mint *m)
{
    if (!m)
        return;
    pthread_mutex_destroy(&m->lock);
    secret_free(&m->key);
    free(m);
}

/* The hash of the first HASHED bytes behind them; false: there is no memory. */
static bool seal(const struct nonce_mint *m, unsigned char nonce[NONCE_BYTES])
{
    unsigned char hash[EVP_MAX_MD_SIZE];
    struct span key = secret_reveal(&m->key);
    bool good = HMAC(EVP_sha256(), key.p, (int)key.n, nonce, HASHED, hash, NULL) != NULL;
    memcpy(nonce + HASHED, hash, NONCE_BYTES - HASHED);
    return good;
}

void nonce_make(struct nonce_mint *m, int64_t now, char *text)
{
    static const char digits[] = "0123456789abcdef";
    unsigned char nonce[NONCE_BYTES];
    for (int i = 0; i < TIME_BYTES; i++)
        nonce[i] = (unsigned char)((uint64_t)now >> (8 * (TIME_BYTES - 1 - i)));
    if (RAND_bytes(nonce + TIME_BYTES, HASHED - TIME_BYTES) != 1 || !seal(m, nonce))
        memset(nonce, 0, sizeof nonce); /* not one of ours when it comes back: stale, and another try */
    for (int i = 0; i < NONCE_BYTES; i++) {
        *text++ = digits[nonce[i] >> 4];
        *text++ = digits[nonce[i] & 15];
    }
    *text = '\0';
}

static int digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool read_nonce(struct span text, unsigned char nonce[NONCE_BYTES])
{
    if (text.n != NONCE_DIGITS)
        return false;
    for (size_t i = 0; i < NONCE_BYTES; i++) {
        int high = digit(text.p[2 * i]), low = digit(text.p[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        nonce[i] = (unsigned char)(high << 4 | low);
    }
    return true;
}

int64_t nonce_age(struct nonce_mint *m, struct span nonce, int64_t now)
{
    unsigned char bytes[NONCE_BYTES], ours[NONCE_BYTES];
    uint64_t made = 0;
    if (!read_nonce(nonce, bytes))
        return -1;
    memcpy(ours, bytes, sizeof ours);
    if (!seal(m, ours) || CRYPTO_memcmp(ours, bytes, sizeof ours) != 0)
        return -1;
    for (int i = 0; i < TIME_BYTES; i++)
        made = made << 8 | bytes[i];
    return (int64_t)made <= now ? now - (int64_t)made
                                : -1; /* a clock that was set back: as if it were not ours */
}

static struct nonce_place *find(struct nonce_mint *m, const unsigned char id[HASHED])
{
    for (size_t i = 0; i < NONCE_PLACES; i++)
        if (m->places[i].highest && memcmp(m->places[i].id, id, HASHED) == 0)
            return &m->places[i];
    return NULL;
}

/* A free place, or the oldest nonce's. NULL: the nonce may have had one. */
static struct nonce_place *make_place(struct nonce_mint *m, const unsigned char id[HASHED])
{
    struct nonce_place *place = NULL;
    if (memcmp(id, m->floor, TIME_BYTES) <= 0)
        return NULL;
    for (size_t i = 0; i < NONCE_PLACES; i++) {
        struct nonce_place *p = &m->places[i];
        if (!p->highest) {
            place = p;
            break;
        }
        if (!place || memcmp(p->id, place->id, TIME_BYTES) < 0)
            place = p;
    }
    if (place->highest) {
        if (memcmp(id, place->id, TIME_BYTES) < 0)
            return NULL; /* itself the oldest */
        memcpy(m->floor, place->id, TIME_BYTES);
    }
    *place = (struct nonce_place){0};
    memcpy(place->id, id, HASHED);
    return place;
}

static bool take(struct nonce_place *p, uint32_t count)
{
    if (count > p->highest) {
        uint32_t step = count - p->highest;
        p->seen = step < NONCE_WINDOW ? p->seen << step | 1 : 1;
        p->highest = count;
        return true;
    }
    uint32_t back = p->highest - count;
    if (back >= NONCE_WINDOW || p->seen >> back & 1)
        return false;
    p->seen |= (uint64_t)1 << back;
    return true;
}

bool nonce_count(struct nonce_mint *m, struct span nonce, uint32_t count)
{
    unsigned char bytes[NONCE_BYTES];
    if (!read_nonce(nonce, bytes) || count == 0)
        return false;
    pthread_mutex_lock(&m->lock);
    struct nonce_place *p = find(m, bytes);
    if (!p)
        p = make_place(m, bytes);
    bool fresh = p && take(p, count);
    pthread_mutex_unlock(&m->lock);
    return fresh;
}
