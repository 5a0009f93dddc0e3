"""A proxy that took a strong scheme and then offers only a weaker one gets nothing until a person says so; and nobody but the proxies that an
upstream names ever gets a token."""

import os

from base import AUTH, Scenario, corp, together
from behaviours import Canned
from gates import Basic, Digest, Negotiate, Ntlm
from proxy import Asks, content

ALARM = "(?s)somebody else may be answering in its place.*exeat accept corp"
ME = "CORP\\alice"


def sent_to(proxy):
    return [r.get("Proxy-Authorization") for r in proxy.requests if r.get("Proxy-Authorization")]


class Floor(Scenario):
    def downgraded(self, strong, name, weak=None, auth=None):
        """An agent that was let in by `strong`, and its proxy, which asks for `weak` alone from now on."""
        proxy, agent = self.both(Asks(strong), corp(auth or AUTH[name] + " basic", ME))
        self.assertEqual(self.ask(agent).status, 200)
        self.now_asks(proxy, weak or Basic(user=ME))
        return proxy, agent

    def now_asks(self, proxy, *gates):
        proxy.behaviour.gates = gates
        proxy.drop_all()
        proxy.requests.clear()

    def heard_of_it(self, proxy, agent, scheme):
        """The first request may still carry what the proxy took so far; from its answer on there is nothing."""
        self.own(self.ask(agent), 502, "http_request_denied", ALARM)
        self.assertIn([header.split(" ")[0] for header in sent_to(proxy)], ([], [scheme]))
        proxy.requests.clear()

    def rings(self, agent, *words):
        self.own(self.ask(agent), 502, "http_request_denied", ALARM, *words)
        self.own(self.ask(agent, method="POST", body=content(1000)), 502, "http_request_denied", ALARM)
        self.own(self.ask(agent, method="POST", body=content(1 << 20)), 502, "http_request_denied", ALARM)
        self.own(self.tunnel(agent, expect=502), 502, "http_request_denied", ALARM)

    def test_only_basic_after_better(self):
        for name, strong, words in (("digest", Digest(user=ME), "accepted Digest with SHA-2 before and now offers only Basic"),
                                    ("ntlm", Ntlm(), "accepted NTLM before and now offers only Basic"),
                                    ("negotiate", Negotiate(), "accepted NTLM before and now offers only Basic")):
            with self.subTest(name):
                proxy, agent = self.downgraded(strong, name)
                gate, = proxy.behaviour.gates
                self.heard_of_it(proxy, agent, strong.scheme)
                self.rings(agent, words)
                for answer in together(20, lambda i: self.ask(agent, "/%d" % i, host="site%d.example" % i)):
                    self.own(answer, 502, "http_request_denied", ALARM)
                self.assertEqual((gate.attempts, sent_to(proxy)), (0, []))
                upstream, = agent.status()["upstreams"]
                self.assertTrue(upstream["alarm"])
                self.assertRegex(upstream["state"], words)
                self.assertRegex(upstream["remedy"], "exeat accept corp")
                self.assertRegex(agent.exeat("status").stdout, "ALARM .*%s" % words)
                self.assertEqual(len(set(l for l in agent.log().splitlines() if "warning" in l and "upstream corp: " in l)), 1, agent.log())

    def test_accepted_by_hand(self):
        proxy, agent = self.downgraded(Digest(user=ME), "digest")
        self.heard_of_it(proxy, agent, "Digest")
        self.rings(agent)
        agent.restart()
        self.assertTrue(agent.status()["upstreams"][0]["alarm"])
        self.rings(agent)
        self.assertEqual(sent_to(proxy), [])
        answer = agent.exeat("accept", "corp", check=True)
        self.assertRegex(answer.stdout, "%s may offer only Basic from now on" % proxy.address)
        self.assertEqual(self.ask(agent).status, 200)
        self.assertFalse(agent.status()["upstreams"][0]["alarm"])
        agent.restart()
        self.assertEqual(self.ask(agent).status, 200)
        self.assertRegex(agent.exeat("accept", check=True).stdout, "nothing to accept")

    def test_accepted_while_no_agent_runs(self):
        proxy, agent = self.downgraded(Ntlm(), "ntlm")
        self.rings(agent)
        agent.stop()
        answer = agent.exeat("accept", "--config", agent.config_path, "corp", check=True)
        self.assertRegex(answer.stdout, "may offer only Basic from now on")
        self.assertRegex(agent.exeat("accept", "--config", agent.config_path, check=True).stdout, "nothing to accept")
        agent.start()
        self.assertEqual(self.ask(agent).status, 200)

    def test_accepted_for_that_offer_alone(self):
        proxy, agent = self.downgraded(Ntlm(), "ntlm", Digest(user=ME), auth="ntlm digest basic")
        self.rings(agent)
        agent.exeat("accept", "corp", check=True)
        self.assertEqual(self.ask(agent).status, 200)
        self.now_asks(proxy, Basic(user=ME))
        self.rings(agent)
        self.now_asks(proxy, Ntlm(), Digest(user=ME))
        self.assertEqual(self.ask(agent).status, 200)
        self.now_asks(proxy, Digest(user=ME))
        self.heard_of_it(proxy, agent, "NTLM")
        self.rings(agent)
        self.assertEqual(sent_to(proxy), [])

    def test_the_right_proxy_comes_back(self):
        """Back from the cafe: nothing needs to be typed, and there is nothing to accept any more."""
        proxy, agent = self.downgraded(Digest(user=ME), "digest")
        self.rings(agent)
        self.now_asks(proxy, Digest(user=ME))
        self.assertEqual(self.ask(agent).status, 200)
        self.assertFalse(agent.status()["upstreams"][0]["alarm"])
        self.assertRegex(agent.exeat("accept", "corp", check=True).stdout, "nothing to accept")

    def test_connections_that_were_let_in_stay(self):
        """The proxy dropped NTLM between two connections; the older one is still who it was."""
        proxy, agent = self.both(Asks(Ntlm()), corp("ntlm basic", ME, more="spares = 0"))
        tunnel = self.tunnel(agent)
        proxy.behaviour.gates = (Basic(user=ME),)
        self.own(self.ask(agent), 502, "http_request_denied", ALARM)
        self.echoes(tunnel)

    def test_basic_is_no_better_than_basic(self):
        proxy, agent = self.downgraded(Basic(user=ME), "basic", auth="digest basic")
        self.assertEqual(self.ask(agent).status, 200)
        self.now_asks(proxy, Digest(user=ME))
        self.assertEqual(self.ask(agent).status, 200)
        self.now_asks(proxy, Basic(user=ME))
        self.rings(agent)

    def test_a_login_tries_nothing_either(self):
        proxy = self.proxy(Asks(Ntlm()))
        agent = self.agent(proxy.upstream(corp("ntlm basic", ME, "prompt")))
        self.assertEqual(agent.exeat("login", "--stdin", "corp", input="secret\n").returncode, 0)
        self.now_asks(proxy, Basic(user=ME))
        self.heard_of_it(proxy, agent, "NTLM")
        answer = agent.exeat("login", "--stdin", "corp", input="secret\n")
        self.assertRegex(answer.stdout, "could not be tried.*may be answering in its place")
        self.assertEqual(sent_to(proxy), [])

    def test_state_file_is_private(self):
        _, agent = self.downgraded(Digest(user=ME), "digest")
        agent.status()  # the keyholder has heard of the success before it answers this
        self.assertEqual(os.stat(os.path.join(agent.directory, "state", "exeat", "floors")).st_mode & 0o777, 0o600)


