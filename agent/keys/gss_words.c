/*
 * A code may stand for several sentences; the texts are the library's and end up in logs and pages, so that there is a limit to them.
 */
#include "keys/gss_words.h"

#include "base/buf.h"

#define WORDS_MOST 400

static void add_status(struct buf *to, OM_uint32 code, int kind, gss_OID mech)
{
    OM_uint32 minor, more = 0;
    gss_buffer_desc text;
    do {
        if (GSS_ERROR(gss_display_status(&minor, code, kind, mech, &more, &text)))
            return;
        buf_addf(to, "%s%.*s", to->n ? "; " : "", (int)text.length, (const char *)text.value);
        gss_release_buffer(&minor, &text);
    } while (more);
}

bool gss_explain(struct err *e, const char *what, OM_uint32 major, OM_uint32 minor, gss_OID mech)
{
    struct buf text = {.max = WORDS_MOST};
    add_status(&text, major, GSS_C_GSS_CODE, mech);
    if (minor)
        add_status(&text, minor, GSS_C_MECH_CODE, mech);
    err_set(e, ERR_SYSTEM, "%s (%s)", what, buf_cstr(&text));
    buf_free(&text);
    return false;
}
