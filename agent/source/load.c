/*
 * WPAD is a list of URLs, made anew for each attempt, since the machine's domains change with its network: the first that gives a script is it. A
 * host without a script there is passed over; where all of them are, there is no script in this network, which is no failure.
 */
#include "source/load.h"

#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/url.h"
#include "config/kinds.h"
#include "source/freshness.h"
#include "source/get.h"
#include "source/wpad.h"

#define RESOLV_BYTES ((size_t)64 << 10)
#define ETAG_LONGEST 1024

struct load {
    struct loop *loop;
    struct load_wish wish;
    loaded_fn done;
    void *owner;
    struct get *get;
    struct looking *looking;
    char *urls[WPAD_DOMAINS]; /* WPAD's */
    size_t n_urls, next;
    struct buf failed; /* why the first of them failed that is not simply absent */
};

static void load_free(struct load *l)
{
    if (l->get)
        get_cancel(l->get);
    look_cancel(l->looking);
    for (size_t i = 0; i < l->n_urls; i++)
        free(l->urls[i]);
    buf_free(&l->failed);
    config_unref(l->wish.own);
    free(l);
}

void load_cancel(struct load *l)
{
    if (l)
        load_free(l);
}

/* UTF-16 without a mark gets one in `out`, since whoever reads the script goes by that; all else is taken as it is. What the server says of a
   charset is no help beyond this: most say what their configuration says of all files. */
static struct span with_mark(struct span script, struct buf *out)
{
    bool first = script.n >= 2 && script.p[0] == '\0', second = script.n >= 2 && script.p[1] == '\0';
    if (first == second)
        return script;
    buf_add_span(out, second ? SPAN("\xff\xfe") : SPAN("\xfe\xff"));
    buf_add_span(out, script);
    return buf_span(out);
}

static void end(struct load *l, struct loaded answer)
{
    struct buf marked = {0};
    if (answer.result == LOAD_NEW)
        answer.script = with_mark(answer.script, &marked);
    l->done(l->owner, &answer);
    buf_free(&marked);
    load_free(l);
}

/* --- what came --- */

bool load_is_script(struct span bytes)
{
    static const char name[] = "FindProxyForURL";
    size_t at = 0;
    for (size_t i = 0; i < bytes.n; i++) {
        char c = bytes.p[i];
        if (c == '\0') /* UTF-16 */
            continue;
        at = c == name[at] ? at + 1 : c == name[0];
        if (!name[at])
            return true;
    }
    return false;
}

bool load_is_ours(const struct config *c, struct span host, uint16_t port)
{
    if (!c)
        return false;
    if (span_ends(host, SPAN(".")))
        host.n--;
    char *name = span_dup(host);
    bool ours = place_is_listener(name, port, c->listen, c->n_listen) ||
                place_is_listener(name, port, c->socks, c->n_socks);
    for (size_t i = 0; i < c->n_forwards && !ours; i++)
        ours = place_is_listener(name, port, c->forwards[i].listen, c->forwards[i].n_listen);
    for (size_t i = 0; i < c->n_gateways && !ours; i++)
        ours = place_is_listener(name, port, c->gateways[i].listen, c->gateways[i].n_listen);
    free(name);
    return ours;
}

static const char *refuse(void *owner, struct span host, uint16_t port)
{
    const struct load *l = owner;
    return load_is_ours(l->wish.own, host, port) ? "leads to this agent itself" : NULL;
}

static struct span field_of(const struct head *h, const char *name)
{
    const struct field *f = head_field(h, name);
    return f && f->value.n <= ETAG_LONGEST ? f->value : (struct span){0};
}

/* --- URLs --- */

static void next_url(struct load *l);

static void has_none(struct load *l)
{
    struct loaded answer = {
        .result = LOAD_NONE,
        .why = l->n_urls
                   ? SPAN("WPAD finds no script in this network")
                   : SPAN("WPAD has no domain to look in: resolv.conf names none of two labels or more")};
    if (l->failed.n) {
        answer.result = LOAD_FAILED;
        answer.why = buf_span(&l->failed);
    }
    end(l, answer);
}

