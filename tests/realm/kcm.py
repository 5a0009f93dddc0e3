"""A credential cache daemon of the client side's own: sssd's KCM on its usual socket, in directories that only the lab sees."""

import os
import subprocess

import sandbox
import world
from agent import wait_until

SOCKET = "/run/.heim_org.h5l.kcm-socket"
_started = None


def start():
    """Once for all tests; it ends with the lab."""
    global _started
    if _started is None:
        for folder in ("/etc/sssd", "/var/lib/sss", "/var/log/sssd"):
            sandbox.mount_tmpfs(folder)
        for folder in ("secrets", "db", "mc", "pipes/private"):
            os.makedirs("/var/lib/sss/" + folder)
        with open(os.open("/etc/sssd/sssd.conf", os.O_WRONLY | os.O_CREAT, 0o600), "w") as conf:
            conf.write("[kcm]\n")
        with open(world.LOGS + "/kcm.stdout", "w") as log:
            _started = subprocess.Popen(["/usr/libexec/sssd/sssd_kcm", "--uid", "0", "--gid", "0", "--logger=stderr"],
                                        stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        wait_until(lambda: os.path.exists(SOCKET), "the KCM daemon")
