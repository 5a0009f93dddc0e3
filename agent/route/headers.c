/*
 * Changes of fields (headers.h): rows made from the configuration once.
 */
#include "route/headers.h"

#include <stdlib.h>

#include "base/buf.h"

struct header_rule {
    enum header_edit edit;
    struct pattern pattern;
    char *upstream; /* NULL: the pattern decides */
    char *name, *value;
};

struct header_rules {
    int refs;
    struct header_rule *rows;
    size_t n;
};

static bool add(struct header_rules *r, const struct config_header *h, struct err *e)
{
    static const char *const keys[] = {
        [HEADER_SET] = "set", [HEADER_ADD] = "add", [HEADER_REMOVE] = "remove"};
    struct header_rule row = {.edit = h->edit};
    if (h->pattern && !pattern_read(&row.pattern, h->pattern, e)) {
        struct err inner = *e;
        return err_set(e, inner.code, "[headers] %s: %s", keys[h->edit], inner.text);
    }
    row.upstream = mem_strdup(h->upstream);
    row.name = mem_strdup(h->name);
    row.value = mem_strdup(h->value);
    r->rows[r->n++] = row;
    return true;
}

bool header_rules_new(struct header_rules **out, const struct config *c, struct err *e)
{
    *out = NULL;
    if (c->n_headers == 0)
        return true;
    struct header_rules *r = mem_zero(sizeof *r);
    r->refs = 1;
    r->rows = mem_zero(c->n_headers * sizeof *r->rows);
    for (size_t i = 0; i < c->n_headers; i++) {
        if (add(r, &c->headers[i], e))
            continue;
        header_rules_unref(r);
        return false;
    }
    *out = r;
    return true;
}

struct header_rules *header_rules_ref(struct header_rules *r)
{
    if (r)
        r->refs++;
    return r;
}

void header_rules_unref(struct header_rules *r)
{
    if (!r || --r->refs > 0)
        return;
    for (size_t i = 0; i < r->n; i++) {
        pattern_free(&r->rows[i].pattern);
        free(r->rows[i].upstream);
        free(r->rows[i].name);
        free(r->rows[i].value);
    }
    free(r->rows);
    free(r);
}

static bool fits(const struct header_rule *row, const struct destination *d, const char *upstream)
{
    if (row->upstream)
        return upstream && strcmp(row->upstream, upstream) == 0;
    return pattern_matches(&row->pattern, d);
}

static bool is_set(const struct header_changes *c, struct span name)
{
    for (size_t i = 0; i < c->n_add; i++)
        if (span_ieq(c->add[i].name, name))
            return true;
    return false;
}

void header_rules_choose(const struct header_rules *r, const struct destination *d, const char *upstream,
                         struct header_changes *out)
{
    header_changes_free(out);
    if (!r)
        return;
    out->drop = mem_alloc(r->n * sizeof *out->drop);
    out->add = mem_alloc(r->n * sizeof *out->add);
    for (size_t i = 0; i < r->n; i++) {
        const struct header_rule *row = &r->rows[i];
        struct span name = span_str(row->name);
        if (row->edit == HEADER_ADD || !fits(row, d, upstream))
            continue;
        out->drop[out->n_drop++] = name;
        if (row->edit == HEADER_SET && !is_set(out, name))
            out->add[out->n_add++] = (struct field){name, span_str(row->value)};
    }
    for (size_t i = 0; i < r->n; i++) {
        const struct header_rule *row = &r->rows[i];
        if (row->edit == HEADER_ADD && fits(row, d, upstream))
            out->add[out->n_add++] = (struct field){span_str(row->name), span_str(row->value)};
    }
}

void header_changes_free(struct header_changes *changes)
{
    free(changes->drop);
    free(changes->add);
    *changes = (struct header_changes){0};
}
