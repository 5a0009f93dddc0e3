/*
 * The editor of XML: an element below a path of names, found by an attribute or a child's text, written and taken out as text. It reads tags,
 * comments, CDATA and declarations, no entities of its own making: a document type with an internal subset is left alone.
 *
 * A key: "settings/proxies/proxy[id=exeat]"; the last name is the item's, [name=text] an attribute or a child element of it; without brackets any.
 */
#include <stdlib.h>

#include "apps/edit.h"
#include "apps/text.h"

enum token { TOKEN_END, TOKEN_BROKEN, TOKEN_OPEN, TOKEN_CLOSE, TOKEN_SINGLE };

struct tag {
    size_t begin, end; /* from < to behind > */
    struct span name;
};

static size_t behind(struct span text, size_t at, const char *close)
{
    const char *found = at < text.n ? memmem(text.p + at, text.n - at, close, strlen(close)) : NULL;
    return found ? (size_t)(found - text.p) + strlen(close) : 0;
}

/* Over a comment, CDATA, a processing instruction or a document type; 0: broken. */
static size_t skip_other(struct span text, size_t at)
{
    struct span rest = span_from(text, at);
    if (span_starts(rest, SPAN("<!--")))
        return behind(text, at + 4, "-->");
    if (span_starts(rest, SPAN("<![CDATA[")))
        return behind(text, at + 9, "]]>");
    if (span_starts(rest, SPAN("<?")))
        return behind(text, at + 2, "?>");
    size_t end = behind(text, at, ">");
    return end && span_find(span_make(text.p + at, end - at), '[') == end - at ? end : 0;
}

/* The next tag from *at on, which moves behind it. */
static enum token next_tag(struct span text, size_t *at, struct tag *tag)
{
    for (;;) {
        size_t p = *at + span_find(span_from(text, *at), '<');
        if (p + 1 >= text.n)
            return p < text.n ? TOKEN_BROKEN : TOKEN_END;
        if (text.p[p + 1] == '!' || text.p[p + 1] == '?') {
            *at = skip_other(text, p);
            if (!*at)
                return TOKEN_BROKEN;
            continue;
        }
        bool close = text.p[p + 1] == '/';
        size_t name = p + 1 + close, end = name;
        while (end < text.n && !strchr(" \t\r\n/>", text.p[end]))
            end++;
        *tag = (struct tag){.begin = p, .name = span_make(text.p + name, end - name)};
        for (char quote = 0; end < text.n && (quote || text.p[end] != '>'); end++) {
            if (quote ? text.p[end] == quote : text.p[end] == '"' || text.p[end] == '\'')
                quote = quote ? 0 : text.p[end];
        }
        if (end >= text.n || !tag->name.n)
            return TOKEN_BROKEN;
        *at = tag->end = end + 1;
        return close ? TOKEN_CLOSE : text.p[end - 1] == '/' ? TOKEN_SINGLE : TOKEN_OPEN;
    }
}

struct element {
    struct tag open;
    size_t inside_end; /* where its content ends; open.end for <single/> */
    size_t end;        /* behind the closing tag */
    bool single;
};

/* The element whose opening tag was just read. */
static bool read_element(struct span text, enum token kind, const struct tag *open, struct element *x)
{
    *x = (struct element){
        .open = *open, .inside_end = open->end, .end = open->end, .single = kind == TOKEN_SINGLE};
    size_t at = open->end, depth = kind == TOKEN_OPEN;
    struct tag tag = {0};
    while (depth) {
        enum token t = next_tag(text, &at, &tag);
        if (t == TOKEN_END || t == TOKEN_BROKEN)
            return false;
        depth += (size_t)(t == TOKEN_OPEN) - (size_t)(t == TOKEN_CLOSE);
        x->inside_end = tag.begin;
        x->end = tag.end;
    }
    return kind == TOKEN_SINGLE || span_eq(tag.name, open->name);
}

