"""What an ONNX file must not do: read other files, or memory, in place of weights of its own."""

from __future__ import annotations

import re

from loopwm_ros.errors import BundleError

# An entry of `TensorProto.external_data` with the key "location": its tag and length, in whichever of the
# encodings protobuf allows, and the key. Runtimes look it up by that very name, for files and memory alike.
_ELSEWHERE = re.compile(rb"(?:\x0a|\x8a\x80*\x00)(?:\x08|\x88\x80*\x00)location")
_ORT_FORMAT = b"ORTM"  # at offset 4: ONNX Runtime's own format, which it takes for granted


def check_self_contained(name: str, data: bytes) -> None:
    """Refuse a graph whose weights lie elsewhere than in the verified bytes.

    Raises:
        BundleError: naming the graph.
    """
    if _ELSEWHERE.search(data):
        raise BundleError(
            f"graph '{name}' keeps weights outside of its file, where no checksum covers them; export it "
            "with all weights inside"
        )
    if data[4:8] == _ORT_FORMAT:
        raise BundleError(f"graph '{name}' is in ONNX Runtime's own format; expected ONNX")
