"""Which arm does a task where none is named."""

from __future__ import annotations

import pytest

from loopwm_ros.config import load_arm, load_task, share_dir, usual_arm
from loopwm_ros.errors import ConfigError

TASKS = sorted(path.stem for path in (share_dir() / "sim" / "tasks").glob("*.yaml"))


@pytest.mark.parametrize("task", TASKS)
def test_each_task_of_ours_has_a_usual_arm(task: str) -> None:
    arm = load_arm(usual_arm(load_task(task).name))
    assert load_task(task).plane is None or arm.rod is not None, "pushing takes a rod"


def test_another_task_must_name_its_arm() -> None:
    with pytest.raises(ConfigError, match="name the arm for task 'pour'"):
        usual_arm("pour")
