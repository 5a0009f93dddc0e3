"""HTTP/1 over a plain socket, byte by byte: tests must see what was really sent, so nothing here mends, guesses or retries."""

import os
import re
import socket

PATIENCE = float(os.environ.get("EXEAT_TEST_PATIENCE", "30"))  # seconds for one read; never a figure that is tested


class WireError(AssertionError):
    """What came is not the HTTP that was expected."""


class Message:
    """The head and body of one message. fields: [(name, value)] in order and spelling; first: the three parts of the start line."""

    def __init__(self, raw_head, first, fields):
        self.raw_head, self.first, self.fields = raw_head, first, fields
        self.body = b""
        self.trailers = []
        self.chunks = []  # sizes, as they came
        self.interim = []  # 1xx answers before this one
        self.complete = True  # False: cut short by the end of the connection

    def get(self, name, default=None):
        values = self.all(name)
        return values[0] if values else default

    def all(self, name):
        return [value for key, value in self.fields if key.lower() == name.lower()]

    def names(self):
        return [name for name, _ in self.fields]

    def has_token(self, name, token):
        return any(token.lower() == part.strip().lower() for value in self.all(name) for part in value.split(","))

    # responses
    @property
    def status(self):
        return int(self.first[1])

    @property
    def version(self):
        return self.first[0] if self.first[0].startswith("HTTP/") else self.first[2]

    # requests
    @property
    def method(self):
        return self.first[0]

    @property
    def target(self):
        return self.first[1]

    @property
    def text(self):
        return self.body.decode("utf-8", "replace")

    def __repr__(self):
        return "<%s>" % " ".join(self.first)


_FIELD = re.compile(r"([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*(.*?)[ \t]*\Z", re.S)


def parse_head(raw):
    """Bytes with the empty line -> Message; WireError for anything that RFC 9112 does not allow."""
    if not raw.endswith(b"\r\n\r\n"):
        raise WireError("no empty line at the end of %r" % raw[-80:])
    lines = raw[:-4].decode("latin-1").split("\r\n")
    first = lines[0].split(" ", 2)
    if len(first) != 3:
        raise WireError("start line %r" % lines[0])
    fields = []
    for line in lines[1:]:
        match = _FIELD.match(line)
        if not match or "\r" in line or "\n" in line or "\0" in line:
            raise WireError("field line %r" % line)
        fields.append((match.group(1), match.group(2)))
    return Message(raw, first, fields)


