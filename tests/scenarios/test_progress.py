"""What takes longer than a second says so on a terminal, on a line that goes away again; and never anywhere else."""

import contextlib
import os
import re
import signal
import time

import agent as lib_agent
from base import Scenario, corp
from behaviours import Silent, Slow
from gates import Ntlm
from proxy import Asks, Open
from terminal import Terminal

ME = "CORP\\alice"
WIPED = "\r\x1b[K"


class Place(Scenario):
    def on_terminal(self, agent, *words, columns=80, env=None, **options):
        terminal = self.stack.enter_context(Terminal(columns))
        terminal.start([agent.build + "/exeat", *words], env=dict(agent.env, **(env or {})), cwd=agent.directory, **options)
        return terminal

    def silent(self, lines="auth = none\nanswer-timeout = 60s\n", **options):
        """A proxy that takes requests and answers none."""
        behaviour = Silent()
        agent = self.agent(self.proxy(behaviour).upstream(lines), **options)
        self.stack.callback(behaviour.release.set)
        return behaviour, agent

    @contextlib.contextmanager
    def stopped(self, pid):
        """A process that does nothing at all for so long."""
        os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(pid, signal.SIGCONT)

    def seen(self, terminal, what, code=None):
        """It was waited for, and the line has gone: what stands there now are the verb's own words."""
        text = terminal.read_to_end()
        self.assertRegex(text, r"\r  %s: 1 s \.\.\.\x1b\[K" % re.escape(what))
        left = text[text.rindex(what):]
        self.assertIn(WIPED, left)
        if code is not None:
            self.assertEqual(terminal.code, code, text)
        return text


class Verbs(Place):
    def test_doctor(self):
        behaviour, agent = self.silent()
        terminal = self.on_terminal(agent, "doctor")
        terminal.wait(b"waiting for the proxy's answer: 2 s")
        behaviour.release.set()
        self.seen(terminal, "waiting for the proxy's answer", 1)

    def test_doctor_between_its_lines(self):
        """Where results and progress share the terminal."""
        behaviour, agent = self.silent()
        terminal = self.on_terminal(agent, "doctor", stdout=True)
        terminal.wait(b"waiting for the proxy's answer: 1 s")
        behaviour.release.set()
        text = self.seen(terminal, "waiting for the proxy's answer", 1)
        self.assertRegex(text, r"%s   ✗   offer " % re.escape(WIPED))

    def test_doctor_as_json(self):
        behaviour, agent = self.silent()
        terminal = self.on_terminal(agent, "doctor", "--json")
        terminal.wait(b"waiting for the proxy's answer: 1 s")
        behaviour.release.set()
        self.seen(terminal, "waiting for the proxy's answer", 1)

    def test_verbs_that_ask_the_agent(self):
        agent = self.agent(self.proxy(Open()))
        verbs = (["status"], ["on"], ["off"], ["reload"], ["route", "http://site.example/"], ["accept", "corp"], ["env"], ["apps"], ["connect", "site.example", "443"])
        with self.stopped(agent.pid):
            terminals = [self.on_terminal(agent, *verb) for verb in verbs]
            doctor = self.on_terminal(agent, "doctor")
            for verb, terminal in zip(verbs, terminals):
                with self.subTest(verb):
                    terminal.wait(b"waiting for the agent: 1 s")
            doctor.wait(b"asking the agent: 1 s")
        for terminal in terminals:
            self.seen(terminal, "waiting for the agent")
        self.seen(doctor, "asking the agent")

    def test_stop(self):
        agent = self.agent("[listen]\nhttp = 127.0.0.1:0\ndrain = 60s\n" + self.proxy(Open()).upstream())
        tunnel = self.tunnel(agent)
        terminal = self.on_terminal(agent, "stop")
        terminal.wait(b"waiting for the agent's last requests: 1 s")
        tunnel.close()
        self.seen(terminal, "waiting for the agent's last requests", 0)
        agent.wait_end(0)

    def test_connect(self):
        behaviour = Slow()
        agent = self.agent(self.proxy(behaviour))
        terminal = self.on_terminal(agent, "connect", "site.example", "443")
        terminal.wait(b"waiting for the tunnel: 1 s")
        behaviour.release.set()
        self.seen(terminal, "waiting for the tunnel", 0)

    def test_login(self):
        behaviour, agent = self.silent(corp("ntlm", ME, "prompt"))
        terminal = self.on_terminal(agent, "login", "corp", stdin=True)
        terminal.wait(b"assword")
        terminal.type(b"secret\n")
        terminal.wait(b"trying the password: 1 s")
        behaviour.release.set()
        self.seen(terminal, "trying the password")

    def test_login_without_an_agent(self):
        behaviour, agent = self.silent(corp("ntlm", ME, "keyring"), start=False)
        agent.env.update(SECRET_BACKEND="file", SECRET_FILE_TEST_PATH=os.path.join(agent.directory, "keyring"), SECRET_FILE_TEST_PASSWORD="master")
        terminal = self.on_terminal(agent, "login", "--config", agent.config_path, "corp", stdin=True)
        terminal.wait(b"assword")
        terminal.type(b"secret\n")
        terminal.wait(b"trying the password: 1 s")
        behaviour.release.set()
        self.seen(terminal, "trying the password")

    def test_who_needs_the_keyholder(self):
        agent = self.agent(self.proxy(Asks(Ntlm())).upstream(corp("ntlm", ME, "prompt")))
        self.assertEqual(agent.exeat("logout", "corp").returncode, 0)  # so that there is a keyholder
        with self.stopped(lib_agent.wait_until(agent.keys_pid, "the keyholder")):
            terminal = self.on_terminal(agent, "logout", "corp")
            terminal.wait(b"waiting for the agent: 1 s")
        self.seen(terminal, "waiting for the agent", 0)

    def test_import(self):
        behaviour, agent = self.silent(start=False)
        agent.env.update(SECRET_BACKEND="file", SECRET_FILE_TEST_PATH=os.path.join(agent.directory, "keyring"), SECRET_FILE_TEST_PASSWORD="master")
        address = re.search(r"http://(127\S+)", open(agent.config_path).read()).group(1)
        source = agent.write("cntlm.conf", "Proxy %s\nUsername alice\nDomain CORP\nListen 0\nAuth NTLMv2\nPassword secret\n" % address)
        terminal = self.on_terminal(agent, "import", source, "--force", "-o", agent.config_path)
        terminal.wait(b"trying the password: 1 s")
        behaviour.release.set()
        self.seen(terminal, "trying the password")


