"""The log of requests: its forms, what stands in a line and what never does, where it goes, and what happens when it cannot go there."""

import json
import os
import re
import signal
import stat
import subprocess
import threading

from agent import PATIENCE, ended, processes, wait_until
from base import AUTH, SITE, Scenario, corp, together
from behaviours import Silent
from gates import Basic, Digest, Ntlm
from onward import Onward, SocksServer
from ports import free_port
from proxy import Asks, Open
from socks import connect5
from wire import Wire, get

FILE = "[log]\nfile = @DIR@/log.d/requests\nformat = %s\n"


class Place(Scenario):
    def start(self, behaviour=None, lines="auth = none", format="json", more="", listen="", **options):
        proxy = self.proxy(behaviour or Open())
        sections = "[listen]\nhttp = 127.0.0.1:0\ndrain = 0\n%s" % listen + proxy.upstream(lines) + FILE % format + more
        agent = self.agent(sections, start=False, **options)
        os.mkdir(os.path.join(agent.directory, "log.d"))
        self.path = os.path.join(agent.directory, "log.d", "requests")
        agent.start()
        return proxy, agent

    def text(self, path=None):
        try:
            with open(path or self.path, encoding="utf-8") as file:
                return file.read()
        except FileNotFoundError:
            return ""

    def lines(self, count, path=None):
        """That many lines, which are all that there are."""
        wait_until(lambda: self.text(path).count("\n") >= count, "%d lines" % count)
        lines = self.text(path).splitlines()
        self.assertEqual(len(lines), count, lines)
        return lines

    def objects(self, count, path=None):
        return [json.loads(line) for line in self.lines(count, path)]

    def one(self, **wanted):
        """The only object, which has these members."""
        found = self.objects(1)[0]
        self.assertEqual({name: found[name] for name in wanted}, wanted)
        return found


