/* Commands for passwords: run by a process that takes them from the configuration and from nobody else. */
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
#include "keys/provider.h"

static char path[64];

static void write_config(const char *corp, const char *lab)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fprintf(f,
            "[upstream corp]\nproxy = http://127.0.0.1:1\nsecret = command:%s\n"
            "[upstream lab]\nproxy = http://127.0.0.1:2\nsecret = %s\n",
            corp, lab);
    fclose(f);
}

static enum provided_kind fetched_for(const char *user, const char *upstream, const char *command,
                                      const char *wanted)
{
    struct provided p = {0};
    command_fetch(upstream, command, user, &p);
    enum provided_kind kind = p.kind;
    if (kind == PROVIDED)
        assert_true(span_eq(secret_reveal(&p.secret), span_str(wanted)));
    else
        assert_non_null(strstr(p.e.text, wanted));
    provided_free(&p);
    return kind;
}

static enum provided_kind fetched(const char *upstream, const char *command, const char *wanted)
{
    return fetched_for(NULL, upstream, command, wanted);
}

#define REFUSED "Operation not permitted"

static void test_only_the_configured_one(void **state)
{
    (void)state;
    struct err e;
    write_config("echo one", "prompt");
    struct config *c = config_load(path, &e);
    assert_non_null(c);
    assert_true(command_start(path, c, &e));
    config_unref(c);
    assert_int_equal(fetched("corp", "echo one", "one"), PROVIDED);
    assert_int_equal(fetched("corp", "echo two", REFUSED), PROVIDED_FAILED);
    assert_int_equal(fetched("lab", "echo one", REFUSED), PROVIDED_FAILED);
    assert_int_equal(fetched("corp", "echo one; echo two", REFUSED), PROVIDED_FAILED);
    assert_int_equal(fetched("", "echo one", REFUSED), PROVIDED_FAILED);
    assert_int_equal(fetched_for("alice", "corp", "echo one", "one"), PROVIDED);
    assert_int_equal(fetched_for("echo two", "corp", "", REFUSED), PROVIDED_FAILED);

    write_config("echo two", "command:echo lab"); /* read when it is asked for */
    assert_int_equal(fetched("corp", "echo two", "two"), PROVIDED);
    assert_int_equal(fetched("lab", "echo lab", "lab"), PROVIDED);
    assert_int_equal(fetched("corp", "echo lab", REFUSED), PROVIDED_FAILED);

    write_config("echo \"-$EXEAT_USER-\"", "prompt"); /* each time that of this one question */
    assert_int_equal(fetched_for("CORP\\$(id)", "corp", "echo \"-$EXEAT_USER-\"", "-CORP\\$(id)-"), PROVIDED);
    assert_int_equal(fetched_for("", "corp", "echo \"-$EXEAT_USER-\"", "--"), PROVIDED);
    assert_int_equal(fetched_for("bob", "corp", "echo \"-$EXEAT_USER-\"", "-bob-"), PROVIDED);
    assert_int_equal(fetched("corp", "echo \"-$EXEAT_USER-\"", "--"), PROVIDED);

    write_config("\n[nonsense",
                 "prompt"); /* somebody is at work on it; the keyholder has not read it again */
    assert_int_equal(fetched("corp", "echo two", "two"), PROVIDED);
    assert_int_equal(fetched("corp", "echo one", "one"), PROVIDED);
    assert_int_equal(fetched("corp", "echo three", REFUSED), PROVIDED_FAILED);
    command_end_all();
    assert_int_equal(fetched("corp", "echo one", "cannot be started"), PROVIDED_FAILED);
}

static int set_up(void **state)
{
    (void)state;
    strcpy(path, "/tmp/exeat-command-XXXXXX");
    int fd = mkstemp(path);
    return fd < 0 ? -1 : close(fd);
}

static int tear_down(void **state)
{
    (void)state;
    return unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_only_the_configured_one, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
