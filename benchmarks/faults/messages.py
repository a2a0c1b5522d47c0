"""Faults of messages: made in the relays between the nodes, those of plans where `safety` takes them in."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from benchmarks.faults.changes import PLANS, copied
from benchmarks.faults.relay import Change, unchanged
from benchmarks.faults.scene import Scene
from benchmarks.faults.switches import Plans

RELAYS = ("joints", "camera", "commands")  # of a scene


def changed(change: Callable[[], Change], *relays: str) -> Callable[[Scene], AbstractContextManager[float]]:
    """A fault in which each of these relays has a change of its own."""

    @contextmanager
    def made(scene: Scene) -> Iterator[float]:
        for name in relays:
            getattr(scene, name).change = change()
        try:
            yield time.perf_counter()
        finally:
            for name in relays:
                getattr(scene, name).change = unchanged

    return made


def everywhere(plans: Plans) -> Callable[[Scene], AbstractContextManager[float]]:
    """What becomes of plans becomes of all messages."""

    @contextmanager
    def made(scene: Scene) -> Iterator[float]:
        scene.switches.set(plans=plans)
        try:
            with changed(PLANS[plans], *RELAYS)(scene) as began:
                yield began
        finally:
            scene.switches.set()

    return made


def shifted(seconds: float, stamps: bool) -> Callable[[Scene], AbstractContextManager[float]]:
    """The nodes' clock jumps, and with `stamps` that of the sensors with it."""

    def stamp(message: Any) -> None:  # noqa: ANN401  (any message class)
        total = message.header.stamp.sec * 10**9 + message.header.stamp.nanosec + round(seconds * 1e9)
        message.header.stamp.sec, message.header.stamp.nanosec = divmod(total, 10**9)

    @contextmanager
    def made(scene: Scene) -> Iterator[float]:
        with changed(copied(stamp) if stamps else lambda: unchanged, "joints", "camera")(scene) as began:
            scene.switches.set(clock=seconds)
            try:
                yield began
            finally:
                scene.switches.set()

    return made
