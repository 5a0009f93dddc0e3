"""Kerberos tickets against a real KDC: found, acquired with a password, made of a keytab, renewed ahead of their end, handed on."""
import os
import signal
import subprocess
import tempfile
import time
import unittest

from keyholder import CANDIDATE, WAIT, Context
from realm import SPNEGO, Acceptor, InRealm, NtlmAuthority, converse
from test_schemes import SchemeTest

LOGGING = "[log]\nlevel = debug\n"


class TicketTest(InRealm, SchemeTest):
    auth = "negotiate"
    user = "alice@CORP.EXAMPLE"
    password = "Password"

    def setUp(self):
        super().setUp()
        directory = tempfile.TemporaryDirectory(prefix="exeat-tickets-")
        self.addCleanup(directory.cleanup)
        self.directory = directory.name
        os.truncate(self.realm.log, 0)  # the KDC appends

    def proxy(self):
        return Acceptor("Negotiate", SPNEGO, self.realm.keytab)

    def passes(self, k, user="alice"):
        proxy = self.proxy()
        a, _ = converse(Context(k), proxy)
        self.assertVerdict(a, "SEND")
        self.assertEqual(proxy.user, user + "@CORP.EXAMPLE")
        return proxy

    def fails(self, k, *words, verdict="UNAVAILABLE", offer=("Negotiate",)):
        a = Context(k).challenged(list(offer))
        self.assertVerdict(a, verdict)
        for word in words:
            self.assertIn(word, a.why + " " + a.remedy)
        return a

    def until(self, condition, what, k=None):
        end = time.monotonic() + WAIT
        while not condition():
            if time.monotonic() > end:
                raise AssertionError("waited in vain for %s\n%s" % (what, k.log() if k else ""))
            time.sleep(0.02)

    def principal(self, name, *options, password="Password"):
        self.realm.admin("addprinc +requires_preauth -pw %s %s %s" % (password, " ".join(options), name))
        self.addCleanup(self.realm.admin, "delprinc -force " + name)
        return name + "@CORP.EXAMPLE"


class FindOrAcquire(TicketTest):
    def test_find_keeps_the_password_from_the_kdc(self):
        k = self.keyholder()
        before = self.realm.count("AS_REQ")
        self.fails(k, "No Kerberos ticket of alice@CORP.EXAMPLE", "kinit", "kerberos = acquire")
        self.assertEqual(self.realm.count("AS_REQ"), before)

    def test_find_still_finds(self):
        k = self.keyholder(env={"KRB5CCNAME": self.directory + "/cc"}, kerberos="find")
        self.realm.kinit(self.directory + "/cc")
        self.passes(k)

    def test_a_trial_under_find_says_that_it_proves_nothing(self):
        k = self.keyholder(secret="prompt")
        login = k.login_link()
        call = login.begin("LOGIN", upstream="corp", secret=self.password)
        e = k.event("EVENT_TRIAL")
        converse(Context(k, flags=CANDIDATE, trial=e.trial), self.proxy(), target="http://exeat.invalid/")
        k.tell("TRIAL_END", trial=e.trial, verdict=1)
        answer = login.end(call)
        self.assertVerdict(answer, "OK")
        self.assertIn("kerberos = find", answer.why)

    def test_acquire_knows_the_realm(self):
        for user in ("alice", "CORP\\alice", "alice@corp.example"):
            k = self.keyholder(user=user, kerberos="acquire",
                               env={"KRB5_CONFIG": self.without_short_realm()})
            self.passes(k)

    def without_short_realm(self):
        """The realm's configuration without the realm CORP, which exists for another test."""
        path = self.directory + "/krb5.conf"
        with open(self.realm.conf) as f:
            text = f.read()
        with open(path, "w") as f:
            f.write(text[:text.index("CORP = {")])
        return path

    def test_acquire_without_a_realm_says_so(self):
        with open(self.directory + "/krb5.conf", "w") as f:
            f.write("[libdefaults]\ndns_lookup_kdc = false\ndns_lookup_realm = false\n")
        for user in ("alice", "OTHER\\alice"):
            k = self.keyholder(user=user, kerberos="acquire", env={"KRB5_CONFIG": self.directory + "/krb5.conf"})
            self.fails(k, "alice@REALM")

    def test_a_reload_takes_effect(self):
        k = self.keyholder()
        self.fails(k, "kerberos = acquire")
        with open(k.config) as f:
            text = f.read()
        for value in ("acquire", "find", "acquire"):
            with open(k.config, "w") as f:
                f.write(text.replace("secret =", "kerberos = %s\nsecret =" % value))
            self.assertVerdict(k.ask("RELOAD"), "OK")
            if value == "acquire":
                self.passes(k)
            else:
                self.fails(k, "kerberos = acquire")


