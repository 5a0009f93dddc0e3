"""A PAC script decides where requests go: the real exeat-pac, scripts of every kind, and scripted proxies that write down what comes to them."""

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import tempfile
import unittest

import agent as lib_agent
import tls as lib_tls
from agent import processes, wait_until
from base import Later, Scenario, corp, together
from gates import Basic
from onward import Pair, SocksServer
from ports import free_port
from proxy import Asks, Open
from wire import Wire, get

HERE = os.path.isfile(os.path.join(lib_agent.build_directory(), "exeat-pac"))
LOOPS = "if (host.indexOf('loop') == 0) for (;;);"


def find(body, before=""):
    return "%s\nfunction FindProxyForURL(url, host) {\n%s\n}\n" % (before, body)


def say(answer):
    return find("return %s;" % json.dumps(answer))


@unittest.skipUnless(HERE, "exeat-pac was not built")
class Pac(Scenario):
    def by_script(self, script, upstreams, route="", files=None, **options):
        config = upstreams + "[route]\npac = @DIR@/proxy.pac\n" + route
        return self.agent(config, files=dict(files or {}, **{"proxy.pac": script}), **options)

    def two(self, script, route="", **options):
        """The proxy of the configuration and one that only the script names; A and B in the script."""
        a, b = self.proxy(Open(), name="a"), self.proxy(Open(), name="b")
        script = script.replace("{A}", a.address).replace("{B}", b.address)
        return a, b, self.by_script(script, a.upstream(), route, **options)

    def pac(self, agent):
        return json.loads(agent.exeat("status", "--json", check=True).stdout)["pac"]

    def helper(self, agent):
        """The exeat-pac of this agent: a child of its starter."""
        def look():
            seen = list(processes())
            ours = {pid for pid, parent, _name in seen if parent == agent.pid}
            return next((pid for pid, parent, name in seen if name == "exeat-pac" and parent in ours), None)

        return wait_until(look, "exeat-pac")


