"""exeat setup on a terminal, against proxies that offer each scheme: what it asks, what it writes, and that leaving in between leaves nothing."""

import os
import signal

from behaviours import Silent
from gates import Basic, Digest, Ntlm
from proxy import Asks, Open
from setups import Setup


class Schemes(Setup):
    def test_it_asks_nobody(self):
        proxy, agent = self.lab(Open())
        d = self.dialogue(agent)
        d.answer("The proxy", proxy.address)
        d.wait_for("it does not ask who we are")
        self.routes(d)
        said, code = self.finish(d)
        self.assertEqual(code, 0, said)
        self.assertIn("proxy = http://%s\n" % proxy.address, self.text())
        self.assertNotIn("user", self.text())
        self.assertIn("no-proxy = localhost 127.0.0.0/8 ::1\n", self.text())

    def with_password(self, gate, user):
        proxy, agent = self.lab(Asks(gate))
        d = self.dialogue(agent)
        d.answer("The proxy", proxy.address)
        d.wait_for("Proxy-Authenticate: " + gate.scheme)
        if gate.scheme == "Basic":
            d.answer("Do that", "y")
        d.answer("Your user name", user)
        d.answer("Password", "secret")
        self.routes(d)
        said, code = self.finish(d)
        self.assertEqual((code, gate.attempts, gate.failed), (0, 1, 0), said)
        self.assertNotIn("secret", self.text().replace("secret =", ""))
        return agent

    def test_ntlm(self):
        self.with_password(Ntlm(), "CORP\\alice")
        self.assertIn("user = CORP\\alice\n", self.text())
        self.assertNotIn("auth =", self.text())

    def test_digest(self):
        self.with_password(Digest(), "")
        self.assertIn("user = alice\n", self.text())

    def test_basic(self):
        self.with_password(Basic(), "")
        self.assertIn("auth = basic\n", self.text())
        self.assertNotIn("basic-in-clear", self.text())  # this machine alone

    def test_basic_is_not_taken_unasked(self):
        proxy, agent = self.lab(Asks(Basic()))
        d = self.dialogue(agent)
        d.answer("The proxy", proxy.address)
        d.answer("Do that", "n")
        d.answer("Go on without signing in", "y")
        self.routes(d)
        self.finish(d)
        self.assertNotIn("basic", self.text())
        self.assertNotIn("user", self.text())

    def test_nor_is_anything_written_then(self):
        proxy, agent = self.lab(Asks(Basic()))
        d = self.dialogue(agent)
        d.answer("The proxy", proxy.address)
        d.answer("Do that", "n")
        d.answer("Go on without signing in", "")
        said, code = d.end()
        self.assertEqual(code, 1, said)
        self.nothing_is_left(agent)


class Trial(Setup):
    def start(self, password):
        gate = Ntlm()
        proxy, agent = self.lab(Asks(gate))
        d = self.dialogue(agent)
        d.answer("The proxy", proxy.address)
        d.answer("Your user name", "CORP\\alice")
        shown = d.answer("Password", password)
        self.routes(d)
        self.assertNotIn(password, shown + d.answer("write this to", ""))
        return gate, agent, d

    def test_a_wrong_password(self):
        gate, agent, d = self.start("hunter2")
        d.answer("Type the password again", "n")
        d.answer("Write the configuration all the same", "")
        said, code = d.end()
        self.assertEqual((code, gate.attempts, gate.failed), (1, 1, 1), said)
        self.assertIn("nothing was written", said)
        self.assertNotIn("hunter2", said)
        self.nothing_is_left(agent)

    def test_and_then_the_right_one(self):
        gate, agent, d = self.start("hunter2")
        d.answer("Type the password again", "")
        d.answer("Password", "secret")
        d.wait_for("is written.")
        d.answer("Point git", "")
        said, code = d.end()
        self.assertEqual((code, gate.attempts, gate.failed), (0, 2, 1), said)


