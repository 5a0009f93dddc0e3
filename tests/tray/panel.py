"""A desktop without a screen: a session bus of its own, a panel for tray icons and a server for notifications, both played here."""

import os
import shutil
import subprocess
import tempfile
import threading

from gi.repository import Gio, GLib

from agent import PATIENCE, wait_until

WATCHER = """<node><interface name='org.kde.StatusNotifierWatcher'>
<method name='RegisterStatusNotifierItem'><arg type='s' direction='in'/></method>
<property name='IsStatusNotifierHostRegistered' type='b' access='read'/>
</interface></node>"""
NOTIFICATIONS = """<node><interface name='org.freedesktop.Notifications'>
<method name='Notify'><arg type='s' direction='in'/><arg type='u' direction='in'/><arg type='s' direction='in'/><arg type='s' direction='in'/>
<arg type='s' direction='in'/><arg type='as' direction='in'/><arg type='a{sv}' direction='in'/><arg type='i' direction='in'/>
<arg type='u' direction='out'/></method>
<method name='GetCapabilities'><arg type='as' direction='out'/></method>
<method name='CloseNotification'><arg type='u' direction='in'/></method>
<signal name='ActionInvoked'><arg type='u'/><arg type='s'/></signal>
</interface></node>"""
SYSTEMD = """<node><interface name='org.freedesktop.systemd1.Manager'>
<method name='StartUnit'><arg type='s' direction='in'/><arg type='s' direction='in'/><arg type='o' direction='out'/></method>
</interface></node>"""
BUS = """<busconfig><type>session</type><listen>unix:path=%s/bus</listen>%s<policy context="default">
<allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/></policy></busconfig>
"""
ITEM, MENU = "org.kde.StatusNotifierItem", "com.canonical.dbusmenu"


class Loop:
    """GLib's main loop in a thread, one for all tests of this process."""

    started = None

    @classmethod
    def start(cls):
        if not cls.started:
            cls.started = threading.Thread(target=GLib.MainLoop().run, daemon=True)
            cls.started.start()


class Row:
    def __init__(self, number, properties):
        self.number = number
        self.label = properties.get("label", "").replace("__", "_")
        self.enabled = properties.get("enabled", True)
        self.checked = {0: False, 1: True}.get(properties.get("toggle-state"))
        self.separator = properties.get("type") == "separator"


