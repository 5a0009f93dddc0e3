/*
 * The agent: the house put together. One per process.
 */
#ifndef EXEAT_AGENT_H
#define EXEAT_AGENT_H

#include "base/sandbox.h"
#include "control/server.h"
#include "doors.h"
#include "net/netwatch.h"
#include "source/pac_source.h"
#include "state.h"

struct agent {
    struct loop *loop;
    char *config_path; /* NULL: the usual places */
    struct config *config;
    struct route_table *routes;
    struct outbound out;
    struct relay relay;
    struct control_server *control;
    struct list queries;      /* status questions that wait for the keyholder (verbs.c) */
    struct list explanations; /* questions about ways that wait for the PAC script (explain.c) */
    struct agent_state state;
    struct keys_call reload_call;
    struct netwatch *netwatch;
    struct pac_ground *pac_ground;
    struct pac *pac;
    struct sandbox_state sandbox;
    char **open_folders; /* in which it may make sockets */
    size_t n_open_folders;
    char *log_folder; /* in which it may write files; NULL: none */
    ino_t log_inode;  /* of that folder: one that takes its place is another */
    struct doors doors;
    uint64_t started; /* loop_now */
    int notify;       /* net/notify.h */
    struct {
        bool going; /* we have been told to stop */
        struct deadline end, delivery;
        struct later look;
    } drain; /* drain.c */
};

/* Runs until told to stop (exeat stop, SIGTERM, SIGINT); returns an exit code of cli/exit.h. */
int agent_run(const char *config_path);

/* All or nothing: a bad file changes nothing and *e says why. What has changed goes to the log, and to *changes, a line each. */
bool agent_reload(struct agent *a, struct buf *changes, struct err *e);

/* Ends the loop when what is under way has ended or the time for it is up; the second time at once (drain.c). `why`: "interrupted". */
void agent_stop(struct agent *a, const char *why);
void agent_drain_done(struct agent *a);

/* For good (confine.c). Before the first thread. */
void agent_confine(struct agent *a);
void agent_unconfine(struct agent *a); /* gives the memory back, nothing else */
/* Says it, where that is why a listener could not be opened. `path` NULL: not a Unix socket. */
void agent_explain_listen(const void *agent, const char *path, struct err *e);

/* The same for the log of requests. */
void agent_explain_log(const struct agent *a, const char *path, struct err *e);

/* From now on the watchers of the control socket are told of each request (watch.c), until none is left. */
void agent_watch(struct agent *a);
void agent_watch_end(struct agent *a);
/* Refuses the questions that are still waiting. */
void agent_drop_queries(struct agent *a);
/* "route" and "status" on the control socket: what becomes of a request, and how the PAC script is (explain.c). NULL: there is none. */
void agent_explain_route(void *agent, struct control_call *call, json_t *question);
void agent_drop_explanations(struct agent *a);
json_t *agent_pac_status(const struct agent *a);
/* What the control socket may ask (verbs.c); ends with a NULL name. */
extern const struct control_verb agent_verbs[];

#endif
