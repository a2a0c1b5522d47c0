"""Damages valid files in many ways, for tests that nothing worse than an error comes of it."""

from __future__ import annotations

import copy
import os
import struct
import zlib
from collections.abc import Callable
from typing import Any, TypeVar

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

Test = TypeVar("Test", bound=Callable[..., None])

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "0"))  # of each test, drawn anew; 0: few, and always the same
NASTY = (
    *(None, True, [], {}, [[]], {"": None}, [0] * 1000, ["x"], [float("nan")] * 3, {"x": {"y": 1}}),
    *(
        "",
        " ",
        "\0",
        "../x",
        "/etc/passwd",
        "a" * 5000,
        "%n%s",
        "-1",
        "é",
        "package://..//x",
        "file:///dev/zero",
    ),
    *(0, -1, 1, 2**31, 2**63, 2**64, 10**400, 0.0, 1e308, 1e-320, float("nan"), float("inf"), -float("inf")),
)


def fuzz(examples: int) -> Callable[[Test], Test]:
    """Settings of a hypothesis test: `examples` of them, or FUZZ_EXAMPLES."""
    return settings(
        max_examples=EXAMPLES or examples,
        derandomize=not EXAMPLES,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )


def _slots(tree: Any) -> list[tuple[Any, Any]]:
    """Each container with each of its keys, all the way down."""
    keys = list(tree) if isinstance(tree, dict) else range(len(tree)) if isinstance(tree, list) else ()
    return [slot for key in keys for slot in [(tree, key), *_slots(tree[key])]]


@st.composite
def damaged_trees(draw: st.DrawFn, tree: Any) -> Any:
    """The tree with some values replaced, left out, moved or added."""
    made = copy.deepcopy(tree)
    for _ in range(draw(st.integers(1, 4))):
        slots = _slots(made)
        if not slots:
            return draw(st.sampled_from(NASTY))
        container, key = slots[draw(st.integers(0, len(slots) - 1))]
        what = draw(st.sampled_from(["replace", "replace", "remove", "move", "add"]))
        if what == "remove":
            del container[key]
        elif what == "move":
            other, name = slots[draw(st.integers(0, len(slots) - 1))]
            container[key] = copy.deepcopy(other[name])
        elif what == "add" and isinstance(container, dict):
            container[draw(st.sampled_from(["x", "", "extends", "urdf", "1"]))] = draw(st.sampled_from(NASTY))
        else:
            container[key] = copy.deepcopy(draw(st.sampled_from(NASTY)))
    return made


@st.composite
def damaged_bytes(draw: st.DrawFn, data: bytes) -> bytes:
    """The bytes with some altered, left out, doubled or cut off."""
    made = bytearray(data)
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, max(0, len(made) - 1)))
        what = draw(st.sampled_from(["set", "set", "fill", "remove", "repeat", "cut"]))
        length = draw(st.sampled_from([1, 2, 4, 8, 100]))
        if what == "set":
            made[at : at + 1] = bytes([draw(st.integers(0, 255))])
        elif what == "fill":
            made[at : at + length] = draw(st.sampled_from([b"\xff", b"\0", b"[", b"<", b"&"])) * length
        elif what == "remove":
            del made[at : at + length]
        elif what == "repeat":
            made[at:at] = made[at : at + length]
        else:
            del made[at:]
    return bytes(made)


def png(width: int, height: int) -> bytes:
    """A PNG that says it is of that size."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = [(b"IHDR", header), (b"IDAT", zlib.compress(b"\0" * 100)), (b"IEND", b"")]
    made = b"\x89PNG\r\n\x1a\n"
    for kind, data in parts:
        made += struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    return made
