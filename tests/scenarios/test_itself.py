"""The judges judged: our own servers' arithmetic against the examples of the specifications, and against a client made of the same."""

import base64

import ntlm
import wire
from base import SITE, Scenario
from gates import Basic, Digest, Ntlm
from proxy import Asks, Open
from wire import get


class Vectors(Scenario):
    def test_md4(self):  # RFC 1320 A.5
        self.assertEqual(ntlm.md4(b"abc").hex(), "a448017aaf21d8525fc10ae87aa6729d")
        self.assertEqual(ntlm.md4(b"1234567890" * 8).hex(), "e33b4ddc9c38f2199c3e7b164fcc0536")

    def test_ntlm_v2(self):  # MS-NLMP 4.2.4
        key = ntlm.key_v2("User", "Domain", "Password")
        self.assertEqual(key.hex(), "0c868a403bfd7a93a3001ef22ef02e3f")
        info = ntlm.av_pairs([(ntlm.AV_DOMAIN, "Domain"), (ntlm.AV_COMPUTER, "Server")])
        blob = b"\1\1" + b"\0" * 6 + b"\0" * 8 + b"\xaa" * 8 + b"\0" * 4 + info + b"\0" * 4
        proof = ntlm.hmac_md5(key, bytes.fromhex("0123456789abcdef") + blob)
        self.assertEqual(proof.hex(), "68cd0ab851e51c96aabc927bebef6a1c")
        self.assertEqual(ntlm.hmac_md5(key, proof).hex(), "8de40ccadbc14a82f15cb0ad0de95ca3")

    def test_digest(self):  # RFC 7616 section 3.9.1
        for algorithm, response in (("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
                                    ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1")):
            gate = Digest(user="Mufasa", password="Circle of Life", realm="http-auth@example.org", algorithms=(algorithm,))
            given = {"nonce": "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", "nc": "00000001", "qop": "auth",
                     "cnonce": "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"}
            self.assertEqual(gate._response(given, algorithm, {"session": None}, "GET", "/dir/index.html", b""), response)

    def test_userhash(self):  # RFC 7616 section 3.9.2 with its erratum
        gate = Digest(user="J\u00e4s\u00f8n Doe", realm="api@example.org")
        self.assertEqual(gate._hash("SHA-512-256", "%s:%s" % (gate.user, gate.realm)), "793263caabb707a56211940d90411ea4a575adeccb7e360aeb624ed06ece9b0b")


class Servers(Scenario):
    def test_ntlm(self):
        for password, status in (("secret", 200), ("wrong", 407)):
            gate = Ntlm()
            proxy = self.proxy(Asks(gate))
            with wire.Wire.connect(proxy.port) as client:
                second = client.ask(get(SITE + "/echo", "Proxy-Authorization: NTLM " + base64.b64encode(ntlm.type1()).decode()))
                challenge = base64.b64decode(second.get("Proxy-Authenticate").split(" ")[1])
                third = ntlm.type3(challenge, "alice", password)
                answer = client.ask(get(SITE + "/echo", "Proxy-Authorization: NTLM " + base64.b64encode(third).decode()))
                self.assertEqual(answer.status, status)
                self.assertEqual(client.ask(get(SITE + "/echo")).status, status)
            self.assertEqual((gate.attempts, gate.failed, gate.faults), (1, int(status != 200), []))

    def test_basic_and_challenges(self):
        proxy = self.proxy(Asks(Basic(), Digest(), one_field=True))
        answer = wire.once(proxy.port, get(SITE + "/echo"))
        self.assertEqual((answer.status, len(answer.all("Proxy-Authenticate"))), (407, 1))
        good = "Proxy-Authorization: Basic " + base64.b64encode(b"alice:secret").decode()
        self.assertEqual(wire.once(proxy.port, get(SITE + "/echo", good)).status, 200)

    def test_strict_reader(self):
        for bad in (b"GET / HTTP/1.1\r\nA : b\r\n\r\n", b"GET / HTTP/1.1\r\nA: b\n\r\n\r\n", b"GET /\r\n\r\n"):
            with self.assertRaises(wire.WireError):
                wire.parse_head(bad)
        proxy = self.proxy(Open())
        with self.assertRaises(AssertionError):
            with wire.Wire.connect(proxy.port) as client:
                client.send("POST http://a/ HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n")
                client.read_to_end()
            proxy.__exit__(None, None, None)
        proxy.errors.clear()
