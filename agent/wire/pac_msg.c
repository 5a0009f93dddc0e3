/*
 * The messages between the agent and exeat-pac as bytes, from two tables: which fields there are, and which of them each type must or may
 * carry (fields.h has the encoding). Pure functions, any thread.
 */
#include "wire/pac_msg.h"

#include "wire/fields.h"

enum field_number {
    F_NAME = 1,
    F_SCRIPT,
    F_URL,
    F_HOST,
    F_RESULT,
    F_WHY,
    F_ADDRESSES,
    F_ALERT,
    FIELDS_END,
};

#define BIT(number) FIELD_BIT(number)
#define AT(member)  offsetof(struct pac_msg, member)

/* How long the URL of a request may be is a setting of the agent: the frame bounds it. */
static const struct field rows[FIELDS_END] = {
    [F_NAME] = {false, PAC_NAME_MAX, AT(name)},
    [F_SCRIPT] = {false, PAC_SCRIPT_MAX, AT(script)},
    [F_URL] = {false, FRAME_MAX, AT(url)},
    [F_HOST] = {false, PAC_HOST_MAX, AT(host)},
    [F_RESULT] = {false, PAC_RESULT_MAX, AT(result)},
    [F_WHY] = {false, PAC_WHY_MAX, AT(why)},
    [F_ADDRESSES] = {false, PAC_ADDRESSES_MAX, AT(addresses)},
    [F_ALERT] = {false, PAC_ALERT_MAX, AT(alert)},
};
static const struct fields fields = {rows, FIELDS_END};

static const struct type {
    const char *name;
    bool call; /* it belongs to a question */
    uint32_t must, may;
} types[PAC_TYPE_END] = {
    [PAC_READY] = {"READY", false, 0, 0},
    [PAC_LOAD] = {"LOAD", true, BIT(F_NAME) | BIT(F_SCRIPT), 0},
    [PAC_FIND] = {"FIND", true, BIT(F_URL) | BIT(F_HOST), 0},
    [PAC_DONE] = {"DONE", true, 0, BIT(F_RESULT)},
    [PAC_FAILED] = {"FAILED", true, BIT(F_WHY), 0},
    [PAC_RESOLVE] = {"RESOLVE", true, BIT(F_HOST), 0},
    [PAC_MY_ADDRESS] = {"MY_ADDRESS", true, 0, 0},
    [PAC_ADDRESSES] = {"ADDRESSES", true, 0, BIT(F_ADDRESSES)},
    [PAC_ALERT] = {"ALERT", false, BIT(F_ALERT), 0},
};

const char *pac_type_name(enum pac_type type)
{
    return type >= 1 && type < PAC_TYPE_END ? types[type].name : "unknown";
}

/* NULL: the message keeps the rules, the same for both directions. */
static const char *broken_rule(const struct pac_msg *m)
{
    const struct type *type = &types[m->type];
    if (type->call != (m->call != 0))
        return "the call number does not suit the type";
    return fields_check(&fields, m, type->must, type->may);
}

bool pac_msg_write(struct buf *out, const struct pac_msg *m)
{
    return m->type >= 1 && m->type < PAC_TYPE_END && !broken_rule(m) &&
           fields_write(out, &fields, m, m->type, m->call);
}

bool pac_msg_read(struct pac_msg *m, struct span body, const char **why)
{
    unsigned type;
    *m = (struct pac_msg){0};
    *why = "cut short";
    if (!fields_read_head(&body, &type, &m->call))
        return false;
    *why = "an unknown type";
    if (type < 1 || type >= PAC_TYPE_END)
        return false;
    m->type = (enum pac_type)type;
    *why = fields_read(&fields, m, body);
    if (!*why)
        *why = broken_rule(m);
    return *why == NULL;
}
