/*
 * A stream that carries another one's bytes and knows nothing of TLS itself, so that there can be TLS inside TLS (an https:// proxy that is reached through an
 * https:// proxy). Private to net/.
 */
#ifndef EXEAT_NET_BRIDGE_H
#define EXEAT_NET_BRIDGE_H

#include "net/stream.h"

/* Takes `far` over. Itself where it is not one of TLS; NULL: no descriptors are left (and `far` is closed). */
struct stream *bridge_over(struct stream *far);

#endif
