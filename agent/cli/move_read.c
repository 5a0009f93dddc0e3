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

/* A key is letters and digits; what follows is the value, literally but for quotes around all of it. */
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
        if (value.n >= 2 && value.p[0] == '"' && value.p[value.n - 1] == '"')
            value = span_make(value.p + 1, value.n - 2);
        if (n)
            move_take_one(d, MOVE_CNTLM, span_head(line, n), value);
    }
}

/* --- px: an INI file as Python reads it --- */

static void read_px(struct draft *d, struct span text)
{
    while (text.n) {
        struct span line = trim_all(span_cut(&text, '\n'));
        if (is_comment(line) || line.p[0] == '[')
            continue;
        size_t equals = span_find(line, '='), colon = span_find(line, ':');
        size_t end = equals < colon ? equals : colon;
        struct span value = trim_all(span_from(line, end + 1));
        if (end < line.n && value.n)
            move_take_one(d, MOVE_PX, trim_all(span_head(line, end)), value);
    }
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

enum move_from move_read_file(struct draft *d, struct span text)
{
    enum move_from from = looks_like_px(text) ? MOVE_PX : MOVE_CNTLM;
    if (span_starts(text, SPAN("\xEF\xBB\xBF")))
        text = span_from(text, 3);
    if (from == MOVE_PX)
        read_px(d, text);
    else
        read_cntlm(d, text);
    move_finish(d);
    return from;
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

void move_read_environment(struct draft *d)
{
    static const char *const rows[][5] = {{"https_proxy", "HTTPS_PROXY", "http_proxy", "HTTP_PROXY", NULL},
                                          {"no_proxy", "NO_PROXY", NULL},
                                          {"auto_proxy", NULL}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (size_t k = 0; rows[i][k]; k++) {
            struct span value = span_trim(span_str(getenv(rows[i][k])));
            if (!value.n)
                continue;
            move_take_one(d, MOVE_ENVIRONMENT, span_str(rows[i][k]), value);
            break;
        }
    move_finish(d);
}
