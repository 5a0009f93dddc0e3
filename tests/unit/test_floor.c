/* The scheme floor: what is needed of an offer, what a success and an acceptance change, and a file that survives a restart and harm. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "keys/choose.h"
#include "keys/floor.h"

#define A "a.example:8080"
#define B "b.example:8080"

static char directory[64];

static const char *in_directory(const char *name)
{
    static char path[128];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    return path;
}

static int make_directory(void **state)
{
    (void)state;
    snprintf(directory, sizeof directory, "/tmp/exeat-floor-XXXXXX");
    return mkdtemp(directory) ? 0 : -1;
}

static int remove_directory(void **state)
{
    (void)state;
    unlink(in_directory("floors"));
    rmdir(in_directory("floors.new"));
    unlink(in_directory("floors.new"));
    return rmdir(directory);
}

static void reopen(struct floors *f)
{
    floors_close(f);
    floors_open(f, directory);
}

static void only_rises(void **state)
{
    (void)state;
    struct floors f;
    floors_open(&f, NULL);
    assert_int_equal(floors_needed(&f, "corp", A), FLOOR_NONE);
    floors_learn(&f, "corp", A, FLOOR_DIGEST);
    assert_int_equal(floors_needed(&f, "corp", A), FLOOR_DIGEST);
    floors_learn(&f, "corp", A, FLOOR_KERBEROS);
    floors_learn(&f, "corp", A, FLOOR_BASIC);
    floors_learn(&f, "corp", B, FLOOR_NTLM);
    assert_int_equal(floors_needed(&f, "corp", A), FLOOR_KERBEROS);
    assert_int_equal(floors_needed(&f, "corp", B), FLOOR_KERBEROS); /* the upstream's, not the proxy's */
    assert_string_equal(floors_find(&f, FLOOR_STRONGEST, "corp", B)->proxy, A);
    assert_int_equal(floors_needed(&f, "lab", A), FLOOR_NONE); /* another upstream is another matter */
    floors_learn(&f, "lab", A, FLOOR_BASIC);
    assert_int_equal(floors_needed(&f, "lab", A), FLOOR_BASIC);
    assert_int_equal(f.n, 2);
    floors_close(&f);
}

static void rings_once_and_is_accepted(void **state)
{
    (void)state;
    struct floors f;
    floors_open(&f, NULL);
    floors_learn(&f, "corp", A, FLOOR_KERBEROS);
    assert_true(floors_ring(&f, "corp", A, FLOOR_DIGEST, "Digest"));
    assert_false(floors_ring(&f, "corp", A, FLOOR_DIGEST, "Digest"));
    assert_true(floors_ring(&f, "corp", A, FLOOR_BASIC, "Basic"));
    floors_calm(&f, "corp", A);
    floors_calm(&f, "corp", A);
    floors_accept(&f, "corp", A); /* of an alarm that is over: nothing */
    assert_int_equal(floors_needed(&f, "corp", A), FLOOR_KERBEROS);
    assert_true(floors_ring(&f, "corp", A, FLOOR_DIGEST, "Digest"));
    floors_accept(&f, "corp", B);
    assert_int_equal(floors_needed(&f, "corp", A), FLOOR_KERBEROS);
    floors_accept(&f, "corp", A);
    assert_null(floors_find(&f, FLOOR_ALARM, "corp", A));
    assert_int_equal(floors_needed(&f, "corp", A), FLOOR_DIGEST);
    assert_int_equal(floors_needed(&f, "corp", B), FLOOR_KERBEROS); /* for the proxy that rang alone */
    floors_close(&f);
}

