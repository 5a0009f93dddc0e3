"""Has the proxy proved itself? The last token of Negotiate in every state, for each setting of mutual =, made by a real acceptor and then damaged."""
import base64
import os
import tempfile

from keyholder import BINDS, BODY_BIG, BODY_NONE, CANDIDATE, FINAL, KNOCK, Context
from realm import NTLM, SPNEGO, Acceptor, InRealm, NtlmAuthority, converse
from test_schemes import SchemeTest

SETTINGS = ("require", "try", "off")
TICKET = "Negotiate (Kerberos)"
MUTUAL = "Negotiate (Kerberos, mutual)"


def encode(token):
    return base64.b64encode(token).decode()


def der(tag, content):
    length = bytes((len(content),)) if len(content) < 128 else b"\x82" + len(content).to_bytes(2, "big")
    return bytes((tag,)) + length + content


def spnego(state=None, mechanism=None, token=None, mic=None):
    """NegTokenResp (RFC 4178 section 4.2.2)."""
    fields = [(0xa0, 0x0a, state), (0xa1, 0x06, mechanism), (0xa2, 0x04, token), (0xa3, 0x04, mic)]
    return der(0xa1, der(0x30, b"".join(der(place, der(tag, value)) for place, tag, value in fields if value is not None)))


KERBEROS_OID = bytes.fromhex("2a864886f712010202")
NTLM_OID = bytes.fromhex("2b06010401823702020a")
ACCEPTED, INCOMPLETE, REJECTED, WANTS_MIC = (bytes((n,)) for n in range(4))


class MutualTest(InRealm, SchemeTest):
    auth = "negotiate ntlm digest"
    user = "alice@CORP.EXAMPLE"
    password = "Password"
    kerberos = "acquire"

    def start(self, mutual, **options):
        return self.keyholder(more="mutual = %s\n%s" % (mutual, options.pop("more", "")), **options)

    def proxy(self):
        return Acceptor("Negotiate", SPNEGO, self.realm.keytab)

    def shaken(self, k, **kwargs):
        """A context whose token an acceptor has taken, and what that acceptor would send as its last one."""
        context, proxy = Context(k), self.proxy()
        answer = context.authorize(**kwargs)
        if not answer.header:
            answer = context.challenged(["Negotiate"], **kwargs)
        self.assertVerdict(answer, "SEND")
        self.assertIsNone(proxy.take(answer.header))
        return context, answer, proxy.final

    def aprep(self, final):
        """The Kerberos token inside."""
        return final[final.index(b"\x60", 20):] if b"\x60" in final[20:] else final


