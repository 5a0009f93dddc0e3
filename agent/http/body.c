/*
 * One reader for all framings. Pure.
 */
#include "http/body.h"

void body_start(struct body *b, struct body_rule rule)
{
    *b = (struct body){.rule = rule};
    if (rule.kind == BODY_LENGTH)
        b->left = rule.length;
    if (rule.kind == BODY_CHUNKED)
        chunked_init(&b->chunked);
    b->ended = rule.kind == BODY_NONE || (rule.kind == BODY_LENGTH && rule.length == 0);
}

void body_free(struct body *b)
{
    if (b->rule.kind == BODY_CHUNKED)
        chunked_free(&b->chunked);
    *b = (struct body){.ended = true};
}

enum chunked_result body_read(struct body *b, struct span *in, struct span *data)
{
    if (b->ended)
        return CHUNKED_END;
    if (b->rule.kind == BODY_CHUNKED) {
        enum chunked_result result = chunked_read(&b->chunked, in, data);
        b->ended = result == CHUNKED_END;
        return result;
    }
    if (in->n == 0)
        return CHUNKED_MORE;
    size_t take = in->n;
    if (b->rule.kind == BODY_LENGTH) {
        if (take > b->left)
            take = (size_t)b->left;
        b->left -= take;
        b->ended = b->left == 0; /* the next call says END */
    }
    *data = span_head(*in, take);
    *in = span_from(*in, take);
    return CHUNKED_DATA;
}

bool body_eof(struct body *b)
{
    if (b->rule.kind == BODY_CLOSE)
        b->ended = true;
    return b->ended;
}

bool body_ended(const struct body *b)
{
    return b->ended;
}

const struct head *body_trailers(const struct body *b)
{
    return b->rule.kind == BODY_CHUNKED ? &b->chunked.trailers : NULL;
}
