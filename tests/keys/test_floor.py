"""The scheme floor: a proxy that offers less than it took before gets nothing until a person accepts that. Basic in clear text. And: tokens
for the proxies that an upstream names, and for nobody else."""
import os
import shutil
import tempfile

from keyholder import ALARM, BODY_BIG, CANDIDATE, CLOSED, PROBLEM, Context, Keyholder
from realm import SPNEGO, Acceptor, InRealm, NtlmAuthority, converse
from test_schemes import SchemeTest

BASIC = 'Basic realm="x"'
MD5 = 'Digest realm="x", nonce="n", qop="auth"'
SHA = MD5 + ", algorithm=SHA-256"
PROXY = "proxy.corp.example:8080"
MORE = "[upstream %s]\nproxy = %s\nauth = %s\nbasic-in-clear = yes\nuser = CORP\\alice\nsecret = file:%s\n"


class FloorTest(SchemeTest):
    auth = "negotiate ntlm digest basic"
    password = "Password"

    def setUp(self):
        super().setUp()
        self.directory = tempfile.mkdtemp(prefix="exeat-floor-")
        self.addCleanup(shutil.rmtree, self.directory)
        self.floors = self.directory + "/state/exeat/floors"

    def put_floors(self, *rows):
        os.makedirs(os.path.dirname(self.floors), mode=0o700, exist_ok=True)
        os.chmod(self.directory + "/state", 0o700)
        with open(self.floors, "w", encoding="utf-8") as f:
            f.writelines(row + "\n" for row in rows)

    def get_floors(self):
        with open(self.floors, encoding="utf-8") as f:
            return f.read().splitlines()

    def start(self, *rows, auth=None, in_clear="yes", user=None, secret=None, env=None, more=""):
        """A keyholder that finds these rows in its state file."""
        if rows:
            self.put_floors(*rows)
        user = self.user if user is None else user
        if "@" in user:
            more = "kerberos = acquire\n" + more
        k = Keyholder("auth = %s\nbasic-in-clear = %s\n%ssecret = %s\n" % (auth or self.auth, in_clear, "user = %s\n" % user if user else "",
                                                                      secret or "file:" + self.file.path),
                      directory=self.directory, env=dict(self.env, **(env or {})), more=more)
        self.addCleanup(lambda: k.process.poll() is None and k.finish())
        return k

    def accept(self, k, upstream="corp"):
        return k.login_link().ask("ACCEPT_OFFER", upstream=upstream)

    def assertDowngraded(self, answer, *words):
        self.assertEqual((answer.verdict, answer.header), ("DOWNGRADED", ""), answer)
        self.assertIn("somebody else may be answering in its place", answer.why)
        self.assertIn("exeat accept corp", answer.remedy)
        for word in words:
            self.assertIn(word, answer.why)


