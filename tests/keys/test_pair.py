"""User and password for SOCKS servers: for whom the message is made, and that each no of theirs ends it."""
import os
import tempfile
import unittest

from keyholder import BODY_NONE, CLOSED, SOCKS, Context, Keyholder

SERVER, PORT = "socks.corp.example", 1080
ASIDE = "http://exeat.invalid/"


class PairTest(unittest.TestCase):
    def setUp(self):
        fd, self.path = tempfile.mkstemp(prefix="exeat-password-")
        os.close(fd)
        self.put("Password")
        self.addCleanup(os.unlink, self.path)

    def put(self, password):
        with open(self.path, "w", encoding="utf-8") as f:
            f.write(password + "\n")

    def keyholder(self, auth="basic", clear="yes", more=""):
        """Upstream socks: a SOCKS server, and an HTTP proxy at another port of the same host."""
        k = Keyholder("", more="[upstream socks]\nproxy = socks5://%s:%d http://%s:8080\nauth = %s\nbasic-in-clear = %s\nuser = alice\nsecret = file:%s\n%s"
                      % (SERVER, PORT, SERVER, auth, clear, self.path, more))
        self.addCleanup(lambda: k.process.poll() is None and k.finish())
        return k

    def at(self, k, upstream="socks", host=SERVER, port=PORT):
        return Context(k, upstream, host, port)

    def wanted(self, c, flags=0):
        return c.challenged([], target=ASIDE, method="CONNECT", flags=SOCKS | BODY_NONE | flags)


class Message(PairTest):
    def test_made(self):
        k = self.keyholder()
        c = self.at(k)
        a = self.wanted(c)
        self.assertEqual((a.verdict, a.header, a.flags), ("SEND", "\1\5alice\x08Password", 0), a)
        self.assertEqual(c.accepted().verdict, "OK")
        status = k.ask("STATUS", upstream="socks")
        self.assertIn("user and password (SOCKS)", status.scheme)

    def test_only_for_a_server_that_the_configuration_names(self):
        k = self.keyholder()
        self.assertEqual(self.at(k, host="evil.example").opened.verdict, "UNAVAILABLE")
        self.assertEqual(self.at(k, port=1081).opened.verdict, "UNAVAILABLE")
        a = self.wanted(self.at(k, port=8080))  # a proxy of HTTP
        self.assertEqual((a.verdict, a.header), ("BROKEN", ""), a)
        a = self.at(k).challenged(["Basic realm=x"])  # a SOCKS server that asks as a proxy does
        self.assertEqual((a.verdict, a.header), ("BROKEN", ""), a)

    def test_rules_of_basic(self):
        for auth, clear in (("basic", "no"), ("negotiate ntlm digest", "yes"), ("none", "yes")):
            with self.subTest(auth=auth, clear=clear):
                a = self.wanted(self.at(self.keyholder(auth, clear)))
                self.assertEqual((a.verdict, a.header), ("UNAVAILABLE", ""), a)

    def test_too_long(self):
        self.put("x" * 256)
        a = self.wanted(self.at(self.keyholder()))
        self.assertEqual((a.verdict, a.header), ("UNAVAILABLE", ""), a)
        self.assertIn("255 bytes", a.why)


class Guard(PairTest):
    def test_fifty_at_once_are_one_attempt(self):
        k = self.keyholder()
        contexts = [self.at(k) for _ in range(50)]
        calls = [c.begin_challenged([], target=ASIDE, method="CONNECT", flags=SOCKS | BODY_NONE) for c in contexts]
        while not [call for call in calls if call in k.answers]:
            k.ask("STATUS", upstream="socks")
        for _ in range(3):
            k.ask("STATUS", upstream="socks")
        first = [i for i, call in enumerate(calls) if call in k.answers]
        self.assertEqual(len(first), 1)
        self.assertEqual(k.end(calls[first[0]]).verdict, "SEND")
        a = self.wanted(contexts[first[0]], CLOSED)
        self.assertEqual((a.verdict, a.header), ("REFUSED", ""), a)
        for i, call in enumerate(calls):
            if i != first[0]:
                self.assertEqual(k.end(call).verdict, "REFUSED")
        k.restart()
        self.assertEqual(self.wanted(self.at(k)).verdict, "REFUSED")
        self.put("another")
        self.assertEqual(self.wanted(self.at(k)).verdict, "SEND")

    def test_proven_and_refused(self):
        k = self.keyholder()
        c = self.at(k)
        self.wanted(c)
        c.accepted()
        c = self.at(k)
        self.assertEqual(self.wanted(c).verdict, "SEND")
        self.assertEqual(self.wanted(c, CLOSED).verdict, "REFUSED")
        self.assertEqual(self.wanted(self.at(k)).verdict, "REFUSED")

    def test_lost_too_often(self):
        k = self.keyholder()
        for _ in range(3):
            c = self.at(k)
            self.assertEqual(self.wanted(c).verdict, "SEND")
            c.close()
        a = self.wanted(self.at(k))
        self.assertEqual(a.verdict, "UNAVAILABLE")
        self.assertIn("neither yes nor no", a.why)


if __name__ == "__main__":
    unittest.main()
