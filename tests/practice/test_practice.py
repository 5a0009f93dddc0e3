"""What `exeat practice` shows is true, it shows no secret, and it leaves nothing behind, however it ends."""

import contextlib
import fcntl
import os
import pty
import re
import signal
import socket
import subprocess
import tempfile
import threading
import time
import unittest

import memory
import network
from agent import processes

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
        self.all_end(pids)
        self.assertFalse(os.path.exists(directory))

    def all_end(self, pids):
        end = time.monotonic() + PATIENCE
        while alive(pids) and time.monotonic() < end:
            time.sleep(0.02)
        self.assertEqual(alive(pids), set())

    def tour(self, *words, legs, **more):
        process = begin(*words, stdin=subprocess.DEVNULL, **more)
        output, _ = process.communicate(timeout=PATIENCE)
        self.assertEqual([line for line in output.splitlines() if "NOT AS IT SHOULD BE" in line or "exeat: " in line], [])
        self.assertEqual(process.returncode, 0, output)
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
        self.assertRegex(output, r'Proxy-Authorization: Digest username="[0-9a-f]{64}", .*response=\(\d+ characters\).*userhash=true')

    def test_basic_alone(self):
        self.assertRegex(self.tour("--auth", "basic", legs=2), r"Proxy-Authorization: Basic \(\d+ characters\)")

    def test_several_in_any_spelling(self):
        output = self.tour("--auth", "Basic,  DIGEST", legs=2)
        self.assertIn("basic digest. The program knows no password", output)
        self.assertIn("Proxy-Authenticate: Basic, Digest (in short)", output)  # in 2; in 1 they are there as they came
        self.assertIn("Proxy-Authenticate: Basic realm=", output)

    def test_schemes_that_cannot_be(self):
        for words, complaint in (("telepathy", "telepathy"), ("none", "nothing to show"), ("", "at least one"), ("basic,basic", "twice")):
            with self.subTest(words):
                process = begin("--auth", words, stdin=subprocess.DEVNULL)
                output, _ = process.communicate(timeout=PATIENCE)
                self.assertEqual(process.returncode, 2, output)
                self.assertIn(complaint, output)
                self.assertNotIn(".conf", output)  # nobody has written one

    def test_the_pool_is_shown(self):
        self.assertIn("0 busy connections and 1 idle", self.tour("--auth", "ntlm", legs=3))

    def test_odd_places(self):
        with tempfile.TemporaryDirectory() as top:
            for name in ("with blanks", "x" * 120):
                os.mkdir(os.path.join(top, name))
            for place in (os.path.join(top, "with blanks"), os.path.join(top, "x" * 120), os.path.join(top, "missing"), "", "relative"):
                with self.subTest(place):
                    process = begin("--auth", "digest", stdin=subprocess.DEVNULL, env=dict(os.environ, TMPDIR=place))
                    output, _ = process.communicate(timeout=PATIENCE)
                    self.assertEqual(process.returncode, 0, output)
                    self.assertRegex(output, r"everything is in /tmp/exeat-practice-\w+,")

    def test_nothing_of_the_users(self):
        """Tickets, keytab, keyring, proxies, configuration: who looks there finds only traps."""
        with tempfile.TemporaryDirectory() as top:
            trap = os.path.join(top, "trap")
            os.mkfifo(trap)  # whoever opens it waits for ever
            trace = os.path.join(top, "trace")
            bus = socket.socket(socket.AF_UNIX)
            self.addCleanup(bus.close)
            bus.bind(os.path.join(top, "bus"))
            bus.listen()
            bus.settimeout(0)
            environment = dict(os.environ, KRB5CCNAME="FILE:" + trap, KRB5_KTNAME="FILE:" + trap, KRB5_CLIENT_KTNAME="FILE:" + trap, KRB5_CONFIG=trap,
                               KRB5_TRACE=trace, NTLM_USER_FILE=trap, HOME=trap, XDG_CONFIG_HOME=trap, XDG_RUNTIME_DIR=trap, XDG_STATE_HOME=trap,
                               DBUS_SESSION_BUS_ADDRESS="unix:path=" + os.path.join(top, "bus"), http_proxy="http://127.0.0.1:9",
                               all_proxy="http://127.0.0.1:9", EXEAT_UPSTREAM="other", EXEAT_PINENTRY=trap, CREDENTIALS_DIRECTORY=trap)
            self.tour(legs=3, env=environment)
            self.assertFalse(os.path.exists(trace))
            self.assertRaises(BlockingIOError, bus.accept)

    def test_next_to_no_environment(self):
        self.tour("--auth", "digest", legs=2, env={name: value for name, value in os.environ.items() if name.endswith("SAN_OPTIONS") or name == "TMPDIR"})

    @unittest.skipIf(subprocess.run(["unshare", "-rn", "true"], stderr=subprocess.DEVNULL, check=False).returncode, "no namespaces here")
    def test_no_loopback(self):
        done = subprocess.run(["unshare", "-rn", EXEAT, "practice", "--once"], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PATIENCE,
                              check=False)
        self.assertEqual((done.returncode, done.stdout), (6, ""))
        self.assertIn("ip link set lo up", done.stderr)

    def test_two_at_once(self):
        first = begin("--auth", "ntlm", stdin=subprocess.DEVNULL)
        self.tour("--auth", "digest", legs=2)
        output, _ = first.communicate(timeout=PATIENCE)
        self.assertEqual(first.returncode, 0, output)

    def test_another_port_when_3128_is_taken(self):
        with contextlib.ExitStack() as stack:
            if os.geteuid() == 0:
                stack.enter_context(network.private())  # where nobody has it and gives it back before the tour begins
            taken = stack.enter_context(socket.socket())
            taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                taken.bind(("127.0.0.1", 3128))
                taken.listen()
            except OSError:
                pass  # somebody else has it: just as good
            output = self.tour("--auth", "digest", legs=2)
        self.assertIn("Port 3128 is taken", output)

    def test_reader_goes_away(self):
        process = begin("--auth", "digest", stdin=subprocess.DEVNULL)
        line = process.stdout.readline()
        pids = family(process.pid)
        process.stdout.close()
        process.wait(timeout=PATIENCE)
        self.assertNotEqual(process.returncode, 0)
        self.nothing_is_left(line, pids)

    def test_ctrl_c_in_mid_tour(self):
        """Also where nobody reads on, so that the tour cannot go on; twice, as people do."""
        for times in (1, 2):
            master, slave = os.pipe()
            os.set_inheritable(slave, True)
            with open(master, encoding="utf-8") as reader:
                fcntl.fcntl(slave, fcntl.F_SETPIPE_SZ, 4096)
                process = subprocess.Popen([EXEAT, "practice", "--auth", "digest", "--once"], stdin=subprocess.DEVNULL, stdout=slave, stderr=slave)
                os.close(slave)
                line = reader.readline()
                pids = family(process.pid)
                for _ in range(times):
                    process.send_signal(signal.SIGINT)
                rest = reader.read()
                self.assertEqual(process.wait(timeout=PATIENCE), 1, rest)
            self.nothing_is_left(line, pids)
            self.assertIn("Stopped.", rest)

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

    def test_terminal_is_closed(self):
        self.ended_by(signal.SIGHUP)

    def test_stopped_and_continued(self):
        """Ctrl-Z and fg are no end."""
        process, output, pids = self.stays("--auth", "digest")
        process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WNOWAIT)
        process.send_signal(signal.SIGCONT)
        os.waitid(os.P_PID, process.pid, os.WCONTINUED | os.WNOWAIT)
        words = re.search(r"curl --proxy \S+ \S+", output).group(0).split()
        for _ in range(3):
            subprocess.run([*words, "-sSf", "--noproxy", ""], capture_output=True, timeout=PATIENCE, check=True)
        process.send_signal(signal.SIGTERM)
        rest, _ = process.communicate(timeout=PATIENCE)
        self.assertEqual(process.returncode, 0, rest)
        self.nothing_is_left(output, pids)

    def test_killed(self):
        process, output, pids = self.stays("--auth", "digest")
        process.kill()
        process.wait()
        self.nothing_is_left(output, pids)  # one of those that are left cleans up

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

    def test_much_through_it(self):
        """A tunnel and large contents: every byte, and the ear keeps none of them."""
        process, output, pids = self.stays("--auth", "digest")
        proxy = re.search(r"export http_proxy=(http://127\.0\.0\.1:\d+)", output).group(1)
        size = 64 << 20
        with socket.create_server(("127.0.0.1", 0)) as server:
            def serve():
                for _ in range(2):
                    with server.accept()[0] as one:
                        head = b""
                        while b"\r\n\r\n" not in head and (more := one.recv(65536)):
                            head += more
                        one.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n" % size)
                        for _ in range(size >> 20):
                            one.sendall(b"x" * (1 << 20))
            thread = threading.Thread(target=serve, daemon=True)
            thread.start()
            for words in ([], ["--proxytunnel"]):
                done = subprocess.run(["curl", "-sS", "--noproxy", "", "--proxy", proxy, *words, "-o", "/dev/null", "-w", "%{size_download} %{http_code}",
                                       "http://alice:secret-word@127.0.0.1:%d/?token=secret-word" % server.getsockname()[1],
                                       "-H", "X-Token: secret-word", "-b", "c=secret-word"], capture_output=True, text=True, timeout=PATIENCE)
                self.assertEqual(done.stdout, "%d 200" % size, done.stderr)
            thread.join(PATIENCE)
        for pid in alive(pids):
            with open("/proc/%d/status" % pid) as file:
                peak = int(re.search(r"VmHWM:\s+(\d+)", file.read()).group(1))
            if not memory.sanitized(EXEAT):
                self.assertLess(peak, 48 << 10)
        process.send_signal(signal.SIGTERM)
        rest, _ = process.communicate(timeout=PATIENCE)
        self.assertNotIn("secret-word", rest)
        self.assertIn("X-Token: (11 characters)", rest)

    def test_an_agent_that_ends_is_told_of(self):
        process, output, pids = self.stays("--auth", "digest")
        # The first of its children, for the last one, which was the tour, may be about to end by itself.
        os.kill(min(pid for pid, parent, _name in processes() if parent == process.pid), signal.SIGKILL)
        rest, _ = process.communicate(timeout=PATIENCE)
        self.assertEqual(process.returncode, 1)
        self.assertIn("has ended by itself", rest)
        self.nothing_is_left(output, pids)


if __name__ == "__main__":
    unittest.main()
