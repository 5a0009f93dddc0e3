/*
 * The steps on the way to the proxy's door, walked on a connection of our own and without any credentials: route, name, TCP, TLS. What it says there is
 * doctor_offer.c.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "cli/ask_agent.h"
#include "cli/doctor.h"
#include "cli/say.h"
#include "wire/keys_msg.h"

#define DNS_MS     10000
#define STEP_MOST  20000 /* one wait, whatever the configuration allows, */
#define SPARE_MOST 5000  /* and where others are there */
#define PROXY_DOWN "Check that you are on the right network or VPN, and proxy = of [upstream %s]"

unsigned doctor_patience(const struct stop *s, unsigned ms)
{
    unsigned most = s->spare ? SPARE_MOST : STEP_MOST;
    return ms == 0 || ms > most ? most : ms;
}

static void fail_with(struct finding *f, const struct err *e, const char *remedy, const char *before)
{
    finding_fail(f, exit_from_err(e->code), remedy, "%s%s", before, e->text);
}

/* "... of [upstream corp]" */
static void fail_network(const struct doctor *d, struct finding *f, const struct err *e)
{
    fail_with(f, e, "", "");
    if (d->at->hop->upstream)
        buf_addf(&f->remedy, PROXY_DOWN, d->at->hop->upstream);
    else if (hop_is_direct(d->at->hop))
        buf_add_str(
            &f->remedy,
            "Check the address, and that you are on the right network or VPN: no proxy is asked for it");
    else
        buf_add_str(&f->remedy,
                    "Check that you are on the right network or VPN: the PAC script names this proxy");
}

bool doctor_signs_nowhere(const struct stop *s)
{
    bool unknown = !s->answered && s->hop->socks_password;
    return hop_is_direct(s->hop) || (s->hop->socks && !s->asks && !unknown);
}

/* --- which way --- */

/* As the agent's PAC script has it, where that decides; else by what stands in the configuration. */
static void find_route(struct doctor *d, struct route *route)
{
    struct span notes;
    const char *way = doctor_way_by_script(d);
    if (!way || route_by_rule(d->routes, d->host, d->port, route) ||
        !route_by_result(d->routes, d->host, d->port, span_str(way), route, &notes)) {
        route_find(d->routes, d->host, d->port, route);
        return;
    }
    const char *why = json_string_value(json_object_get(d->way, "why"));
    route->why = why ? why : "";
}

static void describe(const struct doctor *d, const struct route *route, struct finding *f)
{
    const struct hop *first = route->hops[0];
    if (!hop_is_direct(first))
        finding_say(f, MARK_OK, "%s by %s %s (%s)", d->url, first->socks ? "SOCKS server" : "proxy",
                    first->name, route->why);
    else if (d->chosen_url)
        finding_say(f, MARK_OK, "direct to %s (%s)", first->name, route->why);
    else {
        finding_say(f, MARK_NOTE, KEYS_ASIDE_HOST " would go without a proxy (%s)", route->why);
        buf_add_str(&f->remedy, "Name an address to look at: exeat doctor URL");
        f->blocked = true; /* there is nobody to look at */
    }
}

static void choose_stops(struct doctor *d, const struct route *route, struct finding *f)
{
    if (route->n == 0) {
        finding_fail(f, EXIT_FAILED, "Change that rule in [route], or ask for another address.",
                     "%s is blocked by the configuration (%s)", d->url, route->why);
        return;
    }
    describe(d, route, f);
    if (!f->blocked)
        stops_of(d, route->hops, route->n);
}

void walk_route(struct doctor *d, struct finding *f)
{
    struct route route;
    struct buf alone = {0};
    find_route(d, &route);
    choose_stops(d, &route, f);
    const char *text = json_string_value(json_object_get(d->way, "text")); /* it knows which proxies sleep */
    if (!text)
        route_explain(d->routes, d->host, d->port, &alone);
    struct span rest = text ? span_str(text) : buf_span(&alone);
    while (rest.n) {
        struct span line = span_cut(&rest, '\n');
        buf_addf(&f->evidence, "\n%.*s", SPAN_ARG(line));
    }
    buf_free(&alone);
}

/* --- to its door --- */

