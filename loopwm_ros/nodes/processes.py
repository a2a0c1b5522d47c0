"""Child processes, one a node: started with a log file each, stopped so that none is left behind."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from loopwm_ros.errors import LoopWMError

ENCLAVES = "/loopwm/"  # of config/security/policy.xml; without SROS 2 a name and no more
PARENT_VARIABLE = "LOOPWM_PARENT_PID"  # a node started with it ends when that process is gone
Watching = Callable[[Mapping[str, int]], AbstractContextManager[object]]  # given process ids by node
STOP_SIGNALS = ((signal.SIGINT, 4.0), (signal.SIGTERM, 2.0), (signal.SIGKILL, 2.0))  # with patience [s]


class ProcessError(LoopWMError):
    """A node ended, or refused what it was asked."""


@dataclass(frozen=True)
class Child:
    """One running node."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def ended(self) -> bool:
        """Has the process exited?"""
        return self.process.poll() is not None

    def error_text(self) -> str:
        """The last error it logged, else its last line, on one line."""
        lines = [x.strip() for x in self.log.read_text(errors="replace").splitlines() if x.strip()]
        errors = [x for x in lines if "[ERROR]" in x or "[FATAL]" in x or "cannot start" in x]
        last = (errors or lines or ["it logged nothing"])[-1]
        return last.split("]: ", 1)[-1]


def check_alive(children: Sequence[Child]) -> None:
    """Raise ProcessError with the error text of a child that has ended."""
    for child in children:
        if child.ended:
            raise ProcessError(f"node '{child.name}' ended: {child.error_text()}")


def parameter_arguments(values: Mapping[str, object]) -> list[str]:
    """`--ros-args` for parameters; strings are quoted, so that YAML keeps them strings."""
    arguments = ["--ros-args"]
    for name, value in values.items():
        text = f"'{value}'" if isinstance(value, str) else str(value).lower()
        arguments += ["-p", f"{name}:={text}"]
    return arguments


def start(
    name: str,
    values: Mapping[str, object],
    environment: Mapping[str, str],
    log_dir: Path,
    *,
    module: Sequence[str] = (),
    remappings: Mapping[str, str] | None = None,
) -> Child:
    """Run node `loopwm_ros.nodes.<name>` with parameters `values`, in a session of its own.

    `module`, with arguments of its own, runs in its place; `remappings` are from topic to topic.
    """
    log = log_dir / f"{name}.log"
    arguments = [*parameter_arguments(values), "--enclave", f"{ENCLAVES}{name}"]
    for source, target in (remappings or {}).items():
        arguments += ["-r", f"{source}:={target}"]
    command = [sys.executable, "-m", *(module or (f"loopwm_ros.nodes.{name}",)), *arguments]
    with log.open("wb") as sink:
        process = subprocess.Popen(  # noqa: S603
            command,
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=subprocess.STDOUT,
            env={**os.environ, **environment, PARENT_VARIABLE: str(os.getpid())},
            start_new_session=True,
        )
    return Child(name, process, log)


def stop(children: Sequence[Child]) -> None:
    """End all: SIGINT, then SIGTERM, then SIGKILL to those that do not listen."""
    for number, patience in STOP_SIGNALS:
        running = [c for c in children if not c.ended]
        for child in running:
            child.process.send_signal(number)
        for child in running:
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.process.wait(patience)


def orphaned() -> bool:
    """Is the process that started this node gone?"""
    parent = os.environ.get(PARENT_VARIABLE)
    return parent is not None and int(parent) != os.getppid()
