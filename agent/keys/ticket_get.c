/*
 * Tickets that we get ourselves, from a KDC into a memory cache of our own: with a password, with a key from a keytab, or for an older ticket.
 * Never a child kinit, never a prompt: what a KDC wants to be typed is an error here.
 */
#include <errno.h>
#include <fcntl.h>
#include <profile.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/log.h"
#include "keys/provider.h"
#include "keys/ticket_inside.h"

#define KEYTAB_ENTRIES 4096 /* looked at, at most: the file is not ours */

/* --- realms --- */

static bool realm_has_kdcs(krb5_context k, const char *realm)
{
    profile_t profile;
    char **values = NULL;
    bool has = false;
    const char *names[] = {"realms", realm, "kdc", NULL};
    if (krb5_get_profile(k, &profile) != 0)
        return false;
    has = profile_get_values(profile, names, &values) == 0 && values && values[0];
    if (values)
        profile_free_list(values);
    profile_release(profile);
    return has;
}

static char *default_realm(krb5_context k)
{
    char *realm;
    if (krb5_get_default_realm(k, &realm) != 0)
        return NULL;
    char *copy = mem_strdup(realm);
    krb5_free_default_realm(k, realm);
    return copy;
}

static char *upper(const char *text)
{
    char *copy = mem_strdup(text);
    for (char *c = copy; *c; c++)
        if (*c >= 'a' && *c <= 'z')
            *c = (char)(*c - ('a' - 'A'));
    return copy;
}

/* CORP of CORP\alice is the realm's old name, mostly its first label. */
static char *realm_of_domain(krb5_context k, const char *domain)
{
    char *realm = upper(domain);
    if (realm_has_kdcs(k, realm))
        return realm;
    free(realm);
    realm = default_realm(k);
    struct span label = span_head(span_str(realm), span_find(span_str(realm), '.'));
    if (realm && span_ieq(label, span_str(domain)))
        return realm;
    free(realm);
    return NULL;
}

char *ticket_realm(const struct account *who, struct err *e)
{
    krb5_context k;
    char *realm = NULL;
    if (!krb_begin(&k, e))
        return NULL;
    if (who->form == ACCOUNT_PLAIN)
        realm = default_realm(k);
    else if (*who->domain && realm_has_kdcs(k, who->domain))
        realm = mem_strdup(who->domain);
    else if (who->form == ACCOUNT_UPN)
        realm = upper(who->domain);
    else if (who->form == ACCOUNT_DOWN_LEVEL)
        realm = realm_of_domain(k, who->domain);
    krb5_free_context(k);
    if (!realm)
        err_set(e, ERR_CONFIG, "no Kerberos realm is known for %s: write user = %s@REALM",
                *who->text ? who->text : "the user", *who->user ? who->user : "NAME");
    return realm;
}

/* --- exchanges --- */

/* Makes the cache and puts what the KDC gave into it. */
static krb5_error_code keep(krb5_context k, krb5_principal me, krb5_creds *creds, struct ticket *out)
{
    krb5_ccache cache;
    char *name = NULL;
    krb5_error_code code = krb5_cc_new_unique(k, "MEMORY", NULL, &cache);
    if (code)
        return code;
    if ((code = krb5_cc_initialize(k, cache, me)) != 0 || (code = krb5_cc_store_cred(k, cache, creds)) != 0 ||
        (code = krb5_cc_get_full_name(k, cache, &name)) != 0) {
        krb5_cc_destroy(k, cache);
        return code;
    }
    *out = (struct ticket){.cache = mem_strdup(name), .principal = krb_name(k, me), .private = true};
    krb_times(creds, out);
    krb5_free_string(k, name);
    krb5_cc_close(k, cache);
    return 0;
}

struct proof {
    const struct secret *password; /* or */
    krb5_keytab keytab;
    bool forwardable;
};

