"""The steps of a calibration: from a source of pictures to a finished session."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from loopwm_ros.calibration.board import Board
from loopwm_ros.calibration.collecting import Collector, Looker
from loopwm_ros.calibration.finishing import (
    Result,
    finish_hand_eye,
    finish_intrinsics,
    finish_time,
)
from loopwm_ros.calibration.lookers import LensLooker, PoseLooker, TrackLooker
from loopwm_ros.calibration.session import Session
from loopwm_ros.calibration.shots import SessionSettings
from loopwm_ros.calibration.sources import Picture, folder_pictures, read_recordings, standing
from loopwm_ros.calibration.verdict import Grade
from loopwm_ros.cli.calibrate_job import ArmJob, Source, Takes, load_board
from loopwm_ros.cli.calibrate_poses import Suggester
from loopwm_ros.cli.calibrate_run import Guide, take_all
from loopwm_ros.cli.calibrate_screen import print_collected, print_result
from loopwm_ros.config import ArmConfig
from loopwm_ros.config.calibration import Lens
from loopwm_ros.errors import CalibrationError

GO_ON = "the same command goes on from here"


@dataclass(frozen=True)
class Step:
    """One step's session, from its first picture to its page."""

    out: Path
    settings: SessionSettings
    takes: Takes
    looker: Looker
    title: str
    pictures: Callable[[Source], list[Picture]]  # of a folder or a recording
    finish: Callable[[Session], Result]
    arm: ArmConfig | None = None
    suggest: Callable[[Session], str] = lambda _: ""  # where to go next, in words
    copy: bool = True

    def run(self) -> Grade | None:
        """The verdict; None where the user left before the end.

        Raises:
            LoopWMError: a source or the session cannot be used, or the samples do not suffice.
        """
        self.takes.source.check()
        console = Console()
        with closing(Session(self.out, self.settings)) as session:
            if session.damage:
                console.print(f"[yellow]{escape(session.damage)}", highlight=False)
            collector = Collector(session, self.looker, self.takes.keep_refused, self.copy)
            for name in self.takes.undo:
                collector.undo(name)
            try:
                done = self._take(collector, console)
            except KeyboardInterrupt:
                console.print(f"ended; {len(session.shots)} samples are safe, {GO_ON}", highlight=False)
                raise
            print_collected(console, session, collector)
            if not done:
                console.print(f"left; {GO_ON}", highlight=False)
                return None
            result = self.finish(session)
            print_result(console, str(self.out), result)
            return result.verdict.grade

    def _take(self, collector: Collector, console: Console) -> bool:
        source = self.takes.source
        if source.live:
            return self._guided(collector, console)
        if source.images is not None or source.bag is not None:
            take_all(self.pictures(source), collector, console)
        return True

    def _guided(self, collector: Collector, console: Console) -> bool:
        from loopwm_ros.nodes.calibration_source import LiveSource

        source = self.takes.source
        with closing(LiveSource(source.topic, self.arm)) as live:
            suggest = lambda: self.suggest(collector.session)  # noqa: E731
            return Guide(collector, live, console, self.title, suggest, seconds=source.seconds).run()


def run_intrinsics(out: Path, takes: Takes, board: str, lens: Lens, name: str) -> Grade | None:
    """Take pictures and calibrate a lens."""
    settings = SessionSettings(step="intrinsics", board=load_board(board), lens=lens)

    def pictures(source: Source) -> list[Picture]:
        if source.images is not None:
            return folder_pictures(source.images)
        return [each for found in read_recordings(source.recorded, source.raw) for each in found.pictures]

    return Step(
        out,
        settings,
        takes,
        LensLooker(Board(settings.board)),
        f"lens of {name}",
        pictures,
        lambda session: finish_intrinsics(session, name),
    ).run()


def run_hand_eye(out: Path, takes: Takes, job: ArmJob, joint_offsets: bool) -> Grade | None:
    """Take samples and find the camera."""

    def pictures(source: Source) -> list[Picture]:
        if source.images is not None:
            return folder_pictures(source.images, job.arm)
        found = read_recordings(source.recorded, source.raw, job.arm)
        return [each for recording in found for each in standing(recording)]

    return Step(
        out,
        job.settings("hand_eye"),
        takes,
        PoseLooker(Board(job.board), job.arm, job.camera),
        f"hand-eye of {job.arm.name}",
        pictures,
        lambda session: finish_hand_eye(session, job.arm, job.camera, joint_offsets, job.focal_std),
        job.arm,
        Suggester(job),
    ).run()


def run_time(out: Path, job: ArmJob, bag: Path, topic: str) -> Grade | None:
    """Find the time offset from a recording."""
    assert job.guess is not None
    known = job.guess
    source = Source(None, bag, False, topic, 0.0)
    recordings = read_recordings(bag, source.raw, job.arm)
    if len(recordings) != 1:
        raise CalibrationError(f"{bag} holds {len(recordings)} recordings; expected one, of one motion")
    joints, pictures = recordings[0].joints, recordings[0].pictures
    return Step(
        out,
        job.settings("time"),
        Takes(source, (), False),
        TrackLooker(Board(job.board), job.camera),
        f"time offset of {job.arm.name}",
        lambda _: pictures,
        lambda session: finish_time(session, job.arm, job.camera, known, joints),
        job.arm,
        copy=False,
    ).run()
