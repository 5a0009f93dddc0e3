"""One wrong secret, one attempt: many connections at once, verdicts in every order, over restarts. The proxy is played by hand, so that each
answer comes when the test wants it."""
import os
import tempfile
import unittest

from keyholder import AHEAD, ASIDE, BINDS, BODY_NONE, CLOSED, KNOCK, Context, Keyholder
from realm import Acceptor, NtlmAuthority, converse

MORE = "[upstream %s]\nproxy = http://proxy.corp.example:8080\nauth = %s\nbasic-in-clear = yes\nuser = %s\nsecret = file:%s\n"


class GuardTest(unittest.TestCase):
    auth = "ntlm"
    user = "CORP\\alice"

    def setUp(self):
        fd, self.path = tempfile.mkstemp(prefix="exeat-password-")
        os.close(fd)
        self.put("Password")
        self.addCleanup(os.unlink, self.path)
        self.authority = NtlmAuthority(("CORP", "alice", "Password"))
        self.addCleanup(self.authority.destroy)

    def put(self, password):
        with open(self.path, "w", encoding="utf-8") as f:
            f.write(password + "\n")

    def keyholder(self, auth=None, user=None, more=""):
        k = Keyholder("auth = %s\nbasic-in-clear = yes\nuser = %s\nsecret = file:%s\n" % (auth or self.auth, user or self.user, self.path),
                      more=more)
        self.addCleanup(lambda: k.process.poll() is None and k.finish())
        return k

    def at_type_3(self, k, targets, upstream="corp"):
        """Connections that have Type 2 in hand, each with the question for Type 3 under way: [(context, call, target)]."""
        out = []
        for target in targets:
            c, proxy = Context(k, upstream), Acceptor()
            a = c.challenged(["NTLM"], target=target)
            self.assertEqual(a.flags, KNOCK | BINDS, a)
            out.append((c, c.begin_challenged(proxy.take(a.header), target=target), target))
        return out

    def answered(self, k, waiting):
        """Splits by who has an answer once everything that can move has moved."""
        for _ in range(3):
            k.ask("STATUS", upstream="corp")
        return [w for w in waiting if w[1] in k.answers], [w for w in waiting if w[1] not in k.answers]

    def until(self, k, waiting, n):
        """Waits until n of them are answered."""
        done = []
        while len(done) < n:
            done, rest = self.answered(k, waiting)
        return done, rest

    def prove(self, k, upstream="corp"):
        a, _ = converse(Context(k, upstream), Acceptor())
        self.assertEqual(a.verdict, "SEND")

    def refuse(self, k, w):
        c, call, target = w
        self.assertEqual(k.end(call).verdict, "SEND")
        return c.challenged(["NTLM"], target=target)


