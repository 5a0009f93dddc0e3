"""login and logout against stand-ins for the keyholder and the agent: where the password comes from, where it goes, and how the terminal fares."""

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time
import unittest

import agent as lib
import place
from place import ACCEPT_OFFER, FLAGS, GUEST, LOGIN, LOGOUT, REMEDY, SECRET, UPSTREAM, USER, VERDICT, WHY

TIOCGPTN = 0x80045430  # the number of a terminal's other end (Python 3.11 does not name it)
SECRET_TEXT = "corréct hörse"

# A keyholder of another user: it listens as that user, and says how much it was told.
FOREIGN_KEYHOLDER = """
import os, socket, sys
listener = socket.socket(socket.AF_UNIX)
listener.bind(sys.argv[1])
os.chmod(sys.argv[1], 0o666)
os.setuid(65534)
listener.listen()
print("listening", flush=True)
connection, _ = listener.accept()
print(len(connection.recv(100000)), flush=True)
"""


class Terminal:
    """A process on a terminal of its own, which is the session's controlling one."""

    def __init__(self, test, words, env):
        self.pid, self.master = pty.fork()
        if self.pid == 0:
            try:
                for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT):  # who started the tests may have them ignored
                    signal.signal(number, signal.SIG_DFL)
                os.execve(words[0], words, env)
            finally:
                os._exit(127)
        self.output = b""
        test.addCleanup(self.close)

    def read_until(self, part, start=0):
        """Waits for `part` in what was written behind byte `start`; returns where it ends."""
        end = time.monotonic() + place.PATIENCE
        while part.encode() not in self.output[start:]:
            ready, _, _ = select.select([self.master], [], [], max(0, end - time.monotonic()))
            try:
                piece = os.read(self.master, 65536) if ready else b""
            except OSError:
                piece = b""
            if not piece:
                raise AssertionError("waited in vain for %r in %r" % (part, self.output))
            self.output += piece
        return self.output.index(part.encode(), start) + len(part.encode())

    def type(self, text):
        os.write(self.master, text.encode())

    def echoes(self):
        return bool(termios.tcgetattr(self.master)[3] & termios.ECHO)

    def other_end(self):
        number, = struct.unpack("I", fcntl.ioctl(self.master, TIOCGPTN, b"\0\0\0\0"))
        return os.open("/dev/pts/%d" % number, os.O_RDWR | os.O_NOCTTY)

    def wait_taken(self):
        """Until nothing that was typed waits to be read."""
        with open(self.other_end(), "rb") as slave:
            lib.wait_until(lambda: not any(fcntl.ioctl(slave, termios.FIONREAD, b"\0\0\0\0")), "the typed text to be read")

    def wait(self):
        """The exit status, or minus the signal. What it still writes is read meanwhile, so that it cannot be held up by that."""
        def ended():
            if select.select([self.master], [], [], 0)[0]:
                try:
                    self.output += os.read(self.master, 65536)
                except OSError:
                    pass  # the last process has closed it
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            return (status,) if pid else None

        status, = lib.wait_until(ended, "the end of the process")
        self.pid = None
        return os.waitstatus_to_exitcode(status)

    def close(self):
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self.master)


