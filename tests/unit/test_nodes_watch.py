"""Which publishers count as alive: not those that a killed process has left behind, but all others."""

from __future__ import annotations

from types import SimpleNamespace

from loopwm_ros.nodes.watch import PATIENCE, UNKNOWN, Living, Sources

OLD, NEW, ROGUE = b"1", b"2", b"3"


class Graph:
    """Publishers by id, and which process sends heartbeats."""

    def __init__(self) -> None:
        self.present = {OLD: "mpc"}
        self.instance = "first"

    def count_publishers(self, _: str) -> int:
        return len(self.present)

    def get_publishers_info_by_topic(self, _: str) -> list[SimpleNamespace]:
        return [SimpleNamespace(endpoint_gid=list(i), node_name=n) for i, n in self.present.items()]


def seen(graph: Graph, living: Living, instance: str) -> int:
    graph.instance = instance
    return len(living.names())


def started() -> tuple[Graph, Living]:
    graph = Graph()
    living = Living(graph, "/mpc/plan", graph)
    assert seen(graph, living, "first") <= 1
    return graph, living


def test_a_second_publisher_counts() -> None:
    graph, living = started()
    graph.present[ROGUE] = "other"
    assert sorted(living.names()) == ["mpc", "other"]


def test_what_a_killed_process_leaves_does_not_count_however_slowly_the_next_one_comes() -> None:
    graph, living = started()
    assert seen(graph, living, "") == 0
    assert seen(graph, living, "second") == 0, "its heartbeats are known before its plans are"
    graph.present[NEW] = "mpc"
    for instance in ("second", "", "second"):  # silent once more while it loads its model
        assert seen(graph, living, instance) <= 1
    graph.present[ROGUE] = "other"
    assert sorted(living.names()) == ["mpc", "other"]
    del graph.present[OLD], graph.present[ROGUE]
    assert len(living.names()) <= 1


def test_one_that_was_frozen_and_goes_on_counts_again() -> None:
    graph, living = started()
    for instance in ("", "first"):
        assert seen(graph, living, instance) <= 1
    graph.present[ROGUE] = "other"
    assert len(living.names()) == 2


def test_without_heartbeats_all_count() -> None:
    graph = Graph()
    living = Living(graph, "/mpc/plan", graph)
    assert seen(graph, living, "") <= 1
    graph.present[NEW] = "mpc"
    assert seen(graph, living, "") == 2


def test_a_source_whose_name_comes_after_arming_is_not_new_nor_is_the_same_driver_started_again() -> None:
    graph = Graph()
    graph.present = {OLD: UNKNOWN}
    sources = Sources(graph, "/joint_states")
    assert sources.new() == []
    sources.accept()
    assert not any(sources.new() for _ in range(2 * PATIENCE))
    graph.present[OLD] = "driver"
    assert sources.new() == []
    graph.present = {NEW: "driver"}
    assert sources.new() == []


def test_after_a_reset_nobody_is_new_until_the_arm_is_armed_again() -> None:
    graph = Graph()
    sources = Sources(graph, "/joint_states")
    sources.accept()
    graph.present[NEW] = "gripper"
    assert sources.new() == ["gripper"]
    sources.forget()
    assert sources.new() == []
    sources.accept()
    assert sources.new() == []


def test_a_source_that_came_after_arming_is_new_with_a_name_at_once_without_one_soon() -> None:
    graph = Graph()
    graph.present = {OLD: "driver"}
    sources = Sources(graph, "/joint_states")
    sources.accept()
    graph.present[ROGUE] = "rogue"
    assert sources.new() == ["rogue"]
    graph.present[ROGUE] = UNKNOWN
    looks = [sources.new() for _ in range(2 * PATIENCE)]
    assert looks[0] == []
    assert looks[-1] == [UNKNOWN]
