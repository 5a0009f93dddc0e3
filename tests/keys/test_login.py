"""exeat login and logout: a typed password is tried once on a connection of its own, then stored or forgotten."""
import base64
import os
import socket
import subprocess
import sys
import tempfile
import unittest

from keyholder import CANDIDATE, WAIT, Context, Keyholder

BASIC = ["Basic realm=x"]


def password_of(answer):
    return base64.b64decode(answer.header[6:]).decode().split(":", 1)[1]


class LoginTest(unittest.TestCase):
    def setUp(self):
        d = tempfile.TemporaryDirectory(prefix="exeat-keyring-")
        self.addCleanup(d.cleanup)
        self.env = {"SECRET_BACKEND": "file", "SECRET_FILE_TEST_PATH": d.name + "/keyring",
                    "SECRET_FILE_TEST_PASSWORD": "master"}

    def keyholder(self, text="auth = basic\nbasic-in-clear = yes\nuser = alice\n", **kwargs):
        k = Keyholder(text, env=kwargs.pop("env", self.env), **kwargs)
        self.addCleanup(lambda: k.process.poll() is None and k.finish())
        return k

    def trial(self, k, login, call, verdict):
        """Plays the agent's part: one connection with the candidate. The login's answer."""
        e = k.event("EVENT_TRIAL")
        self.assertEqual(e.upstream, "corp")
        c = Context(k, flags=CANDIDATE, trial=e.trial)
        a = c.challenged(BASIC, target="http://exeat.invalid/")
        if a.verdict == "SEND":
            if verdict == "accepted":
                c.accepted()
            else:
                a = c.challenged(BASIC, target="http://exeat.invalid/")
        c.close()
        k.tell("TRIAL_END", trial=e.trial, verdict=1)
        return login.end(call), a


class Hash(LoginTest):
    def test_it_is_for_ntlm_alone(self):
        """Neither Basic nor Digest ever gets the hash as if it were the password."""
        k = self.keyholder("auth = ntlm digest basic\nbasic-in-clear = yes\nuser = alice\nsecret = nt-hash\n")
        login = k.login_link()
        call = login.begin("LOGIN", upstream="corp", secret="77b9081511704ee852f94227cf48a793")
        e = k.event("EVENT_TRIAL")
        k.tell("TRIAL_END", trial=e.trial, verdict=12, why="connection refused")
        self.assertEqual(login.end(call).verdict, "OK")
        for challenge in (BASIC, ['Digest realm="x", nonce="y", qop="auth"']):
            a = Context(k).challenged(challenge)
            self.assertEqual(a.verdict, "UNAVAILABLE", a)
            self.assertIn("good for NTLM alone", a.why)
        self.assertNotEqual(Context(k).challenged(["NTLM"]).verdict, "UNAVAILABLE")
        self.assertNotIn("77b9", k.log())


