/*
 * The users' file, read whole, checked line by line and sorted, so that a look-up costs the same whether a name is in it or not. Any thread.
 */
#include "keys/users.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/rand.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/log.h"
#include "keys/basic_hash.h"
#include "keys/digest_hash.h"
#include "keys/nthash.h"

struct line {
    enum users_kind kind;
    struct span name, realm, hash;
    unsigned number;
};

/* A line for Digest by what hides its name and realm. */
struct hidden {
    enum users_kind kind;
    char hex[DIGEST_HEX_SIZE];
    struct span name;
};

struct users {
    atomic_uint refs;
    struct secret text; /* what the lines point into */
    struct line *lines; /* sorted */
    size_t n;
    struct hidden *hidden; /* sorted */
    size_t n_hidden;
    struct stat read_as;
    uint64_t seed; /* of the choices for those who are not there */
};

/* One for all tables: what a name's comparison costs is the same after the file has changed. */
static uint64_t seed_of_this_process(void)
{
    static atomic_uint_fast64_t seed;
    uint64_t fresh = 0, none = 0;
    if (RAND_bytes((unsigned char *)&fresh, sizeof fresh) != 1)
        fresh = 1;
    atomic_compare_exchange_strong(&seed, &none, fresh | 1);
    return atomic_load(&seed);
}

static int compare_spans(struct span a, struct span b)
{
    size_t n = a.n < b.n ? a.n : b.n;
    int c = n ? memcmp(a.p, b.p, n) : 0;
    return c ? c : (a.n > b.n) - (a.n < b.n);
}

static int compare(const void *left, const void *right)
{
    const struct line *a = left, *b = right;
    int c = compare_spans(a->name, b->name);
    if (c == 0)
        c = (a->kind > b->kind) - (a->kind < b->kind);
    return c ? c : compare_spans(a->realm, b->realm);
}

static bool is_hex(struct span s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!((s.p[i] >= '0' && s.p[i] <= '9') || (s.p[i] >= 'a' && s.p[i] <= 'f') ||
              (s.p[i] >= 'A' && s.p[i] <= 'F')))
            return false;
    return true;
}

static bool has_control(struct span s)
{
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7f)
            return true;
    return false;
}

#define SHA512_256 SPAN("{SHA-512-256}")

#define FIELDS_MAX 8 /* smbpasswd has six or seven, and an empty one behind the last colon */

/* NULL: a good line. Else what is wrong with it, which reads on after "line 7". */
static const char *read_line(struct span text, struct line *l)
{
    struct span fields[FIELDS_MAX];
    size_t n = 0;
    if (has_control(text))
        return "holds a control character";
    while (text.n && n < FIELDS_MAX)
        fields[n++] = span_cut(&text, ':');
    if (n < 2 || text.n)
        return n < 2 ? "is not NAME:HASH" : "has too many fields";
    if (fields[0].n == 0)
        return "names no user";
    l->name = fields[0];
    l->realm = SPAN("");
    if (n == 2) {
        l->kind = USERS_PASSWORD;
        l->hash = fields[1];
        return basic_hash_fault(l->hash);
    }
    if (n == 3) {
        bool named = span_starts(fields[2], SHA512_256);
        l->realm = fields[1];
        l->hash = named ? span_from(fields[2], SHA512_256.n) : fields[2];
        l->kind = named ? USERS_SHA512_256 : l->hash.n == 64 ? USERS_SHA256 : USERS_MD5;
        return (l->hash.n == 64 || (l->hash.n == 32 && !named)) && is_hex(l->hash)
                   ? NULL
                   : "has a hash for Digest that is neither MD5 (32 digits) nor SHA-256 (64)";
    }
    l->kind = USERS_NT;
    l->hash = fields[3];
    if (n < 6 || fields[4].n == 0 || fields[4].p[0] != '[')
        return "has neither the form of htpasswd, nor of htdigest, nor of smbpasswd";
    if (span_find(fields[4], 'D') < fields[4].n || !nt_hash_is(l->hash))
        return span_find(fields[4], 'D') < fields[4].n ? "is of an account that is disabled"
                                                       : "has no NT hash (32 digits) in its fourth field";
    return NULL;
}

static void read_lines(struct users *u, const char *name)
{
    struct span rest = secret_reveal(&u->text);
    size_t room = 0;
    for (unsigned number = 1; rest.n; number++) {
        struct span text = span_trim(span_cut(&rest, '\n'));
        struct line l = {.number = number};
        if (text.n && text.p[text.n - 1] == '\r')
            text.n--;
        if (text.n == 0 || text.p[0] == '#')
            continue;
        const char *fault = read_line(text, &l);
        if (fault) {
            log_warning(NULL, "%s: line %u %s; it is left out", name, number, fault);
            continue;
        }
        if (u->n == room) {
            room = room ? room * 2 : 32;
            u->lines = mem_grow(u->lines, room * sizeof *u->lines);
        }
        u->lines[u->n++] = l;
    }
}

