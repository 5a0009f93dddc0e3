"""Proxies that are reached through others (via), and tunnels for everything (connect-always)."""

import json
import re
import resource

import tls
from agent import wait_until
from base import AUTH, Scenario, corp, together
from behaviours import Silent
from gates import ORIGIN, Basic, Digest, Ntlm
from onward import Onward, Pair, SocksServer
from proxy import Asks, Open
from wire import Wire, get


class Via(Scenario):
    def chain(self, *proxies, **options):
        """proxies: (Proxy, lines), the nearest to the destination first; each is reached through the next."""
        text = ""
        for at, (proxy, lines) in enumerate(proxies):
            via = "via = p%d\n" % (at + 1) if at + 1 < len(proxies) else ""
            url = "socks5://" + proxy.address if proxy.name == "socks" else proxy.url
            text += "[upstream p%d]\nproxy = %s\n%s\n%s" % (at, url, lines, via)
        more = options.pop("more", "")
        return self.agent(text + more, **options)

    def both_ways(self, agent):
        """A request and a tunnel."""
        answer = self.ask(agent)
        self.assertEqual(answer.status, 200, answer.text)
        self.echoes(self.tunnel(agent))
        return json.loads(answer.body)

    def route_says(self, agent, host, words):
        """While the one that failed sleeps: a second at first, longer each later time."""
        def said():
            self.assertEqual(self.ask(agent, host=host).status, 200)
            return re.search(words, agent.exeat("route", "http://site.example/", check=True).stdout)
        wait_until(said, "%r from exeat route" % words)


