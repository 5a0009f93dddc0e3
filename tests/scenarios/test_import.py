"""exeat import with a proxy that asks: what another relay had of secrets is tried once, kept in the keyring, and used from there."""

import os

import ntlm
from base import Scenario
from gates import Ntlm
from proxy import Asks


class Secrets(Scenario):
    def lab(self, line):
        gate = Ntlm()
        proxy = self.proxy(Asks(gate))
        agent = self.agent(proxy.upstream("auth = none"), start=False)
        agent.env.update(SECRET_BACKEND="file", SECRET_FILE_TEST_PATH=os.path.join(agent.directory, "keyring"), SECRET_FILE_TEST_PASSWORD="master")
        source = agent.write("cntlm.conf", "Proxy %s\nUsername alice\nDomain CORP\nListen 0\nAuth NTLMv2\n%s\n" % (proxy.address, line))
        return gate, agent, source

    def move(self, agent, source):
        answer = agent.exeat("import", source, "--force", "-o", agent.config_path)
        with open(agent.config_path) as file:
            return answer.returncode, answer.stdout + answer.stderr, file.read()

    def test_a_password(self):
        gate, agent, source = self.lab("Password secret")
        code, said, text = self.move(agent, source)
        self.assertEqual((code, gate.attempts, gate.failed), (0, 1, 0), said)
        self.assertIn("stored in the keyring", said)
        agent.start()
        self.assertEqual(self.ask(agent).status, 200)

    def test_a_wrong_password(self):
        gate, agent, source = self.lab("Password hunter2")
        code, said, text = self.move(agent, source)
        self.assertEqual((code, gate.attempts, gate.failed), (5, 1, 1), said)
        self.assertNotIn("hunter2", said + text)
        self.assertIn("It was not stored", said)

    def test_an_nt_hash(self):
        digest = ntlm.md4("secret".encode("utf-16-le")).hex().upper()
        gate, agent, source = self.lab("PassNT " + digest)
        code, said, text = self.move(agent, source)
        self.assertEqual((code, gate.attempts, gate.failed), (0, 1, 0), said)
        self.assertIn("secret = nt-hash\n", text)
        self.assertNotIn(digest.lower(), (said + text).lower())
        agent.start()
        self.assertEqual(self.ask(agent).status, 200)
        self.assertNotIn(digest.lower(), agent.log().lower())

    def test_a_hash_is_never_a_password(self):
        """The keyring has it under another name: with secret = keyring nothing of it is shown to a proxy."""
        digest = ntlm.md4("secret".encode("utf-16-le")).hex()
        gate, agent, source = self.lab("PassNT " + digest)
        self.assertEqual(self.move(agent, source)[0], 0)
        with open(agent.config_path) as file:
            text = file.read()
        agent.configure(text.replace("secret = nt-hash\n", "secret = keyring\n"))
        before = gate.attempts
        agent.start()
        self.assertNotEqual(self.ask(agent).status, 200)
        self.assertEqual(gate.attempts, before)

    def test_what_is_typed_must_be_a_hash(self):
        gate, agent, source = self.lab("PassNT " + "0" * 32)
        self.move(agent, source)
        before = gate.attempts
        answer = agent.exeat("login", "--config", agent.config_path, "--stdin", input="a password\n")
        self.assertEqual((answer.returncode, gate.attempts), (1, before), answer)
        self.assertIn("takes an NT hash", answer.stdout + answer.stderr)