class Offers(FloorTest):
    """Which offer against which floor gives what, with no Kerberos to be had: an offer is judged by what it names."""

    TABLE = (  # floor, auth =, offer, answered with (None: the alarm)
        (None, "negotiate ntlm digest basic", [BASIC], "Basic"),
        ("basic", "digest basic", [BASIC], "Basic"),
        ("basic", "digest basic", [MD5], "Digest"),
        ("digest", "digest basic", [MD5], "Digest"),
        ("digest", "digest basic", [BASIC], None),
        ("digest", "digest basic", [SHA, BASIC], "Digest"),
        ("digest-sha2", "digest basic", [SHA], "Digest"),
        ("digest-sha2", "digest basic", [MD5], None),
        ("digest-sha2", "digest basic", [MD5, SHA], None),  # the first one would be answered
        ("digest-sha2", "ntlm digest", ["NTLM"], "NTLM"),
        ("ntlm", "ntlm digest basic", ["NTLM"], "NTLM"),
        ("ntlm", "ntlm digest basic", [SHA, BASIC], None),
        ("ntlm", "negotiate ntlm digest basic", ["Negotiate", SHA], "Negotiate"),
        ("kerberos", "negotiate ntlm digest basic", ["Negotiate", "NTLM"], "Negotiate"),  # NTLM inside: Negotiate is offered
        ("kerberos", "negotiate ntlm digest basic", ["NTLM", SHA], None),
        ("kerberos", "negotiate ntlm digest basic", [SHA], None),
        ("kerberos", "negotiate ntlm digest basic", [BASIC], None),
        ("kerberos", "negotiate ntlm digest", [BASIC], None),  # not to be answered anyway, and still a reason to look
        ("kerberos", "negotiate ntlm digest", ["Bearer"], None),
        ("kerberos", "negotiate digest", ["Negotiate", SHA], "Digest"),  # offered, but no ticket: within auth = as before
        # whoever chose a weaker list in auth = has lowered the floor
        ("kerberos", "ntlm digest basic", ["NTLM"], "NTLM"),
        ("kerberos", "ntlm digest basic", [SHA], None),
        ("kerberos", "digest basic", [MD5], "Digest"),
        ("kerberos", "digest basic", [BASIC], None),
        ("kerberos", "basic", [BASIC], "Basic"),
        ("ntlm", "negotiate digest", [MD5], "Digest"),
        ("digest", "ntlm", [BASIC], "none"),
        ("ntlm", "digest", ["NTLM"], "none"),  # the proxy is as it was
        ("kerberos", "ntlm digest", ["Negotiate"], "none"),
        ("kerberos", "ntlm digest", ["Negotiate", BASIC], "none"),
    )

    def test_table(self):
        for floor, auth, offer, answered in self.TABLE:
            with self.subTest(floor=floor, auth=auth, offer=offer):
                self.put_floors(*(["floor corp %s %s" % (PROXY, floor)] if floor else []))
                k = self.start(auth=auth)
                a = Context(k).challenged(offer)
                if answered is None:
                    self.assertDowngraded(a, "The proxy %s accepted " % PROXY)
                elif answered == "none":
                    self.assertVerdict(a, "UNAVAILABLE")
                else:
                    self.assertEqual((a.verdict, a.header.split(" ")[0]), ("SEND", answered), a)
                k.finish()

    def test_words(self):
        for floor, auth, offer, words in (
                ("kerberos", "negotiate ntlm digest basic", [BASIC, SHA], "accepted Negotiate (Kerberos) before and now offers only Basic, Digest: "),
                ("ntlm", "negotiate ntlm digest", [BASIC], "accepted NTLM before and now offers only Basic: "),
                ("digest-sha2", "digest basic", [MD5, BASIC], "accepted Digest with SHA-2 before and now offers only Digest with MD5: "),
                # what auth = does not name is no use to us, but must not be left out of the truth
                ("kerberos", "ntlm digest", ["Negotiate", SHA], "now offers only Digest of what auth = allows: ")):
            with self.subTest(words):
                k = self.start("floor corp %s %s" % (PROXY, floor), auth=auth)
                self.assertDowngraded(Context(k).challenged(offer), words)
                k.finish()

    def test_damaged_file_without_the_floor(self):
        """The row that says what was accepted is lost: the one that was lowered still holds, and the alarm has words."""
        k = self.start("lowered corp %s digest-sha2" % PROXY, "flor corp %s kerberos" % PROXY)
        self.assertDowngraded(Context(k).challenged([BASIC]), "accepted Digest with SHA-2 before and now offers only Basic: ")
        self.assertEqual(k.ask("STATUS", upstream="corp").flags, ALARM | PROBLEM)

    def test_another_proxy_of_the_upstream(self):
        k = self.start("floor corp other.corp.example:1 kerberos")
        self.assertDowngraded(Context(k).challenged([BASIC]), "The proxy %s offers only Basic, while other.corp.example:1 of the same "
                              "upstream accepted Negotiate (Kerberos) before" % PROXY)

    def test_upstreams_have_floors_of_their_own(self):
        k = self.start("floor lab %s kerberos" % PROXY, more=MORE % ("lab", "http://" + PROXY, self.auth, self.file.path))
        self.assertVerdict(Context(k).challenged([BASIC]), "SEND")
        self.assertEqual(Context(k, "lab").challenged([BASIC]).verdict, "DOWNGRADED")

    def test_it_is_asked_again_without_credentials(self):
        """The next request finds out whether the proxy is the right one again, and shows nothing meanwhile."""
        k = self.start("floor corp %s digest-sha2" % PROXY, auth="digest basic")
        self.assertDowngraded(Context(k).challenged([BASIC]))
        for flags in (0, BODY_BIG):
            a = Context(k).authorize(flags=flags)
            self.assertEqual((a.verdict, a.header), ("SEND", ""))
        self.assertEqual(k.ask("STATUS", upstream="corp").flags, ALARM | PROBLEM)
        c = Context(k)
        c.authorize()
        a = c.challenged([SHA])
        self.assertEqual(a.header.split(" ")[0], "Digest")
        self.assertEqual(k.ask("STATUS", upstream="corp").flags, 0)
        self.assertEqual(len(self.get_floors()), 1)

    def test_says_it_once_per_change(self):
        k = self.start("floor corp %s kerberos" % PROXY)
        for _ in range(3):
            self.assertDowngraded(Context(k).challenged([BASIC]))
        self.assertEqual(k.log().count("may be answering in its place"), 1)
        self.assertDowngraded(Context(k).challenged([BASIC, MD5]))
        self.assertDowngraded(Context(k).challenged([BASIC, MD5]))
        self.assertEqual(k.log().count("may be answering in its place"), 2)

    def test_a_closed_connection_changes_nothing(self):
        """A challenge on a connection that has closed leads to a new one, where nothing is said unasked."""
        k = self.start("floor corp %s ntlm" % PROXY)
        self.assertVerdict(Context(k).challenged([SHA], flags=CLOSED), "RESTART")
        self.assertEqual(Context(k).authorize().header, "")

    def test_no_second_scheme_in_the_same_handshake(self):
        """The proxy drops what it offered, once we begin with it."""
        k = self.start("floor corp %s ntlm" % PROXY)
        c = Context(k)
        self.assertVerdict(c.challenged(["NTLM", SHA]), "SEND")
        a = c.challenged([SHA])
        self.assertIn(a.verdict, ("BROKEN", "DOWNGRADED"))
        self.assertEqual(a.header, "")
        self.assertDowngraded(Context(k).challenged([SHA]))

    def test_no_weaker_digest_in_mid_conversation(self):
        for flags in (0, CLOSED):
            k = self.start("floor corp %s digest-sha2" % PROXY, auth="digest")
            c = Context(k)
            self.assertVerdict(c.challenged([SHA]), "SEND")
            stale = c.challenged(['Digest realm="x", nonce="m", qop="auth", stale=true'], flags=flags)
            if flags:
                self.assertVerdict(stale, "RESTART")
            else:
                self.assertDowngraded(stale)
            self.assertEqual(Context(k).authorize().header, "")
            k.finish()

    def test_a_stale_nonce_alone_is_no_offer(self):
        """Proxies name only Digest then, whatever else they offer."""
        k = self.start("floor corp %s kerberos" % PROXY, auth="negotiate digest")
        c = Context(k)
        self.assertVerdict(c.challenged(["Negotiate", SHA]), "SEND")
        self.assertVerdict(c.challenged([SHA + ", stale=true"]), "SEND")
        self.assertEqual(k.ask("STATUS", upstream="corp").flags, 0)

    def test_the_trial_of_a_login_obeys(self):
        k = self.start("floor corp %s kerberos" % PROXY, secret="prompt")
        login = k.login_link()
        call = login.begin("LOGIN", upstream="corp", secret="Password")
        trial = k.event("EVENT_TRIAL")
        c = Context(k, flags=CANDIDATE, trial=trial.trial)
        self.assertDowngraded(c.challenged([BASIC, SHA]))
        k.tell("TRIAL_END", trial=trial.trial, verdict=1)
        answer = login.end(call)
        self.assertIn("could not be tried", answer.why)
        self.assertIn("may be answering in its place", answer.why)


