/*
 * From what a client brought to a hop with that identity. A client's field is taken out of the request's head into locked memory the first time
 * that an upstream uses it, and nothing of it goes further than the keyholder.
 */
#include "relay/credentials.h"

#include <stdlib.h>

#include "base/base64.h"
#include "http/octet.h"
#include "relay/exchange.h"
#include "relay/reply.h"
#include "upstream/pool.h"

#define BROUGHT_MOST ((size_t)4096) /* bytes of a user's name, and of a password */

/* --- what came --- */

void brought_free(struct brought *b)
{
    free(b->user);
    secret_free(&b->password);
    *b = (struct brought){0};
}

static bool has_control(struct span s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!octet_is(s.p[i], OCTET_VALUE) || s.p[i] == '\t')
            return true;
    return false;
}

void brought_set(struct brought *b, struct span user, struct span password)
{
    brought_free(b);
    if (user.n > BROUGHT_MOST || password.n > BROUGHT_MOST) {
        b->fault = "the user or password that the program sent for the proxy is longer than any";
        return;
    }
    if (has_control(user) || has_control(password)) {
        b->fault = "the user or password that the program sent for the proxy has control characters in it";
        return;
    }
    if (!user.n) /* nobody */
        return;
    b->user = span_dup(user);
    secret_set(&b->password, password);
}

/* `text`: base64 of user:password. */
static void read_basic(struct brought *b, struct span text)
{
    struct buf plain = {.max = text.n + 4};
    buf_reserve(&plain, text.n + 4);
    bool sound = base64_decode(&plain, text);
    struct span pair = buf_span(&plain);
    size_t colon = span_find(pair, ':');
    if (!sound)
        b->fault = "the program's Proxy-Authorization field is not Basic as RFC 7617 has it: no base64";
    else if (colon == pair.n)
        b->fault =
            "the program's Proxy-Authorization field is not Basic as RFC 7617 has it: no colon between user "
            "and password";
    else
        brought_set(b, span_head(pair, colon), span_from(pair, colon + 1));
    secret_wipe(plain.p, plain.cap);
    buf_free(&plain);
}

/* Another scheme than the one that we ask for is as good as none. */
static void read_field(struct brought *b, struct head *h)
{
    const struct field *f = head_field(h, "Proxy-Authorization");
    if (!f)
        return;
    struct span rest = f->value, scheme = span_word(&rest);
    if (head_field_next(h, f))
        b->fault = "the program sent more than one Proxy-Authorization field";
    else if (span_ieq(scheme, SPAN("Basic")))
        read_basic(b, span_trim(rest));
    head_wipe_field(h, "Proxy-Authorization"); /* it goes no further */
}

static struct brought *brought_by(struct exchange *e)
{
    if (!e->client->entrance->http)
        return &e->client->brought;
    if (!e->brought_read)
        read_field(&e->brought, &e->head);
    e->brought_read = true;
    return &e->brought;
}

/* --- whose connections --- */

static bool put(struct exchange *e, struct hop *face)
{
    hop_unref(e->hops[e->at]);
    e->hops[e->at] = face;
    return true;
}

/* Connections of others that nobody uses at the moment make room. */
static struct hop *face_for(struct hop *base, const struct brought *b)
{
    struct span user = span_str(b->user);
    struct hop *face = hop_as(base, user, secret_reveal(&b->password));
    struct list *it, *safe;
    if (face)
        return face;
    list_each(it, safe, &base->faces) pool_drop_idle(list_entry(it, struct hop, link));
    return hop_as(base, user, secret_reveal(&b->password));
}

static bool too_many_users(struct exchange *e)
{
    reply_page(e, PAGE_BUSY, 0, SPAN("more users than exeat keeps at once are using this proxy through it"),
               SPAN("try again later"));
    return false;
}