/* Of two lines for the same thing nobody can say which is meant: the user is not let in by either. */
static void drop_doubles(struct users *u, const char *name)
{
    size_t kept = 0;
    if (u->n)
        qsort(u->lines, u->n, sizeof *u->lines, compare);
    for (size_t i = 0; i < u->n;) {
        size_t same = i + 1;
        while (same < u->n && compare(&u->lines[i], &u->lines[same]) == 0)
            same++;
        if (same == i + 1)
            u->lines[kept++] = u->lines[i];
        else
            log_warning(NULL, "%s: lines %u and %u are for the same user in the same form; both are left out",
                        name, u->lines[i].number, u->lines[i + 1].number);
        i = same;
    }
    u->n = kept;
}

static bool of_digest(enum users_kind kind)
{
    return kind == USERS_MD5 || kind == USERS_SHA256 || kind == USERS_SHA512_256;
}

static int compare_hidden(const void *left, const void *right)
{
    const struct hidden *a = left, *b = right;
    return a->kind != b->kind ? (a->kind > b->kind) - (a->kind < b->kind)
                              : memcmp(a->hex, b->hex, sizeof a->hex);
}

/* All at once, when the file is read: a client's guess then costs no hash for each of the users. */
static void hide_names(struct users *u)
{
    static const char *const algorithms[USERS_KINDS] = {
        [USERS_MD5] = "MD5", [USERS_SHA256] = "SHA-256", [USERS_SHA512_256] = "SHA-512-256"};
    EVP_MD *md[USERS_KINDS] = {NULL};
    for (int kind = 0; kind < USERS_KINDS; kind++)
        if (algorithms[kind])
            md[kind] = digest_algorithm_fetch(digest_algorithm_find(algorithms[kind]));
    u->hidden = mem_zero((u->n + 1) * sizeof *u->hidden);
    for (size_t i = 0; i < u->n; i++) {
        const struct line *l = &u->lines[i];
        if (!md[l->kind])
            continue;
        struct hidden *h = &u->hidden[u->n_hidden++];
        h->kind = l->kind;
        h->name = l->name;
        DIGEST_HASH(md[l->kind], h->hex, l->name, l->realm);
    }
    for (int kind = 0; kind < USERS_KINDS; kind++)
        EVP_MD_free(md[kind]);
    if (u->n_hidden)
        qsort(u->hidden, u->n_hidden, sizeof *u->hidden, compare_hidden);
}

struct users *users_parse(struct span text, const char *name)
{
    struct users *u = mem_zero(sizeof *u);
    atomic_init(&u->refs, 1);
    u->seed = seed_of_this_process();
    secret_set(&u->text, text);
    read_lines(u, name);
    drop_doubles(u, name);
    hide_names(u);
    return u;
}

/* Who may write it makes users; who may read it can be them. A group may be let to read, as for a service with a user of its own. */
static bool trust(const struct stat *st, const char *path, struct err *e)
{
    if (!S_ISREG(st->st_mode))
        return err_set(e, ERR_CONFIG, "%s is not a file", path);
    if (st->st_uid != 0 && st->st_uid != geteuid())
        return err_set(e, ERR_CONFIG, "%s belongs to another user, who could let anybody in", path);
    if (st->st_mode & 027)
        return err_set(
            e, ERR_CONFIG,
            "%s may be read by everybody or written by others than its owner; chmod 600 mends that", path);
    if (st->st_size > (off_t)USERS_MAX)
        return err_set(e, ERR_LIMIT, "%s is larger than %zu MiB", path, USERS_MAX >> 20);
    return true;
}

static bool read_all(int fd, struct buf *text)
{
    for (;;) {
        if (!buf_reserve(text, 65536))
            return false;
        ssize_t n = read(fd, text->p + text->n, 65536);
        if (n <= 0)
            return n == 0;
        text->n += (size_t)n;
    }
}

struct users *users_read(const char *path, struct err *e)
{
    struct stat st;
    struct users *u = NULL;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0 || fstat(fd, &st) < 0) {
        err_errno(e, ERR_SYSTEM, errno, "cannot read the users of the gateway, %s", path);
    } else if (trust(&st, path, e)) {
        struct buf text;
        buf_init(&text, USERS_MAX + 65536);
        if (buf_reserve(&text, (size_t)st.st_size + 65536) && read_all(fd, &text)) {
            u = users_parse(buf_span(&text), path);
            u->read_as = st;
        } else {
            err_errno(e, ERR_SYSTEM, errno, "cannot read the users of the gateway, %s", path);
        }
        secret_wipe(text.p, text.n);
        buf_free(&text);
    }
    if (fd >= 0)
        close(fd);
    return u;
}

struct users *users_ref(struct users *u)
{
    atomic_fetch_add(&u->refs, 1);
    return u;
}

