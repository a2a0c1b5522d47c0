"""Bundles from anybody: refused with one error, without reading other files or asking for much memory."""

from __future__ import annotations

import json
import shutil
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto

from loopwm_ros.bundle import Bundle, load_bundle, sha256_of
from loopwm_ros.config import load_arm, load_task
from loopwm_ros.errors import BundleError, LoopWMError, SensorError
from loopwm_ros.processing.images import MAX_PIXELS, decode_image, encode_image
from loopwm_ros.world_model.sessions import open_sessions
from loopwm_ros.world_model.settings import WorldModelSettings
from tests.bundles import make_bundle
from tests.mutation import damaged_bytes, damaged_trees, fuzz, png

Values = dict[str, Any]


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return make_bundle(tmp_path_factory.mktemp("bundle"), load_arm("panda"), load_task("reach"))


@pytest.fixture
def copy(bundle: Bundle, tmp_path: Path) -> Path:
    return Path(shutil.copytree(bundle.root, tmp_path / "copy"))


def sign(root: Path, data: bytes) -> None:
    """Write a manifest with the checksum that belongs to it, as anybody can."""
    (root / "manifest.json").write_bytes(data)
    (root / "manifest.sha256").write_text(f"{sha256_of(data)}  manifest.json\n")


def values(root: Path) -> Values:
    return dict(json.loads((root / "manifest.json").read_bytes()))


def test_damaged_manifests_load_or_get_an_error(copy: Path) -> None:
    text = (copy / "manifest.json").read_bytes()
    tree = json.loads(text)

    @fuzz(150)
    @given(st.one_of(damaged_trees(tree).map(lambda t: json.dumps(t).encode()), damaged_bytes(text)))
    def check(data: bytes) -> None:
        sign(copy, data)
        said, files = "", set()
        try:
            files = {each.file for each in load_bundle(copy).manifest.graphs.values()}
        except LoopWMError as error:
            said = str(error)
        assert len(said) < 20_000
        assert files <= {path.name for path in copy.iterdir()}

    check()


CHANGES: dict[str, Callable[[Values], object]] = {
    "a file above": lambda v: v["graphs"]["block"].update(file="../secret.onnx"),
    "a file from the root": lambda v: v["graphs"]["block"].update(file="/tmp/secret.onnx"),
    "a file below": lambda v: v["graphs"]["block"].update(file="a/secret.onnx"),
    "a file with a line end": lambda v: v["graphs"]["block"].update(file="block.onnx\n"),
    "an unknown graph": lambda v: v["graphs"].update(evil=v["graphs"]["block"]),
    "a huge image": lambda v: v["spec"].update(image_width=10**6, image_height=10**6),
    "a huge state": lambda v: v["spec"].update(tokens=2**16, width=2**16),
    "many joints": lambda v: v["spec"].update(
        joints=["j"] * 10**5, proprio_mean=[0] * 200003, proprio_std=[1] * 200003
    ),
    "many loops": lambda v: v["spec"].update(max_loops=10**9),
    "a mean that is no number": lambda v: v["spec"].update(image_mean=float("nan")),
    "a huge camera": lambda v: v["camera"].update(width=10**9, height=10**9),
    "another format": lambda v: v.update(format=[1]),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_manifest_names_files_of_its_bundle_and_sizes_that_fit(copy: Path, change) -> None:
    changed = values(copy)
    change(changed)
    sign(copy, json.dumps(changed).encode())
    with pytest.raises(BundleError, match=r"manifest\.json (is not valid|has)"):
        load_bundle(copy)


@pytest.mark.parametrize(
    "data", [b"[" * 10**6, b'{"format": ' + b"9" * 10**4 + b"}", b"\xff", b"", b"1", b"null"]
)
def test_what_is_no_manifest(copy: Path, data: bytes) -> None:
    sign(copy, data)
    with pytest.raises(BundleError):
        load_bundle(copy)


@pytest.mark.parametrize("name", ["manifest.json", "manifest.sha256", "block.onnx"])
def test_endless_and_huge_files_are_not_read(copy: Path, tmp_path: Path, name: str) -> None:
    with (tmp_path / "huge").open("wb") as stream:
        stream.truncate(2**41)
    for target in (tmp_path / "huge", Path("/dev/zero"), tmp_path):
        (copy / name).unlink()
        (copy / name).symlink_to(target)
        with pytest.raises(BundleError):
            load_bundle(copy)


def outside(location: str, offset: int = 0) -> bytes:
    """A graph that adds weights from another place."""
    weights = TensorProto(name="w", data_type=1, dims=[4], data_location=TensorProto.EXTERNAL)
    for key, value in (("location", location), ("offset", str(offset)), ("length", "16")):
        weights.external_data.add(key=key, value=value)
    x, y = (onnx.helper.make_tensor_value_info(name, 1, [4]) for name in "xy")
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("Add", ["x", "w"], ["y"])], "g", [x], [y], [weights]
    )
    return bytes(onnx.helper.make_model(graph).SerializeToString())


