/*
 * The one table of settings: what the parser accepts, what the sample, --help, the manual page and
 * --print-config say. In the order in which a person meets them there: sections, then their settings, those
 * that everybody needs first. Static data and pure functions, any thread.
 */
#ifndef EXEAT_CONFIG_KEYS_H
#define EXEAT_CONFIG_KEYS_H

#include "base/buf.h"
#include "base/err.h"

struct section {
    const char *name;
    bool named; /* [name NAME], any number; else [name], once at most */
    bool
        general; /* a named one may also stand without a name: its values are what the others have where they say nothing */
    const char *help;    /* a sentence or two */
    const char *example; /* for the sample: a name; NULL: the section has none */
    bool optional;       /* in the sample it is switched off as a whole */
};

struct setting;

/* How a value is read and shown. `object` is the struct config, or for a named section its struct
 * (config_upstream). */
struct kind {
    const char *form; /* what may be written, for people; NULL: the help says it, or the choices do */
    bool list;
    /* `value` of a list: as ini_next returned it; else what ini_value made of that. false: *e says what is
     * wrong, without file, line and key; never with a secret in it. */
    bool (*parse)(const struct setting *s, void *object, struct span value, struct err *e);
    /* Appends the value as it could be written in a file; false: it has none (absent). Secrets are hidden. */
    bool (*print)(const struct setting *s, const void *object, struct buf *out);
};

struct setting {
    const char *section;
    const char *name;
    const struct kind *kind;
    const char *fallback; /* the default, as it would be written; NULL: none */
    bool required;
    const char *absent;         /* without fallback and not required: what its absence means */
    const char *example;        /* for the sample; NULL: the fallback */
    const char *help;           /* one line */
    size_t at;                  /* offset of the field in the object */
    size_t also_at;             /* offset of the second field: a list's count, a secret's argument */
    uint64_t least, most;       /* numbers, durations (seconds), sizes (bytes); addresses: how many */
    const char *const *choices; /* in the order of the enum, ends with NULL */
    bool repeats;               /* the key may stand more than once: each line adds to the others */
    bool own;                   /* the section without a name does not hand it on to those that have one */
};

#define SETTINGS_MAX 128 /* more than there are: for arrays with a place for each */
#define SECTIONS_MAX 16

extern const struct section sections[];
extern const size_t n_sections;
extern const struct setting settings[];
extern const size_t n_settings;

const struct section *section_find(struct span name);
const struct setting *setting_find(const struct section *section, struct span name);

/* As a person would write it: "[route]", "[client NAME]", "[gateway], [gateway NAME]". */
void section_title(const struct section *section, struct buf *out);

/* Fill *e with what is wrong with a name that was not found, and with the nearest valid one (or all of them).
 * Return false. */
bool section_unknown(struct span name, struct err *e);
bool setting_unknown(const struct section *section, struct span section_name, struct span name,
                     struct err *e);

#endif
