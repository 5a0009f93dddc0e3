/*
 * Any bytes as Proxy-Authenticate lines: what comes out is bounded and well formed, and means the same after being written down and read again.
 */
#include <stdlib.h>

#include "keys/challenge.h"

static void need(bool ok)
{
    if (!ok)
        abort();
}

static void write_param(struct buf *b, const struct challenge_param *p)
{
    need(p->name && p->name[0] && p->value);
    buf_addf(b, "%s=\"", p->name);
    for (const char *c = p->value; *c; c++) {
        need(*c != '\n' && *c != '\r');
        buf_addf(b, *c == '"' || *c == '\\' ? "\\%c" : "%c", *c);
    }
    buf_add_str(b, "\", ");
}

static void write_list(struct buf *b, const struct challenge_list *list)
{
    for (size_t i = 0; i < list->n; i++) {
        const struct challenge *c = &list->items[i];
        need(c->scheme && c->scheme[0] && !(c->token68 && c->n_params));
        buf_addf(b, "%s %s%s", c->scheme, c->token68 ? c->token68 : "", c->n_params ? "" : ", ");
        for (size_t p = 0; p < c->n_params; p++)
            write_param(b, &c->params[p]);
    }
    buf_add_str(b, "\n");
}

static void need_same(const struct challenge *a, const struct challenge *b)
{
    need(challenge_is(a, b->scheme) && a->n_params == b->n_params && !a->token68 == !b->token68);
    need(!a->token68 || strcmp(a->token68, b->token68) == 0);
    for (size_t p = 0; p < a->n_params; p++) {
        need(strcmp(a->params[p].name, b->params[p].name) == 0);
        need(strcmp(a->params[p].value, b->params[p].value) == 0);
        need(challenge_param(a, a->params[p].name) == a->params[p].value); /* no name twice */
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span lines = span_make((const char *)data, size);
    struct challenge_list list, again;
    struct buf written = {0};
    challenge_list_read(&list, lines);
    need(list.n + list.bad <= size);
    write_list(&written, &list);
    challenge_list_read(&again, buf_span(&written));
    need(again.n == list.n && again.bad == 0);
    for (size_t i = 0; i < list.n; i++)
        need_same(&list.items[i], &again.items[i]);
    challenge_list_free(&list);
    challenge_list_free(&again);
    buf_free(&written);

    struct challenge info;
    if (challenge_read_info(&info, lines))
        need(!info.scheme && !info.token68);
    challenge_free(&info);
    return 0;
}
