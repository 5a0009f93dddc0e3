"""The gateway and more programs that we did not write: git, wget, node, Python, cntlm, Chromium. Each with the right password and a wrong one."""

import os
import shutil
import subprocess
import unittest

import ports
from agent import wait_until
from base import SITE
from proxy import Open
from realm import Realm
from test_gateway_clients import HOST, PASSWORD, Gate, ha1
from wire import get, once

REVISION = "0123456789abcdef0123456789abcdef01234567"

NODE = """
const http = require("http"), [port, user, password] = process.argv.slice(1);
const fields = {"Proxy-Authorization": "Basic " + Buffer.from(user + ":" + password).toString("base64")};
const agent = new http.Agent({keepAlive: true, maxSockets: 1});
const ask = (next) => http.get({agent, port, host: "127.0.0.1", path: "http://site.example/bytes/7", headers: {Host: "site.example", ...fields}},
  (answer) => { answer.resume(); answer.on("end", () => { console.log("GET", answer.statusCode); next(); }); });
ask(() => ask(() => {
  agent.destroy();
  http.request({port, host: "127.0.0.1", method: "CONNECT", path: "site.example:443", headers: fields})
    .on("connect", (answer, socket) => { console.log("CONNECT", answer.statusCode); socket.destroy(); })
    .on("response", (answer) => { console.log("CONNECT", answer.statusCode); answer.resume(); }).end();
}));
"""

URLLIB = """
import sys, urllib.error, urllib.request
proxy, kind, user, password, url = sys.argv[1:]
known = urllib.request.HTTPPasswordMgrWithDefaultRealm()
for where in (proxy, url):
    known.add_password(None, where, user, password)
handler = getattr(urllib.request, "Proxy%sAuthHandler" % kind)(known)
opener = urllib.request.build_opener(urllib.request.ProxyHandler({"http": proxy}), handler)
try:
    print(opener.open(url, timeout=60).status)
except urllib.error.HTTPError as error:
    print(error.code)
"""

REQUESTS = """
import sys, requests
with requests.Session() as session:
    session.trust_env = False
    for _ in range(2):
        print(session.get(sys.argv[2], proxies={"http": sys.argv[1]}, timeout=60).status_code)
"""

CNTLM = """Username alice
Domain CORP
Password %s
Auth NTLMv2
Proxy 127.0.0.1:%d
Listen 127.0.0.1:%d
"""


class Repository(Open):
    """A site with one repository of git, of the kind that any web server can hold."""

    def handle(self, conn, request):
        if "/info/refs" in request.target:
            conn.answer(200, ("%s\trefs/heads/main\n" % REVISION).encode(), ["Content-Type: text/plain"])
        elif request.target.endswith("/HEAD"):
            conn.answer(200, b"ref: refs/heads/main\n", [])
        else:
            return super().handle(conn, request)
        return True


def needs(program):
    return unittest.skipUnless(shutil.which(program), program + " is not installed")


