"""Settings files from anybody: they validate, or there is one error; nothing else is read, run or filled."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from loopwm_ros.config import Settings, load_arm, load_task, load_world, share_dir
from loopwm_ros.config.outside import MAX_DEPTH, MAX_NODES, MAX_TEXT, parse_yaml, read_bounded
from loopwm_ros.errors import ConfigError, LoopWMError
from loopwm_ros.nodes.goal_file import read_goal
from loopwm_ros.nodes.mpc_parameters import MpcParameters
from loopwm_ros.nodes.spin import check_parameter_files
from tests.mutation import damaged_bytes, damaged_trees, fuzz

FILES: dict[str, tuple[str, Callable[[str], Settings]]] = {
    "arm": ("sim/arms/panda.yaml", load_arm),
    "task": ("sim/tasks/push.yaml", load_task),
    "world": ("sim/worlds/tabletop.yaml", load_world),
}
BOMB = "z: &z [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{name}: &{name} [{','.join([f'*{before}'] * 9)}]\n"
    for before, name in zip("zabcdefgh", "abcdefghi", strict=True)
)
NASTY = {
    "empty": "",
    "not text": b"\xff\xfe\0",
    "brackets": "[" * 100_000,
    "mappings": "{a: " * 5000,
    "a list that holds itself": "&a [*a]",
    "a mapping that holds itself": "&a {x: *a}",
    "no such alias": "[*a]",
    "billion laughs": BOMB,
    "billion laughs, merged": BOMB + "<<: [*i, *i]",
    "many values": "[" + "1," * (MAX_NODES + 1) + "]",
    "a long number": "name: " + "9" * 100_000,
    "a long base-60 number": "name: 1" + ":1" * 500_000,
    "a number of 6000 digits": "name: " + "9" * 6000,
    "no date": "name: 2001-99-99",
    "no number": "name: !!float abc",
    "an empty number": "name: !!int ''",
    "no time": "name: !!timestamp x",
    "no truth": "name: !!bool x",
    "python": "name: !!python/object/apply:os.system ['touch OWNED']",
    "python, short": "!!python/name:os.system",
    "extends a folder": "extends: ./.yaml",
    "extends itself": "extends: file.yaml",
    "extends NUL": 'extends: "a\\0.yaml"',
    "extends from the root": "extends: /etc/passwd.yaml",
    "extends from above": "extends: ../../../etc/passwd.yaml",
    "extends ours from above": "extends: ../../../../../../etc/passwd",
    "extends a long name": "extends: " + "a" * 5000,
    "extends a long file": "extends: " + "a" * 5000 + ".yaml",
    "extends a list": "extends: [1]",
}


@pytest.mark.parametrize("text", NASTY.values(), ids=NASTY)
@pytest.mark.parametrize("kind", FILES)
def test_nasty_files_get_one_short_error(tmp_path: Path, monkeypatch, kind: str, text: str | bytes) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "file.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ConfigError) as caught:
        FILES[kind][1](str(path))
    assert len(str(caught.value)) < 20_000
    assert [entry.name for entry in tmp_path.iterdir()] == ["file.yaml"]


@pytest.mark.parametrize("kind", FILES)
def test_damaged_settings_validate_or_get_an_error(tmp_path: Path, kind: str) -> None:
    file, load = FILES[kind]
    text = (share_dir() / file).read_bytes()
    path = tmp_path / "file.yaml"

    @fuzz(60)
    @given(st.one_of(damaged_trees(yaml.safe_load(text)).map(yaml.safe_dump), damaged_bytes(text)))
    def check(made: str | bytes) -> None:
        path.write_bytes(made if isinstance(made, bytes) else made.encode())
        said = str(path)
        try:
            assert "nan" not in load(str(path)).model_dump_json().lower()
        except LoopWMError as error:
            said = str(error)
        assert any(part in said for part in (str(path), "no arm", "no task", "no world"))

    check()


def test_rates_beyond_all_measure(tmp_path: Path) -> None:
    (tmp_path / "w.yaml").write_text("servo_rate: 1.0e-320\ntable_low: [0, 0, 0]\ntable_high: [1, 1, 1]\n")
    with pytest.raises(ConfigError, match="must be a multiple"):
        load_world(str(tmp_path / "w.yaml"))


@pytest.mark.parametrize("value", [".nan", ".inf", "-.inf", "1e999"])
def test_no_limit_is_infinite(tmp_path: Path, value: str) -> None:
    path = tmp_path / "arm.yaml"
    path.write_text(f"extends: panda\nacceleration: [{value}, 1, 1, 1, 1, 1, 1]\n")
    with pytest.raises(ConfigError, match="acceleration"):
        load_arm(str(path))


def test_anchors_and_aliases_may_be_used() -> None:
    assert parse_yaml(b"a: &a [1, 2]\nb: *a\nc: {<<: &m {x: 1}, y: 2}\nd: *m") == {
        "a": [1, 2], "b": [1, 2], "c": {"x": 1, "y": 2}, "d": {"x": 1},
    }  # fmt: skip
    assert parse_yaml(b"[" * (MAX_DEPTH - 1) + b"1" + b"]" * (MAX_DEPTH - 1)) is not None


def test_only_regular_files_of_bounded_size_are_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with (tmp_path / "long").open("wb") as stream:
        stream.truncate(2**40)
    for path in (tmp_path / "pipe", tmp_path / "long", tmp_path, Path("/dev/zero"), tmp_path / "none"):
        with pytest.raises(OSError):  # noqa: PT011
            read_bounded(path, MAX_TEXT)
        (tmp_path / "link.yaml").symlink_to(path)
        with pytest.raises(ConfigError, match="cannot read"):
            load_arm(str(tmp_path / "link.yaml"))
        (tmp_path / "link.yaml").unlink()


@pytest.mark.parametrize("text", NASTY.values(), ids=NASTY)
def test_parameter_files_and_goal_files_are_read_in_the_same_way(tmp_path: Path, monkeypatch, text) -> None:
    monkeypatch.chdir(tmp_path)
    data = text if isinstance(text, bytes) else text.encode()
    (tmp_path / "p.yaml").write_bytes(data)
    with pytest.raises(ConfigError):
        check_parameter_files(["--params-file", str(tmp_path / "p.yaml")], "mpc", MpcParameters)
    (tmp_path / "goal.png").write_bytes(PNG)
    (tmp_path / "goal.yaml").write_bytes(data)
    with pytest.raises(ConfigError):
        read_goal(tmp_path / "goal.png", ("joint",))


def _png() -> bytes:
    import cv2

    return bytes(cv2.imencode(".png", np.zeros((4, 4, 3), np.uint8))[1])


PNG = _png()
