"""The program itself: bad frames, bad order, reload, a dead KDC, signals, and what a proxy may send."""
import base64
import contextlib
import os
import signal
import struct
import tempfile
import unittest

from keyholder import (BINDS, KNOCK, WAIT, Context, Keyholder, encode)
from plain import plain
from ports import port_of_both_kinds
from realm import Acceptor, NtlmAuthority, converse

BASIC = ["Basic realm=x"]


def type_2(flags=0xa2898205, name=b"", info=b"", name_at=56):
    payload = name + info
    return (b"NTLMSSP\0" + struct.pack("<IHHII", 2, len(name), len(name), name_at, flags) + b"12345678" + bytes(8) +
            struct.pack("<HHI", len(info), len(info), 56 + len(name)) + bytes([6, 1, 0, 0, 0, 0, 0, 15]) + payload)


class ProgramTest(unittest.TestCase):
    def setUp(self):
        fd, self.path = tempfile.mkstemp(prefix="exeat-password-")
        os.write(fd, b"Password\n")
        os.close(fd)
        self.addCleanup(os.unlink, self.path)

    def keyholder(self, auth="basic", user="CORP\\alice", secret=None, **kwargs):
        k = Keyholder("auth = %s\nbasic-in-clear = yes\nuser = %s\nsecret = %s\n" % (auth, user, secret or "file:" + self.path), **kwargs)
        self.addCleanup(lambda: k.process.poll() is None and k.finish())
        return k


class OthersMayRead(ProgramTest):
    def warned(self, mode, owner=None):
        os.chmod(self.path, mode)
        if owner:
            os.chown(self.path, owner, -1)
        k = self.keyholder()
        self.assertEqual(Context(k).challenged(BASIC).verdict, "SEND")
        warned = "others may read the password file " + self.path in k.log()
        self.assertEqual(k.finish(), 0)
        return warned

    def test_of_our_own(self):
        for mode, said in ((0o600, False), (0o640, True), (0o604, True)):
            self.assertEqual(self.warned(mode), said, oct(mode))

    @unittest.skipUnless(os.geteuid() == 0, "only root may give files away")
    def test_of_another_user(self):
        """As a volume of a cluster has it: root's, and of a group that is the agent's."""
        for mode, said in ((0o440, False), (0o460, True), (0o444, True)):
            self.assertEqual(self.warned(mode, 4321), said, oct(mode))


class Frames(ProgramTest):
    def test_garbage_from_the_agent_ends_the_conversation(self):
        for bad in (b"\0\0\0\0", b"\xff\xff\xff\xff", b"\0\0\0\5\x63\0\0\0\1", encode("AUTHORIZE", 1),
                    b"\0\0\0\5\x01\0\0\0\1"):
            k = self.keyholder()
            k.sock.sendall(bad)
            with self.assertRaises(EOFError):
                k.receive()
            self.assertEqual(k.process.wait(WAIT), 0)

    def test_garbage_from_a_login_ends_only_that(self):
        k = self.keyholder()
        login = k.login_link()
        login.sock.sendall(b"\xff" * 64)
        with self.assertRaises((EOFError, ConnectionResetError)):
            login.receive()
        self.assertEqual(Context(k).opened.verdict, "OK")

    def test_many_logins_wait_for_their_turn(self):
        k = self.keyholder()
        links = [k.login_link() for _ in range(16)]
        last = k.login_link()
        call = last.begin("STATUS", upstream="corp")
        links[0].sock.close()
        self.assertEqual(last.end(call).verdict, "OK")

    def test_a_message_in_pieces(self):
        k = self.keyholder()
        for byte in encode("STATUS", 1, upstream="corp"):
            k.sock.sendall(bytes([byte]))
        self.assertEqual(k.end(1).verdict, "OK")

    def test_end_of_file_and_sigterm(self):
        k = self.keyholder()
        Context(k).challenged(BASIC)
        self.assertEqual(k.finish(), 0)
        k = self.keyholder()
        k.ask("STATUS", upstream="corp")
        os.kill(k.process.pid, signal.SIGTERM)
        self.assertEqual(k.process.wait(WAIT), 0)

    def test_bad_configuration_is_said(self):
        k = self.keyholder(more="nonsense = 1\n")
        self.assertNotEqual(k.process.wait(WAIT), 0)
        self.assertIn("nonsense", k.log())


