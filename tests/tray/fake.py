"""An agent of which only the control socket is played: it says of itself what a test wants, and goes as a test wants."""

import json
import os
import socket
import threading

UPSTREAM = {"name": "corp", "mode": "proxy", "proxies": [{"proxy": "proxy.corp.example:8080"}], "identity": "CORP\\alice", "scheme": "NTLM",
            "state": "ready", "remedy": "", "problem": False, "alarm": False, "login_helps": False, "ticket_until": 0}


class FakeAgent:
    """FakeAgent(agent) stands where that Agent, which is not started, would listen. upstream, says: what differs from one that is well."""

    def __init__(self, agent, upstream=None, **says):
        folder = os.path.join(agent.env["XDG_RUNTIME_DIR"], "exeat")
        os.makedirs(folder, 0o700, exist_ok=True)
        self.path = os.path.join(folder, "control")
        self.status = dict({"ok": True, "on": True, "when_off": "direct", "in_flight": 0, "tunnels_open": 0, "stopping": False}, **says)
        self.upstream = dict(UPSTREAM, **(upstream or {}))
        self.number = 1
        self.asked = []  # verbs
        self.came = 0  # connections
        self.declines = False  # waiting for changes
        self.silent = False  # closes every connection at once
        self.vary = None  # number -> what differs in that status; then each change follows the one before at once
        self.after_status = None  # called once, when a status has been answered
        self._change = threading.Condition()
        self.listener = None
        self.listen()

    def listen(self):
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.path)
        self.listener.listen(16)
        threading.Thread(target=self._accept, args=(self.listener,), daemon=True).start()

    def _accept(self, listener):
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            self.came += 1
            if self.silent:
                connection.close()
            else:
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        with connection, connection.makefile("rw") as file:
            line = file.readline()
            if not line:
                return
            question = json.loads(line)
            self.asked.append(question["verb"])
            answer = self._state(question) if question["verb"] == "state" else self._status()
            if answer is None:
                return
            after, self.after_status = (self.after_status, None) if question["verb"] == "status" else (None, self.after_status)
            if after:
                after()
            file.write(json.dumps(answer) + "\n")

    def _status(self):
        upstream, says = self.vary(self.number) if self.vary else ({}, {})
        return dict(self.status, **says, state=self.number, upstreams=[dict(self.upstream, **upstream)])

    def _state(self, question):
        if self.declines:
            return {"ok": False, "error": "too many others are waiting for an answer", "remedy": ""}
        if self.vary and self.listener:
            self.number += 1
            return {"ok": True, "state": self.number}
        with self._change:
            self._change.wait_for(lambda: self.number != question["since"] or not self.listener)
        return {"ok": True, "state": self.number} if self.listener else None

    def change(self, upstream=None, **says):
        with self._change:
            self.status.update(says)
            self.upstream.update(upstream or {})
            self.number += 1
            self._change.notify_all()

    def go(self, in_order=True):
        """in_order: as an agent that was stopped; else as one that was killed."""
        if in_order and os.path.exists(self.path):
            os.unlink(self.path)
        with self._change:
            listener, self.listener = self.listener, None
            self._change.notify_all()
        if listener:
            listener.shutdown(socket.SHUT_RDWR)
            listener.close()
