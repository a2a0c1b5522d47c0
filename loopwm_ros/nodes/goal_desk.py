"""Where the mpc node's goals come in: checked, handed to the controller, and kept in a file if wanted."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from loopwm_ros.config import TaskConfig
from loopwm_ros.config.task import TOOL
from loopwm_ros.control.assembly import Mpc
from loopwm_ros.errors import ConfigError
from loopwm_ros.nodes import goal_topics
from loopwm_ros.nodes.goal_file import joints_file, read_goal, write_goal
from loopwm_ros.nodes.goal_inbox import Answer, Goal, GoalInbox, nobody
from loopwm_ros.nodes.mpc_parameters import MpcParameters
from loopwm_ros.types import Observation


class GoalDesk:
    """Goals of one configured controller.

    While `planning`, the planning thread takes them from `inbox`; else `put` does.
    """

    def __init__(self, parameters: MpcParameters, task: TaskConfig, mpc: Mpc) -> None:
        """Check the parameters, and take the goal from its file where there is one.

        Raises:
            ConfigError: task and parameters do not go together, or the file is no goal image.
        """
        self.source = parameters.goal_source
        self.planning = False
        self._file = Path(parameters.goal_image) if parameters.goal_image else None
        self._horizon, self._manifest = mpc.horizon, mpc.bundle.manifest
        self._size = mpc.camera_size
        self._check(task)
        self.inbox = GoalInbox(self.source, self._waiting(task))
        if self._file is not None and self._file.exists():
            self._read(self._file)

    def put(self, goal: Goal, name: str, answer: Answer = nobody) -> None:
        """Take a goal that came from `name`: at once, or while plans are made, before the next one.

        `answer` gets why it was refused, or an empty string.
        """
        if reason := self._wrong_size(goal):
            self.inbox.refuse(name, reason)
            answer(reason)
            return
        self.inbox.put(goal, name, answer)
        if not self.planning:
            self.inbox.take(self._horizon)

    def capture(self, observe: Callable[[], Observation], answer: Answer) -> Observation:
        """Take what `observe` gives as the goal; otherwise as `put`.

        Raises:
            LoopWMError: the goal is not to be given as an image, or `observe` has none.
        """
        if self.source != "image":
            raise ConfigError(f"goal_source is '{self.source}'; set it to image")
        observation = observe()
        self.put(observation, goal_topics.CAPTURE, answer)
        return observation

    def keep(self, observation: Observation) -> str:
        """Write a goal image to the file that is set for it; returns its name, or an empty string.

        Raises:
            ConfigError: it cannot be written there.
        """
        if self._file is None:
            return ""
        write_goal(self._file, observation, self._manifest.spec.joints)
        return str(self._file)

    def _check(self, task: TaskConfig) -> None:
        if self.source == "image" and task.moved == TOOL:
            raise ConfigError(
                f"task '{task.name}' moves no object that a goal image could show; "
                "set goal_source to seen or position"
            )
        if self._file is not None:
            joints_file(self._file)  # an image's name
            if self.source != "image":
                raise ConfigError(f"goal_image is set, but goal_source is '{self.source}'; set it to image")

    def _waiting(self, task: TaskConfig) -> str:
        """What is missing while there is no goal."""
        images = f"{goal_topics.IMAGE}, with the joints of its stamp on {goal_topics.JOINTS}"
        return {
            "seen": f"'{task.goal}' is not seen",
            "position": f"nothing has come on {goal_topics.POSITION}",
            "image": f"call {goal_topics.CAPTURE}, or publish {images}",
        }[self.source]

    def _read(self, file: Path) -> None:
        refused: list[str] = []
        self.put(read_goal(file, self._manifest.spec.joints), str(file), refused.append)
        if any(refused):
            raise ConfigError(f"goal image {file}: {refused[0]}")

    def _wrong_size(self, goal: Goal) -> str:
        if not isinstance(goal, Observation):
            return ""
        height, width = goal.rgb.shape[:2]
        if (width, height) == self._size:
            return ""
        return f"the image is {width}x{height}; expected {self._size[0]}x{self._size[1]}, as the camera's"
