"""A network of one's own, for tests that change it: root only.

    with network.private():
        ... sockets and processes made in here (by this thread and those that it starts) see a loopback interface and nothing else ..."""

import contextlib
import ctypes
import os
import subprocess

_CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)


def _check(result, what):
    if result != 0:
        raise OSError(ctypes.get_errno(), what)


def ip(*words):
    subprocess.run(("ip",) + words, check=True, stdin=subprocess.DEVNULL, capture_output=True)


@contextlib.contextmanager
def private():
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    try:
        _check(_libc.unshare(_CLONE_NEWNET), "unshare")
        try:
            ip("link", "set", "lo", "up")
            yield
        finally:
            _check(_libc.setns(home, _CLONE_NEWNET), "setns")
    finally:
        os.close(home)
