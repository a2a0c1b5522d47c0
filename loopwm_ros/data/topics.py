"""Topics of a recording: those of the live system, and labels that only recordings have."""

from __future__ import annotations

IMAGE = "/camera/image_raw"
PACKED = "/compressed"
COMPRESSED = IMAGE + PACKED
TRANSPORTS = {"compressed": COMPRESSED, "raw": IMAGE}  # by the parameter image_transport
CAMERA_INFO = "/camera/camera_info"
LABELS = "/loopwm/labels/"
REWARD = LABELS + "reward"
DONE = LABELS + "done"


def label_topic(name: str) -> str:
    """Topic of the labelled point `name`, e.g. ball."""
    return LABELS + name
