"""Two gateways behind a real HAProxy, which goes by config/examples/haproxy.cfg with other ports."""

import hashlib
import os
import re
import shutil
import socket
import subprocess
import unittest

import agent as lib_agent
from agent import wait_until
from base import SITE, Scenario
from ports import free_port
from proxy import Open
import test_gateway_clients as clients
from wire import Wire, get

EXAMPLE = os.path.join(lib_agent.ROOT, "config", "examples", "haproxy.cfg")
CLIENTS = ["127.0.0.%d" % i for i in range(2, 9)]  # an odd number, so that taking turns shows


def ours(text, port, gateways):
    """The example with our addresses in it; each has to stand there once."""
    for was, now in [("bind :3128", "bind 127.0.0.1:%d" % port), ("src 192.0.2.0/24", "src 127.0.0.0/24"),
                     *[("192.0.2.%d:3128" % (11 + i), "127.0.0.1:%d" % gateway) for i, gateway in enumerate(gateways)]]:
        if text.count(was) != 1:
            raise AssertionError("haproxy.cfg has %r %d times" % (was, text.count(was)))
        text = text.replace(was, now)
    return text


@unittest.skipUnless(shutil.which("haproxy", path="/usr/sbin:/usr/bin:/sbin:/bin"), "no haproxy here")
class Balancer(Scenario):
    def house(self):
        self.onward = self.proxy(Open())
        self.agents, ports = [], []
        for _ in range(2):
            agent = self.agent(self.onward.upstream() + "[gateway]\nlisten = 127.0.0.1:0\nauth = ntlm digest\nusers = @DIR@/users\ndomain = CORP\n",
                               files={"users": clients.USERS})
            agent.wait_log("ready: gateway gateway on")
            self.agents.append(agent)
            ports.append(int(re.search(r"ready: gateway gateway on \S+:(\d+)", agent.log()).group(1)))
        self.port = free_port()
        path = os.path.join(self.agents[0].directory, "haproxy.cfg")
        with open(EXAMPLE, encoding="utf-8") as example, open(path, "w", encoding="utf-8") as file:
            file.write(ours(example.read(), self.port, ports))
        haproxy = subprocess.Popen(["haproxy", "-db", "-f", path], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                   env=dict(os.environ, PATH=os.environ["PATH"] + ":/usr/sbin"))
        self.addCleanup(lambda: (haproxy.kill(), haproxy.wait()))
        wait_until(self.listens, "haproxy")

    def listens(self):
        try:
            self.comes(CLIENTS[0]).close()
            return True
        except OSError:
            return False

    def comes(self, client):
        return self.stack.enter_context(Wire(socket.create_connection(("127.0.0.1", self.port), 30, (client, 0))))

    def curl(self, client, *urls, password=clients.PASSWORD):
        """Status and new connections of each, by Digest (its NTLM knows no Unicode)."""
        command = clients.CURL + ["--interface", client, "--proxy-digest", "-U", "alice:" + password, "-x", "http://127.0.0.1:%d" % self.port,
                                  "-w", "%{http_code} %{num_connects}\\n", "-o", "/dev/null"]
        done = subprocess.run(command + ("\0-o\0/dev/null\0".join(urls)).split("\0"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=90, text=True)
        return done.stdout.split("\n")[:-1], done

    def accepted(self):
        return [agent.status()["gateways"][0]["accepted"] for agent in self.agents]

    def test_digest(self):
        """A client goes where it went, and not all of them to one."""
        self.house()
        where = {}
        for client in CLIENTS * 2:
            before = self.accepted()
            lines, done = self.curl(client, SITE + "/bytes/5", SITE + "/bytes/6")
            self.assertEqual(lines, ["200 1", "200 0"], (client, done))
            found = {i for i, (a, b) in enumerate(zip(before, self.accepted())) if b > a}
            self.assertEqual(len(found), 1, client)
            self.assertEqual(where.setdefault(client, found), found)
        self.assertEqual(set.union(*where.values()), {0, 1})
        lines, done = self.curl(CLIENTS[0], SITE + "/bytes/5", password="wrong")
        self.assertEqual(lines, ["407 1"], done)

    def test_ntlm(self):
        """The legs of a handshake come to one gateway, and so does what follows on that connection."""
        self.house()
        client = self.agent("[upstream gate]\nproxy = http://127.0.0.1:%d\nauth = ntlm\nuser = CORP\\alice\nsecret = file:@DIR@/secret\n" % self.port,
                            secret=clients.PASSWORD)
        for _ in range(3):
            self.assertEqual(self.ask(client, "/bytes/5").status, 200, client.log())
        for _ in range(3):
            self.echoes(self.tunnel(client))
        self.assertEqual(client.status()["counters"]["refusals"], 0)
        self.assertEqual(sorted(self.accepted()), [0, 6])

    def test_nonces_hold(self):
        """What one connection was given, another of the same client uses."""
        self.house()
        for client in CLIENTS:
            first = self.comes(client).ask(get(SITE + "/bytes/5"))
            digest = [c for c in first.all("Proxy-Authenticate") if c.startswith("Digest ") and "MD5" in c][0]
            nonce = re.search(r'nonce="([^"]*)"', digest).group(1)

            def md5(*parts):
                return hashlib.md5(":".join(parts).encode()).hexdigest()

            answer = md5(md5("alice", "exeat", clients.PASSWORD), nonce, "00000001", "abcd", "auth", md5("GET", SITE + "/bytes/5"))
            field = ('Proxy-Authorization: Digest username="alice", realm="exeat", nonce="%s", uri="%s/bytes/5", algorithm=MD5, qop=auth, nc=00000001, '
                     'cnonce="abcd", response="%s"') % (nonce, SITE, answer)
            self.assertEqual(self.comes(client).ask(get(SITE + "/bytes/5", field)).status, 200)

    def test_one_goes(self):
        """Those of a gateway that stops go to the other."""
        self.house()
        self.agents[0].stop()
        for client in CLIENTS:
            wait_until(lambda client=client: self.curl(client, SITE + "/bytes/5")[0] == ["200 1"], "an answer by the other gateway")

    def test_others_are_not_served(self):
        self.house()
        try:
            self.assertEqual(self.comes("127.0.1.1").read_to_end(), b"")
        except ConnectionResetError:
            pass
        self.assertEqual([agent.status()["gateways"][0]["challenged"] for agent in self.agents], [0, 0])


if __name__ == "__main__":
    unittest.main()
