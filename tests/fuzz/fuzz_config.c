/*
 * A configuration file of any bytes: refused with a sentence that names the file, or loaded; then what is printed of it loads too, and is
 * printed the same but for the comments.
 */
#include <stdlib.h>

#include "base/buf.h"
#include "config/config.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    return setenv("HOME", "/home/alice", 1);
}

/* Without the comments that say where a value comes from. */
static void strip(struct buf *out, struct span printed)
{
    while (printed.n) {
        struct span line = span_cut(&printed, '\n');
        buf_add_span(out, span_head(line, span_rfind(line, '#')));
        buf_add_str(out, "\n");
    }
}

static void print(struct buf *out, const struct config *c)
{
    buf_clear(out);
    config_print(c, out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err e = {0};
    struct config *c = config_load_text("first", span_make((const char *)data, size), &e);
    if (!c) {
        if (e.code != ERR_CONFIG || strncmp(e.text, "first:", 6) != 0)
            abort();
        return 0;
    }
    struct buf printed, once, twice;
    buf_init(&printed, 0);
    buf_init(&once, 0);
    buf_init(&twice, 0);
    print(&printed, c);
    strip(&once, buf_span(&printed));
    struct config *again = config_load_text("again", buf_span(&printed), &e);
    if (!again)
        abort();
    print(&printed, again);
    strip(&twice, buf_span(&printed));
    if (!span_eq(buf_span(&once), buf_span(&twice)))
        abort();
    config_unref(c);
    config_unref(again);
    buf_free(&printed);
    buf_free(&once);
    buf_free(&twice);
    return 0;
}
