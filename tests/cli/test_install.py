"""make install and make uninstall: below DESTDIR, and below somebody's own home; nothing is compiled for that."""

import os
import re
import shutil
import subprocess
import unittest

import agent
import place

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


@unittest.skipUnless(shutil.which("make"), "no make here")
class Install(place.Place):
    def make(self, *words):
        """`make` with the programs as they are; its variables come from no make around us."""
        env = {name: value for name, value in os.environ.items() if not re.match(r"MAKE|MFLAGS|PREFIX|DESTDIR|XDG_|BUILD$", name)}
        done = subprocess.run(["make", "-C", ROOT, "-o", "all", "BUILD=" + agent.build_directory(), *words], stdin=subprocess.DEVNULL, capture_output=True,
                              text=True, timeout=place.PATIENCE, check=False, env=dict(env, HOME=self.home))
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def setUp(self):
        super().setUp()
        self.home = self.path("somebody")
        os.makedirs(self.home)
        self.tray = os.path.exists(os.path.join(agent.build_directory(), "exeat-tray"))

    def files(self, top):
        return {os.path.relpath(os.path.join(folder, name), top) for folder, _, names in os.walk(top) for name in names}

    def read(self, *words):
        with open(os.path.join(*words), encoding="utf-8") as file:
            return file.read()

    def test_below_destdir(self):
        top = self.path("top")
        self.make("DESTDIR=" + top, "install")
        found = self.files(top)
        wanted = {"usr/local/bin/exeat", "usr/local/libexec/exeat/exeat-keys", "usr/local/lib/systemd/user/exeat.service", "usr/local/lib/systemd/user/exeat.socket",
                  "usr/local/lib/systemd/system/exeat@.service", "usr/local/share/man/man1/exeat.1", "usr/local/share/man/man5/exeat.conf.5",
                  "usr/local/share/bash-completion/completions/exeat", "usr/local/share/doc/exeat/README.md",
                  "usr/local/share/doc/exeat/examples/haproxy.cfg"}
        if self.tray:
            wanted |= {"usr/local/bin/exeat-tray", "etc/xdg/autostart/exeat-tray.desktop", "usr/local/share/applications/exeat-tray.desktop",
                       "usr/local/lib/systemd/user/exeat-tray.service", "usr/local/share/man/man1/exeat-tray.1",
                       "usr/local/share/bash-completion/completions/exeat-tray", "usr/local/share/zsh/site-functions/_exeat-tray",
                       "usr/local/share/fish/vendor_completions.d/exeat-tray.fish"}
            self.assertEqual(len([name for name in found if name.startswith("usr/local/share/icons/hicolor/scalable/apps/exeat-")]), 15)
        self.assertLessEqual(wanted, found)
        self.assertEqual([name for name in found if "tray" in name and not self.tray], [])
        said = subprocess.run([os.path.join(top, "usr/local/bin/exeat"), "--version"], capture_output=True, text=True, check=True).stdout
        self.assertRegex(said, r"^exeat \d")
        self.make("DESTDIR=" + top, "HAVE_TRAY=", "uninstall")  # its libraries may have gone meanwhile
        self.assertEqual(self.files(top), set())
        self.assertEqual(self.files(self.home), set())

    def test_in_ones_home(self):
        """Where the user's own systemd and desktop look, and with whole paths: the session's PATH may not lead there."""
        prefix = os.path.join(self.home, ".local")
        self.make("PREFIX=" + prefix, "install")
        unit = self.read(prefix, "share/systemd/user/exeat.service")
        self.assertEqual(re.findall(r"^Exec\w+=(\S+)", unit, re.M), [prefix + "/bin/exeat"] * 2)
        if self.tray:
            for name in (os.path.join(self.home, ".config/autostart"), os.path.join(prefix, "share/applications")):
                entry = self.read(name, "exeat-tray.desktop")
                self.assertEqual(re.findall(r"^(?:Try)?Exec=(.*)", entry, re.M), [prefix + "/bin/exeat-tray"] * 2)
            self.assertIn("ExecStart=%s/bin/exeat-tray\n" % prefix, self.read(prefix, "share/systemd/user/exeat-tray.service"))
        self.make("PREFIX=" + prefix, "uninstall")
        self.assertEqual(self.files(self.home), set())
