"""Runs the unittest modules of a folder: one line per test, and a last line `N passed, N failed`.

A test that hangs is ended after EXEAT_TEST_TIMEOUT seconds (120) and counts as failed. Words on the command line choose the tests whose
names contain one of them, or are one of them; -l lists the names."""

import faulthandler
import importlib
import os
import signal
import sys
import time
import traceback
import unittest

import shield

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
TIMEOUT = int(os.environ.get("EXEAT_TEST_TIMEOUT", "120"))


class Hangs(AssertionError):
    pass


def _ring(_number, _frame):
    faulthandler.dump_traceback(file=sys.__stderr__)
    raise Hangs("no end in time")


def _seconds(test):
    """A class whose tests start what takes its time may say so, as `seconds`."""
    return max(TIMEOUT, getattr(test, "seconds", 0))


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
        self.failfast = "EXEAT_TEST_BRIEF" in os.environ  # the first of a test's sub-tests that fails ends that test
        self.out = out
        self.passed = self.failed = self.skipped_count = 0
        self._bad = False

    def startTest(self, test):
        super().startTest(test)
        self._begin = time.monotonic()
        signal.signal(signal.SIGALRM, _ring)
        signal.alarm(_seconds(test))

    def stopTest(self, test):
        signal.alarm(0)
        self._bad = False
        super().stopTest(test)

    def _line(self, word, test, more=""):
        took = time.monotonic() - getattr(self, "_begin", time.monotonic())
        self.out.write("%-5s %s (%.2f s)%s\n" % (word, test.id(), took, more))
        self.out.flush()

    def _fail(self, test, error):
        text = _compact(*error)
        text = "".join("\n      | " + line for line in text.splitlines())
        if not self._bad:
            self._bad = True
            self.failed += 1
            self._line("FAIL", test, text)
        else:
            self.out.write(text[1:] + "\n")

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
            error[1].add_note("in " + subtest.id().replace("\n", " ")[:300])
            self._fail(test, error)

    def addSkip(self, test, reason):
        self.skipped_count += 1
        self._line("skip", test, ": " + reason)

    def addExpectedFailure(self, test, error):
        self._fail(test, error)

    def addUnexpectedSuccess(self, test):
        self.addSuccess(test)


def run_folder(folder, words=None, out=sys.stdout, jobs=1):
    """Runs test_*.py of the folder; returns the exit status. jobs: so many processes share the classes, for tests that do not disturb
    each other."""
    return run_folders([folder], words, out, jobs)


def run_folders(folders, words=None, out=sys.stdout, jobs=1):
    """The same for several folders, one after the other, with one sum; the names of their files must differ."""
    words = sys.argv[1:] if words is None else list(words)
    listing = "-l" in words
    words = [word for word in words if not word.startswith("-")]
    if not listing:
        shield.raise_shield()
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
        tests = list(_flatten(loader.loadTestsFromModule(module)))
        whole = {test.id() for test in tests}
        for test in tests:
            if not words or any(word == test.id() if word in whole else word in test.id() for word in words):
                classes.setdefault(type(test), []).append(test)
        chosen += classes.values()
    if listing:
        for tests in chosen:
            for test in tests:
                print(test.id(), file=out)
        return 0
    passed, failed, skipped = _run_chosen(chosen, result) if jobs == 1 else _share(chosen, result, jobs)
    failed += broken
    if skipped:
        print("%d skipped" % skipped, file=out)
    print("%d passed, %d failed" % (passed, failed), file=out, flush=True)
    return 1 if failed or not passed else 0


def _run_chosen(chosen, result):
    for tests in chosen:
        unittest.TestSuite(tests).run(result)
    return result.passed, result.failed, result.skipped_count


def _share(chosen, result, jobs):
    """Each process takes the next class from a pipe; a process that dies counts as a failure."""
    queue, fill = os.pipe()
    os.write(fill, bytes(range(len(chosen))))
    os.close(fill)
    answers = []
    for _ in range(jobs):
        answer, say = os.pipe()
        if os.fork() == 0:
            os.close(answer)
            while next_one := os.read(queue, 1):
                _run_chosen([chosen[next_one[0]]], result)
            os.write(say, b"%d %d %d" % (result.passed, result.failed, result.skipped_count))
            sys.exit(0)
        os.close(say)
        answers.append(answer)
    sums = [0, 0, 0]
    for answer in answers:
        with os.fdopen(answer) as file:
            counts = file.read().split() or ["0", "1", "0"]
        sums = [a + int(b) for a, b in zip(sums, counts)]
    for _ in range(jobs):
        os.wait()
    return sums
