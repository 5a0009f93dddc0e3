/*
 * exeat on, exeat off: whether requests go their way, or past the proxies (or nowhere), as [route] when-off says.
 */
#include "cli/ask_agent.h"
#include "cli/say.h"
#include "cli/verb.h"

static int switch_to(bool on)
{
    struct err e = {0};
    struct control_link *l = open_agent(&e);
    json_t *question = json_pack("{s:s, s:b}", "verb", "proxy", "on", (int)on);
    json_t *answer = l ? ask_question(l, question, &e) : NULL;
    json_decref(question);
    control_close(l);
    if (!answer)
        return say_failure(&e);
    const char *when_off = json_string_value(json_object_get(answer, "when_off"));
    bool changed = json_is_true(json_object_get(answer, "changed"));
    printf("exeat is %s %s: requests %s.\n", changed ? "now" : "already", on ? "on" : "off",
           on                                            ? "go their way"
           : when_off && strcmp(when_off, "refuse") == 0 ? "are refused (when-off = refuse)"
                                                         : "go direct, without a proxy (when-off = direct)");
    json_decref(answer);
    return EXIT_DONE;
}

static int run_on(const struct verb_call *call)
{
    (void)call;
    return switch_to(true);
}

static int run_off(const struct verb_call *call)
{
    (void)call;
    return switch_to(false);
}

const struct verb on_verb = {
    .name = "on",
    .arguments = "",
    .summary = "Let requests go their way again, after exeat off",
    .help = "Requests go by the rules and to the proxies of the configuration again. An agent that is "
            "started is on.",
    .run = run_on,
};

const struct verb off_verb = {
    .name = "off",
    .arguments = "",
    .summary = "Use no proxy for a while: requests go direct, or are refused",
    .help = "The agent goes on running, so that programs need not be told, but uses no proxy until exeat on "
            "or until it is started again. With [route] when-off = direct (the default) requests go straight "
            "to their destinations, which helps at home; with when-off = refuse they are answered with an "
            "error. Requests under way and open tunnels go on as they began. What [route] rule blocks stays "
            "blocked.",
    .run = run_off,
};
