/*
 * The control socket's wire: lines in, lines out, one question of a peer at a time and in order. The server
 * owns its peers; a peer owns its stream; a call belongs to the verb that must answer it, and outlives a peer
 * that goes. Runs on the loop's thread.
 *
 * A peer costs little: while it has a question open or leaves its answer unread, we do not read from it, so
 * that it holds one line and one answer at most; a watcher's unread lines have a ceiling of their own. There is no timer: when all places are taken, the peer that
 * has been silent the longest gives up its place.
 */
#include "control/server.h"

#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/list.h"
#include "base/log.h"
#include "base/nearest.h"

#define LINE_MAX_BYTES ((size_t)64 << 10)
#define CHUNK_MAX      ((size_t)1 << 20) /* what one reading may bring behind a line that already waits */
#define PEERS_MAX      64

struct control_server {
    struct loop *loop;
    struct listener *listener;
    const struct control_verb *verbs;
    void *owner;
    struct list peers; /* the most recently heard in front */
    size_t n_peers, n_watchers;
};

struct control_peer {
    struct list node;
    struct control_server *server; /* NULL: the server has stopped, or the peer is closed */
    struct stream *stream;
    struct control_call *call; /* waits for its answer */
    struct buf bytes;          /* read */
    size_t used;               /* how many of them are done with */
    bool eof;                  /* it will ask no more */
    bool last;                 /* we close as soon as it has our answer */
    bool busy;                 /* serve_lines is at work on it, further up the stack */
    bool watching;             /* it is told what happens, and asks no more */
    uint64_t missed;           /* lines that it was not told, since it did not read */
};

struct control_call {
    struct control_peer *peer; /* NULL: the asker has gone */
};

static void peer_free(struct control_peer *p)
{
    buf_free(&p->bytes);
    free(p);
}

/* Ends the connection now. Whoever is at work on the peer finds server == NULL, and releases it. */
static void peer_close(struct control_peer *p)
{
    list_remove(&p->node);
    p->server->n_peers--;
    p->server->n_watchers -= p->watching;
    p->server = NULL;
    stream_close(p->stream);
    p->stream = NULL;
    if (p->call)
        p->call->peer = NULL;
    p->call = NULL;
    if (!p->busy)
        peer_free(p);
}

static void peer_say(struct control_peer *p, json_t *answer)
{
    char *text = json_dumps(answer, JSON_COMPACT);
    json_decref(answer);
    if (!text) /* a verb put something into its answer that JSON cannot say, a NULL or an infinite number */
        text = mem_strdup("{\"ok\":false,\"error\":\"the answer cannot be written\",\"remedy\":\"\"}");
    struct span parts[] = {span_str(text), SPAN("\n")};
    stream_writev(p->stream, parts, 2);
    free(text);
}

/* A sentence that JSON can say: what is not UTF-8 (a path in an error, say) loses its foreign bytes. */
static json_t *sentence(const char *text)
{
    json_t *value = json_string(text ? text : "");
    if (value)
        return value;
    char *plain = mem_strdup(text);
    for (char *c = plain; *c; c++)
        if ((unsigned char)*c >= 0x80)
            *c = '?';
    value = json_string(plain);
    free(plain);
    return value;
}

static json_t *refusal(const char *error, const char *remedy)
{
    return json_pack("{s:b, s:o, s:o}", "ok", 0, "error", sentence(error), "remedy", sentence(remedy));
}

/* Refuses and will hear no more from this peer. */
static void peer_dismiss(struct control_peer *p, const char *error, const char *remedy)
{
    p->last = true;
    peer_say(p, refusal(error, remedy));
}

/* --- questions */

static void refuse_unknown(struct control_call *call, const struct control_verb *verbs, const char *name)
{
    struct buf error, remedy;
    buf_init(&error, 0);
    buf_init(&remedy, 0);
    struct nearest near;
    nearest_begin(&near, span_str(name));
    buf_add_str(&remedy, "ask for one of:");
    for (const struct control_verb *v = verbs; v->name; v++) {
        nearest_offer(&near, v->name);
        buf_addf(&remedy, " %s", v->name);
    }
    buf_addf(&error, "the agent knows no verb \"%s\"", name);
    if (near.name)
        buf_addf(&error, " (did you mean \"%s\"?)", near.name);
    control_refuse(call, buf_cstr(&error), buf_cstr(&remedy));
    buf_free(&error);
    buf_free(&remedy);
}