class Others(Gate):
    def run_program(self, *command, **env):
        environment = {"PATH": os.environ["PATH"], "HOME": self.there.directory, **env}
        return subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors="replace",
                              timeout=100)

    def proxy_url(self, password=PASSWORD):
        return "http://alice:%s@127.0.0.1:%d" % (password, self.gate)

    def came(self, count):
        """So many requests went on; their credentials were for us."""
        self.assertEqual([r.all("Proxy-Authorization") for r in self.onward.requests], [[]] * count, self.there.log())

    @needs("git")
    def test_git(self):
        self.there = self.house("ntlm digest basic", behaviour=Repository())
        for scheme in ("basic", "digest", "ntlm", "anyauth"):
            with self.subTest(scheme):
                def listed(password):
                    return self.run_program("git", "-c", "http.proxy=" + self.proxy_url(password), "-c", "http.proxyAuthMethod=" + scheme, "-c",
                                            "credential.helper=", "ls-remote", SITE + "/repository.git", GIT_TERMINAL_PROMPT="0", GIT_CONFIG_NOSYSTEM="1")
                good = listed(PASSWORD)
                self.assertIn(REVISION, good.stdout, (good, self.there.log()))
                self.came(len(self.onward.requests))
                del self.onward.requests[:]
                self.assertNotEqual(listed("wrong").returncode, 0)
                self.came(0)

    @needs("wget")
    def test_wget(self):
        """It does Basic with proxies, and nothing else."""
        self.there = self.house("ntlm digest basic")
        for password, status in ((PASSWORD, 0), ("wrong", 8)):
            done = self.run_program("wget", "-nv", "-t", "1", "-O", "-", "-e", "use_proxy=yes", "-e", "http_proxy=http://127.0.0.1:%d" % self.gate, "--proxy-user=alice",
                                    "--proxy-password=" + password, SITE + "/bytes/9", SITE + "/bytes/9")
            self.assertEqual(done.returncode, status, (done, self.there.log()))
        self.came(2)

    @needs("node")
    def test_node(self):
        self.there = self.house("ntlm digest basic")
        done = self.run_program("node", "-e", NODE, str(self.gate), "alice", PASSWORD)
        self.assertEqual(done.stdout.split("\n"), ["GET 200", "GET 200", "CONNECT 200", ""], (done, self.there.log()))
        self.came(3)
        done = self.run_program("node", "-e", NODE, str(self.gate), "alice", "wrong")
        self.assertEqual(done.stdout.split("\n"), ["GET 407", "GET 407", "CONNECT 407", ""], (done, self.there.log()))
        self.came(3)

    def test_python(self):
        """urllib does what the first challenge says, if it can: a gateway for it has hashes with MD5 only."""
        for kind, auth, users in (("Basic", "basic", None), ("Digest", "digest", "alice:exeat:%s\n" % ha1("md5"))):
            with self.subTest(kind):
                self.there = self.house(auth, **({"users": users} if users else {}))
                done = self.run_program("python3", "-c", URLLIB, "http://127.0.0.1:%d" % self.gate, kind, "alice", PASSWORD, SITE + "/bytes/3")
                self.assertEqual(done.stdout.strip(), "200", (done, self.there.log()))
                self.came(1)

    @unittest.skipIf(subprocess.run(["python3", "-c", "import requests"], stderr=subprocess.DEVNULL).returncode, "python3's requests is not installed")
    def test_requests(self):
        self.there = self.house("ntlm digest basic")
        for password, said in ((PASSWORD, "200\n200\n"), ("wrong", "407\n407\n")):
            done = self.run_program("python3", "-c", REQUESTS, self.proxy_url(password), SITE + "/bytes/3")
            self.assertEqual(done.stdout, said, (done, self.there.log()))
        self.came(2)

    def cntlm(self, password):
        port = ports.free_port()
        place = os.path.join(self.there.directory, "cntlm.conf")
        with open(place, "w", encoding="utf-8") as file:
            file.write(CNTLM % (password, self.gate, port))
        process = subprocess.Popen(["cntlm", "-f", "-c", place], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

        def end():
            process.kill()
            process.wait()
        self.addCleanup(end)
        wait_until(lambda: not ports.is_free(port), "cntlm")
        return port

    @unittest.skipUnless(shutil.which("cntlm", path=os.environ.get("PATH", "") + ":/usr/sbin"), "cntlm is not installed")
    def test_cntlm(self):
        os.environ["PATH"] += ":/usr/sbin"
        self.there = self.house("ntlm")
        port = self.cntlm(PASSWORD)
        for _ in range(3):
            self.assertEqual(once(port, get(SITE + "/bytes/5")).status, 200, self.there.log())
        self.came(3)
        self.assertRegex(self.there.log(), r"\] CORP\\alice: GET")
        self.assertEqual(once(self.cntlm("wrong"), get(SITE + "/bytes/5")).status, 407)
        self.came(3)

    def test_exeat_with_a_ticket(self):
        realm = self.stack.enter_context(Realm())
        self.there = self.house("negotiate", "keytab = %s\n" % realm.keytab, env={"KRB5_CONFIG": realm.conf})
        client = self.agent("[upstream gate]\nproxy = http://127.0.0.1:%d\nauth = negotiate\nspn = HTTP/%s\n" % (self.gate, HOST), env=realm.ticket())
        for _ in range(2):
            self.assertEqual(self.ask(client, "/bytes/5").status, 200, (client.log(), self.there.log()))
        self.echoes(self.tunnel(client))
        self.assertRegex(self.there.log(), r"\] alice@CORP.EXAMPLE: GET")

    def chromium(self, program, *options, env=None, host="127.0.0.1"):
        profile = os.path.join(self.there.directory, "profile-%d" % len(os.listdir(self.there.directory)))
        return self.run_program(program, "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
                                "--disable-dev-shm-usage", "--user-data-dir=" + profile, "--proxy-server=http://%s:%d" % (host, self.gate), "--timeout=20000",
                                *options, "--dump-dom", SITE + "/bytes/40", **(env or {}))

    @unittest.skipUnless(shutil.which("chromium") or shutil.which("google-chrome"), "no Chromium is installed")
    def test_chromium_with_a_ticket(self):
        """It answers Negotiate by itself where it is told whom to trust; passwords it asks its user for."""
        program = shutil.which("chromium") or shutil.which("google-chrome")
        realm = self.stack.enter_context(Realm())
        self.there = self.house("negotiate", "keytab = %s\n" % realm.keytab, env={"KRB5_CONFIG": realm.conf})
        rules = "--host-resolver-rules=MAP %s 127.0.0.1" % HOST
        self.chromium(program, rules, "--auth-server-allowlist=" + HOST, env=realm.ticket(), host=HOST)
        self.assertTrue(self.onward.requests, self.there.log())
        del self.onward.requests[:]
        self.chromium(program, rules, "--auth-server-allowlist=" + HOST, host=HOST, env={"KRB5_CONFIG": realm.conf, "KRB5CCNAME": "FILE:/nonexistent/tickets"})
        self.assertEqual(self.onward.requests, [])
