"""Clients that bring credentials (client-credentials = use), and who we are per target: whose connection carries what, what a client is asked,
how often a proxy is shown what it refused, and that nothing of it is left behind."""

import base64
import threading
import unittest

import memory
import ntlm
import socks
from agent import wait_until
from base import Later, Scenario, together
from behaviours import Canned
from gates import OK, Basic, Digest, Ntlm
from onward import Onward
from proxy import Asks, Open
from test_secrets import Quiet, shapes
from wire import Wire, get

PEOPLE = {"alice": "alice's-Password", "bob": "bob's-Password:2", "carol": "cärol's-Pässword"}
LONG = "a-domain-of-many-letters\\alice"  # the beginning of what was freed is overwritten at once
PASSWORD = "correct-Horse-battery-7Staple"


def basic(user, password=None):
    """The field that a client with this user sends."""
    pair = "%s:%s" % (user, PEOPLE.get(user.split("\\")[-1], "") if password is None else password)
    return "Proxy-Authorization: Basic " + base64.b64encode(pair.encode()).decode()


class ManyNtlm(Ntlm):
    """Many users; conn.user is whose connection it is. shown: (user, good) of each attempt."""

    people = PEOPLE

    def __init__(self, **options):
        self.shown = []
        super().__init__(**options)

    def check(self, conn, request, value, names):
        message = base64.b64decode(value, validate=True)
        if ntlm.kind(message) != 3:
            return super().check(conn, request, value, names)
        third = ntlm.Type3(message)
        one = Ntlm(third.user, self.people.get(third.user, ""))
        verdict, lines = one.check(conn, request, value, names)
        with self.lock:
            self.messages.append(third)
            self.shown.append((third.user, verdict == OK))
        self.count(verdict == OK)
        conn.user = third.user
        return verdict, lines


class ManyBasic(Basic):
    def __init__(self, **options):
        self.shown = []
        super().__init__(**options)

    def check(self, conn, request, value, names):
        user, _, password = base64.b64decode(value, validate=True).decode("utf-8").partition(":")
        good = PEOPLE.get(user) == password
        with self.lock:
            self.shown.append((user, good))
        conn.user = user
        return (OK if self.count(good) else "no"), []


class Names(Open):
    """Says who the connection's user is, to a GET, and at the beginning of a tunnel."""

    def handle(self, conn, request):
        if request.method == "CONNECT":
            return self.connect(conn, request)
        conn.answer(200, conn.user.encode())
        return True

    def tunnel(self, conn):
        conn.send(conn.user.encode() + b"\n")
        super().tunnel(conn)


class HangsUp(Asks):
    """On the last message of each handshake."""

    shown = 0

    def handle(self, conn, request):
        _, _, value = (request.get("Proxy-Authorization") or "").partition(" ")
        if not value or ntlm.kind(base64.b64decode(value)) != 3:
            return super().handle(conn, request)
        with self.lock:
            self.shown += 1
        return False


USE = "auth = %s\nuser = owner\nsecret = file:@DIR@/secret\nclient-credentials = use\nbasic-in-clear = yes\n"


class Clients(Scenario):
    def use(self, gate, more="", **options):
        auth = {"NTLM": "ntlm", "Digest": "digest", "Basic": "basic"}[gate.scheme]
        return self.both(Asks(gate, then=options.pop("then", Names())), USE % auth + more, **options)

    def asked(self, answer, *words):
        """A 407 of our own that a client can answer."""
        self.assertEqual(answer.status, 407, answer.text)
        self.assertEqual(answer.all("Proxy-Authenticate"), ['Basic realm="corp", charset="UTF-8"'])
        self.assertIn("error=http_request_denied", answer.get("Proxy-Status"))
        for word in words:
            self.assertRegex(answer.text, word)
        return answer


