"""A real exeat-pac at the other end of a socket pair, and the frames that it speaks (agent/wire/pac_msg.h)."""
import os
import re
import socket
import struct
import subprocess
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PROGRAM = os.environ.get("EXEAT_PAC", os.path.join(ROOT, "build", "exeat-pac"))
WAIT = 300  # seconds until a missing answer fails the test; never measured

TYPES = ["", "READY", "LOAD", "FIND", "DONE", "FAILED", "RESOLVE", "MY_ADDRESS", "ADDRESSES", "ALERT"]
FIELDS = ["", "name", "script", "url", "host", "result", "why", "addresses", "alert"]
SANITIZER = re.compile(rb"ERROR: (?:Address|Leak)Sanitizer|: runtime error: |SUMMARY: \w+Sanitizer")


class Gone(AssertionError):
    """The program closed its end."""


class Failed(Exception):
    """A FAILED; its text is `why`."""


def encode(kind, call=0, **fields):
    body = struct.pack(">BI", TYPES.index(kind), call)
    for number, name in enumerate(FIELDS):
        value = fields.get(name)
        if number and value:
            value = value.encode() if isinstance(value, str) else value
            body += struct.pack(">BI", number, len(value)) + value
    return struct.pack(">I", len(body)) + body


def decode(body):
    kind, call = struct.unpack(">BI", body[:5])
    message, at = {"type": TYPES[kind], "call": call}, 5
    while at < len(body):
        number, n = struct.unpack(">BI", body[at:at + 5])
        message[FIELDS[number]] = body[at + 5:at + 5 + n].decode("utf-8", "surrogateescape")
        at += 5 + n
    return message


class Script:
    """One exeat-pac. `names`: host to addresses joined by ';'; `mine`: those of this machine. What it asks for is in `asked`, what the
    script says with alert() in `alerts`."""

    def __init__(self, script=None, name="proxy.pac", names=None, mine="192.0.2.7", environment=None, inherit=()):
        self.names, self.mine = names or {}, mine
        self.asked, self.alerts, self.call = [], [], 0
        self.sock, theirs = socket.socketpair()
        self.sock.settimeout(WAIT)
        self.errors = tempfile.TemporaryFile()

        def as_three():
            os.dup2(theirs.fileno(), 3)

        fd = theirs.fileno()
        if fd == 3:  # dup2 onto itself keeps close-on-exec
            os.set_inheritable(fd, True)
        self.process = subprocess.Popen([PROGRAM], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=self.errors, pass_fds=(3, *inherit),
                                        preexec_fn=as_three, env=dict(os.environ, **(environment or {})))
        theirs.close()
        self.ready = self.receive()
        if script is not None:
            self.load(script, name)

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        self.close()
        said = self.said()
        if kind is None and SANITIZER.search(said):
            raise AssertionError(said.decode("utf-8", "replace"))

    def close(self):
        self.sock.close()
        try:
            self.process.wait(WAIT)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def said(self):
        self.errors.seek(0)
        return self.errors.read()

    def send(self, *args, **fields):
        self.sock.sendall(encode(*args, **fields))

    def receive(self):
        head = self._read(4)
        return decode(self._read(struct.unpack(">I", head)[0]))

    def _read(self, n):
        data = b""
        while len(data) < n:
            try:
                more = self.sock.recv(n - len(data))
            except ConnectionResetError:
                more = b""
            if not more:
                raise Gone("exeat-pac closed the conversation: %r" % self.said()[-2000:])
            data += more
        return data

    def answer(self, call):
        """Serves the script until the question is answered."""
        while True:
            m = self.receive()
            if m["type"] == "ALERT":
                self.alerts.append(m["alert"])
            elif m["type"] in ("RESOLVE", "MY_ADDRESS"):
                self.asked.append(m.get("host"))
                addresses = self.mine if m["type"] == "MY_ADDRESS" else self.names.get(m["host"], "")
                self.send("ADDRESSES", m["call"], addresses=addresses)
            elif m["call"] != call:
                raise AssertionError("an answer to another question: %r" % m)
            elif m["type"] == "FAILED":
                raise Failed(m["why"])
            else:
                return m.get("result", "")

    def ask(self, kind, **fields):
        self.call += 1
        self.send(kind, self.call, **fields)
        return self.answer(self.call)

    def load(self, script, name="proxy.pac"):
        return self.ask("LOAD", name=name, script=script)

    def find(self, url="http://www.example/", host="www.example"):
        return self.ask("FIND", url=url, host=host)


def value(expression, before="", **kwargs):
    """What a JavaScript expression is worth, as text, in a script of its own."""
    with Script(before + "\nfunction FindProxyForURL(url, host) { return String(%s); }" % expression, **kwargs) as script:
        return script.find()