class Desktop:
    """with Desktop() as desktop: ... desktop.env ... panel: whether icons have a place; notifies: whether notifications have one; services:
    whether the machine's own programs are started for names that nobody has."""

    def __init__(self, panel=True, notifies=True, services=False):
        self.panel, self.notifies, self.services = panel, notifies, services
        self.capabilities = ["actions", "body", "body-markup"]
        self.closed = []  # numbers of notifications that were withdrawn
        self.registered = []  # names of items
        self.notifications = []  # (number, replaced, title, text, actions)
        self.units = []
        self.signals = []  # names of an item's signals

    def __enter__(self):
        Loop.start()
        self.folder = tempfile.mkdtemp(prefix="exeat-bus-")
        with open(self.folder + "/bus.conf", "w") as file:
            file.write(BUS % (self.folder, "<standard_session_servicedirs/>" if self.services else ""))
        self._daemon = subprocess.Popen(["dbus-daemon", "--nofork", "--nopidfile", "--print-address=1",
                                         "--config-file=%s/bus.conf" % self.folder], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        stderr=subprocess.DEVNULL, text=True)
        self.address = self._daemon.stdout.readline().strip()
        self.env = {"DBUS_SESSION_BUS_ADDRESS": self.address}
        self.bus = Gio.DBusConnection.new_for_address_sync(
            self.address, Gio.DBusConnectionFlags.AUTHENTICATION_CLIENT | Gio.DBusConnectionFlags.MESSAGE_BUS_CONNECTION, None, None)
        self.served = {}
        if self.notifies:
            self.open_notifications()
        self.bus.signal_subscribe(None, ITEM, None, "/StatusNotifierItem", None, Gio.DBusSignalFlags.NONE,
                                  lambda _bus, _from, _path, _interface, signal, _args: self.signals.append(signal))
        if self.panel:
            self.open_panel()
        return self

    def __exit__(self, *_):
        self.bus.set_exit_on_close(False)
        if not self.bus.is_closed():
            self.bus.close_sync(None)
        self._daemon.terminate()
        self._daemon.wait(2 * PATIENCE)
        self._daemon.stdout.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def serve(self, name, path, xml, called, get=None):
        if name not in self.served:
            interface = Gio.DBusNodeInfo.new_for_xml(xml).interfaces[0]
            self.served[name] = self.bus.register_object(path, interface, called, get)
        self.call("org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus", "RequestName", GLib.Variant("(su)", (name, 0)))

    def leave(self, name):
        """Whoever played that is gone."""
        self.call("org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus", "ReleaseName", GLib.Variant("(s)", (name,)))

    def activate_with(self, env):
        """What the bus starts has this environment."""
        self.call("org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus", "UpdateActivationEnvironment",
                  GLib.Variant("(a{ss})", (env,)))

    def end_bus(self):
        self.bus.set_exit_on_close(False)
        self._daemon.terminate()
        self._daemon.wait(2 * PATIENCE)

    def call(self, to, path, interface, method, arguments=None):
        answer = self.bus.call_sync(to, path, interface, method, arguments, None, Gio.DBusCallFlags.NONE, int(2000 * PATIENCE), None)
        return answer.unpack()

    # --- the panel

    def open_panel(self):
        self.serve("org.kde.StatusNotifierWatcher", "/StatusNotifierWatcher", WATCHER, self._registers, lambda *_: GLib.Variant("b", True))

    def _registers(self, _bus, _sender, _path, _interface, _method, arguments, call):
        self.registered.append(arguments.unpack()[0])
        call.return_value(None)

    def item(self):
        return wait_until(lambda: self.registered and self.registered[-1], "an icon on the panel")

    def look(self, name):
        return self.call(self.item(), "/StatusNotifierItem", "org.freedesktop.DBus.Properties", "Get", GLib.Variant("(ss)", (ITEM, name)))[0]

    def icon(self):
        return self.look("IconName")

    def tooltip(self):
        _name, _pixmaps, title, text = self.look("ToolTip")
        return title + "\n" + text

    def rows(self):
        """None yet: the menu is on the bus a moment after the icon."""
        path = self.look("Menu")
        try:
            _revision, (_root, _properties, children) = self.call(self.item(), path, MENU, "GetLayout", GLib.Variant("(iias)", (0, -1, [])))
        except GLib.Error as error:
            if not error.matches(Gio.dbus_error_quark(), Gio.DBusError.UNKNOWN_METHOD):
                raise
            return []
        return [Row(number, properties) for number, properties, _children in children]

    def row(self, words):
        return next((row for row in self.rows() if words in row.label), None)

    def choose(self, words):
        wait_until(lambda: self._click(self.row(words)), "a menu row with " + words)

    def _click(self, row):
        """False: it is not there (any more): the menu changes as the agent does."""
        try:
            if row:
                self.call(self.item(), self.look("Menu"), MENU, "Event", GLib.Variant("(isvu)", (row.number, "clicked", GLib.Variant("i", 0), 0)))
        except GLib.Error:
            return False
        return row is not None

    def open_menu(self):
        self.call(self.item(), self.look("Menu"), MENU, "AboutToShow", GLib.Variant("(i)", (0,)))

    # --- notifications

    def open_notifications(self):
        self.serve("org.freedesktop.Notifications", "/org/freedesktop/Notifications", NOTIFICATIONS, self._notified)

    def _notified(self, _bus, _sender, _path, _interface, method, arguments, call):
        if method == "GetCapabilities":
            call.return_value(GLib.Variant("(as)", (self.capabilities,)))
            return
        if method == "CloseNotification":
            self.closed.append(arguments.unpack()[0])
            call.return_value(None)
            return
        _app, replaced, _icon, title, text, actions, _hints, _time = arguments.unpack()
        number = replaced or len(self.notifications) + 1
        call.return_value(GLib.Variant("(u)", (number,)))  # before anybody can press its button, which is of that number
        self.notifications.append((number, replaced, title, text, actions))

    def titles(self):
        return [title for _number, _replaced, title, _text, _actions in self.notifications]

    def notified(self, words):
        return next((n for n in self.notifications if words in n[2] or words in n[3]), None)

    def wait_notified(self, words):
        return wait_until(lambda: self.notified(words), "a notification with " + words)

    def press(self, notification, action):
        self.bus.emit_signal(None, "/org/freedesktop/Notifications", "org.freedesktop.Notifications", "ActionInvoked",
                             GLib.Variant("(us)", (notification[0], action)))

    # --- systemd

    def play_systemd(self, start):
        """start(unit): what StartUnit does."""
        def called(_bus, _sender, _path, _interface, _method, arguments, call):
            unit = arguments.unpack()[0]
            self.units.append(unit)
            start(unit)
            call.return_value(GLib.Variant("(o)", ("/job/1",)))
        self.serve("org.freedesktop.systemd1", "/org/freedesktop/systemd1", SYSTEMD, called)
