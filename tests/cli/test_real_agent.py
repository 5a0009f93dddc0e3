"""The verbs that talk to a running agent, with the real one and its keyholder."""

import json
import unittest

import agent as lib

PASSWORD = "Tr0ub4dor-and-three"
CONFIG = "[upstream corp]\nproxy = http://127.0.0.1:1\nuser = CORP\\alice\nauth = ntlm\nsecret = prompt\n"


class RealAgent(unittest.TestCase):
    def expect(self, agent, code, part, *words, **options):
        answer = agent.exeat(*words, **options)
        self.assertEqual(answer.returncode, code, answer)
        self.assertIn(part, answer.stdout if code == 0 else answer.stderr)
        return answer

    def test_status(self):
        with lib.Agent(CONFIG) as agent:
            self.expect(agent, 0, "Listening on 127.0.0.1:%d." % agent.port, "status")
            status = json.loads(self.expect(agent, 0, "{", "status", "--json").stdout)
            self.assertEqual(status["pid"], agent.pid)
            self.assertEqual(status["config"], agent.config_path)
            self.assertEqual(status["listening"], ["127.0.0.1:%d" % agent.port])
            self.assertEqual([upstream["name"] for upstream in status["upstreams"]], ["corp"])
            self.assertEqual(status["upstreams"][0]["identity"], "CORP\\alice")
            self.assertLessEqual({"idle", "busy", "state", "proxy"}, set(status["upstreams"][0]["proxies"][0]))
            for counter in ("requests", "tunnels", "challenges", "handshakes", "refusals", "connections", "bytes_up", "bytes_down"):
                self.assertEqual(status["counters"][counter], 0)

    def test_reload(self):
        with lib.Agent(CONFIG) as agent:
            agent.configure(CONFIG + "[upstream lab]\nproxy = http://127.0.0.1:1\nauth = none\n")
            self.expect(agent, 0, "has read its configuration again", "reload")
            self.assertEqual([upstream["name"] for upstream in agent.status()["upstreams"]], ["corp", "lab"])
            agent.configure(CONFIG + "usre = x\n")
            self.expect(agent, 3, '"user"', "reload")
            self.assertEqual(len(agent.status()["upstreams"]), 2)

    def test_stop(self):
        with lib.Agent(CONFIG) as agent:
            self.expect(agent, 0, "The agent has stopped.", "stop")
            self.assertIsNotNone(agent.process.poll())  # not a moment later
            agent.wait_end(0)
            self.expect(agent, 4, "no agent is running", "status")

    def test_a_second_agent_does_not_start(self):
        with lib.Agent(CONFIG) as agent:
            self.expect(agent, 1, "running", "run", "--config", agent.config_path)
            self.expect(agent, 0, "is running", "status")

    def test_login_and_logout(self):
        with lib.Agent(CONFIG) as agent:
            self.expect(agent, 0, "could not be tried", "login", "--stdin", input=PASSWORD + "\n")
            self.assertEqual(agent.status()["upstreams"][0]["state"], "ready")
            self.expect(agent, 0, "", "logout", "corp")
            self.assertIn("no password", agent.status()["upstreams"][0]["state"])
            self.assertNotIn(PASSWORD, agent.log())

    def test_accept_with_and_without_an_agent(self):
        agent = lib.Agent(CONFIG)
        with agent:
            self.expect(agent, 0, "There is nothing to accept", "accept", "corp")
            self.expect(agent, 2, "has no upstream", "accept", "nobody")
            agent.stop()
            self.expect(agent, 0, "There is nothing to accept", "accept", "--config", agent.config_path)
            self.expect(agent, 2, "has no upstream", "accept", "nobody", "--config", agent.config_path)

    def test_login_without_an_agent(self):
        agent = lib.Agent(CONFIG.replace("secret = prompt", "secret = keyring"), start=False)
        with agent:
            answer = self.expect(agent, 1, "keyring", "login", "--stdin", "--config", agent.config_path, input=PASSWORD + "\n")
            self.assertIn("secret = ", answer.stderr)  # what to use instead
            self.assertNotIn(PASSWORD, answer.stdout + answer.stderr)
