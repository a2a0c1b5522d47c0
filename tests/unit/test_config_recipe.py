"""Recipes: each part is the task with what it changes, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from pydantic import ValidationError

from loopwm_ros.config import load_task
from loopwm_ros.config.recipe import Recipe, load_recipe
from loopwm_ros.data.collect import recipe_parts
from loopwm_ros.errors import ConfigError

PART = {"episodes": 2, "seed": 1, "behaviours": {"random": 1.0}}


def recipe(**parts: dict[str, object]) -> Recipe:
    whole = {name: PART | {"seed": seed} | part for seed, (name, part) in enumerate(parts.items())}
    return Recipe.model_validate({"task": "clutter", "arm": "panda_rod", "parts": whole})


def test_a_part_is_the_task_with_what_it_changes() -> None:
    plain, lone, heavy, fast = recipe_parts(
        recipe(
            plain={},
            lone={"without": ["blue", "yellow"], "duration": 12.0, "unmarked": 0.3},
            heavy={"mass": [0.4, 0.5], "friction": [1.1, 1.2]},
            fast={"max_tool_speed": 0.4},
        )
    )
    task = load_task("clutter")
    assert plain.collection.task == task
    assert list(lone.collection.task.objects) == ["cube", "goal"]
    assert lone.collection.task.quantities == task.quantities, "what is not there has no label, but a place"
    assert (lone.collection.duration, lone.collection.unmarked, lone.episodes) == (12.0, 0.3, 2)
    masses = {name: thing.mass for name, thing in heavy.collection.task.objects.items()}
    assert masses == {"cube": (0.4, 0.5), "blue": (0.4, 0.5), "yellow": (0.4, 0.5), "goal": (0.0, 0.0)}
    assert heavy.collection.task.randomisation.friction == (1.1, 1.2)
    assert fast.collection.task.max_tool_speed == 0.4
    assert [part.collection.seed for part in (plain, lone, heavy, fast)] == [0, 1, 2, 3]


def test_no_two_parts_draw_the_same_episodes() -> None:
    with pytest.raises(ValidationError, match="seed 4 serves two parts"):
        recipe(one={"seed": 4}, two={"seed": 4})


@pytest.mark.parametrize(
    ("without", "words"),
    [
        ("red", "without red: valid are cube, blue, yellow, goal"),
        ("cube", "Value error, moved is 'cube'; valid: tool, or an object other than the goal"),
        ("goal", "Value error, goal 'goal' is no object; valid: cube, blue, yellow"),
    ],
)
def test_objects_that_are_not_there_or_are_needed_stay(without: str, words: str) -> None:
    with pytest.raises(ConfigError) as error:
        recipe_parts(recipe(one={"without": [without]}))
    assert str(error.value) == f"part 'one' does not fit task 'clutter': {words}"


def test_the_shipped_recipe_holds_test_parts_out_by_seed_and_by_physics() -> None:
    shipped, task = load_recipe("contact"), load_task("clutter")
    assert len(recipe_parts(shipped)) == len(shipped.parts)
    trained = [part for name, part in shipped.parts.items() if name.startswith("train-")]
    assert all(part.friction is None and part.mass is None for part in trained)
    low, high = task.randomisation.friction
    for name in ("shifted-slippery", "shifted-heavy"):
        friction, mass = shipped.parts[name].friction, shipped.parts[name].mass
        usual = task.objects["cube"].mass
        assert friction is not None
        assert mass is not None
        assert friction[1] < low or friction[0] > high
        assert mass[1] < usual[0] or mass[0] > usual[1]


def test_a_recipe_of_ones_own_is_a_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump({"task": "clutter", "arm": "panda_rod", "parts": {"one": PART}}))
    assert load_recipe(str(path)).parts["one"].episodes == 2
    with pytest.raises(ConfigError, match="no dataset 'contakt'; valid: contact"):
        load_recipe("contakt")
