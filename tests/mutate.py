#!/usr/bin/python3
"""Breaks each guard in turn and demands that its tests notice: mutate.py [--build DIR] [WORD...]; rows whose guard or file has one of the
words, or all. The rows are in mutations.py; --list shows them, --check only looks whether each still fits the sources (floors.py does, too).

The sources are copied to DIR/mutate, built once, and the named tests must pass there. Then, for each row: its edits are made, what its tests
need of that is built again, the named tests run, every one of them must fail, and the edits are undone. DIR/mutate/log keeps what the tests
said. A row whose test is skipped on this machine (no root) is skipped. The last line is `N passed, N failed`."""

import argparse
import ast
import ctypes
import importlib.machinery
import importlib.util
import os
import re
import shutil
import sys
import threading
import time

TESTS = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(TESTS)
sys.path.insert(0, TESTS)

from mutations import ROWS  # noqa: E402

COPIED = ("agent", "config", "tests", "tray", "Makefile")
BUILD_SECONDS, UNIT_SECONDS, TEST_SECONDS = 900, 120, 300
# Waits end sooner than in the suites: most mutations show themselves as something that never comes.
HASTE = {"EXEAT_TEST_PATIENCE": "15", "EXEAT_TEST_TIMEOUT": "100", "EXEAT_TEST_BRIEF": "1", "CMOCKA_MESSAGE_OUTPUT": "STDOUT"}


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


# --- do the rows fit the sources?

def _methods(tree, name):
    """Names of the methods of a class, with those of its bases in the same file."""
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and node.name == name:
            yield from (item.name for item in node.body if isinstance(item, ast.FunctionDef))
            for base in node.bases:
                if isinstance(base, ast.Name):
                    yield from _methods(tree, base.id)


def _test_is_there(test):
    suite, name = test.split(" ")
    if suite == "unit":
        program, case = name.split(".")
        path = os.path.join(TESTS, "unit", program + ".c")
        return os.path.exists(path) and bool(re.search(r"(?:cmocka_unit_test\w*|with_\w+|TEST|each)\(\s*%s\b" % re.escape(case), read(path)))
    module, cls, method = name.split(".")
    path = os.path.join(TESTS, suite, module + ".py")
    return os.path.exists(path) and method in _methods(ast.parse(read(path), path), cls)


def faults(row):
    """Why this row proves nothing, as sentences."""
    for path, find, replace in row.edits:
        count = read(os.path.join(ROOT, path)).count(find) if os.path.exists(os.path.join(ROOT, path)) else 0
        if count != 1:
            yield "mutation \"%s\": its text stands %d times in %s, not once: %s" % (row.guard, count, path, find)
        if find == replace:
            yield "mutation \"%s\" changes nothing" % row.guard
    for test in row.tests:
        if not _test_is_there(test):
            yield "mutation \"%s\": there is no test %s" % (row.guard, test)
    if not row.edits or not row.tests:
        yield "mutation \"%s\" names no edit or no test" % row.guard


# --- the private copy

def _write_when_changed(path, data):
    try:
        with open(path, "rb") as file:
            if file.read() == data:
                return
    except OSError:
        pass
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        file.write(data)


def copy_tree(tree):
    """Brings the copy up to date; files that are the same keep their time, so that only what changed is compiled."""
    kept = set()
    for top in COPIED:
        source = os.path.join(ROOT, top)
        paths = [source] if os.path.isfile(source) else [
            os.path.join(folder, name) for folder, folders, names in os.walk(source) for name in names if "__pycache__" not in folder]
        for path in paths:
            own = os.path.join(tree, os.path.relpath(path, ROOT))
            with open(path, "rb") as file:
                _write_when_changed(own, file.read())
            shutil.copymode(path, own)
            kept.add(own)
    for folder, _, names in os.walk(tree):
        for name in names:
            if os.path.join(folder, name) not in kept:
                os.unlink(os.path.join(folder, name))


