/*
 * The messages between agent, command line and keyholder as bytes, from two tables: which fields there are
 * (number on the wire, kind, limit, place in struct keys_msg), and which of them each type must or may carry;
 * fields.h has the encoding. Pure functions, any thread. What is written may hold a secret: the owner of `out`
 * wipes it when it has been sent; the reader's spans point into the frame, which frame_reader_drop wipes.
 */
#include "wire/keys_msg.h"

#include "wire/fields.h"
#include "wire/frame.h"

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
    F_UNTIL,
    F_GATEWAY,
    F_DELAY,
    F_ACTING,
    FIELDS_END,
};

#define BIT(number) FIELD_BIT(number)
#define AT(member)  offsetof(struct keys_msg, member)

/* What a name or a sentence may be long at most, in bytes: far more than any real one. */
#define TEXT_MAX 65536u

/* `limit`: the largest integer, or the longest string in bytes. What comes out of a request or an answer is
   bounded by the frame alone: how large a head may be is a setting. */
static const struct field rows[FIELDS_END] = {
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
    [F_UNTIL] = {true, UINT32_MAX, AT(until)},
    [F_GATEWAY] = {false, TEXT_MAX, AT(gateway)},
    [F_DELAY] = {true, UINT32_MAX, AT(delay)},
    [F_ACTING] = {true, UINT32_MAX, AT(acting)},
};
static const struct fields fields = {rows, FIELDS_END};

enum call_rule { CALL_ANY, CALL_WANTED, CALL_ZERO };

#define BODY_FLAGS (KEYS_BODY_NONE | KEYS_BODY_HELD | KEYS_BODY_BIG)
#define ANSWER_FLAGS                                                                                         \
    (KEYS_KNOCK | KEYS_BINDS | KEYS_REUSABLE | KEYS_FINAL | KEYS_ASIDE | KEYS_ALARM | KEYS_LOGIN_HELPS |     \
     KEYS_PROBLEM | KEYS_RENEW_HELPS)
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
                   BIT(F_FLAGS) | BIT(F_BINDING) | BIT(F_TRIAL) | BIT(F_USER) | BIT(F_SECRET) | BIT(F_ACTING),
                   KEYS_CANDIDATE},
    [KEYS_AUTHORIZE] = {"AUTHORIZE", CALL_WANTED, REQUEST, BIT(F_FLAGS) | BIT(F_BODY),
                        BODY_FLAGS | KEYS_AHEAD},
    [KEYS_CHALLENGED] = {"CHALLENGED", CALL_WANTED, REQUEST, BIT(F_FLAGS) | BIT(F_LINES) | BIT(F_BODY),
                         BODY_FLAGS | KEYS_CLOSED | KEYS_SOCKS},
    [KEYS_ACCEPTED] = {"ACCEPTED", CALL_ANY, BIT(F_CONTEXT), BIT(F_FLAGS) | BIT(F_LINES) | BIT(F_INFO),
                       KEYS_CLOSED},
    [KEYS_CLOSE] = {"CLOSE", CALL_ZERO, BIT(F_CONTEXT), 0, 0},
    [KEYS_RELOAD] = {"RELOAD", CALL_ANY, 0, 0, 0},
    [KEYS_STATUS] = {"STATUS", CALL_WANTED, BIT(F_UPSTREAM), 0, 0},
    [KEYS_TRIAL_END] = {"TRIAL_END", CALL_ZERO, BIT(F_TRIAL) | BIT(F_VERDICT), SENTENCES, 0},
    [KEYS_LOGIN] = {"LOGIN", CALL_WANTED, BIT(F_UPSTREAM) | BIT(F_SECRET), BIT(F_FLAGS) | BIT(F_USER),
                    KEYS_GUEST},
    [KEYS_LOGOUT] = {"LOGOUT", CALL_WANTED, BIT(F_UPSTREAM), BIT(F_FLAGS) | BIT(F_USER), KEYS_GUEST},
    [KEYS_ANSWER] = {"ANSWER", CALL_WANTED, BIT(F_VERDICT),
                     BIT(F_CONTEXT) | BIT(F_FLAGS) | BIT(F_GENERATION) | BIT(F_HEADER) | BIT(F_IDENTITY) |
                         BIT(F_SCHEME) | BIT(F_LINES) | BIT(F_INFO) | BIT(F_UNTIL) | BIT(F_DELAY) | SENTENCES,
                     ANSWER_FLAGS},
    [KEYS_EVENT_GENERATION] = {"EVENT_GENERATION", CALL_ZERO, BIT(F_UPSTREAM) | BIT(F_GENERATION),
                               BIT(F_FLAGS) | BIT(F_IDENTITY), KEYS_GUEST},
    [KEYS_EVENT_TRIAL] = {"EVENT_TRIAL", CALL_ANY, BIT(F_UPSTREAM), BIT(F_TRIAL), 0},
    [KEYS_ACCEPT_OFFER] = {"ACCEPT_OFFER", CALL_WANTED, BIT(F_UPSTREAM), 0, 0},
    [KEYS_NETWORK] = {"NETWORK", CALL_ZERO, 0, 0, 0},
    [KEYS_EXAMINE] = {"EXAMINE", CALL_WANTED, BIT(F_UPSTREAM) | BIT(F_HOST) | BIT(F_PORT), BIT(F_LINES), 0},
    [KEYS_ACCEPT_OPEN] = {"ACCEPT_OPEN", CALL_WANTED, BIT(F_GATEWAY), BIT(F_BINDING) | BIT(F_HOST), 0},
    [KEYS_ACCEPT_STEP] = {"ACCEPT_STEP", CALL_WANTED, REQUEST, BIT(F_HEADER), 0},
    [KEYS_ACCEPT_CLOSE] = {"ACCEPT_CLOSE", CALL_ZERO, BIT(F_CONTEXT), 0, 0},
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

