"""The instruments themselves, without exeat: each Squid demands what it should, wrong passwords are counted where they should be."""

import socket
import subprocess
import unittest

import content
import world
from lab import lab
from plain import plain
from session import attempts, watching

TARGETS = ("http://origin.example/bytes/70000", "https://origin.example/bytes/70000")


def curl(kind, target, *words, cache=None, env=None):
    """(status of the proxy's CONNECT or 0, status, body) by curl's own authentication."""
    environment = {"PATH": "/usr/bin:/bin", "HOME": world.HOME, "LANG": "C.UTF-8", "KRB5CCNAME": cache or "FILE:/nowhere", **(env or {})}
    run = subprocess.run(["curl", "-s", "-w", "\n%{http_connect} %{http_code}", "--proxy", lab.proxy(kind), *words, target], env=environment,
                         stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=False, timeout=60)
    body, _, codes = run.stdout.rpartition(b"\n")
    return (*map(int, codes.split()), body)


@plain("it looks at the others, not at us")
class LabTest(unittest.TestCase):
    def passes(self, kind, *words, **more):
        for target in TARGETS:
            self.assertEqual(curl(kind, target, **more)[1 if target.startswith("http:") else 0], 200 if kind == "none" else 407, target)
            connect, status, body = curl(kind, target, *words, **more)
            self.assertEqual((connect, status), (200 if target.startswith("https") else 0, 200))
            self.assertEqual(body, content.data(70000))

    def user(self, name):
        return "%s:%s" % (name, world.PASSWORDS[name.split("\\")[-1]])

    def test_without_authentication(self):
        self.passes("none")

    def test_basic(self):
        for name in ("alice", "bob", "jürgen"):
            self.passes("basic", "--proxy-basic", "-U", self.user(name))

    def test_digest(self):
        for kind in ("digest", "digest-strict"):
            self.passes(kind, "--proxy-digest", "-U", self.user("alice"))
            self.passes(kind, "--proxy-digest", "-U", self.user("bob"))

    def test_ntlm(self):
        self.passes("ntlm", "--proxy-ntlm", "-U", self.user("LAB\\alice"))
        self.passes("ntlm-close", "--proxy-ntlm", "-U", self.user("LAB\\alice"))

    def test_kerberos(self):
        cache = "FILE:" + world.TMP + "/lab-cache"
        lab.kinit(cache)
        for kind in ("krb", "multi", "spnego", "tls"):
            self.passes(kind, "--proxy-negotiate", "-U", ":", cache=cache)
        lab.kinit(cache, "alice@" + world.CORP_REALM)
        self.passes("mit", "--proxy-negotiate", "-U", ":", cache=cache)

    def test_basic_of_the_directory(self):
        self.passes("multi", "--proxy-basic", "-U", self.user("alice"))
        self.passes("tls", "--proxy-basic", "-U", self.user("alice"))

    def test_ntlm_inside_spnego(self):
        path = world.TMP + "/ntlm-user"
        with open(path, "w") as file:
            file.write("LAB:jürgen:%s\n" % world.PASSWORDS["jürgen"])
        self.passes("spnego", "--proxy-negotiate", "-U", ":", env={"NTLM_USER_FILE": path})

    def test_wrong_passwords_are_counted(self):
        lab.reset("lockme")
        for count, (kind, words) in enumerate([("ntlm", "--proxy-ntlm"), ("multi", "--proxy-basic"), ("spnego", "--proxy-ntlm")], 1):
            if kind == "spnego":
                self.assertNotEqual(subprocess.run(["kinit", "-c", "MEMORY:", "lockme"], input="wrong\n", text=True, stdout=subprocess.DEVNULL,
                                                   stderr=subprocess.DEVNULL, check=False).returncode, 0)
            else:
                with watching(kind) as lines:
                    self.assertEqual(curl(kind, TARGETS[0], words, "-U", "LAB\\lockme:wrong")[1], 407)
                self.assertEqual(len(attempts(lines)), 1, lines)
            self.assertEqual(lab.bad_count("lockme"), count, kind)

    def test_five_wrong_passwords_lock_and_a_reset_unlocks(self):
        lab.reset("lockme2")
        for _ in range(world.LOCKOUT_THRESHOLD):
            self.assertFalse(lab.is_locked("lockme2"))
            curl("ntlm", TARGETS[0], "--proxy-ntlm", "-U", "LAB\\lockme2:wrong")
        self.assertTrue(lab.is_locked("lockme2"))
        self.assertEqual(curl("ntlm", TARGETS[0], "--proxy-ntlm", "-U", self.user("LAB\\lockme2"))[1], 407)
        lab.reset("lockme2")
        self.assertEqual(curl("ntlm", TARGETS[0], "--proxy-ntlm", "-U", self.user("LAB\\lockme2"))[1], 200)

    def test_a_changed_password_is_the_only_good_one(self):
        lab.reset("lockme3", "An0ther-Pass")
        self.addCleanup(lab.reset, "lockme3")
        self.assertEqual(curl("ntlm", TARGETS[0], "--proxy-ntlm", "-U", self.user("LAB\\lockme3"))[1], 407)
        self.assertEqual(curl("ntlm", TARGETS[0], "--proxy-ntlm", "-U", "LAB\\lockme3:An0ther-Pass")[1], 200)

    def test_rules_for_sites(self):
        words = ("--proxy-ntlm", "-U", self.user("LAB\\alice"))
        for host, status in ((world.BLOCKED, 407), (world.FORBIDDEN, 403)):
            self.assertEqual(curl("ntlm", "http://%s/" % host, *words)[1], status)
            self.assertEqual(curl("ntlm", "https://%s/" % host, *words)[0], status)
        self.assertEqual(curl("ntlm", "http://%s/" % world.EXEMPT)[1], 200)
        self.assertEqual(lab.bad_count("alice"), 0)

    def test_the_client_side_knows_no_outside_names_and_no_way(self):
        for words in (["getent", "hosts", "origin.example"], ["ip", "route", "get", world.ORIGIN_ADDRESS]):
            self.assertNotEqual(subprocess.run(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False).returncode, 0)

    def test_packets_into_silence(self):
        with lab.silent(world.KDC_CORP):
            with self.assertRaises(TimeoutError):
                socket.create_connection((world.KDC_CORP, 88), timeout=0.5)
        socket.create_connection((world.KDC_CORP, 88), timeout=30).close()
