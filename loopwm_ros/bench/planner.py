"""Times whole control cycles over settings, and other planners' plans beside them, in turns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING

from loopwm_ros.bench.clip import record_clip
from loopwm_ros.bench.cycle import Cycle, Rig
from loopwm_ros.bench.jobs import Job, take_turns
from loopwm_ros.bench.results import CycleRow, Machine, PeerRow, PlannerBench
from loopwm_ros.control.assembly import MpcSettings, planner_settings
from loopwm_ros.world_model.providers import CPU
from loopwm_ros.world_model.settings import Precision, Provider, WorldModelSettings

if TYPE_CHECKING:
    from loopwm_ros.training.peers.timed import Peer  # torch comes with it

NEVER = ((True, "float16"), (False, "int8"))  # on the CPU, and in which precision
CLIP = 6.0  # [s]
SEED = 1000  # of the episode in the clip
WARM_UP = 3  # rounds that do not count

Count = Callable[[bytes], int]  # operations of one row of a graph


@dataclass(frozen=True)
class Grid:
    """Settings to combine; empty: the task's own."""

    candidates: tuple[int, ...] = ()
    horizons: tuple[int, ...] = ()
    refinements: tuple[int, ...] = ()
    loops: tuple[int, ...] = ()  # 0: early exit
    providers: tuple[Provider, ...] = ("cpu",)
    precisions: tuple[Precision, ...] = ("float32",)


class PlannerBencher:
    """One bundle's cycles over a grid of settings; the task's own settings are always among them."""

    def __init__(self, rig: Rig, grid: Grid, count: Count | None) -> None:
        """`count` of a graph's operations; None: they are not counted.

        Raises:
            LoopWMError: bundle, arm, task and settings do not go together.
        """
        self._rig = rig
        clip = record_clip(rig.arm, rig.task, rig.world, SEED, CLIP, rig.kinematics)
        self.cycles = [Cycle(rig, settings, clip) for settings in settings_of(rig, grid)]
        self._jobs = [cycle.job(str(number)) for number, cycle in enumerate(self.cycles)]
        self._flop = {}
        if count is not None:
            self._flop = {name: count(rig.bundle.graph(name)) for name in rig.bundle.manifest.graphs}

    def run(
        self, rounds: int, machine: Machine, peers: list[Peer], on_round: Callable[[], None]
    ) -> PlannerBench:
        """Time all of it."""
        peer_jobs = [Job(peer.name, peer.plan) for peer in peers]
        jobs = [*self._jobs, *peer_jobs]
        take_turns(jobs, WARM_UP, lambda: None)
        for job in jobs:
            job.forget()
        for cycle in self.cycles:
            cycle.forget()
        take_turns(jobs, rounds, on_round)
        rows = [self._row(cycle, job, machine) for cycle, job in zip(self.cycles, self._jobs, strict=True)]
        done = [peer_row(peer, job, machine) for peer, job in zip(peers, peer_jobs, strict=True)]
        shipped = rows[0].times.median_ms
        return PlannerBench(
            machine=machine,
            bundle_sha256=self._rig.bundle.sha256,
            task=self._rig.task.name,
            rounds=rounds,
            rows=rows,
            peers=done,
            ratio={peer.name: round(peer.times.median_ms / shipped, 2) for peer in done},
        )

    def _row(self, cycle: Cycle, job: Job, machine: Machine) -> CycleRow:
        planner, model, times = cycle.settings.planner, cycle.settings.model, job.times
        mflop, peak = None, machine.peak_gflops
        if cycle.model.provider != CPU:
            peak = machine.device_peak_gflops or peak
        if self._flop:
            mflop = sum(self._flop[name] * rows for name, rows in cycle.rows.items()) / times.samples / 1e6
        return CycleRow(
            bundle=self._rig.bundle.manifest.name,
            provider=cycle.model.provider,
            precision=cycle.model.precision,
            candidates=planner.candidates,
            horizon=planner.horizon,
            refinements=planner.refinements,
            loops=str(model.loops or "auto"),
            loops_used=round(cycle.loops_used, 2),
            shipped=cycle is self.cycles[0],
            times=times,
            mflop=None if mflop is None else round(mflop, 1),
            peak_share=None if mflop is None else peak_share(mflop, times.median_ms, peak),
        )


def peer_row(peer: Peer, job: Job, machine: Machine) -> PeerRow:
    """What was timed of a peer."""
    mflop = peer.flop / 1e6
    return PeerRow(
        name=peer.name,
        what=peer.what,
        parameters=peer.parameters,
        times=job.times,
        mflop=round(mflop, 1),
        peak_share=peak_share(mflop, job.times.median_ms, machine.peak_gflops),
    )


def peak_share(mflop: float, milliseconds: float, gflops: float) -> float:
    """Of what a matrix product reaches on the same core, or the same GPU."""
    return round(mflop / milliseconds / gflops, 4)


def settings_of(rig: Rig, grid: Grid) -> list[MpcSettings]:
    """The task's own settings, then every combination that differs from them.

    Raises:
        ConfigError: a setting is out of its range.
    """
    provider: Provider = "cpu" if "cpu" in grid.providers else grid.providers[0]  # peers run on the CPU
    planner = planner_settings(rig.task, "mppi")
    model = WorldModelSettings(provider=provider)
    own = MpcSettings(model=model, planner=planner)
    every = [own]
    for chosen in product(
        grid.providers,
        grid.precisions,
        grid.candidates or (planner.candidates,),
        grid.horizons or (planner.horizon,),
        grid.refinements or (planner.refinements,),
        grid.loops or (0,),
    ):
        on, precision, candidates, horizon, refinements, loops = chosen
        if (on == "cpu", precision) in NEVER:
            continue
        settings = MpcSettings(
            model=WorldModelSettings(provider=on, precision=precision, loops=loops),
            planner=planner_settings(
                rig.task, "mppi", candidates=candidates, horizon=horizon, refinements=refinements
            ),
        )
        if settings not in every:
            every.append(settings)
    return every
