/*
 * Which provider answers, and what all of them have in common. Worker threads.
 */
#include "keys/provider.h"

#include <stdlib.h>

#include "base/buf.h"

char *provider_keyring_name(enum secret_source source, const char *upstream)
{
    struct buf name = {0};
    buf_addf(&name, "%s%s", upstream, source == SECRET_NT_HASH ? " (NT hash)" : "");
    char *copy = span_dup(buf_span(&name));
    buf_free(&name);
    return copy;
}

static void hash_fetch(const struct provider_ask *ask, struct provided *out)
{
    char *name = provider_keyring_name(ask->source, ask->upstream);
    keyring_fetch(name, ask->user, out);
    free(name);
}

void provider_fetch(const struct provider_ask *ask, struct provided *out)
{
    *out = (struct provided){.kind = PROVIDED_ABSENT};
    switch (ask->source) {
    case SECRET_KEYRING:
        keyring_fetch(ask->upstream, ask->user, out);
        break;
    case SECRET_NT_HASH:
        hash_fetch(ask, out);
        break;
    case SECRET_COMMAND:
        command_fetch(ask->upstream, ask->argument, out);
        break;
    case SECRET_FILE:
        file_fetch(ask->argument, out);
        break;
    case SECRET_CREDENTIAL:
        credential_fetch(ask->argument, out);
        break;
    case SECRET_KEYTAB:
        err_set(&out->e, ERR_NONE, "the configuration names a keytab, which is for Kerberos alone");
        break;
    case SECRET_PROMPT:
        err_set(&out->e, ERR_NONE, "no password has been typed yet");
        break;
    case SECRET_NONE:
        err_set(&out->e, ERR_NONE, "the configuration names no password");
        break;
    }
}

void provided_free(struct provided *p)
{
    secret_free(&p->secret);
    free(p->user);
    p->user = NULL;
}

void provided_first_line(struct provided *out, char *bytes, size_t n, const char *where)
{
    struct span line = span_head(span_make(bytes, n), span_find(span_make(bytes, n), '\n'));
    if (line.n && line.p[line.n - 1] == '\r')
        line.n--;
    if (line.n == 0) {
        out->kind = PROVIDED_ABSENT;
        err_set(&out->e, ERR_SYSTEM, "%s gave no password: its first line is empty", where);
    } else if (line.n > PROVIDER_SECRET_MAX) {
        out->kind = PROVIDED_FAILED;
        err_set(&out->e, ERR_LIMIT, "the first line of %s is too long for a password", where);
    } else if (memchr(line.p, '\0', line.n)) {
        out->kind = PROVIDED_FAILED;
        err_set(&out->e, ERR_PROTOCOL, "the first line of %s has a NUL byte", where);
    } else {
        out->kind = PROVIDED;
        secret_set(&out->secret, line);
    }
    secret_wipe(bytes, n);
}
