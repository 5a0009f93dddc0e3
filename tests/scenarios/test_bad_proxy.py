"""Proxies that answer wrongly: 502 (or 504), the connection closed, and the agent lives on."""

import base64
import struct
import threading

import ntlm
import wire
from agent import wait_until
from base import AUTH, SITE, Scenario, corp
from behaviours import Canned, Endless, Flood, Hangup, SaysFirst, Silent
from gates import Digest, Ntlm, Negotiate, Basic
from proxy import Asks, Open, content
from wire import chunked, get

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

# Heads that are no answer to a GET.
WRONG = {
    "garbage": b"\0\1\2\3\4\r\n\r\n",
    "only LF": b"\n\n",
    "SSH": b"SSH-2.0-OpenSSH_9.2\r\n",
    "TLS alert": b"\x15\x03\x01\x00\x02\x02\x16",
    "HTML": b"<html>no head</html>\r\n\r\n",
    "HTTP/2.0": b"HTTP/2.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
    "HTTP/0.9": b"HTTP/0.9 200 OK\r\n\r\n",
    "ICY": b"ICY 200 OK\r\nContent-Length: 2\r\n\r\nok",
    "no status": b"HTTP/1.1\r\n\r\n",
    "status of two digits": b"HTTP/1.1 20 OK\r\nContent-Length: 2\r\n\r\nok",
    "status of four digits": b"HTTP/1.1 2000 OK\r\nContent-Length: 2\r\n\r\nok",
    "status in letters": b"HTTP/1.1 abc OK\r\nContent-Length: 2\r\n\r\nok",
    "status 0": b"HTTP/1.1 000 OK\r\nContent-Length: 2\r\n\r\nok",
    "both lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nokk",
    "list of lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 2, 3\r\n\r\nokk",
    "negative length": b"HTTP/1.1 200 OK\r\nContent-Length: -2\r\n\r\nok",
    "length that wraps": b"HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551618\r\n\r\nok",
    "chunked in HTTP/1.0": b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    "NUL in a field": b"HTTP/1.1 200 OK\r\nX-A: a\0b\r\nContent-Length: 2\r\n\r\nok",
    "bare CR in a field": b"HTTP/1.1 200 OK\r\nX-A: a\rb\r\nContent-Length: 2\r\n\r\nok",
    "space before the colon": b"HTTP/1.1 200 OK\r\nX-A : a\r\nContent-Length: 2\r\n\r\nok",
    "line without colon": b"HTTP/1.1 200 OK\r\nnonsense\r\nContent-Length: 2\r\n\r\nok",
    "space before the first field": b"HTTP/1.1 200 OK\r\n X-A: a\r\nContent-Length: 2\r\n\r\nok",
    "end within the head": b"HTTP/1.1 200 OK\r\nContent-Le",
    "nothing": b"",
    "1xx and no more": b"HTTP/1.1 100 Continue\r\n\r\n",
    "407 and nothing to answer": b"HTTP/1.1 407 Ask\r\nContent-Length: 0\r\n\r\n",
}

# Challenges that nobody can answer.
CHALLENGES = ["", "=", ",,,", "Basic realm=\"open", "NTLM ====", "NTLM %%%%", "Digest", "Digest nonce=x", "Digest realm=\"a\"", "Digest realm=\"a\", nonce=\"b\", nonce=\"c\"",
              "Digest realm=\"a\", nonce=\"b\", algorithm=WHAT", "Digest realm=\"a\", nonce=\"b\", qop=\"what\"", "Negotiate !!!!", "\"Basic\"", "NTLM\tTlRM", "é", "Digest " + "a=b, " * 20000]


