"""exeat setup's guesses, proxies that are out of the ordinary, and what it offers when all is written."""

import os
import unittest

import shield
import tls
from gates import Ntlm
from onward import SocksServer
from proxy import Asks, Open
from setups import Setup

GNOME = """case "$*" in
"list-recursively org.gnome.system.proxy") cat <<END
org.gnome.system.proxy mode '%(mode)s'
org.gnome.system.proxy autoconfig-url '%(pac)s'
org.gnome.system.proxy ignore-hosts ['localhost', '*.lab.example']
org.gnome.system.proxy use-same-proxy true
org.gnome.system.proxy.http enabled false
org.gnome.system.proxy.http host '%(host)s'
org.gnome.system.proxy.http port %(port)d
org.gnome.system.proxy.https host '%(host)s'
org.gnome.system.proxy.https port %(port)d
org.gnome.system.proxy.ftp host ''
org.gnome.system.proxy.ftp port 0
org.gnome.system.proxy.socks host ''
org.gnome.system.proxy.socks port 0
END
esac
"""


class Guesses(Setup):
    def all_defaults(self, agent, said):
        """Every question is answered by Enter: what was guessed is what is written."""
        answer = agent.exeat("setup", input="\n" * 10)
        self.assertEqual(answer.returncode, 0, answer)
        self.assertIn("(from %s)" % said, answer.stdout)
        return self.text()

    def gnome(self, agent, **values):
        self.program(agent, "gsettings", "PATH=/usr/bin:/bin\n" + GNOME % dict(dict(mode="manual", pac="", host="", port=0), **values))
        agent.env["XDG_CURRENT_DESKTOP"] = "GNOME"

    def test_gnome(self):
        proxy, agent = self.lab(Open())
        self.gnome(agent, host="127.0.0.1", port=proxy.port)
        text = self.all_defaults(agent, "GNOME's settings")
        self.assertIn("proxy = http://%s\n" % proxy.address, text)
        self.assertIn("no-proxy = localhost *.lab.example\n", text)

    def test_a_script_of_gnome(self):
        proxy, agent = self.lab(Open())
        self.gnome(agent, mode="auto", pac="http://wpad.example/p.pac")
        d = self.dialogue(agent)
        d.answer("The proxy", proxy.address)
        d.wait_for("(from GNOME's settings)")
        d.answer("PAC script (URL or path), or none [http://wpad.example/p.pac]", "")
        self.routes(d)
        self.finish(d)
        self.assertIn("pac = http://wpad.example/p.pac\n", self.text())

    def test_a_script_that_the_desktop_looks_for(self):
        proxy, agent = self.lab(Open())
        self.gnome(agent, mode="auto")
        d = self.dialogue(agent)
        d.answer("The proxy", proxy.address)
        d.answer("Look for a PAC script in the network (WPAD) [yes]", "")
        self.routes(d)
        self.finish(d)
        self.assertIn("wpad = dns\n", self.text())

    def test_kde(self):
        proxy, agent = self.lab(Open())
        os.makedirs(agent.env["XDG_CONFIG_HOME"])
        with open(os.path.join(agent.env["XDG_CONFIG_HOME"], "kioslaverc"), "w") as file:
            file.write("[Proxy Settings]\nProxyType=1\nhttpProxy=http://127.0.0.1 %(p)d\nhttpsProxy=http://127.0.0.1 %(p)d\n"
                       "NoProxyFor=.lab.example\n" % dict(p=proxy.port))
        agent.env["XDG_CURRENT_DESKTOP"] = "KDE"
        text = self.all_defaults(agent, "KDE's settings")
        self.assertIn("proxy = http://%s\n" % proxy.address, text)
        self.assertIn(".lab.example", text)

    def test_a_password_in_the_environment_is_not_taken(self):
        gate = Ntlm()
        proxy, agent = self.lab(Asks(gate))
        agent.env["https_proxy"] = "http://dave:hunter2@%s/" % proxy.address
        d = self.dialogue(agent)
        d.answer("The proxy (HOST:PORT) [http://%s]" % proxy.address, "")
        d.answer("Your user name there", "")
        d.answer("Password", "")
        self.routes(d)
        self.finish(d)
        self.assertIn("user = dave\n", self.text())
        self.assertNotIn("hunter2", self.text() + d.all)
        self.assertEqual(gate.attempts, 0)

    def test_nor_one_that_is_typed_there(self):
        proxy, agent = self.lab(Asks(Ntlm()))
        d = self.dialogue(agent)
        d.answer("The proxy", "http://dave:hunter2@%s" % proxy.address)
        d.wait_for("The name and password before the @ are left out")
        d.answer("Your user name there", "")
        d.answer("Password", "")
        self.routes(d)
        self.finish(d)
        self.assertIn("user = dave\n", self.text())
        self.assertIn("proxy = http://%s\n" % proxy.address, self.text())
        self.assertNotIn("hunter2", self.text())

    def test_our_own_listener_is_no_guess(self):
        proxy, agent = self.lab(Open())
        agent.env["https_proxy"] = "http://127.0.0.1:3128"
        d = self.dialogue(agent)
        d.answer("The proxy (HOST:PORT): ".rstrip(": "), proxy.address)
        self.routes(d)
        self.finish(d)
        self.assertNotIn("(from", d.all)

    def test_git_and_apt(self):
        for name, words, said in (("git", "config --global --get http.proxy", "git's settings"),
                                  ("apt-config", "shell p Acquire::http::Proxy", "apt's settings")):
            with self.subTest(name):
                proxy, agent = self.lab(Open())
                url = "http://dave:hunter2@%s" % proxy.address
                self.program(agent, name, 'test "$*" = "%s" && echo "%s"\n' % (words, url if name == "git" else "p='%s'" % url))
                os.symlink("/usr/bin/sed", os.path.join(agent.env["PATH"], "sed"))
                text = self.all_defaults(agent, said)
                self.assertIn("proxy = http://%s\n" % proxy.address, text)
                self.assertNotIn("hunter2", text)

    def test_an_empty_answer_says_what_is_needed(self):
        proxy, agent = self.lab(Open())
        d = self.dialogue(agent)
        d.answer("The proxy", "")
        d.wait_for("It needs a name and a port")
        d.answer("The proxy", proxy.address)
        self.routes(d)
        self.finish(d)


