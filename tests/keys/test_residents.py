"""The users of a gateway, acted for (identity = per-user, OPEN with `acting`): with the ticket that one handed on, with a keytab whose service acts for
them, or with a secret of each one's own. Whatever is one's is never another's."""
import os
import shlex
import subprocess
import tempfile
import time
import unittest

import gssapi
from keyholder import CANDIDATE, GUEST, LOGIN_HELPS, Context, Keyholder, encode
from realm import NTLM, SPNEGO, Acceptor, NtlmAuthority, Realm, converse
from test_accept import TARGET, Door, basic, field

SHA1 = "{SHA}i+PJQ7Fgn/+/xRqtZm0KBK34PJ0="  # of PASSWORD
GATEWAY = "[gateway]\nlisten = 127.0.0.1:9\nauth = %s\nidentity = %s\n%s"


class ResidentTest(unittest.TestCase):
    env = {}
    people = ("alice", "bob", "carol")

    def setUp(self):
        self.directory = self.enterContext(tempfile.TemporaryDirectory(prefix="exeat-residents-"))
        self.write("users", *("%s:%s" % (name, SHA1) for name in self.people))

    def write(self, name, *lines):
        os.makedirs(os.path.dirname(self.directory + "/" + name), exist_ok=True)
        with open(self.directory + "/" + name, "w", encoding="utf-8") as f:
            f.write("".join(line + "\n" for line in lines))
        os.chmod(self.directory + "/" + name, 0o600)

    def gateway(self, auth="basic", identity="per-user", domain="CORP", more=""):
        text = "domain = %s\n" % domain if domain else ""
        return GATEWAY % (auth, identity, text + "users = %s/users\n" % self.directory + more)

    def keyholder(self, upstream, env=None, **gateway):
        k = Keyholder(upstream, more=self.gateway(**gateway), env=dict(self.env, **(env or {})))
        self.addCleanup(lambda: k.process.poll() is None and k.finish())
        return k

    def comes_in(self, k, user="alice", as_=None):
        door = Door(k)
        answer = door.step(basic(user))
        self.assertEqual((answer.verdict, answer.identity), ("OK", as_ or "CORP\\" + user), answer)
        return door

    def acts(self, k, door, upstream="corp"):
        c = Context(k, upstream, acting=door.id)
        self.assertEqual(c.opened.verdict, "OK", c.opened)
        return c

    def proxy_of(self, mech=NTLM):
        return Acceptor("NTLM", mech)

    def passes(self, k, door, user, **how):
        """The proxy knows that user by NTLM."""
        proxy = self.proxy_of()
        c = self.acts(k, door, **how)
        answer, _ = converse(c, proxy)
        self.assertEqual(answer.verdict, "SEND", answer)
        self.assertEqual(proxy.user, user)
        return c

    def fails(self, k, door, *words, offer=("NTLM",), verdict="UNAVAILABLE"):
        answer = self.acts(k, door).challenged(list(offer))
        self.assertEqual((answer.verdict, answer.header), (verdict, ""), answer)
        for word in words:
            self.assertIn(word, answer.why + " " + answer.remedy)
        return answer

    def authority(self, *accounts):
        authority = NtlmAuthority(*accounts)
        self.addCleanup(authority.destroy)


ALICE_AND_BOB = (("CORP", "alice", "Alice's"), ("CORP", "bob", "Bob's"))
NTLM_FILE = "auth = ntlm\nuser = CORP\\own\nsecret = file:%s\n"


