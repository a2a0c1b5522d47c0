"""The peers as things to time: what one plan of each computes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import onnxruntime as ort
import torch

from loopwm_ros.bundle import Tensor
from loopwm_ros.model_spec import ModelSpec
from loopwm_ros.training.evaluation.flops import counted
from loopwm_ros.training.graph_flops import graph_flops
from loopwm_ros.training.graphs import to_onnx
from loopwm_ros.training.peers.tdmpc2 import SIZES, Search, TdMpc2
from loopwm_ros.training.peers.transformer import LAYERS, FixedTransformer
from loopwm_ros.world_model.sessions import Session, session_options


@dataclass(frozen=True)
class Peer:
    """A workload with its sizes."""

    name: str
    what: str
    parameters: int
    flop: int
    plan: Callable[[], object]


@dataclass(frozen=True)
class Form:
    """In which a PyTorch model is run."""

    suffix: str  # of the peer's name
    dtype: torch.dtype
    compiled: bool = False

    def __str__(self) -> str:
        """As it stands in tables."""
        return f"{'compiled' if self.compiled else 'eager'} PyTorch, {str(self.dtype).removeprefix('torch.')}"


EAGER = (Form("", torch.float32), Form("_bf16", torch.bfloat16))
COMPILED = Form("_compiled", torch.bfloat16, compiled=True)


def peers(
    spec: ModelSpec, candidates: int, horizon: int, refinements: int, compiled: bool = False
) -> list[Peer]:
    """TD-MPC2 at two sizes, and a transformer that imagines as many futures, as far, as often as given.

    Torch is kept to one thread, as ours is. `compiled`: TD-MPC2 by torch.compile, too, its first plan then
    takes minutes.
    """
    torch.set_num_threads(1)
    forms = (*EAGER, COMPILED) if compiled else EAGER
    found = [_tdmpc2(name, form, spec.action_dim) for name in SIZES for form in forms]
    return [*found, _transformer(spec, candidates, horizon, refinements)]


def _tdmpc2(name: str, form: Form, action_dim: int) -> Peer:
    torch.manual_seed(0)
    model, search = TdMpc2(SIZES[name], action_dim).eval().to(form.dtype), Search()
    state = torch.rand(1, model.latent, dtype=form.dtype)
    mean = torch.zeros(search.horizon, action_dim, dtype=form.dtype)
    flop = counted(lambda: model.plan(state, mean))
    run = torch.compile(model.plan, dynamic=False) if form.compiled else model.plan
    sizes = f"{search.samples} samples, horizon {search.horizon}, {search.iterations} iterations"
    return Peer(
        f"tdmpc2_{name}{form.suffix}", f"{sizes}; {form}", _size(model), flop, lambda: run(state, mean)
    )


def _transformer(spec: ModelSpec, candidates: int, horizon: int, refinements: int) -> Peer:
    torch.manual_seed(0)
    model = FixedTransformer(spec).eval()
    state, action = _tensor("state", spec.tokens, spec.width), _tensor("action", spec.action_dim)
    graph = to_onnx(model, ((state, action), (_tensor("next", spec.tokens, spec.width),)))
    inner = ort.InferenceSession(graph, session_options(1), providers=["CPUExecutionProvider"])
    session = Session(inner, ("state", "action"), ("next",))
    random = np.random.default_rng(0)
    start = random.standard_normal((candidates, spec.tokens, spec.width), dtype=np.float32)
    told = random.uniform(-1, 1, (horizon, candidates, spec.action_dim)).astype(np.float32)

    def plan() -> None:
        for _ in range(refinements):
            states = start
            for actions in told:
                (states,) = session(states, actions)

    sizes = f"{candidates} candidates, {horizon} actions, {refinements} refinements"
    what = f"{LAYERS} layers, {sizes}; ONNX Runtime"
    flop = graph_flops(graph) * candidates * horizon * refinements
    return Peer(f"transformer_{LAYERS}", what, _size(model), flop, plan)


def _tensor(name: str, *shape: int) -> Tensor:
    return Tensor(name=name, shape=(None, *shape))


def _size(model: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())
