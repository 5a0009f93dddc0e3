"""A PAC script before real Squids: which of them is asked, with whose identity, and what happens when one of them, or the network, goes away."""

import http.server
import os
import threading
import unittest

import agent as lib_agent
import server
import world
from agent import Agent, wait_until
from lab import lab
from session import HTTP, HTTPS, ask, connect, run_client, upstream
from test_outages import CLIENTS, ROUNDS, SPARE_PORT, TARGET, Count

NTLM, OPEN = ("proxy.lab.example:%d" % world.PORTS[kind] for kind in ("ntlm", "none"))
SPARE = "proxy.lab.example:%d" % SPARE_PORT


@unittest.skipUnless(os.path.isfile(os.path.join(lib_agent.build_directory(), "exeat-pac")), "exeat-pac was not built")
class PacTest(unittest.TestCase):
    def agent(self, body, more="", route=""):
        script = "function FindProxyForURL(url, host) {\n%s\n}\n" % body
        return Agent(upstream("ntlm") + more + "[route]\npac = @DIR@/proxy.pac\n" + route, env={"KRB5_CONFIG": "/etc/krb5.conf"},
                     files={"secret": world.PASSWORDS["alice"] + "\n", "proxy.pac": script})


class ByDomain(PacTest):
    def test_each_domain_by_its_squid(self):
        """One is the configuration's own and lets alice in; the other only the script names, and it gets no credentials."""
        body = "return dnsDomainIs(host, 'www.origin.example') ? 'PROXY %s' : 'PROXY %s';" % (OPEN, NTLM)
        logs = {kind: len(lab.squid_log(kind)) for kind in ("ntlm", "none")}
        with self.agent(body) as agent:
            for target in (HTTP, HTTPS, HTTP.replace("//", "//www."), HTTPS.replace("//", "//www.")):
                run_client(agent, "curl", "-sS", "--fail", "-o", "/dev/null", target + "/bytes/1000")
            said = agent.exeat("route", "https://origin.example/", check=True).stdout
            self.assertRegex(said, r"=> proxy %s \(upstream corp\)" % NTLM)
        by_ntlm, by_open = (lab.squid_log(kind)[logs[kind]:] for kind in ("ntlm", "none"))
        self.assertTrue(all("www." not in line.url for line in by_ntlm), by_ntlm)
        self.assertEqual({line.user for line in by_ntlm if line.status == 200}, {"LAB\\alice"})
        self.assertEqual(len(by_open), 2)
        self.assertTrue(all("www." in line.url and not line.credentials for line in by_open), by_open)

    def test_a_squid_that_only_the_script_names_and_that_asks(self):
        body = "return 'PROXY proxy.lab.example:%d';" % world.PORTS["multi"]
        before = len(lab.squid_log("multi"))
        with self.agent(body) as agent:
            answer = ask(agent, TARGET)
            self.assertEqual(answer.status, 502)
            self.assertIn("hosts = proxy.lab.example:%d" % world.PORTS["multi"], answer.text)
        with self.agent(body, "hosts = .lab.example\n") as agent:
            self.assertEqual([ask(agent, TARGET).status, connect(agent).status], [200, 200])
        lines = lab.squid_log("multi")[before:]
        self.assertEqual((lines[0].status, lines[0].credentials), (407, ""))


class Outages(PacTest):
    def test_one_of_two_killed_under_load(self):
        with lab.another_squid("ntlm", SPARE_PORT) as squid, self.agent("return 'PROXY %s; PROXY %s';" % (SPARE, NTLM), "hosts = .lab.example\n") as agent:
            self.assertEqual(ask(agent, TARGET).status, 200)
            count = Count()
            count.run(agent, squid.kill)
            self.assertEqual(len(count.answers), CLIENTS * ROUNDS)
            self.assertLessEqual(len(count.lost()), CLIENTS, count.lost())  # what was on its way
            for page in count.pages:
                self.assertNotIn("cannot connect", page)
            self.assertEqual([connect(agent).status for _ in range(3)], [200] * 3)


class Origin(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


class Laptop(PacTest):
    def test_direct_outside_the_office(self):
        """The script looks at this machine's own address: in the office there is a proxy, elsewhere there is none. A change of the network makes it be
        asked again."""
        here = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Origin)
        threading.Thread(target=here.serve_forever, daemon=True).start()
        self.addCleanup(here.server_close)
        self.addCleanup(here.shutdown)
        local = "http://127.0.0.1:%d/" % here.server_address[1]
        body = "return isInNet(myIpAddress(), '10.53.1.0', '255.255.255.0') ? 'PROXY %s' : 'DIRECT';" % NTLM
        with self.agent(body) as agent:
            self.assertEqual(ask(agent, TARGET).status, 200)
            self.assertNotEqual(ask(agent, local).status, 200)  # Squid has no such server
            changes = agent.log().count("the network has changed")
            server.ip("link set eth0 down")
            try:
                wait_until(lambda: agent.log().count("the network has changed") > changes, "news of the cable")
                wait_until(lambda: ask(agent, local).status == 200, "the way without a proxy")
                changes = agent.log().count("the network has changed")
            finally:
                server.ip("link set eth0 up")
            wait_until(lambda: agent.log().count("the network has changed") > changes, "news of the cable")
            wait_until(lambda: ask(agent, local).status != 200, "the proxy again")
            self.assertEqual(ask(agent, TARGET).status, 200)
