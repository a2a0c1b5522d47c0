"""`loopwm calibrate` on rendered pictures: nothing lost, undo, verdict as exit status, and a guide by key."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import cv2
import numpy as np
import pytest
from rich.console import Console
from typer.testing import CliRunner

from benchmarks.calibration import shoot
from benchmarks.calibration.rendering import Studio
from loopwm_ros.calibration.board import Board
from loopwm_ros.calibration.camera_info import write_camera_info
from loopwm_ros.calibration.collecting import Collector
from loopwm_ros.calibration.finishing import read_result
from loopwm_ros.calibration.hand_eye_files import write_hand_eye
from loopwm_ros.calibration.lookers import LensLooker
from loopwm_ros.calibration.pictures import write_picture
from loopwm_ros.calibration.session import Session
from loopwm_ros.calibration.shots import SessionSettings
from loopwm_ros.calibration.sources import Picture
from loopwm_ros.cli import calibrate_run
from loopwm_ros.cli.calibrate_job import load_board
from loopwm_ros.cli.calibrate_run import Guide
from loopwm_ros.cli.main import app
from loopwm_ros.config.calibration import CameraModel
from loopwm_ros.errors import CalibrationError, LoopWMError
from loopwm_ros.processing.camera import camera_pose
from loopwm_ros.types import U8
from tests.calibrations import place

CAMERA = CameraModel(width=480, height=360, fx=460.0, fy=461.0, cx=243.0, cy=177.0)
BOARD = load_board("charuco_a4")
SETTINGS = SessionSettings(step="intrinsics", board=BOARD, lens="plumb_bob")
COUNT, COPIES = 7, 100
INTERRUPTIBLE = """
import signal
from loopwm_ros.cli.main import main
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs begin with it ignored
main()
"""


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """COUNT good pictures and a blurred one."""
    folder = tmp_path_factory.mktemp("pictures")
    board = Board(BOARD)
    shots = shoot.good(Studio(board, CAMERA), board, CAMERA, np.random.default_rng(3))
    images = [next(shots).image for _ in range(COUNT)]
    for number, image in enumerate([*images, cv2.GaussianBlur(images[0], (0, 0), 3.0)]):
        write_picture(folder / f"{number}.png", np.asarray(image, dtype=np.uint8))
    return folder


def run(*words: object) -> tuple[int, str]:
    """Exit status, and what was said; errors raised on purpose as their message."""
    done = CliRunner().invoke(app, ["calibrate", *map(str, words)])
    if isinstance(done.exception, LoopWMError):
        return 1, str(done.exception)
    return done.exit_code, " ".join(done.output.split())


def test_too_few_views_are_to_be_done_again_and_undo_counts(pictures: Path, tmp_path: Path) -> None:
    status, said = run("intrinsics", "--images", pictures, "--out", tmp_path / "lens")
    assert (status, "redo" in said, "refused 7.png" in said) == (2, True, True)
    result = read_result(tmp_path / "lens")
    assert {finding.what for finding in result.verdict.reasons} >= {"views"}
    status, said = run("intrinsics", "--undo", "0002", "--out", tmp_path / "lens")
    assert f"{COUNT - 1} pictures kept" in said
    assert (tmp_path / "lens" / "undone" / "0002.png").is_file()
    assert not (tmp_path / "lens" / "overlays" / "0002.png").exists()
    status, said = run("intrinsics", "--images", pictures, "--out", tmp_path / "lens")
    assert f"{COUNT - 1} pictures kept" in said, "what was undone is not taken again"
    assert run("show", tmp_path / "lens")[0] == 2
    page = (tmp_path / "lens" / "report.html").read_text(encoding="utf-8")
    assert "<title>Redo" in page
    assert "take more pictures" in page


def test_a_result_that_cannot_be_written_is_one_error(pictures: Path, tmp_path: Path) -> None:
    (tmp_path / "result.json").mkdir()
    status, said = run("intrinsics", "--images", pictures, "--out", tmp_path)
    assert status == 1
    assert f"cannot write {tmp_path / 'result.json'}" in said


def test_ctrl_c_loses_nothing(pictures: Path, tmp_path: Path, repository: Path) -> None:
    out = tmp_path / "lens"
    command = [sys.executable, "-c", INTERRUPTIBLE, "calibrate", "intrinsics"]
    again = shutil.copytree(pictures, tmp_path / "pictures")
    for copy in range(COPIES):  # which take a while to refuse
        shutil.copy(pictures / "0.png", again / f"z{copy:03}.png")
    command += ["--images", str(again), "--out", str(out)]
    samples = out / "samples.jsonl"
    environment = os.environ | {"PYTHONPATH": str(repository)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment, text=True) as process:
        while not (samples.exists() and samples.read_bytes().count(b"\n") > 1):  # two whole lines
            assert process.poll() is None
            time.sleep(0.005)
        process.send_signal(signal.SIGINT)
        said = process.communicate()[0]
    with closing(Session(out, SessionSettings(step="intrinsics", board=BOARD, lens="plumb_bob"))) as session:
        kept = [shot.source for shot in session.shots]
    assert 1 <= len(kept) <= COUNT
    assert "the same command goes on from here" in " ".join(said.split())
    assert process.returncode != 0
    run("intrinsics", "--images", pictures, "--out", out)
    with closing(Session(out, SessionSettings(step="intrinsics", board=BOARD, lens="plumb_bob"))) as session:
        assert [shot.source for shot in session.shots] == [f"{number}.png" for number in range(COUNT)]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ("intrinsics", "--out", "x", "--images", "a", "--bag", "b"),
            "--images and --bag exclude",
        ),
        (("intrinsics", "--out", "x", "--images", "nowhere"), "no folder of pictures at nowhere"),
        (("intrinsics", "--out", "x", "--board", "mine"), "unknown board 'mine'; valid: .*charuco_a4"),
        (("show", "x"), "x holds no finished calibration"),
        (("board", "--out", "board.png"), "must end in .pdf"),
        (
            ("board", "--out", "b.pdf", "--marker", "0.05"),
            "marker, 0.05 m, must be smaller than",
        ),
        (("board", "--out", "b.pdf", "--square", "0.1"), "A4"),
    ],
)
def test_bad_input_is_one_clear_error(
    words: tuple[str, ...], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    status, said = run(*words)
    assert status == 1
    assert re.search(message, said)


def arm_files(folder: Path, **changes: object) -> tuple[tuple[object, ...], Path]:
    """Options for a Panda with a camera on its other side, and the folder of its hand-eye calibration."""
    camera, there = folder / "camera.yaml", place("panda", "eye_to_hand")
    write_camera_info(camera, there.camera, "camera")
    across = camera_pose(there.arm.camera.model_copy(update={"position": (0.6, 0.8, 0.6)}))
    known = there.known(across, there.board_place).model_copy(update={"lens": there.camera, **changes})
    write_hand_eye(folder / "before", known)
    return ("--arm", "panda", "--camera", camera, "--out", folder / "out"), folder / "before"


def test_a_calib_file_of_easy_handeye2_is_a_start_for_suggestions(tmp_path: Path) -> None:
    options, before = arm_files(tmp_path)
    ask = ("hand-eye", *options, "--suggest", 2)
    status, said = run(*ask, "--guess", before / "panda.calib")
    assert (status, said.count("rad, panda_joint1 first")) == (0, 2)
    assert said != run(*ask)[1], "the arm's file has the camera elsewhere"
    theirs = tmp_path / "lab.calib"
    theirs.write_text((before / "panda.calib").read_text().replace("panda_link0", "table"))
    status, said = run(*ask, "--guess", theirs)
    assert status == 1
    assert "lab.calib has the camera in frame 'table'; of arm 'panda' it must be 'panda_link0'" in said
    status, said = run(*ask, "--guess", before / "panda.calib", "--setup", "eye_in_hand")
    assert (status, "has setup eye_to_hand; --setup says eye_in_hand" in said) == (1, True)


def test_the_clock_is_not_sought_through_another_camera_than_the_place(tmp_path: Path) -> None:
    options, before = arm_files(tmp_path, lens=CAMERA)
    status, said = run("time", *options, "--hand-eye", before / "hand_eye.yaml", "--bag", "nowhere")
    assert status == 1
    assert re.search(
        r"hand_eye\.yaml was made with another camera than that of .*camera\.yaml: another size", said
    )
    options, before = arm_files(tmp_path)
    status, said = run("time", *options, "--hand-eye", before / "hand_eye.yaml", "--bag", "nowhere")
    assert (status, "another camera" in said, "nowhere" in said) == (1, False, True)


class Camera:
    """Shows one picture after the other, again and again."""

    trouble = ""

    def __init__(self, images: list[U8]) -> None:
        self._images, self._count = images, 0

    def newest(self) -> Picture:
        self._count += 1
        image = self._images[self._count % len(self._images)]
        return Picture(f"live@{self._count}", lambda: image)


def test_the_guide_ends_by_itself_where_no_key_can_be_pressed(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = cv2.imread(str(pictures / "0.png"))
    with closing(Session(tmp_path, SETTINGS)) as session, Path(os.devnull).open() as nothing:
        monkeypatch.setattr(sys, "stdin", nothing)
        collector = Collector(session, LensLooker(Board(BOARD)))
        shown = Console(force_terminal=True, width=100, record=True, height=40)
        guide = Guide(collector, Camera([image]), shown, "lens", seconds=0.5)
        with pytest.raises(CalibrationError, match=r"not enough was seen in 0\.5 s"):
            guide.run()


def test_the_guide_takes_undoes_and_finishes_by_key(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = [cv2.imread(str(pictures / f"{number}.png")) for number in range(3)]
    pressed = iter(["a", " ", " ", "u", " ", " ", "n", "f"])  # the camera shows the next picture at each

    @contextmanager
    def keys() -> Iterator[object]:
        yield lambda _: next(pressed)

    monkeypatch.setattr(calibrate_run, "key_presses", keys)
    console = Console(force_terminal=True, width=100, record=True, height=40)
    with closing(Session(tmp_path, SETTINGS)) as session:
        collector = Collector(session, LensLooker(Board(BOARD)))
        guide = Guide(collector, Camera(images), console, "lens", suggest=lambda: "that way")
        assert guide.run() is True
        assert [shot.source for shot in session.shots] == ["live@2", "live@6"]
        (refusal,) = session.refusals
        assert "live@5 shows the same as live@2" in refusal.reason
    assert [path.name for path in (tmp_path / "undone").iterdir()] == ["0002.png"]
    text = console.export_text()
    for part in ("left to right", "next", "[space] take", "that way", "by key"):
        assert part in text
