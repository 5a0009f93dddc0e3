#!/usr/bin/python3
"""Real clients through real proxies: starts the lab once and runs tests/realm/test_*.py and tests/clients/test_*.py inside it.

    run.py [WORD...]      the tests whose names contain one of the words
    run.py -l             their names
    run.py --shell [CMD]  a shell (or that command) on the client side of the lab, no tests
    run.py --time         how long the lab takes to start

EXEAT_BUILD is the directory of the programs (build/ without it). Needs root, or sudo without a password, for the namespaces."""

import os
import signal
import sys
import time

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
TESTS = os.path.dirname(HERE)
sys.path[:0] = [HERE, os.path.join(TESTS, "lib"), os.path.join(TESTS, "clients")]

PYTHON = "/usr/bin/python3"
KEPT = ("EXEAT_BUILD", "EXEAT_TEST_PATIENCE", "EXEAT_TEST_TIMEOUT", "EXEAT_LAB_PATIENCE", "ASAN_OPTIONS", "LSAN_OPTIONS", "UBSAN_OPTIONS",
        "TSAN_OPTIONS", "LLVM_PROFILE_FILE", "GCOV_PREFIX", "GCOV_PREFIX_STRIP", "TERM")


def become_root():
    """Replaces this process by the same as root, with the interpreter that has Samba's modules."""
    command = [PYTHON, os.path.abspath(__file__), *sys.argv[1:]]
    if os.geteuid() != 0:
        kept = ["%s=%s" % (name, os.environ[name]) for name in KEPT if name in os.environ]
        if os.spawnvp(os.P_WAIT, "sudo", ["sudo", "-n", "true"]) != 0:
            sys.exit("tests/realm needs root for its network namespaces: run it as root, or allow sudo without a password.")
        os.execvp("sudo", ["sudo", "-n", "env", "PATH=" + os.environ.get("PATH", ""), *kept, *command])
    if os.path.realpath(sys.executable) != os.path.realpath(PYTHON):
        os.execv(PYTHON, command)


def clean_environment():
    """What the tests and all they start may see of the environment."""
    import world
    kept = {name: os.environ[name] for name in KEPT if name in os.environ}
    path = os.environ.get("PATH", "/usr/bin:/bin").split(":")
    path += [folder for folder in ("/usr/sbin", "/sbin") if folder not in path]
    os.environ.clear()
    os.environ.update(kept, PATH=":".join(path), HOME=world.HOME, TMPDIR=world.TMP, LANG="C.UTF-8", LC_ALL="C.UTF-8")


def inside():
    """On the client side, below the init of its pid namespace."""
    import runner
    words = sys.argv[1:]
    clean_environment()
    begin = time.monotonic()
    from lab import lab
    lab.start()
    took = time.monotonic() - begin
    if words[:1] == ["--time"]:
        print("the lab started in %.1f s" % took)
        return 0
    if words[:1] == ["--shell"]:
        return os.spawnvp(os.P_WAIT, (words[1:] or ["bash"])[0], words[1:] or ["bash"])
    status = runner.run_folders([HERE, os.path.join(TESTS, "clients")], words)
    if lab.deaths():
        print("daemons of the lab ended during the tests:\n" + lab.deaths(), file=sys.stderr)
    return status


def main():
    become_root()
    if "-l" in sys.argv[1:]:
        import runner
        return runner.run_folders([HERE, os.path.join(TESTS, "clients")], sys.argv[1:])
    import sandbox
    waiting, _ = sandbox.in_new_namespaces(sandbox.SIDE, inside)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the tests get it too, and end; the namespaces end with them
    return sandbox.exit_status(os.waitpid(waiting, 0)[1])


if __name__ == "__main__":
    sys.exit(main())
