"""exeat connect: standard input and output through the agent; how it finds the agent, how it ends, and what it says when it cannot."""

import fcntl
import os
import select
import socket
import subprocess
import sys
import termios
import threading

from agent import PATIENCE, Agent, cpu_seconds, wait_until
from base import Scenario, corp
from behaviours import Canned, EarlyBytes, Talks
from gates import Basic, Ntlm
from proxy import Asks, Open, content, never
from wire import Wire

DONE, FAILED, USAGE, CONFIG, NO_AGENT, REFUSED, UNREACHABLE = range(7)


class Connect(Scenario):
    def start(self, agent, *words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, target=("site.example", "22")):
        process = subprocess.Popen([os.path.join(agent.build, "exeat"), "connect", *words, *target], env=agent.env, cwd=agent.directory,
                                   stdin=stdin, stdout=stdout, stderr=subprocess.PIPE, bufsize=0)
        self.stack.callback(self.finish, process)
        return process

    @staticmethod
    def finish(process):
        if process.poll() is None:
            process.kill()
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream:
                stream.close()
        process.wait(PATIENCE)

    def ends(self, process, code, words=""):
        said = process.stderr.read().decode()
        self.assertEqual(process.wait(PATIENCE), code, said)
        if words:
            self.assertRegex(said, "(?s)" + words)
        else:
            self.assertEqual(said, "")

    def read(self, process, count):
        parts = b""
        while len(parts) < count:
            self.assertTrue(select.select([process.stdout], [], [], PATIENCE)[0], "nothing comes")
            part = os.read(process.stdout.fileno(), count - len(parts))
            self.assertTrue(part, "the end after %r" % parts[-100:])
            parts += part
        return parts

    def echo(self, process, data=b"over there and back \0\xff\r\n\n"):
        process.stdin.write(data)
        self.assertEqual(self.read(process, len(data)), data)


