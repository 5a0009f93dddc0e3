"""Passwords, weaker schemes, notifications with buttons; and a tray that is not driven mad."""

import os

import agent as lib
from agent import wait_until
from base import corp
from desktop import Keyring
from fake import FakeAgent
from gates import Basic, Digest
from place import Tray
from proxy import Asks, Open
from test_standing import Control

SECRET = "s3cret-% word"


class Password(Tray):
    def place(self, secret="prompt", gate=None, **options):
        self.desktop()
        self.gate = gate or Basic(password=SECRET)
        env = dict(self.desktop_.env, **options.pop("env", {}))
        self.proxy_, agent = self.both(Asks(self.gate), corp("basic digest", "alice", secret=secret), env=env, **options)
        return agent

    def test_menu_entry(self):
        agent = self.place()
        self.tray(agent)
        self.answers(SECRET)
        self.desktop_.choose("Enter password for corp")
        self.assertNotIn("Gtk-WARNING", self.desktop_.wait_notified("accepted")[3])
        told = self.note("pinentry")
        self.assertIn("SETDESC Password of alice for the proxy %s (upstream corp)" % self.proxy_.address, told)
        self.assertEqual(self.ask(agent).status, 200)
        self.shows("on")
        self.assertNotIn(SECRET, self.said() + agent.log() + str(self.desktop_.notifications))

    def test_wrong_one(self):
        agent = self.place()
        self.tray(agent)
        self.answers("wrong")
        self.desktop_.choose("Enter password for corp")
        told = self.desktop_.wait_notified("refused")
        self.assertEqual(told[2], "exeat: that did not work")
        self.assertEqual(self.gate.failed, 1)

    def test_cancelled(self):
        agent = self.place()
        self.tray(agent)
        before = self.desktop_.wait_notified("corp needs your password")
        self.answers("CANCEL")
        self.desktop_.press(before, "login")
        wait_until(lambda: "GETPIN" in self.note("pinentry"), "the question")
        self.prompt_over()
        self.answers(SECRET)
        self.desktop_.choose("Enter password for corp")
        self.desktop_.wait_notified("accepted")
        self.assertEqual((self.gate.attempts, self.gate.failed), (1, 0))
        self.assertNotIn("exeat: that did not work", self.desktop_.titles())

    def test_refused_rings_once_with_a_button(self):
        agent = self.place(secret="prompt")
        self.tray(agent)
        first = self.desktop_.wait_notified("corp needs your password")
        self.assertEqual(first[4], ["login", "Enter password"])
        for _ in range(5):
            self.ask(agent)
            agent.exeat("off", check=True)
            self.shows("off")
            agent.exeat("on", check=True)
            self.shows("problem")
        self.assertEqual(self.desktop_.titles().count("corp needs your password"), 1)
        self.answers(SECRET)
        self.desktop_.press(first, "login")
        self.shows("on")

    def test_locked_keyring_is_no_missing_password(self):
        with Keyring() as keyring:
            keyring.store("corp", "alice", SECRET)
            keyring.lock()
            self.desktop()
            gate = Basic(password=SECRET)
            _proxy, agent = self.both(Asks(gate), corp("basic", "alice", secret="keyring"), env=keyring.env)
            self.tray(agent)
            self.shows("problem")
            wait_until(lambda: self.desktop_.row("the keyring is locked"), "the sentence")
            self.assertIn("Unlock the keyring", self.desktop_.tooltip())
            self.assertEqual(self.desktop_.notified("needs your password"), None)  # typing it would not help
            self.answers("another one")
            self.desktop_.choose("Enter password for corp")
            told = self.desktop_.wait_notified("keyring is locked")
            self.assertEqual(told[2], "exeat: that did not work")
            self.assertIn("Unlock the keyring", told[3])
            self.assertEqual(gate.attempts, 0)  # what has nowhere to stay is not tried
            self.assertNotIn("no password is stored", told[3])


