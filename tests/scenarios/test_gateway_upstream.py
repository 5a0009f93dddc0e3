"""A gateway as the proxy that an agent has to get past: the real server's side against the real client's, all four schemes, at what an agent does all day. (A scripted
proxy says what real ones rarely do, test_407; here both sides have to agree.)"""

import contextlib
import hashlib
import json
import os
import signal

from agent import wait_until
from base import SITE, Scenario, together
from proxy import Open, content, sha
from realm import Realm
from test_gateway_clients import HOST, PASSWORD, USERS
from wire import Wire, chunked, get

GATE = "[gateway]\nlisten = 127.0.0.1:0\nauth = %s\nusers = @DIR@/users\nkeytab = %s\ndomain = CORP\n"
KNOWN = "user = %s\nsecret = file:@DIR@/secret\n"
SCHEMES = {"negotiate": ("alice@CORP.EXAMPLE", "negotiate", "secret = none\nspn = HTTP/%s\n" % HOST), "ntlm in negotiate": ("CORP\\alice", "negotiate ntlm", KNOWN % "CORP\\alice"),
           "ntlm": ("CORP\\alice", "ntlm", KNOWN % "CORP\\alice"), "digest": ("CORP\\alice", "digest", KNOWN % "alice"),
           "basic": ("CORP\\alice", "basic", KNOWN % "alice")}
OFFERED = {"ntlm in negotiate": "negotiate ntlm", "negotiate": "negotiate"}


class Pair(Scenario):
    """The agent of self.near goes to that of self.there, which goes to self.onward."""

    def setUp(self):
        self.realms = contextlib.ExitStack()
        self.addCleanup(self.realms.close)
        self.realm = self.realms.enter_context(Realm())

    def house(self, scheme, password=PASSWORD, more="", offered=None):
        self.user, auth, lines = SCHEMES[scheme]
        self.onward = self.proxy(Open())
        self.there = self.agent(self.onward.upstream() + GATE % (offered or OFFERED.get(scheme, scheme), self.realm.keytab), files={"users": USERS},
                                env={"KRB5_CONFIG": self.realm.conf})
        self.gate = self.there.port_of("gateway gateway")
        ticket = self.realm.ticket() if scheme == "negotiate" else {"KRB5_CONFIG": self.realm.conf}
        self.near = self.agent("[upstream gate]\nproxy = http://127.0.0.1:%d\nauth = %s\n%s%s" % (self.gate, auth, lines, more), secret=password, env=ticket)
        return self.near

    def each(self, check, **options):
        for scheme in SCHEMES:
            with self.subTest(scheme):
                self.house(scheme, **options)
                check(scheme)
                figures = self.figures()
                self.assertEqual((figures["refused"], figures["broken"], figures["failed"]), (0, 0, 0), self.there.log())
                for request in self.onward.requests:
                    self.assertEqual(request.all("Proxy-Authorization"), [])

    def figures(self):
        return self.there.status()["gateways"][0]

    def steady(self):
        """What the gateway has asked, and how often it was shown something."""
        figures = self.figures()
        return figures["challenged"], figures["accepted"]


