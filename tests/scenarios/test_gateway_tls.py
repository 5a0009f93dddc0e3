"""Gateways that speak TLS to their clients: all that is true in clear is true there, and tokens are bound to the gateway's own certificate."""

import asyncio
import contextlib
import os
import re
import shutil
import socket
import ssl
import subprocess
import threading

import tls
from base import SITE, Scenario
from gates import Kerberos
from proxy import Open
from realm import Realm
from test_gateway_clients import CURL, PASSWORD, USERS


class Bridge:
    """Between a client and the gateway, with a certificate of its own: TLS on both sides, and everything passed on. In one loop, as a
    TLS connection that one thread reads while another writes loses its place."""

    def __init__(self, port, certificate):
        self.port = port
        self.near = tls.context(certificate)
        self.far = ssl.create_default_context(cafile=tls.authority().pem)
        self.loop = asyncio.new_event_loop()
        self.server = self.loop.run_until_complete(asyncio.start_server(self.carry, "127.0.0.1", 0, ssl=self.near))
        self.at = self.server.sockets[0].getsockname()[1]
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()

    async def carry(self, here, to_here):
        with contextlib.suppress(OSError), contextlib.closing(to_here):
            there, to_there = await asyncio.open_connection("127.0.0.1", self.port, ssl=self.far, server_hostname="localhost")
            with contextlib.closing(to_there):
                await asyncio.wait([asyncio.ensure_future(self.copy(*way)) for way in ((here, to_there), (there, to_here))], return_when=asyncio.FIRST_COMPLETED)

    @staticmethod
    async def copy(source, sink):
        with contextlib.suppress(OSError):
            while data := await source.read(65536):
                sink.write(data)
                await sink.drain()

    async def end(self):
        self.server.close()
        links = asyncio.all_tasks() - {asyncio.current_task()}
        for link in links:
            link.cancel()
        await asyncio.gather(*links, return_exceptions=True)

    def close(self):
        asyncio.run_coroutine_threadsafe(self.end(), self.loop).result()
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        self.loop.close()


