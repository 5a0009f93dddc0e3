"""A gateway on the domain's side of the lab, with the domain's keytab and the domain's winbind: people of the directory come in with tickets and passwords."""

import contextlib
import os
import re
import shutil
import subprocess
import tempfile
import unittest

import world
from agent import Agent
from lab import lab
from session import HTTP, HTTPS, Crowd, connect
from session import ask as ask_agent

TARGET = HTTP + "/bytes/1000"
NOBODY = 65534
CONFIG = """[upstream on]
proxy = http://%s:%d
auth = none
[gateway]
listen = %s:0
allow = 10.53.1.0/24
auth = negotiate ntlm
winbind = yes
domain = LAB
keytab = %s
""" % (world.PROXY, world.PORTS["none"], world.PROXY, world.KEYTAB_LAB)


class GatewayTest(unittest.TestCase):
    def setUp(self):
        self.stack = contextlib.ExitStack()
        self.addCleanup(self.stack.close)
        for user in ("alice", "lockme"):
            lab.reset(user)

    def gateway(self, config=CONFIG, user=None):
        """On the server side, where winbind is; as that user instead of root."""
        as_user = ["setpriv", "--reuid=%d" % user, "--regid=%d" % user, "--clear-groups"] if user else []
        agent = Agent(config, wrap=[*lab.on_the_server_side(), *as_user], env={"KRB5_CONFIG": "/etc/krb5.conf"}, start=False)
        if user:
            self.give(agent, user)
        self.stack.enter_context(agent)
        agent.start()
        self.port = re.search(r":(\d+)$", agent.wait_log(r"ready: gateway gateway on \S+:\d+").group(0)).group(1)
        self.there = agent
        return agent

    def give(self, agent, user):
        """All that it needs is that user's."""
        programs = self.stack.enter_context(tempfile.TemporaryDirectory(dir=world.TMP))
        os.chmod(programs, 0o755)
        for name in ("exeat", "exeat-keys"):
            shutil.copy(os.path.join(agent.build, name), programs)
        agent.build = programs
        for folder, folders, files in os.walk(agent.directory):
            for name in [*folders, *files, "."]:
                os.chown(os.path.join(folder, name), user, user)

    def curl(self, *words, cache=None):
        """(status of a CONNECT, of the answer) of each target."""
        command = ["curl", "-sS", "-x", "http://proxy.lab.example:" + self.port, "--max-time", "60", "--cacert", world.CA_CERT, "-w", "%{http_connect} %{response_code}\n"]
        for word in words:
            command += ["-o", "/dev/null", word] if word.startswith("http") else [word]
        done = subprocess.run(command, env={"PATH": os.environ["PATH"], "HOME": world.HOME, "KRB5CCNAME": cache or "FILE:/nowhere"}, stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, check=False, timeout=100)
        return [tuple(int(word) for word in line.split()) for line in done.stdout.split("\n") if line]

    def comes_in(self, *words, name, **more):
        """Twice on one connection, and by a tunnel; under that name in our log."""
        self.assertEqual(self.curl(*words, TARGET, TARGET, **more), [(0, 200)] * 2, self.there.log())
        self.assertEqual(self.curl(*words, HTTPS + "/bytes/1000", **more), [(200, 200)], self.there.log())
        served = re.findall(r"\] (\S+): (?:GET|CONNECT) ", self.there.log())[-3:]
        self.assertEqual(served, [name] * 3, self.there.log())

    def client(self, lines, password="", cache=None):
        environment = {"KRB5_CONFIG": "/etc/krb5.conf", **({"KRB5CCNAME": cache} if cache else {})}
        agent = Agent("[upstream gate]\nproxy = http://proxy.lab.example:%s\n%s" % (self.port, lines), files={"secret": password + "\n"}, env=environment)
        return self.stack.enter_context(agent)

    def ticket(self, user):
        cache = "FILE:%s/cache" % self.stack.enter_context(tempfile.TemporaryDirectory())
        lab.kinit(cache, "%s@%s" % (user, world.REALM))
        return cache

    def test_tickets(self):
        self.gateway()
        for user in ("alice", "jürgen"):
            with self.subTest(user):
                cache, name = self.ticket(user), "%s@%s" % (user, world.REALM)
                self.comes_in("--proxy-negotiate", "-U", ":", cache=cache, name=name)
                client = self.client("auth = negotiate\nsecret = none\nmutual = require\n", cache=cache)
                self.assertEqual(ask_agent(client, TARGET).status, 200, client.log() + self.there.log())
                self.assertEqual(connect(client).status, 200)
        self.assertEqual(self.curl("--proxy-negotiate", "-U", ":", TARGET), [(0, 407)])

    def test_a_ticket_from_a_password(self):
        self.gateway()
        client = self.client("auth = negotiate\nkerberos = acquire\nuser = bob@LAB.EXAMPLE\nsecret = file:@DIR@/secret\n", world.PASSWORDS["bob"])
        self.assertEqual(ask_agent(client, TARGET).status, 200, client.log() + self.there.log())
        self.assertIn("Kerberos", client.status()["upstreams"][0]["scheme"])

    def test_passwords(self):
        """curl's own NTLM knows ASCII only; exeat's knows all letters. However the domain is said, it is one user."""
        self.gateway()
        for user in ("LAB\\alice", "alice"):
            with self.subTest(user):
                self.comes_in("--proxy-ntlm", "-U", "%s:%s" % (user, world.PASSWORDS["alice"]), name="LAB\\alice")
        for user in ("bob", "jürgen"):
            for auth in ("ntlm", "negotiate ntlm"):
                with self.subTest(user, auth=auth):
                    client = self.client("auth = %s\nuser = LAB\\%s\nsecret = file:@DIR@/secret\n" % (auth, user), world.PASSWORDS[user])
                    self.assertEqual(ask_agent(client, TARGET).status, 200, client.log() + self.there.log())
                    self.assertEqual(connect(client).status, 200)
                    self.there.wait_log(r"\] LAB\\%s: GET" % user)
        self.assertEqual(lab.bad_count("alice"), 0)

    def test_who_does_not_come_in(self):
        """The domain counts each wrong password once, and a right one of who may not log on not at all."""
        self.gateway()
        self.assertEqual(self.curl("--proxy-ntlm", "-U", "LAB\\lockme:" + world.WRONG_PASSWORD, TARGET), [(0, 407)])
        self.assertEqual(lab.bad_count("lockme"), 1)
        client = self.client("auth = ntlm\nuser = LAB\\lockme\nsecret = file:@DIR@/secret\n", world.WRONG_PASSWORD)
        with Crowd() as crowd:
            for _ in range(5):
                crowd.add(lambda: self.assertNotEqual(ask_agent(client, TARGET).status, 200))
        self.assertEqual(lab.bad_count("lockme"), 2)
        for user in ("disabled", "mustchange"):
            with self.subTest(user):
                self.assertEqual(self.curl("--proxy-ntlm", "-U", "LAB\\%s:%s" % (user, world.PASSWORDS["disabled"]), TARGET), [(0, 407)])
        self.there.wait_log("NTLM: the domain refuses the user or the password")
        self.comes_in("--proxy-ntlm", "-U", "LAB\\lockme:" + world.PASSWORDS["lockme"], name="LAB\\lockme")
        self.assertEqual(lab.bad_count("lockme"), 0)
        self.assertEqual(self.there.status()["gateways"][0]["failed"], 0)

    def test_winbind_that_we_may_not_ask(self):
        """That is not the client's fault: neither a wrong password nor counted as one, and who has a ticket comes in."""
        with open(world.KEYTAB_LAB, "rb") as file:
            keytab = file.read()
        path = os.path.join(self.stack.enter_context(tempfile.TemporaryDirectory(dir=world.TMP)), "keytab")
        with open(path, "wb") as file:
            file.write(keytab)
        for name in (os.path.dirname(path), path):
            os.chown(name, NOBODY, NOBODY)
        self.gateway(CONFIG.replace(world.KEYTAB_LAB, path), NOBODY)
        for _ in range(3):
            self.assertEqual(self.curl("--proxy-ntlm", "-U", "LAB\\alice:" + world.PASSWORDS["alice"], TARGET), [(0, 503)], self.there.log())
        self.there.wait_log("winbind does not answer.*winbindd_priv")
        self.assertNotIn("refuses", self.there.log())
        self.comes_in("--proxy-negotiate", "-U", ":", cache=self.ticket("alice"), name="alice@" + world.REALM)
