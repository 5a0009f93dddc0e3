/*
 * The rules of guard.h. Everything that limits attempts stands in may_begin, everything that a refusal means in guard_refused.
 * A guard belongs to its table and to the editions and attempts that hold references; main thread only.
 */
#include "keys/guard.h"

#include <stdlib.h>

#include "base/buf.h"

struct refused_site {
    char *site;
    int64_t until;
    int64_t span; /* milliseconds that it was remembered for the last time; 0: a success came since */
};

struct guard_record {
    struct guard_record *next;
    char *upstream;
    bool proven;
    bool frozen;
    bool overlooked; /* once since the last success */
    char *suspect;   /* the site of the refusal since the last success; NULL: none */
    unsigned dropped;
    int64_t paused_until;
    int64_t pause; /* milliseconds, the last one; 0: none since the last success */
    struct refused_site sites[GUARD_SITES];
    size_t next_site;
    /* sites of the counted attempts in flight, at most GUARD_IN_FLIGHT */
    const char *flying[GUARD_IN_FLIGHT];
};

struct guard *guard_new(const char *account, const char *mark)
{
    struct guard *g = mem_zero(sizeof *g);
    list_init(&g->node);
    g->refs = 1;
    g->account = mem_strdup(account);
    g->mark = mem_strdup(mark);
    return g;
}

struct guard *guard_ref(struct guard *g)
{
    if (g)
        g->refs++;
    return g;
}

static void record_free(struct guard_record *r)
{
    for (size_t i = 0; i < GUARD_SITES; i++)
        free(r->sites[i].site);
    free(r->upstream);
    free(r->suspect);
    free(r);
}

void guard_unref(struct guard *g)
{
    if (!g || --g->refs > 0)
        return;
    list_remove(&g->node);
    for (struct guard_record *r = g->records, *next; r; r = next) {
        next = r->next;
        record_free(r);
    }
    free(g->account);
    free(g->mark);
    free(g->refused_by);
    free(g);
}

static struct guard_record *find_record(const struct guard *g, const char *upstream)
{
    for (struct guard_record *r = g->records; r; r = r->next)
        if (strcmp(r->upstream, upstream) == 0)
            return r;
    return NULL;
}

static struct guard_record *need_record(struct guard *g, const char *upstream)
{
    struct guard_record *r = find_record(g, upstream);
    if (r)
        return r;
    r = mem_zero(sizeof *r);
    r->upstream = mem_strdup(upstream);
    r->next = g->records;
    g->records = r;
    return r;
}

static struct refused_site *find_site(struct guard_record *r, struct span site)
{
    for (size_t i = 0; i < GUARD_SITES; i++)
        if (r->sites[i].site && span_eq(span_str(r->sites[i].site), site))
            return &r->sites[i];
    return NULL;
}

enum guard_say guard_look(const struct guard *g, const char *upstream, struct span site, int64_t now)
{
    if (g->frozen)
        return GUARD_FROZEN;
    struct guard_record *r = find_record(g, upstream);
    if (!r)
        return GUARD_GO;
    if (r->frozen)
        return GUARD_FROZEN;
    const struct refused_site *s = find_site(r, site);
    return s && s->until > now ? GUARD_SITE : GUARD_GO;
}

bool guard_is_proven(const struct guard *g, const char *upstream)
{
    const struct guard_record *r = find_record(g, upstream);
    return r && r->proven && !g->frozen && !r->frozen;
}

static unsigned flying_to(const struct guard_record *r, struct span site)
{
    unsigned n = 0;
    for (size_t i = 0; i < GUARD_IN_FLIGHT; i++)
        n += r->flying[i] && span_eq(span_str(r->flying[i]), site);
    return n;
}

bool guard_is_accepted(const struct guard *g)
{
    for (const struct guard_record *r = g->records; r; r = r->next)
        if (r->proven)
            return true;
    return false;
}

static bool flies(const struct guard_record *r)
{
    for (size_t i = 0; i < GUARD_IN_FLIGHT; i++)
        if (r->flying[i])
            return true;
    return false;
}

