"""One wrong secret, one attempt: proved against a directory that locks an account at the fifth wrong password."""

import os
import subprocess
import unittest

import world
from agent import wait_until
from desktop import Keyring
from lab import lab
from session import HTTP, Crowd, agent_for, ask, attempts, connect, watching
from wire import Wire, get

TARGET = HTTP + "/bytes/1000"


def storm(agent, connections, each):
    """That many clients at once, each with some requests on a kept connection, plain and CONNECT in turn; the statuses of all answers."""
    statuses = []

    def client(number):
        wire = None
        for request in range(each):
            if wire is None:
                wire = Wire.connect(agent.port)
            method = "CONNECT" if (number + request) % 2 else "GET"
            answer = wire.ask(get("origin.example:443" if method == "CONNECT" else TARGET, method=method), method)
            statuses.append(answer.status)
            if method == "CONNECT" or answer.has_token("Connection", "close"):
                wire.close()
                wire = None
        if wire:
            wire.close()

    with Crowd() as crowd:
        for number in range(connections):
            crowd.add(client, number)
    return statuses


class LockOutTest(unittest.TestCase):
    def setUp(self):
        lab.reset("lockme")

    def proof(self, kind, user, auth):
        """The wrong password gets into the keyring while the proxy is out of reach, so that login cannot try it."""
        with Keyring() as keyring, agent_for(kind, user=user, password="", secret="keyring", auth=auth, env=keyring.env) as agent:
            with lab.silent(world.PROXY), lab.silent(world.DC):
                agent.exeat("login", "corp", "--stdin", input=world.WRONG_PASSWORD + "\n", patience=90)
            self.assertEqual(keyring.items(), 1, "login stores a password that it cannot try")
            self.assertEqual(lab.bad_count("lockme"), 0)
            self.assertEqual(set(storm(agent, 50, 4)), {502})
            self.assertEqual(lab.bad_count("lockme"), 1)
            agent.restart()
            self.assertEqual(set(storm(agent, 10, 5)), {502})
            self.assertEqual(lab.bad_count("lockme"), 1)
            answer = agent.exeat("login", "corp", "--stdin", input=world.PASSWORDS["lockme"] + "\n")
            self.assertEqual(answer.returncode, 0, answer.stdout + answer.stderr)
            self.assertEqual(set(storm(agent, 10, 5)), {200})
            self.assertNotIn(world.WRONG_PASSWORD, agent.log())
            self.assertNotIn(world.PASSWORDS["lockme"], agent.log())

    def test_all_schemes_offered_kerberos_first(self):
        self.proof("multi", "lockme@LAB.EXAMPLE", "negotiate ntlm digest basic")

    def test_all_schemes_offered_ntlm_first(self):
        self.proof("multi", "LAB\\lockme", "ntlm negotiate digest basic")

    def test_all_schemes_offered_basic_only_allowed(self):
        self.proof("multi", "LAB\\lockme", "basic")

    def test_ntlm_only(self):
        self.proof("ntlm", "LAB\\lockme", None)

    def test_ntlm_inside_spnego(self):
        self.proof("spnego", "LAB\\lockme", None)

    def test_kerberos_only(self):
        self.proof("krb", "lockme@LAB.EXAMPLE", None)

    def test_files(self):
        """The same from a file; Basic and Digest are counted by the proxy's log. A restart does not forget, a changed file is a new chance."""
        for kind, auth in (("basic", "basic"), ("digest", "digest"), ("ntlm", "ntlm"), ("krb", "negotiate")):
            lab.reset("lockme")
            with agent_for(kind, user="lockme", password=world.WRONG_PASSWORD, auth=auth) as agent:
                with watching(kind) as lines:
                    self.assertEqual(set(storm(agent, 20, 4)), {502})
                    agent.restart()
                    self.assertEqual(set(storm(agent, 10, 4)), {502})
                self.assertEqual(len(attempts(lines)) if kind in ("basic", "digest") else lab.bad_count("lockme"), 1, kind)
                agent.write("secret", world.PASSWORDS["lockme"] + "\n")
                self.assertEqual(set(storm(agent, 10, 4)), {200})
                self.assertLessEqual(lab.bad_count("lockme"), 1)

    def test_those_who_wait_for_the_password(self):
        """50 CONNECTs wait through two wrong passwords and pass with the third: one bad attempt for each wrong one."""
        helpers = world.LOGS + "/squid-ntlm.cache"  # why the directory says no
        before = os.path.getsize(helpers)
        with agent_for("ntlm", user="LAB\\lockme", secret="prompt", more="wait-for-password = 3000\n") as agent:
            answers = []
            with watching("ntlm") as lines, Crowd() as crowd:
                for _ in range(50):
                    crowd.add(lambda: answers.append(connect(agent).status))
                crowd.go()
                for wrong in (1, 2):
                    wait_until(lambda: agent.status()["upstreams"][0]["held"] == 50, "all of them to wait")
                    agent.exeat("login", "corp", "--stdin", input="%s %d\n" % (world.WRONG_PASSWORD, wrong))
                    self.assertEqual(lab.bad_count("lockme"), wrong)
                self.assertEqual(agent.exeat("login", "corp", "--stdin", input=world.PASSWORDS["lockme"] + "\n").returncode, 0)
            with open(helpers, errors="replace") as file:
                file.seek(before)
                refused = [line[:6] for line in attempts(lines) if line.status == 407]
                self.assertEqual(answers, [200] * 50, "refused by Squid: %s; its helpers: %s" % (refused, file.read()[-3000:]))

    def test_two_upstreams_that_share_the_account(self):
        """A reload to another proxy of the same organisation gives the refused password no second chance."""
        with agent_for("ntlm", user="LAB\\lockme", password=world.WRONG_PASSWORD) as agent:
            self.assertEqual(ask(agent, TARGET).status, 502)
            with open(agent.config_path) as file:
                config = file.read()
            agent.configure(config.replace(lab.proxy("ntlm"), lab.proxy("multi")).replace("[upstream corp]", "[upstream corp]\nauth = ntlm"))
            agent.reload()
            self.assertEqual(ask(agent, TARGET).status, 502)
        self.assertEqual(lab.bad_count("lockme"), 1)

    def test_several_proxies_of_one_upstream(self):
        """The second proxy in the list is for when the first cannot be reached, not for a second opinion on the password."""
        with agent_for("ntlm", user="LAB\\lockme", password=world.WRONG_PASSWORD, host="proxy.lab.example:3132 http://nospn.lab.example") as agent:
            self.assertEqual(set(storm(agent, 10, 2)), {502})
        self.assertEqual(lab.bad_count("lockme"), 1)

    def test_no_file_holds_the_password(self):
        with agent_for("ntlm", user="LAB\\lockme", password=world.WRONG_PASSWORD) as agent:
            self.assertEqual(ask(agent, TARGET).status, 502)
            for folder in ("state", "runtime", "home"):
                for path, _, names in os.walk(os.path.join(agent.directory, folder)):
                    for name in names:
                        if os.path.isfile(os.path.join(path, name)):
                            with open(os.path.join(path, name), "rb") as file:
                                self.assertNotIn(world.WRONG_PASSWORD.encode(), file.read())


