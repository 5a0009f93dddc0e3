/*
 * Questions, processes and answers. A question (one URL, and all calls that want to know about it) waits in a queue until a process is free;
 * there is one process as long as none of them waits for a name. A process that was killed costs the question that it was asked; the next one is started
 * when somebody asks, at first at once, then after pauses that double: within a pause every question fails with the last reason.
 */
#include "helpers/pac_client.h"

#include <stdlib.h>

#include "base/log.h"
#include "base/memo.h"
#include "helpers/pac_helper.h"
#include "helpers/pac_shown.h"
#include "wire/pac_msg.h"

#define PROCESSES_MOST   4u
#define SPARE_MS         10000u /* how long the others are kept after they were needed */
#define QUESTIONS_MOST   4096u
#define ANSWERS_KEPT     4096u
#define BYTES_KEPT       ((size_t)4 << 20)
#define URL_LONGEST      (FRAME_MAX - 8192)
#define BACKOFF_FIRST_MS 100u
#define BACKOFF_MOST_MS  5000u
#define EARLY_ENDS_MOST                                                                                      \
    3u /* of processes in a row, before a script that was never loaded counts as what ends them */
#define NO_SCRIPT "there is no PAC script"

struct question {
    struct list link; /* in the queue; by itself while it is asked */
    struct list calls;
    char *url, *host;
};

struct process {
    struct pac_helper *helper; /* NULL: not running */
    struct question *question; /* NULL: idle, or still starting */
    bool loaded;
    struct pac_client *client;
};

struct pac_client {
    struct loop *loop;
    struct starter *starter; /* NULL: we start exeat-pac ourselves */
    struct resolver *resolver;
    const struct pac_client_events *events;
    void *owner;
    unsigned lifetime_ms;
    char *name, *script;
    size_t script_n;
    enum pac_failure bad; /* PAC_FINE: the script may be asked */
    bool announced;       /* as good */
    struct buf why;       /* the last failure; empty: none */
    struct memo *answers;
    struct list queue;
    struct list telling; /* calls whose answer is known */
    size_t questions;
    struct process processes[PROCESSES_MOST];
    struct deadline spare;
    unsigned backoff_ms;
    uint64_t not_before;
    unsigned kills, early_ends;
    uint64_t asked, remembered;
    struct later dispatcher;
};

/* --- the ends of calls --- */

static void copy(struct span *s)
{
    if (s->p)
        *s = span_make(span_dup(*s), s->n);
}

static void free_copies(struct pac_answer *a)
{
    free((char *)(uintptr_t)a->result.p);
    free((char *)(uintptr_t)a->why.p);
    free((char *)(uintptr_t)a->last_good.p);
    *a = (struct pac_answer){0};
}

static void tell_now(void *owner)
{
    struct pac_call *call = owner;
    struct pac_answer answer = call->answer;
    call->answer = (struct pac_answer){0};
    call->active = false;
    list_remove(&call->link);
    call->answered(call->owner, &answer);
    free_copies(&answer);
}

static void tell_later(struct pac_call *call, const struct pac_answer *answer)
{
    call->answer = *answer;
    copy(&call->answer.result);
    copy(&call->answer.why);
    copy(&call->answer.last_good);
    list_push_back(&call->client->telling, &call->link);
    later_start(call->client->loop, &call->told, tell_now, call);
}

static void question_free(struct pac_client *p, struct question *q)
{
    list_remove(&q->link);
    p->questions--;
    free(q->url);
    free(q->host);
    free(q);
}

/* Ends all its calls, and it. Each call is told from the loop, so nobody can pull the ground from under us here. */
static void question_end(struct pac_client *p, struct question *q, enum pac_failure failure, struct span text)
{
    struct pac_answer answer = {.failure = failure};
    if (failure == PAC_FINE)
        answer.result = text;
    else
        answer.why = text;
    if (failure != PAC_FINE && !memo_get(p->answers, span_str(q->url), 0, &answer.last_good, NULL))
        answer.last_good = (struct span){0};
    while (!list_empty(&q->calls)) {
        struct pac_call *call = list_entry(q->calls.next, struct pac_call, link);
        list_remove(&call->link);
        tell_later(call, &answer);
    }
    question_free(p, q);
}

static void end_queue(struct pac_client *p, enum pac_failure failure, struct span text)
{
    while (!list_empty(&p->queue))
        question_end(p, list_entry(p->queue.next, struct question, link), failure, text);
}

static void note_failure(struct pac_client *p, struct span why)
{
    if (!span_eq(buf_span(&p->why), why))
        log_warning(NULL, "%.*s", SPAN_ARG(why));
    buf_clear(&p->why);
    buf_add_span(&p->why, why);
}

/* --- processes --- */

static void told(void *owner, struct pac_helper *h, enum pac_news news, struct span text);
static void dispatch(void *owner);

