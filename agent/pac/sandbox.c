/*
 * The sandbox of exeat-pac; the only room that knows libseccomp. The list is what JavaScriptCore needs to run and to collect garbage, found out by
 * trying; a call that is missing fails, it does not kill, so that another version of the engine or of the C library loses a
 * convenience at most. Memory is bounded by the agent, which watches: the engine reserves far more address space than it uses, so that
 * RLIMIT_AS cannot.
 */
#include "pac/sandbox.h"

#include <errno.h>
#include <limits.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/buf.h"

/* A condition on an argument: what is left of it under the mask is the value. */
#define EQUALS(number, value)                                                                                \
    {                                                                                                        \
        .arg = (number), .op = SCMP_CMP_EQ, .datum_a = (value)                                               \
    }
#define MASKED(number, mask, value)                                                                          \
    {                                                                                                        \
        .arg = (number), .op = SCMP_CMP_MASKED_EQ, .datum_a = (mask), .datum_b = (value)                     \
    }

/* At most two conditions on arguments; all must hold. */
static const struct rule {
    int call;
    unsigned n;
    struct scmp_arg_cmp args[2];
} rules[] = {
    /* the conversation, and the log */
    {SCMP_SYS(read), 0, {{0}}},
    {SCMP_SYS(write), 0, {{0}}},
    {SCMP_SYS(poll), 0, {{0}}},
    {SCMP_SYS(exit), 0, {{0}}},
    {SCMP_SYS(exit_group), 0, {{0}}},
    /* memory; none that can be run */
    {SCMP_SYS(brk), 0, {{0}}},
    {SCMP_SYS(mmap), 1, {MASKED(2, PROT_EXEC, 0)}},
    {SCMP_SYS(mprotect), 1, {MASKED(2, PROT_EXEC, 0)}},
    {SCMP_SYS(munmap), 0, {{0}}},
    {SCMP_SYS(mremap), 0, {{0}}},
    {SCMP_SYS(madvise), 0, {{0}}},
    /* threads, and how they wait for each other: the collector has some, and starts more when there is much to collect */
    {SCMP_SYS(futex), 0, {{0}}},
    {SCMP_SYS(clone), 1, {MASKED(0, CLONE_THREAD, CLONE_THREAD)}},
    {SCMP_SYS(prctl), 1, {EQUALS(0, PR_SET_NAME)}},
    {SCMP_SYS(rseq), 0, {{0}}},
    {SCMP_SYS(set_robust_list), 0, {{0}}},
    {SCMP_SYS(sched_yield), 0, {{0}}},
    {SCMP_SYS(sched_getaffinity), 0, {{0}}},
    {SCMP_SYS(rt_sigprocmask), 0, {{0}}},
    {SCMP_SYS(rt_sigreturn), 0, {{0}}},
    {SCMP_SYS(rt_sigsuspend), 0, {{0}}}, /* without it a thread that is stopped by the collector spins */
    {SCMP_SYS(sigaltstack), 0, {{0}}},   /* sanitizers end threads with it */
    {SCMP_SYS(getpid), 0, {{0}}},
    {SCMP_SYS(gettid), 0, {{0}}},
    /* clocks */
    {SCMP_SYS(clock_gettime), 0, {{0}}},
    {SCMP_SYS(gettimeofday), 0, {{0}}},
    {SCMP_SYS(nanosleep), 0, {{0}}},
    {SCMP_SYS(clock_nanosleep), 0, {{0}}},
    /* what the engine asks about itself and the machine */
    {SCMP_SYS(getrandom), 0, {{0}}},
    {SCMP_SYS(getrusage), 0, {{0}}},
    {SCMP_SYS(sysinfo), 0, {{0}}},
    {SCMP_SYS(pread64), 0, {{0}}}, /* how much memory it has, from a descriptor that it keeps */
    /* sandbox_allow_time */
    {SCMP_SYS(prlimit64), 2, {EQUALS(0, 0), EQUALS(1, RLIMIT_CPU)}},
};

/* By name: asked again in the sandbox, the engine could not look where the link leads. NULL: it has no name. */
static char *time_zone(void)
{
    static const char within[] = "/zoneinfo/";
    char path[PATH_MAX];
    if (getenv("TZ"))
        return mem_strdup(getenv("TZ"));
    ssize_t n = readlink("/etc/localtime", path, sizeof path - 1);
    if (n < 0)
        return errno == ENOENT ? mem_strdup("UTC") : NULL;
    path[n] = '\0';
    const char *name = strstr(path, within);
    return name ? mem_strdup(name + sizeof within - 1) : NULL;
}

bool sandbox_prepare(int last, struct err *e)
{
    const struct rlimit no_core = {0, 0};
    char *zone = time_zone();
    clearenv();
    setenv("LC_ALL", "C.UTF-8", 1); /* the engine does not survive an environment with nothing in it */
    if (zone)
        setenv("TZ", zone, 1);
    free(zone);
    signal(SIGPIPE, SIG_IGN);
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || setrlimit(RLIMIT_CORE, &no_core) < 0 ||
        close_range((unsigned)last + 1, ~0U, 0) < 0)
        return err_errno(e, ERR_SYSTEM, errno, "cannot prepare the sandbox");
    return true;
}

/* Only to threads of our own: the engine stops them by a signal while it looks at their stacks. */
static int allow_own_signals(scmp_filter_ctx filter)
{
    const struct scmp_arg_cmp to_us[] = {EQUALS(0, (scmp_datum_t)getpid())};
    return seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1, to_us);
}

static int fill(scmp_filter_ctx filter)
{
    int error = seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);
    for (size_t i = 0; i < sizeof rules / sizeof *rules && !error; i++)
        error = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, rules[i].call, rules[i].n, rules[i].args);
    /* What clone3 is asked for stands in memory, where no filter looks: it could be a process, which would outlive us. The C library takes clone
       where the kernel has no clone3. */
    if (!error)
        error = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
    return error ? error : allow_own_signals(filter);
}

bool sandbox_close(struct err *e)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
    int error = filter ? fill(filter) : -ENOMEM;
    if (!error)
        error = seccomp_load(filter);
    if (filter)
        seccomp_release(filter);
    return !error || err_errno(e, ERR_SYSTEM, -error, "this kernel cannot close the sandbox");
}

void sandbox_allow_time(unsigned seconds)
{
    struct rusage used;
    struct rlimit limit;
    if (getrusage(RUSAGE_SELF, &used) < 0 || getrlimit(RLIMIT_CPU, &limit) < 0)
        return;
    limit.rlim_cur = (rlim_t)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) + 1 + seconds;
    if (limit.rlim_max != RLIM_INFINITY && limit.rlim_cur > limit.rlim_max)
        limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_CPU, &limit);
}
