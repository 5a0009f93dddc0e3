"""Upstream connections: used again where that is right, never where it is not."""

import json
import threading

from base import SITE, Later, Scenario, corp, together
from behaviours import Canned, Slow, Stale, Unasked
from gates import Basic, Ntlm
from proxy import Asks, Open, content, wait_closed
from wire import get

EVIL = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"


class Reuse(Scenario):
    def test_authenticated_connections_are_shared_between_clients(self):
        gate = Ntlm()
        proxy, agent = self.both(Asks(gate), corp("ntlm"))
        for i in range(10):
            self.assertEqual(self.ask(agent, "/%d" % i).status, 200)
        self.assertEqual((len(proxy.connections), gate.attempts), (1, 1))

    def test_limit_of_connections_and_waiters_in_order(self):
        behaviour = Slow()
        proxy, agent = self.both(behaviour, "auth = none\nconnections = 2")
        asked = [Later(self.ask, agent, "/bytes/%d" % i) for i in range(10)]
        proxy.wait_requests(2)
        behaviour.release.set()
        self.assertEqual([later.result().body for later in asked], [content(i) for i in range(10)])
        self.assertEqual(len(proxy.connections), 2)

    def test_tunnels_count_towards_the_limit(self):
        proxy, agent = self.both(Open(), "auth = none\nconnections = 2")
        tunnels = [self.tunnel(agent), self.tunnel(agent)]
        waiter = Later(self.ask, agent, "/bytes/5")
        self.echoes(tunnels[0])
        tunnels[1].reset()
        self.assertEqual(waiter.result().body, content(5))
        self.assertEqual(len(proxy.connections), 3)

    def test_rest_of_a_body_nobody_wanted(self):
        """A client that leaves in the middle of an answer leaves nothing behind for the next one."""
        proxy, agent = self.both(Open())
        for _ in range(3):
            client = self.wire(agent)
            client.send(get(SITE + "/bytes/20000000"))
            client.read_head()
            client.reset()
            self.assertEqual(self.ask(agent, "/bytes/77").body, content(77))

    def test_reload_with_another_upstream_drops_idle_connections(self):
        first, second = self.proxy(Open()), self.proxy(Open())
        agent = self.agent(first)
        self.ask(agent)
        agent.configure(second.upstream())
        agent.reload()
        wait_closed(first.connections[0])
        self.ask(agent)
        self.assertEqual((len(first.requests), len(second.requests)), (1, 1))

    def test_running_tunnel_outlives_a_reload(self):
        first, second = self.proxy(Open()), self.proxy(Open())
        agent = self.agent(first)
        tunnel = self.tunnel(agent)
        agent.configure(second.upstream())
        agent.reload()
        self.echoes(tunnel)

    def test_new_secret_drops_connections_of_the_old_one(self):
        gate = Ntlm()
        proxy, agent = self.both(Asks(gate), corp("ntlm"))
        self.ask(agent)
        agent.write("secret", "another\n")
        gate.password = "another"
        agent.reload()
        self.assertEqual(self.ask(agent).status, 200)
        wait_closed(proxy.connections[0])
        self.assertEqual(gate.failed, 0)

    def test_login_drops_connections_of_the_old_secret(self):
        gate = Ntlm()
        proxy, agent = self.both(Asks(gate), corp("ntlm", secret="prompt"))
        agent.exeat("login", "corp", "--stdin", input="secret\n", check=True)
        self.assertEqual(self.ask(agent).status, 200)
        kept = proxy.connections[-1]
        gate.password = "another"
        agent.exeat("login", "corp", "--stdin", input="another\n", check=True)
        wait_closed(kept)
        self.assertEqual(self.ask(agent).status, 200)
        self.assertEqual(gate.failed, 0)


