/* What the library sees of our surroundings while it looks at a client's token: the library is this program. Real clients: tests/keys/test_accept.py. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <gssapi/gssapi.h>
#include <stdlib.h>
#include <string.h>

#include "keys/accept_gss.h"

static char *seen[3];
static const char *const names[] = {"NTLM_USER_FILE", "_NO_WINBINDD", "LM_COMPAT_LEVEL"};

OM_uint32 gss_acquire_cred(OM_uint32 *minor, gss_name_t name, OM_uint32 time, gss_OID_set mechs,
                           gss_cred_usage_t usage, gss_cred_id_t *cred, gss_OID_set *actual, OM_uint32 *rec)
{
    (void)name, (void)time, (void)mechs, (void)usage, (void)cred, (void)actual, (void)rec;
    *minor = 0;
    return GSS_S_COMPLETE;
}

OM_uint32 gss_accept_sec_context(OM_uint32 *minor, gss_ctx_id_t *id, gss_cred_id_t cred, gss_buffer_t in,
                                 gss_channel_bindings_t bindings, gss_name_t *from, gss_OID *mech,
                                 gss_buffer_t out, OM_uint32 *flags, OM_uint32 *lifetime,
                                 gss_cred_id_t *delegated)
{
    (void)id, (void)cred, (void)in, (void)bindings, (void)from, (void)mech, (void)out, (void)flags;
    (void)lifetime, (void)delegated;
    *minor = 0;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *value = getenv(names[i]);
        free(seen[i]);
        seen[i] = value ? mem_strdup(value) : NULL;
    }
    return GSS_S_FAILURE;
}

static void look(const char *accounts)
{
    const struct gss_door_wish wish = {.domain = "CORP"};
    struct gss_entry_who who;
    struct err e = {0};
    struct buf out = {0};
    struct gss_door *door = gss_door_new(&wish, &e);
    assert_non_null(door);
    struct gss_entry *entry = gss_entry_new(door, SPAN(""));
    assert_int_equal(gss_entry_step(entry, SPAN("x"), accounts, &out, &who, &e),
                     accounts ? GSS_ENTRY_NO : GSS_ENTRY_UNSAID);
    gss_entry_free(entry);
    gss_door_unref(door);
    buf_free(&out);
}

/* Where a file says who may come in, winbind is not asked: it may take long, and its accounts are not ours. */
static void test_file_alone(void **state)
{
    (void)state;
    setenv("NTLM_USER_FILE", "/elsewhere", 1);
    look("/dev/null");
    assert_string_equal(seen[0], "/dev/null");
    assert_string_equal(seen[1], "1");
    assert_string_equal(seen[2], "5");
    assert_string_equal(getenv("NTLM_USER_FILE"), "/elsewhere");
}

static void test_winbind_alone(void **state)
{
    (void)state;
    setenv("NTLM_USER_FILE", "/elsewhere", 1);
    setenv("_NO_WINBINDD", "1", 1);
    look(NULL);
    assert_null(seen[0]);
    assert_null(seen[1]);
    assert_string_equal(seen[2], "5");
    for (size_t i = 0; i < sizeof seen / sizeof *seen; i++)
        free(seen[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_file_alone),
        cmocka_unit_test(test_winbind_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
