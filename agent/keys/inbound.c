/*
 * One form for each account. The domain counts: EVIL\alice is another person than CORP\alice, and a realm that only begins with the same letters as the
 * gateway's domain is somebody else's, unless it is the one that gave our own service its key.
 */
#include "keys/inbound.h"

#include <stdlib.h>
#include <time.h>

#include "keys/account.h"

/* "CORP" of the realm CORP.EXAMPLE, or all of it. */
static bool is_realm_of(struct span realm, struct span domain)
{
    return span_ieq(realm, domain) || span_ieq(span_head(realm, span_find(realm, '.')), domain);
}

static char *in_domain(const char *domain, struct span user)
{
    struct buf text = {0};
    buf_addf(&text, "%s\\%.*s", domain, SPAN_ARG(user));
    char *account = span_dup(buf_span(&text));
    buf_free(&text);
    return account;
}

char *inbound_account(const char *domain, const char *identity, bool kerberos, bool at_home)
{
    struct account a;
    const char *why;
    char *account = NULL;
    struct span name = span_str(identity), own = span_str(domain);
    /* A backslash in a principal is an escape: "EVIL\\alice@CORP.EXAMPLE" names no domain EVIL. */
    bool odd = kerberos && span_find(name, '\\') < name.n;
    if (odd || !account_parse(&a, name, &why))
        return NULL;
    struct span its = span_str(a.domain), user = span_str(a.user);
    bool ours =
        a.form == ACCOUNT_DOWN_LEVEL ? span_ieq(its, own) : kerberos && at_home && is_realm_of(its, own);
    if (a.form != ACCOUNT_NONE)
        account = own.n && ours ? in_domain(domain, user) : span_dup(name);
    account_free(&a);
    return account;
}

void inbound_drop(struct inbound *in)
{
    free(in->account);
    handed_unref(in->handed);
    *in = (struct inbound){0};
}

void inbound_take(struct inbound *in, struct accept_answer *a)
{
    inbound_drop(in);
    if (a->verdict != KEYS_OK)
        return;
    *in = (struct inbound){a->account, a->handed, a->until};
    a->account = NULL;
    a->handed = NULL;
}

bool inbound_is_in(const struct inbound *in)
{
    return in->account && (in->until == 0 || in->until > time(NULL));
}
