"""The icon and its menu on a real panel, under a screen that is memory only; what it looks like is kept as pictures in the build directory."""

import os
import shutil
import subprocess
import tempfile
import unittest

from gi.repository import GLib

import agent as lib
from agent import wait_until
from base import corp
from gates import Ntlm
from panel import Desktop
from place import Tray
from proxy import Asks

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

    def __init__(self):
        super().__init__(panel=False)

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
                            "XDG_CACHE_HOME": self.home + "/cache", "LANG": "C.UTF-8", "GDK_BACKEND": "x11", "NO_AT_BRIDGE": "1", **self.env}
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
            process.wait(30)
        shutil.rmtree(self.home, ignore_errors=True)
        super().__exit__(*words)

    def has(self, name):
        return self.call("org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus", "NameHasOwner",
                         GLib.Variant("(s)", (name,)))[0]

    def tool(self, *words):
        return subprocess.run(words, env=self.environment, check=True, capture_output=True, text=True, timeout=30).stdout

    def picture(self, name):
        path = os.path.join(lib.build_directory(), "tray-%s.png" % name)
        self.tool("import", "-window", "root", path)
        return path


@unittest.skipUnless(all(shutil.which(name) for name in NEEDED) and os.path.exists(XFCONF), "no Xvfb, xfce4-panel, xfconf, openbox, xdotool or ImageMagick")
class RealPanel(Tray):
    def crop(self, path):
        """The menu and what of the panel is above it."""
        subprocess.run(["convert", path, "-crop", "290x400+0+0", "-trim", "+repage", path], check=True, capture_output=True)

    def test_icon_and_menu(self):
        self.desktop_ = desktop = self.stack.enter_context(RealDesktop())
        _proxy, agent = self.both(Asks(Ntlm()), corp("ntlm", "CORP\\alice", more="spares = 0"), env=dict(desktop.env))
        self.assertEqual(self.ask(agent).status, 200)
        self.tray(agent, DISPLAY=desktop.environment["DISPLAY"])
        name = "org.kde.StatusNotifierItem-%d-1" % self.process.pid
        desktop.registered.append(name)
        wait_until(lambda: desktop.has(name), "the item")
        self.shows("on")

        def place(what):
            return desktop.tool("import", "-window", "root", "-crop", "32x32+0+0", "-format", what, "info:")
        wait_until(lambda: int(place("%k")) > 2, "the icon on the screen")  # number of colours
        drawn = place("%#")  # hash of the pixels
        desktop.picture("icon")

        def menu_open():
            desktop.tool("xdotool", "mousemove", "16", "16", "click", "1")
            return wait_until(lambda: desktop.tool("xdotool", "search", "--onlyvisible", "--name", ".*").count("\n") > 2, "the menu")
        wait_until(lambda: desktop.row("CORP\\alice, NTLM"), "who we are")
        menu_open()
        self.crop(desktop.picture("menu"))
        desktop.tool("xdotool", "key", "Down")
        desktop.tool("xdotool", "key", "Return")
        wait_until(lambda: agent.status()["on"] is False, "the switch")
        self.shows("off")
        desktop.tool("xdotool", "mousemove", "300", "400")
        wait_until(lambda: place("%#") != drawn and int(place("%k")) > 2, "another icon")
        desktop.picture("off")