void users_unref(struct users *u)
{
    if (!u || atomic_fetch_sub(&u->refs, 1) != 1)
        return;
    secret_free(&u->text);
    free(u->lines);
    free(u->hidden);
    free(u);
}

bool users_changed(const struct users *u, const char *path)
{
    struct stat st;
    const struct stat *was = &u->read_as;
    return stat(path, &st) < 0 || st.st_dev != was->st_dev || st.st_ino != was->st_ino ||
           st.st_size != was->st_size || st.st_mode != was->st_mode || st.st_uid != was->st_uid ||
           st.st_mtim.tv_sec != was->st_mtim.tv_sec || st.st_mtim.tv_nsec != was->st_mtim.tv_nsec ||
           st.st_ctim.tv_sec != was->st_ctim.tv_sec || st.st_ctim.tv_nsec != was->st_ctim.tv_nsec;
}

bool users_have(const struct users *u, enum users_kind kind, struct span realm)
{
    for (size_t i = 0; i < u->n; i++)
        if (u->lines[i].kind == kind && (!of_digest(kind) || span_eq(u->lines[i].realm, realm)))
            return true;
    return false;
}

struct span users_find(const struct users *u, enum users_kind kind, struct span name, struct span realm)
{
    struct line wanted = {.kind = kind, .name = name, .realm = of_digest(kind) ? realm : SPAN("")};
    const struct line *l = u->n ? bsearch(&wanted, u->lines, u->n, sizeof *u->lines, compare) : NULL;
    return l ? l->hash : SPAN("");
}

struct span users_hidden(const struct users *u, enum users_kind kind, struct span userhash)
{
    struct hidden wanted = {.kind = kind};
    size_t low = 0;
    if (u->n_hidden == 0 || userhash.n >= sizeof wanted.hex)
        return SPAN("");
    memcpy(wanted.hex, userhash.p, userhash.n);
    for (size_t n = u->n_hidden; n > 1; n -= n / 2) /* to the end, also where it has been met */
        if (compare_hidden(&u->hidden[low + n / 2], &wanted) <= 0)
            low += n / 2;
    return compare_hidden(&u->hidden[low], &wanted) == 0 ? u->hidden[low].name : SPAN("");
}

/* Without its domain, where that is the gateway's (CORP\alice, and alice@CORP or alice@corp.example of CORP); else as it is. */
static struct span strip_domain(struct span user, const char *own)
{
    struct span domain = span_str(own);
    size_t back = span_find(user, '\\'), at = span_rfind(user, '@');
    if (domain.n == 0)
        return user;
    if (back < user.n)
        return span_ieq(span_head(user, back), domain) ? span_from(user, back + 1) : user;
    struct span suffix = span_from(user, at + 1);
    bool ours = span_istarts(suffix, domain) && (suffix.n == domain.n || suffix.p[domain.n] == '.');
    return at < user.n && ours ? span_head(user, at) : user;
}

struct span users_find_nt(const struct users *u, struct span domain, struct span user, const char *own,
                          struct span *name)
{
    struct span plain = strip_domain(user, own);
    bool bare = domain.n == 0 || !own || !*own || span_ieq(domain, span_str(own));
    const struct line *found = NULL;
    for (size_t i = 0; i < u->n; i++) {
        const struct line *l = &u->lines[i];
        if (l->kind != USERS_NT)
            continue;
        size_t back = span_find(l->name, '\\');
        bool qualified = back < l->name.n && span_ieq(span_head(l->name, back), domain) &&
                         span_ieq(span_from(l->name, back + 1), user);
        if (qualified || (bare && (span_ieq(l->name, user) || span_ieq(strip_domain(l->name, own), plain))))
            if (!found || qualified)
                found = l;
    }
    *name = found ? found->name : SPAN("");
    return found ? found->hash : SPAN("");
}

/* Of 64 bits by FNV-1a, from a start that nobody outside knows. */
static uint64_t mix(uint64_t seed, struct span text)
{
    for (size_t i = 0; i < text.n; i++)
        seed = (seed ^ (unsigned char)text.p[i]) * 0x100000001b3u;
    return seed ^ seed >> 32;
}

struct span users_some_password(const struct users *u, struct span name)
{
    size_t n = 0;
    for (size_t i = 0; i < u->n; i++)
        n += u->lines[i].kind == USERS_PASSWORD;
    size_t left = n ? mix(u->seed, name) % n : 0;
    for (size_t i = 0; i < u->n; i++)
        if (u->lines[i].kind == USERS_PASSWORD && left-- == 0)
            return u->lines[i].hash;
    return SPAN("");
}

char *users_account(struct span domain, struct span user, const char *own)
{
    struct span plain = strip_domain(user, own);
    struct buf text = {0};
    if (domain.n && plain.n == user.n && !span_ieq(domain, span_str(own))) {
        buf_add_span(&text, domain);
        buf_add_str(&text, "\\");
    }
    buf_add_span(&text, plain);
    char *account = span_dup(buf_span(&text));
    buf_free(&text);
    return account;
}
