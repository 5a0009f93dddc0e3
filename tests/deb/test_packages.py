"""lintian has nothing to say; in a fresh Debian the packages can be installed, work, and are gone after a purge."""

import base64
import glob
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import unittest

import debian
from agent import wait_until
from gates import Ntlm
from proxy import Asks, Proxy
from wire import get, once

DEB = os.environ["EXEAT_DEB"]
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


KINDS = "{on,off,direct,busy,problem}-{symbolic,light,dark}"
# Each package's files, besides what every package has in usr/share/doc.
CONTENTS = {
    "exeat": ["usr/bin/exeat", "usr/libexec/exeat/exeat-keys", "lib/systemd/system/exeat@.service", "usr/lib/systemd/user/exeat.{service,socket}",
              "usr/share/man/man1/exeat.1.gz", "usr/share/man/man5/exeat.conf.5.gz", "usr/share/bash-completion/completions/exeat",
              "usr/share/zsh/vendor-completions/_exeat", "usr/share/fish/vendor_completions.d/exeat.fish",
              "usr/share/doc/exeat/{README,coming-from}.md.gz", "usr/share/doc/exeat/examples/{exeat.conf,Containerfile,haproxy.cfg,kubernetes.yaml}"],
    "exeat-pac": ["usr/libexec/exeat/exeat-pac"],
    "exeat-tray": ["usr/bin/exeat-tray", "etc/xdg/autostart/exeat-tray.desktop", "usr/share/applications/exeat-tray.desktop",
                   "usr/lib/systemd/user/exeat-tray.service", "usr/share/icons/hicolor/scalable/apps/exeat-%s.svg" % KINDS,
                   "usr/share/man/man1/exeat-tray.1.gz", "usr/share/bash-completion/completions/exeat-tray",
                   "usr/share/zsh/vendor-completions/_exeat-tray", "usr/share/fish/vendor_completions.d/exeat-tray.fish"],
}


def braces(text):
    """As a shell does with a{b,c}."""
    match = re.search(r"\{(.*?)\}", text)
    if not match:
        return [text]
    return [one for word in match[1].split(",") for one in braces(text.replace(match[0], word, 1))]


def package(name):
    found = glob.glob(os.path.join(DEB, name + "_*.deb"))
    assert len(found) == 1, "%s: %s" % (name, found)
    return found[0]


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


# What runs under systemd in there; at "meet" the test does its part. The shell ends at the first command that fails.
UNDER_SYSTEMD = """
user() { XDG_RUNTIME_DIR=/run/user/1234 setpriv --reuid builder --regid builder --clear-groups "$@"; }
# until WORD COMMAND...: until its output has the word
until_says() { for _ in $(seq 600); do "${@:2}" 2>/dev/null | grep -q -- "$1" && return; sleep 0.1; done; "${@:2}"; return 1; }
icon() { user busctl --user get-property net.exeat.Tray /StatusNotifierItem org.kde.StatusNotifierItem IconName; }
set -x
systemctl enable --now exeat@builder
systemctl is-active exeat@builder
systemctl reload exeat@builder
export XDG_RUNTIME_DIR=/run/exeat/builder
setpriv --reuid builder --regid builder --clear-groups exeat status | tee /dev/stderr | grep 'writes no files'
systemctl start dbus.socket user@1234
user systemctl --user start exeat.socket
meet
user systemctl --user is-active exeat.service
user systemctl --user reload exeat.service
user systemctl --user stop exeat.service
user systemctl --user show -p Result exeat.service | grep Result=success

: the tray starts the agent by its unit, and shows how that stands
user systemctl --user start exeat-tray.service
user systemctl --user is-active exeat-tray.service
until_says exeat-on-symbolic icon
user systemctl --user is-active exeat.service
user exeat off
until_says exeat-off-symbolic icon
user exeat on
until_says exeat-on-symbolic icon
: another one, as the autostart entry starts it, ends at once
user env DBUS_SESSION_BUS_ADDRESS=unix:path=/run/user/1234/bus exeat-tray 2>&1 | grep 'it is running already'

: an upgrade of exeat alone
before=$(systemctl show -p MainPID exeat@builder)
tray=$(user systemctl --user show -p MainPID exeat-tray.service)
dpkg -i NEWER
systemctl is-active exeat@builder
[[ $(systemctl show -p MainPID exeat@builder) != "$before" ]]
[[ $(user systemctl --user show -p MainPID exeat-tray.service) == "$tray" ]]
dpkg --status exeat | grep 'Version: .*later1'
dpkg --status exeat-tray | grep 'Status: install ok installed'
user exeat status | grep 'is running'

: what runs is stopped before its program is taken away
dpkg --remove exeat-tray exeat
for unit in exeat-tray.service exeat.service exeat.socket; do
    user systemctl --user show -p ActiveState $unit | grep ActiveState=inactive
done
systemctl show -p ActiveState exeat@builder | grep ActiveState=inactive
systemctl show -p Result exeat@builder | grep Result=success
[[ -L /etc/systemd/system/multi-user.target.wants/exeat@builder.service ]]
dpkg --purge exeat-tray exeat
[[ ! -L /etc/systemd/system/multi-user.target.wants/exeat@builder.service ]]
[[ ! -e /etc/exeat && ! -e /var/lib/exeat && ! -e /run/exeat/builder ]]
"""


