"""Quality of service, by what a topic carries."""

from __future__ import annotations

from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSProfile, ReliabilityPolicy


def _profile(depth: int, reliability: ReliabilityPolicy, durability: DurabilityPolicy) -> QoSProfile:
    return QoSProfile(
        history=HistoryPolicy.KEEP_LAST, depth=depth, reliability=reliability, durability=durability
    )


# Only the newest sample matters and a late one is worthless: sensors, /clock.
SENSOR = _profile(1, ReliabilityPolicy.BEST_EFFORT, DurabilityPolicy.VOLATILE)

# The newest command must arrive, whatever the reader asks for: plans, controller topics.
COMMAND = _profile(1, ReliabilityPolicy.RELIABLE, DurabilityPolicy.VOLATILE)

# What a viewer or a log wants whole: diagnostics, markers.
REPORT = _profile(10, ReliabilityPolicy.RELIABLE, DurabilityPolicy.VOLATILE)

# Sensor publishers offer reliable, so that both kinds of reader match.
SENSOR_SOURCE = _profile(1, ReliabilityPolicy.RELIABLE, DurabilityPolicy.VOLATILE)

# Late joiners get the last message: static transforms.
LATCHED = _profile(1, ReliabilityPolicy.RELIABLE, DurabilityPolicy.TRANSIENT_LOCAL)
