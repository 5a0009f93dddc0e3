"""At most three unanswered final tokens of a proven password, whatever holds up the answers, and nobody starves for it."""

import base64
import re
import threading

import ntlm
from agent import wait_until
from base import Later, Scenario, corp
from gates import Negotiate, Ntlm
from proxy import Asks, Open, content
from wire import PATIENCE

NOWHERE = "http://exeat.invalid/"


class Sites(Open):
    """Origin servers; those whose name begins with slow answer once released. closes: what no server answers for ends the connection."""

    closes = False

    def __init__(self):
        self.release = threading.Event()
        super().__init__()

    def handle(self, conn, request):
        if re.match("(http://)?slow", request.target):
            self.release.wait(PATIENCE)
        if request.target == NOWHERE and self.closes:
            conn.answer(503, b"no such host\n", ["Connection: close"])
            return False
        return super().handle(conn, request)


class Counts(Asks):
    """How many final tokens are unanswered, and were at most. verdicts: a semaphore that each needs before it is looked at; after_aside:
    what the proxy does with connections after its answer to one (a callable that takes the connection)."""

    verdicts = None
    after_aside = None

    def __init__(self, *gates, **options):
        self.flying = self.most = 0
        super().__init__(*gates, **options)

    def is_final(self, request):
        token = (request.get("Proxy-Authorization") or "").partition(" ")[2]
        return bool(token) and ntlm.kind(ntlm.find(base64.b64decode(token))) == 3

    def handle(self, conn, request):
        if self.is_final(request):
            with self.lock:
                self.flying += 1
                self.most = max(self.most, self.flying)
            send = conn.send

            def answer(data):
                with self.lock:
                    self.flying -= 1
                conn.send = send
                send(data)
            conn.send = answer
            if self.verdicts:
                self.verdicts.acquire(timeout=PATIENCE)
        keep = super().handle(conn, request)
        if keep and request.target == NOWHERE and self.after_aside and self in conn.let_in:
            return self.after_aside(conn)
        return keep


