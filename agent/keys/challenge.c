/*
 * The grammar of challenges (RFC 9110 section 11): one pass over each field line, left to right, no
 * recursion, no byte read more than a few times.
 *
 * The split rule: behind a comma, `token BWS "="` goes on with the parameters of the challenge before it; any
 * other token begins a new challenge. A token68 is tried before a parameter, and only where it reaches up to
 * a comma or the end of the line: so the "=" that pads a token68 is never taken for a parameter.
 *
 * What is malformed drops its challenge alone: the scan goes on behind the next comma outside quotes, and
 * parameters that still belong to the dropped challenge are read and forgotten. We are a little more generous
 * than the grammar in one place, because real proxies are wrong there: an unquoted value may hold any visible
 * byte but comma, quote and backslash (`nonce=abc==`).
 *
 * Pure; the caller owns the list. Any thread.
 */
#include "keys/challenge.h"

#include <stdlib.h>

/* Nobody means more than this; it also keeps the look for repeated names linear. */
#define CHALLENGES_MAX 64
#define PARAMS_MAX     64

struct scan {
    struct span s;
    size_t at;
};

static bool scan_end(const struct scan *scan)
{
    return scan->at >= scan->s.n;
}

/* -1 at the end. */
static int scan_peek(const struct scan *scan)
{
    return scan_end(scan) ? -1 : (unsigned char)scan->s.p[scan->at];
}

static bool scan_blank(struct scan *scan)
{
    size_t from = scan->at;
    while (scan_peek(scan) == ' ' || scan_peek(scan) == '\t')
        scan->at++;
    return scan->at > from;
}

/* Is this where a list member may end? Looks behind white space without taking it. */
static bool scan_at_member_end(const struct scan *scan)
{
    struct scan ahead = *scan;
    scan_blank(&ahead);
    return scan_end(&ahead) || scan_peek(&ahead) == ',';
}