class Decisions(Pac):
    def test_the_script_decides_rules_come_first(self):
        a, b, agent = self.two(find("return shExpMatch(host, '*.b.example') ? 'PROXY {B}' : 'PROXY {A}';"), "rule = x.b.example corp\n")
        for host in ("www.b.example", "www.example", "x.b.example"):
            self.assertEqual(self.ask(agent, host=host).status, 200)
        self.echoes(self.tunnel(agent, "y.b.example:443"))
        self.assertEqual([r.target for r in b.requests], ["http://www.b.example/echo", "y.b.example:443"])
        self.assertEqual([r.target for r in a.requests], ["http://www.example/echo", "http://x.b.example/echo"])

    def test_direct(self):
        origin = self.proxy(Open(), name="origin")
        a, _, agent = self.two(find("return 'DIRECT';"))
        self.assertEqual(self.ask(agent, host=origin.address).status, 200)
        self.assertEqual((len(origin.requests), a.requests), (1, []))
        self.assertTrue(origin.requests[0].target.startswith("/"))

    def test_the_next_entry_when_one_is_down(self):
        down = self.proxy(Open(), name="down")
        down.stop_listening()
        _, b, agent = self.two(say("PROXY %s; PROXY {B}" % down.address))
        self.assertEqual([self.ask(agent).status for _ in range(5)], [200] * 5)
        self.assertEqual(self.ask(agent, method="POST", body=b"x" * 300000).status, 200)
        self.assertEqual(len(b.requests), 6)
        self.assertLessEqual(agent.log().count("; trying "), 3)  # it sleeps

    def test_its_proxies_keep_their_connections(self):
        _, b, agent = self.two(say("PROXY {B}"))
        for _ in range(4):
            self.assertEqual(self.ask(agent).status, 200)
        self.assertEqual(len(b.connections), 1)

    def test_entries_that_are_no_good_are_skipped(self):
        _, b, agent = self.two(say("PROXY; QUIC x:1; PROXY u:secret@h:1; PROXY h:99999; SOCKS4 127.0.0.1:1; PROXY {B}"))
        self.assertEqual(self.ask(agent).status, 200)
        self.assertEqual(len(b.requests), 1)
        said = agent.exeat("route", "http://www.example/", check=True).stdout
        self.assertRegex(said, r'The entry "QUIC x:1" is skipped')
        self.assertNotIn("secret", said.split("is skipped", 1)[1])

    def test_ourselves_are_no_way_out(self):
        """Each request would go round in a circle."""
        ports = [free_port() for _ in range(3)]
        b = self.proxy(Open(), name="b")
        names = "PROXY localhost:%d; PROXY 127.0.0.1:%d; SOCKS5 127.0.0.1:%d; PROXY 127.0.0.1:%d; " % (ports[0], *ports)
        agent = self.by_script(say(names + "PROXY " + b.address), "[listen]\nhttp = 127.0.0.1:%d\nsocks = 127.0.0.1:%d\n" % tuple(ports[:2]) + b.upstream()
                               + "[forward f]\nlisten = 127.0.0.1:%d\ntarget = db.example:5432\n" % ports[2])
        self.assertEqual(self.ask(agent).status, 200)
        self.assertEqual(len(b.requests), 1)
        self.assertEqual(agent.exeat("route", "http://x.example/", check=True).stdout.count("is skipped: that is this agent itself."), 4)
        self.assertNotIn("; trying", agent.log())

    def test_an_entry_that_stands_twice_is_tried_once(self):
        down = self.proxy(Open(), name="down")
        down.stop_listening()
        _, b, agent = self.two(say("PROXY %s; " % down.address * 10 + "PROXY {B}; DIRECT; DIRECT"))
        self.assertEqual(self.ask(agent).status, 200)
        self.assertEqual(agent.log().count("; trying "), 1)
        self.assertEqual(agent.exeat("route", "http://x.example/", check=True).stdout.count("direct to"), 1)

    def test_https_shows_host_and_port_alone(self):
        a, _, agent = self.two(find("alert(url + ' ' + host); return 'PROXY {A}';"), "[log]\nlevel = debug\n")
        self.ask(agent, "/path?query")
        self.tunnel(agent, "www.example:443")
        self.tunnel(agent, "www.example:8443")
        told = re.findall(r"the PAC script says: (.*)", agent.log())
        self.assertEqual(told, ["http://site.example/path?query site.example", "https://www.example/ www.example", "https://www.example:8443/ www.example"])

    def test_answers_are_remembered(self):
        _, _, agent = self.two(say("PROXY {A}"))
        for _ in range(5):
            self.tunnel(agent, "www.example:443").close()
        self.assertEqual([self.pac(agent)[key] for key in ("questions", "remembered", "kills")], [1, 4, 0])

    def test_a_body_and_pipelined_requests_wait_for_the_decision(self):
        _, b, agent = self.two(find("var end = Date.now() + 300; while (Date.now() < end); return 'PROXY {B}';"))
        wire = self.wire(agent)
        wire.send(get("http://site.example/echo", method="POST", body=b"y" * 200000) + get("http://other.example/echo"))
        answer = wire.read_response("POST")
        self.assertEqual((answer.status, json.loads(answer.text)["length"]), (200, 200000))
        self.assertEqual(wire.read_response("GET").status, 200)
        self.assertEqual(len(b.requests), 2)

    def test_socks_clients_and_fixed_tunnels_go_the_same_way(self):
        a, b = self.proxy(Open(), name="a"), self.proxy(Open(), name="b")
        agent = self.by_script(say("PROXY " + b.address), "[listen]\nhttp = 127.0.0.1:0\nsocks = unix:@DIR@/socks\n" + a.upstream()
                               + "[forward f]\nlisten = unix:@DIR@/fixed\ntarget = db.example:5432\n")
        fixed = socket.socket(socket.AF_UNIX)
        fixed.connect(os.path.join(agent.directory, "fixed"))
        b.wait_requests(1)
        fixed.close()
        socks = socket.socket(socket.AF_UNIX)
        socks.connect(os.path.join(agent.directory, "socks"))
        socks.sendall(b"\x05\x01\x00")
        self.assertEqual(socks.recv(2), b"\x05\x00")
        socks.sendall(b"\x05\x01\x00\x03\x0bssh.example\x00\x16")
        b.wait_requests(2)
        socks.close()
        self.assertEqual([r.target for r in b.requests], ["db.example:5432", "ssh.example:22"])
        self.assertEqual(a.requests, [])


