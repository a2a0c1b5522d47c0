"""The runs behind docs/results.md, by name: what `make results` measures and what the page must show."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from validations_page import FOLDER as VALIDATIONS

from loopwm_ros.config import load_task
from loopwm_ros.control.assembly import planner_settings
from loopwm_ros.validation.certificate import certificate_sha256
from loopwm_ros.validation.summary import Summary

ROOT = Path(__file__).resolve().parents[1]
FOLDER = "docs/results"
STRIPS = f"{FOLDER}/strips"
Runs = dict[str, Summary]  # by name, in the list's order


@dataclass(frozen=True)
class Run:
    """One `loopwm sim`; `shown` failures have film strips."""

    options: str
    shown: bool = False

    @property
    def subject(self) -> tuple[str, str]:
        """Task and arm."""
        words = self.options.split()
        return words[1], words[3]

    def command(self, name: str) -> str:
        """The whole command, from the root of the repository."""
        strips = f" --strips {STRIPS}" if self.shown else ""
        return f"loopwm sim {self.options} --required 0 --json {FOLDER}/{name}.json{strips}"


def _reach(options: str, arm: str = "panda") -> Run:
    return Run(f"--task reach --arm {arm} {options}")


def _reached(arm: str) -> dict[str, Run]:
    """What is measured of every arm but the usual one."""
    return {
        f"{arm}-realtime": _reach("--episodes 10 --seed 500", arm),
        f"{arm}-lockstep": _reach("--episodes 100 --seed 1000 --lockstep --workers 2", arm),
        f"{arm}-scripted": _reach("--episodes 100 --seed 1000 --lockstep --controller scripted", arm),
    }


def _standin(bundle: str) -> str:
    """In real time on the stand-in, in shadow first, armed by the bundle's validation."""
    return f"--episodes 30 --seed 500 --engine mujoco --validation {VALIDATIONS}/{bundle}.json"


def _push(options: str, shown: bool = False) -> Run:
    return Run(f"--task push --arm panda_rod {options}", shown)


def _pushed(options: str, shown: bool = False) -> Run:
    """Two at once: in lockstep nothing has to be in time."""
    return _push(f"{options} --workers 2", shown)


def _clutter(options: str, shown: bool = False) -> Run:
    return Run(f"--task clutter --arm panda_rod {options}", shown)


RUNS = {
    "realtime": _reach("--episodes 20 --seed 500"),
    "realtime-standin": _reach(_standin("panda_reach")),
    "lockstep": _reach("--episodes 100 --seed 1000 --lockstep"),
    "lockstep-another-seed": _reach("--episodes 100 --seed 77000 --lockstep"),
    "lockstep-1-loop": _reach("--episodes 50 --seed 1000 --lockstep --loops 1"),
    "lockstep-8-loops": _reach("--episodes 50 --seed 1000 --lockstep --loops 8"),
    "lockstep-blank-camera": _reach("--episodes 30 --seed 1000 --lockstep --blank-camera"),
    "lockstep-scripted": _reach("--episodes 100 --seed 1000 --lockstep --controller scripted"),
    "lockstep-random": _reach("--episodes 100 --seed 1000 --lockstep --controller random"),
    "lockstep-zero": _reach("--episodes 100 --seed 1000 --lockstep --controller zero"),
    **_reached("ur5e"),
    **_reached("xarm6"),
    **_reached("iiwa"),
    "push-realtime": _push("--episodes 30 --seed 500", shown=True),
    "push-realtime-standin": _push(_standin("panda_rod_push"), shown=True),
    "push": _pushed("--episodes 200 --seed 1000 --lockstep", shown=True),
    "push-another-seed": _pushed("--episodes 200 --seed 77000 --lockstep", shown=True),
    "push-nominal": _pushed("--episodes 200 --seed 1000 --lockstep --world nominal", shown=True),
    "push-goal-image": _pushed("--episodes 200 --seed 1000 --lockstep --goal image", shown=True),
    "push-goal-position": _pushed("--episodes 50 --seed 1000 --lockstep --goal position", shown=True),
    "push-disturbed": _pushed("--episodes 120 --seed 1000 --lockstep --disturb all", shown=True),
    "push-no-proposal": _pushed("--episodes 100 --seed 1000 --lockstep --proposal none"),
    "push-1-loop": _pushed("--episodes 50 --seed 1000 --lockstep --loops 1"),
    "push-4-loops": _pushed("--episodes 50 --seed 1000 --lockstep --loops 4"),
    "push-policy": _pushed("--episodes 200 --seed 1000 --lockstep --controller policy"),
    "push-simulator": _pushed("--episodes 100 --seed 1000 --lockstep --controller simulator --horizon 10"),
    "push-scripted": _pushed("--episodes 100 --seed 1000 --lockstep --controller scripted"),
    "push-random": _pushed("--episodes 50 --seed 1000 --lockstep --controller random"),
    "push-zero": _pushed("--episodes 50 --seed 1000 --lockstep --controller zero"),
    "clutter-realtime": _clutter("--episodes 10 --seed 500", shown=True),
    "clutter": _clutter("--episodes 100 --seed 1000 --lockstep --workers 2", shown=True),
    "clutter-1-loop": _clutter("--episodes 50 --seed 1000 --lockstep --loops 1 --workers 2"),
    "clutter-scripted": _clutter("--episodes 50 --seed 1000 --lockstep --controller scripted --workers 2"),
}


def _search(summary: Summary) -> dict[str, tuple[object, object]]:
    """What the planner was asked for, and what it is asked for where nothing is chosen."""
    if summary.planner is None:
        return {}
    facts = summary.planner.model_dump(exclude={"kind"})
    usual = planner_settings(load_task(summary.task), summary.planner.kind)
    searched = {f"--{name}": (value, getattr(usual, name)) for name, value in facts.items()}
    kind = "policy" if summary.controller == "policy" else "mppi"
    return {"--planner": (summary.planner.kind, kind), **searched}


def _validation(sha256: str) -> str:
    """Path of a validation, from the root of the repository."""
    files = (ROOT / VALIDATIONS).glob("*.json")
    there = [path.relative_to(ROOT).as_posix() for path in files if certificate_sha256(path) == sha256]
    return there[0] if there else f"(one of hash {sha256[:8]}, which is not there)"


def options(summary: Summary) -> str:
    """The options that a summary says it was made with."""
    chosen = {
        "--controller": (summary.controller, "mpc"),
        **_search(summary),
        "--loops": (summary.loops_requested, "auto"),
        "--precision": (summary.precision, "float32"),
        "--world": (summary.world, "randomised"),
        "--goal": (summary.goal, "seen"),
        "--disturb": (summary.disturb, "none"),
        "--engine": (summary.engine, "bullet"),
    }
    parts = [f"--task {summary.task} --arm {summary.arm} --episodes {summary.episodes}"]
    parts += [f"--seed {summary.seed}"]
    parts += ["--lockstep"] if summary.mode == "lockstep" else []
    parts += [f"{option} {value}" for option, (value, usual) in chosen.items() if value != usual]
    parts += [f"--validation {_validation(summary.validation_sha256)}"] if summary.validation_sha256 else []
    parts += ["--blank-camera"] if summary.blank_camera else []
    parts += [f"--workers {summary.workers}"] if summary.workers != 1 else []
    return " ".join(parts)
