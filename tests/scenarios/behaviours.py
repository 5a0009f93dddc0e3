"""What real proxies rarely do, one small class each. `release` is always an Event that the test sets to let the behaviour go on."""

import socket
import threading

from proxy import Behaviour, Open, content
from wire import PATIENCE, chunked


class Canned(Behaviour):
    """Answers with the given bytes, one item per request in the order of arrival; the last one is repeated. An item that is None ends the
    connection instead; one that is callable is called with (conn, request). close: ends the connection after each answer."""

    def __init__(self, *answers, close=False):
        self.answers, self.close = answers, close
        self.at, self.lock = 0, threading.Lock()

    def handle(self, conn, request):
        with self.lock:
            answer = self.answers[min(self.at, len(self.answers) - 1)]
            self.at += 1
        if answer is None:
            return False
        if callable(answer):
            return answer(conn, request)
        conn.send(answer)
        return not self.close


class Hangup(Behaviour):
    """Closes before a byte was read."""

    def serve(self, conn):
        conn.reset()


class Silent(Behaviour):
    """Reads, and says nothing until released."""

    def __init__(self):
        self.release = threading.Event()

    def handle(self, conn, request):
        self.release.wait(PATIENCE)
        return False


class SaysFirst(Behaviour):
    """Sends something before it was asked anything, and closes when it is asked."""

    def __init__(self, data):
        self.data = data

    def serve(self, conn):
        conn.send(self.data)
        conn.sock.recv(1)


class Slow(Open):
    """Answers as Open does, but each request only once it is released."""

    def __init__(self, **options):
        self.release = threading.Event()
        super().__init__(**options)

    def handle(self, conn, request):
        self.release.wait(PATIENCE)
        return super().handle(conn, request)


class Stale(Open):
    """Answers `good` requests on each connection and closes it when the next one comes, without an answer: the stale keep-alive.
    on_first: the very first connection only."""

    def __init__(self, good=1, first_only=True, **options):
        self.good, self.first_only = good, first_only
        super().__init__(**options)

    def handle(self, conn, request):
        if len(conn.requests) > self.good and (conn.number == 1 or not self.first_only):
            conn.reset()
            return False
        return super().handle(conn, request)


class Unasked(Open):
    """After the first answer on each connection it says something that nobody asked for, once released. done: it has been sent."""

    def __init__(self, data, together=False, **options):
        self.data, self.together = data, together
        self.release, self.done = threading.Event(), threading.Event()
        super().__init__(**options)

    def handle(self, conn, request):
        if len(conn.requests) > 1:
            return super().handle(conn, request)
        if self.together:
            conn.send(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n" + self.data)
            return True
        super().handle(conn, request)
        self.release.wait(PATIENCE)
        conn.send(self.data)
        self.done.set()
        return True


class Early(Behaviour):
    """Answers a request as soon as it has seen the head; then reads on (drain), or stops reading until released, or closes."""

    def __init__(self, status=413, then="drain"):
        self.status, self.then = status, then
        self.release = threading.Event()

    def serve(self, conn):
        request = conn.read_request(body=False)
        if request is None:
            return
        conn.answer(self.status, b"too much\n", ["Connection: close"] if self.then == "close" else [])
        if self.then == "drain":
            try:
                conn.read_request_body(request)
            except AssertionError:
                return  # cut off: as good
            while conn.read_request() is not None:
                conn.answer(200, b"next\n")
        elif self.then == "stop":
            self.release.wait(PATIENCE)
        else:
            conn.close_softly()


class SlowReader(Open):
    """Reads the head, and the body only once it is released."""

    def __init__(self):
        self.release = threading.Event()
        super().__init__()

    def serve(self, conn):
        request = conn.read_request(body=False)
        if request is None:
            return
        self.release.wait(PATIENCE)
        conn.read_request_body(request)
        self.handle(conn, request)


class Continue(Open):
    """Expect: 100-continue as it should be: asks for the body once released (or refuses it)."""

    def __init__(self, status=100):
        self.status = status
        self.release, self.had_body = threading.Event(), []
        super().__init__()

    def serve(self, conn):
        while True:
            request = conn.read_request(body=False)
            if request is None:
                return
            if request.has_token("Expect", "100-continue"):
                self.release.wait(PATIENCE)
                if self.status != 100:
                    conn.answer(self.status, b"no\n", ["Connection: close"])
                    return
                conn.send("HTTP/1.1 100 Continue\r\n\r\n")
            conn.read_request_body(request)
            if not self.handle(conn, request):
                return


class EarlyBytes(Open):
    """The first bytes of the far side come in one piece with the 200 of a CONNECT."""

    def __init__(self, data, head=b"HTTP/1.1 200 OK\r\n\r\n"):
        self.data, self.head = data, head
        super().__init__()

    def connect(self, conn, request):
        conn.send(self.head + self.data)
        self.tunnel(conn)
        return False


class Talks(Open):
    """The far side of a tunnel speaks `size` bytes and ends its side; then counts what it still gets."""

    def __init__(self, size):
        self.size, self.got = size, None
        self.end = threading.Event()
        super().__init__()

    def tunnel(self, conn):
        conn.send(content(self.size))
        conn.shut()
        self.got = conn.read_to_end()
        self.end.set()


class Flood(Open):
    """So many 1xx answers before each real one."""

    def __init__(self, count, line=b"HTTP/1.1 103 Early Hints\r\nX-Pad: 0123456789\r\n\r\n"):
        self.count, self.line = count, line
        super().__init__()

    def handle(self, conn, request):
        for _ in range(self.count // 100):
            conn.send(self.line * 100)
        conn.send(self.line * (self.count % 100))
        return super().handle(conn, request)


class Endless(Behaviour):
    """An answer whose body never ends (bounded by `limit` bytes); counts what it could send."""

    def __init__(self, limit, head=b"HTTP/1.1 200 OK\r\n\r\n"):
        self.limit, self.head, self.sent = limit, head, 0

    def handle(self, conn, request):
        conn.send(self.head)
        block = content(65536)
        while self.sent < self.limit:
            conn.send(block)
            self.sent += len(block)
        return False


def trailing(conn, request):
    """An answer in chunks with trailers, of which some must not be merged."""
    conn.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked(b"abc", b"defg", trailers=["X-Sum: 7", "Content-Length: 99"]))
    return True


class Relays(Open):
    """CONNECT leads to the port of loopback that the target names, whatever host it names: for real programs and real servers. The proxy
    itself finds whom it was asked for in .requests."""

    def connect(self, conn, request):
        far = socket.create_connection(("127.0.0.1", int(request.target.rpartition(":")[2])), PATIENCE)
        far.sendall(conn.buffer)
        conn.send("HTTP/1.1 200 Connection established\r\n\r\n")
        up = threading.Thread(target=self._pump, args=(conn.sock, far), daemon=True)
        up.start()
        self._pump(far, conn.sock)
        up.join(PATIENCE)
        far.close()
        return False

    @staticmethod
    def _pump(source, sink):
        try:
            while data := source.recv(262144):
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            for sock in (source, sink):
                try:
                    sock.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass
