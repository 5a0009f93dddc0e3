"""Inbound authentication: the keyholder as the server's side of Basic, Digest, NTLM and Negotiate, with clients that know nothing of it."""
import base64
import hashlib
import os
import random
import re
import socket
import struct
import time
import unittest

import gssapi
import ntlm
from keyholder import BINDS, Keyholder, encode
from realm import NTLM, SPNEGO, InRealm

PASSWORD = "Password"
NT_HASH = ntlm.md4(PASSWORD.encode("utf-16-le")).hex().upper()
BCRYPT = "$2y$05$MHzo2JtJEx2k3PDxdYF98.PX0oPLPqNTJHz0OWjUJKa8Zcscr3xE."
SHA512 = "$6$artYPYoCWqBeRl6c$68WowcNUA.Duk.NVIhLZFvlV1eWqRtWwY79XrSmYjcOJRph23WkRn42ajuRp1LGaBZ90Z0jSLx/8QhnlNzIEa0"
APR1 = "$apr1$FSCYONUX$mlTHKZWVeHTjAX9N6JyLG1"
SHA1 = "{SHA}i+PJQ7Fgn/+/xRqtZm0KBK34PJ0="
TARGET = "http://site.example/a?b"


def ha1(algorithm, user="alice", realm="exeat", password=PASSWORD):
    return hashlib.new(algorithm, ("%s:%s:%s" % (user, realm, password)).encode()).hexdigest()


def smb(user, nt_hash=NT_HASH):
    return "%s:0:%s:%s:[U          ]:LCT-00000000:" % (user, "X" * 32, nt_hash)


USERS = ["# the lab's", "alice:" + BCRYPT, "bob:" + APR1, "carol:" + SHA1, "dave:" + SHA512, "",
         "alice:exeat:" + ha1("md5"), "alice:exeat:" + ha1("sha256"), "erin:exeat:" + ha1("md5", "erin"),
         "alice:other:" + ha1("md5", realm="other"), smb("alice")]


def basic(user, password=PASSWORD):
    return "Basic " + base64.b64encode(("%s:%s" % (user, password)).encode()).decode()


class Door:
    """One connection of a client."""

    def __init__(self, keys, gateway="gateway", binding=b"", network=""):
        self.keys = keys
        self.opened = keys.ask("ACCEPT_OPEN", gateway=gateway, binding=binding, host=network)
        self.id = self.opened.context

    def begin(self, header="", method="GET", target=TARGET):
        return self.keys.begin("ACCEPT_STEP", context=self.id, method=method, target=target, header=header)

    def step(self, header="", method="GET", target=TARGET):
        return self.keys.end(self.begin(header, method, target))

    def close(self):
        self.keys.tell("ACCEPT_CLOSE", context=self.id)


class DigestClient:
    """RFC 7616, from the client's side."""

    def __init__(self, lines, algorithm="SHA-256"):
        line = next(l for l in lines.splitlines() if l.startswith("Digest ") and "algorithm=%s," % algorithm in l)
        self.algorithm = algorithm
        self.realm, self.nonce = re.search('realm="([^"]*)"', line).group(1), re.search('nonce="([^"]*)"', line).group(1)
        self.count = 0

    def hash(self, *parts):
        names = {"MD5": "md5", "SHA-256": "sha256", "SHA-512-256": "sha512_256"}
        return hashlib.new(names[self.algorithm.replace("-sess", "")], ":".join(parts).encode()).hexdigest()

    def fields(self, user="alice", password=PASSWORD, method="GET", uri=TARGET, count=None, cnonce="c"):
        self.count = self.count + 1 if count is None else count
        nc = "%08x" % self.count
        secret = self.hash(user, self.realm, password)
        if self.algorithm.endswith("-sess"):
            secret = self.hash(secret, self.nonce, cnonce)
        answer = self.hash(secret, self.nonce, nc, cnonce, "auth", self.hash(method, uri))
        return {"username": '"%s"' % user, "realm": '"%s"' % self.realm, "nonce": '"%s"' % self.nonce, "uri": '"%s"' % uri,
                "response": '"%s"' % answer, "algorithm": self.algorithm, "qop": "auth", "nc": nc, "cnonce": '"%s"' % cnonce}

    @staticmethod
    def text(fields):
        return "Digest " + ", ".join("%s=%s" % pair for pair in fields.items())

    def header(self, **how):
        return self.text(self.fields(**how))

    def hidden(self, user="alice", **how):
        """RFC 7616 section 3.4.4"""
        return self.text({**self.fields(user=user, **how), "username": '"%s"' % self.hash(user, self.realm), "userhash": "true"})


class AcceptTest(unittest.TestCase):
    auth = "digest basic"
    env = {}

    def keyholder(self, more="", auth=None, users=USERS, mode=0o600, env=None):
        directory = self.enterContext(__import__("tempfile").TemporaryDirectory(prefix="exeat-accept-"))
        self.users_path = directory + "/users"
        if users is not None:
            self.write_users(users, mode)
        text = "[gateway]\nlisten = 127.0.0.1:9\nauth = %s\n%s%s" % (
            auth or self.auth, "users = %s\n" % self.users_path if users is not None else "", more)
        return self.enterContext(Keyholder("", directory=directory, more=text, env=dict(self.env, **(env or {}))))

    def write_users(self, lines, mode=0o600):
        """As editors and exeat users do it: a new file takes the place of the old one."""
        with open(self.users_path + ".new", "w", encoding="utf-8") as f:
            f.write("".join(line + "\n" for line in lines))
        os.chmod(self.users_path + ".new", mode)
        os.rename(self.users_path + ".new", self.users_path)

    def let_in(self, answer, identity, scheme=None):
        self.assertEqual((answer.verdict, answer.identity), ("OK", identity), answer)
        if scheme:
            self.assertEqual(answer.scheme, scheme)

    def refused(self, answer):
        self.assertEqual(answer.verdict, "REFUSED", answer)
        self.assertTrue(answer.lines, answer)

    def broken(self, answer):
        self.assertEqual(answer.verdict, "BROKEN", answer)
        self.assertIn("roxy-Authorization", answer.why)


