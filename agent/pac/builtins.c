/*
 * One small function per name, and the table of them. Where the documents are silent we do what Firefox and Chromium both do, for PAC files
 * are tried out with browsers: dnsDomainIs is a plain comparison of ends, isInNet fills up short patterns, dnsResolve knows IPv4 alone.
 * Letter case never matters in names of hosts. Nothing here keeps state.
 */
#include "pac/builtins.h"

#include "pac/address.h"
#include "pac/calendar.h"
#include "pac/shexp.h"

#define HOST_LONGEST   255 /* RFC 1035 section 2.3.4: nobody is asked for longer ones */
#define MY_LAST_RESORT "127.0.0.1"
#define CLIENT_VERSION "1.0"
#define IPV4_BYTES     ((size_t)4)
#define ANY_FAMILY     ((size_t)0)

static struct span arg(const struct span *args, size_t n, size_t i)
{
    return i < n ? args[i] : (struct span){0};
}

static void answer_truth(struct pac_value *answer, bool truth)
{
    answer->kind = PAC_TRUTH;
    answer->truth = truth;
}

static void answer_text(struct pac_value *answer, struct span text)
{
    answer->kind = PAC_TEXT;
    buf_add_span(&answer->text, text);
}

/* --- names --- */

static void is_plain_host_name(const struct pac_world *world, const struct span *args, size_t n,
                               struct pac_value *answer)
{
    (void)world;
    struct span host = arg(args, n, 0);
    answer_truth(answer, host.p && span_find(host, '.') == host.n && span_find(host, ':') == host.n);
}

static void dns_domain_is(const struct pac_world *world, const struct span *args, size_t n,
                          struct pac_value *answer)
{
    (void)world;
    struct span host = arg(args, n, 0), domain = arg(args, n, 1);
    answer_truth(answer, host.p && domain.p && span_iends(host, domain));
}

static void local_host_or_domain_is(const struct pac_world *world, const struct span *args, size_t n,
                                    struct pac_value *answer)
{
    (void)world;
    struct span host = arg(args, n, 0), whole = arg(args, n, 1);
    answer_truth(answer, host.p && whole.p &&
                             (span_ieq(host, whole) ||
                              (span_istarts(whole, host) && whole.n > host.n && whole.p[host.n] == '.')));
}

static void dns_domain_levels(const struct pac_world *world, const struct span *args, size_t n,
                              struct pac_value *answer)
{
    (void)world;
    struct span host = arg(args, n, 0);
    answer->kind = PAC_NUMBER;
    for (size_t i = 0; i < host.n; i++)
        answer->number += host.p[i] == '.';
}

static void sh_exp_match(const struct pac_world *world, const struct span *args, size_t n,
                         struct pac_value *answer)
{
    (void)world;
    struct span text = arg(args, n, 0), pattern = arg(args, n, 1);
    answer_truth(answer, text.p && pattern.p && shexp_match(text, pattern));
}

/* --- addresses --- */

/* The addresses of a host, or the one that it is itself. */
static void look_up(const struct pac_world *world, struct span host, struct buf *addresses)
{
    struct address literal;
    if (address_read(host, &literal))
        buf_add_span(addresses, host);
    else if (host.n && host.n <= HOST_LONGEST && !memchr(host.p, '\0', host.n))
        world->resolve(world->owner, host, addresses);
}

static void resolvable(const struct pac_world *world, struct span host, size_t family,
                       struct pac_value *answer)
{
    struct buf addresses = {0};
    look_up(world, host, &addresses);
    answer_truth(answer, address_first(buf_span(&addresses), family).n != 0);
    buf_free(&addresses);
}

static void is_resolvable(const struct pac_world *world, const struct span *args, size_t n,
                          struct pac_value *answer)
{
    resolvable(world, arg(args, n, 0), IPV4_BYTES, answer);
}

static void is_resolvable_ex(const struct pac_world *world, const struct span *args, size_t n,
                             struct pac_value *answer)
{
    resolvable(world, arg(args, n, 0), ANY_FAMILY, answer);
}

static void dns_resolve(const struct pac_world *world, const struct span *args, size_t n,
                        struct pac_value *answer)
{
    struct buf addresses = {0};
    look_up(world, arg(args, n, 0), &addresses);
    struct span first = address_first(buf_span(&addresses), IPV4_BYTES);
    if (first.n)
        answer_text(answer, first);
    else
        answer->kind = PAC_NULL;
    buf_free(&addresses);
}

static void dns_resolve_ex(const struct pac_world *world, const struct span *args, size_t n,
                           struct pac_value *answer)
{
    answer->kind = PAC_TEXT;
    look_up(world, arg(args, n, 0), &answer->text);
}

