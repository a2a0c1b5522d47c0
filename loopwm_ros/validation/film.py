"""A film strip of one episode: camera frames with the tool's path and the model's imagination drawn over."""

from __future__ import annotations

import io
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import cv2
import matplotlib as mpl
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageColor, ImageDraw, ImageFont

from loopwm_ros.config import CameraConfig
from loopwm_ros.processing.images import decode_image
from loopwm_ros.types import F64, U8
from loopwm_ros.validation.drawing import ACTUAL, IMAGINED, MOVED
from loopwm_ros.validation.overlay import Overlay, overlay_at
from loopwm_ros.validation.trace import Frame, Trace

_CASING = (16, 20, 26)  # dark outline that keeps lines legible on any background
LAST_SHOWN = 1500  # of a film's last frame, before it begins anew [ms]
_SHIFT = 4  # fractional bits of OpenCV's drawing coordinates
_GOAL_RING = 7.5  # radius of the ring round the goal [camera px]


def moments(frames: Sequence[Frame], count: int) -> tuple[Frame, ...]:
    """Up to `count` frames in order, evenly spread in time, the first and the last among them."""
    if len(frames) <= count:
        return tuple(frames)
    stamps = np.array([frame.stamp for frame in frames])
    wanted = np.linspace(stamps[0], stamps[-1], count)
    nearest = np.unique(np.abs(stamps[:, None] - wanted).argmin(axis=0))
    return tuple(frames[i] for i in nearest)


def draw(rgb: U8, overlay: Overlay, scale: int) -> U8:
    """Frame (h, w, 3) enlarged `scale` times with the overlay on it."""
    enlarged = cv2.resize(rgb, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
    canvas = np.ascontiguousarray(enlarged, dtype=np.uint8)
    actual, imagined, moved = (ImageColor.getrgb(colour) for colour in (ACTUAL, IMAGINED, MOVED))
    _line(canvas, overlay.coming * scale, actual, max(1, scale // 2), casing=0)
    _line(canvas, overlay.past * scale, actual, scale, casing=2)
    _line(canvas, overlay.moved * scale, moved, max(1, scale * 2 // 3), casing=2)
    _discs(canvas, overlay.moved * scale, moved, 0.9 * scale)
    _line(canvas, overlay.imagined * scale, imagined, max(1, scale * 2 // 3), casing=2)
    _discs(canvas, overlay.imagined * scale, imagined, 0.9 * scale)
    _discs(canvas, overlay.past[-1:] * scale, actual, 1.8 * scale)
    _ring(canvas, overlay.goal * scale, imagined, _GOAL_RING * scale, scale)
    return canvas


def film_strip(
    trace: Trace, camera: CameraConfig, count: int = 6, columns: int = 3, scale: int = 3, text: int = 7
) -> Image.Image:
    """`count` moments of an episode in rows of `columns`, each captioned with time and distance.

    `text`: size of the captions [camera px].
    """
    panels = [_panel(trace, camera, frame, scale, text * scale) for frame in moments(trace.frames, count)]
    if not panels:
        return Image.new("RGB", (camera.width * scale, camera.height * scale), "#808080")
    columns, gap = min(columns, len(panels)), 2 * scale
    width, height = panels[0].width + gap, panels[0].height + gap
    rows = -(-len(panels) // columns)
    strip = Image.new("RGBA", (columns * width - gap, rows * height - gap), (0, 0, 0, 0))
    for i, panel in enumerate(panels):
        strip.paste(panel, (i % columns * width, i // columns * height))
    return strip


def film(trace: Trace, camera: CameraConfig, count: int = 60, scale: int = 2, text: int = 11) -> bytes:
    """`count` moments of an episode one after the other, as an animated WebP at the speed they had.

    Raises:
        ValueError: the trace has no frames.
    """
    frames = moments(trace.frames, count)
    panels = [_panel(trace, camera, frame, scale, text * scale) for frame in frames]
    if not panels:
        raise ValueError("a film needs frames")
    lasting = [round((b.stamp - a.stamp) * 1e3) for a, b in pairwise(frames)]
    buffer = io.BytesIO()
    panels[0].save(
        buffer,
        "WEBP",
        save_all=True,
        append_images=panels[1:],
        duration=[*lasting, LAST_SHOWN],
        loop=0,
        quality=45,
        method=2,
    )
    return buffer.getvalue()


def encoded(image: Image.Image, kind: str = "PNG", quality: int = 88) -> bytes:
    """The image's bytes as PNG or WEBP, the latter in this quality of 100."""
    buffer = io.BytesIO()
    image.save(buffer, kind, quality=quality)
    return buffer.getvalue()


def _panel(trace: Trace, camera: CameraConfig, frame: Frame, scale: int, size: int) -> Image.Image:
    """One captioned moment; the caption stands below the picture, so it hides nothing."""
    picture = draw(decode_image(frame.jpeg), overlay_at(trace, camera, frame.stamp), scale)
    height, width = picture.shape[:2]
    panel = Image.new("RGB", (width, height + 2 * size), _CASING)
    panel.paste(Image.fromarray(picture))
    pen, font, middle = ImageDraw.Draw(panel), _font(size), height + size
    pen.text((size, middle), f"{frame.stamp - trace.start:.1f} s", "white", font, "lm")
    if len(trace.distance.stamps):
        distance = float(trace.distance.nearest(frame.stamp))
        pen.text((width - size, middle), f"{distance * 100:.1f} cm to go", "white", font, "rm")
    return panel


def _font(size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(Path(mpl.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf", size)


def _fixed(points: F64) -> NDArray[np.int32]:
    """Pixels to OpenCV's fixed-point coordinates, whose origin is the centre of the first pixel."""
    return np.asarray(np.round((points - 0.5) * 2**_SHIFT), dtype=np.int32)


def _line(canvas: U8, points: F64, colour: Sequence[int], width: int, casing: int) -> None:
    if len(points) < 2:
        return
    path = [_fixed(points)]
    if casing:
        cv2.polylines(canvas, path, False, _CASING, width + casing, cv2.LINE_AA, _SHIFT)
    cv2.polylines(canvas, path, False, colour, width, cv2.LINE_AA, _SHIFT)


def _discs(canvas: U8, points: F64, colour: Sequence[int], radius: float) -> None:
    for x, y in _fixed(points):
        cv2.circle(canvas, (x, y), int((radius + 1) * 2**_SHIFT), _CASING, -1, cv2.LINE_AA, _SHIFT)
        cv2.circle(canvas, (x, y), int(radius * 2**_SHIFT), colour, -1, cv2.LINE_AA, _SHIFT)


def _ring(canvas: U8, points: F64, colour: Sequence[int], radius: float, width: int) -> None:
    for x, y in _fixed(points):
        for shade, extra in ((_CASING, 2), (colour, 0)):
            thickness = max(1, width * 2 // 3) + extra
            cv2.circle(canvas, (x, y), int(radius * 2**_SHIFT), shade, thickness, cv2.LINE_AA, _SHIFT)
