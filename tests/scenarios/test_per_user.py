"""Gateways that go on as each of their users (identity = per-user), by a scripted keyholder: whose connection carries whose requests, at one proxy and at each hop of a
way, what happens when what was known of a client is gone, and that nothing of one user is ever another's, or the machine's own."""

import base64
import json
import os
import re
import threading
import unittest

import agent as lib_agent
from agent import wait_until
from base import SITE, Later, together
from gates import NO, OK, Gate
from judge import BINDS, Judge, allowed, bound
from keyholder import CLOSED, GUEST, LOGIN_HELPS, SOCKS
from onward import Onward, SocksServer
from proxy import Asks, Open
from test_gateway import Gateway, basic
from wire import Wire, get

HERE = os.path.isfile(os.path.join(lib_agent.build_directory(), "exeat-pac"))
PEOPLE = ("alice", "bob", "carol")
OWNER = "owner"  # the upstream's own identity
GATE = "[gateway]\nlisten = 127.0.0.1:0\nauth = negotiate basic\nusers = @DIR@/users\nidentity = per-user\n"
ASKS = "auth = ntlm\nuser = owner\nsecret = file:@DIR@/%u\nbasic-in-clear = yes\n"


def password_of(user):
    return "password of " + user


class Acting(Judge):
    """Lets in whom basic() and "Negotiate NAME" name, and answers proxies with a user's own password: the user's for whom a connection was opened, else the owner's."""

    def __init__(self):
        super().__init__()
        self.inside = {}   # context of a client: its user
        self.whose = {}    # context of a connection: its user
        self.opened = []   # (upstream, user) of each
        self.numbers = 0
        self.taken = []    # the scripted proxies' verdicts: (user, good)

    def die(self):
        """Its next life counts from the beginning again."""
        self.inside, self.whose, self.contexts, self.numbers = {}, {}, 0, 0
        super().die()

    def step(self, context, message):
        self.inside.pop(context, None)
        scheme, _, value = message.header.partition(" ")
        if scheme == "Negotiate":
            self.inside[context] = value
            return bound(value)
        user = base64.b64decode(value).decode().split(":")[0] if scheme == "Basic" else ""
        if user not in PEOPLE:
            return super().step(context, message)
        self.inside[context] = user
        return allowed(user)

    def opening(self, message, user):
        """None: it is opened."""
        return None

    def other(self, message):
        if message.type == "OPEN":
            user = self.inside.get(message["acting"]) if "acting" in message else OWNER
            self.opened.append((message.upstream, user))
            no = self.opening(message, user)
            if no or not user:
                return no or {"verdict": "UNAVAILABLE", "why": "nobody is there"}
            self.numbers += 1
            self.whose[self.numbers] = user
            return {"verdict": "OK", "context": self.numbers, "identity": user, "generation": 1}
        if message.type in ("AUTHORIZE", "CHALLENGED") and message["context"] not in self.whose:
            return {"verdict": "RESTART"}
        if message.type == "AUTHORIZE":
            return {"verdict": "SEND"}
        if message.type == "CHALLENGED":
            return self.challenged(message, self.whose[message["context"]])
        return super().other(message)

    def challenged(self, message, user):
        if message.flags & CLOSED and message.flags & SOCKS:
            return {"verdict": "REFUSED", "why": "the server refused " + user}
        if message.flags & SOCKS:
            return {"verdict": "SEND", "header": b"\1" + bytes([len(user)]) + user.encode() + bytes([len(password_of(user))]) + password_of(user).encode()}
        token = base64.b64encode(("%s:%s" % (user, password_of(user))).encode()).decode()
        return {"verdict": "SEND", "header": "Personal " + token, "flags": BINDS, "scheme": "Personal"}

    def users(self, upstream="corp"):
        return [user for name, user in self.opened if name == upstream]


class Personal(Gate):
    """Binds a connection to a user, as NTLM does. conn.user; a connection that changes its user is a fault."""

    scheme = "Personal"
    binds = True

    def challenges(self):
        return ["Personal"]

    def check(self, conn, request, value, names):
        user, _, password = base64.b64decode(value).decode().partition(":")
        if getattr(conn, "user", user) != user:
            self.fault("a connection of %s became one of %s" % (conn.user, user))
        conn.user = user
        return (OK if self.count(password == password_of(user)) else NO), []


class Names(Open):
    """Says whose connection it is, to a request, and at the beginning of a tunnel."""

    def handle(self, conn, request):
        if request.method == "CONNECT":
            return self.connect(conn, request)
        conn.answer(200, getattr(conn, "user", "nobody").encode())
        return True

    def tunnel(self, conn):
        conn.send(getattr(conn, "user", "nobody").encode() + b"\n")
        super().tunnel(conn)


class Numbers(Open):
    """Says by which connection a request came."""

    def handle(self, conn, request):
        conn.answer(200, b"%d" % conn.number)
        return True


class Passes(Onward):
    """The near one of two proxies: notes who came, and for whom the far one is asked."""

    def __init__(self):
        super().__init__()
        self.came = []

    def connect(self, conn, request):
        self.came.append(conn.user)
        return super().connect(conn, request)


