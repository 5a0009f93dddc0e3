/*
 * Keeps a model true: asks the agent how it stands, waits for the next change, and looks after an agent that is not there. However fast the agent changes, it
 * tells us of it at most every MIRROR_PAUSE_MS. GLib's main loop; one thread.
 */
#ifndef EXEAT_TRAY_MIRROR_H
#define EXEAT_TRAY_MIRROR_H

#include "link.h"
#include "model.h"

#define MIRROR_PAUSE_MS 300

struct mirror;

/* `changed`: the model may look different. `path` of the control socket is copied. */
struct mirror *mirror_start(struct model *m, const char *path, void (*changed)(void *owner), void *owner);
void mirror_free(struct mirror *m);
/* Asks again now: somebody is about to look. */
void mirror_refresh(struct mirror *m);
/* Starts an agent: by systemd where that knows it, else as a process of its own. */
void mirror_start_agent(struct mirror *m);
/* Throws the switch. */
void mirror_switch(struct mirror *m, bool on);

#endif
