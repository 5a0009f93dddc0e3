"""The origin server, which is reached through a Squid only. Own code on sockets, so that each answer has exactly the bytes a test wants.

    /bytes/N          N bytes, Content-Length              /chunked/N    the same, chunked
    /trailers/N       chunked, X-Sha256 as a trailer       /close/N      the same, ended by close
    /truncated/N      Content-Length N, half of it         /status/NNN   that status (204 and 304 without a body)
    /echo             JSON: what arrived, body as size and sha256
    /hints            103 with a Link, then 200            /redirect     302 to /echo
    /expect-refused   417 to Expect, without a 100         /hold/NAME    answers once /release/NAME was asked for
    /ntlm             200 only on a connection that has proved to be alice by NTLM (401 otherwise)
    /ws               WebSocket echo                       /git/, /npm/  a repository, a registry
    /files/...        what other package managers ask for: content.py
    /v2/...           a registry of container images

    Ports: 80, 8080, 443 (TLS); raw TCP 7007 (answers after end of file), 7008 (speaks first, then echoes), 7009 (echoes, passes on half-closes).
Every request goes into a log, one line of JSON, before its answer is sent. `origin.py ADDRESS` is a second one, on the client side."""

import base64
import hashlib
import hmac
import json
import os
import re
import socket
import ssl
import struct
import subprocess
import sys
import threading

import content
import world

_log_lock = threading.Lock()
_connections = iter(range(1, 1 << 60))
_held = {}
_held_lock = threading.Lock()
_tarball = content.npm_tarball()
_files = content.files()
_image = content.image()


class Gone(Exception):
    """The other side has closed, or speaks no HTTP: the connection is closed without a word."""


def _event(name):
    with _held_lock:
        return _held.setdefault(name, threading.Event())


