/* Everything into a descriptor, and everything out of one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/secret.h"
#include "base/write_all.h"

static int file_of(struct span text)
{
    int fd = memfd_create("text", MFD_CLOEXEC);
    assert_true(fd >= 0 && write_all(fd, text));
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    return fd;
}

static void test_all_of_it(void **state)
{
    (void)state;
    static char text[10000];
    struct secret s = {0};
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = (char)('a' + i % 23);
    int fd = file_of(span_make(text, sizeof text));
    assert_true(secret_read(&s, fd, sizeof text));
    assert_true(span_eq(secret_reveal(&s), span_make(text, sizeof text)));
    close(fd);
    fd = file_of(SPAN(""));
    assert_true(secret_read(&s, fd, 0) && secret_present(&s) && s.length == 0);
    close(fd);
    secret_free(&s);
}

static void test_no_more_than_that(void **state)
{
    (void)state;
    struct secret s = {0};
    int fd = file_of(SPAN("12345"));
    errno = 0;
    assert_false(secret_read(&s, fd, 4));
    assert_int_equal(errno, EFBIG);
    close(fd);
    fd = open("/dev/zero", O_RDONLY | O_CLOEXEC);
    assert_false(secret_read(&s, fd, 100));
    close(fd);
    secret_free(&s);
}

static void test_what_cannot_be(void **state)
{
    (void)state;
    struct secret s = {0};
    int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
    assert_false(write_all(fd, SPAN("text")));
    assert_int_equal(errno, ENOSPC);
    assert_true(write_all(fd, SPAN("")));
    assert_false(secret_read(&s, fd, 100));
    assert_int_equal(errno, EBADF);
    close(fd);
    secret_free(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_of_it),
        cmocka_unit_test(test_no_more_than_that),
        cmocka_unit_test(test_what_cannot_be),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
