/*
 * What run --print-config shows, and the annotated sample; both from the table of settings, in its order.
 * What config_print writes loads again to the same settings, but for the text of a command, which it hides.
 * Any thread.
 */
#include <stdio.h>

#include "base/buf.h"
#include "config/whole.h"

/* A comment must stay on its line, whatever a file's name holds. */
static void put_origin(struct buf *out, struct origin at)
{
    buf_add_str(out, "  # ");
    size_t from = out->n;
    buf_add_str(out, at.place ? at.place : "default");
    for (size_t i = from; i < out->n; i++)
        if ((unsigned char)out->p[i] < 0x20 || out->p[i] == 0x7F)
            out->p[i] = '?';
    if (at.line)
        buf_addf(out, ":%u", at.line);
    buf_add_str(out, "\n");
}

static void print_section(const struct section *section, const char *name, const void *object,
                          const struct origins *origins, struct buf *out)
{
    buf_addf(out, "%s[%s%s%s]\n", out->n ? "\n" : "", section->name, *name ? " " : "", name);
    for (size_t i = 0; i < n_settings; i++) {
        const struct setting *s = &settings[i];
        if (strcmp(s->section, section->name) != 0)
            continue;
        struct buf value;
        buf_init(&value, 0);
        if (s->kind->print(s, object, &value)) {
            buf_addf(out, "%s =%s%s", s->name, value.n ? " " : "", buf_cstr(&value));
            put_origin(out, origins->keys[i]);
        } else {
            buf_addf(out, "# %s is not set: %s\n", s->name, s->absent);
        }
        buf_free(&value);
    }
}

void config_print(const struct config *c, struct buf *out)
{
    const struct config_whole *w = (const struct config_whole *)c;
    for (size_t i = 0; i < n_sections; i++) {
        if (!sections[i].named)
            print_section(&sections[i], "", c, &w->single[i], out);
        for (size_t k = 0; sections[i].named && k < named_count(w, &sections[i]); k++)
            print_section(&sections[i], named_name(w, &sections[i], k), named_object(w, &sections[i], k),
                          named_origins(w, &sections[i], k), out);
    }
}

static void put_form(struct buf *out, const struct setting *s)
{
    if (s->kind->form)
        buf_addf(out, "# Values: %s.\n", s->kind->form);
    if (!s->choices)
        return;
    buf_add_str(out, "# Values: ");
    for (size_t i = 0; s->choices[i]; i++)
        buf_addf(out, "%s%s", i == 0 ? "" : s->choices[i + 1] ? ", " : " or ", s->choices[i]);
    buf_add_str(out, ".\n");
}

static void sample_setting(struct buf *out, const struct section *section, const struct setting *s)
{
    bool on = s->required && !section->optional;
    buf_addf(out, "\n# %s\n", s->help);
    put_form(out, s);
    if (s->absent)
        buf_addf(out, "# Default: %s.\n", s->absent);
    else if (s->example && !s->required)
        buf_addf(out, "# Default: %s.\n", *s->fallback ? s->fallback : "none");
    buf_addf(out, "%s%s = %s\n", on ? "" : "#", s->name, s->example ? s->example : s->fallback);
}

void config_print_sample(struct buf *out)
{
    buf_add_str(out, "# exeat: all settings. A line like \"#key = value\" shows the default or an example;"
                     " take its # away and change it.\n"
                     "# Put this file at ~/.config/exeat/exeat.conf (or /etc/exeat/exeat.conf for all users "
                     "of the machine), then run\n"
                     "# \"exeat check\". A # begins a comment on its own line or behind a blank. A value, or "
                     "a word of a list, may stand in\n"
                     "# double quotes, where \\\" is a quote and \\\\ is a backslash; elsewhere a backslash "
                     "is just that. Above the first\n"
                     "# section, lines like \"include = PATH\" read other files too (relative to the "
                     "directory of this one).\n");
    for (size_t i = 0; i < n_sections; i++) {
        const char *name = sections[i].example;
        buf_addf(out, "\n# %s\n%s[%s%s%s]\n", sections[i].help, sections[i].optional ? "#" : "",
                 sections[i].name, name ? " " : "", name ? name : "");
        for (size_t k = 0; k < n_settings; k++)
            if (strcmp(settings[k].section, sections[i].name) == 0)
                sample_setting(out, &sections[i], &settings[k]);
    }
}
