/*
 * Says on a terminal (standard error) what is waited for, once that has taken longer than a second. A thread of its own, since the steps block.
 */
#ifndef EXEAT_CLI_DOCTOR_PROGRESS_H
#define EXEAT_CLI_DOCTOR_PROGRESS_H

void progress_start(void); /* where standard error is no terminal nothing is ever said */
/* `what`: static text; NULL: nothing is waited for, and what stands on the line is wiped away. */
void progress_on(const char *what);
void progress_stop(void);

#endif
