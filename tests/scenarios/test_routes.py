"""Which way a request goes: rules, several upstreams, proxies that cannot be reached, and the way without them."""

from agent import wait_until
from base import SITE, Scenario, corp, together
from gates import Basic
from proxy import Asks, Open

DETOUR = "[route]\nwhen-unreachable = direct\n"


class Rules(Scenario):
    def test_each_destination_to_its_upstream(self):
        corp_proxy, lab = self.proxy(Open(), name="corp"), self.proxy(Open(), name="lab")
        agent = self.agent(corp_proxy.upstream() + lab.upstream(name="lab") + "[route]\nrule = *.lab.example lab\nrule = lab.example:443 lab\n")
        for host in ("a.lab.example", "www.example", "lab.example"):
            self.assertEqual(self.ask(agent, host=host).status, 200)
        self.tunnel(agent, "lab.example:443")
        self.assertEqual([r.target for r in lab.requests], ["http://a.lab.example/echo", "lab.example:443"])
        self.assertEqual([r.target for r in corp_proxy.requests], ["http://www.example/echo", "http://lab.example/echo"])

    def test_each_upstream_has_an_identity_of_its_own(self):
        gates = [Basic(user="alice", password="of corp"), Basic(user="bob", password="of lab")]
        proxies = [self.proxy(Asks(gate)) for gate in gates]
        agent = self.agent(proxies[0].upstream(corp("basic", user="alice", secret="file:@DIR@/one"))
                           + proxies[1].upstream(corp("basic", user="bob", secret="file:@DIR@/two"), name="lab")
                           + "[route]\nrule = *.lab.example lab\n", files={"one": "of corp\n", "two": "of lab\n"})
        self.assertEqual([self.ask(agent, host=host).status for host in ("x.lab.example", "www.example", "y.lab.example")], [200, 200, 200])
        self.assertEqual([gate.failed for gate in gates], [0, 0])

    def test_blocked(self):
        proxy, agent = self.both(Open(), more="[route]\nrule = *.ads.example block\n")
        self.own(self.ask(agent, host="x.ads.example"), 403, "http_request_denied", r"rule \*\.ads\.example block")
        self.tunnel(agent, "x.ads.example:443", expect=403)
        self.assertEqual(proxy.requests, [])
        self.assertEqual(self.ask(agent).status, 200)

    def test_direct_by_rule(self):
        origin = self.proxy(Open(), name="origin")
        proxy, agent = self.both(Open(), more="[route]\nrule = 127.0.0.0/8 direct\n")
        self.assertEqual(self.ask(agent, host=origin.address).status, 200)
        self.assertEqual((len(origin.requests), proxy.requests), (1, []))

    def test_a_rule_for_no_upstream_is_an_error(self):
        proxy, agent = self.both(Open())
        path = agent.write("bad.conf", proxy.upstream() + "[route]\nrule = *.lab.example cor\n")
        done = agent.exeat("check", "--config", path)
        self.assertEqual(done.returncode, 3)
        self.assertRegex(done.stderr, r'bad\.conf: .*there is no \[upstream cor\]; did you mean "corp"\?')


class Explained(Scenario):
    def test_by_the_agent(self):
        proxy, agent = self.both(Open(), more="[route]\nno-proxy = .internal.example\nrule = *.ads.example block\n")
        for url, words in (("https://www.example/x", r"no-proxy \.internal\.example: does not match\n.*no rule matches: the first upstream\n=> proxy 127"),
                           ("http://a.internal.example", r"\.internal\.example: matches\n=> direct to a\.internal\.example:80\n"),
                           ("x.ads.example:443", r"block: matches\n=> blocked\n")):
            done = agent.exeat("route", url, check=True)
            self.assertRegex(done.stdout, r"(?s)by the running agent\n.*" + words)
        self.assertEqual((proxy.connections, agent.exeat("route").returncode, agent.exeat("route", "http://[").returncode), ([], 2, 2))

    def test_from_the_configuration(self):
        proxy, agent = self.both(Open())
        path = agent.write("other.conf", proxy.upstream(name="lab"))
        self.assertRegex(agent.exeat("route", "--config", path, "www.example", check=True).stdout, r"\(upstream lab\)")
        agent.stop()
        self.assertRegex(agent.exeat("route", "--config", path, "www.example", check=True).stdout, r"no agent is running")


