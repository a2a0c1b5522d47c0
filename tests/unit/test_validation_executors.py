"""Who runs the episodes: the order of results, and errors that reach the caller as they are."""

from __future__ import annotations

import math
from collections.abc import Iterator

import pytest

from loopwm_ros.config import load_arm
from loopwm_ros.errors import ConfigError, LoopWMError
from loopwm_ros.validation.executors import Executor, Processes, ray_cluster


def test_a_cluster_that_is_not_there_is_named() -> None:
    with pytest.raises(LoopWMError, match=r"no Ray cluster at '127\.0\.0\.1:1'"), ray_cluster("127.0.0.1:1"):
        pass


@pytest.fixture(scope="module", params=["here", "processes", "ray"])
def executor(request: pytest.FixtureRequest) -> Iterator[Executor]:
    if request.param == "ray":
        with ray_cluster("local") as tasks:
            yield tasks
    else:
        yield Processes(1 if request.param == "here" else 2)


def test_results_come_in_the_items_order(executor: Executor) -> None:
    assert list(executor(math.sqrt, [9.0, 1.0, 4.0])) == [3.0, 1.0, 2.0]


def test_an_error_raised_on_purpose_stays_one(executor: Executor) -> None:
    results = executor(load_arm, ["panda", "no_such_arm"])
    assert next(results).name == "panda"
    with pytest.raises(ConfigError, match=r"^no arm 'no_such_arm'; valid: "):
        next(results)
