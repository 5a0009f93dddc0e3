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


class KeyholderTest(unittest.TestCase):
    def kill(self, agent):
        pid = wait_until(agent.keys_pid, "a keyholder")
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: agent.keys_pid() != pid, "the end of the keyholder")
        return pid

    def test_killed_between_requests(self):
        for kind, auth in (("ntlm", None), ("krb", None), ("basic", "basic"), ("digest", None)):
            with agent_for(kind, auth=auth) as agent:
                self.assertEqual(ask(agent, TARGET).status, 200)
                for _ in range(3):
                    self.kill(agent)
                    self.assertEqual(ask(agent, TARGET).status, 200, kind)
                    self.assertEqual(connect(agent).status, 200, kind)

    def test_killed_in_mid_load(self):
        """What was in the middle of a handshake may get 502 or 504; all else passes, and afterwards everything does."""
        statuses = []

        def client():
            for _ in range(30):
                with Wire.connect(agent.port) as wire:
                    statuses.append(wire.ask(get("origin.example:443", method="CONNECT"), "CONNECT").status)

        with agent_for("ntlm") as agent:
            with Crowd() as crowd:
                for _ in range(6):
                    crowd.add(client)
                crowd.go()
                for number in range(4):
                    wait_until(lambda number=number: len(statuses) > 30 * (number + 1), "some answers")
                    self.kill(agent)
            self.assertEqual(len(statuses), 180)
            self.assertLessEqual(set(statuses), {200, 502, 504})
            self.assertGreater(statuses.count(200), 120, "four deaths may cost a handshake for each client, no more")
            self.assertEqual(ask(agent, TARGET).status, 200)
            self.assertEqual(agent.pid, agent.process.pid)
            self.assertIsNone(agent.process.poll())

    def test_open_tunnels_and_bodies_do_not_notice(self):
        with agent_for("ntlm") as agent, Wire.connect(agent.port) as tunnel:
            self.assertEqual(tunnel.ask(get("origin.example:%d" % world.RAW_ECHO, method="CONNECT"), "CONNECT").status, 200)
            self.kill(agent)
            tunnel.send(b"still here\n")
            self.assertEqual(tunnel.read_until(b"\n"), b"still here\n")

    def test_a_refusal_outlives_it(self):
        lab.reset("lockme")
        with agent_for("ntlm", user="LAB\\lockme", password=world.WRONG_PASSWORD) as agent:
            self.assertEqual(ask(agent, TARGET).status, 502)
            for _ in range(3):
                self.kill(agent)
                self.assertEqual(ask(agent, TARGET).status, 502)
        self.assertEqual(lab.bad_count("lockme"), 1)

    def test_the_agent_holds_no_gssapi_and_the_keyholder_is_its_child(self):
        with agent_for("ntlm") as agent:
            self.assertEqual(ask(agent, TARGET).status, 200)
            with open("/proc/%d/maps" % agent.pid) as maps:
                text = maps.read()
            for library in ("libgssapi", "libkrb5", "libsecret"):
                self.assertNotIn(library, text)
            self.assertIsNotNone(agent.keys_pid())
