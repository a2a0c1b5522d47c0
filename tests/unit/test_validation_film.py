"""What is drawn over the camera's frames."""

from __future__ import annotations

import io
import json

import numpy as np
from PIL import Image, ImageColor

from loopwm_ros.processing.camera import project
from loopwm_ros.validation.drawing import ACTUAL, IMAGINED
from loopwm_ros.validation.film import LAST_SHOWN, draw, encoded, film, film_strip, moments
from loopwm_ros.validation.overlay import Overlay, overlay_at
from loopwm_ros.validation.player import film_data
from loopwm_ros.validation.trace import Frame, TraceRecorder
from tests import episodes as samples

NOTHING = np.empty((0, 2))


def test_moments_are_in_order_and_span_the_episode() -> None:
    frames = [Frame(0.1 * i, b"") for i in range(100)]
    picked = [frame.stamp for frame in moments(frames, 6)]
    assert len(picked) == 6
    assert picked == sorted(picked)
    assert (picked[0], picked[-1]) == (frames[0].stamp, frames[-1].stamp)


def test_moments_follow_time_rather_than_frame_count() -> None:
    stamps = [0.0, 0.1, 0.2, 0.3, 5.0, 10.0]
    assert [frame.stamp for frame in moments([Frame(t, b"") for t in stamps], 3)] == [0.0, 5.0, 10.0]


def test_fewer_frames_than_moments_are_all_taken() -> None:
    assert len(moments([Frame(0.0, b""), Frame(1.0, b"")], 6)) == 2


def test_overlay_is_the_projection_of_the_trace() -> None:
    trace, camera = samples.trace(start=5.0), samples.camera()
    overlay = overlay_at(trace, camera, 6.0)
    here = project(camera, samples.START + samples.VELOCITY)
    np.testing.assert_allclose(overlay.past[-1:], here, atol=1e-6)
    np.testing.assert_allclose(overlay.coming[:1], here, atol=1e-6)
    np.testing.assert_allclose(overlay.past[0], project(camera, samples.START)[0])
    np.testing.assert_allclose(overlay.coming[-1], overlay.imagined[-1], atol=1e-6)
    np.testing.assert_allclose(overlay.goal, project(camera, samples.BALL))
    assert len(overlay.imagined) == 5


def test_overlay_without_a_plan_has_only_the_past() -> None:
    recorder = TraceRecorder(0.1)
    recorder.tool(0.0, samples.START)
    recorder.tool(1.0, samples.BALL)
    overlay = overlay_at(recorder.finish(samples.result()), samples.camera(), 0.5)
    assert len(overlay.past) == 2
    assert (len(overlay.imagined), len(overlay.goal)) == (0, 0)


def test_drawing_puts_the_colours_where_the_pixels_say() -> None:
    overlay = Overlay(
        past=np.array([[20.0, 60.0], [60.0, 60.0]]),
        coming=NOTHING,
        imagined=np.array([[100.0, 20.0], [140.0, 20.0]]),
        goal=NOTHING,
    )
    picture = draw(np.zeros((120, 160, 3), dtype=np.uint8), overlay, 4)
    assert picture.shape == (480, 640, 3)
    assert tuple(picture[240, 160]) == ImageColor.getrgb(ACTUAL)
    assert tuple(picture[80, 480]) == ImageColor.getrgb(IMAGINED)
    assert not picture[400:].any()


def test_strip_has_all_panels_in_order() -> None:
    trace, camera = samples.trace(), samples.camera()
    strip = film_strip(trace, camera, count=6, columns=3, scale=2, text=5)
    panel = (160 * 2, 120 * 2 + 2 * 10)
    assert strip.size == (3 * panel[0] + 2 * 4, 2 * panel[1] + 4)
    corners = [
        strip.getpixel((c * (panel[0] + 4) + 2, r * (panel[1] + 4) + 2))[0] for r in (0, 1) for c in (0, 1, 2)
    ]
    assert corners == sorted(corners)
    assert len(set(corners)) == 6
    assert Image.open(io.BytesIO(encoded(strip))).size == strip.size


def test_strip_without_frames_is_a_blank_image() -> None:
    trace = TraceRecorder(0.1).finish(samples.result())
    assert film_strip(trace, samples.camera(), scale=1).size == (160, 120)


def test_player_data_is_json_with_one_entry_a_frame() -> None:
    trace, camera = samples.trace(), samples.camera()
    data = json.loads(json.dumps(film_data(samples.summary([trace.result]), trace, camera), allow_nan=False))
    assert len(data["frames"]) == len(data["track"]) == 21
    frame = data["frames"][10]
    assert frame["time"] == 1.0
    assert frame["until"] == 15
    np.testing.assert_allclose(
        data["track"][10], project(camera, samples.START + samples.VELOCITY)[0], atol=0.051
    )
    np.testing.assert_allclose(frame["imagined"][-1], data["track"][15], atol=0.11)
    assert (frame["distance"], frame["cycle"], frame["loops"]) == (21.0, 30.0, 3.0)


def test_player_data_of_a_controller_without_a_model() -> None:
    recorder = TraceRecorder(0.1)
    recorder.frame(0.0, b"jpeg")
    trace = recorder.finish(samples.result())
    data = film_data(samples.summary([trace.result]), trace, samples.camera())
    assert data["track"] == []
    assert data["frames"][0]["imagined"] == []
    assert data["frames"][0]["cycle"] is None


def test_a_film_lasts_as_long_as_what_it_shows() -> None:
    picture = Image.open(io.BytesIO(film(samples.trace(frames=9), samples.camera(), count=5)))
    assert picture.is_animated
    durations = []
    for i in range(picture.n_frames):
        picture.seek(i)
        picture.load()
        durations.append(picture.info["duration"])
    assert durations == [200, 200, 200, 200, LAST_SHOWN], "every second frame of 10 Hz"
