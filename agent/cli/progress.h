/*
 * Says on a terminal (standard error) what is waited for, once that has taken longer than a second. A thread of its own, since the steps block.
 */
#ifndef EXEAT_CLI_PROGRESS_H
#define EXEAT_CLI_PROGRESS_H

void progress_start(void); /* where standard error is no terminal nothing is ever said */
/* `what`: static text; NULL: nothing is waited for, and what stands on the line is wiped away. */
void progress_on(const char *what);
void progress_stop(void);

/* One wait alone. Between progress_start and progress_stop of somebody else it is a part of what is said there, and says nothing itself. */
void progress_begin(const char *what);
void progress_end(void);

#endif
