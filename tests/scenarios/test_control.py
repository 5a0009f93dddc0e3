"""The verbs that a person types: check, run --print-config, status, reload, stop, help; and how they end."""

import json
import os
import shutil
import signal
import socket
import stat
import tempfile
import threading
import unittest

import agent as lib_agent
import network
from agent import Agent, ended, wait_until
from base import AUTH, SITE, Scenario, corp
from behaviours import Silent
from gates import Basic, Digest, Ntlm
from ports import free_port
from proxy import Asks, Open
from wire import Wire, get

DONE, FAILED, USAGE, CONFIG, NO_AGENT, REFUSED, UNREACHABLE = range(7)
UPSTREAM = "[upstream corp]\nproxy = http://127.0.0.1:9\n"


class Idle(Scenario):
    """A directory with an environment for verbs, and no agent."""

    def nobody(self, **options):
        return self.stack.enter_context(Agent(options.pop("config", None), start=False, **options))

    def verb(self, place, code, *words, **options):
        answer = place.exeat(*words, **options)
        self.assertEqual(answer.returncode, code, "exeat %s: %s%s" % (" ".join(words), answer.stdout, answer.stderr))
        return answer


class Check(Idle):
    def check(self, text, code):
        place = self.nobody()
        path = place.write("x.conf", text)
        return self.verb(place, code, "check", "--config", path)

    def test_good(self):
        self.assertIn("ok", self.check(UPSTREAM, DONE).stdout)
        self.check("# a comment\n[listen]\nhttp = 127.0.0.1:0 [::1]:0 unix:/tmp/x   # another\n" + UPSTREAM + "auth = negotiate ntlm digest basic\n"
                   "user = CORP\\alice\nsecret = command:printf x\nspn = HTTP/proxy.corp.example\nclient-credentials = drop\nconnections = 5\n"
                   "dial-timeout = 3s\nanswer-timeout = 0\n[route]\nno-proxy = localhost 127.0.0.0/8 .internal.example [::1]\n[log]\nlevel = debug\n", DONE)

    def test_faults_name_file_line_and_the_nearest_name(self):
        for text, line, words in (
                ("[upstream corp]\nprox = http://a:1\n", 2, '"proxy"'),
                ("[upstrem corp]\nproxy = http://a:1\n", 1, '"upstream"'),
                (UPSTREAM + "auth = negotiate ntml\n", 3, "ntlm"),
                (UPSTREAM + "secret = keyrin\n", 3, "keyring"),
                (UPSTREAM + "user = a\nuser = b\n", 4, "user"),
                (UPSTREAM + "http = 127.0.0.1:1\n", 3, "listen"),
                ("[listen]\nhttp = 127.0.0.1:99999\n" + UPSTREAM, 2, "65535"),
                (UPSTREAM + "dial-timeout = soon\n", 3, "dial-timeout|soon"),
                ("[upstream corp]\nproxy = ftp://a:1\n", 2, "http"),
                ("[upstream corp]\nproxy = http://a:b@c:1\n", 2, "(?i)password|user"),
                ("nonsense\n", 1, "nonsense|section"),
                (UPSTREAM + "[upstream corp]\nproxy = http://b:1\n", 3, "corp"),
                ("[upstream corp]\nuser = a\n", 1, "proxy"),
                (UPSTREAM + "[log]\nlevel = lots\n", 4, "debug|info|lots"),
        ):
            with self.subTest(text):
                said = self.check(text, CONFIG)
                self.assertRegex(said.stderr, r"x\.conf:%d:" % line)
                self.assertRegex(said.stderr, words)

    def test_no_upstream(self):
        self.check("[listen]\nhttp = 127.0.0.1:0\n", CONFIG)

    def test_missing_file(self):
        self.assertIn("/nowhere/x.conf", self.verb(self.nobody(), CONFIG, "check", "--config", "/nowhere/x.conf").stderr)

    def test_usual_places(self):
        place = self.nobody()
        os.makedirs(os.path.join(place.directory, "home/.config/exeat"), exist_ok=True)
        place.write("home/.config/exeat/exeat.conf", UPSTREAM)
        self.assertIn("home/.config/exeat/exeat.conf", self.verb(place, DONE, "check").stdout)

    def test_run_refuses_what_check_refuses(self):
        place = self.nobody()
        path = place.write("x.conf", "[upstream corp]\nprox = http://a:1\n")
        said = self.verb(place, CONFIG, "run", "--config", path)
        self.assertRegex(said.stderr, r"x\.conf:2:.*\"proxy\"")

    def test_listener_beyond_this_machine(self):
        """Neither check nor run takes an address that others can reach, in any spelling, where nobody is named who may come."""
        place = self.nobody()
        for address in ("0.0.0.0:3128", "[::]:3128", "192.0.2.1:3128", "[::ffff:0.0.0.0]:3128", "[fe80::1]:3128", "host.example:3128", "127.0.0.1:0 0.0.0.0:0"):
            path = place.write("x.conf", "[listen]\nhttp = %s\n" % address + UPSTREAM)
            for verb in ("check", "run"):
                with self.subTest(address=address, verb=verb):
                    said = self.verb(place, CONFIG, verb, "--config", path)
                    self.assertRegex(said.stdout + said.stderr, r"x\.conf:2: http: .*(not an address of this machine alone.*say who may|is a name; write the address)")


