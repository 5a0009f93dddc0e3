/*
 * The variables that lead programs to a proxy: do they lead to this agent, past it, or round in a circle?
 */
#include <stdlib.h>

#include "cli/doctor.h"
#include "config/kinds.h"
#include "http/target.h"

static const char *const variables[] = {"http_proxy",  "HTTP_PROXY", "https_proxy",
                                        "HTTPS_PROXY", "all_proxy",  "ALL_PROXY"};
#define VARIABLES (sizeof variables / sizeof *variables)

struct place {
    struct span scheme, host; /* lent by the environment */
    uint16_t port;
    bool password;
};

/* "http://user:password@host:port/" */
static bool read_place(struct span text, struct place *p)
{
    bool ipv6;
    *p = (struct place){0};
    const char *slashes = text.n ? memmem(text.p, text.n, "://", 3) : NULL;
    if (slashes) {
        p->scheme = span_head(text, (size_t)(slashes - text.p));
        text = span_from(text, p->scheme.n + 3);
    }
    text = span_head(text, span_find(text, '/'));
    size_t at = span_rfind(text, '@');
    if (at < text.n) {
        p->password = span_find(span_head(text, at), ':') < at;
        text = span_from(text, at + 1);
    }
    uint16_t usual = span_ieq(p->scheme, SPAN("https")) ? 443 : 80;
    return target_authority(text, usual, &p->host, &ipv6, &p->port);
}

static bool is_ours(const struct place *p, json_t *listeners)
{
    json_t *name;
    size_t i;
    bool same = false;
    char *host = span_dup(p->host);
    json_array_foreach(listeners, i, name)
    {
        struct config_address a = {0};
        struct span text = span_str(json_string_value(name)), theirs;
        bool ipv6;
        if (!target_authority(text, 0, &theirs, &ipv6, &a.port) || !a.port)
            continue;
        a.host = span_dup(theirs);
        same = same || place_is_listener(host, p->port, &a, 1);
        free(a.host);
    }
    free(host);
    return same;
}

static void add_export(struct finding *f, json_t *listeners)
{
    const char *place = doctor_our_listener(listeners);
    if (place && strncmp(place, "unix:", 5) != 0 && !span_ends(span_str(place), SPAN(":0")))
        buf_addf(&f->remedy, "For programs of this shell: export http_proxy=http://%s https_proxy=http://%s",
                 place, place);
}

/* One that is wrong whatever the others say. */
static bool is_wrong(const char *name, struct span value, bool good, bool ours, const struct place *p,
                     struct finding *f)
{
    if (!good)
        finding_fail(f, EXIT_FAILED, "Write it as http://HOST:PORT", "%s is no address of a proxy: \"%.*s\"",
                     name, SPAN_ARG(span_head(value, 100)));
    else if (p->password)
        finding_fail(f, EXIT_FAILED,
                     "Take it out, and lead the variable to exeat, which needs no password of its clients.",
                     "%s holds a password, which every program of this session can read", name);
    else if (ours && span_ieq(p->scheme, SPAN("https")))
        finding_fail(f, EXIT_FAILED, "Write http:// in front of it: that is about the way to exeat only.",
                     "%s says https://, but exeat's own listener speaks no TLS", name);
    else
        return false;
    return true;
}

/* The variable that makes all others void; NULL: there is none. */
static const char *nothing_by_proxy(void)
{
    static const char *const names[] = {"no_proxy", "NO_PROXY"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (span_eq(span_trim(span_str(getenv(names[i]))), SPAN("*")))
            return names[i];
    return NULL;
}

void walk_environment(struct doctor *d, struct finding *f)
{
    json_t *listeners = doctor_listeners(d);
    struct buf ours = {0}, past = {0};
    for (size_t i = 0; i < VARIABLES && f->mark != MARK_BAD; i++) {
        struct span value = span_trim(span_str(getenv(variables[i])));
        struct place p;
        if (!value.n)
            continue;
        bool good = read_place(value, &p);
        bool same = good && is_ours(&p, listeners);
        if (is_wrong(variables[i], value, good, same, &p, f))
            break;
        struct buf *to = same ? &ours : &past;
        buf_addf(to, "%s%s", to->n ? ", " : "", variables[i]);
        if (!same)
            buf_addf(to, " (%.*s:%u)", SPAN_ARG(p.host), p.port);
    }
    bool from_environment = d->status && !json_string_value(json_object_get(d->status, "config"));
    if (f->mark == MARK_BAD) {
        /* said already */
    } else if (past.n) {
        finding_say(f, MARK_NOTE, "past exeat leads: %s%s%s", buf_cstr(&past), ours.n ? "; to exeat: " : "",
                    ours.n ? buf_cstr(&ours) : "");
        add_export(f, listeners);
    } else if (ours.n && from_environment && !getenv("EXEAT_UPSTREAM")) {
        finding_say(f, MARK_NOTE,
                    "%s: to exeat, whose own proxy comes from its environment: one that is started from here "
                    "would find only itself",
                    buf_cstr(&ours));
        buf_add_str(&f->remedy, "Write the proxy into a file (exeat help check), or set EXEAT_UPSTREAM.");
    } else if (ours.n && !d->agent && !d->config_path) {
        finding_say(f, MARK_NOTE, "%s: to exeat, which is not running", buf_cstr(&ours));
    } else if (ours.n && nothing_by_proxy()) {
        finding_say(f, MARK_NOTE, "%s: to exeat; but %s = * leads programs past every proxy", buf_cstr(&ours),
                    nothing_by_proxy());
        buf_addf(&f->remedy, "For programs of this shell: unset %s", nothing_by_proxy());
    } else if (ours.n) {
        finding_say(f, MARK_OK, "%s: to exeat", buf_cstr(&ours));
    } else {
        finding_say(f, MARK_NOTE, "no variable leads programs to a proxy");
        add_export(f, listeners);
    }
    buf_free(&ours);
    buf_free(&past);
    json_decref(listeners);
}
