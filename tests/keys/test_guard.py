"""One wrong secret, one attempt: many connections at once, verdicts in every order, over restarts. The proxy is played by hand, so that each
answer comes when the test wants it."""
import os
import tempfile
import unittest

from keyholder import BINDS, CLOSED, KNOCK, Context, Keyholder
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
        done, rest = self.answered(k, rest)
        self.assertEqual((len(done), len(rest)), (1, 1))
        self.assertEqual(k.end(done[0][1]).verdict, "SEND")

    def test_lost_too_often_is_too_often(self):
        k = self.keyholder()
        for _ in range(4):
            (w,) = self.at_type_3(k, ["http://site.example/"])
            self.assertEqual(k.end(w[1]).verdict, "SEND")
            w[0].close()
        (w,) = self.at_type_3(k, ["http://site.example/"])
        a = k.end(w[1])
        self.assertEqual(a.verdict, "UNAVAILABLE")
        self.assertIn("closed the connection several times", a.why)

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

    def test_an_upstream_of_its_own_kind_does_not_freeze_the_other(self):
        """The account's password is proven at one proxy; a second one that never took it refuses for itself."""
        k = self.keyholder(more=MORE % ("second", "ntlm", "CORP\\alice", self.path))
        self.prove(k)
        (w,) = self.at_type_3(k, ["http://site.example/"], "second")
        self.assertEqual(self.refuse(k, w).verdict, "REFUSED")
        self.assertEqual(Context(k, "second").authorize().verdict, "REFUSED")
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

    def test_not_a_refusal(self):
        """Malformed tokens, a close in mid handshake, another offer: the next connection goes on."""
        k = self.keyholder()
        for lines, flags in ((["NTLM !!!!"], 0), (["NTLM TlRMTVNTUAACAAAA"], 0), (["NTLM TlRMTVNTUAACAAAA"], CLOSED), ([], 0),
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

    def test_three_in_flight(self):
        k = self.keyholder()
        self.prove(k)
        waiting = self.at_type_3(k, ["http://site%d.example/" % i for i in range(10)])
        done, rest = self.until(k, waiting, 3)
        self.assertEqual((len(done), len(rest)), (3, 7))

    def test_a_slow_answer_does_not_hold_up_others(self):
        """Three requests whose sites do not answer: a password would have been refused long before."""
        k = self.keyholder()
        self.prove(k)
        waiting = self.at_type_3(k, ["http://slow%d.example/" % i for i in range(3)])
        for _, call, _ in waiting:
            self.assertEqual(k.end(call).verdict, "SEND")
        (w,) = self.at_type_3(k, ["http://other.example/"])
        self.assertEqual(k.end(w[1]).verdict, "SEND")
        w[0].accepted()
        waiting[0][0].accepted()
        waiting[1][0].close()
        # and when one of them is refused after all, that is a refusal
        self.assertEqual(waiting[2][0].challenged(["NTLM"], target=waiting[2][2]).verdict, "SITE_REFUSED")

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


if __name__ == "__main__":
    unittest.main()
