/*
 * Faces of a proxy (hop.h). A face knows its proxy; the proxy keeps only a list of those that are there, without references, the last used first.
 */
#include <stdlib.h>

#include "base/buf.h"
#include "route/hop.h"

struct hop *hop_base(struct hop *h)
{
    return h->base ? h->base : h;
}

void hop_answered(struct hop *h)
{
    h->known = true;
    if (h->user)
        h->base->known = true;
}

void hop_asked(struct hop *h)
{
    h->asks = true;
    if (h->user)
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
            list_remove(&face->link);
            list_push_front(&base->faces, &face->link);
            return hop_ref(face);
        }
        ++*n;
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
        if (!face->authenticates)
            return hop_ref(face);
    }
    return face_new(base);
}

bool hop_exempts(const struct hop *base, struct span host, uint16_t port)
{
    struct destination d = destination_of(host, port);
    for (size_t i = 0; i < base->n_no_auth; i++)
        if (pattern_matches(&base->no_auth[i], &d))
            return true;
    return false;
}

void hop_visit(struct hop *proxy, bool faces, void (*visit)(struct hop *h))
{
    struct list *it, *safe;
    if (faces)
        list_each(it, safe, &proxy->faces) visit(list_entry(it, struct hop, link));
    visit(proxy);
}
