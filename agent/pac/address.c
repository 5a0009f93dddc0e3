/*
 * Addresses: read strictly, since a script decides by them where a request goes; but the patterns of isInNet() as leniently as browsers do.
 */
#include "pac/address.h"

#include <arpa/inet.h>
#include <stdlib.h>

#define LONGEST 45 /* of an IPv6 address in words */

static bool read_v4(struct span text, struct address *out)
{
    uint64_t part;
    *out = (struct address){.n = 4};
    for (size_t i = 0; i < 4; i++) {
        if (i > 0 && text.n == 0)
            return false;
        struct span digits = i < 3 ? span_cut(&text, '.') : text;
        if (digits.n > 3 || !span_u64(digits, &part) || part > 255)
            return false;
        out->bytes[i] = (unsigned char)part;
    }
    return true;
}

static bool read_v6(struct span text, struct address *out)
{
    char copy[LONGEST + 1];
    if (text.n >= 2 && text.p[0] == '[' && text.p[text.n - 1] == ']')
        text = span_head(span_from(text, 1), text.n - 2);
    text = span_head(text, span_find(text, '%'));
    if (text.n == 0 || text.n > LONGEST || memchr(text.p, '\0', text.n))
        return false;
    memcpy(copy, text.p, text.n);
    copy[text.n] = '\0';
    *out = (struct address){.n = 16};
    return inet_pton(AF_INET6, copy, out->bytes) == 1;
}

bool address_read(struct span text, struct address *out)
{
    return read_v4(text, out) || read_v6(text, out);
}

uint32_t address_number(struct span dotted)
{
    uint32_t number = 0;
    uint64_t part;
    for (size_t i = 0; i < 4; i++)
        number = number << 8 | (span_u64(span_trim(span_cut(&dotted, '.')), &part) ? part & 0xff : 0);
    return number;
}

bool address_in_net(const struct address *a, struct span pattern, struct span mask)
{
    uint32_t number = 0, bits = address_number(mask);
    for (size_t i = 0; i < 4; i++)
        number = number << 8 | a->bytes[i];
    return a->n == 4 && (number & bits) == (address_number(pattern) & bits);
}

bool address_in_prefix(const struct address *a, struct span prefix)
{
    struct address net;
    uint64_t bits;
    struct span base = span_cut(&prefix, '/');
    if (!address_read(span_trim(base), &net) || !span_u64(span_trim(prefix), &bits) || net.n != a->n ||
        bits > 8 * net.n)
        return false;
    size_t whole = bits / 8;
    unsigned char rest = (unsigned char)(0xff00 >> bits % 8);
    return memcmp(a->bytes, net.bytes, whole) == 0 &&
           (bits % 8 == 0 || ((a->bytes[whole] ^ net.bytes[whole]) & rest) == 0);
}

struct span address_first(struct span list, size_t n)
{
    struct address a;
    while (list.n) {
        struct span one = span_trim(span_cut(&list, ';'));
        if (address_read(one, &a) && (n == 0 || a.n == n))
            return one;
    }
    return (struct span){0};
}

struct entry {
    struct address address;
    struct span text;
};

static int by_rank(const void *left, const void *right)
{
    const struct entry *a = left, *b = right;
    if (a->address.n != b->address.n)
        return a->address.n > b->address.n ? -1 : 1;
    int order = memcmp(a->address.bytes, b->address.bytes, a->address.n);
    return order ? order : (a->text.p > b->text.p) - (a->text.p < b->text.p);
}

bool address_sort(struct span list, struct buf *out)
{
    size_t n = 0, most = 1;
    for (size_t i = 0; i < list.n; i++)
        most += list.p[i] == ';';
    struct entry *entries = mem_alloc(most * sizeof *entries);
    bool good = list.n > 0;
    while (good && list.n) {
        struct span one = span_trim(span_cut(&list, ';'));
        good = address_read(one, &entries[n].address);
        entries[n++].text = one;
    }
    if (good)
        qsort(entries, n, sizeof *entries, by_rank);
    for (size_t i = 0; i < n && good; i++)
        good = (i == 0 || buf_add(out, ";", 1)) && buf_add_span(out, entries[i].text);
    free(entries);
    return good;
}
