/*
 * Words for heads (practice_words.h): a table by scheme for what exeat says, and one for what the proxy answers.
 */
#include "cli/practice_words.h"

static const struct {
    const char *scheme, *words;
} proofs[] = {
    {"Negotiate", "with a token, which is no password"},
    {"NTLM", "with a token, which is no password"},
    {"Digest", "with a hash made of the password and the proxy's nonce, and one of the user's name"},
    {"Basic", "with user and password, which Basic only packs"},
};

static const char *of_request(const struct head *h)
{
    const struct field *f = head_field(h, "Proxy-Authorization");
    if (!f)
        return "nothing about who we are";
    struct span value = f->value, scheme = span_word(&value);
    for (size_t i = 0; i < sizeof proofs / sizeof *proofs; i++)
        if (span_ieq(scheme, span_str(proofs[i].scheme)))
            return proofs[i].words;
    return "with an answer of another kind";
}

/* "Negotiate TOKEN", "NTLM TOKEN": one more leg of a handshake. */
static bool is_leg(const struct head *h)
{
    const struct field *f = head_field(h, "Proxy-Authenticate");
    struct span value = f ? f->value : SPAN(""), scheme = span_word(&value);
    return (span_ieq(scheme, SPAN("Negotiate")) || span_ieq(scheme, SPAN("NTLM"))) && span_trim(value).n;
}

static const char *of_answer(const struct head *h)
{
    if (h->status == 407)
        return is_leg(h) ? "not yet; a challenge, to be answered on this connection"
                         : "no; sign in by one of these";
    if (h->status < 200)
        return "go on";
    return h->status < 400 ? "let through" : "an error";
}

const char *practice_words(const struct head *h)
{
    return h->method.n ? of_request(h) : of_answer(h);
}
