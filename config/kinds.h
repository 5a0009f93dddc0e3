/*
 * The kinds of values that settings have: how each is read and shown. See struct kind in keys.h. Pure
 * functions, any thread.
 */
#ifndef EXEAT_CONFIG_KINDS_H
#define EXEAT_CONFIG_KINDS_H

#include "config/config.h"
#include "config/keys.h"

extern const struct kind kind_text;         /* char *; not empty */
extern const struct kind kind_destinations; /* char **, size_t count; may be empty: patterns as written */
extern const struct kind kind_count;        /* unsigned */
extern const struct kind kind_duration;     /* unsigned, seconds */
extern const struct kind kind_size;         /* size_t, bytes */
extern const struct kind kind_choice;       /* an enum: the place in setting.choices */
extern const struct kind kind_yes_no;       /* bool */

extern const struct kind kind_addresses;         /* struct config_address *, size_t count */
extern const struct kind kind_open_addresses;    /* the same; not only of this machine */
extern const struct kind kind_gateway_addresses; /* the same, and https:// */
extern const struct kind kind_target;            /* struct config_address, host and port */
extern const struct kind kind_proxies;           /* struct config_proxy *, size_t count */

extern const struct kind kind_users; /* config.allow_uids, n_allow_uids and allow_any */

extern const struct kind kind_path; /* char *; absolute */
extern const struct kind kind_pins; /* struct config_pin *, size_t count */

extern const struct kind kind_patterns; /* struct pattern *, size_t count; of proxies */
extern const struct kind kind_rules;    /* config.rules, n_rules: one more with each line */

extern const struct kind kind_networks; /* struct config_network *, size_t count */
extern const struct kind kind_token;    /* config_client.token_sha256 */

extern const struct kind
    kind_headers; /* config.headers, n_headers: one more with each line; the key says which edit */
extern const struct kind kind_pac; /* config.pac and pac_place */

extern const struct kind kind_schemes; /* enum auth_scheme[AUTH_SCHEMES], size_t count */
extern const struct kind kind_hashes;  /* enum digest_hash[DIGEST_HASHES], size_t count */
extern const struct kind kind_secret;  /* enum secret_source, char *argument */

/* For the environment, whose values have no quotes. The callee copies. */
bool destinations_add(struct config *c, struct span word, struct err *e);
bool proxies_add(struct config_upstream *u, struct span url, struct err *e);

/* Whether a connection to host and port would come to one of these listeners. */
bool place_is_listener(const char *host, uint16_t port, const struct config_address *listen, size_t n);

/* `text` for an error message: in quotes, cut when long, control characters made harmless. */
struct shown {
    char text[80];
};
struct shown shown(struct span text);

/* The place of `text` in `choices` (ends with NULL), or -1 with *e, which quotes the text and offers the
 * nearest. */
int choice_find(const char *const *choices, struct span text, struct err *e);

/* A path with "~/" at its front made absolute; NULL with *e when it is relative. The caller frees. */
char *path_absolute(struct span path, struct err *e);

/* The path that a file: URL (RFC 8089) means; NULL with *e: it means none of this machine. The caller frees. */
char *path_of_file_url(struct span url, struct err *e);

#endif
