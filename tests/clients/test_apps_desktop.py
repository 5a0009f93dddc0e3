"""Real programs that "exeat apps set" has pointed at the agent: those of a desktop, without a screen. Where they are installed."""

import json
import os
import subprocess

import content
import world
from plain import plain
from programs import Kind, ProgramTest, add_tests
from session import HTTP, HTTPS

POLICIES = "/etc/firefox/policies/policies.json"
GENERATOR = "/usr/lib/systemd/user-environment-generators/30-systemd-environment-d-generator"
SOUP = """
import sys, gi
gi.require_version("Soup", "3.0")
from gi.repository import Gio, Soup
print(type(Gio.ProxyResolver.get_default()).__name__)
session = Soup.Session(tls_database=Gio.TlsFileDatabase.new(sys.argv[1]))
for url in sys.argv[2:]:
    message = Soup.Message.new("GET", url)
    size = len(session.send_and_read(message, None).get_data())
    print(int(message.get_status()), size)
"""

KINDS = {
    "environment": Kind(GENERATOR + " curl", {".config/environment.d/50-exeat.conf": "# mine\n"}),
    "firefox": Kind("firefox-esr", {POLICIES: '{"policies": {"Certificates": {"Install": ["%s"]}, "DisableAppUpdate": true}}' % world.CA_CERT}),
    "gnome": Kind("gsettings /usr/share/glib-2.0/schemas/org.gnome.system.proxy.gschema.xml /usr/lib/x86_64-linux-gnu/gio/modules/libgiolibproxy.so"
                  " /usr/lib/x86_64-linux-gnu/girepository-1.0/Soup-3.0.typelib", env={"GSETTINGS_BACKEND": "keyfile"}),
    "kde": Kind("kioclient5", {".config/kioslaverc": "[Proxy Settings]\nProxyType=0\nhttpProxy=http://127.0.0.1 9\n\n[Other]\na=b"}, tunnel=False),
}


class Downloads:
    @staticmethod
    def environment(test):
        """What the user's systemd hands to the session, made by the program that systemd runs for it."""
        said = test.run_program(GENERATOR)
        variables = dict(line.split("=", 1) for line in said.splitlines())
        for base in (HTTP, HTTPS):
            test.assertEqual(test.run_program("curl", "-sS", base + "/bytes/1000", text=False, **variables), content.data(1000))

    @staticmethod
    def firefox(test):
        """Takes a picture of each page, which it can only when it has it."""
        for number, base in enumerate((HTTP, HTTPS)):
            picture = test.work + "/picture-%d.png" % number
            os.mkdir(test.work + "/profile-%d" % number)
            test.run_program(*test.with_etc("firefox-esr", "--headless", "--no-remote", "--profile",
                                            test.work + "/profile-%d" % number, "--screenshot", picture, base + "/echo"))
            test.assertTrue(os.path.exists(picture))

    @staticmethod
    def gnome(test):
        said = test.run_program(world.PYTHON, "-c", SOUP, world.CA_CERT, HTTP + "/bytes/1000", HTTPS + "/bytes/1000",
                                XDG_CURRENT_DESKTOP="GNOME")
        test.assertEqual(said.split("\n")[1:3], ["200 1000"] * 2, said)

    @staticmethod
    def kde(test):
        said = test.run_program("kioclient5", "--noninteractive", "cat", HTTP + "/bytes/1000", text=False, QT_QPA_PLATFORM="offscreen",
                                DBUS_SESSION_BUS_ADDRESS="unix:path=/nowhere")
        test.assertEqual(said, content.data(1000))


@plain("most of its time is other programs'")
class DesktopTest(ProgramTest):
    """A test for each program."""


add_tests(DesktopTest, Downloads, KINDS)