static bool ask_client(struct exchange *e)
{
    if (e->client->gated.gate)
        reply_page(
            e, PAGE_NOT_ALLOWED, 0,
            SPAN("this way leads to a proxy that wants to know who each program's user is, and a client of a "
                 "gateway has shown that to the gateway"),
            SPAN("let a rule lead it to an upstream with client-credentials = drop"));
    else if (e->client->guest.beyond)
        reply_page(
            e, PAGE_NOT_ALLOWED, 0,
            SPAN("this way leads to a proxy that wants to know who each program's user is, and a client from "
                 "beyond this machine has shown its token where that would stand"),
            SPAN("let a rule lead it to an upstream with client-credentials = drop"));
    else if (e->client->entrance->http)
        reply_page(
            e, PAGE_CLIENT_CREDENTIALS, 0,
            SPAN("this way leads to a proxy that wants to know who each program's user is, and the program "
                 "has not said"),
            SPAN("give the program a user name and password for the proxy (exeat.conf: client-credentials)"));
    else
        reply_page(
            e, PAGE_CLIENT_CREDENTIALS, 0,
            SPAN("this way leads to a proxy that wants to know who each program's user is, and nobody has "
                 "said so here"),
            SPAN("a SOCKS 5 program can send user and password; a fixed tunnel cannot (exeat.conf: "
                 "client-credentials)"));
    return false;
}

static bool use_brought(struct exchange *e, struct hop *base)
{
    if (e->client->gated.gate)
        return ask_client(e);
    const struct brought *b = brought_by(e);
    if (b->fault) {
        reply_page(e, PAGE_BAD_REQUEST, 0, span_str(b->fault), SPAN(""));
        return false;
    }
    if (!b->user)
        return ask_client(e);
    struct hop *face = face_for(base, b);
    if (face)
        return put(e, face);
    return too_many_users(e);
}

/* --- users of a gateway that acts for them --- */

/* The user whose connections have been idle for longest loses them. */
static void drop_longest_unused(struct hop *base)
{
    for (struct list *it = base->faces.prev, *before; it != &base->faces; it = before) {
        struct hop *face = hop_ref(list_entry(it, struct hop, link));
        before = it->prev;
        if (face->acts_for)
            pool_drop_idle(face);
        bool goes = face->acts_for && face->refs == 1;
        hop_unref(face);
        if (goes)
            return;
    }
}

/* Wherever the way is full. */
static void make_room(struct hop *base)
{
    if (hop_users(base) >= HOP_USERS_MOST)
        drop_longest_unused(base);
    for (size_t i = 0; i < base->n_through; i++)
        make_room(base->through[i]);
}

static bool act(struct exchange *e, struct hop *base, bool exempt)
{
    struct span user = span_str(gate_user(e));
    if (!user.n) {
        reply_page(e, PAGE_NOT_ALLOWED, 0,
                   SPAN("this gateway goes on as the user that came in (identity = per-user), and this one "
                        "has no name"),
                   SPAN(""));
        return false;
    }
    struct span gateway = span_str(e->client->gated.gate->name);
    struct hop *face = hop_acting(base, gateway, user, exempt);
    if (!face) {
        make_room(base);
        face = hop_acting(base, gateway, user, exempt);
    }
    return face ? put(e, face) : too_many_users(e);
}

bool credentials_settle(struct exchange *e)
{
    struct hop *hop = e->hops[e->at];
    if (hop->base)
        return true;
    bool exempt = hop->authenticates && hop_exempts(hop, e->target.host, e->target.port);
    if (gate_acts(e) && hop_shows_identity(hop, exempt))
        return act(e, hop, exempt);
    if (exempt)
        return put(e, hop_bare(hop));
    return !hop->authenticates || !hop->uses_client || use_brought(e, hop);
}

enum page_cause credentials_cause(const struct exchange *e, const struct ask_failure *failure)
{
    bool own = e->hops[e->at]->user != NULL;
    return own && failure->cause == PAGE_SECRET_REFUSED ? PAGE_CLIENT_CREDENTIALS : failure->cause;
}

bool credentials_exempt_in_vain(struct exchange *e)
{
    struct buf why = {0}, remedy = {0};
    const struct hop *hop = e->hops[e->at];
    bool passes_on = e->client->entrance->http && !e->connect && !e->client->gated.gate;
    if (!hop->bare || e->ask.leg.head.status != 407 || passes_on)
        return false;
    buf_addf(&why, "the proxy asks for credentials for %.*s, and no-auth says that it gets none",
             SPAN_ARG(span_head(buf_span(&e->host_text), 300)));
    buf_addf(&remedy,
             "take the pattern out of no-auth in [upstream %s] if the proxy does not exempt it any more",
             hop->upstream);
    reply_page(e, PAGE_NO_CREDENTIALS, 0, buf_span(&why), buf_span(&remedy));
    ask_cancel(&e->ask);
    buf_free(&why);
    buf_free(&remedy);
    return true;
}
