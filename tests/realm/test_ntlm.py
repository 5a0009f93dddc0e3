"""NTLM: raw, inside SPNEGO, as the fall-back of Negotiate; spellings of names, every letter; connections that stay authenticated."""

import unittest

import world
from agent import wait_until
from lab import lab
from session import HTTP, Crowd, agent_for, ask, attempts, connect, watching
from wire import Wire, get

TARGET = HTTP + "/bytes/1000"


class NtlmTest(unittest.TestCase):
    def passes(self, agent, kind, user):
        with watching(kind) as lines:
            self.assertEqual(ask(agent, TARGET).status, 200)
            self.assertEqual(connect(agent).status, 200)
        self.assertEqual({line.user.lower() for line in lines if line.status == 200} - {"-"}, {user})
        return lines

    def test_spellings_of_a_name(self):
        for user in ("LAB\\alice", "alice@LAB.EXAMPLE", "lab\\Alice"):
            with agent_for("ntlm", user=user, password=world.PASSWORDS["alice"]) as agent:
                self.passes(agent, "ntlm", "lab\\alice")

    def test_a_name_without_domain(self):
        with agent_for("ntlm", user=None, password=world.PASSWORDS["alice"], more="user = alice\n") as agent:
            self.passes(agent, "ntlm", "lab\\alice")

    def test_every_letter(self):
        for user in ("jürgen", "bob"):
            with agent_for("ntlm", user=user) as agent:
                self.passes(agent, "ntlm", "lab\\" + user)

    def test_proxy_that_closes_after_the_first_407(self):
        with agent_for("ntlm-close") as agent:
            self.passes(agent, "ntlm-close", "lab\\alice")

    def test_inside_spnego(self):
        for user in ("LAB\\alice", "LAB\\jürgen", "LAB\\bob"):
            with agent_for("spnego", user=user) as agent:
                lines = self.passes(agent, "spnego", user.lower())
            sent = [line.credentials for line in lines if line.credentials]
            self.assertTrue(all(token.startswith("Negotiate ") for token in sent), sent)

    def test_spnego_prefers_kerberos(self):
        with agent_for("spnego") as agent:
            ask(agent, TARGET)
            self.assertIn("Kerberos", agent.status()["upstreams"][0]["scheme"])

    def test_multi_picks_negotiate(self):
        with agent_for("multi", auth="negotiate ntlm basic") as agent:
            lines = self.passes(agent, "multi", "alice@lab.example")
        self.assertTrue(all(line.credentials.startswith("Negotiate ") for line in lines if line.credentials), lines)

    def test_order_of_the_configuration_wins(self):
        with agent_for("multi", auth="ntlm negotiate") as agent:
            lines = self.passes(agent, "multi", "lab\\alice")
        self.assertTrue(all(line.credentials.startswith("NTLM ") for line in lines if line.credentials), lines)

    def test_multi_falls_back_to_ntlm_in_the_same_request(self):
        with agent_for("multi", user="LAB\\alice", auth="negotiate ntlm") as agent:
            self.passes(agent, "multi", "lab\\alice")
            self.assertEqual(agent.status()["counters"]["refusals"], 0)
        self.assertEqual(lab.bad_count("alice"), 0)

    def test_basic_is_not_answered_unless_it_is_named(self):
        with agent_for("basic", auth="negotiate ntlm digest") as agent, watching("basic") as lines:
            self.assertEqual(ask(agent, TARGET).status, 502)
        self.assertEqual([line.credentials for line in lines if line.credentials], [])


