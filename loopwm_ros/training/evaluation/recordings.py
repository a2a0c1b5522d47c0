"""The test data as each model wants it: decoded once for its arm, task and image size."""

from __future__ import annotations

from pathlib import Path

from loopwm_ros.data.dataset import Dataset
from loopwm_ros.training.console import read_data
from loopwm_ros.training.distributed import Workers
from loopwm_ros.training.settings import TrainSettings


class Recordings:
    """Folders of recordings, read through the cache of `loopwm train`."""

    def __init__(self, cache: Path, workers: Workers) -> None:
        self._cache, self._workers = cache, workers
        self._open: dict[tuple[Path, str, str, int, int], Dataset] = {}

    def of(self, root: Path, settings: TrainSettings) -> Dataset:
        """All recordings below a folder.

        Raises:
            BagError: there are none that can be used.
        """
        key = root, settings.arm, settings.task, settings.image.width, settings.image.height
        if key not in self._open:
            self._open[key] = read_data(settings, [root], self._cache, self._workers)
        return self._open[key]
