/*
 * The making of a configuration: values by row of the table of settings (config/keys.c), written out in its order. One thread.
 */
#include "cli/draft.h"

#include "config/config.h"
#include "config/ini.h"
#include "route/route.h"

#define CHECKED   "the new configuration"
#define FROM_MOST ((size_t)100) /* bytes of a foreign name that are shown */

void draft_free(struct draft *d)
{
    for (size_t i = 0; i < n_settings; i++) {
        buf_free(&d->values[i]);
        buf_free(&d->from[i]);
    }
    buf_free(&d->forwards);
    buf_free(&d->notes);
    buf_free(&d->hosts);
    buf_free(&d->ports);
    secret_free(&d->password);
    secret_free(&d->nt_hash);
}

static size_t index_of(const char *section, const char *key)
{
    return (size_t)(setting_find(section_find(span_str(section)), span_str(key)) - settings);
}

/* Foreign text in a comment of ours: one line of plain characters. */
static void put_plain(struct buf *out, struct span text)
{
    for (size_t i = 0; i < text.n && i < FROM_MOST; i++) {
        char c = text.p[i] > ' ' && text.p[i] < 0x7f ? text.p[i] : text.p[i] == ' ' ? ' ' : '?';
        buf_add(out, &c, 1);
    }
}

void draft_note(struct draft *d, struct span from, const char *why)
{
    struct buf line = {0};
    put_plain(&line, from);
    buf_addf(&line, ": %s\n", why);
    bool said = d->notes.n && memmem(d->notes.p, d->notes.n, line.p, line.n);
    if (!said && d->n_items++ < DRAFT_ITEMS)
        buf_add_span(&d->notes, buf_span(&line));
    buf_free(&line);
}

/* --- values --- */

static void put_quoted(const struct setting *s, struct buf *out, struct span value)
{
    if (s->repeats)
        buf_add_str(out, "* "); /* the pattern: everything */
    if (s->kind->list && !s->repeats)
        ini_put_item(out, value);
    else
        ini_put_value(out, value);
}

/* A sentence without its place in a text that nobody has ("value:3: set: "). */
static const char *without_place(const struct setting *s, const char *sentence)
{
    size_t n = strlen(s->name);
    const char *colon = strncmp(sentence, "value:", 6) == 0 ? strstr(sentence, ": ") : NULL;
    if (colon)
        sentence = colon + 2;
    return strncmp(sentence, s->name, n) == 0 && strncmp(sentence + n, ": ", 2) == 0 ? sentence + n + 2
                                                                                     : sentence;
}

static bool is_for_tls(const struct setting *s)
{
    static const char *const names[] = {"ca", "pin", "certificate", "key"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(s->section, "upstream") == 0 && strcmp(s->name, names[i]) == 0)
            return true;
    return false;
}

/* The smallest configuration with this value in it, for the parser to judge. */
static bool parser_takes(const struct setting *s, struct span quoted, struct err *e)
{
    struct buf text = {0};
    bool upstream = strcmp(s->section, "upstream") == 0;
    bool proxy = upstream && strcmp(s->name, "proxy") == 0;
    buf_addf(&text, "[upstream %s]\n", DRAFT_UPSTREAM);
    if (!proxy) /* with TLS only where that is what it is for: it takes the time of reading all authorities */
        buf_addf(&text, "proxy = %s://proxy.invalid:1\n", is_for_tls(s) ? "https" : "http");
    if (!upstream)
        buf_addf(&text, "[%s]\n", s->section);
    buf_addf(&text, "%s = ", s->name);
    buf_add_span(&text, quoted);
    buf_add_str(&text, "\n");
    struct config *c = config_load_text("value", buf_span(&text), e);
    struct route_table *routes = c ? route_table_new(c, e) : NULL; /* it reads the patterns */
    bool good = routes != NULL;
    route_table_unref(routes);
    config_unref(c);
    buf_free(&text);
    return good;
}

static void remember_from(struct buf *list, struct span from)
{
    struct buf name = {0};
    put_plain(&name, from);
    if (name.n && (!list->n || !memmem(list->p, list->n, name.p, name.n))) {
        buf_add_str(list, list->n ? ", " : "");
        buf_add_span(list, buf_span(&name));
    }
    buf_free(&name);
}

