/*
 * How other relays write down their settings: lines of cntlm, the INI file of px, the command line of alpaca, the environment. What they say is
 * untrusted: views into the text, no limits but the draft's own. One thread.
 */
#include <ctype.h>
#include <stdlib.h>

#include "cli/move.h"

static struct span trim_all(struct span s)
{
    while (s.n && isspace((unsigned char)s.p[s.n - 1]))
        s.n--;
    while (s.n && isspace((unsigned char)s.p[0]))
        s = span_from(s, 1);
    return s;
}

static bool is_comment(struct span line)
{
    return line.n == 0 || line.p[0] == '#' || line.p[0] == ';';
}

/* --- cntlm: "Key value" --- */

/* In quotes, up to the second one; else up to a number sign. */
static struct span cntlm_value(struct span text)
{
    if (text.n && text.p[0] == '"') {
        struct span inside = span_from(text, 1);
        size_t end = span_find(inside, '"');
        return span_head(inside, end < inside.n ? end : 0);
    }
    return trim_all(span_head(text, span_find(text, '#')));
}

/* A key is letters and digits. */
static void read_cntlm(struct draft *d, struct span text)
{
    while (text.n) {
        struct span line = trim_all(span_cut(&text, '\n'));
        size_t n = 0;
        if (is_comment(line) || line.p[0] == '[')
            continue;
        while (n < line.n && isalnum((unsigned char)line.p[n]))
            n++;
        struct span value = trim_all(span_from(line, n));
        if (value.n && value.p[0] == '=')
            value = trim_all(span_from(value, 1));
        if (n)
            move_take_one(d, MOVE_CNTLM, span_head(line, n), cntlm_value(value));
    }
}

/* --- px: an INI file as Python reads it --- */

/* One setting, which may go on in lines that begin with a blank; these are joined by blanks. */
static void take_px(struct draft *d, struct buf *entry)
{
    struct span text = buf_span(entry);
    size_t equals = span_find(text, '='), colon = span_find(text, ':');
    size_t end = equals < colon ? equals : colon;
    struct span value = trim_all(span_from(text, end + 1));
    if (end < text.n && value.n)
        move_take_one(d, MOVE_PX, trim_all(span_head(text, end)), value);
    if (entry->p)
        secret_wipe(entry->p, entry->cap);
    buf_clear(entry);
}

static void read_px(struct draft *d, struct span text)
{
    struct buf entry = {0};
    while (text.n) {
        struct span whole = span_cut(&text, '\n'), line = trim_all(whole);
        bool goes_on = entry.n && line.n && isspace((unsigned char)whole.p[0]);
        if (line.n && is_comment(line))
            continue;
        if (goes_on)
            buf_add_str(&entry, " ");
        else
            take_px(d, &entry);
        if (line.n && line.p[0] != '[')
            buf_add_span(&entry, line);
    }
    take_px(d, &entry);
    buf_free(&entry);
}

static bool looks_like_px(struct span text)
{
    static const char *const headers[] = {"[proxy]", "[client]", "[settings]"};
    while (text.n) {
        struct span line = trim_all(span_cut(&text, '\n'));
        for (size_t i = 0; i < sizeof headers / sizeof *headers; i++)
            if (span_ieq(line, span_str(headers[i])))
                return true;
    }
    return false;
}

bool move_read_file(struct draft *d, struct span text, enum move_from *from)
{
    if (span_starts(text, SPAN("\xEF\xBB\xBF")))
        text = span_from(text, 3);
    *from = looks_like_px(text) ? MOVE_PX : MOVE_CNTLM;
    if (*from == MOVE_PX)
        read_px(d, text);
    else
        read_cntlm(d, text);
    move_finish(d);
    return *from == MOVE_PX || d->n_known > 0;
}

/* --- alpaca: flags as Go reads them --- */

/* The next word of a shell's line into `word`. 1: there is one; 0: no more; -1: a quote is not closed. */
static int next_word(struct span *rest, struct buf *word)
{
    char quote = 0;
    *rest = trim_all(*rest);
    buf_clear(word);
    if (!rest->n)
        return 0;
    size_t i = 0;
    for (; i < rest->n && (quote || !isspace((unsigned char)rest->p[i])); i++) {
        char c = rest->p[i];
        if (c == quote)
            quote = 0;
        else if (!quote && (c == '"' || c == '\''))
            quote = c;
        else if (c == '\\' && quote != '\'' && i + 1 < rest->n)
            buf_add(word, &rest->p[++i], 1);
        else
            buf_add(word, &c, 1);
    }
    *rest = span_from(*rest, i);
    return quote ? -1 : 1;
}

