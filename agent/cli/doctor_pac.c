/*
 * The PAC script's step: what the agent has for one, and what that says of our address. Only the agent can ask it, so its answer is kept for the step that
 * follows, which must go the way that requests go.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "cli/doctor.h"

#define ROUTE_MS  20000 /* a script may have to be fetched first */
#define STATUS_MS 10000

static json_t *ask(struct doctor *d, json_t *question, unsigned ms)
{
    struct err e;
    json_t *answer = d->agent ? control_question(d->agent, question, ms, &e) : NULL;
    json_decref(question);
    return answer;
}

static const char *text_of(json_t *o, const char *name)
{
    const char *text = json_string_value(json_object_get(o, name));
    return text ? text : "";
}

/* Where it is from, how large, how old. */
static void describe(struct finding *f, json_t *pac)
{
    json_int_t age = json_integer_value(json_object_get(pac, "age"));
    finding_say(f, MARK_OK, "%s", *text_of(pac, "script") ? text_of(pac, "script") : text_of(pac, "asked"));
    if (*text_of(pac, "found"))
        buf_addf(&f->evidence, " (%s)", text_of(pac, "found"));
    if (age >= 0)
        buf_addf(&f->evidence, ", %lld bytes, confirmed %lld seconds ago%s",
                 (long long)json_integer_value(json_object_get(pac, "size")), (long long)age,
                 json_is_true(json_object_get(pac, "from_disk")) ? " in an earlier run" : "");
    buf_addf(&f->evidence, ": %s", text_of(pac, "state"));
}

/* A failure that ends the request is a fault; one that pac-failure bridges is not. */
static void judge(struct doctor *d, struct finding *f, json_t *pac)
{
    const char *failure = text_of(d->way, "failure"), *error = text_of(pac, "error");
    if (*failure)
        buf_addf(&f->evidence, "\nit failed: %s", failure);
    if (*error && strcmp(error, failure) != 0)
        buf_addf(&f->evidence, "\ngetting it: %s", error);
    if (*failure && !*text_of(d->way, "way")) {
        f->mark = MARK_BAD;
        f->code = EXIT_FAILED;
        buf_add_str(&f->remedy,
                    "Check [route] pac, or ask whoever wrote the script; pac-failure = last-good or direct "
                    "would go on without it");
    } else if (*failure || *error) {
        f->mark = MARK_NOTE;
        if (*failure)
            buf_addf(&f->evidence, "\nuntil it is mended, pac-failure = %s decides",
                     text_of(pac, "pac_failure"));
    }
}

void walk_pac(struct doctor *d, struct finding *f)
{
    d->way = ask(d, json_pack("{s:s, s:s}", "verb", "route", "url", d->url), ROUTE_MS);
    if (!route_asks_pac(d->routes)) {
        finding_say(f, MARK_SKIP, "not used");
        return;
    }
    if (!d->way) {
        finding_say(f, MARK_NOTE,
                    "not asked: only a running agent can do that; below is the first upstream, where no rule "
                    "decides");
        return;
    }
    json_t *status = ask(d, json_pack("{s:s}", "verb", "status"), STATUS_MS);
    json_t *pac = json_object_get(status, "pac");
    if (pac && json_is_true(json_object_get(d->way, "by_script"))) {
        describe(f, pac);
        judge(d, f, pac);
    } else {
        finding_say(f, MARK_SKIP, "not asked: a rule decides");
    }
    json_decref(status);
}

const char *doctor_way_by_script(const struct doctor *d)
{
    return json_is_true(json_object_get(d->way, "by_script")) ? text_of(d->way, "way") : NULL;
}
