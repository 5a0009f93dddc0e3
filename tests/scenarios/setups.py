"""A person in front of exeat setup: its questions on a terminal of their own, and what must not be left behind."""

import codecs
import os
import pty
import select
import signal
import termios

from agent import PATIENCE
from base import Scenario


class Dialogue:
    """exeat setup on a terminal of its own."""

    def __init__(self, agent, *words):
        self.seen = ""
        self.all = ""
        self.decoder, self.held = codecs.getincrementaldecoder("utf-8")(), ""
        pid, self.fd = pty.fork()
        if pid == 0:
            for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT):  # who started the tests may have them ignored
                signal.signal(number, signal.SIG_DFL)
            os.execve(os.path.join(agent.build, "exeat"), ["exeat", "setup", *words], agent.env)
        self.pid = pid
        self.code = None

    def take(self, data):
        """What was read may end in the middle of a character, or of the two that end a line."""
        text = self.held + self.decoder.decode(data)
        self.held = "\r" if data and text.endswith("\r") else ""
        text = text[:len(text) - len(self.held)].replace("\r\n", "\n")
        self.seen += text
        self.all += text

    def echoes(self):
        return bool(termios.tcgetattr(self.fd)[3] & termios.ECHO)

    def read(self):
        """Takes what comes next; False at the end."""
        ready, _, _ = select.select([self.fd], [], [], PATIENCE)
        if not ready:
            raise AssertionError("nothing comes after\n%s" % self.seen)
        try:
            data = os.read(self.fd, 65536)
        except OSError:
            data = b""
        self.take(data)
        return bool(data)

    def wait_for(self, text):
        """Reads up to `text`; what stood in front of it."""
        while text not in self.seen:
            if not self.read():
                raise AssertionError("no %r in\n%s" % (text, self.seen))
        before, _, self.seen = self.seen.partition(text)
        return before

    def answer(self, question, text):
        before = self.wait_for(question)
        rest = self.wait_for(": ")
        os.write(self.fd, text.encode() + b"\n")
        return before + rest

    def end(self):
        """All that is left, and the exit code."""
        while self.read():
            pass
        _, status = os.waitpid(self.pid, 0)
        self.code = os.waitstatus_to_exitcode(status)
        return self.seen, self.code

    def close(self):
        if self.code is None:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self.fd)


class Setup(Scenario):
    def lab(self, behaviour):
        proxy = self.proxy(behaviour)
        agent = self.agent(proxy.upstream("auth = none"), start=False)
        agent.env.update(SECRET_BACKEND="file", SECRET_FILE_TEST_PATH=os.path.join(agent.directory, "keyring"), SECRET_FILE_TEST_PASSWORD="master",
                         USER="alice", XDG_CONFIG_HOME=os.path.join(agent.directory, "own"), PATH="/nowhere")
        for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "all_proxy", "no_proxy", "XDG_CURRENT_DESKTOP"):
            agent.env.pop(name, None)
        self.path = os.path.join(agent.directory, "own/exeat/exeat.conf")
        return proxy, agent

    def dialogue(self, agent, *words):
        d = Dialogue(agent, *words)
        self.stack.callback(d.close)
        return d

    def text(self):
        with open(self.path) as file:
            return file.read()

    def routes(self, d):
        d.answer("Reached without the proxy", "")

    def finish(self, d):
        d.answer("write this to", "")
        d.wait_for("is written.")
        d.answer("Point git", "")
        return d.end()

    def program(self, agent, name, text):
        """A program of that name, the only one that is found besides the shell's own."""
        folder = os.path.join(agent.directory, "bin")
        os.makedirs(folder, exist_ok=True)
        path = os.path.join(folder, name)
        with open(path, "w") as file:
            file.write("#!/bin/sh\n" + text)
        os.chmod(path, 0o755)
        agent.env["PATH"] = folder
        return path

    def nothing_is_left(self, agent):
        self.assertFalse(os.path.exists(self.path))
        self.assertFalse(os.path.exists(os.path.join(agent.env["XDG_RUNTIME_DIR"], "exeat/setup.conf")))
