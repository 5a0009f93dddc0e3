/*
 * Files of other programs. What we may not replace without loss is refused in words: a file of another user, one with a second name (hard link), a
 * read-only one, a link that leads nowhere.
 */
#include "apps/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/write_all.h"

void file_digest(struct span text, char digest[65])
{
    unsigned char hash[32];
    unsigned n = sizeof hash;
    EVP_Digest(text.p ? text.p : "", text.n, hash, &n, EVP_sha256(), NULL);
    for (size_t i = 0; i < sizeof hash; i++)
        sprintf(digest + 2 * i, "%02x", hash[i]);
}

static bool within(const char *path, const char *root)
{
    if (!root || !*root)
        return true;
    char *real = realpath(root, NULL);
    size_t n = real ? strlen(real) : 0;
    bool ok = real && strncmp(path, real, n) == 0 && (path[n] == '/' || strcmp(real, "/") == 0);
    free(real);
    return ok;
}

/* The path without symbolic links, also where the last parts are not there yet. NULL with *e. */
static char *resolve(const char *path, struct err *e)
{
    struct stat st;
    char *real = realpath(path, NULL);
    if (real)
        return real;
    if (errno != ENOENT)
        err_errno(e, ERR_SYSTEM, errno, "%s cannot be read", path);
    else if (lstat(path, &st) == 0)
        err_set(e, ERR_SYSTEM, "%s is a symbolic link to a file that is not there", path);
    else {
        char *copy = mem_strdup(path), *above = resolve(dirname(copy), e);
        const char *slash = strrchr(path, '/');
        struct buf joined = {0};
        if (above) {
            buf_addf(&joined, "%s/%s", strcmp(above, "/") == 0 ? "" : above, slash ? slash + 1 : path);
            real = mem_strdup(buf_cstr(&joined));
        }
        buf_free(&joined);
        free(above);
        free(copy);
    }
    return real;
}

static bool may_read(const char *path, const struct stat *st, struct err *e)
{
    if (!S_ISREG(st->st_mode))
        return err_set(e, ERR_SYSTEM, "%s is not a plain file", path);
    if (st->st_size > (off_t)FILE_MOST)
        return err_set(e, ERR_LIMIT, "%s is larger than %zu MiB", path, FILE_MOST >> 20);
    return true;
}

static bool may_replace(const char *path, const struct stat *st, struct err *e)
{
    if (st->st_uid != geteuid() && geteuid() != 0)
        return err_set(e, ERR_SYSTEM, "%s belongs to another user", path);
    if (st->st_nlink > 1)
        return err_set(e, ERR_SYSTEM,
                       "%s has a second name (a hard link), which a new file in its place would not have",
                       path);
    if (!(st->st_mode & 0200))
        return err_set(e, ERR_SYSTEM, "%s is read-only; chmod u+w it if it may be changed", path);
    return true;
}

static bool read_all(struct file *f, int fd, struct err *e)
{
    char part[65536];
    ssize_t n;
    buf_init(&f->text, FILE_MOST + (1 << 20));
    while ((n = read(fd, part, sizeof part)) > 0)
        if (!buf_add(&f->text, part, (size_t)n))
            return err_set(e, ERR_LIMIT, "%s is too large", f->path);
    return n == 0 || err_errno(e, ERR_SYSTEM, errno, "%s cannot be read", f->path);
}

static bool read_file(struct file *f, const char *path, const char *root, bool to_replace, struct err *e)
{
    *f = (struct file){.path = resolve(path, e)};
    if (!f->path)
        return false;
    buf_init(&f->text, FILE_MOST + (1 << 20));
    bool ok = within(f->path, root) || err_set(e, ERR_SYSTEM, "%s leads out of %s", path, root ? root : "/");
    int fd = ok ? open(f->path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK) : -1;
    if (ok && fd < 0 && errno != ENOENT)
        ok = err_errno(e, ERR_SYSTEM, errno, "%s cannot be read", f->path);
    if (fd >= 0) {
        f->existed = true;
        ok = fstat(fd, &f->st) == 0 || err_errno(e, ERR_SYSTEM, errno, "%s cannot be read", f->path);
        ok = ok && may_read(f->path, &f->st, e) && (!to_replace || may_replace(f->path, &f->st, e)) &&
             read_all(f, fd, e);
        close(fd);
    }
    if (!ok)
        file_free(f);
    return ok;
}

bool file_read(struct file *f, const char *path, const char *root, struct err *e)
{
    return read_file(f, path, root, true, e);
}

bool file_peek(struct file *f, const char *path, struct err *e)
{
    return read_file(f, path, NULL, false, e);
}

