#!/usr/bin/python3
"""Figures: run.py [WORD...] prints those whose names contain one of the words (transfer, tunnels, trips, asked, keepalive, admit, cpu,
pac, failover, cable, logged, gateway), or all of them.

Nothing here fails because of a time. What must be equal (digests, counts of answers) is checked. Figures of other relays are taken in the
same run, with the same load through the same upstream, and given as ratios: only those mean anything on another machine."""

import contextlib
import hashlib
import json
import os
import resource
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(os.path.dirname(HERE), name) for name in ("lib", "scenarios")]

import agent as lib_agent  # noqa: E402
import network  # noqa: E402
from agent import Agent, cpu_seconds, memory, processes, wait_until  # noqa: E402
from gates import Basic, Digest, Kerberos, Ntlm  # noqa: E402
from proxy import Asks, Proxy  # noqa: E402
from realm import Realm  # noqa: E402
from test_gateway_clients import PASSWORD, USERS  # noqa: E402
from wire import Wire, get, once  # noqa: E402

GIB = 1 << 30
BLOCK = hashlib.sha512(b"exeat").digest() * 16384  # 1 MiB
SITE = "http://site.example"
LISTEN = "[listen]\nhttp = 127.0.0.1:0\n"
QUIET = "[log]\nrequests = no\n"


def build():
    """Compiles the two C programs; returns their folder."""
    place = os.path.join(lib_agent.build_directory(), "bench")
    os.makedirs(place, exist_ok=True)
    for name in ("upstream", "load"):
        source, program = os.path.join(HERE, name + ".c"), os.path.join(place, name)
        if not os.path.exists(program) or os.path.getmtime(program) < os.path.getmtime(source):
            subprocess.run([os.environ.get("CC", "gcc"), "-std=gnu11", "-D_GNU_SOURCE", "-O2", "-Wall", "-Wextra", "-o", program, source, "-lcrypto"], check=True)
    return place


PROGRAMS = None


