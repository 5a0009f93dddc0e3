/*
 * Faces of a hop (hop.h). A face knows its hop; that keeps only a list of those that are there, without references, the last used first.
 */
#include <stdlib.h>

#include "base/buf.h"
#include "route/hop.h"

struct hop *hop_base(struct hop *h)
{
    return h->base ? h->base : h;
}

/* What such a face learns of the place holds for all. */
static bool speaks_for_base(const struct hop *h)
{
    return h->user || (h->acts_for && !h->bare);
}

void hop_answered(struct hop *h)
{
    h->known = true;
    if (speaks_for_base(h))
        h->base->known = true;
}

void hop_asked(struct hop *h)
{
    h->asks = true;
    if (speaks_for_base(h))
        h->base->asks = true;
}

static struct hop *face_new(struct hop *base)
{
    struct hop *h = mem_zero(sizeof *h);
    h->refs = 1;
    list_init(&h->link);
    list_init(&h->faces);
    h->base = hop_ref(base);
    h->upstream = mem_strdup(base->upstream);
    h->host = mem_strdup(base->host);
    h->port = base->port;
    h->name = mem_strdup(base->name);
    h->connections = base->connections;
    h->dial_ms = base->dial_ms;
    h->answer_ms = base->answer_ms;
    h->retired = base->retired;
    list_push_front(&base->faces, &h->link);
    return h;
}

static void touch(struct hop *face)
{
    list_remove(&face->link);
    list_push_front(&face->base->faces, &face->link);
}

/* An address in both is compared in whole, whatever it begins with. */
static bool is_same(const struct hop *face, struct span user, const struct secret *password)
{
    return face->user && span_eq(span_str(face->user), user) && secret_eq(&face->password, password);
}

static struct hop *find(struct hop *base, struct span user, const struct secret *password, size_t *n)
{
    struct list *it, *safe;
    *n = 0;
    list_each(it, safe, &base->faces)
    {
        struct hop *face = list_entry(it, struct hop, link);
        if (is_same(face, user, password)) {
            touch(face);
            return hop_ref(face);
        }
        *n += face->user != NULL;
    }
    return NULL;
}

struct hop *hop_as(struct hop *base, struct span user, struct span password)
{
    struct secret secret = {0};
    size_t n;
    secret_set(&secret, password);
    struct hop *face = find(base, user, &secret, &n);
    if (!face && n < HOP_FACES_MOST) {
        face = face_new(base);
        face->user = span_dup(user);
        secret_move(&face->password, &secret);
        face->authenticates = true;
    }
    secret_free(&secret);
    return face;
}

struct hop *hop_bare(struct hop *base)
{
    struct list *it, *safe;
    list_each(it, safe, &base->faces)
    {
        struct hop *face = list_entry(it, struct hop, link);
        if (face->bare && !face->acts_for)
            return hop_ref(face);
    }
    struct hop *face = face_new(base);
    face->bare = true;
    return face;
}

/* --- for users of gateways --- */

size_t hop_users(const struct hop *base)
{
    size_t n = 0;
    for (const struct list *it = base->faces.next; it != &base->faces; it = it->next)
        n += list_entry(it, const struct hop, link)->acts_for != NULL;
    return n;
}

static struct hop *find_acting(struct hop *base, struct span whom, bool exempt)
{
    struct list *it, *safe;
    list_each(it, safe, &base->faces)
    {
        struct hop *face = list_entry(it, struct hop, link);
        if (!face->acts_for || face->bare != exempt || !span_eq(span_str(face->acts_for), whom))
            continue;
        touch(face);
        return hop_ref(face);
    }
    return NULL;
}

static struct hop *act(struct hop *base, struct span whom, bool exempt);

/* The same way, as this user as far as anybody is shown who it is. false: there is no room on it. */
static bool lead_as(struct hop *face, struct span whom)
{
    struct hop *base = face->base;
    struct hop **through = mem_zero((base->n_through + 1) * sizeof(struct hop *));
    size_t n = 0;
    for (; n < base->n_through; n++) {
        struct hop *next = base->through[n];
        through[n] = hop_shows_identity(next, false) ? act(next, whom, false) : hop_ref(next);
        if (!through[n])
            break;
    }
    bool whole = n == base->n_through;
    if (whole && n)
        hop_lead_through(face, through, n);
    while (n)
        hop_unref(through[--n]);
    free(through);
    return whole;
}

static struct hop *act(struct hop *base, struct span whom, bool exempt)
{
    struct hop *face = find_acting(base, whom, exempt);
    if (face || hop_users(base) >= HOP_USERS_MOST)
        return face;
    face = face_new(base);
    face->acts_for = span_dup(whom);
    face->bare = exempt;
    face->authenticates = base->authenticates && !exempt;
    face->pass_credentials = base->pass_credentials;
    face->leaves_credentials = base->leaves_credentials;
    face->socks = base->socks;
    face->socks_password = base->socks_password;
    face->outside = base->outside;
    face->known = base->known;
    face->asks = base->asks && !exempt;
    face->tls = base->tls ? tls_client_ref(base->tls) : NULL;
    face->headers = base->headers ? header_rules_ref(base->headers) : NULL;
    if (lead_as(face, whom))
        return face;
    hop_unref(face);
    return NULL;
}

/* No name of a section has a line's end in it. */
struct hop *hop_acting(struct hop *base, struct span gateway, struct span user, bool exempt)
{
    struct buf whom = {0};
    buf_addf(&whom, "%.*s\n%.*s", SPAN_ARG(gateway), SPAN_ARG(user));
    struct hop *face = act(base, buf_span(&whom), exempt);
    buf_free(&whom);
    return face;
}

bool hop_shows_identity(const struct hop *base, bool exempt)
{
    bool shows = !exempt && (base->authenticates || base->socks_password);
    for (size_t i = 0; i < base->n_through && !shows; i++)
        shows = hop_shows_identity(base->through[i], false);
    return shows;
}

bool hop_exempts(const struct hop *base, struct span host, uint16_t port)
{
    struct destination d = destination_of(host, port);
    for (size_t i = 0; i < base->n_no_auth; i++)
        if (pattern_matches(&base->no_auth[i], &d))
            return true;
    return false;
}

void hop_visit(struct hop *proxy, void (*visit)(struct hop *h))
{
    struct list *it, *safe;
    list_each(it, safe, &proxy->faces) visit(list_entry(it, struct hop, link));
    visit(proxy);
}

void hop_visit_own(struct hop *proxy, struct span upstream, void (*visit)(struct hop *h))
{
    struct list *it, *safe;
    if (!hop_meets(proxy, upstream))
        return;
    list_each(it, safe, &proxy->faces)
    {
        struct hop *face = list_entry(it, struct hop, link);
        if (proxy->n_through && !face->acts_for)
            visit(face);
    }
    visit(proxy);
}

const char *hop_known_as(const struct hop *face, struct span upstream)
{
    const char *user = span_eq(span_str(face->upstream), upstream) ? face->known_as : NULL;
    for (size_t i = 0; i < face->n_through && !user; i++)
        user = hop_known_as(face->through[i], upstream);
    return user;
}

void hop_visit_user(struct hop *proxy, struct span upstream, struct span user, void (*visit)(struct hop *h))
{
    struct list *it, *safe;
    list_each(it, safe, &proxy->faces)
    {
        struct hop *face = list_entry(it, struct hop, link);
        const char *known = hop_known_as(face, upstream);
        if (known && span_eq(span_str(known), user))
            visit(face);
    }
}
