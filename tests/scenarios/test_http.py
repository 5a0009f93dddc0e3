"""Plain requests through a proxy that asks for nothing: fields, framing, connections, answers."""

import json
import re
import threading

import wire
from base import SITE, Scenario, corp
from behaviours import Canned, Continue, Early, Slow, trailing
from gates import Basic
from proxy import Asks, Open, content, sha, wait_closed
from wire import Wire, chunked, get


class Fields(Scenario):
    def test_absolute_form_with_via(self):
        proxy, agent = self.both(Open())
        answer = self.ask(agent, "/echo?a=b", "X-One: 1", "x-TWO: 2", "X-One: 3")
        self.assertEqual(answer.status, 200)
        seen = proxy.requests[0]
        self.assertEqual((seen.method, seen.target, seen.version), ("GET", SITE + "/echo?a=b", "HTTP/1.1"))
        self.assertEqual(seen.all("Host"), ["site.example"])
        self.assertEqual([f for f in seen.fields if f[0].lower().startswith("x-")], [("X-One", "1"), ("x-TWO", "2"), ("X-One", "3")])
        self.assertRegex(seen.get("Via"), r"^1\.1 \S+$")
        self.assertRegex(answer.get("Via"), r"^1\.1 \S+$")

    def test_pseudonym_is_random_per_process(self):
        proxy = self.proxy(Open())
        for _ in range(2):
            self.ask(self.agent(proxy), "/echo")
        self.assertNotEqual(proxy.requests[0].get("Via"), proxy.requests[1].get("Via"))

    def test_host_follows_the_target(self):
        proxy, agent = self.both(Open())
        wire.once(agent.port, "GET http://right.example:81/echo HTTP/1.1\r\nHost: wrong.example\r\n\r\n")
        self.assertEqual(proxy.requests[0].all("Host"), ["right.example:81"])

    def test_hop_by_hop_fields_stay_here(self):
        proxy, agent = self.both(Open())
        self.ask(agent, "/echo", "Connection: keep-alive, X-Mine,x-also", "X-Mine: 1", "X-Also: 2", "X-Kept: 3", "Keep-Alive: timeout=5",
                 "Proxy-Connection: keep-alive", "TE: trailers, deflate", "Proxy-Authorization: Basic YTpi", "Proxy-Authenticate: x")
        names = [name.lower() for name in proxy.requests[0].names()]
        for gone in ("x-mine", "x-also", "keep-alive", "proxy-authorization"):
            self.assertNotIn(gone, names)
        self.assertIn("x-kept", names)
        self.assertFalse(proxy.requests[0].has_token("Connection", "x-mine"))
        self.assertNotIn("deflate", (proxy.requests[0].get("TE") or ""))

    def test_connection_cannot_take_end_to_end_fields_away(self):
        proxy, agent = self.both(Open())
        self.ask(agent, "/echo", "Connection: host, content-length, authorization", "Authorization: Basic YTpi", method="POST", body=b"12345")
        seen = proxy.requests[0]
        self.assertEqual((seen.get("Host"), seen.get("Authorization"), seen.body), ("site.example", "Basic YTpi", b"12345"))

    def test_answer_fields(self):
        canned = (b"HTTP/1.1 200 Fine\r\nX-b: 1\r\nX-A: 2\r\nConnection: X-Hop, keep-alive\r\nX-Hop: 1\r\nKeep-Alive: timeout=9\r\n"
                  b"Proxy-Authenticate: Basic realm=x\r\nProxy-Connection: keep-alive\r\nWWW-Authenticate: Basic realm=y\r\nContent-Length: 2\r\n\r\nhi")
        _, agent = self.both(Canned(canned))
        answer = self.ask(agent)
        self.assertEqual((answer.status, answer.first[2], answer.body), (200, "Fine", b"hi"))
        self.assertEqual([n for n in answer.names() if n.startswith("X-")], ["X-b", "X-A"])
        for gone in ("X-Hop", "Keep-Alive", "Proxy-Authenticate"):
            self.assertIsNone(answer.get(gone), gone)
        self.assertEqual(answer.get("WWW-Authenticate"), "Basic realm=y")

    def test_client_credentials_passed_on_where_configured(self):
        challenge = b"HTTP/1.1 407 Ask\r\nProxy-Authenticate: Basic realm=up\r\nContent-Length: 0\r\n\r\n"
        proxy, agent = self.both(Canned(challenge), "auth = none\nclient-credentials = pass")
        answer = self.ask(agent, "/echo", "Proxy-Authorization: Basic YTpi")
        self.assertEqual((answer.status, answer.get("Proxy-Authenticate")), (407, "Basic realm=up"))
        self.assertEqual(proxy.requests[0].get("Proxy-Authorization"), "Basic YTpi")

    def test_own_pseudonym_in_via_is_a_loop(self):
        proxy, agent = self.both(Open())
        self.ask(agent)
        self.own(self.ask(agent, "/echo", "Via: 1.0 other, " + proxy.requests[0].get("Via")), 508, "proxy_loop_detected")
        self.assertEqual(len(proxy.requests), 1)
        self.assertEqual(self.ask(agent, "/echo", "Via: 1.0 other").status, 200)
        self.assertRegex(proxy.requests[1].get("Via"), r"^1\.0 other, ?1\.1 \S+$|^1\.0 other$")

    def test_real_loop(self):
        class Back(Open):
            def handle(self, conn, request):
                with Wire.connect(self.port) as on:
                    on.send(request.raw_head)
                    answer = on.read_response(request.method)
                conn.answer(answer.status, answer.body)
                return True
            port = 0
        behaviour = Back()
        proxy, agent = self.both(behaviour)
        behaviour.port = agent.port
        self.assertEqual(self.ask(agent).status, 508)
        self.assertEqual(len(proxy.requests), 1)


