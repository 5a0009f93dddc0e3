/*
 * One message between agent and keyholder: what is read must be written again as the very same bytes, for each message has one encoding; what
 * is refused must say why. Every byte that the spans name is read, so that the sanitizer sees one that points outside.
 */
#include <stdlib.h>

#include "wire/frame.h"
#include "wire/keys_msg.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span body = span_make((const char *)data, size);
    struct keys_msg m;
    const char *why = NULL;
    if (!keys_msg_read(&m, body, &why)) {
        if (!why || !*why)
            abort();
        return 0;
    }
    struct buf again;
    buf_init(&again, 0);
    if (why || !keys_msg_write(&again, &m) || !span_eq(span_from(buf_span(&again), FRAME_LENGTH_BYTES), body))
        abort();
    if (strcmp(keys_type_name(m.type), "unknown") == 0)
        abort();
    buf_free(&again);
    return 0;
}
