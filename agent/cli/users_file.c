/*
 * Nobody ever finds half a file: the new one is written beside the old one, flushed and renamed over it. Who holds the lock knows that a new one that is there
 * already is left over from a program that was killed.
 */
#include "cli/users_file.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/write_all.h"

#define SHA512_256 SPAN("{SHA-512-256}") /* before a hash of the same length as SHA-256's */

#define FILE_MAX ((size_t)4 << 20)

static bool take_lock(struct users_file *f, struct err *e)
{
    char *copy = mem_strdup(f->path);
    f->lock = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    free(copy);
    if (f->lock < 0 || flock(f->lock, LOCK_EX) < 0)
        return err_errno(e, ERR_SYSTEM, errno, "cannot lock the folder of %s", f->path);
    return true;
}

/* Of a new file: who it is that makes it; but root makes it for the owner of its folder, whose service it is that reads it. */
static void choose_owner(struct users_file *f)
{
    struct stat st;
    f->uid = geteuid();
    f->has_owner = f->uid == 0 && fstat(f->lock, &st) == 0 && st.st_uid != 0;
    if (f->has_owner) {
        f->uid = st.st_uid;
        f->gid = st.st_gid;
    }
}

bool users_file_open(struct users_file *f, const char *path, bool create, bool change, struct err *e)
{
    struct stat st;
    *f = (struct users_file){.path = realpath(path, NULL), .lock = -1, .mode = 0600};
    secret_set(&f->text, SPAN(""));
    if (!f->path)
        f->path = mem_strdup(path);
    if (change && !take_lock(f, e))
        return false;
    int fd = open(f->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0 && errno == ENOENT && create) {
        if (change)
            choose_owner(f);
        return true;
    }
    bool good = fd >= 0 && fstat(fd, &st) == 0 && (S_ISREG(st.st_mode) || (errno = EINVAL, false)) &&
                secret_read(&f->text, fd, FILE_MAX);
    if (good) {
        f->is_there = f->has_owner = true;
        f->mode = st.st_mode & 0640;
        f->loose = st.st_mode & 027;
        f->uid = st.st_uid;
        f->gid = st.st_gid;
    } else {
        err_errno(e, ERR_SYSTEM, errno, "cannot read %s", f->path);
    }
    if (fd >= 0)
        close(fd);
    return good;
}

void users_file_close(struct users_file *f)
{
    if (f->lock >= 0)
        close(f->lock);
    secret_free(&f->text);
    free(f->path);
    *f = (struct users_file){.lock = -1};
}

/* What is none of the two is a password in clear, or an old hash that a gateway does not take either. */
static bool is_hash(struct span text)
{
    return span_starts(text, SPAN("$")) || span_starts(text, SPAN("{SHA}"));
}

bool users_line_read(struct span text, struct users_line *line)
{
    struct span rest = span_trim(text);
    struct span fields[5] = {{0}};
    size_t n = 0;
    *line = (struct users_line){0};
    if (rest.n && rest.p[rest.n - 1] == '\r')
        rest.n--;
    if (rest.n == 0 || rest.p[0] == '#')
        return false;
    while (rest.n && n < 5)
        fields[n++] = span_cut(&rest, ':');
    line->user = fields[0];
    line->realm = n == 3 ? fields[1] : SPAN("");
    line->form = n == 2 && is_hash(fields[1])  ? "Basic"
                 : n == 3 && fields[2].n == 64 ? "Digest (SHA-256)"
                 : n == 3 && fields[2].n == SHA512_256.n + 64 && span_starts(fields[2], SHA512_256)
                     ? "Digest (SHA-512-256)"
                 : n == 3 && fields[2].n == 32                         ? "Digest (MD5)"
                 : n == 5 && fields[4].n != 0 && fields[4].p[0] == '[' ? "NTLM"
                                                                       : NULL;
    return true;
}

size_t users_file_change(struct users_file *f, struct span user, struct span realm, struct span more)
{
    struct secret fresh = {0};
    struct span rest = secret_reveal(&f->text);
    size_t gone = 0;
    secret_set(&fresh, SPAN(""));
    while (rest.n) {
        struct span text = span_cut(&rest, '\n');
        struct users_line line;
        if (users_line_read(text, &line) && span_eq(line.user, user) &&
            (realm.n == 0 || line.realm.n == 0 || span_eq(line.realm, realm))) {
            gone++;
            continue;
        }
        secret_add(&fresh, text);
        secret_add(&fresh, SPAN("\n"));
    }
    secret_add(&fresh, more);
    secret_move(&f->text, &fresh);
    return gone;
}

static bool fill(const struct users_file *f, int fd)
{
    struct stat st;
    if (!write_all(fd, secret_reveal(&f->text)))
        return false;
    if (f->has_owner && fstat(fd, &st) == 0 && (st.st_uid != f->uid || st.st_gid != f->gid) &&
        fchown(fd, f->uid, f->gid) < 0)
        return false;
    return fchmod(fd, f->mode) == 0 && fsync(fd) == 0;
}

bool users_file_write(struct users_file *f, struct err *e)
{
    char *fresh = NULL;
    if (asprintf(&fresh, "%s.exeat-new", f->path) < 0)
        abort();
    unlink(fresh);
    int fd = open(fresh, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    bool made = fd >= 0, good = made && fill(f, fd);
    if (made)
        good = close(fd) == 0 && good;
    good = good && rename(fresh, f->path) == 0;
    if (!good) {
        err_errno(e, ERR_SYSTEM, errno, "cannot write %s", f->path);
        if (made)
            unlink(fresh);
    }
    free(fresh);
    return good;
}
