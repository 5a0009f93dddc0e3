"""Channel bindings (RFC 5929): what the agent says of its TLS connection is in every kind of GSSAPI token, as acceptors understand it."""
import hashlib

from keyholder import Context
from realm import NTLM, SPNEGO, Acceptor, InRealm, NtlmAuthority, converse
from test_schemes import SchemeTest

HASH = hashlib.sha256(b"the proxy's certificate").digest()
RIGHT = b"tls-server-end-point:" + HASH


class Binding:
    """For a class with proxy(binding): an acceptor that demands it."""

    def tokens_taken(self, sent, demanded):
        proxy = self.proxy(demanded)
        converse(Context(self.keyholder(), binding=sent), proxy)
        return proxy.user is not None

    def test_right(self):
        self.assertTrue(self.tokens_taken(HASH, RIGHT))

    def test_wrong(self):
        for sent, demanded in ((HASH[::-1], RIGHT), (HASH[:-1], RIGHT), (HASH, b"tls-unique:" + HASH), (HASH, HASH)):
            with self.subTest(demanded):
                self.assertFalse(self.tokens_taken(sent, demanded))

    def test_not_demanded(self):
        self.assertTrue(self.tokens_taken(HASH, None))

    def test_long(self):
        long = hashlib.sha512(b"x").digest()
        self.assertTrue(self.tokens_taken(long, b"tls-server-end-point:" + long))

    def test_none_to_send(self):
        self.assertTrue(self.tokens_taken(b"", RIGHT))


class BindingOfNtlm(Binding, SchemeTest):
    auth = "ntlm"
    password = "Password"

    def setUp(self):
        super().setUp()
        authority = NtlmAuthority(("CORP", "alice", self.password))
        self.addCleanup(authority.destroy)

    def proxy(self, binding):
        return Acceptor("NTLM", NTLM, binding=binding)


class BindingOfNtlmInSpnego(BindingOfNtlm):
    auth = "negotiate ntlm"

    def proxy(self, binding):
        return Acceptor("Negotiate", SPNEGO, binding=binding)


class BindingOfKerberos(InRealm, Binding, SchemeTest):
    auth = "negotiate"
    user = "alice@CORP.EXAMPLE"
    password = "Password"
    kerberos = "acquire"

    def proxy(self, binding):
        return Acceptor("Negotiate", SPNEGO, self.realm.keytab, binding=binding)


del SchemeTest
