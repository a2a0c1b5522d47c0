"""Reads files that may come from anybody: bounded in size, depth and expansion, and never code.

A parser that is given nonsense raises all sorts of exceptions; here they become the two that callers know:
`OSError` for a file that cannot be had, `ValueError` for contents that are not what they should be.
"""

from __future__ import annotations

import errno
import json
import os
import stat
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

MAX_TEXT = 4 * 2**20  # of a settings file or manifest [bytes]; ours have 20 kB at most
MAX_DEPTH = 32  # of nested lists and mappings; ours have 6, and parsers recurse
MAX_NODES = 50_000  # values of a YAML file, aliases counted as often as they are used; ours have 300
MAX_NAME = 255  # of a file, in bytes
MAX_SCALAR = 64 * 2**10  # of one value [characters]: numbers are read in quadratic time


def read_bounded(path: Path, limit: int = MAX_TEXT) -> bytes:
    """Contents of a regular file of at most `limit` bytes.

    Raises:
        OSError: it is missing, longer, or a pipe or device, which would never end.
    """
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as stream:
        if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
            raise OSError(errno.EINVAL, "expected a regular file", str(path))
        data = stream.read(limit + 1)
    if len(data) > limit:
        raise OSError(errno.EFBIG, f"it is larger than {limit} bytes", str(path))
    return data


def is_file(path: Path) -> bool:
    """Is there such a file? False, too, for what is no path at all."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def leaves(relative: str) -> bool:
    """Does a relative path lead out of the folder that it starts from, or is it none?

    Links are followed as they are: whoever can make one there can put the file there, too, and colcon's
    symlink install is made of them.
    """
    parts = PurePosixPath(relative).parts
    absurd = "\0" in relative or any(len(part) > MAX_NAME for part in parts)
    return not relative or absurd or relative.startswith("/") or ".." in parts


def beside(file: Path, other: str) -> Path:
    """The path that a file names: in its own folder, below it, or in a folder next to that one.

    Raises:
        ValueError: it leads elsewhere. What is copied somewhere whole keeps working, and reads nothing else.
    """
    folder = file.resolve().parent
    path = Path(os.path.normpath(folder / other))
    if "\0" in other or not path.is_relative_to(folder.parent):
        raise ValueError(f"'{other}' is outside of {folder.parent}")
    return path


def parse_json(data: bytes) -> Any:  # noqa: ANN401
    """Contents of a JSON document.

    Raises:
        ValueError: it is none, or nested too deeply.
    """
    try:
        return json.loads(data)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


class _BoundedLoader(yaml.SafeLoader):
    """Plain values only, and no more of them than MAX_NODES once aliases are written out."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._depth, self._count = 0, 0
        self._weights: dict[str, int] = {}  # values below each anchor

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        """The next node, counted."""
        event, before = self.peek_event(), self._count  # type: ignore[no-untyped-call]
        alias = isinstance(event, yaml.AliasEvent) and event.anchor in self.anchors
        # an anchor that has no weight yet is still open: it would hold itself
        self._count += self._weights.get(event.anchor, MAX_NODES) if alias else 1
        if self._count > MAX_NODES:
            raise yaml.YAMLError(f"it has more than {MAX_NODES} values, or an alias that holds itself")
        if isinstance(event, yaml.ScalarEvent) and len(event.value) > MAX_SCALAR:
            raise yaml.YAMLError(f"it has a value of more than {MAX_SCALAR} characters")
        if self._depth >= MAX_DEPTH:
            raise yaml.YAMLError(f"it is nested more than {MAX_DEPTH} deep")
        self._depth += 1
        node: yaml.Node | None = super().compose_node(parent, index)
        self._depth -= 1
        if not alias and event.anchor is not None:
            self._weights[event.anchor] = self._count - before
        return node


def parse_yaml(data: bytes) -> Any:  # noqa: ANN401
    """Contents of a YAML document, of plain types.

    Raises:
        ValueError: it is none, or has more values, depth or length than any settings need.
    """
    try:
        return yaml.load(data.decode("utf-8"), _BoundedLoader)  # noqa: S506  (a SafeLoader)
    except Exception as error:  # the constructors of numbers and dates raise whatever Python does
        raise ValueError(str(error) or type(error).__name__) from error
