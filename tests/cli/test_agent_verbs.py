"""status, reload and stop against a stand-in for the agent: what is asked, what is said, and how they end."""

import json
import subprocess
import sys

import place

# An agent that ends when it is told to: whoever listens is the process that "exeat stop" waits for.
MORTAL_AGENT = """
import socket, sys
listener = socket.socket(socket.AF_UNIX)
listener.bind(sys.argv[1])
listener.listen()
print("listening", flush=True)
connection, _ = listener.accept()
question = connection.recv(1000)
listener.close()
connection.sendall(b'{"ok": true}\\n')
connection.close()
sys.stdin.read()
print(question.decode().strip(), flush=True)
"""


class NoAgent(place.Place):
    def test_says_so(self):
        for verb in ("status", "reload", "stop"):
            with self.subTest(verb=verb):
                answer = self.expect(4, "", 'no agent is running (nobody answers on ', verb)
                self.assertIn('/runtime/exeat/control): start it with "exeat run"', answer.stderr)

    def test_that_goes_away(self):
        self.listen("control", lambda stream, _connection: stream.readline())
        self.expect(4, "", "the agent went away before it answered", "status")

    def test_that_talks_nonsense(self):
        self.fake_agent({"status": "[1, 2]", "reload": "hello", "stop": '{"ok": "yes"}'})
        for verb in ("status", "reload", "stop"):
            self.expect(1, "", "what answered is not an agent of this kind", verb)


class Status(place.Place):
    def test_in_words(self):
        asked = self.fake_agent({"status": place.STATUS})
        text = self.expect(0, "exeat 0.1.0 is running (process 123, for 1 minute)", "", "status").stdout
        self.assertEqual(asked, ["status"])
        for part in ("configured by the environment", "Listening on 127.0.0.1:3128.", "Upstream home", "bob@HOME.EXAMPLE", "Negotiate",
                     "http://proxy.home.example:8080: ready, 0 busy connections and 1 idle", "Upstream away"):
            self.assertIn(part, text)

    def test_as_json(self):
        self.fake_agent({"status": place.STATUS})
        text = self.expect(0, "{\n  ", "", "status", "--json").stdout
        self.assertEqual(json.loads(text), place.STATUS)

    def test_keeps_the_terminal(self):
        self.fake_agent({"status": dict(place.STATUS, version="\x1b]0;title\x07", config="a\x9bb")})
        text = self.expect(0, "exeat ?]0;title? is running", "", "status").stdout
        self.assertIn("configured by a?b.", text)

    def test_refused(self):
        self.fake_agent({"status": {"ok": False, "error": "not now", "remedy": "try later"}})
        self.expect(1, "", "exeat: not now\ntry later\n", "status")


class Reload(place.Place):
    def test_done(self):
        asked = self.fake_agent({"reload": {"ok": True}})
        self.expect(0, "The agent has read its configuration again.\n", "", "reload")
        self.assertEqual(asked, ["reload"])

    def test_wrong_configuration(self):
        self.fake_agent({"reload": {"ok": False, "error": "exeat.conf:3: no such key", "remedy": ""}})
        self.expect(3, "", "exeat: exeat.conf:3: no such key\n", "reload")


class Stop(place.Place):
    def test_waits_for_the_end(self):
        agent = subprocess.Popen([sys.executable, "-c", MORTAL_AGENT, self.path("runtime/exeat/control")], stdin=subprocess.PIPE,
                                 stdout=subprocess.PIPE, text=True)
        with agent:
            self.assertEqual(agent.stdout.readline(), "listening\n")
            stop = subprocess.Popen([self.program, "stop"], env=self.env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                    stderr=subprocess.PIPE, text=True)
            with stop:
                # The agent has answered and closed its socket, but lives: stop must not have ended when it does.
                with self.assertRaises(subprocess.TimeoutExpired):
                    stop.wait(0.3)
                agent.stdin.close()
                self.assertEqual(json.loads(agent.stdout.readline()), {"verb": "stop"})
                out, err = stop.communicate(timeout=place.PATIENCE)
        self.assertEqual((stop.returncode, out, err), (0, "The agent has stopped.\n", ""))

    def test_refused(self):
        self.fake_agent({"stop": {"ok": False, "error": "no"}})
        self.expect(1, "", "exeat: no\n", "stop")
