/*
 * exeat setup: the first configuration, by questions. Each has a default; nothing is on the disk before all is answered, shown and tried, and then all of
 * it at once, so that whoever leaves in between leaves nothing behind. One thread.
 */
#include "cli/setup.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cli/new_config.h"
#include "cli/say.h"
#include "cli/verb.h"
#include "config/config.h"

#define NOTHING    "nothing was written"
#define USUAL_HERE "localhost 127.0.0.0/8 ::1"

struct setup {
    struct draft draft;
    struct guess guess;
    struct look_at seen;
    struct secret password;
    const char *elsewhere; /* --output */
    char *path;
    bool force;
};

/* --- values --- */

/* What the parser did not like about the last answer. */
static void show_notes(struct draft *d)
{
    struct span notes = buf_span(&d->notes);
    span_cut(&notes, ' ');
    say_clean(stdout, notes);
    buf_clear(&d->notes);
}

static bool put(struct draft *d, const char *section, const char *key, struct span value)
{
    bool good = draft_put(d, section, key, SPAN(""), value);
    if (!good)
        show_notes(d);
    return good;
}

/* --- the proxy --- */

/* What stands before an "@" is no part of the address: the name becomes a guess, and the password is asked for, unseen. */
static struct span without_user(struct setup *s, struct span url)
{
    const char *slashes = memmem(url.p, url.n, "://", 3);
    size_t front = slashes ? (size_t)(slashes - url.p) + 3 : 0, at = span_rfind(url, '@');
    if (at == url.n || at < front)
        return span_make(NULL, 0);
    struct span who = span_make(url.p + front, at - front);
    buf_clear(&s->guess.user);
    buf_add_span(&s->guess.user, span_head(who, span_find(who, ':')));
    puts("The name and password before the @ are left out: both are asked for, where the proxy wants them.");
    return span_from(url, at + 1);
}

static bool put_proxy(struct setup *s, struct span answer)
{
    struct buf url = {0};
    struct span rest = answer.n ? without_user(s, answer) : answer;
    const char *slashes = answer.n ? memmem(answer.p, answer.n, "://", 3) : NULL;
    draft_drop(&s->draft, "upstream", "proxy");
    draft_drop(&s->draft, "upstream", "ca");
    if (rest.n && slashes)
        buf_add(&url, answer.p, (size_t)(slashes - answer.p) + 3);
    else if (!slashes)
        buf_add_str(&url, "http://");
    buf_add_span(&url, rest.n ? rest : answer);
    while (url.n && url.p[url.n - 1] == '/')
        url.n--;
    bool good = put(&s->draft, "upstream", "proxy", buf_span(&url));
    buf_free(&url);
    return good;
}

/* The look, again with each certificate that is named for it. false: no more answers. */
static bool look(struct setup *s)
{
    struct buf answer = {0};
    bool more = true;
    setup_look(&s->draft, &s->seen);
    for (int i = 0; i < SETUP_ROUNDS && more && s->seen.unknown_authority; i++) {
        more = setup_ask("File with that authority's certificate (PEM; your administrator has it), or none",
                         "none", &answer);
        if (!more || span_eq(buf_span(&answer), SPAN("none")))
            break;
        draft_drop(&s->draft, "upstream", "ca");
        if (put(&s->draft, "upstream", "ca", buf_span(&answer)))
            setup_look(&s->draft, &s->seen);
    }
    buf_free(&answer);
    return more;
}

/* false: no more answers. */
static bool ask_proxy(struct setup *s)
{
    struct buf answer = {0};
    bool settled = false;
    if (s->guess.from && s->guess.proxy.n)
        printf("(from %s)\n", s->guess.from);
    for (int i = 0; i < SETUP_ROUNDS && !settled; i++) {
        if (!setup_ask("The proxy (HOST:PORT)", buf_cstr(&s->guess.proxy), &answer))
            break;
        if (!answer.n)
            puts("It needs a name and a port, like proxy.corp.example:8080.");
        if (!answer.n || !put_proxy(s, buf_span(&answer)))
            continue;
        if (!look(s))
            break;
        int keep = s->seen.answered ? 1 : setup_ask_yes("Take it all the same", false);
        if (keep < 0)
            break;
        settled = keep == 1;
    }
    buf_free(&answer);
    return settled;
}

/* --- who we are to it --- */

