/*
 * The line parser of configuration files: one line at a time, no allocation, no recursion; views into the
 * text it was given. What a section or key means is known to keys.c and load.c alone. A line may hold a
 * password that somebody typed in the wrong place, so errors never quote it. Pure functions, any thread.
 */
#include "config/ini.h"

#include <ctype.h>

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

void ini_start(struct ini *ini, struct span text)
{
    if (span_starts(text, SPAN("\xEF\xBB\xBF")))
        text = span_from(text, 3);
    *ini = (struct ini){.rest = text};
}

/* Length of the UTF-8 sequence at the front of s (RFC 3629 section 4), 0 when it is not one. */
static size_t utf8_length(struct span s)
{
    static const struct {
        unsigned char first, last, second_from, second_to;
        size_t n;
    } forms[] = {
        {0x00, 0x7F, 0, 0, 1},       {0xC2, 0xDF, 0x80, 0xBF, 2}, {0xE0, 0xE0, 0xA0, 0xBF, 3},
        {0xE1, 0xEC, 0x80, 0xBF, 3}, {0xED, 0xED, 0x80, 0x9F, 3}, {0xEE, 0xEF, 0x80, 0xBF, 3},
        {0xF0, 0xF0, 0x90, 0xBF, 4}, {0xF1, 0xF3, 0x80, 0xBF, 4}, {0xF4, 0xF4, 0x80, 0x8F, 4},
    };
    const unsigned char *p = (const unsigned char *)s.p;
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        if (p[0] < forms[i].first || p[0] > forms[i].last)
            continue;
        size_t n = forms[i].n;
        if (n > s.n || (n > 1 && (p[1] < forms[i].second_from || p[1] > forms[i].second_to)))
            return 0;
        for (size_t k = 2; k < n; k++)
            if (p[k] < 0x80 || p[k] > 0xBF)
                return 0;
        return n;
    }
    return 0;
}

bool ini_check(struct span s, struct err *e)
{
    while (s.n) {
        unsigned char c = (unsigned char)s.p[0];
        if ((c < 0x20 && c != '\t') || c == 0x7F)
            return err_set(e, ERR_CONFIG, "a control character (0x%02x)", c);
        size_t n = utf8_length(s);
        if (n == 0)
            return err_set(e, ERR_CONFIG, "not UTF-8");
        s = span_from(s, n);
    }
    return true;
}

/* Without a comment at its end. A # begins one at the front or behind white space, unless it stands between
   double quotes. `after`: what stands before the front, so that "key =#x" is no comment. */
static struct span cut_comment(struct span s, char after)
{
    bool quoted = false;
    for (size_t i = 0; i < s.n; i++) {
        char before = i ? s.p[i - 1] : after;
        if (s.p[i] == '#' && !quoted && is_blank(before))
            return span_head(s, i);
        if (s.p[i] == '"')
            quoted = !quoted;
        else if (s.p[i] == '\\' && quoted)
            i++;
    }
    return s;
}

static bool read_section(struct span s, struct ini_line *line, struct err *e)
{
    size_t end = span_find(s, ']');
    if (end == s.n)
        return err_set(e, ERR_CONFIG, "a section header without its closing bracket");
    if (span_trim(cut_comment(span_from(s, end + 1), ']')).n)
        return err_set(e, ERR_CONFIG,
                       "text behind a section header; a comment there needs a blank before its #");
    struct span inside = span_trim(span_head(s, end));
    if (!ini_check(inside, e))
        return false;
    line->section = span_word(&inside);
    line->name = span_trim(inside);
    return line->section.n ? true : err_set(e, ERR_CONFIG, "a section header without a name");
}

static bool is_key(struct span s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!isalnum((unsigned char)s.p[i]) && s.p[i] != '-' && s.p[i] != '_')
            return false;
    return s.n > 0;
}

