"""exeat doctor: one fault each, and the sentence that it must print, with what to do and the exit code; and that asking costs no attempt.

A row of the table is a method that makes the fault and runs the verb; the line above it says which step must say what."""

import functools
import json
import os
import select
import shutil
import socket
import subprocess
import tempfile
import threading

import agent as lib_agent
import tls
from base import SITE, Scenario, corp
from behaviours import Canned, SaysFirst, Silent
from desktop import Keyring
from gates import Basic, Digest, Kerberos, Ntlm
from network import private
from onward import Onward, Pair, SocksServer
from proxy import Asks, Open
from ports import free_port, is_free, port_of_both_kinds
from realm import Realm
from terminal import Terminal
from test_admit import NOBODY
from test_guests import section as token_of

ME = "CORP\\alice"
DONE, FAILED, CONFIG, NO_AGENT, REFUSED, UNREACHABLE = 0, 1, 3, 4, 5, 6


FAULTS = {}  # the table: the test's name, and what it must print


def fault(step, evidence, remedy="", code=FAILED, result="failed"):
    """A row of the table: the decorated makes the fault and returns what exeat doctor --json answered."""

    def add(make):
        FAULTS[make.__name__] = (step, evidence)

        @functools.wraps(make)
        def test(self):
            self.fails(make(self), step, evidence, remedy, code, result)

        return test

    return add


def read(answer):
    """Its steps by name."""
    report = json.loads(answer.stdout)
    return report, {step["step"]: step for step in report["steps"]}


def alone(agent, *words, **options):
    return agent.exeat("doctor", "--json", "--config", agent.config_path, *words, **options)


class Place(Scenario):
    """What the rows need: agents that run, or only their files."""

    def doctor(self, agent, *words, **options):
        return agent.exeat("doctor", "--json", *words, **options)

    def files(self, config, **options):
        return self.agent(config, start=False, **options)

    def fails(self, answer, step, evidence, remedy="", code=FAILED, result="failed"):
        try:
            report, steps = read(answer)
        except ValueError:
            self.fail("no JSON: %r %r" % (answer.stdout, answer.stderr))
        self.is_as_documented(report, answer.stdout)
        found = steps[step]
        self.assertEqual(found["result"], result, report)
        self.assertRegex(found["evidence"], evidence)
        self.assertRegex(found["remedy"], remedy or "^")
        if result == "failed":
            self.assertTrue(found["remedy"], "a fault without a remedy: %r" % found)
            self.assertFalse(report["ok"])
        self.assertEqual(answer.returncode, code, report)
        self.assertEqual(report["exit_code"], code)
        self.assertNotIn("Sanitizer", answer.stderr)
        return steps


    def is_as_documented(self, report, text):
        """The man page has the same words (test_the_manual)."""
        self.assertTrue(text.isascii(), text)
        self.assertEqual(set(report), {"ok", "url", "exit_code", "steps"})
        self.assertEqual(report["ok"], not any(step["result"] == "failed" for step in report["steps"]))
        for step in report["steps"]:
            self.assertEqual(set(step) - {"proxy"}, {"step", "result", "evidence", "remedy", "ms"})
            self.assertIn(step["result"], ("ok", "failed", "note", "skipped"))
            self.assertIsInstance(step["ms"], int)
            self.assertTrue(step["evidence"], step)
            for word in ("evidence", "remedy"):
                self.assertTrue(all(c == "\n" or c.isprintable() for c in step[word]), step)


def _addresses(name):
    try:
        return socket.getaddrinfo(name, 80, type=socket.SOCK_STREAM)
    except OSError:
        return []


def over_tls(t, certificate=None, host="localhost", lines="ca = %s\n"):
    proxy = t.proxy(Open(), tls=tls.context(certificate))
    proxy.url = "https://%s:%d" % (host, proxy.port)
    lines = lines % tls.authority().pem if "%s" in lines else lines
    return t.doctor(t.agent(proxy.upstream("auth = none\n" + lines)))


def knows_us(t, then, *words, auth="ntlm"):
    """A proxy that has taken the password, which then answers so."""
    gate = Ntlm() if auth == "ntlm" else Basic()
    _, agent = t.both(Asks(gate, then=then), corp(auth, ME if auth == "ntlm" else "alice"))
    t.ask(agent)
    return t.doctor(agent, *words)


