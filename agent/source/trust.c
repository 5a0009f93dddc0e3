/*
 * A client of TLS belongs to one thread at a time: it is made in the pool and handed over whole.
 */
#include "source/trust.h"

#include <stdlib.h>

#include "net/work.h"

struct trust {
    struct work *work;
    trusted_fn done;
    void *owner;
    char *host;
    struct tls_client *client;
    struct err why;
};

static void run(void *job)
{
    struct trust *t = job;
    t->client = tls_client_new(&(struct tls_settings){.host = span_str(t->host)}, &t->why);
}

static void drop(void *job)
{
    struct trust *t = job;
    tls_client_unref(t->client);
    free(t->host);
    free(t);
}

static void has_run(void *owner, void *job)
{
    struct trust *t = job;
    (void)owner;
    t->done(t->owner, t->client, &t->why);
    t->client = NULL;
    drop(t);
}

struct trust *trust_start(struct loop *loop, struct span host, trusted_fn done, void *owner)
{
    static const struct work_events events = {run, has_run, drop};
    struct trust *t = mem_zero(sizeof *t);
    *t = (struct trust){.done = done, .owner = owner, .host = span_dup(host)};
    t->work = work_start(loop, &events, t, t);
    return t;
}

void trust_cancel(struct trust *t)
{
    if (t)
        work_forget(t->work);
}
