"""How evenly nodes publish, and how long one waits for another, from the moments at which messages left."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from loopwm_ros.bench.results import StepTiming, TopicTiming
from loopwm_ros.validation.statistics import spread

MS = 1e-6  # of a nanosecond
PAUSE = 10.0  # periods without a message: between two episodes, or before the arm is armed
LEAST = 10  # messages that anything is told of

Moments = NDArray[np.int64]  # at which messages were published, rising [ns]


def topic_timing(node: str, topic: str, sent: Moments) -> TopicTiming | None:
    """Intervals between messages, pauses left out; None of too few.

    The period is the median interval: what a node keeps to, whatever it was told to.
    """
    if len(sent) < LEAST:
        return None
    between = np.diff(sent) * MS
    period = float(np.median(between))
    kept = between[between < PAUSE * period]
    return TopicTiming(
        node=node,
        topic=topic,
        messages=len(sent),
        period_ms=round(period, 3),
        off_ms=spread([float(value) for value in np.abs(kept - period)]),
    )


def step_timing(name: str, causes: Moments, effects: Moments) -> StepTiming | None:
    """From each cause to the next effect, pauses of the effects left out; None of too few."""
    if min(len(causes), len(effects)) < LEAST:
        return None
    following = np.searchsorted(effects, causes, side="right")
    followed = following < len(effects)
    waited = (effects[following[followed]] - causes[followed]) * MS
    period = float(np.median(np.diff(effects))) * MS
    kept = waited[waited < PAUSE * period]
    return StepTiming(step=name, times=len(kept), ms=spread([float(value) for value in kept]))


def timings(
    sent: Mapping[str, Sequence[int]], nodes: Mapping[str, str], steps: Sequence[tuple[str, str, str]]
) -> tuple[tuple[TopicTiming, ...], tuple[StepTiming, ...]]:
    """Of all topics with their moments [ns].

    Args:
        sent: moments by topic, in any order.
        nodes: who publishes each.
        steps: name, topic of the cause, topic of the effect.
    """
    moments = {topic: np.sort(np.array(values, dtype=np.int64)) for topic, values in sent.items()}
    topics = (topic_timing(nodes[topic], topic, values) for topic, values in moments.items())
    between = (step_timing(name, moments[cause], moments[effect]) for name, cause, effect in steps)
    return tuple(filter(None, topics)), tuple(filter(None, between))
