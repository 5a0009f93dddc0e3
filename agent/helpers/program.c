/*
 * Finding helper programs: never by PATH, which others may set.
 */
#include "helpers/program.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static bool is_there(const char *folder, const char *name, char *path, size_t size)
{
    int n = snprintf(path, size, "%s/%s", folder, name);
    return n > 0 && (size_t)n < size && access(path, X_OK) == 0;
}

bool program_find(const char *name, char *path, size_t size)
{
    char self[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    if (n > 0) {
        self[n] = '\0';
        char *slash = strrchr(self, '/');
        if (slash)
            *slash = '\0';
        if (slash && is_there(self, name, path, size))
            return true;
    }
    return is_there(EXEAT_LIBEXEC, name, path, size);
}
