/*
 * Where a password comes from: keyring, command, file, systemd credential. Every function here may block and runs on a worker.
 */
#ifndef EXEAT_KEYS_PROVIDER_H
#define EXEAT_KEYS_PROVIDER_H

#include <sys/stat.h>

#include "base/err.h"
#include "base/secret.h"
#include "config/config.h"

#define PROVIDER_SECRET_MAX 4096 /* bytes of a password */

enum provided_kind {
    PROVIDED,
    PROVIDED_ABSENT,  /* there is none (yet) */
    PROVIDED_LOCKED,  /* there is one, in a locked keyring */
    PROVIDED_NOWHERE, /* the provider is not there: no session bus, no keyring on it */
    PROVIDED_FAILED,
    PROVIDED_TIMEOUT,
};

struct provided {
    enum provided_kind kind;
    struct secret secret;
    char *user;   /* that the keyring's item names; NULL: none. The owner frees */
    struct err e; /* for all but PROVIDED: a sentence without full stop */
};

struct provider_ask {
    enum secret_source source;
    const char *argument; /* command line, path, or name */
    const char *upstream;
    const char *user; /* NULL or empty: whatever the keyring has for this upstream */
    bool resident;    /* it is one of a gateway's users: no secret but that user's own will do */
};

void provider_fetch(const struct provider_ask *ask, struct provided *out);
void provided_free(struct provided *p);

/* The parts, each in its file. */
void file_fetch(const char *path, struct provided *out);
void credential_fetch(const char *name, struct provided *out);
/* `user`: what the command finds in the environment as EXEAT_USER; NULL: nothing. */
void command_fetch(const char *upstream, const char *command, const char *user, struct provided *out);
/* Before the first thread, the first secret and the sandbox: the process that will run the commands, and which they are so far. */
bool command_start(const char *config_path, const struct config *c, struct err *e);
/* At our own end: ends that process, which ends the commands that still run; waits for it. */
void command_end_all(void);
void keyring_fetch(const char *upstream, const char *user, struct provided *out);

/* What an upstream's secret is called in the keyring: a hash by another name than a password, and those of a gateway's users by another than that of
   the upstream's own user, so that none is ever taken for the other. The caller frees. */
char *provider_keyring_name(enum secret_source source, const char *upstream, bool resident);
/* A path or name in which %u stands for the user: who never leads out of the folder, and never to another user's file. NULL: there is no user for it.
   The caller frees. */
char *provider_place(const char *pattern, const char *user);
/* Only for what secret_source_is_keyring. PROVIDED: done. `alone`: the upstream has no other user's. */
enum provided_kind keyring_store(const char *upstream, const char *user, bool alone,
                                 const struct secret *secret, struct err *e);
enum provided_kind keyring_clear(const char *upstream, const char *user,
                                 struct err *e); /* NULL: everybody's */

/* The first line of what a file or command gave, without its line end, as the secret; wipes `bytes`. */
void provided_first_line(struct provided *out, char *bytes, size_t n, const char *where);
/* May nobody else read a file of secrets? One that is another user's (root's, where an orchestrator brings it) is read by its group: that may be ours alone. */
bool provided_is_private(const struct stat *st);

#endif
