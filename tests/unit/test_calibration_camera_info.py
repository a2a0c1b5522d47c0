"""Camera files: ours, and those of ROS's tools."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from loopwm_ros.calibration.camera_info import read_camera_info, write_camera_info
from loopwm_ros.config.calibration import CameraModel
from loopwm_ros.errors import ConfigError
from tests.mutation import damaged_bytes, damaged_trees, fuzz
from tests.shoots import FISHEYE, WEBCAM

WIDE = CameraModel(
    width=640,
    height=480,
    fx=330.0,
    fy=329.0,
    cx=322.3,
    cy=236.4,
    lens="rational_polynomial",
    distortion=(0.9, 0.12, 0.0003, -0.0002, 1e-5, 1.25, 0.3, 1e-30),
)
# as camera_calibration's cameracalibrator.py prints it
PRINTED = """image_width: 640
image_height: 480
camera_name: narrow_stereo
camera_matrix:
  rows: 3
  cols: 3
  data: [430.15433,   0.     , 311.71339,
           0.     , 430.60920, 221.06824,
           0.     ,   0.     ,   1.     ]
distortion_model: plumb_bob
distortion_coefficients:
  rows: 1
  cols: 5
  data: [-0.363528, 0.095521, 1.2e-05, 1e-05, 0.000000]
rectification_matrix:
  rows: 3
  cols: 3
  data: [1., 0., 0.,
         0., 1., 0.,
         0., 0., 1.]
projection_matrix:
  rows: 3
  cols: 4
  data: [352.24939,   0.     , 310.30293,   0.     ,
           0.     , 397.51343, 217.30385,   0.     ,
           0.     ,   0.     ,   1.     ,   0.     ]
"""


def written(folder: Path, text: str | bytes) -> Path:
    path = folder / "camera.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


@pytest.mark.parametrize("camera", [WEBCAM, WIDE, FISHEYE], ids=["plumb_bob", "rational", "fisheye"])
def test_what_is_written_is_read_to_the_last_digit(tmp_path: Path, camera: CameraModel) -> None:
    path = tmp_path / "camera.yaml"
    write_camera_info(path, camera, "wrist")
    assert read_camera_info(path) == camera


@pytest.mark.parametrize("camera", [WEBCAM, WIDE, FISHEYE], ids=["plumb_bob", "rational", "fisheye"])
def test_the_file_has_what_ros_parses(tmp_path: Path, camera: CameraModel) -> None:
    path = tmp_path / "camera.yaml"
    write_camera_info(path, camera, "wrist")
    raw = yaml.safe_load(path.read_text())
    shapes = {key: (m["rows"], m["cols"], len(m["data"])) for key, m in raw.items() if isinstance(m, dict)}
    count = len(camera.distortion)
    assert shapes == {
        "camera_matrix": (3, 3, 9),
        "distortion_coefficients": (1, count, count),
        "rectification_matrix": (3, 3, 9),
        "projection_matrix": (3, 4, 12),
    }
    assert list(raw)[:3] == ["image_width", "image_height", "camera_name"]
    assert (raw["camera_name"], raw["distortion_model"]) == ("wrist", camera.lens)
    projection = np.reshape(raw["projection_matrix"]["data"], (3, 4))
    assert projection[2].tolist() == [0.0, 0.0, 1.0, 0.0]
    assert 0.3 * camera.fx < projection[0, 0] < 1.5 * camera.fx


def test_what_ros_prints_is_read(tmp_path: Path) -> None:
    camera = read_camera_info(written(tmp_path, PRINTED))
    assert (camera.width, camera.fx, camera.cy, camera.lens) == (640, 430.15433, 221.06824, "plumb_bob")
    assert camera.distortion == (-0.363528, 0.095521, 1.2e-05, 1e-05, 0.0)


def test_old_and_short_files_are_read(tmp_path: Path) -> None:
    old = PRINTED.replace("distortion_model: plumb_bob\n", "").replace("camera_name: narrow_stereo\n", "")
    assert read_camera_info(written(tmp_path, old)).lens == "plumb_bob"
    short = PRINTED.replace("cols: 5", "cols: 4").replace(", 0.000000]", "]")
    assert read_camera_info(written(tmp_path, short)).distortion[-1] == 0.0
    long = PRINTED.replace("plumb_bob", "rational_polynomial").replace("cols: 5", "cols: 12")
    long = long.replace("0.000000]", "0.1, 0.2, 0.3, 0.4, 0, 0, 0, 0]")
    assert read_camera_info(written(tmp_path, long)).distortion[-1] == 0.4


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("430.15433", "0.0", "not calibrated"),
        ("  data: [430.15433,   0.     ,", "  data: [430.15433,   0.5,", "must read"),
        ("cols: 5", "cols: 6", "1 rows and 6 cols, but 5 values"),
        ("plumb_bob", "thin_prism", "distortion_model"),
        ("plumb_bob", "equidistant", "equidistant|valid"),
        ("image_width: 640", "image_width: 0", "image_width"),
        ("image_width: 640\n", "", "image_width"),
        ("image_width: 640", "image_width: 100000", "image_width"),
        ("430.60920", ".nan", "camera_matrix.data.4"),
        ("camera_matrix:", "matrix:", "camera_matrix"),
        ("[-0.363528", "[x", "distortion_coefficients.data.0"),
        ("[-0.363528", "[[", "not valid YAML"),
    ],
)
def test_bad_files_are_refused_by_name(tmp_path: Path, old: str, new: str, said: str) -> None:
    text = PRINTED.replace(old, new)
    if new == "equidistant":
        text = text.replace("0.000000]", "0.1]")
    with pytest.raises(ConfigError, match=said) as error:
        read_camera_info(written(tmp_path, text))
    assert "camera.yaml" in str(error.value)


def test_paths_that_are_not_are_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"cannot read .*none\.yaml"):
        read_camera_info(tmp_path / "none.yaml")
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match=r"cannot write .*camera\.yaml"):
        write_camera_info(tmp_path / "file" / "camera.yaml", WEBCAM, "wrist")


def test_a_write_that_is_cut_short_leaves_the_file_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "camera.yaml"
    write_camera_info(path, WEBCAM, "wrist")

    def interrupted(descriptor: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("os.fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_camera_info(path, WIDE, "wrist")
    assert read_camera_info(path) == WEBCAM
    assert list(tmp_path.iterdir()) == [path]


def test_damaged_files_are_read_or_refused(tmp_path: Path) -> None:
    @fuzz(100)
    @given(
        st.one_of(damaged_trees(yaml.safe_load(PRINTED)).map(yaml.safe_dump), damaged_bytes(PRINTED.encode()))
    )
    def check(made: str | bytes) -> None:
        path = written(tmp_path, made)
        said = str(path)
        try:
            read_camera_info(path)
        except ConfigError as error:
            said = str(error)
        assert str(path) in said
        assert len(said) < 20_000

    check()