class Copies(Connect):
    def test_both_ways(self):
        proxy, agent = self.both(Open())
        process = self.start(agent)
        self.echo(process)
        self.echo(process, bytes(range(256)) * 100)
        process.stdin.close()
        self.assertEqual(process.stdout.read(), b"<%d bytes>" % (len(b"over there and back \0\xff\r\n\n") + 25600))
        self.ends(process, DONE)
        self.assertEqual((proxy.requests[0].method, proxy.requests[0].target), ("CONNECT", "site.example:22"))

    def test_hosts(self):
        proxy, agent = self.both(Open())
        for host, target in (("2001:db8::7", "[2001:db8::7]:22"), ("[2001:db8::7]", "[2001:db8::7]:22"), ("192.0.2.7", "192.0.2.7:22")):
            process = self.start(agent, target=(host, "22"))
            self.echo(process)
            self.assertEqual(proxy.requests[-1].target, target)

    def test_far_side_speaks_first(self):
        hello = content(100000)
        _, agent = self.both(EarlyBytes(hello))
        process = self.start(agent)
        self.assertEqual(self.read(process, len(hello)), hello)
        self.echo(process)

    def test_large_up_then_down(self):
        _, agent = self.both(Asks(Ntlm()), corp("ntlm"))
        data = content(30000000)
        process = self.start(agent)

        def send():
            at = 0
            while at < len(data):
                at += os.write(process.stdin.fileno(), data[at:at + 1000000])
            process.stdin.close()

        sender = threading.Thread(target=send)
        sender.start()
        self.assertEqual(process.stdout.read(), data + b"<30000000 bytes>")
        sender.join()
        self.ends(process, DONE)

    def test_files_and_pipes_and_sockets(self):
        _, agent = self.both(Open())
        data = content(500000)
        with open(agent.write("in", data), "rb") as source, open(os.path.join(agent.directory, "out"), "wb") as sink:
            process = self.start(agent, stdin=source, stdout=sink)
            self.ends(process, DONE)
        with open(os.path.join(agent.directory, "out"), "rb") as sink:
            self.assertEqual(sink.read(), data + b"<500000 bytes>")
        ours, theirs = socket.socketpair()
        process = self.start(agent, stdin=theirs, stdout=theirs)
        theirs.close()
        with Wire(ours) as wire:
            sender = threading.Thread(target=lambda: (wire.send(data), wire.shut()))
            sender.start()
            self.assertEqual(wire.read_to_end(), data + b"<500000 bytes>")
            sender.join()
        self.ends(process, DONE)
        process = self.start(agent, stdin=subprocess.DEVNULL)
        self.assertEqual(process.stdout.read(), b"<0 bytes>")
        self.ends(process, DONE)

    def test_far_side_ends_first(self):
        behaviour = Talks(2000000)
        _, agent = self.both(behaviour)
        process = self.start(agent)
        self.assertEqual(process.stdout.read(), content(2000000))
        process.stdin.write(content(5000))
        process.stdin.close()
        self.assertTrue(behaviour.end.wait(PATIENCE))
        self.assertEqual(behaviour.got, content(5000))
        self.ends(process, DONE)

    def test_reader_goes_away(self):
        """With and without something for it: no words, no endless wait, and none of the processor."""
        _, agent = self.both(Open())
        process = self.start(agent)
        self.echo(process)
        process.stdout.close()
        self.ends(process, FAILED)
        process = self.start(agent)
        self.echo(process)
        at = fcntl.fcntl(process.stdout, fcntl.F_GETPIPE_SZ)
        process.stdin.write(b"x" * (at + 4096))
        wait_until(lambda: waiting_in(process.stdout) == at, "a full pipe")
        process.stdout.close()
        self.ends(process, FAILED)

    def test_idle_is_idle(self):
        """Both ends of its pipes in a state that poll reports again and again: it must not spin."""
        _, agent = self.both(Talks(10))
        process = self.start(agent)
        self.assertEqual(process.stdout.read(), content(10))  # the far side has ended
        before = cpu_seconds(process.pid)
        self.assertTrue(never(0.3, lambda: cpu_seconds(process.pid) - before > 0.15))
        process.stdin.close()
        self.ends(process, DONE)

    def test_the_tunnel_breaks(self):
        proxy, agent = self.both(Open())
        process = self.start(agent)
        self.echo(process)
        proxy.connections[0].sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        proxy.drop_all()
        process.stdout.read()
        process.stdin.close()
        self.assertIn(process.wait(PATIENCE), (DONE, FAILED))

    def test_the_agent_is_killed(self):
        proxy, agent = self.both(Open())
        process = self.start(agent)
        self.echo(process)
        agent.kill()
        process.stdout.read()
        process.stdin.close()
        process.wait(PATIENCE)


def waiting_in(pipe):
    """Bytes that nobody has read yet."""
    return int.from_bytes(fcntl.ioctl(pipe, termios.FIONREAD, b"\0\0\0\0"), sys.byteorder)