/* Twice the same item is the same as once, and for an address where we listen it would be one that is taken. */
static bool is_there(const struct buf *list, char between, struct span item)
{
    struct span rest = buf_span(list);
    while (rest.n)
        if (span_eq(span_cut(&rest, between), item))
            return true;
    return false;
}

static void take(struct draft *d, size_t i, struct span quoted)
{
    const struct setting *s = &settings[i];
    struct buf *v = &d->values[i];
    if ((s->kind->list || s->repeats) && is_there(v, s->repeats ? '\n' : ' ', quoted))
        return;
    if (!s->kind->list && !s->repeats)
        buf_clear(v);
    else if (v->n)
        buf_add_str(v, s->repeats ? "\n" : " ");
    buf_add_span(v, quoted);
}

bool draft_put(struct draft *d, const char *section, const char *key, struct span from, struct span value)
{
    size_t i = index_of(section, key);
    struct buf quoted = {0};
    struct err e = {0};
    if (d->n_items++ >= DRAFT_ITEMS)
        return false;
    bool good = ini_check(value, &e) && value.n > 0;
    if (good) {
        put_quoted(&settings[i], &quoted, value);
        good = parser_takes(&settings[i], buf_span(&quoted), &e);
    }
    if (good) {
        take(d, i, buf_span(&quoted));
        remember_from(&d->from[i], from);
    } else {
        draft_note(d, from, value.n ? without_place(&settings[i], e.text) : "it is empty");
    }
    buf_free(&quoted);
    return good;
}

bool draft_has(const struct draft *d, const char *section, const char *key)
{
    return d->values[index_of(section, key)].n > 0;
}

void draft_drop(struct draft *d, const char *section, const char *key)
{
    size_t i = index_of(section, key);
    buf_clear(&d->values[i]);
    buf_clear(&d->from[i]);
}

bool draft_forward(struct draft *d, struct span listen, struct span target)
{
    struct buf text = {0}, whole = {0};
    struct err e = {0};
    if (d->n_forwards >= DRAFT_FORWARDS || !ini_check(listen, &e) || !ini_check(target, &e))
        return false;
    buf_addf(&text, "[forward tunnel-%u]\nlisten = ", d->n_forwards + 1);
    ini_put_item(&text, listen);
    buf_add_str(&text, "\ntarget = ");
    ini_put_value(&text, target);
    buf_add_str(&text, "\n");
    buf_add_str(&whole, "[upstream " DRAFT_UPSTREAM "]\nproxy = http://proxy.invalid:1\n");
    buf_add_span(&whole, buf_span(&text));
    struct config *c = config_load_text("value", buf_span(&whole), &e);
    if (c) {
        buf_add_str(&d->forwards, "\n");
        buf_add_span(&d->forwards, buf_span(&text));
        d->n_forwards++;
    }
    bool good = c != NULL;
    config_unref(c);
    buf_free(&text);
    buf_free(&whole);
    return good;
}

/* --- the text --- */

static void write_setting(struct draft *d, size_t i, struct buf *out)
{
    struct span rest = buf_span(&d->values[i]);
    if (d->from[i].n)
        buf_addf(out, "# %.*s\n", SPAN_ARG(buf_span(&d->from[i])));
    if (!settings[i].repeats) {
        buf_addf(out, "%s = %.*s\n", settings[i].name, SPAN_ARG(rest));
        return;
    }
    while (rest.n) {
        struct span line = span_cut(&rest, '\n');
        buf_addf(out, "%s = %.*s\n", settings[i].name, SPAN_ARG(line));
    }
}

static void write_section(struct draft *d, const struct section *section, struct buf *out)
{
    bool begun = false;
    for (size_t i = 0; i < n_settings; i++) {
        if (strcmp(settings[i].section, section->name) != 0 || !d->values[i].n)
            continue;
        if (!begun)
            buf_addf(out, "\n[%s%s]\n", section->name, section->named ? " " DRAFT_UPSTREAM : "");
        begun = true;
        write_setting(d, i, out);
    }
}

