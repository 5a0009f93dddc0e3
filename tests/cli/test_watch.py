"""exeat watch as a person sees it: what a peer has chosen stays on its line and is harmless there, lines fit the terminal, and it ends as it should."""

import fcntl
import json
import os
import pty
import queue
import select
import signal
import struct
import subprocess
import termios
import unittest

import place
from place import PATIENCE

EVENT = {"event": "request", "legs": 1, "time": "2030-01-02T03:04:05.678Z", "program": "curl", "method": "GET", "target": "http://site.example/",
         "route": "corp", "scheme": "NTLM", "status": 200, "ms": 35, "bytes_up": 0, "bytes_down": 7, "note": None}


def event(**changes):
    return json.dumps(dict(EVENT, **changes))


class Watch(place.Place):
    def setUp(self):
        super().setUp()
        self.env["TZ"] = "UTC"
        self.lines = queue.Queue()  # what the agent tells; None: it goes

    def agent(self):
        def handle(stream, _connection):
            stream.readline()
            stream.write(b'{"ok": true}\n')
            stream.flush()
            for line in iter(self.lines.get, None):
                stream.write(line.encode() + b"\n")
                stream.flush()
        self.listen("control", handle)
        self.addCleanup(self.lines.put, None)

    def told(self, *lines, words=()):
        self.agent()
        for line in (*lines, None):
            self.lines.put(line)
        return self.exeat("watch", *words)


class Text(Watch):
    def test_a_line(self):
        answer = self.told(event(), event(legs=3, status=407, scheme="Negotiate"), event(status=None, scheme=None, note="the client went away"))
        self.assertEqual(answer.returncode, 4)
        self.assertIn("the agent has ended", answer.stderr)
        self.assertEqual(answer.stdout.split("\n"), [
            "03:04:05  200      35 ms  corp/NTLM  GET http://site.example/ - curl",
            "03:04:05  407      35 ms  corp/Negotiate (3 legs)  GET http://site.example/ - curl",
            "03:04:05  ---      35 ms  corp  GET http://site.example/ - curl (the client went away)", ""])

    def test_a_tunnel(self):
        answer = self.told(event(event="tunnel", method="CONNECT", target="site.example:443"),
                           event(event="tunnel-end", method="CONNECT", target="site.example:443", bytes_up=5, note="x"))
        self.assertEqual(answer.stdout.split("\n")[1], "03:04:05  end      35 ms  corp/NTLM  CONNECT site.example:443, 5 bytes up, 7 down - curl")

    def test_what_peers_have_chosen(self):
        """A program's name may hold anything: no second line comes of it, and nothing that a terminal obeys."""
        for name in ("program", "target", "method", "note", "route", "scheme"):
            with self.subTest(name):
                self.lines = queue.Queue()
                answer = self.told(event(**{name: "a\n03:04:05  200 forged\x1b]0;t\x07\u009b2J\r\t\x7fb"}))
                self.assertEqual(answer.stdout.count("\n"), 1, answer)
                self.assertRegex(answer.stdout, r"a\?03:04:05  200 forged\?\]0;t\?\?2J\?\?\?b")
                self.doCleanups()
                self.setUp()

    def test_json_is_the_agents(self):
        line = event(program="a\nb", more=[1, {"x": None}])
        answer = self.told(line, words=("--json",))
        self.assertEqual(answer.stdout, line + "\n")

    def test_members_that_are_not_there(self):
        answer = self.told("{}", '{"event":"missed","lines":3}', event(ms=-1, legs="x", target=7))
        self.assertEqual(answer.stdout.split("\n")[0], "--:--:--  ---       0 ms  -  - -")
        self.assertIn("(3 lines were missed: this terminal reads too slowly)", answer.stdout)
        self.assertEqual(answer.returncode, 4)


class Terminal(Watch):
    def start(self, columns):
        self.agent()
        master, slave = pty.openpty()
        self.addCleanup(os.close, master)
        self.master = master
        self.resize(columns)
        self.process = subprocess.Popen([self.program, "watch"], env=self.env, stdin=slave, stdout=slave, stderr=slave, start_new_session=True,
                                        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))  # who started the tests may have it ignored
        os.close(slave)
        self.addCleanup(self.process.wait, PATIENCE)
        self.addCleanup(self.process.kill)
        self.text = b""  # a character may come in two pieces
        self.assertEqual(self.line(), "Requests as they end; Ctrl-C ends this.")

    def resize(self, columns):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))

    def line(self, tell=None):
        if tell:
            self.lines.put(tell)
        while b"\r\n" not in self.text:
            ready, _, _ = select.select([self.master], [], [], PATIENCE)
            self.assertTrue(ready, self.text)
            self.text += os.read(self.master, 65536)
        line, _, self.text = self.text.partition(b"\r\n")
        return line.decode()

    def test_a_narrow_one_that_is_made_wider(self):
        self.start(80)
        long = event(target="http://site.example/" + "\u00e9" * 200)
        line = self.line(long)
        self.assertEqual(len(line), 80)
        self.assertRegex(line, "http://site.example/\u00e9+\u2026 - curl$")
        self.resize(30)
        line = self.line(long)
        self.assertEqual((len(line), line[-1]), (30, "\u2026"))
        self.resize(300)
        self.assertEqual(self.line(long), "03:04:05  200      35 ms  corp/NTLM  GET http://site.example/%s - curl" % ("\u00e9" * 200))
        self.resize(0)  # a terminal that does not know
        self.assertIn("\u00e9" * 200, self.line(long))
        self.resize(1)
        self.assertEqual(self.line(long), "\u2026")

    def test_ctrl_c(self):
        self.start(80)
        self.line(event())
        self.process.send_signal(signal.SIGINT)
        self.assertEqual(self.process.wait(PATIENCE), -signal.SIGINT)


class Reader(Watch):
    def test_who_goes_away(self):
        """As `exeat watch | head -1`: it ends at the next line, without a word."""
        self.agent()
        process = subprocess.Popen([self.program, "watch"], env=self.env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.lines.put(event())
        process.stdout.readline()
        process.stdout.close()
        self.lines.put(event())
        process.wait(PATIENCE)
        self.assertEqual(process.stderr.read(), b"")
        process.stderr.close()


if __name__ == "__main__":
    unittest.main()
