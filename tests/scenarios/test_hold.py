"""CONNECTs that wait for the password (wait-for-password): they pass when it is typed, add no attempt, and end in every way that there is."""

import os
import signal
import threading
import time

import socks
from agent import wait_until
from base import Scenario, corp
from gates import NO, Basic, Digest, Ntlm
from proxy import Asks, never
from wire import Wire, get

FOR_EVER = 3000
GATES = {"ntlm": (Ntlm, "CORP\\alice"), "digest": (Digest, "alice"), "basic": (Basic, "alice")}


class Unasked(Asks):
    """Lets the agent's own trial of a login through, so that a password is kept untried."""

    def handle(self, conn, request):
        if request.target.startswith("http://exeat.invalid"):
            conn.answer(200, b"")
            return True
        return super().handle(conn, request)


class HoldTest(Scenario):
    def start(self, gate, wait=FOR_EVER, behaviour=Asks, scheme="ntlm", user="CORP\\alice", more="", **options):
        lines = corp(scheme, user, "prompt", "wait-for-password = %d\nconnections = 300\n%s" % (wait, more))
        return self.both(behaviour(gate, **options), lines)

    def connect(self, agent, number=0, early=b""):
        client = self.wire(agent)
        client.send(get("site%d.example:443" % number, method="CONNECT") + early)
        return client

    def held(self, agent, count):
        wait_until(lambda: agent.status()["upstreams"][0]["held"] == count, "%d CONNECTs that wait" % count)

    def login(self, agent, password="secret"):
        return agent.exeat("login", "corp", "--stdin", input=password + "\n")

    def page(self, client, *words):
        return self.own(client.read_response("CONNECT"), 502, None, "exeat login corp", *words)


class Passes(HoldTest):
    def test_no_password_yet(self):
        for scheme, (kind, user) in GATES.items():
            with self.subTest(scheme):
                gate = kind()
                _, agent = self.start(gate, scheme=scheme, user=user)
                clients = [self.connect(agent, i, b"early %d " % i) for i in range(20)]
                self.held(agent, 20)
                self.assertEqual(gate.attempts, 0)
                self.assertIn("20 CONNECTs", agent.exeat("status").stdout)
                self.assertEqual(self.login(agent).returncode, 0)
                for i, client in enumerate(clients):
                    self.assertEqual(client.read_response("CONNECT").status, 200)
                    self.echoes_early(client, b"early %d " % i)
                self.assertEqual(gate.failed, 0)
                self.held(agent, 0)
                self.assertNotIn("CONNECTs", agent.exeat("status").stdout)

    def echoes_early(self, client, early):
        client.send(b"late")
        self.assertEqual(client.read(len(early) + 4), early + b"late")

    def test_refused_and_refused_again(self):
        """A wrong password, 50 who wait, another wrong one, then the right one: each password goes out once."""
        for behaviour in (Asks, Unasked):
            with self.subTest(behaviour.__name__):
                gate = Ntlm()
                proxy, agent = self.start(gate, behaviour=behaviour)
                clients = [self.connect(agent, i) for i in range(50)]
                self.held(agent, 50)
                for wrong in range(1, 4):
                    self.login(agent, "wrong %d" % wrong)
                    wait_until(lambda: gate.attempts >= wrong, "the attempt with the password that was typed")
                    self.held(agent, 50)
                    self.assertTrue(never(0.1, lambda: gate.attempts != wrong))
                self.assertEqual(self.login(agent).returncode, 0)
                for client in clients:
                    self.assertEqual(client.read_response("CONNECT").status, 200)
                self.assertEqual(gate.failed, 3)

    def test_those_who_wait_hold_no_connection(self):
        gate = Ntlm()
        proxy, agent = self.start(gate, behaviour=Unasked)
        self.login(agent, "wrong")
        clients = [self.connect(agent, i) for i in range(10)]
        self.held(agent, 10)
        wait_until(lambda: agent.status()["upstreams"][0]["proxies"][0]["busy"] == 0, "no connection in use")
        for conn in proxy.connections:
            self.assertTrue(conn.ended_by_peer.wait(30))
        self.assertEqual(gate.attempts, 1)
        self.login(agent)
        self.assertEqual({client.read_response("CONNECT").status for client in clients}, {200})

    def test_a_refusal_that_comes_after_the_new_password(self):
        """What the late one says is about a password that has been replaced by then."""
        late = threading.Event()

        class Slow(Ntlm):
            def check(self, *arguments):
                verdict = super().check(*arguments)
                if verdict[0] == NO:
                    late.wait(30)
                return verdict

        gate = Slow()
        _, agent = self.start(gate, behaviour=Unasked)
        self.login(agent, "wrong")
        client = self.connect(agent)
        wait_until(lambda: gate.failed, "the attempt with the wrong password")
        self.login(agent)
        late.set()
        self.assertEqual(client.read_response("CONNECT").status, 200)
        self.assertEqual((gate.attempts, gate.failed), (2, 1))


