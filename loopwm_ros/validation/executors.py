"""Who runs the episodes: processes of this machine, or a Ray cluster."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol, TypeVar

from loopwm_ros.data.pool import ordered_map
from loopwm_ros.errors import LoopWMError

Item = TypeVar("Item")
Result = TypeVar("Result")
PATIENCE = 5.0  # of a connection to a cluster [s]
RETRIES = 3  # of an episode whose worker was lost


class Executor(Protocol):
    """Gives the results of `work` on each item, in the items' order; both are picklable."""

    def __call__(self, work: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
        """Run them all."""
        ...


class Processes:
    """Worker processes on this machine; one means this process."""

    def __init__(self, workers: int) -> None:
        self._workers = workers

    def __call__(self, work: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
        """Run them all."""
        return ordered_map(work, items, self._workers)


def _run(work: Callable[[Item], Result], item: Item) -> Result:
    return work(item)


class RayTasks:
    """Tasks on a Ray cluster that is connected, one an item."""

    def __init__(self, ray: Any) -> None:  # noqa: ANN401  (an optional module)
        self._ray = ray

    def __call__(self, work: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
        """Run them all; those that are not over when the caller ends are cancelled."""
        task = self._ray.remote(num_cpus=1, max_retries=RETRIES)(_run)
        waiting = [task.remote(work, item) for item in items]
        try:
            while waiting:
                yield self._result(waiting[0])
                waiting.pop(0)
        finally:
            for reference in waiting:
                self._ray.cancel(reference)

    def _result(self, reference: Any) -> Any:  # noqa: ANN401
        """What a task returned, or the error that it raised itself."""
        try:
            return self._ray.get(reference)
        except self._ray.exceptions.RayTaskError as error:
            raise error.cause from error


def _answers(address: str) -> None:
    """Refuse at once what Ray would wait for, for minutes."""
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    if not colon:
        return
    try:
        socket.create_connection((host, int(port)), PATIENCE).close()
    except (OSError, ValueError) as error:
        raise LoopWMError(
            f"no Ray cluster at '{address}': {error}; start one with: ray start --head"
        ) from error


@contextmanager
def ray_cluster(address: str) -> Iterator[RayTasks]:
    """The cluster at an address: HOST:PORT, ray://HOST:PORT, auto, or local for one of its own.

    Raises:
        LoopWMError: there is none.
        ModuleNotFoundError: Ray is not installed.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # a cluster of our own tells nobody
    import ray  # noqa: PLC0415  (an optional, heavy module)

    _answers(address)
    try:
        ray.init(address=address, log_to_driver=False, include_dashboard=False)
    except (ConnectionError, ValueError) as error:
        raise LoopWMError(
            f"no Ray cluster at '{address}': {error}; one that asks for a token needs RAY_AUTH_MODE=token"
        ) from error
    try:
        yield RayTasks(ray)
    finally:
        ray.shutdown()