class Terminals(Place):
    def test_not_in_a_pipe(self):
        """Nor into a file, with or without a terminal for the results."""
        behaviour, agent = self.silent("auth = none\nanswer-timeout = 2s\n")
        answer = agent.exeat("doctor")
        self.assertEqual((answer.stderr, answer.returncode), ("", 6))
        self.assertNotIn("waiting for", answer.stdout)

    def test_nothing_that_is_quick(self):
        """Judged by a run that was quick as a whole; on a very busy machine none may be, and then what was shown has gone again."""
        agent = self.agent(self.proxy(Open()))
        for _ in range(10):
            begin = time.monotonic()
            terminal = self.on_terminal(agent, "doctor")
            text = terminal.read_to_end()
            quick = time.monotonic() - begin < 1
            self.assertEqual((re.sub(r"\r  [^\r]*\x1b\[K|\r\x1b\[K", "", text), terminal.code), ("", 0))
            if quick:
                self.assertEqual(text, "")
                return

    def test_narrow(self):
        """The line fits, so that it can be wiped away."""
        behaviour, agent = self.silent()
        terminal = self.on_terminal(agent, "doctor", columns=20)
        terminal.wait(b"\r  waiting for the p\x1b[K")
        behaviour.release.set()
        for line in terminal.read_to_end().split("\r"):
            self.assertLess(len(line.replace("\x1b[K", "")), 20)

    def test_dumb(self):
        """One that cannot go back on its line gets one line, once."""
        behaviour, agent = self.silent()
        terminal = self.on_terminal(agent, "doctor", env={"TERM": "dumb"}, stdout=True)
        terminal.wait(b"  waiting for the proxy's answer ...\r\n")
        behaviour.release.set()
        text = terminal.read_to_end()
        self.assertNotIn("\x1b", text)
        self.assertEqual(text.count("waiting for the proxy's answer"), 1)

    def test_ended_by_the_person(self):
        """Ctrl-C while it waits ends it at once, by the signal."""
        _, agent = self.silent()
        terminal = self.on_terminal(agent, "doctor", stdin=True)
        terminal.wait(b"waiting for the proxy's answer: 1 s")
        terminal.type(b"\x03")
        terminal.read_to_end()
        self.assertEqual(terminal.code, -signal.SIGINT)
