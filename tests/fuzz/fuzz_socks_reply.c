/*
 * What a SOCKS5 server says: in one piece and byte by byte the same outcome and the same rest, and never more kept waiting than one message. The first byte chooses
 * the message.
 */
#include <stdint.h>
#include <stdlib.h>

#include "upstream/socks_reply.h"

#define CHECK(condition)                                                                                     \
    do {                                                                                                     \
        if (!(condition))                                                                                    \
            abort();                                                                                         \
    } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static enum socks_said (*const readers[])(struct span *, unsigned *, const char **) = {
        socks_read_method, socks_read_status, socks_read_reply};
    if (n == 0)
        return 0;
    enum socks_said (*read)(struct span *, unsigned *, const char **) = readers[data[0] % 3];
    struct span all = span_make((const char *)data + 1, n - 1), left = all;
    unsigned value = 0, slow_value = 0;
    const char *why = NULL, *slow_why = NULL;
    enum socks_said said = read(&left, &value, &why), slow = SOCKS_SAID_MORE;
    size_t at = 0;
    struct span rest = {0};
    while (slow == SOCKS_SAID_MORE && at <= all.n) {
        char *exactly = malloc(at + !at);
        memcpy(exactly, all.p, at);
        rest = span_make(exactly, at);
        slow = read(&rest, &slow_value, &slow_why);
        CHECK(slow != SOCKS_SAID_MORE || (rest.n == at && at < SOCKS_REPLY_MOST));
        free(exactly);
        at++;
    }
    CHECK(said == slow && why == slow_why && value == slow_value);
    CHECK((said == SOCKS_SAID_BAD) == (why != NULL));
    if (said == SOCKS_SAID && (read != socks_read_reply || value == 0))
        CHECK(all.n - left.n == at - 1 && rest.n == 0);
    return 0;
}
