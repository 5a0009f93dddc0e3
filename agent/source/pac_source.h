/*
 * Where the PAC script comes from: a URL, a file, the desktop's settings, or WPAD. Finds it, keeps it fresh and keeps a copy on disk, all of it only
 * while requests ask for it (pac_source_want): no timer runs while there are none.
 *
 *     ground = pac_ground_new(...)            before the agent confines itself; confine.c leaves pac_ground_folder(ground) open for writing
 *     s = pac_source_new(ground, config, ...) NULL: the configuration wants no PAC
 *     for each request:  if pac_source_want(s), decide with what you were told last; else let it wait for `settled`
 *     network changed, or slept:  pac_source_network_changed(s)
 *     reload:  if !pac_source_adopt(s, config), free it and make another one
 *
 * A script is fetched directly, never through ourselves or a proxy, and with no credentials of ours: whoever can change what that server says, or
 * stands between (http), decides where requests go. Loop thread only. Nothing blocks: files are read and written in libuv's pool.
 */
#ifndef EXEAT_SOURCE_PAC_SOURCE_H
#define EXEAT_SOURCE_PAC_SOURCE_H

#include "config/config.h"
#include "net/loop.h"

/* --- before the confinement --- */

struct pac_ground;

/* Makes the folder for copies; with `pac = system`, forks the process that follows GNOME's settings. Never fails: what cannot be had is said in
   the log, and the rest goes on without. Before the first thread. */
struct pac_ground *pac_ground_new(struct loop *loop, const struct config *c);
/* After its sources. NULL is allowed. */
void pac_ground_free(struct pac_ground *g);
/* In which files are made and removed; NULL: there is none. */
const char *pac_ground_folder(const struct pac_ground *g);

/* --- a source --- */

struct pac_source;

/* What the desktop's settings or the environment say when they name proxies instead of a script. Never one that is ourselves. Lent for the call. */
struct pac_manual_proxy {
    const char *host; /* name or literal without brackets; NULL: there is none */
    uint16_t port;
    bool tls; /* https:// */
};
struct pac_manual {
    struct pac_manual_proxy http, https,
        socks; /* for http: URLs; for https: and tunnels; for what has none of its own (SOCKS 5) */
    const char *const
        *ignore; /* as they are set: hosts, .suffixes, *.suffixes, networks, host:port, <local> */
    size_t n_ignore;
    bool ignore_all_else; /* KDE's reversed list: the proxies are for these alone */
    const char *from;     /* "GNOME's settings", "KDE's settings", "the environment" */
};

/* Never called inside a function of this header. pac_source_free not inside one of them. */
struct pac_source_events {
    /* A first or a new script: bytes as they came. `name` is for messages and holds no secrets. `charset` as the server named it, NULL: it did not;
       a text whose own marks say otherwise is what they say. */
    void (*script)(void *owner, struct span name, struct span bytes, const char *charset);
    /* There is no PAC here now (the settings say so, WPAD found nothing): what was told before does not hold any more. */
    void (*none)(void *owner, struct span why);
    /* The same, but there are proxies. */
    void (*manual)(void *owner, const struct pac_manual *m);
    /* It could not be had now. What was told before still holds. It is tried again, when requests want it. Said once for each row of failures
       of the same kind. */
    void (*failed)(void *owner, struct span why);
    /* Requests that wait may go on, with what has been told; after pac_source_want said false, once. */
    void (*settled)(void *owner);
};

/* After the confinement, which must be before the first thread. NULL: the configuration wants no PAC (no `pac`, and wpad = no). Keeps a reference to
   `c`. */
struct pac_source *pac_source_new(struct pac_ground *g, struct config *c,
                                  const struct pac_source_events *events, void *owner);
/* No callback comes any more. NULL is allowed. */
void pac_source_free(struct pac_source *s);
/* A new configuration. false: it wants another source. true: this one goes on, and looks anew at the next request. */
bool pac_source_adopt(struct pac_source *s, struct config *c);
/* The next request looks anew. */
void pac_source_network_changed(struct pac_source *s);

/* A request needs it. true: what was told last is what there is, if anything was (perhaps a newer one is on its way). false: nothing is known yet, or
   a file may have changed: wait for `settled`, which comes within seconds whatever happens. */
bool pac_source_want(struct pac_source *s);

/* How the script that was told last turned out, once it has been loaded (helpers/pac_client.h). Good: it is kept on disk. Not: `why` is shown in the state,
   the good one before it is told again, if there was one, and the bad one is not taken a second time. true: that one is told in a moment. */
bool pac_source_judge(struct pac_source *s, bool good, struct span why);

enum pac_source_has {
    PAC_SOURCE_NOTHING, /* not asked yet, or it failed and there never was a script */
    PAC_SOURCE_SCRIPT,
    PAC_SOURCE_NONE,
    PAC_SOURCE_MANUAL,
};

/* For `exeat status`. Texts are lent until the next round of the loop; never NULL. */
struct pac_source_state {
    enum pac_source_has has;
    const char
        *asked; /* what the configuration says: "system", a path, a URL without its query; "wpad = dns" */
    const char *found; /* who named the script: "GNOME's settings", "WPAD"; "": the configuration itself */
    const char *place; /* of the script: path, or URL without its query; "" */
    const char *etag;  /* "" */
    const char *error; /* why the last attempt failed, or why there is none; "": it did not */
    size_t size;       /* bytes of the script */
    int64_t age;       /* seconds since it was last seen to be what the source has; -1: there is none */
    bool from_disk;    /* a copy of an earlier run that has not been confirmed yet */
    bool busy;         /* being looked for now */
    unsigned
        retry_in; /* seconds until a request makes it try again; 0: the next one does, or nothing is wrong */
};
void pac_source_state(const struct pac_source *s, struct pac_source_state *out);

#endif
