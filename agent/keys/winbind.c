/*
 * The only home of winbind's library. It is there where gss-ntlmssp can ask winbind, which uses it too, and need not be there elsewhere: so it is looked for
 * when it is needed, and what of its interface is wanted (version 0.9, which the number in its file's name stands for) is declared here. One call at a time:
 * its connection to winbind is the process's.
 */
#include "keys/winbind.h"

#include <dlfcn.h>
#include <openssl/crypto.h>
#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define LIBRARY "libwbclient.so.0"

enum { LEVEL_RESPONSE = 3 };

struct wbc_params {
    const char *account, *domain, *workstation;
    uint32_t flags, control;
    int level;
    struct {
        uint8_t challenge[WINBIND_CHALLENGE];
        uint32_t nt_length;
        const char *nt;
        uint32_t lm_length;
        const char *lm;
    } response;
};

/* The beginning of it, as far as it is read. */
struct wbc_info {
    uint32_t user_flags;
    char *account, *principal, *full_name, *domain, *dns_domain;
    uint32_t account_flags;
    uint8_t key[WINBIND_KEY];
};

static struct {
    void *library;                                        /* never unloaded */
    int (*check_trust)(const char *domain, void **error); /* NULL: our domain; 0: it works */
    int (*authenticate)(const struct wbc_params *params, struct wbc_info **info, void **error);
    void (*release)(void *memory);
} wbc;

static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void look(void)
{
    wbc.library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
    if (!wbc.library)
        return;
    *(void **)&wbc.check_trust = dlsym(wbc.library, "wbcCheckTrustCredentials");
    *(void **)&wbc.authenticate = dlsym(wbc.library, "wbcAuthenticateUserEx");
    *(void **)&wbc.release = dlsym(wbc.library, "wbcFreeMemory");
}

bool winbind_works(void)
{
    pthread_once(&once, look);
    if (!wbc.check_trust)
        return true;
    pthread_mutex_lock(&lock);
    bool works = wbc.check_trust(NULL, NULL) == 0;
    pthread_mutex_unlock(&lock);
    return works;
}

bool winbind_session_key(const struct winbind_proof *proof, unsigned char key[WINBIND_KEY])
{
    struct wbc_params params = {.account = proof->user, .domain = proof->domain, .level = LEVEL_RESPONSE};
    struct wbc_info *info = NULL;
    pthread_once(&once, look);
    if (!wbc.authenticate || !wbc.release || proof->challenge.n != WINBIND_CHALLENGE)
        return false;
    memcpy(params.response.challenge, proof->challenge.p, WINBIND_CHALLENGE);
    params.response.nt_length = (uint32_t)proof->answer.n;
    params.response.nt = proof->answer.p;
    pthread_mutex_lock(&lock);
    bool good = wbc.authenticate(&params, &info, NULL) == 0 && info;
    pthread_mutex_unlock(&lock);
    if (good)
        memcpy(key, info->key, WINBIND_KEY);
    if (info) {
        OPENSSL_cleanse(info->key, sizeof info->key);
        wbc.release(info);
    }
    return good;
}
