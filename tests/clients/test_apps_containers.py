"""Real programs that "exeat apps set" has pointed at the agent: those that run containers. Where they are installed (not in packages.txt)."""

import os
import re
import shutil
import signal
import subprocess
import tempfile

import content
import world
from agent import wait_until
from plain import plain
from programs import Kind, ProgramTest, add_tests
from session import HTTP

IMAGE = "origin.example/" + content.IMAGE
DOCKER = "/usr/bin/docker"
KINDS = {
    "docker": Kind(DOCKER + " dockerd", {".docker/config.json": '{\n\t"detachKeys": "ctrl-e,e"\n}'}, tunnel=True),
    "dockerd": Kind(DOCKER + " dockerd", {}, plain=False, found=("/usr/bin/dockerd",)),
    # As it is for somebody who is not root, which it takes us for with these set.
    "podman": Kind("podman", {}, plain=False, env={"_CONTAINERS_USERNS_CONFIGURED": "done", "_CONTAINERS_ROOTLESS_UID": "1000"}),
    "podman_root": Kind("podman /etc/containers", {}, plain=False, found=("/usr/bin/podman",)),
}


class Downloads:
    @staticmethod
    def dockerd(test):
        """There is no systemd to start it: it gets the environment that the drop-in gives it."""
        with open(test.root + "/etc/systemd/system/docker.service.d/exeat.conf") as file:
            variables = dict(word.split("=", 1) for line in file if line.startswith("Environment=") for word in re.findall('"([^"]*)"', line))
        test.start_dockerd(variables)
        test.docker("pull", IMAGE)
        test.assertIn(content.IMAGE.split(":")[0], test.docker("images"))

    @staticmethod
    def docker(test):
        """What the client hands to the containers that it makes, and a download in one, which borrows this machine's programs."""
        test.start_dockerd({"HTTPS_PROXY": test.agent.url})
        test.docker("pull", IMAGE)
        places = [word for name in ("usr", "lib", "lib64", "bin", "etc") if os.path.isdir("/" + name) for word in ("-v", "/%s:/%s:ro" % (name, name))]
        said = test.docker("run", "--rm", "--network=host", *places, IMAGE, "/usr/bin/curl", "-sS", HTTP + "/chunked/1000", text=False)
        test.assertEqual(said, content.data(1000))

    @staticmethod
    def podman(test):
        said = test.run_program(*test.with_own_etc(test.work + "/etc", *test.pull()))
        test.assertRegex(said, "[0-9a-f]{64}")

    @staticmethod
    def podman_root(test):
        """With what the system has of policies, and our file beside it."""
        shutil.copytree("/etc/containers", test.root + "/etc/containers", dirs_exist_ok=True)
        said = test.run_program(*test.with_own_etc(test.work + "/etc", *test.with_system_file("/etc/containers", *test.pull())))
        test.assertRegex(said, "[0-9a-f]{64}")


@plain("most of its time is other programs'")
class ContainersTest(ProgramTest):
    def start_dockerd(self, variables):
        folder = tempfile.mkdtemp(dir=world.TMP)
        self.socket = "unix://" + folder + "/socket"
        self.log = open(folder + "/log", "w+")
        self.addCleanup(self.log.close)
        environment = {"PATH": os.environ["PATH"], "HOME": folder, "TMPDIR": folder, "SSL_CERT_FILE": world.CA_BUNDLE, **variables}
        daemon = subprocess.Popen([*self.with_own_etc(folder + "/etc", "dockerd"), "--host=" + self.socket, "--data-root=" + folder + "/data", "--exec-root=" + folder + "/exec",
                                   "--pidfile=" + folder + "/pid", "--iptables=false", "--ip6tables=false", "--bridge=none", "--storage-driver=vfs"],
                                  env=environment, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)

        def stop():
            daemon.send_signal(signal.SIGTERM)
            daemon.wait(60)

        self.addCleanup(stop)
        wait_until(lambda: daemon.poll() is not None or os.path.exists(folder + "/socket"), "dockerd", 60)
        self.assertIsNone(daemon.poll(), self.said())

    def pull(self):
        return "podman", "--storage-driver=vfs", "--root=" + self.work + "/containers", "--runroot=" + self.work + "/run", "pull", IMAGE

    def said(self):
        self.log.seek(0)
        return self.log.read()[-4000:]

    def docker(self, *words, **more):
        return self.run_program(DOCKER, "--config", self.home + "/.docker", "--host", self.socket, *words, **more)


add_tests(ContainersTest, Downloads, KINDS)