static void run_question(struct control_peer *p, struct span line)
{
    struct control_call *call = mem_zero(sizeof *call);
    call->peer = p;
    p->call = call;
    const struct control_verb *verbs = p->server->verbs;
    json_error_t at;
    json_t *question = json_loadb(line.p, line.n, JSON_REJECT_DUPLICATES, &at);
    const char *name = json_string_value(json_object_get(question, "verb"));
    const struct control_verb *verb = verbs;
    while (name && verb->name && strcmp(verb->name, name) != 0)
        verb++;
    if (!question)
        control_refuse(call, "the question is not JSON", at.text);
    else if (!name)
        control_refuse(call, "the question is no JSON object with a \"verb\"",
                       "send one line like {\"verb\": \"status\"}");
    else if (!verb->name)
        refuse_unknown(call, verbs, name);
    else
        verb->run(p->server->owner, call, question);
    json_decref(question);
}

static bool only_blanks(struct span line)
{
    for (size_t i = 0; i < line.n; i++)
        if (line.p[i] != ' ' && line.p[i] != '\t' && line.p[i] != '\r')
            return false;
    return true;
}

static void too_long(struct control_peer *p)
{
    peer_dismiss(p, "the question is longer than 64 KiB", "send one short JSON object per line");
}

/* Takes the next whole line and asks it. false: there is none (any more). The bytes stay where they are until
 * serve_lines drops them. */
static bool serve_line(struct control_peer *p)
{
    struct span waiting = span_from(buf_span(&p->bytes), p->used);
    size_t end = span_find(waiting, '\n');
    if (end > LINE_MAX_BYTES) {
        too_long(p);
        return false;
    }
    if (end == waiting.n && !(p->eof && waiting.n))
        return false;
    p->used += end < waiting.n ? end + 1 : end;
    struct span line = span_head(waiting, end);
    if (!only_blanks(line))
        run_question(p, line);
    return true;
}

/* Goes on with what a peer has sent, as far as can be now; then reads on, waits, or closes. */
static void serve_lines(struct control_peer *p)
{
    if (p->busy)
        return;
    p->busy = true;
    if (p->watching)
        p->used = p->bytes.n;
    while (p->server && !p->call && !p->last && !p->watching && stream_backlog(p->stream) == 0 &&
           serve_line(p))
        ;
    p->busy = false;
    if (!p->server) {
        peer_free(p);
        return;
    }
    buf_drop(&p->bytes, p->used);
    p->used = 0;
    if (p->call || (stream_backlog(p->stream) > 0 && !p->watching))
        stream_pause(p->stream);
    else if (p->last || p->eof)
        peer_close(p);
    else
        stream_read(p->stream);
}

/* --- watchers */

/* What it was not told, as soon as it reads again. */
static void say_missed(struct control_peer *p)
{
    if (!p->missed)
        return;
    struct buf line = {0};
    buf_addf(&line, "{\"event\":\"missed\",\"lines\":%" PRIu64 "}\n", p->missed);
    p->missed = 0;
    stream_write(p->stream, buf_span(&line));
    buf_free(&line);
}

bool control_is_watched(const struct control_server *s)
{
    return s && s->n_watchers > 0;
}

void control_tell(struct control_server *s, struct span line)
{
    struct list *it, *safe;
    list_each(it, safe, &s->peers)
    {
        struct control_peer *p = list_entry(it, struct control_peer, node);
        struct span parts[] = {line, SPAN("\n")};
        if (!p->watching)
            continue;
        if (p->missed || stream_backlog(p->stream) + line.n > CONTROL_BEHIND_MOST)
            p->missed++;
        else
            stream_writev(p->stream, parts, 2);
    }
}

