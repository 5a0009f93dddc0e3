"""exeat doctor: one fault each, and the sentence that it must print, with what to do and the exit code; and that asking costs no attempt.

A row of the table is a method that makes the fault and runs the verb; the line above it says which step must say what."""

import errno
import functools
import json
import os
import pty
import select
import shutil
import socket
import subprocess
import tempfile

import agent as lib_agent
import tls
from base import SITE, Scenario, corp
from behaviours import Canned, SaysFirst, Silent
from desktop import Keyring
from gates import Basic, Digest, Kerberos, Ntlm
from proxy import Asks, Open
from realm import Realm, free_port
from test_admit import NOBODY

ME = "CORP\\alice"
DONE, FAILED, CONFIG, NO_AGENT, REFUSED, UNREACHABLE = 0, 1, 3, 4, 5, 6


def fault(step, evidence, remedy="", code=FAILED, result="failed"):
    """A row of the table: the decorated makes the fault and returns what exeat doctor --json answered."""

    def add(make):
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


def _addresses(name):
    try:
        return socket.getaddrinfo(name, 80, type=socket.SOCK_STREAM)
    except OSError:
        return []


def _free(port):
    with socket.socket() as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            s.bind(("127.0.0.1", port))
        except OSError as error:
            return error.errno != errno.EADDRINUSE
    return True