class OpenTest(AcceptTest):
    def test_challenges_in_the_order_of_auth(self):
        door = Door(self.keyholder(auth="basic digest", more='realm = the "lab"\n', users=[
            "alice:" + SHA1, 'alice:the "lab":' + ha1("md5", realm='the "lab"'), 'bob:the "lab":' + ha1("sha256", realm='the "lab"')]))
        lines = door.opened.lines.splitlines()
        self.assertEqual([l.split()[0] for l in lines], ["Basic", "Digest", "Digest"])
        self.assertEqual(lines[0], r'Basic realm="the \"lab\"", charset="UTF-8"')
        self.assertRegex(lines[1], r'^Digest realm="the \\"lab\\"", qop="auth", algorithm=SHA-256, nonce="[0-9a-f]{64}", charset=UTF-8, userhash=true$')
        self.assertIn("algorithm=MD5", lines[2])

    def test_only_what_somebody_has_a_hash_for(self):
        k = self.keyholder(users=["alice:exeat:" + ha1("md5"), "alice:other:" + ha1("sha256", realm="other")])
        lines = Door(k).opened.lines.splitlines()
        self.assertEqual(len(lines), 1)
        self.assertIn("algorithm=MD5", lines[0])
        self.assertIn("no user has a hash for Basic; add users with exeat users add", k.log())

    def test_nobody_can_be_let_in(self):
        for users, mode, why, remedy in ((["# nobody"], 0o600, "No user has a hash", "exeat users add"), (USERS, 0o644, "chmod 600", "mend"),
                                         (USERS, 0o620, "chmod 600", "mend"), (["alice:in the clear"], 0o600, "No user has a hash", "exeat users add")):
            with self.subTest(why=why, mode=mode):
                k = self.keyholder(users=users, mode=mode)
                opened = Door(k).opened
                self.assertEqual(opened.verdict, "UNAVAILABLE")
                self.assertIn(why.lower(), opened.remedy.lower())
                self.assertIn(remedy, opened.remedy)
                self.assertNotIn(self.users_path, opened.why)  # which clients see
                self.assertIn("not in order", opened.why)

    def test_the_group_may_read(self):
        self.assertEqual(Door(self.keyholder(mode=0o640)).opened.verdict, "OK")

    def test_file_comes_and_goes(self):
        k = self.keyholder()
        door = Door(k)
        os.unlink(self.users_path)
        answer = door.step(basic("carol"))
        self.assertEqual(answer.verdict, "UNAVAILABLE")
        self.assertIn("No such file", answer.remedy)
        self.write_users(USERS)
        self.let_in(door.step(basic("carol")), "carol", "Basic")
        self.write_users([l for l in USERS if not l.startswith("carol")])
        self.refused(door.step(basic("carol")))

    def test_malformed_lines_are_said(self):
        k = self.keyholder(users=["alice:clear", "alice", ":x", "alice:exeat:12", "alice:0:x:y:[U]:z", "alice:" + SHA1, "alice:" + SHA1,
                                  "bob:" + SHA1, "x:$6$short", "eve:0:%s:%s:[DU  ]:L" % ("X" * 32, NT_HASH)])
        door = Door(k)
        self.refused(door.step(basic("alice")))
        self.let_in(door.step(basic("bob")), "bob")
        for words in ("line 1 holds no hash", "line 2 is not NAME:HASH", "line 3 names no user", "line 4 has a hash for Digest",
                      "line 5 has no NT hash", "lines 6 and 7 are for the same user", "line 9 has a hash that is cut short", "line 10 is of an account that is disabled"):
            self.assertIn(words, k.log())

    def test_no_such_gateway(self):
        k = self.keyholder()
        self.assertEqual(Door(k, "elsewhere").opened.verdict, "UNAVAILABLE")

    def test_named_gateway_has_its_own(self):
        k = self.keyholder(more="[gateway lab]\nlisten = 127.0.0.1:19\nrealm = lab\nauth = basic\n")
        self.assertEqual(Door(k, "lab").opened.lines, 'Basic realm="lab", charset="UTF-8"\n')

    def test_only_the_agent_may_ask(self):
        k = self.keyholder()
        other = k.login_link()
        other.begin("ACCEPT_OPEN", gateway="gateway")
        other.ask("STATUS", upstream="corp")
        self.assertEqual(other.answers, {})

    def test_unknown_context(self):
        k = self.keyholder()
        door = Door(k)
        door.close()
        self.assertEqual(door.step(basic("carol")).verdict, "UNAVAILABLE")

    def test_reload(self):
        k = self.keyholder()
        door = Door(k)
        old = DigestClient(door.opened.lines)
        self.assertEqual(k.ask("RELOAD").verdict, "OK")
        self.let_in(door.step(basic("carol")), "carol")
        answer = door.step(old.header())
        self.refused(answer)
        self.assertIn("stale=true", answer.lines)
        with open(k.config, encoding="utf-8") as f:
            text = f.read()
        with open(k.config, "w", encoding="utf-8") as f:
            f.write(text[:text.index("[gateway]")])
        self.assertEqual(k.ask("RELOAD").verdict, "OK")
        self.assertEqual(door.step(basic("carol")).verdict, "UNAVAILABLE")


