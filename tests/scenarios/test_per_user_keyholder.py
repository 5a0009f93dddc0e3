"""Gateways that go on as each of their users (identity = per-user), with the real keyholder and each user's own password in a file."""

import os
import re
import signal
import threading
from unittest import mock

from agent import wait_until
from base import AUTH, SITE, Later
from onward import Onward
from proxy import Asks
from test_clients import ManyBasic, ManyNtlm, Names
from test_clients import PEOPLE as PASSWORDS
from test_gateway import Gateway, basic
from test_hold import Unasked
from test_per_user import Marks, Pairs, Waiting
from wire import Wire, get

HASH = "{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ="  # of "secret"
PEOPLE = ("alice", "bob")
GATE = "[gateway]\nlisten = 127.0.0.1:0\nauth = basic\nusers = @DIR@/users\nidentity = per-user\n"
LINES = "auth = %s\nsecret = file:@DIR@/%%u\nbasic-in-clear = yes\n"


def users(*names):
    return "".join("%s:%s\n" % (name, HASH) for name in names)


class Keyholder(Waiting, Gateway):
    def start(self, text, **options):
        files = dict(options.pop("files", {}), users=users(*PEOPLE, "carol"))
        files.update({name: PASSWORDS[name] for name in PEOPLE if name not in files})
        agent = self.agent(text, files=files, **options)
        self.gate = options.get("start", True) and self.door(agent)
        return agent

    def one_proxy(self, scheme, **options):
        self.personal = scheme()
        self.onward = self.proxy(Asks(self.personal, then=Names()))
        return self.start(self.onward.upstream(LINES % AUTH[self.personal.scheme.lower()]) + GATE, **options)

    def says(self, client, user, host=SITE):
        answer = client.ask(get(host + "/who", basic(user)))
        self.assertEqual((answer.status, answer.text), (200, user))

    def rounds(self):
        clients = [self.comes() for _ in PEOPLE]
        for _ in range(3):
            for client, user in zip(clients, PEOPLE):
                self.says(client, user)
                self.says(clients[0], user)

    def test_each_ones_password(self):
        for scheme in (ManyNtlm, ManyBasic):
            with self.subTest(scheme.scheme):
                self.one_proxy(scheme)
                self.rounds()
                self.assertEqual({user for user, _ in self.personal.shown}, set(PEOPLE))
                self.assertEqual([good for _, good in self.personal.shown if not good], [])

    def test_without_one(self):
        """carol has none: nothing is shown to the proxy for her, and others go on."""
        agent = self.one_proxy(ManyNtlm)
        self.says(self.comes(), "alice")
        answer = self.own(self.comes().ask(get(SITE + "/who", basic("carol"))), 502, "proxy_configuration_error", "carol")
        for inside in (PASSWORDS["alice"], agent.directory, "file:", "exeat.conf"):
            self.assertNotIn(inside, answer.text + answer.raw_head.decode())
        agent.wait_log(re.escape(agent.directory + "/carol") + " cannot be read")
        self.says(self.comes(), "alice")
        self.assertEqual({user for user, _ in self.personal.shown}, {"alice"})

    def test_a_wrong_one(self):
        """It is shown once, however often the user comes; nobody else is stopped."""
        self.one_proxy(ManyNtlm, files={"bob": "wrong"})
        for _ in range(3):
            self.says(self.comes(), "alice")
            self.own(self.comes().ask(get(SITE + "/who", basic("bob"))), 502, None, "bob")
        self.assertEqual(self.personal.shown.count(("bob", False)), 1)

    def test_the_keyholder_is_killed(self):
        """In the middle of it all: whoever gets an answer gets his own."""
        agent = self.one_proxy(ManyNtlm)

        def client(number):
            user, statuses = PEOPLE[number % 2], []
            with Wire.connect(self.gate) as wire:
                for i in range(40):
                    answer = wire.ask(get("%s/%d.%d" % (SITE, number, i), basic(user)))
                    statuses.append(answer.status)
                    if answer.status == 200:
                        self.assertEqual(answer.text, user)
            return statuses

        for _ in range(3):
            seen = len(self.onward.requests)
            later = [Later(client, number) for number in range(6)]
            self.onward.wait(lambda seen=seen: len(self.onward.requests) > seen + 20, "some requests")
            os.kill(agent.keys_pid(), signal.SIGKILL)
            statuses = [status for one in later for status in one.result()]
            self.assertIn(200, statuses)
            self.assertLessEqual(set(statuses), {200, 407, 502, 503})
            wait_until(lambda: self.comes().ask(get(SITE + "/who", basic("alice"))).status == 200, "the next keyholder")
        self.rounds()
        self.assertEqual([shown for shown in self.personal.shown if not shown[1]], [])

    def test_a_user_who_is_no_more(self):
        """Basic is judged by the file as it is."""
        agent = self.one_proxy(ManyNtlm)
        client = self.comes()
        self.says(client, "alice")
        self.says(client, "bob")
        agent.write("users", users("bob"))
        self.assertEqual(client.ask(get(SITE + "/who", basic("alice"))).status, 407)
        self.says(client, "bob")

    def test_another_password(self):
        """It is read at the next request."""
        agent = self.one_proxy(ManyNtlm, files={"bob": "wrong"})
        self.own(self.comes().ask(get(SITE + "/who", basic("bob"))), 502, None, "bob")
        agent.write("bob", PASSWORDS["bob"] + "\n")
        self.says(self.comes(), "bob")

    def with_keyring(self, personal, behaviour=Asks, more=""):
        self.personal = personal
        self.onward = self.proxy(behaviour(personal, then=Names()))
        lines = "auth = %s\nbasic-in-clear = yes\n" % AUTH[personal.scheme.lower()]
        agent = self.start(self.onward.upstream(lines + more) + GATE, start=False)
        agent.env.update(SECRET_BACKEND="file", SECRET_FILE_TEST_PATH=agent.directory + "/keyring", SECRET_FILE_TEST_PASSWORD="master")
        agent.start()
        self.gate = self.door(agent)
        return agent

    def login(self, agent, user, password=None):
        return agent.exeat("login", "corp", "--stdin", "--for", user, input=(password or PASSWORDS[user]) + "\n", check=not password)

    def test_login_and_logout(self):
        """A user's connections end when the password is forgotten, or another one was typed; the others' stay."""
        agent = self.with_keyring(ManyBasic())
        for user in PEOPLE:
            self.login(agent, user)
            self.says(self.comes(), user)
        self.onward.wait(lambda: self.onward.count_open() == 2, "one connection of each")
        self.login(agent, "alice")
        self.onward.wait(lambda: self.onward.count_open() == 1, "the end of the one that had the old password")
        self.says(self.comes(), "alice")
        agent.exeat("logout", "corp", "--for", "alice", check=True)
        self.onward.wait(lambda: self.onward.count_open() == 1, "the end of alice's connection")
        self.own(self.comes().ask(get(SITE + "/who", basic("alice"))), 502, "proxy_configuration_error", "alice")
        self.says(self.comes(), "bob")
        self.onward.wait(lambda: self.onward.count_open() == 1, "the end of what was opened for alice in vain; bob's stays")

    def test_a_login_is_tried(self):
        """Once, as that user, before any request of theirs; a wrong password is not stored."""
        agent = self.with_keyring(ManyNtlm())
        answer = self.login(agent, "alice", "wrong")
        self.assertEqual(answer.returncode, 5, answer.stdout + answer.stderr)
        self.assertRegex(answer.stdout + answer.stderr, r"refused the password of \S*alice(.|\n)*It was not stored")
        self.own(self.comes().ask(get(SITE + "/who", basic("alice"))), 502, "proxy_configuration_error", "alice")
        self.assertIn("accepted by %s and stored in the keyring" % self.onward.address, self.login(agent, "alice").stdout)
        self.assertEqual(self.personal.shown, [("alice", False), ("alice", True)])
        self.says(self.comes(), "alice")

    def test_who_waits_for_a_password(self):
        """Each for the own one: no other user's, and not the machine's."""
        agent = self.with_keyring(ManyNtlm(), more="user = carol\nwait-for-password = 1h\n")
        clients = {user: [self.connects(user) for _ in range(3)] for user in PEOPLE}
        self.held(agent, 6)
        agent.exeat("login", "corp", "--stdin", input=PASSWORDS["carol"] + "\n", check=True)
        self.held(agent, 6)
        self.login(agent, "bob")
        for client in clients["bob"]:
            self.passes(client, "bob")
        self.held(agent, 3)
        self.login(agent, "alice", "wrong")
        self.held(agent, 3)
        self.login(agent, "alice")
        for client in clients["alice"]:
            self.passes(client, "alice")
        self.held(agent, 0)
        agent.wait_log("waits up to 3600 s for a new password of alice \\(exeat login corp --for\\)")
        self.assertEqual(self.personal.shown.count(("alice", False)), 1)

    def test_who_waits_after_a_refusal(self):
        agent = self.with_keyring(ManyNtlm(), Unasked, "wait-for-password = 1h\n")
        self.login(agent, "alice", "wrong")
        clients = [self.connects("alice") for _ in range(3)]
        self.held(agent, 3)
        self.own(self.comes().ask(get(SITE + "/who", basic("alice"))), 502, None, "alice")
        self.assertEqual(self.personal.shown, [("alice", False)])
        self.login(agent, "alice")
        for client in clients:
            self.passes(client, "alice")

    def test_the_upstreams_domain(self):
        """To the gateway alice is a bare name, and the upstream adds the domain: what the log says to type is for who waits, and who is connected."""
        full = "CORP\\alice"
        old, new = PASSWORDS["alice"], "another"
        agent = self.with_keyring(ManyBasic(), more="domain = CORP\nwait-for-password = 1h\n")
        self.own(self.comes().ask(get(SITE + "/who", basic("alice"))), 502, "proxy_configuration_error", "alice")
        agent.wait_log("exeat login corp --for 'CORP\\\\alice'")
        client = self.connects("alice")
        self.held(agent, 1)
        with mock.patch.dict(PASSWORDS, {full: old}):
            self.login(agent, full)
            self.passes(client, "alice")
            self.says(self.comes(), "alice")
        with mock.patch.dict(PASSWORDS, {full: new, "alice": new}):
            shown = len(self.personal.shown)
            self.login(agent, full)
            self.says(self.comes(), "alice")
            self.assertNotIn(False, [good for _, good in self.personal.shown[shown:]])
        client.close()
        self.onward.wait(lambda: self.onward.count_open() == 1, "the end of the tunnel, and of what had the old password")
        os.kill(agent.keys_pid(), signal.SIGKILL)
        agent.wait_log("the keyholder was ended by signal 9")
        agent.exeat("logout", "corp", "--for", full, check=True)
        self.onward.wait(lambda: self.onward.count_open() == 0, "the end of alice's connection")

    def test_a_refusal_that_comes_after_the_new_password(self):
        late = threading.Event()

        class Slow(ManyNtlm):
            def check(self, *arguments):
                verdict = super().check(*arguments)
                if self.shown[-1:] == [("alice", False)]:
                    late.wait(30)
                return verdict

        agent = self.with_keyring(Slow(), Unasked, "wait-for-password = 1h\n")
        self.login(agent, "alice", "wrong")
        client = self.connects("alice")
        wait_until(lambda: self.personal.shown, "the attempt with the wrong password")
        self.login(agent, "bob")
        self.login(agent, "alice")
        late.set()
        self.passes(client, "alice")
        self.assertEqual(self.personal.shown, [("alice", False), ("alice", True)])

    def test_the_keyholder_is_killed_while_they_wait(self):
        """Nothing is known of them then: they are asked again while they can answer, and wait on; the password still reaches them."""
        agent = self.with_keyring(ManyNtlm(), more="wait-for-password = 1h\n")
        clients = [self.connects("alice") for _ in range(2)]
        self.held(agent, 2)
        os.kill(agent.keys_pid(), signal.SIGKILL)
        for client in clients:
            self.assertEqual(client.read_response("CONNECT").status, 407)
            client.send(get("site.example:443", basic("alice"), method="CONNECT"))
        self.held(agent, 2)
        self.login(agent, "alice")
        for client in clients:
            self.passes(client, "alice")

    def test_nobody_waits_unless_told(self):
        self.with_keyring(ManyNtlm())
        self.own(self.connects("alice").read_response("CONNECT"), 502, "proxy_configuration_error", "alice")

    def test_socks(self):
        pairs = Pairs()
        marks = Marks(gate=pairs, then=Names())
        server = self.proxy(marks, name="socks")
        self.start("[upstream corp]\nproxy = socks5://%s\n%s" % (server.address, LINES % "basic") + GATE, files={name: "password of " + name for name in PEOPLE})
        self.rounds()
        self.assertEqual((pairs.failed, len(marks.seen)), (0, 2))

    def test_chain(self):
        """Each hop by its own scheme, each user's own password at each."""
        far_gate, near_gate = ManyNtlm(), ManyBasic()
        near, far = self.proxy(Asks(near_gate, then=Onward()), name="near"), self.proxy(Asks(far_gate, then=Names()), name="far")
        self.start("[upstream far]\nproxy = %s\n%svia = near\n" % (far.url, LINES % "ntlm") + near.upstream(LINES % "basic", name="near") + GATE)
        self.rounds()
        for gate in (near_gate, far_gate):
            self.assertEqual(set(gate.shown), {(user, True) for user in PEOPLE})

    def test_the_machines_own_requests_are_its_own(self):
        """Its user's file is another one."""
        personal = ManyNtlm()
        proxy = self.proxy(Asks(personal, then=Names()))
        agent = self.start(proxy.upstream("user = carol\n" + LINES % "ntlm") + GATE, files={"carol": PASSWORDS["carol"]})
        self.rounds()
        self.assertEqual(self.ask(agent, "/who").text, "carol")
        self.says(self.comes(), "bob")
