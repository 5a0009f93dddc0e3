/*
 * Secrets on OpenSSL's secure heap: mlock2, MADV_DONTDUMP, guard pages. When the heap is full or could not be set up,
 * OpenSSL falls back to ordinary memory, which we still wipe. Any thread (OpenSSL locks its heap).
 */
#include "base/secret.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/log.h"

#define SECURE_HEAP_BYTES ((size_t)1 << 20)
#define SECURE_HEAP_GRAIN 32
#define STACK_BYTES       ((size_t)96 << 10)

void secret_start(void)
{
    struct rlimit none = {0, 0};
    setrlimit(RLIMIT_CORE, &none);
    prctl(PR_SET_DUMPABLE, 0);
    if (CRYPTO_secure_malloc_init(SECURE_HEAP_BYTES, SECURE_HEAP_GRAIN) != 1)
        log_warning(
            NULL,
            "cannot lock memory for secrets (ulimit -l is too low?): they are wiped after use all the same");
}

static char *locked_alloc(size_t n)
{
    char *p = OPENSSL_secure_malloc(n + 1);
    if (!p)
        p = mem_alloc(n + 1);
    p[n] = '\0';
    return p;
}

void secret_set(struct secret *s, struct span bytes)
{
    char *fresh = locked_alloc(bytes.n);
    if (bytes.n)
        memcpy(fresh, bytes.p, bytes.n);
    secret_free(s);
    s->locked = fresh;
    s->length = bytes.n;
}

void secret_add(struct secret *s, struct span bytes)
{
    size_t old = s->length;
    char *joined = locked_alloc(old + bytes.n);
    if (old)
        memcpy(joined, s->locked, old);
    if (bytes.n)
        memcpy(joined + old, bytes.p, bytes.n);
    secret_free(s);
    s->locked = joined;
    s->length = old + bytes.n;
}

bool secret_read(struct secret *s, int fd, size_t most)
{
    char bytes[4096];
    ssize_t n;
    secret_set(s, SPAN(""));
    while ((n = read(fd, bytes, sizeof bytes)) > 0 || (n < 0 && errno == EINTR)) {
        if (n > 0)
            secret_add(s, span_make(bytes, (size_t)n));
        secret_wipe(bytes, sizeof bytes);
        if (s->length > most) {
            errno = EFBIG;
            return false;
        }
    }
    return n == 0;
}

void secret_move(struct secret *to, struct secret *from)
{
    secret_free(to);
    *to = *from;
    *from = (struct secret){0};
}

void secret_free(struct secret *s)
{
    if (s->locked) {
        OPENSSL_cleanse(s->locked, s->length);
        OPENSSL_secure_free(s->locked); /* plain free for memory from outside its heap */
    }
    *s = (struct secret){0};
}

bool secret_present(const struct secret *s)
{
    return s->locked != NULL;
}

bool secret_eq(const struct secret *a, const struct secret *b)
{
    return secret_present(a) == secret_present(b) && a->length == b->length &&
           (a->length == 0 || CRYPTO_memcmp(a->locked, b->locked, a->length) == 0);
}

struct span secret_reveal(const struct secret *s)
{
    return span_make(s->locked ? s->locked : "", s->length);
}

void secret_wipe(void *p, size_t n)
{
    if (p && n)
        OPENSSL_cleanse(p, n);
}

__attribute__((noinline)) void secret_wipe_stack(void)
{
    char dead[STACK_BYTES];
    secret_wipe(dead, sizeof dead);
}
