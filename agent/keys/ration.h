/*
 * How many passwords that clients bring may be tried. The guard sees to it that one pair of account and password is shown once; but a client can
 * bring another password each time, and a directory counts them all. So each account has a few places, and all accounts together have a number of
 * them: a pair that no proxy has accepted takes one before it is shown, gives it back when a proxy accepts it, and loses it for RATION_MS otherwise.
 * Each time that it is shown again, because there was no verdict, is as one more pair; but where an account has only one, the guard's pauses are enough.
 * Times are milliseconds of any steady clock. Memory of a fixed size; no secrets; main thread.
 */
#ifndef EXEAT_KEYS_RATION_H
#define EXEAT_KEYS_RATION_H

#include <stdbool.h>
#include <stdint.h>

#define RATION_ACCOUNT 3   /* of one account: directories lock after five, or ten */
#define RATION_ALL     512 /* of all accounts */
#define RATION_MS                                                                                            \
    ((int64_t)30 * 60 * 1000) /* what directories wait until they count from 0 again, as a rule */

struct ration {
    struct ration_place {
        char *account; /* account key; NULL: the place is free */
        char *mark;    /* keyed hash of the password */
        int64_t until;
        unsigned shown;
    } places[RATION_ALL];
};

/* May this pair be tried? One that has a place keeps it. */
bool ration_take(struct ration *r, const char *account, const char *mark, int64_t now);
/* May it be shown now? If so, it counts as shown. */
bool ration_show(struct ration *r, const char *account, const char *mark, int64_t now);
/* A proxy has accepted it. */
void ration_return(struct ration *r, const char *account, const char *mark);
void ration_free(struct ration *r);

#endif