/* The next element among those between *at and `end`. */
static bool next_child(struct span text, size_t *at, size_t end, struct element *x)
{
    struct tag tag;
    struct span part = span_head(text, end);
    enum token t = next_tag(part, at, &tag);
    if ((t != TOKEN_OPEN && t != TOKEN_SINGLE) || !read_element(part, t, &tag, x))
        return false;
    *at = x->end;
    return true;
}

/* name="text" in the tag, or <name>text</name> in the element. */
static bool fits(struct span text, const struct element *x, struct span name, struct span wanted)
{
    bool ok = false;
    for (const char *quote = "\"'"; *quote && !ok; quote++) {
        struct buf attribute = {0};
        buf_addf(&attribute, "%.*s=%c%.*s%c", SPAN_ARG(name), *quote, SPAN_ARG(wanted), *quote);
        ok = memmem(text.p + x->open.begin, x->open.end - x->open.begin, attribute.p, attribute.n) != NULL;
        buf_free(&attribute);
    }
    struct element child;
    for (size_t at = x->open.end; !ok && next_child(text, &at, x->inside_end, &child);)
        ok =
            span_eq(child.open.name, name) &&
            span_eq(span_trim(span_make(text.p + child.open.end, child.inside_end - child.open.end)), wanted);
    return ok;
}

/* Of `key`: the way down as far as it is there. *rest: what is not. false: broken, or another root. */
static bool walk(struct span text, const char *key, struct element *holder, struct span *rest,
                 struct element *item)
{
    struct span names = span_str(key), last = span_from(names, span_rfind(names, '/') + 1);
    struct span bracket = span_from(last, span_find(last, '[') + 1),
                tag = span_head(last, span_find(last, '['));
    struct span value = span_head(bracket, span_find(bracket, ']')), name = span_cut(&value, '=');
    size_t at = text_mark(text);
    struct span root = span_cut(&names, '/');
    if (!next_child(text, &at, text.n, holder) || !span_eq(holder->open.name, root))
        return false;
    for (;;) {
        struct element child;
        bool found = false;
        *rest = names;
        struct span step = span_cut(&names, '/');
        for (at = holder->open.end; !found && next_child(text, &at, holder->inside_end, &child);)
            found = names.n ? span_eq(child.open.name, step)
                            : span_eq(child.open.name, tag) && (!name.n || fits(text, &child, name, value));
        if (!found)
            return true;
        if (!names.n) {
            *item = child;
            *rest = names;
            return true;
        }
        *holder = child;
    }
}

static bool get(const struct editor *editor, struct span text, const char *key, struct span wanted,
                struct span *value)
{
    struct element holder, item = {0};
    struct span rest;
    (void)editor;
    (void)wanted;
    if (!walk(text, key, &holder, &rest, &item) || rest.n)
        return false;
    *value = span_make(text.p + item.open.begin, item.end - item.open.begin);
    return true;
}

static bool holds(const struct editor *editor, struct span text, const char *key)
{
    struct element holder, item = {0};
    struct span rest;
    (void)editor;
    return walk(text, key, &holder, &rest, &item) && span_find(rest, '/') == rest.n;
}

static void margin(struct buf *out, size_t depth)
{
    while (depth--)
        buf_add_str(out, "  ");
}

