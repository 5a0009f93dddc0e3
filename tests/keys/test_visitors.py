"""Identities that clients bring (OPEN with user and secret): one attempt for each pair of account and password whoever brings it, a few pairs for each
account, nothing on the disk, and a ceiling on how many are kept."""
import os

from keyholder import BINDS, KNOCK, Context
from realm import Acceptor, NtlmAuthority, converse
from test_guard import GuardTest

USE = "client-credentials = use\n"


class Visitors(GuardTest):
    def people(self, *people):
        self.authority = NtlmAuthority(*people)
        self.addCleanup(self.authority.destroy)

    def use(self, more=""):
        return self.keyholder(more=USE + more)

    def brings(self, k, password, user="CORP\\bob", upstream="corp"):
        return Context(k, upstream, user=user, secret=password)

    def at_type_3_with(self, k, password, count=1, user="CORP\\bob"):
        out = []
        for i in range(count):
            c, proxy = self.brings(k, password, user), Acceptor()
            a = c.challenged(["NTLM"], target="http://site%d.example/" % i)
            self.assertEqual(a.flags, KNOCK | BINDS, a)
            out.append((c, c.begin_challenged(proxy.take(a.header), target="http://site%d.example/" % i), "http://site%d.example/" % i))
        return out

    def refused_once(self, k, password, user="CORP\\bob"):
        w, = self.at_type_3_with(k, password, user=user)
        a = self.refuse(k, w)
        self.assertEqual(a.verdict, "REFUSED")
        w[0].close()
        return a

    def test_fifty_wrong_at_once_are_one_attempt(self):
        k = self.use()
        waiting = self.at_type_3_with(k, "wrong", 50)
        done, rest = self.until(k, waiting, 1)
        self.assertEqual(len(done), 1)
        a = self.refuse(k, done[0])
        self.assertEqual(a.verdict, "REFUSED")
        self.assertIn("password of CORP\\bob", a.why)
        self.assertEqual((a.remedy, a.flags), ("Give the program the right user name and password.", 0))
        for _, call, _ in rest:
            self.assertEqual(k.end(call).header, "")
        self.assertEqual(self.brings(k, "wrong").authorize().verdict, "REFUSED")

    def test_remembered_without_a_connection(self):
        k = self.use()
        self.refused_once(k, "wrong")
        a = self.brings(k, "wrong").challenged(["NTLM"])
        self.assertEqual((a.verdict, a.header), ("REFUSED", ""))

    def test_the_account_is_shared_with_the_configured_identity(self):
        """Both ways, and after a restart, of which the visitor's own refusals leave no trace."""
        k = self.use()
        w, = self.at_type_3(k, ["http://site.example/"])  # CORP\alice, whose password is in the file
        self.put("Password")
        self.assertEqual(self.refuse(k, w).verdict, "REFUSED")
        self.refused_once(k, "wrong")
        for restarted in (False, True):
            a = self.brings(k, "Password", user="alice@corp.example").challenged(["NTLM"])
            self.assertEqual((a.verdict, a.header), ("REFUSED", ""), restarted)
            k.restart()
        with open(k.directory + "/state/exeat/refused", encoding="ascii") as marks:
            self.assertEqual([line.split(" ")[0] for line in marks], ["alice@corp"])

    def test_it_is_nobody_elses(self):
        """The agent hears of no new generation: nobody's connections end."""
        self.people(("CORP", "bob", "Bob's"))
        k = self.use()
        c = self.brings(k, "Bob's")
        self.assertEqual(c.opened.identity, "CORP\\bob")
        a, _ = converse(c, Acceptor())
        self.assertEqual(a.verdict, "SEND")
        c.accepted()
        self.assertEqual(Context(k).opened.identity, "CORP\\alice")
        self.assertEqual(k.events, [])

    def test_another_password_each_time(self):
        k = self.use()
        for i in range(3):
            self.refused_once(k, "guess %d" % i)
        for i in range(3, 6):
            opened = self.brings(k, "guess %d" % i).opened
            self.assertEqual(opened.verdict, "UNAVAILABLE")
            self.assertIn("half an hour", opened.why)
        self.assertEqual(self.brings(k, "guess 0").opened.verdict, "OK")  # known: it is not shown again
        self.assertEqual(self.brings(k, "guess", user="CORP\\carol").opened.verdict, "OK")

    def test_in_flight_counts_too(self):
        """Guesses that have had no answer yet are shown to the directory all the same."""
        k = self.use()
        for i in range(3):
            self.assertEqual(self.brings(k, "guess %d" % i).opened.verdict, "OK")
        self.assertEqual(self.brings(k, "guess 3").opened.verdict, "UNAVAILABLE")

    def test_what_is_accepted_gives_its_place_back(self):
        self.people(*(("CORP", "bob%d" % i, "right") for i in range(3)))
        k = self.use()
        for password in ("wrong", "also wrong"):
            self.refused_once(k, password, "CORP\\bob0")
        for _ in range(2):
            c = self.brings(k, "right", "CORP\\bob0")
            self.assertEqual(converse(c, Acceptor())[0].verdict, "SEND")
            c.accepted()
        self.refused_once(k, "wrong once more", "CORP\\bob0")

    def test_where_it_is_not_configured(self):
        k = self.keyholder()
        opened = self.brings(k, "x").opened
        self.assertEqual(opened.verdict, "UNAVAILABLE")
        self.assertIn("does not use the credentials", opened.why)

    def test_no_user_and_no_password(self):
        k = self.use()
        for user, password in (("CORP\\", "x"), ("\\bob", "x"), ("bob", ""), ("", "x"), ("bob", "x" * 5000), ("bo\nb", "x")):
            opened = self.brings(k, password, user).opened
            self.assertEqual(opened.verdict, "REFUSED", (user, password[:10]))

    def test_a_ceiling(self):
        """Those in use are kept; those that rest make room."""
        k = self.use()
        contexts = [self.brings(k, "x", "user%d" % i) for i in range(256)]
        self.assertEqual({c.opened.verdict for c in contexts}, {"OK"})
        opened = self.brings(k, "x", "one-more").opened
        self.assertEqual(opened.verdict, "UNAVAILABLE")
        self.assertIn("More users", opened.why)
        for c in contexts:
            c.challenged(["NTLM"])  # its worker is done with it then
        contexts[7].close()
        self.assertEqual(self.brings(k, "x", "one-more").opened.verdict, "OK")

    def test_reload(self):
        k = self.use()
        same = self.brings(k, "x")
        k.ask("RELOAD")
        self.assertEqual(same.challenged(["NTLM"]).verdict, "SEND")
        k.configure("auth = ntlm\nuser = CORP\\alice\nsecret = file:%s\n" % self.path)
        k.more = ""
        k.configure("auth = ntlm\nuser = CORP\\alice\nsecret = file:%s\n" % self.path)
        k.ask("RELOAD")
        self.assertEqual(self.brings(k, "x").opened.verdict, "UNAVAILABLE")
        self.assertEqual(same.authorize().verdict, "SEND")  # what has begun goes on
        same.close()
        self.assertEqual(Context(k).opened.verdict, "OK")

    def test_remembered_among_many(self):
        """More users than there is room for, of passwords and of verdicts: what was refused is forgotten last."""
        k = self.use()
        self.refused_once(k, "wrong")
        for i in range(400):
            c = self.brings(k, "x", "user%d" % i)
            self.assertEqual(c.challenged(["NTLM"]).verdict, "SEND")
            c.close()
        a = self.brings(k, "wrong").challenged(["NTLM"])
        self.assertEqual((a.verdict, a.header), ("REFUSED", ""))

    def test_the_disk_knows_nothing(self):
        k = self.use()
        self.refused_once(k, "wrong")
        self.assertFalse(os.path.exists(k.directory + "/state/exeat/refused"))
