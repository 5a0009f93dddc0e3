"""Each scheme from the first challenge to the accepted request, against real acceptors where there are any."""
import base64
import hashlib
import os
import re
import socket
import subprocess
import tempfile
import unittest

import memory
from keyholder import (BINDS, BODY_BIG, BODY_HELD, BODY_NONE, CANDIDATE, CLOSED, FINAL, KNOCK, REUSABLE, WAIT, Context,
                       Keyholder)
from realm import NTLM, SPNEGO, Acceptor, InRealm, NtlmAuthority, converse

PASSWORD = "Pass wörd:\"\\%ß€𝄞"


class PasswordFile:
    def __init__(self, password):
        fd, self.path = tempfile.mkstemp(prefix="exeat-password-")
        os.close(fd)
        self.put(password)

    def put(self, password):
        with open(self.path, "w", encoding="utf-8") as f:
            f.write(password + "\n")

    def destroy(self):
        os.unlink(self.path)


class SchemeTest(unittest.TestCase):
    auth = "basic"
    user = "CORP\\alice"
    password = PASSWORD
    env = {}
    kerberos = None

    def setUp(self):
        self.file = PasswordFile(self.password)
        self.addCleanup(self.file.destroy)

    def keyholder(self, auth=None, user=None, secret=None, env=None, more="", kerberos=None):
        user = self.user if user is None else user
        kerberos = kerberos or (secret != "none" and self.kerberos)
        text = "auth = %s\nbasic-in-clear = yes\n%ssecret = %s\n%s" % (auth or self.auth, "user = %s\n" % user if user else "",
                                                 secret or "file:" + self.file.path,
                                                 "kerberos = %s\n" % kerberos if kerberos else "")
        k = Keyholder(text, env=dict(self.env, **(env or {})), more=more)
        self.addCleanup(lambda: k.process.poll() is None and k.finish())
        return k

    def assertVerdict(self, answer, verdict):
        self.assertEqual(answer.verdict, verdict, answer)


def completed_and_refused(test, context, acceptor, target):
    """A handshake whose last token comes with a 407 again, as Squid sends it for a site that is not for this user."""
    answer = context.authorize(target=target)
    while acceptor.user is None and answer.verdict == "SEND":
        lines = acceptor.take(answer.header)
        if lines is not None:
            answer = context.challenged(lines, target=target)
    test.assertTrue(acceptor.final)
    answer = context.challenged(["%s %s" % (acceptor.wire, base64.b64encode(acceptor.final).decode())], target=target)
    test.assertVerdict(answer, "SITE_REFUSED")
    test.assertIn("took the Kerberos ticket of alice@CORP.EXAMPLE, and refused this site all the same.", answer.why)


class Basic(SchemeTest):
    def test_header_once_asked_and_first_afterwards(self):
        k = self.keyholder()
        c = Context(k)
        self.assertEqual(c.opened.identity, "CORP\\alice")
        first = c.authorize()
        self.assertVerdict(first, "SEND")
        self.assertEqual(first.header, "")
        a = c.challenged(['Basic realm="x"'])
        self.assertEqual(a.header, "Basic " + base64.b64encode(("CORP\\alice:" + PASSWORD).encode()).decode())
        self.assertEqual(a.flags, REUSABLE)
        c.accepted()
        again = Context(k).authorize()
        self.assertEqual(again.header, a.header)
        self.assertEqual(k.ask("STATUS", upstream="corp").scheme, "Basic")

    def test_only_where_named(self):
        k = self.keyholder(auth="ntlm digest")
        a = Context(k).challenged(['Basic realm="x"'])
        self.assertVerdict(a, "UNAVAILABLE")
        self.assertIn("Basic", a.why)

    def test_command_gives_its_first_line(self):
        k = self.keyholder(secret="command:printf 'one\\ntwo\\n'", user="alice")
        a = Context(k).challenged(["Basic realm=x"])
        self.assertEqual(base64.b64decode(a.header[6:]), b"alice:one")

    def test_command_that_fails(self):
        k = self.keyholder(secret="command:exit 3")
        a = Context(k).challenged(["Basic realm=x"])
        self.assertVerdict(a, "UNAVAILABLE")
        self.assertIn("exit status 3", a.why)

    def test_credential(self):
        with tempfile.TemporaryDirectory() as d:
            with open(d + "/proxy", "w") as f:
                f.write("from systemd")
            k = self.keyholder(secret="credential:proxy", user="alice", env={"CREDENTIALS_DIRECTORY": d})
            a = Context(k).challenged(["Basic realm=x"])
            self.assertEqual(base64.b64decode(a.header[6:]), b"alice:from systemd")

    def test_no_user(self):
        k = self.keyholder(user="")
        a = Context(k).challenged(["Basic realm=x"])
        self.assertVerdict(a, "UNAVAILABLE")
        self.assertIn("no user", a.why)

    def test_missing_file(self):
        k = self.keyholder(secret="file:/nonexistent/password")
        a = Context(k).challenged(["Basic realm=x"])
        self.assertVerdict(a, "UNAVAILABLE")
        self.assertIn("/nonexistent/password", a.why)


