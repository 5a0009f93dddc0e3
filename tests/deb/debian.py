"""A fresh Debian in a directory (debootstrap), for one test: what is needed to get it comes from this machine's own apt."""

import os
import shutil
import subprocess
import tempfile
import unittest

CLEAN = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive", "HOME": "/root"}
# What dpkg, apt and the system write for themselves at every installation.
ALWAYS = ("proc", "sys", "dev", "tmp", "run", "var/cache", "var/log", "var/lib/apt", "var/lib/dpkg", "var/lib/systemd/deb-systemd-user-helper-enabled",
          "etc/ld.so.cache", "var/lib/pam", "etc/apt")


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

    def files(self):
        """All paths but what every installation writes."""
        found = set()
        for folder, folders, names in os.walk(self.path):
            inside = os.path.relpath(folder, self.path)
            folders[:] = [f for f in folders if os.path.normpath(os.path.join(inside, f)) not in ALWAYS ]
            found |= {os.path.normpath(os.path.join(inside, name)) for name in names + folders}
        return {name for name in found if name not in ALWAYS}
