/*
 * What a program of ours gives up once it is up: new privileges, other programs, and a list of system calls that it never makes (seccomp);
 * writing to files anywhere but where its sockets are (Landlock). Each as far as the kernel has it; nothing here can fail to start.
 */
#ifndef EXEAT_BASE_SANDBOX_H
#define EXEAT_BASE_SANDBOX_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

struct sandbox_wish {
    bool serves;   /* it may open more listening sockets */
    bool keyrings; /* it may use the kernel's keyrings, where Kerberos tickets can be */
    bool files; /* it may write to files anywhere; otherwise it makes and removes sockets in these alone: */
    const char *const *directories;
    size_t n;
    const char *writable; /* a folder in which it also makes, writes, renames and removes files; NULL: none */
    const char *log;      /* and here it may make files and write to them; NULL: nowhere */
};

struct sandbox_state {
    bool no_new_privileges, calls;
    int landlock; /* the version that holds; 0: none */
    bool logs;    /* there is one directory where it writes files */
};

/* For this process, for good, and for its children. Before its first thread: Landlock binds the calling one and those that it makes. */
struct sandbox_state sandbox_enter(const struct sandbox_wish *w);
/* A sentence without full stop: "it starts no programs ..." */
void sandbox_describe(const struct sandbox_state *s, struct buf *out);

#endif