static void dispatch_soon(struct pac_client *p)
{
    later_start(p->loop, &p->dispatcher, dispatch, p);
}

static void end_process(struct process *process)
{
    if (process->helper)
        pac_helper_free(process->helper);
    *process = (struct process){.client = process->client};
}

/* A life that ended badly: the first one costs nothing, each further one in a row a longer pause. */
static void step_back(struct pac_client *p)
{
    p->kills++;
    p->not_before = loop_now(p->loop) + p->backoff_ms;
    p->backoff_ms = p->backoff_ms ? p->backoff_ms * 2 : BACKOFF_FIRST_MS;
    if (p->backoff_ms > BACKOFF_MOST_MS)
        p->backoff_ms = BACKOFF_MOST_MS;
}

static unsigned running(const struct pac_client *p)
{
    unsigned n = 0;
    for (size_t i = 0; i < PROCESSES_MOST; i++)
        n += p->processes[i].helper != NULL;
    return n;
}

static struct process *idle_process(struct pac_client *p)
{
    for (size_t i = 0; i < PROCESSES_MOST; i++)
        if (p->processes[i].loaded && !p->processes[i].question)
            return &p->processes[i];
    return NULL;
}

/* Another one is worth its while when all there are wait for names. */
static struct process *place_for_another(struct pac_client *p)
{
    struct process *place = NULL;
    for (size_t i = 0; i < PROCESSES_MOST; i++) {
        struct process *process = &p->processes[i];
        if (!process->helper)
            place = place ? place : process;
        else if (!pac_helper_waits(process->helper))
            return NULL;
    }
    return place;
}

static void start_process(struct pac_client *p, struct process *process)
{
    struct err e;
    process->helper = pac_helper_start(p->loop, p->starter, p->resolver, span_str(p->name),
                                       span_make(p->script, p->script_n), told, process, &e);
    if (process->helper)
        return;
    note_failure(p, span_str(e.text));
    step_back(p);
}

/* Those that were needed for a while only. */
static void end_spare(void *owner)
{
    struct pac_client *p = owner;
    bool keep = true;
    for (size_t i = 0; i < PROCESSES_MOST; i++) {
        struct process *process = &p->processes[i];
        if (process->loaded && !process->question && !keep)
            end_process(process);
        else if (process->helper)
            keep = false;
    }
}

static void ask(struct process *process, struct question *q)
{
    struct pac_client *p = process->client;
    list_remove(&q->link);
    if (!pac_helper_find(process->helper, span_str(q->url), span_str(q->host))) {
        question_end(p, q, PAC_NOT_ASKED, SPAN("the URL is too long for a PAC script"));
        return;
    }
    process->question = q;
    p->asked++;
}

/* Brings questions and processes together. Runs from the loop, or at the end of a piece of news. */
static void dispatch(void *owner)
{
    struct pac_client *p = owner;
    struct process *process;
    while (!list_empty(&p->queue) && (process = idle_process(p)) != NULL) {
        struct question *q = list_entry(p->queue.next, struct question, link);
        if (list_empty(&q->calls))
            question_free(p, q);
        else
            ask(process, q);
    }
    if (list_empty(&p->queue)) {
        if (running(p) > 1)
            deadline_start(p->loop, &p->spare, SPARE_MS, end_spare, p);
        return;
    }
    deadline_stop(&p->spare);
    process = place_for_another(p);
    if (process && loop_now(p->loop) >= p->not_before)
        start_process(p, process);
    if (running(p) == 0)
        end_queue(p, PAC_DIED, buf_span(&p->why));
}

/* --- news --- */

static void take_answer(struct process *process, enum pac_failure failure, struct span text)
{
    struct pac_client *p = process->client;
    struct question *q = process->question;
    process->question = NULL;
    if (failure == PAC_FINE) {
        p->backoff_ms = 0;
        buf_clear(&p->why);
        memo_put(p->answers, span_str(q->url), text, loop_now(p->loop) + p->lifetime_ms);
    } else {
        note_failure(p, text);
    }
    question_end(p, q, failure, text);
}

/* Once for a script that is good, however often its process is started anew. */
static void announce(struct pac_client *p, bool good, struct span why)
{
    bool news = !good || !p->announced;
    p->announced = good;
    if (news && p->events)
        p->events->loaded(p->owner, good, why);
}

static void take_loaded(struct process *process, bool good, struct span text)
{
    struct pac_client *p = process->client;
    process->loaded = good;
    p->early_ends = 0;
    if (!good) {
        end_process(process);
        note_failure(p, text);
        p->bad = PAC_BAD_SCRIPT;
        end_queue(p, PAC_BAD_SCRIPT, text);
    }
    announce(p, good, text);
}

