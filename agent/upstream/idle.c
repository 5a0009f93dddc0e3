/*
 * Learning a proxy's idle timeout. Pure.
 */
#include "upstream/idle.h"

#define HOLD_FIRST_MS ((uint64_t)10 * 60 * 1000)
#define HOLD_MOST_MS  ((uint64_t)24 * 60 * 60 * 1000)
#define AT_ONCE_MS    1000

static bool in_force(const struct idle_limit *l, uint64_t now)
{
    return l->ms && now < l->until;
}

uint64_t idle_limit_ms(const struct idle_limit *l, uint64_t now)
{
    return in_force(l, now) ? l->ms : IDLE_MOST_MS;
}

/* The next one holds for longer if the last one proved true as soon as it was given up, and not if that was long ago. */
static uint64_t next_hold(const struct idle_limit *l, uint64_t now)
{
    if (!l->hold || now > l->until + l->hold)
        return HOLD_FIRST_MS;
    if (in_force(l, now))
        return l->hold;
    return l->hold * 2 < HOLD_MOST_MS ? l->hold * 2 : HOLD_MOST_MS;
}

bool idle_limit_closed(struct idle_limit *l, uint64_t idle_ms, uint64_t now)
{
    uint64_t before = idle_limit_ms(l, now), below = idle_ms - idle_ms / 5;
    bool at_once = in_force(l, now) && now - l->seen < AT_ONCE_MS;
    if (below < IDLE_LEAST_MS)
        below = IDLE_LEAST_MS;
    if (below > IDLE_MOST_MS)
        below = IDLE_MOST_MS;
    if (at_once ? below <= l->ms : below >= before)
        return false;
    if (!at_once) {
        l->hold = next_hold(l, now);
        l->until = now + l->hold;
        l->seen = now;
    }
    l->ms = below;
    return true;
}
