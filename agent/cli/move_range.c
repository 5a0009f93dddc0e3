/*
 * A range of addresses, "10.0.0.1-10.0.0.50", as the networks that it is made of: the fewest, in order (each as large as its first address and the rest
 * of the range allow). One thread.
 */
#include <arpa/inet.h>
#include <stdio.h>

#include "cli/move.h"

static bool read_address(struct span text, uint32_t *address)
{
    char copy[INET_ADDRSTRLEN];
    struct in_addr a;
    if (text.n >= sizeof copy)
        return false;
    snprintf(copy, sizeof copy, "%.*s", SPAN_ARG(text));
    if (inet_pton(AF_INET, copy, &a) != 1)
        return false;
    *address = ntohl(a.s_addr);
    return true;
}

bool move_range(struct span word, void (*each)(void *owner, struct span network), void *owner)
{
    size_t dash = span_find(word, '-');
    uint32_t first, last;
    if (dash == word.n || !read_address(span_head(word, dash), &first) ||
        !read_address(span_from(word, dash + 1), &last) || first > last)
        return false;
    uint64_t next = first;
    while (next <= last) {
        unsigned bits = 0; /* of the addresses in this network */
        while (bits < 32 && !(next & (1ULL << bits)) && next + (2ULL << bits) - 1 <= last)
            bits++;
        char text[INET_ADDRSTRLEN + 4];
        struct in_addr a = {htonl((uint32_t)next)};
        inet_ntop(AF_INET, &a, text, INET_ADDRSTRLEN);
        if (bits)
            snprintf(text + strlen(text), 4, "/%u", 32 - bits);
        each(owner, span_str(text));
        next += 1ULL << bits;
    }
    return true;
}
