#!/usr/bin/python3
"""The verbs that a person types: run.py [WORD...] runs the tests whose names contain one of the words, -l lists them."""

import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(os.path.dirname(HERE), "lib"), HERE]

import runner  # noqa: E402

if __name__ == "__main__":
    sys.exit(runner.run_folder(HERE))