class Failures(Pac):
    def test_a_script_that_cannot_be_read(self):
        a, _, agent = self.two("function FindProxyForURL(url, host) { return 'DIRECT';\n", "pac-failure = block\n")
        self.own(self.ask(agent), 502, "proxy_configuration_error", r"proxy\.pac")
        self.tunnel(agent, expect=502)
        self.assertEqual(a.requests, [])
        pac = self.pac(agent)
        self.assertIn("proxy.pac", pac["failure"] + pac["error"])
        self.assertNotEqual(pac["state"], "good")

    def test_an_exception_names_file_and_line(self):
        a, _, agent = self.two(find("\n\nnot_there();"), "pac-failure = block\n")
        self.own(self.ask(agent), 502, "proxy_configuration_error", r"proxy\.pac:\d+", "pac-failure")
        self.assertRegex(agent.exeat("status", check=True).stdout, r"last failure +.*proxy\.pac:\d+")
        self.assertEqual(self.pac(agent)["state"], "fails")

    def test_the_first_upstream_where_nothing_was_said_before(self):
        a, _, agent = self.two(find("not_there();"))
        self.assertEqual(self.ask(agent).status, 200)
        self.assertEqual(len(a.requests), 1)
        agent.wait_log(r"the PAC script failed, so upstream corp")

    def test_what_it_said_last(self):
        """Its answers hold for minutes; a new network makes it be asked again."""
        script = find("if (bad) not_there(); return 'PROXY {B}';", "var bad = false;")
        a, b, agent = self.two(script)
        self.assertEqual(self.ask(agent).status, 200)
        agent.write("proxy.pac", find("not_there();"))
        agent.process.send_signal(signal.SIGHUP)
        wait_until(lambda: "configuration read again" in agent.log(), "the reload")
        wait_until(lambda: self.ask(agent).status == 200 and "the PAC script failed, so PAC: PROXY" in agent.log(), "a failure")
        self.assertEqual(a.requests, [])
        self.assertEqual(self.ask(agent, host="new.example").status, 200)
        self.assertEqual(len(a.requests), 1)

    def test_direct(self):
        origin = self.proxy(Open(), name="origin")
        a, _, agent = self.two(find("not_there();"), "pac-failure = direct\n")
        self.assertEqual(self.ask(agent, host=origin.address).status, 200)
        self.assertEqual((len(origin.requests), a.requests), (1, []))
        agent.wait_log(r"\(pac-failure = direct")

    def test_no_file(self):
        a = self.proxy(Open())
        agent = self.agent(a.upstream() + "[route]\npac = @DIR@/none.pac\npac-failure = block\n")
        self.own(self.ask(agent), 502, "proxy_configuration_error", "none.pac")
        self.assertEqual(self.pac(agent)["state"], "cannot be had")

    def test_rubbish(self):
        for answer in ("'QUIC'", "null", "42", "'PROXY'", "'x'.repeat(70000)", "{}"):
            a, _, agent = self.two(find("return %s;" % answer), "pac-failure = block\n")
            with self.subTest(answer):
                self.own(self.ask(agent), 502, "proxy_configuration_error")
                self.assertEqual(a.requests, [])

    def test_a_script_that_loops_costs_its_own_questions_alone(self):
        a, _, agent = self.two(find(LOOPS + "return 'PROXY {A}';"), "pac-failure = block\n")
        self.assertEqual(self.ask(agent).status, 200)
        pid = self.helper(agent)
        looping = Later(lambda: self.ask(agent, host="loop.example"))
        answers = together(30, lambda i: self.ask(agent, host="site%d.example" % i))
        self.own(looping.result(), 502, "proxy_configuration_error", "more than 2 seconds|no answer after 10 seconds")  # of the processor, or on a clock
        self.assertEqual([answer.status for answer in answers], [200] * 30)
        self.assertGreaterEqual(self.pac(agent)["kills"], 1)
        wait_until(lambda: lib_agent.ended(pid), "the end of the one that looped")

    def test_a_script_that_grows(self):
        script = find("if (host == 'grow.example') { var all = []; for (;;) all.push(new Array(100000).fill(Math.random())); } return 'PROXY {A}';")
        _, _, agent = self.two(script, "pac-failure = block\n")
        self.own(self.ask(agent, host="grow.example"), 502, "proxy_configuration_error")
        self.assertEqual(self.ask(agent).status, 200)

    def test_the_program_is_killed(self):
        _, _, agent = self.two(say("PROXY {A}"), "pac-failure = block\n")
        self.assertEqual(self.ask(agent).status, 200)
        pid = self.helper(agent)
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: self.pac(agent)["kills"] == 1, "the news")
        self.assertEqual(self.ask(agent, host="new.example").status, 200)

    def test_a_loop_ends_when_the_agent_does(self):
        """exeat-pac does not listen while its script runs: the starter ends it."""
        _, _, agent = self.two(find(LOOPS + "return 'PROXY {A}';"))
        wire = self.wire(agent)
        wire.send(get("http://loop.example/"))
        pid = self.helper(agent)
        wait_until(lambda: lib_agent.cpu_seconds(pid) > 0.3, "the loop")
        agent.process.kill()
        agent.process.wait()
        agent._status_checked = True
        wait_until(lambda: lib_agent.ended(pid), "its end")

    def test_the_starter_is_killed(self):
        """What runs by it ends with it, and no other can be started any more: said in words, and what is remembered still holds."""
        _, _, agent = self.two(say("PROXY {A}"), "pac-failure = block\n")
        self.assertEqual(self.ask(agent).status, 200)
        pid = self.helper(agent)
        starter = next(parent for one, parent, _name in processes() if one == pid)
        os.kill(starter, signal.SIGKILL)
        wait_until(lambda: lib_agent.ended(pid), "the end of exeat-pac")
        wait_until(lambda: self.pac(agent)["processes"] == 0, "the news")
        self.own(self.ask(agent, host="new.example"), 502, "proxy_configuration_error", "exeat-pac")
        wait_until(lambda: "stop exeat and start it again" in self.ask(agent, host="new.example").text, "the reason")

    def test_requests_that_are_cancelled_while_it_runs(self):
        a, _, agent = self.two(find("var end = Date.now() + (host == 'slow.example' ? 1500 : 0); while (Date.now() < end); return 'PROXY {A}';"))
        wires = [self.wire(agent) for _ in range(40)]
        for i, wire in enumerate(wires):
            wire.send(get("http://slow.example/") if i % 2 else get("slow.example:80", method="CONNECT"))
        wait_until(lambda: agent.status()["clients"] == 40 and self.pac(agent)["questions"] > 0, "the question")
        for wire in wires:
            wire.reset()
        wait_until(lambda: agent.status()["clients"] == 0, "the end of the clients")
        self.assertEqual(self.ask(agent).status, 200)
        self.assertEqual(self.ask(agent, host="slow.example").status, 200)
        self.assertEqual([r.target for r in a.requests], ["http://site.example/echo", "http://slow.example/echo"])

    def test_questions_that_nobody_waits_for_any_more_are_not_asked(self):
        a, _, agent = self.two(find("var end = Date.now() + (host.indexOf('slow') == 0 ? 1000 : 0); while (Date.now() < end); return 'PROXY {A}';"))
        self.assertEqual(self.ask(agent).status, 200)
        wires = [self.wire(agent) for _ in range(60)]
        for i, wire in enumerate(wires):
            wire.send(get("http://slow%d.example/" % i))
        wait_until(lambda: agent.status()["clients"] == 60 and self.pac(agent)["questions"] > 1, "the question")
        for wire in wires:
            wire.reset()
        wait_until(lambda: agent.status()["clients"] == 0, "the end of the clients")
        self.assertEqual(self.ask(agent, host="fast.example").status, 200)
        self.assertLess(self.pac(agent)["questions"], 60)

    def test_it_is_killed_while_it_starts(self):
        """By somebody else: the script is not to blame, and is used as soon as a process lives."""
        _, b, agent = self.two(find("var end = Date.now() + 20; while (Date.now() < end); return 'PROXY {B}';"))
        self.assertEqual(self.ask(agent).status, 200)
        load = Later(lambda: [self.ask(agent, host="site%d.example" % i).status for i in range(400)])
        killed = set()

        def kill():
            seen = list(processes())
            starters = {pid for pid, parent, _name in seen if parent == agent.pid}
            for pid in {pid for pid, parent, name in seen if name == "exeat-pac" and parent in starters} - killed:
                with contextlib.suppress(ProcessLookupError):  # one that was not needed any more
                    os.kill(pid, signal.SIGKILL)
                killed.add(pid)
            return len(killed) >= 8 or not load.thread.is_alive()

        wait_until(kill, "its ends")
        self.assertEqual(set(load.result()), {200})
        before = len(b.requests)
        wait_until(lambda: self.ask(agent, host="x%d.example" % len(b.requests)).status == 200 and len(b.requests) > before, "the script again")
        self.assertEqual(self.pac(agent)["error"], "")

    def test_without_the_program(self):
        build = tempfile.mkdtemp(prefix="exeat-test-build-")
        self.stack.callback(shutil.rmtree, build)
        for name in ("exeat", "exeat-keys"):
            shutil.copy(os.path.join(lib_agent.build_directory(), name), build)
        if os.path.exists("/usr/local/libexec/exeat/exeat-pac"):
            self.skipTest("there is an installed one")
        _, _, agent = self.two(say("PROXY {A}"), "pac-failure = block\n", build=build)
        self.own(self.ask(agent), 502, "proxy_configuration_error", "exeat-pac")
        self.assertRegex(agent.exeat("check", "--config", agent.config_path).stderr, "exeat-pac, is not installed")


