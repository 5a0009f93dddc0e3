/*
 * The only home of winbind's library, of which one function is wanted. It is there where gss-ntlmssp can ask winbind, which uses it too, and need not be
 * there elsewhere: so it is looked for when it is needed. One call at a time: its connection to winbind is the process's.
 */
#include "keys/winbind.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stddef.h>

#define LIBRARY "libwbclient.so.0"

/* wbcErr wbcCheckTrustCredentials(const char *domain, struct wbcAuthErrorInfo **error); NULL: our domain, and no details; 0: it works */
typedef int (*check_fn)(const char *domain, void **error);

static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static check_fn check;

static void look(void)
{
    void *library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
    if (library)
        *(void **)&check = dlsym(library, "wbcCheckTrustCredentials");
}

bool winbind_works(void)
{
    pthread_once(&once, look);
    if (!check)
        return true;
    pthread_mutex_lock(&lock);
    bool works = check(NULL, NULL) == 0;
    pthread_mutex_unlock(&lock);
    return works;
}
