"""The SROS 2 policy allows what each node does, and nothing else."""

from __future__ import annotations

import gc
import itertools
import time
from collections.abc import Iterator
from contextlib import closing
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, get_args
from xml.etree import ElementTree as ET

import pytest
import rclpy
from rclpy.lifecycle import TransitionCallbackReturn
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.signals import SignalHandlerOptions
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore

from loopwm_ros.calibration.camera_info import write_camera_info
from loopwm_ros.config import load_arm, load_task, share_dir
from loopwm_ros.config.arm import ControllerKind
from loopwm_ros.data import topics
from loopwm_ros.errors import ConfigError
from loopwm_ros.nodes.calibration_source import NAME as LIVE
from loopwm_ros.nodes.calibration_source import LiveSource
from loopwm_ros.processing.lens import pinhole
from tests.bundles import make_bundle

PATIENCE = 30.0  # [s] after which the graph will not tell any more

ROOT = Path(__file__).resolve().parents[2]
POLICY = ROOT / "config/security/policy.xml"
ARMS = sorted(path.stem for path in (share_dir() / "sim/arms").glob("*.yaml"))
EXECUTABLES = sorted(path.name for path in (ROOT / "lib/loopwm_ros").iterdir())
PEOPLE = "operator"  # no node of ours; theirs is the enclave of all that name none
ABSENT = set() if find_spec("tf2_msgs") else {("publish", "/tf"), ("publish", "/tf_static")}  # not on PyPI
VERBS = {"topic": ("publish", "subscribe"), "service": ("reply", "request")}
Rights = set[tuple[str, str]]


def enclaves() -> dict[str, ET.Element]:
    found = ET.parse(POLICY).getroot().findall("enclaves/enclave")
    named = {enclave.attrib["path"].removeprefix("/loopwm/"): enclave for enclave in found}
    return {PEOPLE if name == "/" else name: enclave for name, enclave in named.items()}


def allowed(name: str) -> Rights:
    """Verbs and full names of an enclave."""
    (profile,) = enclaves()[name].findall("profiles/profile")
    assert (profile.attrib["ns"], profile.attrib["node"]) == ("/", name)
    rules = [(verb, entry.text or "") for rule in profile for verb in rule.attrib for entry in rule]
    return {(verb, text.replace("~", f"/{name}")) for verb, text in rules}


def done_by(node: Node) -> Rights:
    """What the graph says that a node does, once it says all that the node knows of itself."""
    queries = {
        "publish": node.get_publisher_names_and_types_by_node,
        "subscribe": node.get_subscriber_names_and_types_by_node,
        "reply": node.get_service_names_and_types_by_node,
        "request": node.get_client_names_and_types_by_node,
    }
    own = {("publish", p.topic_name) for p in node.publishers}
    own |= {("subscribe", s.topic_name) for s in node.subscriptions}
    end = time.monotonic() + PATIENCE
    while True:
        found = {
            (verb, name)
            for verb, query in queries.items()
            for name, _ in query(node.get_name(), node.get_namespace())
        }
        if own and own <= found:
            return found
        assert time.monotonic() < end, f"the graph lacks {own - found}"
        time.sleep(0.05)


def recording(folder: Path) -> Path:
    """Sensors of an arm, under each name that one of ours has for them."""
    store = get_typestore(Stores.ROS2_JAZZY)
    joints = {load_arm(arm).topics.joint_states for arm in ARMS}
    kinds = dict.fromkeys(joints, "sensor_msgs/msg/JointState") | {
        topics.IMAGE: "sensor_msgs/msg/Image",
        topics.COMPRESSED: "sensor_msgs/msg/CompressedImage",
        topics.CAMERA_INFO: "sensor_msgs/msg/CameraInfo",
    }
    with Writer(folder / "bag", version=9, storage_plugin=StoragePlugin.MCAP) as writer:
        for topic, kind in kinds.items():
            writer.add_connection(topic, kind, typestore=store)
    return folder / "bag"


def arm_files(folder: Path) -> Iterator[str]:
    """Each of our arms with each kind of controller."""
    for arm in ARMS:
        for controller in get_args(ControllerKind):
            path = folder / f"{arm}_{controller}.yaml"
            path.write_text(f"extends: {arm}\ncontroller: {controller}\n")
            yield str(path)


def camera_file(folder: Path, arm: str) -> str:
    path = folder / f"{arm}_camera.yaml"
    write_camera_info(path, pinhole(load_arm(arm).camera), "camera")
    return str(path)


def calibrated(folder: Path) -> Iterator[dict[str, Any]]:
    """Parameters of the calibration node."""
    for number, arm in enumerate(ARMS):
        files = {"camera_info": camera_file(folder, arm), "reference": str(folder / "none.png")}
        transport = "compressed" if number else "raw"
        yield {"arm": arm, "image_transport": transport, "use_sim_time": True} | files


def played(folder: Path) -> Iterator[dict[str, Any]]:
    """Parameters of the player."""
    yield {"bag": str(recording(folder)), "subscribers": 1, "use_sim_time": True}


OF_THEIR_OWN = {"calibration": calibrated, "player": played}


