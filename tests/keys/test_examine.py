"""EXAMINE, for exeat doctor: what is found, that nothing is spent, learned or shown by looking, and that what a proxy says stays text."""
import base64
import socket
import struct

from keyholder import ALARM, Context
from test_floor import FloorTest
from test_program import type_2
from test_tickets import TicketTest

NTLM, BASIC = "NTLM", 'Basic realm="x"'


def found(answer):
    """step -> (mark, evidence, remedy); each line of exactly so many parts."""
    rows = [line.split("\t") for line in answer.lines.split("\n")[:-1]]
    assert all(len(row) == 4 for row in rows), rows
    return {row[0]: tuple(row[1:]) for row in rows}


class ExamineTest(FloorTest):
    user = "CORP\\alice"

    def examine(self, k, *lines, **where):
        fields = dict(upstream="corp", host=k.proxy_host, port=k.proxy_port, lines="".join(line + "\n" for line in lines))
        return k.ask("EXAMINE", **dict(fields, **where))


class Questions(ExamineTest):
    def test_nobody_else_is_examined(self):
        k = self.start()
        for where in ({"upstream": "nobody"}, {"host": "other.example"}, {"port": 1}):
            a = self.examine(k, **where)
            self.assertVerdict(a, "UNAVAILABLE")
            self.assertTrue(a.why)

    def test_the_command_line_may_ask(self):
        k = self.start()
        login = k.login_link()
        login.proxy_host, login.proxy_port = k.proxy_host, k.proxy_port
        self.assertEqual(found(self.examine(login, NTLM))["principal"], ("ok", "CORP\\alice", ""))

    def test_the_first_token_has_no_secret_and_no_name(self):
        a = self.examine(self.start(), NTLM, BASIC)
        token = base64.b64decode(a.header.split(" ")[1])
        self.assertEqual((token[:12], len(token)), (b"NTLMSSP\0\1\0\0\0", 32))
        self.assertEqual(token[16:], bytes(16))
        self.assertEqual(a.scheme, "NTLM")

    def test_no_token_where_ntlm_is_not_wanted(self):
        self.assertEqual(self.examine(self.start(), BASIC).header, "")
        self.assertEqual(self.examine(self.start(auth="basic"), NTLM, BASIC).header, "")

    def test_what_a_proxy_says_stays_text(self):
        for lines in (("NTLM\t\n\x1b[31m",), ("B\tad\tok\tx", "\x01"), ('Basic realm="\t\x7f"',), ("NTLM " + "A" * 4000,), ("," * 5000,), ("x" * 60000,)):
            a = self.examine(self.start(), *lines)
            self.assertVerdict(a, "OK")
            for step in found(a).values():
                self.assertTrue(all(" " <= c != "\x7f" for text in step for c in text), step)

    def test_what_others_have_named_stays_text(self):
        rows = found(self.examine(self.start(auth="ntlm", secret='"file:/nowhere/a\tkdc\tok"'), NTLM))
        self.assertEqual(rows["password"][0], "bad")
        self.assertIn("/nowhere/a kdc ok", rows["password"][1])

    def test_a_challenge(self):
        info = b"".join(struct.pack("<HH", i, len(v)) + v for i, v in ((2, "CORP".encode("utf-16-le")), (1, "P\n\t".encode("utf-16-le")))) + bytes(4)
        a = self.examine(self.start(), "NTLM " + base64.b64encode(type_2(0xa2818205, "CORP".encode("utf-16-le"), info)).decode())
        self.assertEqual(found(a), {"ntlm": ("ok", "domain CORP, server P??", "")})

    def test_broken_challenges(self):
        for message in (b"x", b"NTLMSSP\0\1\0\0\0" + bytes(40), type_2(name=b""), type_2(0xa2898205, b"A\0", b"\x02\0\xff\0")):
            a = self.examine(self.start(), "NTLM " + base64.b64encode(message).decode())
            self.assertEqual(found(a)["ntlm"][0], "bad")


