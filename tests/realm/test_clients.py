"""Clients that bring credentials, at real Squids with a real directory: curl -U through the agent, each user under his own name in Squid's log; the client's
own NTLM and Kerberos end to end; sites without authentication; what NTLM calls this computer."""

import base64
import subprocess
import unittest

import ntlm
import world
from agent import wait_until
from lab import lab
from session import HTTP, HTTPS, Crowd, agent_for, ask, attempts, connect, watching
from wire import Wire, get

TARGET = HTTP + "/bytes/1000"
BYTES = {"alice": 1001, "bob": 1002}  # what each asks for: the log names the user and this
USE = "client-credentials = use\n"
PASS = "client-credentials = pass\n"


def basic(user, password=None):
    pair = "%s:%s" % (user, password or world.PASSWORDS[user.split("@")[0].split("\\")[-1]])
    return "Proxy-Authorization: Basic " + base64.b64encode(pair.encode()).decode()


def curl(agent, *words, env=None):
    """(exit status, status of the answer, status of the CONNECT)"""
    command = ["curl", "-sS", "-x", agent.url, "-o", "/dev/null", "--max-time", "60", "--cacert", world.CA_CERT, "-w", "%{response_code} %{http_connect}", *words]
    done = subprocess.run(command, env={"PATH": "/usr/bin:/bin", "HOME": world.HOME, **(env or {})}, stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, check=False, timeout=100)
    answer, tunnel = done.stdout.split()
    return done.returncode, int(answer), int(tunnel)


def ticket(user):
    cache = "FILE:%s/cache-of-%s" % (world.TMP, user)
    lab.kinit(cache, "%s@%s" % (user, world.REALM))
    return cache


def user_of(name):
    return name.lower().replace("@lab.example", "").split("\\")[-1]


class UseTest(unittest.TestCase):
    def test_curl(self):
        """A user and a password as curl sends them, for http and https."""
        for kind, auth, user in (("ntlm", "ntlm", "LAB\\alice"), ("ntlm", "ntlm", "bob@LAB.EXAMPLE"), ("digest", "digest", "alice"), ("basic", "basic", "alice"),
                                 ("spnego", "negotiate ntlm", "LAB\\bob")):
            with self.subTest(kind, user=user), agent_for(kind, user=None, secret="none", auth=auth, more=USE) as agent, watching(kind) as lines:
                self.assertEqual(curl(agent, TARGET), (0, 407, 0))
                name = user_of(user)
                words = ("-U", "%s:%s" % (user, world.PASSWORDS[name]))
                self.assertEqual(curl(agent, *words, TARGET), (0, 200, 0))
                self.assertEqual(curl(agent, *words, HTTPS + "/bytes/1000"), (0, 200, 200))
                self.assertEqual(curl(agent, "--proxy-anyauth", *words, TARGET), (0, 200, 0))
            self.assertEqual({user_of(line.user) for line in lines if line.status == 200}, {name}, lines)

    def test_two_hundred_interleaved_requests(self):
        """Each under his own name, over keep-alive connections that change their user with each request, and by CONNECT."""
        people = ("LAB\\alice", "bob@LAB.EXAMPLE")

        def client(number):
            with Wire.connect(agent.port) as wire:
                for i in range(25):
                    user = people[(number + i * (number % 2)) % 2]
                    answer = wire.ask(get(HTTP + "/bytes/%d" % BYTES[user_of(user)], basic(user)))
                    self.assertEqual((answer.status, len(answer.body)), (200, BYTES[user_of(user)]))
            for user in people:
                host = "www.origin.example" if user_of(user) == "bob" else "origin.example"
                self.assertEqual(ask(agent, host + ":443", basic(user), method="CONNECT").status, 200)

        with agent_for("ntlm", user=None, secret="none", auth="ntlm", more=USE) as agent, watching("ntlm") as lines:
            with Crowd() as crowd:
                for number in range(8):
                    crowd.add(lambda number=number: client(number))
            self.assertEqual(agent.status()["counters"]["refusals"], 0)
        served = [line for line in lines if line.method == "GET" and line.status == 200]
        self.assertEqual(len(served), 200)
        for line in served:
            self.assertEqual(line.url, HTTP + "/bytes/%d" % BYTES[user_of(line.user)], line)
        tunnels = [line for line in lines if line.method == "CONNECT" and line.status != 407]
        self.assertEqual(len(tunnels), 16)
        for line in tunnels:
            self.assertEqual(user_of(line.user), "bob" if line.url.startswith("www") else "alice", line)
        names = {}
        for line in served + tunnels:
            names.setdefault(line.client, set()).add(user_of(line.user))
        self.assertEqual({len(users) for users in names.values()}, {1}, names)  # a connection is one user's

    def test_kerberos(self):
        """kerberos = acquire: the program's password gets a ticket; the tickets that lie about are not for it."""
        cache = ticket("alice")
        with agent_for("krb", user=None, secret="none", auth="negotiate", kerberos="acquire", cache=cache, more=USE) as agent, watching("krb") as lines:
            self.assertEqual(curl(agent, "-U", "bob@LAB.EXAMPLE:" + world.PASSWORDS["bob"], TARGET), (0, 200, 0))
            self.assertEqual(curl(agent, "-U", "alice@LAB.EXAMPLE:wrong", TARGET)[1], 407)
        self.assertEqual({user_of(line.user) for line in lines if line.status == 200}, {"bob"})
        lab.reset("alice")

    def test_a_wrong_password_is_one_attempt(self):
        lab.reset("lockme")
        with agent_for("ntlm", user=None, secret="none", auth="ntlm", more=USE) as agent:
            with Crowd() as crowd:
                for _ in range(20):
                    crowd.add(lambda: self.assertEqual(ask(agent, TARGET, basic("LAB\\lockme", "wrong")).status, 407))
            self.assertEqual(lab.bad_count("lockme"), 1)
            for i in range(10):
                self.assertIn(ask(agent, TARGET, basic("LAB\\lockme", "guess %d" % i)).status, (407, 502))
            self.assertFalse(lab.is_locked("lockme"))
            self.assertEqual(lab.bad_count("lockme"), 3)
        lab.reset("lockme")

    def test_workstation_and_domain(self):
        """What the directory is told stands in the last message."""
        with agent_for("ntlm", user=None, password=world.PASSWORDS["alice"], auth="ntlm", more="user = alice\ndomain = LAB\nworkstation = KIOSK7\n") as agent:
            with watching("ntlm") as lines:
                self.assertEqual(ask(agent, TARGET).status, 200)
        third = ntlm.Type3(base64.b64decode(attempts(lines)[0].credentials.split(" ")[1]))
        self.assertEqual((third.domain, third.user, third.workstation), ("LAB", "alice", "KIOSK7"))