class OtherWays(HoldTest):
    """Those that no HTTP client wrote."""

    def launch(self, wait):
        proxy = self.proxy(Asks(Ntlm()))
        lines = corp("ntlm", "CORP\\alice", "prompt", "wait-for-password = %d" % wait)
        agent = self.agent("[listen]\nhttp = 127.0.0.1:0\nsocks = 127.0.0.1:0\n" + proxy.upstream(lines) + "[forward f]\nlisten = 127.0.0.1:0\ntarget = a.example:22\n")
        by_socks, fixed = (self.stack.enter_context(Wire.connect(agent.port_of(what))) for what in ("SOCKS", "forward f"))
        by_socks.send(b"\5\1\0" + socks.request5("site.example", 443))
        self.assertEqual(by_socks.read(2), b"\5\0")
        return agent, by_socks, fixed

    def test_pass(self):
        agent, by_socks, fixed = self.launch(FOR_EVER)
        self.held(agent, 2)
        fixed.send(b"early")
        self.assertEqual(self.login(agent).returncode, 0)
        self.assertEqual(socks.reply5(by_socks), socks.GRANTED)
        self.echoes(by_socks)
        self.assertEqual(fixed.read(5), b"early")

    def test_the_time_is_up(self):
        agent, by_socks, fixed = self.launch(1)
        self.assertEqual(socks.reply5(by_socks), socks.FAILURE)
        with self.assertRaises(ConnectionResetError):
            fixed.read(1)
        self.assertIn("exeat login corp", agent.log())


