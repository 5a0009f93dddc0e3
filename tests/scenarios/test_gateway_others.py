"""The gateway and more programs that we did not write. Each with the right password and a wrong one, connections that stay, sites by http and, by CONNECT, by
https; over TCP, and by TLS where the program can:

    program           schemes                            TLS to the proxy
    curl              Basic, Digest, NTLM, Negotiate     yes (test_gateway_clients, test_gateway_tls)
    git               Basic, Digest, NTLM, Negotiate     yes (curl's library)
    wget              Basic                              no: "Must be HTTP"
    node              what the program writes (Basic)    yes
    Python, urllib    Basic; Digest but for CONNECT      http sites only: its CONNECT goes out in clear
    Python, requests  Basic                              yes
    cntlm             NTLM                               no; ends its connection with each answer
    another exeat     Basic, Digest, NTLM, Negotiate     yes (test_gateway_clients, test_gateway_tls)
    Chromium          Basic, Digest, NTLM, Negotiate     yes (test_gateway_chromium)
"""

import os
import re
import shutil
import subprocess
import unittest

import ports
import tls
from agent import wait_until
from base import SITE
from onward import TlsSite
from realm import Realm
from test_gateway_clients import CURL, HOST, PASSWORD, Gate, ha1
from wire import get, once

SECURE = SITE.replace("http:", "https:")
WITH_SBIN = os.environ.get("PATH", "") + ":/usr/sbin"
REVISION = "0123456789abcdef0123456789abcdef01234567"

NODE = """
const [proxy, user, password, ca] = process.argv.slice(1), {protocol, hostname, port} = new URL(proxy);
const http = require(protocol.slice(0, -1)), tls = require("tls"), authority = require("fs").readFileSync(ca);
const fields = {"Proxy-Authorization": "Basic " + Buffer.from(user + ":" + password).toString("base64")};
const agent = new http.Agent({keepAlive: true, maxSockets: 1, ca: authority, servername: hostname}), ports = new Set();
const ask = (next) => http.get({agent, port, hostname, path: "http://site.example/bytes/7", headers: {Host: "site.example", ...fields}}, (answer) => {
  ports.add(answer.socket.localPort);
  answer.resume();
  answer.on("end", () => { console.log("GET", answer.statusCode, ports.size); next(); });
});
ask(() => ask(() => {
  agent.destroy();
  http.request({port, hostname, servername: hostname, ca: authority, method: "CONNECT", path: "site.example:443", headers: fields})
    .on("connect", (answer, socket) => {
      console.log("CONNECT", answer.statusCode);
      if (answer.statusCode != 200) return socket.destroy();
      const inside = tls.connect({socket, servername: "site.example", ca: authority}, () => {
        inside.write("GET /bytes/5 HTTP/1.1\\r\\nHost: site.example\\r\\nConnection: close\\r\\n\\r\\n");
      }).once("data", (data) => { console.log(data.toString().split("\\r\\n")[0]); inside.destroy(); });
    }).end();
}));
"""

# Its way to give it a password for CONNECT is the proxy's address.
URLLIB = """
import sys, urllib.error, urllib.request
proxy, kind, user, password, url = sys.argv[1:]
known = urllib.request.HTTPPasswordMgrWithDefaultRealm()
for where in (proxy, url):
    known.add_password(None, where, user, password)
handlers = [getattr(urllib.request, "Proxy%sAuthHandler" % kind)(known)] if kind else []
opener = urllib.request.build_opener(urllib.request.ProxyHandler({url.split(":")[0]: proxy}), *handlers)
try:
    print(opener.open(url, timeout=60).status)
except urllib.error.HTTPError as error:
    print(error.code)
except urllib.error.URLError as error:
    print(error.reason)
"""

REQUESTS = """
import sys, requests
proxy, ca, *urls = sys.argv[1:]
with requests.Session() as session:
    session.trust_env = False
    session.verify = ca
    for url in urls:
        try:
            print(session.get(url, proxies={"http": proxy, "https": proxy}, timeout=60).status_code)
        except requests.exceptions.ProxyError as error:
            print("407" if " 407 " in str(error) else error)
"""

CNTLM = """Username alice
Domain CORP
Password %s
Auth NTLMv2
Proxy 127.0.0.1:%d
Listen 127.0.0.1:%d
"""


