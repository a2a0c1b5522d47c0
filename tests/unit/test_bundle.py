"""Bundles: every byte is verified, and an arm, camera or period it was not made for is refused."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from loopwm_ros.bundle import (
    CHECKSUM,
    GRAPHS,
    MANIFEST,
    Bundle,
    check_fit,
    load_bundle,
    sha256_of,
    write_manifest,
)
from loopwm_ros.config import RodConfig, load_arm, load_task
from loopwm_ros.errors import BundleError, MismatchError
from tests.bundles import make_bundle
from tests.fakes import make_spec

ARM, TASK = load_arm("panda"), load_task("reach")


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return make_bundle(tmp_path_factory.mktemp("original"), ARM, TASK)


@pytest.fixture
def root(original: Bundle, tmp_path: Path) -> Path:
    """A copy to damage."""
    return Path(shutil.copytree(original.root, tmp_path / "bundle"))


def flip(path: Path, position: int) -> None:
    data = bytearray(path.read_bytes())
    data[position] ^= 1
    path.write_bytes(bytes(data))


def rewrite(root: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change the manifest together with its checksum, as a bad exporter would."""
    values = json.loads((root / MANIFEST).read_bytes())
    change(values)
    data = json.dumps(values).encode()
    (root / MANIFEST).write_bytes(data)
    (root / CHECKSUM).write_text(f"{sha256_of(data)}  {MANIFEST}\n")


def test_an_untouched_bundle_loads_the_same(original: Bundle, root: Path) -> None:
    assert load_bundle(root).sha256 == original.sha256
    assert load_bundle(root).manifest == original.manifest
    assert load_bundle(root).graph("block") == (original.root / "block.onnx").read_bytes()


@pytest.mark.parametrize("name", GRAPHS)
@pytest.mark.parametrize("where", [0, 0.5, -1])
def test_one_altered_byte_of_a_graph_is_refused(root: Path, name: str, where: float) -> None:
    path = root / f"{name}.onnx"
    flip(path, int(where * path.stat().st_size) if where > 0 else int(where))
    with pytest.raises(BundleError, match=rf"{name}\.onnx does not match its manifest"):
        load_bundle(root)


@pytest.mark.parametrize("key", ["max_tool_speed", "kinematic", "fx", "git_revision", "stride"])
def test_one_altered_byte_of_the_manifest_is_refused(root: Path, key: str) -> None:
    position = (root / MANIFEST).read_text().index(key)
    flip(root / MANIFEST, position + len(key) + 4)  # within the value, where the JSON may well stay valid
    with pytest.raises(BundleError, match=r"manifest\.json does not match"):
        load_bundle(root)


@pytest.mark.parametrize("position", [0, 63, 64, 70, -1])
def test_one_altered_byte_of_the_checksum_is_refused(root: Path, position: int) -> None:
    flip(root / CHECKSUM, position)
    with pytest.raises(BundleError, match=r"manifest"):
        load_bundle(root)


def test_a_graph_altered_after_loading_is_refused_when_it_is_read(root: Path) -> None:
    bundle = load_bundle(root)
    flip(root / "coda.onnx", 10)
    with pytest.raises(BundleError, match="altered or cut short"):
        bundle.graph("coda")


@pytest.mark.parametrize("name", [*(f"{g}.onnx" for g in GRAPHS), MANIFEST, CHECKSUM])
def test_a_missing_file_is_named(root: Path, name: str) -> None:
    (root / name).unlink()
    with pytest.raises(BundleError, match=re.escape(name)):
        load_bundle(root)


def test_a_folder_without_a_bundle_is_named(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"nowhere is not a model bundle"):
        load_bundle(tmp_path / "nowhere")


def test_another_format_is_refused_before_its_contents_are_judged(root: Path) -> None:
    rewrite(root, lambda m: m.update(format=2, invented=True))
    with pytest.raises(BundleError, match="has format 2; this version reads format 1"):
        load_bundle(root)


@pytest.mark.parametrize("text", ["[]", "1", "null", "{", "", "\x00"])
def test_a_manifest_that_is_none_is_refused(root: Path, text: str) -> None:
    (root / MANIFEST).write_text(text)
    (root / CHECKSUM).write_text(f"{sha256_of(text.encode())}  {MANIFEST}\n")
    with pytest.raises(BundleError, match=r"not valid JSON|has format None"):
        load_bundle(root)


