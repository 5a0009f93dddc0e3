/*
 * One JavaScript engine with one PAC script in it. The only room that knows which engine: JavaScriptCore, without its compiler to machine code.
 * One per process, one thread. What a script does with memory and time is bounded from outside (helpers/pac_helper.c, sandbox.c).
 */
#ifndef EXEAT_PAC_ENGINE_H
#define EXEAT_PAC_ENGINE_H

#include "pac/builtins.h"

struct engine;

/* Starts the engine and lets it open whatever it ever opens: the sandbox closes behind this. NULL: the engine cannot run without its compiler,
   *why says so. */
struct engine *engine_new(const struct pac_world *world, const char **why);

/* Runs the script's own statements and finds its function. false: *why is a sentence with the script's name and the line. Once. */
bool engine_load(struct engine *e, struct span name, struct span script, struct buf *why);

/* FindProxyForURLEx(url, host) where the script has that, else FindProxyForURL. false: *why as above. */
bool engine_find(struct engine *e, struct span url, struct span host, struct buf *result, struct buf *why);

#endif
