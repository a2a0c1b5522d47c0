"""Results of a benchmark as a file."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel
from rich.console import Console

from loopwm_ros.validation.files import write_text_atomically


def save(result: BaseModel, file: Path | None, console: Console) -> None:
    """Write all of it as JSON, and say where; without a file nothing.

    Raises:
        OSError: it cannot be written.
    """
    if file is not None:
        written = write_text_atomically(file, result.model_dump_json(indent=1) + "\n")
        console.print(f"result: {written}")
