/*
 * exeat check: reads the configuration as the agent would, and says what is wrong with it, without starting
 * anything.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/say.h"
#include "cli/verb.h"
#include "config/config.h"
#include "helpers/program.h"
#include "net/tls.h"
#include "route/route.h"

static const char *plural(size_t n)
{
    return n == 1 ? "" : "s";
}

/* The file is right as it is, but will not do what it seems to. */
static void warn_of_basic(const struct config_upstream *u)
{
    bool named = false;
    for (size_t i = 0; i < u->n_auth; i++)
        named = named || u->auth[i] == AUTH_BASIC;
    for (size_t i = 0; named && !u->basic_in_clear && i < u->n_proxies; i++)
        if (!config_proxy_is_private(&u->proxies[i]))
            say_warning(
                "[upstream %s] names basic in auth =, but it is not used for %s: the password would go "
                "there in clear text. Write https:// if the proxy takes TLS, or basic-in-clear = yes "
                "if you accept that everybody on the way can read the password",
                u->name, u->proxies[i].text);
}

static void warn_of_pac(const struct config *c)
{
    char path[PATH_MAX];
    if ((c->pac != PAC_FROM_NOWHERE || c->wpad != WPAD_NO) && !program_find("exeat-pac", path, sizeof path))
        say_warning("[route] %s asks for a PAC script, but the program that runs it, exeat-pac, is not "
                    "installed: install the package exeat-pac, or every request goes by pac-failure",
                    c->pac != PAC_FROM_NOWHERE ? "pac" : "wpad");
}

/* Whose keys it has is for the keyholder to find out; here it is only opened, as the agent's user would. */
static bool keytab_is_there(const struct config *c, const struct config_upstream *u, struct err *e)
{
    if (u->secret != SECRET_KEYTAB)
        return true;
    int fd = open(u->secret_argument, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0)
        return err_errno(e, ERR_CONFIG, errno, "%s: [upstream %s]: the keytab %s cannot be read",
                         c->file ? c->file : "the environment", u->name, u->secret_argument);
    close(fd);
    return true;
}

static bool certificate_is_good(const struct config_gateway *g, struct err *e)
{
    struct tls_server *s = g->certificate ? tls_server_new(g->certificate, g->key, e) : NULL;
    tls_server_unref(s);
    return s || !g->certificate;
}

static bool offers(const struct config_gateway *g, enum auth_scheme scheme)
{
    for (size_t i = 0; i < g->n_auth; i++)
        if (g->auth[i] == scheme)
            return true;
    return false;
}

/* Opened as the agent's user would; what it holds is for the keyholder to find out. */
static void warn_of_file(const struct config_gateway *g, const char *path, bool shared, const char *remedy)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    const char *blank = *g->section ? " " : "", *name = g->section;
    if (fd < 0 || fstat(fd, &st) < 0)
        say_warning("[gateway%s%s]: %s cannot be read (%s), and nobody is let in by it: %s", blank, name,
                    path, strerror(errno), remedy);
    else if (!S_ISREG(st.st_mode))
        say_warning("[gateway%s%s]: %s is not a file, and nobody is let in by it: %s", blank, name, path,
                    remedy);
    else if (!shared && (st.st_mode & 027))
        say_warning(
            "[gateway%s%s]: %s may be read by everybody or written by others than its owner, and nobody "
            "is let in by it: write \"chmod 600 %s\"",
            blank, name, path, path);
    else if (!shared && st.st_uid != 0 && st.st_uid != geteuid())
        say_warning(
            "[gateway%s%s]: %s belongs to another user, who could let anybody in: nobody is let in by "
            "it where exeat runs as you",
            blank, name, path);
    if (fd >= 0)
        close(fd);
}

