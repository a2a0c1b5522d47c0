"""What mpc, monitor, calibration and safety tell each other ten times a second: that they live, as what."""

from __future__ import annotations

import time
import uuid

from diagnostic_msgs.msg import DiagnosticStatus, KeyValue

MPC_TOPIC = "/mpc/state"
MONITOR_TOPIC = "/monitor/state"
SAFETY_TOPIC = "/safety/state"
CALIBRATION_TOPIC = "/calibration/state"
PERIOD = 0.1  # [s]
TIMEOUT = 0.5  # silence after which the other one counts as gone [s]
INSTANCE = "instance"  # value that tells a process from another one of the same name
OURS = uuid.uuid4().hex  # instance of this process
WORDS = "words"  # value of calibration's: what its state means
ARM = "arm"  # value of calibration's: whose camera it looks through
BUNDLE = "bundle_sha256"  # value of mpc's: what it plans with; empty while it is not configured
RATE = "control_rate"  # value of mpc's: commands a second


def beat(name: str, state: str, hardware: str = "", **values: str) -> DiagnosticStatus:
    """One heartbeat of this process."""
    told = {INSTANCE: OURS, **values}
    pairs = [KeyValue(key=key, value=value) for key, value in told.items()]
    return DiagnosticStatus(name=name, hardware_id=hardware, message=state, values=pairs)


class Heard:
    """The other node's newest heartbeat."""

    def __init__(self, topic: str) -> None:
        self.topic, self._at = topic, -float("inf")
        self._rivals_at = -float("inf")
        self._values: dict[str, str] = {}
        self._former: set[str] = set()  # instances that another one has followed
        self.state = ""

    def hear(self, beat: DiagnosticStatus) -> None:
        """A heartbeat has come."""
        before, self._at, self.state = self.value(INSTANCE), time.perf_counter(), beat.message
        self._values = {pair.key: pair.value for pair in beat.values}
        instance = self.value(INSTANCE)
        if instance in self._former:
            self._rivals_at = self._at
            self._former.discard(instance)
        if before and instance != before:
            self._former.add(before)

    @property
    def alive(self) -> bool:
        """Has it been heard lately?"""
        return time.perf_counter() - self._at <= TIMEOUT

    @property
    def instance(self) -> str:
        """Which process it is; empty where it is silent, or does not say."""
        return self.value(INSTANCE) if self.alive else ""

    @property
    def rivals(self) -> bool:
        """Are there two of that name? One that was followed by another has spoken again."""
        return time.perf_counter() - self._rivals_at <= TIMEOUT

    @property
    def known(self) -> bool:
        """Has it ever been heard?"""
        return self._at > -float("inf")

    def value(self, key: str) -> str:
        """A value that it sent; empty where it sent none."""
        return self._values.get(key, "")