/* Basic is nothing that anybody gets without having said so. false: no more answers, or nothing that could be done with more of them. */
static bool ask_basic(struct setup *s, bool *declined)
{
    puts(s->seen.is_private ? "The proxy takes Basic alone: the password itself is sent to it."
                            : "The proxy takes Basic alone: the password itself is sent to it, and everybody "
                              "on the way can read it.");
    int answer = setup_ask_yes("Do that", s->seen.is_private);
    *declined = answer == 0;
    if (answer == 1) {
        put(&s->draft, "upstream", "auth", SPAN("basic"));
        if (!s->seen.is_private)
            put(&s->draft, "upstream", "basic-in-clear", SPAN("yes"));
    }
    if (!*declined)
        return answer > 0;
    puts("Then exeat cannot sign in there. Ask your administrator whether the proxy can be reached by TLS "
         "(https://HOST:PORT), or offer Negotiate, NTLM or Digest.");
    return setup_ask_yes("Go on without signing in", false) == 1;
}

static bool ask_user(struct setup *s)
{
    struct buf answer = {0};
    const char *name = s->guess.user.n ? buf_cstr(&s->guess.user) : getenv("USER");
    bool domains = s->seen.negotiate || s->seen.ntlm || !s->seen.answered, good = false;
    for (int i = 0; i < SETUP_ROUNDS && !good; i++) {
        if (!setup_ask(domains ? "Your user name there (CORP\\alice, alice@CORP.EXAMPLE or alice)"
                               : "Your user name there",
                       name ? name : "", &answer))
            break;
        if (!answer.n)
            puts("It needs a name.");
        good = answer.n && put(&s->draft, "upstream", "user", buf_span(&answer));
    }
    buf_free(&answer);
    return good;
}

/* Negotiate alone mostly means Kerberos: the password gets the ticket. false: no more answers. */
static bool ask_acquire(struct setup *s)
{
    puts("Without a ticket the password can get one each time; else run kinit before.");
    int answer = setup_ask_yes("Get a Kerberos ticket with the password", true);
    if (answer == 1)
        put(&s->draft, "upstream", "kerberos", SPAN("acquire"));
    return answer >= 0;
}

static bool ask_identity(struct setup *s)
{
    bool only_basic = s->seen.basic && !s->seen.negotiate && !s->seen.ntlm && !s->seen.digest,
         declined = false;
    if (s->seen.answered && !s->seen.asks)
        return true; /* it does not ask, and so do we not */
    if (s->seen.ticket) {
        puts("Your Kerberos ticket is all that it needs.");
        return true;
    }
    if (only_basic && !ask_basic(s, &declined))
        return false;
    if (declined)
        return true;
    if (!ask_user(s) || (s->seen.negotiate && !s->seen.ntlm && !ask_acquire(s)))
        return false;
    setup_ask_password(&s->password);
    return true;
}

/* --- routes --- */

/* A script only where this machine knows of one, or is told to look for one. */
static bool ask_script(struct setup *s)
{
    struct buf answer = {0};
    bool good = true;
    if (s->guess.pac.n) {
        printf("(from %s)\n", s->guess.from);
        good = setup_ask("PAC script (URL or path), or none", buf_cstr(&s->guess.pac), &answer);
        if (good && !span_eq(buf_span(&answer), SPAN("none")))
            put(&s->draft, "route", "pac", buf_span(&answer));
    } else if (s->guess.wpad) {
        printf("(from %s)\n", s->guess.from);
        int wpad = setup_ask_yes("Look for a PAC script in the network (WPAD)", true);
        good = wpad >= 0;
        if (wpad == 1)
            put(&s->draft, "route", "wpad", SPAN("dns"));
    }
    buf_free(&answer);
    return good;
}

static bool ask_routes(struct setup *s)
{
    struct buf answer = {0};
    const char *no_proxy = s->guess.no_proxy.n ? buf_cstr(&s->guess.no_proxy) : USUAL_HERE;
    bool good = ask_script(s) && setup_ask("Reached without the proxy, or none", no_proxy, &answer);
    struct span words = buf_span(&answer), word;
    while (good && !span_eq(buf_span(&answer), SPAN("none")) && (word = span_word(&words)).n)
        put(&s->draft, "route", "no-proxy", word);
    buf_free(&answer);
    return good;
}

/* --- trial --- */

/* Once for each password that is typed. true: go on and write. */
static bool try_it(struct setup *s, struct span text)
{
    struct err e = {0};
    while (secret_present(&s->password)) {
        const char *path = trial_begin(text, &e);
        fflush(stdout);
        int code = path ? new_config_login(path, DRAFT_UPSTREAM, &s->password) : say_failure(&e);
        trial_end();
        secret_free(&s->password);
        if (code == EXIT_DONE)
            return true;
        if (code == EXIT_REFUSED && setup_ask_yes("Type the password again", true) == 1) {
            setup_ask_password(&s->password);
            continue;
        }
        return setup_ask_yes("Write the configuration all the same", false) == 1;
    }
    return true;
}

/* --- what comes after --- */