class Use(Clients):
    def test_without_credentials_a_client_is_asked(self):
        proxy, agent = self.use(ManyNtlm())
        self.asked(self.ask(agent, "/who"), "has not said")
        self.asked(self.ask(agent, "/who", "Proxy-Authorization: Negotiate abcd"), "has not said")
        self.asked(self.ask(agent, "/who", basic("", "x")), "has not said")
        client = self.wire(agent)
        for method in ("CONNECT", "CONNECT"):  # it may ask again on the same connection, as curl does
            self.asked(client.ask(get("site.example:443", method=method), "GET"))
        client.send(get("site.example:443", basic("alice"), method="CONNECT"))
        self.assertEqual(client.read_response("CONNECT").status, 200)
        self.assertEqual(client.read_until(b"\n"), b"alice\n")
        self.assertEqual({r.get("Proxy-Authorization", "NTLM ")[:5] for r in proxy.requests}, {"NTLM "})

    def test_it_never_goes_upstream(self):
        for gate in (ManyNtlm(), Digest("alice", PEOPLE["alice"])):
            with self.subTest(gate.scheme):
                proxy, agent = self.use(gate, then=Quiet())
                self.assertEqual(self.ask(agent, "/who", basic("alice")).status, 200)
                for request in proxy.requests:
                    self.assertFalse(request.get("Proxy-Authorization", "").startswith("Basic"))
                    self.assertNotIn(basic("alice")[28:].encode(), request.raw_head)

    def test_two_hundred_interleaved_requests_are_never_mixed(self):
        """Over connections that change their user with each request, over some that keep him, and in tunnels."""
        _, agent = self.use(ManyNtlm())
        people = sorted(PEOPLE)

        def client(number):
            with Wire.connect(agent.port) as wire:
                for i in range(25):
                    user = people[(number + i * (number % 2)) % 3]
                    answer = wire.ask(get("http://site.example/%d.%d" % (number, i), basic("CORP\\" + user)))
                    self.assertEqual((answer.status, answer.text), (200, user))
            user = people[number % 3]
            with Wire.connect(agent.port) as wire:
                wire.send(get("site.example:443", basic(user), method="CONNECT"))
                self.assertEqual(wire.read_response("CONNECT").status, 200)
                self.assertEqual(wire.read_until(b"\n"), user.encode() + b"\n")

        together(8, client)
        self.assertEqual(agent.status()["counters"]["refusals"], 0)

    def test_a_connection_is_used_again_by_the_same_user_alone(self):
        proxy, agent = self.use(ManyNtlm())
        for user in ("alice", "alice", "bob", "alice", "bob"):
            self.assertEqual(self.ask(agent, "/who", basic(user)).text, user)
        used = {}
        for request in proxy.requests:
            used.setdefault(request.conn.user, set()).add(request.connection)
        self.assertEqual({user: len(numbers) for user, numbers in used.items()}, {"alice": 1, "bob": 1})

    def test_not_the_same_password_is_not_the_same_user(self):
        """Whoever knows the name alone gets nothing from the connections of him who knows the password too."""
        gate = ManyNtlm()
        _, agent = self.use(gate)
        self.assertEqual(self.ask(agent, "/who", basic("alice")).status, 200)
        self.asked(self.ask(agent, "/who", basic("alice", "guess")), "refused the password of alice", "right user name and password")
        self.assertEqual(self.ask(agent, "/who", basic("alice")).text, "alice")
        self.assertEqual(gate.shown, [("alice", True), ("alice", False)])

    def test_our_own_identity_is_for_nobody(self):
        gate = ManyNtlm()
        gate.people = dict(PEOPLE, owner="secret")
        _, agent = self.use(gate)
        self.asked(self.ask(agent, "/who"))
        self.asked(self.ask(agent, "/who", basic("owner", "wrong")))
        self.assertEqual(gate.shown, [("owner", False)])

    def test_every_scheme(self):
        for gate in (ManyBasic(), Digest("alice", PEOPLE["alice"])):
            with self.subTest(gate.scheme):
                _, agent = self.use(gate, then=Quiet())
                for _ in range(3):
                    self.assertEqual(self.ask(agent, "/who", basic("alice")).status, 200)
                self.assertEqual(gate.failed, 0)

    def test_letters_beyond_ascii(self):
        _, agent = self.use(ManyNtlm())
        self.assertEqual(self.ask(agent, "/who", basic("carol")).text, "carol")

    def test_malformed_basic(self):
        proxy, agent = self.use(ManyNtlm())
        for value, word in (("Basic !!!", "no base64"), ("Basic YWxpY2U=", "no colon"), ("Basic YQBiOmM=", "control characters"), ("Basic YTpiCg==", "control"),
                            ("Basic", "no colon"), ("Basic YWxpY2U6eA", "no base64")):
            with self.subTest(value):
                self.own(self.ask(agent, "/who", "Proxy-Authorization: " + value), 400, "http_request_error", word)
        self.own(self.ask(agent, "/who", basic("alice"), basic("bob")), 400, "http_request_error", "more than one")
        self.asked(self.ask(agent, "/who", basic("CORP\\", "x")), "A user name is written")
        self.assertEqual([r for r in proxy.requests if r.get("Proxy-Authorization")], [])

    def test_default_domain(self):
        """One parser for all: what stands in the section is added to a name without a domain, and to no other."""
        gate = ManyNtlm()
        _, agent = self.use(gate, more="domain = HOME\nworkstation = DESK42\n")
        for user, domain in (("alice", "HOME"), ("CORP\\bob", "CORP"), ("carol@corp.example", "corp.example")):
            self.assertEqual(self.ask(agent, "/who", basic(user, PEOPLE[user.split("\\")[-1].split("@")[0]])).status, 200)
            self.assertEqual(gate.messages[-1].domain, domain)
            self.assertEqual(gate.messages[-1].workstation, "DESK42")

    def test_body_and_failure_keep_the_connection_in_step(self):
        _, agent = self.use(ManyNtlm(), then=Open())
        client = self.wire(agent)
        for _ in range(2):
            answer = client.ask(get("http://site.example/echo", basic("alice"), method="POST", body=b"x" * 200000))
            self.assertEqual(answer.status, 200)
        refused = client.ask(get("http://site.example/echo", basic("bob", "wrong"), method="POST", body=b"short"))
        self.asked(refused)

    def test_through_another_upstream(self):
        """The way to the proxy is ours, and authenticated as us; what goes over it is the client's."""
        near_gate, gate = Basic("owner", "secret"), ManyNtlm()
        near, far = self.proxy(Asks(near_gate, then=Onward()), name="near"), self.proxy(Asks(gate, then=Names()), name="far")
        agent = self.agent(far.upstream(USE % "ntlm" + "via = near\nno-auth = .free.example\n") +
                           near.upstream("auth = basic\nuser = owner\nsecret = file:@DIR@/secret\n", name="near"))
        self.asked(self.ask(agent, "/who"))
        for user in ("alice", "bob", "alice"):
            self.assertEqual(self.ask(agent, "/who", basic(user)).text, user)
        self.assertEqual(self.ask(agent, "/who", host="www.free.example").status, 407)
        self.assertEqual({(r.method, r.target) for r in near.requests}, {("CONNECT", far.address)})
        self.assertEqual({r.get("Proxy-Authorization") for r in near.requests} - {None}, {basic("owner", "secret").split(": ")[1]})
        self.assertEqual(gate.failed, 0)

    def test_reload(self):
        """Whose section stays the same stays; where clients' credentials mean nothing any more, they mean nothing."""
        gate = ManyNtlm()
        gate.people = dict(PEOPLE, owner="secret")
        proxy, agent = self.use(gate)
        self.assertEqual(self.ask(agent, "/who", basic("alice")).text, "alice")
        agent.reload()
        self.assertEqual(self.ask(agent, "/who", basic("alice")).text, "alice")
        agent.configure(proxy.upstream((USE % "ntlm").replace("= use", "= drop")))
        agent.reload()
        self.assertEqual(self.ask(agent, "/who", basic("alice")).text, "owner")

    def test_reload_in_the_middle(self):
        """Requests that had begun finish by the configuration of their beginning: those whose verdict is on its way, and those that wait for it."""
        gate = ManyNtlm()
        gate.people = dict(PEOPLE, owner="secret")
        asks = Asks(gate, then=Names(), hold=threading.Event())
        proxy, agent = self.both(asks, USE % "ntlm")
        begun = [Later(self.ask, agent, "/who", basic("alice")) for _ in range(6)]
        proxy.wait(lambda: gate.attempts and len({r.connection for r in proxy.requests if r.get("Proxy-Authorization")}) == 6)
        agent.configure(proxy.upstream((USE % "ntlm").replace("= use", "= drop")))
        agent.reload()
        asks.hold.set()
        self.assertEqual([one.result().text for one in begun], ["alice"] * 6)
        self.assertEqual(self.ask(agent, "/who", basic("alice")).text, "owner")

    def test_keyholder_that_dies(self):
        import os
        import signal
        _, agent = self.use(ManyNtlm())
        self.assertEqual(self.ask(agent, "/who", basic("alice")).text, "alice")
        os.kill(agent.keys_pid(), signal.SIGKILL)
        agent.expect_log = True
        self.assertEqual(self.ask(agent, "/who", basic("bob")).text, "bob")
        self.assertEqual(self.ask(agent, "/who", basic("alice")).text, "alice")


