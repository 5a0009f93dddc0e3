"""The command line: help, usage errors, exit codes, and the verbs that need no agent."""

import hashlib
import os
import re
import subprocess

import agent
import place

VERBS = ["run", "check", "login", "logout", "accept", "status", "reload", "stop", "token", "help"]


class Help(place.Place):
    def test_lists_the_verbs(self):
        text = self.expect(0, "Usage: exeat VERB", "", "help").stdout
        for verb in VERBS:
            self.assertIn("\n  %s " % verb, text)
        self.assertEqual(self.exeat("--help").stdout, text)
        self.assertEqual(self.exeat("-h").stdout, text)
        self.assertEqual(self.exeat("--help", "no-verb", "--no-option").stdout, text)

    def test_without_a_verb(self):
        self.expect(2, "", "Usage: exeat VERB")

    def test_of_each_verb(self):
        for verb in VERBS:
            with self.subTest(verb=verb):
                text = self.expect(0, "Usage: exeat %s" % verb, "", "help", verb).stdout
                self.assertIn("--help", text)
                self.assertEqual(self.exeat(verb, "--help").stdout, text)
                self.assertEqual(self.exeat(verb, "-h").stdout, text)

    def test_exit_codes(self):
        text = self.expect(0, "Every verb ends with", "", "help", "exit-codes").stdout
        for code in range(7):
            self.assertIn("\n  %d  " % code, text)

    def test_configuration(self):
        sample = self.expect(0, "[upstream", "", "help", "configuration").stdout
        path = self.write("sample.conf", sample)
        self.expect(0, path + ": ok", "", "check", "--config", path)

    def test_version(self):
        self.assertRegex(self.expect(0, "exeat ", "", "--version").stdout, r"^exeat \d+\.\d+\.\d+\n$")

    def test_full_disk(self):
        with open("/dev/full", "w") as full:
            self.expect(1, "", "cannot write to standard output", "help", stdout=full)


class Usage(place.Place):
    def test_errors(self):
        for words, sentence in (
            (["stauts"], 'there is no verb "stauts": did you mean "exeat status"?'),
            (["zebra", "--config", "x"], 'there is no verb "zebra": "exeat help" lists them'),
            (["--config", "x", "run"], '"exeat" has no option "--config": see "exeat help"'),
            (["--versoin"], '"exeat" has no option "--versoin": did you mean "--version"?'),
            (["status", "--jsno"], '"exeat status" has no option "--jsno": did you mean "--json"?'),
            (["status", "-x"], '"exeat status" has no option "-x": see "exeat help status"'),
            (["status", "now"], '"now" is one word too many: see "exeat help status"'),
            (["login", "a", "b"], '"b" is one word too many: see "exeat help login"'),
            (["check", "--config"], 'the option "--config" needs a value'),
            (["stop", "--help=yes"], 'the option "--help" takes no value'),
            (["help", "relaod"], 'there is no help about "relaod": did you mean "exeat help reload"?'),
            (["help", "exit-code"], 'there is no help about "exit-code": did you mean "exeat help exit-codes"?'),
            (["help", "zebra"], 'there is no help about "zebra": "exeat help" lists the verbs'),
            (["\x1b[31m"], 'there is no verb "?[31m"'),
        ):
            with self.subTest(words=words):
                self.expect(2, "", "exeat: " + sentence, *words)


