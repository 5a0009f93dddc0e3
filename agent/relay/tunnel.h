/*
 * Two streams joined: what comes on one goes out on the other, each direction with its own end (EOF one way is a shutdown the other way), until both
 * have ended or one breaks, or nothing has moved either way for as long as tunnel-idle says. TCP keep-alive probes find dead peers earlier. Owns both streams.
 * Holds no buffer while idle.
 */
#ifndef EXEAT_RELAY_TUNNEL_H
#define EXEAT_RELAY_TUNNEL_H

#include "relay/relay.h"

/* `early_up`, `early_down`: bytes that were read already, to be sent first. `client_ended`: the client has sent EOF behind early_up. `what`: of the request, for
   the line at its end; copied. */
void tunnel_start(struct relay *relay, struct stream *client, struct stream *upstream, struct span early_up,
                  struct span early_down, bool client_ended, const struct access *what,
                  struct caller *caller);
struct tunnel;
/* Whose it is, for as long as it lasts: takes that reference over. NULL: a program's on this machine. */
void tunnel_count_for(struct tunnel *t, struct tally *guest);
/* The same for a gateway's client. */
struct visit;
void tunnel_visit(struct tunnel *t, struct visit *visit);
/* The settings are others. */
void tunnel_reloaded(struct tunnel *t);
/* For relay_done. */
void tunnel_close(struct tunnel *t);
/* FIN both ways, behind what has come so far; it ends when both sides have ended too. */
void tunnel_finish(struct tunnel *t);
struct tunnel *tunnel_of(struct list *link);

#endif