class BasicTest(AcceptTest):
    auth = "basic"

    def test_each_form_of_hash(self):
        door = Door(self.keyholder())
        for user in ("alice", "bob", "carol", "dave", "alice", "dave"):
            self.let_in(door.step(basic(user)), user, "Basic")
            self.refused(door.step(basic(user, "password")))
            self.refused(door.step(basic(user, "")))

    def test_several_requests_and_no_binding(self):
        door = Door(self.keyholder())
        answer = door.step(basic("alice"))
        self.assertEqual(answer.flags & BINDS, 0)
        self.refused(door.step())
        self.let_in(door.step(basic("carol")), "carol")

    def test_unknown_users(self):
        door = Door(self.keyholder())
        for user in ("nobody", "Alice", "alice ", ""):
            answer = door.step(basic(user))
            self.refused(answer)
            self.assertEqual(answer.why, "Basic: the user is unknown or the password wrong.")

    def test_domain(self):
        door = Door(self.keyholder(more="domain = CORP\n"))
        self.let_in(door.step(basic("alice")), "CORP\\alice")

    def test_utf8(self):
        word = "p\u00e4ss\u20ac:word"
        door = Door(self.keyholder(users=["j\u00f6rg:{SHA}" + base64.b64encode(hashlib.sha1(word.encode()).digest()).decode()]))
        self.let_in(door.step(basic("j\u00f6rg", word)), "j\u00f6rg")
        self.refused(door.step("Basic " + base64.b64encode(("j\u00f6rg:" + word).encode("latin-1", "replace")).decode()))

    def test_malformed(self):
        door = Door(self.keyholder())
        for header in ("Basic", "Basic ", "Basic =", "Basic YQ", "Basic YTp", "Basic YT pi", "Basic Y", "Basic a:b", "Basic " + base64.b64encode(b"alice").decode(),
                       "Basic " + base64.b64encode(b"alice:a\0b").decode(), "Basic " + base64.b64encode(b"al\nice:Password").decode(),
                       "=", "(", ",", "\x7f", "B\u00e4sic x", "Basic\tYTpi", "Basic,YTpi", basic("alice") + ", Basic x"):
            with self.subTest(header=header):
                self.broken(door.step(header))
        self.let_in(door.step("bAsIc   " + basic("alice")[6:] + " "), "alice")

    def test_other_schemes_get_fresh_challenges(self):
        door = Door(self.keyholder())
        for header in ("Bearer abc", "Negotiate YII=", "NTLM TlRMTVNTUAAB", "Digest x=y"):
            answer = door.step(header)
            self.refused(answer)
            self.assertEqual((answer.get("delay", 0), answer.lines), (0, 'Basic realm="exeat", charset="UTF-8"\n'))

    def test_delays_by_account(self):
        k = self.keyholder()
        doors = [Door(k) for _ in range(3)]
        delays = [doors[i % 3].step(basic("ALICE" if i % 2 else "alice", "wrong")).delay for i in range(8)]
        self.assertEqual(delays, [500, 1000, 2000, 4000, 8000, 10000, 10000, 10000])
        self.assertEqual(doors[0].step(basic("carol", "wrong")).delay, 500)
        answer = doors[0].step(basic("alice"))
        self.let_in(answer, "alice")  # whatever others tried
        self.assertEqual(answer.get("delay", 0), 0)
        for i in range(600):  # the table has its bounds, and the last ones are in it
            doors[0].step(basic("user%d" % i, "wrong"))
        self.assertEqual(doors[0].step(basic("user599", "wrong")).delay, 1000)
        self.assertEqual(doors[0].step(basic("user0", "wrong")).delay, 500)

    def test_no_secret_in_the_log(self):
        k = self.keyholder(more="[log]\nlevel = debug\n")
        door = Door(k)
        door.step(basic("alice", "hunter2"))
        door.step(basic("alice"))
        self.assertNotIn("hunter2", k.log())
        self.assertNotIn(base64.b64encode(b"alice:hunter2").decode(), k.log())
        self.assertNotIn("$2y$", k.log())

    def test_slow_hashes_one_after_the_other(self):
        """More at once than are computed at once; some of them leave."""
        k = self.keyholder()
        doors = [Door(k) for _ in range(20)]
        calls = [door.begin(basic("alice", "wrong%d" % i)) for i, door in enumerate(doors)]
        for door in doors[::3]:
            door.close()
        for i, call in enumerate(calls):
            if i % 3:
                self.refused(k.end(call))
        self.let_in(Door(k).step(basic("alice")), "alice")

    def test_one_question_at_a_time(self):
        k = self.keyholder()
        door = Door(k)
        k.last_call += 2
        k.sock.sendall(b"".join(encode("ACCEPT_STEP", k.last_call - 1 + i, context=door.id, method="GET", target=TARGET, header=basic("alice"))
                                for i in range(2)))
        self.let_in(k.end(k.last_call - 1), "alice")
        self.assertEqual(k.end(k.last_call).verdict, "UNAVAILABLE")