class Unproven(GuardTest):
    def test_fifty_wrong_at_once_are_one_attempt(self):
        k = self.keyholder()
        waiting = self.at_type_3(k, ["http://site%d.example/" % i for i in range(50)])
        done, rest = self.until(k, waiting, 1)
        self.assertEqual(len(done), 1)
        self.assertEqual(self.refuse(k, done[0]).verdict, "REFUSED")
        for _, call, _ in rest:
            a = k.end(call)
            self.assertEqual((a.verdict, a.header), ("REFUSED", ""))
            self.assertIn("proxy.corp.example:8080 refused the password of CORP\\alice", a.why)
        self.assertEqual(Context(k).authorize().verdict, "REFUSED")

    def test_a_success_lets_the_others_go(self):
        k = self.keyholder()
        waiting = self.at_type_3(k, ["http://site%d.example/" % i for i in range(6)])
        done, rest = self.until(k, waiting, 1)
        done[0][0].accepted()
        passed = 1
        while rest:
            done, rest = self.until(k, rest, min(3, len(rest)))
            passed += len(done)
            for c, call, _ in done:
                self.assertEqual(k.end(call).verdict, "SEND")
                c.accepted()
        self.assertEqual(passed, 6)

    def test_lost_without_a_verdict_the_next_one_tries(self):
        k = self.keyholder()
        waiting = self.at_type_3(k, ["http://site%d.example/" % i for i in range(3)])
        done, rest = self.until(k, waiting, 1)
        done[0][0].close()
        done, rest = self.until(k, rest, 1)
        self.assertEqual((len(done), len(rest)), (1, 1))
        self.assertEqual(k.end(done[0][1]).verdict, "SEND")

    def test_lost_too_often_is_too_often(self):
        k = self.keyholder()
        for _ in range(3):
            (w,) = self.at_type_3(k, ["http://site.example/"])
            self.assertEqual(k.end(w[1]).verdict, "SEND")
            w[0].close()
        (w,) = self.at_type_3(k, ["http://site.example/"])
        a = k.end(w[1])
        self.assertEqual(a.verdict, "UNAVAILABLE")
        self.assertIn("said neither yes nor no", a.why)

    def test_over_a_restart_until_it_changes(self):
        k = self.keyholder()
        (w,) = self.at_type_3(k, ["http://site.example/"])
        self.assertEqual(self.refuse(k, w).verdict, "REFUSED")
        state = k.env["XDG_STATE_HOME"] + "/exeat/"
        self.assertEqual(os.stat(state + "refused").st_mode & 0o777, 0o600)
        self.assertEqual(os.stat(state + "mark-key").st_mode & 0o777, 0o600)
        with open(state + "refused", encoding="utf-8") as f:
            self.assertNotIn("Password", f.read())
        for _ in range(2):
            k.restart()
            a = Context(k).challenged(["NTLM"])
            self.assertEqual(a.verdict, "REFUSED")
            self.assertIn("refused earlier", a.why)
        self.put("another")
        a = Context(k).authorize()
        self.assertEqual((a.verdict, a.generation), ("SEND", 2))
        self.put("Password")  # the mark of the old one still holds
        k.restart()
        self.assertEqual(Context(k).challenged(["NTLM"]).verdict, "REFUSED")

    def test_damaged_state_file(self):
        k = self.keyholder()
        k.finish_state = k.env["XDG_STATE_HOME"] + "/exeat/"
        k.ask("STATUS", upstream="corp")
        with open(k.finish_state + "refused", "wb") as f:
            f.write(b"\0\xff garbage\nx y z\n" + b"a" * 300000)
        k.restart()
        self.prove(k)

    def test_damaged_key_is_told(self):
        k = self.keyholder()
        k.ask("STATUS", upstream="corp")
        self.assertNotIn("mark-key", k.log())
        for content in (b"short", b""):
            with open(k.env["XDG_STATE_HOME"] + "/exeat/mark-key", "wb") as f:
                f.write(content)
            before = k.log().count("mark-key is damaged")
            for _ in range(2):
                k.restart()
                k.ask("STATUS", upstream="corp")
                self.assertEqual(k.log().count("mark-key is damaged"), before + 1)

    def test_schemes_share_the_mark(self):
        k = self.keyholder(auth="ntlm digest basic")
        (w,) = self.at_type_3(k, ["http://site.example/"])
        self.assertEqual(self.refuse(k, w).verdict, "REFUSED")
        for line in ("Basic realm=x", 'Digest realm="x", nonce="n"'):
            self.assertEqual(Context(k).challenged([line]).verdict, "REFUSED")

    def test_upstreams_share_the_account(self):
        k = self.keyholder(more=MORE % ("second", "ntlm basic", "alice@corp.example", self.path) +
                           MORE % ("stranger", "ntlm", "CORP\\bob", self.path))
        (w,) = self.at_type_3(k, ["http://site.example/"])
        self.assertEqual(self.refuse(k, w).verdict, "REFUSED")
        self.assertEqual(Context(k, "second").challenged(["Basic realm=x"]).verdict, "REFUSED")
        self.assertEqual(Context(k, "stranger").challenged(["NTLM"]).verdict, "SEND")

    def test_upstreams_share_what_is_in_flight(self):
        """Both have read the password before the first attempt: one of them tries, the other hears of it at once."""
        k = self.keyholder(more=MORE % ("second", "basic", "alice@corp.example", self.path))
        first = self.at_type_3(k, ["http://site.example/"])
        second = Context(k, "second")
        k.ask("STATUS", upstream="second")
        self.assertEqual(k.end(first[0][1]).verdict, "SEND")
        waiting = second.begin_challenged(["Basic realm=x"])
        self.assertFalse(k.answered(waiting))
        self.assertEqual(first[0][0].challenged(["NTLM"]).verdict, "REFUSED")
        self.assertEqual(k.end(waiting).verdict, "REFUSED")

    def test_an_upstream_of_its_own_kind_does_not_freeze_the_other(self):
        """The account's password is proven at one proxy; a second one that never took it refuses for itself."""
        k = self.keyholder(more=MORE % ("second", "ntlm", "CORP\\alice", self.path))
        self.prove(k)
        (w,) = self.at_type_3(k, ["http://site.example/"], "second")
        self.assertEqual(self.refuse(k, w).verdict, "REFUSED")
        self.assertEqual(Context(k, "second").authorize().verdict, "REFUSED")
        self.prove(k)
        k.restart()  # the first one's success has not taken back what the second one said
        self.assertEqual(Context(k, "second").challenged(["NTLM"]).verdict, "REFUSED")
        self.prove(k)

    def test_basic_and_digest_are_tried_once_too(self):
        for line, auth in (("Basic realm=x", "basic"), ('Digest realm="x", nonce="n"', "digest")):
            k = self.keyholder(auth=auth)
            contexts = [Context(k) for _ in range(5)]
            waiting = [(c, c.begin_challenged([line]), "http://site.example/") for c in contexts]
            done, rest = self.until(k, waiting, 1)
            self.assertEqual(len(done), 1, auth)
            c, call, _ = done[0]
            self.assertEqual(k.end(call).verdict, "SEND")
            self.assertEqual(c.challenged([line]).verdict, "REFUSED")
            for _, other, _ in rest:
                self.assertEqual(k.end(other).verdict, "REFUSED")
            k.finish()

    def test_a_proxy_that_asks_for_something_else_each_time(self):
        """Once it may not have looked at what it was sent; it cannot be so each time."""
        for line in ("Negotiate", "Bearer", 'Digest realm="x", nonce="n"'):
            k = self.keyholder(auth="basic digest")
            sent = 0
            for _ in range(6):
                c = Context(k)
                a = c.challenged(["Basic realm=x"])
                while a.verdict == "SEND" and a.header:
                    sent += 1
                    a = c.challenged([line] if a.header.startswith("Basic") else ["Basic realm=x"])
            self.assertEqual((sent, a.verdict), (2, "REFUSED"), line)
            k.finish()

    def test_something_else_is_taken(self):
        """An administrator went from Basic to Digest while nobody looked: what was sent for nothing is no refusal."""
        k = self.keyholder(auth="basic digest")
        c = Context(k)
        self.assertTrue(c.challenged(["Basic realm=x"]).header.startswith("Basic "))
        self.assertTrue(c.challenged(['Digest realm="x", nonce="n"']).header.startswith("Digest "))
        c.accepted()
        self.assertTrue(Context(k).authorize().header.startswith("Digest "))

    def test_not_a_refusal(self):
        """Malformed tokens, a close in mid handshake, another offer: the next connection goes on."""
        k = self.keyholder()
        for lines, flags in ((["NTLM !!!!"], 0), (["NTLM AAAAA"], 0), (["NTLM TlRMTVNTUAACAAAA"], 0), (["NTLM TlRMTVNTUAACAAAA"], CLOSED), ([], 0),
                             (["\x01\x02,,,=="], 0), (["Basic realm=x"], 0)):
            c = Context(k)
            self.assertEqual(c.challenged(["NTLM"]).verdict, "SEND")
            self.assertEqual(c.challenged(lines, flags=flags).verdict, "BROKEN", lines)
            c.close()
        self.prove(k)


