"""Whose programs may use the agent: real processes of other users, on every kind of listener; those of users that are not named read 403."""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import unittest

import wire
from agent import PATIENCE, Agent, wait_until
from base import SITE, Scenario
from proxy import Open
from wire import Wire, get

NOBODY, DAEMON = 65534, 1
ROOT_ONLY = "only root can be another user; the tests of one's own processes run"
LISTEN = "[listen]\nhttp = %s\n%s"

# family, address (with a port, or a path), what to do, how long to wait, and the number of a socket to do it with; the request comes as
# standard input, the answer goes to standard output.
CLIENT = r"""
import os, socket, sys
family, address, port, way, made = int(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4], sys.argv[6]
request = sys.stdin.buffer.read()
s = socket.socket(fileno=int(made)) if made else socket.socket(family)
s.settimeout(float(sys.argv[5]))
s.connect((address, int(port)) if port else address)
s.sendall(request)
if way == "shut":
    s.shutdown(socket.SHUT_WR)
while way != "leave":
    data = s.recv(65536)
    if not data:
        break
    sys.stdout.buffer.write(data)
"""


def run_client(uid, address, port, request, way="read", family=None, made=None):
    """A process of that user that sends the request, by a socket of its own or one that was made for it; returns all that it read."""
    family = family or (wire.socket.AF_UNIX if port is None else wire.socket.AF_INET6 if ":" in address else wire.socket.AF_INET)
    user = {"user": uid, "group": uid, "extra_groups": []} if os.geteuid() == 0 else {}
    command = [sys.executable, "-I", "-c", CLIENT, str(int(family)), address, str(port or ""), way, str(PATIENCE), str(made.fileno()) if made else ""]
    done = subprocess.run(command, input=request, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd="/", timeout=PATIENCE, check=False,
                          pass_fds=[made.fileno()] if made else [], **user)
    if done.returncode:
        raise AssertionError("the client as user %d: %s" % (uid, done.stderr.decode()))
    return done.stdout


def answer_of(data):
    head, _, body = data.partition(b"\r\n\r\n")
    message = wire.parse_head(head + b"\r\n\r\n")
    message.body = body
    return message


class Door(Scenario):
    def listening(self, lines="", where="127.0.0.1:0", **options):
        proxy = self.proxy(Open())
        return proxy, self.agent(LISTEN % (where, lines) + proxy.upstream(), **options)

    def asks(self, uid, agent, address="127.0.0.1", port=0, request=None, **options):
        data = run_client(uid, address, agent.port if port == 0 else port, get(SITE + "/echo", "Connection: close") if request is None else request, **options)
        return answer_of(data)

    def refused(self, answer, uid=NOBODY, lists="self root"):
        self.own(answer, 403, "http_request_denied", r"belongs to uid %d\b" % uid, r'"allow-uids = %s (%d|root|self)"' % (lists, uid), r"In the log of exeat: c\d+")
        self.assertTrue(answer.has_token("Connection", "close"))
        self.assertEqual(int(answer.get("Content-Length")), len(answer.body))

    def ends_at_once(self, uid):
        """A process that sends a request and has ended before the agent looks."""
        proxy, agent = self.listening()
        os.kill(agent.pid, signal.SIGSTOP)
        wait_until(lambda: _state(agent.pid) == "T", "the agent to stand still")
        run_client(uid, "127.0.0.1", agent.port, get("http://leak.example/"), "leave")
        os.kill(agent.pid, signal.SIGCONT)
        agent.wait_log(r"closed it or ended")
        self.assertEqual(self.ask(agent).status, 200)
        self.assertEqual([request.target for request in proxy.requests], [SITE + "/echo"])

    def as_nobody(self, lines=""):
        """An agent that is nobody's; its programs where that user can reach them."""
        programs = tempfile.mkdtemp(prefix="exeat-test-")
        self.stack.callback(shutil.rmtree, programs)
        os.chmod(programs, 0o755)
        proxy = self.proxy(Open())
        agent = Agent(LISTEN % ("127.0.0.1:0", lines) + proxy.upstream(), start=False,
                      wrap=["setpriv", "--reuid=%d" % NOBODY, "--regid=%d" % NOBODY, "--clear-groups"])
        for name in ("exeat", "exeat-keys"):
            shutil.copy(os.path.join(agent.build, name), programs)
        agent.build = programs
        self.stack.enter_context(agent)
        for folder, folders, files in os.walk(agent.directory):
            for name in folders + files + ["."]:
                os.chown(os.path.join(folder, name), NOBODY, NOBODY)
        agent.start()
        return agent


