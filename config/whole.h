/*
 * A configuration while it is made, and what is kept of it besides the values: where each came from. Only
 * config/ includes this. While it is made it belongs to one thread.
 */
#ifndef EXEAT_CONFIG_WHOLE_H
#define EXEAT_CONFIG_WHOLE_H

#include "config/config.h"
#include "config/keys.h"

struct origin {
    const char *place; /* name of a file or of an environment variable (lent by struct config_whole); NULL:
                          the default */
    unsigned line;     /* 0: place is an environment variable */
};

struct origins {
    struct origin header;             /* of the section; place NULL: there is none */
    struct origin keys[SETTINGS_MAX]; /* by the place in settings[] */
};

struct config_whole {
    struct config c; /* what everybody else sees; first, so that config_print finds the rest */
    char **places;   /* file names and such, as long as the config lives */
    size_t n_places;
    struct origins single[SECTIONS_MAX]; /* of sections without a name, by the place in sections[] */
    struct origins *each_upstream;       /* of c.upstreams, in the same order */
    struct origins *each_forward;        /* of c.forwards */
    struct origins *each_client;         /* of c.clients */
    struct origins *each_gateway;        /* of c.gateways */
};

struct config_whole *whole_new(void);
const char *whole_place(struct config_whole *w, const char *name); /* a copy that lives as long as w */

/* The sections that have names (config/named.c), by their place in the order in which they stand. */
size_t named_count(const struct config_whole *w, const struct section *section);
void *named_object(const struct config_whole *w, const struct section *section, size_t i);
const char *named_name(const struct config_whole *w, const struct section *section, size_t i);
struct origins *named_origins(const struct config_whole *w, const struct section *section, size_t i);
bool named_find(const struct config_whole *w, const struct section *section, struct span name, size_t *i);
/* A new one at the end; returns its place. Pointers to objects and origins of that section are no longer valid. */
size_t named_add(struct config_whole *w, const struct section *section, struct span name,
                 struct origin header);
/* A new [upstream NAME]. */
struct config_upstream *whole_add_upstream(struct config_whole *w, struct span name, struct origin header);

/* "FILE:LINE: " or "VARIABLE: " in front of what *e says. Returns false. */
bool origin_blame(struct origin at, struct err *e);

/* Defaults for all that is not set; what is required, and what does not go together. `file`: for messages. */
bool whole_complete(struct config_whole *w, const char *file, struct err *e);
/* TLS that protects nothing, Kerberos without what it is made of, a proof that cannot come (config/upstreams.c). */
bool whole_check_upstreams(const struct config_whole *w, struct err *e);
/* What the listeners' addresses must not be: the same, a proxy's, a fixed tunnel's target (config/places.c). */
bool whole_check_places(const struct config_whole *w, struct err *e);
/* Ways that lead round in a circle, to nobody, or further than CONFIG_VIA_MOST, and what does not go with them (config/ways.c). */
bool whole_check_ways(const struct config_whole *w, struct err *e);

/* Listeners beyond loopback need somebody who may use them (config/kinds_client.c). */
bool whole_check_clients(const struct config_whole *w, struct err *e);
/* Names and lacks of [gateway] sections (config/gateways.c). */
bool whole_check_gateways(struct config_whole *w, struct err *e);
/* [headers] names upstreams that exist (config/kinds_headers.c). */
bool whole_check_headers(const struct config_whole *w, struct err *e);
/* Whose credentials an upstream gets (config/credentials.c). */
bool whole_check_credentials(const struct config_whole *w, struct err *e);

/* Adds what a file says, and those that it includes. */
bool whole_read_file(struct config_whole *w, const char *path, struct err *e);
/* Adds what a text says, which may not include files; `name` is for messages. */
bool whole_read_text(struct config_whole *w, const char *name, struct span text, struct err *e);

/* Adds the upstream that the environment names, if it does. *skipped: a variable that was passed over as it
 * points at ourselves, or NULL. */
bool whole_read_environment(struct config_whole *w, const char **skipped, struct err *e);

#endif
