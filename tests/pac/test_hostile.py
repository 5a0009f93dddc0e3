"""Scripts that mean harm, and an agent that breaks the rules: what the program itself holds against them. (Loops and growth are ended by the
agent: tests/unit/test_pac_client.c.)"""
import os
import signal
import socket
import struct
import subprocess
import sys
import unittest

from agent import cpu_seconds, ended, wait_until
from script import PROGRAM, WAIT, Failed, Gone, Script, encode

GARBAGE = "var kept = []; for (var r = 0; r < 12; r++) { kept = []; for (var i = 0; i < 60000; i++) kept.push({ a: 'x' + i, b: [i, {}] }); }"


def finds(body, **kwargs):
    with Script("function FindProxyForURL(url, host) { %s }" % body, **kwargs) as script:
        return script.find()


class Hostile(unittest.TestCase):
    seconds = 600  # scripts that work as long as they may, on machines that have other work too

    def test_there_is_nothing_but_the_language_and_our_functions(self):
        body = ("var names = ['XMLHttpRequest', 'fetch', 'WebSocket', 'Worker', 'importScripts', 'require', 'process', 'load', 'read', 'readFile',"
                "'run', 'quit', 'print', 'ActiveXObject', 'document', 'window', 'navigator', 'setTimeout', 'setInterval', 'WebAssembly',"
                "'SharedArrayBuffer', 'imports', 'java', 'Packages', 'Deno'];"
                "return names.filter(function (name) { return name in this || eval('typeof ' + name) != 'undefined'; }, this).join();")
        self.assertEqual(finds(body), "")

    def test_import_leads_nowhere(self):
        with Script("var got = 'pending'; function FindProxyForURL(url, host) { try { import('/etc/passwd').then(function () { got = 'read'; },"
                    "function (e) { got = 'refused'; }); } catch (e) { got = 'refused'; } return got; }") as script:
            script.find()
            self.assertNotEqual(script.find(), "read")

    def test_deep_recursion(self):
        self.assertIn("caught RangeError", finds("function f() { return f() + 1; } try { f(); } catch (e) { return 'caught ' + e; }"))
        with self.assertRaises(Failed) as caught:
            finds("function f() { return f() + 1; } return f();")
        self.assertIn("RangeError", str(caught.exception))
        # through our functions and back
        body = "var o = { toString: function () { return isPlainHostName(o) + ''; } }; try { o + ''; } catch (e) { return 'caught ' + e; }"
        self.assertIn("caught RangeError", finds(body))
        deep = "[" * 100000 + "]" * 100000
        with Script() as script, self.assertRaises(Failed):
            script.load("var a = %s;" % deep)

    def test_prototypes(self):
        bodies = [
            "Object.prototype.toString = null; String.prototype.toString = function () { throw 1; }; return 'PROXY a:1';",
            "try { String.prototype.length = 1e9; } catch (e) {} return 'PROXY a:1';",
            "Function.prototype.call = null; delete Array.prototype; Object.freeze(this); return isPlainHostName('a') ? 'PROXY a:1' : '';",
            "Object.setPrototypeOf(this.dnsDomainIs, null); return dnsDomainIs('a.b', '.b') ? 'PROXY a:1' : '';",
            "try { Object.setPrototypeOf(this, null); } catch (e) {} String.prototype.__proto__ = null; return 'PROXY a:1';",
            "FindProxyForURL = null; return 'PROXY a:1';",
        ]
        for body in bodies:
            with self.subTest(body):
                self.assertEqual(finds(body), "PROXY a:1")

    def test_exceptions_that_lie(self):
        bodies = [
            "throw { get line() { throw 1; }, toString: function () { throw 2; } };",
            "throw { line: 'x'.repeat(1000), toString: function () { return {}; } };",
            "throw { line: 1 / 0, toString: function () { return 'a\\nb'; } };",
            "throw { line: -1e300, message: 'x' };",
            "throw 'x'.repeat(1e8);",
            "throw new Error('x'.repeat(1e6));",
            "throw Symbol('x');",
            "throw new Proxy({}, { get: function () { throw 1; } });",
            "throw FindProxyForURL;",
        ]
        for body in bodies:
            with self.subTest(body), self.assertRaises(Failed) as caught:
                finds(body)
            self.assertLessEqual(len(str(caught.exception).encode()), 2048)

    def test_huge_results(self):
        for body in ("return 'x'.repeat(65537);", "return 'x'.repeat(1 << 30);", "return '\\u20ac'.repeat(40000);"):
            with self.subTest(body), self.assertRaises(Failed) as caught:
                finds(body)
            self.assertIn("too long", str(caught.exception))
        self.assertEqual(len(finds("return 'x'.repeat(65536);")), 65536)

    def test_huge_arguments(self):
        for function in ("isPlainHostName", "dnsResolve", "alert", "sortIpAddressList", "convert_addr"):
            with self.subTest(function):
                self.assertIn("too long", finds("try { %s('x'.repeat(2e6)); return 'taken'; } catch (e) { return String(e); }" % function))
        with Script("function FindProxyForURL(u, h) { return String(dnsResolve('x'.repeat(1e6))); }") as script:
            self.assertEqual(script.find(), "null")
            self.assertEqual(script.asked, [])
        self.assertEqual(finds("return String(shExpMatch('a'.repeat(3000), '*a'.repeat(200) + 'b'));"), "false")
        self.assertEqual(finds("return String(isPlainHostName.apply(null, Array(50000)));"), "false")

    def test_much_garbage_is_collected_inside_the_sandbox(self):
        """The collector starts threads and asks the system for what a short run does not need."""
        with Script("function FindProxyForURL(url, host) { %s return 'PROXY ' + kept.length; }" % GARBAGE) as script:
            for _ in range(3):
                self.assertEqual(script.find(), "PROXY 60000")
            with open("/proc/%d/task/%d/status" % (script.process.pid, script.process.pid)) as status:
                self.assertIn("Seccomp:\t2\n", status.read())

    def test_an_unwatched_loop_is_ended_by_the_kernel(self):
        """When the agent hangs, or has gone without our noticing."""
        with Script("function FindProxyForURL(url, host) { for (;;); }") as script:
            pid = script.process.pid
            script.send("FIND", 9, url="http://a/", host="a")
            # It may use so much of a processor; how long that takes beside others is not the question.
            wait_until(lambda: ended(pid) or cpu_seconds(pid) > 60, "the end of the loop", self.seconds)
            self.assertTrue(ended(pid))
            with self.assertRaises(Gone):
                script.answer(9)
            self.assertEqual(script.process.wait(WAIT), -signal.SIGXCPU)

    def test_the_end_of_the_agent_is_its_end(self):
        script = Script("function FindProxyForURL(url, host) { return dnsResolve(host) || 'DIRECT'; }")
        script.send("FIND", 9, url="http://a/", host="a")
        self.assertEqual(script.receive()["type"], "RESOLVE")
        script.close()  # while it waits for a name
        self.assertEqual(script.process.returncode, 0)

    def test_it_does_not_outlive_the_agent(self):
        """Also when somebody else still holds our end of the socket."""
        ours, theirs = socket.socketpair()

        def as_three():
            os.dup2(theirs.fileno(), 3)

        text = "import subprocess, sys; p = subprocess.Popen(sys.argv[1:], pass_fds=(3,)); print(p.pid, flush=True); p.wait()"
        parent = subprocess.Popen([sys.executable, "-c", text, PROGRAM], stdout=subprocess.PIPE, pass_fds=(3,), preexec_fn=as_three)
        try:
            pid = int(parent.stdout.readline())
            self.assertTrue(ours.recv(9))  # READY: the sandbox is closed
            os.kill(parent.pid, signal.SIGKILL)
            wait_until(lambda: ended(pid), "the end of exeat-pac")
        finally:
            parent.kill()
            parent.wait()
            parent.stdout.close()
            ours.close()
            theirs.close()

    def test_no_code_is_made_at_run_time(self):
        """No memory that can be run but what came out of files."""
        body = "var s = 0; for (var i = 0; i < 3e6; i++) s += i % 7; return /^(a|b)*c$/.test('ab'.repeat(1000) + 'c') + 'PROXY ' + s;"
        with Script("function FindProxyForURL(url, host) { %s }" % body, environment={"JSC_useJIT": "1"}) as script:
            script.find()
            with open("/proc/%d/maps" % script.process.pid) as maps:
                runnable = [line.split() for line in maps if "x" in line.split()[1]]
        self.assertTrue(runnable)
        for fields in runnable:
            self.assertTrue(len(fields) == 6 and (fields[5].startswith("/") or fields[5] in ("[vdso]", "[vsyscall]")), fields)