/* --- what the stream tells */

static void peer_data(void *owner, struct span bytes)
{
    struct control_peer *p = owner;
    list_remove(&p->node);
    list_push_front(&p->server->peers, &p->node);
    if (!p->last && !buf_add_span(&p->bytes, bytes))
        too_long(p);
    serve_lines(p);
}

static void peer_eof(void *owner)
{
    struct control_peer *p = owner;
    p->eof = true;
    serve_lines(p);
}

static void peer_drained(void *owner)
{
    struct control_peer *p = owner;
    say_missed(p);
    serve_lines(p);
}

static void peer_failed(void *owner, const struct err *why)
{
    log_debug(NULL, "control: a peer has gone: %s", why->text);
    peer_close(owner);
}

static const struct stream_events peer_events = {
    .data = peer_data,
    .eof = peer_eof,
    .drained = peer_drained,
    .failed = peer_failed,
};

/* --- answers */

static void finish(struct control_call *call, json_t *answer)
{
    struct control_peer *p = call->peer;
    free(call);
    if (!p) {
        json_decref(answer);
        return;
    }
    p->call = NULL;
    peer_say(p, answer);
    serve_lines(p);
}

void control_answer(struct control_call *call, json_t *answer)
{
    json_object_set_new(answer, "ok", json_true());
    finish(call, answer);
}

void control_refuse(struct control_call *call, const char *error, const char *remedy)
{
    finish(call, refusal(error, remedy));
}

void control_watch(struct control_call *call, json_t *answer)
{
    struct control_peer *p = call->peer;
    if (p && p->server->n_watchers >= CONTROL_WATCHERS) {
        json_decref(answer);
        control_refuse(call, "too many are watching already", "end one of the others");
        return;
    }
    if (p) {
        p->watching = true;
        p->server->n_watchers++;
    }
    control_answer(call, answer);
}

/* --- arrivals */

/* The longest silent peer without an open question gives its place to the newcomer. */
static bool make_room(struct control_server *s)
{
    if (s->n_peers < PEERS_MAX)
        return true;
    for (struct list *it = s->peers.prev; it != &s->peers; it = it->prev) {
        struct control_peer *p = list_entry(it, struct control_peer, node);
        if (!p->call && !p->watching) {
            peer_close(p);
            return true;
        }
    }
    return false;
}

static void peer_arrived(void *owner, struct stream *stream)
{
    struct control_server *s = owner;
    uid_t uid;
    bool ours = stream_peer_uid(stream, &uid) && (uid == getuid() || uid == 0);
    bool room = ours && make_room(s);
    struct control_peer *p = mem_zero(sizeof *p);
    p->server = s;
    p->stream = stream;
    buf_init(&p->bytes, LINE_MAX_BYTES + CHUNK_MAX);
    list_push_front(&s->peers, &p->node);
    s->n_peers++;
    stream_own(stream, &peer_events, p);
    if (!ours) {
        log_warning(NULL, "control: a process of another user was turned away");
        peer_dismiss(p, "only the user who runs the agent may ask it", "ask as that user, or as root");
    } else if (!room) {
        log_warning(NULL, "control: too many questions are open, one more was turned away");
        peer_dismiss(p, "too many others are waiting for an answer", "try again in a moment");
    }
    serve_lines(p);
}

struct control_server *control_server_start(struct loop *loop, const char *path,
                                            const struct control_verb *verbs, void *owner, struct err *e)
{
    struct control_server *s = mem_zero(sizeof *s);
    *s = (struct control_server){.loop = loop, .verbs = verbs, .owner = owner};
    list_init(&s->peers);
    s->listener = listen_unix(loop, path, peer_arrived, s, e);
    if (!s->listener) {
        free(s);
        return NULL;
    }
    listener_exempt(s->listener);
    return s;
}

void control_server_stop(struct control_server *s)
{
    struct list *it, *safe;
    listener_close(s->listener);
    list_each(it, safe, &s->peers) peer_close(list_entry(it, struct control_peer, node));
    free(s);
}
