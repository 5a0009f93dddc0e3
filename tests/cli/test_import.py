"""exeat import: what it writes, what it leaves alone, and that no secret is in the file or on the terminal. (Its table: unit test_move.)"""

import os
import stat
import unittest

import place

CNTLM = """# a relay
Username\talice
Domain\t\tCORP
Password\thunter2
Proxy\t\t127.0.0.1:9
NoProxy\t\tlocalhost, 127.0.0.*
Listen\t\t3128
ISAScannerSize 1024
"""
PX = """[proxy]
server = proxy.corp.example:8080
port = 3128
listen = 127.0.0.1
gateway = 0
noproxy = 127.0.0.*,<local>
username = CORP\\alice
[settings]
workers = 2
"""
SHIPPED = "/etc/cntlm.conf"


class Import(place.Place):
    def own(self):
        return self.path("home/.config/exeat/exeat.conf")

    def read(self, path=None):
        with open(path or self.own()) as file:
            return file.read()

    def test_dry_run_writes_nothing(self):
        path = self.write("cntlm.conf", CNTLM)
        answer = self.expect(0, "proxy = http://127.0.0.1:9\n", "nothing was written; the password would be tried once", "import", path, "--dry-run")
        self.assertIn("#   ISAScannerSize: not offered", answer.stdout)
        self.assertNotIn("hunter2", answer.stdout + answer.stderr)
        self.assertFalse(os.path.exists(self.own()))

    def test_writes_what_the_parser_takes(self):
        path = self.write("px.ini", PX)
        self.expect(0, "is written.", "", "import", path)
        self.assertIn("# Made from the configuration of px (%s).\n" % path, self.read())
        self.assertEqual(stat.S_IMODE(os.stat(self.own()).st_mode), 0o600)
        self.expect(0, "ok (1 upstream", "", "check")

    def test_an_existing_file_stays(self):
        self.configure("# mine\n")
        path = self.write("px.ini", PX)
        answer = self.expect(3, "", "is there already, and was left as it is", "import", path)
        self.assertIn("--force", answer.stderr)
        self.assertEqual(self.read(), "# mine\n")
        self.expect(0, "is written.", "", "import", path, "--force")
        self.assertIn("proxy = http://proxy.corp.example:8080\n", self.read())

    def test_elsewhere(self):
        path = self.write("px.ini", PX)
        self.expect(0, "new/dir/x.conf is written.", "", "import", path, "-o", self.path("new/dir/x.conf"))
        self.assertFalse(os.path.exists(self.own()))
        self.expect(0, "ok", "", "check", "-c", self.path("new/dir/x.conf"))

    def test_no_proxy(self):
        path = self.write("cntlm.conf", "Username alice\nPac http://w.example/p.pac\n")
        self.expect(3, "", "no proxy is named there; say which with --proxy URL", "import", path)
        self.assertFalse(os.path.exists(self.own()))
        self.expect(0, "is written.", "", "import", path, "--proxy", "proxy:8080")
        self.assertIn("pac = http://w.example/p.pac\n", self.read())

    def test_not_a_file(self):
        self.expect(2, "", "there is no file ", "import", self.path("nothing"))
        self.expect(2, "", "import what?", "import")
        self.assertNotEqual(self.exeat("import", self.directory).returncode, 0)
        self.assertNotEqual(self.exeat("import", "/dev/zero").returncode, 0)

    def test_the_environment(self):
        env = {"https_proxy": "http://bob:s%65cret@proxy.example:3128/", "no_proxy": "localhost,.x.example"}
        answer = self.expect(0, "user = bob\n", "the password would be tried", "import", "environment", "-n", env=env)
        self.assertIn("no-proxy = localhost .x.example\n", answer.stdout)
        self.assertNotIn("cret", answer.stdout.replace("\"exeat", ""))

    def test_alpaca(self):
        env = {"NTLM_CREDENTIALS": "bob@CORP:77b9081511704ee852f94227cf48a793"}
        answer = self.expect(0, "pac = http://w.example/p.pac\n", "the NT hash of the password would be tried", "import",
                             "alpaca -C http://w.example/p.pac", "-n", "--proxy", "p:1", env=env)
        self.assertNotIn("77b9", answer.stdout + answer.stderr)
        self.expect(2, "", "is not closed", "import", "alpaca -C 'x")

    def test_while_an_agent_runs(self):
        """A password would go to that one, by its own configuration: nothing is done at all."""
        self.fake_agent({})
        path = self.write("cntlm.conf", CNTLM)
        self.expect(1, "", "an agent is running", "import", path)
        self.assertFalse(os.path.exists(self.own()))
        self.expect(0, "is written.", "", "import", path, "--no-secrets")
        self.assertNotIn("hunter2", self.read())

    def test_hostile(self):
        """Whatever stands there: no secret of it is shown, and the parser takes what is written."""
        lines = [b"Proxy p:1\n", b"Password hunter2\n", b"Domain x\x1b]0;t\x07\n", b"Username \xff\xfe\n", b"\x00\x00\n", b"Proxy \n", b"[section\n",
                 b"Key\n", b"=\n", b"Header X: a\rb\n", b"Tunnel ::::\n", b"NoProxy ,,, ,\n", b"Listen [::\n", b"Workstation #\n",
                 b"A" * 100000 + b" x\n", b"NoProxy " + b"a," * 3000 + b"\n"]
        for end in range(1, len(lines) + 1):
            path = self.path("hostile.conf")
            with open(path, "wb") as file:
                file.write(b"".join(lines[:end]))
            answer = self.exeat("import", path, "--no-secrets", "--force")
            self.assertEqual(answer.returncode, 0, answer)
            self.assertNotIn("hunter2", answer.stdout + answer.stderr + self.read())
            self.assertNotIn("\x1b", self.read())
            self.expect(0, "ok", "", "check")

    @unittest.skipUnless(os.path.exists(SHIPPED), "cntlm is not installed")
    def test_as_debian_ships_it(self):
        answer = self.exeat("import", SHIPPED, "--no-secrets")
        self.assertEqual(answer.returncode, 0, answer)
        text = self.read()
        for line in ("proxy = http://10.0.0.41:8080 http://10.0.0.42:8080", "user = testuser", "domain = corp-uk",
                     "no-proxy = localhost 127.0.0.* 10.* 192.168.*", "http = 127.0.0.1:3128"):
            self.assertIn("\n%s\n" % line, text)
        self.assertNotIn("password\n", text)
        self.expect(0, "ok", "", "check")