class Quiet(ExamineTest):
    def test_it_neither_rings_the_alarm_nor_calms_it(self):
        k = self.start("floor corp proxy.corp.example:8080 ntlm")
        before = self.get_floors()
        mark, evidence, remedy = found(self.examine(k, BASIC))["scheme"]
        self.assertEqual(mark, "bad")
        self.assertIn("accepted NTLM before and now offers only Basic", evidence)
        self.assertIn("exeat accept corp", remedy)
        self.assertEqual(self.get_floors(), before)
        self.assertFalse(k.ask("STATUS", upstream="corp").flags & ALARM)
        self.assertVerdict(Context(k).challenged([BASIC]), "DOWNGRADED")
        self.assertEqual(found(self.examine(k, NTLM))["scheme"][0], "ok")
        self.assertTrue(k.ask("STATUS", upstream="corp").flags & ALARM)  # a question is not the proxy's word

    def test_a_weak_offer_leaves_nothing_to_send(self):
        rows = found(self.examine(self.start("floor corp proxy.corp.example:8080 ntlm"), BASIC))
        self.assertEqual(rows["attempt"][:2], ("bad", "there is nothing to sign in with"))

    def test_a_refused_password(self):
        k = self.start(auth="basic", user="alice")
        c = Context(k)
        self.assertVerdict(c.challenged([BASIC]), "SEND")
        self.assertVerdict(c.challenged([BASIC]), "REFUSED")
        rows = found(self.examine(k, BASIC))
        self.assertEqual((rows["password"][0], rows["attempt"][0]), ("refused", "bad"))
        self.assertIn("It is not sent again until it changes", rows["password"][1])

    def test_a_proven_password(self):
        k = self.start(auth="basic", user="alice")
        self.assertEqual(found(self.examine(k, BASIC))["attempt"][0], "note")
        c = Context(k)
        self.assertVerdict(c.challenged([BASIC]), "SEND")
        self.assertVerdict(c.accepted(), "OK")
        self.assertEqual(found(self.examine(k, BASIC))["attempt"][0], "ok")

    def test_a_command_is_not_run(self):
        ran = self.directory + "/ran"
        k = self.start(auth="basic", user="alice", secret="command:touch %s; echo x" % ran)
        self.assertEqual(found(self.examine(k, BASIC))["password"][:2], ("note", "a command prints it, which a diagnosis does not run"))
        with self.assertRaises(FileNotFoundError):
            open(ran)


class Kerberos(TicketTest):
    def examine(self, k, *lines):
        return k.ask("EXAMINE", upstream="corp", host=k.proxy_host, port=k.proxy_port, lines="".join(line + "\n" for line in lines))

    def test_the_kdc_sees_no_proof(self):
        k = self.keyholder(kerberos="acquire")
        rows = found(self.examine(k, "Negotiate"))
        self.assertEqual(rows["kdc"], ("ok", "a Kerberos server of CORP.EXAMPLE answers", ""))
        self.assertEqual(rows["kdc-clock"][0], "ok")
        self.assertEqual((self.realm.issued("alice"), self.realm.count("PREAUTH_FAILED")), (0, 0))

    def test_a_ticket_is_used_for_the_proxys_and_nothing_else(self):
        k = self.keyholder(env={"KRB5CCNAME": self.directory + "/cc"}, secret="none")
        self.realm.kinit(self.directory + "/cc")
        rows = found(self.examine(k, "Negotiate"))
        self.assertEqual(rows["spn"][:2], ("ok", "the Kerberos server gave a ticket for HTTP/proxy.corp.example"))
        self.assertEqual(rows["attempt"][0], "ok")

    def test_kdcs_are_left_alone_where_the_proxy_does_not_offer_kerberos(self):
        k = self.keyholder(auth="negotiate ntlm")
        rows = found(self.examine(k, NTLM))
        self.assertEqual(rows["kdc"][:2], ("skip", "the proxy does not offer Negotiate"))
        self.assertEqual(self.realm.count("AS_REQ"), 0)

    def test_who_asked_goes_away_before_the_kdc_answers(self):
        udp = socket.socket(type=socket.SOCK_DGRAM)
        self.addCleanup(udp.close)
        udp.bind(("127.0.0.1", 0))
        conf = self.directory + "/krb5.conf"
        with open(conf, "w") as f:
            f.write("[libdefaults]\ndefault_realm = CORP.EXAMPLE\ndns_lookup_kdc = false\n[realms]\nCORP.EXAMPLE = {\n kdc = 127.0.0.1:%d\n}\n" % udp.getsockname()[1])
        k = self.keyholder(env={"KRB5_CONFIG": conf})
        login = k.login_link()
        login.begin("EXAMINE", upstream="corp", host=k.proxy_host, port=k.proxy_port)
        udp.settimeout(30)
        udp.recv(1)  # it is being asked
        login.sock.close()
        self.assertVerdict(k.ask("STATUS", upstream="corp"), "OK")
