"""Bad input to the `loopwm` command: one clear error, a status that is not 0, and no traceback."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import yaml

from loopwm_ros.bundle import Bundle
from loopwm_ros.cli.main import main
from loopwm_ros.config import load_arm, load_task, share_dir
from loopwm_ros.data.writer import EpisodeWriter
from loopwm_ros.types import F64, CameraFrame, JointState
from tests.bundles import make_bundle
from tests.recordings import write_episode

ARM, TASK = load_arm("panda"), load_task("reach")
CAMERA = ARM.camera
TINY = Path("config/train/tiny.yaml")

Command = Callable[..., str]


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return make_bundle(tmp_path_factory.mktemp("bundle"), ARM, TASK)


@pytest.fixture
def error_of(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Command:
    """Run `loopwm` with arguments that are wrong; the one error it ends with."""

    def run(*arguments: object) -> str:
        monkeypatch.setattr(sys, "argv", ["loopwm", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        captured = capfd.readouterr()
        assert ended.value.code == 1
        assert "Traceback" not in captured.out + captured.err
        assert captured.err.count("error:") == 1
        _, _, message = captured.err.partition("error: ")
        return message.rstrip()

    return run


def lockstep(bundle: Path, *more: object) -> tuple[object, ...]:
    return ("sim", "--lockstep", "--episodes", 1, "--bundle", bundle, *more)


def changed_task(folder: Path, **world: object) -> Path:
    """A task in a world that differs from ours."""
    values = yaml.safe_load((share_dir() / "sim/worlds/tabletop.yaml").read_text())
    (folder / "world.yaml").write_text(yaml.safe_dump(values | world))
    task = yaml.safe_load((share_dir() / "sim/tasks/reach.yaml").read_text())
    (folder / "task.yaml").write_text(yaml.safe_dump(task | {"world": str(folder / "world.yaml")}))
    return folder / "task.yaml"


@pytest.mark.parametrize("file", ["encoder.onnx", "block.onnx", "manifest.json", "manifest.sha256"])
def test_a_bundle_with_one_altered_byte(error_of: Command, bundle: Bundle, tmp_path: Path, file: str) -> None:
    root = Path(shutil.copytree(bundle.root, tmp_path / "altered"))
    data = bytearray((root / file).read_bytes())
    data[len(data) // 2] ^= 1
    (root / file).write_bytes(bytes(data))
    message = error_of(*lockstep(root))
    assert file in message or "manifest.json does not match" in message
    assert "altered" in message


def test_a_folder_that_is_no_bundle(error_of: Command, tmp_path: Path) -> None:
    assert error_of(*lockstep(tmp_path)) == f"{tmp_path} is not a model bundle: it has no manifest.json"


def test_a_bundle_for_another_joint_order(error_of: Command, tmp_path: Path) -> None:
    other = ARM.model_copy(update={"joints": ARM.joints[::-1]})
    message = error_of(*lockstep(make_bundle(tmp_path, other, TASK).root))
    assert "was trained for joints ['panda_joint7'" in message
    assert "['panda_joint1'" in message


def test_a_camera_of_another_size(error_of: Command, bundle: Bundle, tmp_path: Path) -> None:
    values = yaml.safe_load((share_dir() / "sim/arms/panda.yaml").read_text())
    values["camera"] |= {"width": 320, "height": 240}
    (tmp_path / "arm.yaml").write_text(yaml.safe_dump(values))
    message = error_of(*lockstep(bundle.root, "--arm", tmp_path / "arm.yaml"))
    assert "160x120 camera, got 320x240" in message


def test_a_control_period_that_does_not_go_with_the_model(
    error_of: Command, bundle: Bundle, tmp_path: Path
) -> None:
    task = changed_task(tmp_path, control_rate=16.0)
    message = error_of(*lockstep(bundle.root, "--task", task))
    assert "a control period of 62.5 ms does not go with the model: choose 50 ms" in message


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--arm", "pandaa"), "no arm 'pandaa'; valid: iiwa, panda"),
        (("--task", "reech"), "no task 'reech'; valid: clutter, push, reach"),
        (("--loops", "9"), "the bundle allows 1 to 8"),
        (("--loops", "many"), "expected auto, or a number"),
    ],
)
def test_names_and_numbers(
    error_of: Command, bundle: Bundle, arguments: tuple[str, ...], message: str
) -> None:
    assert message in error_of(*lockstep(bundle.root, *arguments))


@pytest.mark.parametrize("command", ["sim", "collect"])
def test_an_arm_file_with_a_joint_that_the_urdf_lacks(
    error_of: Command, tmp_path: Path, command: str
) -> None:
    values = yaml.safe_load((share_dir() / "sim/arms/panda.yaml").read_text())
    values["joints"][6] = "panda_joint9"
    (tmp_path / "arm.yaml").write_text(yaml.safe_dump(values))
    more = {
        "sim": ("--lockstep", "--controller", "scripted"),
        "collect": ("--out", tmp_path / "data", "--episodes", 1, "--workers", 1),
    }
    message = error_of(command, "--arm", tmp_path / "arm.yaml", *more[command])
    assert "no joint panda_joint9; valid: panda_joint1" in message


def record(path: Path, joints: tuple[str, ...], position: F64) -> None:
    """A short recording of an arm with these joints, always at `position`."""
    writer = EpisodeWriter(path, ARM.model_copy(update={"joints": joints}), CAMERA)
    for tick in range(12):
        writer.joint_state(JointState(tick * 0.0125, position, np.zeros(7)))
        writer.command(tick * 0.0125, np.asarray(ARM.home))
    writer.frame(CameraFrame(0.05, np.zeros((CAMERA.height, CAMERA.width, 3), dtype=np.uint8)))
    writer.close({})


def test_recordings_that_cannot_be_used_are_each_named(
    error_of: Command, repository: Path, tmp_path: Path
) -> None:
    data = tmp_path / "data"
    (bag,) = write_episode(data / "cut_in_half").rglob("*.mcap")
    bag.write_bytes(bag.read_bytes()[: bag.stat().st_size // 2])
    record(data / "other_joints", (*ARM.joints[:6], "seventh"), np.asarray(ARM.home))
    record(data / "not_a_number", ARM.joints, np.full(7, np.nan))
    message = error_of(
        "train", "--config", repository / TINY, "--data", data, "--out", tmp_path / "run",
        "--cache", tmp_path / "cache", "--device", "cpu",
    )  # fmt: skip
    head, *reasons = message.splitlines()
    assert "none of 3 recordings can be used" in head
    found = {Path(r.split()[0].rstrip(":")).name: r for r in reasons}
    assert "cut short" in found["cut_in_half"]
    assert "lacks panda_joint7" in found["other_joints"]
    assert "NaN" in found["not_a_number"]


def test_the_installed_command_does_the_same(tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "loopwm_ros.cli.main", *map(str, lockstep(tmp_path))],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 1
    lines = [line for line in ended.stderr.splitlines() if not line.startswith("pybullet build time")]
    assert lines == [f"error: {tmp_path} is not a model bundle: it has no manifest.json"]
    assert "Traceback" not in ended.stdout