class Environment(Idle):
    def printed(self, **env):
        return self.verb(self.nobody(env=env), DONE, "run", "--print-config").stdout

    def test_upstream(self):
        self.assertIn("127.0.0.1:7001", self.printed(EXEAT_UPSTREAM="http://127.0.0.1:7001", https_proxy="http://127.0.0.1:7002"))
        self.assertIn("127.0.0.1:7002", self.printed(https_proxy="http://127.0.0.1:7002", http_proxy="http://127.0.0.1:7003"))
        self.assertIn("127.0.0.1:7003", self.printed(http_proxy="http://127.0.0.1:7003"))

    def test_never_itself(self):
        place = self.nobody(env={"https_proxy": "http://127.0.0.1:3128", "http_proxy": "http://localhost:3128"})
        said = self.verb(place, CONFIG, "run", "--print-config")
        self.assertRegex(said.stderr, "EXEAT_UPSTREAM|exeat.conf")

    def test_nothing_at_all(self):
        said = self.verb(self.nobody(), CONFIG, "run")
        self.assertRegex(said.stderr, "EXEAT_UPSTREAM")
        self.assertRegex(said.stderr, r"exeat\.conf")

    def test_effective_settings(self):
        place = self.nobody()
        path = place.write("x.conf", UPSTREAM + "user = CORP\\alice\n")
        said = self.verb(place, DONE, "run", "--print-config", "--config", path).stdout
        self.assertRegex(said, r"(?m)^user = .*alice")
        self.assertRegex(said, r"x\.conf:3")
        self.assertRegex(said, r"(?m)^auth = negotiate ntlm digest")
        self.assertRegex(said, r"(?i)default")


class WithoutAgent(Idle):
    def test_verbs_say_so(self):
        place = self.nobody()
        for words in (("status",), ("status", "--json"), ("reload",), ("stop",)):
            self.assertRegex(self.verb(place, NO_AGENT, *words).stderr, "(?i)no agent|not running|exeat run")

    def test_dead_socket(self):
        place = self.nobody()
        os.makedirs(os.path.join(place.directory, "runtime", "exeat"), 0o700)
        dead = socket.socket(socket.AF_UNIX)
        dead.bind(os.path.join(place.directory, "runtime", "exeat", "control"))
        dead.close()
        self.verb(place, NO_AGENT, "status")

    def test_usage(self):
        place = self.nobody()
        for words, hint in ((("statsu",), "status"), (("status", "--jsn"), "--json"), (("run", "--config"), "value|needs"), (("status", "extra"), "extra"), ((), "Usage")):
            self.assertRegex(self.verb(place, USAGE, *words).stderr, hint)

    def test_help(self):
        place = self.nobody()
        overview = self.verb(place, DONE, "help").stdout
        for name in ("run", "check", "login", "logout", "accept", "status", "reload", "stop", "connect", "help"):
            self.assertRegex(overview, r"(?m)^  %s " % name)
            self.assertIn("Usage: exeat " + name, self.verb(place, DONE, "help", name).stdout)
            self.assertEqual(self.verb(place, DONE, name, "--help").stdout, self.verb(place, DONE, "help", name).stdout)
        codes = self.verb(place, DONE, "help", "exit-codes").stdout
        for code in range(7):
            self.assertRegex(codes, r"(?m)^ +%d " % code)
        self.assertRegex(self.verb(place, DONE, "--version").stdout, r"^exeat \d+\.\d+\.\d+\n$")

    def test_sample_of_help_is_a_good_configuration(self):
        place = self.nobody()
        path = place.write("sample.conf", self.verb(place, DONE, "help", "configuration").stdout)
        self.verb(place, DONE, "check", "--config", path)