void file_free(struct file *f)
{
    free(f->path);
    buf_free(&f->text);
    *f = (struct file){0};
}

bool file_make_folders(const char *path, mode_t mode, struct buf *made, struct err *e)
{
    char *copy = mem_strdup(path);
    bool ok = true;
    for (char *slash = strchr(copy + 1, '/'); slash && ok; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (mkdir(copy, mode) == 0) {
            chmod(copy, mode); /* whatever the umask: other users read what is system-wide */
            buf_addf(made, "%s\n", copy);
        } else if (errno != EEXIST && (errno != EROFS || access(copy, F_OK) != 0))
            ok = err_errno(e, ERR_SYSTEM, errno, "the directory %s cannot be made", copy);
        *slash = '/';
    }
    free(copy);
    return ok;
}

static void sync_folder(const char *path)
{
    char *copy = mem_strdup(path);
    int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        fsync(fd);
        close(fd);
    }
    free(copy);
}

/* Access lists, labels, what else hangs on the old one. What the kernel keeps for itself, or gives to every new file, may be refused when it is
   there already. */
static bool copy_attributes(const char *from, int to)
{
    char names[65536];
    ssize_t n = listxattr(from, names, sizeof names);
    bool ok = n >= 0 || errno == ENOTSUP;
    for (char *name = names; ok && n > 0 && name < names + n; name += strlen(name) + 1) {
        char value[65536], there[sizeof value];
        ssize_t size = getxattr(from, name, value, sizeof value);
        ssize_t own = fgetxattr(to, name, there, sizeof there);
        bool same = size >= 0 && own == size && memcmp(value, there, (size_t)size) == 0;
        ok = size >= 0 && (same || fsetxattr(to, name, value, (size_t)size, 0) == 0);
    }
    return ok;
}

void file_sweep(const char *path)
{
    const char *slash = strrchr(path, '/');
    char *folder = span_dup(span_make(path, (size_t)(slash + 1 - path)));
    struct span name = span_str(slash + 1);
    size_t mark = strlen(".exeat-XXXXXX");
    DIR *all = opendir(folder);
    for (struct dirent *one; all && (one = readdir(all));)
        if (strlen(one->d_name) == name.n + mark && span_starts(span_str(one->d_name), name) &&
            span_starts(span_str(one->d_name + name.n), SPAN(".exeat-")))
            unlinkat(dirfd(all), one->d_name, 0);
    if (all)
        closedir(all);
    free(folder);
}

/* Is it still the file that was read? */
static bool unchanged(const struct file *f)
{
    struct stat now;
    return stat(f->path, &now) == 0 && now.st_dev == f->st.st_dev && now.st_ino == f->st.st_ino &&
           now.st_size == f->st.st_size && now.st_mtim.tv_sec == f->st.st_mtim.tv_sec &&
           now.st_mtim.tv_nsec == f->st.st_mtim.tv_nsec;
}

bool file_write(const struct file *f, struct span text, mode_t mode, struct err *e)
{
    struct buf temporary = {0};
    if (f->existed && !unchanged(f))
        return err_set(e, ERR_SYSTEM, "%s has been changed by another program just now: try again", f->path);
    file_sweep(f->path);
    buf_addf(&temporary, "%s.exeat-XXXXXX", f->path);
    buf_cstr(&temporary);
    int fd = mkostemp(temporary.p, O_CLOEXEC);
    if (fd < 0) {
        buf_free(&temporary);
        return err_errno(e, ERR_SYSTEM, errno, "%s cannot be written", f->path);
    }
    bool ok = write_all(fd, text) && fsync(fd) == 0;
    if (f->existed && (f->st.st_uid != geteuid() || f->st.st_gid != getegid()))
        ok = ok && fchown(fd, f->st.st_uid, f->st.st_gid) == 0;
    ok = ok && fchmod(fd, f->existed ? f->st.st_mode & 07777 : mode) == 0;
    ok = ok && (!f->existed || copy_attributes(f->path, fd));
    ok = close(fd) == 0 && ok;
    ok = ok && rename(temporary.p, f->path) == 0;
    if (!ok) {
        err_errno(e, ERR_SYSTEM, errno, "%s cannot be written", f->path);
        unlink(temporary.p);
    } else {
        sync_folder(f->path);
    }
    buf_free(&temporary);
    return ok;
}

bool file_remove(const struct file *f, struct err *e)
{
    if (unlink(f->path) != 0 && errno != ENOENT)
        return err_errno(e, ERR_SYSTEM, errno, "%s cannot be removed", f->path);
    sync_folder(f->path);
    return true;
}
