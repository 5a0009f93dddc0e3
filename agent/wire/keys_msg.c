/*
 * The messages between agent, command line and keyholder as bytes, from two tables: which fields there are
 * (number on the wire, kind, place in struct keys_msg, limit), and which of them each type must or may carry.
 * A body is
 *
 *     type (1 byte)  call (4 bytes)  { field number (1 byte)  length (4 bytes)  value }*
 *
 * all integers in network order, fields in ascending order of their numbers, integers of 4 bytes left out
 * when 0 and byte strings when empty. So each message has exactly one encoding, and the reader refuses all
 * others: neither side trusts the other. Pure functions, any thread. What is written may hold a secret: the
 * owner of `out` wipes it when it has been sent; the reader's spans point into the frame, which
 * frame_reader_drop wipes.
 */
#include "wire/keys_msg.h"

#include "wire/frame.h"

#define HEAD_BYTES       ((size_t)5) /* type and call */
#define FIELD_HEAD_BYTES ((size_t)5) /* number and length */
#define INTEGER_BYTES    ((size_t)4)

enum field_number {
    F_CONTEXT = 1,
    F_VERDICT,
    F_FLAGS,
    F_GENERATION,
    F_PORT,
    F_TRIAL,
    F_UPSTREAM,
    F_HOST,
    F_BINDING,
    F_METHOD,
    F_TARGET,
    F_LINES,
    F_INFO,
    F_BODY,
    F_HEADER,
    F_IDENTITY,
    F_SCHEME,
    F_WHY,
    F_REMEDY,
    F_USER,
    F_SECRET,
    FIELDS_END,
};

#define BIT(number) (1u << (number))
#define AT(member)  offsetof(struct keys_msg, member)

/* What a name or a sentence may be long at most, in bytes: far more than any real one. */
#define TEXT_MAX 65536u

/* `limit`: the largest integer, or the longest string in bytes. What comes out of a request or an answer is
   bounded by the frame alone: how large a head may be is a setting. */
static const struct field {
    bool integer;
    uint32_t limit;
    size_t at;
} fields[FIELDS_END] = {
    [F_CONTEXT] = {true, UINT32_MAX, AT(context)},
    [F_VERDICT] = {true, KEYS_VERDICT_END - 1, AT(verdict)},
    [F_FLAGS] = {true, UINT32_MAX, AT(flags)},
    [F_GENERATION] = {true, UINT32_MAX, AT(generation)},
    [F_PORT] = {true, 65535, AT(port)},
    [F_TRIAL] = {true, UINT32_MAX, AT(trial)},
    [F_UPSTREAM] = {false, TEXT_MAX, AT(upstream)},
    [F_HOST] = {false, TEXT_MAX, AT(host)},
    [F_BINDING] = {false, 512, AT(binding)},
    [F_METHOD] = {false, FRAME_MAX, AT(method)},
    [F_TARGET] = {false, FRAME_MAX, AT(target)},
    [F_LINES] = {false, FRAME_MAX, AT(lines)},
    [F_INFO] = {false, FRAME_MAX, AT(info)},
    [F_BODY] = {false, FRAME_MAX, AT(body)},
    [F_HEADER] = {false, FRAME_MAX, AT(header)},
    [F_IDENTITY] = {false, TEXT_MAX, AT(identity)},
    [F_SCHEME] = {false, TEXT_MAX, AT(scheme)},
    [F_WHY] = {false, TEXT_MAX, AT(why)},
    [F_REMEDY] = {false, TEXT_MAX, AT(remedy)},
    [F_USER] = {false, TEXT_MAX, AT(user)},
    [F_SECRET] = {false, TEXT_MAX, AT(secret)},
};

enum call_rule { CALL_ANY, CALL_WANTED, CALL_ZERO };

#define BODY_FLAGS (KEYS_BODY_NONE | KEYS_BODY_HELD | KEYS_BODY_BIG)
#define ANSWER_FLAGS                                                                                         \
    (KEYS_KNOCK | KEYS_BINDS | KEYS_REUSABLE | KEYS_FINAL | KEYS_ASIDE | KEYS_ALARM | KEYS_LOGIN_HELPS)
#define REQUEST   (BIT(F_CONTEXT) | BIT(F_METHOD) | BIT(F_TARGET))
#define SENTENCES (BIT(F_WHY) | BIT(F_REMEDY))