class Packages(unittest.TestCase):
    @unittest.skipUnless(shutil.which("lintian"), "no lintian here")
    def test_lintian(self):
        changes = glob.glob(os.path.join(DEB, "*.changes"))
        words = ["lintian", "--fail-on", "error,warning", "--tag-display-limit", "0", *(["--allow-root"] if os.geteuid() == 0 else []), *changes]
        done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        self.assertEqual((len(changes), done.returncode, done.stdout, done.stderr), (1, 0, "", ""))

    def extracted(self, *names):
        place = tempfile.mkdtemp(prefix="exeat-deb-")
        self.addCleanup(shutil.rmtree, place)
        for name in names:
            debian.run(["dpkg-deb", "--extract", package(name), place])
        return place

    def test_contents(self):
        """Each file is in the package that it belongs to, and nothing else is there."""
        for name, wanted in CONTENTS.items():
            with self.subTest(package=name):
                place = self.extracted(name)
                found = {os.path.relpath(os.path.join(folder, file), place) for folder, _, files in os.walk(place) for file in files}
                common = {"usr/share/doc/%s/%s" % (name, file) for file in ("changelog.gz", "copyright")}
                self.assertEqual(found, common | {path for line in wanted for path in braces(line)})
                listed = debian.run(["dpkg-deb", "--info", package(name)])
                self.assertEqual("conffiles" in listed, name == "exeat-tray")
                for path in found:
                    with open(os.path.join(place, path), "rb") as file:
                        content = file.read()
                    for here in (DEB, ROOT, os.path.realpath(ROOT)):
                        self.assertNotIn(here.encode(), content, path)

    def test_programs_and_what_starts_them(self):
        place = self.extracted("exeat", "exeat-pac", "exeat-tray")

        def read(name):
            with open(os.path.join(place, name), encoding="utf-8") as file:
                return file.read()
        version = debian.run(["dpkg-deb", "--field", package("exeat"), "Version"]).strip()
        for program in ("exeat", "exeat-tray"):
            self.assertEqual(debian.run([os.path.join(place, "usr/bin", program), "--version"]), "%s %s\n" % (program, version))
        for name, pattern, starts in (("usr/lib/systemd/user/exeat.service", r"^Exec\w+=(\S+)", ["/usr/bin/exeat"] * 2),
                                      ("lib/systemd/system/exeat@.service", r"^Exec\w+=(\S+)", ["/usr/bin/exeat"] * 2),
                                      ("usr/lib/systemd/user/exeat-tray.service", r"^Exec\w+=(\S+)", ["/usr/bin/exeat-tray"]),
                                      ("usr/share/applications/exeat-tray.desktop", r"^(?:Try)?Exec=(.*)", ["/usr/bin/exeat-tray"] * 2),
                                      ("etc/xdg/autostart/exeat-tray.desktop", r"^(?:Try)?Exec=(.*)", ["/usr/bin/exeat-tray"] * 2)):
            self.assertEqual(re.findall(pattern, read(name), re.M), starts)
            self.assertNotIn("/usr/local", read(name))
        icon = re.search(r"^Icon=(.*)", read("usr/share/applications/exeat-tray.desktop"), re.M)[1]
        self.assertTrue(os.path.exists(os.path.join(place, "usr/share/icons/hicolor/scalable/apps", icon + ".svg")))
        with open(os.path.join(ROOT, "LICENSE"), encoding="utf-8") as file:
            terms = file.read().split("\n\n", 2)
        flat = re.sub(r"(?m)^ ?\.?", "", read("usr/share/doc/exeat/copyright"))
        self.assertIn(" ".join(terms[2].split()), " ".join(flat.split()))
        self.assertIn(terms[1].strip().replace("Copyright (c)", "Copyright:"), flat)

    @unittest.skipUnless(shutil.which("desktop-file-validate"), "no desktop-file-validate here")
    def test_desktop_files(self):
        place = self.extracted("exeat-tray")
        for name in ("usr/share/applications/exeat-tray.desktop", "etc/xdg/autostart/exeat-tray.desktop"):
            self.assertEqual(debian.run(["desktop-file-validate", os.path.join(place, name)]), "")

    @unittest.skipUnless(shutil.which("systemd-analyze"), "no systemd-analyze here")
    def test_how_far_the_template_is_shut_in(self):
        """systemd's own mark for it, from 0 to 10 (here times 10), is better than "medium"."""
        unit = os.path.join(self.extracted("exeat"), "lib/systemd/system/exeat@.service")
        self.assertIn(" OK", debian.run(["systemd-analyze", "security", "--offline=true", "--no-pager", "--threshold=25", unit]))

    def test_on_a_panel(self):
        """The packaged programs under Xvfb, with a real panel: the tray's own test."""
        place, programs = self.extracted("exeat", "exeat-tray"), tempfile.mkdtemp(prefix="exeat-deb-")
        self.addCleanup(shutil.rmtree, programs)
        for name in ("usr/bin/exeat", "usr/bin/exeat-tray", "usr/libexec/exeat/exeat-keys", "usr/share/icons"):
            shutil.move(os.path.join(place, name), programs)
        said = debian.run([sys.executable, os.path.join(ROOT, "tests/tray/run.py"), "test_icon_and_menu"], env=dict(os.environ, EXEAT_BUILD=programs))
        if "skip" in said:
            self.skipTest(said)
        self.assertIn("1 passed, 0 failed", said)


