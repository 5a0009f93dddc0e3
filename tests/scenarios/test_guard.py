"""One wrong secret, one attempt; and what is no refusal."""

import base64
import threading

from agent import wait_until
from base import AUTH, SITE, Later, Scenario, corp, together
from behaviours import Canned
from gates import OK, Basic, Digest, Negotiate, Ntlm
from proxy import Asks, content
from wire import get

GATES = {"basic": Basic, "digest": Digest, "ntlm": Ntlm, "negotiate": Negotiate}


def user_for(scheme):
    return "CORP\\alice" if scheme in ("ntlm", "negotiate") else "alice"


class OneAttempt(Scenario):
    def work(self, agent):
        def one(i):
            kind = i % 3
            if kind == 0:
                return self.ask(agent, "/%d" % i, host="site%d.example" % i)
            if kind == 1:
                return self.tunnel(agent, "site%d.example:443" % i, expect=502)
            return self.ask(agent, "/%d" % i, method="POST", body=content(100 * i))
        return one

    def test_parallel_requests(self):
        for name, kind in GATES.items():
            with self.subTest(name):
                gate = kind()
                _, agent = self.both(Asks(gate), corp(AUTH[name], user_for(name), more="connections = 100"), secret="wrong")
                for answer in together(50, self.work(agent)):
                    self.own(answer, 502, "http_request_denied", "alice")
                self.assertEqual((gate.attempts, gate.failed), (1, 1))
                for answer in together(10, self.work(agent)):
                    self.own(answer, 502, "http_request_denied")
                self.assertEqual(gate.attempts, 1)

    def test_all_schemes_offered(self):
        gates = [Negotiate(), Ntlm(), Digest(), Basic()]
        _, agent = self.both(Asks(*gates), corp("negotiate ntlm digest basic", more="connections = 100"), secret="wrong")
        for answer in together(50, self.work(agent)):
            self.own(answer, 502, "http_request_denied")
        self.assertEqual(sum(gate.attempts for gate in gates), 1)

    def test_others_wait_for_the_first_verdict(self):
        for name, kind in GATES.items():
            for secret in ("secret", "wrong"):
                with self.subTest(scheme=name, secret=secret):
                    gate = kind()
                    behaviour = Asks(gate, hold=threading.Event())
                    proxy, agent = self.both(behaviour, corp(AUTH[name], user_for(name)), secret=secret)
                    asked = [Later(self.ask, agent, "/%d" % i) for i in range(20)]
                    wait_until(lambda: gate.attempts, "the first attempt")
                    self.assertEqual(gate.attempts, 1)
                    behaviour.hold.set()
                    self.assertEqual([later.result().status for later in asked], [200 if secret == "secret" else 502] * 20)
                    if secret == "wrong":
                        self.assertEqual(gate.attempts, 1)

    def test_new_secret_in_the_file_is_tried(self):
        for name, kind in GATES.items():
            with self.subTest(name):
                gate = kind()
                _, agent = self.both(Asks(gate), corp(AUTH[name], user_for(name)), secret="wrong")
                self.own(self.ask(agent), 502)
                agent.write("secret", "also wrong\n")
                self.own(self.ask(agent), 502)
                self.own(self.ask(agent), 502)
                self.assertEqual(gate.attempts, 2)
                agent.write("secret", "secret\n")
                self.assertEqual(self.ask(agent).status, 200)
                self.assertEqual((gate.attempts, gate.failed), (3, 2))

    def test_the_same_secret_written_again_is_not(self):
        gate = Ntlm()
        _, agent = self.both(Asks(gate), corp("ntlm"), secret="wrong")
        self.own(self.ask(agent), 502)
        agent.write("secret", "wrong\n")
        self.own(self.ask(agent), 502)
        agent.reload()
        self.own(self.ask(agent), 502)
        self.assertEqual(gate.attempts, 1)

    def test_refused_connection_is_closed(self):
        proxy, agent = self.both(Asks(Ntlm()), corp("ntlm"), secret="wrong")
        self.own(self.ask(agent), 502)
        for conn in proxy.connections:
            if any((r.get("Proxy-Authorization") or "").startswith("NTLM TlRMTVNTUAAD") for r in conn.requests):
                self.assertTrue(conn.ended_by_peer.wait(30))

    def test_client_never_sees_407(self):
        _, agent = self.both(Asks(Basic()), corp("basic", "alice"), secret="wrong")
        client = self.wire(agent)
        for _ in range(3):
            answer = self.own(client.ask(get(SITE + "/", "Proxy-Authorization: Basic " + base64.b64encode(b"alice:secret").decode())), 502)
            self.assertIsNone(answer.get("Proxy-Authenticate"))

    def test_unproven_and_blocked(self):
        """The very first site is a blocked one: cannot be told from a wrong password, so there is no second attempt."""
        gate = Ntlm()
        _, agent = self.both(Asks(gate, blocked=("blocked.example",)), corp("ntlm"))
        self.own(self.ask(agent, host="blocked.example"), 502)
        self.own(self.ask(agent), 502)
        self.assertEqual(gate.attempts, 1)


