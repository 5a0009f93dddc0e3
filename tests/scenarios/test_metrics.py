"""Figures for monitoring systems: exeat status --metrics and the listener for them; read by the Prometheus client library's own strict parser."""

import os
import re
import signal
import unittest

from agent import wait_until
from base import SITE, Scenario, corp
from behaviours import Silent
from gates import Basic, Ntlm
from ports import free_port
from proxy import Asks, Open
from wire import Wire, get

try:
    from prometheus_client.openmetrics.parser import text_string_to_metric_families
except ImportError:
    text_string_to_metric_families = None

TYPE = "application/openmetrics-text; version=1.0.0; charset=utf-8"


def read(text):
    """{(name, labels as a sorted tuple): value}, after the strict parser; each family has its HELP."""
    figures = {}
    for family in text_string_to_metric_families(text):
        assert family.documentation, family.name
        assert not family.unit or family.name.endswith("_" + family.unit), family.name
        for sample in family.samples:
            figures[sample.name, tuple(sorted(sample.labels.items()))] = sample.value
    return figures


@unittest.skipIf(text_string_to_metric_families is None, "python3-prometheus-client is not installed")
class Figures(Scenario):
    def metrics(self, agent):
        answer = agent.exeat("status", "--metrics")
        self.assertEqual(answer.returncode, 0, answer.stderr)
        self.assertTrue(answer.stdout.endswith("# EOF\n"))
        self.last = answer.stdout
        return read(answer.stdout)

    def figure(self, agent, name, **labels):
        return self.metrics(agent).get(("exeat_" + name, tuple(sorted(labels.items()))))

    def test_fresh(self):
        agent = self.agent(self.proxy(Open()))
        figures = self.metrics(agent)
        self.assertEqual(figures["exeat_tunnels_total", ()], 0)
        self.assertEqual(figures["exeat_keyholder_restarts_total", ()], 0)
        self.assertFalse([key for key in figures if key[0] == "exeat_requests_total"])
        self.assertGreater(figures["exeat_start_time_seconds", ()], 1e9)
        self.assertEqual(len([key for key in figures if key[0] == "exeat_info"]), 1)

    def test_requests(self):
        proxy = self.proxy(Asks(Ntlm(), blocked=()))
        agent = self.agent(proxy.upstream(corp("ntlm")) + "[route]\nno-proxy = 127.0.0.1\nrule = blocked.example block\n")
        origin = self.proxy(Open())
        client = self.wire(agent)
        for path in ("/echo", "/status/204", "/status/404", "/status/503"):
            client.ask(get(SITE + path))
        for _ in range(3):
            client.ask(get("http://blocked.example/"))
        client.ask(get("http://127.0.0.1:%d/echo" % origin.port))
        client.ask(get("http://127.0.0.1:%d/s3cret-path" % origin.port))
        self.ask(agent, host="127.0.0.1:%d" % free_port())
        figures = self.metrics(agent)
        requests = {labels: value for (name, labels), value in figures.items() if name == "exeat_requests_total"}

        def count(route, scheme, status):
            return requests.pop((("route", route), ("scheme", scheme), ("status", status)), None)
        self.assertEqual(count("corp", "NTLM", "2xx"), 2)
        self.assertEqual(count("corp", "NTLM", "4xx"), 1)
        self.assertEqual(count("corp", "NTLM", "5xx"), 1)
        self.assertEqual(count("blocked", "none", "4xx"), 3)
        self.assertEqual(count("direct", "none", "2xx"), 2)
        self.assertEqual(count("direct", "none", "5xx"), 1)
        self.assertEqual(requests, {})
        self.assertEqual(figures["exeat_challenges_total", ()], 2)
        self.assertEqual(figures["exeat_handshakes_total", ()], 1)
        for word in ("s3cret", "site.example", "blocked.example", "alice", str(origin.port)):
            self.assertNotIn(word, self.last)

    def test_tunnels_and_connections(self):
        proxy, agent = self.both(Open())
        where = {"upstream": "corp", "proxy": proxy.address}
        tunnel = self.tunnel(agent)
        self.echoes(tunnel)
        self.assertEqual(self.ask(agent).status, 200)
        figures = self.metrics(agent)
        self.assertEqual((figures["exeat_tunnels_open", ()], figures["exeat_tunnels_total", ()]), (1, 1))
        self.assertEqual(figures["exeat_connections_total", ()], 2)
        self.assertEqual(self.figure(agent, "proxy_connections", state="idle", **where), 1)
        self.assertEqual(self.figure(agent, "proxy_asleep", **where), 0)
        self.assertEqual(self.figure(agent, "transferred_bytes_total", direction="up"), 19)
        tunnel.close()
        wait_until(lambda: self.figure(agent, "tunnels_open") == 0, "the tunnel's end")

    def test_busy_and_clients(self):
        proxy, agent = self.both(Silent())
        client = self.wire(agent)
        client.send(get(SITE + "/echo"))
        proxy.wait_requests(1)
        self.assertEqual(self.figure(agent, "proxy_connections", state="busy", upstream="corp", proxy=proxy.address), 1)
        self.assertEqual(self.figure(agent, "clients"), 1)

    def test_refusals_and_given_up(self):
        agent = self.agent(self.proxy(Asks(Basic("right"))).upstream(corp("basic")), secret="wrong")
        self.assertEqual(self.ask(agent).status, 502)
        self.assertEqual(self.figure(agent, "refusals_total"), 1)

    def test_asleep_and_detour(self):
        port = free_port()
        origin = self.proxy(Open())
        agent = self.agent("[upstream corp]\nproxy = http://127.0.0.1:%d\nauth = none\n[route]\nwhen-unreachable = direct\n" % port)
        self.assertEqual(self.ask(agent, host="127.0.0.1:%d" % origin.port).status, 200)
        self.assertEqual(self.ask(agent, host="127.0.0.1:%d" % origin.port).status, 200)

        def asleep():  # its first sleep is a second, each later one is longer
            self.assertEqual(self.ask(agent, host="127.0.0.1:%d" % origin.port).status, 200)
            return self.figure(agent, "proxy_asleep", upstream="corp", proxy="127.0.0.1:%d" % port)
        wait_until(asleep, "the sleep of the proxy")
        self.assertEqual(self.figure(agent, "detour", upstream="corp"), 1)

    def test_keyholder_restarts(self):
        _, agent = self.both(Asks(Basic()), corp("basic", user="alice"))
        self.assertEqual(self.ask(agent).status, 200)
        os.kill(agent.keys_pid(), signal.SIGKILL)
        wait_until(lambda: self.figure(agent, "keyholder_restarts_total") == 1, "the restart to be counted")

    def test_counters_outlive_a_reload(self):
        proxy, agent = self.both(Open())
        self.assertEqual(self.ask(agent).status, 200)
        agent.configure(proxy.upstream(name="other"))
        agent.reload()
        self.assertEqual(self.ask(agent).status, 200)
        for route in ("corp", "other"):
            self.assertEqual(self.figure(agent, "requests_total", route=route, scheme="none", status="2xx"), 1)


