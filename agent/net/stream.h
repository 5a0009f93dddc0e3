/*
 * One connected byte stream (TCP, Unix socket, TLS over TCP) behind one interface, with backpressure in both directions.
 *
 * Reading: off at first; stream_read turns it on, stream_pause off. Bytes are lent to `data` for the length of the call: they stand in one buffer
 * that all streams share, so an idle stream holds none.
 * Writing: stream_write sends at once what the socket takes and keeps a copy of the rest; a writer that sees stream_backlog() > 0 stops
 * producing until `drained`. There is no error to check on a write: a broken stream tells `failed`, once.
 * Ownership: whoever holds the pointer; stream_own hands the callbacks to a new owner. After stream_close no callback runs and the pointer is
 * gone; it may be called inside any callback. The memory is released by the loop later.
 */
#ifndef EXEAT_NET_STREAM_H
#define EXEAT_NET_STREAM_H

#include "base/span.h"
#include "net/loop.h"

struct stream;
struct tls_server;

struct stream_events {
    void (*data)(void *owner, struct span bytes);
    void (*eof)(void *owner);     /* the other side will send no more; writing still works */
    void (*drained)(void *owner); /* the backlog is empty again */
    /* Reset, broken pipe (ERR_GONE), or what TLS does not allow (ERR_PROTOCOL): only stream_close is left to do. */
    void (*failed)(void *owner, const struct err *why);
};

void stream_own(struct stream *s, const struct stream_events *events, void *owner);
void stream_read(struct stream *s);
void stream_pause(struct stream *s);
bool stream_reading(const struct stream *s);

/* Bytes that `data` brought and that are the next owner's to have: told again, first of all, when somebody reads next. Only while nobody reads. */
void stream_unread(struct stream *s, struct span bytes);

void stream_write(struct stream *s, struct span bytes);
void stream_writev(struct stream *s, const struct span *parts, size_t n); /* at most 8 parts; as if joined */
size_t stream_backlog(const struct stream *s);                            /* bytes taken but not sent yet */
/* These, and what the kernel holds of what was sent: as long as nothing is written, it becomes less whenever the other side takes something. Asks the kernel. */
uint64_t stream_untaken(const struct stream *s);
/* The same for bytes that hold a secret: what is kept back is wiped once sent. */
void stream_write_secret(struct stream *s, struct span bytes);

/* No more writing: FIN after the backlog. */
void stream_shutdown(struct stream *s);
void stream_close(struct stream *s);
/* For the last answer on a connection: sends the backlog, then FIN, and drops what still comes for a few seconds, so that a reset does not overtake the
   answer. That may take as long as it does, but who takes nothing at all for about so many seconds (at most twice as many) is cut off with a reset. No callback runs
   any more and the pointer is gone, as with stream_close. When descriptors run out, those go first that have nothing left to send. */
void stream_linger(struct stream *s, unsigned seconds);
/* Told once, when it is closed: for who counts connections, also those that linger. `gone` NULL: nobody any more. */
void stream_when_gone(struct stream *s, void (*gone)(void *owner), void *owner);
/* Close with a reset, so that the other side sees the answer as cut short. */
void stream_abort(struct stream *s);

/* TLS in between, from the first byte on: for a stream that has just been accepted and has an owner, who is told `secured` (never inside this call; the
   stream does not read then) or `failed`. From `secured` on the stream's bytes are the content. Before, only stream_close and the like. */
void stream_secure_accepted(struct stream *s, struct tls_server *server, void (*secured)(void *owner));
/* After `eof`, over TLS: the end came without close_notify, so that anybody on the way may have cut the bytes short. Where the end of the
   bytes is what says that they are whole, they are not. */
bool stream_cut_short(const struct stream *s);
/* Over TLS, of either side: the tls-server-end-point channel binding (RFC 5929 section 4), as long as the stream; else, or where it is not defined, empty. */
struct span stream_binding(const struct stream *s);

struct loop *stream_loop(const struct stream *s);
/* "127.0.0.1:40112", "unix", for logs; valid as long as the stream. */
const char *stream_peer(const struct stream *s);
/* Bytes read and written so far. */
uint64_t stream_bytes_in(const struct stream *s);
uint64_t stream_bytes_out(const struct stream *s);
/* Effective uid at the other end of a Unix socket (SO_PEERCRED); false: not a Unix socket. */
bool stream_peer_uid(const struct stream *s, uid_t *uid);
/* And the process that made it. 0: not a Unix socket, or not of our process namespace. */
pid_t stream_peer_pid(const struct stream *s);
/* Has something come that was not read yet? Asks the kernel. */
bool stream_has_input(const struct stream *s);

/* Both ends of a TCP connection. false: it is none, or the kernel does not know the peer any more; *own is filled in then if it is known. */
struct sockaddr_storage;
bool stream_addresses(const struct stream *s, struct sockaddr_storage *own, struct sockaddr_storage *peer);

/* Wraps a connected descriptor of our own (a socketpair, an accepted socket): takes it over. */
struct stream *stream_from_fd(struct loop *loop, int fd);
/* Turns TCP keep-alive probes on: a machine that is gone shows, though nothing is sent to it. */
void stream_keepalive(struct stream *s, unsigned seconds);

#endif