class Connection:
    def __init__(self, sock, secure):
        self.sock, self.secure = sock, secure
        self.file = sock.makefile("rb", 262144)
        self.number = next(_connections)
        self.challenge = self.user = None  # NTLM
        self.keep = True

    # --- reading

    def read_head(self):
        line = self.file.readline(65537)
        if not line:
            return False
        parts = line.decode("latin-1").rstrip("\r\n").split(" ")
        if len(parts) != 3:
            raise Gone
        self.method, self.target, self.version = parts
        self.headers = []
        while True:
            line = self.file.readline(300000).decode("latin-1")
            if not line:
                raise Gone
            if line in ("\r\n", "\n"):
                break
            name, _, value = line.partition(":")
            self.headers.append((name, value.strip()))
        self.body_read = self.continued = False
        self.body_size, self.body_sha256, self.trailers = 0, hashlib.sha256(b"").hexdigest(), []
        self.keep = self.version == "HTTP/1.1" and (self.header("connection") or "").lower() != "close"
        return True

    def header(self, name):
        for key, value in self.headers:
            if key.lower() == name:
                return value
        return None

    def body(self):
        """The request's body in pieces; answers Expect first."""
        self.body_read = True
        if (self.header("expect") or "").lower() == "100-continue":
            self.continued = True
            self.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        if (self.header("transfer-encoding") or "").lower() == "chunked":
            while True:
                size = int(self.file.readline(4096).split(b";")[0], 16)
                if size == 0:
                    break
                yield from self._exactly(size)
                self.file.readline(4096)
            while True:
                line = self.file.readline(4096).decode("latin-1").rstrip("\r\n")
                if not line:
                    return
                name, _, value = line.partition(":")
                self.trailers.append((name, value.strip()))
        elif self.header("content-length"):
            yield from self._exactly(int(self.header("content-length")))

    def _exactly(self, size):
        while size:
            piece = self.file.read1(min(size, 262144))
            if not piece:
                raise Gone
            size -= len(piece)
            yield piece

    def drain(self):
        digest, size = hashlib.sha256(), 0
        for piece in self.body():
            digest.update(piece)
            size += len(piece)
        self.body_size, self.body_sha256 = size, digest.hexdigest()

    # --- writing

    def send(self, data):
        self.sock.sendall(data)

    def head(self, status, *fields, length=None):
        reason = {100: "Continue", 200: "OK", 204: "No Content", 206: "Partial Content", 302: "Found", 304: "Not Modified", 401: "Unauthorized",
                  404: "Not Found", 417: "Expectation Failed"}.get(status, "Status")
        lines = ["HTTP/1.1 %d %s" % (status, reason), "Server: lab", "X-Connection: %d" % self.number, *fields]
        if length is not None:
            lines.append("Content-Length: %d" % length)
        if not self.keep:
            lines.append("Connection: close")
        self.send(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1"))

    def answer(self, status, body=b"", *fields, kind="text/plain"):
        self.head(status, "Content-Type: " + kind, *fields, length=len(body))
        if self.method != "HEAD":
            self.send(body)

    def send_pieces(self, pieces, chunked=False):
        if self.method == "HEAD":
            return
        for piece in pieces:
            self.send(b"%x\r\n%s\r\n" % (len(piece), piece) if chunked else piece)

    # --- one request

    def record(self):
        line = {"connection": self.number, "method": self.method, "target": self.target, "version": self.version, "headers": self.headers,
                "size": self.body_size, "sha256": self.body_sha256, "trailers": self.trailers, "continued": self.continued,
                "tls": self.secure, "user": self.user}
        with _log_lock, open(world.ORIGIN_LOG, "a") as log:
            log.write(json.dumps(line) + "\n")
        return line

    def serve(self):
        while self.keep and self.read_head():
            path = re.sub("^https?://[^/]*", "", self.target).split("?")[0]
            name, _, argument = path[1:].partition("/")
            handler = _PATHS.get(name, not_found)
            if handler not in _OWN_BODY:  # the others read it, and write their line, themselves
                self.drain()
                self.record()
            handler(self, argument)


def not_found(c, _argument):
    c.answer(404, b"no such thing\n")


def root(c, _argument):
    c.answer(200, b"the origin\n")


def send_bytes(c, argument):
    size = int(argument)
    c.head(200, "X-Sha256: " + content.sha256(size), length=size)
    c.send_pieces(content.pieces(size))


def send_chunked(c, argument):
    size = int(argument)
    c.head(200, "X-Sha256: " + content.sha256(size), "Transfer-Encoding: chunked")
    c.send_pieces(content.pieces(size), chunked=True)
    if c.method != "HEAD":
        c.send(b"0\r\n\r\n")


def send_trailers(c, argument):
    size = int(argument)
    c.head(200, "Transfer-Encoding: chunked", "Trailer: X-Sha256")
    c.send_pieces(content.pieces(size), chunked=True)
    c.send(b"0\r\nX-Sha256: %s\r\n\r\n" % content.sha256(size).encode())


def send_close(c, argument):
    c.keep = False
    c.head(200, "X-Sha256: " + content.sha256(int(argument)))
    c.send_pieces(content.pieces(int(argument)))


def send_truncated(c, argument):
    c.keep = False
    c.head(200, length=int(argument))
    c.send_pieces(content.pieces(int(argument) // 2))


def send_status(c, argument):
    status = int(argument)
    if status in (204, 304):
        c.head(status)
    else:
        c.answer(status, b"status %d\n" % status)


def echo(c, _argument):
    c.drain()
    c.answer(200, json.dumps(c.record()).encode(), kind="application/json")


def hints(c, _argument):
    c.send(b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n")
    c.answer(200, b"after the hints\n")


def redirect(c, _argument):
    c.answer(302, b"", "Location: /echo")


def expect_refused(c, _argument):
    c.record()
    c.keep = False
    c.answer(417, b"not this\n")


HOLD_SECONDS = 300  # for tests that never end it


def hold(c, name):
    _event(name).wait(HOLD_SECONDS)
    c.answer(200, b"held\n")


def release(c, name):
    _event(name).set()
    c.answer(200, b"released\n")


# --- NTLM towards the origin: the connection, not the request, is let in (MS-NTHT; MS-NLMP section 3.3.2 for the proof)

_ALICE_NT_HASH = None


def _field(message, offset):
    length, _, start = struct.unpack_from("<HHI", message, offset)
    return message[start:start + length]


def _proves_alice(message, challenge):
    response, domain, user = _field(message, 20), _field(message, 28), _field(message, 36)
    name = user.decode("utf-16-le")
    if name.lower() != "alice" or len(response) < 24:
        return None
    key = hmac.new(_ALICE_NT_HASH, name.upper().encode("utf-16-le") + domain, "md5").digest()
    proof = hmac.new(key, challenge + response[16:], "md5").digest()
    return "alice" if hmac.compare_digest(proof, response[:16]) else None


def _type2(challenge):
    name = "LAB".encode("utf-16-le")
    info = struct.pack("<HH", 2, len(name)) + name + struct.pack("<HH", 1, len(name)) + name + struct.pack("<HH", 0, 0)
    flags = 0x00000001 | 0x00000200 | 0x00010000 | 0x00080000 | 0x00800000
    head = b"NTLMSSP\0" + struct.pack("<IHHII", 2, len(name), len(name), 56, flags) + challenge + bytes(8)
    return head + struct.pack("<HHI", len(info), len(info), 56 + len(name)) + bytes.fromhex("060000000000000f") + name + info


def ntlm(c, _argument):
    scheme, _, token = (c.header("authorization") or "").partition(" ")
    if scheme.upper() == "NTLM":
        message = base64.b64decode(token)
        kind = struct.unpack_from("<I", message, 8)[0]
        if kind == 1:
            c.challenge, c.user = os.urandom(8), None
            return c.answer(401, b"go on\n", "WWW-Authenticate: NTLM " + base64.b64encode(_type2(c.challenge)).decode())
        if kind == 3 and c.challenge:
            c.user, c.challenge = _proves_alice(message, c.challenge), None
    if c.user:
        return c.answer(200, json.dumps({"user": c.user, "connection": c.number, "size": c.body_size, "sha256": c.body_sha256}).encode())
    return c.answer(401, b"who are you?\n", "WWW-Authenticate: NTLM")


# --- WebSocket (RFC 6455): unfragmented frames, echoed

def web_socket(c, _argument):
    c.record()
    c.keep = False
    key = c.header("sec-websocket-key")
    if (c.header("upgrade") or "").lower() != "websocket" or not key:
        return c.answer(426, b"upgrade\n")
    accept = base64.b64encode(hashlib.sha1((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()).decode()
    c.send(("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n" % accept).encode())
    while True:
        first = c.file.read(2)
        if len(first) < 2:
            return None
        size = first[1] & 127
        if size == 126:
            size = struct.unpack(">H", c.file.read(2))[0]
        elif size == 127:
            size = struct.unpack(">Q", c.file.read(8))[0]
        mask = c.file.read(4)
        masked = c.file.read(size)
        wide = (mask * (size // 4 + 1))[:size]
        data = (int.from_bytes(masked, "big") ^ int.from_bytes(wide, "big")).to_bytes(size, "big")
        head = bytes([first[0]]) + (bytes([size]) if size < 126 else b"\x7e" + struct.pack(">H", size) if size < 65536 else
                                    b"\x7f" + struct.pack(">Q", size))
        c.send(head + data)
        if first[0] & 15 == 8:
            return None


# --- git and npm

def git(c, argument):
    query = c.target.partition("?")[2]
    environment = {"PATH": os.environ["PATH"], "GIT_PROJECT_ROOT": world.ORIGIN + "/git", "GIT_HTTP_EXPORT_ALL": "1", "PATH_INFO": "/" + argument,
                   "QUERY_STRING": query, "REQUEST_METHOD": c.method, "CONTENT_TYPE": c.header("content-type") or "",
                   "GIT_PROTOCOL": c.header("git-protocol") or "", "HTTP_CONTENT_ENCODING": c.header("content-encoding") or "",
                   "REMOTE_ADDR": "10.53.1.3", "HOME": world.HOME}
    body = b"".join(c.body())
    c.record()
    environment["CONTENT_LENGTH"] = str(len(body))
    run = subprocess.run(["git", "http-backend"], input=body, env=environment, stdout=subprocess.PIPE)
    head, _, out = run.stdout.partition(b"\r\n\r\n")
    status, fields = 200, []
    for line in head.decode("latin-1").split("\r\n"):
        if line.lower().startswith("status:"):
            status = int(line.split()[1])
        elif line:
            fields.append(line)
    c.head(status, *fields, length=len(out))
    c.send(out)


def npm(c, argument):
    if argument == content.NPM_NAME:
        registry = "%s://%s/npm" % ("https" if c.secure else "http", c.header("host"))
        return c.answer(200, content.npm_packument(registry, _tarball), kind="application/json")
    if argument.endswith(".tgz"):
        return c.answer(200, _tarball, kind="application/octet-stream")
    return not_found(c, argument)


def files(c, argument):
    body = _files.get(argument)
    if body is None:
        return not_found(c, argument)
    return c.answer(200, body, kind="text/html" if argument.endswith("/") else "application/atom+xml" if body.startswith(b"<entry") else "application/octet-stream")


def registry(c, argument):
    """A registry of container images (the distribution API, version 2)."""
    kind, body = _image.get(argument, ("", None))
    if body is None:
        return not_found(c, argument)
    return c.answer(200, body, "Docker-Distribution-Api-Version: registry/2.0", "Docker-Content-Digest: sha256:" + hashlib.sha256(body).hexdigest(), kind=kind)


_PATHS = {"": root, "bytes": send_bytes, "chunked": send_chunked, "trailers": send_trailers, "close": send_close, "truncated": send_truncated,
          "status": send_status, "echo": echo, "hints": hints, "redirect": redirect, "expect-refused": expect_refused, "hold": hold,
          "release": release, "ntlm": ntlm, "ws": web_socket, "git": git, "npm": npm, "files": files, "v2": registry}
_OWN_BODY = (echo, expect_refused, git, web_socket)


# --- raw TCP

def raw_after_eof(sock):
    digest, size = hashlib.sha256(), 0
    while True:
        piece = sock.recv(262144)
        if not piece:
            break
        digest.update(piece)
        size += len(piece)
    sock.sendall(b"%d %s\n" % (size, digest.hexdigest().encode()))


def raw_speaks_first(sock):
    sock.sendall(b"hello from the origin\n")
    raw_echo(sock)


def raw_echo(sock):
    while True:
        piece = sock.recv(262144)
        if not piece:
            return
        sock.sendall(piece)


# --- listening

def _http(sock, secure=None):
    if secure:
        sock = secure.wrap_socket(sock, server_side=True)
    connection = Connection(sock, bool(secure))
    try:
        connection.serve()
    finally:
        connection.file.close()  # the descriptor lives as long as either of the two
        sock.close()


def _each(listener, work):
    while True:
        sock, _ = listener.accept()
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

        def run(sock=sock):
            try:
                with sock:
                    work(sock)
            except (OSError, Gone, ValueError, struct.error) as error:
                print("connection ended: %r" % error, flush=True)

        threading.Thread(target=run, daemon=True).start()


def main(address=world.ORIGIN_ADDRESS):
    global _ALICE_NT_HASH
    from samba.credentials import Credentials  # OpenSSL 3 has no MD4 without its legacy provider

    credentials = Credentials()
    credentials.set_password(world.PASSWORDS["alice"])
    _ALICE_NT_HASH = bytes(credentials.get_nt_hash())
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(world.ORIGIN + "/origin.pem", world.ORIGIN + "/origin.key")
    services = {80: _http, 8080: _http, 443: lambda sock: _http(sock, tls), world.RAW_AFTER_EOF: raw_after_eof,
                world.RAW_SPEAKS_FIRST: raw_speaks_first, world.RAW_ECHO: raw_echo}
    for port, work in services.items():
        listener = socket.create_server((address, port), backlog=1024)
        threading.Thread(target=_each, args=(listener, work), daemon=True).start()
    print("ready", flush=True)
    threading.Event().wait()


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
