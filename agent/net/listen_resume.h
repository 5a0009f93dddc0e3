/*
 * The loop's way to wake a listener that paused for want of descriptors; private to net/.
 */
#ifndef EXEAT_NET_LISTEN_RESUME_H
#define EXEAT_NET_LISTEN_RESUME_H

#include "base/list.h"

void listener_resume(struct list *paused_link);

#endif
