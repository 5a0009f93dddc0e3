#!/usr/bin/python3
"""exeat-pac alone, driven over its socket: run.py [WORD...] runs the tests whose names contain one of the words, -l lists them."""

import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(os.path.dirname(HERE), "lib"), HERE]

import agent  # noqa: E402
import runner  # noqa: E402

if __name__ == "__main__":
    program = os.environ.setdefault("EXEAT_PAC", os.path.join(agent.build_directory(), "exeat-pac"))
    if not os.access(program, os.X_OK):
        sys.exit("no program %s: build it first" % program)
    sys.exit(runner.run_folder(HERE))
