"""SOCKS in front of CONNECT: versions, addresses, early bytes, failures as codes and as words, and whom it serves."""

import os
import socket
import threading
import unittest

import socks
from agent import wait_until
from base import Scenario, corp
from behaviours import Canned, EarlyBytes, Silent, Talks
from gates import Basic, Ntlm
from proxy import Asks, Open, content
from test_admit import DAEMON, NOBODY, ROOT_ONLY, run_client
from wire import PATIENCE, Wire, get

LISTEN = "[listen]\nhttp = 127.0.0.1:0\nsocks = %s\n%s"


class Socks(Scenario):
    def door(self, behaviour, lines="auth = none", more="", where="127.0.0.1:0", listen="", **options):
        """A scripted proxy and an agent with a SOCKS listener."""
        proxy = self.proxy(behaviour)
        return proxy, self.agent(LISTEN % (where, listen) + proxy.upstream(lines) + more, **options)

    def client(self, agent):
        return self.stack.enter_context(Wire.connect(agent.port_of("SOCKS")))

    def opened(self, agent, host="site.example", port=443, connect=socks.connect5, **options):
        client = self.client(agent)
        self.assertIn(connect(client, host, port, **options), (socks.GRANTED, socks.GRANTED4))
        return client


class Versions(Socks):
    def test_addresses(self):
        proxy, agent = self.door(Open())
        for connect, host, target in ((socks.connect5, "site.example", "site.example:22"), (socks.connect5, "192.0.2.7", "192.0.2.7:22"),
                                      (socks.connect5, "2001:db8::7", "[2001:db8::7]:22"), (socks.connect4, "site.example", "site.example:22"),
                                      (socks.connect4, "192.0.2.7", "192.0.2.7:22"), (socks.connect5, "x" * 63 + ".example", "x" * 63 + ".example:22")):
            with self.subTest(host, connect=connect.__name__):
                tunnel = self.opened(agent, host, 22, connect)
                self.echoes(tunnel)
                seen = proxy.requests[-1]
                self.assertEqual((seen.method, seen.target, seen.get("Host")), ("CONNECT", target, target))
                self.assertEqual((seen.all("Content-Length"), seen.all("Transfer-Encoding")), ([], []))
        agent.wait_log(r"\[c\d+\.r1\] CONNECT \[2001:db8::7\]:22: 200, .*\(upstream corp, SOCKS tunnel\)")

    def test_user_and_password_mean_nothing(self):
        proxy, agent = self.door(Open())
        for connect, options in ((socks.connect5, {"user": b"alice", "password": b"secret-of-socks"}), (socks.connect4, {"user": b"alice"})):
            self.echoes(self.opened(agent, connect=connect, **options))
        self.assertNotIn("secret-of-socks", agent.log())
        self.assertEqual([r.get("Proxy-Authorization") for r in proxy.requests], [None, None])

    def test_byte_by_byte(self):
        _, agent = self.door(Open())
        for data, answer in ((b"\5\2\1\2" + b"\1\5alice\6secret" + socks.request5("site.example", 443), b"\5\2\1\0\5\0\0\1\0\0\0\0\0\0"),
                             (socks.request4("site.example", 443, b"alice"), b"\0\x5a\0\0\0\0\0\0")):
            client = self.client(agent)
            for at in range(len(data)):
                client.send(data[at:at + 1])
            self.assertEqual(client.read(len(answer)), answer)
            self.echoes(client)

    def test_unix_socket(self):
        _, agent = self.door(Open(), where="127.0.0.1:0 unix:@DIR@/socks")
        with Wire.connect_unix(os.path.join(agent.directory, "socks")) as client:
            self.assertEqual(socks.connect5(client, "site.example", 443), socks.GRANTED)
            self.echoes(client)
        self.assertEqual(agent.status()["socks"], ["127.0.0.1:%d" % agent.port_of("SOCKS"), "unix:" + os.path.join(agent.directory, "socks")])

    def test_status(self):
        _, agent = self.door(Open())
        tunnel = self.opened(agent)
        self.echoes(tunnel, b"y" * 100)
        status = agent.status()
        self.assertEqual((status["counters"]["requests"], status["counters"]["tunnels"], status["tunnels_open"]), (1, 1, 1))
        self.assertEqual(status["listening"], ["127.0.0.1:%d" % agent.port])
        self.assertIn("SOCKS on 127.0.0.1:%d" % agent.port_of("SOCKS"), agent.exeat("status", check=True).stdout)

    def test_reload(self):
        proxy, agent = self.door(Open())
        tunnel, old = self.opened(agent), agent.port_of("SOCKS")
        agent.configure(LISTEN % ("127.0.0.1:0 unix:@DIR@/runtime/exeat/socks", "") + proxy.upstream())
        agent.reload()
        self.assertEqual(agent.port_of("SOCKS"), old)  # the listener was kept
        self.echoes(self.opened(agent))
        agent.configure(LISTEN % ("none", "") + proxy.upstream())
        agent.reload()
        self.assertEqual(agent.status()["socks"], [])
        with self.assertRaises(ConnectionRefusedError):
            Wire.connect(old)
        self.echoes(tunnel)

    def test_an_address_changes_its_purpose(self):
        proxy, agent = self.door(Open())
        port = agent.port_of("SOCKS")
        agent.configure("[listen]\nhttp = 127.0.0.1:%d\nsocks = 127.0.0.1:%d\n" % (agent.port, port) + proxy.upstream())
        agent.reload()
        agent.configure("[listen]\nhttp = 127.0.0.1:%d\nsocks = 127.0.0.1:%d\n" % (port, agent.port) + proxy.upstream())
        agent.reload()
        agent.port, before = port, agent.port
        self.assertEqual(self.ask(agent).status, 200)
        with Wire.connect(before) as client:
            self.assertEqual(socks.connect5(client, "site.example", 443), socks.GRANTED)


