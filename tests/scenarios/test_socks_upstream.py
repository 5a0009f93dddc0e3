"""SOCKS5 servers as upstreams: requests through them, user and password under the keyholder's guard, and everything that they can say wrong."""

import json
import re
import threading

from agent import wait_until
from base import Scenario, corp, together
from onward import Pair, SocksServer
from proxy import Asks, Open, never
from gates import Basic
from wire import Wire, get

PAIR = corp("basic", user="alice")


class SocksUpstream(Scenario):
    def server(self, **options):
        options.setdefault("then", Open())
        behaviour = SocksServer(**options)
        return behaviour, self.proxy(behaviour, name="socks")

    def section(self, *servers, lines="auth = none", name="corp"):
        return "[upstream %s]\nproxy = %s\n%s\n" % (name, " ".join(s if isinstance(s, str) else s.url if s.name != "socks" else
                                                                   "socks5://" + s.address for s in servers), lines)

    def behind(self, lines="auth = none", more="", secret="secret", **options):
        behaviour, server = self.server(**options)
        return behaviour, server, self.agent(self.section(server, lines=lines) + more, secret=secret)


class Through(SocksUpstream):
    def test_plain_http_in_origin_form(self):
        behaviour, server, agent = self.behind()
        answer = self.ask(agent, "/echo?q=1", "Proxy-Authorization: Basic Zm9vOmJhcg==", "Proxy-Connection: keep-alive")
        self.assertEqual(answer.status, 200)
        echo = json.loads(answer.body)
        names = [name.lower() for name, _ in echo["fields"]]
        self.assertEqual(echo["target"], "/echo?q=1")
        self.assertIn(["Host", "site.example"], echo["fields"])
        self.assertNotIn("proxy-authorization", names)
        self.assertNotIn("proxy-connection", names)
        self.assertEqual(behaviour.seen, [("site.example", 80)])
        self.assertEqual(behaviour.greetings, [b"\0"])  # no password: none is offered

    def test_names_and_addresses(self):
        behaviour, _, agent = self.behind()
        for target, seen, kind in (("site.example:443", "site.example", 3), ("192.0.2.7:443", "192.0.2.7", 1),
                                   ("[2001:db8::7]:443", "2001:db8::7", 4), ("x" * 63 + ".example:443", "x" * 63 + ".example", 3)):
            with self.subTest(target):
                self.echoes(self.tunnel(agent, target))
                self.assertEqual((behaviour.seen[-1], behaviour.kinds[-1]), ((seen, 443), kind))

    def test_connections_are_kept_for_each_destination(self):
        behaviour, server, agent = self.behind()
        with Wire.connect(agent.port) as client:
            for host in ("one.example", "two.example", "one.example", "two.example"):
                client.send(get("http://%s/echo" % host))
                self.assertEqual(client.read_response("GET").status, 200)
        self.assertEqual(behaviour.seen, [("one.example", 80), ("two.example", 80)])

    def test_server_that_speaks_first(self):
        for piecemeal in (False, True):
            with self.subTest(piecemeal=piecemeal):
                _, _, agent = self.behind(early=b"SSH-2.0-early\r\n", piecemeal=piecemeal)
                tunnel = self.tunnel(agent)
                self.assertEqual(tunnel.read(15), b"SSH-2.0-early\r\n")
                self.echoes(tunnel)

    def test_client_that_speaks_first(self):
        _, _, agent = self.behind()
        tunnel = self.tunnel(agent, early=b"hello")
        self.assertEqual(tunnel.read(5), b"hello")

    def test_every_kind_of_bound_address(self):
        for bound in (b"\1\x7f\0\0\1\x04\x38", b"\4" + b"\0" * 15 + b"\1\x04\x38", b"\3\0\0\0", b"\3\xff" + b"x" * 255 + b"\0\0"):
            with self.subTest(bound):
                _, _, agent = self.behind(bound=bound, piecemeal=True, early=b"first")
                tunnel = self.tunnel(agent)
                self.assertEqual(tunnel.read(5), b"first")
                self.echoes(tunnel)

    def test_large_bodies(self):
        _, _, agent = self.behind()
        self.assertEqual(len(self.ask(agent, "/bytes/3000000").body), 3000000)
        echo = json.loads(self.ask(agent, "/echo", method="POST", body=b"x" * 1000000).body)
        self.assertEqual(echo["length"], 1000000)

    def test_407_of_an_origin_is_only_an_answer(self):
        _, _, agent = self.behind(lines=PAIR, then=Asks(Basic()))
        answer = self.ask(agent)
        self.assertEqual(answer.status, 407)
        self.assertNotIn("credentials", agent.log())

    def test_route_and_status_say_so(self):
        _, server, agent = self.behind()
        self.ask(agent)
        route = agent.exeat("route", "http://site.example/", check=True).stdout
        self.assertRegex(route, r"=> SOCKS server %s \(upstream corp\)" % server.address)
        self.assertRegex(agent.exeat("status", check=True).stdout, r"proxy +%s: " % server.address)