class Place:
    """The copy, its programs, and what runs in it. The processes are called as tests/run does: whatever they leave behind is ended."""

    def __init__(self, build):
        home = os.path.join(os.path.abspath(build), "mutate")
        self.tree, self.build, self.log = (os.path.join(home, name) for name in ("tree", "build", "log"))
        for path in (self.tree, self.build, self.log):
            os.makedirs(path, exist_ok=True)
        copy_tree(self.tree)
        loader = importlib.machinery.SourceFileLoader("run", os.path.join(TESTS, "run"))
        self.run = importlib.util.module_from_spec(importlib.util.spec_from_loader("run", loader))
        loader.exec_module(self.run)
        self.run.ROOT = self.tree  # where its processes work
        ctypes.CDLL(None).prctl(self.run.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        threading.Thread(target=self.run.bury, daemon=True).start()

    def call(self, command, log, seconds, environment=()):
        path = os.path.join(self.log, log)
        status = self.run.call(command, path, seconds, dict(os.environ, **dict(environment)))
        self.run.end_leftovers()
        return status, self.run.read(path)

    def make(self, tests):
        """Builds what the named tests run: their unit programs, and our programs where there are others. None, or what the compiler said."""
        suites = _by_suite(tests)
        units = {name.split(".")[0] for name in suites.pop("unit", ())}
        targets = ["all"] * bool(suites) + [os.path.join(self.build, "unit", name) for name in sorted(units)]
        if "cli" not in suites:
            targets.append("PAPERS=")  # no other suite reads the manual pages
        jobs = "-j%d" % (os.cpu_count() or 1)
        status, text = self.call(["make", "--no-print-directory", jobs, "BUILD=" + self.build, "WERROR=", *targets], "make.log", BUILD_SECONDS)
        return None if status == 0 else "\n".join(text.splitlines()[-30:])

    def outcomes(self, tests, log):
        """{test: "ok", "failed" or "skipped"} of the named tests, all in one run of each suite."""
        found = {}
        for suite, names in sorted(_by_suite(tests).items()):
            if suite == "unit":
                for name in names:
                    program, case = name.split(".")
                    environment = dict(HASTE, EXEAT_UNIT_CASE=case)
                    status, text = self.call([os.path.join(self.build, "unit", program)], "%s.%s.log" % (log, name), UNIT_SECONDS, environment)
                    found["unit " + name] = _of_cmocka(text, case, status)
                continue
            command = [self.run.PYTHON, os.path.join(self.tree, "tests", suite, "run.py"), *names]
            status, text = self.call(command, "%s.%s.log" % (log, suite), TEST_SECONDS, dict(HASTE, EXEAT_BUILD=self.build))
            found.update(("%s %s" % (suite, name), _of_runner(text, name, status)) for name in names)
        return found


def _by_suite(tests):
    suites = {}
    for test in tests:
        suite, name = test.split(" ")
        suites.setdefault(suite, []).append(name)
    return suites


def _of_cmocka(text, case, status):
    if re.search(r"^\[       OK \] %s$" % re.escape(case), text, re.M):
        return "ok"
    return "skipped" if status == 0 else "failed"  # a program that crashed, or hung (None), says nothing of the rest


def _of_runner(text, name, status):
    found = re.search(r"^(ok|FAIL|skip) +%s \(" % re.escape(name), text, re.M)
    if found:
        return {"ok": "ok", "FAIL": "failed", "skip": "skipped"}[found.group(1)]
    return "missing" if status == 0 else "failed"


class Edited:
    """A file of the copy that is not as it should be. Its object file comes back with it, so that it need not be compiled once more."""

    def __init__(self, place, path):
        self.path = os.path.join(place.tree, path)
        self.object = os.path.join(place.build, "obj", os.path.splitext(path)[0] + ".o")
        self.text, self.times = read(self.path), os.stat(self.path)
        self.compiled = path.endswith(".c") and _bytes_of(self.object)

    def replace(self, find, replace):
        text = read(self.path)
        with open(self.path, "w", encoding="utf-8") as file:
            file.write(text.replace(find, replace))

    def undo(self):
        with open(self.path, "w", encoding="utf-8") as file:
            file.write(self.text)
        if self.compiled:
            os.utime(self.path, ns=(self.times.st_atime_ns, self.times.st_mtime_ns))
            with open(self.object, "wb") as file:  # newer than the programs: they are linked again
                file.write(self.compiled)


def _bytes_of(path):
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError:
        return None


# --- the rows, one after the other

def judge(place, row, log):
    """("ok" | "FAIL" | "skip", why)"""
    edited = {path: Edited(place, path) for path, _, _ in row.edits}
    for path, find, replace in row.edits:
        edited[path].replace(find, replace)
    try:
        wrong = place.make(row.tests)
        if wrong:
            return "FAIL", "does not compile:\n" + wrong
        found = place.outcomes(row.tests, log)
    finally:
        for file in edited.values():
            file.undo()
    survivors = ["%s: %s" % (test, outcome) for test, outcome in found.items() if outcome != "failed"]
    return ("FAIL", "nobody notices: " + "; ".join(survivors)) if survivors else ("ok", "")


def baseline(place, rows):
    """The tests without any mutation: those that do not pass, with their outcome."""
    tests = sorted({test for row in rows for test in row.tests})
    wrong = place.make(tests)
    if wrong:
        sys.exit("the sources do not compile:\n" + wrong)
    return {test: outcome for test, outcome in place.outcomes(tests, "baseline").items() if outcome != "ok"}


def run(rows, build):
    place = Place(build)
    begin = time.monotonic()
    bad = baseline(place, rows)
    print("built, and %d tests run without a mutation (%.0f s)" % (len({t for row in rows for t in row.tests}), time.monotonic() - begin), flush=True)
    counts = {"ok": 0, "FAIL": 0, "skip": 0}
    for number, row in enumerate(rows):
        begin = time.monotonic()
        unusable = {test: bad[test] for test in row.tests if test in bad}
        if unusable:
            verdict = "skip" if set(unusable.values()) == {"skipped"} else "FAIL"
            why = "without the mutation: " + "; ".join("%s: %s" % pair for pair in unusable.items())
        else:
            verdict, why = judge(place, row, "%02d" % number)
        counts[verdict] += 1
        print("%-4s  %s (%.0f s)%s" % (verdict, row.guard, time.monotonic() - begin, "\n      " + why if why else ""), flush=True)
    if counts["skip"]:
        print("%d skipped" % counts["skip"])
    print("%d passed, %d failed" % (counts["ok"], counts["FAIL"]))
    return 1 if counts["FAIL"] or not counts["ok"] else 0


def main():
    parser = argparse.ArgumentParser(description="Breaks each guard in turn and demands that its tests notice.")
    parser.add_argument("--build", default=os.path.join(ROOT, "build"), help="the copy and its programs go to DIR/mutate")
    parser.add_argument("--list", action="store_true", help="show the rows")
    parser.add_argument("--check", action="store_true", help="only see whether the rows fit the sources")
    parser.add_argument("word", nargs="*", help="rows whose guard or file has one of these")
    options = parser.parse_args()
    rows = [row for row in ROWS if not options.word or any(word in text for word in options.word for text in [row.guard, *(edit[0] for edit in row.edits)])]
    if options.list:
        print("\n".join("%s\n    %s" % (row.guard, "\n    ".join([edit[0] for edit in row.edits] + list(row.tests))) for row in rows))
        return 0
    wrong = [sentence for row in rows for sentence in faults(row)]
    for sentence in wrong:
        print("FAIL  " + sentence)
    if options.check or wrong:
        print("%d passed, %d failed" % (len(rows) - sum(any(faults(row)) for row in rows), sum(any(faults(row)) for row in rows)))
        return 1 if wrong else 0
    return run(rows, options.build)


if __name__ == "__main__":
    sys.exit(main())