class Sentences(TicketTest):
    """What the KDC says of an account; only "wrong password" refuses the secret."""

    def says(self, user, *words, verdict="UNAVAILABLE", env=None, ntlm=False):
        """Asks three times. Whether a refused password was written down. ntlm: it is offered too, and must not be tried."""
        k = self.keyholder(auth="negotiate ntlm" if ntlm else "negotiate", user=user, kerberos="acquire", env=env)
        before = self.realm.count("AS_REQ")
        for _ in range(3):
            self.fails(k, *words, verdict=verdict, offer=["Negotiate", "NTLM"] if ntlm else ["Negotiate"])
        self.assertLessEqual(self.realm.count("AS_REQ") - before, 2)
        marks = k.directory + "/state/exeat/refused"
        return os.path.exists(marks) and os.path.getsize(marks) > 0

    def test_expired_password(self):
        self.assertFalse(self.says(self.principal("late", "-pwexpire", "yesterday"), "must be changed", ntlm=True))

    def test_expired_account(self):
        self.assertFalse(self.says(self.principal("gone", "-expire", "yesterday"), "account has expired", ntlm=True))

    def test_locked_account(self):
        self.assertFalse(self.says(self.principal("barred", "-allow_tix"), "locked or disabled", ntlm=True))

    def test_unknown_user(self):
        self.assertFalse(self.says("nobody@CORP.EXAMPLE", "does not know this user", "nobody@CORP.EXAMPLE",
                                   verdict="UNAVAILABLE"))

    def test_wrong_password(self):
        user = self.principal("wrong", password="Another")
        self.assertTrue(self.says(user, "refused the password", verdict="REFUSED", ntlm=True))
        self.assertEqual(self.realm.count("PREAUTH_FAILED"), 1)

    def kdc_clock(self, clock):
        def put(value=None):
            self.realm.stop()
            self.realm.start(value)
        put(clock)
        self.addCleanup(put)

    def test_clocks_apart(self):
        self.principal("trusting", "-requires_preauth")
        self.kdc_clock("+2h")
        conf = self.realm.own_conf(self.directory + "/krb5.conf", "kdc_timesync = 0")
        for user in ("alice", "trusting"):  # it is the KDC that notices, and we
            self.assertFalse(self.says(user + "@CORP.EXAMPLE", "clock of this computer and that of the Kerberos server are too far apart",
                                       env={"KRB5_CONFIG": conf}))

    def test_a_ticket_that_has_ended_when_it_comes(self):
        self.kdc_clock("-2d")
        self.assertFalse(self.says("alice@CORP.EXAMPLE", "is new and has ended already"))


