"""The tray's rows, its icon, and what it does about an agent that is not there."""

import os
import shutil
import signal
import socket
import subprocess
import unittest

import agent as lib
from agent import wait_until
from base import corp
from gates import Basic
from place import Tray
from proxy import Asks, Open


class Rows(Tray):
    def start(self, behaviour=None, lines="auth = none", more="", **options):
        self.desktop()
        self.proxy_, agent = self.both(behaviour or Open(), lines, more, env=dict(self.desktop_.env), **options)
        self.tray(agent)
        wait_until(lambda: self.desktop_.registered and self.desktop_.row("Proxy on"), "the menu")
        return agent

    def test_what_it_shows(self):
        agent = self.start()
        self.shows("on")
        labels = [row.label for row in self.desktop_.rows()]
        self.assertIn("corp (%s): by proxy" % self.proxy_.address, labels)
        self.assertIn("0 requests in flight, 0 tunnels open", labels)
        for words in ("Enter password for corp…", "Diagnose", "Log", "Quit (exeat goes on)"):
            self.assertIn(words, labels)
        self.assertFalse(self.desktop_.row("in flight").enabled)
        self.assertIn("by proxy", self.desktop_.tooltip())
        self.assertEqual(self.desktop_.look("IconAccessibleDesc"), "exeat is on")
        self.assertTrue(os.path.exists(os.path.join(self.desktop_.look("IconThemePath"), "hicolor/scalable/apps", self.desktop_.icon() + ".svg")))
        tunnel = self.tunnel(agent)
        self.desktop_.open_menu()
        wait_until(lambda: self.desktop_.row("1 tunnel open"), "the tunnel")
        self.echoes(tunnel)

    def test_proxy_on_and_off(self):
        agent = self.start()
        self.assertIs(self.desktop_.row("Proxy on").checked, True)
        self.desktop_.choose("Proxy on")
        self.shows("off")
        self.assertIs(agent.status()["on"], False)
        self.assertIs(self.desktop_.row("Proxy on").checked, False)
        self.assertIn("exeat is off: requests go direct", self.desktop_.tooltip())
        self.desktop_.choose("Proxy on")
        self.shows("on")
        self.assertIs(agent.status()["on"], True)

    def test_what_others_do_is_seen(self):
        agent = self.start()
        agent.exeat("off", check=True)
        self.shows("off")
        self.assertIn("NewIcon", self.desktop_.signals)

    def test_last_problem(self):
        agent = self.start(Asks(Basic()), corp("basic"), secret="wrong")
        self.ask(agent)
        row = wait_until(lambda: self.desktop_.row("Last problem"), "the problem")
        self.assertRegex(row.label, r"Last problem, \d\d:\d\d: .*refused")
        self.shows("problem")
        self.assertEqual(self.desktop_.look("Status"), "NeedsAttention")

    def test_diagnose_and_log(self):
        self.start()
        for words, verb in (("Diagnose", "doctor"), ("Log", "log")):
            self.desktop_.choose(words)
            told = self.note("terminal").splitlines()
            self.assertEqual(told[-1], verb)
            self.assertEqual(told[-2], os.path.join(lib.build_directory(), "exeat"))
            os.unlink(os.path.join(self.folder, "terminal.log"))

    def test_texts_stay_texts(self):
        """Neither markup in the tooltip nor underlined letters in the menu."""
        self.start(Asks(Basic()), corp("basic", "a_<b>lice", secret="prompt"))
        wait_until(lambda: self.desktop_.row("a_<b>lice"), "the row")
        self.assertIn("a_&lt;b&gt;lice", self.desktop_.tooltip())
        told = self.desktop_.wait_notified("corp needs your password")
        self.assertNotIn("<b>", told[3])

    def test_quit(self):
        agent = self.start()
        self.desktop_.choose("Quit")
        self.assertEqual(self.process.wait(lib.PATIENCE), 0)
        self.assertEqual(agent.status()["pid"], agent.pid)

    def test_desktop_uses_exeat(self):
        agent = self.start()
        row = wait_until(lambda: self.desktop_.row("Desktop (GNOME) uses exeat"), "the row")
        self.assertIs(row.checked, False)
        self.desktop_.choose("Desktop (GNOME)")
        wait_until(lambda: self.desktop_.row("Desktop (GNOME)").checked, "the mark")
        env = dict(agent.env, GSETTINGS_BACKEND="keyfile")

        def setting(*words):
            return subprocess.run(["gsettings", "get", *words], env=env, capture_output=True, text=True, check=True).stdout.strip()
        self.assertEqual(setting("org.gnome.system.proxy", "mode"), "'manual'")
        self.assertEqual(setting("org.gnome.system.proxy.http", "port"), str(agent.port))
        self.desktop_.choose("Desktop (GNOME)")
        wait_until(lambda: not self.desktop_.row("Desktop (GNOME)").checked, "the mark to go")
        self.assertEqual(setting("org.gnome.system.proxy", "mode"), "'none'")


    def test_desktop_of_kde(self):
        self.desktop()
        _proxy, agent = self.both(Open(), env=dict(self.desktop_.env))
        self.tray(agent, XDG_CURRENT_DESKTOP="KDE")
        path = os.path.join(agent.directory, "home/.config/kioslaverc")
        wait_until(lambda: self.desktop_.registered and self.desktop_.row("Desktop (KDE)"), "the row")
        self.desktop_.choose("Desktop (KDE)")
        wait_until(lambda: self.desktop_.row("Desktop (KDE)").checked, "the mark")
        with open(path) as file:
            self.assertIn("httpProxy=http://127.0.0.1 %d" % agent.port, file.read())
        self.desktop_.choose("Desktop (KDE)")
        wait_until(lambda: not os.path.exists(path), "the file to go, which was not there before")

    def test_desktop_of_kde_gets_its_own_back(self):
        self.desktop()
        _proxy, agent = self.both(Open(), env=dict(self.desktop_.env))
        path = os.path.join(agent.directory, "home/.config/kioslaverc")
        before = "[$Version]\nupdate_info=a:b\n\n[Proxy Settings][$i]\nX=1\n\n[Proxy Settings]\nProxyType = 2\nNoProxyFor=\nftpProxy=http://old 1"
        with open(path, "w") as file:
            file.write(before)
        self.tray(agent, XDG_CURRENT_DESKTOP="KDE")
        for checked in (True, False):
            wait_until(lambda: self.desktop_.registered and self.desktop_.row("Desktop (KDE)"), "the row")
            self.desktop_.choose("Desktop (KDE)")
            wait_until(lambda checked=checked: self.desktop_.row("Desktop (KDE)").checked is checked, "the mark")
            with open(path) as file:
                now = file.read()
            self.assertEqual("httpProxy=http://127.0.0.1 %d" % agent.port in now, checked)
        self.assertEqual(now, before)

    @unittest.skipUnless(shutil.which("dconf") and os.path.exists("/usr/share/dbus-1/services/ca.desrt.dconf.service"), "no dconf here")
    def test_desktop_of_gnome_gets_its_own_back(self):
        """In its own database, not in a file that only tests use."""
        self.desktop(services=True)
        _proxy, agent = self.both(Open(), env=dict(self.desktop_.env))
        env = dict(agent.env, XDG_CURRENT_DESKTOP="GNOME")
        self.desktop_.activate_with(env)  # dconf's own service writes where that says

        def dconf(*words, text=""):
            return subprocess.run(["dconf", *words], env=env, input=text, capture_output=True, text=True, check=True).stdout
        dconf("load", "/", text="[system/proxy]\nautoconfig-url='http://wpad/x y.dat'\nignore-hosts=['*.old', 'ü']\nmode='auto'\n\n"
              "[system/proxy/http]\nhost='old'\nport=1\n\n[org/other]\nkey=@as []\n")
        before = dconf("dump", "/")
        self.tray(agent, XDG_CURRENT_DESKTOP="GNOME", GSETTINGS_BACKEND="dconf")
        for checked in (True, False):
            wait_until(lambda: self.desktop_.registered and self.desktop_.row("Desktop (GNOME)"), "the row")
            self.desktop_.choose("Desktop (GNOME)")
            wait_until(lambda checked=checked: self.desktop_.row("Desktop (GNOME)").checked is checked, "the mark")
            self.assertEqual("port=%d\n" % agent.port in dconf("dump", "/system/proxy/"), checked)
        self.assertEqual(dconf("dump", "/"), before)


