"""The trained modules as ONNX graphs, with the signatures that the runtime expects."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import onnx
import torch
from torch import Tensor, nn

from loopwm_ros.training.core import LoopedCore
from loopwm_ros.training.model import Core, LoopWM
from loopwm_ros.world_model.signatures import Signature

OPSET = 18
EXAMPLE_BATCH = 3  # above 1, or the exporter takes the batch axis for a constant


class WholeStep(nn.Module):
    """Prelude, block and coda as one graph, for iterations that call all of them: once in place of thrice."""

    def __init__(self, core: Core) -> None:
        super().__init__()
        self.prelude, self.block, self.coda = core.prelude, core.block, core.coda

    def forward(self, state: Tensor, tokens: Tensor, action: Tensor) -> tuple[Tensor, Tensor]:
        """Next state (batch, tokens, width) and the block's gate (batch,)."""
        following, gate = self.block(state, self.prelude(state, tokens, action))
        return self.coda(following), gate


def graph_modules(model: LoopWM) -> dict[str, nn.Module]:
    """The module behind each graph of a bundle."""
    core = model.core
    modules: dict[str, nn.Module] = {
        "encoder": model.encoder,
        "prelude": core.prelude,
        "block": core.block,
        "coda": core.coda,
        "heads": model.heads,
        "monitor": model.monitor,
    }
    if not (isinstance(core, LoopedCore) and core.most > 1):
        modules["step"] = WholeStep(core)
    return modules if model.policy is None else {**modules, "policy": model.actor}


def random_inputs(signature: Signature, batch: int, seed: int) -> tuple[torch.Tensor, ...]:
    """Gaussian inputs of a graph."""
    generator = torch.Generator().manual_seed(seed)
    shapes = [tuple(batch if size is None else size for size in entry.shape) for entry in signature[0]]
    return tuple(torch.randn(shape, generator=generator) for shape in shapes)


def to_onnx(module: nn.Module, signature: Signature) -> bytes:
    """One graph with a dynamic batch axis and its weights inside; `module` is on the CPU."""
    inputs, outputs = ([entry.name for entry in side] for side in signature)
    example = random_inputs(signature, EXAMPLE_BATCH, seed=0)
    batch = torch.export.Dim("batch", min=1)
    with _quiet(), torch.no_grad():
        program = torch.onnx.export(
            module.eval(),
            example,
            input_names=inputs,
            output_names=outputs,
            dynamic_shapes=tuple({0: batch} for _ in example),
            opset_version=OPSET,
            dynamo=True,
            optimize=True,
            verbose=False,
        )
    assert program is not None
    graph = onnx.load_model_from_string(program.model_proto.SerializeToString())
    _strip(graph)
    onnx.checker.check_model(graph, full_check=True)
    return bytes(graph.SerializeToString(deterministic=True))


def _strip(model: onnx.ModelProto) -> None:
    """Drop the exporter's notes: stack traces with paths of this machine, a third of the file."""
    graph = model.graph
    del model.metadata_props[:]
    noted = (graph, *graph.node, *graph.input, *graph.output, *graph.value_info, *graph.initializer)
    for part in noted:
        part.doc_string = ""
        del part.metadata_props[:]


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the exporter's remarks on its own deprecations out of the console."""
    disabled = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(disabled)