class Renewal(TicketTest):
    def renewing(self, life, *options, name="brief", env=None, **more):
        user = self.principal(name, "-maxlife", life, *(options or ("-maxrenewlife 0",)))
        k = self.keyholder(user=user, kerberos="acquire", more=LOGGING, env=env, **more)
        self.passes(k, name)
        return k

    def before_the_end(self, scene):
        """A scene that plays between a ticket's renewal, which is due at the latest when nine tenths of its life have passed, and its end. A busy
        machine may not get that far in a short life: then it is played once more with a longer one."""
        for life in (20, 60):
            self.file.put(self.password)
            begin = time.time()
            try:
                return scene("%ds" % life, "brief%d" % life)
            except AssertionError:
                if life == 60 or time.time() < begin + life - 1:
                    raise

    def test_with_the_password(self):
        k = self.renewing("6s")
        for n in (2, 3):
            self.until(lambda n=n: k.log().count("Kerberos ticket of") == n, "a ticket that nobody waits for", k)
            self.passes(k, "brief")
        self.assertEqual(self.realm.issued("brief"), 3)

    def test_without_the_password_where_the_kdc_renews(self):
        conf = self.realm.own_conf(self.directory + "/krb5.conf", "renew_lifetime = 1h")
        k = self.renewing("6s", "-maxrenewlife 1d", env={"KRB5_CONFIG": conf})
        os.unlink(self.file.path)
        self.addCleanup(self.file.put, "x")
        while k.log().count("Kerberos ticket of") < 3:
            self.passes(k, "brief")
        self.assertEqual(self.realm.issued("brief"), 1)

    def test_not_while_idle(self):
        k = self.renewing("6s")
        self.until(lambda: "is not in use, and not renewed" in k.log(), "the end of the second ticket", k)
        self.assertEqual(self.realm.issued("brief"), 2)
        self.passes(k, "brief")

    def test_the_new_ticket_comes_with_the_service_ticket(self):
        k = self.renewing("20s")
        self.until(lambda: k.log().count("Kerberos ticket of") == 2, "the second ticket", k)
        self.realm.stop()
        try:
            self.passes(k, "brief")
        finally:
            self.realm.start()

    def test_nobody_waits_for_a_kdc_that_is_silent(self):
        def scene(life, name):
            k = self.renewing(life, name=name)
            os.kill(self.realm.process.pid, signal.SIGSTOP)
            try:
                self.until(lambda: "renewing the ticket" in k.log(), "the renewal", k)
                for _ in range(10):
                    self.passes(k, name)
            finally:
                os.kill(self.realm.process.pid, signal.SIGCONT)
            self.until(lambda: k.log().count("Kerberos ticket of") == 2, "the second ticket", k)
            self.passes(k, name)
        self.before_the_end(scene)

    def test_tries_again_while_no_kdc_answers(self):
        def scene(life, name):
            k = self.renewing(life, name=name)
            self.realm.stop()
            try:
                self.until(lambda: k.log().count("is not renewed: no Kerberos server") >= 2, "two tries", k)
                self.assertIn("not renewed: no Kerberos server", k.ask("STATUS", upstream="corp").why)
            finally:
                self.realm.start()
            self.passes(k, name)
        self.before_the_end(scene)

    def test_a_refused_password_ends_it_and_the_old_ticket_serves_on(self):
        def scene(life, name):
            k = self.renewing(life, name=name, auth="negotiate ntlm")
            before = self.realm.count("PREAUTH_FAILED")
            self.realm.admin("cpw -pw Another " + name)
            self.until(lambda: "refused the password" in k.log(), "the refusal", k)
            self.passes(k, name)
            self.assertIn("refused", k.ask("STATUS", upstream="corp").why)
            self.until(lambda: Context(k).challenged(["Negotiate", "NTLM"]).verdict == "REFUSED", "the old ticket's end", k)
            self.assertEqual(self.realm.count("PREAUTH_FAILED") - before, 1)
            self.file.put("Another")
            self.passes(k, name)
        self.before_the_end(scene)

    def test_the_users_own_ticket_is_looked_for_again(self):
        self.principal("brief")
        cache = self.directory + "/cc"
        k = self.keyholder(user="", secret="none", env={"KRB5CCNAME": cache}, more=LOGGING)
        self.realm.kinit(cache, "brief", life="6s")
        self.passes(k, "brief")
        self.realm.kinit(cache, "brief", life="1h")
        self.until(lambda: "renewing the ticket" in k.log(), "the look", k)
        self.assertEqual(self.realm.issued("brief"), 2)  # of kinit, and of nobody else
        self.passes(k, "brief")


class Switched(TicketTest):
    def test_another_principal_in_the_same_file(self):
        self.principal("bob")
        cache = self.directory + "/cc"
        k = self.keyholder(user="", secret="none", env={"KRB5CCNAME": cache})
        self.realm.kinit(cache, "alice")
        self.passes(k, "alice")
        for user in ("bob", "alice"):
            self.realm.kinit(cache, user)
            self.assertTrue(Context(k).authorize().header)  # at once: no request goes out without
            self.passes(k, user)
        self.assertEqual(k.event("EVENT_GENERATION").identity, "")
        self.assertEqual(k.ask("STATUS", upstream="corp").identity, "alice@CORP.EXAMPLE")

    def test_another_primary_cache(self):
        self.principal("bob")
        os.mkdir(self.directory + "/caches", 0o700)
        cache = "DIR:" + self.directory + "/caches"
        self.realm.kinit(cache, "alice")
        k = self.keyholder(user="", secret="none", env={"KRB5CCNAME": cache})
        named = self.keyholder(secret="none", env={"KRB5CCNAME": cache})
        for user in ("alice", "bob"):
            self.realm.kinit(cache, user)
            self.passes(k, user)
            self.passes(named)

    def test_a_destroyed_ticket(self):
        cache = self.directory + "/cc"
        k = self.keyholder(user="", secret="none", env={"KRB5CCNAME": cache})
        self.realm.kinit(cache)
        self.passes(k)
        os.unlink(cache)
        self.fails(k, "is gone; no Kerberos ticket", "kinit")
        self.realm.kinit(cache)
        self.passes(k)