class Digest(SchemeTest):
    auth = "digest"
    user = "alice"
    challenge = 'Digest realm="r", nonce="%s", qop="%s", algorithm=%s, opaque="o"'

    def check(self, header, method="GET", target="http://site.example/", algorithm="SHA-256", body=b""):
        p = {n: a or b for n, a, b in re.findall(r'(\w+)=(?:"((?:[^"\\]|\\.)*)"|([^, ]+))', header[7:])}
        hasher = {"MD5": "md5", "SHA-256": "sha256"}[algorithm]

        def h(*parts):
            return hashlib.new(hasher, b":".join(parts)).hexdigest().encode()

        a1 = h(b"alice", b"r", PASSWORD.encode())
        a2 = [method.encode(), target.encode()]
        if p["qop"] == "auth-int":
            a2.append(h(body))
        want = h(a1, p["nonce"].encode(), p["nc"].encode(), p["cnonce"].encode(), p["qop"].encode(), h(*a2))
        self.assertEqual(p["response"].encode(), want)
        self.assertEqual(p["uri"], target)
        return p

    def test_each_request_has_its_count(self):
        k = self.keyholder()
        c = Context(k)
        self.check(c.challenged([self.challenge % ("n1", "auth", "SHA-256")]).header)
        c.accepted()
        p = self.check(c.authorize(target="other.example:443", method="CONNECT").header, "CONNECT", "other.example:443")
        self.assertEqual(p["nc"], "00000002")
        self.assertEqual(k.ask("STATUS", upstream="corp").scheme, "Digest SHA-256")

    def test_stale_is_no_refusal_but_not_for_ever(self):
        k = self.keyholder()
        c = Context(k)
        c.challenged([self.challenge % ("n1", "auth", "MD5")])
        for n in range(2):
            a = c.challenged([self.challenge % ("s%d" % n, "auth", "MD5") + ", stale=TRUE"])
            self.assertEqual(self.check(a.header, algorithm="MD5")["nonce"], "s%d" % n)
        self.assertVerdict(c.challenged([self.challenge % ("s3", "auth", "MD5") + ", stale=true"]), "BROKEN")
        c = Context(k)
        self.assertVerdict(c.authorize(), "SEND")
        c.accepted()  # and nothing was frozen

    def test_wrong_password(self):
        k = self.keyholder()
        c = Context(k)
        c.challenged([self.challenge % ("n1", "auth", "MD5")])
        self.assertVerdict(c.challenged([self.challenge % ("n2", "auth", "MD5")]), "REFUSED")
        self.assertVerdict(Context(k).authorize(), "REFUSED")

    def test_next_nonce(self):
        k = self.keyholder()
        c = Context(k)
        c.challenged([self.challenge % ("n1", "auth", "MD5")])
        c.accepted(info='nextnonce="n2"\n')
        self.assertEqual(self.check(c.authorize().header, algorithm="MD5")["nonce"], "n2")

    def test_auth_int_asks_for_the_body(self):
        k = self.keyholder()
        c = Context(k)
        line = self.challenge % ("n1", "auth-int", "MD5")
        self.assertVerdict(c.challenged([line], method="POST"), "NEED_BODY")
        a = c.challenged([line], method="POST", flags=BODY_HELD, body=b"hello")
        self.assertEqual(self.check(a.header, "POST", algorithm="MD5", body=b"hello")["qop"], "auth-int")
        a = Context(k).challenged([line], method="POST", flags=BODY_BIG)
        self.assertVerdict(a, "UNAVAILABLE")

    def test_a_big_body_gets_a_fresh_nonce(self):
        k = self.keyholder()
        c = Context(k)
        c.challenged([self.challenge % ("n1", "auth", "MD5")])
        c.accepted()
        a = c.authorize(method="POST", flags=BODY_BIG)
        self.assertEqual((a.verdict, a.flags, a.header), ("SEND", KNOCK, ""))
        a = c.challenged([self.challenge % ("n2", "auth", "MD5")], method="POST", flags=BODY_BIG)
        self.assertEqual(self.check(a.header, "POST", algorithm="MD5")["nonce"], "n2")

    def test_closed_after_the_challenge(self):
        k = self.keyholder()
        a = Context(k).challenged([self.challenge % ("n1", "auth", "MD5")], flags=CLOSED)
        self.assertVerdict(a, "RESTART")
        self.assertVerdict(Context(k).authorize(flags=BODY_NONE), "SEND")


