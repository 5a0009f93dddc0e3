/*
 * Worker threads with a FIFO. Two counts keep quick work going: of the WORKERS_MAX threads at most WORKERS_SLOW take jobs that may hang,
 * the rest is for quick ones. Threads wait without a time limit; they end when the house is taken down and none of them is stuck.
 * The lock guards the queues and counts; a job itself belongs to one thread at a time.
 */
#include "keys/work.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/log.h"
#include "base/secret.h"

#define WORKERS_MAX  32
#define WORKERS_SLOW 26

static struct {
    pthread_mutex_t lock;
    pthread_cond_t more;
    struct list quick, slow, finished;
    unsigned threads, idle, queued, slow_running, unfinished;
    pthread_t ids[WORKERS_MAX];
    bool ending;
    int event;
} work = {.lock = PTHREAD_MUTEX_INITIALIZER, .more = PTHREAD_COND_INITIALIZER, .event = -1};

int work_start(void)
{
    list_init(&work.quick);
    list_init(&work.slow);
    list_init(&work.finished);
    work.event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return work.event;
}

/* Called with the lock held. */
static struct job *take(void)
{
    struct list *from = NULL;
    if (!list_empty(&work.quick))
        from = &work.quick;
    else if (!list_empty(&work.slow) && work.slow_running < WORKERS_SLOW)
        from = &work.slow;
    if (!from)
        return NULL;
    struct job *j = list_entry(from->next, struct job, node);
    list_remove(&j->node);
    work.queued--;
    return j;
}

static void *worker(void *unused)
{
    (void)unused;
    pthread_mutex_lock(&work.lock);
    while (!work.ending) {
        struct job *j = take();
        if (!j) {
            work.idle++;
            pthread_cond_wait(&work.more, &work.lock);
            work.idle--;
            continue;
        }
        work.slow_running += !j->quick;
        pthread_mutex_unlock(&work.lock);
        j->run(j);
        secret_wipe_stack();
        pthread_mutex_lock(&work.lock);
        work.slow_running -= !j->quick;
        list_push_back(&work.finished, &j->node);
        uint64_t one = 1;
        if (write(work.event, &one, sizeof one) < 0 && errno != EAGAIN)
            log_error(NULL, "cannot wake the main thread: %s", strerror(errno));
    }
    pthread_mutex_unlock(&work.lock);
    return NULL;
}

/* Called with the lock held. Signals stay with the main thread. */
static void add_thread(void)
{
    sigset_t all, old;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    if (pthread_create(&work.ids[work.threads], NULL, worker, NULL) == 0)
        work.threads++;
    else if (work.threads == 0)
        log_error(NULL, "cannot make a thread: requests wait in vain");
    pthread_sigmask(SIG_SETMASK, &old, NULL);
}

void work_submit(struct job *j)
{
    list_init(&j->node);
    pthread_mutex_lock(&work.lock);
    list_push_back(j->quick ? &work.quick : &work.slow, &j->node);
    work.unfinished++;
    work.queued++;
    if (work.queued > work.idle && work.threads < WORKERS_MAX)
        add_thread();
    pthread_cond_signal(&work.more);
    pthread_mutex_unlock(&work.lock);
}

void work_collect(void)
{
    uint64_t count;
    if (read(work.event, &count, sizeof count) < 0 && errno != EAGAIN)
        log_error(NULL, "cannot read the workers' signal: %s", strerror(errno));
    for (;;) {
        pthread_mutex_lock(&work.lock);
        struct job *j = NULL;
        if (!list_empty(&work.finished)) {
            j = list_entry(work.finished.next, struct job, node);
            list_remove(&j->node);
            work.unfinished--;
        }
        pthread_mutex_unlock(&work.lock);
        if (!j)
            return;
        j->done(j);
    }
}

bool work_idle(void)
{
    pthread_mutex_lock(&work.lock);
    bool idle = work.unfinished == 0;
    pthread_mutex_unlock(&work.lock);
    return idle;
}

void work_stop(void)
{
    pthread_mutex_lock(&work.lock);
    work.ending = true;
    pthread_cond_broadcast(&work.more);
    pthread_mutex_unlock(&work.lock);
    for (unsigned i = 0; i < work.threads; i++)
        pthread_join(work.ids[i], NULL);
    work.threads = 0;
    close(work.event);
}