class Keytab(TicketTest):
    def setUp(self):
        super().setUp()
        self.path = self.directory + "/keytab"

    def keytab(self, *principals):
        for principal in principals:
            self.realm.admin("ktadd -k %s %s" % (self.path, principal))
        os.chmod(self.path, 0o600)

    def holder(self, user="", auth="negotiate", more="", **other):
        return self.keyholder(user=user, auth=auth, secret="keytab:" + self.path, more=more, **other)

    def test_first_principal(self):
        self.principal("robot")
        self.principal("other")
        self.keytab("robot", "other")
        k = self.holder()
        status = k.ask("STATUS", upstream="corp")
        self.assertEqual((status.why, self.realm.issued("robot")), ("not used yet", 0))
        for _ in range(3):
            self.passes(k, "robot")
        self.assertEqual(self.realm.issued("robot"), 1)
        status = k.ask("STATUS", upstream="corp")
        self.assertEqual(status.identity, "robot@CORP.EXAMPLE")
        self.assertIn("ticket until", status.why)

    def test_named_principal(self):
        self.principal("robot")
        self.principal("other")
        self.keytab("robot", "other")
        for user in ("other@CORP.EXAMPLE", "CORP\\other", "other"):
            self.passes(self.holder(user=user), "other")

    def test_service_principal(self):
        self.principal("host/build.corp.example")
        self.keytab("host/build.corp.example")
        self.passes(self.holder(user="host/build.corp.example@CORP.EXAMPLE"), "host/build.corp.example")

    def test_the_keytab_and_no_other_ticket(self):
        self.principal("robot")
        self.keytab("robot")
        cache = self.directory + "/cc"
        self.realm.kinit(cache)
        self.passes(self.holder(env={"KRB5CCNAME": cache}), "robot")

    def test_renewal(self):
        self.principal("robot", "-maxlife", "6s")
        self.keytab("robot")
        k = self.holder(more=LOGGING)
        self.passes(k, "robot")
        for n in (2, 3):
            self.until(lambda n=n: k.log().count("Kerberos ticket of") == n, "a ticket that nobody waits for", k)
            self.passes(k, "robot")
        self.assertEqual(self.realm.issued("robot"), 3)

    def test_each_fault_has_its_sentence(self):
        self.principal("robot")
        k = self.holder(user="alice@CORP.EXAMPLE")
        self.fails(k, "cannot be read", self.path, "No such file")
        self.keytab("robot")
        self.fails(k, "has no key of alice@CORP.EXAMPLE", "robot@CORP.EXAMPLE", self.path)
        self.assertIn("has no key", k.ask("STATUS", upstream="corp").why)
        for content, words in ((b"", "cannot be understood"), (b"\5\2", "is empty"), (b"rubbish" * 50, "cannot be understood")):
            with open(self.path, "wb") as f:
                f.write(content)
            self.fails(k, words, self.path)
        os.unlink(self.path)
        os.mkdir(self.path)
        self.fails(k, "not a regular file")
        os.rmdir(self.path)
        os.mkfifo(self.path)
        self.fails(k, "not a regular file")
        os.unlink(self.path)
        self.realm.admin("ktadd -k %s -norandkey alice" % self.path)
        self.passes(k)

    def test_others_may_read_it(self):
        self.principal("robot")
        self.keytab("robot")
        k = self.holder()
        self.passes(k, "robot")
        self.assertNotIn("others may read", k.log())
        os.chmod(self.path, 0o640)
        k = self.holder()
        self.passes(k, "robot")
        self.assertIn("others may read the keytab " + self.path, k.log())

    def test_a_key_that_the_kdc_refuses_is_not_tried_again(self):
        self.principal("robot")
        self.keytab("robot")
        self.realm.admin("cpw -randkey robot")
        k = self.holder()
        before = self.realm.count("AS_REQ")
        for _ in range(20):
            self.fails(k, "does not take the key of robot@CORP.EXAMPLE", "out of date")
        self.assertEqual(self.realm.count("AS_REQ") - before, 2)
        os.unlink(self.path)
        self.keytab("robot")
        self.passes(k, "robot")  # at once

    def test_a_ticket_that_the_proxy_refuses_is_not_made_again(self):
        self.principal("robot")
        self.keytab("robot")
        k = self.holder()
        c = Context(k)
        self.assertTrue(c.challenged(["Negotiate"]).header)
        self.assertVerdict(c.challenged(["Negotiate"]), "REFUSED")
        for _ in range(10):
            self.fails(k, "ticket", self.path, verdict="REFUSED")
        self.assertEqual(self.realm.issued("robot"), 1)
        self.keytab("robot")
        self.passes(k, "robot")

    def test_other_schemes_are_not_possible(self):
        self.principal("robot")
        self.keytab("robot")
        k = self.holder(user="robot@CORP.EXAMPLE", auth="negotiate ntlm digest basic")
        for offer in ("NTLM", 'Digest realm="r", nonce="n", qop="auth"', "Basic realm=x"):
            self.fails(k, "keytab", "Kerberos alone", "secret = keyring", offer=[offer])
        self.passes(k, "robot")

    def test_nothing_to_type(self):
        self.principal("robot")
        self.keytab("robot")
        k = self.holder()
        a = k.login_link().ask("LOGIN", upstream="corp", user="robot", secret="x")
        self.assertVerdict(a, "UNAVAILABLE")
        self.assertIn("keytab " + self.path + ": there is nothing to type", a.why)


