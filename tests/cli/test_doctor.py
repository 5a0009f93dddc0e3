"""exeat doctor before agents that are not as they should be: of another version, of few words, without a keyholder; and hosts with nothing at all."""

import json
import threading

from place import STATUS, Place
from ports import free_port

# Nobody listens there, so that the walk ends soon.
CONFIG = "[upstream home]\nproxy = http://127.0.0.1:9\nauth = ntlm\nuser = bob\nsecret = prompt\n"
FAILED, CONFIG_ERROR, NO_AGENT, UNREACHABLE = 1, 3, 4, 6


class Doctor(Place):
    def read(self, answer):
        self.assertEqual(answer.stderr, "", answer)
        report = json.loads(answer.stdout)
        self.assertEqual((report["exit_code"], report["ok"]), (answer.returncode, answer.returncode == 0))
        return {step["step"]: step for step in report["steps"]}

    def diagnose(self, code=UNREACHABLE, route='{"ok": true}', **status):
        """Of an agent that says this of itself."""
        self.fake_agent({"status": dict(STATUS, **dict({"config": self.configure(CONFIG), "listening": []}, **status)), "route": route})
        answer = self.exeat("doctor", "--json")
        self.assertEqual(answer.returncode, code, answer)
        return self.read(answer)

    def test_of_another_version(self):
        step = self.diagnose(version="9.9.9")["agent"]
        self.assertEqual(step["result"], "note")
        self.assertRegex(step["evidence"], r"^running, process 123, version 9\.9\.9; this program is \d+\.\d+")
        self.assertIn("exeat stop, then exeat run", step["remedy"])

    def test_of_the_same(self):
        version = self.exeat("--version").stdout.split()[-1]
        self.assertEqual(self.diagnose(version=version)["agent"]["result"], "ok")

    def test_of_few_words(self):
        """Whatever is missing in what it says, the walk goes on."""
        for missing in ("version", "pid", "listening", "upstreams", "counters"):
            status = dict(STATUS, config=self.configure(CONFIG), listening=[])
            del status[missing]
            with self.subTest(missing):
                self.fake_agent({"status": status, "route": '{"ok": true}'})
                steps = self.read(self.exeat("doctor", "--json"))
                self.assertEqual(steps["tcp"]["result"], "failed")
                self.anew()

    def test_of_strange_words(self):
        for status in ('{"ok": true, "config": 7, "listening": {"a": 1}, "version": [], "pid": "x"}', '{"ok": true, "config": null, "listening": [7, null, ""], "upstreams": [1]}'):
            with self.subTest(status):
                self.fake_agent({"status": status, "route": '{"ok": true, "way": 1, "text": []}'})
                self.read(self.exeat("doctor", "--json"))
                self.anew()

    def anew(self):
        """Another place, for another agent."""
        self.doCleanups()
        self.setUp()

    def test_it_names_files_with_escapes(self):
        """What it says is shown without what could drive the terminal."""
        self.fake_agent({"status": dict(STATUS, config="/nowhere/\x1b[31m\u202e\u009b", listening=[]), "route": '{"ok": true}'})
        for words in ((), ("--json",)):
            out = self.exeat("doctor", *words).stdout
            self.assertIn("/nowhere/?[31m??", out)
            self.assertFalse(any(ord(c) < 32 and c != "\n" or c in "\u202e\u009b" for c in out))

    def test_without_a_keyholder(self):
        step = self.diagnose()["keyholder"]
        self.assertEqual(step["evidence"], "the agent is running, but the program that keeps its passwords (exeat-keys) is not")
        self.assertIn("exeat stop, then exeat run", step["remedy"])

    def test_with_one_that_hangs_up(self):
        self.fake_keyholder(raw=b"")
        self.assertEqual(self.diagnose()["keyholder"]["result"], "failed")

    def test_with_one_that_says_nothing(self):
        over = threading.Event()
        self.listen("keys", lambda stream, _connection: over.wait())
        self.addCleanup(over.set)
        step = self.diagnose()["keyholder"]
        self.assertEqual(step["evidence"], "the program that keeps the passwords (exeat-keys) does not answer")
        self.assertIn("exeat stop, then exeat run", step["remedy"])

    def test_something_else_on_the_control_socket(self):
        self.configure(CONFIG)
        self.fake_agent({"status": "HTTP/1.1 400 Bad Request"})
        steps = self.read(self.exeat("doctor", "--json"))
        self.assertEqual((steps["agent"]["result"], steps["config"]["result"], steps["tcp"]["result"]), ("failed", "ok", "failed"))
        self.assertTrue(steps["agent"]["remedy"])

    def test_nothing_at_all(self):
        """A fresh account: no agent, no configuration. What is first to do is said first."""
        answer = self.exeat("doctor", "--json")
        steps = self.read(answer)
        self.assertEqual((answer.returncode, steps["config"]["result"], steps["route"]["result"]), (CONFIG_ERROR, "failed", "skipped"))

    def test_no_agent_and_all_else_there(self):
        """Everything but the agent is looked at; that it is missing is the exit code only where nothing else is wrong."""
        self.configure("[listen]\nhttp = 127.0.0.1:%d\n[upstream home]\nproxy = http://127.0.0.1:9\nauth = none\n[route]\nrule = * direct\n" % free_port())
        answer = self.exeat("doctor", "--json")
        steps = self.read(answer)
        self.assertEqual((answer.returncode, steps["agent"]["evidence"]), (NO_AGENT, "no agent of yours is running"))
        self.configure(CONFIG)
        self.assertEqual(self.exeat("doctor").returncode, UNREACHABLE)
