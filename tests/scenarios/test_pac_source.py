"""Where the script comes from, seen from the running agent: web servers of every kind, the copy on disk, the desktop's settings, WPAD."""

import contextlib
import http.server
import os
import shutil
import socket
import subprocess
import tempfile
import threading
import unittest

import network
from agent import wait_until
from base import Later, together
from ports import free_port
from proxy import Open
from test_pac import Pac, find, say


class WebServer(http.server.ThreadingHTTPServer):
    """A web server with one answer: (status, body, fields), which may be replaced at any time. seen: the fields of each request."""

    daemon_threads = True

    def __init__(self, body, port=0, host="127.0.0.1"):
        super().__init__((host, port), self.Handler)
        self.seen = []
        self.answer = (200, body, {})
        self.url = "http://%s:%d/proxy.pac" % self.server_address
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def stop(self):
        self.shutdown()
        self.server_close()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.server.seen.append(dict(self.headers, path=self.path))
            status, body, fields = self.server.answer
            self.send_response(status)
            for name, value in fields.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body.encode() if isinstance(body, str) else body)

        def log_message(self, *_):
            pass


class Source(Pac):
    def setUp(self):
        super().setUp()
        self.a, self.b = None, None

    def web(self, body, **options):
        server = WebServer(body, **options)
        self.stack.callback(server.stop)
        return server

    def proxies(self):
        self.a, self.b = self.proxy(Open(), name="a"), self.proxy(Open(), name="b")
        return "PROXY " + self.b.address

    def by(self, route, listen="", **options):
        return self.agent(listen + self.a.upstream() + "[route]\n" + route, **options)

    def went(self, agent, proxy, **options):
        """A request, and it went by this proxy."""
        before = len(proxy.requests)
        answer = self.ask(agent, **options)
        self.assertEqual((answer.status, len(proxy.requests) - before), (200, 1), answer.text + agent.log())


class Web(Source):
    def test_a_bad_script_never_takes_the_place_of_a_good_one(self):
        """A hotel's page that has the word in it, or a slip of the administrator's: requests go on by the script that there was."""
        server = self.web(say(self.proxies()))
        agent = self.by("pac = %s\npac-failure = block\n" % server.url)
        self.went(agent, self.b)
        for body in ("<html>FindProxyForURL</html>", find("for (;;"), "function FindProxyForURL() {} throw 1;", "for (;;); function FindProxyForURL() {}"):
            seen = len(server.seen)
            server.answer = (200, body, {})
            agent.exeat("reload", check=True)
            results = []

            def ask():  # also while it is being loaded: such a request waits for the verdict, and goes on by the one that there was
                results.append(self.ask(agent, host="site%d.example" % len(results)).status)
                return len(server.seen) > seen and self.pac(agent)["error"]

            wait_until(ask, "the second look, and the verdict")
            self.assertEqual(set(results), {200}, (body, agent.log()))
            self.assertEqual(self.a.requests, [])
            self.went(agent, self.b, host="after.example")

    def test_a_bad_one_after_a_start_with_the_copy(self):
        server = self.web(say(self.proxies()))
        agent = self.by("pac = %s\npac-failure = block\n" % server.url)
        self.went(agent, self.b)
        self.restart(agent)
        server.answer = (200, "<html>FindProxyForURL</html>", {})
        self.went(agent, self.b)
        wait_until(lambda: self.pac(agent)["error"], "the verdict")
        self.went(agent, self.b, host="other.example")
        self.assertTrue(self.pac(agent)["from_disk"])  # nobody has confirmed it in this run

    def restart(self, agent, damage=lambda: None):
        folder = os.path.join(agent.env["XDG_STATE_HOME"], "exeat", "pac")
        wait_until(lambda: [name for name in os.listdir(folder) if not name.endswith(".new")], "the copy on disk")
        agent.stop()
        damage()
        agent.start()

    def test_a_silent_server_costs_one_wait(self):
        """Who comes while it is still silent does not wait as long again."""
        silent = socket.create_server(("127.0.0.1", 0))
        self.stack.callback(silent.close)
        self.proxies()
        agent = self.by("pac = http://127.0.0.1:%d/proxy.pac\n" % silent.getsockname()[1])
        self.assertEqual([answer.status for answer in together(5, lambda i: self.ask(agent))], [200] * 5)
        self.assertEqual(self.pac(agent)["state"], "being looked for")
        for _ in range(3):
            self.went(agent, self.a)
            self.assertEqual(self.pac(agent)["state"], "being looked for")
        connection, _ = silent.accept()
        connection.recv(65536)
        body = say("PROXY " + self.b.address).encode()
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        connection.close()
        wait_until(lambda: self.pac(agent)["state"] == "good", "the script")
        self.went(agent, self.b)

    def test_it_changes_under_load(self):
        server = self.web(say(self.proxies()))
        agent = self.by("pac = %s\npac-failure = block\n" % server.url)
        self.went(agent, self.b)
        entries = ["PROXY " + self.a.address, "PROXY " + self.b.address]

        def change():
            for i in range(10):
                server.answer = (200, say(entries[i % 2]), {})
                agent.exeat("reload", check=True)

        changing = Later(change)
        answers = together(8, lambda i: [self.ask(agent, host="site%d.example" % k).status for k in range(20)])
        changing.result()
        self.assertEqual({status for statuses in answers for status in statuses}, {200}, agent.log())


