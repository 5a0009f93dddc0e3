"""The password is nowhere to be seen: no log at any level, no page, no command line, no environment, not in the agent's memory."""

import base64
import os
import re
import unittest

from base import AUTH, Scenario, corp
from gates import Basic, Digest, Negotiate, Ntlm
from proxy import Asks

PASSWORD = "correct-Horse-battery-7Staple"
DEBUG = "[log]\nlevel = debug\n"
GATES = {"basic": Basic, "digest": Digest, "ntlm": Ntlm, "negotiate": Negotiate}


def shapes(user):
    """What must not be seen, as bytes."""
    pair = ("%s:%s" % (user, PASSWORD)).encode()
    return [PASSWORD.encode(), PASSWORD.encode("utf-16-le"), base64.b64encode(pair).rstrip(b"="), base64.b64encode(PASSWORD.encode()).rstrip(b"=")]


def memory_holds(pid, needles):
    """Which of these are in the writable memory of that process."""
    found = set()
    with open("/proc/%d/maps" % pid) as maps, open("/proc/%d/mem" % pid, "rb", 0) as mem:
        for line in maps:
            match = re.match(r"([0-9a-f]+)-([0-9a-f]+) rw", line)
            if not match or "[vvar]" in line:
                continue
            start, end = int(match.group(1), 16), int(match.group(2), 16)
            if end - start > 1 << 30:
                continue  # shadow memory of a sanitizer
            try:
                mem.seek(start)
                data = mem.read(end - start)
            except (OSError, OverflowError, ValueError):
                continue
            found |= {needle for needle in needles if needle in data}
    return found


class Secrets(Scenario):
    def each(self, check, right=True):
        for name, kind in GATES.items():
            with self.subTest(name):
                user = "CORP\\alice" if name in ("ntlm", "negotiate") else "alice"
                gate = kind(password=PASSWORD if right else "another")
                _, agent = self.both(Asks(gate), corp(AUTH[name], user), DEBUG, secret=PASSWORD)
                answers = [self.ask(agent, "/bytes/9"), self.ask(agent, "/status/200", method="POST", body=b"x"),
                           self.ask(agent, "/bytes/9", "Accept: text/html")]
                answers.append(self.tunnel(agent, expect=200 if right else 502))
                self.assertEqual(answers[0].status, 200 if right else 502)
                check(agent, answers, shapes(user), name)

    def not_in(self, needles, text, where):
        for needle in needles:
            self.assertNotIn(needle, text, "the secret is in " + where)

    def look(self, agent, answers, needles, name):
        keys = agent.keys_pid()
        log = agent.log().encode()
        self.assertGreater(len(log), 300)
        self.not_in(needles, log, "the log")
        self.assertNotRegex(agent.log(), r"(?i)proxy-authorization: *(basic|digest|ntlm|negotiate) +[A-Za-z0-9+/]{8}")
        for answer in answers[:3]:
            self.not_in(needles, answer.raw_head + answer.body, "a page")
        for pid in (agent.pid, keys):
            for file in ("cmdline", "environ"):
                with open("/proc/%d/%s" % (pid, file), "rb") as opened:
                    self.not_in(needles, opened.read(), "%s of %d" % (file, pid))
        for verb in (("status",), ("status", "--json"), ("check", "--config", agent.config_path)):
            answer = agent.exeat(*verb)
            self.not_in(needles, (answer.stdout + answer.stderr).encode(), " ".join(verb))

    def test_outputs(self):
        self.each(self.look)

    def test_outputs_after_a_refusal(self):
        self.each(self.look, right=False)

    @unittest.skipUnless(os.geteuid() == 0, "only root may look")
    def test_memory_of_the_agent(self):
        """Basic's header is the secret, and the agent has to keep it; of the others it never sees anything."""
        def check(agent, answers, needles, name):
            if name != "basic":
                self.assertEqual(memory_holds(agent.pid, needles), set())
        self.each(check)

    @unittest.skipUnless(os.geteuid() == 0, "only root may look")
    def test_memory_of_the_keyholder(self):
        """Once there is a credential for NTLM and Negotiate, only the hash is kept."""
        def check(agent, answers, needles, name):
            if name in ("ntlm", "negotiate"):
                self.assertEqual(memory_holds(agent.keys_pid(), needles), set())
        self.each(check)

    def test_no_core_dumps(self):
        _, agent = self.both(Asks(Ntlm()), corp("ntlm"))
        self.assertEqual(self.ask(agent).status, 200)  # so that both programs are there
        for pid in (agent.pid, agent.keys_pid()):
            with open("/proc/%d/limits" % pid) as limits:
                self.assertRegex(limits.read(), r"Max core file size +0 +0")

    def test_password_in_the_upstream_url_is_refused(self):
        _, agent = self.both(Asks(Ntlm()), corp("ntlm"))
        path = agent.write("bad.conf", "[upstream corp]\nproxy = http://alice:%s@127.0.0.1:1\n" % PASSWORD)
        answer = agent.exeat("check", "--config", path)
        self.assertNotEqual(answer.returncode, 0)
        self.not_in(shapes("alice"), (answer.stdout + answer.stderr).encode(), "what check says")
