/*
 * Who is in on one connection of a gateway's client, as far as we act for users (identity = per-user): the account in its one form, and what its
 * handshake left us. Main thread, but for inbound_account.
 */
#ifndef EXEAT_KEYS_INBOUND_H
#define EXEAT_KEYS_INBOUND_H

#include "keys/accept_speak.h"
#include "keys/handed.h"

struct inbound {
    char *account; /* NULL: nobody is in, or nobody whom we could act for */
    struct handed *handed;
    int64_t until; /* seconds since 1970; 0: no end */
};

/* The account of that name, in the same words however its owner came in: CORP\alice where `domain` is CORP, for "corp\alice", and for a ticket of
   "alice@CORP.EXAMPLE" where that is the realm of our own service (`at_home`). A name without a domain stays without: what it means elsewhere is for the
   upstream's configuration to say. No two accounts get the same words, but for those that are the same by this.
   NULL: it is no name of a user. Any thread; the caller frees. */
char *inbound_account(const char *domain, const char *identity, bool kerberos, bool at_home);

/* The answer's, or nobody. */
void inbound_take(struct inbound *in, struct accept_answer *a);
void inbound_drop(struct inbound *in);
bool inbound_is_in(const struct inbound *in);

#endif