class Table(MutualTest):
    """How the proxy answers, and whether that passes with require, try and off."""

    def check(self, lines, passes, info=lambda final, other: "", works=None):
        for setting, good in zip(SETTINGS, passes):
            with self.subTest(setting):
                k = self.start(setting)
                _, _, other = self.shaken(k)
                context, sent, final = self.shaken(k)
                self.assertEqual(sent.flags & FINAL, 0 if setting == "off" else FINAL)
                answer = context.accepted(lines=lines(final, other), info=info(final, other))
                self.assertVerdict(answer, "OK" if good else "MUTUAL_FAILED")
                status = k.ask("STATUS", upstream="corp")
                if good:
                    self.assertEqual(context.authorize().header, "")  # let in
                    self.assertEqual(status.scheme, works if works and setting != "off" else TICKET)
                    continue
                self.assertIn("proxy.corp.example:8080", answer.why)
                self.assertIn("mutual = ", answer.remedy)
                self.assertVerdict(context.authorize(), "BROKEN")  # and dead
                self.assertEqual(status.scheme, "")  # nothing was learned as a success
                self.assertIn("did not prove", status.why)
                context, _, final = self.shaken(k)  # nor as a refusal: the ticket is still sent
                self.assertVerdict(context.accepted(lines=["Negotiate " + encode(final)]), "OK")
                self.assertNotIn("did not prove", k.ask("STATUS", upstream="corp").why)

    def test_right(self):
        self.check(lambda final, other: ["Negotiate " + encode(final)], (True, True, True), works=MUTUAL)

    def test_right_in_any_letter_case_and_among_others(self):
        self.check(lambda final, other: ["Basic realm=x, nEGOTIATE " + encode(final) + ", NTLM"], (True, True, True), works=MUTUAL)

    def test_right_in_proxy_authentication_info(self):
        self.check(lambda final, other: [], (True, True, True), lambda final, other: "Negotiate " + encode(final) + "\n", MUTUAL)

    def test_the_same_in_both_fields(self):
        self.check(lambda final, other: ["Negotiate " + encode(final)], (True, True, True),
                   lambda final, other: "Negotiate " + encode(final) + "\n", MUTUAL)

    def test_none(self):
        self.check(lambda final, other: [], (False, True, True))

    def test_only_the_name(self):
        self.check(lambda final, other: ["Negotiate"], (False, True, True))

    def test_of_another_scheme(self):
        self.check(lambda final, other: ["NTLM " + encode(final)], (False, True, True))

    def test_accepted_without_a_proof_inside(self):
        self.check(lambda final, other: ["Negotiate " + encode(spnego(ACCEPTED))], (False, True, True))
        self.check(lambda final, other: ["Negotiate " + encode(spnego(ACCEPTED, KERBEROS_OID))], (False, True, True))

    def test_garbage(self):
        for token in (b"garbage", b"\0" * 200, os.urandom(500)):
            self.check(lambda final, other, token=token: ["Negotiate " + encode(token)], (False, False, True))

    def test_of_another_handshake(self):
        self.check(lambda final, other: ["Negotiate " + encode(other)], (False, False, True))

    def test_our_own_token_sent_back(self):
        for setting, verdict in zip(SETTINGS, ("MUTUAL_FAILED", "MUTUAL_FAILED", "OK")):
            context, sent, _ = self.shaken(self.start(setting))
            self.assertVerdict(context.accepted(lines=[sent.header]), verdict)

    def test_truncated(self):
        self.check(lambda final, other: ["Negotiate " + encode(final[:-4])], (False, False, True))

    def test_truncated_inside(self):
        self.check(lambda final, other: ["Negotiate " + encode(spnego(ACCEPTED, KERBEROS_OID, self.aprep(final)[:-9]))],
                   (False, False, True))

    def test_one_bit_wrong(self):
        self.check(lambda final, other: ["Negotiate " + encode(final[:-1] + bytes((final[-1] ^ 1,)))], (False, False, True))

    def test_not_base64(self):
        for text in ("!!!", "AAA", "AB-_", "AAAA AAAA", "token=\"AAAA\"", "=", "A" * 5):
            self.check(lambda final, other, text=text: ["Negotiate " + text], (False, False, True))

    def test_two_tokens(self):
        self.check(lambda final, other: ["Negotiate " + encode(final), "Negotiate " + encode(other)], (False, False, True))
        self.check(lambda final, other: ["Negotiate " + encode(final)], (False, False, True),
                   lambda final, other: "Negotiate " + encode(other) + "\n")

    def test_rejected(self):
        self.check(lambda final, other: ["Negotiate " + encode(spnego(REJECTED))], (False, False, True))

    def test_a_handshake_that_is_left_open(self):
        for state in (INCOMPLETE, WANTS_MIC):
            self.check(lambda final, other, state=state: ["Negotiate " + encode(spnego(state))], (False, False, True))

    def test_a_mechanism_token_without_its_frame(self):
        self.check(lambda final, other: ["Negotiate " + encode(self.aprep(final))], (False, False, True))

    def test_an_ntlm_challenge(self):
        """Nobody has asked for one: it is neither a proof nor answered."""
        authority = NtlmAuthority(("CORP.EXAMPLE", "alice", "Password"))
        self.addCleanup(authority.destroy)
        k = self.keyholder(auth="ntlm")
        challenge = Acceptor("NTLM").take(Context(k).challenged(["NTLM"]).header)[0].split()[1]
        wrapped = encode(spnego(INCOMPLETE, NTLM_OID, base64.b64decode(challenge)))
        for token in (challenge, wrapped):
            self.check(lambda final, other, token=token: ["Negotiate " + token], (False, False, True))
            context, _, _ = self.shaken(self.start("try"))
            self.assertIn("NTLM", context.accepted(lines=["Negotiate " + token]).why)  # the library did not see it