class PerUser(Gateway):
    def start(self, text, judge=None, **options):
        self.judge = self.stack.enter_context(judge or Acting())
        options.setdefault("files", {})["users"] = ""
        agent = self.agent(text, build=self.judge.folder, **options)
        self.gate = self.door(agent)
        return agent

    def one_proxy(self, lines=ASKS, more="", gate=GATE, judge=None, then=None, **options):
        self.personal = Personal()
        self.onward = self.proxy(Asks(self.personal, then=then or Names()))
        return self.start(self.onward.upstream(lines) + gate + more, judge, **options)

    def says(self, client, user, expect=None, path="/who", host=SITE, **options):
        """A request of that user, and whose connection it went by."""
        answer = client.ask(get(host + path, basic(user), **options), options.get("method", "GET"))
        self.assertEqual((answer.status, answer.text), (200, expect or user))

    def tunnel_of(self, user, target="site.example:443", client=None):
        client = client or self.comes()
        client.send(get(target, basic(user), method="CONNECT"))
        self.assertEqual(client.read_response("CONNECT").status, 200)
        return client

    def tunnel_says(self, user, expect=None, target="site.example:443"):
        tunnel = self.tunnel_of(user, target)
        self.assertEqual(tunnel.read_until(b"\n"), (expect or user).encode() + b"\n")
        return tunnel

    def in_general(self, agent, answer, *details):
        """What is for the administrator stands in the log, where the page says, and not on the page."""
        tag = re.search(r"log of exeat, at (c\d+\.r\d+)", answer.text).group(1)
        for words in details:
            self.assertNotIn(words, answer.text + answer.raw_head.decode())
            agent.wait_log(re.escape("[%s] " % tag) + ".*" + re.escape(words))

    def no_mixture(self):
        self.assertEqual(self.personal.faults, [])
        self.assertEqual(self.personal.failed, 0)


