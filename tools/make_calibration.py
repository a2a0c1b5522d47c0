"""Write `calibration/`: the boards, and the results of a calibration of rendered pictures as an example.

    python tools/make_calibration.py            # all; the pictures take some minutes
    python tools/make_calibration.py --boards   # the boards alone

Every file there is made by `loopwm calibrate`.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "calibration"
BOARDS = {
    "charuco_a4": ("--paper", "A4"),
    "charuco_a4_large": ("--columns", "7", "--rows", "5", "--square", "0.036", "--paper", "A4"),
    "charuco_a5": ("--columns", "7", "--rows", "5", "--square", "0.02", "--paper", "A5"),
    "charuco_letter": ("--paper", "Letter"),
    "checkerboard_a4": ("--kind", "checkerboard", "--columns", "9", "--rows", "6", "--square", "0.025"),
}
STEPS = {"camera": "camera_info.yaml", "hand_eye": "hand_eye.yaml", "time": "hand_eye.yaml"}
BOARD = "charuco_a4_large"  # that of the rendered pictures


def run(*words: str) -> None:
    """Run Python on a module and its arguments."""
    subprocess.run([sys.executable, "-m", *words], cwd=ROOT, check=True)  # noqa: S603


def calibrate(*words: str) -> None:
    """`loopwm calibrate`."""
    run("loopwm_ros.cli.main", "calibrate", *words)


def boards() -> None:
    """All boards."""
    for name, options in BOARDS.items():
        calibrate("board", *options, "--out", str(FOLDER / "boards" / f"{name}.pdf"))


def example(place: Path) -> None:
    """Calibrate a rendered cell in `place`; of the results, keep what users get."""
    cell, known = str(place / "cell"), ("--arm", "panda", "--board", BOARD)
    run(
        "benchmarks.calibration.example_cell",
        "--out",
        cell,
        "--views",
        "24",
        "--poses",
        "18",
        "--seconds",
        "5",
    )
    calibrate("intrinsics", "--images", f"{cell}/lens", "--board", BOARD, "--out", str(place / "camera"))
    camera = ("--camera", str(place / "camera" / STEPS["camera"]))
    calibrate("hand-eye", "--images", f"{cell}/hand_eye", *known, *camera, "--out", str(place / "hand_eye"))
    where = ("--hand-eye", str(place / "hand_eye" / STEPS["hand_eye"]))
    calibrate("time", "--bag", f"{cell}/motion", *known, *camera, *where, "--out", str(place / "time"))
    shutil.rmtree(FOLDER / "example", ignore_errors=True)
    for step in STEPS:
        kept = FOLDER / "example" / step
        kept.mkdir(parents=True)
        for path in sorted((place / step).iterdir()):
            if path.suffix in (".yaml", ".html", ".calib", ".py") or path.name == "result.json":
                shutil.copy(path, kept)
    shutil.copytree(place / "cell" / "truth", FOLDER / "example" / "truth")


def main() -> None:
    """Write the folder."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--boards", action="store_true", help="the boards alone")
    only_boards = parser.parse_args().boards
    boards()
    if not only_boards:
        with tempfile.TemporaryDirectory() as place:
            example(Path(place))


if __name__ == "__main__":
    main()
