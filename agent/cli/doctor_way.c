/*
 * The steps on the way to the proxy, walked on a connection of our own and without any credentials: route, name, TCP, TLS, what the proxy says to
 * somebody whom it does not know, and what time it is there.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <time.h>

#include "cli/ask_agent.h"
#include "cli/doctor.h"
#include "cli/say.h"

#define DNS_MS     10000
#define STEP_MOST  20000 /* one wait, whatever the configuration allows */
#define SKEW_MOST  300
#define SKEW_NOTE  60
#define PROXY_DOWN "Check that you are on the right network or VPN, and proxy = of [upstream %s]"

static unsigned at_most(unsigned ms)
{
    return ms == 0 || ms > STEP_MOST ? STEP_MOST : ms;
}

static void fail_with(struct finding *f, const struct err *e, const char *remedy, const char *before)
{
    finding_fail(f, exit_from_err(e->code), remedy, "%s%s", before, e->text);
}

/* "... of [upstream corp]" */
static void fail_network(const struct doctor *d, struct finding *f, const struct err *e)
{
    fail_with(f, e, "", "");
    if (d->hop->upstream)
        buf_addf(&f->remedy, PROXY_DOWN, d->hop->upstream);
    else
        buf_add_str(&f->remedy, "Check that you are on the right network or VPN");
}