class Ntlm(SchemeTest):
    auth = "negotiate ntlm digest"

    def setUp(self):
        super().setUp()
        # the acceptor's file separates with colons
        self.file.put("Wörd\"\\%ß€𝄞")
        self.authority = NtlmAuthority(("CORP", "alice", "Wörd\"\\%ß€𝄞"))
        self.addCleanup(self.authority.destroy)

    def test_raw(self):
        k = self.keyholder()
        c, proxy = Context(k), Acceptor("NTLM")
        self.assertEqual(c.authorize().header, "")
        a = c.challenged(["NTLM", "Basic realm=x"])
        self.assertEqual(a.flags, KNOCK | BINDS)
        a = c.challenged(proxy.take(a.header))
        self.assertEqual(a.flags, BINDS)
        self.assertIsNone(proxy.take(a.header))
        self.assertEqual(proxy.user, "CORP\\alice")
        c.accepted()
        self.assertEqual(c.authorize().header, "")  # the connection is let in
        a = Context(k).authorize()  # and the next one speaks first
        self.assertEqual(a.flags, KNOCK | BINDS)

    def test_inside_spnego(self):
        k = self.keyholder()
        for _ in range(2):
            proxy = Acceptor("Negotiate", SPNEGO)
            a, sent = converse(Context(k), proxy)
            self.assertVerdict(a, "SEND")
            self.assertEqual((sent, proxy.user), (2, "CORP\\alice"))
        self.assertEqual(k.ask("STATUS", upstream="corp").scheme, "Negotiate (NTLM)")

    def test_not_inside_spnego_when_only_negotiate_is_allowed(self):
        k = self.keyholder(auth="negotiate")
        a, sent = converse(Context(k), Acceptor("Negotiate", SPNEGO))
        self.assertVerdict(a, "UNAVAILABLE")
        self.assertEqual(sent, 0)

    def test_raw_under_the_name_negotiate(self):
        k = self.keyholder()
        a, _ = converse(Context(k), Acceptor("Negotiate", NTLM))
        self.assertVerdict(a, "RESTART")
        proxy = Acceptor("Negotiate", NTLM)
        a, sent = converse(Context(k), proxy)
        self.assertEqual((a.verdict, sent, proxy.user), ("SEND", 2, "CORP\\alice"))

    def test_ntlm_where_negotiate_takes_only_kerberos(self):
        k = self.keyholder()
        proxy = Acceptor("NTLM", offers=["Negotiate", "NTLM"])
        a, _ = converse(Context(k), proxy)
        self.assertVerdict(a, "RESTART")
        proxy = Acceptor("NTLM", offers=["Negotiate", "NTLM"])
        a, _ = converse(Context(k), proxy)
        self.assertEqual((a.verdict, proxy.user), ("SEND", "CORP\\alice"))

    def test_closed_after_the_first_challenge(self):
        k = self.keyholder()
        self.assertVerdict(Context(k).challenged(["NTLM"], flags=CLOSED), "RESTART")
        proxy = Acceptor("NTLM")
        a, sent = converse(Context(k), proxy)
        self.assertEqual((a.verdict, sent, proxy.user), ("SEND", 2, "CORP\\alice"))

    def test_closed_in_mid_handshake(self):
        k = self.keyholder()
        c, proxy = Context(k), Acceptor("NTLM")
        a = c.challenged(["NTLM"])
        self.assertVerdict(c.challenged(proxy.take(a.header), flags=CLOSED), "BROKEN")

    def test_first_token_ignored_is_no_refusal(self):
        k = self.keyholder(auth="ntlm")
        c = Context(k)
        c.challenged(["NTLM"])
        self.assertVerdict(c.challenged(["NTLM"]), "BROKEN")
        a, _ = converse(Context(k), Acceptor("NTLM"))
        self.assertVerdict(a, "SEND")

    def test_spoken_first_and_not_understood(self):
        k = self.keyholder(auth="ntlm")
        converse(Context(k), Acceptor("NTLM"))
        c = Context(k)
        self.assertEqual(c.authorize().flags, KNOCK | BINDS)
        self.assertVerdict(c.challenged(["NTLM"]), "RESTART")
        self.assertEqual(Context(k).authorize().header, "")

    def test_with_channel_binding(self):
        k = self.keyholder(auth="ntlm")
        a, _ = converse(Context(k, binding=hashlib.sha256(b"certificate").digest()), Acceptor("NTLM"))
        self.assertVerdict(a, "SEND")

    def test_asked_again_on_a_connection_that_was_let_in(self):
        k = self.keyholder(auth="ntlm")
        c = Context(k)
        converse(c, Acceptor("NTLM"))
        a = c.challenged(["NTLM"])
        self.assertEqual(a.flags, KNOCK | BINDS)
        self.assertVerdict(c.challenged(["NTLM"]), "RESTART")