class Environment(Source):
    def test_a_script(self):
        server = self.web(say(self.proxies()))
        agent = self.by("pac = system\n", env={"auto_proxy": server.url})
        self.went(agent, self.b)
        self.assertEqual(self.pac(agent)["found"], "the environment")

    def test_proxies_and_exceptions(self):
        self.proxies()
        agent = self.by("pac = system\n", env={"http_proxy": self.b.url, "no_proxy": self.a.address.split(":")[0]})
        self.went(agent, self.b)
        self.went(agent, self.a, host=self.a.address)
        self.assertRegex(agent.exeat("route", "http://x.example/", check=True).stdout,
                         r"the environment was asked about http://x\.example/\nits answer: PROXY %s\n=> proxy" % self.b.address)
        self.assertRegex(agent.exeat("route", "https://x.example/", check=True).stdout, "its answer: DIRECT\n=> direct to x.example:443")

    def test_it_points_at_ourselves(self):
        port = free_port()
        self.proxies()
        for variables in ({"http_proxy": "http://127.0.0.1:%d" % port, "https_proxy": "http://localhost:%d/" % port}, {"auto_proxy": "http://127.0.0.1:%d/exeat.pac" % port}):
            agent = self.by("pac = system\n", "[listen]\nhttp = 127.0.0.1:%d\n" % port, env=variables)
            self.went(agent, self.a)
            self.assertRegex(agent.exeat("route", "http://x.example/", check=True).stdout, "there is no PAC script here: .*point at this agent itself.*: the first upstream\n=> proxy")
            agent.stop()

    def test_nothing(self):
        self.proxies()
        agent = self.by("pac = system\n")
        self.went(agent, self.a)
        self.assertEqual(self.pac(agent)["state"], "there is none here")


class Kde(Source):
    KDE = {"XDG_CURRENT_DESKTOP": "KDE"}

    def settings(self, agent, *lines):
        agent.write("home/.config/kioslaverc", "[Proxy Settings]\n" + "\n".join(lines) + "\n")

    def test_it_is_followed(self):
        server = self.web(say(self.proxies()))
        agent = self.by("pac = system\n", env=self.KDE)
        self.went(agent, self.a)
        self.settings(agent, "ProxyType=2", "Proxy Config Script=" + server.url)
        wait_until(lambda: self.ask(agent).status == 200 and self.b.requests, "the script")
        self.settings(agent, "ProxyType=1", "httpProxy=http://127.0.0.1 %d" % self.a.port, "NoProxyFor=site.example")
        wait_until(lambda: self.pac(agent)["state"] == "the settings name proxies" or not self.ask(agent), "the proxies")
        said = agent.exeat("route", "http://other.example/", check=True).stdout
        self.assertRegex(said, r"(?s)KDE's settings were asked about http://other\.example/\n.*=> proxy %s" % self.a.address)
        self.assertRegex(agent.exeat("route", "http://www.site.example/", check=True).stdout, "=> direct to www.site.example:80")
        self.settings(agent, "ProxyType=3")
        wait_until(lambda: self.ask(agent).status == 200 and "wpad = dns" in self.pac(agent)["error"], "WPAD, which is off")
        self.settings(agent, "ProxyType=0")
        wait_until(lambda: self.ask(agent).status == 200 and "name no proxy" in self.pac(agent)["error"], "none")


