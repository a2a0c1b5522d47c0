"""Does a bundle compute what torch computes? Each graph alone, and whole rollouts by the runtime itself.

The encoder is given real observations; the other graphs what they meet after these, and Gaussian noise.
"""

from __future__ import annotations

import numpy as np
import onnxruntime as ort
import torch
from torch import Tensor

from loopwm_ros.bundle import Bundle
from loopwm_ros.errors import ExportError
from loopwm_ros.model_spec import ModelSpec
from loopwm_ros.processing.images import normalise_image
from loopwm_ros.processing.states import chunked, normalise_proprio, spans
from loopwm_ros.training.graphs import graph_modules, random_inputs
from loopwm_ros.training.model import LoopWM, fixed_loops, noise_state
from loopwm_ros.training.sample import RealWindows
from loopwm_ros.types import F32, JointState, Observation
from loopwm_ros.world_model.onnx_model import OnnxWorldModel, ToolKinematics
from loopwm_ros.world_model.settings import WorldModelSettings
from loopwm_ros.world_model.signatures import signatures

LIMIT = 1e-4  # largest error of any output, in its own unit
CONTEXT, CANDIDATES, BATCH = 2, 8, 16
ROLLOUT = "rollout"
Inputs = tuple[Tensor, ...]  # of one graph, batch first


def check_parity(
    model: LoopWM, bundle: Bundle, windows: RealWindows, kinematics: ToolKinematics
) -> dict[str, float]:
    """Max abs error of each graph, and of rollouts from real observations, against torch."""
    model.eval()
    met = rollout_inputs(model, bundle.manifest.spec, windows)
    errors = {name: graph_error(model, bundle, name, inputs) for name, inputs in met.items()}
    for name in sorted({*met} - {"encoder"}):
        drawn = random_inputs(signatures(bundle.manifest.spec)[name], BATCH, seed=1)
        errors[name] = max(errors[name], graph_error(model, bundle, name, drawn))
    runtime = OnnxWorldModel(bundle, kinematics, WorldModelSettings(exit="none", readout_every=1))
    each = [rollout_error(model, runtime, RealWindows(*window)) for window in zip(*windows, strict=True)]
    return {**errors, ROLLOUT: max(each)}


def require_parity(errors: dict[str, float]) -> None:
    """Refuse a bundle that computes something else.

    Raises:
        ExportError: naming every part with an error above the limit.
    """
    if wrong := [f"{name} {error:.2g}" for name, error in errors.items() if not error <= LIMIT]:
        raise ExportError(
            f"the exported graphs differ from the trained model by more than {LIMIT:g}: {', '.join(wrong)}; "
            "the bundle was not kept"
        )


@torch.no_grad()
def rollout_inputs(model: LoopWM, spec: ModelSpec, windows: RealWindows) -> dict[str, Inputs]:
    """What each graph meets along real windows: `CONTEXT` observed steps, then imagined ones."""
    core, count = model.core, len(windows.images)
    observations = _encoder_inputs(spec, windows)
    tokens = model.encoder(*observations)[0].unflatten(0, (count, -1))
    actions = np.pad(windows.actions, ((0, 0), (1, 0), (0, 0)))  # none led to the first
    observed = [slice(step, step + 1) for step in range(CONTEXT)]
    imagined = [slice(CONTEXT + s.start, CONTEXT + s.stop) for s in spans(spec, actions.shape[1] - CONTEXT)]
    state = noise_state(spec, count, torch.Generator().manual_seed(1))
    iterations = 1 if spec.iterate == "parts" else spec.mean_loops  # that share one prelude
    met: dict[str, list[Inputs]] = {name: [] for name in graph_modules(model)}
    for step, span in enumerate([*observed, *imagined]):
        given = tokens[:, step] if step < CONTEXT else torch.zeros_like(state)
        told = torch.from_numpy(chunked(spec, actions[:, span]))
        for whole in {"prelude", "step"} & set(met):
            met[whole].append((state, given, told))
        injected = core.prelude(state, given, told)
        for _ in range(iterations):
            met["block"].append((state, injected))
            state, _ = core.block(state, injected)
        met["coda"].append((state,))
        state = core.coda(state)
        met["heads"].append((state,))
    met["monitor"], met["encoder"] = met["heads"], [observations]
    if model.policy is not None:
        met["policy"] = [(state, _some_goals(model, state)) for (state,) in met["heads"]]
    return {name: tuple(map(torch.cat, zip(*parts, strict=True))) for name, parts in met.items()}


