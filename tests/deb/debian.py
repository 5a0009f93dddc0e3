"""A fresh Debian in a directory (debootstrap), for one test: what is needed to get it comes from this machine's own apt."""

import contextlib
import os
import shutil
import subprocess
import tempfile
import threading
import unittest

CLEAN = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive", "HOME": "/root"}
# What dpkg, apt and the system write for themselves at every installation.
ALWAYS = ("proc", "sys", "dev", "tmp", "run", "var/cache", "var/log", "var/lib/apt", "var/lib/dpkg", "var/lib/systemd/deb-systemd-user-helper-enabled",
          "etc/ld.so.cache", "var/lib/pam", "etc/apt")


# Arguments: the directory, a cgroup of its own. Becomes systemd as process 1 of a container.
CONTAINER = r"""
set -e
echo $$ >"$1/cgroup.procs"
exec unshare --mount --pid --fork --kill-child --cgroup --uts --ipc --propagation private bash -ec '
    mount --bind "$0" "$0"
    cd "$0"
    mount -t proc proc proc
    mount -t sysfs sysfs sys -o ro
    mount -t cgroup2 cgroup2 sys/fs/cgroup
    mount -t tmpfs tmpfs run
    pivot_root . mnt
    umount -l /mnt
    mount --make-rshared /
    exec env -i container=lxc PATH=/usr/sbin:/usr/bin:/sbin:/bin /lib/systemd/systemd --unit=boot.target --log-target=console --show-status=no
' "$0"
"""
BOOT_UNIT = """[Unit]
SuccessAction=exit-force
FailureAction=exit-force
[Service]
Type=oneshot
TimeoutStartSec=120
ExecStart=/bin/bash -ex /var/tmp/boot
StandardOutput=file:/var/tmp/boot.log
StandardError=file:/var/tmp/boot.log
"""


class Failed(AssertionError):
    pass


def run(command, seconds=600, **options):
    """Its output; Failed with that when it fails."""
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
                          timeout=seconds, check=False, **options)
    if done.returncode:
        raise Failed("%s: exit status %d\n%s" % (" ".join(command), done.returncode, done.stdout[-4000:]))
    return done.stdout


def archive():
    """(mirror, codename) of the Debian or Ubuntu archive that this machine's apt uses."""
    with open("/etc/os-release", encoding="utf-8") as file:
        release = dict(line.rstrip("\n").split("=", 1) for line in file if "=" in line)
    codename = release.get("VERSION_CODENAME", "").strip('"')
    listed = run(["apt-get", "indextargets", "--format", "$(REPO_URI) $(COMPONENT) $(CODENAME) $(ORIGIN)", "Created-By: Packages"])
    for line in listed.splitlines():
        uri, component, name, origin = (line.split(" ") + [""] * 4)[:4]
        if component == "main" and name == codename and origin in ("Debian", "Ubuntu"):
            return uri, codename
    raise unittest.SkipTest("this machine's apt names no archive of its own release")


def proxies():
    """What apt here uses to reach it."""
    environment = dict(CLEAN)
    for name in ("http_proxy", "https_proxy", "no_proxy"):
        if os.environ.get(name):
            environment[name] = os.environ[name]
    for scheme in ("http", "https"):
        value = run(["apt-config", "shell", "P", "Acquire::%s::Proxy" % scheme]).strip()
        if value:
            environment[scheme + "_proxy"] = value.split("=", 1)[1].strip("'\"")
    return environment


def _open_both(fifo):
    with contextlib.suppress(OSError):
        os.close(os.open(fifo, os.O_WRONLY | os.O_NONBLOCK))


