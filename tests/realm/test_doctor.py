"""exeat doctor before real proxies and real directories: what Samba and the KDC say of themselves, and what they count."""

import json
import tempfile
import unittest

import world
from lab import lab
from session import HTTP, agent_for, ask


def doctor(agent, *words):
    answer = agent.exeat("doctor", "--json", *words)
    report = json.loads(answer.stdout)
    return answer.returncode, {step["step"]: step for step in report["steps"]}, report


class DoctorTest(unittest.TestCase):
    def ticket(self):
        folder = tempfile.TemporaryDirectory(prefix="exeat-doctor-")
        self.addCleanup(folder.cleanup)
        cache = "FILE:%s/cache" % folder.name
        lab.kinit(cache)
        return cache

    def test_the_directory_behind_ntlm(self):
        with agent_for("ntlm") as agent:
            code, steps, report = doctor(agent, "--try", HTTP + "/bytes/1000")
            self.assertEqual(code, 0, report)
            self.assertRegex(steps["ntlm"]["evidence"], r"(?i)domain lab.example, server \S+; this computer's clock is \d+ seconds? (behind|ahead of) that server's")
            self.assertRegex(steps["request"]["evidence"], r"answered 200 .*1 sign-in")

    def test_a_wrong_password_is_counted_once_however_often_one_asks(self):
        lab.reset("lockme2")
        with agent_for("ntlm", user="lockme2", password=world.WRONG_PASSWORD) as agent:
            for _ in range(3):
                self.assertEqual(doctor(agent)[1]["request"]["result"], "note")
            self.assertEqual(lab.bad_count("lockme2"), 0)
            code, steps, report = doctor(agent, "--try")
            self.assertEqual((code, steps["request"]["result"]), (5, "failed"), report)
            self.assertEqual(lab.bad_count("lockme2"), 1)
            for words in ((), ("--try",), ("--try", "--config", agent.config_path)):
                code, steps, report = doctor(agent, *words)
                self.assertEqual((code, steps["password"]["result"], steps["request"]["result"]), (5, "failed", "skipped"), report)
            self.assertEqual(lab.bad_count("lockme2"), 1)

    def test_a_password_for_kerberos_is_not_shown_to_the_kdc(self):
        lab.reset("lockme2")
        with agent_for("krb", user="lockme2", password=world.WRONG_PASSWORD) as agent:
            _, steps, report = doctor(agent)
            self.assertEqual(steps["kdc"]["evidence"], "a Kerberos server of %s answers" % world.REALM, report)
            self.assertEqual(steps["kdc-clock"]["result"], "ok")
            self.assertEqual(lab.bad_count("lockme2"), 0)

    def test_a_ticket(self):
        with agent_for("krb", user=None, secret="none", cache=self.ticket()) as agent:
            code, steps, report = doctor(agent, HTTP + "/bytes/1000")
            self.assertEqual(code, 0, report)
            self.assertRegex(steps["ticket"]["evidence"], "^alice@%s, until " % world.REALM)
            self.assertIn("gave a ticket for HTTP/proxy.lab.example", steps["spn"]["evidence"])
            self.assertRegex(steps["scheme"]["evidence"], r"^Negotiate \(Kerberos\)")

    def test_a_name_that_the_kdc_does_not_know(self):
        with agent_for("krb", user=None, secret="none", cache=self.ticket(), host="nospn.lab.example") as agent:
            code, steps, report = doctor(agent)
            self.assertEqual((code, steps["spn"]["result"]), (1, "failed"), report)
            self.assertIn("does not know the proxy's service name", steps["spn"]["evidence"])
            self.assertIn("spn = HTTP/NAME", steps["spn"]["remedy"])

    def test_policy(self):
        with agent_for("basic", user="bob") as agent:
            self.assertEqual(ask(agent, HTTP + "/bytes/10").status, 502)  # basic is not named in auth =
        with agent_for("digest") as agent:
            self.assertEqual(ask(agent, HTTP + "/bytes/10").status, 200)
            code, steps, report = doctor(agent, "http://%s/" % world.FORBIDDEN)
            self.assertEqual(code, 1, report)
            self.assertIn("let us in and forbids", steps["request"]["evidence"])
