"""Connections that a gateway has let in, and what ends that: the ticket's end, and a configuration that is read again where the user is gone from its file.
By the real keyholder; with a scripted one: test_gateway."""

import base64
import os
import signal
import time
import unittest.mock

import gssapi

import ntlm
from agent import wait_until
from base import SITE
from realm import SPNEGO, Realm
from test_gateway_clients import HOST, PASSWORD, USERS, Gate
from wire import Wire, get

LIFE, SKEW = 4, 3  # seconds: of the tickets, and that a gateway takes them longer


class Expiry(Gate):
    def show(self, client, realm, cache):
        """A request with a token from the ticket in that cache."""
        with unittest.mock.patch.dict(os.environ, KRB5_CONFIG=realm.conf):
            name = gssapi.Name("HTTP@" + HOST, gssapi.NameType.hostbased_service)
            credentials = gssapi.Credentials(usage="initiate", mechs=[gssapi.MechType.kerberos, SPNEGO], store={"ccache": cache})
            token = gssapi.SecurityContext(name=name, creds=credentials, mech=SPNEGO, usage="initiate").step()
        return client.ask(get(SITE + "/echo", "Proxy-Authorization: Negotiate " + base64.b64encode(token).decode()))

    def test_ticket_ends_in_mid_connection(self):
        """The next request on the connection is asked who it is, and with another ticket goes on; an exeat that is the client has asked for one itself."""
        realm = self.stack.enter_context(Realm())
        cache = "FILE:%s/brief" % realm.directory
        conf = realm.own_conf(realm.directory + "/skew.conf", "clockskew = %d" % SKEW)
        there = self.house("negotiate", "keytab = %s\n" % realm.keytab, env={"KRB5_CONFIG": conf})
        between = self.agent("[upstream gate]\nproxy = http://127.0.0.1:%d\nauth = negotiate\nsecret = none\nspn = HTTP/%s\n" % (self.gate, HOST),
                             env={"KRB5_CONFIG": realm.conf, "KRB5CCNAME": cache})
        client = self.stack.enter_context(Wire.connect(self.gate))
        realm.kinit(cache, life="%ds" % LIFE)
        end = time.time() + LIFE + SKEW + 1
        self.assertEqual(self.show(client, realm, cache).status, 200, there.log())
        self.assertEqual(client.ask(get(SITE + "/echo")).status, 200)
        self.assertEqual(self.ask(between).status, 200, between.log())
        wait_until(lambda: time.time() > end, "the end of the ticket")
        answer = client.ask(get(SITE + "/echo"))
        self.assertEqual((answer.status, answer.all("Proxy-Authenticate")), (407, ["Negotiate"]))
        del self.onward.requests[:]
        realm.kinit(cache)
        self.assertEqual(self.show(client, realm, cache).status, 200, there.log())
        self.assertEqual(client.ask(get(SITE + "/echo")).status, 200)
        self.assertEqual(self.ask(between).status, 200, between.log())
        self.assertEqual(len(self.onward.requests), 3)


class Removal(Gate):
    def shake(self, client):
        """NTLM's three messages; the status behind them."""
        first = ntlm.type1()
        answer = client.ask(get(SITE + "/echo", "Proxy-Authorization: NTLM " + base64.b64encode(first).decode()))
        if answer.status != 407 or not answer.get("Proxy-Authenticate").startswith("NTLM "):
            return answer.status
        second = base64.b64decode(answer.get("Proxy-Authenticate")[5:])
        return client.ask(get(SITE + "/echo", "Proxy-Authorization: NTLM " + base64.b64encode(ntlm.type3(second, "alice", PASSWORD)).decode())).status

    def test_user_is_removed(self):
        """Until the configuration is read again the connection stays let in; then it is asked, and refused as anybody else."""
        for again in ("reload", "SIGHUP"):
            with self.subTest(again):
                there = self.house("ntlm", users=USERS + USERS.replace("alice", "bob"))
                client = self.stack.enter_context(Wire.connect(self.gate))
                self.assertEqual(self.shake(client), 200, there.log())
                self.assertEqual(client.ask(get(SITE + "/echo")).status, 200)
                there.write("users", USERS.replace("alice", "bob"))
                if again == "reload":
                    there.reload()
                else:
                    os.kill(there.pid, signal.SIGHUP)
                    there.wait_log("configuration read again")
                self.assertEqual(client.ask(get(SITE + "/echo")).status, 407)
                self.assertEqual(self.shake(client), 407)
                self.assertEqual(len(self.onward.requests), 2)
