/*
 * One list in the order in which they became idle, in what all share (outbound.h). At most a quarter of the descriptors that there are is held so.
 */
#include "upstream/kept.h"

void kept_add(struct upstream *u)
{
    struct outbound *out = u->out;
    if (!u->hop->acts_for)
        return;
    if (!out->kept.next)
        list_init(&out->kept);
    list_push_front(&out->kept, &u->kept);
    out->n_kept++;
}

void kept_leave(struct upstream *u)
{
    if (list_empty(&u->kept))
        return;
    list_remove(&u->kept);
    u->out->n_kept--;
}

struct upstream *kept_surplus(struct outbound *out)
{
    size_t most = loop_descriptors(out->loop) / 4;
    if (most > KEPT_MOST)
        most = KEPT_MOST;
    return out->n_kept > most ? list_entry(out->kept.prev, struct upstream, kept) : NULL;
}
