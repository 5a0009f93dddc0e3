/*
 * The editor of "key = value" lines, with or without sections: one scanner, and a row of habits for each kind of file. It understands as much of a
 * format as is needed to find a key and to see where its value ends; what it does not understand it passes over and leaves alone.
 */
#include <ctype.h>

#include "apps/edit.h"
#include "apps/text.h"

enum continues { CONTINUES_NOT, CONTINUES_BACKSLASH, CONTINUES_INDENTED };

struct style {
    const char *comments;   /* a line that begins with one of these is one */
    const char *separators; /* between key and value; a blank among them: blanks alone will do */
    const char *assign;     /* between a new key and its value */
    const char *indent;     /* before a new key in a section */
    enum continues continues;
    bool sections;  /* [name] */
    bool yaml;      /* "name:" at the margin is a section, what is indented below belongs to it */
    bool toml;      /* quoted keys, dotted keys, strings over several lines */
    bool fold;      /* letter case does not count */
    bool hyphens;   /* - and _ are the same */
    bool dashes;    /* "--key" is "key" */
    bool same_line; /* a key may stand behind its [section] */
};

enum found { FOUND_END, FOUND_NOTHING, FOUND_HEADER, FOUND_KEY };

/* What one logical line is, as offsets. */
struct item {
    size_t begin, next; /* with its line end and the lines that continue it */
    size_t indent;      /* bytes of blanks before it */
    struct span name;   /* the key, or the section */
    size_t value, end;  /* of the value; end == value when there is none */
    bool separated;     /* something stands between key and value */
};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* Does the line that `line` is (without its end) go on in the one at `next`? */
static bool goes_on(const struct style *s, struct span text, struct span line, size_t next, size_t indent)
{
    if (s->continues == CONTINUES_BACKSLASH) {
        size_t n = 0;
        while (n < line.n && line.p[line.n - 1 - n] == '\\')
            n++;
        return n % 2 == 1 && next < text.n;
    }
    if (s->continues != CONTINUES_INDENTED || next >= text.n)
        return false;
    size_t first = text_skip_blanks(text, next);
    return first - next > indent && !text_is_blank(text_rest_of_line(text, next));
}

static struct span trim_name(const struct style *s, struct span name)
{
    name = span_trim(name);
    if ((s->toml || s->yaml) && name.n > 1 && (name.p[0] == '"' || name.p[0] == '\'') &&
        name.p[name.n - 1] == name.p[0])
        return span_make(name.p + 1, name.n - 2);
    while (s->dashes && name.n && name.p[0] == '-')
        name = span_from(name, 1);
    return name;
}

/* "[name]", and nothing behind it but perhaps a comment or, with same_line, a key: *after is where that would be. */
static bool read_header(const struct style *s, struct span line, struct span *name, size_t *after)
{
    size_t close = 1;
    for (bool quoted = false; close < line.n && (quoted || line.p[close] != ']'); close++) {
        if (line.p[close] == '"')
            quoted = !quoted;
        else if (quoted && line.p[close] == '\\')
            close++;
    }
    if (close >= line.n || line.p[0] != '[')
        return false;
    *name = trim_name(s, span_make(line.p + 1, close - 1));
    *after = text_skip_blanks(line, close + 1);
    return s->same_line || *after >= line.n || strchr("#;", line.p[*after]) != NULL;
}