class Learning(InRealm, FloorTest):
    def setUp(self):
        super().setUp()
        authority = NtlmAuthority(("CORP", "alice", self.password))
        self.addCleanup(authority.destroy)

    def kerberos(self, k):
        a, _ = converse(Context(k), Acceptor("Negotiate", SPNEGO, self.realm.keytab))
        self.assertVerdict(a, "SEND")

    def test_what_each_success_leaves_behind(self):
        def answered(offer):
            def run(k):
                c = Context(k)
                self.assertVerdict(c.challenged(offer), "SEND")
                c.accepted()
            return run

        def ntlm(*acceptor):
            def run(k):
                verdicts = [converse(Context(k), Acceptor(*acceptor))[0].verdict for _ in range(2)]
                self.assertEqual(verdicts[-1], "SEND")  # the first one may have to learn the dialect
            return run

        for auth, user, work, level in (("basic", None, answered([BASIC]), "basic"), ("digest", None, answered([MD5]), "digest"),
                                        ("digest", None, answered([SHA]), "digest-sha2"), ("ntlm", None, ntlm(), "ntlm"),
                                        ("negotiate ntlm", None, ntlm("Negotiate", SPNEGO), "ntlm"),  # NTLM in SPNEGO
                                        ("negotiate ntlm", None, ntlm("Negotiate"), "ntlm"),  # raw, under that name
                                        ("negotiate ntlm", "alice@CORP.EXAMPLE", self.kerberos, "kerberos")):
            with self.subTest(level=level, auth=auth):
                if os.path.exists(self.floors):
                    os.unlink(self.floors)
                k = self.start(auth=auth, user=user)
                work(k)
                k.ask("STATUS", upstream="corp")
                self.assertEqual(self.get_floors(), ["floor corp %s %s" % (PROXY, level)])
                self.assertEqual(os.stat(self.floors).st_mode & 0o777, 0o600)
                with open(self.floors, encoding="utf-8") as f:
                    self.assertNotIn(self.password, f.read())
                k.finish()

    def test_offered_and_not_accepted_leaves_nothing(self):
        k = self.start(auth="digest basic")
        c = Context(k)
        c.challenged([SHA])
        self.assertVerdict(c.challenged([SHA]), "REFUSED")
        self.assertFalse(os.path.exists(self.floors))

    def test_kerberos_then_less_then_accepted(self):
        k = self.start(user="alice@CORP.EXAMPLE")
        self.kerberos(k)
        self.assertDowngraded(Context(k).challenged([BASIC, SHA]), "accepted Negotiate (Kerberos) before and now offers only Basic, Digest")
        k.restart()
        self.assertDowngraded(Context(k).challenged([BASIC, SHA]))
        status = k.ask("STATUS", upstream="corp")
        self.assertEqual(status.flags, ALARM | PROBLEM)
        self.assertIn("may be answering in its place", status.why)
        self.assertIn("exeat accept corp", status.remedy)
        answer = self.accept(k)
        self.assertVerdict(answer, "OK")
        self.assertIn("%s may offer only Basic, Digest from now on" % PROXY, answer.why)
        self.assertEqual(k.ask("STATUS", upstream="corp").flags, 0)
        for _ in range(2):
            self.assertEqual(Context(k).challenged([BASIC, SHA]).header.split(" ")[0], "Digest")
            self.assertDowngraded(Context(k).challenged([BASIC]))  # that was not accepted
            k.restart()
        self.kerberos(k)
        self.assertDowngraded(Context(k).challenged([SHA]))  # and what was accepted ends with something better


