/*
 * The agent's end of the conversation with the keyholder (wire/keys_msg.h): starts exeat-keys, asks, restarts it when it dies.
 *
 * Every call ends exactly once, never inside keys_call_start, and not after keys_call_cancel. When the keyholder dies its calls end with KEYS_RESTART
 * ("begin again on a new connection"), when it cannot be started or keeps dying with KEYS_UNAVAILABLE, when the deadline passes with KEYS_TIMEOUT.
 * Contexts die with the keyholder that made them: keys_client_instance tells one life from the next. Loop thread only.
 */
#ifndef EXEAT_HELPERS_KEYS_CLIENT_H
#define EXEAT_HELPERS_KEYS_CLIENT_H

#include "base/list.h"
#include "net/loop.h"
#include "wire/keys_msg.h"

struct keys_client;
struct keys_call; /* the caller's memory */

/* The answer's spans are lent for the length of the call. */
typedef void (*keys_answer_fn)(void *owner, const struct keys_msg *answer);

struct keys_call {
    struct list link;
    uint32_t number; /* 0: not under way */
    struct deadline deadline;
    keys_answer_fn answered;
    void *owner;
    struct keys_client *client;
    enum keys_type type;
};

struct keys_client_events {
    void (*generation)(void *owner, const struct keys_msg *event);
    void (*trial)(void *owner, const struct keys_msg *event);
    void (*ended)(void *owner); /* it died, and its calls have been told; NULL: nobody wants to know */
};

enum keys_life {
    KEYS_ONE_ERRAND, /* for one question: it is started by ourselves, and opens no socket */
    KEYS_LASTING, /* it opens its own socket for exeat login, and is started, now and again, by a process that is made for that (net/child.h),
                        so that we need not be able to execute anything */
};

/* `config_path` NULL: the keyholder searches as we did. KEYS_LASTING: before the first thread. */
struct keys_client *keys_client_new(struct loop *loop, const char *config_path, enum keys_life life,
                                    const struct keys_client_events *events, void *owner);
/* Is the program there? */
bool keys_client_is_installed(const struct keys_client *k, struct err *e);
/* Ends the keyholder (by closing the stream to it) and all calls, which are not told. */
void keys_client_free(struct keys_client *k);

/* Which life of the keyholder we talk to: counts from the first one when it is restarted. */
#define KEYS_FIRST_INSTANCE 1u
uint32_t keys_client_instance(const struct keys_client *k);

void keys_call_start(struct keys_client *k, struct keys_call *call, struct keys_msg *question,
                     keys_answer_fn answered, void *owner);
void keys_call_cancel(struct keys_call *call);
/* For CLOSE, TRIAL_END and NETWORK: no answer. Dropped when the instance has changed. */
void keys_client_tell(struct keys_client *k, uint32_t instance, struct keys_msg *message);

#endif
