/*
 * The keyholder's socket, $XDG_RUNTIME_DIR/exeat/keys: the one place where a verb hands over a secret.
 * Blocking, with a time limit.
 */
#ifndef EXEAT_CLI_KEYHOLDER_H
#define EXEAT_CLI_KEYHOLDER_H

#include "base/err.h"
#include "wire/frame.h"
#include "wire/keys_msg.h"

struct keyholder_answer {
    struct keys_msg message; /* its spans point into `frames` */
    struct frame_reader frames;
};

/* Sends the question to whoever listens at `path`, if that is a process of our own user, and waits for the
   answer. true: the caller releases it with keyholder_answer_free. false with *e; ERR_GONE alone: nobody
   listens there, nothing has been sent. */
bool keyholder_ask(const char *path, const struct keys_msg *question, struct keyholder_answer *answer,
                   struct err *e);
void keyholder_answer_free(struct keyholder_answer *answer);

/* Says how a LOGIN or LOGOUT ended, and returns the exit code. */
int keyholder_say(const struct keys_msg *question, const struct keys_msg *answer);

/* A LOGIN or LOGOUT from beginning to end: to the keyholder of the running agent, or where no agent runs
 * through login_alone. Returns the exit code. */
int keyholder_deliver(const struct keys_msg *question, const char *config_path);

#endif
