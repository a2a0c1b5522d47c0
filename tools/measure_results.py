"""Measure what docs/results.md shows: all runs, or those named; with `--missing` those without a file."""

from __future__ import annotations

import argparse
import shlex
import subprocess
import sys

from result_runs import FOLDER, ROOT, RUNS


def main() -> None:
    """Run them one after the other; the first that fails ends all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", choices=[[], *RUNS], metavar="NAME", help=", ".join(RUNS))
    parser.add_argument("--missing", action="store_true", help="leave out those that have a file")
    arguments = parser.parse_args()
    for name in arguments.names or RUNS:
        if arguments.missing and (ROOT / FOLDER / f"{name}.json").exists():
            continue
        command = shlex.split(RUNS[name].command(name))
        print(shlex.join(command), flush=True)
        whole = [sys.executable, "-m", "loopwm_ros.cli.main", *command[1:]]
        subprocess.run(whole, cwd=ROOT, check=True)  # noqa: S603 - our own list


if __name__ == "__main__":
    main()