class OwnUser(Door):
    def test_own_process(self):
        for lines in ("", "allow-uids = self\n", "allow-uids = any\n", "allow-uids = %d\n" % os.geteuid()):
            with self.subTest(lines):
                _, agent = self.listening(lines, "127.0.0.1:0 [::1]:0 unix:@DIR@/socket")
                self.assertEqual(self.asks(os.geteuid(), agent).status, 200)
                self.assertEqual(self.asks(os.geteuid(), agent, "::1", agent.listeners[1][1]).status, 200)
                self.assertEqual(self.asks(os.geteuid(), agent, "::ffff:127.0.0.1").status, 200)
                self.assertEqual(self.asks(os.geteuid(), agent, agent.listeners[2], None).status, 200)

    def test_own_uid_not_named(self):
        proxy, agent = self.listening("allow-uids = %d\n" % DAEMON, "127.0.0.1:0 [::1]:0 unix:@DIR@/socket")
        for address, port in (("127.0.0.1", agent.port), ("::1", agent.listeners[1][1]), ("::ffff:127.0.0.1", agent.port), (agent.listeners[2], None)):
            with self.subTest(address):
                self.refused(self.asks(os.geteuid(), agent, address, port), os.geteuid(), str(DAEMON))
        self.assertEqual(proxy.requests, [])

    def test_refused_before_a_byte(self):
        _, agent = self.listening("allow-uids = %d\n" % DAEMON)
        with Wire.connect(agent.port) as silent:
            self.refused(silent.read_response(), os.geteuid(), str(DAEMON))
            self.assertTrue(silent.closed())

    def test_reload(self):
        proxy, agent = self.listening("allow-uids = %d\n" % DAEMON)
        kept = self.wire(agent)
        self.assertEqual(kept.read_response().status, 403)
        agent.configure(LISTEN % ("127.0.0.1:0", "") + proxy.upstream())
        agent.reload()
        self.assertEqual(self.ask(agent).status, 200)
        inside = self.wire(agent)
        self.assertEqual(inside.ask(get(SITE + "/echo")).status, 200)
        agent.configure(LISTEN % ("127.0.0.1:0", "allow-uids = %d\n" % DAEMON) + proxy.upstream())
        agent.reload()
        self.assertEqual(self.ask(agent).status, 403)
        self.assertEqual(inside.ask(get(SITE + "/echo")).status, 200)  # who was let in stays in

    def test_own_process_ends_at_once(self):
        self.ends_at_once(os.geteuid())

    def test_unknown_user_in_the_configuration(self):
        agent = self.agent(LISTEN % ("127.0.0.1:0", "allow-uids = self no-such-user\n") + "[upstream corp]\nproxy = http://127.0.0.1:9\n", start=False)
        done = agent.exeat("check", "--config", agent.config_path)
        self.assertNotEqual(done.returncode, 0)
        self.assertRegex(done.stdout + done.stderr, r'exeat\.conf:3: allow-uids: there is no user "no-such-user" on this machine')