class OneProxy(PerUser):
    def test_two_hundred_interleaved_requests_are_never_mixed(self):
        """Over connections that change their user with each request, over some that keep theirs, and in tunnels."""
        self.one_proxy()

        def client(number):
            with Wire.connect(self.gate) as wire:
                for i in range(25):
                    user = PEOPLE[(number + i * (number % 2)) % 3]
                    self.says(wire, user)
            with self.tunnel_says(PEOPLE[number % 3]) as tunnel:
                self.echoes(tunnel)

        together(8, client)
        self.no_mixture()
        self.assertEqual(set(self.judge.users()), set(PEOPLE))
        self.assertEqual({getattr(conn, "user", None) for conn in self.onward.connections} - set(PEOPLE), set())

    def test_one_users_connections_are_shared_by_all_clients_of_that_user(self):
        """Also when the client for whose sake one was made has gone."""
        self.one_proxy()
        for _ in range(3):
            for user in ("alice", "bob"):
                with Wire.connect(self.gate) as client:
                    self.says(client, user)
        self.assertEqual(self.judge.users(), ["alice", "bob"])
        self.assertEqual(len(self.onward.connections), 2)

    def test_a_connection_of_the_client_that_changes_hands(self):
        """Who authenticates anew on a bound connection is somebody else from then on."""
        self.one_proxy()
        client = self.comes()
        for user in ("alice", "bob", "alice"):
            answer = client.ask(get(SITE + "/who", "Proxy-Authorization: Negotiate " + user))
            self.assertEqual((answer.status, answer.text), (200, user))
            self.assertEqual(client.ask(get(SITE + "/again")).text, user)
        self.assertEqual(self.judge.users(), ["alice", "bob"])
        self.no_mixture()

    def test_gateways_are_apart(self):
        """alice of one gateway is not alice of another; by a shared one, and by the other ways in, the machine's own identity goes on."""
        more = "".join("[gateway %s]\nlisten = 127.0.0.1:0\n%s" % (name, lines) for name, lines in (("other", ""), ("together", "identity = shared\n")))
        agent = self.one_proxy(more=more)
        other, shared = self.comes(self.door(agent, "other")), self.comes(self.door(agent, "together"))
        self.says(self.comes(), "alice")
        self.says(other, "alice")
        self.says(shared, "alice", OWNER)
        self.assertEqual(self.ask(agent, "/who").text, OWNER)
        self.assertEqual(self.judge.users(), ["alice", "alice", OWNER])
        self.assertEqual(len(self.onward.connections), 3)
        for _ in range(2):
            self.says(self.comes(), "alice")
            self.says(shared, "bob", OWNER)
        self.assertEqual(len(self.onward.connections), 3)

    def test_no_spares(self):
        """Nothing is made ready ahead for one user; what the machine itself has ready is for itself."""
        agent = self.one_proxy(lines=ASKS + "spares = 4\n")
        for _ in range(4):
            self.tunnel_says("alice")
        self.assertEqual(len(self.onward.connections), 4)
        with self.tunnel(agent) as own:
            self.assertEqual(own.read_until(b"\n"), b"owner\n")
        wait_until(lambda: agent.status()["upstreams"][0]["proxies"][0]["spare"] == 1, "a spare of the machine's own")
        count = len(self.judge.users())
        self.tunnel_says("bob")
        self.assertEqual(self.judge.users()[count:], ["bob"])
        self.assertEqual(agent.status()["upstreams"][0]["proxies"][0]["spare"], 1)
        self.no_mixture()

    def test_upstreams_without_credentials(self):
        """Where nobody is shown who it is, connections are everybody's."""
        self.personal = Personal()
        self.onward = self.proxy(Open())
        self.start(self.onward.upstream() + GATE)
        for user in PEOPLE:
            self.assertEqual(self.comes().ask(get(SITE + "/echo", basic(user))).status, 200)
        self.assertEqual((self.judge.opened, len(self.onward.connections)), ([], 1))

    def test_own_connections_act_for_nobody(self):
        """A shared gateway's requests are the machine's own, for whichever client a connection is made."""
        self.one_proxy(gate=GATE.replace("per-user", "shared"))
        for user in PEOPLE:
            self.says(self.comes(), user, OWNER)
        self.assertEqual([message for message in self.judge.asked if "acting" in message], [])

    def test_no_auth(self):
        """Nor where no-auth exempts the destination; a challenge there is no user's fault, and says so."""
        self.one_proxy(lines=ASKS + "no-auth = free.example\n")
        for user in PEOPLE:
            self.own(self.comes().ask(get("http://free.example/", basic(user))), 502, "proxy_configuration_error", "no-auth")
        self.assertEqual(self.judge.opened, [])

    def test_destinations_without_a_proxy(self):
        self.one_proxy(more="[route]\nno-proxy = 127.0.0.1\n")
        origin = self.proxy(Open())
        for user in PEOPLE:
            self.assertEqual(self.comes().ask(get("http://%s/echo" % origin.address, basic(user))).status, 200)
            self.assertEqual(self.tunnel_of(user, origin.address).ask(get("/echo")).status, 200)
        self.assertEqual((self.judge.opened, len(self.onward.connections), len(origin.requests)), ([], 0, 6))

    def test_programs_credentials_are_not_asked_for(self):
        """client-credentials = use is for programs: a user of a gateway has said who it is."""
        self.one_proxy(lines=ASKS.replace("user = owner\n", "") + "client-credentials = use\n")
        for user in ("alice", "bob"):
            self.says(self.comes(), user)
        self.assertEqual(self.judge.users(), ["alice", "bob"])
        self.no_mixture()

    def test_origins_that_authenticate_the_connection(self):
        """A client's own handshake with an origin has a connection of that user alone, and the next user of the client's connection another."""
        self.one_proxy()
        client = self.comes()
        for user in ("alice", "bob", "alice"):
            self.says(client, user, path="/handshake")
            answer = client.ask(get(SITE + "/who", basic(user), "Authorization: NTLM TlRMTVNTUAAB"))
            self.assertEqual((answer.status, answer.text), (200, user))
        self.no_mixture()

    def test_origins_that_authenticate_the_connection_where_no_proxy_asks(self):
        """Nor is what one user's handshake has opened the next one's where connections are everybody's, at a shared gateway or not."""
        for gate in (GATE, GATE.replace("per-user", "shared")):
            self.onward = self.proxy(Numbers())
            self.start(self.onward.upstream() + gate)
            client = self.comes()
            shown = [client.ask(get(SITE + "/", basic(user), *more)).text
                     for user, more in (("alice", ["Authorization: NTLM TlRMTVNTUAAB"]), ("alice", []), ("bob", []), ("alice", []))]
            self.assertEqual(shown, ["1", "1", "2", "2"])

    def test_bodies(self):
        """Large ones knock first, small ones are sent again."""
        self.one_proxy(then=Open())
        client = self.comes()
        for user in ("alice", "bob", "alice", "bob"):
            for size in (0, 100, 3000000):
                client.send(get(SITE + "/echo", basic(user), method="POST", body=b"x" * size))
                self.assertEqual(json.loads(client.read_response("POST").body)["length"], size)
        self.no_mixture()
        self.assertEqual(set(self.judge.users()), {"alice", "bob"})

    def test_what_is_shown(self):
        agent = self.one_proxy(more="[log]\nformat = json\n")
        clients = [self.comes() for _ in PEOPLE]
        for client, user in zip(clients, PEOPLE):
            self.says(client, user)
        agent.wait_log('"user":"carol".*"route":"corp".*"scheme":"Personal"')
        status = agent.status()
        self.assertTrue(status["gateways"][0]["per_user"])
        self.assertEqual([status["upstreams"][0]["proxies"][0][key] for key in ("users", "idle")], [3, 3])
        text = agent.exeat("status").stdout
        self.assertIn("per-user: each client goes on as the user that it is", text)
        self.assertIn("some of them of 3 users of gateways", text)
        self.assertRegex(agent.exeat("status", "--metrics").stdout, r'exeat_proxy_users\{upstream="corp",proxy="[^"]*"\} 3\n')


class Bounds(PerUser):
    def test_idle_connections(self):
        """However many users come, what is kept for them leaves descriptors for others; who came last has kept something."""
        agent = self.one_proxy(wrap=["prlimit", "--nofile=160:160"])
        for number in range(180):
            with Wire.connect(self.gate) as client:
                answer = client.ask(get(SITE + "/who", "Proxy-Authorization: Negotiate user%d" % number))
                self.assertEqual((answer.status, answer.text), (200, "user%d" % number))
        proxy = agent.status()["upstreams"][0]["proxies"][0]
        self.assertEqual([proxy[key] for key in ("idle", "users")], [24, 24])
        for number, known in ((179, True), (100, False)):
            count = len(self.judge.users())
            self.comes().ask(get(SITE + "/who", "Proxy-Authorization: Negotiate user%d" % number))
            self.assertEqual(len(self.judge.users()) == count, known)
        self.no_mixture()

    def test_users(self):
        """Of those who have nothing under way one makes room."""
        agent = self.one_proxy()
        for number in range(1030):
            user = "Proxy-Authorization: Negotiate user%d" % number
            with Wire.connect(self.gate) as client:
                self.assertEqual(client.ask(get(SITE + "/who", user)).text, "user%d" % number)
        self.assertLessEqual(agent.status()["upstreams"][0]["proxies"][0]["users"], 1024)
        self.no_mixture()