class Attempts(Clients):
    def test_a_wrong_password_is_shown_once(self):
        """However often the program repeats it, on however many connections."""
        gate = ManyNtlm()
        _, agent = self.use(gate)

        def client(_):
            with Wire.connect(agent.port) as wire:
                for i in range(5):
                    self.asked(wire.ask(get("http://site%d.example/" % i, basic("alice", "wrong"))))

        together(20, client)
        self.assertEqual(gate.shown, [("alice", False)])
        self.assertEqual(self.ask(agent, "/who", basic("CORP\\alice", "wrong")).status, 407)  # another account, for all that we know
        self.assertEqual(gate.shown, [("alice", False)] * 2)
        self.assertEqual(self.ask(agent, "/who", basic("alice")).text, "alice")

    def test_it_shares_the_account_with_the_configured_identity(self):
        """A password that one has had refused is not shown by the other."""
        gate = ManyNtlm()
        proxy = self.proxy(Asks(gate, then=Names()))
        agent = self.agent(proxy.upstream((USE % "ntlm").replace("owner", "CORP\\alice")) +
                           proxy.upstream((USE % "ntlm").replace("= use", "= drop").replace("owner", "alice@corp"), name="own") +
                           "[route]\nrule = own.example own\n", secret="wrong")
        self.own(self.ask(agent, "/who", host="own.example"), 502, "http_request_denied", "refused")
        self.asked(self.ask(agent, "/who", basic("Corp\\Alice", "wrong")))
        self.assertEqual(gate.shown, [("alice", False)])

    def test_a_program_that_guesses(self):
        """Each guess is another pair; a directory counts them all, so an account has three, and the right one that was accepted before still works."""
        gate = ManyNtlm()
        _, agent = self.use(gate)
        self.assertEqual(self.ask(agent, "/who", basic("alice")).text, "alice")
        for i in range(3):
            self.asked(self.ask(agent, "/who", basic("alice", "guess %d" % i)))
        for i in range(3, 9):
            self.own(self.ask(agent, "/who", basic("alice", "guess %d" % i)), 502, "proxy_configuration_error", "half an hour")
        self.assertEqual(self.ask(agent, "/who", basic("bob")).text, "bob")
        self.assertEqual(self.ask(agent, "/who", basic("alice")).text, "alice")
        self.assertEqual([one for one in gate.shown if not one[1]], [("alice", False)] * 3)

    def test_guesses_at_once(self):
        gate = ManyNtlm()
        _, agent = self.use(gate)
        answers = together(30, lambda i: self.ask(agent, "/who", basic("alice", "guess %d" % i)).status)
        self.assertEqual(sorted(set(answers)), [407, 502])
        self.assertEqual(gate.shown, [("alice", False)] * 3)

    def test_guesses_without_a_verdict(self):
        """A proxy that hangs up instead of saying no may have counted each one: again three for an account, not three times three."""
        gate = ManyNtlm()
        proxy, agent = self.both(HangsUp(gate), USE % "ntlm")
        answers = together(30, lambda i: self.ask(agent, "/who", basic("alice", "guess %d" % (i // 3))).status)
        self.assertEqual(set(answers), {502})
        self.assertEqual(proxy.behaviour.shown, 3)
        self.own(self.ask(agent, "/who", basic("alice", "another")), 502, "proxy_configuration_error", "half an hour")
        self.ask(agent, "/who", basic("bob"))
        self.assertEqual(proxy.behaviour.shown, 4)

    def test_a_new_password_replaces_the_old_one(self):
        """What a proxy accepted gives its place back: people change passwords more than three times."""
        gate = ManyNtlm()
        _, agent = self.use(gate)
        gate.people = {}
        for i in range(6):
            gate.people = {"alice": "password %d" % i}
            self.assertEqual(self.ask(agent, "/who", basic("alice", "password %d" % i)).text, "alice")

    def test_many_users(self):
        """More than are kept for a proxy at once: those that nobody uses at the moment make room."""
        gate = ManyNtlm()
        gate.people = {"user%d" % i: "x" for i in range(80)}
        _, agent = self.use(gate)
        for i in range(80):
            self.assertEqual(self.ask(agent, "/who", basic("user%d" % i, "x")).text, "user%d" % i)

    def test_the_disk_knows_nothing(self):
        import os
        gate = ManyNtlm()
        _, agent = self.use(gate)
        self.asked(self.ask(agent, "/who", basic("alice", "wrong")))
        self.assertEqual(self.ask(agent, "/who", basic("bob")).status, 200)
        for folder, _, files in os.walk(agent.directory):
            self.assertNotIn("refused", [f for f in files if folder.endswith("exeat")], folder)


class SocksClients(Clients):
    def door(self, gate, **options):
        proxy = self.proxy(Asks(gate, then=Names()))
        return proxy, self.agent("[listen]\nhttp = 127.0.0.1:0\nsocks = 127.0.0.1:0\n" + proxy.upstream(USE % "ntlm"), **options)

    def client(self, agent):
        return self.stack.enter_context(Wire.connect(agent.port_of("SOCKS")))

    def test_user_and_password(self):
        gate = ManyNtlm()
        _, agent = self.door(gate)
        for user in ("alice", "bob"):
            client = self.client(agent)
            self.assertEqual(socks.connect5(client, "site.example", 443, user=user.encode(), password=PEOPLE[user].encode()), socks.GRANTED)
            self.assertEqual(client.read_until(b"\n"), user.encode() + b"\n")
        client = self.client(agent)
        self.assertEqual(socks.connect5(client, "site.example", 443, user=b"alice", password=b"wrong"), 2)  # not allowed
        self.assertIn(("alice", False), gate.shown)

    def test_who_offers_both_is_asked_for_them(self):
        _, agent = self.door(ManyNtlm())
        client = self.client(agent)
        client.send(b"\5\2\0\2")
        self.assertEqual(client.read(2), b"\5\2")
        password = PEOPLE["alice"].encode()
        client.send(b"\1\5alice" + bytes([len(password)]) + password + socks.request5("site.example", 443))
        self.assertEqual(client.read(2), b"\1\0")
        self.assertEqual(socks.reply5(client), socks.GRANTED)

    def test_without_them(self):
        proxy, agent = self.door(ManyNtlm())
        self.assertEqual(socks.connect5(self.client(agent), "site.example", 443), 2)
        self.assertEqual(socks.connect4(self.client(agent), "site.example", 443, user=b"alice"), 0x5B)
        self.assertEqual(socks.connect5(self.client(agent), "site.example", 443, user=b"a\nb", password=b"x"), 1)
        self.assertEqual(proxy.requests, [])
        self.assertIn("a fixed tunnel cannot", agent.log())


class NoAuth(Clients):
    LINES = "auth = %s\nuser = alice\nsecret = file:@DIR@/secret\nbasic-in-clear = yes\nno-auth = .free.example 192.0.2.0/24 other.example:8080\n"

    class Sites(Asks):
        """Lets through to the exempt sites whoever it is; counts who came with credentials there, or on a connection that was let in."""

        wrong = ()

        def handle(self, conn, request):
            if "free.example" in request.target:
                if request.get("Proxy-Authorization") or self in conn.let_in:
                    self.wrong += (request.target,)
                if request.method == "CONNECT":
                    return Open().connect(conn, request)
                conn.answer(200, b"free")
                return True
            return super().handle(conn, request)

    def test_no_credentials_and_no_connection_that_was_let_in(self):
        for kind in (Ntlm, Basic, Digest):
            with self.subTest(kind.scheme):
                sites = self.Sites(kind("alice", "secret"))
                proxy, agent = self.both(sites, self.LINES % kind.scheme.lower())
                for _ in range(3):
                    self.assertEqual(self.ask(agent, "/bytes/5").status, 200)
                    self.assertEqual(self.ask(agent, "/x", host="www.free.example").text, "free")
                    self.echoes(self.tunnel(agent, "www.free.example:443"))
                self.assertEqual(sites.wrong, ())
                free = {r.connection for r in proxy.requests if "free.example" in r.target}
                self.assertFalse(free & {r.connection for r in proxy.requests if r.get("Proxy-Authorization")})

    def test_a_407_is_the_clients(self):
        _, agent = self.both(Asks(Basic("alice", "secret")), self.LINES % "basic")
        answer = self.ask(agent, "/x", host="www.free.example")
        self.assertEqual((answer.status, answer.get("Proxy-Authenticate")), (407, 'Basic realm="practice", charset="UTF-8"'))
        self.assertEqual(self.ask(agent, "/x", host="other.example:8080").status, 407)
        self.assertEqual(self.ask(agent, "/x", host="192.0.2.9").status, 407)
        self.assertEqual(self.ask(agent, "/bytes/3", host="other.example").status, 200)
        self.own(self.tunnel(agent, "www.free.example:443", expect=502), 502, "proxy_configuration_error", "no-auth", r"\[upstream corp\]")

    def test_it_comes_before_the_clients_own(self):
        sites = self.Sites(ManyNtlm(), then=Names())
        _, agent = self.both(sites, USE % "ntlm" + "no-auth = .free.example\n")
        self.assertEqual(self.ask(agent, "/x", host="www.free.example").status, 200)
        self.assertEqual(self.ask(agent, "/x", basic("alice"), host="www.free.example").status, 200)
        self.assertEqual(self.ask(agent, "/x", basic("alice")).text, "alice")
        self.assertEqual(sites.wrong, ())


class PassAuthorization(Clients):
    LINES = "auth = none\npass-authorization = yes\n"

    def test_the_field_goes_on_and_the_challenge_comes_back(self):
        gate = ManyBasic()
        proxy, agent = self.both(Asks(gate, then=Names()), self.LINES)
        answer = self.ask(agent, "/who")
        self.assertEqual((answer.status, answer.get("Proxy-Authenticate")), (407, 'Basic realm="practice", charset="UTF-8"'))
        for user in ("alice", "bob", "alice"):
            self.assertEqual(self.ask(agent, "/who", basic(user)).text, user)
        self.assertEqual(len({r.connection for r in proxy.requests}), 1)  # shared: each request says who it is of
        self.assertEqual(self.ask(agent, "/who").status, 407)

    def test_a_handshake_of_the_clients_own_keeps_its_connection(self):
        """NTLM lets in a connection: nobody else may be sent over it."""
        gate = ManyNtlm()
        proxy, agent = self.both(Asks(gate, then=Names()), self.LINES)
        client = self.wire(agent)

        def says(token):
            return client.ask(get("http://site.example/who", "Proxy-Authorization: NTLM " + base64.b64encode(token).decode()))

        second = base64.b64decode(says(ntlm.type1()).get("Proxy-Authenticate").split(" ")[1])
        self.assertEqual(says(ntlm.type3(second, "alice", PEOPLE["alice"])).text, "alice")
        self.assertEqual(self.ask(agent, "/who").status, 407)
        self.assertEqual(client.ask(get("http://site.example/who")).text, "alice")
        client.close()
        self.assertEqual(self.ask(agent, "/who").status, 407)
        self.assertTrue(proxy.requests)

    def test_by_default_it_does_not(self):
        proxy, agent = self.both(Canned(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"), "auth = none")
        self.ask(agent, "/who", basic("alice"))
        self.assertIsNone(proxy.requests[-1].get("Proxy-Authorization"))


@unittest.skipUnless(memory.may_look(), "only root may look")
class Memory(Clients):
    """After its use a client's password is on locked pages, if anywhere; and nowhere else than in the two programs' memory."""

    def look(self, agent, needles):
        for pid in (agent.pid, agent.keys_pid()):
            wait_until(lambda pid=pid: not memory.loose(pid, needles), "the end of what lies loose: %r" % memory.loose(pid, needles))
        self.assertFalse([n for n in needles if n in agent.log().encode()])

    def test_every_scheme(self):
        for kind in (Ntlm, Digest, Basic):
            for right in (True, False):
                with self.subTest(kind.scheme, right=right):
                    gate = kind("alice" if kind is Ntlm else LONG, PASSWORD if right else "other")
                    proxy = self.proxy(Asks(gate, then=Quiet()))
                    config = "[log]\nlevel = debug\n[listen]\nhttp = 127.0.0.1:0\nsocks = 127.0.0.1:0\n" + proxy.upstream(USE % kind.scheme.lower())
                    agent = self.agent(config, secret="another")
                    self.used(agent, 200 if right else 407)
                    self.look(agent, shapes(LONG, PASSWORD))

    def used(self, agent, expect):
        field = basic(LONG, PASSWORD)
        self.assertEqual(self.ask(agent, "/who", field).status, expect)
        self.assertEqual(self.ask(agent, "/who", field, method="POST", body=b"x" * 100000).status, expect)
        client = self.wire(agent)
        one = get("http://site.example/who", field, "X-Pad: " + "p" * 3000)
        for at in range(0, len(one), 700):  # a head in pieces
            client.send(one[at:at + 700])
        self.assertEqual(client.read_response().status, expect)
        client.send(one + one)  # and one that waits behind another
        self.assertEqual([client.read_response().status for _ in range(2)], [expect] * 2)
        self.assertEqual(self.ask(agent, "/who", field + "!", "Bad Field: x").status, 400)
        self.asked(self.ask(agent, "/who", basic("carol", "x" * 3000 + PASSWORD)))
        tunnel = self.wire(agent)
        tunnel.send(get("site.example:443", field, method="CONNECT"))
        self.assertEqual(tunnel.read_response("CONNECT").status, expect)
        client = self.stack.enter_context(Wire.connect(agent.port_of("SOCKS")))
        self.assertEqual(socks.connect5(client, "site.example", 443, user=LONG.encode(), password=PASSWORD.encode()), 0 if expect == 200 else 2)

    def test_what_is_not_used(self):
        """Dropped, or in a head that is refused, or in one that never ends."""
        _, agent = self.both(Quiet(), "auth = none", more="[log]\nlevel = debug\n")
        field, pad = basic("alice", PASSWORD), "X-Pad: " + "p" * 5000  # what stands at the beginning of freed memory is soon overwritten
        for _ in range(3):
            self.assertEqual(self.ask(agent, "/who", pad, field).status, 200)
            self.assertEqual(self.ask(agent, "/who", pad, field, "Bad Field: x").status, 400)
            client = self.wire(agent)
            client.send(get("http://site.example/", field)[:-2])
            client.close()
        wait_until(lambda: agent.status()["clients"] == 0, "the end of all clients")
        self.look(agent, shapes("alice", PASSWORD))
