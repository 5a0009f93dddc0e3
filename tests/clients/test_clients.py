"""Real programs through real proxies, each scheme, right and wrong secrets, plain and CONNECT. The programs know an address, nothing else;
with a right secret they see nothing of the authentication, with a wrong one they see an error that says so, and the secret was tried once."""

import os
import shutil
import subprocess
import tempfile
import unittest

import content
import socks
import world
from lab import lab
from session import COUNTED_BY_DIRECTORY, HTTP, HTTPS, SCHEMES, agent_for, agent_for_scheme, attempts, run_client, watching
from wire import Wire

HERE = os.path.dirname(os.path.abspath(__file__))
SIZE = 200000
URLS = (HTTP + "/bytes/%d" % SIZE, HTTPS + "/bytes/%d" % SIZE)


class Passes:
    """How each program is driven when all is well. Each asks for something plain and something through CONNECT, and checks what it got."""

    @staticmethod
    def curl(test, agent):
        for url in URLS:
            out = test.scratch + "/curl.out"
            said = run_client(agent, "curl", "-sS", "-o", out, "-w", "%{http_connect} %{http_code}", url).stdout
            test.assertEqual(said, "000 200" if url.startswith("http:") else "200 200")
            test.same(out)

    @staticmethod
    def git(test, agent):
        for number, base in enumerate((HTTP, HTTPS)):
            copy = "%s/copy-%d" % (test.scratch, number)
            run_client(agent, "git", "clone", "-q", base + "/git/small.git", copy)
            with open(copy + "/noise.bin", "rb") as file:
                test.assertEqual(file.read(), content.data(300000))

    @staticmethod
    def wget(test, agent):
        for url in URLS:
            out = test.scratch + "/wget.out"
            run_client(agent, "wget", "-q", "-O", out, url)
            test.same(out)

    @staticmethod
    def node(test, agent):
        said = run_client(agent, "node", HERE + "/node_client.js", *URLS).stdout
        test.assertEqual(said.split("\n")[:-1], ["200 " + content.sha256(SIZE)] * 2)

    @staticmethod
    def python(test, agent):
        said = run_client(agent, world.PYTHON, HERE + "/python_client.py", *URLS).stdout
        test.assertEqual(said.split("\n")[:-1], ["200 " + content.sha256(SIZE)] * 2)

    @staticmethod
    def npm(test, agent):
        for number, base in enumerate((HTTP, HTTPS)):
            run = npm_install(test, agent, base, number)
            test.assertEqual(run.returncode, 0, run.stdout + run.stderr)
            with open("%s/npm-%d/node_modules/%s/index.js" % (test.scratch, number, content.NPM_NAME)) as file:
                test.assertIn("tiny", file.read())


class IsRefused:
    """How each program shows that the agent has no good secret. Each returns all it said."""

    @staticmethod
    def curl(test, agent):
        said = run_client(agent, "curl", "-sS", "-w", "\n%{http_code}", URLS[0])
        test.assertEqual(said.stdout.split("\n")[-1], "502")
        tunnel = run_client(agent, "curl", "-sS", "-o", "/dev/null", "-w", "%{http_connect}", URLS[1], check=False)
        test.assertNotEqual(tunnel.returncode, 0)
        test.assertEqual(tunnel.stdout, "502")
        return said.stdout

    @staticmethod
    def git(test, agent):
        said = ""
        for base in (HTTP, HTTPS):
            run = run_client(agent, "git", "clone", "-q", base + "/git/small.git", test.scratch + "/never", check=False)
            test.assertNotEqual(run.returncode, 0)
            said += run.stderr
        return said

    @staticmethod
    def wget(test, agent):
        said = ""
        for url in URLS:
            run = run_client(agent, "wget", "--tries=1", "-O", "/dev/null", url, check=False)
            test.assertNotEqual(run.returncode, 0)
            said += run.stderr
        return said

    @staticmethod
    def node(test, agent):
        run = run_client(agent, "node", HERE + "/node_client.js", *URLS, check=False)
        lines = run.stdout.split("\n")
        test.assertEqual([line.split(" ")[0] for line in lines[:2]], ["502", "502"])
        return run.stdout

    @staticmethod
    def python(test, agent):
        said = run_client(agent, world.PYTHON, HERE + "/python_client.py", *URLS).stdout
        test.assertTrue(said.startswith("502 "), said)
        return said

    @staticmethod
    def npm(test, agent):
        said = ""
        for number, base in enumerate((HTTP, HTTPS)):
            run = npm_install(test, agent, base, number)
            test.assertNotEqual(run.returncode, 0)
            said += run.stdout + run.stderr
        return said


def npm_install(test, agent, base, number):
    folder = "%s/npm-%d" % (test.scratch, number)
    os.makedirs(folder)
    with open(folder + "/package.json", "w") as file:
        file.write('{"name": "here", "version": "1.0.0"}\n')
    return run_client(agent, "npm", "install", "--registry=%s/npm/" % base, "--fetch-retries=0", "--no-audit", "--no-fund", "--no-update-notifier",
                      "--loglevel=http", "--cache=%s/cache-%d" % (test.scratch, number), content.NPM_NAME, cwd=folder, check=False)


class Scratch(unittest.TestCase):
    def setUp(self):
        self.scratch = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.scratch)

    def same(self, path):
        with open(path, "rb") as file:
            self.assertEqual(file.read(), content.data(SIZE))


