"""JSON-lines files: written by a thread of their own, and read while another process still writes them."""

from __future__ import annotations

import contextlib
import json
import queue
import threading
from pathlib import Path
from typing import Any, TextIO


class LineWriter:
    """Writes lines in a thread of its own: a disk that hesitates or is full keeps nobody waiting."""

    def __init__(self, path: Path) -> None:
        """Write anew to `path`, making its folder."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self.problem = ""  # why lines are lost; empty while none are
        self._file: TextIO = path.open("w", encoding="utf-8", buffering=1)
        self._lines: queue.Queue[dict[str, Any] | None] = queue.Queue()
        self._thread = threading.Thread(target=self._run, name="lines", daemon=True)
        self._thread.start()

    def put(self, line: dict[str, Any]) -> None:
        """Write this line soon."""
        self._lines.put(line)

    def flush(self) -> None:
        """Wait until all lines so far are in the file."""
        self._lines.join()

    def close(self) -> None:
        """Write what is left, and end."""
        self._lines.put(None)
        self._thread.join()
        with contextlib.suppress(OSError):  # what could not be written is known already
            self._file.close()

    def _run(self) -> None:
        while (line := self._lines.get()) is not None:
            self._write(line)
            self._lines.task_done()

    def _write(self, line: dict[str, Any]) -> None:
        try:
            self._file.write(json.dumps(line) + "\n")
        except OSError as error:
            self.problem = f"cannot write {self._file.name}: {error.strerror}"


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
