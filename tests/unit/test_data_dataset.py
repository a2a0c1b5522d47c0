from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from recordings import LEAD, arm, ball_at, camera, image, joints_at, task, write_episode

from loopwm_ros.config import TaskConfig
from loopwm_ros.control.kinematics import Kinematics
from loopwm_ros.data.cache import build_cache
from loopwm_ros.data.dataset import ARRAYS, Dataset
from loopwm_ros.errors import BagError, ConfigError, MismatchError
from tests.fakes import make_spec

SIZE = (40, 30)


def build(tmp_path: Path, roots: list[Path], workers: int = 1, **changes: object) -> Dataset:
    changed = TaskConfig.model_validate({**task().model_dump(), **changes})
    return build_cache(roots, arm(), changed, SIZE, tmp_path / "cache", workers)


@pytest.fixture(scope="module")
def bags(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("bags")
    for seed, frames in enumerate((10, 12, 9)):
        write_episode(root / f"{seed:06d}", seed=20 * seed, frames=frames)
    return root


@pytest.fixture(scope="module")
def dataset(bags: Path, tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return build(tmp_path_factory.mktemp("data"), [bags])


def test_arrays_agree_with_what_was_recorded(dataset: Dataset) -> None:
    kinematics = Kinematics(arm())
    assert list(dataset.offsets) == [0, 10, 22, 31]
    assert dataset.images.shape == (31, 30, 40, 3)
    assert np.abs(dataset.images[10].astype(int) - image(20)[2::4, 2::4]).max() <= 4
    for frame in (0, 7):
        q = joints_at(frame * 0.05)
        tool = kinematics.tool_position(q)
        np.testing.assert_allclose(dataset.proprio[frame], [*q, *[0.5] * 7, *tool], atol=1e-6)
        np.testing.assert_allclose(dataset.labels[frame], [*tool, *ball_at(frame)], atol=1e-6)
        commanded = kinematics.tool_position(joints_at(frame * 0.05 + LEAD))
        np.testing.assert_allclose(dataset.command_tool[frame], commanded, atol=1e-6)
    assert dataset.label_mask.all()
    assert dataset.reward_mask.all()
    np.testing.assert_allclose(dataset.reward[:10], -0.1 * np.arange(10), atol=1e-6)
    np.testing.assert_array_equal(dataset.continuation[:10], [1] * 8 + [0] * 2)


def test_absent_labels_are_masked(tmp_path: Path) -> None:
    write_episode(tmp_path / "bag", labels=False)
    data = build(tmp_path, [tmp_path / "bag"])
    np.testing.assert_array_equal(data.label_mask.all(axis=0), [True] * 3 + [False] * 3)
    assert not data.reward_mask.any()
    assert not data.continuation_mask.any()
    assert np.isfinite(data.labels).all()


def test_workers_change_nothing(dataset: Dataset, bags: Path, tmp_path: Path) -> None:
    parallel = build(tmp_path, [bags], workers=2)
    for name in ARRAYS:
        np.testing.assert_array_equal(getattr(parallel, name), getattr(dataset, name))
    assert parallel.data_sha256 == dataset.data_sha256


def test_the_cache_is_reused_until_a_recording_changes(bags: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(bags, tmp_path / "bags")
    first = build(tmp_path, [copy])
    (cache,) = (tmp_path / "cache").iterdir()
    written = (cache / "images.npy").stat().st_mtime_ns
    assert build(tmp_path, [copy]).data_sha256 == first.data_sha256
    assert (cache / "images.npy").stat().st_mtime_ns == written
    shutil.rmtree(copy / "000001")
    assert build(tmp_path, [copy]).data_sha256 != first.data_sha256
    assert len(list((tmp_path / "cache").iterdir())) == 2


def test_the_data_hash_does_not_depend_on_paths(dataset: Dataset, bags: Path, tmp_path: Path) -> None:
    shutil.copytree(bags, tmp_path / "elsewhere")
    assert build(tmp_path, [tmp_path / "elsewhere"]).data_sha256 == dataset.data_sha256


def test_a_bad_recording_is_named_and_nothing_else_is_lost(
    dataset: Dataset, bags: Path, tmp_path: Path
) -> None:
    copy = shutil.copytree(bags, tmp_path / "bags")
    cut = next((copy / "000001").glob("*.mcap"))
    cut.write_bytes(cut.read_bytes()[: cut.stat().st_size // 2])
    data = build(tmp_path, [copy])
    (skipped,) = data.skipped
    assert skipped.path.endswith("000001")
    assert "000001 cannot be read" in skipped.reason
    assert data.episodes == 2
    np.testing.assert_array_equal(data.proprio[:10], dataset.proprio[:10])
    np.testing.assert_array_equal(data.images[10:], dataset.images[22:])
    assert build(tmp_path, [copy]).skipped == data.skipped


def test_nothing_usable_is_an_error_that_says_why(tmp_path: Path) -> None:
    with pytest.raises(BagError, match="no such file"):
        build(tmp_path, [tmp_path / "missing"])
    (tmp_path / "empty").mkdir()
    with pytest.raises(BagError, match="no recordings in"):
        build(tmp_path, [tmp_path / "empty"])
    (tmp_path / "empty" / "x.mcap").write_bytes(b"not a bag")
    with pytest.raises(BagError, match=r"none of 1 recordings.*\n.*x\.mcap cannot be read"):
        build(tmp_path, [tmp_path / "empty"])
    assert not list((tmp_path / "cache").iterdir())


def test_a_full_disk_is_named_and_nothing_is_left(
    bags: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("loopwm_ros.data.cache.Column.append", full)
    with pytest.raises(BagError, match=r"No space left on device; they need .* another place with --cache"):
        build(tmp_path, [bags])
    assert list((tmp_path / "cache").iterdir()) == []


def test_another_camera_is_refused(bags: Path, tmp_path: Path) -> None:
    wide = arm().model_copy(update={"camera": camera().model_copy(update={"width": 320})})
    with pytest.raises(BagError, match="is 160x120; the arm's camera is 320x120"):
        build_cache([bags], wide, task(), SIZE, tmp_path / "cache")


def test_a_quantity_that_is_no_coordinate_is_refused(bags: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="ball_radius"):
        build(tmp_path, [bags], quantities=(*task().quantities, "ball_radius"))


def test_split_is_by_episode_seeded_and_complete(dataset: Dataset) -> None:
    train, held_out = dataset.split(0.34, seed=3)
    assert sorted([*train, *held_out]) == [0, 1, 2]
    assert len(held_out) == 1
    drawn = {int(dataset.split(0.34, seed)[1][0]) for seed in range(20)}
    assert drawn == {0, 1, 2}
    assert [part.tolist() for part in dataset.split(0.34, 3)] == [train.tolist(), held_out.tolist()]


def test_windows_stay_within_episodes(dataset: Dataset) -> None:
    windows = dataset.windows([0, 2], length=3, stride_frames=2)
    assert windows.shape == ((10 - 4) + (9 - 4), 3)
    np.testing.assert_array_equal(windows[0], [0, 2, 4])
    np.testing.assert_array_equal(windows[-1], [26, 28, 30])
    assert dataset.windows([0], length=20, stride_frames=2).shape == (0, 20)


def test_a_dropped_frame_breaks_windows(tmp_path: Path) -> None:
    write_episode(tmp_path / "bag", frames=10, drop=5)
    data = build(tmp_path, [tmp_path / "bag"])
    assert len(data) == 9
    np.testing.assert_array_equal(
        data.windows([0], 3, 1), [[0, 1, 2], [1, 2, 3], [2, 3, 4], [5, 6, 7], [6, 7, 8]]
    )


def test_stride_fits_the_camera_or_is_refused(dataset: Dataset) -> None:
    assert dataset.frame_period == pytest.approx(0.05)
    assert dataset.stride_frames(0.1) == 2
    with pytest.raises(MismatchError, match=r"70\.0 ms do not fit frames every 50\.0 ms"):
        dataset.stride_frames(0.07)


def test_actions_are_commanded_displacements(dataset: Dataset) -> None:
    windows = dataset.windows([1], 3, 2)
    actions = dataset.actions(windows, make_spec(max_tool_speed=0.35))
    assert actions.shape == (len(windows), 2, 3)
    moved = dataset.command_tool[windows[0, 2]] - dataset.command_tool[windows[0, 1]]
    np.testing.assert_allclose(actions[0, 1], moved / 0.035, rtol=1e-5)
    assert np.abs(actions).max() > 0.1
    in_plane = dataset.actions(windows, make_spec(max_tool_speed=0.35, action_dim=2))
    np.testing.assert_array_equal(in_plane, actions[..., :2])
