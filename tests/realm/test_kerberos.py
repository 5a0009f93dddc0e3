"""Negotiate with Kerberos: tickets that a person has, tickets made of a password, none at all; names that no KDC knows; a KDC that is dead."""

import contextlib
import ctypes
import http.server
import os
import shutil
import tempfile
import threading
import unittest

import world
from agent import wait_until
from lab import lab
from plain import plain
from session import HTTP, Crowd, agent_for, ask, connect, watching

TARGET = HTTP + "/bytes/1000"
NO_SECRET = {"user": None, "secret": "none"}


def own_session_keyring():
    """A kernel keyring for this process and its children, which the kernel forgets with them. False where the kernel has none."""
    libc = ctypes.CDLL(None, use_errno=True)
    join_session_keyring, keyctl = 1, {"x86_64": 250, "aarch64": 219}[os.uname().machine]
    return libc.syscall(keyctl, join_session_keyring, None) >= 0


class TicketTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.folder)

    def passes(self, agent, kind="krb", user="alice@LAB.EXAMPLE"):
        with watching(kind) as lines:
            self.assertEqual(ask(agent, TARGET).status, 200)
            self.assertEqual(connect(agent).status, 200)
        self.assertEqual({line.user for line in lines if line.status == 200} - {"-"}, {user})

    def test_file_cache(self):
        cache = "FILE:%s/cache" % self.folder
        lab.kinit(cache)
        with agent_for("krb", cache=cache, **NO_SECRET) as agent:
            self.passes(agent)
            self.assertIn("alice@LAB.EXAMPLE", agent.status()["upstreams"][0]["identity"])

    def test_directory_cache(self):
        os.mkdir(self.folder + "/caches", 0o700)
        cache = "DIR:%s/caches" % self.folder
        lab.kinit(cache)
        with agent_for("krb", cache=cache, **NO_SECRET) as agent:
            self.passes(agent)

    def test_directory_cache_with_two_principals(self):
        os.mkdir(self.folder + "/caches", 0o700)
        cache = "DIR:%s/caches" % self.folder
        lab.kinit(cache, "bob@LAB.EXAMPLE")
        lab.kinit("DIR::%s/caches/tktalice" % self.folder)
        with agent_for("krb", user="alice@LAB.EXAMPLE", secret="none", cache=cache) as agent:
            self.passes(agent)

    def test_kernel_keyring_cache(self):
        if not own_session_keyring():
            self.skipTest("this kernel has no keyrings")
        cache = "KEYRING:session:lab"
        lab.kinit(cache)
        with agent_for("krb", cache=cache, **NO_SECRET) as agent:
            self.passes(agent)

    def test_a_ticket_that_comes_after_the_start(self):
        cache = "FILE:%s/cache" % self.folder
        with agent_for("krb", cache=cache, **NO_SECRET) as agent:
            page = ask(agent, TARGET)
            self.assertEqual(page.status, 502)
            self.assertIn("kinit", page.text)
            lab.kinit(cache)
            self.passes(agent)

    def test_no_ticket_at_all(self):
        with agent_for("krb", **NO_SECRET) as agent, watching("krb") as lines:
            for page in (ask(agent, TARGET), connect(agent)):
                self.assertEqual(page.status, 502)
                self.assertIn("ticket", page.text)
                self.assertIn("kinit", page.text)
        self.assertEqual([line.credentials for line in lines if line.credentials], [])

    def test_password_only(self):
        for kind, user in (("krb", "alice@LAB.EXAMPLE"), ("mit", "alice@CORP.EXAMPLE")):
            with agent_for(kind, user=user) as agent:
                self.passes(agent, kind, user)

    def test_password_only_with_every_letter(self):
        for user in ("jürgen", "bob"):
            with agent_for("krb", user=user) as agent:
                self.passes(agent, user=user + "@LAB.EXAMPLE")

    def test_ticket_wins_over_password(self):
        cache = "FILE:%s/cache" % self.folder
        lab.kinit(cache)
        lab.reset("lockme")
        with agent_for("krb", user="alice@LAB.EXAMPLE", password=world.WRONG_PASSWORD, cache=cache) as agent:
            self.passes(agent)
        self.assertEqual(lab.bad_count("alice"), 0)

    def test_somebody_elses_ticket_is_not_taken(self):
        cache = "FILE:%s/cache" % self.folder
        lab.kinit(cache, "bob@LAB.EXAMPLE")
        with agent_for("krb", user="alice@LAB.EXAMPLE", cache=cache) as agent:
            self.passes(agent)

    def test_proxy_by_alias_and_by_address(self):
        for host in ("proxy-alias.lab.example", world.PROXY):
            with agent_for("krb", host=host) as agent:
                self.passes(agent)

    def test_steady_state_needs_no_challenge(self):
        with agent_for("krb") as agent:
            ask(agent, TARGET)
            before = agent.status()["counters"]["challenges"]
            for _ in range(5):
                self.assertEqual(ask(agent, TARGET).status, 200)
                self.assertEqual(connect(agent).status, 200)
            self.assertEqual(agent.status()["counters"]["challenges"], before)