class NotARefusalTest(unittest.TestCase):
    """407 for a blocked site with good credentials, 403, 5xx, closed ports: the password is as good as before."""

    def test_blocked_site(self):
        """On a connection that is let in already, and on a fresh one: there Squid's 407 ends a Negotiate handshake with its last token."""
        for kind, user, auth in (("ntlm", "alice", None), ("krb", "alice", None), ("spnego", "alice", None), ("spnego", "LAB\\alice", None),
                                 ("multi", "LAB\\alice", "ntlm"), ("basic", "alice", "basic"), ("digest", "alice", None)):
            for kept in (True, False):
                for method in ("GET", "CONNECT"):
                    with self.subTest(kind=kind, user=user, kept=kept, method=method), \
                            agent_for(kind, user=user, password=world.PASSWORDS["alice"], auth=auth) as agent:
                        self.blocked_site(agent, kept, method)
        self.assertEqual(lab.bad_count("alice"), 0)

    def blocked_site(self, agent, kept, method):
        self.assertEqual(ask(agent, TARGET).status, 200)
        for _ in range(2):  # the second is answered from memory
            if not kept:
                self.assertEqual(connect(agent).status, 200)
            refused = connect(agent, world.BLOCKED + ":443") if method == "CONNECT" else ask(agent, "http://%s/" % world.BLOCKED)
            self.assertEqual(refused.status, 403, refused.text)
            self.assertIn("refused this site", refused.text)
            self.assertEqual(ask(agent, TARGET).status, 200)
            self.assertEqual(connect(agent).status, 200)

    # Kind of Squid, user, auth, and: does its 407 for a refused site complete the handshake, so that it can be told from a refused secret?
    FALSE_ALARMS = (("ntlm", "alice", None, False), ("spnego", "LAB\\alice", None, False), ("krb", "alice", None, True), ("basic", "alice", "basic", False),
                    ("digest", "alice", None, False), ("multi", "LAB\\alice", "ntlm", False), ("multi", "LAB\\alice", "basic", False))

    def each_false_alarm(self, check):
        for kind, user, auth, told in self.FALSE_ALARMS:
            with self.subTest(kind=kind, user=user, auth=auth), agent_for(kind, user=user, password=world.PASSWORDS["alice"], auth=auth) as agent:
                self.assertEqual(ask(agent, TARGET).status, 200)
                check(kind, agent, told)

    @staticmethod
    def requests(lines):
        """Without the connections on which nothing was said."""
        return [line for line in lines if line.method != "-"]

    def test_a_refused_site_is_remembered(self):
        """A hundred requests for one site must not add up to a lock-out: after the first the proxy hears of none."""
        def check(kind, agent, told):
            first = ask(agent, "http://%s/" % world.BLOCKED)
            self.assertEqual(first.status, 403)
            self.assertRegex(first.text, "refused this site to .*alice.*, or no longer takes the (password|Kerberos ticket)")
            if told:
                return  # nothing that could lock an account
            with watching(kind) as lines:
                for number in range(10):
                    self.assertEqual(ask(agent, "http://%s/%d" % (world.BLOCKED, number)).status, 403)
                self.assertEqual(connect(agent, world.BLOCKED + ":443").status, 403)
            self.assertEqual(self.requests(lines), [])
            self.assertEqual(ask(agent, TARGET).status, 200)
        self.each_false_alarm(check)

    def test_a_second_refused_site_stops_the_secret(self):
        """With no success in between nobody can tell: then the account is what counts. Where the handshake itself was completed, somebody can."""
        def check(kind, agent, told):
            self.assertEqual(ask(agent, "http://%s/" % world.BLOCKED).status, 403)
            self.assertEqual(ask(agent, "http://%s/" % world.BLOCKED_TOO).status, 403 if told else 502)
            with watching(kind) as lines:
                self.assertEqual(ask(agent, TARGET).status, 200 if told else 502)
            if not told:
                self.assertEqual(self.requests(lines), [])
        self.each_false_alarm(check)

    def test_a_success_between_two_refused_sites(self):
        def check(kind, agent, told):
            for _ in range(2):
                for site in (world.BLOCKED, world.BLOCKED_TOO):
                    self.assertEqual(ask(agent, "http://%s/" % site).status, 403)
                    self.assertEqual(connect(agent).status, 200)
            self.assertEqual(ask(agent, TARGET).status, 200)
            self.assertEqual(agent.status()["counters"]["refusals"], 0)
        self.each_false_alarm(check)

    def test_one_blocked_site_by_http_and_by_https(self):
        """A browser that is refused one spelling of a site tries the other: that is no second site."""
        with agent_for("ntlm") as agent:
            self.assertEqual(ask(agent, TARGET).status, 200)
            self.assertEqual(ask(agent, "http://%s/" % world.BLOCKED).status, 403)
            self.assertEqual(connect(agent, world.BLOCKED + ":443").status, 403)
            self.assertEqual(ask(agent, TARGET).status, 200)

    def test_blocked_site_in_the_middle_of_a_storm(self):
        for kind, auth in (("ntlm", None), ("krb", None), ("basic", "basic"), ("digest", None)):
            with agent_for(kind, auth=auth) as agent:
                self.assertEqual(ask(agent, TARGET).status, 200)
                blocked = []
                with Crowd() as crowd:
                    for _ in range(10):
                        crowd.add(lambda: blocked.append(ask(agent, "http://%s/" % world.BLOCKED).status))
                    good = [crowd.add(lambda: self.assertEqual(ask(agent, TARGET).status, 200)) for _ in range(10)]
                self.assertEqual(set(blocked), {403}, kind)
                self.assertEqual(len(good), 10)
                self.assertEqual(ask(agent, TARGET).status, 200, kind)

    def test_blocked_site_as_the_very_first(self):
        """Nobody can tell it from a wrong password: it is one attempt, and what to do is said. The right password given again helps."""
        with agent_for("ntlm") as agent, watching("ntlm") as lines:
            self.assertEqual(ask(agent, "http://%s/" % world.BLOCKED).status, 502)
        self.assertEqual(len(attempts(lines)), 1)

    def test_forbidden_site_and_failures_behind_the_proxy(self):
        with agent_for("ntlm") as agent:
            for target, status in (("http://%s/" % world.FORBIDDEN, 403), (HTTP + "/status/500", 500), (HTTP + "/status/403", 403),
                                   (HTTP + "/status/401", 401), ("http://origin.example:9/", 503), ("http://nowhere.example/", 502)):
                self.assertEqual(ask(agent, target).status, status, target)
                self.assertEqual(ask(agent, TARGET).status, 200)
            self.assertEqual(connect(agent, world.FORBIDDEN + ":443").status, 403)
            self.assertGreaterEqual(connect(agent, "origin.example:9").status, 500)
            self.assertEqual(ask(agent, TARGET).status, 200)
            self.assertEqual(agent.status()["counters"]["refusals"], 0)

    def test_exempt_site_without_any_authentication(self):
        """A site that the proxy lets through unasked: a POST arrives once and whole, and no attempt is made."""
        with agent_for("ntlm", user="LAB\\lockme", password=world.WRONG_PASSWORD) as agent:
            lab.reset("lockme")
            answer = ask(agent, "http://%s/echo?exempt" % world.EXEMPT, method="POST", body=b"x" * 1000)
            self.assertEqual(answer.status, 200)
        arrived = [(line["method"], line["size"]) for line in lab.origin_log() if line["target"] == "/echo?exempt"]
        self.assertEqual([line for line in arrived if line[0] == "POST"], [("POST", 1000)])
        self.assertEqual(lab.bad_count("lockme"), 0)


