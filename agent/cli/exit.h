/*
 * How the program ends: one table, which "exeat help exit-codes" and the man page show. Every verb, the agent
 * itself among them, ends with one of these.
 */
#ifndef EXEAT_CLI_EXIT_H
#define EXEAT_CLI_EXIT_H

#include "base/err.h"
#include "wire/keys_msg.h"

enum exit_code {
    EXIT_DONE = 0,
    EXIT_FAILED = 1,
    EXIT_USAGE = 2,
    EXIT_CONFIG = 3,
    EXIT_NO_AGENT = 4,
    EXIT_REFUSED = 5,
    EXIT_UNREACHABLE = 6,
};

struct exit_row {
    enum exit_code code;
    const char *meaning; /* a sentence */
};
extern const struct exit_row exit_rows[]; /* ends with a NULL meaning */

enum exit_code exit_from_err(enum err_code code);
enum exit_code exit_from_verdict(uint32_t verdict);

#endif
