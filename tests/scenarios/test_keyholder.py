"""The keyholder dies, hangs, comes back: it costs a handshake, never the agent."""

import os
import signal
import threading

from agent import wait_until
from base import SITE, Scenario, corp
from gates import MORE, Ntlm
from proxy import Asks
from wire import get


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
    def reborn(self, agent, old):
        return wait_until(lambda: agent.keys_pid() not in (None, old) and agent.keys_pid(), "a new keyholder")

    def test_is_a_process_of_its_own(self):
        _, agent = self.both(Asks(Ntlm()), corp("ntlm"))
        self.assertIsNotNone(wait_until(agent.keys_pid, "the keyholder"))

    def test_ends_with_the_agent(self):
        _, agent = self.both(Asks(Ntlm()), corp("ntlm"))
        keys = wait_until(agent.keys_pid, "the keyholder")
        agent.kill()
        wait_until(lambda: not os.path.exists("/proc/%d" % keys), "the end of the keyholder")

    def test_killed_while_idle(self):
        gate = Ntlm()
        proxy, agent = self.both(Asks(gate), corp("ntlm"))
        self.assertEqual(self.ask(agent).status, 200)
        old = agent.keys_pid()
        os.kill(old, signal.SIGKILL)
        self.reborn(agent, old)
        self.assertEqual(self.ask(agent).status, 200)
        self.tunnel(agent)
        self.assertEqual(gate.failed, 0)

    def test_killed_in_mid_handshake(self):
        gate = Holds()
        proxy, agent = self.both(Asks(gate), corp("ntlm"))
        result = []
        victim = threading.Thread(target=lambda: result.append(self.ask(agent)))
        victim.start()
        self.assertTrue(gate.reached.wait(30))
        old = agent.keys_pid()
        os.kill(old, signal.SIGSEGV)
        self.reborn(agent, old)
        gate.release.set()
        victim.join()
        if result[0].status != 200:  # repeated on a new connection, or failed in words
            self.assertGreaterEqual(result[0].status, 500)
            self.assertIsNotNone(result[0].get("Proxy-Status"))
        self.assertEqual(self.ask(agent).status, 200)
        self.assertEqual(gate.failed, 0)

    def test_killed_again_and_again(self):
        gate = Ntlm()
        _, agent = self.both(Asks(gate), corp("ntlm"))
        for _ in range(3):
            old = wait_until(agent.keys_pid, "the keyholder")
            os.kill(old, signal.SIGKILL)
            self.reborn(agent, old)
            self.assertEqual(self.ask(agent).status, 200)

    def test_mark_survives_it(self):
        """A refused secret stays refused when the keyholder comes back."""
        gate = Ntlm()
        _, agent = self.both(Asks(gate), corp("ntlm"), secret="wrong")
        self.own(self.ask(agent), 502)
        old = agent.keys_pid()
        os.kill(old, signal.SIGKILL)
        self.reborn(agent, old)
        self.own(self.ask(agent), 502)
        self.assertEqual(gate.attempts, 1)

    def test_hangs(self):
        """Whoever needs no key is served meanwhile; the others when it comes back."""
        gate = Ntlm()
        _, agent = self.both(Asks(gate), corp("ntlm"))
        client = self.wire(agent)
        self.assertEqual(client.ask(get(SITE + "/echo")).status, 200)
        keys = agent.keys_pid()
        os.kill(keys, signal.SIGSTOP)
        try:
            for _ in range(5):
                self.assertEqual(client.ask(get(SITE + "/echo")).status, 200)
            result = []
            waiter = threading.Thread(target=lambda: result.append(self.tunnel(agent)))
            waiter.start()
            for _ in range(5):
                self.assertEqual(client.ask(get(SITE + "/echo")).status, 200)
        finally:
            os.kill(keys, signal.SIGCONT)
        waiter.join()
        self.echoes(result[0])
