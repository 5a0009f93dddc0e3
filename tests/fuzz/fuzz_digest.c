/*
 * A session with a proxy that says anything: the input's lines are challenges, Authentication-Info fields and users, in turn. Every answer must
 * be one well-formed challenge-like field that gives back nonce, opaque and realm, and must not hold the password.
 */
#include <stdlib.h>

#include "keys/digest.h"

#define PASSWORD "correct horse battery"

static void need(bool ok)
{
    if (!ok)
        abort();
}

static void need_echo(const struct challenge *answer, const struct challenge *asked, const char *name)
{
    const char *wanted = challenge_param(asked, name), *got = challenge_param(answer, name);
    need(wanted ? got && strcmp(wanted, got) == 0 : !got);
}

static void check_answer(struct span header, const struct challenge *asked, const char *nonce)
{
    struct challenge_list list;
    challenge_list_read(&list, header);
    need(list.n == 1 && list.bad == 0);
    const struct challenge *answer = &list.items[0];
    need_echo(answer, asked, "realm");
    need_echo(answer, asked, "opaque");
    need(strcmp(challenge_param(answer, "nonce"), nonce) == 0);
    const char *uri = challenge_param(answer, "uri"), *nc = challenge_param(answer, "nc");
    need(uri && strcmp(uri, "http://origin.example/\"\\") == 0);
    need(!nc == !challenge_param(answer, "qop") && (!nc || strlen(nc) == 8));
    need(!challenge_param(answer, "username") != !challenge_param(answer, "username*"));
    need(!memmem(header.p, header.n, PASSWORD, sizeof PASSWORD - 1));
    challenge_list_free(&list);
}

static void ask(struct digest *d, const struct challenge *asked, const char *nonce, struct span user)
{
    struct digest_request r = {
        .user = user,
        .password = SPAN(PASSWORD),
        .method = SPAN("POST"),
        .uri = SPAN("http://origin.example/\"\\"),
        .body = user,
        .body_known = user.n % 2 == 0,
    };
    struct secret header = {0};
    if (digest_authorize(d, &r, &header) == DIGEST_HEADER)
        check_answer(secret_reveal(&header), asked, nonce);
    else
        need(!secret_present(&header));
    secret_free(&header);
}

/* The first challenge of a line into the session; *asked keeps it. */
static bool take(struct digest *d, struct span line, struct challenge_list *asked)
{
    struct challenge_list list;
    bool stale;
    const char *why = NULL;
    challenge_list_read(&list, line);
    if (list.n && digest_take_challenge(d, &list.items[0], &stale, &why)) {
        need(digest_answerable(&list.items[0]) && digest_has_nonce(d));
        challenge_list_free(asked);
        *asked = list;
        return true;
    }
    need(!list.n || (why && !digest_answerable(&list.items[0])));
    challenge_list_free(&list);
    return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (memmem(data, size, PASSWORD, sizeof PASSWORD - 1))
        return 0; /* found by the fuzzer itself, which sees what we compare */
    struct span rest = span_make((const char *)data, size);
    struct digest *d = digest_new();
    struct challenge_list asked = {0};
    char *nonce = NULL;
    for (int lines = 0; rest.n && lines < 30; lines++) {
        if (take(d, span_cut(&rest, '\n'), &asked)) {
            free(nonce);
            nonce = mem_strdup(challenge_param(&asked.items[0], "nonce"));
        }
        struct span user = span_cut(&rest, '\n');
        if (asked.n)
            ask(d, &asked.items[0], nonce, user);
        struct span info_line = span_cut(&rest, '\n');
        struct challenge info;
        bool right = digest_take_info(d, info_line);
        if (asked.n && right && challenge_read_info(&info, info_line)) {
            if (challenge_param(&info, "nextnonce")) {
                free(nonce);
                nonce = mem_strdup(challenge_param(&info, "nextnonce"));
            }
            challenge_free(&info);
        }
        if (asked.n)
            ask(d, &asked.items[0], nonce, user);
    }
    free(nonce);
    challenge_list_free(&asked);
    digest_free(d);
    return 0;
}
