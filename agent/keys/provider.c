/*
 * Which provider answers, and what all of them have in common. Worker threads.
 */
#include "keys/provider.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"

char *provider_keyring_name(enum secret_source source, const char *upstream, bool resident)
{
    struct buf name = {0};
    buf_addf(&name, "%s%s%s", upstream, resident ? " (gateway)" : "",
             source == SECRET_NT_HASH ? " (NT hash)" : "");
    char *copy = span_dup(buf_span(&name));
    buf_free(&name);
    return copy;
}

static bool is_plain(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '@';
}

/* %XX for all but a few characters, the dots of "alice@corp.example" among them: no two users are written alike, and none is "..". */
static void add_user(struct buf *out, const char *user)
{
    for (const char *c = user; *c; c++) {
        bool dot = *c == '.' && c != user;
        if (is_plain(*c) || dot)
            buf_add(out, c, 1);
        else
            buf_addf(out, "%%%02X", (unsigned)(unsigned char)*c);
    }
}

char *provider_place(const char *pattern, const char *user)
{
    struct buf place = {0};
    const char *at;
    while ((at = strstr(pattern, SECRET_USER))) {
        if (!user || !*user) {
            buf_free(&place);
            return NULL;
        }
        buf_add(&place, pattern, (size_t)(at - pattern));
        add_user(&place, user);
        pattern = at + strlen(SECRET_USER);
    }
    buf_add_str(&place, pattern);
    char *copy = span_dup(buf_span(&place));
    buf_free(&place);
    return copy;
}

static void keyring_ask(const struct provider_ask *ask, struct provided *out)
{
    char *name = provider_keyring_name(ask->source, ask->upstream, ask->resident);
    keyring_fetch(name, ask->user, out);
    free(name);
}

static void file_ask(const struct provider_ask *ask, struct provided *out)
{
    char *place = provider_place(ask->argument, ask->user);
    if (!place)
        err_set(&out->e, ERR_CONFIG, "secret of %s has a place for the user (%s), and no user is configured",
                ask->upstream, SECRET_USER);
    else if (ask->source == SECRET_CREDENTIAL)
        credential_fetch(place, out);
    else
        file_fetch(place, out);
    free(place);
}

static void ask_source(const struct provider_ask *ask, struct provided *out)
{
    switch (ask->source) {
    case SECRET_KEYRING:
    case SECRET_NT_HASH:
        keyring_ask(ask, out);
        break;
    case SECRET_COMMAND:
        command_fetch(ask->upstream, ask->argument, ask->user, out);
        break;
    case SECRET_FILE:
    case SECRET_CREDENTIAL:
        file_ask(ask, out);
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

void provider_fetch(const struct provider_ask *ask, struct provided *out)
{
    *out = (struct provided){.kind = PROVIDED_ABSENT};
    bool nobody = !ask->user || !*ask->user;
    if (ask->resident && (nobody || !secret_tells_users(ask->source, ask->argument)))
        err_set(&out->e, ERR_CONFIG,
                "upstream %s has no password for each of the gateway's users (secret = %s)", ask->upstream,
                secret_source_name(ask->source));
    else
        ask_source(ask, out);
}

void provided_free(struct provided *p)
{
    secret_free(&p->secret);
    free(p->user);
    p->user = NULL;
}

bool provided_is_private(const struct stat *st)
{
    mode_t others = st->st_uid == geteuid() ? S_IRWXG | S_IRWXO : S_IWGRP | S_IRWXO;
    return (st->st_mode & others) == 0;
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