class Repository(TlsSite):
    """A site with one repository of git, of the kind that any web server can hold."""

    def handle(self, conn, request):
        if "/info/refs" in request.target:
            conn.answer(200, ("%s\trefs/heads/main\n" % REVISION).encode(), ["Content-Type: text/plain"])
        elif request.target.endswith("/HEAD"):
            conn.answer(200, b"ref: refs/heads/main\n", [])
        else:
            return super().handle(conn, request)
        return True


def needs(program, path=None):
    return unittest.skipUnless(shutil.which(program, path=path), program + " is not installed")


class Others(Gate):
    def house(self, auth="negotiate ntlm digest basic", more="", behaviour=None, **options):
        """A gateway in clear, and one by TLS."""
        secure = "[gateway tls]\nlisten = https://localhost:0\ncertificate = %s\nkey = %s\n" % (tls.good().pem, tls.good().key)
        self.site = behaviour or TlsSite()
        agent = super().house(auth, more + secure, self.site, **options)
        self.secure_gate = re.search(r":(\d+)$", agent.wait_log(r"ready: gateway tls on https://127\.0\.0\.1:\d+").group(0)).group(1)
        self.there, self.ca = agent, tls.authority().pem
        return agent

    def run_program(self, *command, **env):
        environment = {"PATH": os.environ["PATH"], "HOME": self.there.directory, "SSL_CERT_FILE": self.ca, **env}
        return subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors="replace",
                              timeout=100)

    def ways(self):
        """The two gateways' addresses."""
        return "http://%%s127.0.0.1:%d" % self.gate, "https://%%slocalhost:%s" % self.secure_gate

    @staticmethod
    def with_login(where, password=PASSWORD):
        return where % ("alice:%s@" % password)

    def came(self, *methods):
        """These requests went on, and their credentials were for us."""
        self.assertEqual([r.method for r in self.onward.requests], list(methods), self.there.log())
        for request in self.onward.requests + self.site.inside:
            self.assertEqual(request.all("Proxy-Authorization"), [])
        del self.onward.requests[:], self.site.inside[:]

    @needs("git")
    def test_git(self):
        self.house("ntlm digest basic", behaviour=Repository())

        def listed(where, scheme, site, password=PASSWORD):
            return self.run_program("git", "-c", "http.proxy=" + self.with_login(where, password), "-c", "http.proxyAuthMethod=" + scheme, "-c", "credential.helper=",
                                    "-c", "http.sslCAInfo=" + self.ca, "-c", "http.proxySSLCAInfo=" + self.ca, "ls-remote", site + "/repository.git",
                                    GIT_TERMINAL_PROMPT="0", GIT_CONFIG_NOSYSTEM="1")
        for where in self.ways():
            for scheme in ("basic", "digest", "ntlm", "anyauth"):
                for site in (SITE, SECURE):
                    with self.subTest(scheme, where=where, site=site):
                        good = listed(where, scheme, site)
                        self.assertIn(REVISION, good.stdout, (good, self.there.log()))
                        self.came(*(["GET", "GET"] if site == SITE else ["CONNECT"]))
        clear, secure = self.ways()
        for where, scheme, site in ((clear, "basic", SITE), (clear, "ntlm", SECURE), (secure, "digest", SECURE)):  # each waits longer than the one before
            self.assertIn("407", listed(where, scheme, site, "wrong").stderr)
            self.came()

    @needs("wget")
    def test_wget(self):
        self.house("ntlm digest basic")
        where = "http://127.0.0.1:%d" % self.gate
        for password, status, site, came in ((PASSWORD, 0, SITE, ["GET", "GET"]), ("wrong", 8, SITE, []), (PASSWORD, 0, SECURE, ["CONNECT"]), ("wrong", 4, SECURE, [])):
            with self.subTest(site, password=password):
                done = self.run_program("wget", "-nv", "-t", "1", "-O", "-", "-e", "use_proxy=yes", "-e", "http_proxy=" + where, "-e", "https_proxy=" + where,
                                        "--ca-certificate=" + self.ca, "--proxy-user=alice", "--proxy-password=" + password, *[site + "/bytes/9"] * (2 if password == PASSWORD else 1))
                self.assertEqual(done.returncode, status, (done, self.there.log()))
                self.came(*came)

    @needs("node")
    def test_node(self):
        self.house("ntlm digest basic")
        for where in self.ways():
            done = self.run_program("node", "-e", NODE, where % "", "alice", PASSWORD, self.ca)
            self.assertEqual(done.stdout.split("\n"), ["GET 200 1", "GET 200 1", "CONNECT 200", "HTTP/1.1 200 Whatever", ""], (done, self.there.log()))
            self.came("GET", "GET", "CONNECT")
        done = self.run_program("node", "-e", NODE, where % "", "alice", "wrong", self.ca)
        self.assertEqual(done.stdout.split("\n"), ["GET 407 1", "GET 407 1", "CONNECT 407", ""], (done, self.there.log()))
        self.came()

    def test_python(self):
        """urllib does what the first challenge says, if it can: a gateway for it has hashes with MD5 only."""
        for kind, auth, users in (("Basic", "basic", {}), ("Digest", "digest", {"users": "alice:exeat:%s\n" % ha1("md5")})):
            with self.subTest(kind):
                self.house(auth, **users)
                for where in self.ways():
                    done = self.run_program("python3", "-c", URLLIB, where % "", kind, "alice", PASSWORD, SITE + "/bytes/3")
                    self.assertEqual(done.stdout.strip(), "200", (done, self.there.log()))
                    self.came("GET")
        self.house("basic")
        where = "http://%%s127.0.0.1:%d" % self.gate
        for password, said, came in ((PASSWORD, "200\n", ["CONNECT"]), ("wrong", "Tunnel connection failed: 407 Proxy Authentication Required\n", [])):
            done = self.run_program("python3", "-c", URLLIB, self.with_login(where, password), "", "", "", SECURE + "/bytes/3")
            self.assertEqual(done.stdout, said, (done, self.there.log()))
            self.came(*came)

    @unittest.skipIf(subprocess.run(["python3", "-c", "import requests"], stderr=subprocess.DEVNULL).returncode, "python3's requests is not installed")
    def test_requests(self):
        self.house("ntlm digest basic")
        clear, secure = self.ways()
        for where, password, said, came in ((clear, PASSWORD, "200\n" * 4, ["GET", "GET", "CONNECT"]), (secure, PASSWORD, "200\n" * 4, ["GET", "GET", "CONNECT"]),
                                            (secure, "wrong", "407\n" * 2, [])):
            sites = [site + "/bytes/3" for site in (SITE, SECURE) for _ in range(1 if password == "wrong" else 2)]
            done = self.run_program("python3", "-c", REQUESTS, self.with_login(where, password), self.ca, *sites)
            self.assertEqual(done.stdout, said, (done, self.there.log()))
            self.came(*came)

    def cntlm(self, password):
        port = ports.free_port()
        place = os.path.join(self.there.directory, "cntlm.conf")
        with open(place, "w", encoding="utf-8") as file:
            file.write(CNTLM % (password, self.gate, port))
        process = subprocess.Popen([shutil.which("cntlm", path=WITH_SBIN), "-f", "-c", place], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL)

        def end():
            process.kill()
            process.wait()
        self.addCleanup(end)
        wait_until(lambda: not ports.is_free(port), "cntlm")
        return port

    @needs("cntlm", WITH_SBIN)
    def test_cntlm(self):
        self.house("ntlm")
        port = self.cntlm(PASSWORD)
        for site, said, came in ((SITE, "000 200 000 200 ", ["GET", "GET"]), (SECURE, "200 200 000 200 ", ["CONNECT"])):
            done = self.run_program(*CURL, "-x", "http://127.0.0.1:%d" % port, "-o", "/dev/null", "-w", "%{http_connect} %{http_code} ", site + "/bytes/5",
                                    "-o", "/dev/null", site + "/bytes/6")
            self.assertEqual(done.stdout, said, (done, self.there.log()))
            self.came(*came)
        self.there.wait_log(r"\] CORP\\alice: GET")
        wrong = self.cntlm("wrong")
        self.assertEqual(once(wrong, get(SITE + "/bytes/5")).status, 407)
        self.assertEqual(once(wrong, get("site.example:443", method="CONNECT"), "CONNECT").status, 407)
        self.came()

    def test_exeat_with_a_ticket(self):
        realm = self.stack.enter_context(Realm())
        there = super().house("negotiate", "keytab = %s\n" % realm.keytab, env={"KRB5_CONFIG": realm.conf})
        client = self.agent("[upstream gate]\nproxy = http://127.0.0.1:%d\nauth = negotiate\nspn = HTTP/%s\n" % (self.gate, HOST), env=realm.ticket())
        for _ in range(2):
            self.assertEqual(self.ask(client, "/bytes/5").status, 200, (client.log(), there.log()))
        self.echoes(self.tunnel(client))
        there.wait_log(r"\] alice@CORP.EXAMPLE: GET")
