/*
 * What a gateway makes of one Proxy-Authorization field (or of none): a verdict, and what the answer carries. A job of a worker thread; knows no contexts
 * and no delays.
 */
#ifndef EXEAT_KEYS_ACCEPT_SPEAK_H
#define EXEAT_KEYS_ACCEPT_SPEAK_H

#include "keys/accept_delay.h"
#include "keys/gate.h"
#include "keys/handed.h"
#include "wire/keys_msg.h"

/* A handshake of NTLM or Negotiate, between two requests of one connection. */
struct accept_handshake {
    struct gss_entry *entry; /* NULL: none is under way */
    enum auth_scheme scheme;
    unsigned legs;
    bool oem; /* NTLM: the client's names come in a code page */
    struct buf asked, mended,
        challenge; /* NTLM: the first message where it was lengthened, and what was answered (accept_mic.h) */
    struct buf evidence; /* Kerberos: the client's ticket for us, where this gateway's users are acted for */
};

struct accept_question {
    struct gate *gate;
    bool opening; /* ACCEPT_OPEN: the challenges are all that is wanted */
    bool has_header;
    bool patient; /* a slow hash may be computed */
    struct delays *delays;
    const char *network; /* of the client; lent */
    struct secret header;
    struct buf method, target, binding;
    struct accept_handshake *handshake; /* the context's */
};

struct accept_answer {
    bool slow; /* nothing was decided yet: ask again with `patient` */
    enum keys_verdict verdict;
    uint32_t flags;
    unsigned delay; /* milliseconds */
    char *identity; /* of the user; or REFUSED: as the client says, NULL where it says nothing */
    char *
        account; /* OK: the same as we act for it (inbound.h), where this gateway's users are acted for; NULL: nobody */
    struct handed *handed; /* and what its handshake left us for that; NULL: nothing */
    const char *scheme;
    int64_t until; /* seconds since 1970; 0: no end */
    struct buf lines, info, why;
    struct buf remedy; /* for the administrator alone: it may name files */
};

void accept_speak(const struct accept_question *q, struct accept_answer *a);
void accept_answer_free(struct accept_answer *a);
void accept_handshake_drop(struct accept_handshake *h);

/* --- for accept_token.c --- */

/* One token of NTLM or Negotiate; fills in all but the challenges of a refusal. */
void accept_token(const struct accept_question *q, const struct gate_hand *hand, enum auth_scheme scheme,
                  struct span token68, struct accept_answer *a);

/* *a is this verdict, with these words. */
void accept_say(struct accept_answer *a, enum keys_verdict verdict, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The account's password may be looked at now. false: *a refuses, since too many wrong ones wait for their answers. */
bool accept_may_try(const struct accept_question *q, struct accept_answer *a, enum auth_scheme scheme,
                    const char *account);
/* It was wrong: that counts. */
void accept_was_wrong(const struct accept_question *q, struct accept_answer *a, const char *account);
/* The user's name as everybody shall see it: with the gateway's domain where it has none. The caller frees. */
char *accept_identity(const struct gate *g, struct span name);

#endif
