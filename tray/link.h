/*
 * The way to the agent: one question per connection to its control socket, never blocking the program. GLib's main loop; one thread.
 */
#ifndef EXEAT_TRAY_LINK_H
#define EXEAT_TRAY_LINK_H

#include <gio/gio.h>
#include <jansson.h>

#include "base/err.h"

#define LINK_PATIENCE_S 60 /* longer than the agent waits for its own keyholder */
#define LINK_FOREVER    0

/* `answer` NULL: *e, with ERR_GONE where no agent is (any more), ERR_REFUSED with its own sentence where it said no. Lent for the call. */
typedef void (*link_answered)(void *owner, json_t *answer, const struct err *e);

/* `question` is not taken over. Ends exactly once, never inside this call; silently when `cancel` was cancelled. */
void link_ask(const char *path, json_t *question, unsigned patience_s, GCancellable *cancel,
              link_answered answered, void *owner);

#endif
