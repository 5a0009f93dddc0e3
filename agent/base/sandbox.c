/*
 * The only home of libseccomp and of Landlock's system calls. Both lists are of what is forbidden, since libraries that we load (name
 * services, Kerberos plugins, keyrings) do much that we do not know; what a library asks for and is not given fails with EPERM or EACCES, and
 * kills nothing. The names are looked up in libseccomp's tables, which know the kernel's calls of many years: those that it does not know
 * (an old library, another processor) are left out.
 */
#include "base/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <sched.h>
#include <seccomp.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/log.h"

/* Reports of leaks are made by a tracer of the sanitizer's own. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define TRACED_BY_SANITIZER 1
#else
#define TRACED_BY_SANITIZER 0
#endif

/* --- system calls --- */

static const char *const denied[] = {
    /* other programs */
    "execve", "execveat",
    /* other processes' memory and descriptors */
    "process_vm_readv", "process_vm_writev", "process_madvise", "pidfd_getfd", "kcmp",
    /* the kernel's other doors */
    "bpf", "perf_event_open", "userfaultfd", "io_uring_setup", "io_uring_enter", "io_uring_register",
    "kexec_load", "kexec_file_load", "init_module", "finit_module", "delete_module", "lookup_dcookie",
    "open_by_handle_at", "modify_ldt", "vm86", "vm86old", "iopl", "ioperm", "fanotify_init",
    /* another world */
    "mount", "mount_setattr", "umount", "umount2", "move_mount", "open_tree", "fsopen", "fsconfig", "fsmount",
    "fspick", "pivot_root", "chroot", "unshare", "setns",
    /* another user */
    "setuid", "setuid32", "setgid", "setgid32", "setreuid", "setreuid32", "setregid", "setregid32",
    "setresuid", "setresuid32", "setresgid", "setresgid32", "setfsuid", "setfsuid32", "setfsgid",
    "setfsgid32", "setgroups", "setgroups32", "capset",
    /* the computer's affairs */
    "reboot", "swapon", "swapoff", "acct", "quotactl", "quotactl_fd", "syslog", "settimeofday",
    "clock_settime", "clock_settime64", "clock_adjtime", "clock_adjtime64", "adjtimex", "stime",
    "sethostname", "setdomainname", "vhangup"};

static const char *const denied_without_keyrings[] = {"add_key", "keyctl", "request_key"};

#define NAMESPACES                                                                                           \
    (CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS |               \
     CLONE_NEWCGROUP)
#ifdef __s390__
#define CLONE_FLAGS 1 /* the argument that has them */
#else
#define CLONE_FLAGS 0
#endif

static bool deny(scmp_filter_ctx filter, const char *name)
{
    int call = seccomp_syscall_resolve_name(name);
    return call == __NR_SCMP_ERROR || seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), call, 0) == 0;
}

static bool deny_all(scmp_filter_ctx filter, const char *const *names, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!deny(filter, names[i]))
            return false;
    return true;
}

/* Of some calls only certain forms. */
static bool deny_forms(scmp_filter_ctx filter)
{
    static const unsigned long typing[] = {TIOCSTI,
                                           TIOCLINUX}; /* into the terminal that we were started from */
    bool good = true;
    for (size_t i = 0; i < sizeof typing / sizeof *typing; i++)
        good = good && seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(ioctl), 1,
                                        SCMP_A1(SCMP_CMP_MASKED_EQ, 0xffffffffu, typing[i])) == 0;
    good = good && seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(socket), 1,
                                    SCMP_A0(SCMP_CMP_MASKED_EQ, 0xffffffffu, AF_PACKET)) == 0;
    for (unsigned bit = 0; bit < 32; bit++) {
        uint64_t flag = NAMESPACES & (uint64_t)1 << bit;
        if (flag)
            good = good && seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(clone), 1,
                                            SCMP_CMP(CLONE_FLAGS, SCMP_CMP_MASKED_EQ, flag, flag)) == 0;
    }
    /* Its flags are in memory, where no filter sees them; whoever makes a thread asks for clone then. */
    int clone3 = seccomp_syscall_resolve_name("clone3");
    return good &&
           (clone3 == __NR_SCMP_ERROR || seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), clone3, 0) == 0);
}

#define COUNT(list) (sizeof(list) / sizeof *(list))

