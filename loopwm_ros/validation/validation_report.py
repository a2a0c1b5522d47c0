"""The page of a validation: one HTML file that needs nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from loopwm_ros.validation import validation_plots as plots
from loopwm_ros.validation.certificate import Certificate, Check
from loopwm_ros.validation.failures import film_path, strip_path
from loopwm_ros.validation.files import write_text_atomically
from loopwm_ros.validation.journal import EpisodeRecord
from loopwm_ros.validation.page import data_uri, environment, plot
from loopwm_ros.validation.pooling import Episodes, altered_shares, forces, sort_episodes
from loopwm_ros.validation.suite import LOAD, RequiredShare, Suite

STRIPS_SHOWN = 40  # film strips of failures
FILMS_SHOWN = 12  # films of the first of them
HEADLINES = {  # checks that are shown in large figures, where a suite has them
    "faults.stop": "Longest stop [s]",
    "load.deadline_misses": "Deadlines missed under load",
    "forces.things.p99": "Contact force, p99 [N]",
}


@dataclass(frozen=True)
class FaultRow:
    """One scenario in the table of faults."""

    name: str
    episodes: int
    must_stop: bool
    stopped: float | None  # longest time to rest [s]
    not_stopped: int
    must_recover: bool
    solved: int
    velocity: float  # highest joint speed, times its limit
    beyond: float  # farthest beyond a joint's limit [rad]
    outside: float  # farthest of the tool outside the workspace [m]


def write_validation_report(
    path: Path, certificate: Certificate, suite: Suite, records: Sequence[EpisodeRecord], films: Path
) -> Path:
    """Write the page; `films` is the folder of failures' films and film strips."""
    episodes = sort_episodes(suite, records)
    failures = [made for part in episodes.by_part.values() for made in part if _failed(made)]
    html = (
        environment()
        .get_template("validation.html.j2")
        .render(
            run=certificate,
            suite=suite,
            groups=_grouped(certificate.checks),
            headline=HEADLINES,
            headlines=[check for check in certificate.checks if check.name in HEADLINES],
            precise=any(part.precise is not None for part in certificate.parts),
            figure=figure,
            faults=_fault_rows(episodes.broken),
            plots=list(_plots(certificate, suite, episodes)),
            failures=[
                _failure(made, films, i < FILMS_SHOWN) for i, made in enumerate(failures[:STRIPS_SHOWN])
            ],
            more_failures=len(failures) - STRIPS_SHOWN,
            load=_load_facts(episodes.load),
        )
    )
    return write_text_atomically(path, html)


def figure(value: float | None) -> str:
    """A measured value in a table; a dash where there is none."""
    if value is None:
        return "–"
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}"


def _failed(made: EpisodeRecord) -> bool:
    return not made.result.success and (made.fault is None or made.fault.recovers)


def _grouped(checks: Iterable[Check]) -> dict[str, list[Check]]:
    """Checks by what stands before the first dot of their names."""
    groups: dict[str, list[Check]] = {}
    for check in checks:
        groups.setdefault(check.name.partition(".")[0], []).append(check)
    return groups


def _failure(made: EpisodeRecord, films: Path, moving: bool) -> dict[str, Any]:
    name = films, made.part, made.result.seed
    return {
        "part": made.part,
        "result": made.result,
        "strip": _picture(strip_path(*name)),
        "film": _picture(film_path(*name)) if moving else None,
    }


def _picture(path: Path) -> str | None:
    return data_uri("image/webp", path.read_bytes()) if path.is_file() else None


def _fault_rows(broken: Sequence[EpisodeRecord]) -> list[FaultRow]:
    rows = []
    for name in dict.fromkeys(made.fault.name for made in broken if made.fault is not None):
        those = [(made, made.fault) for made in broken if made.fault is not None and made.fault.name == name]
        times = [fault.stopped_after_s for _, fault in those if fault.stops]
        known = [time for time in times if time is not None]
        motions = [made.motion for made, _ in those if made.motion is not None]
        rows.append(
            FaultRow(
                name=name.replace("_", " "),
                episodes=len(those),
                must_stop=bool(times),
                stopped=max(known, default=None),
                not_stopped=len(times) - len(known),
                must_recover=those[0][1].recovers,
                solved=sum(made.result.success for made, _ in those),
                velocity=max((motion.velocity for motion in motions), default=0.0),
                beyond=max((motion.position for motion in motions), default=0.0),
                outside=max((motion.workspace for motion in motions), default=0.0),
            )
        )
    return rows


def _load_facts(records: Sequence[EpisodeRecord]) -> dict[str, Any] | None:
    if not records:
        return None
    wall = sum(made.wall_s for made in records)
    return {
        "cycles": sum(made.result.cycles for made in records),
        "misses": sum(made.result.deadline_misses for made in records),
        "factor": sum(made.simulated_s for made in records) / wall if wall else None,
    }


def _required(suite: Suite) -> dict[str, RequiredShare]:
    required = {name: part.success for name, part in suite.parts.items() if part.success is not None}
    if suite.load is not None and suite.load.success is not None:
        required[LOAD] = suite.load.success
    return required


def _plots(certificate: Certificate, suite: Suite, episodes: Episodes) -> Iterator[dict[str, str]]:
    """The plots that there is something to show in."""
    lockstep = [*episodes.plain, *episodes.broken]
    latched = {made.part for made in episodes.broken if made.fault is not None and not made.fault.recovers}
    parts = [part for part in certificate.parts if part.name not in latched]
    yield plot(
        "Success",
        "Share of episodes solved in each part. A fault that waits for a person is left out.",
        plots.success_plot(parts, _required(suite)),
    )
    if certificate.gaps:
        yield plot(
            "Imagination against reality",
            "How far the future that the model imagined, under the actions really sent, was from what came.",
            plots.gap_plot([gap for gap in certificate.gaps if gap.unit == "m"], suite.gaps.limits),
        )
    pressed = {"objects": forces(lockstep, "things"), "the table": forces(lockstep, "table")}
    if any(pressed.values()):
        yield plot(
            "Contact force",
            "Share of the servo periods with contact in which the force was at most this large.",
            plots.force_plot(pressed),
        )
    _, by_reason = altered_shares(episodes.plain)
    if by_reason:
        yield plot(
            "Safety interventions",
            "Servo periods in which the safety gate did not just let the plan pass, by reason.",
            plots.intervention_plot(by_reason),
        )
    scores = [made.fault for made in episodes.broken if made.fault is not None and made.fault.stops]
    if scores and suite.faults is not None:
        yield plot(
            "Stopping",
            "From a fault to rest of what the controller is sent, one dot an episode.",
            plots.stop_plot(scores, suite.faults.stop_s),
        )
