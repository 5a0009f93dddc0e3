/*
 * The grammar of challenges (RFC 9110 sections 11.2 to 11.6.1): several in one field, several fields, token68 or parameters, quoted strings, any
 * letter case, empty list members. Pure; a list belongs to one thread at a time.
 */
#ifndef EXEAT_KEYS_CHALLENGE_H
#define EXEAT_KEYS_CHALLENGE_H

#include "base/buf.h"

struct challenge_param {
    char *name;  /* lower case */
    char *value; /* unquoted; NUL-terminated, no NUL inside */
    bool quoted;
};

struct challenge {
    char *scheme;  /* as it came; compare with challenge_is */
    char *token68; /* NULL: none */
    struct challenge_param *params;
    size_t n_params;
};

struct challenge_list {
    struct challenge *items; /* in the order offered */
    size_t n;
    size_t bad; /* challenges that were dropped because they are malformed (a repeated parameter, garbage) */
};

/* `lines`: field values, each followed by LF. Always succeeds; what is malformed is left out and counted in `bad`. The caller frees. */
void challenge_list_read(struct challenge_list *list, struct span lines);
void challenge_list_free(struct challenge_list *list);
bool challenge_is(const struct challenge *c, const char *scheme);         /* any letter case */
const char *challenge_param(const struct challenge *c, const char *name); /* lower-case name; NULL: absent */
/* The parameter list of Authentication-Info fields (RFC 9110 section 11.6.3): as one challenge without a scheme. false: malformed. */
bool challenge_read_info(struct challenge *c, struct span line);
void challenge_free(struct challenge *c);

#endif
