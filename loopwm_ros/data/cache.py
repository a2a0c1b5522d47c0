"""Builds the dataset: every recording decoded once, kept by content, reused while nothing changed."""

from __future__ import annotations

import functools
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import BinaryIO

import cv2
import numpy as np
from numpy.typing import NDArray

from loopwm_ros.config import ArmConfig, TaskConfig
from loopwm_ros.control.kinematics import Kinematics
from loopwm_ros.data.bags import bag_sha256, find_bags
from loopwm_ros.data.dataset import ARRAYS, INDEX, Dataset, Skipped, open_dataset
from loopwm_ros.data.pool import ordered_map
from loopwm_ros.data.reader import read_episode
from loopwm_ros.data.samples import Samples, SampleSettings, sample_episode, sample_settings
from loopwm_ros.errors import BagError

FORMAT = 1  # of the cache; another format is built anew
Progress = Callable[[int, int], None]  # recordings done, recordings in all


def build_cache(
    roots: Sequence[Path],
    arm: ArmConfig,
    task: TaskConfig,
    image_size: tuple[int, int],
    cache_dir: Path,
    workers: int = 1,
    progress: Progress | None = None,
) -> Dataset:
    """Dataset of all recordings below `roots`; `image_size` is (width, height) [px].

    Unreadable recordings are left out and named in `Dataset.skipped`.

    Raises:
        BagError: no recordings, none of them can be used, or no room for them once decoded.
    """
    bags = [bag for root in roots for bag in find_bags(root)]
    if not bags:
        raise BagError(
            f"no recordings in {', '.join(map(str, roots))}; expected rosbag2 folders or .mcap files"
        )
    settings = sample_settings(task, arm.camera, image_size)
    hashes = list(ordered_map(bag_sha256, bags, workers))
    root = cache_dir / _key(hashes, arm, settings)
    if not (root / INDEX).is_file():
        read = functools.partial(_read, arm_json=arm.model_dump_json(), settings=settings)
        _build(root, bags, hashes, settings, ordered_map(read, bags, workers), progress or _silent)
    return open_dataset(root)


def _silent(_done: int, _total: int) -> None:
    """No progress report."""


def _key(hashes: Sequence[str], arm: ArmConfig, settings: SampleSettings) -> str:
    """Names a cache by all that it depends on."""
    parts = [str(FORMAT), arm.model_dump_json(), settings.model_dump_json(), *hashes]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:24]


@functools.lru_cache(maxsize=1)
def _kinematics(arm_json: str) -> Kinematics:
    cv2.setNumThreads(1)
    return Kinematics(ArmConfig.model_validate_json(arm_json))


def _read(path: Path, arm_json: str, settings: SampleSettings) -> Samples | Skipped:
    kinematics = _kinematics(arm_json)
    try:
        episode = read_episode(path, ArmConfig.model_validate_json(arm_json))
        return sample_episode(episode, kinematics, settings)
    except BagError as error:
        return Skipped(str(path), str(error))


def _build(
    root: Path,
    bags: Sequence[Path],
    hashes: Sequence[str],
    settings: SampleSettings,
    results: Iterable[Samples | Skipped],
    report: Progress,
) -> None:
    """Write the cache beside its place, then move it there."""
    partial = root.with_name(f".{root.name}.{os.getpid()}")
    try:
        partial.mkdir(parents=True)
        index = _write_arrays(partial, bags, hashes, results, report)
        index["settings"] = settings.model_dump()
        (partial / INDEX).write_text(json.dumps(index, indent=1) + "\n", encoding="utf-8")
        if not (root / INDEX).is_file():
            partial.rename(root)
    except OSError as error:
        raise BagError(
            f"decoded recordings cannot be kept in {root.parent}: {error}; they need about ten times the "
            "room of the recordings: make room, or give another place with --cache"
        ) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _write_arrays(
    partial: Path,
    bags: Sequence[Path],
    hashes: Sequence[str],
    results: Iterable[Samples | Skipped],
    report: Progress,
) -> dict[str, object]:
    columns = {name: Column(partial / f"{name}.npy") for name in ARRAYS}
    offsets, sources, kept, skipped = [0], [], [], []
    for done, (bag, sha256, result) in enumerate(zip(bags, hashes, results, strict=True), 1):
        report(done, len(bags))
        if isinstance(result, Skipped):
            skipped.append(asdict(result))
            continue
        for name, column in columns.items():
            column.append(getattr(result, name))
        offsets.append(offsets[-1] + len(result.stamps))
        sources.append(str(bag))
        kept.append(sha256)
    for column in columns.values():
        column.close()
    if not kept:
        reasons = "\n".join(str(entry["reason"]) for entry in skipped[:5])
        raise BagError(f"none of {len(bags)} recordings can be used; the first reasons:\n{reasons}")
    return {
        "offsets": offsets,
        "sources": sources,
        "episode_sha256": kept,
        "skipped": skipped,
        "data_sha256": hashlib.sha256("\n".join(sorted(kept)).encode()).hexdigest(),
    }


class Column:
    """A .npy file that grows by rows; its header is rewritten when it is closed.

    NumPy pads the header of a growing array so that a longer first axis fits in the same bytes.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: BinaryIO | None = None
        self._dtype: np.dtype[np.generic]
        self._row: tuple[int, ...] = ()
        self._rows = 0

    def append(self, values: NDArray[np.generic]) -> None:
        """Add rows (m, ...); all calls give rows of one shape and type."""
        if self._file is None:
            self._file = self._path.open("wb")
            self._row, self._dtype = values.shape[1:], values.dtype
            self._write_header()
        self._rows += len(values)
        self._file.write(np.ascontiguousarray(values, dtype=self._dtype).tobytes())

    def close(self) -> None:
        """Write the final header."""
        if self._file is not None:
            self._file.seek(0)
            self._write_header()
            self._file.close()

    def _write_header(self) -> None:
        assert self._file is not None
        header = {
            "shape": (self._rows, *self._row),
            "fortran_order": False,
            "descr": np.lib.format.dtype_to_descr(self._dtype),
        }
        np.lib.format.write_array_header_1_0(self._file, header)
