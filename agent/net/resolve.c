/*
 * Look-ups with memory. One look-up serves everybody who asks for the same name meanwhile; it goes on when the last of them has lost patience, for
 * a look-up in the pool cannot be called back, and its answer is good for the next. Whoever makes up names (a hostile script) has a few
 * threads of the pool at most: the others are for connections.
 */
#include "net/resolve.h"

#include <stdlib.h>

#include "base/memo.h"
#include "net/uv_loop.h"

#define RUNNING_MOST   4
#define NAMES_KEPT     1024
#define BYTES_KEPT     ((size_t)256 << 10)
#define FOUND_MS       60000u
#define MISSING_MS     10000u
#define ADDRESSES_MOST 32
#define NAME_LONGEST   255

struct lookup {
    uv_getaddrinfo_t request;
    struct list link; /* in resolver->lookups */
    struct resolver *resolver;
    struct list askers;
    char *host;
    bool running, forgotten; /* forgotten: the network has changed since it began */
};

struct resolver {
    struct loop *loop;
    struct memo *known;
    struct list lookups;
    unsigned running;
    bool freed;
};

struct resolver *resolver_new(struct loop *loop)
{
    struct resolver *r = mem_zero(sizeof *r);
    r->loop = loop;
    r->known = memo_new(NAMES_KEPT, BYTES_KEPT);
    list_init(&r->lookups);
    return r;
}

static void lookup_free(struct lookup *l)
{
    list_remove(&l->link);
    free(l->host);
    free(l);
}

static void free_when_quiet(struct resolver *r)
{
    if (!r->freed || r->running)
        return;
    memo_free(r->known);
    free(r);
}

void resolver_free(struct resolver *r)
{
    struct list *it, *safe;
    r->freed = true;
    list_each(it, safe, &r->lookups)
    {
        struct lookup *l = list_entry(it, struct lookup, link);
        if (l->running)
            uv_cancel((uv_req_t *)&l->request);
        else
            lookup_free(l);
    }
    free_when_quiet(r);
}

/* --- questions --- */

static void end(struct resolve *q, struct span addresses)
{
    resolved_fn done = q->done;
    void *owner = q->owner;
    char *known = q->known;
    q->known = NULL;
    resolve_cancel(q);
    done(owner, addresses);
    free(known);
}

static void end_known(void *owner)
{
    struct resolve *q = owner;
    end(q, span_str(q->known));
}

static void end_late(void *owner)
{
    end(owner, (struct span){0});
}

void resolve_cancel(struct resolve *q)
{
    if (!q->active)
        return;
    q->active = false;
    list_remove(&q->link);
    deadline_stop(&q->deadline);
    later_cancel(&q->told);
    free(q->known);
    q->known = NULL;
    if (q->lookup && !q->lookup->running && list_empty(&q->lookup->askers))
        lookup_free(q->lookup); /* nobody waits for what has not begun */
    q->lookup = NULL;
}

/* --- look-ups --- */

static void add_address(struct buf *out, const struct sockaddr *address)
{
    char text[INET6_ADDRSTRLEN];
    int error = address->sa_family == AF_INET
                    ? uv_ip4_name((const struct sockaddr_in *)(const void *)address, text, sizeof text)
                : address->sa_family == AF_INET6
                    ? uv_ip6_name((const struct sockaddr_in6 *)(const void *)address, text, sizeof text)
                    : -1;
    if (error)
        return;
    struct span list = buf_span(out);
    while (list.n)
        if (span_eq(span_cut(&list, ';'), span_str(text)))
            return;
    buf_addf(out, "%s%s", out->n ? ";" : "", text);
}

static void run_more(struct resolver *r);

static void finish(struct lookup *l, struct span addresses)
{
    struct resolver *r = l->resolver;
    if (!l->forgotten && !r->freed)
        memo_put(r->known, span_str(l->host), addresses,
                 loop_now(r->loop) + (addresses.n ? FOUND_MS : MISSING_MS));
    list_remove(&l->link);
    while (!list_empty(&l->askers))
        end(list_entry(l->askers.next, struct resolve, link), addresses);
    lookup_free(l);
}

static void was_looked_up(uv_getaddrinfo_t *request, int status, struct addrinfo *result)
{
    struct lookup *l = request->data;
    struct resolver *r = l->resolver;
    struct buf addresses = {0};
    unsigned n = 0;
    for (const struct addrinfo *at = status == 0 ? result : NULL; at && n++ < ADDRESSES_MOST;
         at = at->ai_next)
        add_address(&addresses, at->ai_addr);
    uv_freeaddrinfo(result);
    finish(l, buf_span(&addresses));
    buf_free(&addresses);
    r->running--;
    if (r->freed)
        free_when_quiet(r);
    else
        run_more(r);
}

