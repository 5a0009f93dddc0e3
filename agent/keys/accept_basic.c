/*
 * Basic for clients of ours. A password that was right is remembered as a keyed hash of it, its user and the hash in the file, for a few minutes: with a
 * good hash in the file a client would else wait a tenth of a second for each of its requests. The key is random and never leaves this process; what is
 * remembered is no help with another hash in the file.
 */
#include "keys/accept_basic.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/base64.h"
#include "base/buf.h"
#include "keys/basic_hash.h"
#include "keys/deadline.h"

#define MEMOS      256
#define MEMO_MS    ((int64_t)5 * 60 * 1000)
#define MARK_BYTES 32
#define KEY_BYTES  32

static bool refuse(const char **why, const char *text)
{
    *why = text;
    return false;
}

static bool has_control(struct span s)
{
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7f)
            return true;
    return false;
}

bool accept_basic_read(struct accept_basic *b, struct span token68, const char **why)
{
    struct buf text = {0};
    *b = (struct accept_basic){0};
    bool good = base64_decode(&text, token68);
    if (good)
        secret_set(&b->text, buf_span(&text));
    secret_wipe(text.p, text.n);
    buf_free(&text);
    if (!good)
        return refuse(why, "is not base64");
    struct span whole = secret_reveal(&b->text);
    size_t colon = span_find(whole, ':');
    if (colon == whole.n)
        return refuse(why, "has no colon between user and password");
    if (has_control(whole))
        return refuse(why, "holds control characters");
    b->user = span_head(whole, colon);
    b->password = span_from(whole, colon + 1);
    return true;
}

void accept_basic_free(struct accept_basic *b)
{
    secret_free(&b->text);
    *b = (struct accept_basic){0};
}

struct accept_memo {
    pthread_mutex_t lock;
    struct secret key;
    struct memo_place {
        unsigned char mark[MARK_BYTES];
        int64_t until; /* of the monotonic clock; 0: the place is free */
    } places[MEMOS];
};

struct accept_memo *accept_memo_new(void)
{
    unsigned char key[KEY_BYTES];
    if (RAND_priv_bytes(key, sizeof key) != 1)
        return NULL; /* nothing is remembered then */
    struct accept_memo *m = mem_zero(sizeof *m);
    pthread_mutex_init(&m->lock, NULL);
    secret_set(&m->key, span_make((char *)key, sizeof key));
    secret_wipe(key, sizeof key);
    return m;
}

void accept_memo_free(struct accept_memo *m)
{
    if (!m)
        return;
    pthread_mutex_destroy(&m->lock);
    secret_free(&m->key);
    secret_wipe(m, sizeof *m);
    free(m);
}

/* No byte of the text is NUL or a colon before its own one, and the hash has no colon: so the three cannot run into each other. */
static void mark_of(const struct accept_memo *m, const struct accept_basic *b, struct span hash,
                    unsigned char mark[MARK_BYTES])
{
    struct secret all = {0};
    unsigned length = MARK_BYTES;
    struct span key = secret_reveal(&m->key);
    secret_set(&all, hash);
    secret_add(&all, SPAN(":"));
    secret_add(&all, secret_reveal(&b->text));
    struct span bytes = secret_reveal(&all);
    if (!HMAC(EVP_sha256(), key.p, (int)key.n, (const unsigned char *)bytes.p, bytes.n, mark, &length))
        RAND_priv_bytes(mark, MARK_BYTES); /* like nothing that is remembered */
    secret_free(&all);
}

static bool remembered(struct accept_memo *m, const unsigned char mark[MARK_BYTES])
{
    int64_t now = now_ms();
    bool found = false;
    pthread_mutex_lock(&m->lock);
    for (size_t i = 0; i < MEMOS; i++)
        found |= m->places[i].until > now && CRYPTO_memcmp(m->places[i].mark, mark, MARK_BYTES) == 0;
    pthread_mutex_unlock(&m->lock);
    return found;
}

static void remember(struct accept_memo *m, const unsigned char mark[MARK_BYTES])
{
    pthread_mutex_lock(&m->lock);
    struct memo_place *oldest = &m->places[0];
    for (size_t i = 1; i < MEMOS; i++)
        if (m->places[i].until < oldest->until)
            oldest = &m->places[i];
    memcpy(oldest->mark, mark, MARK_BYTES);
    oldest->until = now_ms() + MEMO_MS;
    pthread_mutex_unlock(&m->lock);
}

static bool known(struct accept_memo *m, const struct accept_basic *b, struct span hash)
{
    unsigned char mark[MARK_BYTES];
    if (!m || hash.n == 0)
        return false;
    mark_of(m, b, hash, mark);
    return remembered(m, mark);
}

/* The hash to compare with: his, or somebody's, so that it takes as long. */
static struct span hash_of(const struct users *u, const struct accept_basic *b, bool *his)
{
    struct span hash = users_find(u, USERS_PASSWORD, b->user, SPAN(""));
    *his = hash.n != 0;
    return *his ? hash : users_some_password(u, b->user);
}

bool accept_basic_is_quick(const struct users *u, struct accept_memo *m, const struct accept_basic *b)
{
    bool his;
    struct span hash = hash_of(u, b, &his);
    return !basic_hash_is_slow(hash) || (his && known(m, b, hash));
}

bool accept_basic_check(const struct users *u, struct accept_memo *m, const struct accept_basic *b)
{
    bool his;
    struct span hash = hash_of(u, b, &his);
    bool slow = basic_hash_is_slow(hash);
    if (his && slow && known(m, b, hash))
        return true;
    struct secret password = {0};
    secret_set(&password, b->password);
    bool right = basic_hash_is(hash, &password);
    secret_free(&password);
    if (his && right && slow && m) {
        unsigned char mark[MARK_BYTES];
        mark_of(m, b, hash, mark);
        remember(m, mark);
    }
    return his && right;
}