static bool is_alnum(int c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

static bool is_token(int c) /* RFC 9110 section 5.6.2 */
{
    return is_alnum(c) || (c > 0 && strchr("!#$%&'*+-.^_`|~", c));
}

static bool is_token68(int c) /* RFC 9110 section 11.2 */
{
    return is_alnum(c) || (c > 0 && strchr("-._~+/", c));
}

static bool is_loose_value(int c)
{
    return c > ' ' && c != 0x7f && c != ',' && c != '"' && c != '\\';
}

static bool
is_quotable(int c) /* qdtext, what a backslash may stand before, and obs-text (RFC 9110 section 5.6.4) */
{
    return c == '\t' || (c >= ' ' && c != 0x7f);
}

static struct span scan_while(struct scan *scan, bool (*wanted)(int))
{
    size_t from = scan->at;
    while (!scan_end(scan) && wanted(scan_peek(scan)))
        scan->at++;
    return span_make(scan->s.p + from, scan->at - from);
}

/* A quoted-string, unquoted; NULL: malformed or never closed. */
static char *scan_quoted(struct scan *scan)
{
    size_t from = ++scan->at; /* behind the opening quote */
    while (scan_peek(scan) != '"') {
        if (scan_peek(scan) == '\\')
            scan->at++;
        if (!is_quotable(scan_peek(scan)))
            return NULL;
        scan->at++;
    }
    struct span raw = span_make(scan->s.p + from, scan->at - from);
    scan->at++;
    char *value = mem_alloc(raw.n + 1);
    size_t n = 0;
    for (size_t i = 0; i < raw.n; i++) {
        if (raw.p[i] == '\\')
            i++;
        value[n++] = raw.p[i];
    }
    value[n] = '\0';
    return value;
}

/* Up to the next comma that is not between quotes. */
static void scan_skip_member(struct scan *scan)
{
    bool quoted = false;
    for (; !scan_end(scan); scan->at++) {
        int c = scan_peek(scan);
        if (c == '"')
            quoted = !quoted;
        else if (c == '\\' && quoted)
            scan->at++;
        else if (c == ',' && !quoted)
            break;
    }
    if (scan->at > scan->s.n)
        scan->at = scan->s.n;
}

static char *lower_dup(struct span s)
{
    char *copy = span_dup(s);
    for (char *p = copy; *p; p++)
        if (*p >= 'A' && *p <= 'Z')
            *p += 'a' - 'A';
    return copy;
}

/* Is the next thing a parameter (token BWS "=")? Takes nothing. */
static bool scan_at_param(const struct scan *scan)
{
    struct scan ahead = *scan;
    if (scan_while(&ahead, is_token).n == 0)
        return false;
    scan_blank(&ahead);
    return scan_peek(&ahead) == '=';
}

/* One parameter, up to the end of its list member. false: malformed, repeated, or one too many; the scan
 * stands anywhere in it. */
static bool read_param(struct scan *scan, struct challenge *c)
{
    struct span name = scan_while(scan, is_token);
    scan_blank(scan);
    if (name.n == 0 || scan_peek(scan) != '=' || c->n_params == PARAMS_MAX)
        return false;
    scan->at++;
    scan_blank(scan);
    struct challenge_param param = {.quoted = scan_peek(scan) == '"'};
    if (param.quoted) {
        param.value = scan_quoted(scan);
    } else {
        struct span value = scan_while(scan, is_loose_value);
        param.value = value.n ? span_dup(value) : NULL;
    }
    if (!param.value)
        return false;
    param.name = lower_dup(name);
    if (!scan_at_member_end(scan) || challenge_param(c, param.name)) {
        free(param.name);
        free(param.value);
        return false;
    }
    c->params = mem_grow(c->params, (c->n_params + 1) * sizeof *c->params);
    c->params[c->n_params++] = param;
    return true;
}

/* A token68 that fills its list member; otherwise nothing is taken. */
static bool read_token68(struct scan *scan, struct challenge *c)
{
    struct scan ahead = *scan;
    if (scan_while(&ahead, is_token68).n == 0)
        return false;
    while (scan_peek(&ahead) == '=')
        ahead.at++;
    if (!scan_at_member_end(&ahead))
        return false;
    c->token68 = span_dup(span_make(scan->s.p + scan->at, ahead.at - scan->at));
    *scan = ahead;
    return true;
}

/* The first list member of a challenge: its scheme, and the token68 or first parameter behind it. */
static bool read_first(struct scan *scan, struct challenge *c)
{
    struct span scheme = scan_while(scan, is_token);
    if (scheme.n == 0)
        return false;
    c->scheme = span_dup(scheme);
    if (scan_at_member_end(scan))
        return true;
    return scan_blank(scan) && (read_token68(scan, c) || read_param(scan, c));
}

/* Where a line is in its challenges. */
enum place { BETWEEN, INSIDE, DROPPING };

static void drop_last(struct challenge_list *list)
{
    challenge_free(&list->items[--list->n]);
}

static void read_member(struct scan *scan, struct challenge_list *list, enum place *place)
{
    size_t from = scan->at;
    if (scan_at_param(scan)) {
        struct challenge forgotten = {0};
        bool goes_on = *place == INSIDE;
        struct challenge *c = goes_on ? &list->items[list->n - 1] : &forgotten;
        /* Behind a token68 no parameter may come; before any scheme neither. */
        bool sound = read_param(scan, c) && !c->token68;
        challenge_free(&forgotten);
        if (goes_on && sound)
            return;
        if (goes_on)
            drop_last(list);
        if (*place != DROPPING)
            list->bad++;
        *place = DROPPING;
    } else if (list->n == CHALLENGES_MAX) {
        list->bad++;
        *place = DROPPING;
    } else {
        list->items = mem_grow(list->items, (list->n + 1) * sizeof *list->items);
        list->items[list->n] = (struct challenge){0};
        *place = INSIDE;
        if (read_first(scan, &list->items[list->n++]))
            return;
        drop_last(list);
        list->bad++;
        *place = DROPPING;
    }
    scan->at = from; /* from its start: we may stand between two quotes */
    scan_skip_member(scan);
}

static void read_line(struct challenge_list *list, struct span line)
{
    struct scan scan = {.s = line};
    enum place place = BETWEEN;
    for (;;) {
        while (scan_blank(&scan) || scan_peek(&scan) == ',')
            scan.at += scan_peek(&scan) == ','; /* empty members are legal (RFC 9110 section 5.6.1.2) */
        if (scan_end(&scan))
            return;
        read_member(&scan, list, &place);
    }
}

void challenge_list_read(struct challenge_list *list, struct span lines)
{
    *list = (struct challenge_list){0};
    while (lines.n)
        read_line(list, span_cut(&lines, '\n'));
}

void challenge_list_free(struct challenge_list *list)
{
    while (list->n)
        drop_last(list);
    free(list->items);
    *list = (struct challenge_list){0};
}

bool challenge_is(const struct challenge *c, const char *scheme)
{
    return c->scheme && span_ieq(span_str(c->scheme), span_str(scheme));
}

const char *challenge_param(const struct challenge *c, const char *name)
{
    for (size_t i = 0; i < c->n_params; i++)
        if (strcmp(c->params[i].name, name) == 0)
            return c->params[i].value;
    return NULL;
}

bool challenge_read_info(struct challenge *c, struct span line)
{
    struct scan scan = {.s = line};
    *c = (struct challenge){0};
    for (;;) {
        while (scan_blank(&scan) || scan_peek(&scan) == ',')
            scan.at += scan_peek(&scan) == ',';
        if (scan_end(&scan))
            return true;
        if (!read_param(&scan, c)) {
            challenge_free(c);
            return false;
        }
    }
}

void challenge_free(struct challenge *c)
{
    for (size_t i = 0; i < c->n_params; i++) {
        free(c->params[i].name);
        free(c->params[i].value);
    }
    free(c->params);
    free(c->scheme);
    free(c->token68);
    *c = (struct challenge){0};
}
