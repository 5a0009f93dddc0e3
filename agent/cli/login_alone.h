/*
 * exeat login and logout where no agent is running: a keyholder is started for this one message, and the
 * trial that it may ask for is made with a bodiless request of our own.
 */
#ifndef EXEAT_CLI_LOGIN_ALONE_H
#define EXEAT_CLI_LOGIN_ALONE_H

#include "wire/keys_msg.h"

/* `login` is a LOGIN or LOGOUT; `config_path` NULL: the usual places. Says the outcome (keyholder_say) and
   returns the exit code. The caller has called secret_start and keeps the secret that login->secret points
   at. */
int login_alone(const char *config_path, const struct keys_msg *login);

#endif
