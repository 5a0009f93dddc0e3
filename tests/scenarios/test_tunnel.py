"""CONNECT: both ends see every byte, in both directions, until each has ended its side."""

import socket
import threading
import time

from agent import wait_until
from base import Scenario, corp
from behaviours import Canned, Early, EarlyBytes, Talks
from gates import Ntlm
from proxy import Asks, Open, content
from wire import PATIENCE, Wire, get


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


class Idle(Scenario):
    """tunnel-idle ends a tunnel in which nothing moves. One that nobody uses is the clock by which another one is judged."""

    LISTEN = "[listen]\nhttp = 127.0.0.1:0\ntunnel-idle = 2s\n"

    def test_silent(self):
        proxy, agent = self.both(Open(), "auth = none\nspares = 0", self.LISTEN)
        tunnel = self.tunnel(agent)
        self.echoes(tunnel)
        self.assertEqual(tunnel.read_to_end(), b"")
        proxy.wait(lambda: proxy.count_open() == 0)
        agent.wait_log("idle for too long")
        wait_until(lambda: agent.status()["tunnels_open"] == 0, "no tunnel")

    def test_half_closed(self):
        """The far side owes an end that never comes."""
        class Never(Open):
            def tunnel(self, conn):
                conn.sock.recv(1)
                conn.sock.recv(1)
                self.over.wait(PATIENCE)
            over = threading.Event()

        _, agent = self.both(Never(), more=self.LISTEN)
        tunnel = self.tunnel(agent)
        tunnel.send(b"x")
        tunnel.shut()
        self.assertEqual(tunnel.read_to_end(), b"")
        Never.over.set()

    def test_a_byte_now_and_then(self):
        _, agent = self.both(Open(), more=self.LISTEN)
        busy = self.tunnel(agent)
        silent = self.tunnel(agent)
        ended = threading.Thread(target=silent.read_to_end)
        ended.start()
        while ended.is_alive():
            self.echoes(busy, b"x")
            time.sleep(0.05)
        self.echoes(busy)

    def test_who_reads_slowly(self):
        """So that for long nothing comes from the far side, since what came before has not been taken."""
        class TalksOrEchoes(Talks):
            def connect(self, conn, request):
                conn.echoes = request.target.startswith("echo.")
                return super().connect(conn, request)

            def tunnel(self, conn):
                return Open.tunnel(self, conn) if conn.echoes else super().tunnel(conn)

        size = 30000000
        _, agent = self.both(TalksOrEchoes(size), more=self.LISTEN)
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
        sock.settimeout(PATIENCE)
        sock.connect(("127.0.0.1", agent.port))
        slow = self.stack.enter_context(Wire(sock))
        slow.send(get("site.example:443", method="CONNECT"))
        self.assertEqual(slow.read_response("CONNECT").status, 200)
        got = b""
        for _ in range(3):
            silent = self.tunnel(agent, "echo.example:443")
            ended = threading.Thread(target=silent.read_to_end)
            ended.start()
            while ended.is_alive():
                got += slow.read(1000)
                time.sleep(0.02)
        self.assertLess(len(got), size // 10)
        slow.shut()
        self.assertEqual(len(got + slow.read_to_end()), size)

    def test_who_never_reads(self):
        """Nor is cut off as if that had been all."""
        _, agent = self.both(Talks(30000000), more=self.LISTEN)
        tunnel = self.tunnel(agent)
        wait_until(lambda: agent.status()["tunnels_open"] == 0, "no tunnel")
        self.assertRaises(ConnectionResetError, tunnel.read_to_end)

    def test_zero_is_for_ever(self):
        """And a reload is for the tunnels that are open, too."""
        proxy, agent = self.both(Open(), more=self.LISTEN.replace("2s", "0"))
        tunnel = self.tunnel(agent)
        self.echoes(tunnel)
        agent.configure(proxy.upstream("auth = none") + self.LISTEN)
        agent.reload()
        self.assertEqual(tunnel.read_to_end(), b"")

    def test_dead_peers_are_looked_for(self):
        """Both ends have the kernel's timer for that running: the field "tr" of /proc/net/tcp."""
        proxy, agent = self.both(Open())
        tunnel = self.tunnel(agent)
        self.echoes(tunnel)
        ports = {"%04X" % tunnel.sock.getsockname()[1], "%04X" % proxy.port}

        def watched():
            with open("/proc/net/tcp") as table:
                rows = [line.split() for line in table][1:]
            return {row[2].split(":")[1] for row in rows if row[3] == "01" and row[5].startswith("02:")} >= ports
        wait_until(watched, "two timers")
