/*
 * One exeat-pac process with one script, as the agent keeps it: started, loaded, asked one question at a time, watched, ended. Between questions it
 * costs nothing. Used by pac_client.c alone. Loop thread only.
 *
 * A question has PAC_SCRIPT_MS of processor time and PAC_MEMORY of memory; on a busy machine it may wait for these for as long as PAC_WAIT_MS. Names that the
 * script asks for have a time of their own, each PAC_NAME_MS and together PAC_NAMES_MS, after which they are "not found". Whoever goes beyond is killed.
 */
#ifndef EXEAT_HELPERS_PAC_HELPER_H
#define EXEAT_HELPERS_PAC_HELPER_H

#include "net/child.h"
#include "net/resolve.h"

#define PAC_SCRIPT_MS 2000u
#define PAC_WAIT_MS   10000u
#define PAC_NAME_MS   5000u
#define PAC_NAMES_MS  10000u
#define PAC_NAMES     256u /* looked up for one question */
#define PAC_MEMORY    ((size_t)256 << 20)

struct pac_helper;

enum pac_news {
    PAC_NEWS_LOADED,     /* the script is in; ask */
    PAC_NEWS_BAD_SCRIPT, /* it cannot be used; `text`: why. Only pac_helper_free is left to do */
    PAC_NEWS_RESULT,     /* `text`: what the script returned; ask again */
    PAC_NEWS_ERROR,      /* the question failed; `text`: why; ask again */
    PAC_NEWS_WAITS,      /* the script waits for a name: this may take a while */
    PAC_NEWS_LOOPED,     /* it took too long and was killed; `text` and pac_helper_free as above */
    PAC_NEWS_GREW,       /* it took too much memory and was killed */
    PAC_NEWS_DIED,       /* it ended, or did not start, or broke the rules */
};

/* `text` is lent for the call, control characters taken out. Never inside one of the calls below. pac_helper_free is allowed inside. */
typedef void (*pac_news_fn)(void *owner, struct pac_helper *h, enum pac_news news, struct span text);

/* For those who will be allowed to execute nothing: see net/child.h. NULL with *e: the program is not installed, or there can be no process. */
struct starter *pac_helper_starter(struct loop *loop, struct err *e);
/* `name` and `script` are lent until the end, within the limits of wire/pac_msg.h. `starter` NULL: we start the program ourselves. NULL with *e: it
   cannot be started. */
struct pac_helper *pac_helper_start(struct loop *loop, struct starter *starter, struct resolver *resolver,
                                    struct span name, struct span script, pac_news_fn tell, void *owner,
                                    struct err *e);
/* When it has nothing to do. false: they do not fit into a message. */
bool pac_helper_find(struct pac_helper *h, struct span url, struct span host);
bool pac_helper_waits(const struct pac_helper *h);
void pac_helper_free(struct pac_helper *h);

#endif
