/*
 * One line per event, to stderr: as a systemd service each line carries a <N> level prefix for the journal (sd-daemon(3)).
 * A tag ("c12.r3": client 12, request 3) joins the lines of one activity, and stands on the error page too.
 * Any thread; never blocks. Never pass a field value that may hold credentials.
 */
#ifndef EXEAT_BASE_LOG_H
#define EXEAT_BASE_LOG_H

#include <stdbool.h>

#include "base/span.h"

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

void log_start(
    const char *program); /* before the first line; decides on the prefix form (JOURNAL_STREAM, a terminal) */
void log_set_level(enum log_level level);
enum log_level log_get_level(void);
bool log_level_parse(struct span name, enum log_level *out);
const char *log_level_name(enum log_level level);

/* tag may be NULL. Control bytes in the text come out as '?', so that a peer cannot forge lines. false: nobody could take it. */
bool log_line(enum log_level level, const char *tag, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Do they go to the journal? */
bool log_is_journal(void);

/* How many lines nobody could take, since the start. */
unsigned long log_lost(void);

struct buf;
/* For lines that go to standard error by another way: what stands in front of one of level info; `whole` false: only the journal's <N>. */
void log_add_prefix(struct buf *out, bool whole);

#define log_error(tag, ...)   log_line(LOG_LEVEL_ERROR, tag, __VA_ARGS__)
#define log_warning(tag, ...) log_line(LOG_LEVEL_WARNING, tag, __VA_ARGS__)
#define log_info(tag, ...)    log_line(LOG_LEVEL_INFO, tag, __VA_ARGS__)
#define log_debug(tag, ...)                                                                                  \
    do {                                                                                                     \
        if (log_get_level() >= LOG_LEVEL_DEBUG)                                                              \
            log_line(LOG_LEVEL_DEBUG, tag, __VA_ARGS__);                                                     \
    } while (0)

#endif
