/*
 * exeat setup: the first configuration, by questions. Each has a default; nothing is on the disk before all is answered, shown and tried, and then all of
 * it at once, so that whoever leaves in between leaves nothing behind. One thread.
 */
#include "cli/setup.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/ask_secret.h"
#include "cli/new_config.h"
#include "cli/say.h"
#include "cli/verb.h"
#include "config/config.h"

#define ROUNDS     10 /* of one question */
#define LINE_MOST  ((size_t)4096)
#define USUAL_HERE "localhost 127.0.0.0/8 ::1"
#define SETUP_FILE "setup.conf"

struct setup {
    struct draft draft;
    struct guess guess;
    struct look_at seen;
    struct secret password;
    char *path;
    bool force;
};

static char trial_path[512]; /* what has to go when a signal ends us */

/* --- questions --- */

/* The answer, or the default for an empty line. false: there are no more answers. */
static bool ask(const char *question, const char *otherwise, struct buf *answer)
{
    char *line = NULL;
    size_t size = 0;
    struct buf prompt = {0};
    buf_addf(&prompt, "%s%s%s%s: ", question, *otherwise ? " [" : "", otherwise, *otherwise ? "]" : "");
    say_clean(stdout, buf_span(&prompt));
    buf_free(&prompt);
    fflush(stdout);
    ssize_t n = getline(&line, &size, stdin);
    struct span text = span_trim(span_make(line, n > 0 ? (size_t)n : 0));
    while (text.n && (text.p[text.n - 1] == '\n' || text.p[text.n - 1] == '\r'))
        text = span_trim(span_head(text, text.n - 1));
    buf_clear(answer);
    buf_add_span(answer, text.n ? span_head(text, LINE_MOST) : span_str(otherwise));
    free(line);
    return n > 0;
}

/* 1 yes, 0 no, -1 no more answers. */
static int ask_yes(const char *question, bool otherwise)
{
    struct buf answer = {0};
    int result = -1;
    for (int i = 0; i < ROUNDS && result < 0 && ask(question, otherwise ? "yes" : "no", &answer); i++) {
        if (span_istarts(buf_span(&answer), SPAN("y")))
            result = 1;
        else if (span_istarts(buf_span(&answer), SPAN("n")))
            result = 0;
        else
            puts("Please answer yes or no.");
    }
    buf_free(&answer);
    return result;
}

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

static bool put_proxy(struct draft *d, struct span answer)
{
    struct buf url = {0};
    draft_drop(d, "upstream", "proxy");
    buf_addf(&url, "%s%.*s", answer.n && memmem(answer.p, answer.n, "://", 3) ? "" : "http://",
             SPAN_ARG(answer));
    while (url.n && url.p[url.n - 1] == '/')
        url.n--;
    bool good = put(d, "upstream", "proxy", buf_span(&url));
    buf_free(&url);
    return good;
}

/* false: no more answers. */
static bool ask_proxy(struct setup *s)
{
    struct buf answer = {0};
    bool settled = false;
    if (s->guess.from)
        printf("(from %s)\n", s->guess.from);
    for (int i = 0; i < ROUNDS && !settled; i++) {
        if (!ask("The proxy (HOST:PORT)", buf_cstr(&s->guess.proxy), &answer))
            break;
        if (!answer.n || !put_proxy(&s->draft, buf_span(&answer)))
            continue;
        setup_look(&s->draft, &s->seen);
        int keep = s->seen.answered ? 1 : ask_yes("Take it all the same", false);
        if (keep < 0)
            break;
        settled = keep == 1;
    }
    buf_free(&answer);
    return settled;
}

/* --- who we are to it --- */

/* Basic is nothing that anybody gets without having said so. false: no more answers. */
static bool ask_basic(struct setup *s)
{
    puts(s->seen.is_private ? "The proxy takes Basic alone: the password itself is sent to it."
                            : "The proxy takes Basic alone: the password itself is sent to it, and everybody "
                              "on the way can read it.");
    int answer = ask_yes("Do that", s->seen.is_private);
    if (answer == 1) {
        put(&s->draft, "upstream", "auth", SPAN("basic"));
        if (!s->seen.is_private)
            put(&s->draft, "upstream", "basic-in-clear", SPAN("yes"));
    }
    return answer >= 0;
}

