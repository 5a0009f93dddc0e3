#!/usr/bin/python3
"""Runs the fuzzers one after the other: run.py --build DIR [--seconds N] [NAME...]

Seeds come from tests/fuzz/corpus/NAME, new inputs are kept in DIR/corpus/NAME, what breaks a target in DIR/found."""

import argparse
import concurrent.futures
import glob
import os
import re
import subprocess
import sys

FUZZ = os.path.dirname(os.path.abspath(__file__))


def fuzz(name, options):
    """Runs one target; returns whether it held, and the end of what it said."""
    corpus = os.path.join(options.build, "corpus", name)
    found = os.path.join(options.build, "found")
    os.makedirs(corpus, exist_ok=True)
    os.makedirs(found, exist_ok=True)
    seeds = os.path.join(FUZZ, "corpus", name)
    command = [os.path.join(options.build, "bin", "fuzz_" + name), corpus, *([seeds] if os.path.isdir(seeds) else []),
               "-max_total_time=%d" % options.seconds, "-timeout=10", "-rss_limit_mb=2048", "-print_final_stats=1",
               "-artifact_prefix=%s/%s-" % (found, name)]
    answer = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
                            timeout=options.seconds + 300)
    return answer.returncode == 0, answer.stdout.decode("utf-8", "replace")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", required=True)
    parser.add_argument("--seconds", type=int, default=30)
    parser.add_argument("name", nargs="*")
    options = parser.parse_args()
    options.build = os.path.abspath(options.build)
    names = options.name or sorted(os.path.basename(p)[5:-2] for p in glob.glob(os.path.join(FUZZ, "fuzz_*.c")))
    passed = failed = 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for name, (held, text) in zip(names, pool.map(lambda name: fuzz(name, options), names)):
            runs = re.search(r"number_of_executed_units: *(\d+)", text)
            print("%-4s  %-20s %12s inputs" % ("ok" if held else "FAIL", name, runs.group(1) if runs else "?"), flush=True)
            if held:
                passed += 1
            else:
                failed += 1
                print("\n".join("      | " + line for line in text.splitlines()[-60:]))
    print("%d passed, %d failed" % (passed, failed))
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