void draft_write(struct draft *d, struct span title, struct buf *out)
{
    struct span rest = buf_span(&d->notes);
    buf_add_str(out, "# Made from ");
    for (size_t i = 0; i < title.n; i++)
        buf_add_str(out,
                    (unsigned char)title.p[i] < ' ' || title.p[i] == 0x7f ? "?" : (char[2]){title.p[i], 0});
    buf_add_str(out, ".\n# \"exeat help configuration\" explains the settings, \"exeat check\" says whether "
                     "they are right.\n");
    if (rest.n)
        buf_add_str(out, "#\n# What was not taken over:\n");
    while (rest.n) {
        struct span line = span_cut(&rest, '\n');
        buf_addf(out, "#   %.*s\n", SPAN_ARG(line));
    }
    for (size_t i = 0; i < n_sections; i++)
        if (strcmp(sections[i].name, "forward") == 0)
            buf_add_span(out, buf_span(&d->forwards));
        else
            write_section(d, &sections[i], out);
}

bool draft_check(struct span text, struct err *e)
{
    struct config *c = config_load_text(CHECKED, text, e);
    struct route_table *routes = c ? route_table_new(c, e) : NULL;
    bool good = routes != NULL;
    route_table_unref(routes);
    config_unref(c);
    return good;
}

/* The setting that an error is about, by the line that it names, and its section's header; n_settings: none that could be left out. */
static size_t blamed(struct span text, const char *sentence, struct span *header)
{
    uint64_t number;
    struct span section = {0}, line = {0}, place = span_str(sentence);
    if (!span_starts(place, SPAN(CHECKED ":")))
        return n_settings;
    place = span_from(place, sizeof CHECKED);
    if (!span_u64(span_head(place, span_find(place, ':')), &number))
        return n_settings;
    for (uint64_t i = 0; i < number && text.n; i++) {
        line = span_cut(&text, '\n');
        if (line.n && line.p[0] == '[') {
            *header = line;
            section = span_head(span_from(line, 1), span_find(line, ']') - 1);
        }
    }
    const struct section *of = section_find(span_word(&section));
    const struct setting *s = of ? setting_find(of, span_word(&line)) : NULL;
    bool needed = s && strcmp(s->section, "upstream") == 0 && strcmp(s->name, "proxy") == 0;
    return s && !needed ? (size_t)(s - settings) : n_settings;
}

/* Behind the place. */
static const char *reason(const struct err *e)
{
    const char *colon = strstr(e->text, ": ");
    return colon ? colon + 2 : e->text;
}

static void leave_out(struct draft *d, size_t i, const struct err *e)
{
    struct buf from = {0};
    buf_add_span(&from, buf_span(&d->from[i]));
    if (!from.n)
        buf_add_str(&from, settings[i].name);
    draft_drop(d, settings[i].section, settings[i].name);
    draft_note(d, buf_span(&from), reason(e));
    buf_free(&from);
}

/* A tunnel is a section of its own: it goes as a whole. */
static bool leave_out_forward(struct draft *d, struct span header, const struct err *e)
{
    struct span all = buf_span(&d->forwards);
    const char *begin = header.n && all.n ? memmem(all.p, all.n, header.p, header.n) : NULL;
    if (!begin)
        return false;
    size_t before = (size_t)(begin - all.p);
    struct span rest = span_from(all, before + header.n);
    const char *next = rest.n ? memmem(rest.p, rest.n, "\n[", 2) : NULL;
    struct buf kept = {0};
    buf_add_span(&kept, span_head(all, before));
    if (next)
        buf_add_span(&kept, span_from(rest, (size_t)(next - rest.p) + 1));
    buf_free(&d->forwards);
    d->forwards = kept;
    draft_note(d, SPAN("a tunnel"), reason(e));
    return true;
}

bool draft_finish(struct draft *d, struct span title, struct buf *out, struct err *e)
{
    struct err why = {0};
    for (;;) {
        buf_clear(out);
        draft_write(d, title, out);
        if (draft_check(buf_span(out), &why))
            return true;
        struct span header = {0};
        size_t i = blamed(buf_span(out), why.text, &header);
        if (i < n_settings && strcmp(settings[i].section, "forward") == 0) {
            if (!leave_out_forward(d, header, &why))
                break;
        } else if (i < n_settings && d->values[i].n) {
            leave_out(d, i, &why);
        } else {
            break;
        }
    }
    *e = why;
    return false;
}
