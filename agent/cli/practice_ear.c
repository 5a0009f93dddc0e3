/*
 * The ear (practice_ear.h): a loop of its own with the tap and the page. What it prints of a message is printed before the message goes on, so that
 * lines of several processes come in the order of events.
 */
#include "cli/practice_ear.h"

#include <signal.h>

#include "cli/practice_mask.h"
#include "cli/practice_page.h"
#include "cli/practice_tap.h"
#include "cli/practice_words.h"
#include "cli/say.h"

void ear_show(const char *from_to, unsigned connection, const struct head *h)
{
    struct buf text = {0};
    buf_addf(&text, "    %s", from_to);
    if (connection)
        buf_addf(&text, ", connection %u: %s\n", connection, practice_words(h));
    else
        buf_add_str(&text, ":\n");
    practice_mask(&text, h, "        ", connection != 0);
    say_clean(stdout, buf_span(&text));
    fflush(stdout);
    buf_free(&text);
}

static void head_passes(void *owner, unsigned connection, enum tap_way way, const struct head *h)
{
    (void)owner;
    ear_show(way == TAP_UP ? "exeat -> the proxy" : "the proxy -> exeat", connection, h);
}

static void goes_deaf(void *owner, unsigned connection, enum tap_deaf why)
{
    (void)owner;
    if (why == TAP_TUNNEL)
        printf("    (from here on connection %u is a tunnel: whatever the two ends say passes as it is)\n",
               connection);
    else
        printf("    (what follows on connection %u cannot be read here, and passes as it is)\n", connection);
    fflush(stdout);
}

static void stop(void *owner, int number)
{
    (void)number;
    loop_stop(owner);
}

int ear_run(const struct place_door *tap, const struct place_door *proxy, const struct place_door *page)
{
    static const struct tap_events events = {head_passes, goes_deaf};
    struct err e = {0};
    struct loop *loop = loop_new();
    const struct given at_tap = {.fd = tap->fd, .name = "", .address = "the ear"};
    const struct given at_page = {.fd = page->fd, .name = "", .address = "the page"};
    struct tap *t = tap_new(loop, &at_tap, proxy->port, &events, NULL, &e);
    struct page *p = t ? page_serve(loop, &at_page, &e) : NULL;
    if (p) {
        loop_watch_signal(loop, SIGTERM, stop, loop);
        loop_run(loop);
    }
    page_free(p);
    tap_free(t);
    loop_free(loop);
    return p ? EXIT_DONE : say_failure(&e);
}