/* The first attempt at this upstream waits for every other one, unless those are at an upstream that has taken the secret: their
   answers may be slow, and one more that goes wrong is still within the limit. */
static enum guard_say may_try(const struct guard *g, const struct guard_record *r)
{
    if (g->in_flight == 0)
        return GUARD_GO;
    bool calm = guard_is_accepted(g) && g->refused == 0 && !flies(r);
    return calm && g->in_flight < GUARD_IN_FLIGHT - 1 ? GUARD_GO : GUARD_WAIT;
}

/* The limits on attempts in flight, such that after a change of the password by others at most GUARD_IN_FLIGHT go wrong before the second
   refused site freezes: no more than that many in flight or refused, and not all of them for one site. */
static enum guard_say may_begin(const struct guard *g, const struct guard_record *r, struct span site,
                                enum guard_kind kind, int64_t now)
{
    if (kind == GUARD_TICKET)
        return GUARD_GO;
    if (r->paused_until > now)
        return GUARD_PAUSED;
    if (!r->proven)
        return may_try(g, r);
    if (g->in_flight == 0)
        return GUARD_GO;
    if (kind == GUARD_HEADER)
        return r->suspect ? GUARD_WAIT : GUARD_GO;
    if (g->in_flight + g->refused >= GUARD_IN_FLIGHT)
        return GUARD_WAIT;
    if (kind == GUARD_TOKEN && (g->refused || g->in_flight == GUARD_IN_FLIGHT - 1))
        return GUARD_LAST;
    return kind != GUARD_PAIR && flying_to(r, site) >= GUARD_SAME_SITE ? GUARD_WAIT : GUARD_GO;
}

enum guard_say guard_begin(struct guard *g, const char *upstream, struct span site, enum guard_kind kind,
                           int64_t now, struct guard_attempt *attempt)
{
    enum guard_say say = guard_look(g, upstream, site, now);
    if (say != GUARD_GO)
        return say;
    struct guard_record *r = need_record(g, upstream);
    say = may_begin(g, r, site, kind, now);
    if (say != GUARD_GO)
        return say;
    bool counted = kind == GUARD_TOKEN || kind == GUARD_ASIDE || kind == GUARD_PAIR ||
                   (kind == GUARD_HEADER && (!r->proven || r->suspect));
    *attempt = (struct guard_attempt){guard_ref(g), r, span_dup(site), kind, counted, g->refusals};
    if (counted) {
        g->in_flight++;
        for (size_t i = 0; i < GUARD_IN_FLIGHT; i++) {
            if (!r->flying[i]) {
                r->flying[i] = attempt->site;
                break;
            }
        }
    }
    return GUARD_GO;
}

/* Takes the attempt out of the counts and gives back what it held. */
static void end(struct guard_attempt *attempt)
{
    struct guard *g = attempt->guard;
    if (attempt->counted) {
        g->in_flight--;
        for (size_t i = 0; i < GUARD_IN_FLIGHT; i++)
            if (attempt->record->flying[i] == attempt->site)
                attempt->record->flying[i] = NULL;
    }
    free(attempt->site);
    *attempt = (struct guard_attempt){0};
    guard_unref(g);
}

static void remember_site(struct guard_record *r, const char *site, int64_t now)
{
    struct refused_site *s = find_site(r, span_str(site));
    if (!s) {
        s = &r->sites[r->next_site++ % GUARD_SITES];
        free(s->site);
        *s = (struct refused_site){.site = mem_strdup(site)};
    }
    if (s->until > now)
        return; /* the second of two that flew at once */
    s->span = s->span ? s->span * GUARD_SITE_FACTOR : GUARD_SITE_MS;
    if (s->span > GUARD_SITE_MAX_MS)
        s->span = GUARD_SITE_MAX_MS;
    s->until = now + s->span;
}

enum guard_fall guard_refused(struct guard_attempt *attempt, int64_t now)
{
    struct guard *g = attempt->guard;
    struct guard_record *r = attempt->record;
    enum guard_fall fall = GUARD_FELL_FROZEN;

