/*
 * One message between agent and exeat-pac: what is read must be written again as the very same bytes, for each message has one encoding;
 * what is refused must say why.
 */
#include <stdlib.h>

#include "wire/pac_msg.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span body = span_make((const char *)data, size);
    struct pac_msg m;
    const char *why = NULL;
    if (!pac_msg_read(&m, body, &why)) {
        if (!why || !*why)
            abort();
        return 0;
    }
    struct buf again;
    buf_init(&again, 0);
    if (why || !pac_msg_write(&again, &m) || !span_eq(span_from(buf_span(&again), FRAME_LENGTH_BYTES), body))
        abort();
    if (strcmp(pac_type_name(m.type), "unknown") == 0)
        abort();
    buf_free(&again);
    return 0;
}