static void is_in_net(const struct pac_world *world, const struct span *args, size_t n,
                      struct pac_value *answer)
{
    struct buf addresses = {0};
    struct address a;
    look_up(world, arg(args, n, 0), &addresses);
    answer_truth(answer, address_read(address_first(buf_span(&addresses), IPV4_BYTES), &a) &&
                             arg(args, n, 1).p && arg(args, n, 2).p && address_in_net(&a, args[1], args[2]));
    buf_free(&addresses);
}

/* Takes a list too, as dnsResolveEx and myIpAddressEx return it: one of them is enough. Names are not looked up. */
static void is_in_net_ex(const struct pac_world *world, const struct span *args, size_t n,
                         struct pac_value *answer)
{
    (void)world;
    struct span list = arg(args, n, 0);
    struct address a;
    bool found = false;
    while (list.n && !found)
        found = address_read(span_trim(span_cut(&list, ';')), &a) && address_in_prefix(&a, arg(args, n, 1));
    answer_truth(answer, found);
}

static void my_ip_address(const struct pac_world *world, const struct span *args, size_t n,
                          struct pac_value *answer)
{
    (void)args;
    (void)n;
    struct buf addresses = {0};
    world->my_addresses(world->owner, &addresses);
    struct span first = address_first(buf_span(&addresses), IPV4_BYTES);
    if (!first.n)
        first = address_first(buf_span(&addresses), ANY_FAMILY);
    answer_text(answer, first.n ? first : SPAN(MY_LAST_RESORT));
    buf_free(&addresses);
}

static void my_ip_address_ex(const struct pac_world *world, const struct span *args, size_t n,
                             struct pac_value *answer)
{
    (void)args;
    (void)n;
    answer->kind = PAC_TEXT;
    world->my_addresses(world->owner, &answer->text);
}

static void sort_ip_address_list(const struct pac_world *world, const struct span *args, size_t n,
                                 struct pac_value *answer)
{
    (void)world;
    answer->kind = PAC_TEXT;
    if (!address_sort(arg(args, n, 0), &answer->text))
        buf_clear(&answer->text);
}

/* As JavaScript's bit operators make it: with a sign. */
static void convert_addr(const struct pac_world *world, const struct span *args, size_t n,
                         struct pac_value *answer)
{
    (void)world;
    answer->kind = PAC_NUMBER;
    answer->number = (int32_t)address_number(arg(args, n, 0));
}

/* --- time, and the rest --- */

typedef bool (*range_fn)(const struct clock *clock, const struct span *args, size_t n);

static void range(const struct pac_world *world, const struct span *args, size_t n, struct pac_value *answer,
                  range_fn inside)
{
    struct clock clock = {0};
    time_t now = world->now(world->owner);
    /* localtime_r reads no file once the zone is known, localtime would: there are no files in the sandbox. */
    answer_truth(answer,
                 localtime_r(&now, &clock.here) && gmtime_r(&now, &clock.gmt) && inside(&clock, args, n));
}

static void in_weekday_range(const struct pac_world *world, const struct span *args, size_t n,
                             struct pac_value *answer)
{
    range(world, args, n, answer, weekday_range);
}

static void in_date_range(const struct pac_world *world, const struct span *args, size_t n,
                          struct pac_value *answer)
{
    range(world, args, n, answer, date_range);
}

static void in_time_range(const struct pac_world *world, const struct span *args, size_t n,
                          struct pac_value *answer)
{
    range(world, args, n, answer, time_range);
}

static void alert(const struct pac_world *world, const struct span *args, size_t n, struct pac_value *answer)
{
    (void)answer;
    if (arg(args, n, 0).n)
        world->alert(world->owner, args[0]);
}

static void get_client_version(const struct pac_world *world, const struct span *args, size_t n,
                               struct pac_value *answer)
{
    (void)world;
    (void)args;
    (void)n;
    answer_text(answer, SPAN(CLIENT_VERSION));
}

const struct pac_builtin pac_builtins[] = {
    {"alert", alert},
    {"convert_addr", convert_addr},
    {"dateRange", in_date_range},
    {"dnsDomainIs", dns_domain_is},
    {"dnsDomainLevels", dns_domain_levels},
    {"dnsResolve", dns_resolve},
    {"dnsResolveEx", dns_resolve_ex},
    {"getClientVersion", get_client_version},
    {"isInNet", is_in_net},
    {"isInNetEx", is_in_net_ex},
    {"isPlainHostName", is_plain_host_name},
    {"isResolvable", is_resolvable},
    {"isResolvableEx", is_resolvable_ex},
    {"localHostOrDomainIs", local_host_or_domain_is},
    {"myIpAddress", my_ip_address},
    {"myIpAddressEx", my_ip_address_ex},
    {"shExpMatch", sh_exp_match},
    {"sortIpAddressList", sort_ip_address_list},
    {"timeRange", in_time_range},
    {"weekdayRange", in_weekday_range},
};
const size_t pac_n_builtins = sizeof pac_builtins / sizeof *pac_builtins;
