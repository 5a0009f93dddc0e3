"""A private place to type verbs in: directories, environment, and stand-ins for the agent's and the keyholder's sockets."""

import json
import os
import re
import shutil
import socket
import struct
import subprocess
import tempfile
import threading
import unittest

import agent as lib

PATIENCE = lib.PATIENCE
SANITIZER = re.compile(r"Sanitizer|runtime error:")

CONFIG = """[upstream corp]
proxy = http://proxy.corp.example:8080
user = CORP\\alice
auth = ntlm

[upstream lab]
proxy = http://proxy.lab.example:3128
"""

STATUS = {
    "ok": True, "version": "0.1.0", "pid": 123, "uptime": 61, "config": None, "listening": ["127.0.0.1:3128"],
    "upstreams": [
        {"name": "home", "proxies": [{"proxy": "http://proxy.home.example:8080", "idle": 1, "busy": 0, "state": "ready"}],
         "identity": "bob@HOME.EXAMPLE", "scheme": "Negotiate", "state": "ready", "remedy": ""},
        {"name": "away", "proxies": [], "identity": "", "scheme": "", "state": "asleep", "remedy": "wait"},
    ],
    "clients": 0, "tunnels_open": 0,
    "counters": {"requests": 7, "tunnels": 0, "challenges": 0, "handshakes": 0, "refusals": 0, "connections": 0, "bytes_up": 0,
                 "bytes_down": 0},
}

# What wire/keys_msg.c numbers so.
LOGIN, LOGOUT, ANSWER, ACCEPT_OFFER = 9, 10, 11, 14
OK, REFUSED, SITE_REFUSED, UNAVAILABLE, TIMEOUT, BROKEN, MUTUAL_FAILED, NOT_ASKED, UNREACHABLE = 1, 5, 6, 7, 8, 9, 10, 11, 12
VERDICT, FLAGS, UPSTREAM, WHY, REMEDY, USER, SECRET = 2, 3, 7, 18, 19, 20, 21
GUEST = b"\0\1\0\0"


def frame(body):
    return struct.pack(">I", len(body)) + body


def message(kind, call, fields):
    body = struct.pack(">BI", kind, call)
    for number, value in sorted(fields.items()):
        value = struct.pack(">I", value) if isinstance(value, int) else value.encode()
        body += struct.pack(">BI", number, len(value)) + value
    return frame(body)


def read_message(stream):
    """(type, call, {field: bytes}), or None when the other side said nothing."""
    head = stream.read(4)
    if len(head) < 4:
        return None
    body = stream.read(struct.unpack(">I", head)[0])
    kind, call = struct.unpack(">BI", body[:5])
    fields, at = {}, 5
    while at < len(body):
        number, length = struct.unpack(">BI", body[at:at + 5])
        fields[number] = body[at + 5:at + 5 + length]
        at += 5 + length
    return kind, call, fields


class Listener:
    """Serves a Unix socket in a thread: handle(stream, connection) once per connection."""

    def __init__(self, path, handle):
        self.handle = handle
        self.connections = 0
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.bind(path)
        self.socket.listen(8)
        self.path = path
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def _serve(self):
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            self.connections += 1
            connection.settimeout(PATIENCE)
            with connection, connection.makefile("rwb") as stream:
                try:
                    self.handle(stream, connection)
                    stream.flush()
                except OSError:
                    pass

    def close(self):
        if self.socket.fileno() < 0:
            return  # twice is harmless
        self.socket.shutdown(socket.SHUT_RDWR)
        self.thread.join(PATIENCE)
        self.socket.close()
        os.unlink(self.path)


class Place(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.mkdtemp(prefix="exeat-cli-")
        self.addCleanup(shutil.rmtree, self.directory)
        for name in ("runtime", "runtime/exeat", "state", "home", "home/.config", "home/.config/exeat"):
            os.mkdir(self.path(name), 0o700)
        self.env = {
            "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
            "LANG": "C.UTF-8",
            "HOME": self.path("home"),
            "XDG_RUNTIME_DIR": self.path("runtime"),
            "XDG_STATE_HOME": self.path("state"),
            "XDG_CONFIG_HOME": self.path("home/.config"),
        }
        for name in ("ASAN_OPTIONS", "LSAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS", "GCOV_PREFIX", "GCOV_PREFIX_STRIP"):
            if name in os.environ:
                self.env[name] = os.environ[name]
        self.program = os.path.join(lib.build_directory(), "exeat")

    def path(self, name):
        return os.path.join(self.directory, name)

    def write(self, name, text):
        with open(self.path(name), "w") as file:
            file.write(text)
        return self.path(name)

    def configure(self, text=CONFIG):
        """The configuration in its usual place."""
        return self.write("home/.config/exeat/exeat.conf", text)

    def exeat(self, *words, input=None, env=None, **options):
        if input is None:
            options.setdefault("stdin", subprocess.DEVNULL)
        else:
            options["input"] = input if isinstance(input, bytes) else input.encode()
        options.setdefault("stdout", subprocess.PIPE)
        answer = subprocess.run([self.program, *words], stderr=subprocess.PIPE, env=dict(self.env, **(env or {})),
                                cwd=self.directory, timeout=2 * PATIENCE, start_new_session=True, **options)
        answer.stdout = (answer.stdout or b"").decode()
        answer.stderr = answer.stderr.decode()
        self.assertIsNone(SANITIZER.search(answer.stderr), answer.stderr)
        return answer

    def expect(self, code, out, err, *words, **options):
        """Runs a verb; `out` and `err` are parts of what it says there, "" means that it says nothing."""
        answer = self.exeat(*words, **options)
        self.assertEqual(answer.returncode, code, answer)
        for part, text in ((out, answer.stdout), (err, answer.stderr)):
            if part:
                self.assertIn(part, text)
            else:
                self.assertEqual(text, "")
        return answer

    # --- stand-ins

    def listen(self, name, handle):
        listener = Listener(self.path("runtime/exeat/" + name), handle)
        self.addCleanup(listener.close)
        return listener

    def fake_agent(self, answers):
        """Answers {"verb": V} with answers[V]: an object, or the text of a line. Returns the list of verbs that were asked."""
        asked = []

        def handle(stream, _connection):
            for line in stream:
                verb = json.loads(line)["verb"]
                asked.append(verb)
                answer = answers[verb]
                stream.write((answer if isinstance(answer, str) else json.dumps(answer)).encode() + b"\n")
                stream.flush()

        self.listen("control", handle)
        return asked

    def fake_keyholder(self, verdict=OK, why="", remedy="", raw=None):
        """Answers each question with the verdict (or with raw bytes). Returns the list of (type, fields) that arrived."""
        asked = []

        def handle(stream, _connection):
            question = read_message(stream)
            if question is None:
                asked.append(None)
                return
            asked.append((question[0], question[2]))
            fields = {VERDICT: verdict}
            fields.update({number: text for number, text in ((WHY, why), (REMEDY, remedy)) if text})
            stream.write(message(ANSWER, question[1], fields) if raw is None else raw)

        self.listen("keys", handle)
        return asked