class Reload(Pac):
    def test_another_script_while_one_runs(self):
        a, b, agent = self.two(find("for (;;);"))
        agent.write("other.pac", say("PROXY " + b.address))
        waiting = Later(self.ask, agent)
        agent.configure(a.upstream() + "[route]\npac = @DIR@/other.pac\n")
        pid = self.helper(agent)
        wait_until(lambda: lib_agent.cpu_seconds(pid) > 0.3, "the loop")  # which has two seconds of the processor, for the reload too
        agent.exeat("reload", check=True)
        self.assertEqual(waiting.result().status, 200)
        self.assertEqual((len(a.requests), len(b.requests)), (0, 1))

    def test_the_script_stays_where_its_setting_does(self):
        a, b, agent = self.two(say("PROXY {B}"))
        self.ask(agent)
        agent.configure(a.upstream() + "[route]\npac = @DIR@/proxy.pac\nrule = *.a.example corp\n")
        agent.exeat("reload", check=True)
        self.assertEqual([self.ask(agent, host=host).status for host in ("site.example", "x.a.example")], [200, 200])
        self.assertEqual((len(a.requests), len(b.requests)), (1, 2))
        self.assertEqual(self.pac(agent)["questions"], 1)

    def test_it_comes_and_goes(self):
        """exeat-pac can be started though the agent could not execute anything any more by the time that it was wanted."""
        a, b = self.proxy(Open(), name="a"), self.proxy(Open(), name="b")
        agent = self.agent(a.upstream(), files={"proxy.pac": say("PROXY " + b.address)})
        self.assertEqual(self.ask(agent).status, 200)
        self.assertNotIn("pac", json.loads(agent.exeat("status", "--json", check=True).stdout))
        agent.configure(a.upstream() + "[route]\npac = @DIR@/proxy.pac\n")
        agent.exeat("reload", check=True)
        self.assertEqual(self.ask(agent).status, 200)
        agent.configure(a.upstream())
        agent.exeat("reload", check=True)
        self.assertEqual(self.ask(agent).status, 200)
        self.assertEqual((len(a.requests), len(b.requests)), (2, 1))