class ClientTest(Scratch):
    """Filled in below: a test for each program, scheme and kind of secret."""


def right(client, scheme):
    def test(self):
        kind, _ = SCHEMES[scheme]
        with agent_for_scheme(scheme) as agent, watching(kind) as lines:
            getattr(Passes, client)(self, agent)
        done = {line.method for line in lines if line.status == 200}
        self.assertIn("GET", done)
        self.assertIn("CONNECT", done)
        self.assertLessEqual({line.user.lower() for line in lines if line.status == 200 and line.user != "-"},
                             {"alice", "lab\\alice", "alice@lab.example"})
    return test


def wrong(client, scheme):
    def test(self):
        kind, _ = SCHEMES[scheme]
        lab.reset("lockme")
        with agent_for_scheme(scheme, "lockme", world.WRONG_PASSWORD) as agent, watching(kind) as lines:
            said = getattr(IsRefused, client)(self, agent)
        self.assertNotRegex(said, r"\b407\b")  # not as part of a port
        if client == "curl":
            for word in ("lockme", lab.proxy(kind).partition("//")[2], "/secret"):
                self.assertIn(word, said)
        self.assertNotIn(world.WRONG_PASSWORD, said)
        if scheme in COUNTED_BY_DIRECTORY:
            self.assertEqual(lab.bad_count("lockme"), 1)
        else:
            self.assertEqual(len(attempts(lines)), 1, lines)
        self.assertFalse([line for line in lines if line.status == 200], lines)
    return test


for _client in ("curl", "git", "wget", "node", "python", "npm"):
    for _scheme in SCHEMES:
        for _word, _make in (("right", right), ("wrong", wrong)):
            _test = _make(_client, _scheme)
            if shutil.which({"python": world.PYTHON}.get(_client, _client)) is None:
                _test = unittest.skip("%s is not installed" % _client)(_test)
            setattr(ClientTest, "test_%s_%s_%s_secret" % (_client, _scheme, _word), _test)


class NothingIsAsked(unittest.TestCase):
    """A proxy that demands nothing, and an agent that may answer nothing."""

    def test_proxy_without_authentication(self):
        for auth in (None, "none"):
            with agent_for("none", auth=auth) as agent, watching("none") as lines:
                for url in URLS:
                    self.assertEqual(run_client(agent, "curl", "-sS", "-o", "/dev/null", "-w", "%{http_code}", url).stdout, "200")
            self.assertEqual({line.credentials for line in lines}, {""})


LISTEN = "[listen]\nhttp = 127.0.0.1:0\nsocks = 127.0.0.1:0\n[forward raw]\nlisten = 127.0.0.1:0\ntarget = origin.example:%d\n" % world.RAW_SPEAKS_FIRST


class OtherWays(Scratch):
    """SOCKS, a fixed tunnel and "exeat connect", with real Squids behind them."""

    def curl(self, agent, way, url, check=True):
        out = self.scratch + "/curl.out"
        environment = {name: "" for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY")}
        return out, run_client(agent, "curl", "-sS", "-o", out, way, "127.0.0.1:%d" % agent.port_of("SOCKS"), url, check=check, **environment)

    def test_each_scheme(self):
        for scheme, (kind, auth) in SCHEMES.items():
            with self.subTest(scheme), agent_for(kind, auth=auth, more=LISTEN) as agent, watching(kind) as lines:
                for way in ("--socks5-hostname", "--socks4a"):
                    for url in URLS:
                        self.same(self.curl(agent, way, url)[0])
                with Wire.connect(agent.port_of("forward raw")) as wire:
                    self.assertEqual(wire.read(6), b"hello ")
                connect = subprocess.Popen([os.path.join(agent.build, "exeat"), "connect", "origin.example", str(world.RAW_SPEAKS_FIRST)], env=agent.env,
                                           stdin=subprocess.PIPE, stdout=subprocess.PIPE)
                self.addCleanup(connect.kill)
                self.assertEqual(connect.stdout.readline(), b"hello from the origin\n")
                connect.communicate()  # Squid ends both directions when it sees the end of one
                self.assertEqual(connect.returncode, 0)
            self.assertEqual({line.method for line in lines if line.status == 200}, {"CONNECT"}, lines)

    def test_squid_says_why(self):
        with agent_for("basic", auth="basic", more=LISTEN) as agent:
            for url, words in (("http://%s/" % world.FORBIDDEN, r"answered 403 Forbidden to CONNECT %s:80 \(ERR_ACCESS_DENIED" % world.FORBIDDEN),
                               ("http://origin.example:9/", r"answered 503 .* \(ERR_CONNECT_FAIL 111\)"),
                               ("http://no-such-name.lab.example/", r"answered 50[03] .* \(ERR_(DNS_FAIL|CANNOT_FORWARD)")):
                with self.subTest(url):
                    done = self.curl(agent, "--socks5-hostname", url, check=False)[1]
                    self.assertEqual(done.returncode, 97, done.stderr)
                    agent.wait_log(words)
            for target, code in ((world.FORBIDDEN, socks.NOT_ALLOWED), ("origin.example", socks.REFUSED), ("no-such-name.lab.example", socks.HOST)):
                with Wire.connect(agent.port_of("SOCKS")) as wire:
                    self.assertEqual(socks.connect5(wire, target, 9), code, target)
