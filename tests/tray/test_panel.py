"""The icon and its menu on a real panel, under a screen that is memory only; what it looks like is kept as pictures in the build directory."""

import contextlib
import os
import shutil
import struct
import subprocess
import tempfile
import unittest

from gi.repository import GLib

import agent as lib
from agent import wait_until
from base import corp
from fake import FakeAgent
from gates import Ntlm
from panel import Desktop
from place import Tray
from proxy import Asks

PLACE, MENU = "32x32+0+0", "290x400+0+34"  # on the screen: where the icon is, and where what it opens
PROBLEM = {"problem": True, "state": "password refused 10:32 by proxy.corp.example:8080", "remedy": "Log in with the new one: exeat login corp."}
STATES = (("busy", {}, {"in_flight": 3}), ("off", {}, {"on": False}), ("direct", {"mode": "direct"}, {"on": True, "in_flight": 0}),
          ("problem", dict(PROBLEM, mode="proxy"), {}))
NEEDED = ("Xvfb", "xfce4-panel", "xdotool", "import", "convert", "openbox")
XFCONF = "/usr/lib/%s-linux-gnu/xfce4/xfconf/xfconfd" % os.uname().machine
PANEL = """<?xml version="1.0" encoding="UTF-8"?>
<channel name="xfce4-panel" version="1.0">
  <property name="configver" type="int" value="2"/>
  <property name="panels" type="array"><value type="int" value="1"/>
    <property name="panel-1" type="empty">
      <property name="position" type="string" value="p=6;x=0;y=0"/><property name="position-locked" type="bool" value="true"/>
      <property name="size" type="uint" value="32"/><property name="length" type="uint" value="100"/>
      <property name="plugin-ids" type="array"><value type="int" value="1"/></property>
    </property>
  </property>
  <property name="plugins" type="empty"><property name="plugin-1" type="string" value="systray">
    <property name="square-icons" type="bool" value="true"/>
    <property name="known-items" type="array"><value type="string" value="exeat"/></property>
  </property></property>
</channel>
"""


class RealDesktop(Desktop):
    """With a screen; the panel on it is the one that icons go to."""

    def __init__(self, theme="Adwaita"):
        super().__init__(panel=False)
        self.theme = theme

    def __enter__(self):
        super().__enter__()
        self.home = tempfile.mkdtemp(prefix="exeat-screen-")
        settings = os.path.join(self.home, "config/xfce4/xfconf/xfce-perchannel-xml")
        os.makedirs(settings)
        with open(os.path.join(settings, "xfce4-panel.xml"), "w") as file:
            file.write(PANEL)
        reader, writer = os.pipe()
        self.processes = []
        self.environment = {"PATH": os.environ["PATH"], "HOME": self.home, "XDG_CONFIG_HOME": self.home + "/config", "XDG_RUNTIME_DIR": self.home,
                            "XDG_CACHE_HOME": self.home + "/cache", "LANG": "C.UTF-8", "GDK_BACKEND": "x11", "NO_AT_BRIDGE": "1", "GTK_THEME": self.theme,
                            **self.env}
        self.run("Xvfb", "-displayfd", str(writer), "-screen", "0", "640x480x24", "-nolisten", "tcp", pass_fds=(writer,))
        os.close(writer)
        with os.fdopen(reader) as file:
            self.environment["DISPLAY"] = ":" + file.readline().strip()
        for words in (("openbox",), (XFCONF,), ("xfce4-panel", "--disable-wm-check")):
            self.run(*words)
        wait_until(lambda: self.has("org.kde.StatusNotifierWatcher"), "the panel")
        return self

    def run(self, *words, **options):
        self.processes.append(subprocess.Popen(words, env=self.environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                               stderr=subprocess.DEVNULL, start_new_session=True, **options))

    def __exit__(self, *words):
        for process in reversed(self.processes):
            try:
                os.killpg(process.pid, 15)
            except OSError:
                pass
        for process in self.processes:
            process.wait(2 * lib.PATIENCE)
        shutil.rmtree(self.home, ignore_errors=True)
        super().__exit__(*words)

    def has(self, name):
        return self.call("org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus", "NameHasOwner",
                         GLib.Variant("(s)", (name,)))[0]

    def tool(self, *words):
        return subprocess.run(words, env=self.environment, check=True, capture_output=True, text=True, timeout=2 * lib.PATIENCE).stdout

    def drawn(self, area, what):
        """Of an area of the screen: %k, the number of its colours; %#, a hash of its pixels."""
        return self.tool("import", "-window", "root", "-crop", area, "-format", what, "info:")

    def picture(self, name):
        path = os.path.join(lib.build_directory(), "tray-%s.png" % name)
        self.tool("import", "-window", "root", path)
        return path


