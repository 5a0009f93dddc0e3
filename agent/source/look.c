/*
 * The file's marks are taken before it is read: one that changes meanwhile is read again at the next look.
 */
#include "source/look.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

struct looking {
    struct look look;
    struct work *work;
    looked_fn looked;
    void *owner;
};

static bool same_time(struct timespec a, struct timespec b)
{
    return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

static bool same(const struct look_seen *a, const struct look_seen *b)
{
    return a->any && b->any && a->device == b->device && a->inode == b->inode && a->size == b->size &&
           same_time(a->modified, b->modified) && same_time(a->changed, b->changed);
}

static enum look_result fail(struct look *l, int error)
{
    err_errno(&l->why, ERR_SYSTEM, error, "cannot read %s", l->path);
    l->seen = (struct look_seen){0};
    return error == ENOENT || error == ENOTDIR ? LOOK_ABSENT : LOOK_FAILED;
}

static enum look_result read_all(struct look *l, int fd)
{
    for (;;) {
        if (!buf_reserve(&l->bytes, 16384)) {
            err_set(&l->why, ERR_LIMIT, "%s is larger than %zu KiB", l->path, l->bytes.max >> 10);
            return LOOK_FAILED;
        }
        ssize_t n = read(fd, l->bytes.p + l->bytes.n, 16384);
        if (n < 0 && errno != EINTR)
            return fail(l, errno);
        if (n == 0)
            return LOOK_NEW;
        l->bytes.n += n > 0 ? (size_t)n : 0;
    }
}

static enum look_result look_at(struct look *l)
{
    struct stat st;
    int fd = open(l->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return fail(l, errno);
    enum look_result result = LOOK_SAME;
    if (fstat(fd, &st) != 0) {
        result = fail(l, errno);
    } else if (!S_ISREG(st.st_mode)) {
        err_set(&l->why, ERR_SYSTEM, "%s is no file that can be read", l->path);
        result = LOOK_FAILED;
    } else {
        struct look_seen now = {.any = true,
                                .device = st.st_dev,
                                .inode = st.st_ino,
                                .size = st.st_size,
                                .modified = st.st_mtim,
                                .changed = st.st_ctim};
        if (!same(&now, &l->seen)) {
            l->seen = now;
            result = read_all(l, fd);
        }
    }
    close(fd);
    return result;
}

static void run(void *job)
{
    struct looking *l = job;
    l->look.result = look_at(&l->look);
}

static void drop(void *job)
{
    struct looking *l = job;
    buf_free(&l->look.bytes);
    free(l->look.path);
    free(l);
}

static void done(void *owner, void *job)
{
    struct looking *l = job;
    (void)owner;
    l->looked(l->owner, &l->look);
    drop(l);
}

struct looking *look_start(struct loop *loop, const char *path, size_t most, const struct look_seen *seen,
                           looked_fn looked, void *owner)
{
    static const struct work_events events = {run, done, drop};
    struct looking *l = mem_zero(sizeof *l);
    *l =
        (struct looking){.look = {.seen = *seen, .path = mem_strdup(path)}, .looked = looked, .owner = owner};
    buf_init(&l->look.bytes, most);
    l->work = work_start(loop, &events, l, l);
    return l;
}

void look_cancel(struct looking *l)
{
    if (l)
        work_forget(l->work);
}