class Answers(Scenario):
    def test_wrong_answers(self):
        switch = {}

        def serve(conn, request):
            conn.send(switch["data"])
            return not switch["close"]
        proxy, agent = self.both(Canned(serve), corp("ntlm"))
        for name, data in WRONG.items():
            for method in ("GET", "CONNECT"):
                with self.subTest(name, method=method):
                    switch.update(data=data, close=True)
                    before = len(proxy.requests)
                    if method == "GET":
                        self.own(self.ask(agent), 502)
                    elif name not in ("both lengths", "two lengths", "list of lengths", "negative length", "length that wraps", "chunked in HTTP/1.0"):
                        self.own(self.tunnel(agent, expect=502), 502)
                    self.assertLessEqual(len(proxy.requests) - before, 2)
                    switch.update(data=OK, close=False)
                    self.assertEqual(self.ask(agent).body, b"ok")

    def test_hangs_up(self):
        _, agent = self.both(Hangup())
        self.own(self.ask(agent), 502)
        self.own(self.ask(agent, method="POST", body=content(1000000)), 502)
        self.own(self.tunnel(agent, expect=502), 502)

    def test_speaks_first(self):
        for data in (OK, b"220 mail.example ESMTP\r\n", b"HTTP/1.1 400 Bad\r\nContent-Length: 0\r\n\r\n"):
            with self.subTest(data):
                _, agent = self.both(SaysFirst(data))
                answer = self.ask(agent)
                self.assertIn(answer.status, (502, 200, 400))
                self.assertIsNone(agent.process.poll())

    def test_silence(self):
        behaviour = Silent()
        proxy, agent = self.both(behaviour, "auth = none\nanswer-timeout = 1s")
        self.own(self.ask(agent), 504, "http_response_timeout")
        self.own(self.tunnel(agent, expect=504), 504)
        behaviour.release.set()

    def test_silence_in_mid_handshake(self):
        gate = Ntlm()
        behaviour = Asks(gate, hold=threading.Event())
        proxy, agent = self.both(behaviour, corp("ntlm", more="answer-timeout = 1s"))
        self.own(self.ask(agent), 504)
        behaviour.hold.set()
        agent.configure(proxy.upstream(corp("ntlm")))  # the limit has done its work
        agent.reload()
        self.assertEqual(self.ask(agent).status, 200)  # silence is no refusal

    def test_flood_of_interim_answers(self):
        for version in ("1.1", "1.0"):
            with self.subTest(version):
                _, agent = self.both(Flood(20000))
                client = self.wire(agent)
                before = agent.rss("VmHWM")
                answer = client.ask(get(SITE + "/bytes/5", version=version))
                self.assertIn(answer.status, (200, 502))
                self.assertLess(agent.rss("VmHWM") - before, 20000)
                self.assertIsNone(agent.process.poll())

    def test_bad_chunks_end_the_client_connection(self):
        for body in (b"zz\r\n", b"5\r\nhelloX", b"FFFFFFFFFFFFFFFFF\r\n", b"5\nhello\n0\n\n", b"5;" + b"a" * 5000 + b"\r\nhello\r\n0\r\n\r\n",
                     b"5\r\nhello\r\n0\r\nbad trailer\r\n\r\n"):
            with self.subTest(body[:30]):
                _, agent = self.both(Canned(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + body))
                client = self.wire(agent)
                client.send(get(SITE + "/"))
                try:
                    answer = client.read_response(allow_short=True)
                except ConnectionResetError:
                    continue
                self.assertTrue(not answer.complete or answer.status == 502)

    def test_endless_trailers(self):
        _, agent = self.both(Endless(50000000, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX-A: "))
        client = self.wire(agent)
        before = agent.rss("VmHWM")
        client.send(get(SITE + "/"))
        try:
            self.assertFalse(client.read_response(allow_short=True).complete)
        except (ConnectionResetError, wire.WireError):
            pass
        self.assertLess(agent.rss("VmHWM") - before, 20000)

    def test_endless_head(self):
        behaviour = Endless(50000000, b"HTTP/1.1 200 OK\r\nX-A: ")
        _, agent = self.both(behaviour)
        before = agent.rss("VmHWM")
        self.own(self.ask(agent), 502)
        self.assertLess(agent.rss("VmHWM") - before, 20000)
        self.assertLess(behaviour.sent, 50000000)


class Challenges(Scenario):
    def test_malformed(self):
        lines = {}

        def serve(conn, request):
            conn.answer(407, b"", ["Proxy-Authenticate: " + lines["value"]])
            return True
        proxy, agent = self.both(Canned(serve), corp("ntlm digest basic", "alice"))
        keys = wait_until(agent.keys_pid, "the keyholder")
        for value in CHALLENGES:
            with self.subTest(value[:60]):
                before = len(proxy.requests)
                lines["value"] = value.encode("utf-8").decode("latin-1")
                self.own(self.ask(agent), 502)
                self.assertLessEqual(len(proxy.requests) - before, 4)
        self.assertEqual(agent.keys_pid(), keys)

    def test_many_challenges(self):
        lines = ["Proxy-Authenticate: Scheme%d realm=\"x\"" % i for i in range(900)] + ["Proxy-Authenticate: Basic realm=\"x\""]
        gate = Basic()
        gate.challenges = lambda: [line.split(": ", 1)[1] for line in lines]
        _, agent = self.both(Asks(gate), corp("basic", "alice"))
        self.assertIn(self.ask(agent).status, (200, 502))
        self.assertIsNone(agent.process.poll())

    def test_page_of_ten_megabytes(self):
        for framing in ("length", "chunked", "close"):
            with self.subTest(framing):
                _, agent = self.both(Asks(Basic(), page=content(10000000), framing=framing), corp("basic", "alice"))
                before = agent.rss("VmHWM")
                self.assertIn(self.ask(agent).status, (200, 502))
                self.assertLess(agent.rss("VmHWM") - before, 8000)

    def test_endless_page(self):
        for field in (b"Connection: close", b"Content-Length: 99999999999"):
            with self.subTest(field):
                behaviour = Endless(200000000, b"HTTP/1.1 407 Ask\r\nProxy-Authenticate: NTLM\r\n" + field + b"\r\n\r\n")
                proxy, agent = self.both(behaviour, corp("ntlm"))
                self.own(self.ask(agent), 502)
                proxy.wait(lambda: all(conn.ended_by_peer.is_set() for conn in proxy.connections))
                self.assertLess(behaviour.sent, 200000000)

    def test_always_stale(self):
        class Always(Digest):
            def check(self, conn, request, value, names):
                return self._stale()
        gate = Always()
        proxy, agent = self.both(Asks(gate), corp("digest", "alice"))
        self.own(self.ask(agent), 502)
        self.assertLess(len(proxy.requests), 8)

    def test_handshake_without_an_end(self):
        class Again(Ntlm):
            def check(self, conn, request, value, names):
                self.firsts += 1
                return "more", ["%s: NTLM %s" % (names.challenge, base64.b64encode(ntlm.type2(b"12345678")).decode())]
        gate = Again()
        proxy, agent = self.both(Asks(gate), corp("ntlm"))
        self.own(self.ask(agent), 502)
        self.assertLess(len(proxy.requests), 8)


def _patched(offset, fmt, *values, **options):
    message = bytearray(ntlm.type2(b"12345678", **options))
    struct.pack_into(fmt, message, offset, *values)
    return bytes(message)


# Type 2 messages that must not reach a library, or that it must refuse; none may cost the password.
TYPE2 = {
    "empty target name, domain": ntlm.type2(b"12345678", target=""),
    "empty target name, server": ntlm.type2(b"12345678", target="", flags=ntlm.TYPE2_FLAGS & ~ntlm.TARGET_DOMAIN | ntlm.TARGET_SERVER),
    "empty target name by length": ntlm.type2(b"12345678", target_length=0),
    "signature only": ntlm.SIGNATURE,
    "cut short": ntlm.type2(b"12345678")[:40],
    "Type 1": ntlm.type1(),
    "Type 3": ntlm.type3(ntlm.type2(b"12345678"), "eve", "x"),
    "Type 7": _patched(8, "<I", 7),
    "target name outside": _patched(12, "<HHI", 8, 8, 0xFFFFFFF0),
    "target name beyond the end": _patched(12, "<HHI", 8, 8, 5000),
    "odd target name": _patched(12, "<HHI", 7, 7, 56),
    "target info outside": _patched(40, "<HHI", 100, 100, 0xFFFFFFF0),
    "target info beyond the end": _patched(40, "<HHI", 60000, 60000, 64),
    "target info without an end": ntlm.type2(b"12345678")[:-4] + b"\1\0\xff\xff",
    "pair longer than the list": ntlm.type2(b"12345678", pairs=[])[:-4] + b"\2\0\xf0\0",
    "no NTLM": b"\x60\x06\x06\x04\x2a\x03\x04\x05",
    "zeros": b"\0" * 100,
}


class Tokens(Scenario):
    def check_tokens(self, wrap):
        for scheme, kind in (("ntlm", Ntlm), ("negotiate", None)):
            class Feeds(Ntlm):
                def check(self, conn, request, value, names):
                    data = base64.b64decode(value)
                    if ntlm.kind(ntlm.find(data)) == 3:
                        self.count(False)
                        return "no", []
                    return "more", ["%s: %s %s" % (names.challenge, self.scheme, base64.b64encode(self.type2).decode())]
            gate = Feeds(scheme="Negotiate" if kind is None else "NTLM")
            honest = Negotiate() if kind is None else Ntlm()
            behaviour = Asks(gate)
            proxy, agent = self.both(behaviour, corp(AUTH[scheme]))
            keys = wait_until(agent.keys_pid, "the keyholder")
            for name, token in TYPE2.items():
                with self.subTest(name, scheme=scheme, wrap=wrap):
                    gate.type2 = ntlm.spnego_response(token) if wrap else token
                    before = len(proxy.requests)
                    self.own(self.ask(agent), 502)
                    self.assertEqual(gate.attempts, 0, "it answered with the password")
                    self.assertLess(len(proxy.requests) - before, 8)
                    self.assertEqual(agent.keys_pid(), keys, "the keyholder died")
            behaviour.gates = (honest,)
            self.assertEqual(self.ask(agent).status, 200)

    def test_raw(self):
        self.check_tokens(False)

    def test_in_spnego(self):
        self.check_tokens(True)

    def test_odd_spnego(self):
        odd = [b"\xa1", b"\xa1\x84\xff\xff\xff\xff", b"\xa1\x80\x00\x00", b"\xa1\x03\x30\x01\xa0", ntlm.der(0xA1, ntlm.der(0x30, ntlm.der(0xA0, ntlm.der(0x0A, b"\x09")))),
               ntlm.spnego_response(b"", 2), ntlm.spnego_response(b"", 1, ntlm.OID_KRB5), ntlm.spnego_response(ntlm.type2(b"12345678"), 1, ntlm.OID_KRB5),
               b"\xa1" * 2000, ntlm.der(0xA1, b"\x30" + b"\x84\x00\x00\x00\x02" + b"ab"), ntlm.spnego_response(b"A" * 70000)]
        for token in odd:
            with self.subTest(token[:16].hex()):
                class Feeds(Ntlm):
                    scheme = "Negotiate"

                    def check(self, conn, request, value, names):
                        return "more", ["%s: Negotiate %s" % (names.challenge, base64.b64encode(token).decode())]
                proxy, agent = self.both(Asks(Feeds()), corp("negotiate ntlm"))
                keys = wait_until(agent.keys_pid, "the keyholder")
                self.own(self.ask(agent), 502)
                self.assertEqual(agent.keys_pid(), keys)
                self.assertLess(len(proxy.requests), 8)


class FirstLeg(Scenario):
    """Sites that the proxy exempts from authentication: the first leg already gets the site's answer."""

    def exempting(self, **options):
        class Exempts(Asks):
            def handle(self, conn, request):
                if "exempt.example" in request.target:
                    return self.then.handle(conn, request)
                return super().handle(conn, request)
        proxy, agent = self.both(Exempts(Ntlm(), **options), corp("ntlm"))
        self.assertEqual(self.ask(agent).status, 200)
        proxy.drop_all()
        del proxy.requests[:]
        return proxy, agent

    def test_get(self):
        _, agent = self.exempting()
        self.assertEqual(self.ask(agent, "/bytes/3000", host="exempt.example").body, content(3000))

    def test_post_is_sent_once_and_whole(self):
        for body, fields in ((content(70), ()), (content(700000), ()), (chunked(content(300000)), ("Transfer-Encoding: chunked",))):
            with self.subTest(len(body)):
                proxy, agent = self.exempting()
                answer = self.ask(agent, "/echo", *fields, host="exempt.example", method="POST", body=body)
                self.assertEqual(answer.status, 200, answer.text)
                posts = [r for r in proxy.requests if r.method == "POST"]
                self.assertEqual([len(r.body) for r in posts], [300000 if fields else len(body)])

    def test_endless_answer_to_the_first_leg(self):
        """What a GET would have got is not read for ever only because a POST wants to go there."""
        endless = Endless(200000000, b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n")

        class Site(Open):
            def handle(self, conn, request):
                return (endless if "/endless" in request.target and request.method == "GET" else super()).handle(conn, request)
        proxy, agent = self.exempting(then=Site())
        answer = self.ask(agent, "/endless", host="exempt.example", method="POST", body=content(100000))
        self.assertEqual(answer.status, 200, answer.text)
        self.assertEqual([len(r.body) for r in proxy.requests if r.method == "POST"], [100000])
        proxy.wait(lambda: sum(1 for conn in proxy.connections if not conn.ended_by_peer.is_set()) <= 1)
        self.assertLess(endless.sent, 200000000)

    def test_connect(self):
        _, agent = self.exempting()
        self.echoes(self.tunnel(agent, "exempt.example:443"))