class Connections(Scenario):
    def test_keep_alive_on_both_sides(self):
        proxy, agent = self.both(Open())
        client = self.wire(agent)
        for i in range(5):
            self.assertEqual(client.ask(get(SITE + "/bytes/%d" % (i * 1000))).body, content(i * 1000))
        self.assertEqual(len(proxy.connections), 1)

    def test_client_close_does_not_close_upstream(self):
        proxy, agent = self.both(Open())
        for _ in range(3):
            client = self.wire(agent)
            answer = client.ask(get(SITE + "/echo", "Connection: close"))
            self.assertTrue(answer.has_token("Connection", "close"))
            self.assertTrue(client.closed())
        self.assertEqual(len(proxy.connections), 1)

    def test_proxy_connection_close_is_understood(self):
        _, agent = self.both(Open())
        client = self.wire(agent)
        client.ask(get(SITE + "/echo", "Proxy-Connection: close"))
        self.assertTrue(client.closed())

    def test_upstream_close_does_not_close_client(self):
        proxy, agent = self.both(Open(fields=("Connection: close",)))
        client = self.wire(agent)
        for _ in range(3):
            self.assertFalse(client.ask(get(SITE + "/echo")).has_token("Connection", "close"))
        proxy.wait(lambda: len(proxy.connections) == 3)

    def test_upstream_http_1_0_is_not_kept(self):
        answer = b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi"
        proxy, agent = self.both(Canned(answer))
        client = self.wire(agent)
        for _ in range(2):
            self.assertEqual(client.ask(get(SITE + "/echo")).body, b"hi")
        self.assertEqual(len(proxy.connections), 2)

    def test_upstream_http_1_0_that_keeps_alive(self):
        proxy, agent = self.both(Canned(b"HTTP/1.0 200 OK\r\nProxy-Connection: keep-alive\r\nContent-Length: 2\r\n\r\nhi"))
        client = self.wire(agent)
        for _ in range(2):
            self.assertEqual(client.ask(get(SITE + "/echo")).body, b"hi")
        self.assertEqual(len(proxy.connections), 1)

    def test_old_client(self):
        _, agent = self.both(Open())
        client = self.wire(agent)
        answer = client.ask(get(SITE + "/chunked/5000", version="1.0"))
        self.assertIsNone(answer.get("Transfer-Encoding"))
        self.assertEqual(answer.body, content(5000))
        self.assertTrue(client.closed())

    def test_old_client_that_keeps_alive(self):
        _, agent = self.both(Open())
        client = self.wire(agent)
        for _ in range(2):
            answer = client.ask(get(SITE + "/bytes/10", "Connection: keep-alive", version="1.0"))
            self.assertEqual(answer.body, content(10))
            self.assertTrue(answer.has_token("Connection", "keep-alive"))
        client.ask(get(SITE + "/bytes/10", version="1.0"))
        self.assertTrue(client.closed())

    def test_old_client_without_host(self):
        proxy, agent = self.both(Open())
        self.assertEqual(wire.once(agent.port, "GET http://old.example/echo HTTP/1.0\r\n\r\n").status, 200)
        self.assertEqual(proxy.requests[0].get("Host"), "old.example")

    def test_pipelined_requests_are_answered_in_order(self):
        behaviour = Slow()
        proxy, agent = self.both(behaviour)
        client = self.wire(agent)
        client.send(b"".join(get(SITE + "/bytes/%d" % n) for n in (100000, 3, 0, 50)))
        client.send(get(SITE + "/echo", method="POST", body=b"five") + get(SITE + "/status/204"))
        behaviour.release.set()
        for n in (100000, 3, 0, 50):
            self.assertEqual(client.read_response().body, content(n))
        self.assertEqual(json.loads(client.read_response().body)["sha256"], sha(b"five"))
        self.assertEqual(client.read_response().status, 204)
        self.assertEqual([r.target.rsplit("/", 1)[1] for r in proxy.requests], ["100000", "3", "0", "50", "echo", "204"])

    def test_pipelined_request_in_small_pieces(self):
        _, agent = self.both(Open())
        client = self.wire(agent)
        for byte in get(SITE + "/echo", method="POST", body=b"abc") + get(SITE + "/bytes/5"):
            client.send(bytes((byte,)))
        self.assertEqual(json.loads(client.read_response().body)["length"], 3)
        self.assertEqual(client.read_response().body, content(5))

    def test_empty_lines_before_a_request(self):
        _, agent = self.both(Open())
        client = self.wire(agent)
        self.assertEqual(client.ask(b"\r\n" + get(SITE + "/echo"), "GET").status, 200)

    def test_client_that_leaves_frees_upstream(self):
        class Hears(Open):
            """Does not answer, and hears when the other side goes."""

            def handle(self, conn, request):
                conn.read_to_end()
                return False
        proxy, agent = self.both(Hears())
        client = self.wire(agent)
        client.send(get(SITE + "/echo"))
        proxy.wait_requests(1)
        client.reset()
        wait_closed(proxy.connections[0])

    def test_half_closed_client_gets_its_answer(self):
        _, agent = self.both(Open())
        client = self.wire(agent)
        client.send(get(SITE + "/bytes/100000"))
        client.shut()
        self.assertEqual(client.read_response().body, content(100000))
        self.assertTrue(client.closed())

    def test_several_listeners(self):
        proxy = self.proxy(Open())
        agent = self.agent("[listen]\nhttp = 127.0.0.1:0 [::1]:0 unix:@DIR@/socket\n" + proxy.upstream())
        self.assertEqual(len(agent.listeners), 3)
        for place in agent.listeners:
            with (Wire.connect_unix(place) if isinstance(place, str) else Wire.connect(place[1], place[0])) as client:
                self.assertEqual(client.ask(get(SITE + "/bytes/7")).body, content(7))