/* Key, separator, value: where the first ends and the last begins. */
static void read_key(const struct style *s, struct span text, struct span line, struct item *it)
{
    size_t start = (size_t)(line.p - text.p), end = 0;
    const char *separators = s->separators;
    bool blanks = strchr(separators, ' ') != NULL;
    while (end < line.n) {
        char c = line.p[end];
        bool yaml_colon = s->yaml && c == ':' && end > 0 && (end + 1 == line.n || is_blank(line.p[end + 1]));
        if (s->yaml ? yaml_colon : (blanks && is_blank(c)) || (!is_blank(c) && strchr(separators, c) && c))
            break;
        end += s->continues == CONTINUES_BACKSLASH && c == '\\' && end + 1 < line.n ? 2 : 1;
    }
    it->name = trim_name(s, span_head(line, end));
    size_t value = text_skip_blanks(line, end);
    if (value < line.n && line.p[value] && !is_blank(line.p[value]) &&
        (s->yaml ? value == end : strchr(separators, line.p[value]) != NULL))
        value = text_skip_blanks(line, value + 1);
    it->separated = value > end && (blanks || value > text_skip_blanks(line, end));
    it->value = start + value;
}

/* The logical line at *at, which moves behind it. */
static enum found next_item(const struct style *s, struct span text, size_t *at, struct item *it)
{
    if (*at >= text.n)
        return FOUND_END;
    *it = (struct item){.begin = *at};
    size_t first = text_skip_blanks(text, *at);
    it->indent = first - *at;
    struct span line = text_rest_of_line(text, first);
    it->next = *at = text_next_line(text, first);
    if (line.n == 0 || strchr(s->comments, line.p[0]))
        return FOUND_NOTHING;
    size_t after;
    if (s->sections && read_header(s, line, &it->name, &after)) {
        if (after < line.n && s->same_line && !strchr("#;", line.p[after]))
            *at = it->next = first + after;
        return FOUND_HEADER;
    }
    if (s->yaml && line.p[0] == '-')
        return FOUND_NOTHING;
    read_key(s, text, line, it);
    it->end = (size_t)(line.p - text.p) + line.n;
    if (s->yaml && it->indent == 0 && (it->value >= it->end || text.p[it->value] == '#')) {
        it->value = it->end;
        return it->separated || span_ends(line, SPAN(":")) ? FOUND_HEADER : FOUND_NOTHING;
    }
    for (struct span last = line; goes_on(s, text, last, it->next, it->indent);) {
        last = text_rest_of_line(text, it->next);
        it->end = it->next + last.n;
        it->next = text_next_line(text, it->next);
    }
    *at = it->next;
    return FOUND_KEY;
}

static bool same_name(const struct style *s, struct span a, struct span b)
{
    if (a.n != b.n)
        return false;
    for (size_t i = 0; i < a.n; i++) {
        int x = (unsigned char)a.p[i], y = (unsigned char)b.p[i];
        if (s->fold)
            x = tolower(x), y = tolower(y);
        if (s->hyphens)
            x = x == '_' ? '-' : x, y = y == '_' ? '-' : y;
        if (x != y)
            return false;
    }
    return true;
}

static struct span cut_key(const char *key, struct span *section)
{
    struct span all = span_str(key);
    size_t slash = span_find(all, '/');
    *section = slash < all.n ? span_head(all, slash) : span_make("", 0);
    return slash < all.n ? span_from(all, slash + 1) : all;
}

/* What a text has of a key. */
struct place {
    bool there, section_there;
    struct item item;             /* the last of that name in its section */
    size_t insert;                /* where a new one would go */
    size_t header;                /* where the section's last header begins */
    size_t items;                 /* keys in that part of the section */
    size_t indent_from, indent_n; /* blanks before the section's first key */
};

static void look(const struct style *s, struct span text, const char *key, struct place *p)
{
    struct span section, name = cut_key(key, &section);
    bool in = section.n == 0;
    size_t at = text_mark(text);
    struct item it;
    *p = (struct place){.section_there = in, .insert = text.n, .header = text.n};
    bool top = true; /* before the first section: where names without one belong */
    for (enum found f; (f = next_item(s, text, &at, &it)) != FOUND_END;) {
        bool margin = s->yaml && f == FOUND_KEY && it.indent == 0;
        if (f == FOUND_HEADER && s->sections && section.n == 0 && top)
            p->insert = it.begin;
        if (f == FOUND_HEADER || (margin && section.n)) {
            top = top && s->yaml;
            in = section.n ? f == FOUND_HEADER && same_name(s, it.name, section) : top;
            if (in && section.n)
                *p = (struct place){.section_there = true,
                                    .there = p->there,
                                    .item = p->item,
                                    .insert = at,
                                    .header = it.begin};
        } else if (f == FOUND_KEY && in && !(s->yaml && section.n == 0 && it.indent)) {
            if (!p->items++ && it.indent)
                p->indent_from = it.begin, p->indent_n = it.indent;
            if (same_name(s, it.name, name))
                p->there = true, p->item = it;
        }
    }
}