class Running(Scenario):
    def test_status(self):
        gate = Digest()
        proxy, agent = self.both(Asks(gate), corp("digest", "alice", more="spares = 0"))  # else there may be a connection under way
        self.ask(agent, method="POST", body=b"x" * 5000)
        self.ask(agent, "/bytes/9000")
        tunnel = self.tunnel(agent)
        self.echoes(tunnel, b"y" * 100)
        status = agent.status()
        self.assertEqual(status["pid"], agent.pid)
        self.assertEqual(status["config"], agent.config_path)
        self.assertRegex(" ".join(status["listening"]), "127.0.0.1:%d" % agent.port)
        self.assertEqual([(u["name"], u["identity"]) for u in status["upstreams"]], [("corp", "alice")])
        self.assertRegex(status["upstreams"][0]["scheme"], "Digest")
        self.assertIn(proxy.address, status["upstreams"][0]["proxies"][0]["proxy"])
        counters = status["counters"]
        self.assertEqual((counters["requests"], counters["tunnels"], counters["challenges"], counters["refusals"]), (3, 1, 1, 0))
        self.assertEqual(counters["connections"], len(proxy.connections))
        self.assertGreaterEqual(counters["bytes_up"], 5100)
        self.assertGreaterEqual(counters["bytes_down"], 9100)
        self.assertEqual(status["tunnels_open"], 1)
        text = agent.exeat("status", check=True).stdout
        for words in ("corp", "alice", "Digest", str(agent.port), str(proxy.port)):
            self.assertIn(words, text)

    def test_status_counts_407s_as_the_proxy_does(self):
        behaviour = Asks(Ntlm())
        proxy, agent = self.both(behaviour, corp("ntlm", more="spares = 0"))  # else there may be one under way
        for _ in range(3):
            self.ask(agent)
            self.tunnel(agent)
        counters = agent.status()["counters"]
        self.assertEqual((counters["challenges"], counters["connections"]), (behaviour.asked, len(proxy.connections)))

    def test_status_after_a_refusal(self):
        _, agent = self.both(Asks(Basic()), corp("basic", "alice"), secret="wrong")
        self.ask(agent)
        status = agent.status()
        self.assertEqual(status["counters"]["refusals"], 1)
        self.assertRegex(json.dumps(status["upstreams"]), "(?i)refus")
        self.assertRegex(agent.exeat("status", check=True).stdout, r"what to do +\S+")

    def test_reload(self):
        first, second = self.proxy(Open()), self.proxy(Open())
        agent = self.agent(first)
        client = self.wire(agent)
        client.ask(get(SITE + "/echo"))
        agent.configure(second.upstream())
        agent.reload()
        self.assertEqual(client.ask(get(SITE + "/echo")).status, 200)
        self.assertEqual((len(first.requests), len(second.requests)), (1, 1))
        os.kill(agent.pid, signal.SIGHUP)
        self.assertEqual(self.ask(agent).status, 200)

    def test_reload_of_a_wrong_configuration_changes_nothing(self):
        proxy, agent = self.both(Open())
        agent.configure("[upstream corp]\nprox = http://127.0.0.1:1\n")
        answer = agent.exeat("reload")
        self.assertEqual(answer.returncode, CONFIG)
        self.assertRegex(answer.stderr, r"exeat\.conf:\d+:.*\"proxy\"")
        self.assertEqual(self.ask(agent).status, 200)

    def test_reload_with_another_listener(self):
        proxy = self.proxy(Open())
        old, new = free_port(), free_port()
        agent = self.agent("[listen]\nhttp = 127.0.0.1:%d\n" % old + proxy.upstream())
        client = self.wire(agent)
        agent.configure("[listen]\nhttp = 127.0.0.1:%d 127.0.0.1:%d\n" % (old, new) + proxy.upstream())
        agent.reload()
        for agent.port in (old, new):
            self.assertEqual(self.ask(agent).status, 200)
        agent.configure("[listen]\nhttp = 127.0.0.1:%d\n" % new + proxy.upstream())
        agent.reload()
        self.assertEqual(self.ask(agent).status, 200)
        self.assertTrue(client.closed())  # it was idle, and came by the one that is gone
        with self.assertRaises(ConnectionRefusedError):
            Wire.connect(old)

    def test_stop(self):
        proxy, agent = self.both(Open())
        tunnel = self.tunnel(agent)
        keys = wait_until(agent.keys_pid, "the keyholder")
        answer = agent.exeat("stop")
        self.assertEqual(answer.returncode, DONE, answer.stderr)
        agent.wait_end(0)
        self.assertTrue(tunnel.closed())
        wait_until(lambda: ended(keys), "the end of the keyholder")
        self.assertEqual(os.listdir(os.path.join(agent.directory, "runtime", "exeat")), [])

    def test_signals(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            _, agent = self.both(Open())
            tunnel = self.tunnel(agent)
            self.ask(agent)
            agent.stop(number)
            self.assertTrue(tunnel.closed())

    def test_stops_in_the_middle_of_everything(self):
        """With requests in every state: none may keep it, none may crash it."""
        hold = threading.Event()
        proxy = self.proxy(Asks(Ntlm(), hold=hold))
        silent = self.proxy(Silent())
        agent = self.agent(proxy.upstream(corp("ntlm")) + "[route]\nno-proxy = 127.0.0.1\n")
        clients = [self.wire(agent) for _ in range(6)]
        clients[0].send(get(SITE + "/echo"))
        wait_until(lambda: proxy.behaviour.total() == 1, "the last token")
        clients[1].send(get(SITE + "/echo", "Content-Length: 100000", method="POST", body=b"x" * 70000))
        clients[2].send(get("http://%s/" % silent.address))
        clients[3].send(get(silent.address, method="CONNECT"))
        clients[4].send(b"GET http://half")
        silent.wait(lambda: len(silent.connections) == 2)
        agent.stop()
        hold.set()
        silent.behaviour.release.set()
        proxy.errors.clear()

    def test_second_agent_is_refused(self):
        proxy, agent = self.both(Open())
        path = agent.write("second.conf", "[listen]\nhttp = 127.0.0.1:0\n" + proxy.upstream())
        answer = agent.exeat("run", "--config", path)
        self.assertNotEqual(answer.returncode, 0)
        self.assertRegex(answer.stderr, "(?i)already|another agent|running")
        self.assertEqual(agent.status()["pid"], agent.pid)
        self.assertEqual(self.ask(agent).status, 200)

    def test_port_in_use(self):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            with self.assertRaises(lib_agent.AgentError) as caught:
                self.agent("[listen]\nhttp = 127.0.0.1:%d\n" % taken.getsockname()[1] + UPSTREAM)
            self.assertRegex(str(caught.exception), str(taken.getsockname()[1]))

    def test_without_the_keyholder(self):
        """One program of the two alone would answer each request with a page of its own."""
        with tempfile.TemporaryDirectory() as d:
            shutil.copy(os.path.join(lib_agent.build_directory(), "exeat"), d)
            with self.assertRaises(lib_agent.AgentError) as caught:
                self.agent(UPSTREAM, build=d)
        self.assertRegex(str(caught.exception), "cannot find the program exeat-keys beside exeat or in .*; install both together")

    def test_files(self):
        _, agent = self.both(Open())
        place = os.path.join(agent.directory, "runtime", "exeat")
        self.assertEqual(stat.S_IMODE(os.stat(place).st_mode), 0o700)
        for name in ("control", "keys"):
            path = os.path.join(place, name)
            wait_until(lambda p=path: os.path.exists(p), name)
            mode = os.stat(path).st_mode
            self.assertTrue(stat.S_ISSOCK(mode))
            self.assertEqual(stat.S_IMODE(mode), 0o600, name)

    def test_nonsense_on_the_control_socket(self):
        _, agent = self.both(Open())
        for data in (b"\n", b"nonsense\n", b"[]\n", b"{}\n", b'{"verb": 5}\n', b'{"verb": "dance"}\n', b"\0\xff\n", b"{" * 100000 + b"\n", b"[" * 100000 + b"\n", b"x" * 3000000):
            with self.subTest(data[:20]), socket.socket(socket.AF_UNIX) as link:
                link.settimeout(30)
                link.connect(os.path.join(agent.directory, "runtime", "exeat", "control"))
                try:
                    link.sendall(data)
                    link.shutdown(socket.SHUT_WR)
                    answer = b""
                    while part := link.recv(65536):
                        answer += part
                except (BrokenPipeError, ConnectionResetError):
                    continue
                for line in answer.splitlines():
                    self.assertFalse(json.loads(line)["ok"])
        self.assertEqual(agent.status()["pid"], agent.pid)

    def test_nonsense_on_the_keys_socket(self):
        _, agent = self.both(Asks(Basic()), corp("basic", "alice"))
        keys = wait_until(agent.keys_pid, "the keyholder")
        path = os.path.join(agent.directory, "runtime", "exeat", "keys")
        wait_until(lambda: os.path.exists(path), "its socket")
        for data in (b"", b"\0", b"\xff" * 100, b"\0\0\0\1\xff", b"\0\0\xff\xff" + b"x" * 100, b"\xff\xff\xff\xff" + b"x" * 1000, b"x" * 3000000):
            with self.subTest(data[:20]), socket.socket(socket.AF_UNIX) as link:
                link.settimeout(30)
                link.connect(path)
                try:
                    link.sendall(data)
                    link.shutdown(socket.SHUT_WR)
                    while link.recv(65536):
                        pass
                except (BrokenPipeError, ConnectionResetError):
                    pass
        self.assertEqual(agent.keys_pid(), keys)
        self.assertEqual(self.ask(agent).status, 200)


@unittest.skipUnless(os.geteuid() == 0, "only root makes networks")
class WithoutIpv6(Scenario):
    def setUp(self):
        network_of_ours = network.private()
        network_of_ours.__enter__()
        self.addCleanup(network_of_ours.__exit__, None, None, None)
        network.ip("-6", "address", "del", "::1/128", "dev", "lo")

    def test_the_default_is_what_there_is(self):
        proxy = self.proxy(Open())
        agent = self.agent("[listen]\nallow-uids = self root\n" + proxy.upstream())
        self.assertEqual(agent.status()["listening"], ["127.0.0.1:3128"])
        self.assertEqual(self.ask(agent).status, 200)
        self.assertIn("no IPv6: nothing listens on [::1]:3128", agent.log())
        agent.configure("[listen]\nhttp = [::1]:3128 127.0.0.1:3128\nsocks = [::1]:0 127.0.0.1:0\n" + proxy.upstream())
        agent.reload()
        self.assertEqual((len(agent.status()["listening"]), len(agent.status()["socks"])), (1, 1))

    def test_nothing_else_to_listen_on(self):
        agent = self.agent("[listen]\nhttp = [::1]:0 [::1]:0\nsocks = 127.0.0.1:0\n[upstream corp]\nproxy = http://127.0.0.1:9\n", ready=False)
        agent.wait_end(FAILED)
        self.assertIn("cannot listen on ::1:0", agent.log())


@unittest.skipUnless(os.geteuid() == 0, "only root can be another user")
class OtherUsers(Scenario):
    """The sockets' modes keep other users away; should these ever be wider, the peers are looked at as well."""

    def reached_by_nobody(self, name, data):
        """What the agent's socket says to another user, with all doors on the way open."""
        _, agent = self.both(Asks(Basic()), corp("basic", "alice"))
        place = os.path.join(agent.directory, "runtime", "exeat")
        path = os.path.join(place, name)
        wait_until(lambda: os.path.exists(os.path.join(place, "keys")), "the keyholder, which comes last")
        for folder in (agent.directory, os.path.dirname(place), place):
            os.chmod(folder, 0o711)
        os.chmod(path, 0o666)
        answer = b""
        with socket.socket(socket.AF_UNIX) as link:
            os.seteuid(65534)
            try:
                link.settimeout(30)
                link.connect(path)
            finally:
                os.seteuid(0)
            try:
                link.sendall(data)
                while part := link.recv(65536):
                    answer += part
            except (BrokenPipeError, ConnectionResetError):
                pass
        self.assertEqual(self.ask(agent).status, 200)
        return agent, answer

    def test_control_socket(self):
        agent, answer = self.reached_by_nobody("control", b'{"verb": "status"}\n')
        self.assertFalse(json.loads(answer or b'{"ok": false}')["ok"])
        self.assertRegex(agent.log(), "a process of another user was turned away")

    def test_keys_socket(self):
        agent, answer = self.reached_by_nobody("keys", b"\0\0\0\5\x07\0\0\0\1")
        self.assertEqual(answer, b"")
        self.assertRegex(agent.log(), "another user tried to reach the login socket")


class Login(Scenario):
    """Without a keyring on the bus: the secret = prompt provider keeps what login gave in memory."""

    def test_right_password(self):
        gate = Ntlm()
        _, agent = self.both(Asks(gate), corp("ntlm", secret="prompt"))
        before = self.own(self.ask(agent), 502, None, "exeat login")
        self.assertIsNone(before.get("Proxy-Authenticate"))
        answer = agent.exeat("login", "corp", "--stdin", input="secret\n")
        self.assertEqual(answer.returncode, DONE, answer.stdout + answer.stderr)
        self.assertEqual((gate.attempts, gate.failed), (1, 0))
        self.assertEqual(self.ask(agent).status, 200)
        self.tunnel(agent)

    def test_wrong_password_is_tried_once_and_not_kept(self):
        for scheme, gate in (("ntlm", Ntlm()), ("basic", Basic()), ("digest", Digest())):
            with self.subTest(scheme):
                _, agent = self.both(Asks(gate), corp(AUTH[scheme], "CORP\\alice" if scheme == "ntlm" else "alice", secret="prompt"))
                answer = agent.exeat("login", "corp", "--stdin", input="wrong\n")
                self.assertEqual(answer.returncode, REFUSED, answer.stdout + answer.stderr)
                self.own(self.ask(agent), 502)
                self.assertEqual((gate.attempts, gate.failed), (1, 1))
                answer = agent.exeat("login", "corp", "--stdin", input="secret\n")
                self.assertEqual(answer.returncode, DONE, answer.stdout + answer.stderr)
                self.assertEqual(self.ask(agent).status, 200)
                self.assertEqual(gate.failed, 1)

    def test_unreachable_upstream(self):
        proxy = self.proxy(Asks(Ntlm()))
        agent = self.agent(proxy.upstream(corp("ntlm", secret="prompt")))
        proxy.stop_listening()
        answer = agent.exeat("login", "corp", "--stdin", input="secret\n")
        self.assertIn(answer.returncode, (DONE, UNREACHABLE))
        self.assertRegex(answer.stdout + answer.stderr, "(?i)not.*(reach|tried)|could not")

    def test_logout(self):
        gate = Ntlm()
        _, agent = self.both(Asks(gate), corp("ntlm", secret="prompt"))
        agent.exeat("login", "corp", "--stdin", input="secret\n", check=True)
        self.assertEqual(self.ask(agent).status, 200)
        answer = agent.exeat("logout", "corp")
        self.assertEqual(answer.returncode, DONE, answer.stderr)
        self.own(self.ask(agent), 502, None, "exeat login")

    def test_unknown_upstream(self):
        _, agent = self.both(Asks(Ntlm()), corp("ntlm", secret="prompt"))
        answer = agent.exeat("login", "crop", "--stdin", input="secret\n")
        self.assertIn(answer.returncode, (USAGE, CONFIG, FAILED))
        self.assertIn("corp", answer.stderr)

    def test_keyring_without_a_bus_says_what_to_use(self):
        _, agent = self.both(Asks(Ntlm()), corp("ntlm", secret="keyring"))
        answer = agent.exeat("login", "corp", "--stdin", input="secret\n")
        self.assertRegex(answer.stdout + answer.stderr, "(?i)keyring|secret service")
        self.assertRegex(answer.stdout + answer.stderr, "prompt|file:|command:")

    def test_secret_by_command(self):
        gate = Ntlm()
        _, agent = self.both(Asks(gate), corp("ntlm", secret="command:cat @DIR@/secret"))
        self.assertEqual(self.ask(agent).status, 200)

    def test_secret_by_credential(self):
        proxy = self.proxy(Asks(Ntlm()))
        agent = self.stack.enter_context(Agent(proxy.upstream(corp("ntlm", secret="credential:proxy")), files={"proxy": "secret"}, start=False))
        agent.env["CREDENTIALS_DIRECTORY"] = agent.directory
        agent.start()
        self.assertEqual(self.ask(agent).status, 200)
