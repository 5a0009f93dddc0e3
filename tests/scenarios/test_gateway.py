"""Clients that have to authenticate: what a gateway answers before it lets anybody in, by a scripted keyholder that says what the real one rarely does."""

import base64
import os
import re
import socket
import threading
import time
import unittest

import network
from agent import wait_until
from base import SITE, Later, Scenario
from judge import FRESH, Judge, allowed, bound
from proxy import Open
from wire import PATIENCE, Wire, get

GATE = "[gateway]\nlisten = 127.0.0.1:0\nauth = negotiate basic\nusers = @DIR@/users\n"
CHALLENGES = FRESH.split("\n")[:-1]


def basic(user="alice", password="secret"):
    return "Proxy-Authorization: Basic " + base64.b64encode(("%s:%s" % (user, password)).encode()).decode()


class OneUser(Judge):
    """Basic alice:secret; Negotiate in two legs, AAAA then BBBB, which bind."""

    until = 0

    def __init__(self):
        super().__init__()
        self.legs = set()

    def step(self, context, message):
        header = message.header
        if header == basic().split(": ")[1]:
            return allowed("alice", info="rspauth=\"0123\"\n")
        if header == "Negotiate AAAA":
            self.legs.add(context)
            return {"verdict": "SEND", "lines": "Negotiate CCCC\n"}
        if header == "Negotiate BBBB" and context in self.legs:
            return bound("alice@CORP.EXAMPLE", lines="Negotiate DDDD\n", until=self.until)
        if header.startswith("Negotiate"):
            return {"verdict": "BROKEN", "why": "the token is none"}
        if header == "Bearer unavailable":
            return {"verdict": "UNAVAILABLE", "why": "there is no keytab", "remedy": "write keytab = FILE"}
        if header == "Bearer late":
            return {"verdict": "TIMEOUT", "why": "the domain did not answer in time"}
        if header:
            return {"verdict": "REFUSED", "lines": FRESH, "why": "the password is wrong", "identity": "mallory\x1b", "delay": 10}
        return {"verdict": "REFUSED", "lines": FRESH, "why": "nothing came"} if context in self.legs else {"verdict": "SEND", "lines": FRESH}


class Gateway(Scenario):
    def house(self, more="", gate=GATE, judge=None, behaviour=None, lines="auth = none", **options):
        self.judge = self.stack.enter_context(judge or OneUser())
        self.onward = self.proxy(behaviour or Open())
        options.setdefault("files", {})["users"] = ""
        agent = self.agent(self.onward.upstream(lines) + gate + more, build=self.judge.folder, **options)
        self.gate = self.door(agent)
        return agent

    def door(self, agent, name="gateway"):
        found = agent.wait_log(r"ready: gateway %s on 127\.0\.0\.1:(\d+)" % name)
        return int(re.search(r"ready: gateway %s on 127\.0\.0\.1:(\d+)" % name, agent.log()).group(1))

    def comes(self, port=None):
        return self.stack.enter_context(Wire.connect(port or self.gate))

    def must_show(self, answer, challenges=CHALLENGES, status=407):
        self.assertEqual(answer.status, status, answer.text)
        self.assertEqual(answer.all("Proxy-Authenticate"), challenges)
        self.assertIsNone(answer.get("Proxy-Authentication-Info"))
        self.assertIsNotNone(answer.get("Proxy-Status"))
        return answer

    def lets_in(self, client, path="/echo", user=None, **options):
        answer = client.ask(get(SITE + path, user or basic(), **options), options.get("method", "GET"))
        self.assertEqual(answer.status, 200, answer.text)
        return answer

    def negotiates(self, client, path="/echo"):
        self.must_show(client.ask(get(SITE + path, "Proxy-Authorization: Negotiate AAAA")), ["Negotiate CCCC"])
        answer = client.ask(get(SITE + path, "Proxy-Authorization: Negotiate BBBB"))
        self.assertEqual(answer.status, 200, answer.text)
        return answer


