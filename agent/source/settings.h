/*
 * What a desktop's settings, or the environment, say of proxies: one form for all of them. Owned by whoever holds it. Pure; any thread.
 */
#ifndef EXEAT_SOURCE_SETTINGS_H
#define EXEAT_SOURCE_SETTINGS_H

#include "base/buf.h"

enum settings_say {
    SETTINGS_NONE,   /* no proxy */
    SETTINGS_PAC,    /* a script, at `pac` */
    SETTINGS_WPAD,   /* a script that is to be found */
    SETTINGS_MANUAL, /* these proxies */
};

struct settings_proxy {
    char *host; /* NULL: none */
    uint16_t port;
    bool tls;
};

struct settings {
    enum settings_say say;
    char *pac; /* as it was set: a URL or a path, perhaps neither */
    struct settings_proxy http, https, socks;
    char **ignore;
    size_t n_ignore;
    bool ignore_all_else;
};

void settings_free(struct settings *s); /* what is in it */
/* In what they mean: what does not count in this way of saying it may differ. */
bool settings_equal(const struct settings *a, const struct settings *b);
void settings_ignore(struct settings *s, struct span host);

/* "http://host:port", "host:port", "host port", "http://host 8080/": into *p, which is empty. `port`: where none is written; 0: the scheme's own. *scheme
   is what stood in front of "://", or empty. false: it is nothing that can be used, or holds a user name or password (never ours to use). */
bool settings_proxy_read(struct settings_proxy *p, struct span text, uint16_t port, struct span *scheme);
/* A host and a port that stand apart. */
bool settings_proxy_set(struct settings_proxy *p, struct span host, uint64_t port);

#endif
