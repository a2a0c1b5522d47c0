"""`loopwm calibrate`: boards, lenses, where a camera is, and when its pictures were taken."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from loopwm_ros.config.calibration import Lens, Setup

REDO = 2  # exit status of a calibration that went well and is not usable
BOARD = "charuco_a4"
MARKER = 11 / 15  # of a square: what is left is a border that detection needs

app = typer.Typer(no_args_is_help=True)

Out = Annotated[Path, typer.Option(help="Folder of the session; a second start with the same one goes on.")]
BoardFile = Annotated[str, typer.Option(help="Board, by name or YAML file (loopwm calibrate board).")]
Images = Annotated[Path | None, typer.Option(help="Take pictures from this folder (PNG, JPEG).")]
Bag = Annotated[Path | None, typer.Option(help="Take pictures from this recording, rosbag2 MCAP.")]
Live = Annotated[bool, typer.Option(help="Take pictures from the camera's topic, guided in the terminal.")]
ImageTopic = Annotated[
    str, typer.Option(help="The camera's topic; live, compressed where it ends in /compressed.")
]
KeepRefused = Annotated[bool, typer.Option(help="Keep refused pictures, too.")]
Seconds = Annotated[float, typer.Option(min=0, help="Live and without a terminal: give up after so long.")]
Undo = Annotated[list[str] | None, typer.Option(help="First take back this sample; may be given again.")]
Arm = Annotated[str, typer.Option(help="Arm, by name or YAML file.")]
CameraInfo = Annotated[Path, typer.Option(help="camera_info.yaml of the camera.")]


@app.command(
    epilog="Example: loopwm calibrate board --paper A3 --columns 10 --rows 7 --square 0.035 --out board.pdf"
)
def board(
    *,
    out: Annotated[Path, typer.Option(help="The PDF; its settings are written beside it as YAML.")],
    kind: Annotated[str, typer.Option(help="charuco or checkerboard.")] = "charuco",
    columns: Annotated[int, typer.Option(help="Squares along its width.")] = 8,
    rows: Annotated[int, typer.Option(help="Squares along its height.")] = 6,
    square: Annotated[float, typer.Option(help="Side of a square, in metres.")] = 0.03,
    marker: Annotated[
        float | None, typer.Option(help="Side of a marker, in metres; default: 11/15 of the square.")
    ] = None,
    dictionary: Annotated[str, typer.Option(help="Of the markers, as OpenCV names it.")] = "DICT_5X5_100",
    paper: Annotated[str, typer.Option(help="A5, A4, A3, A2, A1, A0, Letter, Legal or Tabloid.")] = "A4",
) -> None:
    """Make a board to print at 100 %, with rulers to check the print."""
    from loopwm_ros.cli.calibrate_job import make_board

    settings = {"kind": kind, "columns": columns, "rows": rows, "square": square, "dictionary": dictionary}
    settings["marker"] = round(square * MARKER, 4) if marker is None else marker
    for path in make_board(out, settings, paper):
        typer.echo(f"file: {path}")
    typer.echo(
        "print it at 100 %, and check its rulers; if they are off, put the square you measure into the YAML"
    )


@app.command(
    epilog="Example: loopwm calibrate intrinsics --images pictures --board board.yaml --out out/camera"
)
def intrinsics(
    *,
    out: Out,
    images: Images = None,
    bag: Bag = None,
    live: Live = False,
    image_topic: ImageTopic = "/camera/image_raw",
    board: BoardFile = BOARD,
    lens: Annotated[Lens, typer.Option(help="equidistant: a fisheye.")] = "plumb_bob",
    name: Annotated[str, typer.Option(help="The camera's name in camera_info.yaml.")] = "camera",
    undo: Undo = None,
    keep_refused: KeepRefused = False,
    seconds: Seconds = 0.0,
) -> None:
    """Calibrate a lens; writes camera_info.yaml and report.html.

    Without --images, --bag or --live, what the session holds is calibrated anew. Exit status: 0 if the result
    is good or usable, 2 if it is to be done again, 1 if there is none.
    """
    from loopwm_ros.cli.calibrate_job import Source, Takes
    from loopwm_ros.cli.calibrate_steps import run_intrinsics

    takes = Takes(Source(images, bag, live, image_topic, seconds), tuple(undo or ()), keep_refused)
    _end(run_intrinsics(out, takes, board, lens, name))


@app.command(
    epilog="Example: loopwm calibrate hand-eye --arm robot.yaml --camera out/camera/camera_info.yaml "
    "--live --out out/hand_eye"
)
def hand_eye(
    *,
    out: Out,
    arm: Arm,
    camera: CameraInfo,
    images: Annotated[
        Path | None, typer.Option(help="Take pictures from this folder, the joints from its joints.yaml.")
    ] = None,
    bag: Bag = None,
    live: Live = False,
    image_topic: ImageTopic = "/camera/image_raw",
    board: BoardFile = BOARD,
    setup: Annotated[Setup, typer.Option(help="Camera beside the arm, or on its hand.")] = "eye_to_hand",
    joint_offsets: Annotated[bool, typer.Option(help="Estimate the joints' zero positions, too.")] = False,
    guess: Annotated[
        Path | None,
        typer.Option(help="hand_eye.yaml, or easy_handeye2's .calib, for the poses that are suggested."),
    ] = None,
    suggest: Annotated[int, typer.Option(min=0, help="Only print so many poses to go to.")] = 0,
    undo: Undo = None,
    keep_refused: KeepRefused = False,
    seconds: Seconds = 0.0,
) -> None:
    """Find where the camera is; writes hand_eye.yaml, hand_eye.launch.py, ARM.calib and report.html.

    The arm is moved by you, with the robot's own tools; a sample is taken where it stands still. Exit status
    as of intrinsics.
    """
    from loopwm_ros.cli.calibrate_job import ArmJob, Source, Takes
    from loopwm_ros.cli.calibrate_poses import print_poses
    from loopwm_ros.cli.calibrate_steps import run_hand_eye

    job = ArmJob.sought(arm, camera, board, setup, guess)
    if suggest:
        print_poses(out, job, suggest)
        return
    takes = Takes(Source(images, bag, live, image_topic, seconds), tuple(undo or ()), keep_refused)
    _end(run_hand_eye(out, takes, job, joint_offsets))


@app.command(
    epilog="Example: loopwm calibrate time --arm robot.yaml --camera out/camera/camera_info.yaml "
    "--hand-eye out/hand_eye/hand_eye.yaml --bag motion --out out/time"
)
def time(
    *,
    out: Out,
    arm: Arm,
    camera: CameraInfo,
    hand_eye: Annotated[Path, typer.Option(help="hand_eye.yaml.")],
    bag: Annotated[
        Path, typer.Option(help="Recording with joint states and pictures of the board, the arm moving.")
    ],
    image_topic: ImageTopic = "/camera/image_raw",
    board: BoardFile = BOARD,
) -> None:
    """Find the camera's clock against the joints'; writes hand_eye.yaml with time_offset, and report.html."""
    from loopwm_ros.cli.calibrate_job import ArmJob
    from loopwm_ros.cli.calibrate_steps import run_time

    job = ArmJob.placed(arm, camera, board, hand_eye)
    _end(run_time(out, job, bag, image_topic))


@app.command(epilog="Example: loopwm calibrate show out/hand_eye")
def show(folder: Annotated[Path, typer.Argument(help="Folder of a session.")]) -> None:
    """Say again what a finished session found; exit status as then."""
    from rich.console import Console

    from loopwm_ros.calibration.finishing import read_result
    from loopwm_ros.cli.calibrate_screen import print_result

    result = read_result(folder)
    print_result(Console(), str(folder), result)
    _end(result.verdict.grade)


def _end(grade: str | None) -> None:
    if grade == "redo":
        raise typer.Exit(REDO)
