/*
 * The body down. A body without a length becomes chunks for HTTP/1.1 clients: so they can tell its end from a break.
 */
#include "relay/download.h"

struct body_rule download_framing(struct body_rule rule, unsigned client_minor)
{
    if (rule.kind == BODY_CHUNKED || rule.kind == BODY_CLOSE)
        rule.kind = client_minor >= 1 ? BODY_CHUNKED : BODY_CLOSE;
    return rule;
}

static void whole(struct download *d)
{
    d->state = DOWNLOAD_WHOLE;
    if (!d->chunked)
        return;
    struct buf end = {0};
    chunk_end(&end, body_trailers(&d->body));
    stream_write(d->to, buf_span(&end));
    buf_free(&end);
}

void download_start(struct download *d, struct body_rule rule, struct body_rule towards_client,
                    struct stream *from, struct stream *to)
{
    *d = (struct download){.from = from, .to = to, .chunked = towards_client.kind == BODY_CHUNKED};
    body_start(&d->body, rule);
    if (body_ended(&d->body))
        whole(d);
}

void download_free(struct download *d)
{
    body_free(&d->body);
}

static void send_content(struct download *d, struct span content)
{
    d->content += content.n;
    if (!d->chunked) {
        stream_write(d->to, content);
        return;
    }
    char line[CHUNK_LINE_MAX];
    struct span parts[3] = {{line, chunk_line(line, content.n)}, content, SPAN("\r\n")};
    stream_writev(d->to, parts, 3);
}

void download_take(struct download *d, struct span in)
{
    struct span content;
    enum chunked_result result;
    while (d->state == DOWNLOAD_GOING && (result = body_read(&d->body, &in, &content)) != CHUNKED_MORE) {
        if (result == CHUNKED_DATA)
            send_content(d, content);
        if (result == CHUNKED_BAD)
            d->state = DOWNLOAD_CUT;
        else if (body_ended(&d->body))
            whole(d);
    }
    d->surplus |= in.n > 0;
    if (d->state == DOWNLOAD_GOING && stream_backlog(d->to))
        stream_pause(d->from);
}

void download_eof(struct download *d)
{
    if (d->state != DOWNLOAD_GOING)
        return;
    if (body_eof(&d->body) && !stream_cut_short(d->from))
        whole(d);
    else
        d->state = DOWNLOAD_CUT;
}

void download_resume(struct download *d)
{
    if (d->state == DOWNLOAD_GOING)
        stream_read(d->from);
}