    if (!g)
        return fall;
    g->refusals++;
    g->refused += attempt->kind != GUARD_TICKET;
    if (!g->frozen && !r->frozen) {
        bool second = r->suspect && strcmp(r->suspect, attempt->site) != 0;
        if (r->proven && !second && attempt->kind != GUARD_PAIR) {
            fall = GUARD_FELL_SITE;
            remember_site(r, attempt->site, now);
            free(r->suspect);
            r->suspect = mem_strdup(attempt->site);
        } else if (attempt->kind != GUARD_TICKET && (r->proven || !guard_is_accepted(g))) {
            g->frozen = true;
        } else {
            r->frozen = true;
        }
    }
    end(attempt);
    return fall;
}

void guard_denied(struct guard_attempt *attempt)
{
    if (!attempt->guard)
        return;
    attempt->guard->frozen = true;
    end(attempt);
}

/* The secret is good: what was refused was about the site. */
static void explain(struct guard *g, struct guard_record *r, enum guard_kind kind)
{
    if (kind != GUARD_TICKET)
        g->refused = 0;
    free(r->suspect);
    r->suspect = NULL;
    for (size_t i = 0; i < GUARD_SITES; i++)
        r->sites[i].span = 0;
}

void guard_accepted(struct guard_attempt *attempt)
{
    struct guard_record *r = attempt->record;
    if (!attempt->guard)
        return;
    r->proven = true;
    r->overlooked = false;
    r->dropped = 0;
    r->pause = 0;
    if (attempt->kind == GUARD_TICKET || attempt->refusals == attempt->guard->refusals)
        explain(attempt->guard, r, attempt->kind);
    end(attempt);
}

void guard_dropped(struct guard_attempt *attempt, int64_t now)
{
    struct guard_record *r = attempt->record;
    if (!attempt->guard)
        return;
    /* A proxy that hangs up instead of saying no may have counted it all the same. */
    if (attempt->counted && !r->proven && ++r->dropped >= GUARD_DROPPED_MAX) {
        r->pause = r->pause ? r->pause * GUARD_DROPPED_FACTOR : GUARD_DROPPED_MS;
        if (r->pause > GUARD_DROPPED_MOST_MS)
            r->pause = GUARD_DROPPED_MOST_MS;
        r->paused_until = now + r->pause;
    }
    end(attempt);
}

void guard_passed(struct guard_attempt *attempt)
{
    if (attempt->guard)
        end(attempt);
}

bool guard_overlooked(const struct guard_attempt *attempt)
{
    struct guard_record *r = attempt->record;
    if (!attempt->guard || attempt->kind == GUARD_TICKET || r->proven)
        return true;
    bool before = r->overlooked;
    r->overlooked = true;
    return !before;
}

void guard_freeze(struct guard *g, const char *upstream)
{
    if (upstream)
        need_record(g, upstream)->frozen = true;
    else
        g->frozen = true;
}

void guard_thaw(struct guard *g)
{
    g->frozen = false;
    g->refused = 0;
    for (struct guard_record *r = g->records; r; r = r->next) {
        r->frozen = r->proven = r->overlooked = false;
        r->paused_until = r->pause = 0;
        r->dropped = 0;
        free(r->suspect);
        r->suspect = NULL;
        for (size_t i = 0; i < GUARD_SITES; i++)
            r->sites[i].until = r->sites[i].span = 0;
    }
}

struct span guard_site(struct span target)
{
    for (size_t i = 0; i + 2 < target.n; i++) {
        if (target.p[i] == '/' || target.p[i] == '?')
            break;
        if (memcmp(target.p + i, "://", 3) == 0) {
            target = span_from(target, i + 3);
            break;
        }
    }
    size_t n = 0;
    while (n < target.n && target.p[n] != '/' && target.p[n] != '?' && target.p[n] != '#')
        n++;
    target = span_head(target, n);
    size_t colon = span_rfind(target, ':'), bracket = span_rfind(target, ']');
    return colon < target.n && (bracket == target.n || colon > bracket) ? span_head(target, colon) : target;
}
