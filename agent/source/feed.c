/*
 * Three clocks, all of them only compared with when a request comes: until when the script is fresh, until when a failed source is left alone, and
 * whether an attempt has ended since the beginning or the last change of the network (only a request before that waits for it: later ones go
 * on with what there is, so that a dead server slows nothing down).
 *
 * A script that turns out to be none (judged bad by whoever runs it) is put back for the good one before it, and not taken again.
 */
#include "source/feed.h"

#include <stdlib.h>
#include <time.h>

#include "base/log.h"
#include "base/url.h"
#include "source/copy.h"

#define FILE_EVERY_MS   2000u /* looks at a file */
#define NONE_SECONDS    300u  /* before WPAD looks again where it found none */
#define BACKOFF_MS      8000u /* after a first failure, then */
#define BACKOFF_FACTOR  4u    /* times as long, until */
#define BACKOFF_MOST_MS 900000u

struct feed {
    struct loop *loop;
    enum load_kind kind;
    char *place, *copy; /* copy: path; NULL: none is kept */
    const char *resolv_conf;
    struct config *own;
    const struct feed_events *events;
    void *owner;
    struct kept now, good; /* `good`: the one before, as long as `now` has not been judged */
    bool judged, from_disk, good_from_disk, none, failing, tried, waiting;
    char rejected[KEPT_DIGEST]; /* the script that was judged bad */
    char *error, *name;
    struct look_seen seen;
    struct copy *reading, *writing;
    bool write_again;
    struct load *load;
    struct later tell;
    uint64_t fresh_until, not_before, confirmed, good_confirmed; /* loop_now */
    unsigned backoff_ms;
};

/* --- telling --- */

static void set_text(char **text, struct span value)
{
    char *copy = span_dup(value);
    free(*text);
    *text = copy;
}

static void tell_script(struct feed *f)
{
    struct buf name = {0};
    if (f->kind == LOAD_FILE)
        buf_add_str(&name, f->place);
    else
        url_shown(span_str(f->kind == LOAD_URL ? f->place : f->now.from), &name);
    set_text(&f->name, buf_span(&name));
    buf_free(&name);
    f->none = false;
    f->events->script(f->owner, span_str(f->name), buf_span(&f->now.script), f->now.charset);
}

static void settle(struct feed *f)
{
    if (!f->waiting)
        return;
    f->waiting = false;
    f->events->settled(f->owner);
}

static void fail(struct feed *f, struct span why)
{
    bool news = !f->failing;
    set_text(&f->error, why);
    f->failing = true;
    f->backoff_ms = f->kind == LOAD_FILE ? FILE_EVERY_MS
                    : f->backoff_ms      ? f->backoff_ms * BACKOFF_FACTOR
                                         : BACKOFF_MS;
    if (f->backoff_ms > BACKOFF_MOST_MS)
        f->backoff_ms = BACKOFF_MOST_MS;
    f->not_before = loop_now(f->loop) + f->backoff_ms;
    if (news)
        f->events->failed(f->owner, why);
}

static void confirm(struct feed *f, unsigned fresh)
{
    f->fresh_until = loop_now(f->loop) + (f->kind == LOAD_FILE ? FILE_EVERY_MS : fresh * 1000ull);
    f->confirmed = loop_now(f->loop);
    f->now.seen = (int64_t)time(NULL);
    f->from_disk = f->failing = false;
    f->backoff_ms = 0;
    f->not_before = 0;
    set_text(&f->error, SPAN(""));
}

/* --- the copy on disk --- */

static bool begin_load(struct feed *f);

static void was_read(void *owner, struct kept *kept)
{
    struct feed *f = owner;
    f->reading = NULL;
    if (kept) {
        f->now = *kept;
        *kept = (struct kept){0};
        f->from_disk = f->judged = true;
        tell_script(f);
    }
    if (f->waiting && (!begin_load(f) || f->now.script.n))
        settle(f);
}

static void start_writing(struct feed *f);

static void was_written(void *owner, bool good, const struct err *why)
{
    struct feed *f = owner;
    f->writing = NULL;
    if (!good)
        log_warning(NULL, "no copy of the PAC script is kept: %s", why->text);
    if (f->write_again && f->judged)
        start_writing(f);
}

static void start_writing(struct feed *f)
{
    f->write_again = f->writing != NULL;
    if (!f->writing)
        f->writing = copy_write(f->loop, f->copy, &f->now, was_written, f);
}

/* --- looking --- */

static char *text_or_null(struct span s)
{
    return s.n ? span_dup(s) : NULL;
}

static void take(struct feed *f, const struct loaded *l)
{
    bool same = span_eq(l->script, buf_span(&f->now.script)), from_disk = f->from_disk;
    uint64_t confirmed = f->confirmed;
    struct kept old = f->now;
    f->now = (struct kept){.from = span_dup(l->from),
                           .etag = text_or_null(l->etag),
                           .modified = text_or_null(l->modified),
                           .charset = text_or_null(l->charset)};
    buf_add_span(&f->now.script, l->script);
    confirm(f, l->fresh);
    if (same) {
        kept_free(&old);
        return;
    }
    if (f->judged) {
        kept_free(&f->good);
        f->good = old;
        f->good_from_disk = from_disk;
        f->good_confirmed = confirmed;
    } else {
        kept_free(&old);
    }
    f->judged = false;
    tell_script(f);
}

static void take_none(struct feed *f, struct span why)
{
    bool news = !f->none;
    kept_free(&f->now);
    kept_free(&f->good);
    confirm(f, NONE_SECONDS);
    f->none = true;
    set_text(&f->error, why);
    if (news)
        f->events->none(f->owner, why);
}

