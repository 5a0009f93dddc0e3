#!/usr/bin/python3
"""Form and static analysis: lint.py --build DIR [--only NAME...] -- FLAGS OF THE COMPILER

clang-format (every file as it would write it), clang-tidy (.clang-tidy) and cppcheck (not for the tests), shellcheck, floors.py, and
that Python compiles. All jobs go through one pool. A file that clang-tidy has found clean is remembered in DIR/lint until it, a header,
the flags or the settings change. The last line is `N passed, N failed`: one check per tool, and for clang-tidy one per file."""

import argparse
import ast
import concurrent.futures
import glob
import hashlib
import os
import re
import subprocess
import sys

TESTS = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(TESTS)
CHECKS = ("format", "tidy", "cppcheck", "shell", "python", "floors")
FORMAT, TIDY = "clang-format-14", "clang-tidy-14"
# The analyzer gives a function up after so many states; with its own 225,000 a file takes four times as long and the findings are the same.
DEPTH = ["-Xclang", "-analyzer-config", "-Xclang", "max-nodes=30000"]
CPPCHECK = ["cppcheck", "--quiet", "--error-exitcode=1", "--std=c11", "--inline-suppr", "--enable=warning,portability,performance",
            # glibc's readdir is safe on streams of one's own, and the verbs have one thread
            "--suppress=readdirCalled", "--suppress=getpwuidCalled:agent/cli/*", "--suppress=getpwnamCalled:agent/cli/*",
            "--library=posix", "--library=tests/cppcheck.cfg", "-Iagent", "-I."]


def sources(*endings):
    found = []
    for top in ("agent", "config", "tests", "tray"):
        for ending in endings:
            found += glob.glob(os.path.join(top, "**", "*" + ending), recursive=True)
    return sorted(found)


def scripts(language):
    """Files without an ending, and .sh or .py files, that are of that language."""
    found = []
    for path in sources("") + [".ci/run"]:
        if os.path.isfile(path) and "." not in os.path.basename(path):
            with open(path, "rb") as file:
                if re.match(rb"#!.*\b" + language, file.readline()):
                    found.append(path)
    return found


def read(path):
    with open(path, "rb") as file:
        return file.read()


def run(command):
    answer = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    return answer.returncode == 0, answer.stdout


def check_python():
    wrong = []
    for path in sources(".py") + scripts(b"python3"):
        try:
            ast.parse(read(path), path)
        except SyntaxError as error:
            wrong.append("%s:%s: %s" % (path, error.lineno, error.msg))
    return not wrong, "\n".join(wrong)


def tidy(path, common, options):
    mark = os.path.join(options.build, "lint", hashlib.sha256(common + read(path)).hexdigest())
    if os.path.exists(mark):
        return True, ""
    told = [] if path == "agent/base/err.c" else ["-include", "tests/analyzer.h"]
    clean, text = run([TIDY, "--quiet", "--warnings-as-errors=*", path, "--", *options.flags, *told, *DEPTH])
    if clean:
        with open(mark, "w", encoding="utf-8"):
            pass
    text = "\n".join(line for line in text.splitlines() if not re.match(r"\d+ warnings? |Suppressed |Use -header", line))
    return clean, text


def plan(options):
    """(name, function) of every check, the long ones first."""
    wanted = options.only or CHECKS
    code, headers = sources(".c"), sources(".h")
    if "cppcheck" in wanted:
        yield "cppcheck", lambda: run(CPPCHECK + ["-j", "2", *[p for p in code if not p.startswith("tests/")]])
    if "tidy" in wanted:
        os.makedirs(os.path.join(options.build, "lint"), exist_ok=True)
        common = b"\0".join([" ".join(options.flags).encode(), read(".clang-tidy"), *map(read, headers)])
        for path in sorted((p for p in code if not p.startswith("tests/")), key=os.path.getsize, reverse=True):
            yield "clang-tidy " + path, lambda path=path: tidy(path, common, options)
    if "format" in wanted:
        yield "clang-format", lambda: run([FORMAT, "--dry-run", "-Werror", *code, *headers])
    if "shell" in wanted:
        yield "shellcheck", lambda: run(["shellcheck", *scripts(rb"(ba|da)?sh"), *sources(".sh")])
    if "python" in wanted:
        yield "python", check_python
    if "floors" in wanted:
        yield "floors", lambda: run([sys.executable, os.path.join(TESTS, "floors.py")])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", required=True)
    parser.add_argument("--only", action="append", choices=CHECKS)
    parser.add_argument("flags", nargs="*")
    options = parser.parse_args()
    options.build = os.path.abspath(options.build)
    os.chdir(ROOT)
    passed = failed = 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        jobs = [(name, pool.submit(function)) for name, function in plan(options)]
        for name, job in jobs:
            clean, text = job.result()
            if clean:
                passed += 1
            else:
                failed += 1
                print("FAIL  %s\n%s" % (name, text.strip()), flush=True)
    print("%d passed, %d failed" % (passed, failed))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
