/*
 * Editors: how one item of a kind of file is found, written and taken out, the rest of the file staying as it is, byte for byte. Pure; any thread.
 *
 * A key says where: "section/name", "name" at the top, "a/b" in JSON, "settings/proxies/proxy[id=exeat]" in XML, any label for lines. A value is the text as
 * it stands in the file, quotes and trailing comments included. Where a key stands more than once the one that counts is meant: the last.
 */
#ifndef EXEAT_APPS_EDIT_H
#define EXEAT_APPS_EDIT_H

#include "base/buf.h"
#include "base/err.h"

struct editor {
    const char *name; /* in the journal */
    /* false: it is not there. `value` (for editors of lines: the lines looked for) is lent from `text`. */
    bool (*get)(const struct editor *editor, struct span text, const char *key, struct span wanted,
                struct span *value);
    /* false with *e: the text has a form that this editor does not dare to change. */
    bool (*put)(const struct editor *editor, struct buf *text, const char *key, struct span value,
                struct err *e);
    /* Takes the item out if it is there; `prune`: also what held it, if nothing else is in it. */
    void (*drop)(const struct editor *editor, struct buf *text, const char *key, struct span value,
                 bool prune);
    /* Is what would hold it there: the section, the object? */
    bool (*holds)(const struct editor *editor, struct span text, const char *key);
    bool (*same)(struct span a, struct span b); /* NULL: byte for byte */
    bool (*empty)(struct span text);            /* NULL: nothing but white space */
    const void *style;
};

extern const struct editor edit_git, edit_npm, edit_yarn1, edit_pip, edit_dnf, edit_toml, edit_curl,
    edit_wget, edit_properties, edit_kde, edit_yaml, /* edit_keys.c */
    edit_lines,            /* edit_lines.c: the value is whole lines that stand together */
    edit_json, edit_jsonc, /* edit_json.c */
    edit_xml;              /* edit_xml.c: the value is an element */

const struct editor *editor_named(const char *name); /* NULL: none */

bool edit_same(const struct editor *editor, struct span a, struct span b);
bool edit_empty(const struct editor *editor, struct span text);

#endif
