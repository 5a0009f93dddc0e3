"""The agent under a service manager: what it is told (Type=notify), and the units that are installed."""

import contextlib
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import unittest

from agent import Agent, AgentError
from base import SITE, Scenario, corp
from gates import Ntlm
from proxy import Asks, Open
from test_control import CONFIG
from wire import PATIENCE, get, once

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
UNITS = os.path.join(ROOT, "config", "systemd")


class Manager:
    """The other end of NOTIFY_SOCKET."""

    def __init__(self, name):
        self.name = name
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(name.replace("@", "\0", 1) if name[0] == "@" else name)
        self.socket.settimeout(PATIENCE)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def told(self):
        """The next datagram, as a dictionary."""
        return dict(line.split("=", 1) for line in self.socket.recv(4096).decode().splitlines())

    def silent(self):
        """Nothing is there; for when the agent has ended."""
        self.socket.setblocking(False)
        try:
            return self.socket.recv(4096)
        except BlockingIOError:
            return None


class Notify(Scenario):
    def manager(self, name=None):
        folder = self.stack.enter_context(tempfile.TemporaryDirectory())
        return self.stack.enter_context(Manager(name or os.path.join(folder, "notify")))

    def launch(self, manager, config=None, **options):
        proxy = self.proxy(Open())
        return self.agent(config or proxy.upstream(), env={"NOTIFY_SOCKET": manager if isinstance(manager, str) else manager.name}, **options)

    def test_ready_reload_stop(self):
        for name in (None, "@exeat-test-%d" % os.getpid()):
            with self.subTest(name=name):
                manager = self.manager(name)
                agent = self.launch(manager, ready=False)
                self.assertEqual(manager.told(), {"READY": "1"})
                port = int(re.search(r"ready: listening on http://\S+:(\d+)", agent.log())[1])
                agent.port = port  # no waiting: it listens when it says so
                self.assertEqual(once(port, get(SITE + "/echo")).status, 200)
                agent.reload()
                told = manager.told()
                self.assertEqual(told.pop("RELOADING"), "1")
                self.assertGreater(int(told["MONOTONIC_USEC"]), 0)
                self.assertEqual(manager.told(), {"READY": "1"})
                agent.stop()
                self.assertEqual(manager.told(), {"STOPPING": "1"})
                self.assertIsNone(manager.silent())

    def test_reload_that_fails_is_over_too(self):
        manager = self.manager()
        agent = self.launch(manager)
        self.assertEqual(manager.told(), {"READY": "1"})
        agent.write("exeat.conf", "[nonsense]\n")
        self.assertEqual(agent.exeat("reload").returncode, CONFIG)
        self.assertEqual(manager.told()["RELOADING"], "1")
        self.assertEqual(manager.told(), {"READY": "1"})

    def test_not_ready_when_it_cannot_start(self):
        manager = self.manager()
        with self.assertRaisesRegex(AgentError, "ended with status %d" % CONFIG):
            self.launch(manager, "[upstream corp]\nnonsense = 1\n")
        self.assertIsNone(manager.silent())

    def test_others_cannot_speak_for_it(self):
        """What the agent starts does not have the variable."""
        manager = self.manager()
        proxy = self.proxy(Asks(Ntlm()))
        agent = self.agent(proxy.upstream(corp("ntlm", secret="command:env >@DIR@/environment; cat @DIR@/secret")), env={"NOTIFY_SOCKET": manager.name})
        self.assertEqual(self.ask(agent).status, 200)
        with open(os.path.join(agent.directory, "environment"), encoding="utf-8") as file:
            text = file.read()
        self.assertIn("PATH=", text)
        self.assertNotIn("NOTIFY_SOCKET", text)

    def test_nobody_there(self):
        for name in ("/nowhere/notify", "@exeat-test-nobody", "relative", "/" + "x" * 200, "@"):
            with self.subTest(name=name):
                agent = self.launch(name)
                self.assertEqual(self.ask(agent).status, 200)
                self.assertIn("nobody is told when the agent is ready", agent.log())
        agent = self.launch("")
        self.assertNotIn("nobody is told", agent.log())

    def test_manager_that_does_not_read(self):
        """Its queue is full: nothing waits for it."""
        manager = self.manager()
        sent = 1
        while sent:  # each of them has a limit of its own too
            sent, other = 0, self.stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
            other.setblocking(False)
            other.connect(manager.name)
            with contextlib.suppress(BlockingIOError):
                while sent < 100000:
                    sent += bool(other.send(b"STATUS=x"))
        agent = self.launch(manager)
        agent.reload()
        self.assertEqual(self.ask(agent).status, 200)


