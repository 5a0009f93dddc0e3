"""The password is nowhere to be seen: no log at any level, no page, no command line, no environment, and in memory on locked pages alone,
whichever provider it came from, whatever scheme used it, and however that went."""

import base64
import os
import pwd
import subprocess
import sys
import unittest

import memory
from agent import ended, wait_until
from base import AUTH, Scenario, corp
from desktop import Keyring
from gates import Basic, Digest, Negotiate, Ntlm
from proxy import Asks, Open
from test_admit import NOBODY, ROOT_ONLY, Door
from test_sandbox import below

PASSWORD = "correct-Horse-battery-7Staple"
OTHER = "another-Zebra-42-paperclip!"
GATES = {"basic": Basic, "digest": Digest, "ntlm": Ntlm, "negotiate": Negotiate}
LEVELS = ("error", "warning", "info", "debug")


def level(name):
    return "[log]\nlevel = %s\n" % name


def user_for(scheme):
    return "CORP\\alice" if scheme in ("ntlm", "negotiate") else "alice"


def shapes(user, password=PASSWORD):
    """What must not be seen, as bytes."""
    pair = ("%s:%s" % (user, password)).encode()
    return [password.encode(), password.encode("utf-16-le"), base64.b64encode(pair).rstrip(b"="), base64.b64encode(password.encode()).rstrip(b"=")]


class Quiet(Open):
    """Unlike Open it never answers with what it was sent: that has the credentials in it."""

    def handle(self, conn, request):
        if request.method == "CONNECT":
            return self.connect(conn, request)
        conn.answer(200, b"quiet\n")
        return True


class Secrets(Scenario):
    def not_in(self, needles, text, where):
        for needle in needles:
            self.assertNotIn(needle, text, "the secret is in " + where)


class Outputs(Secrets):
    seconds = 300  # every scheme at every level: 30 s with a sanitizer

    def each(self, right=True):
        for name, kind in GATES.items():
            for log_level in LEVELS:
                with self.subTest(scheme=name, level=log_level):
                    gate = kind(password=PASSWORD if right else "another")
                    proxy = self.proxy(Asks(gate))
                    config = proxy.upstream(corp(AUTH[name], user_for(name)))
                    agent = self.agent(config, secret=PASSWORD)  # its first words at the level info are how we know that it listens
                    agent.configure(config + level(log_level))
                    agent.reload()
                    answers = [self.ask(agent, "/bytes/9"), self.ask(agent, "/status/200", method="POST", body=b"x"),
                               self.ask(agent, "/bytes/9", "Accept: text/html"), self.tunnel(agent, expect=200 if right else 502)]
                    self.assertEqual(answers[0].status, 200 if right else 502)
                    self.look(agent, answers[:3], shapes(user_for(name)), log_level)

    def look(self, agent, answers, needles, log_level):
        log = agent.log().encode()
        if log_level == "debug":
            self.assertGreater(len(log), 300)
        self.not_in(needles, log, "the log")
        self.assertNotRegex(agent.log(), r"(?i)(basic|digest|ntlm|negotiate) +[A-Za-z0-9+/]{12}")
        for answer in answers:
            self.not_in(needles, answer.raw_head + answer.body, "a page")
        for pid in below(agent.pid):
            for file in ("cmdline", "environ"):
                with open("/proc/%d/%s" % (pid, file), "rb") as opened:
                    self.not_in(needles, opened.read(), "%s of %d" % (file, pid))
        for verb in (("status",), ("status", "--json"), ("check", "--config", agent.config_path), ("run", "--print-config", "--config", agent.config_path)):
            answer = agent.exeat(*verb)
            self.not_in(needles, (answer.stdout + answer.stderr).encode(), " ".join(verb))

    def test_every_level(self):
        self.each()

    def test_every_level_after_a_refusal(self):
        self.each(right=False)

    def test_login(self):
        """What the verb says, its own log and the agent's, of a right password and of a wrong one."""
        for right in (True, False):
            with self.subTest(right=right):
                _, agent = self.both(Asks(Ntlm(password=PASSWORD if right else "another")), corp("ntlm", secret="prompt"), level("debug"))
                answer = agent.exeat("login", "corp", "--stdin", input=PASSWORD + "\n")
                self.assertEqual(answer.returncode, 0 if right else 5)
                self.not_in(shapes("CORP\\alice"), (answer.stdout + answer.stderr + agent.log()).encode(), "what login says")

    def test_password_in_the_upstream_url_is_refused(self):
        _, agent = self.both(Asks(Ntlm()), corp("ntlm"))
        path = agent.write("bad.conf", "[upstream corp]\nproxy = http://alice:%s@127.0.0.1:1\n" % PASSWORD)
        answer = agent.exeat("check", "--config", path)
        self.assertNotEqual(answer.returncode, 0)
        self.not_in(shapes("alice"), (answer.stdout + answer.stderr).encode(), "what check says")


