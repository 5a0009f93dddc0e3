/*
 * The head of a knock. Pure.
 */
#include "upstream/knock.h"

bool knock_write(struct buf *out, const char *method, const struct header_request *how)
{
    bool whole = buf_addf(out,
                          "%s %.*s HTTP/1.1\r\n"
                          "Host: %.*s\r\n"
                          "Via: 1.1 %.*s\r\n"
                          "Connection: keep-alive\r\n"
                          "Proxy-Connection: keep-alive\r\n",
                          method, SPAN_ARG(how->target), SPAN_ARG(how->host), SPAN_ARG(how->via));
    if (how->authorization.n)
        whole = whole && buf_addf(out, "Proxy-Authorization: %.*s\r\n", SPAN_ARG(how->authorization));
    return whole && buf_add_str(out, "\r\n");
}
