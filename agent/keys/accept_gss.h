/*
 * GSSAPI, server side: what a gateway accepts tokens with, and the handshakes of its clients. Knows no headers and no base64. A door may be used by several
 * threads at once; an entry by one at a time. Calls may block (winbind): worker threads.
 */
#ifndef EXEAT_KEYS_ACCEPT_GSS_H
#define EXEAT_KEYS_ACCEPT_GSS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

struct gss_door_wish {
    bool kerberos;       /* else NTLM */
    bool negotiate;      /* also in the wrapping of SPNEGO */
    const char *keytab;  /* Kerberos: NULL: this machine's own */
    const char *replays; /* Kerberos: a file of ours alone, in which the tokens that were used are noted */
    const char *domain;  /* what NTLM says that we belong to; NULL: as the machine has it */
    bool takes_tickets;  /* Kerberos: that a client hands on are kept; else they are thrown away */
};

struct gss_door; /* what one mechanism is accepted with; immutable once made; shared */

/* NULL: *e. */
struct gss_door *gss_door_new(const struct gss_door_wish *wish, struct err *e);
struct gss_door *gss_door_ref(struct gss_door *d);
void gss_door_unref(struct gss_door *d);

enum gss_entry_outcome {
    GSS_ENTRY_MORE,   /* `out` goes to the client, who has to answer */
    GSS_ENTRY_IN,     /* `who`; `out`, if there is any, goes with the answer */
    GSS_ENTRY_NO,     /* *e says why */
    GSS_ENTRY_UNSAID, /* it failed, and *e does not say by what: of winbind that is all that can be known */
};

struct gss_entry_who {
    char *name; /* UTF-8, as the mechanism writes it; the caller frees */
    bool kerberos;
    bool at_home; /* Kerberos: the client is of our own service's realm */
    bool nobody;  /* anonymous */
    char *
        cache; /* the memory cache of a ticket that it handed on, which is of whom it may be; NULL: none. The caller destroys it, and frees */
    int64_t lifetime; /* seconds; 0: no end */
};

struct gss_entry; /* one handshake */

/* `binding`: the hash of our certificate (tls-server-end-point, RFC 5929), or empty. */
struct gss_entry *gss_entry_new(struct gss_door *door, struct span binding);
/* `accounts`: the file in which alone gss-ntlmssp looks for accounts; NULL: it asks winbind. */
enum gss_entry_outcome gss_entry_step(struct gss_entry *entry, struct span in, const char *accounts,
                                      struct buf *out, struct gss_entry_who *who, struct err *e);
void gss_entry_free(struct gss_entry *entry);

#endif