class Several(SocksUpstream):
    def test_next_one_is_tried(self):
        dead = self.proxy(Open(), name="socks")
        dead.stop_listening()
        for method, words in ((None, "connection refused"), (b"HTTP/1.1 400 Bad Request\r\n\r\n", "speaks HTTP"), ("close", "without a word"),
                              (b"\0\x5b\0\0\0\0\0\0", "SOCKS 4"), (b"\x15\3\1\0\2\2\x16", "does not speak SOCKS 5"), (b"\5\1", "not offered"),
                              (b"\5\0\0", "more than it was asked")):
            with self.subTest(words):
                first = dead if method is None else self.server(method=method)[1]
                good, second = self.server()
                agent = self.agent(self.section(first, second))
                self.assertEqual(self.ask(agent).status, 200)
                self.assertEqual(good.seen, [("site.example", 80)])
                self.assertRegex(agent.log(), words)
                wanted = r"(?s)=> SOCKS server %s .*else SOCKS server %s .*could not be reached" % (second.address, first.address)

                def said():  # while the first one sleeps: a second at first, longer each later time
                    return self.ask(agent).status == 200 and re.search(wanted, agent.exeat("route", "http://site.example/", check=True).stdout)
                wait_until(said, "%r from exeat route" % wanted)

    def test_mixed_with_http(self):
        bad, first = self.server(method="close")
        second = self.proxy(Open())
        agent = self.agent(self.section(first, second))
        self.assertEqual(json.loads(self.ask(agent).body)["target"], "http://site.example/echo")
        self.echoes(self.tunnel(agent))
        good, third = self.server()
        dead = self.proxy(Open())
        dead.stop_listening()
        agent = self.agent(self.section(dead, third))
        self.assertEqual(json.loads(self.ask(agent).body)["target"], "/echo")
        self.echoes(self.tunnel(agent))

    def test_silence_is_over_after_dial_timeout(self):
        for where in ("method", "reply"):
            with self.subTest(where):
                _, first = self.server(**{where: "silence"})
                good, second = self.server()
                seconds = 3 if where == "method" else 1  # the second one has its time too
                agent = self.agent(self.section(first, second, lines="auth = none\ndial-timeout = %ds" % seconds))
                answer = self.ask(agent)
                if where == "method":  # it is broken
                    self.assertEqual(answer.status, 200)
                    self.assertRegex(agent.log(), "did not answer in time")
                else:  # the destination is
                    self.own(answer, 504, "connection_timeout", "took too long to connect", r"site\.example:80")
                    self.assertEqual(good.seen, [])

    def test_refused_destination_is_nobodys_fault(self):
        _, first = self.server(code=5)
        good, second = self.server()
        agent = self.agent(self.section(first, second))
        self.own(self.ask(agent), 502, "connection_refused", "refused")
        self.assertEqual(good.seen, [])
        self.assertNotIn("could not be reached", agent.exeat("route", "http://site.example/", check=True).stdout)

    def test_direct_while_it_cannot_be_reached(self):
        _, first = self.server(method="close")
        site = self.proxy(Open())
        agent = self.agent(self.section(first) + "[route]\nwhen-unreachable = direct\n")
        answer = self.ask(agent, host=site.address)
        self.assertEqual((answer.status, json.loads(answer.body)["target"]), (200, "/echo"))

    def test_probe_is_a_handshake(self):
        """A server that accepts connections and says nothing sensible is not back yet; one that wants another password is."""
        for status, again in (("close", False), (b"\1\1", True)):
            with self.subTest(status):
                behaviour, server = self.server(method="close", gate=Pair())
                site = self.proxy(Open())
                agent = self.agent(self.section(server, lines=PAIR) + "[route]\nwhen-unreachable = direct\n")

                def asked():
                    return self.ask(agent, host=site.address)
                asked()
                behaviour.status, behaviour.method = status, None
                if again:
                    wait_until(lambda: asked().status == 502, "the server's word on the password")
                    self.assertIn("answers again", agent.log())
                else:
                    wait_until(lambda: asked().status == 200 and behaviour.gate.attempts, "a probe")
                    wait_until(lambda: server.count_open() == 0, "its end")
                    asked()
                    self.assertNotIn("answers again", agent.log())
                    behaviour.status = None
                    wait_until(lambda: asked() and "back on the proxy" in agent.log(), "the proxy again")

    def test_spare_that_had_ended(self):
        """Made ready ahead of need, and closed by the server in the moment in which it is used."""
        class Impatient(SocksServer):
            def greeted(self, conn):
                if conn.number == 2:
                    conn.read(2)
                    conn.reset()
                    return False
                return super().greeted(conn)

        server = self.proxy(Impatient(then=Open()), name="socks")
        agent = self.agent(self.section(server, lines="auth = none\nspares = 1"))
        self.echoes(self.tunnel(agent))
        server.wait(lambda: len(server.connections) == 2)
        wait_until(lambda: json.loads(agent.exeat("status", "--json", check=True).stdout)["upstreams"][0]["proxies"][0]["spare"], "the spare")
        self.echoes(self.tunnel(agent))
        self.assertNotIn("could not be reached", agent.exeat("route", "http://site.example/", check=True).stdout)