class Failures(PerUser):
    def no(self, verdict, **more):
        class Refuses(Acting):
            def opening(self, message, user):
                return {"verdict": verdict, **more} if user == "bob" else None

        return Refuses()

    def test_a_user_without_credentials(self):
        """It is told why, at once, and nobody else is: not in the status, and no password is waited for."""
        agent = self.one_proxy(lines=ASKS + "wait-for-password = 60s\n", judge=self.no("UNAVAILABLE", why="there is no secret for bob", remedy="exeat login corp --user bob",
                                                                                   flags=LOGIN_HELPS, generation=1))
        client = self.comes()
        self.says(client, "alice")
        for method in ("GET", "CONNECT"):
            target = SITE + "/who" if method == "GET" else "site.example:443"
            answer = self.comes().ask(get(target, basic("bob"), method=method), method)
            self.own(answer, 502, "proxy_configuration_error", "nothing to log in with at the next proxy for bob", "administrator")
            self.in_general(agent, answer, "there is no secret for bob", "exeat login corp --user bob")
        self.says(client, "alice")
        self.assertEqual(agent.status().get("last_problem"), None)
        self.assertEqual(self.judge.users(), ["alice", "bob", "bob"])

    def test_a_password_that_the_proxy_refused(self):
        """That is no question to the client, who has shown who it is."""
        agent = self.one_proxy(judge=self.no("REFUSED", why="the proxy refused the password of bob"))
        answer = self.own(self.comes().ask(get(SITE + "/who", basic("bob"))), 502, None, "refused what this gateway logs in with for bob")
        self.in_general(agent, answer, "refused the password of bob")
        self.says(self.comes(), "alice")
        self.assertEqual(agent.status().get("last_problem"), None)

    def test_the_keyholder_dies_before_it_is_asked(self):
        """A number of its earlier life may be somebody else's by now: whoever it was is challenged again, and nothing is opened meanwhile."""
        class Dies(Acting):
            armed = True

            def opening(self, message, user):
                if user == "alice" and self.armed:
                    self.armed = False
                    self.die()
                    return {"verdict": "OK", "context": 99}
                return None

        for request, method in ((get(SITE + "/who", basic("alice")), "GET"), (get("site.example:443", basic("alice"), method="CONNECT"), "CONNECT"),
                                (get(SITE + "/who", basic("alice"), method="POST", body=b"x" * 5000), "POST"),
                                (get(SITE + "/who", "Proxy-Authorization: Negotiate alice"), "GET")):
            with self.subTest(method):
                agent = self.one_proxy(judge=Dies())
                client, bob = self.comes(), self.comes()
                client.send(request)
                answer = self.must_show(client.read_response(method))
                self.assertFalse(answer.has_token("Connection", "close"))
                self.says(bob, "bob")  # has the number that was alice's
                self.assertEqual(self.judge.users(), ["alice", "bob"])
                client.send(request)
                self.assertEqual(client.read_response(method).status, 200)
                self.assertEqual(self.judge.users(), ["alice", "bob", "alice"])
                self.no_mixture()
                agent.wait_log("the keyholder closed its connection")

    def test_connections_outlive_the_keyholder(self):
        """A user who has come in again has those that were let in; nobody else has."""
        agent = self.one_proxy()
        client = self.comes()
        self.says(client, "alice")
        self.judge.die()
        agent.wait_log("the keyholder closed its connection")
        self.says(client, "bob")
        self.says(client, "alice")
        self.assertEqual(self.judge.users(), ["alice", "bob"])
        self.assertEqual(len(self.onward.connections), 2)
        self.no_mixture()

    def test_a_client_that_is_bound_comes_in_again_first(self):
        agent = self.one_proxy()
        client = self.comes()
        self.assertEqual(client.ask(get(SITE + "/who", "Proxy-Authorization: Negotiate alice")).text, "alice")
        self.judge.die()
        agent.wait_log("the keyholder closed its connection")
        self.must_show(client.ask(get(SITE + "/who")))
        self.assertEqual(len(self.onward.requests), 2)  # the challenge, and its answer

    def test_the_client_leaves_before_the_answer(self):
        class Waits(Acting):
            go_on = threading.Event()

            def opening(self, message, user):
                if user == "alice":
                    self.go_on.wait(30)
                return None

        agent = self.one_proxy(judge=Waits())
        client = self.comes()
        client.send(get(SITE + "/who", basic("alice")))
        wait_until(lambda: self.judge.opened, "a question")
        client.reset()
        self.judge.wait_closed(1)
        Waits.go_on.set()
        self.says(self.comes(), "bob")
        wait_until(lambda: agent.status()["gateways"][0]["connected"] == 1, "the end of one")
        self.no_mixture()


    def test_a_user_without_a_name(self):
        class Nameless(Acting):
            def step(self, context, message):
                return dict(super().step(context, message), identity="")

        self.one_proxy(judge=Nameless())
        self.own(self.comes().ask(get(SITE + "/who", basic("alice"))), 403, None, "has no name")
        self.assertEqual((self.judge.opened, len(self.onward.requests)), ([], 0))


