/*
 * What the rooms of krb5.h share: ticket.c, ticket_get.c, ticket_service.c, ticket_act.c. Worker threads, each with a library context of its own.
 */
#ifndef EXEAT_KEYS_TICKET_INSIDE_H
#define EXEAT_KEYS_TICKET_INSIDE_H

#include <krb5/krb5.h>

#include "base/buf.h"
#include "keys/ticket.h"

/* A context belongs to one thread; the caller frees it with krb5_free_context. false: *e. */
bool krb_begin(krb5_context *k, struct err *e);
/* The error's meaning and sentence; `what`: the account or service name that it is about. */
enum ticket_result krb_explain(krb5_context k, krb5_error_code code, const char *what, struct err *e);
/* "alice@CORP.EXAMPLE", or NULL. The caller frees. */
char *krb_name(krb5_context k, krb5_const_principal p);
/* Fills in the times of `out`. */
void krb_times(const krb5_creds *creds, struct ticket *out);
/* Those of the ticket-granting ticket of `me`'s own realm. false: there is none that is valid for a while. */
bool krb_lifetime(krb5_context k, krb5_ccache cache, krb5_principal me, struct ticket *out);

/* With what a service acts for a user. */
struct acting {
    char *cache;         /* of the service's own ticket; another's */
    char *service;       /* its principal */
    struct buf evidence; /* a ticket of the user's for the service, as Kerberos writes it */
    bool lent;           /* it came from the user's own program; else from the KDC, on the service's word */
};
void acting_free(struct acting *a);
/* Gets a ticket for `server` in the name of t's user into the cache. *principal: whom it is for, with realm; the caller frees. */
enum ticket_result ticket_act_service(krb5_context k, const struct ticket *t, krb5_ccache cache,
                                      krb5_principal server, char **principal, struct err *e);

#endif