class Refusals(SocksUpstream):
    def test_every_code(self):
        for code, status, error, words in ((1, 502, "destination_unavailable", "general failure"), (2, 403, "http_request_denied", "does not allow"),
                                           (3, 502, "destination_unavailable", "network"), (4, 502, "dns_error", "this host"),
                                           (5, 502, "connection_refused", "refused"), (6, 504, "connection_timeout", "too long"),
                                           (7, 502, "http_protocol_error", "command"), (8, 502, "http_protocol_error", "kind"),
                                           (9, 502, "http_protocol_error", "no meaning"), (255, 502, "http_protocol_error", "no meaning")):
            with self.subTest(code):
                _, server, agent = self.behind(code=code)
                self.own(self.ask(agent), status, error, "SOCKS server %s" % server.address, words, r"site\.example:80", "What to do: ")
                self.own(self.tunnel(agent, expect=status), status, error, words)
                self.assertEqual(len(server.connections), 2)

    def test_malformed(self):
        for where, said, words in (("method", b"HTTP/1.1 400 x\r\n\r\n", "write http://"), ("method", b"\4\0", "SOCKS 4"), ("method", b"\0", "SOCKS 4"),
                                   ("method", b"\x7f", "does not speak"), ("method", b"\5\2", "not offered"), ("method", b"\5\x80", "not offered"),
                                   ("method", b"\5\0" + b"\5\0\0\1" + b"\0" * 6, "more than it was asked"), ("method", "close", "without a word"),
                                   ("reply", b"\4\0", "SOCKS 4"), ("reply", b"H", "speaks HTTP"), ("reply", b"\5\0\0\2" + b"\0" * 30, "kind that does not exist"),
                                   ("reply", b"\5\0\0\0" + b"\0" * 6, "kind that does not exist"), ("reply", "close", "instead of saying whether")):
            with self.subTest((where, said)):
                _, server, agent = self.behind(**{where: said})
                self.own(self.ask(agent), 502, "destination_unavailable", "SOCKS server %s" % server.address, words)

    def test_no_method(self):
        _, _, agent = self.behind(gate=Pair())
        self.own(self.ask(agent), 502, "proxy_configuration_error", "wants us to authenticate", "basic in auth")
        self.assertEqual(self.ask(agent).status, 502)

    def test_client_that_gives_up_meanwhile(self):
        behaviour, server, agent = self.behind(reply="silence")
        client = self.wire(agent)
        client.send(get("site.example:443", method="CONNECT"))
        server.wait(lambda: behaviour.seen)
        client.reset()
        wait_until(lambda: server.count_open() == 0, "the end of the connection to the SOCKS server")


