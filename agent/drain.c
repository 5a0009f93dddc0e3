/*
 * The agent's end, in steps: listeners close and idle connections too; requests that are being answered, and tunnels, go on for as long as [listen] drain says;
 * then what is left of the former is cut, and tunnels are told (FIN both ways) and given a moment to end by themselves. Asked a second time, it ends at once.
 */
#include "agent.h"

#include "base/log.h"
#include "net/notify.h"

#define MOMENT_MS  500 /* for the other ends of tunnels */
#define DELIVER_MS 20  /* last bytes that are on their way have nobody who would tell of their end */

static void look(void *owner)
{
    struct agent *a = owner;
    if (!relay_is_empty(&a->relay))
        return;
    if (loop_delivers(a->loop))
        deadline_start(a->loop, &a->drain.delivery, DELIVER_MS, look, a);
    else
        loop_stop(a->loop);
}

static void one_ended(void *owner)
{
    struct agent *a = owner;
    later_start(a->loop, &a->drain.look, look, a);
}

static void moment_over(void *owner)
{
    struct agent *a = owner;
    loop_stop(a->loop);
}

static void time_is_up(void *owner)
{
    struct agent *a = owner;
    size_t cut = relay_finish(&a->relay);
    if (cut)
        log_warning(NULL, "%zu request%s cut off: drain in [listen] was not long enough", cut,
                    cut == 1 ? " was" : "s were");
    deadline_start(a->loop, &a->drain.end, MOMENT_MS, moment_over, a);
    one_ended(a);
}

void agent_stop(struct agent *a, const char *why)
{
    if (a->drain.going) {
        log_info(NULL, "stopping at once (%s again)", why);
        loop_stop(a->loop);
        return;
    }
    log_info(NULL, "stopping (%s)", why);
    notify_tell(a->notify, "STOPPING=1");
    a->drain.going = true;
    agent_state_stop(a);
    doors_close(&a->doors);
    relay_drain(&a->relay, one_ended, a);
    if (!relay_is_empty(&a->relay) && a->config->drain)
        log_info(NULL, "%zu connection%s and %zu tunnel%s may go on for %u s", a->relay.clients_open,
                 a->relay.clients_open == 1 ? "" : "s", a->relay.tunnels_open,
                 a->relay.tunnels_open == 1 ? "" : "s", a->config->drain);
    if (a->config->drain == 0)
        loop_stop(a->loop);
    else
        deadline_start(a->loop, &a->drain.end, (uint64_t)a->config->drain * 1000, time_is_up, a);
    one_ended(a);
}

void agent_drain_done(struct agent *a)
{
    deadline_stop(&a->drain.end);
    deadline_stop(&a->drain.delivery);
    later_cancel(&a->drain.look);
}