class Reloads(PerUser):
    def test_connections_end_with_the_configuration(self):
        """All come in again, and the connections of before are nobody's."""
        agent = self.one_proxy()
        client, bound_one = self.comes(), self.comes()
        self.says(client, "alice")
        self.assertEqual(bound_one.ask(get(SITE + "/who", "Proxy-Authorization: Negotiate bob")).text, "bob")
        agent.reload()
        self.onward.wait(lambda: self.onward.count_open() == 0, "the end of the connections")
        self.must_show(bound_one.ask(get(SITE + "/who")))
        self.says(client, "alice")
        self.assertEqual(self.judge.users(), ["alice", "bob", "alice"])

    def test_a_user_who_is_no_more(self):
        class Removed(Acting):
            def step(self, context, message):
                return super(Acting, self).step(context, message) if gone and message.header == basic("alice").split(": ")[1] else super().step(context, message)

        gone = []
        agent = self.one_proxy(judge=Removed())
        client = self.comes()
        self.says(client, "alice")
        gone.append("alice")
        self.must_show(client.ask(get(SITE + "/who", basic("alice"))))
        agent.reload()
        self.must_show(client.ask(get(SITE + "/who", basic("alice"))))
        self.onward.wait(lambda: self.onward.count_open() == 0, "the end of the connections")
        self.says(client, "bob")

    def test_from_one_to_the_other(self):
        agent = self.one_proxy()
        client = self.comes()
        text = self.onward.upstream(ASKS) + GATE
        self.says(client, "alice")
        for lines, expect in (("identity = shared\n", OWNER), ("identity = per-user\n", "alice"), ("identity = shared\n", OWNER)):
            agent.configure(text.replace("identity = per-user\n", lines).replace("127.0.0.1:0", "127.0.0.1:%d" % self.gate))
            agent.reload()
            self.says(client, "alice", expect)
        self.no_mixture()

    def test_a_request_that_had_begun(self):
        """It ends as it began."""
        class Waits(Acting):
            go_on = threading.Event()

            def opening(self, message, user):
                self.go_on.wait(30)
                return None

        agent = self.one_proxy(judge=Waits())
        later = Later(self.comes().ask, get(SITE + "/who", basic("alice")))
        wait_until(lambda: self.judge.opened, "a question")
        agent.configure((self.onward.upstream(ASKS) + GATE.replace("per-user", "shared")).replace("127.0.0.1:0", "127.0.0.1:%d" % self.gate))
        agent.reload()
        Waits.go_on.set()
        self.assertEqual(later.result().text, "alice")
        self.onward.wait(lambda: self.onward.count_open() == 0, "the end of its connection")


class Ways(PerUser):
    def chain(self, far_lines=ASKS, near_lines=ASKS, more="", then=None, near=None):
        self.personal, self.nearer = Personal(), Personal()
        self.passes = near or Passes()
        self.near = self.proxy(Asks(self.nearer, then=self.passes), name="near")
        self.far = self.proxy(Asks(self.personal, then=then or Names()) if "auth = none" not in far_lines else then or Names(), name="far")
        return self.start("[upstream far]\nproxy = %s\n%svia = near\n" % (self.far.url, far_lines) + self.near.upstream(near_lines, name="near") + GATE + more)

    def rounds(self, expect=None):
        clients = [self.comes() for _ in PEOPLE]
        for _ in range(3):
            for client, user in zip(clients, PEOPLE):
                self.says(client, user, expect)
        for user in PEOPLE:
            self.tunnel_says(user, expect)
        self.assertEqual((self.personal.faults, self.personal.failed), ([], 0))

    def test_each_hop_of_a_chain(self):
        agent = self.chain()
        self.rounds()
        self.assertEqual((set(self.judge.users("far")), set(self.judge.users("near"))), (set(PEOPLE), set(PEOPLE)))
        self.assertEqual((self.nearer.faults, self.nearer.failed), ([], 0))
        self.assertEqual(sorted(self.passes.came), sorted(conn.user for conn in self.far.connections))
        self.assertEqual(self.ask(agent, "/who").text, OWNER)
        self.assertEqual(self.passes.came[-1], OWNER)
        self.assertEqual(self.far.connections[-1].user, OWNER)

    def test_only_the_near_one_asks(self):
        """Tunnels through it are one user's, though the far proxy does not know whose."""
        self.chain(far_lines="auth = none\n")
        self.rounds("nobody")
        self.assertEqual((self.judge.users("far"), set(self.judge.users("near"))), ([], set(PEOPLE)))
        self.assertEqual(sorted(set(self.passes.came)), sorted(PEOPLE))
        self.assertEqual(len(self.far.connections), 3)

    def test_no_auth_at_the_far_one(self):
        """What leads there is shown who it is all the same."""
        self.chain(far_lines=ASKS + "no-auth = free.example\n", then=Open())
        for user in ("alice", "bob"):
            self.own(self.comes().ask(get("http://free.example/", basic(user))), 502, "proxy_configuration_error", "no-auth")
        self.assertEqual((self.judge.users("far"), self.judge.users("near"), self.passes.came), ([], ["alice", "bob"], ["alice", "bob"]))

    def test_the_far_one_sleeps_for_all(self):
        self.chain()
        self.far.stop_listening()
        for user in PEOPLE:
            self.assertEqual(self.comes().ask(get(SITE + "/who", basic(user))).status, 502)
        self.assertEqual((self.nearer.faults, self.nearer.failed), ([], 0))

    def test_the_keyholder_dies_in_the_middle_of_a_chain(self):
        """Nobody sleeps for it, and the client is challenged again."""
        class Dies(Acting):
            armed = True

            def opening(self, message, user):
                if message.upstream == "near" and self.armed:
                    self.armed = False
                    self.die()
                    return {"verdict": "OK", "context": 99}
                return None

        personal = Personal()
        near, far = self.proxy(Asks(Personal(), then=Passes()), name="near"), self.proxy(Asks(personal, then=Names()), name="far")
        agent = self.start("[upstream far]\nproxy = %s\n%svia = near\n" % (far.url, ASKS) + near.upstream(ASKS, name="near") + GATE, Dies())
        client = self.comes()
        self.must_show(client.ask(get(SITE + "/who", basic("alice"))))
        self.assertEqual([proxy["state"] for up in agent.status()["upstreams"] for proxy in up["proxies"] if "reached" in proxy["state"]], [])
        self.says(client, "alice")
        self.assertEqual((personal.faults, personal.failed), ([], 0))

    def test_connect_always(self):
        """Connections to a destination, through tunnels that a user made, are that user's."""
        origin = self.proxy(Open(), name="origin")
        self.personal = Personal()
        self.passes = Passes()
        self.onward = self.proxy(Asks(self.personal, then=self.passes))
        agent = self.start(self.onward.upstream(ASKS + "connect-always = yes\n") + GATE)
        for _ in range(2):
            for user in PEOPLE:
                self.assertEqual(self.comes().ask(get("http://%s/echo" % origin.address, basic(user))).status, 200)
        self.assertEqual((self.passes.came, len(origin.connections)), (list(PEOPLE), 3))
        self.no_mixture()
        agent.reload()
        self.onward.wait(lambda: origin.count_open() == 0, "the end of them")

    def test_two_ways_to_the_far_one(self):
        """The next way is the same user's."""
        down = self.proxy(Open(), name="down")
        down.stop_listening()
        personal = Personal()
        far, near = self.proxy(Asks(personal, then=Names())), self.proxy(Asks(Personal(), then=Passes()))
        self.start("[upstream far]\nproxy = %s\n%svia = near\n[upstream near]\nproxy = %s %s\n%s" % (far.url, ASKS, down.url, near.url, ASKS) + GATE)
        for user in PEOPLE:
            self.says(self.comes(), user)
        self.assertEqual(personal.faults, [])
        self.assertEqual(sorted(set(self.judge.users("near"))), sorted(PEOPLE))


