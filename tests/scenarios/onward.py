"""Servers that lead on: a scripted SOCKS5 server, a proxy whose tunnels reach their target, and one with a site by TLS behind its tunnels."""

import socket
import struct
import threading

import tls
from gates import Gate
from proxy import STAMINA, Behaviour, Open
from wire import PATIENCE, Wire, WireError


def splice(conn, far):
    """Both ways until both have ended; `conn` may have read ahead."""
    far.settimeout(STAMINA)

    def pump(receive, to):
        try:
            while True:
                data = receive()
                if not data:
                    break
                to.sendall(data)
            to.shutdown(socket.SHUT_WR)
        except OSError:
            for end in (conn.sock, far):
                try:
                    end.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass

    with far:
        if conn.buffer:
            far.sendall(conn.buffer)
            conn.buffer = b""
        back = threading.Thread(target=pump, args=(lambda: far.recv(65536), conn.sock), daemon=True)
        back.start()
        pump(lambda: conn.sock.recv(65536), far)
        back.join(PATIENCE)


def connect_to(host, port):
    return socket.create_connection((host.strip("[]"), port), timeout=PATIENCE)


class Onward(Open):
    """A proxy whose CONNECT leads to the target, which is on loopback. answers: target -> what it says instead (status)."""

    answers = {}

    def connect(self, conn, request):
        status = self.answers.get(request.target)
        if status:
            conn.answer(status, b"no\n")
            return True
        host, _, port = request.target.rpartition(":")
        try:
            far = connect_to(host, int(port))
        except OSError:
            conn.answer(503, b"nobody there\n", ["X-Squid-Error: ERR_CONNECT_FAIL 111"])
            return True
        conn.send("HTTP/1.1 200 Connection established\r\n\r\n")
        splice(conn, far)
        return False


class Pair(Gate):
    """User and password of RFC 1929."""

    def judge(self, user, password):
        return self.count((user, password) == (self.user, self.password))


class SocksServer(Behaviour):
    """SOCKS5 (RFC 1928). gate: a Pair that it insists on; None: it asks nobody. then: what is behind it, a behaviour, for every destination;
    None: it leads on. method, status, reply: bytes to say in place of its own, or "close", or "silence"; code: the reply's. onwards: an address
    bound, as it is in the reply. piecemeal: one byte at a time. early: said by the other end at once, in one piece with the reply. hold: an
    Event that holds back the verdict on the pair."""

    gate = None
    then = None
    method = status = reply = None
    code = 0
    bound = b"\1\0\0\0\0\0\0"
    piecemeal = False
    early = b""
    hold = None

    def __init__(self, **options):
        self.seen = []  # (host, port) as they were asked for: names and addresses as text
        self.kinds = []
        self.greetings = []
        for name, value in options.items():
            if not hasattr(self, name):
                raise TypeError("no such option: " + name)
            setattr(self, name, value)

    def say(self, conn, own, instead=None):
        """false: that was the end of it."""
        data = own if instead is None else instead
        if data == "silence":
            conn.sock.recv(1)
            return False
        if data == "close":
            return False
        if self.piecemeal:
            for at in range(len(data)):
                conn.send(data[at:at + 1])
        else:
            conn.send(data)
        if instead is not None:
            conn.read_to_end()
        return instead is None

    def serve(self, conn):
        try:
            self.answer(conn)
        except WireError:
            if not conn.ended:
                raise  # else: a spare that nobody needed, or who was told no

    def answer(self, conn):
        if not self.greeted(conn):
            return
        if conn.read(3) != b"\5\1\0":
            raise WireError("no CONNECT of SOCKS5")
        kind = conn.read(1)[0]
        if kind == 3:
            host = conn.read(conn.read(1)[0]).decode()
        else:
            host = socket.inet_ntop({1: socket.AF_INET, 4: socket.AF_INET6}[kind], conn.read({1: 4, 4: 16}[kind]))
        port = struct.unpack(">H", conn.read(2))[0]
        with conn.proxy.changed:
            self.kinds.append(kind)
            self.seen.append((host, port))
            conn.proxy.changed.notify_all()
        code = self.code(host) if callable(self.code) else self.code
        if not self.say(conn, bytes([5, code, 0]) + self.bound + (b"" if code else self.early), self.reply) or code:
            return
        if self.then is None:
            splice(conn, connect_to(host, port))
        elif port == 443:
            self.then.tunnel(conn)
        else:
            self.then.serve(conn)

    def greeted(self, conn):
        version, count = conn.read(2)
        methods = conn.read(count)
        if version != 5:
            raise WireError("no greeting of SOCKS5")
        self.greetings.append(methods)
        wanted = 2 if self.gate else 0
        if not self.say(conn, bytes([5, wanted if wanted in methods else 0xFF]), self.method) or wanted not in methods:
            return False
        if not self.gate:
            return True
        if conn.read(1) != b"\1":
            raise WireError("no user and password of RFC 1929")
        user = conn.read(conn.read(1)[0]).decode()
        good = self.gate.judge(user, conn.read(conn.read(1)[0]).decode())
        if self.hold:
            self.hold.wait(PATIENCE)
        return self.say(conn, b"\1\0" if good else b"\1\1", self.status) and good


def site_certificate():
    return tls.made("site", lambda: tls.Certificate("site.example", issuer=tls.authority()))


class TlsSite(Open):
    """Behind a CONNECT there is site.example by TLS, with the same content. inside: the requests that came through tunnels."""

    def __init__(self, **options):
        self.inside = []
        super().__init__(**options)

    def tunnel(self, conn):
        context = tls.context(site_certificate())
        context.num_tickets = 0  # curl with GnuTLS 3.7, through a proxy that speaks TLS too, overlooks an answer that comes in one record with tickets
        conn.sock = tls.TlsSocket(conn.sock, context)
        conn.sock.handshake()
        while (request := Wire.read_request(conn)) is not None:
            request.conn = conn
            request.first[1] = "http://site.example" + request.target
            self.inside.append(request)
            if not self.handle(conn, request) or request.has_token("Connection", "close"):
                return
