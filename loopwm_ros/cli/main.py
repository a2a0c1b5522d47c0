"""The `loopwm` command: one sub-command a file."""

from __future__ import annotations

import importlib
import sys

import typer

from loopwm_ros.errors import LoopWMError

COMMANDS = {  # what it does, an example
    "sim": (
        "Run a task in simulation, over ROS 2 in real time or in lockstep.",
        "loopwm sim --task reach --episodes 20 --lockstep --json out/summary.json",
    ),
    "collect": (
        "Record training episodes as rosbag2 MCAP.",
        "loopwm collect --task reach --episodes 1000 --seed 0 --out data/reach",
    ),
    "train": (
        "Train a world model.",
        "loopwm train --config config/train/reach.yaml --data data/reach --out runs/reach --resume",
    ),
    "evaluate": (
        "Measure what trained models predict on recordings they have not seen.",
        "loopwm evaluate --run runs/reach --data data/reach_test --out out/evaluation",
    ),
    "study": (
        "Compare cores: train each on the tokens of one frozen encoder.",
        "loopwm study --config config/study/contact.yaml --data data/contact --out runs/study",
    ),
    "export": (
        "Export a trained model as a bundle of ONNX graphs.",
        "loopwm export --run runs/reach --out models/my_reach",
    ),
    "validate": (
        "Validate a model on an arm in simulation: what the robot asks for before it arms.",
        "loopwm validate --bundle models/mine --arm robot.yaml --suite sim/suites/reach.yaml --workers 4",
    ),
    "bench": (
        "What this machine keeps up with: control cycles, deadlines, cold starts.",
        "loopwm bench planner --task push --peer --json out/planner.json",
    ),
    "arm": (
        "Check an arm file: limits, reach, camera.",
        "loopwm arm robot.yaml --task reach --picture out/view.png",
    ),
    "calibrate": (
        "Calibrate a camera: lens, place on or beside the arm, clock.",
        "loopwm calibrate intrinsics --images pictures --out calibration/camera",
    ),
    "doctor": ("Check this machine's set-up.", "loopwm doctor"),
}
EXTRAS = {  # the extra that installs each optional module
    **dict.fromkeys(("onnx", "onnxscript", "safetensors", "tensorboard", "torch"), "train"),
    **dict.fromkeys(("mujoco", "psutil", "pybullet"), "sim"),
    "onnxruntime": "cpu",
    "ray": "ray",
    "rclpy": "ros",
}

app = typer.Typer(
    name="loopwm",
    help="Drive a robot arm by planning inside a learned world model.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for _name, (_help, _example) in COMMANDS.items():
    _module = importlib.import_module(f"loopwm_ros.cli.{_name}")
    if isinstance(_group := getattr(_module, "app", None), typer.Typer):
        app.add_typer(_group, name=_name, help=_help, epilog=f"Example: {_example}")
    else:
        app.command(_name, help=_help, epilog=f"Example: {_example}")(getattr(_module, _name))


def main() -> None:
    """Entry point: an error raised on purpose, or a part not installed, is one clear line and status 1."""
    try:
        app()
    except LoopWMError as error:
        _fail(str(error))
    except ModuleNotFoundError as error:
        module = (error.name or "").partition(".")[0]
        if module not in EXTRAS:
            raise
        _fail(f'this command needs {module}, which is missing: pip install "loopwm_ros[{EXTRAS[module]}]"')


def _fail(message: str) -> None:
    typer.secho(f"error: {message}", fg=typer.colors.RED, err=True)
    sys.exit(1)


if __name__ == "__main__":
    main()
