"""A reload: all or nothing, what differs in words, and nobody notices it who is at work."""

import os
import signal
import threading

from agent import wait_until
from base import SITE, Later, Scenario, corp
from gates import Ntlm
from ports import free_port
from proxy import Asks, Open
from test_drain import Held
from wire import Wire, get

RELOADS = 50


class Difference(Scenario):
    def place(self, sections=""):
        self.proxy_ = self.proxy(Open())
        self.port = free_port()
        agent = self.agent(self.text() + sections)
        return agent

    def text(self, listen=""):
        return "[listen]\nhttp = 127.0.0.1:%d\n%s" % (self.port, listen) + self.proxy_.upstream()

    def change(self, agent, text):
        agent.configure(text)
        return agent.reload().stdout

    def test_what_differs(self):
        agent = self.place("[route]\nno-proxy = a.example\n[upstream old]\nproxy = http://127.0.0.1:9\n")
        said = self.change(agent, self.text("drain = 0\n") + "[route]\nno-proxy = b.example\nrule = c.example direct\n"
                           "[upstream new]\nproxy = http://127.0.0.1:9\nsecret = command:echo s3cret\n")
        wanted = ["[listen] drain: 5s -> 0", "[upstream old] removed", "[upstream new] added", "[route] no-proxy: a.example -> b.example",
                  "[route] rule: not set -> c.example direct"]
        self.assertEqual(said, "The agent has read its configuration again:\n" + "".join("  %s\n" % line for line in wanted))
        for line in wanted:
            self.assertIn("configuration: " + line + "\n", agent.log())

    def test_nothing_differs(self):
        agent = self.place()
        self.assertEqual(self.change(agent, "# other words\n" + self.text()), "The agent has read its configuration again; no setting differs.\n")
        agent.wait_log("no setting differs")

    def test_by_signal(self):
        agent = self.place()
        agent.configure(self.text("drain = 7s\n"))
        os.kill(agent.pid, signal.SIGHUP)
        agent.wait_log(r"configuration: \[listen\] drain: 5s -> 7s")

    def test_no_command_is_shown(self):
        agent = self.place("[upstream other]\nproxy = http://127.0.0.1:9\nsecret = command:echo s3cret-one\n")
        said = self.change(agent, self.text() + "[upstream other]\nproxy = http://127.0.0.1:9\nsecret = command:echo s3cret-two\n")
        self.assertIn("[upstream other] secret: changed (it is not shown)", said)
        self.assertNotIn("s3cret", said + agent.log())

    def test_many_differences_do_not_flood_the_log(self):
        agent = self.place()
        said = self.change(agent, self.text() + "".join("[upstream u%d]\nproxy = http://127.0.0.1:9\n" % i for i in range(300)))
        self.assertEqual(said.count(" added\n"), 300)
        agent.wait_log("and 250 more changes")
        self.assertEqual(agent.log().count("] added"), 50)

    def test_all_or_nothing(self):
        """Each of these is wrong in another place, and each has something good in it that must not come into force."""
        agent = self.place()
        self.assertEqual(self.ask(agent).status, 200)
        with Wire.connect(self.port) as kept:
            for wrong in ("[nonsense]\n", "[upstream x]\nproxy = https://127.0.0.1:9\nca = /nonexistent\n",
                          "[route]\nrule = 10.0.0.0/99 direct\n", "[forward x]\nlisten = 127.0.0.1:%d\ntarget = a:1\n" % self.proxy_.port,
                          "[log]\nfile = /nonexistent/requests\n"):
                with self.subTest(wrong):
                    agent.configure(self.text("max-head = 4096\n") + wrong + ("[route]\n" if "[route]" not in wrong else "") + "no-proxy = site.example\n")
                    answer = agent.exeat("reload")
                    self.assertEqual(answer.returncode, 3, answer.stdout)
                    self.assertIn("nothing was changed", answer.stderr)
                    self.assertEqual(kept.ask(get(SITE + "/echo", "X-Long: " + "x" * 8000)).status, 200)  # by the proxy, with the old max-head
            self.assertNotIn("configuration: ", agent.log())