/* Is the script to blame that a process ended before it could be asked? Not where it was loaded before, nor where somebody else may have ended the process: who is
   blamed is not taken a second time. */
static bool is_to_blame(struct pac_client *p, enum pac_failure failure)
{
    return !p->announced && (failure != PAC_DIED || ++p->early_ends == EARLY_ENDS_MOST);
}

/* The process has ended, and with it the question that it was asked. */
static void take_end(struct process *process, enum pac_failure failure, struct span text)
{
    struct pac_client *p = process->client;
    struct question *q = process->question;
    bool loaded = process->loaded;
    note_failure(p, text);
    end_process(process);
    step_back(p);
    if (q)
        question_end(p, q, failure, text);
    else if (!loaded) { /* it ended before it could be asked: the next would do the same */
        end_queue(p, failure, text);
        if (is_to_blame(p, failure))
            announce(p, false, text);
    }
}

static void told(void *owner, struct pac_helper *h, enum pac_news news, struct span text)
{
    static const enum pac_failure failures[] = {[PAC_NEWS_RESULT] = PAC_FINE,
                                                [PAC_NEWS_ERROR] = PAC_SCRIPT_FAILED,
                                                [PAC_NEWS_LOOPED] = PAC_LOOPED,
                                                [PAC_NEWS_GREW] = PAC_GREW,
                                                [PAC_NEWS_DIED] = PAC_DIED};
    struct process *process = owner;
    struct pac_client *p = process->client;
    (void)h;
    switch (news) {
    case PAC_NEWS_LOADED:
    case PAC_NEWS_BAD_SCRIPT:
        take_loaded(process, news == PAC_NEWS_LOADED, text);
        break;
    case PAC_NEWS_WAITS:
        break;
    case PAC_NEWS_RESULT:
    case PAC_NEWS_ERROR:
        take_answer(process, failures[news], text);
        break;
    default:
        take_end(process, failures[news], text);
    }
    dispatch_soon(p);
}

/* --- calls --- */

static struct question *question_of(struct pac_client *p, struct span url)
{
    struct list *it, *safe;
    for (size_t i = 0; i < PROCESSES_MOST; i++)
        if (p->processes[i].question && span_eq(span_str(p->processes[i].question->url), url))
            return p->processes[i].question;
    list_each(it, safe, &p->queue)
    {
        struct question *q = list_entry(it, struct question, link);
        if (span_eq(span_str(q->url), url))
            return q;
    }
    return NULL;
}

static struct question *question_new(struct pac_client *p, struct span url, struct span host)
{
    struct question *q = mem_zero(sizeof *q);
    bool brackets = host.n > 2 && host.p[0] == '[' && host.p[host.n - 1] == ']';
    q->url = span_dup(url);
    q->host = span_dup(brackets ? span_head(span_from(host, 1), host.n - 2) : host);
    for (char *c = q->host; *c; c++)
        if (*c >= 'A' && *c <= 'Z')
            *c = (char)(*c - 'A' + 'a');
    list_init(&q->calls);
    list_push_back(&p->queue, &q->link);
    p->questions++;
    return q;
}

/* What can be said without asking the script; false: it must be asked. */
static bool known(struct pac_client *p, const struct pac_request *r, struct span url,
                  struct pac_answer *answer)
{
    bool fresh;
    *answer = (struct pac_answer){.failure = p->bad, .why = buf_span(&p->why)};
    if (p->bad == PAC_FINE && memo_get(p->answers, url, loop_now(p->loop), &answer->result, &fresh) &&
        fresh) {
        answer->why = (struct span){0};
        answer->remembered = true;
        p->remembered++;
        return true;
    }
    if (p->bad != PAC_FINE) {
        answer->result = (struct span){0};
        memo_get(p->answers, url, 0, &answer->last_good, NULL);
        return true;
    }
    *answer = (struct pac_answer){.failure = PAC_NOT_ASKED};
    if (r->host.n == 0 || r->host.n > PAC_HOST_MAX || memchr(r->host.p, '\0', r->host.n))
        answer->why = SPAN("the name of the host is nothing that a PAC script could be asked about");
    else if (url.n > URL_LONGEST || memchr(url.p, '\0', url.n))
        answer->why = SPAN("the URL is too long for a PAC script");
    else if (p->questions >= QUESTIONS_MOST)
        answer->why = SPAN("too many requests wait for the PAC script");
    return answer->why.n != 0;
}

void pac_call_start(struct pac_client *p, struct pac_call *call, const struct pac_request *request,
                    pac_answer_fn answered, void *owner)
{
    struct buf url = {0};
    struct pac_answer answer;
    *call = (struct pac_call){.client = p, .answered = answered, .owner = owner, .active = true};
    list_init(&call->link);
    pac_shown_url(&url, request->scheme, request->host, request->port, request->url);
    if (known(p, request, buf_span(&url), &answer)) {
        tell_later(call, &answer);
    } else {
        struct question *q = question_of(p, buf_span(&url));
        if (!q)
            q = question_new(p, buf_span(&url), request->host);
        list_push_back(&q->calls, &call->link);
        dispatch_soon(p);
    }
    buf_free(&url);
}

