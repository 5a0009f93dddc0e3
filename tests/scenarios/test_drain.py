"""The agent's end: what is under way may finish, what is idle ends at once, tunnels are told; and a door that a reload closes."""

import os
import signal
import threading

from agent import PATIENCE, wait_until
from base import SITE, Later, Scenario, corp
from gates import Basic
from ports import free_port
from proxy import Asks, Open
from wire import Wire, get

LISTEN = "[listen]\nhttp = 127.0.0.1:0\ndrain = %s\n"


class Held(Open):
    """/held: the answer waits for `go`; /half: its second half does."""

    def __init__(self):
        self.go = threading.Event()

    def handle(self, conn, request):
        if request.target.endswith("/held"):
            self.go.wait(PATIENCE)
        elif request.target.endswith("/half"):
            conn.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nfirst")
            self.go.wait(PATIENCE)
            conn.send("later")
            return True
        elif request.target.endswith("/half-until-close"):
            conn.send("HTTP/1.1 200 OK\r\n\r\nfirst")
            self.go.wait(PATIENCE)
            return False
        return super().handle(conn, request)


class Draining(Scenario):
    def place(self, drain="300s", more=""):
        self.held = Held()
        self.proxy_ = self.proxy(self.held)
        self.stack.callback(self.held.go.set)
        return self.agent(LISTEN % drain + more + self.proxy_.upstream())

    def begin(self, agent, path, *fields):
        """A request whose answer is held back."""
        before = len(self.proxy_.requests)
        client = self.wire(agent)
        client.send(get(SITE + path, *fields))
        self.proxy_.wait_requests(before + 1)
        return client

    def stop(self, agent, number=signal.SIGTERM):
        os.kill(agent.pid, number)
        agent.wait_log("stopping")

    def refuses(self, agent):
        """Soon: it says that it is stopping before it closes its doors."""
        def refused():
            try:
                Wire.connect(agent.port).close()
                return False
            except OSError as error:
                return isinstance(error, ConnectionRefusedError)
        wait_until(refused, "closed doors", PATIENCE / 2)  # sooner than what is held back goes on, and the agent ends

    def test_running_requests_finish(self):
        agent = self.place()
        plain, half = self.begin(agent, "/held"), self.begin(agent, "/half")
        head = half.read_head()
        self.stop(agent)
        self.refuses(agent)
        self.held.go.set()
        answer = plain.read_response()
        self.assertEqual((answer.status, answer.get("Connection")), (200, "close"))
        self.assertTrue(plain.closed())
        self.assertEqual(head.get("Connection"), None)  # it was sent before
        self.assertEqual(half.read(10), b"firstlater")
        self.assertTrue(half.closed())
        agent.wait_end(0)

    def test_exeat_stop_waits_for_them(self):
        agent = self.place()
        client = self.begin(agent, "/held")
        stop = Later(agent.exeat, "stop")
        agent.wait_log("stopping")
        self.assertIsNone(agent.process.poll())
        self.assertEqual(agent.exeat("reload").returncode, 3)
        self.assertIn("stopping", agent.exeat("reload").stderr)
        self.held.go.set()
        self.assertEqual(client.read_response().status, 200)
        self.assertEqual(stop.result().returncode, 0)
        agent.wait_end(0)

    def test_pipelined_request_gets_its_answer(self):
        agent = self.place()
        client = self.begin(agent, "/held")
        client.send(get(SITE + "/bytes/5"))
        self.stop(agent)
        self.held.go.set()
        self.assertEqual(client.read_response().get("Connection"), "close")
        agent.wait_end(0)

    def test_idle_connections_end_at_once(self):
        agent = self.place()
        idle, fresh, busy = self.wire(agent), self.wire(agent), self.begin(agent, "/held")
        self.assertEqual(idle.ask(get(SITE + "/echo")).status, 200)
        self.stop(agent)
        self.assertTrue(idle.closed())
        self.assertTrue(fresh.closed())
        self.assertIsNone(agent.process.poll())
        self.held.go.set()
        self.assertEqual(busy.read_response().status, 200)
        agent.wait_end(0)

    def test_time_is_up(self):
        agent = self.place("1s")
        half, held, endless = self.begin(agent, "/half"), self.begin(agent, "/held"), self.begin(agent, "/half-until-close")
        for client in (half, endless):
            self.assertEqual(client.read_head().status, 200)
        self.stop(agent)
        agent.wait_end(0)
        self.assertIn("3 requests were cut off", agent.log())
        for client in (half, held):
            with self.assertRaises((OSError, AssertionError)):
                client.read_response()
        with self.assertRaises(ConnectionResetError):  # where the end of the connection would be the end of the answer
            while endless.sock.recv(1000):
                pass

    def test_second_signal(self):
        agent = self.place()
        self.begin(agent, "/held")
        self.stop(agent)
        os.kill(agent.pid, signal.SIGTERM)
        agent.wait_end(0)
        self.assertIn("stopping at once", agent.log())

    def test_stop_and_stop_again(self):
        agent = self.place()
        self.begin(agent, "/held")
        first = Later(agent.exeat, "stop")
        agent.wait_log("stopping")
        self.assertEqual(agent.exeat("stop").returncode, 0)
        self.assertEqual(first.result().returncode, 0)
        agent.wait_end(0)

    def test_nothing_to_wait_for(self):
        agent = self.place()
        self.assertEqual(self.ask(agent).status, 200)
        self.stop(agent)
        agent.wait_end(0)
        self.assertNotIn("may go on", agent.log())

    def test_zero(self):
        agent = self.place("0")
        client = self.begin(agent, "/held")
        self.stop(agent)
        agent.wait_end(0)
        with self.assertRaises((OSError, AssertionError)):
            client.read_response()

    def test_tunnels_go_on_and_are_told(self):
        agent = self.place("1s")
        tunnel = self.tunnel(agent)
        self.echoes(tunnel)
        self.stop(agent)
        self.assertEqual(tunnel.read_to_end(), b"")  # FIN, not a reset
        self.assertFalse(agent.process.poll())
        tunnel.shut()
        agent.wait_end(0)
        self.assertRegex(agent.log(), r"tunnel to site\.example:443 closed: 19 bytes up, 19 down")

    def test_both_sides_of_a_tunnel_are_told(self):
        agent = self.place("1s")
        tunnel = self.tunnel(agent)
        self.echoes(tunnel)
        self.stop(agent)
        self.proxy_.connections[-1].ended_by_peer.wait(PATIENCE)  # set behind the end that it has seen
        self.assertEqual(tunnel.read_to_end(), b"")
        agent.wait_end(0)

    def test_tunnel_that_ends_by_itself(self):
        agent = self.place()
        tunnel = self.tunnel(agent)
        self.stop(agent)
        self.refuses(agent)
        self.echoes(tunnel)
        tunnel.shut()
        self.assertEqual(tunnel.read_to_end(), b"<19 bytes>")
        agent.wait_end(0)

    def test_what_waits_for_a_password_is_told(self):
        proxy = self.proxy(Asks(Basic("right")))
        agent = self.agent(LISTEN % "300s" + proxy.upstream(corp("basic", secret="prompt", more="wait-for-password = 1h")))
        client = self.wire(agent)
        client.send(get("site.example:443", method="CONNECT"))
        agent.wait_log("waits up to")
        self.stop(agent)
        self.own(client.read_response("CONNECT"), 502)
        agent.wait_end(0)

    def test_last_bytes_arrive(self):
        """More than the kernel takes at once, to a client that begins to read late."""
        agent = self.place()
        client = self.wire(agent)
        client.send(get(SITE + "/bytes/30000000", "Connection: close"))
        head = client.read_head()
        self.stop(agent)
        self.assertEqual(len(client.read(int(head.get("Content-Length")))), 30000000)
        agent.wait_end(0)


