/*
 * Rules: rows made from the configuration once, matched in order.
 */
#include "route/rules.h"

#include <stdlib.h>

#include "base/buf.h"

static bool add(struct rules *r, const char *key, const char *pattern, enum config_way way, const char *goal,
                struct err *e)
{
    struct buf text = {0};
    struct rule row = {.way = way};
    if (!pattern_read(&row.pattern, pattern, e)) {
        struct err inner = *e;
        return err_set(e, inner.code, "%s: %s", key, inner.text);
    }
    buf_addf(&text, "%s %s%s%s", key, pattern, goal ? " " : "", goal ? goal : "");
    row.text = span_dup(buf_span(&text));
    buf_free(&text);
    r->rows = mem_grow(r->rows, (r->n + 1) * sizeof *r->rows);
    r->rows[r->n++] = row;
    return true;
}

static bool add_all(struct rules *r, const struct config *c, struct err *e)
{
    for (size_t i = 0; i < c->n_no_proxy; i++)
        if (!add(r, "no-proxy", c->no_proxy[i], WAY_DIRECT, NULL, e))
            return false;
    for (size_t i = 0; i < c->n_rules; i++) {
        const struct config_rule *rule = &c->rules[i];
        if (!add(r, "rule", rule->pattern, rule->way, rule->goal, e))
            return false;
        if (rule->way == WAY_UPSTREAM)
            r->rows[r->n - 1].upstream =
                (size_t)(config_upstream_named(c, span_str(rule->goal)) - c->upstreams);
    }
    return true;
}

bool rules_read(struct rules *r, const struct config *c, struct err *e)
{
    *r = (struct rules){0};
    if (add_all(r, c, e))
        return true;
    rules_free(r);
    return false;
}

void rules_free(struct rules *r)
{
    for (size_t i = 0; i < r->n; i++) {
        pattern_free(&r->rows[i].pattern);
        free(r->rows[i].text);
    }
    free(r->rows);
    *r = (struct rules){0};
}

const struct rule *rules_match(const struct rules *r, struct span host, uint16_t port)
{
    struct destination d = destination_of(host, port);
    for (size_t i = 0; i < r->n; i++)
        if (pattern_matches(&r->rows[i].pattern, &d))
            return &r->rows[i];
    return NULL;
}