class Json(Place):
    def test_a_request(self):
        proxy, agent = self.start()
        self.ask(agent, "/bytes/1234", "X-Secret: s3cret", body=b"12345", method="POST")
        found = self.one(method="POST", target="http://site.example/bytes/1234", route="corp", proxy=proxy.address, rule="upstream corp",
                         scheme=None, status=200, bytes_up=5, bytes_down=1234, protocol="HTTP/1.1", uid=os.getuid(), id="c1.r1", note=None)
        self.assertRegex(found["time"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")
        self.assertRegex(found["client"], r"^127\.0\.0\.1:\d+$")
        self.ask(agent, "/echo?token=s3cret")
        self.assertEqual(self.objects(2)[1]["target"], "http://site.example/echo")
        self.assertNotIn("s3cret", self.text())
        self.assertEqual(stat.S_IMODE(os.stat(self.path).st_mode), 0o600)
        self.assertNotIn("bytes/1234", agent.log())

    def test_what_goes_through_tunnels_of_ours_is_not_direct(self):
        """The route is the upstream that it is entrusted to, also where the destination itself is at the other end of the connection."""
        for lines, behaviour in (("auth = none\nconnect-always = yes", Onward()), ("auth = none", SocksServer(then=Open()))):
            with self.subTest(lines):
                proxy = self.proxy(behaviour)
                if isinstance(behaviour, SocksServer):
                    proxy.url = "socks5://" + proxy.address
                origin = self.proxy(Open())
                agent = self.agent("[listen]\nhttp = 127.0.0.1:0\ndrain = 0\n" + proxy.upstream(lines) + FILE % "json", start=False)
                os.mkdir(os.path.join(agent.directory, "log.d"))
                self.path = os.path.join(agent.directory, "log.d", "requests")
                agent.start()
                self.assertEqual(self.ask(agent, host=origin.address).status, 200)
                self.one(route="corp", proxy=proxy.address, rule="upstream corp", status=200)
                self.assertIn('exeat_requests_total{route="corp",', agent.exeat("status", "--metrics", check=True).stdout)

    def test_schemes(self):
        """What let it in is the keyholder's word, on the first request of a connection and on the next."""
        for gate, name in ((Basic(), "Basic"), (Digest(), "Digest (MD5|SHA-256)"), (Ntlm(), "NTLM")):
            with self.subTest(gate.scheme):
                _, agent = self.start(Asks(gate), corp(AUTH[gate.scheme.lower()], user="CORP\\alice" if gate.scheme == "NTLM" else "alice"))
                client = self.wire(agent)
                for _ in range(2):
                    self.assertEqual(client.ask(get(SITE + "/echo")).status, 200)
                for found in self.objects(2):
                    self.assertRegex(found["scheme"], "^%s$" % name)

    def test_scheme_of_a_tunnel(self):
        _, agent = self.start(Asks(Ntlm()), corp("ntlm"))
        tunnel = self.tunnel(agent)
        self.echoes(tunnel)
        tunnel.shut()
        tunnel.read_to_end()
        self.one(method="CONNECT", target="site.example:443", scheme="NTLM", status=200, bytes_up=19, bytes_down=29, route="corp")

    def test_refused_password(self):
        _, agent = self.start(Asks(Basic("right")), corp("basic"), secret="wrong-s3cret")
        self.assertEqual(self.ask(agent).status, 502)
        self.one(status=502, scheme=None, note="own answer")
        self.assertNotIn("s3cret", self.text())

    def test_own_answers(self):
        _, agent = self.start(more="[route]\nrule = blocked.example block\nno-proxy = 127.0.0.1\n")
        for request, wanted in (
                (b"nonsense\r\n\r\n", dict(method=None, target=None, status=400, route=None)),
                (get("http://blocked.example/"), dict(target="http://blocked.example/", status=403, route="blocked")),
                (b"GET / HTTP/1.1\r\nHost: elsewhere.example\r\n\r\n", dict(target="/", status=403, route=None)),
                (b"GET / HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n\r\n" % agent.port, dict(target="/", status=200, route="exeat")),
                (get("http://alice:s3cret@site.example/"), dict(target=None, status=400)),
                (get("http://127.0.0.1:%d/" % free_port()), dict(status=502, route="direct"))):
            with self.subTest(request):
                before = self.text().count("\n")
                with Wire.connect(agent.port) as client:
                    client.send(request)
                    self.assertEqual(client.read_response().status, wanted["status"])
                found = self.objects(before + 1)[-1]
                self.assertEqual({name: found[name] for name in wanted}, wanted)
        self.assertNotIn("s3cret", self.text())

    def test_client_that_gives_up(self):
        proxy, agent = self.start(Silent())
        client = self.wire(agent)
        client.send(get(SITE + "/echo"))
        proxy.wait_requests(1)
        client.reset()
        self.one(status=None, note="given up", target=SITE + "/echo")

    def test_socks_and_fixed_tunnels(self):
        port = free_port()
        _, agent = self.start(listen="socks = 127.0.0.1:0\n", more="[forward x]\nlisten = 127.0.0.1:%d\ntarget = host.example:22\n" % port)
        with Wire.connect(agent.port_of("SOCKS")) as client:
            connect5(client, "site.example", 443)
            self.echoes(client)
        self.assertEqual(self.objects(1)[0]["protocol"], "SOCKS")
        with Wire.connect(port) as client:
            self.echoes(client)
        found = self.objects(2)[1]
        self.assertEqual((found["protocol"], found["target"]), ("FIXED", "host.example:22"))

    def test_program_by_unix_socket(self):
        _, agent = self.start(listen="socks = unix:@DIR@/runtime/socks\n")
        with Wire.connect_unix(os.path.join(agent.directory, "runtime", "socks")) as client:
            connect5(client, "site.example", 443)
        with open("/proc/self/comm", encoding="utf-8") as comm:
            self.one(client="unix", uid=os.getuid(), program=comm.read().strip())

    def test_off(self):
        _, agent = self.start(more="requests = no\n")
        self.assertEqual(self.ask(agent).status, 200)
        agent.stop()
        self.assertEqual(self.text(), "")
        self.assertNotIn("GET", agent.log())


class Forms(Place):
    def test_common(self):
        _, agent = self.start(format="common")
        self.ask(agent, "/a%22b?q")
        line = self.lines(1)[0]
        self.assertRegex(line, r'^127\.0\.0\.1 - %d \[\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}\] "GET http://site\.example/a%%22b HTTP/1\.1" '
                               r'200 \d+ "corp" "-" "[^"]+" \d+ 0$' % os.getuid())

    def test_plain(self):
        _, agent = self.start(format="plain")
        self.ask(agent)
        self.assertRegex(self.lines(1)[0], r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} \[c1\.r1\] GET http://site\.example/echo: 200, \d+ bytes, \d+ ms "
                                           r"\(upstream corp\) for uid %d" % os.getuid())

    def test_beside_the_other_lines(self):
        proxy = self.proxy(Open())
        for format, pattern in (("plain", r"(?m)^\d\d:\d\d:\d\d\.\d{3} exeat info: \[c1\.r1\] GET http://site\.example/echo: 200"),
                                ("json", r'(?m)^\{"time":.*"target":"http://site\.example/echo"'), ("common", r'(?m)^127\.0\.0\.1 - .*"GET ')):
            agent = self.agent(proxy.upstream() + "[log]\nformat = %s\n" % format)
            self.assertEqual(self.ask(agent).status, 200)
            agent.wait_log(pattern)

    def test_level_holds_for_what_stands_there(self):
        proxy = self.proxy(Open())
        port = free_port()
        agent = self.agent("[listen]\nhttp = 127.0.0.1:%d\n" % port + proxy.upstream() + "[log]\nlevel = warning\n", ready=False)
        agent.port = port
        wait_until(lambda: agent.exeat("status").returncode == 0, "the agent")
        self.assertEqual(self.ask(agent).status, 200)
        agent.stop()
        self.assertNotIn("site.example", agent.log())


class Files(Place):
    def test_logrotate(self):
        """Moved away, a signal, and nothing is lost: what was there is in the old file, the rest in the new one."""
        _, agent = self.start()
        self.ask(agent)
        self.objects(1)
        os.rename(self.path, self.path + ".1")
        self.ask(agent)
        self.objects(2, self.path + ".1")
        os.kill(agent.pid, signal.SIGHUP)
        wait_until(lambda: os.path.exists(self.path), "a new file")
        self.ask(agent)
        self.objects(1)
        self.objects(2, self.path + ".1")
        self.assertEqual(stat.S_IMODE(os.stat(self.path).st_mode), 0o600)

    def test_logrotate_while_the_configuration_is_wrong(self):
        _, agent = self.start()
        agent.configure("[listen]\nhttp = nonsense\n")
        os.rename(self.path, self.path + ".1")
        os.kill(agent.pid, signal.SIGHUP)
        wait_until(lambda: os.path.exists(self.path), "a new file")
        agent.wait_log("the configuration was not read again")
        self.ask(agent)
        self.objects(1)

    def test_another_file_in_the_same_directory(self):
        proxy, agent = self.start()
        agent.configure("[listen]\nhttp = 127.0.0.1:%d\n" % agent.port + proxy.upstream() + "[log]\nfile = @DIR@/log.d/other\nformat = json\n")
        agent.reload()
        self.ask(agent)
        self.objects(1, os.path.join(agent.directory, "log.d", "other"))
        self.assertEqual(self.text(), "")

    def test_a_file_elsewhere_needs_a_restart(self):
        proxy, agent = self.start()
        if "Landlock" not in agent.status()["confined"]:
            self.skipTest("no Landlock in this kernel")
        os.mkdir(os.path.join(agent.directory, "elsewhere"))
        before = open(agent.config_path, encoding="utf-8").read()
        agent.configure(before.replace("log.d/requests", "elsewhere/requests"))
        answer = agent.exeat("reload")
        self.assertEqual(answer.returncode, 3)
        self.assertRegex(answer.stderr, r"cannot open the log of requests, \S+/elsewhere/requests: Permission denied[^$]*start it again")
        self.ask(agent)
        self.objects(1)
        agent.restart()
        self.ask(agent)
        self.objects(1, os.path.join(agent.directory, "elsewhere", "requests"))

    def test_no_directory(self):
        agent = self.agent(self.proxy(Open()).upstream() + "[log]\nfile = @DIR@/nowhere/requests\n", start=False)
        agent._wait_ready = False
        agent.start()
        self.assertNotEqual(agent.wait_end(), 0)
        self.assertRegex(agent.log(), r"cannot open the log of requests, \S+/nowhere/requests: No such file")

    def test_something_else_in_its_place(self):
        """The file that is open goes on, and the log says what to do."""
        _, agent = self.start()
        os.rename(self.path, self.path + ".1")
        for times, (make, remove) in enumerate(((os.mkdir, os.rmdir), (os.mkfifo, os.unlink)), 1):
            make(self.path)
            os.kill(agent.pid, signal.SIGHUP)
            wait_until(lambda: agent.log().count("go on into the file that was open") == times, "the sentence")
            self.assertEqual(agent.log().count("is no regular file; take it away, or name another in [log] file"), 2 * times)
            self.assertEqual(self.ask(agent).status, 200)
            remove(self.path)
        self.lines(2, self.path + ".1")

    def test_directory_made_anew(self):
        """It is not the one that was opened to the agent at its start; so the same path does not help."""
        _, agent = self.start()
        if "Landlock" not in agent.status()["confined"]:
            self.skipTest("no Landlock in this kernel")
        folder = os.path.dirname(self.path)
        os.rename(folder, folder + ".1")
        os.mkdir(folder)
        answer = agent.exeat("reload")
        self.assertEqual(answer.returncode, 3)
        self.assertIn("Permission denied (once it runs, the agent makes files only in the directory", answer.stderr)
        os.kill(agent.pid, signal.SIGHUP)
        agent.wait_log("stop it and start it again\\); its lines go on into the file that was open")
        self.assertEqual(self.ask(agent).status, 200)
        self.lines(1, folder + ".1/requests")

    def test_nothing_else_may_be_written(self):
        """The file's own directory is open to the agent, no other."""
        _, agent = self.start()
        if "Landlock" not in agent.status()["confined"]:
            self.skipTest("no Landlock in this kernel")
        self.assertIn("writes no files but its log of requests (", agent.status()["confined"])

    def test_many_at_once(self):
        """Every one of 2000 requests has its line, each whole, and no line is there twice."""
        _, agent = self.start()

        def client(i):
            with Wire.connect(agent.port) as wire:
                for k in range(100):
                    assert wire.ask(get("%s/bytes/%d" % (SITE, i * 100 + k))).status == 200
        together(20, client)
        found = self.objects(2000)
        self.assertEqual(sorted(one["bytes_down"] for one in found), list(range(2000)))


class NotRead(Place):
    def test_a_pipe_that_nobody_reads(self):
        """Standard error is full: requests go on as before, what is missing is counted and said when it is read again."""
        proxy = self.proxy(Open())
        reader, writer = os.pipe()
        self.stack.callback(os.close, reader)
        agent = self.agent(proxy.upstream() + "[log]\nformat = json\n", start=False)
        agent._wait_ready = False
        port = free_port()
        agent.configure("[listen]\nhttp = 127.0.0.1:%d\ndrain = 0\n" % port + proxy.upstream() + "[log]\nformat = json\n")
        agent.process = subprocess.Popen([os.path.join(agent.build, "exeat"), "run", "--config", agent.config_path], stdin=subprocess.DEVNULL,
                                         stdout=subprocess.DEVNULL, stderr=writer, env=agent.env, cwd=agent.directory, start_new_session=True)
        os.close(writer)
        agent.pid = agent.process.pid
        wait_until(lambda: agent.exeat("status").returncode == 0, "the agent")

        def client(_):
            with Wire.connect(port) as wire:
                for _ in range(1000):
                    assert wire.ask(get(SITE + "/bytes/1")).status == 200
        together(8, client)
        text = bytearray()
        done = threading.Event()

        def read():
            while not done.is_set():
                data = os.read(reader, 65536)
                if not data:
                    return
                text.extend(data)
        thread = threading.Thread(target=read, daemon=True)
        thread.start()
        wait_until(lambda: b"lines are missing in the log of requests" in text, "the word about what is missing")
        os.kill(agent.pid, signal.SIGTERM)
        agent.process.wait(PATIENCE)
        agent._status_checked = True
        thread.join(PATIENCE)
        lines = [json.loads(line) for line in text.splitlines() if line.startswith(b"{")]
        missing = sum(int(n) for n in re.findall(rb"(\d+) lines are missing in the log of requests", bytes(text)))
        self.assertEqual(len(lines) + missing, 8000)
        self.assertGreater(missing, 0)
        self.assertTrue(ended(agent.pid))


class Programs(Place):
    """Whose TCP connection it is: looked up by a small process, for which the line waits."""

    def namer(self, agent):
        return wait_until(lambda: next((pid for pid, parent, name in processes() if parent == agent.pid and name == "exeat-namer"), None), "the process")

    def test_curl(self):
        _, agent = self.start()
        for _ in range(3):
            subprocess.run(["curl", "-s", "-x", agent.url, "--max-time", "60", SITE + "/bytes/100000"], stdout=subprocess.DEVNULL, check=True)
        self.assertEqual(len(self.objects(3)), 3)  # the name of a program that has ended by then is not known any more
        self.assertTrue({one["program"] for one in self.objects(3)} <= {"curl", None})

    def test_one_that_stays(self):
        _, agent = self.start()
        client = self.wire(agent)
        with open("/proc/self/comm", encoding="utf-8") as comm:
            mine = comm.read().strip()
        first = 0
        for number in range(1, 21):  # the search for a name has its bound, and a busy machine has many processes
            self.assertEqual(client.ask(get(SITE + "/echo")).status, 200)
            if self.objects(number)[-1]["program"]:
                first = number
                break
        self.assertTrue(first, "no name was found for any of them")
        for _ in range(2):  # from then on it is looked at first
            self.assertEqual(client.ask(get(SITE + "/echo")).status, 200)
        self.assertEqual([one["program"] for one in self.objects(first + 2)[first - 1:]], [mine] * 3)

    def test_its_tunnel(self):
        _, agent = self.start()
        for number in range(1, 21):  # the search for a name has its bound, and a busy machine has many processes
            tunnel = self.tunnel(agent)
            self.echoes(tunnel)
            tunnel.shut()
            tunnel.read_to_end()
            if self.objects(number)[-1]["program"]:
                return
        self.fail("no name was found for any of them")

    def test_the_process_has_died(self):
        """Lines that wait for it are written, and so are those that come later."""
        _, agent = self.start()
        pid = self.namer(agent)
        os.kill(pid, signal.SIGSTOP)
        self.ask(agent)
        self.assertEqual(self.text(), "")
        os.kill(pid, signal.SIGKILL)
        self.ask(agent)
        self.assertEqual([one["program"] for one in self.objects(2)], [None, None])
        agent.wait_log("has ended; the log of requests goes on without")

    def test_more_than_it_may_ask(self):
        """While it does not answer, so many lines wait and no more; the last of them come at the end."""
        _, agent = self.start()
        os.kill(self.namer(agent), signal.SIGSTOP)
        for _ in range(300):
            self.assertEqual(self.ask(agent).status, 200)
        self.lines(300 - 256)
        agent.stop()
        self.assertEqual(len(self.lines(300)), 300)

    def test_it_ends_with_the_agent(self):
        _, agent = self.start()
        pid = self.namer(agent)
        os.kill(agent.pid, signal.SIGKILL)
        agent._status_checked = True
        wait_until(lambda: ended(pid), "the end of the process")

    def test_it_holds_nothing_of_ours(self):
        _, agent = self.start()
        pid = self.namer(agent)

        def confined():
            with open("/proc/%d/status" % pid, encoding="utf-8") as status:
                return re.search(r"(?m)^NoNewPrivs:\s1\n(?:.*\n)*Seccomp:\s2$", status.read())
        wait_until(confined, "its list of system calls")  # what it takes last: it has let go of everything by then
        links = {fd: os.readlink("/proc/%d/fd/%s" % (pid, fd)) for fd in os.listdir("/proc/%d/fd" % pid)}
        self.assertEqual({link for fd, link in links.items() if int(fd) < 3}, {"/dev/null"})
        self.assertEqual(len([link for fd, link in links.items() if int(fd) >= 3]), 1, links)
