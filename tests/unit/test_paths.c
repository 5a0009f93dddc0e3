/* The directories for sockets and state: made for us alone, and refused when they are not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "config/config.h"
#include "config/paths.h"

static char directory[32];

static int set_up(void **state)
{
    (void)state;
    snprintf(directory, sizeof directory, "/tmp/exeat-test-XXXXXX");
    if (!mkdtemp(directory))
        return -1;
    setenv("HOME", directory, 1);
    unsetenv("XDG_STATE_HOME");
    unsetenv("XDG_CONFIG_HOME");
    return setenv("XDG_RUNTIME_DIR", directory, 1);
}

static int tear_down(void **state)
{
    (void)state;
    char command[100];
    snprintf(command, sizeof command, "rm -rf '%s'", directory);
    return system(command);
}

/* directory + rest; valid until the next call. */
static const char *under(const char *rest)
{
    static char path[400];
    snprintf(path, sizeof path, "%s%s", directory, rest);
    return path;
}

static void expect_private(char *path, const char *expected)
{
    struct stat st;
    assert_non_null(path);
    assert_string_equal(path, expected);
    assert_int_equal(lstat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0700);
    assert_true(S_ISDIR(st.st_mode));
    free(path);
}

static void test_runtime_made_once(void **state)
{
    (void)state;
    struct err e = {0};
    mode_t before = umask(0);
    expect_private(config_runtime_dir(&e), under("/exeat"));
    umask(before);
    expect_private(config_runtime_dir(&e), under("/exeat"));
}

static void expect_refused(const char *sentence)
{
    struct err e = {0};
    char expected[500];
    snprintf(expected, sizeof expected, "%s %s", under("/exeat"), sentence);
    assert_null(config_runtime_dir(&e));
    assert_int_equal(e.code, ERR_SYSTEM);
    assert_string_equal(e.text, expected);
    assert_null(config_runtime_dir(NULL));
}

static void test_runtime_refused(void **state)
{
    (void)state;
    static const mode_t open_modes[] = {0701, 0710, 0750, 0720, 0777, 0704};
    assert_int_equal(mkdir(under("/exeat"), 0700), 0);
    for (size_t i = 0; i < sizeof open_modes / sizeof *open_modes; i++) {
        assert_int_equal(chmod(under("/exeat"), open_modes[i]), 0);
        expect_refused("is open to other users; chmod 700 it");
    }
    assert_int_equal(rmdir(under("/exeat")), 0);

    assert_int_equal(mkdir(under("/real"), 0700), 0);
    char target[400];
    snprintf(target, sizeof target, "%s", under("/real"));
    assert_int_equal(symlink(target, under("/exeat")), 0);
    expect_refused("is not a directory but a symbolic link");
    assert_int_equal(unlink(under("/exeat")), 0);

    FILE *f = fopen(under("/exeat"), "w");
    assert_non_null(f);
    fclose(f);
    expect_refused("is not a directory");
}

static void test_runtime_of_another(void **state)
{
    (void)state;
    if (geteuid() != 0)
        skip(); /* only root can make a directory that belongs to somebody else */
    assert_int_equal(mkdir(under("/exeat"), 0700), 0);
    assert_int_equal(chown(under("/exeat"), 12345, 12345), 0);
    expect_refused("belongs to another user (12345)");
}

/* Where $XDG_RUNTIME_DIR is not there, or not absolute, another place is found. */
static void test_runtime_elsewhere(void **state)
{
    (void)state;
    char run[64], tmp[64];
    struct stat st;
    struct err e = {0};
    snprintf(run, sizeof run, "/run/user/%u/exeat", (unsigned)geteuid());
    snprintf(tmp, sizeof tmp, "/tmp/exeat-%u", (unsigned)geteuid());
    bool run_was = lstat(run, &st) == 0, tmp_was = lstat(tmp, &st) == 0;
    static const char *const values[] = {"relative", "/nonexistent/run", NULL};
    for (size_t i = 0; i < 3; i++) {
        values[i] ? setenv("XDG_RUNTIME_DIR", values[i], 1) : unsetenv("XDG_RUNTIME_DIR");
        char *path = config_runtime_dir(&e);
        assert_non_null(path);
        assert_true(strcmp(path, run) == 0 || strcmp(path, tmp) == 0);
        free(path);
    }
    if (!run_was)
        rmdir(run);
    if (!tmp_was)
        rmdir(tmp);
}

static void test_state(void **state)
{
    (void)state;
    struct err e = {0};
    struct stat st;
    expect_private(config_state_dir(&e), under("/.local/state/exeat"));
    assert_int_equal(stat(under("/.local"), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
    expect_private(config_state_dir(&e), under("/.local/state/exeat"));
    setenv("XDG_STATE_HOME", under("/deep/er"), 1);
    expect_private(config_state_dir(&e), under("/deep/er/exeat"));
    FILE *f = fopen(under("/file"), "w");
    assert_non_null(f);
    fclose(f);
    setenv("XDG_STATE_HOME", under("/file"), 1);
    char expected[500];
    snprintf(expected, sizeof expected, "cannot make the directory %s: Not a directory",
             under("/file/exeat"));
    assert_null(config_state_dir(&e));
    assert_string_equal(e.text, expected);
}

static void test_home(void **state)
{
    (void)state;
    struct err e = {0};
    char *home = config_home_dir(&e);
    assert_string_equal(home, directory);
    free(home);
    unsetenv("HOME");
    home = config_home_dir(&e);
    assert_true(home ? home[0] == '/' : strcmp(e.text, "there is no home directory; set HOME") == 0);
    free(home);
    setenv("HOME", directory, 1);
    char *file = config_user_file(&e);
    assert_string_equal(file, under("/.config/exeat/exeat.conf"));
    free(file);
    setenv("XDG_CONFIG_HOME", "relative", 1); /* to be ignored */
    file = config_user_file(&e);
    assert_string_equal(file, under("/.config/exeat/exeat.conf"));
    free(file);
    setenv("XDG_CONFIG_HOME", "/x", 1);
    file = config_user_file(&e);
    assert_string_equal(file, "/x/exeat/exeat.conf");
    free(file);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_runtime_made_once), TEST(test_runtime_refused), TEST(test_runtime_of_another),
        TEST(test_runtime_elsewhere), TEST(test_state),           TEST(test_home),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
