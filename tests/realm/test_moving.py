"""Moving in, in front of a directory: cntlm's NT hash and a password, tried once, kept in the keyring, and good for NTLM with Samba; setup with a ticket."""

import os
import unittest

import ntlm
import world
from agent import Agent
from lab import lab
from session import HTTP, ask, connect, watching

TARGET = HTTP + "/bytes/1000"


class MovingTest(unittest.TestCase):
    def place(self):
        """Nothing is configured there yet."""
        agent = Agent("[upstream corp]\nproxy = http://proxy.invalid:1\n", env={"KRB5_CONFIG": "/etc/krb5.conf"}, start=False)
        self.addCleanup(agent.__exit__, None, None, None)
        agent.env.update(SECRET_BACKEND="file", SECRET_FILE_TEST_PATH=os.path.join(agent.directory, "keyring"), SECRET_FILE_TEST_PASSWORD="master")
        return agent

    def source(self, agent, kind, user, *lines):
        proxy = lab.proxy(kind).partition("://")[2]
        return agent.write("cntlm.conf", "\n".join(("Username %s" % user, "Domain %s" % world.DOMAIN, "Proxy %s" % proxy, "Listen 0", *lines)) + "\n")

    def move(self, agent, source):
        return agent.exeat("import", source, "--force", "-o", agent.config_path)

    def passes(self, agent, kind, user):
        agent.start()
        with watching(kind) as seen:
            self.assertEqual(ask(agent, TARGET).status, 200)
            self.assertEqual(connect(agent).status, 200)
        self.assertEqual({line.user.lower() for line in seen if line.status == 200} - {"-"}, {user})

    def test_an_nt_hash(self):
        lab.reset("lockme")
        digest = ntlm.md4(world.PASSWORDS["alice"].encode("utf-16-le")).hex().upper()
        agent = self.place()
        answer = self.move(agent, self.source(agent, "ntlm", "alice", "PassNT " + digest))
        self.assertEqual(answer.returncode, 0, answer)
        self.assertNotIn(digest.lower(), (answer.stdout + answer.stderr).lower())
        self.passes(agent, "ntlm", "lab\\alice")
        self.assertEqual(lab.bad_count("alice"), 0)

    def test_a_hash_of_another_password(self):
        """One bad password in the directory, and the file says where it came from all the same."""
        lab.reset("lockme")
        agent = self.place()
        answer = self.move(agent, self.source(agent, "ntlm", "lockme", "PassNT " + "0" * 32))
        self.assertEqual(answer.returncode, 5, answer)
        self.assertEqual(lab.bad_count("lockme"), 1)
        lab.reset("lockme")

    def test_a_password(self):
        agent = self.place()
        answer = self.move(agent, self.source(agent, "multi", "alice", "Password " + world.PASSWORDS["alice"]))
        self.assertEqual(answer.returncode, 0, answer)
        self.assertNotIn(world.PASSWORDS["alice"], answer.stdout + answer.stderr)
        self.passes(agent, "multi", "lab\\alice")

    def test_setup_with_a_ticket(self):
        """The directory gives a ticket for the proxy: not one question is about who we are."""
        agent = self.place()
        agent.env["KRB5CCNAME"] = "FILE:" + os.path.join(agent.directory, "tickets")
        lab.kinit(agent.env["KRB5CCNAME"])
        path = os.path.join(agent.directory, "new.conf")
        answer = agent.exeat("setup", "-o", path, input="%s\n\n\n\n" % lab.proxy("multi"))
        self.assertEqual(answer.returncode, 0, answer)
        self.assertIn("Your Kerberos ticket is all that it needs.", answer.stdout)
        with open(path) as file:
            agent.configure(file.read() + "\n[listen]\nhttp = 127.0.0.1:0\n")
        self.passes(agent, "multi", "alice@lab.example")


if __name__ == "__main__":
    unittest.main()