class Stales(Scenario):
    def test_get_is_sent_again_once(self):
        proxy, agent = self.both(Stale())
        client = self.wire(agent)
        self.assertEqual(client.ask(get(SITE + "/bytes/1")).status, 200)
        self.assertEqual(client.ask(get(SITE + "/bytes/2")).body, content(2))
        self.assertEqual([(r.connection, r.target[-1]) for r in proxy.requests], [(1, "1"), (1, "2"), (2, "2")])

    def test_get_with_authentication(self):
        behaviour = Asks(Ntlm(), then=Stale(good=3))
        proxy, agent = self.both(behaviour, corp("ntlm"))
        for i in range(3):
            self.assertEqual(self.ask(agent, "/bytes/%d" % i).body, content(i))

    def test_post_is_not_sent_twice(self):
        for size in (0, 100, 200000):
            with self.subTest(size):
                proxy, agent = self.both(Stale())
                client = self.wire(agent)
                client.ask(get(SITE + "/bytes/1"))
                answer = client.ask(get(SITE + "/echo", method="POST", body=content(size)))
                self.own(answer, 502)
                self.assertEqual(sum(1 for r in proxy.requests if r.method == "POST"), 1)

    def test_connect_is_sent_again(self):
        proxy, agent = self.both(Stale())
        self.ask(agent, "/bytes/1")
        self.echoes(self.tunnel(agent))

    def test_not_for_ever(self):
        proxy, agent = self.both(Stale(good=0, first_only=False))
        self.own(self.ask(agent), 502)
        self.assertLessEqual(len(proxy.requests), 3)

    def test_again_means_once_and_on_a_new_connection(self):
        """Six kept connections, all of them stale: one is tried, and then none of its brothers."""
        meet = threading.Barrier(6)

        class Six(Stale):
            def handle(self, conn, request):
                if conn.number <= 6 and len(conn.requests) == 1:
                    meet.wait(30)  # nobody is answered before all six are here
                return super().handle(conn, request)
        proxy, agent = self.both(Six(first_only=False))
        together(6, lambda i: self.ask(agent, "/bytes/1"))
        self.assertEqual(self.ask(agent, "/bytes/2").body, content(2))
        self.assertEqual(len(proxy.requests), 8)
        self.assertEqual(proxy.requests[-1].connection, 7)

    def test_not_after_the_first_byte_of_an_answer(self):
        answers = [b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n1", lambda conn, request: conn.send(b"HTTP/1.1 2") or False]
        proxy, agent = self.both(Canned(*answers))
        client = self.wire(agent)
        client.ask(get(SITE + "/1"))
        self.own(client.ask(get(SITE + "/2")), 502)
        self.assertEqual(len(proxy.requests), 2)

    def test_connections_closed_while_idle(self):
        proxy, agent = self.both(Asks(Basic()), corp("basic", "alice"))
        for i in range(5):
            self.assertEqual(self.ask(agent, "/bytes/%d" % i).body, content(i))
            proxy.drop_all()


class Unsolicited(Scenario):
    def test_bytes_on_an_idle_connection(self):
        for data in (EVIL, b"x", b"HTTP/1.1 408 Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"):
            with self.subTest(data):
                behaviour = Unasked(data)
                proxy, agent = self.both(behaviour)
                self.ask(agent, "/bytes/1")
                behaviour.release.set()
                wait_closed(proxy.connections[0])
                self.assertEqual(self.ask(agent, "/bytes/2").body, content(2))
                self.assertEqual(len(proxy.connections), 2)

    def test_bytes_behind_an_answer(self):
        proxy, agent = self.both(Unasked(EVIL, together=True))
        client = self.wire(agent)
        for _ in range(3):
            self.assertEqual(client.ask(get(SITE + "/")).body, b"ok\n")
        self.assertEqual(len(proxy.connections), 3)

    def test_body_where_none_may_be(self):
        for method, head in (("HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"), ("GET", b"HTTP/1.1 204 No\r\n\r\nevil"),
                             ("GET", b"HTTP/1.1 304 No\r\nContent-Length: 4\r\n\r\nevil")):
            with self.subTest(method=method, head=head):
                proxy, agent = self.both(Canned(head, b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"))
                client = self.wire(agent)
                self.assertIn(client.ask(get(SITE + "/", method=method)).status, (200, 204, 304))
                self.assertEqual(client.ask(get(SITE + "/")).body, b"ok")
                self.assertEqual(len(proxy.connections), 2)

    def test_answers_go_to_whom_they_belong(self):
        proxy, agent = self.both(Asks(Ntlm()), corp("ntlm"))

        def one(i):
            client_answers = []
            for k in range(20):
                client_answers.append(json.loads(self.ask(agent, "/echo/%d/%d" % (i, k)).body)["target"] == SITE + "/echo/%d/%d" % (i, k))
            return all(client_answers)
        self.assertEqual(together(8, one), [True] * 8)
