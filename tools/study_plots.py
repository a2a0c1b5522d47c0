"""Draw the plots of the study's section of docs/results.md from its committed evaluation.

python tools/study_plots.py
"""

from __future__ import annotations

from pathlib import Path

from study_claims import AHEAD, MOVED, PART
from study_section import FOLDER, evaluation

from loopwm_ros.training.evaluation.plots import depth_plot, exit_plot, horizon_plot, size_plot

ROOT = Path(__file__).resolve().parents[1]
SHOWN = ("loop-parts", "loop", "one-pass", "depth-4-narrow", "depth-16x", "gru", "rssm", "latent-mlp")
SIZES = (
    "loop-parts",
    "loop-parts-8",
    "loop-parts-narrow",
    "loop-parts-tiny",
    "untied-parts-narrow",
    "untied-parts",
    "loop",
    "one-pass",
    "depth-4-narrow",
    "depth-4",
    "depth-4x",
    "depth-16x",
    "depth-64x",
    "depth-100",
)
LOOPED = ("loop-parts", "loop-parts-8", "loop", "paper-block")


def main() -> None:
    """Write them beside the evaluation."""
    folder = ROOT / FOLDER
    found = evaluation(ROOT)
    assert found is not None, f"no evaluation in {folder}"
    groups = {group.label: group for group in found.groups}
    curves = {name: groups[name].prediction[PART][MOVED] for name in SHOWN if name in groups}
    sizes = {
        name: (costs.parameters["core"] / 1e3, groups[name].prediction[PART][MOVED][AHEAD])
        for name in SIZES
        if name in groups and (costs := groups[name].costs) is not None
    }
    looping = {name: groups[name].looping[PART] for name in LOOPED if name in groups}
    plots = {
        "1_error_ahead": horizon_plot(curves, found.period_s, "error, cube that moved [cm]", 100),
        "2_error_by_parameters": size_plot(sizes, AHEAD * found.period_s, "parameters of the core [k]"),
        "3_error_by_iterations": depth_plot(looping, MOVED, AHEAD),
        "4_exits": exit_plot(next(iter(looping.values())), MOVED, AHEAD),
    }
    for name, plot in plots.items():
        (folder / f"{name}.svg").write_text(plot, encoding="utf-8")
        print(folder / f"{name}.svg")


if __name__ == "__main__":
    main()
