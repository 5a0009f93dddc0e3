"""Ways that lead through something else: chains of two Squids with two schemes, and a SOCKS server that wants a password; curl and git through them."""

import hashlib
import os
import shutil
import tempfile
import unittest

import content
import world
from agent import Agent
from lab import lab
from session import HTTP, HTTPS, Crowd, ask, attempts, connect, run_client, upstream, watching

SIZE = 300000
CA = "ca = %s\n" % world.CA_CERT
SOCKS = "[upstream corp]\nproxy = socks5://proxy.lab.example:%d\nauth = basic\nbasic-in-clear = %s\nuser = alice\nsecret = file:@DIR@/secret\n"


def agent_with(config, **files):
    contents = {"secret": world.PASSWORDS["alice"] + "\n", **{name: text + "\n" for name, text in files.items()}}
    return Agent(config, files=contents, env={"KRB5_CONFIG": "/etc/krb5.conf"})


class WaysTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(dir=world.TMP)
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)

    def passes(self, agent):
        """Requests of every kind, by curl and by git."""
        for base in (HTTP, HTTPS):
            url, body = "%s/bytes/%d" % (base, SIZE), self.folder + "/body"
            self.assertEqual(run_client(agent, "curl", "-sS", "--fail", url, "-o", body, "-w", "%{http_code}").stdout, "200")
            with open(body, "rb") as file:
                self.assertEqual(hashlib.sha256(file.read()).hexdigest(), content.sha256(SIZE))
            copy = os.path.join(self.folder, "copy-" + base.split(":")[0])
            run_client(agent, "git", "clone", "-q", base + "/git/small.git", copy)
            self.assertTrue(os.path.isdir(copy + "/.git"))
        answer = ask(agent, HTTP + "/echo", method="POST", body=b"x" * SIZE)
        self.assertEqual(answer.status, 200)
        self.assertEqual(connect(agent).status, 200)


class ChainTest(WaysTest):
    def chain(self, far, near, far_more="", near_more="", **options):
        """Squid `far` through Squid `near`."""
        return agent_with(upstream(far, auth=options.pop("far_auth", None), more=far_more + "via = gate\n") +
                          upstream(near, auth=options.pop("near_auth", None), name="gate", more=near_more), **options)

    def of_both(self, far, near, **options):
        with watching(near) as gate_lines, watching(far) as lines:  # a tunnel is written down at its end
            with self.chain(far, near, **options) as agent:
                self.passes(agent)
                status = {u["name"]: u for u in agent.status()["upstreams"]}
        place = "%s:%d" % (world.PROXY_NAMES[far], world.PORTS[far])
        self.assertEqual({line.url for line in gate_lines if line.status == 200}, {place})
        self.assertEqual({line.method for line in gate_lines if line.status == 200}, {"CONNECT"})
        self.assertTrue(any(line.url.startswith(HTTP) for line in lines if line.status == 200), lines)
        self.assertTrue(all(line.user != "-" for line in lines + gate_lines if line.status == 200))
        for line in lines:  # each sees its own credentials and nobody else's
            self.assertNotIn(line.credentials or "none", [other.credentials for other in gate_lines])
        return status

    def test_ntlm_behind_negotiate(self):
        status = self.of_both("ntlm", "krb")
        self.assertIn("NTLM", status["corp"]["scheme"])
        self.assertIn("Kerberos", status["gate"]["scheme"])

    def test_negotiate_behind_ntlm(self):
        status = self.of_both("krb", "ntlm")
        self.assertIn("Kerberos", status["corp"]["scheme"])
        self.assertIn("NTLM", status["gate"]["scheme"])

    def test_digest_behind_basic(self):
        self.of_both("digest", "basic", near_auth="basic", far_auth="digest")

    def test_behind_tls(self):
        self.of_both("ntlm", "tls", near_auth="negotiate", near_more=CA)

    def test_tls_behind_ntlm(self):
        self.of_both("tls", "ntlm", far_auth="negotiate", far_more=CA)

    def test_tls_inside_tls(self):
        """One Squid, by two names of one way: its certificate is asked for twice, one handshake inside the other."""
        with self.chain("tls", "tls", far_auth="negotiate", near_auth="negotiate", far_more=CA, near_more=CA) as agent:
            self.passes(agent)

    def test_wrong_password_of_the_near_one(self):
        lab.reset("lockme")
        config = upstream("krb", more="via = gate\n") + upstream("ntlm", "lockme", name="gate", secret="file:@DIR@/wrong")
        with agent_with(config, wrong=world.WRONG_PASSWORD) as agent:
            with watching("ntlm") as lines, Crowd() as crowd:
                for _ in range(20):
                    crowd.add(lambda: self.assertEqual(connect(agent).status, 502))
            answer = ask(agent, HTTP + "/")
        self.assertIn("on the way to proxy.lab.example:%d, through proxy.lab.example:%d" % (world.PORTS["krb"], world.PORTS["ntlm"]), answer.text)
        self.assertEqual(len(attempts(lines)), 1)
        self.assertEqual(lab.bad_count("lockme"), 1)
        lab.reset("lockme")

    def test_far_one_that_is_not_there(self):
        config = "[upstream corp]\nproxy = http://proxy.lab.example:9\nauth = none\nvia = gate\n" + upstream("ntlm", name="gate")
        with agent_with(config) as agent:
            answer = ask(agent, HTTP + "/")
        self.assertEqual(answer.status, 502)
        self.assertRegex(answer.text, "proxy.lab.example:%d answered 503 .* to CONNECT proxy.lab.example:9" % world.PORTS["ntlm"])


