/*
 * Values that say which way a request goes. The patterns of rules are read again where they are matched (agent/route). Any thread.
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
    ok = ok && pattern_check(buf_span(&items[0]), e);
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

/* One that fits whatever a script may say would show the identity to anybody. */
static bool add_pattern(struct pattern **list, size_t *n, const char *text, struct err *e)
{
    struct pattern p;
    if (!pattern_read(&p, text, e))
        return false;
    if (p.kind == PATTERN_STARS && span_eq(p.name, SPAN("*"))) {
        pattern_free(&p);
        return err_set(e, ERR_CONFIG,
                       "%s would let any proxy that a PAC script names ask for your credentials; write the "
                       "suffix of your organisation's proxies, like .proxy.corp.example",
                       shown(span_str(text)).text);
    }
    *list = mem_grow(*list, (*n + 1) * sizeof **list);
    (*list)[(*n)++] = p;
    return true;
}

static bool parse_patterns(const struct setting *s, void *object, struct span value, struct err *e)
{
    struct pattern **list = (struct pattern **)((char *)object + s->at);
    size_t *n = (size_t *)((char *)object + s->also_at);
    struct buf item = {0};
    int more;
    bool ok = true;
    while (ok && (more = ini_item(&value, &item, e)) > 0)
        ok = add_pattern(list, n, buf_cstr(&item), e);
    buf_free(&item);
    return ok && more == 0;
}

static bool print_patterns(const struct setting *s, const void *object, struct buf *out)
{
    const struct pattern *list = *(struct pattern *const *)((const char *)object + s->at);
    size_t n = *(const size_t *)((const char *)object + s->also_at);
    for (size_t i = 0; i < n; i++) {
        buf_add_str(out, i ? " " : "");
        ini_put_item(out, span_str(list[i].text));
    }
    return n > 0;
}

const struct kind kind_patterns = {"patterns as in rule; any number, separated by blanks", true,
                                   parse_patterns, print_patterns};

const struct kind kind_rules = {"PATTERN UPSTREAM, PATTERN direct or PATTERN block; a line for each", true,
                                parse_rule, print_rules};
