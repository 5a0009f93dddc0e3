"""How the agent stands: exeat off and on, and the verb that waits for the next change."""

import json
import os
import socket

from base import Later, Scenario, corp
from behaviours import Silent
from gates import Basic
from agent import wait_until
from proxy import Asks, Open
from wire import PATIENCE


class Control:
    """The agent's control socket: one question at a time."""

    def __init__(self, agent):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(PATIENCE)
        self.sock.connect(os.path.join(agent.directory, "runtime", "exeat", "control"))
        self.lines = self.sock.makefile("rb")

    def send(self, **question):
        self.sock.sendall(json.dumps(question).encode() + b"\n")

    def receive(self):
        return json.loads(self.lines.readline())

    def ask(self, **question):
        self.send(**question)
        return self.receive()

    def close(self):
        self.lines.close()
        self.sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Switch(Scenario):
    def place(self, more=""):
        self.origin = self.proxy(Open(), name="origin")
        self.proxy_, agent = self.both(Open(), more=more)
        return agent

    def reached(self):
        return len(self.proxy_.requests), len(self.origin.requests)

    def test_off_is_direct_and_on_is_back(self):
        agent = self.place()
        self.assertEqual(self.ask(agent, host=self.origin.address).status, 200)
        self.assertEqual(self.reached(), (1, 0))
        self.assertEqual(agent.exeat("off", check=True).stdout,
                         "exeat is now off: requests go direct, without a proxy (when-off = direct).\n")
        self.assertEqual(self.ask(agent, host=self.origin.address).status, 200)
        self.assertEqual(self.reached(), (1, 1))
        self.assertRegex(agent.exeat("off", check=True).stdout, "already off")
        self.assertRegex(agent.exeat("status", check=True).stdout, "(?m)^Switched off: requests go direct")
        self.assertIs(agent.status()["on"], False)
        self.assertEqual(agent.exeat("on", check=True).stdout, "exeat is now on: requests go their way.\n")
        self.assertEqual(self.ask(agent, host=self.origin.address).status, 200)
        self.assertEqual(self.reached(), (2, 1))
        self.assertIs(agent.status()["on"], True)

    def test_off_for_tunnels(self):
        agent = self.place()
        before = self.tunnel(agent)
        agent.exeat("off", check=True)
        self.echoes(before)  # goes on as it began
        with socket.create_server(("127.0.0.1", 0)) as far:
            tunnel = self.tunnel(agent, "127.0.0.1:%d" % far.getsockname()[1])
            end, _ = far.accept()
            with end:
                end.sendall(b"straight")
                self.assertEqual(tunnel.read(8), b"straight")
        self.assertEqual(len(self.proxy_.requests), 1)

    def test_off_is_refused_where_the_configuration_says_so(self):
        agent = self.place("[route]\nwhen-off = refuse\nno-proxy = 127.0.0.1\n")
        self.assertRegex(agent.exeat("off", check=True).stdout, "are refused")
        self.own(self.ask(agent, host=self.origin.address), 503, "http_request_denied", "switched off", "exeat on")
        self.tunnel(agent, expect=503)
        self.assertEqual(self.reached(), (0, 0))
        self.assertNotIn("last_problem", agent.status())  # that was wanted

    def test_what_is_blocked_stays_blocked(self):
        agent = self.place("[route]\nrule = 127.0.0.1 block\n")
        agent.exeat("off", check=True)
        self.own(self.ask(agent, host=self.origin.address), 403, "http_request_denied")
        self.assertEqual(self.reached(), (0, 0))

    def test_a_reload_leaves_it_off(self):
        agent = self.place()
        agent.exeat("off", check=True)
        agent.reload()
        self.assertIs(agent.status()["on"], False)

    def test_bad_question(self):
        agent = self.place()
        with Control(agent) as control:
            self.assertIs(control.ask(verb="proxy", on="yes")["ok"], False)
            self.assertIs(control.ask(verb="proxy")["on"], True)


class State(Scenario):
    def test_waits_for_the_next_change(self):
        _proxy, agent = self.both(Open())
        with Control(agent) as control:
            now = control.ask(verb="status")["state"]
            self.assertEqual(control.ask(verb="state")["state"], now)
            control.send(verb="state", since=now)
            waiting = Later(control.receive)
            agent.exeat("off", check=True)
            self.assertGreater(waiting.result()["state"], now)

    def test_not_before_the_pause(self):
        """Changes in it are told once, at its end."""
        _proxy, agent = self.both(Open())
        with Control(agent) as control, Control(agent) as switch:
            control.send(verb="state", since=control.ask(verb="state")["state"], pause=3000)
            waiting = Later(control.receive)
            for on in (False, True, False):
                switch.ask(verb="proxy", on=on)
            self.assertEqual(waiting.result()["state"], agent.status()["state"])

    def test_requests_under_way(self):
        behaviour = Silent()
        _proxy, agent = self.both(behaviour)
        with Control(agent) as control:
            control.send(verb="state", since=control.ask(verb="state")["state"])
            request = Later(self.ask, agent)
            begun = control.receive()["state"]
            wait_until(lambda: agent.status()["in_flight"] == 1, "the request")
            control.send(verb="state", since=begun)
            behaviour.release.set()
            request.result()
            self.assertGreater(control.receive()["state"], begun)
            wait_until(lambda: agent.status()["in_flight"] == 0, "its end")

    def test_problems_in_words_and_for_programs(self):
        _proxy, agent = self.both(Asks(Basic()), corp("basic"), secret="wrong")
        self.assertNotIn("last_problem", agent.status())
        self.ask(agent)
        status = agent.status()
        self.assertRegex(status["last_problem"], "refuse")
        upstream = status["upstreams"][0]
        self.assertEqual((upstream["problem"], upstream["login_helps"], upstream["ticket_until"]), (True, False, 0))  # from a file: nobody types it

    def test_typing_a_password_would_help(self):
        _proxy, agent = self.both(Asks(Basic()), corp("basic", "alice", secret="prompt"))
        upstream = agent.status()["upstreams"][0]
        self.assertEqual((upstream["problem"], upstream["login_helps"]), (True, True))
        agent.exeat("login", "--stdin", input="secret\n")
        upstream = agent.status()["upstreams"][0]
        self.assertEqual((upstream["problem"], upstream["login_helps"]), (False, False))

    def test_those_who_wait_and_have_gone_take_no_places(self):
        """More than the control socket has places, with no change in between."""
        _proxy, agent = self.both(Open())
        now = agent.status()["state"]
        for _ in range(100):
            with Control(agent) as control:
                control.send(verb="state", since=now)
        with Control(agent) as control:
            self.assertEqual(control.ask(verb="state")["state"], now)
            control.send(verb="state", since=now)
            waiting = Later(control.receive)
            agent.exeat("off", check=True)
            self.assertGreater(waiting.result()["state"], now)

    def test_the_end_is_told(self):
        _proxy, agent = self.both(Open())
        with Control(agent) as control:
            control.send(verb="state", since=control.ask(verb="state")["state"])
            waiting = Later(control.receive)
            agent.stop()
            self.assertEqual(waiting.result()["error"], "the agent is stopping")