class FromStdin(place.Place):
    def setUp(self):
        super().setUp()
        self.configure()

    def test_reaches_the_keyholder(self):
        asked = self.fake_keyholder(why="The password was accepted by http://p:8080.")
        self.expect(0, "The password was accepted by http://p:8080.\n", "", "login", "--stdin", input=SECRET_TEXT + "\n")
        self.assertEqual(asked, [(LOGIN, {UPSTREAM: b"corp", SECRET: SECRET_TEXT.encode()})])

    def test_upstream_and_user(self):
        asked = self.fake_keyholder()
        self.expect(0, "The password was accepted and is stored.\n", "", "login", "lab", "--stdin", "--user", "LAB\\bob", input="x\n")
        self.assertEqual(asked, [(LOGIN, {UPSTREAM: b"lab", USER: b"LAB\\bob", SECRET: b"x"})])

    def test_for_a_user_of_a_gateway(self):
        asked = self.fake_keyholder()
        self.expect(0, "accepted", "", "login", "lab", "--stdin", "--for", "LAB\\bob", input="x\n")
        self.expect(0, "forgotten", "", "logout", "lab", "--for", "LAB\\bob")
        whose = {UPSTREAM: b"lab", USER: b"LAB\\bob", FLAGS: GUEST}
        self.assertEqual(asked, [(LOGIN, {**whose, SECRET: b"x"}), (LOGOUT, whose)])
        self.expect(2, "", "say one of them", "login", "lab", "--stdin", "--for", "bob", "--user", "alice", input="x\n")
        for verb in ("login", "logout"):
            self.expect(2, "", "--for wants the name of a user", verb, "lab", "--for", "", input="x\n")
        self.assertEqual(len(asked), 2)

    def test_first_line_counts(self):
        asked = self.fake_keyholder()
        for text, secret in ((b"one", b"one"), (b"one\ntwo\n", b"one"), (b" one \n", b" one "), (b"\xff\xfe\n", b"\xff\xfe"),
                             (b"x" * 16384 + b"\n", b"x" * 16384)):
            with self.subTest(text=text[:20]):
                self.expect(0, "accepted", "", "login", "--stdin", input=text)
                self.assertEqual(asked.pop()[1][SECRET], secret)

    def test_not_a_password(self):
        asked = self.fake_keyholder()
        for text, sentence in ((b"", "the password is empty: nothing was changed"), (b"\n", "the password is empty: nothing was changed"),
                               (b"\nsecond\n", "the password is empty"), (b"a\0b\n", "NUL byte"),
                               (b"x" * 16385 + b"\n", "longer than 16384 bytes"), (b"x" * 1000000, "longer than 16384 bytes")):
            with self.subTest(text=text[:20]):
                self.expect(1, "", sentence, "login", "--stdin", input=text)
        self.assertEqual(asked, [])

    def test_upstream_that_is_not_there(self):
        asked = self.fake_keyholder()
        self.expect(2, "", 'has no upstream "crop": did you mean "corp"?', "login", "crop", "--stdin", input="x\n")
        self.expect(2, "", 'has no upstream "zebra": "exeat status"', "logout", "zebra")
        self.assertEqual(asked, [])

    def test_wrong_configuration(self):
        self.expect(3, "", "missing.conf", "login", "--stdin", "--config", self.path("missing.conf"), input="x\n")

    def test_outcomes(self):
        for verdict, code in ((place.REFUSED, 5), (place.SITE_REFUSED, 5), (place.UNAVAILABLE, 1), (place.TIMEOUT, 6), (place.BROKEN, 1),
                              (place.MUTUAL_FAILED, 1), (place.UNREACHABLE, 6)):
            with self.subTest(verdict=verdict):
                listener = self.listen("keys", self.answer(verdict, "It went so.", "Do this."))
                self.expect(code, "", "exeat: It went so.\nDo this.\n", "login", "--stdin", input="x\n")
                listener.close()
                listener = self.listen("keys", self.answer(verdict, "", ""))
                self.assertRegex(self.exeat("login", "--stdin", input="x\n").stderr, r"^exeat: \w.{10,}\n$")
                listener.close()

    @staticmethod
    def answer(verdict, why, remedy):
        def handle(stream, _connection):
            _kind, call, _fields = place.read_message(stream)
            fields = {VERDICT: verdict}
            fields.update({number: text for number, text in ((WHY, why), (REMEDY, remedy)) if text})
            stream.write(place.message(place.ANSWER, call, fields))
        return handle

    def test_keeps_the_terminal(self):
        self.fake_keyholder(verdict=place.REFUSED, why="realm \x1b]0;x\x07")
        self.expect(5, "", "exeat: realm ?]0;x?\n", "login", "--stdin", input="x\n")