class ChangedPasswordTest(unittest.TestCase):
    seconds = 400  # hundreds of handshakes with a real directory, and a busy machine

    def test_changed_by_the_administrator_while_the_agent_works(self):
        """The agent has a proven password that stops working; at most 3 attempts are on their way by then."""
        lab.reset("lockme")
        self.addCleanup(lab.reset, "lockme")
        with agent_for("ntlm", user="LAB\\lockme") as agent:
            self.assertEqual(set(storm(agent, 10, 4)), {200})
            for number in range(3):  # the last two passwords of an account are not counted as wrong
                lab.reset("lockme", "Changed-by-Adm1n-%d" % number)
            self.assertEqual(lab.bad_count("lockme"), 0)
            storm(agent, 50, 4)
            self.assertLessEqual(lab.bad_count("lockme"), 3)
            self.assertFalse(lab.is_locked("lockme"))
            agent.write("secret", "Changed-by-Adm1n-2\n")
            self.assertEqual(set(storm(agent, 10, 4)), {200})

    def test_changed_under_load_of_slow_sites(self):
        """Two requests that have sent their final tokens wait for an origin that does not answer; the others are let in beside them. Then the
        password is changed while they all go on."""
        lab.reset("lockme")
        self.addCleanup(lab.reset, "lockme")
        with agent_for("ntlm", user="LAB\\lockme", more="connections = 200\nspares = 0\n") as agent, watching("ntlm") as lines:
            self.assertEqual(ask(agent, TARGET).status, 200)
            slow = []
            with Crowd() as crowd:
                for number in range(3):  # the first takes the connection that has been let in
                    crowd.add(lambda number=number: slow.append(ask(agent, HTTP + "/hold/lockout-%d" % number, patience=300).status))
                crowd.go()
                held = ["/hold/lockout-%d" % number for number in range(3)]
                wait_until(lambda: {line["target"] for line in lab.origin_log()} >= set(held), "three held requests")
                self.assertEqual(set(storm(agent, 20, 4)), {200})
                for number in range(3):
                    lab.reset("lockme", "Changed-2y-Adm1n-%d" % number)

                def release():
                    wait_until(lambda: lab.bad_count("lockme"), "the first wrong password")
                    for number in range(3):
                        subprocess.run(["curl", "-s", "--proxy", lab.proxy("none"), HTTP + "/release/lockout-%d" % number], check=True,
                                       stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)

                crowd.add(release)
                storm(agent, 50, 4)
            self.assertEqual(slow, [200] * 3)
            self.assertLessEqual(lab.bad_count("lockme"), 3)
            self.assertFalse(lab.is_locked("lockme"))
            storm(agent, 10, 4)
            self.assertLessEqual(lab.bad_count("lockme"), 3)
            agent.write("secret", "Changed-2y-Adm1n-2\n")
            self.assertEqual(set(storm(agent, 10, 4)), {200})
        asides = [line for line in lines if "exeat.invalid" in line.url]
        self.assertGreater(len([line for line in asides if line.status != 407]), 0)
        self.assertEqual([line for line in lab.origin_log() if "exeat.invalid" in str(line)], [])