class Fresh(unittest.TestCase):
    def setUp(self):
        self.root = debian.Root(os.path.dirname(DEB))
        self.addCleanup(self.root.close)

    def install(self, *names, more=()):
        for name in names:
            shutil.copy(package(name), os.path.join(self.root.path, "var/tmp"))
        self.root.run("apt-get", "install", "-y", "--no-install-recommends", *more,
                      *["/var/tmp/" + os.path.basename(package(name)) for name in names])

    def of_tray(self):
        return {name for name in self.root.files() if "exeat-tray" in name and not name.startswith("var/tmp/")}

    def test_install_use_purge(self):
        root = self.root
        root.run("apt-get", "install", "-y", "--no-install-recommends", "gss-ntlmssp")
        self.install("exeat", "exeat-pac", "exeat-tray")
        root.run("apt-get", "purge", "-y", "exeat", "exeat-pac", "exeat-tray")  # what they depend on is there now, and stays
        root.run("useradd", "--create-home", "builder")
        before = root.files()
        self.install("exeat", "exeat-pac")
        self.assertRegex(root.run("exeat", "--version"), r"^exeat \d")
        self.use()
        self.assertEqual(self.of_tray(), set())
        self.install("exeat-tray")
        self.assertRegex(root.run("exeat-tray", "--version"), r"^exeat-tray \d")
        with self.assertRaisesRegex(debian.Failed, "exit status 1\nexeat-tray: there is no desktop session here"):
            root.run("exeat-tray")
        root.run("exeat", "apps", "set", "apt", "--proxy", "http://127.0.0.1:3128")
        self.assertTrue(os.path.exists(os.path.join(root.path, "etc/apt/apt.conf.d/90exeat")))
        root.run("apt-get", "remove", "-y", "exeat-tray")
        self.assertEqual(self.of_tray(), {"etc/xdg/autostart/exeat-tray.desktop"})  # a conffile: TryExec keeps it quiet
        root.run("apt-get", "remove", "-y", "exeat-pac", "exeat")
        self.assertFalse(os.path.exists(os.path.join(root.path, "etc/apt/apt.conf.d/90exeat")))
        self.assertFalse(os.path.exists(os.path.join(root.path, "usr/bin/exeat")))
        root.write("/etc/exeat/exeat.conf", "")
        root.run("apt-get", "purge", "-y", "exeat-pac", "exeat", "exeat-tray")
        self.assertNotIn("exeat", root.run("dpkg", "--list"))
        theirs = ("home/builder", "root")  # what users have of it is theirs
        after = {name for name in root.files() if not name.startswith(theirs)}
        before = {name for name in before if not name.startswith(theirs)}
        self.assertEqual((after - before, before - after), (set(), set()))

    def use(self):
        """As a user without a desktop: an agent, its keyholder with NTLM, a PAC script, a request; a gateway and its file of users."""
        root, port, gateway = self.root, free_port(), free_port()
        with Proxy(Asks(Ntlm())) as proxy:
            root.write("/home/builder/secret", "secret\n")
            root.write("/home/builder/proxy.pac", 'function FindProxyForURL(url, host) { return "PROXY %s"; }' % proxy.address)
            root.write("/home/builder/.config/exeat/exeat.conf",
                       "[listen]\nhttp = 127.0.0.1:%d\n\n[gateway]\nlisten = 127.0.0.1:%d\nauth = basic\nusers = ~/users\n\n%s\n[route]\npac = ~/proxy.pac\n" %
                       (port, gateway, proxy.upstream("auth = ntlm\nuser = CORP\\alice\nsecret = file:~/secret")))
            root.run("chown", "-R", "builder:", "/home/builder")
            root.run("chmod", "600", "/home/builder/secret")
            home = {"HOME": "/home/builder"}
            as_user = {"user": "builder:builder", "env": home}
            root.run("sh", "-c", "echo hunter2 | exeat users add bob --stdin", **as_user)
            self.assertIn(": ok", root.run("exeat", "check", **as_user))
            log = os.path.join(root.path, "var/tmp/log")
            with open(log, "wb") as file:
                agent = subprocess.Popen(root.command("exeat", "run", user="builder:builder"), stdin=subprocess.DEVNULL, stdout=file, stderr=file,
                                         env=dict(debian.CLEAN, **home))
            try:
                wait_until(lambda: agent.poll() is not None or b"ready: listening" in open(log, "rb").read(), "the agent", 60)
                self.assertIsNone(agent.poll(), open(log, encoding="utf-8").read())
                self.assertEqual(once(port, get("http://site.example/echo")).status, 200, open(log, encoding="utf-8").read())
                for password, status in (("wrong", 407), ("hunter2", 200)):
                    shown = "Proxy-Authorization: Basic " + base64.b64encode(b"bob:" + password.encode()).decode()
                    self.assertEqual(once(gateway, get("http://site.example/echo", shown)).status, status)
                self.assertIn(proxy.address, root.run("exeat", "route", "http://site.example/", **as_user))
                self.assertIn("is running", root.run("exeat", "status", **as_user))
                root.run("exeat", "stop", **as_user)
                self.assertEqual(agent.wait(60), 0)
            finally:
                if agent.poll() is None:
                    agent.kill()
                    agent.wait()
                os.unlink(log)

    def newer(self, name):
        """A later version of a package, with the same in it; its path in there."""
        debian.run(["dpkg-deb", "--raw-extract", package(name), os.path.join(self.root.path, "var/tmp/newer")])
        control = os.path.join(self.root.path, "var/tmp/newer/DEBIAN/control")
        with open(control, encoding="utf-8") as file:
            text = re.sub(r"(?m)^(Version: .*)$", r"\1+later1", file.read())
        with open(control, "w", encoding="utf-8") as file:
            file.write(text)
        debian.run(["dpkg-deb", "-Zgzip", "-z1", "--build", os.path.dirname(os.path.dirname(control)), os.path.join(self.root.path, "var/tmp/newer.deb")])
        return "/var/tmp/newer.deb"

    def test_under_systemd(self):
        """The template with a credential, the user's units by their socket, the tray on the user's bus; each works, is reloaded and stopped. An upgrade of exeat
        alone leaves the tray where it is and has the template's agent run the new program; a removal stops all of them."""
        root, port, own = self.root, free_port(), free_port()
        root.run("apt-get", "install", "-y", "--no-install-recommends", "systemd", "dbus-user-session", "gss-ntlmssp")
        self.install("exeat", "exeat-tray")
        newer = self.newer("exeat")
        root.run("useradd", "--create-home", "--uid", "1234", "builder")
        root.write("/etc/credstore/exeat.builder", "secret\n", 0o600)
        root.write("/home/builder/secret", "secret\n", 0o644)
        root.write("/etc/systemd/user/exeat.socket.d/own.conf", "[Socket]\nListenStream=\nListenStream=127.0.0.1:%d\n" % own)
        root.write("/var/lib/systemd/linger/builder", "")
        root.write("/etc/systemd/system/user@1234.service.d/own.conf", "[Service]\nEnvironment=XDG_CONFIG_HOME=/etc/xdg-of-user\n")
        with Proxy(Asks(Ntlm())) as proxy:
            text = proxy.upstream("auth = ntlm\nuser = CORP\\alice\nsecret = %s")
            root.write("/etc/exeat/exeat.conf", "[listen]\nhttp = 127.0.0.1:%d\n\n" % port + text % "credential:proxy-password")
            root.write("/etc/xdg-of-user/exeat/exeat.conf", text % "file:/home/builder/secret")
            with root.booted(UNDER_SYSTEMD.replace("NEWER", newer)):
                for one in (port, own):
                    self.assertEqual(once(one, get("http://site.example/echo")).status, 200)