class Secrets(ResidentTest):
    def setUp(self):
        super().setUp()
        self.authority(*ALICE_AND_BOB)
        self.write("secrets/CORP%5Calice", "Alice's")
        self.write("secrets/CORP%5Cbob", "Bob's")
        self.write("secrets/CORP%5Cown", "Own")

    def by_file(self, **gateway):
        return self.keyholder(NTLM_FILE % (self.directory + "/secrets/%u"), **gateway)

    def test_each_has_a_file(self):
        k = self.by_file()
        for _ in range(2):
            for user in ("alice", "bob"):
                c = self.passes(k, self.comes_in(k, user), "CORP\\" + user)
                self.assertEqual(c.opened.identity, "CORP\\" + user)
        self.assertEqual(Context(k).opened.identity, "CORP\\own")
        self.assertEqual([e for e in k.events if e.type == "EVENT_GENERATION"], [])

    def test_without_a_file_nobody_elses_is_used(self):
        k = self.by_file()
        self.passes(k, self.comes_in(k, "alice"), "CORP\\alice")
        self.fails(k, self.comes_in(k, "carol"), "secrets/CORP%5Ccarol cannot be read", "puts the password into")
        self.write("secrets/CORP%5Ccarol", "x")
        self.assertEqual(self.acts(k, self.comes_in(k, "carol")).challenged(["NTLM"]).verdict, "SEND")

    def test_names_lead_nowhere_else(self):
        """Every name has its own file in the folder: no path leads out of it, and no two names share one."""
        names = ["../out", "..", ".", "a/b", "a%2Fb", "%u", "a b", "b\u00e4r", "EVIL\\alice", "alice@corp.example", "x" * 300, ".alice", "~"]
        self.write("users", *("%s:%s" % (name, SHA1) for name in names))
        self.write("out", "never")
        k = self.by_file(domain=None)
        seen = set()
        for name in names:
            answer = self.fails(k, self.comes_in(k, name, as_=name))
            self.assertIn(self.directory + "/secrets/", answer.why)
            place = answer.why.partition(self.directory + "/secrets/")[2].partition(" cannot be read")[0]
            self.assertRegex(place, r"^[A-Za-z0-9@_%-][A-Za-z0-9@_.%-]*$")
            self.assertNotIn(place, seen)
            seen.add(place)
        self.assertEqual(len(seen), len(names))

    def test_a_file_for_everybody_is_nobodys(self):
        """A ticket might be handed on, so that the configuration may be right; the one password is not used all the same."""
        k = self.keyholder("auth = negotiate ntlm\nuser = CORP\\own\nsecret = file:%s/secrets/CORP%%5Calice\n" % self.directory, auth="negotiate basic",
                           more="keytab = /nonexistent\n")
        for user in ("alice", "bob"):
            self.fails(k, self.comes_in(k, user), "no password for each of the gateway's users", "%u", "EXEAT_USER")
        self.assertEqual(Context(k).challenged(["NTLM"]).verdict, "SEND")

    def test_domains_count(self):
        self.write("users", "alice:" + SHA1, "EVIL\\alice:" + SHA1, "corp\\alice:" + SHA1)
        k = self.by_file()
        self.passes(k, self.comes_in(k, "alice"), "CORP\\alice")
        self.passes(k, self.comes_in(k, "corp\\alice", as_="corp\\alice"), "CORP\\alice")
        self.fails(k, self.comes_in(k, "EVIL\\alice", as_="EVIL\\alice"), "EVIL%5Calice")

    def test_a_plain_name_is_of_the_upstreams_domain(self):
        k = self.keyholder("domain = CORP\n" + NTLM_FILE % (self.directory + "/secrets/%u"), domain=None)
        self.passes(k, self.comes_in(k, "alice", as_="alice"), "CORP\\alice")
        k = self.by_file(domain=None)
        self.fails(k, self.comes_in(k, "alice", as_="alice"), "secrets/alice cannot")

    def test_a_domain_of_the_upstream_makes_nobody_another(self):
        """A gateway without domain has an alice of its own; one with it has the directory's. Both gateways may be here."""
        other = "[gateway other]\nlisten = 127.0.0.1:10\ndomain = CORP\n"
        k = self.keyholder("domain = CORP\n" + NTLM_FILE % (self.directory + "/secrets/%u"), domain=None, more=other)
        generations = []
        for gateway, identity in (("other", "CORP\\alice"), ("gateway", "alice")):
            door = Door(k, gateway)
            self.assertEqual(door.step(basic("alice")).identity, identity)
            c = self.acts(k, door)
            generations.append((c.opened.identity, c.opened.generation))
        self.assertNotEqual(*generations)

    def test_a_command(self):
        self.write("book", "CORP\\alice Alice's", "CORP\\bob Bob's", "CORP\\own Own")
        k = self.keyholder("auth = ntlm\nuser = CORP\\own\nsecret = command:awk -v u=\"${EXEAT_USER##*\\\\}\" '$1 ~ \"\\\\\\\\\" u \"$\" { print $2 }' %s/book\n" % self.directory)
        for user in ("alice", "bob"):
            self.passes(k, self.comes_in(k, user), "CORP\\" + user)
        self.fails(k, self.comes_in(k, "carol"), "EXEAT_USER=CORP\\carol")

    def test_a_command_sees_a_name_and_no_words(self):
        name = "$(touch %s/touched);`id`" % self.directory
        self.write("users", "%s:%s" % (name, SHA1), "alice:" + SHA1)
        k = self.keyholder("auth = basic\nbasic-in-clear = yes\nuser = own\nsecret = command:printf %s \"$EXEAT_USER\"\n", domain=None)
        a = self.acts(k, self.comes_in(k, name, as_=name)).challenged(["Basic realm=x"])
        self.assertEqual(a.header, basic(name, name))
        a = self.acts(k, self.comes_in(k, "alice", as_="alice")).challenged(["Basic realm=x"])
        self.assertEqual(a.header, basic("alice", "alice"))
        self.assertEqual(Context(k).challenged(["Basic realm=x"]).header, basic("own", "own"))
        self.assertFalse(os.path.exists(self.directory + "/touched"))

    def test_one_frozen_is_not_another(self):
        self.write("secrets/CORP%5Calice", "Wrong")
        k = self.by_file()
        alice = self.comes_in(k, "alice")
        a, _ = converse(self.acts(k, alice), self.proxy_of())
        self.assertEqual(a.verdict, "REFUSED")
        self.assertIn("refused the password of CORP\\alice", a.why)
        self.assertIn(self.directory + "/secrets/CORP%5Calice", a.remedy)
        self.assertEqual(a.flags, 0)
        self.assertIn("refused the password", k.log())
        self.passes(k, self.comes_in(k, "bob"), "CORP\\bob")
        a = self.fails(k, alice, "CORP\\alice", verdict="REFUSED")
        k.restart()  # which is remembered, as for everybody
        self.fails(k, self.comes_in(k, "alice"), "refused earlier", verdict="REFUSED")
        self.write("secrets/CORP%5Calice", "Alice's")
        self.passes(k, self.comes_in(k, "alice"), "CORP\\alice")

    def test_the_same_wrong_password_of_two(self):
        """Guards are of account and password: one's refusal says nothing of the other's."""
        for user in ("alice", "bob"):
            self.write("secrets/CORP%5C" + user, "Bob's")
        k = self.by_file()
        a, _ = converse(self.acts(k, self.comes_in(k, "alice")), self.proxy_of())
        self.assertEqual(a.verdict, "REFUSED")
        self.passes(k, self.comes_in(k, "bob"), "CORP\\bob")

    def test_many_at_once_are_one_attempt(self):
        self.write("secrets/CORP%5Calice", "Wrong")
        k = self.by_file()
        contexts = [self.acts(k, self.comes_in(k, "alice")) for _ in range(10)]
        asked = []
        for c in contexts:
            proxy = self.proxy_of()
            first = c.challenged(["NTLM"])
            asked.append((c, c.begin_challenged(proxy.take(first.header))))
        done = []
        while not done:
            k.ask("STATUS", upstream="corp")
            done = [(c, call) for c, call in asked if call in k.answers]
        self.assertEqual(len(done), 1)
        (c, call), = done
        k.end(call)
        c.challenged(["NTLM"])
        for other, call in asked:
            if other is not c:
                self.assertEqual(k.end(call).header, "")

    def test_the_connection_outlives_the_clients(self):
        k = self.by_file()
        door = self.comes_in(k, "alice")
        c = self.acts(k, door)
        door.close()
        self.assertEqual(Context(k, acting=door.id).opened.verdict, "UNAVAILABLE")
        a, _ = converse(c, self.proxy_of())
        self.assertEqual(a.verdict, "SEND")

    def test_who_is_not_in(self):
        k = self.by_file()
        door = Door(k)
        for _ in range(2):
            opened = Context(k, acting=door.id).opened
            self.assertEqual(opened.verdict, "UNAVAILABLE")
            self.assertIn("not let in", opened.why)
            self.assertEqual(door.step(basic("alice", "wrong")).verdict, "REFUSED")
        self.assertEqual(door.step(basic("alice")).verdict, "OK")
        self.assertEqual(self.acts(k, door).opened.identity, "CORP\\alice")
        self.assertEqual(door.step(basic("bob")).verdict, "OK")
        self.assertEqual(self.acts(k, door).opened.identity, "CORP\\bob")
        self.assertEqual(door.step(basic("bob", "wrong")).verdict, "REFUSED")
        self.assertEqual(Context(k, acting=door.id).opened.verdict, "UNAVAILABLE")
        for unknown in (door.id + 1, door.id + 0x10000, 0xffffffff):
            self.assertEqual(Context(k, acting=unknown).opened.verdict, "UNAVAILABLE")

    def test_who_is_being_asked(self):
        """Between a request and the answer to who it is from, nobody is in; and what is asked then is not for the one before."""
        k = self.by_file()
        door = self.comes_in(k, "alice")
        k.last_call += 2
        k.sock.sendall(encode("ACCEPT_STEP", k.last_call - 1, context=door.id, method="GET", target=TARGET, header=basic("bob")) +
                       encode("OPEN", k.last_call, upstream="corp", host=k.proxy_host, port=k.proxy_port, acting=door.id))
        self.assertEqual(k.end(k.last_call - 1).identity, "CORP\\bob")
        self.assertEqual(k.end(k.last_call).verdict, "UNAVAILABLE")

    def test_a_gateway_that_is_shared(self):
        k = self.by_file(identity="shared")
        opened = Context(k, acting=self.comes_in(k, "alice").id).opened
        self.assertEqual(opened.verdict, "UNAVAILABLE")
        self.assertIn("identity = per-user", opened.why)

    def test_reload(self):
        k = self.by_file()
        door = self.comes_in(k, "alice")
        c = self.acts(k, door)
        k.ask("RELOAD")
        self.assertEqual(self.acts(k, door).opened.generation, c.opened.generation)
        self.write("secrets/CORP%5Calice", "Another")
        k.ask("RELOAD")
        a, _ = converse(self.acts(k, door), self.proxy_of())
        self.assertEqual(a.verdict, "REFUSED")  # the new one was shown
        k.more = self.gateway(domain="OTHER")
        k.configure(NTLM_FILE % (self.directory + "/secrets/%u"))
        k.ask("RELOAD")  # the same name would mean somebody else
        self.assertEqual(Context(k, acting=door.id).opened.verdict, "UNAVAILABLE")
        k.more = self.gateway(identity="shared")
        k.configure(NTLM_FILE % (self.directory + "/secrets/%u"))
        k.ask("RELOAD")
        self.assertEqual(Context(k, acting=self.comes_in(k, "alice").id).opened.verdict, "UNAVAILABLE")
        c.close()

    def test_a_ceiling(self):
        """Those in use are kept; those that rest make room."""
        self.write("users", *("u%d:%s" % (i, SHA1) for i in range(1025)))
        k = self.by_file()
        contexts = [self.acts(k, self.comes_in(k, "u%d" % i)) for i in range(1024)]
        one_more = self.comes_in(k, "u1024")
        opened = Context(k, acting=one_more.id).opened
        self.assertEqual(opened.verdict, "UNAVAILABLE")
        self.assertIn("More users", opened.why)
        contexts[7].close()
        self.acts(k, one_more)

    def test_visitors_and_residents_have_each_their_own(self):
        """What a program brings is not what the gateway's user has, though the account is one."""
        k = self.keyholder("client-credentials = use\n" + NTLM_FILE % (self.directory + "/secrets/%u"))
        visitor = Context(k, user="CORP\\alice", secret="brought")
        self.assertEqual(visitor.opened.verdict, "OK")
        self.passes(k, self.comes_in(k, "alice"), "CORP\\alice")
        a, _ = converse(visitor, self.proxy_of())
        self.assertEqual(a.verdict, "REFUSED")
        self.passes(k, self.comes_in(k, "alice"), "CORP\\alice")