def with_graph(root: Path, name: str, data: bytes) -> Bundle:
    changed = values(root)
    changed["graphs"][name]["sha256"] = sha256_of(data)
    (root / f"{name}.onnx").write_bytes(data)
    sign(root, json.dumps(changed).encode())
    return load_bundle(root)


SECRET = np.arange(4, dtype=np.float32)
LOCATIONS = {
    "in the bundle": outside("secret.bin"),
    "above": outside("../secret.bin"),
    "from the root": outside("/tmp/secret.bin"),
    "in memory": outside("*/_ORT_MEM_ADDR_/*", SECRET.ctypes.data),
    "a longer way to write the same": outside("secret.bin").replace(b"\x08location", b"\x88\x80\x00location"),
    "not ONNX": b"\0\0\0\0ORTM" + b"\0" * 100,
    "nothing": b"",
}


@pytest.mark.parametrize("data", LOCATIONS.values(), ids=LOCATIONS)
def test_weights_from_elsewhere_are_never_read(copy: Path, monkeypatch, data: bytes) -> None:
    for folder in (copy, copy.parent):
        (folder / "secret.bin").write_bytes(SECRET.tobytes())
    monkeypatch.chdir(copy)
    bundle = with_graph(copy, "block", data)
    with pytest.raises(BundleError, match="block"):
        open_sessions(bundle, WorldModelSettings(provider="cpu"))


def test_shipped_graphs_hold_their_weights(repository: Path) -> None:
    from loopwm_ros.world_model.graph_file import check_self_contained

    graphs = sorted((repository / "models").rglob("*.onnx"))
    assert graphs
    for path in graphs:
        check_self_contained(path.name, path.read_bytes())


def jpeg(width: int, height: int) -> bytes:
    """A JPEG that says it is of that size."""
    made = bytearray(encode_image(np.zeros((8, 8, 3), np.uint8)))
    at = made.index(b"\xff\xc0")
    made[at + 5 : at + 9] = struct.pack(">HH", height, width)
    return bytes(made)


@pytest.mark.parametrize("make", [png, jpeg])
def test_images_that_say_they_are_huge_are_not_decoded(make, monkeypatch) -> None:
    monkeypatch.setattr("cv2.imdecode", lambda *_: pytest.fail("it was decoded"))
    for size in ((65_000, 65_000), (65_535, 1 + MAX_PIXELS // 65_535)):
        with pytest.raises(SensorError, match="more than"):
            decode_image(make(*size))


def test_other_formats_are_not_decoded() -> None:
    import cv2

    image = np.zeros((4, 4, 3), np.uint8)
    for suffix in (".bmp", ".tiff", ".webp", ".ppm", ".jp2"):
        with pytest.raises(SensorError, match="expected JPEG or PNG"):
            decode_image(bytes(cv2.imencode(suffix, image)[1]))


@fuzz(300)
@given(
    st.one_of(
        *(
            damaged_bytes(data)
            for data in (
                png(3, 3),
                jpeg(8, 8),
                encode_image(np.eye(9, dtype=np.uint8)[..., None].repeat(3, 2) * 255),
            )
        )
    )
)
def test_damaged_images_are_decoded_or_refused(data: bytes) -> None:
    try:
        found = decode_image(data)
    except SensorError:
        return
    assert found.dtype == np.uint8
    assert found.shape[2] == 3
