"""`loopwm export`: a trained world model to a bundle of ONNX graphs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def export(
    run: Annotated[Path, typer.Option(help="Folder of a finished training run.")],
    out: Annotated[Path, typer.Option(help="Folder for the bundle; it must not exist yet.")],
) -> None:
    """Export, and check each graph and whole rollouts against torch on real frames."""
    from loopwm_ros.config import load_arm
    from loopwm_ros.control.kinematics import Kinematics
    from loopwm_ros.training.console import print_parity
    from loopwm_ros.training.export import export_bundle
    from loopwm_ros.training.run import load_run

    trained = load_run(run)
    print_parity(export_bundle(trained, Kinematics(load_arm(trained.settings.arm)), out))