class DigestTest(AcceptTest):
    auth = "digest"

    def test_both_algorithms(self):
        door = Door(self.keyholder())
        for algorithm in ("SHA-256", "MD5"):
            client = DigestClient(door.opened.lines, algorithm)
            for method, uri in (("GET", TARGET), ("CONNECT", "www.example:443")):
                answer = door.step(client.header(method=method, uri=uri), method, uri)
                self.let_in(answer, "alice", "Digest")
                self.assertEqual(answer.flags & BINDS, 0)

    def test_proof_of_ours(self):
        door = Door(self.keyholder())
        client = DigestClient(door.opened.lines)
        answer = door.step(client.header(cnonce='x"y'.replace('"', '')))
        ours = client.hash(client.hash("alice", "exeat", PASSWORD), client.nonce, "00000001", "xy", "auth", client.hash("", TARGET))
        self.assertEqual(answer.info, 'rspauth="%s", qop=auth, cnonce="xy", nc=00000001\n' % ours)

    def test_wrong(self):
        door = Door(self.keyholder())
        client = DigestClient(door.opened.lines)
        answer = door.step(client.header(password="wrong"))
        self.refused(answer)
        self.assertEqual(answer.delay, 500)
        self.assertNotIn("stale", answer.lines)
        self.refused(door.step(client.header(user="nobody")))
        self.refused(door.step(client.header(user="erin")))  # has only MD5
        self.let_in(door.step(DigestClient(door.opened.lines, "MD5").header(user="erin")), "erin")
        self.let_in(door.step(client.header()), "alice")

    def test_counts(self):
        door = Door(self.keyholder())
        client = DigestClient(door.opened.lines)
        for count in (1, 3, 2, 70, 20):
            self.let_in(door.step(client.header(count=count)), "alice")
        for count in (1, 3, 2, 70, 20, 4):
            answer = door.step(client.header(count=count))
            self.refused(answer)
            self.assertIn("stale=true", answer.lines)
            self.assertEqual((answer.get("delay", 0), answer.get("why", "")), (0, ""))  # no failure: the agent neither counts it nor slows it
        self.let_in(door.step(client.header(count=71)), "alice")
        self.let_in(door.step(client.header(count=0xffffffff)), "alice")
        self.broken(door.step(client.header(count=0)))

    def test_a_count_is_good_once_over_all_connections(self):
        k = self.keyholder()
        door, other = Door(k), Door(k)
        header = DigestClient(door.opened.lines).header()
        self.let_in(door.step(header), "alice")
        self.refused(other.step(header))

    def test_nonces_of_others(self):
        k = self.keyholder()
        door = Door(k)
        for nonce in ("0" * 64, "x", "f" * 64, "0" * 63):
            client = DigestClient(door.opened.lines)
            client.nonce = nonce
            answer = door.step(client.header())
            self.refused(answer)
            self.assertIn("stale=true", answer.lines)
        client = DigestClient(door.opened.lines)
        client.nonce = client.nonce[:-1] + ("0" if client.nonce[-1] != "0" else "1")
        self.refused(door.step(client.header()))
        client.nonce = "0"
        self.assertNotIn("stale", door.step(client.header(password="wrong")).lines)  # says nothing to who does not know the password

    def test_uri_must_be_the_target(self):
        door = Door(self.keyholder())
        client = DigestClient(door.opened.lines)
        self.let_in(door.step(client.header(uri="/a?b")), "alice")
        self.let_in(door.step(client.header(uri="/"), target="http://site.example"), "alice")
        self.let_in(door.step(client.header(uri="http://site.example/"), target="http://site.example"), "alice")
        for uri in ("http://site.example/a", "http://other.example/a?b", "/a", "/", "site.example:80"):
            self.broken(door.step(client.header(uri=uri)))
        self.broken(door.step(client.header(uri="/"), target="site.example:443"))
        self.refused(door.step(client.header(), method="POST"))

    def test_other_realms_and_algorithms(self):
        door = Door(self.keyholder())
        client = DigestClient(door.opened.lines)
        client.realm = "other"
        answer = door.step(client.header())
        self.refused(answer)
        self.assertEqual(answer.get("delay", 0), 0)
        client = DigestClient(door.opened.lines)
        for algorithm in ("SHA-512-256", "SHA-256-sess", "MD5-sess", "SHA-512-256-sess"):  # computed as it should be
            client.algorithm = algorithm
            answer = door.step(client.header())
            self.refused(answer)
            self.assertIn("another realm or algorithm", answer.why)
        md5 = DigestClient(door.opened.lines, "MD5").fields()
        del md5["algorithm"]
        self.let_in(door.step(client.text(md5)), "alice")

    def test_malformed(self):
        door = Door(self.keyholder())
        client = DigestClient(door.opened.lines)
        fields = client.fields()
        for name in fields:
            if name != "algorithm":
                left = {n: v for n, v in fields.items() if n != name}
                self.broken(door.step(client.text(left)))
            self.broken(door.step(client.text(fields) + ", %s=%s" % (name, fields[name])))
        for change in ({"qop": "auth-int"}, {"nc": "1"}, {"nc": "0000000g"}, {"nc": "000000001"}, {"response": '"12"'}, {"response": '"%s"' % ("g" * 64)},
                       {"cnonce": '""'}, {"cnonce": '"%s"' % ("c" * 2000)}, {"userhash": "true"}, {"username*": "UTF-8''alice"}, {"nonce": '"x'},
                       {"": "x"}, {"a b": "c"}):
            with self.subTest(change=change):
                self.broken(door.step(client.text({**fields, **change})))
        for header in ("Digest", "Digest x", "Digest ,", "Digest a=b c=d", client.text(fields) + ", Basic YTpi", client.text(fields) + " x", 'Digest "'):
            with self.subTest(header=header):
                self.broken(door.step(header))
        self.let_in(door.step(client.text(fields)), "alice")

    def offered(self, lines):
        return re.findall(r"algorithm=([^,]+),", lines)

    def test_which_hashes(self):
        """Those of the setting, in its order, as far as somebody has one; no other is taken, whatever the file holds."""
        users = USERS + ["alice:exeat:{SHA-512-256}" + ha1("sha512_256")]
        for setting, wanted in (("", ["SHA-256", "MD5"]), ("digest = md5 sha-256\n", ["MD5", "SHA-256"]), ("digest = md5\n", ["MD5"]),
                                ("digest = sha-512-256 md5\n", ["SHA-512-256", "MD5"])):
            door = Door(self.keyholder(more=setting, users=users))
            self.assertEqual(self.offered(door.opened.lines), wanted)
            client = DigestClient(door.opened.lines, wanted[0])
            for algorithm in ("MD5", "SHA-256", "SHA-512-256"):
                with self.subTest(setting=setting, algorithm=algorithm):
                    client.algorithm = algorithm
                    if algorithm in wanted:
                        self.let_in(door.step(client.header()), "alice", "Digest")
                    else:
                        self.refused(door.step(client.header()))
        k = self.keyholder(more="digest = sha-512-256\n")
        opened = Door(k).opened
        self.assertEqual(opened.verdict, "UNAVAILABLE")
        self.assertIn("of those that digest = offers", k.log())
        self.write_users(users)
        self.assertEqual(self.offered(Door(k).opened.lines), ["SHA-512-256"])

    def test_hidden_names(self):
        """A client may hide the name behind a hash; the log, the identity and the counting of wrong passwords have the name."""
        k = self.keyholder(users=USERS + ["alice:exeat:{SHA-512-256}" + ha1("sha512_256")], more="digest = sha-256 md5 sha-512-256\n")
        door = Door(k)
        for algorithm in ("SHA-256", "MD5", "SHA-512-256"):
            client = DigestClient(door.opened.lines, algorithm)
            self.let_in(door.step(client.hidden()), "alice", "Digest")
            fields = dict(client.fields(), username='"%s"' % client.hash("alice", "exeat").upper(), userhash="TRUE")
            self.let_in(door.step(client.text(fields)), "alice", "Digest")
            self.let_in(door.step(client.text(dict(client.fields(), userhash="false"))), "alice", "Digest")
        client = DigestClient(door.opened.lines)
        for wrong in (client.hidden(password="wrong"), client.header(password="wrong"), client.hidden(password="wrong")):
            answer = door.step(wrong)
            self.refused(answer)
            self.assertEqual(answer.identity, "alice")
        self.assertEqual(answer.delay, 2000)  # one account, by whatever name
        unknown = client.hidden(user="nobody")
        answer = door.step(unknown)
        self.refused(answer)
        self.assertEqual((answer.delay, answer.identity), (500, client.hash("nobody", "exeat")))
        self.refused(door.step(client.hidden(user="erin")))  # has only MD5
        for name in ("alice", "xyz", "", "0" * 65):
            self.broken(door.step(client.text(dict(client.fields(), username='"%s"' % name, userhash="true"))))
        fields = dict(client.fields(), userhash="true")
        del fields["username"]
        self.broken(door.step(client.text({"username*": "UTF-8''alice", **fields})))

    def test_extended_names(self):
        door = Door(self.keyholder(users=["j\u00f6rg:exeat:" + ha1("sha256", "j\u00f6rg")]))
        client = DigestClient(door.opened.lines)

        def fields(extended):
            all_of_them = client.fields(user="j\u00f6rg")
            del all_of_them["username"]
            return client.text({"username*": extended, **all_of_them})

        self.let_in(door.step(fields("UTF-8''j%C3%B6rg")), "j\u00f6rg")
        self.let_in(door.step(fields("utf-8'de'j%c3%b6rg")), "j\u00f6rg")
        for wrong in ("ISO-8859-1''j%F6rg", "UTF-8''j%C3%B", "UTF-8''j%00rg", "alice"):
            self.broken(door.step(fields(wrong)))