class Accept(FloorTest):
    def test_nothing_to_accept(self):
        k = self.start("floor corp %s kerberos" % PROXY, more=MORE % ("lab", "http://lab.example:1", "basic", self.file.path))
        for upstream in ("corp", "lab"):
            answer = self.accept(k, upstream)
            self.assertVerdict(answer, "OK")
            self.assertIn("nothing to accept", answer.why)
        self.assertDowngraded(Context(k).challenged([BASIC]))
        self.assertIn("nothing to accept", self.accept(k, "lab").why)
        self.assertDowngraded(Context(k).challenged([BASIC]))
        self.assertVerdict(self.accept(k, "nobody"), "UNAVAILABLE")

    def test_an_alarm_that_is_over_cannot_be_accepted(self):
        k = self.start("floor corp %s ntlm" % PROXY)
        self.assertDowngraded(Context(k).challenged([BASIC]))
        self.assertVerdict(Context(k).challenged(["NTLM"]), "SEND")
        self.assertIn("nothing to accept", self.accept(k).why)
        self.assertDowngraded(Context(k).challenged([BASIC]))

    def test_what_could_not_be_answered_anyway(self):
        """Accepting it ends the alarm; what is missing then is said as ever."""
        k = self.start("floor corp %s kerberos" % PROXY, auth="negotiate ntlm digest")
        self.assertDowngraded(Context(k).challenged([BASIC]))
        self.assertVerdict(self.accept(k), "OK")
        a = Context(k).challenged([BASIC])
        self.assertVerdict(a, "UNAVAILABLE")
        self.assertIn("none of these may be answered", a.why)

    def test_a_weaker_list_in_the_configuration_ends_it_too(self):
        k = self.start("floor corp %s kerberos" % PROXY)
        self.assertDowngraded(Context(k).challenged([BASIC]))
        k.configure("auth = basic\nbasic-in-clear = yes\nuser = alice\nsecret = file:%s\n" % self.file.path)
        k.ask("RELOAD")
        self.assertEqual(k.ask("STATUS", upstream="corp").flags, 0)
        self.assertVerdict(Context(k).challenged([BASIC]), "SEND")

    def test_damaged_and_unwritable_files_stop_nothing(self):
        k = self.start("floor corp", "\0\x7f", "floor corp %s telepathy" % PROXY, "floor corp %s digest" % PROXY, auth="digest basic")
        self.assertDowngraded(Context(k).challenged([BASIC]))
        self.assertEqual(k.log().count("floors is damaged"), 1)
        k.finish()
        os.unlink(self.floors)
        os.mkdir(self.floors)  # neither to be read nor to be replaced
        k = self.start(auth="digest basic")
        for offer in ([MD5], [SHA]):
            c = Context(k)
            self.assertVerdict(c.challenged(offer), "SEND")
            c.accepted()
        self.assertDowngraded(Context(k).challenged([BASIC]))
        self.assertEqual(k.log().count("cannot read"), 1)
        self.assertEqual(k.log().count("cannot write"), 1)