class Identities(Pac):
    """Whose credentials a proxy gets that the script names."""

    def gate(self):
        return Basic(user="alice", password="secret")

    def asks(self, hosts="", answer="PROXY %s", tls=None, known=False, more=""):
        """A proxy that asks for a password, and a script that names it; known: it is the configuration's own."""
        gate = self.gate()
        proxy = self.proxy(Asks(gate), name="named", tls=tls)
        other = proxy if known else self.proxy(Open(), name="configured")
        upstream = other.upstream(corp("basic", user="alice", more=hosts.replace("{P}", str(proxy.port)) + "\nbasic-in-clear = yes\n" + more))
        return proxy, gate, self.by_script(say(answer % proxy.address), upstream)

    def test_an_upstreams_own_proxy(self):
        _, gate, agent = self.asks(known=True)
        self.assertEqual(self.ask(agent).status, 200)
        self.assertEqual((gate.attempts, gate.failed), (1, 0))

    def test_one_that_nobody_names_gets_nothing(self):
        proxy, gate, agent = self.asks()
        self.own(self.ask(agent), 502, "proxy_configuration_error", re.escape(proxy.address), "no upstream", "hosts = ")
        answer = self.tunnel(agent, expect=502)
        self.own(answer, 502, "proxy_configuration_error")
        self.assertEqual(gate.attempts, 0)
        self.assertTrue(all(r.get("Proxy-Authorization") is None for r in proxy.requests), proxy.requests)
        self.assertEqual(self.ask(agent, "/echo", "Proxy-Authorization: Basic YTpi").status, 502)
        self.assertTrue(all(r.get("Proxy-Authorization") is None for r in proxy.requests), "a client's own field was passed on")

    def test_hosts(self):
        proxy, gate, agent = self.asks("hosts = 127.0.0.0/8:{P}")
        self.assertEqual([self.ask(agent).status for _ in range(3)], [200] * 3)
        self.assertEqual((gate.attempts > 0, gate.failed), (True, 0))
        self.assertRegex(agent.exeat("route", "http://x.example", check=True).stdout, r"=> proxy %s \(upstream corp\)" % re.escape(proxy.address))

    def test_hosts_that_do_not_fit(self):
        _, gate, agent = self.asks("hosts = 127.0.0.0/8:1 .example")
        self.assertEqual(self.ask(agent).status, 502)
        self.assertEqual(gate.attempts, 0)

    def test_tls_of_the_configuration_is_not_left_out(self):
        """The keyholder would take the way for private: the script cannot name the same address without TLS, whatever hosts says."""
        gate = self.gate()
        proxy = self.proxy(Asks(gate))
        agent = self.by_script(say("PROXY " + proxy.address), "[upstream corp]\nproxy = https://%s\n%s" % (
            proxy.address, corp("basic", user="alice", more="hosts = 127.0.0.0/8\n")))
        self.own(self.ask(agent), 502, "proxy_configuration_error", "no upstream")
        self.assertEqual(gate.attempts, 0)

    def test_a_new_password_ends_the_connections_made_with_the_old_one(self):
        proxy, gate, agent = self.asks("hosts = 127.0.0.0/8:{P}")
        self.assertEqual(self.ask(agent).status, 200)
        agent.write("secret", "new\n")
        gate.password = "new"
        agent.exeat("reload", check=True)
        wait_until(lambda: self.ask(agent).status == 200 and gate.attempts > 1, "the new password")


