/*
 * What the parts of exeat setup share. Blocking; one thread.
 */
#ifndef EXEAT_CLI_SETUP_H
#define EXEAT_CLI_SETUP_H

#include "base/err.h"
#include "cli/draft.h"

/* --- setup_ask.c: questions. A line of standard input each; an empty one is the default --- */

#define SETUP_ROUNDS 10 /* of one question */

/* The answer, or `otherwise` for an empty line. false: there are no more answers. */
bool setup_ask(const char *question, const char *otherwise, struct buf *answer);
/* 1 yes, 0 no, -1 no more answers. */
int setup_ask_yes(const char *question, bool otherwise);
/* Without echo on a terminal. Nothing typed: *out stays empty. */
void setup_ask_password(struct secret *out);
/* Somebody has answered something. */
bool setup_somebody_answers(void);

/* --- setup_guess.c: what this machine says already --- */

struct guess {
    struct buf proxy, user, pac, no_proxy; /* empty: nothing is known; no_proxy: words separated by blanks */
    bool wpad;                             /* a script is to be looked for in the network */
    const char *from; /* "the environment", "GNOME's settings"; NULL: nobody says anything */
};
void guess_make(struct guess *g);
void guess_free(struct guess *g);

/* --- setup_look.c: what the proxy says --- */

struct look_at {
    bool answered; /* it spoke HTTP with us, or is a SOCKS server that took the connection */
    bool asks;     /* 407 */
    bool negotiate, ntlm, digest, basic; /* what it offers */
    bool is_private;                     /* nobody on the way could read a password */
    bool unknown_authority;              /* its certificate is signed by nobody whom this machine trusts */
    bool ticket;                         /* a Kerberos ticket is here, and one for the proxy came for it */
};
/* Goes to the proxy of the draft's [upstream], without credentials, and says on standard output how that was. The draft is as before. */
void setup_look(struct draft *d, struct look_at *seen);

/* Runs a program with our terminal, or quietly; its exit code, 127 where there is none. */
int setup_run(const char *const argv[], bool quiet);

/* --- setup_trial.c: a configuration that is there for one step alone, and gone when a signal ends us in it --- */

/* Its path, until trial_end (which is always called). NULL with *e. */
const char *trial_begin(struct span text, struct err *e);
void trial_end(void);

#endif