class News(PerUser):
    """One user's secret is another one, or gone (exeat login and logout --for)."""

    chain, rounds = Ways.chain, Ways.rounds

    def news(self, user, upstream="corp", generation=2):
        self.judge.tell("EVENT_GENERATION", upstream=upstream, generation=generation, identity=user, flags=GUEST)

    def ends(self, proxy, user, others):
        """All connections of that user do, and no other."""
        for conn in proxy.connections:
            if conn.user == user:
                self.assertTrue(conn.ended_by_peer.wait(30))
        proxy.wait(lambda: proxy.count_open() == others, "%d connections of others" % others)

    def test_idle_connections_of_that_user_end(self):
        agent = self.one_proxy()
        for user in PEOPLE:
            self.says(self.comes(), user)
        self.assertEqual(self.ask(agent, "/who").text, OWNER)
        self.news("alice", "other")
        self.news("mallory")
        self.news("alice")
        self.ends(self.onward, "alice", 3)
        for user in PEOPLE:
            self.says(self.comes(), user)
        self.assertEqual(self.ask(agent, "/who").text, OWNER)
        self.assertEqual(self.judge.users(), [*PEOPLE, OWNER, "alice"])
        agent.wait_log("upstream corp: new credentials of alice; connections made with the old ones end")

    def test_the_machines_own_are_another_matter(self):
        agent = self.one_proxy()
        self.says(self.comes(), "alice")
        self.assertEqual(self.ask(agent, "/who").text, OWNER)
        self.judge.tell("EVENT_GENERATION", upstream="corp", generation=2, identity=OWNER)
        self.ends(self.onward, OWNER, 1)
        self.says(self.comes(), "alice")
        self.assertEqual(self.judge.users(), ["alice", OWNER])

    def test_what_is_under_way_goes_to_its_end(self):
        class Waits(Names):
            go_on = threading.Event()

            def handle(self, conn, request):
                if request.target.endswith("/slow"):
                    self.go_on.wait(30)
                return super().handle(conn, request)

        agent = self.one_proxy(then=Waits())
        tunnel = self.tunnel_says("alice")
        later = Later(self.comes().ask, get(SITE + "/slow", basic("alice")))
        self.onward.wait(lambda: any(request.target.endswith("/slow") for request in self.onward.requests), "the request")
        self.says(self.comes(), "alice")
        self.news("alice")
        agent.wait_log("new credentials of alice")
        Waits.go_on.set()
        self.assertEqual(later.result().text, "alice")
        self.onward.wait(lambda: self.onward.count_open() == 1, "the end of all but the tunnel")
        self.echoes(tunnel)
        self.says(self.comes(), "alice")
        self.assertEqual(self.judge.users(), ["alice"] * 4)

    def test_on_the_way(self):
        """What leads through a tunnel that was made with the old one has nobody's secret any more."""
        agent = self.chain()
        for user in ("alice", "bob"):
            self.says(self.comes(), user)
        self.news("alice", "near")
        self.ends(self.far, "alice", 1)
        for user in ("alice", "bob"):
            self.says(self.comes(), user)
        self.assertEqual((self.judge.users("near"), agent.status()["upstreams"][0]["proxies"][0]["users"]), (["alice", "bob", "alice"], 2))

    def test_the_machines_own_on_the_way(self):
        """It ends what was made as the machine, and nothing that a user made: the tunnel to the far one was the user's, too."""
        agent = self.chain(ASKS + "spares = 0\n", ASKS + "spares = 0\n")
        for generation, upstream in enumerate(("near", "far"), 2):
            for user in ("alice", "bob"):
                self.says(self.comes(), user)
            self.assertEqual(self.ask(agent, "/who").text, OWNER)
            self.judge.tell("EVENT_GENERATION", upstream=upstream, generation=generation, identity=OWNER)
            self.ends(self.far, OWNER, 2)
        for user in ("alice", "bob"):
            self.says(self.comes(), user)
        self.assertEqual(self.judge.opened.count(("near", OWNER)), 2)
        for upstream in ("near", "far"):
            self.assertEqual([user for user in self.judge.users(upstream) if user != OWNER], ["alice", "bob"])

    def test_behind_a_tunnel(self):
        """Connections to a destination (connect-always), too."""
        origin = self.proxy(Open(), name="origin")
        self.personal = Personal()
        self.onward = self.proxy(Asks(self.personal, then=Passes()))
        self.start(self.onward.upstream(ASKS + "connect-always = yes\n") + GATE)
        for user in ("alice", "bob"):
            self.assertEqual(self.comes().ask(get("http://%s/echo" % origin.address, basic(user))).status, 200)
        self.news("alice")
        self.ends(self.onward, "alice", 1)
        self.onward.wait(lambda: origin.count_open() == 1, "the end of one")