static bool is_rejected(const struct feed *f, struct span script)
{
    char sum[KEPT_DIGEST];
    kept_digest(script, sum);
    return strcmp(sum, f->rejected) == 0;
}

static void loaded(void *owner, const struct loaded *l)
{
    struct feed *f = owner;
    f->load = NULL;
    f->tried = true;
    if (f->kind == LOAD_FILE)
        f->seen = l->seen;
    if (l->result == LOAD_NEW && is_rejected(f, l->script))
        fail(f, SPAN("the script is still the one that cannot be used"));
    else if (l->result == LOAD_NEW)
        take(f, l);
    else if (l->result == LOAD_SAME)
        confirm(f, l->fresh);
    else if (l->result == LOAD_NONE)
        take_none(f, l->why);
    else
        fail(f, l->why);
    settle(f);
}

/* false: now is not the time for it. */
static bool begin_load(struct feed *f)
{
    uint64_t now = loop_now(f->loop);
    if (f->load)
        return true;
    if (now < f->fresh_until || now < f->not_before)
        return false;
    struct load_wish wish = {.kind = f->kind,
                             .place = f->place,
                             .have = &f->now,
                             .seen = f->seen,
                             .resolv_conf = f->resolv_conf,
                             .own = f->own};
    f->load = load_start(f->loop, &wish, loaded, f);
    return true;
}

static bool must_wait(const struct feed *f)
{
    if (f->kind == LOAD_FILE)
        return true;
    return !f->tried && (f->kind == LOAD_WPAD || f->now.script.n == 0);
}

bool feed_want(struct feed *f)
{
    if (f->reading || (begin_load(f) && must_wait(f)))
        f->waiting = true;
    return !f->waiting;
}

void feed_doubt(struct feed *f)
{
    f->fresh_until = f->not_before = 0;
    f->backoff_ms = 0;
    f->tried = false;
    if (!f->load || f->kind == LOAD_FILE)
        return;
    load_cancel(f->load); /* it began in another network, and may wait for that in vain */
    f->load = NULL;
    if (f->waiting)
        begin_load(f);
}

/* --- judgement --- */

static void tell_again(void *owner)
{
    struct feed *f = owner;
    tell_script(f);
}

static void reject(struct feed *f, struct span why)
{
    kept_digest(buf_span(&f->now.script), f->rejected);
    kept_free(&f->now);
    f->now = f->good;
    f->good = (struct kept){0};
    f->from_disk = f->good_from_disk;
    f->confirmed = f->good_confirmed;
    f->fresh_until = 0;
    f->failing = true;
    set_text(&f->error, why);
    f->backoff_ms = BACKOFF_MS;
    f->not_before = loop_now(f->loop) + f->backoff_ms;
    if (f->now.script.n)
        later_start(f->loop, &f->tell, tell_again, f);
}

bool feed_judge(struct feed *f, bool good, struct span why)
{
    if (f->now.script.n == 0)
        return false;
    if (!good) {
        reject(f, why);
        f->judged = f->now.script.n > 0;
        return f->judged;
    }
    bool news = !f->judged;
    f->judged = true;
    f->rejected[0] = '\0';
    kept_free(&f->good);
    if (news && f->copy)
        start_writing(f);
    return false;
}

/* --- up and down --- */

struct feed *feed_new(struct loop *loop, const struct feed_place *where, struct config *own,
                      const struct feed_events *events, void *owner)
{
    struct feed *f = mem_zero(sizeof *f);
    struct buf copy = {0};
    *f = (struct feed){.loop = loop,
                       .kind = where->kind,
                       .place = mem_strdup(where->place),
                       .resolv_conf = where->resolv_conf,
                       .own = config_ref(own),
                       .events = events,
                       .owner = owner,
                       .error = mem_strdup(""),
                       .name = mem_strdup("")};
    if (where->kind == LOAD_URL && where->folder) {
        kept_path(where->folder, where->place, &copy);
        f->copy = mem_strdup(buf_cstr(&copy));
        buf_free(&copy);
        f->reading = copy_read(loop, f->copy, was_read, f);
    }
    return f;
}

void feed_free(struct feed *f)
{
    if (!f)
        return;
    load_cancel(f->load);
    copy_cancel(f->reading);
    copy_cancel(f->writing);
    later_cancel(&f->tell);
    kept_free(&f->now);
    kept_free(&f->good);
    config_unref(f->own);
    free(f->place);
    free(f->copy);
    free(f->error);
    free(f->name);
    free(f);
}

bool feed_is(const struct feed *f, enum load_kind kind, const char *place)
{
    return f->kind == kind && (kind == LOAD_WPAD || strcmp(f->place, place) == 0);
}

void feed_own(struct feed *f, struct config *own)
{
    config_unref(f->own);
    f->own = config_ref(own);
}

void feed_state(const struct feed *f, struct pac_source_state *out)
{
    uint64_t now = loop_now(f->loop);
    bool has = f->now.script.n > 0;
    out->place = f->name;
    out->etag = f->now.etag ? f->now.etag : "";
    out->error = f->error;
    out->size = f->now.script.n;
    out->age = !has           ? -1
               : f->from_disk ? (int64_t)time(NULL) - f->now.seen
                              : (int64_t)((now - f->confirmed) / 1000);
    if (has && out->age < 0)
        out->age = 0;
    out->from_disk = f->from_disk;
    out->busy = f->reading || f->load;
    out->retry_in = f->failing && f->not_before > now ? (unsigned)((f->not_before - now + 999) / 1000) : 0;
}