static void what_was_accepted_rises_again(void **state)
{
    (void)state;
    struct floors f;
    floors_open(&f, NULL);
    floors_learn(&f, "corp", A, FLOOR_KERBEROS);
    floors_ring(&f, "corp", A, FLOOR_NONE, "Bearer");
    floors_accept(&f, "corp", A);
    assert_int_equal(floors_needed(&f, "corp", A), FLOOR_NONE);
    floors_learn(&f, "corp", A, FLOOR_DIGEST);
    assert_int_equal(floors_needed(&f, "corp", A), FLOOR_DIGEST);
    floors_learn(&f, "corp", A, FLOOR_BASIC);
    assert_int_equal(floors_needed(&f, "corp", A), FLOOR_DIGEST);
    floors_learn(&f, "corp", A, FLOOR_KERBEROS);
    assert_int_equal(floors_needed(&f, "corp", A), FLOOR_KERBEROS);
    assert_null(floors_find(&f, FLOOR_LOWERED, "corp", A));
    floors_close(&f);
}

static void survives_a_restart(void **state)
{
    (void)state;
    struct floors f;
    struct stat st;
    floors_open(&f, directory);
    floors_learn(&f, "corp", A, FLOOR_KERBEROS);
    floors_learn(&f, "west wing %", A, FLOOR_DIGEST_SHA2);
    floors_ring(&f, "corp", A, FLOOR_BASIC, "Basic, x%\x7f");
    floors_ring(&f, "corp", B, FLOOR_DIGEST, "Digest");
    floors_accept(&f, "corp", B);
    assert_int_equal(stat(in_directory("floors"), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    reopen(&f);
    assert_int_equal(f.n, 4);
    assert_int_equal(floors_needed(&f, "corp", A), FLOOR_KERBEROS);
    assert_int_equal(floors_needed(&f, "corp", B), FLOOR_DIGEST);
    assert_int_equal(floors_needed(&f, "west wing %", A), FLOOR_DIGEST_SHA2);
    assert_string_equal(floors_find(&f, FLOOR_ALARM, "corp", A)->offer, "Basic, x%\x7f");
    floors_accept(&f, "corp", A);
    reopen(&f);
    assert_int_equal(floors_needed(&f, "corp", A), FLOOR_BASIC);
    floors_close(&f);
}

static void put_file(const char *text)
{
    FILE *file = fopen(in_directory("floors"), "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static void leaves_out_what_is_damaged(void **state)
{
    (void)state;
    struct floors f;
    put_file("\n"
             "floor\n"
             "floor corp\n"
             "floor corp " A "\n"
             "floor corp " A " telepathy\n"
             "floor corp " A " kerberos more\n"
             "roof corp " A " kerberos\n"
             "alarm corp " A " basic\n"
             "alarm corp " A " basic Basic more\n"
             "\x01\xff\n"
             "floor lab " A " ntlm\n"
             "floor last " A " kerb"); /* cut short */
    floors_open(&f, directory);
    assert_int_equal(f.n, 1);
    assert_int_equal(floors_needed(&f, "lab", A), FLOOR_NTLM);
    floors_learn(&f, "corp", A, FLOOR_DIGEST); /* and the next change mends the file */
    reopen(&f);
    assert_int_equal(f.n, 2);
    floors_close(&f);
}

static void a_file_that_cannot_be_had_stops_nothing(void **state)
{
    (void)state;
    struct floors f;
    assert_int_equal(mkdir(in_directory("floors"), 0700), 0); /* unreadable, for root too */
    floors_open(&f, directory);
    assert_int_equal(f.n, 0);
    floors_learn(&f, "corp", A, FLOOR_NTLM);
    assert_true(f.complained);
    assert_int_equal(floors_needed(&f, "corp", A), FLOOR_NTLM);
    floors_close(&f);
    rmdir(in_directory("floors"));

    assert_int_equal(mkdir(in_directory("floors.new"), 0700), 0); /* unwritable */
    floors_open(&f, directory);
    floors_learn(&f, "corp", A, FLOOR_NTLM);
    assert_true(f.complained);
    assert_int_equal(access(in_directory("floors"), F_OK), -1);
    rmdir(in_directory("floors.new"));
    floors_learn(&f, "corp", A, FLOOR_KERBEROS);
    assert_false(f.complained);
    reopen(&f);
    assert_int_equal(floors_needed(&f, "corp", A), FLOOR_KERBEROS);
    floors_close(&f);

    floors_open(&f, "/nonexistent/directory");
    floors_learn(&f, "corp", A, FLOOR_NTLM);
    assert_int_equal(floors_needed(&f, "corp", A), FLOOR_NTLM);
    floors_close(&f);
}

static void is_bounded(void **state)
{
    (void)state;
    struct floors f;
    struct buf text = {0};
    for (int i = 0; i < 5000; i++)
        buf_addf(&text, "floor u%d " A " ntlm\n", i);
    put_file(buf_cstr(&text));
    buf_free(&text);
    floors_open(&f, directory);
    assert_int_equal(f.n, 1024);
    floors_learn(&f, "new", A, FLOOR_NTLM);
    assert_int_equal(f.n, 1024);
    assert_int_equal(floors_needed(&f, "u0", A), FLOOR_NONE);
    assert_int_equal(floors_needed(&f, "new", A), FLOOR_NTLM);
    floors_close(&f);
}

#define N SCHEME_BIT(AUTH_NEGOTIATE)
#define M SCHEME_BIT(AUTH_NTLM)
#define D SCHEME_BIT(AUTH_DIGEST)
#define P SCHEME_BIT(AUTH_BASIC)

static void levels(void **state)
{
    (void)state;
    static const struct {
        enum floor_level floor;
        unsigned allowed;
        enum floor_level held;
    } held[] = {
        {FLOOR_NONE, N | M | D | P, FLOOR_NONE},
        {FLOOR_KERBEROS, N | M | D, FLOOR_KERBEROS},
        {FLOOR_KERBEROS, M | D, FLOOR_NTLM},
        {FLOOR_KERBEROS, D | P, FLOOR_DIGEST}, /* that it can do better than MD5 was never seen */
        {FLOOR_KERBEROS, P, FLOOR_BASIC},
        {FLOOR_KERBEROS, 0, FLOOR_NONE},
        {FLOOR_NTLM, N | D, FLOOR_DIGEST},
        {FLOOR_NTLM, N, FLOOR_NONE},
        {FLOOR_DIGEST_SHA2, N | D, FLOOR_DIGEST_SHA2},
        {FLOOR_DIGEST_SHA2, P, FLOOR_BASIC},
        {FLOOR_DIGEST, N | M, FLOOR_NONE},
        {FLOOR_BASIC, N | M | D, FLOOR_NONE},
    };
    for (size_t i = 0; i < sizeof held / sizeof *held; i++)
        assert_int_equal(floor_held(held[i].floor, held[i].allowed), held[i].held);
    assert_int_equal(floor_of_schemes(0, FLOOR_NONE), FLOOR_NONE);
    assert_int_equal(floor_of_schemes(P, FLOOR_NONE), FLOOR_BASIC);
    assert_int_equal(floor_of_schemes(P | D, FLOOR_DIGEST), FLOOR_DIGEST);
    assert_int_equal(floor_of_schemes(P | D, FLOOR_DIGEST_SHA2), FLOOR_DIGEST_SHA2);
    assert_int_equal(floor_of_schemes(M | D | P, FLOOR_DIGEST_SHA2), FLOOR_NTLM);
    assert_int_equal(floor_of_schemes(N, FLOOR_NONE), FLOOR_KERBEROS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_rises),
        cmocka_unit_test(rings_once_and_is_accepted),
        cmocka_unit_test(what_was_accepted_rises_again),
        cmocka_unit_test_setup_teardown(survives_a_restart, make_directory, remove_directory),
        cmocka_unit_test_setup_teardown(leaves_out_what_is_damaged, make_directory, remove_directory),
        cmocka_unit_test_setup_teardown(a_file_that_cannot_be_had_stops_nothing, make_directory,
                                        remove_directory),
        cmocka_unit_test_setup_teardown(is_bounded, make_directory, remove_directory),
        cmocka_unit_test(levels),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