class Upstream:
    """The upstream program; counts() asks it."""

    def __init__(self, scheme):
        self.scheme = scheme
        self.process = subprocess.Popen([os.path.join(PROGRAMS, "upstream"), scheme], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        self.port = int(self.process.stdout.readline())

    def counts(self):
        return json.loads(once(self.port, get(SITE + "/counts")).body)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


def load(kind, port, count, connections, path=""):
    out = subprocess.run([os.path.join(PROGRAMS, "load"), kind, str(port), str(count), str(connections), *([path] if path else [])],
                         stdout=subprocess.PIPE, text=True, check=True)
    answer = json.loads(out.stdout)
    if answer["done"] != count:
        sys.exit("load: %r" % answer)
    return answer


# --- relays: each is a context manager that gives an object with port and pids()

def free_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def descendants(pid):
    found, table = [pid], list(processes())
    for one in found:
        found += [child for child, parent, _ in table if parent == one]
    return found


class Exeat(Agent):
    def __init__(self, upstream, more=QUIET, listen="", files=None, env=None):
        lines = {"open": "auth = none\n", "basic": "auth = basic\nuser = alice\nsecret = file:@DIR@/secret\n",
                 "ntlm": "auth = ntlm\nuser = CORP\\alice\nsecret = file:@DIR@/secret\n"}[upstream.scheme]
        super().__init__(LISTEN + listen + "[upstream corp]\nproxy = http://127.0.0.1:%d\nconnections = 5000\n%s%s" % (upstream.port, lines, more),
                         files={"secret": "secret\n", **(files or {})}, wrap=["prlimit", "--nofile=%d" % FILES], env=env)

    def pids(self):
        return descendants(self.pid)


class Relay:
    """Another relay, with its configuration in a directory of its own."""

    def __init__(self, upstream):
        self.directory = tempfile.mkdtemp(prefix="exeat-bench-")
        os.chmod(self.directory, 0o777)  # for those that change their user
        self.port = free_port()
        path = os.path.join(self.directory, "conf")
        with open(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "w") as file:
            file.write(self.config(upstream.port))
        if self.readable:
            os.chmod(path, 0o644)
        self.process = subprocess.Popen(["prlimit", "--nofile=%d" % FILES, *self.command(path)], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL, start_new_session=True, cwd=self.directory)
        wait_until(self._listens, "%s to listen" % self.program)

    readable = True

    def _listens(self):
        if self.process.poll() is not None:
            raise AssertionError("%s ended with status %d" % (self.program, self.process.returncode))
        try:
            socket.create_connection(("127.0.0.1", self.port)).close()
            return True
        except OSError:
            return False

    def pids(self):
        return descendants(self.process.pid)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        with contextlib.suppress(OSError):
            os.killpg(self.process.pid, 9)
        self.process.wait()
        shutil.rmtree(self.directory, ignore_errors=True)


class Squid(Relay):
    program = "squid"

    def command(self, path):
        return ["squid", "-N", "-f", path]

    def config(self, port):
        return """http_port 127.0.0.1:%d
cache_peer 127.0.0.1 parent %d 0 no-query no-digest no-netdb-exchange default%s
never_direct allow all
http_access allow all
cache deny all
access_log none
cache_log /dev/null
pid_filename %s/squid.pid
coredump_dir %s
visible_hostname bench.example
pinger_enable off
shutdown_lifetime 0 seconds
max_filedescriptors %d
""" % (self.port, port, " login=alice:secret", self.directory, self.directory, FILES)


class Cntlm(Relay):
    program, readable = "cntlm", False

    def command(self, path):
        return ["cntlm", "-c", path, "-f"]

    def config(self, port):
        return "Username alice\nDomain CORP\nPassword secret\nAuth NTLMv2\nProxy 127.0.0.1:%d\nListen 127.0.0.1:%d\n" % (port, self.port)


class Tinyproxy(Relay):
    program = "tinyproxy"

    def command(self, path):
        return ["tinyproxy", "-d", "-c", path]

    def config(self, port):
        return "Port %d\nListen 127.0.0.1\nMaxClients 5000\nTimeout 600\nLogLevel Critical\nUpstream http alice:secret@127.0.0.1:%d\n" % (self.port, port)


# --- figures

def line(text, *values):
    print(text % values if values else text, flush=True)


def send_gib(client, chunked):
    head = get(SITE + "/sum", "Transfer-Encoding: chunked" if chunked else "Content-Length: %d" % GIB, method="POST")
    client.send(head)
    total = hashlib.sha256()
    for _ in range(GIB // len(BLOCK)):
        if chunked:
            client.send(b"%x\r\n" % len(BLOCK))
        client.send(BLOCK)
        if chunked:
            client.send(b"\r\n")
        total.update(BLOCK)
    if chunked:
        client.send(b"0\r\n\r\n")
    answer = json.loads(client.read_response("POST").body)
    if answer != {"length": GIB, "sha256": total.hexdigest()}:
        sys.exit("what arrived is not what was sent: %r" % answer)


def fetch(client, size):
    client.send(get(SITE + "/bytes/%d" % size))
    head = client.read_head()
    if head.get("Content-Length") != str(size):
        sys.exit("not that length: %r" % head.raw_head)
    total, left = hashlib.sha256(client.buffer), size - len(client.buffer)
    client.buffer = b""
    room = bytearray(1 << 20)
    while left:
        n = client.sock.recv_into(room, min(left, len(room)))
        if not n:
            sys.exit("the answer was cut short")
        total.update(memoryview(room)[:n])
        left -= n
    return total.hexdigest()


def transfer():
    """1 GiB each way through NTLM: the same digest, and how far the peak of the agent's memory rises above what small requests need."""
    with Upstream("ntlm") as upstream, Exeat(upstream) as relay:
        with Wire.connect(upstream.port) as straight:  # the digest of what the upstream sends, without anybody between
            once_type = "Proxy-Authorization: NTLM TlRMTVNTUAADAAAA" + "A" * 20
            straight.ask(get(SITE + "/bytes/0", once_type))
            expected = fetch(straight, GIB)
        with Wire.connect(relay.port) as client:
            client.ask(get(SITE + "/bytes/1000000"))
            client.ask(get(SITE + "/sum", method="POST", body=BLOCK))
            for name, work in (("up, one POST", lambda: send_gib(client, False)), ("up, chunked", lambda: send_gib(client, True)),
                               ("down", lambda: fetch(client, GIB) == expected or sys.exit("what arrived is not what was sent"))):
                peak, cpu, begin = relay.rss("VmHWM"), cpu_seconds(relay.pid), time.monotonic()
                work()
                growth = relay.rss("VmHWM") - peak
                line("transfer   1 GiB %-13s SHA-256 equal, peak RSS +%d KiB (aim: below 4096), %.2f s of CPU per GiB, %.0f MiB/s here",
                     name + ":", growth, cpu_seconds(relay.pid) - cpu, 1024 / (time.monotonic() - begin))


def idle_tunnels(relay, count):
    """RSS per idle tunnel, in KiB."""
    def rss():
        return sum(memory(pid) for pid in relay.pids())
    with contextlib.ExitStack() as stack:
        def open_one():
            tunnel = stack.enter_context(Wire.connect(relay.port))
            answer = tunnel.ask(get("site.example:443", method="CONNECT"))
            if answer.status != 200:
                sys.exit("CONNECT: %d" % answer.status)
            return tunnel
        tunnels = [open_one() for _ in range(50)]
        before = rss()
        tunnels += [open_one() for _ in range(count)]
        for tunnel in tunnels[::100]:
            tunnel.send(b"x")
            if tunnel.read(1) != b"x":
                sys.exit("a tunnel does not echo")
        return (rss() - before) / count


def tunnels():
    """Memory of idle tunnels."""
    count = 2000
    with Upstream("ntlm") as upstream:
        with Exeat(upstream) as relay:
            own = idle_tunnels(relay, count)
        line("tunnels    %d idle tunnels through NTLM: %.1f KiB of RSS each (aim: below 8)", count, own)
        if shutil.which("cntlm"):
            with Cntlm(upstream) as relay:
                other = idle_tunnels(relay, 400)
            line("tunnels    cntlm: %.1f KiB each, %.1f times as much", other, other / own)
    if shutil.which("squid"):
        with Upstream("basic") as upstream, Squid(upstream) as relay:
            other = idle_tunnels(relay, count)
        line("tunnels    squid: %.1f KiB each, %.1f times as much", other, other / own)


# --- what it takes to be let in, at a proxy of the scenarios, which judges each proof

DELAY = 0.020  # seconds that the proxy takes for each of its answers


class Slow(Asks):
    def handle(self, conn, request):
        time.sleep(DELAY)
        return super().handle(conn, request)


def ways(realm):
    """name -> (gate, lines of the section, environment) for an agent in front of that gate."""
    password = "user = alice\nsecret = file:@DIR@/secret\nconnections = 100\n"
    return {"Basic": (Basic(), password + "auth = basic\n", {}), "Digest": (Digest(), password + "auth = digest\n", {}),
            "Negotiate": (Kerberos(keytab=realm.keytab), "secret = none\nauth = negotiate\nspn = %s\n" % Kerberos.service, realm.ticket()),
            "NTLM": (Ntlm(), password + "auth = ntlm\n", {})}


def connect(relay, proxy, target):
    """One new tunnel: its heads at the proxy from when it was asked for, and the time until its 200 in answers of the proxy."""
    before = len(proxy.requests)
    with Wire.connect(relay.port) as client:
        begin = time.monotonic()
        if client.ask(get(target, method="CONNECT")).status != 200:
            sys.exit("CONNECT: refused")
        took = time.monotonic() - begin
    seen = proxy.requests[before:]
    own = {request.connection for request in seen if request.target == target}
    return sum(1 for request in seen if request.connection in own), took / DELAY


def trips_of(name, relay, proxy, ready=lambda opened: None, count=10):
    """Without the first one, which learns what the proxy asks for; ready(tunnels opened so far) before each."""
    counted = []
    for opened in range(count + 1):
        ready(opened)
        counted.append(connect(relay, proxy, "site%d.example:443" % opened))
    legs, times = zip(*counted[1:])
    line("trips      CONNECT until its 200, %-18s %.1f round trips, %.2f by time", name + ":", statistics.mean(legs), statistics.median(times))


def trips():
    """Round trips until the 200 of a CONNECT, at a proxy that takes 20 ms for each answer; cntlm beside it."""
    with Realm() as realm:
        for name, (gate, lines, environment) in ways(realm).items():
            for spares in (0, 2) if name == "NTLM" else (0,):
                section = lines + "spares = %d\n[log]\nlevel = debug\n" % spares
                with Proxy(Slow(gate)) as proxy, Agent(LISTEN + proxy.upstream(section), files={"secret": "secret\n"}, env=environment) as relay:
                    def ready(opened, relay=relay, spares=spares):  # each tunnel is followed by one spare at least
                        wait_until(lambda: not spares or relay.log().count("ready ahead of need") >= opened, "a spare")
                    trips_of(name + (", with spares" if spares else ", cold" if name == "NTLM" else ""), relay, proxy, ready)
    if shutil.which("cntlm"):
        with Proxy(Slow(Ntlm())) as proxy, Cntlm(proxy) as relay:
            trips_of("cntlm (NTLM)", relay, proxy)
    else:
        line("trips      cntlm: not installed")


def thousand(port, clients=8, each=125):
    """Plain requests on kept connections, all at once. Were all of them answered?"""
    good = []

    def client():
        with contextlib.suppress(OSError, AssertionError), Wire.connect(port) as connection:
            good.extend(1 for _ in range(each) if connection.ask(get(SITE + "/bytes/9")).status == 200)
    threads = [threading.Thread(target=client) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return len(good) == clients * each


def asked_of(name, relay, behaviour, aim=None):
    """aim: 407s at most; a relay without one may fail."""
    what = "asked      1000 plain requests over 8 client connections, %-14s" % (name + ":")
    whole = once(relay.port, get(SITE + "/bytes/9")).status == 200
    before = behaviour.asked
    whole = whole and thousand(relay.port)
    if not whole and aim is not None:
        sys.exit("%s: not all were answered" % name)
    line("%s %s", what, "%d times 407%s" % (behaviour.asked - before, "" if aim is None else " (aim: at most %d)" % aim) if whole else "did not survive it")


def asked():
    """407s in the steady state, as the proxy counts them; cntlm beside it."""
    with Realm() as realm:
        for name, (gate, lines, environment) in ways(realm).items():
            behaviour = Asks(gate)
            with Proxy(behaviour) as proxy, Agent(proxy.upstream(lines) + QUIET, files={"secret": "secret\n"}, env=environment) as relay:
                asked_of(name, relay, behaviour, 8 if name == "NTLM" else 0)
    if shutil.which("cntlm"):
        behaviour = Asks(Ntlm())
        with Proxy(behaviour) as proxy, Cntlm(proxy) as relay:
            asked_of("cntlm (NTLM)", relay, behaviour)


def keepalive():
    """407s against connections, through NTLM."""
    with Upstream("ntlm") as upstream, Exeat(upstream) as relay:
        load("requests", relay.port, 10000, 32, "bytes/500")
        counts = upstream.counts()
    line("keepalive  10000 requests over 32 client connections through NTLM: %d upstream connections, %d times 407: %.2f per connection (aim: at most 2)",
         counts["connections"], counts["asked"], counts["asked"] / counts["connections"])


def accepting(relay, rounds, batch):
    """CPU seconds of the agent for so many connections; the answer on the last of a batch shows that all were accepted."""
    before = cpu_seconds(relay.pid)
    for _ in range(rounds):
        clients = [socket.create_connection(("127.0.0.1", relay.port)) for _ in range(batch)]
        if Wire(clients[-1]).ask(get(SITE + "/bytes/1")).status != 200:
            sys.exit("not let in")
        for client in clients:
            client.close()
    return cpu_seconds(relay.pid) - before


def admit():
    """What it costs to ask the kernel whose connection it is: CPU per accepted connection, beside an agent that lets everybody in."""
    rounds, batch = 10, 800
    with Upstream("open") as upstream, Exeat(upstream) as asks, Exeat(upstream, listen="allow-uids = any\n") as any_user:
        spent = [[accepting(relay, rounds, batch) for relay in (asks, any_user)] for _ in range(6)]
    own, without = (sum(times) / len(spent) / rounds / batch * 1e6 for times in zip(*spent))
    line("admit      %.1f us of CPU per accepted connection, %.1f of them for whose it is", own, own - without)


def cpu_of(relay, kind, count, connections):
    """Microseconds of CPU per request or tunnel: the relay's processes together, user and system."""
    load(kind, relay.port, count // 10, connections, "bytes/1000")
    pids = relay.pids()
    before = sum(cpu_seconds(pid) for pid in pids)
    load(kind, relay.port, count, connections, "bytes/1000")
    return (sum(cpu_seconds(pid) for pid in pids) - before) / count * 1e6


def cpu():
    """CPU per plain request and per tunnel, beside others that log in to the same upstream in the same way. cntlm has a thread per client and
    a short queue of new ones: with more than a few connections at once it waits for seconds, or ends; so both get two."""
    for scheme, connections, others in (("ntlm", 2, (Cntlm,)), ("basic", 32, (Squid, Tinyproxy))):
        for kind, count in (("requests", 20000), ("tunnels", 5000)):
            with Upstream(scheme) as upstream:
                with Exeat(upstream) as relay:
                    own = cpu_of(relay, kind, count, connections)
                line("cpu        %-8s %-5s exeat: %.0f us each here, %d connections at once", kind, scheme, own, connections)
                for other in others:
                    compare(upstream, other, kind, scheme, count, connections, own)


def logged():
    """What the log of requests costs: CPU per request with a line in each form, beside none, in turns in the same run."""
    forms = {"none": QUIET, **{form: "[log]\nfile = @DIR@/runtime/requests\nformat = %s\n" % form for form in ("plain", "common", "json")}}
    with Upstream("open") as upstream, contextlib.ExitStack() as stack:
        relays = {form: stack.enter_context(Exeat(upstream, more)) for form, more in forms.items()}
        spent = {form: [] for form in forms}
        for _ in range(4):
            for form, relay in relays.items():
                spent[form].append(cpu_of(relay, "requests", 10000, 32))
    none = statistics.median(spent.pop("none"))
    for form, figures in spent.items():
        line("logged     requests, a line each in a file, %-7s %.2f times the CPU of none", form + ":", statistics.median(figures) / none)


def compare(upstream, other, kind, scheme, count, connections, own):
    what = "cpu        %-8s %-5s %s" % (kind, scheme, other.program)
    if not shutil.which(other.program):
        return line("%s: not installed", what)
    with other(upstream) as relay:
        try:
            return line("%s: %.2f times as much", what, cpu_of(relay, kind, count, connections) / own)
        except (subprocess.CalledProcessError, OSError):
            return line("%s: did not survive it", what)


# --- decisions

PAC = """function FindProxyForURL(url, host) {
    if (isPlainHostName(host) || dnsDomainIs(host, ".internal.example") || shExpMatch(host, "*.lab.example*")
        || /^10\\.[0-9.]+$/.test(host))
        return "DIRECT";
    return "PROXY 127.0.0.1:%d";
}
"""


def decisions(relay, urls):
    """So many requests, one connection, a few on their way at a time; CPU seconds of agent and helpers, and seconds."""
    before, begin = sum(map(cpu_seconds, relay.pids())), time.monotonic()
    with Wire.connect(relay.port) as client:
        for at in range(0, len(urls), 100):
            client.send(b"".join(get(url) for url in urls[at:at + 100]))
            for _ in urls[at:at + 100]:
                if client.read_response("GET").status != 200:
                    sys.exit("not answered")
    return sum(map(cpu_seconds, relay.pids())) - before, time.monotonic() - begin


def pac():
    """Decisions by a PAC script, remembered and asked for, by the CPU that they take more than one by a rule."""
    count, rounds = 20000, 5
    if not os.path.exists(os.path.join(lib_agent.build_directory(), "exeat-pac")):
        return line("pac        exeat-pac was not built")
    with Upstream("open") as upstream:
        more = QUIET + "[route]\npac = @DIR@/proxy.pac\nrule = rule.example corp\n"
        with Exeat(upstream, more, files={"proxy.pac": PAC % upstream.port}) as relay:
            kinds = {"rule": lambda i: "http://rule.example/bytes/9", "remembered": lambda i: "http://site.example/bytes/9",
                     "asked": lambda i: "http://site%d.example/bytes/9" % i}
            took = {name: [decisions(relay, [kind(i * rounds + r) for i in range(count)]) for r in range(rounds)] for name, kind in kinds.items()}
            cost = {name: [min(figure) for figure in zip(*figures)] for name, figures in took.items()}
            state = json.loads(relay.exeat("status", "--json").stdout)["pac"]
    if state["questions"] != count * rounds + 1:
        sys.exit("asked %d times" % state["questions"])
    for name in ("remembered", "asked"):
        own = (cost[name][0] - cost["rule"][0]) / count
        shown = "%.1f us of CPU for a decision, %.0f per second and core" % (own * 1e6, 1 / own) if own > 1e-7 else "a decision costs less CPU than can be seen here"
        line("pac        %-11s %s; %.0f requests per second here, with a rule %.0f", name + ":", shown, count / cost[name][1], count / cost["rule"][1])


# --- outages

def failover():
    """Requests that are lost when one of two proxies is killed under load; at most those that were on their way to it."""
    rounds, lost, connections = 20, [], 16
    for _ in range(rounds):
        with Upstream("ntlm") as one, Upstream("ntlm") as other:
            with Agent(LISTEN + "[upstream corp]\nproxy = http://127.0.0.1:%d http://127.0.0.1:%d\nauth = ntlm\nuser = CORP\\alice\n"
                       "secret = file:@DIR@/secret\n" % (one.port, other.port) + QUIET, files={"secret": "secret\n"}) as relay:
                statuses = []

                def client(relay=relay, statuses=statuses):
                    for _ in range(100):
                        status = 0
                        with contextlib.suppress(OSError, AssertionError):
                            status = once(relay.port, get(SITE + "/bytes/9")).status
                        statuses.append(status)
                threads = [threading.Thread(target=client) for _ in range(connections)]
                for thread in threads:
                    thread.start()
                wait_until(lambda statuses=statuses: len(statuses) > 200, "some requests")
                one.process.kill()
                for thread in threads:
                    thread.join()
                lost.append(sum(1 for status in statuses if status != 200))
    line("failover   one of two proxies killed under load, %d times, 1600 requests each, %d on their way at once: lost %.1f in the mean, %d at most", rounds,
         connections, statistics.mean(lost), max(lost))


def cable():
    """From `ip link set up` until a request has been served by the proxy again, as often as it is asked."""
    if os.geteuid() != 0:
        return line("cable      needs root, to make networks")
    times = []
    with network.joined() as far:
        with network.inside(far):
            proxy = Proxy(Asks(Ntlm()), host=network.FAR)
        with proxy, Agent(LISTEN + proxy.upstream("auth = ntlm\nuser = alice\nsecret = file:@DIR@/secret\n"), files={"secret": "secret\n"}) as relay:
            for _ in range(20):
                if once(relay.port, get(SITE + "/bytes/9")).status != 200:
                    sys.exit("not served")
                news = relay.log().count("the network has changed")
                network.ip("link", "set", "eth0", "down")
                wait_until(lambda news=news: relay.log().count("the network has changed") > news, "news of the cable")
                for _ in range(3):  # so that the proxy sleeps
                    once(relay.port, get(SITE + "/bytes/9"))
                network.ip("link", "set", "eth0", "up")
                begin = time.monotonic()
                wait_until(lambda: once(relay.port, get(SITE + "/bytes/9")).status == 200, "the proxy")
                times.append(time.monotonic() - begin)
    line("cable      from the link up to the first request served by the proxy: %.0f ms in the median, %.0f at most here", statistics.median(times) * 1e3,
         max(times) * 1e3)


# --- our own clients

class Came:
    """The gateway as `cpu_of` and the load see it: its processes, and the port of whoever speaks to it."""

    def __init__(self, gate, port):
        self.pids, self.port = gate.pids, port


def gateway():
    """Requests and tunnels per second through a gateway, and its CPU for each, by the scheme with which its client comes in. The client is another exeat; beside it, the
    same way through an address of the same gateway's program that asks nobody. A tunnel is a new connection, with a handshake of its own where the scheme binds one."""
    with Realm() as realm, Upstream("open") as upstream, contextlib.ExitStack() as stack:
        gate = stack.enter_context(Exeat(upstream, QUIET + "[gateway]\nlisten = 127.0.0.1:0\nauth = negotiate ntlm digest basic\nusers = @DIR@/users\ndomain = CORP\n"
                                         "keytab = %s\nconnections-per-address = 0\nconnections = 5000\nrequests-per-second = 0\n" % realm.keytab,
                                         files={"users": USERS}, env=realm.ticket()))
        port = int(gate.status()["gateways"][0]["listening"][0].rpartition(":")[2])
        known = "user = %s\nsecret = file:@DIR@/secret\n"
        ways = {"nobody": (gate.port, "auth = none\n"), "basic": (port, "auth = basic\n" + known % "alice"), "digest": (port, "auth = digest\n" + known % "alice"),
                "ntlm": (port, "auth = ntlm\n" + known % "CORP\\alice"),
                "negotiate": (port, "auth = negotiate\nsecret = none\nspn = %s\n" % Kerberos.service)}
        figures = {}
        for name, (at, lines) in ways.items():
            client = stack.enter_context(Agent(LISTEN + "[upstream gate]\nproxy = http://127.0.0.1:%d\nconnections = 5000\n%s%s" % (at, lines, QUIET),
                                               files={"secret": PASSWORD + "\n"}, env=realm.ticket(), wrap=["prlimit", "--nofile=%d" % FILES]))
            for kind, count, connections in (("requests", 5000, 16), ("tunnels", 500, 8)):
                begin = time.monotonic()
                spent = cpu_of(Came(gate, client.port), kind, count, connections)
                figures[name, kind] = (count * 1.1 / (time.monotonic() - begin), spent)  # with those that warm it up
    for (name, kind), (rate, spent) in figures.items():
        line("gateway    %-8s %-10s %6.0f a second, %.2f times the CPU of one that asks nobody", kind, name + ":", rate, spent / figures["nobody", kind][1])


def main():
    global PROGRAMS, FILES
    words = sys.argv[1:]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))  # so that nothing that was started stays behind
    PROGRAMS = build()
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    FILES = min(hard, 65536) if hard > 0 else 65536
    resource.setrlimit(resource.RLIMIT_NOFILE, (FILES, hard))
    os.environ["PATH"] += ":/usr/sbin:/sbin"
    for figure in (transfer, tunnels, trips, asked, keepalive, admit, cpu, pac, failover, cable, logged, gateway):
        if not words or any(word in figure.__name__ for word in words):
            figure()


FILES = 1024

if __name__ == "__main__":
    main()