/* Not krb5_get_init_creds_password: that asks the realm's primary KDC again when a password was refused, and the directory counts twice. */
static krb5_error_code exchange(krb5_context k, krb5_principal me, const struct proof *p, struct ticket *out)
{
    krb5_init_creds_context login = NULL;
    krb5_get_init_creds_opt *options = NULL;
    krb5_creds creds = {0};
    krb5_error_code code = krb5_get_init_creds_opt_alloc(k, &options);
    if (code)
        return code;
    if (p->forwardable) /* else as krb5.conf has it */
        krb5_get_init_creds_opt_set_forwardable(options, 1);
    /* No prompter: a password that must be changed is an error here, never a question on a terminal. */
    code = krb5_init_creds_init(k, me, NULL, NULL, 0, options, &login);
    if (code == 0)
        code = p->password ? krb5_init_creds_set_password(k, login, secret_reveal(p->password).p)
                           : krb5_init_creds_set_keytab(k, login, p->keytab);
    if (code == 0)
        code = krb5_init_creds_get(k, login);
    if (code == 0)
        code = krb5_init_creds_get_creds(k, login, &creds);
    if (code == 0) {
        code = keep(k, me, &creds, out);
        krb5_free_cred_contents(k, &creds);
    }
    krb5_init_creds_free(k, login);
    krb5_get_init_creds_opt_free(k, options);
    return code;
}

enum ticket_result ticket_acquire(const struct account *who, const char *realm, const struct secret *password,
                                  bool forwardable, struct ticket *out, struct err *e)
{
    krb5_context k;
    krb5_principal me = NULL;
    struct proof proof = {.password = password, .forwardable = forwardable};
    *out = (struct ticket){0};
    if (!krb_begin(&k, e))
        return TICKET_FAILED;
    krb5_error_code code =
        krb5_build_principal(k, &me, (unsigned)strlen(realm), realm, who->user, (char *)NULL);
    if (code == 0)
        code = exchange(k, me, &proof, out);
    enum ticket_result result = code ? krb_explain(k, code, who->text, e) : TICKET_OK;
    krb5_free_principal(k, me);
    krb5_free_context(k);
    return result;
}

enum ticket_result ticket_renew(const struct ticket *old, struct ticket *out, struct err *e)
{
    krb5_context k;
    krb5_ccache cache = NULL;
    krb5_principal me = NULL;
    krb5_creds creds = {0};
    *out = (struct ticket){0};
    if (!krb_begin(&k, e))
        return TICKET_FAILED;
    krb5_error_code code = krb5_cc_resolve(k, old->cache, &cache);
    if (code == 0)
        code = krb5_cc_get_principal(k, cache, &me);
    if (code == 0)
        code = krb5_get_renewed_creds(k, &creds, me, cache, NULL);
    if (code == 0) {
        code = keep(k, me, &creds, out);
        krb5_free_cred_contents(k, &creds);
    }
    enum ticket_result result = code ? krb_explain(k, code, old->principal, e) : TICKET_OK;
    krb5_free_principal(k, me);
    if (cache)
        krb5_cc_close(k, cache);
    krb5_free_context(k);
    return result;
}

/* --- keytabs --- */

/* Whether it can be read at all is asked of the system, whose words people know. */
static bool look_at_file(const char *path, struct stat *st, struct err *e)
{
    static atomic_flag warned = ATOMIC_FLAG_INIT;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK); /* a FIFO cannot hold this thread */
    bool good = fd >= 0 && fstat(fd, st) == 0;
    if (!good)
        err_errno(e, ERR_SYSTEM, errno, "the keytab %s cannot be read", path);
    else if (!S_ISREG(st->st_mode))
        good = err_set(e, ERR_SYSTEM, "the keytab %s is not a regular file", path);
    else if (!provided_is_private(st) && !atomic_flag_test_and_set(&warned))
        log_warning(NULL, "others may read the keytab %s: chmod 600 %s", path, path);
    if (fd >= 0)
        close(fd);
    return good;
}

struct found_key {
    krb5_principal principal; /* NULL: none */
    krb5_kvno version;        /* the latest */
};

/* One entry of the keytab. Principals that are not the account's are left in `others`. */
static void take_entry(krb5_context k, const krb5_keytab_entry *entry, const struct account *who,
                       struct found_key *found, struct buf *others)
{
    if (found->principal && krb5_principal_compare(k, found->principal, entry->principal)) {
        if (entry->vno > found->version)
            found->version = entry->vno;
        return;
    }
    char *name = krb_name(k, entry->principal);
    if (!name)
        return;
    if (!found->principal && account_is_principal(who, span_str(name))) {
        if (krb5_copy_principal(k, entry->principal, &found->principal) == 0)
            found->version = entry->vno;
    } else if (!found->principal && !(others->n && strstr(buf_cstr(others), name))) {
        buf_addf(others, "%s%s", others->n ? ", " : "", name);
    }
    free(name);
}

