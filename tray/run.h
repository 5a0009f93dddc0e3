/*
 * Programs that the tray starts: verbs of exeat, terminals with one in them, the agent itself. GLib's main loop; one thread.
 */
#ifndef EXEAT_TRAY_RUN_H
#define EXEAT_TRAY_RUN_H

#include <gio/gio.h>
#include <stdbool.h>

/* How a verb ended: `good` its status was 0; `said`: what it wrote, without "exeat: " in front. Lent for the call. */
typedef void (*run_ended)(void *owner, bool good, const char *said);

/* `program` NULL: exeat. `words` ends with NULL and does not hold the program itself. Without input. Silent when cancelled. */
void run_verb(const char *program, const char *const words[], GCancellable *cancel, run_ended ended,
              void *owner);
/* In a terminal window that stays until Return is pressed. `program` NULL: exeat. false: there is no terminal, or no such program. */
bool run_in_terminal(const char *program, const char *const words[]);
/*
 * Starts the agent: by the user's systemd where that has a unit for it, else by ourselves. `over` is called once, later: when systemd has taken it, or when
 * the one that we started has ended. `why` NULL: not for a reason that starting it again would meet again. Silent when cancelled.
 */
void run_agent(GCancellable *cancel, void (*over)(void *owner, const char *why), void *owner);

#endif