class Asides(Scenario):
    def begin(self, gate=None, more="", **options):
        self.gate = gate or Ntlm()
        self.sites = Sites()
        self.behaviour = Counts(self.gate, then=self.sites, **options)
        auth = "negotiate ntlm" if isinstance(self.gate, Negotiate) else "ntlm"
        self.proxy_, self.agent_ = self.both(self.behaviour, corp(auth, more="connections = 200\nspares = 0\n" + more))
        self.assertEqual(self.ask(self.agent_).status, 200)
        self.proxy_.drop_all()

    def slow(self, n=2):
        """So many requests that have sent their final tokens and get no answer."""
        asked = []
        for i in range(n):
            asked.append(Later(lambda i=i: self.ask(self.agent_, "/%d" % i, host="slow%d.example" % i)))
            wait_until(lambda: self.behaviour.flying == i + 1, "slow request %d" % i)
        return asked

    def finals(self, target):
        return [r for r in self.proxy_.requests if r.target == target and self.behaviour.is_final(r)]

    def work(self, i):
        if i % 3 == 0:
            return self.ask(self.agent_, "/%d" % i, host="site%d.example" % i).status
        if i % 3 == 1:
            tunnel = self.tunnel(self.agent_, "site%d.example:443" % i)
            self.echoes(tunnel)
            tunnel.close()
            return 200
        answer = self.ask(self.agent_, "/%d" % i, host="site%d.example" % i, method="POST", body=content(100 + 50000 * (i % 2)))
        self.assertIn(b'"method": "POST"', answer.body)
        return answer.status

    def settle(self, slow):
        self.sites.release.set()
        self.assertEqual([later.result().status for later in slow], [200] * len(slow))

    def test_slow_sites_hold_nobody_up(self):
        for gate in (Ntlm(), Negotiate()):
            with self.subTest(gate.scheme):
                self.begin(gate)
                slow = self.slow()
                fresh = [Later(self.work, i) for i in range(24)]
                self.assertEqual([later.result() for later in fresh], [200] * 24)
                self.assertLessEqual(self.behaviour.most, 3)
                self.assertGreater(len(self.finals(NOWHERE)), 0)
                self.assertEqual(self.gate.failed, 0)
                self.settle(slow)

    def test_an_aside_is_about_nothing_else(self):
        """Bodiless, and without a field of the client's request, which follows whole and without credentials."""
        self.begin()
        slow = self.slow()
        answer = self.ask(self.agent_, "/post", "X-Mine: private", "Cookie: a=b", method="POST", body=content(70000))
        self.assertEqual(answer.status, 200)
        aside, = self.finals(NOWHERE)
        self.assertEqual((aside.method, aside.body), ("GET", b""))
        self.assertEqual([name for name in aside.names() if name not in ("Host", "Via", "Connection", "Proxy-Connection", "Proxy-Authorization")], [])
        post = aside.conn.requests[-1]
        self.assertEqual((post.method, post.get("X-Mine"), post.get("Proxy-Authorization"), len(post.body)), ("POST", "private", None, 70000))
        self.settle(slow)

    def test_slow_verdicts(self):
        """A directory that thinks: each verdict falls when the test says so."""
        self.begin()
        self.behaviour.verdicts = threading.Semaphore(0)
        fresh = [Later(self.work, i) for i in range(12)]
        wait_until(lambda: self.behaviour.flying == 3, "three in flight")
        for _ in range(40):
            wait_until(lambda: self.behaviour.flying or all(not later.thread.is_alive() for later in fresh), "a final token")
            self.behaviour.verdicts.release()
            if all(not later.thread.is_alive() for later in fresh):
                break
        self.assertEqual([later.result() for later in fresh], [200] * 12)
        self.assertEqual(self.behaviour.most, 3)

    def test_password_changed_while_sites_are_slow(self):
        for release_first in (False, True):
            with self.subTest(release_first):
                self.begin()
                slow = self.slow()
                self.gate.password = "changed"
                fresh = [Later(lambda i=i: self.ask(self.agent_, "/", host="site%d.example" % i).status) for i in range(30)]
                wait_until(lambda: self.gate.failed, "the first refusal")
                self.settle(slow)
                for later in fresh:
                    self.assertIn(later.result(), (200, 403, 502))  # the slow ones' connections are let in already
                self.proxy_.drop_all()
                for i in range(5):
                    self.assertIn(self.ask(self.agent_, host="later%d.example" % i).status, (403, 502))
                self.assertLessEqual(self.gate.failed, 3)
                self.assertLessEqual(self.behaviour.most, 3)

    def test_password_changed_under_slow_verdicts(self):
        """What is at the directory at the moment of the change, and is wrong by the time that it looks."""
        self.begin()
        self.behaviour.verdicts = threading.Semaphore(0)
        fresh = [Later(lambda i=i: self.ask(self.agent_, "/", host="site%d.example" % i).status) for i in range(30)]
        wait_until(lambda: self.behaviour.flying == 3, "three in flight")
        self.gate.password = "changed"
        for _ in range(60):
            self.behaviour.verdicts.release()
        for later in fresh:
            self.assertIn(later.result(), (200, 403, 502))
        self.assertLessEqual(self.gate.failed, 3)
        self.assertEqual(self.behaviour.most, 3)

    def test_proxy_that_closes_after_an_aside(self):
        """It says so, or just does it; the second may cost what cannot be sent twice."""
        def close(conn):
            conn.close_softly()
            return False
        for said in (True, False):
            with self.subTest(said):
                self.begin(after_aside=close)
                self.sites.closes = said
                slow = self.slow()
                fresh = [Later(self.work, i) for i in (range(6) if said else (0, 1, 3, 4))]
                wait_until(lambda: self.finals(NOWHERE), "an aside")
                self.settle(slow)
                self.assertEqual([later.result() for later in fresh], [200] * len(fresh))
                self.assertLessEqual(self.behaviour.most, 3)
                asides = len(self.finals(NOWHERE))  # a close that was not said may come when the next one is out already
                self.assertTrue(asides == 1 or (asides <= len(fresh) and not said), asides)

    def test_proxy_that_hangs_up_on_an_aside(self):
        class HangsUp(Counts):
            def handle(self, conn, request):
                if request.target == NOWHERE and self.is_final(request):
                    return False
                return super().handle(conn, request)
        self.begin()
        self.behaviour.__class__ = HangsUp
        slow = self.slow()
        fresh = Later(self.work, 2)
        wait_until(lambda: self.finals(NOWHERE), "an aside")
        self.settle(slow)
        self.assertEqual(fresh.result(), 200)

    def test_proxy_that_asks_for_every_name_it_does_not_know(self):
        """407 to the aside itself, with good credentials: no request fails for it, and nothing is refused."""
        self.begin(blocked=("exeat.invalid",))
        slow = self.slow()
        fresh = [Later(self.work, i) for i in range(6)]
        wait_until(lambda: self.finals(NOWHERE), "an aside")
        self.settle(slow)
        self.assertEqual([later.result() for later in fresh], [200] * 6)
        self.assertLessEqual(len(self.finals(NOWHERE)), 2)  # a second one may go out before the answer to the first is read

    def test_blocked_site_behind_an_aside(self):
        self.begin(blocked=("blocked.example",))
        slow = self.slow()
        blocked = Later(lambda: self.ask(self.agent_, host="blocked.example"))
        wait_until(lambda: any("blocked.example" in r.target for r in self.proxy_.requests), "the blocked site")
        self.assertEqual([Later(self.work, i).result() for i in range(4)], [200] * 4)  # the others go on
        self.settle(slow)
        self.own(blocked.result(), 403, "http_request_denied")
        self.assertEqual(self.ask(self.agent_).status, 200)

    def test_client_that_leaves_in_the_middle(self):
        self.begin()
        slow = self.slow()
        self.behaviour.verdicts = threading.Semaphore(0)
        client = self.wire(self.agent_)
        client.send("GET http://site.example/ HTTP/1.1\r\nHost: site.example\r\n\r\n")
        wait_until(lambda: self.finals(NOWHERE), "an aside")
        client.reset()
        self.behaviour.verdicts.release(100)
        self.settle(slow)
        self.assertEqual(self.work(0), 200)
