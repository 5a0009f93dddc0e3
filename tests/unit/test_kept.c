/* Copies of scripts on disk: what was written is read back, and whatever has happened to a file meanwhile, it is whole or not there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "source/kept.h"

static char folder[] = "/tmp/exeat-kept-XXXXXX";
static char path[64];

static struct kept sample(void)
{
    struct kept k = {.from = mem_strdup("http://a.example/p"),
                     .etag = mem_strdup("\"x y\""),
                     .charset = mem_strdup("utf-8"),
                     .seen = 1234567890};
    buf_add_str(&k.script, "function FindProxyForURL(u, h) {\n\n return 'DIRECT'; }\n");
    buf_add(&k.script, "\0\xff", 2);
    return k;
}

static struct buf encoded(void)
{
    struct kept k = sample();
    struct buf out = {0};
    kept_encode(&k, &out);
    kept_free(&k);
    return out;
}

static void comes_back_as_it_was(void **state)
{
    struct buf bytes = encoded();
    struct kept k, was = sample();
    (void)state;
    assert_true(kept_decode(buf_span(&bytes), &k));
    assert_string_equal(k.from, was.from);
    assert_string_equal(k.etag, was.etag);
    assert_null(k.modified);
    assert_string_equal(k.charset, was.charset);
    assert_int_equal(k.seen, was.seen);
    assert_true(span_eq(buf_span(&k.script), buf_span(&was.script)));
    kept_free(&k);
    kept_free(&was);
    buf_free(&bytes);
}

static void notices_any_damage(void **state)
{
    struct buf bytes = encoded();
    struct kept k;
    size_t taken = 0;
    (void)state;
    for (size_t n = 0; n < bytes.n; n++) /* torn off */
        assert_false(kept_decode(span_head(buf_span(&bytes), n), &k));
    for (size_t i = 0; i < bytes.n; i++) { /* a bit of the script, or of what says what it is */
        bytes.p[i] ^= 1;
        if (kept_decode(buf_span(&bytes), &k)) {
            struct kept was = sample();
            assert_true(span_eq(buf_span(&k.script), buf_span(&was.script)));
            kept_free(&was);
            kept_free(&k);
            taken++; /* in a field that no sum protects */
        }
        bytes.p[i] ^= 1;
    }
    assert_true(taken < 80);
    buf_add_str(&bytes, "more");
    assert_false(kept_decode(buf_span(&bytes), &k));
    buf_free(&bytes);
}

static void takes_no_field_into_a_head(void **state)
{
    static const char *const lines[] = {"etag \"a\r\nX: y\"", "etag ",     "etag",
                                        "modified \x01",      "from \x7f", "etag \"a\"\netag \"b\""};
    (void)state;
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        char hex[KEPT_DIGEST];
        struct buf bytes = {0};
        struct kept k;
        kept_digest(SPAN("x"), hex);
        buf_addf(&bytes, "exeat-pac 1\n%s\nfrom http://a\nsha256 %s\n\nx", lines[i], hex);
        assert_false(kept_decode(buf_span(&bytes), &k));
        buf_clear(&bytes);
        buf_addf(&bytes, "exeat-pac 1\nfrom http://a\nlater a\nsha256 %s\n\nx", hex);
        assert_true(kept_decode(buf_span(&bytes), &k));
        kept_free(&k);
        buf_free(&bytes);
    }
}

static void is_a_private_file(void **state)
{
    struct buf bytes = encoded();
    struct stat st;
    struct kept k;
    struct err e;
    (void)state;
    assert_true(kept_write(path, buf_span(&bytes), &e));
    assert_true(kept_write(path, buf_span(&bytes), &e)); /* over the one that is there */
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_true(kept_read(path, &k));
    kept_free(&k);
    chmod(path, 0622);
    assert_false(kept_read(path, &k));
    chmod(path, 0600);
    char other[80];
    snprintf(other, sizeof other, "%s-link", path);
    assert_int_equal(symlink(path, other), 0);
    assert_false(kept_read(other, &k));
    unlink(other);
    assert_int_equal(mkfifo(other, 0600), 0);
    assert_false(kept_read(other, &k)); /* and does not wait there */
    unlink(other);
    assert_false(kept_read(other, &k));
    snprintf(other, sizeof other, "%s.new", path);
    assert_int_equal(symlink("/nonexistent/x", other), 0); /* where it is written first */
    assert_true(kept_write(path, buf_span(&bytes), &e));
    assert_int_equal(lstat(other, &st), -1);
    assert_false(kept_write("/nonexistent/x", buf_span(&bytes), &e));
    assert_non_null(strstr(e.text, "/nonexistent/x"));
    buf_free(&bytes);
}

static void names_by_hash(void **state)
{
    struct buf a = {0}, b = {0};
    (void)state;
    kept_path("/f", "http://a.example/?token=secret", &a);
    kept_path("/f", "http://b.example/../../x", &b);
    assert_int_equal(a.n, 3 + 32);
    assert_false(span_eq(buf_span(&a), buf_span(&b)));
    assert_null(strstr(buf_cstr(&a), "secret"));
    assert_int_equal(span_rfind(buf_span(&b), '/'), 2);
    buf_free(&a);
    buf_free(&b);
}

static int set_up(void **state)
{
    (void)state;
    if (!mkdtemp(folder))
        return -1;
    snprintf(path, sizeof path, "%s/copy", folder);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(comes_back_as_it_was),
        cmocka_unit_test(notices_any_damage),
        cmocka_unit_test(takes_no_field_into_a_head),
        cmocka_unit_test(is_a_private_file),
        cmocka_unit_test(names_by_hash),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
