/*
 * The guided tour: one program's requests to the practice proxy, straight and through exeat, with a sentence before each. What passes between exeat and the proxy is
 * printed by the ear in the meantime. Runs in a process of its own.
 */
#ifndef EXEAT_CLI_PRACTICE_TOUR_H
#define EXEAT_CLI_PRACTICE_TOUR_H

#include <stdbool.h>
#include <stdint.h>

struct verb_context;

/* Ports of 127.0.0.1; the rest is lent. */
struct tour {
    const struct verb_context *context;
    const char *folder, *schemes;
    uint16_t agent, tap, proxy, page;
    bool port_was_taken; /* the one that people expect exeat on */
    bool once;           /* there is no "your turn" */
};

/* EXIT_DONE, or EXIT_FAILED when something was not as it should be; it has been said. */
int tour_run(const struct tour *t);

#endif