class Password(SocksUpstream):
    def test_taken(self):
        gate = Pair()
        behaviour, server, agent = self.behind(lines=PAIR, gate=gate)
        self.assertEqual(self.ask(agent).status, 200)
        self.echoes(self.tunnel(agent))
        self.assertEqual((gate.attempts, gate.failed), (2, 0))
        self.assertEqual(behaviour.greetings[0], b"\0\2")
        status = agent.exeat("status", check=True).stdout
        self.assertRegex(status, r"signs in by +user and password \(SOCKS\)")
        self.assertNotIn("secret", agent.log().replace(agent.directory, ""))

    def test_byte_by_byte(self):
        gate = Pair()
        _, _, agent = self.behind(lines=PAIR, gate=gate, piecemeal=True)
        self.echoes(self.tunnel(agent))

    def test_not_asked_for(self):
        gate = Pair()
        behaviour, _, agent = self.behind(lines=PAIR)
        self.assertEqual(self.ask(agent).status, 200)
        self.assertEqual(behaviour.greetings, [b"\0\2"])

    def test_one_attempt(self):
        gate = Pair()
        _, server, agent = self.behind(lines=PAIR, secret="wrong", gate=gate)
        answers = together(20, lambda i: self.ask(agent))
        for answer in answers:
            self.own(answer, 502, "http_request_denied", "refused")
        for _ in range(3):
            self.own(self.tunnel(agent, expect=502), 502, "http_request_denied", "refused")
        self.assertEqual(gate.attempts, 1)
        agent.restart()  # it is remembered
        self.own(self.ask(agent), 502, "http_request_denied", "refused")
        self.assertEqual(gate.attempts, 1)
        self.assertNotIn("could not be reached", agent.exeat("route", "http://site.example/", check=True).stdout)

    def test_others_wait_for_the_first_verdict(self):
        gate, hold = Pair(), threading.Event()
        _, server, agent = self.behind(lines=PAIR, gate=gate, hold=hold)
        clients = [self.wire(agent) for _ in range(10)]
        for client in clients:
            client.send(get("site.example:443", method="CONNECT"))
        server.wait(lambda: len(server.connections) == 10)
        wait_until(lambda: gate.attempts == 1, "the first attempt")
        self.assertTrue(never(0.3, lambda: gate.attempts > 1))
        hold.set()
        for client in clients:
            self.assertEqual(client.read_response("CONNECT").status, 200)
        self.assertEqual((gate.attempts, gate.failed), (10, 0))

    def test_password_changed_by_somebody_else(self):
        """Proven, and refused from now on: no site is to blame, so that it stops at once; at most three were under way."""
        gate = Pair()
        _, server, agent = self.behind(lines=PAIR, gate=gate)
        self.echoes(self.tunnel(agent))
        gate.password = "another"
        for _ in range(3):
            self.own(self.tunnel(agent, "other%d.example:443" % _, expect=502), 502, "http_request_denied", "refused")
        self.assertEqual(gate.failed, 1)

    def test_never_more_than_three_under_way(self):
        gate, hold = Pair(), threading.Event()
        hold.set()
        _, server, agent = self.behind(lines=PAIR, gate=gate, hold=hold)
        self.echoes(self.tunnel(agent))
        hold.clear()
        gate.password = "another"
        clients = [self.wire(agent) for _ in range(12)]
        before = gate.attempts
        for client in clients:
            client.send(get("site.example:443", method="CONNECT"))
        wait_until(lambda: gate.attempts == before + 3, "three attempts")
        self.assertTrue(never(0.3, lambda: gate.attempts > before + 3))
        hold.set()
        for client in clients:
            self.assertEqual(client.read_response("CONNECT").status, 502)
        self.assertEqual(gate.failed, 3)

    def test_in_clear_text_only_with_consent(self):
        """0.0.0.0 leads to this machine too, but is none of its loopback addresses."""
        for lines, greeting, status in ((PAIR, b"\0", 502), (PAIR + "basic-in-clear = yes\n", b"\0\2", 200)):
            with self.subTest(lines):
                gate = Pair()
                behaviour, server = self.server(gate=gate)
                agent = self.agent(self.section("socks5://0.0.0.0:%d" % server.port, lines=lines))
                self.assertEqual(self.ask(agent).status, status)
                self.assertEqual((behaviour.greetings[0], gate.failed), (greeting, 0))

    def test_basic_must_be_named(self):
        gate = Pair()
        behaviour, _, agent = self.behind(lines=corp("negotiate ntlm digest", user="alice"), gate=gate)
        self.own(self.ask(agent), 502, "proxy_configuration_error", "basic in auth")
        self.assertEqual((gate.attempts, behaviour.greetings), (0, [b"\0"]))

    def test_no_password(self):
        gate = Pair()
        _, _, agent = self.behind(lines=corp("basic", user="alice", secret="file:@DIR@/missing"), gate=gate)
        self.own(self.ask(agent), 502, "proxy_configuration_error", "missing")
        self.assertEqual(gate.attempts, 0)

    def test_too_long_to_be_sent(self):
        gate = Pair()
        _, _, agent = self.behind(lines=PAIR, secret="x" * 256, gate=gate)
        self.own(self.ask(agent), 502, "proxy_configuration_error", "255 bytes")
        self.assertEqual(gate.attempts, 0)
        gate.password = "x" * 255
        _, _, agent = self.behind(lines=PAIR, secret="x" * 255, gate=gate)
        self.assertEqual(self.ask(agent).status, 200)

    def test_answers_that_are_none(self):
        for status, words in ((b"\7\0", "RFC 1929"), ("close", "instead of judging"), (b"\1\0\0", "more than it was asked")):
            with self.subTest(status):
                gate = Pair()
                _, server, agent = self.behind(lines=PAIR, gate=gate, status=status)
                self.own(self.ask(agent), 502, "destination_unavailable", words)
                for _ in range(5):
                    self.ask(agent)
                self.assertLessEqual(gate.attempts, 3)  # then it is given a rest

    def test_version_of_the_verdict_may_be_five(self):
        gate = Pair()

        class Five(SocksServer):
            def say(self, conn, own, instead=None):
                return super().say(conn, b"\5" + own[1:], instead)

        server = self.proxy(Five(gate=gate, then=Open()), name="socks")
        agent = self.agent(self.section(server, lines=PAIR))
        self.assertEqual(self.ask(agent).status, 200)

    def test_new_password_by_login(self):
        gate = Pair(password="new")
        _, server, agent = self.behind(lines=corp("basic", user="alice", secret="prompt"), gate=gate)
        self.assertEqual(self.ask(agent).status, 502)
        wrong = agent.exeat("login", "corp", "--stdin", input="wrong\n")
        self.assertNotEqual(wrong.returncode, 0, wrong.stdout)
        self.assertEqual((gate.attempts, gate.failed), (1, 1))
        agent.exeat("login", "corp", "--stdin", input="new\n", check=True)
        self.assertEqual((gate.attempts, gate.failed), (2, 1))
        self.assertEqual(self.ask(agent).status, 200)

    def test_connect_waits_for_a_password(self):
        gate = Pair(password="new")
        _, server, agent = self.behind(lines=corp("basic", user="alice", secret="prompt", more="wait-for-password = 60s"), gate=gate)
        client = self.wire(agent)
        client.send(get("site.example:443", method="CONNECT"))
        wait_until(lambda: "waits up to" in agent.log(), "the waiting")
        agent.exeat("login", "corp", "--stdin", input="new\n", check=True)
        self.assertEqual(client.read_response("CONNECT").status, 200)

    def test_connections_of_the_old_user_end(self):
        gate = Pair()
        behaviour, server, agent = self.behind(lines=corp("basic", user="alice", secret="prompt"), gate=gate)
        self.assertEqual(agent.exeat("login", "corp", "--stdin", input="secret\n").returncode, 0)
        self.assertEqual(self.ask(agent).status, 200)
        self.assertEqual(self.ask(agent).status, 200)
        self.assertEqual(len(behaviour.seen), 1)
        gate.password = "new"
        self.assertEqual(agent.exeat("login", "corp", "--stdin", input="new\n").returncode, 0)
        server.wait(lambda: server.count_open() == 0)
        self.assertEqual(self.ask(agent).status, 200)
        self.assertEqual((gate.failed, len(behaviour.seen)), (0, 2))

    def test_method_that_was_not_offered(self):
        """A server that wants the password in spite of what was offered to it."""
        gate = Pair()
        _, _, agent = self.behind(lines=corp("negotiate", user="alice"), gate=gate, method=b"\5\2")
        self.own(self.ask(agent), 502, "destination_unavailable", "not offered")
        behaviour, server = self.server(method=b"\5\2", gate=gate)
        agent = self.agent(self.section("socks5://0.0.0.0:%d" % server.port, lines=PAIR))
        self.own(self.ask(agent), 502, "destination_unavailable", "not offered")
        self.assertEqual(gate.attempts, 0)