class Waiting:
    """CONNECTs of a gateway's users, which wait for a password."""

    def connects(self, user):
        client = self.comes()
        client.send(get("site.example:443", basic(user), method="CONNECT"))
        return client

    def passes(self, client, user):
        self.assertEqual(client.read_response("CONNECT").status, 200)
        self.assertEqual(client.read_until(b"\n"), user.encode() + b"\n")

    def held(self, agent, count):
        wait_until(lambda: agent.status()["upstreams"][0]["held"] == count, "%d CONNECTs that wait" % count)


class Holds(Waiting, PerUser):
    """CONNECTs of users without a password wait for it (wait-for-password)."""

    WAITS = ASKS + "wait-for-password = 1h\n"
    news = News.news

    class Missing(Acting):
        """Has no password of alice and bob, the first time that it is asked."""

        def __init__(self):
            super().__init__()
            self.late = threading.Event()
            self.late.set()

        def challenged(self, message, user):
            if user == "carol" or self.users().count(user) > 1:
                return super().challenged(message, user)
            self.late.wait(30)
            return {"verdict": "UNAVAILABLE", "why": "there is no password of " + user, "flags": LOGIN_HELPS, "generation": 1}

    def test_only_the_users_own_news(self):
        agent = self.one_proxy(lines=self.WAITS, judge=self.Missing())
        alice = self.connects("alice")
        self.held(agent, 1)
        bob = self.connects("bob")
        self.held(agent, 2)
        self.judge.tell("EVENT_GENERATION", upstream="corp", generation=2, identity="alice")
        self.news("alice", "other")
        self.news("bob")
        self.passes(bob, "bob")
        self.held(agent, 1)
        self.news("alice")
        self.passes(alice, "alice")
        self.assertEqual(self.judge.users(), ["alice", "bob", "bob", "alice"])

    def test_news_that_were_there_before(self):
        """The question was on its way when the user's password came: it is put again, and to nobody else's news."""
        for generations, waits in (((("bob", 2), ("alice", 1)), False), ((("alice", 2),), True)):
            agent = self.one_proxy(lines=self.WAITS, judge=self.Missing())
            self.judge.late.clear()
            bob = self.connects("bob")
            wait_until(lambda: self.judge.users(), "a question")
            for user, generation in generations:
                self.news(user, generation=generation)
                agent.wait_log("new credentials of " + user)
            self.judge.late.set()
            if waits:
                self.held(agent, 1)
                self.assertEqual(self.judge.users(), ["bob"])
                self.news("bob")
            self.passes(bob, "bob")

    def test_news_that_were_there_before_in_a_chain(self):
        """First of the near one, then of the far one, which counts its own."""
        class Late(Acting):
            questions, late = [], threading.Event()

            def challenged(self, message, user):
                upstream = self.opened[message["context"] - 1][0]
                self.questions.append(upstream)
                if self.questions.count(upstream) > 1:
                    return super().challenged(message, user)
                self.late.wait(30)
                self.late.clear()
                return {"verdict": "UNAVAILABLE", "why": "there is no password of " + user, "flags": LOGIN_HELPS, "generation": 1}

        near, far = self.proxy(Asks(Personal(), then=Passes()), name="near"), self.proxy(Asks(Personal(), then=Names()), name="far")
        agent = self.start("[upstream far]\nproxy = %s\n%svia = near\n" % (far.url, self.WAITS) + near.upstream(self.WAITS, name="near") + GATE, judge=Late())
        client = self.connects("alice")
        for upstream in ("near", "far"):
            wait_until(lambda: Late.questions[-1:] == [upstream], "the question about the %s one" % upstream)
            self.news("alice", upstream)
            agent.wait_log("upstream %s: new credentials of alice" % upstream)
            Late.late.set()
        self.passes(client, "alice")
        self.assertEqual(Late.questions[:3], ["near", "near", "far"])

    def test_the_keyholder_dies(self):
        """It knows nobody any more: who waits as a user is asked again who that is, at once; the machine's own goes on waiting."""
        agent = self.one_proxy(lines=self.WAITS + "spares = 0\n", judge=self.Missing())
        alice, own = self.connects("alice"), self.wire(agent)
        own.send(get("site.example:443", method="CONNECT"))
        self.held(agent, 2)
        self.judge.die()
        self.must_show(alice.read_response("CONNECT"))
        self.held(agent, 1)
        alice.send(get("site.example:443", basic("alice"), method="CONNECT"))
        self.passes(alice, "alice")
        self.judge.tell("EVENT_GENERATION", upstream="corp", generation=2, identity=OWNER)
        self.passes(own, OWNER)

    def test_it_is_the_gateways_page_when_the_time_is_up(self):
        agent = self.one_proxy(lines=ASKS + "wait-for-password = 1\n", judge=self.Missing())
        answer = self.own(self.connects("bob").read_response("CONNECT"), 502, "proxy_configuration_error", "nothing to log in with at the next proxy for bob")
        self.in_general(agent, answer, "there is no password of bob")