class Socks(Pac):
    def test_a_server_that_only_the_script_names(self):
        """It is offered no password, and the destinations are reached through it."""
        behaviour = SocksServer(then=Open())
        server, a = self.proxy(behaviour, name="socks"), self.proxy(Open(), name="a")
        agent = self.by_script(say("SOCKS5 " + server.address), a.upstream(corp("basic", user="alice", more="hosts = 127.0.0.0/8\nbasic-in-clear = yes\n")))
        self.assertEqual([self.ask(agent).status for _ in range(3)], [200] * 3)
        self.echoes(self.tunnel(agent))
        self.assertEqual(a.requests, [])
        said = agent.exeat("route", "http://x.example", check=True).stdout
        self.assertRegex(said, r"=> SOCKS server %s \(no upstream names it: it gets no credentials\)" % re.escape(server.address))

    def test_one_that_wants_a_password_gets_none(self):
        pair = Pair(user="alice", password="secret")
        server, a = self.proxy(SocksServer(gate=pair), name="socks"), self.proxy(Open(), name="a")
        agent = self.by_script(say("SOCKS " + server.address), a.upstream(corp("basic", user="alice", more="hosts = 127.0.0.0/8\nbasic-in-clear = yes\n")))
        self.assertGreaterEqual(self.ask(agent).status, 500)
        self.assertEqual(pair.attempts, 0)