static void did_not_get(struct load *l, const struct get_answer *got, struct span why)
{
    bool absent = got->result == GET_NO_SERVER || got->result == GET_NOT_THERE;
    if (l->wish.kind != LOAD_WPAD) {
        end(l, (struct loaded){.result = LOAD_FAILED, .why = why});
        return;
    }
    if (!absent && l->failed.n == 0)
        buf_add_span(&l->failed, why);
    next_url(l);
}

static void got(void *owner, const struct get_answer *answer)
{
    struct load *l = owner;
    l->get = NULL;
    if (answer->result != GET_NEW && answer->result != GET_SAME) {
        did_not_get(l, answer, answer->why);
        return;
    }
    if (answer->result == GET_NEW && !load_is_script(answer->content)) {
        struct buf why = {0};
        url_shown(answer->from, &why);
        buf_add_str(&why, answer->content.n
                              ? ": what the server sends is no PAC script (there is no FindProxyForURL in it)"
                              : ": the script is empty");
        did_not_get(l, answer, buf_span(&why));
        buf_free(&why);
        return;
    }
    end(l, (struct loaded){.result = answer->result == GET_NEW ? LOAD_NEW : LOAD_SAME,
                           .script = answer->content,
                           .charset = answer->charset,
                           .from = answer->from,
                           .etag = field_of(answer->head, "ETag"),
                           .modified = field_of(answer->head, "Last-Modified"),
                           .fresh = freshness(answer->head, (int64_t)time(NULL))});
}

static void get_url(struct load *l, const char *url)
{
    const struct kept *have = l->wish.have;
    struct get_wish wish = {.url = span_str(url), .refuse = refuse};
    if (have && have->script.n) {
        wish.have_from = span_str(have->from);
        wish.etag = span_str(have->etag);
        wish.modified = span_str(have->modified);
    }
    l->get = get_start(l->loop, &wish, got, l);
}

static void next_url(struct load *l)
{
    if (l->next == l->n_urls)
        has_none(l);
    else
        get_url(l, l->urls[l->next++]);
}

/* --- files --- */

static void domains_read(void *owner, const struct look *look)
{
    struct load *l = owner;
    char *hosts[WPAD_DOMAINS], machine[256] = "";
    l->looking = NULL;
    gethostname(machine, sizeof machine - 1);
    l->n_urls = wpad_hosts(buf_span(&look->bytes), span_str(machine), hosts);
    for (size_t i = 0; i < l->n_urls; i++) {
        struct buf url = {0};
        buf_addf(&url, "http://%s/wpad.dat", hosts[i]);
        l->urls[i] = mem_strdup(buf_cstr(&url));
        buf_free(&url);
        free(hosts[i]);
    }
    next_url(l);
}

static void file_read(void *owner, const struct look *look)
{
    struct load *l = owner;
    l->looking = NULL;
    struct loaded answer = {
        .seen = look->seen, .script = buf_span(&look->bytes), .from = span_str(l->wish.place)};
    answer.result = look->result == LOOK_NEW ? LOAD_NEW : look->result == LOOK_SAME ? LOAD_SAME : LOAD_FAILED;
    if (answer.result == LOAD_NEW && answer.script.n == 0) {
        answer.result = LOAD_FAILED;
        answer.why = SPAN("the PAC file is empty");
    } else if (answer.result == LOAD_FAILED) {
        answer.why = span_str(look->why.text);
    }
    end(l, answer);
}

struct load *load_start(struct loop *loop, const struct load_wish *wish, loaded_fn done, void *owner)
{
    static const struct look_seen none = {0};
    struct load *l = mem_zero(sizeof *l);
    *l = (struct load){.loop = loop, .wish = *wish, .done = done, .owner = owner};
    if (wish->own)
        config_ref(wish->own);
    if (wish->kind == LOAD_URL)
        get_url(l, wish->place);
    else if (wish->kind == LOAD_FILE)
        l->looking = look_start(loop, wish->place, GET_BYTES, &wish->seen, file_read, l);
    else
        l->looking = look_start(loop, wish->resolv_conf, RESOLV_BYTES, &none, domains_read, l);
    return l;
}