class Faults(Place):
    # --- on this side

    @fault("agent", "^no agent of yours is running$", "exeat run", code=NO_AGENT)
    def test_no_agent(self):
        agent = self.files(self.proxy(Open()))
        home = agent.env["XDG_CONFIG_HOME"] + "/exeat/exeat.conf"
        shutil.copy(agent.config_path, home)
        return self.doctor(agent)

    @fault("agent", r"it is switched off: requests are refused$", "exeat on", code=DONE, result="note")
    def test_switched_off(self):
        agent = self.agent(self.proxy(Open()).upstream() + "[route]\nwhen-off = refuse\n")
        agent.exeat("off", check=True)
        self.assertEqual(self.doctor(agent, SITE).returncode, FAILED)  # and not 5: no password was refused
        return self.doctor(agent)

    @fault("config", "no proxy is configured", r"\[upstream corp\]|exeat check", code=CONFIG)
    def test_no_config(self):
        return self.doctor(self.files(None))

    @fault("config", r"exeat.conf:\d+: .*\"?usre", "exeat check", code=CONFIG)
    def test_config_error(self):
        return alone(self.files("[upstream corp]\nproxy = http://127.0.0.1:1\nusre = x\n"))

    @fault("config", "https?_proxy.* points at this agent itself", code=CONFIG)
    def test_environment_leads_in_a_circle(self):
        agent = self.files(None, env={"https_proxy": "http://127.0.0.1:3128"})
        return self.doctor(agent)

    @fault("config", "proxy .* is where this agent itself listens", "exeat check", code=CONFIG)
    def test_upstream_is_our_own_listener(self):
        return alone(self.files("[listen]\nhttp = 127.0.0.1:3999\n[upstream corp]\nproxy = http://localhost:3999\n"))

    @fault("tcp", "is this agent itself: each request would go round in a circle", "another port", code=CONFIG)
    def test_upstream_leads_back_by_another_name(self):
        """A name that only the resolver knows to be ours."""
        agent = self.agent(self.proxy(Open()))
        name = socket.gethostname()
        for address in {item[4][0] for item in _addresses(name)}:
            if address.startswith("127."):
                break
        else:
            self.skipTest("this computer's name leads elsewhere")
        other = self.files("[listen]\nhttp = %s:%d\n[upstream corp]\nproxy = http://%s:%d\nauth = none\n" % ("127.0.0.1", agent.port, name, agent.port))
        return alone(other)

    @fault("listener", r"another program listens on 127.0.0.1:\d+: python3? \(process \d+ of \w+\)", r"http = 127.0.0.1:\d+ in \[listen\]")
    def test_another_program_on_the_port(self):
        taken = self.stack.enter_context(socket.socket())
        taken.bind(("127.0.0.1", 0))
        taken.listen(1)
        return alone(self.files("[listen]\nhttp = 127.0.0.1:%d\n%s" % (taken.getsockname()[1], self.proxy(Open()).upstream())))

    @fault("listener", r"an agent of the user root listens on 127.0.0.1:\d+ \(process \d+\)|of the user root", r"http = 127.0.0.1:\d+")
    def test_agent_of_another_user(self):
        if os.geteuid() != 0:
            self.skipTest("only root can be two users")
        folder = tempfile.mkdtemp(prefix="exeat-test-")
        self.stack.callback(shutil.rmtree, folder)
        os.chmod(folder, 0o755)
        for name in ("exeat", "exeat-keys"):
            shutil.copy(os.path.join(lib_agent.build_directory(), name), folder)
        agent = self.agent(self.proxy(Open()))
        for name in ("run", "state", "home"):
            os.mkdir(os.path.join(folder, name), 0o700)
            os.chown(os.path.join(folder, name), NOBODY, NOBODY)
        config = os.path.join(folder, "exeat.conf")
        with open(config, "w") as file:
            file.write("[listen]\nhttp = 127.0.0.1:%d\n%s" % (agent.port, self.proxy(Open()).upstream()))
        env = dict(agent.env, HOME=folder + "/home", XDG_RUNTIME_DIR=folder + "/run", XDG_STATE_HOME=folder + "/state", XDG_CONFIG_HOME=folder + "/home")
        return subprocess.run([folder + "/exeat", "doctor", "--json", "--config", config], env=env, cwd=folder, user=NOBODY, group=NOBODY,
                              extra_groups=[], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False,
                              timeout=lib_agent.PATIENCE)

    @fault("listener", r"the agent turns this user away on 127.0.0.1:\d+ \(403\)", "allow-uids")
    def test_not_for_this_user(self):
        proxy = self.proxy(Open())
        agent = self.agent("[listen]\nhttp = 127.0.0.1:0\nallow-uids = %d\n%s" % (NOBODY, proxy.upstream()))
        return self.doctor(agent)

    @fault("environment", "http_proxy holds a password", "Take it out")
    def test_password_in_the_environment(self):
        return self.doctor(self.agent(self.proxy(Open())), env={"http_proxy": "http://alice:x@proxy.example:8080"})

    @fault("environment", "https_proxy says https://, but exeat's own listener speaks no TLS", "http://")
    def test_https_to_the_agent(self):
        agent = self.agent(self.proxy(Open()))
        return self.doctor(agent, env={"https_proxy": "https://127.0.0.1:%d" % agent.port})

    @fault("environment", "http_proxy is no address of a proxy", "http://HOST:PORT")
    def test_senseless_variable(self):
        return self.doctor(self.agent(self.proxy(Open())), env={"http_proxy": "http://:99999/"})

    @fault("environment", r"past exeat leads: http_proxy \(proxy.example:8080\)", "export http_proxy=http://127.0.0.1", code=DONE, result="note")
    def test_variables_that_lead_past(self):
        return self.doctor(self.agent(self.proxy(Open())), env={"http_proxy": "http://proxy.example:8080"})

    @fault("environment", "one that is started from here would find only itself", "EXEAT_UPSTREAM", code=DONE, result="note")
    def test_agent_from_the_environment(self):
        """It listens on its usual port, which is ours in a network of our own."""
        if os.geteuid() == 0:
            self.stack.enter_context(private())
        agent = self.stack.enter_context(lib_agent.Agent(None, env={"http_proxy": self.proxy(Open()).url}, ready=False, start=False))
        if not is_free(3128):
            self.skipTest("port 3128 is taken on this computer")
        agent.start()
        agent.wait_ready()
        return self.doctor(agent, env={"http_proxy": "http://127.0.0.1:3128"})

    @fault("environment", r"http_proxy: to exeat; but no_proxy = \* leads programs past every proxy", "unset no_proxy", code=DONE, result="note")
    def test_nothing_by_proxy(self):
        agent = self.agent(self.proxy(Open()))
        return self.doctor(agent, env={"http_proxy": agent.url, "no_proxy": "*"})

    @fault("listener", "the agent has no listener for programs of this machine", r"http = 127.0.0.1:3128 in \[listen\]", code=DONE, result="note")
    def test_listeners_for_others_only(self):
        """A token would be asked of us there; nobody is sent to it."""
        if os.geteuid() != 0:
            self.skipTest("only root makes networks")
        with private():
            agent = self.agent("[listen]\nhttp = 0.0.0.0:%d\nallow = 192.0.2.0/24\n" % free_port() + token_of("builder") + self.proxy(Open()).upstream())
            answer = self.doctor(agent)
            steps = read(answer)[1]
            self.assertEqual((steps["environment"]["remedy"], steps["request"]["evidence"]),
                             ("", "not sent: the agent has no listener for programs of this machine"))
            agent.configure("[listen]\nhttp = 0.0.0.0:%d 127.0.0.1:0\nallow = 192.0.2.0/24\n" % free_port() + token_of("builder") + self.proxy(Open()).upstream())
            agent.reload()
            steps = read(self.doctor(agent))[1]
            self.assertRegex(steps["listener"]["evidence"], r"0.0.0.0:\d+ \(not asked: a token is needed there\), 127.0.0.1:\d+$")
            self.assertEqual(steps["request"]["result"], "ok")
            return answer

    @fault("keyholder", "cannot find the program exeat-keys", "Install")
    def test_keyholder_is_missing(self):
        folder = tempfile.mkdtemp(prefix="exeat-test-")
        self.stack.callback(shutil.rmtree, folder)
        shutil.copy(os.path.join(lib_agent.build_directory(), "exeat"), folder)
        agent = self.files(self.proxy(Asks(Ntlm())).upstream(corp("ntlm")))
        agent.build = folder
        return alone(agent)

    @fault("route", "is blocked by the configuration", r"\[route\]")
    def test_blocked(self):
        agent = self.agent(self.proxy(Open()).upstream() + "[route]\nrule = *.bad.example block\n")
        return self.doctor(agent, "http://www.bad.example/")

    # --- on the way

    @fault("dns", r"^the name no-such-host.invalid cannot be found", r"proxy = of \[upstream corp\]", code=UNREACHABLE)
    def test_name_is_not_found(self):
        return self.doctor(self.agent("[upstream corp]\nproxy = http://no-such-host.invalid:8080\nauth = none\n"))

    @fault("tcp", "^127.0.0.1 refuses the connection: nobody listens on that port$", r"network or VPN", code=UNREACHABLE)
    def test_port_is_closed(self):
        return self.doctor(self.agent("[upstream corp]\nproxy = http://127.0.0.1:%d\nauth = none\n" % free_port()))

    @fault("tcp", r"^127.0.0.1 does not answer at all \(waited 1 second\)$", "network or VPN", code=UNREACHABLE)
    def test_black_hole(self):
        """A queue of connections that is full: the kernel drops what comes."""
        hole = self.stack.enter_context(socket.socket())
        hole.bind(("127.0.0.1", 0))
        hole.listen(0)
        for _ in range(2):
            filler = self.stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(hole.getsockname())
            select.select([], [filler], [], 0.2)
        return self.doctor(self.agent("[upstream corp]\nproxy = http://127.0.0.1:%d\nauth = none\ndial-timeout = 1s\n" % hole.getsockname()[1]))

    @fault("tcp", "^this computer is on no network that leads to 192.0.2.1$", "network or VPN", code=UNREACHABLE)
    def test_no_network(self):
        if os.geteuid() != 0:
            self.skipTest("only root makes networks")
        with private():
            return self.doctor(self.agent("[upstream corp]\nproxy = http://192.0.2.1:8080\nauth = none\n"))

    @fault("dns", "^the name proxy.example cannot be found: no name server answers$", r"proxy = of \[upstream corp\]", code=UNREACHABLE)
    def test_no_name_server(self):
        if os.geteuid() != 0:
            self.skipTest("only root makes networks")
        with private():
            return self.doctor(self.agent("[upstream corp]\nproxy = http://proxy.example:8080\nauth = none\n"))

    @fault("dns", "^the name www.nowhere.invalid cannot be found", "no proxy is asked for it", code=UNREACHABLE)
    def test_direct_to_nobody(self):
        agent = self.agent(self.proxy(Open()).upstream() + "[route]\nrule = *.invalid direct\n")
        return self.doctor(agent, "http://www.nowhere.invalid/")

    @fault("route", r"^exeat.invalid would go without a proxy \(rule \* direct\)", "exeat doctor URL", code=DONE, result="note")
    def test_all_goes_direct(self):
        return self.doctor(self.agent(self.proxy(Open()).upstream() + "[route]\nrule = * direct\n"))

    # --- several proxies

    def dead(self):
        return "http://127.0.0.1:%d" % free_port()

    @fault("tcp", "refuses the connection", code=UNREACHABLE)
    def test_the_first_of_two(self):
        """Requests go by the second one, which is looked at."""
        dead, good = self.dead(), self.proxy(Open())
        answer = self.doctor(self.agent("[upstream corp]\nproxy = %s %s\nauth = none\n" % (dead, good.url)))
        found = [(s["step"], s["proxy"], s["result"]) for s in read(answer)[0]["steps"] if s["step"] == "tcp"]
        self.assertEqual(found, [("tcp", dead[7:], "failed"), ("tcp", good.address, "ok")])
        self.assertEqual(read(answer)[1]["request"]["result"], "ok")
        return subprocess.CompletedProcess([], answer.returncode, json.dumps(dict(read(answer)[0], steps=[
            s for s in read(answer)[0]["steps"] if s.get("proxy") != good.address])), answer.stderr)

    @fault("tcp", "refuses the connection", r"\[upstream corp\]", code=DONE, result="note")
    def test_the_second_of_two(self):
        """Nobody needs it while the first one works."""
        good, dead = self.proxy(Open()), self.dead()
        answer = self.doctor(self.agent("[upstream corp]\nproxy = %s %s\nauth = none\n" % (good.url, dead)))
        proxies = [s["evidence"] for s in read(answer)[0]["steps"] if s["step"] == "proxy"]
        self.assertEqual(proxies, [good.address, dead[7:] + ", which is tried when the way above cannot be gone"])
        return answer

    @fault("tcp", r"^127.0.0.1:\d+ does not lead on to 127.0.0.1:\d+: it answered 503$", "via =", code=UNREACHABLE)
    def test_behind_the_first_nobody_is(self):
        near = self.proxy(Onward())
        return self.doctor(self.agent("[upstream corp]\nproxy = %s\nauth = none\nvia = near\n" % self.dead() + near.upstream("auth = none", "near")))

    @fault("dns", r"^not tried: \"tcp\" of 127.0.0.1:\d+ comes first", code=UNREACHABLE, result="skipped")
    def test_the_first_on_the_way_is_not_there(self):
        return self.doctor(self.agent(self.proxy(Open()).upstream("auth = none\nvia = near") + "[upstream near]\nproxy = %s\nauth = none\n" % self.dead()))

    @fault("scheme", "none: the proxy offers Bearer", "Negotiate, NTLM, Digest and Basic")
    def test_the_far_one_offers_nothing_of_ours(self):
        """What stands behind another proxy is asked as well as that one."""
        near = self.proxy(Onward())
        far = self.proxy(Canned(b"HTTP/1.1 407 Who\r\nProxy-Authenticate: Bearer realm=\"x\"\r\nContent-Length: 0\r\n\r\n"))
        return self.doctor(self.agent(far.upstream(corp("ntlm") + "via = near") + near.upstream("auth = none", "near")))

    # --- SOCKS

    def socks(self, behaviour, lines="auth = none\n"):
        server = self.proxy(behaviour, name="socks")
        return self.agent("[upstream corp]\nproxy = socks5://%s\n%s" % (server.address, lines))

    @fault("offer", "it is a SOCKS5 server and refuses those who do not sign in", "auth = basic with user = and secret =")
    def test_socks_wants_a_password(self):
        return self.doctor(self.socks(SocksServer(then=Open(), gate=Pair())))

    @fault("offer", "is no SOCKS5 server: it speaks HTTP", "http://HOST:PORT")
    def test_http_where_socks_was_said(self):
        return self.doctor(self.socks(SaysFirst(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")))

    @fault("offer", r"takes connections and does not answer \(waited 1 second\)", "SOCKS5 server", code=UNREACHABLE)
    def test_socks_says_nothing(self):
        return self.doctor(self.socks(SocksServer(method="silence"), "auth = none\ndial-timeout = 1s\n"))

    @fault("offer", "gave no answer: it closed the connection", "SOCKS5 server")
    def test_socks_hangs_up(self):
        return self.doctor(self.socks(SocksServer(method="close")))

    @fault("scheme", "none: there is nothing to sign in with", "marked above")
    def test_socks_and_no_password(self):
        return self.doctor(self.socks(SocksServer(then=Open(), gate=Pair()), corp("basic", "alice", "file:@DIR@/not-there")))

    # --- what else answers there

    @fault("offer", r"a page that sends us elsewhere \(302, to http://portal.example/\?x=1\): so does the sign-in page of a network", "browser")
    def test_captive_portal(self):
        return self.doctor(self.agent(self.proxy(Canned(b"HTTP/1.1 302 Found\r\nLocation: http://portal.example/?x=1\r\nContent-Length: 0\r\n\r\n"))))

    @fault("offer", "a page that sends us elsewhere", "browser")
    def test_captive_portal_for_a_tunnel(self):
        portal = Canned(b"HTTP/1.1 302 Found\r\nLocation: http://portal.example/\r\nContent-Length: 0\r\n\r\n")
        return self.doctor(self.agent(self.proxy(portal)), "https://site.example/")

    @fault("offer", r"this network wants a sign-in of its own first \(511\)", "browser")
    def test_portal_that_says_so(self):
        return self.doctor(self.agent(self.proxy(Canned(b"HTTP/1.1 511 Sign in\r\nContent-Length: 0\r\n\r\n"))), SITE)

    @fault("offer", "answered 200 for a name that cannot exist: a web server does so", "host and port", code=DONE, result="note")
    def test_a_page_for_everything(self):
        return self.doctor(self.agent(self.proxy(Canned(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"))))

    @fault("offer", "answered 405: a web server does so", "host and port", code=FAILED, result="note")
    def test_a_web_server_and_a_tunnel(self):
        return self.doctor(self.agent(self.proxy(Canned(b"HTTP/1.1 405 No\r\nContent-Length: 0\r\n\r\n"))), "https://site.example/")

    @fault("offer", "gave no answer: it closed the connection in the middle of its answer", "host and port")
    def test_half_a_head(self):
        def half(conn, _request):
            conn.send(b"HTTP/1.1 407 Who\r\nProxy-Auth")
            return False
        return self.doctor(self.agent(self.proxy(Canned(half))))

    @fault("offer", r"began its answer and did not end it \(waited 1 second\)", "overloaded", code=UNREACHABLE)
    def test_half_a_head_and_silence(self):
        done = threading.Event()

        def half(conn, _request):
            conn.send(b"HTTP/1.1 407 Who\r\nProxy-Auth")
            done.wait(lib_agent.PATIENCE)
            return False
        answer = self.doctor(self.agent(self.proxy(Canned(half)).upstream("auth = none\nanswer-timeout = 1s\n")))
        done.set()
        return answer

    @fault("offer", "its answer is larger than any that exeat reads", "host and port")
    def test_a_head_without_end(self):
        def flood(conn, _request):
            try:
                conn.send(b"HTTP/1.1 407 Who\r\nX: ")
                for _ in range(64):
                    conn.send(b"x" * 65536)
            except OSError:
                pass  # nobody listens any more: that is what is wanted
            return False
        return self.doctor(self.agent(self.proxy(Canned(flood))))

    @fault("offer", "is no HTTP proxy: its answer is no HTTP", "something else")
    def test_control_characters_in_the_head(self):
        return self.doctor(self.agent(self.proxy(Canned(b"HTTP/1.1 200 OK\r\nX: \x1b[31m\r\n\r\n"))))

    @fault("tls", "its certificate is not for localhost but for other.example", "as its certificate does")
    def test_wrong_host(self):
        return over_tls(self, tls.made("other", lambda: tls.Certificate("other.example", issuer=tls.authority())))

    @fault("tls", "comes from an authority that is not known here", "ca =")
    def test_unknown_authority(self):
        return over_tls(self, lines="")

    @fault("tls", "has expired", "renew")
    def test_expired(self):
        return over_tls(self, tls.made("expired", lambda: tls.Certificate("localhost", issuer=tls.authority(), life=("20200101", "20200201"))))

    @fault("tls", "what it sends is not TLS", "http:// instead of https://")
    def test_no_tls_there(self):
        proxy = self.proxy(SaysFirst(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n"))
        return self.doctor(self.agent("[upstream corp]\nproxy = https://localhost:%d\nauth = none\n" % proxy.port))

    @fault("offer", "is no HTTP proxy: what it says is not HTTP", "something else answers there")
    def test_not_a_proxy(self):
        return self.doctor(self.agent(self.proxy(SaysFirst(b"SSH-2.0-OpenSSH_9.2\r\n"))))

    @fault("offer", "is no HTTP proxy: it speaks TLS", "https:// instead of http://")
    def test_tls_where_http_was_said(self):
        return self.doctor(self.agent(self.proxy(SaysFirst(b"\x15\x03\x01\x00\x02\x02\x46"))))

    @fault("offer", "gave no answer: it closed the connection", "host and port")
    def test_hangs_up(self):
        return self.doctor(self.agent(self.proxy(Canned(None))))

    @fault("offer", "takes connections and does not answer", "answer-timeout", code=UNREACHABLE)
    def test_slow_answer(self):
        behaviour = Silent()
        answer = self.doctor(self.agent(self.proxy(behaviour).upstream("auth = none\nanswer-timeout = 1s\n")))
        behaviour.release.set()
        return answer

    @fault("offer", "names no scheme at all", "administrator")
    def test_names_no_scheme(self):
        return self.doctor(self.agent(self.proxy(Canned(b"HTTP/1.1 407 Who\r\nContent-Length: 0\r\n\r\n")).upstream(corp("ntlm"))))

    @fault("proxy-clock", r"this computer's clock is \d+ seconds behind the proxy's", "timedatectl")
    def test_clock_of_the_proxy(self):
        date = b"HTTP/1.1 200 Yes\r\nDate: Fri, 31 Dec 2099 23:59:59 GMT\r\nContent-Length: 0\r\n\r\n"
        return self.doctor(self.agent(self.proxy(Canned(date))))

    # --- signing in

    @fault("scheme", "none: the proxy offers Bearer; .*not NTLM: the proxy does not offer it", "exeat answers Negotiate, NTLM, Digest and Basic")
    def test_offers_nothing_of_ours(self):
        bearer = b"HTTP/1.1 407 Who\r\nProxy-Authenticate: Bearer realm=\"x\"\r\nContent-Length: 0\r\n\r\n"
        return self.doctor(self.agent(self.proxy(Canned(bearer)).upstream(corp("ntlm"))))

    @fault("scheme", "none: the proxy offers Digest; .*not Digest: not named in auth =", r"auth = of \[upstream corp\]")
    def test_offers_what_is_not_allowed(self):
        return self.doctor(self.agent(self.proxy(Asks(Digest())).upstream(corp("ntlm"))))

    @fault("scheme", "Basic: it would send the password in clear text", "(?s)https://HOST:PORT.*basic-in-clear = yes")
    def test_only_basic_in_clear(self):
        """To an address of this computer that is no loopback address as far as the configuration can tell."""
        name = socket.gethostname()
        proxy = self.proxy(Asks(Basic()))
        if "127.0.0.1" not in {item[4][0] for item in _addresses(name)}:
            proxy = self.proxy(Asks(Basic()), host="0.0.0.0")
        proxy.url = "http://%s:%d" % (name, proxy.port)
        return self.doctor(self.agent(proxy.upstream(corp("ntlm basic", "alice"))))

    @fault("scheme", "the proxy accepted NTLM before and now offers only Basic: somebody else", "exeat accept corp")
    def test_floor_alarm(self):
        proxy, agent = self.both(Asks(Ntlm()), corp("ntlm basic", "alice"))
        self.assertEqual(self.ask(agent).status, 200)
        proxy.behaviour.gates = [Basic()]
        proxy.drop_all()
        return self.doctor(agent)

    @fault("password", r"refused the password of CORP\\alice. It is not sent again until it changes", "Put the right password into", code=REFUSED)
    def test_wrong_password(self):
        gate = Ntlm()
        _, agent = self.both(Asks(gate), corp("ntlm", ME), secret="wrong")
        self.assertEqual(self.ask(agent).status, 502)
        answer = self.doctor(agent, "--try")
        self.assertEqual(gate.attempts, 1)
        self.assertEqual(read(answer)[1]["request"]["result"], "skipped")
        return answer

    @fault("password", "was refused earlier and has not changed since", "Put the right password into", code=REFUSED)
    def test_refused_before_this_start(self):
        """The mark is on disk; the one who looks is a keyholder that was started for it."""
        gate = Ntlm()
        _, agent = self.both(Asks(gate), corp("ntlm", ME), secret="wrong")
        self.assertEqual(self.ask(agent).status, 502)
        agent.stop()
        answer = alone(agent, "--try")
        self.assertEqual(gate.attempts, 1)
        return answer

    @fault("request", "refused the password", "Put the right password", code=REFUSED)
    def test_spent_on_a_wrong_one(self):
        gate = Ntlm()
        _, agent = self.both(Asks(gate), corp("ntlm", ME), secret="wrong")
        answer = self.doctor(agent, "--try")
        self.assertEqual((gate.attempts, gate.failed), (1, 1))
        return answer

    @fault("request", "not sent: the password has not been taken by this proxy yet", "exeat doctor --try", code=DONE, result="note")
    def test_unproven_password(self):
        gate = Ntlm()
        proxy, agent = self.both(Asks(gate), corp("ntlm", ME))
        answers = self.doctor(agent), alone(agent)
        self.assertEqual(gate.attempts, 0)
        self.assertEqual(read(answers[1])[1]["request"]["result"], "note")
        return answers[0]

    @fault("password", "not-there", "first line of .*/not-there")
    def test_missing_file(self):
        return self.doctor(self.agent(self.proxy(Asks(Ntlm())).upstream(corp("ntlm", ME, "file:@DIR@/not-there"))))

    @fault("keyring", "the keyring has no password for corp", "exeat login corp")
    def test_keyring_is_empty(self):
        keyring = self.stack.enter_context(Keyring())
        return self.doctor(self.agent(self.proxy(Asks(Ntlm())).upstream(corp("ntlm", ME, "keyring")), env=keyring.env))

    @fault("keyring", "the keyring is locked", "Unlock")
    def test_keyring_is_locked(self):
        keyring = self.stack.enter_context(Keyring())
        keyring.store("corp", ME, "secret")
        keyring.lock()
        return self.doctor(self.agent(self.proxy(Asks(Ntlm())).upstream(corp("ntlm", ME, "keyring")), env=keyring.env))

    @fault("keyring", "there is no keyring in this session", "secret = prompt")
    def test_no_keyring(self):
        return self.doctor(self.agent(self.proxy(Asks(Ntlm())).upstream(corp("ntlm", ME, "keyring"))))

    @fault("ntlm", "^the proxy's NTLM challenge ", "administrator")
    def test_broken_ntlm_challenge(self):
        return self.doctor(self.agent(self.proxy(Asks(Ntlm(type2="TlRMTVNTUAACAAAA"))).upstream(corp("ntlm", ME))))

    # --- the request

    @fault("request", r"the proxy let us in and forbids http://site.example/status/403 \(403\)", "administrator")
    def test_forbidden(self):
        return knows_us(self, Open(), SITE + "/status/403")

    @fault("request", r"let us in and could not fetch http://site.example/status/502 \(502\)", "behind the proxy", code=UNREACHABLE)
    def test_bad_gateway(self):
        return knows_us(self, Open(), SITE + "/status/502")

    @fault("request", r"the proxy opened no tunnel to refused.example:443 \(403\)|forbids", "administrator")
    def test_no_tunnel(self):
        return knows_us(self, Open(), "https://refused.example/")

    @fault("request", "configuration says that nothing is answered", "auth =", code=REFUSED)
    def test_auth_none(self):
        return self.doctor(self.agent(self.proxy(Asks(Ntlm())).upstream("auth = none")))


# --- Kerberos, with a KDC

class KerberosFaults(Place):
    @classmethod
    def setUpClass(cls):
        cls.realm = Realm(service="HTTP/localhost")
        cls.addClassCleanup(cls.realm.destroy)

    def setUp(self):
        super().setUp()
        folder = tempfile.TemporaryDirectory(prefix="exeat-doctor-")
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        self.cache = "FILE:" + folder.name + "/cache"

    def knows(self, lines="auth = negotiate\nsecret = none\n", conf=None, gate=None, host="localhost"):
        """An agent with the realm's krb5.conf, before a proxy that takes Kerberos."""
        proxy = self.proxy(Asks(gate or Kerberos(keytab=self.realm.keytab)))
        proxy.url = "http://%s:%d" % (host, proxy.port)
        return self.agent(proxy.upstream(lines), env={"KRB5_CONFIG": conf or self.realm.conf, "KRB5CCNAME": self.cache})

    def test_all_is_well(self):
        self.realm.kinit(self.cache)
        agent = self.knows()
        steps = self.fails(self.doctor(agent), "ticket", r"^alice@CORP.EXAMPLE, until \d{4}-\d\d-\d\d \d\d:\d\d \(\d+ h \d+ min\)", code=DONE, result="ok")
        self.assertEqual(steps["kdc"]["evidence"], "a Kerberos server of CORP.EXAMPLE answers")
        self.assertRegex(steps["kdc-clock"]["evidence"], r"this computer's clock is \d+ seconds? (behind|ahead of) the Kerberos server's")
        self.assertEqual(steps["spn"]["evidence"], "the Kerberos server gave a ticket for HTTP/localhost")
        self.assertRegex(steps["scheme"]["evidence"], r"^Negotiate \(Kerberos\): the first in auth = that can be used; not NTLM: not named in auth =")
        self.assertEqual((steps["principal"]["evidence"], steps["request"]["result"]), ("alice@CORP.EXAMPLE", "ok"))
        self.assertEqual(read(alone(agent))[1]["request"]["result"], "ok")  # and without the agent

    @fault("ticket", "^no Kerberos ticket", "kinit")
    def test_no_ticket(self):
        return self.doctor(self.knows())

    @fault("ticket", r"no Kerberos ticket \(there is one of alice@CORP.EXAMPLE \(expired\)\)", "kinit")
    def test_expired_ticket(self):
        self.realm.kinit(self.cache, life="1s")
        agent = self.knows()
        lib_agent.wait_until(lambda: subprocess.run(["klist", "-s", self.cache], env=self.realm.env, check=False).returncode, "its end")
        return self.doctor(agent)

    @fault("spn", "does not know the proxy's service name .*HTTP/nobody.corp.example@?", "spn = HTTP/NAME")
    def test_unknown_service_name(self):
        self.realm.kinit(self.cache)
        agent = self.knows("auth = negotiate\nsecret = none\nspn = HTTP/nobody.corp.example\n")
        return self.doctor(agent)

    def skewed(self, clock):
        realm = Realm(service="HTTP/localhost")
        self.stack.callback(realm.destroy)
        realm.kinit(self.cache)
        realm.stop()
        realm.start(clock)
        return self.doctor(self.knows("auth = negotiate ntlm\nuser = alice@CORP.EXAMPLE\nsecret = none\n", conf=realm.conf))

    @fault("kdc-clock", "this computer's clock is (71[5-9]\\d|72\\d\\d) seconds behind the Kerberos server's", "timedatectl")
    def test_clock_behind(self):
        return self.skewed("+2h")

    @fault("kdc-clock", "this computer's clock is (7199|72\\d\\d) seconds ahead of the Kerberos server's", "timedatectl")
    def test_clock_ahead(self):
        return self.skewed("-2h")

    def conf(self, port, realm="CORP.EXAMPLE"):
        path = self.folder + "/krb5.conf"
        with open(path, "w") as file:
            file.write("[libdefaults]\ndefault_realm = %s\ndns_lookup_kdc = false\ndns_canonicalize_hostname = false\nrdns = false\n"
                       "[realms]\nCORP.EXAMPLE = {\n kdc = 127.0.0.1:%d\n}\n" % (realm, port))
        return path

    @fault("kdc", "no Kerberos server can be reached", "krb5.conf", code=UNREACHABLE)
    def test_kdc_is_not_there(self):
        agent = self.knows("auth = negotiate\nuser = alice@CORP.EXAMPLE\nsecret = none\n", conf=self.conf(free_port()))
        return self.doctor(agent)

    def test_kdc_swallows_packets(self):
        """And nobody waits for it longer than the keyholder says."""
        udp, tcp = port_of_both_kinds()
        with udp, tcp:
            tcp.listen(8)
            agent = self.knows("auth = negotiate\nuser = alice@CORP.EXAMPLE\nsecret = none\n", conf=self.conf(udp.getsockname()[1]))
            self.fails(self.doctor(agent), "kdc", r"no Kerberos server answered within \d+ seconds", "VPN", code=UNREACHABLE)

    @fault("kdc", "no Kerberos server can be found .*ELSEWHERE.EXAMPLE", "names the servers", code=UNREACHABLE)
    def test_wrong_realm(self):
        agent = self.knows("auth = negotiate\nuser = alice@ELSEWHERE.EXAMPLE\nsecret = none\n")
        return self.doctor(agent)

    @fault("kdc", "the Kerberos server of CORP.EXAMPLE does not know mallory@CORP.EXAMPLE", "NAME@REALM")
    def test_unknown_user(self):
        agent = self.knows("auth = negotiate\nuser = mallory@CORP.EXAMPLE\nsecret = none\n")
        return self.doctor(agent)

    def test_no_password_is_shown_to_the_kdc(self):
        """The account counts none either."""
        agent = self.knows("auth = negotiate ntlm\nuser = alice@CORP.EXAMPLE\nsecret = file:@DIR@/secret\nkerberos = acquire\n")
        before = self.realm.read_log().count("PREAUTH_FAILED"), self.realm.issued("alice")
        _, steps = read(self.doctor(agent))
        self.assertRegex(steps["ticket"]["evidence"], "it is got with the password when it is needed")
        self.assertEqual(steps["request"]["result"], "note")
        self.assertEqual((self.realm.read_log().count("PREAUTH_FAILED"), self.realm.issued("alice")), before)

    def test_without_kerberos_nobody_misses_it(self):
        """A password is enough for NTLM: what is wrong with Kerberos is worth a note."""
        proxy = self.proxy(Asks(Ntlm(), Kerberos(keytab=self.realm.keytab)))
        agent = self.agent(proxy.upstream("auth = negotiate ntlm\nuser = alice@CORP.EXAMPLE\nsecret = file:@DIR@/secret\n"),
                           env={"KRB5_CONFIG": self.conf(free_port()), "KRB5CCNAME": self.cache})
        steps = self.fails(self.doctor(agent), "kdc", "no Kerberos server can be reached", code=DONE, result="note")
        self.assertEqual(steps["ticket"]["result"], "note")


# --- how it reads

class Words(Place):
    def test_lines(self):
        proxy, agent = self.both(Asks(Ntlm(), Basic()), corp("ntlm", ME))
        answer = agent.exeat("doctor")
        self.assertIn("   ✓   tcp         127.0.0.1 port %d takes connections" % proxy.port, answer.stdout)
        self.assertIn("Proxy-Authenticate: NTLM\n", answer.stdout)
        self.assertIn('Proxy-Authenticate: Basic realm="practice"', answer.stdout)
        self.assertRegex(answer.stdout, r"ntlm +domain corp.example, server proxy.corp.example; this computer's clock is \d+ seconds? (behind|ahead of) that server's")
        self.assertIn("→ exeat doctor --try", answer.stdout)
        self.assertIn("no request was sent.", answer.stdout)
        self.assertEqual(answer.stderr, "")

    def test_ascii(self):
        _, agent = self.both(Open())
        answer = agent.exeat("doctor", env={"LC_ALL": "C"})
        self.assertTrue(answer.stdout.isascii(), answer.stdout)
        self.assertIn(" ok    tcp ", answer.stdout)
        self.assertIn("Nothing is wrong.", answer.stdout)

    def test_one_fault_is_one_cross(self):
        agent = self.agent("[upstream corp]\nproxy = http://127.0.0.1:%d\nauth = ntlm\nuser = alice\nsecret = file:@DIR@/secret\n" % free_port())
        answer = agent.exeat("doctor")
        self.assertEqual(answer.stdout.count("✗"), 1, answer.stdout)
        self.assertIn('–   offer       not tried: "tls" comes first', answer.stdout)
        self.assertIn("1 thing is wrong.", answer.stdout)

    def test_what_a_proxy_says_cannot_drive_the_terminal(self):
        """C1 in UTF-8 and bare, text that is turned around, bytes that are not UTF-8; what is harmless stays."""
        evil = b"HTTP/1.1 407 Who\r\nProxy-Authenticate: Basic realm=\"\xc2\x9b31m\x9b32m\xe2\x80\xaeolleh\xe2\x81\xa6\xff\xe2\x80\xa8ma\xc3\x9fe\"\r\nContent-Length: 0\r\n\r\n"
        _, agent = self.both(Canned(evil), corp("ntlm", ME))
        text = subprocess.run([agent.build + "/exeat", "doctor"], env=agent.env, cwd=agent.directory, capture_output=True, check=False).stdout.decode()
        report, steps = read(self.doctor(agent))
        self.is_as_documented(report, self.doctor(agent).stdout)
        for said in (text, steps["offer"]["evidence"]):
            self.assertIn("Proxy-Authenticate: Basic realm=\"?31m?32m?olleh???ma\u00dfe\"", said)

    def test_a_long_offer_is_cut(self):
        long = b"HTTP/1.1 407 Who\r\nProxy-Authenticate: Foo x=\"" + b"y" * 3000 + b"\"\r\n" + b"Proxy-Authenticate: NTLM\r\n" * 20 + b"Content-Length: 0\r\n\r\n"
        _, agent = self.both(Canned(long), corp("ntlm", ME))
        _, steps = read(self.doctor(agent))
        lines = steps["offer"]["evidence"].split("\n")
        self.assertEqual((len(lines), lines[-1]), (10, "and more"))
        self.assertTrue(lines[1].endswith("y ...") and len(lines[1]) < 260)
        self.assertRegex(steps["scheme"]["evidence"], "^NTLM: ")  # all of it counts

    def on_terminal(self, agent, columns, *words, **options):
        with Terminal(columns) as terminal:
            terminal.start([agent.build + "/exeat", *words], cwd=agent.directory, env=dict(agent.env, **options.get("env", {})), stdout=True)
            return terminal.read_to_end()

    def test_narrow_terminals(self):
        _, agent = self.both(Asks(Digest()), corp("digest", "alice"))
        for columns in (30, 40, 59, 60, 80, 132):
            lines = self.on_terminal(agent, columns, "doctor").split("\r\n")
            for line in lines[:-3]:
                self.assertTrue(len(line) <= columns or len(line.split()) <= 5 and max(map(len, line.split())) > columns - 24, (columns, line))
        whole = agent.exeat("doctor").stdout  # a pipe gets whole lines
        self.assertIn("; not NTLM: not named in auth =; not Basic: not named in auth =", whole)
        self.assertEqual(sum(line.startswith("   \u2713") or line.startswith("   \u2022") or line.startswith("   \u2013") for line in whole.split("\n")), 23)

    def test_no_colours(self):
        _, agent = self.both(Open())
        for env in ({}, {"NO_COLOR": "1"}, {"TERM": "dumb"}):
            self.assertNotIn("\x1b", self.on_terminal(agent, 80, "doctor", env=env))

    def test_the_manual(self):
        """What programs may rely on stands there."""
        _, agent = self.both(Open())
        text = " ".join(agent.exeat("help", "doctor").stdout.split())
        for word in ("ok", "url", "exit_code", "steps", "step", "result", "evidence", "remedy", "ms", "proxy", "failed", "note", "skipped"):
            self.assertRegex(text, r"\b%s\b" % word)
        self.assertIn("exeat help exit-codes", text)

    def test_there_are_enough_faults(self):
        self.assertGreaterEqual(len(FAULTS), 60)
        self.assertEqual(len({step for step, _ in FAULTS.values()}), 20, sorted({step for step, _ in FAULTS.values()}))

    def test_addresses(self):
        _, agent = self.both(Open())
        for url, code in (("http://a b/", 2), ("http://", 2), ("", 2), ("http://[::1/", 2), ("http://x:0", 2), ("http://x:99999", 2), ("ftp://site.example/", 2),
                          ("http:/site.example/", 2), ("http://alice:x@site.example/", 2), ("http://[fe80::1%25eth0]/", 2), ("http://h\u00f6st.example/", 2),
                          ("site.example:443", 0), ("site.example:80", 0), ("http://site.example?x=1#y", 0), ("[::1]:80", 0), ("https://[2001:db8::1]/", 0)):
            answer = agent.exeat("doctor", url)
            self.assertEqual(answer.returncode, code, url)
            self.assertEqual(bool(answer.stderr), code == 2, url)
        self.assertNotIn("alice:x", answer.stdout)

    def test_the_tunnel_of_an_ipv6_address(self):
        proxy, agent = self.both(Open())
        agent.exeat("doctor", "https://[2001:db8::1]/", check=True)
        self.assertIn("[2001:db8::1]:443", {r.target for r in proxy.requests if r.method == "CONNECT"})

    def test_the_request_and_its_legs(self):
        gate = Ntlm()
        proxy, agent = self.both(Asks(gate), corp("ntlm", ME))
        _, steps = read(self.doctor(agent, "--try", SITE + "/echo"))
        self.assertRegex(steps["request"]["evidence"], r"^http://site.example/echo answered 200 \(\d+ ms, 1 new connection, asked who we are 2 times, 1 sign-in")
        self.assertRegex(steps["duration"]["evidence"], r"the request \d+ ms; most in ")
        agent.stop()
        _, steps = read(alone(agent, "--try", SITE + "/echo"))
        self.assertRegex(steps["request"]["evidence"], r"^http://site.example/echo answered 200 \(\d+ ms, 3 legs, asked who we are 2 times\)")
        self.assertEqual((gate.attempts, gate.failed), (2, 0))
        self.assertEqual([r for r in proxy.requests if r.get("User-Agent") is None and "exeat.invalid" not in r.target], [])

    def test_a_socks_server(self):
        """It is greeted, no more; and its password waits for --try like any other."""
        gate = Pair()
        server = self.proxy(SocksServer(then=Open(), gate=gate), name="socks")
        agent = self.agent("[upstream corp]\nproxy = socks5://%s\n%s" % (server.address, corp("basic", "alice")))
        _, steps = read(self.doctor(agent))
        self.assertRegex(steps["offer"]["evidence"], "^it is a SOCKS5 server and asks for user and password")
        self.assertEqual((steps["request"]["result"], gate.attempts), ("note", 0), steps)
        report, steps = read(self.doctor(agent, "--try"))
        self.assertEqual((report["ok"], steps["scheme"]["evidence"], steps["request"]["result"]), (True, "user and password, as SOCKS5 has it", "ok"))
        self.assertEqual((gate.attempts, gate.failed), (1, 0))

    def test_a_socks_server_that_asks_nobody(self):
        server = self.proxy(SocksServer(then=Open()), name="socks")
        agent = self.agent("[upstream corp]\nproxy = socks5://%s\nauth = none\n" % server.address)
        report, steps = read(self.doctor(agent))
        self.assertTrue(report["ok"], report)
        self.assertRegex(steps["offer"]["evidence"], "^it is a SOCKS5 server and does not ask who we are")
        self.assertEqual((steps["keyholder"]["result"], steps["request"]["result"]), ("skipped", "ok"))
        self.assertEqual(read(alone(agent))[1]["request"]["evidence"], "not sent: on this way only a running agent can send it")

    # --- a PAC script

    def by_script(self, body, more="", **options):
        """Two proxies, A the configuration's, and a doctor of an agent that has the script."""
        a, b = self.proxy(Open(), name="a"), self.proxy(Open(), name="b")
        script = "function FindProxyForURL(url, host) {\n%s\n}\n" % body.replace("{A}", a.address).replace("{B}", b.address)
        return a, b, self.agent(a.upstream() + "[route]\npac = @DIR@/proxy.pac\n" + more, files={"proxy.pac": script}, **options)

    def test_the_pac_script_decides(self):
        """What is looked at is what requests go by."""
        _, b, agent = self.by_script("return host == 'x.example' ? 'DIRECT' : 'PROXY {B}; PROXY {A}';")
        _, steps = read(self.doctor(agent, SITE + "/echo"))
        self.assertRegex(steps["pac"]["evidence"], r"proxy\.pac, \d+ bytes, confirmed \d+ seconds ago: good$")
        self.assertRegex(steps["route"]["evidence"], r"(?s)by proxy %s \(PAC: PROXY %s; PROXY .*=> proxy %s" % (b.address, b.address, b.address))
        self.assertEqual({steps[step]["result"] for step in ("pac", "route", "tcp", "request")}, {"ok"}, steps)
        self.assertTrue(b.requests)
        _, steps = read(self.doctor(agent, "http://x.example/"))
        self.assertRegex(steps["route"]["evidence"], "^direct to x.example:80")

    def test_the_ways_of_a_pac_script(self):
        """All that it names; what goes direct at last is not looked at."""
        _, b, agent = self.by_script("return 'PROXY 127.0.0.1:%d; PROXY {B}; SOCKS5 127.0.0.1:%d; DIRECT';" % (free_port(), free_port()))
        answer = self.doctor(agent, SITE + "/echo")
        found = [(s["result"], s["proxy"] == b.address) for s in read(answer)[0]["steps"] if s["step"] == "tcp"]
        self.assertEqual(found, [("failed", False), ("ok", True), ("note", False)], answer.stdout)
        self.assertEqual((answer.returncode, read(answer)[1]["request"]["result"]), (UNREACHABLE, "ok"))

    def test_a_pac_script_that_fails(self):
        _, _, agent = self.by_script("\nnot_there();", "pac-failure = block\n")
        report = self.fails(self.doctor(agent, SITE + "/echo"), "pac", r"(?s)good.*|fails\nit failed: .*proxy\.pac:\d+", r"\[route\] pac")
        self.assertEqual((report["route"]["result"], report["tcp"]["result"]), ("skipped", "skipped"))
        a, _, agent = self.by_script("\nnot_there();")
        _, steps = read(self.doctor(agent, SITE + "/echo"))
        self.assertEqual((steps["pac"]["result"], steps["route"]["result"], steps["request"]["result"]), ("note", "ok", "ok"))
        self.assertRegex(steps["pac"]["evidence"], r"(?s)it failed: .*pac-failure = last-good decides")
        self.assertRegex(steps["route"]["evidence"], "by proxy %s" % a.address)

    def test_a_pac_script_that_is_not_asked(self):
        a, _, agent = self.by_script("return 'PROXY {B}';", "rule = site.example corp\n")
        _, steps = read(self.doctor(agent, SITE + "/echo"))
        self.assertEqual((steps["pac"]["result"], steps["pac"]["evidence"]), ("skipped", "not asked: a rule decides"))
        self.assertRegex(steps["route"]["evidence"], "by proxy %s" % a.address)
        _, steps = read(alone(agent))
        self.assertEqual(steps["pac"]["result"], "note")
        self.assertIn("only a running agent", steps["pac"]["evidence"])

    def at(self, answer, proxy):
        """The steps that are about this one."""
        return {step["step"]: step for step in json.loads(answer.stdout)["steps"] if step.get("proxy") == proxy.address}

    def test_a_proxy_behind_another(self):
        """The near one wants to know who we are: the far one is left to the request."""
        near, far = self.proxy(Asks(Ntlm(), then=Onward())), self.proxy(Open())
        agent = self.agent(far.upstream("auth = none\nvia = near") + near.upstream(corp("ntlm", ME), "near"))
        answer = self.doctor(agent)
        first, second = self.at(answer, near), self.at(answer, far)
        self.assertEqual(first["proxy"]["evidence"], "%s, on the way to %s" % (near.address, far.address))
        self.assertIn("Proxy-Authenticate: NTLM", first["offer"]["evidence"])
        self.assertEqual(near.requests[0].target, far.address)  # it is asked for what it is there for
        self.assertRegex(second["tcp"]["evidence"], "^not tried from here: %s asks who we are first" % near.address)
        self.assertEqual(read(answer)[1]["request"]["result"], "note")
        self.assertEqual(read(self.doctor(agent, "--try"))[1]["request"]["result"], "ok")
        self.assertEqual(read(alone(agent, "--try"))[1]["request"]["result"], "ok")

    def test_a_proxy_by_its_ipv6_address(self):
        proxy = self.proxy(Asks(Basic()), host="::1")
        agent = self.agent(proxy.upstream(corp("basic", "alice")))
        for answer in (self.doctor(agent, "--try"), alone(agent, "--try")):
            _, steps = read(answer)
            self.assertRegex(steps["tcp"]["evidence"], "^::1 port %d takes connections" % proxy.port)
            self.assertEqual(steps["request"]["result"], "ok")

    def test_the_far_proxy_is_looked_at(self):
        gate = Ntlm()
        for near in (self.proxy(Onward()), self.proxy(SocksServer(), name="socks")):
            far = self.proxy(Asks(gate))
            url = near.url if near.name != "socks" else "socks5://" + near.address
            agent = self.agent(far.upstream(corp("ntlm", ME) + "via = near") + "[upstream near]\nproxy = %s\nauth = none\n" % url)
            second = self.at(self.doctor(agent), far)
            self.assertRegex(second["tcp"]["evidence"], "^%s leads to it" % near.address)
            self.assertIn("Proxy-Authenticate: NTLM", second["offer"]["evidence"])
            self.assertRegex(second["ntlm"]["evidence"], "^domain corp.example")
            self.assertRegex(second["scheme"]["evidence"], "^NTLM: ")

    def test_tls_to_the_far_proxy(self):
        near, far = self.proxy(Onward()), self.proxy(Open(), tls=tls.context())
        far.url = "https://localhost:%d" % far.port
        agent = self.agent(far.upstream("auth = none\nca = %s\nvia = near" % tls.authority().pem) + near.upstream("auth = none", "near"))
        _, steps = read(self.doctor(agent))
        self.assertEqual((steps["tls"]["result"], steps["offer"]["result"], steps["request"]["result"]), ("ok", "note", "ok"), steps)
        self.assertRegex(steps["tls"]["evidence"], "good for localhost")

    def test_no_attempt_behind_another_proxy(self):
        """What the far one would ask is not known from here; that its password is not proven, is."""
        near, gate = self.proxy(Asks(Basic(user="bob", password="near"), then=Onward())), Ntlm()
        far = self.proxy(Asks(gate))
        agent = self.agent(far.upstream(corp("ntlm", ME) + "via = near") + near.upstream("auth = basic\nuser = bob\nsecret = file:@DIR@/near\n", "near")
                           + "[route]\nrule = site.example near\n", files={"near": "near\n"})
        self.assertEqual(self.ask(agent).status, 200)  # the near one has taken its password
        for words in ((), ("--config", agent.config_path)):
            _, steps = read(self.doctor(agent, *words))
            self.assertEqual((steps["request"]["result"], gate.attempts), ("note", 0), steps)

    def test_many_ways(self):
        """Four proxies behind four others: bounded, and each is named."""
        dead = " ".join("http://127.0.0.1:%d" % free_port() for _ in range(4))
        agent = self.agent("[upstream corp]\nproxy = %s\nauth = none\nvia = near\n[upstream near]\nproxy = %s\nauth = none\n" % (dead, dead))
        answer = self.doctor(agent)
        self.assertEqual(answer.returncode, UNREACHABLE)
        self.assertLessEqual(len({(s["proxy"], s["evidence"]) for s in read(answer)[0]["steps"] if s["step"] == "proxy"}), 16)

    def test_without_an_agent_the_same_is_seen(self):
        """Every step but those of the agent says the same as with one."""
        _, agent = self.both(Asks(Digest()), corp("digest", "alice"))
        _, here = read(self.doctor(agent))
        _, there = read(alone(agent))
        for step in ("dns", "tls", "password", "principal", "scheme", "request"):
            self.assertEqual(here[step]["evidence"], there[step]["evidence"])
