/*
 * exeat route URL: which way a request would go, and why. The running agent is asked, because it knows which proxies it cannot reach at present; without one the
 * configuration alone decides. Nothing is sent to anybody else.
 */
#include <jansson.h>
#include <stdlib.h>

#include "cli/ask_agent.h"
#include "cli/say.h"
#include "cli/verb.h"
#include "config/config.h"
#include "route/destination.h"
#include "route/route.h"

static int explain_alone(const char *config, const char *url, struct span host, uint16_t port)
{
    struct err e = {0};
    struct buf text = {0};
    struct config *c = config_load(config, &e);
    struct route_table *routes = c ? route_table_new(c, &e) : NULL;
    if (!routes) {
        config_unref(c);
        say_failure(&e);
        return EXIT_CONFIG;
    }
    buf_addf(&text, "%s, by %s (no agent is running)\n", url, c->file ? c->file : "the environment");
    route_explain(routes, host, port, &text);
    say_clean(stdout, buf_span(&text));
    buf_free(&text);
    route_table_unref(routes);
    config_unref(c);
    return EXIT_DONE;
}

static int explain_by_agent(struct control_link *l, const char *url)
{
    struct err e = {0};
    json_t *question = json_pack("{s:s, s:s}", "verb", "route", "url", url);
    json_t *answer = ask_question(l, question, &e);
    json_decref(question);
    if (!answer)
        return say_failure(&e);
    const char *text = json_string_value(json_object_get(answer, "text"));
    printf("%s, by the running agent\n", url);
    say_clean(stdout, span_str(text));
    json_decref(answer);
    return EXIT_DONE;
}

static int run(const struct verb_call *call)
{
    struct err e = {0};
    struct span host;
    uint16_t port;
    const char *config = verb_value(call, "config");
    if (call->n_words == 0)
        return say_error(EXIT_USAGE, "which address? For example: exeat route https://www.example/");
    const char *url = call->words[0];
    if (!destination_read(span_str(url), &host, &port, &e))
        return say_error(EXIT_USAGE, "%s", e.text);
    struct control_link *l = config ? NULL : open_agent(&e);
    int code = l ? explain_by_agent(l, url) : explain_alone(config, url, host, port);
    control_close(l);
    return code;
}

static const struct verb_option options[] = {
    {"config", 'c', "FILE", "by FILE, instead of what the running agent has"},
    {0},
};

const struct verb route_verb = {
    .name = "route",
    .arguments = "URL",
    .max_words = 1,
    .summary = "Say which way a request would go, and why",
    .help = "Goes through the rules as a request for URL (or HOST:PORT, or HOST) would, and says which one "
            "decides and which proxies "
            "would be tried. Nothing is sent to anybody: the running agent is asked, or without one the "
            "configuration is read.",
    .options = options,
    .run = run,
};