def token(header):
    return base64.b64decode(header.split(" ", 1)[1])


def field(scheme, data):
    return "%s %s" % (scheme, base64.b64encode(data).decode())


class GssTest(InRealm, AcceptTest):
    auth = "negotiate ntlm"

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.realm.kinit("FILE:%s/tickets" % cls.realm.directory, life="1h")

    def gate(self, more="", **how):
        return self.keyholder(more="keytab = %s\ndomain = CORP\n%s" % (self.realm.keytab, more), **how)

    def kerberos(self, mech=SPNEGO, only=None, **how):
        """A client with a ticket."""
        store = {"ccache": "FILE:%s/tickets" % self.realm.directory}
        creds = gssapi.Credentials(usage="initiate", mechs=[mech], store=store)
        name = gssapi.Name("HTTP/proxy.corp.example@CORP.EXAMPLE", gssapi.NameType.kerberos_principal)
        return gssapi.SecurityContext(name=name, creds=creds, mech=mech, usage="initiate",
                                      flags=gssapi.RequirementFlag.mutual_authentication, **how)

    def ntlm_client(self, mech=NTLM, user="CORP\\alice", password=PASSWORD, **how):
        name = gssapi.Name(user, gssapi.NameType.user)
        creds = gssapi.Credentials(name=name, mechs=[mech], usage="initiate", store={"ntlmssp_password": password, "ccache": "FILE:/nonexistent"})
        if mech == SPNEGO:
            gssapi.raw.set_neg_mechs(creds, [NTLM])
        return gssapi.SecurityContext(name=gssapi.Name("HTTP@proxy.corp.example", gssapi.NameType.hostbased_service), creds=creds, mech=mech,
                                      usage="initiate", flags=0, **how)

    def converse(self, door, client, scheme):
        """The last answer, and how many tokens went out."""
        answer, sent = None, 0
        data = client.step()
        while data is not None and sent < 6:
            answer = door.step(field(scheme, data))
            sent += 1
            if answer.verdict != "SEND":
                break
            self.assertEqual(answer.lines.count("\n"), 1)
            data = client.step(token(answer.lines.strip()))
        return answer, sent


KRB5 = gssapi.MechType.kerberos


