"""TLS to the proxy: who is let near, in which words the others are turned away, and that bytes and ends pass as they do without it."""

import hashlib
import os
import ssl
import threading

import test_flow
import test_tunnel
import tls
import wire
from base import SITE, Scenario, corp
from gates import Basic, Negotiate, Ntlm
from proxy import Asks, Behaviour, Open, content
from tls import Certificate
from wire import get

OLD_TLS = """openssl_conf = all
[all]
ssl_conf = ssl
[ssl]
system_default = weak
[weak]
MinProtocol = TLSv1
CipherString = ALL:@SECLEVEL=0
"""


class OverTls(Scenario):
    """Every scripted proxy is one over TLS, and every agent trusts its authority as it trusts those of the system."""

    def proxy(self, behaviour, **options):
        options.setdefault("tls", tls.context())
        return super().proxy(behaviour, **options)

    def agent(self, config, **options):
        options["env"] = {"SSL_CERT_FILE": tls.authority().pem, **options.get("env", {})}
        return super().agent(config, **options)


class Tunnel(OverTls, test_tunnel.Tunnel):
    pass


class Flow(OverTls, test_flow.Flow):
    pass


class Certificates(Scenario):
    def serving(self, certificate=None, lines="", behaviour=None, host="localhost", **options):
        """A proxy with that certificate, and an agent that knows the authority (or what `lines` say)."""
        proxy = self.proxy(behaviour or Open(), tls=tls.context(certificate))
        proxy.url = "https://%s:%d" % (host, proxy.port)
        if "ca =" not in lines:
            lines += "ca = %s\n" % tls.authority().pem
        return proxy, self.agent(proxy.upstream("auth = none\n" + lines), **options)

    def turned_away(self, certificate, *words, lines="", **options):
        proxy, agent = self.serving(certificate, lines, **options)
        answer = self.own(self.ask(agent), 502, "tls_protocol_error", "localhost", *words)
        self.own(self.tunnel(agent, expect=502), 502, "tls_protocol_error")
        self.assertEqual(proxy.requests, [])
        proxy.wait(lambda: len(proxy.refused) == 2, "alerts")
        return answer

    def passes(self, certificate=None, lines="", **options):
        proxy, agent = self.serving(certificate, lines, **options)
        self.assertEqual(self.ask(agent, "/bytes/70000").body, content(70000))
        self.echoes(self.tunnel(agent))
        self.assertEqual(proxy.refused, [])
        return proxy, agent

    def test_authority_of_ours(self):
        self.passes()

    def test_authority_of_the_system(self):
        proxy = self.proxy(Open(), tls=tls.context())
        agent = self.agent(proxy, env={"SSL_CERT_FILE": tls.authority().pem})
        self.assertEqual(self.ask(agent).status, 200)
        self.own(self.ask(self.agent(proxy)), 502, "tls_protocol_error", "authority")

    def test_ca_stands_in_place_of_the_system(self):
        other = Certificate("Another CA", ca=True)
        self.turned_away(None, "Test CA", lines="ca = %s\n" % other.pem, env={"SSL_CERT_FILE": tls.authority().pem})

    def test_every_kind_of_key(self):
        for kind in ("rsa", "ec384", "ed25519"):
            with self.subTest(kind):
                self.passes(tls.good(kind))

    def test_address(self):
        self.passes(host="127.0.0.1")
        proxy, agent = self.serving(Certificate("localhost", issuer=tls.authority()), host="127.0.0.1")
        self.own(self.ask(agent), 502, "tls_protocol_error", "not for 127.0.0.1 but for localhost")

    def test_name_is_sent(self):
        seen = []
        context = tls.context()
        context.sni_callback = lambda connection, name, context: seen.append(name)
        for host, expected in (("localhost", "localhost"), ("127.0.0.1", None)):
            proxy = self.proxy(Open(), tls=context)
            proxy.url = "https://%s:%d" % (host, proxy.port)
            self.assertEqual(self.ask(self.agent(proxy.upstream("auth = none\nca = %s\n" % tls.authority().pem))).status, 200)
            self.assertEqual(seen.pop(), expected)

    def test_wrong_name(self):
        self.turned_away(Certificate("proxy.example", "*.corp.example", "10.0.0.1", issuer=tls.authority()),
                         r"not for localhost but for proxy\.example, \*\.corp\.example, 10\.0\.0\.1")
        self.turned_away(Certificate("a.example", "xn--<b>\x7f.example", *("n%d.example" % i for i in range(20)), issuer=tls.authority()),
                         r"a\.example, xn--<b>\?\.example, n0\.example, n1\.example, n2\.example and others\n")

    def test_expired(self):
        self.turned_away(Certificate("localhost", issuer=tls.authority(), life=("20200101", "20200229")),
                         "its certificate has expired: it was good until 2020-02-29 00:00 UTC")

    def test_not_good_yet(self):
        self.turned_away(Certificate("localhost", issuer=tls.authority(), life=("20490101", "20491231")),
                         "its certificate is good only from 2049-01-01 00:00 UTC on: is the clock")

    def test_expired_authority(self):
        authority = Certificate("Old CA", ca=True, life=("20200101", "20200229"))
        self.turned_away(Certificate("localhost", issuer=authority), r"Old CA\) has expired", lines="ca = %s\n" % authority.pem)

    def test_unknown_authority(self):
        authority = Certificate("Corp Root", ca=True, subject="/O=Corp <b>/CN=Corp Root")
        for lines in ("", "pin = %s\n" % authority.pin()):
            self.turned_away(Certificate("localhost", issuer=authority), "not known here .*Corp Root.*ca = FILE", lines=lines)

    def test_missing_link(self):
        middle = Certificate("Middle CA", ca=True, issuer=tls.authority())
        leaf = Certificate("localhost", issuer=middle)
        self.passes(leaf)
        with open(leaf.pem, "w") as file:
            file.write(leaf.text)
        self.turned_away(leaf, "not known here .*Middle CA")

    def test_self_signed(self):
        own = Certificate("localhost", "127.0.0.1")
        self.turned_away(own, "self-signed.*ca = FILE")
        self.turned_away(own, "self-signed", lines="pin = %s\n" % own.pin())
        self.passes(own, "ca = %s\n" % own.pem)

    def test_the_certificate_itself_in_ca(self):
        self.passes(tls.good("rsa"), "ca = %s\n" % tls.good("rsa").pem)
        self.turned_away(tls.good(), "authority", lines="ca = %s\n" % tls.good("rsa").pem)

    def test_not_for_servers(self):
        self.turned_away(Certificate("localhost", issuer=tls.authority(), purpose="clientAuth"), "not one for servers")
        self.passes(Certificate("localhost", issuer=tls.authority(), purpose="serverAuth"))

    def test_pin(self):
        pin = tls.good().pin()
        self.passes(lines="pin = %s\n" % pin)
        self.passes(lines="pin = %s sha256//%s\n" % (tls.good("rsa").pin(), pin))
        answer = self.turned_away(None, "its pin is ", lines="pin = %s\n" % tls.good("rsa").pin())
        self.assertIn("its pin is " + pin, answer.text)

    def test_pin_in_a_resumed_session(self):
        proxy, agent = self.passes(lines="pin = %s\n" % tls.good().pin())
        agent.configure(open(agent.config_path).read().replace(tls.good().pin(), tls.good("rsa").pin()))
        agent.reload()
        self.own(self.ask(agent), 502, "tls_protocol_error", "pin")

    def test_next_proxy_is_tried(self):
        bad = self.proxy(Open(), tls=tls.context(Certificate("elsewhere.example", issuer=tls.authority())))
        good = self.proxy(Open(), tls=tls.context())
        agent = self.agent("[upstream corp]\nproxy = %s %s\nauth = none\nca = %s\n" % (bad.url, good.url, tls.authority().pem))
        self.assertEqual(self.ask(agent).status, 200)
        self.assertEqual((len(bad.requests), len(good.requests)), (0, 1))
        agent.wait_log("not for 127.0.0.1.*trying")

    def test_no_credentials_before_the_certificate_is_good(self):
        behaviour = Asks(Basic())
        proxy = self.proxy(behaviour, tls=tls.context(Certificate("elsewhere.example", issuer=tls.authority())))
        agent = self.agent(proxy.upstream(corp("basic", "alice", more="ca = %s" % tls.authority().pem)))
        self.own(self.ask(agent), 502, "tls_protocol_error")
        self.assertEqual((proxy.requests, behaviour.asked), ([], 0))

    def test_basic_passes(self):
        proxy = self.proxy(Asks(Basic()), tls=tls.context())
        self.assertEqual(self.ask(self.agent(proxy.upstream(corp("basic", "alice", more="ca = %s" % tls.authority().pem)))).status, 200)