class PassTest(unittest.TestCase):
    """The client's own handshake, through the agent, with the real Squids."""

    def passes(self, kind, *words, env=None, user="alice", host=None):
        before = len(lab.squid_log(kind))
        with agent_for(kind, user=None, secret="none", auth="none", more=PASS) as agent:
            if host:  # the client makes its service name of the proxy's, as it sees it
                words = ("-x", "http://%s:%d" % (host, agent.port), "--resolve", "%s:%d:127.0.0.1" % (host, agent.port), *words)
            self.assertEqual(curl(agent, *words, TARGET, env=env), (0, 200, 0))
            self.assertEqual(curl(agent, *words, HTTPS + "/bytes/1000", env=env), (0, 200, 200))
            def both():  # a tunnel is logged at its end
                found = lab.squid_log(kind)[before:]
                return len([line for line in found if line.status == 200]) >= 2 and found

            lines = wait_until(both, "both in Squid's log")
        served = [line for line in lines if line.status == 200]
        self.assertEqual(len(served), 2, lines)
        self.assertEqual({user_of(line.user) for line in served}, {user})
        return lines

    def test_ntlm(self):
        lines = self.passes("ntlm", "--proxy-ntlm", "-U", "LAB\\alice:" + world.PASSWORDS["alice"])
        self.assertEqual(len({line.client for line in lines if line.method == "GET"}), 1, lines)  # pinned

    def test_kerberos(self):
        for kind in ("krb", "spnego"):
            self.passes(kind, "--proxy-negotiate", "-U", ":", host="proxy.lab.example", env={"KRB5CCNAME": ticket("alice"), "KRB5_CONFIG": "/etc/krb5.conf"})

    def test_ntlm_inside_negotiate(self):
        path = world.TMP + "/ntlm-user-of-a-client"
        with open(path, "w", encoding="utf-8") as file:
            file.write("LAB:jürgen:%s\n" % world.PASSWORDS["jürgen"])
        lines = self.passes("spnego", "--proxy-negotiate", "-U", ":", env={"NTLM_USER_FILE": path, "KRB5CCNAME": "FILE:/nowhere"}, user="jürgen")
        self.assertEqual(len({line.client for line in lines if line.method == "GET"}), 1, lines)

    def test_nobody_else_uses_the_pinned_connection(self):
        words = ("--proxy-ntlm", "-U", "LAB\\alice:" + world.PASSWORDS["alice"])
        with agent_for("ntlm", user=None, secret="none", auth="none", more=PASS) as agent:
            self.assertEqual(curl(agent, *words, TARGET), (0, 200, 0))
            self.assertEqual(ask(agent, TARGET).status, 407)


class NoAuthTest(unittest.TestCase):
    def test_exempt_site(self):
        more = "no-auth = %s\n" % world.EXEMPT
        with agent_for("ntlm", auth="ntlm", more=more) as agent, watching("ntlm") as lines:
            for _ in range(3):
                self.assertEqual(ask(agent, TARGET).status, 200)
                self.assertEqual(ask(agent, "http://%s/bytes/10" % world.EXEMPT).status, 200)
                self.assertEqual(connect(agent, world.EXEMPT + ":443").status, 200)
        free = [line for line in lines if world.EXEMPT in line.url]
        self.assertEqual([line.credentials for line in free if line.credentials], [])
        self.assertEqual({line.user for line in free}, {"-"})
        self.assertFalse({line.client for line in free} & {line.client for line in lines if line.credentials})  # NTLM lets in a connection
