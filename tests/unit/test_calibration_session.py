"""A calibration's folder: nothing that was accepted is lost, whatever ends the session."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import numpy as np
import pytest

from loopwm_ros.calibration.session import PICTURES, REFUSED, SAMPLES, SETTINGS, UNDONE, Session
from loopwm_ros.calibration.shots import SessionSettings, Shot
from loopwm_ros.config.calibration import BoardSettings
from loopwm_ros.errors import CalibrationError

SETTING = SessionSettings(step="intrinsics", board=BoardSettings(), lens="plumb_bob")
Opener = Callable[[Path], Session]
IMAGE = np.random.default_rng(0).integers(0, 255, (48, 64, 3)).astype(np.uint8)


def shot(source: str) -> Shot:
    pixels = ((1.5, 2.0), (3.5, 2.0))
    return Shot(source=source, size=(64, 48), stamp=1.25, joints=(0.1, -0.2), ids=(3, 4), pixels=pixels)


@pytest.fixture
def opened() -> Iterator[Opener]:
    with ExitStack() as stack:
        yield lambda folder: stack.enter_context(closing(Session(folder, SETTING)))


def filled(folder: Path, count: int) -> list[Shot]:
    with closing(Session(folder, SETTING)) as session:
        return [session.keep(IMAGE, shot(f"{number}.png")) for number in range(count)]


def test_it_goes_on_where_it_was(tmp_path: Path, opened: Opener) -> None:
    kept = filled(tmp_path / "deep" / "one", 3)
    session = opened(tmp_path / "deep" / "one")
    assert session.shots == kept
    assert [made.name for made in kept] == ["0001", "0002", "0003"]
    assert session.seen == {"0.png", "1.png", "2.png"}
    assert np.array_equal(session.picture("0002"), IMAGE)
    assert session.keep(IMAGE[:, :, 0], shot("more")).name == "0004"


def test_a_sample_that_is_undone_is_moved_aside_and_not_taken_again(tmp_path: Path, opened: Opener) -> None:
    filled(tmp_path, 3)
    session = opened(tmp_path)
    assert session.undo("0002").source == "1.png"
    assert session.undo().name == "0003"
    session.close()
    again = opened(tmp_path)
    assert [made.name for made in again.shots] == ["0001"]
    assert "1.png" in again.seen
    assert sorted(path.name for path in (tmp_path / UNDONE).iterdir()) == ["0002.png", "0003.png"]
    assert again.keep(IMAGE, shot("new")).name == "0004", "names are given once"
    with pytest.raises(CalibrationError, match=r"no sample 0002.*0001, 0004"):
        again.undo("0002")


def test_refused_pictures_are_kept_where_wanted(tmp_path: Path, opened: Opener) -> None:
    session = opened(tmp_path)
    session.refuse("a.png", "it is blurred")
    session.refuse("b.png", "no board is seen", IMAGE)
    session.close()
    assert [path.name for path in (tmp_path / REFUSED).iterdir()] == ["0002.png"]
    again = opened(tmp_path)
    assert [(made.source, made.reason) for made in again.refusals][1] == ("b.png", "no board is seen")
    assert again.seen == {"a.png", "b.png"}


@pytest.mark.parametrize("cut", [1, 30, -1])
def test_a_line_that_was_cut_short_costs_that_sample_alone(tmp_path: Path, opened: Opener, cut: int) -> None:
    filled(tmp_path, 3)
    path = tmp_path / SAMPLES
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:2]) + lines[2][:cut])
    session = opened(tmp_path)
    assert len(session.shots) == 2
    assert "2 lines are whole" in session.damage
    assert (tmp_path / UNDONE / "0003.png").exists(), "its picture is still there"
    assert session.keep(IMAGE, shot("2.png")).name == "0003"
    session.close()
    assert opened(tmp_path).damage == ""


def test_damage_in_the_middle_is_an_error_that_names_the_line(tmp_path: Path, opened: Opener) -> None:
    filled(tmp_path, 3)
    path = tmp_path / SAMPLES
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(lines[0] + b"{}{\n" + lines[2])
    with pytest.raises(CalibrationError, match=r"samples\.jsonl, line 2 is damaged"):
        opened(tmp_path)


def test_another_setting_is_refused(tmp_path: Path, opened: Opener) -> None:
    filled(tmp_path, 1)
    other = SETTING.model_copy(update={"lens": "equidistant", "board": BoardSettings(columns=9)})
    with pytest.raises(CalibrationError, match="another board, lens"):
        Session(tmp_path, other)
    (tmp_path / SETTINGS).write_text("{")
    with pytest.raises(CalibrationError, match=r"session\.json is damaged"):
        opened(tmp_path)


def test_two_processes_do_not_share_a_session(tmp_path: Path, opened: Opener) -> None:
    session = opened(tmp_path)
    with pytest.raises(CalibrationError, match="another process"):
        opened(tmp_path)
    session.close()
    opened(tmp_path).close()


def test_a_full_disk_loses_the_new_sample_only(tmp_path: Path, opened: Opener) -> None:
    session = opened(tmp_path)
    kept = session.keep(IMAGE, shot("first"))
    size = (tmp_path / SAMPLES).stat().st_size
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        for limit, image in ((100, IMAGE), (size + 20, None)):  # the picture, a part of the line
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
            with pytest.raises(CalibrationError, match=r"1 samples before are safe: make room"):
                session.keep(image, shot("second"))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert (tmp_path / SAMPLES).stat().st_size == size
    assert [path.name for path in (tmp_path / PICTURES).iterdir()] == ["0001.png"]
    assert session.keep(IMAGE, shot("second")).name == "0002"
    session.close()
    assert [made.name for made in opened(tmp_path).shots] == [kept.name, "0002"]


WORK = """
import sys
from pathlib import Path
from tests.unit.test_calibration_session import IMAGE, SETTING, shot
from loopwm_ros.calibration.session import Session
session = Session(Path(sys.argv[1]), SETTING)
for number in range(100000):
    print(session.keep(IMAGE, shot(f"{number}.png")).name, flush=True)
"""


def test_what_was_kept_when_it_was_killed_is_there(tmp_path: Path, repository: Path, opened: Opener) -> None:
    command = [sys.executable, "-c", WORK, str(tmp_path)]
    with subprocess.Popen(
        command, cwd=repository, stdout=subprocess.PIPE, text=True, env=os.environ | {"PYTHONPATH": "."}
    ) as process:
        assert process.stdout is not None
        told = [process.stdout.readline().strip() for _ in range(20)]
        process.kill()
        told += process.stdout.read().split()
    session = opened(tmp_path)
    assert {*told} <= {made.name for made in session.shots}
    assert len(session.shots) - len(told) in (0, 1)
    for made in session.shots:
        assert np.array_equal(session.picture(made.name), IMAGE)
    lines = (tmp_path / SAMPLES).read_text().splitlines()
    assert all("kept" in json.loads(line) for line in lines)
