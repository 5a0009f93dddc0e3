"""lintian has nothing to say; in a fresh Debian the packages can be installed, work, and are gone after a purge."""

import glob
import os
import re
import shutil
import socket
import subprocess
import tempfile
import unittest

import debian
from agent import wait_until
from gates import Ntlm
from proxy import Asks, Proxy
from wire import get, once

DEB = os.environ["EXEAT_DEB"]
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def package(name):
    found = glob.glob(os.path.join(DEB, name + "_*.deb"))
    assert len(found) == 1, "%s: %s" % (name, found)
    return found[0]


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Packages(unittest.TestCase):
    @unittest.skipUnless(shutil.which("lintian"), "no lintian here")
    def test_lintian(self):
        changes = glob.glob(os.path.join(DEB, "*.changes"))
        words = ["lintian", "--fail-on", "error,warning", "--tag-display-limit", "0", *(["--allow-root"] if os.geteuid() == 0 else []), *changes]
        done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        self.assertEqual((len(changes), done.returncode, done.stdout, done.stderr), (1, 0, "", ""))

    def test_contents(self):
        """What the units start is in the package, and of the version that the package has."""
        with tempfile.TemporaryDirectory() as place:
            debian.run(["dpkg-deb", "--extract", package("exeat"), place])
            version = debian.run(["dpkg-deb", "--field", package("exeat"), "Version"]).strip()
            self.assertEqual(debian.run([os.path.join(place, "usr/bin/exeat"), "--version"]), "exeat %s\n" % version)
            for unit in ("usr/lib/systemd/user/exeat.service", "lib/systemd/system/exeat@.service"):
                with open(os.path.join(place, unit), encoding="utf-8") as file:
                    text = file.read()
                self.assertEqual(re.findall(r"^Exec\w+=(\S+)", text, re.M), ["/usr/bin/exeat"] * 2)
                self.assertNotIn("/usr/local", text)
            for name in ("usr/share/man/man1/exeat.1.gz", "usr/share/man/man5/exeat.conf.5.gz", "usr/share/bash-completion/completions/exeat",
                         "usr/share/zsh/vendor-completions/_exeat", "usr/share/fish/vendor_completions.d/exeat.fish",
                         "usr/share/doc/exeat/examples/exeat.conf", "usr/libexec/exeat/exeat-keys"):
                self.assertTrue(os.path.isfile(os.path.join(place, name)), name)
        listed = debian.run(["dpkg-deb", "--contents", package("exeat-pac")])
        self.assertIn("./usr/libexec/exeat/exeat-pac\n", listed)


