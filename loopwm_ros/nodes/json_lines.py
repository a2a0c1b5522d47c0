"""JSON-lines files: written by a thread of their own, and read while another process still writes them."""

from __future__ import annotations

import contextlib
import json
import queue
import threading
from collections import deque
from pathlib import Path
from typing import Any, BinaryIO

KEPT = 20_000  # lines that wait for room on the disk: ten minutes of the mpc node's


class LineWriter:
    """Writes lines in a thread of its own: a disk that hesitates or is full keeps nobody waiting.

    What a full disk does not take is kept, `KEPT` lines at most, and written once there is room.
    """

    def __init__(self, path: Path) -> None:
        """Write anew to `path`, making its folder."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self.problem = ""  # why lines are not in the file; empty while all are
        self._lost = 0
        self._file: BinaryIO = path.open("wb", buffering=0)
        self._lines: queue.Queue[dict[str, Any] | None] = queue.Queue()
        self._waiting: deque[bytes] = deque()
        self._thread = threading.Thread(target=self._run, name="lines", daemon=True)
        self._thread.start()

    def put(self, line: dict[str, Any]) -> None:
        """Write this line soon."""
        self._lines.put(line)

    def flush(self) -> None:
        """Wait until all lines so far are in the file, or found not to fit."""
        self._lines.join()

    def close(self) -> None:
        """Write what is left, and end."""
        self._lines.put(None)
        self._thread.join()
        with contextlib.suppress(OSError):  # what could not be written is known already
            self._file.close()

    def _run(self) -> None:
        while (line := self._lines.get()) is not None:
            self._keep(f"{json.dumps(line)}\n".encode())
            self._write()
            self._lines.task_done()
        self._write()

    def _keep(self, line: bytes) -> None:
        if len(self._waiting) < KEPT:
            self._waiting.append(line)
        else:
            self._lost += 1

    def _write(self) -> None:
        try:
            while self._waiting:
                line = self._waiting[0]
                written = self._file.write(line)  # a nearly full disk takes a part
                if written < len(line):
                    self._waiting[0] = line[written:]
                else:
                    self._waiting.popleft()
        except OSError as error:
            self.problem = (
                f"cannot write {self._file.name}: {error.strerror}; {len(self._waiting)} lines wait"
            )
        else:
            self.problem = ""
        if self._lost:
            self.problem = f"{self.problem or 'there was no room'}; {self._lost} lines are lost"


class JsonLines:
    """Hands out each complete line once."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0

    def new(self) -> list[dict[str, Any]]:
        """Lines completed since the last call; none while the file does not exist."""
        if not self._path.exists():
            return []
        with self._path.open("rb") as file:
            file.seek(self._offset)
            data = file.read()
        whole = data[: data.rfind(b"\n") + 1]
        self._offset += len(whole)
        return [json.loads(line) for line in whole.splitlines()]
