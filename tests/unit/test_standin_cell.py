"""The stand-in arm: the simulation's scenes under other physics, a servo that lags and sensors that err."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from loopwm_ros.bullet.cell import BulletCell, Contact
from loopwm_ros.config import ArmConfig, TaskConfig, load_arm, load_task, load_world
from loopwm_ros.config.resources import find_resource
from loopwm_ros.control.kinematics import Kinematics
from loopwm_ros.errors import ConfigError
from loopwm_ros.standin.cell import MujocoCell
from loopwm_ros.standin.settings import StandinSettings
from loopwm_ros.types import CameraFrame

ARM, TASK = load_arm("panda"), load_task("reach")
ROD_ARM, PUSH = load_arm("panda_rod"), load_task("push")
WORLD = load_world(TASK.world)
PERIOD = 1.0 / WORLD.servo_rate
NO_SHARES = {name: 0.0 for name in StandinSettings.model_fields if name.endswith("_share")}
PERFECT = StandinSettings(
    **NO_SHARES,
    command_delay=0.0,
    command_jitter=0.0,
    joint_noise=0.0,
    joint_step=0.0,
    velocity_noise=0.0,
    camera_delay=0.0,
    camera_jitter=0.0,
    pixel_noise=0.0,
)


def make(arm: ArmConfig, task: TaskConfig, settings: StandinSettings | None = None) -> MujocoCell:
    return MujocoCell(arm, task, load_world(task.world), settings)


@pytest.fixture(scope="module")
def cell() -> Iterator[MujocoCell]:
    cell = make(ARM, TASK)
    yield cell
    cell.close()


@pytest.fixture(scope="module")
def push() -> Iterator[MujocoCell]:
    cell = make(ROD_ARM, PUSH)
    yield cell
    cell.close()


def run(cell: BulletCell, seed: int, steps: int) -> tuple[np.ndarray, list[CameraFrame]]:
    """Measured joints and frames of an arm that swings about its start."""
    cell.reset(seed)
    frames, states = [], []
    start = np.asarray(cell.draw.start)
    for i in range(steps):
        cell.step(start + 0.05 * np.sin(i / 10.0))
        states.append(cell.joint_state().position)
        if (frame := cell.new_frame()) is not None:
            frames.append(frame)
    return np.asarray(states), frames


def swept(cell: MujocoCell, seed: int, friction: float) -> np.ndarray:
    """How far the cube slides, (2,) [m], when it is let go at 0.5 m/s."""
    cell.reset(seed)
    cell._draw = type(cell.draw)(**{**vars(cell.draw), "friction": friction})
    cell._begin(seed)
    before = cell.truth().points["cube"]
    cell._plant._data.joint("cell/cube").qvel[0] = 0.5
    for _ in range(80):
        cell.step(None)
    return cell.truth().points["cube"][:2] - before[:2]


@pytest.mark.parametrize("name", ["panda", "panda_rod", "ur5e", "xarm6", "iiwa"])
def test_every_arm_stands_still_at_its_start_and_follows_its_joints(name: str) -> None:
    arm = load_arm(name)
    cell = make(arm, PUSH if name == "panda_rod" else TASK)
    start, kinematics = np.asarray(cell.draw.start), Kinematics(arm)
    for _ in range(40):
        cell.step(start)
    assert np.abs(cell.joint_state().position - start).max() < 2e-3
    for i in range(120):
        cell.step(start + 0.1 * min(1.0, i / 80) * np.array([1.0, *(-np.ones(len(start) - 1))]))
    reached = cell.joint_state().position
    assert np.abs(reached - start - 0.1 * np.array([1.0, *(-np.ones(len(start) - 1))])).max() < 2e-3
    assert np.allclose(kinematics.tool_position(reached), cell.truth().tool, atol=2e-3)
    assert np.allclose(cell._plant.point(arm.tool_point), cell.truth().tool, atol=1e-6)
    cell.close()


def test_scenes_are_the_simulation_s(push: MujocoCell) -> None:
    simulation = BulletCell(ROD_ARM, PUSH, WORLD)
    for seed in range(3):
        for each in (push, simulation):
            each.reset(seed, hidden=["goal"])
        assert push.draw == simulation.draw
        ours, theirs = push.truth(), simulation.truth()
        assert ours.distance == theirs.distance
        assert all(np.array_equal(ours.points[name], theirs.points[name]) for name in ours.points)
    simulation.close()


def test_same_seed_same_episode_after_any_other(cell: MujocoCell) -> None:
    first, frames = run(cell, 5, 60)
    run(cell, 9, 30)
    again, frames_again = run(cell, 5, 60)
    assert np.array_equal(first, again)
    assert all(np.array_equal(a.rgb, b.rgb) for a, b in zip(frames, frames_again, strict=True))
    assert not np.array_equal(first, run(cell, 6, 60)[0])


def test_the_arm_lags_behind_its_commands(cell: MujocoCell) -> None:
    cell.reset(1)
    start, speed = np.asarray(cell.draw.start), 0.2
    for i in range(60):
        command = start + speed * i * PERIOD
        cell.step(command)
    lag = (command + speed * PERIOD - cell.joint_state().position) / speed
    settings = StandinSettings()
    expected = (
        settings.command_delay
        + settings.servo_smoothing
        + settings.servo_damping / (np.pi * settings.servo_frequency)
    )
    assert np.allclose(lag, expected + PERIOD / 2, atol=PERIOD)


def test_the_rod_pushes_the_cube(push: MujocoCell) -> None:
    push.reset(2)
    kinematics, joints = Kinematics(ROD_ARM), np.asarray(push.draw.start)
    cube = push.truth().points["cube"]
    x, y, _ = push.truth().tool
    push.place("cube", x + 0.08, y, 0.0)
    begin, before = push.truth().tool, push.truth().points["cube"]
    for i in range(160):
        joints = kinematics.reach(joints, begin + np.array([0.1 * i / 160, 0.0, 0.0]))
        push.step(joints)
    moved = push.truth().points["cube"] - before
    assert not np.allclose(cube[:2], before[:2])
    assert 0.03 < moved[0] < 0.1
    assert abs(moved[2]) < 2e-3


def test_less_friction_slides_further(push: MujocoCell) -> None:
    smooth, rough = swept(push, 3, 0.5), swept(push, 3, 1.0)
    assert rough[0] < 0.5 * smooth[0]
    assert smooth[0] == pytest.approx(0.5**2 / (2 * 9.81 * 0.25), rel=0.35), (
        "mu is the square, as in PyBullet"
    )


def test_joints_are_read_with_noise_in_steps_of_the_encoder(cell: MujocoCell) -> None:
    cell.reset(4)
    settings = StandinSettings()
    reads, truths = [], []
    for _ in range(100):
        cell.step(np.asarray(cell.draw.start))
        reads.append(cell.joint_state().position)
        truths.append(cell._plant.joints()[0])
    assert np.array_equal(cell.joint_state().position, cell.joint_state().position), "one moment, one reading"
    steps = np.asarray(reads) / settings.joint_step
    assert np.allclose(steps, np.round(steps), atol=1e-6)
    error = np.std(np.asarray(reads) - truths)
    assert error == pytest.approx(np.hypot(settings.joint_noise, settings.joint_step / np.sqrt(12)), rel=0.15)


def test_without_errors_of_its_own_it_sees_and_reads_the_truth() -> None:
    perfect, simulation = make(ARM, TASK, PERFECT), BulletCell(ARM, TASK, WORLD)
    for each in (perfect, simulation):
        each.reset(7)
    ours, theirs = perfect._in_flight[0], simulation._in_flight[0]
    assert ours[0] == theirs[0]
    assert np.array_equal(ours[1].rgb, theirs[1].rgb)
    assert np.array_equal(perfect.joint_state().position, perfect._plant.joints()[0])
    perfect.close()
    simulation.close()


def test_pictures_are_noisy_of_another_exposure_and_late(cell: MujocoCell) -> None:
    simulation = BulletCell(ARM, TASK, WORLD)
    gains = []
    for seed in range(6):
        for each in (cell, simulation):
            each.reset(seed)
        (due, ours), (usual, theirs) = cell._in_flight[0], simulation._in_flight[0]
        settings = StandinSettings()
        late = due - usual - settings.camera_delay
        assert 0.0 <= late <= settings.camera_jitter
        middle = (theirs.rgb > 30) & (theirs.rgb < 200)
        gains.append(ours.rgb[middle].mean() / theirs.rgb[middle].mean())
        rest = ours.rgb[middle].astype(float) - gains[-1] * theirs.rgb[middle]
        assert 1.5 < rest.std() < 8.0
    assert 0.02 < np.std(gains) < 0.1
    simulation.close()


@pytest.mark.parametrize("rate", [80.0, 125.0])
def test_the_camera_keeps_its_rate_whatever_that_of_the_joints(rate: float) -> None:
    cell = MujocoCell(ARM, TASK, WORLD.model_copy(update={"servo_rate": rate}))
    cell.reset(2, start=1.7e9)
    stamps = []
    for _ in range(round(rate)):
        cell.step(None)
        if (frame := cell.new_frame()) is not None:
            stamps.append(frame.stamp)
    assert np.allclose(np.diff(stamps), 1.0 / ARM.camera.rate, atol=1e-6)
    assert cell.now == pytest.approx(1.7e9 + 1.0, abs=1e-6)
    before = cell.now
    cell.shift(5.0)
    assert cell.now == before + 5.0
    cell.close()


def test_what_is_placed_is_there_at_rest_and_a_goal_image_changes_nothing(push: MujocoCell) -> None:
    push.reset(6)
    push.place("cube", 0.5, -0.1, 0.4)
    for _ in range(20):
        push.step(None)
    truth = push.truth()
    assert np.allclose(truth.points["cube"][:2], [0.5, -0.1], atol=1e-3)
    assert truth.yaw["cube"] == pytest.approx(0.4, abs=1e-2)
    shown = push.goal_observation()
    assert np.array_equal(push.truth().points["cube"], truth.points["cube"])
    push.step(None)
    assert np.allclose(push.truth().points["cube"], truth.points["cube"], atol=1e-4)
    assert shown.rgb.std() > 10


def test_a_press_beyond_the_efforts_holds_and_does_not_throw_the_arm(push: MujocoCell) -> None:
    push.reset(0)
    kinematics, joints = Kinematics(ROD_ARM), np.asarray(push.draw.start)
    into_the_table = push.truth().tool - np.array([0.0, 0.0, 0.06])
    wanted = kinematics.reach(joints, into_the_table)
    for i in range(240):
        push.step(joints + min(1.0, i / 80) * (wanted - joints))
        assert np.abs(push._plant.joints()[0] - joints).max() < 0.35
    assert push.truth().tool[2] > -0.005, "on the table"


def test_the_arm_feels_what_it_presses_on(push: MujocoCell) -> None:
    push.reset(2)
    assert push.contact() == Contact(0.0, 0.0)
    kinematics, joints = Kinematics(ROD_ARM), np.asarray(push.draw.start)
    tool = push.truth().tool
    x, y, _ = tool
    push.place("cube", x + 0.08, y, 0.0)
    forces = []
    for i in range(160):
        joints = kinematics.reach(joints, tool + np.array([0.1 * i / 160, 0.0, 0.0]))
        push.step(joints)
        forces.append(push.contact())
    weight = push.draw.things["cube"].mass * 9.81
    sliding = np.mean([f.things for f in forces[120:]]) / (weight * push.draw.friction**2)
    assert 0.6 < sliding < 1.6, "friction holds against it"
    assert all(f.table == 0.0 for f in forces)
    for _ in range(60):
        joints = kinematics.reach(joints, kinematics.tool_position(joints) - np.array([0.0, 0.0, 0.001]))
        push.step(joints)
    assert push.contact().table > 5.0


COVER = (
    '<link name="cover"><collision><geometry>{shape}</geometry></collision></link>'
    '<joint name="cover_joint" type="fixed"><parent link="tool0"/><child link="cover"/></joint>'
)
MESH = '<mesh filename="cover.{}"/>'


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        (MESH.format("dae"), r"cover\.dae.*\.obj (or|and) \.stl"),
        (MESH.format("obj"), "cover"),
        ('<sphere radius="0"/>', "MuJoCo cannot load it: .*size"),
        (MESH.format("stl"), r"cover\.stl not found"),
    ],
)
def test_a_urdf_that_mujoco_cannot_load_is_named(tmp_path, shape, message) -> None:
    for kind in ("dae", "obj"):
        (tmp_path / f"cover.{kind}").write_text("no mesh at all")
    source = find_resource(load_arm("ur5e").urdf)
    cover = COVER.format(shape=shape)
    path = tmp_path / "arm.urdf"
    path.write_text(source.read_text().replace("</robot>", f"{cover}</robot>"))
    with pytest.raises(ConfigError, match=message):
        make(load_arm("ur5e").model_copy(update={"urdf": str(path)}), TASK)


def test_objects_may_be_called_as_links_are_and_stay_where_they_have_no_mass() -> None:
    ball = TASK.objects["ball"].model_copy(update={"mass": (0.0, 0.0)})
    task = TASK.model_copy(update={"objects": {"panda_link1": ball}, "goal": "panda_link1"})
    cell = make(ARM, task)
    cell.place("panda_link1", 0.5, 0.1, 0.0)
    for _ in range(20):
        cell.step(None)
    assert np.allclose(cell.truth().points["panda_link1"][:2], [0.5, 0.1])
    cell.close()
