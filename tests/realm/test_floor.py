"""The scheme floor against real servers: one address behind which there first is a Squid that takes Kerberos, then one that offers Basic alone."""

import contextlib
import socket
import threading
import unittest

import world
from agent import Agent
from lab import lab
from session import HTTP, ask, attempts, connect, watching

TARGET = HTTP + "/bytes/1000"


class Switch:
    """An address on loopback that leads to one of the Squids: the same name and port, whoever answers there."""

    def __init__(self, kind):
        self.kind = kind
        self.open = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                here = self.listener.accept()[0]
                there = socket.create_connection((world.HOSTS[world.PROXY_NAMES[self.kind]], world.PORTS[self.kind]))
                self.open += [here, there]
                for pair in ((here, there), (there, here)):
                    threading.Thread(target=self._carry, args=pair, daemon=True).start()

    @staticmethod
    def _carry(source, to):
        with contextlib.suppress(OSError):
            while True:
                data = source.recv(65536)
                if not data:
                    break
                to.sendall(data)
        with contextlib.suppress(OSError):
            to.shutdown(socket.SHUT_WR)

    def lead_to(self, kind):
        self.kind = kind
        for sock in self.open:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.lead_to(None)
        for sock in self.open:
            sock.close()


class FloorTest(unittest.TestCase):
    def test_kerberos_and_then_basic_alone(self):
        switch = Switch("krb")
        self.addCleanup(switch.close)
        config = ("[upstream corp]\nproxy = http://127.0.0.1:%d\nauth = negotiate ntlm digest basic\nuser = alice@%s\n"
                  "secret = file:@DIR@/secret\nkerberos = acquire\nspn = %s\n" % (switch.port, world.REALM, world.SPN_LAB))
        with Agent(config, files={"secret": world.PASSWORDS["alice"] + "\n"}, env={"KRB5_CONFIG": "/etc/krb5.conf"}) as agent:
            self.assertEqual(ask(agent, TARGET).status, 200)
            self.assertIn("Kerberos", agent.status()["upstreams"][0]["scheme"])

            for kind, offer in (("basic", "Basic"), ("ntlm", "NTLM")):
                switch.lead_to(kind)
                with watching(kind) as lines:
                    for answer in (ask(agent, TARGET), connect(agent), ask(agent, TARGET, method="POST", body=b"x" * 1000)):
                        self.assertEqual(answer.status, 502)
                        self.assertIn("accepted Negotiate (Kerberos) before and now offers only %s:" % offer, answer.text)
                        self.assertIn("exeat accept corp", answer.text)
                self.assertEqual(attempts(lines), [])
                self.assertTrue(agent.status()["upstreams"][0]["alarm"])

            switch.lead_to("krb")
            self.assertEqual(ask(agent, TARGET).status, 200)
            self.assertFalse(agent.status()["upstreams"][0]["alarm"])
            self.assertEqual(lab.bad_count("alice"), 0)

            switch.lead_to("ntlm")
            self.assertEqual(ask(agent, TARGET).status, 502)
            agent.restart()
            self.assertEqual(ask(agent, TARGET).status, 502)
            self.assertIn("may offer only NTLM from now on", agent.exeat("accept", "corp", check=True).stdout)
            self.assertEqual(ask(agent, TARGET).status, 200)
            switch.lead_to("basic")
            self.assertEqual(ask(agent, TARGET).status, 502)
