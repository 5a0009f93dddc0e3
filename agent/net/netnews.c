/*
 * Each link, address and route that could carry a connection is one fact: a key (what it is) and a value (how it is), both hashes. A message
 * that says what we knew already is no news: router advertisements renew the same address every few minutes, wireless drivers send
 * statistics as messages about the link. What carries nothing has value 0 and is not kept, so that a container's interface, which comes
 * down and nameless and goes into a bridge at once, is none either; nor are link-local and tentative addresses, routes to them,
 * multicast, and the kernel's own table of local addresses.
 */
#include "net/netnews.h"

#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"

/* Beyond that a fact is neither kept nor news: a computer with more routes is a router, whose routes come and go all day. */
#define FACTS_MOST 8192

#define ATTRIBUTES     64
#define HASH_START     0xcbf29ce484222325u /* FNV-1a, 64 bits */
#define HASH_PRIME     0x00000100000001b3u
#define CARRIES        1u
#define UP             (IFF_UP | IFF_RUNNING)
#define NOT_YET_USEFUL (IFA_F_TENTATIVE | IFA_F_DADFAILED)

struct netnews_fact {
    uint64_t key, value;
};

void netnews_init(struct netnews *n, uint32_t port)
{
    *n = (struct netnews){.port = port};
}

void netnews_clear(struct netnews *n)
{
    free(n->facts);
    netnews_init(n, n->port);
}

/* --- facts --- */

static uint64_t hash(uint64_t h, const void *bytes, size_t n)
{
    const unsigned char *p = bytes;
    for (size_t i = 0; i < n; i++)
        h = (h ^ p[i]) * HASH_PRIME;
    return h;
}

static uint64_t hash_number(uint64_t h, uint32_t number)
{
    return hash(h, &number, sizeof number);
}

/* With its length, so that two neighbours cannot be read as two others. */
static uint64_t hash_span(uint64_t h, struct span s)
{
    return hash(hash_number(h, (uint32_t)s.n), s.p, s.n);
}

