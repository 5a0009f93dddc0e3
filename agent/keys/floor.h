/*
 * The scheme floor: for each upstream the strongest scheme that it ever took from us. A proxy that later offers only weaker ones is
 * perhaps not that proxy, and gets nothing until a person has accepted it (alarm.h says so to people). Kept in the state file
 * "floors", no secret in it:
 *
 *   floor UPSTREAM PROXY LEVEL          the strongest that was accepted, and the proxy that accepted it
 *   lowered UPSTREAM PROXY LEVEL        a person accepted less of this one proxy; grows again with what that accepts from then on
 *   alarm UPSTREAM PROXY LEVEL OFFER    this proxy offered less, and nobody has accepted that yet
 *
 * Main thread.
 */
#ifndef EXEAT_KEYS_FLOOR_H
#define EXEAT_KEYS_FLOOR_H

#include <stdbool.h>

#include "base/list.h"

/* Weakest first. Inside Negotiate, NTLM is NTLM; but an offer of Negotiate is one of Kerberos. */
enum floor_level {
    FLOOR_NONE,
    FLOOR_BASIC,
    FLOOR_DIGEST,      /* MD5 */
    FLOOR_DIGEST_SHA2, /* SHA-256, SHA-512-256 */
    FLOOR_NTLM,
    FLOOR_KERBEROS,
    FLOOR_LEVELS,
};

enum floor_kind { FLOOR_STRONGEST, FLOOR_LOWERED, FLOOR_ALARM, FLOOR_KINDS };

struct floor_row {
    struct list node;
    enum floor_kind kind;
    char *upstream, *proxy;
    enum floor_level level;
    char *offer; /* of an alarm: "Basic, Digest"; else NULL */
};

struct floors {
    struct list rows; /* struct floor_row, oldest first */
    size_t n;
    char *directory; /* NULL: nothing is kept on disk */
    bool complained; /* that it cannot be written was said */
};

/* `directory` NULL: in memory only. What cannot be read is warned about, once, and left out. */
void floors_open(struct floors *f, const char *directory);
void floors_close(struct floors *f);

/* The row of that kind, or NULL; of FLOOR_STRONGEST there is one for each upstream, whatever the proxy. */
const struct floor_row *floors_find(const struct floors *f, enum floor_kind kind, const char *upstream,
                                    const char *proxy);
/* What an offer of this proxy must hold. */
enum floor_level floors_needed(const struct floors *f, const char *upstream, const char *proxy);

/* The proxy took a scheme of this level. */
void floors_learn(struct floors *f, const char *upstream, const char *proxy, enum floor_level level);
/* It offers less than is needed: at most `level`. true: that is news. */
bool floors_ring(struct floors *f, const char *upstream, const char *proxy, enum floor_level level,
                 const char *offer);
/* It offers enough again. */
void floors_calm(struct floors *f, const char *upstream, const char *proxy);
/* A person accepted the offer that rang. */
void floors_accept(struct floors *f, const char *upstream, const char *proxy);

/* --- levels: pure; `schemes` are SCHEME_BITs --- */

const char *floor_words(enum floor_level level); /* "Negotiate (Kerberos)", for people */
/* The strongest that these schemes can be; `digest`: that of the Digest challenge that would be answered. */
enum floor_level floor_of_schemes(unsigned schemes, enum floor_level digest);
/* A floor for somebody whose auth = allows these: where its own scheme is not among them, the next weaker one that is. */
enum floor_level floor_held(enum floor_level floor, unsigned allowed);

#endif
