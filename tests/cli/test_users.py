"""exeat users: what stands in the file, and how it gets there."""

import fcntl
import hashlib
import os
import stat
import subprocess
import sys
import threading
import unittest

import agent as lib
import place
from test_login import Terminal

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
import ntlm  # noqa: E402

GATEWAYS = "[gateway]\nlisten = 127.0.0.1:9\nauth = basic\nusers = %s\nrealm = the lab\n[gateway other]\nlisten = 127.0.0.1:19\nusers = %s\n"


def digest(algorithm, user, realm, password):
    return hashlib.new(algorithm, ("%s:%s:%s" % (user, realm, password)).encode()).hexdigest()


# Says one password when it is asked first, and another one then.
PINENTRY = """#!/bin/sh
echo OK
while read -r word rest; do
    case $word in
    GETPIN) if [ -e %s ]; then echo "D %s"; else echo "D hunter2"; fi; : > "${0%%/*}/asked"; echo OK ;;
    BYE) echo OK; exit 0 ;;
    *) echo OK ;;
    esac
done
"""


class Users(place.Place):
    def setUp(self):
        super().setUp()
        self.file = self.path("users")

    def add(self, name="alice", password="hunter2", *words, **options):
        return self.expect(0, name, "", "users", "add", name, "--stdin", *(words or ("--file", self.file)), input=password + "\n", **options)

    def lines(self):
        with open(self.file, encoding="utf-8") as f:
            return f.read().splitlines()

    def test_hashes_only(self):
        self.add()
        lines = self.lines()
        self.assertRegex(lines[0], r"^alice:\$y\$")
        self.assertEqual(lines[1:], ["alice:exeat:" + digest("sha256", "alice", "exeat", "hunter2"), "alice:exeat:" + digest("md5", "alice", "exeat", "hunter2"),
                                     "alice:exeat:{SHA-512-256}" + digest("sha512_256", "alice", "exeat", "hunter2"),
                                     "alice:0:%s:%s:[U          ]:LCT-00000000:" % ("X" * 32, ntlm.md4("hunter2".encode("utf-16-le")).hex())])
        self.assertNotIn("hunter2", "\n".join(lines))
        self.assertEqual(stat.S_IMODE(os.stat(self.file).st_mode), 0o600)
        self.assertEqual([n for n in os.listdir(self.directory) if n.startswith("users")], ["users"])

    def test_new_password_in_place_of_the_old_one(self):
        self.write("users", "# kept\nbob:$y$x\r\nalice:other:%s\nalice:exeat:%s\nalice:{SHA}x\n" % ("0" * 32, "1" * 32))
        os.chmod(self.file, 0o640)
        self.assertIn("has a new password", self.add("alice", "one", "--file", self.file, "--realm", "exeat").stdout)
        self.assertEqual(self.lines()[:3], ["# kept", "bob:$y$x", "alice:other:" + "0" * 32])
        self.assertNotIn("1" * 32, "".join(self.lines()))
        self.assertNotIn("{SHA}x", "".join(self.lines()))
        self.assertEqual(stat.S_IMODE(os.stat(self.file).st_mode), 0o640)

    def test_remove_and_list(self):
        self.add()
        self.add("bob")
        self.assertEqual(self.expect(0, "alice", "", "users", "list", "--file", self.file).stdout,
                         "".join("%s\t%s\n" % (n, f) for n in ("alice", "bob") for f in ("Basic", "Digest (SHA-256) in exeat", "Digest (MD5) in exeat", "Digest (SHA-512-256) in exeat", "NTLM")))
        self.expect(0, "alice is taken out of", "", "users", "remove", "alice", "--file", self.file)
        self.assertEqual({line.split(":")[0] for line in self.lines()}, {"bob"})
        self.expect(2, "", 'has no user "alice"', "users", "remove", "alice", "--file", self.file)
        with open(self.file, "a", encoding="utf-8") as f:
            f.write("what is this\n")
        self.expect(0, "bob\tBasic", "line 6 has neither the form", "users", "list", "--file", self.file)

    def test_where_the_configuration_says(self):
        self.configure(place.CONFIG + GATEWAYS % (self.file, self.path("others")))
        self.add("alice", "hunter2", "--gateway", "gateway")
        self.assertIn("alice:the lab:" + digest("md5", "alice", "the lab", "hunter2"), self.lines())
        self.add("bob", "x", "--gateway", "other")
        self.assertTrue(os.path.exists(self.path("others")))
        self.assertIn("alice", self.expect(0, "alice", "", "users").stdout)
        self.expect(2, "", "no [gateway nowhere]", "users", "list", "--gateway", "nowhere")
        self.configure()
        self.expect(2, "", "--file FILE", "users", "list")

    def test_words(self):
        for words, why in ((("add",), 'users add NAME'), (("remove",), "whom?"), (("list", "alice"), "one word too many"), (("forget", "alice"), "neither add, remove nor list"),
                           (("add", "a:b"), "colon"), (("add", "#a"), "colon"), (("add", ""), "colon"), (("add", " a"), "colon"), (("add", "a\nb"), "colon")):
            self.expect(2, "", why, "users", *words, "--file", self.file)
        self.expect(1, "", "No such file", "users", "remove", "alice", "--file", self.file)
        self.expect(1, "", "cannot read", "users", "list", "--file", self.directory)
        self.assertFalse(os.path.exists(self.file))

    def test_terminal_asks_twice(self):
        for second, code in (("hunter2\n", 0), ("hunter3\n", 2)):
            terminal = Terminal(self, [self.program, "users", "add", "carol", "--file", self.file], self.env)
            at = terminal.read_until("Password of carol for the gateway: ")
            terminal.type("hunter2\n")
            at = terminal.read_until("The same again: ", at)
            terminal.type(second)
            self.assertEqual(terminal.wait(), code)
            self.assertNotIn(b"hunter", terminal.output)
            self.assertEqual(sum(line.startswith("carol:") for line in self.lines()), 5)

    def test_waits_for_another_who_changes_it(self):
        self.add()
        folder = os.open(self.directory, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(folder, fcntl.LOCK_EX)
            waiting = subprocess.Popen([self.program, "users", "remove", "alice", "--file", self.file], env=self.env, stdout=subprocess.DEVNULL)
            lib.wait_until(lambda: self.waits(waiting.pid), "the verb to wait for the lock")
            self.assertEqual(len(self.lines()), 5)
        finally:
            os.close(folder)
        self.assertEqual(waiting.wait(place.PATIENCE), 0)
        self.assertEqual(self.lines(), [])

    @staticmethod
    def waits(pid):
        with open("/proc/locks", encoding="utf-8") as f:
            return any("->" in line and " %d " % pid in line for line in f)

    def test_what_gateways_do_not_take_is_said(self):
        self.write("users", "alice:in the clear\nbob:{SHA}x\ncarol:exeat:%s\ndave:exeat:12\n" % ("0" * 32))
        os.chmod(self.file, 0o644)
        answer = self.expect(0, "bob\tBasic\ncarol\tDigest (MD5) in exeat\n", "line 1 has neither", "users", "list", "--file", self.file)
        self.assertIn("line 4 has neither", answer.stderr)
        self.assertIn("chmod 600", answer.stderr)
        self.assertNotIn("in the clear", answer.stdout + answer.stderr)
        self.add("bob")
        self.assertEqual(stat.S_IMODE(os.stat(self.file).st_mode), 0o640)  # as it may be
        self.assertNotIn("chmod", self.expect(0, "bob\tBasic", "line 1", "users", "list", "--file", self.file).stderr)

    def test_realm_with_a_colon(self):
        self.expect(2, "", "cannot be the realm", "users", "add", "alice", "--stdin", "--file", self.file, "--realm", "a:b", input="x\n")
        self.assertFalse(os.path.exists(self.file))

    def realms(self, user):
        return {line.split(":")[1] for line in self.lines() if line.startswith(user + ":") and line.count(":") == 2}

    def test_realm_of_the_gateway_whose_file_it_is(self):
        """By whatever name the file is called, and before it is there."""
        self.configure(place.CONFIG + GATEWAYS % (self.path("others"), self.file) + "realm = far\n")
        os.symlink(self.file, self.path("link"))
        for name in (self.file, "users", self.path("link"), self.path("link")):  # each time without a line that would say it; the second is in the working directory
            self.assertNotIn("realm", self.add("alice", "x", "--file", name).stdout)
            self.assertEqual(self.realms("alice"), {"far"})
            if name != self.file:
                self.write("users", "")
            else:
                os.unlink(self.file)
        self.add("dave", "x", "--file", self.file, "--realm", "mine")
        self.assertEqual(self.realms("dave"), {"mine"})
        self.add("erin", "x", "--file", self.path("others"))
        self.assertIn("erin:the lab:", open(self.path("others"), encoding="utf-8").read())

    def test_realm_of_two_gateways(self):
        self.configure(place.CONFIG + GATEWAYS % (self.file, self.file) + "realm = far\n")
        for words in (("--file", self.file), ("--config", self.path("home/.config/exeat/exeat.conf"))):
            self.expect(2, "", "say --realm REALM", "users", "add", "alice", "--stdin", *words, input="x\n")
        self.assertFalse(os.path.exists(self.file))
        self.add("alice", "x", "--gateway", "other")
        self.assertEqual(self.realms("alice"), {"far"})

    def test_realm_of_the_other_lines(self):
        self.write("users", "bob:theirs:%s\nbob:$y$x\n" % ("0" * 32))
        os.chmod(self.file, 0o600)
        self.assertNotIn("realm", self.add().stdout)
        self.assertEqual(self.realms("alice"), {"theirs"})
        self.add("carol", "x", "--file", self.file, "--realm", "other")
        self.expect(2, "", 'both the realm "theirs" and the realm "other"', "users", "add", "dave", "--stdin", "--file", self.file, input="x\n")
        self.expect(0, "alice", "", "users", "remove", "alice", "--file", self.file)  # from all

    def test_realm_that_nobody_says(self):
        self.assertIn('good in "exeat", the realm of a gateway that names none', self.add().stdout)
        self.assertNotIn("realm", self.add("bob").stdout)  # now the file says it
        self.assertEqual(self.realms("alice"), {"exeat"})

    @unittest.skipUnless(os.geteuid() == 0, "only root makes files for others")
    def test_owner_of_a_new_file(self):
        self.assertIn("chgrp GROUP %s" % self.file, self.add().stdout)
        self.assertNotIn("chgrp", self.add("bob").stdout)
        os.mkdir(self.path("theirs"))
        os.chown(self.path("theirs"), 1234, 2345)
        theirs = self.path("theirs/users")
        self.assertNotIn("chgrp", self.add("alice", "x", "--file", theirs).stdout)
        st = os.stat(theirs)
        self.assertEqual((st.st_uid, st.st_gid, stat.S_IMODE(st.st_mode)), (1234, 2345, 0o600))
        os.chown(theirs, 3456, 4567)
        self.add("bob", "x", "--file", theirs)
        st = os.stat(theirs)
        self.assertEqual((st.st_uid, st.st_gid), (3456, 4567))

    def test_link_stays_a_link(self):
        self.write("real", "")
        os.chmod(self.path("real"), 0o600)
        os.symlink(self.path("real"), self.file)
        self.add()
        self.assertTrue(os.path.islink(self.file))
        self.assertEqual(len(self.lines()), 5)

    def test_left_over_from_one_who_was_killed(self):
        """Half of a new file is no harm, and does not stay."""
        self.add()
        self.write("users.exeat-new", "half of a li")
        self.add("bob")
        self.assertEqual(len(self.lines()), 10)
        self.assertEqual([n for n in os.listdir(self.directory) if n.startswith("users")], ["users"])

    def test_in_a_window_twice(self):
        pinentry = self.path("pinentry")
        for second, code in (("hunter2", 0), ("hunter3", 2)):
            self.write("pinentry", PINENTRY % (self.path("asked"), second))
            os.chmod(pinentry, 0o755)
            if os.path.exists(self.path("asked")):
                os.unlink(self.path("asked"))
            env = dict(self.env, EXEAT_PINENTRY=pinentry, DISPLAY=":9")
            answer = subprocess.run([self.program, "users", "add", "carol", "--pinentry", "--file", self.file], env=env, stdin=subprocess.DEVNULL,
                                    stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=place.PATIENCE, check=False)
            self.assertEqual(answer.returncode, code, answer.stdout)
            self.assertNotIn(b"hunter", answer.stdout)
            self.assertEqual(sum(line.startswith("carol:") for line in self.lines()), 5)

    def test_many_at_once(self):
        threads = [threading.Thread(target=self.add, args=("user%d" % i,)) for i in range(5)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual({line.split(":")[0] for line in self.lines()}, {"user%d" % i for i in range(5)})
        self.assertEqual(len(self.lines()), 25)