class ClosedDoor(Scenario):
    """A reload without that listener."""

    def place(self):
        self.held = Held()
        self.proxy_ = self.proxy(self.held)
        self.stack.callback(self.held.go.set)
        self.old, self.new = free_port(), free_port()
        return self.agent("[listen]\nhttp = 127.0.0.1:%d 127.0.0.1:%d\n" % (self.new, self.old) + self.proxy_.upstream())

    def close_door(self, agent):
        agent.configure("[listen]\nhttp = 127.0.0.1:%d\n" % self.new + self.proxy_.upstream())
        agent.reload()
        with self.assertRaises(ConnectionRefusedError):
            Wire.connect(self.old)

    def test_who_came_by_it(self):
        agent = self.place()
        idle, busy, tunnel, other = (self.stack.enter_context(Wire.connect(port)) for port in (self.old, self.old, self.old, self.new))
        for client in (idle, other):
            self.assertEqual(client.ask(get(SITE + "/echo")).status, 200)
        self.assertEqual(tunnel.ask(get("site.example:443", method="CONNECT")).status, 200)
        busy.send(get(SITE + "/held"))
        self.proxy_.wait(lambda: any(r.target.endswith("/held") for r in self.proxy_.requests), "the request")
        self.close_door(agent)
        self.assertTrue(idle.closed())
        self.held.go.set()
        answer = busy.read_response()
        self.assertEqual((answer.status, answer.get("Connection")), (200, "close"))
        self.assertTrue(busy.closed())
        self.echoes(tunnel)
        self.assertEqual(other.ask(get(SITE + "/echo")).get("Connection"), None)

    def test_those_in_the_queue_are_served(self):
        """Connected, and their request sent, before the agent could accept them: more than it accepts in one round."""
        agent = self.place()
        agent.configure("[listen]\nhttp = 127.0.0.1:%d\n" % self.new + self.proxy_.upstream())
        os.kill(agent.pid, signal.SIGSTOP)
        try:
            os.kill(agent.pid, signal.SIGHUP)
            waiting = [self.stack.enter_context(Wire.connect(self.old)) for _ in range(150)]
            for client in waiting:
                client.send(get(SITE + "/echo"))
        finally:
            os.kill(agent.pid, signal.SIGCONT)
        for client in waiting:
            self.assertEqual(client.read_response().status, 200)
        wait_until(lambda: "configuration read again" in agent.log(), "the reload")