class Proven(GuardTest):
    def test_one_blocked_site(self):
        k = self.keyholder()
        self.prove(k)
        (w,) = self.at_type_3(k, ["http://blocked.example/a"])
        a = self.refuse(k, w)
        self.assertEqual(a.verdict, "SITE_REFUSED")
        self.assertIn("this site", a.why)
        a = Context(k).authorize(target="http://blocked.example/b")
        self.assertEqual(a.verdict, "SITE_REFUSED")
        self.prove(k)
        # a success came in between: the next blocked site is a first one again
        (w,) = self.at_type_3(k, ["forbidden.example:443"])
        self.assertEqual(self.refuse(k, w).verdict, "SITE_REFUSED")
        self.prove(k)

    def test_two_sites_with_no_success_between(self):
        k = self.keyholder()
        self.prove(k)
        (w,) = self.at_type_3(k, ["http://one.example/"])
        self.assertEqual(self.refuse(k, w).verdict, "SITE_REFUSED")
        (w,) = self.at_type_3(k, ["http://two.example/"])
        self.assertEqual(self.refuse(k, w).verdict, "REFUSED")
        self.assertEqual(Context(k).authorize(target="http://three.example/").verdict, "REFUSED")

    def test_a_password_changed_by_others_costs_three_at_most(self):
        for sites in ("http://site%d.example/", "http://same.example/%d"):
            k = self.keyholder()
            self.prove(k)
            rest = self.at_type_3(k, [sites % i for i in range(20)] + ["http://another.example/"])
            out = 0
            while rest:
                done, rest = self.answered(k, rest)
                for c, call, target in done:
                    a = k.end(call)
                    if a.verdict == "SEND":
                        out += 1
                        c.challenged(["NTLM"], target=target)
            self.assertLessEqual(out, 3, sites)
            self.assertEqual(Context(k).authorize(target="http://last.example/").verdict, "REFUSED")
            k.finish()

    def test_a_late_success_does_not_unfreeze_over_a_restart(self):
        k = self.keyholder()
        self.prove(k)
        ((late, call, _),) = self.at_type_3(k, ["http://slow.example/"])
        self.assertEqual(k.end(call).verdict, "SEND")
        for site, verdict in (("one", "SITE_REFUSED"), ("two", "REFUSED")):
            (w,) = self.at_type_3(k, ["http://%s.example/" % site])
            a = k.end(w[1])
            if a.flags & ASIDE:
                w = (w[0], w[1], "http://exeat.invalid/")
            self.assertIn(w[0].challenged(["NTLM"], target=w[2]).verdict, (verdict, "RESTART"))
        self.assertEqual(Context(k).authorize(target="http://three.example/").verdict, "REFUSED")
        late.accepted()
        for _ in range(2):
            self.assertEqual(Context(k).challenged(["NTLM"], target="http://three.example/").verdict, "REFUSED")
            k.restart()

    def test_three_in_flight(self):
        k = self.keyholder()
        self.prove(k)
        waiting = self.at_type_3(k, ["http://site%d.example/" % i for i in range(10)])
        done, rest = self.until(k, waiting, 3)
        self.assertEqual((len(done), len(rest)), (3, 7))

    def test_basic_is_free_once_proven(self):
        k = self.keyholder(auth="basic")
        c = Context(k)
        c.challenged(["Basic realm=x"])
        c.accepted()
        for _ in range(10):
            self.assertTrue(Context(k).authorize().header)

    def test_basic_refused_in_mid_use(self):
        k = self.keyholder(auth="basic")
        c, d = Context(k), Context(k)
        c.challenged(["Basic realm=x"])
        c.accepted()
        d.authorize()
        d.accepted()
        self.assertEqual(c.challenged(["Basic realm=x"], target="http://one.example/").verdict, "SITE_REFUSED")
        self.assertEqual(d.challenged(["Basic realm=x"], target="http://two.example/").verdict, "REFUSED")
        self.assertEqual(Context(k).authorize().verdict, "REFUSED")

    def test_status_says_so(self):
        k = self.keyholder()
        self.prove(k)
        s = k.ask("STATUS", upstream="corp")
        self.assertEqual((s.scheme, s.why), ("NTLM", "ready"))
        for site in ("http://one.example/", "http://two.example/"):
            (w,) = self.at_type_3(k, [site])
            self.refuse(k, w)
        s = k.ask("STATUS", upstream="corp")
        self.assertRegex(s.why, r"^password refused \d\d:\d\d by proxy.corp.example:8080$")
        self.assertIn(self.path, s.remedy)


