/*
 * getenv, in place of the C library's. The environment does not change while this program runs, so that nothing needs to be locked.
 */
#include "keys/workstation.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static _Thread_local const char *workstation;
static _Thread_local const struct environment_row *rows;

void workstation_set(const char *name)
{
    workstation = name;
}

void environment_lend(const struct environment_row *all)
{
    rows = all;
}

char *getenv(const char *name)
{
    size_t n = strlen(name);
    for (const struct environment_row *row = rows; row && row->name; row++)
        if (strcmp(name, row->name) == 0)
            return (char *)(unsigned long)row->value;
    if (workstation && strcmp(name, "NETBIOS_COMPUTER_NAME") == 0)
        return (char *)(unsigned long)workstation;
    for (char **one = environ; one && *one; one++)
        if (strncmp(*one, name, n) == 0 && (*one)[n] == '=')
            return *one + n + 1;
    return NULL;
}