class OurCertificate(Scenario):
    def demanding(self, lines="", trusted=None, most=None):
        issuer = trusted or tls.authority()
        proxy = self.proxy(Open(), tls=tls.context(client_ca=issuer, most=most))
        return proxy, self.agent(proxy.upstream("auth = none\nca = %s\n%s" % (tls.authority().pem, lines)))

    def me(self):
        return tls.made("me", lambda: Certificate("alice", issuer=tls.authority(), purpose="clientAuth"))

    def test_shown(self):
        me = self.me()
        both = os.path.join(tls.folder(), "both.pem")
        with open(both, "w") as file:
            file.write(me.text + open(me.key).read())
        for lines in ("certificate = %s\nkey = %s\n" % (me.pem, me.key), "certificate = %s\n" % both):
            for most in (None, ssl.TLSVersion.TLSv1_2):
                proxy, agent = self.demanding(lines, most=most)
                self.assertEqual(self.ask(agent).status, 200)
                self.assertEqual(dict(proxy.connections[0].sock.tls.getpeercert()["subject"][0])["commonName"], "alice")

    def test_missing(self):
        for most in (None, ssl.TLSVersion.TLSv1_2):
            with self.subTest(most):
                proxy, agent = self.demanding(most=most)
                self.own(self.ask(agent), 502, "tls_protocol_error", "asks for a certificate of ours.*none is set")
                self.assertEqual(proxy.requests, [])

    def test_refused(self):
        me = self.me()
        other = tls.made("other", lambda: Certificate("Another CA", ca=True))
        for most in (None, ssl.TLSVersion.TLSv1_2):
            with self.subTest(most):
                proxy, agent = self.demanding("certificate = %s\nkey = %s\n" % (me.pem, me.key), other, most)
                self.own(self.ask(agent), 502, "tls_protocol_error", "does not accept our certificate")
                self.assertEqual(proxy.requests, [])

    def test_not_shown_to_a_stranger(self):
        me = self.me()
        context = tls.context(Certificate("elsewhere.example", issuer=tls.authority()), client_ca=tls.authority())
        proxy = self.proxy(Open(), tls=context)
        agent = self.agent(proxy.upstream("auth = none\nca = %s\ncertificate = %s\nkey = %s\n" % (tls.authority().pem, me.pem, me.key)))
        self.own(self.ask(agent), 502, "tls_protocol_error", "elsewhere.example")
        with self.assertRaises(ValueError):  # the handshake did not come so far
            proxy.connections[0].sock.tls.getpeercert()

    def test_files_that_are_not_right(self):
        me, other = self.me(), tls.good("rsa")
        locked = os.path.join(tls.folder(), "locked.key")
        if not os.path.exists(locked):
            tls._openssl("pkey", "-in", me.key, "-aes128", "-passout", "pass:hunter2", "-out", locked)
        agent = self.agent("[upstream corp]\nproxy = https://p.example:1\nauth = none\n")
        for lines, sentence in (
                ("ca = /nowhere/ca.pem", "[upstream corp] ca: cannot read /nowhere/ca.pem: No such file"),
                ("ca = " + tls.folder(), "[upstream corp] ca: %s is not a regular file" % tls.folder()),
                ("ca = " + me.key, "has no certificate in it"),
                ("certificate = %s\nkey = /nowhere/key" % me.pem, "[upstream corp] key: cannot read /nowhere/key: No such file"),
                ("certificate = %s" % me.pem, "certificate: %s has no key in it" % me.pem),
                ("certificate = %s\nkey = %s" % (me.key, me.key), "certificate: %s has no certificate in it" % me.key),
                ("certificate = %s\nkey = %s" % (me.pem, tls.good().key), "does not belong to the certificate"),
                ("certificate = %s\nkey = %s" % (me.pem, other.key), "does not belong to the certificate"),
                ("certificate = %s\nkey = %s" % (me.pem, locked), "has a passphrase")):
            with self.subTest(lines):
                agent.configure("[upstream corp]\nproxy = https://p.example:1\nauth = none\n%s\n" % lines)
                answer = agent.exeat("check", "--config", agent.config_path)
                self.assertEqual(answer.returncode, 3, answer)
                self.assertIn(sentence, answer.stderr)
                answer = agent.exeat("reload")
                self.assertNotEqual(answer.returncode, 0)
                self.assertIn(sentence, answer.stderr)

    def test_key_that_others_can_read(self):
        me = self.me()
        for mode in (0o600, 0o644):
            os.chmod(me.key, mode)
            _, agent = self.demanding("certificate = %s\nkey = %s\n" % (me.pem, me.key))
            self.assertEqual(("others may read the key in " + me.key) in agent.log(), mode == 0o644)