static bool get(const struct editor *editor, struct span text, const char *key, struct span wanted,
                struct span *value)
{
    struct place p;
    (void)wanted;
    look(editor->style, text, key, &p);
    if (p.there)
        *value = span_make(text.p + p.item.value, p.item.end - p.item.value);
    return p.there;
}

static bool holds(const struct editor *editor, struct span text, const char *key)
{
    struct place p;
    look(editor->style, text, key, &p);
    return p.section_there;
}

/* Forms of a file in which lines do not mean what they seem to. */
static bool plain(const struct style *s, struct span text, const char *key, struct err *e)
{
    struct span section, body = span_from(text, text_mark(text));
    cut_key(key, &section);
    if (!body.n)
        return true;
    if (span_find(body, '\0') < body.n)
        return err_set(e, ERR_CONFIG, "it is not a text file");
    if (s->toml && (memmem(body.p, body.n, "\"\"\"", 3) || memmem(body.p, body.n, "'''", 3)))
        return err_set(e, ERR_CONFIG, "it has strings over several lines, which exeat does not edit around");
    struct item it;
    size_t at = text_mark(text);
    for (enum found f;
         section.n && (s->toml || s->yaml) && (f = next_item(s, text, &at, &it)) != FOUND_END;) {
        if (s->toml && f == FOUND_HEADER)
            return true;
        bool dotted = span_starts(it.name, section) && it.name.n > section.n && it.name.p[section.n] == '.';
        if (f == FOUND_KEY && it.indent == 0 && (span_eq(it.name, section) || (s->toml && dotted)))
            return err_set(e, ERR_CONFIG, "it has \"%.*s\" in a form that exeat does not edit",
                           SPAN_ARG(section));
    }
    at = text_mark(text);
    while (s->yaml && at < text.n) {
        struct span line = text_rest_of_line(text, text_skip_blanks(text, at));
        if (line.n && (line.p[0] == '{' || line.p[0] == '['))
            return err_set(e, ERR_CONFIG, "it is written in braces, which exeat does not edit");
        at = text_next_line(text, at);
    }
    return true;
}

static void new_line(const struct style *s, struct span text, const struct place *p, struct span section,
                     struct span name, struct span value, struct buf *line)
{
    if (p->indent_n)
        buf_add(line, text.p + p->indent_from, p->indent_n);
    else if (section.n)
        buf_add_str(line, s->indent);
    buf_add_span(line, name);
    buf_add_str(line, s->assign);
    buf_add_span(line, value);
    buf_add_span(line, text_newline(text));
}

static bool add_key(const struct style *s, struct buf *text, const struct place *p, const char *key,
                    struct span value)
{
    struct span section, name = cut_key(key, &section), newline = text_newline(buf_span(text));
    struct buf line = {0};
    size_t at = p->section_there ? p->insert : text->n;
    bool ok = true;
    if (at == text->n) {
        ok = text_end_line(text);
        at = text->n;
    } else if (at && text->p[at - 1] != '\n') { /* [section] key = value: ours goes on the next line */
        at = text_next_line(buf_span(text), at);
        if (at == text->n) {
            ok = text_end_line(text);
            at = text->n;
        }
    }
    if (!p->section_there) {
        if (!text_is_blank(buf_span(text)) && !s->yaml)
            buf_add_span(&line, newline);
        buf_addf(&line, s->yaml ? "%.*s:" : "[%.*s]", SPAN_ARG(section));
        buf_add_span(&line, newline);
    }
    new_line(s, buf_span(text), p, section, name, value, &line);
    ok = ok && text_splice(text, at, 0, buf_span(&line));
    buf_free(&line);
    return ok;
}