class Root:
    """A Debian in a directory of its own, with its own mounts for each command; removed in the end. `kept`: where its beginning is kept for the next time."""

    def __init__(self, kept):
        if os.geteuid() != 0 or not shutil.which("debootstrap"):
            raise unittest.SkipTest("needs root and debootstrap")
        mirror, codename = archive()
        self.environment = proxies()
        self.path = tempfile.mkdtemp(prefix="exeat-deb-")
        kept = os.path.join(kept, "debootstrap-%s.tar" % codename)
        try:
            if not os.path.exists(kept):
                self.fetch(mirror, codename, kept)
            run(["tar", "-C", self.path, "-xf", kept])
            os.chmod(self.path, 0o755)
        except BaseException:
            self.close()
            raise

    def fetch(self, mirror, codename, kept):
        try:
            run(["debootstrap", "--variant=minbase", codename, self.path, mirror], 1000, env=self.environment)
        except Failed as failed:
            raise unittest.SkipTest("no fresh Debian can be had here: " + str(failed)[-600:]) from failed
        self.run("apt-get", "update")
        run(["tar", "-C", self.path, "--exclude=./proc/*", "--exclude=./sys/*", "-cf", kept + ".new", "."])
        os.rename(kept + ".new", kept)
        shutil.rmtree(self.path)
        os.mkdir(self.path)

    def close(self):
        shutil.rmtree(self.path, ignore_errors=True)

    def command(self, *words, user="root"):
        """Words that run it in there; the mounts end with it."""
        script = 'mount -t proc proc "$0/proc" && exec chroot --userspec="$1" "$0" "${@:2}"'
        return ["unshare", "--mount", "--propagation", "private", "bash", "-c", script, self.path, user, *words]

    def run(self, *words, user="root", env=None):
        return run(self.command(*words, user=user), env=dict(self.environment, **(env or {})))

    @contextlib.contextmanager
    def booted(self, script):
        """With systemd as its process 1 there, which runs a shell script and ends. The script and the body meet at "meet" in the script: what the
        body does is done there. Raises Failed with what the script said, where it fails."""
        with open("/proc/mounts", encoding="utf-8") as file:
            trees = [line.split()[1] for line in file if line.split()[2] == "cgroup2"]
        if not trees:
            raise unittest.SkipTest("no cgroup2 hierarchy here")
        self.write("/etc/systemd/system/boot.target", "[Unit]\nWants=boot.service\n")
        self.write("/etc/systemd/system/boot.service", BOOT_UNIT)
        self.write("/var/tmp/boot", "meet() { echo here >/var/tmp/up; read -r _ </var/tmp/go; }\n%s\necho all went well\n" % script)
        log = self.write("/var/tmp/boot.log", "")
        up, go = (os.path.join(self.path, "var/tmp", name) for name in ("up", "go"))
        os.mkfifo(up)
        os.mkfifo(go)
        group = os.path.join(trees[0], "exeat-deb-%d" % os.getpid())
        os.mkdir(group)
        try:
            process = subprocess.Popen(["bash", "-c", CONTAINER, self.path, group], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                       stderr=subprocess.DEVNULL)
            threading.Thread(target=lambda: (process.wait(), _open_both(up)), daemon=True).start()  # nobody waits for a script that has ended
            with open(up, "rb") as file:
                met = file.read()
            try:
                if met:
                    yield
            finally:
                if met:
                    with open(go, "wb") as file:
                        file.write(b"on\n")
                process.wait(120)
                with open(log, encoding="utf-8", errors="replace") as file:
                    said = file.read()
            if not said.endswith("all went well\n"):
                raise Failed("the script under systemd failed:\n" + said[-6000:])
        finally:
            run(["find", group, "-depth", "-type", "d", "-exec", "rmdir", "{}", ";"])

    def write(self, name, text, mode=0o644):
        path = os.path.join(self.path, name.lstrip("/"))
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(path, mode)
        return path

    def files(self):
        """All paths but what every installation writes."""
        found = set()
        for folder, folders, names in os.walk(self.path):
            inside = os.path.relpath(folder, self.path)
            folders[:] = [f for f in folders if os.path.normpath(os.path.join(inside, f)) not in ALWAYS ]
            found |= {os.path.normpath(os.path.join(inside, name)) for name in names + folders}
        return {name for name in found if name not in ALWAYS}