class Raw(Behaviour):
    """Says something that is no TLS, when the first bytes have come."""

    def __init__(self, data, wait=None):
        self.data, self.wait = data, wait

    def serve(self, conn):
        conn.sock.recv(65536)
        if self.wait:
            self.wait.wait(30)
        conn.send(self.data)
        conn.close_softly()


class Handshake(Scenario):
    def behind(self, proxy, lines="", **options):
        proxy.url = "https://" + proxy.address
        return self.agent(proxy.upstream("auth = none\nca = %s\n%s" % (tls.authority().pem, lines)), **options)

    def test_garbage(self):
        for data, words in ((b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n", "not TLS.*http://"), (b"\0" * 70000, "not TLS|TLS failed"),
                            (b"SSH-2.0-OpenSSH_9.2\r\n", "not TLS"), (b"\x16\x03\x03\xff\xff" + b"x" * 70000, "TLS"),
                            (b"\x16\x03\x03\x00\x04\x02\xff\xff\xff" + b"x" * 300000, "TLS"), (b"\x15\x03\x03\x00\x02\x02\x28", "TLS failed"),
                            (b"", "in the middle of the TLS handshake")):
            with self.subTest(data[:20]):
                agent = self.behind(self.proxy(Raw(data)))
                self.own(self.ask(agent), 502, "tls_protocol_error", words)

    def test_reset(self):
        class Resets(Behaviour):
            def serve(self, conn):
                conn.sock.recv(10)
                conn.reset()
        self.own(self.ask(self.behind(self.proxy(Resets()))), 502, "tls_protocol_error", "reset")

    def test_silence(self):
        wait = threading.Event()
        agent = self.behind(self.proxy(Raw(b"", wait)), "dial-timeout = 1s\n")
        self.own(self.ask(agent), 504, "connection_timeout", "the TLS handshake with .* took too long")
        wait.set()

    def test_client_that_gives_up_meanwhile(self):
        wait = threading.Event()
        proxy = self.proxy(Raw(b"", wait))
        agent = self.behind(proxy)
        client = self.wire(agent)
        client.send(get(SITE + "/"))
        proxy.wait(lambda: proxy.connections)
        client.reset()
        wait.set()
        proxy.wait(lambda: proxy.connections[0].ended_by_peer.is_set())

    def test_tls_1_2_and_1_3(self):
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            proxy = self.proxy(Open(), tls=tls.context(least=version, most=version))
            self.assertEqual(self.ask(self.behind(proxy), "/bytes/200000").body, content(200000))
            self.assertEqual(proxy.connections[0].sock.tls.version(), version.name.replace("_", "."))

    def test_tls_1_1_is_too_old(self):
        old = ssl.TLSVersion.TLSv1_1
        proxy = self.proxy(Open(), tls=tls.context(least=old, most=old, ciphers="ALL:@SECLEVEL=0"))
        agent = self.behind(proxy, env={"OPENSSL_CONF": "@DIR@"}, start=False)
        agent.env["OPENSSL_CONF"] = agent.write("openssl.conf", OLD_TLS)
        agent.start()
        self.own(self.ask(agent), 502, "tls_protocol_error", "TLS 1.2 or newer")
        self.assertEqual(proxy.requests, [])

    def test_http_1_1_is_offered(self):
        proxy = self.proxy(Open(), tls=tls.context(alpn=["h2", "http/1.1"]))
        self.assertEqual(self.ask(self.behind(proxy)).status, 200)
        self.assertEqual(proxy.connections[0].sock.tls.selected_alpn_protocol(), "http/1.1")

    def test_sessions_are_resumed(self):
        for most in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            context = tls.context(most=most)
            proxy = self.proxy(Open(), tls=context)
            agent = self.behind(proxy, "spares = 0")
            for _ in range(4):
                self.echoes(self.tunnel(agent))
            self.assertEqual([conn.sock.tls.session_reused for conn in proxy.connections], [False, True, True, True])

    def test_proxy_that_speaks_first(self):
        class Hasty(Open):
            def serve(self, conn):
                conn.send(b"HTTP/1.1 200 Unasked\r\nContent-Length: 0\r\n\r\n")
                super().serve(conn)
        proxy = self.proxy(Hasty(), tls=tls.context(most=ssl.TLSVersion.TLSv1_2))
        self.assertEqual(self.ask(self.behind(proxy)).status, 200)


class Ends(OverTls):
    """Where the end of the connection is the end of the body, it must be said, or the body may have been cut."""

    class Closes(Open):
        notify = True
        head = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"

        def handle(self, conn, request):
            conn.sock.notify = self.notify
            conn.send(self.head + content(50000))
            conn.close_softly()
            return False

    def body(self, **options):
        _, agent = self.both(self.Closes(**options))
        client = self.wire(agent)
        client.send(get(SITE + "/"))
        return client.read_response(allow_short=True)

    def test_said(self):
        answer = self.body()
        self.assertTrue(answer.complete)
        self.assertEqual(answer.body, content(50000))

    def test_not_said(self):
        self.assertFalse(self.body(notify=False).complete)

    def test_not_said_where_it_does_not_matter(self):
        answer = self.body(notify=False, head=b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 50000\r\n\r\n")
        self.assertTrue(answer.complete)
        self.assertEqual(answer.body, content(50000))

    def test_not_said_in_a_tunnel(self):
        """What is inside has ends of its own; not a byte must be lost of it."""
        class Cut(Open):
            def tunnel(self, conn):
                conn.sock.notify = False
                conn.send(content(3000000))
                conn.close_softly()
        _, agent = self.both(Cut())
        tunnel = self.tunnel(agent)
        self.assertEqual(tunnel.read_to_end(), content(3000000))

    def test_we_say_it(self):
        proxy, agent = self.both(Open(), "auth = none\nspares = 0")
        tunnel = self.tunnel(agent)
        tunnel.shut()
        self.assertEqual(tunnel.read_to_end(), b"<0 bytes>")
        self.assertEqual(self.ask(agent).status, 200)
        agent.stop()
        proxy.wait(lambda: all(conn.ended_by_peer.is_set() for conn in proxy.connections))
        self.assertEqual([conn.sock.clean for conn in proxy.connections], [True, True])

    def test_kept_connection_that_ends(self):
        class Leaves(Open):
            def handle(self, conn, request):
                super().handle(conn, request)
                conn.sock.notify = self.notify
                return False
        for notify in (True, False):
            with self.subTest(notify):
                behaviour = Leaves()
                behaviour.notify = notify
                proxy, agent = self.both(behaviour)
                for _ in range(5):
                    self.assertEqual(self.ask(agent).status, 200)
                self.assertEqual(len(proxy.connections), 5)

    def test_records_cut_in_two(self):
        """Each byte of the answer comes by itself."""
        class Drip(Open):
            def handle(self, conn, request):
                conn.sock.tls.write(b"HTTP/1.1 200 OK\r\nContent-Length: 600\r\n\r\n" + content(600))
                for byte in conn.sock._out.read():
                    conn.sock.raw.sendall(bytes([byte]))
                return True
        _, agent = self.both(Drip())
        for _ in range(2):
            self.assertEqual(self.ask(agent).body, content(600))

    def test_broken_record(self):
        class Breaks(Open):
            def handle(self, conn, request):
                conn.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + content(50000))
                conn.sock.raw.sendall(b"\x17\x03\x03\x00\x20" + b"x" * 32)
                conn.read_to_end()
                return False
        _, agent = self.both(Breaks())
        client = self.wire(agent)
        client.send(get(SITE + "/"))
        answer = client.read_response(allow_short=True)
        self.assertFalse(answer.complete)


class Large(OverTls):
    def test_both_ways_at_once(self):
        size = 40 << 20
        _, agent = self.both(Open())
        tunnel = self.tunnel(agent)
        digest, seen = hashlib.sha256(), 0
        sender = threading.Thread(target=lambda: (tunnel.send(content(size)), tunnel.shut()), daemon=True)
        sender.start()
        while seen < size:
            part = tunnel.read(min(1 << 20, size - seen))
            digest.update(part)
            seen += len(part)
        self.assertEqual(digest.digest(), hashlib.sha256(content(size)).digest())
        self.assertEqual(tunnel.read_to_end(), b"<%d bytes>" % size)
        sender.join()

    def test_chunked_up_and_down(self):
        _, agent = self.both(Open())
        size = 5000000
        for framing in ("Transfer-Encoding: chunked", None):
            body = wire.chunked(*[content(10007)] * 500) if framing else content(size)
            answer = self.ask(agent, "/echo", *([framing] if framing else []), method="POST", body=body)
            self.assertIn(hashlib.sha256(content(10007) * 500 if framing else content(size)).hexdigest(), answer.text)
        self.assertEqual(self.ask(agent, "/chunked/%d" % size).body, content(size))

    def test_many_at_once(self):
        _, agent = self.both(Asks(Ntlm()), corp("ntlm", more="connections = 100"))
        from base import together
        for answer in together(60, lambda i: self.ask(agent, "/bytes/%d" % (i * 5000))):
            self.assertEqual(answer.status, 200)


class Binding(Scenario):
    """The token is worth something only on the connection whose certificate both sides saw (RFC 5929)."""

    def binding(self, certificate, name):
        return b"tls-server-end-point:" + hashlib.new(name, certificate.der).digest()

    def ask_with(self, certificate, binding):
        gate = Negotiate(binding=binding)
        proxy = self.proxy(Asks(gate), tls=tls.context(certificate))
        agent = self.agent(proxy.upstream(corp("negotiate ntlm", more="ca = %s" % tls.authority().pem)))
        answer = self.ask(agent)
        return agent, gate, answer

    def test_right(self):
        sha384 = Certificate("127.0.0.1", issuer=tls.authority(), digest="sha384")
        for certificate, name in ((tls.good(), "sha256"), (tls.good("rsa"), "sha256"), (sha384, "sha384")):
            with self.subTest(name):
                _, gate, answer = self.ask_with(certificate, self.binding(certificate, name))
                self.assertEqual((answer.status, gate.failed), (200, 0), answer.text)

    def test_another_certificate_in_between(self):
        _, gate, answer = self.ask_with(tls.good(), self.binding(tls.good("rsa"), "sha256"))
        self.assertEqual(gate.failed, 1)
        self.own(answer, 502, "http_request_denied")

    def test_not_defined(self):
        certificate = tls.made("signed by ed25519", lambda: Certificate("127.0.0.1", issuer=Certificate("Ed CA", ca=True, kind="ed25519")))
        gate = Negotiate(binding=b"tls-server-end-point:nothing")
        proxy = self.proxy(Asks(gate), tls=tls.context(certificate))
        agent = self.agent(proxy.upstream(corp("negotiate ntlm", more="ca = %s" % certificate.issuer.pem)))
        self.assertEqual(self.ask(agent).status, 200)
        agent.wait_log("no channel binding")
        self.assertEqual(agent.log().count("no channel binding"), 1)