class Log(place.Place):
    def stand_in(self, name):
        os.makedirs(self.path("bin"), exist_ok=True)
        path = self.write("bin/" + name, '#!/bin/sh\necho "%s $*"\n' % name)
        os.chmod(path, 0o755)
        self.env["PATH"] = self.path("bin") + ":" + self.env["PATH"]

    def setUp(self):
        super().setUp()
        for name in ("journalctl", "tail"):
            self.stand_in(name)

    def test_the_journal(self):
        self.fake_agent({"log": {"ok": True, "journal": True, "requests": None}})
        user = "" if os.getuid() == 0 else "--user "
        self.expect(0, "journalctl %s--unit=exeat --lines 200\n" % user, "", "log")
        self.expect(0, "journalctl %s--unit=exeat --lines 7 --follow\n" % user, "", "log", "-f", "--lines", "7")

    def test_the_file(self):
        self.fake_agent({"log": {"ok": True, "journal": False, "requests": "/x/-requests"}})
        self.expect(0, "tail -n 200 -- /x/-requests\n", "", "log")
        self.expect(0, "tail -n 5 -F -- /x/-requests\n", "", "log", "-fn5")

    def test_both(self):
        self.fake_agent({"log": {"ok": True, "journal": True, "requests": "/x/y"}})
        self.expect(0, "journalctl", "the lines about requests are in /x/y", "log")
        self.expect(0, "tail -n 200 -- /x/y\n", "", "log", "--requests")

    def test_neither(self):
        self.fake_agent({"log": {"ok": True, "journal": False, "requests": None}})
        self.expect(1, "", "the agent writes its log to the terminal or the program that started it", "log")
        self.expect(1, "", "have no file of their own", "log", "-r")

    def test_wrong(self):
        self.expect(2, "", "--lines needs a number", "log", "--lines", "x")

    def test_no_agent_but_a_file(self):
        self.configure("[upstream corp]\nproxy = http://p:1\n[log]\nfile = /x/y\n")
        self.expect(0, "tail -n 200 -- /x/y\n", "", "log", "-r")
