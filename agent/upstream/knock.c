/*
 * The head of a knock. Pure.
 */
#include "upstream/knock.h"

#include "wire/keys_msg.h"

#define ADDED_BYTES ((size_t)1024) /* what we add to a head, at most */

bool knock_write(struct buf *out, const char *method, const struct header_request *how)
{
    bool whole = buf_addf(out,
                          "%s %.*s HTTP/1.1\r\n"
                          "Host: %.*s\r\n"
                          "Via: 1.1 %.*s\r\n"
                          "Connection: keep-alive\r\n"
                          "Proxy-Connection: keep-alive\r\n",
                          method, SPAN_ARG(how->target), SPAN_ARG(how->host), SPAN_ARG(how->via));
    whole =
        whole && header_write_changes(out, how->changes); /* it should look like the request that follows */
    if (how->authorization.n)
        whole = whole && buf_addf(out, "Proxy-Authorization: %.*s\r\n", SPAN_ARG(how->authorization));
    return whole && buf_add_str(out, "\r\n");
}

bool knock_write_aside(struct buf *out, const char *method, const struct header_request *how)
{
    const struct header_request aside = {.target = SPAN(KEYS_ASIDE_TARGET),
                                         .host = SPAN(KEYS_ASIDE_HOST),
                                         .via = how->via,
                                         .authorization = how->authorization};
    return knock_write(out, method, &aside);
}

bool knock_or_request(struct buf *out, const struct head *request, const struct header_request *how,
                      const char *knock_method, bool aside)
{
    /* Room for all of it at once: a buffer that grows would leave a copy of the credentials behind. */
    buf_reserve(out, request->bytes.n + how->target.n + how->host.n + how->authorization.n +
                         header_changes_size(how->changes) + ADDED_BYTES);
    return aside          ? knock_write_aside(out, knock_method, how)
           : knock_method ? knock_write(out, knock_method, how)
                          : header_write_request(out, request, how);
}