@unittest.skipUnless(all(map(shutil.which, ("gsettings", "dbus-run-session"))), "there is no gsettings")
class Gnome(Source):
    """The real gsettings, with the keyfile backend in a home of its own."""

    @contextlib.contextmanager
    def session(self):
        home = tempfile.mkdtemp(prefix="exeat-test-gnome-")
        try:
            yield {"XDG_CURRENT_DESKTOP": "GNOME", "GSETTINGS_BACKEND": "keyfile", "XDG_CONFIG_HOME": home, "HOME": home, "GIO_USE_VFS": "local"}
        finally:
            shutil.rmtree(home, ignore_errors=True)

    def set(self, env, *rows):
        for row in rows:
            subprocess.run(["gsettings", "set"] + list(row), env=dict(env, PATH=os.environ["PATH"], DBUS_SESSION_BUS_ADDRESS="unix:path=/nowhere"), check=True,
                           stdin=subprocess.DEVNULL, capture_output=True)

    def test_it_is_followed(self):
        server = self.web(say(self.proxies()))
        top = "org.gnome.system.proxy"
        with self.session() as env:
            port = free_port()
            agent = self.by("pac = system\n", "[listen]\nhttp = 127.0.0.1:%d\n" % port, env=env)
            self.went(agent, self.a)
            self.assertEqual(self.pac(agent)["found"], "GNOME's settings")
            self.set(env, (top, "autoconfig-url", server.url), (top, "mode", "auto"))
            wait_until(lambda: self.ask(agent).status == 200 and self.b.requests, "the script")
            self.set(env, (top + ".http", "host", "127.0.0.1"), (top + ".http", "port", str(self.a.port)), (top, "ignore-hosts", "['.site.example']"), (top, "mode", "manual"))
            wait_until(lambda: "=> proxy %s" % self.a.address in agent.exeat("route", "http://other.example/").stdout, "the proxy")
            wait_until(lambda: "=> direct to www.site.example:80" in agent.exeat("route", "http://www.site.example/").stdout, "the exception")
            self.set(env, (top + ".http", "port", str(port)))
            wait_until(lambda: "point at this agent itself" in agent.exeat("route", "http://other.example/").stdout, "ourselves")
            self.set(env, (top, "mode", "none"))
            wait_until(lambda: self.ask(agent).status == 200 and "name no proxy" in self.pac(agent)["error"], "none")
            self.went(agent, self.a)


@unittest.skipUnless(os.geteuid() == 0, "only root makes networks and mounts")
class Wpad(Source):
    def test_by_dns(self):
        with network.private():
            server = self.web(say(self.proxies()), port=80)
            folder = tempfile.mkdtemp(prefix="exeat-test-wpad-")
            self.stack.callback(shutil.rmtree, folder)
            for name, text in (("resolv.conf", "nameserver 127.0.0.1\nsearch one.example sub.corp.example example\n"),
                               ("hosts", "127.0.0.1 localhost\n127.0.0.1 wpad.sub.corp.example wpad.sub.corp.example.\n")):
                with open(os.path.join(folder, name), "w", encoding="ascii") as file:
                    file.write(text)
            mount = 'mount --bind %s/resolv.conf /etc/resolv.conf && mount --bind %s/hosts /etc/hosts && exec "$@"' % (folder, folder)
            agent = self.by("wpad = dns\n", wrap=["unshare", "--mount", "sh", "-c", mount, "sh"])
            agent.wait_log("wpad = dns: whoever answers")
            self.went(agent, self.b)
            self.assertEqual([(seen["path"], seen["Host"].rstrip(".")) for seen in server.seen], [("/wpad.dat", "wpad.sub.corp.example")])
            self.assertRegex(agent.exeat("status", check=True).stdout, r"PAC script http://wpad\.sub\.corp\.example\.?/wpad\.dat\n +state +good\n +named by +WPAD")