/* false: no more answers. *ticket: nothing else is needed. */
static bool ask_ticket(struct setup *s, bool *ticket)
{
    static const char *const klist[] = {"klist", "-s", NULL};
    *ticket = false;
    if (!s->seen.negotiate)
        return true;
    int answer = ask_yes("Sign in with your Kerberos ticket", setup_run(klist, true) == 0);
    *ticket = answer == 1;
    return answer >= 0;
}

static bool ask_user(struct setup *s)
{
    struct buf answer = {0};
    const char *name = getenv("USER");
    bool domains = s->seen.negotiate || s->seen.ntlm || !s->seen.answered, good = false;
    for (int i = 0; i < ROUNDS && !good; i++) {
        if (!ask(domains ? "Your user name there (CORP\\alice, alice@CORP.EXAMPLE or alice)"
                         : "Your user name there",
                 name ? name : "", &answer))
            break;
        good = answer.n && put(&s->draft, "upstream", "user", buf_span(&answer));
    }
    buf_free(&answer);
    return good;
}

/* One line of a pipe, and no more of it: other answers follow. */
static bool password_from_pipe(struct secret *out)
{
    char *line = NULL;
    size_t size = 0;
    printf("Password: ");
    fflush(stdout);
    ssize_t n = getline(&line, &size, stdin);
    if (n > 0 && line[n - 1] == '\n')
        n--;
    if (n > 0 && (size_t)n <= SECRET_LONGEST)
        secret_set(out, span_make(line, (size_t)n));
    if (line)
        secret_wipe(line, size);
    free(line);
    return secret_present(out);
}

static void ask_password(struct setup *s)
{
    struct err e = {0};
    fflush(stdout);
    if (!(isatty(STDIN_FILENO) ? secret_from_stdin(&s->password, &e) : password_from_pipe(&s->password)))
        puts("No password for now; \"exeat login\" takes it later.");
}

static bool ask_identity(struct setup *s)
{
    bool only_basic = s->seen.basic && !s->seen.negotiate && !s->seen.ntlm && !s->seen.digest, ticket;
    if (s->seen.answered && !s->seen.asks)
        return true; /* it does not ask, and so do we not */
    if (only_basic && !ask_basic(s))
        return false;
    if (!ask_ticket(s, &ticket))
        return false;
    if (ticket)
        return true;
    if (!ask_user(s))
        return false;
    if (s->seen.negotiate && !s->seen.ntlm && ask_yes("Get a Kerberos ticket with the password", true) == 1)
        put(&s->draft, "upstream", "kerberos", SPAN("acquire"));
    ask_password(s);
    return true;
}

/* --- routes --- */

static bool ask_routes(struct setup *s)
{
    struct buf answer = {0};
    const char *no_proxy = s->guess.no_proxy.n ? buf_cstr(&s->guess.no_proxy) : USUAL_HERE;
    bool good = ask("PAC script (URL or path)", s->guess.pac.n ? buf_cstr(&s->guess.pac) : "none", &answer);
    bool none = span_eq(buf_span(&answer), SPAN("none"));
    if (good && !none)
        put(&s->draft, "route", "pac", buf_span(&answer));
    if (good && none) {
        int wpad = ask_yes("Look for a PAC script in the network (WPAD)", false);
        good = wpad >= 0;
        if (wpad == 1)
            put(&s->draft, "route", "wpad", SPAN("dns"));
    }
    good = good && ask("Reached without the proxy, or none", no_proxy, &answer);
    struct span words = buf_span(&answer), word;
    while (good && !span_eq(buf_span(&answer), SPAN("none")) && (word = span_word(&words)).n)
        put(&s->draft, "route", "no-proxy", word);
    buf_free(&answer);
    return good;
}

/* --- trial --- */

static void remove_trial(int number)
{
    unlink(trial_path);
    signal(number, SIG_DFL);
    raise(number);
}