class Kerberos(InRealm, SchemeTest):
    auth = "negotiate ntlm digest"
    user = "alice@CORP.EXAMPLE"
    password = "Password"
    kerberos = "acquire"

    def proxy(self):
        return Acceptor("Negotiate", SPNEGO, self.realm.keytab)

    def test_ticket_from_a_password(self):
        k = self.keyholder()
        before = self.realm.count("AS_REQ")
        for _ in range(3):
            proxy = self.proxy()
            a, sent = converse(Context(k), proxy)
            self.assertEqual((a.verdict, a.flags, sent), ("SEND", BINDS | FINAL, 1))
            self.assertEqual(proxy.user, "alice@CORP.EXAMPLE")
        self.assertEqual(self.realm.count("AS_REQ") - before, 2)  # without and with preauthentication, once
        status = k.ask("STATUS", upstream="corp")
        self.assertEqual(status.scheme, "Negotiate (Kerberos)")
        self.assertIn("ticket until", status.why)

    @unittest.skipUnless(memory.may_look(), "only root may look")
    def test_memory(self):
        """A password that was shown to the KDC, right or wrong, is on locked pages if anywhere, the library's copies too."""
        password = "Zebra-42-paperclip"
        self.realm.admin("addprinc +requires_preauth -pw %s carol" % password)
        for typed in (password, password + "-wrong"):
            self.file.put(typed)
            k = self.keyholder(user="carol@CORP.EXAMPLE")
            a = Context(k).challenged(["Negotiate"])
            self.assertVerdict(a, "SEND" if typed == password else "REFUSED")
            k.ask("STATUS", upstream="corp")
            self.assertEqual(memory.loose(k.process.pid, [password.encode(), password.encode("utf-16-le")]), [])

    def test_a_407_that_completes_the_handshake(self):
        """The site is refused, whoever asks; the ticket is as good as before, proven or not."""
        k = self.keyholder()
        for site in ("one", "two", "three"):
            completed_and_refused(self, Context(k), self.proxy(), "http://%s.example/" % site)
        a, _ = converse(Context(k), self.proxy())
        self.assertVerdict(a, "SEND")

    def test_domain_that_krb5_conf_knows(self):
        """CORP names KDCs there, but they serve another realm: not a refusal, so NTLM is next."""
        k = self.keyholder(user="CORP\\alice")
        a = Context(k).challenged(["Negotiate", "NTLM"])
        self.assertVerdict(a, "SEND")
        self.assertIn("NTLMSSP", base64.b64decode(a.header.split()[1]).decode("latin-1"))

    def test_own_ticket_file(self):
        with tempfile.TemporaryDirectory() as d:
            self.realm.kinit(d + "/cc")
            k = self.keyholder(user="", secret="none", env={"KRB5CCNAME": d + "/cc"})
            a, sent = converse(Context(k), self.proxy())
            self.assertEqual((a.verdict, sent), ("SEND", 1))
            self.assertEqual(k.ask("STATUS", upstream="corp").identity, "alice@CORP.EXAMPLE")

    def test_service_tickets_are_kept_in_the_persons_cache(self):
        """So that others need not ask for them again: the sandbox leaves files and the kernel's keyrings open for that."""
        with tempfile.TemporaryDirectory() as d:
            for cache in ("FILE:%s/cc" % d, "DIR::%s/tkt" % d, "KEYRING:user:exeat-test-%d" % os.getpid()):
                with self.subTest(cache):
                    try:
                        self.realm.kinit(cache)
                    except subprocess.CalledProcessError:
                        if cache.startswith("KEYRING"):
                            continue  # a kernel may have none
                        raise
                    self.addCleanup(subprocess.run, ["kdestroy", "-q", "-c", cache], env=self.realm.env, stderr=subprocess.DEVNULL)
                    k = self.keyholder(user="", secret="none", env={"KRB5CCNAME": cache})
                    a, sent = converse(Context(k), self.proxy())
                    self.assertEqual((a.verdict, sent), ("SEND", 1))
                    seen = subprocess.run(["klist", "-c", cache], env=self.realm.env, check=True, capture_output=True, text=True)
                    self.assertIn("HTTP/proxy.corp.example", seen.stdout)

    def test_own_ticket_in_a_collection(self):
        self.realm.admin("addprinc -pw Other bob")
        with tempfile.TemporaryDirectory() as d:
            os.mkdir(d + "/cc")
            self.realm.kinit("DIR::" + d + "/cc/tkt1", user="alice")
            self.realm.kinit("DIR::" + d + "/cc/tkt2", user="bob", password="Other")
            with open(d + "/cc/primary", "w") as f:
                f.write("tkt2\n")
            for user, form in (("alice", "alice"), ("bob", "CORP\\bob"), ("alice", "alice@CORP.EXAMPLE")):
                k = self.keyholder(user=form, secret="none", env={"KRB5CCNAME": "DIR:" + d + "/cc"})
                proxy = self.proxy()
                a, _ = converse(Context(k), proxy)
                self.assertVerdict(a, "SEND")
                self.assertEqual(proxy.user, user + "@CORP.EXAMPLE")

    def test_ticket_made_after_start(self):
        with tempfile.TemporaryDirectory() as d:
            k = self.keyholder(user="", secret="none", env={"KRB5CCNAME": d + "/cc"})
            a, _ = converse(Context(k), self.proxy())
            self.assertVerdict(a, "UNAVAILABLE")
            self.assertIn("No Kerberos ticket", a.why)
            self.assertIn("kinit", a.remedy)
            self.realm.kinit(d + "/cc")
            a, _ = converse(Context(k), self.proxy())
            self.assertVerdict(a, "SEND")

    def test_somebody_elses_ticket(self):
        with tempfile.TemporaryDirectory() as d:
            self.realm.kinit(d + "/cc")
            k = self.keyholder(user="carol", secret="none", env={"KRB5CCNAME": d + "/cc"})
            a, _ = converse(Context(k), self.proxy())
            self.assertVerdict(a, "UNAVAILABLE")
            self.assertIn("alice@CORP.EXAMPLE", a.why)

    def test_refused_ticket_and_a_new_one(self):
        with tempfile.TemporaryDirectory() as d:
            self.realm.kinit(d + "/cc")
            k = self.keyholder(user="", secret="none", env={"KRB5CCNAME": d + "/cc"})
            c = Context(k)
            self.assertTrue(c.challenged(["Negotiate"]).header)
            a = c.challenged(["Negotiate"])
            self.assertVerdict(a, "REFUSED")
            self.assertIn("ticket", a.why)
            self.assertVerdict(Context(k).authorize(), "REFUSED")
            while self.realm_time(d + "/cc") == self.realm_time(d + "/new"):
                self.realm.kinit(d + "/new")
            os.rename(d + "/new", d + "/cc")
            a, _ = converse(Context(k), self.proxy())
            self.assertVerdict(a, "SEND")
            self.assertEqual(k.event("EVENT_GENERATION").generation, 2)

    def test_own_ticket_while_the_password_is_refused(self):
        """The ticket shows no password: a kinit helps at once."""
        with tempfile.TemporaryDirectory() as d:
            k = self.keyholder(user="CORP\\alice", auth="negotiate ntlm", env={"KRB5CCNAME": d + "/cc"}, kerberos="find")
            c = Context(k)
            a = c.challenged(["NTLM", "Negotiate"])
            c = Context(k)
            c.challenged(["NTLM"])
            authority = NtlmAuthority(("CORP", "alice", "another"))
            self.addCleanup(authority.destroy)
            a, _ = converse(c, Acceptor("NTLM"))
            self.assertVerdict(a, "REFUSED")
            self.assertVerdict(Context(k).challenged(["NTLM", "Negotiate"]), "REFUSED")
            self.realm.kinit(d + "/cc")
            a, sent = converse(Context(k), self.proxy())
            self.assertEqual((a.verdict, sent), ("SEND", 1))
            self.assertVerdict(Context(k).challenged(["NTLM"]), "DOWNGRADED")
            k.login_link().ask("ACCEPT_OFFER", upstream="corp")
            self.assertVerdict(Context(k).challenged(["NTLM"]), "REFUSED")

    def realm_time(self, cache):
        """When the ticket was issued, in whole seconds: two of one second are the same ticket to everybody."""
        if not os.path.exists(cache):
            return self.realm_time(cache[:-3] + "cc") if cache.endswith("new") else None
        out = subprocess.run(["klist", "-c", cache], env=self.realm.env, check=True, capture_output=True, text=True)
        return re.search(r"\n(\S+ \S+)  \S+ \S+  krbtgt", out.stdout).group(1)

    def test_wrong_password_stops_ntlm(self):
        self.file.put("wrong")
        k = self.keyholder()
        before = self.realm.count("PREAUTH_FAILED")
        contexts = [Context(k) for _ in range(20)]
        calls = [c.begin_challenged(["Negotiate", "NTLM", self_digest]) for c in contexts]
        for call in calls:
            a = k.end(call)
            self.assertVerdict(a, "REFUSED")
            self.assertIn("CORP.EXAMPLE", a.why)
        self.assertEqual(self.realm.count("PREAUTH_FAILED") - before, 1)
        k.restart()
        a = Context(k).challenged(["Negotiate", "NTLM", self_digest])
        self.assertVerdict(a, "REFUSED")
        self.assertEqual(self.realm.count("PREAUTH_FAILED") - before, 1)

    def test_a_trial_proves_the_password_and_not_the_ticket(self):
        with tempfile.TemporaryDirectory() as d:
            self.realm.kinit(d + "/cc")
            k = self.keyholder(secret="prompt", env={"KRB5CCNAME": d + "/cc"})
            login = k.login_link()
            for password, verdict in (("wrong", "REFUSED"), (self.password, "OK")):
                call = login.begin("LOGIN", upstream="corp", secret=password)
                e = k.event("EVENT_TRIAL")
                converse(Context(k, flags=CANDIDATE, trial=e.trial), self.proxy(), target="http://exeat.invalid/")
                k.tell("TRIAL_END", trial=e.trial, verdict=1)
                answer = login.end(call)
                self.assertVerdict(answer, verdict)
            self.assertIn("accepted", answer.why)

    def test_another_network_ends_the_pause_after_a_service_ticket(self):
        """With a ticket in hand and no KDC there is none for the proxy, for a while; the KDC may be back in the next network."""
        with tempfile.TemporaryDirectory() as d:
            self.realm.kinit(d + "/cc")
            k = self.keyholder(auth="negotiate", user="", secret="none", env={"KRB5CCNAME": d + "/cc"})
            self.realm.stop()
            try:
                a = Context(k).challenged(["Negotiate"])
            finally:
                self.realm.start()
            self.assertVerdict(a, "UNAVAILABLE")
            self.assertIn("o Kerberos server can be reached", a.why)
            a = Context(k).challenged(["Negotiate"])
            self.assertVerdict(a, "UNAVAILABLE")
            self.assertEqual(self.realm.count("TGS_REQ"), 0)
            k.tell("NETWORK")
            a, sent = converse(Context(k), self.proxy())
            self.assertEqual((a.verdict, sent), ("SEND", 1))

    def test_another_network_ends_the_pause_after_a_ticket(self):
        """So it is with the ticket of the person himself."""
        k = self.keyholder(auth="negotiate", user="newcomer@CORP.EXAMPLE")
        self.assertIn("does not know this user", Context(k).challenged(["Negotiate"]).why)
        self.realm.admin("addprinc +requires_preauth -pw Password newcomer")
        self.assertIn("does not know this user", Context(k).challenged(["Negotiate"]).why)
        k.tell("NETWORK")
        a, sent = converse(Context(k), self.proxy())
        self.assertEqual((a.verdict, sent), ("SEND", 1))

    def lead_nowhere(self, directory):
        """A KDC that takes questions and never answers, as when the VPN is gone; the file that leads there, and what turns it to the real one."""
        silent = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(silent.close)
        silent.settimeout(WAIT)
        path = directory + "/krb5.conf"
        with open(self.realm.conf) as f:
            text = f.read()

        def write(text):
            with open(path, "w") as f:
                f.write(text)

        write(text.replace(":%d" % self.realm.port, ":%d" % silent.getsockname()[1]).replace("[libdefaults]", "[libdefaults]\nudp_preference_limit = 1"))
        return silent, path, lambda: write(text)

    def network_changes_in_the_middle(self, k, silent, turn):
        call = Context(k).begin_challenged(["Negotiate"])
        asked, _ = silent.accept()
        turn()
        k.tell("NETWORK")
        k.ask("STATUS", upstream="no-such-upstream")
        silent.close()
        asked.close()
        return k.end(call)

    def test_another_network_while_the_service_ticket_is_asked_for(self):
        """The question went to a KDC of the old network, and that keeps nobody waiting: it is asked again in the new one."""
        with tempfile.TemporaryDirectory() as d:
            self.realm.kinit(d + "/cc")
            silent, conf, turn = self.lead_nowhere(d)
            k = self.keyholder(auth="negotiate", user="", secret="none", env={"KRB5CCNAME": d + "/cc", "KRB5_CONFIG": conf})
            a = self.network_changes_in_the_middle(k, silent, turn)
            self.assertVerdict(a, "SEND")
            self.assertIsNone(self.proxy().take(a.header))

    def test_another_network_while_the_ticket_is_asked_for(self):
        with tempfile.TemporaryDirectory() as d:
            silent, conf, turn = self.lead_nowhere(d)
            k = self.keyholder(auth="negotiate", env={"KRB5_CONFIG": conf})
            self.assertVerdict(self.network_changes_in_the_middle(k, silent, turn), "TIMEOUT")
            a, sent = converse(Context(k), self.proxy())
            self.assertEqual((a.verdict, sent), ("SEND", 1))

    def test_sentences_of_the_kdc(self):
        self.realm.admin("addprinc +requires_preauth -pw Password -pwexpire yesterday expired")
        self.realm.admin("addprinc +requires_preauth -pw Password -expire yesterday gone")
        for user, text in (("expired", "must be changed"), ("gone", "account"), ("nobody", "does not know this user")):
            k = self.keyholder(auth="negotiate", user=user + "@CORP.EXAMPLE")
            a = Context(k).challenged(["Negotiate"])
            self.assertVerdict(a, "UNAVAILABLE")
            self.assertIn(text, a.why)

    def test_unknown_service_falls_back(self):
        authority = NtlmAuthority(("CORP.EXAMPLE", "alice", "Password"))
        self.addCleanup(authority.destroy)
        k = self.keyholder(more="spn = HTTP/unknown.corp.example\n")
        proxy = Acceptor("Negotiate", SPNEGO)
        a, sent = converse(Context(k), proxy)
        self.assertEqual((a.verdict, sent), ("SEND", 2))

    def test_unknown_service_without_fallback(self):
        k = self.keyholder(auth="negotiate", more="spn = HTTP/unknown.corp.example\n")
        a = Context(k).challenged(["Negotiate"])
        self.assertVerdict(a, "UNAVAILABLE")
        self.assertIn("HTTP/unknown.corp.example", a.why)

    def test_proxy_prefers_ntlm_inside_spnego(self):
        """Kerberos is offered first; a proxy without a keytab picks NTLM, which takes one round trip more."""
        authority = NtlmAuthority(("CORP.EXAMPLE", "alice", "Password"))
        self.addCleanup(authority.destroy)
        k = self.keyholder()
        proxy = Acceptor("Negotiate", SPNEGO)
        a, sent = converse(Context(k), proxy)
        self.assertEqual((a.verdict, sent), ("SEND", 3))
        self.assertEqual(k.ask("STATUS", upstream="corp").scheme, "Negotiate (NTLM)")


self_digest = 'Digest realm="r", nonce="n", qop="auth"'

if __name__ == "__main__":
    unittest.main()
