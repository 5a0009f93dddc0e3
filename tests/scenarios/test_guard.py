"""One wrong secret, one attempt; and what is no refusal."""

import base64
import threading

from agent import wait_until
from base import AUTH, SITE, Later, Scenario, corp, together
from behaviours import Canned
from desktop import Keyring
from gates import OK, Basic, Digest, Negotiate, Ntlm
from proxy import Asks, content, wait_closed
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
        """A real proxy may keep a connection that failed, and refuse everything on it from then on."""
        for name, kind in GATES.items():
            with self.subTest(name):
                gate = kind()
                proxy, agent = self.both(Asks(gate), corp(AUTH[name], user_for(name)), secret="wrong")
                self.own(self.ask(agent), 502)
                self.assertEqual(gate.failed, 1)
                wait_closed(proxy.connections[-1])
                self.assertEqual(agent.status()["upstreams"][0]["proxies"][0]["idle"], 0)

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

    def test_the_remedy_is_one_that_helps(self):
        for secret, remedy in (("file:@DIR@/secret", "put the right password into .*/secret"),
                               ("command:cat @DIR@/secret", "correct what the configured command prints")):
            with self.subTest(secret):
                _, agent = self.both(Asks(Ntlm(), blocked=("blocked.example",)), corp("ntlm", secret=secret))
                self.assertEqual(self.ask(agent).status, 200)
                answer = self.own(self.ask(agent, host="blocked.example"), 403, "http_request_denied", "If the password has changed: " + remedy)
                self.assertNotIn("exeat login", answer.text)  # which would say no

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

    def test_new_password_lay_there_before_the_refusal(self):
        """Changed at the proxy and in the file, then used: one attempt with the old one, and the next request has the new one."""
        for name, kind in GATES.items():
            with self.subTest(name):
                gate = kind()
                proxy, agent = self.both(Asks(gate), corp(AUTH[name], user_for(name)))
                self.assertEqual(self.ask(agent).status, 200)
                gate.password = "changed"
                agent.write("secret", "changed\n")
                proxy.drop_all()
                statuses = [self.ask(agent, host="site%d.example" % i).status for i in range(5)]
                self.assertEqual((statuses, gate.failed), ([403, 200, 200, 200, 200], 1))
                self.assertEqual(self.ask(agent, host="site0.example").status, 200)

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


class ChangedSecret(Scenario):
    """A secret that its provider gives anew is a new generation: one trial handshake, the others queue behind its verdict."""

    def proof(self, gate, behaviour, agent, put):
        """From a refused secret through another wrong one to the right one. put(password): what the provider gives from then on."""
        def refused(attempts):  # a provider is not asked all the time: until it is, the answer is the same without an attempt
            wait_until(lambda: self.ask(agent).status == 502 and gate.attempts == attempts, "attempt %d" % attempts)
            self.assertEqual([answer.status for answer in together(20, lambda i: self.ask(agent, "/%d" % i))], [502] * 20)
            self.assertEqual((gate.attempts, gate.failed), (attempts, attempts))
        refused(1)
        put("also wrong")
        refused(2)
        put("secret")
        behaviour.hold = threading.Event()
        trial = Later(wait_until, lambda: self.ask(agent).status == 200, "the right one")
        wait_until(lambda: gate.attempts > 2, "the attempt with the right one")
        before = agent.status()["counters"]["requests"]
        waiting = [Later(self.ask, agent, "/%d" % i) for i in range(20)]
        wait_until(lambda: agent.status()["counters"]["requests"] >= before + 20, "all of them to be under way")
        self.assertEqual((gate.attempts, [later.value for later in waiting]), (3, [None] * 20))
        behaviour.hold.set()
        trial.result()
        self.assertEqual([later.result().status for later in waiting], [200] * 20)
        self.assertEqual(gate.failed, 2)

    def each(self, schemes, secret, put, **options):
        for name in schemes:
            with self.subTest(name):
                gate = GATES[name]()
                behaviour = Asks(gate)
                _, agent = self.both(behaviour, corp(AUTH[name], user_for(name), secret, more="connections = 100"), **options)
                put(agent, name, "wrong")
                self.proof(gate, behaviour, agent, lambda password: put(agent, name, password))

    def test_file(self):
        self.each(GATES, "file:@DIR@/secret", lambda agent, name, password: agent.write("secret", password + "\n"))

    def test_command(self):
        self.each(("ntlm",), "command:cat @DIR@/secret", lambda agent, name, password: agent.write("secret", password + "\n"))

    def test_keyring(self):
        with Keyring() as keyring:
            self.each(("ntlm", "digest"), "keyring", lambda agent, name, password: keyring.store("corp", user_for(name), password), env=keyring.env)


class NoRefusal(Scenario):
    def after_the_last_token(self, what, more=""):
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
                proxy, agent = self.both(Breaks(gate), corp(AUTH[name], user_for(name), more=more))
                first = self.wire(agent).ask(get(SITE + "/echo"), allow_short=True)
                self.assertGreaterEqual(first.status, 400)
                switch.set()
                if more:  # a limit, which has done its work
                    agent.configure(proxy.upstream(corp(AUTH[name], user_for(name))))
                    agent.reload()
                self.assertEqual(self.ask(agent).status, 200, "one odd answer was taken for a refusal")
                self.assertEqual(gate.failed, 0)

    def test_403(self):
        self.after_the_last_token(lambda conn: conn.answer(403, b"not this one\n") or True)

    def test_500(self):
        self.after_the_last_token(lambda conn: conn.answer(500, b"broken\n") or True)

    def test_503(self):
        self.after_the_last_token(lambda conn: conn.answer(503, b"later\n") or True)

    def test_other_statuses(self):
        for status in (400, 401, 404, 502, 504):
            with self.subTest(status=status):
                self.after_the_last_token(lambda conn, status=status: conn.answer(status, b"no\n") or True)

    def test_timeout(self):
        self.after_the_last_token(lambda conn: conn.read_head() is not None, "answer-timeout = 1s")

    def test_head_cut_short(self):
        self.after_the_last_token(lambda conn: conn.send(b"HTTP/1.1 200 OK\r\nContent-Le") or False)

    def test_body_cut_short(self):
        self.after_the_last_token(lambda conn: conn.send(b"HTTP/1.1 503 Later\r\nContent-Length: 99\r\n\r\nshort") or False)

    def test_both_lengths(self):
        self.after_the_last_token(lambda conn: conn.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n") or False)

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

    def test_first_token_ignored(self):
        """A bare 407 for the first token: the proxy was broken, and serves as soon as it is mended."""
        gate = Ntlm()
        mended = threading.Event()

        class Forgetful(Asks):
            def handle(self, conn, request):
                return super().handle(conn, request) if mended.is_set() else self.refuse(conn, request, self.lines())
        _, agent = self.both(Forgetful(gate), corp("ntlm"))
        self.own(self.ask(agent), 502)
        mended.set()
        self.assertEqual(self.ask(agent).status, 200)
        self.assertEqual(gate.failed, 0)
