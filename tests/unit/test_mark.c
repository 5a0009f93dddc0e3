/* Marks of refused secrets: they survive a restart, say nothing about the secret, and a damaged file does no harm. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "keys/mark.h"

static char directory[64];

static int make_directory(void **state)
{
    (void)state;
    snprintf(directory, sizeof directory, "/tmp/exeat-mark-XXXXXX");
    return mkdtemp(directory) ? 0 : -1;
}

static const char *in_directory(const char *name)
{
    static char path[128];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    return path;
}

static int remove_directory(void **state)
{
    (void)state;
    unlink(in_directory("refused"));
    unlink(in_directory("refused.new"));
    unlink(in_directory("mark-key"));
    return rmdir(directory);
}

static void hash_of(const struct marks *m, const char *account, const char *text, char hash[MARK_HEX + 1])
{
    struct secret s = {0};
    secret_set(&s, span_str(text));
    marks_hash(m, account, &s, hash);
    secret_free(&s);
}

static const struct mark *nth(const struct marks *m, size_t n)
{
    const struct list *l = m->all.next;
    while (n--)
        l = l->next;
    return l == &m->all ? NULL : list_entry((struct list *)l, struct mark, node);
}

static void survives_a_restart(void **state)
{
    (void)state;
    struct marks m;
    char hash[MARK_HEX + 1], again[MARK_HEX + 1];
    marks_open(&m, directory);
    hash_of(&m, "alice smith@corp", "Password", hash);
    marks_add(&m, "alice smith@corp", hash, "west\twing %");
    marks_add(&m, "alice smith@corp", hash, "west\twing %");
    marks_add(&m, "bob@corp", hash, NULL);
    marks_add(&m, "bob@corp", hash, "any"); /* refused for all says it already */
    assert_int_equal(m.n, 2);
    marks_close(&m);

    struct stat st;
    assert_int_equal(stat(in_directory("refused"), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(stat(in_directory("mark-key"), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);

    marks_open(&m, directory);
    assert_int_equal(m.n, 2);
    hash_of(&m, "alice smith@corp", "Password", again);
    assert_string_equal(hash, again);
    assert_string_equal(nth(&m, 0)->account, "alice smith@corp");
    assert_string_equal(nth(&m, 0)->upstream, "west\twing %");
    assert_string_equal(nth(&m, 0)->hash, hash);
    assert_null(nth(&m, 1)->upstream);
    marks_remove(&m, "alice smith@corp", hash, "east");
    assert_int_equal(m.n, 2);
    marks_remove(&m, "alice smith@corp", hash, "west\twing %");
    assert_int_equal(m.n, 1);
    marks_close(&m);
    marks_open(&m, directory);
    assert_int_equal(m.n, 1);
    marks_remove(&m, "bob@corp", hash, "any");
    assert_int_equal(m.n, 0);
    marks_close(&m);
}

static void hashes_tell_nothing(void **state)
{
    (void)state;
    struct marks m, other;
    char a[MARK_HEX + 1], b[MARK_HEX + 1];
    marks_open(&m, NULL);
    marks_open(&other, NULL);
    hash_of(&m, "alice@corp", "Password", a);
    hash_of(&m, "bob@corp", "Password", b); /* the same password of two accounts */
    assert_string_not_equal(a, b);
    hash_of(&other, "alice@corp", "Password", b); /* on two machines */
    assert_string_not_equal(a, b);
    hash_of(&m, "alice@corpP", "assword", b); /* the boundary counts */
    assert_string_not_equal(a, b);
    hash_of(&m, "alice@corp", "Password", b);
    assert_string_equal(a, b);
    marks_close(&m);
    marks_close(&other);
}

static void leaves_out_what_is_damaged(void **state)
{
    (void)state;
    struct marks m;
    char hash[MARK_HEX + 1];
    FILE *f = fopen(in_directory("refused"), "w");
    assert_non_null(f);
    memset(hash, 'a', MARK_HEX);
    hash[MARK_HEX] = '\0';
    fprintf(f, "\n");
    fprintf(f, "no-hash\n");
    fprintf(f, "short abc *\n");
    fprintf(f, "upper %.63sA *\n", hash);
    fprintf(f, "no-upstream %s\n", hash);
    fprintf(f, "good %s *\n", hash);
    fprintf(f, "trailing%% %s *", hash);
    fclose(f);
    marks_open(&m, directory);
    assert_int_equal(m.n, 2);
    assert_string_equal(nth(&m, 0)->account, "good");
    assert_string_equal(nth(&m, 1)->account, "trailing%");
    marks_close(&m);
}

static void is_bounded(void **state)
{
    (void)state;
    struct marks m;
    char name[32], hash[MARK_HEX + 1];
    marks_open(&m, NULL);
    for (int i = 0; i < 1000; i++) {
        snprintf(name, sizeof name, "user%d@corp", i);
        hash_of(&m, name, "x", hash);
        marks_add(&m, name, hash, NULL);
    }
    assert_int_equal(m.n, 256);
    assert_string_equal(nth(&m, 0)->account, "user744@corp"); /* the oldest went */
    marks_close(&m);
}

static void a_key_that_is_no_key_is_made_anew(void **state)
{
    (void)state;
    struct marks m;
    char a[MARK_HEX + 1], b[MARK_HEX + 1];
    FILE *f = fopen(in_directory("mark-key"), "w");
    fputs("short", f);
    fclose(f);
    marks_open(&m, directory);
    hash_of(&m, "alice@", "x", a);
    marks_close(&m);
    marks_open(&m, directory);
    hash_of(&m, "alice@", "x", b);
    assert_string_equal(a, b);
    marks_close(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(survives_a_restart, make_directory, remove_directory),
        cmocka_unit_test(hashes_tell_nothing),
        cmocka_unit_test_setup_teardown(leaves_out_what_is_damaged, make_directory, remove_directory),
        cmocka_unit_test(is_bounded),
        cmocka_unit_test_setup_teardown(a_key_that_is_no_key_is_made_anew, make_directory, remove_directory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
