/*
 * The rows of the scheme floor and their file, written whole at each change. Changes are rare: a first success, a stronger scheme, an alarm. There are
 * at most a few rows for each proxy that the configuration ever named. Owner: the keyholder. Main thread.
 */
#include "keys/floor.h"

#include <errno.h>
#include <stdlib.h>

#include "base/log.h"
#include "keys/choose.h"
#include "keys/state_file.h"

#define ROWS_MAX   1024
#define FILE_BYTES ((size_t)256 << 10)
#define FILE_NAME  "floors"

static const char *const kinds[FLOOR_KINDS] = {"floor", "lowered", "alarm"};

static const struct {
    const char *name; /* in the file */
    const char *words;
    enum auth_scheme scheme;
} levels[FLOOR_LEVELS] = {
    [FLOOR_NONE] = {"none", "nothing", AUTH_SCHEMES},
    [FLOOR_BASIC] = {"basic", "Basic", AUTH_BASIC},
    [FLOOR_DIGEST] = {"digest", "Digest", AUTH_DIGEST},
    [FLOOR_DIGEST_SHA2] = {"digest-sha2", "Digest with SHA-2", AUTH_DIGEST},
    [FLOOR_NTLM] = {"ntlm", "NTLM", AUTH_NTLM},
    [FLOOR_KERBEROS] = {"kerberos", "Negotiate (Kerberos)", AUTH_NEGOTIATE},
};

const char *floor_words(enum floor_level level)
{
    return levels[level].words;
}

enum floor_level floor_of_schemes(unsigned schemes, enum floor_level digest)
{
    for (int l = FLOOR_KERBEROS; l > FLOOR_NONE; l--)
        if (schemes & SCHEME_BIT(levels[l].scheme))
            return levels[l].scheme == AUTH_DIGEST ? digest : (enum floor_level)l;
    return FLOOR_NONE;
}

/* Lowered to Digest means any Digest: that this proxy can do better was never seen. */
enum floor_level floor_held(enum floor_level floor, unsigned allowed)
{
    for (int l = (int)floor; l > FLOOR_NONE; l--)
        if (allowed & SCHEME_BIT(levels[l].scheme) && (l != FLOOR_DIGEST_SHA2 || floor == FLOOR_DIGEST_SHA2))
            return (enum floor_level)l;
    return FLOOR_NONE;
}

/* --- rows --- */

static void append(struct floors *f, enum floor_kind kind, char *upstream, char *proxy,
                   enum floor_level level, char *offer)
{
    struct floor_row *r = mem_zero(sizeof *r);
    *r = (struct floor_row){
        .kind = kind, .upstream = upstream, .proxy = proxy, .level = level, .offer = offer};
    list_push_back(&f->rows, &r->node);
    f->n++;
}

static void drop(struct floors *f, struct floor_row *r)
{
    if (!r)
        return;
    list_remove(&r->node);
    f->n--;
    free(r->upstream);
    free(r->proxy);
    free(r->offer);
    free(r);
}

static struct floor_row *find(const struct floors *f, enum floor_kind kind, const char *upstream,
                              const char *proxy)
{
    struct list *it, *safe;
    list_each(it, safe, &f->rows)
    {
        struct floor_row *r = list_entry(it, struct floor_row, node);
        if (r->kind == kind && strcmp(r->upstream, upstream) == 0 &&
            (kind == FLOOR_STRONGEST || strcmp(r->proxy, proxy) == 0))
            return r;
    }
    return NULL;
}

/* In place of the row that there was. */
static void put(struct floors *f, enum floor_kind kind, const char *upstream, const char *proxy,
                enum floor_level level, const char *offer)
{
    drop(f, find(f, kind, upstream, proxy));
    if (f->n >= ROWS_MAX)
        drop(f, list_entry(f->rows.next, struct floor_row, node));
    append(f, kind, mem_strdup(upstream), mem_strdup(proxy), level, mem_strdup(offer));
}

/* --- the file --- */

static int row_named(const char *const *names, int n, struct span name)
{
    for (int i = 0; i < n; i++)
        if (span_eq(name, span_str(names[i])))
            return i;
    return -1;
}

static int level_named(struct span name)
{
    for (int l = 0; l < FLOOR_LEVELS; l++)
        if (span_eq(name, span_str(levels[l].name)))
            return l;
    return -1;
}

static bool read_line(struct floors *f, struct span line)
{
    int kind = row_named(kinds, FLOOR_KINDS, span_word(&line));
    struct span upstream = span_word(&line), proxy = span_word(&line);
    int level = level_named(span_word(&line));
    struct span offer = span_word(&line);
    if (kind < 0 || level < 0 || !proxy.n || (kind == FLOOR_ALARM) != (offer.n > 0) || span_word(&line).n)
        return false;
    append(f, (enum floor_kind)kind, state_decode(upstream), state_decode(proxy), (enum floor_level)level,
           offer.n ? state_decode(offer) : NULL);
    return true;
}

