/*
 * The road from a verb to an address for other programs: --proxy, the running agent, the configuration, the default. One thread, blocking.
 */
#include "cli/find_aim.h"

#include <pwd.h>
#include <stdlib.h>
#include <unistd.h>

#include "cli/ask_agent.h"
#include "cli/progress.h"
#include "config/config.h"
#include "config/paths.h"

#define DEFAULT_LISTENER "127.0.0.1:3128"

static bool no_listener(struct err *e)
{
    return err_set(
        e, ERR_CONFIG,
        "exeat listens on Unix sockets only, which other programs cannot be pointed at: give [listen] http a "
        "HOST:PORT too");
}

/* Of which kind a listener is, the best first: on the addresses of others exeat may ask for a token, and not every program understands IPv6. */
static int kind_of(const char *listener)
{
    static const char *const kinds[] = {"127.", "localhost:", "0.0.0.0:", "[::1]:", "[::]:", ""};
    int kind = 0;
    while (strncmp(listener, kinds[kind], strlen(kinds[kind])) != 0)
        kind++;
    return kind;
}

/* The best of those that are a host and a port. */
static bool choose(struct aim *aim, const char *const *listeners, size_t n)
{
    for (int kind = 0; kind <= kind_of(""); kind++)
        for (size_t i = 0; i < n; i++) {
            if (kind_of(listeners[i]) != kind)
                continue;
            if (aim_init(aim, listeners[i]))
                return true;
            aim_free(aim);
        }
    return false;
}

static bool from_agent(struct found_aim *f, json_t *answer, struct err *e)
{
    json_t *list = json_object_get(answer, "listening"), *one;
    size_t i, n = 0;
    const char **listeners = mem_zero((json_array_size(list) + 1) * sizeof *listeners);
    json_array_foreach(list, i, one) if (json_is_string(one)) listeners[n++] = json_string_value(one);
    bool ok = choose(&f->aim, listeners, n) || no_listener(e);
    free(listeners);
    json_array_foreach(json_object_get(answer, "no_proxy"), i, one) if (ok && json_is_string(one))
        aim_add_direct(&f->aim, json_string_value(one));
    f->allow_uids = json_incref(json_object_get(answer, "allow_uids"));
    f->allow_any = json_is_true(json_object_get(answer, "allow_any"));
    f->from = "the running agent";
    return ok;
}

static bool from_config(struct found_aim *f, const struct config *c, struct err *e)
{
    const char **listeners = mem_zero((c->n_listen + 1) * sizeof *listeners);
    for (size_t i = 0; i < c->n_listen; i++)
        listeners[i] = c->listen[i].text;
    bool ok = choose(&f->aim, listeners, c->n_listen) || no_listener(e);
    free(listeners);
    for (size_t i = 0; ok && i < c->n_no_proxy; i++)
        aim_add_direct(&f->aim, c->no_proxy[i]);
    f->allow_uids = json_array();
    for (size_t i = 0; i < c->n_allow_uids; i++)
        json_array_append_new(f->allow_uids, json_string(c->allow_uids[i].text));
    f->allow_any = c->allow_any;
    f->from = "the configuration";
    return ok;
}

/* Under sudo: the agent of the user behind it, in the place that the system gives him. */
static json_t *ask_behind_sudo(void)
{
    const char *uid = getenv("SUDO_UID");
    uint64_t number;
    struct buf path = {0};
    if (geteuid() != 0 || !uid || !span_u64(span_str(uid), &number) || number == 0)
        return NULL;
    buf_addf(&path, "/run/user/%s/exeat/control", uid);
    json_t *question = json_pack("{s:s}", "verb", "listening");
    progress_begin("waiting for the agent");
    json_t *answer = control_ask(buf_cstr(&path), question, AGENT_PATIENCE_MS, NULL);
    progress_end();
    json_decref(question);
    buf_free(&path);
    return answer;
}

static bool ask_around(struct found_aim *f, const char *config, struct err *e)
{
    struct err why = {0};
    json_t *answer = config ? NULL : ask_agent("listening", &why);
    if (!answer && !config)
        answer = ask_behind_sudo();
    if (answer) {
        bool ok = from_agent(f, answer, e);
        json_decref(answer);
        return ok;
    }
    struct config *c = config_load(config, e);
    if (c) {
        bool ok = from_config(f, c, e);
        config_unref(c);
        return ok;
    }
    /* One that is wrong is not passed over in silence; none at all is a machine on which exeat is still to be set up. */
    char *own = config_user_file(&why);
    bool none = !config && (!own || access(own, F_OK) != 0) && access(CONFIG_SYSTEM_FILE, F_OK) != 0;
    free(own);
    f->from = "the default";
    return none && aim_init(&f->aim, DEFAULT_LISTENER);
}

bool find_aim(struct found_aim *f, const char *proxy, const char *config, struct err *e)
{
    *f = (struct found_aim){.from = "the command line"};
    return proxy ? aim_read(&f->aim, proxy, e) : ask_around(f, config, e);
}

void found_aim_free(struct found_aim *f)
{
    aim_free(&f->aim);
    json_decref(f->allow_uids);
    *f = (struct found_aim){0};
}

static bool same_user(const char *word, const struct passwd *user)
{
    uint64_t number;
    if (strcmp(word, "self") == 0)
        return false; /* whose agent it is we know only roughly; apt's user and root run none */
    return strcmp(word, user->pw_name) == 0 || (span_u64(span_str(word), &number) && number == user->pw_uid);
}

bool found_aim_shuts_out(const struct found_aim *f, const char *name)
{
    const struct passwd *user = getpwnam(name);
    json_t *word;
    size_t i;
    if (!user || f->allow_any || !json_is_array(f->allow_uids))
        return false;
    json_array_foreach(f->allow_uids, i, word) if (json_is_string(word) &&
                                                   same_user(json_string_value(word), user)) return false;
    return true;
}