class EachScheme(Pair):
    def test_requests(self):
        """Twenty on one connection cost no 407 but for the first, and each is the user's there."""
        def check(scheme):
            client = self.wire(self.near)
            answer = client.ask(get(SITE + "/echo"))
            self.assertEqual((answer.status, answer.all("Proxy-Authenticate"), answer.all("Proxy-Authentication-Info")), (200, [], []), answer.text)
            challenged = self.steady()[0]
            for _ in range(20):
                self.assertEqual(client.ask(get(SITE + "/echo")).status, 200)
            self.assertEqual(self.steady()[0], challenged)
            self.assertEqual(self.near.status()["counters"]["handshakes"], 1)
            self.assertEqual(self.steady()[1], 21)
            wait_until(lambda: self.there.log().count("] %s: GET " % self.user) == 21, "a line for each request")
        self.each(check)

    def test_bodies(self):
        """Large ones come whole, and once, also the first, which meets the 407."""
        data = content(1000000)

        def check(scheme):
            client = self.wire(self.near)
            for fields, body in (((), data), (("Transfer-Encoding: chunked",), chunked(*[data[at:at + 7001] for at in range(0, len(data), 7001)]))):
                answer = client.ask(get(SITE + "/post", *fields, method="POST", body=body))
                self.assertEqual(answer.status, 200, answer.text)
                echo = json.loads(answer.body)
                self.assertEqual((echo["length"], echo["sha256"]), (len(data), sha(data)))
            self.assertEqual([len(r.body) for r in self.onward.requests if r.method == "POST"], [len(data)] * 2)
        self.each(check)

    def test_tunnels(self):
        def check(scheme):
            for tunnel in [self.tunnel(self.near) for _ in range(3)]:
                self.echoes(tunnel)
                self.echoes(tunnel, content(100000))
        self.each(check)

    def test_many_at_once(self):
        def check(scheme):
            def one(i):
                with Wire.connect(self.near.port) as client:
                    return [client.ask(get(SITE + "/bytes/%d" % (i * 10 + k))).body for k in range(5)]
            for i, bodies in enumerate(together(24, one)):
                self.assertEqual([len(body) for body in bodies], [i * 10 + k for k in range(5)])
        self.each(check)

    def test_reload_over_there(self):
        """All are asked again, with the next request; none is lost."""
        def check(scheme):
            client = self.wire(self.near)
            for _ in range(3):
                for _ in range(3):
                    self.assertEqual(client.ask(get(SITE + "/post", method="POST", body=b"x" * 5000)).status, 200)
                self.there.reload()
        self.each(check)

    def test_keyholders_die(self):
        """On either side, between two requests."""
        def check(scheme):
            client = self.wire(self.near)
            for agent in (self.near, self.there):
                self.assertEqual(client.ask(get(SITE + "/echo")).status, 200)
                os.kill(wait_until(agent.keys_pid, "the keyholder"), signal.SIGKILL)
                agent.wait_log("the keyholder (ended|closed|was)")
                answer = client.ask(get(SITE + "/echo"))
                self.assertEqual(answer.status, 200, (answer.text, agent.log()))
        self.each(check)


class AllOffered(Pair):
    def test_the_best_is_taken(self):
        """Of all four, what the agent may do best; and the next best where there is no ticket."""
        for scheme, seen in (("negotiate", "Negotiate (Kerberos, mutual)"), ("ntlm", "NTLM"), ("digest", "Digest"), ("basic", "Basic")):
            with self.subTest(scheme):
                self.house(scheme, offered="basic digest ntlm negotiate")
                self.assertEqual(self.ask(self.near).status, 200, self.near.log())
                self.assertIn(seen, self.near.status()["upstreams"][0]["scheme"])


class WrongPassword(Pair):
    def test_is_shown_once(self):
        """However often it is asked for: one refusal over there, and a page here that says so. With the right one all goes on."""
        for scheme in ("ntlm in negotiate", "ntlm", "digest", "basic"):
            with self.subTest(scheme):
                self.house(scheme, password="wrong")
                for answer in together(8, lambda _: self.ask(self.near)):
                    self.own(answer, 502, None, "password")
                self.own(self.ask(self.near), 502)
                self.assertEqual(self.figures()["refused"], 1, self.there.log())
                self.assertEqual(self.onward.requests, [])
                self.near.write("secret", PASSWORD + "\n")
                self.near.reload()
                self.assertEqual(self.ask(self.near).status, 200, self.near.log())
                self.assertEqual(self.figures()["refused"], 1, self.there.log())

    def test_changed_over_there(self):
        """Under load: one that was good costs at most what the guard allows, where a handshake can be tried first."""
        self.house("ntlm")
        self.assertEqual(self.ask(self.near).status, 200)
        known = hashlib.md5(b"x").hexdigest().upper()
        self.there.write("users", "alice:0:%s:%s:[U          ]:LCT-00000000:\n" % ("X" * 32, known))
        self.there.reload()
        for answer in together(16, lambda _: self.ask(self.near)):
            self.assertNotEqual(answer.status, 200)
        self.assertLessEqual(self.figures()["refused"], 3, self.there.log())


class NoTicket(Pair):
    def test_says_so(self):
        """A gateway that wants Kerberos alone, and an agent that has none: a sentence, and nothing counts over there."""
        self.house("negotiate")
        near = self.agent("[upstream gate]\nproxy = http://127.0.0.1:%d\nauth = negotiate\nsecret = none\nspn = HTTP/%s\n" % (self.gate, HOST),
                          env={"KRB5_CONFIG": self.realm.conf})
        self.own(self.ask(near), 502, None, "kinit|ticket")
        self.assertEqual((self.figures()["refused"], self.figures()["broken"]), (0, 0))