class Failures(Connect):
    def fails(self, agent, code, words, *more, **options):
        process = self.start(agent, *more, **options)
        process.stdin.close()
        self.assertEqual(process.stdout.read(), b"")
        self.ends(process, code, r"\Aexeat: .*" + words)

    def test_proxy_says_no(self):
        for status, words in ((b"403 Forbidden", "no tunnel to site.example:22: the proxy answered 403 Forbidden\n"), (b"503 ", "answered 503\n"),
                              (b"302 F\xc2\x9bound", r"answered 302 F\?ound\n")):
            _, agent = self.both(Canned(b"HTTP/1.1 " + status + b"\r\nContent-Length: 3\r\n\r\nno\n"))
            self.fails(agent, FAILED, words)

    def test_407_is_the_programs_own_matter(self):
        _, agent = self.both(Asks(Basic()), "client-credentials = pass")
        self.fails(agent, REFUSED, "the proxy answered 407 ")

    def test_refused_secret(self):
        _, agent = self.both(Asks(Basic()), corp("basic", "alice"), secret="wrong")
        self.fails(agent, REFUSED, "no tunnel to site.example:22: The proxy .* refused the password of alice.*\nPut the right password into")

    def test_proxy_is_down(self):
        proxy, agent = self.both(Open())
        proxy.stop_listening()
        self.fails(agent, UNREACHABLE, "cannot connect to %s: .*\n.*proxy" % proxy.address)

    def test_nobody_listens_there(self):
        with socket.socket() as holder:
            holder.bind(("127.0.0.1", 0))
            port = str(holder.getsockname()[1])
            _, agent = self.both(Open(), more="[route]\nno-proxy = 127.0.0.1\n")
            self.fails(agent, UNREACHABLE, "cannot connect to 127.0.0.1:" + port, target=("127.0.0.1", port))

    def test_own_uid_not_named(self):
        proxy = self.proxy(Open())
        agent = self.agent("[listen]\nhttp = 127.0.0.1:0\nallow-uids = 1\n" + proxy.upstream())
        self.fails(agent, FAILED, "belongs to uid %d\\b" % os.geteuid())

    def test_usage(self):
        _, agent = self.both(Open())
        for words in (("site.example",), (), ("site.example", "0"), ("site.example", "65536"), ("site.example", "ssh"), ("a b", "22"), ("", "22"),
                      ("::g", "22"), ("x\r\nEvil: y", "22"), ("user@host", "22")):
            self.fails(agent, USAGE, "(needs a host and a port|are not a host and a port)", target=words)

    def test_not_http(self):
        agent = self.stack.enter_context(Agent(None, start=False))
        with socket.create_server(("127.0.0.1", 0)) as other:
            def answer():
                with Wire(other.accept()[0]) as wire:
                    wire.send(b"220 hello\r\n\r\n")
                    wire.read_to_end()
            threading.Thread(target=answer, daemon=True).start()
            path = agent.write("x.conf", "[listen]\nhttp = 127.0.0.1:%d\n[upstream corp]\nproxy = http://127.0.0.1:9\n" % other.getsockname()[1])
            self.fails(agent, FAILED, "what answered is no HTTP proxy", "--config", path)

    def test_closed_input(self):
        _, agent = self.both(Open())
        done = subprocess.run(["sh", "-c", 'exec "$0" connect a.example 1 <&-', os.path.join(agent.build, "exeat")], env=agent.env,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=PATIENCE, check=False)
        self.assertEqual((done.returncode, done.stdout), (FAILED, ""))
        self.assertIn("standard input", done.stderr)


class Finds(Connect):
    """Where the agent is."""

    def works(self, agent, *words):
        process = self.start(agent, *words)
        self.echo(process)
        process.stdin.close()
        self.ends(process, DONE)

    def test_by_the_control_socket(self):
        proxy = self.proxy(Open())
        for http in ("[::1]:0", "unix:@DIR@/http", "127.0.0.1:0 unix:@DIR@/http"):
            self.works(self.agent("[listen]\nhttp = %s\n" % http + proxy.upstream()))

    def test_by_the_configuration(self):
        """An agent of somebody else's: no control socket of ours."""
        proxy, agent = self.both(Open())
        other = self.stack.enter_context(Agent(None, start=False))
        text = "[listen]\nhttp = 127.0.0.1:9 localhost:%d\n" % agent.port + proxy.upstream()
        self.works(other, "--config", other.write("x.conf", text))
        other.write("home/.config/exeat/exeat.conf", text)
        self.works(other)

    def test_no_agent(self):
        nobody = self.stack.enter_context(Agent(None, start=False))
        self.nobody_there(nobody)
        with socket.socket() as holder:
            holder.bind(("127.0.0.1", 0))
            nobody.write("home/.config/exeat/exeat.conf", "[listen]\nhttp = 127.0.0.1:%d\n[upstream corp]\nproxy = http://127.0.0.1:9\n" % holder.getsockname()[1])
            self.nobody_there(nobody, "nobody answers on 127.0.0.1:%d" % holder.getsockname()[1])
        self.nobody_there(nobody, "/nowhere", "--config", "/nowhere/x.conf", code=CONFIG)

    def nobody_there(self, agent, words="exeat run", *more, code=NO_AGENT):
        process = self.start(agent, *more)
        self.ends(process, code, r"\Aexeat: (no agent is running|cannot read).*" + words)

    def test_does_not_wait_for_the_keyholder(self):
        """Where a KDC swallows packets, "exeat status" takes a while."""
        _, agent = self.both(Open())
        os.kill(wait_until(agent.keys_pid, "the keyholder"), 19)
        try:
            self.works(agent)
        finally:
            os.kill(agent.keys_pid(), 18)
