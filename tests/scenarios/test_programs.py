"""Real programs by the ways that are not HTTP, through a proxy that asks for NTLM, to real servers on loopback."""

import functools
import getpass
import hashlib
import http.server
import os
import shutil
import socket
import subprocess
import threading
import unittest

from agent import PATIENCE, wait_until
from base import Scenario, corp
from behaviours import Relays
from gates import Ntlm
from ports import free_port
from proxy import Asks, content

SSHD = shutil.which("sshd", path="/usr/sbin:/usr/bin:/usr/local/sbin")
SSHD_CONFIG = """ListenAddress 127.0.0.1
Port %d
HostKey %s/host-key
AuthorizedKeysFile %s/key.pub
PidFile none
StrictModes no
PermitRootLogin yes
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM no
"""
SSH_CONFIG = """Host *
    IdentityFile %s/key
    UserKnownHostsFile %s/known-hosts
    StrictHostKeyChecking accept-new
    BatchMode yes
Host site.example
    Port %d
    ProxyCommand %s connect %%h %%p
Host fixed
    HostName 127.0.0.1
    Port %d
"""


class _Handler(http.server.SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass


def tunnels(proxy):
    """Where the proxy was asked to connect to. (It also sees how connections are made ready ahead of need.)"""
    return [request.target for request in proxy.requests if request.method == "CONNECT"]


class Programs(Scenario):
    def serve_files(self, agent):
        """An HTTP server for the folder "www" below the agent's; returns its port."""
        folder = os.path.join(agent.directory, "www")
        os.mkdir(folder)
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Handler, directory=folder))
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.stack.callback(server.server_close)
        self.stack.callback(server.shutdown)
        return server.server_address[1], folder

    def lab(self, listen="socks = 127.0.0.1:0\n", more=""):
        proxy = self.proxy(Asks(Ntlm(), then=Relays()))
        return proxy, self.agent("[listen]\nhttp = 127.0.0.1:0\n" + listen + proxy.upstream(corp("ntlm")) + more)

    def run_program(self, agent, *words, check=True, input=None, cwd=None, env=None):
        environment = {name: value for name, value in agent.env.items()}
        environment.update({"GIT_CONFIG_NOSYSTEM": "1", "GIT_TERMINAL_PROMPT": "0", **(env or {})})
        done = subprocess.run(words, env=environment, cwd=cwd or agent.directory, input=input, stdin=None if input is not None else subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=2 * PATIENCE, check=False)
        if check:
            self.assertEqual(done.returncode, 0, "%s: %s" % (words, done.stderr.decode("utf-8", "replace")))
        return done

    def make_repository(self, agent, path):
        """A bare repository with one commit, fit to be served as plain files too."""
        work = os.path.join(agent.directory, "work")
        git = functools.partial(self.run_program, agent, "git", "-c", "user.name=alice", "-c", "user.email=alice@example.com")
        git("init", "-q", "-b", "main", work)
        with open(os.path.join(work, "noise.bin"), "wb") as file:
            file.write(content(300000))
        git("-C", work, "add", ".")
        git("-C", work, "commit", "-q", "-m", "one")
        git("clone", "-q", "--bare", work, path)
        git("-C", path, "update-server-info")

    def same(self, path, length):
        with open(path, "rb") as file:
            self.assertEqual(hashlib.sha256(file.read()).digest(), hashlib.sha256(content(length)).digest())


class OverSocks(Programs):
    def test_curl(self):
        proxy, agent = self.lab()
        port, folder = self.serve_files(agent)
        with open(os.path.join(folder, "file"), "wb") as file:
            file.write(content(3000000))
        door = "127.0.0.1:%d" % agent.port_of("SOCKS")
        out = os.path.join(agent.directory, "out")
        for words, target in ((("--socks5-hostname", door), "site.example:%d"), (("--socks4a", door), "site.example:%d"),
                              (("--socks5", door), "127.0.0.1:%d"), (("--socks4", door), "127.0.0.1:%d"),
                              (("--proxy", "socks5h://alice:secret@" + door), "site.example:%d"),
                              (("--socks5", door, "--socks5-basic", "-U", "alice:secret"), "127.0.0.1:%d")):
            with self.subTest(words):
                host = (target % port).rpartition(":")[0]
                self.run_program(agent, "curl", "-sS", "-f", "-o", out, *words, "http://%s:%d/file" % (host, port))
                self.same(out, 3000000)
                self.assertEqual(tunnels(proxy)[-1], target % port)

    def test_curl_says_why(self):
        _, agent = self.lab()
        door = "127.0.0.1:%d" % agent.port_of("SOCKS")
        agent.configure("[listen]\nhttp = 127.0.0.1:0\nsocks = %s\n[upstream corp]\nproxy = http://127.0.0.1:9\n[route]\nno-proxy = 127.0.0.1\n" % door)
        agent.reload()
        for way in ("--socks5-hostname", "--socks4a"):
            done = self.run_program(agent, "curl", "-sS", way, door, "http://127.0.0.1:9/", check=False)
            self.assertEqual(done.returncode, 97, done.stderr)  # CURLE_PROXY

    def test_git(self):
        proxy, agent = self.lab()
        port, folder = self.serve_files(agent)
        self.make_repository(agent, os.path.join(folder, "r.git"))
        copy = os.path.join(agent.directory, "copy")
        self.run_program(agent, "git", "-c", "http.proxy=socks5h://127.0.0.1:%d" % agent.port_of("SOCKS"), "clone", "-q",
                         "http://site.example:%d/r.git" % port, copy)
        self.same(os.path.join(copy, "noise.bin"), 300000)
        self.assertEqual(set(tunnels(proxy)), {"site.example:%d" % port})


