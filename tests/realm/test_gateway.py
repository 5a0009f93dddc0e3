"""Gateways on the domain's side of the lab, with the domain's keytab and the domain's winbind: people of the directory come in with tickets and passwords, to
one in clear and to one by TLS."""

import base64
import contextlib
import hashlib
import os
import re
import shutil
import subprocess
import tempfile
import unittest

import chromium
import ntlm
import world
from agent import Agent, wait_until
from lab import lab
from session import HTTP, HTTPS, Crowd, connect
from session import ask as ask_agent
from wire import Wire, get

TARGET = HTTP + "/bytes/1000"
NOBODY = 65534
MIC = 72  # where it stands in the last of NTLM's messages
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
BY_TLS = """[gateway tls]
listen = https://%s:0
certificate = %s/proxy.pem
key = %s/proxy.key
""" % (world.PROXY, world.SQUID, world.SQUID)


def pin_of(path):
    key = subprocess.run("openssl x509 -in %s -noout -pubkey | openssl pkey -pubin -outform DER" % path, shell=True, check=True, stdout=subprocess.PIPE).stdout
    return base64.b64encode(hashlib.sha256(key).digest()).decode()


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
        self.url = self.url_of(agent, "gateway")
        self.there = agent
        return agent

    @staticmethod
    def url_of(agent, name):
        scheme, port = re.search(r" on (https://)?\S+:(\d+)$", agent.wait_log(r"ready: gateway %s on \S+:\d+" % name).group(0)).groups()
        return "%sproxy.lab.example:%s" % (scheme or "http://", port)

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
        command = ["curl", "-sS", "-x", self.url, "--max-time", "60", "--proxy-cacert", world.CA_CERT, "--cacert", world.CA_CERT, "-w", "%{http_connect} %{response_code}\n"]
        for word in words:
            command += ["-o", "/dev/null", word] if word.startswith("http") else [word]
        done = subprocess.run(command, env={"PATH": os.environ["PATH"], "HOME": world.HOME, "KRB5CCNAME": cache or "FILE:/nowhere"}, stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, check=False, timeout=100)
        return [tuple(int(word) for word in line.split()) for line in done.stdout.split("\n") if line]

    def comes_in(self, *words, name, **more):
        """Twice on one connection, and by a tunnel; under that name in our log."""
        def served():
            return re.findall(r"\] (\S+): (?:GET|CONNECT) ", self.there.log())

        before = served().count(name)
        self.assertEqual(self.curl(*words, TARGET, TARGET, **more), [(0, 200)] * 2, self.there.log())
        self.assertEqual(self.curl(*words, HTTPS + "/bytes/1000", **more), [(200, 200)], self.there.log())
        wait_until(lambda: served().count(name) >= before + 3, "three lines of the log, which follow the answers")
        self.assertEqual(served()[-3:], [name] * 3, self.there.log())

    def client(self, lines, password="", cache=None):
        environment = {"KRB5_CONFIG": "/etc/krb5.conf", **({"KRB5CCNAME": cache} if cache else {})}
        agent = Agent("[upstream gate]\nproxy = %s\n%s" % (self.url, lines), files={"secret": password + "\n"}, env=environment)
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

    def test_by_tls(self):
        """What exeat sends says for which certificate it was made; Kerberos' and NTLM's tokens are looked at for that, by whomever the password is checked."""
        there = self.gateway(CONFIG + BY_TLS)
        self.url = self.url_of(there, "tls")
        cache = self.ticket("alice")
        self.comes_in("--proxy-negotiate", "-U", ":", cache=cache, name="alice@" + world.REALM)
        self.comes_in("--proxy-ntlm", "-U", "LAB\\alice:" + world.PASSWORDS["alice"], name="LAB\\alice")
        for lines, cache in (("ca = %s\nauth = negotiate\nsecret = none\n", cache), ("ca = %s\nauth = ntlm\nuser = LAB\\bob\nsecret = file:@DIR@/secret\n", None)):
            client = self.client(lines % world.CA_CERT, world.PASSWORDS["bob"], cache)
            self.assertEqual(ask_agent(client, TARGET).status, 200, client.log() + there.log())
            self.assertEqual(connect(client).status, 200)
        self.assertEqual(self.curl("--proxy-ntlm", "-U", "LAB\\lockme:" + world.WRONG_PASSWORD, TARGET), [(0, 407)])

    @unittest.skipUnless(chromium.program(), "no Chromium is installed")
    def test_chromium(self):
        there = self.gateway(CONFIG + BY_TLS)
        folder = self.stack.enter_context(tempfile.TemporaryDirectory(dir=world.TMP))
        pins = [pin_of(path) for path in (world.SQUID + "/proxy.pem", world.ORIGIN + "/origin.pem")]
        with chromium.Chromium(folder, trusted=pins, env={"KRB5CCNAME": self.ticket("alice")}) as browser:
            for url in (self.url, self.url_of(there, "tls")):
                with browser.profile(url, None) as profile:
                    for site in (HTTP, HTTPS):
                        self.assertEqual(profile.load(site + "/echo")[0], 200, there.log())
        with chromium.Chromium(folder + "/other", trusted=pins, env={"KRB5CCNAME": "FILE:/nowhere"}) as browser:
            for user, password, statuses in (("LAB\\bob", world.PASSWORDS["bob"], [200, 200]), ("LAB\\lockme", world.WRONG_PASSWORD, [407])):
                with browser.profile(self.url, (user, password)) as profile:
                    self.assertEqual([profile.load(site + "/echo")[0] for site in (HTTP, HTTPS)[:len(statuses)]], statuses, there.log())
        self.assertEqual(lab.bad_count("lockme"), 1)
        there.wait_log(r"\] LAB\\bob: CONNECT")

    def shake(self, user, password, spoil=False):
        """As Chromium does it: no version in the first message, and in the last one a code over all three; the status behind them."""
        def field(message):
            return "Proxy-Authorization: NTLM " + base64.b64encode(message).decode()
        first = ntlm.type1()
        self.assertEqual(len(first), 32)
        with Wire.connect(int(self.url.rpartition(":")[2]), world.PROXY) as client:
            answer = client.ask(get(TARGET, field(first)))
            third = bytearray(ntlm.type3(base64.b64decode(answer.get("Proxy-Authenticate")[5:]), user, password, "LAB", first=first))
            third[MIC] ^= spoil
            return client.ask(get(TARGET, field(bytes(third)))).status

    def test_code_over_a_short_first_message(self):
        self.gateway()
        self.assertEqual(self.shake("bob", world.PASSWORDS["bob"]), 200, self.there.log())
        self.assertEqual(self.shake("lockme", world.PASSWORDS["lockme"], spoil=True), 407)
        self.assertEqual(lab.bad_count("lockme"), 0)
        self.assertEqual(self.shake("lockme", world.WRONG_PASSWORD), 407)
        self.assertEqual(lab.bad_count("lockme"), 1)

    def test_a_guest(self):
        """Whom the domain lets in without knowing him is nobody."""
        lab.enable("Guest", "Gu3st-Pass!")
        self.addCleanup(lab.disable, "Guest")
        self.gateway()
        self.assertEqual(self.curl("--proxy-ntlm", "-U", "LAB\\Guest:Gu3st-Pass!", TARGET), [(0, 407)])
        self.there.wait_log("an anonymous user or a guest is nobody who may come in")

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
        self.there.wait_log("NTLM: the domain refuses the user or the password")
        self.gateway()  # one that lets nobody wait yet
        for user in ("disabled", "mustchange"):
            with self.subTest(user):
                self.assertEqual(self.curl("--proxy-ntlm", "-U", "LAB\\%s:%s" % (user, world.PASSWORDS["disabled"]), TARGET), [(0, 407)])
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
