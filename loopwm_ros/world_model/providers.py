"""Where ONNX Runtime computes: what was asked for, what there is, and no silent fall back."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnxruntime as ort

from loopwm_ros.errors import ConfigError
from loopwm_ros.world_model.settings import Provider

CPU, CUDA, TENSORRT = "CPUExecutionProvider", "CUDAExecutionProvider", "TensorrtExecutionProvider"
NAMES = {"cpu": CPU, "cuda": CUDA, "tensorrt": TENSORRT}
ENGINES = Path.home() / ".cache" / "loopwm_ros" / "tensorrt"  # built once for each machine, in minutes


@dataclass(frozen=True)
class Target:
    """A device for whole rollouts.

    Attributes:
        providers: of ONNX Runtime, with their options.
        device: ONNX Runtime's name of the memory that inputs and outputs are bound in.
        wanted: the provider that has to be in use.
    """

    providers: list[str | tuple[str, dict[str, Any]]]
    device: str
    wanted: Provider

    def check(self, got: list[str]) -> None:
        """Refuse another provider than was asked for.

        Raises:
            ConfigError: saying what is in use and what would help.
        """
        check_provider(self.wanted, got)


def chosen(wanted: Provider) -> Provider:
    """What `auto` stands for on this machine: CUDA where ONNX Runtime has it, else the CPU."""
    if wanted != "auto":
        return wanted
    return "cuda" if CUDA in ort.get_available_providers() else "cpu"


def providers(wanted: Provider) -> list[str]:
    """For graphs that are called one at a time, from the host; TensorRT is not worth its building there."""
    return [CPU] if chosen(wanted) == "cpu" else [CUDA, CPU]


def target(wanted: Provider, half: bool) -> Target | None:
    """For whole rollouts; None on the CPU, where early exit does more. `half`: with weights of 16 bits."""
    on = chosen(wanted)
    if on == "cpu":
        return None
    replayed = (CUDA, {"enable_cuda_graph": "1"})
    if on == "cuda":
        return Target([replayed], "cuda", on)
    ENGINES.mkdir(parents=True, exist_ok=True)
    options = {
        "trt_cuda_graph_enable": "1",
        "trt_fp16_enable": str(int(half)),
        "trt_engine_cache_enable": "1",
        "trt_engine_cache_path": str(ENGINES),
        "trt_timing_cache_enable": "1",
        "trt_timing_cache_path": str(ENGINES),
    }
    return Target([(TENSORRT, options), (CUDA, {})], "cuda", on)


def check_provider(wanted: Provider, got: list[str]) -> None:
    """Refuse the silent fall back to the CPU.

    Raises:
        ConfigError: a GPU was asked for and is not in use.
    """
    if wanted == "auto" or NAMES[wanted] in got:
        return
    there = ort.get_available_providers()
    name = NAMES[wanted]
    if name not in there:
        why = (
            f"this ONNX Runtime {ort.__version__} has {', '.join(there)}: install onnxruntime-gpu in place of"
        )
        why += " onnxruntime"
    else:
        why = "it is built in, but did not load: its CUDA, cuDNN or TensorRT do not match what is installed"
        why += f" (ONNX Runtime {ort.__version__}; its log above names the missing library)"
    raise ConfigError(f"provider '{wanted}' is not available: {why}. Or set provider to auto, or to cpu")
