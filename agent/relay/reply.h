/*
 * Answers of our own to a client (http/page.h), and what the log says of a request when it is over.
 */
#ifndef EXEAT_RELAY_REPLY_H
#define EXEAT_RELAY_REPLY_H

#include "http/page.h"
#include "relay/exchange.h"

/* Writes the page and ends the exchange. The client's connection stays open where nothing of the request is left unread. */
void reply_page(struct exchange *e, enum page_cause cause, unsigned status, struct span why,
                struct span remedy);
/* The same without a line in the log beside that of the request: the caller has said what is to be said. */
void reply_page_untold(struct exchange *e, enum page_cause cause, struct span why, struct span remedy);
/* For clients that do not read HTTP: the proxy has said no to their CONNECT. */
void reply_no_tunnel(struct exchange *e, const struct head *answer);
/* A small document of ours (200). */
void reply_document(struct exchange *e, struct span content_type, struct span content);
/* The line per request, and its place in the figures. `bytes` of content went to the client. */
void reply_log(struct exchange *e, uint64_t bytes, const char *note);
/* The same for one that becomes a tunnel, whose end has a line of its own; *out is what that can say of it, lent by the exchange. */
void reply_handover(struct exchange *e, struct access *out);

#endif
