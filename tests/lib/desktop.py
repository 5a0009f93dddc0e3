"""A login session's Secret Service without a desktop: a bus of its own and gnome-keyring on it, unlocked, in a private directory."""

import os
import shutil
import subprocess
import tempfile

from agent import wait_until


class Keyring:
    """with Keyring() as keyring: agent_for(..., env=keyring.env)"""

    def __enter__(self):
        self.folder = tempfile.mkdtemp(prefix="keyring-")
        os.mkdir(self.folder + "/runtime", 0o700)
        self._processes = []
        environment = {"PATH": os.environ["PATH"], "HOME": self.folder, "XDG_RUNTIME_DIR": self.folder + "/runtime", "LANG": "C.UTF-8"}
        bus = subprocess.Popen(["dbus-daemon", "--session", "--nofork", "--nopidfile", "--print-address=1",
                                "--address=unix:path=%s/bus" % self.folder], env=environment, stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self._processes.append(bus)
        address = bus.stdout.readline().strip()
        self.env = {"DBUS_SESSION_BUS_ADDRESS": address}
        self._session = dict(environment, **self.env)
        daemon = subprocess.Popen(["gnome-keyring-daemon", "--unlock", "--foreground", "--components=secrets"], env=self._session,
                                  stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, text=True)
        self._processes.append(daemon)
        daemon.stdin.write("pw")
        daemon.stdin.close()
        wait_until(self._serves, "gnome-keyring")
        return self

    def _call(self, *words, to="org.freedesktop.secrets"):
        return subprocess.run(["dbus-send", "--session", "--print-reply", "--dest=" + to, *words], env=self._session, check=False,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)

    def _serves(self):
        """The login collection is there and unlocked. Whether the name is taken is asked first: a call to a name that is not would make the
        bus start a second daemon, a locked one."""
        owned = self._call("/", "org.freedesktop.DBus.NameHasOwner", "string:org.freedesktop.secrets", to="org.freedesktop.DBus")
        if "boolean true" not in owned.stdout:
            return False
        answer = self._call("/org/freedesktop/secrets/aliases/default", "org.freedesktop.DBus.Properties.Get",
                            "string:org.freedesktop.Secret.Collection", "string:Locked")
        return answer.returncode == 0 and "boolean false" in answer.stdout

    def items(self):
        """How many secrets it holds for us."""
        answer = self._call("/org/freedesktop/secrets", "org.freedesktop.Secret.Service.SearchItems", "dict:string:string:application,exeat")
        if answer.returncode != 0:
            raise AssertionError("the keyring does not answer")
        return answer.stdout.count("object path")

    def store(self, upstream, user, password):
        """What `exeat login` would leave here."""
        subprocess.run(["secret-tool", "store", "--label=exeat", "xdg:schema", "net.exeat.Password", "application", "exeat", "upstream", upstream,
                        "user", user], input=password, text=True, check=True, env=self._session)

    def lock(self):
        self._call("/org/freedesktop/secrets", "org.freedesktop.Secret.Service.Lock",
                   "array:objpath:/org/freedesktop/secrets/aliases/default")

    def __exit__(self, *_):
        for process in reversed(self._processes):
            process.terminate()
        for process in self._processes:
            process.wait(30)
            if process.stdout:
                process.stdout.close()
        shutil.rmtree(self.folder, ignore_errors=True)