@unittest.skipUnless(os.geteuid() == 0, "only root makes networks")
class Laptop(Source):
    """A day: no network, the office, its proxies vanish and come back, another start without a network. The cable is real."""

    def cable(self, agent, state):
        changes = agent.log().count("the network has changed")
        network.ip("link", "set", "eth0", state)
        wait_until(lambda: agent.log().count("the network has changed") > changes, "news of the cable")

    def day(self, policy):
        """In the office by its proxy, outside directly; `home` is what answers everywhere."""
        with network.joined() as self.far:
            home = self.proxy(Open(), name="home")
            with network.inside(self.far):
                self.a, self.b = (self.proxy(Open(), name=name, host=network.FAR) for name in "ab")
                server = self.web(say("PROXY %s" % self.b.address), host=network.FAR)
            network.ip("link", "set", "eth0", "down")
            agent = self.by("pac = %s\n%s" % (server.url, policy))
            yield agent, home, server
            self.cable(agent, "up")
            wait_until(lambda: self.ask(agent, host=home.address).status == 200 and self.b.requests, "the office")
            self.assertEqual(self.pac(agent)["state"], "good")
            self.went(agent, self.b, host=home.address)
            yield agent, home, server

    def test_without_a_network_the_first_time(self):
        for policy, line in (("when-unreachable = direct\n", r"direct \(when-unreachable = direct\)"), ("pac-failure = direct\n", "=> direct to"),
                             ("pac-failure = block\n", "=> blocked"), ("", "=> proxy")):
            with self.subTest(policy):
                day = self.day(policy)
                agent, home, _ = next(day)
                answer = self.ask(agent, host=home.address)
                self.assertEqual(answer.status, 200 if "direct" in policy else 502, answer.text)
                self.assertRegex(agent.exeat("route", "http://%s/" % home.address, check=True).stdout, "(?s)it failed: .*cannot connect.*" + line)
                self.assertEqual(self.pac(agent)["state"], "cannot be had")
                agent, _, _ = next(day)
                agent.stop()
                day.close()

    def test_proxies_and_cables_come_and_go(self):
        day = self.day("when-unreachable = direct\n")
        next(day)
        agent, home, server = next(day)
        for _ in range(3):
            self.cable(agent, "down")
            self.assertEqual([self.ask(agent, host=home.address).status for _ in range(3)], [200] * 3)
            self.assertTrue(self.pac(agent)["direct"])
            self.assertRegex(agent.exeat("route", "http://%s/" % home.address, check=True).stdout,
                             r"(?s)=> direct \(when-unreachable = direct\)\n.*not at present: proxy %s .*could not be reached" % self.b.address)
            self.cable(agent, "up")
            wait_until(lambda: self.ask(agent, host=home.address).status == 200 and not self.pac(agent)["direct"], "the way back")
            self.went(agent, self.b, host=home.address)
        self.b.stop_listening()
        self.b.drop_all()
        wait_until(lambda: self.ask(agent, host=home.address).status == 200 and self.pac(agent)["direct"], "the way past a proxy that vanished")
        with network.inside(self.far):
            back = self.proxy(Open(), host=network.FAR, port=self.b.port)
        wait_until(lambda: self.ask(agent, host=home.address).status == 200 and back.requests, "the proxy again")
        network.ip("link", "set", "eth0", "down")
        agent.stop()
        agent.start()
        self.assertEqual(self.ask(agent, host=home.address).status, 200)
        self.assertTrue(self.pac(agent)["from_disk"])
        self.cable(agent, "up")
        wait_until(lambda: self.ask(agent, host=home.address).status == 200 and not self.pac(agent)["direct"] and not self.pac(agent)["from_disk"], "the office again")
        agent.stop()
        day.close()