class Bytes(Socks):
    def test_early_bytes_of_the_client(self):
        for behaviour, lines in ((Open(), "auth = none"), (Asks(Ntlm()), corp("ntlm"))):
            _, agent = self.door(behaviour, lines)
            for connect in (socks.connect5, socks.connect4):
                for size in (1, 5000, 70000):
                    with self.subTest(size, connect=connect.__name__):
                        tunnel = self.opened(agent, connect=connect, early=content(size))
                        self.assertEqual(tunnel.read(size), content(size))
                        self.echoes(tunnel)

    def test_everything_at_once(self):
        """A client that does not wait for any answer."""
        _, agent = self.door(Open())
        client = self.client(agent)
        client.send(b"\5\1\0" + socks.request5("site.example", 443) + b"hello")
        self.assertEqual(client.read(17), b"\5\0\5\0\0\1\0\0\0\0\0\0hello")

    def test_early_bytes_of_the_far_side(self):
        _, agent = self.door(EarlyBytes(b"SSH-2.0-hello\r\n", b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\n\r\n"))
        tunnel = self.opened(agent)
        self.assertEqual(tunnel.read(15), b"SSH-2.0-hello\r\n")
        self.echoes(tunnel)

    def test_client_ends_first(self):
        _, agent = self.door(Open())
        tunnel = self.opened(agent)
        data = content(3000000)
        sender = threading.Thread(target=lambda: (tunnel.send(data), tunnel.shut()))
        sender.start()
        self.assertEqual(tunnel.read_to_end(), data + b"<3000000 bytes>")
        sender.join()

    def test_far_side_ends_first(self):
        behaviour = Talks(2000000)
        _, agent = self.door(behaviour)
        tunnel = self.opened(agent)
        self.assertEqual(tunnel.read_to_end(), content(2000000))
        tunnel.send(content(500000))
        tunnel.shut()
        self.assertTrue(behaviour.end.wait(PATIENCE))
        self.assertEqual(behaviour.got, content(500000))

    def test_client_ends_before_the_tunnel_is_there(self):
        """Its end goes through the tunnel too."""
        _, agent = self.door(Open())
        client = self.client(agent)
        client.send(b"\5\1\0" + socks.request5("site.example", 443) + b"hello")
        client.shut()
        self.assertEqual(client.read_to_end(), b"\5\0\5\0\0\1\0\0\0\0\0\0hello<5 bytes>")

    def test_client_goes_while_the_proxy_thinks(self):
        behaviour = Silent()
        proxy, agent = self.door(behaviour)
        client = self.client(agent)
        client.send(b"\5\1\0" + socks.request5("site.example", 443))
        proxy.wait_requests(1)
        client.reset()
        wait_until(lambda: agent.status()["clients"] == 0, "the client's end")
        behaviour.release.set()
        self.assertEqual(agent.status()["tunnels_open"], 0)


class Failures(Socks):
    def fails(self, agent, code, words, host="site.example", port=443):
        """The same failure in both versions, and in the log; then the connection ends."""
        for connect, expected in ((socks.connect5, code), (socks.connect4, socks.REJECTED4)):
            client = self.client(agent)
            self.assertEqual(connect(client, host, port), expected)
            self.assertTrue(client.closed())
        agent.wait_log(r"warning: \[c\d+\.r1\] .*" + words)

    def test_answers_of_the_proxy(self):
        for status, fields, code, words in (
                (403, "", socks.NOT_ALLOWED, "the proxy answered 403 No to CONNECT site.example:443"), (451, "", socks.NOT_ALLOWED, "451"),
                (502, "", socks.HOST, "502"), (503, "", socks.HOST, "503"), (404, "", socks.HOST, "404"), (504, "", socks.EXPIRED, "504"),
                (503, "X-Squid-Error: ERR_CONNECT_FAIL 111\r\n", socks.REFUSED, r"503 No to CONNECT site.example:443 \(ERR_CONNECT_FAIL 111\)"),
                (503, "X-Squid-Error: ERR_DNS_FAIL 0\r\n", socks.HOST, "ERR_DNS_FAIL"),
                (500, "X-Squid-Error: ERR_CANNOT_FORWARD 0\r\n", socks.HOST, "ERR_CANNOT_FORWARD"),
                (502, "Proxy-Status: p; error=connection_refused\r\n", socks.REFUSED, "502"), (500, "", socks.FAILURE, "500"),
                (302, "Location: http://x.example/\r\n", socks.FAILURE, "302"), (400, "", socks.FAILURE, "400")):
            with self.subTest(status, fields=fields):
                _, agent = self.door(Canned(b"HTTP/1.1 %d No\r\n%sContent-Length: 3\r\n\r\nno\n" % (status, fields.encode())))
                self.fails(agent, code, words)

    def test_refused_secret(self):
        _, agent = self.door(Asks(Basic()), corp("basic", "alice"), secret="wrong")
        self.fails(agent, socks.FAILURE, "refused the password of alice")

    def test_client_credentials_cannot_pass(self):
        _, agent = self.door(Asks(Basic()), "client-credentials = pass")
        self.fails(agent, socks.FAILURE, "407 .*client-credentials = pass")

    def test_nobody_listens(self):
        with socket.socket() as holder:
            holder.bind(("127.0.0.1", 0))
            port = holder.getsockname()[1]
            _, agent = self.door(Open(), more="[route]\nno-proxy = 127.0.0.1\n")
            self.fails(agent, socks.REFUSED, "cannot connect to 127.0.0.1:%d: connection refused" % port, "127.0.0.1", port)
            agent = self.agent(LISTEN % ("127.0.0.1:0", "") + "[upstream corp]\nproxy = http://127.0.0.1:%d\nauth = none\n" % port)
            self.fails(agent, socks.REFUSED, "cannot connect to 127.0.0.1:%d" % port)

    def test_the_proxy_does_not_answer(self):
        silent = Silent()
        _, agent = self.door(silent, "auth = none\nanswer-timeout = 1")
        self.fails(agent, socks.EXPIRED, "did not answer in time")
        silent.release.set()

    def test_direct(self):
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
            proxy, agent = self.door(Open(), more="[route]\nno-proxy = 127.0.0.1\n")
            tunnel = self.opened(agent, "127.0.0.1", port, early=b"hello")
            with Wire(server.accept()[0]) as far:
                self.assertEqual(far.read(5), b"hello")
                far.send(b"and back")
                self.assertEqual(tunnel.read(8), b"and back")
            self.assertEqual(proxy.requests, [])


class Malformed(Socks):
    def test_each_gets_its_answer_and_words(self):
        proxy, agent = self.door(Open())
        five = b"\5\0"
        for data, answer, words in (
                (b"\5\1\1", b"\5\xff", "no way to authenticate"), (b"\5\0", b"\5\xff", "no way to authenticate"),
                (b"\6\1\0", b"", "neither SOCKS 5 nor SOCKS 4"), (b"\x16\3\1\0\0", b"", "neither SOCKS 5 nor SOCKS 4"),
                (b"\5\1\2\5\1\0", b"\5\2\1\1", "RFC 1929"),
                (b"\5\1\0" + socks.request5("site.example", 443, 2), five + b"\5\7\0\1\0\0\0\0\0\0", "BIND"),
                (b"\5\1\0" + socks.request5("site.example", 443, 3), five + b"\5\7\0\1\0\0\0\0\0\0", "UDP"),
                (b"\5\1\0\5\1\0\2", five + b"\5\x08\0\1\0\0\0\0\0\0", "kind of address"),
                (b"\5\1\0" + socks.request5("site.example", 0), five + b"\5\1\0\1\0\0\0\0\0\0", "port 0"),
                (b"\5\1\0" + socks.request5("", 443), five + b"\5\1\0\1\0\0\0\0\0\0", "name is empty"),
                (b"\5\1\0" + socks.request5("x y.example", 443), five + b"\5\1\0\1\0\0\0\0\0\0", "cannot"),
                (b"\5\1\0" + socks.request5("x:1 HTTP/1.1\r\nX-Evil: y", 443), five + b"\5\1\0\1\0\0\0\0\0\0", "cannot"),
                (socks.request4("site.example", 443, command=2), b"\0\x5b\0\0\0\0\0\0", "BIND"),
                (socks.request4("192.0.2.7", 443, b"u" * 256), b"\0\x5b\0\0\0\0\0\0", "more than 255 bytes")):
            with self.subTest(data[:40]):
                client = self.client(agent)
                client.send(data)
                self.assertEqual(client.read_to_end(), answer)
                agent.wait_log(r"warning: \[c\d+\] client 127\.0\.0\.1:\d+: .*" + words)
        self.assertEqual(proxy.requests, [])
        self.echoes(self.opened(agent))

    def test_ends_in_the_middle(self):
        _, agent = self.door(Open())
        for data in (b"", b"\5", b"\5\1\0\5\1\0\3", b"\4\1\0"):
            client = self.client(agent)
            client.send(data)
            client.shut()
            client.read_to_end()
        self.echoes(self.opened(agent))

    def test_http_at_the_door_of_socks(self):
        _, agent = self.door(Open())
        for request in (get("http://site.example/"), get("site.example:443", method="CONNECT")):
            client = self.client(agent)
            client.send(request)
            self.own(client.read_response(), 400, None, "HTTP came to an address where exeat speaks SOCKS", r"http in \[listen\]", r"In the log of exeat: c\d+")

    def test_socks_at_the_door_of_http(self):
        _, agent = self.door(Open())
        for data in (b"\5\1\0", b"\4"):
            client = self.wire(agent)
            client.send(data)
            self.own(client.read_response(), 400, None, "SOCKS came to an address where exeat speaks HTTP")
            self.assertTrue(client.closed())


class Admission(Socks):
    def test_own_uid_not_named(self):
        proxy, agent = self.door(Open(), where="127.0.0.1:0 unix:@DIR@/socks", listen="allow-uids = %d\n" % DAEMON)
        for client in (self.client(agent), self.stack.enter_context(Wire.connect_unix(os.path.join(agent.directory, "socks")))):
            self.assertEqual(client.read_to_end(), b"\5\xff")  # before a byte was sent
        agent.wait_log(r"warning: \[c1\] client .*belongs to uid %d\b.*, whom this proxy does not serve" % os.geteuid())
        self.assertEqual(proxy.requests, [])

    @unittest.skipUnless(os.geteuid() == 0, ROOT_ONLY)
    def test_other_users(self):
        proxy, agent = self.door(Open())
        request = b"\5\1\0" + socks.request5("leak.example", 443)
        self.assertEqual(run_client(NOBODY, "127.0.0.1", agent.port_of("SOCKS"), request), b"\5\xff")
        self.assertEqual(proxy.requests, [])
        agent.configure(LISTEN % ("127.0.0.1:0", "allow-uids = self nobody\n") + proxy.upstream())
        agent.reload()
        self.assertEqual(run_client(NOBODY, "127.0.0.1", agent.port_of("SOCKS"), request + b"hello", "shut"), b"\5\0\5\0\0\1\0\0\0\0\0\0hello<5 bytes>")
