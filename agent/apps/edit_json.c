/*
 * The editor of JSON, with or without comments: a scanner that finds where a member stands, so that all else keeps its order, indentation and
 * comments. jansson says whether a value is another's equal and, where a file may have no comments, whether it is JSON at all.
 */
#include <jansson.h>
#include <stdlib.h>

#include "apps/edit.h"
#include "apps/text.h"

struct member {
    struct span name;  /* as written, with its quotes */
    size_t begin;      /* of the name */
    size_t value, end; /* of the value */
    size_t comma;      /* behind it; 0: there is none */
};

/* Over white space and comments. */
static size_t skip_space(struct span text, size_t at)
{
    for (;;) {
        while (at < text.n && strchr(" \t\r\n", text.p[at]) && text.p[at])
            at++;
        struct span rest = span_from(text, at);
        if (span_starts(rest, SPAN("//"))) {
            at = text_next_line(text, at);
        } else if (span_starts(rest, SPAN("/*"))) {
            const char *close = memmem(rest.p + 2, rest.n - 2, "*/", 2);
            at = close ? (size_t)(close - text.p) + 2 : text.n;
        } else {
            return at;
        }
    }
}

/* Behind the string that begins at `at`; 0: it has no end. */
static size_t skip_string(struct span text, size_t at)
{
    for (at++; at < text.n && text.p[at] != '"'; at++)
        if (text.p[at] == '\\')
            at++;
    return at < text.n ? at + 1 : 0;
}

/* Behind the value that begins at `at`; 0: it has no end. */
static size_t skip_value(struct span text, size_t at)
{
    size_t depth = 0, begin = at;
    while (at < text.n) {
        char c = text.p[at];
        if (c == '"') {
            at = skip_string(text, at);
            if (!at)
                return 0;
        } else if (c == '{' || c == '[') {
            depth++, at++;
        } else if (c == '}' || c == ']') {
            if (depth == 0)
                return at > begin ? at : 0;
            depth--, at++;
        } else if (depth == 0 && strchr(", \t\r\n/", c)) {
            return at > begin ? at : 0;
        } else {
            size_t next = skip_space(text, at);
            at = next > at ? next : at + 1;
            continue;
        }
        if (depth == 0)
            return at;
    }
    return depth == 0 && at > begin ? at : 0;
}

enum step { STEP_MEMBER, STEP_CLOSED, STEP_BROKEN };

/* The member at *at, which moves behind its comma; at the end *at is where the brace stands. */
static enum step next_member(struct span text, size_t *at, struct member *m)
{
    size_t p = skip_space(text, *at);
    if (p < text.n && text.p[p] == '}') {
        *at = p;
        return STEP_CLOSED;
    }
    if (p >= text.n || text.p[p] != '"')
        return STEP_BROKEN;
    *m = (struct member){.begin = p};
    size_t end = skip_string(text, p);
    if (!end)
        return STEP_BROKEN;
    m->name = span_make(text.p + p, end - p);
    p = skip_space(text, end);
    if (p >= text.n || text.p[p] != ':')
        return STEP_BROKEN;
    m->value = skip_space(text, p + 1);
    m->end = skip_value(text, m->value);
    if (!m->end)
        return STEP_BROKEN;
    p = skip_space(text, m->end);
    if (p < text.n && text.p[p] == ',') {
        m->comma = p;
        *at = p + 1;
        return STEP_MEMBER;
    }
    *at = p;
    return p < text.n && text.p[p] == '}' ? STEP_MEMBER : STEP_BROKEN;
}

static bool same_name(struct span quoted, struct span name)
{
    json_t *decoded = json_loadb(quoted.p, quoted.n, JSON_DECODE_ANY, NULL);
    const char *text = json_string_value(decoded);
    bool same = text && span_eq(span_str(text), name);
    json_decref(decoded);
    return same;
}

