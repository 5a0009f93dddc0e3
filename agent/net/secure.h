/*
 * TLS between a connection and its stream; private to net/.
 */
#ifndef EXEAT_NET_SECURE_H
#define EXEAT_NET_SECURE_H

#include "net/stream.h"
#include "net/tls.h"

/* A TLS stream reads so many bytes at once into the loop's buffer; the rest of that is for what becomes of them. */
#define SECURE_READ_BYTES ((size_t)64 * 1024)

/* The handshake, on a stream that has just been connected and has an owner, who is told `secured` (never inside this call; the stream does not read then)
   or `failed`. From `secured` on the stream's bytes are the content. */
void stream_secure(struct stream *s, struct tls_client *client, void (*secured)(void *owner));

/* --- for stream.c --- */

struct secure;

/* Is the handshake still under way? */
bool secure_shakes(const struct secure *x);
void secure_came(struct stream *s, struct span records);
/* The connection's end, without one of TLS. */
void secure_gone(struct stream *s);
/* Something that came earlier is to be told first: reading begins with that, in a moment. */
bool secure_resumes(struct stream *s);
void secure_pause(struct stream *s);
void secure_write(struct stream *s, const struct span *parts, size_t n);
/* close_notify behind what was written. */
void secure_end(struct stream *s);
/* What was sent has left. */
void secure_drained(struct stream *s);
void secure_free(struct secure *x);

#endif
