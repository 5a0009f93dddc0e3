#!/usr/bin/python3
"""The agent against a scripted proxy: run.py [WORD...] runs the tests whose names contain one of the words, -l lists them."""

import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(os.path.dirname(HERE), "lib"), HERE]

import agent  # noqa: E402
import runner  # noqa: E402

if __name__ == "__main__":
    if not os.access(os.path.join(agent.build_directory(), "exeat"), os.X_OK):
        sys.exit("no program in %s: build it first" % agent.build_directory())
    sys.exit(runner.run_folder(HERE, jobs=os.cpu_count() or 1))