class Proxies(Setup):
    def test_tls_of_an_authority_that_nobody_knows(self):
        proxy = self.proxy(Open(), tls=tls.context())
        _, agent = self.lab(Open())
        address = "https://localhost:%d" % proxy.port
        d = self.dialogue(agent)
        d.answer("The proxy", address)
        d.answer("File with that authority's certificate", "/nowhere/ca.pem")
        d.answer("File with that authority's certificate", tls.authority().pem)
        self.routes(d)
        said, code = self.finish(d)
        self.assertEqual(code, 0, said)
        self.assertIn("proxy = %s\n" % address, self.text())
        self.assertIn("ca = %s\n" % tls.authority().pem, self.text())

    def test_and_without_its_certificate(self):
        proxy = self.proxy(Open(), tls=tls.context())
        _, agent = self.lab(Open())
        d = self.dialogue(agent)
        d.answer("The proxy", "https://localhost:%d" % proxy.port)
        d.answer("File with that authority's certificate", "")
        d.answer("Take it all the same [no]", "")
        d.wait_for("The proxy")
        d.wait_for(": ")
        os.write(d.fd, b"\x04")
        self.assertEqual(d.end()[1], 1)
        self.nothing_is_left(agent)

    def test_a_socks_server(self):
        proxy, agent = self.lab(SocksServer(then=Open()))
        d = self.dialogue(agent)
        d.answer("The proxy", "socks5://" + proxy.address)
        self.routes(d)
        self.assertEqual(self.finish(d)[1], 0)
        self.assertNotIn("user", self.text())


class After(Setup):
    def through(self, agent, proxy, *words):
        d = self.dialogue(agent, *words)
        d.answer("The proxy", proxy.address)
        self.routes(d)
        d.answer("write this to", "")
        d.wait_for("is written.")
        return d

    def systemctl(self, agent, code=0):
        log = os.path.join(agent.directory, "systemctl.log")
        self.program(agent, "systemctl", 'echo "$*" >> %s\ncase "$*" in *cat*) exit 0;; esac\nexit %d\n' % (log, code))
        return log

    def read(self, path):
        with open(path) as file:
            return file.read()

    def test_the_service_is_offered(self):
        proxy, agent = self.lab(Open())
        log = self.systemctl(agent)
        d = self.through(agent, proxy)
        d.answer("Start exeat now and at each login", "")
        d.answer("Point git", "")
        said, code = d.end()
        self.assertEqual(code, 0, said)
        self.assertEqual(self.read(log), "--user cat exeat.socket\n--user enable --now exeat.socket\n")
        self.assertNotIn("exeat run", d.all)

    def test_the_service_is_declined(self):
        proxy, agent = self.lab(Open())
        log = self.systemctl(agent)
        d = self.through(agent, proxy)
        d.answer("Start exeat now and at each login", "n")
        d.wait_for('Start it with "exeat run".')
        d.answer("Point git", "")
        self.assertEqual(d.end()[1], 0)
        self.assertEqual(self.read(log), "--user cat exeat.socket\n")

    def test_the_service_does_not_start(self):
        proxy, agent = self.lab(Open())
        self.systemctl(agent, code=1)
        d = self.through(agent, proxy)
        d.answer("Start exeat now and at each login", "")
        d.wait_for("That did not work.")
        d.wait_for('Start it with "exeat run".')
        d.answer("Point git", "")
        self.assertEqual(d.end()[1], 0)

    def test_the_service_does_not_read_another_file(self):
        proxy, agent = self.lab(Open())
        log = self.systemctl(agent)
        path = os.path.join(agent.directory, "elsewhere.conf")
        d = self.through(agent, proxy, "-o", path)
        d.wait_for('Start it with "exeat run --config %s".' % path)
        d.answer("Point git", "")
        self.assertEqual(d.end()[1], 0)
        self.assertFalse(os.path.exists(log))

    @unittest.skipUnless(os.geteuid() or shield.is_up(), "as root it would change this machine's own programs")
    def test_programs_are_pointed_at_it(self):
        proxy, agent = self.lab(Open())
        self.program(agent, "git", "exit 0\n")
        d = self.through(agent, proxy)
        d.answer("Point git", "y")
        said, code = d.end()
        self.assertEqual(code, 0, said)
        self.assertIn("git", said)
        self.assertIn("127.0.0.1:3128", self.read(os.path.join(agent.env["HOME"], ".gitconfig")))

    def test_the_file_before_is_kept(self):
        proxy, agent = self.lab(Open())
        os.makedirs(os.path.dirname(self.path))
        for number in range(2):
            with open(self.path, "w") as file:
                file.write("# mine %d\n" % number)
            d = self.through(agent, proxy, "--force")
            d.wait_for("The one before is kept as ")
            d.answer("Point git", "")
            self.assertEqual(d.end()[1], 0)
        self.assertEqual(self.read(self.path + ".old"), "# mine 0\n")
        self.assertEqual(self.read(self.path + ".old-2"), "# mine 1\n")
        self.assertEqual(os.stat(self.path + ".old").st_mode & 0o777, 0o600)
