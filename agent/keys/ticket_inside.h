/*
 * What the rooms of krb5.h share: ticket.c, ticket_get.c, ticket_service.c. Worker threads, each with a library context of its own.
 */
#ifndef EXEAT_KEYS_TICKET_INSIDE_H
#define EXEAT_KEYS_TICKET_INSIDE_H

#include <krb5/krb5.h>

#include "keys/ticket.h"

/* A context belongs to one thread; the caller frees it with krb5_free_context. false: *e. */
bool krb_begin(krb5_context *k, struct err *e);
/* The error's meaning and sentence; `what`: the account or service name that it is about. */
enum ticket_result krb_explain(krb5_context k, krb5_error_code code, const char *what, struct err *e);
/* "alice@CORP.EXAMPLE", or NULL. The caller frees. */
char *krb_name(krb5_context k, krb5_const_principal p);
/* Fills in the times of `out`. */
void krb_times(const krb5_creds *creds, struct ticket *out);

#endif
