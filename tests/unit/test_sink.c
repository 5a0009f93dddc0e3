/* Lines that keep nobody waiting: they come out whole and in order, the queue has a bound, what does not fit is counted, files change under way, and a
   reader that never reads does not hold up the end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/sink.h"

#define LINES 20000

static char directory[64];

static char *path_of(const char *name)
{
    struct buf path = {0};
    buf_addf(&path, "%s/%s", directory, name);
    char *copy = mem_strdup(buf_cstr(&path));
    buf_free(&path);
    return copy;
}

static int open_file(const char *name)
{
    struct err e;
    char *path = path_of(name);
    int fd = sink_open(path, &e);
    free(path);
    assert_true(fd >= 0);
    return fd;
}

static void read_all(int fd, struct buf *out)
{
    char bytes[65536];
    ssize_t n;
    while ((n = read(fd, bytes, sizeof bytes)) > 0)
        buf_add(out, bytes, (size_t)n);
}

static void read_file(const char *name, struct buf *out)
{
    char *path = path_of(name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    free(path);
    assert_true(fd >= 0);
    read_all(fd, out);
    close(fd);
}

static void add_number(struct sink *s, unsigned i)
{
    char line[40];
    sink_add(s, span_make(line, (size_t)snprintf(line, sizeof line, "line %u", i)));
}

/* Numbers that rise, each on a whole line of its own: how many. */
static unsigned check_lines(struct span text)
{
    unsigned n = 0;
    long last = -1;
    assert_true(text.n == 0 || text.p[text.n - 1] == '\n');
    while (text.n) {
        struct span line = span_cut(&text, '\n');
        uint64_t number;
        assert_true(span_starts(line, SPAN("line ")));
        assert_true(span_u64(span_from(line, 5), &number));
        assert_true((long)number > last);
        last = (long)number;
        n++;
    }
    return n;
}

static void test_file(void **state)
{
    (void)state;
    struct buf text = {0};
    struct stat st;
    mode_t mask = umask(0);
    int fd = open_file("plain");
    umask(mask);
    assert_int_equal(fstat(fd, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    struct sink *s = sink_start(fd, "a file");
    for (unsigned i = 0; i < LINES; i++)
        add_number(s, i);
    assert_int_equal(sink_lost(s), 0);
    assert_true(sink_stop(s, 20000));
    read_file("plain", &text);
    assert_int_equal(check_lines(buf_span(&text)), LINES);
    buf_free(&text);
}

/* What was there stays, and is followed by what is new. */
static void test_appends(void **state)
{
    (void)state;
    struct buf text = {0};
    for (unsigned i = 0; i < 3; i++) {
        struct sink *s = sink_start(open_file("again"), "a file");
        add_number(s, i);
        assert_true(sink_stop(s, 20000));
    }
    read_file("again", &text);
    assert_int_equal(check_lines(buf_span(&text)), 3);
    buf_free(&text);
}

static void test_turns(void **state)
{
    (void)state;
    struct buf first = {0}, second = {0}, third = {0};
    struct sink *s = sink_start(open_file("first"), "the first");
    for (unsigned i = 0; i < 100; i++)
        add_number(s, i);
    sink_turn(s, open_file("second"), "the second");
    for (unsigned i = 100; i < 250; i++)
        add_number(s, i);
    sink_turn(s, open_file("third"), "the third");
    sink_turn(s, open_file("third"), "the third again");
    for (unsigned i = 250; i < 260; i++)
        add_number(s, i);
    assert_true(sink_stop(s, 20000));
    read_file("first", &first);
    read_file("second", &second);
    read_file("third", &third);
    assert_int_equal(check_lines(buf_span(&first)), 100);
    /* A turn that came before the writer had begun with the one before takes its lines along. */
    assert_int_equal(check_lines(buf_span(&second)) + check_lines(buf_span(&third)), 160);
    assert_true(third.n > 0);
    buf_free(&first);
    buf_free(&second);
    buf_free(&third);
}

/* A pipe that nobody reads: the queue is full at some time, memory has its bound, and the numbers add up when it is read at last. */
static void test_bound(void **state)
{
    (void)state;
    int ends[2];
    struct buf text = {0};
    unsigned long long taken = 0, refused = 0;
    char line[200];
    memset(line, 'x', sizeof line);
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    struct sink *s = sink_start(ends[1], "a pipe");
    for (unsigned i = 0; i < 50000; i++)
        *(sink_add(s, span_make(line, sizeof line)) ? &taken : &refused) += 1;
    assert_true(taken * sizeof line <= 2 * SINK_BYTES_MOST + 65536);
    assert_true(taken * sizeof line >= SINK_BYTES_MOST / 2);
    assert_int_equal(sink_lost(s), refused);
    assert_true(refused > 0);
    assert_true(sink_stop(s, 2000)); /* though nobody reads; its end of the pipe is closed by that */
    read_all(ends[0], &text);
    assert_true(text.n % (sizeof line + 1) == 0);
    assert_true(text.n / (sizeof line + 1) <= taken);
    close(ends[0]);
    buf_free(&text);
}

/* The disk is full: the lines are counted, and nothing waits for it. */
static void test_full(void **state)
{
    (void)state;
    int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        skip();
    struct sink *s = sink_start(fd, "a full disk");
    for (unsigned i = 0; i < 10; i++)
        add_number(s, i);
    while (sink_lost(s) < 10) /* the program's own time limit */
        usleep(1000);
    assert_true(sink_stop(s, 20000));
}

static void test_not_a_file(void **state)
{
    (void)state;
    struct err e;
    char *path = path_of("fifo");
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(sink_open(path, &e), -1);
    assert_non_null(strstr(e.text, path));
    assert_non_null(strstr(e.text, "no regular file"));
    assert_int_equal(sink_open(directory, &e), -1);
    assert_non_null(strstr(e.text, "no regular file"));
    assert_int_equal(sink_open("/dev/null", &e), -1);
    assert_non_null(strstr(e.text, "no regular file"));
    assert_int_equal(sink_open("/nonexistent/log", &e), -1);
    assert_non_null(strstr(e.text, "/nonexistent/log"));
    assert_non_null(strstr(e.text, "make its directory"));
    free(path);
}

static int make_directory(void **state)
{
    (void)state;
    strcpy(directory, "/tmp/exeat-sink-XXXXXX");
    log_set_level(LOG_LEVEL_ERROR);
    return mkdtemp(directory) ? 0 : -1;
}

static int remove_directory(void **state)
{
    (void)state;
    static const char *const names[] = {"plain", "again", "first", "second", "third", "fifo"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char *path = path_of(names[i]);
        unlink(path);
        free(path);
    }
    return rmdir(directory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_file),  cmocka_unit_test(test_appends), cmocka_unit_test(test_turns),
        cmocka_unit_test(test_bound), cmocka_unit_test(test_full),    cmocka_unit_test(test_not_a_file),
    };
    return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
