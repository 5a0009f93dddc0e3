"""Clients of a gateway that wish it ill: guesses in parallel, floods, replays, names that are none, and what they leave in memory."""
import base64
import crypt
import os
import unittest

import memory
import ntlm
import test_accept as lib
from keyholder import PROGRAM, encode
from test_accept import DigestClient, Door, PASSWORD, basic, field, ha1, smb, token

FIRST = field("NTLM", ntlm.type1() + b"\x06\x01\0\0\0\0\0\x0f")
UNSEEN = "not looked at"


class Guesses(lib.AcceptTest):
    """More guesses at once than may be: a machine that is slow enough to answer all of them properly would need minutes for it."""
    auth = "ntlm digest basic"
    MANY = 40

    def guess(self, doors, header):
        calls = [door.begin(header(door)) for door in doors]
        return [door.keys.end(call) for door, call in zip(doors, calls)]

    def ntlm(self, door, password):
        challenge = token(door.step(FIRST).lines.strip())
        return field("NTLM", ntlm.type3(challenge, "alice", password))

    def test_of_an_account_from_a_network(self):
        for name, header in (("Basic", lambda door, password: basic("alice", password)), ("NTLM", self.ntlm),
                             ("Digest", lambda door, password: DigestClient(door.opened.lines).header(password=password))):
            with self.subTest(scheme=name):
                k = self.keyholder(more="domain = CORP\n")
                answers = self.guess([Door(k, network="there") for _ in range(self.MANY)], lambda door: header(door, "wrong"))
                self.assertEqual({a.verdict for a in answers}, {"REFUSED"})
                unseen = [a for a in answers if UNSEEN in a.why]
                self.assertTrue(unseen)
                for answer in unseen:
                    self.assertTrue(answer.lines)
                    self.assertEqual(answer.delay, 10000)
                here, other = Door(k, network="here"), Door(k, network="there")
                self.let_in(here.step(header(here, PASSWORD)), "CORP\\alice")
                self.let_in(other.step(basic("carol")), "CORP\\carol")

    def test_an_account_has_one_count_however_it_is_called(self):
        k = self.keyholder(more="domain = CORP\n", users=lib.USERS + [smb("bob")])
        delays = []
        for user in ("alice", "CORP\\alice", "alice@corp.example", "ALICE"):
            delays.append(Door(k).step(basic(user, "wrong")).delay)
        for user, domain in (("alice", "CORP"), ("alice", ""), ("Alice@CORP", "")):
            door = Door(k)
            challenge = token(door.step(FIRST).lines.strip())
            delays.append(door.step(field("NTLM", ntlm.type3(challenge, user, "wrong", domain))).delay)
        self.assertEqual(delays, [500, 1000, 2000, 4000, 8000, 10000, 10000])
        for user in ("nobody", "CORP\\nobody", "nobody@corp"):  # as for those who are there
            delays.append(Door(k).step(basic(user, "wrong")).delay)
        self.assertEqual(delays[-3:], [500, 1000, 2000])


class Slow(lib.AcceptTest):
    auth = "basic"
    HASH = crypt.crypt(PASSWORD, "$2b$11$abcdefghijklmnopqrstuu")

    def test_a_network_does_not_keep_another_waiting(self):
        k = self.keyholder(users=["alice:" + self.HASH])
        flood, here = [Door(k, network="there") for _ in range(60)], Door(k, network="here")
        calls = [door.begin(basic("user%d" % i, "wrong")) for i, door in enumerate(flood)]
        self.let_in(here.step(basic("alice")), "alice")
        late = [call for call in calls if call not in k.answers]
        self.assertGreater(len(late), 20, "the flood came first")
        for door in flood:
            door.close()

    def test_a_network_has_bounds(self):
        k = self.keyholder(users=["alice:" + self.HASH])
        flood = [Door(k, network="there") for _ in range(100)]
        calls = [door.begin(basic("user%d" % i, "wrong")) for i, door in enumerate(flood)]
        here = Door(k, network="here").begin(basic("alice"))
        answers = [k.end(call) for call in calls]
        crowded = [a for a in answers if "Too many passwords" in a.why]
        self.assertTrue(crowded)
        self.assertEqual({a.verdict for a in crowded}, {"UNAVAILABLE"})
        self.let_in(k.end(here), "alice")

    def test_clients_that_leave(self):
        k = self.keyholder(users=["alice:" + self.HASH])
        doors = [Door(k, network="there") for _ in range(30)]
        for i, door in enumerate(doors):
            door.begin(basic("user%d" % i, "wrong"))
        for door in doors:
            door.close()
        self.let_in(Door(k, network="there").step(basic("alice")), "alice")


