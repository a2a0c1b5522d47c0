"""ONNX Runtime sessions, opened once and checked against the manifest.

Plain `run` is used, not IOBinding: on one core it costs about 5 us more per call, which is 1 % of a
64-candidate block, and it leaves batch sizes free for compaction (benchmarks/README.md).
"""

from __future__ import annotations

from typing import Any

import onnxruntime as ort

from loopwm_ros.bundle import GRAPHS, OPTIONAL_GRAPHS, Bundle
from loopwm_ros.errors import BundleError
from loopwm_ros.types import F32
from loopwm_ros.world_model.graph_file import check_self_contained
from loopwm_ros.world_model.providers import check_provider, providers
from loopwm_ros.world_model.settings import WorldModelSettings
from loopwm_ros.world_model.signatures import check_signature, compare, shapes


class Session:
    """One graph, called with arrays in the order of its manifest.

    Attributes:
        provider: ONNX Runtime's name of what it runs on.
        rows: of all calls so far, summed up; whoever counts operations wants them.
    """

    def __init__(
        self, session: ort.InferenceSession, inputs: tuple[str, ...], outputs: tuple[str, ...]
    ) -> None:
        self._session = session
        self.provider: str = session.get_providers()[0]
        self.rows = 0
        self._inputs = inputs
        self._outputs = list(outputs)

    def __call__(self, *arrays: F32) -> list[F32]:
        """Outputs in the manifest's order; all arrays are float32 and C-contiguous."""
        self.rows += len(arrays[0])
        result: list[F32] = self._session.run(self._outputs, dict(zip(self._inputs, arrays, strict=True)))
        return result


def open_sessions(bundle: Bundle, settings: WorldModelSettings) -> dict[str, Session]:
    """A session for each graph, the optional ones as far as the bundle has them.

    Raises:
        BundleError: a graph does not load, or has other inputs and outputs than the manifest says.
        ConfigError: the execution provider that was asked for is not to be had.
    """
    there = (name for name in OPTIONAL_GRAPHS if name in bundle.manifest.graphs)
    return {name: open_graph(bundle, name, settings, bundle.graph(name)) for name in (*GRAPHS, *there)}


def open_graph(bundle: Bundle, name: str, settings: WorldModelSettings, data: bytes) -> Session:
    """A session for one graph of a bundle: `data` are its bytes, or what was made of them.

    Raises:
        BundleError: it does not load, or has other inputs and outputs than the manifest says.
        ConfigError: the execution provider that was asked for is not to be had.
    """
    entry = bundle.manifest.graphs[name]
    check_signature(name, entry, bundle.manifest.spec)
    check_self_contained(name, data)
    try:
        session = ort.InferenceSession(
            data, session_options(settings.threads), providers=providers(settings.provider)
        )
    except Exception as error:  # ONNX Runtime's own exceptions share no public base
        raise BundleError(f"graph '{name}' ({bundle.root / entry.file}) does not load: {error}") from error
    check_provider("cuda" if settings.provider == "tensorrt" else settings.provider, session.get_providers())
    compare(f"graph '{name}'", "inputs", _shapes(session.get_inputs()), shapes(entry.inputs))
    compare(f"graph '{name}'", "outputs", _shapes(session.get_outputs()), shapes(entry.outputs))
    return Session(session, tuple(t.name for t in entry.inputs), tuple(t.name for t in entry.outputs))


def session_options(threads: int) -> ort.SessionOptions:
    """As every graph is run: `threads` of its own, none of which spins while there is nothing to do."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return options


def _shapes(arguments: list[Any]) -> dict[str, tuple[int | None, ...]]:
    return {a.name: tuple(d if isinstance(d, int) else None for d in a.shape) for a in arguments}
