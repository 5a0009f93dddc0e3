/*
 * What a PAC script returned: each place names a host within the text and a port, what is skipped leaves a note on lines of its own, and there is
 * a place or a note for every text.
 */
#include <stdlib.h>

#include "route/pac_result.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    struct pac_result r;
    pac_result_read(&r, span_make(text, size));
    for (size_t i = 0; i < r.n; i++) {
        const struct pac_place *p = &r.places[i];
        if (!pac_place_name(p->kind))
            abort();
        if (p->kind == PAC_PLACE_DIRECT)
            continue;
        if (p->port == 0 || p->host.n == 0 || p->host.p < text || p->host.p + p->host.n > text + size ||
            memchr(p->host.p, '@', p->host.n) || memchr(p->host.p, '/', p->host.n))
            abort();
    }
    if (r.n > PAC_PLACES_MAX || (r.n == 0 && r.notes.n == 0) ||
        (r.notes.n && r.notes.p[r.notes.n - 1] != '\n'))
        abort();
    pac_result_free(&r);
    return 0;
}