class Replays(lib.AcceptTest):
    auth = "digest"

    def test_in_parallel(self):
        k = self.keyholder()
        doors = [Door(k) for _ in range(30)]
        header = DigestClient(doors[0].opened.lines).header()
        calls = [door.begin(header) for door in doors]
        answers = [k.end(call) for call in calls]
        self.assertEqual(sorted(a.verdict for a in answers), ["OK"] + ["REFUSED"] * 29)
        for answer in answers:
            if answer.verdict == "REFUSED":
                self.assertIn("stale=true", answer.lines)
                self.assertEqual(answer.get("delay", 0), 0)

    def test_over_a_restart(self):
        k = self.keyholder()
        header = DigestClient(Door(k).opened.lines).header()
        self.let_in(Door(k).step(header), "alice")
        k.restart()
        answer = Door(k).step(header)
        self.refused(answer)
        self.assertIn("stale=true", answer.lines)

    def test_when_the_table_is_full(self):
        """1024 nonces have a place: what has lost its own is not taken again."""
        k = self.keyholder()
        door = Door(k)
        headers = []
        for _ in range(1100):
            client = DigestClient(door.step().lines)
            headers.append(client.header())
            self.let_in(door.step(headers[-1]), "alice")
        for header in headers:
            self.refused(door.step(header))

    def test_of_another_gateway(self):
        k = self.keyholder(more="[gateway other]\nlisten = 127.0.0.1:19\n")
        header = DigestClient(Door(k).opened.lines).header()
        answer = Door(k, "other").step(header)
        self.refused(answer)
        self.assertIn("stale=true", answer.lines)
        self.let_in(Door(k).step(header), "alice")


class Names(lib.AcceptTest):
    auth = "digest basic"

    def test_quoted(self):
        name, realm = 'a"b\\c', 'the "lab" \\ here'
        k = self.keyholder(more="realm = %s\n" % realm, users=["%s:%s:%s" % (name, realm, ha1("sha256", name, realm))])
        door = Door(k)
        self.assertIn(r'realm="the \"lab\" \\ here"', door.opened.lines)
        client = DigestClient(door.opened.lines.replace(r'\"', "'"))
        client.realm = realm
        fields = client.fields(user=name)
        for part in ("username", "realm"):
            fields[part] = '"%s"' % (name if part == "username" else realm).replace("\\", "\\\\").replace('"', '\\"')
        self.let_in(door.step(client.text(fields)), name)

    def test_not_utf8(self):
        k = self.keyholder()
        door = Door(k)
        client = DigestClient(door.opened.lines)
        for raw in (b"Basic " + base64.b64encode(b"j\xf6rg:" + PASSWORD.encode()), client.header(user="jXrg").encode().replace(b"jXrg", b"j\xf6rg")):
            answer = self.raw(k, door, raw)
            self.refused(answer)
            self.assertNotIn("identity", answer)

    @staticmethod
    def raw(k, door, header):
        k.last_call += 1
        frame = encode("ACCEPT_STEP", k.last_call, context=door.id, method="GET", target=lib.TARGET, header="@" * len(header))
        k.sock.sendall(frame.replace(b"@" * len(header), header))
        return k.end(k.last_call)

    def test_very_long(self):
        door = Door(self.keyholder())
        long = "a" * 60000
        self.refused(door.step(basic(long)))
        self.refused(door.step(basic("alice", long)))
        self.refused(door.step(DigestClient(door.opened.lines).header(user=long)))
        self.broken(door.step("Digest " + long))
        self.refused(door.step(long + " x"))
        self.let_in(door.step(basic("carol")), "carol")

    def test_not_offered(self):
        """Though the file has a hash for it, and the password is right."""
        users = ["alice:" + lib.SHA1, "alice:exeat:" + ha1("sha256"), smb("alice")]
        door = Door(self.keyholder(users=users, auth="digest"))
        client = DigestClient(door.opened.lines)
        self.refused(door.step(basic("alice")))
        self.refused(door.step(FIRST))
        self.let_in(door.step(client.header()), "alice")
        self.refused(Door(self.keyholder(users=users, auth="basic")).step(client.header()))

    def test_empty(self):
        door = Door(self.keyholder())
        for user, password in (("alice", ""), ("", ""), ("", PASSWORD)):
            self.refused(door.step(basic(user, password)))
            self.refused(door.step(DigestClient(door.opened.lines).header(user=user, password=password)))


