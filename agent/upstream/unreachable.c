/*
 * One row per way in which dialling fails, or an answer does not come. Pure.
 */
#include "upstream/unreachable.h"

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
};

enum page_cause unreachable_cause(enum dial_failure kind)
{
    return rows[kind].cause;
}

struct span unreachable_remedy(enum dial_failure kind, bool direct)
{
    if (direct && kind != DIAL_DESCRIPTORS)
        return SPAN(
            "this address is reached without a proxy (no-proxy): check it, and that the server is up");
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
