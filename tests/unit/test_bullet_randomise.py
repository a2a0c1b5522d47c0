"""Draws: everything in its range, objects on the table, starts where the task says, clearance kept."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest

from loopwm_ros.bullet.randomise import MARK_THICKNESS, Draw, Randomiser
from loopwm_ros.config import ArmConfig, TaskConfig, load_arm, load_task, load_world
from loopwm_ros.control.kinematics import Kinematics

WORLD = load_world("tabletop")
TASKS = {"reach": (load_arm("panda"), load_task("reach")), "push": (load_arm("panda_rod"), load_task("push"))}
ROUNDING = 1e-9


def draws(name: str, count: int = 30) -> tuple[ArmConfig, TaskConfig, list[Draw]]:
    arm, task = TASKS[name]
    randomiser, rng = Randomiser(arm, task, WORLD), np.random.default_rng(0)
    return arm, task, [randomiser.draw(rng) for _ in range(count)]


def within(value: float, limits: tuple[float, float]) -> bool:
    return limits[0] - ROUNDING <= value <= limits[1] + ROUNDING


@pytest.mark.parametrize("name", TASKS)
def test_every_value_is_in_its_range_and_differs_from_draw_to_draw(name: str) -> None:
    arm, task, drawn = draws(name)
    ranges = task.randomisation
    for draw in drawn:
        for key, thing in draw.things.items():
            config = task.objects[key]
            x, y, _ = thing.position
            values = {
                "x": x,
                "y": y,
                "size": thing.size,
                "yaw": thing.yaw,
                "hue": thing.hue,
                "mass": thing.mass,
            }
            assert all(within(value, getattr(config, what)) for what, value in values.items()), key
        light = dict(zip(("light_x", "light_y", "light_z"), draw.light_direction, strict=True))
        light |= {k: getattr(draw, k) for k in ("friction", "light", "table_value")}
        assert all(within(value, getattr(ranges, what)) for what, value in light.items())
        for point, limits in (("position", ranges.camera_shift), ("look_at", ranges.camera_turn)):
            shift = np.subtract(getattr(draw.camera, point), getattr(arm.camera, point))
            assert all(within(value, limits) for value in shift)
        assert within(draw.camera.latency - arm.camera.latency, ranges.camera_latency)
        fixed = {"width", "height", "rate", "fx", "fy", "cx", "cy", "frame"}
        assert draw.camera.model_dump(include=fixed) == arm.camera.model_dump(include=fixed)
    assert len({draw.friction for draw in drawn}) == len({draw.start for draw in drawn}) == len(drawn)


@pytest.mark.parametrize("name", TASKS)
def test_objects_lie_on_the_table(name: str) -> None:
    _, _, drawn = draws(name, 5)
    half = {"sphere": lambda t: t.size, "box": lambda t: t.size / 2, "mark": lambda t: MARK_THICKNESS / 2}
    for draw in drawn:
        for thing in draw.things.values():
            above = thing.position[2] - WORLD.table_high[2]
            assert above == pytest.approx(half[thing.config.shape](thing))


def test_the_tool_starts_on_the_plane_and_in_its_range() -> None:
    arm, task, drawn = draws("push")
    kinematics = Kinematics(arm)
    assert task.plane is not None
    home = kinematics.tool_pose(kinematics.home)[:3, :3]
    for draw in drawn:
        joints = np.asarray(draw.start)
        x, y, z = kinematics.tool_position(joints)
        assert z == pytest.approx(task.plane.height, abs=2e-4)
        assert task.plane.x[0] - 2e-4 <= x <= task.plane.x[1] + 2e-4
        assert task.plane.y[0] - 2e-4 <= y <= task.plane.y[1] + 2e-4
        assert np.allclose(kinematics.tool_pose(joints)[:3, 2], home[:, 2], atol=0.05), "the rod stands"
        assert np.all((joints >= kinematics.lower) & (joints <= kinematics.upper))
    places = np.array([kinematics.tool_position(np.asarray(d.start))[:2] for d in drawn])
    spread = np.ptp(places, axis=0)
    assert np.all(spread > 0.7 * np.array([np.ptp(task.plane.x), np.ptp(task.plane.y)]))


def test_without_a_plane_the_tool_starts_near_home() -> None:
    arm, task, drawn = draws("reach")
    low, high = task.randomisation.start_joint_offset
    offsets = np.array([draw.start for draw in drawn]) - arm.home
    assert offsets.min() >= low - ROUNDING
    assert offsets.max() <= high + ROUNDING
    assert offsets.std() > 0.3 * high


def test_clearance_is_between_the_tool_and_all_objects_from_above() -> None:
    arm, task = TASKS["push"]
    randomiser, kinematics = Randomiser(arm, task, WORLD), Kinematics(arm)
    _, _, drawn = draws("push", 60)
    found = []
    for draw in drawn:
        places = [kinematics.tool_position(np.asarray(draw.start))[:2]]
        places += [np.asarray(thing.position[:2]) for thing in draw.things.values()]
        least = min(float(np.linalg.norm(a - b)) for a, b in combinations(places, 2))
        found.append(randomiser.clear(draw))
        assert found[-1] == (least >= task.clearance)
    assert {True, False} <= set(found)


def test_a_stream_gives_the_same_draws_whatever_was_drawn_before() -> None:
    arm, task = TASKS["push"]
    randomiser = Randomiser(arm, task, WORLD)
    first = randomiser.draw(np.random.default_rng(7))
    randomiser.draw(np.random.default_rng(8))
    assert randomiser.draw(np.random.default_rng(7)) == first
    assert Randomiser(arm, task, WORLD).draw(np.random.default_rng(7)) == first


def test_a_nominal_world_is_the_same_but_for_places() -> None:
    arm, task = TASKS["push"]
    randomiser, rng = Randomiser(arm, task.nominal(), WORLD), np.random.default_rng(0)
    first, second = randomiser.draw(rng), randomiser.draw(rng)
    for key in ("friction", "light", "light_direction", "table_value", "camera"):
        assert getattr(first, key) == getattr(second, key), key
    for name, thing in first.things.items():
        other = second.things[name]
        assert (thing.size, thing.hue, thing.mass) == (other.size, other.hue, other.mass)
        assert thing.position[:2] != other.position[:2]
    assert first.start != second.start


def test_a_thing_elsewhere_is_the_same_thing_on_the_same_table() -> None:
    _, _, (draw, *_) = draws("push", 1)
    cube = draw.things["cube"]
    moved = cube.at(0.5, 0.1, 0.3)
    assert moved.position == (0.5, 0.1, cube.position[2])
    assert (moved.yaw, moved.size, moved.hue, moved.mass) == (0.3, cube.size, cube.hue, cube.mass)


def test_solid_objects_do_not_overlap_but_one_may_stand_on_a_mark() -> None:
    task = load_task("clutter").model_copy(update={"clearance": 0.0})
    randomiser = Randomiser(load_arm("panda_rod"), task, WORLD)
    draw = randomiser.draw(np.random.default_rng(0))
    apart = {"cube": (0.4, 0.0), "blue": (0.5, 0.2), "yellow": (0.5, -0.2), "goal": (0.4, 0.0)}

    def clear(**moved: tuple[float, float]) -> bool:
        places = apart | moved
        things = {name: thing.at(*places[name], 0.0) for name, thing in draw.things.items()}
        return randomiser.clear(replace(draw, things=things))

    assert clear()
    reach = draw.things["cube"].reach + draw.things["blue"].reach
    assert not clear(blue=(0.4, 0.99 * reach))
    assert clear(blue=(0.4, 1.01 * reach))