/* The rules of a message as a whole, the same for both directions. NULL: it keeps them. */
static const char *broken_rule(const struct keys_msg *m)
{
    const struct type *type = &types[m->type];
    const char *wrong = fields_check(&fields, m, type->must, type->may);
    if (wrong)
        return wrong;
    if ((type->call == CALL_WANTED && m->call == 0) || (type->call == CALL_ZERO && m->call != 0))
        return "the call number does not suit the type";
    if (m->flags & ~type->flags)
        return "a flag that this type does not carry";
    bool guest = m->flags & KEYS_GUEST;
    struct span name = m->type == KEYS_EVENT_GENERATION ? m->identity : m->user;
    if ((guest && !name.n) || (m->type == KEYS_LOGOUT && m->user.n && !guest))
        return "a gateway's user without name, or a name without use";
    uint32_t body = m->flags & BODY_FLAGS;
    if (body & (body - 1))
        return "more than one flag about the body";
    if (m->acting && (m->user.n || m->secret.n || m->flags & KEYS_CANDIDATE))
        return "more than one identity";
    if (m->body.n != 0 && body != KEYS_BODY_HELD)
        return "a body without its flag";
    return NULL;
}

bool keys_msg_write(struct buf *out, const struct keys_msg *m)
{
    return m->type >= 1 && m->type < KEYS_TYPE_END && !broken_rule(m) &&
           fields_write(out, &fields, m, m->type, m->call);
}

bool keys_msg_read(struct keys_msg *m, struct span body, const char **why)
{
    unsigned type;
    *m = (struct keys_msg){0};
    *why = "cut short";
    if (!fields_read_head(&body, &type, &m->call))
        return false;
    *why = "an unknown type";
    if (type < 1 || type >= KEYS_TYPE_END)
        return false;
    m->type = (enum keys_type)type;
    *why = fields_read(&fields, m, body);
    if (!*why)
        *why = broken_rule(m);
    return *why == NULL;
}
