"""A certificate of a validation that went well."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

from loopwm_ros.config import ArmConfig, load_arm
from loopwm_ros.validation.certificate import Certificate, GapLimit, PartResult, arm_sha256, checked

BUNDLE = "b" * 64
SUITE = "5" * 64
TASK = "7" * 64


def certificate(arm: ArmConfig | None = None, **changes: Any) -> Certificate:
    """Passed by default; `changes` replace fields."""
    arm = arm or load_arm("panda")
    fields: dict[str, Any] = {
        "bundle": "panda_reach",
        "bundle_sha256": BUNDLE,
        "arm": arm.name,
        "arm_sha256": arm_sha256(arm),
        "task": "reach",
        "task_sha256": TASK,
        "suite": "reach",
        "suite_sha256": SUITE,
        "passed": True,
        "checks": (checked("nominal.success", "success rate", 0.95, "at least", 0.9),),
        "parts": (
            PartResult(name="nominal", episodes=20, success=19, success_rate=0.95, wilson95=(0.76, 0.99)),
        ),
        "gaps": (
            GapLimit(
                name="tool", unit="m", step=1, offset_s=0.1, samples=400, p50=0.002, p99=0.01, limit=0.02
            ),
        ),
        "versions": {"python": "3.11.7"},
        "git_revision": "0" * 40,
        "created": datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone.utc),
    }
    return Certificate(**{**fields, **changes})