class Failover(Scenario):
    def two(self, more="", lines="auth = none"):
        dead, alive = self.proxy(Open(), name="dead"), self.proxy(Open(), name="alive")
        dead.stop_listening()
        agent = self.agent("[upstream corp]\nproxy = %s %s\n%s\n%s" % (dead.url, alive.url, lines, more))
        return dead, alive, agent

    def test_the_next_is_tried_in_the_same_request(self):
        _, alive, agent = self.two()
        self.assertEqual(self.ask(agent).status, 200)
        self.assertEqual(self.ask(agent, method="POST", body=b"x" * 300000).status, 200)
        self.tunnel(agent)
        self.assertEqual(len(alive.requests), 3)

    def test_one_that_sleeps_is_not_dialled_for_each_request(self):
        _, alive, agent = self.two()
        together(20, lambda i: self.assertEqual(self.ask(agent).status, 200))
        self.assertEqual(len(alive.requests), 20)
        told = agent.log().count("; trying ")
        for _ in range(20):
            self.ask(agent)
        self.assertLessEqual(agent.log().count("; trying ") - told, 3)  # at most when its sleep had ended

    def test_it_is_used_again_when_it_answers(self):
        dead, alive, agent = self.two()
        self.ask(agent)
        back = self.proxy(Open(), port=dead.port)
        wait_until(lambda: self.ask(agent).status == 200 and back.requests, "the first proxy again")

    def test_with_none_awake_they_are_tried_all_the_same(self):
        proxy, agent = self.both(Open())
        proxy.stop_listening()
        self.own(self.ask(agent), 502, "connection_refused")
        back = self.proxy(Open(), port=proxy.port)
        self.assertEqual(self.ask(agent).status, 200)
        self.assertEqual(len(back.requests), 1)


class Detour(Scenario):
    def start(self, lines="auth = none"):
        origin, proxy = self.proxy(Open(), name="origin"), self.proxy(Open())
        proxy.stop_listening()
        return origin, proxy, self.agent(proxy.upstream(lines) + DETOUR)

    def test_fails_without_the_setting(self):
        origin, proxy = self.proxy(Open(), name="origin"), self.proxy(Open())
        proxy.stop_listening()
        agent = self.agent(proxy.upstream())
        for _ in range(3):
            self.own(self.ask(agent, host=origin.address), 502, "connection_refused")
        self.assertEqual(origin.requests, [])

    def test_direct_while_no_proxy_answers_and_back(self):
        origin, proxy, agent = self.start()
        for _ in range(3):
            self.assertEqual(self.ask(agent, host=origin.address).status, 200)
        self.assertEqual(len(origin.requests), 3)
        self.assertEqual(agent.log().count("requests go direct until one answers"), 1)
        self.assertRegex(agent.exeat("status", check=True).stdout, "direct")
        back = self.proxy(Open(), port=proxy.port)
        wait_until(lambda: self.ask(agent, host=origin.address).status == 200 and back.requests, "the proxy again")
        self.assertEqual(agent.log().count("back on the proxy"), 1)
        self.assertNotRegex(agent.exeat("status", check=True).stdout, "direct")

    def test_route_says_what_would_be_tried_now(self):
        """The verb's answer is in the order of a request's: what sleeps is not the first."""
        dead, alive = self.proxy(Open()), self.proxy(Open())
        dead.stop_listening()
        for more, last in (("", "   else proxy %s " % dead.address), ("[route]\nwhen-unreachable = direct\n", "   not at present: proxy %s " % dead.address)):
            agent = self.agent("[upstream corp]\nproxy = %s %s\nauth = none\n%s" % (dead.url, alive.url, more))
            self.assertIn("=> proxy %s " % dead.address, agent.exeat("route", SITE).stdout)

            def said():  # its first sleep is a second, each later one is longer
                self.assertEqual(self.ask(agent).status, 200)
                lines = agent.exeat("route", SITE).stdout.splitlines()
                return lines[2].startswith("=> proxy %s " % alive.address) and lines
            lines = wait_until(said, "an answer while it sleeps")
            self.assertTrue(lines[-1].startswith(last) and "could not be reached" in lines[-1], lines)
        agent = self.agent("[upstream corp]\nproxy = %s\nauth = none\n[route]\nwhen-unreachable = direct\n" % dead.url)
        self.ask(agent, host=alive.address)
        self.assertIn("\n=> direct (when-unreachable = direct)\n   not at present: proxy", agent.exeat("route", SITE).stdout)

    def test_tunnels_too(self):
        class Echo(Open):
            def serve(self, conn):
                self.tunnel(conn)
        origin = self.proxy(Echo(), name="origin")
        _, _, agent = self.start()
        for _ in range(2):
            self.echoes(self.tunnel(agent, origin.address))

    def test_no_credentials_go_that_way(self):
        origin, proxy, agent = self.start(corp("basic ntlm"))
        self.ask(agent, host=origin.address)
        self.ask(agent, "/echo", "Proxy-Authorization: Basic eDp5", host=origin.address)
        self.assertEqual([r.get("Proxy-Authorization") for r in origin.requests], [None, None])

    def test_one_probe_at_a_time(self):
        """A proxy that takes connections and never completes TLS would hold up each request that tried it."""
        class Mute(Open):
            def serve(self, conn):
                conn.read_to_end()
        origin, silent = self.proxy(Open(), name="origin"), self.proxy(Mute())
        agent = self.agent("[upstream corp]\nproxy = https://%s\nauth = none\ndial-timeout = 1\n%s" % (silent.address, DETOUR))
        self.ask(agent, host=origin.address)
        wait_until(lambda: self.ask(agent, host=origin.address).status == 200 and len(silent.connections) == 2, "a probe")
        for _ in range(50):
            self.assertEqual(self.ask(agent, host=origin.address).status, 200)
        self.assertLess(len(silent.connections), 25)  # one in a while, however slow all this is
