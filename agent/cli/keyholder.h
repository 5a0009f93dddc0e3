/*
 * The keyholder's socket, $XDG_RUNTIME_DIR/exeat/keys: the one place where a verb hands over a secret.
 * Blocking, with a time limit.
 */
#ifndef EXEAT_CLI_KEYHOLDER_H
#define EXEAT_CLI_KEYHOLDER_H

#include "base/err.h"
#include "wire/frame.h"
#include "wire/keys_msg.h"

/* Says how a LOGIN, LOGOUT or ACCEPT_OFFER ended, and returns the exit code. */
int keyholder_say(const struct keys_msg *question, const struct keys_msg *answer);

/* One of these from beginning to end: to the keyholder of the running agent, or where no agent runs
 * through login_alone. Returns the exit code. */
int keyholder_deliver(const struct keys_msg *question, const char *config_path);

/* Any question to the keyholder of the running agent. The answer's spans live as long as `frames`, which the caller has initialized and frees.
   false: *e, ERR_GONE where there is none. */
bool keyholder_ask(const struct keys_msg *question, unsigned patience_ms, struct frame_reader *frames,
                   struct keys_msg *answer, struct err *e);

#endif
