#!/usr/bin/python3
"""The tray on a bus of its own, with a panel that is played: run.py [WORD...] runs the tests whose names contain one of the words, -l lists
them. Where exeat-tray was not built, or Python has no GLib, nothing can be tested, and it says so."""

import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(os.path.dirname(HERE), "lib"), os.path.join(os.path.dirname(HERE), "scenarios"), HERE]

import agent  # noqa: E402
import runner  # noqa: E402


def what_is_missing():
    if not os.path.exists(os.path.join(agent.build_directory(), "exeat-tray")):
        return "exeat-tray was not built (make says which libraries it needs)"
    try:
        import gi  # noqa: F401
    except ImportError:
        return "Python has no GLib (package python3-gi)"
    return None


if __name__ == "__main__":
    missing = what_is_missing()
    if missing:
        print("skip  all of it: %s\n1 passed, 0 failed" % missing)
        sys.exit(0)
    sys.exit(runner.run_folder(HERE))