class ConnectAlwaysTest(WaysTest):
    def test_every_scheme(self):
        for kind, auth in (("ntlm", None), ("krb", None), ("digest", "digest"), ("basic", "basic")):
            with self.subTest(kind):
                with watching(kind) as lines, agent_with(upstream(kind, auth=auth, more="connect-always = yes\n")) as agent:
                    self.passes(agent)
                    shutil.rmtree(self.folder + "/copy-http")
                    shutil.rmtree(self.folder + "/copy-https")
                self.assertIn("origin.example:80", {line.url for line in lines if line.status == 200})
                self.assertEqual([line for line in lines if line.url.startswith(HTTP)], [])


class SocksTest(WaysTest):
    def test_without_authentication(self):
        with agent_with("[upstream corp]\nproxy = socks5://proxy.lab.example:%d\nauth = none\n" % world.SOCKS_OPEN) as agent:
            self.passes(agent)

    def test_user_and_password(self):
        with agent_with(SOCKS % (world.SOCKS_ASKS, "yes")) as agent:
            self.passes(agent)
            self.assertEqual(agent.status()["upstreams"][0]["scheme"], "user and password (SOCKS)")
            self.assertNotIn(world.PASSWORDS["alice"], agent.log())

    def test_addresses_and_refusals(self):
        with agent_with(SOCKS % (world.SOCKS_ASKS, "yes")) as agent:
            self.assertEqual(connect(agent, "%s:443" % world.ORIGIN_ADDRESS).status, 200)
            self.assertEqual(connect(agent, "%s:9" % world.ORIGIN_ADDRESS).status, 502)
            answer = ask(agent, "http://nowhere.example/")
            self.assertEqual(answer.status, 502)
            self.assertIn("the SOCKS server proxy.lab.example:%d" % world.SOCKS_ASKS, answer.text)

    def test_clear_text_needs_consent(self):
        with agent_with(SOCKS % (world.SOCKS_ASKS, "no")) as agent:
            answer = connect(agent)
        self.assertEqual(answer.status, 502)
        self.assertIn("basic-in-clear", answer.text)

    def test_wrong_password(self):
        with agent_with((SOCKS % (world.SOCKS_ASKS, "yes")).replace("/secret", "/wrong"), wrong=world.WRONG_PASSWORD) as agent:
            for _ in range(3):
                self.assertEqual(connect(agent).status, 502)
            self.assertIn("refused the password", connect(agent).text)

    def test_squid_behind_it(self):
        config = upstream("ntlm", more="via = gate\n") + (SOCKS % (world.SOCKS_ASKS, "yes")).replace("corp]", "gate]")
        with watching("ntlm") as lines, agent_with(config) as agent:
            self.passes(agent)
        self.assertTrue(any(line.user.lower() == "lab\\alice" for line in lines))

    def test_behind_a_squid(self):
        config = (SOCKS % (world.SOCKS_ASKS, "yes")) + "via = gate\n" + upstream("krb", name="gate")
        with watching("krb") as lines, agent_with(config) as agent:
            self.passes(agent)
        self.assertEqual({line.url for line in lines if line.status == 200}, {"proxy.lab.example:%d" % world.SOCKS_ASKS})