class FileBackend(LoginTest):
    def test_accepted_and_stored(self):
        k = self.keyholder()
        login = k.login_link()
        self.assertEqual(Context(k).challenged(BASIC).verdict, "UNAVAILABLE")
        call = login.begin("LOGIN", upstream="corp", secret="s3cret ü")
        answer, tried = self.trial(k, login, call, "accepted")
        self.assertEqual(answer.verdict, "OK")
        self.assertEqual("The password of alice was accepted by proxy.corp.example:8080 and stored in the keyring.", answer.why)
        self.assertEqual(password_of(tried), "s3cret ü")
        self.assertEqual(k.event("EVENT_GENERATION").generation, 2)
        self.assertEqual(password_of(Context(k).challenged(BASIC)), "s3cret ü")
        k.restart()
        self.assertEqual(password_of(Context(k).challenged(BASIC)), "s3cret ü")

    def test_refused_is_not_stored_and_the_old_one_stays(self):
        k = self.keyholder()
        login = k.login_link()
        self.trial(k, login, login.begin("LOGIN", upstream="corp", secret="good"), "accepted")
        call = login.begin("LOGIN", upstream="corp", secret="wrong")
        answer, _ = self.trial(k, login, call, "refused")
        self.assertEqual(answer.verdict, "REFUSED")
        self.assertIn("refused the password of alice", answer.why)
        self.assertEqual(password_of(Context(k).authorize()), "good")
        k.restart()
        self.assertEqual(password_of(Context(k).challenged(BASIC)), "good")
        self.assertNotIn("wrong", k.log())

    def test_the_configuration_changes_during_the_trial(self):
        """What was typed was for the user and the source of before: it is not used for those of now."""
        base = "auth = basic\nbasic-in-clear = yes\n"
        for before, after, used in (("user = alice\nsecret = prompt\n", "user = bob\nsecret = prompt\n", None),
                                    ("user = alice\n", "user = bob\n", None),
                                    ("user = alice\nsecret = prompt\n", "user = alice\nsecret = command:echo other\n", "other")):
            with self.subTest(after):
                k = self.keyholder(base + before)
                login = k.login_link()
                call = login.begin("LOGIN", upstream="corp", secret="typed")
                e = k.event("EVENT_TRIAL")
                c = Context(k, flags=CANDIDATE, trial=e.trial)
                self.assertEqual(c.challenged(BASIC, target="http://exeat.invalid/").verdict, "SEND")
                k.configure(base + after)
                k.ask("RELOAD")
                c.accepted()
                k.tell("TRIAL_END", trial=e.trial, verdict=1)
                answer = login.end(call)
                self.assertEqual(answer.verdict, "UNAVAILABLE", answer)
                self.assertIn("configuration of upstream corp changed", answer.why)
                a = Context(k).challenged(BASIC)
                self.assertEqual(a.verdict, "SEND" if used else "UNAVAILABLE", a)
                if used:
                    self.assertEqual(password_of(a), used)
                k.finish()

    def test_others_use_the_old_one_during_the_trial(self):
        k = self.keyholder()
        login = k.login_link()
        self.trial(k, login, login.begin("LOGIN", upstream="corp", secret="old"), "accepted")
        call = login.begin("LOGIN", upstream="corp", secret="new")
        e = k.event("EVENT_TRIAL")
        self.assertEqual(password_of(Context(k).authorize()), "old")
        c = Context(k, flags=CANDIDATE, trial=e.trial)
        self.assertEqual(password_of(c.authorize()), "new")
        c.accepted()
        k.tell("TRIAL_END", trial=e.trial, verdict=1)
        self.assertEqual(login.end(call).verdict, "OK")
        self.assertEqual(password_of(Context(k).authorize()), "new")

    def test_the_connection_of_a_trial_that_ended(self):
        """One that comes late is not for the next login's password."""
        k = self.keyholder()
        login = k.login_link()
        late = []
        for secret in ("first", "second"):
            call = login.begin("LOGIN", upstream="corp", secret=secret)
            e = k.event("EVENT_TRIAL")
            for trial in (*late, 0, e.trial + 1):
                opened = Context(k, flags=CANDIDATE, trial=trial).opened
                self.assertEqual((opened.verdict, opened.why), ("UNAVAILABLE", "no login is being tried"))
            late.append(e.trial)
            k.tell("TRIAL_END", trial=e.trial, verdict=12, why="no proxy")
            self.assertEqual(login.end(call).verdict, "OK")

    def test_a_refused_password_may_be_typed_again(self):
        """The account may have been unlocked since: a person's login is tried, whatever the marks say."""
        k = self.keyholder()
        login = k.login_link()
        for outcome, verdict in (("refused", "REFUSED"), ("accepted", "OK")):
            call = login.begin("LOGIN", upstream="corp", secret="same")
            answer, _ = self.trial(k, login, call, outcome)
            self.assertEqual(answer.verdict, verdict)
        k.restart()
        self.assertEqual(Context(k).challenged(BASIC).verdict, "SEND")

    def test_login_ends_the_freeze(self):
        k = self.keyholder()
        login = k.login_link()
        self.trial(k, login, login.begin("LOGIN", upstream="corp", secret="old"), "accepted")
        k.restart()
        c = Context(k)
        c.challenged(BASIC)
        self.assertEqual(c.challenged(BASIC).verdict, "REFUSED")
        self.assertEqual(Context(k).authorize().verdict, "REFUSED")
        login = k.login_link()
        self.trial(k, login, login.begin("LOGIN", upstream="corp", secret="new"), "accepted")
        self.assertEqual(password_of(Context(k).authorize()), "new")

    def test_unreachable_is_stored_without_proof(self):
        k = self.keyholder()
        login = k.login_link()
        call = login.begin("LOGIN", upstream="corp", secret="untried")
        e = k.event("EVENT_TRIAL")
        k.tell("TRIAL_END", trial=e.trial, verdict=12, why="connection refused")
        answer = login.end(call)
        self.assertEqual(answer.verdict, "OK")
        self.assertIn("connection refused", answer.why)
        self.assertEqual(password_of(Context(k).challenged(BASIC)), "untried")

    def test_without_an_agent(self):
        """The verb itself asks, and makes the trial connection."""
        k = self.keyholder(arguments=["--no-socket"])
        call = k.begin("LOGIN", upstream="corp", secret="untried")
        e = k.event("EVENT_TRIAL")
        k.tell("TRIAL_END", trial=e.trial, verdict=12, why="connection refused")
        answer = k.end(call)
        self.assertEqual(answer.verdict, "OK")
        self.assertIn("could not be tried (connection refused)", answer.why)
        self.assertEqual(password_of(Context(k).challenged(BASIC)), "untried")

    def test_logout(self):
        k = self.keyholder()
        login = k.login_link()
        self.trial(k, login, login.begin("LOGIN", upstream="corp", secret="good"), "accepted")
        generation = k.event("EVENT_GENERATION").generation
        self.assertEqual(login.ask("LOGOUT", upstream="corp").verdict, "OK")
        self.assertGreater(k.event("EVENT_GENERATION").generation, generation)
        a = Context(k).challenged(BASIC)
        self.assertEqual(a.verdict, "UNAVAILABLE")
        self.assertIn("exeat login corp", a.remedy)

    def test_the_user_of_a_login(self):
        k = self.keyholder("auth = basic\nbasic-in-clear = yes\n")
        login = k.login_link()
        answer = login.ask("LOGIN", upstream="corp", secret="x")
        self.assertEqual(answer.verdict, "UNAVAILABLE")
        self.assertIn("names no user", answer.why)
        call = login.begin("LOGIN", upstream="corp", user="CORP\\bob", secret="x")
        self.trial(k, login, call, "accepted")
        k.restart()
        a = Context(k).challenged(BASIC)
        self.assertEqual(base64.b64decode(a.header[6:]), b"CORP\\bob:x")
        self.assertEqual(k.ask("STATUS", upstream="corp").identity, "CORP\\bob")

    def test_another_user_than_configured(self):
        k = self.keyholder()
        a = k.login_link().ask("LOGIN", upstream="corp", user="bob", secret="x")
        self.assertEqual(a.verdict, "UNAVAILABLE")
        self.assertIn("user = alice", a.why)

    def test_one_at_a_time(self):
        k = self.keyholder()
        first, second = k.login_link(), k.login_link()
        call = first.begin("LOGIN", upstream="corp", secret="a")
        k.event("EVENT_TRIAL")
        self.assertEqual(second.ask("LOGIN", upstream="corp", secret="b").verdict, "UNAVAILABLE")
        self.assertNotIn(call, first.answers)

    def test_the_person_may_leave(self):
        k = self.keyholder()
        login = k.login_link()
        login.begin("LOGIN", upstream="corp", secret="a")
        e = k.event("EVENT_TRIAL")
        login.sock.close()
        k.tell("TRIAL_END", trial=e.trial, verdict=12, why="gone")
        k.event("EVENT_GENERATION")
        self.assertEqual(password_of(Context(k).challenged(BASIC)), "a")

    def test_the_command_line_may_not_play_the_agent(self):
        k = self.keyholder()
        login = k.login_link()
        login.begin("OPEN", upstream="corp", host=k.proxy_host, port=k.proxy_port)
        self.assertEqual(login.ask("STATUS", upstream="corp").verdict, "OK")
        self.assertEqual(login.answers, {})

    def test_login_socket_is_private(self):
        k = self.keyholder()
        path = k.env["XDG_RUNTIME_DIR"] + "/exeat/keys"
        k.ask("STATUS", upstream="corp")
        self.assertEqual(os.stat(path).st_mode & 0o777, 0o600)
        k.finish()
        self.assertFalse(os.path.exists(path))


