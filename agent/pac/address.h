/*
 * IP addresses as PAC files write them. Pure.
 */
#ifndef EXEAT_PAC_ADDRESS_H
#define EXEAT_PAC_ADDRESS_H

#include "base/buf.h"

struct address {
    size_t n; /* 4 or 16 */
    unsigned char bytes[16];
};

/* Four decimal numbers up to 255 (leading zeros mean nothing), or RFC 4291 section 2.2, with brackets and a zone allowed. */
bool address_read(struct span text, struct address *out);

/* The four numbers as one, the first on top; what is missing or no number is 0. Never an error, as in browsers. */
uint32_t address_number(struct span dotted);

/* Is an IPv4 address in the net that pattern and mask name (both dotted)? */
bool address_in_net(const struct address *a, struct span pattern, struct span mask);
/* "10.0.0.0/8", "2001:db8::/32". false also when the prefix is malformed or of the other family. */
bool address_in_prefix(const struct address *a, struct span prefix);

/* The first of a list joined by ';' that has this many bytes (0: any); empty: there is none. */
struct span address_first(struct span list, size_t n);

/* A list joined by ';' in order: IPv6 before IPv4, each from the lowest up. false: one of them is no address, or there is none. */
bool address_sort(struct span list, struct buf *out);

#endif