class Handshakes(lib.GssTest):
    auth = "negotiate ntlm basic"

    def test_one_mechanism_each(self):
        """Credentials for SPNEGO are of one mechanism: a gateway that offers Kerberos alone takes no NTLM inside, whoever speaks first."""
        k = self.keyholder(more="keytab = %s\n" % self.realm.keytab, auth="negotiate basic")
        door = Door(k)
        kinds = ntlm.der(0x06, ntlm.OID_NTLM[2:])
        body = ntlm.der(0x30, ntlm.der(0xA0, ntlm.der(0x30, kinds)))
        first = ntlm.der(0x60, ntlm.der(0x06, b"\x2b\x06\x01\x05\x05\x02") + ntlm.der(0xA0, body))
        self.refused(door.step(field("Negotiate", first)))
        krb5 = b"\x2a\x86\x48\x86\xf7\x12\x01\x02\x02"
        body = ntlm.der(0x30, ntlm.der(0xA0, ntlm.der(0x30, ntlm.der(0x06, krb5) + kinds)) + ntlm.der(0xA2, ntlm.der(0x04, ntlm.type1())))
        first = ntlm.der(0x60, ntlm.der(0x06, b"\x2b\x06\x01\x05\x05\x02") + ntlm.der(0xA0, body))
        answer = door.step(field("Negotiate", first))
        if answer.verdict == "SEND":  # Kerberos is what it answers with
            self.assertNotIn(b"NTLMSSP", token(answer.lines.strip()))
            answer = door.step(field("Negotiate", ntlm.spnego_response(ntlm.type1() + b"\x06\x01\0\0\0\0\0\x0f")))
        self.refused(answer)

    def test_ntlms_credentials_take_no_ticket(self):
        """Where the gateway's keytab cannot be had, NTLM inside SPNEGO goes on; a ticket does not come in by it, for which the machine's own keytab has a key."""
        k = self.keyholder(more="keytab = /nonexistent\ndomain = CORP\n", auth="negotiate ntlm", env={"KRB5_KTNAME": self.realm.keytab})
        door = Door(k)
        self.assertEqual(door.opened.lines, "Negotiate\nNTLM\n")
        answer, _ = self.converse(door, self.kerberos(), "Negotiate")
        self.refused(answer)
        answer, _ = self.converse(Door(k), self.ntlm_client(lib.SPNEGO), "Negotiate")
        self.let_in(answer, "CORP\\alice", "Negotiate (NTLM)")

    def test_after_a_slow_password_that_came_too_late_or_not(self):
        door = Door(self.gate())
        self.refused(door.step(basic("alice", "wrong")))
        answer, _ = self.converse(door, self.ntlm_client(), "NTLM")
        self.let_in(answer, "CORP\\alice")

    def handshake(self, k):
        door = Door(k)
        challenge = token(door.step(FIRST).lines.strip())
        self.let_in(door.step(field("NTLM", ntlm.type3(challenge, "alice", PASSWORD))), "CORP\\alice")
        door.close()

    def test_memory_is_flat(self):
        k = self.gate()

        def size():
            with open("/proc/%d/statm" % k.process.pid, encoding="ascii") as f:
                return int(f.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

        if memory.sanitized(PROGRAM):
            self.skipTest("a sanitizer keeps what was freed")
        for _ in range(300):
            self.handshake(k)
        before = size()
        for i in range(int(os.environ.get("EXEAT_TEST_HANDSHAKES", "2000"))):
            self.handshake(k)
            if i % 4 == 0:
                door = Door(k)
                door.step(FIRST)  # one that is never finished
                door.close()
        self.assertLess(size() - before, 1 << 20)


@unittest.skipUnless(memory.may_look(), "only root may look")
class Memory(lib.AcceptTest):
    auth = "ntlm digest basic"

    def test_passwords_of_clients(self):
        """Right or wrong, in the field or taken out of it: nothing is left on ordinary pages."""
        secret, guess = "Horse-Battery-41", "Staple-Correct-97"
        k = self.keyholder(users=["alice:" + crypt.crypt(secret, "$2b$05$abcdefghijklmnopqrstuu"), "bob:exeat:" + ha1("sha256", "bob"), smb("bob")])
        door = Door(k)
        for _ in range(3):
            self.let_in(door.step(basic("alice", secret)), "alice")
            self.refused(door.step(basic("alice", guess)))
            self.broken(door.step(basic("alice", secret) + "!"))
        needles = [n for word in (secret, guess) for n in (word.encode(), word.encode("utf-16-le"), basic("alice", word)[6:].encode())]
        k.ask("STATUS", upstream="no-such-upstream")
        self.assertEqual(memory.loose(k.process.pid, needles), [])

    def test_hashes_of_the_file(self):
        k = self.keyholder()
        if memory.sanitized(PROGRAM):
            self.skipTest("a sanitizer keeps what libraries freed")
        door = Door(k)
        self.let_in(door.step(DigestClient(door.opened.lines).header()), "alice")
        challenge = token(door.step(FIRST).lines.strip())
        self.let_in(door.step(field("NTLM", ntlm.type3(challenge, "alice", PASSWORD))), "alice")
        k.ask("STATUS", upstream="no-such-upstream")
        needles = [ha1("sha256").encode(), ha1("md5").encode(), lib.NT_HASH.encode(), bytes.fromhex(lib.NT_HASH)]
        self.assertEqual(memory.loose(k.process.pid, needles), [])
