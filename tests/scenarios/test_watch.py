"""exeat watch: what it shows, that who does not read holds nobody up and costs a bounded amount of memory, and how it ends."""

import json
import os
import socket
import subprocess

from agent import PATIENCE, wait_until
from base import AUTH, Scenario, corp
from gates import Ntlm
from proxy import Asks, Open
from wire import Wire


class Watch(Scenario):
    def watcher(self, agent, *words):
        process = subprocess.Popen([os.path.join(agent.build, "exeat"), "watch", *words], env=agent.env, stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.stack.callback(process.stdout.close)
        self.stack.callback(process.stderr.close)
        self.stack.callback(process.wait, PATIENCE)
        self.stack.callback(process.kill)
        return process

    def raw(self, agent):
        """A watcher on the socket itself: told that it is one."""
        s = self.stack.enter_context(socket.socket(socket.AF_UNIX))
        s.settimeout(PATIENCE)
        s.connect(os.path.join(agent.env["XDG_RUNTIME_DIR"], "exeat", "control"))
        s.sendall(b'{"verb": "watch"}\n')
        stream = s.makefile("rb")
        answer = json.loads(stream.readline())
        return s, stream, answer

    def watched(self, agent, *words):
        """A watcher that has been seen to watch: the first line that it shows is thrown away."""
        process = self.watcher(agent, *words)
        number = 0
        while True:
            number += 1
            self.ask(agent, "/ready/%d" % number)
            line = self.soon(process)
            if line:
                while "/ready/%d" % number not in line:
                    line = process.stdout.readline()
                return process

    def soon(self, process):
        import select
        ready, _, _ = select.select([process.stdout], [], [], 0.2)
        return process.stdout.readline() if ready else None


class Lines(Watch):
    def test_a_request(self):
        proxy, agent = self.both(Asks(Ntlm()), corp("ntlm"), "[log]\nrequests = no\n")
        process = self.watched(agent, "--json")
        self.ask(agent, "/echo/x?token=s3cret")
        line = process.stdout.readline()
        self.assertNotIn("s3cret", line)
        found = json.loads(line)
        for name, value in dict(event="request", target="http://site.example/echo/x", route="corp", scheme="NTLM", status=200, method="GET", proxy=proxy.address, legs=1).items():
            self.assertEqual(found[name], value, name)
        self.assertGreaterEqual(found["ms"], 0)

    def test_the_legs_of_a_login(self):
        _, agent = self.both(Asks(Ntlm()), corp("ntlm"))
        s, stream, answer = self.raw(agent)
        self.assertTrue(answer["ok"])
        self.ask(agent, "/bytes/1")
        self.assertGreaterEqual(json.loads(stream.readline())["legs"], 2)
        stream.close()

    def test_in_words(self):
        _, agent = self.both(Asks(Ntlm()), corp("ntlm"))
        process = self.watched(agent)
        self.ask(agent, "/bytes/1")
        self.assertRegex(process.stdout.readline(), r"^\d\d:\d\d:\d\d  200 +\d+ ms  corp/NTLM  GET http://site\.example/bytes/1\b")

    def test_the_log_stays_as_it_is(self):
        """Where programs read the log it has one line for a tunnel, and the watcher has two."""
        _, agent = self.both(Open(), "auth = none", "[log]\nformat = json\n")
        _, stream, _ = self.raw(agent)
        with Wire.connect(agent.port) as wire:
            wire.send(b"CONNECT site.example:443 HTTP/1.1\r\nHost: site.example:443\r\n\r\n")
            wire.read_response("CONNECT")
        self.assertEqual([json.loads(stream.readline())["event"] for _ in range(2)], ["tunnel", "tunnel-end"])
        wait_until(lambda: "site.example:443" in agent.log(), "a line")
        self.assertEqual(agent.log().count('"target":"site.example:443"'), 1)
        stream.close()


class Slow(Watch):
    def test_who_does_not_read(self):
        _, agent = self.both(Open(), "auth = none", "[log]\nrequests = no\n")
        asleep, sleeping, _ = self.raw(agent)
        asleep.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        _, awake, _ = self.raw(agent)
        before = agent.rss()
        path = "/echo/" + "x" * 480
        rounds = 3000
        with Wire.connect(agent.port) as wire:
            for number in range(rounds):
                wire.send(("GET http://site.example%s/%d HTTP/1.1\r\nHost: site.example\r\n\r\n" % (path, number)).encode())
                self.assertEqual(wire.read_response().status, 200)
                self.assertEqual(json.loads(awake.readline())["status"], 200)
        self.assertLess(agent.rss() - before, 4 << 20)
        seen = missed = 0
        while seen + missed < rounds:
            line = json.loads(sleeping.readline())
            if line["event"] == "missed":
                missed += line["lines"]
            else:
                seen += 1
        self.assertEqual(seen + missed, rounds)
        self.assertGreater(missed, 0)
        sleeping.close()
        awake.close()

    def test_many(self):
        """So many, and then no more; who goes makes room; others may still ask."""
        _, agent = self.both(Open(), "auth = none")
        watchers = [self.raw(agent) for _ in range(16)]
        self.assertTrue(all(answer["ok"] for _, _, answer in watchers))
        _, stream, answer = self.raw(agent)
        self.assertFalse(answer["ok"])
        self.assertIn("too many are watching", answer["error"])
        stream.close()
        agent.status()
        s, stream, _ = watchers.pop()
        stream.close()
        s.close()

        def taken():
            one, stream, answer = self.raw(agent)
            stream.close()
            one.close()
            return answer["ok"]
        wait_until(taken, "a place")
        self.ask(agent, "/bytes/1")
        for _, stream, _ in watchers:
            self.assertEqual(json.loads(stream.readline())["status"], 200)
            stream.close()

    def test_a_watcher_that_talks(self):
        _, agent = self.both(Open(), "auth = none")
        s, stream, _ = self.raw(agent)
        s.sendall(b'{"verb": "stop"}\n' + b"x" * 100000)
        self.ask(agent, "/bytes/1")
        self.assertEqual(json.loads(stream.readline())["event"], "request")
        agent.status()
        stream.close()


class End(Watch):
    def test_the_agent_ends(self):
        _, agent = self.both(Open(), "auth = none")
        process = self.watched(agent, "--json")
        agent.stop()
        out, err = process.communicate(timeout=PATIENCE)
        self.assertEqual((process.returncode, out), (4, ""), err)
        self.assertIn("the agent has ended", err)

    def test_no_agent(self):
        _, agent = self.both(Open(), "auth = none", start=False)
        answer = agent.exeat("watch")
        self.assertEqual(answer.returncode, 4)
        self.assertIn("no agent is running", answer.stderr)