class BasicInClear(FloorTest):
    auth = "digest basic"

    def ask(self, k, host, port, offer=(BASIC,), **options):
        return Context(k, host=host, port=port, **options).challenged(list(offer))

    def test_only_by_tls_on_this_machine_or_by_consent(self):
        """The keyholder reads in its own configuration how the proxy is reached; a binding from the agent proves nothing."""
        for proxy, host, port, passes in (("http://proxy.corp.example:8080", "proxy.corp.example", 8080, False),
                                          ("https://proxy.corp.example:8080", "proxy.corp.example", 8080, True),
                                          ("http://10.0.0.1:1", "10.0.0.1", 1, False), ("http://127.9.9.9:1", "127.9.9.9", 1, True),
                                          ("http://[::1]:1", "::1", 1, True), ("http://localhost:1", "localhost", 1, True),
                                          ("http://localhost.corp.example:1", "localhost.corp.example", 1, False),
                                          ("https://p.example:1 http://p.example:1", "p.example", 1, False)):
            for consent in ("yes", "no"):
                with self.subTest(proxy=proxy, consent=consent):
                    more = MORE % ("other", proxy, self.auth, self.file.path)
                    k = self.start(more=more.replace("clear = yes", "clear = " + consent))
                    a = self.ask(k, host, port, upstream="other", binding=b"x" * 32)
                    if passes or consent == "yes":
                        self.assertEqual((a.verdict, a.header[:6]), ("SEND", "Basic "), a)
                    else:
                        self.assertEqual((a.verdict, a.header), ("UNAVAILABLE", ""), a)
                        self.assertIn("Basic would send the password itself, in clear text", a.why)
                        self.assertIn("proxy = https://", a.remedy)
                        self.assertIn("basic-in-clear = yes", a.remedy)
                        self.assertNotIn("Name one of them", a.remedy)
                    k.finish()

    def test_the_page_says_all_that_is_to_be_set(self):
        k = self.start(auth="digest", in_clear="no")
        a = Context(k).challenged([BASIC])
        self.assertIn("Name one of them in auth =", a.remedy)
        self.assertIn("basic-in-clear = yes", a.remedy)

    def test_another_scheme_is_taken(self):
        k = self.start(auth="basic digest", in_clear="no")
        self.assertEqual(Context(k).challenged([BASIC, SHA]).header.split(" ")[0], "Digest")

    def test_consent_taken_back(self):
        k = self.start(auth="basic")
        self.assertVerdict(Context(k).challenged([BASIC]), "SEND")
        k.configure("auth = basic\nuser = CORP\\alice\nsecret = file:%s\n" % self.file.path)
        k.ask("RELOAD")
        self.assertEqual(k.event("EVENT_GENERATION").generation, 2)  # the agent drops the connections that had it
        self.assertEqual(Context(k).authorize().header, "")
        self.assertVerdict(Context(k).challenged([BASIC]), "UNAVAILABLE")

    def test_the_trial_of_a_login_obeys(self):
        k = self.start(auth="basic", in_clear="no", secret="prompt")
        login = k.login_link()
        call = login.begin("LOGIN", upstream="corp", secret="Password")
        trial = k.event("EVENT_TRIAL")
        self.assertVerdict(Context(k, flags=CANDIDATE, trial=trial.trial).challenged([BASIC]), "UNAVAILABLE")
        k.tell("TRIAL_END", trial=trial.trial, verdict=1)
        self.assertIn("in clear text", login.end(call).why)