@unittest.skipIf(text_string_to_metric_families is None, "python3-prometheus-client is not installed")
class Listener(Scenario):
    def place(self, address="127.0.0.1:0", **options):
        self.proxy_ = self.proxy(Open())
        return self.agent("[listen]\nhttp = 127.0.0.1:0\ndrain = 0\nmetrics = %s\n" % address + self.proxy_.upstream(), **options)

    def door(self, agent):
        return self.stack.enter_context(Wire.connect(agent.port_of("figures")))

    def test_metrics(self):
        agent = self.place()
        client = self.door(agent)
        self.assertEqual(self.ask(agent).status, 200)
        for _ in range(3):
            answer = client.ask(get("/metrics", "Accept: application/openmetrics-text").replace(b"Host: /metrics", b"Host: localhost"))
            self.assertEqual((answer.status, answer.get("Content-Type")), (200, TYPE))
        figures = read(answer.text)
        self.assertEqual(figures["exeat_requests_total", (("route", "exeat"), ("scheme", "none"), ("status", "2xx"))], 2)
        self.assertRegex(agent.exeat("status").stdout, r"figures on\s+127\.0\.0\.1:\d+")

    def test_unix(self):
        agent = self.place("unix:@DIR@/runtime/figures")
        with Wire.connect_unix(os.path.join(agent.directory, "runtime", "figures")) as client:
            answer = client.ask(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")
        self.assertEqual(answer.status, 200)
        read(answer.text)

    def test_nothing_else_is_there(self):
        agent = self.place()
        for request, status in ((b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", 404), (b"GET /exeat.pac HTTP/1.1\r\nHost: localhost\r\n\r\n", 404),
                                (b"POST /metrics HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n", 404),
                                (get(SITE + "/echo"), 404), (get("site.example:443", method="CONNECT"), 404),
                                (get("http://localhost/metrics"), 404), (b"\5\1\0", 400)):
            with self.subTest(request):
                client = self.door(agent)
                client.send(request)
                answer = client.read_response("GET")
                self.own(answer, status)
        self.assertEqual(self.proxy_.requests, [])

    def test_not_at_the_other_doors(self):
        agent = self.place()
        self.own(self.wire(agent).ask(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n"), 400)

    def test_other_hosts(self):
        """A page in a browser whose name leads here (DNS rebinding)."""
        agent = self.place()
        for lines in (b"Host: evil.example", b"Host: localhost\r\nOrigin: http://evil.example", b"Host: 127.0.0.1.evil.example"):
            with self.subTest(lines):
                answer = self.own(self.door(agent).ask(b"GET /metrics HTTP/1.1\r\n" + lines + b"\r\n\r\n"), 403)
                self.assertNotIn("exeat_", answer.text)

    def test_other_users(self):
        agent = self.agent("[listen]\nhttp = 127.0.0.1:0\ndrain = 0\nmetrics = 127.0.0.1:0\nallow-uids = 4242\n" + self.proxy(Open()).upstream())
        answer = self.door(agent).ask(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")
        self.own(answer, 403, None, "whom this proxy does not serve")
        self.assertIn("exeat_turned_away_total 1\n", agent.exeat("status", "--metrics").stdout)

    def test_reload(self):
        agent = self.place()
        port = agent.port_of("figures")
        agent.configure("[listen]\nhttp = 127.0.0.1:0\n" + self.proxy_.upstream())
        agent.reload()
        with self.assertRaises(ConnectionRefusedError):
            Wire.connect(port)
        self.assertIsNone(re.search(r"figures on", agent.exeat("status").stdout))