static bool flag_takes_value(struct span name)
{
    static const char *const plain[] = {"-H", "-q", "-no-kerberos", "-enable-socks", "-version"};
    for (size_t i = 0; i < sizeof plain / sizeof *plain; i++)
        if (span_eq(name, span_str(plain[i])))
            return false;
    return true;
}

bool move_is_flags(struct span line)
{
    struct span first = span_word(&line);
    size_t slash = span_rfind(first, '/');
    return span_eq(slash < first.n ? span_from(first, slash + 1) : first, SPAN("alpaca"));
}

/* "-name value", "-name=value", with one dash or two. */
static bool read_flag(struct draft *d, struct span word, struct span *rest)
{
    struct buf value = {0};
    struct span name = span_starts(word, SPAN("--")) ? span_from(word, 1) : word;
    size_t equals = span_find(name, '=');
    bool apart = equals == name.n;
    buf_add_span(&value, span_from(name, equals + 1));
    name = span_head(name, equals);
    bool good = !apart || !flag_takes_value(name) || next_word(rest, &value) >= 0;
    if (good)
        move_take_one(d, MOVE_ALPACA, name, buf_span(&value));
    buf_free(&value);
    return good;
}

static void read_alpaca_variables(struct draft *d)
{
    static const char *const names[] = {"NTLM_USERNAME", "NTLM_DOMAIN", "NTLM_CREDENTIALS",
                                        "BASIC_CREDENTIALS", "ALPACA_PROXY_AUTH_ALLOWLIST"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct span value = span_str(getenv(names[i]));
        if (value.n)
            move_take_one(d, MOVE_ALPACA, span_str(names[i]), value);
    }
}

bool move_read_flags(struct draft *d, struct span line)
{
    struct buf word = {0};
    int found = next_word(&line, &word); /* the program */
    read_alpaca_variables(d);            /* flags come before them there, so they are taken later here */
    while (found > 0 && (found = next_word(&line, &word)) > 0) {
        bool flag = word.n > 1 && word.p[0] == '-';
        if (!flag)
            draft_note(d, SPAN("a word that is no flag"), "alpaca takes none");
        else if (!read_flag(d, buf_span(&word), &line))
            found = -1;
    }
    buf_free(&word);
    move_finish(d);
    return found == 0;
}

/* --- the environment --- */

/* "exeat env" leaves our own address there, as the recipes for other relays on this port do. */
static bool is_own_address(struct span url)
{
    static const char *const forms[] = {"127.0.0.1:3128", "localhost:3128", "[::1]:3128"};
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++)
        if (span_ieq(move_authority(url), span_str(forms[i])))
            return true;
    return false;
}

/* The first that names a proxy is for everything. */
static void read_proxy_variables(struct draft *d)
{
    static const char *const names[] = {"https_proxy", "HTTPS_PROXY", "http_proxy",
                                        "HTTP_PROXY",  "all_proxy",   "ALL_PROXY"};
    struct span first = {0};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct span value = trim_all(span_str(getenv(names[i])));
        if (!value.n)
            continue;
        if (is_own_address(value))
            draft_note(d, span_str(names[i]),
                       "it names 127.0.0.1:3128, where exeat itself listens: that would be a circle");
        else if (!first.n)
            move_take_one(d, MOVE_ENVIRONMENT, span_str(names[i]), first = value);
        else if (!span_ieq(move_authority(first), move_authority(value)))
            draft_note(
                d, span_str(names[i]),
                "it names another proxy; exeat goes one way for http and https: see rule = and proxy =");
    }
}

void move_read_environment(struct draft *d)
{
    static const char *const rows[][3] = {{"no_proxy", "NO_PROXY", NULL}, {"auto_proxy", NULL}};
    read_proxy_variables(d);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (size_t k = 0; rows[i][k]; k++) {
            struct span value = trim_all(span_str(getenv(rows[i][k])));
            if (!value.n)
                continue;
            move_take_one(d, MOVE_ENVIRONMENT, span_str(rows[i][k]), value);
            break;
        }
    move_finish(d);
}
