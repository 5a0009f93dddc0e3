"""exeat setup in front of a proxy that offers Negotiate, with a KDC: what it asks with a ticket and without one, and that what it writes works."""

import os

from gates import Kerberos, Negotiate, Ntlm
from proxy import Asks
from realm import Realm
from setups import Setup


class Ticket(Setup):
    @classmethod
    def setUpClass(cls):
        cls.realm = Realm(service="HTTP/localhost")

    @classmethod
    def tearDownClass(cls):
        cls.realm.destroy()

    def gate(self):
        gate = Kerberos()
        gate.keytab = self.realm.keytab
        return gate

    def stand(self, behaviour, ticket=False):
        """Where the proxy is, the agent that has its environment, and the dialogue, with the proxy named."""
        proxy, agent = self.lab(behaviour)
        agent.env.update(KRB5_CONFIG=self.realm.conf, KRB5CCNAME="FILE:" + os.path.join(agent.directory, "tickets"))
        if ticket:
            self.realm.kinit(agent.env["KRB5CCNAME"])
        address = "localhost:%d" % proxy.port
        d = self.dialogue(agent)
        d.answer("The proxy", address)
        return proxy, agent, d

    def works(self, agent):
        """An agent with the file that was written."""
        with open(agent.config_path) as file:
            listen = file.read().split("[upstream", 1)[0]
        agent.configure(self.text().replace("no-proxy = localhost 127.0.0.0/8 ::1\n", "") + "\n" + listen)
        agent.start()
        self.assertEqual(self.ask(agent).status, 200)

    def test_with_a_ticket_nothing_is_asked(self):
        gate = self.gate()
        _, agent, d = self.stand(Asks(gate), ticket=True)
        d.wait_for("Kerberos: alice@CORP.EXAMPLE, until ")
        d.wait_for("Kerberos: the Kerberos server gave a ticket for HTTP/localhost")
        d.wait_for("Your Kerberos ticket is all that it needs.")
        self.routes(d)
        said, code = self.finish(d)
        self.assertEqual(code, 0, said)
        self.assertNotIn("Password", d.all)
        self.assertNotIn("user name", d.all)
        self.assertEqual(gate.attempts, 0)  # the look spends none
        self.assertNotIn("user =", self.text())
        self.assertNotIn("secret =", self.text())
        self.works(agent)

    def test_with_a_ticket_where_ntlm_is_offered_too(self):
        _, agent, d = self.stand(Asks(self.gate(), Ntlm()), ticket=True)
        d.wait_for("all that it needs.")
        self.routes(d)
        self.assertEqual(self.finish(d)[1], 0)
        self.assertNotIn("Password", d.all)
        self.works(agent)

    def test_without_one_the_password_gets_it(self):
        gate = self.gate()
        _, agent, d = self.stand(Asks(gate))
        d.wait_for("Kerberos: no Kerberos ticket")
        d.answer("Your user name", "alice@CORP.EXAMPLE")
        d.answer("Get a Kerberos ticket with the password", "")
        d.answer("Password", "Password")
        self.routes(d)
        said, code = self.finish(d)
        self.assertEqual((code, gate.attempts, gate.failed), (0, 1, 0), said)
        self.assertIn("kerberos = acquire\n", self.text())
        self.works(agent)

    def test_a_wrong_password_is_one_attempt_at_the_kdc(self):
        gate = self.gate()
        _, agent, d = self.stand(Asks(gate))
        before = self.realm.count("PREAUTH_FAILED")
        d.answer("Your user name", "alice@CORP.EXAMPLE")
        d.answer("Get a Kerberos ticket with the password", "")
        d.answer("Password", "hunter2")
        self.routes(d)
        d.answer("write this to", "")
        d.answer("Type the password again", "n")
        d.answer("Write the configuration all the same", "")
        said, code = d.end()
        self.assertEqual((code, gate.attempts, self.realm.count("PREAUTH_FAILED") - before), (1, 0, 1), said)
        self.nothing_is_left(agent)

    def test_without_one_and_with_kinit_later(self):
        _, agent, d = self.stand(Asks(self.gate()))
        d.answer("Your user name", "alice@CORP.EXAMPLE")
        d.answer("Get a Kerberos ticket with the password", "n")
        d.answer("Password", "")
        self.routes(d)
        self.assertEqual(self.finish(d)[1], 0)
        self.assertNotIn("acquire", self.text())
        self.realm.kinit(agent.env["KRB5CCNAME"])
        self.works(agent)

    def test_without_one_where_ntlm_is_offered_too(self):
        negotiate, ntlm = Negotiate(), Ntlm()
        _, agent, d = self.stand(Asks(negotiate, ntlm))
        d.answer("Your user name", "CORP\\alice")
        d.answer("Password", "secret")
        self.routes(d)
        said, code = self.finish(d)
        self.assertEqual((code, negotiate.attempts + ntlm.attempts, negotiate.failed + ntlm.failed), (0, 1, 0), said)
        self.assertNotIn("Get a Kerberos ticket", d.all)
        self.assertNotIn("acquire", self.text())

    def test_a_kdc_that_does_not_know_the_proxy(self):
        """The ticket is good, and of no use here: 127.0.0.1 is nobody's name."""
        proxy, agent = self.lab(Asks(self.gate()))
        agent.env.update(KRB5_CONFIG=self.realm.conf, KRB5CCNAME="FILE:" + os.path.join(agent.directory, "tickets"))
        self.realm.kinit(agent.env["KRB5CCNAME"])
        d = self.dialogue(agent)
        d.answer("The proxy", proxy.address)
        d.wait_for("Kerberos: alice@CORP.EXAMPLE")
        d.wait_for("Kerberos: ")
        d.answer("Your user name", "alice@CORP.EXAMPLE")
        d.wait_for("Get a Kerberos ticket")
        d.wait_for(": ")
        os.write(d.fd, b"\x03")
        d.end()
        self.nothing_is_left(agent)

