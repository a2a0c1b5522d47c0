"""Scores episodes by the simulator's truth into a JSON-lines file, the only place that truth goes to."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any, TextIO

from loopwm_ros.bullet.cell import Truth
from loopwm_ros.config import TaskConfig
from loopwm_ros.validation.scoring import EpisodeScore

EVERY = 0.1  # [s] between distances


class ScoreLog:
    """One line about every 0.1 s of an episode that has begun, and one for its result.

    An episode begins with the first command that reaches the arm after `expect`.
    """

    def __init__(self, path: Path, task: TaskConfig) -> None:
        """Write anew to `path`; each line is there for readers at once."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file: TextIO = path.open("w", encoding="utf-8", buffering=1)
        self._task = task
        self._episode: dict[str, int] = {}
        self._score: EpisodeScore | None = None
        self._over = True
        self._next = 0.0

    def expect(self, index: int, seed: int) -> None:
        """A new episode is set up; it has not begun."""
        self._episode = {"episode": index, "seed": seed}
        self._score, self._over, self._next = None, False, 0.0

    def update(self, now: float, truth: Truth, commanded: bool) -> None:
        """Judge the state at `now` [s]; `commanded`: a command has reached the arm this episode."""
        if self._over or not (commanded or self._score):
            return
        if self._score is None:
            self._score = EpisodeScore(self._task, now)
        outcome = self._score.update(now, truth.distance)
        if now >= self._next or outcome:
            self._next = now + EVERY - 1e-6
            tool = [float(v) for v in truth.tool]
            self._write({"stamp": now, "distance": truth.distance, "tool": tool})
        if outcome:
            self._over = True
            self._write(asdict(outcome))

    def close(self) -> None:
        """No more lines."""
        self._file.close()

    def _write(self, fields: dict[str, Any]) -> None:
        self._file.write(json.dumps({**self._episode, **fields}) + "\n")
