"""This machine's own settings are out of the tests' reach: a test that goes wrong as root must not change the system that it runs on, nor that
person's home. raise_shield() gives this process, and all it starts, a mount namespace where they can be read only. Who is not root, or
may not have a namespace, goes on without it: a test that could do harm there asks is_up()."""

import os
import pwd
import tempfile

import agent
import sandbox


def _settings():
    """What only root may change, and what is root's own."""
    places = [os.path.realpath(place) for place in ("/etc", "/var/lib", pwd.getpwuid(0).pw_dir)]
    return [place for place in places if place != "/" and os.path.isdir(place)]


def is_up():
    """Can these tests not change the machine's settings?"""
    return not os.access("/etc", os.W_OK)


def raise_shield():
    if os.geteuid() != 0 or is_up():
        return
    try:
        sandbox.unshare(sandbox.CLONE_NEWNS)
        sandbox.private_mounts()
        settings = _settings()
        for place in (agent.build_directory(), tempfile.gettempdir()):  # where tests write, should that be in there
            if os.path.isdir(place) and any(os.path.realpath(place).startswith(one + "/") for one in settings):
                sandbox.keep_writable(place)
        for place in settings:
            sandbox.read_only(place)
    except OSError as error:
        print("note: the tests run as root, and nothing keeps them from this machine's own settings: %s" % error, flush=True)
