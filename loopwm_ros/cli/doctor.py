"""`loopwm doctor`: is all there that the nodes need, and does it fit together?"""

from __future__ import annotations

import importlib
import os
import shutil
import sys
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator
from importlib.metadata import distributions
from pathlib import Path
from typing import Annotated

import typer

from loopwm_ros.cli.check_table import print_checks
from loopwm_ros.errors import LoopWMError
from loopwm_ros.validation.checks import Check

SEGMENT = 16 * 2**20  # shared memory of one process in config/fastdds.xml [bytes]
PROCESSES = 4  # sim, safety, mpc and the one that watches
CPUS = 2


def doctor(
    bundle: Annotated[Path | None, typer.Option(help="Model bundle; default: all in models/.")] = None,
) -> None:
    """Check this machine's set-up; exit status 1 if something needed is missing."""
    if not print_checks("loopwm doctor", check(bundle)):
        raise typer.Exit(1)


def check(bundle: Path | None) -> Iterator[Check]:
    """All checks."""
    yield _python()
    yield _cpus()
    yield from _ros()
    yield _shared_memory(Path("/dev/shm"))  # noqa: S108  (where Fast DDS keeps its segments)
    yield from _onnxruntime()
    for engine in ("pybullet", "mujoco"):
        yield _imported(engine, "pip install 'loopwm_ros[sim]'")
    yield from _bundles(bundle)


def _python() -> Check:
    version = ".".join(map(str, sys.version_info[:3]))
    return Check("Python", sys.version_info >= (3, 10), version, "use Python 3.10 or newer")


def _cpus() -> Check:
    count = len(os.sched_getaffinity(0))
    fix = f"real time needs {CPUS} cores; use --lockstep here"
    return Check("CPU cores", count >= CPUS, str(count), fix)


def _imported(module: str, fix: str) -> Check:
    try:
        importlib.import_module(module)
    except ImportError as error:
        return Check(module, False, f"cannot be imported: {error}", fix)
    return Check(module, True, "imported")


def _ros() -> Iterator[Check]:
    row = _imported("rclpy", "source a ROS 2 distribution, or pip install 'loopwm_ros[ros]'")
    yield row
    if row.good:
        rclpy = importlib.import_module("rclpy")
        yield _attempt("ROS middleware", lambda: str(rclpy.get_rmw_implementation_identifier()))
        yield _attempt("Fast DDS profile", _profile)
        yield _discovery()
        yield _security()


def _attempt(name: str, look: Callable[[], str]) -> Check:
    """A row of what `look` finds; what it raises is what to do."""
    try:
        return Check(name, True, look())
    except (LoopWMError, OSError, RuntimeError, ET.ParseError, ValueError) as error:
        return Check(name, False, "not usable", str(error))


def _profile() -> str:
    from loopwm_ros.nodes.environment import fastdds_profile, profile_variable

    set_by_user = os.environ.get(profile_variable())
    path = Path(set_by_user or fastdds_profile())
    sizes = [int(e.text or 0) for e in ET.parse(path).iter() if e.tag.endswith("segment_size")]  # noqa: S314
    if max(sizes, default=0) < SEGMENT:
        ours = f"{profile_variable()}={fastdds_profile()}"
        raise ValueError(f"{path} sets no shared memory of {SEGMENT} bytes a process; export {ours}")
    return f"{path} ({'set' if set_by_user else 'set by our nodes; elsewhere export'} {profile_variable()})"


def _discovery() -> Check:
    """Who finds our nodes."""
    from loopwm_ros.nodes.environment import LOCAL, is_local, local_discovery

    settings = {**os.environ, **local_discovery()}
    found = " ".join(f"{name}={settings[name]}" for name in LOCAL if settings.get(name))
    if is_local():
        return Check("discovery", True, f"this machine only: {found}")
    fix = "whoever is on that network may command the arm; unset it, or set up SROS 2 (docs/security.md)"
    return Check("discovery", True, f"other machines, too: {found}", fix, warning=True)


def _security() -> Check:
    """Is DDS Security on, and does it refuse those without a certificate?"""
    enabled = os.environ.get("ROS_SECURITY_ENABLE") == "true"
    strategy = os.environ.get("ROS_SECURITY_STRATEGY", "")
    if not enabled:
        return Check("SROS 2", True, "off: every process that finds our nodes is trusted")
    fix = "set ROS_SECURITY_STRATEGY=Enforce: otherwise a node without keys starts unprotected"
    found = f"on, keys in {os.environ.get('ROS_SECURITY_KEYSTORE', '?')}, {strategy or 'Permissive'}"
    return Check("SROS 2", True, found, fix, warning=strategy != "Enforce")


def _shared_memory(folder: Path) -> Check:
    if not folder.is_dir():
        return Check(
            "shared memory", False, f"no {folder}", "mount a tmpfs there; images then travel by UDP only"
        )
    free, needed = shutil.disk_usage(folder).free, PROCESSES * SEGMENT
    fix = f"give {folder} {needed // 2**20} MB (docker: --shm-size)"
    return Check("shared memory", free >= needed, f"{free // 2**20} MB free", fix)


def _onnxruntime() -> Iterator[Check]:
    wheels = sorted(d.name for d in distributions() if d.name in ("onnxruntime", "onnxruntime-gpu"))
    row = _imported("onnxruntime", "pip install 'loopwm_ros[cpu]' or 'loopwm_ros[gpu]'")
    yield row
    if not row.good:
        return
    if len(wheels) > 1:
        yield Check(
            "ONNX Runtime wheel",
            False,
            " and ".join(wheels),
            f"pip uninstall {wheels[0]}, reinstall the other",
        )
        return
    providers = importlib.import_module("onnxruntime").get_available_providers()
    gpu = "onnxruntime-gpu" in wheels
    good = not gpu or "CUDAExecutionProvider" in providers
    fix = "CUDA does not load: install a matching CUDA and cuDNN, or 'loopwm_ros[cpu]'"
    yield Check("ONNX Runtime providers", good, ", ".join(providers), fix)


def _bundles(bundle: Path | None) -> Iterator[Check]:
    from loopwm_ros.bundle import load_bundle
    from loopwm_ros.config import share_dir

    models = share_dir() / "models"
    found = [bundle] if bundle else sorted(p for p in models.glob("*") if p.is_dir())
    if not found:
        yield Check("model bundle", False, f"none in {models}", "make one: make bundle")
    for path in found:
        yield _attempt(f"bundle {path.name}", lambda path=path: f"sha256 {load_bundle(path).sha256[:12]}")  # type: ignore[misc]