# Arguments: a list of system calls and of address families, "--", the command. All other calls fail with EPERM, sockets of other families with
# EAFNOSUPPORT, as systemd makes it with SystemCallFilter=, SystemCallErrorNumber=EPERM and RestrictAddressFamilies=.
FILTER = r"""
import ctypes, errno, os, socket, sys
end = sys.argv.index("--")
calls, families = sys.argv[1].split(), sys.argv[2].split()
lib = ctypes.CDLL("libseccomp.so.2")
lib.seccomp_init.restype = ctypes.c_void_p
class Compare(ctypes.Structure):
    _fields_ = [("arg", ctypes.c_uint), ("op", ctypes.c_int), ("a", ctypes.c_uint64), ("b", ctypes.c_uint64)]
ERRNO, ALLOW, EQ = 0x00050000, 0x7FFF0000, 4
filter = ctypes.c_void_p(lib.seccomp_init(ERRNO | errno.EPERM))
add = lib.seccomp_rule_add_array
add.argtypes = [ctypes.c_void_p, ctypes.c_uint32, ctypes.c_int, ctypes.c_uint, ctypes.c_void_p]
for name in calls:
    number = lib.seccomp_syscall_resolve_name(name.encode())
    if name == "socket":
        for family in families:
            compare = Compare(0, EQ, getattr(socket, family), 0)
            assert add(filter, ALLOW, number, 1, ctypes.byref(compare)) == 0
    elif number >= 0:
        assert add(filter, ALLOW, number, 0, None) == 0, name
assert lib.seccomp_load(filter) == 0
os.execvp(sys.argv[end + 1], sys.argv[end + 1:])
"""


def directive(unit, name):
    with open(os.path.join(UNITS, unit), encoding="utf-8") as file:
        return re.search(r"^%s=(.*)$" % name, file.read(), re.M)[1]


def system_calls(words):
    """Of a SystemCallFilter=, groups replaced by what is in them."""
    calls = []
    for word in words.split():
        if word[0] != "@":
            calls.append(word)
            continue
        shown = subprocess.run(["systemd-analyze", "syscall-filter", word], capture_output=True, text=True, timeout=PATIENCE, check=True)
        calls += system_calls(" ".join(line.strip() for line in shown.stdout.splitlines()[1:] if line.strip() and "#" not in line))
    return calls


@unittest.skipUnless(shutil.which("systemd-analyze"), "no systemd-analyze here")
class Units(Scenario):
    def test_systemd_takes_the_template(self):
        place = self.stack.enter_context(Agent(None, start=False))
        with open(os.path.join(UNITS, "exeat@.service"), encoding="utf-8") as file:
            place.write("exeat@.service", file.read().replace("/usr/local/bin/exeat", os.path.join(place.build, "exeat")))
        done = subprocess.run(["systemd-analyze", "--man=no", "verify", os.path.join(place.directory, "exeat@.service")],
                              env=place.env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=PATIENCE, check=False)
        self.assertEqual((done.returncode, done.stdout), (0, ""))

    def test_the_agent_lives_with_their_filters(self):
        """And has its own sandbox inside of theirs."""
        plain = self.agent(self.proxy(Open())).status()["confined"]
        no_leaks = {"ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":detect_leaks=0"}  # LeakSanitizer needs calls that the filters forbid
        for unit in ("exeat.service", "exeat@.service"):
            with self.subTest(unit=unit):
                wrap = [sys.executable, "-I", "-c", FILTER, " ".join(system_calls(directive(unit, "SystemCallFilter"))),
                        directive(unit, "RestrictAddressFamilies"), "--"]
                proxy = self.proxy(Asks(Ntlm()))
                agent = self.agent(proxy.upstream(corp("ntlm", secret="command:cat @DIR@/secret")), wrap=wrap, env=no_leaks)
                self.assertEqual(self.ask(agent).status, 200)
                self.tunnel(agent)
                agent.reload()
                self.assertEqual(agent.status()["confined"], plain)
