/*
 * Where our helper programs are.
 */
#ifndef EXEAT_HELPERS_PROGRAM_H
#define EXEAT_HELPERS_PROGRAM_H

#include <stdbool.h>
#include <stddef.h>

/* Beside our own program first, so that a build tree runs as it stands; then where make install puts it. false: in neither place. */
bool program_find(const char *name, char *path, size_t size);

#endif
