"""CONNECT: both ends see every byte, in both directions, until each has ended its side."""

import socket
import threading

from base import Scenario, corp
from behaviours import Canned, Early, EarlyBytes, Talks
from gates import Ntlm
from proxy import Asks, Open, content
from wire import PATIENCE, get


class Tunnel(Scenario):
    def test_request(self):
        proxy, agent = self.both(Open())
        self.echoes(self.tunnel(agent))
        seen = proxy.requests[0]
        self.assertEqual((seen.method, seen.target, seen.get("Host"), seen.version), ("CONNECT", "site.example:443", "site.example:443", "HTTP/1.1"))
        self.assertEqual((seen.all("Content-Length"), seen.all("Transfer-Encoding")), ([], []))

    def test_early_bytes_of_the_client(self):
        for size in (1, 5000, 100000):
            with self.subTest(size):
                _, agent = self.both(Open())
                tunnel = self.tunnel(agent, early=content(size))
                self.assertEqual(tunnel.read(size), content(size))
                self.echoes(tunnel)

    def test_early_bytes_through_a_handshake(self):
        _, agent = self.both(Asks(Ntlm()), corp("ntlm"))
        for _ in range(2):
            tunnel = self.tunnel(agent, early=content(70000))
            self.assertEqual(tunnel.read(70000), content(70000))

    def test_early_bytes_of_the_far_side(self):
        for head in (b"HTTP/1.1 200 OK\r\n\r\n", b"HTTP/1.0 200 Connection established\r\nProxy-agent: x\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n",
                     b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"HTTP/1.1 299 Fine\r\n\r\n", b"HTTP/1.1 204 Fine\r\n\r\n",
                     b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n", b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\n"):
            with self.subTest(head):
                _, agent = self.both(EarlyBytes(b"SSH-2.0-hello\r\n", head))
                tunnel = self.wire(agent)
                tunnel.send(get("site.example:22", method="CONNECT"))
                answer = tunnel.read_response("CONNECT")
                self.assertEqual(answer.status // 100, 2)
                self.assertEqual((answer.all("Content-Length"), answer.all("Transfer-Encoding")), ([], []))
                self.assertEqual(tunnel.read(15), b"SSH-2.0-hello\r\n")
                self.echoes(tunnel)

    def test_client_ends_first(self):
        _, agent = self.both(Open())
        tunnel = self.tunnel(agent)
        data = content(3000000)
        sender = threading.Thread(target=lambda: (tunnel.send(data), tunnel.shut()))
        sender.start()
        self.assertEqual(tunnel.read_to_end(), data + b"<3000000 bytes>")
        sender.join()

    def test_far_side_ends_first(self):
        behaviour = Talks(2000000)
        _, agent = self.both(behaviour)
        tunnel = self.tunnel(agent)
        self.assertEqual(tunnel.read_to_end(), content(2000000))
        tunnel.send(content(500000))
        tunnel.shut()
        self.assertTrue(behaviour.end.wait(PATIENCE))
        self.assertEqual(behaviour.got, content(500000))

    def test_reset_by_the_client_ends_the_other_side(self):
        proxy, agent = self.both(Open())
        tunnel = self.tunnel(agent)
        self.echoes(tunnel)
        tunnel.reset()
        self.assertTrue(proxy.connections[0].ended_by_peer.wait(PATIENCE))

    def test_reset_by_the_far_side_ends_the_client(self):
        proxy, agent = self.both(Open())
        tunnel = self.tunnel(agent)
        self.echoes(tunnel)
        proxy.connections[0].sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        proxy.drop_all()
        self.assertTrue(tunnel.closed())

    def test_refusals_are_passed_on(self):
        for answer in (b"HTTP/1.1 403 No\r\nContent-Length: 3\r\nX-Why: rule 5\r\n\r\nno\n", b"HTTP/1.1 503 Later\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nno\n\r\n0\r\n\r\n",
                       b"HTTP/1.0 302 Elsewhere\r\nLocation: http://x.example/\r\n\r\nno\n"):
            with self.subTest(answer):
                proxy, agent = self.both(Canned(answer, close=answer.startswith(b"HTTP/1.0")))
                got = self.tunnel(agent, expect=int(answer[9:12]))
                self.assertEqual(got.body, b"no\n")
                self.assertEqual(len(proxy.requests), 1)

    def test_refusal_before_all_early_bytes_are_read(self):
        behaviour = Early(403, "close")
        _, agent = self.both(behaviour)
        self.assertEqual(self.tunnel(agent, expect=403, early=b"x" * 1000).body, b"too much\n")

    def test_tunnels_are_never_used_again(self):
        proxy, agent = self.both(Asks(Ntlm()), corp("ntlm", more="spares = 0"))
        for _ in range(3):
            tunnel = self.tunnel(agent)
            self.echoes(tunnel)
            tunnel.shut()
            tunnel.read_to_end()
        self.assertEqual(sorted(r.connection for r in proxy.requests if r is r.conn.requests[-1]), [1, 2, 3])

    def test_many_tunnels(self):
        _, agent = self.both(Asks(Ntlm()), corp("ntlm", more="connections = 200"))
        tunnels = [self.tunnel(agent) for _ in range(100)]
        for i, tunnel in enumerate(tunnels):
            tunnel.send(b"<%d>" % i)
        for i, tunnel in enumerate(tunnels):
            self.assertEqual(tunnel.read(len(b"<%d>" % i)), b"<%d>" % i)
