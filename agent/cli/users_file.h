/*
 * The file of a gateway's users as text: which lines are whose, and one file in place of another. Hashes are for the keyholder to make and check. Blocking;
 * one thread.
 */
#ifndef EXEAT_CLI_USERS_FILE_H
#define EXEAT_CLI_USERS_FILE_H

#include "base/err.h"
#include "base/secret.h"

struct users_file {
    char *path;
    int lock; /* on its folder, so that two who change it do not undo each other's work; -1: none */
    bool is_there;
    bool
        has_owner; /* uid and gid are to be the file's; else it is whose it becomes by itself, of the user `uid` */
    unsigned mode, uid, gid;
    unsigned loose; /* the bits of its mode for which gateways do not take it */
    struct secret text;
};

/* `create`: one that is not there is empty. `change`: others who want to change it wait. The caller closes in any case. */
bool users_file_open(struct users_file *f, const char *path, bool create, bool change, struct err *e);
void users_file_close(struct users_file *f);

/* What a line is for. false: it is empty or a comment. */
struct users_line {
    struct span user, realm;
    const char *
        form; /* "Basic", "Digest (SHA-256)", "Digest (MD5)", "Digest (SHA-512-256)", "NTLM"; NULL: of no known form */
};
bool users_line_read(struct span text, struct users_line *line);

/* The lines of this user taken out (realm empty: all of them; else those for other realms stay), and `more` put behind the rest. Returns how many went. */
size_t users_file_change(struct users_file *f, struct span user, struct span realm, struct span more);
/* Puts it in the old one's place. Mode and owner stay; a new one is its owner's alone, or the owner's of its folder
   where root makes it. */
bool users_file_write(struct users_file *f, struct err *e);

#endif
