"""When an object is pushed: free motion, the onset of contact, sustained contact; from labels alone."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from loopwm_ros.training.evaluation.points import Points
from loopwm_ros.training.evaluation.probe import CONTEXT, Probe

PUSHED = 0.001  # an object that goes further in one base step is pushed [m]
STILL = 3  # base steps without, before an onset
PHASES = ("free", "onset", "sustained")
FREE, ONSET, SUSTAINED = range(3)


def phases(probe: Probe, points: Points, chunk: int) -> NDArray[np.int64]:
    """Phase of each whole transition after the observed steps, (windows, transitions).

    A transition that spans an onset is one; else it is sustained contact if anything is pushed in it.
    """
    pushed = pushes(probe, points)
    before = np.stack([pushed[:, CONTEXT - ago : pushed.shape[1] - ago] for ago in range(1, STILL + 1)])
    now = pushed[:, CONTEXT:]
    begins = now & ~before.any(0)
    whole = now.shape[1] // chunk * chunk
    any_begins, any_now = (flags[:, :whole].reshape(len(flags), -1, chunk).any(2) for flags in (begins, now))
    return np.where(any_begins, ONSET, np.where(any_now, SUSTAINED, FREE))


def pushes(probe: Probe, points: Points) -> NDArray[np.bool_]:
    """Whether an object went further than `PUSHED` in the base step to each frame, (windows, steps)."""
    pushed = np.zeros(probe.frames.shape, dtype=bool)
    for columns in points.objects.values():
        way = np.linalg.norm(np.diff(probe.quantities[..., columns], axis=1), axis=2)
        there = probe.known[:, 1:, columns].all(2) & probe.known[:, :-1, columns].all(2)
        pushed[:, 1:] |= (way > PUSHED) & there
    return pushed
