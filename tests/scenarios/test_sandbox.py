"""What agent and keyholder may not do once they run, that they still do all that they should, and that none of their processes stays behind."""

import contextlib
import os
import re
import signal

from agent import build_directory, ended, processes, wait_until
from base import SITE, Later, Scenario, corp
from gates import Basic, Ntlm
from proxy import Asks, Open
from wire import Wire, get

STARTERS = 2 if os.path.exists(os.path.join(build_directory(), "exeat-pac")) else 1  # the keyholder's, exeat-pac's
COMMAND = "command:sed -n 's/^NoNewPrivs://p' /proc/self/status >> @DIR@/runs; sed -n 's/^Seccomp://p' /proc/self/status >> @DIR@/runs; echo secret"


def status_of(pid):
    with open("/proc/%s/status" % pid) as file:
        return dict(line.split(":\t", 1) for line in file.read().splitlines() if ":\t" in line)


def seccomp_of(pid):
    status = status_of(pid)
    return int(status["NoNewPrivs"]), int(status["Seccomp"]), int(status.get("Seccomp_filters", 0))


def below(pid):
    """All that it has started, and they."""
    found, table = [pid], list(processes())
    for one in found:
        found += [child for child, parent, _ in table if parent == one]
    return found


class Confined(Scenario):
    def keyholder(self, agent):
        return wait_until(agent.keys_pid, "the keyholder")

    def basic(self, secret, **options):
        return self.both(Asks(Basic()), corp("basic", "alice", secret), **options)

    def runs(self, agent):
        path = os.path.join(agent.directory, "runs")
        if not os.path.exists(path):
            return []
        with open(path) as file:
            return file.read().split()

    def zombies(self, agent):
        found = []
        for pid in below(agent.pid):
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # the last command's shell may just be going
                found += [pid] if status_of(pid)["State"].startswith("Z") else []
        return found

    def test_what_holds(self):
        _, agent = self.both(Open(), more="[log]\nlevel = debug\n")
        ours = seccomp_of("self")
        self.assertEqual(seccomp_of(agent.pid), (1, 2, ours[2] + 1))
        self.assertEqual(seccomp_of(wait_until(agent.starter_pid, "the starter")), ours)
        keys = self.keyholder(agent)
        agent.wait_log("the keyholder starts no programs, gains no privileges\n")
        self.assertEqual(seccomp_of(keys), (1, 2, ours[2] + 1))
        agent.wait_log("the agent starts no programs, gains no privileges")
        self.assertIn("starts no programs", agent.status()["confined"])
        self.assertRegex(agent.exeat("status").stdout, "the agent +starts no programs")

    def test_commands_are_not_confined(self):
        """A command for the password may need what we do not: gpg starts its agent, which listens; others are setuid."""
        _, agent = self.basic(COMMAND)
        ours = seccomp_of("self")
        self.assertEqual(self.ask(agent).status, 200)
        self.assertEqual([int(word) for word in self.runs(agent)], [ours[0], ours[1]])

    def test_started_again_with_all_that_it_can(self):
        proxy, agent = self.basic(COMMAND)
        for count in range(1, 4):
            self.assertEqual(self.ask(agent).status, 200)
            self.assertEqual(len(self.runs(agent)), 2 * count)
            old = agent.keys_pid()
            self.assertEqual(seccomp_of(old)[:2], (1, 2))
            runner = below(old)[1:]
            os.kill(old, signal.SIGKILL)
            wait_until(lambda: ended(old) and all(map(ended, runner)), "the end of the keyholder")
            proxy.drop_all()
            wait_until(lambda: self.ask(agent).status == 200 and agent.keys_pid() not in (None, old), "a new keyholder that answers")
        wait_until(lambda: not self.zombies(agent), "somebody who asks for those that have ended")

    def test_a_command_that_comes_with_a_reload(self):
        proxy, agent = self.basic("file:@DIR@/wrong", files={"wrong": "wrong\n"})
        self.assertEqual(self.ask(agent).status, 502)
        agent.configure(proxy.upstream(corp("basic", "alice", COMMAND)))
        agent.reload()
        self.assertEqual(self.ask(agent).status, 200)
        self.assertEqual(len(self.runs(agent)), 2)

    def test_nobody_stays_when_it_is_killed(self):
        proxy = self.proxy(Asks(Basic()))
        agent = self.agent(proxy.upstream(corp("basic", "alice", "command:echo $$ > @DIR@/pid; exec sleep 60")))
        asked = Later(self.ask, agent)
        path = os.path.join(agent.directory, "pid")
        wait_until(lambda: os.path.exists(path) and open(path).read().strip(), "the command for the password")
        family, names = [], ["exeat", "exeat-commands", "exeat-keys", "exeat-namer", *["exeat-starter"] * STARTERS, "sleep"]

        def complete():  # the shell has still to become "sleep"
            family[:] = below(agent.pid)
            return sorted(name for pid, _, name in processes() if pid in family) == names
        wait_until(complete, "just these: %s" % names)
        agent.kill()
        wait_until(lambda: all(map(ended, family)), "the end of all its processes")
        self.assertRaises(Exception, asked.result)

    def test_nobody_stays_when_all_are_told(self):
        """Ctrl-C on a terminal, and a service manager that ends a service, reach every process of ours."""
        for number in (signal.SIGINT, signal.SIGTERM):
            with self.subTest(number.name):
                _, agent = self.both(Asks(Ntlm()), corp("ntlm"))
                self.assertEqual(self.ask(agent).status, 200)
                family = below(agent.pid)
                self.assertEqual(len(family), 4 + STARTERS)
                os.killpg(agent.process.pid, number)
                agent.wait_end(0)
                wait_until(lambda: all(map(ended, family)), "the end of all its processes")

    def test_the_starter_is_killed(self):
        """What runs goes on; what would have to be started says what to do."""
        proxy, agent = self.both(Asks(Ntlm()), corp("ntlm"))
        self.assertEqual(self.ask(agent).status, 200)
        keys, starter = agent.keys_pid(), agent.starter_pid()
        os.kill(starter, signal.SIGKILL)
        wait_until(lambda: ended(starter), "the end of the starter")
        proxy.drop_all()
        self.assertEqual(self.ask(agent).status, 200)
        os.kill(keys, signal.SIGKILL)
        agent.wait_log("the keyholder (closed|broke|was ended)")
        proxy.drop_all()
        wait_until(lambda: "not running" in self.own(self.ask(agent), 502).text, "an answer without a keyholder")
        agent.wait_log(r"cannot start .*exeat-keys.*stop exeat and start it again")

    def test_listeners_of_a_reload(self):
        proxy = self.proxy(Open())
        text = "[listen]\nhttp = unix:@DIR@/home/%s\n" + proxy.upstream()
        agent = self.agent(text % "one")
        home = os.path.join(agent.directory, "home")
        agent.configure(text % "two 127.0.0.1:0 unix:@DIR@/home/.config/three")
        agent.reload()
        for name in ("two", ".config/three"):
            with Wire.connect_unix(os.path.join(home, name)) as client:
                self.assertEqual(client.ask(get(SITE + "/bytes/5")).status, 200)
        self.assertFalse(os.path.exists(os.path.join(home, "one")))
        agent.configure(text % "../four")
        answer = agent.exeat("reload")
        if not re.search("Landlock", agent.status()["confined"]):
            self.skipTest("this kernel keeps nobody from making sockets elsewhere")
        self.assertNotEqual(answer.returncode, 0)
        self.assertRegex(answer.stderr, r"four: Permission denied \(.*stop it and\s+start it again")
        agent.configure(text % ".config/nowhere/five")  # another reason, which that would not help
        self.assertNotIn("start it again", agent.exeat("reload").stderr)
        with Wire.connect_unix(os.path.join(home, "two")) as client:
            self.assertEqual(client.ask(get(SITE + "/bytes/5")).status, 200)
        agent.configure(text % "../four")
        agent.restart()
        self.assertTrue(os.path.exists(os.path.join(agent.directory, "four")))