@pytest.mark.parametrize(
    "file", ["../block.onnx", "/etc/block.onnx", "a/block.onnx", "block.onnx\n", "block.pt"]
)
def test_a_file_name_cannot_leave_the_bundle(root: Path, file: str) -> None:
    rewrite(root, lambda m: m["graphs"]["block"].update(file=file))
    with pytest.raises(BundleError, match=r"graphs\.block\.file"):
        load_bundle(root)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda m: m["graphs"].pop("monitor"), "lacks graphs: monitor"),
        (lambda m: m.update(colour="red"), "colour"),
        (lambda m: m["spec"]["proprio_mean"].pop(), "16 values, expected 17"),
        (lambda m: m["spec"]["proprio_std"].__setitem__(3, 0.0), r"proprio_std\.3"),
        (lambda m: m["spec"].update(control_period=0), "control_period"),
    ],
)
def test_a_manifest_that_does_not_hold_together_is_refused(
    root: Path, change: Callable[[dict[str, Any]], object], message: str
) -> None:
    rewrite(root, change)
    with pytest.raises(BundleError, match=message):
        load_bundle(root)


def test_writing_verifies_what_was_written(root: Path, original: Bundle) -> None:
    flip(root / "heads.onnx", 5)
    with pytest.raises(BundleError, match=r"heads\.onnx"):
        write_manifest(root, original.manifest)


def test_fit_accepts_what_it_was_made_for(original: Bundle) -> None:
    check_fit(original.manifest, ARM, (160, 120), 0.05)
    check_fit(original.manifest, ARM, None, 0.05)


@pytest.mark.parametrize(
    ("arm", "camera", "period", "message"),
    [
        ({"joints": (ARM.joints[1], ARM.joints[0], *ARM.joints[2:])}, (160, 120), 0.05, "names and order"),
        ({"joints": ARM.joints[:6]}, (160, 120), 0.05, "names and order"),
        ({"tool_frame": "panda_hand"}, (160, 120), 0.05, "'panda_grasptarget'.*'panda_hand'"),
        ({}, (640, 480), 0.05, "160x120 camera, got 640x480"),
        ({}, (120, 160), 0.05, "160x120 camera, got 120x160"),
        ({}, (160, 120), 0.08, "period of 80 ms does not go with the model: choose 50 ms"),
        ({}, None, 0.0501, "period of 50.1 ms does not go with the model: choose 50 ms"),
    ],
)
def test_fit_refuses_what_differs_and_names_both(
    original: Bundle, arm: dict[str, object], camera: tuple[int, int] | None, period: float, message: str
) -> None:
    with pytest.raises(MismatchError, match=message):
        check_fit(original.manifest, ARM.model_copy(update=arm), camera, period)


ROD = RodConfig(length=0.2, radius=0.01)


@pytest.mark.parametrize(
    ("trained", "held", "message"),
    [
        (None, ROD, "trained with no rod on the tool frame, arm 'panda' has a rod of 0.2 m, radius 0.01 m"),
        (ROD, None, "trained with a rod of 0.2 m, .* arm 'panda' has no rod on the tool frame"),
        (ROD, RodConfig(length=0.25, radius=0.01), "a rod of 0.2 m, .* has a rod of 0.25 m"),
        (ROD, RodConfig(length=0.2, radius=0.02), "radius 0.01 m, .* radius 0.02 m"),
    ],
)
def test_fit_refuses_another_rod(
    original: Bundle, trained: RodConfig | None, held: RodConfig | None, message: str
) -> None:
    spec = original.manifest.spec.model_copy(update={"rod": trained})
    manifest = original.manifest.model_copy(update={"spec": spec})
    check_fit(manifest, ARM.model_copy(update={"rod": trained}), (160, 120), 0.05)
    with pytest.raises(MismatchError, match=message):
        check_fit(manifest, ARM.model_copy(update={"rod": held}), (160, 120), 0.05)


def test_a_manifest_from_before_rods_and_planes_means_no_rod_and_three_components(
    root: Path, original: Bundle
) -> None:
    rewrite(root, lambda m: (m["spec"].pop("rod"), m["spec"].pop("action_dim")))
    spec = load_bundle(root).manifest.spec
    assert (spec.rod, spec.action_dim) == (None, 3)
    assert spec == original.manifest.spec


def test_columns_are_found_by_name() -> None:
    spec = make_spec(quantities=("ball_z", "tool_y", "tool_x", "ball_x", "tool_z", "ball_y"))
    assert spec.columns("tool") == [2, 1, 4]
    assert spec.columns("ball") == [3, 5, 0]
    with pytest.raises(MismatchError, match="no quantity cup_x, cup_y, cup_z; the model reads out ball_z"):
        spec.columns("cup")
