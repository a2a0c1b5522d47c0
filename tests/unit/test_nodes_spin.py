"""What a node does before it has anything to be in time for."""

from __future__ import annotations

import gc
import inspect
from collections.abc import Iterator

import pytest

from loopwm_ros.nodes import spin


@pytest.fixture
def looked_up(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    """What `inspect` knows of modules' paths: nothing yet."""
    paths: dict[str, str] = {}
    monkeypatch.setattr(inspect, "modulesbyfile", paths)
    monkeypatch.setattr(inspect, "_filesbymodname", {})
    yield paths
    gc.unfreeze()


def test_what_a_first_line_of_log_looks_up_is_looked_up_before(looked_up) -> None:
    spin.settle()
    before = set(looked_up)
    assert spin.__file__ in before
    inspect.stack()  # as rclpy does for each line
    assert set(looked_up) == before
