"""Runs the unittest modules of a folder: one line per test, and a last line `N passed, N failed`.

A test that hangs is ended after EXEAT_TEST_TIMEOUT seconds (120) and counts as failed. Words on the command line choose the tests whose
names contain one of them; -l lists the names."""

import faulthandler
import importlib
import os
import signal
import sys
import time
import traceback
import unittest

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
TIMEOUT = int(os.environ.get("EXEAT_TEST_TIMEOUT", "120"))


class Hangs(AssertionError):
    pass


def _ring(_number, _frame):
    faulthandler.dump_traceback(file=sys.__stderr__)
    raise Hangs("no end after %d seconds" % TIMEOUT)


def _flatten(suite):
    for item in suite:
        if isinstance(item, unittest.TestSuite):
            yield from _flatten(item)
        else:
            yield item


def _compact(kind, error, trace):
    """A traceback with only our own frames, and not more lines than a person reads."""
    ours = [frame for frame in traceback.extract_tb(trace) if TESTS in frame.filename] or traceback.extract_tb(trace)[-3:]
    lines = ["%s:%d %s: %s" % (os.path.relpath(f.filename, TESTS), f.lineno, f.name, f.line) for f in ours]
    lines += "".join(traceback.format_exception_only(kind, error)).splitlines()
    if len(lines) > 50:
        lines[30:-20] = ["... (%d lines)" % (len(lines) - 50)]
    return "\n".join(line[:1000] for line in lines)


class _Result(unittest.TestResult):
    def __init__(self, out):
        super().__init__()
        self.out = out
        self.passed = self.failed = self.skipped_count = 0
        self.failures_text = []
        self._bad = False

    def startTest(self, test):
        super().startTest(test)
        self._begin = time.monotonic()
        signal.signal(signal.SIGALRM, _ring)
        signal.alarm(TIMEOUT)

    def stopTest(self, test):
        signal.alarm(0)
        self._bad = False
        super().stopTest(test)

    def _line(self, word, test, more=""):
        took = time.monotonic() - getattr(self, "_begin", time.monotonic())
        name = test.id() if hasattr(test, "id") else str(test)
        print("%-5s %s (%.2f s)%s" % (word, name, took, more), file=self.out, flush=True)

    def _fail(self, test, error):
        text = _compact(*error)
        self.failures_text.append((test.id(), text))
        if not self._bad:
            self._bad = True
            self.failed += 1
            self._line("FAIL", test)
        print("".join("      | %s\n" % line for line in text.splitlines()), end="", file=self.out, flush=True)

    def addSuccess(self, test):
        if not self._bad:  # a failed sub-test ends in success too
            self.passed += 1
            self._line("ok", test)

    def addFailure(self, test, error):
        self._fail(test, error)

    def addError(self, test, error):
        self._fail(test, error)

    def addSubTest(self, test, subtest, error):
        if error is not None:
            self._fail(test, error)
            print("      | in " + subtest.id().replace("\n", " ")[:300], file=self.out, flush=True)

    def addSkip(self, test, reason):
        self.skipped_count += 1
        self._line("skip", test, ": " + reason)

    def addExpectedFailure(self, test, error):
        self._fail(test, error)

    def addUnexpectedSuccess(self, test):
        self.addSuccess(test)


def run_folder(folder, words=None, out=sys.stdout):
    """Runs test_*.py of the folder; returns the exit status."""
    return run_folders([folder], words, out)


def run_folders(folders, words=None, out=sys.stdout):
    """The same for several folders, one after the other, with one sum; the names of their files must differ."""
    words = sys.argv[1:] if words is None else list(words)
    listing = "-l" in words
    words = [word for word in words if not word.startswith("-")]
    sys.path[:0] = folders
    loader = unittest.TestLoader()
    result = _Result(out)
    broken = 0
    chosen = []  # suites, one per class, so that setUpClass works
    for file in [file for folder in folders for file in sorted(os.listdir(folder))]:
        if not (file.startswith("test_") and file.endswith(".py")):
            continue
        try:
            module = importlib.import_module(file[:-3])
        except Exception:
            broken += 1
            print("FAIL  %s (cannot be loaded)\n%s" % (file, traceback.format_exc()), file=out, flush=True)
            continue
        classes = {}
        for test in _flatten(loader.loadTestsFromModule(module)):
            if not words or any(word in test.id() for word in words):
                classes.setdefault(type(test), []).append(test)
        chosen += classes.values()
    if listing:
        for tests in chosen:
            for test in tests:
                print(test.id(), file=out)
        return 0
    for tests in chosen:
        unittest.TestSuite(tests).run(result)
    if result.skipped_count:
        print("%d skipped" % result.skipped_count, file=out)
    failed = result.failed + broken
    print("%d passed, %d failed" % (result.passed, failed), file=out, flush=True)
    return 1 if failed or not result.passed else 0
