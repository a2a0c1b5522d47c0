"""Looks for what must not be on the topics around the arm: other commanders, two planners, new sources."""

from __future__ import annotations

from collections.abc import Mapping

from rclpy.node import Node

from loopwm_ros.config import ArmConfig
from loopwm_ros.nodes.heartbeats import Heard

PATIENCE = 20  # looks at a node without a name, until it counts
UNKNOWN = "_NODE_NAME_UNKNOWN_"  # what the graph calls a node that it has only just met


def publishers(node: Node, topic: str) -> dict[bytes, str]:
    """Names of the nodes that publish on a topic, by the id of each publisher."""
    infos = node.get_publishers_info_by_topic(topic)
    return {bytes(info.endpoint_gid): info.node_name for info in infos}


class Living:
    """Publishers of a topic, less those of a killed process: they stay in the graph for half a minute."""

    def __init__(self, node: Node, topic: str, heard: Heard) -> None:
        """`heard`: heartbeats of the one node that may publish."""
        self._node, self._topic, self._heard = node, topic, heard
        self._speaker = self._last = ""  # instance that speaks now, and that spoke last
        self._silenced: set[bytes] = set()  # publishers when it fell silent: frozen, or gone
        self._gone: set[bytes] = set()

    def names(self) -> list[str]:
        """Nodes that publish; where one has fallen silent and another followed, only the latter."""
        before, self._speaker = self._speaker, self._heard.instance
        steady = before == self._speaker and not self._silenced and not self._gone
        if steady and self._node.count_publishers(self._topic) <= 1:
            return []  # spares a look at each of them, ten times a second
        present = publishers(self._node, self._topic)
        self._gone &= set(present)
        if self._speaker:
            if self._speaker != self._last:
                self._gone |= self._silenced
            self._silenced, self._last = set(), self._speaker
        elif before:
            self._silenced = set(present) - self._gone
        return [name for gid, name in present.items() if gid not in self._gone | self._silenced]


class Sources:
    """Who may publish joint states: those that do when the arm is armed, as a gripper beside it, no others.

    A driver that was killed and started again is no other: its name is known. Of one that has only just been
    met the name may come later.
    """

    def __init__(self, node: Node, topic: str) -> None:
        self._node, self._topic = node, topic
        self._armed = False
        self._ids: set[bytes] = set()  # publishers when the arm was armed ...
        self._names: set[str] = set()  # ... and their nodes, as far as these were named
        self._nameless = 0  # looks in a row at one that is new

    def accept(self) -> None:
        """Those that are there now are right."""
        present = publishers(self._node, self._topic)
        self._armed, self._ids, self._nameless = True, set(present), 0
        self._names = set(present.values()) - {UNKNOWN}

    def forget(self) -> None:
        """The arm is armed no more: whoever comes may come."""
        self._armed = False

    def new(self) -> list[str]:
        """Nodes that were not there."""
        if not self._armed:
            return []
        present = publishers(self._node, self._topic)
        self._names |= {name for gid, name in present.items() if gid in self._ids} - {UNKNOWN}
        strangers = {name for gid, name in present.items() if gid not in self._ids} - self._names
        self._nameless = self._nameless + 1 if UNKNOWN in strangers else 0
        return sorted(strangers if self._nameless > PATIENCE else strangers - {UNKNOWN})


class Watch:
    """Counts publishers where there may be only one."""

    def __init__(self, node: Node, arm: ArmConfig, single: Mapping[str, Heard]) -> None:
        """`single`: topics that one node may publish, with its heartbeats.

        To the arm's controllers `node` alone may publish.
        """
        self._node = node
        resolved = node.resolve_topic_name  # `count_publishers` would not look at remappings
        self._heard = tuple(single.values())
        self._single = {topic: Living(node, resolved(topic), heard) for topic, heard in single.items()}
        names = arm.topics
        self.sources = Sources(node, names.joint_states)
        self._ours = resolved(arm.command_topic)
        topics = (names.command, names.velocity, names.trajectory)
        self._controllers = tuple(dict.fromkeys(map(resolved, topics)))

    def trouble(self) -> str:
        """What is wrong, and who does it; empty if nothing is."""
        for topic in self._controllers:
            others = self._others(topic, ours=topic == self._ours)
            if others:
                return f"{others} commands the arm, too, on {topic}: stop it; only safety may"
        for heard in self._heard:
            if heard.rivals:
                return f"two nodes live that send {heard.topic}: only one may, stop the others"
        for topic, living in self._single.items():
            names = living.names()
            if len(names) > 1:
                return f"{_listed(names)} publish on {topic}: only one may, stop the others"
        if new := self.sources.new():
            return (
                f"{_listed(new)} publishes joint states since the arm was armed: stop it, or if it is meant, "
                "reset and arm again"
            )
        return ""

    def _others(self, topic: str, ours: bool) -> str:
        if self._node.count_publishers(topic) <= int(ours):
            return ""
        names = list(publishers(self._node, topic).values())
        own = self._node.get_name()
        if ours and own in names:
            names.remove(own)
        return _listed(names)


def _listed(names: list[str]) -> str:
    return " and ".join("another node" if n == UNKNOWN else f"'{n}'" for n in names) or "another node"