class Keyring(ResidentTest):
    def setUp(self):
        super().setUp()
        self.env = {"SECRET_BACKEND": "file", "SECRET_FILE_TEST_PATH": self.directory + "/keyring", "SECRET_FILE_TEST_PASSWORD": "master"}
        self.text = "auth = basic\nbasic-in-clear = yes\n"

    def header(self, k, user):
        return self.acts(k, self.comes_in(k, user)).challenged(["Basic realm=x"]).header

    def login(self, k, user, secret, verdict="OK"):
        link = k.login_link()
        call = link.begin("LOGIN", upstream="corp", user=user, secret=secret, flags=GUEST)
        e = k.event("EVENT_TRIAL")
        c = Context(k, flags=CANDIDATE, trial=e.trial)
        a = c.challenged(["Basic realm=x"], target="http://exeat.invalid/")
        if verdict == "OK":
            c.accepted()
        else:
            c.challenged(["Basic realm=x"], target="http://exeat.invalid/")
        c.close()
        k.tell("TRIAL_END", trial=e.trial, verdict=1)
        answer = link.end(call)
        self.assertEqual(answer.verdict, verdict, answer)
        return answer, a.header

    def test_login_for_users(self):
        k = self.keyholder(self.text)
        answer, tried = self.login(k, "alice", "Alice's")
        self.assertEqual(answer.why, "The password of CORP\\alice was accepted by proxy.corp.example:8080 and stored in the keyring.")
        self.assertEqual(tried, basic("CORP\\alice", "Alice's"))
        self.login(k, "CORP\\bob", "Bob's")
        for _ in range(2):
            for user, secret in (("alice", "Alice's"), ("bob", "Bob's")):
                self.assertEqual(self.header(k, user), basic("CORP\\" + user, secret))
            answer = self.fails(k, self.comes_in(k, "carol"), "no password for corp (gateway) of CORP\\carol", "exeat login corp --for 'CORP\\carol'",
                                offer=["Basic realm=x"])
            self.assertEqual(answer.flags, LOGIN_HELPS)
            k.restart()

    def test_the_remedy_is_for_a_shell(self):
        self.write("users", "o'brien:" + SHA1)
        k = self.keyholder(self.text)
        answer = self.fails(k, self.comes_in(k, "o'brien"), offer=["Basic realm=x"])
        self.assertEqual(shlex.split(answer.remedy.partition("with: ")[2])[:5], ["exeat", "login", "corp", "--for", "CORP\\o'brien"])

    def test_the_upstreams_own_is_another(self):
        """Without user = in the configuration whatever the keyring has for the upstream is its own user's: but not these."""
        k = self.keyholder(self.text)
        self.login(k, "alice", "Alice's")
        self.assertEqual(Context(k).challenged(["Basic realm=x"]).verdict, "UNAVAILABLE")
        link = k.login_link()
        call = link.begin("LOGIN", upstream="corp", user="CORP\\bob", secret="Own")
        k.tell("TRIAL_END", trial=k.event("EVENT_TRIAL").trial, verdict=12, why="x")
        self.assertEqual(link.end(call).verdict, "OK")
        k.restart()
        self.assertEqual(Context(k).challenged(["Basic realm=x"]).header, basic("CORP\\bob", "Own"))
        self.fails(k, self.comes_in(k, "bob"), offer=["Basic realm=x"])
        self.assertEqual(self.header(k, "alice"), basic("CORP\\alice", "Alice's"))

    def test_a_wrong_one_is_not_stored(self):
        k = self.keyholder(self.text)
        self.login(k, "alice", "Alice's")
        answer, _ = self.login(k, "alice", "Wrong", "REFUSED")
        self.assertIn("CORP\\alice", answer.why)
        self.assertEqual(self.header(k, "alice"), basic("CORP\\alice", "Alice's"))

    def test_logout(self):
        k = self.keyholder(self.text)
        self.login(k, "alice", "Alice's")
        self.login(k, "bob", "Bob's")
        self.assertEqual(k.login_link().ask("LOGOUT", upstream="corp", user="alice", flags=GUEST).verdict, "OK")
        self.fails(k, self.comes_in(k, "alice"), offer=["Basic realm=x"])
        self.assertEqual(self.header(k, "bob"), basic("CORP\\bob", "Bob's"))
        self.assertEqual(k.login_link().ask("LOGOUT", upstream="corp").verdict, "OK")  # of its own user alone
        k.restart()
        self.assertEqual(self.header(k, "bob"), basic("CORP\\bob", "Bob's"))

    def news(self, k):
        """Whose connections the agent is told to drop."""
        k.ask("STATUS", upstream="no-such-upstream")
        news = [(e.upstream, e.identity, e.flags) for e in k.events if e.type == "EVENT_GENERATION"]
        k.events.clear()
        return news

    def test_the_agent_is_told(self):
        """Of a login and a logout, and whose; not of what is looked up for the first time."""
        k = self.keyholder(self.text)
        self.fails(k, self.comes_in(k, "bob"), offer=["Basic realm=x"])
        self.assertEqual(self.news(k), [])
        self.login(k, "alice", "Alice's")
        self.assertEqual(self.news(k), [("corp", "CORP\\alice", GUEST)])
        self.login(k, "alice", "Wrong", "REFUSED")
        self.header(k, "alice")
        self.assertEqual(self.news(k), [])
        self.assertEqual(k.login_link().ask("LOGOUT", upstream="corp", user="alice", flags=GUEST).verdict, "OK")
        self.assertEqual(self.news(k), [("corp", "CORP\\alice", GUEST)])

    def test_logout_of_who_has_the_upstreams_domain(self):
        """By the bare name and in full they have one password in the keyring: it is forgotten for both."""
        other = "[gateway other]\nlisten = 127.0.0.1:10\nusers = %s/users\nauth = basic\nidentity = per-user\ndomain = CORP\n" % self.directory
        k = self.keyholder("domain = CORP\n" + self.text, domain=None, more=other)
        full, bare = Door(k, "other"), Door(k)
        self.assertEqual((full.step(basic("alice")).identity, bare.step(basic("alice")).identity), ("CORP\\alice", "alice"))
        self.login(k, "alice", "Alice's")
        for door in (full, bare):
            self.assertEqual(self.acts(k, door).challenged(["Basic realm=x"]).verdict, "SEND")
        self.news(k)
        self.assertEqual(k.login_link().ask("LOGOUT", upstream="corp", user="alice", flags=GUEST).verdict, "OK")
        self.assertEqual(self.news(k), [("corp", "CORP\\alice", GUEST)] * 2)
        for door in (full, bare):
            self.fails(k, door, "no password for corp (gateway)", offer=["Basic realm=x"])

    def test_login_of_who_has_the_upstreams_domain(self):
        """What the log says to type reaches the bare name too: whoever had the old password is given up, and the agent knows both by the item's name."""
        k = self.keyholder("domain = CORP\n" + self.text, domain=None)
        door = Door(k)
        self.assertEqual(door.step(basic("alice")).identity, "alice")
        self.fails(k, door, "exeat login corp --for 'CORP\\alice'", offer=["Basic realm=x"])
        for secret in ("Old", "New"):
            before = self.acts(k, door).opened
            self.login(k, "CORP\\alice", secret)
            k.ask("STATUS", upstream="no-such-upstream")
            events = [e for e in k.events if e.type == "EVENT_GENERATION"]
            self.assertEqual([(e.identity, e.flags) for e in events], [(before.identity, GUEST)] * 2)
            numbers = [before.generation, *(e.generation for e in events)]
            self.assertEqual(sorted(set(numbers)), numbers)  # two that are one to the agent
            k.events.clear()
            c = self.acts(k, door)
            self.assertEqual(c.challenged(["Basic realm=x"]).header, basic("alice", secret))
            c.close()

    def test_gateways_of_different_domains(self):
        """Whose name is typed is told by the gateways all together, and where they cannot tell, a person does."""
        def gateways(*domains):
            return "".join("[gateway %d]\nlisten = 127.0.0.1:1%d\nusers = %s/users\nauth = basic\nidentity = per-user\n%s"
                           % (i, i, self.directory, "domain = %s\n" % d if d else "") for i, d in enumerate(domains))

        for first, more, typed, accounts in (("CORP", ["CORP"], "alice", ["CORP\\alice"]),
                                             (None, ["CORP"], "alice", ["alice"]),
                                             (None, ["CORP"], "corp\\alice", ["corp\\alice"]),
                                             ("CORP", ["EVIL"], "evil\\alice", ["EVIL\\alice"]),
                                             ("CORP", ["EVIL"], "OTHER\\alice", ["OTHER\\alice"]),
                                             ("CORP", ["corp"], "corp\\alice", ["corp\\alice"]),
                                             ("CORP", ["EVIL", "CORP"], "alice", ["CORP\\alice", "EVIL\\alice"])):
            with self.subTest(first=first, more=more, typed=typed):
                k = self.keyholder(self.text, domain=first, more=gateways(*more))
                if len(accounts) == 1:
                    answer, _ = self.login(k, typed, "Alice's")
                    self.assertIn("password of %s was" % accounts[0], answer.why)
                for verb in ("LOGIN", "LOGOUT") if len(accounts) > 1 else ():
                    answer = k.login_link().ask(verb, upstream="corp", user=typed, secret="x" * (verb == "LOGIN"), flags=GUEST)
                    self.assertEqual((answer.verdict, answer.why), ("UNAVAILABLE", "The gateways have different domains, and alice may be a user in each."))
                    self.assertEqual(answer.remedy, "Name the user in full: %s." % " or ".join(accounts))

    def test_a_gateway_without_domain_among_others(self):
        """Its log names the user as it does, and that is whom a login reaches."""
        other = "[gateway other]\nlisten = 127.0.0.1:10\nusers = %s/users\nauth = basic\nidentity = per-user\ndomain = CORP\n" % self.directory
        k = self.keyholder(self.text, domain=None, more=other)
        doors = (Door(k), "alice"), (Door(k, "other"), "CORP\\alice")
        for door, account in doors:
            self.assertEqual(door.step(basic("alice")).identity, account)
            self.fails(k, door, "exeat login corp --for '%s'" % account, offer=["Basic realm=x"])
            self.login(k, account, "Of " + account)
        for door, account in doors:
            self.assertEqual(self.acts(k, door).challenged(["Basic realm=x"]).header, basic(account, "Of " + account))

    def test_where_no_login_is_for_users(self):
        """The remedy is one that helps such users: a password in a place of everybody's does not."""
        tickets = {"auth": "negotiate basic", "more": "keytab = /nonexistent\n"}
        for text, gateway, words, remedy in ((self.text, {"identity": "shared"}, "does not act", None),
                                             ("auth = negotiate basic\nsecret = prompt\n", tickets, "keeps one password", "Set secret = keyring"),
                                             ("auth = basic\nsecret = file:/x/%u\n", {}, "comes from a file", "Change it there, or set secret = keyring."),
                                             ("auth = negotiate basic\nsecret = file:/x/y\n", tickets, "comes from a file", "keyring, file:PATH with %u"),
                                             ("auth = negotiate\nsecret = none\n", tickets, "tickets only", "command:COMMAND with $EXEAT_USER"),
                                             (self.text, {"env": {"SECRET_BACKEND": ""}}, "no keyring", "set secret = file:PATH with %u in it")):
            with self.subTest(words, remedy=remedy):
                k = self.keyholder(text, **gateway)
                answer = k.login_link().ask("LOGIN", upstream="corp", user="alice", secret="x", flags=GUEST)
                self.assertEqual(answer.verdict, "UNAVAILABLE")
                self.assertIn(words, answer.why)
                self.assertIn(remedy or "", answer.remedy)
                self.assertNotIn("prompt", answer.remedy)

    def test_a_stored_one_helps_at_once(self):
        """The user's page says what to do; once that is done, the next request passes."""
        k = self.keyholder(self.text)
        door = self.comes_in(k, "alice")
        self.fails(k, door, "exeat login", offer=["Basic realm=x"])
        self.login(k, "alice", "Alice's")
        self.assertEqual(self.acts(k, door).challenged(["Basic realm=x"]).header, basic("CORP\\alice", "Alice's"))


    def test_no_login_helps_without_a_keyring(self):
        """secret = prompt keeps one password, and a login for a user is refused there: nobody waits for one."""
        k = self.keyholder("auth = negotiate basic\nbasic-in-clear = yes\nsecret = prompt\n", auth="negotiate basic", more="keytab = /nonexistent\n")
        self.assertEqual(self.fails(k, self.comes_in(k, "alice"), offer=["Basic realm=x"]).flags, 0)
        self.assertEqual(Context(k).challenged(["Basic realm=x"]).flags, LOGIN_HELPS)


