"""`loopwm evaluate`: what trained models predict, on recordings that they have not seen."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer


class Sections(str, Enum):
    """Values of --section."""

    prediction = "prediction"
    loops = "loops"
    costs = "costs"
    stability = "stability"
    gain = "gain"


def evaluate(
    *,
    run: Annotated[list[Path], typer.Option(help="Folder of a finished training run; may be given again.")],
    data: Annotated[
        list[Path], typer.Option(help="Folder of test recordings: a part of that name; may be given again.")
    ],
    out: Annotated[Path, typer.Option(help="Folder for evaluation.json and evaluation.html.")],
    long: Annotated[
        list[Path] | None, typer.Option(help="Folder of episodes of over 1,000 steps; may be given again.")
    ] = None,
    readout: Annotated[
        list[Path] | None,
        typer.Option(help="Training recordings that a read-out of the joints is fitted on; none: no joints."),
    ] = None,
    section: Annotated[
        list[Sections] | None, typer.Option(help="Part of the evaluation; may be given again; default: all.")
    ] = None,
    windows: Annotated[int, typer.Option(min=1, help="Windows of each part, at most.")] = 1000,
    cache: Annotated[Path, typer.Option(help="Where decoded recordings are kept.")] = Path("data/cache"),
    device: Annotated[str, typer.Option(help="auto, cpu or cuda; costs are those of one CPU core.")] = "auto",
) -> None:
    """Measure runs on held-out recordings, with 95 % intervals; runs that differ in their seed are pooled.

    A second start with the same --out goes on where the first one ended.
    """
    from rich.console import Console

    from loopwm_ros.training.distributed import workers
    from loopwm_ros.training.evaluation.evaluator import Evaluator
    from loopwm_ros.training.evaluation.kept import Kept
    from loopwm_ros.training.evaluation.material import Material
    from loopwm_ros.training.evaluation.page import write_page
    from loopwm_ros.training.evaluation.subjects import load_subject
    from loopwm_ros.training.evaluation.tables import print_evaluation
    from loopwm_ros.validation.files import write_text_atomically

    console = Console()
    with workers(device, 0) as these:
        subjects = [load_subject(folder, these.device) for folder in run]
        material = Material(cache, these, readout or [])
        sections = [one.value for one in section or Sections]
        kept = Kept(out / "groups")
        evaluator = Evaluator(material, data, long or [], sections, windows, console.print, kept)
        result = evaluator.run(subjects)
    path = write_text_atomically(out / "evaluation.json", result.model_dump_json(indent=1) + "\n")
    print_evaluation(console, result)
    page = write_page(out / "evaluation.html", result)
    console.print(f"result: {path}\nreport: {page}", highlight=False)