static void warn_of_gateway(const struct config_gateway *g)
{
    if (!g->n_listen)
        return;
    if (g->users &&
        (offers(g, AUTH_BASIC) || offers(g, AUTH_DIGEST) || (offers(g, AUTH_NTLM) && !g->winbind)))
        warn_of_file(g, g->users, false, "\"exeat users add NAME\" makes such a file");
    if (g->keytab && offers(g, AUTH_NEGOTIATE))
        warn_of_file(
            g, g->keytab, true,
            "give it keys of HTTP/ and the name by which clients reach the gateway, readable by exeat");
}

/* [gateway] alone may hold what others share, if there are others. */
static void warn_of_gateways(const struct config *c)
{
    size_t n = 0;
    for (size_t i = 0; i < c->n_gateways; i++) {
        warn_of_gateway(&c->gateways[i]);
        n += c->gateways[i].n_listen;
    }
    if (c->n_gateways && n == 0)
        say_warning(
            "[gateway] has no listen, and no [gateway NAME] has one: there is no gateway; write listen = "
            "HOST:PORT");
}

/* The file itself comes with the first start. */
static bool log_has_place(const struct config *c, struct err *e)
{
    if (!c->log_file || !c->log_requests)
        return true;
    const char *slash = strrchr(c->log_file, '/'); /* there is one: paths are absolute */
    char *folder = span_dup(span_make(c->log_file, slash == c->log_file ? 1 : (size_t)(slash - c->log_file)));
    bool ok = access(folder, W_OK | X_OK) == 0 ||
              err_errno(e, ERR_CONFIG, errno, "%s: [log] file: nothing can be written in the directory %s",
                        c->file ? c->file : "the environment", folder);
    free(folder);
    return ok;
}

static int check(struct config *c)
{
    const char *place = c->file ? c->file : "the environment";
    struct err e = {0};
    struct route_table *routes = route_table_new(c, &e); /* reads patterns, and what TLS settings name */
    if (!routes)
        return say_error(EXIT_CONFIG, "%s: %s", place, e.text);
    route_table_unref(routes);
    for (size_t i = 0; i < c->n_upstreams; i++)
        if (!keytab_is_there(c, &c->upstreams[i], &e))
            return say_error(EXIT_CONFIG, "%s", e.text);
    if (!log_has_place(c, &e))
        return say_error(EXIT_CONFIG, "%s", e.text);
    for (size_t i = 0; i < c->n_gateways; i++)
        if (!certificate_is_good(&c->gateways[i], &e))
            return say_error(EXIT_CONFIG, "%s: [gateway%s%s]: %s", place, *c->gateways[i].section ? " " : "",
                             c->gateways[i].section, e.text);
    for (size_t i = 0; i < c->n_upstreams; i++)
        warn_of_basic(&c->upstreams[i]);
    warn_of_gateways(c);
    warn_of_pac(c);
    say_clean(stdout, span_str(place));
    size_t n = c->n_listen + c->n_socks + c->n_metrics;
    for (size_t i = 0; i < c->n_forwards; i++)
        n += c->forwards[i].n_listen;
    for (size_t i = 0; i < c->n_gateways; i++)
        n += c->gateways[i].n_listen;
    printf(": ok (%zu upstream%s, %zu listener%s)\n", c->n_upstreams, plural(c->n_upstreams), n, plural(n));
    return EXIT_DONE;
}

static int run(const struct verb_call *call)
{
    struct err e = {0};
    struct config *c = config_load(verb_value(call, "config"), &e);
    if (!c) {
        say_failure(&e);
        return EXIT_CONFIG;
    }
    int code = check(c);
    config_unref(c);
    return code;
}

static const struct verb_option options[] = {
    {"config", 'c', "FILE", "check FILE instead of the usual place"},
    {0},
};

const struct verb check_verb = {
    .name = "check",
    .arguments = "",
    .summary = "Say whether the configuration is right",
    .help = "Reads the configuration as \"exeat run\" would, without starting anything. What is wrong is "
            "named with its file and line.",
    .options = options,
    .run = run,
};