/* It is no name that can be looked up: told in a moment, for we may be inside resolve_start. */
static void refuse(struct lookup *l)
{
    while (!list_empty(&l->askers)) {
        struct resolve *q = list_entry(l->askers.next, struct resolve, link);
        list_remove(&q->link);
        deadline_stop(&q->deadline);
        q->lookup = NULL;
        q->known = mem_strdup("");
        later_start(l->resolver->loop, &q->told, end_known, q);
    }
    lookup_free(l);
}

static void run(struct lookup *l)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    l->request.data = l;
    if (uv_getaddrinfo(&l->resolver->loop->uv, &l->request, was_looked_up, l->host, NULL, &hints) != 0) {
        refuse(l);
        return;
    }
    l->running = true;
    l->resolver->running++;
}

static void run_more(struct resolver *r)
{
    struct list *it, *safe;
    list_each(it, safe, &r->lookups)
    {
        struct lookup *l = list_entry(it, struct lookup, link);
        if (r->running < RUNNING_MOST && !l->running)
            run(l);
    }
}

static struct lookup *lookup_of(struct resolver *r, struct span host)
{
    struct list *it, *safe;
    list_each(it, safe, &r->lookups)
    {
        struct lookup *l = list_entry(it, struct lookup, link);
        if (!l->forgotten && span_eq(span_str(l->host), host))
            return l;
    }
    struct lookup *l = mem_zero(sizeof *l);
    l->resolver = r;
    l->host = span_dup(host);
    list_init(&l->askers);
    list_push_back(&r->lookups, &l->link);
    return l;
}

void resolve_start(struct resolver *r, struct resolve *q, struct span host, unsigned timeout_ms,
                   resolved_fn done, void *owner)
{
    struct span known = {0};
    bool fresh = false;
    *q = (struct resolve){.done = done, .owner = owner, .active = true};
    list_init(&q->link);
    bool no_name = host.n == 0 || host.n > NAME_LONGEST || memchr(host.p, '\0', host.n);
    if (no_name || (memo_get(r->known, host, loop_now(r->loop), &known, &fresh) && fresh)) {
        q->known = span_dup(known);
        later_start(r->loop, &q->told, end_known, q);
        return;
    }
    q->lookup = lookup_of(r, host);
    list_push_back(&q->lookup->askers, &q->link);
    deadline_start(r->loop, &q->deadline, timeout_ms, end_late, q);
    run_more(r);
}

void resolver_forget(struct resolver *r)
{
    struct list *it, *safe;
    memo_expire(r->known);
    list_each(it, safe, &r->lookups)
    {
        struct lookup *l = list_entry(it, struct lookup, link);
        l->forgotten = l->running;
    }
}

/* --- our own --- */

/* The address that the kernel would send from; connecting a datagram socket sends nothing. */
static void add_source(struct buf *out, const char *towards)
{
    struct sockaddr_storage address = {0};
    socklen_t size = sizeof address;
    if (uv_ip4_addr(towards, 53, (struct sockaddr_in *)(void *)&address) != 0 &&
        uv_ip6_addr(towards, 53, (struct sockaddr_in6 *)(void *)&address) != 0)
        return;
    int fd = socket(address.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return;
    if (connect(fd, (struct sockaddr *)&address,
                address.ss_family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6)) ==
            0 &&
        getsockname(fd, (struct sockaddr *)&address, &size) == 0)
        add_address(out, (const struct sockaddr *)&address);
    close(fd);
}

static bool is_link_local(const struct sockaddr *address)
{
    if (address->sa_family == AF_INET)
        return ntohl(((const struct sockaddr_in *)(const void *)address)->sin_addr.s_addr) >> 16 == 0xa9fe;
    return IN6_IS_ADDR_LINKLOCAL(&((const struct sockaddr_in6 *)(const void *)address)->sin6_addr);
}

void my_addresses(struct buf *out)
{
    /* Somewhere in the world, in IPv4 and IPv6; then the private networks, for machines without a default route. */
    static const char *const towards[] = {"8.8.8.8",    "2001:4860:4860::8888", "10.0.0.0",
                                          "172.16.0.0", "192.168.0.0",          "fc00::"};
    uv_interface_address_t *interfaces;
    int n;
    for (size_t i = 0; i < sizeof towards / sizeof *towards; i++)
        add_source(out, towards[i]);
    if (uv_interface_addresses(&interfaces, &n) != 0)
        return;
    for (int i = 0; i < n; i++) {
        const struct sockaddr *address = (const struct sockaddr *)(const void *)&interfaces[i].address;
        if (!interfaces[i].is_internal && !is_link_local(address))
            add_address(out, address);
    }
    uv_free_interface_addresses(interfaces, n);
}