def _some_goals(model: LoopWM, state: Tensor) -> Tensor:
    """Goals (batch, 3) [m]: where the state's first point is, a few centimetres off."""
    offset = 0.05 * torch.randn(len(state), 3, generator=torch.Generator().manual_seed(1))
    return model.heads.locate(state)[:, :3] + offset


@torch.no_grad()
def graph_error(model: LoopWM, bundle: Bundle, name: str, inputs: Inputs) -> float:
    """Max abs error of one graph on these inputs."""
    expected = graph_modules(model)[name](*inputs)
    session = ort.InferenceSession(bundle.graph(name), providers=["CPUExecutionProvider"])
    names = [entry.name for entry in session.get_inputs()]
    got = session.run(None, {key: value.numpy() for key, value in zip(names, inputs, strict=True)})
    expected = (expected,) if isinstance(expected, Tensor) else expected
    return max(float(np.abs(a.numpy() - b).max()) for a, b in zip(expected, got, strict=True))


@torch.no_grad()
def rollout_error(model: LoopWM, runtime: OnnxWorldModel, window: RealWindows) -> float:
    """Max abs error of the read-outs [m] after each imagined step of one window, runtime against torch.

    Candidates as they are rolled out, and one as it is predicted: after every action, within a chunk too.
    """
    spec = runtime.spec
    seen = np.concatenate([np.zeros_like(window.actions[:1]), window.actions[: CONTEXT - 1]])
    horizon = len(window.actions) - CONTEXT + 1
    candidates = np.random.default_rng(0).uniform(-1, 1, (CANDIDATES, horizon, spec.action_dim))
    candidates[0] = window.actions[CONTEXT - 1 :]
    actions = candidates.astype(np.float32)
    state = runtime.initial_state()
    expected = _torch_rollout(model, spec, window, torch.from_numpy(state)[None], seen, actions)
    for observation, action in zip(_observations(spec, window), seen, strict=True):
        state = runtime.update(state, runtime.encode(observation), action)
    rollout, predicted = runtime.rollout(state, actions, 0, None), runtime.predict(state, actions[0])
    rolled = np.abs(rollout.readouts - expected[:, [step - 1 for step in rollout.steps]])
    return float(max(rolled.max(), np.abs(predicted - expected[0]).max()))


def _torch_rollout(
    model: LoopWM, spec: ModelSpec, window: RealWindows, state: Tensor, seen: F32, actions: F32
) -> F32:
    """The same in torch after each action, (candidates, horizon, quantities)."""
    tokens = model.encoder(*(part[:CONTEXT] for part in _encoder_inputs(spec, window)))[0]
    for token, action in zip(tokens, seen, strict=True):
        told = torch.from_numpy(chunked(spec, action[None]))[None]
        state = model.core(state, token[None], told, fixed_loops(spec.mean_loops, 1))
    state, loops = state.repeat(len(actions), 1, 1), fixed_loops(spec.mean_loops, len(actions))
    readouts = []
    for span in spans(spec, actions.shape[1]):
        start = state
        for end in range(span.start + 1, span.stop + 1):
            told = torch.from_numpy(chunked(spec, actions[:, span.start : end]))
            state = model.core(start, torch.zeros_like(start), told, loops)
            readouts.append(model.heads.locate(state))
    return torch.stack(readouts, 1).numpy()


def _encoder_inputs(spec: ModelSpec, windows: RealWindows) -> tuple[Tensor, Tensor]:
    """Normalised images and proprioception of all observations, flat."""
    images = windows.images.reshape(-1, *windows.images.shape[-3:])
    proprio = windows.proprio.reshape(-1, windows.proprio.shape[-1])
    return torch.from_numpy(normalise_image(spec, images)), torch.from_numpy(normalise_proprio(spec, proprio))


def _observations(spec: ModelSpec, window: RealWindows) -> list[Observation]:
    """The first `CONTEXT` observations, as the robot would have them."""
    joints, pairs = len(spec.joints), zip(window.images[:CONTEXT], window.proprio[:CONTEXT], strict=True)
    return [
        Observation(0.0, image, JointState(0.0, vector[:joints], vector[joints : 2 * joints]))
        for image, vector in pairs
    ]
