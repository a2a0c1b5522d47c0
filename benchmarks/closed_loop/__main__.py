"""Compare world models in closed loop, at equal planning time on one core.

python -m benchmarks.closed_loop FILE [--out FOLDER] [--core N] [--part N/OF] [--sum-up]

FILE says which models in which regimes (benchmarks/closed_loop/settings.py; push.yaml is an example). Each
episode is a line in FOLDER/episodes*.jsonl; what is there is not run again. FOLDER gets summary.json and
success.svg.
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

from benchmarks.closed_loop.conditions import Harness
from benchmarks.closed_loop.plot import success_plot
from benchmarks.closed_loop.rows import EpisodeRow, Machine
from benchmarks.closed_loop.running import Part, Runner, read_rows
from benchmarks.closed_loop.settings import Comparison
from benchmarks.closed_loop.summary import Outcome, summarise
from loopwm_ros.bench.machine import cpu_name, keep_to_core
from loopwm_ros.config.base import load_settings
from loopwm_ros.errors import LoopWMError
from loopwm_ros.training.revision import git_revision
from loopwm_ros.validation.files import write_text_atomically
from loopwm_ros.validation.versions import versions


def part(text: str) -> Part:
    """`2/3`: the second of three parts."""
    match = re.fullmatch(r"(\d+)/(\d+)", text)
    if match is None or not 1 <= int(match[1]) <= int(match[2]):
        raise argparse.ArgumentTypeError(f"'{text}' is no part; expected e.g. 1/2 or 2/2")
    return Part(int(match[1]), int(match[2]))


def arguments() -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("file", type=Path, help="what to compare, YAML")
    parser.add_argument(
        "--out", type=Path, help="folder of the results; default: out/closed_loop/ and FILE's name"
    )
    parser.add_argument("--core", type=int, help="run on this core; default: the last")
    parser.add_argument("--part", type=part, default=Part(), help="only these episodes, e.g. 1/2")
    parser.add_argument(
        "--sum-up", action="store_true", help="run nothing; write the summary of what there is"
    )
    return parser.parse_args()


def main() -> None:
    """Run, sum up, draw."""
    options = arguments()
    comparison = load_settings(options.file, Comparison)
    out = options.out or Path("out/closed_loop") / options.file.stem
    harness, here = Harness(options.file, comparison), machine()
    if not options.sum_up:
        keep_to_core(options.core)
        Runner(comparison, harness, here, git_revision(), out).run(options.part, _say)
    summary = summarise(comparison, harness, here, read_rows(out, here))
    for outcome in summary.outcomes:
        print(_line(outcome))
    write_text_atomically(out / "summary.json", summary.model_dump_json(indent=2) + "\n")
    print(f"summary: {out / 'summary.json'}")
    print(f"plot: {write_text_atomically(out / 'success.svg', success_plot(summary))}")


def machine() -> Machine:
    """This one."""
    known = versions()
    return Machine(cpu=cpu_name(), python=known["python"], onnxruntime=known["onnxruntime"])


def _say(made: EpisodeRow) -> None:
    print(made.line(), flush=True)


def _line(outcome: Outcome) -> str:
    time = outcome.planning_ms
    precise = "" if outcome.precise is None else f"precise {outcome.precise.count} "
    return (
        f"{outcome.regime.name}; {outcome.model}: success {outcome.success.count}, "
        f"{precise}of {outcome.episodes}; "
        f"planned in {time.p50 or 0:.1f} ms (p99 {time.p99 or 0:.1f}), "
        f"{outcome.candidates.mean or 0:.0f} candidates, {outcome.loops.mean or 0:.2f} loops, "
        f"{outcome.unsearched or 0:.1%} unsearched"
    )


if __name__ == "__main__":
    try:
        main()
    except LoopWMError as error:
        sys.exit(f"error: {error}")
