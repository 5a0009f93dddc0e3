/*
 * The body up. Chunked bodies are decoded and encoded again, so that nothing of the client's chunk framing goes further.
 */
#include "relay/upload.h"

void upload_start(struct upload *u, struct body_rule rule)
{
    *u = (struct upload){.keeping = true};
    u->kept.max = REPLAY_WINDOW;
    body_start(&u->body, rule);
    u->ended = u->sent_end = body_ended(&u->body);
}

void upload_free(struct upload *u)
{
    body_free(&u->body);
    buf_free(&u->kept);
    u->to = NULL;
}

enum ask_body upload_class(const struct upload *u)
{
    switch (u->body.rule.kind) {
    case BODY_LENGTH:
        return u->body.rule.length == 0               ? ASK_BODY_NONE
               : u->body.rule.length <= REPLAY_WINDOW ? ASK_BODY_SMALL
                                                      : ASK_BODY_BIG;
    case BODY_CHUNKED:
        return ASK_BODY_BIG;
    default:
        return ASK_BODY_NONE;
    }
}

static bool chunked(const struct upload *u)
{
    return u->body.rule.kind == BODY_CHUNKED;
}

bool upload_wants(const struct upload *u)
{
    if (u->ended || u->bad)
        return false;
    return u->discarding || (u->gathering ? u->keeping : u->to && stream_backlog(u->to) == 0);
}

static void send_content(struct upload *u, struct span content)
{
    if (content.n == 0)
        return;
    if (!chunked(u)) {
        stream_write(u->to, content);
        return;
    }
    char line[CHUNK_LINE_MAX];
    struct span parts[3] = {{line, chunk_line(line, content.n)}, content, SPAN("\r\n")};
    stream_writev(u->to, parts, 3);
}

static void send_end(struct upload *u)
{
    if (chunked(u)) {
        struct buf end = {0};
        chunk_end(&end, body_trailers(&u->body));
        stream_write(u->to, buf_span(&end));
        buf_free(&end);
    }
    u->sent_end = true;
}

static void take_content(struct upload *u, struct span content)
{
    u->content += content.n;
    if (u->discarding)
        return;
    if (u->keeping && !buf_add_span(&u->kept, content)) {
        u->keeping = false;
        if (!u->gathering)
            buf_free(&u->kept);
    }
    if (u->to)
        send_content(u, content);
}

void upload_take(struct upload *u, struct span *in)
{
    struct span content;
    while (!u->ended && !u->bad && (u->to || u->discarding || (u->gathering && u->keeping))) {
        enum chunked_result result = body_read(&u->body, in, &content);
        if (result == CHUNKED_MORE)
            return;
        if (result == CHUNKED_DATA)
            take_content(u, content);
        u->bad = result == CHUNKED_BAD;
        u->ended = body_ended(&u->body);
        if (u->ended && u->to)
            send_end(u);
    }
}

void upload_go(struct upload *u, struct stream *to)
{
    u->to = to;
    u->gathering = false;
    send_content(u, buf_span(&u->kept));
    if (u->ended)
        send_end(u);
}

enum ask_rewind upload_rewind(struct upload *u)
{
    bool whole = u->sent_end;
    u->to = NULL;
    u->sent_end = false;
    if (!u->keeping)
        return ASK_REWIND_LOST;
    return whole ? ASK_REWIND_WHOLE : ASK_REWIND_PART;
}

void upload_settle(struct upload *u)
{
    u->keeping = false;
    buf_free(&u->kept);
}

void upload_gather(struct upload *u)
{
    u->gathering = true;
}

void upload_discard(struct upload *u)
{
    u->discarding = true;
}
