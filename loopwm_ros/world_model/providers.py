"""Where ONNX Runtime computes: what was asked for, what there is, and no silent fall back."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnxruntime as ort

from loopwm_ros.errors import ConfigError
from loopwm_ros.world_model.settings import Provider

CPU, CUDA, TENSORRT = "CPUExecutionProvider", "CUDAExecutionProvider", "TensorrtExecutionProvider"
Listed = str | tuple[str, dict[str, Any]]  # a provider, with its options
NAMES = {"cpu": CPU, "cuda": CUDA, "tensorrt": TENSORRT}
ENGINES = ".cache/loopwm_ros/tensorrt"  # below the user's home: built once for each machine, in minutes
EXACT = {"use_tf32": "0"}  # else float32 is computed with the mantissa of float16


@dataclass(frozen=True)
class Target:
    """A device for whole rollouts.

    Attributes:
        providers: of ONNX Runtime, with their options.
        device: ONNX Runtime's name of the memory that inputs and outputs are bound in.
        wanted: the provider that has to be in use.
    """

    providers: list[Listed]
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


def providers(wanted: Provider) -> list[Listed]:
    """For graphs that are called one at a time, from the host; TensorRT is not worth its building there."""
    return [CPU] if chosen(wanted) == "cpu" else [(CUDA, EXACT), CPU]


def target(wanted: Provider, half: bool) -> Target | None:
    """For whole rollouts; None on the CPU, where early exit does more. `half`: with weights of 16 bits."""
    on = chosen(wanted)
    if on == "cpu":
        return None
    if on == "cuda":
        return Target([(CUDA, {"enable_cuda_graph": "1", **EXACT})], "cuda", on)
    engines = _engines()
    options = {
        "trt_cuda_graph_enable": "1",
        "trt_fp16_enable": str(int(half)),
        "trt_engine_cache_enable": "1",
        "trt_engine_cache_path": engines,
        "trt_timing_cache_enable": "1",
        "trt_timing_cache_path": engines,
    }
    return Target([(TENSORRT, options), (CUDA, EXACT)], "cuda", on)


def _engines() -> str:
    """The folder of TensorRT's engines, made where it was not.

    Raises:
        ConfigError: it cannot be made.
    """
    try:
        folder = Path.home() / ENGINES
        folder.mkdir(parents=True, exist_ok=True)
    except (OSError, RuntimeError) as error:
        raise ConfigError(
            f"provider 'tensorrt' has nowhere to keep its engines: {error}; set HOME"
        ) from error
    return str(folder)


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