class Unreachable(Pac):
    def test_when_unreachable_direct(self):
        origin, down = self.proxy(Open(), name="origin"), self.proxy(Open(), name="down")
        down.stop_listening()
        _, _, agent = self.two(say("PROXY " + down.address), "when-unreachable = direct\n")
        for _ in range(3):
            self.assertEqual(self.ask(agent, host=origin.address).status, 200)
        self.assertEqual(agent.log().count("requests go direct until one answers"), 1)
        self.assertTrue(self.pac(agent)["direct"])
        back = self.proxy(Open(), port=down.port)
        wait_until(lambda: self.ask(agent, host=origin.address).status == 200 and back.requests, "the proxy again")
        self.assertFalse(self.pac(agent)["direct"])

    def test_without_the_setting_it_fails(self):
        origin, down = self.proxy(Open(), name="origin"), self.proxy(Open(), name="down")
        down.stop_listening()
        a, _, agent = self.two(say("PROXY " + down.address))
        self.own(self.ask(agent, host=origin.address), 502, "connection_refused", re.escape(down.address))
        self.assertEqual((origin.requests, a.requests), ([], []))


class Explained(Pac):
    def route(self, agent, url):
        return agent.exeat("route", url, check=True).stdout

    def test_line_by_line(self):
        a, b, agent = self.two(find("return host == 'b.example' ? 'PROXY {B}; PROXY {A}' : 'DIRECT';"), "no-proxy = .internal.example\n")
        self.assertRegex(self.route(agent, "https://b.example/x?y"), r"(?s)no-proxy \.internal\.example: does not match\nno rule matches: the PAC script decides\n"
                         r"\S*proxy\.pac was asked about https://b\.example/\nits answer: PROXY %s; PROXY %s\n"
                         r"=> proxy %s \(no upstream names it: it gets no credentials\)\n   else proxy %s \(upstream corp\)\n"
                         % tuple(map(re.escape, (b.address, a.address, b.address, a.address))))
        self.assertRegex(self.route(agent, "https://b.example/"), "its answer, which is remembered: PROXY")
        self.assertRegex(self.route(agent, "http://b.example/x?y"), r"asked about http://b\.example/x\?y\n")
        self.assertRegex(self.route(agent, "http://www.example/"), r"=> direct to www\.example:80\n")
        self.assertEqual((a.connections, b.connections), ([], []))

    def test_answers_that_are_no_plain_text(self):
        """Cut between characters, not inside one; a line of its own is none; what is too long is cut."""
        for answer, shown in (("PROXY a" + "\u00e9" * 100, r'The entry "PROXY a\u00e9+" is skipped'), ("DIRECT;\n=> proxy x:1", r"its answer: DIRECT; => proxy x:1\nThe entry"),
                              ("QUIC;" * 9000, r"its answer: (QUIC;)+\.\.\.\n")):
            _, _, agent = self.two(say(answer), "pac-failure = block\n")
            said = self.route(agent, "http://x.example/")
            self.assertRegex(said, shown)
            self.assertLess(len(said), 12000)

    def test_a_tunnel_for_ws(self):
        """Programs open web sockets by CONNECT."""
        _, _, agent = self.two(say("DIRECT"))
        self.assertRegex(self.route(agent, "ws://x.example/chat"), r"asked about https://x\.example:80/\n")

    def test_failures(self):
        _, _, agent = self.two(find("not_there();"))
        self.assertRegex(self.route(agent, "x.example:443"), r"(?s)it failed: .*proxy\.pac:\d+.*\npac-failure = last-good: nothing is known.*: the first upstream\n=> proxy")
        _, _, agent = self.two(find("not_there();"), "pac-failure = block\n")
        self.assertRegex(self.route(agent, "x.example:443"), r"pac-failure = block\n=> blocked\n")

    def test_without_an_agent(self):
        a, _, agent = self.two(say("PROXY {B}"))
        said = agent.exeat("route", "--config", agent.config_path, "x.example", check=True).stdout
        self.assertRegex(said, "the PAC script decides\n=> what it says; a running agent asks it")

    def test_status(self):
        _, _, agent = self.two(say("PROXY {B}"))
        self.assertRegex(agent.exeat("status", check=True).stdout, r"PAC script \S*proxy\.pac\n +state +not asked yet\n")
        self.ask(agent)
        self.assertRegex(agent.exeat("status", check=True).stdout, r"(?s)PAC script \S*proxy\.pac\n +state +good\n.*1 asked, 0 remembered, 1 process, 0 killed\n")