/* A question that nobody waits for any more is not asked; one that is being asked goes on, and its answer is remembered. */
void pac_call_cancel(struct pac_call *call)
{
    if (!call->active)
        return;
    call->active = false;
    list_remove(&call->link);
    later_cancel(&call->told);
    free_copies(&call->answer);
}

/* --- the script --- */

static void start_over(struct pac_client *p)
{
    for (size_t i = PROCESSES_MOST; i-- > 0;) {
        struct question *q = p->processes[i].question;
        if (q)
            list_push_front(&p->queue, &q->link);
        end_process(&p->processes[i]);
    }
    memo_expire(p->answers);
    p->backoff_ms = 0;
    p->not_before = 0;
}

bool pac_client_load(struct pac_client *p, struct span name, struct span script, struct err *e)
{
    if (script.n == 0)
        return err_set(e, ERR_CONFIG, "the PAC file %.*s is empty", SPAN_ARG(span_head(name, 200)));
    if (script.n > PAC_SCRIPT_MAX)
        return err_set(e, ERR_LIMIT, "the PAC file %.*s is larger than %zu bytes",
                       SPAN_ARG(span_head(name, 200)), PAC_SCRIPT_MAX);
    start_over(p);
    free(p->name);
    free(p->script);
    p->name = span_dup(name.n ? span_head(name, PAC_NAME_MAX) : SPAN("PAC script"));
    p->script = span_dup(script);
    p->script_n = script.n;
    p->bad = PAC_FINE;
    p->announced = false;
    p->early_ends = 0;
    buf_clear(&p->why);
    start_process(p, &p->processes[0]); /* at once: so that an error is known before the first request */
    dispatch_soon(p);
    return true;
}

void pac_client_unload(struct pac_client *p)
{
    start_over(p);
    memo_free(p->answers);
    p->answers = memo_new(ANSWERS_KEPT, BYTES_KEPT);
    free(p->name);
    free(p->script);
    p->name = p->script = NULL;
    p->script_n = 0;
    p->bad = PAC_NO_SCRIPT;
    p->announced = false;
    buf_clear(&p->why);
    buf_add_str(&p->why, NO_SCRIPT);
    end_queue(p, PAC_NO_SCRIPT, SPAN(NO_SCRIPT));
}

void pac_client_forget(struct pac_client *p)
{
    memo_expire(p->answers);
    resolver_forget(p->resolver);
    p->backoff_ms = 0;
    p->not_before = 0;
}

struct pac_client *pac_client_new(struct loop *loop, struct starter *starter, struct resolver *resolver,
                                  unsigned lifetime_ms, const struct pac_client_events *events, void *owner)
{
    struct pac_client *p = mem_zero(sizeof *p);
    *p = (struct pac_client){.loop = loop,
                             .starter = starter,
                             .resolver = resolver,
                             .lifetime_ms = lifetime_ms,
                             .events = events,
                             .owner = owner,
                             .bad = PAC_NO_SCRIPT,
                             .answers = memo_new(ANSWERS_KEPT, BYTES_KEPT)};
    buf_add_str(&p->why, NO_SCRIPT);
    list_init(&p->queue);
    list_init(&p->telling);
    for (size_t i = 0; i < PROCESSES_MOST; i++)
        p->processes[i].client = p;
    return p;
}

static void cancel_all(struct list *calls)
{
    while (!list_empty(calls))
        pac_call_cancel(list_entry(calls->next, struct pac_call, link));
}

void pac_client_free(struct pac_client *p)
{
    start_over(p);
    cancel_all(&p->telling);
    while (!list_empty(&p->queue)) {
        struct question *q = list_entry(p->queue.next, struct question, link);
        cancel_all(&q->calls);
        question_free(p, q);
    }
    deadline_stop(&p->spare);
    later_cancel(&p->dispatcher);
    memo_free(p->answers);
    buf_free(&p->why);
    starter_free(p->starter);
    free(p->name);
    free(p->script);
    free(p);
}

void pac_client_state(const struct pac_client *p, struct pac_state *out)
{
    *out = (struct pac_state){.given = p->script != NULL,
                              .usable = p->bad == PAC_FINE,
                              .name = p->name ? p->name : "",
                              .why = p->why.n ? buf_cstr((struct buf *)(uintptr_t)&p->why) : "",
                              .processes = running(p),
                              .kills = p->kills,
                              .asked = p->asked,
                              .remembered = p->remembered};
}