class Order(ProgramTest):
    def test_unknown_connections(self):
        k = self.keyholder()
        self.assertEqual(k.ask("AUTHORIZE", context=99, method="GET", target="x").verdict, "BROKEN")
        self.assertEqual(k.ask("CHALLENGED", context=99, method="GET", target="x", lines="NTLM\n").verdict, "BROKEN")
        self.assertEqual(k.ask("ACCEPTED", context=99).verdict, "BROKEN")
        k.tell("CLOSE", context=99)
        c = Context(k)
        c.close()
        c.close()
        self.assertEqual(c.authorize().verdict, "BROKEN")

    def test_only_configured_proxies(self):
        k = self.keyholder()
        for upstream, host, port in (("corp", "rogue.example", 8080), ("corp", k.proxy_host, 8081), ("x", k.proxy_host, 8080)):
            self.assertEqual(Context(k, upstream, host, port).opened.verdict, "UNAVAILABLE")

    def test_no_candidate_without_a_login(self):
        k = self.keyholder()
        self.assertEqual(Context(k, flags=16).opened.verdict, "UNAVAILABLE")

    def test_two_questions_at_once(self):
        k = self.keyholder(secret="command:read x < %s.go; echo fine" % self.path)
        os.mkfifo(self.path + ".go")
        self.addCleanup(os.unlink, self.path + ".go")
        c = Context(k)
        first = c.begin_challenged(BASIC)
        self.assertEqual(c.challenged(BASIC).verdict, "BROKEN")
        other = Context(k)  # closed while its question is parked
        other.begin_challenged(BASIC)
        other.close()
        with open(self.path + ".go", "w") as f:
            f.write("go\n")
        self.assertEqual(k.end(first).verdict, "SEND")

    def test_a_command_runs_once_for_all(self):
        k = self.keyholder(secret="command:echo run >> %s.runs; echo fine" % self.path)
        self.addCleanup(os.unlink, self.path + ".runs")
        contexts = [Context(k) for _ in range(20)]
        calls = [c.begin_challenged(BASIC) for c in contexts]
        while not k.answers:
            k._sort_one()
        done = [c for c, call in zip(contexts, calls) if call in k.answers]
        done[0].accepted()
        for call in calls:
            self.assertEqual(k.end(call).verdict, "SEND")
        with open(self.path + ".runs") as f:
            self.assertEqual(f.read(), "run\n")

    def test_nothing_leaks_into_a_command(self):
        k = self.keyholder(secret="command:ls /proc/self/fd | wc -l")
        a = Context(k).challenged(BASIC)
        # 0, 1, 2 and the directory that ls reads
        self.assertEqual(base64.b64decode(a.header[6:]).split(b":")[-1], b"4")


class Reload(ProgramTest):
    def test_another_user_is_another_generation(self):
        k = self.keyholder()
        c = Context(k)
        c.challenged(BASIC)
        c.accepted()
        k.configure("auth = basic\nbasic-in-clear = yes\nuser = bob\nsecret = file:%s\n" % self.path)
        self.assertEqual(k.ask("RELOAD").verdict, "OK")
        e = k.event("EVENT_GENERATION")
        self.assertEqual((e.upstream, e.generation), ("corp", 2))
        a = Context(k).challenged(BASIC)
        self.assertEqual(base64.b64decode(a.header[6:]), b"bob:Password")

    def test_the_same_is_the_same(self):
        k = self.keyholder()
        k.ask("RELOAD")
        self.assertEqual(Context(k).opened.generation, 1)

    def test_a_bad_one_changes_nothing(self):
        k = self.keyholder()
        k.ask("STATUS", upstream="corp")
        k.configure("auth = telepathy\n")
        a = k.ask("RELOAD")
        self.assertEqual(a.verdict, "UNAVAILABLE")
        self.assertIn("telepathy", a.why)
        self.assertEqual(Context(k).challenged(BASIC).verdict, "SEND")

    def test_an_upstream_that_goes(self):
        other = "[upstream other]\nproxy = http://other.example:1\nauth = basic\nbasic-in-clear = yes\nuser = x\nsecret = file:%s\n" % self.path
        k = self.keyholder(more=other)
        c = Context(k, "other", "other.example", 1)
        k.more = ""
        k.configure("auth = basic\nbasic-in-clear = yes\nuser = alice\nsecret = file:%s\n" % self.path)
        self.assertEqual(k.ask("RELOAD").verdict, "OK")
        self.assertEqual(c.challenged(BASIC).verdict, "BROKEN")
        self.assertEqual(Context(k, "other", "other.example", 1).opened.verdict, "UNAVAILABLE")
        k.more = other
        k.configure("auth = basic\nbasic-in-clear = yes\nuser = alice\nsecret = file:%s\n" % self.path)
        k.ask("RELOAD")
        self.assertEqual(Context(k, "other", "other.example", 1).challenged(BASIC).verdict, "SEND")

    def test_auth_none_answers_nothing(self):
        k = self.keyholder(auth="none")
        c = Context(k)
        self.assertEqual(c.authorize().header, "")
        self.assertEqual(c.challenged(BASIC).verdict, "UNAVAILABLE")


