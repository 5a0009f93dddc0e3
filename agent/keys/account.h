/*
 * The forms in which people write who they are: CORP\alice, alice@CORP.EXAMPLE, alice. Pure; the owner calls account_free.
 */
#ifndef EXEAT_KEYS_ACCOUNT_H
#define EXEAT_KEYS_ACCOUNT_H

#include <stdbool.h>

#include "base/span.h"

enum account_form {
    ACCOUNT_NONE,       /* not configured: whoever the Kerberos ticket says */
    ACCOUNT_PLAIN,      /* alice */
    ACCOUNT_DOWN_LEVEL, /* CORP\alice */
    ACCOUNT_UPN,        /* alice@CORP.EXAMPLE */
};

struct account {
    enum account_form form;
    char *text;      /* as written; "" for ACCOUNT_NONE */
    char *user;      /* without the domain */
    char *domain;    /* "" for ACCOUNT_PLAIN */
    char *qualified; /* with the domain that was added, if any: CORP\alice. For NTLM */
    char *
        key; /* the same for all ways to write one account: "alice@corp" for the two above. Lower case (ASCII) */
};

/* false: not a user name (empty halves, control characters); *why is static text. *a is empty then. */
bool account_parse(struct account *a, struct span text, const char **why);
/* A user written without a domain is of this one; what it was written as stays in `text`. NULL: none. */
void account_default_domain(struct account *a, const char *domain);
void account_copy(struct account *to, const struct account *from);
void account_free(struct account *a);

/* Is `principal` ("alice@CORP.EXAMPLE", as Kerberos writes it) this account? The realm must be the domain, or begin with it as its first
   label (CORP, CORP.EXAMPLE); an account without a domain is matched by its name alone; ACCOUNT_NONE by anything. */
bool account_is_principal(const struct account *a, struct span principal);

#endif
