"""Out of descriptors: accepting pauses, and resumes."""

import os

from agent import wait_until
from base import SITE, Scenario
from proxy import Open
from wire import Wire, get


class Descriptors(Scenario):
    def test_accept_pauses_and_resumes(self):
        proxy = self.proxy(Open())
        agent = self.agent(proxy, wrap=["prlimit", "--nofile=80:80"])
        first, second = self.wire(agent), self.wire(agent)
        self.assertEqual(first.ask(get(SITE + "/echo")).status, 200)
        idle = [Wire.connect(agent.port) for _ in range(150)]
        agent.wait_log(r"(?i)descriptor|too many open files|accept")
        self.assertEqual(first.ask(get("site.example:443", method="CONNECT")).status, 200)  # those who are in go on
        self.assertEqual(second.ask(get(SITE + "/echo")).status, 200)  # and there is a descriptor left for a new connection upstream
        for connection in idle:
            connection.close()
        for _ in range(20):
            self.assertEqual(self.ask(agent).status, 200)

    def test_those_who_wait_are_served_later(self):
        proxy = self.proxy(Open())
        agent = self.agent(proxy, wrap=["prlimit", "--nofile=80:80"])
        waiting = [self.wire(agent) for _ in range(150)]
        for connection in waiting:
            connection.send(get(SITE + "/echo", "Connection: close"))
        answers = []
        for connection in waiting:
            answers.append(connection.read_response().status)
            connection.close()
        self.assertTrue(set(answers) <= {200, 502, 503}, answers)
        self.assertIn(200, answers)
        self.assertEqual(self.ask(agent).status, 200)

    def test_no_connection_is_leaked(self):
        proxy, agent = self.both(Open())

        def descriptors():
            return len(os.listdir("/proc/%d/fd" % agent.pid))
        self.ask(agent)
        before = descriptors()
        for i in range(50):
            self.ask(agent)
            self.tunnel(agent).reset()
            with Wire.connect(agent.port) as client:
                client.send(b"GET http://half")
            with Wire.connect(agent.port) as client:
                client.send(b"nonsense\r\n\r\n")
                client.read_to_end()
        wait_until(lambda: descriptors() <= before + 1, "the descriptors to be closed")
