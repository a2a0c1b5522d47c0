"""What the harness changes inside of a running node: a clock that is off, a planner that fails."""

from __future__ import annotations

import mmap
import struct
import time
from enum import IntEnum
from pathlib import Path

LAYOUT = struct.Struct("<dqq")
VARIABLE = "LOOPWM_FAULT_SWITCHES"  # path of the file
SIGNALS = "LOOPWM_FAULT_SIGNALS"  # path of a folder, for `Signals`


class Planner(IntEnum):
    """What the planner does."""

    WELL = 0
    NAN = 1
    GREEDY = 2  # asks for `GREED` bytes


GREED = 2**30


class Plans(IntEnum):
    """What becomes of plans before the safety node looks at them."""

    WELL = 0
    LATE = 1
    THRICE = 2
    SWAPPED = 3
    LOST = 4


class Switches:
    """A few bytes that two processes share."""

    def __init__(self, path: Path) -> None:
        """The file is made where there is none."""
        if not path.exists():
            path.write_bytes(LAYOUT.pack(0.0, Planner.WELL, Plans.WELL))
        with path.open("r+b") as file:
            self._bytes = mmap.mmap(file.fileno(), LAYOUT.size)

    @property
    def clock(self) -> float:
        """What the node's clock is ahead by [s]."""
        return float(LAYOUT.unpack_from(self._bytes)[0])

    @property
    def planner(self) -> Planner:
        """What the planner does."""
        return Planner(LAYOUT.unpack_from(self._bytes)[1])

    @property
    def plans(self) -> Plans:
        """What becomes of plans."""
        return Plans(LAYOUT.unpack_from(self._bytes)[2])

    def set(self, clock: float = 0.0, planner: Planner = Planner.WELL, plans: Plans = Plans.WELL) -> None:
        """Change all."""
        LAYOUT.pack_into(self._bytes, 0, clock, planner, plans)


class Signals:
    """What a peer and the harness tell each other: files with a time in them."""

    READY, GO, BEGAN = "ready", "go", "began"

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(exist_ok=True)

    def clear(self) -> None:
        """Nothing was told."""
        for file in self._folder.iterdir():
            file.unlink()

    def tell(self, what: str) -> None:
        """It is so, now."""
        new = self._folder / f".{what}"
        new.write_text(str(time.perf_counter()))
        new.replace(self._folder / what)

    def at(self, what: str) -> float | None:
        """Since when it is so [s, steady clock]; None: it is not."""
        file = self._folder / what
        return float(file.read_text()) if file.exists() else None