class Rules(unittest.TestCase):
    """An agent that does not keep the rules, which is not ours: the program ends."""

    def ends(self, data):
        with Script() as script:
            script.sock.sendall(data)
            with self.assertRaises(Gone):
                script.receive()
            self.assertEqual(script.process.wait(WAIT), 1)

    def test_bad_frames(self):
        for bad in (struct.pack(">I", 0), struct.pack(">I", (1 << 20) + 1), struct.pack(">IB", 1, 1), struct.pack(">IBI", 5, 0, 0),
                    struct.pack(">IBI", 5, 99, 1), encode("FIND", 1, url="u", host="h"), encode("READY"), encode("LOAD", 0, name="n", script="s"),
                    encode("LOAD", 1, name="n"), encode("LOAD", 1, name="n", script="s", url="u"), encode("ADDRESSES", 1)):
            with self.subTest(bad):
                self.ends(bad)

    def test_a_question_in_the_middle_of_another(self):
        with Script("function FindProxyForURL(url, host) { return dnsResolve(host); }") as script:
            script.send("FIND", 9, url="http://a/", host="a")
            self.assertEqual(script.receive()["type"], "RESOLVE")
            script.send("FIND", 10, url="http://a/", host="a")
            self.assertEqual(script.process.wait(WAIT), 1)

    def test_pieces(self):
        with Script() as script:
            data = encode("LOAD", 1, name="n", script="function FindProxyForURL() { return 'DIRECT'; }") + encode("FIND", 2, url="u", host="h")
            for i in range(len(data)):
                script.sock.sendall(data[i:i + 1])
            self.assertEqual(script.answer(1), "")
            self.assertEqual(script.answer(2), "DIRECT")

    def test_the_largest_script(self):
        text = "function FindProxyForURL() { return 'DIRECT'; }\n//"
        most = (1 << 20) - 8192
        with Script(text + "x" * (most - len(text))) as script:
            self.assertEqual(script.find(), "DIRECT")

    def test_by_hand(self):
        for arguments, status in ((["--version"], 0), (["--help"], 0), ([], 2), (["--nonsense"], 2), (["word"], 2)):
            answer = subprocess.run([PROGRAM, *arguments], stdin=subprocess.DEVNULL, capture_output=True, timeout=WAIT, check=False)
            self.assertEqual(answer.returncode, status, arguments)
        ours, theirs = os.pipe()
        answer = subprocess.run([PROGRAM], stdin=subprocess.DEVNULL, capture_output=True, timeout=WAIT, check=False,
                                preexec_fn=lambda: os.dup2(ours, 3), pass_fds=(3,))
        os.close(ours)
        os.close(theirs)
        self.assertEqual(answer.returncode, 2)
        self.assertIn(b"with a socket as descriptor 3", answer.stderr)

    def test_no_other_descriptor_comes_along(self):
        ours, theirs = socket.socketpair()
        with Script("function FindProxyForURL() { return 'DIRECT'; }", inherit=(theirs.fileno(),)) as script:
            theirs.close()
            folder = "/proc/%d/fd" % script.process.pid
            places = [os.readlink(os.path.join(folder, name)) for name in os.listdir(folder)]
            self.assertEqual(sum(place.startswith("socket:") for place in places), 1, places)
        ours.close()