class Asides(GuardTest):
    """Two requests whose sites do not answer, and those that come then."""

    def setUp(self):
        super().setUp()
        self.k = self.keyholder()
        self.prove(self.k)
        self.slow = self.at_type_3(self.k, ["http://slow%d.example/" % i for i in range(2)])
        for _, call, _ in self.slow:
            a = self.k.end(call)
            self.assertEqual((a.verdict, a.flags), ("SEND", BINDS))

    def aside(self, target="http://other.example/"):
        (w,) = self.at_type_3(self.k, [target])
        a = self.k.end(w[1])
        self.assertEqual((a.verdict, a.flags), ("SEND", BINDS | KNOCK | ASIDE))
        return w[0]

    def waits(self, target="http://other.example/"):
        (w,) = self.at_type_3(self.k, [target])
        for _ in range(5):  # tokens of others are made meanwhile, so this one is, too: only the guard can keep it back
            Context(self.k).challenged(["NTLM"])
        self.assertEqual(self.answered(self.k, [w])[0], [])
        return w

    def test_slow_answers_hold_nobody_up(self):
        for i in range(5):
            self.aside("http://site%d.example/" % i).accepted()

    def test_never_more_than_three(self):
        c = self.aside()
        waiting = self.at_type_3(self.k, ["http://site%d.example/" % i for i in range(10)])
        self.assertEqual(len(self.answered(self.k, waiting)[1]), 10)
        c.accepted()
        done, rest = self.until(self.k, waiting, 1)
        self.assertEqual((len(done), len(rest)), (1, 9))
        self.assertTrue(self.k.end(done[0][1]).flags & ASIDE)
        done[0][0].close()
        self.slow[0][0].accepted()  # a request has its place again
        done, rest = self.until(self.k, rest, 1)
        self.assertFalse(self.k.end(done[0][1]).flags & ASIDE)

    def test_an_aside_that_is_refused(self):
        """The request itself was never sent: it begins again, and waits until the slow ones have their verdicts."""
        self.assertEqual(self.aside().challenged(["NTLM"], target="http://other.example/").verdict, "RESTART")
        w = self.waits()
        for c, _, _ in self.slow:
            c.accepted()
        self.assertEqual(self.k.end(w[1]).flags, BINDS)
        w[0].accepted()

    def test_an_aside_that_is_refused_and_the_request_too(self):
        self.aside().challenged(["NTLM"], target="http://other.example/")
        w = self.waits()
        for c, _, target in self.slow:
            c.challenged(["NTLM"], target=target)
        self.assertEqual(self.k.end(w[1]).verdict, "REFUSED")

    def test_a_proxy_that_takes_no_asides(self):
        self.aside().challenged(["NTLM"])
        for c, _, _ in self.slow:
            c.accepted()
        self.prove(self.k)
        self.slow = self.at_type_3(self.k, ["http://slow%d.example/" % i for i in range(2)])
        for _, call, _ in self.slow:
            self.assertEqual(self.k.end(call).flags, BINDS)
        w = self.waits()
        self.slow[1][0].accepted()
        self.assertEqual(self.k.end(w[1]).flags, BINDS)

    def test_a_proxy_that_closes_after_an_aside(self):
        self.aside().accepted(flags=CLOSED)
        w = self.waits()
        self.slow[0][0].accepted()
        self.assertEqual(self.k.end(w[1]).flags, BINDS)

    def test_a_connection_lost_on_an_aside(self):
        self.aside().close()
        self.waits()

    def test_asked_again_after_an_aside(self):
        """A blocked site, or a proxy that lets in requests only: this site waits for a place of its own, others do not."""
        c = self.aside("http://blocked.example/")
        c.accepted()
        self.assertEqual(c.challenged(["NTLM"], target="http://blocked.example/").verdict, "RESTART")
        w = self.waits("http://blocked.example/")
        self.aside().accepted()
        self.slow[0][0].accepted()
        self.assertEqual(self.k.end(w[1]).flags, BINDS)
        self.assertEqual(w[0].challenged(["NTLM"], target="http://blocked.example/").verdict, "SITE_REFUSED")

    def test_asked_again_after_every_aside(self):
        for i in range(2):
            c = self.aside("http://site%d.example/" % i)
            c.accepted()
            self.assertEqual(c.challenged(["NTLM"], target="http://site%d.example/" % i).verdict, "RESTART")
        self.waits()

    def test_the_password_changed(self):
        """The slow ones went through before; what comes after costs no more than three, whenever they are answered."""
        c = self.aside()
        self.assertEqual(c.challenged(["NTLM"]).verdict, "RESTART")
        rest = self.at_type_3(self.k, ["http://site%d.example/" % i for i in range(10)])
        self.slow[0][0].accepted()
        self.assertEqual(self.answered(self.k, rest)[0], [])
        self.slow[1][0].accepted()
        done, rest = self.until(self.k, rest, 1)
        self.assertEqual(len(done), 1)
        self.assertEqual(self.refuse(self.k, done[0]).verdict, "REFUSED")
        for _, call, _ in rest:
            self.assertEqual(self.k.end(call).verdict, "REFUSED")