/* Where it stands, or would. */
static size_t place_of(const struct netnews *n, uint64_t key)
{
    size_t low = 0, high = n->n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (n->facts[middle].key < key)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void insert(struct netnews *n, size_t at, uint64_t key, uint64_t value)
{
    if (n->n == n->room) {
        n->room = n->room ? n->room * 2 : 64;
        n->facts = mem_grow(n->facts, n->room * sizeof *n->facts);
    }
    memmove(&n->facts[at + 1], &n->facts[at], (n->n - at) * sizeof *n->facts);
    n->facts[at] = (struct netnews_fact){key, value};
    n->n++;
}

/* From now on this is so; 0: it is no more. true: it was not so before. */
static bool learn(struct netnews *n, uint64_t key, uint64_t value)
{
    size_t at = place_of(n, key);
    bool known = at < n->n && n->facts[at].key == key;
    if ((known ? n->facts[at].value : 0) == value)
        return false;
    if (known && value) {
        n->facts[at].value = value;
    } else if (known) {
        n->n--;
        memmove(&n->facts[at], &n->facts[at + 1], (n->n - at) * sizeof *n->facts);
    } else if (n->n < FACTS_MOST) {
        insert(n, at, key, value);
    } else {
        return false;
    }
    return true;
}

/* --- messages --- */

/* Sorts the attributes by their types. false: malformed. */
static bool read_attributes(struct span rest, struct span found[ATTRIBUTES])
{
    memset(found, 0, ATTRIBUTES * sizeof *found);
    while (rest.n >= sizeof(struct rtattr)) {
        struct rtattr head;
        memcpy(&head, rest.p, sizeof head);
        if (head.rta_len < sizeof head || head.rta_len > rest.n)
            return false;
        unsigned type = head.rta_type & NLA_TYPE_MASK;
        if (type < ATTRIBUTES)
            found[type] = span_from(span_head(rest, head.rta_len), RTA_LENGTH(0));
        size_t whole = RTA_ALIGN((size_t)head.rta_len);
        rest = span_from(rest, whole < rest.n ? whole : rest.n);
    }
    return rest.n == 0;
}

static uint32_t number_in(struct span attribute, uint32_t otherwise)
{
    uint32_t number = otherwise;
    if (attribute.n == sizeof number)
        memcpy(&number, attribute.p, sizeof number);
    return number;
}

/* One kind of message: its fixed part, then attributes. Gives the fact; false: it is none of ours. */
typedef bool (*read_fn)(const void *fixed, const struct span *a, uint64_t *key, uint64_t *value);

static bool read_link(const void *fixed, const struct span *a, uint64_t *key, uint64_t *value)
{
    const struct ifinfomsg *link = fixed;
    if (link->ifi_family != AF_UNSPEC) /* a bridge speaks of its ports */
        return false;
    bool slave = number_in(a[IFLA_MASTER], 0) != 0;
    *key = hash_number(hash_number(HASH_START, RTM_NEWLINK), (uint32_t)link->ifi_index);
    *value = !slave && (link->ifi_flags & UP) == UP ? CARRIES : 0;
    return true;
}

static bool read_address(const void *fixed, const struct span *a, uint64_t *key, uint64_t *value)
{
    const struct ifaddrmsg *address = fixed;
    struct span own = a[IFA_LOCAL].n ? a[IFA_LOCAL] : a[IFA_ADDRESS];
    if (address->ifa_scope >= RT_SCOPE_LINK)
        return false;
    *key = hash_number(hash_number(HASH_START, RTM_NEWADDR), address->ifa_index);
    *key = hash_span(hash_number(hash_number(*key, address->ifa_family), address->ifa_prefixlen), own);
    *value = address->ifa_flags & NOT_YET_USEFUL ? 0 : CARRIES;
    return true;
}

/* fe80::/10 and ff00::/8. */
static bool is_link_local_or_multicast(struct span v6)
{
    const unsigned char *b = (const unsigned char *)v6.p;
    return v6.n >= 2 && (b[0] == 0xff || (b[0] == 0xfe && (b[1] & 0xc0) == 0x80));
}

static bool read_route(const void *fixed, const struct span *a, uint64_t *key, uint64_t *value)
{
    static const unsigned char whereabouts[] = {RTA_OIF,     RTA_GATEWAY, RTA_VIA,
                                                RTA_PREFSRC, RTA_NH_ID,   RTA_MULTIPATH};
    const struct rtmsg *route = fixed;
    uint32_t table = number_in(a[RTA_TABLE], route->rtm_table);
    bool leads = route->rtm_type == RTN_UNICAST || route->rtm_type == RTN_BLACKHOLE ||
                 route->rtm_type == RTN_UNREACHABLE || route->rtm_type == RTN_PROHIBIT;
    if (!leads || table == RT_TABLE_LOCAL || route->rtm_flags & RTM_F_CLONED ||
        (route->rtm_family != AF_INET && route->rtm_family != AF_INET6) ||
        (route->rtm_family == AF_INET6 && is_link_local_or_multicast(a[RTA_DST])))
        return false;
    *key = hash_number(hash_number(HASH_START, RTM_NEWROUTE), route->rtm_family);
    *key = hash_number(hash_number(*key, table), number_in(a[RTA_PRIORITY], 0));
    *key = hash_span(hash_number(*key, route->rtm_dst_len), a[RTA_DST]);
    *key = hash_span(hash_number(*key, route->rtm_src_len), a[RTA_SRC]);
    *key = hash_number(*key, route->rtm_tos);
    *value = hash_number(HASH_START, route->rtm_type);
    for (size_t i = 0; i < sizeof whereabouts; i++)
        *value = hash_span(*value, a[whereabouts[i]]);
    *value |= CARRIES;
    return true;
}

static const struct {
    unsigned made, gone; /* message types */
    size_t fixed;
    read_fn read;
} kinds[] = {
    {RTM_NEWLINK, RTM_DELLINK, sizeof(struct ifinfomsg), read_link},
    {RTM_NEWADDR, RTM_DELADDR, sizeof(struct ifaddrmsg), read_address},
    {RTM_NEWROUTE, RTM_DELROUTE, sizeof(struct rtmsg), read_route},
};

static bool take_message(struct netnews *n, unsigned type, struct span body)
{
    union {
        struct ifinfomsg link;
        struct ifaddrmsg address;
        struct rtmsg route;
    } fixed;
    struct span attributes[ATTRIBUTES];
    uint64_t key, value;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (type != kinds[i].made && type != kinds[i].gone)
            continue;
        if (body.n < kinds[i].fixed)
            return true;
        memcpy(&fixed, body.p, kinds[i].fixed);
        size_t at = NLMSG_ALIGN(kinds[i].fixed);
        if (!read_attributes(span_from(body, at < body.n ? at : body.n), attributes))
            return true;
        return kinds[i].read(&fixed, attributes, &key, &value) &&
               learn(n, key, type == kinds[i].made ? value : 0);
    }
    return false;
}

unsigned netnews_take(struct netnews *n, struct span rest)
{
    unsigned told = 0;
    while (rest.n) {
        struct nlmsghdr head;
        if (rest.n < sizeof head)
            return told | NETNEWS_CHANGED;
        memcpy(&head, rest.p, sizeof head);
        if (head.nlmsg_len < sizeof head || head.nlmsg_len > rest.n)
            return told | NETNEWS_CHANGED;
        bool asked_for = n->port && head.nlmsg_pid == n->port;
        struct span body = span_from(span_head(rest, head.nlmsg_len), sizeof head);
        if (asked_for && (head.nlmsg_type == NLMSG_DONE || head.nlmsg_type == NLMSG_ERROR))
            told |= NETNEWS_LISTED;
        else if (take_message(n, head.nlmsg_type, body) && !asked_for)
            told |= NETNEWS_CHANGED;
        size_t whole = NLMSG_ALIGN((size_t)head.nlmsg_len);
        rest = span_from(rest, whole < rest.n ? whole : rest.n);
    }
    return told;
}
