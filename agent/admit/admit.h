/*
 * Who may use the relay: the users that allow-uids in [listen] names (by default whoever runs the agent, and root), asked of the kernel before
 * a byte of theirs is read. Loop thread only.
 */
#ifndef EXEAT_ADMIT_ADMIT_H
#define EXEAT_ADMIT_ADMIT_H

#include "base/buf.h"
#include "config/config.h"
#include "http/page.h"
#include "net/peer.h"

struct admit {
    struct peer_query query;
    struct peer_id who;   /* of the last admit_stream */
    uint64_t window_ends; /* ms of the loop; refusals are counted by the second */
    unsigned refused;     /* in this window */
};

void admit_init(struct admit *a);
void admit_done(struct admit *a);

/* Was the last one that was turned away the first of its second, of which the log has a line? */
bool admit_said_so(const struct admit *a);
/* true: may go on. false: it has been told in words why not, and the stream is gone. `tag`: for the log and the page. `instead`: for clients that
   do not read HTTP, what they get in place of the page; nothing at all is a reset. NULL: the page. */
bool admit_stream(struct admit *a, const struct config *c, struct stream *s, const char *tag,
                  const struct span *instead);

/* Does this connection come from beyond this machine, or may it? Then the kernel cannot tell whose it is: see admit_guest. */
bool admit_is_beyond(const struct stream *s);
/* The first half of what such a client needs: an address that allow in [listen] names; asked before a byte is read. What it must show is asked of each of its
   requests (relay/guest.c). As admit_stream; `words`: the client reads HTTP. */
bool admit_guest(struct admit *a, const struct config *c, struct stream *s, const char *tag, bool words);
struct sockaddr_storage;
/* Turns one away that may not come now, with a page; as admit_stream does where so many come that there is no room for words. */
void admit_turn_away(struct admit *a, struct stream *s, const char *tag, enum page_cause cause,
                     struct span why, struct span remedy, bool words);
/* May a client of that gateway come from there? By a Unix socket or a loopback address: always. *peer is filled in where it can be told. */
bool admit_gateway_address(const struct config_gateway *g, const struct stream *s,
                           struct sockaddr_storage *peer);
/* The policy by itself; *peer is filled in where it can be told. */
bool admit_guest_address(const struct config *c, const struct stream *s, struct sockaddr_storage *peer);

/* The policy by itself. `why_unknown`: for PEER_UNKNOWN. false: *why (what happened) and *remedy (what to do) get a sentence each. */
bool admit_owner(const struct config *c, enum peer_owner owner, uid_t uid, const char *why_unknown,
                 struct buf *why, struct buf *remedy);

#endif