class Ahead(GuardTest):
    """First tokens for connections that no request has asked for."""

    TARGET = "http://exeat.invalid/"

    def ahead(self, k, flags=BINDS | KNOCK):
        c = Context(k)
        a = c.authorize(target=self.TARGET, flags=AHEAD | BODY_NONE)
        self.assertEqual((a.verdict, a.flags), ("SEND", flags))
        self.assertEqual(bool(a.header), bool(flags))
        c.proxy = Acceptor()
        c.second = c.proxy.take(a.header) if flags else None
        return c

    def test_nothing_before_the_password_is_proven(self):
        k = self.keyholder()
        self.ahead(k, 0)
        Context(k).challenged(["NTLM"])
        self.ahead(k, 0)
        self.prove(k)
        self.ahead(k)

    def test_one_question_less(self):
        k = self.keyholder()
        self.prove(k)
        c = self.ahead(k)
        a = c.challenged(c.second, target="site.example:443", method="CONNECT", flags=BODY_NONE)
        self.assertEqual((a.verdict, a.flags), ("SEND", BINDS))
        self.assertIsNone(c.proxy.take(a.header))  # it is content
        c.accepted()

    def test_it_is_no_attempt(self):
        """However many lie about, and whatever becomes of them."""
        k = self.keyholder()
        self.prove(k)
        kept = [self.ahead(k) for _ in range(10)]
        for c in kept[:5]:
            c.close()
        waiting = self.at_type_3(k, ["http://site%d.example/" % i for i in range(2)])
        for _, call, _ in waiting:
            self.assertEqual(k.end(call).flags, BINDS)

    def test_it_waits_for_the_guard_like_any_other(self):
        k = self.keyholder()
        self.prove(k)
        c, d = self.ahead(k), self.ahead(k)
        (w,) = self.at_type_3(k, ["http://one.example/"])
        self.assertEqual(self.refuse(k, w).verdict, "SITE_REFUSED")
        self.assertEqual(d.challenged(d.second, target="http://one.example/").verdict, "RESTART")  # there are words for that
        a = c.challenged(c.second, target="http://two.example/")
        self.assertEqual(a.verdict, "SEND")
        self.assertEqual(c.challenged(["NTLM"], target="http://two.example/").verdict, "REFUSED")

    def test_none_of_a_refused_password(self):
        k = self.keyholder()
        self.prove(k)
        c = self.ahead(k)
        for i in range(2):
            (w,) = self.at_type_3(k, ["http://site%d.example/" % i])
            self.refuse(k, w)
        self.assertEqual(c.challenged(c.second).verdict, "RESTART")
        self.ahead(k, 0)

    def test_none_of_an_old_generation(self):
        k = self.keyholder()
        self.prove(k)
        c = self.ahead(k)
        self.put("another")
        k.ask("RELOAD")
        k.event("EVENT_GENERATION")
        self.assertEqual(c.challenged(c.second).verdict, "RESTART")
        self.ahead(k, 0)

    def test_none_after_an_offer_that_is_too_weak(self):
        k = self.keyholder()
        self.prove(k)
        c = self.ahead(k)
        self.assertEqual(Context(k).challenged(["Basic realm=x"]).verdict, "DOWNGRADED")
        self.assertEqual(c.challenged(c.second).verdict, "RESTART")
        self.ahead(k, 0)

    def test_headers_are_not_made_ahead(self):
        for line, auth in (("Basic realm=x", "basic"), ('Digest realm="x", nonce="n"', "digest")):
            k = self.keyholder(auth=auth)
            c = Context(k)
            self.assertEqual(c.challenged([line]).verdict, "SEND")
            self.ahead(k, 0)
            c.accepted()
            d = self.ahead(k, 0)
            self.assertTrue(d.authorize().header)
            k.finish()

    def test_nothing_is_looked_up(self):
        with tempfile.TemporaryDirectory() as folder:
            k = Keyholder("auth = ntlm\nuser = CORP\\alice\nsecret = command: echo x >> %s/runs; echo Password\n" % folder)
            self.addCleanup(lambda: k.process.poll() is None and k.finish())
            for _ in range(3):
                self.ahead(k, 0)
            self.assertEqual(os.listdir(folder), [])


if __name__ == "__main__":
    unittest.main()
