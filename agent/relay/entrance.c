/*
 * Clients that do not write HTTP get their CONNECT written here, so that from there on they are clients like all others: the same routes, the same
 * authentication, the same limits, the same lines in the log.
 */
#include "relay/entrance.h"

#include "http/target.h"
#include "relay/client.h"

void entrance_connect(struct client *c, struct span host, uint16_t port)
{
    struct head head;
    struct fault fault;
    struct buf authority = {0}, text = {0};
    target_add_authority(&authority, host, port);
    struct span a = buf_span(&authority);
    buf_addf(&text, "CONNECT %.*s HTTP/1.1\r\nHost: %.*s\r\n\r\n", SPAN_ARG(a), SPAN_ARG(a));
    if (head_read_request(&head, buf_span(&text), &head_limits_default, &fault))
        client_begin(c, &head);
    else
        client_refuse(c, &fault);
    buf_free(&text);
    buf_free(&authority);
}
