/*
 * The state file "refused", written whole to a neighbour and renamed over the old one at each change (changes are rare: a password was refused).
 * Fields are separated by blanks; what could be mistaken for one inside an account is percent-encoded.
 */
#include "keys/mark.h"

#include <errno.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/log.h"
#include "keys/state_file.h"

#define MARKS_MAX  256
#define FILE_BYTES ((size_t)256 << 10)
#define KEY_BYTES  32

/* The key of this machine and user: made at the first start. */
static void load_key(struct marks *m)
{
    char fresh[KEY_BYTES];
    struct buf old = {0};
    char *path = m->directory ? state_path(m->directory, "mark-key") : NULL;

    errno = 0;
    if (path && state_read(path, &old, KEY_BYTES) && old.n == KEY_BYTES) {
        secret_set(&m->key, buf_span(&old));
    } else {
        if (path && (old.n > 0 || errno != ENOENT))
            log_warning(NULL, "%s is damaged or cannot be read: which passwords were refused is forgotten",
                        path);
        if (RAND_bytes((unsigned char *)fresh, sizeof fresh) != 1)
            abort();
        secret_set(&m->key, span_make(fresh, sizeof fresh));
        if (path && !state_write(path, span_make(fresh, sizeof fresh)))
            log_warning(NULL, "cannot write %s: %s: refused passwords are forgotten at a restart", path,
                        strerror(errno));
        secret_wipe(fresh, sizeof fresh);
    }
    secret_wipe(old.p, old.n);
    buf_free(&old);
    free(path);
}

static bool hash_is_sound(struct span hash)
{
    if (hash.n != MARK_HEX)
        return false;
    for (size_t i = 0; i < hash.n; i++)
        if (!strchr("0123456789abcdef", hash.p[i]) || !hash.p[i])
            return false;
    return true;
}

static void append(struct marks *m, char *account, struct span hash, char *upstream)
{
    struct mark *mark = mem_zero(sizeof *mark);
    mark->account = account;
    memcpy(mark->hash, hash.p, MARK_HEX);
    mark->upstream = upstream;
    list_push_back(&m->all, &mark->node);
    m->n++;
}

static void drop(struct marks *m, struct mark *mark)
{
    list_remove(&mark->node);
    m->n--;
    free(mark->account);
    free(mark->upstream);
    free(mark);
}

static void load_marks(struct marks *m)
{
    struct buf text = {0};
    char *path = state_path(m->directory, "refused");
    if (state_read(path, &text, FILE_BYTES)) {
        struct span rest = buf_span(&text);
        while (rest.n && m->n < MARKS_MAX) {
            struct span line = span_cut(&rest, '\n');
            struct span account = span_word(&line), hash = span_word(&line), upstream = span_word(&line);
            if (hash_is_sound(hash) && upstream.n)
                append(m, state_decode(account), hash,
                       span_eq(upstream, SPAN("*")) ? NULL : state_decode(upstream));
            else
                log_warning(NULL, "%s: a damaged line is left out", path);
        }
    } else if (errno != ENOENT) {
        log_warning(NULL, "cannot read %s: %s", path, strerror(errno));
    }
    buf_free(&text);
    free(path);
}

static void save(const struct marks *m)
{
    if (!m->directory)
        return;
    struct buf text = {0};
    struct list *it, *safe;
    list_each(it, safe, &m->all)
    {
        const struct mark *mark = list_entry(it, struct mark, node);
        state_encode(&text, mark->account);
        buf_addf(&text, " %s ", mark->hash);
        state_encode(&text, mark->upstream ? mark->upstream : "*");
        buf_add_str(&text, "\n");
    }
    if (!state_replace(m->directory, "refused", buf_span(&text)))
        log_warning(NULL, "cannot write %s/refused: %s: refused passwords are forgotten at a restart",
                    m->directory, strerror(errno));
    buf_free(&text);
}

void marks_open(struct marks *m, const char *directory)
{
    *m = (struct marks){.directory = mem_strdup(directory)};
    list_init(&m->all);
    load_key(m);
    if (directory)
        load_marks(m);
}

void marks_close(struct marks *m)
{
    while (!list_empty(&m->all))
        drop(m, list_entry(m->all.next, struct mark, node));
    secret_free(&m->key);
    free(m->directory);
    m->directory = NULL;
}

void marks_hash(const struct marks *m, const char *account, const struct secret *secret,
                char hash[MARK_HEX + 1])
{
    struct secret text = {0};
    unsigned char bytes[EVP_MAX_MD_SIZE];
    unsigned n = 0;
    secret_set(&text, span_make(account, strlen(account) + 1)); /* its NUL keeps the two apart */
    secret_add(&text, secret_reveal(secret));
    struct span key = secret_reveal(&m->key), t = secret_reveal(&text);
    if (!HMAC(EVP_sha256(), key.p, (int)key.n, (const unsigned char *)t.p, t.n, bytes, &n))
        abort();
    for (size_t i = 0; i < MARK_HEX / 2; i++)
        snprintf(hash + 2 * i, 3, "%02x", bytes[i]);
    secret_free(&text);
}

static bool same(const struct mark *mark, const char *account, const char *hash)
{
    return strcmp(mark->account, account) == 0 && strcmp(mark->hash, hash) == 0;
}

void marks_add(struct marks *m, const char *account, const char *hash, const char *upstream)
{
    struct list *it, *safe;
    list_each(it, safe, &m->all)
    {
        struct mark *mark = list_entry(it, struct mark, node);
        if (same(mark, account, hash) &&
            (!mark->upstream || (upstream && strcmp(mark->upstream, upstream) == 0)))
            return;
    }
    if (m->n >= MARKS_MAX)
        drop(m, list_entry(m->all.next, struct mark, node));
    append(m, mem_strdup(account), span_str(hash), mem_strdup(upstream));
    save(m);
}

void marks_remove(struct marks *m, const char *account, const char *hash, const char *upstream)
{
    bool changed = false;
    struct list *it, *safe;
    list_each(it, safe, &m->all)
    {
        struct mark *mark = list_entry(it, struct mark, node);
        if (same(mark, account, hash) && (!mark->upstream || strcmp(mark->upstream, upstream) == 0)) {
            drop(m, mark);
            changed = true;
        }
    }
    if (changed)
        save(m);
}
