"""Building and reading `/diagnostics`."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum

from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue

TOPIC = "/diagnostics"
PERIOD = 0.5  # [s] between heartbeats
MONITOR = "monitor"  # name of the monitor node's status
SAFETY = "safety"  # name of the safety node's status ...
REASONS = "reasons"  # ... and its value that says why the plan is not followed, with ...
BETWEEN = ", "  # ... this between two reasons


class Level(Enum):
    """Severity of a status."""

    OK = DiagnosticStatus.OK
    WARN = DiagnosticStatus.WARN
    ERROR = DiagnosticStatus.ERROR


def heartbeat(
    stamp: Time, name: str, hardware: str, level: Level, message: str, values: Mapping[str, str]
) -> DiagnosticArray:
    """One status of node `name` for arm `hardware`."""
    status = DiagnosticStatus(
        level=level.value,
        name=name,
        message=message,
        hardware_id=hardware,
        values=[KeyValue(key=k, value=v) for k, v in values.items()],
    )
    array = DiagnosticArray(status=[status])
    array.header.stamp = stamp
    return array


def values_of(array: DiagnosticArray, name: str) -> dict[str, str] | None:
    """Values of the status `name`; None when the message holds no such status."""
    for status in array.status:
        if status.name == name:
            return {pair.key: pair.value for pair in status.values}
    return None