class Chain(Via):
    def test_two_proxies(self):
        near, far = self.proxy(Onward(), name="near"), self.proxy(Open(), name="far")
        agent = self.chain((far, "auth = none"), (near, "auth = none"))
        self.assertEqual(self.both_ways(agent)["target"], "http://site.example/echo")
        self.assertEqual({(r.method, r.target) for r in near.requests}, {("CONNECT", far.address)})
        self.assertEqual([(r.method, r.target) for r in far.requests], [("GET", "http://site.example/echo"), ("CONNECT", "site.example:443")])

    def test_each_has_its_own_authentication(self):
        for there, here in ((Ntlm, Basic), (Basic, Ntlm), (Digest, Digest), (Ntlm, Ntlm)):
            with self.subTest(there=there.__name__, here=here.__name__):
                far_gate, near_gate = there(user="alice", password="far"), here(user="bob", password="near")
                near, far = self.proxy(Asks(near_gate, then=Onward()), name="near"), self.proxy(Asks(far_gate), name="far")
                agent = self.chain((far, corp(AUTH[there.scheme.lower()], user="CORP\\alice" if there is Ntlm else "alice", secret="file:@DIR@/far")),
                                   (near, corp(AUTH[here.scheme.lower()], user="CORP\\bob" if here is Ntlm else "bob", secret="file:@DIR@/near")),
                                   files={"far": "far\n", "near": "near\n"})
                self.both_ways(agent)
                self.assertEqual((far_gate.failed, near_gate.failed, far_gate.faults, near_gate.faults), (0, 0, [], []))
                self.assertTrue(far_gate.attempts and near_gate.attempts)

    def test_four_in_a_row(self):
        proxies = [self.proxy(Onward() if i else Open(), name="p%d" % i) for i in range(4)]
        agent = self.chain(*[(p, "auth = none") for p in proxies])
        self.both_ways(agent)
        for at in (1, 2, 3):
            self.assertEqual({(r.method, r.target) for r in proxies[at].requests}, {("CONNECT", proxies[at - 1].address)})

    def test_connections_are_kept(self):
        near, far = self.proxy(Onward(), name="near"), self.proxy(Open(), name="far")
        agent = self.chain((far, "auth = none"), (near, "auth = none"))
        for _ in range(5):
            self.assertEqual(self.ask(agent).status, 200)
        self.assertEqual((len(near.requests), len(far.connections)), (1, 1))

    def test_tls_to_the_far_one(self):
        near, far = self.proxy(Onward(), name="near"), self.proxy(Open(), name="far", tls=tls.context())
        agent = self.chain((far, "auth = none\nca = " + tls.authority().pem), (near, "auth = none"))
        self.both_ways(agent)

    def test_tls_inside_tls(self):
        ca = "auth = none\nca = " + tls.authority().pem
        near = self.proxy(Onward(), name="near", tls=tls.context())
        far = self.proxy(Open(), name="far", tls=tls.context())
        agent = self.chain((far, ca), (near, ca))
        self.both_ways(agent)
        self.assertEqual(len(self.ask(agent, "/bytes/5000000").body), 5000000)
        echo = json.loads(self.ask(agent, "/echo", method="POST", body=b"y" * 3000000).body)
        self.assertEqual(echo["length"], 3000000)

    def test_half_close_through_tls_inside_tls(self):
        ca = "auth = none\nca = " + tls.authority().pem
        near = self.proxy(Onward(), name="near", tls=tls.context())
        far = self.proxy(Open(), name="far", tls=tls.context())
        agent = self.chain((far, ca + "\nspares = 0"), (near, ca + "\nspares = 0"))
        tunnel = self.tunnel(agent)
        tunnel.send(b"z" * 1000000)
        tunnel.shut()
        data = tunnel.read_to_end()
        self.assertEqual((len(data), data[-15:]), (1000015, b"<1000000 bytes>"))
        wait_until(lambda: near.count_open() == 0 or far.count_open() == 0, "the end of the connections")

    def test_ends_of_tls_inside_tls(self):
        """Whoever breaks off, nothing stays open on either side."""
        ca = "auth = none\nca = " + tls.authority().pem
        near = self.proxy(Onward(), name="near", tls=tls.context())
        far = self.proxy(Open(), name="far", tls=tls.context())
        agent = self.chain((far, ca + "\nspares = 0"), (near, ca + "\nspares = 0"))
        tunnel = self.tunnel(agent)
        tunnel.reset()
        near.wait(lambda: near.count_open() == 0)
        tunnel = self.tunnel(agent)
        far.drop_all()
        tunnel.read_to_end()
        tunnel.close()  # it was half-closed until now
        near.wait(lambda: near.count_open() == 0)
        tunnel = self.tunnel(agent)
        near.drop_all()
        tunnel.read_to_end()
        tunnel.close()
        near.wait(lambda: near.count_open() == 0)
        self.assertEqual(self.ask(agent).status, 200)  # kept, and closed at the end of the agent

    def test_wrong_certificate_of_the_far_one(self):
        near = self.proxy(Onward(), name="near")
        far = self.proxy(Open(), name="far", tls=tls.context())
        agent = self.chain((far, "auth = none"), (near, "auth = none"))
        self.own(self.ask(agent), 502, "tls_protocol_error", "no TLS with %s" % far.address)
        self.assertEqual(far.requests, [])

    def test_something_speaks_before_the_far_ones_tls(self):
        far = self.proxy(Open(), name="far", tls=tls.context())
        near = self.proxy(SocksServer(then=Open(), early=b"hello"), name="socks")
        agent = self.chain((far, "auth = none\nca = " + tls.authority().pem), (near, "auth = none"))
        self.own(self.ask(agent), 502, "tls_protocol_error", "before the TLS handshake")

    def test_route_shows_the_way(self):
        near, far = self.proxy(Onward(), name="near"), self.proxy(Open(), name="far")
        agent = self.chain((far, "auth = none"), (near, "auth = none"))
        self.assertRegex(agent.exeat("route", "http://site.example/", check=True).stdout,
                         r"=> proxy %s \(upstream p0\)\n +through proxy %s \(upstream p1\)" % (far.address, near.address))

    def test_socks_in_front(self):
        gate = Pair(password="near")
        near, far = self.proxy(SocksServer(gate=gate), name="socks"), self.proxy(Asks(Basic(password="far")), name="far")
        agent = self.chain((far, corp("basic", user="alice", secret="file:@DIR@/far")), (near, corp("basic", user="alice", secret="file:@DIR@/near")),
                           files={"far": "far\n", "near": "near\n"})
        self.both_ways(agent)
        self.assertEqual(near.behaviour.seen[0], ("127.0.0.1", far.port))
        self.assertTrue(gate.attempts)
        self.assertEqual(gate.failed, 0)

    def test_socks_behind(self):
        near, far = self.proxy(Onward(), name="near"), self.proxy(SocksServer(then=Open()), name="socks")
        agent = self.chain((far, "auth = none"), (near, "auth = none"))
        self.assertEqual(self.both_ways(agent)["target"], "/echo")
        self.assertEqual(near.requests[0].target, far.address)


