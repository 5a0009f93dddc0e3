/*
 * The bytes of a copy are made on the loop's thread, so that the pool holds nothing that changes.
 */
#include "source/copy.h"

#include <stdlib.h>

#include "net/work.h"

struct copy {
    struct work *work;
    copy_read_fn was_read;
    copy_written_fn was_written;
    void *owner;
    char *path;
    struct kept kept; /* read */
    struct buf bytes; /* to be written */
    bool good;
    struct err why;
};

static void run(void *job)
{
    struct copy *c = job;
    c->good = c->was_read ? kept_read(c->path, &c->kept) : kept_write(c->path, buf_span(&c->bytes), &c->why);
}

static void drop(void *job)
{
    struct copy *c = job;
    free(c->path);
    kept_free(&c->kept);
    buf_free(&c->bytes);
    free(c);
}

static void has_run(void *owner, void *job)
{
    struct copy *c = job;
    (void)owner;
    if (c->was_read)
        c->was_read(c->owner, c->good ? &c->kept : NULL);
    else
        c->was_written(c->owner, c->good, &c->why);
    drop(c);
}

static struct copy *start(struct loop *loop, const char *path, const struct copy *what)
{
    static const struct work_events events = {run, has_run, drop};
    struct copy *c = mem_zero(sizeof *c);
    *c = *what;
    c->path = mem_strdup(path);
    c->work = work_start(loop, &events, c, c);
    return c;
}

struct copy *copy_read(struct loop *loop, const char *path, copy_read_fn done, void *owner)
{
    return start(loop, path, &(struct copy){.was_read = done, .owner = owner});
}

struct copy *copy_write(struct loop *loop, const char *path, const struct kept *kept, copy_written_fn done,
                        void *owner)
{
    struct copy c = {.was_written = done, .owner = owner};
    kept_encode(kept, &c.bytes);
    return start(loop, path, &c);
}

void copy_cancel(struct copy *c)
{
    if (c)
        work_forget(c->work);
}
