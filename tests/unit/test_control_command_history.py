"""What was sent, as tool positions over time."""

from __future__ import annotations

import numpy as np
import pytest

from loopwm_ros.control.command_history import HISTORY, CommandHistory
from loopwm_ros.control.synchroniser import JUMP


class FirstThree:
    """The tool is where the first three joints say."""

    def tool_position(self, position: np.ndarray) -> np.ndarray:
        return np.asarray(position[:3], dtype=float)


def history() -> CommandHistory:
    made = CommandHistory(FirstThree())
    made.clear(1.0, np.zeros(4))
    return made


def test_between_commands_it_interpolates_and_outside_it_holds() -> None:
    sent = history()
    sent.add(1.1, np.array([1.0, 2.0, 3.0, 9.0]))
    tools = sent.tool_at(np.array([0.0, 1.0, 1.05, 1.1, 7.0]))
    assert np.allclose(tools[:, 1], [0.0, 0.0, 1.0, 2.0, 2.0])
    assert tools.shape == (5, 3)


def test_of_commands_at_one_time_the_last_counts() -> None:
    sent = history()
    sent.add(2.0, np.ones(4))
    sent.add(2.0, np.full(4, 0.5))
    assert np.allclose(sent.tool_at(np.array([1.0, 2.0])), [[0.0] * 3, [0.5] * 3])


def test_a_command_that_is_older_changes_nothing() -> None:
    sent = history()
    sent.add(0.9, np.ones(4))
    assert np.allclose(sent.tool_at(np.array([1.0, 2.0])), 0.0)
    last = sent.last
    assert last is not None
    assert last[0] == 1.0
    assert np.allclose(last[1], 0.0)


def test_clearing_forgets_also_what_is_newer() -> None:
    sent = history()
    sent.add(50.0, np.ones(4))
    sent.clear(2.0, np.full(4, 5.0))
    assert np.allclose(sent.tool_at(np.array([0.0, 50.0])), 5.0)
    sent.add(2.1, np.full(4, 6.0))
    assert np.allclose(sent.tool_at(np.array([2.1])), 6.0)


def test_after_a_clock_that_jumped_back_it_follows_the_new_time() -> None:
    sent = history()
    sent.add(50.0, np.ones(4))
    sent.add(50.0 - JUMP - 0.1, np.full(4, 2.0))
    assert np.allclose(sent.tool_at(np.array([0.0, 50.0])), 2.0)
    last = sent.last
    assert last is not None
    assert last[0] == pytest.approx(50.0 - JUMP - 0.1)


def test_nothing_sent_yet() -> None:
    assert CommandHistory(FirstThree()).last is None


def test_memory_is_bounded_and_the_newest_are_kept() -> None:
    sent = history()
    for i in range(2 * HISTORY):
        sent.add(2.0 + i, np.full(4, float(i)))
    first_kept, last = 2.0 + HISTORY, 2.0 + 2 * HISTORY - 1
    assert np.allclose(sent.tool_at(np.array([0.0, last]))[:, 0], [first_kept - 2.0, last - 2.0])
