"""The password in the desktop's keyring: exeat login puts it there, a restarted agent finds it, exeat logout takes it away."""

import unittest

import world
from desktop import Keyring
from lab import lab
from session import HTTP, agent_for, ask, connect

TARGET = HTTP + "/bytes/1000"


def agent_with(keyring, kind="ntlm", user="alice", **more):
    return agent_for(kind, user=user, secret="keyring", env=keyring.env, **more)


class KeyringTest(unittest.TestCase):
    def test_login_restart_logout(self):
        for kind, user in (("ntlm", "alice"), ("krb", "jürgen"), ("basic", "bob"), ("digest", "alice")):
            auth = {"basic": "basic"}.get(kind)
            with Keyring() as keyring, agent_with(keyring, kind, user, auth=auth) as agent:
                page = ask(agent, TARGET)
                self.assertEqual(page.status, 502)
                self.assertIn("exeat login", page.text)
                answer = agent.exeat("login", "corp", "--stdin", input=world.PASSWORDS[user] + "\n")
                self.assertEqual(answer.returncode, 0, answer.stdout + answer.stderr)
                self.assertEqual(keyring.items(), 1)
                self.assertEqual(ask(agent, TARGET).status, 200)
                agent.restart()
                self.assertEqual(ask(agent, TARGET).status, 200)
                self.assertEqual(connect(agent).status, 200)
                answer = agent.exeat("logout", "corp")
                self.assertEqual(answer.returncode, 0, answer.stdout + answer.stderr)
                self.assertEqual(keyring.items(), 0)
                agent.restart()
                self.assertEqual(ask(agent, TARGET).status, 502)
                self.assertNotIn(world.PASSWORDS[user], agent.log())

    def test_login_before_the_agent_runs(self):
        with Keyring() as keyring, agent_with(keyring) as agent:
            agent.stop()
            answer = agent.exeat("login", "corp", "--stdin", "--config", agent.config_path, input=world.PASSWORDS["alice"] + "\n")
            self.assertEqual(answer.returncode, 0, answer.stdout + answer.stderr)
            agent.start()
            self.assertEqual(ask(agent, TARGET).status, 200)

    def test_login_tries_the_password_once_and_says_that_it_is_wrong(self):
        lab.reset("lockme")
        with Keyring() as keyring, agent_with(keyring, user="lockme") as agent:
            answer = agent.exeat("login", "corp", "--stdin", input=world.WRONG_PASSWORD + "\n")
            self.assertNotEqual(answer.returncode, 0)
            self.assertIn("refused", answer.stdout + answer.stderr)
            self.assertEqual(lab.bad_count("lockme"), 1)
            for _ in range(3):
                self.assertEqual(ask(agent, TARGET).status, 502)
            self.assertEqual(lab.bad_count("lockme"), 1)
            answer = agent.exeat("login", "corp", "--stdin", input=world.PASSWORDS["lockme"] + "\n")
            self.assertEqual(answer.returncode, 0, answer.stdout + answer.stderr)
            self.assertEqual(ask(agent, TARGET).status, 200)

    def test_a_locked_keyring_is_not_an_empty_one(self):
        with Keyring() as keyring, agent_with(keyring) as agent:
            self.assertEqual(agent.exeat("login", "corp", "--stdin", input=world.PASSWORDS["alice"] + "\n").returncode, 0)
            keyring.lock()
            agent.restart()
            page = ask(agent, TARGET)
            self.assertEqual(page.status, 502)
            self.assertIn("locked", page.text)

    def test_no_bus_at_all(self):
        with agent_for("ntlm", secret="keyring") as agent:
            answer = agent.exeat("login", "corp", "--stdin", input=world.PASSWORDS["alice"] + "\n")
            self.assertNotEqual(answer.returncode, 0)
            self.assertIn("secret =", answer.stdout + answer.stderr)
            self.assertEqual(ask(agent, TARGET).status, 502)

    def test_prompt_keeps_it_in_memory_only(self):
        with agent_for("ntlm", secret="prompt") as agent:
            self.assertEqual(ask(agent, TARGET).status, 502)
            answer = agent.exeat("login", "corp", "--stdin", input=world.PASSWORDS["alice"] + "\n")
            self.assertEqual(answer.returncode, 0, answer.stdout + answer.stderr)
            self.assertEqual(ask(agent, TARGET).status, 200)
            agent.restart()
            self.assertEqual(ask(agent, TARGET).status, 502)
