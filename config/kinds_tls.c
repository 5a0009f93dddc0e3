/*
 * Kinds of values that say how to know a proxy that is reached by TLS: files, and pins. The files are read by the agent, not here. Any thread.
 */
#include "base/base64.h"
#include "config/ini.h"
#include "config/kinds.h"

static bool parse_path(const struct setting *s, void *object, struct span value, struct err *e)
{
    char **path = (char **)((char *)object + s->at);
    *path = path_absolute(value, e);
    return *path != NULL;
}

static bool print_path(const struct setting *s, const void *object, struct buf *out)
{
    return kind_text.print(s, object, out);
}

const struct kind kind_path = {"a path", false, parse_path, print_path};

/* curl writes the same with sha256// in front. */
static bool add_pin(struct config_upstream *u, struct span word, struct err *e)
{
    static const struct span prefix = {"sha256//", 8};
    struct span text = span_starts(word, prefix) ? span_from(word, prefix.n) : word;
    struct config_pin pin;
    struct buf bytes;
    buf_init(&bytes, 0);
    bool ok = base64_decode(&bytes, text) && bytes.n == sizeof pin.sha256;
    if (ok) {
        memcpy(pin.sha256, bytes.p, sizeof pin.sha256);
        u->pins = mem_grow(u->pins, (u->n_pins + 1) * sizeof *u->pins);
        u->pins[u->n_pins++] = pin;
    }
    buf_free(&bytes);
    return ok || err_set(e, ERR_CONFIG,
                         "%s is not the SHA-256 of a key in base64 (44 characters, the last one \"=\")",
                         shown(word).text);
}

static bool parse_pins(const struct setting *s, void *object, struct span value, struct err *e)
{
    struct config_upstream *u = object;
    struct buf item;
    buf_init(&item, 0);
    int more;
    bool ok = true;
    while (ok && (more = ini_item(&value, &item, e)) > 0)
        ok = add_pin(u, buf_span(&item), e);
    buf_free(&item);
    if (!ok || more < 0)
        return false;
    return u->n_pins > 0 ||
           err_set(e, ERR_CONFIG, "the value is empty; leave the line out for %s", s->absent);
}

static bool print_pins(const struct setting *s, const void *object, struct buf *out)
{
    (void)s;
    const struct config_upstream *u = object;
    for (size_t i = 0; i < u->n_pins; i++) {
        buf_add_str(out, i ? " " : "");
        base64_encode(out, span_make((const char *)u->pins[i].sha256, sizeof u->pins[i].sha256));
    }
    return u->n_pins > 0;
}

const struct kind kind_pins = {"SHA-256 of the public key in base64; any number, separated by blanks", true,
                               parse_pins, print_pins};
