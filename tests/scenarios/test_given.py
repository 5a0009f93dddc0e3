"""Sockets that listen before the agent starts: systemd's socket activation, by a small launcher and by systemd's own."""

import contextlib
import os
import re
import shutil
import socket
import subprocess
import sys
import unittest

import socks
from agent import Agent, AgentError, wait_until
from base import SITE, Scenario
from ports import free_port
from proxy import Open
from test_control import CONFIG
from wire import PATIENCE, Wire, get, once

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

# Arguments: sockets as KIND:NAME:ADDRESS, "--", the command. KIND: listen, connected, udp, gone. ADDRESS: HOST PORT or a path.
LAUNCHER = r"""
import os, socket, sys
end = sys.argv.index("--")
kept, names = [], []
for word in sys.argv[1:end]:
    kind, name, address = word.split("|")
    names.append(name)
    host, _, port = address.rpartition(" ")
    family = socket.AF_UNIX if not host else socket.AF_INET6 if ":" in host else socket.AF_INET
    s = socket.socket(family, socket.SOCK_DGRAM if kind == "udp" else socket.SOCK_STREAM)
    if kind == "connected":
        s.connect((host, int(port)))
    else:
        if host:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.bind((host, int(port)) if host else address)
    if kind == "listen":
        s.listen(16)
    kept.append((s, kind))
copies = [os.dup(s.fileno()) for s, _ in kept]  # out of the way of 3, 4, ...
copies = [os.fdopen(os.dup2(fd, 100 + i), "rb", closefd=False).fileno() for i, fd in enumerate(copies)]
for i, (_, kind) in enumerate(kept):
    os.dup2(copies[i], 3 + i)
    if kind == "gone":
        os.close(3 + i)
for fd in copies:
    os.close(fd)
os.environ.update(LISTEN_PID=os.environ.get("OTHER_PID", str(os.getpid())), LISTEN_FDS=os.environ.get("OTHER_FDS", str(len(kept))))
if any(names):
    os.environ["LISTEN_FDNAMES"] = ":".join(names)
os.execvp(sys.argv[end + 1], sys.argv[end + 1:])
"""


def given(*sockets):
    return [sys.executable, "-I", "-c", LAUNCHER, *sockets, "--"]


