/*
 * The worker's half of the Kerberos side of an edition: what is looked for, and what was found. See negotiate_part.c.
 */
#ifndef EXEAT_KEYS_NEGOTIATE_JOB_H
#define EXEAT_KEYS_NEGOTIATE_JOB_H

#include "keys/handed.h"
#include "keys/identity.h"
#include "keys/work.h"

/* A proxy whose service ticket the old ticket had: the new one gets it too, before anybody needs it. */
struct wanted_service {
    struct hop *hop; /* the worker does not look at it */
    char *host;
    char *name; /* out; NULL: it could not be had */
};

struct negotiate_job {
    struct job job;
    struct edition *e; /* a reference; the worker does not look at it */
    struct account account;
    char *realm; /* ask its KDC with `password`; NULL: look for a ticket */
    struct secret password;
    struct secret nt_hash; /* present where NTLM is allowed inside Negotiate */
    char *keytab;          /* the ticket is made of its key, and of nothing else */
    char *refused;         /* print of the keytab that is not to be tried now */
    bool look_only;        /* the keytab is looked at; no KDC is asked */
    unsigned network;      /* the one in which it was begun */
    bool own;              /* the user's own ticket will do */
    bool may_acquire;
    bool forwardable;
    bool resident; /* of a gateway's user: no ticket that lies about will do */
    struct handed
        *handed; /* a reference: the ticket that the user handed on is the one, or is evidence for: */
    struct bundle *service; /* a reference: whose ticket acts for the user */
    struct bundle *old;     /* a reference, where its ticket is ours: it may be renewed */
    struct bundle *seen; /* a reference, where its ticket is the user's own: is there a later one by now? */
    char *spn;
    enum canonicalize canonicalize;
    struct wanted_service *services;
    size_t n_services;

    bool acquire; /* out: there is no ticket, and `realm` knows how to get one */
    char *print;  /* out: of the keytab */
    enum ticket_result result;
    struct bundle *bundle;
    struct err why;
};

void negotiate_run(struct job *job);
void negotiate_job_free(struct negotiate_job *j); /* main thread */

#endif
