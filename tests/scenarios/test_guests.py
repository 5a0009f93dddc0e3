"""Clients from beyond this machine: containers by a bridge, with a token of their own; and those that share a Unix socket. In networks of our own."""

import base64
import hashlib
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import unittest

import network
import wire
from agent import PATIENCE, build_directory, wait_until
from base import SITE, Later, Scenario, corp
from gates import Ntlm
from proxy import Asks, Open
from wire import Wire, get

HERE, THERE, ELSEWHERE = "192.0.2.1", "192.0.2.17", "198.51.100.9"
TOKEN, OTHER = "T" * 43, "u-_" * 14 + "u"
LISTEN = "[listen]\nhttp = %s:0 127.0.0.1:0\nallow = 192.0.2.0/24 2001:db8::/64\n%s"


def section(name="builder", token=TOKEN, more=""):
    return "[client %s]\ntoken = sha256:%s\n%s" % (name, hashlib.sha256(token.encode()).hexdigest(), more)


def shows(name="builder", token=TOKEN, scheme="Basic"):
    return "Proxy-Authorization: %s %s" % (scheme, base64.b64encode(("%s:%s" % (name, token)).encode()).decode())


@unittest.skipUnless(os.geteuid() == 0, "only root makes networks")
class Guests(Scenario):
    def setUp(self):
        network_of_ours = network.private()
        network_of_ours.__enter__()
        self.addCleanup(network_of_ours.__exit__, None, None, None)
        for address in (HERE + "/24", THERE + "/24", ELSEWHERE + "/24"):
            network.ip("address", "add", address, "dev", "lo")

    def house(self, more=None, behaviour=None, lines="auth = none", listen="", **options):
        proxy = self.proxy(behaviour or Open())
        return proxy, self.agent(LISTEN % (HERE, listen) + proxy.upstream(lines) + (section() if more is None else more), **options)

    def comes(self, agent, source=THERE, host=HERE, port=None):
        """A connection from that address."""
        sock = socket.create_connection((host, port or agent.port), PATIENCE, (source, 0))
        return self.stack.enter_context(Wire(sock))

    def asks(self, agent, *fields, source=THERE, path="/echo", **options):
        return self.comes(agent, source).ask(get(SITE + path, *fields, **options))

    def must_show(self, answer, status=407):
        self.assertEqual(answer.status, status, answer.text)
        self.assertEqual(answer.all("Proxy-Authenticate"), ['Basic realm="exeat"'] if status == 407 else [])
        self.assertIn("error=http_request_denied", answer.get("Proxy-Status"))
        self.assertIn("What to do: ", answer.text)
        self.assertNotIn(TOKEN, answer.text)
        return answer

    def test_named_client(self):
        gate = Ntlm()
        proxy, agent = self.house(behaviour=Asks(gate), lines=corp("ntlm"))
        client = self.comes(agent)
        for _ in range(2):
            self.assertEqual(client.ask(get(SITE + "/echo", shows())).status, 200)
        client.send(get("site.example:443", shows(), method="CONNECT"))
        self.assertEqual(client.read_response("CONNECT").status, 200)
        self.echoes(client)
        self.assertEqual(gate.failed, 0)
        for request in proxy.requests:  # our own identity and nothing of the guest's
            for value in request.all("Proxy-Authorization"):
                self.assertTrue(value.startswith("NTLM "), value)
            self.assertNotIn(TOKEN.encode(), request.raw_head)
        agent.wait_log(r"\[c\d+\.r1\] builder: GET %s/echo: 200" % SITE)
        agent.wait_log("builder: CONNECT site.example:443")
        self.assertNotIn(TOKEN, agent.log())
        self.assertNotIn(base64.b64encode(("builder:" + TOKEN).encode()).decode()[:40], agent.log())

    def test_nothing_shown(self):
        proxy, agent = self.house()
        client = self.comes(agent)
        self.must_show(client.ask(get(SITE + "/echo")))
        self.must_show(client.ask(get("site.example:443", method="CONNECT"), "CONNECT"))
        for request in (get(SITE + "/echo", method="POST", body=b"x"), b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
                        b"GET /exeat.pac HTTP/1.1\r\nHost: 192.0.2.1\r\n\r\n", b"OPTIONS * HTTP/1.1\r\nHost: a\r\nMax-Forwards: 0\r\n\r\n"):
            with self.subTest(request):
                self.must_show(self.comes(agent).ask(request))
        # the same connection, now with the token
        self.assertEqual(client.ask(get(SITE + "/bytes/3", shows())).status, 200)
        # and each request needs it
        self.must_show(client.ask(get(SITE + "/echo")))
        self.assertEqual(len(proxy.requests), 1)

    def test_wrong_ones(self):
        proxy, agent = self.house(section() + section("other", OTHER))
        wrong = [shows(token=TOKEN[:-1]), shows(token=OTHER), shows("nobody"), shows(scheme="Bearer"), shows(scheme="Negotiate"),
                 "Proxy-Authorization: Basic", "Proxy-Authorization: Basic !!!!", "Proxy-Authorization: " + "A" * 5000, shows("builder:x")]
        for i, field in enumerate(wrong):
            with self.subTest(field[:80]):
                source = "192.0.2.%d" % (100 + i)  # each from another address: none has to wait long
                network.ip("address", "add", source + "/24", "dev", "lo")
                self.must_show(self.asks(agent, field, source=source))
        client = self.comes(agent)
        client.send(get(SITE + "/echo", shows(), shows()))  # two of them are none
        self.must_show(client.read_response())
        self.assertEqual(proxy.requests, [])
        agent.wait_log("belong to no \\[client NAME\\]")
        self.assertEqual(agent.status()["guests_refused"], len(wrong) + 1)
        self.assertEqual(self.asks(agent, shows("other", OTHER)).status, 200)

    def test_wrong_ones_wait_and_right_ones_do_not(self):
        proxy, agent = self.house()
        waiting = [Later(self.asks, agent, shows(token=OTHER)) for _ in range(5)]
        wait_until(lambda: agent.status()["guests_refused"] == 5, "five wrong tokens")
        self.assertEqual(self.asks(agent, shows()).status, 200)
        self.assertTrue(any(later.thread.is_alive() for later in waiting))  # four seconds, the last of them
        for later in waiting:
            self.must_show(later.result())
        self.assertEqual(len(proxy.requests), 1)
        self.assertIn(len(re.findall("belong to no", agent.log())), range(1, 5))  # a line a second at most

    def test_too_many_wrong_at_once_are_cut_off(self):
        _, agent = self.house()
        clients = [self.comes(agent) for _ in range(40)]
        os.kill(agent.pid, signal.SIGSTOP)  # so that all of them come before the first has waited long enough
        for client in clients:
            client.send(get(SITE + "/echo", shows(token=OTHER)))
        os.kill(agent.pid, signal.SIGCONT)
        wait_until(lambda: agent.status()["guests_refused"] == 40, "forty wrong tokens")
        ended = wait_until(lambda: sum(self.over(client) for client in clients) or None, "the end of some")
        self.assertEqual(ended, 8)
        self.assertEqual(self.asks(agent, shows()).status, 200)

    def over(self, client):
        """Has it been reset?"""
        client.sock.setblocking(False)
        try:
            return client.sock.recv(1, socket.MSG_PEEK) == b""
        except BlockingIOError:
            return False
        except ConnectionResetError:
            return True
        finally:
            client.sock.settimeout(PATIENCE)

    def test_who_leaves_while_waiting(self):
        _, agent = self.house()
        for _ in range(40):
            client = self.comes(agent)
            client.send(get(SITE + "/echo", shows(token=OTHER)))
            client.close()
        self.assertEqual(self.asks(agent, shows()).status, 200)

    def test_address_that_is_not_allowed(self):
        proxy, agent = self.house()
        client = self.comes(agent, ELSEWHERE)  # not a byte is read before the answer
        answer = self.must_show(client.read_response(), 403)
        self.assertIn(ELSEWHERE, answer.text)
        self.assertIn("allow = ", answer.text)
        self.assertTrue(client.closed())
        client = self.comes(agent, ELSEWHERE)
        client.send(get(SITE + "/echo", shows()))
        self.must_show(client.read_response(), 403)
        self.assertEqual(proxy.requests, [])

    def test_from(self):
        proxy, agent = self.house(section(more="from = 192.0.2.18\n") + section("other", OTHER, "from = %s\n" % THERE))
        answer = self.must_show(self.asks(agent, shows()), 403)
        self.assertIn("may not come from this address", answer.text)
        self.assertEqual(proxy.requests, [])
        self.assertEqual(self.asks(agent, shows("other", OTHER)).status, 200)

    def test_this_machine_needs_no_token(self):
        _, agent = self.house(listen="allow-uids = self\n")
        port = agent.listeners[1][1]
        self.assertEqual(wire.once(port, get(SITE + "/echo")).status, 200)
        self.must_show(self.asks(agent, source=HERE))  # by the bridge's address even a process of our own does

    def test_exeat_connect(self):
        """The verb takes the door that asks for no token, wherever it stands in the list."""
        proxy, agent = self.house()
        answer = agent.exeat("connect", "site.example", "443", input="hello")
        self.assertEqual((answer.returncode, answer.stdout), (0, "hello<5 bytes>"), answer)
        agent = self.agent("[listen]\nhttp = %s:0\nallow = 192.0.2.0/24\n" % HERE + proxy.upstream() + section())
        answer = agent.exeat("connect", "site.example", "443")
        self.assertEqual(answer.returncode, 3, answer)
        self.assertIn("is for clients that have a token; write an address for programs of this machine", answer.stderr)

    def test_any_user_is_no_guest(self):
        """allow-uids = any is about users of this machine."""
        proxy, agent = self.house(listen="allow-uids = any\n")
        self.must_show(self.asks(agent))
        self.must_show(self.comes(agent, ELSEWHERE).read_response(), 403)
        self.assertEqual(proxy.requests, [])
        self.assertEqual(self.asks(agent, shows()).status, 200)

    def test_everywhere(self):
        """One listener for all: who comes by loopback is asked for his uid, others for a token."""
        proxy = self.proxy(Open())
        agent = self.agent("[listen]\nhttp = 0.0.0.0:0 [::]:0\nallow = 192.0.2.0/24 2001:db8::/64\n" + proxy.upstream() + section())
        network.ip("address", "add", "2001:db8::5/64", "dev", "lo", "nodad")
        wait_until(lambda: self.has_way("2001:db8::5"), "the kernel's route to it")
        six = agent.listeners[1][1]
        self.assertEqual(wire.once(agent.port, get(SITE + "/echo")).status, 200)
        self.assertEqual(wire.once(six, get(SITE + "/echo"), host="::1").status, 200)
        self.must_show(self.asks(agent))
        self.must_show(self.comes(agent, "2001:db8::5", "2001:db8::5", six).ask(get(SITE + "/echo")))
        self.assertEqual(self.comes(agent, "2001:db8::5", "2001:db8::5", six).ask(get(SITE + "/echo", shows())).status, 200)

    def has_way(self, address):
        """There and back: the prefix has a route before the address has one, and leads nowhere alone."""
        try:
            with socket.create_server((address, 0), family=socket.AF_INET6) as listener:
                socket.create_connection((address, listener.getsockname()[1]), PATIENCE, (address, 0)).close()
        except OSError:
            return False
        return True

    def test_pass_and_token(self):
        """Where programs' own credentials pass, a guest's token still ends here."""
        for more in ("client-credentials = pass", "client-credentials = drop"):
            with self.subTest(more):
                proxy, agent = self.house(lines="auth = none\n" + more)
                self.assertEqual(self.asks(agent, shows()).status, 200)
                self.assertEqual(proxy.requests[-1].all("Proxy-Authorization"), [])

    def test_use_and_token(self):
        """The one field has the token: who the program's user is to a proxy that asks for that cannot stand there too."""
        proxy, agent = self.house(lines="auth = ntlm\nclient-credentials = use")
        self.own(self.asks(agent, shows()), 403, "http_request_denied", "token", "client-credentials = drop")
        self.assertEqual(proxy.requests, [])

    def test_status(self):
        _, agent = self.house(section() + section("other", OTHER))
        client = self.comes(agent)
        self.assertEqual(client.ask(get(SITE + "/echo", shows())).status, 200)
        tunnel = self.comes(agent)
        tunnel.send(get("site.example:443", shows(), method="CONNECT"))
        self.assertEqual(tunnel.read_response("CONNECT").status, 200)
        self.assertEqual(self.asks(agent, shows("other", OTHER)).status, 200)
        status = agent.status()
        self.assertIn("%s:%d" % (HERE, agent.port), status["listening"])
        self.assertEqual(status["guests"][0], {"name": "builder", "connected": 2, "requests": 2})
        self.assertEqual(status["guests"][1]["requests"], 1)
        self.assertIn("builder       2 connections, 2 requests so far", agent.exeat("status").stdout)
        client.close()
        tunnel.close()
        wait_until(lambda: agent.status()["guests"][0]["connected"] == 0, "the end of both")

    def test_reload(self):
        """A client that is taken out of the configuration is asked again, on the connection that it has."""
        proxy, agent = self.house()
        client = self.comes(agent)
        self.assertEqual(client.ask(get(SITE + "/echo", shows())).status, 200)
        config = open(agent.config_path).read().replace("%s:0" % HERE, "%s:%d" % (HERE, agent.port))
        agent.configure(config.replace(section(), section("other", OTHER)))
        agent.reload()
        self.must_show(client.ask(get(SITE + "/echo", shows())))
        self.assertEqual(client.ask(get(SITE + "/echo", shows("other", OTHER))).status, 200)
        agent.configure(config.replace("192.0.2.0/24", "192.0.2.200"))
        agent.reload()
        self.must_show(client.ask(get(SITE + "/echo", shows())), 403)
        agent.configure(config.replace(section(), ""))
        answer = agent.exeat("reload")
        self.assertEqual(answer.returncode, 3)
        self.assertIn("say who may: write a [client NAME] section", answer.stderr)
        self.assertEqual(len(proxy.requests), 2)

    def test_socks_and_tunnels_stay_at_home(self):
        proxy = self.proxy(Open())
        for lines in ("[listen]\nsocks = %s:0\nallow = 192.0.2.0/24\n" % HERE, "[forward a]\nlisten = %s:0\ntarget = a:1\n" % HERE):
            path = os.path.join(self.stack.enter_context(tempfile.TemporaryDirectory(prefix="exeat-test-")), "exeat.conf")
            with open(path, "w") as file:
                file.write(lines + proxy.upstream() + section())
            answer = subprocess.run([os.path.join(build_directory(), "exeat"), "check", "--config", path], capture_output=True, text=True, check=False)
            self.assertEqual(answer.returncode, 3)
            self.assertIn("only http in [listen] can ask others who they are", answer.stderr)

    def test_address_that_comes_later(self):
        """As that of a bridge which is made when the first container starts."""
        proxy = self.proxy(Open())
        agent = self.agent("[listen]\nhttp = 203.0.113.1:0\nallow = 203.0.113.0/24\n" + proxy.upstream() + section())
        self.assertIn("no interface of this machine has the address 203.0.113.1 at present", agent.log())
        network.ip("address", "add", "203.0.113.1/24", "dev", "lo")
        network.ip("address", "add", "203.0.113.2/24", "dev", "lo")
        answer = self.comes(agent, "203.0.113.2", "203.0.113.1").ask(get(SITE + "/echo", shows()))
        self.assertEqual(answer.status, 200)

    def test_strangers_cannot_fill_the_house(self):
        _, agent = self.house()
        held = [self.comes(agent) for _ in range(256)]
        self.assertEqual(self.asks(agent, shows()).status, 200)  # the one that has been silent for longest made room
        self.assertTrue(held[0].closed())
        self.assertEqual(wire.once(agent.listeners[1][1], get(SITE + "/bytes/1")).status, 200)
        for client in held[1:11]:
            self.assertEqual(client.ask(get(SITE + "/bytes/1", shows())).status, 200)
        for _ in range(11):
            self.comes(agent)
        self.assertEqual(held[11].ask(get(SITE + "/bytes/1", shows())).status, 200)  # who has shown a token takes no stranger's place

    def test_loopback_is_not_theirs(self):
        """What listens on this machine's loopback takes whoever comes for one of us: the agent itself, with its door without tokens, above all."""
        local = self.proxy(Open(), name="local")
        proxy, agent = self.house(section() + "[route]\nno-proxy = localhost 127.0.0.0/8 0.0.0.0 ::1 192.0.2.0/24\n")
        inner = agent.listeners[1][1]
        self.assertEqual(wire.once(inner, get("http://%s/bytes/1" % local.address)).status, 200)  # a connection that a guest must not get either
        for host in ("127.0.0.1", "localhost", "127.1.2.3", "0.0.0.0", "[::1]", "[::ffff:127.0.0.1]", "[::ffff:0.0.0.0]"):
            for port in (local.port, inner):
                with self.subTest(host=host, port=port):
                    answer = self.must_show(self.comes(agent).ask(get("http://%s:%d/" % (host, port), shows())), 403)
                    self.assertIn("is the machine where exeat runs", answer.text)
                    self.must_show(self.comes(agent).ask(get("%s:%d" % (host, port), shows(), method="CONNECT"), "CONNECT"), 403)
        self.assertEqual(wire.once(inner, get("http://%s/bytes/1" % local.address)).status, 200)
        self.assertEqual(len(local.requests), 2)
        self.assertEqual(self.comes(agent).ask(get("http://%s:%d/" % (HERE, agent.port), shows())).status, 407)  # itself by the other door: as any guest
        self.assertEqual(proxy.requests, [])

    @unittest.skipUnless(shutil.which("curl"), "needs curl")
    def test_curl_in_a_container(self):
        """A network of its own behind a pair of veth, as a container's; and the token that the verb made."""
        gate = Ntlm()
        proxy = self.proxy(Asks(gate))
        agent = self.agent("[listen]\nhttp = 172.17.0.1:0\nallow = 172.17.0.0/16\n" + proxy.upstream(corp("ntlm")), start=False)
        made = agent.exeat("token", "builder", "--config", agent.config_path).stdout
        agent.configure(open(agent.config_path).read() + re.search(r"\[client builder\]\n.*\n", made).group())
        network.ip("link", "add", "bridge", "type", "veth", "peer", "name", "inside")
        network.ip("address", "add", "172.17.0.1/16", "dev", "bridge")
        network.ip("link", "set", "bridge", "up")
        container = subprocess.Popen(["unshare", "--net", "--mount", "sleep", "infinity"])
        self.stack.callback(container.wait)
        self.stack.callback(container.kill)
        ours = os.readlink("/proc/thread-self/ns/net")
        wait_until(lambda: os.readlink("/proc/%d/ns/net" % container.pid) != ours, "the container")
        network.ip("link", "set", "inside", "netns", str(container.pid))
        enter = ["nsenter", "-t", str(container.pid), "-n"]
        for words in ("address add 172.17.0.5/16 dev inside", "link set inside up"):
            subprocess.run([*enter, "ip", *words.split()], check=True)
        agent.start()
        url = re.search(r"http://(builder:[\w-]{43})@172\.17\.0\.1:3128\n", made).group(1)

        def curl(user, *words):
            command = [*enter, "curl", "-sS", "-m", str(int(PATIENCE)), "-o", "/dev/null", "-w", "%{http_code} %{http_connect}", "-x",
                       "http://%s172.17.0.1:%d" % (user and user + "@", agent.port), *words]
            return subprocess.run(command, capture_output=True, text=True, check=False, env={"PATH": os.environ["PATH"]}).stdout

        self.assertEqual(curl("", SITE + "/echo"), "407 000")
        self.assertEqual(curl("builder:" + OTHER, SITE + "/echo"), "407 000")
        self.assertEqual(proxy.requests, [])
        self.assertEqual(curl(url, SITE + "/echo"), "200 000")
        self.assertEqual(curl(url, "--proxy-anyauth", SITE + "/echo"), "200 000")
        self.assertIn(" 200", curl(url, "https://site.example/"))  # the tunnel; no TLS behind it
        self.assertEqual(gate.failed, 0)
        self.assertNotIn(url.partition(":")[2], agent.log())


