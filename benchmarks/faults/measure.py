"""Puts a fault into a scene and measures what becomes of it."""

from __future__ import annotations

import time

from benchmarks.faults.catalogue import Fault
from benchmarks.faults.promises import promised
from benchmarks.faults.record import within
from benchmarks.faults.scene import ARM, Scene
from loopwm_ros.bundle import load_bundle
from loopwm_ros.nodes.processes import ProcessError
from loopwm_ros.validation.fault_rows import FaultRow

REST = 3.0  # in which rest is waited for [s]
SETTLE = 0.6  # in which both nodes say in diagnostics how they are [s]
AGAIN = 10.0  # in which the arm must move again [s]


def measure(scene: Scene, fault: Fault) -> FaultRow:
    """One fault, from a swinging arm to one that swings again."""
    scene.swing()
    scene.record.clear()
    with fault.made(scene) as began:
        said = _wait(scene, fault, began)
        ended = time.perf_counter()
    if fault.latched:
        _let_go(scene)
    recovered = _moves(scene)
    shares = scene.record.shares()
    brake, rest = scene.record.braked(began), scene.record.rested(began, ended)
    spec = load_bundle(scene.bundle).manifest.spec
    promise = None if fault.starves else promised(fault.promise, ARM, spec.model_period)
    return FaultRow(
        name=fault.name,
        done=fault.done,
        said=said,
        brake_ms=_milliseconds(None if brake is None or brake > ended else brake - began),
        rest_ms=_milliseconds(None if rest is None else rest - began),
        promised_ms=_milliseconds(promise),
        within_limits=within(shares),
        shares=shares,
        recovery="reset, arm" if fault.latched else "by itself",
        recovered=recovered,
    )


def _wait(scene: Scene, fault: Fault, began: float) -> str:
    """Until the fault has lasted and had its effect; returns what was said about it."""
    heard: dict[str, None] = {}

    def effect() -> bool:
        for name in ("safety", "mpc"):
            if text := scene.said(name):
                heard[f"{name}: {text}"] = None
        last = scene.record.sent[-1]
        heard[": ".join(filter(None, (f"safety: {last.state}", ", ".join(last.reasons))))] = None
        rest = not fault.promise or scene.record.rested(began, time.perf_counter()) is not None
        return rest and any(fault.says in text for text in heard)

    scene.run_for(fault.lasts)
    end = time.perf_counter() + REST
    scene.until(lambda: effect() or time.perf_counter() > end, "an effect")
    telling = [text for text in heard if fault.says and fault.says in text]
    return (telling or list(heard))[-1]


def _let_go(scene: Scene) -> None:
    """Reset a fault, and arm again once at rest."""
    scene.service("reset")
    scene.until(lambda: scene.record.sent[-1].state == "disarmed", "rest after a reset")
    scene.arm()


def _moves(scene: Scene) -> bool:
    try:
        scene.swing(AGAIN)
    except ProcessError:
        return False
    return True


def _milliseconds(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1e3, 1)
