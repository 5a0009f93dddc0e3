"""The keyholder's process dies (here by our hand; a fault in a library does the same): the agent goes on."""

import os
import signal
import unittest

import world
from agent import wait_until
from lab import lab
from session import HTTP, Crowd, agent_for, ask, connect
from wire import Wire, get

TARGET = HTTP + "/bytes/1000"


def age(pid):
    """Seconds since the process was started."""
    with open("/proc/%d/stat" % pid) as stat:
        started = int(stat.read().rsplit(")", 1)[1].split()[19]) / os.sysconf("SC_CLK_TCK")
    with open("/proc/uptime") as uptime:
        return float(uptime.read().split()[0]) - started


class KeyholderTest(unittest.TestCase):
    def kill(self, agent, grown=True):
        """Kills the keyholder. grown: not before it has lived long enough to be started again at once; young ones are started ever later."""
        pid = wait_until(agent.keys_pid, "a keyholder")
        if grown:
            wait_until(lambda: age(pid) > 1.5, "a grown keyholder")
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: agent.keys_pid() != pid, "the end of the keyholder")

    def test_killed_between_requests(self):
        for kind, auth in (("ntlm", None), ("krb", None), ("basic", "basic"), ("digest", None)):
            with agent_for(kind, auth=auth) as agent:
                self.assertEqual(ask(agent, TARGET).status, 200)
                self.kill(agent)
                for _ in range(3):
                    self.assertEqual(ask(agent, TARGET).status, 200, kind)
                    self.assertEqual(connect(agent).status, 200, kind)

    def storm(self, agent, kill):
        statuses = []

        def client():
            for _ in range(30):
                with Wire.connect(agent.port) as wire:
                    statuses.append(wire.ask(get("origin.example:443", method="CONNECT"), "CONNECT").status)

        with Crowd() as crowd:
            for _ in range(6):
                crowd.add(client)
            crowd.go()
            kill(statuses)
        self.assertEqual(len(statuses), 180)
        return statuses

    def test_killed_in_mid_load(self):
        """The handshakes of that moment begin again or fail, at most one for each client; nothing else notices."""
        def kill(statuses):
            wait_until(lambda: len(statuses) > 40, "some answers")
            self.kill(agent)

        with agent_for("ntlm") as agent:
            self.assertEqual(connect(agent).status, 200)
            wait_until(lambda: age(agent.keys_pid()) > 1.5, "a grown keyholder")
            statuses = self.storm(agent, kill)
            self.assertLessEqual(set(statuses), {200, 502, 504})
            self.assertGreaterEqual(statuses.count(200), 180 - 6)
            self.assertEqual(connect(agent).status, 200)

    def test_killed_again_and_again(self):
        """However often it dies, the agent lives, answers everybody, and is well again afterwards."""
        def kill(statuses):
            for number in range(4):
                wait_until(lambda: len(statuses) > 30 * (number + 1), "some answers")
                if agent.keys_pid():
                    self.kill(agent, grown=False)

        with agent_for("ntlm") as agent:
            self.assertLessEqual(set(self.storm(agent, kill)), {200, 502, 504})
            wait_until(lambda: connect(agent).status == 200, "a tunnel")
            self.assertIsNone(agent.process.poll())

    def test_open_tunnels_and_bodies_do_not_notice(self):
        with agent_for("ntlm") as agent, Wire.connect(agent.port) as tunnel:
            self.assertEqual(tunnel.ask(get("origin.example:%d" % world.RAW_ECHO, method="CONNECT"), "CONNECT").status, 200)
            self.kill(agent, grown=False)
            tunnel.send(b"still here\n")
            self.assertEqual(tunnel.read_until(b"\n"), b"still here\n")

    def test_a_refusal_outlives_it(self):
        lab.reset("lockme")
        with agent_for("ntlm", user="LAB\\lockme", password=world.WRONG_PASSWORD) as agent:
            self.assertEqual(ask(agent, TARGET).status, 502)
            for _ in range(2):
                self.kill(agent)
                page = ask(agent, TARGET)
                self.assertEqual(page.status, 502)
                self.assertIn("was refused earlier", page.text)
        self.assertEqual(lab.bad_count("lockme"), 1)

    def test_the_agent_holds_no_gssapi_and_the_keyholder_is_its_child(self):
        with agent_for("ntlm") as agent:
            self.assertEqual(ask(agent, TARGET).status, 200)
            with open("/proc/%d/maps" % agent.pid) as maps:
                text = maps.read()
            for library in ("libgssapi", "libkrb5", "libsecret"):
                self.assertNotIn(library, text)
            self.assertIsNotNone(agent.keys_pid())