def settings(name: str, folder: Path) -> Iterator[dict[str, Any]]:
    """Parameters that make a node use each topic it can."""
    if name in OF_THEIR_OWN:
        yield from OF_THEIR_OWN[name](folder)
        return
    more: dict[str, Any] = {} if name in ("sim", "standin") else {"use_sim_time": True}
    if name == "mpc":
        for number, (arm, task) in enumerate([("panda_rod", "push"), *((arm, "reach") for arm in ARMS)]):
            made = make_bundle(folder / str(number), load_arm(arm), load_task(task))
            goal = ("image", "position", "seen")[min(number, 2)]
            transport = "raw" if number == 1 else "compressed"
            more |= {"bundle": str(made.root), "goal_source": goal, "image_transport": transport}
            yield more | {"arm": arm, "task": task, "camera_info": camera_file(folder, arm)}
            if arm == "panda":
                path = folder / "velocity.yaml"
                path.write_text("extends: panda\ncontroller: forward_velocity\n")
                yield more | {"arm": str(path), "task": task}
        return
    if name == "safety":
        more |= {"monitor_timeout": 0.3, "need_calibration": True}
    for arm in arm_files(folder):
        yield more | {"arm": arm}
    if name in ("sim", "standin"):
        yield {"arm": "panda", "goal_source": "position"}
        yield {"arm": "panda_rod", "task": "push", "goal_source": "image"}


def rights_used(name: str, values: dict[str, Any]) -> Rights:
    """What one node does, in a participant of its own: the graph is slow to forget one of the same name."""
    rclpy.init(args=[], signal_handler_options=SignalHandlerOptions.NO)
    kind = getattr(import_module(f"loopwm_ros.nodes.{name}"), f"{name.capitalize()}Node")
    node = kind([Parameter(key, value=value) for key, value in values.items()])
    try:
        if name == "mpc":
            assert node.trigger_configure() == TransitionCallbackReturn.SUCCESS
        return done_by(node)
    finally:
        node.destroy_node()
        del node
        gc.unfreeze()  # mpc has frozen itself, and would stay in the graph
        gc.collect()
        rclpy.try_shutdown()


@pytest.mark.parametrize("name", EXECUTABLES)
def test_each_node_may_do_what_it_does_and_nothing_else(graph, tmp_path, name) -> None:
    seen: Rights = set()
    for values in settings(name, tmp_path):
        seen |= rights_used(name, values)
    rights = allowed(name)
    assert seen - rights == set(), "the node does what the policy forbids"
    assert rights - seen - ABSENT == set(), "the policy allows what no node does"


def test_live_calibration_hears_what_it_may_in_an_enclave_of_its_own(graph) -> None:
    seen: Rights = set()
    for arm, image in itertools.product(ARMS, (topics.IMAGE, topics.COMPRESSED)):
        with closing(LiveSource(image, load_arm(arm))) as source:
            seen |= done_by(source.node)
            named = source.node.get_node_names_and_namespaces_with_enclaves()
            assert (LIVE, "/", f"/loopwm/{LIVE}") in named
    assert seen == allowed(LIVE)
    assert {verb for verb, _ in seen} == {"publish", "subscribe"}, "it answers nobody"
    assert {name for verb, name in seen if verb == "publish"} == {"/parameter_events"}


def test_live_calibration_without_its_keys_is_one_clear_error(graph, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("ROS_SECURITY_ENABLE", "true")
    monkeypatch.setenv("ROS_SECURITY_STRATEGY", "Enforce")
    monkeypatch.setenv("ROS_SECURITY_KEYSTORE", str(tmp_path))
    with pytest.raises(ConfigError, match=r"cannot listen: .*SECURITY"):
        LiveSource(topics.IMAGE)
    assert not rclpy.ok()


def test_there_is_an_enclave_for_each_executable() -> None:
    assert {*EXECUTABLES, PEOPLE} <= set(enclaves())


def test_only_safety_commands_an_arm_and_only_mpc_plans() -> None:
    used = [load_arm(arm).topics for arm in ARMS]
    commands = {name for each in used for name in (each.command, each.velocity, each.trajectory)}
    who: dict[str, set[str]] = {}
    for name in enclaves():
        for verb, topic in allowed(name):
            assert verb in ("reply", "request") or "*" not in topic, "a wildcard would include commands"
            if verb == "publish":
                who.setdefault(topic, set()).add(name)
    assert {topic: who.get(topic) for topic in commands} == {topic: {"safety"} for topic in commands}
    assert who["/mpc/plan"] == {"mpc"}


def test_what_the_operator_asks_for_is_there() -> None:
    answered = {name for each in enclaves() for verb, name in allowed(each) if verb == "reply"}
    asked = {name for verb, name in allowed(PEOPLE) if verb == "request"}
    assert asked - answered == set()
    assert not any(verb == "request" for each in set(enclaves()) - {PEOPLE} for verb, _ in allowed(each))


def test_the_file_has_the_form_that_sros2_reads() -> None:
    root = ET.parse(POLICY).getroot()
    assert (root.tag, root.attrib) == ("policy", {"version": "0.2.0"})
    assert [child.tag for child in root] == ["enclaves"]
    paths = []
    for enclave in root[0]:
        assert (enclave.tag, set(enclave.attrib)) == ("enclave", {"path"})
        paths.append(enclave.attrib["path"])
        for profiles in enclave:
            assert (profiles.tag, {child.tag for child in profiles}) == ("profiles", {"profile"})
            for profile in profiles:
                assert set(profile.attrib) == {"ns", "node"}
                _check_rules(profile)
    assert len(set(paths)) == len(paths)


def _check_rules(profile: ET.Element) -> None:
    for rule in profile:
        kind = rule.tag.removesuffix("s")
        assert rule.tag == f"{kind}s"
        assert set(rule.attrib.values()) == {"ALLOW"}
        assert set(rule.attrib) <= set(VERBS[kind])
        entries = [entry.text or "" for entry in rule]
        assert {entry.tag for entry in rule} == {kind}
        assert entries == sorted(set(entries))
        assert all(text[0] in "/~" for text in entries)