class Pairs(Gate):
    """User and password of RFC 1929, each user's own."""

    def judge(self, user, password):
        self.last = user
        return self.count(password == password_of(user))


class Marks(SocksServer):
    """conn.user, which Names says."""

    def greeted(self, conn):
        with self.one:
            good = super().greeted(conn)
            conn.user = self.gate.last if self.gate else "nobody"
        return good

    one = threading.Lock()


class Socks(PerUser):
    def server(self, lines=ASKS.replace("ntlm", "basic"), **options):
        self.pairs = Pairs()
        self.marks = Marks(gate=self.pairs, then=Names(), **options)
        server = self.proxy(self.marks, name="socks")
        return self.start("[upstream corp]\nproxy = socks5://%s\n%s" % (server.address, lines) + GATE)

    def test_users(self):
        agent = self.server()
        clients = [self.comes() for _ in PEOPLE]
        for _ in range(3):
            for client, user in zip(clients, PEOPLE):
                for host in ("http://one.example", "http://two.example"):
                    self.says(client, user, host=host)
        self.assertEqual(len(self.marks.seen), 6)
        for user in PEOPLE:
            self.tunnel_says(user)
        self.assertEqual((self.pairs.failed, set(self.judge.users())), (0, set(PEOPLE)))
        self.assertEqual(self.ask(agent, "/who").text, OWNER)

    def test_dies(self):
        class Dies(Acting):
            armed = True

            def opening(self, message, user):
                if self.armed:
                    self.armed = False
                    self.die()
                    return {"verdict": "OK", "context": 99}
                return None

        self.pairs = Pairs()
        server = self.proxy(Marks(gate=self.pairs, then=Names()), name="socks")
        agent = self.start("[upstream corp]\nproxy = socks5://%s\n%s" % (server.address, ASKS.replace("ntlm", "basic")) + GATE, Dies())
        client = self.comes()
        self.must_show(client.ask(get(SITE + "/who", basic("alice"))))
        self.assertNotIn("reached", agent.status()["upstreams"][0]["proxies"][0]["state"])
        self.says(client, "alice")

    def test_no_password_no_users(self):
        """A server to which nothing can be shown has connections for everybody."""
        self.marks = Marks(then=Names())
        server = self.proxy(self.marks, name="socks")
        self.start("[upstream corp]\nproxy = socks5://%s\nauth = none\n" % server.address + GATE)
        for user in PEOPLE:
            self.says(self.comes(), user, "nobody")
        self.assertEqual((len(self.marks.seen), self.judge.opened), (1, []))


class Scripts(PerUser):
    @unittest.skipUnless(HERE, "exeat-pac was not built")
    def test_proxies_that_a_script_names(self):
        """An upstream's own, one that its hosts meet, and one of nobody's, which gets no credentials of anybody."""
        self.personal = Personal()
        gates = [Personal(), Personal()]
        own, met, strange = [self.proxy(Asks(gate, then=Names())) for gate in [self.personal, *gates]]
        script = ("function FindProxyForURL(url, host) { return host == 'own.example' ? 'PROXY %s' : host == 'met.example' ? 'PROXY %s' : 'PROXY %s'; }" %
                  (own.address, met.address, strange.address))
        self.start(own.upstream(ASKS + "hosts = %s\n" % met.address) + GATE + "[route]\npac = @DIR@/proxy.pac\n", files={"proxy.pac": script})
        for _ in range(2):
            for user in PEOPLE:
                self.says(self.comes(), user, host="http://own.example")
                self.says(self.comes(), user, host="http://met.example")
                self.own(self.comes().ask(get("http://strange.example/", basic(user))), 502)
        self.assertEqual([len(proxy.connections) for proxy in (own, met)], [3, 3])
        self.no_mixture()
        self.assertEqual([gate.faults for gate in gates], [[], []])
        self.assertEqual(gates[1].attempts, 0)
