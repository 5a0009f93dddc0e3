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


def _here():
    return os.open("/proc/thread-self/ns/net", os.O_RDONLY)


@contextlib.contextmanager
def inside(place):
    """For the block this thread, and what it makes, is in that network."""
    home = _here()
    try:
        _check(_libc.setns(place, _CLONE_NEWNET), "setns")
        try:
            yield
        finally:
            _check(_libc.setns(home, _CLONE_NEWNET), "setns")
    finally:
        os.close(home)


NEAR, FAR = "192.0.2.1", "192.0.2.2"


@contextlib.contextmanager
def joined():
    """Two networks of one's own, joined by a cable: the block is in the near one, whose end is `eth0` and has the address NEAR. Gives the far
    one, for inside(); its end has the address FAR."""
    with private():
        far = _here()
        try:
            with private():
                ip("link", "add", "eth0", "type", "veth", "peer", "name", "eth0", "netns", "/proc/%d/fd/%d" % (os.getpid(), far))
                ip("address", "add", NEAR + "/24", "dev", "eth0")
                with inside(far):
                    ip("address", "add", FAR + "/24", "dev", "eth0")
                    ip("link", "set", "eth0", "up")
                ip("link", "set", "eth0", "up")
                yield far
        finally:
            os.close(far)
