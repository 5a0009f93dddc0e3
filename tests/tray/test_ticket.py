"""The user's own Kerberos ticket nears its end: told once, and what Renew does, with a real KDC."""

import os
import shutil
import subprocess
import tempfile
import unittest

from agent import wait_until
from gates import Kerberos
from place import Tray
from proxy import Asks
from realm import Realm

WORDS = "The Kerberos ticket for corp ends in less than 10 minutes"


@unittest.skipUnless(shutil.which("kinit") and (shutil.which("krb5kdc") or os.path.exists("/usr/sbin/krb5kdc")), "no Kerberos server here")
class Ticket(Tray):
    @classmethod
    def setUpClass(cls):
        cls.realm = Realm()
        cls.addClassCleanup(cls.realm.destroy)
        cls.realm.admin("modprinc -maxrenewlife 1d krbtgt/%s" % cls.realm.name)
        cls.realm.admin("modprinc -maxrenewlife 1d alice")
        os.environ["KRB5_CONFIG"] = cls.realm.conf
        cls.addClassCleanup(os.environ.pop, "KRB5_CONFIG")

    def kinit(self, *words):
        subprocess.run(["kinit", *words, "alice"], env=dict(self.realm.env, KRB5CCNAME=self.cache), check=True, input="Password\n", text=True,
                       stdout=subprocess.DEVNULL)

    def place(self, *words, secret="none"):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.cache = "FILE:" + folder.name + "/cache"
        self.kinit(*words)
        self.desktop()
        self.gate = Kerberos(keytab=self.realm.keytab)
        user = "" if secret == "none" else "kerberos = acquire\nuser = alice@%s\n" % self.realm.name
        lines = "auth = negotiate\n%ssecret = %s\nspn = HTTP/proxy.corp.example\n" % (user, secret)
        env = dict(self.desktop_.env, KRB5_CONFIG=self.realm.conf, KRB5CCNAME=self.cache)
        _proxy, agent = self.both(Asks(self.gate), lines, env=env)
        self.assertEqual(self.ask(agent).status, 200)
        self.tray(agent)
        return agent

    def until(self, agent):
        return agent.status()["upstreams"][0]["ticket_until"]

    def test_renewed(self):
        agent = self.place("-l", "9m", "-r", "1h")
        told = self.desktop_.wait_notified(WORDS)
        self.assertEqual(told[4], ["renew", "Renew"])
        self.assertIn("alice@" + self.realm.name, told[3])
        before = self.realm.issued("alice", "TGS_REQ")
        self.desktop_.press(told, "renew")
        self.desktop_.wait_notified("The Kerberos ticket was renewed.")
        self.assertEqual(self.realm.issued("alice", "TGS_REQ"), before + 1)
        wait_until(lambda: told[0] in self.desktop_.closed, "the notification to be withdrawn")
        self.assertEqual(self.desktop_.titles().count(WORDS), 1)  # of the new one that ends soon, too: not yet
        self.assertEqual(agent.status()["upstreams"][0]["renew"], "kinit")

    def test_told_once(self):
        self.place("-l", "9m")
        self.desktop_.wait_notified(WORDS)
        for _ in range(3):
            self.desktop_.choose("Proxy on")
            self.shows("off")
            self.desktop_.choose("Proxy on")
            self.shows("on")
        self.assertEqual(self.desktop_.titles().count(WORDS), 1)

    def test_not_long_before(self):
        self.place("-l", "1h")
        self.shows("on")
        wait_until(lambda: self.desktop_.row("ticket until"), "the ticket")
        self.assertIsNone(self.desktop_.notified(WORDS))

    def test_a_later_one_is_seen(self):
        """Without any request that would use it."""
        agent = self.place("-l", "9m")
        self.desktop_.wait_notified(WORDS)
        before = self.until(agent)
        self.kinit("-l", "2h")
        self.assertGreater(self.until(agent), before + 3600)

    def test_cannot_be_renewed_and_nothing_can_be_typed(self):
        """Only the person and kinit can: in a terminal."""
        self.place("-l", "9m")
        self.desktop_.choose("Renew ticket for corp")
        told = self.note("terminal").splitlines()
        self.assertEqual(told[-2:], ["--", "alice@" + self.realm.name])
        self.assertIn("kinit", told[-3])

    def test_cannot_be_renewed_so_the_password_is_asked_for(self):
        agent = self.place("-l", "9m", secret="prompt")
        told = self.desktop_.wait_notified(WORDS)
        self.assertEqual(agent.status()["upstreams"][0]["renew"], "login")
        self.answers("Password")
        before = self.until(agent)
        self.desktop_.press(told, "renew")
        self.desktop_.wait_notified("accepted")
        self.assertIn("GETPIN", self.note("pinentry"))
        self.assertGreater(self.until(agent), before + 3600)
        self.assertNotIn("renew", agent.status()["upstreams"][0])  # that one is renewed by itself
        wait_until(lambda: told[0] in self.desktop_.closed, "the notification to be withdrawn")
