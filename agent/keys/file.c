/*
 * Passwords in files: secret = file:PATH, and systemd's credentials (systemd.exec(5), LoadCredential=). Worker threads.
 */
#include "keys/provider.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/log.h"

static bool read_some(int fd, char *to, size_t room, size_t *n)
{
    *n = 0;
    while (*n < room) {
        ssize_t got = read(fd, to + *n, room - *n);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return false;
        if (got == 0)
            break;
        *n += (size_t)got;
    }
    return true;
}

static void fail(struct provided *out, const char *path, int number)
{
    out->kind = number == ENOENT ? PROVIDED_ABSENT : PROVIDED_FAILED;
    err_errno(&out->e, ERR_SYSTEM, number, "the password file %s cannot be read", path);
}

void file_fetch(const char *path, struct provided *out)
{
    /* Not blocking, so that a FIFO cannot hold this thread. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    struct stat st;
    if (fd < 0) {
        fail(out, path, errno);
        return;
    }
    char bytes[PROVIDER_SECRET_MAX + 2];
    size_t n = 0;
    if (fstat(fd, &st) < 0) {
        fail(out, path, errno);
    } else if (!S_ISREG(st.st_mode)) {
        out->kind = PROVIDED_FAILED;
        err_set(&out->e, ERR_SYSTEM, "the password file %s is not a regular file", path);
    } else if (!read_some(fd, bytes, sizeof bytes, &n)) {
        fail(out, path, errno);
    } else {
        static atomic_flag warned = ATOMIC_FLAG_INIT; /* the file may be read at each request */
        if (!provided_is_private(&st) && !atomic_flag_test_and_set(&warned))
            log_warning(NULL, "others may read the password file %s: chmod 600 %s", path, path);
        provided_first_line(out, bytes, n, path);
    }
    secret_wipe(bytes, sizeof bytes);
    close(fd);
}

void credential_fetch(const char *name, struct provided *out)
{
    const char *directory = getenv("CREDENTIALS_DIRECTORY");
    if (!directory || !*directory) {
        out->kind = PROVIDED_NOWHERE;
        err_set(&out->e, ERR_SYSTEM,
                "there are no systemd credentials here (CREDENTIALS_DIRECTORY is not set): start exeat as a "
                "service with LoadCredential=%s",
                name);
        return;
    }
    if (strchr(name, '/') || strcmp(name, "..") == 0) {
        out->kind = PROVIDED_FAILED;
        err_set(&out->e, ERR_CONFIG, "%s is not the name of a credential", name);
        return;
    }
    char *path = NULL;
    if (asprintf(&path, "%s/%s", directory, name) < 0)
        abort();
    file_fetch(path, out);
    free(path);
}
