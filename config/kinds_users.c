/*
 * The kind of value that names users of this machine: by number, by name, the one who runs this program, or all of them. Names are looked up
 * here, while the configuration is read, and never again: whoever answers (LDAP, sssd) may be slow. Any thread.
 */
#include <errno.h>
#include <pwd.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/buf.h"
#include "config/ini.h"
#include "config/kinds.h"

#define ENTRY_BYTES     ((size_t)4096)
#define ENTRY_BYTES_MAX ((size_t)4 << 20)

static bool find_user(struct span name, uid_t *uid, struct err *e)
{
    char *copy = span_dup(name), *room = NULL;
    struct passwd entry, *found = NULL;
    int error = ERANGE;
    for (size_t n = ENTRY_BYTES; error == ERANGE && n <= ENTRY_BYTES_MAX; n *= 2) {
        room = mem_grow(room, n);
        error = getpwnam_r(copy, &entry, room, n, &found);
    }
    if (found)
        *uid = entry.pw_uid;
    free(copy);
    free(room);
    if (found)
        return true;
    if (error && error != ENOENT && error != ESRCH)
        return err_errno(e, ERR_CONFIG, error, "the user %s cannot be looked up", shown(name).text);
    return err_set(e, ERR_CONFIG, "there is no user %s on this machine", shown(name).text);
}

static bool read_user(struct span text, uid_t *uid, struct err *e)
{
    uint64_t number;
    if (span_eq(text, SPAN("self"))) {
        *uid = geteuid();
        return true;
    }
    if (span_eq(text, SPAN("root"))) {
        *uid = 0;
        return true;
    }
    if (!span_u64(text, &number))
        return find_user(text, uid, e);
    if (number >= (uid_t)-1)
        return err_set(e, ERR_CONFIG, "%s is too large for the number of a user", shown(text).text);
    *uid = (uid_t)number;
    return true;
}

static bool add_user(struct config *c, struct span text, struct err *e)
{
    uid_t uid = 0;
    bool any = span_eq(text, SPAN("any"));
    for (size_t i = 0; i < c->n_allow_uids; i++)
        if (span_eq(text, span_str(c->allow_uids[i].text)))
            return err_set(e, ERR_CONFIG, "%s stands here twice", shown(text).text);
    if (c->allow_any || (any && c->n_allow_uids))
        return err_set(e, ERR_CONFIG, "any stands alone");
    c->allow_any = any;
    if (any)
        return true;
    if (!read_user(text, &uid, e))
        return false;
    c->allow_uids = mem_grow(c->allow_uids, (c->n_allow_uids + 1) * sizeof *c->allow_uids);
    c->allow_uids[c->n_allow_uids++] = (struct config_user){.uid = uid, .text = span_dup(text)};
    return true;
}

static bool parse_users(const struct setting *s, void *object, struct span value, struct err *e)
{
    struct config *c = object;
    struct buf item;
    buf_init(&item, 0);
    int more;
    bool ok = true;
    while (ok && (more = ini_item(&value, &item, e)) > 0)
        ok = add_user(c, buf_span(&item), e);
    buf_free(&item);
    if (!ok || more < 0)
        return false;
    return c->allow_any || c->n_allow_uids > 0 ||
           err_set(e, ERR_CONFIG, "at least one user is needed, or any; the default is %s", s->fallback);
}

static bool print_users(const struct setting *s, const void *object, struct buf *out)
{
    (void)s;
    const struct config *c = object;
    for (size_t i = 0; i < c->n_allow_uids; i++) {
        buf_add_str(out, i ? " " : "");
        ini_put_item(out, span_str(c->allow_uids[i].text));
    }
    if (c->allow_any)
        buf_add_str(out, "any");
    return true;
}

const struct kind kind_users = {"self, root, names or numbers of users, separated by blanks; or any", true,
                                parse_users, print_users};
