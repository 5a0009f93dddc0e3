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

    def test_the_file_before_is_kept(self):
        path = self.write("px.ini", PX)
        for number in range(3):
            self.configure("# mine %d\n" % number)
            old = self.own() + (".old" if number == 0 else ".old-%d" % (number + 1))
            self.expect(0, "The one before is kept as %s.\n" % old, "", "import", path, "--force")
            self.assertEqual(self.read(old), "# mine %d\n" % number)
            self.assertEqual(stat.S_IMODE(os.stat(old).st_mode), 0o600)
        self.assertEqual(self.read(self.own() + ".old"), "# mine 0\n")

    def test_no_more_than_so_many_of_them(self):
        path = self.write("px.ini", PX)
        for number in range(1, 100):
            self.write("home/.config/exeat/exeat.conf.old" + ("-%d" % number if number > 1 else ""), "")
        self.configure("# mine\n")
        self.expect(3, "", "exeat.conf.old and 98 more are there: delete some of them", "import", path, "--force")
        self.assertEqual(self.read(), "# mine\n")

    def test_what_to_do_next(self):
        path = self.write("px.ini", PX)
        self.expect(0, 'Next: "exeat login" if the proxy asks for a password, and "exeat run".\n', "", "import", path)
        self.expect(0, 'Next: "exeat login --config x.conf" if the proxy asks for a password, and "exeat run --config x.conf".\n', "",
                    "import", path, "-o", "x.conf")
        self.fake_agent({})
        self.expect(0, 'and "exeat reload", for the agent that is running.\n', "", "import", path, "--force")

    def test_a_name_without_a_directory(self):
        self.expect(0, "x.conf is written.", "", "import", self.write("px.ini", PX), "-o", "x.conf")
        self.assertIn("proxy = ", self.read(self.path("x.conf")))

    def test_standard_input(self):
        answer = self.expect(0, "# Made from the configuration of cntlm (standard input).\n", "the password would be tried", "import", "-", "-n", input=CNTLM)
        self.assertNotIn("hunter2", answer.stdout + answer.stderr)
        self.expect(2, "", "standard input is neither a cntlm.conf nor a px.ini", "import", "-")

    def test_a_file_of_another_kind(self):
        path = self.write("netrc", "machine proxy.corp.example login alice password hunter2\n")
        answer = self.expect(2, "", "netrc is neither a cntlm.conf nor a px.ini: none of its settings is known", "import", path, "--proxy", "p:1")
        self.assertNotIn("hunter2", answer.stderr)

    def test_what_does_not_go_together(self):
        """The rest is taken, and the parser takes all of it."""
        path = self.write("cntlm.conf", "Proxy socks5://p:1080\nNTLMToBasic yes\nListen 3128\nSOCKS5Proxy 3128\nTunnel 3128:h:1\nTunnel 3129:h:2\nTunnel 3129:h:3\n")
        self.expect(0, "is written.", "", "import", path)
        text = self.read()
        for line in ("#   NTLMToBasic: client-credentials: use is for HTTP proxies", "#   a tunnel: 127.0.0.1:3129 has another use already",
                     "proxy = socks5://p:1080", "target = h:2"):
            self.assertIn("\n" + line, text)
        self.expect(0, "ok", "", "check")

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

    def test_the_environment_that_names_us(self):
        for name in ("https_proxy", "HTTP_PROXY", "all_proxy"):
            self.expect(3, "", "%s: it names 127.0.0.1:3128, where exeat itself listens" % name, "import", "environment", env={name: "http://127.0.0.1:3128/"})
        answer = self.exeat("import", "environment", "-n", env={"https_proxy": "http://[::1]:3128", "all_proxy": "http://p:8080"})
        self.assertEqual(answer.returncode, 0, answer)
        self.assertIn("proxy = http://p:8080\n", answer.stdout)

    def test_two_proxies_in_the_environment(self):
        answer = self.exeat("import", "environment", "-n", env={"https_proxy": "http://p:1", "http_proxy": "http://q:2", "HTTP_PROXY": "HTTP://P:1/"})
        self.assertEqual(answer.returncode, 0, answer)
        self.assertIn("\nproxy = http://p:1\n", answer.stdout)
        self.assertEqual(answer.stdout.count("it names another proxy"), 1)
        self.assertIn("#   http_proxy: it names another proxy", answer.stdout)

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
        self.fake_agent({"log": {"ok": True, "journal": False, "requests": self.write("-requests", "")}})
        self.expect(0, "tail -n 200 -- %s\n" % self.path("-requests"), "", "log")
        self.expect(0, "tail -n 5 -F -- %s\n" % self.path("-requests"), "", "log", "-fn5")

    def test_both(self):
        self.fake_agent({"log": {"ok": True, "journal": True, "requests": self.write("y", "")}})
        self.expect(0, "journalctl", "the lines about requests are in %s" % self.path("y"), "log")
        self.expect(0, "tail -n 200 -- %s\n" % self.path("y"), "", "log", "--requests")

    def test_neither(self):
        self.fake_agent({"log": {"ok": True, "journal": False, "requests": None}})
        self.expect(1, "", "the agent writes its log to the terminal or the program that started it", "log")
        self.expect(1, "", "have no file of their own", "log", "-r")

    def test_no_journalctl(self):
        self.fake_agent({"log": {"ok": True, "journal": True, "requests": None}})
        self.env["PATH"] = self.path("empty")
        self.expect(1, "", "journalctl cannot be run: No such file or directory", "log")

    def test_a_file_that_is_not_there_yet(self):
        self.fake_agent({"log": {"ok": True, "journal": False, "requests": self.path("none")}})
        self.expect(1, "", "there is no %s yet" % self.path("none"), "log")
        self.expect(0, "tail -n 200 -F -- %s\n" % self.path("none"), "", "log", "-f")  # it waits for it

    def test_wrong(self):
        self.expect(2, "", "--lines needs a number", "log", "--lines", "x")

    def test_no_agent_but_a_file(self):
        self.configure("[upstream corp]\nproxy = http://p:1\n[log]\nfile = %s\n" % self.write("y", ""))
        self.expect(0, "tail -n 200 -- %s\n" % self.path("y"), "", "log", "-r")
