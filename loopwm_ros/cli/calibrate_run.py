"""Takes pictures into a session, one after the other or guided in the terminal."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from rich.console import Console, RenderableType
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from loopwm_ros.calibration.collecting import Collector
from loopwm_ros.calibration.sources import Picture
from loopwm_ros.cli.calibrate_keys import Keys, key_presses
from loopwm_ros.cli.calibrate_screen import screen
from loopwm_ros.errors import CalibrationError

WAIT = 0.05  # [s] for a key
KEYS = "[space] take  [a] automatic on/off  [u] undo  [n] next pose  [f] finish  [q] leave, go on later"


class LiveView(Protocol):
    """A source of live pictures."""

    def newest(self) -> Picture | None:
        """The newest picture that was not handed out yet."""

    @property
    def trouble(self) -> str:
        """What is missing, in words."""


def take_all(pictures: Sequence[Picture], collector: Collector, console: Console) -> None:
    """Offer all pictures that the session has not seen yet."""
    left = [picture for picture in pictures if picture.source not in collector.session.seen]
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, TextColumn("{task.fields[kept]} kept"), console=console) as progress:
        bar = progress.add_task("looking for the board", total=len(left), kept=len(collector.session.shots))
        for picture in left:
            collector.offer(picture)
            progress.update(bar, advance=1, kept=len(collector.session.shots))


@dataclass
class Guide:
    """A guided session."""

    collector: Collector
    source: LiveView
    console: Console
    title: str
    suggest: Callable[[], str] = lambda: ""  # where to go next, in words
    automatic: bool = True  # take whatever is of use
    seconds: float = 0.0  # unattended: give up after it; 0: never
    _suggested: str = ""
    _asked: bool = False

    def run(self) -> bool:
        """Until the user finishes (True) or leaves (False); without a terminal, until enough is seen.

        Raises:
            CalibrationError: no terminal, and not enough was seen in time.
        """
        with key_presses() as keys, Live(console=self.console, auto_refresh=False) as live:
            return self._loop(keys, live)

    def _loop(self, keys: Keys | None, live: Live) -> bool:
        attended, start = self.console.is_terminal and keys is not None, time.monotonic()
        while True:
            key = keys(WAIT) if keys is not None else ""
            if not attended:
                time.sleep(WAIT)
            if key in ("f", "q"):
                return key == "f"
            self._on_key(key)
            self._look()
            live.update(self._screen(), refresh=attended)
            if not attended and self._over(start):
                return True

    def _over(self, start: float) -> bool:
        if self.collector.progress().enough:
            return True
        if self.seconds and time.monotonic() - start > self.seconds:
            trouble = self.source.trouble or self.collector.last or "no picture was of use"
            raise CalibrationError(
                f"not enough was seen in {self.seconds:g} s ({self.collector.progress().hint}; {trouble}); "
                "the same command goes on from here"
            )
        return False

    def _on_key(self, key: str) -> None:
        if key == "u" and self.collector.session.shots:
            self.collector.undo()
        elif key == "a":
            self.automatic = not self.automatic
        elif key == "n":
            self._suggested = self.suggest()
        elif key == " ":
            self._asked = True

    def _look(self) -> None:
        """Offer the newest picture where one is wanted."""
        picture = self.source.newest()
        if picture is not None and (self._asked or self.automatic):
            self.collector.offer(picture, note=self._asked)
            self._asked = False

    def _screen(self) -> RenderableType:
        lines = [("mode", "automatic: whatever is of use is taken" if self.automatic else "by key")]
        if self._suggested:
            lines.append(("go to", self._suggested))
        if trouble := self.source.trouble:
            lines.append(("trouble", trouble))
        return screen(self.collector, self.title, lines, KEYS)