class Require(MutualTest):
    def test_it_speaks_first_and_a_body_waits(self):
        k = self.start("require")
        for flags, wanted in ((BODY_NONE, BINDS | FINAL), (0, BINDS | FINAL | KNOCK), (BODY_BIG, BINDS | FINAL | KNOCK)):
            answer = Context(k).authorize(flags=flags, method="POST")
            self.assertEqual((answer.verdict, answer.flags), ("SEND", wanted))
            self.assertTrue(answer.header.startswith("Negotiate "))

    def test_try_lets_a_small_body_go(self):
        k = self.start("try")
        context = Context(k)
        self.assertEqual(context.authorize().header, "")
        answer = context.challenged(["Negotiate"], method="POST")
        self.assertEqual(answer.flags, BINDS | FINAL)

    def test_without_a_ticket_nothing_goes(self):
        k = self.start("require", user="", secret="none")
        answer = Context(k).authorize()
        self.assertVerdict(answer, "UNAVAILABLE")
        self.assertIn("No Kerberos ticket", answer.why)

    def test_only_kerberos_is_answered(self):
        k = self.start("require", auth="negotiate ntlm digest basic")
        for offer in ("NTLM", 'Digest realm="r", nonce="n", qop="auth"', "Basic realm=x"):
            answer = Context(k).challenged([offer])
            self.assertVerdict(answer, "UNAVAILABLE")
            self.assertIn("mutual = require", answer.why)

    def test_no_ntlm_inside_negotiate(self):
        authority = NtlmAuthority(("CORP.EXAMPLE", "alice", "Password"))
        self.addCleanup(authority.destroy)
        for more in ("spn = HTTP/unknown.corp.example\n", ""):
            proxy = Acceptor("Negotiate", SPNEGO)  # without a keytab: it would choose NTLM
            answer, _ = converse(Context(self.start("require", more=more)), proxy)
            self.assertNotEqual(answer.verdict, "SEND")
            self.assertIsNone(proxy.user)

    def test_a_proved_connection_stays_proved(self):
        k = self.start("require")
        context, _, final = self.shaken(k)
        self.assertVerdict(context.accepted(lines=["Negotiate " + encode(final)]), "OK")
        for _ in range(2):
            answer = context.authorize(flags=BODY_BIG, method="POST")
            self.assertEqual((answer.verdict, answer.flags, answer.header), ("SEND", 0, ""))
            self.assertVerdict(context.accepted(), "OK")

    def test_asked_again_it_proves_itself_again(self):
        k = self.start("require")
        context, _, final = self.shaken(k)
        self.assertVerdict(context.accepted(lines=["Negotiate " + encode(final)]), "OK")
        answer = context.challenged(["Negotiate"])
        self.assertEqual(answer.flags & FINAL, FINAL)
        self.assertVerdict(context.accepted(lines=["Negotiate " + encode(final)]), "MUTUAL_FAILED")

    def test_a_login_is_not_proved_by_an_impostor(self):
        k = self.start("require", secret="prompt")
        login = k.login_link()
        call = login.begin("LOGIN", upstream="corp", secret=self.password)
        event = k.event("EVENT_TRIAL")
        context = Context(k, flags=CANDIDATE, trial=event.trial)
        self.assertVerdict(context.authorize(flags=BODY_NONE), "SEND")
        self.assertVerdict(context.accepted(), "MUTUAL_FAILED")
        k.tell("TRIAL_END", trial=event.trial, verdict=1)
        answer = login.end(call)
        self.assertIn("could not be tried", answer.why)
        self.assertIn("prove", answer.why)

    def test_switched_on_by_a_reload(self):
        k = self.start("try")
        context, _, _ = self.shaken(k)
        self.assertVerdict(context.accepted(), "OK")
        k.more = ""
        k.configure("auth = negotiate ntlm digest\nuser = %s\nsecret = file:%s\nkerberos = acquire\nmutual = require\n"
                    % (self.user, self.file.path))
        self.assertVerdict(k.ask("RELOAD"), "OK")
        self.assertEqual(k.event("EVENT_GENERATION").generation, 2)
        context, _, _ = self.shaken(k)
        self.assertVerdict(context.accepted(), "MUTUAL_FAILED")


class Others(MutualTest):
    def test_closed_while_it_is_looked_at(self):
        k = self.start("require")
        for _ in range(20):
            context, _, final = self.shaken(k)
            context.begin_accepted(lines=["Negotiate " + encode(final)])
            context.close()
        context, _, final = self.shaken(k)
        self.assertVerdict(context.accepted(lines=["Negotiate " + encode(final)]), "OK")

    def test_ntlm_is_never_asked_for_a_proof(self):
        authority = NtlmAuthority(("CORP.EXAMPLE", "alice", "Password"), ("CORP", "alice", "Password"))
        self.addCleanup(authority.destroy)
        k = self.start("try")
        answer, sent = converse(Context(k), Acceptor("Negotiate", SPNEGO))  # Kerberos was offered, NTLM is chosen
        self.assertEqual((answer.verdict, answer.flags, sent), ("SEND", BINDS, 3))
        for proxy in (Acceptor("Negotiate", SPNEGO), Acceptor("NTLM", NTLM)):
            answer, _ = converse(Context(self.start("try", user="CORP\\alice")), proxy)
            self.assertEqual((answer.verdict, answer.flags), ("SEND", BINDS))

    def test_a_407_with_the_last_token_is_about_the_site(self):
        for setting in SETTINGS:
            k = self.start(setting)
            context, _, final = self.shaken(k)
            self.assertVerdict(context.challenged(["Negotiate " + encode(final)]), "SITE_REFUSED")
            context, _, final = self.shaken(k)
            self.assertVerdict(context.challenged(["Negotiate " + encode(spnego(ACCEPTED, KERBEROS_OID))]), "SITE_REFUSED")

    def test_what_the_token_asks_for(self):
        """An acceptor that was not asked for a proof sends none."""
        for setting in SETTINGS:
            _, _, final = self.shaken(self.start(setting))
            self.assertEqual(b"\x60" in final[20:], setting != "off")

    def test_own_ticket(self):
        with tempfile.TemporaryDirectory() as d:
            self.realm.kinit(d + "/cc")
            k = self.start("require", user="", secret="none", env={"KRB5CCNAME": d + "/cc"})
            context, _, final = self.shaken(k)
            self.assertVerdict(context.accepted(lines=["Negotiate " + encode(final)]), "OK")


del SchemeTest
