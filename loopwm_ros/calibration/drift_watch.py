"""What all drift checks together say: the worst of them, and nothing from evidence that is too old."""

from __future__ import annotations

import math
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from loopwm_ros.calibration.drift_limits import Drift, State
from loopwm_ros.errors import SensorError
from loopwm_ros.types import F64, U8, Observation

WORST: tuple[State, ...] = ("block", "warn", "ok", "unknown")


class Looker(Protocol):
    """One way to see a drift."""

    def look(self, image: U8, joints: F64) -> Drift:
        """Look once; a SensorError where nothing can be learned."""
        ...

    def clear(self) -> None:
        """Forget all looks."""
        ...


@dataclass(frozen=True)
class Standing:
    """What is known of the camera now."""

    state: State
    words: str
    values: Mapping[str, str]  # figures by name, for diagnostics


@dataclass
class _Seen:
    drift: Drift | None = None
    at: float = 0.0  # of the last look that taught something [s]
    trouble: str = "nothing was looked at yet"


class DriftWatch:
    """Runs the checks; `look` may run in another thread than the rest."""

    def __init__(self, checks: Mapping[str, Looker], memory: float) -> None:
        """`memory`: what did not block is unknown again after this time without a look [s]."""
        self._checks, self._memory = dict(checks), memory
        self._seen = {name: _Seen() for name in checks}
        self._lock = threading.Lock()

    def replace(self, name: str, check: Looker) -> None:
        """Another check of that name, which has seen nothing."""
        with self._lock:
            self._checks[name], self._seen[name] = check, _Seen()

    def clear(self) -> None:
        """Forget all looks."""
        with self._lock:
            for name, check in self._checks.items():
                check.clear()
                self._seen[name] = _Seen()

    def look(self, observation: Observation, now: float) -> None:
        """Let each check look, at `now` [s]."""
        with self._lock:
            checks = dict(self._checks)
        for name, check in checks.items():
            try:
                drift, trouble = check.look(observation.rgb, observation.joints.position), ""
            except SensorError as error:
                drift, trouble = None, str(error)
            with self._lock:
                if self._checks[name] is check:
                    self._note(self._seen[name], drift, trouble, now)

    def _note(self, seen: _Seen, drift: Drift | None, trouble: str, now: float) -> None:
        seen.trouble = trouble
        if drift is not None:
            seen.drift, seen.at = drift, now

    def standing(self, now: float) -> Standing:
        """What all that was seen says at `now` [s]."""
        with self._lock:
            states = {name: self._state(seen, now) for name, seen in self._seen.items()}
            words = {name: self._words(seen, states[name]) for name, seen in self._seen.items()}
            values = {k: v for name, seen in self._seen.items() for k, v in _values(name, seen, now).items()}
        worst = min(states.values(), key=WORST.index)
        told = "; ".join(f"{name}: {words[name]}" for name, state in states.items() if state == worst)
        return Standing(worst, told, values)

    def state(self, name: str, now: float) -> State:
        """What one check says at `now` [s]; unknown where there is none of that name."""
        with self._lock:
            return self._state(self._seen.get(name, _Seen()), now)

    def _state(self, seen: _Seen, now: float) -> State:
        if seen.drift is None:
            return "unknown"
        old = now - seen.at > self._memory
        return "unknown" if old and seen.drift.state != "block" else seen.drift.state

    def _words(self, seen: _Seen, state: State) -> str:
        known = seen.drift is not None and seen.drift.state == state
        told = seen.drift.words if known and seen.drift is not None else "not seen for long"
        parts = (told if seen.drift is not None else "", seen.trouble if state == "unknown" else "")
        return ", ".join(filter(None, parts))


def _values(name: str, seen: _Seen, now: float) -> dict[str, str]:
    drift = seen.drift
    if drift is None:
        return {f"{name}.trouble": seen.trouble}
    figures = {
        f"{name}.pixels": f"{drift.pixels:.2f}",
        f"{name}.angle_deg": f"{drift.angle:.3f}",
        f"{name}.moved_mm": f"{drift.millimetres:.1f}",
        f"{name}.turned_deg": f"{drift.degrees:.2f}",
    }
    return {
        f"{name}.state": drift.state,
        **(figures if math.isfinite(drift.pixels) else {}),
        f"{name}.age_s": f"{now - seen.at:.1f}",
        f"{name}.trouble": seen.trouble,
    }