class Leaving(Setup):
    def test_at_each_question(self):
        proxy, agent = self.lab(Asks(Ntlm()))
        questions = [("The proxy", proxy.address), ("Your user name", "CORP\\alice"), ("Password", "secret"),
                     ("Reached without", ""), ("write this to", "")]
        for last in range(len(questions)):
            for how in (b"\x03", b"\x04"):
                with self.subTest(questions[last][0], how=how):
                    if how == b"\x04" and questions[last][0] == "Password":
                        continue  # the password can come later
                    d = self.dialogue(agent)
                    for question, answer in questions[:last]:
                        d.answer(question, answer)
                    d.wait_for(questions[last][0])
                    d.wait_for(": ")
                    self.assertEqual(d.echoes(), questions[last][0] != "Password")
                    os.write(d.fd, how)
                    _, code = d.end()
                    self.assertTrue(d.echoes())
                    nobody = 2 if last == 0 else 1
                    self.assertEqual(code, -signal.SIGINT if how == b"\x03" else nobody)
                    self.nothing_is_left(agent)
        self.assertFalse(os.path.exists(agent.env["SECRET_FILE_TEST_PATH"]))

    def test_during_the_trial(self):
        proxy, agent = self.lab(Asks(Ntlm()))
        d = self.dialogue(agent)
        d.answer("The proxy", proxy.address)
        d.answer("Your user name", "CORP\\alice")
        d.answer("Password", "secret")
        self.routes(d)
        proxy.behaviour = silent = Silent()
        self.stack.callback(silent.release.set)
        d.answer("write this to", "")
        d.wait_for("trying the password")
        os.write(d.fd, b"\x03")
        _, code = d.end()
        self.assertEqual(code, -signal.SIGINT)
        self.nothing_is_left(agent)

    def test_during_the_look(self):
        silent = Silent()
        proxy, agent = self.lab(silent)
        self.stack.callback(silent.release.set)
        d = self.dialogue(agent)
        d.answer("The proxy", proxy.address)
        d.wait_for("asking the proxy what it wants")
        os.write(d.fd, b"\x03")
        self.assertEqual(d.end()[1], -signal.SIGINT)
        self.nothing_is_left(agent)

    def test_an_existing_file_stays(self):
        _, agent = self.lab(Open())
        os.makedirs(os.path.dirname(self.path))
        with open(self.path, "w") as file:
            file.write("# mine\n")
        said, code = self.dialogue(agent).end()
        self.assertEqual(code, 3)
        self.assertIn("is there already", said)
        self.assertEqual(self.text(), "# mine\n")

    def test_a_proxy_that_does_not_answer(self):
        proxy, agent = self.lab(Open())
        address = proxy.address
        proxy.stop_listening()
        d = self.dialogue(agent)
        d.answer("The proxy", address)
        d.answer("Take it all the same", "")
        d.wait_for("The proxy")
        d.wait_for(": ")
        os.write(d.fd, b"\x04")
        self.assertEqual(d.end()[1], 1)
        self.nothing_is_left(agent)


class Pipe(Setup):
    def test_without_a_terminal(self):
        gate = Ntlm()
        proxy, agent = self.lab(Asks(gate))
        answers = "%s\nCORP\\alice\nsecret\n\n\n\n\n\n\n" % proxy.address
        answer = agent.exeat("setup", input=answers)
        self.assertEqual((answer.returncode, gate.attempts, gate.failed), (0, 1, 0), answer)
        self.assertIn("user = CORP\\alice\n", self.text())
        self.assertNotIn("secret\n", answer.stdout + answer.stderr + self.text())

    def test_the_environment_is_the_guess(self):
        proxy, agent = self.lab(Open())
        env = {"https_proxy": "http://" + proxy.address, "no_proxy": "localhost,.x.example"}
        answer = agent.exeat("setup", input="\n" * 10, env=env)
        self.assertEqual(answer.returncode, 0, answer)
        self.assertIn("(from the environment)", answer.stdout)
        self.assertIn("proxy = http://%s\n" % proxy.address, self.text())
        self.assertRegex(self.text(), r"no-proxy = localhost \S*\.x\.example")