class Strangers(FloorTest):
    """An identity is for the proxies that its upstream names: whoever else asks, through whatever mistake of the agent, gets nothing."""

    def test_a_proxy_that_the_upstream_does_not_name_gets_nothing(self):
        k = self.start(more=MORE % ("lab", "http://lab.example:1", "ntlm", self.file.path))
        self.assertEqual(Context(k).opened.verdict, "OK")
        for upstream, host, port in (("corp", "evil.example", 8080), ("corp", "proxy.corp.example", 8081), ("corp", "lab.example", 1),
                                     ("corp", "proxy.corp.example.evil.example", 8080), ("corp", "corp.example", 8080),
                                     ("corp", "sub.proxy.corp.example", 8080), ("lab", "proxy.corp.example", 8080),
                                     ("nobody", "proxy.corp.example", 8080), ("Corp", "proxy.corp.example", 8080)):
            with self.subTest(upstream=upstream, host=host, port=port):
                c = Context(k, upstream, host, port)
                self.assertEqual((c.opened.verdict, c.opened.context, c.opened.identity), ("UNAVAILABLE", "", ""))
                self.assertIn("keyholder's configuration has no such", c.opened.why)
                for kind in ("AUTHORIZE", "CHALLENGED"):  # a context of its own invention
                    a = k.ask(kind, context=0x10000 + port, method="GET", target="http://x/", **({"lines": "NTLM\n"} if kind[0] == "C" else {}))
                    self.assertEqual((a.verdict, a.header), ("BROKEN", ""))

    def test_nor_one_that_it_no_longer_names(self):
        authority = NtlmAuthority(("CORP", "alice", self.password))
        self.addCleanup(authority.destroy)
        k = self.start(auth="ntlm basic")
        half, waiting, idle = [Context(k) for _ in range(3)]
        tried = Context(k)
        self.assertVerdict(tried.challenged([BASIC]), "SEND")
        waits = waiting.begin_challenged([BASIC])  # for the verdict on that one
        challenge = Acceptor().take(half.challenged(["NTLM"]).header)
        self.assertFalse(k.answered(waits))
        k.proxy_host = "new.corp.example"
        k.configure("auth = ntlm basic\nbasic-in-clear = yes\nuser = CORP\\alice\nsecret = file:%s\n" % self.file.path)
        k.ask("RELOAD")
        self.assertEqual(Context(k, host="proxy.corp.example").opened.verdict, "UNAVAILABLE")
        tried.accepted()
        for a in (k.end(waits), half.challenged(challenge), idle.challenged(["NTLM"])):
            self.assertEqual((a.verdict, a.header), ("BROKEN", ""))
            self.assertIn("roxy is gone from the configuration", a.why)
        self.assertEqual(Context(k).challenged([BASIC]).verdict, "SEND")

    HOSTS = "yes\nhosts = .proxies.example 10.0.0.0/8:3128"

    def test_hosts_are_met_and_no_others(self):
        k = self.start(in_clear=self.HOSTS)
        for host, port, met in (("a.proxies.example", 1, True), ("proxies.example", 8080, True), ("10.1.2.3", 3128, True), ("10.1.2.3", 3129, False),
                                ("xproxies.example", 1, False), ("a.proxies.example.evil.example", 1, False), ("proxy.corp.example", 8080, True)):
            with self.subTest(host=host, port=port):
                c = Context(k, host=host, port=port)
                self.assertEqual(c.opened.verdict, "OK" if met else "UNAVAILABLE")
                if met:
                    self.assertVerdict(c.challenged([BASIC]), "SEND")
                    c.accepted()

    def test_basic_in_the_clear_is_not_for_hosts(self):
        """The keyholder does not know how a proxy is reached that `proxy` does not name."""
        k = self.start(auth="basic", in_clear="no\nhosts = .proxies.example")
        a = Context(k, host="a.proxies.example", port=1).challenged([BASIC])
        self.assertEqual((a.verdict, a.header), ("UNAVAILABLE", ""))

    def test_hosts_that_are_taken_out(self):
        k = self.start(in_clear=self.HOSTS)
        c = Context(k, host="a.proxies.example", port=1)
        k.configure("auth = basic\nbasic-in-clear = yes\nuser = CORP\\alice\nsecret = file:%s\n" % self.file.path)
        k.ask("RELOAD")
        self.assertEqual((c.challenged([BASIC]).verdict, Context(k, host="b.proxies.example", port=1).opened.verdict), ("BROKEN", "UNAVAILABLE"))

    def test_an_alarm_of_one_of_hosts_can_be_seen_and_accepted(self):
        k = self.start("floor corp %s kerberos" % PROXY, in_clear=self.HOSTS)
        self.assertDowngraded(Context(k, host="a.proxies.example", port=1).challenged([BASIC]))
        self.assertEqual(k.ask("STATUS", upstream="corp").flags & ALARM, ALARM)
        self.assertIn("a.proxies.example:1", self.accept(k).why)
        self.assertVerdict(Context(k, host="a.proxies.example", port=1).challenged([BASIC]), "SEND")
        self.assertEqual(k.ask("STATUS", upstream="corp").flags & ALARM, 0)

    def test_names_without_end(self):
        k = self.start(in_clear=self.HOSTS)
        opened = [Context(k, host="p%d.proxies.example" % i, port=1).opened.verdict for i in range(1100)]
        self.assertEqual((opened[0], opened[-1]), ("OK", "UNAVAILABLE"))
        self.assertEqual(Context(k, host="p0.proxies.example", port=1).opened.verdict, "OK")
        self.assertEqual(Context(k).opened.verdict, "OK")  # its own one never waits for a place
