/*
 * The look at the proxy in exeat setup: the steps of exeat doctor from its name to its 407, without credentials. One thread, blocking, each step with
 * its limit.
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

extern char **environ;

#define TARGET_HOST "exeat.invalid" /* no such host: RFC 6761 section 6.4 */

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
    struct span offer = buf_span(&d->offer);
    seen->answered = d->answer > 0;
    seen->asks = d->answer == 407;
    seen->negotiate = offers(offer, "Negotiate");
    seen->ntlm = offers(offer, "NTLM");
    seen->digest = offers(offer, "Digest");
    seen->basic = offers(offer, "Basic");
    seen->is_private = config_proxy_is_private(&d->config->upstreams[0].proxies[0]);
}

static bool walk_all(struct doctor *d)
{
    struct finding route = {0};
    bool good = true;
    walk_route(d, &route);
    buf_free(&route.evidence);
    buf_free(&route.remedy);
    for (size_t i = 0; good && i < sizeof steps / sizeof *steps; i++) {
        struct finding f = {0};
        progress_begin(steps[i].waits_for);
        steps[i].walk(d, &f);
        progress_end();
        good = f.mark != MARK_BAD;
        if (f.mark == MARK_OK || f.mark == MARK_BAD) {
            fputs("  ", stdout);
            say_clean(stdout, buf_span(&f.evidence));
            fputs("\n", stdout);
            if (!good && f.remedy.n) {
                fputs("  ", stdout);
                say_clean(stdout, buf_span(&f.remedy));
                fputs("\n", stdout);
            }
        }
        buf_free(&f.evidence);
        buf_free(&f.remedy);
    }
    return good;
}

void setup_look(const struct draft *d, struct look_at *seen)
{
    struct buf text = {0};
    struct err e = {0};
    struct span proxies = buf_span(
        &d->values[(size_t)(setting_find(section_find(SPAN("upstream")), SPAN("proxy")) - settings)]);
    struct doctor doctor = {
        .url = "http://" TARGET_HOST "/", .host = SPAN(TARGET_HOST), .port = 80, .line = LINE_NOBODY};
    *seen = (struct look_at){0};
    buf_addf(&text, "[upstream " DRAFT_UPSTREAM "]\nproxy = %.*s\n", SPAN_ARG(proxies));
    buf_add_str(&doctor.authority, TARGET_HOST);
    buf_add_str(&doctor.target, "http://" TARGET_HOST "/");
    doctor.config = config_load_text("setup", buf_span(&text), &e);
    doctor.routes = doctor.config ? route_table_new(doctor.config, &e) : NULL;
    if (doctor.routes && walk_all(&doctor))
        judge(&doctor, seen);
    line_close(&doctor.line);
    if (doctor.addresses)
        freeaddrinfo(doctor.addresses);
    route_table_unref(doctor.routes);
    config_unref(doctor.config);
    buf_free(&doctor.authority);
    buf_free(&doctor.target);
    buf_free(&doctor.offer);
    buf_free(&doctor.date);
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
