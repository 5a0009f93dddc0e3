/*
 * The walls around a PAC script: system calls by an allow-list, no files, no network, no other process. For exeat-pac's main thread, once.
 */
#ifndef EXEAT_PAC_SANDBOX_H
#define EXEAT_PAC_SANDBOX_H

#include "base/err.h"

/* Before the engine starts: no environment but the time zone's, no descriptor above `last`, no core file, an end together with our parent. */
bool sandbox_prepare(int last, struct err *e);

/* Behind the engine's start: from here on every thread can compute, take memory, and read and write the descriptors that are open. All other
   calls fail with EPERM. false: the kernel cannot do this; no script may run then. */
bool sandbox_close(struct err *e);

/* This much more processor time, in seconds, then the kernel ends us (SIGXCPU): for when nobody watches any more. */
void sandbox_allow_time(unsigned seconds);

#endif
