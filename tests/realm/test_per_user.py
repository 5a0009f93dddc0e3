"""A gateway that goes on as each of its users (identity = per-user), at real Squids with a real directory, whose logs say who came: with a password of each one's
own, with a ticket that the client handed on, and with a service that the directory lets act for them."""

import base64
import os
import re
import subprocess
import tempfile
import unittest

import world
from agent import Agent
from lab import lab
from session import HTTP, Crowd, upstream, watching
from wire import Wire, get

BYTES = {"alice": 1001, "bob": 1002}  # what each asks for: the log names the user and this
HOSTS = {"alice": "origin.example:443", "bob": "www.origin.example:443"}
HASH = "{SHA}i+PJQ7Fgn/+/xRqtZm0KBK34PJ0="  # of "Password": nobody's in the directory
ACCOUNT, SERVICE, NAME = "gwagent", "HTTP/gateway.lab.example", "gateway.lab.example"
GATE = "[gateway]\nlisten = 127.0.0.1:0\nidentity = per-user\nusers = @DIR@/users\n%sauth = %s\n"
USERS = "".join("%s:%s\n" % (name, HASH) for name in BYTES)


def field(user):
    return "Proxy-Authorization: Basic " + base64.b64encode(("%s:Password" % user).encode()).decode()


def user_of(name):
    return name.lower().split("@")[0].split("\\")[-1]


def gate_of(agent):
    return int(re.search(r"ready: gateway gateway on \S+:(\d+)", agent.log()).group(1))


def agent_for_users(section, auth="basic", domain="LAB", **files):
    """An agent in whose folder each user's password lies by itself."""
    secrets = {("%s%%5C%s" % (domain, name) if domain else name): world.PASSWORDS[name] + "\n" for name in BYTES}
    gate = GATE % ("domain = %s\n" % domain if domain else "", auth)
    return Agent(section + gate, files={"users": USERS, "secret": "not the password of anybody\n", **secrets, **files}, env={"KRB5_CONFIG": "/etc/krb5.conf"})


class Users(unittest.TestCase):
    def one(self, port, user):
        with Wire.connect(port) as wire:
            answer = wire.ask(get(HTTP + "/bytes/%d" % BYTES[user], field(user)))
            self.assertEqual((answer.status, len(answer.body)), (200, BYTES[user]), answer.text[:500])
        with Wire.connect(port) as wire:
            self.assertEqual(wire.ask(get(HOSTS[user], field(user), method="CONNECT"), "CONNECT").status, 200)

    def check(self, lines, requests, tunnels):
        """Each request under the name of the user whose it was; and a connection is one user's."""
        served = [line for line in lines if line.method == "GET" and line.status == 200]
        opened = [line for line in lines if line.method == "CONNECT" and line.status != 407]
        self.assertEqual((len(served), len(opened)), (requests, tunnels), lines)
        for line in served:
            self.assertEqual(line.url, HTTP + "/bytes/%d" % BYTES[user_of(line.user)], line)
        for line in opened:
            self.assertEqual(line.url, HOSTS[user_of(line.user)], line)
        names = {}
        for line in served + opened:
            names.setdefault(line.client, set()).add(user_of(line.user))
        self.assertEqual({len(users) for users in names.values()}, {1}, names)