class Sockets(Scenario):
    """The same Unix socket from other namespaces, as a container sees it that has it mounted."""

    inside = ("unshare", "--user", "--map-root-user", "--net", "--mount")

    def house(self):
        proxy = self.proxy(Open())
        agent = self.agent("[listen]\nhttp = unix:@DIR@/socket\nsocks = unix:@DIR@/socks\n" + proxy.upstream())
        if subprocess.run([*self.inside, "true"], capture_output=True, check=False).returncode:
            self.skipTest("no user namespaces here")
        return proxy, agent, os.path.join(agent.directory, "socket"), os.path.join(agent.directory, "socks")

    def curl(self, *words, user=()):
        command = [*user, *self.inside, "curl", "-sS", "-m", str(int(PATIENCE)), *words]
        return subprocess.run(command, capture_output=True, encoding="latin-1", check=False, env={"PATH": os.environ["PATH"]})

    @unittest.skipUnless(shutil.which("curl") and shutil.which("unshare"), "needs curl and unshare")
    def test_mounted_socket(self):
        proxy, _, http, socks = self.house()
        for words in (["--unix-socket", http, "--request-target", SITE + "/bytes/5", SITE],
                      ["-x", "socks5h://localhost" + socks, "http://site.example:81/bytes/5"]):
            answer = self.curl(*words)
            if "socks5h" in words[1]:  # there is no HTTP server behind that tunnel: its echo is what curl takes for an answer
                self.assertEqual(proxy.requests[-1].target, "site.example:81", answer)
            else:
                self.assertEqual((answer.returncode, len(answer.stdout)), (0, 5), answer)
        self.assertEqual([request.method for request in proxy.requests], ["GET", "CONNECT"])

    @unittest.skipUnless(os.geteuid() == 0 and shutil.which("curl") and shutil.which("setpriv"), "needs root, curl and setpriv")
    def test_root_in_there_is_who_he_is_out_here(self):
        """Another user's process that calls itself root in a user namespace."""
        proxy, agent, http, _ = self.house()
        os.chmod(agent.directory, 0o711)
        os.chmod(http, 0o666)
        answer = self.curl("--unix-socket", http, "--request-target", SITE + "/bytes/5", SITE,
                           user=("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"))
        self.assertIn("belongs to uid 65534", answer.stdout, answer)
        self.assertEqual(proxy.requests, [])
