"""A gateway's users at a proxy of the domain (identity = per-user): Samba's KDC lets a service act for them (S4U2Self, S4U2Proxy), or not, and Squid says
who came."""

import os
import subprocess
import sys
import tempfile
import unittest

import gssapi
import world
from agent import build_directory
from lab import lab
from session import HTTP, watching
from wire import Wire, get

os.environ.setdefault("EXEAT_KEYS", os.path.join(build_directory(), "exeat-keys"))
sys.path.append(os.path.join(os.path.dirname(world.HERE), "keys"))
from keyholder import Context, Keyholder  # noqa: E402
from realm import SPNEGO  # noqa: E402
from test_accept import Door, basic, field  # noqa: E402

ACCOUNT, PASSWORD, SERVICE = "gwsvc", "Gateway-Pass-1", "HTTP/gw.lab.example"
SHA1 = "{SHA}i+PJQ7Fgn/+/xRqtZm0KBK34PJ0="  # of "Password"


def samba_tool(*words):
    subprocess.run(["samba-tool", *words, "--configfile=" + world.SMB_CONF], check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL)


class LabKeyholder(Keyholder):
    proxy_host = "proxy.lab.example"
    proxy_port = world.PORTS["krb"]


class DelegationTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = cls.enterClassContext(tempfile.TemporaryDirectory())
        cls.keytab = cls.folder + "/gateway.keytab"
        lab.database.newuser(ACCOUNT, PASSWORD)
        cls.addClassCleanup(lab.database.deleteuser, ACCOUNT)
        samba_tool("spn", "add", SERVICE, ACCOUNT)
        for principal in (ACCOUNT, SERVICE):
            samba_tool("domain", "exportkeytab", cls.keytab, "--principal=" + principal)
        with open(cls.folder + "/users", "w", encoding="utf-8") as users:
            users.write("".join("%s:%s\n" % (name, SHA1) for name in ("alice", "bob", "disabled")))
        os.chmod(cls.folder + "/users", 0o600)

    def allow(self, services=("HTTP/proxy.lab.example",), any_protocol=True):
        """What samba-tool delegation writes: add-service for each, and for-any-protocol."""
        import ldb
        account = lab.database.search(lab.database.domain_dn(), expression="(sAMAccountName=%s)" % ACCOUNT, attrs=["userAccountControl"])[0]
        flags = int(str(account["userAccountControl"])) & ~0x1000000
        message = ldb.Message(account.dn)
        message["userAccountControl"] = ldb.MessageElement(str(flags | (0x1000000 if any_protocol else 0)), ldb.FLAG_MOD_REPLACE, "userAccountControl")
        message["msDS-AllowedToDelegateTo"] = ldb.MessageElement(list(services), ldb.FLAG_MOD_REPLACE, "msDS-AllowedToDelegateTo")
        lab.database.modify(message)

    def keyholder(self, domain="LAB", identity="per-user"):
        self.upstream = "auth = negotiate\nuser = %s@%s\nsecret = keytab:%s\n" % (ACCOUNT, world.REALM, self.keytab)
        gateway = "[gateway]\nlisten = 127.0.0.1:9\nauth = negotiate basic\nidentity = %s\nusers = %s/users\nkeytab = %s\ndomain = %s\n" % (
            identity, self.folder, self.keytab, domain)
        k = LabKeyholder(self.upstream, more=gateway, env={"KRB5_CONFIG": "/etc/krb5.conf"})
        self.addCleanup(lambda: k.process.poll() is None and k.finish())
        return k

    def comes_in(self, k, user):
        door = Door(k)
        self.assertEqual(door.step(basic(user)).verdict, "OK")
        return door

    def comes_with_a_ticket(self, k, user, *options, hand_on=False, mech=SPNEGO):
        cache = "FILE:%s/%s" % (self.folder, user)
        subprocess.run(["kinit", *options, "%s@%s" % (user, world.REALM)], input=world.PASSWORDS[user] + "\n", text=True, check=True,
                       stdout=subprocess.DEVNULL, env=dict(os.environ, KRB5_CONFIG="/etc/krb5.conf", KRB5CCNAME=cache))
        creds = gssapi.Credentials(usage="initiate", mechs=[mech], store={"ccache": cache})
        name = gssapi.Name("%s@%s" % (SERVICE, world.REALM), gssapi.NameType.kerberos_principal)
        client = gssapi.SecurityContext(name=name, creds=creds, mech=mech, usage="initiate",
                                        flags=gssapi.RequirementFlag.delegate_to_peer if hand_on else 0)
        door = Door(k)
        answer = door.step(field("Negotiate", client.step()))
        self.assertEqual(answer.verdict, "OK", answer)
        return door

    def answer(self, k, door):
        c = Context(k, acting=door.id)
        self.assertEqual(c.opened.verdict, "OK", c.opened)
        return c.challenged(["Negotiate"], target=HTTP + "/bytes/100")

    def passes(self, k, door, user):
        answer = self.answer(k, door)
        self.assertEqual(answer.verdict, "SEND", answer)
        with watching("krb") as lines, Wire.connect(LabKeyholder.proxy_port, "proxy.lab.example") as wire:
            self.assertEqual(wire.ask(get(HTTP + "/bytes/100", "Proxy-Authorization: " + answer.header)).status, 200)
        self.assertEqual([line.user.lower() for line in lines], ["%s@lab.example" % user])

    def fails(self, k, door, *words):
        answer = self.answer(k, door)
        self.assertEqual(answer.verdict, "UNAVAILABLE", answer)
        for word in words:
            self.assertIn(word, answer.why + " " + answer.remedy)

    def test_the_service_acts_for_each(self):
        """Whoever came in without a ticket: protocol transition. One service ticket of the keytab's is enough for all."""
        self.allow()
        k = self.keyholder()
        for user in ("alice", "bob", "alice"):
            self.passes(k, self.comes_in(k, user), user)

    def test_the_clients_own_ticket_is_evidence(self):
        """Without protocol transition the KDC wants to see a ticket of the user's."""
        self.allow(any_protocol=False)
        k = self.keyholder()
        self.passes(k, self.comes_with_a_ticket(k, "alice", "-f"), "alice")
        self.passes(k, self.comes_with_a_ticket(k, "jürgen", "-f", mech=gssapi.MechType.kerberos), "jürgen")
        self.fails(k, self.comes_in(k, "bob"), "does not let gwsvc@LAB.EXAMPLE act for bob@LAB.EXAMPLE at HTTP/proxy.lab.example", "for-any-protocol")
        self.passes(k, self.comes_in(k, "alice"), "alice")  # whose evidence is at hand

    def test_evidence_that_will_not_do(self):
        """A ticket that may not be forwarded is no evidence; the service's word is, where it may act for anybody."""
        self.allow()
        k = self.keyholder()
        self.passes(k, self.comes_with_a_ticket(k, "alice", "-F"), "alice")

    def test_a_handed_ticket_needs_no_leave(self):
        self.allow((), any_protocol=False)
        k = self.keyholder()
        self.passes(k, self.comes_with_a_ticket(k, "alice", "-f", hand_on=True), "alice")

    def test_the_kdcs_no(self):
        self.allow(("HTTP/elsewhere.lab.example",))
        k = self.keyholder()
        self.fails(k, self.comes_in(k, "alice"), "does not let gwsvc@LAB.EXAMPLE act for alice@LAB.EXAMPLE at HTTP/proxy.lab.example",
                   "samba-tool delegation add-service")
        self.allow((), any_protocol=False)
        k = self.keyholder()
        self.fails(k, self.comes_in(k, "alice"), "does not let", "samba-tool delegation add-service")
        self.fails(k, self.comes_in(k, "disabled"), "disabled@LAB.EXAMPLE")

    def test_since_a_reload(self):
        """The service's ticket of before may not have been asked for with that in mind."""
        self.allow()
        k = self.keyholder(identity="shared")
        self.assertEqual(Context(k).challenged(["Negotiate"]).verdict, "SEND")
        k.more = k.more.replace("shared", "per-user")
        k.configure(self.upstream)
        self.assertEqual(k.ask("RELOAD").verdict, "OK")
        self.passes(k, self.comes_in(k, "alice"), "alice")

    def test_another_domain(self):
        self.allow()
        k = self.keyholder("EVIL")
        self.fails(k, self.comes_in(k, "alice"), "EVIL\\alice")
