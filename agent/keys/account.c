/*
 * User names: parsed once when the configuration is read. The key decides which upstreams share one account, and so
 * one bad-password counter: on the safe side, CORP\alice and alice@corp.example are taken for the same one.
 * Pure functions, any thread.
 */
#include "keys/account.h"

#include <stdlib.h>

#include "base/buf.h"

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

static bool has_control(struct span s)
{
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7f)
            return true;
    return false;
}

static char *make_key(struct span user, struct span domain)
{
    struct span label = span_head(domain, span_find(domain, '.'));
    struct buf key = {0};
    buf_add_span(&key, user);
    buf_add(&key, "@", 1);
    buf_add_span(&key, label);
    for (size_t i = 0; i < key.n; i++)
        key.p[i] = lower(key.p[i]);
    char *text = span_dup(buf_span(&key));
    buf_free(&key);
    return text;
}

bool account_parse(struct account *a, struct span text, const char **why)
{
    struct span user = text, domain = SPAN("");
    enum account_form form = text.n ? ACCOUNT_PLAIN : ACCOUNT_NONE;
    size_t slash = span_find(text, '\\'), at = span_rfind(text, '@');

    *a = (struct account){0};
    if (has_control(text)) {
        *why = "a user name has no control characters";
        return false;
    }
    if (slash < text.n) {
        form = ACCOUNT_DOWN_LEVEL;
        domain = span_head(text, slash);
        user = span_from(text, slash + 1);
    } else if (at < text.n) {
        form = ACCOUNT_UPN;
        user = span_head(text, at);
        domain = span_from(text, at + 1);
    }
    if (form != ACCOUNT_NONE && (user.n == 0 || (form != ACCOUNT_PLAIN && domain.n == 0))) {
        *why = "a user is written CORP\\alice, alice@CORP.EXAMPLE or alice";
        return false;
    }
    a->form = form;
    a->text = span_dup(text);
    a->qualified = span_dup(text);
    a->user = span_dup(user);
    a->domain = span_dup(domain);
    a->key = make_key(user, domain);
    return true;
}

void account_default_domain(struct account *a, const char *domain)
{
    struct buf qualified = {0};
    if (a->form != ACCOUNT_PLAIN || !domain)
        return;
    buf_addf(&qualified, "%s\\%s", domain, a->user);
    free(a->qualified);
    free(a->domain);
    free(a->key);
    a->form = ACCOUNT_DOWN_LEVEL;
    a->qualified = span_dup(buf_span(&qualified));
    a->domain = mem_strdup(domain);
    a->key = make_key(span_str(a->user), span_str(domain));
    buf_free(&qualified);
}

void account_copy(struct account *to, const struct account *from)
{
    *to = (struct account){.form = from->form,
                           .text = mem_strdup(from->text),
                           .user = mem_strdup(from->user),
                           .domain = mem_strdup(from->domain),
                           .qualified = mem_strdup(from->qualified),
                           .key = mem_strdup(from->key)};
}

void account_free(struct account *a)
{
    free(a->text);
    free(a->user);
    free(a->domain);
    free(a->qualified);
    free(a->key);
    *a = (struct account){0};
}

bool account_is_principal(const struct account *a, struct span principal)
{
    if (a->form == ACCOUNT_NONE)
        return true;
    size_t at = span_rfind(principal, '@');
    struct span name = span_head(principal, at), realm = span_from(principal, at + 1);
    if (!span_ieq(name, span_str(a->user)))
        return false;
    if (a->form == ACCOUNT_PLAIN)
        return true;
    struct span domain = span_str(a->domain);
    return span_ieq(realm, domain) ||
           (a->form == ACCOUNT_DOWN_LEVEL && span_ieq(span_head(realm, span_find(realm, '.')), domain));
}
