"""Bodies of any size with flat memory: each side is read only as fast as the other takes it."""

import hashlib
import socket
import threading

import memory
from base import SITE, Scenario, corp
from behaviours import Endless, SlowReader
from gates import Ntlm
from proxy import Asks, Open, content
from wire import get

MEGABYTE = 1 << 20
GROWTH = 6 * 1024  # KiB of the agent's peak; under a sanitizer nothing of the kind can be said


class Flow(Scenario):
    def flat(self, agent, before):
        if not memory.sanitized("/proc/%d/exe" % agent.pid):
            self.assertLess(agent.rss("VmHWM") - before, GROWTH)

    def warm(self, agent):
        self.ask(agent, "/bytes/1000000")
        self.ask(agent, "/echo", method="POST", body=content(1000000))
        return agent.rss("VmHWM")

    def fill(self, connection, limit):
        """Sends until nothing more is taken; returns how much went in."""
        connection.sock.settimeout(1)
        block, sent = content(MEGABYTE), 0
        try:
            while sent < limit:
                sent += connection.sock.send(block)
        except socket.timeout:
            pass
        connection.sock.settimeout(30)
        return sent

    def test_proxy_that_does_not_read(self):
        behaviour = SlowReader()
        proxy = self.proxy(behaviour, receive_buffer=65536)
        agent = self.agent(proxy)
        before = agent.rss("VmHWM")
        client = self.wire(agent)
        client.send(get(SITE + "/echo", "Content-Length: %d" % (1 << 40), method="POST"))
        sent = self.fill(client, 200 * MEGABYTE)
        self.assertLess(sent, 100 * MEGABYTE)
        self.flat(agent, before)
        client.reset()
        behaviour.release.set()
        proxy.wait(lambda: proxy.connections[0].ended_by_peer.is_set())
        proxy.errors.clear()  # cut off on purpose

    def test_client_that_does_not_read(self):
        behaviour = Endless(300 * MEGABYTE)
        proxy, agent = self.both(behaviour)
        before = agent.rss("VmHWM")
        client = self.wire(agent)
        client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        client.send(get(SITE + "/"))
        client.read_head()
        seen = -1
        while seen != behaviour.sent:  # until it stands still for a while
            seen = behaviour.sent
            threading.Event().wait(0.3)
        self.assertLess(seen, 100 * MEGABYTE)
        self.flat(agent, before)

    def test_tunnel_that_does_not_read(self):
        class Deaf(Open):
            release = threading.Event()

            def tunnel(self, conn):
                self.release.wait(30)
        proxy = self.proxy(Deaf(), receive_buffer=65536)
        agent = self.agent(proxy)
        before = agent.rss("VmHWM")
        tunnel = self.tunnel(agent)
        self.assertLess(self.fill(tunnel, 200 * MEGABYTE), 100 * MEGABYTE)
        self.flat(agent, before)
        Deaf.release.set()

    def test_slow_client_does_not_slow_others(self):
        proxy, agent = self.both(Open())
        slow = self.wire(agent)
        slow.send(get(SITE + "/bytes/50000000"))
        slow.read_head()
        for i in range(20):
            self.assertEqual(self.ask(agent, "/bytes/%d" % i).body, content(i))
        self.assertEqual(hashlib.sha256(slow.read(50000000)).digest(), hashlib.sha256(content(50000000)).digest())

    def test_large_bodies_through_a_handshake(self):
        proxy, agent = self.both(Asks(Ntlm()), corp("ntlm"))
        before = self.warm(agent)
        size = 64 * MEGABYTE
        answer = self.ask(agent, "/bytes/%d" % size)
        self.assertEqual(hashlib.sha256(answer.body).digest(), hashlib.sha256(content(size)).digest())
        answer = self.ask(agent, "/echo", method="POST", body=content(size))
        self.assertIn(hashlib.sha256(content(size)).hexdigest(), answer.text)
        self.flat(agent, before)