class BlockedSite(Scenario):
    def test_fails_only_that_request(self):
        for name, kind in GATES.items():
            with self.subTest(name):
                gate = kind()
                behaviour = Asks(gate, blocked=("blocked.example",))
                _, agent = self.both(behaviour, corp(AUTH[name], user_for(name)))
                self.assertEqual(self.ask(agent).status, 200)
                self.own(self.ask(agent, host="blocked.example"), 403, "http_request_denied", "(?i)password|secret")
                after = gate.attempts
                for _ in range(10):
                    self.own(self.ask(agent, "/other", host="blocked.example"), 403)
                self.assertEqual(gate.attempts, after)  # remembered
                self.assertEqual(self.ask(agent).status, 200)
                self.own(self.tunnel(agent, "blocked.example:443", expect=403), 403)
                self.assertEqual(self.ask(agent).status, 200)
                self.assertEqual(gate.failed, 0)

    def test_two_blocked_sites_with_a_success_between(self):
        gate = Ntlm()
        behaviour = Asks(gate, blocked=("blocked.example", "also.example"))
        proxy, agent = self.both(behaviour, corp("ntlm"))
        self.assertEqual(self.ask(agent).status, 200)
        for _ in range(3):
            for host in behaviour.blocked:
                self.own(self.ask(agent, host=host), 403)
                proxy.drop_all()
                self.assertEqual(self.ask(agent).status, 200)

    def test_password_changed_by_somebody_else(self):
        """A proven secret that stops working: at most two attempts on different sites, then none."""
        for name, kind in GATES.items():
            with self.subTest(name):
                gate = kind()
                proxy, agent = self.both(Asks(gate), corp(AUTH[name], user_for(name)))
                self.assertEqual(self.ask(agent).status, 200)
                gate.password = "changed"
                proxy.drop_all()
                statuses = [self.ask(agent, host="site%d.example" % i).status for i in range(10)]
                self.assertTrue(set(statuses) <= {403, 502}, statuses)
                self.assertEqual(statuses[-1], 502)
                self.assertLessEqual(gate.failed, 2)

    def test_password_changed_under_load(self):
        for name, kind in GATES.items():
            with self.subTest(name):
                gate = kind()
                proxy, agent = self.both(Asks(gate), corp(AUTH[name], user_for(name)))
                self.assertEqual(self.ask(agent).status, 200)
                gate.password = "changed"
                proxy.drop_all()
                for status in together(50, lambda i: self.ask(agent, "/%d" % i, host="site%d.example" % i).status):
                    self.assertIn(status, (403, 502))
                if gate.binds:  # the others put the same header on every request, also on those that are under way at that moment
                    self.assertLessEqual(gate.failed, 3)
                failed = gate.failed
                self.own(self.ask(agent, host="later.example"), 502)
                self.assertEqual(gate.failed, failed)


class NoRefusal(Scenario):
    def after_the_last_token(self, what):
        """The answer to the last token is this instead of a verdict."""
        for name, kind in GATES.items():
            with self.subTest(name):
                gate = kind()
                switch = threading.Event()

                class Breaks(Asks):
                    def handle(self, conn, request):
                        if not switch.is_set() and request.get("Proxy-Authorization"):
                            before = gate.attempts
                            verdict, _ = gate.check(conn, request, request.get("Proxy-Authorization").split(" ", 1)[1], self.names)
                            if gate.attempts > before and verdict == OK:
                                return what(conn)
                            return self.refuse(conn, request, _ or self.lines())
                        return super().handle(conn, request)
                _, agent = self.both(Breaks(gate), corp(AUTH[name], user_for(name)))
                first = self.ask(agent)
                self.assertGreaterEqual(first.status, 400)
                switch.set()
                self.assertEqual(self.ask(agent).status, 200, "one odd answer was taken for a refusal")
                self.assertEqual(gate.failed, 0)

    def test_403(self):
        self.after_the_last_token(lambda conn: conn.answer(403, b"not this one\n") or True)

    def test_500(self):
        self.after_the_last_token(lambda conn: conn.answer(500, b"broken\n") or True)

    def test_503(self):
        self.after_the_last_token(lambda conn: conn.answer(503, b"later\n") or True)

    def test_end_of_connection(self):
        self.after_the_last_token(lambda conn: False)

    def test_reset(self):
        self.after_the_last_token(lambda conn: conn.reset() or False)

    def test_garbage(self):
        self.after_the_last_token(lambda conn: conn.send(b"\0\1\2\3 what\r\n\r\n") or False)

    def test_bare_407_after_a_malformed_challenge(self):
        gate = Ntlm(type2="TlRMTVNTUAACAAAA")  # cut short
        behaviour = Asks(gate)
        _, agent = self.both(behaviour, corp("ntlm"))
        self.own(self.ask(agent), 502)
        gate.type2 = None
        self.assertEqual(self.ask(agent).status, 200)
        self.assertEqual(gate.failed, 0)

    def test_other_407s_than_after_a_last_token(self):
        """Challenges again and again, of a proxy that lost its state: no refusal, and no endless loop either."""
        proxy, agent = self.both(Canned(b"HTTP/1.1 407 Ask\r\nProxy-Authenticate: NTLM\r\nContent-Length: 0\r\n\r\n"), corp("ntlm"))
        self.own(self.ask(agent), 502)
        finals = [r for r in proxy.requests if (r.get("Proxy-Authorization") or "").startswith("NTLM TlRMTVNTUAAD")]
        self.assertEqual(finals, [])
        self.assertLess(len(proxy.requests), 8)
