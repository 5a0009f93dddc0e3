"""The keyholder dies, hangs, comes back: it costs a handshake, never the agent."""

import os
import shutil
import signal
import tempfile
import threading

from agent import build_directory, ended, wait_until
from base import Later, Scenario, corp
from gates import MORE, Ntlm
from proxy import Asks, Open


class Holds(Ntlm):
    """Keeps the Type 2 back until released."""

    def __init__(self, **options):
        self.reached, self.release = threading.Event(), threading.Event()
        super().__init__(**options)

    def check(self, conn, request, value, names):
        verdict, lines = super().check(conn, request, value, names)
        if verdict == MORE:
            self.reached.set()
            self.release.wait(30)
        return verdict, lines


class Keyholder(Scenario):
    def serves_again(self, agent, old, status=200):
        """It is back when somebody needs it, if not at the first request after a crash then soon."""
        wait_until(lambda: self.ask(agent).status == status and agent.keys_pid() not in (None, old), "a new keyholder that answers")

    def test_is_a_process_of_its_own(self):
        _, agent = self.both(Asks(Ntlm()), corp("ntlm"))
        self.assertIsNotNone(wait_until(agent.keys_pid, "the keyholder"))

    def test_commands_end_with_the_agent(self):
        proxy = self.proxy(Asks(Ntlm()))
        agent = self.agent(proxy.upstream(corp("ntlm", secret="command:echo $$ > @DIR@/pid; exec sleep 60")))
        asked = Later(self.ask, agent)
        path = os.path.join(agent.directory, "pid")
        wait_until(lambda: os.path.exists(path) and open(path).read().strip(), "the command for the password")
        with open(path) as opened:
            pid = int(opened.read())
        agent.stop()
        wait_until(lambda: ended(pid), "the end of the command")
        self.assertRaises(Exception, asked.result)

    def test_ends_with_the_agent(self):
        _, agent = self.both(Asks(Ntlm()), corp("ntlm"))
        keys = wait_until(agent.keys_pid, "the keyholder")
        agent.kill()
        wait_until(lambda: ended(keys), "the end of the keyholder")

    def test_killed_while_idle(self):
        gate = Ntlm()
        proxy, agent = self.both(Asks(gate), corp("ntlm"))
        self.assertEqual(self.ask(agent).status, 200)
        old = agent.keys_pid()
        os.kill(old, signal.SIGKILL)
        proxy.drop_all()
        self.serves_again(agent, old)
        self.tunnel(agent)
        self.assertEqual(gate.failed, 0)

    def test_killed_in_mid_handshake(self):
        gate = Holds()
        proxy, agent = self.both(Asks(gate), corp("ntlm"))
        victim = Later(self.ask, agent)
        self.assertTrue(gate.reached.wait(30))
        old = agent.keys_pid()
        os.kill(old, signal.SIGKILL)
        wait_until(lambda: agent.keys_pid() != old, "the end of the keyholder")
        gate.release.set()
        answer = victim.result()
        if answer.status != 200:  # repeated on a new connection, or failed in words
            self.assertGreaterEqual(answer.status, 500)
            self.assertIsNotNone(answer.get("Proxy-Status"))
        self.serves_again(agent, old)
        self.assertEqual(gate.failed, 0)

    def test_killed_again_and_again(self):
        gate = Ntlm()
        proxy, agent = self.both(Asks(gate), corp("ntlm"))
        for _ in range(3):
            old = wait_until(agent.keys_pid, "the keyholder")
            os.kill(old, signal.SIGKILL)
            proxy.drop_all()
            self.serves_again(agent, old)

    def test_cannot_be_started(self):
        """The reason is in the log once, however many ask."""
        folder = self.stack.enter_context(tempfile.TemporaryDirectory(prefix="exeat-test-"))
        for name in ("exeat", "exeat-keys"):
            shutil.copy(os.path.join(build_directory(), name), folder)
        program, away = os.path.join(folder, "exeat-keys"), os.path.join(folder, "away")
        _, agent = self.both(Asks(Ntlm()), corp("ntlm"), build=folder)
        old = wait_until(agent.keys_pid, "the keyholder")
        os.rename(program, away)
        os.kill(old, signal.SIGKILL)
        wait_until(lambda: ended(old), "its end")
        for _ in range(5):
            self.own(self.ask(agent), 502, None, "is not running")
        self.assertEqual(agent.log().count("cannot find the program exeat-keys"), 1)
        os.rename(away, program)
        self.serves_again(agent, old)

    def test_mark_survives_it(self):
        """A refused secret stays refused when the keyholder comes back."""
        gate = Ntlm()
        _, agent = self.both(Asks(gate), corp("ntlm"), secret="wrong")
        self.own(self.ask(agent), 502)
        old = agent.keys_pid()
        os.kill(old, signal.SIGKILL)
        self.serves_again(agent, old, 502)
        self.assertEqual(gate.attempts, 1)

    def test_hangs(self):
        """Whoever needs no key is served meanwhile; the others when it comes back."""
        origin = self.proxy(Open(), name="origin")
        _, agent = self.both(Asks(Ntlm()), corp("ntlm"), "[route]\nno-proxy = 127.0.0.1\n")
        tunnel = self.tunnel(agent)
        keys = agent.keys_pid()
        os.kill(keys, signal.SIGSTOP)
        try:
            waiter = Later(self.ask, agent)
            for _ in range(5):
                self.echoes(tunnel)
                self.assertEqual(self.ask(agent, host=origin.address).status, 200)
        finally:
            os.kill(keys, signal.SIGCONT)
        self.assertEqual(waiter.result().status, 200)