class Given(Scenario):
    def launch(self, *sockets, listen="http = 127.0.0.1:0\n", more="", **options):
        proxy = self.proxy(Open())
        agent = self.agent("[listen]\n" + listen + proxy.upstream() + more, wrap=given(*sockets), **options)
        return proxy, agent

    def http_ports(self, agent, count):
        """Of the sockets for http that it was given, in their order: the start waits for as many as the configuration has."""
        def said():
            ports = re.findall(r"listening on http://\S+:(\d+)\s", agent.log())
            return [int(port) for port in ports] if len(ports) == count else None
        return wait_until(said, "%d sockets for http" % count)

    def served(self, port, host="127.0.0.1"):
        self.assertEqual(once(port, get(SITE + "/echo"), host=host).status, 200)

    def test_by_name(self):
        own = free_port()
        _, agent = self.launch("listen|http|127.0.0.1 0", "listen|socks|127.0.0.1 0", "listen|forward.db|127.0.0.1 0", "listen|http|::1 0",
                               listen="http = 127.0.0.1:%d\n" % own, more="[forward db]\nlisten = 127.0.0.1:%d\ntarget = db.example:5432\n" % free_port())
        four, six = self.http_ports(agent, 2)
        self.served(four)
        self.served(six, "::1")
        with Wire.connect(agent.port_of("SOCKS")) as client:
            self.assertEqual(socks.connect5(client, "site.example", 443), socks.GRANTED)
        with Wire.connect(agent.port_of("forward db")) as client:
            self.echoes(client)
        with self.assertRaises(ConnectionRefusedError):  # they take the place of the configuration's
            Wire.connect(own)
        status = agent.status()
        self.assertEqual(status["listening"], ["127.0.0.1:%d" % four, "[::1]:%d" % six])
        self.assertEqual(status["forwards"][0]["listening"], ["127.0.0.1:%d" % agent.port_of("forward db")])

    def test_by_address(self):
        ports = [free_port() for _ in range(4)]
        _, agent = self.launch("listen||127.0.0.1 %d" % ports[2], "listen||127.0.0.1 %d" % ports[0], "listen||::1 %d" % ports[1], "listen||127.0.0.1 %d" % ports[3],
                               listen="http = 127.0.0.1:%d localhost:%d\nsocks = 127.0.0.1:%d\n" % (ports[0], ports[1], ports[2]),
                               more="[forward db]\nlisten = 127.0.0.1:%d\ntarget = db.example:5432\n" % ports[3])
        self.served(ports[0])
        self.served(ports[1], "::1")
        self.assertEqual((agent.port_of("SOCKS"), agent.port_of("forward db")), (ports[2], ports[3]))

    def test_unix_sockets(self):
        proxy = self.proxy(Open())
        place = self.stack.enter_context(Agent(None, start=False)).directory
        http, other = os.path.join(place, "h"), os.path.join(place, "s")
        agent = self.agent("[listen]\nhttp = unix:%s\nsocks = unix:%s\n" % (http, other) + proxy.upstream(), wrap=given("listen||" + http, "listen|socks|" + other))
        with Wire.connect_unix(http) as client:
            self.assertEqual(client.ask(get(SITE + "/echo")).status, 200)
        with Wire.connect_unix(other) as client:
            self.assertEqual(socks.connect5(client, "site.example", 443), socks.GRANTED)
        agent.stop()
        self.assertTrue(os.path.exists(http) and os.path.exists(other))  # systemd's, not ours to remove

    def test_reload(self):
        proxy, agent = self.launch("listen|http|127.0.0.1 0", "listen|forward.db|127.0.0.1 0", more="[forward db]\nlisten = 127.0.0.1:0\ntarget = db.example:5432\n")
        agent.configure("[listen]\nhttp = 127.0.0.1:%d\n" % free_port() + proxy.upstream() + "[forward db]\nlisten = 127.0.0.1:0\ntarget = other.example:5432\n")
        agent.reload()
        self.served(agent.port)
        with Wire.connect(agent.port_of("forward db")) as client:
            self.echoes(client)
        self.assertEqual(proxy.requests[-1].target, "other.example:5432")
        agent.configure("[listen]\nhttp = 127.0.0.1:0\n" + proxy.upstream())
        done = agent.exeat("reload")
        self.assertEqual(done.returncode, CONFIG)
        self.assertRegex(done.stderr, r"named forward\.db, and there is no such \[forward NAME\]")
        with Wire.connect(agent.port_of("forward db")) as client:
            self.echoes(client)

    def test_not_for_us(self):
        """The variables of another process: what is on descriptor 3 then is somebody else's."""
        own = free_port()
        _, agent = self.launch("listen|http|127.0.0.1 0", listen="http = 127.0.0.1:%d\n" % own, env={"OTHER_PID": "1"})
        self.assertEqual(agent.port, own)
        self.served(own)

    def test_only_our_own_users(self):
        _, agent = self.launch("listen|http|127.0.0.1 0", listen="http = 127.0.0.1:0\nallow-uids = 1\n")
        self.own(once(agent.port, get(SITE)), 403, "http_request_denied", r"belongs to uid %d\b" % os.geteuid())

    def test_helpers_do_not_get_them(self):
        _, agent = self.launch("listen|http|127.0.0.1 0", "listen|http|127.0.0.1 0")  # on 3 the helper has its own
        agent.port = self.http_ports(agent, 2)[1]
        keys = wait_until(agent.keys_pid, "the keyholder")
        with open("/proc/%d/environ" % keys) as environment:
            self.assertNotIn("LISTEN_", environment.read())
        with open("/proc/%d/net/tcp" % keys) as table:
            inodes = {line.split()[9] for line in table if line.split()[1].endswith(":%04X" % agent.port) and line.split()[3] == "0A"}
        held = set()
        for fd in os.listdir("/proc/%d/fd" % keys):
            with contextlib.suppress(FileNotFoundError):  # what it has closed meanwhile
                held.add(os.readlink("/proc/%d/fd/%s" % (keys, fd)))
        self.assertTrue(inodes)
        self.assertTrue(held)
        self.assertFalse(held & {"socket:[%s]" % inode for inode in inodes})

    def test_refused(self):
        with socket.create_server(("127.0.0.1", 0)) as server:
            peer = "127.0.0.1 %d" % server.getsockname()[1]
            for sockets, env, words in (
                    (["listen|http|0.0.0.0 0"], {}, r"listens on 0\.0\.0\.0:\d+, which is not an address of this machine alone.*ListenStream=127\.0\.0\.1:PORT"),
                    (["listen|http|127.0.0.1 0", "listen|socks|:: 0"], {}, r"listens on \[::\]:\d+, which is not an address of this machine alone"),
                    (["udp|http|127.0.0.1 0"], {}, "not a stream that listens.*ListenStream="), (["connected|http|" + peer], {}, "Accept=yes"),
                    (["gone|http|127.0.0.1 0"], {}, "descriptor 3, which LISTEN_FDS promises, is not there"),
                    (["listen|exeat.socket|127.0.0.1 0"], {}, r"what the socket on 127\.0\.0\.1:\d+ is for cannot be told: write FileDescriptorName="),
                    (["listen||127.0.0.1 0"], {}, "cannot be told"), (["listen|forward.db|127.0.0.1 0"], {}, "no such \\[forward NAME\\]"),
                    (["listen|http|127.0.0.1 0"], {"OTHER_FDS": "99999999999"}, "LISTEN_FDS is not a number"),
                    (["listen|http|127.0.0.1 0"], {"OTHER_FDS": "-1"}, "LISTEN_FDS is not a number")):
                with self.subTest(sockets):
                    with self.assertRaisesRegex(AgentError, r"ended with status %d before it listened(?s:.*)error: .*%s" % (CONFIG, words)):
                        self.launch(*sockets, env=env)


