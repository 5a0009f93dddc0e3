/*
 * The policy at the door. What cannot be told is refused: a door that opens when the lock is broken is none. A refused client gets its 403 at
 * once, whatever it was going to ask, and its connection lingers closed; so that another user of the machine can neither fill the log nor
 * hold many descriptors that way, one line a second is written and only so many refusals a second get words. Loop thread; the relay owns
 * the struct.
 */
#include "admit/admit.h"

#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "http/page.h"
#include "net/listen.h"

#define WINDOW_MS        1000
#define PAGE_SECONDS     30
#define PAGES_PER_WINDOW 50 /* each holds a descriptor for some seconds while its page is on the way */

void admit_init(struct admit *a)
{
    *a = (struct admit){0};
    peer_init(&a->query);
}

void admit_done(struct admit *a)
{
    peer_done(&a->query);
}

static bool names(const struct config *c, uid_t uid)
{
    for (size_t i = 0; i < c->n_allow_uids; i++)
        if (c->allow_uids[i].uid == uid)
            return true;
    return false;
}

/* How to name that user in allow-uids. No look-up: whoever answers those may be slow. */
static void put_user(struct buf *out, uid_t uid)
{
    if (uid == 0)
        buf_add_str(out, "root");
    else if (uid == geteuid())
        buf_add_str(out, "self");
    else
        buf_addf(out, "%u", uid);
}

static void put_list(struct buf *out, const struct config *c)
{
    buf_add_str(out, "allow-uids =");
    for (size_t i = 0; i < c->n_allow_uids; i++)
        buf_addf(out, " %s", c->allow_uids[i].text);
}

bool admit_owner(const struct config *c, enum peer_owner owner, uid_t uid, const char *why_unknown,
                 struct buf *why, struct buf *remedy)
{
    if (c->allow_any || (owner == PEER_USER && names(c, uid)))
        return true;
    switch (owner) {
    case PEER_USER:
        buf_addf(
            why,
            "the connection belongs to uid %u%s, whom this proxy does not serve (it runs as uid %u, with ",
            uid, uid == 0 ? " (root)" : "", geteuid());
        put_list(why, c);
        buf_add_str(why, ")");
        buf_add_str(remedy, "to let that user's programs in, write \"");
        put_list(remedy, c);
        buf_add_str(remedy, " ");
        put_user(remedy, uid);
        buf_add_str(remedy,
                    "\" into [listen] of exeat.conf and run exeat reload; a user's name does as well");
        break;
    case PEER_GONE:
        buf_add_str(why, "the program that opened the connection closed it or ended before anybody could "
                         "tell whose it was");
        buf_add_str(remedy, "let it run until it has the answer");
        break;
    case PEER_UNKNOWN:
        buf_addf(why, "nobody can tell whose program opened the connection: %s", why_unknown);
        buf_add_str(remedy,
                    "where the kernel cannot be asked (connections are redirected, the service may not use "
                    "AF_NETLINK), "
                    "\"allow-uids = any\" in [listen] of exeat.conf lets in every user of this machine");
        break;
    }
    return false;
}

static void refuse_for(struct admit *a, struct stream *s, const char *tag, enum page_cause cause,
                       struct span why, struct span remedy, const struct span *instead)
{
    uint64_t now = loop_now(stream_loop(s));
    if (now >= a->window_ends) {
        char more[80] = "";
        if (a->refused > 1)
            snprintf(more, sizeof more, " (%u more clients were refused since the last such line)",
                     a->refused - 1);
        log_warning(tag, "client %s: %.*s; %.*s%s", stream_peer(s), SPAN_ARG(why), SPAN_ARG(remedy), more);
        a->window_ends = now + WINDOW_MS;
        a->refused = 0;
    }
    if (++a->refused > PAGES_PER_WINDOW || (instead && instead->n == 0)) {
        stream_abort(s);
        return;
    }
    struct buf text = {0};
    const struct page page = {
        .cause = cause, .why = why, .remedy = remedy, .tag = span_str(tag), .close = true};
    if (!instead)
        page_write(&text, &page);
    stream_write(s, instead ? *instead : buf_span(&text));
    buf_free(&text);
    stream_linger(s, PAGE_SECONDS);
}

static void refuse(struct admit *a, struct stream *s, const char *tag, const struct buf *why,
                   const struct buf *remedy, const struct span *instead)
{
    refuse_for(a, s, tag, PAGE_NOT_ALLOWED, buf_span(why), buf_span(remedy), instead);
}

void admit_turn_away(struct admit *a, struct stream *s, const char *tag, enum page_cause cause,
                     struct span why, struct span remedy, bool words)
{
    refuse_for(a, s, tag, cause, why, remedy, words ? NULL : &SPAN(""));
}

bool admit_said_so(const struct admit *a)
{
    return a->refused == 1;
}

bool admit_stream(struct admit *a, const struct config *c, struct stream *s, const char *tag,
                  const struct span *instead)
{
    struct buf why = {0}, remedy = {0};
    struct err e = {0};
    uid_t uid = (uid_t)-1;
    a->who = (struct peer_id){0};
    if (c->allow_any && !c->log_requests) /* nobody wants to know */
        return true;
    enum peer_owner owner = peer_find(&a->query, s, &uid, &e);
    a->who = (struct peer_id){owner == PEER_USER, uid, stream_peer_pid(s), a->query.inode};
    bool allowed = admit_owner(c, owner, uid, e.text, &why, &remedy);
    if (!allowed)
        refuse(a, s, tag, &why, &remedy, instead);
    buf_free(&why);
    buf_free(&remedy);
    return allowed;
}

/* What it came to is what counts: it may be gone again, and then the kernel does not know from where. */
bool admit_is_beyond(const struct stream *s)
{
    struct sockaddr_storage own = {0}, peer;
    uid_t uid;
    if (stream_peer_uid(s, &uid))
        return false;
    stream_addresses(s, &own, &peer);
    return own.ss_family == AF_UNSPEC || !listen_is_loopback((const struct sockaddr *)&own);
}

bool admit_guest_address(const struct config *c, const struct stream *s, struct sockaddr_storage *peer)
{
    struct sockaddr_storage own = {0};
    return stream_addresses(s, &own, peer) &&
           config_networks_hold(c->allow, c->n_allow, (const struct sockaddr *)peer);
}

bool admit_gateway_address(const struct config_gateway *g, const struct stream *s,
                           struct sockaddr_storage *peer)
{
    struct sockaddr_storage own = {0};
    uid_t uid;
    *peer = (struct sockaddr_storage){0};
    if (stream_peer_uid(s, &uid))
        return true;
    return stream_addresses(s, &own, peer) &&
           (listen_is_loopback((const struct sockaddr *)&own) ||
            config_networks_hold(g->allow, g->n_allow, (const struct sockaddr *)peer));
}

bool admit_guest(struct admit *a, const struct config *c, struct stream *s, const char *tag, bool words)
{
    static const struct span nothing = {"", 0};
    struct sockaddr_storage peer = {0};
    struct buf why = {0}, remedy = {0};
    bool allowed = words && admit_guest_address(c, s, &peer);
    if (!allowed) {
        buf_addf(&why, "exeat does not serve the address %s", stream_peer(s));
        buf_add_str(&remedy,
                    "to let clients from there in, write their network into [listen] of exeat.conf on "
                    "the machine where exeat runs (allow = NETWORK), and run exeat reload");
        refuse(a, s, tag, &why, &remedy, words ? NULL : &nothing);
    }
    buf_free(&why);
    buf_free(&remedy);
    return allowed;
}
