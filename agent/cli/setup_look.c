/*
 * The look at the proxy in exeat setup: the steps of exeat doctor from its name to its 407, without credentials, and where it offers Negotiate what a
 * keyholder of our own says of tickets. One thread, blocking, each step with its limit.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/doctor.h"
#include "cli/progress.h"
#include "cli/say.h"
#include "cli/setup.h"
#include "wire/keys_msg.h"

extern char **environ;

#define NO_AUTHORITY "from an authority" /* in the words for a certificate that nobody vouches for */
#define TARGET_HOST  "exeat.invalid"     /* no such host: RFC 6761 section 6.4 */

static const struct {
    doctor_walk walk;
    const char *waits_for;
} steps[] = {
    {walk_dns, "looking up the proxy's name"},
    {walk_tcp, "connecting to the proxy"},
    {walk_tls, "TLS with the proxy"},
    {walk_offer, "asking the proxy what it wants"},
};

/* Is it the name of a scheme in a list of challenges (RFC 9110 section 11.6.1)? */
static bool offers(struct span list, const char *scheme)
{
    size_t n = strlen(scheme);
    for (size_t i = 0; i + n <= list.n; i++) {
        struct span here = span_from(list, i);
        bool begins = i == 0 || strchr(" ,\n", list.p[i - 1]);
        bool ends = here.n == n || strchr(" ,\n", here.p[n]);
        if (begins && ends && span_istarts(here, span_str(scheme)))
            return true;
    }
    return false;
}

static void judge(const struct doctor *d, struct look_at *seen)
{
    struct span offer = buf_span(&d->at->offer);
    seen->answered = d->at->answer > 0 || doctor_signs_nowhere(d->at);
    seen->asks = d->at->answer == 407;
    seen->negotiate = offers(offer, "Negotiate");
    seen->ntlm = offers(offer, "NTLM");
    seen->digest = offers(offer, "Digest");
    seen->basic = offers(offer, "Basic");
    seen->is_private = config_proxy_is_private(&d->config->upstreams[0].proxies[0]);
}

static void say_line(struct span text)
{
    while (text.n) {
        struct span line = span_cut(&text, '\n');
        fputs("  ", stdout);
        say_clean(stdout, line);
        fputs("\n", stdout);
    }
}

static void finding_done(struct finding *f)
{
    buf_free(&f->evidence);
    buf_free(&f->remedy);
}

static bool walk_one(struct doctor *d, size_t i, struct look_at *seen)
{
    struct finding f = {0};
    progress_begin(steps[i].waits_for);
    steps[i].walk(d, &f);
    progress_end();
    bool good = f.mark != MARK_BAD;
    if (f.mark != MARK_SKIP)
        say_line(buf_span(&f.evidence));
    if (f.mark == MARK_NOTE)
        say_line(buf_span(&f.remedy));
    if (!good) {
        seen->unknown_authority = steps[i].walk == walk_tls && strstr(buf_cstr(&f.evidence), NO_AUTHORITY);
        if (!seen->unknown_authority)
            say_line(buf_span(&f.remedy));
    }
    finding_done(&f);
    return good;
}

static bool walk_all(struct doctor *d, struct look_at *seen)
{
    struct finding route = {0};
    walk_route(d, &route);
    finding_done(&route);
    d->at = d->n_ends ? d->ends[0] : NULL;
    bool good = d->at != NULL;
    for (size_t i = 0; good && i < sizeof steps / sizeof *steps; i++)
        good = walk_one(d, i, seen);
    return good;
}

/* --- the ticket --- */

static bool keyholder_found(struct doctor *d, const char *step)
{
    struct span mark, evidence, remedy;
    if (!doctor_found(d->at, step, &mark, &evidence, &remedy))
        return false;
    bool good = span_eq(mark, span_str(KEYS_FOUND_OK));
    if (!span_eq(mark, span_str(KEYS_FOUND_SKIP))) {
        fputs("  Kerberos: ", stdout);
        say_clean(stdout, evidence);
        fputs("\n", stdout);
    }
    return good;
}

/* Whether a ticket that is here would do: the Kerberos server is asked for one for the proxy, which costs nobody an attempt. */
static void look_for_ticket(struct doctor *d, struct look_at *seen)
{
    struct finding f = {0};
    progress_begin("looking for a Kerberos ticket for the proxy");
    walk_keyholder(d, &f);
    progress_end();
    seen->ticket = f.mark == MARK_OK && keyholder_found(d, "ticket") && keyholder_found(d, "spn");
    finding_done(&f);
}

/* --- all of it --- */

static void look_closer(struct doctor *d, struct look_at *seen)
{
    if (!walk_all(d, seen))
        return;
    judge(d, seen);
    if (seen->negotiate)
        look_for_ticket(d, seen);
}

static void doctor_done(struct doctor *d)
{
    for (size_t i = 0; i < d->n_stops; i++)
        stop_free(d->stops[i]);
    doctor_own_free(d);
    route_table_unref(d->routes);
    config_unref(d->config);
    buf_free(&d->authority);
    buf_free(&d->target);
}

void setup_look(struct draft *d, struct look_at *seen)
{
    struct err e = {0};
    struct buf text = {0};
    struct doctor doctor = {.url = "http://" TARGET_HOST "/", .host = SPAN(TARGET_HOST), .port = 80};
    *seen = (struct look_at){0};
    draft_put(d, "upstream", "secret", SPAN(""), SPAN("none")); /* the keyring is not asked for it */
    draft_write(d, SPAN("a look"), &text);
    draft_drop(d, "upstream", "secret");
    buf_add_str(&doctor.authority, TARGET_HOST);
    buf_add_str(&doctor.target, "http://" TARGET_HOST "/");
    const char *path = trial_begin(buf_span(&text), &e);
    doctor.config = path ? config_load(path, &e) : NULL;
    doctor.routes = doctor.config ? route_table_new(doctor.config, &e) : NULL;
    if (doctor.routes)
        look_closer(&doctor, seen);
    else
        say_line(span_str(e.text));
    doctor_done(&doctor);
    trial_end();
    buf_free(&text);
}

int setup_run(const char *const argv[], bool quiet)
{
    posix_spawn_file_actions_t actions;
    pid_t child;
    int status = 0;
    posix_spawn_file_actions_init(&actions);
    for (int fd = 0; quiet && fd < 3; fd++)
        posix_spawn_file_actions_addopen(&actions, fd, "/dev/null", O_RDWR, 0);
    fflush(NULL);
    int failed = posix_spawnp(&child, argv[0], &actions, NULL, (char *const *)argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    if (failed)
        return 127;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 126;
}