/* In the object whose brace stands at `object`. false: broken. *found says whether it is there: the last of that name. */
static bool find_member(struct span text, size_t object, struct span name, struct member *m, bool *found)
{
    struct member one;
    size_t at = object + 1;
    enum step step;
    *found = false;
    while ((step = next_member(text, &at, &one)) == STEP_MEMBER) {
        if (same_name(one.name, name)) {
            *m = one;
            *found = true;
        }
    }
    return step == STEP_CLOSED;
}

/* Follows the key down. *object is the innermost object on its way that is there, *rest the names that are not. false: broken, or the way leads
   through something that is no object. */
static bool walk(struct span text, const char *key, size_t *object, struct span *rest, struct member *m)
{
    struct span names = span_str(key);
    *object = skip_space(text, text_mark(text));
    if (*object >= text.n || text.p[*object] != '{')
        return false;
    for (;;) {
        bool found;
        *rest = names;
        struct span name = span_cut(&names, '/');
        if (!find_member(text, *object, name, m, &found))
            return false;
        if (!found)
            return true;
        if (!names.n) {
            *rest = names;
            return true;
        }
        if (text.p[m->value] != '{')
            return false;
        *object = m->value;
    }
}

static bool get(const struct editor *editor, struct span text, const char *key, struct span wanted,
                struct span *value)
{
    size_t object;
    struct span rest;
    struct member m = {0};
    (void)editor;
    (void)wanted;
    if (!walk(text, key, &object, &rest, &m) || rest.n)
        return false;
    *value = span_make(text.p + m.value, m.end - m.value);
    return true;
}

static bool holds(const struct editor *editor, struct span text, const char *key)
{
    size_t object;
    struct span rest;
    struct member m = {0};
    (void)editor;
    return walk(text, key, &object, &rest, &m) && span_find(rest, '/') == rest.n;
}

/* A whole text: one object, and nothing behind it. */
static bool whole(const struct editor *editor, struct span text)
{
    size_t begin = skip_space(text, text_mark(text));
    size_t end = begin < text.n && text.p[begin] == '{' ? skip_value(text, begin) : 0;
    if (!end || skip_space(text, end) != text.n)
        return false;
    if (editor != &edit_json)
        return true;
    struct span body = span_from(text, text_mark(text));
    json_t *parsed = json_loadb(body.p, body.n, 0, NULL);
    json_decref(parsed);
    return parsed != NULL;
}

/* The blanks before the object's first member, or before the line of its brace and four more. */
static void indent_of(struct span text, size_t object, struct buf *indent)
{
    size_t first = skip_space(text, object + 1), line;
    struct span head = span_make(text.p + object, first - object);
    if (first < text.n && text.p[first] != '}' && span_find(head, '\n') < head.n) {
        line = text_line(text, first);
        size_t end = text_skip_blanks(text, line);
        buf_add(indent, text.p + line, end - line);
        return;
    }
    line = text_line(text, object);
    buf_add(indent, text.p + line, text_skip_blanks(text, line) - line);
    buf_add_str(indent, "    ");
}

static void new_line(struct buf *add, struct span newline, const struct buf *indent, size_t deeper)
{
    buf_add_span(add, newline);
    buf_add_span(add, buf_span(indent));
    while (deeper--)
        buf_add_str(add, "    ");
}

/* A new member at the beginning of the object: `names` with a slash make objects within objects. */
static bool insert(struct buf *text, size_t object, struct span names, struct span value)
{
    struct span all = buf_span(text), newline = text_newline(all), name;
    struct buf add = {0}, indent = {0};
    size_t first = skip_space(all, object + 1), depth = 0;
    struct span gap = span_make(all.p + object + 1, first - object - 1);
    bool alone = all.p[first] == '}', one_line = span_find(gap, '\n') == gap.n;
    indent_of(all, object, &indent);
    for (name = span_cut(&names, '/'); names.n; name = span_cut(&names, '/'), depth++) {
        new_line(&add, newline, &indent, depth);
        buf_addf(&add, "\"%.*s\": {", SPAN_ARG(name));
    }
    new_line(&add, newline, &indent, depth);
    buf_addf(&add, "\"%.*s\": %.*s", SPAN_ARG(name), SPAN_ARG(value));
    while (depth--) {
        new_line(&add, newline, &indent, depth);
        buf_add_str(&add, "}");
    }
    if (!alone)
        buf_add_str(&add, ",");
    if (alone && one_line) {
        size_t line = text_line(all, object);
        buf_add_span(&add, newline);
        buf_add(&add, all.p + line, text_skip_blanks(all, line) - line);
    } else if (one_line && !gap.n) {
        new_line(&add, newline, &indent, 0);
    }
    bool ok = text_splice(text, object + 1, 0, buf_span(&add));
    buf_free(&add);
    buf_free(&indent);
    return ok;
}

