"""The gateway with the real keyholder, and clients that we did not write: curl and Python, all schemes, right and wrong credentials, requests with bodies and tunnels."""

import base64
import contextlib
import hashlib
import os
import random
import re
import socket
import subprocess
import unittest
import urllib.request

import ntlm
from agent import wait_until
from base import SITE, Scenario
from proxy import Asks, Open
from gates import Kerberos, Ntlm
from realm import Realm
from wire import Wire, get

PASSWORD = "Password"
HOST = "proxy.corp.example"
CURL = ["curl", "-sS", "-q", "--max-time", "60"]

AT_ONCE = 50  # connections of the generator


def ha1(algorithm):
    return hashlib.new(algorithm, b"alice:exeat:" + PASSWORD.encode()).hexdigest()


USERS = "\n".join(["alice:{SHA}" + base64.b64encode(hashlib.sha1(PASSWORD.encode()).digest()).decode(),
                   "alice:exeat:" + ha1("md5"), "alice:exeat:" + ha1("sha256"),
                   "alice:0:%s:%s:[U          ]:LCT-00000000:" % ("X" * 32, ntlm.md4(PASSWORD.encode("utf-16-le")).hex().upper())]) + "\n"


class Gate(Scenario):
    """A gateway with the user alice, in front of a scripted proxy that asks nobody."""

    def house(self, auth="negotiate ntlm digest basic", more="", behaviour=None, lines="auth = none", env=None, users=USERS):
        self.onward = self.proxy(behaviour or Open())
        agent = self.agent(self.onward.upstream(lines) + "[gateway]\nlisten = 127.0.0.1:0\nauth = %s\nusers = @DIR@/users\ndomain = CORP\n%s" %
                           (auth, more), files={"users": users}, env=env)
        agent.wait_log("ready: gateway gateway on")
        self.gate = int(re.search(r"ready: gateway gateway on \S+:(\d+)", agent.log()).group(1))
        return agent

    def curl(self, *arguments, user="alice:" + PASSWORD, env=None):
        """Status and content of one call."""
        command = CURL + ["-o", "-", "-w", "\n%{http_connect} %{http_code} %{num_connects}", "--resolve", "%s:%d:127.0.0.1" % (HOST, self.gate),
                          "-x", "http://%s:%d" % (HOST, self.gate)] + (["-U", user] if user else []) + list(arguments)
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=90, env=dict(os.environ, **env) if env else None)
        content, _, figures = done.stdout.rpartition(b"\n")
        connect, code, connections = figures.decode().split()
        return int(code) or int(connect), content, int(connections), done

    def works(self, option, user="alice:" + PASSWORD, env=None, name="alice"):
        """GETs on one connection, a body that has to come twice, and a tunnel."""
        agent = self.agent_here
        del self.onward.requests[:]
        code, content, connections, done = self.curl(option, SITE + "/bytes/10", SITE + "/bytes/10", "-o", "/dev/null", user=user, env=env)
        self.assertEqual((code, connections), (200, 0), (done, agent.log()))
        body = os.path.join(agent.directory, "body")
        with open(body, "wb") as file:
            file.write(b"z" * 200000)
        code = self.curl(option, "--data-binary", "@" + body, SITE + "/echo", "-o", "/dev/null", user=user, env=env)[0]
        self.assertEqual(code, 200, agent.log())
        sent = [r for r in self.onward.requests if r.method == "POST"]
        self.assertEqual([len(r.body) for r in sent], [200000])
        for request in self.onward.requests:
            self.assertEqual(request.all("Proxy-Authorization"), [])
        agent.wait_log(r"\] %s: GET" % re.escape(name))

    def refused(self, option, user, env=None):
        del self.onward.requests[:]
        code, _, _, done = self.curl(option, SITE + "/bytes/10", user=user, env=env)
        self.assertEqual(code, 407, done)
        self.assertEqual(self.onward.requests, [])