class Bodies(Scenario):
    def test_no_body_where_there_is_none(self):
        proxy, agent = self.both(Open())
        client = self.wire(agent)
        head = client.ask(get(SITE + "/bytes/12345", method="HEAD"))
        self.assertEqual((head.status, head.get("Content-Length")), (200, "12345"))
        self.assertEqual(client.ask(get(SITE + "/status/204")).status, 204)
        self.assertEqual(client.ask(get(SITE + "/status/304")).status, 304)
        self.assertEqual(client.ask(get(SITE + "/chunked/10", method="HEAD")).status, 200)
        self.assertEqual(client.ask(get(SITE + "/bytes/0")).body, b"")
        self.assertEqual(len(proxy.connections), 1)

    def test_304_keeps_its_content_length(self):
        _, agent = self.both(Canned(b"HTTP/1.1 304 Not Modified\r\nContent-Length: 4321\r\nETag: \"a\"\r\n\r\n"))
        client = self.wire(agent)
        for _ in range(2):
            answer = client.ask(get(SITE + "/"))
            self.assertEqual((answer.status, answer.get("Content-Length"), answer.get("ETag")), (304, "4321", '"a"'))

    def test_up_and_down(self):
        _, agent = self.both(Open())
        client = self.wire(agent)
        for size in (1, 65535, 65536, 65537, 3000000):
            echo = json.loads(client.ask(get(SITE + "/echo", method="POST", body=content(size))).body)
            self.assertEqual((echo["length"], echo["sha256"]), (size, sha(content(size))))
            self.assertEqual(client.ask(get(SITE + "/bytes/%d" % size)).body, content(size))
            self.assertEqual(client.ask(get(SITE + "/chunked/%d" % size)).body, content(size))

    def test_post_without_content_says_so(self):
        proxy, agent = self.both(Open())
        self.ask(agent, method="POST", body=b"")
        self.assertEqual(proxy.requests[0].all("Content-Length"), ["0"])
        self.ask(agent)
        self.assertEqual(proxy.requests[1].all("Content-Length"), [])

    def test_chunked_up_with_trailers(self):
        proxy, agent = self.both(Open())
        client = self.wire(agent)
        body = chunked(b"hello ", b"world", trailers=["X-Check: 11", "Content-Length: 3", "Host: evil.example", "Transfer-Encoding: chunked"])
        body = body.replace(b"6\r\n", b"6;name=value;other=\"a b\"\r\n", 1)
        answer = client.ask(get(SITE + "/echo", "Transfer-Encoding: chunked", "Trailer: X-Check", method="POST", body=body))
        echo = json.loads(answer.body)
        self.assertEqual((echo["length"], echo["sha256"]), (11, sha(b"hello world")))
        self.assertEqual(echo["trailers"], [["X-Check", "11"]])
        self.assertEqual(client.ask(get(SITE + "/bytes/1")).body, content(1))
        self.assertEqual(proxy.requests[0].get("Transfer-Encoding"), "chunked")

    def test_large_chunked_up(self):
        _, agent = self.both(Open())
        data = content(2000000)
        body = chunked(*[data[at:at + 9999] for at in range(0, len(data), 9999)])
        echo = json.loads(self.ask(agent, "/echo", "Transfer-Encoding: chunked", method="PUT", body=body).body)
        self.assertEqual((echo["length"], echo["sha256"]), (len(data), sha(data)))

    def test_chunked_down_with_trailers(self):
        _, agent = self.both(Canned(trailing))
        client = self.wire(agent)
        for _ in range(2):
            answer = client.ask(get(SITE + "/", "TE: trailers"))
            self.assertEqual((answer.body, answer.trailers), (b"abcdefg", [("X-Sum", "7")]))

    def test_answer_until_close(self):
        _, agent = self.both(Open())
        client = self.wire(agent)
        self.assertEqual(client.ask(get(SITE + "/until-close/200000")).body, content(200000))
        old = self.wire(agent)
        self.assertEqual(old.ask(get(SITE + "/until-close/200000", version="1.0")).body, content(200000))

    def test_answer_cut_short_is_not_hidden(self):
        for head, body in ((b"Content-Length: 1000", b"x" * 400), (b"Transfer-Encoding: chunked", b"5\r\nhello\r\n"),
                           (b"Transfer-Encoding: chunked", b"5\r\nhello\r\n0\r\n"), (b"Transfer-Encoding: chunked", b"5\r\nhel")):
            with self.subTest(head=head, body=body):
                proxy = self.proxy(Canned(b"HTTP/1.1 200 OK\r\n" + head + b"\r\n\r\n" + body, close=True))
                agent = self.agent(proxy)
                client = self.wire(agent)
                client.send(get(SITE + "/"))
                self.assertFalse(client.read_response(allow_short=True).complete)
                self.assertEqual(len(proxy.requests), 1)

    def test_chunked_answer_to_old_client_cut_short(self):
        _, agent = self.both(Canned(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", close=True))
        client = self.wire(agent)
        client.send(get(SITE + "/", version="1.0"))
        with self.assertRaises(ConnectionResetError):  # an ordinary end would look like a whole answer
            client.read_to_end()

    def test_request_cut_short_never_looks_whole(self):
        proxy, agent = self.both(Open())
        client = self.wire(agent)
        client.send(get(SITE + "/echo", "Content-Length: 300000", method="POST", body=b"x" * 200000))
        client.shut()
        try:
            client.read_to_end()
        except ConnectionResetError:
            pass
        client.close()
        self.assertEqual(self.ask(agent, "/bytes/5").status, 200)  # taken in behind whatever there was of the first
        first = proxy.connections[0]
        proxy.wait(lambda: len(proxy.connections) == 1 or first.ended_by_peer.is_set() or proxy.errors)
        self.assertEqual([len(request.body) for request in proxy.requests], [0] * len(proxy.requests))  # none was read to its end
        proxy.errors.clear()  # it saw the cut, as it should

    def test_early_answer_while_the_body_flows(self):
        for then in ("drain", "stop", "close"):
            with self.subTest(then=then):
                behaviour = Early(413, then)
                _, agent = self.both(behaviour)
                client = self.wire(agent)
                sender = threading.Thread(target=_send_quietly, args=(client, get(SITE + "/echo", "Content-Length: 30000000", method="POST",
                                                                                  body=content(30000000))))
                sender.start()
                answer = client.read_response("POST")
                self.assertEqual((answer.status, answer.body), (413, b"too much\n"))
                client.sock.shutdown(2)
                sender.join()
                behaviour.release.set()
                self.assertEqual(agent.process.poll(), None)


class Interim(Scenario):
    def test_passed_on(self):
        _, agent = self.both(Open())
        answer = self.wire(agent).ask(get(SITE + "/interim"))
        self.assertEqual([(i.status, i.get("Link")) for i in answer.interim], [(103, "</a.css>"), (102, None)])
        self.assertEqual(answer.body, b"after\n")

    def test_not_to_old_clients(self):
        _, agent = self.both(Open())
        self.assertEqual(self.wire(agent).ask(get(SITE + "/interim", version="1.0")).interim, [])

    def test_expect_continue_end_to_end(self):
        behaviour = Continue()
        proxy, agent = self.both(behaviour)
        client = self.wire(agent)
        client.send(get(SITE + "/echo", "Expect: 100-continue", "Content-Length: 5", method="POST"))
        proxy.wait_requests(1)
        self.assertTrue(proxy.requests[0].has_token("Expect", "100-continue"))
        behaviour.release.set()
        self.assertEqual(client.read_head().status, 100)
        client.send(b"hello")
        self.assertEqual(json.loads(client.read_response().body)["sha256"], sha(b"hello"))

    def test_expect_continue_refused(self):
        behaviour = Continue(417)
        behaviour.release.set()
        _, agent = self.both(behaviour)
        client = self.wire(agent)
        client.send(get(SITE + "/echo", "Expect: 100-continue", "Content-Length: 5", method="POST"))
        self.assertEqual(client.read_response("POST").status, 417)

    def test_expect_continue_from_client_that_does_not_wait(self):
        behaviour = Continue()
        behaviour.release.set()
        _, agent = self.both(behaviour)
        client = self.wire(agent)
        answer = client.ask(get(SITE + "/echo", "Expect: 100-continue", method="POST", body=b"hello"))
        self.assertEqual(json.loads(answer.body)["sha256"], sha(b"hello"))


class Upgrade(Scenario):
    request = get(SITE + "/upgrade", "Connection: Upgrade, X-Hop", "Upgrade: echo/1", "X-Hop: 1")

    def test_101_makes_a_tunnel(self):
        proxy, agent = self.both(Open())
        client = self.wire(agent)
        client.send(self.request)
        answer = client.read_response()
        self.assertEqual((answer.status, answer.get("Upgrade")), (101, "echo/1"))
        self.assertTrue(answer.has_token("Connection", "upgrade"))
        self.echoes(client)
        client.shut()
        self.assertEqual(client.read_to_end(), b"<19 bytes>")
        self.assertIsNone(proxy.requests[0].get("X-Hop"))

    def test_first_bytes_with_the_101(self):
        _, agent = self.both(Canned(b"HTTP/1.1 101 Now\r\nConnection: Upgrade\r\nUpgrade: echo/1\r\n\r\nright behind"))
        client = self.wire(agent)
        client.send(self.request)
        client.read_response()
        self.assertEqual(client.read(12), b"right behind")

    def test_refused(self):
        _, agent = self.both(Canned(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nno"))
        client = self.wire(agent)
        for _ in range(2):
            self.assertEqual(client.ask(self.request, "GET").body, b"no")

    def test_101_that_nobody_asked_for(self):
        _, agent = self.both(Canned(b"HTTP/1.1 101 Now\r\nConnection: Upgrade\r\nUpgrade: echo/1\r\n\r\n"))
        self.own(self.ask(agent), 502)


class Targets(Scenario):
    def test_ipv6_literals(self):
        proxy, agent = self.both(Open())
        self.assertEqual(wire.once(agent.port, get("http://[2001:db8::1]:8080/echo")).status, 200)
        self.assertEqual((proxy.requests[0].target, proxy.requests[0].get("Host")), ("http://[2001:db8::1]:8080/echo", "[2001:db8::1]:8080"))
        self.echoes(self.tunnel(agent, "[2001:db8::1]:443"))
        self.assertEqual(proxy.requests[1].target, "[2001:db8::1]:443")

    def test_unknown_methods_pass(self):
        proxy, agent = self.both(Open())
        self.assertEqual(self.ask(agent, method="PROPFIND", body=b"<a/>").status, 200)
        self.assertEqual((proxy.requests[0].method, proxy.requests[0].body), ("PROPFIND", b"<a/>"))

    def test_options_for_the_server(self):
        origin = self.proxy(Open(), name="origin")
        _, agent = self.both(Open(), more="[route]\nno-proxy = 127.0.0.1\n")
        wire.once(agent.port, "OPTIONS http://127.0.0.1:%d HTTP/1.1\r\nHost: a\r\n\r\n" % origin.port)
        self.assertEqual(origin.requests[0].target, "*")

    def test_large_heads(self):
        big = "X-Big: " + "v" * 200000
        answer = b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n" + big.encode() + b"\r\n\r\n!"
        proxy, agent = self.both(Canned(answer))
        got = self.ask(agent, "/", big)
        self.assertEqual((len(got.get("X-Big")), len(proxy.requests[0].get("X-Big"))), (200000, 200000))

    def test_heads_beyond_the_limit(self):
        answer = b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nX-Big: " + b"v" * 300000 + b"\r\n\r\n!"
        proxy, agent = self.both(Canned(answer))
        self.own(self.ask(agent), 502, "http_")
        client = self.wire(agent)
        sender = threading.Thread(target=_send_quietly, args=(client, get(SITE + "/", "X-Big: " + "v" * 300000)))
        sender.start()
        self.assertEqual(client.read_response().status, 431)
        client.sock.shutdown(2)
        sender.join()
        self.assertEqual(len(proxy.requests), 1)

    def test_long_target(self):
        proxy, agent = self.both(Open())
        self.assertEqual(self.ask(agent, "/echo?" + "q" * 8000).status, 200)
        self.own(self.ask(agent, "/echo?" + "q" * 70000), 414)
        self.assertEqual(len(proxy.requests), 1)

    def test_https_in_absolute_form_explains(self):
        proxy, agent = self.both(Open())
        self.own(wire.once(agent.port, get("https://site.example/")), 400, None, "CONNECT|https_proxy")
        self.assertEqual(proxy.requests, [])

    def test_own_pages(self):
        proxy = self.proxy(Open())
        dead = proxy.port
        proxy.stop_listening()
        agent = self.agent(proxy)
        plain = self.own(self.ask(agent), 502)
        self.assertTrue(plain.get("Content-Type").startswith("text/plain"))
        html = self.own(self.ask(agent, "/", "Accept: text/html,*/*;q=0.1"), 502)
        self.assertTrue(html.get("Content-Type").startswith("text/html"))
        self.assertIn(str(dead), html.text)
        head = self.own(self.ask(agent, "/", method="HEAD"), 502)
        self.assertGreater(int(head.get("Content-Length")), 0)
        tag = re.search(r"\bc\d+(\.r\d+)?\b", plain.text)
        self.assertIsNotNone(tag, plain.text)
        self.assertIn(tag.group(0), agent.log())

    def test_host_names_are_escaped_on_pages(self):
        proxy = self.proxy(Open())
        agent = self.agent(proxy)
        answer = wire.once(agent.port, "GET ftp://x/<script>alert(1)</script> HTTP/1.1\r\nHost: x\r\nAccept: text/html\r\n\r\n")
        self.assertGreaterEqual(answer.status, 400)
        self.assertNotIn("<script>", answer.text)

    def test_origin_form_is_for_ourselves(self):
        proxy, agent = self.both(Open())
        answer = wire.once(agent.port, "GET / HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n\r\n" % agent.port)
        self.assertEqual((answer.status, proxy.requests), (200, []))


class Home(Scenario):
    """The agent's own pages."""

    def home(self, agent, path, *fields, method="GET", host=None):
        lines = ["%s %s HTTP/1.1" % (method, path), "Host: %s" % (host or "127.0.0.1:%d" % agent.port), *fields, "", ""]
        return wire.once(agent.port, "\r\n".join(lines), method)

    def test_pac(self):
        proxy, agent = self.both(Open())
        answer = self.home(agent, "/exeat.pac")
        self.assertEqual((answer.status, answer.get("Content-Type")), (200, "application/x-ns-proxy-autoconfig"))
        self.assertIn('return "PROXY 127.0.0.1:%d";' % agent.port, answer.text)
        self.assertIn('"PROXY localhost:%d"' % agent.port, self.home(agent, "/exeat.pac?x", host="localhost:%d" % agent.port).text)
        self.assertEqual(self.home(agent, "/exeat.pac", method="HEAD").body, b"")
        self.assertEqual(proxy.connections, [])

    def test_by_way_of_ourselves(self):
        """As curl asks where http_proxy is set; other paths are a loop as ever."""
        proxy, agent = self.both(Open(), more="[route]\nno-proxy = localhost 127.0.0.0/8\n")
        here = "127.0.0.1:%d" % agent.port
        self.assertIn('"PROXY %s"' % here, self.ask(agent, "/exeat.pac", host=here).text)
        self.assertEqual(self.ask(agent, "/", host=here).status, 200)
        self.own(self.ask(agent, "/other", host=here), 508, "proxy_loop_detected")
        self.assertEqual(proxy.requests, [])

    def test_status_without_secrets(self):
        gate = Basic()
        _, agent = self.both(Asks(gate), corp("basic", user="alice"))
        self.assertEqual(self.ask(agent).status, 200)
        answer = self.home(agent, "/")
        self.assertEqual(answer.status, 200)
        self.assertRegex(answer.text, r"(?s)exeat .* is running.*upstream corp\n.*requests: 2\n")
        for secret in ("alice", "secret", "YWxp"):
            self.assertNotIn(secret, answer.text)

    def test_other_names_are_refused(self):
        """A web page may let its own name point at 127.0.0.1, and so read what answers there."""
        _, agent = self.both(Open())
        for host in ("evil.example", "evil.example:%d" % agent.port, "127.0.0.1.evil.example", "10.0.0.1", "localhost.evil.example", "[fe80::1]"):
            for path in ("/", "/exeat.pac"):
                self.own(self.home(agent, path, host=host), 403, "http_request_denied", "another host")
        for origin in ("http://evil.example", "null", "https://127.0.0.1.evil.example", "file://"):
            self.own(self.home(agent, "/", "Origin: " + origin), 403, "http_request_denied")
        for origin in ("http://localhost:9", "http://127.0.0.1", "http://[::1]:80"):
            self.assertEqual(self.home(agent, "/", "Origin: " + origin).status, 200)

    def test_anything_else_is_explained(self):
        _, agent = self.both(Open())
        for path, method in (("/index.html", "GET"), ("/", "POST"), ("/exeat.pac", "DELETE"), ("/exeat.pac/", "GET"), ("*", "OPTIONS")):
            self.own(self.home(agent, path, "Content-Length: 0", method=method), 400, "http_request_error", "http_proxy")


class Routes(Scenario):
    def test_direct(self):
        origin = self.proxy(Open(), name="origin")
        proxy, agent = self.both(Open(), more="[route]\nno-proxy = localhost 127.0.0.0/8\n")
        answer = json.loads(self.ask(agent, "/echo?x", host="127.0.0.1:%d" % origin.port).body)
        self.assertEqual((answer["target"], dict(answer["fields"])["Host"]), ("/echo?x", "127.0.0.1:%d" % origin.port))
        self.assertNotIn("Proxy-Connection", dict(answer["fields"]))
        self.assertEqual(proxy.requests, [])
        self.ask(agent, "/echo")
        self.assertEqual(len(proxy.requests), 1)

    def test_direct_tunnel(self):
        class Echo(Open):
            def serve(self, conn):
                self.tunnel(conn)
        origin = self.proxy(Echo(), name="origin")
        proxy, agent = self.both(Open(), more="[route]\nno-proxy = 127.0.0.1\n")
        tunnel = self.tunnel(agent, "127.0.0.1:%d" % origin.port, early=b"first")
        self.assertEqual(tunnel.read(5), b"first")
        self.echoes(tunnel)
        tunnel.shut()
        self.assertEqual(tunnel.read_to_end(), b"<24 bytes>")
        self.assertEqual(proxy.requests, [])

    def test_407_of_an_origin_is_not_answered(self):
        origin = self.proxy(Canned(b"HTTP/1.1 407 Give\r\nProxy-Authenticate: Basic realm=trap\r\nContent-Length: 0\r\n\r\n"))
        proxy = self.proxy(Open())
        agent = self.agent(proxy.upstream("auth = basic\nuser = alice\nsecret = file:@DIR@/secret\n") + "[route]\nno-proxy = 127.0.0.1\n")
        answer = self.ask(agent, host="127.0.0.1:%d" % origin.port)
        self.assertIn(answer.status, (407, 502))
        self.assertIsNone(answer.get("Proxy-Authenticate"))
        self.assertEqual([r.get("Proxy-Authorization") for r in origin.requests], [None])

    def test_unreachable_upstream(self):
        proxy = self.proxy(Open())
        agent = self.agent(proxy)
        proxy.stop_listening()
        client = self.wire(agent)
        self.own(client.ask(get(SITE + "/")), 502, "(destination_unavailable|connection_refused)", str(proxy.port))
        self.own(client.ask(get(SITE + "/")), 502)
        self.own(self.tunnel(agent, expect=502), 502)

    def test_second_proxy_where_the_first_is_down(self):
        first, second = self.proxy(Open()), self.proxy(Open())
        first.stop_listening()
        agent = self.agent("[upstream corp]\nproxy = %s %s\nauth = none\n" % (first.url, second.url))
        for _ in range(3):
            self.assertEqual(self.ask(agent).status, 200)
        self.echoes(self.tunnel(agent))
        self.assertEqual(len(second.requests), 4)


def _send_quietly(connection, data):
    try:
        connection.send(data)
    except OSError:
        pass
