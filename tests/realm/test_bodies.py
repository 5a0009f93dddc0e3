"""Bytes through the agent: bodies up and down, tunnels, upgrades; through a Squid that demands NTLM, and direct (no-proxy) to a second
origin on this side, for what a Squid itself does not pass on (trailers, half-closes of tunnels)."""

import hashlib
import json
import os
import socket
import struct
import subprocess
import unittest

import content
import world
from agent import wait_until
from lab import lab
from session import HTTP, agent_for, ask, connect, run_client
from wire import Wire, chunked, get

NEAR = "127.0.0.2"
NEAR_HTTP = "http://" + NEAR
MEGABYTE = 1000000
_serial = iter(range(1, 1 << 60))


def unique(path):
    """A target that no other request has."""
    return "%s?%d" % (path, next(_serial))


class BytesTest:
    """What must hold on every way; base is where the origin is."""

    base = host = None

    def post(self, wire, size, chunk=False, fields=()):
        """A POST of that size, sent in pieces; what the origin says that it got."""
        target = unique(self.base + "/echo")
        length = "Transfer-Encoding: chunked" if chunk else "Content-Length: %d" % size
        wire.send(get(target, length, *fields, method="POST"))
        for piece in content.pieces(size):
            wire.send(b"%x\r\n%s\r\n" % (len(piece), piece) if chunk else piece)
        if chunk:
            wire.send(b"0\r\n\r\n")
        answer = wire.read_response("POST")
        self.assertEqual(answer.status, 200)
        got = json.loads(answer.body)
        self.assertEqual((got["method"], got["size"], got["sha256"]), ("POST", size, content.sha256(size)))
        return target, got

    def check_arrived_once(self, target):
        """The origin saw that one request and no other for the target, least of all an empty POST."""
        arrived = [line["method"] for line in self.origin_log() if line["target"] == target[len(self.base):]]
        self.assertEqual([method for method in arrived if method != "GET"], ["POST"])

    def test_post_first_thing_after_the_start(self):
        for size in (1, 3 * MEGABYTE):
            for chunk in (False, True):
                with self.agent() as agent, Wire.connect(agent.port) as wire:
                    self.check_arrived_once(self.post(wire, size, chunk)[0])

    def test_post_on_a_warm_connection(self):
        with self.agent() as agent, Wire.connect(agent.port) as wire:
            wire.ask(get(self.base + "/bytes/10"))
            for size in (0, 1, 65536, 3 * MEGABYTE):
                for chunk in (False, True):
                    self.check_arrived_once(self.post(wire, size, chunk)[0])

    def test_post_of_100_megabytes(self):
        with self.agent() as agent, Wire.connect(agent.port) as wire:
            self.post(wire, 100 * MEGABYTE)
            self.post(wire, 100 * MEGABYTE, chunk=True)

    def test_expect_100_continue(self):
        with self.agent() as agent, Wire.connect(agent.port) as wire:
            for _ in range(2):  # the first authenticates
                target = unique(self.base + "/echo")
                wire.send(get(target, "Expect: 100-continue", "Content-Length: 100000", method="POST"))
                self.assertEqual(wire.read_head().status, 100)
                wire.send(content.data(100000))
                answer = wire.read_response("POST")
                self.assertEqual(answer.status, 200)
                got = json.loads(answer.body)
                self.assertEqual((got["sha256"], got["continued"]), (content.sha256(100000), True))
                self.check_arrived_once(target)

    def test_expectation_refused(self):
        with self.agent() as agent, Wire.connect(agent.port) as wire:
            wire.send(get(self.base + "/expect-refused", "Expect: 100-continue", "Content-Length: 100000", method="POST"))
            answer = wire.read_response("POST")
            self.assertEqual((answer.status, answer.interim), (417, []))

    def test_early_hints_are_passed_on(self):
        with self.agent() as agent:
            answer = ask(agent, self.base + "/hints")
            self.assertEqual((answer.status, [head.status for head in answer.interim]), (200, [103]))
            self.assertIn("style.css", answer.interim[0].get("Link"))

    def test_download_of_100_megabytes(self):
        for path in ("bytes", "chunked", "close"):
            with self.agent() as agent:
                out = run_client(agent, "sh", "-c", "curl -sS '%s/%s/%d' | sha256sum" % (self.base, path, 100 * MEGABYTE),
                                 no_proxy="").stdout
                self.assertEqual(out.split()[0], content.sha256(100 * MEGABYTE), path)

    def test_a_body_cut_short_is_not_made_whole(self):
        with self.agent() as agent, Wire.connect(agent.port) as wire:
            wire.send(get(self.base + "/truncated/100000"))
            answer = wire.read_response(allow_short=True)
            self.assertFalse(answer.complete)

    def test_statuses_without_a_body(self):
        with self.agent() as agent, Wire.connect(agent.port) as wire:
            for _ in range(2):
                for status in (204, 304):
                    answer = wire.ask(get(self.base + "/status/%d" % status))
                    self.assertEqual((answer.status, answer.body), (status, b""))
                answer = wire.ask(get(self.base + "/bytes/1000", method="HEAD"))
                self.assertEqual((answer.status, answer.get("Content-Length")), (200, "1000"))

    def test_methods_that_nobody_knows(self):
        with self.agent() as agent:
            for method in ("PUT", "DELETE", "PROPFIND", "RPC_IN_DATA"):
                answer = ask(agent, self.base + "/echo", method=method, body=b"abc")
                self.assertEqual((answer.status, json.loads(answer.body)["method"], json.loads(answer.body)["size"]), (200, method, 3))

    def test_pipelining(self):
        targets = [unique(self.base + "/echo") for _ in range(10)]
        with self.agent() as agent, Wire.connect(agent.port) as wire:
            wire.send(b"".join(get(target, method="POST", body=b"x" * number) for number, target in enumerate(targets)))
            for number, target in enumerate(targets):
                got = json.loads(wire.read_response("POST").body)
                self.assertEqual((got["target"], got["size"]), (target[len(self.base):], number))

    def test_http_1_0(self):
        with self.agent() as agent:
            for path in ("/bytes/5000", "/chunked/5000", "/close/5000"):
                with Wire.connect(agent.port) as wire:
                    wire.send(get(self.base + path, version="1.0"))
                    answer = wire.read_response()
                    self.assertEqual((answer.status, answer.body, answer.get("Transfer-Encoding")), (200, content.data(5000), None), path)
                    self.assertTrue(wire.closed())
            with Wire.connect(agent.port) as wire:
                answer = wire.ask("CONNECT %s:%d HTTP/1.0\r\n\r\n" % (self.host, world.RAW_SPEAKS_FIRST))
                self.assertEqual(answer.status, 200)
                self.assertEqual(wire.read_until(b"\n"), b"hello from the origin\n")

    def test_server_that_speaks_first(self):
        with self.agent() as agent, self.tunnel(agent, world.RAW_SPEAKS_FIRST) as wire:
            self.assertEqual(wire.read_until(b"\n"), b"hello from the origin\n")
            wire.send(b"and back\n")
            self.assertEqual(wire.read_until(b"\n"), b"and back\n")

    def tunnel(self, agent, port, early=b""):
        wire = Wire.connect(agent.port)
        target = "%s:%d" % (self.host, port)
        self.assertEqual(wire.ask(get(target, method="CONNECT") + early, "CONNECT").status, 200)
        return wire

    def test_early_bytes_after_connect(self):
        """The client does not wait for the 200; its bytes pass after the handshake, all of them, in order."""
        early = content.data(200000)
        with self.agent() as agent, self.tunnel(agent, world.RAW_ECHO, early) as wire:
            self.assertEqual(wire.read(len(early)), early)
            wire.send(b"later")
            self.assertEqual(wire.read(5), b"later")

    def test_tunnel_of_100_megabytes_both_ways(self):
        with self.agent() as agent, self.tunnel(agent, world.RAW_ECHO) as wire:
            digest = hashlib.sha256()
            for piece in content.pieces(100 * MEGABYTE):
                wire.send(piece)
                digest.update(wire.read(len(piece)))
            self.assertEqual(digest.hexdigest(), content.sha256(100 * MEGABYTE))

    def test_web_socket(self):
        with self.agent() as agent:
            for _ in range(2):
                with Wire.connect(agent.port) as wire:
                    wire.send(get(self.base + "/ws", "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13",
                                  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="))
                    answer = wire.read_response()
                    self.assertEqual(answer.status, 101)
                    self.assertEqual(answer.get("Sec-WebSocket-Accept"), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
                    for message in (b"hello", content.data(70000)):
                        mask = os.urandom(4)
                        wide = (mask * (len(message) // 4 + 1))[:len(message)]
                        masked = (int.from_bytes(message, "big") ^ int.from_bytes(wide, "big")).to_bytes(len(message), "big")
                        length = bytes([128 | len(message)]) if len(message) < 126 else b"\xff" + struct.pack(">Q", len(message))
                        wire.send(b"\x82" + length + mask + masked)
                        head = wire.read(2)
                        size = struct.unpack(">Q", wire.read(8))[0] if head[1] == 127 else head[1]
                        self.assertEqual(wire.read(size), message)

    def test_ntlm_towards_the_origin(self):
        """The origin authenticates the connection, so the client's and ours belong together; nobody else may ride on it."""
        user = "alice:" + world.PASSWORDS["alice"]
        with self.agent() as agent:
            for body in ((), ("--data-binary", "x" * 100000)):
                said = run_client(agent, "curl", "-sS", "--ntlm", "-u", user, "-w", "\n%{http_code}", *body, self.base + "/ntlm", no_proxy="").stdout
                answer, _, status = said.rpartition("\n")
                self.assertEqual(status, "200", said)
                self.assertEqual(json.loads(answer)["size"], 100000 if body else 0)
            with Wire.connect(agent.port) as wire:
                for _ in range(5):
                    self.assertEqual(wire.ask(get(self.base + "/ntlm")).status, 401)

    def test_two_clients_with_ntlm_towards_the_origin_do_not_share(self):
        user = "alice:" + world.PASSWORDS["alice"]
        url = self.base + "/ntlm"
        with self.agent() as agent:
            said = run_client(agent, "curl", "-sS", "--ntlm", "-u", user, url, url, url, no_proxy="").stdout
            mine = {json.loads(line)["connection"] for line in said.replace("}", "}\n").split("\n") if line}
            self.assertEqual(len(mine), 1)
            said = run_client(agent, "curl", "-sS", "--ntlm", "-u", user, url, no_proxy="").stdout
            self.assertNotIn(json.loads(said)["connection"], mine)


class ThroughNtlmTest(BytesTest, unittest.TestCase):
    base, host = HTTP, "origin.example"

    def agent(self):
        return agent_for("ntlm")

    def origin_log(self):
        return lab.origin_log()

    def test_the_origin_sees_no_trace_of_our_credentials(self):
        for kind, auth in (("ntlm", None), ("basic", "basic"), ("digest", None), ("krb", None)):
            with agent_for(kind, auth=auth) as agent:
                got = json.loads(ask(agent, self.base + "/echo").body)
            names = [name.lower() for name, _ in got["headers"]]
            self.assertFalse([name for name in names if name.startswith("proxy-")], kind)

    def test_what_the_client_says_to_the_proxy_is_dropped(self):
        with agent_for("none", auth="none") as agent:
            got = json.loads(ask(agent, self.base + "/echo", "Proxy-Authorization: Basic eDp5", "Proxy-Connection: keep-alive", "X-Kept: Yes").body)
        names = [name.lower() for name, _ in got["headers"]]
        self.assertNotIn("proxy-authorization", names)
        self.assertIn("x-kept", names)

    def test_git_push(self):
        with self.agent() as agent:
            for number, base in enumerate((HTTP, "https://origin.example")):
                folder = "%s/push-%d" % (agent.directory, number)
                run_client(agent, "git", "clone", "-q", base + "/git/small.git", folder)
                with open(folder + "/big.bin", "wb") as file:
                    file.write(os.urandom(3 * MEGABYTE))
                run_client(agent, "git", "-C", folder, "add", ".")
                run_client(agent, "git", "-C", folder, "-c", "user.name=alice", "-c", "user.email=alice@lab.example", "commit", "-q", "-m", "big")
                run_client(agent, "git", "-C", folder, "push", "-q", "origin", "HEAD:refs/heads/try-%d" % number)
                listed = run_client(agent, "git", "ls-remote", base + "/git/small.git", "refs/heads/try-%d" % number).stdout
                self.assertIn("refs/heads/try-%d" % number, listed)


class DirectTest(BytesTest, unittest.TestCase):
    base, host = NEAR_HTTP, NEAR

    @classmethod
    def setUpClass(cls):
        with open(world.LOGS + "/near.stdout", "w") as log:
            cls.origin = subprocess.Popen([world.PYTHON, "-B", os.path.join(world.HERE, "origin.py"), NEAR], stdin=subprocess.DEVNULL,
                                          stdout=log, stderr=log)
        wait_until(cls.answers, "the second origin")

    @staticmethod
    def answers():
        with socket.socket() as sock:
            return sock.connect_ex((NEAR, world.RAW_ECHO)) == 0

    @classmethod
    def tearDownClass(cls):
        cls.origin.kill()
        cls.origin.wait()

    def agent(self):
        return agent_for("ntlm", more="[route]\nno-proxy = %s\n" % NEAR)

    def origin_log(self):
        return lab.origin_log()

    def test_half_close_through_a_tunnel(self):
        """The server answers only after the client has said that it is done."""
        with self.agent() as agent, self.tunnel(agent, world.RAW_AFTER_EOF) as wire:
            for piece in content.pieces(3 * MEGABYTE):
                wire.send(piece)
            wire.shut()
            self.assertEqual(wire.read_to_end(), b"%d %s\n" % (3 * MEGABYTE, content.sha256(3 * MEGABYTE).encode()))

    def test_trailers_down(self):
        with self.agent() as agent:
            answer = ask(agent, self.base + "/trailers/100000")
            self.assertEqual((answer.body, answer.trailers), (content.data(100000), [("X-Sha256", content.sha256(100000))]))

    def test_trailers_up(self):
        with self.agent() as agent, Wire.connect(agent.port) as wire:
            wire.send(get(self.base + "/echo", "Transfer-Encoding: chunked", "Trailer: X-Sum", method="POST"))
            wire.send(chunked(b"abc", b"defg", trailers=["X-Sum: 7"]))
            got = json.loads(wire.read_response("POST").body)
            self.assertEqual((got["size"], got["trailers"]), (7, [["X-Sum", "7"]]))

    def test_no_tunnel_to_nowhere(self):
        with self.agent() as agent:
            page = connect(agent, NEAR + ":9")
            self.assertEqual(page.status, 502)
            self.assertIn(NEAR, page.text)
