"""A scripted keyholder: says what a test wants to whoever asks to be let in (ACCEPT_OPEN, ACCEPT_STEP), and notes what it was asked."""

import os
import shutil
import socket
import struct
import sys
import tempfile
import threading

from agent import build_directory, wait_until

sys.path.append(os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "keys"))
from keyholder import BINDS, VERDICTS, decode, encode  # noqa: E402

# Joins descriptor 3, where the agent talks, to the socket at which the test listens.
_PROGRAM = """#!/usr/bin/python3
import os, socket, threading
link = socket.socket(socket.AF_UNIX)
link.connect(%r)
agent = socket.socket(fileno=3)
def carry(a, b):
    while True:
        try:
            data = a.recv(65536)
            b.sendall(data)
        except OSError:
            data = b""
        if not data:
            os._exit(0)
threading.Thread(target=carry, args=(link, agent), daemon=True).start()
carry(agent, link)
"""

FRESH = "Negotiate\nBasic realm=\"exeat\"\n"


class Judge:
    """step(context, message): the fields of the answer, a verdict among them; None: no answer. Override it."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="exeat-test-")
        self.asked, self.contexts, self.closed, self.links = [], 0, [], []
        self.changed = threading.Condition()
        path = os.path.join(self.folder, "link")
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(path)
        self.listener.listen()
        shutil.copy(os.path.join(build_directory(), "exeat"), self.folder)
        for name in ("exeat-pac",):
            if os.path.exists(os.path.join(build_directory(), name)):
                shutil.copy(os.path.join(build_directory(), name), self.folder)
        program = os.path.join(self.folder, "exeat-keys")
        with open(program, "w") as script:
            script.write(_PROGRAM % path)
        os.chmod(program, 0o755)
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.listener.close()
        self.die()
        shutil.rmtree(self.folder, ignore_errors=True)

    # --- what a test may change

    def open(self, message):
        self.contexts += 1
        return {"verdict": "OK", "context": self.contexts, "lines": FRESH}

    def step(self, context, message):
        return {"verdict": "REFUSED", "lines": FRESH, "why": "the test says no"}

    def other(self, message):
        """Questions about the way on."""
        if message.type == "STATUS":
            return {"verdict": "OK", "identity": "nobody"}
        return {"verdict": "OK"}

    # --- what a test may ask

    def steps(self):
        return [m for m in self.asked if m.type == "ACCEPT_STEP"]

    def wait_steps(self, count):
        wait_until(lambda: len(self.steps()) >= count, "%d steps; there were %r" % (count, self.asked))

    def wait_closed(self, context):
        wait_until(lambda: context in self.closed, "the end of context %d" % context)

    def die(self):
        """The keyholder ends; the agent starts another."""
        links, self.links = self.links, []
        for link in links:
            try:
                link.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def tell(self, kind, **fields):
        """An event, to the agent."""
        self.links[-1].sendall(encode(kind, 0, **fields))

    # --- the conversation

    def _accept(self):
        while True:
            try:
                link, _ = self.listener.accept()
            except OSError:
                return
            self.links.append(link)
            threading.Thread(target=self._serve, args=(link,), daemon=True).start()

    def _serve(self, link):
        data = b""
        while True:
            try:
                more = link.recv(65536)
            except OSError:
                more = b""
            if not more:
                link.close()
                return
            data += more
            while len(data) >= 4 and len(data) >= 4 + struct.unpack(">I", data[:4])[0]:
                n = struct.unpack(">I", data[:4])[0]
                message, data = decode(data[4:4 + n]), data[4 + n:]
                threading.Thread(target=self._answer, args=(link, message), daemon=True).start()

    def _answer(self, link, message):
        self.asked.append(message)
        if message.type == "ACCEPT_CLOSE":
            self.closed.append(message["context"])
        if not message.call:
            return
        if message.type == "ACCEPT_OPEN":
            fields = self.open(message)
        elif message.type == "ACCEPT_STEP":
            fields = self.step(message["context"], message)
        else:
            fields = self.other(message)
        if fields is None:
            return
        fields = dict(fields)
        fields["verdict"] = VERDICTS.index(fields["verdict"])
        try:
            link.sendall(encode("ANSWER", message.call, **fields))
        except OSError:
            pass


def allowed(user, scheme="Basic", **more):
    return dict({"verdict": "OK", "identity": user, "scheme": scheme}, **more)


def bound(user, scheme="Negotiate (Kerberos)", **more):
    return allowed(user, scheme, flags=BINDS, **more)