static bool read_pair(struct span s, struct ini_line *line, struct err *e)
{
    size_t equals = span_find(s, '=');
    struct span key = span_trim(span_head(s, equals));
    if (s.p[0] == ';')
        return err_set(e, ERR_CONFIG, "a comment begins with #, not with ;");
    if (equals == s.n || !is_key(key))
        return err_set(e, ERR_CONFIG, "expected [section], key = value or # comment");
    struct span value = cut_comment(span_from(s, equals + 1), '=');
    if (!ini_check(value, e))
        return false;
    line->key = key;
    line->value = span_trim(value);
    return true;
}

enum ini_kind ini_next(struct ini *ini, struct ini_line *line, struct err *e)
{
    *line = (struct ini_line){0};
    while (ini->rest.n) {
        struct span s = span_cut(&ini->rest, '\n');
        ini->line++;
        if (s.n && s.p[s.n - 1] == '\r')
            s.n--;
        if (span_find(s, '\0') != s.n) {
            err_set(e, ERR_CONFIG, "a NUL byte; save the file as plain text in UTF-8");
            return INI_BROKEN;
        }
        s = span_trim(s);
        if (s.n == 0 || s.p[0] == '#')
            continue;
        if (s.p[0] == '[')
            return read_section(span_from(s, 1), line, e) ? INI_SECTION : INI_BROKEN;
        return read_pair(s, line, e) ? INI_PAIR : INI_BROKEN;
    }
    return INI_END;
}

/* Takes a quoted text, whose opening quote is at the front, off *rest. */
static bool unquote(struct span *rest, struct buf *out, struct err *e)
{
    for (size_t i = 1; i < rest->n; i++) {
        char c = rest->p[i];
        if (c == '"') {
            *rest = span_from(*rest, i + 1);
            return true;
        }
        if (c == '\\' && i + 1 < rest->n && (rest->p[i + 1] == '"' || rest->p[i + 1] == '\\'))
            c = rest->p[++i];
        buf_add(out, &c, 1);
    }
    return err_set(e, ERR_CONFIG, "a double quote is not closed");
}

/* Double quotes that stand inside a text are part of it, but must come in pairs: cut_comment saw them as
 * such. */
static bool quotes_paired(struct span s)
{
    bool quoted = false;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '"')
            quoted = !quoted;
        else if (s.p[i] == '\\' && quoted)
            i++;
    }
    return !quoted;
}

bool ini_value(struct span value, struct buf *out, struct err *e)
{
    buf_clear(out);
    if (value.n == 0 || value.p[0] != '"') {
        buf_add_span(out, value);
        return quotes_paired(value) || err_set(e, ERR_CONFIG, "a double quote is not closed");
    }
    if (!unquote(&value, out, e))
        return false;
    return value.n == 0 || err_set(e, ERR_CONFIG, "text behind the closing double quote");
}

int ini_item(struct span *rest, struct buf *out, struct err *e)
{
    buf_clear(out);
    *rest = span_trim(*rest);
    if (rest->n == 0)
        return 0;
    if (rest->p[0] == '"') {
        if (!unquote(rest, out, e))
            return -1;
        if (rest->n == 0 || is_blank(rest->p[0]))
            return 1;
        err_set(e, ERR_CONFIG, "text behind the closing double quote");
        return -1;
    }
    buf_add_span(out, span_word(rest));
    if (span_find(buf_span(out), '"') == out->n)
        return 1;
    err_set(e, ERR_CONFIG, "a double quote inside a word; put the whole word in double quotes");
    return -1;
}

static void put(struct buf *out, struct span text, bool quotes)
{
    if (!quotes) {
        buf_add_span(out, text);
        return;
    }
    buf_add_str(out, "\"");
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] == '"' || text.p[i] == '\\')
            buf_add_str(out, "\\");
        buf_add(out, text.p + i, 1);
    }
    buf_add_str(out, "\"");
}

void ini_put_value(struct buf *out, struct span text)
{
    put(out, text,
        text.n == 0 || span_trim(text).n != text.n || span_find(text, '#') != text.n ||
            span_find(text, '"') != text.n);
}

void ini_put_item(struct buf *out, struct span text)
{
    struct span rest = text;
    put(out, text,
        span_word(&rest).n != text.n || text.n == 0 || span_find(text, '#') != text.n ||
            span_find(text, '"') != text.n);
}
