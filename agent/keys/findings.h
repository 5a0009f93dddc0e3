/*
 * The findings of an examination in words: one line each, as wire/keys_msg.h has it. Main thread.
 */
#ifndef EXEAT_KEYS_FINDINGS_H
#define EXEAT_KEYS_FINDINGS_H

#include "keys/challenge.h"
#include "keys/identity.h"

enum asked { ASKED_NOT, ASKED_WAITING, ASKED_ANSWERED };

/* What was asked of KDCs, and what they said. */
struct kdc_findings {
    enum asked service, clock;
    enum ticket_result service_result, clock_result;
    char *service_name; /* owned */
    struct err service_why, clock_why;
    struct kdc_clock time; /* its realm is owned */
};

struct examination {
    const struct edition *e;
    const struct hop *h;
    bool offer_known;
    struct challenge_list offer;
    struct kdc_findings kdc;
    unsigned seconds; /* that the KDCs were given */
};

/* How we would sign in. */
struct way_in {
    enum auth_scheme scheme; /* AUTH_SCHEMES: not at all */
    bool ticket;             /* with a Kerberos ticket */
    bool alarm;              /* the offer is too weak to be answered */
};
void way_in_find(const struct examination *x, struct way_in *way);
const char *way_in_name(const struct way_in *way); /* "Negotiate (Kerberos)"; "" for none */
/* This scheme could be begun with what is at hand; else *why, static text that follows "NTLM: ". */
bool way_in_usable(const struct examination *x, enum auth_scheme scheme, const char **why);
/* Refused, and not changed since. NULL: neither password nor ticket. */
const struct guard *way_in_refused(const struct edition *e);

/* All but the next. */
void findings_write(const struct examination *x, struct buf *out);
/* Of an NTLM challenge: who made it, and when. `message` comes from the proxy as it is. */
void findings_of_challenge(struct span message, struct buf *out);

/* One line. What is no text in it becomes a blank. */
void finding_add(struct buf *out, const char *step, const char *mark, struct span evidence,
                 struct span remedy);

#endif