class Prompt(LoginTest):
    def test_kept_in_memory_only(self):
        k = self.keyholder("auth = basic\nbasic-in-clear = yes\nuser = alice\nsecret = prompt\n")
        a = Context(k).challenged(BASIC)
        self.assertEqual(a.verdict, "UNAVAILABLE")
        self.assertIn("exeat login corp", a.remedy)
        login = k.login_link()
        answer, _ = self.trial(k, login, login.begin("LOGIN", upstream="corp", secret="typed"), "accepted")
        self.assertIn("memory", answer.why)
        for _ in range(2):
            self.assertEqual(password_of(Context(k).authorize()), "typed")
        k.restart()
        self.assertEqual(Context(k).challenged(BASIC).verdict, "UNAVAILABLE")


class Elsewhere(LoginTest):
    def test_sources_that_take_no_login(self):
        for secret, text in (("file:/some/where", "/some/where"), ("command:pass show proxy", "a command"),
                             ("credential:proxy", "proxy"), ("none", "tickets only")):
            k = self.keyholder("auth = basic\nbasic-in-clear = yes\nuser = alice\nsecret = %s\n" % secret)
            for kind in ("LOGIN", "LOGOUT"):
                fields = {"secret": "x"} if kind == "LOGIN" else {}
                a = k.login_link().ask(kind, upstream="corp", **fields)
                self.assertEqual(a.verdict, "UNAVAILABLE")
                self.assertIn(text, a.why)
                self.assertNotIn("pass show", a.why)  # a command line may hold a secret by mistake
            k.finish()

    def test_no_session_bus(self):
        k = self.keyholder(env={})
        a = k.login_link().ask("LOGIN", upstream="corp", secret="x")
        self.assertEqual(a.verdict, "UNAVAILABLE")
        self.assertIn("no keyring", a.why)
        self.assertIn("secret = prompt", a.remedy)
        self.assertIn("secret = file:", a.remedy)
        a = Context(k).challenged(BASIC)
        self.assertIn("secret = prompt", a.remedy)

    def test_a_keyring_that_hangs(self):
        """A session bus that takes the connection and never speaks: the look-up is given up, others go on."""
        with tempfile.TemporaryDirectory() as d, socket.socket(socket.AF_UNIX) as bus:
            bus.bind(d + "/bus")
            bus.listen(5)
            k = self.keyholder(env={"DBUS_SESSION_BUS_ADDRESS": "unix:path=" + d + "/bus"},
                               more="[upstream other]\nproxy = http://other.example:1\nauth = basic\nbasic-in-clear = yes\nuser = bob\n"
                                    "secret = command:echo fine\n")
            call = Context(k).begin_challenged(BASIC)
            a = Context(k, "other", "other.example", 1).challenged(BASIC)
            self.assertEqual(password_of(a), "fine")
            self.assertNotIn(call, k.answers)
            a = k.end(call)
            self.assertEqual(a.verdict, "UNAVAILABLE")
            self.assertIn("keyring did not answer", a.why)


