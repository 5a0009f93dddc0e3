"""Proxies that die and links that go down in the middle of the work: real Squids, a real cable."""

import contextlib
import unittest

import server
import world
from agent import Agent, wait_until
from lab import lab
from session import HTTP, Crowd, ask, connect, upstream
from wire import Wire, get

TARGET = HTTP + "/bytes/1000"
SPARE_PORT = 3160
CLIENTS, ROUNDS = 8, 40


class Count:
    """What became of the requests of a crowd: (number of the client, number of the request, status or None)."""

    def __init__(self):
        self.answers, self.pages = [], []

    def client(self, agent, number):
        for i in range(ROUNDS):
            status = None
            with contextlib.suppress(OSError, AssertionError), Wire.connect(agent.port) as wire:
                if i % 2:
                    answer = wire.ask(get(TARGET))
                else:
                    answer = wire.ask(get("origin.example:443", method="CONNECT"), "CONNECT")
                status = answer.status
                if status != 200:
                    self.pages.append(answer.body.decode())
            self.answers.append((number, i, status))

    def lost(self):
        return [answer for answer in self.answers if answer[2] != 200]

    def run(self, agent, in_the_middle):
        with Crowd() as crowd:
            for number in range(CLIENTS):
                crowd.add(self.client, agent, number)
            crowd.go()
            wait_until(lambda: len(self.answers) > CLIENTS * ROUNDS // 4, "a quarter of the requests")
            in_the_middle()


class OneOfTwoProxies(unittest.TestCase):
    def agent(self):
        section = upstream("ntlm").replace("proxy = ", "proxy = http://proxy.lab.example:%d " % SPARE_PORT)
        return Agent(section, files={"secret": world.PASSWORDS["alice"] + "\n"}, env={"KRB5_CONFIG": "/etc/krb5.conf"})

    def test_killed_under_load(self):
        """Only what was on its way at that moment may be lost, and each client has one request at a time; whatever comes later goes to the other."""
        with lab.another_squid("ntlm", SPARE_PORT) as squid, self.agent() as agent:
            self.assertEqual(ask(agent, TARGET).status, 200)
            before = len(lab.squid_log("ntlm"))
            count = Count()
            count.run(agent, squid.kill)
            self.assertEqual(len(count.answers), CLIENTS * ROUNDS)
            lost = count.lost()
            self.assertLessEqual(len(lost), CLIENTS, lost)
            self.assertEqual(len({number for number, _, _ in lost}), len(lost), "a client lost more than one")
            for page in count.pages:
                self.assertNotIn("cannot connect", page)  # where nothing had been sent the other proxy was to be tried
            self.assertGreater(len(lab.squid_log("ntlm")), before)
            self.assertEqual([connect(agent).status for _ in range(3)], [200] * 3)

    def test_comes_back(self):
        with self.agent() as agent:
            with lab.another_squid("ntlm", SPARE_PORT):
                self.assertEqual(ask(agent, TARGET).status, 200)
            self.assertEqual(ask(agent, TARGET).status, 200)
            state = [proxy["state"] for proxy in agent.status()["upstreams"][0]["proxies"]]
            self.assertEqual(state, ["cannot be reached", "asks for authentication"])


class Cable(unittest.TestCase):
    def test_pulled_and_put_back_under_load(self):
        """While it is out requests fail in words, none hangs; the first one after it is back is served, whatever was remembered of failures."""
        config = upstream("ntlm")
        with Agent(config, files={"secret": world.PASSWORDS["alice"] + "\n"}, env={"KRB5_CONFIG": "/etc/krb5.conf"}) as agent:
            count = Count()
            changes = []

            def pull():
                changes.append(agent.log().count("the network has changed"))
                server.ip("link set eth0 down")
                try:
                    wait_until(lambda: agent.log().count("the network has changed") > changes[0], "news of the cable")
                    wait_until(lambda: count.lost(), "a request without a network")
                    changes.append(agent.log().count("the network has changed"))
                finally:
                    server.ip("link set eth0 up")
                wait_until(lambda: agent.log().count("the network has changed") > changes[1], "news of the cable")

            count.run(agent, pull)
            self.assertEqual(len(count.answers), CLIENTS * ROUNDS)
            self.assertEqual([ask(agent, TARGET).status for _ in range(3)], [200] * 3)
            self.assertEqual(connect(agent).status, 200)