class Failing(Via):
    def test_near_one_cannot_be_reached(self):
        near, far = self.proxy(Onward(), name="near"), self.proxy(Open(), name="far")
        agent = self.chain((far, "auth = none"), (near, "auth = none"))
        near.stop_listening()
        self.own(self.ask(agent), 502, "connection_refused", "on the way to %s, through %s" % (far.address, near.address))

    def test_far_one_cannot_be_reached(self):
        near, far = self.proxy(Onward(), name="near"), self.proxy(Open(), name="far")
        agent = self.chain((far, "auth = none"), (near, "auth = none"))
        far.stop_listening()
        self.own(self.ask(agent), 502, "connection_refused",
                 "on the way to %s, through %s: the proxy %s answered 503 .* to CONNECT %s" % (far.address, near.address, near.address, far.address))

    def test_near_one_forbids_it(self):
        far = self.proxy(Open(), name="far")
        near = self.proxy(Onward(answers={far.address: 403}), name="near")
        agent = self.chain((far, "auth = none"), (near, "auth = none"))
        self.own(self.ask(agent), 403, "http_request_denied", "answered 403 ", far.address)

    def test_near_one_refuses_the_password(self):
        gate = Basic(user="bob", password="near")
        near, far = self.proxy(Asks(gate, then=Onward()), name="near"), self.proxy(Open(), name="far")
        agent = self.chain((far, "auth = none"), (near, corp("basic", user="bob", secret="file:@DIR@/near")), files={"near": "wrong\n"})
        for answer in together(10, lambda i: self.ask(agent)):
            self.own(answer, 502, "http_request_denied", "on the way to %s, through %s" % (far.address, near.address))
        self.assertEqual(gate.attempts, 1)
        self.assertEqual(len(far.connections), 0)
        self.assertNotRegex(agent.exeat("route", "http://site.example/", check=True).stdout, "%s.*could not be reached" % far.address)

    def test_far_one_refuses_the_password(self):
        gate = Basic(user="alice", password="far")
        near, far = self.proxy(Onward(), name="near"), self.proxy(Asks(gate), name="far")
        agent = self.chain((far, corp("basic", user="alice", secret="file:@DIR@/far")), (near, "auth = none"), files={"far": "wrong\n"})
        self.own(self.ask(agent), 502, "http_request_denied", far.address)
        self.own(self.ask(agent), 502, "http_request_denied", far.address)
        self.assertEqual(gate.attempts, 1)

    def test_near_one_asks_and_auth_is_none(self):
        near, far = self.proxy(Asks(Basic(), then=Onward()), name="near"), self.proxy(Open(), name="far")
        agent = self.chain((far, "auth = none"), (near, "auth = none"))
        self.own(self.ask(agent), 502, "proxy_configuration_error", "answered 407", "auth = none")

    def test_silence_is_over(self):
        near, far = self.proxy(Silent(), name="near"), self.proxy(Open(), name="far")
        agent = self.chain((far, "auth = none\ndial-timeout = 1s"), (near, "auth = none\ndial-timeout = 1s"))
        self.own(self.ask(agent), 504, "connection_timeout", "connecting to %s through %s took too long" % (far.address, near.address))
        near.behaviour.release.set()

    def test_next_near_one_is_tried(self):
        dead, near, far = self.proxy(Open()), self.proxy(Onward(), name="near"), self.proxy(Open(), name="far")
        dead.stop_listening()
        agent = self.agent("[upstream p0]\nproxy = %s\nauth = none\nvia = p1\n[upstream p1]\nproxy = %s %s\nauth = none\n" % (far.url, dead.url, near.url))
        self.both_ways(agent)
        self.assertRegex(agent.log(), r"\[w\d+\] .*; trying %s" % near.address)

    def test_silent_near_one_is_not_the_end(self):
        silent, near, far = self.proxy(Silent(), name="silent"), self.proxy(Onward(), name="near"), self.proxy(Open(), name="far")
        agent = self.agent("[upstream p0]\nproxy = %s\nauth = none\nvia = p1\ndial-timeout = 3s\n"
                           "[upstream p1]\nproxy = %s %s\nauth = none\ndial-timeout = 3s\n" % (far.url, silent.url, near.url))
        self.both_ways(agent)
        self.assertRegex(agent.log(), "took too long; trying %s" % near.address)
        silent.behaviour.release.set()

    def test_our_own_want_of_descriptors_is_not_the_far_ones_fault(self):
        near, far = self.proxy(Onward(), name="near"), self.proxy(Open(), name="far")
        agent = self.chain((far, "auth = none"), (near, "auth = none"), more="[route]\nrule = blocked.example block\nwhen-unreachable = direct\n")
        client = self.wire(agent)
        self.assertEqual(client.ask(get("http://blocked.example/")).status, 403)  # it has been let in
        soft, hard = resource.prlimit(agent.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(agent.pid, resource.RLIMIT_NOFILE, (8, hard))
        self.own(client.ask(get("http://site.example/echo")), 503, "connection_limit_reached", "on the way to")
        resource.prlimit(agent.pid, resource.RLIMIT_NOFILE, (soft, hard))
        echo = json.loads(client.ask(get("http://site.example/echo")).body)
        self.assertEqual(echo["target"], "http://site.example/echo")  # by the proxy

    def test_next_far_one_is_tried(self):
        dead, near, far = self.proxy(Open()), self.proxy(Onward(), name="near"), self.proxy(Open(), name="far")
        dead.stop_listening()
        agent = self.agent("[upstream p0]\nproxy = %s %s\nauth = none\nvia = p1\n[upstream p1]\nproxy = %s\nauth = none\n" % (dead.url, far.url, near.url))
        self.both_ways(agent)
        self.route_says(agent, "site.example", "=> proxy %s" % far.address)

    def test_client_that_gives_up_meanwhile(self):
        near, far = self.proxy(Silent(), name="near"), self.proxy(Open(), name="far")
        agent = self.chain((far, "auth = none"), (near, "auth = none"))
        client = self.wire(agent)
        client.send(get("site.example:443", method="CONNECT"))
        near.wait_requests(1)
        client.reset()
        near.wait(lambda: near.connections[0].requests)
        near.behaviour.release.set()

    def test_new_password_by_login(self):
        """The trial of the far one's password goes through the near one."""
        gate = Basic(user="alice", password="far")
        near, far = self.proxy(Onward(), name="near"), self.proxy(Asks(gate), name="far")
        agent = self.chain((far, corp("basic", user="alice", secret="prompt")), (near, "auth = none"))
        self.assertEqual(self.ask(agent).status, 502)
        self.assertNotEqual(agent.exeat("login", "p0", "--stdin", input="wrong\n").returncode, 0)
        answer = agent.exeat("login", "p0", "--stdin", input="far\n")
        self.assertEqual(answer.returncode, 0, answer.stderr)
        self.assertEqual((gate.attempts, gate.failed), (2, 1))
        self.both_ways(agent)

    def test_connect_waits_for_the_near_ones_password(self):
        gate = Basic(user="bob", password="near")
        near, far = self.proxy(Asks(gate, then=Onward()), name="near"), self.proxy(Open(), name="far")
        agent = self.chain((far, "auth = none"), (near, corp("basic", user="bob", secret="prompt", more="wait-for-password = 60s")))
        client = self.wire(agent)
        client.send(get("site.example:443", method="CONNECT"))
        agent.wait_log("waits up to .*exeat login p1")
        self.assertEqual(agent.exeat("login", "p1", "--stdin", input="near\n").returncode, 0)
        self.assertEqual(client.read_response("CONNECT").status, 200)

    def test_connections_end_with_the_identity_of_the_near_one(self):
        gate = Basic(user="bob", password="near")
        near, far = self.proxy(Asks(gate, then=Onward()), name="near"), self.proxy(Open(), name="far")
        agent = self.chain((far, "auth = none"), (near, corp("basic", user="bob", secret="prompt")))
        self.assertEqual(agent.exeat("login", "p1", "--stdin", input="near\n").returncode, 0)
        self.assertEqual(self.ask(agent).status, 200)
        gate.password = "new"
        self.assertEqual(agent.exeat("login", "p1", "--stdin", input="new\n").returncode, 0)
        far.wait(lambda: far.count_open() == 0)
        self.assertEqual(self.ask(agent).status, 200)
        self.assertEqual((gate.failed, len(far.connections)), (0, 2))


class ConnectAlways(Via):
    def test_plain_http_in_a_tunnel(self):
        site = self.proxy(Open(), name="site")
        near = self.proxy(Onward(), name="near")
        agent = self.agent(near.upstream("auth = none\nconnect-always = yes"))
        for _ in range(3):
            answer = self.ask(agent, host=site.address)
            self.assertEqual(json.loads(answer.body)["target"], "/echo")
        self.assertEqual([(r.method, r.target) for r in near.requests], [("CONNECT", site.address)])
        self.assertEqual(len(site.connections), 1)

    def test_with_authentication(self):
        for scheme, gate in (("basic", Basic()), ("ntlm", Ntlm()), ("digest", Digest())):
            with self.subTest(scheme):
                site = self.proxy(Open(), name="site")
                near = self.proxy(Asks(gate, then=Onward()), name="near")
                agent = self.agent(near.upstream(corp(AUTH[scheme], user="CORP\\alice" if scheme == "ntlm" else "alice") + "connect-always = yes\n"))
                answer = self.ask(agent, method="POST", body=b"x" * 200000, host=site.address)
                echo = json.loads(answer.body)
                self.assertEqual((echo["length"], gate.failed, gate.faults), (200000, 0, []))
                self.assertNotIn("proxy-authorization", [name.lower() for name, _ in echo["fields"]])
                self.assertEqual([r for r in near.requests if r.method != "CONNECT" and "exeat.invalid" not in r.target], [])

    def test_changed_fields_are_those_of_who_reads_them(self):
        """What an upstream's requests get is for its proxy: the CONNECT has it, the request inside has not."""
        site, near = self.proxy(Open(), name="site"), self.proxy(Onward(), name="near")
        agent = self.agent(near.upstream("auth = none\nconnect-always = yes") + "[headers]\nset = upstream:corp X-For-Proxy: yes\nset = * X-For-All: yes\n")
        inside = dict(json.loads(self.ask(agent, host=site.address).body)["fields"])
        self.assertEqual((inside.get("X-For-Proxy"), inside.get("X-For-All")), (None, "yes"))
        self.assertEqual((near.requests[0].method, near.requests[0].get("X-For-Proxy"), near.requests[0].get("X-For-All")), ("CONNECT", "yes", "yes"))

    def test_https_as_before(self):
        near = self.proxy(Open(), name="near")
        agent = self.agent(near.upstream("auth = none\nconnect-always = yes"))
        self.echoes(self.tunnel(agent))

    def test_no_is_said_in_words(self):
        near = self.proxy(Open(), name="near")
        agent = self.agent(near.upstream("auth = none\nconnect-always = yes"))
        self.own(self.ask(agent, host="refused.example"), 403, "http_request_denied", "answered 403 .* to CONNECT refused.example:80")

    def test_refused_password(self):
        gate = Basic(password="right")
        near = self.proxy(Asks(gate, then=Onward()), name="near")
        agent = self.agent(near.upstream(corp("basic", user="alice") + "connect-always = yes\n"))
        for answer in together(10, lambda i: self.ask(agent)):
            self.own(answer, 502, "http_request_denied", "refused")
        self.assertEqual(gate.attempts, 1)

    def test_next_proxy_is_tried(self):
        site, dead, near = self.proxy(Open()), self.proxy(Open()), self.proxy(Onward())
        dead.stop_listening()
        agent = self.agent("[upstream p0]\nproxy = %s %s\nauth = none\nconnect-always = yes\n" % (dead.url, near.url))
        self.route_says(agent, site.address, r"=> proxy %s .*tunnels alone" % near.address)

    def test_login_tries_with_a_tunnel(self):
        gate = Basic(password="right")
        near = self.proxy(Asks(gate, then=Open()), name="near")
        agent = self.agent(near.upstream(corp("basic", user="alice", secret="prompt") + "connect-always = yes\n"))
        self.assertEqual(agent.exeat("login", "corp", "--stdin", input="right\n").returncode, 0)
        self.assertEqual({(r.method, r.target) for r in near.requests}, {("CONNECT", "exeat.invalid:443")})
        self.assertEqual((gate.attempts, gate.failed), (1, 0))

    def test_own_handshake_with_the_origin(self):
        """A 401 with a scheme that binds the connection: one client, one connection."""
        site = self.proxy(Asks(Ntlm(), names=ORIGIN), name="site")
        near = self.proxy(Onward(), name="near")
        agent = self.agent(near.upstream("auth = none\nconnect-always = yes"))
        with Wire.connect(agent.port) as client:
            client.send(get("http://%s/echo" % site.address))
            answer = client.read_response("GET")
            self.assertEqual((answer.status, answer.get("Proxy-Support")), (401, "Session-Based-Authentication"))
