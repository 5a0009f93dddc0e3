"""The Squid that is reached by TLS: Kerberos with channel binding, Basic that nobody on the way can read, real clients, and names that do not match."""

import hashlib
import shutil
import tempfile
import unittest

import content
import world
from lab import lab
from session import HTTP, HTTPS, agent_for, ask, connect, run_client, watching

CA = "ca = %s\n" % world.CA_CERT
SIZE = 20000000


class TlsTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.folder)

    def passes(self, agent, user="alice@LAB.EXAMPLE"):
        with watching("tls") as lines:
            answer = ask(agent, HTTP + "/bytes/70000")
            self.assertEqual((answer.status, answer.body), (200, content.data(70000)), answer.text[:1000])
            self.assertEqual(connect(agent).status, 200)
        self.assertEqual({line.user.lower() for line in lines if line.status == 200} - {"-"}, {user.lower()})

    def nothing_said(self, lines):
        """Squid notes a connection that ends without a request."""
        self.assertEqual({line.url for line in lines} - {"error:transaction-end-before-headers"}, set())

    def test_ticket(self):
        cache = "FILE:%s/cache" % self.folder
        lab.kinit(cache)
        with agent_for("tls", user=None, secret="none", cache=cache, more=CA) as agent:
            self.passes(agent)

    def test_ticket_from_a_password(self):
        with agent_for("tls", more=CA) as agent:
            self.passes(agent)
            self.assertIn("Kerberos", agent.status()["upstreams"][0]["scheme"])

    def test_basic(self):
        with agent_for("tls", user="LAB\\alice", auth="basic", more=CA) as agent:
            self.passes(agent, "LAB\\alice")

    def test_authority_of_the_system(self):
        with agent_for("tls") as agent:
            self.passes(agent)

    def test_many_connections_and_one_ticket(self):
        with agent_for("tls", more=CA + "[log]\nlevel = debug\n") as agent:
            for _ in range(5):
                self.assertEqual(connect(agent).status, 200)
            agent.wait_log("TLSv1.3, .*, resumed")

    def test_bodies(self):
        with agent_for("tls", more=CA) as agent:
            answer = ask(agent, "%s/bytes/%d" % (HTTP, SIZE))
            self.assertEqual(hashlib.sha256(answer.body).hexdigest(), content.sha256(SIZE))
            answer = run_client(agent, "curl", "-sS", "--fail", "%s/bytes/%d" % (HTTPS, SIZE), "-o", self.folder + "/body", "-w", "%{http_code}")
            self.assertEqual(answer.stdout, "200")
            with open(self.folder + "/body", "rb") as file:
                self.assertEqual(hashlib.sha256(file.read()).hexdigest(), content.sha256(SIZE))

    def test_wrong_name(self):
        with agent_for("tls", host=world.PROXY, more=CA) as agent, watching("tls") as lines:
            for answer in (ask(agent, HTTP + "/"), connect(agent)):
                self.assertEqual(answer.status, 502)
                self.assertIn("its certificate is not for %s but for proxy.lab.example" % world.PROXY, answer.text)
        self.nothing_said(lines)

    def test_wrong_pin(self):
        with agent_for("tls", more=CA + "pin = %s\n" % ("A" * 43 + "=")) as agent, watching("tls") as lines:
            answer = ask(agent, HTTP + "/")
            self.assertEqual(answer.status, 502)
        self.nothing_said(lines)
        pin = answer.text.split("its pin is ")[1].split()[0]
        with agent_for("tls", more=CA + "pin = %s\n" % pin) as agent:
            self.passes(agent)
