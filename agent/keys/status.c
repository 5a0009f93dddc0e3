/*
 * STATUS: looks the secret and the ticket up first where that costs nothing (a keyring, a file; never a command or a KDC), with a short deadline,
 * so that "no password stored" is said before somebody's request fails. Main thread.
 */
#include "keys/status.h"

#include <stdlib.h>
#include <time.h>

#include "base/buf.h"
#include "keys/alarm.h"
#include "keys/words.h"

#define STATUS_MS 3000

struct status_ask {
    struct list node;
    struct identity *who;
    uint32_t peer, call;
    uint64_t since;
    struct deadline deadline;
    bool late;
};

static struct list asks = LIST_HEAD(asks);

static void add_time(struct buf *to, const char *format, time_t when)
{
    struct tm tm;
    char text[32];
    if (localtime_r(&when, &tm) && strftime(text, sizeof text, "%H:%M", &tm))
        buf_addf(to, format, text);
}

static const struct guard *frozen_guard(const struct edition *e)
{
    const struct guard *all[] = {e->guard, e->ticket_guard};
    for (size_t i = 0; i < 2; i++)
        if (all[i] && guard_look(all[i], e->who->name, SPAN(""), now_ms()) == GUARD_FROZEN)
            return all[i];
    return NULL;
}

static const struct hop *unproved_hop(const struct identity *who)
{
    struct list *it, *safe;
    list_each(it, safe, &who->hops)
    {
        const struct hop *h = list_entry(it, struct hop, node);
        if (h->unproved)
            return h;
    }
    return NULL;
}

/* Would exeat login change it? */
static uint32_t typing_helps(const struct edition *e)
{
    enum secret_source source = e->who->u ? e->who->u->secret : SECRET_NONE;
    return source == SECRET_KEYRING || source == SECRET_PROMPT ? KEYS_LOGIN_HELPS : 0;
}

/* Seconds since 1970, 0 without a ticket. */
static uint32_t ticket_end(const struct edition *e)
{
    time_t until = e->bundle && e->bundle->ticket.cache ? e->bundle->ticket.until : 0;
    return until > 0 && until <= UINT32_MAX ? (uint32_t)until : 0;
}

/* What we got ourselves we renew ourselves, while it is in use; the user's own is left to whoever got it. */
static uint32_t renewing_helps(const struct edition *e)
{
    const struct ticket *t = &e->bundle->ticket;
    uint32_t typing = e->who->u && e->who->u->kerberos == KERBEROS_ACQUIRE ? typing_helps(e) : 0;
    if (!t->private)
        return KEYS_RENEW_HELPS | typing;
    return e->ticket_result != TICKET_OK && typing ? KEYS_RENEW_HELPS | typing : 0;
}

/* The answer's flags. */
static uint32_t describe(const struct edition *e, struct buf *why, struct buf *remedy)
{
    const struct hop *unproved = unproved_hop(e->who);
    const struct guard *frozen = frozen_guard(e);
    bool ticket = e->bundle && e->bundle->ticket.cache;
    const struct hop *alarm = alarm_pending(e->who);
    if (e->who->u && e->who->u->n_auth == 0) {
        buf_add_str(why, "no authentication is configured (auth = none)");
    } else if (alarm) {
        alarm_describe(e->who, alarm, why, remedy);
        return KEYS_ALARM | KEYS_PROBLEM;
    } else if (frozen) {
        struct buf long_why = {0};
        buf_addf(why, "%s refused", frozen == e->guard ? "password" : "Kerberos ticket");
        if (frozen->refused_at)
            add_time(why, " %s", (time_t)frozen->refused_at);
        if (frozen->refused_by)
            buf_addf(why, " by %s", frozen->refused_by);
        words_refused(e, frozen, &long_why, remedy);
        buf_free(&long_why);
        return KEYS_PROBLEM | (frozen == e->guard ? typing_helps(e) : 0);
    } else if (unproved) {
        buf_addf(why, "the proxy %s did not prove who it is", unproved->text);
        buf_addf(remedy, "The page or the log says how it failed; mutual = of upstream %s decides.",
                 e->who->name);
        return KEYS_PROBLEM;
    } else if (ticket) {
        add_time(why, "ready, ticket until %s", e->bundle->ticket.until);
        if (e->ticket_result != TICKET_OK) /* of a later one */
            buf_addf(why, " (not renewed: %s)", e->negotiate_why.text);
        return renewing_helps(e);
    } else if (e->secret_state == PART_READY) {
        buf_add_str(why, "ready");
    } else if (e->secret_state == PART_RUNNING || e->negotiate_state == PART_RUNNING) {
        buf_add_str(why, "looking for a password or ticket");
    } else if (e->secret_state == PART_UNKNOWN && e->negotiate_state == PART_UNKNOWN) {
        buf_add_str(why, "not used yet");
    } else {
        if (e->negotiate_state == PART_FAILED)
            buf_add_str(why, e->negotiate_why.text);
        if (e->secret_state == PART_FAILED)
            buf_addf(why, "%s%s", why->n ? "; " : "", e->secret_why.text);
        words_unavailable_remedy(e, e->negotiate_state == PART_FAILED, remedy);
        bool absent = e->secret_state == PART_FAILED && e->secret_kind == PROVIDED_ABSENT;
        return KEYS_PROBLEM | (absent ? typing_helps(e) : 0);
    }
    return 0;
}

static const char *scheme_words(const struct identity *who)
{
    struct list *it, *safe;
    list_each(it, safe, &who->hops)
    {
        const struct hop *h = list_entry(it, struct hop, node);
        if (h->worked[0])
            return h->worked;
    }
    return "";
}

static void answer(struct status_ask *a)
{
    struct buf why = {0}, remedy = {0};
    const struct edition *e = a->who->current;
    uint32_t flags = describe(e, &why, &remedy);
    serve_send(a->who->k, a->peer,
               &(struct keys_msg){.type = KEYS_ANSWER,
                                  .call = a->call,
                                  .verdict = KEYS_OK,
                                  .flags = flags,
                                  .identity = span_str(identity_text(e)),
                                  .scheme = span_str(scheme_words(a->who)),
                                  .generation = e->generation,
                                  .until = ticket_end(e),
                                  .why = buf_span(&why),
                                  .remedy = buf_span(&remedy)});
    buf_free(&why);
    buf_free(&remedy);
    deadline_unset(&a->deadline);
    list_remove(&a->node);
    free(a);
}

static void late(struct deadline *d)
{
    list_entry(d, struct status_ask, deadline)->late = true;
}

void status_begin(struct keyholder *k, uint32_t peer, const struct keys_msg *m)
{
    struct identity *who = identity_named(k, m->upstream);
    if (!who || !who->u) {
        serve_send(k, peer,
                   &(struct keys_msg){.type = KEYS_ANSWER,
                                      .call = m->call,
                                      .verdict = KEYS_UNAVAILABLE,
                                      .why = SPAN("The configuration has no such upstream.")});
        return;
    }
    struct status_ask *a = mem_zero(sizeof *a);
    a->who = who;
    a->peer = peer;
    a->call = m->call;
    a->since = ++k->tick;
    deadline_init(&a->deadline, late);
    deadline_set(&k->deadlines, &a->deadline, STATUS_MS);
    list_push_back(&asks, &a->node);
}

void status_run(struct keyholder *k)
{
    (void)k;
    struct list *it, *safe;
    list_each(it, safe, &asks)
    {
        struct status_ask *a = list_entry(it, struct status_ask, node);
        if (a->late || !edition_peek(a->who->current, a->since))
            answer(a);
    }
}
