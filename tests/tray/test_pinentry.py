"""Debian's own pinentry programs: on a terminal of their own, and in a window."""

import os
import pty
import shutil
import subprocess
import threading
import unittest

import agent as lib
from agent import wait_until
from base import corp
from gates import Basic
from place import Tray
from proxy import Asks
from test_panel import RealDesktop

SECRET = "pä ss%w\\ö"


class Terminal:
    """What a person sees and types."""

    def __init__(self):
        self.ours, theirs = pty.openpty()
        self.name = os.ttyname(theirs)
        self.theirs = theirs
        self.seen = b""
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        while True:
            try:
                self.seen += os.read(self.ours, 4096)
            except OSError:
                return

    def wait(self, words):
        wait_until(lambda: words.encode() in self.seen, "on the terminal: " + words)

    def type(self, text):
        os.write(self.ours, text.encode())

    def close(self):
        os.close(self.theirs)
        self.reader.join(lib.PATIENCE)  # the number of what it reads from must not be another file's meanwhile
        os.close(self.ours)


class Real(Tray):
    def place(self, program, user="alice", **env):
        path = shutil.which(program)
        if not path:
            self.skipTest("no " + program + " here")
        self.gate = Basic(user=user, password=SECRET)
        self.proxy_, self.agent_ = self.both(Asks(self.gate), corp("basic", user, secret="prompt"), env=dict(self.desktop_.env))
        return dict(self.agent_.env, EXEAT_PINENTRY=path, **env)

    def login(self, env, *words):
        """As a program of the desktop runs it: without a terminal."""
        return subprocess.Popen([os.path.join(lib.build_directory(), "exeat"), "login", *words], env=env, stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True)

    def end(self, process):
        said = process.communicate(timeout=lib.PATIENCE)[0]
        return process.returncode, said


class OnTerminal(Real):
    def place(self, *words, **env):
        self.desktop()
        self.terminal = Terminal()
        self.stack.callback(self.terminal.close)
        return super().place(*words, GPG_TTY=self.terminal.name, TERM="xterm", **env)

    def test_accepted(self):
        env = self.place("pinentry-tty", user="al%41ice")
        process = self.login(env)
        self.terminal.wait("Password of al%%41ice for the proxy %s (upstream corp)" % self.proxy_.address)
        self.terminal.wait("Password:")
        self.terminal.type(SECRET + "\n")
        code, said = self.end(process)
        self.assertEqual(code, 0, said)
        self.assertIn("accepted", said)
        self.assertNotIn(SECRET.encode(), self.terminal.seen)
        self.assertEqual(self.ask(self.agent_).status, 200)

    def test_wrong_one(self):
        process = self.login(self.place("pinentry-tty"))
        self.terminal.wait("Password:")
        self.terminal.type("wrong\n")
        code, said = self.end(process)
        self.assertEqual(code, 5, said)
        self.assertIn("refused the password of alice", said)
        self.assertEqual((self.gate.attempts, self.gate.failed), (1, 1))

    def test_cancelled(self):
        process = self.login(self.place("pinentry-tty"))
        self.terminal.wait("Password:")
        self.terminal.type("\x04")
        code, said = self.end(process)
        self.assertNotEqual(code, 0)
        self.assertEqual(said, "exeat: cancelled: nothing was changed\n")
        self.assertEqual(self.gate.attempts, 0)

    def test_a_long_question(self):
        """A line of more than 1000 bytes would end pinentry."""
        process = self.login(self.place("pinentry-tty"), "--user", "ü" * 600)
        self.terminal.wait("…")
        self.terminal.wait("Password:")
        self.terminal.type(SECRET + "\n")
        code, said = self.end(process)
        self.assertNotEqual(code, 0)
        self.assertIn("The configuration says user = alice", said)

    def test_one_that_cannot_ask(self):
        """Neither a desktop nor a terminal."""
        env = self.place("pinentry-curses")
        del env["GPG_TTY"]
        code, said = self.end(self.login(env))
        self.assertNotEqual(code, 0)
        self.assertRegex(said, r"^exeat: pinentry cannot ask \([A-Z].*use a terminal")
        self.assertNotRegex(said, r"\d{6}")


@unittest.skipUnless(all(shutil.which(name) for name in ("Xvfb", "xfce4-panel", "openbox", "xdotool", "import")), "no screen to show windows on")
class InWindow(Real):
    def test_from_the_menu(self):
        self.desktop_ = desktop = self.stack.enter_context(RealDesktop())
        self.place("pinentry-gtk-2")
        self.tray(self.agent_, DISPLAY=desktop.environment["DISPLAY"], EXEAT_PINENTRY=shutil.which("pinentry-gtk-2"))
        name = "org.kde.StatusNotifierItem-%d-1" % self.process.pid
        desktop.registered.append(name)
        wait_until(lambda: desktop.has(name), "the item")

        def tool(*words):
            """What xdotool says; nothing where there is no such window."""
            return subprocess.run(["xdotool", *words], env=desktop.environment, capture_output=True, text=True, timeout=2 * lib.PATIENCE, check=False).stdout

        def window():
            return tool("search", "--onlyvisible", "--class", "pinentry").split()

        def question(text, key="Return"):
            desktop.choose("Enter password for corp")
            wait_until(window, "the window")
            wait_until(lambda: tool("getactivewindow").strip() in window(), "the focus")
            if text:
                desktop.tool("xdotool", "type", "--delay", "20", text)
                desktop.picture("password")
            desktop.tool("xdotool", "key", key)
            wait_until(lambda: not window(), "the window to go")
            self.prompt_over()
        question("", "Escape")
        self.assertEqual((self.gate.attempts, self.desktop_.notified("that did not work")), (0, None))
        question("wrong")
        told = self.desktop_.wait_notified("that did not work")
        self.assertIn("refused the password of alice", told[3])
        self.assertEqual(self.gate.failed, 1)
        question("pass%word")
        self.desktop_.wait_notified("refused")
        self.gate.password = "pass%word"
        question("pass%word")
        self.desktop_.wait_notified("accepted")
        self.assertEqual(self.ask(self.agent_).status, 200)
