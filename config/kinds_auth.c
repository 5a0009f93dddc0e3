/*
 * Kinds of values that say how to log in: schemes, and where the password comes from. A person may well have
 * typed the password itself where its source belongs, so nothing of such a value is ever quoted. Any thread.
 */
#include "base/nearest.h"
#include "config/ini.h"
#include "config/kinds.h"

static const char *const scheme_names[] = {
    [AUTH_NEGOTIATE] = "negotiate",
    [AUTH_NTLM] = "ntlm",
    [AUTH_DIGEST] = "digest",
    [AUTH_BASIC] = "basic",
    [AUTH_SCHEMES] = "none", /* in the file: none of them */
    NULL,
};

const char *auth_scheme_name(enum auth_scheme scheme)
{
    return scheme < AUTH_SCHEMES ? scheme_names[scheme] : "unknown";
}

/* *none: the word "none" has been read. */
static bool add_scheme(enum auth_scheme *list, size_t *n, struct span word, bool *none, struct err *e)
{
    int found = choice_find(scheme_names, word, e);
    if (found < 0)
        return false;
    for (size_t i = 0; i < *n; i++)
        if (list[i] == (enum auth_scheme)found)
            return err_set(e, ERR_CONFIG, "%s stands here twice", scheme_names[found]);
    if (*none || (found == AUTH_SCHEMES && *n > 0))
        return err_set(e, ERR_CONFIG, "none stands alone");
    *none = found == AUTH_SCHEMES;
    if (!*none)
        list[(*n)++] = (enum auth_scheme)found;
    return true;
}

static bool parse_schemes(const struct setting *s, void *object, struct span value, struct err *e)
{
    enum auth_scheme *list = (enum auth_scheme *)((char *)object + s->at);
    size_t *n = (size_t *)((char *)object + s->also_at);
    struct buf item;
    buf_init(&item, 0);
    bool none = false, ok = true;
    int more;
    while (ok && (more = ini_item(&value, &item, e)) > 0)
        ok = add_scheme(list, n, buf_span(&item), &none, e);
    buf_free(&item);
    if (!ok || more < 0)
        return false;
    if (none || *n > 0)
        return true;
    if (strcmp(s->fallback, scheme_names[AUTH_SCHEMES]) == 0) /* a gateway, which needs one to be of use */
        return err_set(e, ERR_CONFIG, "at least one scheme is needed, like %s", s->example);
    return err_set(e, ERR_CONFIG, "at least one scheme is needed, or none; the default is %s", s->fallback);
}

static bool print_schemes(const struct setting *s, const void *object, struct buf *out)
{
    const enum auth_scheme *list = (const enum auth_scheme *)((const char *)object + s->at);
    size_t n = *(const size_t *)((const char *)object + s->also_at);
    for (size_t i = 0; i < n; i++)
        buf_addf(out, "%s%s", i ? " " : "", scheme_names[list[i]]);
    if (n == 0)
        buf_add_str(out, scheme_names[AUTH_SCHEMES]);
    return true;
}

const struct kind kind_schemes = {"negotiate, ntlm, digest, basic, separated by blanks; or none", true,
                                  parse_schemes, print_schemes};

static const char *const hash_names[] = {
    [HASH_SHA256] = "sha-256", [HASH_MD5] = "md5", [HASH_SHA512_256] = "sha-512-256", NULL};

static bool add_hash(enum digest_hash *list, size_t *n, struct span word, struct err *e)
{
    int found = choice_find(hash_names, word, e);
    if (found < 0)
        return false;
    for (size_t i = 0; i < *n; i++)
        if (list[i] == (enum digest_hash)found)
            return err_set(e, ERR_CONFIG, "%s stands here twice", hash_names[found]);
    list[(*n)++] = (enum digest_hash)found;
    return true;
}

static bool parse_hashes(const struct setting *s, void *object, struct span value, struct err *e)
{
    enum digest_hash *list = (enum digest_hash *)((char *)object + s->at);
    size_t *n = (size_t *)((char *)object + s->also_at);
    struct buf item;
    buf_init(&item, 0);
    bool ok = true;
    int more = 0;
    while (ok && (more = ini_item(&value, &item, e)) > 0)
        ok = add_hash(list, n, buf_span(&item), e);
    buf_free(&item);
    if (!ok || more < 0)
        return false;
    return *n > 0 || err_set(e, ERR_CONFIG, "at least one hash is needed; the default is %s", s->fallback);
}

static bool print_hashes(const struct setting *s, const void *object, struct buf *out)
{
    const enum digest_hash *list = (const enum digest_hash *)((const char *)object + s->at);
    size_t n = *(const size_t *)((const char *)object + s->also_at);
    for (size_t i = 0; i < n; i++)
        buf_addf(out, "%s%s", i ? " " : "", hash_names[list[i]]);
    return true;
}

const struct kind kind_hashes = {"sha-256, md5, sha-512-256, separated by blanks", true, parse_hashes,
                                 print_hashes};

