/*
 * The functions of PAC scripts with any arguments: the input is cut at NUL bytes, and each of them gets the parts. Nothing but the sanitizers looks
 * at the answers, but for what must hold: a pattern without special characters matches itself, and a sorted list can be sorted again.
 */
#include <stdlib.h>

#include "pac/builtins.h"
#include "pac/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct span argument;

static void addresses(void *owner, struct span host, struct buf *out)
{
    (void)owner;
    (void)host;
    buf_add_span(out, argument);
}

static void own_addresses(void *owner, struct buf *out)
{
    (void)owner;
    buf_add_span(out, argument);
}

static void alert(void *owner, struct span text)
{
    (void)owner;
    (void)text;
}

static time_t now(void *owner)
{
    (void)owner;
    return 1718452800;
}

static void call(const char *name, const struct span *args, size_t n, struct pac_value *v)
{
    static const struct pac_world world = {addresses, own_addresses, alert, now, NULL};
    *v = (struct pac_value){.kind = PAC_UNDEFINED};
    for (size_t i = 0; i < pac_n_builtins; i++)
        if (!name || strcmp(pac_builtins[i].name, name) == 0) {
            buf_free(&v->text);
            *v = (struct pac_value){.kind = PAC_UNDEFINED};
            pac_builtins[i].run(&world, args, n, v);
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span all = span_make((const char *)data, size), rest = all, args[8];
    struct pac_value v, again;
    struct buf units = {0};
    size_t n = 0;
    if (size > 4096)
        return 0;
    while (rest.n && n < 8)
        args[n++] = span_cut(&rest, '\0');
    argument = n ? args[n - 1] : (struct span){0};
    call(NULL, args, n, &v);
    buf_free(&v.text);
    call("sortIpAddressList", args, n, &v);
    struct span sorted = buf_span(&v.text);
    call("sortIpAddressList", &sorted, 1, &again);
    if (!span_eq(buf_span(&v.text), buf_span(&again.text)))
        abort();
    buf_free(&v.text);
    buf_free(&again.text);
    bool special = false;
    for (size_t i = 0; n && i < args[0].n; i++)
        special |= strchr("*?[]()|", args[0].p[i]) != NULL;
    struct span same[2] = {n ? args[0] : SPAN(""), n ? args[0] : SPAN("")};
    call("shExpMatch", same, 2, &v);
    if (!special && !v.truth)
        abort();
    if (!text_to_utf16(all, &units) || units.n % 2)
        abort();
    buf_free(&units);
    return 0;
}