@unittest.skipUnless(SSHD and shutil.which("ssh"), "there is no OpenSSH here")
class Ssh(Programs):
    """OpenSSH by "exeat connect" (host site.example) and by a fixed tunnel (host fixed), to a private server with its own key and port."""

    def start_sshd(self, agent):
        place = agent.directory
        for name in ("host-key", "key"):
            self.run_program(agent, "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", os.path.join(place, name))
        with open(os.path.join(place, "sshd.conf"), "w") as file:
            file.write(SSHD_CONFIG % (self.port, place, place))
        command = [SSHD, "-D", "-e", "-f", os.path.join(place, "sshd.conf")]
        if os.geteuid() == 0:  # then it wants a directory below /run: it gets a /run of its own
            command = ["unshare", "--mount", "sh", "-c", 'mount -t tmpfs none /run && mkdir -m 755 /run/sshd && exec "$@"', "sh", *command]
        with open(os.path.join(place, "sshd.log"), "wb") as log:
            server = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

        def stop():
            server.terminate()
            server.wait(PATIENCE)
        self.stack.callback(stop)
        wait_until(lambda: self.listens() or server.poll() is not None, "sshd")

    def listens(self):
        try:
            socket.create_connection(("127.0.0.1", self.port), PATIENCE).close()
            return True
        except ConnectionRefusedError:
            return False

    def ssh_lab(self):
        self.port = free_port()
        proxy, agent = self.lab(listen="", more="[forward ssh]\nlisten = 127.0.0.1:0\ntarget = git.example:%d\n" % self.port)
        self.start_sshd(agent)
        with open(os.path.join(agent.directory, "ssh.conf"), "w") as file:
            file.write(SSH_CONFIG % (agent.directory, agent.directory, self.port, os.path.join(agent.build, "exeat"), agent.port_of("forward ssh")))
        return proxy, agent

    def ssh(self, agent, *words, **options):
        return self.run_program(agent, "ssh", "-F", os.path.join(agent.directory, "ssh.conf"), *words, **options)

    def test_ssh(self):
        proxy, agent = self.ssh_lab()
        data = content(5000000)
        for host, target in (("site.example", "site.example"), ("fixed", "git.example")):
            with self.subTest(host):
                self.assertEqual(self.ssh(agent, host, "cat", input=data).stdout, data)
                self.assertEqual(tunnels(proxy)[-1], "%s:%d" % (target, self.port))
                done = self.ssh(agent, host, "exit 7", check=False)
                self.assertEqual(done.returncode, 7, done.stderr)
                self.assertNotIn(b"exeat", done.stderr)  # a shell's own start-up files may have said something

    def test_git(self):
        _, agent = self.ssh_lab()
        origin = os.path.join(agent.directory, "r.git")
        self.make_repository(agent, origin)
        env = {"GIT_SSH_COMMAND": "ssh -F " + os.path.join(agent.directory, "ssh.conf")}
        for host in ("site.example", "fixed"):
            with self.subTest(host):
                copy = os.path.join(agent.directory, "copy-" + host)
                git = functools.partial(self.run_program, agent, "git", "-c", "user.name=alice", "-c", "user.email=alice@example.com", env=env)
                git("clone", "-q", "ssh://%s@%s%s" % (getpass.getuser(), host, origin), copy)
                self.same(os.path.join(copy, "noise.bin"), 300000)
                git("-C", copy, "commit", "-q", "--allow-empty", "-m", "by " + host)
                git("-C", copy, "push", "-q")
                self.assertIn(b"by " + host.encode(), git("-C", origin, "log", "-1").stdout)

    def test_ssh_says_why(self):
        proxy, agent = self.ssh_lab()
        proxy.stop_listening()
        proxy.drop_all()
        done = self.ssh(agent, "site.example", "true", check=False)
        self.assertEqual(done.returncode, 255)
        self.assertRegex(done.stderr.decode(), r"exeat: no tunnel to site\.example:%d: cannot connect to %s" % (self.port, proxy.address))
        self.assertEqual(self.ssh(agent, "fixed", "true", check=False).returncode, 255)
        self.assertIn(proxy.address, agent.status()["forwards"][0]["last_failure"])