@unittest.skipUnless(all(shutil.which(name) for name in NEEDED) and os.path.exists(XFCONF), "no Xvfb, xfce4-panel, xfconf, openbox, xdotool or ImageMagick")
class RealPanel(Tray):
    def on_panel(self, agent, *words):
        """A tray beside it, whose icon the panel has drawn."""
        desktop = self.desktop_
        self.tray(agent, *words, DISPLAY=desktop.environment["DISPLAY"])
        name = "org.kde.StatusNotifierItem-%d-1" % self.process.pid
        desktop.registered.append(name)
        wait_until(lambda: desktop.has(name), "the item")
        wait_until(lambda: int(desktop.drawn(PLACE, "%k")) > 2, "the icon on the screen")

    def wait_drawn(self, area, before):
        """Something else than before, and it stays so: nothing is half drawn."""
        last = [before]

        def rests():
            now = self.desktop_.drawn(area, "%#")
            same, last[0] = now == last[0] and now != before, now
            return same and int(self.desktop_.drawn(area, "%k")) > 2
        wait_until(rests, "the picture to change")
        return last[0]

    def test_icon_and_menu(self):
        self.desktop_ = desktop = self.stack.enter_context(RealDesktop())
        _proxy, agent = self.both(Asks(Ntlm()), corp("ntlm", "CORP\\alice", more="spares = 0"), env=dict(desktop.env))
        self.assertEqual(self.ask(agent).status, 200)
        self.on_panel(agent)
        self.shows("on")
        wait_until(lambda: desktop.row("CORP\\alice, NTLM"), "who we are")
        wait_until(lambda: desktop.row("Desktop (GNOME) uses exeat"), "the desktop")
        icon, area = desktop.drawn(PLACE, "%#"), desktop.drawn(MENU, "%#")
        desktop.tool("xdotool", "mousemove", "16", "16", "click", "1")
        self.wait_drawn(MENU, area)
        path = desktop.picture("menu")
        subprocess.run(["convert", path, "-crop", "290x400+0+0", "-trim", "+repage", path], check=True, capture_output=True)
        with open(path, "rb") as file:  # PNG: width and height at 16
            width, height = struct.unpack(">II", file.read(24)[16:])
        self.assertGreater(min(width, height), 200)
        desktop.tool("xdotool", "key", "Down")
        desktop.tool("xdotool", "key", "Return")
        wait_until(lambda: agent.status()["on"] is False, "the switch")
        self.shows("off")
        desktop.tool("xdotool", "mousemove", "300", "400")
        self.wait_drawn(PLACE, icon)

    def test_icons_and_tooltip(self):
        """Each state on a light panel and on a dark one; the tooltip of the worst."""
        for kind, theme in (("light", "Adwaita"), ("dark", "Adwaita:dark")):
            with contextlib.ExitStack() as self.stack:
                self.desktop_ = desktop = self.stack.enter_context(RealDesktop(theme))
                agent = self.agent("[upstream corp]\nproxy = http://127.0.0.1:9\n", env=dict(desktop.env), start=False)
                fake = FakeAgent(agent)
                self.stack.callback(fake.go)
                self.on_panel(agent)
                self.shows("on")
                parts = [self.keep(kind, "on")]
                for name, upstream, says in STATES:
                    before = desktop.drawn(PLACE, "%#")
                    fake.change(upstream, **says)
                    self.shows(name)
                    self.wait_drawn(PLACE, before)
                    parts.append(self.keep(kind, name))
                self.assertEqual(len({desktop.tool("convert", part, "-format", "%#", "info:") for part in parts}), 5)
                below = desktop.drawn(MENU, "%#")
                desktop.tool("xdotool", "mousemove", "16", "16")
                desktop.tool("xdotool", "mousemove", "17", "17")
                self.wait_drawn(MENU, below)
                desktop.picture("tooltip-" + kind)
                sheet = os.path.join(lib.build_directory(), "tray-icons-%s.png" % kind)
                desktop.tool("convert", *parts, "+append", sheet)
                for part in parts:
                    os.unlink(part)

    def keep(self, kind, name):
        path = self.desktop_.picture("%s-%s" % (kind, name))
        self.desktop_.tool("convert", path, "-crop", PLACE, "+repage", "-filter", "point", "-resize", "300%", path)
        return path
