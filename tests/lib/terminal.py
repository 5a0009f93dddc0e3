"""A terminal for a program: what it shows there, and keys that are typed.

    with Terminal(columns=40) as terminal:
        terminal.start([...], env=..., cwd=...)
        terminal.wait(b"Password")
        terminal.type(b"secret\\n")
        text = terminal.read_to_end()"""

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import termios
import time

from agent import PATIENCE


def _on_its_own():
    """Before the program: this is its terminal, and the keys for signals work, which whoever started the tests (in the background, say) may have had ignored."""
    fcntl.ioctl(2, termios.TIOCSCTTY, 0)
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT):
        signal.signal(number, signal.SIG_DFL)


class Terminal:
    def __init__(self, columns=80, rows=24):
        self.master, self.slave = pty.openpty()
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.seen = b""
        self.process = None

    def start(self, command, stdout=False, stdin=False, **options):
        """Standard error is the terminal; stdout, stdin: these as well, else they lead nowhere. In a session of its own, whose terminal this is."""
        slave = self.slave
        self.process = subprocess.Popen(command, stdin=slave if stdin else subprocess.DEVNULL, stdout=slave if stdout else subprocess.DEVNULL, stderr=slave,
                                        start_new_session=True, preexec_fn=_on_its_own, **options)
        os.close(slave)
        self.slave = None
        return self.process

    def _more(self, until):
        """false: its other end is closed."""
        if not select.select([self.master], [], [], max(0, until - time.monotonic()))[0]:
            raise AssertionError("the terminal shows no more than %r" % self.seen)
        try:
            data = os.read(self.master, 65536)
        except OSError:
            return False
        self.seen += data
        return bool(data)

    def wait(self, text):
        until = time.monotonic() + PATIENCE
        while text not in self.seen:
            if not self._more(until):
                raise AssertionError("%r was never shown: %r" % (text, self.seen))

    def type(self, keys):
        os.write(self.master, keys)

    def read_to_end(self):
        """All that was shown; the program has ended."""
        until = time.monotonic() + PATIENCE
        while self._more(until):
            pass
        self.code = self.process.wait(PATIENCE)
        return self.seen.decode()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self.master)
        if self.slave is not None:
            os.close(self.slave)
