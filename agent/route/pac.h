/*
 * What decides where rules do not: a PAC script, or what the desktop's settings say in its place. Joins the source of the script
 * (source/pac_source.h) and the program that runs it (helpers/pac_client.h). One per agent; it outlives configurations. Loop thread only.
 */
#ifndef EXEAT_ROUTE_PAC_H
#define EXEAT_ROUTE_PAC_H

#include "helpers/pac_client.h"
#include "source/pac_source.h"

struct pac;

enum pac_says {
    PAC_SAYS_RESULT,  /* `result` is what the script returned, or what the settings mean */
    PAC_SAYS_NONE,    /* there is no script here now, and `why` */
    PAC_SAYS_FAILURE, /* `why`; `result`: what it returned last for the same; p is NULL: nothing */
};

struct pac_said {
    enum pac_says what;
    struct span result, why;
    const char *from; /* the script's name, or "GNOME's settings"; "" */
    bool remembered;  /* the script itself was not asked now */
};

typedef void (*pac_said_fn)(void *owner, const struct pac_said *said);

struct pac_query { /* the caller's memory */
    struct list link;
    struct pac *pac;
    struct pac_request request;
    struct pac_call call;
    struct later step;
    pac_said_fn done;
    void *owner;
    bool active, settled;
};

/* `starter`: of helpers/pac_helper.h, ours from now on; NULL: exeat-pac is not installed. `ground`: lives longer. The configuration is adopted. */
struct pac *pac_new(struct loop *loop, struct pac_ground *ground, struct starter *starter, struct config *c);
void pac_free(struct pac *p); /* NULL is allowed; no query may be under way */

/* Another configuration: a script whose setting is the same goes on; otherwise the next query waits for the new one. */
void pac_adopt(struct pac *p, struct config *c);
/* Or this computer slept. */
void pac_network_changed(struct pac *p);

/* Answers once, never inside this call, not after pac_query_cancel. The request's spans live until then; so do those of the answer for the length of
   the call. */
void pac_query_start(struct pac *p, struct pac_query *q, const struct pac_request *request, pac_said_fn done,
                     void *owner);
void pac_query_cancel(struct pac_query *q);

/* For people. false: the configuration wants none. */
bool pac_state(const struct pac *p, struct pac_state *script, struct pac_source_state *source);

#endif