/* The configuration for the trial alone, where it is gone with the session at the latest. */
static bool write_trial(struct span text, struct err *e)
{
    char *directory = config_runtime_dir(e);
    if (!directory)
        return false;
    snprintf(trial_path, sizeof trial_path, "%s/" SETUP_FILE, directory);
    free(directory);
    signal(SIGINT, remove_trial);
    signal(SIGTERM, remove_trial);
    signal(SIGHUP, remove_trial);
    return new_config_write(trial_path, text, true, e);
}

static void end_trial(void)
{
    unlink(trial_path);
    signal(SIGINT, SIG_DFL);
    signal(SIGTERM, SIG_DFL);
    signal(SIGHUP, SIG_DFL);
}

/* Once for each password that is typed. true: go on and write. */
static bool try_it(struct setup *s, struct span text)
{
    struct err e = {0};
    while (secret_present(&s->password)) {
        bool written = write_trial(text, &e);
        fflush(stdout);
        int code = written ? new_config_login(trial_path, DRAFT_UPSTREAM, &s->password) : say_failure(&e);
        end_trial();
        secret_free(&s->password);
        if (code == EXIT_DONE)
            return true;
        if (code == EXIT_REFUSED && ask_yes("Type the password again", true) == 1) {
            ask_password(s);
            continue;
        }
        return ask_yes("Write the configuration all the same", false) == 1;
    }
    return true;
}

/* --- what comes after --- */

static void offer_service(void)
{
    static const char *const known[] = {"systemctl", "--user", "cat", "exeat.service", NULL};
    static const char *const enable[] = {"systemctl", "--user", "enable", "--now", "exeat.socket", NULL};
    if (setup_run(known, true) != 0)
        puts("Start it with \"exeat run\".");
    else if (ask_yes("Start exeat now and at each login (systemctl --user enable --now exeat.socket)",
                     true) != 1)
        puts("Start it with \"exeat run\".");
    else if (setup_run(enable, false) != 0)
        puts("That did not work; start it with \"exeat run\".");
}

static void offer_programs(void)
{
    static const char *const set[] = {"/proc/self/exe", "apps", "set", "all", NULL};
    if (ask_yes("Point git, npm and the other programs at exeat (exeat apps set all; exeat apps unset takes "
                "it back)",
                false) == 1)
        setup_run(set, false);
}

/* --- the whole --- */

static int finish(struct setup *s)
{
    struct buf text = {0};
    struct err e = {0};
    int code = EXIT_FAILED;
    draft_write(&s->draft, SPAN("answers to \"exeat setup\""), &text);
    printf("\n");
    say_clean(stdout, buf_span(&text));
    printf("\n");
    struct buf question = {0};
    buf_addf(&question, "%s write this to %s", secret_present(&s->password) ? "Try the password and" : "So,",
             s->path);
    bool go = draft_check(buf_span(&text), &e) && ask_yes(buf_cstr(&question), true) == 1 &&
              try_it(s, buf_span(&text));
    buf_free(&question);
    if (go && new_config_write(s->path, buf_span(&text), s->force, &e)) {
        say_clean(stdout, span_str(s->path));
        puts(" is written.");
        offer_service();
        offer_programs();
        code = EXIT_DONE;
    } else if (e.code != ERR_NONE) {
        code = say_failure(&e);
    } else {
        code = say_error(EXIT_FAILED, "nothing was written");
    }
    buf_free(&text);
    return code;
}

static int dialogue(struct setup *s)
{
    puts("A few questions; Enter takes what stands in brackets, Ctrl-C leaves everything as it is.\n");
    guess_make(&s->guess);
    if (ask_proxy(s) && ask_identity(s) && ask_routes(s))
        return finish(s);
    return say_error(EXIT_FAILED, "nothing was written");
}

static int run(const struct verb_call *call)
{
    struct err e = {0};
    struct setup s = {.force = verb_given(call, "force"),
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
    {"force", 'f', NULL, "replace a file that is there"},
    {0},
};

const struct verb setup_verb = {
    .name = "setup",
    .arguments = "",
    .summary = "Make the first configuration, by questions",
    .help = "Asks for the proxy (and guesses it from the environment and the desktop's settings), looks at "
            "what the proxy wants, and asks only for "
            "what that needs. The password is tried once, and stored in the keyring when it was not refused. "
            "The configuration is shown "
            "before it is written; until then nothing is changed.",
    .options = options,
    .run = run,
};