class Keyholder(place.Place):
    def setUp(self):
        super().setUp()
        self.configure()

    def test_that_talks_nonsense(self):
        answers = (
            (b"", "went away before it answered"),
            (b"\0\0", "went away before it answered"),
            (b"\0\0\0\0", "makes no sense"),
            (b"\xff\xff\xff\xff", "makes no sense"),
            (place.frame(b"hello"), "makes no sense"),
            (place.message(place.ANSWER, 77, {VERDICT: place.OK}), "makes no sense"),
            (place.message(LOGIN, 1, {UPSTREAM: "corp", SECRET: "x"}), "makes no sense"),
            (place.message(place.ANSWER, 1, {}), "makes no sense"),
        )
        for raw, sentence in answers:
            with self.subTest(raw=raw[:30]):
                listener = self.listen("keys", lambda stream, _connection, raw=raw: (place.read_message(stream), stream.write(raw)))
                self.expect(1, "", sentence, "login", "--stdin", input="x\n")
                listener.close()

    @unittest.skipUnless(os.getuid() == 0, "changing the user needs root")
    def test_of_another_user_gets_nothing(self):
        keyholder = subprocess.Popen([sys.executable, "-c", FOREIGN_KEYHOLDER, self.path("runtime/exeat/keys")], stdout=subprocess.PIPE,
                                     text=True)
        with keyholder:
            self.assertEqual(keyholder.stdout.readline(), "listening\n")
            self.expect(1, "", "belongs to another user: nothing was sent there", "login", "--stdin", input=SECRET_TEXT + "\n")
            self.assertEqual(keyholder.stdout.readline(), "0\n")

    def test_is_not_there_but_the_agent_is(self):
        self.fake_agent({"status": place.STATUS})
        self.expect(1, "", "the program that keeps its passwords does not answer", "login", "--stdin", input="x\n")

    def test_logout(self):
        asked = self.fake_keyholder()
        self.expect(0, "The password is forgotten.\n", "", "logout")
        self.expect(0, "The password is forgotten.\n", "", "logout", "lab")
        self.assertEqual(asked, [(LOGOUT, {UPSTREAM: b"corp"}), (LOGOUT, {UPSTREAM: b"lab"})])

    def test_accept(self):
        asked = self.fake_keyholder(why="The proxy p:1 may offer only Basic from now on.")
        self.expect(0, "The proxy p:1 may offer only Basic from now on.\n", "", "accept")
        self.expect(0, "may offer", "", "accept", "lab")
        self.expect(2, "", 'has no upstream "zebra": "exeat status"', "accept", "zebra")
        self.assertEqual(asked, [(ACCEPT_OFFER, {UPSTREAM: b"corp"}), (ACCEPT_OFFER, {UPSTREAM: b"lab"})])


class RunningAgent(place.Place):
    """The agent knows better than the configuration of this shell which upstreams there are."""

    def setUp(self):
        super().setUp()
        self.configure()
        self.asked_agent = self.fake_agent({"status": place.STATUS})
        self.asked = self.fake_keyholder()

    def test_names_the_upstream(self):
        self.expect(0, "accepted", "", "login", "--stdin", input="x\n")
        self.expect(0, "accepted", "", "login", "away", "--stdin", input="x\n")
        self.expect(0, "forgotten", "", "logout")
        self.assertEqual([fields[UPSTREAM] for _kind, fields in self.asked], [b"home", b"away", b"home"])
        self.expect(2, "", 'the running agent has no upstream "hoem": did you mean "home"?', "login", "hoem", "--stdin", input="x\n")

    def test_unless_a_configuration_is_named(self):
        self.expect(0, "accepted", "", "login", "--stdin", "--config", self.configure(), input="x\n")
        self.assertEqual(self.asked[0][1][UPSTREAM], b"corp")
        self.assertEqual(self.asked_agent, [])

    def test_prompt(self):
        terminal = Terminal(self, [self.program, "login"], self.env)
        terminal.read_until("Password of bob@HOME.EXAMPLE for the proxy http://proxy.home.example:8080 (upstream home): ")
        terminal.type("x\n")
        self.assertEqual(terminal.wait(), 0)