class KerberosTest(ResidentTest):
    @classmethod
    def setUpClass(cls):
        cls.realm = Realm("HTTP/gw.corp.example")
        cls.addClassCleanup(cls.realm.destroy)
        cls.realm.admin("addprinc -randkey HTTP/proxy.corp.example")
        cls.proxy_keytab = cls.realm.directory + "/proxy.keytab"
        cls.realm.admin("ktadd -k %s HTTP/proxy.corp.example" % cls.proxy_keytab)
        cls.realm.admin("addprinc +requires_preauth -pw Password bob")
        cls.realm.admin("modprinc +ok_as_delegate HTTP/gw.corp.example")
        for user in ("alice", "bob"):
            cls.realm.kinit("FILE:%s/%s" % (cls.realm.directory, user), user, options=("-f",))
        cls.realm.kinit("FILE:%s/stays" % cls.realm.directory, "alice", options=("-F",))
        os.environ["KRB5_CONFIG"] = cls.realm.conf
        cls.addClassCleanup(os.environ.pop, "KRB5_CONFIG")
        cls.env = {"KRB5_CONFIG": cls.realm.conf}

    def keyholder(self, upstream="auth = negotiate\nsecret = none\n", auth="negotiate basic", more="", **how):
        return super().keyholder(upstream, auth=auth, more="keytab = %s\n%s" % (self.realm.keytab, more), **how)

    def comes_with_a_ticket(self, k, cache="alice", hand_on=True, mech=SPNEGO, user=None, gateway="gateway"):
        door = Door(k, gateway)
        creds = gssapi.Credentials(usage="initiate", mechs=[mech], store={"ccache": "FILE:%s/%s" % (self.realm.directory, cache)})
        name = gssapi.Name("HTTP/gw.corp.example@CORP.EXAMPLE", gssapi.NameType.kerberos_principal)
        flags = gssapi.RequirementFlag.delegate_to_peer if hand_on else 0
        client = gssapi.SecurityContext(name=name, creds=creds, mech=mech, usage="initiate", flags=flags)
        answer = door.step(field("Negotiate", client.step()))
        self.assertEqual((answer.verdict, answer.identity), ("OK", (user or cache) + "@CORP.EXAMPLE"), answer)
        return door

    def passes(self, k, door, user="alice"):
        proxy = Acceptor("Negotiate", SPNEGO, self.proxy_keytab)
        answer, _ = converse(self.acts(k, door), proxy)
        self.assertEqual(answer.verdict, "SEND", answer)
        self.assertEqual(proxy.user, user + "@CORP.EXAMPLE")

    def fails(self, k, door, *words, offer=("Negotiate",), verdict="UNAVAILABLE"):
        return super().fails(k, door, *words, offer=offer, verdict=verdict)


