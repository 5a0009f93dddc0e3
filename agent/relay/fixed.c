/*
 * Fixed tunnels as a way in. Their clients read no words of ours: a failure is a reset for them, and a sentence in the log and in status.
 */
#include "relay/fixed.h"

#include <stdlib.h>

#include "relay/client.h"

struct fixed *fixed_new(const struct config_forward *f)
{
    struct fixed *new = mem_zero(sizeof *new);
    new->refs = 1;
    new->name = mem_strdup(f->name);
    fixed_aim(new, f);
    return new;
}

void fixed_aim(struct fixed *fixed, const struct config_forward *f)
{
    free(fixed->host);
    free(fixed->target);
    fixed->host = mem_strdup(f->target.host);
    fixed->port = f->target.port;
    fixed->target = mem_strdup(f->target.text);
}

struct fixed *fixed_ref(struct fixed *f)
{
    if (f)
        f->refs++;
    return f;
}

void fixed_unref(struct fixed *f)
{
    if (!f || --f->refs > 0)
        return;
    free(f->name);
    free(f->host);
    free(f->target);
    free(f->why);
    free(f);
}

static void take(struct client *c)
{
    entrance_connect(c, span_str(c->fixed->host), c->fixed->port);
}

static void established(struct client *c)
{
    c->fixed->opened++;
}

static void failed(struct client *c, enum page_cause cause, struct span why)
{
    struct fixed *f = c->fixed;
    (void)cause;
    f->failed++;
    f->failed_at = loop_now(stream_loop(c->stream));
    free(f->why);
    f->why = span_dup(why);
}

const struct entrance entrance_fixed = {.tunnel = "fixed tunnel",
                                        .turned_away = {"", 0},
                                        .take = take,
                                        .established = established,
                                        .failed = failed,
                                        .reset = true};