class OnATerminal(place.Place):
    PROMPT = "Password of CORP\\alice for the proxy http://proxy.corp.example:8080 (upstream corp): "

    def setUp(self):
        super().setUp()
        self.configure()
        self.asked = self.fake_keyholder()

    def open(self, *words):
        return Terminal(self, [self.program, "login", *words], self.env)

    def test_asks_without_echo(self):
        terminal = self.open()
        terminal.read_until(self.PROMPT)
        self.assertFalse(terminal.echoes())
        terminal.type(SECRET_TEXT + "\n")
        terminal.read_until("The password was accepted")
        self.assertTrue(terminal.echoes())
        self.assertEqual(terminal.wait(), 0)
        self.assertNotIn(SECRET_TEXT.encode()[:6], terminal.output)
        self.assertEqual(self.asked, [(LOGIN, {UPSTREAM: b"corp", SECRET: SECRET_TEXT.encode()})])

    def test_asks_on_the_terminal_whatever_stdin_is(self):
        terminal = Terminal(self, ["/bin/sh", "-c", "echo wrong | %s login >/dev/null; exit $?" % self.program], self.env)
        terminal.read_until(self.PROMPT)
        terminal.type("right\n")
        self.assertEqual(terminal.wait(), 0)
        self.assertEqual(self.asked[0][1][SECRET], b"right")

    def test_other_user(self):
        terminal = self.open("--user", "carol\x1b[0m")
        terminal.read_until("Password of carol?[0m for the proxy ")
        terminal.type("x\n")
        self.assertEqual(terminal.wait(), 0)
        self.assertEqual(self.asked[0][1][USER], b"carol\x1b[0m")

    def test_no_echo_with_stdin_either(self):
        terminal = self.open("--stdin")
        terminal.read_until("Password: ")
        self.assertFalse(terminal.echoes())
        terminal.type("x\n")
        self.assertEqual(terminal.wait(), 0)

    def test_nothing_typed(self):
        for typed in ("\n", "\x04"):
            with self.subTest(typed=typed):
                terminal = self.open()
                terminal.read_until(self.PROMPT)
                terminal.type(typed)
                terminal.read_until("the password is empty: nothing was changed")
                self.assertTrue(terminal.echoes())
                self.assertEqual(terminal.wait(), 1)
        self.assertEqual(self.asked, [])

    def test_signals(self):
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
            with self.subTest(number=number):
                terminal = self.open()
                terminal.read_until(self.PROMPT)
                terminal.type("half a pass")
                slave = terminal.other_end()  # held open, the terminal outlives the process
                try:
                    if number == signal.SIGINT:
                        terminal.type("\x03")
                    else:
                        os.kill(terminal.pid, number)
                    self.assertEqual(terminal.wait(), -number)
                    self.assertTrue(terminal.echoes())
                finally:
                    os.close(slave)
        self.assertEqual(self.asked, [])

    def test_ctrl_z(self):
        """Suspended from a shell with job control: the shell's terminal echoes; brought back, it asks anew."""
        terminal = Terminal(self, ["/bin/dash", "-i"], dict(self.env, PS1="ready> "))
        at = terminal.read_until("ready> ")
        terminal.type("%s login\n" % self.program)
        at = terminal.read_until(self.PROMPT, at)
        self.assertFalse(terminal.echoes())
        terminal.type("half a pass\x04")  # Ctrl-D hands over what there is, which must not stay in front of what is typed later
        terminal.wait_taken()
        terminal.type("\x1a")
        at = terminal.read_until("ready> ", at)
        self.assertTrue(terminal.echoes())
        terminal.type("fg\n")
        at = terminal.read_until(self.PROMPT, at)
        self.assertFalse(terminal.echoes())
        terminal.type("whole\n")
        at = terminal.read_until("The password was accepted", at)
        terminal.type("exit\n")
        self.assertEqual(terminal.wait(), 0)
        self.assertEqual([fields[SECRET] for _kind, fields in self.asked], [b"whole"])

    def test_ctrl_z_takes_back_what_is_being_read(self):
        """It drops what was typed: also what the program has just been told of."""
        terminal = Terminal(self, ["/bin/dash", "-i"], dict(self.env, PS1="ready> "))
        at = terminal.read_until("ready> ")
        terminal.type("%s login\n" % self.program)
        for pause in range(100):
            at = terminal.read_until(self.PROMPT, at)
            terminal.type("half a pass\x04")
            for _ in range(4 * pause):
                pass
            terminal.type("\x1a")
            at = terminal.read_until("ready> ", at)
            terminal.type("fg\n")
        terminal.read_until(self.PROMPT, at)
        terminal.type("\x03")
        terminal.read_until("ready> ", at)

    def test_no_terminal(self):
        self.expect(1, "", 'there is no terminal to ask on: pass the password on standard input, with "exeat login --stdin"', "login")
        self.assertEqual(self.asked, [])