class NegotiateTest(GssTest):
    def test_ticket(self):
        door = Door(self.gate())
        self.assertEqual(door.opened.lines, "Negotiate\nNTLM\n")
        client = self.kerberos()
        answer, sent = self.converse(door, client, "Negotiate")
        self.let_in(answer, "alice@CORP.EXAMPLE", "Negotiate (Kerberos)")
        self.assertEqual((sent, answer.flags & BINDS), (1, BINDS))
        self.assertTrue(0 < answer.until - time.time() <= 3600 + 300)
        client.step(token(answer.lines.strip()))  # raises where we cannot prove who we are
        self.assertTrue(client.complete)

    def test_bare_kerberos_token(self):
        answer, _ = self.converse(Door(self.gate()), self.kerberos(KRB5), "Negotiate")
        self.let_in(answer, "alice@CORP.EXAMPLE", "Negotiate (Kerberos)")

    def test_replay(self):
        k = self.gate()
        header = field("Negotiate", self.kerberos().step())
        self.let_in(Door(k).step(header), "alice@CORP.EXAMPLE")
        answer = Door(k).step(header)
        self.refused(answer)
        self.assertIn("replay", answer.why)
        self.assertTrue(os.path.exists(k.env["XDG_RUNTIME_DIR"] + "/exeat/replays"))
        k.restart()
        self.refused(Door(k).step(header))

    def test_again_on_the_same_connection(self):
        door = Door(self.gate())
        for _ in range(2):
            answer, _ = self.converse(door, self.kerberos(), "Negotiate")
            self.let_in(answer, "alice@CORP.EXAMPLE")

    def test_keys_of_other_services_let_nobody_in(self):
        self.realm.admin("addprinc -randkey host/proxy.corp.example")
        self.realm.admin("ktadd -k %s/both host/proxy.corp.example" % self.realm.directory)
        k = self.keyholder(more="keytab = %s/both\n" % self.realm.directory, users=None, auth="negotiate")
        opened = Door(k).opened
        self.assertEqual(opened.verdict, "UNAVAILABLE", opened)
        self.assertIn("HTTP", opened.remedy)

    def test_no_keytab(self):
        missing = self.realm.directory + "/later"
        k = self.keyholder(more="keytab = %s\n" % missing, users=None, auth="negotiate")
        opened = Door(k).opened
        self.assertEqual(opened.verdict, "UNAVAILABLE", opened)
        self.assertIn("Kerberos cannot be accepted", opened.remedy)
        self.assertNotIn("later", opened.why)
        with open(self.realm.keytab, "rb") as f, open(missing, "wb") as out:
            out.write(f.read())
        door = Door(k)
        self.assertEqual(door.opened.lines, "Negotiate\n")
        os.unlink(missing)
        answer = door.step(field("Negotiate", self.kerberos().step()))
        self.assertEqual(answer.verdict, "UNAVAILABLE", answer)

    def test_without_keytab_ntlm_goes_on(self):
        door = Door(self.keyholder(more="keytab = /nonexistent\ndomain = CORP\n"))
        self.assertEqual(door.opened.lines, "Negotiate\nNTLM\n")
        answer, _ = self.converse(door, self.ntlm_client(SPNEGO), "Negotiate")
        self.let_in(answer, "CORP\\alice", "Negotiate (NTLM)")

    def test_binding(self):
        k = self.gate()
        ours = b"\x07" * 32
        for data, good in ((ours, True), (b"\x08" * 32, False), (None, True)):
            bindings = data and gssapi.raw.ChannelBindings(application_data=b"tls-server-end-point:" + data)
            for client, scheme in ((self.kerberos(channel_bindings=bindings), "Negotiate"), (self.ntlm_client(channel_bindings=bindings), "NTLM")):
                answer, _ = self.converse(Door(k, binding=ours), client, scheme)
                self.assertEqual(answer.verdict, "OK" if good else "REFUSED", answer)

    def test_kerberos_alone_takes_no_ntlm(self):
        k = self.gate(auth="negotiate")
        for mech in (NTLM, SPNEGO):
            answer, _ = self.converse(Door(k), self.ntlm_client(mech), "Negotiate")
            self.assertEqual(answer.verdict, "REFUSED", answer)
        self.refused(Door(k).step(field("NTLM", ntlm.type1() + b"\x06\x01\0\0\0\0\0\x0f")))

    def test_names_of_nobody(self):
        """kinit gives tickets for WELLKNOWN/ANONYMOUS itself only with PKINIT; this one is of the same kind."""
        cache = "FILE:%s/anonymous" % self.realm.directory
        self.realm.admin("addprinc -pw Password WELLKNOWN/NOBODY")
        self.realm.kinit(cache, "WELLKNOWN/NOBODY")
        creds = gssapi.Credentials(usage="initiate", mechs=[KRB5], store={"ccache": cache})
        name = gssapi.Name("HTTP/proxy.corp.example@CORP.EXAMPLE", gssapi.NameType.kerberos_principal)
        client = gssapi.SecurityContext(name=name, creds=creds, mech=KRB5, usage="initiate")
        answer, _ = self.converse(Door(self.gate()), client, "Negotiate")
        self.refused(answer)
        self.assertIn("anonymous", answer.why)

    def test_malformed(self):
        door = Door(self.gate())
        good = self.kerberos().step()
        for header in ("Negotiate", "Negotiate !", "Negotiate YQ", "Negotiate YQ==", "Negotiate YII=", field("Negotiate", good[:-1]), field("Negotiate", good + b"x"),
                       field("Negotiate", b"`\x03\x06\x01\x01"), field("NTLM", good), field("NTLM", b"NTLMSSP\0"), field("Negotiate", b"NTLMSSP\0\2\0\0\0"),
                       field("Negotiate", good) + ", x=y", "Negotiate realm=\"x\""):
            with self.subTest(header=header[:60]):
                self.broken(door.step(header))
        self.let_in(door.step(field("Negotiate", good)), "alice@CORP.EXAMPLE")

    def test_tokens_out_of_turn(self):
        door = Door(self.gate())
        self.refused(door.step(field("Negotiate", ntlm.spnego_response(b"x"))))
        challenge = ntlm.type2(b"12345678")
        self.refused(door.step(field("NTLM", ntlm.type3(challenge, "alice", PASSWORD))))
        answer = door.step(field("NTLM", ntlm.type1() + b"\x06\x01\0\0\0\0\0\x0f"))
        self.assertEqual(answer.verdict, "SEND")
        self.refused(door.step(field("Negotiate", ntlm.type3(token(answer.lines.strip()), "alice", PASSWORD))))