class Fresh(unittest.TestCase):
    def setUp(self):
        self.root = debian.Root(os.path.dirname(DEB))
        self.addCleanup(self.root.close)

    def install(self, *names, more=()):
        for name in names:
            shutil.copy(package(name), os.path.join(self.root.path, "var/tmp"))
        self.root.run("apt-get", "install", "-y", "--no-install-recommends", *more,
                      *["/var/tmp/" + os.path.basename(package(name)) for name in names])

    def test_install_use_purge(self):
        root = self.root
        root.run("apt-get", "install", "-y", "--no-install-recommends", "gss-ntlmssp")
        self.install("exeat", "exeat-pac")
        root.run("apt-get", "purge", "-y", "exeat", "exeat-pac")  # what they depend on is there now, and stays
        root.run("useradd", "--create-home", "builder")
        before = root.files()
        self.install("exeat", "exeat-pac")
        self.assertRegex(root.run("exeat", "--version"), r"^exeat \d")
        self.use()
        root.run("exeat", "apps", "set", "apt", "--proxy", "http://127.0.0.1:3128")
        self.assertTrue(os.path.exists(os.path.join(root.path, "etc/apt/apt.conf.d/90exeat")))
        root.run("apt-get", "remove", "-y", "exeat-pac", "exeat")
        self.assertFalse(os.path.exists(os.path.join(root.path, "etc/apt/apt.conf.d/90exeat")))
        self.assertFalse(os.path.exists(os.path.join(root.path, "usr/bin/exeat")))
        root.run("apt-get", "purge", "-y", "exeat-pac", "exeat")
        self.assertNotIn("exeat", root.run("dpkg", "--list"))
        theirs = ("home/builder", "root")  # what users have of it is theirs
        after = {name for name in root.files() if not name.startswith(theirs)}
        before = {name for name in before if not name.startswith(theirs)}
        self.assertEqual((after - before, before - after), (set(), set()))

    def use(self):
        """As a user without a desktop: an agent, its keyholder with NTLM, a PAC script, a request."""
        root, port = self.root, free_port()
        with Proxy(Asks(Ntlm())) as proxy:
            root.write("/home/builder/secret", "secret\n")
            root.write("/home/builder/proxy.pac", 'function FindProxyForURL(url, host) { return "PROXY %s"; }' % proxy.address)
            root.write("/home/builder/.config/exeat/exeat.conf",
                       "[listen]\nhttp = 127.0.0.1:%d\n\n%s\n[route]\npac = ~/proxy.pac\n" %
                       (port, proxy.upstream("auth = ntlm\nuser = CORP\\alice\nsecret = file:~/secret")))
            root.run("chown", "-R", "builder:", "/home/builder")
            root.run("chmod", "600", "/home/builder/secret")
            home = {"HOME": "/home/builder"}
            as_user = {"user": "builder:builder", "env": home}
            self.assertIn(": ok", root.run("exeat", "check", **as_user))
            log = os.path.join(root.path, "var/tmp/log")
            with open(log, "wb") as file:
                agent = subprocess.Popen(root.command("exeat", "run", user="builder:builder"), stdin=subprocess.DEVNULL, stdout=file, stderr=file,
                                         env=dict(debian.CLEAN, **home))
            try:
                wait_until(lambda: agent.poll() is not None or b"ready: listening" in open(log, "rb").read(), "the agent", 60)
                self.assertIsNone(agent.poll(), open(log, encoding="utf-8").read())
                self.assertEqual(once(port, get("http://site.example/echo")).status, 200, open(log, encoding="utf-8").read())
                self.assertIn(proxy.address, root.run("exeat", "route", "http://site.example/", **as_user))
                self.assertIn("is running", root.run("exeat", "status", **as_user))
                root.run("exeat", "stop", **as_user)
                self.assertEqual(agent.wait(60), 0)
            finally:
                if agent.poll() is None:
                    agent.kill()
                    agent.wait()
                os.unlink(log)

    def test_under_systemd(self):
        """The template with a credential, and the user's units by their socket; each serves a request, is reloaded and stopped."""
        root, port, own = self.root, free_port(), free_port()
        root.run("apt-get", "install", "-y", "--no-install-recommends", "systemd", "gss-ntlmssp")
        self.install("exeat")
        root.run("useradd", "--create-home", "--uid", "1234", "builder")
        root.write("/etc/credstore/exeat.builder", "secret\n", 0o600)
        root.write("/home/builder/secret", "secret\n", 0o644)
        root.write("/etc/systemd/user/exeat.socket.d/own.conf", "[Socket]\nListenStream=\nListenStream=127.0.0.1:%d\n" % own)
        root.write("/etc/systemd/system/of-user.service", "[Service]\nType=notify\nUser=builder\nDelegate=yes\nRuntimeDirectory=user/1234\n"
                   "Environment=XDG_RUNTIME_DIR=/run/user/1234 XDG_CONFIG_HOME=/etc/xdg-of-user\nExecStart=/lib/systemd/systemd --user\n")
        script = """
set -x
systemctl start exeat@builder
systemctl is-active exeat@builder
systemctl reload exeat@builder
export XDG_RUNTIME_DIR=/run/exeat/builder
setpriv --reuid builder --regid builder --clear-groups exeat status | tee /dev/stderr | grep 'writes no files'
systemctl start of-user
export XDG_RUNTIME_DIR=/run/user/1234
setpriv --reuid builder --regid builder --clear-groups systemctl --user start exeat.socket
meet
setpriv --reuid builder --regid builder --clear-groups bash -ex <<'END'
systemctl --user is-active exeat.service
systemctl --user reload exeat.service
systemctl --user stop exeat.service
systemctl --user show -p Result exeat.service | grep Result=success
END
systemctl stop exeat@builder
systemctl show -p Result exeat@builder | grep Result=success
"""
        with Proxy(Asks(Ntlm())) as proxy:
            text = proxy.upstream("auth = ntlm\nuser = CORP\\alice\nsecret = %s")
            root.write("/etc/exeat/exeat.conf", "[listen]\nhttp = 127.0.0.1:%d\n\n" % port + text % "credential:proxy-password")
            root.write("/etc/xdg-of-user/exeat/exeat.conf", text % "file:/home/builder/secret")
            with root.booted(script):
                for one in (port, own):
                    self.assertEqual(once(one, get("http://site.example/echo")).status, 200)
