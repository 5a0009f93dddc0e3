/*
 * One row per way in which dialling fails, an answer does not come, or a proxy makes no tunnel. Pure.
 */
#include "upstream/unreachable.h"

#include "upstream/ask.h"

static const struct {
    enum page_cause cause;
    const char *remedy;
} rows[] = {
    [DIAL_DNS] = {PAGE_DNS, "check the name, and that the company network or VPN is up"},
    [DIAL_CONNECT] = {PAGE_UNREACHABLE, "check that the company network or VPN is up"},
    [DIAL_REFUSED] = {PAGE_REFUSED, "check proxy in exeat.conf, and that the company network or VPN is up; "
                                    "the proxy itself may be down"},
    [DIAL_TIMEOUT] = {PAGE_CONNECT_TIMEOUT, "check that the company network or VPN is up"},
    [DIAL_DESCRIPTORS] = {PAGE_BUSY,
                          "too many connections are open: raise the limit (ulimit -n) or try again"},
    [DIAL_TLS] = {PAGE_TLS,
                  "compare proxy, ca, pin and certificate in exeat.conf with what the proxy's administrator "
                  "says; if it worked before, somebody else may be answering in its place"},
    [DIAL_KEPT_OUT] = {PAGE_NOT_ALLOWED,
                       "let the server listen on an address that the client reaches without a proxy"},
};

enum page_cause unreachable_cause(enum dial_failure kind)
{
    return rows[kind].cause;
}

struct span unreachable_remedy(enum dial_failure kind, bool direct)
{
    if (direct && kind != DIAL_DESCRIPTORS && kind != DIAL_KEPT_OUT)
        return SPAN("this address is reached without a proxy (exeat route says why): check it, and that the "
                    "server is up");
    return span_str(rows[kind].remedy);
}

enum page_cause unanswered_cause(enum leg_end_kind how)
{
    static const enum page_cause causes[] = {[LEG_CLOSED] = PAGE_CUT_SHORT,
                                             [LEG_TIMEOUT] = PAGE_ANSWER_TIMEOUT,
                                             [LEG_TLS] = PAGE_TLS,
                                             [LEG_MALFORMED] = PAGE_BAD_ANSWER};
    return causes[how];
}

struct span unanswered_remedy(enum leg_end_kind how, bool harmless)
{
    bool in_doubt = (how == LEG_CLOSED || how == LEG_TLS) && !harmless;
    return in_doubt
               ? SPAN("it is not known whether the request was carried out; look before you send it again")
               : SPAN("try again");
}

void ask_failure_from(struct ask_failure *failure, const struct unreached *why)
{
    *failure = (struct ask_failure){.cause = why->cause,
                                    .why = why->why,
                                    .remedy = why->remedy,
                                    .nothing_sent = true,
                                    .final = why->final,
                                    .upstream = why->upstream,
                                    .login_helps = why->login_helps,
                                    .generation = why->generation};
}

/* What a proxy means by its no. The first row that fits: some say more in a field than in the status. */
enum page_cause unreachable_tunnel_cause(const struct head *h)
{
    static const struct {
        unsigned status;           /* 0: any */
        const char *field, *words; /* NULL: any */
        enum page_cause cause;
    } answers[] = {
        {0, "X-Squid-Error", "ERR_CONNECT_FAIL 111", PAGE_REFUSED},
        {0, "X-Squid-Error", "ERR_DNS_FAIL", PAGE_DNS},
        {0, "X-Squid-Error", "ERR_CANNOT_FORWARD", PAGE_UNREACHABLE},
        {0, "Proxy-Status", "error=connection_refused", PAGE_REFUSED},
        {0, "Proxy-Status", "error=dns_error", PAGE_DNS},
        {403, NULL, NULL, PAGE_SITE_REFUSED},
        {451, NULL, NULL, PAGE_SITE_REFUSED},
        {404, NULL, NULL, PAGE_UNREACHABLE},
        {502, NULL, NULL, PAGE_UNREACHABLE},
        {503, NULL, NULL, PAGE_UNREACHABLE},
        {504, NULL, NULL, PAGE_CONNECT_TIMEOUT},
        {407, NULL, NULL, PAGE_NO_CREDENTIALS},
        {0, NULL, NULL, PAGE_BAD_ANSWER},
    };
    size_t i = 0;
    for (;; i++) {
        const struct field *f = answers[i].field ? head_field(h, answers[i].field) : NULL;
        bool said =
            f && f->value.n && memmem(f->value.p, f->value.n, answers[i].words, strlen(answers[i].words));
        if ((answers[i].status == 0 || answers[i].status == h->status) && (said || !answers[i].field))
            return answers[i].cause;
    }
}

void unreachable_tunnel_words(struct buf *out, const char *proxy, const struct head *answer,
                              struct span target)
{
    buf_addf(out, "the proxy%s%s answered %u%s%.*s to CONNECT %.*s", proxy ? " " : "", proxy ? proxy : "",
             answer->status, answer->reason.n ? " " : "", SPAN_ARG(span_head(answer->reason, 200)),
             SPAN_ARG(span_head(target, 300)));
    const struct field *more = head_field(answer, "X-Squid-Error");
    if (more)
        buf_addf(out, " (%.*s)", SPAN_ARG(span_head(more->value, 100)));
}

struct span unreachable_tunnel_remedy(const struct head *answer)
{
    return answer->status == 407 ? SPAN("its upstream says auth = none: name what may be answered")
                                 : SPAN("ask its administrator whether it makes tunnels to this port");
}
