/*
 * The agent's end of exeat-pac (wire/pac_msg.h): one PAC script, asked as often as you like. Starts the program when it is needed, remembers
 * answers for a while, contains scripts that fail, loop or grow, and starts anew.
 *
 * Every call ends exactly once, never inside pac_call_start, and not after pac_call_cancel. Equal questions are asked once. Answers are remembered
 * per URL as the script sees it (pac_shown.h): for https that is per scheme, host and port. One that is too old is kept all the same, and given
 * along when the script fails now (`last_good`): the owner's policy decides whether to use it. While a script waits for the addresses of a
 * name, other questions go to another process of the same script. Loop thread only; pac_client_free not inside a callback.
 */
#ifndef EXEAT_HELPERS_PAC_CLIENT_H
#define EXEAT_HELPERS_PAC_CLIENT_H

#include "base/list.h"
#include "net/loop.h"
#include "net/resolve.h"

struct pac_client;
struct starter;

enum pac_failure {
    PAC_FINE,
    PAC_NO_SCRIPT,     /* none has been given to pac_client_load */
    PAC_BAD_SCRIPT,    /* the script itself: syntax, an exception while it was loaded, no FindProxyForURL */
    PAC_SCRIPT_FAILED, /* an exception for this question, or a result that is no text */
    PAC_LOOPED,
    PAC_GREW,
    PAC_DIED,      /* the program ended, or cannot be started */
    PAC_NOT_ASKED, /* too many questions at once, or one that is too long */
};

struct pac_answer {
    enum pac_failure failure;
    struct span result; /* PAC_FINE: what the script returned (route/pac_result.h reads it); may be empty */
    struct span why;    /* else: a sentence */
    struct span last_good; /* and what it returned last for the same URL; p is NULL: there was nothing */
    bool remembered;       /* the script was not asked */
};

/* The answer's spans are lent for the length of the call. */
typedef void (*pac_answer_fn)(void *owner, const struct pac_answer *answer);

struct pac_call { /* the caller's memory */
    struct list link;
    struct later told;
    struct pac_client *client;
    struct pac_answer answer; /* for `told`: the texts are copies */
    pac_answer_fn answered;
    void *owner;
    bool active;
};

struct pac_request {
    struct span scheme; /* "http", "https" (also for a CONNECT) */
    struct span host;   /* an IPv6 address with or without brackets */
    uint16_t port;
    struct span url; /* of a plain http request, in absolute form; may be empty */
};

/* How it stands, for `exeat status`. Texts are lent until the next round of the loop. */
struct pac_state {
    bool given, usable; /* a script has been loaded; and is thought to be good */
    const char *name;   /* of the script; "" */
    const char *why;    /* of the last failure; "" when the last question went well */
    unsigned processes; /* that run now */
    unsigned kills;     /* since the start: scripts that looped, grew, or whose process died */
    uint64_t asked, remembered;
};

struct pac_client_events {
    /* A script is good, or cannot be used (`why`; the owner may load another one). Never inside pac_client_load. */
    void (*loaded)(void *owner, bool good, struct span why);
};

/* `starter`: of pac_helper.h, ours from now on; NULL: there is none. `lifetime_ms`: how long an answer is good; 0: not at all. `events` may be
   NULL. */
struct pac_client *pac_client_new(struct loop *loop, struct starter *starter, struct resolver *resolver,
                                  unsigned lifetime_ms, const struct pac_client_events *events, void *owner);
/* Ends the processes and all calls, which are not told. */
void pac_client_free(struct pac_client *p);

/* A new script (copied), as it was fetched: the bytes say how they are encoded. `name` for error messages: a path or URL without secrets. Questions
   under way are asked again of this one. false with *e: empty or too large; the one before stays. */
bool pac_client_load(struct pac_client *p, struct span name, struct span script, struct err *e);
/* There is no script any more: its processes end, questions under way end with PAC_NO_SCRIPT, what it answered is forgotten. */
void pac_client_unload(struct pac_client *p);
/* The network has changed: nothing that was answered before is good any more, and what failed may be tried again at once. */
void pac_client_forget(struct pac_client *p);

void pac_call_start(struct pac_client *p, struct pac_call *call, const struct pac_request *request,
                    pac_answer_fn answered, void *owner);
void pac_call_cancel(struct pac_call *call);

void pac_client_state(const struct pac_client *p, struct pac_state *out);

#endif
