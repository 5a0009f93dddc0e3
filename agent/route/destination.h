/*
 * A destination as a person writes it: "https://www.example/path", "www.example:8443", "[2001:db8::1]:443" or just "www.example". Pure.
 */
#ifndef EXEAT_ROUTE_DESTINATION_H
#define EXEAT_ROUTE_DESTINATION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/span.h"

/* `host` (without brackets) points into `text`. Without a port: 80, or 443 for https. false with *e. */
bool destination_read(struct span text, struct span *host, uint16_t *port, struct err *e);

/* What a request for that is to a PAC script: "http" or "https"; without a scheme in the text: by the port. */
struct span destination_scheme(struct span text, uint16_t port);

#endif
