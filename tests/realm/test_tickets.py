"""Tickets on a real desk: caches of every type, a kinit while the agent runs, a robot's keytab, tickets of seconds, and the proxy's aliases."""

import os
import shutil
import subprocess
import tempfile
import unittest

import kcm
import kdc
import world
from agent import wait_until
from lab import lab
from plain import plain
from session import HTTP, agent_for, ask, connect, watching
from test_kerberos import own_session_keyring

TARGET = HTTP + "/bytes/1000"
ALICE, BOB = "alice@LAB.EXAMPLE", "bob@LAB.EXAMPLE"
ALIAS = "proxy-alias.lab.example"


def admin(*queries):
    """The MIT realm's administrator."""
    subprocess.run(["kadmin.local", "-r", world.CORP_REALM], env=kdc.environment(), check=True, input="\n".join(queries) + "\n", text=True,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


class Desk(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.folder)

    def users(self, lines):
        return {line.user for line in lines if line.status == 200} - {"-"}


class CacheTest(Desk):
    """For each type: nobody is logged in when the agent starts; alice comes, then bob."""

    def caches(self):
        os.mkdir(self.folder + "/caches", 0o700)
        yield "FILE:%s/cache" % self.folder
        yield "DIR:%s/caches" % self.folder
        kcm.start()
        yield "KCM:"
        if own_session_keyring():  # KEYRING:persistent would outlive the lab
            yield "KEYRING:session:exeat"

    def test_each_type_after_the_start(self):
        for cache in self.caches():
            with self.subTest(cache), agent_for("krb", user=None, secret="none", cache=cache) as agent:
                page = ask(agent, TARGET)
                self.assertEqual(page.status, 502)
                self.assertIn("kinit", page.text)
                for user in (ALICE, BOB):
                    lab.kinit(cache, user)
                    # The connections that are there keep the user whom the proxy knows; the next one shows the new one.
                    wait_until(lambda user=user: connect(agent).status == 200 and agent.status()["upstreams"][0]["identity"] == user,
                               "a connection as " + user)
                    with watching("krb") as lines:
                        self.assertEqual(ask(agent, TARGET).status, 200)
                        self.assertEqual(connect(agent).status, 200)
                    self.assertEqual(self.users(lines), {user})


class KeytabTest(Desk):
    def setUp(self):
        super().setUp()
        self.path = self.folder + "/robot.keytab"
        admin("addprinc +requires_preauth -randkey robot", "ktadd -k %s robot" % self.path)
        self.addCleanup(admin, "delprinc -force robot")

    def test_a_headless_host(self):
        with agent_for("mit", user=None, secret="keytab:" + self.path) as agent, watching("mit") as lines:
            self.assertEqual(ask(agent, TARGET).status, 200)
            self.assertEqual(connect(agent).status, 200)
            upstream = agent.status()["upstreams"][0]
        self.assertEqual(self.users(lines), {"robot@CORP.EXAMPLE"})
        self.assertEqual(upstream["identity"], "robot@CORP.EXAMPLE")
        self.assertIn("ticket until", upstream["state"])

    def test_a_key_of_the_directory(self):
        """Samba counts a wrong key as it counts a wrong password, so it is not shown to it again and again."""
        lab.reset("lockme")
        with agent_for("krb", user="lockme@LAB.EXAMPLE", secret="keytab:" + self.key_of("lockme", world.PASSWORDS["lockme"])) as agent:
            self.assertEqual(ask(agent, TARGET).status, 200)
        with agent_for("krb", user="lockme@LAB.EXAMPLE", secret="keytab:" + self.key_of("lockme", world.WRONG_PASSWORD)) as agent:
            for _ in range(10):
                page = ask(agent, TARGET)
                self.assertEqual(page.status, 502)
                self.assertIn("out of date", page.text)
        self.assertEqual(lab.bad_count("lockme"), 1)

    def key_of(self, user, password):
        path = "%s/%s.keytab" % (self.folder, user)
        if os.path.exists(path):
            os.unlink(path)
        subprocess.run(["ktutil"], check=True, text=True, stdout=subprocess.DEVNULL,
                       input="addent -password -p %s@%s -k 1 -e aes256-cts -s %s%s\n%s\nwkt %s\n"
                       % (user, world.REALM, world.REALM, user, password, path))
        os.chmod(path, 0o600)
        return path


@plain("most of its time is waiting")
class RenewalTest(Desk):
    def test_hours_in_seconds(self):
        """Tickets of 10 s: the KDC gives a later one each time, and no request notices."""
        def given():
            with open(world.LOGS + "/krb5kdc.log", errors="replace") as log:
                return sum(" ISSUE: " in line and "brief@CORP.EXAMPLE for krbtgt/" in line for line in log)
        begin = given()
        with agent_for("mit", user="brief@CORP.EXAMPLE", password=world.CORP_PASSWORDS["brief"]) as agent, watching("mit") as lines:
            while given() < begin + 3:
                self.assertEqual(ask(agent, TARGET).status, 200)
                self.assertEqual(connect(agent).status, 200)
        self.assertEqual(self.users(lines), {"brief@CORP.EXAMPLE"})


class FindTest(Desk):
    def test_a_password_gets_no_ticket_by_itself(self):
        lab.reset("lockme")
        with agent_for("krb", user="lockme@LAB.EXAMPLE", password=world.WRONG_PASSWORD, kerberos="find") as agent:
            for page in (ask(agent, TARGET), connect(agent)):
                self.assertEqual(page.status, 502)
                self.assertIn("kinit", page.text)
                self.assertIn("kerberos = acquire", page.text)
        self.assertEqual(lab.bad_count("lockme"), 0)

    def test_acquire_takes_the_default_realm(self):
        for user in ("LAB\\alice", "alice"):
            more = "" if "\\" in user else "user = alice\n"  # without any realm
            with agent_for("krb", user=None if more else user, password=world.PASSWORDS["alice"], kerberos="acquire", more=more) as agent:
                self.assertEqual(ask(agent, TARGET).status, 200)


class AliasTest(Desk):
    """proxy-alias.lab.example is a CNAME of proxy.lab.example; the KDC knows a service by the second name alone."""

    def conf(self, *lines):
        with open("/etc/krb5.conf") as file:
            text = file.read()
        path = self.folder + "/krb5.conf"
        with open(path, "w") as file:
            file.write(text.replace("[libdefaults]\n", "[libdefaults]\n" + "".join(line + "\n" for line in lines), 1))
        return path

    def answer(self, value, *lines):
        cache = "FILE:%s/cache" % self.folder
        lab.kinit(cache)
        more = "canonicalize = %s\n" % value if value else ""
        with agent_for("krb", user=None, secret="none", host=ALIAS, cache=cache, env={"KRB5_CONFIG": self.conf(*lines)}, more=more) as agent:
            return ask(agent, TARGET)

    def test_the_configuration_wins_over_krb5_conf(self):
        follows, follows_not = ("dns_canonicalize_hostname = true",), ("dns_canonicalize_hostname = false",)
        for value, lines, good in (("yes", follows, True), ("yes", follows_not, True), ("no", follows, False), ("no", follows_not, False),
                                   ("system", follows, True), ("system", follows_not, False), (None, follows, True),
                                   (None, follows_not, False), (None, ("dns_canonicalize_hostname = fallback",), True)):
            with self.subTest("canonicalize = %s, %s" % (value, lines[0])):
                page = self.answer(value, *lines)
                self.assertEqual(page.status, 200 if good else 502, page.text)
                if not good:
                    self.assertIn("HTTP/" + ALIAS, page.text)

    def test_the_ticket_is_for_the_name_that_was_chosen(self):
        for value, asked in (("no", False), ("yes", True)):
            cache = "FILE:%s/%s" % (self.folder, value)
            lab.kinit(cache)
            with agent_for("krb", user=None, secret="none", host=ALIAS, cache=cache, more="canonicalize = %s\n" % value) as agent:
                ask(agent, TARGET)
            tickets = subprocess.run(["klist", "-c", cache], env=dict(os.environ, KRB5_CONFIG="/etc/krb5.conf"), check=True,
                                     stdout=subprocess.PIPE, text=True).stdout
            self.assertEqual("HTTP/proxy.lab.example" in tickets, asked, tickets)