/* The item, and what is missing around it, at the beginning of the holder. */
static bool insert(struct buf *text, const char *key, const struct element *holder, struct span rest,
                   struct span value)
{
    struct span all = buf_span(text), newline = text_newline(all), names = rest;
    size_t depth = 0, missing = 0, at = holder->open.end;
    for (const char *c = key; c < rest.p; c++)
        depth += *c == '/';
    struct buf add = {0};
    if (holder->single) { /* <name/> becomes <name> and </name> */
        size_t slash = holder->open.end - 2;
        while (slash > holder->open.begin && strchr(" \t\r\n", all.p[slash - 1]))
            slash--;
        at = slash;
        buf_add_str(&add, ">");
    }
    for (struct span name = span_cut(&names, '/'); names.n; name = span_cut(&names, '/'), missing++) {
        buf_add_span(&add, newline);
        margin(&add, depth + missing);
        buf_addf(&add, "<%.*s>", SPAN_ARG(name));
    }
    buf_add_span(&add, newline);
    margin(&add, depth + missing);
    buf_add_span(&add, value);
    for (names = rest; missing--;) {
        struct span part = rest;
        struct span name = {0};
        for (size_t i = 0; i <= missing; i++)
            name = span_cut(&part, '/');
        buf_add_span(&add, newline);
        margin(&add, depth + missing);
        buf_addf(&add, "</%.*s>", SPAN_ARG(name));
    }
    struct span inside = span_make(all.p + holder->open.end, holder->inside_end - holder->open.end);
    if (holder->single || span_find(inside, '\n') == inside.n) {
        buf_add_span(&add, newline);
        margin(&add, depth - 1);
    }
    if (holder->single)
        buf_addf(&add, "</%.*s>", SPAN_ARG(holder->open.name));
    bool ok = text_splice(text, at, holder->single ? holder->open.end - at : 0, buf_span(&add));
    buf_free(&add);
    return ok;
}

static bool put(const struct editor *editor, struct buf *text, const char *key, struct span value,
                struct err *e)
{
    struct element holder, item = {0};
    struct span rest, root = span_str(key);
    (void)editor;
    root = span_head(root, span_find(root, '/'));
    if (text_is_blank(buf_span(text)))
        buf_addf(text, "<%.*s>\n</%.*s>\n", SPAN_ARG(root), SPAN_ARG(root));
    if (!walk(buf_span(text), key, &holder, &rest, &item))
        return err_set(e, ERR_CONFIG, "it is not the XML document <%.*s> that it should be", SPAN_ARG(root));
    bool ok = rest.n ? insert(text, key, &holder, rest, value)
                     : text_splice(text, item.open.begin, item.end - item.open.begin, value);
    return ok || err_set(e, ERR_LIMIT, "the file is too large");
}

static void cut(struct buf *text, size_t begin, size_t end)
{
    struct span all = buf_span(text);
    size_t line = text_line(all, begin), after = text_skip_blanks(all, end);
    if (text_skip_blanks(all, line) == begin && text_rest_of_line(all, after).n == 0) {
        begin = line;
        end = text_next_line(all, after);
    }
    text_splice(text, begin, end - begin, SPAN(""));
}

static void drop(const struct editor *editor, struct buf *text, const char *key, struct span value,
                 bool prune)
{
    struct element holder, item = {0};
    struct span rest;
    if (!walk(buf_span(text), key, &holder, &rest, &item) || rest.n)
        return;
    cut(text, item.open.begin, item.end);
    struct span above = span_str(key);
    above = span_head(above, span_rfind(above, '/'));
    char *parent = span_dup(above);
    if (prune && span_find(above, '/') < above.n && walk(buf_span(text), parent, &holder, &rest, &item) &&
        !rest.n && text_is_blank(span_make(text->p + item.open.end, item.inside_end - item.open.end)))
        drop(editor, text, parent, value, prune);
    free(parent);
}

/* A root with nothing in it. */
static bool empty(struct span text)
{
    size_t at = text_mark(text);
    struct element root;
    return next_child(text, &at, text.n, &root) && text_is_blank(span_head(text, root.open.begin)) &&
           text_is_blank(span_from(text, root.end)) &&
           text_is_blank(span_make(text.p + root.open.end, root.inside_end - root.open.end));
}

/* White space apart, which programs that write the file anew lay out in their own way. */
static bool same(struct span a, struct span b)
{
    size_t i = 0, j = 0;
    for (;;) {
        while (i < a.n && strchr(" \t\r\n", a.p[i]) && a.p[i])
            i++;
        while (j < b.n && strchr(" \t\r\n", b.p[j]) && b.p[j])
            j++;
        if (i == a.n || j == b.n)
            return i == a.n && j == b.n;
        if (a.p[i++] != b.p[j++])
            return false;
    }
}

const struct editor edit_xml = {"xml", get, put, drop, holds, same, empty, NULL};