static bool put(const struct editor *editor, struct buf *text, const char *key, struct span value,
                struct err *e)
{
    const struct style *s = editor->style;
    struct place p;
    if (!plain(s, buf_span(text), key, e))
        return false;
    look(s, buf_span(text), key, &p);
    bool ok;
    if (p.there && p.item.separated) {
        ok = text_splice(text, p.item.value, p.item.end - p.item.value, value);
    } else if (p.there) {
        struct buf both = {0};
        buf_addf(&both, "%s%.*s", s->assign, SPAN_ARG(value));
        ok = text_splice(text, p.item.value, p.item.end - p.item.value, buf_span(&both));
        buf_free(&both);
    } else {
        ok = add_key(s, text, &p, key, value);
    }
    return ok || err_set(e, ERR_LIMIT, "the file is too large");
}

/* The section's header, and an empty line before it, when no key is left in it. */
static void drop_section(const struct style *s, struct buf *text, const char *key)
{
    struct place p;
    look(s, buf_span(text), key, &p);
    if (!p.section_there || p.header >= text->n || p.items)
        return;
    size_t begin = p.header, end = text_next_line(buf_span(text), begin);
    struct span before = span_head(buf_span(text), begin);
    if (span_ends(before, SPAN("\r\n\r\n")))
        begin -= 2;
    else if (span_ends(before, SPAN("\n\n")))
        begin--;
    text_splice(text, begin, end - begin, SPAN(""));
}

static void drop(const struct editor *editor, struct buf *text, const char *key, struct span value,
                 bool prune)
{
    struct place p;
    (void)value;
    look(editor->style, buf_span(text), key, &p);
    if (!p.there)
        return;
    size_t begin = p.item.begin;
    bool alone = text_line(buf_span(text), begin) == begin; /* not behind its [section] */
    text_splice(text, begin, (alone ? p.item.next : p.item.end) - begin, SPAN(""));
    if (prune && strchr(key, '/'))
        drop_section(editor->style, text, key);
}

#define STYLE(name, title, ...)                                                                              \
    static const struct style name##_style = {__VA_ARGS__};                                                  \
    const struct editor edit_##name = {title, get, put, drop, holds, NULL, NULL, &name##_style}

STYLE(git, "git", "#;", "=", " = ", "\t", CONTINUES_BACKSLASH, .sections = true, .fold = true,
      .same_line = true);
STYLE(npm, "npm", "#;", "=", "=", "", CONTINUES_NOT, .sections = true);
STYLE(yarn1, "yarn1", "#", " \t", " ", "", CONTINUES_NOT, .sections = false);
STYLE(pip, "pip", "#;", "=:", " = ", "", CONTINUES_INDENTED, .sections = true, .fold = true, .hyphens = true);
STYLE(dnf, "dnf", "#;", "=:", "=", "", CONTINUES_INDENTED, .sections = true);
STYLE(toml, "toml", "#", "=", " = ", "", CONTINUES_NOT, .sections = true, .toml = true);
STYLE(curl, "curl", "#", "=: \t", " = ", "", CONTINUES_NOT, .dashes = true);
STYLE(wget, "wget", "#", "=", " = ", "", CONTINUES_NOT, .fold = true, .hyphens = true);
STYLE(properties, "properties", "#!", "=: \t", "=", "", CONTINUES_BACKSLASH, .sections = false);
STYLE(kde, "kde", "#", "=", "=", "", CONTINUES_NOT, .sections = true);
STYLE(yaml, "yaml", "#", ":", ": ", "  ", CONTINUES_NOT, .yaml = true);