@unittest.skipUnless(memory.may_look(), "only root may look")
class Memory(Secrets):
    """After its use a password is on locked pages, if anywhere. With NTLM and Negotiate the keyholder keeps the hash instead, and the
    password only where no provider could give it again. The agent sees none but Basic's, whose header it has to keep."""

    seconds = 300  # every scheme, by each provider, right and wrong: 40 s with a sanitizer on a machine that is not even slow

    def gone(self, look, what):
        """Nothing is found: at once, or when the other process has had its turn again (our answer may overtake its wiping)."""
        try:
            wait_until(lambda: not look(), "an empty list")
        except AssertionError:
            self.assertEqual(look(), [], what)

    def look(self, agent, scheme, kept, password=PASSWORD):
        needles = shapes(user_for(scheme), password)
        keys = agent.keys_pid()
        self.gone(lambda: memory.loose(keys, needles), "in the keyholder, not locked")
        self.gone(lambda: memory.loose(agent.pid, needles), "in the agent, not locked")
        if scheme != "basic":
            self.gone(lambda: memory.places(agent.pid, needles), "in the agent")
        for pid in set(below(agent.pid)) - {agent.pid, keys}:
            self.gone(lambda pid=pid: self.places_unless_ended(pid, needles), "in a process that starts others")
        if not kept and scheme in ("ntlm", "negotiate"):
            self.gone(lambda: memory.places(keys, needles), "in the keyholder, which has the hash")

    def places_unless_ended(self, pid, needles):
        """A command for the password may be just ending."""
        try:
            return memory.places(pid, needles)
        except OSError:
            if ended(pid):
                return []
            raise

    def used(self, agent, scheme, right):
        """Every kind of request, and the states of a connection that they leave behind."""
        expected = 200 if right else 502
        self.assertEqual(self.ask(agent, "/bytes/9").status, expected)
        self.assertEqual(self.ask(agent, "/status/200", method="POST", body=b"x" * 100000).status, expected)
        self.tunnel(agent, expect=expected)
        self.assertEqual(self.ask(agent, "/bytes/9").status, expected)

    def each(self, secret, first=None, kept=False, **options):
        """For every scheme: right, wrong, a broken proxy, another secret after a reload."""
        for scheme, kind in GATES.items():
            lines = corp(AUTH[scheme], user_for(scheme), secret)
            for right in (True, False):
                with self.subTest(scheme=scheme, right=right):
                    gate = kind(password=PASSWORD if right else "x")
                    _, agent = self.both(Asks(gate, then=Quiet()), lines, level("debug"), secret=PASSWORD, **options)
                    if first:
                        first(agent, right)
                    wait_until(lambda: self.ask(agent, "/bytes/9") and gate.attempts, "the provider to be asked")
                    self.used(agent, scheme, right)
                    self.look(agent, scheme, kept)
            with self.subTest(scheme=scheme, broken=True):
                _, agent = self.both(Asks(Breaks(kind(password=PASSWORD))), lines, level("debug"), secret=PASSWORD, **options)
                if first:
                    first(agent, None)
                self.assertGreaterEqual(self.ask(agent, "/bytes/9").status, 500)
                self.look(agent, scheme, kept)

    def test_file(self):
        self.each("file:@DIR@/secret")

    def test_command(self):
        self.each("command:cat @DIR@/secret")

    def test_credential(self):
        for scheme in GATES:
            proxy = self.proxy(Asks(GATES[scheme](password=PASSWORD), then=Quiet()))
            agent = self.agent(proxy.upstream(corp(AUTH[scheme], user_for(scheme), "credential:secret")), secret=PASSWORD, start=False)
            agent.env["CREDENTIALS_DIRECTORY"] = agent.directory
            agent.start()
            self.used(agent, scheme, True)
            self.look(agent, scheme, False)

    def login(self, agent, right):
        answer = agent.exeat("login", "corp", "--stdin", input=PASSWORD + "\n")
        self.assertEqual(answer.returncode, {True: 0, False: 5, None: 0}[right], answer.stdout + answer.stderr)

    def test_login_kept_in_memory(self):
        self.each("prompt", self.login, kept=True)

    def test_long_login(self):
        """What comes after it in the same places is shorter: the end of it would be left over."""
        long = "x" * 3000 + PASSWORD
        _, agent = self.both(Asks(Basic(password=long), then=Quiet()), corp("basic", "alice", "prompt"))
        agent.exeat("login", "corp", "--stdin", input=long + "\n", check=True)
        for _ in range(3):
            self.assertEqual(self.ask(agent, "/bytes/9").status, 200)
        self.gone(lambda: memory.loose(agent.keys_pid(), [PASSWORD.encode()]), "in the keyholder, not locked")
        self.gone(lambda: memory.places(agent.pid, [PASSWORD.encode()]), "in the agent, which knows its header alone")

    def test_keyring(self):
        with Keyring() as keyring:
            def first(agent, right):
                if right is False:
                    keyring.store("corp", self.user_in(agent), PASSWORD)
                else:
                    self.login(agent, right)
            self.each("keyring", first, env=keyring.env)

    def user_in(self, agent):
        with open(agent.config_path) as config:
            return next(line.split(" = ")[1].strip() for line in config if line.startswith("user = "))

    def test_old_one_after_a_change(self):
        """Neither the old password nor the new one, after a reload, a changed file and another user."""
        for scheme, kind in GATES.items():
            with self.subTest(scheme):
                gate = kind(password=PASSWORD)
                proxy, agent = self.both(Asks(gate, then=Quiet()), corp(AUTH[scheme], user_for(scheme)), level("debug"), secret=PASSWORD)
                self.used(agent, scheme, True)
                gate.password = OTHER
                agent.write("secret", OTHER + "\n")
                agent.reload()
                proxy.drop_all()
                wait_until(lambda: self.ask(agent, "/bytes/9").status == 200, "the new password")
                self.used(agent, scheme, True)
                self.look(agent, scheme, False)
                self.look(agent, scheme, False, OTHER)
                self.gone(lambda: memory.places(agent.keys_pid(), shapes(user_for(scheme))), "the old password")

    def test_too_long_for_a_password(self):
        """What a file holds beside a password, or instead of one, is wiped too."""
        _, agent = self.both(Asks(Basic()), corp("basic", "alice"), secret="x\n" + PASSWORD)
        self.assertEqual(self.ask(agent, "/bytes/9").status, 502)
        agent.write("secret", PASSWORD * 400)
        self.assertEqual(self.ask(agent, "/bytes/9").status, 502)
        self.gone(lambda: memory.places(agent.keys_pid(), [PASSWORD.encode()]), "beside the password")