class Clients(Gate):
    def test_curl_with_users(self):
        self.agent_here = self.house("digest basic")
        for option in ("--proxy-basic", "--proxy-digest", "--proxy-anyauth"):
            with self.subTest(option):
                self.works(option, name="CORP\\alice")
        for option in ("--proxy-basic", "--proxy-digest"):
            for user in ("alice:wrong", "nobody:" + PASSWORD):
                with self.subTest(option, user=user):
                    self.refused(option, user)

    def test_curl_ntlm(self):
        """By its own NTLM, which knows no Unicode and no version."""
        self.agent_here = self.house("ntlm")
        for option in ("--proxy-ntlm", "--proxy-anyauth"):
            for user in ("alice", "CORP\\alice"):
                with self.subTest(option, user=user):
                    self.works(option, user + ":" + PASSWORD, name="CORP\\alice")
        for user in ("alice:wrong", "nobody:" + PASSWORD, "ELSEWHERE\\alice:" + PASSWORD):
            with self.subTest(user=user):
                self.refused("--proxy-ntlm", user)

    def test_curl_all_four(self):
        """All four are offered; it takes the best by itself where it has a ticket, and the one that it is told to with a password."""
        realm = self.stack.enter_context(Realm())
        self.agent_here = self.house(more="keytab = %s\n" % realm.keytab, env={"KRB5_CONFIG": realm.conf})
        no_ticket = {"KRB5_CONFIG": realm.conf, "KRB5CCNAME": "FILE:/nonexistent/tickets"}
        self.works("--proxy-anyauth", ":", realm.ticket(), name="alice@CORP.EXAMPLE")
        for option in ("--proxy-basic", "--proxy-digest", "--proxy-ntlm"):
            with self.subTest(option):
                self.works(option, env=no_ticket, name="CORP\\alice")
                self.refused(option, "alice:wrong", no_ticket)

    def test_curl_left_to_itself(self):
        """Without a ticket, too, it takes negotiate where it is offered, whatever the order: what README says of such programs."""
        realm = self.stack.enter_context(Realm())
        no_ticket = {"KRB5_CONFIG": realm.conf, "KRB5CCNAME": "FILE:/nonexistent/tickets"}
        for auth, taken in (("ntlm", True), ("negotiate ntlm", False), ("ntlm negotiate", False)):
            with self.subTest(auth):
                self.house(auth, "keytab = %s\n" % realm.keytab, env={"KRB5_CONFIG": realm.conf})
                self.assertEqual(self.curl("--proxy-anyauth", SITE + "/bytes/1", env=no_ticket)[0] == 200, taken)

    def test_curl_tunnels(self):
        """CONNECT: what comes through the tunnel is what the far end says."""
        self.agent_here = self.house("ntlm digest basic")
        for option in ("--proxy-basic", "--proxy-digest", "--proxy-ntlm", "--proxy-anyauth"):
            with self.subTest(option):
                done = subprocess.run(CURL + [option, "-U", "alice:" + PASSWORD, "-p", "-x", "http://127.0.0.1:%d" % self.gate, "-v",
                                              "http://site.example/bytes/5"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=90)
                self.assertIn(b"CONNECT tunnel established, response 200", done.stderr, (self.agent_here.log(), done))
                seen = [r.all("Proxy-Authorization") for r in self.onward.requests if r.method == "CONNECT"]
                self.assertEqual(seen, [[]])
                del self.onward.requests[:]

    def test_curl_with_a_ticket(self):
        realm = self.stack.enter_context(Realm())
        self.agent_here = self.house("negotiate", "keytab = %s\n" % realm.keytab, env={"KRB5_CONFIG": realm.conf})
        self.works("--proxy-negotiate", ":", realm.ticket(), name="alice@CORP.EXAMPLE")
        code, _, _, done = self.curl("--proxy-negotiate", "-D", "-", SITE + "/bytes/1", user=":", env=realm.ticket())
        self.assertRegex(done.stdout, rb"HTTP/1.1 200 (?:[^\r]*\r\n)+?Proxy-Authenticate: Negotiate \S+\r\n", self.agent_here.log())
        self.refused("--proxy-negotiate", ":", {"KRB5_CONFIG": realm.conf, "KRB5CCNAME": "FILE:/nonexistent/tickets"})

    def test_nothing_to_check_with(self):
        """The page is for strangers: it says who can help, and names no file. The log does."""
        for auth, more, files in (("negotiate", "keytab = @DIR@/none\n", "none"), ("basic", "", "users")):
            with self.subTest(auth):
                agent = self.house(auth, more)
                os.unlink(agent.directory + "/users")
                with Wire.connect(self.gate) as client:
                    answer = self.own(client.ask(get(SITE + "/echo")), 503, "proxy_configuration_error", "not in order", "administrator")
                self.assertNotIn(agent.directory, answer.raw_head.decode() + answer.text)
                self.assertNotIn(files, answer.text)
                agent.wait_log(r"gateway gateway: What this gateway checks.*not in order.*%s/%s" % (agent.directory, files))

    def test_python_digest(self):
        self.house("digest", "digest = md5 sha-256\n")  # it takes the first challenge, and knows no SHA-256
        proxy = "http://127.0.0.1:%d" % self.gate
        known = urllib.request.HTTPPasswordMgrWithDefaultRealm()
        known.add_password(None, proxy, "alice", PASSWORD)
        known.add_password(None, SITE, "alice", PASSWORD)
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({"http": proxy}), urllib.request.ProxyDigestAuthHandler(known))
        with opener.open(SITE + "/bytes/3", timeout=60) as answer:
            self.assertEqual(answer.status, 200)
        self.assertEqual(len(self.onward.requests), 1)

    def test_curl_hides_the_name(self):
        """userhash: the name of the user is not on the wire, and is in the log."""
        for digest in ("md5", "sha-256"):  # what this curl calls SHA-512-256 is another hash
            with self.subTest(digest):
                self.agent_here = self.house("digest", "digest = %s\n" % digest)
                code, _, _, done = self.curl("--proxy-digest", "-v", SITE + "/bytes/5")
                self.assertEqual(code, 200, (done, self.agent_here.log()))
                sent = re.search(rb"> Proxy-Authorization: (Digest .*)", done.stderr).group(1)
                self.assertIn(b"userhash=true", sent)
                self.assertNotIn(b"alice", sent)
                self.agent_here.wait_log(r"\] CORP\\alice: GET")

    def mutual(self, gateway, upstream="auth = none", behaviour=None):
        """A client that lets nothing through before the proxy has proved who it is: the answer to a request, and whether it opens a tunnel."""
        realm = self.stack.enter_context(Realm())
        there = self.house("negotiate", "keytab = %s\n%s" % (realm.keytab, gateway), behaviour=behaviour and behaviour(realm), lines=upstream,
                           env={"KRB5_CONFIG": realm.conf})
        client = self.agent("[upstream gate]\nproxy = http://127.0.0.1:%d\nauth = negotiate\nmutual = require\nspn = HTTP/%s\n" % (self.gate, HOST),
                            env=realm.ticket())
        self.logs = (client, there)
        answer = self.ask(client, "/bytes/5")
        if answer.status == 200:
            self.echoes(self.tunnel(client))
        return answer

    def test_mutual_proof(self):
        self.assertEqual(self.mutual("").status, 200, [a.log() for a in self.logs])

    def test_mutual_proof_left_out(self):
        answer = self.mutual("mutual = no\n")
        self.assertEqual(answer.status, 502, [a.log() for a in self.logs])
        self.assertIn("prove", answer.text)

    def test_mutual_proof_of_the_next_proxy(self):
        """The next proxy has the same keys, and gets the client's ticket: its proof does as well as ours, and without it there is none."""
        passing = "auth = none\npass-authorization = yes"
        for behaviour, status in ((lambda realm: Asks(Kerberos(keytab=realm.keytab)), 200), (None, 502)):
            answer = self.mutual("mutual = pass\npass-authorization = yes\n", passing, behaviour)
            self.assertEqual(answer.status, status, [a.log() for a in self.logs])
            self.assertTrue(all(v.startswith("Negotiate ") for r in self.onward.requests for v in r.all("Proxy-Authorization")))

    def test_another_exeat(self):
        """Our own client's side against our own server's."""
        self.house("ntlm digest basic")
        for scheme in ("ntlm", "digest", "basic"):
            with self.subTest(scheme):
                client = self.agent("[upstream gate]\nproxy = http://127.0.0.1:%d\nauth = %s\nuser = CORP\\alice\nsecret = file:@DIR@/secret\n" %
                                    (self.gate, scheme) if scheme == "ntlm" else
                                    "[upstream gate]\nproxy = http://127.0.0.1:%d\nauth = %s\nuser = alice\nsecret = file:@DIR@/secret\n" % (self.gate, scheme),
                                    secret=PASSWORD)
                for _ in range(2):
                    self.assertEqual(self.ask(client, "/bytes/5").status, 200, client.log())
                tunnel = self.tunnel(client)
                self.echoes(tunnel)

    def test_another_exeat_and_each_hash(self):
        for digest in ("md5", "sha-256", "sha-512-256"):
            with self.subTest(digest):
                there = self.house("digest", "digest = %s\n" % digest, users=USERS + "alice:exeat:{SHA-512-256}%s\n" % ha1("sha512_256"))
                client = self.agent("[upstream gate]\nproxy = http://127.0.0.1:%d\nauth = digest\nuser = alice\nsecret = file:@DIR@/secret\n" % self.gate,
                                    secret=PASSWORD)
                for _ in range(2):
                    self.assertEqual(self.ask(client, "/bytes/5").status, 200, (client.log(), there.log()))
                there.wait_log(r"\] CORP\\alice: GET")

    def test_identity_upstream_is_ours(self):
        """Whoever came in: the next proxy sees the gateway's own user and nobody else's credentials."""
        gate = Ntlm()
        self.onward = None
        agent = self.house("basic", behaviour=Asks(gate), lines="auth = ntlm\nuser = CORP\\alice\nsecret = file:@DIR@/secret")
        code, _, _, done = self.curl("--proxy-basic", SITE + "/bytes/3")
        self.assertEqual(code, 200, (done, agent.log()))
        for request in self.onward.requests:
            self.assertTrue(all(v.startswith("NTLM ") for v in request.all("Proxy-Authorization")))

    def test_malformed_fields(self):
        """From a generator: never a 2xx, never a crash, of the keyholder neither. Who ends its side is not kept waiting for a refusal."""
        agent = self.house("ntlm digest basic", "requests-per-second = 0\nconnections-per-address = 0\n")
        keys = wait_until(agent.keys_pid, "the keyholder")
        chance = random.Random(6)
        seeds = ["Basic " + base64.b64encode(b"alice:wrong").decode(), "NTLM TlRMTVNTUAABAAAAB4IIogAAAAAAAAAAAAAAAAAAAAAKAGFKAAAADw==",
                 "NTLM " + base64.b64encode(ntlm.type1(ntlm.OEM | ntlm.REQUEST_TARGET)).decode(),
                 "NTLM " + base64.b64encode(ntlm.type3(ntlm.type2(b"12345678"), "alice", "wrong")).decode(),
                 "Negotiate YIIBhwYGKwYBBQUCoIIBezCC", 'Digest username="alice", realm="exeat", nonce="a", uri="/", response="0", qop=auth, nc=00000001, cnonce="b"']
        count = int(os.environ.get("EXEAT_TEST_FIELDS", "10000"))
        for at in range(0, count, AT_ONCE):
            values = [self.spoil(chance, chance.choice(seeds)) for _ in range(min(AT_ONCE, count - at))]
            for value, answer in zip(values, self.answers(values)):
                self.assertRegex(answer, rb"\A(HTTP/1.1 40[07] |\Z)", value)
        shown = agent.status()["gateways"][0]
        self.assertEqual((shown["accepted"], shown["failed"]), (0, 0), shown)
        self.assertGreater(shown["broken"], count // 10)
        self.assertEqual(self.onward.requests, [])
        self.assertEqual(agent.keys_pid(), keys)

    @staticmethod
    def spoil(chance, seed):
        value = list(seed)
        for _ in range(chance.randrange(1, 6)):
            at = chance.randrange(len(value))
            value[at:at + chance.randrange(3)] = chance.choice(["", "=", '"', ",", " ", "\t", "\\", chr(chance.randrange(33, 127)), "A" * 50])
        return "".join(value).strip()

    def answers(self, values):
        """Each on a connection of its own, whose client ends its side: a refusal that would have waited is not sent then."""
        with contextlib.ExitStack() as stack:
            doors = []
            for value in values:
                door = stack.enter_context(socket.create_connection(("127.0.0.1", self.gate), timeout=60))
                door.sendall(get(SITE + "/echo", "Proxy-Authorization: " + value))
                door.shutdown(socket.SHUT_WR)
                doors.append(door)
            return [self.rest(door) for door in doors]

    @staticmethod
    def rest(door):
        parts = [b""]
        with contextlib.suppress(ConnectionError):
            while part := door.recv(65536):
                parts.append(part)
        return b"".join(parts)