class Handed(KerberosTest):
    def test_each_with_the_own_ticket(self):
        k = self.keyholder()
        for mech in (SPNEGO, gssapi.MechType.kerberos):
            for user in ("alice", "bob"):
                door = self.comes_with_a_ticket(k, user, mech=mech)
                self.assertEqual(self.acts(k, door).opened.identity, "CORP\\" + user)
                self.passes(k, door, user)

    def test_without_one_nobody_elses_is_used(self):
        """Not the other user's, nor one that lies in the gateway's own cache, of whomever that is."""
        k = self.keyholder(env={"KRB5CCNAME": "FILE:%s/alice" % self.realm.directory})
        self.passes(k, self.comes_with_a_ticket(k, "alice"))
        self.fails(k, self.comes_with_a_ticket(k, "bob", hand_on=False), "No Kerberos ticket of CORP\\bob was handed on", "kinit -f")
        proxy = Acceptor("Negotiate", SPNEGO, self.proxy_keytab)
        converse(Context(k), proxy)
        self.assertEqual(proxy.user, "alice@CORP.EXAMPLE")
        k = self.keyholder(env={"KRB5CCNAME": "FILE:%s/alice" % self.realm.directory})
        self.fails(k, self.comes_with_a_ticket(k, "alice", hand_on=False), "handed on")
        self.fails(k, self.comes_with_a_ticket(k, "stays", user="alice"), "handed on")  # the KDC lets nobody forward that

    def test_it_is_the_accounts_however_that_comes_in(self):
        k = self.keyholder()
        self.passes(k, self.comes_with_a_ticket(k, "alice"))
        self.passes(k, self.comes_in(k, "alice"))
        self.fails(k, self.comes_in(k, "bob"), "handed on")

    def test_a_realm_is_not_a_domain_by_its_first_letters(self):
        k = self.keyholder(domain="EVIL")
        self.passes(k, self.comes_with_a_ticket(k, "alice"))
        self.fails(k, self.comes_in(k, "alice", as_="EVIL\\alice"), "EVIL\\alice was handed on")
        k = self.keyholder(domain=None)
        self.passes(k, self.comes_with_a_ticket(k, "alice"))
        self.fails(k, self.comes_in(k, "alice", as_="alice"), "of alice was handed on")

    def test_a_bare_name_has_nobodys_ticket(self):
        """The directory's alice came by one gateway; by another one somebody else whom its file calls so, at an upstream with a domain for bare names."""
        other = "[gateway other]\nlisten = 127.0.0.1:10\ndomain = CORP\n"
        k = self.keyholder("auth = negotiate\ndomain = CORP\nsecret = none\n", domain=None, more=other)
        self.passes(k, self.comes_with_a_ticket(k, "alice", gateway="other"))
        self.fails(k, self.comes_in(k, "alice", as_="alice"), "handed on")

    def test_it_comes_later(self):
        k = self.keyholder()
        self.fails(k, self.comes_in(k, "alice"), "handed on")
        door = self.comes_with_a_ticket(k, "alice")
        self.passes(k, door)
        door.close()
        self.passes(k, self.comes_in(k, "alice"))

    def test_it_ends(self):
        self.realm.kinit("FILE:%s/brief" % self.realm.directory, "alice", life="70s", options=("-f",))
        k = self.keyholder()
        self.passes(k, self.comes_with_a_ticket(k, "brief", user="alice"))
        generation = self.acts(k, self.comes_in(k, "alice")).opened.generation
        self.passes(k, self.comes_with_a_ticket(k, "alice"))  # a later one is taken instead
        self.assertEqual(self.acts(k, self.comes_in(k, "alice")).opened.generation, generation + 1)
        self.passes(k, self.comes_with_a_ticket(k, "alice"))
        self.assertEqual(self.acts(k, self.comes_in(k, "alice")).opened.generation, generation + 1)
        self.assertEqual(k.events, [])  # nobody else's connections end for that

    def test_a_secret_where_no_ticket_is(self):
        self.authority(*ALICE_AND_BOB)
        self.write("secrets/CORP%5Cbob", "Bob's")
        k = self.keyholder("auth = negotiate ntlm\nsecret = file:%s/secrets/%%u\n" % self.directory)
        door = self.comes_with_a_ticket(k, "bob", hand_on=False)
        ResidentTest.passes(self, k, door, "CORP\\bob")
        self.passes(k, self.comes_with_a_ticket(k, "alice"))

    def test_a_password_gets_a_ticket_of_the_users(self):
        self.write("users", "bob@CORP.EXAMPLE:" + SHA1, "carol@CORP.EXAMPLE:" + SHA1)
        self.write("secrets/bob@CORP.EXAMPLE", "Password")
        k = self.keyholder("auth = negotiate\nkerberos = acquire\nuser = CORP\\alice\nsecret = file:%s/secrets/%%u\n" % self.directory)
        self.passes(k, self.comes_in(k, "bob@CORP.EXAMPLE", as_="bob@CORP.EXAMPLE"), "bob")
        self.fails(k, self.comes_in(k, "carol@CORP.EXAMPLE", as_="carol@CORP.EXAMPLE"), "secrets/carol@CORP.EXAMPLE")

    def test_shared_gateways_keep_none(self):
        k = self.keyholder(identity="shared")
        opened = Context(k, acting=self.comes_with_a_ticket(k).id).opened
        self.assertEqual(opened.verdict, "UNAVAILABLE")

    def test_the_keyholder_keeps_no_file_of_it(self):
        k = self.keyholder()
        self.passes(k, self.comes_with_a_ticket(k, "alice"))
        found = subprocess.run(["grep", "-rlF", "krbtgt", k.directory], check=False, stdout=subprocess.PIPE, text=True).stdout
        self.assertEqual(found, "")

    def test_refused_by_the_proxy(self):
        """The other user's ticket is not touched by that; another one of the same user's is tried."""
        k = self.keyholder()
        door = self.comes_with_a_ticket(k, "alice")
        answer = self.acts(k, door).challenged(["Negotiate"])
        self.assertEqual(answer.verdict, "SEND")
        c = self.acts(k, door)
        for _ in range(2):
            answer = c.challenged(["Negotiate"])
        self.assertEqual(answer.verdict, "REFUSED")
        self.assertIn("kinit", answer.remedy)
        self.fails(k, self.comes_with_a_ticket(k, "alice"), "refused", verdict="REFUSED")
        self.passes(k, self.comes_with_a_ticket(k, "bob"), "bob")
        time.sleep(1.1)  # tickets of one second are the same to Kerberos
        self.realm.kinit("FILE:%s/again" % self.realm.directory, "alice", options=("-f",))
        self.passes(k, self.comes_with_a_ticket(k, "again", user="alice"))


