"""Connections made ready ahead of need: what they save, what they must never hold, and when they go."""

import base64
import os
import signal
import threading

import ntlm
from agent import wait_until
from base import AUTH, SITE, Later, Scenario, corp
from behaviours import Slow
from gates import Basic, Digest, Negotiate, Ntlm
from proxy import Asks, Open, wait_closed
from wire import get

GATES = {"basic": Basic, "digest": Digest, "ntlm": Ntlm, "negotiate": Negotiate}
NOWHERE = "http://exeat.invalid/"
DEBUG = "\n[log]\nlevel = debug\n"


class Origin(Open):
    """Open, and the targets that got past the proxy."""

    def __init__(self):
        self.reached = []
        super().__init__()

    def handle(self, conn, request):
        self.reached.append(request.target)
        return super().handle(conn, request)


class Spares(Scenario):
    def begin(self, behaviour, lines, **options):
        return self.both(behaviour, lines, more=DEBUG, **options)

    def figures(self, agent):
        return agent.status()["upstreams"][0]["proxies"][0]

    def ready(self, agent, times=1):
        """Waits until so many spares have been made since the start."""
        wait_until(lambda: agent.log().count("ready ahead of need") >= times, "%d spares" % times)

    def spare(self, proxy):
        """The proxy's connections that carried nothing for anybody yet."""
        return [conn for conn in proxy.connections if all(r.target == NOWHERE for r in conn.requests)]

    def asked(self, proxy, target):
        return [r for r in proxy.requests if r.target == target]

    def test_second_connect_costs_one_round_trip(self):
        origin = Origin()
        proxy, agent = self.begin(Asks(Ntlm(), then=origin), corp("ntlm"))
        self.echoes(self.tunnel(agent, "first.example:443"))
        self.assertEqual(len(self.asked(proxy, "first.example:443")), 3)
        for i in range(3):
            self.ready(agent, i + 1)
            target = "site%d.example:443" % i
            self.echoes(self.tunnel(agent, target))
            request, = self.asked(proxy, target)
            self.assertEqual([r.target for r in request.conn.requests], [NOWHERE, target])
        self.assertNotIn(NOWHERE, origin.reached)

    def test_any_request_may_have_it(self):
        proxy, agent = self.begin(Asks(Ntlm()), corp("ntlm"))
        self.tunnel(agent)
        self.ready(agent)
        self.assertEqual(self.ask(agent, method="POST", body=b"x" * 100000).status, 200)
        post, = [r for r in proxy.requests if r.method == "POST"]
        self.assertEqual(post.conn.requests[0].target, NOWHERE)
        self.assertEqual(len(post.body), 100000)

    def test_turned_off(self):
        proxy, agent = self.begin(Asks(Ntlm()), corp("ntlm", more="spares = 0"))
        self.tunnel(agent, "first.example:443")
        self.tunnel(agent, "second.example:443")
        self.assertEqual(len(self.asked(proxy, "second.example:443")), 2)
        self.assertEqual((self.asked(proxy, NOWHERE), len(proxy.connections)), ([], 2))

    def test_plain_requests_make_none(self):
        behaviour = Asks(Ntlm())
        proxy, agent = self.begin(behaviour, corp("ntlm"))
        for i in range(30):
            self.assertEqual(self.ask(agent, "/%d" % i).status, 200)
        self.assertEqual((len(proxy.connections), behaviour.asked), (1, 2))
        self.assertEqual(self.figures(agent)["spare"], 0)

    def test_number_follows_demand(self):
        proxy, agent = self.begin(Asks(Ntlm()), corp("ntlm", more="spares = 3"))
        self.tunnel(agent)
        self.ready(agent)
        self.assertEqual(self.figures(agent)["spare"], 1)

        def enough():
            status = agent.status()
            figures = status["upstreams"][0]["proxies"][0]
            return figures["spare"] == min(3, status["tunnels_open"]) and figures

        for _ in range(4):
            self.tunnel(agent)
            figures = wait_until(enough, "as many as tunnels, up to three")
        self.assertEqual((figures["spare"], figures["idle"], figures["busy"]), (3, 0, 0))
        self.assertLessEqual(len(self.spare(proxy)), 3)
        self.assertIn("3 ready ahead of need", agent.exeat("status").stdout)

    def test_no_spare_holds_what_counts(self):
        """Whatever the scheme, what a spare's connection has carried is a Type 1 or nothing."""
        for name, kind in GATES.items():
            with self.subTest(name):
                gate = kind()
                proxy, agent = self.begin(Asks(gate), corp(AUTH[name], "CORP\\alice" if name in ("ntlm", "negotiate") else "alice"))
                for _ in range(3):
                    before = agent.log().count("ready ahead of need")
                    self.tunnel(agent)
                    self.ready(agent, before + 1)
                proxy.wait(lambda: self.spare(proxy), "a spare")
                for request in self.asked(proxy, NOWHERE):
                    scheme, _, token = request.get("Proxy-Authorization").partition(" ")
                    self.assertEqual(scheme.lower(), name)
                    self.assertEqual(ntlm.kind(ntlm.find(base64.b64decode(token))), 1)
                self.assertEqual(bool(self.asked(proxy, NOWHERE)), name in ("ntlm", "negotiate"))
                self.assertEqual((gate.attempts, gate.failed), (3, 0))
                # and with it the next CONNECT is one request
                self.tunnel(agent, "last.example:443")
                self.assertEqual(len(self.asked(proxy, "last.example:443")), 1)

    def test_without_authentication(self):
        proxy, agent = self.begin(Open(), "auth = none")
        self.tunnel(agent)
        self.ready(agent)
        self.echoes(self.tunnel(agent))
        self.assertEqual([r.target for r in proxy.requests], ["site.example:443"] * 2)

    def test_they_expire(self):
        """In seconds, and sooner at a proxy that has closed idle connections soon: one was closed as soon as it was idle."""
        proxy, agent = self.begin(Asks(Ntlm()), corp("ntlm"))
        self.ask(agent)
        proxy.drop_all()
        wait_until(lambda: self.figures(agent)["idle_limit_ms"] == 1000, "the limit to be learned")
        self.tunnel(agent)
        self.ready(agent)
        spare, = self.spare(proxy)
        wait_closed(spare)
        wait_until(lambda: self.figures(agent)["spare"] == 0, "no spare")
        self.assertEqual(self.spare(proxy), [spare])  # and no other is made without need

    def test_new_secret_drops_them(self):
        gate = Ntlm()
        proxy, agent = self.begin(Asks(gate), corp("ntlm"))
        self.tunnel(agent)
        self.ready(agent)
        spare, = self.spare(proxy)
        agent.write("secret", "another\n")
        gate.password = "another"
        agent.reload()
        wait_closed(spare)
        self.tunnel(agent)
        self.assertEqual(gate.failed, 0)

    def test_keyholder_that_died(self):
        proxy, agent = self.begin(Asks(Ntlm()), corp("ntlm"))
        self.tunnel(agent)
        self.ready(agent)
        os.kill(agent.keys_pid(), signal.SIGKILL)
        self.echoes(self.tunnel(agent))

    def test_closed_by_the_proxy(self):
        proxy, agent = self.begin(Asks(Ntlm()), corp("ntlm"))
        self.tunnel(agent)
        self.ready(agent)
        for conn in self.spare(proxy):
            conn.sock.shutdown(2)
        wait_until(lambda: self.figures(agent)["spare"] == 0, "the spare to go")
        self.assertEqual(self.figures(agent)["idle_limit_ms"], 50000)  # that says nothing about connections that were used
        self.echoes(self.tunnel(agent))

    def test_one_that_speaks(self):
        proxy, agent = self.begin(Asks(Ntlm()), corp("ntlm"))
        self.tunnel(agent)
        self.ready(agent)
        spare, = self.spare(proxy)
        spare.send(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")
        wait_closed(spare)
        self.echoes(self.tunnel(agent))

    def test_proxy_that_lets_the_knock_through(self):
        """It looks at no credentials for that name: it finds no server either, and gets no more knocks for a while."""
        class Exempts(Asks):
            def handle(self, conn, request):
                if request.target == NOWHERE:
                    conn.answer(503, b"no such host\n")
                    return True
                return super().handle(conn, request)
        proxy, agent = self.begin(Exempts(Ntlm()), corp("ntlm"))
        self.tunnel(agent)
        agent.wait_log("no connections are made ready ahead")
        wait_closed(self.asked(proxy, NOWHERE)[0].conn)
        for _ in range(3):
            self.echoes(self.tunnel(agent))
        self.assertEqual(len(self.asked(proxy, NOWHERE)), 1)

    def test_one_that_fails_is_said_once(self):
        proxy = None
        meet = threading.Barrier(4)

        class Closing(Open):
            def connect(self, conn, request):
                proxy.stop_listening()
                return super().connect(conn, request)

            def handle(self, conn, request):
                if request.method == "GET":
                    meet.wait(30)
                return super().handle(conn, request)
        proxy, agent = self.begin(Closing(), "auth = none")
        for later in [Later(self.ask, agent) for _ in range(4)]:
            later.result()
        for _ in range(4):
            self.echoes(self.tunnel(agent))
        agent.wait_log("no connections are made ready ahead for a while")
        self.assertEqual(agent.log().count("no connections are made ready ahead"), 1)

    def test_requests_come_first(self):
        """Spares leave places free, and give up their own where all are taken."""
        behaviour = Slow()
        proxy, agent = self.begin(behaviour, "auth = none\nconnections = 4\nspares = 16")
        behaviour.release.set()
        for i in range(6):
            self.tunnel(agent)
            wait_until(lambda: self.figures(agent)["spare"] == min(i + 1, 3), "the spares")
        behaviour.release.clear()
        before = len(proxy.requests)
        asked = [Later(self.ask, agent, "/bytes/%d" % i) for i in range(4)]
        proxy.wait_requests(before + 4)  # all at once
        behaviour.release.set()
        self.assertEqual([later.result().status for later in asked], [200] * 4)

    def test_a_new_connection_takes_the_place_of_a_spare(self):
        behaviour = Slow()
        proxy, agent = self.begin(behaviour, "auth = none\nconnections = 2\nspares = 1")
        behaviour.release.set()
        self.tunnel(agent)
        self.ready(agent)
        behaviour.release.clear()
        client = self.wire(agent)
        client.send(get(SITE + "/bytes/1"))
        other = self.wire(agent)
        other.send(get(SITE + "/bytes/2"))
        proxy.wait_requests(3)
        behaviour.release.set()
        self.assertEqual((client.read_response("GET").status, other.read_response("GET").status), (200, 200))