@unittest.skipUnless(os.geteuid() == 0, ROOT_ONLY)
class OtherUsers(Door):
    """The agent is root's, the client nobody's; and the other way round."""

    def test_refused(self):
        proxy, agent = self.listening("", "127.0.0.1:0 [::1]:0")
        for request in (get(SITE + "/echo"), get("site.example:443", method="CONNECT"), get(SITE + "/echo", method="POST", body=b"x" * 1000000),
                        get(SITE + "/echo", method="HEAD"), b"\5\1\0", b""):
            with self.subTest(request[:30]):
                self.refused(self.asks(NOBODY, agent, request=request))
        self.assertEqual(self.ask(agent).status, 200)
        self.assertEqual(len(proxy.requests), 1)
        self.assertRegex(agent.log(), r"warning: \[c1\] client 127\.0\.0\.1:\d+: the connection belongs to uid %d" % NOBODY)

    def test_refused_before_a_byte(self):
        _, agent = self.listening()
        self.refused(self.asks(NOBODY, agent, request=b""))

    def refused_at(self, listener, address):
        proxy, agent = self.listening("", "127.0.0.1:0 [::1]:0")
        port = agent.listeners[listener][1]
        self.refused(self.asks(NOBODY, agent, address, port))
        self.assertEqual(self.asks(0, agent, address, port).status, 200)
        self.assertEqual(len(proxy.requests), 1)

    def test_ipv4(self):
        self.refused_at(0, "127.0.0.1")

    def test_ipv6(self):
        self.refused_at(1, "::1")

    def test_v4_mapped(self):
        """An IPv6 socket that is connected to an IPv4 address; the kernel's answer is of another family than the question."""
        self.refused_at(0, "::ffff:127.0.0.1")

    def test_whoever_made_the_socket(self):
        """That is what the kernel knows of it: one that root made and another uses is root's, and the other way round."""
        proxy, agent = self.listening()
        for maker, user in ((0, NOBODY), (NOBODY, 0)):
            with self.subTest(maker=maker):
                os.seteuid(maker)
                try:
                    made = self.stack.enter_context(wire.socket.socket())
                finally:
                    os.seteuid(0)
                answer = answer_of(run_client(user, "127.0.0.1", agent.port, get(SITE + "/echo", "Connection: close"), made=made))
                if maker == 0:
                    self.assertEqual(answer.status, 200)
                else:
                    self.refused(answer)
        self.assertEqual(len(proxy.requests), 1)

    def test_ends_at_once(self):  # the kernel says uid 0 of it
        self.ends_at_once(NOBODY)

    def test_crowd(self):
        proxy, agent = self.listening()
        os.seteuid(NOBODY)  # sockets belong to whoever makes them
        try:
            crowd = [Wire(self.stack.enter_context(wire.socket.socket())) for _ in range(200)]
        finally:
            os.seteuid(0)
        texts = []
        for connection in crowd:
            try:
                connection.sock.connect(("127.0.0.1", agent.port))
                texts.append(connection.read_to_end())
            except ConnectionResetError:  # too many to have words with each
                texts.append(b"")
        self.assertTrue(all(text == b"" or text.startswith(b"HTTP/1.1 403 ") for text in texts))
        self.assertTrue(any(texts))
        self.assertLess(len(re.findall("belongs to uid", agent.log())), 100)
        self.assertEqual(self.ask(agent).status, 200)
        self.assertEqual(len(proxy.requests), 1)

    def test_named(self):
        for lines in ("allow-uids = any\n", "allow-uids = self root %d\n" % NOBODY, "allow-uids = nobody\n"):
            with self.subTest(lines):
                _, agent = self.listening(lines, "127.0.0.1:0 [::1]:0")
                self.assertEqual(self.asks(NOBODY, agent).status, 200)
                self.assertEqual(self.asks(NOBODY, agent, "::1", agent.listeners[1][1]).status, 200)
                self.assertEqual(self.asks(NOBODY, agent, "::ffff:127.0.0.1").status, 200)
                if "any" in lines:
                    self.assertEqual(self.asks(DAEMON, agent).status, 200)
                else:
                    self.refused(self.asks(DAEMON, agent), DAEMON, lines.split(" = ")[1].strip())

    def test_unix_socket(self):
        for lines, admitted in (("", False), ("allow-uids = nobody\n", True)):
            with self.subTest(lines):
                _, agent = self.listening(lines, "127.0.0.1:0 unix:@DIR@/socket")
                os.chmod(agent.directory, 0o711)
                os.chmod(agent.listeners[1], 0o666)
                answer = self.asks(NOBODY, agent, agent.listeners[1], None)
                if admitted:
                    self.assertEqual(answer.status, 200, answer.text)
                else:
                    self.refused(answer)

    def test_agent_of_another_user(self):
        agent = self.as_nobody()
        self.assertEqual(self.asks(0, agent).status, 200)
        self.assertEqual(self.asks(NOBODY, agent).status, 200)
        self.refused(self.asks(DAEMON, agent), DAEMON)

    def test_root_only_where_it_is_named(self):
        agent = self.as_nobody("allow-uids = self\n")
        self.assertEqual(self.asks(NOBODY, agent).status, 200)
        self.refused(self.asks(0, agent), 0, "self")


def _state(pid):
    with open("/proc/%d/stat" % pid) as stat:
        return stat.read().rsplit(")", 1)[1].split()[0]