class Wire:
    """A connection with a read buffer of its own."""

    def __init__(self, sock, patience=PATIENCE):
        self.sock = sock
        self.sock.settimeout(patience)
        self.buffer = b""
        self.ended = False

    @classmethod
    def connect(cls, port, host="127.0.0.1", patience=PATIENCE):
        sock = socket.create_connection((host, port), timeout=patience)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return cls(sock, patience)

    @classmethod
    def connect_unix(cls, path, patience=PATIENCE):
        sock = socket.socket(socket.AF_UNIX)
        sock.settimeout(patience)
        sock.connect(path)
        return cls(sock, patience)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.sock.close()

    def reset(self):
        """Closes with RST."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.sock.close()

    def shut(self):
        """No more from this side; the other side may go on."""
        self.sock.shutdown(socket.SHUT_WR)

    def send(self, data):
        self.sock.sendall(data.encode("latin-1") if isinstance(data, str) else data)

    def _more(self):
        data = b"" if self.ended else self.sock.recv(262144)
        if not data:
            self.ended = True
            return False
        self.buffer += data
        return True

    def read(self, count):
        """Exactly that many bytes."""
        parts, have = [], 0
        while have < count:
            if not self.buffer and not self._more():
                raise WireError("the connection ended %d bytes before the end" % (count - have))
            part, self.buffer = self.buffer[:count - have], self.buffer[count - have:]
            parts.append(part)
            have += len(part)
        return b"".join(parts)

    def read_to_end(self):
        """All that comes until the other side closes."""
        parts = []
        while True:
            parts.append(self.buffer)
            self.buffer = b""
            if not self._more():
                return b"".join(parts)

    def read_until(self, mark):
        """Up to and with the mark; b"" when the connection ends cleanly before the first byte."""
        looked = 0
        while True:
            at = self.buffer.find(mark, max(0, looked - len(mark)))
            if at >= 0:
                out, self.buffer = self.buffer[:at + len(mark)], self.buffer[at + len(mark):]
                return out
            looked = len(self.buffer)
            if not self._more():
                if not self.buffer:
                    return b""
                raise WireError("the connection ended inside %r" % self.buffer[:200])

    def read_head(self):
        """The next head, or None at a clean end of the connection."""
        raw = self.read_until(b"\r\n\r\n")
        return parse_head(raw) if raw else None

    def read_chunked(self, message):
        parts = []
        while True:
            line = self.read_until(b"\r\n")
            match = re.fullmatch(rb"([0-9a-fA-F]+)((?:;.*)?)\r\n", line)
            if not match:
                raise WireError("chunk size line %r" % line)
            size = int(match.group(1), 16)
            message.chunks.append(size)
            if size == 0:
                break
            parts.append(self.read(size))
            if self.read(2) != b"\r\n":
                raise WireError("no CRLF behind a chunk")
        message.body = b"".join(parts)
        while True:
            line = self.read_until(b"\r\n")
            if line == b"\r\n":
                return
            match = _FIELD.match(line[:-2].decode("latin-1"))
            if not match:
                raise WireError("trailer line %r" % line)
            message.trailers.append((match.group(1), match.group(2)))

    def read_request(self):
        """One request with its body, or None at a clean end."""
        message = self.read_head()
        if message is not None:
            self.read_request_body(message)
        return message

    def read_request_body(self, message):
        if message.get("Transfer-Encoding", "").lower() == "chunked":
            if message.all("Content-Length"):
                raise WireError("both lengths in %r" % message.raw_head)
            self.read_chunked(message)
        elif message.all("Content-Length"):
            values = message.all("Content-Length")
            if len(values) != 1 or not re.fullmatch("[0-9]+", values[0]):
                raise WireError("Content-Length %r" % values)
            message.body = self.read(int(values[0]))

    def read_response(self, method="GET", allow_short=False):
        """The next final response, read strictly; 1xx before it are in .interim (101 is final). 2xx to CONNECT: no body is read."""
        interim = []
        while True:
            message = self.read_head()
            if message is None:
                raise WireError("the connection ended where a response was expected")
            if not re.fullmatch(r"HTTP/1\.[01]", message.first[0]) or not re.fullmatch("[1-9][0-9][0-9]", message.first[1]):
                raise WireError("status line %r" % (message.first,))
            if message.status >= 200 or message.status == 101:
                break
            interim.append(message)
        message.interim = interim
        if method == "HEAD" or message.status in (101, 204, 304) or (method == "CONNECT" and message.status < 300):
            return message
        lengths, codings = message.all("Content-Length"), message.all("Transfer-Encoding")
        if codings and lengths:
            raise WireError("both lengths in %r" % message.raw_head)
        try:
            if codings:
                if [c.lower() for c in codings] != ["chunked"]:
                    raise WireError("Transfer-Encoding %r" % codings)
                self.read_chunked(message)
            elif lengths:
                if len(lengths) != 1 or not re.fullmatch("[0-9]+", lengths[0]):
                    raise WireError("Content-Length %r" % lengths)
                message.body = self.read(int(lengths[0]))
            else:
                message.body = self.read_to_end()
        except (WireError, ConnectionResetError) as error:
            if not allow_short or isinstance(error, WireError) and "ended" not in str(error):
                raise
            message.complete = False
        return message

    def ask(self, data, method=None, allow_short=False):
        """Sends a request and reads its response."""
        if isinstance(data, str):
            data = data.encode("latin-1")
        self.send(data)
        return self.read_response(method or data.split(b" ", 1)[0].decode("latin-1"), allow_short)

    def closed(self):
        """Waits for the other side to close and says whether nothing more came before that; a reset counts as closed."""
        try:
            return self.read_to_end() == b""
        except ConnectionResetError:
            return True


def once(port, data, method=None, host="127.0.0.1"):
    """One request on a connection of its own."""
    with Wire.connect(port, host) as wire:
        return wire.ask(data, method)


def get(target, *fields, method="GET", version="1.1", body=None):
    """The text of a simple request through a proxy."""
    authority = target.split("/")[2] if "://" in target else target
    lines = ["%s %s HTTP/%s" % (method, target, version), "Host: " + authority, *fields]
    if body is not None and not any(f.lower().startswith(("content-length:", "transfer-encoding:")) for f in fields):
        lines.append("Content-Length: %d" % len(body))
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + (body or b"")


def chunked(*pieces, trailers=()):
    """A body in the chunked coding."""
    text = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces if piece)
    return text + b"0\r\n" + b"".join(b"%s\r\n" % t.encode("latin-1") for t in trailers) + b"\r\n"