static const char *const source_names[] = {
    [SECRET_KEYRING] = "keyring",       [SECRET_COMMAND] = "command", [SECRET_FILE] = "file",
    [SECRET_CREDENTIAL] = "credential", [SECRET_KEYTAB] = "keytab",   [SECRET_PROMPT] = "prompt",
    [SECRET_NT_HASH] = "nt-hash",       [SECRET_NONE] = "none",       NULL,
};

const char *secret_source_name(enum secret_source source)
{
    return source <= SECRET_NONE ? source_names[source] : "unknown";
}

bool secret_source_is_keyring(enum secret_source source)
{
    return source == SECRET_KEYRING || source == SECRET_NT_HASH;
}

static bool is_of_name(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
}

/* By that very name: another variable that begins or ends like it is not set, and says the same of everybody. */
static bool looks_at_user(const char *command)
{
    const size_t n = strlen(SECRET_USER_VARIABLE);
    for (const char *at = command; (at = strstr(at, SECRET_USER_VARIABLE)); at += n)
        if (!is_of_name(at[n]) && (at == command || !is_of_name(at[-1])))
            return true;
    return false;
}

bool secret_tells_users(enum secret_source source, const char *argument)
{
    switch (source) {
    case SECRET_FILE:
    case SECRET_CREDENTIAL:
        return argument && strstr(argument, SECRET_USER);
    case SECRET_COMMAND:
        return argument && looks_at_user(argument);
    case SECRET_PROMPT:
    case SECRET_NONE:
        return false;
    default:
        return true;
    }
}

/* A name below $CREDENTIALS_DIRECTORY must not lead out of it. */
static char *credential_name(struct span name, struct err *e)
{
    if (name.n && span_find(name, '/') == name.n && !span_eq(name, SPAN(".")) && !span_eq(name, SPAN("..")))
        return span_dup(name);
    err_set(e, ERR_CONFIG, "credential:NAME needs the name of a systemd credential, without slashes");
    return NULL;
}

/* A step back behind the place for the user may leave it: one file would be everybody's. */
static bool keeps_users_apart(struct span path, struct err *e)
{
    bool behind = false, back = false;
    while (path.n && !back) {
        struct span part = span_cut(&path, '/');
        back = behind && span_eq(part, SPAN(".."));
        behind = behind || (part.n && memmem(part.p, part.n, SECRET_USER, strlen(SECRET_USER)));
    }
    return !back || err_set(e, ERR_CONFIG,
                            "file: a path that goes back (..) behind %s may be the same for all users; "
                            "write it without that",
                            SECRET_USER);
}

static char *secret_argument(enum secret_source source, struct span argument, struct err *e)
{
    switch (source) {
    case SECRET_FILE:
        return keeps_users_apart(argument, e) ? path_absolute(argument, e) : NULL;
    case SECRET_KEYTAB:
        return path_absolute(argument, e);
    case SECRET_CREDENTIAL:
        return credential_name(argument, e);
    default:
        if (argument.n)
            return span_dup(argument);
        err_set(e, ERR_CONFIG, "command: needs a command, whose first line of output is the password");
        return NULL;
    }
}

static bool unknown_source(const struct setting *s, struct span word, struct err *e)
{
    struct nearest near;
    nearest_begin(&near, word);
    for (int i = 0; source_names[i]; i++)
        nearest_offer(&near, source_names[i]);
    const char *best = near.name;
    return err_set(e, ERR_CONFIG, "the value is not %s (the password itself must not stand here)%s%s%s",
                   s->kind->form, best ? "; did you mean \"" : "", best ? best : "", best ? "\"?" : "");
}

static bool parse_secret(const struct setting *s, void *object, struct span value, struct err *e)
{
    struct config_upstream *u = object;
    size_t colon = span_find(value, ':');
    int source = choice_find(source_names, span_head(value, colon), NULL);
    bool wants_argument = source == SECRET_COMMAND || source == SECRET_FILE || source == SECRET_CREDENTIAL ||
                          source == SECRET_KEYTAB;
    if (source < 0 || wants_argument != (colon < value.n))
        return unknown_source(s, source < 0 ? span_head(value, colon) : span_make(NULL, 0), e);
    u->secret = (enum secret_source)source;
    if (wants_argument)
        u->secret_argument = secret_argument(u->secret, span_trim(span_from(value, colon + 1)), e);
    return !wants_argument || u->secret_argument;
}

/* The text of a command may hold what should not be seen. */
static bool print_secret(const struct setting *s, const void *object, struct buf *out)
{
    (void)s;
    const struct config_upstream *u = object;
    struct buf text;
    buf_init(&text, 0);
    buf_add_str(&text, source_names[u->secret]);
    if (u->secret_argument)
        buf_addf(&text, ":%s", u->secret == SECRET_COMMAND ? "(hidden)" : u->secret_argument);
    ini_put_value(out, buf_span(&text));
    buf_free(&text);
    return true;
}

const struct kind kind_secret = {
    "keyring, command:COMMAND, file:PATH, credential:NAME, keytab:PATH, prompt, nt-hash or none", false,
    parse_secret, print_secret};
