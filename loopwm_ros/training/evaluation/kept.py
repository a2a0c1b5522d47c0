"""Finished groups in a folder: an evaluation that was stopped goes on after them."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Sequence
from pathlib import Path

from loopwm_ros.training.evaluation.results import Group
from loopwm_ros.training.evaluation.subjects import Subject, weights_sha256
from loopwm_ros.validation.files import write_text_atomically

SOURCES = ("training", "world_model", "processing")  # folders of the code that figures depend on


class Kept:
    """Groups by all that they depend on: weights, settings, recordings, and the code in this folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def get(self, key: str) -> Group | None:
        """A finished group; None where there is none."""
        path = self._path(key)
        return Group.model_validate_json(path.read_text(encoding="utf-8")) if path.exists() else None

    def put(self, key: str, group: Group) -> None:
        """Keep a group."""
        write_text_atomically(self._path(key), group.model_dump_json() + "\n")

    def _path(self, key: str) -> Path:
        return self._folder / f"{key}.json"


def group_key(label: str, members: Sequence[Subject], others: Sequence[str]) -> str:
    """Names a group; `others`: what else its figures depend on."""
    parts = [label, _code_sha256(), *others]
    for subject in members:
        parts += [str(subject.folder), subject.settings.model_dump_json(), subject.spec.model_dump_json()]
        parts.append(weights_sha256(subject.model))
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:24]


@functools.lru_cache(maxsize=1)
def _code_sha256() -> str:
    package = Path(__file__).parents[2]
    files = sorted(file for name in SOURCES for file in (package / name).rglob("*.py"))
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()
