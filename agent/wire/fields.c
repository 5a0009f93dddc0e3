/*
 * Fields between a struct and the bytes of a frame, by a table. Pure functions; what is written may hold a secret: room is made in one piece
 * (frame_reserve), and the owner of `out` wipes it when it has been sent.
 */
#include "wire/fields.h"

#include "wire/frame.h"

#define HEAD_BYTES       ((size_t)5) /* type and call */
#define FIELD_HEAD_BYTES ((size_t)5) /* number and length */
#define INTEGER_BYTES    ((size_t)4)

static const uint32_t *integer_of(const struct fields *f, const void *m, unsigned number)
{
    return (const uint32_t *)((const char *)m + f->rows[number].at);
}

static const struct span *string_of(const struct fields *f, const void *m, unsigned number)
{
    return (const struct span *)((const char *)m + f->rows[number].at);
}

static bool is_set(const struct fields *f, const void *m, unsigned number)
{
    return f->rows[number].integer ? *integer_of(f, m, number) != 0 : string_of(f, m, number)->n != 0;
}

const char *fields_check(const struct fields *f, const void *m, uint32_t must, uint32_t may)
{
    uint32_t set = 0;
    for (unsigned number = 1; number < f->end; number++) {
        if (!is_set(f, m, number))
            continue;
        set |= FIELD_BIT(number);
        if ((f->rows[number].integer ? *integer_of(f, m, number) : string_of(f, m, number)->n) >
            f->rows[number].limit)
            return "a field is over its limit";
    }
    if (set & ~(must | may))
        return "a field that this type does not carry";
    return must & ~set ? "a field is missing" : NULL;
}

static void put_integer(struct buf *out, uint32_t value)
{
    char bytes[INTEGER_BYTES];
    for (size_t i = 0; i < INTEGER_BYTES; i++)
        bytes[i] = (char)(value >> (8 * (INTEGER_BYTES - 1 - i)));
    buf_add(out, bytes, INTEGER_BYTES);
}

static uint32_t get_integer(const char *p)
{
    uint32_t value = 0;
    for (size_t i = 0; i < INTEGER_BYTES; i++)
        value = value << 8 | (unsigned char)p[i];
    return value;
}

static void put_field(struct buf *out, const struct fields *f, const void *m, unsigned number)
{
    char id = (char)number;
    buf_add(out, &id, 1);
    if (f->rows[number].integer) {
        put_integer(out, INTEGER_BYTES);
        put_integer(out, *integer_of(f, m, number));
    } else {
        put_integer(out, (uint32_t)string_of(f, m, number)->n);
        buf_add_span(out, *string_of(f, m, number));
    }
}

bool fields_write(struct buf *out, const struct fields *f, const void *m, unsigned type, uint32_t call)
{
    size_t n = HEAD_BYTES; /* cannot overflow: each length has been held against its limit */
    for (unsigned number = 1; number < f->end; number++)
        if (is_set(f, m, number))
            n += FIELD_HEAD_BYTES + (f->rows[number].integer ? INTEGER_BYTES : string_of(f, m, number)->n);
    if (!frame_reserve(out, FRAME_LENGTH_BYTES + n))
        return false;
    size_t begin = frame_begin(out);
    char first = (char)type;
    buf_add(out, &first, 1);
    put_integer(out, call);
    for (unsigned number = 1; number < f->end; number++)
        if (is_set(f, m, number))
            put_field(out, f, m, number);
    return frame_end(out, begin);
}

bool fields_read_head(struct span *body, unsigned *type, uint32_t *call)
{
    if (body->n < HEAD_BYTES)
        return false;
    *type = (unsigned char)body->p[0];
    *call = get_integer(body->p + 1);
    *body = span_from(*body, HEAD_BYTES);
    return true;
}

/* Takes one field off the front of *rest into *m. NULL, or what is wrong with it. */
static const char *read_field(const struct fields *f, void *m, struct span *rest, unsigned *last)
{
    if (rest->n < FIELD_HEAD_BYTES)
        return "cut short inside a field";
    unsigned number = (unsigned char)rest->p[0];
    uint32_t n = get_integer(rest->p + 1);
    *rest = span_from(*rest, FIELD_HEAD_BYTES);
    if (number < 1 || number >= f->end)
        return "an unknown field";
    if (number <= *last)
        return "a field is repeated or out of order";
    *last = number;
    if (n > rest->n)
        return "cut short inside a field";
    if (f->rows[number].integer && n != INTEGER_BYTES)
        return "an integer of the wrong length";
    char *place = (char *)m + f->rows[number].at;
    if (f->rows[number].integer)
        *(uint32_t *)place = get_integer(rest->p);
    else
        *(struct span *)place = span_head(*rest, n);
    *rest = span_from(*rest, n);
    return is_set(f, m, number) ? NULL : "a field is empty";
}

const char *fields_read(const struct fields *f, void *m, struct span rest)
{
    unsigned last = 0;
    const char *wrong = NULL;
    while (rest.n && !wrong)
        wrong = read_field(f, m, &rest, &last);
    return wrong;
}