static const struct type {
    const char *name;
    enum call_rule call;
    uint32_t must; /* BIT(field) of those that it carries */
    uint32_t may;  /* and of those that it can carry besides */
    uint32_t flags;
} types[KEYS_TYPE_END] = {
    [KEYS_OPEN] = {"OPEN", CALL_WANTED, BIT(F_UPSTREAM) | BIT(F_HOST) | BIT(F_PORT),
                   BIT(F_FLAGS) | BIT(F_BINDING) | BIT(F_TRIAL), KEYS_CANDIDATE},
    [KEYS_AUTHORIZE] = {"AUTHORIZE", CALL_WANTED, REQUEST, BIT(F_FLAGS) | BIT(F_BODY),
                        BODY_FLAGS | KEYS_AHEAD},
    [KEYS_CHALLENGED] = {"CHALLENGED", CALL_WANTED, REQUEST, BIT(F_FLAGS) | BIT(F_LINES) | BIT(F_BODY),
                         BODY_FLAGS | KEYS_CLOSED},
    [KEYS_ACCEPTED] = {"ACCEPTED", CALL_ANY, BIT(F_CONTEXT), BIT(F_FLAGS) | BIT(F_LINES) | BIT(F_INFO),
                       KEYS_CLOSED},
    [KEYS_CLOSE] = {"CLOSE", CALL_ZERO, BIT(F_CONTEXT), 0, 0},
    [KEYS_RELOAD] = {"RELOAD", CALL_ANY, 0, 0, 0},
    [KEYS_STATUS] = {"STATUS", CALL_WANTED, BIT(F_UPSTREAM), 0, 0},
    [KEYS_TRIAL_END] = {"TRIAL_END", CALL_ZERO, BIT(F_TRIAL) | BIT(F_VERDICT), SENTENCES, 0},
    [KEYS_LOGIN] = {"LOGIN", CALL_WANTED, BIT(F_UPSTREAM) | BIT(F_SECRET), BIT(F_USER), 0},
    [KEYS_LOGOUT] = {"LOGOUT", CALL_WANTED, BIT(F_UPSTREAM), 0, 0},
    [KEYS_ANSWER] = {"ANSWER", CALL_WANTED, BIT(F_VERDICT),
                     BIT(F_CONTEXT) | BIT(F_FLAGS) | BIT(F_GENERATION) | BIT(F_HEADER) | BIT(F_IDENTITY) |
                         BIT(F_SCHEME) | SENTENCES,
                     ANSWER_FLAGS},
    [KEYS_EVENT_GENERATION] = {"EVENT_GENERATION", CALL_ZERO, BIT(F_UPSTREAM) | BIT(F_GENERATION),
                               BIT(F_IDENTITY), 0},
    [KEYS_EVENT_TRIAL] = {"EVENT_TRIAL", CALL_ANY, BIT(F_UPSTREAM), BIT(F_TRIAL), 0},
    [KEYS_ACCEPT_OFFER] = {"ACCEPT_OFFER", CALL_WANTED, BIT(F_UPSTREAM), 0, 0},
    [KEYS_NETWORK] = {"NETWORK", CALL_ZERO, 0, 0, 0},
};

static const char *const verdicts[KEYS_VERDICT_END] = {
    [KEYS_OK] = "OK",
    [KEYS_SEND] = "SEND",
    [KEYS_RESTART] = "RESTART",
    [KEYS_NEED_BODY] = "NEED_BODY",
    [KEYS_REFUSED] = "REFUSED",
    [KEYS_SITE_REFUSED] = "SITE_REFUSED",
    [KEYS_UNAVAILABLE] = "UNAVAILABLE",
    [KEYS_TIMEOUT] = "TIMEOUT",
    [KEYS_BROKEN] = "BROKEN",
    [KEYS_MUTUAL_FAILED] = "MUTUAL_FAILED",
    [KEYS_NOT_ASKED] = "NOT_ASKED",
    [KEYS_UNREACHABLE] = "UNREACHABLE",
    [KEYS_DOWNGRADED] = "DOWNGRADED",
};

const char *keys_type_name(enum keys_type type)
{
    return type >= 1 && type < KEYS_TYPE_END ? types[type].name : "unknown";
}

const char *keys_verdict_name(enum keys_verdict verdict)
{
    return verdict >= 1 && verdict < KEYS_VERDICT_END ? verdicts[verdict] : "unknown";
}

static const uint32_t *integer_of(const struct keys_msg *m, unsigned number)
{
    return (const uint32_t *)((const char *)m + fields[number].at);
}

