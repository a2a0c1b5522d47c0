"""A trained model read back from its bundle: the ONNX graphs hold every weight that the robot needs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch import Tensor

from loopwm_ros.bundle import Bundle, load_bundle
from loopwm_ros.errors import ConfigError
from loopwm_ros.training import checkpoint, revision
from loopwm_ros.training.continuing import BEFORE, require_start
from loopwm_ros.training.description import Description
from loopwm_ros.training.graphs import graph_modules, random_inputs
from loopwm_ros.training.model import LoopWM
from loopwm_ros.training.parity import LIMIT, graph_error
from loopwm_ros.training.settings import TrainSettings
from loopwm_ros.world_model.signatures import signatures

NORMALISATION = ("proprio_mean", "proprio_std")  # of a spec, taken from recordings
ROWS = 8  # of the inputs that both are compared on


def keep_bundle(start: Path, path: Path, settings: TrainSettings, description: Description) -> Description:
    """Write the weights of the bundle `start` to `path`, for a run with `settings` to begin from.

    Returns the run's description: normalisation is the bundle's, whatever the new recordings are like.

    Raises:
        ConfigError: the bundle's model is another one.
    """
    bundle = load_bundle(start)
    manifest, there = bundle.manifest, settings_of(bundle)
    require_start(start, there, settings)
    normalisation = {name: getattr(manifest.spec, name) for name in NORMALISATION}
    begun = description.model_copy(update={"spec": description.spec.model_copy(update=normalisation)})
    parts = ("arm", "task", "camera", "spec")
    if other := [name for name in parts if getattr(begun, name) != getattr(manifest, name)]:
        raise ConfigError(f"{start} was made for another {', '.join(other)} than these settings are")
    model = model_of(bundle, there)
    path.parent.mkdir(parents=True, exist_ok=True)
    revisions = "".join(f"{one}\n" for one in manifest.provenance.git_revision.split("+"))
    (path.parent / revision.FILE).write_text(revisions, encoding="utf-8")
    metrics = {
        name: value for name, value in manifest.provenance.metrics.items() if not name.startswith(BEFORE)
    }
    state = {"metrics": metrics, "run": manifest.name, "seed": there.seed, "normalisation": normalisation}
    checkpoint.save_tensors(path, model.state_dict(), state)
    return begun


def normalised_as_begun(path: Path, description: Description) -> Description:
    """`description` with the normalisation of the bundle that a run began with, if it began with one."""
    kept = checkpoint.load_tensors(path)[1].get("normalisation", {}) if path.exists() else {}
    changes = {name: tuple(values) for name, values in kept.items()}
    return description.model_copy(update={"spec": description.spec.model_copy(update=changes)})


def settings_of(bundle: Bundle) -> TrainSettings:
    """The settings that the bundle was trained with.

    Raises:
        ConfigError: it does not hold such settings.
    """
    try:
        return TrainSettings.model_validate(bundle.manifest.provenance.config)
    except ValueError as error:
        raise ConfigError(f"{bundle.root} does not say how it was trained: {error}") from error


def model_of(bundle: Bundle, settings: TrainSettings) -> LoopWM:
    """The bundle's model in torch without its policy, compared with its graphs.

    A policy is cloned anew on states of the model that a run ends with.

    Raises:
        ConfigError: a weight is not to be found in the graphs, or the two do not agree.
    """
    spec = bundle.manifest.spec
    model = LoopWM(settings, spec)
    for name, module in graph_modules(model).items():
        if name == "step":  # made of others
            continue
        graph = onnx.load_model_from_string(bundle.graph(name)).graph
        module.load_state_dict(
            {key: _weight(graph, name, key, old) for key, old in module.state_dict().items()}
        )
    _compare(model.eval(), bundle)
    return model


def _weight(graph: onnx.GraphProto, name: str, key: str, old: Tensor) -> Tensor:
    """A parameter by its name; one that the exporter has turned round stands beside its bias."""
    kept = {tensor.name: tensor for tensor in graph.initializer}
    found = kept.get(key)
    if found is None and key.endswith("weight"):
        found = _turned(graph, kept, f"{key.removesuffix('weight')}bias")
    values = None if found is None else np.array(numpy_helper.to_array(found))
    if values is not None and key not in kept:
        values = values.T
    if values is None or values.shape != tuple(old.shape):
        raise ConfigError(f"graph '{name}' holds no '{key}' of shape {tuple(old.shape)}: train from a run")
    return torch.from_numpy(np.ascontiguousarray(values)).to(old.dtype)


def _turned(graph: onnx.GraphProto, kept: dict[str, onnx.TensorProto], bias: str) -> onnx.TensorProto | None:
    """The second operand of the product that `bias` is added to."""
    for node in graph.node:
        if node.op_type == "Add" and bias in node.input:
            (product,) = (name for name in node.input if name != bias)
            made = next((one for one in graph.node if product in one.output), None)
            if made is not None and made.op_type == "MatMul":
                return kept.get(made.input[1])
    return None


def _compare(model: LoopWM, bundle: Bundle) -> None:
    for name in [name for name in bundle.manifest.graphs if name != "policy"]:
        inputs = random_inputs(signatures(bundle.manifest.spec)[name], ROWS, seed=0)
        off = graph_error(model, bundle, name, inputs)
        if not off <= LIMIT:
            raise ConfigError(
                f"{bundle.root}: graph '{name}' and the model read back from it differ by {off:.2g}, at most "
                f"{LIMIT:g}: train from a run"
            )