/* The account's principal among the keys. false: *e. */
static bool choose_key(krb5_context k, krb5_keytab keytab, const struct keytab_ask *ask,
                       struct found_key *found, struct err *e)
{
    krb5_kt_cursor cursor;
    krb5_keytab_entry entry;
    struct buf others = {.max = 200};
    krb5_error_code code = krb5_kt_start_seq_get(k, keytab, &cursor);
    if (code == 0) {
        for (unsigned i = 0; i < KEYTAB_ENTRIES; i++) {
            if ((code = krb5_kt_next_entry(k, keytab, &entry, &cursor)) != 0)
                break;
            take_entry(k, &entry, ask->who, found, &others);
            krb5_free_keytab_entry_contents(k, &entry);
        }
        krb5_kt_end_seq_get(k, keytab, &cursor);
    }
    if (!found->principal && others.n) {
        err_set(e, ERR_CONFIG, "the keytab %s has no key of %s (it has keys of %s)", ask->path,
                ask->who->text, buf_cstr(&others));
    } else if (!found->principal && code == KRB5_KT_END) {
        err_set(e, ERR_CONFIG, "the keytab %s is empty", ask->path);
    } else if (!found->principal) {
        const char *detail = krb5_get_error_message(k, code);
        err_set(e, ERR_CONFIG, "the keytab %s cannot be understood (%s)", ask->path, detail);
        krb5_free_error_message(k, detail);
    }
    buf_free(&others);
    return found->principal != NULL;
}

/* What tells this key from another: whose, which version, and the file as it was written. */
static char *print_of(krb5_context k, const struct found_key *key, const struct stat *st)
{
    struct buf text = {0};
    char *name = krb_name(k, key->principal);
    buf_addf(&text, "%s %u %llu %lld.%09ld %lld", name ? name : "", (unsigned)key->version,
             (unsigned long long)st->st_ino, (long long)st->st_mtim.tv_sec, st->st_mtim.tv_nsec,
             (long long)st->st_size);
    free(name);
    char *print = span_dup(buf_span(&text));
    buf_free(&text);
    return print;
}

static enum ticket_result use_key(krb5_context k, krb5_keytab keytab, krb5_principal me,
                                  const struct keytab_ask *ask, struct ticket *out, struct err *e)
{
    struct proof proof = {.keytab = keytab, .forwardable = ask->forwardable};
    krb5_error_code code = exchange(k, me, &proof, out);
    if (code == 0)
        return TICKET_OK;
    char *name = krb_name(k, me);
    enum ticket_result result = krb_explain(k, code, name ? name : ask->path, e);
    if (result == TICKET_WRONG_PASSWORD) {
        result = TICKET_WRONG_KEY;
        err_set(e, ERR_REFUSED,
                "the Kerberos server does not take the key of %s in the keytab %s: it may be out of date",
                name ? name : "the user", ask->path);
    }
    free(name);
    return result;
}

enum ticket_result ticket_from_keytab(const struct keytab_ask *ask, struct ticket *out, char **print,
                                      struct err *e)
{
    krb5_context k;
    krb5_keytab keytab = NULL;
    struct found_key key = {0};
    struct stat st;
    struct buf name = {0};
    enum ticket_result result = TICKET_NONE;
    *out = (struct ticket){0};
    *print = NULL;
    if (!look_at_file(ask->path, &st, e))
        return TICKET_NONE;
    if (!krb_begin(&k, e))
        return TICKET_FAILED;
    buf_addf(&name, "FILE:%s", ask->path);
    krb5_error_code code = krb5_kt_resolve(k, buf_cstr(&name), &keytab);
    if (code) {
        result = krb_explain(k, code, ask->path, e);
    } else if (choose_key(k, keytab, ask, &key, e)) {
        *print = print_of(k, &key, &st);
        bool same = ask->look_only || (ask->refused && strcmp(ask->refused, *print) == 0);
        result = same ? TICKET_SAME : use_key(k, keytab, key.principal, ask, out, e);
    }
    krb5_free_principal(k, key.principal);
    if (keytab)
        krb5_kt_close(k, keytab);
    krb5_free_context(k);
    buf_free(&name);
    return result;
}
