"""A calibration's files, damaged in any way: what is whole is read, or there is one error."""

from __future__ import annotations

import tempfile
from contextlib import closing, suppress
from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from loopwm_ros.calibration.board import Board
from loopwm_ros.calibration.finishing import RESULT, read_result, samples_of
from loopwm_ros.calibration.lookers import LensLooker
from loopwm_ros.calibration.pictures import write_picture
from loopwm_ros.calibration.session import SAMPLES, SETTINGS, Session
from loopwm_ros.calibration.shots import SessionSettings, Shot
from loopwm_ros.calibration.sources import JOINTS, folder_pictures
from loopwm_ros.calibration.verdict import TIME, verdict
from loopwm_ros.config import load_arm
from loopwm_ros.config.calibration import BoardSettings
from loopwm_ros.errors import LoopWMError
from tests.mutation import damaged_bytes, fuzz

ARM = load_arm("panda")
ME = SessionSettings(step="intrinsics", board=BoardSettings(), lens="plumb_bob")
IMAGE = np.zeros((8, 8, 3), dtype=np.uint8)
RESULT_TEXT = (
    '{"step": "time", "verdict": '
    + verdict([0.1, 0.2, 60], TIME).model_dump_json()
    + ', "values": {"a": "b"}, "files": ["hand_eye.yaml"]}'
)


def filled(folder: Path) -> None:
    pixels = tuple((float(x), float(y)) for x, y in np.random.default_rng(0).uniform(0, 99, (9, 2)))
    with closing(Session(folder, ME)) as session:
        for number in range(3):
            ids = tuple(range(number, number + 9))
            session.keep(IMAGE, Shot(source=f"{number}", size=(100, 100), ids=ids, pixels=pixels))
        session.refuse("3", "blurred")
        session.undo("0002")
    (folder / RESULT).write_text(RESULT_TEXT)
    write_picture(folder / "photos" / "a.png", IMAGE)
    joints = {"joints": list(ARM.joints), "positions": {"a.png": [0.1] * 7}}
    (folder / "photos" / JOINTS).write_text(yaml.safe_dump(joints))


def use(folder: Path) -> None:
    """Everything that reads them, each on its own."""
    with suppress(LoopWMError), closing(Session(folder, ME)) as session:
        samples_of(session)
        LensLooker(Board(BoardSettings())).restart(session.shots)
    with suppress(LoopWMError):
        assert read_result(folder).verdict.findings is not None
    with suppress(LoopWMError):
        folder_pictures(folder / "photos", ARM)


@pytest.mark.parametrize("name", [SETTINGS, SAMPLES, RESULT, f"photos/{JOINTS}"])
@fuzz(30)
@given(data=st.data())
def test_damaged_files_get_one_error(name: str, data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as place:
        filled(Path(place))
        path = Path(place) / name
        path.write_bytes(data.draw(damaged_bytes(path.read_bytes())))
        use(Path(place))