bool doctor_signs_nowhere(const struct hop *h)
{
    return h->socks || hop_is_direct(h);
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

static void choose_hop(struct doctor *d, const struct route *route, struct finding *f)
{
    if (route->n == 0) {
        finding_fail(f, EXIT_FAILED, "Change that rule in [route], or ask for another address.",
                     "%s is blocked by the configuration (%s)", d->url, route->why);
        return;
    }
    d->goal = d->hop = route->hops[0];
    while (d->hop->n_through)
        d->hop = d->hop->through[0];
    if (d->hop != d->goal)
        finding_say(f, MARK_OK, "%s by %s, through %s, which is looked at here (%s)", d->url, d->goal->name,
                    d->hop->name, route->why);
    else if (hop_is_direct(d->hop))
        finding_say(f, MARK_OK, "direct to %s (%s)", d->hop->name, route->why);
    else
        finding_say(f, MARK_OK, "%s by proxy %s (%s)", d->url, d->hop->name, route->why);
}

void walk_route(struct doctor *d, struct finding *f)
{
    struct route route;
    struct buf alone = {0};
    find_route(d, &route);
    choose_hop(d, &route, f);
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
    if (!line_resolve(d->hop->host, d->hop->port, DNS_MS, &d->addresses, &e)) {
        fail_network(d, f, &e);
        return;
    }
    char text[64];
    line_address(d->addresses, text);
    if (strcmp(text, d->hop->host) == 0) {
        finding_say(f, MARK_OK, "%s is an address already", text);
        return;
    }
    finding_say(f, MARK_OK, "%s is", d->hop->host);
    unsigned n = 0;
    for (const struct addrinfo *a = d->addresses; a; a = a->ai_next, n++) {
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
        port = port || (span_u64(span_from(text, span_rfind(text, ':') + 1), &n) && n == d->hop->port);
    }
    json_decref(list);
    if (!port || !line_is_local(&d->line))
        return false;
    port_owner_find(&owner, NULL, d->hop->port);
    return owner.found && owner.known && strcmp(owner.name, "exeat") == 0;
}

void walk_tcp(struct doctor *d, struct finding *f)
{
    struct err e = {0};
    const struct addrinfo *chosen;
    char text[64];
    uint64_t begun = line_now();
    if (!line_connect(&d->line, d->addresses, at_most(d->hop->dial_ms), &chosen, &e)) {
        fail_network(d, f, &e);
        return;
    }
    line_address(chosen, text);
    if (leads_to_ourselves(d))
        finding_fail(f, EXIT_CONFIG, "Name the real proxy in proxy =, or give exeat another port.",
                     "%s is this agent itself: each request would go round in a circle", d->hop->name);
    else
        finding_say(f, MARK_OK, "%s port %u takes connections (%" PRIu64 " ms)", text, d->hop->port,
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

void walk_tls(struct doctor *d, struct finding *f)
{
    struct err e = {0};
    char text[128];
    uint64_t begun = line_now();
    if (!d->hop->tls) {
        finding_say(f, MARK_SKIP, "%s",
                    d->hop->upstream ? "not used: proxy = names it by http://" : "not used");
        return;
    }
    if (!line_secure(&d->line, d->hop->tls, at_most(d->hop->dial_ms), &e)) {
        fail_with(f, &e, tls_remedy(&e), "the proxy: ");
        return;
    }
    tls_describe(d->line.tls, text, sizeof text);
    finding_say(f, MARK_OK, "%s; its certificate is good for %s (%" PRIu64 " ms)", text, d->hop->host,
                line_now() - begun);
}

/* --- what it says --- */

static void write_question(struct doctor *d, struct buf *out)
{
    const char *host = buf_cstr(&d->authority);
    if (d->tunnel)
        buf_addf(out, "CONNECT %s HTTP/1.1\r\nHost: %s\r\n", host, host);
    else
        buf_addf(out, "GET %s HTTP/1.1\r\nHost: %s\r\n", buf_cstr(&d->target), host);
    buf_add_str(out, "User-Agent: exeat/" EXEAT_VERSION "\r\nAccept: */*\r\n\r\n");
}

static void keep_answer(struct doctor *d, const struct head *h)
{
    d->answer = h->status;
    for (const struct field *x = head_field(h, "Proxy-Authenticate"); x && h->status == 407;
         x = head_field_next(h, x))
        buf_addf(&d->offer, "%.*s\n", SPAN_ARG(x->value));
    const struct field *date = head_field(h, "Date");
    if (date)
        buf_add_span(&d->date, date->value);
}

static void offer_failed(const struct doctor *d, struct finding *f, const struct err *e)
{
    bool tls = strstr(e->text, "speaks TLS") != NULL;
    if (e->code == ERR_PROTOCOL)
        finding_fail(f, EXIT_FAILED,
                     tls ? "Write https:// instead of http:// in proxy ="
                         : "Check host and port of proxy =: something else answers there",
                     "%s is no HTTP proxy: %s", d->hop->name, e->text);
    else if (e->code == ERR_TIMEOUT)
        finding_fail(
            f, EXIT_UNREACHABLE,
            "It may be overloaded, or no HTTP proxy: ask your administrator; answer-timeout = says how "
            "long exeat waits",
            "%s takes connections and does not answer (waited %u ms)", d->hop->name,
            at_most(d->hop->answer_ms));
    else
        finding_fail(f, EXIT_FAILED,
                     "Check host and port of proxy =; a proxy may also turn away whole networks",
                     "%s gave no answer: %s", d->hop->name, e->text);
}

void walk_offer(struct doctor *d, struct finding *f)
{
    struct err e = {0};
    struct head h = {0};
    struct buf question = {0};
    uint64_t begun = line_now();
    unsigned ms = at_most(d->hop->answer_ms);
    if (doctor_signs_nowhere(d->hop)) {
        finding_say(f, MARK_SKIP, "%s",
                    d->hop->socks ? "not asked: a SOCKS server" : "there is no proxy on this way");
        return;
    }
    write_question(d, &question);
    bool good = line_send(&d->line, buf_span(&question), ms, &e) && line_head(&d->line, ms, &h, &e);
    buf_free(&question);
    if (!good) {
        offer_failed(d, f, &e);
        return;
    }
    keep_answer(d, &h);
    uint64_t took = line_now() - begun;
    if (h.status == 407 && d->offer.n == 0)
        finding_fail(f, EXIT_FAILED, "Ask your administrator: a 407 must name a scheme.",
                     "it asks who we are (407) and names no scheme at all");
    else if (h.status == 407)
        finding_say(f, MARK_OK, "it asks who we are (407, %" PRIu64 " ms):", took);
    else
        finding_say(f, MARK_OK,
                    "it does not ask who we are: it answered %u to a request without credentials "
                    "(%" PRIu64 " ms)",
                    h.status, took);
    struct span rest = buf_span(&d->offer);
    while (rest.n) {
        struct span line = span_cut(&rest, '\n');
        buf_addf(&f->evidence, "\nProxy-Authenticate: %.*s", SPAN_ARG(line));
    }
    head_free(&h);
}

void walk_time(struct doctor *d, struct finding *f)
{
    struct tm tm = {0};
    const char *end = d->date.n ? strptime(buf_cstr(&d->date), "%a, %d %b %Y %H:%M:%S GMT", &tm) : NULL;
    if (!end || *end) {
        finding_say(f, MARK_SKIP, "the proxy does not say what time it is");
        return;
    }
    long long offset = (long long)(timegm(&tm) - time(NULL));
    long long size = offset < 0 ? -offset : offset;
    finding_say(f, size > SKEW_NOTE ? MARK_NOTE : MARK_OK,
                "this computer's clock is %lld second%s %s the proxy's", size, size == 1 ? "" : "s",
                offset > 0 ? "behind" : "ahead of");
    if (size > SKEW_MOST) {
        f->mark = MARK_BAD;
        f->code = EXIT_FAILED;
        buf_add_str(&f->remedy, "Set the clock, for instance with: timedatectl set-ntp true");
    }
}
