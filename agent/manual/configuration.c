/*
 * exeat.conf(5): the grammar in words, then the table of settings.
 */
#include <stdio.h>
#include <string.h>

#include "config/keys.h"
#include "manual/manual.h"
#include "manual/roff.h"

static const char grammar[] =
    "The file has sections, [NAME] or [KIND NAME] on a line of their own, and below each its settings, as "
    "lines "
    "\"key = value\". A # begins a comment on its own line or behind a blank. Words of a list are separated "
    "by "
    "blanks. A value, or a word of a list, may stand in double quotes, where \\\" is a quote and \\\\ is a "
    "backslash; "
    "elsewhere a backslash is just that. Above the first section, lines like \"include = PATH\" read other "
    "files too, "
    "relative to the directory of this one.\n"
    "\n"
    "A section or a key that is not known, a bad value and a repeated key are errors, with file and line. "
    "\"exeat check\" looks at a file, \"exeat reload\" has the running agent read it again (a file with an "
    "error changes "
    "nothing there), and \"exeat run --print-config\" shows all settings and where each comes from.";

static const char example[] = " [upstream corp]\n"
                              " proxy = http://proxy.corp.example:8080\n"
                              " user = CORP\\alice\n"
                              " \n"
                              " [route]\n"
                              " no-proxy = localhost 127.0.0.0/8 .internal.example\n";

static void add_values(struct buf *out, const struct setting *s)
{
    if (s->kind->form || s->choices)
        buf_add_str(out, ".IP\nValues: ");
    if (s->kind->form)
        roff_add(out, span_str(s->kind->form));
    for (size_t i = 0; s->choices && s->choices[i]; i++) {
        buf_add_str(out, i == 0 ? "" : s->choices[i + 1] ? ", " : " or ");
        roff_add(out, span_str(s->choices[i]));
    }
    if (s->kind->form || s->choices)
        buf_add_str(out, ".\n");
}

static void add_default(struct buf *out, const struct setting *s)
{
    buf_add_str(out, ".IP\n");
    if (s->required) {
        buf_add_str(out, "It has to be there.\n");
        return;
    }
    buf_add_str(out, s->absent ? "Without it: " : "Default: ");
    const char *text = s->absent ? s->absent : *s->fallback ? s->fallback : "none";
    roff_add(out, span_str(text));
    buf_add_str(out, ".\n");
    if (s->repeats)
        buf_add_str(out, "The key may stand more than once; the lines add up.\n");
}

static void add_section(struct buf *out, const struct section *section)
{
    struct buf title = {0};
    section_title(section, &title);
    roff_macro(out, "SS", buf_cstr(&title));
    buf_free(&title);
    roff_paragraphs(out, section->help, false);
    for (size_t i = 0; i < n_settings; i++) {
        const struct setting *s = &settings[i];
        if (strcmp(s->section, section->name) != 0)
            continue;
        const char *shown = s->example ? s->example : s->fallback;
        buf_add_str(out, ".TP\n\\fB");
        roff_add(out, span_str(s->name));
        buf_addf(out, "\\fR = \\fI");
        roff_add(out, span_str(shown));
        buf_add_str(out, "\\fR\n");
        roff_paragraphs(out, s->help, true);
        add_values(out, s);
        add_default(out, s);
    }
}

void manual_configuration(struct buf *out, const char *date)
{
    buf_addf(out, ".TH EXEAT.CONF 5 %s \"exeat %s\" \"File Formats\"\n", date, EXEAT_VERSION);
    roff_macro(out, "SH", "NAME");
    buf_add_str(out, "exeat.conf \\- configuration of exeat\n");
    roff_macro(out, "SH", "SYNOPSIS");
    buf_add_str(out, ".I \\(ti/.config/exeat/exeat.conf\n.br\n.I /etc/exeat/exeat.conf\n");
    roff_macro(out, "SH", "DESCRIPTION");
    roff_paragraphs(out, grammar, false);
    roff_macro(out, "SH", "SETTINGS");
    buf_add_str(out, "With each its default or an example.\n");
    for (size_t i = 0; i < n_sections; i++)
        add_section(out, &sections[i]);
    roff_macro(out, "SH", "EXAMPLES");
    roff_paragraphs(out, example, false);
    roff_macro(out, "SH", "SEE ALSO");
    buf_add_str(out, ".BR exeat (1)\n");
}