@unittest.skipUnless(shutil.which("systemd-socket-activate"), "systemd's own launcher is not here")
class Systemd(Scenario):
    def test_first_connection_starts_it(self):
        """What comes before it runs waits, and is served."""
        proxy, port = self.proxy(Open()), free_port()
        agent = self.agent("[listen]\nhttp = 127.0.0.1:0\n" + proxy.upstream(), start=False)
        agent.wrap = ["systemd-socket-activate", "--listen=127.0.0.1:%d" % port, "--fdname=http", *["--setenv=" + name for name in agent.env]]
        agent._wait_ready = False
        agent.start()
        self.stack.enter_context(agent)
        answers = []

        def connect():
            try:
                answers.append(once(port, get(SITE + "/echo")))
                return True
            except ConnectionRefusedError:
                return False
        wait_until(connect, "the socket")
        self.assertEqual(answers[0].status, 200)
        agent.wait_log("ready: listening on http://127.0.0.1:%d" % port)
        agent.port = port
        self.assertEqual(self.ask(agent).status, 200)


@unittest.skipUnless(shutil.which("systemd-analyze"), "no systemd-analyze here")
class Units(Scenario):
    def test_systemd_takes_them(self):
        place = self.stack.enter_context(Agent(None, start=False))
        for name in ("exeat.service", "exeat.socket"):
            with open(os.path.join(ROOT, "config", "systemd", name)) as file:
                place.write(name, file.read().replace("/usr/local/bin/exeat", os.path.join(place.build, "exeat")))
        done = subprocess.run(["systemd-analyze", "--user", "--man=no", "verify", *[os.path.join(place.directory, name) for name in ("exeat.service", "exeat.socket")]],
                              env=place.env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=PATIENCE, check=False)
        self.assertEqual((done.returncode, done.stdout), (0, ""))