class Life(Tray):
    def place(self, panel=True, **options):
        self.desktop(panel=panel)
        proxy = self.proxy(Open())
        agent = self.agent(proxy.upstream(), env=dict(self.desktop_.env), **options)
        self.usual_place(agent)
        return agent

    def usual_place(self, agent):
        """Where an agent that the tray starts finds its configuration."""
        os.symlink(agent.config_path, os.path.join(agent.directory, "home/.config/exeat/exeat.conf"))

    def stop_strays(self, agent):
        """The agent that the tray has started is nobody's child here."""
        self.stack.callback(lambda: agent.exeat("stop"))

    def test_starts_the_agent_directly(self):
        agent = self.place(start=False)
        self.stop_strays(agent)
        self.tray(agent)
        self.shows("on")
        self.assertEqual(agent.exeat("status").returncode, 0)

    def test_starts_the_agent_by_systemd(self):
        agent = self.place(start=False)
        self.desktop_.play_systemd(lambda _unit: agent.start())
        self.tray(agent)
        self.shows("on")
        self.assertEqual(self.desktop_.units[0], "exeat.service")

    def test_agent_killed_and_started_again(self):
        agent = self.place()
        self.stop_strays(agent)
        self.tray(agent)
        self.shows("on")
        first = agent.status()["pid"]
        os.kill(first, signal.SIGKILL)
        agent.process.wait()
        agent._status_checked = True
        wait_until(lambda: agent.exeat("status").returncode == 0, "another agent")
        self.assertNotEqual(agent.status()["pid"], first)
        self.shows("on")

    def test_one_that_was_stopped_stays_so(self):
        agent = self.place()
        self.stop_strays(agent)
        self.tray(agent)
        self.shows("on")
        agent.stop()
        self.shows("off")
        row = wait_until(lambda: self.desktop_.row("Start exeat"), "the row")
        self.assertTrue(row.enabled)
        self.assertIn("exeat is stopped", self.desktop_.tooltip())
        self.assertEqual(agent.exeat("status").returncode, 4)
        self.desktop_.choose("Start exeat")
        self.shows("on")

    def test_one_that_does_not_start_is_told(self):
        agent = self.place(start=False)
        agent.configure("[upstream corp]\nprox = x\n")
        self.tray(agent)
        self.shows("problem")
        told = self.desktop_.wait_notified("does not start")
        self.desktop_.press(told, "doctor")
        self.assertEqual(self.note("terminal").splitlines()[-1], "doctor")

    def test_only_one(self):
        agent = self.place()
        self.tray(agent)
        self.shows("on")
        second = subprocess.run([os.path.join(lib.build_directory(), "exeat-tray")], env=dict(agent.env, **self.desktop_.env),
                                capture_output=True, text=True, timeout=lib.PATIENCE)
        self.assertEqual((second.returncode, second.stderr), (0, "exeat-tray: it is running already\n"))
        self.assertIsNone(self.process.poll())

    def test_a_panel_that_comes_later(self):
        agent = self.place(panel=False)
        self.tray(agent)
        wait_until(lambda: self.desktop_.notified("no place for tray icons"), "the sentence")
        self.desktop_.open_panel()
        self.shows("on")
        self.assertEqual(self.desktop_.titles().count("exeat"), 1)

    def test_a_socket_of_another_user(self):
        """What answers there is not believed."""
        if os.geteuid() != 0:
            self.skipTest("only root can play another user")
        agent = self.place(start=False)
        folder = os.path.join(agent.directory, "runtime", "exeat")
        os.makedirs(folder, 0o700)
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(os.path.join(folder, "control"))
        pid = os.fork()
        if pid == 0:  # who listens counts as the other end
            os.setuid(65534)
            listener.listen(8)
            while True:
                connection, _ = listener.accept()
                connection.sendall(b'{"ok": true, "state": 1, "on": true, "upstreams": []}\n')
        self.stack.callback(os.waitpid, pid, 0)
        self.stack.callback(os.kill, pid, signal.SIGKILL)
        self.stack.callback(listener.close)

        def listens():
            with socket.socket(socket.AF_UNIX) as probe:
                return probe.connect_ex(os.path.join(folder, "control")) == 0
        wait_until(listens, "the other user")
        self.tray(agent)
        self.shows("problem")
        self.desktop_.wait_notified("belongs to another user")
        self.assertIsNone(self.desktop_.row("Proxy on"))

    def test_no_bus(self):
        self.desktop()
        agent = self.place()
        done = subprocess.run([os.path.join(lib.build_directory(), "exeat-tray")], capture_output=True, text=True, timeout=lib.PATIENCE,
                              env=dict(agent.env, DBUS_SESSION_BUS_ADDRESS="unix:path=/nonexistent/bus"))
        self.assertEqual(done.returncode, 1)
        self.assertIn("no session bus", done.stderr)
