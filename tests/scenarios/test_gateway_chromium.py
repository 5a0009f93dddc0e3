"""The gateway and Chromium: Basic, Digest, NTLM with a name and password, right and wrong, and Negotiate with a ticket; http and https sites, the way to the
gateway in clear and by TLS. For all of them one browser, with a profile for each that knows nothing of the others."""

import contextlib
import os
import re
import tempfile
import unittest

import chromium
import tls
from base import SITE, Scenario
from onward import TlsSite, site_certificate
from realm import Realm
from test_gateway_clients import PASSWORD, USERS

SECURE = SITE.replace("http:", "https:")
SCHEMES = ("basic", "digest", "ntlm")


class Pages(TlsSite):
    """Pages without anything that would be asked for besides."""

    def handle(self, conn, request):
        if request.method == "CONNECT":
            return super().handle(conn, request)
        conn.answer(200, b'<title>here</title><link rel="icon" href="data:,">', ["Content-Type: text/html"])
        return True


@unittest.skipUnless(chromium.program(), "no Chromium is installed")
class Browser(Scenario):
    seconds = 300  # a browser, on a busy machine

    def house(self, gates, env=None):
        """gates: name -> (auth, by TLS, more lines)."""
        self.site = Pages()
        self.onward = self.proxy(self.site)
        lines = ["[gateway]\nusers = @DIR@/users\ndomain = CORP\ncertificate = @DIR@/gateway.pem\nkey = @DIR@/gateway.key\n"]
        for name, (auth, secure, more) in gates.items():
            lines.append("[gateway %s]\nlisten = %slocalhost:0\nauth = %s\n%s" % (name, "https://" if secure else "", auth, more))
        here = tls.good()
        agent = self.agent(self.onward.upstream() + "".join(lines), env=env,
                           files={"users": USERS, "gateway.pem": here.text, "gateway.key": open(here.key).read()})
        self.gates = {name: self.door(agent, name, secure) for name, (_, secure, _) in gates.items()}
        return agent

    @staticmethod
    def door(agent, name, secure):
        port = re.search(r"ready: gateway %s on \S*127\.0\.0\.1:(\d+)" % name, agent.wait_log(r"ready: gateway %s on \S*127\.0\.0\.1:\d+" % name).group(0)).group(1)
        return "%s://%%s:%s" % ("https" if secure else "http", port)

    @contextlib.contextmanager
    def browser(self, *options, env=None):
        with tempfile.TemporaryDirectory() as folder, \
                chromium.Chromium(folder, *options, trusted=[c.pin() for c in (tls.good(), site_certificate())], env=env) as browser:
            try:
                yield browser
            except BaseException as error:
                with open(os.path.join(folder, "chromium.log"), errors="replace") as log:
                    error.add_note(log.read()[-4000:]) if hasattr(error, "add_note") else None
                raise

    def figures(self, agent, name):
        return next(g for g in agent.status()["gateways"] if g["name"] == name)

    def comes_in(self, agent, browser, name, login, host="localhost"):
        """A site by http, twice, and one by https."""
        with browser.profile(self.gates[name] % host, login) as profile:
            self.assertEqual(profile.load(SITE + "/page/40")[0], 200, agent.log())
            asked = self.figures(agent, name)["challenged"]
            self.assertEqual(profile.load(SITE + "/page/41")[0], 200, agent.log())
            self.assertEqual(self.figures(agent, name)["challenged"], asked, agent.log())  # the same connection, or what it knows
            self.assertEqual(profile.load(SECURE + "/page/42")[0], 200, agent.log())
            asked = profile.asked
        self.assertEqual([r.all("Proxy-Authorization") for r in self.onward.requests], [[]] * len(self.onward.requests))
        self.assertEqual({r.method for r in self.onward.requests}, {"GET", "CONNECT"})
        self.assertTrue(self.site.inside)
        del self.onward.requests[:], self.site.inside[:]
        return asked

    def stays_out(self, browser, name, login, host="localhost"):
        """It shows the 407, or where that was for a CONNECT an error of its own."""
        with browser.profile(self.gates[name] % host, login) as profile:
            self.assertEqual(profile.load(SITE + "/page/40")[0], 407)
            self.assertEqual(profile.load(SECURE + "/page/42")[0], 0)
            asked = profile.asked
        self.assertEqual(self.onward.requests, [])
        return asked

    def test_passwords(self):
        agent = self.house({"%s-%s" % (scheme, way): (scheme, way == "tls", "") for scheme in SCHEMES for way in ("clear", "tls")})
        with self.browser() as browser:
            for name in self.gates:
                with self.subTest(name):
                    scheme = name.split("-")[0]
                    self.assertEqual(set(self.comes_in(agent, browser, name, ("alice", PASSWORD))), {scheme})
            for scheme in SCHEMES:
                with self.subTest(scheme, password="wrong"):
                    self.house({"wrong": (scheme, False, "")})  # a gateway for each: whoever goes on guessing waits longer each time
                    self.assertGreater(len(self.stays_out(browser, "wrong", ("alice", "wrong"))), 1)

    def test_tickets(self):
        """It answers a proxy by itself."""
        realm = self.stack.enter_context(Realm("HTTP/localhost"))
        another = os.path.join(realm.directory, "another")
        realm.admin("addprinc -randkey HTTP/other.corp.example")
        realm.admin("ktadd -k %s HTTP/other.corp.example" % another)
        keytab = "keytab = %s\n" % realm.keytab
        agent = self.house({"clear": ("negotiate", False, keytab), "tls": ("negotiate", True, keytab), "strange": ("negotiate", False, "keytab = %s\n" % another)},
                           env={"KRB5_CONFIG": realm.conf})
        with self.browser(env=realm.ticket()) as browser:
            for name in ("clear", "tls"):
                with self.subTest(name):
                    self.assertEqual(self.comes_in(agent, browser, name, None), [])
                    agent.wait_log(r"\] alice@CORP.EXAMPLE: GET")
            with self.subTest("a gateway with another key"):
                self.stays_out(browser, "strange", None)
                agent.wait_log("Negotiate: the handshake failed")
            with self.subTest("a name for which nobody has a ticket"):
                self.stays_out(browser, "clear", None, "127.0.0.1")