class Breaks:
    """A gate whose proxy goes wrong instead of judging: nonsense in the middle, nothing at the end."""

    def __init__(self, gate):
        self.gate = gate
        self.scheme, self.binds = gate.scheme, gate.binds

    def __getattr__(self, name):
        return getattr(self.gate, name)

    def check(self, conn, request, value, names):
        before = self.gate.attempts
        verdict, lines = self.gate.check(conn, request, value, names)
        if self.gate.attempts > before:
            conn.reset()
            raise ConnectionResetError
        return verdict, lines


class Processes(Secrets):
    def test_no_core_dumps(self):
        _, agent = self.both(Asks(Ntlm()), corp("ntlm"))
        wait_until(agent.keys_pid, "the keyholder")
        for pid in below(agent.pid):
            with open("/proc/%d/limits" % pid) as limits:
                self.assertRegex(limits.read(), r"Max core file size +0 +0")

    def test_no_core_dumps_of_commands(self):
        """They have the password in their memory too."""
        _, agent = self.both(Asks(Ntlm()), corp("ntlm", secret="command:ulimit -c > @DIR@/limit; cat @DIR@/secret"))
        self.assertEqual(self.ask(agent, "/bytes/9").status, 200)
        with open(os.path.join(agent.directory, "limit")) as limit:
            self.assertEqual(limit.read().strip(), "0")


@unittest.skipUnless(os.geteuid() == 0, ROOT_ONLY)
class ClosedProcesses(Door):
    def test_to_their_own_user(self):
        """Another program of the same user can neither read their memory nor trace them, nor see what they have open."""
        agent = self.as_nobody()
        self.assertEqual(self.asks(NOBODY, agent).status, 200)
        wait_until(agent.keys_pid, "the keyholder")
        for pid in below(agent.pid):
            self.assertEqual(os.stat("/proc/%d/status" % pid).st_uid, 0)  # root's, where it would be the user's own
            for file in ("mem", "environ", "maps", "fd"):
                tries = "import os; p = '/proc/%d/%s'; os.listdir(p) if os.path.isdir(p) else open(p, 'rb').read(1)" % (pid, file)
                done = subprocess.run([sys.executable, "-I", "-c", tries], cwd="/", capture_output=True, text=True, check=False,
                                      user=NOBODY, group=NOBODY, extra_groups=[])
                self.assertIn("PermissionError", done.stderr, "%s of %s can be read" % (file, pwd.getpwuid(NOBODY).pw_name))