static const struct span *string_of(const struct keys_msg *m, unsigned number)
{
    return (const struct span *)((const char *)m + fields[number].at);
}

static bool is_set(const struct keys_msg *m, unsigned number)
{
    return fields[number].integer ? *integer_of(m, number) != 0 : string_of(m, number)->n != 0;
}

/* The rules of a message as a whole, the same for both directions. NULL: it keeps them. */
static const char *broken_rule(const struct keys_msg *m)
{
    const struct type *type = &types[m->type];
    uint32_t set = 0;
    for (unsigned number = 1; number < FIELDS_END; number++) {
        if (!is_set(m, number))
            continue;
        set |= BIT(number);
        if ((fields[number].integer ? *integer_of(m, number) : string_of(m, number)->n) >
            fields[number].limit)
            return "a field is over its limit";
    }
    if (set & ~(type->must | type->may))
        return "a field that this type does not carry";
    if (type->must & ~set)
        return "a field is missing";
    if ((type->call == CALL_WANTED && m->call == 0) || (type->call == CALL_ZERO && m->call != 0))
        return "the call number does not suit the type";
    if (m->flags & ~type->flags)
        return "a flag that this type does not carry";
    uint32_t body = m->flags & BODY_FLAGS;
    if (body & (body - 1))
        return "more than one flag about the body";
    if (m->body.n != 0 && body != KEYS_BODY_HELD)
        return "a body without its flag";
    return NULL;
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

static void put_field(struct buf *out, const struct keys_msg *m, unsigned number)
{
    char id = (char)number;
    buf_add(out, &id, 1);
    if (fields[number].integer) {
        put_integer(out, INTEGER_BYTES);
        put_integer(out, *integer_of(m, number));
    } else {
        put_integer(out, (uint32_t)string_of(m, number)->n);
        buf_add_span(out, *string_of(m, number));
    }
}

bool keys_msg_write(struct buf *out, const struct keys_msg *m)
{
    if (m->type < 1 || m->type >= KEYS_TYPE_END || broken_rule(m))
        return false;
    size_t n = HEAD_BYTES; /* cannot overflow: each length has been held against its limit */
    for (unsigned number = 1; number < FIELDS_END; number++)
        if (is_set(m, number))
            n += FIELD_HEAD_BYTES + (fields[number].integer ? INTEGER_BYTES : string_of(m, number)->n);
    if (!frame_reserve(out, FRAME_LENGTH_BYTES + n))
        return false;
    size_t begin = frame_begin(out);
    char type = (char)m->type;
    buf_add(out, &type, 1);
    put_integer(out, m->call);
    for (unsigned number = 1; number < FIELDS_END; number++)
        if (is_set(m, number))
            put_field(out, m, number);
    return frame_end(out, begin);
}

/* Takes one field off the front of *rest into *m. NULL, or what is wrong with it. */
static const char *read_field(struct keys_msg *m, struct span *rest, unsigned *last)
{
    if (rest->n < FIELD_HEAD_BYTES)
        return "cut short inside a field";
    unsigned number = (unsigned char)rest->p[0];
    uint32_t n = get_integer(rest->p + 1);
    *rest = span_from(*rest, FIELD_HEAD_BYTES);
    if (number < 1 || number >= FIELDS_END)
        return "an unknown field";
    if (number <= *last)
        return "a field is repeated or out of order";
    *last = number;
    if (n > rest->n)
        return "cut short inside a field";
    if (fields[number].integer && n != INTEGER_BYTES)
        return "an integer of the wrong length";
    char *place = (char *)m + fields[number].at;
    if (fields[number].integer)
        *(uint32_t *)place = get_integer(rest->p);
    else
        *(struct span *)place = span_head(*rest, n);
    *rest = span_from(*rest, n);
    return is_set(m, number) ? NULL : "a field is empty";
}

bool keys_msg_read(struct keys_msg *m, struct span body, const char **why)
{
    *m = (struct keys_msg){0};
    *why = "cut short";
    if (body.n < HEAD_BYTES)
        return false;
    unsigned type = (unsigned char)body.p[0];
    *why = "an unknown type";
    if (type < 1 || type >= KEYS_TYPE_END)
        return false;
    m->type = (enum keys_type)type;
    m->call = get_integer(body.p + 1);
    struct span rest = span_from(body, HEAD_BYTES);
    unsigned last = 0;
    *why = NULL;
    while (rest.n && !*why)
        *why = read_field(m, &rest, &last);
    if (!*why)
        *why = broken_rule(m);
    return *why == NULL;
}