void walk_dns(struct doctor *d, struct finding *f)
{
    struct err e = {0};
    if (d->at->before) {
        finding_say(f, MARK_SKIP, "%s finds its name", d->at->before->hop->name);
        return;
    }
    if (!line_resolve(d->at->hop->host, d->at->hop->port, DNS_MS, &d->at->addresses, &e)) {
        fail_network(d, f, &e);
        return;
    }
    char text[64];
    line_address(d->at->addresses, text);
    if (strcmp(text, d->at->hop->host) == 0) {
        finding_say(f, MARK_OK, "%s is an address already", text);
        return;
    }
    finding_say(f, MARK_OK, "%s is", d->at->hop->host);
    unsigned n = 0;
    for (const struct addrinfo *a = d->at->addresses; a; a = a->ai_next, n++) {
        line_address(a, text);
        if (n < 4)
            buf_addf(&f->evidence, "%s %s", n ? "," : "", text);
    }
    if (n > 4)
        buf_addf(&f->evidence, " and %u more", n - 4);
}

/* The proxy's address is that of our own listener, by whatever name. */
static bool leads_to_ourselves(const struct doctor *d)
{
    json_t *list = doctor_listeners(d), *name;
    struct port_owner owner;
    bool port = false;
    size_t i;
    json_array_foreach(list, i, name)
    {
        uint64_t n;
        struct span text = span_str(json_string_value(name));
        port = port || (span_u64(span_from(text, span_rfind(text, ':') + 1), &n) && n == d->at->hop->port);
    }
    json_decref(list);
    if (!port || !line_is_local(&d->at->line))
        return false;
    port_owner_find(&owner, NULL, d->at->hop->port);
    return owner.found && owner.known && strcmp(owner.name, "exeat") == 0;
}

void walk_tcp(struct doctor *d, struct finding *f)
{
    struct err e = {0};
    const struct addrinfo *chosen;
    char text[64];
    uint64_t begun = line_now();
    if (d->at->before) {
        walk_tunnel(d, f);
        return;
    }
    unsigned ms = doctor_patience(d->at, d->at->hop->dial_ms);
    if (!line_connect(&d->at->line, d->at->addresses, ms, &chosen, &e)) {
        fail_network(d, f, &e);
        return;
    }
    line_address(chosen, text);
    if (leads_to_ourselves(d))
        finding_fail(f, EXIT_CONFIG, "Name the real proxy in proxy =, or give exeat another port.",
                     "%s is this agent itself: each request would go round in a circle", d->at->hop->name);
    else
        finding_say(f, MARK_OK, "%s port %u takes connections (%" PRIu64 " ms)", text, d->at->hop->port,
                    line_now() - begun);
}

static const char *tls_remedy(const struct err *e)
{
    static const struct {
        const char *word, *remedy;
    } rows[] = {
        {"from an authority",
         "Get the authority's certificate from your administrator and name its file with ca ="},
        {"not for", "Name the proxy in proxy = as its certificate does"},
        {"expired", "Ask your administrator to renew the proxy's certificate; check this computer's clock"},
        {"not valid yet", "Check this computer's clock"},
        {"is not TLS", "Write http:// instead of https:// in proxy ="},
        {"certificate of ours", "Name your certificate with certificate = and key ="},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (strstr(e->text, rows[i].word))
            return rows[i].remedy;
    return "Ask your administrator which certificate and which versions of TLS the proxy has";
}

static const char *why_no_tls(const struct hop *h)
{
    return hop_is_direct(h) ? "not looked at: it is between the program and that address"
           : h->socks       ? "not used: SOCKS has none"
           : h->upstream    ? "not used: proxy = names it by http://"
                            : "not used";
}

void walk_tls(struct doctor *d, struct finding *f)
{
    struct err e = {0};
    char text[128];
    uint64_t begun = line_now();
    if (!d->at->hop->tls) {
        finding_say(f, MARK_SKIP, "%s", why_no_tls(d->at->hop));
        return;
    }
    if (d->at->line.fd < 0) {
        finding_say(f, MARK_SKIP, "not looked at: it lies behind another proxy");
        return;
    }
    if (!line_secure(&d->at->line, d->at->hop->tls, doctor_patience(d->at, d->at->hop->dial_ms), &e)) {
        fail_with(f, &e, tls_remedy(&e), "the proxy: ");
        return;
    }
    tls_describe(d->at->line.tls, text, sizeof text);
    finding_say(f, MARK_OK, "%s; its certificate is good for %s (%" PRIu64 " ms)", text, d->at->hop->host,
                line_now() - begun);
}