class HostileProxy(ProgramTest):
    def test_type_2_that_kills_the_library(self):
        """An empty target name with the flags that promise one: gss-ntlmssp 1.2.0 writes through NULL."""
        k = self.keyholder(auth="ntlm")
        killer = base64.b64encode(type_2()).decode()
        for scheme in ("NTLM",):
            c = Context(k)
            c.challenged([scheme])
            self.assertEqual(c.challenged([scheme + " " + killer]).verdict, "BROKEN")
        self.assertEqual(Context(k).challenged(["NTLM"]).verdict, "SEND")

    def test_the_same_inside_spnego(self):
        k = self.keyholder(auth="negotiate ntlm")
        inner = type_2()
        octets = b"\x04\x81" + bytes([len(inner)]) if len(inner) > 127 else b"\x04" + bytes([len(inner)])
        octets += inner
        body = b"\xa0\x03\x0a\x01\x01\xa1\x0c\x06\x0a\x2b\x06\x01\x04\x01\x82\x37\x02\x02\x0a\xa2" + bytes([len(octets)]) + octets
        token = b"\xa1" + bytes([len(body) + 2]) + b"\x30" + bytes([len(body)]) + body
        c = Context(k)
        a = c.challenged(["Negotiate"])
        self.assertEqual(a.flags, KNOCK | BINDS)
        a = c.challenged(["Negotiate " + base64.b64encode(token).decode()])
        self.assertEqual(a.verdict, "BROKEN")
        self.assertEqual(Context(k).challenged(["Negotiate"]).verdict, "SEND")

    def test_a_big_token(self):
        k = self.keyholder(auth="negotiate ntlm")
        c = Context(k)
        c.challenged(["Negotiate"])
        self.assertEqual(c.challenged(["Negotiate " + "QUJD" * 20000]).verdict, "BROKEN")

    def test_reject_token(self):
        k = self.keyholder(auth="negotiate ntlm")
        c = Context(k)
        c.challenged(["Negotiate"])
        reject = base64.b64encode(bytes.fromhex("a1073005a0030a0102")).decode()
        self.assertEqual(c.challenged(["Negotiate " + reject]).verdict, "BROKEN")  # no secret was shown yet
        self.assertEqual(Context(k).challenged(["Negotiate"]).verdict, "SEND")


@plain("most of its time is waiting")
class DeadKdc(ProgramTest):
    def test_only_those_who_need_it_wait(self):
        """A KDC that takes packets and says nothing: Kerberos requests end in a time-out, NTLM ones never notice."""
        authority = NtlmAuthority(("CORP.EXAMPLE", "alice", "Password"))
        self.addCleanup(authority.destroy)
        with tempfile.TemporaryDirectory() as d, contextlib.ExitStack() as stack:
            udp, tcp = (stack.enter_context(s) for s in port_of_both_kinds())
            port = udp.getsockname()[1]
            tcp.listen(16)
            with open(d + "/krb5.conf", "w") as f:
                f.write("[libdefaults]\ndns_lookup_kdc = false\ndns_canonicalize_hostname = false\n[realms]\n"
                        "CORP.EXAMPLE = {\n kdc = 127.0.0.1:%d\n}\n" % port)
            k = self.keyholder(auth="negotiate ntlm", user="alice@CORP.EXAMPLE", env={"KRB5_CONFIG": d + "/krb5.conf"},
                               more="kerberos = acquire\n[upstream other]\nproxy = http://other.example:1\nauth = ntlm\nuser = bob\nsecret = file:%s\n"
                                    % self.path)
            calls = [Context(k).begin_challenged(["Negotiate", "NTLM"]) for _ in range(40)]
            for _ in range(5):
                a = Context(k, "other", "other.example", 1).challenged(["NTLM"])
                self.assertEqual(a.verdict, "SEND")
            self.assertFalse(set(calls) & set(k.answers))
            for call in calls:
                a = k.end(call)
                self.assertEqual(a.verdict, "TIMEOUT")
                self.assertIn("Kerberos server", a.why)
            # When the library has given up too, what does not need the KDC goes on.
            while True:
                a = Context(k).challenged(["Negotiate", "NTLM"])
                if a.verdict != "TIMEOUT":
                    break
            self.assertEqual(a.verdict, "SEND")
            token = base64.b64decode(a.header.split()[1])
            self.assertIn(b"NTLMSSP\0\1", token)
            a, _ = converse(Context(k), Acceptor("NTLM"))
            self.assertIn(a.verdict, ("SEND", "RESTART"))


if __name__ == "__main__":
    unittest.main()
