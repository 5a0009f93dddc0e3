"""A scripted proxy: listens on loopback, gives each connection a thread and a behaviour, and writes down all that it sees.

    with Proxy(Asks(Ntlm(), then=Open())) as proxy:      # or any callable that takes a connection
        ... proxy.port, proxy.requests, proxy.connections ...

What the agent sends is read strictly (wire.py); a connection on which it was not HTTP ends up in proxy.errors, and leaving the block
fails because of it. A behaviour is an object with handle(conn, request) -> keep the connection?; behaviours that need the raw bytes
define serve(conn) instead. The ordinary ones are here, the odd ones in behaviours.py."""

import hashlib
import json
import re
import socket
import threading
import time
import traceback

import tls as lib_tls
from gates import MORE, NO, OK, PROXY, STALE
from wire import PATIENCE, Wire, WireError

# A connection that says nothing is ended later than any test stops waiting for its end, or for what comes on it.
STAMINA = 3 * PATIENCE


class Connection(Wire):
    """A connection to us. number counts from 1; let_in: whose connection-bound scheme has succeeded on it."""

    def __init__(self, sock, proxy, number):
        super().__init__(sock, STAMINA)
        self.proxy, self.number = proxy, number
        self.let_in = set()
        self.close_next = False
        self.requests = []
        self.ended_by_peer = threading.Event()

    def read_head(self):
        message = super().read_head()
        if message is None:
            self.ended_by_peer.set()
        return message

    def read_request(self, body=True):
        """The next request, noted down as soon as its head is there; None at the end."""
        request = self.read_head()
        if request is not None:
            request.connection = self.number
            request.conn = self
            self.requests.append(request)
            self.proxy.note(request)
            if body:
                self.read_request_body(request)
        return request

    def answer(self, status, body=b"", fields=(), reason="Whatever", version="HTTP/1.1", framing="length", head_only=False):
        """One response. framing: length, chunked, close (the caller closes), none."""
        lines = ["%s %s %s" % (version, status, reason), *fields]
        if framing == "length":
            lines.append("Content-Length: %d" % len(body))
        elif framing == "chunked":
            lines.append("Transfer-Encoding: chunked")
            pieces = [body[at:at + 4001] for at in range(0, len(body), 4001)]
            body = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"
        elif framing == "close":
            lines.append("Connection: close")
        self.send("\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + (b"" if head_only else body))

    def close_softly(self):
        """Closes without losing what is on its way to the other side."""
        try:
            self.shut()
            self.read_to_end()
        except OSError:
            pass
        self.close()


class Proxy:
    def __init__(self, behaviour, host="127.0.0.1", name="proxy", backlog=512, receive_buffer=None, tls=None, port=0):
        """tls: a context (lib/tls.py) for a proxy that is reached by TLS; handshakes that failed are in .refused then."""
        self.behaviour, self.name, self.tls = behaviour, name, tls
        self.refused = []
        self.connections, self.requests, self.errors = [], [], []
        self.changed = threading.Condition()
        self.open = True
        self.held = self._socket(host, port)  # as lib/ports.py does: nobody else gets the port while we do not listen any more
        self.listener = self._socket(host, self.held.getsockname()[1])
        if receive_buffer:
            self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.listener.listen(backlog)
        self.host, self.port = host, self.listener.getsockname()[1]
        self.address = "%s:%d" % ("[%s]" % host if ":" in host else host, self.port)
        self.url = ("https://" if tls else "http://") + self.address
        self.threads = [threading.Thread(target=self._accept, daemon=True)]
        self.threads[0].start()

    @staticmethod
    def _socket(host, port):
        sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((host, port))
        return sock

    def upstream(self, lines="auth = none", name="corp"):
        """The section of a configuration that leads here."""
        return "[upstream %s]\nproxy = %s\n%s\n" % (name, self.url, lines)

    def note(self, request):
        with self.changed:
            self.requests.append(request)
            self.changed.notify_all()

    def wait(self, condition, what="a change at the scripted proxy", patience=PATIENCE):
        """Waits until condition() is true; it is asked again after each connection, request and end, and often, for what a behaviour or a gate counts."""
        end = time.monotonic() + patience
        with self.changed:
            while not condition():
                if time.monotonic() > end:
                    raise AssertionError("waited in vain for %s; seen: %r" % (what, self.requests))
                self.changed.wait(0.02)

    def wait_requests(self, count):
        self.wait(lambda: len(self.requests) >= count, "%d requests" % count)

    def count_open(self):
        return sum(1 for conn in self.connections if conn.sock.fileno() >= 0)

    def _accept(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self.changed:
                conn = Connection(sock, self, len(self.connections) + 1)
                self.connections.append(conn)
                self.changed.notify_all()
            thread = threading.Thread(target=self._run, args=(conn,), daemon=True)
            self.threads.append(thread)
            thread.start()

    def _run(self, conn):
        waited_in_vain = False
        try:
            if self.tls is None or self._secure(conn):
                self.behaviour.serve(conn)
        except TimeoutError:
            waited_in_vain = True
        except OSError:
            pass  # reset, or closed by us at the end
        except WireError as error:
            if self.open:
                self.errors.append("connection %d: %s" % (conn.number, error))
        except Exception:
            self.errors.append("connection %d: %s" % (conn.number, traceback.format_exc()))
        finally:
            if not waited_in_vain:
                conn.ended_by_peer.set()
            conn.close()
            with self.changed:
                self.changed.notify_all()

    def _secure(self, conn):
        conn.sock = lib_tls.TlsSocket(conn.sock, self.tls)
        try:
            conn.sock.handshake()
            return True
        except OSError as error:
            self.refused.append(str(error))
            return False

    def stop_listening(self):
        try:
            self.listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.listener.close()

    def drop_all(self):
        """Ends every connection."""
        for conn in list(self.connections):
            try:
                conn.sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        self.open = False
        self.stop_listening()
        self.threads[0].join(PATIENCE)  # who has come by now is among those that are dropped
        for name in ("release", "hold"):  # whoever still waits to answer need not
            event = getattr(self.behaviour, name, None)
            if isinstance(event, threading.Event):
                event.set()
        self.drop_all()
        for thread in self.threads:
            thread.join(PATIENCE)
        self.held.close()
        if error is None and self.errors:
            raise AssertionError("the scripted proxy met something that is not right:\n" + "\n".join(self.errors))
        if error is not None and self.errors and hasattr(error, "add_note"):
            error.add_note("the scripted proxy met:\n" + "\n".join(self.errors))


# --- contents: the same bytes for the same length, everywhere

_BLOCK = hashlib.sha512(b"exeat").digest() * 1024


def content(length):
    return (_BLOCK * (length // len(_BLOCK) + 1))[:length]


def sha(data):
    return hashlib.sha256(data).hexdigest()


class Behaviour:
    def serve(self, conn):
        while True:
            request = conn.read_request()
            if request is None or not self.handle(conn, request):
                return
            if conn.close_next or request.has_token("Connection", "close"):
                return

    def handle(self, conn, request):
        raise NotImplementedError


class Open(Behaviour):
    """Asks nobody for anything, and plays the origin too. The path of the target says what comes back:
    /echo  /bytes/N  /chunked/N  /until-close/N  /status/N  /trailers  /interim  /upgrade ; CONNECT: see tunnel()."""

    fields = ()
    version = "HTTP/1.1"

    def __init__(self, **options):
        for name, value in options.items():
            if not hasattr(self, name):
                raise TypeError("no such option: " + name)
            setattr(self, name, value)

    def handle(self, conn, request):
        if request.method == "CONNECT":
            return self.connect(conn, request)
        path = re.sub(r"^http://[^/]*", "", request.target) or "/"
        kind, _, argument = path.lstrip("/").partition("/")
        extra = list(self.fields) + list(getattr(request, "info", []))
        head_only = request.method == "HEAD"
        if kind == "bytes":
            conn.answer(200, content(int(argument)), extra, version=self.version, head_only=head_only)
        elif kind == "chunked":
            conn.answer(200, content(int(argument)), extra, framing="chunked", head_only=head_only)
        elif kind == "until-close":
            conn.answer(200, content(int(argument)), extra, framing="close", version=self.version)
            return False
        elif kind == "status":
            status = int(argument)
            conn.answer(status, b"" if status in (204, 304) else b"status\n", extra, framing="none" if status in (204, 304) else "length",
                        version=self.version, head_only=head_only)
        elif kind == "trailers":
            conn.send("HTTP/1.1 200 OK\r\nTrailer: X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n"
                      "5;ext=1\r\nhello\r\n0\r\nX-Sum: 5\r\nContent-Length: 77\r\n\r\n")
        elif kind == "interim":
            conn.send("HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n")
            conn.answer(200, b"after\n", extra)
        elif kind == "upgrade":
            return self.upgrade(conn, request)
        else:
            echo = {"method": request.method, "target": request.target, "fields": request.fields, "length": len(request.body),
                    "sha256": sha(request.body), "trailers": request.trailers, "chunks": len(request.chunks), "connection": conn.number}
            conn.answer(200, json.dumps(echo).encode(), ["Content-Type: application/json", *extra], version=self.version, head_only=head_only)
        return True

    def connect(self, conn, request):
        if request.target.startswith("refused.example"):
            conn.answer(403, b"no such place for you\n")
            return True
        lines = ["%s 200 Connection established" % self.version, *getattr(request, "info", [])]
        conn.send("\r\n".join(lines) + "\r\n\r\n")
        self.tunnel(conn)
        return False

    def upgrade(self, conn, request):
        if not request.has_token("Connection", "upgrade") or not request.get("Upgrade"):
            conn.answer(426, b"upgrade missing\n", ["Upgrade: echo"])
            return True
        conn.send("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: %s\r\n\r\n" % request.get("Upgrade"))
        self.tunnel(conn)
        return False

    def tunnel(self, conn):
        """An echo; after the other side's end it says how many bytes there were, and ends."""
        total = 0
        while True:
            data = conn.buffer or conn.sock.recv(262144)
            conn.buffer = b""
            if not data:
                break
            total += len(data)
            conn.sock.sendall(data)
        conn.sock.sendall(b"<%d bytes>" % total)
        conn.shut()
        conn.ended_by_peer.set()


class Asks(Behaviour):
    """Demands authentication by one or more gates before the behaviour `then`. Options are about the 407:
    page, framing (length | chunked | close), version, one_field (all challenges in one), close_after (numbers of 407s on a connection
    after which it closes: {1}), per_request (a connection is never let in), blocked (hosts that get a 407 in spite of good credentials),
    before (bytes sent in front of each 407, e.g. a 100), delay (an Event that holds back every verdict on a final token)."""

    page = b"<h1>407</h1>\n"
    framing = "length"
    version = "HTTP/1.1"
    one_field = False
    close_after = frozenset()
    per_request = False
    blocked = ()
    before = b""
    fields = ()
    hold = None

    def __init__(self, *gates, then=None, names=PROXY, **options):
        self.gates, self.then, self.names = gates, then or Open(), names
        self.asked = 0  # 407s sent
        self.lock = threading.Lock()
        for name, value in options.items():
            if not hasattr(self, name):
                raise TypeError("no such option: " + name)
            setattr(self, name, value)

    def refuse(self, conn, request, lines):
        with self.lock:
            self.asked += 1
        conn.asked = getattr(conn, "asked", 0) + 1
        close = conn.asked in self.close_after or self.framing == "close"
        keep = "Proxy-Connection: " + ("close" if close else "keep-alive")
        if self.before:
            conn.send(self.before)
        if close and self.framing != "close":
            lines = ["Connection: close", *lines]
        conn.answer(self.names.status, self.page, [*self.fields, keep, *lines], self.names.reason, self.version, self.framing,
                    head_only=request.method == "HEAD")
        return not close

    def lines(self, stale=None):
        values = []
        for gate in self.gates:
            values += gate.challenges(stale=True) if gate is stale else gate.challenges()
        if self.one_field:
            return ["%s: %s" % (self.names.challenge, ", ".join(values))]
        return ["%s: %s" % (self.names.challenge, value) for value in values]

    def handle(self, conn, request):
        given = request.get(self.names.credentials)
        host = re.sub(r"^http://", "", request.target).split("/")[0].rsplit(":", 1)[0]
        if given is None:
            if self not in conn.let_in or host in self.blocked:
                return self.refuse(conn, request, self.lines())
            return self.then.handle(conn, request)
        scheme, _, value = given.partition(" ")
        gate = next((gate for gate in self.gates if gate.scheme.lower() == scheme.lower()), None)
        if gate is None:
            return self.refuse(conn, request, self.lines())
        before = gate.attempts
        verdict, lines = gate.check(conn, request, value.strip(), self.names)
        if self.hold is not None and gate.attempts > before:
            self.hold.wait(PATIENCE)
        if verdict == MORE:
            return self.refuse(conn, request, lines)
        if verdict == STALE:
            return self.refuse(conn, request, self.lines(stale=gate))
        if verdict == NO or host in self.blocked:
            return self.refuse(conn, request, self.lines())
        assert verdict == OK
        if gate.binds and not self.per_request:
            conn.let_in.add(self)
        request.info = lines
        return self.then.handle(conn, request)

    def total(self):
        return sum(gate.attempts for gate in self.gates)


def wait_closed(conn, patience=PATIENCE):
    """Waits until the other side has closed this connection."""
    if not conn.ended_by_peer.wait(patience):
        raise AssertionError("the connection stays open")


def never(seconds, condition):
    """For what must not happen: looks for a while, which proves nothing when it is fine but never fails when it is."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return False
        time.sleep(0.01)
    return True
