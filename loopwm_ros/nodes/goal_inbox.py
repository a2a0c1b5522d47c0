"""A goal that was given, held until the planning thread takes it; says in one sentence why there is none."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

from loopwm_ros.control.goal import GoalSource
from loopwm_ros.control.receding_horizon import RecedingHorizon
from loopwm_ros.errors import LoopWMError
from loopwm_ros.types import F64, Observation

Goal = F64 | Observation  # position in the base frame [m], (3,), or a goal image with its joints
Answer = Callable[[str], None]  # gets why the goal was refused, or an empty string


@dataclass(frozen=True)
class _Given:
    goal: Goal
    name: str  # of what it came from
    answer: Answer


def nobody(_: str) -> None:
    """Nobody waits for the answer."""


class GoalInbox:
    """Callbacks put goals in; whoever may use the model takes the newest one out.

    A goal that is refused changes nothing.
    """

    def __init__(self, source: GoalSource, waiting: str) -> None:
        """`waiting` says what is missing while there is no goal."""
        self._source, self._waiting = source, waiting
        self._lock = threading.Lock()
        self._given: _Given | None = None
        self._taken = False
        self._refusal = ""
        self._present: F64 | None = None
        self._beside = ""

    def put(self, goal: Goal, name: str, answer: Answer = nobody) -> None:
        """Offer a goal that came from `name`; one that nobody has taken yet is replaced."""
        with self._lock:
            before, self._given = self._given, _Given(goal, name, answer)
        if before is not None:
            before.answer("another goal came at the same time")

    def refuse(self, name: str, reason: str) -> None:
        """What came from `name` is no goal."""
        with self._lock:
            self._refusal = f"{name}: {reason}"

    def take(self, horizon: RecedingHorizon) -> None:
        """Hand the newest goal to the controller; call where the controller may be used."""
        with self._lock:
            given, self._given = self._given, None
        if given is None:
            return
        reason = ""
        try:
            if isinstance(given.goal, Observation):
                horizon.show_goal(given.goal)
            else:
                horizon.give_goal(given.goal)
        except LoopWMError as error:
            reason = str(error)
        except Exception as error:  # noqa: BLE001  (the arm keeps the goal it has, and somebody waits for an answer)
            reason = repr(error)
        with self._lock:
            self._refusal = f"{given.name}: {reason}" if reason else ""
            self._taken = self._taken or not reason
        given.answer(reason)

    def planned(self, goal: F64 | None, beside: str = "") -> None:
        """A plan was made for this goal (3,), or for none; `beside` says where it is out of reach."""
        with self._lock:
            self._present, self._beside = goal, beside

    def trouble(self, active: bool) -> str:
        """Why there is no goal, or why the newest one was refused; empty where all is well.

        A goal that is to be seen is missed only while the node is `active`.
        """
        with self._lock:
            if active and self._beside:
                return f"no goal: it is seen {self._beside}"
            missing = active and self._present is None if self._source == "seen" else not self._taken
            if missing:
                return f"no goal: {self._refusal or self._waiting}"
            return self._refusal and f"goal refused: {self._refusal}"

    def values(self) -> dict[str, str]:
        """Diagnostics: where the goal comes from, and where it is in the base frame [m]."""
        with self._lock:
            present = self._present
        where = "" if present is None else " ".join(f"{v:.3f}" for v in present)
        return {"goal_source": self._source, "goal": where}
