"""A Squid that goes by the name of the program, and a client from beyond this machine: changed fields and tokens, with the real parts."""

import hashlib
import unittest

import world
from session import HTTP, HTTPS, agent_for, ask, run_client, watching

RULE = "[headers]\nset = * User-Agent: welcome/1.0\n"
TOKEN = "0123456789-abcdefghijklmnopqrstuvwxyz_ABCDEF"
GUEST = "[client builder]\ntoken = sha256:%s\n" % hashlib.sha256(TOKEN.encode()).hexdigest()


def fetch(agent, url, *words, proxy=None):
    """Status of the CONNECT, and of the answer."""
    said = run_client(agent, "curl", "-s", "-o", "/dev/null", "-w", "%{http_connect} %{http_code}", *words, *(["-x", proxy] if proxy else []), url,
                      check=False, no_proxy="")
    return tuple(int(number) for number in said.stdout.split())


class ByTheNameOfTheProgram(unittest.TestCase):
    def test_user_agent(self):
        for kind in ("ntlm", "krb"):
            with self.subTest(kind):
                with agent_for(kind) as agent:
                    self.assertEqual(fetch(agent, HTTP + "/bytes/10", "-A", "unwelcome/2"), (0, 403))
                    self.assertEqual(fetch(agent, HTTPS + "/bytes/10", "-A", "unwelcome/2")[0], 403)
                with agent_for(kind, more=RULE) as agent:
                    self.assertEqual(fetch(agent, HTTP + "/bytes/10", "-A", "unwelcome/2"), (0, 200))
                    self.assertEqual(fetch(agent, HTTPS + "/bytes/10", "-A", "unwelcome/2"), (200, 200))
                    self.assertEqual(ask(agent, HTTP + "/echo", "User-Agent: unwelcome/3", method="POST", body=b"x" * 100000).status, 200)


class Guest(unittest.TestCase):
    def test_curl_with_a_token(self):
        listen = "[listen]\nhttp = %s:0 127.0.0.1:0\nallow = %s\n" % (world.CLIENT, world.CLIENT)
        with agent_for("ntlm", more=listen + GUEST) as agent:
            with watching("ntlm") as lines:
                for user, expected in (("", 407), ("builder:wrong@", 407), ("nobody:%s@" % TOKEN, 407)):
                    proxy = "http://%s%s:%d" % (user, world.CLIENT, agent.port)
                    self.assertEqual(fetch(agent, HTTP + "/bytes/10", proxy=proxy), (0, expected))
                    self.assertEqual(fetch(agent, HTTPS + "/bytes/10", proxy=proxy)[0], expected)
            self.assertEqual(lines, [])
            with watching("ntlm") as lines:
                proxy = "http://builder:%s@%s:%d" % (TOKEN, world.CLIENT, agent.port)
                self.assertEqual(fetch(agent, HTTP + "/bytes/10", proxy=proxy), (0, 200))
                self.assertEqual(fetch(agent, HTTPS + "/bytes/10", "--cacert", world.CA_CERT, proxy=proxy), (200, 200))
            self.assertEqual({line.user.lower() for line in lines if line.status == 200}, {"lab\\alice"})
            self.assertTrue(all(not line.credentials.startswith("Basic") for line in lines), lines)