class NtlmTest(GssTest):
    def raw(self, door, user="alice", password=PASSWORD, domain="CORP", scheme="NTLM", change=None):
        answer = door.step(field(scheme, ntlm.type1() + b"\x06\x01\0\0\0\0\0\x0f"))
        self.assertEqual(answer.verdict, "SEND", answer)
        message = ntlm.type3(token(answer.lines.strip()), user, password, domain)
        return door.step(field(scheme, change(message) if change else message))

    def test_real_client(self):
        k = self.gate()
        for mech, scheme, name in ((NTLM, "NTLM", "NTLM"), (NTLM, "Negotiate", "Negotiate (NTLM)"), (SPNEGO, "Negotiate", "Negotiate (NTLM)")):
            answer, sent = self.converse(Door(k), self.ntlm_client(mech), scheme)
            self.let_in(answer, "CORP\\alice", name)
            self.assertEqual(answer.flags & BINDS, BINDS)
            self.assertTrue(sent <= 3)
            wrong, _ = self.converse(Door(k), self.ntlm_client(mech, password="wrong"), scheme)
            self.refused(wrong)

    def test_names(self):
        k = self.gate(users=[smb("alice"), smb("OTHER\\bob"), smb("CORP\\carol")])
        for user, domain, identity in (("alice", "CORP", "CORP\\alice"), ("ALICE", "corp", "CORP\\alice"), ("alice", "", "CORP\\alice"),
                                       ("alice@corp.example", "", "CORP\\alice"), ("bob", "OTHER", "OTHER\\bob"), ("carol", "CORP", "CORP\\carol"),
                                       ("carol", "", "CORP\\carol"), ("alice", "ELSEWHERE", None), ("bob", "CORP", None), ("bob", "", None), ("nobody", "CORP", None)):
            with self.subTest(user=user, domain=domain):
                answer = self.raw(Door(k), user, domain=domain)
                self.assertEqual((answer.verdict, answer.get("identity")) if identity else answer.verdict, ("OK", identity) if identity else "REFUSED", answer)

    def test_wrong_is_counted(self):
        k = self.gate()
        self.assertEqual([self.raw(Door(k), password="wrong").delay for _ in range(3)], [500, 1000, 2000])
        self.assertEqual(self.raw(Door(k), user="nobody").delay, 500)
        self.let_in(self.raw(Door(k)), "CORP\\alice", "NTLM")

    def test_null_session(self):
        def anonymous(message):
            head = bytearray(message[:64])
            for at in (12, 20, 28, 36):
                head[at:at + 4] = b"\0" * 4
            return bytes(head) + message[64:]

        answer = self.raw(Door(self.gate()), change=anonymous)
        self.refused(answer)
        self.assertIn("null session", answer.why)

    def test_version_1(self):
        def old(message):
            head = bytearray(message[:64])
            head[20:24] = b"\x18\0\x18\0"
            return bytes(head) + message[64:]

        answer = self.raw(Door(self.gate()), change=old)
        self.refused(answer)
        self.assertIn("version 1", answer.why)

    def test_no_line_of_the_clients_own(self):
        """A name with colons must not become an account of the client's making."""
        k = self.gate()
        for user in ("eve:0:%s:%s:[U]:" % ("X" * 32, NT_HASH), "x\\alice", "alice:"):
            answer = self.raw(Door(k), user=user, domain="")
            self.refused(answer)
            self.assertEqual(answer.why, "NTLM: the user is unknown or the password wrong.")  # it goes no further
        self.broken(self.raw(Door(k), user="a" * 300))

    def test_malformed(self):
        k = self.gate()
        for change in (lambda m: m[:60], lambda m: m[:40] + b"\xff\xff\xff\x7f" + m[44:], lambda m: m[:36] + b"\x09\0" + m[38:],
                       lambda m: m[:8] + b"\2" + m[9:], lambda m: m[:20] + b"\x10\0\x10\0" + m[24:], lambda m: m[:24] + b"\xf0\xff\0\0" + m[28:]):
            self.broken(self.raw(Door(k), change=change))
        self.broken(Door(k).step(field("NTLM", ntlm.type1(ntlm.REQUEST_TARGET | ntlm.NTLM) + b"\0" * 8)))

    CURL = ntlm.OEM | ntlm.REQUEST_TARGET | ntlm.NTLM | ntlm.ALWAYS_SIGN | ntlm.EXTENDED

    def short(self, door, flags, user="alice", password=PASSWORD, mic=None, **how):
        """A first message without version; the second repeats the flags of the challenge, as curl's does."""
        first = ntlm.type1(flags)
        answer = door.step(field("NTLM", first))
        self.assertEqual(answer.verdict, "SEND", answer)
        challenge = token(answer.lines.strip())
        agreed, = struct.unpack_from("<I", challenge, 20)
        self.assertEqual(agreed & ntlm.UNICODE, flags & ntlm.UNICODE)
        return door.step(field("NTLM", ntlm.type3(challenge, user, password, flags=agreed, first=mic and mic(first), **how)))

    def test_code_page(self):
        """curl knows no Unicode, sends no version, and repeats the flag for one."""
        k = self.gate(users=[smb("alice"), smb("OTHER\\bob"), smb("J\u00fcrgen")])
        for user, domain, identity in (("alice", "CORP", "CORP\\alice"), ("ALICE", "", "CORP\\alice"), ("bob", "OTHER", "OTHER\\bob")):
            self.let_in(self.short(Door(k), self.CURL, user, domain=domain), identity, "NTLM")
        for user, password in (("alice", "wrong"), ("nobody", PASSWORD), ("bob", PASSWORD)):
            self.refused(self.short(Door(k), self.CURL, user, password))
        self.broken(self.short(Door(k), self.CURL, "J\u00fcrgen"))
        for user in ("eve:0:%s:%s:[U]:" % ("X" * 32, NT_HASH), "x\\alice", "alice:"):
            self.refused(self.short(Door(k), self.CURL, user, domain=""))
        self.let_in(self.short(Door(k), self.CURL & ~ntlm.OEM | ntlm.UNICODE), "CORP\\alice", "NTLM")
        self.let_in(self.short(Door(k), self.CURL & ~ntlm.OEM | ntlm.UNICODE, "J\u00fcrgen"), "CORP\\J\u00fcrgen", "NTLM")

    def test_mic_over_a_short_first_message(self):
        """Chromium sends both: the code covers the message as it came."""
        k = self.gate(users=[smb("alice"), smb("J\u00fcrgen")])
        for user in ("alice", "ALICE", "J\u00fcrgen"):
            self.let_in(self.short(Door(k), self.CURL | ntlm.UNICODE, user, mic=lambda first: first), "CORP\\" + ("alice" if user.isascii() else "J\u00fcrgen"), "NTLM")
        self.let_in(self.short(Door(k), self.CURL, mic=lambda first: first), "CORP\\alice", "NTLM")
        for mic, password in ((lambda first: first[:-1] + b"x", PASSWORD), (lambda first: first, "wrong")):
            self.refused(self.short(Door(k), self.CURL | ntlm.UNICODE, password=password, mic=mic))

    def test_users_change_at_once(self):
        k = self.gate()
        door = Door(k)
        self.let_in(self.raw(door), "CORP\\alice")
        self.write_users([smb("alice", ntlm.md4("other".encode("utf-16-le")).hex())])  # in lower case
        self.refused(self.raw(door))
        self.let_in(self.raw(door, password="other"), "CORP\\alice")

    def test_many_at_once(self):
        k = self.gate()
        doors = [Door(k) for _ in range(50)]
        first = [d.begin(field("NTLM", ntlm.type1() + b"\x06\x01\0\0\0\0\0\x0f")) for d in doors]
        second = []
        for i, (door, call) in enumerate(zip(doors, first)):
            challenge = token(k.end(call).lines.strip())
            second.append(door.begin(field("NTLM", ntlm.type3(challenge, "alice", PASSWORD if i % 2 else "wrong"))))
        for i, call in enumerate(second):
            self.assertEqual(k.end(call).verdict, "OK" if i % 2 else "REFUSED")

    def test_reload_ends_handshakes(self):
        k = self.gate()
        door = Door(k)
        answer = door.step(field("NTLM", ntlm.type1() + b"\x06\x01\0\0\0\0\0\x0f"))
        self.assertEqual(k.ask("RELOAD").verdict, "OK")
        self.refused(door.step(field("NTLM", ntlm.type3(token(answer.lines.strip()), "alice", PASSWORD))))
        self.let_in(self.raw(door), "CORP\\alice")

    def test_environment_is_not_asked(self):
        """Accounts of a file that the environment names are none of the gateway's."""
        path = self.realm.directory + "/elsewhere"
        with open(path, "w", encoding="utf-8") as f:
            f.write("CORP:eve:Password\n")
        k = self.gate(env={"NTLM_USER_FILE": path})
        self.refused(self.raw(Door(k), user="eve"))


