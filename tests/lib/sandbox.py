"""Namespaces, mounts and the deaths of processes, straight from the C library: the lab lives in namespaces that end with their processes,
so whatever way a run of the tests ends (finished, Ctrl-C, SIGKILL), the kernel itself removes its daemons, links, mounts and files.

    outer process             waits; when it dies the kernel kills...
      init of the client side      pid 1 of a pid namespace; everything below dies with it
        the tests                  in the same network, mount, UTS and IPC namespace
        init of the server side    pid 1 of a pid namespace of its own, and its own network, mounts, host name
          daemons
"""

import ctypes
import os
import signal
import sys

_libc = ctypes.CDLL(None, use_errno=True)

CLONE_NEWNS, CLONE_NEWUTS, CLONE_NEWIPC = 0x00020000, 0x04000000, 0x08000000
CLONE_NEWPID, CLONE_NEWNET = 0x20000000, 0x40000000
SIDE = CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWNET

_MS_REC, _MS_BIND, _MS_PRIVATE, _MS_NOSUID, _MS_NODEV, _MS_NOEXEC = 16384, 4096, 1 << 18, 2, 4, 8
_MS_RDONLY, _MS_REMOUNT = 1, 32
_PR_SET_PDEATHSIG = 1


def _check(result, what):
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, "%s: %s" % (what, os.strerror(number)))


def unshare(flags):
    _check(_libc.unshare(flags), "unshare")


def mount(source, target, kind, flags=0, options=""):
    _check(_libc.mount(source.encode(), target.encode(), kind.encode(), ctypes.c_ulong(flags), options.encode()),
           "mount %s on %s" % (source, target))


def private_mounts():
    """From now on no mount of ours is seen outside, and none from outside here."""
    mount("none", "/", "none", _MS_REC | _MS_PRIVATE)


def mount_tmpfs(target, options="mode=0755"):
    mount("tmpfs", target, "tmpfs", _MS_NOSUID, options)


def mount_proc():
    mount("proc", "/proc", "proc", _MS_NOSUID | _MS_NODEV | _MS_NOEXEC)


def bind(source, target):
    """`source` is what this mount namespace sees as `target`. A link into /run, which is empty and ours, gets a file to point to."""
    target = os.path.realpath(target)
    if not os.path.exists(target) and target.startswith("/run/"):
        os.makedirs(os.path.dirname(target), exist_ok=True)
        with open(target, "w"):
            pass
    mount(source, target, "none", _MS_BIND)


def keep_writable(target):
    """Makes that directory a mount of its own, which read_only() of one above it leaves alone."""
    mount(target, target, "none", _MS_BIND | _MS_REC)


def read_only(target):
    """Nobody of this mount namespace changes what is below that directory any more, except in what is mounted there already."""
    mount(target, target, "none", _MS_BIND | _MS_REC)
    as_before = os.statvfs(target).f_flag & (_MS_NOSUID | _MS_NODEV | _MS_NOEXEC)
    mount("none", target, "none", _MS_REMOUNT | _MS_BIND | _MS_RDONLY | as_before)


def set_host_name(name):
    _check(_libc.sethostname(name.encode(), len(name)), "sethostname")


def die_with_parent():
    """The kernel kills this process when the thread that made it is gone."""
    parent = os.getppid()
    _check(_libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0), "prctl")
    if os.getppid() != parent:
        os._exit(1)


def run_child(work):
    """Forks; the child runs work() and ends with its answer as exit status. Returns the pid."""
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        status = work() or 0
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else 1
    except KeyboardInterrupt:
        status = 130
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        try:
            sys.stdout.flush()
            sys.stderr.flush()
        finally:
            os._exit(status)


def exit_status(wait_status):
    code = os.waitstatus_to_exitcode(wait_status)
    return code if code >= 0 else 128 - code


def init(work):
    """As pid 1 of a new pid namespace: runs work() in a child, collects every orphan, and returns the child's status."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)

    def child():
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
        return work()

    pid = run_child(child)
    while True:
        done, status = os.wait()
        if done == pid:
            return exit_status(status)


def in_new_namespaces(flags, work):
    """Runs work() as a child of the first process of new namespaces (flags, and a pid namespace); returns the pid of that first process
    as seen from here. It dies with the caller, and everything in it with that."""
    ready, tell = os.pipe()

    def middle():
        # The pid namespace begins with the first child after unshare(); this process stays outside and only waits.
        die_with_parent()
        unshare(flags | CLONE_NEWPID)

        def first():
            die_with_parent()
            private_mounts()
            mount_proc()
            os.close(tell)
            return init(work)

        pid = run_child(first)
        os.write(tell, b"%d" % pid)
        os.close(tell)
        for number in (signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        return exit_status(os.waitpid(pid, 0)[1])

    pid = run_child(middle)
    os.close(tell)
    first = os.read(ready, 20)
    os.close(ready)
    if not first:
        raise OSError("no new namespaces: are we root?")
    return pid, int(first)
