"""Scores episodes by the simulator's truth into a JSON-lines file, the only place that truth goes to."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from loopwm_ros.bullet.cell import Truth
from loopwm_ros.bullet.disturb import Disturbance
from loopwm_ros.config import TaskConfig
from loopwm_ros.nodes.json_lines import LineWriter
from loopwm_ros.validation.scoring import EpisodeScore
from loopwm_ros.validation.stage import settled

EVERY = 0.1  # [s] between distances


class ScoreLog:
    """One line about every 0.1 s of an episode that has begun, and one for its result."""

    def __init__(self, path: Path, task: TaskConfig) -> None:
        """Write anew to `path`; each line is there for readers soon."""
        self._writer = LineWriter(path)
        self._task = task
        self._episode: dict[str, int] = {}
        self._disturbance: Disturbance | None = None
        self._score: EpisodeScore | None = None
        self._over = True
        self._next = 0.0

    def expect(self, index: int, seed: int, disturbance: Disturbance | None = None) -> None:
        """A new episode is set up; it begins with the next `update`."""
        self._disturbance = disturbance
        self._episode = {"episode": index, "seed": seed}
        self._score, self._over, self._next = None, False, 0.0

    def update(self, now: float, truth: Truth) -> None:
        """Judge the state at `now` [s]."""
        if self._over:
            return
        if self._score is None:
            self._score = EpisodeScore(self._task, now, settled(self._disturbance))
        outcome = self._score.update(now, truth.distance)
        if now >= self._next or outcome:
            self._next = now + EVERY - 1e-6
            points = {name: point.tolist() for name, point in truth.points.items()}
            tool = truth.tool.tolist()
            self._write({"stamp": now, "distance": truth.distance, "tool": tool, "points": points})
        if outcome:
            self._over = True
            disturbed = self._disturbance and {
                "disturbance": self._disturbance.name,
                "disturbed_at": self._disturbance.at,
            }
            self._write({**asdict(outcome), **(disturbed or {})})

    def close(self) -> None:
        """No more lines."""
        self._writer.close()

    def _write(self, fields: dict[str, Any]) -> None:
        self._writer.put({**self._episode, **fields})
