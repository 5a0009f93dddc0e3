"""Fixed tunnels: whoever connects is connected to the target, and nothing of ours is in between; a failure is a reset, and words elsewhere."""

import os
import threading
import unittest

from agent import wait_until
from base import Scenario, corp
from behaviours import Canned, EarlyBytes, Silent, Talks
from gates import Basic, Ntlm
from proxy import Asks, Open, content
from test_admit import DAEMON, NOBODY, ROOT_ONLY, run_client
from wire import PATIENCE, Wire

FORWARD = "[forward %s]\nlisten = %s\ntarget = %s\n"


class Fixed(Scenario):
    def door(self, behaviour, lines="auth = none", more="", where="127.0.0.1:0", target="git.example:22", listen="", **options):
        proxy = self.proxy(behaviour)
        config = "[listen]\nhttp = 127.0.0.1:0\n" + listen + proxy.upstream(lines) + FORWARD % ("ssh", where, target) + more
        return proxy, self.agent(config, **options)

    def client(self, agent, name="ssh"):
        return self.stack.enter_context(Wire.connect(agent.port_of("forward " + name)))

    def reset(self, client):
        """It was reset, not ended, and nothing was said before that."""
        with self.assertRaises(ConnectionResetError):
            self.assertEqual(client.sock.recv(1), b"?")

    def turned_away(self, agent):
        """The same for a new client; it may hear of it while it still connects."""
        with self.assertRaises(ConnectionResetError):
            self.assertEqual(self.client(agent).sock.recv(1), b"?")

    def forward(self, agent):
        return agent.status()["forwards"][0]

    def test_client_speaks_first(self):
        proxy, agent = self.door(Open())
        client = self.client(agent)
        self.echoes(client)
        seen = proxy.requests[0]
        self.assertEqual((seen.method, seen.target, seen.get("Host")), ("CONNECT", "git.example:22", "git.example:22"))
        agent.wait_log(r"\[c1\.r1\] CONNECT git\.example:22: 200, .*\(upstream corp, fixed tunnel\)")

    def test_far_side_speaks_first(self):
        for behaviour in (EarlyBytes(b"SSH-2.0-hello\r\n"), EarlyBytes(b"SSH-2.0-hello\r\n", b"HTTP/1.1 103 Early\r\n\r\nHTTP/1.1 200 OK\r\n\r\n")):
            _, agent = self.door(behaviour)
            client = self.client(agent)
            self.assertEqual(client.read(15), b"SSH-2.0-hello\r\n")
            self.echoes(client)

    def test_through_a_handshake(self):
        proxy, agent = self.door(Asks(Ntlm()), corp("ntlm"))
        for _ in range(3):
            client = self.client(agent)
            client.send(content(70000))
            self.assertEqual(client.read(70000), content(70000))
        self.assertEqual(self.forward(agent)["opened"], 3)

    def test_client_ends_first(self):
        _, agent = self.door(Open())
        client = self.client(agent)
        data = content(3000000)
        sender = threading.Thread(target=lambda: (client.send(data), client.shut()))
        sender.start()
        self.assertEqual(client.read_to_end(), data + b"<3000000 bytes>")
        sender.join()

    def test_client_ends_at_once(self):
        _, agent = self.door(Open())
        client = self.client(agent)
        client.shut()
        self.assertEqual(client.read_to_end(), b"<0 bytes>")

    def test_far_side_ends_first(self):
        behaviour = Talks(2000000)
        _, agent = self.door(behaviour)
        client = self.client(agent)
        self.assertEqual(client.read_to_end(), content(2000000))
        client.send(content(500000))
        client.shut()
        self.assertTrue(behaviour.end.wait(PATIENCE))
        self.assertEqual(behaviour.got, content(500000))

    def test_refused(self):
        for behaviour, lines, words in (
                (Canned(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 3\r\n\r\nno\n"), "auth = none", "the proxy answered 403 Forbidden to CONNECT git.example:22"),
                (Canned(b"HTTP/1.1 503 No\r\nX-Squid-Error: ERR_DNS_FAIL 0\r\nContent-Length: 3\r\n\r\nno\n"), "auth = none", r"503 No .*\(ERR_DNS_FAIL 0\)"),
                (Asks(Basic()), corp("basic", "alice", "file:@DIR@/wrong"), "refused the password of alice")):
            with self.subTest(words):
                _, agent = self.door(behaviour, lines, files={"wrong": "wrong\n"})
                self.assertNotIn("last_failure", self.forward(agent))
                self.turned_away(agent)
                agent.wait_log(r"warning: \[c1\.r1\] .*" + words)
                forward = self.forward(agent)
                self.assertEqual((forward["opened"], forward["failed"]), (0, 1))
                self.assertRegex(forward["last_failure"], words)
                said = agent.exeat("status", check=True).stdout
                self.assertRegex(said, r"Forward ssh\n  listens on    127\.0\.0\.1:%d\n  leads to      git\.example:22\n" % agent.port_of("forward ssh"))
                self.assertRegex(said, r"tunnels       0 opened, 1 failed\n  last failure  .*%s.*ago\)\n" % words)

    def test_proxy_is_down(self):
        proxy, agent = self.door(Open())
        proxy.stop_listening()
        self.turned_away(agent)
        self.assertRegex(self.forward(agent)["last_failure"], "cannot connect to %s" % proxy.address)

    def test_direct(self):
        server = self.proxy(Open())
        proxy, agent = self.door(Open(), target=server.address, more="[route]\nno-proxy = 127.0.0.1\n")
        client = self.client(agent)
        client.send(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        self.assertEqual(client.read_response().status, 200)
        self.assertEqual(proxy.requests, [])

    def test_several(self):
        proxy, agent = self.door(Open(), more=FORWARD % ("db", "unix:@DIR@/db 127.0.0.1:0", "[2001:db8::5]:5432"))
        self.echoes(self.client(agent))
        self.echoes(self.client(agent, "db"))
        self.echoes(self.stack.enter_context(Wire.connect_unix(os.path.join(agent.directory, "db"))))
        self.assertEqual([r.target for r in proxy.requests], ["git.example:22", "[2001:db8::5]:5432", "[2001:db8::5]:5432"])
        forwards = agent.status()["forwards"]
        self.assertEqual([(f["name"], f["target"], f["opened"]) for f in forwards], [("ssh", "git.example:22", 1), ("db", "[2001:db8::5]:5432", 2)])
        self.assertEqual(forwards[1]["listening"], ["unix:" + os.path.join(agent.directory, "db"), "127.0.0.1:%d" % agent.port_of("forward db")])

    def test_reload(self):
        proxy, agent = self.door(Open())
        port = agent.port_of("forward ssh")
        before = self.client(agent)
        self.echoes(before)
        listen = "[listen]\nhttp = 127.0.0.1:0\n"
        agent.configure(listen + proxy.upstream() + FORWARD % ("ssh", "127.0.0.1:0 unix:@DIR@/runtime/exeat/ssh", "other.example:2222"))
        agent.reload()
        with Wire.connect(port) as client:
            self.echoes(client)
        self.assertEqual(proxy.requests[-1].target, "other.example:2222")
        self.assertEqual(self.forward(agent)["opened"], 2)
        self.echoes(before)
        agent.configure(listen + proxy.upstream() + FORWARD % ("ssh", "127.0.0.1:0", "bad"))
        self.assertEqual(agent.exeat("reload").returncode, 3)
        agent.configure(listen + proxy.upstream())
        agent.reload()
        self.assertEqual(agent.status()["forwards"], [])
        with self.assertRaises(ConnectionRefusedError):
            Wire.connect(port)
        self.echoes(before)

    def test_reload_while_a_client_waits(self):
        """Its section is gone when the proxy says no."""
        behaviour = Silent()
        proxy, agent = self.door(behaviour)
        client = self.client(agent)
        proxy.wait_requests(1)
        agent.configure("[listen]\nhttp = 127.0.0.1:0\n" + proxy.upstream())
        agent.reload()
        behaviour.release.set()
        self.reset(client)

    def test_clients_that_go_while_the_proxy_thinks(self):
        behaviour = Silent()
        proxy, agent = self.door(behaviour)
        clients = [self.client(agent) for _ in range(10)]
        proxy.wait_requests(10)
        for client in clients:
            client.reset()
        wait_until(lambda: agent.status()["clients"] == 0, "the end of all clients")
        behaviour.release.set()

    def test_own_uid_not_named(self):
        proxy, agent = self.door(Open(), listen="allow-uids = %d\n" % DAEMON)
        self.turned_away(agent)
        agent.wait_log(r"warning: \[c1\] client .*belongs to uid %d\b" % os.geteuid())
        self.assertEqual(proxy.requests, [])

    @unittest.skipUnless(os.geteuid() == 0, ROOT_ONLY)
    def test_other_users(self):
        proxy, agent = self.door(Open())
        with self.assertRaisesRegex(AssertionError, "ConnectionResetError"):
            run_client(NOBODY, "127.0.0.1", agent.port_of("forward ssh"), b"")
        self.assertEqual(proxy.requests, [])
