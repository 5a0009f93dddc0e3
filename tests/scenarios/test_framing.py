"""Heads and bodies that RFC 9112 calls wrong or ambiguous: refused with a status, the connection closed, nothing of them forwarded."""

import agent as lib_agent
import wire
from base import SITE, Scenario
from proxy import Open, Proxy
from wire import Wire, get

HOST = "Host: site.example\r\n"
POST = "POST " + SITE + "/echo HTTP/1.1\r\n" + HOST


def head(*lines, first="GET " + SITE + "/echo HTTP/1.1"):
    return "\r\n".join([first, "Host: site.example", *lines]) + "\r\n\r\n"


# name: (bytes, statuses that are right)
REFUSED = {
    "both lengths": (POST + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", {400}),
    "both lengths, other order": (POST + "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n", {400}),
    "two lengths": (POST + "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!", {400}),
    "two equal lengths": (POST + "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello", {400}),
    "list of lengths": (POST + "Content-Length: 5, 6\r\n\r\nhello", {400}),
    "list of equal lengths": (POST + "Content-Length: 5, 5\r\n\r\nhello", {400}),
    "negative length": (POST + "Content-Length: -5\r\n\r\nhello", {400}),
    "length with a sign": (POST + "Content-Length: +5\r\n\r\nhello", {400}),
    "length in hex": (POST + "Content-Length: 0x5\r\n\r\nhello", {400}),
    "length with a space in it": (POST + "Content-Length: 1 0\r\n\r\n0123456789", {400}),
    "empty length": (POST + "Content-Length: \r\n\r\n", {400}),
    "length too large": (POST + "Content-Length: 99999999999999999999\r\n\r\n", {400, 413}),
    "length that wraps": (POST + "Content-Length: 18446744073709551621\r\n\r\nhello", {400, 413}),
    "coding twice": (POST + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", {400}),
    "chunked twice": (POST + "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n", {400}),
    "chunked not last": (POST + "Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n", {400, 501}),
    "another coding first": (POST + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", {400, 501}),
    "another coding": (POST + "Transfer-Encoding: gzip\r\n\r\n", {400, 501}),
    "identity": (POST + "Transfer-Encoding: identity\r\nContent-Length: 5\r\n\r\nhello", {400, 501}),
    "chunked with a parameter": (POST + "Transfer-Encoding: chunked;a=b\r\n\r\n0\r\n\r\n", {400, 501}),
    "chunked with a vertical tab": (POST + "Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n", {400, 501}),
    "chunked in quotes": (POST + "Transfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n", {400, 501}),
    "xchunked": (POST + "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", {400, 501}),
    "empty coding": (POST + "Transfer-Encoding:\r\nContent-Length: 5\r\n\r\nhello", {400, 501}),
    "coding in HTTP/1.0": ("POST " + SITE + "/echo HTTP/1.0\r\n" + HOST + "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", {400}),
    "bare CR in a value": (head("X-A: a\rb"), {400}),
    "bare CR as line end": ("GET " + SITE + "/echo HTTP/1.1\r" + HOST + "\r\n", {400}),
    "bare LF as line end": ("GET " + SITE + "/echo HTTP/1.1\n" + HOST + "\r\n", {400}),
    "bare LF in the fields": (head("X-A: a\nX-B: b"), {400}),
    "bare LF at the end": ("GET " + SITE + "/echo HTTP/1.1\r\nHost: site.example\n\n", {400}),
    "bare LF only": ("GET " + SITE + "/echo HTTP/1.1\nHost: site.example\n\n", {400}),
    "NUL in a value": (head("X-A: a\0b"), {400}),
    "NUL in a name": (head("X-\0A: b"), {400}),
    "NUL in the target": (head(first="GET " + SITE + "/\0 HTTP/1.1"), {400}),
    "control character in a value": (head("X-A: a\x01b"), {400}),
    "DEL in a value": (head("X-A: a\x7fb"), {400}),
    "obs-fold": (head("X-A: a", " b"), {400}),
    "obs-fold with a tab": (head("X-A: a", "\tb"), {400}),
    "folded length": (POST + "Content-Length:\r\n 5\r\n\r\nhello", {400}),
    "space before the colon": (head("X-A : b"), {400}),
    "space before the colon of a length": (POST + "Content-Length : 5\r\n\r\nhello", {400}),
    "space before the first field": ("GET " + SITE + "/echo HTTP/1.1\r\n " + HOST + "\r\n", {400}),
    "no colon": (head("nonsense"), {400}),
    "empty name": (head(": b"), {400}),
    "name with a slash": (head("X/A: b"), {400}),
    "name in brackets": (head("X[A]: b"), {400}),
    "name in UTF-8": (head("X-\xc3\xa9: b"), {400}),
    "method with a bracket": (head(first="GE(T " + SITE + "/echo HTTP/1.1"), {400}),
    "method with a colon": (head(first="GET: " + SITE + "/echo HTTP/1.1"), {400}),
    "no method": (head(first=" " + SITE + "/echo HTTP/1.1"), {400}),
    "two spaces behind the method": (head(first="GET  " + SITE + "/echo HTTP/1.1"), {400}),
    "two spaces before the version": (head(first="GET " + SITE + "/echo  HTTP/1.1"), {400}),
    "tab behind the method": (head(first="GET\t" + SITE + "/echo HTTP/1.1"), {400}),
    "space in the target": (head(first="GET " + SITE + "/a b HTTP/1.1"), {400}),
    "space behind the version": (head(first="GET " + SITE + "/echo HTTP/1.1 "), {400}),
    "no version": (head(first="GET " + SITE + "/echo"), {400, 505}),
    "small letters in the version": (head(first="GET " + SITE + "/echo http/1.1"), {400, 505}),
    "HTTP/2.0": (head(first="GET " + SITE + "/echo HTTP/2.0"), {400, 505}),
    "HTTP/0.9": (head(first="GET " + SITE + "/echo HTTP/0.9"), {400, 505}),
    "HTTP/1.10": (head(first="GET " + SITE + "/echo HTTP/1.10"), {400, 505}),
    "a TLS hello": ("\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03" + "\x20" * 50 + "\r\n\r\n", {400}),
    "the preface of HTTP/2": ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", {400, 505}),
    "no Host": ("GET " + SITE + "/echo HTTP/1.1\r\n\r\n", {400}),
    "two Hosts": (head("Host: site.example"), {400}),
    "two different Hosts": (head("host: other.example"), {400}),
    "Host with a space": ("GET " + SITE + "/echo HTTP/1.1\r\nHost: site .example\r\n\r\n", {400}),
    "Host with a path": ("GET " + SITE + "/echo HTTP/1.1\r\nHost: site.example/echo\r\n\r\n", {400}),
    "Host with user information": ("GET " + SITE + "/echo HTTP/1.1\r\nHost: a@site.example\r\n\r\n", {400}),
    "user information in the target": (head(first="GET http://a:b@site.example/ HTTP/1.1"), {400}),
    "fragment in the target": (head(first="GET " + SITE + "/#x HTTP/1.1"), {400}),
    "no host in the target": (head(first="GET http:///echo HTTP/1.1"), {400}),
    "port 0": (head(first="GET http://site.example:0/ HTTP/1.1"), {400}),
    "port too large": (head(first="GET http://site.example:65536/ HTTP/1.1"), {400}),
    "port in letters": (head(first="GET http://site.example:http/ HTTP/1.1"), {400}),
    "IPv6 without brackets": (head(first="GET http://2001:db8::1/ HTTP/1.1"), {400}),
    "IPv6 without an end": (head(first="GET http://[2001:db8::1/ HTTP/1.1"), {400}),
    "IPv6 with a zone": (head(first="GET http://[fe80::1%25eth0]/ HTTP/1.1"), {400}),
    "https in absolute form": (head(first="GET https://site.example/ HTTP/1.1"), {400}),
    "another scheme": (head(first="GET gopher://site.example/ HTTP/1.1"), {400, 501}),
    "CONNECT without a port": ("CONNECT site.example HTTP/1.1\r\nHost: site.example\r\n\r\n", {400}),
    "CONNECT with a path": ("CONNECT site.example:443/ HTTP/1.1\r\nHost: site.example\r\n\r\n", {400}),
    "CONNECT in absolute form": ("CONNECT http://site.example:443/ HTTP/1.1\r\nHost: site.example\r\n\r\n", {400}),
    "CONNECT to port 0": ("CONNECT site.example:0 HTTP/1.1\r\nHost: site.example\r\n\r\n", {400}),
    "CONNECT with a body": ("CONNECT site.example:443 HTTP/1.1\r\nHost: site.example\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", {400}),
    "asterisk": ("OPTIONS * HTTP/1.1\r\n" + HOST + "\r\n", {200, 400, 404, 501}),
}

# The head is good and goes up; what follows is not.
BAD_CHUNKS = {
    "no number": "zz\r\nhello\r\n0\r\n\r\n",
    "empty size": "\r\nhello\r\n0\r\n\r\n",
    "negative": "-5\r\nhello\r\n0\r\n\r\n",
    "prefix": "0x5\r\nhello\r\n0\r\n\r\n",
    "sign": "+5\r\nhello\r\n0\r\n\r\n",
    "space before": " 5\r\nhello\r\n0\r\n\r\n",
    "underscore": "0_5\r\nhello\r\n0\r\n\r\n",
    "overflow": "10000000000000005\r\nhello\r\n0\r\n\r\n",
    "size line ends in LF": "5\nhello\r\n0\r\n\r\n",
    "size line ends in CR": "5\rhello\r\n0\r\n\r\n",
    "data too long": "5\r\nhello!\r\n0\r\n\r\n",
    "data too short": "5\r\nhell\r\n0\r\n\r\n\r\n",
    "data ends in LF": "5\r\nhello\n0\r\n\r\n",
    "LF in an extension": "5;a=\n\r\nhello\r\n0\r\n\r\n",
    "extension too long": "5;" + "a" * 2000 + "\r\nhello\r\n0\r\n\r\n",
    "extensions too long": ("1;" + "a" * 900 + "\r\nx\r\n") * 40 + "0\r\n\r\n",
    "trailer without a colon": "5\r\nhello\r\n0\r\nnonsense\r\n\r\n",
    "trailer with a space before the colon": "5\r\nhello\r\n0\r\nX-A : b\r\n\r\n",
    "trailer line ends in LF": "5\r\nhello\r\n0\r\nX-A: b\n\r\n",
    "trailer with a NUL": "5\r\nhello\r\n0\r\nX-A: \0\r\n\r\n",
    "end line in LF": "5\r\nhello\r\n0\n\n",
}


class Framing(Scenario):
    """One agent and one proxy for the whole table: each row must leave them well."""

    @classmethod
    def setUpClass(cls):
        cls.proxy_ = Proxy(Open())
        cls.proxy_.__enter__()
        cls.agent_ = lib_agent.Agent(cls.proxy_.upstream())

    @classmethod
    def tearDownClass(cls):
        cls.agent_.__exit__(None, None, None)
        cls.proxy_.errors.clear()  # requests that were cut off on purpose
        cls.proxy_.__exit__(None, None, None)

    def setUp(self):
        del self.proxy_.requests[:]

    def alive(self):
        self.assertEqual(wire.once(self.agent_.port, get(SITE + "/alive")).status, 200)

    def test_smuggled_request_is_never_seen(self):
        for name, (raw, statuses) in REFUSED.items():
            if 200 in statuses:
                continue
            with self.subTest(name), Wire.connect(self.agent_.port) as client:
                del self.proxy_.requests[:]
                client.send(raw.encode("latin-1") + get(SITE + "/smuggled"))
                try:
                    client.read_to_end()
                except ConnectionResetError:
                    pass
                self.assertEqual(self.proxy_.requests, [])
        self.alive()

    def test_bad_chunks(self):
        for name, body in BAD_CHUNKS.items():
            with self.subTest(name), Wire.connect(self.agent_.port) as client:
                del self.proxy_.requests[:]
                client.send(POST.encode() + b"Transfer-Encoding: chunked\r\n\r\n" + body.encode("latin-1") + get(SITE + "/smuggled"))
                try:
                    answer = client.read_to_end()
                    self.assertTrue(answer == b"" or answer.startswith((b"HTTP/1.1 400 ", b"HTTP/1.1 431 ")), answer[:200])
                except ConnectionResetError:
                    pass
                for request in self.proxy_.requests:  # the head may have gone up; the end of the body must not
                    self.proxy_.wait(lambda r=request: r.conn.ended_by_peer.is_set(), "the end of that connection")
                    self.assertEqual(request.body, b"")
                    self.assertNotIn("smuggled", request.target)
        self.proxy_.errors.clear()
        self.alive()

    def test_good_chunks_for_comparison(self):
        for body in ("5\r\nhello\r\n0\r\n\r\n", "0005;a;b=\"c d\" ; e=f\r\nhello\r\n00\r\nX-A: b\r\n\r\n"):
            with Wire.connect(self.agent_.port) as client:
                client.send(POST.encode() + b"Transfer-Encoding: chunked\r\n\r\n" + body.encode("latin-1"))
                self.assertEqual(client.read_response("POST").status, 200)
                self.assertEqual(self.proxy_.requests[-1].body, b"hello")

    def test_sizes_in_capitals(self):
        with Wire.connect(self.agent_.port) as client:
            client.send(POST.encode() + b"Transfer-Encoding: CHUNKED\r\n\r\nA\r\n0123456789\r\na\r\n0123456789\r\n0\r\n\r\n")
            self.assertEqual(client.read_response("POST").status, 200)
            self.assertEqual(len(self.proxy_.requests[-1].body), 20)


def _row(name, raw, statuses):
    def test(self):
        with Wire.connect(self.agent_.port) as client:
            client.send(raw.encode("latin-1"))
            answer = client.read_response(allow_short=False)
            self.assertIn(answer.status, statuses, answer.text)
            if answer.status != 200:
                self.assertIsNotNone(answer.get("Proxy-Status"))
                if not raw.startswith("OPTIONS *"):
                    self.assertTrue(client.closed())
        self.assertEqual(self.proxy_.requests, [])
    return test


for _name, (_raw, _statuses) in REFUSED.items():
    setattr(Framing, "test_refused_" + _name.replace(" ", "_").replace(",", "").replace("/", "_"), _row(_name, _raw, _statuses))

