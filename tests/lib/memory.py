"""Looks for bytes in the memory of another process. Only root may, for our programs are not dumpable on purpose."""

import os
import re

PAGE = os.sysconf("SC_PAGE_SIZE")
LOCKED = {"lo", "dd"}  # proc(5), VmFlags: locked, and never part of a core dump

_RANGE = re.compile(r"([0-9a-f]+)-([0-9a-f]+) (\S+) \S+ \S+ \S+\s*(.*)")


def sanitized(program):
    """Was it built with a sanitizer, which keeps what was freed? Asked of the file: a process that has just begun has not loaded its libraries yet."""
    with open(program, "rb") as file:
        return re.search(rb"lib[atl]san\.so", file.read()) is not None


def _mappings(pid):
    """(start, end, permissions, name, flags) of each mapping."""
    current = None
    with open("/proc/%d/smaps" % pid) as smaps:
        for line in smaps:
            match = _RANGE.match(line)
            if match:
                current = (int(match.group(1), 16), int(match.group(2), 16), match.group(3), match.group(4))
            elif line.startswith("VmFlags:"):
                yield (*current, set(line.split()[1:]))


def _present(pagemap, start, end):
    """(start, end) of the runs of pages that exist, in memory or swapped out. A sanitizer reserves much more than there is."""
    pagemap.seek(start // PAGE * 8)
    entries = pagemap.read((end - start) // PAGE * 8)
    run = None
    for at in range(0, len(entries), 8):
        page = start + at // 8 * PAGE
        if entries[at + 7] & 0xC0:  # bits 63 and 62
            run = page if run is None else run
        elif run is not None:
            yield run, page
            run = None
    if run is not None:
        yield run, end


def places(pid, needles):
    """Where they are in memory that can be written: [(needle, name of the mapping, is it locked)], each needle once per run of pages."""
    found = []
    with open("/proc/%d/mem" % pid, "rb", 0) as memory, open("/proc/%d/pagemap" % pid, "rb", 0) as pagemap:
        for start, end, permissions, name, flags in _mappings(pid):
            if not permissions.startswith("rw") or end - start > 1 << 30:  # as large is the shadow memory of a sanitizer
                continue
            for first, last in _present(pagemap, start, end):
                try:
                    memory.seek(first)
                    data = memory.read(last - first)
                except (OSError, OverflowError, ValueError):
                    continue
                found += [(needle, name, LOCKED <= flags) for needle in needles if needle in data]
    return found


def loose(pid, needles):
    """Those that are anywhere but on locked pages."""
    return [(needle, name) for needle, name, locked in places(pid, needles) if not locked]


def may_look():
    return os.geteuid() == 0