/* A row that was lowered came after one that says from where; without that, the alarm would have nothing to compare with. */
static void complete(struct floors *f)
{
    struct list *it, *safe;
    list_each(it, safe, &f->rows)
    {
        const struct floor_row *r = list_entry(it, struct floor_row, node);
        if (r->kind == FLOOR_LOWERED && !find(f, FLOOR_STRONGEST, r->upstream, r->proxy))
            append(f, FLOOR_STRONGEST, mem_strdup(r->upstream), mem_strdup(r->proxy), r->level, NULL);
    }
}

static void load(struct floors *f)
{
    struct buf text = {0};
    char *path = state_path(f->directory, FILE_NAME);
    if (state_read(path, &text, FILE_BYTES)) {
        struct span rest = buf_span(&text);
        bool damaged = rest.n == FILE_BYTES;
        while (rest.n && f->n < ROWS_MAX)
            damaged = !read_line(f, span_cut(&rest, '\n')) || damaged;
        complete(f);
        if (damaged)
            log_warning(NULL, "%s is damaged: what cannot be read of it is left out", path);
    } else if (errno != ENOENT) {
        log_warning(NULL, "cannot read %s: %s: which schemes the proxies accepted before is not known", path,
                    strerror(errno));
    }
    buf_free(&text);
    free(path);
}

static void save(struct floors *f)
{
    if (!f->directory)
        return;
    struct buf text = {0};
    struct list *it, *safe;
    list_each(it, safe, &f->rows)
    {
        const struct floor_row *r = list_entry(it, struct floor_row, node);
        buf_addf(&text, "%s ", kinds[r->kind]);
        state_encode(&text, r->upstream);
        buf_add_str(&text, " ");
        state_encode(&text, r->proxy);
        buf_addf(&text, " %s", levels[r->level].name);
        if (r->offer) {
            buf_add_str(&text, " ");
            state_encode(&text, r->offer);
        }
        buf_add_str(&text, "\n");
    }
    bool good = state_replace(f->directory, FILE_NAME, buf_span(&text));
    if (!good && !f->complained)
        log_warning(NULL,
                    "cannot write %s/%s: %s: which schemes the proxies accepted is forgotten at a restart",
                    f->directory, FILE_NAME, strerror(errno));
    f->complained = !good;
    buf_free(&text);
}

void floors_open(struct floors *f, const char *directory)
{
    *f = (struct floors){.directory = mem_strdup(directory)};
    list_init(&f->rows);
    if (directory)
        load(f);
}

void floors_close(struct floors *f)
{
    while (!list_empty(&f->rows))
        drop(f, list_entry(f->rows.next, struct floor_row, node));
    free(f->directory);
    f->directory = NULL;
}

/* --- what is asked and told --- */

const struct floor_row *floors_find(const struct floors *f, enum floor_kind kind, const char *upstream,
                                    const char *proxy)
{
    return find(f, kind, upstream, proxy);
}

enum floor_level floors_needed(const struct floors *f, const char *upstream, const char *proxy)
{
    const struct floor_row *r = find(f, FLOOR_LOWERED, upstream, proxy);
    if (!r)
        r = find(f, FLOOR_STRONGEST, upstream, proxy);
    return r ? r->level : FLOOR_NONE;
}

void floors_learn(struct floors *f, const char *upstream, const char *proxy, enum floor_level level)
{
    const struct floor_row *strongest = find(f, FLOOR_STRONGEST, upstream, proxy);
    struct floor_row *lowered = find(f, FLOOR_LOWERED, upstream, proxy);
    bool higher = !strongest || level > strongest->level;
    if (!higher && !(lowered && level > lowered->level))
        return;
    if (lowered && level >= (higher ? level : strongest->level))
        drop(f, lowered);
    else if (lowered)
        lowered->level = level;
    if (higher)
        put(f, FLOOR_STRONGEST, upstream, proxy, level, NULL);
    save(f);
}

bool floors_ring(struct floors *f, const char *upstream, const char *proxy, enum floor_level level,
                 const char *offer)
{
    const struct floor_row *before = find(f, FLOOR_ALARM, upstream, proxy);
    if (before && before->level == level && strcmp(before->offer, offer) == 0)
        return false;
    put(f, FLOOR_ALARM, upstream, proxy, level, offer);
    save(f);
    return true;
}

void floors_calm(struct floors *f, const char *upstream, const char *proxy)
{
    struct floor_row *r = find(f, FLOOR_ALARM, upstream, proxy);
    if (!r)
        return;
    drop(f, r);
    save(f);
}

void floors_accept(struct floors *f, const char *upstream, const char *proxy)
{
    struct floor_row *r = find(f, FLOOR_ALARM, upstream, proxy);
    if (!r)
        return;
    put(f, FLOOR_LOWERED, upstream, proxy, r->level, NULL);
    drop(f, find(f, FLOOR_ALARM, upstream, proxy));
    save(f);
}