class Strangers(Scenario):
    def lab(self, stranger):
        """A second upstream, whose proxy asks for what we could give."""
        return stranger.upstream(corp("ntlm basic", "alice"), name="lab")

    def test_nobody_is_followed_to_another_proxy(self):
        stranger = self.proxy(Asks(Ntlm(), Basic()), name="stranger")
        for status in (302, 305, 307):
            with self.subTest(status):
                answers = Canned(b"HTTP/1.1 %d Elsewhere\r\nLocation: %s/\r\nContent-Length: 0\r\n\r\n" % (status, stranger.url.encode()))
                proxy = self.proxy(answers)
                agent = self.agent(proxy.upstream(corp("ntlm basic", "alice")) + self.lab(stranger))
                answer = self.ask(agent)
                self.assertEqual((answer.status, answer.get("Location")), (status, stranger.url + "/"))
        self.assertEqual(stranger.requests, [])

    def test_another_upstreams_proxy_as_the_target(self):
        """It is asked for by name, and reached directly: an origin like any other, whatever it asks for."""
        stranger = self.proxy(Asks(Ntlm(), Basic()), name="stranger")
        proxy = self.proxy(Asks(Ntlm()))
        agent = self.agent(proxy.upstream(corp("ntlm")) + self.lab(stranger) + "[route]\nno-proxy = 127.0.0.1\n")
        self.assertEqual(self.ask(agent).status, 200)
        answer = self.ask(agent, host=stranger.address)
        self.assertIn(answer.status, (407, 502))
        self.assertIsNone(answer.get("Proxy-Authenticate"))
        self.assertTrue(stranger.requests)
        self.assertEqual(sent_to(stranger), [])

    def test_a_407_through_the_proxy_is_the_proxys(self):
        """What asks behind the proxy asks in the proxy's name: that proxy's own identity answers, once, and no other's."""
        proxy = self.proxy(Asks(Ntlm()))
        stranger = self.proxy(Asks(Basic()), name="stranger")
        agent = self.agent(proxy.upstream(corp("ntlm")) + self.lab(stranger))
        self.assertEqual(self.ask(agent, host=stranger.address).status, 200)
        self.assertEqual(stranger.requests, [])
