"""Puts a fault into a scene and measures what becomes of it."""

from __future__ import annotations

import math
import re
import time

from benchmarks.faults.catalogue import Fault
from benchmarks.faults.promises import promised
from benchmarks.faults.record import within
from benchmarks.faults.scene import ARM, Scene
from loopwm_ros.bundle import load_bundle
from loopwm_ros.nodes.processes import ProcessError
from loopwm_ros.validation.fault_rows import FaultRow

REST = 3.0  # in which rest is waited for [s]
STANDING = 0.1  # after which standing still is rest, and no moment between two motions [s]
AWARE = 0.3  # in which a cause that is still there is noticed [s]
AGAIN = 10.0  # in which the arm must move again [s]


def measure(scene: Scene, fault: Fault) -> FaultRow:
    """One fault, from a swinging arm to one that swings again."""
    scene.swing()
    scene.record.clear()
    with fault.made(scene) as began:
        heard = _wait(scene, fault, began)
        ended = time.perf_counter()
    if fault.latched:
        _let_go(scene)
    still = _moves(scene)
    shares = scene.record.shares()
    brake, rest = scene.record.braked(began, ended, fault.says), scene.record.rested(began, ended)
    said = heard or ", ".join(scene.record.reasons(began, ended)) or "nothing"
    spec = load_bundle(scene.bundle).manifest.spec
    promise = None if fault.starves else promised(fault.promise, ARM, spec.model_period)
    return FaultRow(
        name=fault.name,
        done=fault.done,
        said=(f"{said}; afterwards {still}" if still else said).replace(str(scene.folder), "FOLDER"),
        brake_ms=_milliseconds(None if brake is None else brake - began),
        rest_ms=_milliseconds(None if rest is None else rest - began),
        promised_ms=_milliseconds(promise),
        within_limits=within(shares),
        shares=shares,
        recovery=fault.cure or ("reset, arm" if fault.latched else "by itself"),
        recovered=not still,
    )


def _wait(scene: Scene, fault: Fault, began: float) -> str:
    """Until the fault has lasted and had its effect; returns what was said about it."""
    heard: dict[str, None] = {}
    least, most = time.perf_counter() + fault.lasts, time.perf_counter() + fault.lasts + REST

    def over() -> bool:
        now, last = time.perf_counter(), scene.record.sent[-1]
        said = [f"{name}: {scene.said(name)}" for name in ("safety", "mpc")]
        said.append(f"safety: {last.state}: {', '.join(last.reasons)}")
        heard.update(dict.fromkeys(text for text in said if fault.says and re.search(fault.says, text)))
        rest = scene.record.rested(began, now) if fault.promise else -math.inf
        rests = rest is not None and now > rest + STANDING
        return now > most or (now > least and rests and bool(heard or not fault.says))

    wait = scene.until if fault.promise else scene.swing_until  # what stops the arm must do so on its way
    wait(over, "an effect")
    return next(iter(heard), "")


def _let_go(scene: Scene) -> None:
    """Reset a fault and arm again, as often as it takes: not all nodes see at once that its cause is gone."""

    def armed() -> bool:
        scene.service("reset")
        scene.until(lambda: scene.record.sent[-1].state in ("disarmed", "fault"), "rest after a reset")
        if not scene.arms():
            return False
        scene.run_for(AWARE)
        return scene.record.sent[-1].state == "armed"

    try:
        scene.until(armed, "a reset and arming")
    except ProcessError as error:
        raise ProcessError(f"{error}: {scene.refusal or scene.said('safety')}") from error


def _moves(scene: Scene) -> str:
    """Why the arm does not move again; empty if it does."""
    try:
        scene.swing(AGAIN)
    except ProcessError:
        return f"safety: {scene.said('safety')}; mpc: {scene.said('mpc')}"
    return ""


def _milliseconds(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1e3, 1)
