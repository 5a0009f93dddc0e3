"""What `exeat practice` shows is true, it shows no secret, and it leaves nothing behind, however it ends."""

import os
import pty
import re
import signal
import socket
import subprocess
import tempfile
import time
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
EXEAT = os.path.join(os.path.abspath(os.environ.get("EXEAT_BUILD") or os.path.join(ROOT, "build")), "exeat")
PATIENCE = 60
DIRECTORY = re.compile(r"everything is in (\S+),")
TOKEN = re.compile(r"TlRMTVNTUA|YII|(?:Basic|NTLM|Negotiate) [A-Za-z0-9+/=]{8}")


def begin(*words, **more):
    return subprocess.Popen([EXEAT, "practice", *words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **more)


def family(pid):
    """It and all its descendants that live."""
    parents = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                with open("/proc/%s/stat" % entry, errors="replace") as file:
                    fields = file.read().rpartition(")")[2].split()
            except OSError:
                continue
            if fields[0] not in "ZX":
                parents[int(entry)] = int(fields[1])
    found = {pid} & set(parents)
    while True:
        more = {child for child, parent in parents.items() if parent in found} - found
        if not more:
            return found
        found |= more


def alive(pids):
    return {pid for pid in pids if pid in family(pid)}


class Practice(unittest.TestCase):
    def nothing_is_left(self, output, pids=()):
        directory = DIRECTORY.search(output).group(1)
        self.assertTrue(directory.startswith(tempfile.gettempdir()))
        self.assertFalse(os.path.exists(directory))
        self.all_end(pids)

    def all_end(self, pids):
        end = time.monotonic() + PATIENCE
        while alive(pids) and time.monotonic() < end:
            time.sleep(0.02)
        self.assertEqual(alive(pids), set())

    def tour(self, *words, legs, **more):
        process = begin(*words, stdin=subprocess.DEVNULL, **more)
        output, _ = process.communicate(timeout=PATIENCE)
        self.assertEqual(process.returncode, 0, output)
        self.assertNotIn("NOT AS IT SHOULD BE", output)
        self.assertIsNone(TOKEN.search(output), output)
        self.assertNotIn("AddressSanitizer", output)
        second, third = output.split("\n2. ")[1].split("\n3. ")
        third = third.split("\n4. ")[0]
        self.assertEqual(second.count("exeat -> the proxy"), legs, output)
        self.assertEqual(third.count("exeat -> the proxy"), 1, output)
        self.nothing_is_left(output)
        return output

    def test_tour_without_a_terminal(self):
        output = self.tour(legs=3)  # the request as it came, a first token, the last one
        self.assertRegex(output, r"Proxy-Authenticate: Negotiate\n +Proxy-Authenticate: NTLM\n +Proxy-Authenticate: Digest .*\n(?: +Proxy-Authenticate: Digest .*\n)?"
                                 r" +Proxy-Authenticate: Basic ")
        self.assertRegex(output, r"Proxy-Authorization: Negotiate \(\d+ characters\)")

    def test_ntlm_alone(self):
        self.assertRegex(self.tour("--auth", "ntlm", legs=3), r"Proxy-Authorization: NTLM \(\d+ characters\)")

    def test_digest_alone(self):
        output = self.tour("--auth", "digest", legs=2)
        self.assertRegex(output, r'Proxy-Authorization: Digest username="practice", .*response=\(\d+ characters\)')

    def test_basic_alone(self):
        self.assertRegex(self.tour("--auth", "basic", legs=2), r"Proxy-Authorization: Basic \(\d+ characters\)")

    def test_scheme_that_there_is_not(self):
        process = begin("--auth", "telepathy", stdin=subprocess.DEVNULL)
        output, _ = process.communicate(timeout=PATIENCE)
        self.assertNotEqual(process.returncode, 0)
        self.assertIn("telepathy", output)

    def test_another_port_when_3128_is_taken(self):
        with socket.socket() as taken:
            taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                taken.bind(("127.0.0.1", 3128))
                taken.listen()
            except OSError:
                pass  # somebody else has it: just as good
            output = self.tour("--auth", "digest", legs=2)
        self.assertNotIn("exeat on http://127.0.0.1:3128 ", output)

    def stays(self, *words):
        """On a terminal it stays after the tour. Returns the process, what it has said, and who belongs to it."""
        master, slave = pty.openpty()
        self.addCleanup(os.close, master)
        process = begin(*words, stdin=slave)
        os.close(slave)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        output = ""
        while "Ctrl-C ends it all" not in output:
            line = process.stdout.readline()
            self.assertTrue(line, output)
            output += line
        return process, output, family(process.pid)

    def ended_by(self, number):
        process, output, pids = self.stays("--auth", "digest")
        self.assertIsNone(process.poll())
        process.send_signal(number)
        rest, _ = process.communicate(timeout=PATIENCE)
        self.assertEqual(process.returncode, 0, output + rest)
        self.assertIn("Stopped.", rest)
        self.nothing_is_left(output, pids)

    def test_ctrl_c(self):
        self.ended_by(signal.SIGINT)

    def test_sigterm(self):
        self.ended_by(signal.SIGTERM)

    def test_killed(self):
        process, output, pids = self.stays("--auth", "digest")
        process.kill()
        process.wait()
        self.all_end(pids)
        directory = DIRECTORY.search(output).group(1)
        subprocess.run(["rm", "-r", directory], check=True)  # nobody could

    def test_our_own_requests(self):
        process, output, _ = self.stays()
        proxy = re.search(r"export http_proxy=(http://127\.0\.0\.1:\d+)", output).group(1)
        page = re.search(r"curl --proxy \S+ (\S+)", output).group(1)
        with open(DIRECTORY.search(output).group(1) + "/secret", encoding="utf-8") as file:
            secret = file.read().strip()
        for words in ([], ["--proxytunnel"]):
            answer = subprocess.run(["curl", "-sS", "--noproxy", "", "--proxy", proxy, *words, page], capture_output=True, text=True,
                                    timeout=PATIENCE, check=True)
            self.assertIn("You are outside", answer.stdout)
        process.send_signal(signal.SIGTERM)
        rest, _ = process.communicate(timeout=PATIENCE)
        self.assertIn("GET %s HTTP/1.1" % page, rest)
        self.assertIn("CONNECT %s HTTP/1.1" % page.split("/")[2], rest)
        self.assertIn("is a tunnel", rest)
        self.assertNotIn(secret, output + rest)
        self.assertIsNone(TOKEN.search(output + rest))

    def test_an_agent_that_ends_is_told_of(self):
        process, output, pids = self.stays("--auth", "digest")
        for pid in pids - {process.pid}:
            with open("/proc/%d/stat" % pid) as file:
                direct = int(file.read().rpartition(")")[2].split()[1]) == process.pid
            if direct:
                os.kill(pid, signal.SIGKILL)
                break
        rest, _ = process.communicate(timeout=PATIENCE)
        self.assertEqual(process.returncode, 1)
        self.assertIn("has ended by itself", rest)
        self.nothing_is_left(output, pids)


if __name__ == "__main__":
    unittest.main()