class GeneratorTest(GssTest):
    auth = "negotiate ntlm digest basic"

    def seeds(self, door):
        client = DigestClient(door.opened.lines)
        challenge = ntlm.type2(b"12345678")
        return [basic("alice", "x"), client.header(password="wrong"), field("Negotiate", self.kerberos().step()[:-40]), field("NTLM", ntlm.type1()),
                field("NTLM", ntlm.type3(challenge, "alice", "wrong")), field("Negotiate", ntlm.spnego_response(ntlm.type3(challenge, "alice", "wrong"))),
                field("Negotiate", self.ntlm_client(SPNEGO).step()), "Bearer x"]

    def test_ten_thousand_malformed_fields(self):
        """Never let in, never gone."""
        k = self.gate(users=[l for l in USERS if "$" not in l])
        chance = random.Random(6)
        door = Door(k)
        seeds = self.seeds(door)
        verdicts = {}
        calls = []
        doors = [Door(k) for _ in range(50)]
        for i in range(10000):
            calls.append(doors[i % 50].begin(self.spoil(chance, chance.choice(seeds))))
            if i % 50 == 49:
                for call in calls:
                    verdict = k.end(call).verdict
                    verdicts[verdict] = verdicts.get(verdict, 0) + 1
                calls = []
        self.assertNotIn("OK", verdicts)
        self.assertLessEqual(set(verdicts), {"BROKEN", "REFUSED", "SEND"})
        self.assertGreater(verdicts["BROKEN"], 1000)
        self.let_in(Door(k).step(basic("carol")), "CORP\\carol")
        self.assertEqual(k.process.poll(), None)

    @staticmethod
    def spoil(chance, header):
        scheme, _, rest = header.partition(" ")
        if scheme in ("Negotiate", "NTLM", "Basic") and chance.random() < 0.7:
            data = bytearray(base64.b64decode(rest))
            for _ in range(chance.randint(1, 6)):
                at = chance.randrange(len(data)) if data else 0
                what = chance.randrange(4)
                if what == 0 and data:
                    data[at] = chance.choice((0, 1, 0x7f, 0x80, 0xff, chance.randrange(256)))
                elif what == 1:
                    del data[at:at + chance.randint(1, 40)]
                elif what == 2:
                    data[at:at] = bytes(chance.randrange(256) for _ in range(chance.randint(1, 20)))
                else:
                    data = data[:at]
            return "%s %s" % (scheme, base64.b64encode(bytes(data)).decode())
        text = list(header)
        for _ in range(chance.randint(1, 8)):
            at = chance.randrange(len(text) + 1)
            what = chance.randrange(3)
            if what == 0:
                text.insert(at, chance.choice('",=\\ ;:()\t\x01\x7f\u00e4aZ09'))
            elif what == 1 and at < len(text):
                del text[at]
            else:
                del text[at:at + chance.randint(1, 30)]
        return "".join(text) or "x"