class Ends(HoldTest):
    def test_the_time_is_up(self):
        gate = Ntlm()
        _, agent = self.start(gate, wait=1)
        self.page(self.connect(agent))
        self.held(agent, 0)
        self.login(agent)
        self.assertEqual(self.connect(agent).read_response("CONNECT").status, 200)

    def test_the_time_is_up_after_another_try(self):
        """It counts from the beginning, by the settings of now: the limit is set when everything has happened that it must not come before."""
        gate = Ntlm()
        proxy, agent = self.start(gate, behaviour=Unasked)
        begin = time.monotonic()
        client = self.connect(agent)
        self.held(agent, 1)
        self.login(agent, "wrong")
        wait_until(lambda: gate.attempts, "the attempt with the password that was typed")
        self.held(agent, 1)
        gone = time.monotonic() - begin
        agent.configure(proxy.upstream(corp("ntlm", "CORP\\alice", "prompt", "wait-for-password = %d\nconnections = 300\n" % (gone + 2))))
        agent.reload()
        self.page(client, "refused")
        self.assertEqual(gate.attempts, 1)

    def test_at_once_where_nobody_waits(self):
        gate = Ntlm()
        _, agent = self.start(gate, wait=0, behaviour=Unasked)
        self.page(self.connect(agent))
        self.login(agent, "wrong")
        self.page(self.connect(agent))
        self.page(self.connect(agent))
        self.assertEqual(gate.attempts, 1)

    def test_only_connect_waits(self):
        gate = Ntlm()
        _, agent = self.start(gate, behaviour=Unasked)
        self.own(self.ask(agent), 502, None, "exeat login")
        self.login(agent, "wrong")
        for method, body in (("GET", None), ("HEAD", None), ("POST", b"hello")):
            self.own(self.ask(agent, method=method, body=body), 502)
        self.assertEqual(gate.attempts, 1)

    def test_only_where_a_login_helps(self):
        gate = Ntlm()
        for secret in ("file:@DIR@/secret", "command:echo wrong", "none"):
            with self.subTest(secret):
                _, agent = self.both(Asks(gate), corp("ntlm", secret=secret, more="wait-for-password = %d" % FOR_EVER), secret="wrong")
                for _ in range(2):
                    self.own(self.tunnel(agent, expect=502), 502)

    def test_a_blocked_site_does_not_wait(self):
        gate = Ntlm()
        _, agent = self.start(gate, blocked=("blocked.example",))
        self.login(agent)
        self.own(self.tunnel(agent, "blocked.example:443", expect=403), 403)

    def test_clients_that_go(self):
        gate = Ntlm()
        _, agent = self.start(gate)
        clients = [self.connect(agent, i, b"x" * 1000 * (i % 3)) for i in range(12)]
        self.held(agent, 12)
        for client in clients[:4]:
            client.close()
        self.held(agent, 8)
        for client in clients[4:8]:
            client.reset()
        self.held(agent, 4)
        for client in clients[8:]:
            client.shut()
        self.held(agent, 0)
        for client in clients[8:]:
            self.assertTrue(client.closed())
        wait_until(lambda: agent.status()["clients"] == 0, "the end of all clients")

    def test_a_client_that_went_before(self):
        """Its end comes while it is still asked for, not while it waits."""
        gate = Ntlm()
        _, agent = self.start(gate)
        client = self.connect(agent)
        client.shut()
        self.assertTrue(client.closed())
        self.held(agent, 0)

    def test_the_agent_stops(self):
        gate = Ntlm()
        _, agent = self.start(gate)
        clients = [self.connect(agent, i) for i in range(5)]
        self.held(agent, 5)
        agent.stop()
        for client in clients:
            self.assertTrue(client.closed())

    def test_reload(self):
        gate = Ntlm()
        proxy, agent = self.start(gate, behaviour=Unasked)
        self.login(agent, "wrong")
        clients = [self.connect(agent, i) for i in range(5)]
        self.held(agent, 5)
        agent.reload()
        self.held(agent, 5)
        self.assertEqual(gate.attempts, 1)
        agent.configure(proxy.upstream(corp("ntlm", "CORP\\alice", "prompt", "wait-for-password = 0")))
        agent.reload()
        for client in clients:
            self.page(client)
        self.assertEqual(gate.attempts, 1)

    def test_reload_without_the_upstream(self):
        gate = Ntlm()
        proxy, agent = self.start(gate)
        client = self.connect(agent)
        self.held(agent, 1)
        agent.configure(proxy.upstream("auth = none", name="another"))
        agent.reload()
        self.own(client.read_response("CONNECT"), 502)

    def test_the_keyholder_dies(self):
        gate = Ntlm()
        _, agent = self.start(gate)
        clients = [self.connect(agent, i) for i in range(3)]
        self.held(agent, 3)
        before = agent.keys_pid()
        os.kill(before, signal.SIGKILL)
        agent.wait_log("ended by signal 9")
        self.held(agent, 3)  # the question starts the next one
        wait_until(lambda: agent.keys_pid() not in (None, before), "the next one")
        self.assertEqual(self.login(agent).returncode, 0)
        self.assertEqual({client.read_response("CONNECT").status for client in clients}, {200})

    def test_not_more_than_so_many(self):
        most, gate = 256, Ntlm()
        _, agent = self.start(gate)
        clients = [self.connect(agent, i) for i in range(most)]
        self.held(agent, most)
        self.page(self.connect(agent, most))
        clients[0].close()
        self.held(agent, most - 1)
        self.connect(agent, most)
        self.held(agent, most)