class Tls(Scenario):
    def house(self, auth="ntlm digest basic", more="", certificate=None, env=None):
        self.onward = self.proxy(Open())
        certificate = certificate or tls.good()
        agent = self.agent(self.onward.upstream("auth = none") + "[gateway]\nlisten = https://localhost:0\nauth = %s\nusers = @DIR@/users\ndomain = CORP\n"
                           "certificate = @DIR@/gateway.pem\nkey = @DIR@/gateway.key\n%s" % (auth, more),
                           files={"users": USERS, "gateway.pem": certificate.text, "gateway.key": open(certificate.key).read()}, env=env)
        agent.wait_log(r"ready: gateway gateway on https://127")
        self.gate = int(re.search(r"ready: gateway gateway on https://127\.0\.0\.1:(\d+)", agent.log()).group(1))
        return agent

    def curl(self, *words, user="alice:" + PASSWORD, env=None):
        command = CURL + ["-o", "/dev/null", "-w", "%{http_connect} %{http_code}\n", "-x", "https://localhost:%d" % self.gate, "--proxy-cacert", tls.authority().pem,
                          "-U", user, *words]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=90, text=True, check=False, env=dict(os.environ, **(env or {})))
        return done.stdout.split("\n")[:-1], done.stderr

    def dial(self, **more):
        context = ssl.create_default_context(cafile=tls.authority().pem)
        raw = socket.create_connection(("127.0.0.1", self.gate), timeout=60)
        return context.wrap_socket(raw, server_hostname="localhost", **more)

    def client(self, port, scheme):
        user = "CORP\\\\alice" if scheme == "ntlm" else "alice"
        return self.agent("[upstream gate]\nproxy = https://localhost:%d\nca = %s\nauth = %s\nuser = %s\nsecret = file:@DIR@/secret\n" %
                          (port, tls.authority().pem, scheme, user.replace("\\\\", "\\")), secret=PASSWORD)

    def test_curl(self):
        agent = self.house()
        for option in ("--proxy-basic", "--proxy-digest", "--proxy-ntlm"):
            with self.subTest(option):
                self.assertEqual(self.curl(option, SITE + "/bytes/10", "-o", "/dev/null", SITE + "/bytes/10")[0], ["000 200", "000 200"], agent.log())
                self.assertTrue(self.curl(option, "-p", SITE + "/bytes/10")[0][0].startswith("200 "), agent.log())  # the far end only echoes
                self.assertEqual(self.curl(option, SITE + "/bytes/10", user="alice:wrong")[0], ["000 407"])

    def test_tickets(self):
        """curl's token says nothing of the certificate, exeat's does: both will do."""
        realm = self.stack.enter_context(Realm())
        agent = self.house("negotiate", "keytab = %s\n" % realm.keytab, env={"KRB5_CONFIG": realm.conf})
        lines, errors = self.curl("--proxy-negotiate", "--proxy-service-name", "HTTP", "--resolve", "proxy.corp.example:%d:127.0.0.1" % self.gate, "--proxy-insecure",
                                  "-x", "https://proxy.corp.example:%d" % self.gate, SITE + "/bytes/10", user=":", env=realm.ticket())
        self.assertEqual(lines, ["000 200"], errors + agent.log())
        client = self.agent("[upstream gate]\nproxy = https://localhost:%d\nca = %s\nauth = negotiate\nsecret = none\nspn = %s\n" %
                            (self.gate, tls.authority().pem, Kerberos.service), env=realm.ticket())
        self.assertEqual(self.ask(client, "/bytes/5").status, 200, client.log() + agent.log())

    def test_another_exeat(self):
        gateway = self.house()
        for scheme in ("ntlm", "digest", "basic"):
            with self.subTest(scheme):
                client = self.client(self.gate, scheme)
                for _ in range(2):
                    self.assertEqual(self.ask(client, "/bytes/5").status, 200, client.log() + gateway.log())
                self.echoes(self.tunnel(client))

    def test_another_certificate_in_between(self):
        """NTLM's token says which certificate the client has seen; Basic cannot."""
        gateway = self.house()
        bridge = Bridge(self.gate, tls.good("rsa"))
        self.addCleanup(bridge.close)
        client = self.client(bridge.at, "basic")
        self.assertEqual(self.ask(client, "/bytes/5").status, 200, client.log() + gateway.log())
        client = self.client(bridge.at, "ntlm")
        self.assertNotEqual(self.ask(client, "/bytes/5").status, 200)
        gateway.wait_log("NTLM: the handshake failed")

    def test_no_tls(self):
        agent = self.house()
        with socket.create_connection(("127.0.0.1", self.gate), timeout=60) as client:
            client.sendall(b"GET http://site.example/ HTTP/1.1\r\nHost: site.example\r\n\r\n")
            with contextlib.suppress(ConnectionResetError):
                while client.recv(4096):
                    pass
        self.assertEqual(self.curl("--proxy-basic", SITE + "/bytes/1")[0], ["000 200"], agent.log())

    def test_who_says_nothing_is_not_waited_for(self):
        self.house(more="head-timeout = 1s\n")
        for _ in range(2):
            with socket.create_connection(("127.0.0.1", self.gate), timeout=60) as client:
                self.assertEqual(client.recv(1), b"")

    def test_too_many_are_told_nothing_in_clear(self):
        self.house(more="connections-per-address = 1\n")
        with self.dial(), contextlib.suppress(ConnectionResetError):  # perhaps before it knows that it is connected
            with socket.create_connection(("127.0.0.1", self.gate), timeout=60) as second:
                self.assertEqual(second.recv(1), b"")

    def test_reload_brings_a_new_certificate(self):
        agent = self.house("basic")
        with self.dial() as client:
            self.assertEqual(client.getpeercert(True), tls.good().der)
        for name, source in (("gateway.pem", tls.good("rsa").pem), ("gateway.key", tls.good("rsa").key)):
            shutil.copyfile(source, os.path.join(agent.directory, name))
        with self.dial() as client:
            self.assertEqual(client.getpeercert(True), tls.good().der)
        self.assertEqual(agent.exeat("reload").returncode, 0, agent.log())
        with self.dial() as client:
            self.assertEqual(client.getpeercert(True), tls.good("rsa").der)
        with open(os.path.join(agent.directory, "gateway.pem"), "w") as file:
            file.write("nothing\n")
        for words in (("check", "--config", os.path.join(agent.directory, "exeat.conf")), ("reload",)):
            answer = agent.exeat(*words)
            self.assertNotEqual(answer.returncode, 0)
            self.assertRegex(str(answer.stderr) + str(answer.stdout), r"\[gateway\]: certificate: \S+gateway.pem has no certificate in it")
        with self.dial() as client:
            self.assertEqual(client.getpeercert(True), tls.good("rsa").der)

    def test_status(self):
        agent = self.house()
        self.assertIn("https://127.0.0.1:%d" % self.gate, str(agent.status()["gateways"][0]["listening"]))