class Check(place.Place):
    def test_right(self):
        path = self.configure()
        self.expect(0, path + ": ok (2 upstreams, ", "", "check")
        other = self.write("other.conf", "[listen]\nhttp = 127.0.0.1:1 [::1]:1\n[upstream a]\nproxy = http://p:8080\n")
        self.expect(0, other + ": ok (1 upstream, 2 listeners)\n", "", "check", "--config", other)

    def test_from_the_environment(self):
        self.expect(0, "the environment: ok (1 upstream, ", "", "check", env={"EXEAT_UPSTREAM": "http://p:8080"})

    def test_wrong_pattern_in_the_environment(self):
        self.expect(3, "", 'no_proxy: cannot read "10.0.0.0/99"', "check", env={"https_proxy": "http://p:8080", "no_proxy": "localhost,10.0.0.0/99"})

    def test_wrong(self):
        for text, sentence in (
            ("[upstream a]\nproxy = http://p:8080\nusre = x\n", 'wrong.conf:3: '),
            ("[upstream a]\nproxy = http://p:8080\nusre = x\n", '"user"'),
            ("[upstream a]\nproxy = http://p:8080\n[route]\nno-proxy = localhost 10.0.0.0/99\n", 'wrong.conf:4: no-proxy: cannot read "10.0.0.0/99"; write a name'),
            ("[upstream a]\nproxy = http://p:8080\n[route]\nrule = a a\nrule = a:x direct\n", 'wrong.conf:5: rule: cannot read "a:x"'),
            ("[upstream a]\nproxy = http://p:8080\nno-auth = b a:99999\n", 'wrong.conf:3: no-auth: cannot read "a:99999"'),
            ("[upstream a]\nproxy = http://p:8080\n[headers]\nset = * X: y\nset = 1.2.3.4/33 X: y\n", 'wrong.conf:5: set: cannot read "1.2.3.4/33"'),
        ):
            with self.subTest(sentence=sentence):
                path = self.write("wrong.conf", text)
                self.expect(3, "", sentence, "check", "--config", path)
        self.expect(3, "", "missing.conf", "check", "--config", self.path("missing.conf"))

    def test_basic_in_clear_text(self):
        """Right, but perhaps not what was meant: a warning, and no failure."""
        for proxies, more, warned in (("http://p:8080", "", ["http://p:8080"]), ("https://p:8080", "", []), ("http://127.0.0.1:8080", "", []),
                                      ("http://localhost:8080", "", []), ("http://p:8080", "basic-in-clear = yes\n", []),
                                      ("https://p:1 http://p:2 http://10.0.0.1:3", "basic-in-clear = no\n", ["http://p:2", "http://10.0.0.1:3"])):
            with self.subTest(proxies=proxies, more=more):
                path = self.write("basic.conf", "[upstream a]\nproxy = %s\nauth = ntlm basic\n%s" % (proxies, more))
                answer = self.exeat("check", "--config", path)
                self.assertEqual((answer.returncode, answer.stdout), (0, path + ": ok (1 upstream, 2 listeners)\n"))
                lines = answer.stderr.splitlines()
                self.assertEqual(len(lines), len(warned))
                for line, proxy in zip(lines, warned):
                    self.assertIn("exeat: warning: [upstream a] names basic", line)
                    self.assertIn("not used for %s:" % proxy, line)
                    self.assertIn("basic-in-clear = yes", line)
        self.expect(0, "ok", "", "check", "--config", self.write("no.conf", "[upstream a]\nproxy = http://p:1\n"))

    def test_keytab(self):
        keytab = self.write("robot.keytab", "")
        path = self.write("keytab.conf", "[upstream a]\nproxy = http://p:8080\nsecret = keytab:%s\n" % keytab)
        self.expect(0, path + ": ok", "", "check", "--config", path)
        os.unlink(keytab)
        self.expect(3, "", "the keytab %s cannot be read: No such file" % keytab, "check", "--config", path)

    def test_files_of_a_gateway(self):
        """It starts without them, and lets in whom it can: warnings, which name the file."""
        users, keytab = self.write("users", ""), self.write("http.keytab", "")
        os.chmod(users, 0o600)
        text = "[upstream a]\nproxy = http://p:8080\n[gateway]\nlisten = 127.0.0.1:1\nauth = %s\nusers = %s\nkeytab = %s\n"
        path = self.write("gateway.conf", text % ("negotiate basic", users, keytab))
        self.expect(0, path + ": ok", "", "check", "--config", path)
        os.chmod(users, 0o604)
        self.expect(0, path + ": ok", '[gateway]: %s may be read by everybody or written by others than its owner, and nobody is let in by it: write "chmod 600' %
                    users, "check", "--config", path)
        if os.geteuid() == 0:
            os.chmod(users, 0o600)
            os.chown(users, 1234, 1234)
            self.expect(0, path + ": ok", "%s belongs to another user" % users, "check", "--config", path)
        os.unlink(users)
        os.unlink(keytab)
        answer = self.expect(0, path + ": ok", '[gateway]: %s cannot be read (No such file or directory)' % users, "check", "--config", path)
        self.assertIn('exeat users add NAME', answer.stderr)
        self.assertIn("[gateway]: %s cannot be read" % keytab, answer.stderr)
        for auth, more, warned in (("negotiate", "", keytab), ("digest", "", users), ("ntlm", "", users), ("ntlm", "winbind = yes\n", None)):
            path = self.write("gateway.conf", text % (auth, users, keytab) + more)
            self.expect(0, path + ": ok", warned or "", "check", "--config", path)

    def test_gateway_that_is_none(self):
        """What somebody may have forgotten: where it listens, or that a folder is not a file."""
        text = "[upstream a]\nproxy = http://p:8080\n[gateway]\nauth = basic\nusers = %s\n"
        users = self.write("users", "")
        os.chmod(users, 0o600)
        path = self.write("gateway.conf", text % users)
        self.expect(0, path + ": ok", "[gateway] has no listen", "check", "--config", path)
        path = self.write("gateway.conf", text % users + "[gateway a]\nlisten = 127.0.0.1:1\n")
        answer = self.expect(0, path + ": ok", "", "check", "--config", path)
        self.assertEqual(answer.stderr, "")
        path = self.write("gateway.conf", text % self.directory + "listen = 127.0.0.1:1\n")
        self.expect(0, path + ": ok", "[gateway]: %s is not a file" % self.directory, "check", "--config", path)

    def test_log_of_requests(self):
        text = "[listen]\nhttp = 127.0.0.1:1\nmetrics = 127.0.0.1:2\n[upstream a]\nproxy = http://p:8080\n[log]\nfile = %s\n"
        path = self.write("log.conf", text % self.path("log.d/requests"))
        self.expect(3, "", "log.conf: [log] file: nothing can be written in the directory %s: No such file" % self.path("log.d"), "check", "--config", path)
        os.mkdir(self.path("log.d"))
        self.expect(0, path + ": ok (1 upstream, 2 listeners)", "", "check", "--config", path)
        self.assertEqual(os.listdir(self.path("log.d")), [])

    def test_token_of_the_example(self):
        """Whoever copies it has a client that nobody can be, and not one whose token is a word."""
        words = ["hello", "token", "secret", "password", "builder", "exeat", "test", "TOKEN", "changeme", "example", "foo", ""]
        hashes = {hashlib.sha256((word + end).encode()).hexdigest() for word in words for end in ("", "\n")}
        for name in ("README.md", "config/exeat.conf"):
            with open(os.path.join(agent.ROOT, name), encoding="utf-8") as file:
                found = set(re.findall("sha256:([0-9a-f]{64})", file.read()))
            self.assertTrue(found)
            self.assertEqual(found & hashes, set())

    def test_nothing_configured(self):
        self.expect(3, "", "no proxy is configured", "check")


class Run(place.Place):
    def test_print_config(self):
        self.configure()
        text = self.expect(0, "[upstream corp]", "", "run", "--print-config").stdout
        self.assertIn("http://proxy.corp.example:8080", text)
        self.assertIn("exeat.conf", text)

    def test_wrong_configuration(self):
        path = self.write("wrong.conf", "[upstream a]\n")
        self.expect(3, "", "wrong.conf", "run", "--print-config", "--config", path)
        self.expect(3, "", "wrong.conf", "run", "--config", path)


class Links(place.Place):
    def test_no_secrets_library(self):
        """The program that faces the network cannot even call GSSAPI or the keyring."""
        libraries = subprocess.run(["ldd", self.program], check=True, stdout=subprocess.PIPE, text=True).stdout
        self.assertIn("libuv", libraries)
        for name in ("gssapi", "libkrb5", "libsecret"):
            self.assertNotIn(name, libraries)
        self.assertTrue(os.access(self.program, os.X_OK))