def port_of_both_kinds():
    """A UDP and a TCP socket with the same port: what is free for the one kind need not be for the other."""
    for _ in range(50):
        udp, tcp = socket.socket(type=socket.SOCK_DGRAM), socket.socket()
        udp.bind(("127.0.0.1", 0))
        try:
            tcp.bind(udp.getsockname())
            return udp, tcp
        except OSError:
            udp.close()
            tcp.close()
    raise OSError("no port is free for both UDP and TCP")


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
        agent = self.stack.enter_context(lib_agent.Agent(None, env={"http_proxy": self.proxy(Open()).url}, ready=False, start=False))
        if not _free(3128):
            self.skipTest("port 3128 is taken on this computer")
        agent.start()
        agent.wait_ready()
        return self.doctor(agent, env={"http_proxy": "http://127.0.0.1:3128"})

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

    def test_no_ticket(self):
        self.fails(self.doctor(self.knows()), "ticket", "^no Kerberos ticket", "kinit")

    def test_expired_ticket(self):
        self.realm.kinit(self.cache, life="1s")
        agent = self.knows()
        lib_agent.wait_until(lambda: subprocess.run(["klist", "-s", self.cache], env=self.realm.env, check=False).returncode, "its end")
        self.fails(self.doctor(agent), "ticket", r"no Kerberos ticket \(there is one of alice@CORP.EXAMPLE \(expired\)\)", "kinit")

    def test_unknown_service_name(self):
        self.realm.kinit(self.cache)
        agent = self.knows("auth = negotiate\nsecret = none\nspn = HTTP/nobody.corp.example\n")
        self.fails(self.doctor(agent), "spn", "does not know the proxy's service name .*HTTP/nobody.corp.example@?", "spn = HTTP/NAME")

    def skewed(self, clock):
        realm = Realm(service="HTTP/localhost")
        self.stack.callback(realm.destroy)
        realm.kinit(self.cache)
        realm.stop()
        realm.start(clock)
        return self.doctor(self.knows("auth = negotiate ntlm\nuser = alice@CORP.EXAMPLE\nsecret = none\n", conf=realm.conf))

    def test_clock_behind(self):
        self.fails(self.skewed("+2h"), "kdc-clock", "this computer's clock is (7199|72\\d\\d) seconds behind the Kerberos server's", "timedatectl")

    def test_clock_ahead(self):
        self.fails(self.skewed("-2h"), "kdc-clock", "this computer's clock is (7199|72\\d\\d) seconds ahead of the Kerberos server's", "timedatectl")

    def conf(self, port, realm="CORP.EXAMPLE"):
        path = self.folder + "/krb5.conf"
        with open(path, "w") as file:
            file.write("[libdefaults]\ndefault_realm = %s\ndns_lookup_kdc = false\ndns_canonicalize_hostname = false\nrdns = false\n"
                       "[realms]\nCORP.EXAMPLE = {\n kdc = 127.0.0.1:%d\n}\n" % (realm, port))
        return path

    def test_kdc_is_not_there(self):
        agent = self.knows("auth = negotiate\nuser = alice@CORP.EXAMPLE\nsecret = none\n", conf=self.conf(free_port()))
        self.fails(self.doctor(agent), "kdc", "no Kerberos server can be reached", "krb5.conf", code=UNREACHABLE)

    def test_kdc_swallows_packets(self):
        """And nobody waits for it longer than the keyholder says."""
        udp, tcp = port_of_both_kinds()
        with udp, tcp:
            tcp.listen(8)
            agent = self.knows("auth = negotiate\nuser = alice@CORP.EXAMPLE\nsecret = none\n", conf=self.conf(udp.getsockname()[1]))
            self.fails(self.doctor(agent), "kdc", r"no Kerberos server answered within \d+ seconds", "VPN", code=UNREACHABLE)

    def test_wrong_realm(self):
        agent = self.knows("auth = negotiate\nuser = alice@ELSEWHERE.EXAMPLE\nsecret = none\n")
        self.fails(self.doctor(agent), "kdc", "no Kerberos server can be found .*ELSEWHERE.EXAMPLE", "names the servers", code=UNREACHABLE)

    def test_unknown_user(self):
        agent = self.knows("auth = negotiate\nuser = mallory@CORP.EXAMPLE\nsecret = none\n")
        self.fails(self.doctor(agent), "kdc", "the Kerberos server of CORP.EXAMPLE does not know mallory@CORP.EXAMPLE", "NAME@REALM")

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
        evil = b"HTTP/1.1 407 Who\r\nProxy-Authenticate: Basic realm=\"\xc2\x9b31m\xff\"\r\nContent-Length: 0\r\n\r\n"
        _, agent = self.both(Canned(evil), corp("ntlm", ME))
        answer = subprocess.run([agent.build + "/exeat", "doctor"], env=agent.env, cwd=agent.directory, capture_output=True, check=False)
        self.assertNotIn(b"\xc2\x9b", answer.stdout)
        json.loads(subprocess.run([agent.build + "/exeat", "doctor", "--json"], env=agent.env, cwd=agent.directory, capture_output=True, check=False).stdout)

    def test_addresses(self):
        _, agent = self.both(Open())
        for url, code in (("http://a b/", 2), ("http://", 2), ("site.example:443", 0), ("site.example", 0), ("http://site.example?x=1#y", 0), ("[::1]:80", 0)):
            self.assertEqual(agent.exeat("doctor", url).returncode, code, url)

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

    def test_a_socks_server_is_not_asked_in_http(self):
        hole = self.stack.enter_context(socket.socket())
        hole.bind(("127.0.0.1", 0))
        hole.listen(8)
        agent = self.files("[upstream corp]\nproxy = socks5://127.0.0.1:%d\nauth = none\n" % hole.getsockname()[1])
        report, steps = read(alone(agent))
        self.assertTrue(report["ok"], report)
        self.assertEqual((steps["tcp"]["result"], steps["offer"]["evidence"]), ("ok", "not asked: a SOCKS server"))
        self.assertEqual(steps["request"]["result"], "skipped")

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

    def test_a_proxy_behind_another(self):
        near, far = self.proxy(Asks(Ntlm())), self.proxy(Open())
        agent = self.agent(far.upstream("auth = none\nvia = near") + near.upstream(corp("ntlm", ME), "near"))
        _, steps = read(self.doctor(agent))
        self.assertIn("through %s, which is looked at here" % near.address, steps["route"]["evidence"])
        self.assertIn("Proxy-Authenticate: NTLM", steps["offer"]["evidence"])
        self.assertEqual(steps["request"]["result"], "note")

    def test_without_an_agent_the_same_is_seen(self):
        """Every step but those of the agent says the same as with one."""
        _, agent = self.both(Asks(Digest()), corp("digest", "alice"))
        _, here = read(self.doctor(agent))
        _, there = read(alone(agent))
        for step in ("dns", "tls", "password", "principal", "scheme", "request"):
            self.assertEqual(here[step]["evidence"], there[step]["evidence"])

    def test_progress_on_a_terminal(self):
        behaviour = Silent()
        agent = self.agent(self.proxy(behaviour).upstream("auth = none\nanswer-timeout = 20s\n"))
        master, slave = pty.openpty()
        with open(master, "rb", buffering=0) as terminal:
            doctor = subprocess.Popen([agent.build + "/exeat", "doctor"], env=agent.env, cwd=agent.directory, stdin=subprocess.DEVNULL,
                                      stdout=subprocess.DEVNULL, stderr=slave)
            os.close(slave)
            seen = b""
            while b"waiting for the proxy's answer: 1 s" not in seen:
                seen += terminal.read(1000)
            behaviour.release.set()
            try:
                while terminal.read(1000):
                    pass
            except OSError:
                pass  # its other end is closed
            self.assertNotEqual(doctor.wait(lib_agent.PATIENCE), 0)