class KeepTest(unittest.TestCase):
    def test_a_warm_connection_needs_no_handshake(self):
        with agent_for("ntlm") as agent:
            with watching("ntlm") as lines, Wire.connect(agent.port) as client:
                for _ in range(20):
                    self.assertEqual(client.ask(get(TARGET)).status, 200)
            self.assertEqual(len(attempts(lines)), 1)
            self.assertEqual(len({line.client for line in lines if line.status == 200}), 1)

    def test_407s_at_most_twice_the_connections(self):
        """1,000 keep-alive requests over 8 client connections."""
        def client():
            with Wire.connect(agent.port) as wire:
                for _ in range(125):
                    answer = wire.ask(get(TARGET))
                    self.assertEqual(answer.status, 200)
                    self.assertEqual(len(answer.body), 1000)

        with agent_for("ntlm") as agent:
            with Crowd() as crowd:
                for _ in range(8):
                    crowd.add(client)
            counters = agent.status()["counters"]
        self.assertEqual(counters["requests"], 1000)
        self.assertLessEqual(counters["challenges"], 2 * counters["connections"], counters)
        self.assertLessEqual(counters["connections"], 16, counters)

    def test_other_schemes_in_the_steady_state(self):
        for kind, auth in (("basic", "basic"), ("digest", "digest"), ("digest-strict", "digest"), ("krb", "negotiate")):
            with agent_for(kind, auth=auth) as agent, Wire.connect(agent.port) as client:
                self.assertEqual(client.ask(get(TARGET)).status, 200)
                before = agent.status()["counters"]["challenges"]
                for _ in range(20):
                    self.assertEqual(client.ask(get(TARGET)).status, 200)
                self.assertEqual(agent.status()["counters"]["challenges"], before, kind)

    def test_digest_nonce_that_wears_out(self):
        """The Squid takes a nonce 50 times and then says stale: a new one, no refusal."""
        with agent_for("digest") as agent, Wire.connect(agent.port) as client:
            for _ in range(120):
                self.assertEqual(client.ask(get(TARGET)).status, 200)
            counters = agent.status()["counters"]
        self.assertEqual(counters["refusals"], 0)
        self.assertLessEqual(counters["challenges"], 4)

    def test_digest_in_parallel(self):
        def client():
            with Wire.connect(agent.port) as wire:
                for _ in range(40):
                    self.assertEqual(wire.ask(get(TARGET)).status, 200)

        for kind in ("digest", "digest-strict"):
            with agent_for(kind) as agent:
                with Crowd() as crowd:
                    for _ in range(8):
                        crowd.add(client)
                self.assertEqual(agent.status()["counters"]["refusals"], 0)

    def test_connections_that_squid_closed_while_idle(self):
        """Squid closes after 5 idle seconds; the log of the agent or a new connection must not cost the client anything."""
        with agent_for("ntlm") as agent, Wire.connect(agent.port) as client:
            self.assertEqual(client.ask(get(TARGET)).status, 200)
            wait_until(lambda: agent.status()["upstreams"][0]["proxies"][0]["idle"] == 0, "the end of the idle connection")
            self.assertLess(agent.status()["upstreams"][0]["proxies"][0]["idle_limit_ms"], 50000)  # the next one we close ourselves
            self.assertEqual(client.ask(get(TARGET, method="POST", body=b"x" * 10).replace(b"/bytes/1000", b"/echo")).status, 200)


class SpareTest(unittest.TestCase):
    """Connections that are made ready ahead of need, at a real Squid with its real helpers."""

    def one_line_each(self, kind, **section):
        more = "\n[log]\nlevel = debug\n"
        with agent_for(kind, more=more, **section) as agent, watching(kind) as lines:
            self.assertEqual(connect(agent).status, 200)
            for made in range(1, 4):
                wait_until(lambda made=made: agent.log().count("ready ahead of need, with a challenge") >= made, "a spare")
                self.assertEqual(connect(agent, "www.origin.example:443").status, 200)
            self.assertEqual(agent.status()["counters"]["refusals"], 0)
        knocks = [line for line in lines if "exeat.invalid" in line.url]
        self.assertGreaterEqual(len(knocks), 3)
        self.assertEqual({(line.status, line.method) for line in knocks}, {(407, "GET")})  # asked, never forwarded
        self.assertTrue(all(line.result.startswith("TCP_DENIED") for line in knocks), knocks)
        connects = [line for line in lines if line.url == "www.origin.example:443"]
        self.assertEqual([line.status for line in connects], [200] * 3)
        self.assertTrue(all(line.client in {knock.client for knock in knocks} for line in connects), lines)
        self.assertEqual(attempts(knocks), [])

    def test_one_round_trip(self):
        self.one_line_each("ntlm")

    def test_one_round_trip_inside_spnego(self):
        self.one_line_each("spnego", user="LAB\\alice", password=world.PASSWORDS["alice"])

    def test_kerberos_needs_no_knock(self):
        with agent_for("krb", more="\n[log]\nlevel = debug\n") as agent, watching("krb") as lines:
            self.assertEqual(connect(agent).status, 200)
            wait_until(lambda: "ready ahead of need" in agent.log(), "a spare")
            self.assertEqual(connect(agent, "www.origin.example:443").status, 200)
        self.assertEqual([line for line in lines if "exeat.invalid" in line.url], [])
        self.assertEqual([line.status for line in lines if line.url == "www.origin.example:443"], [200])
