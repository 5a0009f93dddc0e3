#!/usr/bin/python3
"""The Debian packages that "make deb" has built: run.py DIRECTORY [WORD...] runs the tests whose names contain one of the words."""

import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
TESTS = os.path.dirname(HERE)
sys.path[:0] = [os.path.join(TESTS, "lib"), os.path.join(TESTS, "scenarios"), HERE]

import runner  # noqa: E402

if __name__ == "__main__":
    os.environ["EXEAT_DEB"] = os.path.abspath(sys.argv.pop(1))
    os.environ.setdefault("EXEAT_TEST_TIMEOUT", "1200")
    runner.TIMEOUT = int(os.environ["EXEAT_TEST_TIMEOUT"])
    sys.exit(runner.run_folder(HERE))