@unittest.skipIf("EXEAT_TEST_SESSION" in os.environ, "runs inside its own session")
class GnomeKeyring(unittest.TestCase):
    """The classes below run in a private session with a real keyring daemon."""

    def session(self, name, unlock):
        with tempfile.TemporaryDirectory(prefix="exeat-session-") as d:
            env = dict(os.environ, HOME=d, XDG_RUNTIME_DIR=d, XDG_DATA_HOME=d + "/data", EXEAT_TEST_SESSION="1",
                       EXEAT_TEST_UNLOCK=unlock)
            for variable in ("DISPLAY", "DBUS_SESSION_BUS_ADDRESS", "WAYLAND_DISPLAY"):
                env.pop(variable, None)
            script = "printf pw | gnome-keyring-daemon --unlock --components=secrets >&2; exec \"$@\""
            run = subprocess.run(["dbus-run-session", "--", "sh", "-c", script, "sh", sys.executable, "-m", "unittest",
                                  "test_login." + name], env=env, cwd=os.path.dirname(os.path.abspath(__file__)),
                                 capture_output=True, text=True, timeout=2 * WAIT, check=False)
            self.assertEqual(run.returncode, 0, run.stdout + run.stderr)

    def test_session(self):
        self.session("InSession", "yes")


@unittest.skipUnless("EXEAT_TEST_SESSION" in os.environ, "started by GnomeKeyring")
class InSession(LoginTest):
    def setUp(self):
        super().setUp()
        self.env = {"DBUS_SESSION_BUS_ADDRESS": os.environ["DBUS_SESSION_BUS_ADDRESS"]}

    def test_stored_found_locked_and_cleared(self):
        k = self.keyholder()
        login = k.login_link()
        answer, _ = self.trial(k, login, login.begin("LOGIN", upstream="corp", secret="s3cret ü"), "accepted")
        self.assertIn("stored in the keyring", answer.why)
        found = subprocess.run(["secret-tool", "lookup", "application", "exeat", "upstream", "corp", "user", "alice"],
                               check=True, capture_output=True, text=True)
        self.assertEqual(found.stdout, "s3cret ü")
        k.restart()
        self.assertEqual(password_of(Context(k).challenged(BASIC)), "s3cret ü")

        subprocess.run(["gdbus", "call", "--session", "--dest", "org.freedesktop.secrets", "--object-path",
                        "/org/freedesktop/secrets", "--method", "org.freedesktop.Secret.Service.Lock",
                        "['/org/freedesktop/secrets/collection/login']"], check=True, capture_output=True)
        k.restart()
        a = Context(k).challenged(BASIC)
        self.assertEqual(a.verdict, "UNAVAILABLE")
        self.assertIn("locked", a.why)
        self.assertIn("Unlock", a.remedy)
        a = k.login_link().ask("LOGIN", upstream="corp", secret="x")
        self.assertEqual(a.verdict, "UNAVAILABLE")
        self.assertIn("locked", a.why)


if __name__ == "__main__":
    unittest.main()
