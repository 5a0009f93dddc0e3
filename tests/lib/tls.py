"""The other side of TLS: certificates made by the openssl command, and a socket that does with records what a test wants, for instance leave out the last one."""

import atexit
import base64
import contextlib
import hashlib
import os
import shutil
import socket
import ssl
import subprocess
import tempfile
import threading

_lock = threading.RLock()
_folder = None
_made = {}

KEYS = {
    "ec": ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"),
    "ec384": ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-384"),
    "rsa": ("-newkey", "rsa:2048"),
    "ed25519": ("-newkey", "ed25519"),
}


def folder():
    global _folder
    if _folder is None:
        _folder = tempfile.mkdtemp(prefix="exeat-test-tls-")
        owner = os.getpid()
        atexit.register(lambda: os.getpid() == owner and shutil.rmtree(_folder, True))
    return _folder


def _openssl(*words):
    answer = subprocess.run(["openssl", *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    if answer.returncode:
        raise AssertionError("openssl %s: %s" % (" ".join(words), answer.stdout.decode(errors="replace")))
    return answer.stdout


class Certificate:
    """names: "proxy.example", "127.0.0.1" (subjectAltName; the first is the CN too). issuer: a Certificate; None: self-signed. life: (begin, end) as
    YYYYMMDD. ca: it may issue others. purpose: extendedKeyUsage. Paths: .pem (with those of its issuers that are no root), .key."""

    def __init__(self, *names, issuer=None, life=None, ca=False, kind="ec", purpose=None, subject=None, digest="sha256"):
        self.issuer = issuer
        base = tempfile.mktemp(dir=folder())
        self.pem, self.key = base + ".pem", base + ".key"
        request = base + ".csr"
        subject = subject or "/CN=" + names[0]
        _openssl("req", *KEYS[kind], "-nodes", "-keyout", self.key, "-out", request, "-subj", subject)
        lines = ["basicConstraints=critical,CA:%s" % ("TRUE" if ca else "FALSE"), "subjectKeyIdentifier=hash"]
        if names and not ca:
            lines.append("subjectAltName=" + ",".join(("IP:" if n[0].isdigit() or ":" in n else "DNS:") + n for n in names))
        if purpose:
            lines.append("extendedKeyUsage=" + purpose)
        with open(base + ".ext", "w") as file:
            file.write("\n".join(lines) + "\n")
        if life:
            self._sign_with_dates(base, request, digest, *life)
        else:
            who = ["-CA", issuer.pem, "-CAkey", issuer.key, "-CAcreateserial"] if issuer else ["-signkey", self.key]
            hashed = [] if issuer is None and kind == "ed25519" else ["-" + digest]
            _openssl("x509", "-req", "-in", request, *who, *hashed, "-days", "10", "-extfile", base + ".ext", "-out", self.pem)
        with open(self.pem) as file:
            self.text = file.read()
        self.der = ssl.PEM_cert_to_DER_cert(self.text)
        if issuer is not None and issuer.issuer is not None:
            with open(self.pem, "a") as file:
                file.write(issuer.text)

    def _sign_with_dates(self, base, request, digest, begin, end):
        """Only "openssl ca" can do that, and it keeps books."""
        with open(base + ".conf", "w") as file:
            file.write("[ca]\ndefault_ca=x\n[x]\ndatabase=%s.db\nnew_certs_dir=%s\nrand_serial=yes\npolicy=p\nunique_subject=no\n[p]\ncommonName=supplied\n"
                       % (base, folder()))
        with open(base + ".db", "w"):
            pass
        who = ["-cert", self.issuer.pem, "-keyfile", self.issuer.key] if self.issuer else ["-selfsign", "-keyfile", self.key]
        _openssl("ca", "-batch", "-notext", "-config", base + ".conf", "-in", request, "-out", self.pem, *who, "-md", digest, "-extfile", base + ".ext",
                 "-startdate", begin + "000000Z", "-enddate", end + "000000Z")

    def pin(self):
        return base64.b64encode(hashlib.sha256(_openssl("pkey", "-in", self.key, "-pubout", "-outform", "DER")).digest()).decode()


def made(name, make):
    """One of a kind per process: keys cost time."""
    with _lock:
        if name not in _made:
            _made[name] = make()
        return _made[name]


def authority():
    return made("authority", lambda: Certificate("Test CA", ca=True))


def good(kind="ec"):
    """For 127.0.0.1 and localhost, from the authority."""
    issuer = authority()
    return made("good " + kind, lambda: Certificate("localhost", "127.0.0.1", issuer=issuer, kind=kind))


def context(certificate=None, least=None, most=None, ciphers=None, client_ca=None, alpn=None):
    """A server's context."""
    certificate = certificate or good()
    c = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    if ciphers:
        c.set_ciphers(ciphers)
    c.load_cert_chain(certificate.pem, certificate.key)
    if least:
        c.minimum_version = least
    if most:
        c.maximum_version = most
    if client_ca:
        c.load_verify_locations(client_ca.pem)
        c.verify_mode = ssl.CERT_REQUIRED
    if alpn:
        c.set_alpn_protocols(alpn)
    return c


class TlsSocket:
    """A server's socket after its handshake, with the calls that wire.py makes. notify: close and shutdown say so with close_notify, as they should.
    clean: the other side's end came with close_notify. One thread may read while another writes: OpenSSL's connection is asked by one at a time
    (Python lets go of its own lock there), and records leave in the order they were made."""

    def __init__(self, sock, ssl_context):
        self.raw = sock
        self.notify, self.clean = True, None
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = ssl_context.wrap_bio(self._in, self._out, server_side=True)
        self._shut = False
        self._asked, self._sending = threading.Lock(), threading.Lock()

    def handshake(self):
        while True:
            try:
                self.tls.do_handshake()
                self._flush()
                return
            except ssl.SSLWantReadError:
                self._flush()
                if not self._fill():
                    raise ssl.SSLEOFError("the other side ended in the handshake") from None
            except ssl.SSLError:
                self._flush()
                raise

    def _flush(self):
        data = self._out.read()
        if data:
            self.raw.sendall(data)

    def _fill(self):
        data = self.raw.recv(65536)
        if data:
            with self._asked:
                self._in.write(data)
        return bool(data)

    def recv(self, count):
        while True:
            try:
                with self._asked:
                    data = self.tls.read(count)
                if not data:
                    self.clean = True
                return data
            except ssl.SSLZeroReturnError:
                self.clean = True
                return b""
            except ssl.SSLWantReadError:
                if self._sending.acquire(blocking=False):  # else who sends takes along what reading brought up
                    try:
                        self._flush()
                    finally:
                        self._sending.release()
                if not self._fill():
                    if self.clean is None:
                        self.clean = False
                    return b""

    def sendall(self, data):
        with self._sending:
            for at in range(0, len(data), 65536):
                with self._asked:
                    self.tls.write(data[at:at + 65536])
                self._flush()

    def _say_end(self):
        if self._shut or not self.notify:
            return
        self._shut = True
        if not self._sending.acquire(timeout=1):
            return  # somebody is stuck in the middle of a record
        try:
            with self._asked:
                unread = self._in.read()  # else Python takes content that is still to be read for a broken farewell
                with contextlib.suppress(ssl.SSLError, OSError):  # it waits for the other side's; what it had to say is written
                    self.tls.unwrap()
                self._in.write(unread)
            with contextlib.suppress(OSError):
                self._flush()
        finally:
            self._sending.release()

    def shutdown(self, how):
        if how == socket.SHUT_WR:
            self._say_end()
        self.raw.shutdown(how)

    def setsockopt(self, *words):
        if words[1] == socket.SO_LINGER:
            self.notify = False
        self.raw.setsockopt(*words)

    def settimeout(self, seconds):
        self.raw.settimeout(seconds)

    def fileno(self):
        return self.raw.fileno()

    def close(self):
        if self.raw.fileno() >= 0:
            self.raw.settimeout(1)
            self._say_end()
        self.raw.close()
