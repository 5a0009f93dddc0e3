"""exeat login before there is an agent, as README has it: the password is tried once all the same, and kept where it outlives the verb."""

import os

from base import Scenario, corp
from gates import Ntlm
from proxy import Asks


class Alone(Scenario):
    def lab(self, secret):
        gate = Ntlm()
        proxy = self.proxy(Asks(gate))
        agent = self.agent(proxy.upstream(corp("ntlm", secret=secret)), start=False)
        agent.env.update(SECRET_BACKEND="file", SECRET_FILE_TEST_PATH=os.path.join(agent.directory, "keyring"), SECRET_FILE_TEST_PASSWORD="master")
        return gate, proxy, agent

    def login(self, agent, password):
        answer = agent.exeat("login", "--config", agent.config_path, "--stdin", input=password + "\n")
        self.assertNotIn("info", answer.stderr)
        return answer.returncode, answer.stdout + answer.stderr

    def test_it_is_tried_once_and_stored(self):
        gate, proxy, agent = self.lab("keyring")
        code, said = self.login(agent, "wrong")
        self.assertEqual((code, gate.attempts, gate.failed), (5, 1, 1), said)
        self.assertRegex(said, r"refused the password of CORP\\alice(.|\n)*It was not stored")
        code, said = self.login(agent, "secret")
        self.assertEqual((code, gate.attempts, gate.failed), (0, 2, 1), said)
        self.assertIn("accepted by %s and stored in the keyring" % proxy.address, said)
        agent.start()
        self.assertEqual(self.ask(agent).status, 200)

    def test_no_proxy(self):
        _, proxy, agent = self.lab("keyring")
        proxy.stop_listening()
        code, said = self.login(agent, "secret")
        self.assertEqual(code, 0, said)
        self.assertRegex(said, "could not be tried .*is stored in the keyring")

    def test_nowhere_to_keep_it(self):
        """It would be gone with the verb; so it costs no attempt either."""
        gate, _, agent = self.lab("prompt")
        code, said = self.login(agent, "secret")
        self.assertEqual((code, gate.attempts), (1, 0), said)
        self.assertRegex(said, "No agent is running(.|\n)*exeat run")
