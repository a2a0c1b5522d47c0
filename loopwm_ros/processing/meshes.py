"""Looks at mesh files before the simulator does, whose readers trust what a file says of itself."""

from __future__ import annotations

import functools
import re
import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from loopwm_ros.config.outside import read_bounded
from loopwm_ros.errors import ConfigError, SensorError
from loopwm_ros.processing.images import MAX_IMAGE, check_image_size

MAX_MESH = 64 * 2**20  # of a file [bytes]; a link's visual mesh has 10 MB at most
SUFFIXES = (".obj", ".stl")  # Collada (.dae) is read by a parser that crashes on one damaged file in four
MAX_CORNER = 1e6  # of a coordinate, in millimetres as some files have it; the simulator never ends on NaN
STL_HEADER = 84  # of the binary form [bytes]
STL_TRIANGLE = np.dtype([("normal", "<f4", 3), ("corners", "<f4", 9), ("attribute", "<u2")])
CORNERS = ("v", "vt", "vn")  # what the numbers of a corner `f 1/2/3` count


def check_mesh(path: Path) -> None:
    """Refuse a mesh that would make the simulator read beyond its memory, or other people's files.

    Raises:
        ConfigError: it is too large, of another kind, or damaged; the message says what is wrong.
    """
    try:
        found = path.stat()
        _check(path, found.st_mtime_ns, found.st_size)
    except OSError as error:
        raise ConfigError(f"cannot read mesh {path}: {error.strerror}") from error
    except (ValueError, SensorError) as error:
        raise ConfigError(f"mesh {path} cannot be used: {error}") from error


@functools.lru_cache(maxsize=256)
def _check(path: Path, _time: int, _size: int) -> None:
    """Check once, until the file changes."""
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise ValueError(f"the simulator safely reads {' and '.join(SUFFIXES)} only; convert it")
    data = read_bounded(path, MAX_MESH)
    if suffix == ".obj":
        _check_obj(data, path.parent)
    else:
        _check_stl(data)


def _check_stl(data: bytes) -> None:
    """The file has room for just as many triangles as its header says. (The text form says no number)."""
    if data.startswith(b"solid") and b"facet" in data[:1024]:
        _check_corners(re.findall(rb"vertex[ \t]+(\S+)[ \t]+(\S+)[ \t]+(\S+)", data))
        return
    count = struct.unpack_from("<I", data, STL_HEADER - 4)[0] if len(data) >= STL_HEADER else -1
    if len(data) != STL_HEADER + STL_TRIANGLE.itemsize * count:
        raise ValueError(f"it has {len(data)} bytes for {count} triangles")
    triangles = np.frombuffer(data, dtype=STL_TRIANGLE, offset=STL_HEADER)
    _check_corners(triangles["corners"].reshape(-1, 3))


def _check_obj(data: bytes, folder: Path) -> None:
    """Faces refer to what is there, and materials and textures are files beside it."""
    counts = [len(re.findall(rb"^[ \t]*%b[ \t]" % kind.encode(), data, re.MULTILINE)) for kind in CORNERS]
    _check_corners(re.findall(rb"^[ \t]*v[ \t]+(\S+)[ \t]+(\S+)[ \t]+(\S+)", data, re.MULTILINE))
    for line in re.findall(rb"^[ \t]*f[ \t]([^\r\n]*)", data, re.MULTILINE):
        for corner in line.split():
            for text, count, kind in zip(corner.split(b"/"), counts, CORNERS, strict=False):
                index = int(text or 0)
                if abs(index) > count or not (index or kind != "v"):
                    raise ValueError(
                        f"a face has corner {corner.decode()}, and there are {count} of '{kind}'"
                    )
    for material in _named(rb"mtllib", data, folder):
        for texture in _named(rb"(?:map_|bump|disp|refl|norm)\w*", read_bounded(material), folder):
            check_image_size(read_bounded(texture, MAX_IMAGE))


def _check_corners(corners: ArrayLike) -> None:
    """Coordinates (m, 3) are numbers that a robot's parts have."""
    with np.errstate(invalid="ignore"):  # a signalling NaN
        values = np.asarray(corners, dtype=np.float64)
    if not np.all(np.abs(values) <= MAX_CORNER):
        raise ValueError(f"a corner is not finite, or beyond {MAX_CORNER:g}")


def _named(keyword: bytes, data: bytes, folder: Path) -> Iterator[Path]:
    """Files that exist of those that lines with `keyword` name, options before the name left out."""
    for line in re.findall(rb"^[ \t]*%b[ \t]+([^\r\n]*)" % keyword, data, re.MULTILINE):
        for name in line.decode().split():
            if name.startswith("/") or ".." in name:
                raise ValueError(f"it names a file outside of its folder: {name}")
            if (folder / name).is_file():
                yield folder / name
