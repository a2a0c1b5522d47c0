"""`loopwm train`: data to a trained world model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def train(
    *,
    config: Annotated[Path, typer.Option(help="Training settings, e.g. config/train/reach.yaml.")],
    data: Annotated[list[Path], typer.Option(help="Folder of recordings; may be given again.")],
    out: Annotated[Path, typer.Option(help="Folder of the run: checkpoints, metrics, TensorBoard.")],
    cache: Annotated[Path, typer.Option(help="Where decoded recordings are kept.")] = Path("data/cache"),
    resume: Annotated[bool, typer.Option("--resume", help="Continue the run in OUT exactly.")] = False,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    start: Annotated[
        Path | None,
        typer.Option(help="A finished run or a bundle, whose weights replace the stages encoder and core."),
    ] = None,
    arm: Annotated[str, typer.Option(help="Instead of the settings' arm, by name or YAML file.")] = "",
    seed: Annotated[int | None, typer.Option(min=0, help="Instead of the settings' seed.")] = None,
) -> None:
    """Train encoder, then core, then both together and a policy where the settings ask for it.

    Several GPUs: torchrun --nproc-per-node N -m loopwm_ros.cli.main train ...
    """
    from loopwm_ros.config import load_arm, load_settings, load_task
    from loopwm_ros.training.console import RunListener, print_metrics, read_data
    from loopwm_ros.training.distributed import workers
    from loopwm_ros.training.run import train as run
    from loopwm_ros.training.settings import TrainSettings

    settings = load_settings(config, TrainSettings)
    if arm:
        name = f"{load_arm(arm).name}_{load_task(settings.task).name}"
        settings = settings.model_copy(update={"arm": arm, "name": name})
    if seed is not None:
        settings = settings.model_copy(update={"seed": seed})
    with workers(device, settings.threads) as these:
        dataset = read_data(settings, data, cache, these)
        with RunListener(settings, out / "tensorboard", these.leads) as listener:
            metrics = run(settings, dataset, out, these, listener, resume, start)
        if these.leads:
            print_metrics(metrics)
