"""The conversation after a 407, scheme by scheme: right and wrong secrets, bodies, and what it costs in the steady state."""

import base64
import json

import ntlm
import wire
from agent import wait_until
from base import SITE, Scenario, corp, together
from behaviours import Canned
from gates import ORIGIN, Basic, Digest, Kerberos, Negotiate, Ntlm
from proxy import Asks, Open, content, sha
from realm import Realm
from wire import Wire, chunked, get

ALL = "negotiate ntlm digest basic"


def schemes():
    """name: (gate, auth line): each must do all of the Common tests."""
    return {
        "basic": (Basic(), "basic"),
        "digest": (Digest(), "digest"),
        "digest-md5-sess": (Digest(algorithms=("MD5-sess",)), "digest"),
        "digest-rfc2069": (Digest(algorithms=("",), qop="", charset=False), "digest"),
        "digest-nextnonce": (Digest(next_nonce=True, uses=1), "digest"),
        "ntlm": (Ntlm(), "ntlm"),
        "negotiate": (Negotiate(), "negotiate ntlm"),  # NTLM inside SPNEGO is NTLM, and has to be allowed
    }


def user_for(scheme):
    return "CORP\\alice" if scheme in ("ntlm", "negotiate") else "alice"


class Common(Scenario):
    def each(self, check, **options):
        for name, (gate, auth) in schemes().items():
            with self.subTest(name):
                behaviour = Asks(gate, **options)
                proxy, agent = self.both(behaviour, corp(auth, user_for(name)))
                check(proxy, agent, behaviour, gate)
                self.assertEqual(gate.faults, [])
                self.assertEqual(gate.failed, 0)

    def test_get(self):
        def check(proxy, agent, behaviour, gate):
            answer = self.ask(agent)
            self.assertEqual(answer.status, 200, answer.text)
            self.assertIsNone(answer.get("Proxy-Authenticate"))
            self.assertIsNone(answer.get("Proxy-Authentication-Info"))
        self.each(check)

    def test_connect(self):
        def check(proxy, agent, behaviour, gate):
            for _ in range(3):
                tunnel = self.tunnel(agent, early=b"early")
                self.assertEqual(tunnel.read(5), b"early")
                self.echoes(tunnel)
        self.each(check)

    def test_head_and_others(self):
        def check(proxy, agent, behaviour, gate):
            client = self.wire(agent)
            self.assertEqual(client.ask(get(SITE + "/bytes/99", method="HEAD")).get("Content-Length"), "99")
            self.assertEqual(client.ask(get(SITE + "/status/204", method="DELETE")).status, 204)
        self.each(check)

    def bodies(self, first, size, is_chunked):
        data = content(size)

        def check(proxy, agent, behaviour, gate):
            client = self.wire(agent)
            if not first:
                client.ask(get(SITE + "/echo"))
            for _ in range(2):
                if is_chunked:
                    body = chunked(*[data[at:at + 7001] for at in range(0, size, 7001)])
                    answer = client.ask(get(SITE + "/post", "Transfer-Encoding: chunked", method="POST", body=body))
                else:
                    answer = client.ask(get(SITE + "/post", method="POST", body=data))
                self.assertEqual(answer.status, 200, answer.text)
                echo = json.loads(answer.body)
                self.assertEqual((echo["method"], echo["length"], echo["sha256"]), ("POST", size, sha(data)))
            for request in proxy.requests:  # a POST is sent whole or not at all
                if request.method == "POST":
                    self.assertEqual(len(request.body), size)
        self.each(check)

    def test_small_post_first(self):
        self.bodies(True, 1000, False)

    def test_large_post_first(self):
        self.bodies(True, 1000000, False)

    def test_large_post_later(self):
        self.bodies(False, 1000000, False)

    def test_small_chunked_post_first(self):
        self.bodies(True, 1000, True)

    def test_large_chunked_post_first(self):
        self.bodies(True, 1000000, True)

    def test_steady_state(self):
        """No 407 reaches us any more once the first request has been let in: on that connection, and for the schemes whose header can
        be made unasked also on new ones."""
        def check(proxy, agent, behaviour, gate):
            client = self.wire(agent)
            client.ask(get(SITE + "/echo"))
            before = behaviour.asked
            for _ in range(20):
                self.assertEqual(client.ask(get(SITE + "/echo")).status, 200)
            self.assertEqual(behaviour.asked, before)
            if not gate.binds and not getattr(gate, "next_nonce", False):
                self.tunnel(agent)
                self.tunnel(agent)
                self.assertEqual(behaviour.asked, before)
        self.each(check)

    def test_many_at_once(self):
        def check(proxy, agent, behaviour, gate):
            self.ask(agent)
            statuses = together(20, lambda i: self.ask(agent, "/echo/%d" % i).status)
            self.assertEqual(statuses, [200] * 20)
        self.each(check)

    def test_many_at_once_from_cold(self):
        def check(proxy, agent, behaviour, gate):
            statuses = together(20, lambda i: self.ask(agent, "/echo/%d" % i).status)
            self.assertEqual(statuses, [200] * 20)
        self.each(check)

    def test_closes_after_each_407(self):
        def check(proxy, agent, behaviour, gate):
            if gate.scheme not in ("NTLM", "Negotiate"):
                self.assertEqual(self.ask(agent).status, 200)
                self.echoes(self.tunnel(agent))
        self.each(check, close_after={1, 2, 3})

    def test_closes_after_the_first_407(self):
        class FirstOnly(Asks):
            def refuse(self, conn, request, lines):
                self.close_after = {1} if request.get("Proxy-Authorization") is None else set()
                return super().refuse(conn, request, lines)
        for name, (gate, auth) in schemes().items():
            with self.subTest(name):
                _, agent = self.both(FirstOnly(gate), corp(auth, user_for(name)))
                for _ in range(2):
                    answer = self.ask(agent, method="POST", body=content(100))
                    self.assertEqual(answer.status, 200, answer.text)
                self.echoes(self.tunnel(agent))
                self.assertEqual(gate.failed, 0)

    def test_page_of_a_megabyte(self):
        for framing in ("length", "chunked", "close"):
            def check(proxy, agent, behaviour, gate):
                self.assertEqual(self.ask(agent, method="POST", body=b"x" * 100).status, 200)
                self.echoes(self.tunnel(agent))
            for name, (gate, auth) in schemes().items():
                if framing == "close" and gate.binds:
                    continue  # no handshake can be finished on such connections
                with self.subTest(framing=framing, scheme=name):
                    behaviour = Asks(gate, page=content(1000000), framing=framing)
                    proxy, agent = self.both(behaviour, corp(auth, user_for(name)))
                    check(proxy, agent, behaviour, gate)

    def test_interim_before_the_407(self):
        def check(proxy, agent, behaviour, gate):
            answer = self.ask(agent)
            self.assertEqual(answer.status, 200)
        self.each(check, before=b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n")

    def test_continue_before_the_407(self):
        def check(proxy, agent, behaviour, gate):
            answer = self.ask(agent, "/echo", "Expect: 100-continue", method="POST", body=b"hello")
            self.assertEqual(answer.status, 200)
            self.assertEqual(json.loads(answer.body)["sha256"], sha(b"hello"))
        self.each(check, before=b"HTTP/1.1 100 Continue\r\n\r\n")

    def test_http_1_0_proxy_that_keeps_alive(self):
        def check(proxy, agent, behaviour, gate):
            self.assertEqual(self.ask(agent).status, 200)
            self.echoes(self.tunnel(agent))
        self.each(check, version="HTTP/1.0", then=Open(version="HTTP/1.0", fields=("Proxy-Connection: keep-alive",)))

    def test_asks_per_request(self):
        """A proxy that lets in requests, not connections."""
        def check(proxy, agent, behaviour, gate):
            client = self.wire(agent)
            for i in range(3):
                self.assertEqual(client.ask(get(SITE + "/echo", method="POST", body=b"x" * i)).status, 200)
        self.each(check, per_request=True)

    def test_wrong_secret(self):
        for name, (gate, auth) in schemes().items():
            with self.subTest(name):
                _, agent = self.both(Asks(gate), corp(auth, user_for(name)), secret="wrong")
                self.own(self.ask(agent), 502, "http_request_denied", "alice", r"What to do: .*(exeat login|password)")
                self.own(self.tunnel(agent, expect=502), 502)
                self.own(self.ask(agent, method="POST", body=content(300000)), 502)
                self.assertEqual((gate.attempts, gate.failed), (1, 1))

    def test_secret_in_utf_8(self):
        for name, (gate, auth) in schemes().items():
            if name == "digest-rfc2069":
                continue  # no charset there
            with self.subTest(name):
                gate.user, gate.password = "jörg", "pä$$ wörd € \"q\" \\ ☃"
                _, agent = self.both(Asks(gate), corp(auth, user_for(name).replace("alice", gate.user)), secret=gate.password)
                answer = self.ask(agent)
                self.assertEqual(answer.status, 200, answer.text)
                self.assertEqual(gate.faults, [])


class ThousandRequests(Scenario):
    """407s per 1,000 plain requests over 8 client connections, once the first request has been let in, as the proxy counts them: a
    handshake of NTLM costs one for each connection that is new, what can speak first costs none."""

    def count(self, gate, lines, most, **options):
        behaviour = Asks(gate)
        proxy, agent = self.both(behaviour, lines, **options)
        self.assertEqual(self.ask(agent).status, 200)
        before = behaviour.asked

        def client(_):
            with Wire.connect(agent.port) as connection:
                return {connection.ask(get(SITE + "/bytes/9")).status for _ in range(125)}
        self.assertEqual(together(8, client), [{200}] * 8)
        self.assertLessEqual(behaviour.asked - before, most)
        self.assertGreater(gate.attempts, 0)
        self.assertEqual((gate.failed, gate.faults), (0, []))

    def test_basic(self):
        self.count(Basic(), corp("basic", "alice"), 0)

    def test_digest(self):
        self.count(Digest(), corp("digest", "alice"), 0)

    def test_digest_with_nonces_that_wear_out(self):
        """Their successors are named ahead of time (RFC 7616 section 3.5)."""
        self.count(Digest(next_nonce=True, uses=1), corp("digest", "alice", more="connections = 1"), 0)

    def test_negotiate(self):
        with Realm() as realm:
            self.count(Kerberos(keytab=realm.keytab), corp("negotiate", None, "none", "spn = " + Kerberos.service), 0, env=realm.ticket())

    def test_ntlm(self):
        self.count(Ntlm(), corp("ntlm"), 8)

    def test_ntlm_inside_negotiate(self):
        self.count(Negotiate(), corp("negotiate ntlm"), 8)


class Choice(Scenario):
    def test_best_of_what_both_know(self):
        for offered, allowed, taken in (((Basic(), Ntlm(), Digest()), "ntlm digest basic", 1), ((Basic(), Ntlm(), Digest()), "digest ntlm", 2),
                                        ((Basic(), Digest()), "negotiate ntlm digest", 1), ((Digest(), Negotiate(), Basic()), "negotiate ntlm digest", 1)):
            for one_field in (False, True):
                with self.subTest(offered=[g.scheme for g in offered], allowed=allowed, one_field=one_field):
                    for gate in offered:
                        gate.attempts = 0
                    behaviour = Asks(*offered, one_field=one_field)
                    _, agent = self.both(behaviour, corp(allowed, "CORP\\alice" if "n" in allowed[:4] and offered[taken].binds else "alice"))
                    self.assertEqual(self.ask(agent).status, 200)
                    self.assertEqual([gate.attempts for gate in offered], [int(i == taken) for i in range(len(offered))])

    def test_log_names_what_was_offered(self):
        _, agent = self.both(Asks(Basic(), Ntlm()), corp("ntlm") + "[log]\nlevel = debug\n")
        self.assertEqual(self.ask(agent).status, 200)
        self.assertRegex(agent.log(), r"which offers: Basic NTLM\n")

    def test_basic_only_where_named(self):
        gate = Basic()
        proxy, agent = self.both(Asks(gate), "user = alice\nsecret = file:@DIR@/secret\n")
        self.own(self.ask(agent), 502, None, "(?i)basic")
        self.assertEqual([r.get("Proxy-Authorization") for r in proxy.requests], [None] * len(proxy.requests))

    def test_nothing_in_common(self):
        proxy, agent = self.both(Asks(Basic(), Digest()), corp("ntlm"))
        self.own(self.ask(agent), 502, None)
        self.assertEqual(sum(1 for r in proxy.requests if r.get("Proxy-Authorization")), 0)

    def test_no_ticket_falls_back_in_the_same_request(self):
        """Negotiate cannot be started without a ticket and a password for it; Digest can."""
        negotiate, digest = Negotiate(), Digest(user="alice@NOWHERE.EXAMPLE")
        _, agent = self.both(Asks(negotiate, digest), corp("negotiate digest", "alice@NOWHERE.EXAMPLE"))
        self.assertEqual(self.ask(agent).status, 200)

    def test_no_ticket_and_no_secret(self):
        _, agent = self.both(Asks(Negotiate()), "auth = negotiate\nsecret = none\n")
        self.own(self.ask(agent), 502, "proxy_configuration_error", "(?i)ticket|kinit")

    def test_no_fall_back_after_a_refusal(self):
        ntlm_gate, digest, basic = Ntlm(password="right"), Digest(password="right"), Basic(password="right")
        _, agent = self.both(Asks(ntlm_gate, digest, basic), corp("ntlm digest basic"), secret="wrong")
        for _ in range(3):
            self.own(self.ask(agent), 502)
        self.assertEqual((ntlm_gate.attempts, digest.attempts, basic.attempts), (1, 0, 0))

    def test_remembered_and_spoken_first(self):
        gate = Ntlm()
        behaviour = Asks(gate, Basic())
        proxy, agent = self.both(behaviour, corp("ntlm", more="spares = 0"))
        self.tunnel(agent)
        asked = behaviour.asked
        self.tunnel(agent)  # a new connection: Type 1 at once, one 407 with Type 2
        self.assertEqual(behaviour.asked, asked + 1)
        self.assertEqual(len(proxy.connections), 2)
        self.assertEqual([r.get("Proxy-Authorization")[:5] for r in proxy.requests if r.connection == 2], ["NTLM ", "NTLM "])

    def test_odd_but_legal_challenges(self):
        odd = [
            "Proxy-Authenticate: Basic realm=\"practice\"", "proxy-authenticate: BASIC REALM=practice", "PROXY-AUTHENTICATE: , ,basic  realm = \"practice\" , ,",
            "Proxy-Authenticate: NTLM, Negotiate, Basic realm=\"a, Digest realm=\\\"b\\\"\"", "Proxy-Authenticate: Unknown dGVzdA==, Basic realm=\"x\"",
            "Proxy-Authenticate: Newscheme a=b, c=\"d, e\", Basic realm=x, charset=\"UTF-8\"", "Proxy-Authenticate: Unknown\r\nProxy-Authenticate: Basic realm=\"x\"",
            "Proxy-Authenticate: Basic", "Proxy-Authenticate:Basic\trealm=\"x\"",
        ]
        for line in odd:
            with self.subTest(line):
                proxy, agent = self.both(Canned(b"HTTP/1.1 407 Ask\r\n" + line.encode() + b"\r\nContent-Length: 0\r\n\r\n",
                                                b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"), corp("basic", "alice"))
                self.assertEqual(self.ask(agent).status, 200)
                self.assertEqual(proxy.requests[1].get("Proxy-Authorization"), "Basic " + base64.b64encode(b"alice:secret").decode())


class DigestMore(Scenario):
    def digest(self, gate, **options):
        behaviour = Asks(gate)
        proxy, agent = self.both(behaviour, corp("digest", gate.user, **options), secret=gate.password)
        return behaviour, proxy, agent

    def test_algorithms(self):
        for algorithm in ("", "MD5", "MD5-sess", "SHA-256", "sha-256-SESS", "SHA-512-256", "SHA-512-256-sess"):
            for userhash in (False, True):
                with self.subTest(algorithm=algorithm, userhash=userhash):
                    gate = Digest(algorithms=(algorithm,), userhash=userhash)
                    _, _, agent = self.digest(gate)
                    client = self.wire(agent)
                    for _ in range(3):
                        self.assertEqual(client.ask(get(SITE + "/echo")).status, 200)
                    self.assertEqual((gate.faults, gate.failed), ([], 0))

    def test_first_of_several_algorithms(self):
        gate = Digest(algorithms=("SHA-777", "SHA-256", "MD5"))
        _, proxy, agent = self.digest(gate)
        self.assertEqual(self.ask(agent).status, 200)
        self.assertIn("SHA-256", proxy.requests[-1].get("Proxy-Authorization"))

    def test_stale_is_no_refusal(self):
        gate = Digest(uses=2)
        behaviour, _, agent = self.digest(gate)
        client = self.wire(agent)
        for i in range(10):
            answer = client.ask(get(SITE + "/post", method="POST", body=content(i * 100)))
            self.assertEqual(answer.status, 200, answer.text)
        self.assertGreater(gate.stales, 2)
        self.assertEqual(gate.failed, 0)

    def test_nextnonce_saves_the_round_trip(self):
        gate = Digest(uses=1, next_nonce=True)
        behaviour, _, agent = self.digest(gate)
        client = self.wire(agent)
        for _ in range(10):
            self.assertEqual(client.ask(get(SITE + "/echo")).status, 200)
        self.assertEqual((behaviour.asked, gate.stales), (1, 0))

    def test_counts_rise_over_connections(self):
        gate = Digest()
        behaviour, proxy, agent = self.digest(gate)
        for _ in range(4):
            self.ask(agent)
            self.tunnel(agent)
        self.assertEqual((behaviour.asked, gate.stales, len(gate.nonces)), (1, 0, 1))

    def test_auth_int(self):
        gate = Digest(qop="auth-int")
        _, proxy, agent = self.digest(gate)
        self.assertEqual(self.ask(agent).status, 200)
        for size in (0, 5, 60000):
            answer = self.ask(agent, "/post", method="POST", body=content(size))
            self.assertEqual(answer.status, 200, answer.text)
            self.assertEqual(json.loads(answer.body)["sha256"], sha(content(size)))
        self.assertEqual((gate.faults, gate.failed), ([], 0))
        large = self.ask(agent, "/post", method="POST", body=content(1000000))
        self.assertGreaterEqual(large.status, 400)
        self.assertEqual([len(r.body) for r in proxy.requests if r.method == "POST" and r.get("Proxy-Authorization")], [0, 5, 60000])

    def test_auth_before_auth_int(self):
        gate = Digest(qop="auth-int,auth")
        _, proxy, agent = self.digest(gate)
        self.assertEqual(self.ask(agent, "/post", method="POST", body=content(1000000)).status, 200)
        self.assertIn("qop=auth,", proxy.requests[-1].get("Proxy-Authorization") + ",")

    def test_user_outside_ascii(self):
        for userhash in (False, True):
            with self.subTest(userhash=userhash):
                gate = Digest(user="Jäsøn Doe", password="Secret, or not?", userhash=userhash)
                _, _, agent = self.digest(gate)
                self.assertEqual(self.ask(agent).status, 200)
                self.assertEqual(gate.faults, [])

    def test_user_and_realm_with_quotes(self):
        gate = Digest(user='al"i\\ce', realm='pra"ct\\ice')
        _, agent = self.both(Asks(gate), corp("digest", '"al\\"i\\\\ce"'))
        self.assertEqual(self.ask(agent).status, 200)
        self.assertEqual(gate.faults, [])

    def test_wrong_rspauth_does_not_spoil_the_answer(self):
        gate = Digest(wrong_rspauth=True)
        _, _, agent = self.digest(gate)
        for _ in range(2):
            self.assertEqual(self.ask(agent).status, 200)
        self.assertEqual(gate.failed, 0)


class NtlmMore(Scenario):
    def ntlm(self, gate, user="CORP\\alice", **options):
        behaviour = Asks(gate, **options)
        proxy, agent = self.both(behaviour, corp("ntlm", user), secret=gate.password)
        return behaviour, proxy, agent

    def test_names(self):
        for user, domain in (("CORP\\alice", "CORP"), ("alice@CORP.EXAMPLE", "CORP.EXAMPLE"), ("alice", "")):
            with self.subTest(user):
                gate = Ntlm()
                _, _, agent = self.ntlm(gate, user)
                self.assertEqual(self.ask(agent).status, 200)
                self.assertEqual((gate.messages[0].user.lower(), gate.messages[0].domain), ("alice", domain))

    def test_handshake_stays_on_one_connection(self):
        gate = Ntlm()
        behaviour, proxy, agent = self.ntlm(gate)
        together(10, lambda i: self.ask(agent, "/echo/%d" % i))
        self.assertEqual(gate.faults, [])

    def test_only_the_last_leg_has_the_body(self):
        gate = Ntlm()
        behaviour, proxy, agent = self.ntlm(gate)
        self.ask(agent)
        proxy.drop_all()
        self.ask(agent, "/post", method="POST", body=content(500000))
        for request in proxy.requests:
            message = base64.b64decode((request.get("Proxy-Authorization") or "NTLM ").split(" ")[1])
            if ntlm.kind(message) == 1:
                self.assertEqual((request.method, len(request.body)), ("GET", 0))

    def test_no_header_after_success(self):
        gate = Ntlm()
        _, proxy, agent = self.ntlm(gate)
        client = self.wire(agent)
        for _ in range(5):
            client.ask(get(SITE + "/echo"))
        self.assertEqual([r.get("Proxy-Authorization") for r in proxy.requests[-4:]], [None] * 4)
        self.assertEqual(gate.attempts, 1)

    def test_large_type_2(self):
        """A challenge of 48 KiB comes back inside of Type 3."""
        pairs = [(ntlm.AV_DOMAIN, "CORP"), (ntlm.AV_COMPUTER, "PROXY"), (ntlm.AV_DNS_DOMAIN, "d" * 18000), (ntlm.AV_TIME, ntlm.filetime())]

        class Large(Ntlm):
            def check(self, conn, request, value, names):
                verdict, lines = super().check(conn, request, value, names)
                if lines:
                    first, challenge, _ = conn.ntlm
                    second = ntlm.type2(challenge, flags=ntlm.type2_flags(first), pairs=pairs)
                    conn.ntlm = (first, challenge, second)
                    lines = ["%s: NTLM %s" % (names.challenge, base64.b64encode(second).decode())]
                return verdict, lines
        gate = Large()
        _, _, agent = self.ntlm(gate)
        answer = self.ask(agent)
        self.assertEqual(answer.status, 200, answer.text)
        self.assertGreater(len(gate.messages[0].nt), 36000)

    def test_closes_after_type_2(self):
        gate = Ntlm(close_after_type2=True)
        behaviour, proxy, agent = self.ntlm(gate)
        self.own(self.ask(agent), 502)
        self.assertLess(len(proxy.requests), 10)
        self.assertEqual(gate.attempts, 0)

    def test_raw_ntlm_under_the_name_of_negotiate(self):
        """Some proxies answer a SPNEGO token with a raw Type 2: malformed for SPNEGO, and no reason to burn the password."""
        class Raw(Ntlm):
            scheme = "Negotiate"

            def check(self, conn, request, value, names):
                inner = ntlm.find(base64.b64decode(value))
                return super().check(conn, request, base64.b64encode(inner).decode() if inner else "AAAA", names)
        gate = Raw()
        _, agent = self.both(Asks(gate), corp("negotiate ntlm"))
        answer = self.ask(agent)
        self.assertIn(answer.status, (200, 502), answer.text)
        self.assertLessEqual(gate.attempts, 1)

    def test_type_2_in_a_spnego_wrapper(self):
        """Asked for NTLM, answers in SPNEGO: taken out of its wrapper or refused, never a crash, never a burned password."""
        gate = Ntlm(type2=base64.b64encode(ntlm.spnego_response(ntlm.type2(b"12345678"))).decode())
        _, proxy, agent = self.ntlm(gate)
        keys = wait_until(agent.keys_pid, "the keyholder")
        self.own(self.ask(agent), 502)
        self.assertEqual(agent.keys_pid(), keys)
        self.assertLess(len(proxy.requests), 10)


class NegotiateMore(Scenario):
    def test_final_token_is_not_passed_on(self):
        for final in (True, False):
            with self.subTest(final=final):
                gate = Negotiate(final_token=final)
                _, agent = self.both(Asks(gate), corp("negotiate ntlm"))
                client = self.wire(agent)
                for _ in range(3):
                    answer = client.ask(get(SITE + "/echo"))
                    self.assertEqual(answer.status, 200, answer.text)
                    self.assertIsNone(answer.get("Proxy-Authenticate"))
                tunnel = self.tunnel(agent)
                self.echoes(tunnel)

    def test_one_handshake_per_connection(self):
        gate = Negotiate()
        proxy, agent = self.both(Asks(gate), corp("negotiate ntlm"))
        client = self.wire(agent)
        for _ in range(5):
            client.ask(get(SITE + "/echo"))
        self.assertEqual((gate.attempts, len(proxy.connections)), (1, 1))


class OriginLogin(Scenario):
    """A client's own NTLM towards an origin, over plain http through us: one connection each way, all the way."""

    ORIGIN = "http://intranet.example/echo"

    def login(self, client, password="secret"):
        first = client.ask(get(self.ORIGIN))
        self.assertEqual((first.status, first.get("WWW-Authenticate")), (401, "NTLM"))
        self.assertEqual(first.get("Proxy-Support"), "Session-Based-Authentication")
        second = client.ask(get(self.ORIGIN, "Authorization: NTLM " + base64.b64encode(ntlm.type1()).decode()))
        self.assertEqual(second.status, 401)
        message = base64.b64decode(second.get("WWW-Authenticate").split(" ")[1])
        third = ntlm.type3(message, "bob", password)
        return client.ask(get(self.ORIGIN, "Authorization: NTLM " + base64.b64encode(third).decode()))

    def origin(self, gate):
        return Asks(gate, names=ORIGIN, fields=("Proxy-Support: Session-Based-Authentication",))

    def test_pinned(self):
        gate = Ntlm(user="bob")
        proxy, agent = self.both(self.origin(gate))
        clients = [self.wire(agent) for _ in range(3)]
        places = []
        for client in clients:
            answer = self.login(client)
            self.assertEqual(answer.status, 200, answer.text)
            places.append(json.loads(answer.body)["connection"])
        self.assertEqual(len(set(places)), 3)  # nobody shares
        for client, place in zip(clients, places):
            for _ in range(2):
                self.assertEqual(json.loads(client.ask(get(self.ORIGIN)).body)["connection"], place)
        for client in clients:
            client.close()
        for place in places:  # never back into the pool: closed with its client
            self.assertTrue(proxy.connections[place - 1].ended_by_peer.wait(wire.PATIENCE))
        stranger = self.wire(agent)
        self.assertEqual(stranger.ask(get(self.ORIGIN)).status, 401)

    def test_pinned_behind_an_authenticating_proxy(self):
        outer, inner = Ntlm(), Ntlm(user="bob")
        behaviour = Asks(outer, then=self.origin(inner))
        proxy, agent = self.both(behaviour, corp("ntlm"))
        client = self.wire(agent)
        answer = self.login(client)
        self.assertEqual(answer.status, 200, answer.text)
        client.close()
        stranger = self.wire(agent)
        self.assertEqual(stranger.ask(get(self.ORIGIN)).status, 401)
        self.assertEqual((outer.failed, inner.failed), (0, 0))

    def test_authorization_passes_untouched(self):
        proxy, agent = self.both(Open())
        self.ask(agent, "/echo", "Authorization: Basic Ym9iOnB3")
        self.assertEqual(proxy.requests[0].get("Authorization"), "Basic Ym9iOnB3")