static void say_start(const struct setup *s)
{
    struct buf line = {0};
    buf_addf(&line, "Start it with \"exeat run%s%s\".\n", s->elsewhere ? " --config " : "",
             s->elsewhere ? s->elsewhere : "");
    say_clean(stdout, buf_span(&line));
    buf_free(&line);
}

/* The service reads the usual place alone. */
static void offer_service(const struct setup *s)
{
    static const char *const known[] = {"systemctl", "--user", "cat", "exeat.socket", NULL};
    static const char *const enable[] = {"systemctl", "--user", "enable", "--now", "exeat.socket", NULL};
    if (s->elsewhere || setup_run(known, true) != 0 ||
        setup_ask_yes("Start exeat now and at each login (systemctl --user enable --now exeat.socket)",
                      true) != 1) {
        say_start(s);
    } else if (setup_run(enable, false) != 0) {
        puts("That did not work.");
        say_start(s);
    } else {
        puts("exeat starts when a program asks for it first; \"exeat status\" shows how it is.");
    }
}

static void offer_programs(void)
{
    static const char *const set[] = {"/proc/self/exe", "apps", "set", "all", NULL};
    if (setup_ask_yes(
            "Point git, npm and the other programs at exeat (exeat apps set all; exeat apps unset takes "
            "it back)",
            false) != 1)
        return;
    if (setup_run(set, false) != 0)
        puts("Not all of that worked; \"exeat apps\" shows how each program stands.");
}

/* --- the whole --- */

static int finish(struct setup *s)
{
    struct buf text = {0}, question = {0}, kept = {0};
    struct err e = {0};
    int code = EXIT_FAILED;
    draft_write(&s->draft, SPAN("answers to \"exeat setup\""), &text);
    printf("\n");
    say_clean(stdout, buf_span(&text));
    printf("\n");
    buf_addf(&question, "%s write this to %s", secret_present(&s->password) ? "Try the password and" : "So",
             s->path);
    bool go = draft_check(buf_span(&text), &e) && setup_ask_yes(buf_cstr(&question), true) == 1 &&
              try_it(s, buf_span(&text));
    if (go && new_config_write(s->path, buf_span(&text), s->force, &kept, &e)) {
        new_config_say(s->path, buf_span(&kept));
        offer_service(s);
        offer_programs();
        code = EXIT_DONE;
    } else if (e.code != ERR_NONE) {
        code = say_failure(&e);
    } else {
        code = say_error(EXIT_FAILED, NOTHING);
    }
    buf_free(&question);
    buf_free(&kept);
    buf_free(&text);
    return code;
}

static int dialogue(struct setup *s)
{
    puts("A few questions; Enter takes what stands in brackets, Ctrl-C leaves everything as it is.\n");
    guess_make(&s->guess);
    if (ask_proxy(s) && ask_identity(s) && ask_routes(s))
        return finish(s);
    if (setup_somebody_answers())
        return say_error(EXIT_FAILED, NOTHING);
    return say_error(EXIT_USAGE, "nobody answers\nRun exeat setup in a terminal, or give it the answers on "
                                 "standard input, a line each; \"exeat import\" asks nothing.");
}

static int run(const struct verb_call *call)
{
    struct err e = {0};
    struct setup s = {.force = verb_given(call, "force"),
                      .elsewhere = verb_value(call, "output"),
                      .path = new_config_path(verb_value(call, "output"), &e)};
    int code;
    secret_start();
    setvbuf(stdin, NULL, _IONBF, 0); /* the password is read past it */
    if (!s.path || !new_config_may(s.path, s.force, &e))
        code = say_failure(&e);
    else if (new_config_agent_runs())
        code = say_error(
            EXIT_FAILED,
            "an agent is running, so there is a configuration already: see \"exeat status\"\nTo begin anew: "
            "exeat stop, then exeat setup --force.");
    else
        code = dialogue(&s);
    draft_free(&s.draft);
    guess_free(&s.guess);
    secret_free(&s.password);
    free(s.path);
    return code;
}

static const struct verb_option options[] = {
    {"output", 'o', "FILE", "write FILE instead of your own exeat.conf"},
    {"force", 'f', NULL, "replace a file that is there, and keep that beside it"},
    {0},
};

const struct verb setup_verb = {
    .name = "setup",
    .arguments = "",
    .summary = "Make the first configuration, by questions",
    .help =
        "Asks for the proxy (and guesses it from the environment, the desktop's settings, git's and apt's), "
        "looks at what the proxy wants, and asks only for "
        "what that needs: nothing where it wants nothing or a Kerberos ticket is there, else a name and a "
        "password. The password is tried once, and stored in the keyring when it was not refused. "
        "The configuration is shown "
        "before it is written; until then nothing is changed. A file that is there already is not replaced "
        "without --force, and then kept as exeat.conf.old.",
    .options = options,
    .run = run,
};
