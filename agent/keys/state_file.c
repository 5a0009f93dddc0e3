/*
 * What the keyholder remembers on disk (mark.c, floor.c): bytes and words, nothing of what they mean. Blocking, but for small local files and
 * seldom. Main thread.
 */
#include "keys/state_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/write_all.h"

char *state_path(const char *directory, const char *name)
{
    char *path = NULL;
    if (asprintf(&path, "%s/%s", directory, name) < 0)
        abort();
    return path;
}

bool state_read(const char *path, struct buf *out, size_t max)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return false;
    buf_init(out, max);
    buf_reserve(out, max);
    ssize_t got = 0;
    while (out->n < max &&
           ((got = read(fd, out->p + out->n, max - out->n)) > 0 || (got < 0 && errno == EINTR)))
        if (got > 0)
            out->n += (size_t)got;
    int error = errno;
    close(fd);
    errno = error;
    return got >= 0;
}

bool state_write(const char *path, struct span bytes)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return false;
    bool good = write_all(fd, bytes);
    int error = errno;
    if (close(fd) == 0 || !good)
        errno = error;
    else
        good = false;
    return good;
}

bool state_replace(const char *directory, const char *name, struct span bytes)
{
    char *path = state_path(directory, name), *fresh = NULL;
    if (asprintf(&fresh, "%s.new", path) < 0)
        abort();
    bool good = state_write(fresh, bytes) && rename(fresh, path) == 0;
    int error = errno;
    if (!good)
        unlink(fresh);
    free(path);
    free(fresh);
    errno = error;
    return good;
}

void state_encode(struct buf *out, const char *text)
{
    for (const unsigned char *c = (const unsigned char *)text; *c; c++) {
        if (*c <= ' ' || *c == '%' || *c == 0x7f)
            buf_addf(out, "%%%02x", *c);
        else
            buf_add(out, c, 1);
    }
}

char *state_decode(struct span word)
{
    static const char digits[] = "0123456789abcdef";
    struct buf out = {0};
    for (size_t i = 0; i < word.n; i++) {
        char c = word.p[i];
        if (c == '%' && i + 2 < word.n) {
            const char *high = strchr(digits, word.p[i + 1]), *low = strchr(digits, word.p[i + 2]);
            if (high && low)
                c = (char)((high - digits) << 4 | (low - digits));
            i += 2;
        }
        buf_add(&out, &c, 1);
    }
    char *copy = span_dup(buf_span(&out));
    buf_free(&out);
    return copy;
}
