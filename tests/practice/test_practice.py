"""What `make run` shows is true, and it leaves nothing behind, however it ends."""

import os
import pty
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

TOUR = os.path.join(os.path.dirname(os.path.abspath(__file__)), "tour.py")
PATIENCE = 60


def begin(**more):
    return subprocess.Popen([sys.executable, TOUR], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **more)


def alive(directory):
    """Processes whose command line names the directory."""
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit() and int(entry) != os.getpid():
            try:
                with open("/proc/%s/cmdline" % entry, errors="replace") as file:
                    words = file.read()
            except OSError:
                continue
            if directory in words:
                found.append(words.replace("\0", " "))
    return found


class Practice(unittest.TestCase):
    def nothing_is_left(self, output):
        directory = re.search(r"everything is in (\S+),", output).group(1)
        self.assertTrue(directory.startswith(tempfile.gettempdir()))
        self.assertFalse(os.path.exists(directory))
        end = time.monotonic() + PATIENCE  # Squid's helper ends when it sees the end of its input
        while alive(directory) and time.monotonic() < end:
            time.sleep(0.05)
        self.assertEqual(alive(directory), [])

    def test_tour_without_a_terminal(self):
        process = begin(stdin=subprocess.DEVNULL)
        output, _ = process.communicate(timeout=PATIENCE)
        self.assertEqual(process.returncode, 0, output)
        self.assertIn("(status 407)", output)
        self.assertNotIn("NOT AS IT SHOULD BE", output)
        self.nothing_is_left(output)

    def test_another_port_when_3128_is_taken(self):
        with socket.socket() as taken:
            taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                taken.bind(("127.0.0.1", 3128))
                taken.listen()
            except OSError:
                pass  # somebody else has it: just as good
            process = begin(stdin=subprocess.DEVNULL)
            output, _ = process.communicate(timeout=PATIENCE)
        self.assertEqual(process.returncode, 0, output)
        self.assertNotIn("exeat on http://127.0.0.1:3128", output)

    def ended_by(self, number):
        """On a terminal it stays after the tour, until the signal."""
        master, slave = pty.openpty()
        try:
            process = begin(stdin=slave)
            output = ""
            while "Ctrl-C stops it all" not in output:
                line = process.stdout.readline()
                self.assertTrue(line, output)
                output += line
            port = int(re.search(r"export http_proxy=http://127\.0\.0\.1:(\d+)", output).group(1))
            with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE):
                pass
            self.assertIsNone(process.poll())
            process.send_signal(number)
            rest, _ = process.communicate(timeout=PATIENCE)
        finally:
            os.close(master)
            os.close(slave)
        self.assertEqual(process.returncode, 0, output + rest)
        self.assertIn("Stopped.", rest)
        self.nothing_is_left(output)

    def test_ctrl_c(self):
        self.ended_by(signal.SIGINT)

    def test_sigterm(self):
        self.ended_by(signal.SIGTERM)


if __name__ == "__main__":
    unittest.main()
