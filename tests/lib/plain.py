"""Tests whose time goes elsewhere than into our programs' code: waiting for a time-out of some library, other people's programs. Once is enough."""

import os
import unittest

import memory
from agent import build_directory


def plain(why):
    """For a class of tests: not repeated with a sanitizer's build."""
    program = os.path.join(build_directory(), "exeat")
    return unittest.skipIf(os.path.exists(program) and memory.sanitized(program), "done without a sanitizer: " + why)
