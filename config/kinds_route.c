/*
 * Values that say which way a request goes. The patterns themselves are read where they are matched (agent/route). Any thread.
 */
#include <stdlib.h>

#include "base/buf.h"
#include "config/ini.h"
#include "config/kinds.h"

static const struct {
    const char *word;
    enum config_way way;
} ways[] = {{"direct", WAY_DIRECT}, {"block", WAY_BLOCK}};

static enum config_way way_of(struct span goal)
{
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++)
        if (span_eq(goal, span_str(ways[i].word)))
            return ways[i].way;
    return WAY_UPSTREAM;
}

/* Each line adds one. Whether its upstream exists is known when all sections have been read. */
static bool parse_rule(const struct setting *s, void *object, struct span value, struct err *e)
{
    (void)s;
    struct config *c = object;
    struct buf items[3] = {0};
    int n = 0, more = 1;
    while (n < 3 && (more = ini_item(&value, &items[n], e)) > 0)
        n++;
    bool ok = more >= 0;
    if (ok && n != 2)
        ok = err_set(
            e, ERR_CONFIG,
            "a rule is a pattern and where it leads, like: *.lab.example lab (the name of an [upstream], "
            "direct, or block)");
    if (ok) {
        c->rules = mem_grow(c->rules, (c->n_rules + 1) * sizeof *c->rules);
        c->rules[c->n_rules++] = (struct config_rule){.pattern = span_dup(buf_span(&items[0])),
                                                      .goal = span_dup(buf_span(&items[1])),
                                                      .way = way_of(buf_span(&items[1]))};
    }
    for (int i = 0; i < 3; i++)
        buf_free(&items[i]);
    return ok;
}

/* Line by line, as it must stand in a file. */
static bool print_rules(const struct setting *s, const void *object, struct buf *out)
{
    const struct config *c = object;
    for (size_t i = 0; i < c->n_rules; i++) {
        if (i)
            buf_addf(out, "\n%s = ", s->name);
        ini_put_item(out, span_str(c->rules[i].pattern));
        buf_add_str(out, " ");
        ini_put_item(out, span_str(c->rules[i].goal));
    }
    return c->n_rules > 0;
}

const struct kind kind_rules = {"PATTERN UPSTREAM, PATTERN direct or PATTERN block; a line for each", true,
                                parse_rule, print_rules};
