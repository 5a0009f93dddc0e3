/*
 * The sockets of the keyholder and its poll loop. Main thread.
 */
#ifndef EXEAT_KEYS_SERVE_H
#define EXEAT_KEYS_SERVE_H

#include "keys/keyholder.h"

/* The agent's descriptor is ours from now on. `path` NULL: no login socket; else it is made (0600), in place of an old one. */
bool serve_start(struct keyholder *k, int agent, const char *path, struct err *e);
/* Until the agent closes its end, or SIGTERM comes. The exit status. */
int serve_run(struct keyholder *k);
void serve_stop(struct keyholder *k);

#endif