class Delegation(TicketTest):
    def handed_on(self, more, flags=("-f",)):
        cache = self.directory + "/cc"
        subprocess.run(["kinit", *flags, "-c", cache, "alice"], env=self.realm.env, check=True, input="Password\n", text=True,
                       stdout=subprocess.DEVNULL)
        k = self.keyholder(user="", secret="none", env={"KRB5CCNAME": cache}, more=more)
        return self.passes(k).delegated

    def test_only_where_it_is_wanted(self):
        self.assertIsNone(self.handed_on(""))
        self.assertIsNone(self.handed_on("delegate = no\n"))
        credentials = self.handed_on("delegate = yes\n")
        self.assertEqual(str(credentials.name), "alice@CORP.EXAMPLE")

    def test_a_ticket_that_cannot_be_handed_on_passes_without(self):
        self.assertIsNone(self.handed_on("delegate = yes\n", ("-F",)))

    def test_an_acquired_ticket_can_be_handed_on(self):
        for more, there in (("", False), ("delegate = yes\n", True)):
            k = self.keyholder(kerberos="acquire", more=more)
            self.assertEqual(self.passes(k).delegated is not None, there)

    def test_never_with_ntlm(self):
        """A proxy that picks NTLM inside SPNEGO: its name and its wishes are other ones."""
        authority = NtlmAuthority(("CORP.EXAMPLE", "alice", "Password"))
        self.addCleanup(authority.destroy)
        k = self.keyholder(kerberos="acquire", auth="negotiate ntlm", more="delegate = yes\n")
        proxy = Acceptor("Negotiate", SPNEGO)
        a, sent = converse(Context(k), proxy)
        self.assertEqual((a.verdict, sent, proxy.delegated), ("SEND", 3, None))


class ServiceName(TicketTest):
    def test_with_realm_and_a_proxy_that_picks_ntlm(self):
        authority = NtlmAuthority(("CORP.EXAMPLE", "alice", "Password"))
        self.addCleanup(authority.destroy)
        k = self.keyholder(kerberos="acquire", auth="negotiate ntlm", more="spn = HTTP/proxy.corp.example@CORP.EXAMPLE\n")
        a, sent = converse(Context(k), Acceptor("Negotiate", SPNEGO))
        self.assertEqual((a.verdict, sent), ("SEND", 3))
        self.passes(k)

    def test_unknown_name_is_named(self):
        for more, name in (("spn = HTTP/unknown.corp.example\n", "HTTP/unknown.corp.example"),
                           ("spn = HTTP/unknown@CORP.EXAMPLE\n", "HTTP/unknown@CORP.EXAMPLE")):
            k = self.keyholder(kerberos="acquire", more=more)
            self.fails(k, "does not know the proxy's service name (" + name)


del SchemeTest

if __name__ == "__main__":
    unittest.main()