static bool put(const struct editor *editor, struct buf *text, const char *key, struct span value,
                struct err *e)
{
    size_t object;
    struct span rest;
    struct member m = {0};
    if (text_is_blank(buf_span(text)))
        buf_add_str(text, "{}\n");
    if (!whole(editor, buf_span(text)) || !walk(buf_span(text), key, &object, &rest, &m))
        return err_set(e, ERR_CONFIG, "it is not the JSON object that it should be");
    bool ok = rest.n ? insert(text, object, rest, value) : text_splice(text, m.value, m.end - m.value, value);
    return ok || err_set(e, ERR_LIMIT, "the file is too large");
}

/* Takes out the member, its comma, and its line where it had one for itself. */
static void cut(struct buf *text, size_t object, const struct member *m)
{
    struct span all = buf_span(text);
    size_t begin = m->begin, end = m->comma ? m->comma + 1 : m->end;
    size_t line = text_line(all, begin), after = text_skip_blanks(all, end);
    if (text_skip_blanks(all, line) == begin &&
        (after == all.n || all.p[after] == '\r' || all.p[after] == '\n')) {
        begin = line;
        end = text_next_line(all, after);
    } else if (m->comma) {
        end = after;
    }
    text_splice(text, begin, end - begin, SPAN(""));
    if (m->comma)
        return;
    /* It was the last: the comma of the one before it goes, too. */
    struct member one, last = {0};
    size_t at = object + 1;
    while (at < begin && next_member(buf_span(text), &at, &one) == STEP_MEMBER && one.begin < begin)
        last = one;
    if (last.comma)
        text_splice(text, last.comma, 1, SPAN(""));
}

static bool no_members(struct span text, size_t object)
{
    size_t at = skip_space(text, object + 1);
    return at < text.n && text.p[at] == '}';
}

static void drop(const struct editor *editor, struct buf *text, const char *key, struct span value,
                 bool prune)
{
    size_t object;
    struct span rest;
    struct member m = {0};
    if (!walk(buf_span(text), key, &object, &rest, &m) || rest.n)
        return;
    cut(text, object, &m);
    struct span above = span_str(key);
    above = span_head(above, span_rfind(above, '/'));
    if (!prune || above.n == strlen(key) || !no_members(buf_span(text), object))
        return;
    char *parent = span_dup(above);
    drop(editor, text, parent, value, prune);
    free(parent);
}

static bool same(struct span a, struct span b)
{
    json_t *x = json_loadb(a.p, a.n, JSON_DECODE_ANY, NULL), *y = json_loadb(b.p, b.n, JSON_DECODE_ANY, NULL);
    bool equal = x && y && json_equal(x, y);
    json_decref(x);
    json_decref(y);
    return equal;
}

static bool empty(struct span text)
{
    size_t at = text_mark(text);
    while (at < text.n && strchr(" \t\r\n", text.p[at]) && text.p[at])
        at++;
    if (at >= text.n || text.p[at] != '{')
        return false;
    struct span inside = span_from(text, at + 1);
    size_t close = span_find(inside, '}');
    return close < inside.n && text_is_blank(span_head(inside, close)) &&
           text_is_blank(span_from(inside, close + 1));
}

const struct editor edit_json = {"json", get, put, drop, holds, same, empty, NULL};
const struct editor edit_jsonc = {"jsonc", get, put, drop, holds, same, empty, NULL};