class Accept(Tray):
    def test_weaker_scheme(self):
        self.desktop()
        proxy, agent = self.both(Asks(Digest()), corp("digest basic", "alice"), env=dict(self.desktop_.env))
        self.assertEqual(self.ask(agent).status, 200)
        proxy.behaviour.gates = [Basic()]
        proxy.drop_all()
        self.tray(agent)
        self.shows("on")
        self.ask(agent)
        told = self.desktop_.wait_notified("corp offers a weaker scheme than before")
        self.assertEqual(told[4], ["accept", "Details"])
        self.answers("no")
        self.desktop_.press(told, "accept")
        wait_until(lambda: "CONFIRM" in self.note("pinentry"), "the question")
        self.assertIn("now offers only Basic", self.note("pinentry"))
        self.assertEqual(self.ask(agent).status, 502)
        self.prompt_over()
        self.answers("yes")
        self.desktop_.choose("Accept weaker scheme of corp")
        wait_until(lambda: agent.status()["upstreams"][0]["alarm"] is False, "the consent")
        self.assertEqual(self.ask(agent).status, 200)
        wait_until(lambda: self.desktop_.row("Accept weaker") is None, "the row to go")


class Way(Tray):
    def test_direct_and_back(self):
        self.desktop()
        origin = self.proxy(Open(), name="origin")
        proxy = self.proxy(Open())
        agent = self.agent(proxy.upstream() + "[route]\nwhen-unreachable = direct\n", env=dict(self.desktop_.env))
        self.tray(agent)
        self.shows("on")
        proxy.stop_listening()
        proxy.drop_all()
        self.ask(agent, host=origin.address)
        self.ask(agent, host=origin.address)
        self.shows("direct")
        self.desktop_.wait_notified("corp: now direct")
        self.assertIsNotNone(self.desktop_.row("corp (%s): direct" % proxy.address))
        self.proxy(Open(), port=proxy.port)
        wait_until(lambda: self.ask(agent, host=origin.address) and self.desktop_.icon() == "exeat-on-symbolic", "the proxy again")


class Busy(Tray):
    def test_many_changes_a_second(self):
        """Neither its memory nor what it says on the bus grows with the number of changes."""
        self.desktop()
        _proxy, agent = self.both(Open(), env=dict(self.desktop_.env))
        options = os.environ.get("ASAN_OPTIONS", "")
        self.tray(agent, ASAN_OPTIONS=options + (":" if options else "") + "quarantine_size_mb=1")  # else what is freed counts
        self.shows("on")
        pid = self.process.pid

        def flip(control, times):
            for i in range(times):
                control.ask(verb="proxy", on=bool(i % 2))
        with Control(agent) as control:
            flip(control, 2000)
            before, said = lib.memory(pid), len(self.desktop_.signals)
            used, agents = lib.cpu_seconds(pid), lib.cpu_seconds(agent.pid)
            flip(control, 20000)
            self.assertLess(lib.memory(pid) - before, 4096)  # KiB
            self.assertLess(len(self.desktop_.signals) - said, 2000)
            self.assertLess(lib.cpu_seconds(pid) - used, (lib.cpu_seconds(agent.pid) - agents) / 2)  # it does not work for each
        self.shows("on")

    def test_nothing_stays_behind(self):
        """Each of some thousand changes is shown here, and all of it is given back."""
        self.desktop()
        agent = self.agent("[upstream corp]\nproxy = http://127.0.0.1:9\n", env=dict(self.desktop_.env), start=False)
        fake = FakeAgent(agent)
        self.stack.callback(fake.go)

        def vary(number):
            words = "%d %s" % (number, "x" * 150)
            return ({"state": words, "remedy": words, "problem": number % 2 == 0, "login_helps": number % 2 == 0, "identity": words,
                     "ticket_until": 2000000000, "renew": "kinit", "alarm": number % 3 == 0, "mode": ("proxy", "direct", "asleep")[number % 3]},
                    {"last_problem": words, "last_problem_at": number, "on": number % 5 > 0})
        fake.vary = vary
        self.tray(agent, ASAN_OPTIONS=os.environ.get("ASAN_OPTIONS", "") + ":quarantine_size_mb=0:thread_local_quarantine_size_kb=0")

        def see(change):
            while fake.number <= change:  # patience with each hundred: how long all take is not the question
                wait_until(lambda at=fake.number: fake.number > min(change, at + 100), "the change %d" % change)
        see(500)
        before = lib.memory(self.process.pid)
        see(3500)
        self.assertLess(lib.memory(self.process.pid) - before, 768)  # KiB: 256 bytes for each
