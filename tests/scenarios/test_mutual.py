"""Has the proxy proved itself? A scripted proxy in front of a real Kerberos acceptor: what passes before the proof, and what after it."""

import base64
import os
import tempfile

from base import SITE, Scenario
from gates import Basic, Kerberos, honest
from proxy import Asks, Open, content, never, sha
from realm import Realm
from wire import get


def in_info(token):
    return ["Proxy-Authentication-Info: Negotiate " + base64.b64encode(token).decode()]


def silent(_token):
    return []


def forged(token):
    return honest(token[:-1] + bytes((token[-1] ^ 1,)))


class MutualTest(Scenario):
    @classmethod
    def setUpClass(cls):
        cls.realm = Realm()
        cls.addClassCleanup(cls.realm.destroy)
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.cache = "FILE:" + folder.name + "/cache"
        cls.realm.kinit(cls.cache)
        os.environ["KRB5_CONFIG"] = cls.realm.conf
        cls.addClassCleanup(os.environ.pop, "KRB5_CONFIG")

    def both(self, mutual, final=honest, then=None, **options):
        self.gate = Kerberos(final=final, keytab=self.realm.keytab)
        lines = "auth = negotiate\nsecret = none\nspn = HTTP/proxy.corp.example\nmutual = %s" % mutual
        return super().both(Asks(self.gate, then=then, **options), lines, env={"KRB5_CONFIG": self.realm.conf, "KRB5CCNAME": self.cache})

    def refused(self, answer, *words):
        return self.own(answer, 502, "http_protocol_error", "did not prove", *words)

    def all_closed(self, proxy):
        for conn in proxy.connections:
            self.assertTrue(conn.ended_by_peer.wait(30))


