"""What may become of messages on their way."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from sensor_msgs.msg import CompressedImage
from sensor_msgs.msg import JointState as JointStateMessage

from benchmarks.faults.relay import Change, Late, unchanged
from benchmarks.faults.switches import Plans
from loopwm_ros.messages import frame_from_compressed
from loopwm_ros.messages.building import array_sequence
from loopwm_ros.processing.images import encode_image

LOSS = 0.3
LATE = 0.4  # [s]
JUMP = 0.5  # of one joint [rad]


def dropped() -> Change:
    """Nothing comes through."""
    return lambda _: ()


def lost() -> Change:
    """A share of them does not come through."""
    rng = np.random.default_rng(0)
    return lambda message: () if rng.random() < LOSS else ((0.0, message),)


def late(seconds: float) -> Callable[[], Change]:
    """All come so late."""
    return lambda: lambda message: ((seconds, message),)


def thrice() -> Change:
    """Each comes three times."""
    return lambda message: ((0.0, message),) * 3


def swapped() -> Change:
    """Of two in a row the second comes first."""
    held: list[Any] = []

    def change(message: Any) -> Iterable[Late]:  # noqa: ANN401  (any message class)
        if not held:
            held.append(message)
            return ()
        return ((0.0, message), (0.0, held.pop()))

    return change


def copied(alter: Callable[[Any], None]) -> Callable[[], Change]:
    """Each is altered."""

    def change(message: Any) -> Iterable[Late]:  # noqa: ANN401  (any message class)
        altered = copy.deepcopy(message)
        alter(altered)
        return ((0.0, altered),)

    return lambda: change


def _set(message: JointStateMessage, joint: int, value: float) -> None:
    positions = list(message.position)
    positions[joint] = value
    message.position = array_sequence(positions, "d")


def _reverse(message: JointStateMessage) -> None:
    message.name = list(message.name)[::-1]
    message.position = array_sequence(list(message.position)[::-1], "d")
    message.velocity = array_sequence(list(message.velocity)[::-1], "d")


def _unnamed(message: JointStateMessage) -> None:
    message.position = array_sequence(list(message.position)[::-1], "d")


def _picture(make: Callable[[np.ndarray[Any, Any]], np.ndarray[Any, Any]]) -> Callable[[], Change]:
    def alter(message: CompressedImage) -> None:
        message.data = array_sequence(
            np.frombuffer(encode_image(make(frame_from_compressed(message).rgb)), np.uint8), "B"
        )

    return copied(alter)


def frozen() -> Change:
    """The first picture again and again, with new stamps."""
    first: list[Any] = []

    def change(message: CompressedImage) -> Iterable[Late]:
        first.append(message.data)
        del first[1:]
        return ((0.0, CompressedImage(header=message.header, format=message.format, data=first[0])),)

    return change


def stuck() -> Change:
    """The first message again and again, stamp and all."""
    first: list[Any] = []

    def change(message: Any) -> Iterable[Late]:  # noqa: ANN401  (any message class)
        first.append(message)
        del first[1:]
        return ((0.0, first[0]),)

    return change


nan = copied(lambda message: _set(message, 3, math.nan))
jumped = copied(lambda message: _set(message, 0, message.position[0] + JUMP))
reordered = copied(_reverse)
mixed_up = copied(_unnamed)
black = _picture(np.zeros_like)
doubled = _picture(lambda rgb: np.repeat(np.repeat(rgb, 2, axis=0), 2, axis=1))

PLANS: dict[Plans, Callable[[], Change]] = {
    Plans.WELL: lambda: unchanged,
    Plans.LATE: late(LATE),
    Plans.THRICE: thrice,
    Plans.SWAPPED: swapped,
    Plans.LOST: lost,
}