class Acting(KerberosTest):
    """A keytab's service, as far as this KDC goes: it gives tickets in others' names (S4U2Self), but lets nobody use them elsewhere (S4U2Proxy)."""

    def acting(self, **how):
        return self.keyholder("auth = negotiate\nsecret = keytab:%s\n" % self.realm.keytab, **how)

    def test_the_kdcs_no_is_a_sentence(self):
        k = self.acting()
        for door in (self.comes_in(k, "alice"), self.comes_with_a_ticket(k, "alice", hand_on=False)):
            self.fails(k, door, "does not let HTTP/gw.corp.example@CORP.EXAMPLE act for alice@CORP.EXAMPLE at HTTP/proxy.corp.example",
                       "samba-tool delegation add-service")

    def test_a_handed_ticket_comes_first(self):
        k = self.acting()
        self.passes(k, self.comes_with_a_ticket(k, "alice"))
        self.assertEqual(self.realm.count("HTTP/gw.corp.example@CORP.EXAMPLE for krbtgt"), 0)

    def test_the_services_own_ticket_is_never_a_users(self):
        k = self.acting()
        proxy = Acceptor("Negotiate", SPNEGO, self.proxy_keytab)
        a, _ = converse(Context(k), proxy)
        self.assertEqual((a.verdict, proxy.user), ("SEND", "HTTP/gw.corp.example@CORP.EXAMPLE"))
        self.fails(k, self.comes_in(k, "alice"), "does not let")

    def test_nobody_by_the_bare_name(self):
        """What the gateway's file calls alice may be somebody else than the directory's alice."""
        k = self.acting(domain=None)
        self.fails(k, self.comes_in(k, "alice", as_="alice"), "set domain for the gateway")
        k = self.keyholder("auth = negotiate\ndomain = CORP\nsecret = keytab:%s\n" % self.realm.keytab, domain=None)
        self.fails(k, self.comes_in(k, "alice", as_="alice"), "set domain for the gateway")
        k = self.acting(domain="EVIL")
        self.fails(k, self.comes_in(k, "alice", as_="EVIL\\alice"), "No Kerberos realm is known for EVIL\\alice")

    def test_unknown_to_the_kdc(self):
        k = self.acting()
        self.fails(k, self.comes_in(k, "carol"), "does not know this user (carol@CORP.EXAMPLE")

    def test_a_keytab_that_is_not_there(self):
        k = self.keyholder("auth = negotiate\nsecret = keytab:%s/none\n" % self.directory)
        self.fails(k, self.comes_in(k, "alice"), "/none cannot be read")