static bool fill(scmp_filter_ctx filter, const struct sandbox_wish *w)
{
    return seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_ERRNO(EPERM)) == 0 &&
           deny_all(filter, denied, COUNT(denied)) && (TRACED_BY_SANITIZER || deny(filter, "ptrace")) &&
           (w->keyrings || deny_all(filter, denied_without_keyrings, COUNT(denied_without_keyrings))) &&
           (w->serves || deny(filter, "listen")) && deny_forms(filter);
}

static bool restrict_calls(const struct sandbox_wish *w)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
    if (!filter)
        return false;
    seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2); /* a tree; old libraries have only the list */
    seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);
    int error = fill(filter, w) ? seccomp_load(filter) : -EINVAL;
    if (error)
        log_debug(NULL, "no list of denied system calls: %s", strerror(-error));
    seccomp_release(filter);
    return error == 0;
}

/* --- files --- */

/* Our own, since the header may be older than the kernel. */
struct ruleset {
    uint64_t files, network, scopes;
};

static const size_t ruleset_bytes[] = {[1] = 8, [2] = 8, [3] = 8, [4] = 16, [5] = 16, [6] = 24};
#define VERSION_KNOWN 6

#define CHANGE_FILES  0x1ff3u /* version 1: write, execute, remove, make all kinds */
#define MAKE_SOCKET   (1u << 9)
#define MAKE_FILE     (1u << 8)
#define REMOVE_FILE   (1u << 5)
#define WRITE_FILE    (1u << 1)
#define MOVE          (1u << 13) /* 2 */
#define TRUNCATE      (1u << 14) /* 3 */
#define DEVICE_IOCTL  (1u << 15) /* 5 */
#define SCOPE_SIGNALS (1u << 1)  /* 6 */

static uint64_t files_known(int version)
{
    return CHANGE_FILES | (version >= 2 ? MOVE : 0) | (version >= 3 ? TRUNCATE : 0) |
           (version >= 5 ? DEVICE_IOCTL : 0);
}

static void allow(int ruleset, const char *path, uint64_t what)
{
    struct landlock_path_beneath_attr rule = {.allowed_access = what,
                                              .parent_fd = open(path, O_PATH | O_CLOEXEC)};
    if (rule.parent_fd < 0 ||
        syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) != 0)
        log_debug(NULL, "%s cannot be left open for writing: %s", path, strerror(errno));
    if (rule.parent_fd >= 0)
        close(rule.parent_fd);
}

/* The version that holds from now on; 0: none. */
static int restrict_files(const struct sandbox_wish *w)
{
    int version = (int)syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    if (version <= 0)
        return 0;
    if (version > VERSION_KNOWN)
        version = VERSION_KNOWN;
    struct ruleset rules = {.files = files_known(version), .scopes = version >= 6 ? SCOPE_SIGNALS : 0};
    int ruleset = (int)syscall(SYS_landlock_create_ruleset, &rules, ruleset_bytes[version], 0);
    if (ruleset < 0)
        return 0;
    for (size_t i = 0; i < w->n; i++)
        allow(ruleset, w->directories[i], MAKE_SOCKET | REMOVE_FILE);
    if (w->writable)
        allow(ruleset, w->writable, (MAKE_FILE | WRITE_FILE | REMOVE_FILE | TRUNCATE) & files_known(version));
    if (w->log)
        allow(ruleset, w->log, MAKE_FILE | WRITE_FILE);
    allow(ruleset, "/dev/null", WRITE_FILE);
#ifdef EXEAT_COVERAGE
    allow(ruleset, EXEAT_COVERAGE, files_known(version));
#endif
    bool holds = syscall(SYS_landlock_restrict_self, ruleset, 0) == 0;
    close(ruleset);
    return holds ? version : 0;
}

/* --- both --- */

struct sandbox_state sandbox_enter(const struct sandbox_wish *w)
{
    struct sandbox_state s = {.logs = w->log != NULL};
    s.no_new_privileges = prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;
    if (!w->files)
        s.landlock = restrict_files(w);
    s.calls = restrict_calls(w); /* the last: from now on less can be set up */
    return s;
}

void sandbox_describe(const struct sandbox_state *s, struct buf *out)
{
    buf_add_str(out, s->calls ? "starts no programs" : "not kept from starting programs (no seccomp)");
    buf_add_str(out, s->no_new_privileges ? ", gains no privileges" : ", not kept from gaining privileges");
    if (s->landlock)
        buf_addf(out, ", writes no files%s (Landlock version %d)", s->logs ? " but its log of requests" : "",
                 s->landlock);
}
