/*
 * Each request as one line of JSON for those who watch (exeat watch): what the log of requests knows of it (relay/access.h: no query, no secret, escaped),
 * with two members more. Loop thread only. Nothing is made while nobody watches.
 */
#include "agent.h"

static void tell(void *owner, const struct access *a)
{
    struct agent *agent = owner;
    struct buf object = {0}, line = {0};
    if (!control_is_watched(agent->control)) {
        agent->relay.log.watched = NULL;
        return;
    }
    access_format(&object, LOG_FORMAT_JSON, a);
    buf_addf(&line, "{\"event\":\"%s\",\"legs\":%u,",
             a->begins   ? "tunnel"
             : a->tunnel ? "tunnel-end"
                         : "request",
             a->legs);
    buf_add_span(&line, span_from(buf_span(&object), 1));
    control_tell(agent->control, buf_span(&line));
    buf_free(&object);
    buf_free(&line);
}

void agent_watch(struct agent *a)
{
    a->relay.log.watched_owner = a;
    a->relay.log.watched = tell;
}

void agent_watch_end(struct agent *a)
{
    a->relay.log.watched = NULL;
}
