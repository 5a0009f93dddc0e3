/*
 * The words by which other relays name schemes, and what each becomes in auth =. px puts NO, SAFENO and ONLY in front of them. One thread.
 */
#include <stdio.h>

#include "cli/move.h"

#define BASIC "Basic sends the password itself: to a proxy without TLS only with basic-in-clear = yes"
#define OLD   "NTLM is NTLMv2 always: the older ones can be broken by whoever listens"
#define ALL_BUT_BASIC                                                                                        \
    "all schemes but Basic may be answered; name basic in auth = if the proxy takes nothing else"

static const struct auth_word {
    const char *word, *schemes, *note;
} words[] = {
    {"ntlm", "ntlm", NULL},
    {"ntlmv2", "ntlm", NULL},
    {"gss", "negotiate", NULL},
    {"negotiate", "negotiate", NULL},
    {"kerberos", "negotiate", NULL},
    {"digest", "digest", NULL},
    {"basic", "basic", BASIC},
    {"any", "", ALL_BUT_BASIC},
    {"anysafe", "", NULL},
    {"lm", "ntlm", OLD},
    {"nt", "ntlm", OLD},
    {"ntlm2sr", "ntlm", OLD},
};

static const struct auth_word *find(struct span value)
{
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (span_ieq(value, span_str(words[i].word)))
            return &words[i];
    return NULL;
}

/* All that exeat answers unasked, but one. */
static void put_others(struct draft *d, struct span key, const char *without)
{
    static const char *const schemes[] = {"negotiate", "ntlm", "digest"};
    for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++)
        if (strcmp(schemes[i], without) != 0)
            draft_put(d, "upstream", "auth", key, span_str(schemes[i]));
}

static bool take_prefixed(struct draft *d, struct span key, struct span value)
{
    static const struct {
        const char *prefix;
        bool only;
    } rows[] = {{"SAFENO", false}, {"NO", false}, {"ONLY", true}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct auth_word *w = span_istarts(value, span_str(rows[i].prefix))
                                        ? find(span_from(value, strlen(rows[i].prefix)))
                                        : NULL;
        if (!w || !*w->schemes)
            continue;
        if (rows[i].only)
            draft_put(d, "upstream", "auth", key, span_str(w->schemes));
        else
            put_others(d, key, w->schemes);
        if (rows[i].only && w->note)
            draft_note(d, key, w->note);
        return true;
    }
    return false;
}

void move_take_auth(struct draft *d, const struct move_row *row, struct span key, struct span value)
{
    const struct auth_word *w = find(value);
    (void)row;
    if (!value.n)
        return;
    if (span_ieq(value, SPAN("none"))) /* px: the program behind it signs in by itself */
        draft_put(d, "upstream", "client-credentials", key, SPAN("pass"));
    else if (w && *w->schemes)
        draft_put(d, "upstream", "auth", key, span_str(w->schemes));
    else if (!w && !take_prefixed(d, key, value))
        draft_note(d, key, "it names no scheme that exeat knows: see auth =");
    if (w && w->note)
        draft_note(d, key, w->note);
}