class SecretTest(Users):
    def test_a_password_of_each_ones_own(self):
        for kind, auth in (("ntlm", "ntlm"), ("spnego", "negotiate ntlm"), ("basic", "basic"), ("digest", "digest")):
            section = upstream(kind, None, auth, secret="file:@DIR@/%u")
            domain = "LAB" if "ntlm" in auth else None
            with self.subTest(kind), agent_for_users(section, domain=domain) as agent, watching(kind) as lines:
                for _ in range(2):
                    for user in BYTES:
                        self.one(gate_of(agent), user)
                self.assertEqual(agent.status()["counters"]["refusals"], 0)
            self.check(lines, 4, 4)

    def test_two_hundred_interleaved_requests(self):
        """Over connections to the gateway that change their user with each request."""
        people = sorted(BYTES)

        def client(port, number):
            with Wire.connect(port) as wire:
                for i in range(25):
                    user = people[(number + i * (number % 2)) % 2]
                    answer = wire.ask(get(HTTP + "/bytes/%d" % BYTES[user], field(user)))
                    self.assertEqual((answer.status, len(answer.body)), (200, BYTES[user]))

        with agent_for_users(upstream("ntlm", None, "ntlm", secret="file:@DIR@/%u")) as agent, watching("ntlm") as lines:
            with Crowd() as crowd:
                for number in range(8):
                    crowd.add(client, gate_of(agent), number)
            self.assertEqual(agent.status()["counters"]["refusals"], 0)
        self.check(lines, 200, 0)

    def test_a_user_without_a_password(self):
        """It is told, and nobody else's is shown for it: the directory has seen no attempt."""
        lab.reset("alice")
        with agent_for_users(upstream("ntlm", None, "ntlm", secret="file:@DIR@/%u"), users=USERS + "carol:%s\n" % HASH) as agent, watching("ntlm") as lines:
            with Wire.connect(gate_of(agent)) as wire:
                self.assertEqual(wire.ask(get(HTTP + "/bytes/1", field("carol"))).status, 502)
            self.one(gate_of(agent), "alice")
        self.check(lines, 1, 1)


class TicketTest(Users):
    """The users' own tickets, and a service of the directory that may act for them."""

    @classmethod
    def setUpClass(cls):
        cls.folder = cls.enterClassContext(tempfile.TemporaryDirectory())
        cls.keytab = cls.folder + "/gateway.keytab"
        lab.database.newuser(ACCOUNT, "Gateway-Pass-1")
        cls.addClassCleanup(lab.database.deleteuser, ACCOUNT)
        for words in (("spn", "add", SERVICE, ACCOUNT), ("domain", "exportkeytab", cls.keytab, "--principal=" + ACCOUNT),
                      ("domain", "exportkeytab", cls.keytab, "--principal=" + SERVICE),
                      ("delegation", "add-service", ACCOUNT, "HTTP/proxy.lab.example"), ("delegation", "for-any-protocol", ACCOUNT, "on")):
            subprocess.run(["samba-tool", *words, "--configfile=" + world.SMB_CONF], check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def agent(self, secret):
        section = upstream("krb", "%s@%s" % (ACCOUNT, world.REALM), "negotiate", secret=secret)
        return agent_for_users(section, "negotiate basic\nkeytab = %s" % self.keytab)

    def curl(self, port, user, *words):
        cache = "FILE:%s/%s" % (self.folder, user)
        subprocess.run(["kinit", "-f", "%s@%s" % (user, world.REALM)], input=world.PASSWORDS[user] + "\n", text=True, check=True, stdout=subprocess.DEVNULL,
                       env=dict(os.environ, KRB5_CONFIG="/etc/krb5.conf", KRB5CCNAME=cache))
        proxy = "http://%s:%d" % (NAME, port)
        done = subprocess.run(["curl", "-sS", "-x", proxy, "--resolve", "%s:%d:127.0.0.1" % (NAME, port), "--proxy-negotiate", "-U", ":", "-o", "/dev/null",
                               "--max-time", "60", "--cacert", world.CA_CERT, "-w", "%{response_code}", *words],
                              env={"PATH": os.environ["PATH"], "HOME": world.HOME, "KRB5_CONFIG": "/etc/krb5.conf", "KRB5CCNAME": cache}, check=False,
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=100)
        self.assertEqual((done.returncode, done.stdout), (0, "200"), done.stderr)

    def test_a_service_that_acts_for_them(self):
        """Users without a ticket (Basic), and with one, which is the evidence."""
        with self.agent("keytab:" + self.keytab) as agent, watching("krb") as lines:
            for user in BYTES:
                self.one(gate_of(agent), user)
                self.curl(gate_of(agent), user, HTTP + "/bytes/%d" % BYTES[user])
        self.check(lines, 4, 2)

    def test_a_ticket_that_was_handed_on(self):
        with self.agent("none") as agent, watching("krb") as lines:
            for _ in range(2):
                for user in BYTES:
                    self.curl(gate_of(agent), user, "--delegation", "always", HTTP + "/bytes/%d" % BYTES[user])
                    self.curl(gate_of(agent), user, "--delegation", "always", "https://%s/bytes/1" % HOSTS[user].split(":")[0])
        self.check(lines, 4, 4)
