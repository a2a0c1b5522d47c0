"""Bounds what reading a recording may take: a megabyte of zstd or LZ4 can unpack to hundreds of gigabytes."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SHARE = 0.5  # of the machine's memory that one recording may take, in memory and in each unpacked file


def budget() -> int:
    """What one recording may take here [bytes]."""
    return int(SHARE * os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))


@contextmanager
def bounded_memory(limit: int) -> Iterator[None]:
    """This process gets at most `limit` bytes more, and writes no longer file, in a `with` block.

    What asks for more gets a MemoryError or an OSError. The libraries that unpack take no bound themselves.
    """
    used = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0]) * os.sysconf("SC_PAGE_SIZE")
    kinds = {resource.RLIMIT_AS: used + limit, resource.RLIMIT_FSIZE: limit}
    before = {kind: resource.getrlimit(kind) for kind in kinds}
    try:
        for kind, most in kinds.items():
            soft, hard = before[kind]
            resource.setrlimit(kind, (most if soft == resource.RLIM_INFINITY else min(soft, most), hard))
        yield
    finally:
        for kind, limits in before.items():
            resource.setrlimit(kind, limits)