class Required(MutualTest):
    def test_a_tunnel_behind_the_proof(self):
        for final in (honest, in_info):
            proxy, agent = self.both("require", final)
            tunnel = self.tunnel(agent, early=b"early ")
            tunnel.send(b"bytes")
            self.assertEqual(tunnel.read(11), b"early bytes")
            self.assertEqual(len(proxy.requests), 1)  # it speaks first
            self.assertIn("mutual", agent.status()["upstreams"][0]["scheme"])

    def test_no_tunnel_without_it(self):
        for final, word in ((silent, "mutual = require"), (forged, "wrong")):
            seen = []

            class Tells(Open):
                def tunnel(self, conn):
                    seen.append(conn.read_to_end())

            proxy, agent = self.both("require", final, then=Tells())
            client = self.wire(agent)
            client.send(get("site.example:443", method="CONNECT") + b"for the tunnel alone")
            self.refused(client.read_response("CONNECT"), word)
            self.all_closed(proxy)
            for thread in proxy.threads[1:]:
                thread.join()
            self.assertEqual(seen, [b""])
            state = agent.status()["upstreams"][0]
            self.assertIn("did not prove", state["state"])
            self.assertIn("mutual = ", state["remedy"])

    def test_bodies_behind_the_proof(self):
        for size in (5, 60000, 3000000):
            proxy, agent = self.both("require")
            answer = self.ask(agent, method="POST", body=content(size))
            self.assertEqual(answer.status, 200, answer.text)
            self.assertIn(sha(content(size)), answer.text)
            self.assertEqual([(r.method, bool(r.get("Proxy-Authorization")), len(r.body)) for r in proxy.requests],
                             [("GET", True, 0), ("POST", False, size)])
            self.assertEqual(len(proxy.connections), 1)

    def test_no_body_without_it(self):
        for final in (silent, forged):
            for size in (5, 3000000):
                proxy, agent = self.both("require", final)
                client = self.wire(agent)
                client.send(get(SITE + "/echo", method="POST", body=content(size)))
                self.refused(client.read_response("POST"))
                self.assertEqual([(r.method, r.body) for r in proxy.requests], [("GET", b"")])
                self.all_closed(proxy)

    def test_a_body_whose_knock_has_a_long_answer(self):
        proxy, agent = self.both("require")
        self.assertEqual(self.ask(agent, "/bytes/200000", method="POST", body=b"x" * 10).body, content(200000))
        self.assertEqual([r.method for r in proxy.requests], ["GET", "HEAD", "POST"])

    def test_nothing_of_the_answer_passes(self):
        for final in (silent, forged):
            for path in ("/bytes/100", "/chunked/100000", "/interim", "/until-close/10", "/status/404"):
                proxy, agent = self.both("require", final)
                answer = self.refused(self.ask(agent, path))
                self.assertEqual(answer.interim, [])
                self.assertIsNone(answer.get("Link"))
                self.all_closed(proxy)

    def test_each_connection_proves_itself_and_stays_proved(self):
        proxy, agent = self.both("require")
        for _ in range(3):
            self.assertEqual(self.ask(agent).status, 200)
        self.assertEqual((len(proxy.connections), self.gate.attempts), (1, 1))
        proxy.drop_all()
        self.all_closed(proxy)
        self.gate.final = silent
        self.refused(self.ask(agent))
        self.gate.final = honest
        self.assertEqual(self.ask(agent).status, 200)
        self.assertNotIn("did not prove", agent.status()["upstreams"][0]["state"])

    def test_a_proxy_that_asks_for_nothing_gets_nothing(self):
        proxy = self.proxy(Open())
        agent = self.agent(proxy.upstream("auth = negotiate\nsecret = none\nspn = HTTP/proxy.corp.example\nmutual = require"),
                           env={"KRB5_CONFIG": self.realm.conf, "KRB5CCNAME": self.cache})
        self.refused(self.ask(agent, method="POST", body=b"secret"))
        self.refused(self.tunnel(agent, expect=502))
        self.assertEqual([r.body for r in proxy.requests], [b"", b""])

    def test_after_an_alarm_a_request_without_credentials_is_no_way_in(self):
        """While the last offer was too weak, requests go out bare to see whether it still is; an answer to one is not taken."""
        proxy, agent = self.both("require")
        self.assertEqual(self.ask(agent).status, 200)
        honest_behaviour = proxy.behaviour
        proxy.behaviour = Asks(Basic())
        proxy.drop_all()
        for _ in range(2):
            answer = self.ask(agent)
        self.own(answer, 502, "http_request_denied", "exeat accept")
        proxy.behaviour = Open()
        count = len(proxy.requests)
        self.refused(self.tunnel(agent, expect=502))
        self.refused(self.ask(agent))
        self.refused(self.ask(agent, method="POST", body=b"secret"))
        self.assertEqual([(r.method, r.get("Proxy-Authorization"), r.body) for r in proxy.requests[count:]],
                         [("CONNECT", None, b""), ("GET", None, b""), ("GET", None, b"")])
        agent.restart()
        self.refused(self.tunnel(agent, expect=502))
        self.assertIsNone(proxy.requests[-1].get("Proxy-Authorization"))
        proxy.behaviour = honest_behaviour
        self.assertEqual(self.ask(agent, method="POST", body=b"hello").status, 200)
        self.echoes(self.tunnel(agent))

    def test_each_request_where_the_proxy_asks_each_time(self):
        proxy, agent = self.both("require", per_request=True)
        for _ in range(2):
            answer = self.ask(agent, method="POST", body=content(1000))
            self.assertEqual(answer.status, 200, answer.text)
            self.assertIn(sha(content(1000)), answer.text)


class Tried(MutualTest):
    def test_what_passes(self):
        for mutual, final, passes in (("try", honest, True), ("try", in_info, True), ("try", silent, True), ("try", forged, False),
                                      ("off", forged, True), ("off", silent, True)):
            with self.subTest(mutual=mutual, final=final.__name__):
                proxy, agent = self.both(mutual, final)
                if passes:
                    self.assertEqual(self.ask(agent).status, 200)
                    self.assertEqual(self.ask(agent, method="POST", body=content(100000)).status, 200)
                    self.echoes(self.tunnel(agent))
                else:
                    self.refused(self.ask(agent), "mutual = off")
                    self.refused(self.tunnel(agent, expect=502))
                    self.refused(self.ask(agent, method="POST", body=content(100000)))
                    self.assertTrue(never(0.1, lambda: any(r.method == "POST" for r in proxy.requests)))
                    self.all_closed(proxy)

    def test_the_token_goes_no_further(self):
        _, agent = self.both("try")
        answer = self.ask(agent)
        self.assertEqual((answer.all("Proxy-Authenticate"), answer.all("Proxy-Authentication-Info")), ([], []))