class UnderLoad(Scenario):
    def flood(self, work, count=4):
        """work(port, stop) in threads until stop is set; returns how many rounds they made."""
        self.stop = threading.Event()
        return [Later(work, i) for i in range(count)]

    def one_by_one(self, _):
        """Each request on a connection of its own."""
        rounds = 0
        while not self.stop.is_set() or rounds < 10:
            with Wire.connect(self.port) as wire:
                answer = wire.ask(get(SITE + "/bytes/2000"))
            assert answer.status == 200 and len(answer.body) == 2000, answer.text
            rounds += 1
        return rounds

    def kept(self, _):
        rounds = 0
        with Wire.connect(self.port) as wire:
            while not self.stop.is_set() or rounds < 10:
                answer = wire.ask(get(SITE + "/echo", method="POST", body=b"x" * 1000))
                assert answer.status == 200, answer.text
                rounds += 1
        return rounds

    def tunnels(self, _):
        rounds = 0
        with Wire.connect(self.port) as wire:
            assert wire.ask(get("site.example:443", method="CONNECT")).status == 200
            while not self.stop.is_set() or rounds < 10:
                wire.send(b"there and back")
                assert wire.read(14) == b"there and back"
                rounds += 1
        return rounds

    def reloads(self, agent, texts):
        workers = [*self.flood(self.one_by_one), *[Later(self.kept, i) for i in range(4)], *[Later(self.tunnels, i) for i in range(4)]]
        try:
            for i in range(RELOADS):
                agent.configure(texts[i % len(texts)])
                agent.reload()
        finally:
            self.stop.set()
        for worker in workers:
            self.assertGreaterEqual(worker.result(), 10)

    def test_none_is_lost(self):
        """The address stays while everything around it comes and goes: another listener, another upstream, the log's file."""
        proxy = self.proxy(Open())
        self.port, other = free_port(), free_port()
        texts = ["[listen]\nhttp = 127.0.0.1:%d%s\n" % (self.port, more) + proxy.upstream(name=name) + "[log]\nfile = @DIR@/log.d/%s\nformat = json\n" % name
                 for more, name in (("", "corp"), (" 127.0.0.1:%d" % other, "lab"), (" [::1]:%d" % other, "corp"))]
        agent = self.agent(texts[0], start=False)
        os.mkdir(os.path.join(agent.directory, "log.d"))
        agent.start()
        self.reloads(agent, texts)
        self.assertEqual(agent.log().count("configuration read again"), RELOADS)

    def test_none_is_lost_with_authentication(self):
        """Connections that were let in end with each reload, and handshakes are under way all the time."""
        proxy = self.proxy(Asks(Ntlm()))
        self.port = free_port()
        texts = ["[listen]\nhttp = 127.0.0.1:%d\n" % self.port + proxy.upstream(corp("ntlm", more="connections = %d" % n)) for n in (20, 30)]
        self.reloads(self.agent(texts[0]), texts)

    def test_wrong_files_in_between(self):
        proxy = self.proxy(Open())
        self.port = free_port()
        text = "[listen]\nhttp = 127.0.0.1:%d\n" % self.port + proxy.upstream()
        agent = self.agent(text)
        workers = self.flood(self.one_by_one)
        try:
            for i in range(RELOADS):
                agent.configure(text + ("[nonsense]\n" if i % 2 else ""))
                self.assertEqual(agent.exeat("reload").returncode, 3 if i % 2 else 0)
        finally:
            self.stop.set()
        for worker in workers:
            worker.result()


class Snapshot(Scenario):
    def test_a_request_ends_as_it_began(self):
        """Its proxy is no longer in the configuration, and it has its answer from there all the same."""
        held = Held()
        old, new = self.proxy(held), self.proxy(Open())
        self.stack.callback(held.go.set)
        port = free_port()
        listen = "[listen]\nhttp = 127.0.0.1:%d\n" % port
        agent = self.agent(listen + old.upstream())
        client, tunnel = self.wire(agent), self.tunnel(agent)
        client.send(get(SITE + "/held"))
        old.wait(lambda: any(r.target.endswith("/held") for r in old.requests), "the request")
        agent.configure(listen + new.upstream())
        agent.reload()
        self.assertEqual(client.sock.fileno() >= 0 and self.ask(agent).status, 200)
        new.wait_requests(1)
        held.go.set()
        answer = client.read_response()
        self.assertEqual((answer.status, answer.get("Connection")), (200, None))
        self.assertEqual(client.ask(get(SITE + "/echo")).status, 200)  # the same connection, by the new proxy
        self.assertEqual(len(new.requests), 2)
        self.echoes(tunnel)
        carried = next(r.conn for r in old.requests if r.target.endswith("/held"))
        wait_until(carried.ended_by_peer.is_set, "the old proxy's connection to end")