class Challenges(Gateway):
    def test_nothing_shown(self):
        """Each kind of request is asked who it is, and nothing of it goes further."""
        self.house()
        for method, target in (("GET", SITE + "/echo"), ("CONNECT", "site.example:443"), ("HEAD", SITE + "/echo"), ("OPTIONS", "*")):
            with self.subTest(method):
                client = self.comes()
                client.send(get(target, "Host: site.example" if target == "*" else "X: y", method=method) if target != "*" else
                            b"OPTIONS * HTTP/1.1\r\nHost: a\r\nMax-Forwards: 0\r\n\r\n")
                answer = self.must_show(client.read_response(method))
                self.assertIn("error=http_request_denied", answer.get("Proxy-Status"))
                self.assertFalse(answer.has_token("Connection", "close"))
        self.must_show(self.comes().ask(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"))
        self.assertEqual(self.onward.requests, [])

    def test_basic(self):
        """Each request is judged by itself, and the field goes no further."""
        agent = self.house()
        client = self.comes()
        self.must_show(client.ask(get(SITE + "/echo")))
        for _ in range(2):
            answer = self.lets_in(client)
            self.assertEqual(answer.all("Proxy-Authentication-Info"), ['rspauth="0123"'])
            self.assertEqual(answer.all("Proxy-Authenticate"), [])
        self.must_show(client.ask(get(SITE + "/echo")))
        for request in self.onward.requests:
            self.assertEqual(request.all("Proxy-Authorization"), [])
        self.assertEqual([(m.method, m.target) for m in self.judge.steps()], [("GET", SITE + "/echo")] * 3)
        self.assertNotIn(basic().split()[-1], agent.log())
        agent.wait_log(r"\[c\d+\.r2\] alice: GET %s/echo: 200" % SITE)
        self.assertNotRegex(agent.log(), r"r4\] alice")

    def test_did_not_wait(self):
        """What came behind a CONNECT was meant for the tunnel, and is not taken for a request."""
        self.house()
        client = self.comes()
        client.send(get("site.example:443", method="CONNECT") + get(SITE + "/echo", basic()))
        self.assertTrue(self.must_show(client.read_response("CONNECT")).has_token("Connection", "close"))
        self.assertEqual(client.read_to_end(), b"")
        self.assertEqual(self.onward.requests, [])

    def test_old_clients(self):
        """HTTP/1.0 is told whether its connection stays: a handshake needs it."""
        self.house()
        client = self.comes()
        for leg, status in (("AAAA", 407), ("BBBB", 200)):
            answer = client.ask(get(SITE + "/echo", "Proxy-Connection: Keep-Alive", "Proxy-Authorization: Negotiate " + leg, version="1.0"))
            self.assertEqual((answer.status, answer.all("Connection")), (status, ["keep-alive"]))
        answer = client.ask(get(SITE + "/echo", "Proxy-Authorization: Negotiate AAAA", version="1.0"))
        self.assertEqual((answer.status, answer.all("Connection")), (407, ["close"]))
        self.assertEqual(client.read_to_end(), b"")

    def test_unasked(self):
        """Credentials that come before any challenge are taken."""
        self.house()
        self.lets_in(self.comes())
        self.assertEqual(self.judge.contexts, 1)

    def test_handshake_binds(self):
        self.house()
        client = self.comes()
        answer = self.negotiates(client)
        self.assertEqual(answer.all("Proxy-Authenticate"), ["Negotiate DDDD"])
        answer = client.ask(get(SITE + "/echo"))
        self.assertEqual((answer.status, answer.all("Proxy-Authenticate")), (200, []))
        self.assertEqual(len(self.judge.steps()), 2)
        self.must_show(self.comes().ask(get(SITE + "/echo")))  # another connection is another matter

    def test_binds_a_tunnel(self):
        self.house()
        client = self.comes()
        self.must_show(client.ask(get("site.example:443", "Proxy-Authorization: Negotiate AAAA", method="CONNECT"), "CONNECT"), ["Negotiate CCCC"])
        answer = client.ask(get("site.example:443", "Proxy-Authorization: Negotiate BBBB", method="CONNECT"), "CONNECT")
        self.assertEqual((answer.status, answer.all("Proxy-Authenticate")), (200, ["Negotiate DDDD"]))
        self.echoes(client)

    def test_authenticates_anew(self):
        """A field on a connection that is let in begins a new handshake; in its middle nobody is let in."""
        self.house()
        client = self.comes()
        self.negotiates(client)
        self.must_show(client.ask(get(SITE + "/echo", "Proxy-Authorization: Negotiate AAAA")), ["Negotiate CCCC"])
        self.must_show(client.ask(get(SITE + "/echo")))
        self.assertEqual(len(self.onward.requests), 1)

    def test_until(self):
        judge = OneUser()
        judge.until = 1
        self.house(judge=judge)
        client = self.comes()
        self.negotiates(client)
        self.must_show(client.ask(get(SITE + "/echo")))

    def test_mutual_off(self):
        self.house(gate=GATE + "mutual = no\n")
        client = self.comes()
        self.assertEqual(self.negotiates(client).all("Proxy-Authenticate"), [])
        self.assertEqual(self.lets_in(client).all("Proxy-Authentication-Info"), [])

    def test_mutual_passed(self):
        """The next proxy's proof in place of ours, where it got the client's credentials: on an answer, a tunnel's, another protocol's and one of ours."""
        class Proves(Open):
            def handle(self, conn, request):
                proof = ["Proxy-Authenticate: Negotiate EEEE", "Proxy-Authentication-Info: rspauth=\"far\""]
                if "upgrade" in request.target:
                    conn.send(("HTTP/1.1 101 Switching Protocols\r\nUpgrade: other\r\nConnection: Upgrade\r\n%s\r\n\r\n" % "\r\n".join(proof)).encode())
                elif request.method == "CONNECT" and request.target.startswith("no."):
                    conn.answer(403, b"", proof)
                elif request.method == "CONNECT":
                    conn.send(("HTTP/1.1 200 Fine\r\n%s\r\n\r\n" % "\r\n".join(proof)).encode())
                else:
                    conn.answer(200, b"there", proof)

        passing = "auth = none\npass-authorization = yes"
        both = "pass-authorization = yes\nmutual = %s\n"
        far = (["Negotiate EEEE"], ['rspauth="far"'])
        for mutual, lines, wanted in (("pass", passing, far), ("yes", passing, ([], ['rspauth="0123"'])), ("no", passing, ([], [])),
                                      ("pass", "auth = none", ([], []))):
            self.house(gate=GATE + both % mutual, behaviour=Proves(), lines=lines)
            for request, method in ((get(SITE + "/echo", basic()), "GET"), (get("yes.example:443", basic(), method="CONNECT"), "CONNECT"),
                                    (get("no.example:443", basic(), method="CONNECT"), "CONNECT"),
                                    (get(SITE + "/upgrade", basic(), "Upgrade: other", "Connection: Upgrade"), "GET")):
                with self.subTest(mutual=mutual, lines=lines, request=request[:20]):
                    answer = self.comes().ask(request, method)
                    self.assertIn(answer.status, (200, 101, 403), answer.text)
                    self.assertEqual((answer.all("Proxy-Authenticate"), answer.all("Proxy-Authentication-Info")), wanted)


    def test_own_pages_carry_it(self):
        """So does an error page that we write ourselves."""
        self.house("[route]\nrule = blocked.example block\n")
        answer = self.comes().ask(get("http://blocked.example/", basic()))
        self.assertEqual((answer.status, answer.all("Proxy-Authentication-Info")), (403, ['rspauth="0123"']))

    def test_no_challenge_is_no_407(self):
        class Mute(OneUser):
            def open(self, message):
                return dict(super().open(message), lines="")

        self.house(judge=Mute())
        self.own(self.comes().ask(get(SITE + "/echo")), 503, "proxy_configuration_error")

    def test_pass_authorization(self):
        self.house(gate=GATE + "pass-authorization = yes\n", lines="auth = none\npass-authorization = yes")
        self.lets_in(self.comes())
        self.assertEqual(["Proxy-Authorization: " + v for v in self.onward.requests[0].all("Proxy-Authorization")], [basic()])

    def test_upstream_passes_but_the_gateway_does_not(self):
        self.house(lines="auth = none\npass-authorization = yes")
        self.lets_in(self.comes())
        self.assertEqual(self.onward.requests[0].all("Proxy-Authorization"), [])

    def test_upstreams_challenge_is_not_ours(self):
        class Always(Open):
            def handle(self, conn, request):
                conn.answer(407, b"", ["Proxy-Authenticate: Basic realm=\"far\""])

        for lines in ("auth = none", "auth = none\npass-authorization = yes", "client-credentials = pass"):
            with self.subTest(lines):
                self.house(behaviour=Always(), lines=lines)
                self.own(self.comes().ask(get(SITE + "/echo", basic())), 502, "proxy_configuration_error")
        self.house(lines="client-credentials = use")
        self.assertEqual(self.comes().ask(get(SITE + "/echo", basic())).status, 403)


class Refusals(Gateway):
    def test_wrong(self):
        agent = self.house()
        self.must_show(self.comes().ask(get(SITE + "/echo", basic(password="x"))))
        agent.wait_log(r"the password is wrong \(it says it is mallory\?\)")
        self.assertEqual(self.onward.requests, [])
        self.lets_in(self.comes())  # a right one does not wait

    def test_malformed(self):
        self.house()
        client = self.comes()
        for fields in (["Proxy-Authorization:"], [basic(), basic()], [basic(), "Proxy-Authorization: Negotiate AAAA"], ["Proxy-Authorization: Negotiate !!"]):
            with self.subTest(fields):
                self.own(client.ask(get(SITE + "/echo", *fields)), 400, "http_request_error")
        self.assertEqual(len(self.judge.steps()), 1)
        self.assertEqual(self.onward.requests, [])

    def test_whose_it_is_not(self):
        """A request that is turned away is nobody's, whoever was let in before on its connection."""
        agent = self.house()
        client = self.comes()
        self.lets_in(client)
        self.own(client.ask(get(SITE + "/other", basic(), basic())), 400)
        agent.wait_log(r"\[c\d+\.r1\] alice: GET ")
        agent.wait_log(r"r2\] \S*:? ?GET %s/other: 400" % SITE)
        self.assertNotRegex(agent.log(), r"r2\] alice")

    def test_nobody_can_tell(self):
        agent = self.house()
        client = self.comes()
        self.own(client.ask(get(SITE + "/echo", "Proxy-Authorization: Bearer unavailable")), 503, "proxy_configuration_error", "there is no keytab",
                 "tells its administrator more")
        self.own(client.ask(get(SITE + "/echo", "Proxy-Authorization: Bearer late")), 503, "proxy_configuration_error", "did not answer in time")
        agent.wait_log("gateway gateway: there is no keytab; write keytab = FILE")
        for _ in range(30):
            client.ask(get(SITE + "/echo", "Proxy-Authorization: Bearer unavailable"))
        self.assertLess(len(re.findall("gateway gateway: there is no keytab", agent.log())), 30)

    def test_many_refusals_wait_and_are_bounded(self):
        class Slow(OneUser):
            def step(self, context, message):
                return dict(super().step(context, message), delay=3600000) if message.header == "Bearer x" else super().step(context, message)

        agent = self.house(judge=Slow())
        waiting = [self.comes() for _ in range(40)]
        for client in waiting:
            client.send(get(SITE + "/echo", "Proxy-Authorization: Bearer x"))
        self.judge.wait_steps(40)
        wait_until(lambda: agent.status()["gateways"][0]["refused"] == 40, "forty refusals")
        wait_until(lambda: agent.status()["gateways"][0]["connected"] == 32, "an end of those that are too many")
        self.lets_in(self.comes())
        for client in waiting:  # those that give up make room
            try:
                client.shut()
                self.assertEqual(client.read_to_end(), b"")
            except OSError:
                pass
            client.close()
        wait_until(lambda: agent.status()["gateways"][0]["connected"] == 1, "an empty house")

    def test_allow(self):
        """What came to a loopback address is from this machine, whatever allow says of others."""
        self.house(gate=GATE + "allow = 192.0.2.0/24\n")
        self.lets_in(self.comes())


class Bodies(Gateway):
    def test_small_one_is_read(self):
        """The connection stays, and what follows is a request."""
        self.house()
        client = self.comes()
        client.send(get(SITE + "/echo", method="POST", body=b"x" * 5000) + get(SITE + "/echo", basic()))
        self.assertFalse(self.must_show(client.read_response("POST")).has_token("Connection", "close"))
        self.assertEqual(client.read_response().status, 200)

    def test_small_one_that_trickles(self):
        self.house()
        client = self.comes()
        request = get(SITE + "/echo", method="POST", body=b"x" * 5000)
        client.send(request[:-4000])
        self.judge_opened()
        client.send(request[-4000:])
        self.assertFalse(self.must_show(client.read_response("POST")).has_token("Connection", "close"))
        self.lets_in(client)

    def judge_opened(self):
        wait_until(lambda: self.judge.contexts == 1, "a context")

    def test_chunked(self):
        self.house()
        client = self.comes()
        head = b"POST %s/echo HTTP/1.1\r\nHost: site.example\r\nTransfer-Encoding: chunked\r\n\r\n" % SITE.encode()
        client.send(head + b"5\r\nhello\r\n0\r\n\r\n")
        self.assertFalse(self.must_show(client.read_response("POST")).has_token("Connection", "close"))
        client.send(head + b"5\r\nhello\r\nzz")
        self.assertTrue(self.must_show(client.read_response("POST")).has_token("Connection", "close"))

    def test_large_one_is_not(self):
        self.house()
        client = self.comes()
        client.send(b"POST %s/echo HTTP/1.1\r\nHost: site.example\r\nContent-Length: 100000\r\n\r\n" % SITE.encode())
        answer = self.must_show(client.read_response("POST"))
        self.assertTrue(answer.has_token("Connection", "close"))
        self.assertEqual(client.read_to_end(), b"")

    def test_chunks_without_end(self):
        self.house()
        client = self.comes()
        client.send(b"POST %s/echo HTTP/1.1\r\nHost: site.example\r\nTransfer-Encoding: chunked\r\n\r\n" % SITE.encode() +
                    b"1000\r\n" + b"x" * 4096 + b"\r\n")
        client.send((b"1000\r\n" + b"x" * 4096 + b"\r\n") * 20)
        self.assertTrue(self.must_show(client.read_response("POST")).has_token("Connection", "close"))

    def test_expect(self):
        """No 100 before anybody is let in, and what would follow is not read as a request."""
        self.house()
        client = self.comes()
        client.send(get(SITE + "/echo", "Expect: 100-continue", "Content-Length: 5", method="POST"))
        answer = self.must_show(client.read_response("POST"))
        self.assertEqual(answer.interim, [])
        self.assertTrue(answer.has_token("Connection", "close"))
        self.assertEqual(self.onward.requests, [])

    def test_large_one_with_a_leg(self):
        """In the middle of a handshake the connection is needed: what comes with its legs is read, if it takes long."""
        self.house()
        client = self.comes()
        body = b"y" * 300000
        client.send(get(SITE + "/echo", "Proxy-Authorization: Negotiate AAAA", method="POST", body=body))
        self.assertFalse(self.must_show(client.read_response("POST"), ["Negotiate CCCC"]).has_token("Connection", "close"))
        client.send(get(SITE + "/echo", "Proxy-Authorization: Negotiate BBBB", method="POST", body=body))
        self.assertEqual(client.read_response("POST").status, 200)
        self.assertEqual([request.body for request in self.onward.requests], [body])

    def test_too_large_one_with_a_leg(self):
        self.house()
        client = self.comes()
        client.send(get(SITE + "/echo", "Proxy-Authorization: Negotiate AAAA", "Content-Length: 16777217", method="POST"))
        self.assertTrue(self.must_show(client.read_response("POST"), ["Negotiate CCCC"]).has_token("Connection", "close"))

    def test_expect_with_a_leg(self):
        """It is asked for, so that what follows is surely the body."""
        self.house()
        client = self.comes()
        for leg, status, challenges in (("AAAA", 407, ["Negotiate CCCC"]), ("BBBB", 200, ["Negotiate DDDD"])):
            client.send(get(SITE + "/echo", "Proxy-Authorization: Negotiate " + leg, "Expect: 100-continue", "Content-Length: 5", method="POST"))
            if status == 407:
                self.assertEqual(client.read_head().status, 100)
            client.send(b"hello")
            answer = client.read_response("POST")
            self.assertEqual((answer.status, answer.all("Proxy-Authenticate")), (status, challenges))
        self.assertEqual([request.body for request in self.onward.requests], [b"hello"])

    def test_slow_one(self):
        """Of one that is challenged the rest is not waited for longer than for a head."""
        self.house(gate=GATE + "head-timeout = 1s\n")
        client = self.comes()
        client.send(get(SITE + "/echo", "Content-Length: 5000", method="POST") + b"x" * 100)
        self.assertTrue(self.must_show(client.read_response("POST")).has_token("Connection", "close"))
        self.assertEqual(client.read_to_end(), b"")

    def test_passes_when_let_in(self):
        self.house()
        client = self.comes()
        body = b"y" * 300000
        client.send(get(SITE + "/echo", basic(), method="POST", body=body))
        self.assertEqual(client.read_response("POST").status, 200)
        self.assertEqual(self.onward.requests[0].body, body)


class Keyholders(Gateway):
    def test_gone(self):
        agent = self.house()
        client, basics, shaking = self.comes(), self.comes(), self.comes()
        self.negotiates(client)
        self.lets_in(basics)
        self.must_show(shaking.ask(get(SITE + "/echo", "Proxy-Authorization: Negotiate AAAA")), ["Negotiate CCCC"])
        self.judge.die()
        agent.wait_log("the keyholder closed its connection")
        seen = len(self.judge.steps())
        self.must_show(client.ask(get(SITE + "/echo")))  # let in by the one that is gone
        self.must_show(shaking.ask(get(SITE + "/echo", "Proxy-Authorization: Negotiate BBBB")))  # the second leg to nobody
        self.assertEqual(len(self.judge.steps()), seen)
        self.lets_in(basics)
        self.negotiates(shaking)

    def test_dies_in_a_step(self):
        class Mortal(OneUser):
            def step(self, context, message):
                if message.header == "Bearer die":
                    self.die()
                    return None
                return super().step(context, message)

        self.house(judge=Mortal())
        client = self.comes()
        self.must_show(client.ask(get(SITE + "/echo", "Proxy-Authorization: Bearer die")))
        self.lets_in(client)

    def test_dies_always(self):
        class Dead(OneUser):
            def open(self, message):
                self.die()

        self.house(judge=Dead())
        self.own(self.comes().ask(get(SITE + "/echo", basic())), 503, "proxy_configuration_error")

    def test_client_does_not_wait(self):
        class Never(OneUser):
            def step(self, context, message):
                return None

        agent = self.house(judge=Never())
        client = self.comes()
        client.send(get(SITE + "/echo", basic()))
        self.judge.wait_steps(1)
        client.reset()
        self.judge.wait_closed(1)
        wait_until(lambda: agent.status()["gateways"][0]["connected"] == 0, "no connection")

    def test_client_leaves_while_its_context_is_opened(self):
        """The answer comes to nobody, and the context is closed all the same, as what it is."""
        class Late(OneUser):
            go_on = threading.Event()

            def open(self, message):
                self.go_on.wait(30)
                return super().open(message)

        agent = self.house(judge=Late())
        client = self.comes()
        client.send(get(SITE + "/echo", basic()))
        wait_until(lambda: any(m.type == "ACCEPT_OPEN" for m in self.judge.asked), "the question")
        client.reset()
        wait_until(lambda: agent.status()["gateways"][0]["connected"] == 0, "no connection")
        Late.go_on.set()
        self.judge.wait_closed(1)
        self.assertEqual([m for m in self.judge.asked if m.type == "CLOSE"], [])

    def test_is_told_whose_network_the_client_is_of(self):
        """By it the keyholder bounds guesses and takes turns."""
        self.house()
        self.lets_in(self.comes())
        self.assertEqual([m.host for m in self.judge.asked if m.type == "ACCEPT_OPEN"], ["0" * 20 + "ffff7f000001"])

    def test_context_ends_with_the_connection(self):
        self.house()
        client = self.comes()
        self.negotiates(client)
        client.close()
        self.judge.wait_closed(1)


class Reload(Gateway):
    def test_forgets(self):
        agent = self.house()
        client = self.comes()
        self.negotiates(client)
        agent.reload()
        self.must_show(client.ask(get(SITE + "/echo")))
        self.judge.wait_closed(1)
        self.negotiates(client)

    def test_doors(self):
        agent = self.house()
        client = self.comes()
        self.lets_in(client)
        text = self.onward.upstream("auth = none")
        agent.configure(text + GATE + "[gateway other]\nlisten = 127.0.0.1:0\nrealm = r\n")
        agent.reload()
        self.lets_in(client)
        other = self.comes(self.door(agent, "other"))
        self.lets_in(other)
        self.assertEqual([m.gateway for m in self.judge.asked if m.type == "ACCEPT_OPEN"], ["gateway", "gateway", "other"])
        agent.configure(text + GATE)
        agent.reload()
        self.assertEqual(other.read_to_end(), b"")
        self.lets_in(client)
        agent.configure(text)
        agent.reload()
        self.assertEqual(client.read_to_end(), b"")
        self.assertRaises(OSError, socket.create_connection, ("127.0.0.1", self.gate), 30)


class Limits(Gateway):
    def test_connections_of_an_address(self):
        agent = self.house(gate=GATE + "connections-per-address = 2\n")
        first, second = self.comes(), self.comes()
        self.lets_in(first)
        self.lets_in(second)
        answer = self.own(self.comes().read_response(), 429, "http_request_denied", "more connections")
        self.assertTrue(answer.has_token("Connection", "close"))
        first.close()
        wait_until(lambda: agent.status()["gateways"][0]["connected"] == 1, "one connection less")
        self.lets_in(self.comes())
        self.assertEqual(agent.status()["gateways"][0]["limited"], 1)

    def test_a_tunnel_counts(self):
        self.house(gate=GATE + "connections-per-address = 1\n")
        client = self.comes()
        self.assertEqual(client.ask(get("site.example:443", basic(), method="CONNECT"), "CONNECT").status, 200)
        self.own(self.comes().read_response(), 429)
        self.echoes(client)

    def test_a_tunnel_that_nobody_uses(self):
        """Has the gateway's own time, and then gives its place back."""
        agent = self.house(gate=GATE + "connections-per-address = 1\ntunnel-idle = 1s\n", more="[listen]\nhttp = 127.0.0.1:0\ntunnel-idle = 0\n")
        ours = self.tunnel(agent)
        client = self.comes()
        self.assertEqual(client.ask(get("site.example:443", basic(), method="CONNECT"), "CONNECT").status, 200)
        self.assertEqual(client.read_to_end(), b"")
        wait_until(lambda: agent.status()["gateways"][0]["connected"] == 0, "no connection")
        self.assertEqual(agent.status()["gateways"][0]["limited"], 1)
        self.lets_in(self.comes())
        self.echoes(ours)

    def test_connections(self):
        """Who has shown nothing makes room; who is let in does not."""
        self.house(gate=GATE + "connections = 2\n")
        known, stranger = self.comes(), self.comes()
        self.lets_in(known)
        self.must_show(stranger.ask(get(SITE + "/echo")))
        other = self.comes()
        self.lets_in(other)
        self.assertEqual(stranger.read_to_end(), b"")
        self.own(self.comes().read_response(), 503, "connection_limit_reached")
        self.lets_in(known)

    def test_requests_of_a_user(self):
        agent = self.house(gate=GATE + "requests-per-second = 1\n")
        client = self.comes()
        statuses = [client.ask(get(SITE + "/echo", basic())).status for _ in range(20)]
        self.assertEqual(set(statuses), {200, 429})
        self.assertEqual(agent.status()["gateways"][0]["limited"], statuses.count(429))

    def test_requests_of_nobody(self):
        self.house(gate=GATE + "requests-per-second = 1\n")
        statuses = [self.comes().ask(get(SITE + "/echo")).status for _ in range(20)]
        self.assertEqual(set(statuses), {407, 429})
        self.assertLess(self.judge.contexts, 20)

    def test_requests_at_two_gateways(self):
        """The same name, or address, has at each what it has there."""
        other = "[gateway other]\nlisten = 127.0.0.1:0\nauth = negotiate basic\nusers = @DIR@/users\n"
        for more, status in (([basic()], 200), ([], 407)):
            agent = self.house(gate=GATE + "requests-per-second = 1\n" + other + "requests-per-second = 1\n")
            first, second = self.comes(), self.comes(self.door(agent, "other"))
            self.assertEqual({client.ask(get(SITE + "/echo", *more)).status for client in (first, second)}, {status})
            self.assertIn(429, [first.ask(get(SITE + "/echo", *more)).status for _ in range(20)])
            self.assertEqual(second.ask(get(SITE + "/echo", *more)).status, status)

    def test_slow_head(self):
        agent = self.house(gate=GATE + "head-timeout = 1s\n")
        client = self.comes()
        client.send(b"GET http://a/ HTTP/1.1\r\nHost")
        self.own(client.read_response(), 408, "http_request_error", "did not come in time")
        self.assertEqual(client.read_to_end(), b"")
        silent = self.comes()
        self.assertEqual(silent.read_to_end(), b"")
        self.assertEqual(agent.status()["gateways"][0]["limited"], 1)

    def test_idle(self):
        self.house(gate=GATE + "idle-timeout = 1s\n")
        client = self.comes()
        self.lets_in(client)
        self.assertEqual(client.read_to_end(), b"")


    def test_slow_body(self):
        """Also those who are let in have to send what they begin."""
        agent = self.house(gate=GATE + "idle-timeout = 1s\n")
        for framing, begun in (("Content-Length: 5000", b"x" * 100), ("Content-Length: 500000", b"x" * 100), ("Transfer-Encoding: chunked", b"5\r\nhel")):
            client = self.comes()
            client.send(get(SITE + "/echo", basic(), framing, method="POST") + begun)
            answer = self.own(client.read_response("POST"), 408, "http_request_error", "body of the request did not come in time")
            self.assertTrue(answer.has_token("Connection", "close"))
            self.assertEqual(client.read_to_end(), b"")
        wait_until(lambda: agent.status()["gateways"][0]["connected"] == 0, "no connection")
        self.assertEqual(agent.status()["gateways"][0]["limited"], 3)
        self.onward.wait(lambda: self.onward.count_open() == 0)
        self.onward.errors.clear()  # it saw the cuts, as it should

    def test_slow_site(self):
        """Who waits for an answer owes nothing."""
        class Slow(Open):
            go_on = threading.Event()

            def handle(self, conn, request):
                self.go_on.wait(30)
                super().handle(conn, request)

        agent = self.house(gate=GATE + "idle-timeout = 1s\n", behaviour=Slow())
        client, silent = self.comes(), self.comes()
        self.must_show(silent.ask(get(SITE + "/echo")))
        client.send(get(SITE + "/echo", basic(), method="POST", body=b"x" * 70000))
        for _ in range(3):  # each is idle for as long as it may be
            self.assertEqual(silent.read_to_end(), b"")
            silent = self.comes()
            self.must_show(silent.ask(get(SITE + "/echo")))
        Slow.go_on.set()
        self.assertEqual(client.read_response("POST").status, 200)
        self.assertEqual(agent.status()["gateways"][0]["limited"], 0)

    def test_answer_that_nobody_takes(self):
        agent = self.house(gate=GATE + "idle-timeout = 1s\n")
        client = self.comes()
        client.send(get(SITE + "/bytes/50000000", basic()))
        wait_until(lambda: agent.status()["gateways"][0]["limited"] == 1, "an end")
        wait_until(lambda: agent.status()["gateways"][0]["connected"] == 0, "no connection")

    def test_answer_that_is_taken_slowly(self):
        """So slowly that for longer than may be nothing of it leaves us but what the kernel had."""
        agent = self.house(gate=GATE + "idle-timeout = 2s\n")
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
        sock.settimeout(PATIENCE)
        sock.connect(("127.0.0.1", self.gate))
        client = self.stack.enter_context(Wire(sock))
        client.send(get(SITE + "/bytes/30000000", basic(), "Connection: close"))
        for _ in range(3):
            silent = self.comes()
            self.must_show(silent.ask(get(SITE + "/echo")))
            ended = threading.Thread(target=silent.read_to_end)
            ended.start()
            while ended.is_alive():
                client.read(1000)
                time.sleep(0.02)
        self.assertEqual(agent.status()["gateways"][0]["limited"], 0)
        self.assertGreater(len(client.read_to_end()), 25000000)

    def test_last_answers_that_nobody_takes(self):
        """Some of them so large that nothing is under way any more but what the client has not taken."""
        agent = self.house(gate=GATE + "idle-timeout = 1s\n")
        for size in range(1500000, 5000000, 150000):
            sock = self.stack.enter_context(socket.socket())
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
            sock.settimeout(PATIENCE)
            sock.connect(("127.0.0.1", self.gate))
            sock.sendall(get(SITE + "/bytes/%d" % size, basic(), "Connection: close"))
        wait_until(lambda: agent.status()["gateways"][0]["accepted"] == 24, "all requests")
        wait_until(lambda: agent.status()["gateways"][0]["connected"] == 0, "the end of all of them")

    def test_who_has_had_an_answer_counts(self):
        """As long as the connection is there: it may send what is no request, and not go."""
        self.house(gate=GATE + "connections-per-address = 2\n")
        for _ in range(50):
            client = self.comes()
            client.send(b"nonsense\r\n\r\n")
            answer = client.read_response()
            if answer.status == 429:
                break
            self.own(answer, 400)
        self.own(answer, 429, "http_request_denied", "more connections")

    def test_who_has_had_an_answer_makes_room(self):
        agent = self.house(gate=GATE + "connections = 2\n")
        known = self.comes()
        self.lets_in(known)
        for _ in range(3):
            client = self.comes()
            client.send(b"nonsense\r\n\r\n")
            self.own(client.read_response(), 400)
        self.lets_in(self.comes())
        self.lets_in(known)
        self.assertEqual(agent.status()["gateways"][0]["limited"], 0)

    def test_answers_that_nobody_takes(self):
        """Our own, to a stranger who only asks."""
        agent = self.house(gate=GATE + "idle-timeout = 1s\nrequests-per-second = 0\n")
        client = self.comes()
        client.sock.settimeout(1)
        request = get(SITE + "/" + "x" * 4000) * 100
        with self.assertRaises(OSError):  # its own side is full, or it was cut off
            for _ in range(1000):
                client.send(request)
        wait_until(lambda: agent.status()["gateways"][0]["connected"] == 0, "no connection")

    def test_descriptors(self):
        """Whoever holds as many connections as there are descriptors keeps nobody out of the other ways in, nor one who shows something out of this one."""
        agent = self.house(gate=GATE + "connections-per-address = 0\n", wrap=["prlimit", "--nofile=160:160"])
        held = [self.comes() for _ in range(200)]
        for _ in range(5):
            self.assertEqual(self.ask(agent).status, 200)
        self.lets_in(self.comes())
        self.assertLess(agent.status()["gateways"][0]["connected"], 40)
        self.assertEqual(held[0].read_to_end(), b"")

    def test_descriptors_of_those_who_are_in(self):
        agent = self.house(gate=GATE + "connections-per-address = 0\n", wrap=["prlimit", "--nofile=160:160"])
        held = []
        while len(held) < 60:
            client = self.comes()
            client.send(get(SITE + "/echo", basic()))
            answer = client.read_response()
            if answer.status == 503:
                break
            held.append(client)
        self.own(answer, 503, "connection_limit_reached")
        self.assertEqual(self.ask(agent).status, 200)
        self.lets_in(held[0])


HERE, THERE, ELSEWHERE = "192.0.2.1", "192.0.2.17", "198.51.100.9"
OPEN = GATE.replace("127.0.0.1:0", HERE + ":0") + "allow = 192.0.2.0/24\n"


@unittest.skipUnless(os.geteuid() == 0, "only root makes networks")
class Beyond(Gateway):
    """Clients of other machines, in a network of our own."""

    def setUp(self):
        ours = network.private()
        ours.__enter__()
        self.addCleanup(ours.__exit__, None, None, None)
        for address in (HERE + "/24", THERE + "/24", ELSEWHERE + "/24"):
            network.ip("address", "add", address, "dev", "lo")

    def door(self, agent, name="gateway"):
        agent.wait_log("ready: gateway %s on" % name)
        return int(re.search(r"ready: gateway %s on [\d.]+:(\d+)" % name, agent.log()).group(1))

    def comes(self, source=THERE):
        return self.stack.enter_context(Wire(socket.create_connection((HERE, self.gate), 30, (source, 0))))

    def test_allow(self):
        agent = self.house(gate=OPEN)
        self.lets_in(self.comes())
        self.own(self.comes(ELSEWHERE).read_response(), 403, "http_request_denied", "does not serve your address")
        client = self.comes()
        self.negotiates(client)
        agent.configure(self.onward.upstream("auth = none") + OPEN.replace("192.0.2.0/24", "198.51.100.0/24"))
        agent.reload()
        answer = self.own(client.ask(get(SITE + "/echo", basic())), 403, "http_request_denied", "your address")
        self.assertTrue(answer.has_token("Connection", "close"))
        self.lets_in(self.comes(ELSEWHERE))

    def test_loopback_is_not_theirs(self):
        service = self.proxy(Open(), name="service")
        self.house("[route]\nrule = * direct\n", gate=OPEN)
        for host in ("127.0.0.1", "127.8.9.10", "localhost", "a.localhost", "[::1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "0.0.0.0", "[::]", "0", "127.1",
                     "2130706433", "0x7f.1", "[::ffff:0.0.0.0]", "[::127.0.0.1]"):
            for method, target in (("GET", "http://%s:%d/echo"), ("CONNECT", "%s:%d")):
                with self.subTest(host, method=method):
                    answer = self.comes().ask(get(target % (host, service.port), basic(), method=method), method)
                    self.assertIn(answer.status, (400, 403, 502), answer.text)
                    if "127.0.0.1" == host:
                        self.own(answer, 403, None, "not led to its loopback")
        self.assertEqual(service.connections, [])

    def test_scripts_do_not_lead_there(self):
        """Nor does a PAC script that says DIRECT."""
        service = self.proxy(Open(), name="service")
        self.house("[route]\npac = file:@DIR@/proxy.pac\n", gate=OPEN,
                   files={"proxy.pac": "function FindProxyForURL(url, host) { return 'DIRECT'; }"})
        for host in ("127.0.0.1", "[::ffff:127.0.0.1]", "0.0.0.0"):
            self.own(self.comes().ask(get("http://%s:%d/echo" % (host, service.port), basic())), 403, None, "not led to its loopback")
        self.assertEqual(service.connections, [])

    def test_pages_are_this_machines(self):
        """Whatever Host says: what they show is none of others' business."""
        self.house(gate=OPEN)
        for path in ("/", "/exeat.pac"):
            request = ("GET %s HTTP/1.1\r\nHost: 127.0.0.1:3128\r\n%s\r\n\r\n" % (path, basic())).encode()
            self.own(self.comes().ask(request), 403, "http_request_denied", "for this machine alone")

    def test_nor_does_exeat_off(self):
        """Switched off, everything goes direct; the clients of other machines still have no business on our loopback."""
        service = self.proxy(Open(), name="service")
        agent = self.house(gate=OPEN)
        self.assertEqual(agent.exeat("off").returncode, 0)
        for method, target in (("GET", "http://127.0.0.1:%d/echo"), ("CONNECT", "127.0.0.1:%d")):
            answer = self.comes().ask(get(target % service.port, basic(), method=method), method)
            self.own(answer, 403, None, "not led to its loopback")
        self.assertEqual(service.connections, [])

    def test_needs_both_to_listen(self):
        for gone in ("allow = 192.0.2.0/24\n", "auth = negotiate basic\n"):
            agent = self.agent("[upstream c]\nproxy = http://127.0.0.1:9\n" + OPEN.replace(gone, ""), files={"users": ""}, start=False)
            shown = agent.exeat("check", "--config", agent.config_path)
            self.assertEqual(shown.returncode, 3)
            self.assertRegex(shown.stderr, "is not an address of this machine alone")


class Told(Gateway):
    def test_everywhere(self):
        agent = self.house("[log]\nformat = json\n")
        client = self.comes()
        self.must_show(client.ask(get(SITE + "/echo")))
        self.negotiates(client)
        agent.wait_log(r'"user":"alice@CORP\.EXAMPLE"')
        shown = agent.status()["gateways"][0]
        self.assertEqual({k: shown[k] for k in ("name", "connected", "accepted", "challenged", "refused", "broken", "failed", "limited")},
                         {"name": "gateway", "connected": 1, "accepted": 1, "challenged": 2, "refused": 0, "broken": 0, "failed": 0, "limited": 0})
        text = agent.exeat("status", check=True).stdout
        self.assertRegex(text, r"\nGateway gateway\n  listening on  127\.0\.0\.1:%d\n  clients       1 connection\n  requests      1 accepted, 2 challenged" % self.gate)
