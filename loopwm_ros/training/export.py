"""A trained run as a model bundle: graphs, manifest, parity check."""

from __future__ import annotations

import platform
import shutil
from dataclasses import dataclass
from datetime import datetime, timezone
from importlib import metadata
from pathlib import Path

from loopwm_ros.bundle import (
    FORMAT,
    GRAPHS,
    Bundle,
    Graph,
    Manifest,
    Provenance,
    load_bundle,
    sha256_of,
    write_manifest,
)
from loopwm_ros.errors import ExportError
from loopwm_ros.training.graphs import graph_modules, to_onnx
from loopwm_ros.training.parity import check_parity, require_parity
from loopwm_ros.training.run import Trained
from loopwm_ros.world_model.onnx_model import ToolKinematics
from loopwm_ros.world_model.signatures import signatures

PACKAGES = ("numpy", "onnx", "onnxruntime", "torch")


@dataclass(frozen=True)
class Exported:
    """A bundle and how exactly it computes what torch does."""

    bundle: Bundle
    errors: dict[str, float]  # max abs error by graph, and of whole rollouts


def export_bundle(run: Trained, kinematics: ToolKinematics, out: Path) -> Exported:
    """Write a bundle at `out`, which must not exist; it stays only if it computes what torch does.

    Raises:
        ExportError: `out` exists, or the graphs differ from the model.
    """
    if out.exists():
        raise ExportError(f"{out} exists already; remove it or name another folder")
    partial = out.with_name(f".{out.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        manifest = _manifest(run, _write_graphs(run, partial))
        errors = check_parity(run.model, write_manifest(partial, manifest), run.windows, kinematics)
        require_parity(errors)
        write_manifest(partial, manifest.model_copy(update={"parity": errors}))
        partial.rename(out)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return Exported(load_bundle(out), errors)


def _write_graphs(run: Trained, root: Path) -> dict[str, Graph]:
    expected, graphs = signatures(run.description.spec), {}
    for name, module in graph_modules(run.model).items():
        data, (inputs, outputs) = to_onnx(module, expected[name]), expected[name]
        file = f"{name}.onnx"
        (root / file).write_bytes(data)
        graphs[name] = Graph(file=file, sha256=sha256_of(data), inputs=inputs, outputs=outputs)
    assert set(graphs) >= set(GRAPHS)
    return graphs


def _manifest(run: Trained, graphs: dict[str, Graph]) -> Manifest:
    settings, description = run.settings, run.description
    return Manifest(
        format=FORMAT,
        name=settings.name,
        arm=description.arm,
        task=description.task,
        camera=description.camera,
        spec=description.spec,
        graphs=graphs,
        parity={},
        provenance=Provenance(
            git_revision=run.git_revision,
            data_sha256=description.data_sha256,
            created=datetime.now(timezone.utc).isoformat(timespec="seconds"),
            versions=_versions(),
            metrics=run.metrics,
            config=settings.model_dump(mode="json"),
        ),
    )


def _versions() -> dict[str, str]:
    packages = {name: metadata.version(name) for name in PACKAGES}
    return {"python": platform.python_version(), "loopwm_ros": _own_version(), **packages}


def _own_version() -> str:
    try:
        return metadata.version("loopwm_ros")
    except metadata.PackageNotFoundError:
        return "source tree"
