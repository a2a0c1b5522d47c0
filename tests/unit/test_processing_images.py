"""Images: the model's input, and the codec of the topics."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from loopwm_ros.errors import SensorError
from loopwm_ros.processing.images import (
    decode_image,
    encode_image,
    normalise_image,
    prepare_image,
    shrink_image,
)
from tests.fakes import make_spec

SPEC = make_spec(image_width=8, image_height=6, image_mean=0.4, image_std=0.2)


def picture(width: int = 16, height: int = 12) -> np.ndarray:
    """Red grows to the right, green downwards."""
    rgb = np.zeros((height, width, 3), dtype=np.uint8)
    rgb[..., 0] = np.linspace(0, 240, width)[None]
    rgb[..., 1] = np.linspace(0, 200, height)[:, None]
    rgb[..., 2] = 30
    return rgb


def test_prepared_images_are_channels_first_and_normalised() -> None:
    prepared = prepare_image(SPEC, np.full((12, 16, 3), (255, 0, 51), dtype=np.uint8))
    assert prepared.shape == (3, 6, 8)
    assert prepared.dtype == np.float32
    assert prepared.flags.c_contiguous
    expected = (np.array([1.0, 0.0, 0.2]) - 0.4) / 0.2
    assert np.allclose(prepared, expected[:, None, None], atol=1e-6)


def test_batches_are_normalised_like_single_images() -> None:
    images = np.stack([picture(8, 6), 255 - picture(8, 6)])
    batch = normalise_image(SPEC, images)
    assert batch.shape == (2, 3, 6, 8)
    for row, image in zip(batch, images, strict=True):
        assert np.array_equal(row, prepare_image(SPEC, image))


def test_the_cached_form_gives_the_same_input_as_the_whole_image() -> None:
    whole = picture(160, 120)
    cached = shrink_image(whole, SPEC.image_width, SPEC.image_height)
    assert cached.dtype == np.uint8
    assert np.array_equal(prepare_image(SPEC, whole), prepare_image(SPEC, cached))


def test_shrinking_averages_areas_and_leaves_the_right_size_alone() -> None:
    chequers = np.zeros((12, 16, 3), dtype=np.uint8)
    chequers[::2, ::2] = chequers[1::2, 1::2] = 200
    assert np.all(shrink_image(chequers, 8, 6) == 100)
    rgb = picture(8, 6)
    assert shrink_image(rgb, 8, 6) is rgb
    assert shrink_image(picture(160, 120), 8, 6).shape == (6, 8, 3)


def test_jpeg_keeps_colours_and_their_order() -> None:
    rgb = np.full((24, 32, 3), (220, 40, 90), dtype=np.uint8)
    again = decode_image(encode_image(rgb))
    assert again.shape == rgb.shape
    assert np.abs(again.astype(int) - rgb).max() < 6


def test_png_is_read_exactly() -> None:
    rgb = picture()
    done, data = cv2.imencode(".png", rgb[..., ::-1])
    assert done
    assert np.array_equal(decode_image(memoryview(data.tobytes())), rgb)


def test_quality_costs_bytes() -> None:
    noise = np.random.default_rng(0).integers(0, 255, (48, 64, 3), dtype=np.uint8)
    assert len(encode_image(noise, quality=30)) < len(encode_image(noise, quality=95))


@pytest.mark.parametrize("data", [b"", b"no image", b"\xff\xd8\xff", encode_image(picture())[:40]])
def test_bytes_that_are_no_image_are_refused(data: bytes) -> None:
    with pytest.raises(SensorError, match=rf"of {len(data)} bytes .* expected JPEG or PNG"):
        decode_image(data)


def test_an_older_opencv_decodes_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    data = encode_image(picture())
    newer = decode_image(data)
    monkeypatch.setattr("loopwm_ros.processing.images.RGB", None)
    np.testing.assert_array_equal(decode_image(data), newer)
