/*
 * The file is a line that says what it is, a line for each thing known ("etag VALUE"), one with the SHA-256 of the script, an empty line and the script.
 * Everything in it could have been half written or written by a hand: it is read as if a stranger had sent it.
 */
#include "source/kept.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/write_all.h"

#define FIRST_LINE   SPAN("exeat-pac 1")
#define SCRIPT_BYTES ((size_t)1 << 20)
#define LINES_BYTES  ((size_t)32 << 10)

void kept_digest(struct span bytes, char hex[KEPT_DIGEST])
{
    unsigned char sum[EVP_MAX_MD_SIZE] = {0};
    EVP_Digest(bytes.n ? bytes.p : "", bytes.n, sum, NULL, EVP_sha256(), NULL);
    for (size_t i = 0; i < 32; i++)
        snprintf(hex + 2 * i, 3, "%02x", sum[i]);
}

void kept_free(struct kept *k)
{
    free(k->from);
    free(k->etag);
    free(k->modified);
    free(k->charset);
    buf_free(&k->script);
    *k = (struct kept){0};
}

void kept_path(const char *folder, const char *source, struct buf *out)
{
    char hex[KEPT_DIGEST];
    kept_digest(span_str(source), hex);
    buf_addf(out, "%s/%.32s", folder, hex);
}

/* --- the text --- */

static void put(struct buf *out, const char *name, const char *value)
{
    if (value)
        buf_addf(out, "%s %s\n", name, value);
}

void kept_encode(const struct kept *k, struct buf *out)
{
    char hex[KEPT_DIGEST];
    kept_digest(buf_span(&k->script), hex);
    buf_add_span(out, FIRST_LINE);
    buf_add_str(out, "\n");
    put(out, "from", k->from);
    put(out, "etag", k->etag);
    put(out, "modified", k->modified);
    put(out, "charset", k->charset);
    buf_addf(out, "seen %lld\n", (long long)k->seen);
    put(out, "sha256", hex);
    buf_add_str(out, "\n");
    buf_add_span(out, buf_span(&k->script));
}

/* What may go into a request's head. */
static bool is_plain(struct span value)
{
    for (size_t i = 0; i < value.n; i++)
        if ((unsigned char)value.p[i] < 0x20 || value.p[i] == 0x7f)
            return false;
    return value.n > 0;
}

static bool read_line(struct span line, struct kept *k, struct span *sum)
{
    struct {
        const char *name;
        char **place;
    } texts[] = {
        {"from", &k->from}, {"etag", &k->etag}, {"modified", &k->modified}, {"charset", &k->charset}};
    struct span name = span_cut(&line, ' ');
    uint64_t seen;
    if (!is_plain(line))
        return false;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (span_eq(name, span_str(texts[i].name))) {
            if (*texts[i].place)
                return false;
            *texts[i].place = span_dup(line);
            return true;
        }
    if (span_eq(name, SPAN("sha256")))
        *sum = line;
    else if (span_eq(name, SPAN("seen")) && span_u64(line, &seen) && seen < INT64_MAX)
        k->seen = (int64_t)seen;
    return true; /* later versions may know more */
}

bool kept_decode(struct span bytes, struct kept *k)
{
    char hex[KEPT_DIGEST];
    struct span sum = {0}, line;
    *k = (struct kept){0};
    bool good = span_eq(span_cut(&bytes, '\n'), FIRST_LINE), ended = false;
    while (good && bytes.n && !ended) {
        line = span_cut(&bytes, '\n');
        ended = line.n == 0;
        good = ended || read_line(line, k, &sum);
    }
    kept_digest(bytes, hex);
    if (good && ended && k->from && bytes.n && bytes.n <= SCRIPT_BYTES && span_eq(sum, span_str(hex))) {
        buf_add_span(&k->script, bytes);
        return true;
    }
    kept_free(k);
    return false;
}

/* --- the file --- */

static bool read_whole(int fd, struct buf *out)
{
    for (;;) {
        if (!buf_reserve(out, 16384))
            return false;
        ssize_t n = read(fd, out->p + out->n, 16384);
        if (n <= 0)
            return n == 0;
        out->n += (size_t)n;
    }
}

bool kept_read(const char *path, struct kept *k)
{
    struct stat st;
    struct buf bytes;
    *k = (struct kept){0};
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0)
        return false;
    buf_init(&bytes, SCRIPT_BYTES + LINES_BYTES);
    bool good = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_uid == geteuid() && !(st.st_mode & 022) &&
                read_whole(fd, &bytes) && kept_decode(buf_span(&bytes), k);
    close(fd);
    buf_free(&bytes);
    return good;
}

/* Beside it first: whoever reads sees the old one or the new one. What an interrupted writer left is written over. */
bool kept_write(const char *path, struct span bytes, struct err *e)
{
    struct buf beside = {0};
    buf_addf(&beside, "%s.new", path);
    const char *name = buf_cstr(&beside);
    unlink(name);
    int fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    bool good = fd >= 0 && write_all(fd, bytes);
    int error = errno;
    if (fd >= 0 && close(fd) != 0 && good) {
        good = false;
        error = errno;
    }
    if (good && rename(name, path) != 0) {
        good = false;
        error = errno;
    }
    if (!good) {
        if (fd >= 0)
            unlink(name);
        err_errno(e, ERR_SYSTEM, error, "cannot write %s", path);
    }
    buf_free(&beside);
    return good;
}
