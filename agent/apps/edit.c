/*
 * The editors by name, for the journal.
 */
#include "apps/edit.h"

#include "apps/text.h"

static const struct editor *const editors[] = {
    &edit_git,        &edit_npm, &edit_yarn1, &edit_pip,   &edit_dnf,  &edit_toml,  &edit_curl, &edit_wget,
    &edit_properties, &edit_kde, &edit_yaml,  &edit_lines, &edit_json, &edit_jsonc, &edit_xml,  NULL,
};

const struct editor *editor_named(const char *name)
{
    for (size_t i = 0; name && editors[i]; i++)
        if (strcmp(editors[i]->name, name) == 0)
            return editors[i];
    return NULL;
}

bool edit_same(const struct editor *editor, struct span a, struct span b)
{
    return span_eq(a, b) || (editor->same && editor->same(a, b));
}

bool edit_empty(const struct editor *editor, struct span text)
{
    return text_is_blank(text) || (editor->empty && editor->empty(text));
}