class NameTest(unittest.TestCase):
    """nospn.lab.example is the same Squids under a name that no KDC has a key for."""

    def test_falls_back_to_ntlm_where_that_is_offered(self):
        with agent_for("multi", host="nospn.lab.example", auth="negotiate ntlm") as agent, watching("multi") as lines:
            self.assertEqual(ask(agent, TARGET).status, 200)
            self.assertEqual(connect(agent).status, 200)
        self.assertTrue(any(line.credentials.startswith(("NTLM ", "Negotiate TlRMTVNTUAAD")) for line in lines), lines)
        self.assertEqual(lab.bad_count("alice"), 0)

    def test_falls_back_to_ntlm_inside_negotiate(self):
        with agent_for("spnego", host="nospn.lab.example", auth="negotiate ntlm") as agent:
            self.assertEqual(ask(agent, TARGET).status, 200)

    def test_says_so_where_nothing_else_is_offered(self):
        with agent_for("krb", host="nospn.lab.example", auth="negotiate") as agent:
            page = ask(agent, TARGET)
            self.assertEqual(page.status, 502)
            self.assertIn("HTTP/nospn.lab.example", page.text)

    def test_spn_setting(self):
        with agent_for("krb", host="nospn.lab.example", auth="negotiate", more="spn = %s\n" % world.SPN_LAB) as agent:
            self.assertEqual(ask(agent, TARGET).status, 200)


class MutualTest(unittest.TestCase):
    """These Squids send no last token: they cannot prove themselves."""

    def test_required(self):
        with agent_for("krb", more="mutual = require\n") as agent, watching("krb") as lines:
            for page in (ask(agent, TARGET), connect(agent), ask(agent, HTTP + "/echo", method="POST", body=b"a secret of ours")):
                self.assertEqual(page.status, 502)
                self.assertIn("cannot prove", page.text)
                self.assertIn("mutual = try", page.text)
            self.assertIn("did not prove", agent.status()["upstreams"][0]["state"])
        self.assertEqual([line.method for line in lines if line.method == "POST"], [])

    def test_tried(self):
        for setting in ("try", "off"):
            with agent_for("krb", more="mutual = %s\n" % setting) as agent:
                self.assertEqual(ask(agent, TARGET).status, 200)
                self.assertEqual(connect(agent).status, 200)
                self.assertEqual(ask(agent, HTTP + "/echo", method="POST", body=b"x" * 100000).status, 200)

    def test_required_where_only_ntlm_is_offered(self):
        with agent_for("ntlm", user="alice@LAB.EXAMPLE", auth="negotiate ntlm", more="mutual = require\n") as agent, watching("ntlm") as lines:
            self.assertEqual(ask(agent, TARGET).status, 502)
        self.assertEqual([line for line in lines if line.credentials.startswith("NTLM")], [])


class _Near(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "5")
        self.end_headers()
        self.wfile.write(b"near\n")

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def near_server():
    """A web server on loopback, which is reached without a proxy."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Near)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield "http://127.0.0.1:%d/" % server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@plain("most of its time is waiting")
class DeadKdcTest(unittest.TestCase):
    def test_only_what_needs_it_is_delayed(self):
        answers = []
        with near_server() as near, lab.silent(world.KDC_CORP), \
                agent_for("mit", user="alice@CORP.EXAMPLE", more="[route]\nno-proxy = 127.0.0.0/8\n") as agent:
            with Crowd() as crowd:
                waiting = [crowd.add(lambda: answers.append(ask(agent, TARGET))), crowd.add(lambda: answers.append(connect(agent)))]
                crowd.go()
                wait_until(lambda: agent.status()["clients"] >= 2, "both requests at the agent")
                for _ in range(50):
                    self.assertEqual(ask(agent, near).status, 200)
                self.assertTrue(all(thread.is_alive() for thread in waiting), "the requests that need the KDC were over before the others")
            self.assertEqual([page.status for page in answers], [504, 504])
            for page in answers:
                self.assertIn("Kerberos", page.text)

    def test_it_comes_back(self):
        with agent_for("mit", user="alice@CORP.EXAMPLE") as agent:
            with lab.silent(world.KDC_CORP):
                self.assertEqual(ask(agent, TARGET).status, 504)

            def back():  # the library may still be busy with the question that got no answer
                page = ask(agent, TARGET)
                self.assertIn(page.status, (200, 504), page.text)
                return page.status == 200
            wait_until(back, "the first ticket after the server came back")

    def test_a_ticket_in_hand_needs_no_kdc(self):
        with agent_for("mit", user="alice@CORP.EXAMPLE") as agent:
            self.assertEqual(ask(agent, TARGET).status, 200)
            with lab.silent(world.KDC_CORP):
                for _ in range(3):
                    self.assertEqual(ask(agent, TARGET).status, 200)
                    self.assertEqual(connect(agent).status, 200)


class WrongPasswordTest(unittest.TestCase):
    def test_each_verdict_of_the_directory_has_its_sentence(self):
        lab.reset("lockme")
        for user, password, words in (("lockme", world.WRONG_PASSWORD, "refused the password"), ("nobody", "x", "nobody"),
                                      ("disabled", None, "disabled"), ("mustchange", None, "expired")):
            with agent_for("krb", user=user, password=password or world.PASSWORDS[user]) as agent:
                page = ask(agent, TARGET)
                self.assertEqual(page.status, 502)
                self.assertIn(words, page.text)
        self.assertEqual(lab.bad_count("lockme"), 1)

    def test_a_password_that_kerberos_refused_is_not_offered_to_ntlm(self):
        lab.reset("lockme")
        for kind in ("multi", "spnego"):
            lab.reset("lockme")
            with agent_for(kind, user="lockme", password=world.WRONG_PASSWORD, auth="negotiate ntlm") as agent, watching(kind) as lines:
                self.assertEqual(ask(agent, TARGET).status, 502)
                self.assertEqual(connect(agent).status, 502)
            self.assertEqual(lab.bad_count("lockme"), 1)
            self.assertEqual([line for line in lines if line.credentials], [])
